package flotilla

// Machine is the deterministic code that applies one system's commands to a
// group's state. It has no fields that change: all it knows is in the State.
// One value serves every group of a node, from several goroutines at a time.
//
// Each key that a machine touches begins with its System byte, and so does each
// command. A command that a machine can not decode is answered, not a panic.
type Machine interface {
	// Begin does what fell due by tx.Time (expired keys, ended leases), at most
	// some thousand things an entry; it is called before an entry's commands.
	Begin(tx *Tx)
	// Apply carries out one command and returns its reply. The reply may share
	// memory with the command or the state; it is copied by the caller.
	Apply(tx *Tx, command []byte) (reply []byte)
	// End is called after an entry's last command: the place for counters that
	// are cheaper to write once an entry.
	End(tx *Tx)
	// Read answers a command that changes nothing. It runs beside Apply, in the
	// goroutine of whoever asked. The reply must not share memory with the view.
	Read(view *View, command []byte) (reply []byte)
	// Deadline returns when Begin next has something to do, or Never. It is
	// asked when a replica starts; after that the machine calls Tx.WakeAt.
	Deadline(r Reader) Millis
}

// Tx is what a machine may see and touch while one entry is applied.
type Tx struct {
	State
	Group GroupID
	Index uint64 // the entry's position in the group's log
	Time  Millis // the leader's stamp: never less than that of the entry before
	// Ordinal numbers the commands of an entry, from 1; 0 during Begin.
	Ordinal int
	// NoRoom says that a replica's disk is nearly full: commands that make the
	// data grow are to be answered with an error; what shrinks it goes on.
	NoRoom bool
	// Emit tells this node's subscribers of an event. It is nil when nobody
	// listens, and must not influence the state. Event.Key and Body are copied.
	Emit func(Event)
	// Scratch is a machine's own memory for the length of one entry, nil at Begin.
	Scratch any

	wake Millis
}

// maxCommandsBits bounds Ordinal: an entry holds fewer than 2^20 commands.
const maxCommandsBits = 20

// MaxCommandsPerEntry is how many commands one entry may hold.
const MaxCommandsPerEntry = 1<<maxCommandsBits - 1

// Version returns a number that is unique in the group for each command, and
// greater than that of all commands before it. It also serves as a seed for
// choices that must be the same on every replica.
func (tx *Tx) Version() uint64 { return tx.Index<<maxCommandsBits | uint64(tx.Ordinal) }

// WakeAt asks that an entry be stamped at or soon after the given time, even if
// nobody sends a command. Asking too often is cheap; asking too late is a bug.
func (tx *Tx) WakeAt(at Millis) {
	if tx.wake == 0 || at < tx.wake {
		tx.wake = at
	}
}

// TakeWake returns the earliest time asked for since the last call, or Never.
func (tx *Tx) TakeWake() Millis {
	at := tx.wake
	tx.wake = 0
	if at == 0 {
		return Never
	}
	return at
}

// View is what a machine sees when it answers a read.
type View struct {
	Reader
	Group GroupID
	Index uint64 // the last entry that is part of the view
	Time  Millis // that entry's stamp: whether something expired is decided by this
	Now   Millis // this node's clock: only to say how long something still has
	// Charge, if set, is asked before a large reply grows by so many bytes; see Call.Charge.
	Charge func(bytes int) bool
}

// Event is one change that a machine tells of.
type Event struct {
	System System
	Group  GroupID
	Index  uint64
	Name   string // what happened, such as "lpush" or "expired"
	Class  byte   // the system's own classification
	Key    []byte // what it happened to
	Body   []byte // more, as the system defines
}

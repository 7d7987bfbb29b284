package scenario

import (
	"slices"

	"flotilla"
)

// Plan is a workload and what is broken meanwhile. Parse makes one, and so may code;
// Check tells whether one that code made is sound.
type Plan struct {
	Name    string // words of a-z and 0-9 with - between them
	Teaches string // what a person learns from it, in a line; may be empty
	Mode    Mode
	Without []flotilla.NodeID // with Liveness: all others must get on without these; ascending
	Demand  Demand

	Nodes    int
	Copies   int // of each group
	Groups   int // besides the directory, which is group 0
	Duration flotilla.Millis
	Calm     flotilla.Millis // how long the cluster has, after the end, to become whole and equal

	Workload Workload
	Steps    []Step // in the order of the text; those of one moment are taken in this order
}

// Mode says what is demanded in the end.
type Mode string

// The modes.
const (
	// Safety demands that nothing acknowledged is lost and no answer is wrong; all
	// faults end, and then the cluster must become whole again.
	Safety Mode = "safety"
	// Liveness demands that all nodes but Plan.Without serve while the faults last.
	Liveness Mode = "liveness"
)

// Workload is what clients ask for.
type Workload struct {
	Clients    int
	Think      Span // how long a client waits between two operations
	Load       []Part
	Keys       int   // how many keys there are of each kind
	ValueBytes Sizes // of what is written, drawn evenly
	Reads      []Reading
}

// Span is a time that is drawn evenly between two, or one time if they are equal.
type Span struct{ Least, Most flotilla.Millis }

// Sizes are numbers of bytes between two.
type Sizes struct{ Least, Most int }

// Share is a part of a whole, in hundredths of a percent.
type Share int

// Whole is all of it.
const Whole Share = 100_00

// Fraction returns the share as a number from 0 to 1.
func (s Share) Fraction() float64 { return float64(s) / float64(Whole) }

// Part is how much of the load one operation is. The parts of a load are Whole together.
type Part struct {
	Operation Operation
	Share     Share
}

// Reading is how many of the reads ask for one level.
type Reading struct {
	Level  flotilla.Level
	MaxAge flotilla.Millis // with flotilla.Bounded
	Share  Share
}

// Step is one thing that is done, once or again and again. Which of its fields
// count follows from its verb (verbs.go); all others are zero.
type Step struct {
	// At is when it is done, first. The times of a plan begin at 0, when the cluster
	// serves and the clients begin.
	At flotilla.Millis
	// Every is after how long it is done again; zero means once.
	Every flotilla.Millis
	// Until bounds Every: later it is not done again. Zero means to the plan's end.
	Until flotilla.Millis
	// IsFinal means after the end instead, when no client asks any more: final steps
	// follow each other, and one with For is waited for. At is zero then.
	IsFinal bool

	Verb     Verb
	Nodes    Target
	Links    Links
	Boundary Boundary        // Crash: the moment; empty means at once
	Loss     Loss            // Crash
	Share    Share           // Drop, Duplicate, Reorder: of the messages
	Delay    Span            // Delay: of each message; SlowDisk: of each write that is synced
	Offset   flotilla.Millis // SetClock: how far ahead of the true time, or behind if negative
	DriftPPM int             // RunClock: how much too fast, in millionths, or too slow if negative
	Bits     int             // Flip
	Bytes    int             // Clear
	File     File            // Flip, Clear
	Group    flotilla.GroupID
	To       Target // Transfer: to whom; zero means to anyone

	// For is after how long it is undone: a node that went down is started (counted
	// from when it went down), a fault ends. Zero means by another step, or at the end.
	For flotilla.Millis
}

// Target names nodes, or says by their role which ones are meant when the time has come.
type Target struct {
	Role  Role              // zero means no target at all
	Nodes []flotilla.NodeID // with Named
	Group flotilla.GroupID  // with the roles of a group
}

// Role says how a Target picks its nodes.
type Role string

// The roles. Who leads and who follows is looked up when a step is due.
const (
	Named     Role = "named"
	All       Role = "all"
	Leader    Role = "leader of group"
	Follower  Role = "a follower of group" // the first with a copy, counting on from the leader
	Followers Role = "followers of group"  // all that have a copy and do not lead
)

// Links are directions from one node to another.
type Links struct {
	Form LinkForm
	A, B Target // each one node
}

// LinkForm says how Links are picked. The value is its first word in the text.
type LinkForm string

// The forms. OneWay reads "from A to B", FromOne "from A", and ToOne "to A".
const (
	Between    LinkForm = "between" // A and B, both ways
	OneWay     LinkForm = "oneway"
	FromOne    LinkForm = "from"
	ToOne      LinkForm = "to"
	Around     LinkForm = "around" // all from and to A
	Everywhere LinkForm = "everywhere"
)

// Boundary is a moment of a write to disk at which a power cut is interesting. The
// words are those of storage.Boundary; vote and reply are more.
type Boundary string

// The boundaries. A vote is an append that makes a new term or vote durable; a reply
// is the messages that waited for an append: acknowledgements, votes, answers.
const (
	BeforeAppend   Boundary = "before append"
	AfterAppend    Boundary = "after append"
	BeforeVote     Boundary = "before vote"
	AfterVote      Boundary = "after vote"
	BeforeReply    Boundary = "before reply"
	AfterReply     Boundary = "after reply"
	BeforeFlush    Boundary = "before flush"
	AfterFlush     Boundary = "after flush"
	BeforeInstall  Boundary = "before install"
	BetweenInstall Boundary = "between install"
	AfterInstall   Boundary = "after install"
)

// Moments returns all moments of a write, in the order of the documentation.
func Moments() []Boundary {
	return []Boundary{BeforeAppend, AfterAppend, BeforeVote, AfterVote, BeforeReply, AfterReply, BeforeFlush, AfterFlush,
		BeforeInstall, BetweenInstall, AfterInstall}
}

// Loss is what a power cut takes of that which was written and not synced.
type Loss string

// The losses. LoseSome leaves a beginning of what was not synced; the executor's
// seed says how much.
const (
	LoseNothing Loss = ""
	LoseAll     Loss = "losing unsynced"
	LoseSome    Loss = "losing some unsynced"
)

// File is a kind of file in a node's folder; see storage's doc.go. Where there are
// several of a kind, the newest is meant.
type File string

// The files.
const (
	WAL           File = "wal"
	StateTable    File = "sst"
	StateManifest File = "manifest"
	Tail          File = "tail"
	ReplicaList   File = "replicas"
)

type fileForm struct {
	file File
	path string // below the folder of the node's data, as a pattern
	what string
}

// fileForms in the order of the documentation.
func fileForms() []fileForm {
	return []fileForm{
		{WAL, "log/*.log", "what was appended to the logs"},
		{StateTable, "state/*.sst", "states, as far as they were flushed"},
		{StateManifest, "state/MANIFEST-*", "which files make up the states"},
		{Tail, "tail", "how far the logs were synced"},
		{ReplicaList, "replicas", "which groups the node has copies of"},
	}
}

// FileKinds returns all kinds of files, in the order of the documentation.
func FileKinds() (all []File) {
	for _, f := range fileForms() {
		all = append(all, f.file)
	}
	return all
}

// Path returns where such files are, as a pattern of path.Match below the folder of
// the node's data; empty if there is no such kind.
func (f File) Path() string {
	for _, form := range fileForms() {
		if form.file == f {
			return form.path
		}
	}
	return ""
}

// Witness returns the file which tells that the end of this one is gone. Damage to both can not
// be known to be damage.
func (f File) Witness() (other File, ok bool) {
	switch f {
	case WAL:
		return Tail, true
	case Tail:
		return WAL, true
	}
	return "", false
}

// Operation is one thing that clients ask for, by the name of its command where
// there is one.
type Operation string

// The operations. Each key is one thing only: a register, a counter, a set or a list.
const (
	Set      Operation = "set"
	Get      Operation = "get"
	Del      Operation = "del"
	CAS      Operation = "cas"
	SetEx    Operation = "setex"
	Incr     Operation = "incr"
	Count    Operation = "count"
	SAdd     Operation = "sadd"
	SRem     Operation = "srem"
	SMembers Operation = "smembers"
	LPush    Operation = "lpush"
	RPush    Operation = "rpush"
	LPop     Operation = "lpop"
	RPop     Operation = "rpop"
	LRange   Operation = "lrange"
	LLen     Operation = "llen"
	Multi    Operation = "multi"
	Once     Operation = "once"

	// These are for queues. A plan that has one of them creates a few, of all kinds.
	Send    Operation = "send"
	Work    Operation = "work"
	Redrive Operation = "redrive"
	Purge   Operation = "purge"
)

type operationForm struct {
	operation Operation
	what      string
}

// operations in the order of the documentation.
func operations() []operationForm {
	return []operationForm{
		{Set, "write a register"},
		{Get, "read a register"},
		{Del, "empty a register"},
		{CAS, "replace what was read in a register, by `WATCH`, `GET`, `MULTI`, `SET`, `EXEC`"},
		{SetEx, "write a register that empties itself after 100 to 1000 ms"},
		{Incr, "add one to a counter"},
		{Count, "read a counter"},
		{SAdd, "put a new value into a set"},
		{SRem, "take a value out of a set"},
		{SMembers, "read a set"},
		{LPush, "put a new value at the left end of a list"},
		{RPush, "put a new value at the right end of a list"},
		{LPop, "take the value at the left end of a list"},
		{RPop, "take the value at the right end of a list"},
		{LRange, "read a list"},
		{LLen, "read a list's length"},
		{Multi, "read and write several registers of one slot at once, by `MULTI` and `EXEC`"},
		{Once, "write a register that nobody writes again: only durability is asked of it"},
		{Send, "send one message or several to a queue; again, if nobody answered, where the queue tells repetitions"},
		{Work, "receive messages, or go on with one: delete it, extend its lease, give it back, be too late, forget it; or count a queue"},
		{Redrive, "begin to move dead messages back to where they came from"},
		{Purge, "purge a queue"},
	}
}

// IsRead reports whether the operation only reads: Workload.Reads says at which level.
func (o Operation) IsRead() bool {
	return o == Get || o == Count || o == SMembers || o == LRange || o == LLen
}

// IsOfQueues reports whether the operation asks something of queues, and not of keys.
func (o Operation) IsOfQueues() bool {
	return o == Send || o == Work || o == Redrive || o == Purge
}

// HasQueues reports whether any of the load asks something of queues.
func (w *Workload) HasQueues() bool {
	return slices.ContainsFunc(w.Load, func(p Part) bool { return p.Operation.IsOfQueues() })
}

// HasOnlyQueues reports whether all of the load asks something of queues.
func (w *Workload) HasOnlyQueues() bool {
	return !slices.ContainsFunc(w.Load, func(p Part) bool { return !p.Operation.IsOfQueues() })
}

// Operation returns what a client asks for when it has drawn a number, evenly, from
// 0 to just below Whole.
func (w *Workload) Operation(drawn Share) Operation {
	for _, part := range w.Load {
		if drawn -= part.Share; drawn < 0 {
			return part.Operation
		}
	}
	flotilla.Assert(false, "the shares of a load are the whole together")
	return ""
}

// Reading returns at which level a client reads when it has drawn a number, as for
// Operation.
func (w *Workload) Reading(drawn Share) Reading {
	for _, r := range w.Reads {
		if drawn -= r.Share; drawn < 0 {
			return r
		}
	}
	flotilla.Assert(false, "the shares of the levels are the whole together")
	return Reading{}
}

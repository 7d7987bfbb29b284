package consensus

import (
	"io"

	"flotilla"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"
)

// Write is what one group asks of the disk in one turn.
type Write struct {
	Group     flotilla.GroupID
	HardState *raftpb.HardState // nil when unchanged
	// Entries follow each other; they replace what the log holds from the first
	// one's index on.
	Entries []*raftpb.Entry
}

// Log is one group's log on disk, as raft reads it. InitialState returns the
// HardState that was stored (nil if none) and an empty ConfState, and Snapshot
// returns raft.ErrSnapshotTemporarilyUnavailable: both live in the state, and the
// Group supplies them. Right after Create with initial keys, FirstIndex is 2 and
// Term(1) is 1; without, FirstIndex is 1 and Term(0) is 0.
type Log interface {
	raft.Storage
}

// Mark is how far a state has come. It is written together with what it covers.
type Mark struct {
	Index uint64
	Term  uint64
	Time  flotilla.Millis
}

// State is one group's state on disk. It has one writer, the node's loop;
// views may be taken from any goroutine.
type State interface {
	flotilla.State
	// Commit makes all that was written since the last Commit visible to new
	// views, at once, as of mark. It is durable some time later, in order.
	Commit(mark Mark)
	// Mark returns the last committed mark.
	Mark() Mark
	// Durable returns an index that will be there after a power cut.
	Durable() uint64
	// Err returns the first failure to read or write; the state is of no more use.
	Err() error
	// View returns a consistent reader of what was last committed. A short view
	// is cheap but delays the writer until it is closed: for a few gets and
	// small scans. A long view may be held for minutes.
	View(isLong bool) View
}

// View is a reader that must be closed.
type View interface {
	flotilla.Reader
	Mark() Mark
	Err() error
	Close()
}

// Disk is a node's storage: the logs and states of all its groups.
type Disk interface {
	// Groups returns the groups that were found or created, with replica ids,
	// in order of group.
	Groups() []Replica
	// Create makes a replica, durably (its state too: flushed). With initial keys it is one of a
	// group's first copies: they are its state at index 1, term 1, time 0. Without,
	// it is at index 0, term 0 (FirstIndex 1), and waits for a snapshot.
	Create(replica Replica, initial []KeyValue) error
	// Remove forgets a group's log and state, durably.
	Remove(group flotilla.GroupID) error
	// Log and State return what belongs to a group that is in Groups.
	Log(group flotilla.GroupID) Log
	State(group flotilla.GroupID) State
	// Append stores the writes of one turn in one batch and returns once it is
	// on disk. Of what it was given it keeps only the entries. Any error is final: the process must end.
	Append(writes []Write) error
	// Cut allows the log up to and including index to be forgotten. The disk
	// keeps what its own state has not made durable, whatever it is told.
	Cut(group flotilla.GroupID, index uint64)
	// Stage reads a snapshot that WriteSnapshot wrote and keeps it aside. It
	// checks it wholly, and may run beside everything else.
	Stage(replica Replica, from io.Reader) (Staged, error)
	// Install replaces state and log of the staged snapshot's group by it,
	// durably and at once, together with the HardState. The State and Log that
	// were handed out before stay in use. If the group does not exist it is created.
	Install(staged Staged, hard *raftpb.HardState) error
	// Damage returns what was found to be damaged, by whatever read or background work,
	// or nil. The replicas here must not go on.
	Damage() error
	// Room reports whether writes that grow the data should still be taken.
	Room() bool
	// Stats returns counters and sizes.
	Stats() DiskStats
	Close() error
}

// KeyValue is one key of a state with its value.
type KeyValue struct{ Key, Value []byte }

// Replica names a group's copy.
type Replica struct {
	Group flotilla.GroupID
	ID    flotilla.ReplicaID
}

// Staged is a checked snapshot that waits to be installed or dropped.
type Staged interface {
	Replica() Replica
	Mark() Mark
	// Get looks a key up in the staged state.
	Get(key []byte) (value []byte, ok bool)
	// Drop forgets it. It does nothing after Install.
	Drop()
}

// DiskStats counts what a disk has done since it was opened.
type DiskStats struct {
	Appends       uint64 // synced batches
	AppendedBytes uint64
	SyncSeconds   float64            // spent waiting for the disk, in all
	Syncs         flotilla.Histogram // the same, by how long each took
	LogBytes      uint64             // on disk now
	StateBytes    uint64
	FreeBytes     uint64 // on the file system, 0 if unknown
}

// WriteSnapshot streams all of a view to w in the form that Disk.Stage reads:
//
//	"FLSNAP1\n" mark:index u64 term u64 time i64, crc32c u32 of all before | chunk... | end chunk
//	chunk: count u32, bytes u32, crc32c u32, then count x (key len uvarint, value len uvarint, key, value)
//	end chunk: count 0, bytes 8, crc32c of the total number of keys u64, little endian like all the rest
func WriteSnapshot(w io.Writer, view View) error { return writeSnapshot(w, view) }

package cluster

import (
	"slices"
	"sync"
	"sync/atomic"

	"flotilla"
	"flotilla/consensus"
)

// NoteKind says what happened.
type NoteKind string

// The kinds of notes. What Peer, Term, Index and Value are stands beside each, where
// they say more than which node, term and entry it is about.
const (
	NoteStarted  NoteKind = "started"  // the node began; Word is StartedEmpty if there was nothing on its disk
	NoteStopping NoteKind = "stopping" // it gives its leaders away, to end
	NoteFault    NoteKind = "fault"    // a lab broke or mended something: Word says what; Peer, if it is a link

	NoteSilent  NoteKind = "silent"  // nothing came from Peer for Value ms: it is taken for dead
	NoteHeard   NoteKind = "heard"   // Peer is heard again, or for the first time
	NoteRelay   NoteKind = "relay"   // what is for Peer, which does not hear this node, goes by way of node Value; 0: straight again
	NoteNoRoom  NoteKind = "no-room" // the disk is nearly full
	NoteHasRoom NoteKind = "room"    // it has space again

	NoteRole         NoteKind = "role"          // Word is the new role, or RoleTrial, Peer the leader; a candidate's Peer is the one that it lost, heard Value ms ago
	NoteVoteAsked    NoteKind = "vote-asked"    // of Peer
	NoteVoteGiven    NoteKind = "vote-given"    // to Peer
	NoteVoteRefused  NoteKind = "vote-refused"  // to Peer; Word is why (consensus.RefusalReason), Index the last entry here, Value the node that has the vote or leads
	NoteTrialAsked   NoteKind = "trial-asked"   // Peer is asked whether it would vote (Raft's PreVote)
	NoteTrialGiven   NoteKind = "trial-given"   // Peer is told that it would have the vote
	NoteTrialRefused NoteKind = "trial-refused" // Peer is told that it would not; the rest as above
	NoteHandOver     NoteKind = "hand-over"     // the leader asks Peer to take its place
	NoteMembers      NoteKind = "members"       // a change of the group's members was applied
	NoteNewCopy      NoteKind = "new-copy"      // this node makes an empty copy in the place of a lost one: its number is Value

	NoteSnapshotSent      NoteKind = "snapshot-sent"      // to Peer
	NoteSnapshotDone      NoteKind = "snapshot-done"      // Peer has it
	NoteSnapshotFailed    NoteKind = "snapshot-failed"    // it did not get there
	NoteSnapshotInstalled NoteKind = "snapshot-installed" // here

	// Of writes that are followed; Call is their number.
	NoteTaken     NoteKind = "taken"     // by the loop of the node that the client asked; Value is how many commands
	NoteForwarded NoteKind = "forwarded" // to the leader, Peer; with Peer this node itself, it leads
	NoteAnswered  NoteKind = "answered"  // the client gets its reply: the write is entry Index

	// Of entries that are followed.
	NoteProposed     NoteKind = "proposed"     // the leader made the entry; Value is how many commands it has
	NoteSent         NoteKind = "sent"         // to Peer
	NoteReceived     NoteKind = "received"     // by a follower
	NoteSynced       NoteKind = "synced"       // it is on this node's disk
	NoteAcknowledged NoteKind = "acknowledged" // the follower tells Peer, the leader, so
	NoteCounted      NoteKind = "counted"      // the leader heard it from Peer
	NoteCommitted    NoteKind = "committed"    // this node knows that a majority has it
	NoteApplied      NoteKind = "applied"      // to this node's state
)

// Words of NoteStarted and NoteRole that are no roles.
const (
	StartedEmpty = "empty"
	// RoleTrial is of a candidate that asks on trial (Raft's PreVote), in the term before the one
	// that it asks for. One that asks in earnest after that has no Peer: it knows no leader any more.
	RoleTrial = "trial"
)

// The words of refused votes.
const (
	RefusedTerm   = string(consensus.RefusedTerm)
	RefusedVoted  = string(consensus.RefusedVoted)
	RefusedLeader = string(consensus.RefusedLeader)
	RefusedLog    = string(consensus.RefusedLog)
)

// IsTraced reports whether notes of this kind are of writes and entries that are
// followed. The others are few, and always kept.
func (k NoteKind) IsTraced() bool {
	switch k {
	case NoteTaken, NoteForwarded, NoteAnswered, NoteProposed, NoteSent, NoteReceived, NoteSynced, NoteAcknowledged,
		NoteCounted, NoteCommitted, NoteApplied:
		return true
	}
	return false
}

// Note is one thing that happened on a node, as the node itself wrote it down.
type Note struct {
	// Sequence counts a journal's notes from 1.
	Sequence uint64 `json:"seq"`
	// Stamp orders the notes of all nodes: an effect has a greater one than each of its
	// causes. It is near the time in microseconds since 1970.
	Stamp  uint64           `json:"stamp"`
	Micros int64            `json:"at_us"` // when it was, on the machine's clock
	Node   flotilla.NodeID  `json:"node"`
	Kind   NoteKind         `json:"kind"`
	Word   string           `json:"word,omitempty"`
	Group  flotilla.GroupID `json:"group"` // of what is about a group
	Peer   flotilla.NodeID  `json:"peer,omitempty"`
	Term   uint64           `json:"term,omitempty"`
	Index  uint64           `json:"index,omitempty"`
	Call   uint64           `json:"call,omitempty"`
	Value  int64            `json:"value,omitempty"`
}

// CompareNotes orders notes so that an effect comes after its causes. Of two notes that
// have nothing to do with each other, either may come first, on every node the same.
func CompareNotes(a, b Note) int {
	switch {
	case a.Stamp != b.Stamp && a.Stamp < b.Stamp, a.Stamp == b.Stamp && a.Node < b.Node:
		return -1
	case a.Stamp == b.Stamp && a.Node == b.Node:
		return 0
	}
	return 1
}

// Bounds of a journal. What is older is overwritten.
const (
	// keptNotes is how many notes of elections, faults and the like are kept: in peace
	// there are a few an hour.
	keptNotes = 2048
	// keptTraced is how many of entries and writes that are followed.
	keptTraced = 4096
	// watchedMicros is how long a look into the journal counts as watching.
	watchedMicros = 3_000_000
)

// Journal is what a node remembers of what happened on it. The node's loop writes, from
// any goroutine one may read.
//
// Its stamps are a hybrid clock (Kulkarni and others, "Logical Physical Clocks", 2014):
// each is greater than all that were seen before it, in frames of others too, and no less
// than the time. So whatever a node does because of a frame is stamped later than
// what was done before the frame was sent, whatever the clocks of both.
type Journal struct {
	self   flotilla.NodeID
	micros func() int64

	// The loop's alone.
	last     uint64 // the greatest stamp made or seen
	sequence uint64

	watchedUntil atomic.Int64

	mu     sync.Mutex // guards the rings
	rare   ring
	traced ring
}

// NewJournal returns an empty journal of a node. micros is the time since 1970; it may be
// wrong, and need not go forwards.
func NewJournal(self flotilla.NodeID, micros func() int64) *Journal {
	return &Journal{self: self, micros: micros, rare: ring{limit: keptNotes}, traced: ring{limit: keptTraced}}
}

// write adds a note. Only the loop may call it. A nil journal keeps nothing.
func (j *Journal) write(n Note) {
	if j == nil {
		return
	}
	n.Micros = j.micros()
	j.sequence++
	j.last = max(j.last+1, uint64(max(n.Micros, 0)))
	n.Sequence, n.Stamp, n.Node = j.sequence, j.last, j.self
	j.mu.Lock()
	defer j.mu.Unlock()
	if n.Kind.IsTraced() {
		j.traced.add(n)
	} else {
		j.rare.add(n)
	}
}

// see takes note of a stamp that came in a frame: what is written next is later.
func (j *Journal) see(stamp uint64) {
	if j != nil {
		j.last = max(j.last, stamp)
	}
}

// newest returns the greatest stamp made or seen.
func (j *Journal) newest() uint64 {
	if j == nil {
		return 0
	}
	return j.last
}

// isWatched reports whether somebody looked lately, and so wants to see writes.
func (j *Journal) isWatched(now int64) bool { return j.watchedUntil.Load() > now }

// Watch has entries be followed for the next three seconds.
func (j *Journal) Watch() { j.watchedUntil.Store(j.micros() + watchedMicros) }

// Since returns what was written after a note's Sequence and is still there, in order.
// Begin with 0.
func (j *Journal) Since(sequence uint64) []Note {
	j.mu.Lock()
	notes := j.traced.since(sequence, j.rare.since(sequence, nil))
	j.mu.Unlock()
	slices.SortFunc(notes, func(a, b Note) int { return int(int64(a.Sequence) - int64(b.Sequence)) })
	return notes
}

// ring keeps the newest notes, up to its limit.
type ring struct {
	limit int
	notes []Note
	next  int // where the next one goes, once it is full
}

func (r *ring) add(n Note) {
	if len(r.notes) < r.limit {
		r.notes = append(r.notes, n)
		return
	}
	r.notes[r.next] = n
	r.next = (r.next + 1) % r.limit
}

// since appends the notes after a sequence number. They lie in order from next on.
func (r *ring) since(sequence uint64, to []Note) []Note {
	older, newer := r.notes[r.next:], r.notes[:r.next]
	for _, part := range [][]Note{older, newer} {
		at, _ := slices.BinarySearchFunc(part, sequence+1, func(n Note, s uint64) int { return int(int64(n.Sequence) - int64(s)) })
		to = append(to, part[at:]...)
	}
	return to
}

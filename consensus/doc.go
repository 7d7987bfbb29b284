// Package consensus replicates one group: a log of entries by Raft, the sessions
// that make a retried command happen once, and the state that its machines build.
//
// Read first: Group (group.go) wraps raft.RawNode as a value that is stepped;
// its apply.go turns committed entries into state and outcomes; parcel.go has the
// commands of one node that travel together; session.go remembers what was
// answered; disk.go is the seam to storage.
//
// Invariants.
//   - The same entries give the same state, sessions and replies included.
//   - A parcel is applied at most once, however often it is in the log.
//   - Time never runs backwards: an entry's time is at least that of the one before.
//   - A state's mark and what it covers are committed together.
//
// The package does no I/O of its own, starts no goroutine and reads no clock:
// whoever drives a Group writes what it asks for, sends its messages (the early
// ones at once, the late ones after the write is on disk) and tells it the time.
package consensus

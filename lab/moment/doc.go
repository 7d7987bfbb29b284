// Package moment ends a node's process at a moment of a write: before an append, after
// a vote, before a reply. Such a crash is worth a thousand at times that nobody chose,
// because what a node must not forget is what it has just told somebody.
//
// Read Trap (trap.go), then the disk and the transport that it lays around a node's own
// (tap.go): these see every moment pass.
//
//	cluster.Node ──▶ disk ──▶ consensus.Disk        before and after: append, vote, install
//	             ──▶ transport ──▶ cluster.Transport  before and after: reply
//
// The process leaves proof that it ended here, for whoever must tell that from a fault.
//
// A trap that is not armed costs a look at one number for each write and each frame, so
// that every node of a fleet has one.
//
// It knows no moment inside of a disk: a flush, and the middle of an install, pass
// within Pebble's files. It does not lose what was not synced; the disk below does, if it
// is one of lab/powercut.
package moment

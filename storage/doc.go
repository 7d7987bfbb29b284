// Package storage keeps a node's logs and states: on disk with Pebble (Disk) and
// in memory with modelled crashes (Memory). Both are a consensus.Disk, and the
// suite in storage/conformance runs on both.
//
// Read in this order: Options, Disk (disk.go), Append (append.go: the only fsync
// of a turn), table (table.go) and groupState (state.go: what has not reached
// Pebble yet), flush.go, then open.go for what is checked at a start.
//
//	DIR/LOCK              held while the folder is open
//	DIR/log/              Pebble with a WAL: entries, HardStates, replica ids
//	DIR/state/            Pebble without one: what is not flushed is replayed from the log
//	DIR/tail              two slots: the last batch that was synced (tail.go)
//	DIR/replicas          all replicas of this node, outside the stores (files.go)
//	DIR/lost              replicas whose data was lost and is not yet replaced
//	DIR/damaged           why the stores must not be used again
//	DIR/ballast           room that is given back when the disk is full
//	DIR/quarantine-<n>/   damaged stores, set aside for people to look at
//
// Invariants. What Append returned from survives a power cut. A state on disk is
// the outcome of a whole number of entries, never of half an entry, and is never
// older than what was cut off its log. Damage is reported, and never repaired by
// guessing: a node without its data must say so to the others.
//
// The package refuses to continue after a failed write or fsync: it calls
// Options.Exit. It knows nothing of Raft beyond entries and HardStates.
package storage

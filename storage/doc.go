// Package storage keeps a node's logs and states: on disk with Pebble (Disk) and
// in memory with modelled crashes (Memory). Both are a consensus.Disk, and the
// suite in storage/conformance runs on both.
//
// Read in this order: Options, Disk (disk.go), Append (append.go: the only fsync
// of a turn), table (table.go) and groupState (state.go: what has not reached
// Pebble yet), flush.go, then open.go for what is checked at a start. slow.go makes the disk slow, for a lab.
//
//	DIR/LOCK              held while the folder is open
//	DIR/log/              the write-ahead log (package wal): entries, HardStates, replica ids
//	DIR/state/            Pebble without a log of its own: what is not flushed is replayed from the log
//	DIR/tail              the log's last record that was synced (sidefile.go)
//	DIR/flushes           how often the states were flushed (the same)
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
// What the tail mark can not tell. A log is recovered up to some batch; whether it once
// was longer, only something outside of it can know. After a power cut the mark may be old, since
// it is not synced with each batch: what was synced after the mark that survived and then rotted
// away, in the log's last block, looks just as if it had never been written. A second sync
// for each batch, of the mark after the log and before anybody is told, would close this at
// twice the price of every write; a sync of both at once would not, because a cut between the two
// leaves a mark ahead of its log, which would look like damage, on all nodes at once. The kernel
// writes the mark back by itself, within half a minute on Linux, Open marks durably what it
// found, and each flush of states, at most Options.FlushAge later, writes down durably how far
// the log was synced: so what can be missed is young. Of that, others may know: a leader that heard of more than is there
// says so in its next heartbeat, and consensus.Group.Step takes it for damage. Only if that
// leader is gone as well does nobody know.
//
// Pebble has the same weakness in its manifest: a record that is damaged is the end of it.
// That would be a state as of an earlier flush, under tables of a later one that come back
// into view as new writes pass their numbers: a mixture that no log leads to. So each flush is counted, in
// the flush itself and then, synced, outside; and no table may have a write of a number that was not
// given out yet. What this can not tell is damage to both within one life of the process.
//
// The package refuses to continue after a failed write or fsync: it calls
// Options.Exit. It knows nothing of Raft beyond entries and HardStates.
package storage

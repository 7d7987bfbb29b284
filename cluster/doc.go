// Package flotilla holds the words that every other package shares: how nodes,
// groups, slots and commands are named, what a machine is, and what a client
// asks of the node it runs on.
//
// Read in this order: Call and Host (host.go: what a door's
// client may ask for), Machine, Tx and View (machine.go: what a system is),
// Reader and State (state.go: what a machine sees), then errors.go.
//
// Invariants. A Machine is deterministic: it sees only a Tx and the command's
// bytes, so that replicas which applied the same entries hold the same bytes.
// Time is part of an entry and never runs backwards within a group.
//
// The package imports nothing of ours, starts no goroutine and does no I/O.
package flotilla

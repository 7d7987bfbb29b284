// Package scenario is a small text language of workload, faults and timing, and
// what such a text means: which node, which link, when.
//
// Read in this order: Plan and Step (plan.go: what a text says), headers and verbs
// (header.go, verbs.go: the grammar as two tables, from which docs/scenarios.md is
// made), Parse (parse.go), Plan.String (print.go), the rules that one line can not
// know (rules.go), Executor (support.go: who can carry out what), Player and
// Network (player.go, network.go: what a plan asks for, moment by moment), Random
// (random.go), Names and Load (named.go, plans/*.txt).
//
//	text ──Parse──▶ Plan ──Player──▶ orders at their times ──▶ an executor
//	  ▲               │
//	  └────String─────┘      the text that is printed means the same plan
//
// Invariants. What String prints parses to an equal Plan. The same seed gives the
// same random plan, and one that its executor can carry out. In safety mode a plan
// never takes or damages the data of more nodes than a group can lose; in liveness
// mode it touches only the nodes that it names as those to do without.
//
// The package reads no clock and no file, starts no goroutine and has no chance
// but a seed: the simulator and a run against real processes share it, so that a
// word means the same to both. It refuses what it does not understand, by line,
// with what would be right; it never skips a line.
package scenario

// Package lab plays the fault plans of package scenario against real processes, with
// real Redis clients, and judges what these were told.
//
// Read in this order: Lab (lab.go: a run from beginning to end), run (play.go: the
// plan's orders, each at its time), fleet (fleet.go: the processes, under a
// supervisor), wipe and flip (files.go), disks (disks.go: those that forget in a power cut), Load (load.go: the clients; asks.go: what
// they ask for), ReadFinal and Same (final.go: what is there in the end), Result
// (judge.go: the verdict), Keep (keep.go: what is kept when a promise was broken).
//
//	scenario.Plan ──Player──▶ orders ──▶ supervisor ──▶ processes, links, files
//	      └─ Workload ──▶ Load: go-redis clients ──▶ check.Recorder ──▶ verdict
//
// Invariants. A step that real processes can not do is refused before anything is
// started, by line. Whatever ends a run, all that it started has ended, too. What
// clients did is written down whole: an answer that may or may not come true is
// Unknown, and only what the door says was not carried out is Refused. A
// history that could not be judged to the end counts as broken.
//
// What is demanded. In safety mode: within the plan's calm time every node is ready
// and every copy has applied all of its log; then what clients were told is linearizable,
// weak reads are as fresh as they have to be, nothing acknowledged is missing, every
// node has the same in every key, and no node ended by itself that had no reason to.
// In liveness mode the same of what clients were told, and that no node that must go on
// was silent about a group for longer than MaxSilence.
//
// It can not do what the same machine and a kernel that lives on do not allow: set a
// node's clock, stop a node at a moment of a write, slow a disk down or fill it. The
// simulator can. Nor does it compare copies byte by byte: nodes tell no hash of
// their state, so that each key that the clients used is read from each node instead.
package lab

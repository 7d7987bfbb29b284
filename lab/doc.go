// Package lab plays the fault plans of package scenario against real processes, with
// real Redis clients, and judges what these were told.
//
// Read in this order: Lab (lab.go: a run from beginning to end), run (play.go: the
// plan's orders, each at its time), fleet (fleet.go: the processes, under a
// supervisor), wipe, flip and clear (files.go), crash (crash.go: at once, or at a moment
// of a write), conditions (conditions.go: of disks and clocks), clocks (clocks.go: when values
// may expire), disks (disks.go: those
// that forget in a power cut), exposed (exposed.go: no two faults of a disk at once), damaged
// (damaged.go: for how long changed files excuse a node), Load (load.go: the clients;
// asks.go: what they ask for), ReadFinal (final.go: what is there in the end), letExpire and
// timeLives (lifetime.go: do values live as long as they should?), compare (compare.go: are all copies
// the same?), Result (judge.go: the verdict), busy (busy.go: was the machine too slow to
// tell?), Keep (keep.go: what is kept when a promise was broken), Series (series.go: several
// plans that are drawn).
//
//	scenario.Plan ──Player──▶ orders ──▶ supervisor ──▶ processes, links, clocks, leaders
//	      │                      └─────▶ files, lab/powercut: disks   lab/moment: in the node
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
// weak reads are as fresh as they have to be, nothing acknowledged is missing, values live as
// long as they were given, all copies of a group have one hash, no node ended by itself that had no reason to, and none set its
// data aside that nobody had damaged.
// In liveness mode the same of what clients were told, and that no node that must go on
// was silent about a group for longer than scenario.MaxSilence.
//
// Slow is not wrong. What is demanded in time is only demanded of a machine that gives
// its programs time: on one that does not, the verdict is SLOW, and the exit code another one.
//
// It can not stop a node at a moment inside of its disk, which is a flush and the middle
// of an install: these pass within Pebble's files. The simulator can. Slow and full disks
// and power cuts need the file system of lab/powercut.
package lab

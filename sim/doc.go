// Package sim plays scenario plans on a whole cluster on one goroutine, from one seed:
// the nodes that production runs (cluster.Core, consensus, the machines), real
// clients (store.Session, queue.Client), and around them clocks, network and disks that are values.
// The same plan and seed give the same life, message by message.
//
// Read first: Run (run.go), world.go (time: events in order), node.go (what drives a
// Core), play.go, power.go and pause.go (what a plan says is done), disk.go and rot.go (what a
// crash leaves, and damage), load.go and transactions.go (what clients ask for), ask.go
// (how it is asked and written down), client.go (coroutines that ask), queues.go, jobs.go,
// worker.go, recur.go and drain.go (queues, who uses them, and how they are judged), expiry.go (when
// values may expire), lifetime.go (that they do), silence.go, whole.go, final.go and judge.go (what must be true), effects.go (what a plan brought about),
// keep.go (what is kept of a life that failed).
// testdata/bugs has mistakes that it must find.
//
//	seed ──RandomPlan──▶ scenario.Plan ──scenario.Player──▶ orders ──▶ nodes, links, disks, clocks
//	                       ▲      │                           ▲
//	                     text ◀───┘                     virtual time
//
// Invariants.
//   - Nothing asks a real clock or real chance. crypto/rand.Reader, which Raft's
//     election timeouts read, is replaced for the length of a Run: two Runs must not
//     go on in one process at a time.
//   - All trouble is in the plan, but for one thing that no plan can say: one snapshot of
//     twenty has a bit turned over on its way. Links take up to 1 ms, synced writes too,
//     and wall clocks are up to 400 ms apart.
//   - After the end all is healed, in both modes: then all copies must be where they
//     belong, and equal. In liveness mode each client, which asks one node that must go
//     on, must have had answers about every group all the while, to changes, to
//     linearizable reads and to weak reads, each for themselves: see scenario.MaxSilence.
//
// Not looked for: damage to a log's last block in the same moment as a power cut. What
// tells a lost tail (storage's tail mark) is not synced, so that a power cut may take
// it, too. So files are not damaged while a node is down after a power cut that took
// something, and a power cut takes nothing between damage and the next start. Nor are a log
// and its tail mark both damaged between two starts. And what
// Pebble's own flushes and compactions write is cut only between the disk's operations,
// not within: their goroutines run in no certain order, and storage's own tests cut there.
// Nor is a cluster's very first start in trouble: a plan begins when the cluster serves. And a
// node whose files were damaged may call any damage its reason to stop until its data was set
// aside or its disk replaced: a bug that looks like damage is found in other nodes only.
//
// The package judges only by what clients were told and by the replicas' states: it
// does not look into nodes to find out who is right.
package sim

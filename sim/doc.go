// Package sim runs a whole cluster on one goroutine, from one seed: the nodes that
// production runs (cluster.Core, consensus, the store's machine), real clients
// (store.Session), and around them clocks, network, disks and trouble that are
// values. The same seed gives the same life, message by message.
//
// Read first: Run (run.go), world.go (time: events in order), node.go (what drives a
// Core), disk.go (what a crash leaves), client.go and workload.go (coroutines that
// ask and write down what they were told), plan.go and faults.go (trouble),
// judge.go (what must be true at the end).
//
// Invariants.
//   - Nothing asks a real clock or real chance. crypto/rand.Reader, which Raft's
//     election timeouts read, is replaced for the length of a Run: two Runs must not
//     go on in one process at a time.
//   - Trouble never takes more than was promised to be survived: the data of at most
//     a minority of a group's copies is lost before new copies have taken their place.
//
// Not looked for: damage to a log's last block in the same moment as a power cut. What
// tells a lost tail (storage's tail mark) is not synced, so that a power cut may take
// it, too. And what Pebble's own flushes and compactions write is cut only between
// the disk's operations, not within: their goroutines run in no certain order, and
// storage's own tests cut there.
//
// The package judges only by what clients were told and by the replicas' states: it
// does not look into nodes to find out who is right.
package sim

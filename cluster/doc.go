// Package cluster runs many groups on one node, and many nodes as one cluster.
//
// Read first: Node (node.go) is the pure core: it takes frames, calls and the
// time, and in each Turn steps its groups, writes all that is new in one synced
// batch, sends what is due and answers what is done. Core (core.go, calls.go) is
// what has to be done around a Node by whoever drives it. Server (server.go) drives
// one in real time: the only loop, and the flotilla.Host that doors' clients talk
// to; package sim drives some in virtual time. route.go is how a node's commands reach a group's leader, wherever that is,
// and happen once; gather.go why its entries are large; relay.go is how frames go around cut links, loss.go what becomes of a leader whose links lose much; directory*.go, placement.go and balance.go say who holds and
// leads what, and whatif.go who would; first.go is why an empty disk makes nothing at once; frame.go is what
// nodes say to each other.
//
// Invariants.
//   - A message that promises something about this node's disk leaves after the
//     disk has it.
//   - A call is answered as refused only if none of its commands ever left this
//     node's hands.
//   - Node is owned by one goroutine. Views of state may be taken from any.
//
// The package refuses to guess: without a majority it answers with an error.
package cluster

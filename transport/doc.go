// Package transport carries bytes between nodes: over gRPC between processes
// (Transport), and within one process for tests and the simulator (Network).
// Both implement cluster.Transport, and pass the same tests.
//
// Read in this order: frames.go (how many frames travel as one message),
// hello.go (who may talk to whom), transport.go and peer.go (queues and
// connections), grpc.go (the wire: the only file that would change with it),
// snapshot.go, faults.go, network.go.
//
// Invariants. Frames from one node to another arrive in the order in which they
// were sent, each at most once: what was on its way when a connection broke is
// lost, never sent again. A node takes frames of one incarnation of a peer at a
// time, and never of an older one after a newer one. Send never blocks.
//
// It refuses to talk to a node of another cluster, to a node that was not named
// by SetPeers, and to listen beyond loopback without certificates, unless told
// that insecure is meant. It knows nothing of what the bytes say.
//
// Known limits. In a Network a snapshot is held in memory as a whole.
// Certificates are read once, at the start. Removing a peer forgets which
// incarnations of it were seen.
package transport

// Package console is what a node shows over HTTP: its status as JSON, its
// metrics, whether it is healthy and ready, profiles, and for a lab the faults
// of its links.
//
// Read in this order: Options and Handler (handler.go: every path), collector
// (metrics.go: which number of the Status is which metric), guard.go (who may
// ask), serve.go (the limits of the HTTP server).
//
// Invariants. Nothing here changes a node, apart from /lab/faults. Every answer
// is made from one cluster.Status, taken when the request came. A request whose
// Host is not one of ours is refused, so that a web page elsewhere can not reach
// a node by renaming itself to 127.0.0.1; profiles are for loopback only.
//
// It shows no keys, no values and no secrets.
package console

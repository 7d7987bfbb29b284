// Package bench puts load on a running cluster over its real protocols and says
// what that cost. Store speaks the Redis protocol to any server that does. Idle says
// what processes cost that nobody asks for anything.
//
// Read in this order: store.go (what to measure, and the closed loop), command.go
// (which commands are sent), resp.go (the client), report.go, compare.go (two servers
// in turn), idle.go, pages.go (the console, open on pages).
//
// How it measures. Each connection has one goroutine that sends a batch (one
// command, or a pipeline), waits for all replies and sends the next: a closed
// loop. A batch counts in the window in which its last reply arrives; its latency
// is from before the first byte is sent until then. Commands that got an error do
// not count as operations.
//
// The client of our own is lean, so that on a shared machine it is the server that
// is measured; with go-redis the figures are those of a common client.
//
// It imports nothing of ours: it sees only what users see.
package bench

package cluster

import (
	"context"
	"io"

	"flotilla"
)

// Transport carries bytes to other nodes. Frames between two nodes arrive in
// order or not at all, each at most once (unless a fault was asked for).
type Transport interface {
	// Send queues a frame. It never blocks: when the peer's queue (64 MiB) is full, or the
	// peer can not be reached, the frame is dropped. The frame is copied.
	Send(to flotilla.NodeID, frame []byte)
	// SendSnapshot streams header and body over a stream of its own, and returns
	// nil once the peer's ReceiveSnapshot returned nil.
	SendSnapshot(ctx context.Context, to flotilla.NodeID, header []byte, body func(io.Writer) error) error
	// SetPeers names the nodes that may be talked to, with their addresses.
	SetPeers(addresses map[flotilla.NodeID]string)
}

// Receiver takes what a Transport delivers. Both methods may be called from
// several goroutines at a time.
type Receiver interface {
	// Receive takes one frame; it keeps nothing of it after it returned, and
	// blocks only to slow the sender down.
	Receive(from flotilla.NodeID, frame []byte)
	ReceiveSnapshot(ctx context.Context, from flotilla.NodeID, header []byte, body io.Reader) error
}

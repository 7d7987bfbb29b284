package transport

import (
	"cmp"
	"slices"
	"sync/atomic"
	"time"

	"flotilla"
)

// Stats is what a Transport did so far.
type Stats struct {
	Addr        string      `json:"addr"`
	Incarnation uint64      `json:"incarnation"`
	Greetings   uint64      `json:"greetings_total"` // incoming, refused or not
	Peers       []PeerStats `json:"peers"`           // in order of their numbers
}

// PeerStats is what went to and came from one peer. The counters start at zero
// when the node becomes a peer.
type PeerStats struct {
	Node        flotilla.NodeID `json:"node"`
	Addr        string          `json:"addr"`
	IsConnected bool            `json:"connected"` // from here to there
	IsAttached  bool            `json:"attached"`  // from there to here
	// HeardMs is how long ago a frame came, or -1.
	HeardMs flotilla.Millis `json:"heard_ms_ago"`
	// Incarnation is the newest of the peer that was seen; zero if none was.
	Incarnation uint64 `json:"incarnation"`
	// Problem says why there is no connection. It is empty while there is one.
	Problem string `json:"problem,omitempty"`

	FramesOut   uint64 `json:"frames_out_total"` // that were queued
	MessagesOut uint64 `json:"messages_out_total"`
	BytesOut    uint64 `json:"bytes_out_total"`
	FramesIn    uint64 `json:"frames_in_total"`
	MessagesIn  uint64 `json:"messages_in_total"`
	BytesIn     uint64 `json:"bytes_in_total"`
	QueueBytes  int    `json:"queue_bytes"`
	Connections uint64 `json:"connections_total"` // made from here; more than one means reconnects

	DroppedFull        uint64 `json:"dropped_full_total"`
	DroppedUnreachable uint64 `json:"dropped_unreachable_total"`
	DroppedByFault     uint64 `json:"dropped_by_fault_total"`

	SnapshotsOut     uint64 `json:"snapshots_out_total"`
	SnapshotsIn      uint64 `json:"snapshots_in_total"`
	SnapshotsFailed  uint64 `json:"snapshots_failed_total"` // outgoing
	SnapshotBytesOut uint64 `json:"snapshot_bytes_out_total"`
	SnapshotBytesIn  uint64 `json:"snapshot_bytes_in_total"`
}

// outCounts is guarded by peer.mu.
type outCounts struct {
	frames, messages, bytes, connections uint64
	droppedFull, droppedUnreachable      uint64
}

// inCounts belongs to the goroutine that reads from the peer; others load.
type inCounts struct {
	frames, messages, bytes atomic.Uint64
	heard                   atomic.Int64 // Unix nanoseconds; zero: never
}

type snapshotCounts struct {
	snapshotsOut, snapshotsIn, snapshotsFailed atomic.Uint64
	snapshotBytesOut, snapshotBytesIn          atomic.Uint64
}

// Stats returns the counters of now.
func (t *Transport) Stats() Stats {
	s := Stats{Addr: t.Addr(), Incarnation: t.options.Incarnation, Greetings: t.greetings.Load(), Peers: []PeerStats{}}
	for _, p := range *t.peers.Load() {
		s.Peers = append(s.Peers, p.stats(time.Now()))
	}
	slices.SortFunc(s.Peers, func(a, b PeerStats) int { return cmp.Compare(a.Node, b.Node) })
	return s
}

func (p *peer) stats(now time.Time) PeerStats {
	s := PeerStats{
		Node:             p.id,
		HeardMs:          -1,
		FramesIn:         p.in.frames.Load(),
		MessagesIn:       p.in.messages.Load(),
		BytesIn:          p.in.bytes.Load(),
		DroppedByFault:   p.outgoing.droppedCount() + p.incoming.droppedCount(),
		SnapshotsOut:     p.snapshotsOut.Load(),
		SnapshotsIn:      p.snapshotsIn.Load(),
		SnapshotsFailed:  p.snapshotsFailed.Load(),
		SnapshotBytesOut: p.snapshotBytesOut.Load(),
		SnapshotBytesIn:  p.snapshotBytesIn.Load(),
	}
	if heard := p.in.heard.Load(); heard != 0 {
		s.HeardMs = flotilla.Millis(max(now.Sub(time.Unix(0, heard)), 0) / time.Millisecond)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	s.Addr = p.address
	s.IsConnected = p.link != nil
	s.IsAttached = p.inbound != nil
	s.Incarnation = p.incarnation
	s.Problem = p.problem
	s.FramesOut, s.MessagesOut, s.BytesOut = p.out.frames, p.out.messages, p.out.bytes
	s.QueueBytes = p.queue.bytes
	s.Connections = p.out.connections
	s.DroppedFull, s.DroppedUnreachable = p.out.droppedFull, p.out.droppedUnreachable
	return s
}

package cluster

import (
	"context"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"flotilla"
)

// pulse says that a node is here while its loop applies an entry that takes long. A
// command may have much to do, on every copy; meanwhile the loop sends nothing, and
// without a pulse others would take the node for dead and elect another leader, or a
// leader would think that it is alone.
//
// It repeats what the node last said of itself: hello, a leader's heartbeats, a
// follower's answers. They promise nothing about the disk, and hold however late they
// come, as a message of that term that was delayed would. Only applying has a pulse: a
// node whose disk does not answer is to lose its leaders.
//
// The loop tells of what it does; Server.Receive of what others say; Server.runPulse
// sends. A nil pulse does nothing: in virtual time applying takes none.
type pulse struct {
	applies atomic.Uint64 // odd while a group applies
	said    atomic.Pointer[saying]

	mu    sync.Mutex // guards heard
	heard map[flotilla.NodeID]heardStamp
}

// saying is what a node last said. It is never changed.
type saying struct {
	hello  hello
	frames map[flotilla.NodeID][]byte // of Raft's messages to each peer
}

// heardStamp is the newest hello of another node: what it had on its clock, and when it came.
type heardStamp struct {
	stamp uint64
	at    flotilla.Millis
}

// maxPulseMillis is how long one entry's apply may take until the node falls silent: an
// apply that never ends must not keep its leaders from others.
const maxPulseMillis flotilla.Millis = 10_000

func newPulse() *pulse { return &pulse{heard: map[flotilla.NodeID]heardStamp{}} }

// toggle is called before a group applies and after.
func (p *pulse) toggle() {
	if p != nil {
		p.applies.Add(1)
	}
}

// note takes what the node says now.
func (p *pulse) note(n *Node, h *hello) {
	if p == nil {
		return
	}
	s := &saying{hello: *h, frames: map[flotilla.NodeID][]byte{}}
	for _, hosted := range n.order {
		for _, m := range hosted.group.Pulse() {
			to := hosted.nodeOf(flotilla.ReplicaID(m.GetTo()))
			s.frames[to] = appendRaftItem(s.frames[to], hosted.id, m)
		}
	}
	for to, frame := range s.frames {
		s.frames[to] = appendStamp(frame, n.journal)
	}
	p.said.Store(s)
}

// hear takes another node's hello, which the loop may not see for a while.
func (p *pulse) hear(from flotilla.NodeID, h *hello, at flotilla.Millis) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.heard[from] = heardStamp{stamp: h.stamp, at: at}
}

// send sends what was last said to all that were heard of.
func (p *pulse) send(over Transport, now flotilla.Millis) {
	s := p.said.Load()
	if s == nil {
		return
	}
	p.mu.Lock()
	heard := maps.Clone(p.heard)
	p.mu.Unlock()
	for to, last := range heard {
		h := s.hello
		h.stamp, h.echo, h.held = uint64(now), last.stamp, uint64(now-last.at)
		frame := append([]byte(nil), s.frames[to]...)
		over.Send(to, appendHello(frame, &h))
	}
}

// runPulse sends a pulse each time that a heartbeat is due and the entry that was being
// applied at the last one still is.
func (s *Server) runPulse(ctx context.Context) {
	period := flotilla.Millis(s.cfg.HeartbeatTicks) * s.cfg.TickMillis
	ticker := time.NewTicker(time.Duration(period) * time.Millisecond)
	defer ticker.Stop()
	last, silent := uint64(0), flotilla.Millis(0)
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		at := s.pulse.applies.Load()
		if at%2 == 0 || at != last {
			last, silent = at, 0
			continue
		}
		if silent += period; silent <= maxPulseMillis {
			s.pulse.send(s.cfg.Transport, s.clock.mono())
		}
	}
}

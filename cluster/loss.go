package cluster

import (
	"slices"

	"flotilla"

	"go.etcd.io/raft/v3/raftpb"
)

// A leader whose links lose much gets next to nothing done, and yet leads on: now and then a
// heartbeat comes through, and nobody stands for election. But nodes say hello at fixed
// times, so that whoever hears them can count those that did not come. A node to which
// much is lost on all links, while others hear each other, says so, and is taken for slow
// (isSlow): leaders leave it. A hand-over may be lost as well; if none worked, the leader falls
// silent, so that the others elect one of themselves.
const (
	lossWeight  = 1. / 16 // of one hello in the smoothed share of those that do not come
	lossyShare  = .25
	goodShare   = .1 // below it, a link is good again
	lossyTicks  = 40 // for so long, before it is believed: a pause looks like loss, too, and is over
	maxMissed   = 10 // of one gap
	giveUpTicks = lossyTicks + 2*balanceTicks
)

// countLoss notes how many hellos did not come before this one.
func (n *Node) countLoss(p *peer, h *hello) {
	if p.hello.incarnation == h.incarnation && h.stamp > p.hello.stamp {
		period := uint64(n.cfg.HeartbeatTicks) * uint64(n.cfg.TickMillis)
		periods := (h.stamp - p.hello.stamp + period/2) / period
		for missed := uint64(1); missed < min(periods, maxMissed); missed++ {
			p.loss += (1 - p.loss) * lossWeight
		}
	}
	p.loss -= p.loss * lossWeight
}

// watchLoss looks, at each tick, whether much is lost on all links to this node.
func (n *Node) watchLoss() {
	alive, isBad, others := 0, true, false
	limit := lossyShare
	if n.lossyFrom > 0 {
		limit = goodShare
	}
	for i, p := range n.peerOrder {
		if !n.isAlive(p.id) {
			continue
		}
		alive++
		isBad = isBad && p.loss >= limit
		for _, q := range n.peerOrder[:i] {
			others = others || n.isAlive(q.id) && !p.isDeafTo(q.id) && !q.isDeafTo(p.id)
		}
	}
	switch {
	case alive < 2 || !isBad || !others:
		n.lossyFrom = 0
	case n.lossyFrom == 0:
		n.lossyFrom = n.ticks
	}
}

// isLossy reports whether much is lost on all links to a node, and has been for a while.
func (n *Node) isLossy(id flotilla.NodeID) bool {
	if p := n.peers[id]; p != nil {
		return p.hello.isLossy
	}
	return id == n.cfg.Self && n.lossyFrom > 0 && n.ticks-n.lossyFrom >= lossyTicks
}

// fallsSilent reports whether a message of a leader is not to be sent, since it has tried in
// vain to hand over to those who hear each other, and are a majority without it.
func (n *Node) fallsSilent(h *hosted, m *raftpb.Message) bool {
	if n.lossyFrom == 0 || n.ticks-n.lossyFrom < giveUpTicks || !h.group.IsLeader() {
		return false
	}
	if kind := m.GetType(); kind != raftpb.MsgHeartbeat && kind != raftpb.MsgApp {
		return false
	}
	holders := n.holders(h.id)
	var others []*peer
	for _, id := range holders {
		p := n.peers[id]
		if p == nil {
			continue
		}
		hears := func(q *peer) bool { return !p.isDeafTo(q.id) && !q.isDeafTo(p.id) }
		if n.isAlive(id) && !slices.ContainsFunc(others, func(q *peer) bool { return !hears(q) }) {
			others = append(others, p)
		}
	}
	return 2*len(others) > len(holders)
}

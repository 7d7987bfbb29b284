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
// (isSlow): leaders leave it, and it stands for no election. A hand-over may be lost as well; if
// none worked, the leader falls silent, so that the others elect one of themselves.
const (
	lossWeight  = 1. / 16 // of one hello in the smoothed share of those that do not come
	lossyShare  = .25
	goodShare   = .1 // below it, a link is good again
	lossyTicks  = 40 // for so long, before it is believed: a pause looks like loss, too, and is over
	maxMissed   = 10 // of one gap
	giveUpTicks = lossyTicks + 2*balanceTicks
)

// countLoss notes how many hellos did not come straight before this one did. What comes by way of
// others is not counted, nor a second time: both make a link look better than it is.
func (n *Node) countLoss(p *peer, h *hello) {
	if !isOlder(p.counted.incarnation, p.counted.stamp, h.incarnation, h.stamp) {
		return
	}
	if p.counted.incarnation == h.incarnation {
		period := uint64(n.cfg.HeartbeatTicks) * uint64(n.cfg.TickMillis)
		periods := (h.stamp - p.counted.stamp + period/2) / period
		for missed := uint64(1); missed < min(periods, maxMissed); missed++ {
			p.loss += (1 - p.loss) * lossWeight
		}
	}
	p.loss -= p.loss * lossWeight
	p.counted.incarnation, p.counted.stamp = h.incarnation, h.stamp
}

// loses reports whether of what a node sends straight, at least a share does not come.
func (n *Node) loses(p *peer, share float64) bool { return p.loss >= share || n.isUnheard(p) }

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
		isBad = isBad && n.loses(p, limit)
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

// fallsSilent reports whether a message is not to be sent: one of a leader that has tried in vain to
// hand over, or the first of a candidate, if others hear each other, and are a majority without it.
func (n *Node) fallsSilent(h *hosted, m *raftpb.Message) bool {
	if n.lossyFrom == 0 {
		return false
	}
	patience := uint64(giveUpTicks)
	switch m.GetType() {
	case raftpb.MsgHeartbeat, raftpb.MsgApp:
	case raftpb.MsgPreVote:
		patience = lossyTicks
	default:
		return false
	}
	if n.ticks-n.lossyFrom < patience {
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

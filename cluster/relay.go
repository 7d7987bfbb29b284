package cluster

import (
	"slices"

	"flotilla"
)

// A link may be cut in one direction, or between two nodes only, while others still
// hear both. Nobody should notice: what one node has for another that does not hear
// it goes by way of those who can pass it on.
//
// Who hears whom everyone knows from hellos: each says from whom nothing has come
// straight to its sender of late. To a node that does not hear a third one, those who
// do pass on what that one said. So each node finds by itself the shortest chain
// of nodes that hear each other, and hands the first of them whole frames. Each on the
// chain finds the rest of it anew; a frame that was passed on too often is dropped.
//
// Frames are as they were: whoever gets one takes it as from the node that made it.
// Raft and routes see a link that is slower, and has perhaps changed the order.
const (
	// maxRelays is how many nodes may pass a frame on.
	maxRelays = 3
	// lateHellos is how many hellos in a row do not come before a node calls another one
	// unheard, or does not count on it to pass anything on.
	lateHellos = 3
	// steadyTicks is how long a node must have been heard without such a gap until it
	// counts as heard again in the same life: on a link that comes and goes all goes the other way.
	steadyTicks = 20
	// maxHearings and maxUnheard bound what a hello passes on of what others said: of so
	// many nodes, and only of those that do not hear at most so many.
	maxHearings = 64
	maxUnheard  = 64
)

// hearing is a node's word on whom it does not hear.
type hearing struct {
	node               flotilla.NodeID
	incarnation, stamp uint64            // the node's: of two words the one with more is newer
	unheard            []flotilla.NodeID // nodes from whom nothing comes straight, in order
}

// isOlder reports whether a word was said before another one.
func isOlder(incarnation, stamp, otherIncarnation, otherStamp uint64) bool {
	return incarnation < otherIncarnation || incarnation == otherIncarnation && stamp < otherStamp
}

// isDeafTo reports whether a node has said that it does not hear another one.
func (p *peer) isDeafTo(id flotilla.NodeID) bool { return slices.Contains(p.hears.unheard, id) }

// heardStraight notes that something came from a node, and not by way of others. Of a new life
// of the node nothing could come before: that was not a link that comes and goes.
func (n *Node) heardStraight(p *peer, said *hello) {
	life := p.hello.incarnation
	if said != nil {
		life = max(life, said.incarnation)
		n.countLoss(p, said)
	}
	switch {
	case life != p.straightLife:
		p.straightLife, p.steadyFrom = life, 0
	case n.isLate(p.straightTick):
		p.steadyFrom = n.ticks
	}
	p.straightTick = n.ticks
}

func (n *Node) isLate(tick uint64) bool {
	return n.ticks-tick > uint64(lateHellos*n.cfg.HeartbeatTicks)
}

// isUnheard reports whether nothing comes straight from a node, or not for long yet.
func (n *Node) isUnheard(p *peer) bool {
	return n.isLate(p.straightTick) || p.steadyFrom > 0 && n.ticks-p.steadyFrom < steadyTicks
}

func (n *Node) unheard() (nodes []flotilla.NodeID) {
	for _, p := range n.peerOrder {
		if n.isUnheard(p) {
			nodes = append(nodes, p.id)
		}
	}
	return nodes
}

// noteHearing takes a node's word on whom it hears, from itself or from others.
func (n *Node) noteHearing(h *hearing) {
	p := n.peers[h.node]
	if p == nil || p.hearsTick > 0 && !isOlder(p.hears.incarnation, p.hears.stamp, h.incarnation, h.stamp) {
		return
	}
	if n.isLate(p.hearsTick) || !slices.Equal(p.hears.unheard, h.unheard) {
		n.isRelayOld = true
	}
	p.hears, p.hearsTick = *h, max(n.ticks, 1)
}

// knowsHearing reports whether a node's word is new enough to go by. After that time
// the node is taken for dead.
func (n *Node) knowsHearing(p *peer) bool {
	return p.hearsTick > 0 && n.ticks-p.hearsTick <= uint64(n.cfg.ElectionTicks)
}

// hearingsFor returns what is to be passed on to a node: the word of those that it
// does not hear. Of a node whose own word did not come, that may be all.
func (n *Node) hearingsFor(p *peer) (all []hearing) {
	isKnown := n.knowsHearing(p)
	if isKnown && len(p.hears.unheard) == 0 {
		return nil
	}
	for _, other := range n.peerOrder {
		if other == p || isKnown && !p.isDeafTo(other.id) {
			continue
		}
		if n.knowsHearing(other) && len(other.hears.unheard) <= maxUnheard && len(all) < maxHearings {
			all = append(all, other.hears)
		}
	}
	return all
}

// findRelays finds out how to reach the nodes that do not hear this one. It goes from
// those that do to those who hear these, and so on. Whoever is not found, or is not
// known to need it, is sent everything straight.
func (n *Node) findRelays() {
	n.isRelayOld = false
	wasRelaying := n.isRelaying
	n.isRelaying = false
	for _, p := range n.peerOrder {
		p.isDeaf = n.knowsHearing(p) && p.isDeafTo(n.cfg.Self)
		n.isRelaying = n.isRelaying || p.isDeaf
	}
	if !n.isRelaying && !wasRelaying {
		return
	}
	found := map[*peer]*peer{} // the first on the way there, or the node itself
	var last []*peer
	for _, p := range n.peerOrder {
		if !p.isDeaf && p.hearsTick > 0 && !n.isLate(p.hearsTick) {
			found[p] = p
			last = append(last, p)
		}
	}
	for range maxRelays {
		var next []*peer
		for _, p := range n.peerOrder {
			hears := slices.IndexFunc(last, func(q *peer) bool { return !p.isDeafTo(q.id) })
			if p.isDeaf && found[p] == nil && hears >= 0 {
				found[p] = found[last[hears]]
				next = append(next, p)
			}
		}
		last = next
	}
	for _, p := range n.peerOrder {
		if relay := found[p]; relay != p {
			n.setRelay(p, relay)
		} else {
			n.setRelay(p, nil)
		}
	}
}

// setRelay notes who passes on what is for a node; nil: nobody. What was sent to it
// and not answered is taken for lost.
func (n *Node) setRelay(p, relay *peer) {
	if p.relay == relay {
		return
	}
	p.relay = relay
	n.isChanged = true
	note := Note{Kind: NoteRelay, Peer: p.id}
	if relay != nil {
		note.Value = int64(relay.id)
	}
	n.journal.write(note)
	if relay == nil {
		return
	}
	for _, r := range n.routeOrder {
		if r.leader == p.id {
			for _, sent := range r.sent {
				n.send(r, sent)
			}
		}
	}
}

// wrap puts the frames for nodes that do not hear this one into those for whom can
// pass them on.
func (n *Node) wrap() {
	for _, p := range n.peerOrder {
		if p.relay == nil || len(p.frame) == 0 {
			continue
		}
		item := relayItem{to: p.id, toLife: p.hears.incarnation, from: n.cfg.Self, fromLife: n.cfg.Incarnation, left: maxRelays, frame: p.frame}
		p.relay.frame = appendRelayItem(p.relay.frame, &item)
		p.emptyFrame()
	}
}

// passOn takes a frame that goes by way of others: it is for this node, or it goes on.
// A frame for, or of, an earlier life of a node is dropped, as it is where links are
// straight: that node may have lost its disk since, and with it what it promised.
func (n *Node) passOn(sender flotilla.NodeID, r *relayItem) {
	from, to := n.peers[r.from], n.peers[r.to]
	if r.to == n.cfg.Self {
		if from == nil || r.toLife != n.cfg.Incarnation || r.fromLife < from.hears.incarnation {
			return
		}
		f, _ := decodeFrame(r.from, r.frame) // what comes before damage is good
		f.relays, f.isRelayed = nil, true    // nobody wraps a frame twice
		n.receive(f)
		return
	}
	if to == nil || r.left == 0 || r.from == n.cfg.Self {
		return
	}
	if to.relay != nil {
		to = to.relay
	}
	if to.id == sender || to.id == r.from {
		return // who is there knows no better way
	}
	r.left--
	to.frame = appendRelayItem(to.frame, r)
	n.counters.relayed++
}

package cluster

import (
	"maps"
	"slices"
	"sync/atomic"

	"flotilla"
)

// freshness says when a state was surely current: at a time on the node's clock,
// once it has reached an index. Any goroutine may ask. The index is written first
// and read last, so that a time is never paired with an index of before it.
type freshness struct {
	at    atomic.Int64
	index atomic.Uint64
}

// publish says that a state which has reached an index was current at a time.
func (f *freshness) publish(index uint64, at flotilla.Millis) {
	f.index.Store(index)
	f.at.Store(int64(at))
}

// isWithin reports whether a state that has reached an index was current at most
// maxAge ago.
func (f *freshness) isWithin(maxAge, now flotilla.Millis, applied uint64) bool {
	at := flotilla.Millis(f.at.Load())
	index := f.index.Load()
	return index > 0 && applied >= index && now-at <= maxAge
}

// submitRead takes a read that could not be answered from the state at once.
func (n *Node) submitRead(c *Pending) {
	c.isConfirmed, c.isAnswered, c.round, c.index = false, false, 0, 0
	h := n.hosted[c.call.Group]
	if h == nil || h.state.Mark().Index == 0 {
		n.forwardRead(c)
		return
	}
	if c.call.Level == flotilla.Session {
		c.isConfirmed, c.index = true, c.call.After
	} else {
		if n.isCutOff(h.id) {
			n.fail(c, readRefusal(c.call))
			return
		}
		c.round = h.group.JoinRead()
	}
	h.reads = append(h.reads, c)
	n.markDirty(h)
}

// readRefusal says why a read that needs a majority is refused.
func readRefusal(call *flotilla.Call) error {
	if call.Level == flotilla.Bounded {
		return flotilla.Refused(flotilla.TooStale, "")
	}
	return flotilla.Refused(flotilla.NoQuorum, "")
}

// awayRead is a read of this node's that another node is asked for.
type awayRead struct {
	id       uint64
	call     *Pending
	asked    flotilla.NodeID // the last that was
	sentTick uint64
	open     uint64 // how many were asked and have not answered
}

// forwardRead asks a node that holds a copy.
func (n *Node) forwardRead(c *Pending) {
	n.nonce++
	r := &awayRead{id: n.nonce, call: c}
	if !n.sendRead(r) {
		n.fail(c, flotilla.Refused(flotilla.NoQuorum, "no node with a copy can be reached"))
		return
	}
	n.remoteReads[r.id] = r
}

// sendRead asks for a read, and reports whether there is anyone to ask. Who was asked
// before, in vain so far, is asked again only if there is nobody else.
func (n *Node) sendRead(r *awayRead) bool {
	c := r.call
	p := n.readTarget(c.call.Group, r.asked)
	if p == nil {
		return false
	}
	r.asked, r.sentTick, r.open = p.id, n.ticks, r.open+1
	p.frame = appendReadItem(p.frame, &readItem{id: r.id, group: c.call.Group, level: c.call.Level,
		after: c.call.After, maxAge: c.call.MaxAge, commands: c.call.Commands})
	return true
}

// readTarget returns who is asked for a read: the leader's node, or else any with a
// copy, that hears this node and is heard, and not the one that was asked before; or
// else that one; or else one that is heard at least; or nil.
func (n *Node) readTarget(g flotilla.GroupID, before flotilla.NodeID) *peer {
	leader := n.routes[g].leader
	if p := n.peers[leader]; p != nil && leader != before && n.isInReach(leader) {
		return p
	}
	choice := append([]flotilla.NodeID{leader}, n.holders(g)...)
	isOther := func(id flotilla.NodeID) bool { return id != before && n.isInReach(id) }
	for _, isGood := range []func(flotilla.NodeID) bool{isOther, n.isInReach, n.isAlive} {
		for _, id := range choice {
			if p := n.peers[id]; p != nil && isGood(id) {
				return p
			}
		}
	}
	return nil
}

// answered takes another node's answer to a read.
func (n *Node) answered(a *answerItem) {
	r := n.remoteReads[a.id]
	if r == nil {
		return
	}
	c := r.call
	if r.open--; a.reason != "" && r.open > 0 {
		return // another one may answer
	}
	delete(n.remoteReads, a.id)
	if a.reason == "" && len(a.replies) != len(c.call.Commands) {
		a.reason = string(flotilla.Broken)
	}
	if a.reason != "" {
		n.fail(c, flotilla.Refused(flotilla.Reason(a.reason), ""))
		return
	}
	c.isAnswered = true
	c.call.Replies, c.call.Index, c.call.Err = a.replies, a.index, nil
	n.finish(c)
}

// isConfirming reports whether a read round of a hosted group is on its way.
func (n *Node) isConfirming(g flotilla.GroupID) bool {
	h := n.hosted[g]
	if h == nil {
		return false
	}
	confirmed, _ := h.group.Confirmed()
	return h.group.StartedRound() > confirmed
}

// releaseReads lets those reads look that were confirmed and whose index is applied.
func (n *Node) releaseReads(h *hosted) {
	round, index := h.group.Confirmed()
	if start, ok := h.roundStart[round]; ok {
		h.fresh.publish(index, start)
		for r := range h.roundStart {
			if r <= round {
				delete(h.roundStart, r)
			}
		}
		n.counters.readRounds++
	}
	if len(h.reads) == 0 {
		return
	}
	applied := h.state.Mark().Index
	kept := h.reads[:0]
	for _, c := range h.reads {
		if !c.isConfirmed && c.round <= round {
			c.isConfirmed, c.index = true, index
		}
		if !c.isConfirmed || c.index > applied {
			kept = append(kept, c)
			continue
		}
		n.counters.reads++
		c.call.Err = nil
		n.finish(c)
	}
	clear(h.reads[len(kept):])
	h.reads = kept
}

// checkReads refuses reads that wait in vain.
func (n *Node) checkReads(h *hosted) {
	cutOff := n.isCutOff(h.id)
	kept := h.reads[:0]
	for _, c := range h.reads {
		if cutOff && c.call.Level != flotilla.Session || n.mono >= c.deadline {
			n.fail(c, readRefusal(c.call))
			continue
		}
		kept = append(kept, c)
	}
	clear(h.reads[len(kept):])
	h.reads = kept
}

// checkRemoteReads refuses forwarded reads that were not answered in time, and asks
// again where question or answer may be lost: soon if a link is not as it should be, and
// else less often each time, since who is slow has enough to do.
func (n *Node) checkRemoteReads() {
	for _, id := range slices.Sorted(maps.Keys(n.remoteReads)) {
		r := n.remoteReads[id]
		if n.mono >= r.call.deadline {
			delete(n.remoteReads, id)
			n.fail(r.call, flotilla.Refused(flotilla.Timeout, ""))
			continue
		}
		wait := resendTicks * r.open
		if p := n.peers[r.asked]; p.isDeaf || n.loses(p, lossyShare) || !n.isInReach(p.id) {
			wait = n.resendAfter(p.id, r.call.bytes)
		}
		if n.ticks-r.sentTick >= wait {
			n.sendRead(r)
		}
	}
}

// cancelRead forgets a read whose caller has gone.
func (n *Node) cancelRead(c *Pending) {
	for id, r := range n.remoteReads {
		if r.call == c {
			delete(n.remoteReads, id)
			n.fail(c, flotilla.Refused(flotilla.Timeout, ""))
			return
		}
	}
	h := n.hosted[c.call.Group]
	if h == nil {
		return
	}
	for i, other := range h.reads {
		if other == c {
			h.reads = append(h.reads[:i], h.reads[i+1:]...)
			n.fail(c, flotilla.Refused(flotilla.Timeout, ""))
			return
		}
	}
}

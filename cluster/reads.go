package cluster

import (
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

// forwardRead asks a node that holds a copy: the leader's, or else any.
func (n *Node) forwardRead(c *Pending) {
	target := n.routes[c.call.Group].leader
	if target == 0 || target == n.cfg.Self || !n.isAlive(target) {
		target = 0
		for _, id := range n.holders(c.call.Group) {
			if id != n.cfg.Self && n.isAlive(id) {
				target = id
				break
			}
		}
	}
	p := n.peers[target]
	if p == nil {
		n.fail(c, flotilla.Refused(flotilla.NoQuorum, "no node with a copy can be reached"))
		return
	}
	n.nonce++
	n.remoteReads[n.nonce] = c
	p.frame = appendReadItem(p.frame, &readItem{id: n.nonce, group: c.call.Group, level: c.call.Level,
		after: c.call.After, maxAge: c.call.MaxAge, commands: c.call.Commands})
}

// answered takes another node's answer to a read.
func (n *Node) answered(a *answerItem) {
	c := n.remoteReads[a.id]
	if c == nil {
		return
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

// checkRemoteReads refuses forwarded reads that were not answered in time.
func (n *Node) checkRemoteReads() {
	for id, c := range n.remoteReads {
		if n.mono >= c.deadline {
			delete(n.remoteReads, id)
			n.fail(c, flotilla.Refused(flotilla.Timeout, ""))
		}
	}
}

// cancelRead forgets a read whose caller has gone.
func (n *Node) cancelRead(c *Pending) {
	for id, other := range n.remoteReads {
		if other == c {
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

package cluster

import (
	"math"

	"flotilla"
)

// Once an entry is applied its clients are answered, and most come back at once with
// what they want next. A leader that began its next entry right then would take only those
// that had been waiting meanwhile: there would be two crowds that take turns, each with entries,
// fsyncs and frames of its own. So it waits until most of both are there, for a millisecond at
// most. Where fewer commands come, nobody waits (docs/decisions/0015).
const (
	// gatherFrom is how many commands the last entry had, with those that wait, if more are waited for.
	gatherFrom = 16
	// gatherPercent is how many of these are enough for the next entry.
	gatherPercent = 60
	// gatherMillis is for how long the leader waits, by its clock.
	gatherMillis flotilla.Millis = 1
)

// gathering is a leader's wait for more commands.
type gathering struct {
	wanted int             // so many end it; 0: nothing is waited for
	until  flotilla.Millis // on the monotonic clock
}

// gather has a group that has just applied its only entry on the way wait for more, if that
// entry and what waits now show that many are coming.
func (n *Node) gather(h *hosted, carried int) {
	all := carried + n.waitingFor(h)
	if all < n.cfg.GatherFrom {
		return
	}
	h.gathering = gathering{wanted: all * gatherPercent / 100, until: n.mono + gatherMillis}
}

// waitingFor is how many commands wait that can go with a group's next entry.
func (n *Node) waitingFor(h *hosted) int {
	count := h.group.Waiting()
	if h.route.leader == n.cfg.Self && len(h.route.sent) < n.maxSent(h.route) {
		for _, c := range h.route.queue {
			count += len(c.call.Commands)
		}
	}
	return count
}

// endGatherings goes on with the groups for which enough is there, or that have waited long enough.
func (n *Node) endGatherings() {
	for _, h := range n.order {
		g := &h.gathering
		if g.wanted > 0 && (n.mono >= g.until || n.waitingFor(h) >= g.wanted) {
			*g = gathering{}
			n.markDirty(h)
			n.markRoute(h.route)
		}
	}
}

// isGathering reports whether a group that this node leads waits for more: endGatherings goes on with it.
func (n *Node) isGathering(r *route) bool {
	h := n.hosted[r.group]
	return h != nil && r.leader == n.cfg.Self && h.gathering.wanted > 0
}

// enough returns how many commands for a group must have come to a node before its loop should
// look at them: until then it waits for something that wakes it.
func (n *Node) enough(r *route) int {
	if len(r.sent) >= n.maxSent(r) {
		return math.MaxInt // the outcome of what is on its way
	}
	if h := n.hosted[r.group]; n.isGathering(r) {
		return h.gathering.wanted - n.waitingFor(h)
	}
	return 1
}

package console

import (
	"maps"
	"slices"

	"flotilla"
	"flotilla/cluster"
	"flotilla/supervisor"
)

// electionMillis is after how long without an answer nodes take each other for dead: a link where a message
// and the answer to it take as long together counts as a cut, and a node whose disk takes as long, while it says
// nothing, as one that is not there.
const electionMillis = cluster.DefaultTickMillis * cluster.DefaultElectionTicks

// links says who runs, who of these answers, what is cut, and what is slow.
type links struct {
	runs    map[flotilla.NodeID]bool
	answers map[flotilla.NodeID]bool
	cut     map[way]bool
	late    map[way]flotilla.Millis
	disk    map[flotilla.NodeID]flotilla.Millis
}

// way is the direction from one node to another.
type way struct{ from, to flotilla.NodeID }

func linksOf(p Picture) links {
	l := links{runs: map[flotilla.NodeID]bool{}, answers: map[flotilla.NodeID]bool{}, cut: map[way]bool{}, late: map[way]flotilla.Millis{}, disk: map[flotilla.NodeID]flotilla.Millis{}}
	for _, n := range p.Nodes {
		l.runs[n.Node] = n.State != "down" && n.State != "paused" && n.State != "silent"
		l.answers[n.Node] = n.State == "up" || n.State == "unready" || n.State == "draining"
		l.disk[n.Node] = n.DiskDelay
		for to, f := range n.Faults {
			l.cut[way{n.Node, to}], l.late[way{n.Node, to}] = f.Cut || f.Drop >= 1, f.DelayMillis
		}
	}
	return l
}

// apply does to the links what a fault would.
func (l links) apply(a FaultAsk, p Picture) {
	switch a.Verb {
	case supervisor.Kill, supervisor.Restart, supervisor.Pause, supervisor.Wipe: // one that is down runs no less than before
		l.runs[a.Node] = false
	case supervisor.Isolate:
		for _, n := range p.Nodes {
			l.cut[way{a.Node, n.Node}], l.cut[way{n.Node, a.Node}] = true, true
		}
	case supervisor.Cut:
		l.cut[way{a.Node, a.To}] = true
		l.cut[way{a.To, a.Node}] = l.cut[way{a.To, a.Node}] || !a.IsOneWay
	case supervisor.Slow: // in the place of how slow it was: the other end of a link may be slow, too
		more := a.Delay - l.lateness(a.Node, p)
		for _, n := range p.Nodes {
			l.late[way{a.Node, n.Node}] += more
			l.late[way{n.Node, a.Node}] += more
		}
	case supervisor.SlowDisk:
		l.disk[a.Node] = a.Delay
	}
}

// lateness is how late everything is that a node sends or is sent.
func (l links) lateness(node flotilla.NodeID, p Picture) flotilla.Millis {
	least := flotilla.Millis(-1)
	for _, n := range p.Nodes {
		if n.Node == node {
			continue
		}
		if both := min(l.late[way{node, n.Node}], l.late[way{n.Node, node}]); least < 0 || both < least {
			least = both
		}
	}
	return max(0, least)
}

// needed returns the nodes whose slowness each write waits for: without them a group would have no
// majority that it has with them.
func (l links) needed(p Picture) (nodes []flotilla.NodeID) {
	for _, n := range p.Nodes {
		if !l.runs[n.Node] || l.disk[n.Node] == 0 && l.lateness(n.Node, p) == 0 {
			continue
		}
		without := l
		without.runs = maps.Clone(l.runs)
		without.runs[n.Node] = false
		if slices.ContainsFunc(p.Groups, func(g GroupPicture) bool { return l.hasMajority(g) && !without.hasMajority(g) }) {
			nodes = append(nodes, n.Node)
		}
	}
	return nodes
}

// isTooLate reports whether two nodes have answers of each other too late. What a cut keeps from going
// straight goes by way of others.
func (l links) isTooLate(a, b flotilla.NodeID) bool {
	both := flotilla.Millis(0)
	for _, w := range []way{{a, b}, {b, a}} {
		if !l.cut[w] {
			both += l.late[w]
		}
	}
	return both >= electionMillis
}

// isVoter reports whether a copy counts for a majority: one that still learns does not.
func isVoter(c CopyPicture) bool { return c.Role != "learner" }

// isLost reports whether a copy is gone, as with a disk that was wiped: its node answers, and does not
// tell of it. It counts as one that does not vote, until the group makes another.
func (l links) isLost(c CopyPicture) bool { return c.Role == "unknown" && l.answers[c.Node] }

// endsWithout reports whether a group never has a majority again once a copy of it is wiped: of those that are down,
// too, too few have their data then.
func (l links) endsWithout(g GroupPicture, node flotilla.NodeID) bool {
	voters, left, isOne := 0, 0, false
	for _, c := range g.Copies {
		if !isVoter(c) {
			continue
		}
		voters++
		switch {
		case l.isLost(c):
		case c.Node == node:
			isOne = true
		default:
			left++
		}
	}
	return isOne && 2*left <= voters
}

// hasMajority reports whether more than half of a group's voters can reach each other in time,
// straight or by way of others.
func (l links) hasMajority(g GroupPicture) bool {
	voters, present := 0, []flotilla.NodeID{}
	for _, c := range g.Copies {
		if !isVoter(c) {
			continue
		}
		voters++
		if l.runs[c.Node] && !l.isLost(c) && l.disk[c.Node] < electionMillis {
			present = append(present, c.Node)
		}
	}
	for _, node := range present {
		together := 0
		for _, other := range present {
			if l.reaches(node, other) && l.reaches(other, node) && !l.isTooLate(node, other) {
				together++
			}
		}
		if 2*together > voters {
			return true
		}
	}
	return false
}

// reaches reports whether what one node sends can get to another.
func (l links) reaches(from, to flotilla.NodeID) bool {
	if !l.runs[from] || !l.runs[to] {
		return false
	}
	found, next := map[flotilla.NodeID]bool{from: true}, []flotilla.NodeID{from}
	for len(next) > 0 && !found[to] {
		at := next[0]
		next = next[1:]
		for other, runs := range l.runs {
			if runs && !found[other] && !l.cut[way{at, other}] && !l.isTooLate(at, other) {
				found[other] = true
				next = append(next, other)
			}
		}
	}
	return found[to]
}

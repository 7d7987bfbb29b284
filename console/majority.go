package console

import (
	"flotilla"
	"flotilla/supervisor"
)

// links says who runs, who of these answers, and what is cut.
type links struct {
	runs    map[flotilla.NodeID]bool
	answers map[flotilla.NodeID]bool
	cut     map[[2]flotilla.NodeID]bool
}

func linksOf(p Picture) links {
	l := links{runs: map[flotilla.NodeID]bool{}, answers: map[flotilla.NodeID]bool{}, cut: map[[2]flotilla.NodeID]bool{}}
	for _, n := range p.Nodes {
		l.runs[n.Node] = n.State != "down" && n.State != "paused" && n.State != "silent"
		l.answers[n.Node] = n.State == "up" || n.State == "unready" || n.State == "draining"
		for to, f := range n.Faults {
			l.cut[[2]flotilla.NodeID{n.Node, to}] = f.Cut
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
			l.cut[[2]flotilla.NodeID{a.Node, n.Node}], l.cut[[2]flotilla.NodeID{n.Node, a.Node}] = true, true
		}
	case supervisor.Cut:
		l.cut[[2]flotilla.NodeID{a.Node, a.To}] = true
		l.cut[[2]flotilla.NodeID{a.To, a.Node}] = l.cut[[2]flotilla.NodeID{a.To, a.Node}] || !a.IsOneWay
	}
}

// isVoter reports whether a copy counts for a majority: one that still learns does not.
func isVoter(c CopyPicture) bool { return c.Role != "learner" }

// isLost reports whether a copy is gone, as with a disk that was wiped: its node answers, and does not
// tell of it. It counts as one that does not vote, until the group makes another.
func (l links) isLost(c CopyPicture) bool { return c.Role == "unknown" && l.answers[c.Node] }

// hasMajority reports whether more than half of a group's voters can reach each other,
// straight or by way of others.
func (l links) hasMajority(g GroupPicture) bool {
	voters, present := 0, []flotilla.NodeID{}
	for _, c := range g.Copies {
		if !isVoter(c) {
			continue
		}
		voters++
		if l.runs[c.Node] && !l.isLost(c) {
			present = append(present, c.Node)
		}
	}
	for _, node := range present {
		together := 0
		for _, other := range present {
			if l.reaches(node, other) && l.reaches(other, node) {
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
			if runs && !found[other] && !l.cut[[2]flotilla.NodeID{at, other}] {
				found[other] = true
				next = append(next, other)
			}
		}
	}
	return found[to]
}

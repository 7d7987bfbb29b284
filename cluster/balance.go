package cluster

import (
	"slices"

	"flotilla"
)

// Who should lead which group? planTransfers answers, as a pure function of what
// a node sees. Every node plans for the whole cluster, and then acts only on
// groups that it leads itself; since all plan alike, no two act against each other.
//
// The rules, in order:
//
//  1. A leader on a draining or slow node hands over to a replica that is neither.
//  2. Leaders of groups that own slots are spread over the live nodes so that no
//     node could give one to another (perhaps by way of third nodes) that leads two
//     fewer. The directory changes so rarely that its leader does not count. This is the optimal semi-matching of
//     Harvey, Ladner, Lovász & Tamir (2003): found by following the shortest
//     chains of moves from a busier node to a less busy one.
//
// Against flapping (hysteresis):
//
//   - A difference of one is left alone: moving it would only turn it around.
//   - A leader that took office less than settleMillis ago is not moved by rule 2,
//     so a transfer that raced with another is not answered by a third at once.
//   - A slow node that is slow no longer gets leaders back only by rule 2, and
//     only if it has been well for settleMillis (Node.wasSlow sees to that).
//   - Nobody hands over to a node that is dead, draining or slow, or to a replica
//     that is behind (GroupView.Candidates). If all replicas of a group are so, its
//     leader stays.
const settleMillis flotilla.Millis = 5000

// BalanceView is what planTransfers needs to know.
type BalanceView struct {
	Self   flotilla.NodeID
	Nodes  []NodeView  // in order of ID
	Groups []GroupView // in order of ID
}

// NodeView is one node as the planner sees it.
type NodeView struct {
	ID         flotilla.NodeID
	IsAlive    bool
	IsDraining bool
	IsSlow     bool
}

// GroupView is one group as the planner sees it.
type GroupView struct {
	ID     flotilla.GroupID
	Leader flotilla.NodeID // 0: none known; such a group is left alone
	// LedFor is how long the leader has been in office, as far as is known.
	LedFor flotilla.Millis
	// Candidates are the nodes that hold a voting copy which is not known to be
	// far behind, the leader among them.
	Candidates []flotilla.NodeID
	// IsCounted is true for groups that own slots: only their leaders have work to do
	// and are worth spreading.
	IsCounted bool
}

// Transfer says that the leader of a group should hand over.
type Transfer struct {
	Group    flotilla.GroupID
	From, To flotilla.NodeID
}

// planTransfers returns the transfers that this node should start now.
func planTransfers(view BalanceView) []Transfer {
	p := &balancePlan{view: view, leaders: make([]flotilla.NodeID, len(view.Groups)), load: map[flotilla.NodeID]int{}}
	for i, g := range view.Groups {
		p.leaders[i] = g.Leader
		if g.IsCounted && g.Leader != 0 {
			p.load[g.Leader]++
		}
	}
	for i := range view.Groups {
		p.evacuate(i)
	}
	for p.moveAlongChain() {
	}
	var mine []Transfer
	for i, g := range view.Groups {
		if g.Leader == view.Self && p.leaders[i] != g.Leader {
			mine = append(mine, Transfer{Group: g.ID, From: g.Leader, To: p.leaders[i]})
		}
	}
	return mine
}

// balancePlan is the work in progress of planTransfers.
type balancePlan struct {
	view    BalanceView
	leaders []flotilla.NodeID       // by position in view.Groups, as planned so far
	load    map[flotilla.NodeID]int // counted groups that a node leads, as planned so far
}

// mayLead reports whether a node is fit to become a leader.
func (p *balancePlan) mayLead(id flotilla.NodeID) bool {
	for _, n := range p.view.Nodes {
		if n.ID == id {
			return n.IsAlive && !n.IsDraining && !n.IsSlow
		}
	}
	return false
}

// isUnfit reports whether a leader should leave this node: it is alive, so that
// it can hand over, but draining or slow.
func (p *balancePlan) isUnfit(id flotilla.NodeID) bool {
	for _, n := range p.view.Nodes {
		if n.ID == id {
			return n.IsAlive && (n.IsDraining || n.IsSlow)
		}
	}
	return false
}

// evacuate applies rule 1 to one group: the fit candidate with the least to do
// takes over, of equals the one with the smallest number.
func (p *balancePlan) evacuate(i int) {
	if p.leaders[i] == 0 || !p.isUnfit(p.leaders[i]) {
		return
	}
	var best flotilla.NodeID
	for _, n := range slices.Sorted(slices.Values(p.view.Groups[i].Candidates)) {
		if p.mayLead(n) && (best == 0 || p.load[n] < p.load[best]) {
			best = n
		}
	}
	if best != 0 {
		p.assign(i, best)
	}
}

func (p *balancePlan) assign(i int, to flotilla.NodeID) {
	if p.view.Groups[i].IsCounted {
		p.load[p.leaders[i]]--
		p.load[to]++
	}
	p.leaders[i] = to
}

// moveAlongChain applies rule 2 once: it looks for the shortest chain of moves
// that takes a leader off a node and ends at one with at least two fewer, starting at
// the busiest nodes, and reports whether there was one.
func (p *balancePlan) moveAlongChain() bool {
	var nodes []flotilla.NodeID
	for _, n := range p.view.Nodes {
		if p.mayLead(n.ID) {
			nodes = append(nodes, n.ID)
		}
	}
	slices.SortStableFunc(nodes, func(a, b flotilla.NodeID) int { return p.load[b] - p.load[a] })
	for _, from := range nodes {
		if p.chainFrom(from) {
			return true
		}
	}
	return false
}

// chainFrom searches breadth first. An edge u -> v is a counted group that u leads,
// that v could lead, and whose leader has settled.
func (p *balancePlan) chainFrom(from flotilla.NodeID) bool {
	type step struct {
		group  int
		before flotilla.NodeID
	}
	came := map[flotilla.NodeID]step{from: {group: -1}}
	queue := []flotilla.NodeID{from}
	for len(queue) > 0 {
		at := queue[0]
		queue = queue[1:]
		if p.load[at] <= p.load[from]-2 {
			for at != from {
				s := came[at]
				p.assign(s.group, at)
				at = s.before
			}
			return true
		}
		for i, g := range p.view.Groups {
			// A group that is already on its way in this plan may be sent elsewhere instead:
			// that costs nothing, since nothing has been done yet.
			isSettled := g.LedFor >= settleMillis || p.leaders[i] != g.Leader
			if !g.IsCounted || p.leaders[i] != at || !isSettled {
				continue
			}
			for _, next := range slices.Sorted(slices.Values(g.Candidates)) {
				if _, seen := came[next]; !seen && p.mayLead(next) {
					came[next] = step{group: i, before: at}
					queue = append(queue, next)
				}
			}
		}
	}
	return false
}

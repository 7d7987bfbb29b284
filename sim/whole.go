package sim

import (
	"fmt"
	"slices"
	"strings"

	"flotilla"
	"flotilla/cluster"
	"flotilla/consensus"
)

// What the cluster looks like from outside: whether all copies are where they belong,
// and equal, and who leads.

// isWhole reports whether every node is up, and has a voting copy of each group that the
// directory gives it, and of no other.
func (w *world) isWhole() bool {
	copies := make([]int, w.plan.Groups+1)
	for _, n := range w.nodes {
		if n.core == nil || n.isDying || n.isPaused {
			return false
		}
		st := n.core.Status()
		if st.Quarantined || len(st.Groups) != len(copies) {
			return false
		}
		for _, g := range st.Groups {
			if g.IsHere != slices.Contains(g.Nodes, n.id) || g.IsHere && !isWholeCopy(g) {
				return false
			}
			if g.IsHere {
				copies[g.Group]++
			}
		}
	}
	return !slices.ContainsFunc(copies, func(n int) bool { return n != w.plan.Copies })
}

func isWholeCopy(g cluster.GroupStatus) bool { return g.Role != "learner" && g.Applied > 0 }

// holders returns the nodes that have a copy of a group on their disk and are up.
func (w *world) holders(g flotilla.GroupID) (holders []*node) {
	for _, n := range w.nodes {
		if n.core != nil && slices.ContainsFunc(n.disk.Disk.Groups(), func(r consensus.Replica) bool { return r.Group == g }) {
			holders = append(holders, n)
		}
	}
	return holders
}

// areEqual reports whether all copies of each group are at the same index, with the same bytes.
func (w *world) areEqual() bool {
	for g := range flotilla.GroupID(w.plan.Groups + 1) {
		holders := w.holders(g)
		for _, n := range holders {
			if n.disk.Disk.State(g).Mark() != holders[0].disk.Disk.State(g).Mark() {
				return false
			}
		}
	}
	for g := range flotilla.GroupID(w.plan.Groups + 1) {
		var first standing
		for _, n := range w.holders(g) {
			state := n.disk.Disk.State(g)
			now := standing{hash: consensus.Hash(state), node: n.id}
			switch {
			case state.Err() != nil:
				return false // damage was met, and a part not seen: the node stops now
			case first.node == 0:
				first = now
			case first.hash != now.hash:
				w.fault("at index %d of %v the replicas on %v and %v differ", state.Mark().Index, g, first.node, n.id)
			}
		}
	}
	return true
}

// noteLeaders holds who a node believes to lead against what others believed.
func (w *world) noteLeaders(n *node) {
	t := n.core.Topology()
	if t == n.topology {
		return
	}
	n.topology = t
	for _, g := range t.Groups {
		if g.Leader == 0 {
			continue
		}
		at := reign{group: g.ID, term: g.Term}
		if before, ok := w.leaders[at]; ok && before != g.Leader {
			w.fault("two nodes lead %v in term %d: %v and %v", g.ID, g.Term, before, g.Leader)
		}
		w.leaders[at] = g.Leader
	}
}

// describe tells how the nodes stand.
func (w *world) describe() string {
	var b strings.Builder
	for _, n := range w.nodes {
		if n.core == nil {
			fmt.Fprintf(&b, "%v is down\n", n.id)
			continue
		}
		st := n.core.Status()
		for _, g := range st.Groups {
			if !g.IsHere && !slices.Contains(g.Nodes, n.id) {
				continue
			}
			fmt.Fprintf(&b, "%v %v: %s, replica %d, term %d, leader %v, log %d to %d, committed %d, applied %d, lost: %v\n", n.id, g.Group,
				g.Role, g.Replica, g.Term, g.Leader, g.First, g.Last, g.Commit, g.Applied, st.Quarantined)
		}
	}
	return b.String()
}

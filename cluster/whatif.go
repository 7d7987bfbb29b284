package cluster

import (
	"slices"

	"flotilla"
)

// WhatIf is what placing would do if a node came, or went for good. Nothing of it happens by
// itself yet.
type WhatIf struct {
	Node   flotilla.NodeID `json:"node"`
	IsGone bool            `json:"gone"`
	// Copies is how many copies there are now, of all groups, the directory among them.
	Copies int `json:"copies"`
	// Moves are the groups that would be placed otherwise, in order.
	Moves []Placed `json:"moves"`
}

// Placed is on which nodes a group has copies, and would have them, each in order.
type Placed struct {
	Group  flotilla.GroupID  `json:"group"`
	Before []flotilla.NodeID `json:"before"`
	After  []flotilla.NodeID `json:"after"`
}

// PlaceIf places the copies of all groups as a new cluster would, if one more node was there,
// or a node that is there was not. All nodes are taken to have the usual weight; one that
// comes has the next free id.
func PlaceIf(t *flotilla.Topology, gone flotilla.NodeID) WhatIf {
	w := WhatIf{Node: gone, IsGone: gone != 0, Moves: []Placed{}}
	var members []Member
	last := flotilla.NodeID(0)
	for _, n := range t.Nodes {
		last = max(last, n.ID)
		if n.ID != gone {
			members = append(members, Member{ID: n.ID, Weight: DefaultWeight, IsDraining: n.IsDraining})
		}
	}
	if !w.IsGone {
		w.Node = last + 1
		members = append(members, Member{ID: w.Node, Weight: DefaultWeight})
	}
	var groups []flotilla.GroupID
	replicas := 0
	for _, g := range t.Groups {
		groups = append(groups, g.ID)
		replicas = max(replicas, len(g.Nodes))
		w.Copies += len(g.Nodes)
	}
	placed := placeGroups(members, groups, replicas)
	for _, g := range t.Groups {
		before, after := slices.Sorted(slices.Values(g.Nodes)), slices.Sorted(slices.Values(placed[g.ID]))
		if !slices.Equal(before, after) {
			w.Moves = append(w.Moves, Placed{Group: g.ID, Before: before, After: after})
		}
	}
	return w
}

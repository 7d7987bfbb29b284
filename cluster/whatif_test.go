package cluster

import (
	"slices"
	"testing"

	"flotilla"
)

// topologyOf is a cluster as it is first placed.
func topologyOf(nodes, groups, replicas int) *flotilla.Topology {
	d := firstDirectory(equalNodes(nodes), groups, replicas, nil)
	t := &flotilla.Topology{}
	for _, m := range d.Nodes {
		t.Nodes = append(t.Nodes, flotilla.NodeInfo{ID: m.ID})
	}
	for _, g := range d.Groups {
		t.Groups = append(t.Groups, flotilla.GroupInfo{ID: g.ID, Nodes: g.Holders()})
	}
	return t
}

// TestWhatWouldMove: a node that comes takes its share of copies, and the cluster
// is then as if it had been there from the start; from one that goes all its copies move, and
// come back to the same nodes when it does.
func TestWhatWouldMove(t *testing.T) {
	for _, c := range []struct{ nodes, groups int }{{3, 1}, {3, 6}, {5, 5}, {5, 20}, {7, 40}} {
		now := topologyOf(c.nodes, c.groups, 3)
		for gone := range flotilla.NodeID(c.nodes + 1) {
			w := PlaceIf(now, gone)
			if w.Copies != 3*(c.groups+1) || w.IsGone != (gone != 0) || w.Node == 0 {
				t.Errorf("%+v, without %v: %+v", c, gone, w)
			}
			after := map[flotilla.GroupID][]flotilla.NodeID{}
			for _, g := range now.Groups {
				after[g.ID] = g.Nodes
			}
			for _, m := range w.Moves {
				if !slices.Equal(m.Before, after[m.Group]) {
					t.Errorf("%+v: %v is on %v, not on %v", c, m.Group, after[m.Group], m.Before)
				}
				after[m.Group] = m.After
			}
			left := slices.DeleteFunc(equalNodes(c.nodes+1), func(m Member) bool { return m.ID == gone || gone != 0 && int(m.ID) > c.nodes })
			for g, holders := range firstPlaces(left, c.groups) {
				if !slices.Equal(after[g], holders) {
					t.Errorf("%+v, without %v: %v would be on %v, and is placed on %v", c, gone, g, after[g], holders)
				}
			}
			if gone != 0 && slices.ContainsFunc(now.Groups, func(g flotilla.GroupInfo) bool { return slices.Contains(after[g.ID], gone) }) {
				t.Errorf("%+v: %v is gone, and would hold copies", c, gone)
			}
		}
		if c.nodes == 5 && c.groups == 20 { // most stays where it is: that is what the hashing is for
			moved := 0
			for _, m := range PlaceIf(now, 0).Moves {
				for _, n := range m.After {
					if !slices.Contains(m.Before, n) {
						moved++
					}
				}
			}
			if share := 63 / 6; moved < share || moved > 2*share {
				t.Errorf("%d of 63 copies would move to the sixth node", moved)
			}
		}
	}
}

func firstPlaces(nodes []Member, groups int) map[flotilla.GroupID][]flotilla.NodeID {
	places := map[flotilla.GroupID][]flotilla.NodeID{}
	for _, g := range firstDirectory(nodes, groups, 3, nil).Groups {
		places[g.ID] = g.Holders()
	}
	return places
}

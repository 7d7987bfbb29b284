package cluster

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"flotilla"

	"pgregory.net/rapid"
)

func equalNodes(n int) []Member {
	nodes := make([]Member, n)
	for i := range nodes {
		nodes[i] = Member{ID: flotilla.NodeID(i + 1), Weight: DefaultWeight}
	}
	return nodes
}

func groupIDs(n int) []flotilla.GroupID {
	ids := make([]flotilla.GroupID, n)
	for i := range ids {
		ids[i] = flotilla.GroupID(i)
	}
	return ids
}

func copiesHeld(placed map[flotilla.GroupID][]flotilla.NodeID) map[flotilla.NodeID]int {
	held := map[flotilla.NodeID]int{}
	for _, holders := range placed {
		for _, n := range holders {
			held[n]++
		}
	}
	return held
}

func TestPlacementIsEvenForSmallNumbers(t *testing.T) {
	for nodes := 1; nodes <= 9; nodes++ {
		for groups := 1; groups <= 20; groups++ {
			for replicas := 1; replicas <= min(5, nodes); replicas++ {
				placed := placeGroups(equalNodes(nodes), groupIDs(groups), replicas)
				held := copiesHeld(placed)
				low, high := groups*replicas/nodes, (groups*replicas+nodes-1)/nodes
				for id := flotilla.NodeID(1); int(id) <= nodes; id++ {
					if held[id] < low || held[id] > high {
						t.Fatalf("%d nodes, %d groups, %d replicas: %v holds %d copies, want %d to %d",
							nodes, groups, replicas, id, held[id], low, high)
					}
				}
			}
		}
	}
}

func TestPlacementGivesDistinctNodes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		nodes := drawNodes(t)
		groups := groupIDs(rapid.IntRange(1, 40).Draw(t, "groups"))
		replicas := rapid.IntRange(1, 5).Draw(t, "replicas")
		placed := placeGroups(nodes, groups, replicas)
		for _, g := range groups {
			distinct := slices.Compact(slices.Sorted(slices.Values(placed[g])))
			if want := min(replicas, len(nodes)); len(distinct) != want || len(placed[g]) != want {
				t.Fatalf("%v is on %v, want %d different nodes", g, placed[g], want)
			}
		}
		// Order of the arguments does not matter.
		slices.Reverse(nodes)
		slices.Reverse(groups)
		again := placeGroups(nodes, groups, replicas)
		for _, g := range groups {
			if !slices.Equal(placed[g], again[g]) {
				t.Fatalf("%v: %v, and with the arguments turned round %v", g, placed[g], again[g])
			}
		}
	})
}

func drawNodes(t *rapid.T) []Member {
	nodes := equalNodes(rapid.IntRange(1, 12).Draw(t, "nodes"))
	for i := range nodes {
		nodes[i].Weight = uint32(rapid.IntRange(0, 4).Draw(t, "weight")) * 50
		nodes[i].IsDraining = rapid.IntRange(0, 6).Draw(t, "draining") == 0
	}
	return nodes
}

func TestWeightsAreRespected(t *testing.T) {
	nodes := equalNodes(6)
	nodes[5].Weight = 2 * DefaultWeight
	held := copiesHeld(placeGroups(nodes, groupIDs(350), 2))
	for _, n := range nodes {
		want := 100.0
		if n.ID == 6 {
			want = 200
		}
		if math.Abs(float64(held[n.ID])-want) > 1 {
			t.Errorf("%v holds %d copies, want %.0f", n.ID, held[n.ID], want)
		}
	}
}

func TestNewNodeTakesOnlyItsShare(t *testing.T) {
	for _, before := range []int{3, 5, 8, 12} {
		groups, replicas := groupIDs(300), 3
		old := placeGroups(equalNodes(before), groups, replicas)
		grown := placeGroups(equalNodes(before+1), groups, replicas)
		moved := 0
		for _, g := range groups {
			for _, n := range grown[g] {
				if !slices.Contains(old[g], n) {
					moved++
				}
			}
		}
		share := float64(len(groups)*replicas) / float64(before+1)
		t.Logf("%d nodes and one more: %d of %d copies moved; its share is %.0f", before, moved, len(groups)*replicas, share)
		// Evening out adds something of the order of the square root.
		if limit := share * 1.35; float64(moved) > limit {
			t.Errorf("%d copies moved to make room for node %d, want %.0f at most", moved, before+1, limit)
		}
	}
}

func TestDrainingNodesGetCopiesOnlyInNeed(t *testing.T) {
	nodes := equalNodes(4)
	nodes[0].IsDraining = true
	if held := copiesHeld(placeGroups(nodes, groupIDs(9), 3)); held[1] != 0 {
		t.Errorf("a draining node got %d copies", held[1])
	}
	nodes[1].IsDraining = true
	for g, holders := range placeGroups(nodes, groupIDs(9), 3) {
		if len(holders) != 3 {
			t.Errorf("%v is on %v, want three nodes even if one drains", g, holders)
		}
	}
}

// Nodes of different builds and processors must agree on where a new cluster's
// copies are, so the hash is pinned.
func TestPlacementNeverChanges(t *testing.T) {
	if h := mix64(1); h != 0x910a2dec89025cc1 {
		t.Errorf("mix64(1) = %#x, want SplitMix64's first number for seed 1", h)
	}
	if s := rendezvousScore(1, 2, 100); math.Abs(s-84.10616980332563) > 1e-9 {
		t.Errorf("score = %v, want 84.10616980332563", s)
	}
	got := fmt.Sprint(placeGroups(equalNodes(5), groupIDs(4), 3))
	if want := "map[g0:[n5 n2 n1] g1:[n5 n4 n3] g2:[n4 n3 n1] g3:[n3 n2 n5]]"; got != want {
		t.Errorf("placed %s, want %s", got, want)
	}
}

func TestSlotsAreDealtEvenly(t *testing.T) {
	for _, n := range []int{1, 2, 3, 7, 16, 100} {
		table := dealSlots(groupIDs(n + 1)[1:])
		counts := map[flotilla.GroupID]int{}
		for slot, g := range table {
			counts[g]++
			if slot > 0 && g < table[slot-1] {
				t.Fatalf("slot %d of %d groups is not contiguous", slot, n)
			}
		}
		for g, count := range counts {
			if g == 0 || count < flotilla.Slots/n || count > flotilla.Slots/n+1 {
				t.Fatalf("%v owns %d of %d slots with %d groups", g, count, flotilla.Slots, n)
			}
		}
	}
}

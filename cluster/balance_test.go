package cluster

import (
	"slices"
	"testing"

	"flotilla"

	"pgregory.net/rapid"
)

// settled makes a counted group whose leader has been in office for long.
func settled(id flotilla.GroupID, leader flotilla.NodeID, candidates ...flotilla.NodeID) GroupView {
	return GroupView{ID: id, Leader: leader, LedFor: settleMillis, Candidates: candidates, IsCounted: true}
}

// planEverywhere returns what all nodes together would start.
func planEverywhere(view BalanceView) []Transfer {
	var all []Transfer
	for _, n := range view.Nodes {
		view.Self = n.ID
		all = append(all, planTransfers(view)...)
	}
	return all
}

// apply carries transfers out, and lets the new leaders settle.
func apply(view BalanceView, transfers []Transfer) BalanceView {
	view.Groups = slices.Clone(view.Groups)
	for _, t := range transfers {
		for i := range view.Groups {
			if view.Groups[i].ID == t.Group {
				view.Groups[i].Leader = t.To
			}
		}
	}
	return view
}

func threeNodes() []NodeView {
	return []NodeView{{ID: 1, IsAlive: true}, {ID: 2, IsAlive: true}, {ID: 3, IsAlive: true}}
}

func TestLeadersAreSpreadFromOneNode(t *testing.T) {
	view := BalanceView{Self: 1, Nodes: threeNodes(), Groups: []GroupView{
		settled(0, 1, 1, 2, 3), settled(1, 1, 1, 2, 3), settled(2, 1, 1, 2, 3)}}
	got := planTransfers(view)
	if len(got) != 2 || got[0].To == got[1].To || got[0].To == 1 || got[1].To == 1 {
		t.Fatalf("plan = %v, want one leader for each of n2 and n3", got)
	}
	view.Self = 2
	if got := planTransfers(view); len(got) != 0 {
		t.Fatalf("n2 leads nothing but plans %v", got)
	}
}

func TestDifferenceOfOneIsLeftAlone(t *testing.T) {
	view := BalanceView{Self: 1, Nodes: threeNodes(), Groups: []GroupView{
		settled(0, 1, 1, 2, 3), settled(1, 2, 1, 2, 3)}}
	if got := planEverywhere(view); len(got) != 0 {
		t.Fatalf("plan = %v, want none", got)
	}
}

func TestNewLeaderIsNotMovedForBalance(t *testing.T) {
	view := BalanceView{Self: 1, Nodes: threeNodes(), Groups: []GroupView{
		settled(0, 1, 1, 2, 3), settled(1, 1, 1, 2, 3)}}
	view.Groups[0].LedFor, view.Groups[1].LedFor = settleMillis-1, settleMillis-1
	if got := planTransfers(view); len(got) != 0 {
		t.Fatalf("plan = %v, want none before the leaders have settled", got)
	}
}

func TestDrainingAndSlowNodesHandOverAtOnce(t *testing.T) {
	view := BalanceView{Self: 1, Nodes: threeNodes(), Groups: []GroupView{
		settled(0, 1, 1, 2, 3), settled(1, 1, 1, 2, 3)}}
	view.Groups[0].LedFor, view.Groups[1].LedFor = 0, 0
	view.Nodes[0].IsDraining = true
	view.Nodes[2].IsSlow = true
	for _, transfer := range planTransfers(view) {
		if transfer.To != 2 {
			t.Fatalf("%v goes to a node that is unfit", transfer)
		}
	}
	if got := planTransfers(view); len(got) != 2 {
		t.Fatalf("plan = %v, want both leaders to leave n1", got)
	}
}

func TestLeaderStaysWhenNobodyElseIsFit(t *testing.T) {
	view := BalanceView{Self: 1, Nodes: threeNodes(), Groups: []GroupView{settled(0, 1, 1, 2, 3)}}
	view.Nodes[0].IsSlow, view.Nodes[1].IsAlive, view.Nodes[2].IsDraining = true, false, true
	if got := planTransfers(view); len(got) != 0 {
		t.Fatalf("plan = %v, want none", got)
	}
}

func TestGroupsWithoutSlotsDoNotCount(t *testing.T) {
	view := BalanceView{Self: 1, Nodes: threeNodes(), Groups: []GroupView{
		settled(0, 1, 1, 2, 3), settled(1, 1, 1, 2, 3), settled(2, 1, 1, 2, 3)}}
	view.Groups[1].IsCounted, view.Groups[2].IsCounted = false, false
	if got := planTransfers(view); len(got) != 0 {
		t.Fatalf("plan = %v, want none: one counted leader is balanced", got)
	}
}

// TestTheDirectoryDoesNotCount: else whoever leads it would lead one group of data less
// than others.
func TestTheDirectoryDoesNotCount(t *testing.T) {
	_, leader := ready(t)
	view := leader.node.balanceView()
	if len(view.Groups) != labGroups+1 {
		t.Fatalf("the view has %d groups", len(view.Groups))
	}
	for _, g := range view.Groups {
		if g.IsCounted != (g.ID != flotilla.Directory) {
			t.Errorf("%v is counted: %v", g.ID, g.IsCounted)
		}
	}
}

func TestChainsOfMovesAreFound(t *testing.T) {
	// n1 leads two groups that only n1 and n2 hold; n3 shares a group with n2 alone.
	view := BalanceView{Nodes: threeNodes(), Groups: []GroupView{
		settled(0, 1, 1, 2), settled(1, 1, 1, 2), settled(2, 2, 2, 3)}}
	after := apply(view, planEverywhere(view))
	for id, load := range loads(after) {
		if load != 1 {
			t.Fatalf("n%d leads %d groups, want 1 each: %v", id, load, after.Groups)
		}
	}
}

// loads counts the counted leaders of each live node.
func loads(view BalanceView) map[flotilla.NodeID]int {
	load := map[flotilla.NodeID]int{}
	for _, n := range view.Nodes {
		if n.IsAlive && !n.IsDraining && !n.IsSlow {
			load[n.ID] = 0
		}
	}
	for _, g := range view.Groups {
		if g.IsCounted {
			load[g.Leader]++
		}
	}
	return load
}

func TestPlansConverge(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		view := drawBalance(t)
		transfers := planEverywhere(view)
		after := apply(view, transfers)
		fit := map[flotilla.NodeID]bool{}
		for _, n := range view.Nodes {
			fit[n.ID] = n.IsAlive && !n.IsDraining && !n.IsSlow
		}
		for _, transfer := range transfers {
			g := view.Groups[transfer.Group]
			if !fit[transfer.To] || !slices.Contains(g.Candidates, transfer.To) || transfer.From != g.Leader {
				t.Fatalf("%v is not possible for %+v", transfer, g)
			}
		}
		// When all nodes that can act have acted, nobody wants more: no flapping.
		if again := planEverywhere(after); len(again) != 0 {
			t.Fatalf("after %v the nodes also want %v", transfers, again)
		}
	})
}

func TestFullReplicationIsBalancedToOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		view := drawBalance(t)
		var all []flotilla.NodeID
		for i, n := range view.Nodes {
			view.Nodes[i] = NodeView{ID: n.ID, IsAlive: true}
			all = append(all, n.ID)
		}
		for i := range view.Groups {
			view.Groups[i].Candidates = all
		}
		least, most := 1<<30, 0
		for _, load := range loads(apply(view, planEverywhere(view))) {
			least, most = min(least, load), max(most, load)
		}
		if most-least > 1 {
			t.Fatalf("leaders differ by %d", most-least)
		}
	})
}

// drawBalance makes a view in which all leaders are alive and have settled.
func drawBalance(t *rapid.T) BalanceView {
	nodes := rapid.IntRange(1, 7).Draw(t, "nodes")
	replicas := rapid.IntRange(1, nodes).Draw(t, "replicas")
	var view BalanceView
	var ids []flotilla.NodeID
	for i := range nodes {
		ids = append(ids, flotilla.NodeID(i+1))
		view.Nodes = append(view.Nodes, NodeView{ID: ids[i], IsAlive: true,
			IsDraining: rapid.IntRange(0, 5).Draw(t, "draining") == 0,
			IsSlow:     rapid.IntRange(0, 5).Draw(t, "slow") == 0})
	}
	for i := range rapid.IntRange(1, 20).Draw(t, "groups") {
		holders := rapid.Permutation(ids).Draw(t, "holders")[:replicas]
		view.Groups = append(view.Groups, GroupView{ID: flotilla.GroupID(i), Leader: holders[0],
			LedFor: settleMillis, Candidates: slices.Sorted(slices.Values(holders)),
			IsCounted: rapid.IntRange(0, 3).Draw(t, "counted") != 0})
	}
	return view
}

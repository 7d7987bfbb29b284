package cluster

import (
	"math"
	"slices"

	"flotilla"
)

// placeGroups says which nodes hold a copy of each group: for each group,
// min(replicas, eligible nodes) different ones, in order of preference.
//
// First pass: weighted rendezvous hashing (Thaler & Ravishankar 1998; with
// weights: Schindelhauer & Schomaker, "Weighted Distributed Hash Tables", 2005,
// the logarithmic method). Each pair of group and node gets the score
// -weight/ln(u), u being a hash of the pair as a number between 0 and 1, and the
// nodes with the highest scores win. A node wins in proportion to its weight, and
// one that joins takes copies only for itself: nothing moves between others.
//
// Second pass: hashing is even only for large numbers, and a cluster has few
// groups. While a node holds more than its fair share rounded up and another
// less than its share rounded down, one copy moves from the former to the latter:
// of the groups that can move, the one whose score suffers least.
// So with five nodes and five groups all nodes hold something, and with as many
// nodes as replicas all hold everything.
//
// The result depends on nothing but the arguments, and not on their order. Nodes
// that drain or have weight 0 are passed over, unless there are too few others.
func placeGroups(nodes []Member, groups []flotilla.GroupID, replicas int) map[flotilla.GroupID][]flotilla.NodeID {
	p := &placement{nodes: eligibleNodes(nodes, replicas), held: map[flotilla.NodeID]int{}}
	p.placed = make(map[flotilla.GroupID][]flotilla.NodeID, len(groups))
	replicas = min(replicas, len(p.nodes))
	for _, g := range groups {
		p.placed[g] = p.best(g, replicas)
		for _, n := range p.placed[g] {
			p.held[n]++
		}
	}
	p.groups = slices.Sorted(slices.Values(groups))
	p.share(replicas)
	for p.moveOne() {
	}
	for g, holders := range p.placed {
		slices.SortFunc(holders, func(a, b flotilla.NodeID) int { return p.compare(g, a, b) })
	}
	return p.placed
}

// eligibleNodes returns the nodes that may get copies, in order of id.
func eligibleNodes(nodes []Member, atLeast int) []Member {
	var good, rest []Member
	for _, n := range nodes {
		if n.Weight > 0 && !n.IsDraining {
			good = append(good, n)
			continue
		}
		n.Weight = max(n.Weight, 1)
		rest = append(rest, n)
	}
	byID := func(a, b Member) int { return compareNode(a, b.ID) }
	slices.SortFunc(rest, byID)
	if missing := atLeast - len(good); missing > 0 {
		good = append(good, rest[:min(missing, len(rest))]...)
	}
	slices.SortFunc(good, byID)
	return good
}

// placement is the work in progress of placeGroups.
type placement struct {
	nodes  []Member // eligible, in order of id
	groups []flotilla.GroupID
	placed map[flotilla.GroupID][]flotilla.NodeID
	held   map[flotilla.NodeID]int     // copies on a node now
	fair   map[flotilla.NodeID]float64 // copies that its weight entitles it to
}

// best returns the nodes with the highest scores for a group.
func (p *placement) best(g flotilla.GroupID, replicas int) []flotilla.NodeID {
	ids := make([]flotilla.NodeID, len(p.nodes))
	for i, n := range p.nodes {
		ids[i] = n.ID
	}
	slices.SortFunc(ids, func(a, b flotilla.NodeID) int { return p.compare(g, a, b) })
	return slices.Clone(ids[:replicas])
}

// compare orders nodes by falling score for a group, and by id if it is equal.
func (p *placement) compare(g flotilla.GroupID, a, b flotilla.NodeID) int {
	scoreA, scoreB := p.score(g, a), p.score(g, b)
	switch {
	case scoreA > scoreB:
		return -1
	case scoreA < scoreB:
		return 1
	}
	return compareNumbers(uint64(a), uint64(b))
}

func (p *placement) score(g flotilla.GroupID, id flotilla.NodeID) float64 {
	i, _ := slices.BinarySearchFunc(p.nodes, id, compareNode)
	return rendezvousScore(g, id, p.nodes[i].Weight)
}

// rendezvousScore is -weight/ln(u). Always positive and finite.
func rendezvousScore(g flotilla.GroupID, id flotilla.NodeID, weight uint32) float64 {
	h := mix64(mix64(uint64(g)+0x9e3779b97f4a7c15) ^ uint64(id))
	u := (float64(h>>11) + 0.5) / (1 << 53) // the top 53 bits, never 0 and never 1
	return -float64(weight) / math.Log(u)
}

// mix64 is the finalizer of SplitMix64 (Steele, Lea & Flood 2014): a fixed
// bijection that spreads each input bit over all output bits.
func mix64(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// share computes how many copies each node should hold. No node can hold two
// copies of a group: what a heavy node can not take is shared among the others.
func (p *placement) share(replicas int) {
	p.fair = map[flotilla.NodeID]float64{}
	copies := float64(len(p.groups) * replicas)
	full := float64(len(p.groups))
	for {
		weight := 0.0
		for _, n := range p.nodes {
			if _, isFull := p.fair[n.ID]; !isFull {
				weight += float64(n.Weight)
			}
		}
		filled := false
		left := copies
		for _, n := range p.nodes {
			if _, isFull := p.fair[n.ID]; !isFull && copies*float64(n.Weight)/weight >= full {
				p.fair[n.ID] = full
				left -= full
				filled = true
			}
		}
		copies = left
		if filled {
			continue
		}
		for _, n := range p.nodes {
			if _, isFull := p.fair[n.ID]; !isFull {
				p.fair[n.ID] = copies * float64(n.Weight) / weight
			}
		}
		return
	}
}

// moveOne moves one copy from a node that holds too much to one that holds too
// little, and reports whether there was one to move. It ends: each move brings
// the sum of the distances from the fair shares down.
func (p *placement) moveOne() bool {
	var bestGroup flotilla.GroupID
	var bestFrom, bestTo flotilla.NodeID
	bestLoss := math.Inf(1)
	for _, from := range p.nodes {
		for _, to := range p.nodes {
			if !p.shouldMove(from.ID, to.ID) {
				continue
			}
			for _, g := range p.groups {
				holders := p.placed[g]
				if !slices.Contains(holders, from.ID) || slices.Contains(holders, to.ID) {
					continue
				}
				if loss := p.score(g, from.ID) / p.score(g, to.ID); loss < bestLoss {
					bestLoss, bestGroup, bestFrom, bestTo = loss, g, from.ID, to.ID
				}
			}
		}
	}
	if bestFrom == 0 {
		return false
	}
	holders := p.placed[bestGroup]
	holders[slices.Index(holders, bestFrom)] = bestTo
	p.held[bestFrom]--
	p.held[bestTo]++
	return true
}

// shouldMove reports whether a copy is better off on another node: one of the
// two is out of its bounds (its share, rounded down and up), and afterwards
// neither is further out than before.
func (p *placement) shouldMove(from, to flotilla.NodeID) bool {
	high, low := p.held[from], p.held[to]
	isOver := float64(high) > math.Ceil(p.fair[from]-1e-9)
	isUnder := float64(low) < math.Floor(p.fair[to]+1e-9)
	mayGive := float64(high) > math.Floor(p.fair[from]+1e-9)
	mayTake := float64(low) < math.Ceil(p.fair[to]-1e-9)
	return isOver && mayTake || isUnder && mayGive
}

// dealSlots gives each group a contiguous range of slots; their lengths differ by
// one at most. Without groups all slots stay with group 0.
func dealSlots(groups []flotilla.GroupID) (table [flotilla.Slots]flotilla.GroupID) {
	for slot := range table {
		if len(groups) > 0 {
			table[slot] = groups[slot*len(groups)/flotilla.Slots]
		}
	}
	return table
}

package check

import (
	"maps"
	"slices"
)

// Replica is what one replica of a group said of itself.
type Replica struct {
	Node  int
	Group int
	Index uint64 // the log position that its state has reached
	Hash  uint64 // of the state there
}

// Replicas decides whether the replicas of each group are equal: same position,
// same hash. A replica may be given at several positions; each is compared with whoever
// was there, and the newest of each must be the same position.
//
// It can not see what all replicas have wrong alike, nor what a hash leaves out.
// Replicas at different positions can not be compared, and a single one with nobody:
// both are faults, since what was not checked is not good.
func Replicas(reports []Replica) Verdict {
	v := Verdict{Replicas: len(reports)}
	type position struct {
		group int
		index uint64
	}
	first := map[position]Replica{}
	newest := map[int]map[int]Replica{} // by group, by node
	for _, r := range reports {
		at := position{r.Group, r.Index}
		if other, ok := first[at]; !ok {
			first[at] = r
		} else if other.Hash != r.Hash {
			v.fault("group %d: n%d and n%d are both at %d and differ: hash %x and %x",
				r.Group, other.Node, r.Node, r.Index, other.Hash, r.Hash)
		}
		if newest[r.Group] == nil {
			newest[r.Group] = map[int]Replica{}
		}
		if old, ok := newest[r.Group][r.Node]; !ok || old.Index < r.Index {
			newest[r.Group][r.Node] = r
		}
	}
	for _, group := range slices.Sorted(maps.Keys(newest)) {
		v.converged(group, newest[group])
	}
	if len(reports) == 0 {
		v.fault("no replica was given: nothing was compared")
	}
	return v
}

// converged requires that all replicas of a group are at one position.
func (v *Verdict) converged(group int, of map[int]Replica) {
	nodes := slices.Sorted(maps.Keys(of))
	if len(nodes) < 2 {
		v.fault("group %d: only n%d was given: it was compared with nobody", group, nodes[0])
		return
	}
	for _, node := range nodes[1:] {
		if a, b := of[nodes[0]], of[node]; a.Index != b.Index {
			v.fault("group %d: n%d is at %d and n%d at %d: they can not be compared", group, a.Node, a.Index, b.Node, b.Index)
		}
	}
}

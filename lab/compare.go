package lab

import (
	"context"
	"fmt"

	"flotilla"
	"flotilla/check"
	"flotilla/supervisor"
)

// compare demands that all copies of a group are the same, byte by byte. Where they
// are not, it says which of the keys differ that were read in the end.
func (r *run) compare(ctx context.Context, result *Result, final map[string]check.Final) {
	var different []string
	compared := 0
	// Reading may have had entries written, since what expired is cleared away: copies are
	// compared once they have applied as much as the others.
	err := r.fleet.waitUntil(ctx, readPatience, func() (missing string) {
		if missing = r.fleet.isWhole(ctx, r.plan); missing == "" {
			compared, different, missing = differences(supervisor.SurveyHashes(ctx, r.fleet.Plan.Nodes))
		}
		return missing
	})
	if err != nil {
		result.late("after the end, with nobody writing: %v", err)
		return
	}
	result.note("%d copies of groups compared by their hashes", compared)
	if len(different) == 0 {
		return
	}
	result.Faults = append(result.Faults, different...)
	for _, n := range r.fleet.Plan.Nodes {
		result.Faults = append(result.Faults, r.load.Same(n.Node, n.StoreAddr(), final)...)
	}
}

// differences compares the copies of each group that nodes told the hash of. As long as
// two of a group are at different indexes, missing says so.
func differences(answers []supervisor.Answer) (compared int, different []string, missing string) {
	type copyOf struct {
		node    flotilla.NodeID
		applied uint64
		hash    string
	}
	first := map[flotilla.GroupID]copyOf{}
	for _, a := range answers {
		if a.Err != nil {
			return 0, nil, a.Err.Error()
		}
		for _, g := range a.Status.Groups {
			if !g.IsHere {
				continue
			}
			other, isKnown := first[g.Group]
			switch {
			case g.Hash == "":
				return 0, nil, fmt.Sprintf("%v tells no hash of %v", a.Status.Node, g.Group)
			case !isKnown:
				first[g.Group] = copyOf{a.Status.Node, g.Applied, g.Hash}
			case other.applied != g.Applied:
				return 0, nil, fmt.Sprintf("%v has applied %d entries of %v, and %v %d", a.Status.Node, g.Applied, g.Group, other.node, other.applied)
			case other.hash != g.Hash:
				different = append(different, fmt.Sprintf("the copies of %v on %v and %v differ, though both are at index %d: their hashes are %s and %s",
					g.Group, other.node, a.Status.Node, g.Applied, other.hash, g.Hash))
			}
			compared++
		}
	}
	return compared, different, ""
}

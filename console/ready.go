package console

import (
	"fmt"

	"flotilla/cluster"
)

// notReady returns in words why a node does not serve, or nothing if it does.
func notReady(s cluster.Status) []string {
	var reasons []string
	if s.IsDraining {
		reasons = append(reasons, "the node is draining: its leaders move to other nodes")
	}
	if s.IsReady {
		return reasons
	}
	if s.IsUndecided {
		return append(reasons, "its disk is empty, and it waits to hear from the other nodes whether the cluster exists already: from a majority, or from all where a group is not on every node")
	}
	before := len(reasons)
	if len(s.Groups) == 0 {
		reasons = append(reasons, "the directory was not read yet")
	}
	for _, g := range s.Groups {
		switch {
		case !g.IsHere:
		case g.Leader == 0:
			reasons = append(reasons, fmt.Sprintf("%v has no leader that this node knows", g.Group))
		case g.Applied < g.Commit:
			reasons = append(reasons, fmt.Sprintf("%v is %d entries behind", g.Group, g.Commit-g.Applied))
		}
	}
	if len(reasons) == before {
		reasons = append(reasons, "the node is still starting")
	}
	return reasons
}

package supervisor

import (
	"context"
	"time"

	"flotilla"
)

// firstInterval is how often nodes are asked whether they have started.
const firstInterval = 100 * time.Millisecond

// noteFirstStarts tells the loop of each node that has started for the first time
// of all, and returns once all have.
func (l *loop) noteFirstStarts(ctx context.Context, nodes []NodePlan) {
	ticker := time.NewTicker(firstInterval)
	defer ticker.Stop()
	for {
		var left []NodePlan
		for _, a := range Survey(ctx, nodes) {
			if a.Status == nil || len(a.Status.Groups) == 0 {
				left = append(left, a.Node)
				continue
			}
			select {
			case l.firsts <- a.Node.Node:
			case <-ctx.Done():
				return
			}
		}
		if nodes = left; len(nodes) == 0 {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// hasStarted writes down that a node has started: from now on, an empty folder of
// it means that data was lost.
func (l *loop) hasStarted(node flotilla.NodeID) {
	i := l.index(node)
	l.members[i].plan.HasStarted = true
	l.plan.Nodes[i].HasStarted = true
	if err := writePlan(l.fleet.Dir, l.plan); err != nil {
		l.fleet.notify("could not write down that %v has started: %v", node, err)
	}
}

// unstarted returns the nodes that have never started.
func unstarted(nodes []NodePlan) []NodePlan {
	var left []NodePlan
	for _, n := range nodes {
		if !n.HasStarted {
			left = append(left, n)
		}
	}
	return left
}

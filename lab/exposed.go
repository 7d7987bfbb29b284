package lab

import (
	"context"
	"slices"

	"flotilla"
	"flotilla/scenario"
	"flotilla/supervisor"
)

// exposed is what befell a node's disk since a process of the node last opened it. A node finds
// one fault of a kind when it starts. Two at once, of which one takes what tells of the other,
// are more than is promised, and are not done: a power cut with changed files, and changes
// of a log with changes of its tail mark.
type exposed struct {
	hasLost bool // a power cut took what was not synced
	rotten  []scenario.File
	starts  int // of the node until the first of it
}

// exposure returns what befell a node's disk so far.
func (r *run) exposure(node flotilla.NodeID) *exposed {
	state := r.fleet.state(node)
	e := r.exposed[node]
	if e != nil && state.Phase == supervisor.Running && state.Starts > e.starts && r.answers(state) {
		e = nil
	}
	if e == nil {
		e = &exposed{starts: state.Starts}
		r.exposed[node] = e
	}
	return e
}

// answers reports whether a node's process answers: it has opened its disk then.
func (r *run) answers(state supervisor.MemberState) bool {
	i := slices.IndexFunc(r.fleet.Plan.Nodes, func(p supervisor.NodePlan) bool { return p.Node == state.Node })
	a := supervisor.Survey(context.Background(), r.fleet.Plan.Nodes[i:i+1])[0]
	return a.Err == nil && a.Status.PID == state.PID
}

// refusesDamage says why a node's files are not changed now, or nothing.
func (r *run) refusesDamage(node flotilla.NodeID, file scenario.File) (why string) {
	e := r.exposure(node)
	other, hasOther := file.Witness()
	switch {
	case e.hasLost:
		return "its power was cut, and it has not opened its disk since"
	case r.armed[node].cuts:
		return "its power is to be cut"
	case hasOther && slices.Contains(e.rotten, other):
		return string(other) + " was changed, and it has not opened its disk since"
	}
	return ""
}

// losing returns those of some nodes from which a power cut may take something.
func (r *run) losing(nodes []flotilla.NodeID) (some []flotilla.NodeID) {
	for _, node := range nodes {
		if len(r.exposure(node).rotten) == 0 {
			some = append(some, node)
		}
	}
	return some
}

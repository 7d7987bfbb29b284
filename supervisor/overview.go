package supervisor

import (
	"fmt"
	"slices"

	"flotilla"
	"flotilla/cluster"
)

// Overview is one picture made of what each node says of itself.
type Overview struct {
	Cluster string `json:"cluster"`
	// IsReady is whether every group has a leader, which itself says so.
	IsReady bool            `json:"ready"`
	Nodes   []NodeOverview  `json:"nodes"`
	Groups  []GroupOverview `json:"groups"`
	// Problems say in words why the fleet is not ready, or what to look at.
	Problems []string `json:"problems,omitempty"`
}

// NodeOverview is one node: its process as the supervisor sees it (if that runs),
// and what it says of itself (if it answers).
type NodeOverview struct {
	Node      flotilla.NodeID `json:"node"`
	Name      string          `json:"name"`
	Phase     Phase           `json:"phase,omitempty"` // empty: no supervisor to ask
	PID       int             `json:"pid,omitempty"`
	Starts    int             `json:"starts,omitempty"`
	IsUp      bool            `json:"answers"`
	IsReady   bool            `json:"ready"`
	StoreAddr string          `json:"store"`
	HTTPAddr  string          `json:"http"`
	QueueAddr string          `json:"queue"`
	Leads     int             `json:"leads_groups"`
	Commands  uint64          `json:"commands_total"`
	LogBytes  uint64          `json:"log_bytes"`
}

// GroupOverview is one group.
type GroupOverview struct {
	Group    flotilla.GroupID  `json:"group"`
	Leader   flotilla.NodeID   `json:"leader"` // 0: none that says so itself
	Term     uint64            `json:"term"`
	Slots    int               `json:"slots"`
	Commit   uint64            `json:"commit_index"`
	Replicas []ReplicaOverview `json:"replicas"`
}

// ReplicaOverview is a group's copy on one node that answered.
type ReplicaOverview struct {
	Node    flotilla.NodeID `json:"node"`
	Role    string          `json:"role"`
	Applied uint64          `json:"applied_index"`
	// Lag is how many committed entries the copy has yet to apply.
	Lag uint64 `json:"lag_entries"`
}

// Merge makes one picture of the answers to a survey and the supervisor's states
// (nil when it does not run). Of two nodes that disagree about a group, the one
// with the higher term is right.
func Merge(answers []Answer, states []MemberState) Overview {
	var o Overview
	groups := make(map[flotilla.GroupID]*GroupOverview)
	for _, a := range answers {
		o.Nodes = append(o.Nodes, nodeOverview(a, states))
		if a.Status == nil {
			continue
		}
		o.Cluster = a.Status.Cluster
		for _, g := range a.Status.Groups {
			if groups[g.Group] == nil {
				groups[g.Group] = &GroupOverview{Group: g.Group}
			}
			groups[g.Group].add(a.Status.Node, g)
		}
	}
	for _, g := range groups {
		g.finish()
		o.Groups = append(o.Groups, *g)
	}
	slices.SortFunc(o.Groups, func(a, b GroupOverview) int { return int(a.Group) - int(b.Group) })
	o.judge()
	return o
}

func nodeOverview(a Answer, states []MemberState) NodeOverview {
	n := NodeOverview{
		Node: a.Node.Node, Name: a.Node.Name(),
		StoreAddr: a.Node.StoreAddr(), HTTPAddr: a.Node.HTTPAddr(), QueueAddr: a.Node.QueueAddr(),
	}
	for _, s := range states {
		if s.Node == n.Node {
			n.Phase, n.PID, n.Starts = s.Phase, s.PID, s.Starts
		}
	}
	if s := a.Status; s != nil {
		n.IsUp, n.IsReady, n.PID = true, s.IsReady, s.PID
		n.Commands, n.LogBytes = s.Commands, s.Disk.LogBytes
	}
	return n
}

// add puts in what one node says of the group.
func (g *GroupOverview) add(node flotilla.NodeID, said cluster.GroupStatus) {
	g.Slots = max(g.Slots, said.Slots)
	g.Commit = max(g.Commit, said.Commit)
	if said.Term > g.Term {
		g.Term, g.Leader = said.Term, 0
	}
	if !said.IsHere {
		return
	}
	if said.Role == "leader" && said.Term == g.Term {
		g.Leader = node
	}
	g.Replicas = append(g.Replicas, ReplicaOverview{Node: node, Role: said.Role, Applied: said.Applied})
}

// finish computes what needs all answers.
func (g *GroupOverview) finish() {
	slices.SortFunc(g.Replicas, func(a, b ReplicaOverview) int { return int(a.Node) - int(b.Node) })
	for i := range g.Replicas {
		r := &g.Replicas[i]
		if r.Applied < g.Commit {
			r.Lag = g.Commit - r.Applied
		}
		if r.Role == "leader" && r.Node != g.Leader {
			r.Role = "leader of an older term"
		}
	}
}

// judge decides whether the fleet is ready and says what is wrong.
func (o *Overview) judge() {
	o.IsReady = len(o.Groups) > 0
	for i := range o.Nodes {
		n := &o.Nodes[i]
		switch {
		case n.Phase == Down:
			o.problem("%s is down: flotilla fault restart %s", n.Name, n.Name)
		case n.Phase == Paused:
			o.problem("%s is paused: flotilla fault resume %s", n.Name, n.Name)
		case !n.IsUp:
			o.problem("%s does not answer on %s", n.Name, n.HTTPAddr)
		}
		for _, g := range o.Groups {
			if g.Leader == n.Node {
				n.Leads++
			}
		}
	}
	for _, g := range o.Groups {
		if g.Leader == 0 {
			o.IsReady = false
			o.problem("%v has no leader", g.Group)
		}
	}
	if len(o.Groups) == 0 {
		o.problem("no node has told of any group yet")
	}
}

// Missing says what there is to wait for until every group has a leader and every node
// is ready; nothing if that is so.
func (o *Overview) Missing() []string {
	missing := slices.Clone(o.Problems)
	for _, n := range o.Nodes {
		if n.IsUp && !n.IsReady {
			missing = append(missing, n.Name+" is not ready")
		}
	}
	return missing
}

func (o *Overview) problem(format string, args ...any) {
	o.Problems = append(o.Problems, fmt.Sprintf(format, args...))
}

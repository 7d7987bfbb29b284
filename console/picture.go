package console

import (
	"maps"
	"slices"
	"time"

	"flotilla"
	"flotilla/cluster"
	"flotilla/supervisor"
	"flotilla/transport"
)

// Picture is the whole cluster at one moment, made of what each node last said of
// itself, and of what the supervisor says of processes.
type Picture struct {
	Self   flotilla.NodeID `json:"self"`
	AtMs   int64           `json:"at_ms"`
	HasLab bool            `json:"lab"` // faults may be asked for
	Nodes  []NodePicture   `json:"nodes"`
	Groups []GroupPicture  `json:"groups"`
}

// NodePicture is one node.
type NodePicture struct {
	Node flotilla.NodeID `json:"node"`
	// State is one word: up, starting, unready, draining, paused, down, silent.
	State     string                              `json:"state"`
	Why       string                              `json:"why,omitempty"`
	StorePort int                                 `json:"store_port"`
	HTTPPort  int                                 `json:"http_port"`
	Host      string                              `json:"host"`
	PID       int                                 `json:"pid,omitempty"`
	Unheard   []flotilla.NodeID                   `json:"unheard,omitempty"` // nodes that it has not heard of lately
	Faults    map[flotilla.NodeID]transport.Fault `json:"faults,omitempty"`  // on the way to others, by a lab
	// DiskDelay is how much longer each synced write takes, by a lab.
	DiskDelay flotilla.Millis `json:"disk_delay_ms,omitempty"`
	// ClockAhead is how far its wall clock is ahead, or behind if negative, and DriftPPM how much too
	// fast its clocks run, by a lab.
	ClockAhead flotilla.Millis `json:"clock_ms,omitempty"`
	DriftPPM   int             `json:"drift_ppm,omitempty"`
	Commands   uint64          `json:"commands"`
	Reads      uint64          `json:"reads"`
	Entries    uint64          `json:"entries"`
	LogBytes   uint64          `json:"log_bytes"`
}

// GroupPicture is one group.
type GroupPicture struct {
	Group  flotilla.GroupID `json:"group"`
	Leader flotilla.NodeID  `json:"leader"` // 0: nobody says that it leads
	Term   uint64           `json:"term"`
	Commit uint64           `json:"commit"`
	Slots  int              `json:"slots"`
	Copies []CopyPicture    `json:"copies"`
}

// CopyPicture is a group's copy on one node.
type CopyPicture struct {
	Node    flotilla.NodeID `json:"node"`
	Role    string          `json:"role"` // leader, follower, candidate, learner; "unknown" of a node that does not answer
	Term    uint64          `json:"term"`
	Last    uint64          `json:"last"`
	Applied uint64          `json:"applied"`
	Lag     uint64          `json:"lag"` // entries behind the newest commit that any node knows
	IsOld   bool            `json:"old"` // it leads an older term, and has not noticed
}

// picture draws the cluster.
func (w *watcher) picture(now time.Time) Picture {
	o := w.options
	topology := o.Host.Topology()
	w.mu.Lock()
	defer w.mu.Unlock()
	p := Picture{Self: o.Host.Self(), AtMs: now.UnixMilli(), HasLab: o.canBreak(), Nodes: []NodePicture{}, Groups: []GroupPicture{}}
	for _, n := range topology.Nodes {
		p.Nodes = append(p.Nodes, drawNode(n, w.nodes[n.ID], w.fleet[n.ID].Phase))
	}
	w.addIncoming(p.Nodes)
	for _, g := range topology.Groups {
		p.Groups = append(p.Groups, w.drawGroup(g))
	}
	return p
}

// addIncoming adds to each node what others lose or hold up of what it sends: without a
// supervisor, a link is broken at the end that was asked.
func (w *watcher) addIncoming(nodes []NodePicture) {
	for i := range nodes {
		from := &nodes[i]
		for to, h := range w.nodes {
			fault, isWrong := h.wrong.Incoming[from.Node]
			if !isWrong {
				continue
			}
			own := from.Faults[to]
			own.Cut, own.DelayMillis = own.Cut || fault.Cut, own.DelayMillis+fault.DelayMillis
			own.Drop = max(own.Drop, fault.Drop)
			faults := maps.Clone(from.Faults) // it is the report's, which is not ours to change
			if faults == nil {
				faults = map[flotilla.NodeID]transport.Fault{}
			}
			faults[to] = own
			from.Faults = faults
		}
	}
}

func drawNode(n flotilla.NodeInfo, h *heard, phase supervisor.Phase) NodePicture {
	d := NodePicture{Node: n.ID, Host: n.Host, StorePort: n.StorePort, HTTPPort: n.HTTPPort}
	if h == nil {
		d.State, d.Why = "starting", "it was not heard of yet"
	}
	if h != nil && h.status != nil {
		s := h.status
		d.PID, d.Commands, d.Reads, d.Entries, d.LogBytes, d.Faults = s.PID, s.Commands, s.Reads, s.Entries, s.Disk.LogBytes, h.wrong.Outgoing
		d.DiskDelay, d.ClockAhead, d.DriftPPM = h.wrong.DiskDelayMillis, h.wrong.Clock.OffsetMillis, h.wrong.Clock.DriftPPM
		for _, other := range s.Nodes {
			if other.Node != n.ID && !other.IsAlive {
				d.Unheard = append(d.Unheard, other.Node)
			}
		}
		d.State = "up"
		if reasons := notReady(*s); len(reasons) > 0 {
			d.State, d.Why = "unready", reasons[0]
		}
		if s.IsDraining {
			d.State = "draining"
		}
	}
	if h != nil && !h.answers {
		d.State, d.Why = "silent", "it does not answer"
	}
	switch phase {
	case supervisor.Down:
		d.State, d.Why = "down", "its process was killed, and stays down until it is started"
	case supervisor.Paused:
		d.State, d.Why = "paused", "its process is stopped, as by a long garbage collection"
	case supervisor.Waiting:
		d.State, d.Why = "starting", "its process is about to start"
	}
	return d
}

// drawGroup puts together what all copies of a group say. The highest term is right. A node whose process
// the supervisor stopped says nothing any more, also before it was noticed that it does not answer.
func (w *watcher) drawGroup(info flotilla.GroupInfo) GroupPicture {
	g := GroupPicture{Group: info.ID, Copies: []CopyPicture{}}
	holders := slices.Clone(info.Nodes)
	said := map[flotilla.NodeID]cluster.GroupStatus{}
	for id, h := range w.nodes {
		if h.status == nil {
			continue
		}
		for _, s := range h.status.Groups {
			if s.Group != info.ID {
				continue
			}
			g.Slots = max(g.Slots, s.Slots)
			if s.IsHere && h.answers && !isStopped(w.fleet[id].Phase) {
				said[id] = s
				g.Term, g.Commit = max(g.Term, s.Term), max(g.Commit, s.Commit)
				holders = append(holders, id)
			}
		}
	}
	slices.Sort(holders)
	for _, id := range slices.Compact(holders) {
		s, isKnown := said[id]
		if !isKnown {
			g.Copies = append(g.Copies, CopyPicture{Node: id, Role: "unknown"})
			continue
		}
		c := CopyPicture{Node: id, Role: s.Role, Term: s.Term, Last: s.Last, Applied: s.Applied, Lag: g.Commit - min(g.Commit, s.Applied)}
		if s.Role == "leader" && s.Term == g.Term {
			g.Leader = id
		}
		c.IsOld = s.Role == "leader" && s.Term < g.Term
		g.Copies = append(g.Copies, c)
	}
	return g
}

package cluster

import (
	"flotilla"
	"flotilla/consensus"
)

// published is what other goroutines may know of a Node. It is made anew when
// something changed, and never changed itself.
type published struct {
	topology *flotilla.Topology
	hosted   map[flotilla.GroupID]publishedGroup
}

// publishedGroup is a group with a copy here.
type publishedGroup struct {
	state consensus.State
	fresh *freshness
}

// publish returns the newest picture.
func (n *Node) publish() *published {
	n.isChanged = false
	d := n.directory
	p := &published{hosted: map[flotilla.GroupID]publishedGroup{}}
	t := &flotilla.Topology{Version: d.Version, SlotMap: &d.Slots}
	for _, m := range d.Nodes {
		t.Nodes = append(t.Nodes, flotilla.NodeInfo{ID: m.ID, Host: m.Host, StorePort: m.StorePort, HTTPPort: m.HTTPPort,
			QueuePort: m.QueuePort, PeerAddr: m.PeerAddr, Alive: n.isAlive(m.ID), IsDraining: m.IsDraining || n.drains(m.ID)})
	}
	for _, g := range d.Groups {
		r := n.route(g.ID)
		t.Groups = append(t.Groups, flotilla.GroupInfo{ID: g.ID, Leader: r.leader, Term: r.term, Nodes: n.holders(g.ID)})
	}
	p.topology = t
	for _, h := range n.order {
		if h.state.Mark().Index > 0 {
			p.hosted[h.id] = publishedGroup{state: h.state, fresh: h.fresh}
		}
	}
	return p
}

// status fills in what the node itself knows.
func (n *Node) status() Status {
	disk := n.disk.Stats()
	s := Status{Cluster: n.cfg.Cluster, Node: n.cfg.Self, Name: n.cfg.Self.String(), Version: n.cfg.Version,
		IsReady: !n.isUndecided, IsUndecided: n.isUndecided, IsDraining: n.isDraining, Quarantined: len(n.lost) > 0,
		Turns: n.counters.turns, Reads: n.counters.reads, ReadRounds: n.counters.readRounds,
		Relayed: n.counters.relayed, Elections: n.counters.elections, Snapshots: n.counters.snapshots,
		TurnEntries: n.counters.turnEntries, ApplySeconds: n.counters.applySeconds, EntrySizes: flotilla.NewHistogram(flotilla.SizeBounds()),
		Disk: DiskStatus{Appends: disk.Appends, AppendedBytes: disk.AppendedBytes, SyncSeconds: disk.SyncSeconds,
			Syncs:    disk.Syncs,
			LogBytes: disk.LogBytes, StateBytes: disk.StateBytes, FreeBytes: disk.FreeBytes, HasRoom: n.hasRoom}}
	for _, m := range n.directory.Nodes {
		s.Nodes = append(s.Nodes, n.nodeStatus(m))
	}
	counts := n.slotCounts
	for _, g := range n.directory.Groups {
		gs := n.groupStatus(g.ID)
		gs.Slots = counts[g.ID]
		if g.ID == flotilla.Directory {
			gs.Slots = 0
		}
		s.Groups = append(s.Groups, gs)
		s.IsReady = s.IsReady && (!gs.IsHere || gs.Leader != 0)
	}
	for _, h := range n.order {
		st := h.group.Stats()
		s.Commands += st.Commands
		s.Deduped += st.Duplicates
		s.Entries += st.Last
		s.EntrySizes.Add(&st.EntrySizes)
	}
	return s
}

func (n *Node) nodeStatus(m Member) NodeStatus {
	ns := NodeStatus{Node: m.ID, Name: m.ID.String(), Addr: m.PeerAddr, Host: m.Host, StorePort: m.StorePort,
		HTTPPort: m.HTTPPort, QueuePort: m.QueuePort, IsAlive: n.isAlive(m.ID), HeardMs: -1}
	if m.ID == n.cfg.Self {
		ns.HeardMs = 0
	} else if p := n.peers[m.ID]; p != nil && p.heardTick > 0 {
		ns.HeardMs = flotilla.Millis(n.ticks-p.heardTick) * n.cfg.TickMillis
	}
	if p := n.peers[m.ID]; p != nil && p.relay != nil {
		ns.Relay = p.relay.id
	}
	return ns
}

func (n *Node) groupStatus(id flotilla.GroupID) GroupStatus {
	r := n.route(id)
	gs := GroupStatus{Group: id, Leader: r.leader, Term: r.term, Nodes: n.holders(id)}
	h := n.hosted[id]
	if h == nil {
		return gs
	}
	st := h.group.Stats()
	gs.IsHere, gs.Role, gs.Replica, gs.Term = true, st.Role, h.group.Replica(), st.Term
	gs.Last, gs.First, gs.Commit = st.Last, st.First, st.Commit
	gs.Applied, gs.Durable = h.state.Mark().Index, h.state.Durable()
	for _, f := range st.Followers {
		gs.Followers = append(gs.Followers, followerStatus(h.group.Members().Node[f.Replica], f, st.Last))
	}
	return gs
}

// followerStatus tells of a follower of a log that ends with entry last. A new leader knows of no
// entry that a follower has, until that follower confirms one.
func followerStatus(node flotilla.NodeID, f consensus.Follower, last uint64) FollowerStatus {
	s := FollowerStatus{Node: node, Replica: f.Replica, Match: f.Match, State: f.State}
	if f.Match > 0 {
		s.Lag = new(last - min(last, f.Match))
	}
	return s
}

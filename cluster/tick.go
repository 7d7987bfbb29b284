package cluster

import (
	"fmt"
	"slices"

	"flotilla"
	"flotilla/consensus"
)

// How often, in ticks, what is done.
const (
	checkTicks   = 2  // deadlines of calls
	balanceTicks = 20 // who should lead what
	cutTicks     = 40 // how much log may be forgotten
	roomTicks    = 2  // whether the disk is nearly full: a fast disk fills 100 MB a second
	diskTicks    = 10 // how long the disk takes
)

// Tick tells that one tick has passed.
func (n *Node) Tick() {
	n.ticks++
	n.asksCopies = true
	if err := n.disk.Damage(); err != nil && n.failure == nil {
		n.failure = fmt.Errorf("%w: %w", consensus.ErrLog, err)
	}
	for _, h := range n.order {
		h.group.Tick()
		n.markDirty(h)
	}
	for _, p := range n.peerOrder {
		if p.wasAlive && !n.isAlive(p.id) {
			p.wasAlive = false
			n.isChanged = true
			n.journal.write(Note{Kind: NoteSilent, Peer: p.id, Value: int64(n.ticks-p.heardTick) * int64(n.cfg.TickMillis)})
		}
	}
	n.findRelays()
	n.watchLoss()
	n.endTraces()
	if n.isUndecided {
		n.decide()
	}
	if n.ticks%uint64(n.cfg.HeartbeatTicks) == 0 {
		n.sayHello()
	}
	if n.ticks%checkTicks == 0 {
		for _, r := range n.routeOrder {
			n.checkRoute(r)
		}
		for _, h := range n.order {
			n.checkReads(h)
		}
		n.checkRemoteReads()
	}
	if n.ticks%roomTicks == 0 {
		n.checkRoom()
	}
	if n.ticks%diskTicks == 0 {
		n.measureDisk()
	}
	if n.ticks%balanceTicks == 0 {
		n.start()
		n.balance()
		n.mend()
	}
	if n.ticks%cutTicks == 0 {
		n.cut()
	}
}

// sayHello tells all other nodes how this one is.
func (n *Node) sayHello() {
	h := hello{directory: n.directory.Version, isDraining: n.isDraining, hasRoom: n.hasRoom, syncMicros: uint64(n.syncMicros),
		rttMillis: n.rttMillis(), stamp: uint64(n.mono), incarnation: n.cfg.Incarnation, unheard: n.unheard(),
		knowsCluster: n.knowsCluster(), isLossy: n.isLossy(n.cfg.Self)}
	for _, g := range n.order {
		if g.group.IsLeader() {
			l := leadership{group: g.id, term: g.group.Term(), needed: g.needed}
			if g.state.Mark().Term == l.term { // all changes of members of earlier terms are applied
				l.next = g.group.Members().Next
			}
			h.leads = append(h.leads, l)
		}
		if g.group.Leader() == 0 {
			index, term := g.group.Committed()
			h.knows = append(h.knows, commitment{group: g.id, index: index, term: term})
		}
	}
	for g, id := range n.lost {
		h.lost = append(h.lost, lostReplica{group: g, replica: id})
	}
	slices.SortFunc(h.lost, func(a, b lostReplica) int { return int(a.group) - int(b.group) })
	n.pulse.note(n, &h)
	for _, p := range n.peerOrder {
		h.echo, h.held, h.hearings = p.hello.stamp, uint64(n.mono-p.helloAt), n.hearingsFor(p)
		h.founders = nil
		if !p.hello.knowsCluster && p.hello.directory == 0 {
			h.founders = n.founders
		}
		if p.relay != nil { // straight, too, so that it is heard when the link is good again
			n.transport.Send(p.id, appendHello(appendStamp(nil, n.journal), &h))
		}
		p.frame = appendHello(p.frame, &h)
	}
}

// rttMillis returns how long the way to the nearest live node and back takes.
func (n *Node) rttMillis() uint64 {
	nearest := 0.0
	isKnown := false
	for _, p := range n.peerOrder {
		if n.isAlive(p.id) && (!isKnown || p.rttMillis < nearest) {
			nearest, isKnown = p.rttMillis, true
		}
	}
	return uint64(nearest)
}

// checkRoom finds out whether entries should say that a disk is nearly full.
func (n *Node) checkRoom() {
	if has := n.disk.Room(); has != n.hasRoom {
		n.hasRoom = has
		kind := NoteNoRoom
		if has {
			kind = NoteHasRoom
		}
		n.journal.write(Note{Kind: kind})
	}
	for _, h := range n.order {
		noRoom := !n.hasRoom
		for _, id := range n.holders(h.id) {
			if p := n.peers[id]; p != nil && n.isAlive(id) && !p.hello.hasRoom {
				noRoom = true
			}
		}
		h.group.SetNoRoom(noRoom)
	}
}

// measureDisk follows how long the disk takes for a synced write.
func (n *Node) measureDisk() {
	now := n.disk.Stats()
	if writes := now.Appends - n.disk0.Appends; writes > 0 {
		recent := (now.SyncSeconds - n.disk0.SyncSeconds) * 1e6 / float64(writes)
		n.syncMicros = 0.7*n.syncMicros + 0.3*recent
	}
	n.disk0 = now
}

// start writes the first directory, if this node leads its group and there is none.
func (n *Node) start() {
	h := n.hosted[flotilla.Directory]
	if n.isStarted || h == nil || !h.group.IsLeader() {
		return
	}
	if readDirectory(h.state).Version > 0 {
		n.isStarted = true
		return
	}
	n.propose(flotilla.Directory, bootstrapCommand(n.directory))
}

// propose has this node itself send a command to a group; nobody waits for the reply.
func (n *Node) propose(g flotilla.GroupID, command []byte) {
	c := &Pending{call: &flotilla.Call{Group: g, Commands: [][]byte{command}}, bytes: len(command),
		deadline: n.mono + requestMillis, done: make(chan struct{}, 1)}
	n.submit(c)
}

// balance moves leaders to where they should be.
func (n *Node) balance() {
	for _, t := range planTransfers(n.balanceView()) {
		if h := n.hosted[t.Group]; h != nil {
			if to := h.group.Members().ReplicaOf(t.To); to != 0 {
				h.group.Transfer(to)
				n.markDirty(h)
			}
		}
	}
}

func (n *Node) balanceView() BalanceView {
	view := BalanceView{Self: n.cfg.Self}
	for _, m := range n.directory.Nodes {
		v := NodeView{ID: m.ID, IsAlive: n.isAlive(m.ID), IsDraining: m.IsDraining || n.drains(m.ID), IsSlow: n.wasSlow(m.ID)}
		view.Nodes = append(view.Nodes, v)
	}
	counts := n.slotCounts
	for _, g := range n.directory.Groups {
		r := n.route(g.ID)
		v := GroupView{ID: g.ID, Leader: r.leader, LedFor: flotilla.Millis(n.ticks-r.ledFrom) * n.cfg.TickMillis,
			Candidates: n.holders(g.ID), IsCounted: counts[g.ID] > 0}
		if h := n.hosted[g.ID]; h != nil && h.group.IsLeader() {
			v.Candidates = n.candidates(h)
		}
		view.Groups = append(view.Groups, v)
	}
	return view
}

// drains reports whether a node has said that it shall lead nothing.
func (n *Node) drains(id flotilla.NodeID) bool {
	if id == n.cfg.Self {
		return n.isDraining
	}
	p := n.peers[id]
	return p != nil && p.hello.isDraining
}

// A node is slow, and others should lead, if its disk or its links are this many
// times slower than the fastest live node's, and at least this slow.
const (
	slowFactor     = 8
	slowMicros     = 50_000 // for a synced write
	slowLinkMillis = 120    // there and back
)

// isSlow reports whether a node's disk or links are much slower than another's, or its
// links lose too much.
func (n *Node) isSlow(id flotilla.NodeID) bool {
	disk, link := uint64(n.syncMicros), n.rttMillis()
	fastestDisk, fastestLink := disk, link
	for _, p := range n.peerOrder {
		if n.isAlive(p.id) {
			fastestDisk, fastestLink = min(fastestDisk, p.hello.syncMicros), min(fastestLink, p.hello.rttMillis)
		}
	}
	if p := n.peers[id]; p != nil {
		disk, link = p.hello.syncMicros, p.hello.rttMillis
	} else if id != n.cfg.Self {
		return false
	}
	return n.isLossy(id) || disk > slowMicros && disk > slowFactor*fastestDisk || link > slowLinkMillis && link > slowFactor*fastestLink
}

// wasSlow reports whether a node is slow, or was within settleMillis: links that
// are good only now and then are no reason to have leaders come and go.
func (n *Node) wasSlow(id flotilla.NodeID) bool {
	if n.isSlow(id) {
		n.slowTicks[id] = n.ticks
	}
	at, isKnown := n.slowTicks[id]
	return isKnown && flotilla.Millis(n.ticks-at)*n.cfg.TickMillis < settleMillis
}

// candidates returns the nodes whose voting copy of a group that we lead is close behind;
// where much is lost on our links, all that we hear of: none may ever be close.
func (n *Node) candidates(h *hosted) []flotilla.NodeID {
	nodes := []flotilla.NodeID{n.cfg.Self}
	last := h.state.Mark().Index
	for _, f := range h.group.Followers() {
		isClose := f.State == "StateReplicate" && f.Match+n.cfg.KeptEntries/10 > last
		if !f.IsLearner && f.IsActive && (isClose || n.isLossy(n.cfg.Self)) {
			nodes = append(nodes, h.group.Members().Node[f.Replica])
		}
	}
	slices.Sort(nodes)
	return nodes
}

// mend gives nodes that lost their copies of groups that we lead new ones, and
// lets learners vote that have caught up.
func (n *Node) mend() {
	for _, p := range n.peerOrder {
		if !n.isAlive(p.id) {
			continue
		}
		for _, lost := range p.hello.lost {
			h := n.hosted[lost.group]
			if h == nil || !h.group.IsLeader() {
				continue
			}
			current := h.group.Members().ReplicaOf(p.id)
			if current != 0 && current <= lost.replica {
				h.group.Replace(current, p.id)
				n.markDirty(h)
			}
		}
	}
	for _, h := range n.order {
		if !h.group.IsLeader() {
			continue
		}
		last := h.state.Mark().Index
		for _, f := range h.group.Followers() {
			if f.IsLearner && f.State == "StateReplicate" && f.IsActive && f.Match+100 > last {
				h.group.Promote(f.Replica)
				n.markDirty(h)
			}
		}
	}
}

package cluster

import (
	"slices"

	"flotilla"
	"flotilla/consensus"
)

// receive takes a decoded frame.
func (n *Node) receive(f *frame) {
	p := n.peers[f.from]
	if p == nil {
		return // not a node of this cluster, as far as is known here
	}
	p.heardTick = max(n.ticks, 1)
	if !p.wasAlive {
		p.wasAlive = true
		n.isChanged = true
	}
	for i := range f.raft {
		n.receiveRaft(f.from, &f.raft[i])
	}
	for i := range f.parcels {
		if h := n.hosted[f.parcels[i].group]; h != nil && h.group.Submit(f.parcels[i].bytes) {
			n.markDirty(h)
		}
	}
	for i := range f.outcomes {
		n.resolve(f.outcomes[i].group, &f.outcomes[i].outcome)
	}
	if f.hello != nil {
		n.receiveHello(p, f.hello)
	}
	if f.directory != nil {
		if d, err := decodeDirectory(f.directory); err == nil && d.Version > n.directory.Version {
			n.takeDirectory(d)
		}
	}
	for _, r := range f.reads {
		n.requests = append(n.requests, readRequest{from: f.from, item: r})
	}
	for i := range f.answers {
		n.answered(&f.answers[i])
	}
	for _, b := range f.broadcasts {
		if n.hear != nil {
			n.hear(b.system, f.from, b.message)
		}
	}
	if f.snapshot != nil {
		n.receiveSnapshot(f.snapshot)
	}
}

// receiveRaft steps the replica that a message is for. A message for a newer
// replica than we have of a group makes it, empty, to be filled by a snapshot.
func (n *Node) receiveRaft(from flotilla.NodeID, item *raftItem) {
	h := n.hosted[item.group]
	to := flotilla.ReplicaID(item.message.GetTo())
	if h == nil {
		if h = n.freshCopy(item.group, to); h == nil {
			return
		}
	}
	if h.group.Replica() != to {
		return
	}
	sender := flotilla.ReplicaID(item.message.GetFrom())
	if _, isKnown := h.group.Members().Node[sender]; !isKnown {
		h.heardFrom[sender] = from
	}
	h.group.Step(item.message)
	n.markDirty(h)
}

// freshCopy makes the empty replica that takes a lost one's place, once the
// group's leader talks to it.
func (n *Node) freshCopy(group flotilla.GroupID, id flotilla.ReplicaID) *hosted {
	lost, isLost := n.lost[group]
	if !isLost || !consensus.IsFresh(id) || id <= lost { // what was lost has voted: it must not come back without its memory
		return nil
	}
	replica := consensus.Replica{Group: group, ID: id}
	if err := n.disk.Create(replica, nil); err != nil {
		n.failure = err
		return nil
	}
	if err := n.open(replica); err != nil {
		n.failure = err
		return nil
	}
	return n.hosted[group]
}

// receiveSnapshot hands a snapshot that the shell has stored aside to its group,
// one at a time: the next turn installs it or finds that Raft did not want it.
func (n *Node) receiveSnapshot(s *snapshotItem) {
	h := n.hosted[s.staged.Replica().Group]
	if h == nil || h.staged != nil || h.group.Replica() != flotilla.ReplicaID(s.message.GetTo()) ||
		s.staged.Mark().Index <= h.state.Mark().Index {
		s.staged.Drop()
		return
	}
	h.staged = s.staged
	h.group.Step(s.message)
	n.markDirty(h)
}

// receiveHello takes what another node says of itself.
func (n *Node) receiveHello(p *peer, h *hello) {
	if p.hello.isDraining != h.isDraining {
		n.isChanged = true
	}
	p.hello = *h
	for _, l := range h.leads {
		if n.hosted[l.group] == nil {
			n.setLeader(n.route(l.group), p.id, l.term)
		}
	}
	if h.directory < n.directory.Version {
		if g, ok := n.directory.Group(flotilla.Directory); !ok || !slices.Contains(g.Holders(), p.id) {
			p.frame = appendLengthAnd(append(p.frame, itemDirectory), n.directory.Encode())
		}
	}
}

// directoryApplied goes on with what the directory says now.
func (n *Node) directoryApplied(h *hosted) {
	if d := readDirectory(h.state); d.Version > n.directory.Version {
		n.takeDirectory(d)
	}
}

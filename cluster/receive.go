package cluster

import (
	"fmt"
	"slices"

	"flotilla"
	"flotilla/consensus"
)

// receive takes a decoded frame.
func (n *Node) receive(f *Frame) {
	p := n.peers[f.from]
	if p == nil {
		return // not a node of this cluster, as far as is known here
	}
	n.takeMarks(f)
	p.heardTick = max(n.ticks, 1)
	if !f.isRelayed {
		n.heardStraight(p, f.hello)
	}
	if !p.wasAlive {
		p.wasAlive = true
		n.isChanged = true
		n.journal.write(Note{Kind: NoteHeard, Peer: p.id})
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
		n.requests = append(n.requests, RemoteRead{from: f.from, item: r})
	}
	for i := range f.answers {
		n.answered(&f.answers[i])
	}
	for _, b := range f.broadcasts {
		if n.hear != nil {
			n.hear(b.system, f.from, b.message)
		}
	}
	for _, g := range f.askCopies {
		n.answerCopies(p, g)
	}
	for _, c := range f.copies {
		if r := n.routes[c.group]; r != nil && r.leader == f.from {
			n.tellCopies(c.group, c.matches)
		}
	}
	if f.snapshot != nil {
		n.receiveSnapshot(f.snapshot)
	}
	for i := range f.relays {
		n.passOn(f.from, &f.relays[i])
	}
}

// receiveRaft steps the replica that a message is for. A message for a newer
// replica than we have of a group makes it, empty, to be filled by a snapshot.
func (n *Node) receiveRaft(from flotilla.NodeID, item *raftItem) {
	h := n.hosted[item.group]
	to := flotilla.ReplicaID(item.message.GetTo())
	if h == nil {
		if h = n.freshCopy(from, item); h == nil {
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
	if len(h.traces) > 0 {
		n.noteCounted(h, from, item.message)
	}
	if err := h.group.Step(item.message); err != nil {
		n.failure = err
	}
	n.markDirty(h)
}

// floor is what a leader said was the first unused replica id of a group, when it
// was first heard of in its term. A node whose disk is empty does not know which
// copies it had: what is numbered below may be one that has voted, and must not
// come back without its memory. What is numbered from there on, by the same leader
// in the same term, was made after the loss.
type floor struct {
	leader flotilla.NodeID
	term   uint64
	next   flotilla.ReplicaID
}

// noteFloor takes a leader's word on which copies of a lost group are gone.
func (n *Node) noteFloor(from flotilla.NodeID, l leadership) {
	lost, isLost := n.lost[l.group]
	if f := n.floors[l.group]; !isLost || l.next == 0 || n.hosted[l.group] != nil || f.leader == from && f.term == l.term || l.term < f.term {
		return
	}
	n.floors[l.group] = floor{leader: from, term: l.term, next: l.next}
	n.lost[l.group] = max(lost, l.next-1)
}

// freshCopy makes the empty replica that takes a lost one's place, once the
// group's leader talks to it.
func (n *Node) freshCopy(from flotilla.NodeID, item *raftItem) *hosted {
	if n.failure != nil {
		return nil // the disk failed at an earlier message of this turn: that is the error to tell
	}
	group, id := item.group, flotilla.ReplicaID(item.message.GetTo())
	f, isKnown := n.floors[group]
	if _, isLost := n.lost[group]; !isLost || !isKnown || f.leader != from || f.term != item.message.GetTerm() || id < f.next {
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
	n.journal.write(Note{Kind: NoteNewCopy, Group: group, Peer: from, Value: int64(id)})
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
	if err := h.group.Step(s.message); err != nil {
		n.failure = err
	}
	n.markDirty(h)
}

// receiveHello takes what another node says of itself.
func (n *Node) receiveHello(p *peer, h *hello) {
	if isOlder(h.incarnation, h.stamp, p.hello.incarnation, p.hello.stamp) {
		return // it was overtaken, by another way
	}
	n.noteHearing(&hearing{node: p.id, incarnation: h.incarnation, stamp: h.stamp, unheard: h.unheard})
	for i := range h.hearings {
		n.noteHearing(&h.hearings[i])
	}
	if p.hello.isDraining != h.isDraining {
		n.isChanged = true
	}
	if h.echo != p.hello.echo {
		p.echoTick = n.ticks
	}
	p.hello, p.helloAt = *h, n.mono
	if h.echo > 0 {
		rtt := max(0, float64(n.mono)-float64(h.echo)-float64(h.held))
		p.rttMillis = 0.7*p.rttMillis + 0.3*rtt
	}
	for _, l := range h.leads {
		n.noteFloor(p.id, l)
		h := n.hosted[l.group]
		if h == nil {
			n.setLeader(n.route(l.group), p.id, l.term)
		} else if l.term == h.group.Term() && !h.group.IsLeader() {
			h.needed = l.needed
		}
	}
	for _, k := range h.knows {
		if g := n.hosted[k.group]; g != nil {
			if err := g.group.Learn(k.index, k.term); err != nil {
				n.failure = fmt.Errorf("go on with %v: %w", k.group, err)
			}
			n.markDirty(g)
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

package cluster

import (
	"fmt"
	"slices"

	"flotilla"
	"flotilla/consensus"

	"go.etcd.io/raft/v3/raftpb"
)

// maxRounds bounds how often one turn goes through its groups; what then still
// is to be done is done in the next, after new input was looked at.
const maxRounds = 4

// Turn does all that can be done now. An error is final: the disk failed, or what
// is on it is damaged.
func (n *Node) Turn(now Clock) error {
	n.setClock(now)
	n.counters.turns++
	if n.failure != nil {
		return n.failure
	}
	if n.isRelayOld {
		n.findRelays()
	}
	for range maxRounds {
		n.endGatherings()
		n.dispatchRoutes()
		for _, h := range n.order {
			n.advance(h)
		}
		if !n.collect() {
			break
		}
		if err := n.carryOut(); err != nil {
			return err
		}
	}
	n.releaseHeld()
	n.checkCopies()
	n.flush()
	return nil
}

// setClock tells the time; frames that are received next came at that time.
func (n *Node) setClock(now Clock) { n.wall, n.mono = max(now.Wall, n.wall), now.Mono }

// dispatchRoutes makes parcels of what waits for groups.
func (n *Node) dispatchRoutes() {
	for i := 0; i < len(n.dirtyRoutes); i++ {
		n.dispatch(n.dirtyRoutes[i])
	}
	n.dirtyRoutes = n.dirtyRoutes[:0]
}

// advance lets a group propose what waits, unless it waits for more, and start a read round.
func (n *Node) advance(h *hosted) {
	if !h.isDirty && h.dueAt > n.wall {
		return
	}
	h.isDirty = true
	before := h.group.StartedRound()
	if h.gathering.wanted > 0 {
		h.group.AdvanceReads()
	} else {
		h.group.Advance(n.wall)
	}
	if round := h.group.StartedRound(); round > before {
		h.roundStart[round] = n.mono
	}
}

// collect asks all groups with something new for their work, and reports whether there is any.
func (n *Node) collect() bool {
	n.readies = n.readies[:0]
	for _, h := range n.order {
		if !h.isDirty {
			continue
		}
		h.isDirty = false
		ready, ok := h.group.Ready()
		if ok {
			n.readies = append(n.readies, readyGroup{hosted: h, ready: ready})
			h.isDirty = true
		}
		if h.staged != nil && ready.Snapshot == nil { // Raft did not want it
			h.staged.Drop()
			h.staged = nil
		}
		n.releaseReads(h)
		h.dueAt = flotilla.Never
		if due := h.group.DueAt(); h.group.IsLeader() && due > n.wall {
			h.dueAt = due // one that has come is either proposed by now, or can not be: the next tick looks again
		}
	}
	return len(n.readies) > 0
}

// carryOut does the collected work in the order that safety asks for: early
// messages, one synced write for all, late messages, apply.
func (n *Node) carryOut() error {
	if n.journal != nil {
		for i := range n.readies {
			n.noteReady(&n.readies[i])
		}
	}
	for i := range n.readies {
		r := &n.readies[i]
		for _, m := range r.ready.Early {
			n.sendEarly(r.hosted, m)
		}
	}
	n.flush()
	if err := n.write(); err != nil {
		return err
	}
	for i := range n.readies {
		r := &n.readies[i]
		for _, m := range r.ready.Late {
			n.sendRaft(r.hosted, m)
		}
	}
	n.flush()
	for i := range n.readies {
		if err := n.applyReady(&n.readies[i]); err != nil {
			return err
		}
	}
	return nil
}

// write installs received snapshots, and appends all groups' entries in one batch.
func (n *Node) write() error {
	n.writes = n.writes[:0]
	entries := 0
	for i := range n.readies {
		r := &n.readies[i]
		if r.ready.Snapshot != nil {
			if err := n.install(r.hosted, r.ready.Snapshot); err != nil {
				return err
			}
		}
		if r.ready.HasWrite {
			n.writes = append(n.writes, r.ready.Write)
			entries += len(r.ready.Write.Entries)
			r.hosted.marks.note(r.ready.Write.Entries)
		}
	}
	if len(n.writes) == 0 {
		return nil
	}
	if err := n.disk.Append(n.writes); err != nil {
		return fmt.Errorf("write the log: %w", err)
	}
	n.noteSynced()
	clear(n.writes)
	if entries > 0 {
		n.counters.turnEntries.Observe(float64(entries))
	}
	return nil
}

// install makes a received snapshot the group's state and log.
func (n *Node) install(h *hosted, snapshot *raftpb.Snapshot) error {
	index := snapshot.GetMetadata().GetIndex()
	flotilla.Assert(h.staged != nil && h.staged.Mark().Index == index, "%v: snapshot at %d is not the staged one", h.id, index)
	if err := n.disk.Install(h.staged, h.group.HardState()); err != nil {
		return fmt.Errorf("install the snapshot of %v: %w", h.id, err)
	}
	h.staged = nil
	if err := h.group.Installed(); err != nil {
		return fmt.Errorf("read the snapshot of %v: %w", h.id, err)
	}
	n.found(h.id)
	n.journal.write(Note{Kind: NoteSnapshotInstalled, Group: h.id, Index: index})
	if h.id == flotilla.Directory {
		n.directoryApplied(h) // the snapshot may be of before the first directory was written
	}
	n.isChanged = true
	return nil
}

// applyReady applies what was committed, and answers whom that concerns.
func (n *Node) applyReady(r *readyGroup) error {
	h := r.hosted
	if len(r.ready.Committed) > 0 {
		isLeader := h.group.IsLeader()
		began := n.stopwatch()
		carried := h.group.Carried()
		n.pulse.toggle()
		err := h.group.Apply(r.ready.Committed, func(o consensus.Outcome) {
			if o.Origin == n.cfg.Self {
				n.outcomes = append(n.outcomes, outcomeItem{group: h.id, outcome: o})
				return
			}
			if p := n.peers[o.Origin]; p != nil && isLeader {
				p.frame = appendOutcomeItem(p.frame, h.id, &o)
			}
		})
		n.pulse.toggle()
		if err != nil {
			return err
		}
		n.counters.applySeconds.Observe(n.stopwatch() - began)
		if len(h.traces) > 0 {
			n.noteApplied(h)
		}
		if n.journal != nil {
			n.noteMembers(h)
		}
		for i := range n.outcomes { // only now is it visible to reads
			n.resolve(n.outcomes[i].group, &n.outcomes[i].outcome)
		}
		clear(n.outcomes)
		n.outcomes = n.outcomes[:0]
		if carried > 0 && h.group.Carried() == 0 {
			n.gather(h, carried)
		}
		if h.id == flotilla.Directory {
			n.directoryApplied(h)
		}
	}
	h.group.Done(r.ready)
	if r.ready.RoleChanged || h.wasLeader != h.group.IsLeader() {
		n.roleChanged(h)
	}
	n.releaseReads(h)
	return nil
}

// stopwatch returns seconds since some moment, or 0 where nobody measures.
func (n *Node) stopwatch() float64 {
	if n.seconds == nil {
		return 0
	}
	return n.seconds()
}

// roleChanged takes note of who leads now.
func (n *Node) roleChanged(h *hosted) {
	n.isChanged = true
	isLeader := h.group.IsLeader()
	if isLeader && !h.wasLeader {
		n.counters.elections++
	}
	h.wasLeader = isLeader
	leader := h.nodeOf(h.group.Leader())
	if leader == 0 {
		n.loseLeader(h.route, h.group.Term())
		return
	}
	n.setLeader(h.route, leader, h.group.Term())
}

// sendEarly sends a message that need not wait for our disk. One that only carries
// the commit index is held back for a moment: the next append carries it too.
func (n *Node) sendEarly(h *hosted, m *raftpb.Message) {
	switch m.GetType() {
	case raftpb.MsgApp:
		h.unhold(m.GetTo())
		if len(m.GetEntries()) == 0 {
			h.held = append(h.held, heldMessage{message: m, until: n.mono + holdMillis})
			return
		}
	case raftpb.MsgSnap:
		n.sendSnapshot(h, m)
		return
	}
	n.sendRaft(h, m)
}

// unhold forgets what was held back for a replica, now that something newer goes out.
func (h *hosted) unhold(to uint64) {
	h.held = slices.DeleteFunc(h.held, func(held heldMessage) bool { return held.message.GetTo() == to })
}

// releaseHeld sends commit indexes that have waited long enough.
func (n *Node) releaseHeld() {
	for _, h := range n.order {
		for len(h.held) > 0 && n.mono >= h.held[0].until {
			n.sendRaft(h, h.held[0].message)
			h.held = slices.Delete(h.held, 0, 1)
		}
	}
}

// sendRaft puts a message into the frame for the node that its replica is on.
func (n *Node) sendRaft(h *hosted, m *raftpb.Message) {
	p := n.peers[h.nodeOf(flotilla.ReplicaID(m.GetTo()))]
	if p == nil || n.fallsSilent(h, m) {
		return
	}
	if n.journal != nil {
		n.noteMessage(h, p, m)
	}
	p.frame = appendRaftItem(p.frame, h.id, m)
}

// sendSnapshot leaves a snapshot for the shell to stream.
func (n *Node) sendSnapshot(h *hosted, m *raftpb.Message) {
	replica := flotilla.ReplicaID(m.GetTo())
	to := h.group.Members().Node[replica]
	view := h.state.View(true)
	message, err := consensus.SnapshotMessage(m, view)
	if to == 0 || err != nil {
		view.Close()
		h.group.ReportSnapshot(replica, false)
		return
	}
	n.counters.snapshots++
	n.journal.write(Note{Kind: NoteSnapshotSent, Group: h.id, Peer: to, Index: message.GetSnapshot().GetMetadata().GetIndex()})
	n.snapshots = append(n.snapshots, SnapshotJob{to: to, group: h.id, replica: replica, message: message, view: view,
		stamp: n.journal.newest()})
}

// snapshotDone takes the shell's word on how sending a snapshot went.
func (n *Node) snapshotDone(group flotilla.GroupID, replica flotilla.ReplicaID, ok bool) {
	if h := n.hosted[group]; h != nil {
		kind := NoteSnapshotDone
		if !ok {
			kind = NoteSnapshotFailed
		}
		n.journal.write(Note{Kind: kind, Group: group, Peer: h.nodeOf(replica)})
		h.group.ReportSnapshot(replica, ok)
		n.markDirty(h)
	}
}

// flush hands the frames to the transport.
func (n *Node) flush() {
	n.stampFrames()
	if n.isRelaying {
		n.wrap()
	}
	for _, p := range n.peerOrder {
		if len(p.frame) == 0 {
			continue
		}
		n.transport.Send(p.id, p.frame)
		p.emptyFrame()
	}
}

func (p *peer) emptyFrame() {
	p.frame = p.frame[:0]
	if cap(p.frame) > maxKeptFrame {
		p.frame = nil
	}
}

// maxKeptFrame is how much memory a peer's empty frame may keep.
const maxKeptFrame = 1 << 20

// NextWake returns when, on the monotonic clock, a turn is due without new input,
// or flotilla.Never.
func (n *Node) NextWake() flotilla.Millis {
	at := flotilla.Never
	for _, h := range n.order {
		if h.isDirty {
			return n.mono // the turn ended with work left over
		}
		if h.gathering.wanted > 0 {
			at = min(at, h.gathering.until)
		}
		if len(h.held) > 0 {
			at = min(at, h.held[0].until)
		}
		if h.dueAt != flotilla.Never {
			at = min(at, n.mono+max(0, h.dueAt-n.wall))
		}
	}
	return at
}

package cluster

import (
	"slices"

	"flotilla"
	"flotilla/consensus"

	"go.etcd.io/raft/v3/raftpb"
)

// How entries are followed. While somebody watches, a leader chooses an entry now and
// then, and the entries that may hold a write whose client asked for it. It says so in
// the frames that carry them, so that followers note the same entries, however busy they
// are. Nothing here decides anything: a node without a journal does the same.
const (
	// sampleMicros is how long a leader waits, at least, from one entry that it chose to
	// the next.
	sampleMicros = 250_000
	// maxTraces is how many entries of a group may be followed at a time; more are not.
	maxTraces = 16
	// maxTraceTicks is when an entry is given up that did not get applied, lateTicks is
	// how long a leader waits for the last followers of one that did.
	maxTraceTicks = 200
	lateTicks     = 20
)

// trace is an entry that is followed.
type trace struct {
	index, term uint64
	tick        uint64
	isReceived  bool
	isSynced    bool
	isAcked     bool
	isCommitted bool
	isApplied   bool
	sent        []flotilla.NodeID // on the leader: to whom it was sent
	counted     []flotilla.NodeID // and who said that it has it
}

// entryMark says in a frame that an entry is followed.
type entryMark struct {
	group       flotilla.GroupID
	index, term uint64
}

// startTrace follows an entry, unless too many are.
func (n *Node) startTrace(h *hosted, index, term uint64) {
	isKnown := slices.ContainsFunc(h.traces, func(t trace) bool { return t.index == index && t.term == term })
	if !isKnown && len(h.traces) < maxTraces {
		h.traces = append(h.traces, trace{index: index, term: term, tick: n.ticks})
	}
}

// endTraces gives up what takes long.
func (n *Node) endTraces() {
	for _, h := range n.order {
		h.traces = slices.DeleteFunc(h.traces, func(t trace) bool {
			return n.ticks-t.tick > maxTraceTicks || t.isApplied && n.ticks-t.tick > lateTicks
		})
	}
}

// noteReady writes down what a group's Ready says, before anything is done about it: a
// new role, entries that are new here, entries that a majority has.
func (n *Node) noteReady(r *readyGroup) {
	h := r.hosted
	if r.ready.RoleChanged {
		n.noteRole(h)
	}
	if r.ready.HasWrite && len(r.ready.Write.Entries) > 0 {
		n.noteEntries(h, r.ready.Write.Entries)
	}
	if len(h.traces) > 0 && len(r.ready.Committed) > 0 {
		last := r.ready.Committed[len(r.ready.Committed)-1].GetIndex()
		for i := range h.traces {
			if t := &h.traces[i]; t.index <= last && !t.isCommitted && t.isReceived {
				t.isCommitted = true
				n.noteEntry(NoteCommitted, h, t, 0, 0)
			}
		}
	}
}

// noteRole writes down a group's role, and who leads.
func (n *Node) noteRole(h *hosted) {
	role, term, leader := h.group.Role(), h.group.Term(), h.nodeOf(h.group.Leader())
	if h.group.IsOnTrial() {
		role = RoleTrial
	}
	if role == h.notedRole && term == h.notedTerm && leader == h.notedLeader {
		return
	}
	note := Note{Kind: NoteRole, Group: h.id, Word: role, Term: term, Peer: leader}
	if role == "candidate" || role == RoleTrial {
		note.Peer = h.notedLeader
		if p := n.peers[h.notedLeader]; p != nil && p.heardTick > 0 {
			note.Value = int64(n.ticks-p.heardTick) * int64(n.cfg.TickMillis)
		}
	}
	note.Index = h.group.HardState().GetCommit()
	if leader != 0 || role != "follower" {
		h.notedLeader = leader
	}
	h.notedRole, h.notedTerm = role, term
	if role == "leader" {
		h.tracesWanted, h.traces = 0, h.traces[:0]
	}
	n.journal.write(note)
}

// noteEntries writes down that entries that are followed came to be, on the leader, or
// came to this follower.
func (n *Node) noteEntries(h *hosted, entries []*raftpb.Entry) {
	if h.group.IsLeader() {
		n.chooseEntries(h, entries)
	}
	for i := range h.traces {
		t := &h.traces[i]
		at := slices.IndexFunc(entries, func(e *raftpb.Entry) bool { return e.GetIndex() == t.index && e.GetTerm() == t.term })
		if at < 0 || t.isReceived {
			continue
		}
		t.isReceived = true
		kind := NoteReceived
		if h.group.IsLeader() {
			kind = NoteProposed
		}
		n.noteEntry(kind, h, t, 0, int64(consensus.CountCommands(entries[at].GetData())))
	}
}

// chooseEntries has a leader choose which of its new entries are followed.
func (n *Node) chooseEntries(h *hosted, entries []*raftpb.Entry) {
	for _, e := range entries {
		if e.GetType() != raftpb.EntryNormal || len(e.GetData()) == 0 {
			continue
		}
		if h.tracesWanted > 0 {
			h.tracesWanted--
			n.startTrace(h, e.GetIndex(), e.GetTerm())
			continue
		}
		if n.journal.watchedUntil.Load() == 0 {
			continue
		}
		if now := n.journal.micros(); n.journal.isWatched(now) && now-n.sampledAt >= sampleMicros {
			n.sampledAt = now
			n.startTrace(h, e.GetIndex(), e.GetTerm())
		}
	}
}

// noteEntry writes down a step of an entry that is followed.
func (n *Node) noteEntry(kind NoteKind, h *hosted, t *trace, peer flotilla.NodeID, value int64) {
	n.journal.write(Note{Kind: kind, Group: h.id, Peer: peer, Term: t.term, Index: t.index, Value: value})
}

// noteSynced writes down which entries that are followed are on the disk now.
func (n *Node) noteSynced() {
	for i := range n.readies {
		r := &n.readies[i]
		if !r.ready.HasWrite || len(r.hosted.traces) == 0 {
			continue
		}
		for j := range r.hosted.traces {
			if t := &r.hosted.traces[j]; t.isReceived && !t.isSynced {
				t.isSynced = true
				n.noteEntry(NoteSynced, r.hosted, t, 0, 0)
			}
		}
	}
}

// noteApplied writes down which entries that are followed are applied now. A follower
// then forgets them, a leader once all followers have them.
func (n *Node) noteApplied(h *hosted) {
	mark := h.state.Mark().Index
	for i := range h.traces {
		if t := &h.traces[i]; t.isCommitted && !t.isApplied && t.index <= mark {
			t.isApplied = true
			n.noteEntry(NoteApplied, h, t, 0, 0)
		}
	}
	others := 0
	if h.group.IsLeader() {
		others = len(h.group.Members().Node) - 1
	}
	h.traces = slices.DeleteFunc(h.traces, func(t trace) bool { return t.isApplied && len(t.counted) >= others })
}

// noteMembers writes down that a group has other members than before.
func (n *Node) noteMembers(h *hosted) {
	if now := h.group.Members().Conf; now != h.notedConf {
		h.notedConf = now
		n.journal.write(Note{Kind: NoteMembers, Group: h.id, Word: describeMembers(h.group.Members())})
	}
}

// describeMembers names the nodes of a group's voters, and those that only learn.
func describeMembers(m *consensus.Members) string {
	names := func(ids []uint64) string {
		text := ""
		for _, id := range ids {
			text += " " + m.Node[flotilla.ReplicaID(id)].String()
		}
		return text
	}
	text := "voters" + names(m.Conf.GetVoters())
	if learners := m.Conf.GetLearners(); len(learners) > 0 {
		text += ", learners" + names(learners)
	}
	return text
}

// noteMessage writes down what a message says that is about to be sent to a peer.
func (n *Node) noteMessage(h *hosted, p *peer, m *raftpb.Message) {
	kind := NoteKind("")
	switch m.GetType() {
	case raftpb.MsgApp:
		n.noteSent(h, p, m)
		return
	case raftpb.MsgAppResp:
		n.noteAcknowledged(h, p, m)
		return
	case raftpb.MsgVote:
		kind = NoteVoteAsked
	case raftpb.MsgPreVote:
		kind = NoteTrialAsked
	case raftpb.MsgVoteResp:
		kind = NoteVoteGiven
		if m.GetReject() {
			kind = NoteVoteRefused
		}
	case raftpb.MsgPreVoteResp:
		kind = NoteTrialGiven
		if m.GetReject() {
			kind = NoteTrialRefused
		}
	case raftpb.MsgTimeoutNow:
		kind = NoteHandOver
	default:
		return
	}
	note := Note{Kind: kind, Group: h.id, Peer: p.id, Term: m.GetTerm(), Index: m.GetIndex()}
	if kind == NoteVoteRefused || kind == NoteTrialRefused {
		r := h.group.Refusal(flotilla.ReplicaID(m.GetTo()))
		note.Word, note.Index, note.Value = string(r.Why), r.Index, int64(h.nodeOf(r.Replica))
	}
	n.journal.write(note)
}

// noteSent marks, in the frame that carries them, the entries that are followed.
func (n *Node) noteSent(h *hosted, p *peer, m *raftpb.Message) {
	entries := m.GetEntries()
	if len(h.traces) == 0 || len(entries) == 0 {
		return
	}
	first, last := entries[0].GetIndex(), entries[len(entries)-1].GetIndex()
	for i := range h.traces {
		t := &h.traces[i]
		// A mark of an earlier leader may come late, when this node leads: of that entry it
		// can not say how it came here.
		if t.index < first || t.index > last || !t.isReceived || entries[t.index-first].GetTerm() != t.term {
			continue
		}
		p.frame = appendUvarints(append(p.frame, itemEntryMark), uint64(h.id), t.index, t.term)
		if !slices.Contains(t.sent, p.id) {
			t.sent = append(t.sent, p.id)
			n.noteEntry(NoteSent, h, t, p.id, 0)
		}
	}
}

// noteAcknowledged writes down that a follower tells the leader what it has on disk.
func (n *Node) noteAcknowledged(h *hosted, p *peer, m *raftpb.Message) {
	for i := range h.traces {
		if t := &h.traces[i]; !m.GetReject() && t.isSynced && !t.isAcked && m.GetIndex() >= t.index {
			t.isAcked = true
			n.noteEntry(NoteAcknowledged, h, t, p.id, 0)
		}
	}
}

// noteCounted writes down that a leader heard from a follower what that has on disk.
func (n *Node) noteCounted(h *hosted, from flotilla.NodeID, m *raftpb.Message) {
	if m.GetType() != raftpb.MsgAppResp || m.GetReject() || !h.group.IsLeader() || m.GetTerm() != h.group.Term() {
		return
	}
	for i := range h.traces {
		if t := &h.traces[i]; m.GetIndex() >= t.index && slices.Contains(t.sent, from) && !slices.Contains(t.counted, from) {
			t.counted = append(t.counted, from)
			n.noteEntry(NoteCounted, h, t, from, 0)
		}
	}
}

// takeMarks takes what a frame says of its notes: what is written from now on is later
// than its sender's, and which entries and writes are followed.
func (n *Node) takeMarks(f *Frame) {
	if n.journal == nil {
		return
	}
	n.journal.see(f.stamp)
	for _, m := range f.entryMarks {
		if h := n.hosted[m.group]; h != nil {
			n.startTrace(h, m.index, m.term)
		}
	}
	for _, g := range f.callMarks {
		if h := n.hosted[g]; h != nil {
			h.tracesWanted = tracesForCall
		}
	}
}

// tracesForCall is how many of a leader's next entries are followed when one of them is
// to hold a write that somebody follows: there may be one on its way before it.
const tracesForCall = 3

// noteParcel writes down that a parcel with calls that are followed goes to the leader,
// and tells that node.
func (n *Node) noteParcel(r *route, p *sentParcel) {
	if n.journal == nil || p.trace == 0 || r.leader == 0 {
		return
	}
	if to := n.peers[r.leader]; to != nil {
		to.frame = appendUvarints(append(to.frame, itemCallMark), uint64(r.group))
	} else if h := n.hosted[r.group]; h != nil {
		h.tracesWanted = tracesForCall
	}
	n.journal.write(Note{Kind: NoteForwarded, Group: r.group, Peer: r.leader, Term: r.term, Call: p.trace})
}

// noteAnswered writes down that the calls of a parcel that are followed are answered.
func (n *Node) noteAnswered(r *route, p *sentParcel, o *consensus.Outcome) {
	if n.journal != nil && p.trace != 0 {
		n.journal.write(Note{Kind: NoteAnswered, Group: r.group, Index: o.Index, Call: p.trace})
	}
}

// stampFrames has each frame say how late it is in the order of notes.
func (n *Node) stampFrames() {
	if n.journal == nil || n.journal.last == 0 {
		return
	}
	for _, p := range n.peerOrder {
		if len(p.frame) > 0 {
			p.frame = appendStamp(p.frame, n.journal)
		}
	}
}

// appendStamp appends the newest stamp of a journal, if there is one.
func appendStamp(frame []byte, j *Journal) []byte {
	if j == nil || j.last == 0 {
		return frame
	}
	return appendUvarints(append(frame, itemStamp), j.last)
}

package consensus

import (
	"encoding/binary"
	"fmt"
	"slices"

	"flotilla"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"
)

// Ready is the work that a group asks its driver for, in this order: send Early;
// store Write, with those of other groups, in one synced batch (or install the
// snapshot); send Late; call Apply with Committed; call Done. Ready may then be
// asked again.
type Ready struct {
	// Early are a leader's messages that may leave before its own disk has the
	// entries (Ongaro, section 10.2.1). A MsgSnap needs its content sent along.
	Early []*raftpb.Message
	Write Write
	// HasWrite says that there is something in Write.
	HasWrite bool
	// Snapshot is one that was received and must now be installed.
	Snapshot *raftpb.Snapshot
	// Late may only leave once Write is on disk: votes and acknowledgements.
	Late      []*raftpb.Message
	Committed []*raftpb.Entry
	// RoleChanged says that the leader or this replica's role may be new.
	RoleChanged bool

	raw raft.Ready
}

// Ready returns what there is to do, and whether there is anything.
func (g *Group) Ready() (Ready, bool) {
	if !g.raw.HasReady() {
		return Ready{}, false
	}
	rd := g.raw.Ready()
	r := Ready{Committed: rd.CommittedEntries, RoleChanged: rd.SoftState != nil, raw: rd}
	// A commit index alone is not worth a write: it is learned again. But that the
	// members have changed must not be forgotten once anyone acted on it: all who knew
	// may lose power, and those who did not would ask the wrong replicas for votes.
	isChanging := slices.ContainsFunc(rd.CommittedEntries, isChange)
	if r.HasWrite = rd.MustSync || isChanging; r.HasWrite {
		r.Write = Write{Group: g.id, HardState: rd.HardState, Entries: rd.Entries}
	}
	if isChanging {
		r.Write.HardState = g.HardState()
	}
	for _, m := range withoutRepeats(rd.Messages) {
		if isEarly(m) {
			r.Early = append(r.Early, m)
		} else {
			r.Late = append(r.Late, m)
		}
	}
	if !raft.IsEmptySnap(rd.Snapshot) {
		r.Snapshot = rd.Snapshot
	}
	for _, read := range rd.ReadStates {
		g.confirm(read)
	}
	return r, true
}

// withoutRepeats leaves one answer to each leader of all that heartbeats of the same term
// are given at once, as a process gives them that was paused: for each, the leader of a
// replica that is behind would send the same entries again. The one with the highest
// read position stays, which stands for all below it.
func withoutRepeats(messages []*raftpb.Message) []*raftpb.Message {
	type leader struct{ id, term uint64 }
	var best map[leader]*raftpb.Message
	first, repeats := (*raftpb.Message)(nil), 0
	for _, m := range messages {
		if m.GetType() != raftpb.MsgHeartbeatResp {
			continue
		}
		if first == nil {
			first = m // mostly there is one, or none
			continue
		}
		if repeats++; best == nil {
			best = map[leader]*raftpb.Message{{first.GetTo(), first.GetTerm()}: first}
		}
		to := leader{m.GetTo(), m.GetTerm()}
		if b := best[to]; b == nil || readPosition(m) >= readPosition(b) {
			best[to] = m
		}
	}
	if repeats == 0 {
		return messages
	}
	return slices.DeleteFunc(slices.Clone(messages), func(m *raftpb.Message) bool {
		return m.GetType() == raftpb.MsgHeartbeatResp && best[leader{m.GetTo(), m.GetTerm()}] != m
	})
}

// readPosition returns up to which of a leader's open reads a heartbeat, or its answer,
// confirms that it leads; raft's readOnly writes and reads it so.
func readPosition(m *raftpb.Message) uint64 {
	if context := m.GetContext(); len(context) == 8 {
		return binary.LittleEndian.Uint64(context)
	}
	return 0
}

func isChange(e *raftpb.Entry) bool { return e.GetType() != raftpb.EntryNormal }

// isEarly says which messages promise nothing about the sender's own disk.
func isEarly(m *raftpb.Message) bool {
	switch m.GetType() {
	case raftpb.MsgApp, raftpb.MsgHeartbeat, raftpb.MsgHeartbeatResp, raftpb.MsgSnap, raftpb.MsgReadIndex, raftpb.MsgReadIndexResp:
		return true
	}
	return false
}

// confirm notes that a read round was confirmed.
func (g *Group) confirm(read raft.ReadState) {
	context := read.RequestCtx
	if len(context) != 24 || beUint64(context) != uint64(g.replica) || beUint64(context[8:]) != g.reads.seed {
		return // of an earlier life
	}
	if round := beUint64(context[16:]); round > g.reads.confirmed {
		g.reads.confirmed, g.reads.index = round, read.Index
	}
}

func beUint64(b []byte) (v uint64) {
	for _, c := range b[:8] {
		v = v<<8 | uint64(c)
	}
	return v
}

// Done tells that all that a Ready asked for was done.
func (g *Group) Done(r Ready) {
	g.raw.Advance(r.raw)
	g.observe()
}

// Installed tells that a Ready's snapshot replaced state and log.
func (g *Group) Installed() error { return g.installed() }

// HardState returns what Raft must remember, as it is now.
func (g *Group) HardState() *raftpb.HardState { return g.raw.BasicStatus().HardState }

// SnapshotMessage makes a leader's MsgSnap describe the state in a view, which
// may be newer than when Raft asked for it.
func SnapshotMessage(m *raftpb.Message, view View) (*raftpb.Message, error) {
	members, err := DecodeMembers(view.Get)
	if err != nil {
		return nil, fmt.Errorf("read members of the snapshot: %w", err)
	}
	m = proto.CloneOf(m)
	mark := view.Mark()
	m.Snapshot = &raftpb.Snapshot{Metadata: &raftpb.SnapshotMetadata{Index: &mark.Index, Term: &mark.Term, ConfState: members.Conf}}
	return m, nil
}

// ReportSnapshot tells Raft what became of a snapshot that was sent.
func (g *Group) ReportSnapshot(to flotilla.ReplicaID, ok bool) {
	status := raft.SnapshotFinish
	if !ok {
		status = raft.SnapshotFailure
	}
	g.raw.ReportSnapshot(uint64(to), status)
}

// ReportUnreachable tells Raft that a replica can not be reached just now.
func (g *Group) ReportUnreachable(to flotilla.ReplicaID) { g.raw.ReportUnreachable(uint64(to)) }

// applyChange applies a committed change of the members.
func (g *Group) applyChange(e *raftpb.Entry) error {
	var change raftpb.ConfChangeV2
	if e.GetType() == raftpb.EntryConfChange {
		return fmt.Errorf("a conf change of the old form")
	}
	if err := proto.Unmarshal(e.GetData(), &change); err != nil {
		return err
	}
	conf := g.raw.ApplyConfChange(&change)
	if err := g.members.apply(conf, change.GetContext()); err != nil {
		return err
	}
	g.state.Set(membersKey, g.members.append(nil))
	return nil
}

// Replace proposes that a replica which lost its data makes way for a new one on
// the same node, first as a learner. It returns the new replica's id, or 0 if
// this replica does not lead. While another change is under way Raft makes an
// empty entry of the proposal, and nothing comes of it: ask again later.
func (g *Group) Replace(lost flotilla.ReplicaID, node flotilla.NodeID) flotilla.ReplicaID {
	fresh := g.members.Next
	change := &raftpb.ConfChangeV2{Context: appendChange(nil, map[flotilla.ReplicaID]flotilla.NodeID{fresh: node})}
	if lost != 0 {
		change.Changes = append(change.Changes, single(raftpb.ConfChangeRemoveNode, lost))
	}
	change.Changes = append(change.Changes, single(raftpb.ConfChangeAddLearnerNode, fresh))
	if !g.IsLeader() || g.raw.ProposeConfChange(change) != nil {
		return 0
	}
	return fresh
}

// Promote proposes that a learner becomes a voter.
func (g *Group) Promote(learner flotilla.ReplicaID) bool {
	change := &raftpb.ConfChangeV2{Changes: []*raftpb.ConfChangeSingle{single(raftpb.ConfChangeAddNode, learner)}}
	return g.IsLeader() && g.raw.ProposeConfChange(change) == nil
}

func single(kind raftpb.ConfChangeType, id flotilla.ReplicaID) *raftpb.ConfChangeSingle {
	n := uint64(id)
	return &raftpb.ConfChangeSingle{Type: &kind, NodeId: &n}
}

// IsLeader reports whether this replica leads, as far as it knows.
func (g *Group) IsLeader() bool { return g.isLeader }

// Leader returns the leader's replica, or 0 if none is known.
func (g *Group) Leader() flotilla.ReplicaID { return g.leader }

// Term returns the current term.
func (g *Group) Term() uint64 { return g.term }

// Members returns who belongs to the group. It must not be changed.
func (g *Group) Members() *Members { return &g.members }

// Replica returns which copy this is.
func (g *Group) Replica() flotilla.ReplicaID { return g.replica }

// Transfer asks the group's leader, if it is this replica, to make way for another.
func (g *Group) Transfer(to flotilla.ReplicaID) { g.raw.TransferLeader(uint64(to)) }

// Campaign starts an election now.
func (g *Group) Campaign() { _ = g.raw.Campaign() }

// SetNoRoom says whether entries proposed from now on tell that a disk is nearly full.
func (g *Group) SetNoRoom(noRoom bool) { g.noRoom = noRoom }

// DueAt returns when a machine next has something to do, or flotilla.Never.
func (g *Group) DueAt() flotilla.Millis { return g.apply.dueAt() }

// Pulse returns messages that say no more than that this replica is here: a leader's
// heartbeats, or a follower's answer to its leader's. They carry no commit index and
// confirm no read, so they hold however late they come.
func (g *Group) Pulse() []*raftpb.Message {
	kind, to := raftpb.MsgHeartbeatResp, []flotilla.ReplicaID{g.leader}
	switch {
	case g.isLeader:
		kind, to = raftpb.MsgHeartbeat, g.members.others(g.replica)
	case g.leader == 0:
		return nil
	}
	messages := make([]*raftpb.Message, 0, len(to))
	for _, id := range to {
		from, to, term := uint64(g.replica), uint64(id), g.term
		messages = append(messages, &raftpb.Message{Type: &kind, From: &from, To: &to, Term: &term})
	}
	return messages
}

// Role returns leader, follower, candidate or learner, as of now.
func (g *Group) Role() string {
	role := roleName(g.raw.BasicStatus().RaftState)
	if role == "follower" && !g.members.IsVoter(g.replica) {
		return "learner"
	}
	return role
}

// IsOnTrial reports whether the replica, a candidate, asks whether it would have votes (PreVote), not yet for them.
func (g *Group) IsOnTrial() bool { return g.raw.BasicStatus().RaftState == raft.StatePreCandidate }

// IsIdle reports whether nothing that a client asked for is waiting or on its way here.
func (g *Group) IsIdle() bool { return g.inFlight == 0 && len(g.waiting) == 0 }

// Stats is what a group can tell of itself.
type Stats struct {
	Role       string // leader, follower, candidate, learner
	Term       uint64
	Last       uint64 // index of the newest entry on disk
	First      uint64
	Commit     uint64
	Commands   uint64 // applied since the start
	Duplicates uint64 // parcels that were in the log twice, answered from memory
	Sessions   int
	EntrySizes flotilla.Histogram // commands of each entry that was applied since the start, empty ones left out
	Followers  []Follower         // known to the leader only
}

// Follower is one replica as its leader sees it.
type Follower struct {
	Replica   flotilla.ReplicaID
	Match     uint64
	State     string // StateProbe, StateReplicate, StateSnapshot
	IsLearner bool
	IsActive  bool // heard of lately
}

// Stats returns how the group stands.
func (g *Group) Stats() Stats {
	status := g.raw.BasicStatus()
	s := Stats{Role: g.Role(), Term: status.GetTerm(), Commit: status.GetCommit(),
		Commands: g.apply.commands, Duplicates: g.apply.duplicates, Sessions: len(g.apply.sessions.byID),
		EntrySizes: g.apply.sizes}
	s.Last, _ = g.log.LastIndex() // the log in memory does not fail
	s.First, _ = g.log.FirstIndex()
	if s.Role == "leader" {
		s.Followers = g.Followers()
	}
	return s
}

// Followers returns the other replicas as this one, which leads, sees them.
func (g *Group) Followers() []Follower {
	var all []Follower
	for id, p := range g.raw.Status().Progress {
		if id != uint64(g.replica) {
			all = append(all, Follower{Replica: flotilla.ReplicaID(id), Match: p.Match, State: p.State.String(),
				IsLearner: p.IsLearner, IsActive: p.RecentActive})
		}
	}
	return all
}

func roleName(s raft.StateType) string {
	switch s {
	case raft.StateLeader:
		return "leader"
	case raft.StateFollower:
		return "follower"
	}
	return "candidate"
}

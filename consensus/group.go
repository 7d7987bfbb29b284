package consensus

import (
	"encoding/binary"
	"errors"
	"fmt"

	"flotilla"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"
)

// Config is what a Group needs to be told.
type Config struct {
	Group    flotilla.GroupID
	Replica  flotilla.ReplicaID
	Log      Log
	State    State
	Machines map[flotilla.System]flotilla.Machine
	// ElectionTicks and HeartbeatTicks are counted in calls of Tick.
	ElectionTicks  int
	HeartbeatTicks int
	// MaxInFlight is how many entries of a leader may be on their way at a time;
	// what arrives meanwhile waits, and shares the next entry. Zero means 2.
	MaxInFlight int
	// Emit tells of machines' events; Listens says for which systems anyone cares.
	Emit    func(flotilla.Event)
	Listens func(flotilla.System) bool
}

// Limits of Raft's own queues, per group.
const (
	maxMessageBytes     = 1 << 20
	maxInflightMessages = 256
	maxInflightBytes    = 4 << 20
	maxUncommittedBytes = 64 << 20
	maxCommittedBytes   = 1 << 20
	// MaxWaitingBytes is how much may wait on the leader for the next entry.
	MaxWaitingBytes = 64 << 20
	// readRetryTicks is when a read round that was not confirmed is started again.
	readRetryTicks = 10
)

// Group is one replica of one group, as a value that is stepped. It is not safe
// for concurrent use. See Ready for what its driver must do.
type Group struct {
	id      flotilla.GroupID
	replica flotilla.ReplicaID
	raw     *raft.RawNode
	log     Log
	state   State
	members Members
	apply   *applier

	waiting      []waitingParcel // for the next entry; only while leading
	waitingBytes int
	inFlight     int // entries with commands proposed in this term and not yet applied
	carried      int // commands in these
	maxInFlight  int
	term         uint64 // in which the fields above were filled
	isLeader     bool   // as of the last Advance or Done
	leader       flotilla.ReplicaID
	noRoom       bool
	learned      uint64 // an index that is committed, as Learn was told
	config       raft.Config
	refusals     map[flotilla.ReplicaID]Refusal // of votes, the last of each that asked

	reads readRounds
}

// waitingParcel is a parcel that is in no entry yet.
type waitingParcel struct {
	bytes    []byte
	commands int
}

// readRounds counts the confirmations that linearizable reads wait for. A read
// joins the next round to be started; each confirmed round confirms those before.
type readRounds struct {
	wanted    bool
	started   uint64 // the newest round asked for
	ticks     int    // since then
	confirmed uint64
	index     uint64 // what the confirmed round's reads must have applied
	seed      uint64 // makes contexts unique over restarts
}

// Open returns a replica that goes on from what is on its disk. readSeed makes
// the read rounds' names unique: no two lives of a replica should share one.
func Open(cfg Config, readSeed uint64) (*Group, error) {
	members, err := DecodeMembers(cfg.State.Get)
	if err != nil {
		return nil, fmt.Errorf("read members of %v: %w", cfg.Group, err)
	}
	g := &Group{id: cfg.Group, replica: cfg.Replica, log: cfg.Log, state: cfg.State, members: members,
		maxInFlight: max(cfg.MaxInFlight, 1), reads: readRounds{seed: readSeed}}
	if cfg.MaxInFlight == 0 {
		g.maxInFlight = 2
	}
	if g.apply, err = newApplier(cfg); err != nil {
		return nil, fmt.Errorf("read sessions of %v: %w", cfg.Group, err)
	}
	if err := cfg.State.Err(); err != nil {
		return nil, fmt.Errorf("read state of %v: %w", cfg.Group, err)
	}
	g.config = raft.Config{
		ID:                        uint64(cfg.Replica),
		ElectionTick:              cfg.ElectionTicks,
		HeartbeatTick:             cfg.HeartbeatTicks,
		Storage:                   &groupLog{Log: cfg.Log, group: g},
		MaxSizePerMsg:             maxMessageBytes,
		MaxCommittedSizePerReady:  maxCommittedBytes,
		MaxUncommittedEntriesSize: maxUncommittedBytes,
		MaxInflightMsgs:           maxInflightMessages,
		MaxInflightBytes:          maxInflightBytes,
		CheckQuorum:               true,
		PreVote:                   true,
		DisableProposalForwarding: true,
		StepDownOnRemoval:         true,
		Logger:                    quietLogger{},
	}
	return g, g.restart()
}

// restart has Raft begin anew with what is on the disk.
func (g *Group) restart() error {
	config := g.config
	config.Applied = g.state.Mark().Index
	raw, err := raft.NewRawNode(&config)
	if err != nil {
		return err
	}
	g.raw = raw
	g.observe()
	return nil
}

// Committed returns the newest entry that is known here to be committed.
func (g *Group) Committed() (index, term uint64) {
	index = g.raw.BasicStatus().GetCommit()
	term, err := g.log.Term(index)
	if err != nil {
		return 0, 0
	}
	return index, term
}

// Learn takes another replica's word that an entry is committed, as long as no leader
// is known that would say so. It must not be called between Ready and Done.
//
// Raft uses a configuration once it is applied, not once it is in the log as in
// Ongaro's thesis. A replica that has the longest log, but does not know how much of
// it is committed, would ask replicas for their votes that are no more, and refuse
// its own to those who know better, for ever. Two logs with the same term at an
// index are the same up to there: so what is committed there is committed here.
func (g *Group) Learn(index, term uint64) error {
	if g.leader != 0 || term == 0 || index <= g.raw.BasicStatus().GetCommit() {
		return nil
	}
	if own, err := g.log.Term(index); err != nil || own != term {
		return nil
	}
	g.learned = index
	return g.restart()
}

// groupLog adds to the log on disk what only the state knows.
type groupLog struct {
	Log
	group *Group
}

// InitialState returns the stored HardState, never behind what was applied: a
// state may be durable ahead of the HardState, and Raft would refuse to start.
func (l *groupLog) InitialState() (*raftpb.HardState, *raftpb.ConfState, error) {
	hard, _, err := l.Log.InitialState()
	if err != nil {
		return nil, nil, err
	}
	hard = proto.CloneOf(hard)
	if hard == nil {
		hard = &raftpb.HardState{}
	}
	mark := l.group.state.Mark()
	commit, term := max(hard.GetCommit(), mark.Index, l.group.learned), max(hard.GetTerm(), mark.Term)
	if term > hard.GetTerm() {
		hard.Vote = nil
	}
	hard.Commit, hard.Term = &commit, &term
	return hard, l.group.members.Conf, nil
}

// Snapshot describes the state as it is now; its content is streamed by the
// driver, which takes the view and corrects the description to match it.
func (l *groupLog) Snapshot() (*raftpb.Snapshot, error) {
	mark := l.group.state.Mark()
	if mark.Index == 0 {
		return nil, raft.ErrSnapshotTemporarilyUnavailable
	}
	return &raftpb.Snapshot{Metadata: &raftpb.SnapshotMetadata{Index: &mark.Index, Term: &mark.Term, ConfState: l.group.members.Conf}}, nil
}

// Tick tells that one tick has passed.
func (g *Group) Tick() {
	g.raw.Tick()
	g.reads.ticks++
}

// Step takes a message from another replica. Raft ignores what is out of date. An error
// wraps ErrLog, and is final: a leader never says in a heartbeat that more is committed than
// this replica has told it to have on disk, so some of that is gone. Or it wraps
// ErrContradicted: see there.
func (g *Group) Step(m *raftpb.Message) error {
	switch m.GetType() {
	case raftpb.MsgHeartbeat:
		if last, err := g.log.LastIndex(); err == nil && m.GetCommit() > last {
			return fmt.Errorf("%w: %v ends at entry %d, but entry %d was on disk: its tail is lost", ErrLog, g.id, last, m.GetCommit())
		}
	case raftpb.MsgVote, raftpb.MsgPreVote:
		g.noteAsked(m)
	case raftpb.MsgApp:
		if err := g.contradiction(m); err != nil {
			return err
		}
	}
	_ = g.raw.Step(m)
	return nil
}

// ErrContradicted says that a leader has another entry where this replica has one that is
// committed. Raft rules that out, so one of those who stored that entry has lost it unnoticed.
// This replica's data may be all that is left: it is not to be set aside, and not to go on.
var ErrContradicted = errors.New("consensus: the leader's log contradicts what is committed")

// contradiction compares what a leader sends with what was applied here: of what is committed but not
// applied, the log on disk may still have another entry. Leaders of earlier terms may be
// wrong, and are not heard anyway.
func (g *Group) contradiction(m *raftpb.Message) error {
	applied := g.state.Mark().Index
	if m.GetIndex() > applied || m.GetTerm() < g.raw.BasicStatus().GetTerm() {
		return nil
	}
	if err := g.differs(m, m.GetIndex(), m.GetLogTerm()); err != nil {
		return err
	}
	for _, e := range m.GetEntries() {
		if e.GetIndex() > applied {
			break
		}
		if err := g.differs(m, e.GetIndex(), e.GetTerm()); err != nil {
			return err
		}
	}
	return nil
}

// differs compares one entry that a leader has with ours, if that was not cut off.
func (g *Group) differs(m *raftpb.Message, index, term uint64) error {
	have, err := g.log.Term(index)
	if err != nil || have == term {
		return nil
	}
	return fmt.Errorf("%w: entry %d of %v was committed here in term %d, but replica %d leads in term %d with one of term %d: a node has lost acknowledged data unnoticed, see which of them was damaged before it is started again",
		ErrContradicted, index, g.id, have, m.GetFrom(), m.GetTerm(), term)
}

// Submit takes a parcel's bytes for the next entry, and reports whether this
// replica leads and has space. The group keeps the bytes.
func (g *Group) Submit(parcel []byte) bool {
	if !g.IsLeader() || g.waitingBytes+len(parcel) > MaxWaitingBytes {
		return false
	}
	head, _ := decodeParcelHead(parcel) // whether it is damaged is found when it is applied, by all replicas
	g.waiting = append(g.waiting, waitingParcel{bytes: parcel, commands: int(head.count)})
	g.waitingBytes += len(parcel)
	return true
}

// Waiting returns how many commands wait on this replica for the next entry.
func (g *Group) Waiting() (commands int) {
	for i := range g.waiting {
		commands += g.waiting[i].commands
	}
	return commands
}

// Carried returns how many commands this replica has in entries on their way.
func (g *Group) Carried() int { return g.carried }

// JoinRead returns the number of the round that a read arriving now waits for:
// it may look at the state once Confirmed has reached that round, and the state
// the index that came with it.
func (g *Group) JoinRead() uint64 {
	g.reads.wanted = true
	return g.reads.started + 1
}

// Confirmed returns the newest confirmed read round and its index.
func (g *Group) Confirmed() (round, index uint64) { return g.reads.confirmed, g.reads.index }

// StartedRound returns the newest read round that was started.
func (g *Group) StartedRound() uint64 { return g.reads.started }

// Advance starts what waits: an entry of all waiting parcels if few enough are
// on their way, an empty one if a machine's deadline has come, a read round.
func (g *Group) Advance(now flotilla.Millis) {
	g.observe()
	defer g.startRead()
	for g.isLeader && g.inFlight < g.maxInFlight && (len(g.waiting) > 0 || g.apply.isDue(now) && g.inFlight == 0) {
		if !g.propose(now) {
			return
		}
	}
}

// AdvanceReads is Advance without an entry: what waits for one goes on waiting.
func (g *Group) AdvanceReads() {
	g.observe()
	g.startRead()
}

// observe takes note of role and term. What waited for the next entry is dropped
// when this replica does not lead: its origins send it again.
func (g *Group) observe() {
	status := g.raw.BasicStatus()
	leader := flotilla.ReplicaID(status.Lead)
	if leader != 0 && (leader != g.leader || status.GetTerm() != g.term) {
		g.reads.ticks = readRetryTicks // a round that is open was asked of another leader: ask anew at once
	}
	g.isLeader, g.leader = status.RaftState == raft.StateLeader, leader
	if term := status.GetTerm(); !g.isLeader || term != g.term {
		g.inFlight, g.carried = 0, 0
		g.term = term
		if !g.isLeader {
			g.waiting, g.waitingBytes = nil, 0
		}
	}
}

// propose makes one entry of what waits.
func (g *Group) propose(now flotilla.Millis) bool {
	size, count := entryHeaderSize, 0
	for _, p := range g.waiting {
		if count > 0 && size+len(p.bytes) > MaxEntryBytes {
			break
		}
		size += len(p.bytes) + binary.MaxVarintLen32
		count++
	}
	flags := byte(0)
	if g.noRoom {
		flags |= flagNoRoom
	}
	data := appendEntryHeader(make([]byte, 0, size), flags, now)
	for _, p := range g.waiting[:count] {
		data = appendBytes(data, p.bytes)
	}
	if err := g.raw.Propose(data); err != nil {
		return false // a transfer is under way, or too much is uncommitted: they go on waiting
	}
	for _, p := range g.waiting[:count] {
		g.waitingBytes -= len(p.bytes)
		g.carried += p.commands
	}
	rest := copy(g.waiting, g.waiting[count:])
	clear(g.waiting[rest:])
	g.waiting = g.waiting[:rest]
	g.inFlight++
	return true
}

// startRead asks for a confirmation if reads wait for one that was not asked
// for, or that was asked for so long ago that it must be lost.
func (g *Group) startRead() {
	r := &g.reads
	isOpen := r.started > r.confirmed
	if g.leader == 0 || !isOpen && !r.wanted || isOpen && r.ticks < readRetryTicks {
		return
	}
	if g.isLeader && !g.hasCommitted() {
		return
	}
	r.started++
	r.wanted, r.ticks = false, 0
	context := binary.BigEndian.AppendUint64(nil, uint64(g.replica))
	context = binary.BigEndian.AppendUint64(context, r.seed)
	g.raw.ReadIndex(binary.BigEndian.AppendUint64(context, r.started))
}

// hasCommitted reports whether this leader has committed an entry of its term.
// Before, it does not know all that was acknowledged. Raft holds reads back until
// then by itself, but not in a group of one voter.
func (g *Group) hasCommitted() bool {
	status := g.raw.BasicStatus()
	term, err := g.log.Term(status.GetCommit())
	return err == nil && term == status.GetTerm()
}

// ErrLog is wrapped by errors that come from damaged bytes in log or state.
var ErrLog = errors.New("consensus: the log or the state is damaged")

// quietLogger drops Raft's chatter; broken invariants stop the program.
type quietLogger struct{}

func (quietLogger) Debug(...any)              {}
func (quietLogger) Debugf(string, ...any)     {}
func (quietLogger) Error(...any)              {}
func (quietLogger) Errorf(string, ...any)     {}
func (quietLogger) Info(...any)               {}
func (quietLogger) Infof(string, ...any)      {}
func (quietLogger) Warning(...any)            {}
func (quietLogger) Warningf(string, ...any)   {}
func (quietLogger) Fatal(v ...any)            { panic(fmt.Sprint(v...)) }
func (quietLogger) Fatalf(f string, v ...any) { panic(fmt.Sprintf(f, v...)) }
func (quietLogger) Panic(v ...any)            { panic(fmt.Sprint(v...)) }
func (quietLogger) Panicf(f string, v ...any) { panic(fmt.Sprintf(f, v...)) }

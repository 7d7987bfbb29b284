package consensus

import (
	"fmt"

	"flotilla"

	"go.etcd.io/raft/v3/raftpb"
)

// applier turns committed entries into state and outcomes.
type applier struct {
	group    flotilla.GroupID
	state    State
	systems  []systemState // in order of system
	bySystem [256]*systemState
	sessions *sessions
	emit     func(flotilla.Event)
	listens  func(flotilla.System) bool

	replies              replyList
	commands, duplicates uint64 // since the start
	sizes                flotilla.Histogram
}

// systemState is one machine with what it uses while an entry is applied.
type systemState struct {
	system  flotilla.System
	machine flotilla.Machine
	tx      flotilla.Tx
	dueAt   flotilla.Millis // Begin has nothing to do before
	isOpen  bool            // Begin was called for the entry at hand
}

func newApplier(cfg Config) (*applier, error) {
	a := &applier{group: cfg.Group, state: cfg.State, emit: cfg.Emit, listens: cfg.Listens,
		sizes: flotilla.NewHistogram(flotilla.SizeBounds())}
	for system := range 256 {
		if m, ok := cfg.Machines[flotilla.System(system)]; ok {
			a.systems = append(a.systems, systemState{system: flotilla.System(system), machine: m})
		}
	}
	for i := range a.systems {
		a.bySystem[a.systems[i].system] = &a.systems[i]
	}
	return a, a.reload()
}

// reload reads from the state what the applier keeps in memory of it.
func (a *applier) reload() error {
	var err error
	a.sessions, err = loadSessions(a.state)
	for i := range a.systems {
		a.systems[i].dueAt = a.systems[i].machine.Deadline(a.state)
	}
	return err
}

// isDue reports whether a machine has something to do at a time.
func (a *applier) isDue(now flotilla.Millis) bool {
	return a.dueAt() <= now
}

// dueAt returns the earliest time at which a machine has something to do.
func (a *applier) dueAt() flotilla.Millis {
	at := flotilla.Never
	for i := range a.systems {
		at = min(at, a.systems[i].dueAt)
	}
	return at
}

// entry applies one entry's parcels at a time that was made sure not to run backwards.
func (a *applier) entry(index uint64, head entryHead, last flotilla.Millis, visit func(Outcome)) error {
	for i := range a.systems {
		if s := &a.systems[i]; s.dueAt <= head.time {
			a.begin(s, index, head)
		}
	}
	ordinal := 0
	for len(head.parcels.rest) > 0 {
		parcel := head.parcels.bytes()
		if head.parcels.err != nil {
			return head.parcels.err
		}
		outcome, err := a.parcel(parcel, index, head, &ordinal)
		if err != nil {
			return err
		}
		visit(outcome)
	}
	for i := range a.systems {
		if s := &a.systems[i]; s.isOpen {
			a.end(s)
		}
	}
	if ordinal > 0 {
		a.sizes.Observe(float64(ordinal))
	}
	if head.time/sweepEachMillis != last/sweepEachMillis {
		a.sessions.sweep(a.state, head.time)
	}
	a.sessions.save(a.state)
	return nil
}

// begin opens an entry for a machine, and lets it do what fell due.
func (a *applier) begin(s *systemState, index uint64, head entryHead) {
	s.isOpen = true
	s.tx = flotilla.Tx{State: a.state, Group: a.group, Index: index, Time: head.time, NoRoom: head.flags&flagNoRoom != 0}
	if a.listens != nil && a.listens(s.system) {
		s.tx.Emit = a.emit
	}
	if s.dueAt <= head.time {
		s.dueAt = flotilla.Never // the machine asks anew for what remains
		s.machine.Begin(&s.tx)
	}
}

func (a *applier) end(s *systemState) {
	s.machine.End(&s.tx)
	s.dueAt = min(s.dueAt, s.tx.TakeWake())
	s.isOpen = false
}

// parcel applies one parcel unless it was applied before, and says what became of it.
func (a *applier) parcel(b []byte, index uint64, head entryHead, ordinal *int) (Outcome, error) {
	p, err := decodeParcelHead(b)
	if err != nil {
		return Outcome{}, err
	}
	o := Outcome{Origin: p.origin, Session: p.session, First: p.first, Index: index}
	if p.session == 0 {
		*ordinal++
		o.Session, o.Status = sessionID(index, *ordinal), Applied
		a.sessions.open(a.state, o.Session, p.origin, head.time)
		return o, nil
	}
	s := a.sessions.byID[p.session]
	if s == nil {
		o.Status = Expired
		return o, nil
	}
	a.sessions.touch(s, head.time)
	s.forget(p.low)
	if done := s.find(p.first); done != nil {
		a.duplicates++
		o.Status, o.Replies = Applied, done.replies
		return o, nil
	}
	if p.first < s.low {
		o.Status = Stale
		return o, nil
	}
	for range p.count {
		command := p.commands.bytes()
		if p.commands.err != nil {
			return o, p.commands.err
		}
		*ordinal++
		a.replies.add(a.command(command, index, head, *ordinal))
	}
	o.Status, o.Replies = Applied, a.replies.take()
	s.applied = append(s.applied, appliedParcel{first: p.first, count: p.count, replies: o.Replies})
	return o, nil
}

// sessionID numbers a session by its place in the log, as flotilla.Tx.Version does
// with commands: two in one group never get the same one.
func sessionID(index uint64, ordinal int) uint64 {
	return index*(flotilla.MaxCommandsPerEntry+1) + uint64(ordinal&flotilla.MaxCommandsPerEntry)
}

// command lets the machine it is meant for carry out one command.
func (a *applier) command(command []byte, index uint64, head entryHead, ordinal int) []byte {
	a.commands++
	if len(command) == 0 || a.bySystem[command[0]] == nil {
		return nil // no machine of this node's version knows it: nothing happens, and the reply is empty
	}
	s := a.bySystem[command[0]]
	if !s.isOpen {
		a.begin(s, index, head)
	}
	s.tx.Ordinal = ordinal
	return s.machine.Apply(&s.tx, command)
}

// Apply applies committed entries, commits the state once, and calls visit for
// each parcel's outcome. An error means that log or state is damaged: the replica must stop.
func (g *Group) Apply(entries []*raftpb.Entry, visit func(Outcome)) (err error) {
	defer func() {
		if failure := g.state.Err(); failure != nil {
			_ = recover() // what a machine asserts of a state that can not be read is no bug of the machine
			err = fmt.Errorf("%w: %v: %w", ErrLog, g.id, failure)
		}
	}()
	mark := g.state.Mark()
	for _, e := range entries {
		flotilla.Assert(e.GetIndex() == mark.Index+1, "%v: entry %d follows %d", g.id, e.GetIndex(), mark.Index)
		at := mark.Time
		if err := g.applyEntry(e, &at, visit); err != nil {
			return fmt.Errorf("%w: %v entry %d: %w", ErrLog, g.id, e.GetIndex(), err)
		}
		mark = Mark{Index: e.GetIndex(), Term: e.GetTerm(), Time: at}
	}
	if g.state.Err() == nil {
		g.state.Commit(mark)
	}
	return nil
}

// applyEntry applies one entry; at is the time of the one before, and becomes its own.
func (g *Group) applyEntry(e *raftpb.Entry, at *flotilla.Millis, visit func(Outcome)) error {
	switch e.GetType() {
	case raftpb.EntryConfChange, raftpb.EntryConfChangeV2:
		return g.applyChange(e)
	}
	if len(e.GetData()) == 0 {
		return nil // a new leader's first entry
	}
	if g.inFlight > 0 && e.GetTerm() == g.term {
		if g.inFlight--; g.inFlight == 0 {
			g.carried = 0
		}
	}
	head, err := decodeEntryHead(e.GetData())
	if err != nil {
		return err
	}
	last := *at
	head.time = max(head.time, last)
	*at = head.time
	return g.apply.entry(e.GetIndex(), head, last, visit)
}

// installed takes over a state that a snapshot has just replaced.
func (g *Group) installed() error {
	members, err := DecodeMembers(g.state.Get)
	if err != nil {
		return err
	}
	g.members = members
	return g.apply.reload()
}

package storage

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"sync"

	"flotilla"
	"flotilla/consensus"

	"go.etcd.io/raft/v3/raftpb"
)

// ErrCrashed is what a Memory returns once its hook has crashed it.
var ErrCrashed = errors.New("the disk in memory has crashed")

// Boundary is a moment of a Memory's life at which a power cut is interesting.
type Boundary string

// The boundaries: before something is on disk, and after it is but before anyone
// was told. BetweenInstall is when the state is the snapshot's and the log is not.
const (
	BeforeAppend   Boundary = "before append"
	AfterAppend    Boundary = "after append"
	BeforeFlush    Boundary = "before flush"
	AfterFlush     Boundary = "after flush"
	BeforeInstall  Boundary = "before install"
	BetweenInstall Boundary = "between install"
	AfterInstall   Boundary = "after install"
)

// MemoryOptions says how a Memory behaves.
type MemoryOptions struct {
	// Crash is asked at each boundary; true means that the power goes out there:
	// the call fails with ErrCrashed, as do all later ones. nil means never.
	Crash func(Boundary) bool
	// FlushCommits is after how many commits the states become durable; zero means 64.
	FlushCommits int
}

// Memory is a consensus.Disk in memory, with a model of what a power cut leaves:
// all that was appended, and of the states' commits a prefix that reaches at least
// to the last flush. Everything is done in the goroutine of the caller.
type Memory struct {
	opts MemoryOptions

	mu       sync.RWMutex // guards what follows
	groups   map[flotilla.GroupID]*memoryGroup
	pending  []memoryCommit // committed, not durable yet, in order
	isFull   bool
	hasCrash bool
	stats    consensus.DiskStats
}

type memoryGroup struct {
	log     *groupLog // its tail is the whole log
	state   *memoryState
	durable memoryCommit
}

// memoryCommit is a state as of a commit.
type memoryCommit struct {
	group *memoryGroup
	items *table
	mark  consensus.Mark
}

var _ consensus.Disk = (*Memory)(nil)

// NewMemory returns an empty disk.
func NewMemory(opts MemoryOptions) *Memory {
	setDefault(&opts.FlushCommits, 64)
	return &Memory{opts: opts, groups: map[flotilla.GroupID]*memoryGroup{}}
}

// Restart returns the disk as it is found after a power cut that left keep of the
// commits that were not durable, or all of them if keep is negative. It takes new
// options; the old disk must not be used any more.
func (m *Memory) Restart(opts MemoryOptions, keep int) *Memory {
	m.mu.Lock()
	defer m.mu.Unlock()
	if keep < 0 {
		keep = len(m.pending)
	}
	for _, c := range m.pending[:min(keep, len(m.pending))] {
		c.group.durable = c
	}
	next := NewMemory(opts)
	for id, g := range m.groups {
		l := g.log
		n := &memoryGroup{log: &groupLog{
			group: id, replica: l.replica, base: l.base, baseTerm: l.baseTerm, last: l.last,
			hard: l.hard, tail: slices.Clone(l.tail), tailBytes: l.tailBytes,
		}}
		n.durable = memoryCommit{group: n, items: g.durable.items, mark: g.durable.mark}
		n.state = &memoryState{disk: next, group: n, items: n.durable.items.writable(), mark: n.durable.mark}
		if term, err := n.log.term(n.durable.mark.Index); err != nil || term != n.durable.mark.Term {
			n.log.reset(l.replica, n.durable.mark, nil)
		}
		next.groups[id] = n
	}
	return next
}

// Pending returns how many commits are not durable yet: what Restart may keep.
func (m *Memory) Pending() int {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return len(m.pending)
}

// crashAt asks the hook; m.mu must not be held.
func (m *Memory) crashAt(b Boundary) error {
	if m.opts.Crash != nil && m.opts.Crash(b) {
		m.mu.Lock()
		m.hasCrash = true
		m.mu.Unlock()
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	if m.hasCrash {
		return ErrCrashed
	}
	return nil
}

func (m *Memory) lookup(id flotilla.GroupID) *memoryGroup {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.groups[id]
}

func (m *Memory) mustLookup(id flotilla.GroupID) *memoryGroup {
	g := m.lookup(id)
	flotilla.Assert(g != nil, "%v is not on this disk", id)
	return g
}

// Groups returns the replicas, in order of group.
func (m *Memory) Groups() []consensus.Replica {
	m.mu.RLock()
	defer m.mu.RUnlock()
	var replicas []consensus.Replica
	for id, g := range m.groups {
		replicas = append(replicas, consensus.Replica{Group: id, ID: g.log.replica})
	}
	slices.SortFunc(replicas, func(a, b consensus.Replica) int { return cmp.Compare(a.Group, b.Group) })
	return replicas
}

// Log returns the log of a group that is in Groups.
func (m *Memory) Log(id flotilla.GroupID) consensus.Log { return m.mustLookup(id).log }

// State returns the state of a group that is in Groups.
func (m *Memory) State(id flotilla.GroupID) consensus.State { return m.mustLookup(id).state }

// Create makes a replica; see consensus.Disk.
func (m *Memory) Create(replica consensus.Replica, initial []consensus.KeyValue) error {
	if m.lookup(replica.Group) != nil {
		return fmt.Errorf("create %v: it is here already", replica.Group)
	}
	if err := m.crashAt(BeforeInstall); err != nil {
		return err
	}
	var mark consensus.Mark
	if len(initial) > 0 {
		mark = consensus.Mark{Index: 1, Term: 1}
	}
	items := newTable()
	for _, kv := range initial {
		items.set(kv.Key, kv.Value)
	}
	m.enter(replica, items, mark, nil)
	return m.crashAt(AfterInstall)
}

func (m *Memory) enter(replica consensus.Replica, items *table, mark consensus.Mark, hard *raftpb.HardState) {
	g := &memoryGroup{log: &groupLog{group: replica.Group}}
	g.log.reset(replica.ID, mark, hard)
	g.durable = memoryCommit{group: g, items: items, mark: mark}
	g.state = &memoryState{disk: m, group: g, items: items.writable(), mark: mark}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.groups[replica.Group] = g
}

// Remove forgets a group.
func (m *Memory) Remove(id flotilla.GroupID) error {
	m.mustLookup(id)
	if err := m.crashAt(BeforeInstall); err != nil {
		return err
	}
	m.mu.Lock()
	delete(m.groups, id)
	m.mu.Unlock()
	return m.crashAt(AfterInstall)
}

// Append stores the writes of a turn, all or none.
func (m *Memory) Append(writes []consensus.Write) error {
	if err := m.crashAt(BeforeAppend); err != nil {
		return err
	}
	bytes := 0
	for _, w := range writes {
		bytes += m.appendOne(w)
	}
	m.mu.Lock()
	m.stats.Appends++
	m.stats.AppendedBytes += uint64(bytes)
	m.mu.Unlock()
	return m.crashAt(AfterAppend)
}

func (m *Memory) appendOne(w consensus.Write) (bytes int) {
	g := m.mustLookup(w.Group)
	l := g.log
	for i, e := range w.Entries {
		first := w.Entries[0].GetIndex()
		flotilla.Assert(first > l.base && first <= l.last+1, "%v: append at %d to a log of %d to %d", w.Group, first, l.base+1, l.last)
		flotilla.Assert(e.GetIndex() == first+uint64(i), "%v: entries do not follow each other", w.Group)
		bytes += len(e.Data)
	}
	l.took(w, nil, math.MaxInt)
	l.mu.RLock()
	limit := min(l.cut, g.state.Durable(), l.last)
	term, err := l.term(limit)
	base := l.base
	l.mu.RUnlock()
	if err == nil && limit > base {
		l.rebase(limit, term)
	}
	return bytes
}

// Cut allows entries up to index to be forgotten.
func (m *Memory) Cut(id flotilla.GroupID, index uint64) { m.mustLookup(id).log.allowCut(index) }

// committed takes note of a state's commit, and makes all durable now and then.
func (m *Memory) committed(c memoryCommit) {
	m.mu.Lock()
	m.pending = append(m.pending, c)
	isDue := len(m.pending) >= m.opts.FlushCommits
	m.mu.Unlock()
	if isDue {
		m.Flush()
	}
}

// Flush makes all that was committed durable.
func (m *Memory) Flush() {
	if m.crashAt(BeforeFlush) != nil {
		return
	}
	m.mu.Lock()
	for _, c := range m.pending {
		c.group.durable = c
	}
	clear(m.pending)
	m.pending = m.pending[:0]
	m.mu.Unlock()
	_ = m.crashAt(AfterFlush) // the next call tells
}

// memoryStaged is a snapshot that was read.
type memoryStaged struct {
	replica consensus.Replica
	mark    consensus.Mark
	items   *table
}

// Stage reads a snapshot.
func (m *Memory) Stage(replica consensus.Replica, from io.Reader) (consensus.Staged, error) {
	reader, err := consensus.NewSnapshotReader(from)
	if err != nil {
		return nil, err
	}
	s := &memoryStaged{replica: replica, mark: reader.Mark(), items: newTable()}
	for {
		key, value, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return s, nil
		}
		if err != nil {
			return nil, err
		}
		s.items.set(key, value)
	}
}

func (s *memoryStaged) Replica() consensus.Replica { return s.replica }
func (s *memoryStaged) Mark() consensus.Mark       { return s.mark }
func (s *memoryStaged) Drop()                      {}

func (s *memoryStaged) Get(key []byte) ([]byte, bool) {
	return s.items.get(key)
}

// Install replaces a group's state and log.
func (m *Memory) Install(from consensus.Staged, hard *raftpb.HardState) error {
	s, ok := from.(*memoryStaged)
	flotilla.Assert(ok, "install of what was not staged here")
	if err := m.crashAt(BeforeInstall); err != nil {
		return err
	}
	g := m.lookup(s.replica.Group)
	if g == nil {
		m.enter(s.replica, s.items, s.mark, hard)
		return m.crashAt(AfterInstall)
	}
	g.state.replace(s.items.writable(), s.mark)
	m.mu.Lock()
	g.durable = memoryCommit{group: g, items: s.items, mark: s.mark}
	m.pending = slices.DeleteFunc(m.pending, func(c memoryCommit) bool { return c.group == g })
	m.mu.Unlock()
	if err := m.crashAt(BetweenInstall); err != nil {
		return err
	}
	g.log.reset(s.replica.ID, s.mark, hard)
	return m.crashAt(AfterInstall)
}

// SetRoom says what Room returns.
func (m *Memory) SetRoom(hasRoom bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.isFull = !hasRoom
}

// Damage returns nil: memory does not rot.
func (m *Memory) Damage() error { return nil }

// Room returns what SetRoom said, true at first.
func (m *Memory) Room() bool {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return !m.isFull
}

// Stats returns counters; sizes and times are 0.
func (m *Memory) Stats() consensus.DiskStats {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.stats
}

// Close makes all durable; Restart opens it again.
func (m *Memory) Close() error {
	m.Flush()
	return nil
}

package storage

import (
	"bytes"
	"iter"
	"sync"
	"sync/atomic"

	"flotilla"
	"flotilla/consensus"

	"github.com/cockroachdb/pebble/v2"
)

// groupState is one group's state: the layers over Pebble and the mark.
//
// The writer takes mu with its first write and gives it back in Commit, so that no
// view ever sees half an entry; an apply takes microseconds. Whoever writes one
// group commits it before it writes to another, or the flusher could wait for a
// lock whose holder waits for the flusher.
type groupState struct {
	disk  *Disk
	group flotilla.GroupID

	// mu guards the active table's content and mark against views and the flusher.
	// The writer reads both without it: nobody else changes them.
	mu        sync.RWMutex
	layers    atomic.Pointer[layers] // replaced under mu
	mark      consensus.Mark
	isWriting bool // the writer's own: it holds mu
	dirtyFrom int  // the active table's bytes when the current write began
	keyBuf    []byte
	// newlySealed is how many tables the current write has put aside.
	newlySealed int
	looked      lookedUp // the writer's last Get, which a Set of the same key mostly follows

	isDirty    bool           // guarded by mu: committed since the last freeze
	frozenMark consensus.Mark // the flusher's: what the frozen table is as of

	durable atomic.Uint64
	failure stickyError
}

// maxDropped is how many items a range deletion takes out of the active table; with more
// the table is sealed. That takes some 2 ms; the smallest table that is sealed so has 0.7 MB.
const maxDropped = 4096

// lookedUp is where a key was found: in a table that may have been frozen since, and
// is known by its number, or it would stay in memory until the next Get.
type lookedUp struct {
	table uint64
	cell  *cell // nil: none
	key   []byte
}

var _ consensus.State = (*groupState)(nil)

// stickyError keeps the first error.
type stickyError struct{ first atomic.Pointer[error] }

func (s *stickyError) set(err error) { s.first.CompareAndSwap(nil, &err) }

func (s *stickyError) get() error {
	if err := s.first.Load(); err != nil {
		return *err
	}
	return nil
}

func newGroupState(d *Disk, group flotilla.GroupID, epoch uint32, mark consensus.Mark) *groupState {
	s := &groupState{disk: d, group: group, mark: mark}
	s.layers.Store(&layers{active: newTable(), epoch: epoch, prefix: dataKeyPrefix(group, epoch)})
	s.durable.Store(mark.Index)
	return s
}

// Get returns the value of key; see flotilla.Reader.
func (s *groupState) Get(key []byte) ([]byte, bool) {
	l := s.layers.Load()
	if c := l.active.index[string(key)]; c != nil {
		s.looked.table, s.looked.cell = l.active.number, c
		s.looked.key = append(s.looked.key[:0], key...)
		return c.value, !c.isGone
	}
	value, ok, keep, err := l.get(s.disk.state, key, s.keyBuf)
	s.keyBuf = keep
	if err != nil {
		s.fail(err)
	}
	return value, ok
}

// Scan visits start <= key < end in ascending order.
func (s *groupState) Scan(start, end []byte) iter.Seq2[[]byte, []byte] {
	return s.layers.Load().scan(s.disk.state, start, end, false, s.fail)
}

// ScanBack visits the same keys in descending order.
func (s *groupState) ScanBack(start, end []byte) iter.Seq2[[]byte, []byte] {
	return s.layers.Load().scan(s.disk.state, start, end, true, s.fail)
}

// Set writes a key.
func (s *groupState) Set(key, value []byte) {
	active := s.write()
	if s.looked.table == active.number && bytes.Equal(s.looked.key, key) && active.replace(s.looked.cell, value, false) {
		return
	}
	active.put(key, value, false)
}

// Delete deletes a key.
func (s *groupState) Delete(key []byte) { s.write().delete(key) }

// DeleteRange deletes start <= key < end.
func (s *groupState) DeleteRange(start, end []byte) {
	s.looked = lookedUp{} // its cell may be among those that go
	active := s.write()
	if active.deleteRange(start, end, s.disk.maxDropped) {
		return
	}
	l := s.layers.Load().seal()
	s.layers.Store(l)
	s.dirtyFrom -= active.bytes
	s.newlySealed++
	l.active.deleteRange(start, end, 0)
}

func (s *groupState) write() *table {
	if !s.isWriting {
		s.mu.Lock()
		s.isWriting = true
		s.dirtyFrom = s.layers.Load().active.bytes
	}
	return s.layers.Load().active
}

// Commit makes the writes visible. It waits when too much is in memory because
// the disk does not keep up (Options.DirtyBytes).
func (s *groupState) Commit(mark consensus.Mark) {
	active := s.write()
	flotilla.Assert(mark.Index >= s.mark.Index, "%v: a state goes back from %d to %d", s.group, s.mark.Index, mark.Index)
	s.mark = mark
	s.looked.cell = nil // it keeps others of its block
	s.isDirty = true
	grown, sealed := active.bytes-s.dirtyFrom, s.newlySealed
	s.isWriting, s.newlySealed = false, 0
	s.mu.Unlock()
	s.disk.noteDirty(grown, sealed)
}

// Mark returns the last committed mark. Only the writer may ask; others use a view.
func (s *groupState) Mark() consensus.Mark { return s.mark }

// Durable returns the index that a power cut would lead back to.
func (s *groupState) Durable() uint64 { return s.durable.Load() }

// Err returns the first failure.
func (s *groupState) Err() error { return s.failure.get() }

func (s *groupState) fail(err error) {
	s.failure.set(err)
	s.disk.noteReadError(err)
}

// freeze turns the active table and the sealed ones into the frozen ones, and returns them.
func (s *groupState) freeze() (frozen []*table, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.isDirty {
		return nil, false
	}
	l := s.layers.Load().seal()
	// What is clean has done its work: twice what may be dirty is enough in memory.
	l.frozen, l.sealed, l.clean = l.sealed, nil, nil
	s.layers.Store(l)
	s.isDirty = false
	s.frozenMark = s.mark
	return l.frozen, true
}

// thaw takes the frozen tables out of the way: Pebble has them now, durably. They go on
// serving gets until the next ones take their place.
func (s *groupState) thaw() {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := *s.layers.Load()
	l.frozen, l.clean = nil, l.frozen
	s.layers.Store(&l)
	s.durable.Store(s.frozenMark.Index)
}

// forgetClean gives back the memory of what Pebble has anyway.
func (s *groupState) forgetClean() {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := *s.layers.Load()
	l.clean = nil
	s.layers.Store(&l)
}

// replace puts an installed snapshot in place of everything.
func (s *groupState) replace(epoch uint32, mark consensus.Mark) {
	flotilla.Assert(!s.isWriting, "%v: install between a write and its commit", s.group)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.layers.Store(&layers{active: s.layers.Load().active.next(), epoch: epoch, prefix: dataKeyPrefix(s.group, epoch)})
	s.mark, s.isDirty = mark, false
	s.durable.Store(mark.Index)
}

// View returns a consistent reader. A short one holds the lock for reading, so
// whoever has one must not ask for another, nor write, before closing it.
func (s *groupState) View(isLong bool) consensus.View {
	if isLong {
		return s.longView()
	}
	s.mu.RLock()
	return &view{state: s, layers: s.layers.Load(), below: s.disk.state, mark: s.mark}
}

// longView copies the tables (their trees copy on write) and takes a Pebble
// snapshot, so that the writer never waits for it.
func (s *groupState) longView() consensus.View {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := *s.layers.Load()
	l.active = l.active.clone()
	snapshot := s.disk.state.NewSnapshot()
	return &view{state: s, layers: &l, below: snapshot, snapshot: snapshot, mark: s.mark}
}

// view is a consensus.View. It may be used by one goroutine.
type view struct {
	state    *groupState
	layers   *layers
	below    pebble.Reader
	snapshot *pebble.Snapshot // nil in a short view, which holds state.mu for reading
	mark     consensus.Mark
	keyBuf   []byte
	failure  error
	isClosed bool
}

func (v *view) Get(key []byte) ([]byte, bool) {
	value, ok, keep, err := v.layers.get(v.below, key, v.keyBuf)
	v.keyBuf = keep
	if err != nil {
		v.fail(err)
	}
	return value, ok
}

func (v *view) Scan(start, end []byte) iter.Seq2[[]byte, []byte] {
	return v.layers.scan(v.below, start, end, false, v.fail)
}

func (v *view) ScanBack(start, end []byte) iter.Seq2[[]byte, []byte] {
	return v.layers.scan(v.below, start, end, true, v.fail)
}

func (v *view) Mark() consensus.Mark { return v.mark }
func (v *view) Err() error           { return v.failure }

func (v *view) fail(err error) {
	if v.failure == nil {
		v.failure = err
	}
	v.state.fail(err)
}

func (v *view) Close() {
	if v.isClosed {
		return
	}
	v.isClosed = true
	if v.snapshot == nil {
		v.state.mu.RUnlock()
		return
	}
	if err := v.snapshot.Close(); err != nil {
		v.state.fail(err)
	}
}

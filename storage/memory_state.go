package storage

import (
	"iter"
	"math"
	"sync"

	"flotilla"
	"flotilla/consensus"
)

// memoryState is one group's state in a Memory: a single table with all keys and
// no notes of deleted ones. The locking is groupState's.
type memoryState struct {
	disk  *Memory
	group *memoryGroup

	mu        sync.RWMutex // guards what items holds and mark, against views
	items     *table
	mark      consensus.Mark
	isWriting bool // the writer's own: it holds mu
}

var _ consensus.State = (*memoryState)(nil)

func (s *memoryState) write() *table {
	if !s.isWriting {
		s.mu.Lock()
		s.isWriting = true
	}
	return s.items
}

func (s *memoryState) Set(key, value []byte) { s.write().set(key, value) }
func (s *memoryState) Delete(key []byte)     { s.write().drop(key) }

func (s *memoryState) DeleteRange(start, end []byte) {
	t := s.write()
	for _, i := range t.collect(start, end, math.MaxInt) {
		t.drop(i.key)
	}
}

func (s *memoryState) Commit(mark consensus.Mark) {
	s.write()
	flotilla.Assert(mark.Index >= s.mark.Index, "a state goes back from %d to %d", s.mark.Index, mark.Index)
	s.mark = mark
	c := memoryCommit{group: s.group, items: s.items.clone(), mark: mark}
	s.isWriting = false
	s.mu.Unlock()
	s.disk.committed(c)
}

func (s *memoryState) Mark() consensus.Mark { return s.mark }
func (s *memoryState) Err() error           { return nil }

func (s *memoryState) Durable() uint64 {
	s.disk.mu.RLock()
	defer s.disk.mu.RUnlock()
	return s.group.durable.mark.Index
}

func (s *memoryState) replace(items *table, mark consensus.Mark) {
	flotilla.Assert(!s.isWriting, "install between a write and its commit")
	s.mu.Lock()
	defer s.mu.Unlock()
	s.items, s.mark = items, mark
}

func (s *memoryState) Get(key []byte) ([]byte, bool) { return s.items.get(key) }

func (s *memoryState) Scan(start, end []byte) iter.Seq2[[]byte, []byte] {
	return s.items.scan(start, end, false)
}

func (s *memoryState) ScanBack(start, end []byte) iter.Seq2[[]byte, []byte] {
	return s.items.scan(start, end, true)
}

func (s *memoryState) View(isLong bool) consensus.View {
	if !isLong {
		s.mu.RLock()
		return &memoryView{items: s.items, mark: s.mark, unlock: s.mu.RUnlock}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return &memoryView{items: s.items.clone(), mark: s.mark, unlock: func() {}}
}

// memoryView is a View of one table.
type memoryView struct {
	items  *table
	mark   consensus.Mark
	unlock func() // nil once closed
}

func (v *memoryView) Get(key []byte) ([]byte, bool) { return v.items.get(key) }

func (v *memoryView) Scan(start, end []byte) iter.Seq2[[]byte, []byte] {
	return v.items.scan(start, end, false)
}

func (v *memoryView) ScanBack(start, end []byte) iter.Seq2[[]byte, []byte] {
	return v.items.scan(start, end, true)
}

func (v *memoryView) Mark() consensus.Mark { return v.mark }
func (v *memoryView) Err() error           { return nil }

func (v *memoryView) Close() {
	if v.unlock != nil {
		v.unlock()
		v.unlock = nil
	}
}

// get and scan read a table that has nothing below it.
func (t *table) get(key []byte) ([]byte, bool) {
	value, isGone, ok := t.find(key)
	return value, ok && !isGone
}

func (t *table) scan(start, end []byte, isBack bool) iter.Seq2[[]byte, []byte] {
	return func(yield func([]byte, []byte) bool) {
		if isEmptyRange(start, end) {
			return
		}
		merge(nil, []cursor{newTableCursor(t, start, end, isBack)}, isBack, yield)
	}
}

package storage

import (
	"errors"
	"fmt"
	"sync"

	"flotilla"
	"flotilla/consensus"

	"github.com/cockroachdb/pebble/v2"
	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"
)

// groupLog is one group's log, as raft reads it.
//
//	gone     |  in Pebble only  |  in Pebble and in tail
//	         base                                        last
//
// mu guards everything: the loop, and whoever runs Append, may be two goroutines.
type groupLog struct {
	disk  *Disk
	group flotilla.GroupID

	mu        sync.RWMutex
	replica   flotilla.ReplicaID
	base      uint64 // entries up to here are gone
	baseTerm  uint64
	last      uint64
	hard      *raftpb.HardState // nil if none was stored
	tail      []*raftpb.Entry   // the newest entries, the last of them at last
	tailBytes int
	cut       uint64 // the group needs nothing up to here
	sinceCut  int    // bytes appended since entries were last deleted
}

var _ consensus.Log = (*groupLog)(nil)

// InitialState returns the stored HardState, and no configuration: see consensus.Log.
func (l *groupLog) InitialState() (*raftpb.HardState, *raftpb.ConfState, error) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.hard, &raftpb.ConfState{}, nil
}

// FirstIndex returns the first entry that is there, or would be.
func (l *groupLog) FirstIndex() (uint64, error) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.base + 1, nil
}

// LastIndex returns the last entry's index.
func (l *groupLog) LastIndex() (uint64, error) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.last, nil
}

// Snapshot is the Group's business.
func (l *groupLog) Snapshot() (*raftpb.Snapshot, error) {
	return nil, raft.ErrSnapshotTemporarilyUnavailable
}

// Term returns the term of entry i, from FirstIndex-1 on.
func (l *groupLog) Term(i uint64) (uint64, error) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.term(i)
}

func (l *groupLog) term(i uint64) (uint64, error) {
	switch {
	case i < l.base:
		return 0, raft.ErrCompacted
	case i == l.base:
		return l.baseTerm, nil
	case i > l.last:
		return 0, raft.ErrUnavailable
	case i > l.last-uint64(len(l.tail)):
		return l.tail[i-l.tailStart()].GetTerm(), nil
	}
	key := appendEntryKey(nil, l.group, i)
	value, ok, err := getCopy(l.disk.log, key)
	if err == nil && !ok {
		err = errors.New("missing")
	}
	var entry *raftpb.Entry
	if err == nil {
		entry, err = parseEntry(key, value, i)
	}
	if err != nil {
		return 0, l.disk.logDamaged(fmt.Errorf("%v: read entry %d: %w", l.group, i, err))
	}
	return entry.GetTerm(), nil
}

// tailStart returns the index of tail[0].
func (l *groupLog) tailStart() uint64 { return l.last + 1 - uint64(len(l.tail)) }

// Entries returns lo <= index < hi, as many as maxSize bytes hold, at least one.
func (l *groupLog) Entries(lo, hi, maxSize uint64) ([]*raftpb.Entry, error) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if lo <= l.base {
		return nil, raft.ErrCompacted
	}
	if hi > l.last+1 {
		return nil, raft.ErrUnavailable
	}
	var size uint64
	var entries []*raftpb.Entry
	if start := l.tailStart(); lo < start {
		var err error
		if entries, size, err = l.fromPebble(lo, min(hi, start), maxSize); err != nil {
			return nil, err
		}
		if lo += uint64(len(entries)); lo < min(hi, start) {
			return entries, nil
		}
	}
	if lo >= hi {
		return entries, nil
	}
	part := l.tail[lo-l.tailStart() : hi-l.tailStart()]
	if entries == nil {
		// The caller may append to what it gets: a full slice expression makes
		// that a copy. The tail is never changed in place.
		n := fitting(part, size, maxSize)
		return part[:n:n], nil
	}
	n := 0
	for _, e := range part {
		if size += entrySize(e); size > maxSize {
			break
		}
		n++
	}
	return append(entries, part[:n]...), nil
}

// fitting returns how many of the entries fit, at least one.
func fitting(entries []*raftpb.Entry, size, maxSize uint64) int {
	for n, e := range entries {
		if size += entrySize(e); size > maxSize && n > 0 {
			return n
		}
	}
	return len(entries)
}

// entrySize is about what raft counts: the data and a few numbers.
func entrySize(e *raftpb.Entry) uint64 { return uint64(len(e.Data)) + 16 }

func (l *groupLog) fromPebble(lo, hi, maxSize uint64) (entries []*raftpb.Entry, size uint64, err error) {
	err = readEntries(l.disk.log, l.group, lo, hi, func(e *raftpb.Entry) bool {
		if size += entrySize(e); size > maxSize && len(entries) > 0 {
			return false
		}
		entries = append(entries, e)
		return true
	})
	if err != nil {
		return nil, 0, l.disk.logDamaged(err)
	}
	return entries, size, nil
}

// readEntries visits the entries lo <= index < hi that the log store has; each
// must be whole and follow the one before.
func readEntries(from pebble.Reader, group flotilla.GroupID, lo, hi uint64, visit func(*raftpb.Entry) bool) error {
	items, err := from.NewIter(&pebble.IterOptions{
		LowerBound: appendEntryKey(nil, group, lo),
		UpperBound: appendEntryKey(nil, group, hi),
	})
	if err != nil {
		return err
	}
	index := lo
	key := make([]byte, 0, entryKeyBytes)
	for ok := items.First(); ok; ok = items.Next() {
		key = appendEntryKey(key[:0], group, index)
		if string(key) != string(items.Key()) {
			err = fmt.Errorf("%v: entry %d is missing", group, index)
			break
		}
		var value []byte
		if value, err = items.ValueAndErr(); err != nil {
			break
		}
		var entry *raftpb.Entry
		if entry, err = parseEntry(key, value, index); err != nil {
			err = fmt.Errorf("%v: entry %d: %w", group, index, err)
			break
		}
		if !visit(entry) {
			break
		}
		index++
	}
	return errors.Join(err, items.Close())
}

// took notes what Append has made durable.
func (l *groupLog) took(w consensus.Write, tailBytes int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if w.HardState != nil {
		l.hard = copyHard(w.HardState)
	}
	if len(w.Entries) == 0 {
		return
	}
	l.truncate(w.Entries[0].GetIndex())
	l.tail = append(l.tail, w.Entries...)
	l.last = w.Entries[len(w.Entries)-1].GetIndex()
	for _, e := range w.Entries {
		l.tailBytes += int(entrySize(e))
		l.sinceCut += int(entrySize(e))
	}
	if l.tailBytes > tailBytes {
		l.shrinkTail(tailBytes / 2)
	}
}

// truncate forgets entries from index on. What is left is copied, since raft may
// still hold the old slice.
func (l *groupLog) truncate(index uint64) {
	if index > l.last {
		return
	}
	keep := 0
	if start := l.tailStart(); index > start {
		keep = int(index - start)
	}
	for _, e := range l.tail[keep:] {
		l.tailBytes -= int(entrySize(e))
	}
	l.tail = append([]*raftpb.Entry(nil), l.tail[:keep]...)
	l.last = index - 1
}

// shrinkTail drops the oldest entries from memory until at most limit bytes are left.
func (l *groupLog) shrinkTail(limit int) {
	from := 0
	for from < len(l.tail)-1 && l.tailBytes > limit {
		l.tailBytes -= int(entrySize(l.tail[from]))
		from++
	}
	l.tail = append([]*raftpb.Entry(nil), l.tail[from:]...)
}

// allowCut notes that the group needs nothing up to index.
func (l *groupLog) allowCut(index uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cut = max(l.cut, index)
}

// rebase notes that entries up to base are gone from the disk.
func (l *groupLog) rebase(base, term uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.base, l.baseTerm, l.sinceCut = base, term, 0
	if start := l.tailStart(); len(l.tail) > 0 && start <= base {
		drop := l.tail[:min(base+1-start, uint64(len(l.tail)))]
		for _, e := range drop {
			l.tailBytes -= int(entrySize(e))
		}
		l.tail = append([]*raftpb.Entry(nil), l.tail[len(drop):]...)
	}
}

// reset makes the log begin behind an installed snapshot.
func (l *groupLog) reset(replica flotilla.ReplicaID, mark consensus.Mark, hard *raftpb.HardState) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.replica = replica
	l.base, l.baseTerm, l.last = mark.Index, mark.Term, mark.Index
	l.tail, l.tailBytes, l.cut, l.sinceCut = nil, 0, 0, 0
	if hard != nil {
		l.hard = copyHard(hard)
	}
}

// copyHard keeps nothing of what the caller may change later.
func copyHard(hard *raftpb.HardState) *raftpb.HardState {
	term, vote, commit := hard.GetTerm(), hard.GetVote(), hard.GetCommit()
	return &raftpb.HardState{Term: &term, Vote: &vote, Commit: &commit}
}

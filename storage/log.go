package storage

import (
	"fmt"
	"sync"

	"flotilla"
	"flotilla/consensus"
	"flotilla/storage/wal"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"
)

// groupLog is one group's log, as raft reads it.
//
//	gone     |  on disk only  |  on disk and in tail
//	         base                                   last
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
	places    []wal.Position    // of the entries behind base; none in a Memory
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
	entry, err := l.read(i)
	if err != nil {
		return 0, err
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
		if entries, size, err = l.fromDisk(lo, min(hi, start), maxSize); err != nil {
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

func (l *groupLog) fromDisk(lo, hi, maxSize uint64) (entries []*raftpb.Entry, size uint64, err error) {
	for ; lo < hi; lo++ {
		e, err := l.read(lo)
		if err != nil {
			return nil, 0, err
		}
		if size += entrySize(e); size > maxSize && len(entries) > 0 {
			break
		}
		entries = append(entries, e)
	}
	return entries, size, nil
}

// read gets an entry from the disk.
func (l *groupLog) read(index uint64) (*raftpb.Entry, error) {
	entry, err := l.readAt(l.places[index-l.base-1], index)
	if err != nil {
		return nil, l.disk.logDamaged(fmt.Errorf("%v: read entry %d: %w", l.group, index, err))
	}
	return entry, nil
}

func (l *groupLog) readAt(p wal.Position, index uint64) (*raftpb.Entry, error) {
	body, err := l.disk.log.Read(p)
	if err != nil {
		return nil, err
	}
	kind, group, rest, err := splitItem(body)
	if err != nil {
		return nil, err
	}
	entry, err := itemEntry(rest)
	if err == nil && (kind != entryItem && kind != movedItem || group != l.group || entry.GetIndex() != index) {
		err = errItem
	}
	return entry, err
}

// inSegment returns the entries that lie in a segment of the log, or the first of
// them, until room bytes are filled.
func (l *groupLog) inSegment(segment uint32, room int) (entries []*raftpb.Entry, err error) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	for i, p := range l.places {
		if p.Segment != segment {
			continue
		}
		if room <= 0 {
			break
		}
		room -= int(p.Size)
		e, err := l.read(l.base + 1 + uint64(i))
		if err != nil {
			return nil, err
		}
		entries = append(entries, e)
	}
	return entries, nil
}

// took notes what Append has made durable, and where the entries are.
func (l *groupLog) took(w consensus.Write, places []wal.Position, tailBytes int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if w.HardState != nil {
		l.hard = copyHard(w.HardState)
	}
	if len(w.Entries) == 0 {
		return
	}
	l.truncate(w.Entries[0].GetIndex())
	for _, p := range places {
		l.disk.log.Keep(p)
	}
	l.places = append(l.places, places...)
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
	if n := int(l.last - l.base); n < len(l.places) {
		l.free(l.places[n:])
		l.places = l.places[:n]
	}
}

// moved notes that an entry is somewhere else now.
func (l *groupLog) moved(index uint64, p wal.Position) {
	l.mu.Lock()
	defer l.mu.Unlock()
	place := &l.places[index-l.base-1]
	l.disk.log.Free(*place)
	l.disk.log.Keep(p)
	*place = p
}

func (l *groupLog) free(places []wal.Position) {
	for _, p := range places {
		l.disk.log.Free(p)
	}
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

// cutBytes of appended entries are reason enough to delete what can go, even if it is few.
const cutBytes = 16 << 20

// cuttable returns where the log may begin from now on, given how far the state is
// durable and what is about to be written; ok is false if that is not worth it.
func (l *groupLog) cuttable(durable uint64, w consensus.Write, least int) (base, term uint64, ok bool, err error) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	base = min(l.cut, durable, l.last)
	if len(w.Entries) > 0 {
		base = min(base, w.Entries[0].GetIndex()-1)
	}
	if base <= l.base || (base-l.base < uint64(least) && l.sinceCut < cutBytes) {
		return 0, 0, false, nil
	}
	term, err = l.term(base)
	return base, term, err == nil, err
}

// rebase notes that entries up to base are gone from the disk.
func (l *groupLog) rebase(base, term uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n := base - l.base; n <= uint64(len(l.places)) {
		l.free(l.places[:n])
		l.places = append([]wal.Position(nil), l.places[n:]...)
	}
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
	l.free(l.places)
	l.places = nil
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

package storage

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"flotilla"
	"flotilla/storage/wal"

	"go.etcd.io/raft/v3/raftpb"
)

// openLog opens the log and returns what it says of each group, in order.
func (d *Disk) openLog() ([]*groupLog, error) {
	r := replay{disk: d, groups: map[flotilla.GroupID]*replayed{}}
	log, err := wal.Open(d.path(logName), wal.Options{
		FS: d.fs, SegmentBytes: d.opts.LogSegmentBytes, FillBytes: d.opts.LogFillBytes, Head: d.addHead,
	}, r.item)
	if err != nil {
		return nil, err
	}
	d.log = log
	groups := slices.SortedFunc(maps.Values(r.groups), func(a, b *replayed) int { return cmp.Compare(a.log.group, b.log.group) })
	logs := make([]*groupLog, len(groups))
	for i, g := range groups {
		if err := g.finish(); err != nil {
			return nil, err
		}
		logs[i] = g.log
	}
	return logs, nil
}

// replay makes the groups' logs of the items of the log.
type replay struct {
	disk   *Disk
	groups map[flotilla.GroupID]*replayed
}

// replayed is a group's log so far. Its first entries may be missing: then the log was
// cut behind them, as a later item says. Of places, only those up to log.last count:
// what was there behind is replaced before last gets there again.
type replayed struct {
	log    *groupLog
	places map[uint64]wal.Position
}

func (r *replay) item(p wal.Position, body []byte) error {
	kind, id, rest, err := splitItem(body)
	if err != nil {
		return err
	}
	g := r.groups[id]
	if g == nil {
		if kind == removedItem {
			return nil // this segment began when it was half removed
		}
		if kind != newReplicaItem && kind != replicaItem {
			return fmt.Errorf("%w: an item of kind %q of %v, which is not here", errDamaged, kind, id)
		}
		g = &replayed{log: &groupLog{disk: r.disk, group: id}, places: map[uint64]wal.Position{}}
		r.groups[id] = g
	}
	switch kind {
	case entryItem, movedItem:
		return g.entry(kind == movedItem, p, rest)
	case hardItem:
		g.log.hard, err = itemHard(rest)
		return err
	case replicaItem, newReplicaItem:
		return g.replica(kind == newReplicaItem, rest)
	case removedItem:
		delete(r.groups, id)
		return nil
	}
	return fmt.Errorf("%w: an item of the unknown kind %q", errDamaged, kind)
}

// replica takes what the log says of itself.
func (g *replayed) replica(isNew bool, rest []byte) error {
	l := g.log
	var id uint64
	if err := itemNumbers(rest, &id, &l.base, &l.baseTerm); err != nil {
		return err
	}
	l.replica = flotilla.ReplicaID(id)
	if isNew {
		l.tail, l.tailBytes, l.sinceCut, l.last = nil, 0, 0, l.base
	}
	l.last = max(l.last, l.base)
	return nil
}

// entry takes an entry: a new one is the last one from now on.
func (g *replayed) entry(isMoved bool, p wal.Position, rest []byte) error {
	e, err := itemEntry(slices.Clone(rest))
	if err != nil {
		return err
	}
	l, index := g.log, e.GetIndex()
	if isMoved {
		g.places[index] = p
		if index > l.last {
			l.last, l.tail, l.tailBytes = index, nil, 0
		}
		return nil
	}
	g.places[index] = p
	if index != l.last+1 {
		l.tail, l.tailBytes = nil, 0 // what is in memory must follow each other
	}
	l.last = index
	l.tail = append(l.tail, e)
	l.tailBytes += int(entrySize(e))
	l.sinceCut += int(entrySize(e))
	if l.tailBytes > 2*l.disk.opts.TailBytes {
		l.shrinkTail(l.disk.opts.TailBytes)
	}
	return nil
}

// finish checks that no entry is missing.
func (g *replayed) finish() error {
	l := g.log
	if l.last-l.base > uint64(len(g.places)) {
		return fmt.Errorf("%w: %v: of the entries behind %d to %d only %d are there", errDamaged, l.group, l.base, l.last, len(g.places))
	}
	l.tail, l.tailBytes = l.tail[max(0, len(l.tail)-int(l.last-l.base)):], 0
	for _, e := range l.tail {
		l.tailBytes += int(entrySize(e))
	}
	l.places = make([]wal.Position, 0, l.last-l.base)
	for i := l.base + 1; i <= l.last; i++ {
		p, ok := g.places[i]
		if !ok {
			return fmt.Errorf("%w: %v: entry %d is missing", errDamaged, l.group, i)
		}
		l.disk.log.Keep(p)
		l.places = append(l.places, p)
	}
	return nil
}

func itemHard(rest []byte) (*raftpb.HardState, error) {
	var term, vote, commit uint64
	if err := itemNumbers(rest, &term, &vote, &commit); err != nil {
		return nil, err
	}
	return &raftpb.HardState{Term: &term, Vote: &vote, Commit: &commit}, nil
}

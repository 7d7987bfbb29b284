package storage

import (
	"fmt"
	"time"

	"flotilla"
	"flotilla/consensus"
	"flotilla/storage/wal"
)

// Append stores a turn's writes in one record with one fsync. The record's number
// and checksum go into the side file too, once it is safe: a log that is recovered
// short of that number has lost its tail.
func (d *Disk) Append(writes []consensus.Write) error {
	d.appendMu.Lock()
	defer d.appendMu.Unlock()
	if err := d.failure.get(); err != nil {
		return err
	}
	d.batch.Reset()
	moves, err := d.addMoves() // first: what is written may replace them
	if err != nil {
		return d.fail(fmt.Errorf("move old entries: %w", err))
	}
	for _, w := range writes {
		d.addWrite(d.mustLookup(w.Group).log, w)
	}
	cuts, err := d.addCuts(writes)
	if err != nil {
		return d.fail(fmt.Errorf("cut the log: %w", err))
	}
	size := d.batch.Len()
	positions, err := d.commitLog()
	if err != nil {
		return err
	}
	for i, m := range moves {
		m.log.moved(m.index, positions[i])
	}
	positions = positions[len(moves):]
	for _, w := range writes {
		if w.HardState != nil {
			positions = positions[1:]
		}
		d.lookup(w.Group).log.took(w, positions[:len(w.Entries)], d.opts.TailBytes)
		positions = positions[len(w.Entries):]
	}
	for _, c := range cuts {
		c.log.rebase(c.base, c.term)
	}
	d.noteLog(size)
	return nil
}

// logBatch makes one synced record of what fill adds.
func (d *Disk) logBatch(fill func()) error {
	d.appendMu.Lock()
	defer d.appendMu.Unlock()
	if err := d.failure.get(); err != nil {
		return err
	}
	d.batch.Reset()
	fill()
	_, err := d.commitLog()
	return err
}

// commitLog returns the items' positions once the batch is on disk and marked so.
func (d *Disk) commitLog() ([]wal.Position, error) {
	size := d.batch.Len()
	began := time.Now()
	d.delaySync()
	positions, err := d.log.Append(d.positions[:0], &d.batch)
	if err != nil {
		return nil, d.fail(fmt.Errorf("write the log: %w", err))
	}
	d.positions = positions
	d.noteSync(time.Since(began))
	d.appends.Add(1)
	d.appendedBytes.Add(uint64(size))
	if err := d.tail.write(d.log.Sequence(), d.log.Chain()); err != nil {
		return nil, d.fail(fmt.Errorf("write the tail mark: %w", err))
	}
	return positions, nil
}

func (d *Disk) noteSync(took time.Duration) {
	d.syncsMu.Lock()
	d.syncs.Observe(took.Seconds())
	d.syncsMu.Unlock()
}

// addWrite adds what one group writes. The first of its entries ends all that the log
// held from there on: a new leader's replace ours.
func (d *Disk) addWrite(log *groupLog, w consensus.Write) {
	if w.HardState != nil {
		addHard(&d.batch, w.Group, w.HardState)
	}
	if len(w.Entries) == 0 {
		return
	}
	first := w.Entries[0].GetIndex()
	flotilla.Assert(first > log.base && first <= log.last+1, "%v: append at %d to a log of %d to %d", w.Group, first, log.base+1, log.last)
	for i, e := range w.Entries {
		flotilla.Assert(e.GetIndex() == first+uint64(i), "%v: entries do not follow each other", w.Group)
		addEntry(&d.batch, entryItem, w.Group, e)
	}
}

// Cut allows entries up to index to be forgotten. It only takes note: they are
// deleted with a later Append, many at once.
func (d *Disk) Cut(id flotilla.GroupID, index uint64) {
	d.mustLookup(id).log.allowCut(index)
}

// cut is a log that begins later once the batch is on disk.
type cut struct {
	log        *groupLog
	base, term uint64
}

// addCuts gives up what nobody needs: what a group gave up, and the state on disk
// has in it already.
func (d *Disk) addCuts(writes []consensus.Write) (cuts []cut, err error) {
	for _, w := range writes {
		g := d.mustLookup(w.Group)
		base, term, ok, err := g.log.cuttable(g.state.Durable(), w, d.opts.CutEntries)
		if err != nil {
			return nil, err
		}
		if ok {
			addReplica(&d.batch, replicaItem, w.Group, g.log.replica, base, term)
			cuts = append(cuts, cut{log: g.log, base: base, term: term})
		}
	}
	return cuts, nil
}

// move is an entry that is written again.
type move struct {
	log   *groupLog
	index uint64
}

// maxMovedBytes is about how much of old entries is written again at a time.
const maxMovedBytes = 1 << 20

// addMoves writes entries again that keep an old segment from being given up: those
// of a quiet group, where a busy one's have long been cut.
func (d *Disk) addMoves() (moves []move, err error) {
	segment, ok := d.log.Sparse()
	if !ok {
		return nil, nil
	}
	for _, g := range d.allGroups() {
		entries, err := g.log.inSegment(segment, maxMovedBytes-d.batch.Len())
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			addEntry(&d.batch, movedItem, g.log.group, e)
			moves = append(moves, move{log: g.log, index: e.GetIndex()})
		}
	}
	return moves, nil
}

// addHead adds to a new segment what there is of each group besides its entries.
func (d *Disk) addHead(batch *wal.Batch) {
	for _, g := range d.allGroups() {
		l := g.log
		l.mu.RLock()
		addReplica(batch, replicaItem, l.group, l.replica, l.base, l.baseTerm)
		if l.hard != nil {
			addHard(batch, l.group, l.hard)
		}
		l.mu.RUnlock()
	}
}

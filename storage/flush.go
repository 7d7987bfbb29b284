package storage

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

// dirty counts what waits for being written to Pebble, and wakes the flusher.
//
//	Commit -> bytes grow -> [DirtyBytes] wake the flusher -> [1.5 x DirtyBytes] wait for it
type dirty struct {
	mu       sync.Mutex
	bytes    int       // in active and sealed tables
	sealed   int       // of these tables
	logBytes int       // appended since the last freeze
	since    time.Time // of the oldest change, zero if none
	isNew    bool      // something changed since the flusher's last check
	flushed  sync.Cond // broadcast when active tables were frozen, and when a flush ended
	wake     chan struct{}
}

// Every read looks through all sealed tables. From sealedTables on they are written to
// Pebble; with maxSealedTables the next commit waits for that.
const (
	sealedTables    = 8
	maxSealedTables = 64
)

// noteDirty is told of each commit.
func (d *Disk) noteDirty(grown, sealed int) {
	d.dirty.mu.Lock()
	d.dirty.bytes += grown
	d.dirty.sealed += sealed
	d.dirty.isNew = true
	isFull := d.dirty.bytes >= d.opts.DirtyBytes || d.dirty.sealed >= sealedTables
	if d.dirty.since.IsZero() && !d.opts.Synchronous {
		d.dirty.since = time.Now()
	}
	d.dirty.mu.Unlock()
	if isFull {
		d.requestFlush()
		d.waitForFlusher()
	}
}

// noteLog is told of each append.
func (d *Disk) noteLog(bytes int) {
	d.dirty.mu.Lock()
	d.dirty.logBytes += bytes
	isLong := d.dirty.logBytes >= d.opts.FlushLogBytes
	d.dirty.mu.Unlock()
	if isLong {
		d.requestFlush()
	}
}

func (d *Disk) requestFlush() {
	if d.opts.Synchronous {
		d.Flush()
		d.Settle()
		return
	}
	select {
	case d.dirty.wake <- struct{}{}:
	default: // it was asked already
	}
}

// waitForFlusher is the backpressure: the disk is slower than the commands.
func (d *Disk) waitForFlusher() {
	d.dirty.mu.Lock()
	defer d.dirty.mu.Unlock()
	for (d.dirty.bytes >= d.opts.DirtyBytes*3/2 || d.dirty.sealed >= maxSealedTables) && d.failure.get() == nil && !d.isClosed.Load() {
		d.dirty.flushed.Wait()
	}
}

// After how many checks in a row that found nothing new, what waits is written, and
// then the memory that only makes gets faster is given back.
const (
	flushChecks  = 1
	forgetChecks = 2
)

// runFlusher is the one goroutine of a Disk; Close ends it.
func (d *Disk) runFlusher(ctx context.Context) {
	check := time.NewTicker(max(d.opts.FlushAge/4, time.Millisecond))
	defer check.Stop()
	idle := 0 // checks since something changed
	for {
		select {
		case <-ctx.Done():
			return
		case <-d.dirty.wake:
			d.Flush()
		case <-check.C:
			d.dirty.mu.Lock()
			idle++
			if d.dirty.isNew {
				d.dirty.isNew, idle = false, 0
			}
			isDue := !d.dirty.since.IsZero() && (idle >= flushChecks || time.Since(d.dirty.since) >= d.opts.FlushAge)
			d.dirty.mu.Unlock()
			if isDue {
				d.Flush()
			}
			if idle == forgetChecks {
				d.forgetClean()
				d.opts.Quiet()
			}
		}
	}
}

// queueTurns is how many flushes turn over the array behind Pebble's queue of what
// it is to flush: it has places for four, of which a flush takes one.
const queueTurns = 4

// forgetClean gives back the memory that only makes gets faster, in a quiet time.
//
// Pebble takes what it flushed off its queue but leaves it in the array behind, until
// that is full. There the last batch would stay, all that was written in a minute.
func (d *Disk) forgetClean() {
	for _, s := range d.allStates() {
		s.forgetClean()
	}
	if d.failure.get() != nil || d.damage.get() != nil {
		return
	}
	for range queueTurns {
		if err := d.state.Flush(); err != nil {
			d.stateFailed(fmt.Errorf("flush nothing: %w", err))
			return
		}
	}
}

// Flush writes all that was committed so far to disk, durably. Nobody has to call
// it: it happens by itself, and at Close.
func (d *Disk) Flush() {
	d.flushMu.Lock()
	defer d.flushMu.Unlock()
	d.dirty.mu.Lock()
	d.dirty.bytes, d.dirty.sealed, d.dirty.logBytes, d.dirty.since = 0, 0, 0, time.Time{}
	d.dirty.mu.Unlock()
	defer d.dirty.flushed.Broadcast()
	if d.failure.get() != nil || d.damage.get() != nil {
		return // what is in memory may be all that is left: keep serving reads from it
	}
	var frozen []*groupState
	size := 0
	for _, s := range d.allStates() {
		if tables, ok := s.freeze(); ok {
			frozen = append(frozen, s)
			for _, t := range tables {
				size += t.bytes
			}
		}
	}
	if len(frozen) == 0 {
		return
	}
	d.dirty.flushed.Broadcast() // the active tables are empty again
	if err := d.writeFrozen(frozen, size); err != nil {
		d.stateFailed(fmt.Errorf("flush the states: %w", err))
		return
	}
	for _, s := range frozen {
		s.thaw()
	}
}

// writeFrozen writes the tables and marks of all groups in one batch: the state
// store has no WAL, but a batch becomes durable as a whole or not at all. A batch
// this large is not copied into Pebble's memtable: it is flushed as it is.
func (d *Disk) writeFrozen(frozen []*groupState, size int) error {
	synced := d.log.Sequence()
	batch := d.state.NewBatchWithSize(size + 1024)
	defer batch.Close()
	for _, s := range frozen {
		l := s.layers.Load()
		for i := len(l.frozen) - 1; i >= 0; i-- { // the oldest first: within a batch the later operation wins
			if err := addTable(batch, l.prefix, l.frozen[i], l.frozen[:i]); err != nil {
				return err
			}
		}
		mark := groupKey(markPrefix, s.group)
		if err := batch.Set(mark, markValue(mark, l.epoch, s.frozenMark), nil); err != nil {
			return err
		}
	}
	// How far the log was synced goes with it: the side file may be lost in a power
	// cut, this is not. A log that ends before this has lost its tail.
	key := []byte{flushPrefix}
	if err := batch.Set(key, sealed(key, synced, d.flushes+1), nil); err != nil {
		return err
	}
	if err := batch.Commit(pebble.NoSync); err != nil {
		return err
	}
	if err := d.state.Flush(); err != nil {
		return err
	}
	if err := d.failure.get(); err != nil {
		return err
	}
	d.flushes++
	return errors.Join(d.flushesFile.write(d.flushes, 0), d.flushesFile.file.Sync())
}

// addTable adds a table's changes to a batch, without what newer tables have deleted since.
func addTable(batch *pebble.Batch, prefix []byte, t *table, newer []*table) error {
	var key, end []byte
	var err error
	// Spans first: a table's items are newer than its spans.
	t.spans.Scan(func(sp span) bool {
		key = append(append(key[:0], prefix...), sp.start...)
		end = append(append(end[:0], prefix...), sp.end...)
		if sp.end == nil {
			end = prefixEnd(prefix)
		}
		err = batch.DeleteRange(key, end, nil)
		return err == nil
	})
	if err != nil {
		return err
	}
	t.items().Scan(func(i item) bool {
		if _, isHidden := hidden(newer, i.key); !isHidden {
			err = addItem(batch, prefix, i)
		}
		return err == nil
	})
	return err
}

func addItem(batch *pebble.Batch, prefix []byte, i item) error {
	if i.isGone {
		op := batch.DeleteDeferred(len(prefix) + len(i.key))
		copy(op.Key[copy(op.Key, prefix):], i.key)
		return op.Finish()
	}
	op := batch.SetDeferred(len(prefix)+len(i.key), len(i.value))
	copy(op.Key[copy(op.Key, prefix):], i.key)
	copy(op.Value, i.value)
	return op.Finish()
}

// allStates returns the states in order of group.
func (d *Disk) allStates() []*groupState {
	groups := d.allGroups()
	states := make([]*groupState, len(groups))
	for i, g := range groups {
		states[i] = g.state
	}
	return states
}

// allGroups returns the groups in order.
func (d *Disk) allGroups() []*group {
	d.mu.RLock()
	defer d.mu.RUnlock()
	groups := slices.Collect(maps.Values(d.groups))
	slices.SortFunc(groups, func(a, b *group) int { return cmp.Compare(a.log.group, b.log.group) })
	return groups
}

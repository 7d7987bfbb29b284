package storage

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"time"

	"flotilla"
	"flotilla/consensus"

	"github.com/cockroachdb/pebble/v2"
	"go.etcd.io/raft/v3/raftpb"
)

// Append stores a turn's writes in one batch with one fsync. It ends with the
// batch's sequence number, which goes into the side file too, once the batch is
// safe: a log that is recovered short of that number has lost its tail.
func (d *Disk) Append(writes []consensus.Write) error {
	d.appendMu.Lock()
	defer d.appendMu.Unlock()
	if err := d.failure.get(); err != nil {
		return err
	}
	batch := d.emptyBatch()
	var rebased []rebase
	for _, w := range writes {
		log := d.mustLookup(w.Group).log
		if err := d.addWrite(batch, log, w); err != nil {
			return d.fail(fmt.Errorf("append to %v: %w", w.Group, err))
		}
		if r, ok, err := d.addCut(batch, log, w); err != nil {
			return d.fail(fmt.Errorf("cut %v: %w", w.Group, err))
		} else if ok {
			rebased = append(rebased, r)
		}
	}
	size := batch.Len()
	if err := d.commitLog(batch); err != nil {
		return err
	}
	for _, w := range writes {
		d.lookup(w.Group).log.took(w, d.opts.TailBytes)
	}
	for _, r := range rebased {
		r.log.rebase(r.base, r.term)
	}
	d.noteLog(size)
	return nil
}

func (d *Disk) emptyBatch() *pebble.Batch {
	if d.batch == nil {
		d.batch = d.log.NewBatchWithSize(32 << 10)
	}
	d.batch.Reset()
	return d.batch
}

// logBatch makes one synced batch of what fill adds.
func (d *Disk) logBatch(fill func(*pebble.Batch) error) error {
	d.appendMu.Lock()
	defer d.appendMu.Unlock()
	batch := d.emptyBatch()
	if err := fill(batch); err != nil {
		return d.fail(err)
	}
	return d.commitLog(batch)
}

// commitLog numbers the batch, and returns once it is on disk and marked so.
func (d *Disk) commitLog(batch *pebble.Batch) error {
	d.sequence++
	key := [1]byte{sequencePrefix}
	value := [20]byte{}
	binary.LittleEndian.PutUint64(value[4:], d.sequence)
	binary.LittleEndian.PutUint64(value[12:], uint64(d.chain))
	seal(key[:], value[:])
	if err := batch.Set(key[:], value[:], nil); err != nil {
		return d.fail(err)
	}
	size := batch.Len()
	began := time.Now()
	if err := batch.Commit(pebble.Sync); err != nil {
		return d.fail(fmt.Errorf("write the log: %w", err))
	}
	// Pebble reports a failed fsync to its logger, which calls fail, not to us.
	if err := d.failure.get(); err != nil {
		return err
	}
	d.noteSync(time.Since(began))
	d.appends.Add(1)
	d.appendedBytes.Add(uint64(size))
	if err := d.tail.write(d.sequence, d.chain); err != nil {
		return d.fail(fmt.Errorf("write the tail mark: %w", err))
	}
	return nil
}

func (d *Disk) noteSync(took time.Duration) {
	d.syncsMu.Lock()
	d.syncs.Observe(took.Seconds())
	d.syncsMu.Unlock()
}

func (d *Disk) addWrite(batch *pebble.Batch, log *groupLog, w consensus.Write) error {
	if w.HardState != nil {
		key := groupKey(hardPrefix, w.Group)
		value := hardValue(key, w.HardState)
		d.chainOn(binary.LittleEndian.Uint32(value))
		if err := batch.Set(key, value, nil); err != nil {
			return err
		}
	}
	if len(w.Entries) == 0 {
		return nil
	}
	first := w.Entries[0].GetIndex()
	last := log.last // only we change it
	flotilla.Assert(first > log.base && first <= last+1, "%v: append at %d to a log of %d to %d", w.Group, first, log.base+1, last)
	if first <= last {
		// A new leader's entries replace ours. Those that they do not overwrite
		// must go, in the same batch, or the log would end in a stranger's tail.
		from := appendEntryKey(nil, w.Group, first)
		if err := batch.DeleteRange(from, appendEntryKey(nil, w.Group, last+1), nil); err != nil {
			return err
		}
	}
	for i, e := range w.Entries {
		flotilla.Assert(e.GetIndex() == first+uint64(i), "%v: entries do not follow each other", w.Group)
		if err := d.addEntry(batch, w.Group, e); err != nil {
			return err
		}
	}
	return nil
}

func (d *Disk) addEntry(batch *pebble.Batch, group flotilla.GroupID, e *raftpb.Entry) error {
	op := batch.SetDeferred(entryKeyBytes, entryValueBytes(e))
	appendEntryKey(op.Key[:0], group, e.GetIndex())
	d.chainOn(putEntry(op.Key, op.Value, e))
	return op.Finish()
}

// chainOn mixes a value's checksum into that of all batches so far.
func (d *Disk) chainOn(sum uint32) {
	var b [4]byte
	binary.LittleEndian.PutUint32(b[:], sum)
	d.chain = crc32.Update(d.chain, castagnoli, b[:])
}

// Cut allows entries up to index to be forgotten. It only takes note: they are
// deleted with a later Append, many at once.
func (d *Disk) Cut(id flotilla.GroupID, index uint64) {
	d.mustLookup(id).log.allowCut(index)
}

type rebase struct {
	log        *groupLog
	base, term uint64
}

// cutBytes of appended entries are reason enough to delete what can go, even if it is few.
const cutBytes = 16 << 20

// addCut deletes what nobody needs: what the group gave up, and the state on disk
// has in it already.
func (d *Disk) addCut(batch *pebble.Batch, log *groupLog, w consensus.Write) (r rebase, ok bool, err error) {
	log.mu.RLock()
	defer log.mu.RUnlock()
	limit := min(log.cut, d.mustLookup(log.group).state.Durable(), log.last)
	if len(w.Entries) > 0 {
		limit = min(limit, w.Entries[0].GetIndex()-1)
	}
	if limit <= log.base || (limit-log.base < uint64(d.opts.CutEntries) && log.sinceCut < cutBytes) {
		return rebase{}, false, nil
	}
	term, err := log.term(limit)
	if err != nil {
		return rebase{}, false, err
	}
	key := groupKey(replicaPrefix, log.group)
	err = errors.Join(
		batch.DeleteRange(appendEntryKey(nil, log.group, 0), appendEntryKey(nil, log.group, limit+1), nil),
		batch.Set(key, sealed(key, uint64(log.replica), limit, term), nil))
	return rebase{log: log, base: limit, term: term}, true, err
}

package storage

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"sync/atomic"

	"flotilla"
	"flotilla/consensus"
	"flotilla/storage/wal"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// Disk is a consensus.Disk: a log, synced once a turn, and a Pebble store of the
// states, which is written in large steps and needs no WAL because the log has
// everything that it does not.
//
// Who calls what: a group's State has one writer; Append, Cut, Create, Remove and
// Install are called by the node's loop (Append may run in another goroutine beside
// the rest, except for Create, Remove and Install); everything else by anyone.
type Disk struct {
	dir  string
	opts Options
	fs   vfs.FS // opts.FS, with the ballast given back when it is full

	lock  io.Closer
	log   *wal.Log
	state *pebble.DB
	tail  *sideFile
	space *space

	mu     sync.RWMutex // guards groups and lost
	groups map[flotilla.GroupID]*group
	lost   []consensus.Replica

	appendMu  sync.Mutex // guards what follows
	batch     wal.Batch
	positions []wal.Position // of the last batch's items, to use the slice again

	maxDropped int // the constant, but for tests

	flushMu     sync.Mutex // held while the state store's marks and epochs change
	flushes     uint64     // how often the states were flushed
	flushesFile *sideFile
	epoch       atomic.Uint32
	dirty       dirty

	failure stickyError // nothing may be written any more
	damage  stickyError // the stores must be quarantined

	appends, appendedBytes atomic.Uint64
	syncDelay              atomic.Int64 // a time.Duration, by a lab
	syncsMu                sync.Mutex   // guards syncs; held for as long as it takes to count
	syncs                  flotilla.Histogram

	isClosed    atomic.Bool
	stopFlusher context.CancelFunc
	flusher     sync.WaitGroup
}

var _ consensus.Disk = (*Disk)(nil)

// group is what a Disk holds for one replica.
type group struct {
	log   *groupLog
	state *groupState
}

// Groups returns the replicas of this node, in order of group.
func (d *Disk) Groups() []consensus.Replica {
	d.mu.RLock()
	defer d.mu.RUnlock()
	replicas := make([]consensus.Replica, 0, len(d.groups))
	for id, g := range d.groups {
		replicas = append(replicas, consensus.Replica{Group: id, ID: g.log.replica})
	}
	slices.SortFunc(replicas, func(a, b consensus.Replica) int { return cmp.Compare(a.Group, b.Group) })
	return replicas
}

func (d *Disk) lookup(id flotilla.GroupID) *group {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.groups[id]
}

func (d *Disk) mustLookup(id flotilla.GroupID) *group {
	g := d.lookup(id)
	flotilla.Assert(g != nil, "%v is not on this disk", id)
	return g
}

// Log returns the log of a group that is in Groups.
func (d *Disk) Log(id flotilla.GroupID) consensus.Log { return d.mustLookup(id).log }

// State returns the state of a group that is in Groups.
func (d *Disk) State(id flotilla.GroupID) consensus.State { return d.mustLookup(id).state }

// Create makes a replica; see consensus.Disk. The state comes first, then the log's
// record of the replica, which alone makes it exist, then the list outside the stores.
func (d *Disk) Create(replica consensus.Replica, initial []consensus.KeyValue) error {
	if d.lookup(replica.Group) != nil {
		return fmt.Errorf("create %v: it is here already", replica.Group)
	}
	var mark consensus.Mark
	if len(initial) > 0 {
		mark = consensus.Mark{Index: 1, Term: 1}
	}
	d.flushMu.Lock()
	defer d.flushMu.Unlock()
	epoch := d.epoch.Add(1)
	batch := d.state.NewBatch()
	defer batch.Close()
	prefix := dataKeyPrefix(replica.Group, epoch)
	for _, kv := range initial {
		key := append(slices.Clip(prefix), kv.Key...)
		if err := batch.Set(key, kv.Value, nil); err != nil {
			return d.fail(fmt.Errorf("create %v: %w", replica.Group, err))
		}
	}
	if err := d.switchEpoch(batch, replica.Group, epoch, mark); err != nil {
		return d.fail(fmt.Errorf("create %v: %w", replica.Group, err))
	}
	return d.enter(replica, epoch, mark, nil)
}

// Remove forgets a group, in the reverse order of Create.
func (d *Disk) Remove(id flotilla.GroupID) error {
	g := d.mustLookup(id)
	d.flushMu.Lock()
	defer d.flushMu.Unlock()
	d.mu.Lock()
	delete(d.groups, id)
	d.mu.Unlock()
	err := d.writeReplicas()
	if err == nil {
		err = d.logBatch(func() { addNumbers(&d.batch, removedItem, id) })
		g.log.reset(g.log.replica, consensus.Mark{}, nil)
	}
	if err == nil {
		batch := d.state.NewBatch()
		defer batch.Close()
		prefix := groupKey(dataPrefix, id)
		err = errors.Join(batch.Delete(groupKey(markPrefix, id), nil), batch.DeleteRange(prefix, prefixEnd(prefix), nil),
			batch.Commit(pebble.NoSync), d.state.Flush())
	}
	g.state.failure.set(fmt.Errorf("%v was removed", id))
	if err != nil {
		return d.fail(fmt.Errorf("remove %v: %w", id, err))
	}
	return d.failure.get()
}

// switchEpoch makes an epoch the group's state, durably, with what batch holds.
func (d *Disk) switchEpoch(batch *pebble.Batch, id flotilla.GroupID, epoch uint32, mark consensus.Mark) error {
	key := groupKey(markPrefix, id)
	if err := batch.Set(key, markValue(key, epoch, mark), nil); err != nil {
		return err
	}
	if err := batch.Commit(pebble.NoSync); err != nil {
		return err
	}
	return d.state.Flush()
}

// Stats returns counters and sizes. It is not for the hot path.
func (d *Disk) Stats() consensus.DiskStats {
	d.syncsMu.Lock()
	syncs := d.syncs
	d.syncsMu.Unlock()
	free, _ := d.space.free()
	return consensus.DiskStats{
		Appends:       d.appends.Load(),
		AppendedBytes: d.appendedBytes.Load(),
		SyncSeconds:   syncs.Sum,
		Syncs:         syncs,
		LogBytes:      d.log.Bytes(),
		StateBytes:    d.state.Metrics().DiskSpaceUsage(),
		FreeBytes:     free,
	}
}

// Room reports whether writes that grow the data should still be taken. It asks the
// file system at most ten times a second.
func (d *Disk) Room() bool { return d.space.hasRoom() }

// fail is the end: nothing can be written any more, and whoever goes on could
// only promise what is not kept.
func (d *Disk) fail(err error) error {
	if err == nil {
		return nil
	}
	isFirst := d.failure.get() == nil
	d.failure.set(err)
	if isFirst && !d.isClosed.Load() {
		d.opts.Exit(err)
	}
	d.dirty.flushed.Broadcast()
	return err
}

// Close writes the states to disk, so that the next start is short, and releases
// the folder. Views must be closed before.
func (d *Disk) Close() error {
	if d.stopFlusher != nil {
		d.stopFlusher()
	}
	d.flusher.Wait()
	d.Flush()
	if d.isClosed.Swap(true) {
		return nil
	}
	err := d.failure.get()
	return errors.Join(err, d.closeFiles())
}

// closeFiles closes whatever Open had opened so far.
func (d *Disk) closeFiles() (err error) {
	if d.state != nil {
		err = errors.Join(err, d.state.Close())
	}
	if d.log != nil {
		err = errors.Join(err, d.log.Close())
	}
	for _, side := range []*sideFile{d.tail, d.flushesFile} {
		if side != nil {
			err = errors.Join(err, side.close())
		}
	}
	if d.lock != nil {
		err = errors.Join(err, d.lock.Close())
	}
	return err
}

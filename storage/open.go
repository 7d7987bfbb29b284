package storage

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"

	"flotilla"
	"flotilla/consensus"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"go.etcd.io/raft/v3/raftpb"
)

// Open opens or makes a node's folder and checks it: all entries of all logs, that
// nothing of their end is missing, that each state is there and fits its log. What
// does not pass is a *DamagedError; the caller decides on Quarantine. What a crash
// left half done is finished or removed.
func Open(dir string, opts Options) (*Disk, error) {
	d := &Disk{dir: dir, opts: opts.withDefaults(), groups: map[flotilla.GroupID]*group{},
		syncs: flotilla.NewHistogram(flotilla.LatencyBounds())}
	d.dirty.flushed.L = &d.dirty.mu
	d.dirty.wake = make(chan struct{}, 1)
	d.space = newSpace(d.opts, dir)
	d.fs = vfs.OnDiskFull(d.opts.FS, d.space.release)
	if err := d.open(); err != nil {
		d.isClosed.Store(true) // Pebble's last errors are no reason to exit
		err = errors.Join(err, d.closeFiles())
		if isDamage(err) {
			return nil, &DamagedError{Dir: dir, Err: err}
		}
		return nil, fmt.Errorf("open %s: %w", dir, err)
	}
	if !d.opts.Synchronous {
		ctx, cancel := context.WithCancel(context.Background())
		d.stopFlusher = cancel
		d.flusher.Go(func() { d.runFlusher(ctx) })
	}
	return d, nil
}

func (d *Disk) path(name string) string { return d.opts.FS.PathJoin(d.dir, name) }

func (d *Disk) open() error {
	lock, err := lockDir(d.opts.FS, d.dir)
	if err != nil {
		return err
	}
	d.lock = lock
	known, err := d.readLists()
	if err != nil {
		return err
	}
	// The state comes first: if only it was moved aside by an interrupted
	// quarantine, the log must not be opened and believed.
	if err := errors.Join(d.openState(), d.openLog()); err != nil {
		return err
	}
	if err := syncDir(d.opts.FS, d.dir); err != nil {
		return err
	}
	if err := d.checkTail(); err != nil {
		return err
	}
	if err := d.loadGroups(); err != nil {
		return err
	}
	for _, r := range known {
		if g := d.groups[r.Group]; g == nil || g.log.replica != r.ID {
			return fmt.Errorf("%w: the log of %v is gone", errDamaged, r.Group)
		}
	}
	if err := d.cleanState(); err != nil {
		return err
	}
	if !slices.Equal(known, d.Groups()) {
		if err := d.writeReplicas(); err != nil {
			return err
		}
	}
	return d.space.makeBallast()
}

func lockDir(files vfs.FS, dir string) (io.Closer, error) {
	if err := files.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	if err := syncDir(files, files.PathDir(dir)); err != nil {
		return nil, err
	}
	lock, err := files.Lock(files.PathJoin(dir, lockName))
	if err != nil {
		return nil, fmt.Errorf("%s is in use by another process, stop it first: %w", dir, err)
	}
	return lock, nil
}

// readLists reads what is known outside the stores, and refuses stores that were
// found damaged before, or whose quarantine was not finished.
func (d *Disk) readLists() (known []consensus.Replica, err error) {
	if isMarked, err := exists(d.opts.FS, d.path(damagedName)); err != nil {
		return nil, err
	} else if isMarked {
		why, err := readFile(d.opts.FS, d.path(damagedName))
		return nil, errors.Join(fmt.Errorf("%w: found earlier: %s", errDamaged, why), err)
	}
	if d.lost, err = readReplicas(d.opts.FS, d.path(lostName)); err != nil {
		return nil, fmt.Errorf("%w: %w", errDamaged, err)
	}
	if known, err = readReplicas(d.opts.FS, d.path(replicasName)); err != nil {
		return nil, fmt.Errorf("%w: %w", errDamaged, err)
	}
	for _, r := range known {
		if slices.Contains(d.lost, r) {
			return nil, fmt.Errorf("%w: %v was lost before", errDamaged, r.Group)
		}
	}
	return known, nil
}

// checkTail compares the last batch in the log with what the side file and the
// state store know to have been synced.
func (d *Disk) checkTail() error {
	key := []byte{sequencePrefix}
	value, ok, err := getCopy(d.log, key)
	if err != nil {
		return err
	}
	var chain uint64
	if ok {
		if err := unsealed(key, value, &d.sequence, &chain); err != nil {
			return fmt.Errorf("the log's last batch: %w", err)
		}
		d.chain, d.recovered = uint32(chain), d.sequence
	}
	flushed, err := d.flushedSequence()
	if err != nil {
		return err
	}
	tail, sequence, marked, err := openTail(d.opts.FS, d.path(tailName))
	if err != nil {
		return err
	}
	d.tail = tail
	if d.sequence < max(sequence, flushed) {
		return fmt.Errorf("%w: the log ends at batch %d, but batch %d was synced: its tail is lost", errDamaged, d.sequence, max(sequence, flushed))
	}
	if d.sequence == sequence && sequence > 0 && d.chain != marked {
		return fmt.Errorf("%w: the log's batch %d is not the one that was synced", errDamaged, sequence)
	}
	return nil
}

// flushedSequence returns what the state store knows of the log.
func (d *Disk) flushedSequence() (sequence uint64, err error) {
	key := []byte{sequencePrefix}
	value, ok, err := getCopy(d.state, key)
	if err == nil && ok {
		err = unsealed(key, value, &sequence)
	}
	return sequence, err
}

// loadGroups reads the log store's records of replicas, and each one's log and mark.
func (d *Disk) loadGroups() error {
	items, err := d.log.NewIter(&pebble.IterOptions{
		LowerBound: []byte{replicaPrefix}, UpperBound: []byte{replicaPrefix + 1},
	})
	if err != nil {
		return err
	}
	var loaded []*groupLog
	for ok := items.First(); ok && err == nil; ok = items.Next() {
		var l *groupLog
		if l, err = d.parseReplica(items); err == nil {
			loaded = append(loaded, l)
		}
	}
	if err := errors.Join(err, items.Close()); err != nil {
		return err
	}
	for _, l := range loaded {
		if err := d.loadGroup(l); err != nil {
			return fmt.Errorf("%v: %w", l.group, err)
		}
	}
	return nil
}

func (d *Disk) parseReplica(items *pebble.Iterator) (*groupLog, error) {
	value, err := items.ValueAndErr()
	if err != nil {
		return nil, err
	}
	l := &groupLog{disk: d}
	var id uint64
	if err := unsealed(items.Key(), value, &id, &l.base, &l.baseTerm); err != nil {
		return nil, fmt.Errorf("record of a replica: %w", err)
	}
	l.replica = flotilla.ReplicaID(id)
	l.group = flotilla.GroupID(binary.BigEndian.Uint32(items.Key()[1:]))
	return l, nil
}

func (d *Disk) loadGroup(l *groupLog) error {
	key := groupKey(hardPrefix, l.group)
	value, ok, err := getCopy(d.log, key)
	if err == nil && ok {
		l.hard, err = parseHard(key, value)
	}
	if err != nil {
		return fmt.Errorf("HardState: %w", err)
	}
	l.last = l.base
	err = readEntries(d.log, l.group, l.base+1, 1<<64-1, func(e *raftpb.Entry) bool {
		l.tail = append(l.tail, e)
		l.tailBytes += int(entrySize(e))
		l.sinceCut += int(entrySize(e))
		l.last++
		if l.tailBytes > 2*d.opts.TailBytes {
			l.shrinkTail(d.opts.TailBytes)
		}
		return true
	})
	if err != nil {
		return fmt.Errorf("%w: %w", errDamaged, err)
	}
	key = groupKey(markPrefix, l.group)
	value, ok, err = getCopy(d.state, key)
	if err != nil {
		return err
	}
	if !ok {
		return fmt.Errorf("%w: the state is gone", errDamaged)
	}
	epoch, mark, err := parseMark(key, value)
	if err != nil {
		return fmt.Errorf("mark of the state: %w", err)
	}
	if mark.Index < l.base {
		return fmt.Errorf("%w: the state is at %d, but the log begins behind %d", errDamaged, mark.Index, l.base)
	}
	d.epoch.Store(max(d.epoch.Load(), epoch))
	d.groups[l.group] = &group{log: l, state: newGroupState(d, l.group, epoch, mark)}
	return d.catchUp(l, mark)
}

// catchUp makes a log begin behind a state that is ahead of it: an Install was cut
// off after its first half, or entries were applied before they were on this disk.
// The same goes for a log that has an older term's entry there: a state holds only
// what is committed, so that entry, and all behind it, never was.
func (d *Disk) catchUp(l *groupLog, mark consensus.Mark) error {
	if mark.Index <= l.last {
		term, err := l.term(mark.Index)
		if err != nil || term == mark.Term {
			return err
		}
		if term > mark.Term {
			return fmt.Errorf("%w: entry %d is of term %d, but was applied as one of term %d", errDamaged, mark.Index, term, mark.Term)
		}
	}
	replica := consensus.Replica{Group: l.group, ID: l.replica}
	return d.resetLog(replica, l, mark, nil)
}

// cleanState removes epochs that are nobody's: staged snapshots that were not
// installed, and what an Install or a Remove had no time to remove.
func (d *Disk) cleanState() error {
	batch := d.state.NewBatch()
	defer batch.Close()
	items, err := d.state.NewIter(nil)
	if err != nil {
		return err
	}
	var next []byte
	for ok := items.First(); ok; ok = items.SeekGE(next) {
		key := items.Key()
		if len(key) == 1 && key[0] == sequencePrefix {
			break // the last key
		}
		if len(key) < 5 {
			err = fmt.Errorf("%w: a key of %d bytes in the state", errDamaged, len(key))
			break
		}
		g := d.groups[flotilla.GroupID(binary.BigEndian.Uint32(key[1:]))]
		switch {
		case key[0] == dataPrefix && len(key) >= dataPrefixBytes:
			prefix := slices.Clone(key[:dataPrefixBytes])
			next = prefixEnd(prefix)
			epoch := binary.BigEndian.Uint32(prefix[5:])
			d.epoch.Store(max(d.epoch.Load(), epoch))
			if g == nil || g.state.layers.Load().epoch != epoch {
				err = batch.DeleteRange(prefix, next, nil)
			}
		case key[0] == markPrefix && len(key) == 5:
			next = append(slices.Clone(key), 0)
			if g == nil {
				err = batch.Delete(key, nil)
			}
		default:
			err = fmt.Errorf("%w: an unknown key in the state", errDamaged)
		}
		if err != nil {
			break
		}
	}
	if err := errors.Join(err, items.Close()); err != nil || batch.Empty() {
		return err
	}
	return batch.Commit(pebble.NoSync)
}

// enter makes a replica exist: its record in the log, then the list outside.
func (d *Disk) enter(replica consensus.Replica, epoch uint32, mark consensus.Mark, hard *raftpb.HardState) error {
	l := &groupLog{disk: d, group: replica.Group}
	if err := d.resetLog(replica, l, mark, hard); err != nil {
		return err
	}
	d.mu.Lock()
	d.groups[replica.Group] = &group{log: l, state: newGroupState(d, replica.Group, epoch, mark)}
	d.mu.Unlock()
	return d.writeReplicas()
}

// resetLog makes a group's log empty, beginning behind mark, in one synced batch.
func (d *Disk) resetLog(replica consensus.Replica, l *groupLog, mark consensus.Mark, hard *raftpb.HardState) error {
	err := d.logBatch(func(b *pebble.Batch) error {
		entries := groupKey(entryPrefix, replica.Group)
		key := groupKey(replicaPrefix, replica.Group)
		err := errors.Join(b.DeleteRange(entries, prefixEnd(entries), nil),
			b.Set(key, sealed(key, uint64(replica.ID), mark.Index, mark.Term), nil))
		if hard != nil {
			key := groupKey(hardPrefix, replica.Group)
			err = errors.Join(err, b.Set(key, hardValue(key, hard), nil))
		}
		return err
	})
	if err == nil {
		l.reset(replica.ID, mark, hard)
	}
	return err
}

// writeReplicas brings the list outside the stores up to date.
func (d *Disk) writeReplicas() error {
	return d.fail(writeFile(d.fs, d.path(replicasName), formatReplicas(d.Groups())))
}

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
	d := &Disk{dir: dir, opts: opts.withDefaults(), groups: map[flotilla.GroupID]*group{}, maxDropped: maxDropped,
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
	if err := d.openState(); err != nil {
		return err
	}
	loaded, err := d.openLog()
	if err != nil {
		return err
	}
	if err := syncDir(d.opts.FS, d.dir); err != nil {
		return err
	}
	flushed, err := d.checkFlushes()
	if err != nil {
		return err
	}
	if err := d.checkTail(flushed); err != nil {
		return err
	}
	if err := d.loadGroups(loaded); err != nil {
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

// checkFlushes finds out whether the states' store went back to what it was at an earlier
// flush: Pebble takes a record of its manifest that is damaged for the manifest's end. It
// returns how far the store knows that the log was synced.
func (d *Disk) checkFlushes() (synced uint64, err error) {
	key := []byte{flushPrefix}
	value, ok, err := getCopy(d.state, key)
	if err == nil && ok {
		if err = unsealed(key, value, &synced, &d.flushes); err != nil {
			err = unsealed(key, value, &synced) // before flushes were counted
		}
	}
	if err != nil {
		return 0, fmt.Errorf("note of the last flush: %w", err)
	}
	side, flushes, _, err := openSideFile(d.opts.FS, d.path(flushesName))
	if err != nil {
		return 0, err
	}
	d.flushesFile = side
	if d.flushes < flushes {
		return 0, fmt.Errorf("%w: the states are as of flush %d, but flush %d was on disk: the store has gone back", errDamaged, d.flushes, flushes)
	}
	return synced, checkSequence(d.state)
}

// checkTail compares the last record in the log with what the side file and the
// state store know to have been synced. A power cut may have taken what the side file
// knew: from now on, that this much is there is known for good.
func (d *Disk) checkTail(flushed uint64) error {
	tail, sequence, marked, err := openSideFile(d.opts.FS, d.path(tailName))
	if err != nil {
		return err
	}
	d.tail = tail
	last := d.log.Sequence()
	if last < max(sequence, flushed) {
		return fmt.Errorf("%w: the log ends at record %d, but record %d was synced: its tail is lost", errDamaged, last, max(sequence, flushed))
	}
	if last == sequence && d.log.Chain() != marked {
		return fmt.Errorf("%w: the log's record %d is not the one that was synced", errDamaged, sequence)
	}
	if last == sequence {
		return nil
	}
	return errors.Join(tail.write(last, d.log.Chain()), tail.file.Sync())
}

// loadGroups finds the states that belong to the logs. All are known before anything
// is written: a new segment of the log begins with all of them.
func (d *Disk) loadGroups(logs []*groupLog) error {
	for _, l := range logs {
		if err := d.loadGroup(l); err != nil {
			return fmt.Errorf("%v: %w", l.group, err)
		}
	}
	for _, l := range logs {
		if err := d.catchUp(l, d.groups[l.group].state.mark); err != nil {
			return fmt.Errorf("%v: %w", l.group, err)
		}
	}
	return nil
}

// loadGroup finds the state that belongs to a log.
func (d *Disk) loadGroup(l *groupLog) error {
	key := groupKey(markPrefix, l.group)
	value, ok, err := getCopy(d.state, key)
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
	return nil
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
		if len(key) == 1 && key[0] == flushPrefix {
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

// resetLog makes a group's log empty, beginning behind mark, in one synced record.
func (d *Disk) resetLog(replica consensus.Replica, l *groupLog, mark consensus.Mark, hard *raftpb.HardState) error {
	err := d.logBatch(func() {
		addReplica(&d.batch, newReplicaItem, replica.Group, replica.ID, mark.Index, mark.Term)
		if hard != nil {
			addHard(&d.batch, replica.Group, hard)
		}
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

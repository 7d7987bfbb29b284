package storage

import (
	"errors"
	"fmt"
	"io"

	"flotilla"
	"flotilla/consensus"

	"github.com/cockroachdb/pebble/v2"
	"go.etcd.io/raft/v3/raftpb"
)

// stageBatchBytes is how much of a snapshot is written to Pebble at a time.
const stageBatchBytes = 1 << 20

// staged is a snapshot under an epoch of its own: nobody reads it until the
// group's mark names that epoch.
type staged struct {
	disk    *Disk
	replica consensus.Replica
	mark    consensus.Mark
	epoch   uint32
	prefix  []byte
	isDone  bool // installed or dropped
}

// Stage reads a snapshot; see consensus.Disk. Memory is bounded by a batch. An
// error that wraps consensus.ErrBadSnapshot means that the stream was not whole.
func (d *Disk) Stage(replica consensus.Replica, from io.Reader) (consensus.Staged, error) {
	reader, err := consensus.NewSnapshotReader(from)
	if err != nil {
		return nil, err
	}
	epoch := d.epoch.Add(1)
	s := &staged{disk: d, replica: replica, mark: reader.Mark(), epoch: epoch, prefix: dataKeyPrefix(replica.Group, epoch)}
	if err := s.fill(reader); err != nil {
		s.Drop()
		return nil, err
	}
	return s, nil
}

func (s *staged) fill(reader *consensus.SnapshotReader) error {
	batch := s.disk.state.NewBatch()
	defer batch.Close()
	for {
		key, value, err := reader.Next()
		isEnd := errors.Is(err, io.EOF)
		if err != nil && !isEnd {
			return err
		}
		if !isEnd {
			op := batch.SetDeferred(len(s.prefix)+len(key), len(value))
			copy(op.Key[copy(op.Key, s.prefix):], key)
			copy(op.Value, value)
			if err := op.Finish(); err != nil {
				return err
			}
		}
		if batch.Len() >= stageBatchBytes || isEnd {
			if err := batch.Commit(pebble.NoSync); err != nil {
				return fmt.Errorf("stage a snapshot of %v: %w", s.replica.Group, err)
			}
			batch.Reset()
		}
		if isEnd {
			return s.disk.failure.get()
		}
	}
}

// Replica returns whom the snapshot is for.
func (s *staged) Replica() consensus.Replica { return s.replica }

// Mark returns what it is as of.
func (s *staged) Mark() consensus.Mark { return s.mark }

// Get looks a key up in the staged state.
func (s *staged) Get(key []byte) ([]byte, bool) {
	value, ok, err := getCopy(s.disk.state, append(append([]byte(nil), s.prefix...), key...))
	if err != nil {
		s.disk.noteReadError(err)
	}
	return value, ok
}

// Drop forgets the snapshot. What it leaves behind if it can not is removed by Open.
func (s *staged) Drop() {
	if s.isDone || s.disk.isClosed.Load() {
		return
	}
	s.isDone = true
	s.disk.dropEpoch(s.prefix)
}

func (d *Disk) dropEpoch(prefix []byte) {
	if err := d.state.DeleteRange(prefix, prefixEnd(prefix), pebble.NoSync); err != nil {
		d.opts.Log.Warn("an old snapshot stays until the next start", "err", err)
	}
}

// Install makes a staged snapshot the group's state and its log begin behind it:
//
//	state: mark -> new epoch     flushed: from here on Open finds the new state
//	log:   base, HardState       synced:  a crash before this is finished by Open
//	state: old epoch removed     some time
func (d *Disk) Install(from consensus.Staged, hard *raftpb.HardState) error {
	s, ok := from.(*staged)
	flotilla.Assert(ok && s.disk == d && !s.isDone, "install of what was not staged here")
	d.flushMu.Lock()
	defer d.flushMu.Unlock()
	batch := d.state.NewBatch()
	defer batch.Close()
	if err := d.switchEpoch(batch, s.replica.Group, s.epoch, s.mark); err != nil {
		return d.fail(fmt.Errorf("install a snapshot of %v: %w", s.replica.Group, err))
	}
	if err := d.failure.get(); err != nil {
		return err
	}
	s.isDone = true
	g := d.lookup(s.replica.Group)
	if g == nil {
		return d.enter(s.replica, s.epoch, s.mark, hard)
	}
	old := g.state.layers.Load().prefix
	g.state.replace(s.epoch, s.mark)
	isNewReplica := g.log.replica != s.replica.ID
	if err := d.resetLog(s.replica, g.log, s.mark, hard); err != nil {
		return err
	}
	if isNewReplica {
		if err := d.writeReplicas(); err != nil {
			return err
		}
	}
	d.dropEpoch(old)
	return nil
}

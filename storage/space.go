package storage

import (
	"errors"
	"io/fs"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// space watches the file system's free space. When it runs out all the same, the
// ballast file is given back, once, so that the log can still be cut and the node
// can stop in good order.
type space struct {
	opts      Options
	dir       string
	nextCheck atomic.Int64 // in nanoseconds since the epoch
	isShort   atomic.Bool
}

// checkInterval is how long an answer of the file system is good for. What is
// written meanwhile must be much less than MinFreeBytes, and asking costs microseconds.
const checkInterval = 100 * time.Millisecond

func newSpace(opts Options, dir string) *space { return &space{opts: opts, dir: dir} }

// free returns the free bytes; 0 and an error if that can not be known.
func (s *space) free() (uint64, error) {
	if s.opts.FreeBytes != nil {
		return s.opts.FreeBytes(), nil
	}
	usage, err := s.opts.FS.GetDiskUsage(s.dir)
	if err != nil {
		return 0, err
	}
	return usage.AvailBytes, nil
}

func (s *space) hasRoom() bool {
	if !s.opts.Synchronous {
		now := time.Now().UnixNano()
		next := s.nextCheck.Load()
		if now < next || !s.nextCheck.CompareAndSwap(next, now+int64(checkInterval)) {
			return !s.isShort.Load()
		}
	}
	free, err := s.free()
	s.isShort.Store(err == nil && free < s.opts.MinFreeBytes)
	return !s.isShort.Load()
}

// makeBallast writes the file if there is ample room for it.
func (s *space) makeBallast() error {
	size := s.opts.BallastBytes
	if size < 0 {
		return nil
	}
	files := s.opts.FS
	name := files.PathJoin(s.dir, ballastName)
	if info, err := files.Stat(name); err == nil && info.Size() == size {
		return nil
	}
	if free, err := s.free(); err != nil || free < 2*(uint64(size)+s.opts.MinFreeBytes) {
		return nil
	}
	file, err := files.Create(name, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	zeros := make([]byte, 1<<20) // written, not skipped: a hole takes no room
	for left := size; left > 0 && err == nil; left -= int64(len(zeros)) {
		_, err = file.Write(zeros[:min(left, int64(len(zeros)))])
	}
	return errors.Join(err, file.Close())
}

// release is called by the file system when a write failed for want of room; the
// write is then tried again.
func (s *space) release() {
	s.isShort.Store(true)
	s.nextCheck.Store(time.Now().UnixNano() + int64(checkInterval))
	err := s.opts.FS.Remove(s.opts.FS.PathJoin(s.dir, ballastName))
	switch {
	case err == nil:
		s.opts.Log.Error("the disk is full: gave the ballast file back; free some room and restart the node")
	case !errors.Is(err, fs.ErrNotExist):
		s.opts.Log.Error("the disk is full and the ballast file can not be removed", "err", err)
	}
}

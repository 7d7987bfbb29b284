package powercut

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// ErrUnavailable says that this machine can not mount the file system: it is no
// Linux, has no /dev/fuse, or we may not mount. Tests skip by name then.
var ErrUnavailable = errors.New("no FUSE here: it needs Linux, /dev/fuse and the right to mount (root)")

// DefaultPendingBytes is the default of Options.PendingBytes.
const DefaultPendingBytes = 256 << 20

// maxPendingNames bounds the changes of names that wait for a sync of their folder.
const maxPendingNames = 1 << 16

// Options of a file system. Zero fields mean the defaults.
type Options struct {
	// PendingBytes bounds the memory that unsynced writes take, each counted with
	// 128 bytes beside its own. Above, files are made durable early. 256 MiB.
	PendingBytes int64
	Log          *slog.Logger // of cuts, with their seed, and of what is written early; none
}

// Stats is what happened since Mount.
type Stats struct {
	FileSyncs    uint64 // fsync, fdatasync, and writes with O_SYNC or O_DSYNC (these may count twice)
	FolderSyncs  uint64
	Cuts         uint64
	DroppedBytes int64 // written, and lost in a cut; zeros at the end of a write do not count
	DroppedNames int64 // created, renamed, linked or removed, and undone by a cut
	PendingBytes int64 // what the next cut would lose, with 128 bytes for each write
	PendingNames int64
	EarlyBytes   int64 // made durable by nobody's wish, for want of memory
	EarlyNames   int64
}

// FS is a mounted file system. Its methods may be called by anyone.
//
// Processes that use it must be killed by whoever cuts its power: they would see
// only errors, and go on when the power is back, as no process does. What they
// have open stays broken for good.
type FS struct {
	dir, backing string
	opts         Options

	// mu guards what follows. The backing folder is read and written under it, which
	// is what makes a cut one moment: each operation is wholly before it, or not at all.
	mu       sync.Mutex
	image    *image
	listings map[uint64]listing // open folders
	nextOpen uint64
	isCut    bool
	faults   Faults
	capacity int64    // of all files together, while faults.IsFull
	trigger  *trigger // nil: looking for Trigger does nothing
	stats    Stats

	unmount func() error
}

// Mount mounts an empty file system at dir, which must be there, and returns once
// it can be used. backing is made if need be, and must be empty.
// errors.Is(err, ErrUnavailable) means that this machine can not.
func Mount(dir, backing string, opts Options) (*FS, error) {
	if opts.PendingBytes == 0 {
		opts.PendingBytes = DefaultPendingBytes
	}
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	dir, err := filepath.Abs(dir)
	if err == nil {
		backing, err = filepath.Abs(backing)
	}
	if err != nil {
		return nil, fmt.Errorf("mount %s: %w", dir, err)
	}
	if err := os.MkdirAll(backing, 0o700); err != nil {
		return nil, fmt.Errorf("make the backing folder: %w", err)
	}
	found, err := os.ReadDir(backing)
	if err != nil {
		return nil, fmt.Errorf("look into the backing folder: %w", err)
	}
	if len(found) > 0 {
		return nil, fmt.Errorf("the backing folder %s holds %q: use an empty one", backing, found[0].Name())
	}
	f := &FS{dir: dir, backing: backing, opts: opts, image: newImage(backing, time.Now()), listings: map[uint64]listing{}}
	if f.unmount, err = serve(f); err != nil {
		return nil, fmt.Errorf("mount %s: %w", dir, err)
	}
	return f, nil
}

// Dir returns where the file system is mounted.
func (f *FS) Dir() string { return f.dir }

// Cut cuts the power: all that is not durable is gone, and every operation fails with
// EIO until Restore. Processes that use it are the caller's to kill. An error says that
// the backing folder failed, and the image is not to be trusted.
func (f *FS) Cut() error { return f.cut(nil) }

// CutTorn is Cut with a part of what was pending surviving, as the seed has it; see
// the package comment. The same seed gives the same part of the same pending changes.
func (f *FS) CutTorn(seed uint64) error { return f.cut(&seed) }

func (f *FS) cut(seed *uint64) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.isCut {
		return nil
	}
	bytes, names, err := f.image.cut(seed)
	f.isCut, f.trigger = true, nil
	f.listings = map[uint64]listing{}
	f.stats.Cuts++
	f.stats.DroppedBytes += bytes
	f.stats.DroppedNames += int64(names)
	attributes := []any{"dir", f.dir, "dropped_bytes", bytes, "dropped_names", names}
	if seed != nil {
		attributes = append(attributes, "seed", *seed)
	}
	f.opts.Log.Info("power cut", attributes...)
	if err != nil {
		return fmt.Errorf("cut the power of %s: %w", f.dir, err)
	}
	return nil
}

// Restore gives the power back: what is durable can be seen, and used, again.
func (f *FS) Restore() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.isCut = false
}

// Stats returns what happened since Mount.
func (f *FS) Stats() Stats {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.stats
	s.PendingBytes, s.PendingNames = f.image.bytes, int64(len(f.image.pending))
	return s
}

// Unmount ends the file system and empties the backing folder. Nothing may use it
// any more: if something does, it is detached from dir all the same, and an error says so.
func (f *FS) Unmount() error {
	err := f.unmount()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.isCut = true
	if err = errors.Join(err, f.image.close()); err != nil {
		return fmt.Errorf("unmount %s: %w", f.dir, err)
	}
	return nil
}

// use runs an operation on a node that the kernel knows by its id, as one step. An
// id from before a cut is known to nobody.
func (f *FS) use(id uint64, operation func(n *node) error) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := f.image.nodes[id]
	if f.isCut || n == nil {
		return syscall.EIO
	}
	return operation(n)
}

// useTwo is use with two nodes.
func (f *FS) useTwo(one, other uint64, operation func(a, b *node) error) error {
	return f.use(one, func(a *node) error {
		b := f.image.nodes[other]
		if b == nil {
			return syscall.EIO
		}
		return operation(a, b)
	})
}

// syncFile makes a file durable on request. Callers are in use.
func (f *FS) syncFile(n *node) error {
	f.stats.FileSyncs++
	return f.image.syncFile(n)
}

// relieve makes durable early what does not fit in memory. Callers are in use.
func (f *FS) relieve() error {
	for f.image.bytes > f.opts.PendingBytes {
		n := f.image.dirtiest()
		bytes := n.content.pending
		if err := f.image.syncFile(n); err != nil {
			return err
		}
		f.stats.EarlyBytes += bytes
	}
	if half := len(f.image.pending) / 2; len(f.image.pending) > maxPendingNames {
		f.stats.EarlyNames += int64(half)
		return f.image.commitOldest(half)
	}
	return nil
}

package storage

import (
	"log/slog"
	"os"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Options says how a Disk is kept. The zero value is what a node uses.
type Options struct {
	// FS is the file system; nil means the machine's own.
	FS vfs.FS
	// Log receives the few lines that are worth a person's time; nil means none.
	Log *slog.Logger
	// Exit is called once when the disk failed in a way that nobody can go on
	// from; nil means to print the reason and end the process with status 1.
	Exit func(err error)

	// Quiet is called once each time that nothing has changed for a while and the Disk
	// has let go of memory: the time to collect it. Nil means nothing to do.
	Quiet func()

	// DirtyBytes bounds what the states of all groups hold in memory before it is
	// written to Pebble; zero means 64 MiB. While that is being written as much again
	// may gather, and half more; then Commit waits for the disk.
	DirtyBytes int
	// FlushLogBytes bounds what has to be replayed after a crash: the states are
	// written once the logs grew by this much; zero means 128 MiB.
	FlushLogBytes int
	// FlushAge bounds how long a change waits for being written; zero means 60 s.
	FlushAge time.Duration
	// TailBytes bounds the newest entries that are kept in memory for each group;
	// zero means 8 MiB.
	TailBytes int
	// CutEntries is how many entries at least are deleted from a log at once;
	// zero means 1024.
	CutEntries int

	// LogSegmentBytes is the size of a file of the log; zero means 16 MiB.
	LogSegmentBytes int64
	// LogFillBytes is how far ahead a growing file of the log is filled with zeros;
	// zero means 1 MiB, a negative number nothing.
	LogFillBytes int64

	// StateCacheBytes bounds Pebble's block cache; zero means 64 MiB.
	StateCacheBytes int64

	// MinFreeBytes is the free space below which Room is false; zero means 64 MiB.
	MinFreeBytes uint64
	// BallastBytes is the size of the ballast file; zero means 64 MiB, a negative
	// number means none.
	BallastBytes int64
	// FreeBytes replaces the question to the file system; used by tests.
	FreeBytes func() uint64

	// Lab lets SetSyncDelay make the disk slow.
	Lab bool

	// Synchronous runs flushes inside Commit and Append instead of in a goroutine,
	// and ignores the clock: for a simulator that must be replayable.
	Synchronous bool
}

func (o Options) withDefaults() Options {
	setDefault(&o.FS, vfs.Default)
	setDefault(&o.DirtyBytes, 64<<20)
	setDefault(&o.FlushLogBytes, 128<<20)
	setDefault(&o.FlushAge, time.Minute)
	setDefault(&o.TailBytes, 8<<20)
	setDefault(&o.CutEntries, 1024)
	setDefault(&o.StateCacheBytes, 64<<20)
	setDefault(&o.MinFreeBytes, 64<<20)
	setDefault(&o.BallastBytes, 64<<20)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Quiet == nil {
		o.Quiet = func() {}
	}
	if o.Exit == nil {
		log := o.Log
		o.Exit = func(err error) {
			log.Error("the disk failed, stopping", "err", err)
			_, _ = os.Stderr.WriteString("flotilla: the disk failed, stopping: " + err.Error() + "\n")
			os.Exit(1)
		}
	}
	return o
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

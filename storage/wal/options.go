package wal

import "github.com/cockroachdb/pebble/v2/vfs"

// Options says how a Log is kept. FS and Head must be given.
type Options struct {
	FS vfs.FS
	// Head adds to a batch what must not be lost with older segments. Append calls it
	// before it writes the first record of a segment.
	Head func(*Batch)
	// SegmentBytes is how large a segment may get; one record may be larger. Zero
	// means 16 MiB.
	SegmentBytes int64
	// FillBytes is how far ahead of the records a growing segment is filled with
	// zeros. Zero means 1 MiB, a negative number nothing.
	FillBytes int64
	// Spares is how many segments are kept to be written over; zero means 4.
	Spares int
}

func (o Options) withDefaults() Options {
	if o.SegmentBytes == 0 {
		o.SegmentBytes = 16 << 20
	}
	if o.FillBytes == 0 {
		o.FillBytes = 1 << 20
	}
	if o.Spares == 0 {
		o.Spares = 4
	}
	return o
}

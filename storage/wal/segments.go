package wal

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"
)

const (
	logSuffix   = ".log"
	spareSuffix = ".spare"
)

func (l *Log) path(number uint32, suffix string) string {
	return l.opts.FS.PathJoin(l.dir, fmt.Sprintf("%08d%s", number, suffix))
}

// list returns the numbers of the files with a suffix, in order.
func (l *Log) list(suffix string) (numbers []uint32, err error) {
	names, err := l.opts.FS.List(l.dir)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		digits, ok := strings.CutSuffix(name, suffix)
		n, err := strconv.ParseUint(digits, 10, 32)
		if ok && err == nil && n > 0 {
			numbers = append(numbers, uint32(n))
		}
	}
	slices.Sort(numbers)
	return numbers, nil
}

// begin makes a segment the one that is written. Its name is on disk before its first
// record is.
func (l *Log) begin(number uint32) error {
	name := l.path(number, logSuffix)
	if n := len(l.spares); n > 0 {
		if err := l.opts.FS.Rename(l.path(l.spares[n-1], spareSuffix), name); err != nil {
			return err
		}
		l.spares = l.spares[:n-1]
	} else if err := create(l.opts.FS, name); err != nil {
		return err
	}
	if err := syncDir(l.opts.FS, l.dir); err != nil {
		return err
	}
	s, err := l.open(number)
	if err != nil {
		return err
	}
	l.mu.Lock()
	l.segments = append(l.segments, s)
	l.mu.Unlock()
	return nil
}

// open opens a segment's file. One that was a spare is as long as it was.
func (l *Log) open(number uint32) (*segment, error) {
	file, err := l.opts.FS.OpenReadWrite(l.path(number, logSuffix), vfs.WriteCategoryUnspecified)
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return &segment{number: number, file: file, filled: info.Size()}, nil
}

// recycle makes a spare of a segment, or removes it if there are enough of them. The
// names need not be on disk: open does it again.
func (l *Log) recycle(number uint32, size int64) error {
	name := l.path(number, logSuffix)
	isTaken := slices.Contains(l.spares, number) // a crash can leave both names
	if len(l.spares) < l.opts.Spares && size <= l.opts.SegmentBytes && !isTaken {
		l.spares = append(l.spares, number)
		return l.opts.FS.Rename(name, l.path(number, spareSuffix))
	}
	l.mu.Lock()
	l.bytes -= uint64(size)
	l.mu.Unlock()
	return l.opts.FS.Remove(name)
}

func create(files vfs.FS, name string) error {
	file, err := files.Create(name, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	return file.Close()
}

func syncDir(files vfs.FS, dir string) error {
	d, err := files.OpenDir(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

package wal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// ErrDamaged is wrapped by errors that say that the log is not what was written.
var ErrDamaged = errors.New("the log is damaged")

// Position says where an item is. The zero Position is nobody's.
type Position struct {
	Segment, Offset uint32
	Size            uint32 // of the body
}

// Log is a write-ahead log. Append has one caller at a time; Read, Keep and Free may
// be called beside it.
type Log struct {
	dir  string
	opts Options

	mu       sync.Mutex // guards what follows, and the segments' kept
	segments []*segment // oldest first; the last one is written
	spares   []uint32
	bytes    uint64 // of all files

	sequence atomic.Uint64 // of the last record on disk
	chain    uint32        // its crc
	oldest   uint32        // what it said
	head     Batch
	zeros    []byte
}

// segment is an open file.
type segment struct {
	number uint32
	file   vfs.File
	end    int64 // of the records
	filled int64 // of the file
	kept   int64 // bytes of items that somebody keeps
}

// Sequence returns the number of the last record that is on disk, and its checksum
// together with that of all before. Records are numbered from 1.
func (l *Log) Sequence() uint64 { return l.sequence.Load() }

// Chain returns the checksum of the last record, which depends on all before. Only
// who may call Append may ask.
func (l *Log) Chain() uint32 { return l.chain }

// Bytes returns how much room the log takes on disk.
func (l *Log) Bytes() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.bytes
}

// Kept returns how many bytes of items are kept.
func (l *Log) Kept() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.kept()
}

func (l *Log) kept() (bytes int64) {
	for _, s := range l.segments {
		bytes += s.kept
	}
	return bytes
}

func (l *Log) newest() *segment { return l.segments[len(l.segments)-1] }

// Append writes a batch and returns once it is on disk. It adds the items' positions
// to dst. Segments that nobody keeps anything of are given up. Any error is final.
func (l *Log) Append(dst []Position, batch *Batch) ([]Position, error) {
	if batch.Len() > math.MaxUint32/2 {
		return dst, fmt.Errorf("a batch of %d bytes is too large", batch.Len())
	}
	if s := l.newest(); s.end > 0 && s.end+recordBytes(batch.Len()) > l.opts.SegmentBytes {
		if err := l.begin(s.number + 1); err != nil {
			return dst, fmt.Errorf("begin segment %d: %w", s.number+1, err)
		}
	}
	if l.newest().end == 0 {
		l.head.Reset()
		l.opts.Head(&l.head)
		if _, err := l.write(nil, &l.head); err != nil {
			return dst, fmt.Errorf("write the head of a segment: %w", err)
		}
	}
	dst, err := l.write(dst, batch)
	if err != nil {
		return dst, err
	}
	return dst, l.giveUp()
}

// write writes and syncs one record.
func (l *Log) write(dst []Position, batch *Batch) ([]Position, error) {
	s := l.newest()
	h := header{sequence: l.sequence.Load() + 1, segment: s.number, oldest: l.needed(), chain: l.chain}
	batch.seal(&h)
	if _, err := s.file.WriteAt(batch.buf, s.end); err != nil {
		return dst, err
	}
	end := s.end + int64(len(batch.buf))
	if end > s.filled {
		if err := l.fill(s, end); err != nil {
			return dst, err
		}
	}
	if err := s.file.SyncData(); err != nil {
		return dst, err
	}
	for at := headerBytes; at < headerBytes+int(h.size); {
		size := binary.LittleEndian.Uint32(batch.buf[at+4:])
		dst = append(dst, Position{Segment: s.number, Offset: uint32(s.end) + uint32(at), Size: size})
		at += itemBytes + int(size)
	}
	s.end = end
	l.chain, l.oldest = h.crc, h.oldest
	l.sequence.Store(h.sequence)
	return dst, nil
}

// fill makes a segment longer, up to its size but at least to where its records end.
func (l *Log) fill(s *segment, end int64) error {
	if n := min(l.opts.FillBytes, l.opts.SegmentBytes-end); n > 0 {
		if l.zeros == nil {
			l.zeros = make([]byte, 64<<10)
		}
		for n > 0 {
			part := l.zeros[:min(n, int64(len(l.zeros)))]
			if _, err := s.file.WriteAt(part, end); err != nil {
				return err
			}
			end += int64(len(part))
			n -= int64(len(part))
		}
	}
	l.mu.Lock()
	l.bytes += uint64(end - s.filled)
	l.mu.Unlock()
	s.filled = end
	return nil
}

// needed returns the oldest segment that somebody keeps something of.
func (l *Log) needed() uint32 {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.segments {
		if s.kept > 0 {
			return s.number
		}
	}
	return l.newest().number
}

// Keep says that an item is needed until Free.
func (l *Log) Keep(p Position) { l.count(p, int64(p.Size)+itemBytes) }

// Free says that an item is not needed any more.
func (l *Log) Free(p Position) { l.count(p, -int64(p.Size)-itemBytes) }

func (l *Log) count(p Position, bytes int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s := l.find(p.Segment); s != nil {
		s.kept += bytes
	}
}

// find returns a segment; l.mu is held.
func (l *Log) find(number uint32) *segment {
	if at := int(number) - int(l.segments[0].number); at >= 0 && at < len(l.segments) {
		return l.segments[at]
	}
	return nil
}

// Read returns the body of an item that is kept.
func (l *Log) Read(p Position) ([]byte, error) {
	l.mu.Lock()
	s := l.find(p.Segment)
	l.mu.Unlock()
	if s == nil {
		return nil, fmt.Errorf("%w: segment %d is gone", ErrDamaged, p.Segment)
	}
	item := make([]byte, itemBytes+int(p.Size))
	if _, err := s.file.ReadAt(item, int64(p.Offset)); err != nil {
		return nil, fmt.Errorf("%w: read segment %d at %d: %w", ErrDamaged, p.Segment, p.Offset, err)
	}
	if binary.LittleEndian.Uint32(item[4:]) != p.Size || crc32.Checksum(item[4:], castagnoli) != binary.LittleEndian.Uint32(item) {
		return nil, fmt.Errorf("%w: the item in segment %d at %d does not match its checksum", ErrDamaged, p.Segment, p.Offset)
	}
	return item[itemBytes:], nil
}

// Sparse returns the oldest segment if the log takes much more room than what is kept
// of it: whoever keeps something there does well to add it to the log again, and to
// free it.
func (l *Log) Sparse() (number uint32, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	size := l.opts.SegmentBytes
	return l.segments[0].number, len(l.segments) > 1 && int64(len(l.segments))*size > 2*l.kept()+4*size
}

// Close closes the files. Nothing more has to be written.
func (l *Log) Close() (err error) {
	for _, s := range l.segments {
		err = errors.Join(err, s.file.Close())
	}
	l.segments = nil
	return err
}

// giveUp lets go of the segments that the last record said are not needed.
func (l *Log) giveUp() error {
	for l.segments[0].number < l.oldest {
		s := l.segments[0]
		if err := s.file.Close(); err != nil {
			return err
		}
		l.mu.Lock()
		l.segments = slices.Delete(l.segments, 0, 1)
		l.mu.Unlock()
		if err := l.recycle(s.number, s.filled); err != nil {
			return err
		}
	}
	return nil
}

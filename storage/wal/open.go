package wal

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Open opens or makes the log in a folder, checks all of it, and visits the items of
// all records in order; a body is the visitor's only during the call. What it has
// visited is on disk when it returns.
func Open(dir string, opts Options, visit func(p Position, body []byte) error) (*Log, error) {
	l := &Log{dir: dir, opts: opts.withDefaults()}
	if err := l.load(visit); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

func (l *Log) load(visit func(Position, []byte) error) error {
	files := l.opts.FS
	if err := files.MkdirAll(l.dir, 0o755); err != nil {
		return err
	}
	if err := syncDir(files, files.PathDir(l.dir)); err != nil {
		return err
	}
	numbers, err := l.list(logSuffix)
	if err != nil {
		return err
	}
	if l.spares, err = l.list(spareSuffix); err != nil {
		return err
	}
	if len(numbers) == 0 {
		return l.begin(l.number())
	}
	first, err := l.first(numbers)
	if err != nil {
		return err
	}
	if err := l.replay(numbers, first, visit); err != nil {
		return err
	}
	if err := l.tidy(numbers, first); err != nil {
		return err
	}
	// A process may have ended between a write and its sync: what was read may be in
	// the kernel's memory only.
	return errors.Join(l.newest().file.Sync(), syncDir(files, l.dir))
}

// number returns the number of a first segment. Spares of an older log keep theirs.
func (l *Log) number() uint32 {
	if len(l.spares) == 0 {
		return 1
	}
	return slices.Max(l.spares) + 1
}

// first returns the oldest segment that is needed, as the last record says, and
// checks that all from there on are there.
func (l *Log) first(numbers []uint32) (uint32, error) {
	for i := len(numbers) - 1; i >= 0 && i >= len(numbers)-2; i-- {
		s, err := l.open(numbers[i])
		if err != nil {
			return 0, err
		}
		var last header
		_, err = scan(s, func(h header, _ int64, _, _ []byte) error { last = h; return nil })
		if err := errors.Join(err, s.file.Close()); err != nil {
			return 0, err
		}
		if last.sequence == 0 {
			continue // its head was not written yet
		}
		for n := last.oldest; n <= numbers[len(numbers)-1]; n++ {
			if !slices.Contains(numbers, n) {
				return 0, fmt.Errorf("%w: segment %d is missing", ErrDamaged, n)
			}
		}
		return last.oldest, nil
	}
	if len(numbers) == 1 {
		return numbers[0], nil // the very first head was not written
	}
	return 0, fmt.Errorf("%w: segments %d and %d hold no record", ErrDamaged, numbers[len(numbers)-2], numbers[len(numbers)-1])
}

// replay visits the segments from first on.
func (l *Log) replay(numbers []uint32, first uint32, visit func(Position, []byte) error) error {
	var last header
	for _, number := range numbers {
		if number < first {
			continue
		}
		s, err := l.open(number)
		if err != nil {
			return err
		}
		l.segments = append(l.segments, s)
		isFirst := true
		s.end, err = scan(s, func(h header, offset int64, head, items []byte) error {
			if last.sequence != 0 && (h.sequence != last.sequence+1 || h.chain != last.crc) {
				return fmt.Errorf("%w: record %d of segment %d does not follow record %d", ErrDamaged, h.sequence, number, last.sequence)
			}
			last, isFirst = h, false
			_, err := split(h, head, items, func(at int, body []byte) error {
				return visit(Position{Segment: number, Offset: uint32(offset) + headerBytes + uint32(at), Size: uint32(len(body))}, body)
			})
			return err
		})
		if err != nil {
			return err
		}
		if isFirst && number != numbers[len(numbers)-1] {
			return fmt.Errorf("%w: segment %d holds no record", ErrDamaged, number)
		}
	}
	l.chain, l.oldest = last.crc, last.oldest
	l.sequence.Store(last.sequence)
	return nil
}

// tidy makes spares of the segments before first, and removes spares that are too many.
func (l *Log) tidy(numbers []uint32, first uint32) error {
	for len(l.spares) > l.opts.Spares {
		if err := l.opts.FS.Remove(l.path(l.spares[0], spareSuffix)); err != nil {
			return err
		}
		l.spares = l.spares[1:]
	}
	for _, number := range l.spares {
		info, err := l.opts.FS.Stat(l.path(number, spareSuffix))
		if err != nil {
			return err
		}
		l.bytes += uint64(info.Size())
	}
	for _, number := range numbers {
		info, err := l.opts.FS.Stat(l.path(number, logSuffix))
		if err != nil {
			return err
		}
		l.bytes += uint64(info.Size())
		if number >= first {
			continue
		}
		if err := l.recycle(number, info.Size()); err != nil {
			return err
		}
	}
	return nil
}

// End returns where the records of a segment end, for those who damage one on purpose:
// what lies behind is nothing that is ever read.
func End(files vfs.FS, name string) (int64, error) {
	digits := strings.TrimSuffix(files.PathBase(name), logSuffix)
	number, err := strconv.ParseUint(digits, 10, 32)
	if err != nil {
		return 0, fmt.Errorf("%s is no segment of a log: %w", name, err)
	}
	file, err := files.Open(name)
	if err != nil {
		return 0, err
	}
	info, err := file.Stat()
	if err != nil {
		return 0, errors.Join(err, file.Close())
	}
	s := &segment{number: uint32(number), file: file, filled: info.Size()}
	end, err := scan(s, func(header, int64, []byte, []byte) error { return nil })
	return end, errors.Join(err, file.Close())
}

// scan visits the whole records of a segment and returns where they end. A whole
// record behind that end is damage.
func scan(s *segment, visit func(h header, offset int64, head, items []byte) error) (end int64, err error) {
	r := bufio.NewReaderSize(io.NewSectionReader(s.file, 0, s.filled), 256<<10)
	head := make([]byte, headerBytes)
	var items []byte
	var last uint64
	for {
		h, ok, err := readRecord(r, s, s.filled-end, head, &items)
		if err != nil {
			return 0, err
		}
		if !ok {
			return end, s.checkEnd(end, last)
		}
		if err := visit(h, end, head, items); err != nil {
			return 0, err
		}
		last = h.sequence
		end += recordBytes(len(items))
	}
}

// readRecord reads a record of a segment that has left bytes more; ok is false if
// there is no whole one.
func readRecord(r io.Reader, s *segment, left int64, head []byte, items *[]byte) (h header, ok bool, err error) {
	if left < headerBytes {
		return h, false, nil
	}
	if _, err := io.ReadFull(r, head); err != nil {
		return h, false, err
	}
	h, ok = parseHeader(head)
	if !ok || h.segment != s.number || recordBytes(int(h.size)) > left || h.size > math.MaxUint32/2 {
		return h, false, nil
	}
	room := int(recordBytes(int(h.size))) - headerBytes
	*items = slices.Grow((*items)[:0], room)[:room]
	if _, err := io.ReadFull(r, *items); err != nil {
		return h, false, err
	}
	*items = (*items)[:h.size]
	ok, err = split(h, head, *items, nil)
	return h, ok, err
}

// checkEnd looks for a whole record of this segment behind its end: then what is at
// the end is not a torn record but a damaged one.
func (s *segment) checkEnd(end int64, last uint64) error {
	const window = 1 << 20
	buf := make([]byte, window+headerBytes)
	for at := end; at < s.filled; at += window {
		n, err := s.file.ReadAt(buf[:min(int64(len(buf)), s.filled-at)], at)
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		for i := 0; i+headerBytes <= n && i < window; i += alignment {
			if binary.LittleEndian.Uint32(buf[i:]) != magic {
				continue
			}
			h, _ := parseHeader(buf[i:])
			if h.segment != s.number || h.sequence <= last {
				continue
			}
			var items []byte
			r := io.NewSectionReader(s.file, at+int64(i), s.filled-at-int64(i))
			_, ok, err := readRecord(r, s, s.filled-at-int64(i), make([]byte, headerBytes), &items)
			if err != nil {
				return err
			}
			if ok {
				return fmt.Errorf("%w: segment %d is broken at %d, but goes on at %d", ErrDamaged, s.number, end, at+int64(i))
			}
		}
	}
	return nil
}

package consensus

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"flotilla"
)

// A snapshot is the group's whole key range as one stream, so that neither side
// ever holds more of it than a chunk. Each chunk carries a checksum, the keys
// must ascend, and the last chunk tells how many there were: a stream that was
// cut short, spliced or damaged on its way is never taken for a whole one.
const (
	snapshotMagic       = "FLSNAP1\n"
	snapshotHeaderBytes = len(snapshotMagic) + 3*8 + 4
	snapshotChunkHeader = 12
	snapshotChunkBytes  = 256 << 10 // a chunk is closed once it has this many
	snapshotChunkMax    = 1 << 30   // more than any key and value that were ever accepted
	snapshotReadStep    = 256 << 10 // memory grows by what arrived, not by what was promised
)

// ErrBadSnapshot is wrapped by every error that means: these bytes are not a
// whole, undamaged snapshot. Errors of the reader underneath are passed on as they are.
var ErrBadSnapshot = errors.New("damaged snapshot")

// castagnoli is the CRC32C table. It is written once, here.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func writeSnapshot(w io.Writer, view View) error {
	if err := writeSnapshotHeader(w, view.Mark()); err != nil {
		return fmt.Errorf("write snapshot header: %w", err)
	}
	var total uint64
	var count uint32
	chunk := make([]byte, snapshotChunkHeader, snapshotChunkHeader+snapshotChunkBytes)
	for key, value := range view.Scan(nil, nil) {
		chunk = binary.AppendUvarint(chunk, uint64(len(key)))
		chunk = binary.AppendUvarint(chunk, uint64(len(value)))
		chunk = append(append(chunk, key...), value...)
		count++
		if len(chunk) < snapshotChunkBytes {
			continue
		}
		if err := writeChunk(w, chunk, count); err != nil {
			return err
		}
		total += uint64(count)
		chunk, count = chunk[:snapshotChunkHeader], 0
	}
	// A view that could not read everything ends its scan early: without this
	// check the stream would look whole.
	if err := view.Err(); err != nil {
		return fmt.Errorf("read state for snapshot: %w", err)
	}
	if count > 0 {
		if err := writeChunk(w, chunk, count); err != nil {
			return err
		}
		total += uint64(count)
	}
	return writeChunk(w, binary.LittleEndian.AppendUint64(chunk[:snapshotChunkHeader], total), 0)
}

func writeSnapshotHeader(w io.Writer, mark Mark) error {
	header := make([]byte, 0, snapshotHeaderBytes)
	header = append(header, snapshotMagic...)
	header = binary.LittleEndian.AppendUint64(header, mark.Index)
	header = binary.LittleEndian.AppendUint64(header, mark.Term)
	header = binary.LittleEndian.AppendUint64(header, uint64(mark.Time))
	header = binary.LittleEndian.AppendUint32(header, crc32.Checksum(header, castagnoli))
	_, err := w.Write(header)
	return err
}

// writeChunk fills in the room that was left for the header, and writes.
func writeChunk(w io.Writer, chunk []byte, count uint32) error {
	body := chunk[snapshotChunkHeader:]
	binary.LittleEndian.PutUint32(chunk, count)
	binary.LittleEndian.PutUint32(chunk[4:], uint32(len(body)))
	binary.LittleEndian.PutUint32(chunk[8:], crc32.Checksum(body, castagnoli))
	if _, err := w.Write(chunk); err != nil {
		return fmt.Errorf("write snapshot chunk: %w", err)
	}
	return nil
}

// SnapshotReader reads what WriteSnapshot wrote and trusts nothing of it: every
// pair that Next returns has passed its chunk's checksum.
type SnapshotReader struct {
	from    io.Reader
	mark    Mark
	chunk   []byte // the whole current chunk, reused
	rest    []byte // what is still to be read of it
	left    uint32 // pairs still to come in it
	total   uint64 // pairs seen so far
	lastKey []byte
	isEnd   bool
}

// NewSnapshotReader reads the header. The stream is wrong if it does not begin
// as one of ours; all else is found by Next.
func NewSnapshotReader(from io.Reader) (*SnapshotReader, error) {
	header := make([]byte, snapshotHeaderBytes)
	if _, err := io.ReadFull(from, header); err != nil {
		return nil, readError("header", err)
	}
	if !bytes.HasPrefix(header, []byte(snapshotMagic)) {
		return nil, fmt.Errorf("%w: does not begin with %q", ErrBadSnapshot, snapshotMagic)
	}
	body := header[:snapshotHeaderBytes-4]
	if crc32.Checksum(body, castagnoli) != binary.LittleEndian.Uint32(header[len(body):]) {
		return nil, fmt.Errorf("%w: header checksum", ErrBadSnapshot)
	}
	fields := body[len(snapshotMagic):]
	return &SnapshotReader{from: from, mark: Mark{
		Index: binary.LittleEndian.Uint64(fields),
		Term:  binary.LittleEndian.Uint64(fields[8:]),
		Time:  flotilla.Millis(binary.LittleEndian.Uint64(fields[16:])),
	}}, nil
}

// Mark returns the mark that the snapshot was taken at.
func (r *SnapshotReader) Mark() Mark { return r.mark }

// Next returns the next pair, in ascending order of keys. Both are valid until
// the next call. At the end of a whole snapshot the error is io.EOF.
func (r *SnapshotReader) Next() (key, value []byte, err error) {
	for r.left == 0 {
		if r.isEnd {
			return nil, nil, io.EOF
		}
		if len(r.rest) != 0 {
			return nil, nil, fmt.Errorf("%w: %d bytes too many in a chunk", ErrBadSnapshot, len(r.rest))
		}
		if err := r.readChunk(); err != nil {
			return nil, nil, err
		}
	}
	key, value, ok := r.cutPair()
	if !ok {
		return nil, nil, fmt.Errorf("%w: a pair runs past its chunk", ErrBadSnapshot)
	}
	if r.total > 0 && bytes.Compare(r.lastKey, key) >= 0 {
		return nil, nil, fmt.Errorf("%w: keys do not ascend", ErrBadSnapshot)
	}
	r.lastKey = append(r.lastKey[:0], key...)
	r.left--
	r.total++
	return key, value, nil
}

// cutPair takes one pair off the current chunk.
func (r *SnapshotReader) cutPair() (key, value []byte, ok bool) {
	keyLen, n := binary.Uvarint(r.rest)
	if n <= 0 {
		return nil, nil, false
	}
	valueLen, m := binary.Uvarint(r.rest[n:])
	if m <= 0 {
		return nil, nil, false
	}
	body := r.rest[n+m:]
	if keyLen > uint64(len(body)) || valueLen > uint64(len(body))-keyLen {
		return nil, nil, false
	}
	r.rest = body[keyLen+valueLen:]
	return body[:keyLen:keyLen], body[keyLen : keyLen+valueLen : keyLen+valueLen], true
}

func (r *SnapshotReader) readChunk() error {
	var header [snapshotChunkHeader]byte
	if _, err := io.ReadFull(r.from, header[:]); err != nil {
		return readError("chunk header", err)
	}
	count := binary.LittleEndian.Uint32(header[:])
	length := binary.LittleEndian.Uint32(header[4:])
	if length > snapshotChunkMax {
		return fmt.Errorf("%w: a chunk of %d bytes", ErrBadSnapshot, length)
	}
	if err := r.fill(int(length)); err != nil {
		return err
	}
	if crc32.Checksum(r.chunk, castagnoli) != binary.LittleEndian.Uint32(header[8:]) {
		return fmt.Errorf("%w: chunk checksum", ErrBadSnapshot)
	}
	if count > 0 {
		r.rest, r.left = r.chunk, count
		return nil
	}
	if length != 8 || binary.LittleEndian.Uint64(r.chunk) != r.total {
		return fmt.Errorf("%w: number of keys", ErrBadSnapshot)
	}
	r.isEnd = true
	return nil
}

// fill reads a chunk of the length that its header claims. A liar makes us hold
// at most one step more than he sent.
func (r *SnapshotReader) fill(length int) error {
	r.chunk = r.chunk[:0]
	for have := 0; have < length; have = len(r.chunk) {
		step := min(length-have, max(snapshotReadStep, have)) // double: long chunks stay linear
		if cap(r.chunk) < have+step {
			r.chunk = append(make([]byte, 0, have+step), r.chunk...)
		}
		r.chunk = r.chunk[:have+step]
		if _, err := io.ReadFull(r.from, r.chunk[have:]); err != nil {
			return readError("chunk", err)
		}
	}
	return nil
}

func readError(what string, err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w: it ends in the middle of a %s", ErrBadSnapshot, what)
	}
	return fmt.Errorf("read snapshot %s: %w", what, err)
}

// Hash returns a number over all keys and values in order. Replicas of a group
// that applied the same entries have the same one; different states, in practice, never do.
func Hash(r flotilla.Reader) uint64 {
	sum := sha256.New()
	var buf []byte
	for key, value := range r.Scan(nil, nil) {
		// The lengths keep ("ab", "c") and ("a", "bc") apart.
		buf = binary.AppendUvarint(buf[:0], uint64(len(key)))
		buf = binary.AppendUvarint(buf, uint64(len(value)))
		buf = append(buf, key...)
		sum.Write(buf)
		sum.Write(value)
	}
	return binary.LittleEndian.Uint64(sum.Sum(nil))
}

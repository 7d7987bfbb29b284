package wal

import (
	"encoding/binary"
	"hash/crc32"
)

const (
	magic       = 0x4c415746 // "FWAL"
	headerBytes = 32
	itemBytes   = 8 // before the body
	alignment   = 8
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// header is the beginning of a record.
type header struct {
	crc      uint32
	sequence uint64
	segment  uint32
	oldest   uint32 // the oldest segment that is needed
	chain    uint32 // the crc of the record before
	size     uint32 // of the items
}

func (h *header) put(b []byte) {
	binary.LittleEndian.PutUint32(b, magic)
	binary.LittleEndian.PutUint32(b[4:], h.crc)
	binary.LittleEndian.PutUint64(b[8:], h.sequence)
	binary.LittleEndian.PutUint32(b[16:], h.segment)
	binary.LittleEndian.PutUint32(b[20:], h.oldest)
	binary.LittleEndian.PutUint32(b[24:], h.chain)
	binary.LittleEndian.PutUint32(b[28:], h.size)
}

func parseHeader(b []byte) (h header, ok bool) {
	if binary.LittleEndian.Uint32(b) != magic {
		return h, false
	}
	return header{
		crc:      binary.LittleEndian.Uint32(b[4:]),
		sequence: binary.LittleEndian.Uint64(b[8:]),
		segment:  binary.LittleEndian.Uint32(b[16:]),
		oldest:   binary.LittleEndian.Uint32(b[20:]),
		chain:    binary.LittleEndian.Uint32(b[24:]),
		size:     binary.LittleEndian.Uint32(b[28:]),
	}, true
}

// recordBytes is the room that a record of so many bytes of items takes.
func recordBytes(size int) int64 {
	return int64(headerBytes+size+alignment-1) / alignment * alignment
}

// Batch gathers the items of a record.
type Batch struct {
	buf []byte // a header to be, then the items
}

// Reset empties the batch.
func (b *Batch) Reset() {
	if cap(b.buf) > maxKeptBuffer {
		b.buf = nil
	}
	b.buf = append(b.buf[:0], make([]byte, headerBytes)...)
}

// maxKeptBuffer is the largest buffer that a batch keeps for its next use.
const maxKeptBuffer = 1 << 20

// Add makes an item with a body of so many bytes, and returns the body, to be filled
// before anything else is done with the batch.
func (b *Batch) Add(size int) []byte {
	if len(b.buf) == 0 {
		b.Reset()
	}
	at := len(b.buf)
	b.buf = append(b.buf, make([]byte, itemBytes)...)
	binary.LittleEndian.PutUint32(b.buf[at+4:], uint32(size))
	b.buf = append(b.buf, make([]byte, size)...)
	return b.buf[at+itemBytes:]
}

// Len is how many bytes the items take.
func (b *Batch) Len() int { return max(len(b.buf)-headerBytes, 0) }

// seal fills in the checksums and the header and appends the zeros at the end.
func (b *Batch) seal(h *header) {
	if len(b.buf) == 0 {
		b.Reset()
	}
	h.size = uint32(len(b.buf) - headerBytes)
	h.put(b.buf)
	sum := crc32.Checksum(b.buf[8:headerBytes], castagnoli)
	for at := headerBytes; at < len(b.buf); {
		end := at + itemBytes + int(binary.LittleEndian.Uint32(b.buf[at+4:]))
		binary.LittleEndian.PutUint32(b.buf[at:], crc32.Checksum(b.buf[at+4:end], castagnoli))
		sum = crc32.Update(sum, castagnoli, b.buf[at:at+4])
		at = end
	}
	h.crc = sum
	binary.LittleEndian.PutUint32(b.buf[4:], sum)
	b.buf = append(b.buf, make([]byte, recordBytes(int(h.size))-int64(len(b.buf)))...)
}

// split checks the items of a record and visits them with their offsets in items.
// It reports whether the record is whole; visit may be nil.
func split(h header, head, items []byte, visit func(offset int, body []byte) error) (ok bool, err error) {
	sum := crc32.Checksum(head[8:headerBytes], castagnoli)
	for at := 0; at < len(items); {
		if len(items)-at < itemBytes {
			return false, nil
		}
		size := int64(binary.LittleEndian.Uint32(items[at+4:]))
		if size > int64(len(items)-at-itemBytes) {
			return false, nil
		}
		end := at + itemBytes + int(size)
		if crc32.Checksum(items[at+4:end], castagnoli) != binary.LittleEndian.Uint32(items[at:]) {
			return false, nil
		}
		sum = crc32.Update(sum, castagnoli, items[at:at+4])
		at = end
	}
	if sum != h.crc {
		return false, nil
	}
	for at := 0; at < len(items) && visit != nil && err == nil; {
		end := at + itemBytes + int(binary.LittleEndian.Uint32(items[at+4:]))
		err = visit(at, items[at+itemBytes:end])
		at = end
	}
	return true, err
}

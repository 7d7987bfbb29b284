package queue

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"strings"
)

// A receipt handle names a lease: base64url of
//
//	gen:8 number:8 token:8 code:16
//
// and, before that, one byte that says in which partition if the queue has any. code is
// HMAC-SHA256 of what stands before it, with the queue's secret, cut to 16 bytes: who
// was not given a handle can not make one, and that of another queue is none.
type handle struct{ gen, number, token uint64 }

const (
	handleBytes = 24
	codeBytes   = 16
	idSecret    = 8 // the first bytes of a queue's secret make its messages' ids unique
)

// handle returns the receipt handle of a lease.
func (q *queue) handle(number, token uint64) string {
	b := q.handleBuf[:0]
	if q.count > 0 {
		b = append(b, byte(q.index))
	}
	for _, n := range [...]uint64{q.gen, number, token} {
		b = binary.BigEndian.AppendUint64(b, n)
	}
	b = append(b, q.code(b)...)
	q.handleBuf = b
	var text [maxHandleText]byte
	return string(base64.RawURLEncoding.AppendEncode(text[:0], b))
}

// maxHandleText is more characters than a handle has.
const maxHandleText = 64

// code returns the code of what b is, valid until the next one is asked for.
func (q *queue) code(b []byte) []byte {
	if q.mac == nil {
		q.mac = hmac.New(sha256.New, q.secret[idSecret:])
	}
	q.mac.Reset()
	q.mac.Write(b)
	q.codeBuf = q.mac.Sum(q.codeBuf[:0])
	return q.codeBuf[:codeBytes]
}

// strictHandle takes each handle in one way of writing it only.
var strictHandle = base64.RawURLEncoding.Strict()

// parseHandle returns the lease that a handle of the queue names.
func (q *queue) parseHandle(text string) (h handle, ok bool) {
	size := handleBytes
	if q.count > 0 {
		size++
	}
	if strictHandle.DecodedLen(len(text)) != size+codeBytes {
		return h, false
	}
	q.textBuf = append(q.textBuf[:0], text...)
	b, err := strictHandle.AppendDecode(q.handleBuf[:0], q.textBuf)
	q.handleBuf = b
	if err != nil || len(b) != size+codeBytes || !hmac.Equal(b[size:], q.code(b[:size])) {
		return h, false
	}
	b = b[size-handleBytes:]
	return handle{gen: binary.BigEndian.Uint64(b), number: binary.BigEndian.Uint64(b[8:]), token: binary.BigEndian.Uint64(b[16:])}, true
}

// splitHandle returns what a handle says, and of which partition, whatever its code is.
func splitHandle(text string) (h handle, index int, ok bool) {
	var room [64]byte
	b, err := base64.RawURLEncoding.AppendDecode(room[:0], []byte(text))
	switch {
	case err != nil:
		return h, 0, false
	case len(b) == 1+handleBytes+codeBytes:
		index, b = int(b[0]), b[1:]
	case len(b) != handleBytes+codeBytes:
		return h, 0, false
	}
	return handle{gen: binary.BigEndian.Uint64(b), number: binary.BigEndian.Uint64(b[8:]), token: binary.BigEndian.Uint64(b[16:])}, index, true
}

// partitionOfHandle returns in which of a spread queue's partitions a handle's message
// is, if the handle is one.
func partitionOfHandle(text string) (index int, ok bool) {
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(b) != 1+handleBytes+codeBytes {
		return 0, false
	}
	return int(b[0]), true
}

// messageID returns the id of a message: a UUID of version 8 (RFC 9562), made of
// eight bytes that are the queue's own, the partition and the message's number.
func (q *queue) messageID(number uint64) string {
	var id [16]byte
	binary.BigEndian.PutUint64(id[:], binary.BigEndian.Uint64(q.secret)^q.gen*0x9e3779b97f4a7c15)
	binary.BigEndian.PutUint64(id[8:], number|q.index<<numberBits)
	id[6] = id[6]&0x0f | 0x80
	id[8] = id[8]&0x3f | 0x80
	var text [36]byte
	for i, at := range [16]int{0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34} {
		hex.Encode(text[at:], id[i:i+1])
	}
	text[8], text[13], text[18], text[23] = '-', '-', '-', '-'
	return string(text[:])
}

// numberBits is how many bits of an id, or of a position, are a message's number. Those
// above it are its partition.
const numberBits = 56

// parseID returns what an id that messageID made says, if it is one.
func parseID(id string) (partition int, number uint64, ok bool) {
	b, err := hex.DecodeString(strings.ReplaceAll(id, "-", ""))
	if err != nil || len(b) != 16 {
		return 0, 0, false
	}
	n := binary.BigEndian.Uint64(b[8:]) &^ (3 << 62)
	return int(n >> numberBits), n & (1<<numberBits - 1), true
}

// sequenceNumber returns that of a FIFO queue's message: it grows in each message group,
// and no two messages of the queue have the same.
func (q *queue) sequenceNumber(number uint64) uint64 { return number*max(q.count, 1) + q.index + 1 }

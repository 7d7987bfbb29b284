package transport

import (
	"encoding/binary"
	"errors"
)

// A message is what travels as one unit: all the frames that waited for a peer
// when its connection became free.
//
//	┌──────────┬─────────┬──────────┬─────────┬───
//	│ len  u32 │  frame  │ len  u32 │  frame  │ …      lengths: little endian
//	└──────────┴─────────┴──────────┴─────────┴───

const (
	lengthSize = 4
	// MaxQueueBytes bounds what waits for one peer, and so also the largest frame.
	MaxQueueBytes = 64 << 20
	// maxMessage is where one message ends and the next begins. A frame that is
	// larger travels alone.
	maxMessage = 1 << 20
	// minBuffer is above gRPC's threshold for pooling (1 KiB): only of pooled
	// buffers does it tell us when they were written (see link).
	minBuffer = 4 << 10
	// maxFreeBuffers bounds the buffers kept for reuse, for each peer.
	maxFreeBuffers = 2
)

var errBadMessage = errors.New("a message ends within a frame")

// appendFrame adds one frame to a message.
func appendFrame(message, frame []byte) []byte {
	message = binary.LittleEndian.AppendUint32(message, uint32(len(frame)))
	return append(message, frame...)
}

// nextFrame cuts the first frame off a message. It never allocates, whatever
// length the bytes claim.
func nextFrame(message []byte) (frame, rest []byte, err error) {
	if len(message) < lengthSize {
		return nil, nil, errBadMessage
	}
	n := uint64(binary.LittleEndian.Uint32(message))
	message = message[lengthSize:]
	if n > uint64(len(message)) {
		return nil, nil, errBadMessage
	}
	return message[:n:n], message[n:], nil
}

// splitFrames calls deliver for each frame of a message, in order, and returns
// how many there were.
func splitFrames(message []byte, deliver func(frame []byte)) (int, error) {
	count := 0
	for len(message) > 0 {
		frame, rest, err := nextFrame(message)
		if err != nil {
			return count, err
		}
		deliver(frame)
		message = rest
		count++
	}
	return count, nil
}

// outbox is what waits for one peer, already in the shape in which it travels.
// Its owner guards it.
type outbox struct {
	messages []*[]byte // the last one still grows
	bytes    int       // in all of them
	free     []*[]byte // empty buffers
}

// add copies a frame in, and returns false if there is no room.
func (o *outbox) add(frame []byte) bool {
	size := lengthSize + len(frame)
	if o.bytes+size > MaxQueueBytes {
		return false
	}
	last := len(o.messages) - 1
	if last < 0 || len(*o.messages[last])+size > maxMessage {
		o.messages = append(o.messages, o.buffer(size))
		last++
	}
	m := o.messages[last]
	*m = appendFrame(*m, frame)
	o.bytes += size
	return true
}

// take removes the oldest message; nil if nothing waits.
func (o *outbox) take() *[]byte {
	if len(o.messages) == 0 {
		return nil
	}
	m := o.messages[0]
	copy(o.messages, o.messages[1:])
	o.messages[len(o.messages)-1] = nil
	o.messages = o.messages[:len(o.messages)-1]
	o.bytes -= len(*m)
	return m
}

// clear drops all that waits and returns how many frames that was.
func (o *outbox) clear() (dropped uint64) {
	for m := o.take(); m != nil; m = o.take() {
		dropped += countFrames(*m)
		o.recycle(m)
	}
	return dropped
}

func countFrames(message []byte) uint64 {
	n, _ := splitFrames(message, func([]byte) {})
	return uint64(n)
}

// recycle takes back the buffer of a message that has left.
func (o *outbox) recycle(m *[]byte) {
	if len(o.free) >= maxFreeBuffers || cap(*m) > maxMessage {
		return
	}
	*m = (*m)[:0]
	o.free = append(o.free, m)
}

func (o *outbox) buffer(size int) *[]byte {
	if last := len(o.free) - 1; last >= 0 {
		m := o.free[last]
		o.free = o.free[:last]
		return m
	}
	m := make([]byte, 0, max(size, minBuffer))
	return &m
}

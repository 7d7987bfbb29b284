package consensus

import (
	"bytes"
	"encoding/binary"

	"flotilla"
)

// Parcel is a run of commands of one node that travel, are logged, applied and
// retried together. Its commands are numbered First, First+1, ... within the
// session; so remembering what was applied costs next to nothing per command.
type Parcel struct {
	Origin  flotilla.NodeID // who waits for the outcome
	Session uint64          // 0 opens a session: First is then a number that the origin chose
	First   uint64
	// Low says that everything numbered below it was answered or given up: it is
	// forgotten, and if it comes again it is not applied.
	Low      uint64
	Commands [][]byte
}

// AppendParcel appends a parcel's bytes:
//
//	origin, session, first, low, commands uvarint | for each: length uvarint, bytes
func AppendParcel(b []byte, p *Parcel) []byte {
	for _, v := range [...]uint64{uint64(p.Origin), p.Session, p.First, p.Low, uint64(len(p.Commands))} {
		b = binary.AppendUvarint(b, v)
	}
	for _, c := range p.Commands {
		b = appendBytes(b, c)
	}
	return b
}

// parcelHead is a parcel whose commands were not yet read.
type parcelHead struct {
	origin   flotilla.NodeID
	session  uint64
	first    uint64
	low      uint64
	count    uint64
	commands reader
}

func decodeParcelHead(b []byte) (parcelHead, error) {
	r := reader{rest: b}
	h := parcelHead{origin: flotilla.NodeID(r.uvarint()), session: r.uvarint(), first: r.uvarint(),
		low: r.uvarint(), count: r.uvarint()}
	if r.err == nil && h.count > uint64(len(r.rest)) {
		r.err = errShort
	}
	h.commands = r
	return h, r.err
}

// CountCommands returns how many commands an entry's data carries, for people.
func CountCommands(data []byte) int {
	head, err := decodeEntryHead(data)
	count := 0
	for err == nil && len(head.parcels.rest) > 0 && head.parcels.err == nil {
		var parcel parcelHead
		if parcel, err = decodeParcelHead(head.parcels.bytes()); err == nil {
			count += int(parcel.count)
		}
	}
	return count
}

// Status says what became of a parcel.
type Status byte

// The outcomes of a parcel.
const (
	// Applied: here are the replies, from now or from the first time.
	Applied Status = iota + 1
	// Expired: the session is not known (any more). The parcel was not applied
	// this time; whether it was applied earlier is not known.
	Expired
	// Stale: the origin itself had said that it does not wait any more.
	Stale
)

// Outcome answers one parcel.
type Outcome struct {
	Origin  flotilla.NodeID
	Session uint64 // for a parcel that opened one: its number
	First   uint64 // the parcel's
	Status  Status
	Index   uint64 // where in the log it was applied this time
	Replies []byte // encoded, see DecodeReplies
}

// AppendOutcome appends an outcome's bytes: status u8, origin, session, first,
// index uvarint, replies length uvarint and bytes.
func AppendOutcome(b []byte, o *Outcome) []byte {
	b = append(b, byte(o.Status))
	for _, v := range [...]uint64{uint64(o.Origin), o.Session, o.First, o.Index} {
		b = binary.AppendUvarint(b, v)
	}
	return appendBytes(b, o.Replies)
}

// DecodeOutcome reads an outcome and returns what follows it. Replies are copied.
func DecodeOutcome(b []byte) (o Outcome, rest []byte, err error) {
	r := reader{rest: b}
	o = Outcome{Status: Status(r.byte()), Origin: flotilla.NodeID(r.uvarint()), Session: r.uvarint(),
		First: r.uvarint(), Index: r.uvarint(), Replies: bytes.Clone(r.bytes())}
	return o, r.rest, r.err
}

// replyList gathers the replies of a parcel as runs of equal ones, since most
// writes are answered by the same few bytes:
//
//	(repeat uvarint, length uvarint, bytes)...
type replyList struct {
	encoded []byte
	last    []byte
	repeat  uint64
}

func (l *replyList) add(reply []byte) {
	if l.repeat > 0 && bytes.Equal(reply, l.last) {
		l.repeat++
		return
	}
	l.flush()
	l.last, l.repeat = append(l.last[:0], reply...), 1
}

func (l *replyList) flush() {
	if l.repeat == 0 {
		return
	}
	l.encoded = binary.AppendUvarint(l.encoded, l.repeat)
	l.encoded = appendBytes(l.encoded, l.last)
	l.repeat = 0
}

// take returns the bytes gathered, which are the caller's, and starts anew.
func (l *replyList) take() []byte {
	l.flush()
	encoded := l.encoded
	l.encoded = nil
	return encoded
}

// DecodeReplies calls visit for each reply in order; they share memory with b.
func DecodeReplies(b []byte, visit func(reply []byte)) error {
	r := reader{rest: b}
	for len(r.rest) > 0 && r.err == nil {
		repeat, reply := r.uvarint(), r.bytes()
		if r.err != nil || repeat > flotilla.MaxCommandsPerEntry {
			return errShort
		}
		for range repeat {
			visit(reply)
		}
	}
	return r.err
}

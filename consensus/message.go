package consensus

import (
	"encoding/binary"
	"errors"

	"go.etcd.io/raft/v3/raftpb"
)

// errShort says that bytes from the wire or the log end too early or claim too much.
var errShort = errors.New("consensus: truncated or malformed bytes")

// AppendMessage appends a raft message in the form that DecodeMessage reads. It
// is Protocol Buffers' job done by hand, since it is done for every message:
//
//	type u8 | reject u8 | to, from, term, logTerm, index, commit, vote, rejectHint uvarint
//	context length uvarint, bytes | entries uvarint, then for each:
//	type u8 | term, index, length uvarint | data
//
// A message with a snapshot does not travel this way.
func AppendMessage(b []byte, m *raftpb.Message) []byte {
	reject := byte(0)
	if m.GetReject() {
		reject = 1
	}
	b = append(b, byte(m.GetType()), reject)
	for _, v := range [...]uint64{m.GetTo(), m.GetFrom(), m.GetTerm(), m.GetLogTerm(), m.GetIndex(),
		m.GetCommit(), m.GetVote(), m.GetRejectHint()} {
		b = binary.AppendUvarint(b, v)
	}
	b = appendBytes(b, m.GetContext())
	b = binary.AppendUvarint(b, uint64(len(m.GetEntries())))
	for _, e := range m.GetEntries() {
		b = append(b, byte(e.GetType()))
		b = binary.AppendUvarint(b, e.GetTerm())
		b = binary.AppendUvarint(b, e.GetIndex())
		b = appendBytes(b, e.GetData())
	}
	return b
}

// messageValues holds what a message's pointers point to, so that a message is
// one allocation.
type messageValues struct {
	message raftpb.Message
	kind    raftpb.MessageType
	reject  bool
	numbers [8]uint64
}

// entryValues does the same for an entry.
type entryValues struct {
	entry raftpb.Entry
	kind  raftpb.EntryType
	term  uint64
	index uint64
}

// DecodeMessage reads one message and returns what follows it. The message
// shares no memory with b.
func DecodeMessage(b []byte) (m *raftpb.Message, rest []byte, err error) {
	if len(b) < 2 {
		return nil, nil, errShort
	}
	v := &messageValues{kind: raftpb.MessageType(b[0]), reject: b[1] == 1}
	if _, known := raftpb.MessageType_name[int32(v.kind)]; !known {
		return nil, nil, errShort
	}
	r := reader{rest: b[2:]}
	for i := range v.numbers {
		v.numbers[i] = r.uvarint()
	}
	n := &v.numbers
	m = &v.message
	m.Type, m.Reject = &v.kind, &v.reject
	m.To, m.From, m.Term, m.LogTerm = &n[0], &n[1], &n[2], &n[3]
	m.Index, m.Commit, m.Vote, m.RejectHint = &n[4], &n[5], &n[6], &n[7]
	if context := r.bytes(); len(context) > 0 {
		m.Context = append([]byte(nil), context...)
	}
	count := r.uvarint()
	for i := uint64(0); i < count && r.err == nil; i++ {
		m.Entries = append(m.Entries, r.entry())
	}
	return m, r.rest, r.err
}

// entry reads one entry of a message; its data is copied.
func (r *reader) entry() *raftpb.Entry {
	v := &entryValues{kind: raftpb.EntryType(r.byte())}
	v.term, v.index = r.uvarint(), r.uvarint()
	data := r.bytes()
	if _, known := raftpb.EntryType_name[int32(v.kind)]; !known {
		r.err = errShort
	}
	v.entry.Type, v.entry.Term, v.entry.Index = &v.kind, &v.term, &v.index
	if len(data) > 0 {
		v.entry.Data = append([]byte(nil), data...)
	}
	return &v.entry
}

// reader reads the pieces that our encodings are made of. After the first
// failure it returns zeros, and err stays set.
type reader struct {
	rest []byte
	err  error
}

func (r *reader) byte() byte {
	if len(r.rest) == 0 {
		r.err = errShort
		return 0
	}
	v := r.rest[0]
	r.rest = r.rest[1:]
	return v
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.rest)
	if n <= 0 {
		r.err, r.rest = errShort, nil
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

// bytes returns a length-prefixed piece; it shares memory with the source.
func (r *reader) bytes() []byte {
	n := r.uvarint()
	if n > uint64(len(r.rest)) {
		r.err, r.rest = errShort, nil
		return nil
	}
	v := r.rest[:n:n]
	r.rest = r.rest[n:]
	return v
}

func appendBytes(b, v []byte) []byte {
	b = binary.AppendUvarint(b, uint64(len(v)))
	return append(b, v...)
}

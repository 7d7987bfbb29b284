package consensus

import (
	"bytes"
	"iter"
	"slices"
	"testing"

	"flotilla"

	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"
)

// mapState is the least State that can be applied to.
type mapState map[string]string

func (m mapState) Get(key []byte) ([]byte, bool) {
	v, ok := m[string(key)]
	return []byte(v), ok
}

func (m mapState) Scan(start, end []byte) iter.Seq2[[]byte, []byte] {
	return func(yield func([]byte, []byte) bool) {
		var keys []string
		for k := range m {
			if k >= string(start) && (end == nil || k < string(end)) {
				keys = append(keys, k)
			}
		}
		slices.Sort(keys)
		for _, k := range keys {
			if !yield([]byte(k), []byte(m[k])) {
				return
			}
		}
	}
}

func (m mapState) ScanBack(start, end []byte) iter.Seq2[[]byte, []byte] { return m.Scan(start, end) }
func (m mapState) Set(key, value []byte)                                { m[string(key)] = string(value) }
func (m mapState) Delete(key []byte)                                    { delete(m, string(key)) }
func (m mapState) DeleteRange(start, end []byte) {
	for k := range m.Scan(start, end) {
		m.Delete(k)
	}
}
func (mapState) Commit(Mark)     {}
func (mapState) Mark() Mark      { return Mark{} }
func (mapState) Durable() uint64 { return 0 }
func (mapState) Err() error      { return nil }
func (mapState) View(bool) View  { return nil }

// echo is a machine that stores and answers what it is told.
type echo struct{}

func (echo) Begin(*flotilla.Tx)                       {}
func (echo) End(*flotilla.Tx)                         {}
func (echo) Deadline(flotilla.Reader) flotilla.Millis { return flotilla.Never }
func (echo) Read(*flotilla.View, []byte) []byte       { return nil }
func (echo) Apply(tx *flotilla.Tx, command []byte) []byte {
	tx.Set([]byte("e"), command)
	return command
}

func newTestApplier(t testing.TB, state State) *applier {
	a, err := newApplier(Config{State: state, Machines: map[flotilla.System]flotilla.Machine{'e': echo{}}})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func exampleMessage() *raftpb.Message {
	entry := func(index uint64, kind raftpb.EntryType, data string) *raftpb.Entry {
		return &raftpb.Entry{Type: &kind, Term: proto.Uint64(3), Index: &index, Data: []byte(data)}
	}
	return &raftpb.Message{Type: raftpb.MsgApp.Enum(), Reject: proto.Bool(true), To: proto.Uint64(1), From: proto.Uint64(1001),
		Term: proto.Uint64(1 << 60), LogTerm: proto.Uint64(5), Index: proto.Uint64(9), Commit: proto.Uint64(8),
		Vote: proto.Uint64(2), RejectHint: proto.Uint64(7), Context: []byte("context"),
		Entries: []*raftpb.Entry{entry(10, raftpb.EntryNormal, "data"), entry(11, raftpb.EntryConfChangeV2, "change")}}
}

// TestMessageCarriesAllFields fails when Raft's messages get a field that we do not carry.
func TestMessageCarriesAllFields(t *testing.T) {
	m := exampleMessage()
	got, rest, err := DecodeMessage(append(AppendMessage(nil, m), "next"...))
	if err != nil || string(rest) != "next" || !proto.Equal(got, m) {
		t.Fatalf("got %v, rest %q, %v; want %v", got, rest, err, m)
	}
	notCarried := map[string]bool{"snapshot": true, "responses": true}
	fields := m.ProtoReflect().Descriptor().Fields()
	for i := range fields.Len() {
		if f := fields.Get(i); !m.ProtoReflect().Has(f) && !notCarried[string(f.Name())] {
			t.Errorf("field %s is not in the example, so nobody knows whether it is carried", f.Name())
		}
	}
}

func FuzzDecodeMessage(f *testing.F) {
	f.Add(AppendMessage(nil, exampleMessage()))
	f.Add(AppendMessage(nil, &raftpb.Message{Type: raftpb.MsgHeartbeat.Enum()}))
	f.Add([]byte{3, 0, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1})
	f.Fuzz(func(t *testing.T, input []byte) {
		b := bytes.Clone(input)
		m, rest, err := DecodeMessage(b)
		if err != nil {
			return
		}
		again, more, err := DecodeMessage(AppendMessage(nil, m))
		if err != nil || len(more) > 0 || !proto.Equal(m, again) {
			t.Fatalf("%v comes back as %v, %v (%d bytes left)", m, again, err, len(more))
		}
		if len(rest) > len(b) {
			t.Fatal("more is left than there was")
		}
		clear(b) // it must share no memory
		if !proto.Equal(m, again) {
			t.Fatal("a message shares memory with its bytes")
		}
	})
}

func FuzzDecodeOutcome(f *testing.F) {
	f.Add(AppendOutcome(nil, &Outcome{Origin: 1, Session: 1 << 40, First: 2, Status: Stale, Index: 7, Replies: []byte{1, 1, 'a'}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		o, _, err := DecodeOutcome(b)
		if err != nil {
			return
		}
		again, rest, err := DecodeOutcome(AppendOutcome(nil, &o))
		if err != nil || len(rest) > 0 || again.Index != o.Index || again.Session != o.Session || again.First != o.First ||
			again.Origin != o.Origin || again.Status != o.Status || !bytes.Equal(again.Replies, o.Replies) {
			t.Fatalf("%+v comes back as %+v, %v", o, again, err)
		}
	})
}

// FuzzReplies gathers replies, cut out of the input, and reads them back.
func FuzzReplies(f *testing.F) {
	f.Add([]byte("aaabbb\x00\x00c"), []byte{1, 2, 3})
	f.Fuzz(func(t *testing.T, text, encoded []byte) {
		_ = DecodeReplies(encoded, func([]byte) {})
		var list replyList
		var want, got [][]byte
		for len(text) > 0 {
			n := min(int(text[0]%3), len(text)-1)
			want = append(want, bytes.Clone(text[1:1+n]))
			list.add(text[1 : 1+n])
			text = text[1+n:]
		}
		if err := DecodeReplies(list.take(), func(r []byte) { got = append(got, bytes.Clone(r)) }); err != nil {
			t.Fatal(err)
		}
		if !slices.EqualFunc(want, got, bytes.Equal) {
			t.Fatalf("got %q, want %q", got, want)
		}
	})
}

func FuzzDecodeMembers(f *testing.F) {
	f.Add(InitialKeys([]flotilla.NodeID{3, 1, 2})[0].Value)
	f.Fuzz(func(t *testing.T, b []byte) {
		get := func(value []byte) func([]byte) ([]byte, bool) {
			return func([]byte) ([]byte, bool) { return value, true }
		}
		m, err := DecodeMembers(get(b))
		if err != nil {
			return
		}
		encoded := m.append(nil)
		again, err := DecodeMembers(get(encoded))
		if err != nil || !bytes.Equal(again.append(nil), encoded) {
			t.Fatalf("%+v comes back as %+v, %v", m, again, err)
		}
	})
}

func FuzzDecodeSession(f *testing.F) {
	s := &session{id: 9, origin: 2, low: 3, last: 1_000_000, applied: []appliedParcel{{first: 3, count: 2, replies: []byte{2, 1, 'x'}}}}
	f.Add(appendSessionKey(nil, s.id), s.append(nil))
	f.Fuzz(func(t *testing.T, key, value []byte) {
		s, err := decodeSession(key, value)
		if err != nil {
			return
		}
		encoded := s.append(nil)
		again, err := decodeSession(key, encoded)
		if err != nil || !bytes.Equal(again.append(nil), encoded) || again.id != s.id {
			t.Fatalf("%+v comes back as %+v, %v", s, again, err)
		}
	})
}

// FuzzApply applies any bytes as an entry: an error is right, a panic is not. What
// was applied must be found again by a replica that starts from the state.
func FuzzApply(f *testing.F) {
	entry := func(parcels ...Parcel) []byte {
		b := appendEntryHeader(nil, 0, 1_000_000)
		for i := range parcels {
			b = appendBytes(b, AppendParcel(nil, &parcels[i]))
		}
		return b
	}
	f.Add(entry(Parcel{Origin: 1, First: 1}))
	f.Add(entry(Parcel{Origin: 1, Session: 1, First: 1, Low: 1, Commands: [][]byte{[]byte("ex"), []byte("z"), {}}}))
	f.Add(entry(Parcel{Origin: 1, Session: 1, First: 1, Low: 9, Commands: [][]byte{[]byte("ex")}}, Parcel{Origin: 2, First: 1}))
	f.Fuzz(func(t *testing.T, data []byte) {
		state := mapState{}
		a := newTestApplier(t, state)
		a.sessions.open(state, 1, 1, 0)
		a.sessions.save(state)
		head, err := decodeEntryHead(data)
		if err != nil {
			return
		}
		for index := uint64(5); index < 8; index++ { // the same bytes as three entries
			head.time = max(head.time, 0)
			if a.entry(index, head, 0, func(o Outcome) { _ = DecodeReplies(o.Replies, func([]byte) {}) }) != nil {
				return
			}
		}
		again := newTestApplier(t, state)
		if len(again.sessions.byID) != len(a.sessions.byID) {
			t.Fatalf("%d sessions in memory, %d in the state", len(a.sessions.byID), len(again.sessions.byID))
		}
		for id, s := range a.sessions.byID {
			if got := again.sessions.byID[id]; got == nil || !bytes.Equal(got.append(nil), s.append(nil)) {
				t.Fatalf("session %d is %+v in memory and %+v in the state", id, s, got)
			}
		}
	})
}

// TestSessionEviction: a group holds so many sessions, and every replica ends the
// same one when there is one more, whether it knows them from memory or the state.
func TestSessionEviction(t *testing.T) {
	state := mapState{}
	a := newTestApplier(t, state)
	entry := func(a *applier, index uint64, at flotilla.Millis, parcels ...Parcel) (all []Outcome) {
		b := appendEntryHeader(nil, 0, at)
		for i := range parcels {
			b = appendBytes(b, AppendParcel(nil, &parcels[i]))
		}
		head, _ := decodeEntryHead(b)
		if err := a.entry(index, head, at, func(o Outcome) { all = append(all, o) }); err != nil {
			t.Fatal(err)
		}
		return all
	}
	var ids []uint64
	for i := range MaxSessions {
		ids = append(ids, entry(a, uint64(i+2), flotilla.Millis(1+i/2), Parcel{Origin: 1, First: 1})[0].Session)
	}
	// The first speaks: now the second is the one that was silent for longest.
	index := uint64(MaxSessions + 2)
	entry(a, index, 5000, Parcel{Origin: 1, Session: ids[0], First: 1, Low: 1, Commands: [][]byte{[]byte("e1")}})
	other := mapState{}
	for k, v := range state {
		other[k] = v
	}
	b := newTestApplier(t, other)
	for _, x := range []*applier{a, b} {
		got := entry(x, index+1, 5001, Parcel{Origin: 2, First: 1}, Parcel{Origin: 1, Session: ids[1], First: 1, Low: 1},
			Parcel{Origin: 1, Session: ids[0], First: 1, Low: 1}, Parcel{Origin: 1, Session: ids[2], First: 1, Low: 1})
		for i, want := range []Status{Applied, Expired, Applied, Applied} {
			if got[i].Status != want {
				t.Errorf("parcel %d: status %d, want %d", i, got[i].Status, want)
			}
		}
		if len(x.sessions.byID) != MaxSessions {
			t.Errorf("%d sessions, want %d", len(x.sessions.byID), MaxSessions)
		}
	}
	if Hash(state) != Hash(other) {
		t.Error("a replica that was restarted ended another session")
	}
}

// TestSessionNumbers: two sessions that one entry opens have different numbers,
// however many commands lie between them.
func TestSessionNumbers(t *testing.T) {
	a := newTestApplier(t, mapState{})
	a.sessions.open(a.state, 1, 1, 0)
	many := make([][]byte, 1<<16-1)
	b := appendEntryHeader(nil, 0, 0)
	for _, p := range []Parcel{{Origin: 1, First: 1}, {Origin: 1, Session: 1, First: 1, Low: 1, Commands: many}, {Origin: 2, First: 1}} {
		b = appendBytes(b, AppendParcel(nil, &p))
	}
	head, _ := decodeEntryHead(b)
	var opened []uint64
	if err := a.entry(2, head, 0, func(o Outcome) { opened = append(opened, o.Session) }); err != nil {
		t.Fatal(err)
	}
	if opened[0] == opened[2] {
		t.Fatalf("n1 and n2 share session %d", opened[0])
	}
}

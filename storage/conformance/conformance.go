package conformance

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"

	"flotilla"
	"flotilla/consensus"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"
)

// Harness makes and reopens the disk under test.
type Harness struct {
	// Open opens the disk: empty the first time, later with what Close or Crash left.
	Open func(t *testing.T) consensus.Disk
	// Crash throws the open disk away, with all that was not synced, as a power
	// cut would; Open is called next.
	Crash func(t *testing.T)
	// Flush makes all that was committed durable.
	Flush func(t *testing.T)
}

// Run runs the suite; start is called for each test.
func Run(t *testing.T, start func(t *testing.T) *Harness) {
	tests := []struct {
		name string
		run  func(t *testing.T, h *Harness)
	}{
		{"create", testCreate},
		{"remove", testRemove},
		{"log", testLog},
		{"log conflict", testLogConflict},
		{"log survives", testLogSurvives},
		{"cut", testCut},
		{"state", testState},
		{"views", testViews},
		{"state is a prefix", testStatePrefix},
		{"snapshot", testSnapshot},
		{"snapshot damaged", testSnapshotDamaged},
		{"install on a new node", testInstallNew},
		{"leftovers", testLeftovers},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) { test.run(t, start(t)) })
	}
}

const group flotilla.GroupID = 7

var replica = consensus.Replica{Group: group, ID: 3}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func expect[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Fatalf("%s: got %v, want %v", what, got, want)
	}
}

// Entries makes entries first..last of a term, with data that tells them apart.
func Entries(term, first, last uint64) (entries []*raftpb.Entry) {
	for i := first; i <= last; i++ {
		e := &raftpb.Entry{Term: &term, Index: new(uint64), Type: raftpb.EntryType_EntryNormal.Enum()}
		*e.Index = i
		e.Data = fmt.Appendf(nil, "%d.%d", term, i)
		entries = append(entries, e)
	}
	return entries
}

// Hard makes a HardState.
func Hard(term, vote, commit uint64) *raftpb.HardState {
	return &raftpb.HardState{Term: &term, Vote: &vote, Commit: &commit}
}

func create(t *testing.T, d consensus.Disk, r consensus.Replica) {
	t.Helper()
	check(t, d.Create(r, []consensus.KeyValue{{Key: []byte("a"), Value: []byte("0")}}))
}

func appendEntries(t *testing.T, d consensus.Disk, term, first, last uint64) {
	t.Helper()
	check(t, d.Append([]consensus.Write{{Group: group, HardState: Hard(term, 1, first-1), Entries: Entries(term, first, last)}}))
}

// logString writes a log as its entries' data.
func logString(t *testing.T, l consensus.Log) string {
	t.Helper()
	first, err := l.FirstIndex()
	check(t, err)
	last, err := l.LastIndex()
	check(t, err)
	text := fmt.Sprintf("%d:", first)
	if last < first {
		return text
	}
	entries, err := l.Entries(first, last+1, 1<<62)
	check(t, err)
	for i, e := range entries {
		expect(t, "index", e.GetIndex(), first+uint64(i))
		term, err := l.Term(e.GetIndex())
		check(t, err)
		expect(t, "term", term, e.GetTerm())
		text += " " + string(e.Data)
	}
	return text
}

func stateString(r flotilla.Reader) (text string) {
	for key, value := range r.Scan(nil, nil) {
		text += fmt.Sprintf("%s=%s ", key, value)
	}
	return text
}

func write(s consensus.State, index uint64, pairs ...string) {
	for i := 0; i < len(pairs); i += 2 {
		s.Set([]byte(pairs[i]), []byte(pairs[i+1]))
	}
	s.Commit(consensus.Mark{Index: index, Term: 1, Time: flotilla.Millis(index)})
}

func testCreate(t *testing.T, h *Harness) {
	d := h.Open(t)
	expect(t, "groups", len(d.Groups()), 0)
	create(t, d, replica)
	check(t, d.Create(consensus.Replica{Group: 2, ID: 9}, nil))
	if err := d.Create(replica, nil); err == nil {
		t.Fatal("created twice")
	}
	look := func() {
		t.Helper()
		if want := []consensus.Replica{{Group: 2, ID: 9}, replica}; !slices.Equal(d.Groups(), want) {
			t.Fatalf("groups: %v", d.Groups())
		}
		expect(t, "log with state", logString(t, d.Log(group)), "2:")
		expect(t, "log without", logString(t, d.Log(2)), "1:")
		term, err := d.Log(group).Term(1)
		check(t, err)
		expect(t, "term of 1", term, 1)
		expect(t, "state", stateString(d.State(group)), "a=0 ")
		expect(t, "mark", d.State(group).Mark(), consensus.Mark{Index: 1, Term: 1})
		expect(t, "mark without", d.State(2).Mark(), consensus.Mark{})
		hard, conf, err := d.Log(group).InitialState()
		check(t, err)
		if hard != nil || conf == nil {
			t.Fatalf("initial state: %v %v", hard, conf)
		}
	}
	look()
	h.Crash(t)
	d = h.Open(t)
	look()
	check(t, d.Close())
	d = h.Open(t)
	look()
	check(t, d.Close())
}

func testRemove(t *testing.T, h *Harness) {
	d := h.Open(t)
	create(t, d, replica)
	create(t, d, consensus.Replica{Group: 8, ID: 1})
	appendEntries(t, d, 2, 2, 9)
	write(d.State(group), 5, "b", "1")
	check(t, d.Remove(group))
	h.Crash(t)
	d = h.Open(t)
	expect(t, "groups", fmt.Sprint(d.Groups()), fmt.Sprint([]consensus.Replica{{Group: 8, ID: 1}}))
	check(t, d.Create(consensus.Replica{Group: group, ID: 4}, nil))
	expect(t, "state of the next", stateString(d.State(group)), "")
	expect(t, "log of the next", logString(t, d.Log(group)), "1:")
	expect(t, "the other group", stateString(d.State(8)), "a=0 ")
	check(t, d.Close())
}

func testLog(t *testing.T, h *Harness) {
	d := h.Open(t)
	create(t, d, replica)
	l := d.Log(group)
	appendEntries(t, d, 1, 2, 4)
	appendEntries(t, d, 2, 5, 6)
	expect(t, "log", logString(t, l), "2: 1.2 1.3 1.4 2.5 2.6")
	if _, err := l.Entries(1, 3, 100); !errors.Is(err, raft.ErrCompacted) {
		t.Fatalf("before the first: %v", err)
	}
	if _, err := l.Term(0); !errors.Is(err, raft.ErrCompacted) {
		t.Fatalf("term before the first: %v", err)
	}
	if _, err := l.Term(7); !errors.Is(err, raft.ErrUnavailable) {
		t.Fatalf("term after the last: %v", err)
	}
	if _, err := l.Snapshot(); !errors.Is(err, raft.ErrSnapshotTemporarilyUnavailable) {
		t.Fatalf("snapshot: %v", err)
	}
	some, err := l.Entries(3, 7, 0)
	check(t, err)
	expect(t, "at least one", len(some), 1)
	_ = append(some, Entries(9, 99, 99)...) // the caller owns the slice
	expect(t, "log after that", logString(t, l), "2: 1.2 1.3 1.4 2.5 2.6")
	check(t, d.Close())
}

func testLogConflict(t *testing.T, h *Harness) {
	d := h.Open(t)
	create(t, d, replica)
	appendEntries(t, d, 1, 2, 9)
	held, err := d.Log(group).Entries(2, 10, 1<<62)
	check(t, err)
	appendEntries(t, d, 3, 5, 6)
	expect(t, "log", logString(t, d.Log(group)), "2: 1.2 1.3 1.4 3.5 3.6")
	expect(t, "what raft held", string(held[5].Data), "1.7")
	h.Crash(t)
	d = h.Open(t)
	expect(t, "log after a crash", logString(t, d.Log(group)), "2: 1.2 1.3 1.4 3.5 3.6")
	check(t, d.Close())
}

func testLogSurvives(t *testing.T, h *Harness) {
	d := h.Open(t)
	create(t, d, replica)
	want := "2:"
	for i := uint64(2); i < 40; i++ {
		appendEntries(t, d, i, i, i)
		want += fmt.Sprintf(" %d.%d", i, i)
		if i%7 == 0 {
			h.Crash(t)
			d = h.Open(t)
		}
		expect(t, "log", logString(t, d.Log(group)), want)
		hard, _, err := d.Log(group).InitialState()
		check(t, err)
		expect(t, "term", hard.GetTerm(), i)
		expect(t, "commit", hard.GetCommit(), i-1)
	}
	check(t, d.Append([]consensus.Write{{Group: group, HardState: Hard(99, 5, 39)}}))
	h.Crash(t)
	d = h.Open(t)
	hard, _, err := d.Log(group).InitialState()
	check(t, err)
	expect(t, "vote", hard.GetVote(), 5)
	expect(t, "log", logString(t, d.Log(group)), want)
	check(t, d.Close())
}

func testCut(t *testing.T, h *Harness) {
	d := h.Open(t)
	create(t, d, replica)
	appendEntries(t, d, 1, 2, 20)
	d.Cut(group, 15)
	appendEntries(t, d, 1, 21, 21)
	first, err := d.Log(group).FirstIndex()
	check(t, err)
	expect(t, "nothing is cut that the state has not made durable", first, 2)
	write(d.State(group), 10, "b", "1")
	h.Flush(t)
	expect(t, "durable", d.State(group).Durable(), 10)
	appendEntries(t, d, 1, 22, 22)
	first, err = d.Log(group).FirstIndex()
	check(t, err)
	if first > 11 {
		t.Fatalf("cut up to %d, but durable is 10", first-1)
	}
	h.Crash(t)
	d = h.Open(t)
	again, err := d.Log(group).FirstIndex()
	check(t, err)
	expect(t, "first after a crash", again, first)
	term, err := d.Log(group).Term(again - 1)
	check(t, err)
	expect(t, "term before the first", term, 1)
	expect(t, "state", stateString(d.State(group)), "a=0 b=1 ")
	check(t, d.Close())
}

func testState(t *testing.T, h *Harness) {
	d := h.Open(t)
	create(t, d, replica)
	s := d.State(group)
	for _, flush := range []bool{false, true} {
		write(s, s.Mark().Index+1, "b", "1", "c", "2", "d", "3", "e", "4")
		if flush {
			h.Flush(t)
		}
		s.Set([]byte("b"), []byte("9"))
		s.Delete([]byte("e"))
		s.DeleteRange([]byte("c"), []byte("d"))
		s.Set([]byte("cc"), nil)
		value, ok := s.Get([]byte("b"))
		expect(t, "own write", string(value), "9")
		expect(t, "own write", ok, true)
		_, ok = s.Get([]byte("c"))
		expect(t, "in a deleted range", ok, false)
		value, ok = s.Get([]byte("cc"))
		expect(t, "empty value", ok && len(value) == 0, true)
		expect(t, "all", stateString(s), "a=0 b=9 cc= d=3 ")
		var back string
		for key := range s.ScanBack([]byte("b"), []byte("d")) {
			back += string(key) + " "
		}
		expect(t, "back", back, "cc b ")
		for key := range s.Scan([]byte("b"), nil) {
			expect(t, "first", string(key), "b")
			break
		}
		s.Commit(consensus.Mark{Index: s.Mark().Index + 1, Term: 1})
		check(t, s.Err())
		s.DeleteRange([]byte("b"), nil)
		s.Commit(consensus.Mark{Index: s.Mark().Index + 1, Term: 1})
		expect(t, "after all are gone", stateString(s), "a=0 ")
	}
	check(t, d.Close())
	d = h.Open(t)
	expect(t, "after all", stateString(d.State(group)), "a=0 ")
	expect(t, "mark", d.State(group).Mark().Index, 7)
	check(t, d.Close())
}

func testViews(t *testing.T, h *Harness) {
	d := h.Open(t)
	create(t, d, replica)
	s := d.State(group)
	write(s, 2, "b", "1", "c", "2")
	long := s.View(true)
	s.Set([]byte("b"), []byte("2"))
	s.Delete([]byte("c"))
	s.Commit(consensus.Mark{Index: 3, Term: 1})
	h.Flush(t)
	later := s.View(true)
	s.DeleteRange(nil, nil)
	s.Commit(consensus.Mark{Index: 4, Term: 1})
	h.Flush(t)
	short := s.View(false)
	expect(t, "now", stateString(short), "")
	expect(t, "now", short.Mark().Index, 4)
	short.Close()
	short.Close()
	expect(t, "then", stateString(long), "a=0 b=1 c=2 ")
	expect(t, "then", long.Mark(), consensus.Mark{Index: 2, Term: 1, Time: 2})
	expect(t, "later", stateString(later), "a=0 b=2 ")
	value, ok := later.Get([]byte("b"))
	expect(t, "later", string(value), "2")
	expect(t, "later", ok, true)
	check(t, long.Err())
	long.Close()
	later.Close()
	check(t, d.Close())
}

// A crash leads back to a whole number of commits, not before Durable.
func testStatePrefix(t *testing.T, h *Harness) {
	d := h.Open(t)
	create(t, d, replica)
	for i := uint64(2); i < 30; i++ {
		s := d.State(group)
		if i != s.Mark().Index+1 {
			i = s.Mark().Index + 1
		}
		appendEntries(t, d, 1, max(i, lastIndex(t, d)+1), max(i, lastIndex(t, d)+1))
		write(s, i, "b", fmt.Sprint(i), fmt.Sprintf("k%02d", i), "x")
		if i == 9 || i == 17 {
			h.Flush(t)
			expect(t, "durable", d.State(group).Durable(), i)
		}
		if i%6 == 0 && d.State(group).Mark().Time != 0 {
			durable := s.Durable()
			h.Crash(t)
			d = h.Open(t)
			mark := d.State(group).Mark()
			if mark.Index < durable {
				t.Fatalf("durable was %d, came back at %d", durable, mark.Index)
			}
			want := "a=0 "
			if mark.Index > 1 {
				want += fmt.Sprintf("b=%d ", mark.Index)
			}
			for k := uint64(2); k <= mark.Index; k++ {
				want += fmt.Sprintf("k%02d=x ", k)
			}
			expect(t, "state", stateString(d.State(group)), want)
			// Go on from the crash without walking into the same one again.
			for k := mark.Index + 1; k <= i; k++ {
				write(d.State(group), k, "b", fmt.Sprint(k), fmt.Sprintf("k%02d", k), "x")
			}
		}
	}
	check(t, d.Close())
}

func lastIndex(t *testing.T, d consensus.Disk) uint64 {
	t.Helper()
	last, err := d.Log(group).LastIndex()
	check(t, err)
	return last
}

// snapshotOf streams a small state, with mark 50 in term 4.
func snapshotOf(t *testing.T, h *Harness) []byte {
	t.Helper()
	d := h.Open(t)
	create(t, d, consensus.Replica{Group: 99, ID: 1})
	s := d.State(99)
	for i := range 500 {
		s.Set(fmt.Appendf(nil, "s%03d", i), bytes.Repeat([]byte("v"), i))
	}
	s.Commit(consensus.Mark{Index: 50, Term: 4, Time: 1000})
	view := s.View(true)
	var stream bytes.Buffer
	check(t, consensus.WriteSnapshot(&stream, view))
	view.Close()
	check(t, d.Remove(99))
	check(t, d.Close())
	return stream.Bytes()
}

func testSnapshot(t *testing.T, h *Harness) {
	stream := snapshotOf(t, h)
	d := h.Open(t)
	create(t, d, replica)
	appendEntries(t, d, 2, 2, 60)
	write(d.State(group), 20, "old", "1")
	staged, err := d.Stage(replica, bytes.NewReader(stream))
	check(t, err)
	expect(t, "replica", staged.Replica(), replica)
	expect(t, "mark", staged.Mark(), consensus.Mark{Index: 50, Term: 4, Time: 1000})
	value, ok := staged.Get([]byte("s002"))
	expect(t, "staged", string(value), "vv")
	expect(t, "staged", ok, true)
	_, ok = staged.Get([]byte("old"))
	expect(t, "of the old state", ok, false)
	s, l := d.State(group), d.Log(group)
	before := s.View(true)
	expect(t, "not yet", stateString(s), "a=0 old=1 ")
	check(t, d.Install(staged, Hard(4, 2, 50)))
	staged.Drop()
	look := func() {
		t.Helper()
		expect(t, "log", logString(t, l), "51:")
		term, err := l.Term(50)
		check(t, err)
		expect(t, "term", term, 4)
		expect(t, "mark", s.Mark(), consensus.Mark{Index: 50, Term: 4, Time: 1000})
		expect(t, "durable", s.Durable(), 50)
		n := 0
		for range s.Scan(nil, nil) {
			n++
		}
		expect(t, "keys", n, 501)
		hard, _, err := l.InitialState()
		check(t, err)
		expect(t, "term", hard.GetTerm(), 4)
	}
	look()
	expect(t, "an old view", stateString(before), "a=0 old=1 ")
	before.Close()
	h.Crash(t)
	d = h.Open(t)
	s, l = d.State(group), d.Log(group)
	look()
	appendEntries(t, d, 5, 51, 52)
	s.Set([]byte("new"), []byte("1"))
	s.Commit(consensus.Mark{Index: 51, Term: 5, Time: 1001})
	h.Flush(t)
	check(t, d.Close())
	d = h.Open(t)
	expect(t, "log", logString(t, d.Log(group)), "51: 5.51 5.52")
	value, _ = d.State(group).Get([]byte("new"))
	expect(t, "state goes on", string(value), "1")
	check(t, d.Close())
}

func testSnapshotDamaged(t *testing.T, h *Harness) {
	stream := snapshotOf(t, h)
	d := h.Open(t)
	create(t, d, replica)
	for _, at := range []int{0, 10, 40, len(stream) / 2, len(stream) - 1} {
		damaged := bytes.Clone(stream)
		damaged[at] ^= 4
		if _, err := d.Stage(replica, bytes.NewReader(damaged)); !errors.Is(err, consensus.ErrBadSnapshot) {
			t.Fatalf("byte %d: %v", at, err)
		}
		if _, err := d.Stage(replica, bytes.NewReader(stream[:at])); !errors.Is(err, consensus.ErrBadSnapshot) {
			t.Fatalf("cut at %d: %v", at, err)
		}
	}
	expect(t, "state", stateString(d.State(group)), "a=0 ")
	check(t, d.Close())
}

func testInstallNew(t *testing.T, h *Harness) {
	stream := snapshotOf(t, h)
	d := h.Open(t)
	staged, err := d.Stage(replica, bytes.NewReader(stream))
	check(t, err)
	expect(t, "not there yet", len(d.Groups()), 0)
	check(t, d.Install(staged, Hard(4, 0, 50)))
	h.Crash(t)
	d = h.Open(t)
	expect(t, "groups", fmt.Sprint(d.Groups()), fmt.Sprint([]consensus.Replica{replica}))
	expect(t, "mark", d.State(group).Mark().Index, 50)
	expect(t, "log", logString(t, d.Log(group)), "51:")
	check(t, d.Close())
}

// What was staged and never installed leaves no trace.
func testLeftovers(t *testing.T, h *Harness) {
	stream := snapshotOf(t, h)
	d := h.Open(t)
	create(t, d, replica)
	dropped, err := d.Stage(replica, bytes.NewReader(stream))
	check(t, err)
	dropped.Drop()
	_, err = d.Stage(replica, bytes.NewReader(stream))
	check(t, err)
	_, err = d.Stage(consensus.Replica{Group: 55, ID: 1}, bytes.NewReader(stream))
	check(t, err)
	h.Flush(t)
	h.Crash(t)
	d = h.Open(t)
	expect(t, "groups", len(d.Groups()), 1)
	expect(t, "state", stateString(d.State(group)), "a=0 ")
	check(t, d.Close())
	d = h.Open(t)
	expect(t, "state", stateString(d.State(group)), "a=0 ")
	check(t, d.Close())
}

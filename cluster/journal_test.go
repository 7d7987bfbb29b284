package cluster

import (
	"slices"
	"testing"

	"flotilla"
)

// TestJournalKeepsTheNewest: each ring forgets its oldest, and entries that are followed
// push out nothing but their like.
func TestJournalKeepsTheNewest(t *testing.T) {
	now := int64(1000)
	j := NewJournal(1, func() int64 { return now })
	j.write(Note{Kind: NoteRole, Word: "leader"})
	for range keptTraced + 10 {
		j.write(Note{Kind: NoteSynced})
	}
	all := j.Since(0)
	if len(all) != keptTraced+1 || all[0].Kind != NoteRole || all[1].Sequence != 12 || all[len(all)-1].Sequence != keptTraced+11 {
		t.Fatalf("%d notes, from %+v", len(all), all[:2])
	}
	if !slices.IsSortedFunc(all, CompareNotes) {
		t.Fatal("they are not in order")
	}
	last := all[len(all)-1].Sequence
	if rest := j.Since(last - 3); len(rest) != 3 || rest[0].Sequence != last-2 {
		t.Fatalf("after %d: %+v", last-3, rest)
	}
	if rest := j.Since(last); len(rest) != 0 {
		t.Fatalf("after the last: %+v", rest)
	}
}

// TestStampsGoForward: with the time, but never back, and over what others have seen.
func TestStampsGoForward(t *testing.T) {
	now := int64(1000)
	j := NewJournal(1, func() int64 { return now })
	stamp := func() uint64 {
		j.write(Note{Kind: NoteHeard})
		return j.newest()
	}
	if first, second := stamp(), stamp(); first != 1000 || second != 1001 {
		t.Fatalf("%d, %d", first, second)
	}
	now = 500 // the clock was set back
	if s := stamp(); s != 1002 {
		t.Fatalf("%d", s)
	}
	j.see(5000)
	if s := stamp(); s != 5001 {
		t.Fatalf("%d", s)
	}
	now = 9000
	if s := stamp(); s != 9000 {
		t.Fatalf("%d", s)
	}
}

// TestMarksTravel: what a frame says of notes is read as it was written.
func TestMarksTravel(t *testing.T) {
	j := NewJournal(1, func() int64 { return 77 })
	j.write(Note{Kind: NoteHeard})
	b := appendUvarints([]byte{itemEntryMark}, 3, 40, 5)
	b = appendStamp(appendUvarints(append(b, itemCallMark), 3), j)
	f, err := decodeFrame(2, b)
	if err != nil || f.stamp != 77 || !slices.Equal(f.entryMarks, []entryMark{{group: 3, index: 40, term: 5}}) ||
		!slices.Equal(f.callMarks, []flotilla.GroupID{3}) {
		t.Fatalf("%+v %v", f, err)
	}
	for cut := 1; cut < 4; cut++ { // in the midst of the entry's mark
		if f, err := decodeFrame(2, b[:cut]); err == nil || len(f.entryMarks) > 0 {
			t.Fatalf("%d bytes: %+v %v", cut, f, err)
		}
	}
}

package console

import (
	"slices"
	"testing"

	"flotilla"
	"flotilla/cluster"
)

func noted(node flotilla.NodeID, sequence, stamp uint64) cluster.Note {
	return cluster.Note{Node: node, Sequence: sequence, Stamp: stamp, Kind: cluster.NoteHeard}
}

func stamps(h *history) (all []uint64) {
	notes, _ := h.since(0)
	for _, n := range notes {
		all = append(all, n.Stamp)
	}
	return all
}

// TestHistoryWaitsForCauses: an effect that was read early is not shown before its
// cause was read from a node that answers.
func TestHistoryWaitsForCauses(t *testing.T) {
	h := newHistory()
	h.source(1).answers, h.source(2).answers = true, true
	h.take(1, 7, 50, []cluster.Note{noted(1, 1, 40)})
	if got := stamps(h); len(got) > 0 {
		t.Fatalf("n2 was not asked yet, but %v is shown", got)
	}
	h.take(2, 9, 45, []cluster.Note{noted(2, 1, 30)})
	if got := stamps(h); !slices.Equal(got, []uint64{30, 40}) {
		t.Fatalf("%v", got)
	}
	h.take(1, 7, 60, []cluster.Note{noted(1, 1, 40), noted(1, 2, 55)})
	if got := stamps(h); !slices.Equal(got, []uint64{30, 40}) {
		t.Fatalf("n2 may have something before 55, but there is %v", got)
	}
	h.silent(2)
	if got := stamps(h); !slices.Equal(got, []uint64{30, 40, 55}) {
		t.Fatalf("n2 is dead, and yet waited for: %v", got)
	}
	h.take(2, 10, 80, []cluster.Note{noted(2, 1, 52)}) // another life counts anew
	if got := stamps(h); !slices.Equal(got, []uint64{30, 40, 55, 52}) {
		t.Fatalf("what comes late is lost: %v", got)
	}
	if notes, next := h.since(3); len(notes) != 1 || next != 4 {
		t.Fatalf("%v, %d", notes, next)
	}
}

// TestHistoryIsBounded: by time, and by number.
func TestHistoryIsBounded(t *testing.T) {
	h := newHistory()
	const all = 3 * maxEvents
	for i := range uint64(all) {
		h.take(1, 1, 10*i+5, []cluster.Note{noted(1, i+1, 10*i)})
	}
	if notes, next := h.since(0); len(notes) != maxEvents || next != all || notes[0].number != all-maxEvents {
		t.Fatalf("%d notes, %d in all", len(notes), next)
	}
	h.take(1, 1, 1e15, []cluster.Note{noted(1, 1e7, 1e14)})
	if notes, _ := h.since(0); len(notes) != 1 {
		t.Fatalf("%d notes, all but one an age old", len(notes))
	}
}

// TestAFloodOfWritesLeavesWhatIsRare: a node was killed and another elected nine minutes ago, and
// since then four groups have written what they do under load.
func TestAFloodOfWritesLeavesWhatIsRare(t *testing.T) {
	const began, minute, period = 1_000_000_000, 60_000_000, 1_000_000 / (4 * 68)
	h := newHistory()
	h.add(cluster.Note{Node: 1, Stamp: began, Kind: noteProcess, Word: "down"})
	h.take(2, 1, began+2, []cluster.Note{{Node: 2, Sequence: 1, Stamp: began + 1, Kind: cluster.NoteRole, Word: "leader"}})
	kinds := []cluster.NoteKind{cluster.NoteProposed, cluster.NoteSynced, cluster.NoteAcknowledged, cluster.NoteCommitted, cluster.NoteApplied}
	at, sequence := uint64(began+1), uint64(1)
	for at < began+9*minute {
		var notes []cluster.Note
		for range 100 {
			at, sequence = at+period, sequence+1
			notes = append(notes, cluster.Note{Node: 2, Sequence: sequence, Stamp: at, Kind: kinds[sequence%5]})
		}
		h.take(2, 1, at+1, notes)
	}
	notes, next := h.since(0)
	if len(notes) != 2+maxSteps || next != 1+sequence {
		t.Fatalf("%d notes are kept, of %d", len(notes), next)
	}
	if notes[0].Kind != noteProcess || notes[1].Kind != cluster.NoteRole || notes[2].number != next-maxSteps {
		t.Fatalf("it begins with %v", notes[:3])
	}
	if cap(h.events) > 2*maxEvents || cap(h.steps) > 2*maxSteps {
		t.Fatalf("there is memory for %d and %d notes", cap(h.events), cap(h.steps))
	}
}

// TestWhatWaitsIsBounded: a node whose clock is far behind holds up no more than so many notes.
func TestWhatWaitsIsBounded(t *testing.T) {
	h := newHistory()
	h.take(2, 1, 5, nil)
	for i := uint64(1); i <= maxPending/100+2; i++ {
		var notes []cluster.Note
		for k := range uint64(100) {
			notes = append(notes, noted(1, 100*i+k, 100*i+k))
		}
		h.take(1, 1, 100*i+100, notes)
	}
	if notes, _ := h.since(0); len(h.pending) != maxPending || len(notes) != 200 {
		t.Fatalf("%d wait, %d were released", len(h.pending), len(notes))
	}
}

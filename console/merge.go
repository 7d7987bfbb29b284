package console

import (
	"cmp"
	"slices"

	"flotilla"
	"flotilla/cluster"
)

// Bounds of the history that a node keeps while pages are open. Steps of writes are many, and must
// not push out what is rare: so each sort has its own.
const (
	// maxEvents is how many notes of elections, faults and the like; what is older is forgotten.
	maxEvents = 10_000
	// maxSteps is how many of entries and writes that are followed.
	maxSteps = 20_000
	// maxPending is how many that wait for what may come before them; more, and the oldest wait no longer.
	maxPending = 20_000
	// historyMicros is how long notes are kept.
	historyMicros = 10 * 60 * 1_000_000
)

// history is the journals of all nodes, merged in the order of their stamps.
//
// A node's journal is read again and again. Each time the node also says up to when
// that is all it has: nothing that it writes later has a smaller stamp. So what is below
// the least of these words, of all nodes that answer, is complete and is released. A
// note of a node that was paused, or far away, comes late: it is released when it comes, and
// pages put it where it belongs.
//
// It is a plain value with one owner.
type history struct {
	sources map[flotilla.NodeID]*source
	pending []cluster.Note // in order
	// What was released, numbered from 0 in order of release. Nearly always that is the order
	// of the stamps, too.
	events []numbered
	steps  []numbered // of writes that are followed
	next   uint64     // the number of the next note
}

// numbered is a note with its place in the history.
type numbered struct {
	cluster.Note
	number uint64
}

// source is what was read of one node's journal.
type source struct {
	life    uint64 // which of the node's lives it is of
	after   uint64 // the last sequence number
	through uint64 // up to which stamp it is complete
	answers bool
}

func newHistory() *history { return &history{sources: map[flotilla.NodeID]*source{}} }

// source returns what is known of a node's journal.
func (h *history) source(id flotilla.NodeID) *source {
	s := h.sources[id]
	if s == nil {
		s = &source{}
		h.sources[id] = s
	}
	return s
}

// take adds what was read of a node's journal.
func (h *history) take(id flotilla.NodeID, life, through uint64, notes []cluster.Note) {
	s := h.source(id)
	if s.life != life {
		s.life, s.after = life, 0
	}
	for _, n := range notes {
		if n.Sequence > s.after {
			s.after = n.Sequence
			h.add(n)
		}
	}
	s.through, s.answers = max(s.through, through), true
	h.release()
}

// silent notes that a node does not answer: it is not waited for.
func (h *history) silent(id flotilla.NodeID) {
	h.source(id).answers = false
	h.release()
}

// add puts a note where it belongs among those that were not released.
func (h *history) add(n cluster.Note) {
	at, _ := slices.BinarySearchFunc(h.pending, n, cluster.CompareNotes)
	h.pending = slices.Insert(h.pending, at, n)
}

// release lets go of what can have no predecessor any more.
func (h *history) release() {
	least, isAny := uint64(0), false
	for _, s := range h.sources {
		if s.answers && (!isAny || s.through < least) {
			least, isAny = s.through, true
		}
	}
	count := len(h.pending)
	if isAny {
		count, _ = slices.BinarySearchFunc(h.pending, least, func(n cluster.Note, least uint64) int {
			if n.Stamp < least {
				return -1
			}
			return 1
		})
	}
	count = max(count, len(h.pending)-maxPending)
	for _, n := range h.pending[:count] {
		if n.Kind.IsTraced() {
			h.steps = append(h.steps, numbered{n, h.next})
		} else {
			h.events = append(h.events, numbered{n, h.next})
		}
		h.next++
	}
	if count > 0 {
		newest := h.pending[count-1].Stamp
		h.events, h.steps = forget(h.events, maxEvents, newest), forget(h.steps, maxSteps, newest)
	}
	h.pending = slices.Delete(h.pending, 0, count)
}

// forget returns notes without those that are too old, or too many. The memory of what it leaves
// out is given back when the rest has grown out of its place.
func forget(notes []numbered, limit int, newest uint64) []numbered {
	old := max(0, len(notes)-limit)
	for old < len(notes) && notes[old].Stamp+historyMicros < newest {
		old++
	}
	return notes[old:]
}

// since returns what was released from a number on, and the number to go on with: first what is
// rare, then steps of writes, each in order of release. It shares no memory with the history.
func (h *history) since(number uint64) (notes []numbered, next uint64) {
	for _, sort := range [][]numbered{h.events, h.steps} {
		from, _ := slices.BinarySearchFunc(sort, number, func(n numbered, number uint64) int { return cmp.Compare(n.number, number) })
		notes = append(notes, sort[from:]...)
	}
	return notes, h.next
}

// rare returns the released notes that are not steps of writes. It shares no memory with the history.
func (h *history) rare() []cluster.Note {
	notes := make([]cluster.Note, 0, len(h.events))
	for _, n := range h.events {
		notes = append(notes, n.Note)
	}
	return notes
}

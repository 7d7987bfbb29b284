package scenario

import (
	"container/heap"

	"flotilla"
)

// event is something that a Player has to do. At one moment what is over ends first;
// then come the steps, in the order of the text; the end of the plan comes last.
type event struct {
	at     flotilla.Millis
	kind   eventKind
	step   int             // doStep, doFinal: which; doFinal: -1 when there is none left
	due    flotilla.Millis // doStep, doFinal: when it should be done; at is later while it waits for a role
	number int             // in order of pushing
	ends   int             // undo: the order whose links are good again
	order  Order           // undo: what to do
}

// eventKind is ordered: of one moment, the smaller comes first.
type eventKind int

const (
	undo eventKind = iota
	doStep
	doFinal
)

// events is a heap, the next to come first.
type events []event

// push puts an event in.
func (p *Player) push(e event) {
	p.pushed++
	e.number = p.pushed
	heap.Push(&p.queue, e)
}

// Len is part of heap.Interface, as are the other methods.
func (h events) Len() int { return len(h) }

// Less orders as event says.
func (h events) Less(i, j int) bool {
	a, b := h[i], h[j]
	switch {
	case a.at != b.at:
		return a.at < b.at
	case a.kind != b.kind:
		return a.kind < b.kind
	case a.kind == doStep && a.step != b.step:
		return a.step < b.step
	}
	return a.number < b.number
}

// Swap exchanges two.
func (h events) Swap(i, j int) { h[i], h[j] = h[j], h[i] }

// Push appends one.
func (h *events) Push(x any) { *h = append(*h, x.(event)) }

// Pop removes the last one.
func (h *events) Pop() any {
	last := len(*h) - 1
	e := (*h)[last]
	(*h)[last] = event{}
	*h = (*h)[:last]
	return e
}

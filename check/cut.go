package check

import (
	"slices"
	"strconv"
)

// shortestStretch is how many events a stretch has at least, unless it is the last.
const shortestStretch = 50

// cut divides the events at quiet points where all values are known, so that each
// stretch is a search of its own: a search over thousands of operations would
// else try what it can not know at the end against all that came before.
//
// A point is quiet if everything that began before it had surely happened before
// it. What a key holds there is known if the last that changed it was alone, from
// its beginning to its end, and says what it left behind (a write, a count) or
// followed on something known; or if a read was alone after the last change. An
// operation that may still happen therefore ends the cutting: it belongs to no
// stretch but the last. So does a list or set until it is read as a whole.
//
//	time ─▶  ├─w a─┤            ├r a┤             ├─w c─┤
//	            ├──w b──┤              ╎ ├──w d─┤
//	         two at once: a or b?      ╎ quiet, and a is known: cut here
func cut(t *together, events []event, shortest int) []*search {
	k := &knowledge{together: t, states: make([]string, len(t.keys)), isKnown: make([]bool, len(t.keys))}
	for i := range k.isKnown {
		k.isKnown[i] = true // each key is empty at first
	}
	var all []*search
	start, from := make([]string, len(t.keys)), 0
	for i := 0; i < len(events); {
		if i-from >= shortest && k.isComplete() {
			all = append(all, newSearch(t, start, events[from:i]))
			start, from = slices.Clone(k.states), i
		}
		n := sideBySide(events[i:])
		if n == 1 {
			k.learn(events[i])
		} else {
			k.forget(events[i : i+n])
		}
		i += n
	}
	return append(all, newSearch(t, start, events[from:]))
}

// sideBySide returns how many of the first events hang together in time.
func sideBySide(events []event) (n int) {
	until := events[0].latest
	for n = 1; n < len(events) && !(until < events[n].Begin); n++ {
		until = max(until, events[n].latest)
	}
	return n
}

// knowledge is what is known of the keys at a quiet point.
type knowledge struct {
	*together
	states  []string
	isKnown []bool
}

func (k *knowledge) isComplete() bool { return !slices.Contains(k.isKnown, false) }

// forget takes events that were not alone: which came last is not known.
func (k *knowledge) forget(events []event) {
	for _, e := range events {
		for _, p := range e.parts() {
			if !p.IsRead() {
				k.isKnown[k.index[p.Key]] = false
			}
		}
	}
}

// learn takes an event that was alone. An answer that does not fit what is known makes
// the key unknown: it is for the search to find out.
func (k *knowledge) learn(e event) {
	for _, p := range e.parts() {
		i := k.index[p.Key]
		if state, ok := leaves(p); ok && e.Outcome == Known {
			if fits, _ := apply(k.states[i], p); fits || !k.isKnown[i] {
				k.states[i], k.isKnown[i] = state, true
				continue
			}
		}
		if fits, next := apply(k.states[i], p); k.isKnown[i] && fits && e.happened() {
			k.states[i] = next
			continue
		}
		k.isKnown[i] = false
	}
}

// leaves returns what an answered operation left behind, if it says so by itself.
func leaves(o Operation) (state string, ok bool) {
	switch o.Kind {
	case Read, Write, CompareAndSet:
		if o.Kind == Read && !o.Found {
			return "", true
		}
		return "=" + o.Value, true
	case Delete:
		return "", true
	case Add, Count:
		return strconv.FormatInt(o.Total, 10), o.Kind == Add || o.Total != 0 // a count of 0 need not be there
	case Members:
		return join(slices.Sorted(slices.Values(o.Values))), true
	case Range:
		return join(o.Values), o.isWhole()
	}
	return "", false
}

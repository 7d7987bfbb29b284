package check

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
)

// never is the time of what may not have happened yet.
const never = math.MaxInt64

// event is an operation and what the rest of the history tells about it.
type event struct {
	Operation
	// latest is the time by which it had surely taken effect: its end if it
	// was answered; the end of the first read that found its value if it was
	// not; or never.
	latest int64
	// step is the number of the transaction that it is a part of, in a timeline; or 0.
	step int
}

// happened reports whether the operation surely took effect.
func (e event) happened() bool { return e.latest < never }

// mustPrecede reports whether e took effect before any other event that began
// at a time. Intervals are closed: what ends when the other begins is beside it.
func (e event) mustPrecede(begin int64) bool { return e.latest < begin }

// known returns when it was known what became of the event.
func (e event) known() int64 {
	if e.Outcome != Known && e.happened() {
		return max(e.latest, e.End)
	}
	return e.End
}

// place is a value in a key.
type place struct{ key, value string }

// settle turns a history into events in order of beginning. Refused and aborted
// operations, which did nothing, and reads without an answer, which say nothing, are left out.
//
// An operation with unknown outcome that alone stored some value, which somebody
// then found, has happened: before the first that found it had ended. This holds
// for reads of any level: what one reads was committed, or the read was wrong.
func settle(history []Operation) []event {
	events := make([]event, 0, len(history))
	sources := map[place][]int{} // the operations that may have stored it
	for _, o := range history {
		if o.Outcome == Refused || o.isAborted() || o.Outcome == Unknown && o.IsRead() {
			continue
		}
		e := event{Operation: o, latest: never}
		if o.Outcome == Known {
			e.latest = o.End
		}
		for _, p := range o.parts() {
			at := place{p.Key, p.Value}
			if p.stores() && !slices.Contains(sources[at], len(events)) {
				sources[at] = append(sources[at], len(events))
			}
		}
		events = append(events, e)
	}
	for _, o := range history {
		if o.Outcome != Known || o.isAborted() {
			continue
		}
		for _, p := range o.parts() {
			for _, value := range p.observed() {
				from := sources[place{p.Key, value}]
				if len(from) == 1 && events[from[0]].Begin <= p.End {
					events[from[0]].latest = min(events[from[0]].latest, p.End)
				}
			}
		}
	}
	slices.SortStableFunc(events, func(a, b event) int { return cmp.Compare(a.Begin, b.Begin) })
	return events
}

// timeline is all that concerns one key. Transactions are taken apart; the parts of one have
// the same step, and stand one behind the other.
type timeline struct {
	key     string
	family  family // noFamily if its operations do not agree
	changes []event
	reads   []event          // answered, of all levels; not of what their own step had done
	all     []Operation      // for explanations
	sources map[string][]int // which changes may have stored a value
	current []int64          // see lastCurrent
	// isTwisted says that linearizable reads contradict each other.
	isTwisted bool
}

// timelines splits a history by key, in order of the keys.
func timelines(history []Operation) []*timeline {
	of := map[string]*timeline{}
	for _, o := range history {
		for _, p := range o.parts() {
			t := of[p.Key]
			if t == nil {
				t = &timeline{key: p.Key, sources: map[string][]int{}}
				of[p.Key] = t
			}
			if o.Kind != Transaction || !o.isAborted() { // a part by itself would look as if it had been done
				t.all = append(t.all, p)
			}
			t.join(familyOf(p.Kind))
		}
	}
	for i, e := range settle(history) {
		step := 0
		if e.Kind == Transaction {
			step = i + 1
		}
		for _, p := range e.parts() {
			of[p.Key].add(event{Operation: p, latest: e.latest, step: step})
		}
	}
	all := make([]*timeline, 0, len(of))
	for _, t := range of {
		t.fillCurrent()
		all = append(all, t)
	}
	slices.SortFunc(all, func(a, b *timeline) int { return strings.Compare(a.key, b.key) })
	return all
}

// join makes the timeline one of a family.
func (t *timeline) join(f family) {
	switch {
	case f == anyFamily || f == t.family:
	case t.family == anyFamily:
		t.family = f
	default:
		t.family = noFamily
	}
}

// add takes one event on the key.
func (t *timeline) add(e event) {
	switch {
	case !e.IsRead():
		if e.stores() {
			t.sources[e.Value] = append(t.sources[e.Value], len(t.changes))
		}
		t.changes = append(t.changes, e)
	case e.Outcome == Known && !t.hasChanged(e):
		t.reads = append(t.reads, e)
	}
}

// isInside reports whether the step that a change is of changed the key again: what the change
// left behind nobody else can have seen.
func (t *timeline) isInside(i int) bool {
	return i+1 < len(t.changes) && t.changes[i].isBeside(t.changes[i+1])
}

// hasChanged reports whether the step that a read is of had changed the key before: it saw what
// no others see.
func (t *timeline) hasChanged(read event) bool {
	return len(t.changes) > 0 && read.isBeside(t.changes[len(t.changes)-1])
}

// isBeside reports whether two changes were carried out in one step.
func (e event) isBeside(other event) bool { return e.step != 0 && e.step == other.step }

// source returns the only change that may have stored a value, or -1.
func (t *timeline) source(value string) int {
	if from := t.sources[value]; len(from) == 1 {
		return from[0]
	}
	return -1
}

// nobody says why a value can not be there.
func (t *timeline) nobody(value string) string {
	for _, o := range t.all {
		if o.Outcome == Refused && o.stores() && o.Value == value {
			return fmt.Sprintf("%q was refused", value)
		}
	}
	if len(t.sources[value]) > 0 {
		return fmt.Sprintf("%q was asked for later, or not as often", value)
	}
	return fmt.Sprintf("nobody asked for %q", value)
}

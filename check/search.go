package check

import (
	"cmp"
	"fmt"
	"hash/maphash"
	"slices"
	"strings"
	"time"

	"github.com/anishathalye/porcupine"
)

// world is what the keys of a together hold, and how many operations of each class
// were used. It is never changed once it is made.
type world struct {
	states []string
	used   []int
}

func (w world) equal(other world) bool {
	return slices.Equal(w.states, other.states) && slices.Equal(w.used, other.used)
}

// item is an event made ready for the search.
type item struct {
	event
	guards, parts []Operation
	at            []int // of the guards' and parts' keys in the world
	// class and rank are for what may never have happened. Two such operations
	// that ask for the same thing can stand for each other, so that it is enough
	// to try the one that began first: rank of a class may only come after
	// rank-1. Without it, n additions of unknown outcome would be 2^n ways to
	// go; with it they are n+1.
	class, rank int
}

// search is a stretch of the history of keys that are connected, with what they
// hold at its beginning.
type search struct {
	*together
	start   []string
	events  []event
	items   []*item
	classes int
}

// newSearch prepares the events for a search.
func newSearch(t *together, start []string, events []event) *search {
	s := &search{together: t, start: start, events: events}
	classes, members := map[string]int{}, []int{}
	for _, e := range events {
		it := &item{event: e, class: -1}
		if e.Kind == Transaction {
			it.guards, it.parts = e.Guards, e.Parts
		} else {
			it.parts = []Operation{e.Operation}
		}
		for _, p := range slices.Concat(it.guards, it.parts) {
			it.at = append(it.at, t.index[p.Key])
		}
		if !e.happened() {
			asked := classOf(e.Operation)
			if _, ok := classes[asked]; !ok {
				classes[asked] = len(members)
				members = append(members, 0)
			}
			it.class = classes[asked]
			it.rank = members[it.class]
			members[it.class]++
		}
		s.items = append(s.items, it)
	}
	s.classes = len(members)
	return s
}

// classOf says what an operation asks for, and nothing else.
func classOf(o Operation) string {
	text := fmt.Sprintf("%s %q %q %q %d", o.Kind, o.Key, o.Value, o.Expect, o.Number)
	for _, p := range slices.Concat(o.Guards, o.Parts) {
		text += fmt.Sprintf(" (%v %s)", p.Found, classOf(p))
	}
	return text
}

// step carries out one item in a world, if its answers fit.
func (s *search) step(w world, it *item) (bool, world) {
	if it.class >= 0 {
		if w.used[it.class] != it.rank {
			return false, w
		}
		w.used = slices.Clone(w.used)
		w.used[it.class]++
	}
	for i, guard := range it.guards {
		if fits, _ := apply(w.states[it.at[i]], guard); !fits {
			return !it.happened(), w // one that may not have happened did not
		}
	}
	states := slices.Clone(w.states)
	for i, part := range it.parts {
		part.Outcome = it.Outcome
		if it.Outcome != Known && part.isRead() {
			continue
		}
		at := it.at[len(it.guards)+i]
		fits, next := apply(states[at], part)
		if !fits {
			return !it.happened(), w
		}
		states[at] = next
	}
	return true, world{states: states, used: w.used}
}

// model is what Porcupine searches with.
func (s *search) model() porcupine.Model {
	seed := maphash.MakeSeed()
	return porcupine.Model{
		Init: func() any { return world{states: s.start, used: make([]int, s.classes)} },
		Step: func(state, input, _ any) (bool, any) {
			ok, next := s.step(state.(world), input.(*item))
			return ok, next
		},
		Equal: func(a, b any) bool { return a.(world).equal(b.(world)) },
		Hash: func(state any) uint64 {
			var h maphash.Hash
			h.SetSeed(seed)
			for _, text := range state.(world).states {
				_, _ = h.WriteString(text) // it never fails
				_ = h.WriteByte(0)
			}
			return h.Sum64()
		},
		DescribeOperation: func(input, _ any) string { return what(input.(*item).Operation) },
		DescribeState:     func(state any) string { return s.describeWorld(state.(world)) },
	}
}

// describeWorld tells in words what the keys hold.
func (s *search) describeWorld(w world) string {
	var all []string
	for i, key := range s.keys {
		all = append(all, fmt.Sprintf("%s: %s", key, describeState(s.families[i], w.states[i])))
	}
	return strings.Join(all, ", ")
}

func describeState(f family, state string) string {
	switch {
	case f == counter:
		return fmt.Sprint(totalOf(state))
	case state == "":
		return "nothing"
	case f == register:
		return fmt.Sprintf("%q", state[1:])
	}
	return fmt.Sprintf("%q", split(state))
}

// operations is what Porcupine gets. An event is open until the time by which it
// had surely taken effect.
func (s *search) operations() []porcupine.Operation {
	out := make([]porcupine.Operation, len(s.items))
	for i, it := range s.items {
		out[i] = porcupine.Operation{ClientId: it.Client, Input: it, Output: it, Call: it.Begin, Return: it.latest}
	}
	return out
}

// run looks for an order. It may use the time until deadline.
func (s *search) run(deadline time.Time) porcupine.CheckResult {
	left := time.Until(deadline)
	if left <= 0 {
		return porcupine.Unknown // to Porcupine, 0 is as long as it takes
	}
	return porcupine.CheckOperationsTimeout(s.model(), s.operations(), left)
}

// before returns the search of what was known at a time: what had not ended then may
// still happen. Whatever can not be explained at a time can not be later.
func (s *search) before(until int64) *search {
	var events []event
	for _, e := range s.events {
		if e.Begin > until {
			continue
		}
		if e.latest > until {
			e.latest = never
		}
		if e.Outcome == Known && e.End > until {
			e.Outcome = Unknown
		}
		if e.Outcome == Known || !e.isRead() {
			events = append(events, e)
		}
	}
	return newSearch(s.together, s.start, events)
}

// firstBroken returns the search that ends where the history first can not be
// explained, and the event that makes it so: an answer, or a change of which
// something was found then. It halves the history as often as it must; where time
// runs out, the event may be a later one.
func (s *search) firstBroken(deadline time.Time) (*search, event) {
	type moment struct {
		at int64
		event
	}
	var moments []moment
	for _, e := range s.events {
		if e.Outcome == Known {
			moments = append(moments, moment{e.End, e})
		} else if e.happened() {
			moments = append(moments, moment{e.latest, e})
		}
	}
	slices.SortStableFunc(moments, func(a, b moment) int { return cmp.Compare(a.at, b.at) })
	low, high := 0, len(moments)-1 // the first broken one is between, both included
	for low < high {
		middle := (low + high) / 2
		if s.before(moments[middle].at).run(deadline) == porcupine.Illegal {
			high = middle
		} else {
			low = middle + 1
		}
	}
	for high > 0 && moments[high].Outcome != Known && moments[high-1].at == moments[high].at {
		high-- // rather blame the one that found it
	}
	return s.before(moments[high].at), moments[high].event
}

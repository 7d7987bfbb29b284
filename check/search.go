package check

import (
	"cmp"
	"fmt"
	"hash/maphash"
	"slices"
	"strings"

	"github.com/anishathalye/porcupine"
)

// world is what the keys of a together hold, how many operations of each class were
// used, and how many of those that happened were not. It is never changed once it is made.
type world struct {
	states []string
	used   []int
	left   int
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
//
// What may never have happened, and would change nothing where it is tried, did not
// happen: that may be said in the end as well, and is only said there. Said anywhere,
// n values that may have expired would be 2^n ways to go.
func (s *search) step(w world, it *item) (bool, world) {
	isOver := w.left == 0
	if it.happened() {
		w.left--
	}
	if it.class >= 0 {
		if w.used[it.class] != it.rank {
			return false, w
		}
		w.used = slices.Clone(w.used)
		w.used[it.class]++
	}
	states := slices.Clone(w.states)
	for i, guard := range it.guards {
		at := it.at[i]
		if fits, _ := apply(seen(states[at]), guard); !fits {
			return !it.happened() && isOver, w
		}
		states[at] = seen(states[at])
	}
	for i, part := range it.parts {
		part.Outcome = it.Outcome
		if it.Outcome != Known && part.IsRead() {
			continue
		}
		at := it.at[len(it.guards)+i]
		fits, next := apply(seen(states[at]), part)
		if !fits || part.Kind == Write && states[at] == expired {
			return !it.happened() && isOver, w
		}
		if states[at] = next; part.Kind == Expire {
			states[at] = expired
		}
	}
	return true, world{states: states, used: w.used, left: w.left}
}

// expired is what a key holds whose value has expired, until somebody looks. If it is
// written first, the value need not have expired: that is one way to go, and not two.
const expired = "~"

// seen is what a look finds.
func seen(state string) string {
	if state == expired {
		return ""
	}
	return state
}

// model is what Porcupine searches with.
func (s *search) model() porcupine.Model {
	seed, left := maphash.MakeSeed(), 0
	for _, it := range s.items {
		if it.happened() {
			left++
		}
	}
	return porcupine.Model{
		Init: func() any { return world{states: s.start, used: make([]int, s.classes), left: left} },
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
		DescribeOperation: func(input, _ any) string {
			o := input.(*item).Operation
			if len(s.keys) > 1 {
				return whatAndWhere(o)
			}
			return what(o)
		},
		DescribeState: func(state any) string { return s.describeWorld(state.(world)) },
	}
}

// describeWorld tells in words what the keys hold.
func (s *search) describeWorld(w world) string {
	var all []string
	for i, key := range s.keys {
		all = append(all, fmt.Sprintf("%s: %s", key, describeState(s.families[i], seen(w.states[i]))))
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

// bounded is the model for a search that uses up steps: when none is left, nothing fits
// any more, and the search is over soon.
func (s *search) bounded(left *int) porcupine.Model {
	model := s.model()
	step := model.Step
	model.Step = func(state, input, output any) (bool, any) {
		if *left == 0 {
			return false, state
		}
		*left--
		return step(state, input, output)
	}
	return model
}

// run looks for an order, and uses up steps: first for one in which nothing happened of what
// need not have, but that values expired. Most histories have one, and each such operation
// that may come anywhere, or never, makes the search longer.
func (s *search) run(left *int) porcupine.CheckResult {
	if plain := s.plain(); plain != nil {
		few := *left / 4
		*left -= few
		isFound := porcupine.CheckOperations(plain.bounded(&few), plain.operations())
		if *left += few; isFound {
			return porcupine.Ok
		}
	}
	isFound := porcupine.CheckOperations(s.bounded(left), s.operations())
	switch {
	case isFound:
		return porcupine.Ok
	case *left == 0:
		return porcupine.Unknown
	}
	return porcupine.Illegal
}

// plain returns the search without what need not have happened, or nil if there is no such
// thing.
func (s *search) plain() *search {
	events := slices.DeleteFunc(slices.Clone(s.events), func(e event) bool { return !e.happened() && e.Kind != Expire })
	if len(events) == len(s.events) {
		return nil
	}
	return newSearch(s.together, s.start, events)
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
		if e.Outcome == Known || !e.IsRead() {
			events = append(events, e)
		}
	}
	return newSearch(s.together, s.start, events)
}

// firstBroken returns the search that ends where the history first can not be
// explained, and the event that makes it so: an answer, or a change of which
// something was found then. It halves the history as often as it must; where steps
// run out, the event may be a later one.
func (s *search) firstBroken(left *int) (*search, event) {
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
		if s.before(moments[middle].at).run(left) == porcupine.Illegal {
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

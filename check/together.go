package check

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// MaxTogether is how many keys may be connected by transactions. They are searched
// as one, and a search grows quickly with what goes on side by side: a
// history with more is not judged, and that is a fault. Let transactions stay within
// small sets of keys, and let no set be used for ever.
const MaxTogether = 16

// together is a set of keys that are connected by transactions, directly or through
// other keys; mostly it is a single key. Herlihy and Wing's locality makes each
// such set a history of its own.
type together struct {
	keys     []string // sorted
	families []family // of the keys
	index    map[string]int
	events   []event     // without weak reads
	all      []Operation // whatever touches the keys, for explanations
}

// connect splits a history into sets of keys.
func connect(history []Operation) []*together {
	find := union(history)
	of := map[string]*together{}
	for _, line := range timelines(history) {
		t := of[find(line.key)]
		if t == nil {
			t = &together{index: map[string]int{}}
			of[find(line.key)] = t
		}
		t.index[line.key] = len(t.keys)
		t.keys, t.families = append(t.keys, line.key), append(t.families, line.family)
	}
	for _, o := range history {
		for _, root := range roots(o, find) {
			of[root].all = append(of[root].all, o)
		}
	}
	for _, e := range settle(history) {
		if parts := e.parts(); len(parts) > 0 && !e.isWeakRead() {
			t := of[find(parts[0].Key)]
			t.events = append(t.events, e)
		}
	}
	return slices.SortedFunc(maps.Values(of), func(a, b *together) int { return strings.Compare(a.keys[0], b.keys[0]) })
}

// union returns a function that gives the same key for all that are connected.
// Weak reads and what certainly did not happen connect nothing.
func union(history []Operation) (find func(key string) string) {
	parent := map[string]string{}
	find = func(key string) string {
		for above, ok := parent[key]; ok; above, ok = parent[key] {
			key = above
		}
		return key
	}
	for _, o := range history {
		if o.isWeakRead() || o.Outcome == Refused || o.isAborted() {
			continue
		}
		parts := o.parts()
		for _, p := range parts {
			if a, b := find(parts[0].Key), find(p.Key); a != b {
				parent[b] = a
			}
		}
	}
	return find
}

// roots returns the sets that an operation touches; several only if it was
// refused or a weak read, which connect nothing.
func roots(o Operation, find func(string) string) (all []string) {
	for _, p := range o.parts() {
		if root := find(p.Key); !slices.Contains(all, root) {
			all = append(all, root)
		}
	}
	return all
}

// name tells the keys in words.
func (t *together) name() string {
	if len(t.keys) == 1 {
		return fmt.Sprintf("key %q", t.keys[0])
	}
	return fmt.Sprintf("keys %q", t.keys)
}

// relevant returns the events without changes of unknown outcome whose effect
// nobody ever saw. If an order with such a change explains all answers, so does
// that order without it; left in, each would double the search. Only changes of
// registers and insertions into sets can be left out: others show without being
// seen, as a pushed element does in the length of its list.
func (t *together) relevant() []event {
	seen, isEmptySeen := map[place]bool{}, map[string]bool{}
	for _, e := range t.events {
		for _, p := range e.parts() {
			for _, value := range p.soughtValues() {
				seen[place{p.Key, value}] = true
			}
			if f := familyOf(p.Kind); f != anyFamily && f != register || p.Kind == Read && !p.Found {
				isEmptySeen[p.Key] = true
			}
		}
	}
	isSeen := func(p Operation) bool {
		switch p.Kind {
		case Write, CompareAndSet, Insert:
			return seen[place{p.Key, p.Value}]
		case Delete:
			return isEmptySeen[p.Key]
		}
		return !p.isRead()
	}
	return slices.DeleteFunc(slices.Clone(t.events), func(e event) bool {
		return !e.happened() && !slices.ContainsFunc(e.parts(), isSeen)
	})
}

// soughtValues returns the values whose presence may have made a difference to an
// operation on one key, answered or not.
func (o Operation) soughtValues() []string {
	switch o.Kind {
	case CompareAndSet:
		return []string{o.Expect}
	case Read, Remove:
		return []string{o.Value}
	case Insert:
		if o.Outcome == Known {
			return []string{o.Value}
		}
	}
	return o.Values
}

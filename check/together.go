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
// seen, as a pushed element does in the length of its list. Where a delete found
// something, any of them may have left it: there, one value stands for all of the key
// that nobody saw, so that they are of one class (item).
//
// A value that nobody saw, and that may have expired, can have done one thing more: emptied its
// key. If it is not known either whether it was written, its expiry stands for both, as a delete
// that may have happened. All of those are of one class (item), so that n of them are n+1 ways
// to go, where n writes and n expiries are 3^n.
func (t *together) relevant() (all []event) {
	look := t.look()
	passing := map[place]bool{} // values that nobody saw, and that may have expired
	for _, e := range t.events {
		if at := (place{e.Key, e.Value}); e.Kind == Write && !e.happened() && !look.seen[at] && look.stored[at] == 1 && !look.isFullSeen[e.Key] {
			passing[at] = true
		}
	}
	isSeen := func(p Operation) bool {
		at := place{p.Key, p.Value}
		switch p.Kind {
		case Write, CompareAndSet, Insert:
			return look.seen[at] || look.isFullSeen[p.Key] || look.expiring[at] && !passing[at]
		case Delete, Expire:
			return look.isEmptySeen[p.Key]
		}
		return !p.IsRead()
	}
	for _, e := range t.events {
		if e.Kind == Expire && passing[place{e.Key, e.Value}] {
			e.Kind, e.Value = Delete, ""
		}
		if e.happened() || slices.ContainsFunc(e.parts(), isSeen) {
			all = append(all, look.standIn(e))
		}
	}
	return all
}

// standIn gives a change that may have happened, and its expiry, the value that stands for all
// that nobody saw.
func (l looked) standIn(e event) event {
	at := place{e.Key, e.Value}
	if l.seen[at] || l.isFixed[at] || !l.isFullSeen[e.Key] || e.Kind != Write && e.Kind != Insert && e.Kind != Expire {
		return e
	}
	if _, isThere := l.unseen[e.Key]; !isThere {
		l.unseen[e.Key] = e.Value
	}
	e.Value = l.unseen[e.Key]
	return e
}

// looked is what somebody looked for, or found.
type looked struct {
	seen        map[place]bool    // values that were found, or asked for
	expiring    map[place]bool    // that may have expired
	stored      map[place]int     // how many operations may have stored them
	isEmptySeen map[string]bool   // keys of which it matters that they may be empty
	isFullSeen  map[string]bool   // of which it matters that they may not be, whatever is there
	unseen      map[string]string // what stands for the values of such a key that nobody saw
	isFixed     map[place]bool    // that happened, or belong to more: nothing can stand for them
}

func (t *together) look() looked {
	l := looked{seen: map[place]bool{}, expiring: map[place]bool{}, stored: map[place]int{}, isEmptySeen: map[string]bool{},
		isFullSeen: map[string]bool{}, unseen: map[string]string{}, isFixed: map[place]bool{}}
	for _, e := range t.events {
		for _, p := range e.parts() {
			at := place{p.Key, p.Value}
			if p.stores() {
				l.stored[at]++
				l.isFixed[at] = l.isFixed[at] || e.happened() || e.Kind != Write && e.Kind != Insert
			}
			if p.Kind == Expire {
				l.expiring[at] = true
				continue
			}
			for _, value := range p.soughtValues() {
				l.seen[place{p.Key, value}] = true
			}
			if f := familyOf(p.Kind); f != anyFamily && f != register || p.isOfNothing() {
				l.isEmptySeen[p.Key] = true
			}
			if p.Kind == Delete && p.Outcome == Known && p.Changed {
				l.isFullSeen[p.Key] = true
			}
		}
	}
	return l
}

// isOfNothing reports whether an operation found that its key was not there.
func (o Operation) isOfNothing() bool {
	return o.Kind == Read && !o.Found || o.Kind == Delete && o.Outcome == Known && !o.Changed
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

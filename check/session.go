package check

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"strings"
)

// Session decides for every read of LevelSession whether it shows all that its
// client had seen before, by reads of any level (monotonic reads), and
// all that the client itself had changed (read your writes): what was
// answered before the read began.
//
// A session is of a replicated log: what was seen of one key counts for all keys of its
// slot, the more so for that key itself. Keys share a slot if they have the same hash tag, the
// text between the first { and the next }. Of two keys without one it is not known here. Who
// saw one change of a step saw all of it.
//
// Of two changes of a register that went on side by side, a session knows which came first
// once it has read both: what it read later, unless at a level that may go back, came later.
//
// It judges nothing that Eventual already finds impossible; ask both (WeakReads
// does). A read that can be
// explained in several ways counts for later ones only if one way is left. An own
// change of unknown outcome does not count, even if somebody else saw it: the
// session was never told where it is in the log.
func Session(history []Operation) Verdict {
	v := newVerdict(history)
	v.session(timelines(history))
	return v
}

func (v *Verdict) session(all []*timeline) {
	slots := map[string][]*timeline{}
	for _, t := range all {
		if t.family != noFamily {
			slots[tagOf(t.key)] = append(slots[tagOf(t.key)], t)
		}
	}
	for _, slot := range slices.Sorted(maps.Keys(slots)) {
		of := map[int][]ownEvent{}
		for _, t := range slots[slot] {
			for i, c := range t.changes {
				of[c.Client] = append(of[c.Client], ownEvent{c, t, i})
			}
			for _, r := range t.reads {
				of[r.Client] = append(of[r.Client], ownEvent{r, t, -1})
			}
		}
		for _, client := range slices.Sorted(maps.Keys(of)) {
			v.judgeSession(of[client])
		}
	}
}

// tagOf returns what decides on a key's slot: its hash tag, or all of it.
func tagOf(key string) string {
	if _, rest, ok := strings.Cut(key, "{"); ok {
		if tag, _, ok := strings.Cut(rest, "}"); ok && tag != "" {
			return tag
		}
	}
	return key
}

// ownEvent is an event of the session that is judged.
type ownEvent struct {
	event
	*timeline
	change int // its place among the changes, or -1
}

// judgeSession goes through the operations of one client on the keys of a slot.
func (v *Verdict) judgeSession(own []ownEvent) {
	slices.SortStableFunc(own, func(a, b ownEvent) int { return cmp.Compare(a.Begin, b.Begin) })
	f := floor{keys: map[*timeline]*keyFloor{}, steps: map[int]event{}, newest: math.MinInt64}
	for _, e := range own {
		if e.change >= 0 {
			if e.Outcome == Known {
				f.waiting = append(f.waiting, sight{e.event, e.timeline, []int{e.change}})
			}
			continue
		}
		ways, _ := e.possible(v, e.event)
		if !e.isWeakRead() { // it sees all that was there when it began
			ways = slices.DeleteFunc(ways, func(way evidence) bool { return e.firstBefore(way.lacks, e.Begin) >= 0 })
		}
		if e.Level == LevelSession && len(ways) > 0 {
			f.raise(e.Begin)
			ways = f.judge(v, e, ways)
		}
		if len(ways) == 1 {
			f.waiting = append(f.waiting, sight{e.event, e.timeline, ways[0].has})
		}
	}
}

// sight is what a session knew of a key once an operation of its own had ended.
type sight struct {
	from event
	of   *timeline
	has  []int
}

// floor is the state behind which a session must not fall.
type floor struct {
	waiting []sight // of operations that had not ended yet
	keys    map[*timeline]*keyFloor
	steps   map[int]event // of which a part was seen, and by which operation
	newest  int64         // all that took effect before this time, on any key of the slot, is seen, too,
	by      event         // because of this operation
}

// keyFloor is what of it concerns one key.
type keyFloor struct {
	seen   map[int]event // changes that the session knows of, and from which operation
	after  map[int]int   // of a register's: one that it saw later
	newest int64         // all that took effect before this time is seen, too,
	by     event         // because of this operation
}

// key returns a key's part of the floor.
func (f *floor) key(t *timeline) *keyFloor {
	if f.keys[t] == nil {
		f.keys[t] = &keyFloor{seen: map[int]event{}, after: map[int]int{}, newest: math.MinInt64}
	}
	return f.keys[t]
}

// raise takes in what the session had seen before a time. A state that has a change has
// all that took effect before that began.
func (f *floor) raise(before int64) {
	f.waiting = slices.DeleteFunc(f.waiting, func(s sight) bool {
		if s.from.End >= before {
			return false
		}
		k := f.key(s.of)
		k.order(s)
		for _, i := range s.has {
			if _, isSeen := k.seen[i]; !isSeen {
				k.seen[i] = s.from
			}
			if step := s.of.changes[i].step; step != 0 {
				f.steps[step] = s.from
			}
			if s.of.lastCurrent(i) > k.newest {
				k.newest, k.by = s.of.lastCurrent(i), s.from
			}
			if s.of.changes[i].Begin > f.newest {
				f.newest, f.by = s.of.changes[i].Begin, s.from
			}
		}
		return true
	})
}

// order notes which changes of a register came before the one that was read now: all that had
// been seen before, if the read may not go back. Linearizable reads that contradict each other
// tell nothing.
func (k *keyFloor) order(s sight) {
	t := s.of
	if t.family != register || !s.from.IsRead() || s.from.Level != LevelSession && (s.from.isWeakRead() || t.isTwisted) {
		return
	}
	for _, j := range s.has {
		for i, from := range k.seen {
			if _, isKnown := k.after[i]; i != j && !isKnown && from.End < s.from.Begin {
				k.after[i] = j
			}
		}
	}
}

// judge returns the ways to explain a read that are not behind the floor, and
// reports a fault if there is none.
func (f *floor) judge(v *Verdict, r ownEvent, ways []evidence) (left []evidence) {
	var shown event
	missing := -1
	for _, way := range ways {
		from, i := f.unseen(r.timeline, way)
		if i < 0 {
			left = append(left, way)
			continue
		}
		shown, missing = from, i
	}
	if len(left) == 0 {
		before := v.describe(shown.Operation)
		if shown.Key != r.Key {
			before += " in " + shown.Key
		}
		v.fault("key %q: the session went back: %s; it does not show that %s, though before, %s\n%s", r.Key,
			v.describe(r.Operation), v.describe(r.changes[missing].Operation), before,
			v.window(r.all, r.Operation, r.End))
	}
	return left
}

// unseen returns a change that is lacking although the session had seen it, or one
// that follows it, and from which operation it had; -1 if there is none.
func (f *floor) unseen(t *timeline, way evidence) (from event, change int) {
	k := f.key(t)
	for _, i := range way.has {
		if j, ok := k.after[i]; ok {
			return k.seen[j], j
		}
	}
	for _, i := range way.lacks {
		if from, ok := k.seen[i]; ok {
			return from, i
		}
		if from, ok := f.steps[t.changes[i].step]; ok {
			return from, i
		}
		if t.changes[i].mustPrecede(k.newest) {
			return k.by, i
		}
		if t.changes[i].mustPrecede(f.newest) {
			return f.by, i
		}
	}
	return event{}, -1
}

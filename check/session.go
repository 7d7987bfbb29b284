package check

import (
	"cmp"
	"maps"
	"math"
	"slices"
)

// Session decides for every read of LevelSession whether it shows all that its
// client had seen of the key before, by reads of any level (monotonic reads), and
// all that the client itself had changed (read your writes): what was
// answered before the read began.
//
// It judges nothing that Eventual already finds impossible; ask both (WeakReads
// does). It looks at one key at a time: that a session never goes back from one key
// to another of the same group, it can not see. A read that can be
// explained in several ways counts for later ones only if one way is left. An own
// change of unknown outcome does not count, even if somebody else saw it: the
// session was never told where it is in the log.
func Session(history []Operation) Verdict {
	v := newVerdict(history)
	for _, t := range timelines(history) {
		if t.family == noFamily {
			continue
		}
		of := map[int][]ownEvent{}
		for i, c := range t.changes {
			of[c.Client] = append(of[c.Client], ownEvent{c, i})
		}
		for _, r := range t.reads {
			of[r.Client] = append(of[r.Client], ownEvent{r, -1})
		}
		for _, client := range slices.Sorted(maps.Keys(of)) {
			t.judgeSession(&v, of[client])
		}
	}
	return v
}

// ownEvent is an event of the session that is judged.
type ownEvent struct {
	event
	change int // its place among the changes, or -1
}

// sight is what a session knew of once an operation of its own had ended.
type sight struct {
	from event
	has  []int
}

// judgeSession goes through the operations of one client on the key.
func (t *timeline) judgeSession(v *Verdict, own []ownEvent) {
	slices.SortStableFunc(own, func(a, b ownEvent) int { return cmp.Compare(a.Begin, b.Begin) })
	f := floor{timeline: t, newest: math.MinInt64, seen: map[int]event{}}
	for _, e := range own {
		if e.change >= 0 {
			if e.Outcome == Known {
				f.waiting = append(f.waiting, sight{e.event, []int{e.change}})
			}
			continue
		}
		ways, _ := t.possible(v, e.event)
		if e.Level == LevelSession && len(ways) > 0 {
			f.raise(e.Begin)
			ways = f.judge(v, e.event, ways)
		}
		if len(ways) == 1 {
			f.waiting = append(f.waiting, sight{e.event, ways[0].has})
		}
	}
}

// floor is the state behind which a session must not fall.
type floor struct {
	*timeline
	waiting []sight       // of operations that had not ended yet
	seen    map[int]event // changes that the session knows of, and from which operation
	newest  int64         // all that took effect before this time is seen, too,
	by      event         // because of this operation
}

// raise takes in what the session had seen before a time.
func (f *floor) raise(before int64) {
	f.waiting = slices.DeleteFunc(f.waiting, func(s sight) bool {
		if s.from.End >= before {
			return false
		}
		for _, i := range s.has {
			f.seen[i] = s.from
			if f.lastCurrent(i) > f.newest {
				f.newest, f.by = f.lastCurrent(i), s.from
			}
		}
		return true
	})
}

// judge returns the ways to explain a read that are not behind the floor, and
// reports a fault if there is none.
func (f *floor) judge(v *Verdict, r event, ways []evidence) (left []evidence) {
	var shown event
	missing := -1
	for _, way := range ways {
		from, i := f.unseen(way)
		if i < 0 {
			left = append(left, way)
			continue
		}
		shown, missing = from, i
	}
	if len(left) == 0 {
		v.fault("key %q: the session went back: %s; it does not show that %s, though before, %s\n%s", f.key,
			v.describe(r.Operation), v.describe(f.changes[missing].Operation), v.describe(shown.Operation),
			v.window(f.all, r.Operation, r.End))
	}
	return left
}

// unseen returns a change that is lacking although the session had seen it, or one
// that follows it, and from which operation it had; -1 if there is none.
func (f *floor) unseen(way evidence) (from event, change int) {
	for _, i := range way.lacks {
		if from, ok := f.seen[i]; ok {
			return from, i
		}
		if f.changes[i].mustPrecede(f.newest) {
			return f.by, i
		}
	}
	return event{}, -1
}

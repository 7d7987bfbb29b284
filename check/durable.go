package check

import (
	"cmp"
	"fmt"
	"slices"
)

// Final is what a key held when all was over, read after all clients had ended.
type Final struct {
	Found  bool     // a register has a value
	Value  string   // a register's
	Total  int64    // a counter's
	Values []string // a set's, in any order; a list's, from head to tail
}

// Durable decides whether what is there at the end is what was acknowledged, or was
// seen by a read of any level: nothing lost, nothing back that was taken away, and
// nothing that nobody wrote or that was refused. It needs no search, so that it also
// judges histories of a size that Linearizable can not.
//
// It takes the parts of a transaction one by one, and so can not see that one was
// carried out in half. A key that final lacks is not judged: who could not read it has to say so.
// It can not see a loss that an operation of unknown outcome
// may explain: a set's member that somebody may have removed, as many elements of a list
// as pops were not answered. Of a counter that was deleted it
// only knows what came surely after.
func Durable(history []Operation, final map[string]Final) Verdict {
	v := newVerdict(history)
	for _, t := range timelines(history) {
		end, wasRead := final[t.key]
		if !wasRead {
			continue
		}
		switch t.family {
		case counter:
			t.durableCounter(&v, end)
		case set:
			t.durableSet(&v, end)
		case list:
			t.durableList(&v, end)
		case noFamily:
			v.fault("key %q is used as two different types: the history can not be judged", t.key)
		default:
			t.durableRegister(&v, end)
		}
	}
	return v
}

// lost reports that an acknowledged change is not to be seen at the end.
func (v *Verdict) lost(t *timeline, change event, end string) {
	how := "an acknowledged write"
	if change.Outcome != Known {
		how = "a write that somebody had seen"
	}
	v.fault("key %q: %s is lost: %s; at the end %s\n%s", t.key, how, v.describe(change.Operation), end,
		v.window(t.all, change.Operation, never))
}

// durableRegister: what is there at the end is what some change left that may have
// happened, and no other change surely happened after that one.
func (t *timeline) durableRegister(v *Verdict, end Final) {
	there := "nothing is there"
	if end.Found {
		there = fmt.Sprintf("%q is there", end.Value)
	}
	newest := -1 // the sure change that began last
	for i, c := range t.changes {
		if c.happened() && (newest < 0 || c.Begin >= t.changes[newest].Begin) {
			newest = i
		}
	}
	if newest < 0 && !end.Found {
		return
	}
	isKnown := false
	for i, c := range t.changes {
		if c.stores() != end.Found || end.Found && c.Value != end.Value {
			continue
		}
		isKnown = true
		if !t.isReplaced(i) {
			return
		}
	}
	switch {
	case end.Found && !isKnown:
		v.fault("key %q: at the end %s, which nobody wrote: %s\n%s", t.key, there, t.nobody(end.Value), v.ending(t.all, end.Value))
	default:
		v.lost(t, t.changes[newest], there)
	}
}

// isReplaced reports whether another change surely happened after one: in the same step, or by when they were
// asked for and answered, not by what was read between, since a read may be stale, and then
// nothing is lost.
func (t *timeline) isReplaced(i int) bool {
	return t.isInside(i) || slices.ContainsFunc(t.changes, func(other event) bool {
		return other.happened() && t.changes[i].mustPrecede(other.Begin)
	})
}

// durableCounter: the total is that of all acknowledged additions and of some of
// those with unknown outcome; and no less than what anybody was told, and what was
// added since, if it never goes down.
func (t *timeline) durableCounter(v *Verdict, end Final) {
	low, high, isGrowing := int64(0), int64(0), true
	for _, c := range t.changes {
		isGrowing = isGrowing && c.Kind == Add && c.Number >= 0
		switch {
		case c.Kind != Add || t.isUndone(c, Delete):
		case c.happened() && !t.mayBeUndone(c, Delete):
			low += c.Number
			high += c.Number
		default:
			low += min(c.Number, 0)
			high += max(c.Number, 0)
		}
	}
	if told := t.leastTold(); isGrowing && told > high {
		v.fault("key %q: the count at the end is %d; clients were told that it is at least %d, and asked for no more than %d\n%s",
			t.key, end.Total, told, high, v.ending(t.all))
		return
	} else if isGrowing {
		low = max(low, told)
	}
	if end.Total < low || end.Total > high {
		v.fault("key %q: the count at the end is %d; what was acknowledged makes it %d to %d\n%s", t.key, end.Total, low, high, v.ending(t.all))
	}
}

// leastTold returns what a growing counter holds at least, by what somebody was
// told and all that began after that.
func (t *timeline) leastTold() (least int64) {
	added := make([]int64, len(t.changes)+1) // by the changes from here on, in order of beginning
	for i, c := range slices.Backward(t.changes) {
		added[i] = added[i+1]
		if c.happened() {
			added[i] += c.Number
		}
	}
	for _, told := range slices.Concat(t.changes, t.reads) {
		if told.Outcome == Known {
			next, _ := slices.BinarySearchFunc(t.changes, told.End+1, func(c event, at int64) int { return cmp.Compare(c.Begin, at) })
			least = max(least, told.Total+added[next])
		}
	}
	return least
}

// mayBeUndone reports whether a change of one of some kinds, of the same value or
// of all, may have come after this one.
func (t *timeline) mayBeUndone(c event, kinds ...Kind) bool {
	return slices.ContainsFunc(t.changes, func(other event) bool {
		return isUndoing(other, c, kinds) && !other.mustPrecede(c.Begin)
	})
}

// isUndone reports whether such a change surely came after this one.
func (t *timeline) isUndone(c event, kinds ...Kind) bool {
	return slices.ContainsFunc(t.changes, func(other event) bool {
		return isUndoing(other, c, kinds) && other.happened() && c.mustPrecede(other.Begin)
	})
}

func isUndoing(other, c event, kinds []Kind) bool {
	return slices.Contains(kinds, other.Kind) && (other.Kind == Delete || other.Value == c.Value)
}

// durableSet: a member that was acknowledged and that nobody can have removed since is
// there; one that nobody can have inserted since it was removed is not.
func (t *timeline) durableSet(v *Verdict, end Final) {
	there := map[string]bool{}
	for _, value := range end.Values {
		there[value] = true
	}
	for _, c := range t.changes {
		if c.Kind == Insert && c.happened() && !there[c.Value] && !t.mayBeUndone(c, Remove, Delete) {
			there[c.Value] = true // say it once
			v.lost(t, c, "it is not there")
		}
	}
	for _, value := range end.Values {
		switch from := t.sources[value]; {
		case len(from) == 0:
			v.fault("key %q: %q is there, which was refused or never asked for\n%s", t.key, value, v.ending(t.all, value))
		case !slices.ContainsFunc(from, func(i int) bool { return !t.isUndone(t.changes[i], Remove, Delete) }):
			v.fault("key %q: %q is there, which was removed after all that inserted it\n%s", t.key, value,
				v.window(t.all, t.changes[from[0]].Operation, never))
		}
	}
}

package check

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// lastCurrent returns the newest time at which a change was surely not yet replaced
// by one that took effect later: its beginning, or that of the last linearizable
// read of a register that found its value, if nothing else stored that, or found nothing, if
// nothing else can have emptied it.
func (t *timeline) lastCurrent(i int) int64 { return t.current[i] }

// fillCurrent computes what lastCurrent returns. Where linearizable reads make of two changes
// each the earlier one, some read is wrong, which Linearizable finds: then none of the key's counts,
// so that it accuses no others. Where only those of several keys contradict each other, this is not seen.
func (t *timeline) fillCurrent() {
	t.current = make([]int64, len(t.changes))
	t.begin()
	if t.family != register {
		return
	}
	t.learnFromReads()
	if t.isTwisted = t.hasCircle(); t.isTwisted {
		t.begin()
	}
}

// begin sets what is known without reads.
func (t *timeline) begin() {
	for i, c := range t.changes {
		t.current[i] = c.Begin
	}
}

// hasCircle reports whether two changes precede each other. If more of them make a circle, so do
// two: the one that was current last, and the one that precedes what it should follow.
func (t *timeline) hasCircle() bool {
	byEnd := make([]int, len(t.changes)) // by the time at which they had surely taken effect
	for i := range byEnd {
		byEnd[i] = i
	}
	slices.SortFunc(byEnd, func(i, j int) int { return cmp.Compare(t.changes[i].latest, t.changes[j].latest) })
	for j, c := range t.changes {
		if !c.mustPrecede(t.lastCurrent(j)) {
			continue // of two that precede each other, one was still current after it had taken effect
		}
		for _, i := range byEnd {
			if !t.changes[i].mustPrecede(t.lastCurrent(j)) {
				break
			}
			if i != j && t.precedes(j, i) {
				return true
			}
		}
	}
	return false
}

// learnFromReads adds what linearizable reads, and changes that look first, found.
func (t *timeline) learnFromReads() {
	for _, o := range slices.Concat(t.changes, t.reads) {
		if o.Outcome != Known || o.isWeakRead() {
			continue
		}
		for _, value := range o.observed() {
			if i := t.source(value); i >= 0 && !t.isInside(i) {
				t.current[i] = max(t.current[i], o.Begin)
			}
		}
		if o.Kind == Read && !o.Found {
			if i := t.emptier(o); i >= 0 {
				t.current[i] = max(t.current[i], o.Begin)
			}
		}
	}
}

// emptier returns the only delete that can have left what a linearizable read found, which was
// nothing; or -1: so it is if the register may not have been written by then, or its value have
// expired.
func (t *timeline) emptier(r event) int {
	only, isWritten := -1, false
	for i, c := range t.changes {
		switch {
		case c.stores():
			isWritten = isWritten || c.mustPrecede(r.Begin)
		case c.Begin > r.End:
		case only >= 0 || c.Kind != Delete:
			return -1
		default:
			only = i
		}
	}
	if !isWritten || only < 0 || t.isInside(only) || t.changes[only].isOfNothing() {
		return -1
	}
	return only
}

// precedes reports whether change i surely took effect before change j: by a time at
// which j was surely not replaced yet, so that i did not come after it.
func (t *timeline) precedes(i, j int) bool {
	return i != j && t.changes[i].mustPrecede(t.lastCurrent(j))
}

// disorder says which pair of elements of a list, from left to right, can not be in
// this order, or nothing. What was pushed right later is further right; what
// was pushed left later is further left; and what was pushed left is left of what was
// pushed right, because both ends only ever move away from each other.
func (t *timeline) disorder(values []string) (reason string, pair []string) {
	// Seen so far, from left to right: the right push that began last, and whether there was any.
	newestRight, right := int64(math.MinInt64), ""
	for _, value := range values {
		i := t.source(value)
		if i < 0 {
			continue
		}
		c := t.changes[i]
		switch {
		case c.Kind == PushLeft && newestRight > math.MinInt64:
			return fmt.Sprintf("%q was pushed left and is right of %q, which was pushed right", value, right), []string{right, value}
		case c.Kind == PushRight && c.mustPrecede(newestRight):
			return fmt.Sprintf("%q was pushed right before %q and is right of it", value, right), []string{right, value}
		case c.Kind == PushRight && c.Begin > newestRight:
			newestRight, right = c.Begin, value
		}
	}
	return t.leftDisorder(values)
}

// leftDisorder is disorder's half for what was pushed left, from right to left.
func (t *timeline) leftDisorder(values []string) (reason string, pair []string) {
	newest, left := int64(math.MinInt64), ""
	for _, value := range slices.Backward(values) {
		i := t.source(value)
		if i < 0 || t.changes[i].Kind != PushLeft {
			continue
		}
		c := t.changes[i]
		if c.mustPrecede(newest) {
			return fmt.Sprintf("%q was pushed left before %q and is left of it", value, left), []string{value, left}
		}
		if c.Begin > newest {
			newest, left = c.Begin, value
		}
	}
	return "", nil
}

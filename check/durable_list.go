package check

import (
	"fmt"
	"slices"
)

// durableList: of each value there are no more than were pushed and not popped;
// of those surely pushed and surely not popped, no more are missing than pops
// had no answer; and the rest is in an order that pushing makes.
func (t *timeline) durableList(v *Verdict, end Final) {
	there := map[string]int{}
	for _, value := range end.Values {
		there[value]++
	}
	popped, unanswered := t.pops()
	for _, value := range slices.Sorted(slices.Values(end.Values)) {
		possible := 0
		for _, i := range t.sources[value] {
			if !t.isUndone(t.changes[i], Delete) {
				possible++
			}
		}
		// What was popped before a Delete does not count against what was pushed
		// after it: only where there is none, the sum is exact.
		if !slices.ContainsFunc(t.changes, func(c event) bool { return c.Kind == Delete }) {
			possible -= popped[value]
		}
		if there[value] > max(possible, 0) {
			v.fault("key %q: %q is there %d times, and can be %d times at most\n%s", t.key, value, there[value], max(possible, 0),
				v.ending(t.all, value))
			there[value] = 0 // say it once
		}
	}
	t.missingElements(v, end, popped, unanswered)
	if reason, pair := t.disorder(end.Values); reason != "" {
		v.fault("key %q: at the end, %s\n%s", t.key, reason, v.ending(t.all, pair...))
	}
}

// pops counts the values that were surely popped, and the pops without an answer.
func (t *timeline) pops() (popped map[string]int, unanswered int) {
	popped = map[string]int{}
	for _, c := range t.changes {
		switch {
		case c.Kind != PopLeft && c.Kind != PopRight:
		case c.Outcome != Known:
			unanswered++
		case c.Found:
			popped[c.Value]++
		}
	}
	return popped, unanswered
}

// missingElements reports acknowledged elements that are neither there nor popped.
func (t *timeline) missingElements(v *Verdict, end Final, popped map[string]int, unanswered int) {
	gone := map[string]int{} // that may be missing, by value
	for value, n := range popped {
		gone[value] += n
	}
	for _, value := range end.Values {
		gone[value]++
	}
	var missing []event
	for _, c := range t.changes {
		if !c.stores() || !c.happened() || t.mayBeUndone(c, Delete) {
			continue
		}
		if gone[c.Value] > 0 {
			gone[c.Value]--
			continue
		}
		missing = append(missing, c)
	}
	if len(missing) <= unanswered {
		return
	}
	pops := "nobody popped it"
	if unanswered > 0 {
		pops = fmt.Sprintf("%d elements are missing and only %d pops had no answer", len(missing), unanswered)
	}
	v.lost(t, missing[0], "it is not there, and "+pops)
}

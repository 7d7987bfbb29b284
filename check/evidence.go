package check

import (
	"fmt"
	"slices"
)

// evidence is what a read tells of the one moment, in the order of all changes of
// its key, that it saw: after all that it has, before all that it lacks. The changes
// are given by their place in the timeline. What is in neither list may be before
// or after.
//
// A read that can be explained in several ways gives several; only if none of
// them is possible, something is wrong. One that can not be explained at all gives
// none, and the reason.
type evidence struct{ has, lacks []int }

// evidenceOf reads an answered read.
func (t *timeline) evidenceOf(v *Verdict, r event) (ways []evidence, reason string) {
	switch r.Kind {
	case Read:
		return t.registerEvidence(v, r)
	case Count:
		return t.counterEvidence(r)
	case Members:
		return t.setEvidence(r)
	case Length:
		return t.lengthEvidence(r)
	}
	return t.listEvidence(r)
}

// registerEvidence: the read saw one of the changes that store its value, or the
// empty register of the beginning. It has that one and lacks all that follow it. What a step itself
// replaced nobody saw.
func (t *timeline) registerEvidence(v *Verdict, r event) (ways []evidence, reason string) {
	if !r.Found {
		first := evidence{}
		for i := range t.changes {
			first.lacks = append(first.lacks, i)
		}
		ways = append(ways, first)
	}
	for i, c := range t.changes {
		if r.Found != c.stores() || r.Found && c.Value != r.Value || t.isInside(i) {
			continue
		}
		way := evidence{has: []int{i}}
		from := i
		if c.Kind == Expire { // it empties what one write had left, and no later one
			if from = t.source(c.Value); from < 0 {
				from = i
			} else if t.isInside(from) {
				continue // that was not left for long enough
			}
		}
		for j := range t.changes {
			if j != i && t.precedes(from, j) {
				way.lacks = append(way.lacks, j)
			}
		}
		ways = append(ways, way)
	}
	if i := t.source(r.Value); len(ways) == 0 && i >= 0 && t.isInside(i) {
		return nil, "only in the middle of one step was it there: it shows that " + v.describe(t.changes[i].Operation)
	} else if len(ways) == 0 {
		return nil, t.nobody(r.Value)
	}
	return ways, ""
}

// adds returns by how much a change makes a counter higher, or a list longer; false if it does anything else.
func (e event) adds() (number int64, ok bool) {
	switch e.Kind {
	case Add:
		return e.Number, true
	case PushLeft, PushRight:
		return 1, true
	}
	return 0, false
}

// counterEvidence: the total is that of some known addition, or nothing, and
// some of those with unknown outcome. Only where the counter never goes down,
// each known addition was there if its total is not above what was read. So it is with the length of
// a list that is only pushed to.
func (t *timeline) counterEvidence(r event) (ways []evidence, reason string) {
	isGrowing := true
	bases := []int64{0}
	var low, high int64 // what the unknown ones may have added
	for i, c := range t.changes {
		number, isAdded := c.adds()
		isGrowing = isGrowing && number > 0
		if c.Begin > r.End || !isAdded {
			continue
		}
		if c.Outcome == Known && !t.isInside(i) {
			bases = append(bases, c.Total)
		} else if c.Outcome != Known {
			low, high = low+min(number, 0), high+max(number, 0)
		}
	}
	isPossible := slices.ContainsFunc(bases, func(base int64) bool {
		return base+low <= r.Total && r.Total <= base+high
	})
	var way evidence
	for i, c := range t.changes {
		switch {
		case !isGrowing || c.Outcome != Known:
		case c.Total <= r.Total:
			way.has = append(way.has, i)
		default:
			number, _ := c.adds()
			way.lacks = append(way.lacks, i)
			isPossible = isPossible && r.Total <= c.Total-number
		}
	}
	if !isPossible {
		return nil, fmt.Sprintf("the %s was never %d", r.Kind, r.Total)
	}
	return []evidence{way}, ""
}

// setEvidence: a member that only one operation inserted was inserted before, and
// removed after. One that is not there, and that nobody may have removed, was
// inserted after.
func (t *timeline) setEvidence(r event) (ways []evidence, reason string) {
	members := map[string]bool{}
	for _, value := range r.Values {
		members[value] = true
		if !t.mayStore(value, r.End) {
			return nil, t.nobody(value)
		}
	}
	mayBeTaken := t.takenUntil(r.End)
	var way evidence
	for i, c := range t.changes {
		isOnly := t.source(c.Value) >= 0
		switch {
		case c.Kind == Insert && members[c.Value] && isOnly:
			way.has = append(way.has, i)
		case c.Kind == Insert && !members[c.Value] && !mayBeTaken(c.Value):
			way.lacks = append(way.lacks, i)
		case c.Kind == Remove && members[c.Value] && isOnly && c.Outcome == Known && c.Changed:
			way.lacks = append(way.lacks, i)
		}
	}
	return []evidence{way}, ""
}

// mayStore reports whether a value may have been stored until a time.
func (t *timeline) mayStore(value string, until int64) bool {
	return slices.ContainsFunc(t.sources[value], func(i int) bool { return t.changes[i].Begin <= until })
}

// listEvidence: as for a set; what is not there tells something only if the whole
// list was read. Besides, the elements must be in an order that pushing makes.
func (t *timeline) listEvidence(r event) (ways []evidence, reason string) {
	count := map[string]int{}
	for _, value := range r.Values {
		count[value]++
	}
	for value, n := range count {
		possible := 0
		for _, i := range t.sources[value] {
			if t.changes[i].Begin <= r.End {
				possible++
			}
		}
		if n > possible {
			return nil, t.nobody(value)
		}
	}
	if reason, _ := t.disorder(r.Values); reason != "" {
		return nil, reason
	}
	mayBeTaken := t.takenUntil(r.End)
	var way evidence
	for i, c := range t.changes {
		isOnly := t.source(c.Value) >= 0
		isPush := c.stores()
		switch {
		case isPush && count[c.Value] > 0 && isOnly:
			way.has = append(way.has, i)
		case isPush && count[c.Value] == 0 && r.isWhole() && !mayBeTaken(c.Value):
			way.lacks = append(way.lacks, i)
		case !isPush && count[c.Value] > 0 && isOnly && c.Outcome == Known && c.Found:
			way.lacks = append(way.lacks, i)
		}
	}
	return []evidence{way}, ""
}

// takenUntil returns a function that says whether a value may have been taken out of
// a set or a list until a time: any, if it may have been deleted or if some pop has
// no answer.
func (t *timeline) takenUntil(until int64) func(value string) bool {
	isAny, taken := false, map[string]bool{}
	for _, c := range t.changes {
		isUnanswered := c.Outcome != Known
		switch {
		case c.stores() || c.Begin > until:
		case c.Kind == Delete || isUnanswered && t.family == list:
			isAny = true
		case c.Found || c.Changed || isUnanswered:
			taken[c.Value] = true
		}
	}
	return func(value string) bool { return isAny || taken[value] }
}

// lengthEvidence: a list is not longer than what may have been pushed, and not shorter than
// nothing. How old a length is can not be told where elements are taken out as well; where none
// are, it counts the pushes.
func (t *timeline) lengthEvidence(r event) (ways []evidence, reason string) {
	var pushes int64
	isGrowing := true
	for _, c := range t.changes {
		isGrowing = isGrowing && c.stores()
		if c.stores() && c.Begin <= r.End {
			pushes++
		}
	}
	if r.Total < 0 {
		return nil, "no list has fewer elements than none"
	}
	if r.Total > pushes {
		return nil, fmt.Sprintf("only %d pushes had been asked for", pushes)
	}
	if isGrowing {
		return t.counterEvidence(r)
	}
	return []evidence{{}}, ""
}

package check

import (
	"cmp"
	"fmt"
	"slices"
)

// Eventual decides for every weak read whether it saw some state that its key had
// until the read's end: nothing that nobody asked for, that was refused or that
// was asked for only later, and no mixture, which has a change without
// one that surely came before it or was carried out in the same step; nor what was there
// only in the middle of a step.
//
// It can not see that a read is old; that is no fault at this level. It does not
// compare two reads, but for those of one transaction, which must have been true in one moment
// (torn.go). Of a counter
// that goes up and down it only knows the limits. Where two operations store the
// same value in a key, it takes the one that excuses the read.
func Eventual(history []Operation) Verdict {
	v := newVerdict(history)
	all := timelines(history)
	v.eventual(all)
	v.torn(history, all)
	return v
}

func (v *Verdict) eventual(all []*timeline) {
	for _, t := range all {
		if t.family == noFamily {
			v.fault("key %q is used as two different types: the history can not be judged", t.key)
			continue
		}
		for _, r := range t.reads {
			if !r.isWeakRead() {
				continue
			}
			if ways, reason := t.possible(v, r); len(ways) == 0 {
				v.fault("key %q: %s; %s\n%s", t.key, v.describe(r.Operation), reason, v.window(t.all, r.Operation, r.End))
			}
		}
	}
}

// WeakReads decides on all reads that need not be linearizable: Eventual, Bounded
// and Session together.
func WeakReads(history []Operation) Verdict {
	v := newVerdict(history)
	all := timelines(history)
	v.eventual(all)
	v.torn(history, all)
	v.bounded(all)
	v.session(all)
	return v
}

// possible returns the ways to explain a read that this level's rule allows, or the
// reason why the last of them is not allowed.
func (t *timeline) possible(v *Verdict, r event) (ways []evidence, reason string) {
	all, reason := t.evidenceOf(v, r)
	for _, way := range all {
		if why := t.impossible(v, r, way); why != "" {
			reason = why
			continue
		}
		ways = append(ways, way)
	}
	return ways, reason
}

// impossible says why there can not have been such a state until the read's end.
func (t *timeline) impossible(v *Verdict, r event, way evidence) string {
	if len(way.has) == 0 {
		return ""
	}
	for _, i := range way.has {
		if t.changes[i].Begin > r.End {
			return "what it found was asked for later: " + v.describe(t.changes[i].Operation)
		}
	}
	if i, j := t.halfOfStep(way); i >= 0 {
		return fmt.Sprintf("it shows that %s, and not that %s, which was done in one step with it",
			v.describe(t.changes[i].Operation), v.describe(t.changes[j].Operation))
	}
	// If anything that is lacking precedes anything that is there, so do these two.
	newest := slices.MaxFunc(way.has, func(i, j int) int { return cmp.Compare(t.lastCurrent(i), t.lastCurrent(j)) })
	oldest := t.firstBefore(way.lacks, t.lastCurrent(newest))
	if oldest < 0 {
		return ""
	}
	return fmt.Sprintf("it shows that %s, and not what came before, that %s",
		v.describe(t.changes[newest].Operation), v.describe(t.changes[oldest].Operation))
}

// halfOfStep returns a change that is there and one of the same step that is lacking, or -1.
func (t *timeline) halfOfStep(way evidence) (there, lacking int) {
	of := map[int]int{}
	for _, i := range way.has {
		if step := t.changes[i].step; step != 0 {
			of[step] = i
		}
	}
	for _, j := range way.lacks {
		if i, isHalf := of[t.changes[j].step]; isHalf {
			return i, j
		}
	}
	return -1, -1
}

// firstBefore returns the first of some changes that surely took effect before a
// time, or -1.
func (t *timeline) firstBefore(changes []int, before int64) int {
	for _, i := range changes {
		if t.changes[i].mustPrecede(before) {
			return i
		}
	}
	return -1
}

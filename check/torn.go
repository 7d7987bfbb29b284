package check

import (
	"fmt"
	"slices"
)

// torn decides whether what a weak transaction of reads was told can have been true in one
// moment: it must not show a change of one key, and lack one of another that surely came
// before it, or that was carried out in the same step; nor find two things in one key.
func (v *Verdict) torn(history []Operation, all []*timeline) {
	of := map[string]*timeline{}
	for _, t := range all {
		of[t.key] = t
	}
	for _, o := range history {
		if o.Kind == Transaction && o.Outcome == Known && o.Changed && o.isWeakRead() {
			v.tornTransaction(o, of)
			v.tornKey(o, of)
		}
	}
}

// glimpse is what one read of a transaction tells of its key, if that is certain.
type glimpse struct {
	*timeline
	evidence
}

func (v *Verdict) tornTransaction(o Operation, of map[string]*timeline) {
	var seen []glimpse
	for _, p := range o.parts() {
		t := of[p.Key]
		if t == nil || t.family == noFamily {
			continue
		}
		if ways, _ := t.possible(v, event{Operation: p, latest: o.End}); len(ways) == 1 {
			seen = append(seen, glimpse{t, ways[0]})
		}
	}
	for _, has := range seen {
		for _, i := range has.has {
			for _, lacks := range seen {
				if j := lacks.missing(has.changes[i]); j >= 0 {
					v.fault("keys %q and %q: never so at once: %s; it shows that %s, and not that %s\n%s", has.key, lacks.key, v.describe(o),
						v.describe(has.changes[i].Operation), v.describe(lacks.changes[j].Operation), v.window(append(has.all[:len(has.all):len(has.all)], lacks.all...), o, o.End))
					return
				}
			}
		}
	}
}

// tornKey decides whether all reads of one key in a transaction were answered the same.
func (v *Verdict) tornKey(o Operation, of map[string]*timeline) {
	parts := o.parts()
	for i, p := range parts {
		for _, before := range parts[:i] {
			if isAskedAgain(before, p) && answerOf(before) != answerOf(p) {
				v.fault("key %q: never more than one answer at once: %s\n%s", p.Key, v.describe(o), v.window(of[p.Key].all, o, o.End))
				return
			}
		}
	}
}

// isAskedAgain reports whether two reads ask for the same.
func isAskedAgain(a, b Operation) bool {
	return a.Key == b.Key && a.Kind == b.Kind && a.From == b.From && a.To == b.To
}

// answerOf returns what a read was told, so that two can be compared.
func answerOf(o Operation) string {
	values := o.Values
	if o.Kind == Members { // in any order
		values = slices.Sorted(slices.Values(values))
	}
	return fmt.Sprintf("%v %q %d %q", o.Found, o.Value, o.Total, values)
}

// missing returns a change that the read did not see, and that a change of another key came
// with or after; or -1.
func (g glimpse) missing(shown event) int {
	for _, j := range g.lacks {
		c := g.changes[j]
		if c.Key != shown.Key && (c.mustPrecede(shown.Begin) || c.isBeside(shown)) {
			return j
		}
	}
	return -1
}

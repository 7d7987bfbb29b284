package check

import (
	"cmp"
	"slices"
	"strings"
)

// windowSize is how many operations around a fault are told, at most.
const windowSize = 10

// window tells, a line each, the operations around one: of what began until a time,
// the newest, and first of all what may have stored what it found.
func (v *Verdict) window(all []Operation, culprit Operation, until int64) string {
	return v.around(all, []Operation{culprit}, until, func(o Operation) bool { return mayHaveStored(o, culprit) })
}

// ending is a window where no operation is to blame, but what is there in the end: the
// newest operations, and first of all those that stored or took some of these values.
func (v *Verdict) ending(all []Operation, values ...string) string {
	return v.around(all, nil, never, func(o Operation) bool {
		return o.stores() && slices.Contains(values, o.Value) ||
			!o.IsRead() && slices.ContainsFunc(o.observed(), func(value string) bool { return slices.Contains(values, value) })
	})
}

// around tells the operations that are to blame, and of the others that began until a time those
// that come first, then the newest.
func (v *Verdict) around(all, culprits []Operation, until int64, isFirst func(o Operation) bool) string {
	isCulprit := func(o Operation) bool {
		return slices.ContainsFunc(culprits, func(c Operation) bool { return isSame(o, c) })
	}
	var near []Operation
	for _, o := range all {
		if o.Begin <= until && !isCulprit(o) {
			near = append(near, o)
		}
	}
	slices.SortStableFunc(near, func(a, b Operation) int {
		switch isA, isB := isFirst(a), isFirst(b); {
		case isA == isB:
			return cmp.Compare(b.End, a.End)
		case isA:
			return -1
		}
		return 1
	})
	near = append(near[:min(len(near), windowSize)], culprits...)
	slices.SortStableFunc(near, func(a, b Operation) int { return cmp.Or(cmp.Compare(a.Begin, b.Begin), cmp.Compare(a.End, b.End)) })
	var text strings.Builder
	for _, o := range near {
		mark := "   "
		if isCulprit(o) {
			mark = " ▶ "
		}
		text.WriteString(mark + v.describe(o) + "\n")
	}
	return text.String()
}

func isSame(a, b Operation) bool {
	return a.Client == b.Client && a.Begin == b.Begin && a.Key == b.Key && a.Kind == b.Kind
}

// mayHaveStored reports whether o stores a value that another operation found.
func mayHaveStored(o, found Operation) bool {
	for _, f := range found.parts() {
		for _, p := range o.parts() {
			if p.Key == f.Key && p.stores() && slices.Contains(f.observed(), p.Value) {
				return true
			}
		}
	}
	return false
}

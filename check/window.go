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
	var near []Operation
	for _, o := range all {
		if o.Begin <= until && !isSame(o, culprit) {
			near = append(near, o)
		}
	}
	slices.SortStableFunc(near, func(a, b Operation) int {
		switch isA, isB := mayHaveStored(a, culprit), mayHaveStored(b, culprit); {
		case isA == isB:
			return cmp.Compare(b.End, a.End)
		case isA:
			return -1
		}
		return 1
	})
	near = append(near[:min(len(near), windowSize)], culprit)
	slices.SortStableFunc(near, func(a, b Operation) int { return cmp.Or(cmp.Compare(a.Begin, b.Begin), cmp.Compare(a.End, b.End)) })
	var text strings.Builder
	for _, o := range near {
		mark := "   "
		if isSame(o, culprit) {
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

package check

import (
	"fmt"
	"slices"

	"github.com/anishathalye/porcupine"
)

// Linearizable decides, key by key, whether there is one order of the operations
// that explains every answer and respects who ended before whom began (Herlihy &
// Wing 1990; Porcupine searches as Wing & Gong and Lowe describe). Keys that are
// connected by transactions are decided together, at most MaxTogether of them, so
// that transactions are strictly serializable. Weak reads are not
// looked at, except that what they found had happened.
//
// steps bounds the search for one key, or set of connected keys: how often an operation
// may be tried (EnoughSteps, if in doubt). Running out of them is
// a fault, too: not checked is not good. Where a fault was found, it may take as many
// again to find where, and, for the first of a verdict, to make its Picture. It is not a
// time, so that a slow machine comes to the same verdict.
//
// It can not see what no answer shows: a change that was lost before anyone looked
// (let a reader look at every key at the end), or in which order two changes were
// carried out that nobody looked between.
func Linearizable(history []Operation, steps int) Verdict {
	return linearizable(history, steps, shortestStretch)
}

// EnoughSteps are half a minute of searching, and a GB or two of memory. The histories of this project's simulator mostly need
// less than 10,000, and one of some thousand a few million.
const EnoughSteps = 8_000_000

// linearizable is Linearizable with stretches of a given length.
func linearizable(history []Operation, steps, shortest int) Verdict {
	v := newVerdict(history)
	for _, t := range connect(history) {
		if i := slices.Index(t.families, noFamily); i >= 0 {
			v.fault("key %q is used as two different types: the history can not be judged", t.keys[i])
			continue
		}
		if len(t.keys) > MaxTogether {
			v.fault("%d keys are connected by transactions, %q and others: more than %d can not be judged together",
				len(t.keys), t.keys[0], MaxTogether)
			continue
		}
		v.search(t, steps, shortest)
	}
	return v
}

// search judges one set of keys, stretch by stretch until the first fault.
func (v *Verdict) search(t *together, steps, shortest int) {
	left := steps
	events := t.relevant()
	if len(events) == 0 {
		return
	}
	v.namesKeys = len(t.keys) > 1
	defer func() { v.namesKeys = false }()
	for _, s := range cut(t, events, shortest) {
		switch s.run(&left) {
		case porcupine.Unknown:
			v.fault("%s: %d operations could not be judged in %d steps", t.name(), len(events), steps)
			return
		case porcupine.Illegal:
			// Whether it is broken is known; where, may take as many once more.
			left = steps
			broken, culprit := s.firstBroken(&left)
			v.fault("%s: %s\n%s", t.name(), v.explain(t, broken, culprit), v.window(t.all, culprit.Operation, culprit.known()))
			v.picture(broken, steps)
			return
		}
	}
}

// explain says in words what does not fit: a value that only a refused operation
// had, if there is one, or else the answer that no order explains.
func (v *Verdict) explain(t *together, s *search, culprit event) string {
	if fault, ok := v.refusedButSeen(t.all); ok {
		return fault
	}
	text := fmt.Sprintf("no order explains the %d operations until here", len(s.events))
	if s.isLater() {
		text += fmt.Sprintf(" (at the beginning of them, %s)", s.describeWorld(world{states: s.start}))
	}
	if culprit.Outcome == Known {
		return text + "; this answer fits none: " + v.describe(culprit.Operation)
	}
	return text + "; this happened, since it was seen: " + v.describe(culprit.Operation)
}

// isLater reports whether the stretch begins with something in its keys.
func (s *search) isLater() bool {
	return slices.ContainsFunc(s.start, func(state string) bool { return state != "" })
}

// refusedButSeen looks for a read of a value that was only ever refused.
func (v *Verdict) refusedButSeen(operations []Operation) (string, bool) {
	refused, possible := map[place]bool{}, map[place]bool{}
	for _, o := range operations {
		for _, p := range o.parts() {
			if p.stores() && o.Outcome == Refused {
				refused[place{p.Key, p.Value}] = true
			} else if p.stores() {
				possible[place{p.Key, p.Value}] = true
			}
		}
	}
	for _, o := range operations {
		if o.Outcome != Known || o.isAborted() {
			continue
		}
		for _, p := range o.parts() {
			for _, value := range p.observed() {
				if at := (place{p.Key, value}); refused[at] && !possible[at] {
					return fmt.Sprintf("%q was refused and is there all the same: %s", value, v.describe(o)), true
				}
			}
		}
	}
	return "", false
}

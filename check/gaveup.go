package check

import "slices"

// GaveUp looks for transactions that watched keys and gave up, though surely nothing changed any
// of the keys from when WATCH was asked for, which Since is here, until EXEC was answered. All of
// the keys must have been there: a missing one may be taken for another (store/watch.go).
func GaveUp(history []Operation, gaveUp []Watched) Verdict {
	v := newVerdict(history)
	changes := changesOf(history, Operation.mayChange)
	for _, w := range gaveUp {
		mayHaveChanged := func(key string) bool {
			all := changes[key]
			end, _ := slices.BinarySearchFunc(all, w.End, func(o Operation, end int64) int {
				if o.Begin <= end {
					return -1
				}
				return 1
			})
			for i := end - 1; i >= 0; i-- { // the latest first: mostly that is one
				if o := all[i]; o.Outcome == Unknown || o.End >= w.Since {
					return true
				}
			}
			return false
		}
		if slices.ContainsFunc(w.Keys, mayHaveChanged) {
			continue
		}
		v.fault("client %d watched %q from %s on, and its transaction gave up, though nobody changed any of them until it was answered, at %s\n%s",
			w.Client, w.Keys, v.clock(w.Since), v.clock(w.End), v.nearKeys(history, w))
	}
	return v
}

// mayChange reports whether an operation may have changed a key.
func (o Operation) mayChange(key string) bool {
	return o.Outcome != Refused && !o.isAborted() &&
		slices.ContainsFunc(o.parts(), func(p Operation) bool { return p.Key == key && !p.IsRead() })
}

// nearKeys tells the operations on watched keys around a transaction.
func (v *Verdict) nearKeys(history []Operation, w Watched) string {
	var near []Operation
	for _, o := range history {
		if slices.ContainsFunc(o.parts(), func(p Operation) bool { return slices.Contains(w.Keys, p.Key) }) {
			near = append(near, o)
		}
	}
	return v.around(near, []Operation{w.Operation}, w.End, func(o Operation) bool { return !o.IsRead() })
}

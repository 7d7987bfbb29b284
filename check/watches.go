package check

import (
	"cmp"
	"slices"
)

// Watched is a transaction that was carried out although keys were watched.
type Watched struct {
	Operation
	Keys  []string
	Since int64 // when the answer to WATCH had come, on the recorder's clock
}

// Watches looks for changes of watched keys that surely lay between WATCH and a transaction
// that was carried out all the same. Linearizable does not find what came and went
// again between two looks.
func Watches(history []Operation, watched []Watched) Verdict {
	v := newVerdict(history)
	changes := changesOf(history, func(o Operation, key string) bool { return o.Outcome == Known && o.surelyChanges(key) })
	for _, w := range watched {
		for _, key := range w.Keys {
			all := changes[key]
			first, _ := slices.BinarySearchFunc(all, w.Since, func(o Operation, since int64) int {
				if o.Begin <= since {
					return -1
				}
				return 1
			})
			for _, o := range all[first:] {
				if o.Begin >= w.Begin {
					break // and so did all after it
				}
				if o.End < w.Begin {
					v.fault("client %d watched %s from %s on, and carried out its transaction, though before that began %s\n%s",
						w.Client, key, v.clock(w.Since), v.describe(o), v.between(history, key, o, w.Operation))
				}
			}
		}
	}
	return v
}

// changesOf returns by key the operations that changed it, as changes says, in the order in which
// they began.
func changesOf(history []Operation, changes func(o Operation, key string) bool) map[string][]Operation {
	of := map[string][]Operation{}
	for _, o := range history {
		seen := map[string]bool{}
		for _, p := range o.parts() {
			if !seen[p.Key] && changes(o, p.Key) {
				seen[p.Key] = true
				of[p.Key] = append(of[p.Key], o)
			}
		}
	}
	for _, all := range of {
		slices.SortStableFunc(all, func(a, b Operation) int { return cmp.Compare(a.Begin, b.Begin) })
	}
	return of
}

// between tells the operations around a change of a watched key, and the transaction that
// should have noticed.
func (v *Verdict) between(history []Operation, key string, change, late Operation) string {
	var near []Operation
	for _, o := range history {
		if slices.ContainsFunc(o.parts(), func(p Operation) bool { return p.Key == key }) {
			near = append(near, o)
		}
	}
	return v.around(near, []Operation{change, late}, late.End, func(o Operation) bool { return o.surelyChanges(key) && o.End >= change.Begin })
}

// surelyChanges reports whether an answered operation certainly changed a key, a register or a
// counter.
func (o Operation) surelyChanges(key string) bool {
	switch o.Kind {
	case Transaction:
		return o.Changed && slices.ContainsFunc(o.Parts, func(p Operation) bool { return p.surelyChanges(key) })
	case Write, Add:
		return o.Key == key
	case Delete, CompareAndSet:
		return o.Key == key && o.Changed
	}
	return false
}

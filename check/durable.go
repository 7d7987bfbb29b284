package check

import "slices"

// Final is what a key held when all was over, read after all clients had ended.
type Final struct {
	Found  bool     // a register has a value
	Value  string   // a register's
	Total  int64    // a counter's
	Values []string // a set's
}

// Durable decides whether what is there at the end is what was acknowledged:
// nothing lost, and nothing that nobody wrote or that was refused. It needs no
// search, so that it also judges histories of a size that Linearizable can not.
func Durable(history []Operation, final map[string]Final) Verdict {
	v := newVerdict(history)
	keys, of := byKey(history)
	for _, key := range keys {
		end, wasRead := final[key]
		if !wasRead {
			v.fault("key %q was not read at the end", key)
			continue
		}
		switch of[key][0].Kind {
		case Add, Count:
			durableCounter(&v, key, of[key], end)
		case Insert, Remove, Members:
			durableSet(&v, key, of[key], end)
		default:
			durableRegister(&v, key, of[key], end)
		}
	}
	return v
}

// durableRegister: the value at the end was stored by a write that may have
// happened, and no acknowledged write began after that one had ended.
func durableRegister(v *Verdict, key string, operations []Operation, end Final) {
	var last Operation // the acknowledged change that began last
	var isLost, explained bool
	for _, o := range operations {
		if isStored(o) && o.Begin >= last.Begin {
			last, isLost = o, true
		}
	}
	for _, o := range operations {
		if o.isRead() || o.Outcome == Refused || o.Kind == CompareAndSet && o.Outcome == Known && !o.Changed {
			continue
		}
		fits := o.Kind == Delete && !end.Found || o.Kind != Delete && end.Found && o.Value == end.Value
		isOlder := isLost && o.Outcome == Known && o.End < last.Begin
		explained = explained || fits && !isOlder
	}
	switch {
	case explained, !isLost && !end.Found:
	case !end.Found:
		v.fault("key %q: an acknowledged write is lost: %s; at the end nothing is there", key, describe(last))
	case isLost:
		v.fault("key %q: an acknowledged write is lost: %s; at the end %q is there", key, describe(last), end.Value)
	default:
		v.fault("key %q: at the end %q is there, which nobody wrote", key, end.Value)
	}
}

// isStored reports whether the operation certainly changed its register.
func isStored(o Operation) bool {
	if o.Outcome != Known {
		return false
	}
	return o.Kind == Write || o.Kind == Delete || o.Kind == CompareAndSet && o.Changed
}

// durableCounter: the total is that of all acknowledged additions and of some of
// those with unknown outcome.
func durableCounter(v *Verdict, key string, operations []Operation, end Final) {
	var low, high int64
	for _, o := range operations {
		switch {
		case o.Kind != Add || o.Outcome == Refused:
		case o.Outcome == Known:
			low += o.Number
			high += o.Number
		case o.Number > 0:
			high += o.Number
		default:
			low += o.Number
		}
	}
	if end.Total < low || end.Total > high {
		v.fault("key %q: the count at the end is %d; what was acknowledged makes it %d to %d", key, end.Total, low, high)
	}
}

// durableSet: a member that was acknowledged and that nobody tried to remove is
// there; one that nobody can have inserted is not.
func durableSet(v *Verdict, key string, operations []Operation, end Final) {
	inserted, possible, removed := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, o := range operations {
		switch {
		case o.Outcome == Refused:
		case o.Kind == Insert:
			possible[o.Value] = true
			inserted[o.Value] = inserted[o.Value] || o.Outcome == Known
		case o.Kind == Remove:
			removed[o.Value] = true
		}
	}
	there := slices.Sorted(slices.Values(end.Values))
	for _, o := range operations {
		if o.Kind != Insert || !inserted[o.Value] || removed[o.Value] {
			continue
		}
		if _, ok := slices.BinarySearch(there, o.Value); !ok {
			inserted[o.Value] = false // say it once
			v.fault("key %q: an acknowledged write is lost: %s", key, describe(o))
		}
	}
	for _, member := range there {
		if !possible[member] {
			v.fault("key %q: %q is there, which was refused or never asked for", key, member)
		}
	}
}

package check

import (
	"encoding/binary"
	"slices"
	"strconv"
)

// apply carries out an operation on a key that holds state. It reports whether the
// answer fits, and returns the state after it. An operation that has no answer fits
// everywhere, unless it is a compare-and-set or an expiry, which fit where they change something.
//
// A state is a string, so that two can be compared: a register's is "=" and the
// value, a counter's its decimal digits, a set's its sorted members and a
// list's its elements, both as join makes them. Whatever is not there is "": so is a set
// or a list that is empty, and a counter that nobody counted. One that was counted down to 0 is there.
func apply(state string, o Operation) (fits bool, next string) {
	switch familyOf(o.Kind) {
	case register:
		return applyRegister(state, o)
	case counter:
		return applyCounter(state, o)
	case set:
		return applySet(state, o)
	case list:
		return applyList(state, o)
	}
	return o.Outcome != Known || o.Changed == (state != ""), "" // Delete
}

func applyRegister(state string, o Operation) (bool, string) {
	switch {
	case o.Kind == Write:
		return true, "=" + o.Value
	case o.Kind == CompareAndSet:
		return state == "="+o.Expect, "=" + o.Value
	case o.Kind == Expire:
		return state == "="+o.Value, ""
	case o.Found:
		return state == "="+o.Value, state
	}
	return state == "", state
}

func applyCounter(state string, o Operation) (bool, string) {
	total := totalOf(state)
	if o.Kind == Add {
		total += o.Number
		state = strconv.FormatInt(total, 10)
	}
	return o.Outcome != Known || total == o.Total, state
}

func totalOf(state string) int64 {
	total, _ := strconv.ParseInt(state, 10, 64) // "" is 0; all else comes from FormatInt
	return total
}

func applySet(state string, o Operation) (bool, string) {
	members := split(state)
	if o.Kind == Members {
		return slices.Equal(members, slices.Sorted(slices.Values(o.Values))), state
	}
	i, isThere := slices.BinarySearch(members, o.Value)
	changes := isThere == (o.Kind == Remove)
	if changes && isThere {
		members = slices.Delete(members, i, i+1)
	} else if changes {
		members = slices.Insert(members, i, o.Value)
	}
	return o.Outcome != Known || changes == o.Changed, join(members)
}

func applyList(state string, o Operation) (bool, string) {
	elements := split(state)
	isAny := o.Outcome != Known
	switch o.Kind {
	case PushLeft:
		elements = slices.Insert(elements, 0, o.Value)
	case PushRight:
		elements = append(elements, o.Value)
	case Range:
		return slices.Equal(o.Values, between(elements, o.From, o.To)), state
	case Length:
		return int(o.Total) == len(elements), state
	default:
		return applyPop(elements, o)
	}
	return isAny || int(o.Total) == len(elements), join(elements)
}

func applyPop(elements []string, o Operation) (bool, string) {
	isAny := o.Outcome != Known
	if len(elements) == 0 {
		return isAny || !o.Found, ""
	}
	i := 0
	if o.Kind == PopRight {
		i = len(elements) - 1
	}
	fits := isAny || o.Found && o.Value == elements[i]
	return fits, join(slices.Delete(elements, i, i+1))
}

// between returns what LRANGE returns.
func between(elements []string, from, to int64) []string {
	n := int64(len(elements))
	if from < 0 {
		from = max(from+n, 0)
	}
	if to < 0 {
		to += n
	}
	to = min(to+1, n)
	if from >= to {
		return nil
	}
	return elements[from:to]
}

// join makes one string of several, each after its length.
func join(all []string) string {
	var out []byte
	for _, one := range all {
		out = binary.AppendUvarint(out, uint64(len(one)))
		out = append(out, one...)
	}
	return string(out)
}

// split undoes join.
func split(state string) (all []string) {
	rest := []byte(state)
	for len(rest) > 0 {
		length, size := binary.Uvarint(rest)
		end := size + int(length)
		all = append(all, string(rest[size:end]))
		rest = rest[end:]
	}
	return all
}

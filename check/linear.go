package check

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/anishathalye/porcupine"
)

// Linearizable decides, key by key, whether there is one order of the operations
// that explains every answer and respects who ended before whom began (Herlihy &
// Wing 1990; Porcupine searches as Wing & Gong and Lowe describe). limit is the
// time for one key; running out of it is a fault, too: not checked is not good.
func Linearizable(history []Operation, limit time.Duration) Verdict {
	v := newVerdict(history)
	keys, of := byKey(history)
	for _, key := range keys {
		model, ok := modelOf(of[key])
		if !ok {
			v.fault("key %q is used as two different types: the history can not be judged", key)
			continue
		}
		relevant := relevantOperations(of[key])
		result, info := porcupine.CheckOperationsVerbose(model, toPorcupine(relevant), limit)
		switch result {
		case porcupine.Unknown:
			v.fault("key %q: %d operations could not be judged within %v", key, len(relevant), limit)
		case porcupine.Illegal:
			v.fault("key %q: %s", key, explain(of[key], relevant, info))
		}
	}
	return v
}

// relevantOperations leaves out what can not change the verdict: refused
// operations; reads without an answer; a compare-and-set that did not happen; and
// writes with unknown outcome whose value nobody ever saw (if an order with such a
// write explains all answers, so does that order without it). Each of the last
// kind left in would double the search.
func relevantOperations(operations []Operation) []Operation {
	seen := map[string]bool{}
	for _, o := range operations {
		switch {
		case o.Outcome == Refused:
		case o.Kind == Read && o.Outcome == Known:
			seen[o.Value] = true
		case o.Kind == CompareAndSet:
			seen[o.Expect] = true
		}
	}
	var relevant []Operation
	for _, o := range operations {
		isUnanswered := o.Outcome == Unknown && (o.isRead() || o.Kind == Write && !seen[o.Value])
		isUnswapped := o.Kind == CompareAndSet && o.Outcome == Known && !o.Changed
		if o.Outcome != Refused && !isUnanswered && !isUnswapped {
			relevant = append(relevant, o)
		}
	}
	return relevant
}

func toPorcupine(operations []Operation) []porcupine.Operation {
	out := make([]porcupine.Operation, len(operations))
	for i, o := range operations {
		end := o.End
		if o.Outcome == Unknown {
			end = math.MaxInt64
		}
		out[i] = porcupine.Operation{ClientId: o.Client, Input: o, Output: o, Call: o.Begin, Return: end}
	}
	return out
}

// modelOf returns the model for a key, if all its operations agree on one. The
// state of each is a string: a register "=value" or "", a counter its decimal
// digits, a set its sorted members.
func modelOf(operations []Operation) (porcupine.Model, bool) {
	families := map[Kind]int{Read: 1, Write: 1, Delete: 1, CompareAndSet: 1, Add: 2, Count: 2, Insert: 3, Remove: 3, Members: 3}
	family := 0
	for _, o := range operations {
		if family != 0 && families[o.Kind] != family {
			return porcupine.Model{}, false
		}
		family = families[o.Kind]
	}
	step := map[int]func(string, Operation) (bool, string){1: stepRegister, 2: stepCounter, 3: stepSet}[family]
	if step == nil {
		return porcupine.Model{}, false
	}
	return porcupine.Model{
		Init: func() any { return "" },
		Step: func(state, input, _ any) (bool, any) {
			ok, next := step(state.(string), input.(Operation))
			return ok, next
		},
	}, true
}

// stepRegister reports whether the answer fits the state, and the state after it.
func stepRegister(state string, o Operation) (bool, string) {
	switch o.Kind {
	case Read:
		if !o.Found {
			return state == "", state
		}
		return state == "="+o.Value, state
	case Write:
		return true, "=" + o.Value
	case Delete:
		return true, ""
	}
	holds := state == "="+o.Expect // CompareAndSet
	if o.Outcome == Unknown && !holds {
		return true, state
	}
	return holds, "=" + o.Value
}

func stepCounter(state string, o Operation) (bool, string) {
	total, _ := strconv.ParseInt("0"+strings.TrimPrefix(state, "-"), 10, 64)
	if strings.HasPrefix(state, "-") {
		total = -total
	}
	if o.Kind == Add {
		total += o.Number
	}
	return o.Outcome == Unknown || total == o.Total, strconv.FormatInt(total, 10)
}

func stepSet(state string, o Operation) (bool, string) {
	var members []string
	if state != "" {
		members = strings.Split(state, "\x00")
	}
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
	return o.Outcome == Unknown || changes == o.Changed, strings.Join(members, "\x00")
}

// explain says in words what does not fit: a value that only a refused write had,
// if there is one, or else the first operation beyond the longest order found.
func explain(all, relevant []Operation, info porcupine.LinearizationInfo) string {
	if fault, ok := refusedButSeen(all); ok {
		return fault
	}
	var longest []int
	for _, partition := range info.PartialLinearizations() {
		for _, order := range partition {
			if len(order) > len(longest) {
				longest = order
			}
		}
	}
	text := fmt.Sprintf("no order explains the %d operations; the best explains %d", len(relevant), len(longest))
	first := -1
	for i := range relevant {
		isLeft := !slices.Contains(longest, i) && relevant[i].Outcome == Known
		if isLeft && (first < 0 || relevant[i].End < relevant[first].End) {
			first = i
		}
	}
	if first >= 0 {
		text += "; this does not fit: " + describe(relevant[first])
	}
	if len(longest) > 0 {
		text += "; the last that fits: " + describe(relevant[longest[len(longest)-1]])
	}
	return text
}

// refusedButSeen looks for a read of a value that was only ever refused.
func refusedButSeen(operations []Operation) (string, bool) {
	refused, possible := map[string]bool{}, map[string]bool{}
	for _, o := range operations {
		stores := o.Kind == Write || o.Kind == CompareAndSet || o.Kind == Insert
		if stores && o.Outcome == Refused {
			refused[o.Value] = true
		} else if stores {
			possible[o.Value] = true
		}
	}
	for _, o := range operations {
		for _, value := range append(slices.Clone(o.Values), o.Value) {
			if o.isRead() && o.Outcome == Known && refused[value] && !possible[value] {
				return fmt.Sprintf("%q was refused and is there all the same: %s", value, describe(o)), true
			}
		}
	}
	return "", false
}

package check

import (
	"fmt"
	"strings"
)

// what tells what was asked and answered.
func what(o Operation) string {
	text := told(o)
	if o.Outcome != Known {
		text = asked(o)
	}
	if o.isWeakRead() {
		text += fmt.Sprintf(" (%s)", o.Level)
	}
	return text
}

// whatAndWhere is what, with the key. A transaction names those of its parts anyway.
func whatAndWhere(o Operation) string {
	if o.Kind == Transaction {
		return what(o)
	}
	return fmt.Sprintf("%s (key %q)", what(o), o.Key)
}

// told is in the words of somebody who was answered.
func told(o Operation) string {
	switch o.Kind {
	case Read, PopLeft, PopRight:
		if !o.Found {
			return fmt.Sprintf("%s nothing", past(o.Kind))
		}
		return fmt.Sprintf("%s %q", past(o.Kind), o.Value)
	case CompareAndSet:
		if !o.Changed {
			return fmt.Sprintf("did not change %q to %q", o.Expect, o.Value)
		}
		return fmt.Sprintf("changed %q to %q", o.Expect, o.Value)
	case Add:
		return fmt.Sprintf("added %d and got %d", o.Number, o.Total)
	case Count:
		return fmt.Sprintf("read the count %d", o.Total)
	case Length:
		return fmt.Sprintf("read the length %d", o.Total)
	case Members:
		return fmt.Sprintf("read %d members %s", len(o.Values), some(o.Values))
	case Range:
		return fmt.Sprintf("read %d elements %s from %d to %d", len(o.Values), some(o.Values), o.From, o.To)
	case PushLeft, PushRight:
		return fmt.Sprintf("%s and made the length %d", asked(o), o.Total)
	case Insert, Remove:
		return fmt.Sprintf("%s (changed: %v)", asked(o), o.Changed)
	case Delete:
		if !o.Changed {
			return "found nothing to delete"
		}
	case Transaction:
		return transaction(o, told)
	}
	return asked(o)
}

// asked is in the words of somebody who was not.
func asked(o Operation) string {
	switch o.Kind {
	case Write:
		return fmt.Sprintf("wrote %q", o.Value)
	case Delete:
		return "deleted it"
	case Expire:
		return fmt.Sprintf("expired, if it was %q", o.Value)
	case CompareAndSet:
		return fmt.Sprintf("wanted to change %q to %q", o.Expect, o.Value)
	case Add:
		return fmt.Sprintf("added %d", o.Number)
	case Insert:
		return fmt.Sprintf("inserted %q", o.Value)
	case Remove:
		return fmt.Sprintf("removed %q", o.Value)
	case PushLeft, PushRight:
		return fmt.Sprintf("%s %q", past(o.Kind), o.Value)
	case Transaction:
		return transaction(o, asked)
	}
	return past(o.Kind)
}

// past is the past tense of a kind that needs no more words.
func past(kind Kind) string {
	switch kind {
	case PushLeft:
		return "pushed left"
	case PushRight:
		return "pushed right"
	case PopLeft:
		return "popped left"
	case PopRight:
		return "popped right"
	}
	return string(kind)
}

// transaction tells all parts, in the words of one of the two above.
func transaction(o Operation, words func(Operation) string) string {
	var parts, guards []string
	for _, p := range o.Parts {
		parts = append(parts, fmt.Sprintf("%s: %s", p.Key, words(p)))
	}
	for _, p := range o.Guards {
		guards = append(guards, fmt.Sprintf("%s: %s", p.Key, told(p)))
	}
	text := "in one step {" + strings.Join(parts, "; ") + "}"
	if len(guards) > 0 {
		text += " watching {" + strings.Join(guards, "; ") + "}"
	}
	if o.isAborted() {
		text = "did not get to do " + text
	}
	return text
}

// some tells the first few of many values.
func some(values []string) string {
	const few = 12
	if len(values) <= few {
		return fmt.Sprintf("%q", values)
	}
	return fmt.Sprintf("%q and more", values[:few])
}

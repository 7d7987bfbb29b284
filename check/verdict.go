package check

import (
	"fmt"
	"strings"
)

// Verdict is what a checker found, in words. It is good if it has no Faults.
type Verdict struct {
	Keys       int // that were looked at
	Operations int // of which something is known
	Unknown    int // that may have happened
	Refused    int // that must not have happened
	Faults     []string
}

// OK reports whether nothing was found.
func (v Verdict) OK() bool { return len(v.Faults) == 0 }

// String returns the verdict in words, the first few faults in full.
func (v Verdict) String() string {
	seen := fmt.Sprintf("%d operations with an answer, %d with unknown outcome, %d refused, on %d keys",
		v.Operations, v.Unknown, v.Refused, v.Keys)
	if v.OK() {
		return "good: " + seen
	}
	shown := v.Faults[:min(len(v.Faults), 5)]
	text := fmt.Sprintf("BROKEN in %d places: %s\n- %s", len(v.Faults), seen, strings.Join(shown, "\n- "))
	if len(v.Faults) > len(shown) {
		text += fmt.Sprintf("\n- and %d more", len(v.Faults)-len(shown))
	}
	return text
}

func (v *Verdict) fault(format string, args ...any) {
	v.Faults = append(v.Faults, fmt.Sprintf(format, args...))
}

// newVerdict counts a history.
func newVerdict(history []Operation) Verdict {
	keys, _ := byKey(history)
	v := Verdict{Keys: len(keys)}
	for _, o := range history {
		switch o.Outcome {
		case Known:
			v.Operations++
		case Refused:
			v.Refused++
		default:
			v.Unknown++
		}
	}
	return v
}

// describe tells an operation in words.
func describe(o Operation) string {
	var what string
	switch o.Kind {
	case Read:
		what = fmt.Sprintf("read %q", o.Value)
		if !o.Found {
			what = "read nothing"
		}
	case CompareAndSet:
		what = fmt.Sprintf("changed %q to %q", o.Expect, o.Value)
	case Add:
		what = fmt.Sprintf("added %d and got %d", o.Number, o.Total)
	case Count:
		what = fmt.Sprintf("read the count %d", o.Total)
	case Members:
		what = fmt.Sprintf("read %d members", len(o.Values))
	case Delete:
		what = "deleted it"
	case Write:
		what = fmt.Sprintf("wrote %q", o.Value)
	default:
		what = fmt.Sprintf("%s %q (changed: %v)", o.Kind, o.Value, o.Changed)
	}
	return fmt.Sprintf("client %d %s between %.3f s and %.3f s", o.Client, what, seconds(o.Begin), seconds(o.End))
}

func seconds(nanos int64) float64 { return float64(nanos) / 1e9 }

package check

import (
	"fmt"
	"math"
	"strings"
)

// Verdict is what a checker found, in words. It is good if it has no Faults.
type Verdict struct {
	Keys       int // that were looked at
	Operations int // of which something is known
	Unknown    int // that may have happened
	Refused    int // that must not have happened
	// Faults say each what broke which rule, and below it, a line each, the
	// operations around it. Times are seconds since the first operation began.
	Faults []string

	start     int64 // when the first operation began
	namesKeys bool  // the fault is of more than one key: describe names an operation's
	drawn     *picture
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
	v.Faults = append(v.Faults, strings.TrimSuffix(fmt.Sprintf(format, args...), "\n"))
}

// newVerdict counts a history.
func newVerdict(history []Operation) Verdict {
	v := Verdict{start: math.MaxInt64}
	keys := map[string]bool{}
	for _, o := range history {
		v.start = min(v.start, o.Begin)
		for _, p := range o.parts() {
			keys[p.Key] = true
		}
		if o.Kind != Expire { // which nobody asked for
			v.count(o.Outcome)
		}
	}
	v.Keys = len(keys)
	return v
}

// count counts an operation by what is known of it.
func (v *Verdict) count(o Outcome) {
	switch o {
	case Known:
		v.Operations++
	case Refused:
		v.Refused++
	default:
		v.Unknown++
	}
}

// describe tells an operation in words.
func (v *Verdict) describe(o Operation) string {
	text := what(o)
	if v.namesKeys {
		text = whatAndWhere(o)
	}
	text = fmt.Sprintf("client %d %s between %s and %s", o.Client, text, v.clock(o.Begin), v.clock(o.End))
	switch o.Outcome {
	case Unknown:
		return text + ", outcome unknown"
	case Refused:
		return text + ", refused"
	}
	return text
}

// clock tells a time in seconds since the start.
func (v *Verdict) clock(nanos int64) string {
	return fmt.Sprintf("%.6f s", float64(nanos-v.start)/1e9)
}

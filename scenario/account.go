package scenario

import (
	"fmt"
	"strings"
)

// Account is what became of a plan in one run: how much was tested.
type Account struct {
	// Operations were answered, and judged. The executor counts them, and Effects.
	Operations int
	Effects    Effects
	// Done and Skipped are steps, those of every counted each time.
	Done, Skipped int
	// Moments are of the steps that wait for one, in order of the plan.
	Moments []Awaited
}

// Awaited is a step that waits for a moment of a write, in one node or more each time.
type Awaited struct {
	Step  Step
	Armed int // how often a node was told to wait for it
	Came  int // how often it came
}

// String says it in a line, or in two if the plan waits for moments.
func (a Account) String() string {
	text := fmt.Sprintf("%s judged, %s; %s done, %d skipped", counted(a.Operations, "operation"), a.Effects, counted(a.Done, "step"), a.Skipped)
	var moments []string
	for _, m := range a.Moments {
		moments = append(moments, fmt.Sprintf("`%s` %d of %d", m.Step.Action(), m.Came, m.Armed))
	}
	if len(moments) > 0 {
		text += "\nmoments that came: " + strings.Join(moments, ", ")
	}
	return text
}

// Untested says what a run that found nothing wrong has not tested, though it must: a run
// that asked for nothing, too little of an effect that the plan demands, and moments that never
// came where it demands them.
func (a Account) Untested(d Demand) (all []string) {
	if a.Operations == 0 {
		all = append(all, "nothing was tested: no operation was answered, so that there was nothing to judge")
	}
	all = append(all, d.TooFew(a.Effects)...)
	if !d.Moments {
		return all
	}
	if len(a.Moments) == 0 {
		all = append(all, "nothing was tested: no step waits for a moment")
	}
	for _, m := range a.Moments {
		if m.Came == 0 {
			all = append(all, fmt.Sprintf("nothing was tested: the moment of `%v` never came; %s told to wait for it", m.Step, wereTold(m.Armed)))
		}
	}
	return all
}

func wereTold(n int) string {
	switch n {
	case 0:
		return "no node was"
	case 1:
		return "a node was once"
	}
	return fmt.Sprintf("nodes were %d times", n)
}

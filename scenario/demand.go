package scenario

import (
	"fmt"
	"strconv"
	"strings"

	"flotilla"
)

// Demand is what a plan asks for besides its mode: without it, what the plan is meant to
// teach may not have happened, and nobody would know.
type Demand struct {
	// Moments asks that each step that waits for a moment of a write meets it at least once.
	Moments bool
	// Silence is for how long a group may leave one kind of operation without an answer,
	// as check.Silence measures it; zero: as long as the mode allows.
	Silence flotilla.Millis
	// LeastElections and MostElections bound how often groups come to a new term, all of them
	// together, until the clients end. MostElections counts with HasMost only.
	LeastElections, MostElections int
	HasMost                       bool
}

const demandForm = "demand [moments] [silence below T] [elections at least N] [elections at most N]"

func readDemand(w *words, p *Plan) {
	seen := map[string]bool{}
	for first := true; w.err == nil && (first || w.peek() != ""); first = false {
		what := w.oneOf("demand", []string{"moments", "silence", "elections"})
		switch what {
		case "moments":
			p.Demand.Moments = true
		case "silence":
			w.need("below")
			p.Demand.Silence = w.duration("time", 1, MaxDuration)
		case "elections":
			w.need("at")
			if w.oneOf("bound", []string{"least", "most"}) == "least" {
				what += " at least"
				p.Demand.LeastElections = w.number("a number of elections", 1, MaxElections)
			} else {
				what += " at most"
				p.Demand.MostElections, p.Demand.HasMost = w.number("a number of elections", 0, MaxElections), true
			}
		}
		if seen[what] {
			w.fail(fmt.Sprintf("%s is named twice", what), "name each demand once")
		}
		seen[what] = true
	}
}

func writeDemand(p *Plan) string {
	var parts []string
	d := p.Demand
	if d.Moments {
		parts = append(parts, "moments")
	}
	if d.Silence > 0 {
		parts = append(parts, "silence below "+formatDuration(d.Silence))
	}
	if d.LeastElections > 0 {
		parts = append(parts, "elections at least "+strconv.Itoa(d.LeastElections))
	}
	if d.HasMost {
		parts = append(parts, "elections at most "+strconv.Itoa(d.MostElections))
	}
	return strings.Join(parts, " ")
}

// demandFault says what is wrong with a demand that no run could meet, or that none could fail.
func (p *Plan) demandFault() (wrong, right string) {
	d := p.Demand
	switch {
	case d.Moments && !p.hasMoments():
		return "no step waits for a moment", "leave `moments` out, or add one, such as: at 5s crash n1 before vote"
	case d.Silence >= p.Duration:
		return fmt.Sprintf("silence below %s, in a plan of %s", formatDuration(d.Silence), formatDuration(p.Duration)), "demand less than the plan is long"
	case d.HasMost && d.LeastElections > d.MostElections:
		return fmt.Sprintf("at least %d elections, and at most %d", d.LeastElections, d.MostElections), "put the smaller number after `at least`"
	}
	return "", ""
}

func (p *Plan) hasMoments() bool {
	for _, s := range p.Steps {
		if s.Boundary != "" {
			return true
		}
	}
	return false
}

// TooFewElections says that less happened than was demanded; empty if not.
func (d Demand) TooFewElections(n int) string {
	if n >= d.LeastElections {
		return ""
	}
	return fmt.Sprintf("nothing was tested: there were %s, and at least %d are demanded", elections(n), d.LeastElections)
}

// TooManyElections says that more happened than was demanded; empty if not.
func (d Demand) TooManyElections(n int) string {
	if !d.HasMost || n <= d.MostElections {
		return ""
	}
	return fmt.Sprintf("there were %s, and at most %d are demanded", elections(n), d.MostElections)
}

func elections(n int) string { return counted(n, "election") }

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return strconv.Itoa(n) + " " + what + "s"
}

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
	// Least is how much there must be of each effect.
	Least Effects
	// MostElections bounds elections; it counts with HasMost only.
	MostElections int
	HasMost       bool
}

const (
	// MaxSilence is for how long a client may get no answer about a group, in liveness mode, from a node
	// that must go on, unless the plan demands less. An election takes 1.2 s, a client that asked a
	// leader just before it was lost 5 s.
	MaxSilence flotilla.Millis = 10_000
	// FailurePause is how long a client waits after a failure, so that it does not fill its history
	// with refusals while nobody serves.
	FailurePause flotilla.Millis = 50
)

const demandForm = "demand [moments] [silence below T] [EFFECT at least N] [elections at most N]"

func readDemand(w *words, p *Plan) {
	seen := map[string]bool{}
	for first := true; w.err == nil && (first || w.peek() != ""); first = false {
		what := w.oneOf("demand", demandWords())
		switch what {
		case "moments":
			p.Demand.Moments = true
		case "silence":
			w.need("below")
			p.Demand.Silence = w.duration("time", 1, MaxDuration)
		case "":
		default:
			what = readBound(w, p, what)
		}
		if seen[what] {
			w.fail(fmt.Sprintf("%s is named twice", what), "name each demand once")
		}
		seen[what] = true
	}
}

// demandWords are those that a demand may begin with.
func demandWords() []string {
	all := []string{"moments", "silence"}
	for _, f := range effects {
		first, _, _ := strings.Cut(string(f.effect), " ")
		all = append(all, first)
	}
	return all
}

// readBound reads what follows an effect's first word, and returns what is demanded.
func readBound(w *words, p *Plan, word string) string {
	var effect Effect
	for _, f := range effects {
		first, second, _ := strings.Cut(string(f.effect), " ")
		if first != word {
			continue
		}
		if effect = f.effect; second != "" {
			w.need(second)
		}
	}
	w.need("at")
	bounds := []string{"least"}
	if effect == Elections {
		bounds = append(bounds, "most")
	}
	if w.oneOf("bound", bounds) == "most" {
		p.Demand.MostElections, p.Demand.HasMost = w.number("a number of elections", 0, MaxEffects), true
		return "elections at most"
	}
	if p.Demand.Least == nil {
		p.Demand.Least = Effects{}
	}
	p.Demand.Least[effect] = w.number("a number of "+string(effect), 1, MaxEffects)
	return string(effect) + " at least"
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
	for _, f := range effects {
		if n := d.Least[f.effect]; n > 0 {
			parts = append(parts, string(f.effect)+" at least "+strconv.Itoa(n))
		}
	}
	if d.HasMost {
		parts = append(parts, "elections at most "+strconv.Itoa(d.MostElections))
	}
	return strings.Join(parts, " ")
}

// demandFault says what is wrong with a demand that no run could meet, or that none could fail.
func (p *Plan) demandFault() (wrong, right string) {
	d := p.Demand
	think := p.Workload.Think.Most + FailurePause
	allowed := d.Silence
	if allowed == 0 && p.Mode == Liveness {
		allowed = MaxSilence
	}
	switch {
	case d.Moments && !p.hasMoments():
		return "no step waits for a moment", "leave `moments` out, or add one, such as: at 5s crash n1 before vote"
	case d.Silence >= p.Duration:
		return fmt.Sprintf("silence below %s, in a plan of %s", formatDuration(d.Silence), formatDuration(p.Duration)), "demand less than the plan is long"
	case allowed > 0 && think > allowed/2:
		// A silence ends where nobody asks for half of what is allowed: see check.Silence.
		return fmt.Sprintf("no silence of %s is allowed, and a client that failed may take %s until it asks again: nobody would notice", formatDuration(allowed), formatDuration(think)),
			fmt.Sprintf("have clients think for less than %s, or demand only a silence below twice that time", formatDuration(allowed/2))
	case d.HasMost && d.Least[Elections] > d.MostElections:
		return fmt.Sprintf("at least %d elections, and at most %d", d.Least[Elections], d.MostElections), "put the smaller number after `at least`"
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

// FirstStep is when trouble begins at the earliest, and what it brings about is counted from;
// the plan's end if it has no steps before.
func (p *Plan) FirstStep() flotilla.Millis {
	first := p.Duration
	for _, s := range p.Steps {
		if !s.IsFinal {
			first = min(first, s.At)
		}
	}
	return first
}

// TooManyElections says that more happened than was demanded; empty if not.
func (d Demand) TooManyElections(n int) string {
	if !d.HasMost || n <= d.MostElections {
		return ""
	}
	return fmt.Sprintf("there were %s, and at most %d are demanded", counted(n, "election"), d.MostElections)
}

package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"flotilla/lab"
	"flotilla/scenario"
)

// pretended is a series in which nothing is really played.
type pretended struct {
	labSeries
	said   []string
	played []labPlan
}

// pretendSeries returns one in which the plans have these outcomes, and then are all kept.
func pretendSeries(outcomes ...error) *pretended {
	p := &pretended{}
	p.line = func(text string) { p.said = append(p.said, text) }
	p.play = func(one labPlan) (*lab.Result, error) {
		p.played = append(p.played, one)
		var err error
		if i := len(p.played) - 1; i < len(outcomes) {
			err = outcomes[i]
		}
		if err != nil && !errors.Is(err, errBroken) && !errors.Is(err, errSlow) {
			return nil, err
		}
		n := int64(len(p.played))
		return &lab.Result{Figures: lab.Figures{Operations: 100, Unknown: 1, Refused: 2, PowerCuts: 3, Silence: time.Duration(n) * time.Second}}, err
	}
	return p
}

// codeOf is what the program ends with after an error.
func codeOf(err error) int {
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errSlow):
		return 3
	}
	return 1
}

var (
	broken = silentError{errBroken}
	slow   = silentError{errSlow}
)

// TestSeriesOfRandomPlans: it ends at what is broken, goes on after a busy machine, and
// always sums up what was played.
func TestSeriesOfRandomPlans(t *testing.T) {
	draws := lab.Series(42, 600_000)
	n := len(draws)
	for _, c := range []struct {
		name     string
		outcomes []error
		played   int
		code     int
		said     string
	}{
		{"all kept", nil, n, 0, fmt.Sprintf("played %d of %d plans: %d operations, of which %d had an unknown outcome and %d were refused; %d power cuts; the longest time without any answer was %ds", n, n, 100*n, n, 2*n, 3*n, n)},
		{"the second broken", []error{nil, broken}, 2, 1, fmt.Sprintf("played 2 of %d plans, the last of which broke a promise: 200 operations", n)},
		{"a busy machine", []error{slow, slow}, n, 3, fmt.Sprintf("played %d of %d plans, 2 on a machine that was too busy to tell: ", n, n)},
		{"busy, then broken", []error{slow, broken}, 2, 1, "the last of which broke a promise, 1 on a machine"},
		{"a failed run", []error{nil, errors.New("no room")}, 2, 1, fmt.Sprintf("played 1 of %d plans, and then a run failed: 100 operations", n)},
		{"Ctrl-C in a plan", []error{nil, lab.ErrInterrupted}, 2, 1, fmt.Sprintf("played 1 of %d plans, and stopped: 100 operations", n)},
	} {
		p := pretendSeries(c.outcomes...)
		o := labOptions{seed: 42, powerCuts: true}
		err := p.random(t.Context(), draws, o.drawn)
		if len(p.played) != c.played || codeOf(err) != c.code {
			t.Errorf("%s: played %d, exit code %d (%v)", c.name, len(p.played), codeOf(err), err)
		}
		if last := p.said[len(p.said)-1]; !strings.Contains(last, c.said) {
			t.Errorf("%s: %s", c.name, last)
		}
	}
}

// TestCtrlCBetweenPlans: nothing more is played, what was played is said, and it is no success.
func TestCtrlCBetweenPlans(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	p := pretendSeries()
	play := p.play
	p.play = func(one labPlan) (*lab.Result, error) {
		if len(p.played) == 1 {
			stop()
		}
		return play(one)
	}
	o := labOptions{}
	err := p.random(ctx, lab.Series(1, 600_000), o.drawn)
	if last := p.said[len(p.said)-1]; len(p.played) != 2 || codeOf(err) != 1 || !errors.As(err, new(silentError)) || !strings.HasPrefix(last, "played 2 of ") || !strings.Contains(last, ", and stopped: 200 operations") {
		t.Errorf("played %d, %v: %s", len(p.played), err, last)
	}
}

// TestEachPlanOfASeriesCanBePlayedAlone: by the command that it prints.
func TestEachPlanOfASeriesCanBePlayedAlone(t *testing.T) {
	p, o := pretendSeries(), labOptions{seed: 3, powerCuts: true}
	if err := p.random(t.Context(), lab.Series(3, 487_654), o.drawn); err != nil {
		t.Fatal(err)
	}
	modes := map[scenario.Mode]bool{}
	for _, one := range p.played {
		var seed uint64
		var minutes float64
		if _, err := fmt.Sscanf(one.again, "flotilla lab random --seed %d --minutes %g --power-cuts", &seed, &minutes); err != nil {
			t.Fatalf("%s: %v", one.again, err)
		}
		alone := drawsOf(labOptions{seed: seed, minutes: minutes})
		if len(alone) != 1 || o.drawn(alone[0]).plan.String() != one.plan.String() || seed != one.seed {
			t.Errorf("%s makes other plans than that of seed %d", one.again, one.seed)
		}
		modes[one.plan.Mode] = true
	}
	if len(modes) != 2 {
		t.Errorf("of %d plans there are only these modes: %v", len(p.played), modes)
	}
}

// TestAllPlans: all that can be played are, whatever came of those before; the table has
// them all, and the worst counts.
func TestAllPlans(t *testing.T) {
	for _, c := range []struct {
		name      string
		powerCuts bool
		outcomes  []error
		code      int
		rows      []string
	}{
		{"plain", false, nil, 0, []string{
			`(?m)^all-killed +not played$`,
			`(?m)^all-killed not played: it needs --power-cuts: .at 25s crash all .*a fleet of processes can not take away what was not synced$`,
			`(?m)^snapshot-under-fire not played: it is for the simulator: .*a fleet on power-cut disks can not stop a node at a flush or between an install$`,
			`(?m)^leader-killed +KEPT +100 +1 +2 +3 +\d+s$`,
		}},
		{"with power cuts", true, []error{slow}, 3, []string{`(?m)^all-killed +SLOW +100 `, `(?m)^full-disk +KEPT `, `(?m)^snapshot-under-fire not played: `}},
		{"broken, then slow", true, []error{broken, slow}, 1, []string{`(?m)^all-killed +BROKEN +100 `, `(?m)^around-a-cut +SLOW `}},
		{"slow, then broken", true, []error{slow, broken}, 1, []string{`(?m)^all-killed +SLOW +100 `, `(?m)^around-a-cut +BROKEN `}},
		{"a failed run", true, []error{errors.New("no room\nat all"), slow}, 1, []string{`(?m)^all-killed +failed$`, `(?m)^all-killed failed: no room; at all$`, `(?m)^around-a-cut +SLOW `}},
	} {
		p, o := pretendSeries(c.outcomes...), labOptions{seed: 7, powerCuts: c.powerCuts}
		err := p.all(t.Context(), o)
		table := p.said[len(p.said)-1]
		if codeOf(err) != c.code {
			t.Errorf("%s: exit code %d (%v)", c.name, codeOf(err), err)
		}
		for _, row := range c.rows {
			if !regexp.MustCompile(row).MatchString(table) {
				t.Errorf("%s: no row %s in\n%s", c.name, row, table)
			}
		}
		for _, name := range scenario.Names() {
			plan, err := scenario.Load(name)
			if err != nil {
				t.Fatal(err)
			}
			isPlayed := slices.ContainsFunc(p.played, func(one labPlan) bool { return one.plan.Name == name })
			if isPlayed != (lab.Executor(c.powerCuts).CanPlay(plan) == nil) || !strings.Contains(table, "\n"+name+" ") {
				t.Errorf("%s: %s played: %v", c.name, name, isPlayed)
			}
		}
		if want := "flotilla lab run " + p.played[0].plan.Name + " --seed 7"; !strings.HasPrefix(p.played[0].again, want) {
			t.Errorf("%s: %s", c.name, p.played[0].again)
		}
	}
}

// TestAllPlansStopped: what was not played any more is in the table, too.
func TestAllPlansStopped(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	p := pretendSeries(nil, lab.ErrInterrupted)
	play := p.play
	p.play = func(one labPlan) (*lab.Result, error) {
		if len(p.played) == 1 {
			stop()
		}
		return play(one)
	}
	err := p.all(ctx, labOptions{powerCuts: true})
	table := p.said[len(p.said)-1]
	if codeOf(err) != 1 || len(p.played) != 2 || !regexp.MustCompile(`(?m)^around-a-cut +stopped$`).MatchString(table) || !regexp.MustCompile(`(?m)^wiped-disk not played: stopped before it$`).MatchString(table) {
		t.Errorf("played %d, %v:\n%s", len(p.played), err, table)
	}
}

// TestAllPlansWithoutPowerCuts: a machine that can not cut power is told of once, not with each plan.
func TestAllPlansWithoutPowerCuts(t *testing.T) {
	p := pretendSeries(lab.ErrNoPowerCuts)
	if err := p.all(t.Context(), labOptions{powerCuts: true}); !errors.Is(err, lab.ErrNoPowerCuts) || errors.As(err, new(silentError)) || len(p.played) != 1 {
		t.Errorf("played %d, %v", len(p.played), err)
	}
}

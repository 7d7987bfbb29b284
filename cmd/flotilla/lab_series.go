package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"text/tabwriter"
	"time"

	"flotilla"
	"flotilla/lab"
	"flotilla/scenario"
)

// labSeries plays several plans, one after another. Whoever makes one says how; tests pretend.
type labSeries struct {
	line func(string)
	play func(labPlan) (*lab.Result, error)
}

// series returns one that really plays.
func (o *labOptions) series(s *screen, soft, hard context.Context) *labSeries {
	return &labSeries{line: s.line, play: func(p labPlan) (*lab.Result, error) { return o.play(s, soft, hard, p) }}
}

// errStopped ends a series between two plans. It was told already.
var errStopped = silentError{errors.New("stopped")}

// drawsOf returns what the plans are drawn from that are asked for.
func drawsOf(o labOptions) []lab.Draw {
	return lab.Series(o.seed, max(flotilla.Millis(math.Round(o.minutes*60_000)), 1))
}

// labRandom plays one plan, or a series, until things broke for as long as was asked for.
func (a *app) labRandom(ctx context.Context, o labOptions) error {
	draws := drawsOf(o)
	if len(draws) == 1 {
		return a.labOne(ctx, o.drawn(draws[0]), o)
	}
	return a.labRun(ctx, &o, func(s *screen, soft, hard context.Context) error {
		return o.series(s, soft, hard).random(soft, draws, o.drawn)
	})
}

// random plays plans that are drawn, until a promise is broken or a run fails.
func (r *labSeries) random(ctx context.Context, draws []lab.Draw, draw func(lab.Draw) labPlan) error {
	var sum lab.Figures
	played, slow := 0, 0
	var found error
	for i, d := range draws {
		if ctx.Err() != nil {
			found = errStopped
			break
		}
		r.line(fmt.Sprintf("plan %d of %d", i+1, len(draws)))
		result, err := r.play(draw(d))
		if result != nil {
			played++
			sum.Add(result.Figures)
		}
		if errors.Is(err, errSlow) {
			slow++
			continue
		}
		if err != nil {
			found = err
			break
		}
	}
	how := ""
	switch {
	case errors.Is(found, errBroken):
		how = ", the last of which broke a promise"
	case errors.Is(found, errStopped) || errors.Is(found, lab.ErrInterrupted):
		how = ", and stopped"
	case found != nil:
		how = ", and then a run failed"
	}
	if slow > 0 {
		how += fmt.Sprintf(", %d on a machine that was too busy to tell", slow)
	}
	if played > 0 {
		how += ": " + sum.String()
	}
	r.line(fmt.Sprintf("played %d of %d plans%s", played, len(draws), how))
	if found == nil && slow > 0 {
		found = silentError{errSlow}
	}
	return found
}

// labAll plays all plans that come with the program.
func (a *app) labAll(ctx context.Context, o labOptions) error {
	return a.labRun(ctx, &o, func(s *screen, soft, hard context.Context) error {
		return o.series(s, soft, hard).all(soft, o)
	})
}

// all plays each plan that comes with the program and that can be played, and tells the
// verdicts in a table. The worst is what comes of it.
func (r *labSeries) all(ctx context.Context, o labOptions) error {
	table := newVerdicts()
	var worst error
	for _, name := range scenario.Names() {
		plan, err := scenario.Load(name)
		if err != nil {
			return err
		}
		if why := notPlayed(plan, o.powerCuts); why != "" {
			table.add(name, "not played", nil, why)
			continue
		}
		if ctx.Err() != nil {
			table.add(name, "not played", nil, "stopped before it")
			worst = errStopped
			continue
		}
		result, err := r.play(o.named(name, plan))
		if errors.Is(err, lab.ErrNoPowerCuts) {
			return err // so it is for all of them
		}
		verdict, why := verdictOf(err)
		table.add(name, verdict, result, why)
		if err != nil && (worst == nil || errors.Is(worst, errSlow)) {
			worst = silentError{err}
		}
	}
	r.line(table.String())
	return worst
}

// verdictOf is what came of a plan, in a word, and why nothing did if the run failed.
func verdictOf(err error) (verdict, why string) {
	switch {
	case err == nil:
		return "KEPT", ""
	case errors.Is(err, errBroken):
		return "BROKEN", ""
	case errors.Is(err, errSlow):
		return "SLOW", ""
	case errors.Is(err, lab.ErrInterrupted):
		return "stopped", err.Error()
	}
	return "failed", err.Error()
}

// notPlayed says why a plan can not be played here; empty if it can.
func notPlayed(plan *scenario.Plan, powerCuts bool) string {
	if lab.Executor(powerCuts).CanPlay(plan) == nil {
		return ""
	}
	best, advice := lab.Executor(true), "it is for the simulator"
	if best.CanPlay(plan) == nil {
		best, advice = lab.Executor(false), "it needs --power-cuts"
	}
	for _, step := range plan.Steps {
		if err := best.CanDo(step); err != nil {
			return fmt.Sprintf("%s: %v", advice, err)
		}
	}
	return advice // its load is
}

// verdicts is a table of what came of plans, and below it what has to be said of some.
type verdicts struct {
	text strings.Builder
	rows *tabwriter.Writer
	why  []string
}

func newVerdicts() *verdicts {
	v := &verdicts{}
	v.rows = tabwriter.NewWriter(&v.text, 0, 0, 2, ' ', 0)
	fmt.Fprint(v.rows, "plan\tverdict\toperations\tunknown\trefused\tpower cuts\tlongest silence\n")
	return v
}

// add adds a row; without a result there are no figures.
func (v *verdicts) add(name, verdict string, result *lab.Result, why string) {
	if why != "" {
		v.why = append(v.why, fmt.Sprintf("%s %s: %s", name, verdict, strings.ReplaceAll(why, "\n", "; ")))
	}
	if result == nil {
		fmt.Fprintf(v.rows, "%s\t%s\t\t\t\t\t\n", name, verdict)
		return
	}
	f := result.Figures
	fmt.Fprintf(v.rows, "%s\t%s\t%d\t%d\t%d\t%d\t%v\n", name, verdict, f.Operations, f.Unknown, f.Refused, f.PowerCuts, f.Silence.Round(time.Millisecond))
}

// String ends the table.
func (v *verdicts) String() string {
	_ = v.rows.Flush() // into memory
	lines := strings.Split(strings.TrimSpace(v.text.String()), "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return strings.Join(append(lines, v.why...), "\n")
}

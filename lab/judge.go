package lab

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"flotilla"
	"flotilla/check"
	"flotilla/scenario"
)

// Result is what a run found.
type Result struct {
	// Faults say each which promise was broken, and how. None: all were kept.
	Faults []string
	// Late say each what took too long. On a machine that was too busy, as Busy says,
	// this is nobody's fault; on any other, these are promises that were broken, too.
	Late []string
	Busy string // empty: the machine was calm enough
	// Notes are figures, a line each.
	Notes   []string
	Figures Figures
	History []check.Operation
	linear  check.Verdict // which may have a picture
	broken  []check.Verdict
}

// OK reports whether all promises were kept.
func (r *Result) OK() bool { return len(r.Faults)+len(r.Late) == 0 }

// IsSlow reports whether nothing was wrong but that a busy machine was slow.
func (r *Result) IsSlow() bool { return len(r.Faults) == 0 && len(r.Late) > 0 && r.Busy != "" }

// String returns the verdict in words.
func (r *Result) String() string {
	var text strings.Builder
	switch {
	case r.OK():
		text.WriteString("KEPT: every promise that was tested\n")
	case r.IsSlow():
		fmt.Fprintf(&text, "SLOW: nothing that was told was wrong; what took too long has to be tried on a calmer machine\n")
	default:
		fmt.Fprintf(&text, "BROKEN: %d promises\n", len(r.Faults)+len(r.Late))
	}
	for _, fault := range append(slices.Clone(r.Faults), r.Late...) {
		fmt.Fprintf(&text, "- %s\n", strings.ReplaceAll(fault, "\n", "\n    ")) // figures, below, have two spaces
	}
	if r.Busy != "" {
		fmt.Fprintf(&text, "  %s\n", r.Busy)
	}
	for _, note := range r.Notes {
		fmt.Fprintf(&text, "  %s\n", note)
	}
	return text.String()
}

func (r *Result) fault(format string, args ...any) {
	r.Faults = append(r.Faults, fmt.Sprintf(format, args...))
}

// found takes a checker's verdict: the first few of its faults are told, and all are kept.
func (r *Result) found(what string, v check.Verdict) {
	if !v.OK() {
		r.fault("%s %v", what, v)
		r.broken = append(r.broken, v)
	}
}

func (r *Result) late(format string, args ...any) {
	r.Late = append(r.Late, fmt.Sprintf(format, args...))
}

func (r *Result) note(format string, args ...any) {
	r.Notes = append(r.Notes, fmt.Sprintf(format, args...))
}

// Judge decides whether what clients were told was true, given what was there in
// the end. Load's ReadFinal has read that.
func (l *Load) Judge(r *Result, final map[string]check.Final) {
	history := append(l.Recorder.History(), l.expiries()...)
	l.mu.Lock()
	watched, gaveUp := l.watched, l.gaveUp
	l.mu.Unlock()
	r.History = history
	for _, text := range l.Odd() {
		r.fault("no fault explains this answer: %s", text)
	}
	r.found("durability is", check.Durable(history, final))
	began := time.Now()
	r.linear = check.Linearizable(history, check.EnoughSteps)
	r.found("linearizability is", r.linear)
	r.found("reads at weaker levels are", check.WeakReads(history))
	r.found("WATCH is", check.Watches(history, watched))
	r.found("WATCH is", check.GaveUp(history, gaveUp))
	if len(watched)+len(gaveUp) > 0 {
		r.note("%d transactions that watched keys were carried out; %d gave up whose keys were all there", len(watched), len(gaveUp))
	}
	r.note("history %v; judged in %v", r.linear, time.Since(began).Round(time.Millisecond))
	q := l.quiet
	q.mu.Lock()
	defer q.mu.Unlock()
	r.note("the longest time without any answer was %v", q.gap.Round(time.Millisecond))
	known, unknown, refused := l.counts[0].Load(), l.counts[1].Load(), l.counts[2].Load()
	r.Figures.Add(Figures{Operations: known + unknown + refused, Unknown: unknown, Refused: refused, Silence: q.gap})
}

// judgeSilence demands that no group left anything without an answer for longer than that: no
// node that was asked, where clients stay with theirs, or else not all together. A node that
// has no client of its own was not asked.
func (l *Load) judgeSilence(r *Result, most time.Duration) {
	q := l.quiet
	q.mu.Lock()
	defer q.mu.Unlock()
	for i, longest := range q.longest {
		group := flotilla.GroupID(i%q.groups + 1)
		longest = longest.Round(time.Millisecond)
		who, told := "any node", "nobody answered something that was asked of"
		if q.stays {
			who = "the node at " + l.options.Addresses[i/q.groups]
			told = who + " left something without an answer that it asked of"
		}
		r.note("the longest silence of %s about %v was %v", who, group, longest)
		if longest > most {
			r.late("%s %v for %v; %v is allowed", told, group, longest, most)
		}
	}
	for node, longest := range q.mute {
		longest = longest.Round(time.Millisecond)
		who := "nobody"
		if q.stays {
			who = "no client of the node at " + l.options.Addresses[node]
		}
		r.note("%s was answered anything for %v at most", who, longest)
		if longest > most {
			r.late("%s was answered anything for %v; %v is allowed", who, longest, most)
		}
	}
}

// judgeTested asks whether what the plan is meant to show has happened.
func (r *run) judgeTested(result *Result) {
	a, d := r.player.Account(), r.plan.Demand
	a.Effects, a.Operations = r.effects.counted, r.effects.answered
	for _, fault := range a.Untested(d) {
		result.fault("%s", fault)
	}
	for _, text := range d.Uncounted(a.Effects) {
		result.note("%s", text)
	}
	if why := r.effects.uncounted; why != "" && (d.Least[scenario.Elections] > 0 || d.Least[scenario.NewCopies] > 0 || d.HasMost) {
		result.late("elections and new copies could not be counted: %s", why)
	} else if many := d.TooManyElections(a.Effects[scenario.Elections]); many != "" {
		result.late("%s", many) // on a machine that is too slow, leaders seem to be gone
	}
	for line := range strings.Lines(a.String()) {
		result.note("%s", strings.TrimSuffix(line, "\n"))
	}
}

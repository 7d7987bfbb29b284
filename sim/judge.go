package sim

import (
	"maps"
	"slices"
	"time"

	"flotilla"
	"flotilla/check"
	"flotilla/scenario"
)

// How long the end may take, in virtual time.
const (
	endFor  = 60 * time.Second // for clients that wait for an answer
	readFor = 60 * time.Second // for reading all that there is
)

// settle ends all trouble and waits until everything is as if nothing had been: all
// copies there and equal.
func (w *world) settle() {
	w.isCalm = true
	w.setConditions()
	for _, n := range w.nodes {
		n.armed = armed{}
		if n.hasFired && n.core != nil { // its power is about to go: who would start it again?
			n.hasFired = false
			n.crash()
		}
		n.startIfDown()
		n.resume()
	}
	calm := durationOf(w.plan.Calm)
	if !w.await(w.now+calm, func() bool { return w.isWhole() && w.areEqual() }) {
		w.fault("%v after all trouble ended, %s:\n%s", calm, w.unwell(), w.describe())
	}
}

// unwell says what is wrong with a cluster that should be well by now.
func (w *world) unwell() string {
	if !w.isWhole() {
		return "not all copies are there and serve"
	}
	return "the replicas are not equal"
}

func (w *world) haveClientsEnded() bool {
	return !slices.ContainsFunc(w.clients, func(c *client) bool { return !c.isEnded })
}

// letExpire sets all clocks to a time at which no value that passes lives any more, and
// gives the nodes a while to notice.
func (w *world) letExpire() {
	for _, n := range w.nodes {
		n.clock.skew += w.expiries.newest + longestLife - n.wall()
	}
	w.runUntil(w.now + expireFor)
	calm := durationOf(w.plan.Calm)
	if !w.await(w.now+calm, func() bool { return w.isWhole() && w.areEqual() }) {
		w.fault("%v after values expired, %s:\n%s", calm, w.unwell(), w.describe())
	}
}

const (
	longestLife flotilla.Millis = 2000 // longer than any that lifeOf gives
	expireFor                   = 3 * time.Second
)

// history is what clients were told, and the expiries that may have happened.
func (w *world) history() []check.Operation {
	return append(w.recorder.History(), w.expiries.history()...)
}

// judge holds the history against what was promised.
func (w *world) judge(final map[string]check.Final) {
	history := w.history()
	w.found("durable", check.Durable(history, final))
	w.found("linearizable", check.Linearizable(history, check.EnoughSteps))
	w.found("weak reads", check.WeakReads(history))
	for _, key := range slices.Sorted(maps.Keys(final)) {
		if isPassing(key) && final[key].Found {
			w.fault("%s: %q is there, and should have expired", key, final[key].Value)
		}
	}
	w.found("watches", check.Watches(history, w.watched))
	w.found("watches", check.GaveUp(history, w.gaveUp))
}

// account is what was tested.
func (w *world) account() scenario.Account {
	a := w.player.Account()
	a.Effects, a.Operations = w.counted, w.answered
	return a
}

// judgeTested asks whether what the plan is meant to show has happened.
func (w *world) judgeTested() {
	a, d := w.account(), w.plan.Demand
	for _, fault := range append(a.Untested(d), d.TooManyElections(a.Effects[scenario.Elections])) {
		if fault != "" {
			w.faults = append(w.faults, fault)
		}
	}
}

// found takes a checker's verdict.
func (w *world) found(by string, v check.Verdict) {
	for _, fault := range v.Faults {
		w.faults = append(w.faults, by+": "+fault)
	}
	if !v.OK() {
		w.verdicts = append(w.verdicts, v)
	}
}

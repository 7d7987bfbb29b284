package sim

import (
	"time"

	"flotilla"
	"flotilla/check"
	"flotilla/scenario"
)

// effects counts what trouble brings about, as far as Counts does not. None of it says that
// something is wrong: it shows that a plan did what it is meant to do.
type effects struct {
	before     scenario.Standing // when the first step came
	slowWrites int
	wrongTimes int
	handOvers  int
	clocks     clockReads
}

// clockReads says at how many turns nodes looked at a wrong clock.
type clockReads struct{ ahead, behind, drifting uint64 }

// standing is how the groups stand, as far as anybody knows.
func (w *world) standing() scenario.Standing {
	s := scenario.NewStanding()
	for at := range w.leaders { // of nodes that are down now, too
		s.Term(at.group, at.term)
	}
	for _, n := range w.nodes {
		if n.core == nil {
			continue
		}
		for _, g := range n.core.Status().Groups {
			if s.Term(g.Group, g.Term); g.IsHere {
				s.Copy(g.Group, g.Replica)
			}
		}
	}
	return s
}

// watchEffects has elections and copies counted from the plan's first step on: until then a new
// cluster has dealt its leaders out.
func (w *world) watchEffects() {
	w.after(durationOf(w.plan.FirstStep()), func() { w.effects.before = w.standing() })
}

// countEffects is asked when the clients' time is over.
func (w *world) countEffects() {
	elections, newCopies := w.standing().Since(w.effects.before)
	frames := w.network.Tally()
	w.counted = scenario.Effects{
		scenario.Elections:   elections,
		scenario.NewCopies:   newCopies,
		scenario.Refusals:    int(w.counts["refused for want of room"] + w.counts["refused: "+string(flotilla.DiskFull)] + w.counts["refused: "+string(flotilla.NoQuorum)]),
		scenario.LostFrames:  int(frames.Cut + frames.Lost),
		scenario.Quarantines: int(w.counts["quarantine"]),
		scenario.SlowWrites:  w.effects.slowWrites,
		scenario.WrongTimes:  w.effects.wrongTimes,
		scenario.HandOvers:   w.effects.handOvers,
	}
	w.answered = w.countAnswered()
}

// countAnswered is how many operations clients were answered.
func (w *world) countAnswered() (n int) {
	for _, o := range w.recorder.History() {
		if o.Outcome == check.Known {
			n++
		}
	}
	if w.queues == nil {
		return n
	}
	for _, o := range w.queues.recorder.History() {
		if o.Outcome == check.Known {
			n++
		}
	}
	return n
}

// countTrouble adds to Counts what orders of the plan have come to. That something was ordered is
// counted as a step: it says nothing of whether nodes noticed.
func (w *world) countTrouble() {
	frames, clocks := w.network.Tally(), w.effects.clocks
	for what, n := range map[string]uint64{
		frameCut: frames.Cut, frameLost: frames.Lost, frameLate: frames.Late, frameDoubled: frames.Doubled, frameOvertaken: frames.Overtaken,
		clockAhead: clocks.ahead, clockBehind: clocks.behind, clockDrifting: clocks.drifting,
	} {
		if n > 0 {
			w.counts[what] += n
		}
	}
}

// What Counts calls the effects of trouble that are told by no other name.
const (
	frameCut       = "frame taken by a cut"
	frameLost      = "frame lost by chance"
	frameLate      = "frame delayed"
	frameDoubled   = "frame arrived twice"
	frameOvertaken = "frame overtaken"
	frameHeldUp    = "frame waited for a paused node"
	turnHeldUp     = "turn put off by a pause"
	writeSlowed    = "write slowed by a fault"
	writesLost     = "unsynced writes lost"
	clockAhead     = "clock read ahead"
	clockBehind    = "clock read behind"
	clockDrifting  = "clock read while it drifts"
)

// effectsOfTrouble are those that must happen sometimes.
func effectsOfTrouble() []string {
	return []string{frameCut, frameLost, frameLate, frameDoubled, frameOvertaken, frameHeldUp, turnHeldUp, writeSlowed, writesLost, clockAhead, clockBehind, clockDrifting}
}

// leads is how many groups the node leads.
func (n *node) leads() (count int) {
	for _, g := range n.core.Status().Groups {
		if g.Role == "leader" {
			count++
		}
	}
	return count
}

// wrote notes how long a write took until it was synced.
func (w *world) wrote(took time.Duration) {
	if took > fastSync {
		w.count(writeSlowed)
	}
	if took >= scenario.SlowWriteMillis*time.Millisecond {
		w.effects.slowWrites++
	}
}

// readClock notes that a node looks at its clock, as it does at each turn.
func (e *effects) readClock(c *nodeClock) {
	switch {
	case c.offset > 0:
		e.clocks.ahead++
	case c.offset < 0:
		e.clocks.behind++
	}
	if c.drift != 0 {
		e.clocks.drifting++
	}
}

// stamped notes the time of an entry, which somebody applies for the first time now: it may be
// long ago that it was right.
func (e *effects) stamped(time flotilla.Millis, now time.Duration) {
	if time-began-millisOf(now) >= scenario.WrongTimeMillis {
		e.wrongTimes++
	}
}

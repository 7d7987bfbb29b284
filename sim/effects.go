package sim

import (
	"time"

	"flotilla"
	"flotilla/scenario"
)

// effects counts what trouble brings about, as far as Counts does not. None of it says that
// something is wrong: it shows that a plan did what it is meant to do.
type effects struct {
	terms      map[flotilla.GroupID]uint64 // when the first step came
	copies     map[copied]bool             // the same
	slowWrites int
	wrongTimes int
	clocks     clockReads
}

// clockReads says how often nodes looked at a wrong clock.
type clockReads struct{ ahead, behind, drifting uint64 }

// copied is a replica of a group.
type copied struct {
	group   flotilla.GroupID
	replica flotilla.ReplicaID
}

// standing returns the groups' terms and replicas, as far as anybody knows.
func (w *world) standing() (terms map[flotilla.GroupID]uint64, copies map[copied]bool) {
	terms, copies = map[flotilla.GroupID]uint64{}, map[copied]bool{}
	for at := range w.leaders { // of nodes that are down now, too
		terms[at.group] = max(terms[at.group], at.term)
	}
	for _, n := range w.nodes {
		if n.core == nil {
			continue
		}
		for _, g := range n.core.Status().Groups {
			if terms[g.Group] = max(terms[g.Group], g.Term); g.IsHere {
				copies[copied{g.Group, g.Replica}] = true
			}
		}
	}
	return terms, copies
}

// watchEffects has elections and copies counted from the plan's first step on: until then a new
// cluster has dealt its leaders out.
func (w *world) watchEffects() {
	w.after(durationOf(w.plan.FirstStep()), func() { w.effects.terms, w.effects.copies = w.standing() })
}

// countEffects is asked when the clients' time is over.
func (w *world) countEffects() {
	e := scenario.Effects{
		scenario.Elections:   0,
		scenario.NewCopies:   0,
		scenario.Refusals:    int(w.counts["refused for want of room"] + w.counts["refused: "+string(flotilla.DiskFull)] + w.counts["refused: "+string(flotilla.NoQuorum)]),
		scenario.LostFrames:  int(w.network.Tally().Cut + w.network.Tally().Lost),
		scenario.Quarantines: int(w.counts["quarantine"]),
		scenario.SlowWrites:  w.effects.slowWrites,
		scenario.WrongTimes:  w.effects.wrongTimes,
	}
	terms, copies := w.standing()
	for group, before := range w.effects.terms {
		e[scenario.Elections] += int(max(terms[group], before) - before)
	}
	for one := range copies {
		if !w.effects.copies[one] {
			e[scenario.NewCopies]++
		}
	}
	w.counted = e
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
	return []string{frameCut, frameLost, frameLate, frameDoubled, frameOvertaken, frameHeldUp, turnHeldUp, writeSlowed, writesLost,
		clockAhead, clockBehind, clockDrifting}
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

// readClock notes that a node looked at its clock.
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

// stamped notes the time of an entry, which somebody applies for the first time now.
func (e *effects) stamped(time flotilla.Millis, now time.Duration) {
	if off := time - began - millisOf(now); off >= scenario.WrongTimeMillis || off <= -scenario.WrongTimeMillis {
		e.wrongTimes++
	}
}

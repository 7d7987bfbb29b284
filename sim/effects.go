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
	lostFrames int                         // of lives that have ended
	slowWrites int
	wrongTimes int
}

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
		scenario.LostFrames:  w.effects.lostFrames,
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
	for _, n := range w.nodes {
		if n.core != nil {
			e[scenario.LostFrames] += n.lostFrames()
		}
	}
	w.counted = e
}

// lostFrames is how many frames that this life has sent were taken by faults.
func (n *node) lostFrames() (lost int) {
	for _, other := range n.w.nodes {
		if other != n {
			lost += int(n.port.Stats(other.id).DroppedByFault)
		}
	}
	return lost
}

// wrote notes how long a write took until it was synced.
func (e *effects) wrote(took time.Duration) {
	if took >= scenario.SlowWriteMillis*time.Millisecond {
		e.slowWrites++
	}
}

// stamped notes the time of an entry, which somebody applies for the first time now.
func (e *effects) stamped(time flotilla.Millis, now time.Duration) {
	if off := time - began - millisOf(now); off >= scenario.WrongTimeMillis || off <= -scenario.WrongTimeMillis {
		e.wrongTimes++
	}
}

package sim

import (
	"time"

	"flotilla"
	"flotilla/check"
	"flotilla/scenario"
)

// expiries knows when the values of passing keys may expire, at the earliest. They do
// so in the log's time, which follows the clocks of those who lead; and clocks jump.
// A life that a jump backwards met may have been shorter than it should.
type expiries struct {
	newest   flotilla.Millis           // that any core was ever told
	shown    map[flotilla.NodeID]shown // what each was told last
	jumps    int                       // of clocks, backwards
	jumpedAt []time.Duration           // when each was seen
	lives    []*life
	of       map[string]*life // by value
	open     []*life          // whose time has not come
}

// shown is what a node's clock showed, and when.
type shown struct {
	wall flotilla.Millis
	at   time.Duration
}

// life is that of one value of a passing key, from when it was asked for.
type life struct {
	key, value string
	due        flotilla.Millis // may not expire before any clock has shown this
	jumps      int             // until it was asked for
	begin      int64
	end        int64 // when it may expire; only if it is not open any more
	isOpen     bool
	isRefused  bool
}

func newExpiries() *expiries {
	return &expiries{shown: map[flotilla.NodeID]shown{}, of: map[string]*life{}}
}

// told is the wall clock as a node's core is told it.
func (n *node) told() flotilla.Millis {
	e, wall, now := n.w.expiries, n.wall(), n.w.now
	before, isKnown := e.shown[n.id]
	passed := flotilla.Millis((now - before.at) / time.Millisecond)
	if isKnown && wall < before.wall+passed-passed*scenario.MaxDriftPPM/1e6-2 {
		e.jumps++
		e.jumpedAt = append(e.jumpedAt, now)
	}
	e.shown[n.id] = shown{wall: wall, at: now}
	if wall <= e.newest {
		return wall
	}
	e.newest = wall
	open := e.open[:0]
	for _, l := range e.open {
		if l.due <= wall {
			l.isOpen, l.end = false, int64(now)
			continue
		}
		open = append(open, l)
	}
	e.open = open
	return wall
}

// begin notes that values are asked for that shall expire.
func (e *expiries) begin(w *world, all []check.Operation) {
	for _, o := range all {
		e.begin(w, o.Parts)
		if o.Kind != check.Write || !isPassing(o.Key) {
			continue
		}
		l := &life{key: o.Key, value: o.Value, due: w.slowest() + lifeOf(o.Value), jumps: e.jumps, begin: int64(w.now), end: int64(w.now)}
		w.count("value that may expire")
		e.of[o.Value] = l
		e.lives = append(e.lives, l)
		if l.isOpen = l.due > e.newest; l.isOpen {
			e.open = append(e.open, l)
		}
	}
}

// ended notes what came of it. Of a value that was answered, the log's time is past that
// of the slowest clock; one that was not may be in any time.
func (e *expiries) ended(all []check.Operation) {
	for _, o := range all {
		parts := o.Parts
		if o.Kind == check.Write {
			parts = []check.Operation{o}
		}
		for _, p := range parts {
			l := e.of[p.Value]
			if l == nil || p.Kind != check.Write {
				continue
			}
			l.isRefused = o.Outcome == check.Refused
			if o.Outcome == check.Unknown || l.jumps != e.jumps {
				l.isOpen, l.end = false, l.begin
			}
		}
	}
}

// history returns the expiries that may have happened.
func (e *expiries) history() (all []check.Operation) {
	for _, l := range e.lives {
		if !l.isOpen && !l.isRefused {
			all = append(all, check.Operation{Key: l.key, Kind: check.Expire, Value: l.value, Outcome: check.Unknown, Begin: l.end, End: l.end})
		}
	}
	return all
}

package lab

import (
	"math"
	"sync"
	"time"

	"flotilla"
	"flotilla/check"
	"flotilla/cluster"
)

// clocks knows how far off the nodes' wall clocks may have been, and when: values empty
// themselves in the log's time, which follows the clocks of those who lead. All times are
// nanoseconds on the load's clock, and what a right clock shows is that time itself.
type clocks struct {
	mu   sync.Mutex // guards eras: the run tells of clocks, and clients' histories are judged later
	eras []era      // in order
}

// era is a time in which a node's wall clock may have been off: from when it was ordered
// until the node had surely heard of the next order. It may have been right, too: nobody
// knows when exactly a node hears.
type era struct {
	node     flotilla.NodeID
	from, to int64
	offset   int64 // ahead, if positive
	driftPPM int64 // how much too fast the clock runs
	since    int64 // when the drift began
}

// ordered notes that a node's clock is about to be set.
func (c *clocks) ordered(node flotilla.NodeID, skew cluster.Skew, now int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := era{node: node, from: now, to: math.MaxInt64, offset: int64(skew.OffsetMillis) * int64(time.Millisecond), driftPPM: int64(skew.DriftPPM), since: now}
	for _, before := range c.eras {
		if before.node != node {
			continue
		}
		if e.since = now; before.driftPPM == e.driftPPM {
			e.since = before.since // a drift that goes on began when it began
		}
	}
	c.eras = append(c.eras, e)
}

// told notes that a node has heard of the latest order, so that all before it are over.
func (c *clocks) told(node flotilla.NodeID, now int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	isLatest := true
	for i := len(c.eras) - 1; i >= 0; i-- {
		if c.eras[i].node != node {
			continue
		}
		if !isLatest {
			c.eras[i].to = min(c.eras[i].to, now)
		}
		isLatest = false
	}
}

// off is how far off the clock is at a time.
func (e era) off(at int64) int64 {
	return e.offset + int64(float64(at-e.since)*float64(e.driftPPM)/1e6)
}

// shows is when the clock shows a time.
func (e era) shows(time int64) int64 {
	return e.since + int64(float64(time-e.offset-e.since)/(1+float64(e.driftPPM)/1e6))
}

// newest is the latest time that any clock has shown: no log's time is later.
func (c *clocks) newest(now int64) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	newest := now
	for _, e := range c.eras {
		if e.from <= now {
			last := min(e.to, now)
			newest = max(newest, last+e.off(last))
		}
	}
	return newest
}

// mayExpire says when a value may empty itself, at the earliest: when any clock shows what
// the slowest one showed when it was asked for, and its life on top. A write without an
// answer may get into the log at any time later, by a clock that has been set back. That a clock
// was ahead in the past counts, too: a process stamps what it leads with no time before the newest
// that it has seen (setClock in package cluster), so that it goes on being ahead.
func (c *clocks) mayExpire(o check.Operation, life time.Duration) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	end, slowest := o.End, o.Begin
	if o.Outcome != check.Known {
		end = math.MaxInt64
	}
	for _, e := range c.eras {
		if first := max(o.Begin, e.from); first <= min(end, e.to) {
			slowest = min(slowest, first+e.off(first))
		}
	}
	due := slowest + int64(life-clockGrain*time.Millisecond)
	earliest := due // by a clock that is right
	for _, e := range c.eras {
		if at := max(e.from, e.shows(due)); at <= e.to {
			earliest = min(earliest, at)
		}
	}
	return max(earliest, o.Begin)
}

package sim

import (
	"time"

	"flotilla"
)

// nodeClock is a node's own time.
type nodeClock struct {
	skew   flotilla.Millis // how far the wall clock is off when nothing is wrong with it
	offset flotilla.Millis // how far it was set wrongly
	drift  float64         // how much too fast all clocks run
	local  time.Duration   // what had been counted
	since  time.Duration   // when the world's clock said so
	right  time.Duration   // how much of what was counted is the drift's, and not on the wall
	born   time.Duration   // local, when the process was started
}

func (c *nodeClock) elapsed(now time.Duration) time.Duration {
	return c.local + time.Duration(float64(now-c.since)*(1+c.drift))
}

// set makes the clock as a plan has it. What has been counted does not jump; the wall
// clock is right again when a drift has ended.
func (c *nodeClock) set(now time.Duration, offset flotilla.Millis, drift float64) {
	c.offset = offset
	if drift == c.drift {
		return
	}
	c.local, c.since, c.drift = c.elapsed(now), now, drift
	if drift == 0 {
		c.right = c.local - now
	}
}

// began is the virtual wall clock's beginning.
const began flotilla.Millis = 1_700_000_000_000

func (n *node) wall() flotilla.Millis {
	c := &n.clock
	return began + c.skew + c.offset + millisOf(c.elapsed(n.w.now)-c.right)
}

func (n *node) mono() flotilla.Millis { return millisOf(n.clock.elapsed(n.w.now) - n.clock.born) }

package lab

import (
	"testing"
	"time"

	"flotilla"
	"flotilla/check"
	"flotilla/cluster"
)

// ordered is a change of a node's clock, in milliseconds; heard is when the node had heard
// of it, 0 if never.
type ordered struct {
	at, heard int64
	node      flotilla.NodeID
	skew      cluster.Skew
}

const milli = int64(time.Millisecond)

func clocksAfter(orders []ordered) *clocks {
	c := &clocks{}
	for _, o := range orders {
		if c.ordered(o.node, o.skew, o.at*milli); o.heard > 0 {
			c.told(o.node, o.heard*milli)
		}
	}
	return c
}

// TestWhenValuesMayExpire: not before any clock can have shown the time at which they may.
func TestWhenValuesMayExpire(t *testing.T) {
	ahead := []ordered{{2000, 2010, 1, cluster.Skew{OffsetMillis: 3000}}, {4990, 5000, 1, cluster.Skew{}}}
	behind := []ordered{{2000, 2010, 1, cluster.Skew{OffsetMillis: -2000}}, {4990, 5000, 1, cluster.Skew{}}}
	unheard := []ordered{{2000, 2010, 1, cluster.Skew{OffsetMillis: 3000}}, {3000, 0, 1, cluster.Skew{}}, {4000, 4010, 2, cluster.Skew{OffsetMillis: -100}}}
	fast := []ordered{{1000, 1010, 1, cluster.Skew{DriftPPM: 100_000}}, {2000, 2010, 1, cluster.Skew{DriftPPM: 100_000, OffsetMillis: 50}}, {9990, 10_000, 1, cluster.Skew{}}}
	for _, c := range []struct {
		name       string
		orders     []ordered
		begin, end int64
		outcome    check.Outcome
		life, want int64
	}{
		{"clocks are right", nil, 1000, 1010, check.Known, 500, 1498},
		{"clocks are right, and there was no answer", nil, 1000, 1010, check.Unknown, 500, 1498},
		{"before a clock is ahead", ahead, 1000, 1010, check.Known, 500, 1498},
		{"until a clock is ahead", ahead, 1900, 1910, check.Known, 500, 2000},
		{"while a clock is ahead", ahead, 2100, 2110, check.Known, 500, 2100},
		{"after a clock was ahead, before the others have shown as much", ahead, 7000, 7010, check.Known, 500, 7000},
		{"when the others have shown as much", ahead, 8100, 8110, check.Known, 500, 8598},
		{"before a clock is behind", behind, 1000, 1010, check.Known, 500, 1498},
		{"before a clock is behind, and there was no answer", behind, 1000, 1010, check.Unknown, 500, 1000},
		{"while a clock is behind", behind, 3000, 3010, check.Known, 900, 3000},
		{"a clock is set behind before the answer", behind, 1990, 2005, check.Known, 900, 1990},
		{"after a clock was behind", behind, 5100, 5110, check.Known, 500, 5598},
		{"a node that has not heard that its clock is right", unheard, 9000, 9010, check.Known, 900, 9000},
		{"a clock that runs 10% fast, for two seconds and 50 ms ahead", fast, 3000, 3010, check.Known, 2452, 5000}, // it shows 5450 ms then
	} {
		o := check.Operation{Begin: c.begin * milli, End: c.end * milli, Outcome: c.outcome}
		got := time.Duration(clocksAfter(c.orders).mayExpire(o, time.Duration(c.life)*time.Millisecond)).Round(time.Microsecond)
		if int64(got) != c.want*milli {
			t.Errorf("%s: at %v, want %d ms", c.name, got, c.want)
		}
	}
}

// TestNewestTime: a log's time may be as late as any clock ever was.
func TestNewestTime(t *testing.T) {
	c := clocksAfter([]ordered{{2000, 2010, 1, cluster.Skew{OffsetMillis: 3000}}, {4990, 5000, 1, cluster.Skew{}}})
	for now, want := range map[int64]int64{1000: 1000, 2000: 5000, 4000: 7000, 6000: 8000, 9000: 9000} {
		if got := c.newest(now * milli); got != want*milli {
			t.Errorf("at %d ms: %v, want %d ms", now, time.Duration(got), want)
		}
	}
}

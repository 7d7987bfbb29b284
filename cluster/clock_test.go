package cluster

import (
	"testing"
	"time"

	"flotilla"
)

// TestAWrongClock: the wall clock is off by offset and drift, and right again after;
// the monotonic one runs wrongly meanwhile, and never jumps.
func TestAWrongClock(t *testing.T) {
	began := time.UnixMilli(1_700_000_000_000)
	now := began
	c := newClock(func() time.Time { return now })
	since := flotilla.Millis(began.UnixMilli())
	want := func(what string, wallOff, mono flotilla.Millis) {
		t.Helper()
		if off := c.wall() - flotilla.Millis(now.UnixMilli()); off != wallOff || c.mono() != mono {
			t.Errorf("%s: the wall clock is off by %d and the monotonic one at %d, expected %d and %d", what, off, c.mono(), wallOff, mono)
		}
	}
	now = now.Add(time.Second)
	want("right", 0, 1000)
	c.set(Skew{OffsetMillis: -500})
	want("half a second behind", -500, 1000)
	now = now.Add(time.Second)
	c.set(Skew{OffsetMillis: -500, DriftPPM: 100_000, SinceMillis: since + 2000})
	want("a drift begins", -500, 2000)
	now = now.Add(10 * time.Second)
	want("a tenth too fast for 10 s", 500, 13_000)
	if p := c.period(110 * time.Millisecond); p != 100*time.Millisecond {
		t.Errorf("110 ms of it take %v", p)
	}
	c.set(Skew{OffsetMillis: -500})
	want("the drift is over", -500, 13_000)
	now = now.Add(time.Second)
	want("a second later", -500, 14_000)

	again := newClock(func() time.Time { return now }) // the node's next life
	again.set(Skew{DriftPPM: -100_000, SinceMillis: flotilla.Millis(now.UnixMilli()) - 5000})
	if off := again.wall() - flotilla.Millis(now.UnixMilli()); off != -500 {
		t.Errorf("a clock that ran a tenth too slow for 5 s is off by %d", off)
	}
	for _, bad := range []Skew{{OffsetMillis: MaxSkewMillis + 1}, {OffsetMillis: -MaxSkewMillis - 1}, {DriftPPM: MaxDriftPPM + 1}} {
		if bad.Check() == nil {
			t.Errorf("%+v is taken", bad)
		}
	}
}

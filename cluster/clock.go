package cluster

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"flotilla"
)

// Skew is how wrong a node's clocks are. The zero Skew is right clocks. Only a lab asks
// for another one: what a node answers must not depend on its clocks.
type Skew struct {
	// OffsetMillis is how far the wall clock is ahead, or behind if negative.
	OffsetMillis flotilla.Millis `json:"offset_ms,omitempty"`
	// DriftPPM is how much too fast all clocks run, in millionths, or too slow.
	DriftPPM int `json:"drift_ppm,omitempty"`
	// SinceMillis is when the drift began, in true time: the wall clock has been
	// running away since, however often the node was started.
	SinceMillis flotilla.Millis `json:"since_ms,omitempty"`
}

// Bounds of a Skew.
const (
	MaxSkewMillis flotilla.Millis = 24 * 60 * 60 * 1000
	MaxDriftPPM                   = 100_000
)

// Check says what is wrong with a Skew that no node would take; nil if nothing is.
func (s Skew) Check() error {
	if s.OffsetMillis < -MaxSkewMillis || s.OffsetMillis > MaxSkewMillis {
		return fmt.Errorf("a clock that is %d ms off: give up to %d", s.OffsetMillis, MaxSkewMillis)
	}
	if s.DriftPPM < -MaxDriftPPM || s.DriftPPM > MaxDriftPPM {
		return fmt.Errorf("a clock that runs %d ppm wrong: give up to %d", s.DriftPPM, MaxDriftPPM)
	}
	return nil
}

// Words says how wrong the clocks are: "right", "90 s behind", "300 ms ahead, and 200 ppm too fast".
func (s Skew) Words() string {
	var parts []string
	if s.OffsetMillis != 0 {
		size, word := s.OffsetMillis, "ahead"
		if size < 0 {
			size, word = -size, "behind"
		}
		parts = append(parts, span(size)+" "+word)
	}
	if s.DriftPPM > 0 {
		parts = append(parts, fmt.Sprintf("%d ppm too fast", s.DriftPPM))
	}
	if s.DriftPPM < 0 {
		parts = append(parts, fmt.Sprintf("%d ppm too slow", -s.DriftPPM))
	}
	if len(parts) == 0 {
		return "right"
	}
	return strings.Join(parts, ", and ")
}

// span writes a time: whole seconds as such.
func span(t flotilla.Millis) string {
	if t%1000 == 0 {
		return fmt.Sprintf("%d s", t/1000)
	}
	return fmt.Sprintf("%d ms", t)
}

// drifted is how much longer or shorter a time is on a clock that runs wrongly.
func (s Skew) drifted(t time.Duration) time.Duration {
	return t + t/1_000_000*time.Duration(s.DriftPPM)
}

// clock is where a Server reads the time: all of it, so that there is one place in
// which time can be wrong. Any goroutine may read it.
type clock struct {
	started time.Time
	now     func() time.Time // the machine's
	setting sync.Mutex       // held while faulty changes
	faulty  atomic.Pointer[faultyClock]
}

// faultyClock is a Skew, and where the monotonic clock stood when it began.
type faultyClock struct {
	Skew
	at    time.Duration // since the start, truly
	shown time.Duration // what the monotonic clock showed then
}

func newClock(now func() time.Time) *clock {
	c := &clock{started: now(), now: now}
	c.faulty.Store(&faultyClock{})
	return c
}

// set has the clocks be wrong from now on. The wall clock jumps; the monotonic one does not.
func (c *clock) set(s Skew) {
	c.setting.Lock()
	defer c.setting.Unlock()
	at := c.now().Sub(c.started)
	c.faulty.Store(&faultyClock{Skew: s, at: at, shown: c.faulty.Load().mono(at)})
}

func (f *faultyClock) mono(sinceStart time.Duration) time.Duration {
	return f.shown + f.drifted(sinceStart-f.at)
}

func (c *clock) wall() flotilla.Millis {
	f, now := c.faulty.Load(), c.now().UnixMilli()
	offset := int64(f.OffsetMillis)
	if f.DriftPPM != 0 {
		offset += (now - int64(f.SinceMillis)) * int64(f.DriftPPM) / 1_000_000
	}
	return flotilla.Millis(now + offset)
}

func (c *clock) mono() flotilla.Millis {
	return flotilla.Millis(c.faulty.Load().mono(c.now().Sub(c.started)) / time.Millisecond)
}

// period returns how long, in true time, a ticker has to wait that counts on this clock.
func (c *clock) period(t time.Duration) time.Duration {
	return t * 1_000_000 / time.Duration(1_000_000+c.faulty.Load().DriftPPM)
}

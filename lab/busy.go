package lab

import (
	"fmt"
	"sync"
	"time"
)

// busy measures for how long this machine had its programs wait for a processor: by
// how much later than asked for one of our own timers fires. A fleet that was too slow
// on a machine that was too slow has broken nothing.
type busy struct {
	stop    chan struct{} // closed by end
	once    sync.Once     // closes it
	running sync.WaitGroup
	began   time.Time
	worst   time.Duration // these two belong to the goroutine until end returned
	sum     time.Duration
}

const (
	// busyLook is how often the timer fires.
	busyLook = 20 * time.Millisecond
	// A machine was too busy if it had somebody wait for so long at a time, which is
	// about as long as leaders may be silent, or for such a share of all the time.
	tooLong  = 500 * time.Millisecond
	tooOften = 0.25
)

func startBusy() *busy {
	b := &busy{stop: make(chan struct{}), began: time.Now()}
	b.running.Go(b.measure)
	return b
}

func (b *busy) measure() {
	for {
		asked := time.Now()
		select {
		case <-b.stop:
			return
		case <-time.After(busyLook):
		}
		late := time.Since(asked) - busyLook
		b.worst, b.sum = max(b.worst, late), b.sum+late
	}
}

// end ends the measurement. It may be called again.
func (b *busy) end() {
	b.once.Do(func() { close(b.stop) })
	b.running.Wait()
}

// wasTooBusy says how a machine was that is no measure for how fast a fleet is; empty
// if it was calm enough.
func (b *busy) wasTooBusy() string {
	share := b.sum.Seconds() / max(time.Since(b.began).Seconds(), 1)
	if b.worst < tooLong && share < tooOften {
		return ""
	}
	return fmt.Sprintf("the machine was too busy to tell: it had this program wait for up to %v at a time, and for %.0f%% of the time",
		b.worst.Round(time.Millisecond), 100*share)
}

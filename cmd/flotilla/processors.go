package main

import (
	"context"
	"runtime"
	"time"
)

// A node that is not busy runs its goroutines on one thread, a busy one on all that it
// may use. With more threads than work each hand-over between goroutines wakes a
// sleeping thread, and that costs more than the hand-over; with one thread a leader
// that waits for its disk answers nobody meanwhile.
const (
	loadInterval = 200 * time.Millisecond
	busyShare    = 0.33 // of one processor: from here on all threads
	calmShare    = 0.25 // below it, for so many intervals, one
	calmCount    = 10
)

// adaptProcessors keeps GOMAXPROCS between 1 and what it is now, until ctx ends.
func adaptProcessors(ctx context.Context) error {
	most := runtime.GOMAXPROCS(0)
	if user, system := cpuSeconds(); most == 1 || user+system == 0 {
		return nil
	}
	defer runtime.GOMAXPROCS(most)
	tick := time.NewTicker(loadInterval)
	defer tick.Stop()
	var l load
	for {
		select {
		case <-ctx.Done():
			return nil
		case now := <-tick.C:
			user, system := cpuSeconds()
			if threads := l.threads(now, user+system, most); threads != runtime.GOMAXPROCS(0) {
				runtime.GOMAXPROCS(threads)
			}
		}
	}
}

// load is how busy a process was when it was last looked at.
type load struct {
	at      time.Time
	seconds float64 // of processors, used up to then
	calm    int     // intervals in a row
	isBusy  bool
}

// threads returns how many to use, now that so many seconds have been used.
func (l *load) threads(now time.Time, seconds float64, most int) int {
	share := (seconds - l.seconds) / now.Sub(l.at).Seconds()
	l.at, l.seconds = now, seconds
	l.calm++
	if share >= calmShare {
		l.calm = 0
	}
	if share >= busyShare {
		l.isBusy = true
	} else if l.calm >= calmCount {
		l.isBusy = false
	}
	if l.isBusy {
		return most
	}
	return 1
}

package transport

import (
	"container/heap"
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

// line applies the fault of one direction in real time: frames wait in it for their
// time to arrive. While it is healthy and empty, frames go past it. A nil line
// is one of a node that was not started for a lab: always healthy.
type line struct {
	deliver func(frame []byte)
	began   time.Time
	wake    chan struct{} // holds one token: there is a new parcel, or one is due sooner

	mu       sync.Mutex // guards what follows
	fault    Fault
	changed  chan struct{} // closed by set, when fault is another; then there is a new one
	chance   *rand.Rand
	waiting  parcels
	bytes    int
	isBusy   bool // run is delivering: what comes now must queue behind
	last     time.Duration
	sequence uint64
	dropped  uint64
}

func newLine(chance *rand.Rand, deliver func([]byte)) *line {
	return &line{deliver: deliver, began: time.Now(), wake: make(chan struct{}, 1), changed: make(chan struct{}), chance: chance}
}

func (l *line) set(fault Fault) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fault == fault {
		return
	}
	l.fault = fault
	close(l.changed)
	l.changed = make(chan struct{})
	if !fault.Cut { // what is on its way when the way is cut is no worse off than if it had gone at once
		l.hurryLocked(time.Since(l.began) + fault.delay() + time.Duration(fault.JitterMillis)*time.Millisecond)
	}
}

// hurryLocked has all that waits arrive by then, in the order in which it was sent where that is sooner than
// it was due: a node that was slow for long is not so any more once that is mended.
func (l *line) hurryLocked(latest time.Duration) {
	for i := range l.waiting {
		l.waiting[i].due = min(l.waiting[i].due, latest)
	}
	heap.Init(&l.waiting)
	l.last = min(l.last, latest)
	l.nudge()
}

// nudge has run look at what waits.
func (l *line) nudge() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

func (l *line) current() Fault {
	if l == nil {
		return Fault{}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.fault
}

// hold waits as long as what is sent now is delayed, less if that changes meanwhile, and returns what is
// wrong then; false if ctx ended.
func (l *line) hold(ctx context.Context) (Fault, bool) {
	if l == nil {
		return Fault{}, ctx.Err() == nil
	}
	began := time.Now()
	for {
		l.mu.Lock()
		fault, changed := l.fault, l.changed
		l.mu.Unlock()
		left := fault.delay() - time.Since(began)
		if fault.Cut || left <= 0 {
			return fault, ctx.Err() == nil
		}
		waiting, cancel := context.WithTimeout(ctx, left)
		select {
		case <-changed:
		case <-waiting.Done():
		}
		cancel()
		if ctx.Err() != nil {
			return fault, false
		}
	}
}

func (l *line) droppedCount() uint64 {
	if l == nil {
		return 0
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.dropped
}

// take returns false if the frame may go its usual way; else the line has taken
// it, or dropped it.
func (l *line) take(frame []byte) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fault == (Fault{}) && len(l.waiting) == 0 && !l.isBusy {
		return false
	}
	var arrivals []time.Duration
	arrivals, l.last = l.fault.fate(l.chance, time.Since(l.began), l.last)
	if len(arrivals) == 0 || l.bytes+len(frame)*len(arrivals) > MaxQueueBytes {
		l.dropped++
		return true
	}
	for _, due := range arrivals {
		l.sequence++
		l.bytes += len(frame)
		heap.Push(&l.waiting, parcel{due: due, sequence: l.sequence, frame: append([]byte(nil), frame...)})
	}
	l.nudge()
	return true
}

// run delivers until ctx ends.
func (l *line) run(ctx context.Context) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for ctx.Err() == nil {
		frame, pause := l.next()
		if pause == 0 {
			l.deliver(frame)
			continue
		}
		timer.Reset(pause)
		select {
		case <-ctx.Done():
		case <-l.wake:
		case <-timer.C:
		}
	}
}

// next returns the frame that is due, or how long there is none.
func (l *line) next() (frame []byte, pause time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.isBusy = false
	if len(l.waiting) == 0 {
		return nil, time.Hour
	}
	if early := l.waiting[0].due - time.Since(l.began); early > 0 {
		return nil, early
	}
	l.isBusy = true
	frame = heap.Pop(&l.waiting).(parcel).frame
	l.bytes -= len(frame)
	return frame, 0
}

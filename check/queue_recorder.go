package check

import (
	"slices"
	"sync"
)

// QueueRecorder writes a history of queues down, as Recorder does for keys. Its methods
// may be called from any goroutine, or all from one.
type QueueRecorder struct {
	now   func() int64
	clock func() (earliest, latest int64)

	mu         sync.Mutex // guards all below
	last       int64
	operations []QueueOperation
}

// NewQueueRecorder returns a recorder that takes its times from now, as NewRecorder says,
// and from clock the least and the most that the cluster's clock may show at this moment,
// in milliseconds.
func NewQueueRecorder(now func() int64, clock func() (earliest, latest int64)) *QueueRecorder {
	return &QueueRecorder{now: now, clock: clock}
}

// Begin writes operations down that are asked for together, as ones that may happen. The
// result is for End.
func (r *QueueRecorder) Begin(all ...QueueOperation) (first int) {
	now := r.now()
	earliest, _ := r.clock()
	r.mu.Lock()
	defer r.mu.Unlock()
	first = len(r.operations)
	for _, o := range all {
		o.Begin, o.Earliest = r.stamp(now), earliest
		o.Outcome, o.End, o.Latest = Unknown, o.Begin, Always
		r.operations = append(r.operations, o)
	}
	return first
}

// End replaces what Begin wrote down by what came of it. An outcome left empty is Unknown.
func (r *QueueRecorder) End(first int, all ...QueueOperation) {
	now := r.now()
	_, latest := r.clock()
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, o := range all {
		open := &r.operations[first+i]
		o.Begin, o.Earliest, o.End, o.Latest = open.Begin, open.Earliest, r.stamp(now), latest
		if o.Outcome == "" || o.Outcome == Unknown {
			o.Outcome, o.Latest = Unknown, Always
		}
		*open = o
	}
}

// stamp returns a time that was not given out yet; see Recorder.
func (r *QueueRecorder) stamp(now int64) int64 {
	r.last = max(now, r.last+1)
	return r.last
}

// History returns what was written down so far, in order of beginning.
func (r *QueueRecorder) History() []QueueOperation {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.operations)
}

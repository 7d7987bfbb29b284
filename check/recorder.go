package check

import (
	"slices"
	"sync"
)

// Recorder writes a history down. Its methods may be called from any goroutine,
// or all from one: it starts none and waits for nothing.
type Recorder struct {
	now func() int64

	mu         sync.Mutex // guards all below
	last       int64      // the newest time that was given out
	operations []Operation
}

// NewRecorder returns a recorder that takes its times from now: nanoseconds that
// never run backwards and are the same for all clients. The time may stand still:
// a moment that was given out already is given out as a nanosecond later,
// so that what was written down one after the other is in that order.
func NewRecorder(now func() int64) *Recorder { return &Recorder{now: now} }

// Do runs one operation and writes it down. ask is given a copy, fills in what
// the client was told, and sets the outcome; an outcome left empty is Unknown.
func (r *Recorder) Do(o Operation, ask func(o *Operation)) Operation {
	i := r.begin(&o)
	ask(&o)
	if o.Outcome == "" {
		o.Outcome = Unknown
	}
	r.end(i, &o)
	return o
}

// begin writes an operation down as one that may happen: a client that never comes
// back may have changed something, too.
func (r *Recorder) begin(o *Operation) (i int) {
	now := r.now()
	r.mu.Lock()
	defer r.mu.Unlock()
	o.Begin = r.stamp(now)
	open := *o
	open.Outcome, open.End = Unknown, o.Begin
	r.operations = append(r.operations, open)
	return len(r.operations) - 1
}

// end replaces what begin wrote down.
func (r *Recorder) end(i int, o *Operation) {
	now := r.now()
	r.mu.Lock()
	defer r.mu.Unlock()
	o.Begin, o.End = r.operations[i].Begin, r.stamp(now)
	r.operations[i] = *o
}

// stamp returns a time that was not given out yet. It is taken before an operation
// is asked for and after it was answered, so that the order of two stamps never
// claims more than what was so.
func (r *Recorder) stamp(now int64) int64 {
	r.last = max(now, r.last+1)
	return r.last
}

// History returns what was written down so far, in order of beginning. What is
// still under way is there with an Unknown outcome.
func (r *Recorder) History() []Operation {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.operations)
}

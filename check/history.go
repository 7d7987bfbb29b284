package check

import (
	"slices"
	"sync"
)

// Kind says what an operation asked for.
type Kind string

// The kinds. A key is a register, a counter or a set, and never two of them.
const (
	// Read returns a register's Value; none if Found is false.
	Read Kind = "read"
	// Write stores Value in a register.
	Write Kind = "write"
	// Delete empties a register.
	Delete Kind = "delete"
	// CompareAndSet stores Value if the register holds Expect; Changed says whether
	// it did. One that did not says nothing about the register: WATCH and
	// EXEC also give up when a value was changed and changed back.
	CompareAndSet Kind = "compare-and-set"
	// Add adds Number to a counter and returns Total.
	Add Kind = "add"
	// Count returns a counter's Total.
	Count Kind = "count"
	// Insert puts Value into a set; Changed says whether it is new there.
	Insert Kind = "insert"
	// Remove takes Value out of a set; Changed says whether it was there.
	Remove Kind = "remove"
	// Members returns all Values of a set.
	Members Kind = "members"
)

// Outcome says what a client knows of its operation.
type Outcome string

// The outcomes.
const (
	// Known operations were answered.
	Known Outcome = "known"
	// Unknown operations may have happened, may still happen, or may not.
	Unknown Outcome = "unknown"
	// Refused operations certainly did not happen and never will.
	Refused Outcome = "refused"
)

// Operation is what one client asked of one key, and what came of it.
type Operation struct {
	Client int
	Key    string
	Kind   Kind

	Value  string // what was asked to be stored, or what was read
	Expect string // for CompareAndSet
	Number int64  // for Add

	Outcome Outcome
	Found   bool     // Read
	Changed bool     // CompareAndSet, Insert, Remove
	Total   int64    // Add, Count
	Values  []string // Members

	Begin int64 // nanoseconds on one clock for all clients
	End   int64 // of no meaning if the outcome is Unknown
}

// isRead reports whether the operation changes nothing.
func (o Operation) isRead() bool { return o.Kind == Read || o.Kind == Count || o.Kind == Members }

// Recorder writes a history down. Its methods may be called from any goroutine.
type Recorder struct {
	now func() int64

	mu         sync.Mutex // guards operations
	operations []Operation
}

// NewRecorder returns a recorder that takes its times from now: nanoseconds that
// never run backwards and are the same for all clients.
func NewRecorder(now func() int64) *Recorder { return &Recorder{now: now} }

// Do runs one operation and writes it down. ask is given a copy, fills in what
// the client was told, and sets the outcome; an outcome left empty is Unknown.
func (r *Recorder) Do(o Operation, ask func(o *Operation)) Operation {
	o.Begin = r.now()
	ask(&o)
	o.End = r.now()
	if o.Outcome == "" {
		o.Outcome = Unknown
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.operations = append(r.operations, o)
	return o
}

// History returns what was written down so far, in order of beginning.
func (r *Recorder) History() []Operation {
	r.mu.Lock()
	all := slices.Clone(r.operations)
	r.mu.Unlock()
	slices.SortStableFunc(all, func(a, b Operation) int {
		switch {
		case a.Begin < b.Begin:
			return -1
		case a.Begin > b.Begin:
			return 1
		}
		return 0
	})
	return all
}

// byKey splits a history; the keys are returned in order.
func byKey(history []Operation) (keys []string, of map[string][]Operation) {
	of = map[string][]Operation{}
	for _, o := range history {
		if _, ok := of[o.Key]; !ok {
			keys = append(keys, o.Key)
		}
		of[o.Key] = append(of[o.Key], o)
	}
	slices.Sort(keys)
	return keys, of
}

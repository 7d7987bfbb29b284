package lab

import (
	"sync"
	"time"

	"flotilla"
	"flotilla/check"
)

// quiet measures for how long each node answered nothing that was asked of each group
// through it: from the beginning of an operation without an answer to the end of the
// last such one in a row. While nobody asks, nobody is silent.
type quiet struct {
	groups int

	mu      sync.Mutex      // guards all below
	since   []time.Time     // by node and group; zero: the last operation was answered
	longest []time.Duration // by node and group
	last    time.Time       // when anybody answered anything
	gap     time.Duration   // the longest time in which nobody answered anything
}

func newQuiet(nodes, groups int, now time.Time) *quiet {
	return &quiet{groups: groups, since: make([]time.Time, nodes*groups), longest: make([]time.Duration, nodes*groups), last: now}
}

// heard notes what became of an operation.
func (q *quiet) heard(node int, o check.Operation, begin, end time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	isAnswered := o.Outcome == check.Known
	if isAnswered {
		q.gap, q.last = max(q.gap, end.Sub(q.last)), end
	}
	if o.Kind == check.Transaction {
		o.Key = o.Parts[0].Key
	}
	if o.Key == "" {
		return // a key that empties itself: no part of the history
	}
	i := node*q.groups + q.groupOf(o.Key)
	switch {
	case isAnswered:
		q.since[i] = time.Time{}
	case q.since[i].IsZero():
		q.since[i] = begin
	}
	if !isAnswered {
		q.longest[i] = max(q.longest[i], end.Sub(q.since[i]))
	}
}

// groupOf returns the place of a key's group among those that own slots. A new fleet
// has dealt them out evenly, in order.
func (q *quiet) groupOf(key string) int {
	return int(flotilla.SlotOf([]byte(key))) * q.groups / flotilla.Slots
}

// end counts the time without an answer at the end, too.
func (q *quiet) end(now time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.gap, q.last = max(q.gap, now.Sub(q.last)), now
}

package lab

import (
	"cmp"
	"sync"
	"time"

	"flotilla"
	"flotilla/check"
	"flotilla/scenario"
)

// quiet measures for how long nothing was answered that was asked of each group: through each
// node if clients stay with theirs, or else by anybody. Of each kind of operation by itself.
type quiet struct {
	groups int
	stays  bool

	mu      sync.Mutex // guards all below
	began   time.Time
	silence check.Silence
	longest []time.Duration // by node, or for all together, and group
	mute    []time.Duration // by node, or for all together: without an answer to anything that was asked
	last    time.Time       // when anybody answered anything
	gap     time.Duration   // the longest time in which nobody answered anything
}

func newQuiet(o LoadOptions, now time.Time) *quiet {
	q := &quiet{groups: max(o.Groups, 1), stays: o.Stays, began: now, last: now}
	q.silence.Idle = cmp.Or(o.Silence, time.Duration(scenario.MaxSilence)*time.Millisecond) / 2
	q.mute = make([]time.Duration, 1+q.place(max(len(o.Addresses), 1)-1))
	q.longest = make([]time.Duration, q.groups*len(q.mute))
	return q
}

// place is a node's place among those of which silence is demanded each for itself.
func (q *quiet) place(node int) int {
	if q.stays {
		return node
	}
	return 0
}

// heard notes what became of an operation of a client, which has a number.
func (q *quiet) heard(client, node int, o check.Operation, begin, end time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	isAnswered := o.Outcome == check.Known
	if isAnswered {
		q.gap, q.last = max(q.gap, end.Sub(q.last)), end
	}
	need := o.Need()
	if o.Kind == check.Transaction {
		o.Key = o.Parts[0].Key
	}
	asked := check.Asked{Who: q.place(node), Group: q.groupOf(o.Key), Need: need}
	ofKind, ofAll := q.silence.Heard(client, asked, isAnswered, begin.Sub(q.began), end.Sub(q.began))
	i := asked.Who*q.groups + asked.Group
	q.longest[i], q.mute[asked.Who] = max(q.longest[i], ofKind.Long), max(q.mute[asked.Who], ofAll.Long)
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

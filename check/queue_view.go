package check

import (
	"math"
	"slices"
)

// queueView is a history of queues, looked at by message.
type queueView struct {
	Verdict
	all      []QueueOperation
	rules    map[string]QueueRules
	messages map[string]*message
	bodies   []string // of messages, in order of their first operation
	leases   map[string]*lease
	// Of each queue, in order of beginning.
	lost     map[string][]*QueueOperation // receives whose answers nobody had
	receives map[string][]*QueueOperation // the others
	purges   map[string][]*QueueOperation
	moves    []*QueueOperation          // of all queues
	repeats  map[once][]*QueueOperation // sends with a deduplication id
	whole    []*QueueOperation          // tallies
	strays   []*QueueOperation          // with handles that nobody was given
	end      int64                      // what the cluster's clock may have shown at last
}

// message is all that is known of one body.
type message struct {
	body   string
	sends  []*QueueOperation // that may have happened
	others []*QueueOperation // sends that did not
	leases []*lease          // in order of when they were answered first
}

// lease is one that somebody was given, with all that was done with its handle.
type lease struct {
	Delivery
	queue   string
	message *message
	given   *QueueOperation // the first receive that it was given to
	again   []renewal       // in order of beginning: what may have given it another end
	stolen  *QueueOperation // a receive that was given the lease as well, and had not asked for that
	settles []*QueueOperation
	changes []*QueueOperation
}

// renewal is another end that a lease may have been given.
type renewal struct {
	by    *QueueOperation
	until int64
}

func newQueueView(history []QueueOperation, rules map[string]QueueRules) *queueView {
	v := &queueView{Verdict: Verdict{start: math.MaxInt64}, all: slices.Clone(history), rules: rules, messages: map[string]*message{},
		leases: map[string]*lease{}, lost: map[string][]*QueueOperation{}, purges: map[string][]*QueueOperation{}, repeats: map[once][]*QueueOperation{},
		receives: map[string][]*QueueOperation{}}
	slices.SortStableFunc(v.all, func(a, b QueueOperation) int { return int(min(max(a.Begin-b.Begin, -1), 1)) })
	queues := map[string]bool{}
	for i := range v.all {
		o := &v.all[i]
		v.start = min(v.start, o.Begin)
		queues[o.Queue] = true
		if o.Outcome == Known {
			v.end = max(v.end, o.Latest)
		}
		v.count(o.Outcome)
		v.add(o)
	}
	for i := range v.all {
		v.addByHandle(&v.all[i])
	}
	v.Keys = len(queues)
	return v
}

// add takes in an operation, but for those by handle: the receive that a handle is from
// may be answered after it began.
func (v *queueView) add(o *QueueOperation) {
	switch o.Kind {
	case Send:
		m := v.message(o.Body)
		if o.mayHaveHappened() {
			m.sends = append(m.sends, o)
			v.addRepeat(o)
		} else {
			m.others = append(m.others, o)
		}
	case Receive:
		if o.Outcome == Unknown {
			v.lost[o.Queue] = append(v.lost[o.Queue], o)
		} else if o.isSure() {
			v.receives[o.Queue] = append(v.receives[o.Queue], o)
		}
		for _, d := range o.Deliveries {
			v.deliver(o, d)
		}
	case Purge:
		if o.mayHaveHappened() {
			v.purges[o.Queue] = append(v.purges[o.Queue], o)
		}
	case Move:
		if o.mayHaveHappened() {
			v.moves = append(v.moves, o)
		}
	case Tally:
		v.whole = append(v.whole, o)
	}
}

func (v *queueView) addRepeat(o *QueueOperation) {
	if o.Duplicate != "" {
		key := once{o.Queue, o.Duplicate}
		v.repeats[key] = append(v.repeats[key], o)
	}
}

func (v *queueView) message(body string) *message {
	m := v.messages[body]
	if m == nil {
		m = &message{body: body}
		v.messages[body] = m
		v.bodies = append(v.bodies, body)
	}
	return m
}

// deliver takes in what a receive was given: a new lease, or once more one that there is.
func (v *queueView) deliver(o *QueueOperation, d Delivery) {
	if l := v.leases[d.Handle]; l != nil {
		l.again = append(l.again, renewal{o, end(o, d.VisibleAt)})
		if o.Attempt == "" || o.Attempt != l.given.Attempt {
			l.stolen = o
		}
		return
	}
	m := v.message(d.Body)
	l := &lease{Delivery: d, queue: o.Queue, message: m, given: o}
	v.leases[d.Handle] = l
	m.leases = append(m.leases, l)
}

// end is when a lease ends that an operation began, at the earliest.
func end(o *QueueOperation, told int64) int64 {
	if told > 0 {
		return told
	}
	return o.Earliest + o.Visibility
}

func (v *queueView) addByHandle(o *QueueOperation) {
	if o.Kind != Settle && o.Kind != Change {
		return
	}
	l := v.leases[o.Handle]
	switch {
	case l == nil:
		v.strays = append(v.strays, o)
	case o.Kind == Settle:
		l.settles = append(l.settles, o)
	default:
		l.changes = append(l.changes, o)
		if o.mayHaveHappened() {
			l.again = append(l.again, renewal{o, end(o, 0)})
		}
	}
}

// after reports whether a lease surely began after another one of the same message. The
// count tells, as long as the message is the same one in the same queue.
func (l *lease) after(other *lease) bool {
	if l.isOfSame(other) && l.Count != other.Count {
		return l.Count > other.Count
	}
	return other.given.before(l.given)
}

// isOfSame reports whether two leases are of one message that was not moved between.
func (l *lease) isOfSame(other *lease) bool {
	return l.queue == other.queue && l.MessageID == other.MessageID
}

// endFor is when the lease may have ended by itself or by a change, at the earliest, as
// far as that can matter to an operation. One without answer may shorten it at any time.
func (l *lease) endFor(o *QueueOperation) int64 {
	until, shortest := end(l.given, l.VisibleAt), int64(Always)
	for _, r := range l.again {
		switch {
		case r.by == o || o.Outcome == Known && r.by.Begin >= o.End:
		case r.by.before(o):
			until = r.until
		default:
			shortest = min(shortest, r.until)
		}
	}
	return min(until, shortest)
}

// superseded returns a lease that was surely given to somebody after this one and before
// an operation; else nil.
func (l *lease) superseded(o *QueueOperation) *lease {
	for _, other := range l.message.leases {
		if other != l && (other.isOfSame(l) || l.message.isOnce()) && other.after(l) && other.given.before(o) {
			return other
		}
	}
	return nil
}

// isOnce reports whether all that is known of the message is of one and the same.
func (m *message) isOnce() bool { return len(m.sends) <= 1 }

// mayBeMoved reports whether a message may have been moved out of a queue by somebody
// who asked for that, before an operation ended.
func (v *queueView) mayBeMoved(o *QueueOperation) bool {
	return slices.ContainsFunc(v.moves, func(m *QueueOperation) bool { return o.Outcome != Known || m.Begin < o.End })
}

// removals are operations that may have removed a message, or nil: the deletes that were
// not surely too late. Purges are not among them.
func (m *message) removals() (all []*QueueOperation) {
	for _, l := range m.leases {
		for _, s := range l.settles {
			if s.mayHaveHappened() && l.superseded(s) == nil {
				all = append(all, s)
			}
		}
	}
	return all
}

// dead returns the queues that a message may reach from one, that one first.
func (v *queueView) reach(queue string) (all []string) {
	for queue != "" && !slices.Contains(all, queue) {
		all = append(all, queue)
		queue = v.rules[queue].DeadQueue
	}
	return all
}

package queue

import (
	"math/bits"
	"strconv"

	"flotilla"
)

// standing is what a receipt handle is good for.
type standing int

const (
	isGone       standing = iota // the message is not here any more
	isSuperseded                 // somebody else has received the message since, or it went to another queue
	isOver                       // the lease ran out, but nobody else has received it
	isLive
)

// find returns what a receipt handle stands for; err if it never was one of the queue.
func (e *entry) find(q *queue, text string) (h handle, l lease, s standing, err *Error) {
	h, ok := q.parseHandle(text)
	if !ok {
		return h, l, isGone, &Error{Code: CodeReceiptHandleIsInvalid, Message: messageReceiptHandleInvalid}
	}
	if h.gen != q.gen {
		return h, l, isGone, nil
	}
	value, ok := e.r.Get(e.numberKey(q, spaceLease, h.number))
	if !ok {
		if _, isMoved := e.r.Get(e.numberKey(q, spaceMoved, h.number)); isMoved {
			return h, l, isSuperseded, nil
		}
		return h, l, isGone, nil
	}
	e.coder.mustDecode(value, &l)
	switch {
	case l.token != h.token:
		return h, l, isSuperseded, nil
	case l.state != stateLeased || l.at <= e.now:
		return h, l, isOver, nil
	}
	return h, l, isLive, nil
}

// refusal says whether a lease that is not live may not be used: FIFO queues insist
// on a live one, and with Fencing=strict all on one that was not superseded.
func refusal(q *queue, s standing) *Error {
	isStrict := q.settings.values[fencing] == 1
	if s == isSuperseded && (isStrict || q.settings.isFIFO()) || s == isOver && q.settings.isFIFO() {
		return invalid("Value for parameter ReceiptHandle is invalid. Reason: " + messageExpiredHandle)
	}
	return nil
}

// lost says what is wrong with a lease that is not live, in codes of our own; nil if
// it may be used all the same.
func lost(q *queue, s standing) *Error {
	switch {
	case s == isGone:
		return &Error{Code: CodeMessageGone, Message: "The message is not in the queue any more: it was deleted, purged, or became too old."}
	case s == isSuperseded:
		return &Error{Code: CodeLeaseSuperseded, Message: "The lease ended, and somebody else has received the message since, or it went to another queue."}
	case s == isOver && q.settings.isFIFO():
		return &Error{Code: CodeLeaseOver, Message: "The lease ran out."}
	}
	return nil
}

func (e *entry) deleteBatch(c *DeleteMessageBatch) (Reply, *Error) {
	return settleEach(e, c.QueueName, c.Entries, e.delete)
}

// settleEach does something with each entry of a batch, whatever becomes of the others.
func settleEach[E any](e *entry, queueName string, entries []E, one func(q *queue, of *E) *Error) (Reply, *Error) {
	q, err := e.whole(queueName)
	if err != nil {
		return nil, err
	}
	if err := checkBatch(len(entries)); err != nil {
		return nil, err
	}
	reply := &Settled{Errors: make([]Error, len(entries))}
	for i := range entries {
		if err := one(q, &entries[i]); err != nil {
			reply.Errors[i] = *err
		}
	}
	return reply, nil
}

// delete removes a message whose lease is live, or over but not superseded.
func (e *entry) delete(q *queue, d *DeleteEntry) *Error {
	if len(d.Result) > MaxResultBytes {
		return invalid("Result must be at most 262144 bytes.")
	}
	h, l, s, err := e.find(q, d.ReceiptHandle)
	if err != nil {
		return err
	}
	if s == isSuperseded || s == isOver && q.settings.isFIFO() {
		q.changed().Stale++
	}
	if err := lost(q, s); err != nil && d.TellsLost {
		return err
	}
	if err := refusal(q, s); err != nil {
		return err
	}
	if s == isGone || s == isSuperseded {
		return nil
	}
	q.changed().Deleted++
	if q.mayKnowJobs() {
		status := JobSucceeded
		if d.IsFailure {
			status = JobFailed
		}
		e.endJob(q, h.number, e.body(q, h.number), status, d.Result)
	}
	e.drop(q, h.number, l.lane, &l)
	return nil
}

func (e *entry) changeBatch(c *ChangeMessageVisibilityBatch) (Reply, *Error) {
	if c.RetryDelaySeconds < 0 || c.RetryDelaySeconds > MaxRetryDelaySeconds {
		return nil, invalid("The delay of a message that is given back must be from 0 to 43200 seconds.")
	}
	delay := flotilla.Millis(c.RetryDelaySeconds) * 1000
	return settleEach(e, c.QueueName, c.Entries, func(q *queue, v *VisibilityEntry) *Error { return e.change(q, v, delay) })
}

// change gives a lease another end; with an end that is now, the message is given back, for
// others after the delay. A lease that is over, but not superseded, begins again on a
// standard queue: nobody else has the message.
func (e *entry) change(q *queue, v *VisibilityEntry, delay flotilla.Millis) *Error {
	if v.VisibilityTimeout < 0 || v.VisibilityTimeout > MaxVisibilitySeconds {
		return badVisibility(v.VisibilityTimeout)
	}
	h, l, s, err := e.find(q, v.ReceiptHandle)
	if err != nil {
		return err
	}
	if s == isSuperseded || s == isOver && q.settings.isFIFO() {
		q.changed().Stale++
	}
	if err := lost(q, s); err != nil && v.TellsLost {
		return err
	}
	if err := refusal(q, s); err != nil {
		return err
	}
	if s == isGone || s == isSuperseded {
		return invalid("Value for parameter ReceiptHandle is invalid. Reason: " + messageNotAvailable)
	}
	until := e.now + flotilla.Millis(v.VisibilityTimeout)*1000
	if until > l.leased+MaxVisibilitySeconds*1000 {
		return invalid("Value " + strconv.FormatInt(v.VisibilityTimeout, 10) + " for parameter VisibilityTimeout is invalid. " +
			"Reason: Total VisibilityTimeout for the message is beyond the limit [43200 seconds].")
	}
	if s == isOver && l.state != stateLeased {
		return e.leaseAgain(q, h.number, &l, until)
	}
	if v.VisibilityTimeout == 0 {
		e.disarm(timer{at: l.at, gen: q.gen, kind: timerMessage, number: h.number})
		e.giveBack(q, h.number, &l, delay)
		return nil
	}
	e.extend(q, h.number, &l, until)
	return nil
}

// leaseAgain begins a lease anew that ran out, if a receive could be given one. With an end that
// is now, nothing changes.
func (e *entry) leaseAgain(q *queue, number uint64, l *lease, until flotilla.Millis) *Error {
	if until <= e.now {
		return nil
	}
	lane := e.lane(q, l.lane)
	if q.counters.Leased >= MaxInFlight || q.isAtCap() || e.isAtCap(q, lane.group) {
		return &Error{Code: CodeMessageNotInflight, Message: "The specified message isn't in flight."}
	}
	e.leave(q, lane, number, l)
	l.state, l.at = stateLeased, until
	lane.held++
	q.changed().Leased++
	e.arm(timer{at: until, gen: q.gen, kind: timerMessage, number: number})
	e.count(q, lane.group, l)
	e.saveLease(q, number, l)
	e.settle(q, lane)
	if l.isCounted {
		e.settleGroup(q, e.groupFor(q, lane.group))
	}
	return nil
}

// leave takes a message out of the state that it is in; it then is in none.
func (e *entry) leave(q *queue, lane *lane, number uint64, l *lease) {
	n := q.changed()
	if l.state == stateReady {
		e.remove(q.ready(lane), number)
		lane.ready--
		n.Ready--
		return
	}
	e.disarm(timer{at: l.at, gen: q.gen, kind: timerMessage, number: number})
	switch l.state {
	case stateDelayed:
		lane.delayed--
		n.Delayed--
	case stateRetry:
		lane.held--
		n.Delayed--
	case stateLeased:
		lane.held--
		e.freed(q, lane, l)
	}
}

// freed counts one lease less, after its lane did. Who was given less because of the cap
// may have more now.
func (e *entry) freed(q *queue, lane *lane, l *lease) {
	e.uncount(q, lane.group, l)
	q.changed().Leased--
	if q.isCapped {
		q.isCapped, q.hasNews = false, true
	}
}

// drop removes a message for good.
func (e *entry) drop(q *queue, number, laneNumber uint64, l *lease) {
	lane := e.lane(q, laneNumber)
	e.leave(q, lane, number, l)
	e.remove(q.live(), number)
	e.tx.Delete(e.numberKey(q, spaceBody, number))
	e.tx.Delete(e.numberKey(q, spaceLease, number))
	e.settle(q, lane)
}

// messageDue does what the end of a message's delay or lease brings.
func (e *entry) messageDue(q *queue, number uint64) {
	l := e.lease(q, number)
	if l.state == stateLeased {
		q.changed().LeasesEnded++
		if e.tx.Emit != nil { // else its body need not be read
			e.happened(q, number, e.body(q, number), KindLapsed, l.token, "")
		}
		e.giveBack(q, number, &l, 0)
		return
	}
	lane := e.lane(q, l.lane)
	if l.state == stateDelayed {
		lane.delayed--
	} else {
		lane.held--
	}
	q.changed().Delayed--
	l.state = stateReady
	e.saveLease(q, number, &l)
	e.makeReady(q, lane, number)
}

// giveBack ends a lease whose timer is not set any more: the message is dead if it
// was received too often, or ready: after the delay, or if that is 0, at once or after the
// backoff.
func (e *entry) giveBack(q *queue, number uint64, l *lease, delay flotilla.Millis) {
	lane := e.lane(q, l.lane)
	lane.held--
	e.freed(q, lane, l)
	wait := delay
	if wait == 0 {
		wait = e.backoff(q, number, l.receives)
	}
	if wait > 0 {
		l.state, l.at = stateRetry, e.now+wait
		lane.held++
		q.changed().Delayed++
		e.arm(timer{at: l.at, gen: q.gen, kind: timerMessage, number: number})
		e.saveLease(q, number, l)
		e.settle(q, lane)
	} else {
		l.state = stateReady
		e.saveLease(q, number, l)
		e.makeReady(q, lane, number)
	}
	if e.isDead(q, l) { // it waits, or is ready, if there is nowhere to go
		e.bury(q, number, e.body(q, number), l)
	}
}

// backoff returns how long a message waits after so many receives. The jitter takes
// off a part of up to so many percent, chosen by the command's version.
func (e *entry) backoff(q *queue, number, receives uint64) flotilla.Millis {
	v := &q.settings.values
	wait := v[retryBackoffSeconds] * 1000
	switch v[retryBackoff] {
	case backoffFixed:
	case backoffExponential:
		for i := uint64(1); i < receives && wait < v[retryBackoffMaxSeconds]*1000; i++ {
			wait *= 2
		}
	default:
		return 0
	}
	wait = min(wait, v[retryBackoffMaxSeconds]*1000)
	part := uint64(wait) * uint64(v[retryBackoffJitter]) / 100
	chosen, _ := bits.Mul64(mix(e.tx.Version()^mix(number)), part+1)
	return flotilla.Millis(wait - int64(chosen))
}

// mix is SplitMix64's finalizer: each bit of the result depends on each bit of n.
func mix(n uint64) uint64 {
	n ^= n >> 30
	n *= 0xbf58476d1ce4e5b9
	n ^= n >> 27
	n *= 0x94d049bb133111eb
	return n ^ n>>31
}

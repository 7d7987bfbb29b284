package queue

import (
	"cmp"

	"flotilla"
)

// isDead reports whether a message was received as often as it may be.
func (e *entry) isDead(q *queue, l *lease) bool {
	return q.settings.deadTarget != "" && l.receives >= uint64(q.settings.maxReceives)
}

// bury moves a message that is not leased to the queue for dead messages. If that is gone, or
// was in another group a moment ago, the message stays.
func (e *entry) bury(q *queue, number uint64, m *body, l *lease) bool {
	moved := *m
	if moved.id == "" {
		moved.id = q.messageID(number)
	}
	moved.deadSource, _ = baseOf(q.queueRecord.name)
	moved.receives, moved.first = moved.receives+l.receives, cmp.Or(moved.first, l.first)
	grave := way{to: q.settings.deadTarget, isElsewhere: q.settings.isDeadElsewhere && q.deadAgainAt <= e.now}
	if !e.move(q, number, m, l, &moved, grave) {
		return false
	}
	q.changed().Dead++
	e.happened(q, number, m, KindDead, l.token, q.settings.deadTarget)
	e.endJob(q, number, m, JobDead, nil)
	return true
}

// way is where a message goes, and by which move task, if by one: see posted.
type way struct {
	to          string
	isElsewhere bool // it may be in another group
	task        uint64
}

// move takes a message that is not leased out of its queue and puts moved into another,
// if there is one of that name and of the same type: here, or perhaps in another group.
func (e *entry) move(q *queue, number uint64, m *body, l *lease, moved *body, w way) bool {
	target := e.queue(w.to)
	from, _ := baseOf(q.queueRecord.name)
	switch {
	case target == nil && !w.isElsewhere || w.to == from || isFIFOName(w.to) != q.settings.isFIFO():
		return false
	case target != nil && target.isSpread():
		e.depart(q, number, m.lane, l)
		e.forward(target, moved)
	case target != nil:
		e.depart(q, number, m.lane, l)
		e.arrive(target, moved)
	default:
		p := posted{gen: q.gen, receives: l.receives, source: m.deadSource, message: encode(nil, moved), task: w.task}
		e.depart(q, number, m.lane, l)
		e.post(w.to, p)
	}
	return true
}

// movedMillis is how long the handles of a message that went to another queue are known.
const movedMillis = movedHours * 3600_000

// depart is drop for a message that goes to another queue. If anybody may have a handle of it,
// that is one of a lease that was superseded from now on: see find. Such memories end by the
// second, so that many share a timer.
func (e *entry) depart(q *queue, number, laneNumber uint64, l *lease) {
	if l.token != 0 {
		e.tx.Set(e.numberKey(q, spaceMoved, number), nil)
		e.arm(timer{at: (e.now + movedMillis + 999) / 1000 * 1000, gen: q.gen, kind: timerMoved, number: number})
	}
	e.drop(q, number, laneNumber, l)
}

// arrive puts a message of another queue into one that is not spread.
func (e *entry) arrive(q *queue, m *body) {
	m.arrived = e.now
	number := q.nextNumber
	e.put(q, m, e.now)
	e.happened(q, number, m, KindArrived, 0, m.deadSource)
}

// retention is how long a queue keeps a message.
func (e *entry) retention(q *queue) flotilla.Millis {
	return flotilla.Millis(q.settings.values[messageRetentionPeriod]) * 1000
}

// expiry returns when a message is too old. One that was moved to a standard queue
// keeps the age that it had, as on SQS; waiting for its schedule was no part of that.
func (e *entry) expiry(q *queue, m *body) flotilla.Millis {
	if m.deadSource != "" && !q.settings.isFIFO() {
		return max(m.sent, m.due) + e.retention(q)
	}
	return m.arrived + e.retention(q)
}

// expireOne removes a message that came with an older date, once it is too old.
func (e *entry) expireOne(q *queue, number uint64) {
	m := e.findBody(q, number)
	if m == nil {
		return
	}
	if at := e.expiry(q, m); at > e.now { // the queue keeps messages longer by now
		e.arm(timer{at: at, gen: q.gen, kind: timerExpiry, number: number})
		return
	}
	e.expire(q, number, m)
}

func (e *entry) expire(q *queue, number uint64, m *body) {
	l := e.lease(q, number)
	q.changed().Expired++
	e.happened(q, number, m, KindExpired, l.token, "")
	e.endJob(q, number, m, JobExpired, nil)
	e.drop(q, number, m.lane, &l)
}

// sweepBy makes sure that the queue is swept at a time, or before.
func (e *entry) sweepBy(q *queue, at flotilla.Millis) {
	if q.sweepAt != 0 && q.sweepAt <= at {
		return
	}
	if q.sweepAt != 0 {
		e.disarm(timer{at: q.sweepAt, gen: q.gen, kind: timerSweep})
	}
	q.sweepAt, q.isHeaderChanged = at, true
	e.arm(timer{at: at, gen: q.gen, kind: timerSweep})
}

// sweep removes what is too old, limit at most of each kind, and sees to it that the
// rest is swept in time.
func (e *entry) sweep(q *queue, limit int) (work int) {
	for ; work < limit; work++ {
		number, ok := e.next(q.live(), 0)
		if !ok {
			break
		}
		m := e.body(q, number)
		if m.arrived+e.retention(q) > e.now {
			break
		}
		e.expire(q, number, m)
	}
	forgotten, _ := e.forget(q, limit)
	jobs, _ := e.forgetJobs(q, limit)
	e.sweepLater(q)
	return work + forgotten + jobs
}

// sweepLater sets the timer for the next sweep.
func (e *entry) sweepLater(q *queue) {
	if number, ok := e.next(q.live(), 0); ok {
		e.sweepBy(q, max(e.now, e.body(q, number).arrived+e.retention(q)))
	}
	if _, next := e.forget(q, 0); next != flotilla.Never {
		e.sweepBy(q, next)
	}
	if _, next := e.forgetJobs(q, 0); next != flotilla.Never {
		e.sweepBy(q, next)
	}
}

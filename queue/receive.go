package queue

import (
	"cmp"
	"strconv"

	"flotilla"
)

func (e *entry) receive(c *ReceiveMessage) (Reply, *Error) {
	q, err := e.whole(c.QueueName)
	if err != nil {
		return nil, err
	}
	if c.MaxNumberOfMessages < 1 || c.MaxNumberOfMessages > MaxBatchEntries {
		return nil, invalid("Value " + strconv.FormatInt(c.MaxNumberOfMessages, 10) +
			" for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and 10, if provided.")
	}
	visibility := c.VisibilityTimeout
	if visibility < 0 {
		visibility = q.settings.values[visibilityTimeout]
	}
	if visibility > MaxVisibilitySeconds {
		return nil, badVisibility(visibility)
	}
	if c.ReceiveRequestAttemptID != "" && (!q.settings.isFIFO() || !isID(c.ReceiveRequestAttemptID)) {
		return nil, invalid("Value for parameter ReceiveRequestAttemptId" + notForThisType)
	}
	until := e.now + flotilla.Millis(visibility)*1000
	reply := &Received{WaitTimeSeconds: q.settings.values[receiveWaitSeconds]}
	if c.ReceiveRequestAttemptID != "" {
		if reply.Messages = e.giveAgain(q, c.ReceiveRequestAttemptID, until); reply.Messages != nil {
			return reply, nil
		}
	}
	most, err := e.room(q, uint64(c.MaxNumberOfMessages))
	if err != nil {
		return nil, err
	}
	reply.Messages = e.take(q, most, until)
	if c.ReceiveRequestAttemptID != "" && len(reply.Messages) > 0 {
		s := seen{}
		for _, m := range reply.Messages {
			s.given = append(s.given, given{number: m.number, token: m.Token, until: m.VisibleAt})
		}
		e.remember(q, attemptKey(q, c.ReceiveRequestAttemptID), s)
	}
	return reply, nil
}

func badVisibility(seconds int64) *Error {
	return invalid("Value " + strconv.FormatInt(seconds, 10) +
		" for parameter VisibilityTimeout is invalid. Reason: VisibilityTimeout must be an integer between 0 and 43200.")
}

// room returns how many messages a receive may be given, of those that it asks for.
func (e *entry) room(q *queue, asked uint64) (uint64, *Error) {
	leased := q.counters.Leased
	if !q.settings.isFIFO() {
		if leased >= MaxInFlight && q.counters.Ready > 0 {
			return 0, &Error{Code: CodeOverLimit, Message: "Too many messages in flight: " + strconv.FormatUint(MaxInFlight, 10) + "."}
		}
		asked = min(asked, MaxInFlight-min(MaxInFlight, leased))
	}
	if most := q.mostInFlight(); most > 0 && leased+asked > most {
		asked = most - min(most, leased)
		if !q.isCapped {
			q.isCapped, q.isHeaderChanged = true, true
		}
	}
	if rate := q.rateLimit(); rate > 0 {
		asked = min(asked, q.rate.refill(e.now, rate))
		q.isHeaderChanged = true
	}
	return asked, nil
}

// isAtCap reports whether as many messages are leased as the queue allows.
func (q *queue) isAtCap() bool {
	most := q.mostInFlight()
	return most > 0 && q.counters.Leased >= most
}

// take leases up to most messages: those of the highest priority, and among these of
// all message groups in turn.
func (e *entry) take(q *queue, most uint64, until flotilla.Millis) (messages []Message) {
	passed := 0
	for priority := uint64(maxPriority + 1); priority > 0 && uint64(len(messages)) < most; {
		ring := &q.rings[priority-1]
		if ring.size == 0 {
			priority--
			continue
		}
		if passed > maxPassed {
			q.hasNews = true // there may be more behind what was passed over
			break
		}
		number, ok := e.next(q.ringTrie(priority-1), ring.cursor)
		if !ok {
			number, ok = e.next(q.ringTrie(priority-1), 0)
		}
		flotilla.Assert(ok, "a ring that has lanes has a next one")
		ring.cursor = number + 1
		l := e.lane(q, number)
		before := len(messages)
		messages = e.takeFrom(q, l, messages, most, until, &passed)
		e.spend(q, l, uint64(len(messages)-before))
		e.settle(q, l)
	}
	if rate := q.rateLimit(); rate > 0 {
		e.spendOfQueue(q, rate, uint64(len(messages)))
	}
	return messages
}

// takeFrom leases messages of one lane: as many as may be on a FIFO queue, which
// gives out a group's messages together, or if there is no other lane; else one.
func (e *entry) takeFrom(q *queue, l *lane, messages []Message, most uint64, until flotilla.Millis, passed *int) []Message {
	left := most - uint64(len(messages))
	if !q.settings.isFIFO() && q.rings[l.priority].size > 1 {
		left = min(left, 1)
	}
	if q.limits(l.group) {
		left = min(left, e.groupFor(q, l.group).room(q, e.now))
		if left == 0 { // since a limit was lowered
			*passed++
		}
	}
	for left > 0 && l.ready > 0 && *passed <= maxPassed {
		number, isFirst := e.pick(q, l)
		if m, ok := e.giveOut(q, l, number, isFirst, until); ok {
			messages = append(messages, m)
			left--
		} else {
			*passed++
		}
	}
	return messages
}

// pick returns the lane's next message, and whether it was never picked before. A FIFO queue's is the oldest. Elsewhere the
// oldest, which may have been received before, and the first that never was take
// turns: neither a long backlog nor messages that fail again and again starve the other.
func (e *entry) pick(q *queue, l *lane) (number uint64, isFirst bool) {
	var ok bool
	if l.isTurn && !q.settings.isFIFO() {
		number, ok = e.next(q.ready(l), l.cursor)
	}
	if !ok {
		number, ok = e.next(q.ready(l), 0)
	}
	flotilla.Assert(ok, "a lane that counts a ready message has one")
	l.isTurn = !l.isTurn
	isFirst = number >= l.cursor
	l.cursor = max(l.cursor, number+1)
	return number, isFirst
}

// giveOut leases a message that is ready. It does not if that is too old, or has
// been received too often, and so went elsewhere.
func (e *entry) giveOut(q *queue, lane *lane, number uint64, isFirst bool, until flotilla.Millis) (given Message, ok bool) {
	m, l := e.body(q, number), lease{}
	if !isFirst || m.hasLease { // what is not there is looked for in vain in every layer below
		l = e.lease(q, number)
	}
	if e.expiry(q, m) <= e.now {
		e.expire(q, number, m)
		return given, false
	}
	if e.isDead(q, &l) && e.bury(q, number, m, &l) {
		return given, false
	}
	e.remove(q.ready(lane), number)
	lane.ready--
	lane.held++
	n := q.changed()
	n.Ready--
	n.Leased++
	n.Received++
	l.state, l.lane, l.at, l.leased = stateLeased, m.lane, until, e.now
	l.receives++
	l.token = e.tx.Version()
	if l.first == 0 {
		l.first = e.now
	}
	e.count(q, lane.group, &l)
	e.saveLease(q, number, &l)
	e.arm(timer{at: until, gen: q.gen, kind: timerMessage, number: number})
	return e.message(q, number, m, &l), true
}

// message returns what a receive tells of a message.
func (e *entry) message(q *queue, number uint64, m *body, l *lease) Message {
	message := Message{MessageID: m.id, number: number, ReceiptHandle: q.handle(number, l.token), Token: l.token,
		Body: m.entry.MessageBody, MessageAttributes: m.entry.MessageAttributes, AWSTraceHeader: m.entry.AWSTraceHeader,
		SenderID: m.entry.SenderID, MessageGroupID: m.entry.MessageGroupID, MessageDeduplicationID: m.entry.MessageDeduplicationID,
		DeadLetterQueueSource: m.deadSource, Priority: m.entry.Priority, SentTimestamp: m.sent,
		ApproximateReceiveCount: m.receives + l.receives, ApproximateFirstReceiveTimestamp: cmp.Or(m.first, l.first), VisibleAt: l.at}
	if m.id == "" {
		message.MessageID = q.messageID(number)
	}
	if q.settings.isFIFO() {
		message.SequenceNumber = q.sequenceNumber(number)
	}
	return message
}

// spend takes messages from the rate of a lane's group; when that is used up, the group pauses.
func (e *entry) spend(q *queue, l *lane, messages uint64) {
	if !q.limits(l.group) {
		return
	}
	g := e.groupFor(q, l.group)
	g.rate.spent += 1000 * messages
	e.settleGroup(q, g)
}

// spendOfQueue takes messages from the queue's rate. When that is used up, who waits
// is told as soon as there is more.
func (e *entry) spendOfQueue(q *queue, rate, messages uint64) {
	q.rate.spent += 1000 * messages
	if q.rate.refill(e.now, rate) == 0 && q.rateWakeAt == 0 {
		q.rateWakeAt = q.rate.nextAt(rate)
		e.arm(timer{at: q.rateWakeAt, gen: q.gen, kind: timerQueue})
	}
}

// giveAgain repeats what a receive attempt was given, with leases that begin anew, if all of
// it is still leased to it as it was told; else nil. So it undoes no change of a lease.
func (e *entry) giveAgain(q *queue, attempt string, until flotilla.Millis) (messages []Message) {
	key := attemptKey(q, attempt)
	s, ok := e.seen(key)
	if !ok || len(s.given) == 0 {
		return nil
	}
	for _, g := range s.given {
		l := e.lease(q, g.number)
		if l.state != stateLeased || l.token != g.token || g.until != 0 && l.at != g.until {
			return nil
		}
	}
	for i := range s.given {
		g := &s.given[i]
		l := e.lease(q, g.number)
		e.extend(q, g.number, &l, until)
		g.until = until
		messages = append(messages, e.message(q, g.number, e.body(q, g.number), &l))
	}
	e.tx.Set(key, encode(nil, &s))
	return messages
}

// extend gives a lease another end.
func (e *entry) extend(q *queue, number uint64, l *lease, until flotilla.Millis) {
	e.disarm(timer{at: l.at, gen: q.gen, kind: timerMessage, number: number})
	l.at = until
	e.arm(timer{at: l.at, gen: q.gen, kind: timerMessage, number: number})
	e.saveLease(q, number, l)
}

package queue

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strconv"
	"unicode/utf8"

	"flotilla"
)

func (e *entry) sendBatch(c *SendMessageBatch) (Reply, *Error) {
	q, err := e.whole(c.QueueName)
	if err != nil {
		return nil, err
	}
	if err := checkBatch(len(c.Entries)); err != nil {
		return nil, err
	}
	if needsDeduplicationID(q) && slices.ContainsFunc(c.Entries, func(s SendEntry) bool { return s.MessageDeduplicationID == "" }) {
		return nil, invalid("The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly")
	}
	reply := &Sent{Entries: make([]SentEntry, len(c.Entries))}
	for i := range c.Entries {
		if err := e.send(q, &c.Entries[i], &reply.Entries[i]); err != nil {
			reply.Entries[i].Err = *err
		}
	}
	return reply, nil
}

// needsDeduplicationID reports whether each message must bring one. A batch of which one
// does not is refused as a whole, as on SQS.
func needsDeduplicationID(q *queue) bool {
	return q.settings.isFIFO() && q.settings.values[contentBasedDeduplication] == 0
}

func checkBatch(entries int) *Error {
	switch {
	case entries == 0:
		return &Error{Code: CodeEmptyBatchRequest, Message: "There should be at least one entry in the request."}
	case entries > MaxBatchEntries:
		return &Error{Code: CodeTooManyEntries, Message: "Maximum number of entries per request are 10. You have sent " + strconv.Itoa(entries) + "."}
	}
	return nil
}

// send takes in one message, unless it is one that was sent before.
func (e *entry) send(q *queue, s *SendEntry, sent *SentEntry) *Error {
	if err := e.checkSend(q, s); err != nil {
		return err
	}
	if q.settings.isFIFO() {
		if s.MessageDeduplicationID == "" {
			sum := sha256.Sum256(s.MessageBody)
			s.MessageDeduplicationID = hex.EncodeToString(sum[:])
		}
		if before, ok := e.seen(dedupKey(q, s)); ok {
			q.changed().Duplicates++
			sent.MessageID, sent.SequenceNumber, sent.IsDuplicate = before.messageID, q.sequenceNumber(before.number), true
			return nil
		}
	}
	if e.tx.NoRoom {
		return noRoom()
	}
	delay := s.DelaySeconds
	if delay < 0 {
		delay = q.settings.values[delaySeconds]
	}
	m := &body{sent: e.now, arrived: e.now, entry: *s}
	m.entry.DelaySeconds, m.entry.ScheduledAt = 0, 0
	number := q.nextNumber
	if s.ScheduledAt > e.now {
		e.schedule(q, m, s.ScheduledAt)
	} else {
		e.put(q, m, e.now+flotilla.Millis(delay)*1000)
	}
	q.changed().Sent++
	sent.MessageID = q.messageID(number)
	if q.settings.isFIFO() {
		sent.SequenceNumber = q.sequenceNumber(number)
		e.remember(q, dedupKey(q, s), seen{number: number, messageID: sent.MessageID})
	}
	return nil
}

const notForThisType = " is invalid. Reason: The request include parameter that is not valid for this queue type."

func (e *entry) checkSend(q *queue, s *SendEntry) *Error {
	if len(s.MessageBody) == 0 {
		return &Error{Code: CodeMissingParameter, Message: "The request must contain the parameter MessageBody."}
	}
	if !isText(s.MessageBody) {
		return &Error{Code: CodeInvalidMessageContents, Message: "Invalid characters found. Valid unicode characters are #x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF."}
	}
	size := len(s.MessageBody)
	for _, a := range s.MessageAttributes {
		size += len(a.Name) + len(a.DataType) + len(a.Value)
	}
	if most := q.settings.values[maximumMessageSize]; int64(size) > most {
		return invalid("One or more parameters are invalid. Reason: Message must be shorter than " + strconv.FormatInt(most, 10) + " bytes.")
	}
	if len(s.MessageAttributes) > MaxAttributes {
		return invalid("Number of message attributes [" + strconv.Itoa(len(s.MessageAttributes)) + "] exceeds the allowed maximum [10].")
	}
	if s.DelaySeconds > MaxDelaySeconds {
		return invalid("Value " + strconv.FormatInt(s.DelaySeconds, 10) + " for parameter DelaySeconds is invalid. Reason: DelaySeconds must be >= 0 and <= 900.")
	}
	if s.Priority < 0 || s.Priority > maxPriority {
		return invalid("Value " + strconv.FormatInt(s.Priority, 10) + " for parameter Priority is invalid. Reason: Must be between 0 and 9.")
	}
	if s.ScheduledAt > e.now+MaxScheduleDays*86400_000 {
		return invalid("Value for parameter ScheduledAt is invalid. Reason: Must be at most 366 days ahead.")
	}
	if !isID(s.MessageGroupID) {
		return invalid("Value for parameter MessageGroupId is invalid. Reason: MessageGroupId can only include alphanumeric and punctuation characters. 1 to 128 in length.")
	}
	if !isID(s.MessageDeduplicationID) {
		return invalid("Value for parameter MessageDeduplicationId is invalid. Reason: MessageDeduplicationId can only include alphanumeric and punctuation characters. 1 to 128 in length.")
	}
	return checkType(q, s)
}

// checkType says whether the message is one for a queue of this type.
func checkType(q *queue, s *SendEntry) *Error {
	if !q.settings.isFIFO() {
		if s.MessageDeduplicationID != "" {
			return invalid("Value " + s.MessageDeduplicationID + " for parameter MessageDeduplicationId" + notForThisType)
		}
		return nil
	}
	switch {
	case s.MessageGroupID == "":
		return &Error{Code: CodeMissingParameter, Message: "The request must contain the parameter MessageGroupId."}
	case s.DelaySeconds > 0:
		return invalid("Value " + strconv.FormatInt(s.DelaySeconds, 10) + " for parameter DelaySeconds" + notForThisType)
	case s.Priority != 0:
		return invalid("Value " + strconv.FormatInt(s.Priority, 10) + " for parameter Priority" + notForThisType)
	case s.ScheduledAt != 0:
		return invalid("Value for parameter ScheduledAt" + notForThisType)
	}
	return nil
}

// isText reports whether a body has only characters that SQS takes.
func isText(b []byte) bool {
	for len(b) > 0 {
		if ' ' <= b[0] && b[0] < utf8.RuneSelf {
			b = b[1:]
			continue
		}
		r, size := utf8.DecodeRune(b)
		if r == utf8.RuneError && size == 1 || r < 0x20 && r != '\t' && r != '\n' && r != '\r' || r == 0xfffe || r == 0xffff {
			return false
		}
		b = b[size:]
	}
	return true
}

// isID reports whether an id, which may be missing, is of letters, digits and punctuation.
func isID(id string) bool {
	for i := range len(id) {
		if id[i] <= ' ' || id[i] > '~' {
			return false
		}
	}
	return len(id) <= MaxIDBytes
}

// put gives a message the next number of a queue. It can be received from due on.
func (e *entry) put(q *queue, m *body, due flotilla.Millis) {
	l := e.laneFor(q, laneName{uint64(m.entry.Priority), m.entry.MessageGroupID})
	number := q.nextNumber
	q.nextNumber++
	m.lane = l.number
	if q.settings.isFIFO() && l.delayed > 0 {
		due = max(due, l.lastDue)
	}
	m.hasLease = m.hasLease || due > e.now
	e.tx.Set(e.numberKey(q, spaceBody, number), e.encoded(m))
	e.add(q.live(), number)
	if due > e.now {
		l.lastDue = due
		l.delayed++
		q.changed().Delayed++
		e.saveLease(q, number, &lease{state: stateDelayed, lane: l.number, at: due})
		e.arm(timer{at: due, gen: q.gen, kind: timerMessage, number: number})
		e.settle(q, l)
	} else {
		e.makeReady(q, l, number)
	}
	if m.id != "" { // its id does not tell its number
		e.saveJobNumber(q, m.id, number)
	}
	e.sweepBy(q, m.arrived+e.retention(q))
	if at := e.expiry(q, m); at < m.arrived+e.retention(q) {
		e.arm(timer{at: max(at, e.now), gen: q.gen, kind: timerExpiry, number: number})
	}
}

// makeReady lets a message be received.
func (e *entry) makeReady(q *queue, l *lane, number uint64) {
	e.add(q.ready(l), number)
	l.ready++
	q.changed().Ready++
	if !q.settings.isFIFO() {
		q.hasNews = true
	}
	e.settle(q, l)
}

func (e *entry) body(q *queue, number uint64) *body {
	m := e.findBody(q, number)
	flotilla.Assert(m != nil, "a message of the queue has a body")
	return m
}

// findBody returns a message as it was sent, or nil if the queue does not have it.
func (e *entry) findBody(q *queue, number uint64) *body {
	value, ok := e.r.Get(e.numberKey(q, spaceBody, number))
	if !ok {
		return nil
	}
	m := &body{}
	e.coder.mustDecode(value, m)
	return m
}

// lease returns what changes of a message.
func (e *entry) lease(q *queue, number uint64) (l lease) {
	if value, ok := e.r.Get(e.numberKey(q, spaceLease, number)); ok {
		e.coder.mustDecode(value, &l)
	}
	return l
}

func (e *entry) saveLease(q *queue, number uint64, l *lease) {
	e.tx.Set(e.numberKey(q, spaceLease, number), e.encoded(l))
}

// schedule keeps a message until its time, and sends it then.
func (e *entry) schedule(q *queue, m *body, at flotilla.Millis) {
	number := q.nextNumber
	q.nextNumber++
	m.id = q.messageID(number)
	e.tx.Set(e.numberKey(q, spaceBody, number), e.encoded(m))
	e.arm(timer{at: at, gen: q.gen, kind: timerSchedule, number: number})
	n := q.changed()
	n.Delayed++
	n.Scheduled++
}

// scheduleDue sends a message whose time has come. It gets a number of its own, so
// that the queue's messages stay in order of when they arrived.
func (e *entry) scheduleDue(q *queue, number uint64) {
	m := e.body(q, number)
	n := q.changed()
	n.Delayed--
	n.Scheduled--
	m.arrived, m.due = e.now, e.now
	e.put(q, m, e.now)
	e.tx.Delete(e.numberKey(q, spaceBody, number))
}

package queue

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"strconv"

	"flotilla"
)

// Recurring messages: a queue sends itself a message whenever a cron expression says
// so in a time zone. The zone's rules come with the command, so that all replicas
// have the same, whatever their machines think of the zone. A run that is missed
// because no majority was there is made up for once.
//
//	'q' 'r' queue:8 version:8 → recurring; it stays when the queue is purged
const spaceRecurring = 'r'

// PutRecurring adds a recurring message, or replaces the one of that name; Done.
type PutRecurring struct {
	QueueName string
	Name      string
	Cron      string       // minute hour day month weekday
	Zone      string       // its name, only to be shown
	Offsets   []ZoneOffset // what it means, in order of time; none is UTC
	Entry     SendEntry    // on a FIFO queue, each run gets a deduplication id of its own
}

func (*PutRecurring) op() byte { return 'E' }
func (m *PutRecurring) fields(c *coder) {
	c.text(&m.QueueName)
	m.fieldsOfRecord(c)
}

// fieldsOfRecord are those that are kept.
func (m *PutRecurring) fieldsOfRecord(c *coder) {
	c.text(&m.Name)
	c.text(&m.Cron)
	c.text(&m.Zone)
	list(c, &m.Offsets, func(z *ZoneOffset) { c.millis(&z.From); c.int(&z.Seconds) })
	m.Entry.fields(c)
}

// DeleteRecurring removes a recurring message; Done. What it sent stays.
type DeleteRecurring struct{ QueueName, Name string }

func (*DeleteRecurring) op() byte          { return 'F' }
func (m *DeleteRecurring) fields(c *coder) { c.text(&m.QueueName); c.text(&m.Name) }

// ListRecurring asks for a queue's recurring messages, a read; Recurrings.
type ListRecurring struct{ QueueName string }

func (*ListRecurring) op() byte          { return 'r' }
func (m *ListRecurring) fields(c *coder) { c.text(&m.QueueName) }

// Recurring is a recurring message with when it is sent next.
type Recurring struct {
	PutRecurring
	NextRun flotilla.Millis
	version uint64
}

func (m *Recurring) fields(c *coder) {
	m.fieldsOfRecord(c)
	c.millis(&m.NextRun)
	c.num(&m.version)
}

// Recurrings is the reply to ListRecurring, the oldest first.
type Recurrings struct{ Results []Recurring }

func (m *Recurrings) fields(c *coder) { list(c, &m.Results, func(r *Recurring) { r.fields(c) }) }

func recurringKey(id uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{byte(flotilla.SystemQueue), spaceRecurring}, id)
}

// recurrings returns all of a queue's.
func (e *entry) recurrings(q *queue) (all []Recurring) {
	start := recurringKey(q.id)
	for _, value := range e.r.Scan(start, prefixEnd(start)) {
		var r Recurring
		mustDecode(value, &r)
		all = append(all, r)
	}
	return all
}

func (e *entry) putRecurring(c *PutRecurring) *Error {
	q, err := e.whole(c.QueueName)
	if err != nil {
		return err
	}
	expression, ok := parseCron(c.Cron)
	if !ok {
		return invalid("Value " + c.Cron + " for parameter Cron is invalid. Reason: Must be five fields: minute hour day month weekday.")
	}
	if c.Name == "" || !isID(c.Name) || len(c.Zone) > MaxIDBytes || len(c.Offsets) > MaxZoneOffsets || !isInOrder(c.Offsets) {
		return invalid("The recurring message's name or time zone is invalid.")
	}
	entry := c.Entry
	if q.settings.isFIFO() {
		entry.MessageDeduplicationID = runID(c.Name, e.now)
	}
	if err := e.checkSend(q, &entry); err != nil {
		return err
	}
	next, ok := expression.next(e.now, c.Offsets)
	if !ok {
		return invalid("Value " + c.Cron + " for parameter Cron is invalid. Reason: It never comes.")
	}
	if e.tx.NoRoom {
		return noRoom()
	}
	all := e.recurrings(q)
	for _, r := range all {
		if r.Name == c.Name {
			e.dropRecurring(q, r)
			all = all[:len(all)-1]
		}
	}
	if len(all) >= MaxRecurring {
		return &Error{Code: CodeOverLimit, Message: "A queue has at most 100 recurring messages."}
	}
	e.saveRecurring(q, &Recurring{PutRecurring: *c, NextRun: next, version: e.tx.Version()})
	return nil
}

// runID is the deduplication id of one run.
func runID(name string, at flotilla.Millis) string {
	sum := sha256.Sum256(strconv.AppendInt([]byte(name+" "), int64(at), 10))
	return hex.EncodeToString(sum[:])
}

// isInOrder reports whether offsets are in order of time, and believable.
func isInOrder(zone []ZoneOffset) bool {
	for i, z := range zone {
		if i > 0 && z.From <= zone[i-1].From || z.Seconds < -86400 || z.Seconds > 86400 {
			return false
		}
	}
	return true
}

func (e *entry) saveRecurring(q *queue, r *Recurring) {
	e.tx.Set(binary.BigEndian.AppendUint64(recurringKey(q.id), r.version), encode(nil, r))
	e.arm(timer{at: r.NextRun, gen: q.gen, kind: timerRecurring, number: r.version})
}

func (e *entry) dropRecurring(q *queue, r Recurring) {
	e.tx.Delete(binary.BigEndian.AppendUint64(recurringKey(q.id), r.version))
	e.disarm(timer{at: r.NextRun, gen: q.gen, kind: timerRecurring, number: r.version})
}

func (e *entry) deleteRecurring(c *DeleteRecurring) *Error {
	q, err := e.whole(c.QueueName)
	if err != nil {
		return err
	}
	for _, r := range e.recurrings(q) {
		if r.Name == c.Name {
			e.dropRecurring(q, r)
			return nil
		}
	}
	return &Error{Code: CodeResourceNotFound, Message: messageNoRecurring}
}

func (e *entry) listRecurring(c *ListRecurring) (Reply, *Error) {
	q, err := e.whole(c.QueueName)
	if err != nil {
		return nil, err
	}
	return &Recurrings{Results: e.recurrings(q)}, nil
}

// recur sends a recurring message whose time has come, and sets the next. While disks are nearly
// full, it is tried again soon. A message that the queue does not take any more, because its
// attributes changed, is left out.
func (e *entry) recur(q *queue, version uint64) {
	value, ok := e.r.Get(binary.BigEndian.AppendUint64(recurringKey(q.id), version))
	flotilla.Assert(ok, "a recurring message with a timer is there")
	var r Recurring
	mustDecode(value, &r)
	if e.tx.NoRoom {
		r.NextRun = e.now + recurAgainSeconds*1000
		e.saveRecurring(q, &r)
		return
	}
	entry := r.Entry
	if q.settings.isFIFO() {
		entry.MessageDeduplicationID = runID(r.Name, r.NextRun)
	}
	e.send(q, &entry, &SentEntry{})
	expression, _ := parseCron(r.Cron)
	if r.NextRun, ok = expression.next(e.now, r.Offsets); !ok {
		e.tx.Delete(binary.BigEndian.AppendUint64(recurringKey(q.id), version))
		return
	}
	e.saveRecurring(q, &r)
}

// recurOn sets the timers of recurring messages for the queue's new data.
func (e *entry) recurOn(q *queue) {
	for _, r := range e.recurrings(q) {
		e.arm(timer{at: r.NextRun, gen: q.gen, kind: timerRecurring, number: r.version})
	}
}

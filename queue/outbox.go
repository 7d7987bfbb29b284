package queue

import (
	"encoding/binary"

	"flotilla"
)

// A message that has to go to a queue of another group goes in two steps, so that it
// is never lost and never there twice. The source's group takes it out of its queue
// and puts it into an outbox, one for each target, numbered from 1 without gaps. A
// pump, which may be run by several nodes at a time, then repeats:
//
//	ReadOutbox     (source)  the first messages of each outbox
//	Deliver        (target)  takes them in, if the first is the one that comes next;
//	                         if not, answers how far it had come, and how that ended
//	SettleOutbox   (source)  forgets them; or, if the target has no such queue, puts
//	                         them back where they came from
//
// A Deliver that is repeated does nothing, because the target remembers the last
// number of each source. It keeps the outcome of the last one only, which is enough:
// an outbox shows what comes after it when that is settled.
//
//	'q' 'o' length:1 target number:8 → posted
//	'q' 'p' target                   → outbox: which numbers it has
//	'q' 'i' group:4 target           → inbox: how far that group's came
const (
	spaceOutbox = 'o'
	spacePosted = 'p'
	spaceInbox  = 'i'
)

// posted is a message in an outbox.
type posted struct {
	gen      uint64 // of the queue that it came from
	receives uint64
	source   string // where that queue had it from
	message  []byte // a body
	task     uint64 // the version of the move task that it is moved by; 0: of none
}

func (p *posted) fields(c *coder) {
	c.num(&p.gen)
	c.num(&p.receives)
	c.text(&p.source)
	c.bytes(&p.message)
	c.tail(p.task > 0, func() { c.num(&p.task) })
}

// outbox says that a target's messages first to next-1 are waiting.
type outbox struct{ first, next uint64 }

func (o *outbox) fields(c *coder) { c.num(&o.first); c.num(&o.next) }

// inbox says how far messages of another group were taken in.
type inbox struct {
	last      uint64
	isRefused bool // the last ones were not: there is no such queue
}

func (i *inbox) fields(c *coder) { c.num(&i.last); c.bool(&i.isRefused) }

func outboxKey(target string) []byte {
	return append([]byte{byte(flotilla.SystemQueue), spacePosted}, target...)
}

func postedKey(target string, number uint64) []byte {
	key := append([]byte{byte(flotilla.SystemQueue), spaceOutbox, byte(len(target))}, target...)
	return binary.BigEndian.AppendUint64(key, number)
}

func inboxKey(from flotilla.GroupID, target string) []byte {
	key := binary.BigEndian.AppendUint32([]byte{byte(flotilla.SystemQueue), spaceInbox}, uint32(from))
	return append(key, target...)
}

func (e *entry) outbox(target string) outbox {
	o := outbox{first: 1, next: 1}
	if value, ok := e.r.Get(outboxKey(target)); ok {
		mustDecode(value, &o)
	}
	return o
}

// post puts a message that has left its queue into the outbox of a target.
func (e *entry) post(target string, p posted) {
	o := e.outbox(target)
	e.tx.Set(postedKey(target, o.next), encode(nil, &p))
	o.next++
	e.tx.Set(outboxKey(target), encode(nil, &o))
	e.tell(target, EventPosted)
}

// ReadOutbox asks for the first messages of each outbox of a group, a read; Outbox.
type ReadOutbox struct {
	After string // a target: what goes to those behind it
}

func (*ReadOutbox) op() byte          { return 'o' }
func (m *ReadOutbox) fields(c *coder) { c.text(&m.After) }

// Outbox is the reply to ReadOutbox.
type Outbox struct {
	Parcels   []OutboxParcel
	Unsettled []string // queues of the group whose plans are not settled
	HasMore   bool     // behind the last parcel's target
}

// OutboxParcel is the first messages of one outbox; Messages are the machine's own.
type OutboxParcel struct {
	Target   string
	First    uint64
	Messages [][]byte
}

func (m *Outbox) fields(c *coder) {
	list(c, &m.Parcels, func(p *OutboxParcel) {
		c.text(&p.Target)
		c.num(&p.First)
		list(c, &p.Messages, func(b *[]byte) { c.bytes(b) })
	})
	texts(c, &m.Unsettled)
	c.bool(&m.HasMore)
}

func (e *entry) readOutbox(c *ReadOutbox) (Reply, *Error) {
	reply := &Outbox{Unsettled: e.unsettled()}
	start, end := outboxKey(""), prefixEnd(outboxKey(""))
	if c.After != "" {
		start = append(outboxKey(c.After), 0)
	}
	size := 0
	for key, value := range e.r.Scan(start, end) {
		if size >= 4*MaxMessageBytes {
			reply.HasMore = true
			break
		}
		var o outbox
		mustDecode(value, &o)
		parcel := OutboxParcel{Target: string(key[2:]), First: o.first}
		for n := o.first; n < o.next && len(parcel.Messages) < MaxBatchEntries && size < 4*MaxMessageBytes; n++ {
			value, ok := e.r.Get(postedKey(parcel.Target, n))
			flotilla.Assert(ok, "an outbox has no gaps")
			var p posted
			mustDecode(value, &p)
			parcel.Messages = append(parcel.Messages, p.message)
			size += len(p.message)
		}
		if len(parcel.Messages) > 0 {
			reply.Parcels = append(reply.Parcels, parcel)
		}
	}
	return reply, nil
}

// Deliver hands messages of another group's outbox to the group of their target;
// Delivered.
type Deliver struct {
	From   flotilla.GroupID
	Parcel OutboxParcel
}

func (*Deliver) op() byte { return 'I' }
func (m *Deliver) fields(c *coder) {
	from := uint64(m.From)
	c.num(&from)
	m.From = flotilla.GroupID(from)
	c.text(&m.Parcel.Target)
	c.num(&m.Parcel.First)
	list(c, &m.Parcel.Messages, func(b *[]byte) { c.bytes(b) })
}

// Delivered says how far the messages of an outbox have come, and whether the last
// ones were refused because there is no such queue. It is what SettleOutbox is to be
// told.
type Delivered struct {
	Through   uint64
	IsRefused bool
}

func (m *Delivered) fields(c *coder) { c.num(&m.Through); c.bool(&m.IsRefused) }

func (e *entry) deliver(c *Deliver) (Reply, *Error) {
	var in inbox
	if value, ok := e.r.Get(inboxKey(c.From, c.Parcel.Target)); ok {
		mustDecode(value, &in)
	}
	if c.Parcel.First > in.last+1 {
		return nil, &Error{Code: CodeInternal, Message: "messages of an outbox are missing"}
	}
	if c.Parcel.First <= in.last || len(c.Parcel.Messages) == 0 {
		return &Delivered{Through: in.last, IsRefused: in.isRefused}, nil
	}
	if e.tx.NoRoom {
		return nil, noRoom()
	}
	messages := make([]body, len(c.Parcel.Messages))
	for i, b := range c.Parcel.Messages {
		if !decode(b, &messages[i]) || messages[i].entry.Priority < 0 || messages[i].entry.Priority > maxPriority {
			return nil, malformed()
		}
	}
	q := e.queue(c.Parcel.Target)
	if q != nil && q.isSpread() && q.settled == 0 {
		return nil, &Error{Code: codeUnsettled, Message: "The queue's partitions are not there yet."}
	}
	in.last += uint64(len(messages))
	in.isRefused = q == nil
	if q != nil {
		for i := range messages {
			if messages[i].arrived = e.now; q.isSpread() {
				e.forward(q, &messages[i])
			} else {
				e.arrive(q, &messages[i])
			}
		}
	}
	e.tx.Set(inboxKey(c.From, c.Parcel.Target), encode(nil, &in))
	return &Delivered{Through: in.last, IsRefused: in.isRefused}, nil
}

// SettleOutbox tells an outbox what was Delivered; Done. Telling it again does nothing.
type SettleOutbox struct {
	Target    string
	Through   uint64
	IsRefused bool
}

func (*SettleOutbox) op() byte { return 'O' }
func (m *SettleOutbox) fields(c *coder) {
	c.text(&m.Target)
	c.num(&m.Through)
	c.bool(&m.IsRefused)
}

func (e *entry) settleOutbox(c *SettleOutbox) *Error {
	o := e.outbox(c.Target)
	if c.Through >= o.next {
		return malformed()
	}
	if c.Through >= o.first+MaxBatchEntries {
		return malformed() // a reader is shown no more at a time
	}
	for ; o.first <= c.Through; o.first++ {
		key := postedKey(c.Target, o.first)
		value, ok := e.r.Get(key)
		flotilla.Assert(ok, "an outbox has no gaps")
		var p posted
		mustDecode(value, &p)
		if c.IsRefused {
			e.putBack(c.Target, p)
		}
		e.tx.Delete(key)
	}
	e.tx.Set(outboxKey(c.Target), encode(nil, &o))
	return nil
}

// putBack returns a message to the queue that it came from, unless that is gone. If
// it was to be dead, the queue for dead messages is now left alone for a while; if a task
// moved it, that has failed.
func (e *entry) putBack(target string, p posted) {
	q := e.queueOf(p.gen)
	if q == nil || q.isDeleted {
		return
	}
	var m body
	mustDecode(p.message, &m)
	if q.isSpread() {
		e.forward(q, &m)
		return
	}
	if q.settings.deadTarget == target && q.settings.isDeadElsewhere {
		q.deadAgainAt, q.isHeaderChanged = e.now+deadAgainSeconds*1000, true
	}
	if p.task > 0 {
		e.moveFailed(q, p.task)
	}
	m.arrived, m.deadSource, m.hasLease = e.now, p.source, true
	m.receives -= min(m.receives, p.receives) // they count here again
	number := q.nextNumber
	e.put(q, &m, e.now)
	l := e.lease(q, number) // put has it wait behind what is delayed of a FIFO queue's group
	l.lane, l.receives = m.lane, p.receives
	e.saveLease(q, number, &l)
}

package queue

import (
	"crypto/sha256"
	"encoding/binary"
	"strconv"
	"strings"

	"flotilla"
)

// A queue that is too much for one group is spread. It then has no messages itself:
// its record, in the group of its name's slot, says what it is, and its messages are
// in partitions, queues of their own in other groups that only the client names:
//
//	orders                       the record: attributes, tags, plan
//	orders/0/1f00001/5461   ┐    partition 0, in the group of slot 5461
//	orders/1/1f00001/10922  ┘    1f00001 is the id of the queue that it is part of
//
// The plan is all that partitions shall be: that they exist, with which attributes,
// how often they were purged, what is being moved out of them. Whoever changes it
// gives it a greater generation, and then tells it to all partitions, any number of
// times and in any order (MatchPartition): one that knows a generation ignores older
// ones, so a step that comes late undoes nothing. When all know it, the plan is
// settled (SettlePlan). If who does this stops half way, somebody else goes on: the
// pumps look for plans that are not settled, and so does who finds a partition missing.
//
// A partition that was deleted is remembered for a day, so that a step of its
// creation that comes even later does not bring it back.
//
//	'q' 'k' name of a partition → queueRecord
//	'q' 'z' name                → empty: the queue's plan is not settled
const (
	spacePartition = 'k'
	spaceUnsettled = 'z'

	tombstoneMillis = tombstoneDays * 86400_000
)

// plan is what a spread queue's partitions shall be.
type plan struct {
	generation uint64
	isDeleted  bool
	purges     uint64 // how often the queue was purged
	move       wish
}

func (p *plan) fields(c *coder) {
	c.num(&p.generation)
	c.bool(&p.isDeleted)
	c.num(&p.purges)
	p.move.fields(c)
}

// wish is the message move task that the partitions share, the last one.
type wish struct {
	task, destination string
	rate              int64
	isElsewhere       bool
	isStopped         bool
}

func (w *wish) fields(c *coder) {
	c.text(&w.task)
	c.text(&w.destination)
	c.int(&w.rate)
	c.bool(&w.isElsewhere)
	c.bool(&w.isStopped)
}

// spread is what a record has because of partitions.
type spread struct {
	plan
	slots        []uint64 // a spread queue's: where its partitions are
	settled      uint64   // the generation that all of them know; 0: they may not be there yet
	index, count uint64   // a partition's: which of how many it is; count is 0 for others
}

func (s *spread) fields(c *coder) {
	s.plan.fields(c)
	list(c, &s.slots, func(n *uint64) { c.num(n) })
	c.num(&s.settled)
	c.num(&s.index)
	c.num(&s.count)
}

func (q *queueRecord) isSpread() bool { return len(q.slots) > 0 }

// route returns what the client has to know of a spread queue.
func (q *queueRecord) route() route {
	return route{Base: q.name, ID: q.id, IsFIFO: q.settings.isFIFO(), Slots: q.slots}
}

// route says where the partitions of a queue are.
type route struct {
	Base   string
	ID     uint64
	IsFIFO bool
	Slots  []uint64
}

func (r *route) fields(c *coder) {
	c.text(&r.Base)
	c.num(&r.ID)
	c.bool(&r.IsFIFO)
	list(c, &r.Slots, func(n *uint64) { c.num(n) })
}

// codeSpread is the code of the error that tells a client how a queue is spread: the
// message is a route. codeUnsettled says that a plan has to be settled first. No door
// sees them.
const (
	codeSpread    = "QueueIsSpread"
	codeUnsettled = "QueueIsUnsettled"
)

func (q *queue) isSpreadError() *Error {
	r := q.route()
	return &Error{Code: codeSpread, Message: string(encode(nil, &r))}
}

// partition returns the name of a partition.
func (r *route) partition(index int) string {
	return r.Base + "/" + strconv.Itoa(index) + "/" + strconv.FormatUint(r.ID, 16) + "/" + strconv.FormatUint(r.Slots[index], 10)
}

// baseOf returns the name of the queue that users know, and which of its partitions a
// name is for, -1 if it is none.
func baseOf(name string) (base string, index int) {
	base, rest, isPartition := strings.Cut(name, "/")
	if !isPartition {
		return name, -1
	}
	number, _, _ := strings.Cut(rest, "/")
	index, _ = strconv.Atoi(number)
	return base, index
}

// slotOf returns the slot of a queue, or of a partition, which its name says.
func slotOf(name string) flotilla.Slot {
	if i := strings.LastIndexByte(name, '/'); i >= 0 {
		slot, _ := strconv.ParseUint(name[i+1:], 10, 16)
		return flotilla.Slot(slot % flotilla.Slots)
	}
	return flotilla.SlotOf([]byte(name))
}

// partitionOf returns which of a number of partitions has the messages of a message
// group, or whatever else has to be in one of them.
func partitionOf(name string, partitions int) int {
	hash := uint64(0xcbf29ce484222325) // FNV-1a
	for i := range len(name) {
		hash = (hash ^ uint64(name[i])) * 0x100000001b3
	}
	return int(mix(hash) % uint64(partitions))
}

// share returns a partition's part of what a queue may do. The parts add up to it.
func (q *queue) share(value uint64) uint64 {
	if q.count == 0 {
		return value
	}
	return (value + q.count - 1 - q.index) / q.count
}

// mostInFlight returns how many messages may be leased until a receive is given none,
// without an error; 0: no such number.
func (q *queue) mostInFlight() uint64 {
	most := q.share(uint64(q.settings.values[inFlightCap]))
	if most == 0 && q.settings.isFIFO() {
		return MaxInFlightFIFO
	}
	return most
}

func (q *queue) rateLimit() uint64 { return q.share(uint64(q.settings.values[rateLimit])) }

// whole returns the queue of a name, which may be a partition. A spread queue is
// answered with its route.
func (e *entry) whole(name string) (*queue, *Error) {
	q := e.queue(name)
	if q == nil {
		return nil, NoSuchQueue()
	}
	if q.isSpread() {
		return nil, q.isSpreadError()
	}
	return q, nil
}

// changePlan gives a spread queue's plan another generation; of other queues there is
// nothing to tell.
func (e *entry) changePlan(q *queue) *Done {
	if !q.isSpread() {
		return &Done{}
	}
	q.generation++
	q.isRecordChanged = true
	e.tx.Set(unsettledKey(q.queueRecord.name), nil)
	return &Done{isBegun: true}
}

func unsettledKey(name string) []byte {
	return append([]byte{byte(flotilla.SystemQueue), spaceUnsettled}, name...)
}

// unsettled returns names of queues whose plans are not settled.
func (e *entry) unsettled() (names []string) {
	start := unsettledKey("")
	for key := range e.r.Scan(start, prefixEnd(start)) {
		if len(names) == maxUnsettled {
			break
		}
		names = append(names, string(key[2:]))
	}
	return names
}

// ReadPlan asks for a spread queue's plan, a read; Plan. There may be one of a queue
// that is being deleted.
type ReadPlan struct{ QueueName string }

func (*ReadPlan) op() byte          { return 'y' }
func (m *ReadPlan) fields(c *coder) { c.text(&m.QueueName) }

// Plan is a spread queue's plan with all that a partition is made of.
type Plan struct {
	Route     route
	IsSettled bool
	plan      plan
	secret    []byte
	settings  settings
}

func (m *Plan) fields(c *coder) {
	m.Route.fields(c)
	c.bool(&m.IsSettled)
	m.plan.fields(c)
	c.bytes(&m.secret)
	m.settings.fields(c)
}

func (e *entry) readPlan(c *ReadPlan) (Reply, *Error) {
	q := e.known(c.QueueName)
	if q == nil || !q.isSpread() {
		return nil, NoSuchQueue()
	}
	return &Plan{Route: q.route(), IsSettled: q.settled == q.generation, plan: q.plan, secret: q.secret, settings: q.settings}, nil
}

// MatchPartition tells a partition what it shall be; Done. One that knows as much does nothing.
type MatchPartition struct {
	Index int
	Plan  Plan
}

func (*MatchPartition) op() byte { return 'Y' }
func (m *MatchPartition) fields(c *coder) {
	index := uint64(m.Index)
	c.num(&index)
	m.Index = int(index)
	m.Plan.fields(c)
}

func (e *entry) matchPartition(c *MatchPartition) *Error {
	if c.Index >= len(c.Plan.Route.Slots) || c.Index < 0 || len(c.Plan.secret) != 32 {
		return malformed()
	}
	name := c.Plan.Route.partition(c.Index)
	q := e.known(name)
	if q == nil {
		if e.tx.NoRoom && !c.Plan.plan.isDeleted {
			return noRoom()
		}
		q = e.newPartition(name, c)
	}
	p := &c.Plan.plan
	if p.generation <= q.generation {
		return nil
	}
	q.isRecordChanged = true
	before := q.plan
	q.plan = *p
	if p.isDeleted {
		e.bequeath(q)
		return nil
	}
	e.use(q, c.Plan.settings)
	if p.purges > before.purges {
		e.purge(q)
	}
	if p.move.task != before.move.task && p.move.task != "" {
		e.beginMove(q, p.move)
	}
	if p.move.isStopped {
		e.stopMove(q, p.move.task)
	}
	return nil
}

// newPartition makes a partition of which nothing is known yet. Its secret is its own,
// so that its ids and handles are too.
func (e *entry) newPartition(name string, c *MatchPartition) *queue {
	q := newQueue()
	secret := sha256.Sum256(binary.BigEndian.AppendUint64(c.Plan.secret[:32:32], uint64(c.Index)))
	q.queueRecord = queueRecord{name: name, id: e.tx.Version(), gen: e.tx.Version(), secret: secret[:], created: e.now,
		modified: e.now, settings: c.Plan.settings, spread: spread{index: uint64(c.Index), count: uint64(len(c.Plan.Route.Slots))}}
	q.purges = c.Plan.plan.purges
	q.header = header{name: name}
	q.isHeaderChanged = true
	e.queues[name], e.names[q.gen] = q, name
	return q
}

// use lets a partition have the settings of its queue. Its queue for dead messages may
// be in any group.
func (e *entry) use(q *queue, s settings) {
	s.isDeadElsewhere = s.deadTarget != ""
	q.settings, q.modified, q.deadAgainAt = s, e.now, 0
	q.isHeaderChanged, q.hasNews = true, true // a limit may have been lifted
	e.sweepLater(q)
}

// bequeath deletes a partition with its messages, but for the memory that it was.
func (e *entry) bequeath(q *queue) {
	e.wipe(q)
	e.tx.DeleteRange(recurringKey(q.id), recurringKey(q.id+1))
	q.gen = e.tx.Version()
	q.header = header{name: q.queueRecord.name}
	q.isHeaderChanged, q.hasNews = true, false
	e.names[q.gen] = q.queueRecord.name
	e.arm(timer{at: e.now + tombstoneMillis, gen: q.gen, kind: timerTombstone})
	e.tell(q.queueRecord.name, EventDeleted)
}

// forgetQueue removes a record, whose messages are gone.
func (e *entry) forgetQueue(q *queue) {
	e.tx.Delete(recordKey(q.queueRecord.name))
	e.tx.Delete(headerKey(q.gen))
	e.queues[q.queueRecord.name] = nil
}

// SettlePlan says that all partitions know a generation of the plan; Done.
type SettlePlan struct {
	QueueName      string
	ID, Generation uint64
}

func (*SettlePlan) op() byte { return 'Z' }
func (m *SettlePlan) fields(c *coder) {
	c.text(&m.QueueName)
	c.num(&m.ID)
	c.num(&m.Generation)
}

func (e *entry) settlePlan(c *SettlePlan) *Error {
	q := e.known(c.QueueName)
	if q == nil || !q.isSpread() || q.id != c.ID || c.Generation <= q.settled || c.Generation > q.generation {
		return nil // somebody else was faster
	}
	q.settled = c.Generation
	q.isRecordChanged = true
	if q.settled < q.generation {
		return nil
	}
	e.tx.Delete(unsettledKey(c.QueueName))
	if q.isDeleted {
		e.forgetQueue(q)
	}
	return nil
}

// forward hands a message that was moved to a spread queue on to one of its partitions.
func (e *entry) forward(q *queue, m *body) {
	r := q.route()
	index := int(q.nextNumber % uint64(len(r.Slots)))
	if r.IsFIFO {
		index = partitionOf(m.entry.MessageGroupID, len(r.Slots))
	}
	q.nextNumber++
	q.isHeaderChanged = true
	name := r.partition(index)
	if target := e.queue(name); target != nil {
		e.arrive(target, m)
		return
	}
	e.post(name, posted{gen: q.gen, source: m.deadSource, message: encode(nil, m)})
}

// FindReady asks whether a queue has a message to give out, and whether it remembers a
// receive attempt, a read; Found. A client asks all partitions before it asks one to
// give something out.
type FindReady struct{ QueueName, ReceiveRequestAttemptID string }

func (*FindReady) op() byte { return 'f' }
func (m *FindReady) fields(c *coder) {
	c.text(&m.QueueName)
	c.text(&m.ReceiveRequestAttemptID)
}

// Found is the reply to FindReady.
type Found struct{ IsReady, IsAttempt bool }

func (m *Found) fields(c *coder) { c.bool(&m.IsReady); c.bool(&m.IsAttempt) }

func (e *entry) findReady(c *FindReady) (Reply, *Error) {
	q, err := e.whole(c.QueueName)
	if err != nil {
		return nil, err
	}
	reply := &Found{}
	for i := range q.rings {
		reply.IsReady = reply.IsReady || q.rings[i].size > 0
	}
	if c.ReceiveRequestAttemptID != "" {
		_, reply.IsAttempt = e.seen(attemptKey(q, c.ReceiveRequestAttemptID))
	}
	return reply, nil
}

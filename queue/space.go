package queue

import (
	"encoding/binary"
	"strings"

	"flotilla"
)

// The queue's part of a group's key space. Numbers are big-endian. gen is the number
// of a queue's data: a purge gives it another one, so that all that belonged to the
// old one is one range, and what still points there finds nothing.
//
//	'q' 'c' name                      → queueRecord: attributes and tags
//	'q' 'k', 'q' 'z'                  → partitions, see partition.go
//	'q' 'h' gen:8                     → header: name, counters, cursors
//	'q' 'd' gen:8 'b' number:8        → body: a message as it was sent, never changed
//	'q' 'd' gen:8 'm' number:8        → lease: who has it, how often it was received; none before that
//	'q' 'd' gen:8 'g' lane:8          → lane: the messages of one group and priority
//	'q' 'd' gen:8 'a' priority:1 name → the lane's number
//	'q' 'd' gen:8 'l' group:8         → group: what is counted of a message group, see group.go
//	'q' 'd' gen:8 'n' name            → the group's number
//	'q' 'd' gen:8 't' trie:8 level:1 index:8 → a node, see trie.go
//	'q' 'd' gen:8 'u' ...             → a deduplication id or receive attempt, see seen.go
//	'q' 'd' gen:8 'w' number:8        → the key of one, in order of time
//	'q' 'd' gen:8 'j', 'e'            → what came of jobs, see job.go
//	'q' 'd' gen:8 'v'                 → the queue's message move tasks
//	'q' 'd' gen:8 'x' number:8        → empty: the message was leased, and went to another queue
//	'q' 'o', 'q' 'p', 'q' 'i'         → messages on their way to other groups, see outbox.go
//	'q' 't', 'q' 'u'                  → what will fall due, see timer.go
const (
	spaceRecord = 'c'
	spaceHeader = 'h'
	spaceData   = 'd'
	spaceTimer  = 't'
	spaceDue    = 'u'
	spaceBody   = 'b'
	spaceLease  = 'm'
	spaceLane   = 'g'
	spaceName   = 'a'
	spaceGroup  = 'l'
	spaceNode   = 't'
	spaceSeen   = 'u'
	spaceSeenAt = 'w'
	spaceMoves  = 'v'
	spaceMoved  = 'x'

	spaceGroupName = 'n'

	// The tries of a queue's data: the messages that it has, for each priority
	// the lanes that can give one out, the message groups whose buckets are not full, and
	// for each lane its messages that are ready.
	trieLive   = 0
	trieRings  = 1
	trieGroups = 11
	trieLanes  = 16
)

func recordKey(name string) []byte {
	space := byte(spaceRecord)
	if strings.Contains(name, "/") {
		space = spacePartition
	}
	return append([]byte{byte(flotilla.SystemQueue), space}, name...)
}

func headerKey(gen uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{byte(flotilla.SystemQueue), spaceHeader}, gen)
}

// dataKey returns the beginning of a key of a queue's data.
func dataKey(gen uint64, space byte) []byte { return appendDataKey(make([]byte, 0, 32), gen, space) }

func appendDataKey(key []byte, gen uint64, space byte) []byte {
	key = append(key, byte(flotilla.SystemQueue), spaceData)
	return append(binary.BigEndian.AppendUint64(key, gen), space)
}

// numberKey returns a key of the queue's data, valid until the next one is asked for.
func (e *entry) numberKey(q *queue, space byte, number uint64) []byte {
	e.keyBuf = binary.BigEndian.AppendUint64(appendDataKey(e.keyBuf[:0], q.gen, space), number)
	return e.keyBuf
}

// queueRecord is what a queue is, apart from its messages.
type queueRecord struct {
	name     string
	id       uint64 // never used again
	gen      uint64
	secret   []byte
	created  flotilla.Millis
	modified flotilla.Millis
	purged   flotilla.Millis
	settings settings
	tags     []Pair
	spread
}

func (q *queueRecord) fields(c *coder) {
	c.bool(&q.isDeleted) // the first, for who only looks at names
	c.text(&q.name)
	c.num(&q.id)
	c.num(&q.gen)
	c.bytes(&q.secret)
	c.millis(&q.created)
	c.millis(&q.modified)
	c.millis(&q.purged)
	q.settings.fields(c)
	pairs(c, &q.tags)
	isPart := q.isSpread() || q.count > 0
	c.tail(isPart, func() { q.spread.fields(c) })
}

// header is what changes with each message.
type header struct {
	name       string
	nextNumber uint64 // the next message's
	nextLane   uint64
	liveHeight uint64
	rings      [maxPriority + 1]ring
	counters   Counters
	sweepAt    flotilla.Millis // when the sweep timer is set for; 0: it is not
	seenFirst  uint64          // the oldest deduplication id
	seenNext   uint64
	endedFirst uint64 // the oldest job that ended
	endedNext  uint64
	jobs       uint64 // records of jobs
	rate       bucket
	rateWakeAt flotilla.Millis // when the queue's timer is set for; 0: it is not
	isCapped   bool            // a receive was given less because too much is leased

	// Of queues that limited message groups, once one was counted.
	nextGroup    uint64
	groupsHeight uint64

	// deadAgainAt is when the queue for dead messages, which was missing in another group, is
	// tried again; 0: it was not missing.
	deadAgainAt flotilla.Millis

	// seenGen is the number of the data in which deduplication ids are: from before a purge,
	// which leaves them; 0: this one.
	seenGen uint64
}

// ring is the lanes of one priority that can give out a message, served in turn.
type ring struct {
	height uint64
	cursor uint64 // the lane that is next
	size   uint64
}

func (h *header) fields(c *coder) {
	c.text(&h.name)
	for _, n := range []*uint64{&h.nextNumber, &h.nextLane, &h.liveHeight, &h.seenFirst, &h.seenNext,
		&h.endedFirst, &h.endedNext, &h.jobs} {
		c.num(n)
	}
	for i := range h.rings {
		c.num(&h.rings[i].height)
		c.num(&h.rings[i].cursor)
		c.num(&h.rings[i].size)
	}
	h.counters.fields(c)
	c.millis(&h.sweepAt)
	h.rate.fields(c)
	c.millis(&h.rateWakeAt)
	c.bool(&h.isCapped)
	c.tail(h.nextGroup > 0 || h.deadAgainAt > 0 || h.seenGen > 0, func() { c.num(&h.nextGroup); c.num(&h.groupsHeight) })
	c.tail(h.deadAgainAt > 0 || h.seenGen > 0, func() { c.millis(&h.deadAgainAt) })
	c.tail(h.seenGen > 0, func() { c.num(&h.seenGen) })
}

// Counters are a queue's, exact at every moment. The totals count since the queue
// was created, or purged.
type Counters struct {
	Ready, Leased, Delayed uint64
	Scheduled              uint64 // of Delayed, those that are sent at their time only
	// Totals.
	Sent, Received, Deleted, Expired uint64
	Dead                             uint64 // moved to the dead-letter queue, also those that came back because it was missing
	Stale                            uint64 // deletes and changes by a handle that was superseded
	Duplicates                       uint64 // sends that were recognized
	LeasesEnded                      uint64 // leases that ran out
}

func (n *Counters) fields(c *coder) {
	for _, field := range n.each() {
		c.num(field)
	}
}

func (n *Counters) each() [12]*uint64 {
	return [...]*uint64{&n.Ready, &n.Leased, &n.Delayed, &n.Scheduled, &n.Sent, &n.Received, &n.Deleted,
		&n.Expired, &n.Dead, &n.Stale, &n.Duplicates, &n.LeasesEnded}
}

// add adds up the counters of two partitions.
func (n *Counters) add(more *Counters) {
	others := more.each()
	for i, field := range n.each() {
		*field += *others[i]
	}
}

// body is a message as it was sent to this queue.
type body struct {
	lane       uint64
	id         string          // empty: made of the queue's id and the number
	sent       flotilla.Millis // by its sender, to the first queue
	arrived    flotilla.Millis // in this queue
	deadSource string
	hasLease   bool            // from the start: it was delayed, or came back; else the first receive makes one
	entry      SendEntry       // without delay and schedule
	due        flotilla.Millis // when its schedule was, from which on it ages; 0: it had none
	// Of a dead one: how often it was received in the queues before this one, and when first.
	// It is told, and counts for nothing here.
	receives uint64
	first    flotilla.Millis
}

func (m *body) fields(c *coder) {
	c.num(&m.lane)
	c.text(&m.id)
	c.millis(&m.sent)
	c.millis(&m.arrived)
	c.text(&m.deadSource)
	c.bool(&m.hasLease)
	m.entry.fields(c)
	c.tail(m.due > 0 || m.receives > 0, func() { c.millis(&m.due) })
	c.tail(m.receives > 0, func() { c.num(&m.receives); c.millis(&m.first) })
}

// The states of a message.
const (
	stateReady uint64 = iota
	stateDelayed
	stateLeased
	stateRetry // received before, and not to be given out before its time
)

// stateNames are what users are told.
var stateNames = [...]string{"ready", "delayed", "leased", "retry"}

// lease is what changes of a message.
type lease struct {
	state    uint64
	lane     uint64 // as in the body, which may be large and far away
	receives uint64
	token    uint64 // of the last lease
	at       flotilla.Millis
	leased   flotilla.Millis // when the last lease began
	first    flotilla.Millis // when it was received for the first time
	// isCounted says that its message group has counted it: see group.go.
	isCounted bool
}

func (l *lease) fields(c *coder) {
	c.num(&l.state)
	c.num(&l.lane)
	c.num(&l.receives)
	c.num(&l.token)
	c.millis(&l.at)
	c.millis(&l.leased)
	c.millis(&l.first)
	c.tail(l.isCounted, func() { c.bool(&l.isCounted) })
}

// lane is the messages of one message group and priority. On a FIFO queue it gives
// out nothing while it has any that are held.
type lane struct {
	number   uint64
	priority uint64
	group    string
	base     uint64 // its first message
	height   uint64
	ready    uint64
	delayed  uint64
	held     uint64          // leased, or waiting for a retry
	cursor   uint64          // the first message that was never received
	lastDue  flotilla.Millis // FIFO: no message is due before the one sent before it
	isTurn   bool            // the next one is taken from the cursor on, not the oldest
	isInRing bool
	isPaused bool // its message group is

	isChanged bool // not part of the state
}

func (l *lane) fields(c *coder) {
	for _, n := range []*uint64{&l.number, &l.priority, &l.base, &l.height, &l.ready, &l.delayed, &l.held, &l.cursor} {
		c.num(n)
	}
	c.text(&l.group)
	c.millis(&l.lastDue)
	c.bool(&l.isTurn)
	c.bool(&l.isInRing)
	c.bool(&l.isPaused)
}

// bucket is a token bucket of one second's worth: spent is how many thousandths of a
// message it lacks to be full, at a time.
type bucket struct {
	spent uint64
	at    flotilla.Millis
}

func (b *bucket) fields(c *coder) { c.num(&b.spent); c.millis(&b.at) }

// refill lets time pass at a rate per second, and returns how many whole messages
// may be given out.
func (b *bucket) refill(now flotilla.Millis, rate uint64) uint64 {
	gained := uint64(min(now-b.at, 3600_000)) * rate
	b.at = now
	b.spent = min(b.spent-min(b.spent, gained), rate*1000) // it may have been a greater rate
	return (rate*1000 - b.spent) / 1000
}

// nextAt returns when one more message may be given out, or if there is one already, when
// the bucket is full.
func (b *bucket) nextAt(rate uint64) flotilla.Millis {
	lacking := b.spent
	if b.spent+1000 > rate*1000 {
		lacking = b.spent + 1000 - rate*1000
	}
	return b.at + flotilla.Millis((lacking+rate-1)/rate)
}

package queue

import (
	"cmp"
	"encoding/binary"
	"hash"
	"maps"
	"slices"

	"flotilla"
)

// entry is what the commands of one log entry share: what they read is read once, and
// what they changed is written once, when the entry ends.
type entry struct {
	tx     *flotilla.Tx // nil for a read
	r      flotilla.Reader
	now    flotilla.Millis
	queues map[string]*queue // nil for a name that is not in use
	names  map[uint64]string // by gen
	nodes  map[nodeID]*node
	dues   map[flotilla.Millis]*due

	timerMaps map[timer]*timerMap
	out       []byte

	keyBuf, valueBuf []byte // of the last key and value: the state copies both
	coder            coder  // of what is read or written just now
}

// queue is a queue as an entry has it.
type queue struct {
	queueRecord
	header
	lanes           map[uint64]*lane
	laneNumbers     map[laneName]uint64
	groups          map[uint64]*group // nil as long as none is asked for
	groupNumbers    map[string]uint64
	isRecordChanged bool
	isHeaderChanged bool
	hasNews         bool      // a message became ready, or may be given out now
	mac             hash.Hash // of the queue's secret

	handleBuf, codeBuf, textBuf []byte // of the last receipt handle
}

type laneName struct {
	priority uint64
	group    string
}

func newEntry(r flotilla.Reader, tx *flotilla.Tx, now flotilla.Millis) *entry {
	return &entry{tx: tx, r: r, now: now, queues: map[string]*queue{}, names: map[uint64]string{},
		nodes: map[nodeID]*node{}, dues: map[flotilla.Millis]*due{}, timerMaps: map[timer]*timerMap{}}
}

// encoded returns what a value is in the state, valid until the next one is asked for.
func (e *entry) encoded(value coded) []byte {
	e.valueBuf = e.coder.encode(e.valueBuf[:0], value)
	return e.valueBuf
}

// entryOf returns what the commands of tx's entry share.
func entryOf(tx *flotilla.Tx) *entry {
	if e, ok := tx.Scratch.(*entry); ok {
		return e
	}
	e := newEntry(tx.State, tx, tx.Time)
	tx.Scratch = e
	return e
}

// queue returns the queue of a name, or nil.
func (e *entry) queue(name string) *queue {
	if q := e.known(name); q != nil && !q.isDeleted {
		return q
	}
	return nil
}

// known returns the queue of a name, or nil. It may have been deleted: see partition.go.
func (e *entry) known(name string) *queue {
	if q, ok := e.queues[name]; ok {
		return q
	}
	value, ok := e.r.Get(recordKey(name))
	if !ok {
		e.queues[name] = nil
		return nil
	}
	q := newQueue()
	e.coder.mustDecode(value, &q.queueRecord)
	q.secret = slices.Clone(q.secret)
	value, ok = e.r.Get(headerKey(q.gen))
	flotilla.Assert(ok, "a queue has a header")
	e.coder.mustDecode(value, &q.header)
	e.queues[name], e.names[q.gen] = q, name
	return q
}

func newQueue() *queue {
	return &queue{lanes: map[uint64]*lane{}, laneNumbers: map[laneName]uint64{}}
}

// queueOf returns the queue whose data has the number gen, or nil if it is gone. It may
// be a partition that is only remembered.
func (e *entry) queueOf(gen uint64) *queue {
	name, ok := e.names[gen]
	if !ok {
		value, isThere := e.r.Get(headerKey(gen))
		if !isThere {
			return nil
		}
		var h header
		e.coder.mustDecode(value, &h)
		name = h.name
	}
	if q := e.known(name); q != nil && q.gen == gen {
		return q
	}
	return nil
}

// changed returns the counters of a queue, to be changed.
func (q *queue) changed() *Counters {
	q.isHeaderChanged = true
	return &q.counters
}

func (q *queue) live() trie {
	return trie{gen: q.gen, number: trieLive, height: &q.liveHeight}
}

func (q *queue) ringTrie(priority uint64) trie {
	return trie{gen: q.gen, number: trieRings + priority, height: &q.rings[priority].height}
}

func (q *queue) ready(l *lane) trie {
	return trie{gen: q.gen, number: trieLanes + l.number, base: l.base, height: &l.height}
}

// lane returns a lane that exists.
func (e *entry) lane(q *queue, number uint64) *lane {
	if l := q.lanes[number]; l != nil {
		return l
	}
	value, ok := e.r.Get(e.numberKey(q, spaceLane, number))
	flotilla.Assert(ok, "a message's lane exists")
	l := &lane{}
	e.coder.mustDecode(value, l)
	q.lanes[number] = l
	return l
}

// laneFor returns the lane of a group and priority, a new one if need be, whose
// first message is then the queue's next.
func (e *entry) laneFor(q *queue, name laneName) *lane {
	if l := e.findLane(q, name); l != nil {
		return l
	}
	l := &lane{number: q.nextLane, priority: name.priority, group: name.group, base: q.nextNumber &^ 63, isChanged: true}
	if g := e.findGroup(q, name.group); g != nil {
		l.isPaused = g.isPaused
	}
	q.nextLane++
	q.isHeaderChanged = true
	q.lanes[l.number], q.laneNumbers[name] = l, l.number
	e.tx.Set(laneNameKey(q.gen, name), binary.BigEndian.AppendUint64(nil, l.number))
	return l
}

// findLane returns the lane of a group and priority, or nil.
func (e *entry) findLane(q *queue, name laneName) *lane {
	number, ok := q.laneNumbers[name]
	if !ok {
		value, isThere := e.r.Get(laneNameKey(q.gen, name))
		if !isThere {
			return nil
		}
		number = binary.BigEndian.Uint64(value)
		q.laneNumbers[name] = number
	}
	return e.lane(q, number)
}

func laneNameKey(gen uint64, name laneName) []byte {
	return append(append(dataKey(gen, spaceName), byte(name.priority)), name.group...)
}

// settle notes that a lane changed. One that has no messages at all is forgotten.
func (e *entry) settle(q *queue, l *lane) {
	e.place(q, l)
	if l.ready+l.delayed+l.held == 0 {
		delete(q.laneNumbers, laneName{l.priority, l.group})
		delete(q.lanes, l.number)
		e.tx.Delete(laneNameKey(q.gen, laneName{l.priority, l.group}))
		e.tx.Delete(e.numberKey(q, spaceLane, l.number))
	}
}

// place puts a lane into its ring or takes it out: whether it can give out a message now
// decides.
func (e *entry) place(q *queue, l *lane) {
	l.isChanged = true
	canGive := l.ready > 0 && !l.isPaused && !(q.settings.isFIFO() && l.held > 0)
	ring := &q.rings[l.priority]
	if canGive != l.isInRing {
		q.isHeaderChanged = true
		l.isInRing = canGive
		if canGive {
			e.add(q.ringTrie(l.priority), l.number)
			ring.size++
			q.hasNews = true
		} else {
			e.remove(q.ringTrie(l.priority), l.number)
			ring.size--
		}
	}
}

// save writes all that changed, in an order that is the same on all replicas.
func (e *entry) save() {
	for _, name := range slices.Sorted(maps.Keys(e.queues)) {
		if q := e.queues[name]; q != nil {
			e.saveQueue(q)
		}
	}
	e.saveNodes()
	e.saveTimers()
}

func (e *entry) saveQueue(q *queue) {
	if q.isRecordChanged {
		e.tx.Set(recordKey(q.queueRecord.name), e.encoded(&q.queueRecord))
	}
	if q.isHeaderChanged {
		e.tx.Set(headerKey(q.gen), e.encoded(&q.header))
	}
	q.isRecordChanged, q.isHeaderChanged = false, false
	lanes := slices.SortedFunc(maps.Values(q.lanes), func(a, b *lane) int { return cmp.Compare(a.number, b.number) })
	for _, l := range lanes {
		if l.isChanged {
			e.tx.Set(e.numberKey(q, spaceLane, l.number), e.encoded(l))
			l.isChanged = false
		}
	}
	groups := slices.SortedFunc(maps.Values(q.groups), func(a, b *group) int { return cmp.Compare(a.number, b.number) })
	for _, g := range groups {
		if g.isChanged {
			e.tx.Set(e.numberKey(q, spaceGroup, g.number), e.encoded(g))
			g.isChanged = false
		}
	}
	if q.hasNews {
		e.tell(q.queueRecord.name, EventReady)
		q.hasNews = false
	}
}

// Names of the events.
const (
	// EventReady says that a queue may have a message for who waits.
	EventReady = "ready"
	// EventDeleted says that a queue was deleted.
	EventDeleted = "deleted"
	// EventPosted says that a message for that queue, of another group, is in the outbox.
	EventPosted = "posted"
	// EventEnded says that a job ended whose result is kept: its message's id is the event's Body.
	EventEnded = "ended"
)

func (e *entry) tell(queueName, what string) {
	if e.tx.Emit != nil {
		e.tx.Emit(flotilla.Event{System: flotilla.SystemQueue, Group: e.tx.Group, Index: e.tx.Index, Name: what, Key: []byte(queueName)})
	}
}

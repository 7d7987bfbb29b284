package check

import (
	"fmt"
	"math/rand/v2"
	"slices"
)

// toyQueues is a system of queues that is right, or breaks one rule now and then. Its
// clients ask side by side; what they ask for takes effect somewhere between.
type toyQueues struct {
	chance   *rand.Rand
	rule     string // that is broken; empty: none
	isBroken bool   // it was
	now      int64  // milliseconds
	recorder *QueueRecorder
	rules    map[string]QueueRules
	queues   map[string]*toyQueue
	handles  map[string]string // which message each is of
	names    []string
	serial   int
	clients  []*toyWorker
	pending  []func() // what still takes effect, of requests that nobody was answered
}

type toyQueue struct {
	name     string
	rules    QueueRules
	messages []*toyMessage
	seen     map[string]toySeen
	died     map[string]bool // ids of messages that are dead
	next     uint64
	leak     int64 // how wrong its count is
	given    []toyGiven
}

// toyGiven is when a queue gave out a message of a group.
type toyGiven struct {
	at    int64
	group string
}

type toySeen struct {
	sent *toyMessage
	at   int64
}

type toyMessage struct {
	Delivery
	until  int64 // not to be given out before
	leased bool
}

// toyWorker asks for one thing at a time.
type toyWorker struct {
	number int
	held   []toyHeld
	open   func(isEnd bool) // what it waits for
	unsent []QueueOperation // sends whose outcome it does not know, to be repeated
}

type toyHeld struct {
	queue, handle string
	until         int64
}

func newToyQueues(seed uint64, rule string) *toyQueues {
	t := &toyQueues{chance: rand.New(rand.NewPCG(seed, 5)), rule: rule, queues: map[string]*toyQueue{}, handles: map[string]string{}}
	t.recorder = NewQueueRecorder(func() int64 { return t.now * 1e6 }, func() (int64, int64) { return t.now, t.now })
	t.rules = map[string]QueueRules{
		"plain": {}, "strict": {IsStrict: true}, "work": {DeadQueue: "dead", MaxReceives: 2}, "dead": {},
		"a.fifo": {IsFIFO: true, Window: 300_000}, "b.fifo": {IsFIFO: true, Window: 300_000, DeadQueue: "d.fifo", MaxReceives: 3},
		"d.fifo": {IsFIFO: true, Window: 300_000},
	}
	if slices.Contains([]string{"", "rate", "in flight", "kept too long", "group rate", "group in flight"}, rule) { // else each of the others would be tried less often
		t.rules["slow"], t.rules["few"], t.rules["short"] = QueueRules{Rate: 2}, QueueRules{MaxInFlight: 2}, QueueRules{Retention: 3000}
		t.rules["fair"], t.rules["fair.fifo"] = QueueRules{GroupRate: 2}, QueueRules{IsFIFO: true, Window: 300_000, GroupMaxInFlight: 2}
	}
	for name, rules := range t.rules {
		t.names = append(t.names, name)
		t.queues[name] = &toyQueue{name: name, rules: rules, seen: map[string]toySeen{}, died: map[string]bool{}}
	}
	slices.Sort(t.names)
	for i := range 5 {
		t.clients = append(t.clients, &toyWorker{number: i})
	}
	return t
}

// breaks reports whether the rule is broken now, if it is the one.
func (t *toyQueues) breaks(rule string) bool {
	return t.rule == rule && t.chance.IntN(4) == 0
}

func (t *toyQueues) broke() { t.isBroken = true }

// run lets clients work, and then empties all queues.
func (t *toyQueues) run(steps int) []QueueOperation {
	for range steps {
		t.now += t.chance.Int64N(30)
		c := t.clients[t.chance.IntN(len(t.clients))]
		if c.open == nil {
			t.begin(c)
			continue
		}
		isEnd := t.chance.IntN(2) == 0
		open := c.open
		open(isEnd)
	}
	for _, c := range t.clients {
		if c.open != nil {
			c.open(true)
		}
	}
	for _, late := range t.pending {
		late()
	}
	t.now += 100_000
	t.drain()
	return t.recorder.History()
}

func (t *toyQueues) drain() {
	c := &toyWorker{number: 99}
	for range 3 { // what is dead goes on
		for _, name := range t.names {
			t.tally(c, name)
			c.open(true)
			for {
				before := len(c.held)
				t.receive(c, name)
				c.open(true)
				if len(c.held) == before {
					if t.rules[name].Rate+t.rules[name].GroupRate == 0 || len(t.queues[name].messages) == 0 {
						break
					}
					t.now += 1000 // then it gives out more
				}
				for len(c.held) > 0 {
					t.settle(c)
					c.open(true)
				}
			}
		}
		t.now += 100_000
	}
}

// ask begins operations. effect is what they do; it fills the answers in.
func (t *toyQueues) ask(c *toyWorker, all []QueueOperation, effect func(o *QueueOperation), then func(all []QueueOperation)) {
	for i := range all {
		all[i].Client = c.number
	}
	first := t.recorder.Begin(all...)
	isDone, isLost, isRefused := false, c.number != 99 && t.chance.IntN(12) == 0, c.number != 99 && t.chance.IntN(25) == 0
	do := func() {
		if isDone {
			return
		}
		isDone = true
		if isRefused && !t.breaks("refused") {
			return
		}
		if isRefused {
			t.broke()
		}
		for i := range all {
			effect(&all[i])
		}
	}
	c.open = func(isEnd bool) {
		if !isEnd && !isLost {
			do()
			return
		}
		c.open = nil
		told := slices.Clone(all)
		switch {
		case isRefused:
			do()
			for i := range told {
				told[i].Outcome = Refused
			}
		case isLost:
			for i := range told {
				told[i].Outcome = Unknown
			}
			if t.chance.IntN(2) == 0 {
				t.pending = append(t.pending, do)
			} else if t.chance.IntN(2) == 0 {
				do()
			}
		default:
			do()
			told = all
			for i := range told {
				told[i].Outcome = Known
			}
		}
		t.recorder.End(first, told...)
		then(told)
	}
}

func (t *toyQueues) begin(c *toyWorker) {
	if len(t.pending) > 0 && t.chance.IntN(10) == 0 {
		t.pending[0]()
		t.pending = t.pending[1:]
	}
	name := t.names[t.chance.IntN(len(t.names))]
	switch p := t.chance.IntN(100); {
	case p < 30:
		t.send(c, name)
	case p < 60:
		t.receive(c, name)
	case p < 80 && len(c.held) > 0:
		t.settle(c)
	case p < 95 && len(c.held) > 0:
		t.change(c)
	case p < 97:
		t.tally(c, name)
	case p < 98:
		t.purge(c, name)
	default:
		t.receive(c, name)
	}
}

func (t *toyQueues) send(c *toyWorker, name string) {
	if len(c.unsent) > 0 && t.chance.IntN(2) == 0 {
		o := c.unsent[0]
		c.unsent = c.unsent[1:]
		t.sendAll(c, []QueueOperation{o})
		return
	}
	var all []QueueOperation
	for range 1 + t.chance.IntN(3) {
		t.serial++
		o := QueueOperation{Kind: Send, Queue: name, Body: fmt.Sprint("v", t.serial)}
		if t.rules[name].IsFIFO {
			o.Group, o.Duplicate = fmt.Sprint("g", t.chance.IntN(2)), o.Body
		} else if t.chance.IntN(3) == 0 {
			o.Delay = t.chance.Int64N(4000)
		}
		if name == "fair" && t.chance.IntN(4) > 0 {
			o.Group = fmt.Sprint("g", t.chance.IntN(2))
		}
		all = append(all, o)
	}
	t.sendAll(c, all)
}

func (t *toyQueues) sendAll(c *toyWorker, all []QueueOperation) {
	asked := slices.Clone(all)
	t.ask(c, all, t.sent, func(told []QueueOperation) {
		for i, o := range told {
			if o.Outcome == Unknown && o.Duplicate != "" {
				c.unsent = append(c.unsent, asked[i])
			}
		}
	})
}

func (t *toyQueues) sent(o *QueueOperation) {
	q := t.queues[o.Queue]
	o.IsDone = true
	if before, ok := q.seen[o.Duplicate]; ok && o.Duplicate != "" && t.now < before.at+300_000 {
		if !t.breaks("twice") {
			o.MessageID, o.Sequence = before.sent.MessageID, before.sent.Sequence
			return
		}
		t.broke()
	}
	m := &toyMessage{Delivery: Delivery{Body: o.Body, Group: o.Group, SentAt: t.now}, until: t.now + o.Delay}
	if o.Delay > 0 && t.breaks("early") {
		t.broke()
		m.until = t.now + o.Delay/3
	}
	if t.breaks("lost") {
		t.broke()
	} else {
		q.put(m)
	}
	if t.breaks("doubled") {
		t.broke()
		twin := *m
		q.put(&twin)
	}
	if t.breaks("numbers") && len(q.messages) > 1 {
		last := q.messages[len(q.messages)-2]
		if last.Group == m.Group && last.Count == 0 {
			t.broke()
			last.Sequence, m.Sequence = m.Sequence, last.Sequence
		}
	}
	if o.Duplicate != "" {
		q.seen[o.Duplicate] = toySeen{m, t.now}
	}
	o.MessageID = m.MessageID
	if q.rules.IsFIFO {
		o.Sequence = m.Sequence
	}
}

func (q *toyQueue) put(m *toyMessage) {
	q.next++
	if m.DeadSource == "" { // else it keeps its id, and how often it was received
		m.MessageID, m.Count = fmt.Sprint(q.name, "-", q.next), 0
	}
	m.Sequence, m.leased, m.Handle = q.next, false, ""
	q.messages = append(q.messages, m)
}

// pass ends what is over in a queue.
func (t *toyQueues) pass(q *toyQueue) {
	for _, m := range slices.Clone(q.messages) {
		if keeps := q.rules.Retention; keeps > 0 && m.SentAt+keeps <= t.now && !t.breaks("kept too long") {
			q.remove(m)
			continue
		}
		if !m.leased || m.until > t.now {
			continue
		}
		m.leased = false
		t.mayDie(q, m)
	}
}

func (t *toyQueues) mayDie(q *toyQueue, m *toyMessage) {
	most := q.rules.MaxReceives
	if most == 0 {
		return
	}
	isDead := m.Count >= most
	if isDead && t.breaks("immortal") {
		t.broke()
		return
	}
	if !isDead && t.breaks("dead too soon") {
		t.broke()
		isDead = true
	}
	if !isDead {
		return
	}
	if t.breaks("dead and back") {
		t.broke()
		m.Count--
	} else {
		q.remove(m)
		q.died[m.MessageID] = true
	}
	if t.breaks("lost when dead") {
		t.broke()
		return
	}
	moved := *m
	moved.DeadSource, moved.until = q.name, t.now
	t.queues[q.rules.DeadQueue].put(&moved)
}

func (q *toyQueue) remove(m *toyMessage) {
	q.messages = slices.DeleteFunc(q.messages, func(other *toyMessage) bool { return other == m })
}

func (t *toyQueues) receive(c *toyWorker, name string) {
	o := QueueOperation{Kind: Receive, Queue: name, Visibility: 200 + t.chance.Int64N(2000)}
	t.ask(c, []QueueOperation{o}, t.received, func(told []QueueOperation) {
		for _, d := range told[0].Deliveries {
			c.held = append(c.held, toyHeld{name, d.Handle, t.now + o.Visibility})
		}
	})
}

func (t *toyQueues) received(o *QueueOperation) {
	q := t.queues[o.Queue]
	t.pass(q)
	o.IsDone = true
	blocked := map[string]bool{}
	isOpen := false
	for _, m := range q.messages {
		if m.leased && q.rules.IsFIFO {
			if t.breaks("order") {
				isOpen = true
			} else {
				blocked[m.Group] = true
			}
		}
	}
	if len(q.messages) > 0 && t.breaks("not found") {
		t.broke()
		return
	}
	for _, m := range slices.Clone(q.messages) {
		isFree := !m.leased && m.until <= t.now && !blocked[m.Group]
		if m.leased && t.breaks("two leases") {
			t.broke()
			isFree = true
		}
		if q.rules.IsFIFO && !isFree && !isOpen {
			blocked[m.Group] = true
		}
		if !isFree || len(o.Deliveries) == 3 || !t.mayGive(q, m.Group) {
			continue
		}
		if len(o.Deliveries) > 0 && t.chance.IntN(4) == 0 && !q.rules.IsFIFO && o.Client != 99 {
			continue // but who asks gets something, if there is anything
		}
		if isOpen {
			t.broke()
		}
		t.serial++
		m.leased, m.until, m.Handle = true, t.now+o.Visibility, fmt.Sprint("h", t.serial)
		if t.breaks("uncounted") && m.Count > 0 {
			t.broke()
		} else {
			m.Count++
		}
		if t.breaks("overcounted") {
			t.broke()
			m.Count++
		}
		d := m.Delivery
		t.handles[d.Handle] = d.MessageID
		if t.chance.IntN(2) == 0 {
			d.VisibleAt = m.until
		}
		if !q.rules.IsFIFO {
			d.Sequence = 0
		}
		o.Deliveries = append(o.Deliveries, d)
		q.given = append(q.given, toyGiven{t.now, m.Group})
		t.isBroken = t.isBroken || q.rules.Retention > 0 && m.SentAt+q.rules.Retention < t.now
	}
}

// mayGive reports whether a queue may give out one more message of a group now.
func (t *toyQueues) mayGive(q *toyQueue, group string) bool {
	return t.keeps(q, "", q.rules.MaxInFlight, q.rules.Rate, "") &&
		(group == "" || t.keeps(q, group, q.rules.GroupMaxInFlight, q.rules.GroupRate, "group "))
}

// keeps reports whether limits allow one more message of a group, or of all if that is
// empty, or are to be broken.
func (t *toyQueues) keeps(q *toyQueue, group string, most, rate int64, of string) bool {
	isOf := func(other string) bool { return group == "" || group == other }
	leased := int64(0)
	for _, m := range q.messages {
		if m.leased && isOf(m.Group) {
			leased++
		}
	}
	since := func(millis int64) (n int64) {
		for _, g := range q.given {
			if g.at > t.now-millis && isOf(g.group) {
				n++
			}
		}
		return n
	}
	switch {
	case most > 0 && leased >= most:
		if !t.breaks(of + "in flight") {
			return false
		}
		t.broke()
	case rate > 0 && since(1000) >= rate:
		if !t.breaks(of + "rate") {
			return false
		}
		t.isBroken = t.isBroken || since(100) > rate
	}
	return true
}

// find returns the message that a handle is good for, or nil.
func (t *toyQueues) find(q *toyQueue, handle string) *toyMessage {
	t.pass(q)
	for _, m := range q.messages {
		if m.Handle == handle && (m.leased || !q.rules.IsFIFO) {
			return m
		}
	}
	return nil
}

func (t *toyQueues) settle(c *toyWorker) {
	i := t.chance.IntN(len(c.held))
	held := c.held[i]
	if t.chance.IntN(4) > 0 { // now and then it is used once more
		c.held = slices.Delete(c.held, i, i+1)
	}
	o := QueueOperation{Kind: Settle, Queue: held.queue, Handle: held.handle}
	t.ask(c, []QueueOperation{o}, t.settled, func([]QueueOperation) {})
}

func (t *toyQueues) settled(o *QueueOperation) {
	q := t.queues[o.Queue]
	m, isDead := t.find(q, o.Handle), q.died[t.handles[o.Handle]]
	o.IsDone = m != nil || !q.rules.IsFIFO && !q.rules.IsStrict || t.isGone(q, o.Handle) && !isDead
	if m != nil && t.breaks("not deleted") {
		t.broke()
		return
	}
	if m != nil {
		q.remove(m)
		return
	}
	if stale := t.stale(q, o.Handle); stale != nil && t.breaks("late delete") {
		t.broke()
		q.remove(stale)
		o.IsDone = true
	}
}

// isGone reports whether the message of a handle is not in the queue any more.
func (t *toyQueues) isGone(q *toyQueue, handle string) bool {
	return !slices.ContainsFunc(q.messages, func(m *toyMessage) bool { return m.MessageID == t.handles[handle] })
}

// stale returns a message of which a handle is an old one.
func (t *toyQueues) stale(q *toyQueue, handle string) *toyMessage {
	for _, m := range q.messages {
		if m.MessageID == t.handles[handle] && m.Handle != handle {
			return m
		}
	}
	return nil
}

func (t *toyQueues) change(c *toyWorker) {
	held := c.held[t.chance.IntN(len(c.held))]
	o := QueueOperation{Kind: Change, Queue: held.queue, Handle: held.handle}
	if t.chance.IntN(3) > 0 {
		o.Visibility = 100 + t.chance.Int64N(3000)
	}
	t.ask(c, []QueueOperation{o}, t.changed, func([]QueueOperation) {})
}

func (t *toyQueues) changed(o *QueueOperation) {
	q := t.queues[o.Queue]
	m := t.find(q, o.Handle)
	if m == nil {
		if stale := t.stale(q, o.Handle); stale != nil && t.breaks("late change") {
			t.broke()
			stale.until = t.now + o.Visibility
			o.IsDone = true
		}
		return
	}
	if t.breaks("no change") {
		t.broke()
		return
	}
	o.IsDone = true
	m.until, m.leased = t.now+o.Visibility, o.Visibility > 0
	if !m.leased {
		t.mayDie(q, m)
	}
}

func (t *toyQueues) purge(c *toyWorker, name string) {
	t.ask(c, []QueueOperation{{Kind: Purge, Queue: name}}, func(o *QueueOperation) {
		q := t.queues[name]
		o.IsDone = true
		if t.breaks("purge forgets") && len(q.messages) > 0 {
			t.broke()
			q.messages = q.messages[:1]
			return
		}
		q.messages, q.died = nil, map[string]bool{}
	}, func([]QueueOperation) {})
}

func (t *toyQueues) tally(c *toyWorker, name string) {
	t.ask(c, []QueueOperation{{Kind: Tally, Queue: name}}, func(o *QueueOperation) {
		q := t.queues[name]
		t.pass(q)
		if t.breaks("tally") {
			t.broke()
			q.leak++
		}
		o.IsDone, o.Total = true, int64(len(q.messages))+q.leak
		if o.Total > 0 && t.breaks("undercounted") {
			t.broke()
			o.Total--
		}
	}, func([]QueueOperation) {})
}

package queue

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"flotilla"

	"pgregory.net/rapid"
)

// model is what a queue and its dead-letter queue have to do, told as plainly as
// possible: a list of messages, each looked at every time.
type model struct {
	t           *rapid.T
	l           *lab
	isFIFO      bool
	isStrict    bool
	maxReceives uint64
	backoff     flotilla.Millis
	groupCap    int
	groupRate   flotilla.Millis
	spent       map[string]modelBucket
	purged      flotilla.Millis
	names       [2]string
	queues      [2][]*modelMessage // in order of arrival
	handles     []modelHandle
	nextBody    int
	dedup       map[string]modelDedup
}

type modelDedup struct {
	at flotilla.Millis
	id string
}

// modelBucket is what a message group gave out, in thousandths of a message.
type modelBucket struct{ spent, at flotilla.Millis }

type modelMessage struct {
	id, body, group string
	priority        int64
	sent            flotilla.Millis
	until           flotilla.Millis // not to be seen before
	isLeased        bool
	isRetry         bool
	receives        uint64
	before          uint64 // receives, before it was dead
	token           uint64
	outcome         string // how it ended
	ended           flotilla.Millis
}

type modelHandle struct {
	queue   int
	handle  string
	message *modelMessage
	token   uint64
	leased  flotilla.Millis
}

const (
	modelVisibility = 5000
	modelRetention  = 60000
	modelResults    = 30000
)

func newModel(t *rapid.T, isFIFO bool) *model {
	m := &model{t: t, l: newLab(), isFIFO: isFIFO, dedup: map[string]modelDedup{}, spent: map[string]modelBucket{}}
	m.names = [2]string{"work", "dead"}
	attributes := []string{"VisibilityTimeout", "5", "MessageRetentionPeriod", "60", "ResultRetentionPeriod", "30"}
	if isFIFO {
		m.names = [2]string{"work.fifo", "dead.fifo"}
		attributes = append(attributes, "FifoQueue", "true")
	}
	m.isStrict = rapid.Bool().Draw(t, "strict")
	m.maxReceives = rapid.Uint64Range(1, 4).Draw(t, "max receives")
	m.backoff = 1000 * flotilla.Millis(rapid.IntRange(0, 3).Draw(t, "backoff"))
	m.groupCap = rapid.SampledFrom([]int{0, 0, 1, 3}).Draw(t, "group cap")
	m.groupRate = rapid.SampledFrom([]flotilla.Millis{0, 0, 1, 4}).Draw(t, "group rate")
	m.create(m.names[1], attributes)
	attributes = append(attributes, "RedrivePolicy", fmt.Sprintf(`{"deadLetterTargetArn":"arn:aws:sqs:x:0:%s","maxReceiveCount":%d}`, m.names[1], m.maxReceives))
	if m.isStrict {
		attributes = append(attributes, "Fencing", "strict")
	}
	if m.backoff > 0 {
		attributes = append(attributes, "RetryBackoff", "fixed", "RetryBackoffSeconds", fmt.Sprint(m.backoff/1000))
	}
	if m.groupCap > 0 {
		attributes = append(attributes, "GroupMaxInFlight", fmt.Sprint(m.groupCap))
	}
	if m.groupRate > 0 {
		attributes = append(attributes, "GroupRateLimit", fmt.Sprint(m.groupRate))
	}
	m.create(m.names[0], attributes)
	return m
}

func (m *model) create(name string, attributes []string) {
	c := &CreateQueue{QueueName: name, Secret: []byte(strings.Repeat(name+"-secret-", 9)[:32])}
	for i := 0; i < len(attributes); i += 2 {
		c.Attributes = append(c.Attributes, Pair{attributes[i], attributes[i+1]})
	}
	if _, code := do[Done](m.l, c); code != "" {
		m.t.Fatalf("create: %s", code)
	}
}

// now lets happen what has fallen due, in the order of its time.
func (m *model) now() {
	for {
		var first *modelMessage
		queue := 0
		for q, messages := range m.queues {
			for _, one := range messages {
				at := m.eventAt(q, one)
				if at <= m.l.time && (first == nil || at < m.eventAt(queue, first)) {
					first, queue = one, q
				}
			}
		}
		if first == nil {
			return
		}
		m.happen(queue, first)
	}
}

func (m *model) eventAt(_ int, one *modelMessage) flotilla.Millis {
	at := one.sent + modelRetention
	if one.until > 0 {
		at = min(at, one.until)
	}
	return at
}

func (m *model) happen(queue int, one *modelMessage) {
	at := m.eventAt(queue, one)
	if one.until == 0 || one.until > at { // too old
		one.outcome, one.ended = JobExpired, at
		m.remove(queue, one)
		return
	}
	one.until = 0
	if one.isLeased {
		m.back(queue, one, at, 0)
		return
	}
	one.isRetry = false
}

// back ends a lease, with a delay unless that is 0.
func (m *model) back(queue int, one *modelMessage, at, delay flotilla.Millis) {
	one.isLeased, one.until = false, 0
	if delay == 0 && queue == 0 {
		delay = m.backoff
	}
	switch {
	case queue == 0 && one.receives >= m.maxReceives:
		m.remove(0, one)
		moved := *one
		one.outcome, one.ended = JobDead, at
		moved.before, moved.receives, moved.token = one.receives, 0, 0
		if m.isFIFO {
			moved.sent = at
		}
		m.queues[1] = append(m.queues[1], &moved)
	case delay > 0:
		one.isRetry, one.until = true, at+delay
	}
}

func (m *model) remove(queue int, one *modelMessage) {
	m.queues[queue] = slices.DeleteFunc(m.queues[queue], func(x *modelMessage) bool { return x == one })
}

// isAtCap reports whether a message group has as many messages leased as may be.
func (m *model) isAtCap(queue int, group string) bool {
	leased := 0
	for _, one := range m.queues[queue] {
		if one.isLeased && one.group == group {
			leased++
		}
	}
	return queue == 0 && group != "" && m.groupCap > 0 && leased >= m.groupCap
}

// left is how many thousandths of a message a group may give out now.
func (m *model) left(group string) flotilla.Millis {
	b := m.spent[group]
	b = modelBucket{max(0, b.spent-(m.l.time-b.at)*m.groupRate), m.l.time}
	m.spent[group] = b
	return m.groupRate*1000 - b.spent
}

// mayGive reports whether a message group may give out one more message.
func (m *model) mayGive(queue int, group string) bool {
	isSlow := queue == 0 && group != "" && m.groupRate > 0
	return !m.isAtCap(queue, group) && (!isSlow || m.left(group) >= 1000)
}

// purge empties the queue, and takes from it all that it knows of jobs.
func (m *model) purge() {
	_, code := do[Done](m.l, &PurgeQueue{QueueName: m.names[0]})
	m.now()
	if isSoon := m.purged != 0 && m.l.time < m.purged+PurgeSeconds*1000; isSoon != (code != "") {
		m.t.Fatalf("purge: %q", code)
	}
	if code != "" {
		return
	}
	m.purged, m.queues[0] = m.l.time, nil
	for _, h := range m.handles {
		if h.queue == 0 {
			h.message.outcome, h.message.ended = "purged", -modelResults
		}
	}
}

// canGive returns the messages that a receive may be given now; on a FIFO queue, the
// first of each group that has none leased.
func (m *model) canGive(queue int) (all []*modelMessage) {
	blocked := map[string]bool{}
	if m.isFIFO {
		for _, one := range m.queues[queue] {
			if one.isLeased || one.isRetry {
				blocked[one.group] = true
			}
		}
	}
	for _, one := range m.queues[queue] {
		if one.until == 0 && !blocked[one.group] && m.mayGive(queue, one.group) {
			all = append(all, one)
		}
		if m.isFIFO {
			blocked[one.group] = true
		}
	}
	return all
}

func (m *model) send() {
	s := SendEntry{MessageBody: fmt.Append(nil, "m", m.nextBody), DelaySeconds: -1}
	m.nextBody++
	s.MessageGroupID = rapid.SampledFrom([]string{"a", "b", "c"}).Draw(m.t, "group")
	dedup := ""
	if m.isFIFO {
		dedup = rapid.SampledFrom([]string{"1", "2", "3", "4", "5", "6", "7", "8", "9"}).Draw(m.t, "dedup")
		s.MessageDeduplicationID = dedup
	} else {
		s.DelaySeconds = rapid.Int64Range(0, 3).Draw(m.t, "delay")
		s.Priority = rapid.SampledFrom([]int64{0, 0, 5, 9}).Draw(m.t, "priority")
		s.MessageGroupID = rapid.SampledFrom([]string{"", s.MessageGroupID}).Draw(m.t, "any group")
	}
	reply, code := do[Sent](m.l, &SendMessageBatch{QueueName: m.names[0], Entries: []SendEntry{s}})
	m.now()
	if code != "" || reply.Entries[0].Err.Code != "" {
		m.t.Fatalf("send: %s %v", code, reply)
	}
	sent := reply.Entries[0]
	if before, ok := m.dedup[dedup]; m.isFIFO && ok && m.l.time < before.at+DeduplicationSeconds*1000 {
		if !sent.IsDuplicate || sent.MessageID != before.id {
			m.t.Fatalf("a duplicate was sent: %+v, before %+v", sent, before)
		}
		return
	}
	if sent.IsDuplicate {
		m.t.Fatal("taken for a duplicate")
	}
	m.dedup[dedup] = modelDedup{m.l.time, sent.MessageID}
	one := &modelMessage{id: sent.MessageID, body: string(s.MessageBody), group: s.MessageGroupID, priority: s.Priority, sent: m.l.time}
	if s.DelaySeconds > 0 {
		one.until = m.l.time + flotilla.Millis(s.DelaySeconds)*1000
	}
	m.queues[0] = append(m.queues[0], one)
}

func (m *model) receive(queue int) {
	most := rapid.Int64Range(1, 10).Draw(m.t, "most")
	reply, code := do[Received](m.l, &ReceiveMessage{QueueName: m.names[queue], MaxNumberOfMessages: most, VisibilityTimeout: -1})
	m.now()
	if code != "" {
		m.t.Fatalf("receive: %s", code)
	}
	groups := map[string]bool{}
	for _, got := range reply.Messages {
		all := m.canGive(queue)
		if m.isFIFO && groups[got.MessageGroupID] { // more of a group that this receive has begun
			all = m.rest(queue, got.MessageGroupID)
		}
		i := slices.IndexFunc(all, func(one *modelMessage) bool { return one.id == got.MessageID })
		if i < 0 {
			m.t.Fatalf("received %q, which is not ready", got.Body)
		}
		one := all[i]
		for _, other := range all {
			if other.priority > one.priority {
				m.t.Fatalf("received priority %d before %d", one.priority, other.priority)
			}
		}
		groups[got.MessageGroupID] = true
		if got.Token <= one.token || got.ApproximateReceiveCount != one.before+one.receives+1 || string(got.Body) != one.body ||
			got.VisibleAt != m.l.time+modelVisibility {
			m.t.Fatalf("received %+v, which is %+v", got, *one)
		}
		one.token, one.isLeased, one.until = got.Token, true, got.VisibleAt
		one.receives++
		if b := m.spent[one.group]; queue == 0 && one.group != "" {
			m.spent[one.group] = modelBucket{b.spent + 1000, b.at}
		}
		m.handles = append(m.handles, modelHandle{queue, got.ReceiptHandle, one, got.Token, m.l.time})
	}
	if int64(len(reply.Messages)) < most && len(m.canGive(queue)) > 0 {
		m.t.Fatalf("received %d of %d, while %d can be given", len(reply.Messages), most, len(m.canGive(queue)))
	}
}

// rest returns the next message of a group whose first ones this receive has taken.
func (m *model) rest(queue int, group string) []*modelMessage {
	for _, one := range m.queues[queue] {
		if one.group == group && !one.isLeased {
			if one.until != 0 || !m.mayGive(queue, group) {
				return nil
			}
			return []*modelMessage{one}
		}
	}
	return nil
}

// standing returns what a handle is good for.
func (m *model) standing(h modelHandle) standing {
	one := h.message
	switch {
	case one.outcome == JobDead:
		return isSuperseded
	case !slices.Contains(m.queues[h.queue], one):
		return isGone
	case one.token != h.token:
		return isSuperseded
	case !one.isLeased:
		return isOver
	}
	return isLive
}

func (m *model) isRefused(queue int, s standing) bool {
	return s == isSuperseded && (m.isStrict && queue == 0 || m.isFIFO) || s == isOver && m.isFIFO
}

// handle returns one that was given out, mostly of a message that is still there.
func (m *model) handle() modelHandle {
	isThere := func(h modelHandle) bool { return slices.Contains(m.queues[h.queue], h.message) }
	here := slices.DeleteFunc(slices.Clone(m.handles), func(h modelHandle) bool { return !isThere(h) })
	if len(here) > 0 && rapid.IntRange(0, 9).Draw(m.t, "there") > 0 {
		return rapid.SampledFrom(here).Draw(m.t, "handle")
	}
	return rapid.SampledFrom(m.handles).Draw(m.t, "handle")
}

func (m *model) delete() {
	h := m.handle()
	code := m.l.delete(m.names[h.queue], h.handle)
	m.now()
	s := m.standing(h)
	if refused := m.isRefused(h.queue, s); refused != (code != "") {
		m.t.Fatalf("delete of a handle that is %d: %q", s, code)
	}
	if s == isLive || s == isOver && !m.isFIFO {
		h.message.outcome, h.message.ended = JobSucceeded, m.l.time
		m.remove(h.queue, h.message)
	}
}

// ask wants to know what became of a message.
func (m *model) ask() {
	h := m.handle()
	one := h.message
	job, code := ask[Job](m.l, &DescribeJob{m.names[h.queue], one.id})
	switch {
	case one.outcome != "":
		isKept := m.l.time < one.ended+modelResults
		if isKept && (job.Status != one.outcome || job.Ended != one.ended) || !isKept && code != CodeResourceNotFound {
			m.t.Fatalf("the job of %+v is %+v, %s", *one, job, code)
		}
	case (job.Status == "leased") != one.isLeased || (job.Status == "retry") != one.isRetry || job.Ended != 0:
		m.t.Fatalf("the job of %+v is %+v", *one, job)
	}
}

func (m *model) change() {
	h := m.handle()
	seconds := rapid.Int64Range(0, 8).Draw(m.t, "seconds")
	var delay int64
	var code string
	if seconds > 0 {
		code = m.l.change(m.names[h.queue], h.handle, seconds)
	} else {
		delay = rapid.Int64Range(0, 5).Draw(m.t, "delay")
		code = m.l.giveBack(m.names[h.queue], h.handle, delay)
	}
	m.now()
	s := m.standing(h)
	one := h.message
	isFull := s == isOver && seconds > 0 && m.isAtCap(h.queue, one.group)
	if isRefused := m.isRefused(h.queue, s) || s == isGone || s == isSuperseded || isFull; isRefused != (code != "") {
		m.t.Fatalf("change with a handle that is %d: %q", s, code)
	}
	switch {
	case code != "" || s == isOver && seconds == 0:
	case seconds == 0:
		m.back(h.queue, one, m.l.time, 1000*flotilla.Millis(delay))
	default:
		one.isLeased, one.isRetry, one.until = true, false, m.l.time+flotilla.Millis(seconds)*1000
	}
}

func (m *model) check(t *rapid.T) {
	m.now()
	for q, name := range m.names {
		var ready, leased, delayed uint64
		for _, one := range m.queues[q] {
			switch {
			case one.isLeased:
				leased++
			case one.until > 0:
				delayed++
			default:
				ready++
			}
		}
		if got, want := m.l.counts(name), fmt.Sprint(ready, leased, delayed); got != want {
			t.Fatalf("%s: ready, leased, delayed are %s, should be %s", name, got, want)
		}
	}
	if err := m.l.verify(); err != nil {
		t.Fatal(err)
	}
}

func runModel(t *rapid.T, isFIFO bool) {
	m := newModel(t, isFIFO)
	t.Repeat(map[string]func(*rapid.T){
		"":             m.check,
		"send":         func(t *rapid.T) { m.t = t; m.send() },
		"send more":    func(t *rapid.T) { m.t = t; m.send(); m.send() },
		"receive":      func(t *rapid.T) { m.t = t; m.receive(0) },
		"purge":        func(t *rapid.T) { m.t = t; m.purge() },
		"receive dead": func(t *rapid.T) { m.t = t; m.receive(1) },
		"delete": func(t *rapid.T) {
			m.t = t
			if len(m.handles) == 0 {
				t.Skip("no handle")
			}
			m.delete()
		},
		"change": func(t *rapid.T) {
			m.t = t
			if len(m.handles) == 0 {
				t.Skip("no handle")
			}
			m.change()
		},
		"ask": func(t *rapid.T) {
			m.t = t
			if len(m.handles) == 0 {
				t.Skip("no handle")
			}
			m.l.entry() // what is due now
			m.ask()
		},
		"pass": func(t *rapid.T) {
			m.l.pass(flotilla.Millis(rapid.SampledFrom([]int{1, 500, 1000, 2500, 5000, 20000, 70000, 301000}).Draw(t, "millis")))
		},
		"snapshot": func(*rapid.T) { m.l.state = m.l.state.copy() },
	})
}

// TestStandardQueueIsLikeItsModel and the one for FIFO queues play random commands:
// nothing is lost, leases do not overlap, stale handles touch nothing, nothing comes
// before its delay, what is ready can be received.
func TestStandardQueueIsLikeItsModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) { runModel(t, false) })
}

func TestFIFOQueueIsLikeItsModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) { runModel(t, true) })
}

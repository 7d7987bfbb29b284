package queue

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"iter"
	"strings"
	"testing"

	"flotilla"

	"github.com/tidwall/btree"
)

// fakeState is a state in memory that counts what it is asked for. A deleted key
// stays as a tombstone for ever, and a scan that passes one has visited it: what a
// real store would do until it compacts.
type fakeState struct {
	pairs   btree.Map[string, pair]
	gets    int
	sets    int
	visited int
}

type pair struct {
	value  []byte
	isGone bool
}

func (s *fakeState) Get(key []byte) ([]byte, bool) {
	s.gets++
	p, ok := s.pairs.Get(string(key))
	return p.value, ok && !p.isGone
}

func (s *fakeState) Set(key, value []byte) {
	s.sets++
	s.pairs.Set(string(key), pair{value: append([]byte{}, value...)})
}

func (s *fakeState) Delete(key []byte) {
	s.sets++
	s.pairs.Set(string(key), pair{isGone: true})
}

func (s *fakeState) DeleteRange(start, end []byte) {
	s.sets++
	var doomed []string
	s.pairs.Ascend(string(start), func(key string, _ pair) bool {
		if key < string(end) {
			doomed = append(doomed, key)
		}
		return key < string(end)
	})
	for _, key := range doomed {
		s.pairs.Delete(key)
	}
}

func (s *fakeState) Scan(start, end []byte) iter.Seq2[[]byte, []byte] {
	return func(yield func(key, value []byte) bool) {
		sets := s.sets
		s.pairs.Ascend(string(start), func(key string, p pair) bool {
			if s.sets != sets {
				panic("a scan went on after a write")
			}
			if end != nil && key >= string(end) {
				return false
			}
			s.visited++
			return p.isGone || yield([]byte(key), p.value)
		})
	}
}

func (s *fakeState) ScanBack(start, end []byte) iter.Seq2[[]byte, []byte] { panic("not used") }

// live visits what is there.
func (s *fakeState) live(visit func(key string, value []byte)) {
	s.pairs.Scan(func(key string, p pair) bool {
		if !p.isGone {
			visit(key, p.value)
		}
		return true
	})
}

// digest sums up all keys and values.
func (s *fakeState) digest() uint64 {
	h := fnv.New64a()
	s.live(func(key string, value []byte) { fmt.Fprintf(h, "%d %q %d %q", len(key), key, len(value), value) })
	return h.Sum64()
}

// copy returns another state with the same pairs and no tombstones, as a snapshot makes one.
func (s *fakeState) copy() *fakeState {
	c := &fakeState{}
	s.live(func(key string, value []byte) { c.pairs.Set(key, pair{value: value}) })
	return c
}

// lab drives a machine as a group does: an entry for each command, Begin when it asked for it.
type lab struct {
	state  *fakeState
	index  uint64
	time   flotilla.Millis
	wake   flotilla.Millis
	events []string
	told   []flotilla.Event // the same, whole
	noRoom bool
	isDeaf bool // nobody listens to events
}

func newLab() *lab { return &lab{state: &fakeState{}, time: 1_700_000_000_000, wake: flotilla.Never} }

// entry applies one entry and returns its replies.
func (l *lab) entry(commands ...[]byte) (replies [][]byte) {
	l.index++
	tx := &flotilla.Tx{State: l.state, Group: 1, Index: l.index, Time: l.time, NoRoom: l.noRoom,
		Emit: func(e flotilla.Event) {
			l.events, l.told = append(l.events, e.Name+" "+string(e.Key)), append(l.told, e)
		}}
	if l.isDeaf {
		tx.Emit = nil
	}
	if l.wake <= l.time {
		l.wake = flotilla.Never
		Machine{}.Begin(tx)
	}
	for i, command := range commands {
		tx.Ordinal = i + 1
		replies = append(replies, append([]byte{}, Machine{}.Apply(tx, command)...))
	}
	Machine{}.End(tx)
	l.wake = min(l.wake, tx.TakeWake())
	return replies
}

// pass lets time go by, with an entry whenever the machine asked for one.
func (l *lab) pass(millis flotilla.Millis) {
	end := l.time + millis
	for l.wake <= end {
		l.time = max(l.time, l.wake)
		l.entry()
	}
	l.time = end
}

// do applies a command and returns its reply, or the code of its error.
func do[R any, P interface {
	*R
	Reply
}](l *lab, command Command) (R, string) {
	return decoded[R, P](l.entry(Encode(nil, command))[0])
}

func ask[R any, P interface {
	*R
	Reply
}](l *lab, command Command) (R, string) {
	view := &flotilla.View{Reader: l.state, Group: 1, Index: l.index, Time: l.time, Now: l.time}
	return decoded[R, P](Machine{}.Read(view, Encode(nil, command)))
}

func decoded[R any, P interface {
	*R
	Reply
}](b []byte) (reply R, code string) {
	err := DecodeReply(b, P(&reply))
	var failure *Error
	if errors.As(err, &failure) {
		return reply, failure.Code
	}
	return reply, ""
}

func (l *lab) create(t testing.TB, name string, attributes ...string) {
	t.Helper()
	c := &CreateQueue{QueueName: name, Secret: []byte(strings.Repeat("s", 8) + fmt.Sprintf("%024d", l.index))}
	for i := 0; i < len(attributes); i += 2 {
		if attributes[i] != "FifoQueue" || attributes[i+1] != "false" { // which may not be said
			c.Attributes = append(c.Attributes, Pair{attributes[i], attributes[i+1]})
		}
	}
	if _, code := do[Done](l, c); code != "" {
		t.Fatalf("create %s: %s", name, code)
	}
}

func (l *lab) set(t testing.TB, name string, attributes ...string) {
	t.Helper()
	c := &SetQueueAttributes{QueueName: name}
	for i := 0; i < len(attributes); i += 2 {
		c.Attributes = append(c.Attributes, Pair{attributes[i], attributes[i+1]})
	}
	if _, code := do[Done](l, c); code != "" {
		t.Fatalf("set %s: %s", name, code)
	}
}

// send sends one message, and returns what became of it.
func (l *lab) send(name, text string, change ...func(*SendEntry)) SentEntry {
	s := SendEntry{MessageBody: []byte(text), DelaySeconds: -1}
	for _, f := range change {
		f(&s)
	}
	reply, code := do[Sent](l, &SendMessageBatch{QueueName: name, Entries: []SendEntry{s}})
	if code != "" {
		return SentEntry{Err: Error{Code: code}}
	}
	return reply.Entries[0]
}

func inGroup(group, dedup string) func(*SendEntry) {
	return func(s *SendEntry) { s.MessageGroupID, s.MessageDeduplicationID = group, dedup }
}

func (l *lab) receive(name string, most int64) []Message {
	reply, _ := do[Received](l, &ReceiveMessage{QueueName: name, MaxNumberOfMessages: most, VisibilityTimeout: -1})
	return reply.Messages
}

// bodies says what was received.
func bodies(messages []Message) string {
	var all []string
	for _, m := range messages {
		all = append(all, string(m.Body))
	}
	return strings.Join(all, " ")
}

func (l *lab) delete(name, handle string) string {
	reply, code := do[Settled](l, &DeleteMessageBatch{QueueName: name, Entries: []DeleteEntry{{ReceiptHandle: handle}}})
	if code != "" {
		return code
	}
	return reply.Errors[0].Code
}

func (l *lab) change(name, handle string, seconds int64) string {
	reply, code := do[Settled](l, &ChangeMessageVisibilityBatch{QueueName: name,
		Entries: []VisibilityEntry{{ReceiptHandle: handle, VisibilityTimeout: seconds}}})
	if code != "" {
		return code
	}
	return reply.Errors[0].Code
}

// giveBack gives a message back, to be received no sooner than after a delay.
func (l *lab) giveBack(name, handle string, delaySeconds int64) string {
	reply, code := do[Settled](l, &ChangeMessageVisibilityBatch{QueueName: name, Entries: []VisibilityEntry{{ReceiptHandle: handle}}, RetryDelaySeconds: delaySeconds})
	if code != "" {
		return code
	}
	return reply.Errors[0].Code
}

func (l *lab) about(name string) QueueAttributes {
	reply, _ := ask[QueueAttributes](l, &GetQueueAttributes{QueueName: name})
	return reply
}

// counts says how many messages are ready, leased and delayed.
func (l *lab) counts(name string) string {
	n := l.about(name).Counters
	return fmt.Sprint(n.Ready, n.Leased, n.Delayed)
}

// verify compares all that the state says about the same thing in several places.
func (l *lab) verify() error {
	e := newEntry(l.state, nil, l.time)
	v := verifier{e: e, dues: map[flotilla.Millis]uint64{}, timers: map[timer]bool{}, queues: map[uint64]*queue{}, found: map[uint64]*Counters{}, jobs: map[uint64]uint64{}, memories: map[uint64]bool{},
		leased: map[groupID]uint64{}}
	l.state.live(v.visit)
	if v.err != nil {
		return v.err
	}
	l.state.live(func(key string, value []byte) {
		if strings.HasPrefix(key, "qd") && key[10] == spaceLease {
			v.visitLease(key, value)
		}
	})
	for at, count := range v.dues {
		if e.dueAt(at).count != count {
			return fmt.Errorf("%d timers at %d, counted %d", count, at, e.dueAt(at).count)
		}
		if found, ok := e.next(timers(), uint64(at)); !ok || found != uint64(at) {
			return fmt.Errorf("the time %d is not marked", at)
		}
	}
	l.state.live(func(key string, value []byte) {
		if strings.HasPrefix(key, "qu") && v.dues[flotilla.Millis(binary.BigEndian.Uint64([]byte(key[2:])))] == 0 {
			v.fail("a count without timers")
		}
		if strings.HasPrefix(key, "qd") {
			v.visitData(key, value)
		}
	})
	for gen, q := range v.queues {
		v.compare(gen, q)
	}
	return v.err
}

type verifier struct {
	e        *entry
	err      error
	dues     map[flotilla.Millis]uint64
	timers   map[timer]bool
	queues   map[uint64]*queue
	found    map[uint64]*Counters
	jobs     map[uint64]uint64
	memories map[uint64]bool    // data in which deduplication ids are
	leased   map[groupID]uint64 // leases that their message groups count
}

type groupID struct {
	gen  uint64
	name string
}

func (v *verifier) fail(format string, args ...any) {
	if v.err == nil {
		v.err = fmt.Errorf(format, args...)
	}
}

func (v *verifier) visit(key string, value []byte) {
	switch key[1] {
	case spaceRecord, spacePartition:
		q := v.e.known(key[2:])
		v.queues[q.gen], v.found[q.gen], v.memories[q.memory()] = q, &Counters{}, true
	case spaceTimer:
		b := []byte(key[2:])
		t := timer{at: flotilla.Millis(binary.BigEndian.Uint64(b)), gen: binary.BigEndian.Uint64(b[8:]), kind: b[16]}
		v.dues[t.at]++
		bitmap := binary.BigEndian.Uint64(value)
		if bitmap == 0 {
			v.fail("an empty bitmap of timers at %d", t.at)
		}
		for bit := range uint64(64) {
			t.number = binary.BigEndian.Uint64(b[17:])<<6 | bit
			v.timers[t] = bitmap>>bit&1 == 1
		}
	case spaceHeader, spaceData, spaceDue, spaceOutbox, spacePosted, spaceInbox, spaceRecurring, spaceUnsettled:
	default:
		v.fail("a key of an unknown kind: %q", key)
	}
}

func (v *verifier) visitData(key string, value []byte) {
	gen := binary.BigEndian.Uint64([]byte(key[2:]))
	q := v.queues[gen]
	isSeen := key[10] == spaceSeen || key[10] == spaceSeenAt
	if q == nil && isSeen && v.memories[gen] {
		return
	}
	switch {
	case gen == 0 && key[10] == spaceNode:
		return
	case q == nil:
		v.fail("data of a queue that is gone: %q", key)
		return
	case key[10] == spaceBody:
		v.visitMessage(q, binary.BigEndian.Uint64([]byte(key[11:])), value)
	case key[10] == spaceLease:
		if v.e.findBody(q, binary.BigEndian.Uint64([]byte(key[11:]))) == nil {
			v.fail("a lease without a message: %q", key)
		}
	case key[10] == spaceMoved:
		v.visitMoved(q, binary.BigEndian.Uint64([]byte(key[11:])))
	case key[10] == spaceJob:
		v.jobs[gen]++
	case key[10] == spaceLane:
		var l lane
		mustDecode(value, &l)
		if l.ready+l.delayed+l.held == 0 {
			v.fail("a lane without messages: %q", key)
		}
		if g := v.e.findGroup(q, l.group); l.isPaused != (g != nil && g.isPaused) {
			v.fail("lane %d pauses: %v, its group is %+v", l.number, l.isPaused, g)
		}
		if canGive := l.ready > 0 && !l.isPaused && !(q.settings.isFIFO() && l.held > 0); canGive != l.isInRing {
			v.fail("lane %d: it can give: %v, it is in the ring: %v", l.number, canGive, l.isInRing)
		}
	case key[10] == spaceGroup:
		var g group
		mustDecode(value, &g)
		v.visitGroup(q, &g)
	case key[10] == spaceGroupName:
		if g := v.e.findGroup(q, key[11:]); g == nil || g.name != key[11:] {
			v.fail("a name of a group that is %+v: %q", g, key)
		}
	}
}

// visitMoved looks for a message that went to another queue: it is not here, and will be forgotten.
func (v *verifier) visitMoved(q *queue, number uint64) {
	if v.e.findBody(q, number) != nil {
		v.fail("message %d is here, and was moved", number)
	}
	isTimed := false
	for t, isSet := range v.timers {
		isTimed = isTimed || isSet && t.gen == q.gen && t.kind == timerMoved && t.number == number
	}
	if !isTimed {
		v.fail("message %d was moved, and is never forgotten", number)
	}
}

// visitGroup looks at what is counted of a message group, against the leases that were found.
func (v *verifier) visitGroup(q *queue, g *group) {
	if g.leased == 0 && !g.isSpent {
		v.fail("a group with nothing to remember: %+v", g)
	}
	if found := v.e.findGroup(q, g.name); found == nil || found.number != g.number {
		v.fail("by its name, the group %+v is %+v", g, found)
	}
	at, ok := v.e.next(q.spentGroups(), g.number)
	isMarked := ok && at == g.number
	isTimed := v.timers[timer{at: g.wakeAt, gen: q.gen, kind: timerGroup, number: g.number}]
	if isSpent := g.rate.spent > 0; isSpent != g.isSpent || isSpent != isMarked || isSpent != isTimed || isTimed != (g.wakeAt != 0) {
		v.fail("group %+v: spent: %v, marked: %v, its timer is set: %v", g, isSpent, isMarked, isTimed)
	}
	if counted := v.leased[groupID{q.gen, g.name}]; counted != g.leased {
		v.fail("group %+v: %d leases count", g, counted)
	}
}

// visitLease counts a lease for its message group, which has to be there.
func (v *verifier) visitLease(key string, value []byte) {
	q := v.queues[binary.BigEndian.Uint64([]byte(key[2:]))]
	var l lease
	if mustDecode(value, &l); q == nil || !l.isCounted {
		return
	}
	name := v.e.lane(q, l.lane).group
	v.leased[groupID{q.gen, name}]++
	if l.state != stateLeased || name == "" || v.e.findGroup(q, name) == nil {
		v.fail("a lease in state %d counts for the group %q: %q", l.state, name, key)
	}
}

func (v *verifier) visitMessage(q *queue, number uint64, value []byte) {
	var m body
	mustDecode(value, &m)
	n := v.found[q.gen]
	alive, ok := v.e.next(q.live(), number)
	isAlive := ok && alive == number
	l := v.e.lease(q, number)
	if !isAlive {
		n.Delayed++
		n.Scheduled++
		return
	}
	lane := v.e.lane(q, m.lane)
	if _, ok := v.e.r.Get(v.e.numberKey(q, spaceLease, number)); ok && l.lane != m.lane {
		v.fail("message %d: lane %d, in its lease %d", number, m.lane, l.lane)
	}
	ready, ok := v.e.next(q.ready(lane), number)
	if isReady := ok && ready == number; isReady != (l.state == stateReady) {
		v.fail("message %d: marked ready: %v, state %d", number, isReady, l.state)
	}
	if l.state != stateReady && !v.timers[timer{at: l.at, gen: q.gen, kind: timerMessage, number: number}] {
		v.fail("message %d has no timer", number)
	}
	switch l.state {
	case stateReady:
		n.Ready++
	case stateLeased:
		n.Leased++
	default:
		n.Delayed++
	}
}

func (v *verifier) compare(gen uint64, q *queue) {
	n := v.found[gen]
	c := q.counters
	if v.jobs[gen] != q.jobs {
		v.fail("queue %s: %d jobs counted, %d found", q.queueRecord.name, q.jobs, v.jobs[gen])
	}
	if n.Ready != c.Ready || n.Leased != c.Leased || n.Delayed != c.Delayed || n.Scheduled != c.Scheduled {
		v.fail("queue %s: counted %+v, found %+v", q.queueRecord.name, c, *n)
	}
}

package queue

import (
	"fmt"
	"strings"
	"testing"

	"flotilla"
)

func TestSendChecksWhatItIsGiven(t *testing.T) {
	l := newLab()
	l.create(t, "q", "MaximumMessageSize", "2000")
	l.create(t, "big")
	l.create(t, "f.fifo", "FifoQueue", "true")
	with := func(f func(*SendEntry)) func(*SendEntry) { return f }
	for _, c := range []struct {
		what, queue, text string
		change            func(*SendEntry)
		code              string
	}{
		{"no body", "q", "", nil, CodeMissingParameter},
		{"a control character", "q", "a\x01", nil, CodeInvalidMessageContents},
		{"bytes that are no text", "q", "\xff", nil, CodeInvalidMessageContents},
		{"as large as the queue takes", "q", strings.Repeat("x", 2000), nil, ""},
		{"larger", "q", strings.Repeat("x", 2001), nil, CodeInvalidParameterValue},
		{"1 MiB", "big", strings.Repeat("x", MaxMessageBytes), nil, ""},
		{"more than 1 MiB", "big", strings.Repeat("x", MaxMessageBytes+1), nil, CodeInvalidParameterValue},
		{"larger with its attributes", "q", strings.Repeat("x", 1990), with(func(s *SendEntry) {
			s.MessageAttributes = []MessageAttribute{{"name", "String", []byte("value")}}
		}), CodeInvalidParameterValue},
		{"11 attributes", "q", "x", with(func(s *SendEntry) { s.MessageAttributes = make([]MessageAttribute, MaxAttributes+1) }), CodeInvalidParameterValue},
		{"a long delay", "q", "x", with(func(s *SendEntry) { s.DelaySeconds = MaxDelaySeconds + 1 }), CodeInvalidParameterValue},
		{"priority 10", "q", "x", with(func(s *SendEntry) { s.Priority = 10 }), CodeInvalidParameterValue},
		{"in two years", "q", "x", with(func(s *SendEntry) { s.ScheduledAt = l.time + 2*MaxScheduleDays*86400_000 }), CodeInvalidParameterValue},
		{"a group with a space", "q", "x", inGroup("a b", ""), CodeInvalidParameterValue},
		{"a long group", "q", "x", inGroup(strings.Repeat("g", MaxIDBytes+1), ""), CodeInvalidParameterValue},
		{"a deduplication id", "q", "x", inGroup("", "d"), CodeInvalidParameterValue},
		{"no group", "f.fifo", "x", inGroup("", "d"), CodeMissingParameter},
		{"no deduplication id", "f.fifo", "x", inGroup("g", ""), CodeInvalidParameterValue},
		{"a delay", "f.fifo", "x", with(func(s *SendEntry) { s.MessageGroupID, s.MessageDeduplicationID, s.DelaySeconds = "g", "d", 1 }), CodeInvalidParameterValue},
		{"a priority", "f.fifo", "x", with(func(s *SendEntry) { s.MessageGroupID, s.MessageDeduplicationID, s.Priority = "g", "d", 1 }), CodeInvalidParameterValue},
		{"all that it needs", "f.fifo", "x", inGroup("g", "d"), ""},
	} {
		change := c.change
		if change == nil {
			change = func(*SendEntry) {}
		}
		if got := l.send(c.queue, c.text, change); got.Err.Code != c.code {
			t.Errorf("%s: %q, not %q", c.what, got.Err.Code, c.code)
		}
	}
	for entries, code := range map[int]string{0: CodeEmptyBatchRequest, MaxBatchEntries + 1: CodeTooManyEntries} {
		if _, got := do[Sent](l, &SendMessageBatch{QueueName: "q", Entries: make([]SendEntry, entries)}); got != code {
			t.Errorf("%d entries: %q", entries, got)
		}
	}
	l.noRoom = true
	if got := l.send("q", "x").Err.Code; got != CodeServiceUnavailable {
		t.Errorf("with a full disk: %q", got)
	}
}

func TestReceiveTellsAllAboutAMessage(t *testing.T) {
	l := newLab()
	l.create(t, "q", "VisibilityTimeout", "7")
	sentAt := l.time
	sent := l.send("q", "hello", func(s *SendEntry) {
		s.MessageAttributes = []MessageAttribute{{"n", "Number", []byte("1")}}
		s.AWSTraceHeader, s.SenderID, s.MessageGroupID, s.Priority = "trace", "me", "g", 3
	})
	l.pass(100)
	m := l.receive("q", 1)[0]
	got := fmt.Sprintln(m.MessageID == sent.MessageID, string(m.Body), m.MessageAttributes[0].Name, m.AWSTraceHeader, m.SenderID, m.MessageGroupID,
		m.Priority, m.SentTimestamp-sentAt, m.ApproximateReceiveCount, m.ApproximateFirstReceiveTimestamp-sentAt, m.VisibleAt-sentAt, m.SequenceNumber)
	if got != "true hello n trace me g 3 0 1 100 7100 0\n" {
		t.Errorf("received %s", got)
	}
	if len(m.MessageID) != 36 || m.MessageID[14] != '8' {
		t.Errorf("the id %s is no UUID of version 8", m.MessageID)
	}
	for _, c := range []*ReceiveMessage{{MaxNumberOfMessages: 0}, {MaxNumberOfMessages: MaxBatchEntries + 1},
		{MaxNumberOfMessages: 1, VisibilityTimeout: MaxVisibilitySeconds + 1}, {MaxNumberOfMessages: 1, ReceiveRequestAttemptID: "a"}} {
		c.QueueName = "q"
		if _, code := do[Received](l, c); code != CodeInvalidParameterValue {
			t.Errorf("%+v: %q", *c, code)
		}
	}
}

// TestHandlesServeAsLongAsTheyShould follows a lease from live to gone, on both types of queue and with
// strict fencing: what its handle may do.
func TestHandlesServeAsLongAsTheyShould(t *testing.T) {
	for _, c := range []struct {
		name, fencing                            string
		overDelete, lateDelete, lateChange, gone string
	}{
		{"q", "sqs", "", "", CodeInvalidParameterValue, ""},
		{"q", "strict", "", CodeInvalidParameterValue, CodeInvalidParameterValue, ""},
		{"q.fifo", "sqs", CodeInvalidParameterValue, CodeInvalidParameterValue, CodeInvalidParameterValue, ""},
	} {
		l := newLab()
		l.create(t, c.name, "VisibilityTimeout", "10", "FifoQueue", fmt.Sprint(strings.HasSuffix(c.name, ".fifo")), "Fencing", c.fencing)
		fresh := func() Message {
			if c.name == "q" {
				l.send(c.name, "x")
			} else {
				l.send(c.name, "x", inGroup("g", fmt.Sprint(l.index)))
			}
			return l.receive(c.name, 1)[0]
		}
		m := fresh()
		l.pass(10_000)
		if got := l.delete(c.name, m.ReceiptHandle); got != c.overDelete {
			t.Errorf("%s %s: a delete when the lease is over: %q", c.name, c.fencing, got)
		}
		if c.overDelete == "" {
			m = fresh()
			l.pass(10_000)
		}
		second := l.receive(c.name, 1)[0]
		if second.Token <= m.Token {
			t.Errorf("the token fell from %d to %d", m.Token, second.Token)
		}
		if got := l.delete(c.name, m.ReceiptHandle); got != c.lateDelete || l.counts(c.name) != "0 1 0" {
			t.Errorf("%s %s: a delete when it was superseded: %q, %s", c.name, c.fencing, got, l.counts(c.name))
		}
		if got := l.change(c.name, m.ReceiptHandle, 0); got != c.lateChange || l.counts(c.name) != "0 1 0" {
			t.Errorf("%s %s: a change when it was superseded: %q", c.name, c.fencing, got)
		}
		if stale := l.about(c.name).Counters.Stale; stale < 2 {
			t.Errorf("%d uses of a stale handle are counted", stale)
		}
		if got := l.delete(c.name, second.ReceiptHandle); got != "" || l.counts(c.name) != "0 0 0" {
			t.Errorf("%s: a delete in time: %q", c.name, got)
		}
		if got := l.delete(c.name, second.ReceiptHandle); got != c.gone {
			t.Errorf("%s: a second delete: %q", c.name, got)
		}
		if got := l.change(c.name, second.ReceiptHandle, 5); got != CodeInvalidParameterValue {
			t.Errorf("%s: a change after the delete: %q", c.name, got)
		}
	}
}

func TestForeignHandlesAreInvalid(t *testing.T) {
	l := newLab()
	l.create(t, "q")
	l.create(t, "other")
	l.send("q", "x")
	handle := l.receive("q", 1)[0].ReceiptHandle
	for i := range handle {
		changed := []byte(handle)
		changed[i] = 'A' + (changed[i]-'A'+1)%26
		if string(changed) == handle {
			continue
		}
		if got := l.delete("q", string(changed)); got != CodeReceiptHandleIsInvalid {
			t.Fatalf("a handle changed at %d: %q", i, got)
		}
	}
	for _, bad := range []string{"", "x", handle[:20], handle + "AA"} {
		if got := l.change("q", bad, 1); got != CodeReceiptHandleIsInvalid {
			t.Errorf("handle %q: %q", bad, got)
		}
	}
	if got := l.delete("other", handle); got != CodeReceiptHandleIsInvalid || l.counts("q") != "0 1 0" {
		t.Errorf("the handle of another queue: %q", got)
	}
}

func TestLeasesEndAtTheLatestAfterTwelveHours(t *testing.T) {
	l := newLab()
	l.create(t, "q")
	l.send("q", "x")
	m := l.receive("q", 1)[0]
	if got := l.change("q", m.ReceiptHandle, MaxVisibilitySeconds); got != "" {
		t.Fatal(got)
	}
	l.pass(3600_000)
	if got := l.change("q", m.ReceiptHandle, MaxVisibilitySeconds); got != CodeInvalidParameterValue {
		t.Errorf("13 hours in all: %q", got)
	}
	if got := l.change("q", m.ReceiptHandle, MaxVisibilitySeconds+1); got != CodeInvalidParameterValue {
		t.Errorf("more than 12 hours: %q", got)
	}
	l.pass(11 * 3600_000)
	if l.counts("q") != "1 0 0" {
		t.Errorf("after 12 hours: %s", l.counts("q"))
	}
}

func TestGroupsShareAStandardQueue(t *testing.T) {
	l := newLab()
	l.create(t, "q")
	for i := range 30 {
		l.send("q", fmt.Sprint("loud", i), inGroup("loud", ""))
	}
	for i := range 3 {
		l.send("q", fmt.Sprint("calm", i), inGroup("calm", ""))
		l.send("q", fmt.Sprint("none", i))
	}
	if got := bodies(l.receive("q", 9)); got != "loud0 calm0 none0 loud1 calm1 none1 loud2 calm2 none2" {
		t.Error(got)
	}
}

func TestFailingMessagesAndTheBacklogTakeTurns(t *testing.T) {
	l := newLab()
	l.create(t, "q")
	for i := range 6 {
		l.send("q", fmt.Sprint(i))
	}
	var seen []string
	for range 8 {
		m := l.receive("q", 1)[0]
		seen = append(seen, string(m.Body))
		l.change("q", m.ReceiptHandle, 0)
	}
	if got := strings.Join(seen, " "); !strings.Contains(got, "4") || strings.Count(got, "0") < 2 {
		t.Errorf("received %s", got)
	}
}

func TestFIFODelaysKeepTheOrder(t *testing.T) {
	l := newLab()
	l.create(t, "q.fifo", "FifoQueue", "true", "DelaySeconds", "10")
	l.send("q.fifo", "first", inGroup("g", "1"))
	l.set(t, "q.fifo", "DelaySeconds", "0")
	l.send("q.fifo", "second", inGroup("g", "2"))
	l.pass(9999)
	if got := bodies(l.receive("q.fifo", 10)); got != "" {
		t.Errorf("before the delay: %s", got)
	}
	l.pass(1)
	if got := bodies(l.receive("q.fifo", 10)); got != "first second" {
		t.Errorf("received %s", got)
	}
}

func TestDeduplicationHasAScope(t *testing.T) {
	l := newLab()
	l.create(t, "q.fifo", "FifoQueue", "true", "ContentBasedDeduplication", "true", "DeduplicationScope", "messageGroup", "FifoThroughputLimit", "perMessageGroupId")
	first := l.send("q.fifo", "x", inGroup("a", ""))
	again := l.send("q.fifo", "x", inGroup("a", ""))
	if !again.IsDuplicate || again.MessageID != first.MessageID || again.SequenceNumber != first.SequenceNumber {
		t.Errorf("sent %+v, then %+v", first, again)
	}
	if other := l.send("q.fifo", "x", inGroup("b", "")); other.IsDuplicate {
		t.Error("a duplicate in another group")
	}
	l.set(t, "q.fifo", "FifoThroughputLimit", "perQueue")
	l.set(t, "q.fifo", "DeduplicationScope", "queue")
	l.send("q.fifo", "x", inGroup("a", ""))
	if other := l.send("q.fifo", "x", inGroup("b", "")); !other.IsDuplicate {
		t.Error("no duplicate in the queue")
	}
}

// TestDeduplicationOutlivesPurges, and not the queue. Nothing of it is left in the end.
func TestDeduplicationOutlivesPurges(t *testing.T) {
	l := newLab()
	l.create(t, "q.fifo", "FifoQueue", "true")
	send := func(id string) SentEntry { return l.send("q.fifo", "x", inGroup("g", id)) }
	first := send("1")
	for range 3 {
		if _, code := do[Done](l, &PurgeQueue{QueueName: "q.fifo"}); code != "" {
			t.Fatal(code)
		}
		if again := send("1"); !again.IsDuplicate || again.MessageID != first.MessageID || l.counts("q.fifo") != "0 0 0" {
			t.Errorf("after a purge: %+v, %s", again, l.counts("q.fifo"))
		}
		send(fmt.Sprint("at ", l.time))
		l.check(t)
		l.pass(PurgeSeconds * 1000)
	}
	l.pass((DeduplicationSeconds - 3*PurgeSeconds) * 1000)
	if again := send("1"); again.IsDuplicate {
		t.Errorf("after five minutes: %+v", again)
	}
	do[Done](l, &PurgeQueue{QueueName: "q.fifo"})
	do[Done](l, &DeleteQueue{QueueName: "q.fifo"})
	l.check(t)
	l.state.live(func(key string, _ []byte) {
		if strings.HasPrefix(key, "qd") && (key[10] == spaceSeen || key[10] == spaceSeenAt) {
			t.Errorf("left: %q", key)
		}
	})
	l.create(t, "q.fifo", "FifoQueue", "true")
	if again := send("1"); again.IsDuplicate {
		t.Errorf("in a queue that was created anew: %+v", again)
	}
}

func TestReceiveAttemptsAreRepeated(t *testing.T) {
	l := newLab()
	l.create(t, "q.fifo", "FifoQueue", "true", "VisibilityTimeout", "30")
	l.send("q.fifo", "x", inGroup("a", "1"))
	l.send("q.fifo", "y", inGroup("b", "2"))
	attempt := &ReceiveMessage{QueueName: "q.fifo", MaxNumberOfMessages: 1, VisibilityTimeout: -1, ReceiveRequestAttemptID: "try"}
	first, _ := do[Received](l, attempt)
	l.pass(20_000)
	again, _ := do[Received](l, attempt)
	if bodies(again.Messages) != "x" || again.Messages[0].ReceiptHandle != first.Messages[0].ReceiptHandle ||
		again.Messages[0].VisibleAt != l.time+30_000 {
		t.Errorf("received %+v again", again)
	}
	l.delete("q.fifo", first.Messages[0].ReceiptHandle)
	if third, _ := do[Received](l, attempt); bodies(third.Messages) != "y" {
		t.Errorf("after a delete: %s", bodies(third.Messages))
	}
}

// TestReceiveAttemptsUndoNothing: they are not repeated once a lease was given another end.
func TestReceiveAttemptsUndoNothing(t *testing.T) {
	for _, seconds := range []int64{600, 5, 0} {
		l := newLab()
		l.create(t, "q.fifo", "FifoQueue", "true", "VisibilityTimeout", "30")
		attempt := &ReceiveMessage{QueueName: "q.fifo", MaxNumberOfMessages: 2, VisibilityTimeout: -1, ReceiveRequestAttemptID: "try"}
		l.send("q.fifo", "x", inGroup("a", "1"))
		l.send("q.fifo", "y", inGroup("b", "2"))
		do[Received](l, attempt)
		l.pass(1000)
		first, _ := do[Received](l, attempt)
		if bodies(first.Messages) != "x y" {
			t.Fatalf("received %s again", bodies(first.Messages))
		}
		l.pass(1000)
		if code := l.change("q.fifo", first.Messages[1].ReceiptHandle, seconds); code != "" {
			t.Fatal(code)
		}
		l.send("q.fifo", "z", inGroup("c", "3"))
		want := "z" // beside what is still leased
		if seconds == 0 {
			want = "z y"
		}
		again, _ := do[Received](l, attempt)
		if bodies(again.Messages) != want {
			t.Errorf("after a change to %d s: received %q, not %q", seconds, bodies(again.Messages), want)
		}
		if again, _ = do[Received](l, attempt); bodies(again.Messages) != want {
			t.Errorf("after a change to %d s, once more: received %q, not %q", seconds, bodies(again.Messages), want)
		}
		l.check(t)
	}
}

// TestReceiveAttemptsFromBeforeAreRepeated: when their leases ended was not remembered.
func TestReceiveAttemptsFromBeforeAreRepeated(t *testing.T) {
	l := newLab()
	l.create(t, "q.fifo", "FifoQueue", "true", "VisibilityTimeout", "30")
	attempt := &ReceiveMessage{QueueName: "q.fifo", MaxNumberOfMessages: 1, VisibilityTimeout: -1, ReceiveRequestAttemptID: "try"}
	l.send("q.fifo", "x", inGroup("a", "1"))
	l.send("q.fifo", "y", inGroup("b", "2"))
	do[Received](l, attempt)
	e := newEntry(l.state, nil, l.time)
	key := attemptKey(e.queue("q.fifo"), "try")
	s, _ := e.seen(key)
	s.given[0].until = 0 // one byte, which was not there
	b := encode(nil, &s)
	l.state.Set(key, b[:len(b)-1])
	for range 2 {
		l.pass(1000)
		if again, _ := do[Received](l, attempt); bodies(again.Messages) != "x" {
			t.Fatalf("received %q again", bodies(again.Messages))
		}
	}
	if s, _ := newEntry(l.state, nil, l.time).seen(key); s.given[0].until != l.time+30_000 {
		t.Errorf("then its end is %d", s.given[0].until)
	}
}

func TestDeadMessagesKeepTheirAge(t *testing.T) {
	l := newLab()
	l.create(t, "dead", "MessageRetentionPeriod", "100")
	l.create(t, "q", "VisibilityTimeout", "40", "RedrivePolicy", `{"deadLetterTargetArn":"dead","maxReceiveCount":1}`)
	sent := l.send("q", "x")
	l.receive("q", 1)
	l.pass(40_000)
	if l.counts("q")+l.counts("dead") != "0 0 01 0 0" {
		t.Fatalf("after the lease: %s, %s", l.counts("q"), l.counts("dead"))
	}
	l.pass(1000)
	m := l.receive("dead", 1)[0]
	if m.DeadLetterQueueSource != "q" || m.MessageID != sent.MessageID || m.ApproximateReceiveCount != 2 || l.about("q").Counters.Dead != 1 {
		t.Errorf("received %+v", m)
	}
	l.pass(59_000)
	if l.counts("dead") != "0 0 0" || l.about("dead").Counters.Expired != 1 {
		t.Errorf("after 100 s: %s", l.counts("dead"))
	}
}

// TestAScheduledMessageAgesFromItsTime lets one die that waited longer for its schedule than the
// queue for dead messages keeps any.
func TestAScheduledMessageAgesFromItsTime(t *testing.T) {
	l := newLab()
	l.create(t, "dead", "MessageRetentionPeriod", "100")
	l.create(t, "q", "VisibilityTimeout", "40", "RedrivePolicy", `{"deadLetterTargetArn":"dead","maxReceiveCount":1}`)
	sentAt := l.time
	l.send("q", "x", func(s *SendEntry) { s.ScheduledAt = sentAt + 200_000 })
	l.pass(200_000)
	if m := l.receive("q", 1); bodies(m) != "x" || m[0].SentTimestamp != sentAt {
		t.Fatalf("received %+v", m)
	}
	l.pass(99_999)
	if m := l.receive("dead", 1); bodies(m) != "x" || m[0].SentTimestamp != sentAt {
		t.Fatalf("dead and received: %+v", m)
	}
	l.pass(1)
	if l.counts("dead") != "0 0 0" || l.about("dead").Counters.Expired != 1 {
		t.Errorf("100 s after its time: %s", l.counts("dead"))
	}
	if err := l.verify(); err != nil {
		t.Error(err)
	}
}

// TestHandlesOfMovedMessagesAreSuperseded takes messages away from who had them: by the queue for
// dead messages after the last lease, or by a move task. What their handles may do then is what
// those of any superseded lease may, until that is forgotten.
func TestHandlesOfMovedMessagesAreSuperseded(t *testing.T) {
	for _, c := range []struct {
		name, fencing, late string
		byTask              bool
	}{
		{"q", "sqs", "", false}, {"q", "strict", CodeInvalidParameterValue, false}, {"q.fifo", "sqs", CodeInvalidParameterValue, false},
		{"q", "strict", CodeInvalidParameterValue, true},
	} {
		l := newLab()
		isFIFO := fmt.Sprint(isFIFOName(c.name))
		l.create(t, "dead"+c.name, "FifoQueue", isFIFO)
		l.create(t, c.name, "VisibilityTimeout", "10", "FifoQueue", isFIFO, "Fencing", c.fencing,
			"RedrivePolicy", fmt.Sprintf(`{"deadLetterTargetArn":"dead%s","maxReceiveCount":2}`, c.name))
		l.send(c.name, "x", func(s *SendEntry) {
			if isFIFOName(c.name) {
				s.MessageGroupID, s.MessageDeduplicationID = "g", "d"
			}
		})
		first := l.receive(c.name, 1)[0].ReceiptHandle
		l.pass(10_000)
		last := first
		if c.byTask {
			do[MoveStarted](l, &StartMessageMoveTask{SourceQueue: c.name, DestinationQueue: "dead" + c.name})
		} else {
			last = l.receive(c.name, 1)[0].ReceiptHandle
		}
		l.pass(10_000)
		if l.counts(c.name)+l.counts("dead"+c.name) != "0 0 01 0 0" {
			t.Fatalf("%+v: it did not move", c)
		}
		for _, handle := range []string{first, last} {
			stale := l.about(c.name).Counters.Stale
			if got := l.delete(c.name, handle); got != c.late {
				t.Errorf("%+v: a delete: %q", c, got)
			}
			if got := l.change(c.name, handle, 5); got != CodeInvalidParameterValue {
				t.Errorf("%+v: a change: %q", c, got)
			}
			told, _ := do[Settled](l, &DeleteMessageBatch{QueueName: c.name, Entries: []DeleteEntry{{ReceiptHandle: handle, TellsLost: true}}})
			if got := told.Errors[0].Code; got != CodeLeaseSuperseded {
				t.Errorf("%+v: a delete that wants to be told: %q", c, got)
			}
			if got := l.about(c.name).Counters.Stale - stale; got != 3 {
				t.Errorf("%+v: %d of 3 are counted", c, got)
			}
		}
		if err := l.verify(); err != nil {
			t.Error(err)
		}
		l.pass(12 * 3600_000)
		if got := l.delete(c.name, last); got != "" {
			t.Errorf("%+v: 12 hours later: %q", c, got)
		}
		if err := l.verify(); err != nil {
			t.Error(err)
		}
	}
}

// TestReceivesCountAcrossQueues lets a message die twice: it is told how often it was received in
// all, and when first; when it is dead, each queue says by its own receives.
func TestReceivesCountAcrossQueues(t *testing.T) {
	l := newLab()
	l.create(t, "end")
	l.create(t, "dead", "RedrivePolicy", `{"deadLetterTargetArn":"end","maxReceiveCount":2}`)
	l.create(t, "q", "RedrivePolicy", `{"deadLetterTargetArn":"dead","maxReceiveCount":2}`)
	l.send("q", "x")
	first := l.time
	for i, name := range []string{"q", "q", "dead", "dead", "end", "end"} {
		peeked, _ := ask[Peeked](l, &PeekMessages{QueueName: name, MaxNumberOfMessages: 1})
		if n := peeked.Messages[0].Message.ApproximateReceiveCount; n != uint64(i) {
			t.Errorf("before receive %d, from %s, it was received %d times", i+1, name, n)
		}
		m := l.receive(name, 1)[0]
		if m.ApproximateReceiveCount != uint64(i+1) || m.ApproximateFirstReceiveTimestamp != first {
			t.Errorf("receive %d, from %s, is the %dth, the first %d ms later", i+1, name, m.ApproximateReceiveCount, m.ApproximateFirstReceiveTimestamp-first)
		}
		l.change(name, m.ReceiptHandle, 0)
		l.pass(1000)
	}
}

// TestMessagesFromBeforeAreRead: bodies had no tail.
func TestMessagesFromBeforeAreRead(t *testing.T) {
	m := body{lane: 1, sent: 2, arrived: 3, deadSource: "q", entry: SendEntry{MessageBody: []byte("x")}}
	old := []byte("\x01\x00\x04\x06\x01q\x00\x01x\x00\x00\x00\x00\x00\x00\x00\x00")
	if now := encode(nil, &m); string(now) != string(old) {
		t.Errorf("encoded as %q", now)
	}
	var read body
	if !decode(old, &read) || read.sent != 2 || string(read.entry.MessageBody) != "x" {
		t.Errorf("decoded as %+v", read)
	}
}

func TestBackoffGrowsAndIsCapped(t *testing.T) {
	l := newLab()
	l.create(t, "q", "RetryBackoff", "exponential", "RetryBackoffSeconds", "2", "RetryBackoffMaxSeconds", "7")
	l.create(t, "jitter", "RetryBackoff", "fixed", "RetryBackoffSeconds", "100", "RetryBackoffJitterPercent", "50")
	l.send("q", "x")
	for _, wait := range []flotilla.Millis{2000, 4000, 7000, 7000} {
		l.change("q", l.receive("q", 1)[0].ReceiptHandle, 0)
		l.pass(wait - 1)
		if l.counts("q") != "0 0 1" {
			t.Errorf("before %d ms: %s", wait, l.counts("q"))
		}
		l.pass(1)
		if l.counts("q") != "1 0 0" {
			t.Errorf("after %d ms: %s", wait, l.counts("q"))
		}
	}
	waits := map[flotilla.Millis]bool{}
	for range 10 {
		l.send("jitter", "x")
	}
	for _, m := range l.receive("jitter", 10) {
		l.change("jitter", m.ReceiptHandle, 0)
	}
	peeked, _ := ask[Peeked](l, &PeekMessages{QueueName: "jitter", MaxNumberOfMessages: 10})
	for _, p := range peeked.Messages {
		wait := p.Message.VisibleAt - l.time
		waits[wait] = true
		if p.State != "retry" || wait < 50_000 || wait > 100_000 {
			t.Errorf("%s for %d ms", p.State, wait)
		}
	}
	if len(waits) < 5 {
		t.Errorf("the jitter chose %v", waits)
	}
}

// TestWhatIsGivenBackWaitsAsLongAsAsked gives messages back with a delay: they are not leased
// meanwhile, so that they hold no place, and come back when it is over.
func TestWhatIsGivenBackWaitsAsLongAsAsked(t *testing.T) {
	for _, name := range []string{"q", "q.fifo"} {
		l := newLab()
		l.create(t, name, "FifoQueue", fmt.Sprint(name == "q.fifo"), "MaxInFlight", "1", "RetryBackoff", "fixed", "RetryBackoffSeconds", "5")
		send := func(text string) {
			l.send(name, text, func(s *SendEntry) {
				if name == "q.fifo" {
					s.MessageGroupID, s.MessageDeduplicationID = text, text
				}
			})
		}
		send("poison")
		send("good")
		poison := l.receive(name, 1)[0]
		l.pass(1000)
		if code := l.giveBack(name, poison.ReceiptHandle, MaxRetryDelaySeconds); code != "" {
			t.Fatalf("%s: %s", name, code)
		}
		peeked, _ := ask[Peeked](l, &PeekMessages{QueueName: name, MaxNumberOfMessages: 1})
		if p := peeked.Messages[0]; p.State != "retry" || p.Message.VisibleAt != l.time+MaxRetryDelaySeconds*1000 || l.counts(name) != "1 0 1" {
			t.Fatalf("%s: it is %s until %d, and %s are there", name, p.State, p.Message.VisibleAt, l.counts(name))
		}
		if code := l.giveBack(name, poison.ReceiptHandle, 1); (code == "") != (name == "q") {
			t.Errorf("%s: given back again: %q", name, code)
		}
		good := l.receive(name, 1)
		if bodies(good) != "good" {
			t.Fatalf("%s: received %q meanwhile", name, bodies(good))
		}
		l.delete(name, good[0].ReceiptHandle)
		l.pass(MaxRetryDelaySeconds*1000 - 1)
		if got := l.receive(name, 1); len(got) != 0 {
			t.Errorf("%s: it came too early", name)
		}
		l.pass(1)
		again := l.receive(name, 1)
		if bodies(again) != "poison" || again[0].ApproximateReceiveCount != 2 || l.about(name).Counters.LeasesEnded != 0 {
			t.Fatalf("%s: received %+v; %+v", name, again, l.about(name).Counters)
		}
		l.giveBack(name, again[0].ReceiptHandle, 0) // as long as the queue says
		l.pass(5000)
		if l.counts(name) != "1 0 0" {
			t.Errorf("%s: after the queue's backoff: %s", name, l.counts(name))
		}
		for _, wrong := range []int64{-1, MaxRetryDelaySeconds + 1} {
			if code := l.giveBack(name, again[0].ReceiptHandle, wrong); code != CodeInvalidParameterValue {
				t.Errorf("%s: %d seconds: %q", name, wrong, code)
			}
		}
		if err := l.verify(); err != nil {
			t.Error(err)
		}
	}
}

// TestTheLastTryDoesNotWait gives messages back that were received too often: they are dead
// at once, but wait as all others where the queue for dead ones is gone.
func TestTheLastTryDoesNotWait(t *testing.T) {
	l := newLab()
	l.create(t, "dead")
	l.create(t, "q", "RedrivePolicy", `{"deadLetterTargetArn":"dead","maxReceiveCount":1}`)
	l.send("q", "a")
	l.giveBack("q", l.receive("q", 1)[0].ReceiptHandle, 60)
	if l.counts("q") != "0 0 0" || l.counts("dead") != "1 0 0" {
		t.Errorf("%s are there, %s dead", l.counts("q"), l.counts("dead"))
	}
	do[Done](l, &DeleteQueue{QueueName: "dead"})
	l.send("q", "b")
	l.giveBack("q", l.receive("q", 1)[0].ReceiptHandle, 60)
	if l.counts("q") != "0 0 1" {
		t.Errorf("it does not wait: %s", l.counts("q"))
	}
	if err := l.verify(); err != nil {
		t.Error(err)
	}
}

// TestAReleaseWithoutADelayIsCodedAsEver reads one from before there was a delay.
func TestAReleaseWithoutADelayIsCodedAsEver(t *testing.T) {
	old := []byte("qV\x01q\x01\x01h\x00\x01")
	command, _ := decodeCommand(old).(*ChangeMessageVisibilityBatch)
	if command == nil || command.RetryDelaySeconds != 0 || command.Entries[0] != (VisibilityEntry{ReceiptHandle: "h", TellsLost: true}) {
		t.Fatalf("decoded as %+v", command)
	}
	if now := Encode(nil, command); string(now) != string(old) {
		t.Errorf("encoded as %q", now)
	}
	command.RetryDelaySeconds = 7
	if again, _ := decodeCommand(Encode(nil, command)).(*ChangeMessageVisibilityBatch); again == nil || again.RetryDelaySeconds != 7 {
		t.Errorf("decoded as %+v", again)
	}
}

func TestLimitsInFlightAndRates(t *testing.T) {
	l := newLab()
	l.create(t, "cap", "MaxInFlight", "3")
	l.create(t, "rate", "RateLimit", "2")
	l.create(t, "lanes", "GroupRateLimit", "1")
	for i := range 6 {
		l.send("cap", "x")
		l.send("rate", "x")
		l.send("lanes", "x", inGroup(fmt.Sprint(i%2), ""))
	}
	first := l.receive("cap", 10)
	l.events = nil
	if len(first) != 3 || len(l.receive("cap", 10)) != 0 {
		t.Errorf("%d were leased, of 3", len(first))
	}
	l.delete("cap", first[0].ReceiptHandle)
	if len(l.events) != 1 || len(l.receive("cap", 10)) != 1 {
		t.Errorf("after a delete: %v", l.events)
	}
	for _, name := range []string{"rate", "lanes"} {
		for range 3 {
			if got := len(l.receive(name, 10)) + len(l.receive(name, 10)); got != 2 {
				t.Errorf("%s: %d in a second, not 2", name, got)
			}
			l.events = nil
			l.pass(1000)
			if len(l.events) == 0 && l.counts(name)[0] != '0' {
				t.Errorf("%s: nobody was told that there is more", name)
			}
		}
	}
}

// TestRatesOutliveAPurge: else a queue would give out twice its rate around one.
func TestRatesOutliveAPurge(t *testing.T) {
	l := newLab()
	l.create(t, "rate", "RateLimit", "2")
	fill := func() {
		for range 4 {
			l.send("rate", "x")
		}
	}
	fill()
	if got := len(l.receive("rate", 10)); got != 2 {
		t.Errorf("%d in a second, not 2", got)
	}
	if _, code := do[Done](l, &PurgeQueue{QueueName: "rate"}); code != "" {
		t.Fatal(code)
	}
	fill()
	if got := len(l.receive("rate", 10)); got != 0 {
		t.Errorf("%d more, after a purge", got)
	}
	l.events = nil
	l.pass(1000)
	if len(l.events) == 0 {
		t.Error("nobody was told that there is more")
	}
	if got := len(l.receive("rate", 10)); got != 2 {
		t.Errorf("%d a second later, not 2", got)
	}
}

func TestTooManyInFlightIsOverLimit(t *testing.T) {
	l := newLab()
	l.create(t, "q")
	l.send("q", "x")
	e := newEntry(l.state, &flotilla.Tx{State: l.state}, l.time)
	q := e.queue("q")
	q.changed().Leased = MaxInFlight
	if _, err := e.room(q, 1); err == nil || err.Code != CodeOverLimit {
		t.Errorf("with 120000 leased: %v", err)
	}
	q.changed().Leased = MaxInFlight - 1
	if room, err := e.room(q, 10); room != 1 || err != nil {
		t.Errorf("with one less: %d, %v", room, err)
	}
}

// TestTooManyInFlightOfAFIFOQueueIsNoError: a receive is given nothing, and who waits is told
// when there is room.
func TestTooManyInFlightOfAFIFOQueueIsNoError(t *testing.T) {
	for _, attribute := range []Pair{{"MaxInFlight", "0"}, {"MaxInFlight", "120000"}} {
		l := newLab()
		l.create(t, "q.fifo", "FifoQueue", "true", attribute.Name, attribute.Value)
		l.send("q.fifo", "x", inGroup("g", "1"))
		e := newEntry(l.state, &flotilla.Tx{State: l.state}, l.time)
		q := e.queue("q.fifo")
		for leased, want := range map[uint64]uint64{120000: 0, 119999: 1, 119990: 10, 20000: 10} {
			q.isCapped, q.changed().Leased = false, leased
			if room, err := e.room(q, 10); room != want || err != nil || q.isCapped != (want < 10) {
				t.Errorf("%s, %d leased: %d, %v, tells when there is more: %v", attribute.Value, leased, room, err, q.isCapped)
			}
			if isAtCap := q.isAtCap(); isAtCap != (want == 0) {
				t.Errorf("%s, %d leased: a lease may begin again: %v", attribute.Value, leased, !isAtCap)
			}
		}
	}
}

func TestScheduledMessagesComeInTime(t *testing.T) {
	l := newLab()
	l.create(t, "q", "MessageRetentionPeriod", "60")
	day := flotilla.Millis(86400_000)
	sent := l.send("q", "later", func(s *SendEntry) { s.ScheduledAt = l.time + 300*day })
	l.pass(300*day - 1)
	if l.counts("q") != "0 0 1" {
		t.Errorf("before its time: %s", l.counts("q"))
	}
	l.pass(1)
	if m := l.receive("q", 1); bodies(m) != "later" || m[0].MessageID != sent.MessageID {
		t.Errorf("received %+v", m)
	}
	if err := l.verify(); err != nil {
		t.Error(err)
	}
}

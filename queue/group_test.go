package queue

import (
	"fmt"
	"testing"
)

// ofGroup sends messages of one group, of priorities in turn.
func (l *lab) ofGroup(name, group string, messages int, priorities int64) {
	for i := range messages {
		l.send(name, "x", func(s *SendEntry) { s.MessageGroupID, s.Priority = group, int64(i)%priorities })
	}
}

// emptied receives and deletes until nothing comes, and returns how many messages came.
func (l *lab) emptied(name string) (all int) {
	for {
		messages := l.receive(name, 10)
		if len(messages) == 0 {
			return all
		}
		for _, m := range messages {
			l.delete(name, m.ReceiptHandle)
		}
		all += len(messages)
	}
}

func (l *lab) check(t *testing.T) {
	t.Helper()
	if err := l.verify(); err != nil {
		t.Error(err)
	}
}

// TestRatesOfGroupsOutliveAPurge: else a group would give out twice its rate around one.
func TestRatesOfGroupsOutliveAPurge(t *testing.T) {
	l := newLab()
	l.create(t, "q", "GroupRateLimit", "4")
	l.ofGroup("q", "a", 9, 1)
	l.ofGroup("q", "b", 2, 1)
	if got := len(l.receive("q", 10)); got != 6 {
		t.Errorf("%d in a second, not 4 and 2", got)
	}
	if _, code := do[Done](l, &PurgeQueue{QueueName: "q"}); code != "" {
		t.Fatal(code)
	}
	l.check(t)
	l.ofGroup("q", "a", 9, 1)
	l.ofGroup("q", "b", 9, 1)
	if got := l.receive("q", 10); len(got) != 2 || got[0].MessageGroupID != "b" {
		t.Errorf("%d after a purge, not two more of b", len(got))
	}
	l.check(t)
	l.events = nil
	l.pass(1000)
	if len(l.events) == 0 {
		t.Error("nobody was told that there is more")
	}
	if got := len(l.receive("q", 10)); got != 8 {
		t.Errorf("%d a second later, not 8", got)
	}
	l.check(t)
}

// TestAGroupWithoutMessagesIsNotForgotten as long as what it gave out counts.
func TestAGroupWithoutMessagesIsNotForgotten(t *testing.T) {
	for _, attributes := range [][]string{nil, {"FifoQueue", "true", "ContentBasedDeduplication", "true"}} {
		l, name, sent := newLab(), "q", 0
		if attributes != nil {
			name = "q.fifo"
		}
		l.create(t, name, append(attributes, "GroupRateLimit", "10")...)
		send := func() {
			for range 9 {
				sent++
				l.send(name, fmt.Sprint(sent), inGroup("a", ""))
			}
		}
		send()
		if got := l.emptied(name); got != 9 {
			t.Errorf("%s: %d of 9", name, got)
		}
		l.check(t)
		send()
		if got := l.emptied(name); got != 1 {
			t.Errorf("%s: %d more in the same second, not 1", name, got)
		}
		l.check(t)
		l.pass(1000)
		if got := l.emptied(name); got != 8 {
			t.Errorf("%s: %d a second later, not 8", name, got)
		}
		l.check(t)
		l.pass(100)
		l.check(t)
	}
}

// TestPrioritiesOfAGroupShareItsRate, each of which has a lane of its own.
func TestPrioritiesOfAGroupShareItsRate(t *testing.T) {
	l := newLab()
	l.create(t, "q", "GroupRateLimit", "5")
	l.ofGroup("q", "a", 20, 10)
	for second := range 4 {
		all := 0
		for range 4 {
			all += len(l.receive("q", 3))
			l.check(t)
		}
		if all != 5 {
			t.Errorf("%d in second %d, not 5", all, second)
		}
		l.pass(1000)
		l.check(t)
	}
	l.ofGroup("q", "a", 6, 1)
	l.receive("q", 10)
	l.ofGroup("q", "a", 1, 10) // a lane that is new while its group may give nothing
	l.send("q", "late", func(s *SendEntry) { s.MessageGroupID, s.Priority = "a", 9 })
	if got := l.receive("q", 10); len(got) != 0 {
		t.Errorf("%s of a priority that is new", bodies(got))
	}
	l.check(t)
	l.pass(200)
	if got := l.receive("q", 10); bodies(got) != "late" {
		t.Errorf("%q, not the one of the highest priority", bodies(got))
	}
	l.check(t)
}

// leaves are the ways in which a lease ends.
var leaves = map[string]func(l *lab, name string, m Message){
	"deleted":        func(l *lab, name string, m Message) { l.delete(name, m.ReceiptHandle) },
	"given back":     func(l *lab, name string, m Message) { l.change(name, m.ReceiptHandle, 0) },
	"ran out":        func(l *lab, name string, _ Message) { l.pass(30_000) },
	"extended":       func(l *lab, name string, m Message) { l.change(name, m.ReceiptHandle, 60); l.pass(60_000) },
	"became too old": func(l *lab, name string, m Message) { l.change(name, m.ReceiptHandle, 3600); l.pass(120_000) },
	"purged":         func(l *lab, name string, _ Message) { do[Done](l, &PurgeQueue{QueueName: name}) },
}

// TestAGroupsLeasesAreCapped, however they end, on queues of both types, with backoff and
// with a queue for dead messages.
func TestAGroupsLeasesAreCapped(t *testing.T) {
	for _, name := range []string{"q", "backoff", "mortal", "q.fifo"} {
		for way, end := range leaves {
			l, sent := newLab(), 0
			l.create(t, "dead")
			attributes := map[string][]string{"backoff": {"RetryBackoff", "fixed", "RetryBackoffSeconds", "5"},
				"mortal": {"RedrivePolicy", `{"deadLetterTargetArn":"dead","maxReceiveCount":1}`},
				"q.fifo": {"FifoQueue", "true", "ContentBasedDeduplication", "true"}}[name]
			l.create(t, name, append(attributes, "GroupMaxInFlight", "2", "MessageRetentionPeriod", "120")...)
			send := func() {
				for i := range 4 {
					sent++
					l.send(name, fmt.Sprint("m", sent), inGroup("a", ""), func(s *SendEntry) {
						if name != "q.fifo" {
							s.Priority = int64(i)
						}
					})
				}
			}
			send()
			first := l.receive(name, 10)
			l.check(t)
			if more := l.receive(name, 10); len(first) != 2 || len(more) != 0 {
				t.Fatalf("%s: %q, and %q", name, bodies(first), bodies(more))
			}
			l.events = nil
			for _, m := range first {
				end(l, name, m)
				l.check(t)
			}
			l.pass(5000) // the backoff
			send()
			if len(l.events) == 0 {
				t.Errorf("%s, %s: nobody was told that there is more", name, way)
			}
			if next := l.receive(name, 10); len(next) != 2 {
				t.Errorf("%s, %s: then %q", name, way, bodies(next))
			}
			l.check(t)
		}
	}
}

// TestOnlyLeasesThatWereCountedAreGivenBack: the cap comes and goes while leases do.
func TestOnlyLeasesThatWereCountedAreGivenBack(t *testing.T) {
	l := newLab()
	l.create(t, "q")
	l.ofGroup("q", "a", 9, 3)
	before := l.receive("q", 2)
	l.set(t, "q", "GroupMaxInFlight", "3")
	if got := len(l.receive("q", 10)); got != 3 {
		t.Errorf("%d, beside 2 that do not count", got)
	}
	l.delete("q", before[0].ReceiptHandle)
	if got := len(l.receive("q", 10)); got != 0 {
		t.Errorf("%d after one that did not count was deleted", got)
	}
	l.check(t)
	l.set(t, "q", "GroupMaxInFlight", "0")
	l.ofGroup("q", "a", 1, 1)
	l.change("q", before[1].ReceiptHandle, 0) // it belongs to a lane that pauses
	l.check(t)
	if got := len(l.receive("q", 10)); got != 0 {
		t.Errorf("%d of a group that is full, before one of its leases ended", got)
	}
	l.pass(30_000) // now they do
	l.check(t)
	if got := len(l.receive("q", 10)); got != 9 {
		t.Errorf("%d without a cap", got)
	}
	l.set(t, "q", "GroupMaxInFlight", "1")
	l.pass(30_000)
	l.check(t)
	m := l.receive("q", 10)
	if len(m) != 1 {
		t.Fatalf("%q with a cap of 1", bodies(m))
	}
	l.set(t, "q", "GroupMaxInFlight", "5")
	l.delete("q", m[0].ReceiptHandle)
	if got := len(l.receive("q", 10)); got != 5 {
		t.Errorf("%d with a cap of 5", got)
	}
	l.check(t)
}

// TestALeaseThatBeginsAgainCounts: who is late goes on only if there is room, in the message's group or
// in all of the queue.
func TestALeaseThatBeginsAgainCounts(t *testing.T) {
	for _, attribute := range []string{"GroupMaxInFlight", "MaxInFlight"} {
		l := newLab()
		l.create(t, "q", attribute, "2")
		l.ofGroup("q", "a", 2, 1)
		first := l.receive("q", 2)
		l.pass(30_000)
		if code := l.change("q", first[0].ReceiptHandle, 100); code != "" {
			t.Error(attribute, code)
		}
		l.check(t)
		l.send("q", "urgent", func(s *SendEntry) { s.MessageGroupID, s.Priority = "a", 9 })
		if got := l.receive("q", 10); len(got) != 1 || string(got[0].Body) != "urgent" {
			t.Errorf("%s: beside a lease that began again there were %v", attribute, got)
		}
		if code := l.change("q", first[1].ReceiptHandle, 100); code != CodeMessageNotInflight {
			t.Errorf("%s: a third lease: %q", attribute, code)
		}
		l.check(t)
	}
}

// TestAttemptsThatRepeatCountNothing new.
func TestAttemptsThatRepeatCountNothing(t *testing.T) {
	l := newLab()
	l.create(t, "q.fifo", "FifoQueue", "true", "ContentBasedDeduplication", "true", "GroupMaxInFlight", "2", "GroupRateLimit", "5")
	for i := range 6 {
		l.send("q.fifo", fmt.Sprint(i), inGroup("a", ""))
	}
	var given []Message
	for range 5 {
		reply, _ := do[Received](l, &ReceiveMessage{QueueName: "q.fifo", MaxNumberOfMessages: 10, VisibilityTimeout: -1, ReceiveRequestAttemptID: "again"})
		if given = reply.Messages; bodies(given) != "0 1" {
			t.Errorf("received %q", bodies(given))
		}
		l.check(t)
	}
	for _, m := range given {
		l.delete("q.fifo", m.ReceiptHandle)
	}
	if got := bodies(l.receive("q.fifo", 10)); got != "2 3" {
		t.Errorf("then %q", got)
	}
	l.check(t)
}

// TestALowerRateCountsFromThenOn: who gave out many at a high rate does not wait for hours.
func TestALowerRateCountsFromThenOn(t *testing.T) {
	for _, name := range []string{"RateLimit", "GroupRateLimit"} {
		l := newLab()
		l.create(t, "q", name, "10")
		l.ofGroup("q", "a", 30, 1)
		l.receive("q", 9)
		l.set(t, "q", name, "1")
		if got := len(l.receive("q", 10)); got != 0 {
			t.Errorf("%s: %d at once", name, got)
		}
		for range 3 {
			l.pass(1000)
			if got := len(l.receive("q", 10)) + len(l.receive("q", 10)); got != 1 {
				t.Errorf("%s: %d in a second", name, got)
			}
			l.check(t)
		}
		l.set(t, "q", name, "0")
		l.pass(1000)
		if got := len(l.receive("q", 10)); got != 10 {
			t.Errorf("%s: %d without a limit", name, got)
		}
		l.check(t)
	}
}

// TestGroupsThatAreQuietAreForgotten, and queues that limit none have nothing of them.
func TestGroupsThatAreQuietAreForgotten(t *testing.T) {
	l := newLab()
	l.create(t, "free", "RateLimit", "1000", "MaxInFlight", "100")
	l.create(t, "q", "GroupRateLimit", "5", "GroupMaxInFlight", "3")
	groups := func(name string) (n int) {
		gen := newEntry(l.state, nil, l.time).queue(name).gen
		for range l.state.Scan(dataKey(gen, spaceGroup), dataKey(gen, spaceGroup+1)) {
			n++
		}
		for range l.state.Scan(dataKey(gen, spaceGroupName), dataKey(gen, spaceGroupName+1)) {
			n++
		}
		return n
	}
	for i := range 20 {
		l.ofGroup("q", fmt.Sprint(i), 1, 1)
		l.ofGroup("free", fmt.Sprint(i), 1, 1)
	}
	l.emptied("free")
	if n := groups("free") + groups("q"); n != 0 {
		t.Errorf("%d keys of groups that nobody limits, or that gave out nothing", n)
	}
	held := l.receive("q", 10)
	l.emptied("q")
	if n := groups("q"); n != 40 {
		t.Errorf("%d keys of 20 groups", n)
	}
	l.pass(200) // at five a second, a message counts for so long
	if n := groups("q"); n != 2*len(held) {
		t.Errorf("%d keys of the %d groups with leases", n, len(held))
	}
	l.pass(30_000)
	if n := groups("q"); n != 0 {
		t.Errorf("%d keys are left", n)
	}
	l.check(t)
}

// TestGroupsThatAreFullCostOneReceiveLittle, however many there are since the cap was lowered.
func TestGroupsThatAreFullCostOneReceiveLittle(t *testing.T) {
	const groups = 5 * maxPassed
	l := newLab()
	l.create(t, "q", "GroupMaxInFlight", "2")
	for i := range groups {
		l.ofGroup("q", fmt.Sprint(i), 3, 1)
	}
	for range groups / 10 {
		l.receive("q", 10)
	}
	l.set(t, "q", "GroupMaxInFlight", "1")
	l.send("q", "of no group")
	for n := 1; ; n++ {
		before := l.state.gets
		l.events = nil
		got := l.receive("q", 10)
		if gets := l.state.gets - before; gets > 20*maxPassed {
			t.Fatalf("a receive asked the state %d times", gets)
		}
		l.check(t)
		if bodies(got) == "of no group" {
			break
		}
		if len(got) > 0 || len(l.events) == 0 || n > 10 {
			t.Fatalf("receive %d: %q, %v", n, bodies(got), l.events)
		}
	}
}

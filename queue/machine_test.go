package queue

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"flotilla"
)

// TestReplicasAgree applies the same entries, of several commands each, on two
// replicas, one of which is restored from a snapshot now and then.
func TestReplicasAgree(t *testing.T) {
	for _, suffix := range []string{"", ".fifo"} {
		r := rand.New(rand.NewPCG(5, 6))
		a, b := newLab(), newLab()
		for _, l := range []*lab{a, b} {
			attributes := []string{"VisibilityTimeout", "2", "RetryBackoff", "exponential", "RetryBackoffJitterPercent", "50", "RateLimit", "900"}
			if suffix != "" {
				attributes = append(attributes, "FifoQueue", "true")
			}
			l.create(t, "dead"+suffix, attributes...)
			l.create(t, "work"+suffix, append(attributes, "RedrivePolicy", `{"deadLetterTargetArn":"dead`+suffix+`","maxReceiveCount":"3"}`)...)
		}
		var handles []string
		for range 400 {
			step := flotilla.Millis(r.IntN(300))
			a.pass(step)
			b.pass(step)
			var commands [][]byte
			for range r.IntN(8) {
				commands = append(commands, Encode(nil, randomCommand(r, "work"+suffix, handles)))
			}
			first, second := a.entry(commands...), b.entry(commands...)
			for i := range first {
				if !bytes.Equal(first[i], second[i]) {
					t.Fatalf("the replies differ: %q and %q", first[i], second[i])
				}
				var got Received
				if commands[i][1] == 'R' && DecodeReply(first[i], &got) == nil {
					for _, m := range got.Messages {
						handles = append(handles, m.ReceiptHandle)
					}
				}
			}
			if r.IntN(50) == 0 {
				b.state = b.state.copy()
				b.wake = min(b.wake, Machine{}.Deadline(b.state))
			}
		}
		if a.state.digest() != b.state.digest() {
			t.Error("the states differ")
		}
		if err := a.verify(); err != nil {
			t.Error(err)
		}
	}
}

func randomCommand(r *rand.Rand, name string, handles []string) Command {
	handle := ""
	if len(handles) > 0 {
		handle = handles[max(0, len(handles)-1-r.IntN(30))]
	}
	switch r.IntN(6) {
	case 0, 1:
		s := SendEntry{MessageBody: []byte("x"), DelaySeconds: -1, MessageGroupID: fmt.Sprint(r.IntN(4))}
		if name == "work.fifo" {
			s.MessageDeduplicationID = fmt.Sprint(r.IntN(1000))
		}
		return &SendMessageBatch{QueueName: name, Entries: []SendEntry{s, s}}
	case 2, 3:
		return &ReceiveMessage{QueueName: name, MaxNumberOfMessages: 1 + r.Int64N(10), VisibilityTimeout: -1}
	case 4:
		return &ChangeMessageVisibilityBatch{QueueName: name, Entries: []VisibilityEntry{{ReceiptHandle: handle, VisibilityTimeout: r.Int64N(3)}}, RetryDelaySeconds: r.Int64N(3)}
	}
	return &DeleteMessageBatch{QueueName: name, Entries: []DeleteEntry{{ReceiptHandle: handle}}}
}

// TestCostDoesNotDependOnSize counts what commands ask of the state: on an empty
// queue, with a backlog, after all of it was deleted, and with one old message that
// stayed while the others came and went.
func TestCostDoesNotDependOnSize(t *testing.T) {
	for _, old := range []bool{false, true} {
		l := newLab()
		l.create(t, "q", "MessageRetentionPeriod", "1209600")
		if old {
			l.send("q", "old", func(s *SendEntry) { s.DelaySeconds = 900 })
			l.pass(1000)
		}
		few := l.costOfJob(t)
		batch := make([]SendEntry, MaxBatchEntries)
		for i := range batch {
			batch[i] = SendEntry{MessageBody: []byte("x"), DelaySeconds: -1}
		}
		const backlog = 20000
		for range backlog / len(batch) {
			l.entry(Encode(nil, &SendMessageBatch{QueueName: "q", Entries: batch}))
			l.pass(3)
		}
		many := l.costOfJob(t)
		for range backlog / MaxBatchEntries {
			c := &DeleteMessageBatch{QueueName: "q"}
			for _, m := range l.receive("q", MaxBatchEntries) {
				c.Entries = append(c.Entries, DeleteEntry{ReceiptHandle: m.ReceiptHandle})
			}
			l.entry(Encode(nil, c))
			l.pass(2)
		}
		gone := l.costOfJob(t)
		t.Logf("gets, sets and visited keys of a job: %d at first, %d with a backlog, %d after it", few, many, gone)
		const most = 140
		if few > most || many > most || gone > most {
			t.Errorf("a job costs %d, %d with a backlog, %d after it; more than %d", few, many, gone, most)
		}
	}
}

// costOfJob sends, receives and deletes ten messages one by one, with all that falls
// due meanwhile, and returns what the dearest cost.
func (l *lab) costOfJob(t *testing.T) (most int) {
	for range 10 {
		before := l.state.gets + l.state.sets + l.state.visited
		l.send("q", "x")
		messages := l.receive("q", 1)
		if len(messages) != 1 {
			t.Fatal("nothing was received")
		}
		l.delete("q", messages[0].ReceiptHandle)
		l.pass(10)
		most = max(most, l.state.gets+l.state.sets+l.state.visited-before)
	}
	return most
}

// TestNothingStaysBehind sends through a queue with all kinds of timers, and looks
// what is left when it is deleted, and its time has come.
func TestNothingStaysBehind(t *testing.T) {
	l := newLab()
	l.create(t, "q.fifo", "FifoQueue", "true", "GroupRateLimit", "1", "RateLimit", "5")
	for i := range 20 {
		l.send("q.fifo", "x", inGroup(fmt.Sprint(i%3), fmt.Sprint(i)))
	}
	for range 30 {
		for _, m := range l.receive("q.fifo", 10) {
			l.delete("q.fifo", m.ReceiptHandle)
		}
		l.pass(1000)
	}
	l.pass(100_000)
	l.send("q.fifo", "y", inGroup("g", "later"))
	for _, m := range l.receive("q.fifo", 10) {
		l.delete("q.fifo", m.ReceiptHandle)
	}
	l.pass(600_000)
	pairs := 0
	l.state.live(func(string, []byte) { pairs++ })
	if pairs != 2 || l.wake != flotilla.Never {
		t.Errorf("%d pairs are left, and the wake-up is at %d", pairs, l.wake)
	}
	do[Done](l, &DeleteQueue{QueueName: "q.fifo"})
	l.state.live(func(key string, _ []byte) { t.Errorf("left: %q", key) })
}

// FuzzCommand decodes bytes as a command: what it accepts is encoded to a command
// that means the same, and the machine answers anything.
func FuzzCommand(f *testing.F) {
	r := rand.New(rand.NewPCG(7, 8))
	for range 50 {
		f.Add(Encode(nil, randomCommand(r, "q", []string{"h"})))
	}
	f.Add(Encode(nil, &CreateQueue{QueueName: "q", Attributes: []Pair{{"DelaySeconds", "1"}}, Secret: make([]byte, 32)}))
	f.Fuzz(func(t *testing.T, b []byte) {
		if command := decodeCommand(b); command != nil {
			again := Encode(nil, command)
			second := decodeCommand(again)
			if second == nil || !bytes.Equal(Encode(nil, second), again) {
				t.Fatalf("%q is not what was encoded", b)
			}
		}
		l := newLab()
		l.create(t, "q")
		l.send("q", "x")
		if reply := l.entry(b)[0]; len(reply) == 0 {
			t.Fatal("no reply")
		}
		Machine{}.Read(&flotilla.View{Reader: l.state, Time: l.time}, b)
		if err := l.verify(); err != nil {
			t.Fatal(err)
		}
	})
}

// TestEachCommandHasItsOperation looks for two commands that would be taken for one another.
func TestEachCommandHasItsOperation(t *testing.T) {
	seen := map[byte]bool{}
	for _, c := range append(otherCommands(), &SendMessageBatch{}, &ReceiveMessage{}, &DeleteMessageBatch{}) {
		if seen[c.op()] {
			t.Errorf("%T has the operation %q of another", c, c.op())
		}
		seen[c.op()] = true
	}
}

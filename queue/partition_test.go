package queue

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"flotilla"
)

func (c *Client) mustCreate(t *testing.T, ctx context.Context, name string, attributes ...string) {
	t.Helper()
	command := CreateQueue{QueueName: name}
	for i := 0; i < len(attributes); i += 2 {
		command.Attributes = append(command.Attributes, Pair{attributes[i], attributes[i+1]})
	}
	if err := c.CreateQueue(ctx, command); err != nil {
		t.Fatalf("create %s: %v", name, err)
	}
}

// parts returns the partitions of a queue, as their groups have them.
func (h *fakeHost) parts(base string) (all []*queue) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for id := range flotilla.GroupID(len(h.groups)) {
		e := newEntry(h.groups[id+1].state, nil, 0)
		start := []byte{byte(flotilla.SystemQueue), spacePartition}
		for key := range e.r.Scan(start, prefixEnd(start)) {
			if name, _ := baseOf(string(key[2:])); name == base {
				all = append(all, e.known(string(key[2:])))
			}
		}
	}
	return all
}

func (h *fakeHost) verify(t *testing.T) {
	t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	for id, l := range h.groups {
		if err := l.verify(); err != nil {
			t.Errorf("%v: %v", id, err)
		}
	}
}

func ten(name string) ReceiveMessage {
	return ReceiveMessage{QueueName: name, MaxNumberOfMessages: 10, VisibilityTimeout: 60}
}

// drain receives until there is nothing for a second, and returns the messages in order.
func (c *Client) drain(t *testing.T, ctx context.Context, name string) (all []Message) {
	t.Helper()
	for {
		got, err := c.ReceiveMessage(ctx, ten(name), time.Second)
		if err != nil {
			t.Fatal(err)
		}
		if len(got.Messages) == 0 {
			return all
		}
		all = append(all, got.Messages...)
	}
}

// TestSpreadQueueIsOneQueue uses a standard queue of three partitions as any other.
func TestSpreadQueueIsOneQueue(t *testing.T) {
	withClient(t, func(t *testing.T, ctx context.Context, h *fakeHost, c *Client) {
		c.mustCreate(t, ctx, "q", "Partitions", "8", "ResultRetentionPeriod", "60")
		if parts := h.parts("q"); len(parts) != 3 {
			t.Fatalf("there are %d partitions, for three groups", len(parts))
		}
		ids := map[string]bool{}
		for i := range 30 {
			var sent Sent
			batch := slices.Repeat([]SendEntry{{MessageBody: fmt.Append(nil, i)}}, 1+i%3)
			if err := c.Do(ctx, "q", &SendMessageBatch{QueueName: "q", Entries: batch}, &sent); err != nil {
				t.Fatal(err)
			}
			for _, s := range sent.Entries {
				ids[s.MessageID] = true
			}
		}
		for _, part := range h.parts("q") {
			if part.counters.Ready < 10 {
				t.Errorf("%s has %d messages of 60", part.queueRecord.name, part.counters.Ready)
			}
		}
		about, err := c.find(ctx, "q")
		if err != nil || len(ids) != 60 || about.Counters.Ready != 60 || about.Counters.Sent != 60 || about.OldestSentTimestamp == 0 {
			t.Fatalf("%d ids, %v, %+v", len(ids), err, about)
		}
		seen := map[string]bool{}
		for after := uint64(0); ; {
			var page Peeked
			if err := c.Read(ctx, "q", &PeekMessages{QueueName: "q", After: after, MaxNumberOfMessages: 7}, &page); err != nil {
				t.Fatal(err)
			}
			if len(page.Messages) == 0 {
				break
			}
			for _, m := range page.Messages {
				seen[m.Message.MessageID], after = true, m.Position
			}
		}
		if len(seen) != 60 {
			t.Errorf("peeked at %d messages", len(seen))
		}
		counted := uint64(0)
		for _, s := range c.Summaries(ctx, 10).Queues {
			if counted += s.Counters.Ready; s.QueueName != "q" {
				t.Errorf("metrics tell of %q", s.QueueName)
			}
		}
		if counted != 60 {
			t.Errorf("metrics count %d messages", counted)
		}
		messages := c.drain(t, ctx, "q")
		if len(messages) != 60 {
			t.Fatalf("received %d messages", len(messages))
		}
		c.useHandles(t, ctx, messages)
		if about, _ = c.find(ctx, "q"); about.Counters.Deleted != 10 || about.Counters.Delayed != 10 {
			t.Errorf("at the end: %+v", about.Counters)
		}
		h.verify(t)
	})
}

// useHandles settles batches of messages that are in all partitions.
func (c *Client) useHandles(t *testing.T, ctx context.Context, messages []Message) {
	t.Helper()
	slices.SortFunc(messages, func(a, b Message) int { return strings.Compare(a.MessageID[30:], b.MessageID[30:]) })
	deletes := &DeleteMessageBatch{QueueName: "q"}
	changes := &ChangeMessageVisibilityBatch{QueueName: "q", RetryDelaySeconds: 60}
	for i, m := range messages[:10] {
		deletes.Entries = append(deletes.Entries, DeleteEntry{ReceiptHandle: m.ReceiptHandle, Result: fmt.Append(nil, i)})
		changes.Entries = append(changes.Entries, VisibilityEntry{ReceiptHandle: messages[10+i].ReceiptHandle})
	}
	var settled, changed Settled
	if err := errors.Join(c.Do(ctx, "q", deletes, &settled), c.Do(ctx, "q", changes, &changed)); err != nil {
		t.Fatal(err)
	}
	for i := range settled.Errors {
		if settled.Errors[i].Code != "" || changed.Errors[i].Code != "" {
			t.Errorf("entry %d: %v, %v", i, settled.Errors[i], changed.Errors[i])
		}
		var job Job
		if err := c.Read(ctx, "q", &DescribeJob{QueueName: "q", MessageID: messages[i].MessageID}, &job); err != nil || string(job.Result) != fmt.Sprint(i) {
			t.Errorf("job %d: %v, %+v", i, err, job)
		}
	}
	if err := c.Do(ctx, "q", &ReportProgress{QueueName: "q", ReceiptHandle: messages[30].ReceiptHandle, Progress: []byte("half")}, &Done{}); err != nil {
		t.Error(err)
	}
	bad := &DeleteMessageBatch{QueueName: "q", Entries: []DeleteEntry{{ReceiptHandle: "x"}, {ReceiptHandle: messages[30].ReceiptHandle[:40] + "AAAAAAAAAAAAAAA"}}}
	if err := c.Do(ctx, "q", bad, &settled); err != nil || settled.Errors[0].Code != CodeReceiptHandleIsInvalid || settled.Errors[1].Code != CodeReceiptHandleIsInvalid {
		t.Errorf("bad handles: %v, %+v", err, settled)
	}
}

// TestSpreadFIFOQueueKeepsOrder sends to many message groups, some twice, in batches that
// go to several partitions.
func TestSpreadFIFOQueueKeepsOrder(t *testing.T) {
	withClient(t, func(t *testing.T, ctx context.Context, h *fakeHost, c *Client) {
		refused := CreateQueue{QueueName: "q.fifo", Attributes: []Pair{{"FifoQueue", "true"}, {"Partitions", "3"}}}
		if err := c.CreateQueue(ctx, refused); !isCode(err, CodeInvalidAttributeValue) {
			t.Errorf("with deduplication for the whole queue: %v", err)
		}
		c.mustCreate(t, ctx, "q.fifo", "FifoQueue", "true", "Partitions", "3", "DeduplicationScope", "messageGroup")
		last := map[string]uint64{}
		for i := range 20 {
			batch := &SendMessageBatch{QueueName: "q.fifo"}
			for group := range 10 {
				batch.Entries = append(batch.Entries, SendEntry{MessageBody: fmt.Append(nil, i), DelaySeconds: -1,
					MessageGroupID: fmt.Sprint("g", group), MessageDeduplicationID: fmt.Sprint(i)})
			}
			var sent, again Sent
			if err := errors.Join(c.Do(ctx, "q.fifo", batch, &sent), c.Do(ctx, "q.fifo", batch, &again)); err != nil {
				t.Fatal(err)
			}
			for k, s := range sent.Entries {
				group := batch.Entries[k].MessageGroupID
				if s.Err.Code != "" || s.SequenceNumber <= last[group] || !again.Entries[k].IsDuplicate || again.Entries[k].SequenceNumber != s.SequenceNumber {
					t.Fatalf("%s, message %d: %+v, and again %+v", group, i, s, again.Entries[k])
				}
				last[group] = s.SequenceNumber
			}
		}
		next, sequences := map[string]int{}, map[uint64]bool{}
		attempt := ten("q.fifo")
		attempt.ReceiveRequestAttemptID = "a"
		first, err := c.ReceiveMessage(ctx, attempt, 0)
		again, err2 := c.ReceiveMessage(ctx, attempt, 0)
		if err = errors.Join(err, err2); err != nil || len(first.Messages) != 10 || bodies(first.Messages) != bodies(again.Messages) {
			t.Errorf("an attempt: %v, %q, then %q", err, bodies(first.Messages), bodies(again.Messages))
		}
		for got := again; len(got.Messages) > 0; got, _ = c.ReceiveMessage(ctx, ten("q.fifo"), 0) {
			for _, m := range got.Messages {
				if string(m.Body) != fmt.Sprint(next[m.MessageGroupID]) || sequences[m.SequenceNumber] {
					t.Fatalf("%s: received %s, sequence number %d", m.MessageGroupID, m.Body, m.SequenceNumber)
				}
				next[m.MessageGroupID]++
				sequences[m.SequenceNumber] = true
				if err := c.Do(ctx, "q.fifo", &DeleteMessageBatch{QueueName: "q.fifo", Entries: []DeleteEntry{{ReceiptHandle: m.ReceiptHandle}}}, &Settled{}); err != nil {
					t.Fatal(err)
				}
			}
		}
		if len(sequences) != 200 {
			t.Errorf("received %d messages of 200", len(sequences))
		}
		h.verify(t)
	})
}

// TestAnyPartitionWakesWhoWaits lets workers wait, with events and without, and looks when
// they are served and how often the log is asked for nothing.
func TestAnyPartitionWakesWhoWaits(t *testing.T) {
	withClient(t, func(t *testing.T, ctx context.Context, h *fakeHost, c *Client) {
		c.mustCreate(t, ctx, "q", "Partitions", "3")
		for _, isDeaf := range []bool{false, true} {
			h.set(func() { h.isDeaf = isDeaf })
			if isDeaf { // one group is on another node, and the events of the others are lost
				topology := *h.Topology()
				topology.Groups = slices.Clone(topology.Groups)
				topology.Groups[2].Nodes = []flotilla.NodeID{7}
				h.topology.Store(&topology)
			}
			var mu sync.Mutex
			var waits []time.Duration
			var workers sync.WaitGroup
			begin := time.Now()
			for range 9 {
				workers.Go(func() {
					got, err := c.ReceiveMessage(ctx, one("q"), 20*time.Second)
					mu.Lock()
					defer mu.Unlock()
					if err != nil || len(got.Messages) != 1 {
						t.Errorf("%v, %d messages", err, len(got.Messages))
					}
					waits = append(waits, time.Since(begin))
				})
			}
			synctest.Wait()
			before := 0
			h.set(func() { before = h.writes })
			pause(900 * time.Millisecond)
			for range 9 {
				c.mustSend(t, ctx, "q", "x", 0)
			}
			workers.Wait()
			slices.Sort(waits)
			asked := h.writes - before - 9
			switch {
			case !isDeaf && (waits[8] != 900*time.Millisecond || asked > 18):
				t.Errorf("they waited %v, and asked for %d receives", waits, asked)
			case isDeaf && (waits[2] > 1100*time.Millisecond || waits[8] > 5100*time.Millisecond || asked > 18):
				t.Errorf("without events they waited %v, and asked for %d receives", waits, asked)
			}
		}
	})
}

// TestLimitsAreDivided: the partitions of a queue together keep its limits.
func TestLimitsAreDivided(t *testing.T) {
	withClient(t, func(t *testing.T, ctx context.Context, h *fakeHost, c *Client) {
		for _, name := range []string{"MaxInFlight", "RateLimit", "GroupRateLimit", "GroupMaxInFlight"} {
			if err := c.CreateQueue(ctx, CreateQueue{QueueName: "few", Attributes: []Pair{{"Partitions", "3"}, {name, "2"}}}); !isCode(err, CodeInvalidAttributeValue) {
				t.Errorf("%s of less than one each: %v", name, err)
			}
		}
		c.mustCreate(t, ctx, "q", "Partitions", "3", "MaxInFlight", "7")
		c.mustCreate(t, ctx, "slow", "Partitions", "3", "RateLimit", "10")
		for range 60 {
			c.mustSend(t, ctx, "q", "x", 0)
			c.mustSend(t, ctx, "slow", "x", 0)
		}
		if n := len(c.drain(t, ctx, "q")); n != 7 {
			t.Errorf("%d messages in flight", n)
		}
		c.mustCreate(t, ctx, "groups", "Partitions", "3", "GroupMaxInFlight", "5")
		c.mustCreate(t, ctx, "groups.fifo", "Partitions", "3", "GroupMaxInFlight", "2", "FifoQueue", "true", "DeduplicationScope", "messageGroup")
		for i := range 30 {
			for _, name := range []string{"groups", "groups.fifo"} {
				s := SendEntry{MessageBody: []byte("x"), MessageGroupID: fmt.Sprint("g", i%2)}
				if name == "groups.fifo" {
					s.MessageDeduplicationID = fmt.Sprint(i)
				}
				if err := c.Do(ctx, name, &SendMessageBatch{QueueName: name, Entries: []SendEntry{s}}, &Sent{}); err != nil {
					t.Fatal(err)
				}
			}
		}
		for name, most := range map[string]int{"groups": 10, "groups.fifo": 4} { // of two message groups
			if n := len(c.drain(t, ctx, name)); n != most {
				t.Errorf("%s: %d messages in flight, not %d", name, n, most)
			}
		}
		received := 0
		for range 40 {
			got, err := c.ReceiveMessage(ctx, ten("slow"), 0)
			if err != nil {
				t.Fatal(err)
			}
			received += len(got.Messages)
			pause(50 * time.Millisecond)
		}
		if received < 25 || received > 30 {
			t.Errorf("received %d messages in 2 s at 10 a second", received)
		}
		h.verify(t)
	})
}

// TestDeadMessagesOfSpreadQueues sends dead messages from a spread queue to another, and
// moves them back, at a rate, stopped half way.
func TestDeadMessagesOfSpreadQueues(t *testing.T) {
	withClient(t, func(t *testing.T, ctx context.Context, h *fakeHost, c *Client) {
		c.mustCreate(t, ctx, "dead", "Partitions", "3")
		c.mustCreate(t, ctx, "work", "Partitions", "2", "RedrivePolicy", `{"deadLetterTargetArn":"arn:aws:sqs:x:0:dead","maxReceiveCount":1}`)
		for i := range 60 {
			c.mustSend(t, ctx, "work", fmt.Sprint(i), 0)
		}
		for _, m := range c.drain(t, ctx, "work") {
			give := &ChangeMessageVisibilityBatch{QueueName: "work", Entries: []VisibilityEntry{{ReceiptHandle: m.ReceiptHandle}}}
			if err := c.Do(ctx, "work", give, &Settled{}); err != nil {
				t.Fatal(err)
			}
		}
		c.expect(t, ctx, "dead", 60)
		sources, err := c.ListDeadLetterSourceQueues(ctx, ListDeadLetterSourceQueues{QueueName: "dead", MaxResults: 10})
		names, err2 := c.ListQueues(ctx, ListQueues{MaxResults: 10})
		if err = errors.Join(err, err2); err != nil || fmt.Sprint(sources.Names, names.Names) != "[work] [dead work]" {
			t.Errorf("sources and queues: %v %v, %v", sources.Names, names.Names, err)
		}
		slow, err := c.StartMessageMoveTask(ctx, StartMessageMoveTask{SourceQueue: "dead", MaxNumberOfMessagesPerSecond: 2})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.StartMessageMoveTask(ctx, StartMessageMoveTask{SourceQueue: "dead"}); !isCode(err, CodeInvalidParameterValue) {
			t.Errorf("a second task: %v", err)
		}
		pause(5 * time.Second)
		var stopped MoveCancelled
		err = c.Do(ctx, "dead", &CancelMessageMoveTask{SourceQueue: "dead", TaskHandle: slow.TaskHandle}, &stopped)
		if moved := stopped.ApproximateNumberOfMessagesMoved; err != nil || moved < 9 || moved > 13 {
			t.Errorf("stopped: %v, moved %d", err, moved)
		}
		if err := c.Do(ctx, "dead", &CancelMessageMoveTask{SourceQueue: "dead", TaskHandle: slow.TaskHandle}, &stopped); !isCode(err, CodeResourceNotFound) {
			t.Errorf("stopped again: %v", err)
		}
		if _, err := c.StartMessageMoveTask(ctx, StartMessageMoveTask{SourceQueue: "dead"}); err != nil {
			t.Fatal(err)
		}
		c.expect(t, ctx, "work", 60)
		var tasks MoveTasks
		if err := c.Read(ctx, "dead", &ListMessageMoveTasks{SourceQueue: "dead"}, &tasks); err != nil || len(tasks.Results) != 2 ||
			tasks.Results[0].Status != MoveCompleted || tasks.Results[1].Status != MoveStopped || tasks.Results[1].ApproximateNumberOfMessagesMoved != stopped.ApproximateNumberOfMessagesMoved {
			t.Errorf("tasks: %v, %+v", err, tasks)
		}
		if _, err := c.StartMessageMoveTask(ctx, StartMessageMoveTask{SourceQueue: "work", DestinationQueue: "dead"}); err != nil {
			t.Fatal(err)
		}
		c.expect(t, ctx, "dead", 60)
		h.verify(t)
	})
}

// TestRecurringMessagesOfSpreadQueues: each run is sent once, wherever it is kept.
func TestRecurringMessagesOfSpreadQueues(t *testing.T) {
	withClient(t, func(t *testing.T, ctx context.Context, _ *fakeHost, c *Client) {
		c.mustCreate(t, ctx, "q", "Partitions", "3")
		c.mustCreate(t, ctx, "q.fifo", "FifoQueue", "true", "Partitions", "3", "DeduplicationScope", "messageGroup")
		for _, name := range []string{"q", "q.fifo"} {
			for _, group := range []string{"a", "b", "c", "d"} { // put again, mostly in another partition
				put := PutRecurring{QueueName: name, Name: "each", Cron: "* * * * *", Entry: SendEntry{MessageBody: []byte("x"), DelaySeconds: -1, MessageGroupID: group}}
				if err := c.PutRecurring(ctx, put); err != nil {
					t.Fatal(err)
				}
			}
			var all Recurrings
			if err := c.Read(ctx, name, &ListRecurring{QueueName: name}, &all); err != nil || len(all.Results) != 1 {
				t.Errorf("%s: %v, %+v", name, err, all)
			}
			before, _ := c.find(ctx, name)
			pause(5 * time.Minute)
			c.expect(t, ctx, name, before.Counters.Ready+5)
			if err := c.Do(ctx, name, &DeleteRecurring{QueueName: name, Name: "each"}, &Done{}); err != nil {
				t.Error(err)
			}
			if err := c.Do(ctx, name, &DeleteRecurring{QueueName: name, Name: "each"}, &Done{}); !isCode(err, CodeResourceNotFound) {
				t.Errorf("deleted again: %v", err)
			}
		}
	})
}

// TestPartitionsOutliveAGroup: while one group does not answer, messages go to others.
func TestPartitionsOutliveAGroup(t *testing.T) {
	withClient(t, func(t *testing.T, ctx context.Context, h *fakeHost, c *Client) {
		c.mustCreate(t, ctx, "q", "Partitions", "3")
		down := c.GroupOf(h.parts("q")[1].queueRecord.name)
		h.set(func() {
			h.judge = func(call *flotilla.Call) (bool, error) {
				if call.Group == down {
					return false, flotilla.Refused(flotilla.NoQuorum, "test")
				}
				return true, nil
			}
		})
		for range 30 {
			c.mustSend(t, ctx, "q", "x", 0)
		}
		received := 0
		for {
			got, err := c.ReceiveMessage(ctx, ten("q"), 0)
			if len(got.Messages) == 0 {
				if !errors.Is(err, flotilla.ErrRefused) {
					t.Errorf("a receive that found nothing where it could look: %v", err)
				}
				break
			}
			received += len(got.Messages)
		}
		if received != 30 {
			t.Errorf("received %d messages of 30", received)
		}
		if _, err := c.find(ctx, "q"); !errors.Is(err, flotilla.ErrRefused) {
			t.Errorf("counted, without knowing all: %v", err)
		}
	})
}

// TestRefusedMeansThatNoPartChanged makes some partitions refuse what they are asked, and
// some lose what they answer. Whoever is told that a command was refused may repeat it.
func TestRefusedMeansThatNoPartChanged(t *testing.T) {
	refused, unknown := 0, 0
	for seed := range uint64(300) {
		withClient(t, func(t *testing.T, ctx context.Context, h *fakeHost, c *Client) {
			c.mustCreate(t, ctx, "q.fifo", "FifoQueue", "true", "Partitions", "3", "DeduplicationScope", "messageGroup")
			put := PutRecurring{QueueName: "q.fifo", Name: "yearly", Cron: "0 0 1 1 *", Entry: SendEntry{MessageBody: []byte("x"), DelaySeconds: -1, MessageGroupID: "a"}}
			if err := c.PutRecurring(ctx, put); err != nil {
				t.Fatal(err)
			}
			var batch []SendEntry
			for i := range 9 {
				batch = append(batch, SendEntry{MessageBody: fmt.Append(nil, i), DelaySeconds: -1, MessageGroupID: string(rune('a' + i)), MessageDeduplicationID: fmt.Sprint(i)})
			}
			if err := c.Do(ctx, "q.fifo", &SendMessageBatch{QueueName: "q.fifo", Entries: batch}, &Sent{}); err != nil {
				t.Fatal(err)
			}
			var leases DeleteMessageBatch
			var changes ChangeMessageVisibilityBatch
			for range 3 {
				got, err := c.ReceiveMessage(ctx, ten("q.fifo"), 0)
				if err != nil {
					t.Fatal(err)
				}
				for _, m := range got.Messages {
					leases.Entries = append(leases.Entries, DeleteEntry{ReceiptHandle: m.ReceiptHandle})
					changes.Entries = append(changes.Entries, VisibilityEntry{ReceiptHandle: m.ReceiptHandle, VisibilityTimeout: 7})
				}
			}
			for i := range batch {
				batch[i].MessageDeduplicationID += "again"
			}
			put.Entry.MessageGroupID = "b"
			commands := []func() error{
				func() error { return c.Do(ctx, "q.fifo", &SendMessageBatch{Entries: batch}, &Sent{}) },
				func() error { return c.Do(ctx, "q.fifo", &changes, &Settled{}) },
				func() error { return c.Do(ctx, "q.fifo", &leases, &Settled{}) },
				func() error { return c.PutRecurring(ctx, put) },
				func() error { return c.Do(ctx, "q.fifo", &DeleteRecurring{Name: "yearly"}, &Done{}) },
			}
			f := &faults{r: rand.New(rand.NewPCG(seed, 1)), percent: 60}
			for i, command := range commands {
				before := h.digest()
				h.set(func() { h.judge = f.judge })
				err := command()
				h.set(func() { h.judge = nil })
				switch {
				case errors.Is(err, flotilla.ErrUnknown):
					unknown++
				case errors.Is(err, flotilla.ErrRefused):
					if refused++; h.digest() != before {
						t.Fatalf("seed %d, command %d: %v, but something changed", seed, i, err)
					}
				}
			}
		})
	}
	if refused < 50 || unknown < 200 {
		t.Errorf("only %d commands were refused, and %d unknown", refused, unknown)
	}
}

// digest sums up what the groups hold.
func (h *fakeHost) digest() (all [3]uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i := range all {
		all[i] = h.groups[flotilla.GroupID(i+1)].state.digest()
	}
	return all
}

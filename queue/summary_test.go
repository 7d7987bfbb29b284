package queue

import (
	"context"
	"fmt"
	"testing"
	"time"

	"flotilla"
)

// TestSummariesAreOfTheGroupsThatANodeLeads takes the leadership of one group away.
func TestSummariesAreOfTheGroupsThatANodeLeads(t *testing.T) {
	withClient(t, func(t *testing.T, ctx context.Context, h *fakeHost, c *Client) {
		for i := range 9 {
			if err := c.CreateQueue(ctx, CreateQueue{QueueName: fmt.Sprintf("q%d", i)}); err != nil {
				t.Fatal(err)
			}
		}
		c.mustSend(t, ctx, "q4", "x", 0)
		sent := nowMillis()
		pause(time.Second)
		all := c.Summaries(ctx, 100)
		if len(all.Queues) != 9 || all.HasMore {
			t.Fatalf("%d queues, more: %v", len(all.Queues), all.HasMore)
		}
		for _, s := range all.Queues {
			isQ4 := s.QueueName == "q4"
			if s.Group != c.GroupOf(s.QueueName) || (s.Counters.Ready == 1) != isQ4 || (s.OldestSentTimestamp == sent) != isQ4 {
				t.Errorf("%+v", s)
			}
		}
		topology := *h.topology.Load()
		topology.Groups = append([]flotilla.GroupInfo{}, topology.Groups...)
		topology.Groups[c.GroupOf("q4")].Leader = 2
		h.topology.Store(&topology)
		left := c.Summaries(ctx, 100)
		for _, s := range left.Queues {
			if s.Group == c.GroupOf("q4") {
				t.Errorf("%s is another node's to tell of", s.QueueName)
			}
		}
		if len(left.Queues) == 0 || len(left.Queues) == 9 {
			t.Errorf("%d queues are left", len(left.Queues))
		}
		if few := c.Summaries(ctx, 1); len(few.Queues) != 2 || !few.HasMore {
			t.Errorf("one of each group: %+v", few)
		}
	})
}

// TestLostLeasesAreTold compares what SQS is told of a lease that can not be used
// with what the native API is told.
func TestLostLeasesAreTold(t *testing.T) {
	l := newLab()
	l.create(t, "q", "VisibilityTimeout", "10")
	l.create(t, "q.fifo", "FifoQueue", "true", "VisibilityTimeout", "10")
	settle := func(name, handle string, tells bool) (string, string) {
		deleted, _ := do[Settled](l, &DeleteMessageBatch{QueueName: name, Entries: []DeleteEntry{{ReceiptHandle: handle, TellsLost: tells}}})
		changed, _ := do[Settled](l, &ChangeMessageVisibilityBatch{QueueName: name,
			Entries: []VisibilityEntry{{ReceiptHandle: handle, VisibilityTimeout: 5, TellsLost: tells}}})
		return deleted.Errors[0].Code, changed.Errors[0].Code
	}
	expect := func(why, name, handle, code string) {
		t.Helper()
		if deleted, changed := settle(name, handle, true); deleted != code || changed != code {
			t.Errorf("%s: %q, %q; not %q", why, deleted, changed, code)
		}
	}
	l.send("q", "x")
	old := l.receive("q", 1)[0].ReceiptHandle
	l.pass(10_000)
	now := l.receive("q", 1)[0].ReceiptHandle
	expect("superseded", "q", old, CodeLeaseSuperseded)
	if deleted, changed := settle("q", old, false); deleted != "" || changed != CodeInvalidParameterValue {
		t.Errorf("as SQS: %q, %q", deleted, changed)
	}
	if got := l.counts("q"); got != "0 1 0" {
		t.Errorf("the message was touched: %s", got)
	}
	l.delete("q", now)
	expect("deleted", "q", now, CodeMessageGone)

	l.send("q.fifo", "x", inGroup("g", "1"))
	old = l.receive("q.fifo", 1)[0].ReceiptHandle
	l.pass(10_000)
	expect("ran out", "q.fifo", old, CodeLeaseOver)
}

// TestSummariesAddUpPartitions spreads a queue over groups, some of which have several
// of its partitions.
func TestSummariesAddUpPartitions(t *testing.T) {
	withClient(t, func(t *testing.T, ctx context.Context, _ *fakeHost, c *Client) {
		if err := c.CreateQueue(ctx, CreateQueue{QueueName: "wide", Attributes: []Pair{{"Partitions", "7"}}}); err != nil {
			t.Fatal(err)
		}
		for i := range 40 {
			c.mustSend(t, ctx, "wide", fmt.Sprint(i), 0)
		}
		seen, ready := map[flotilla.GroupID]bool{}, uint64(0)
		for _, s := range c.Summaries(ctx, 100).Queues {
			if s.QueueName != "wide" || seen[s.Group] || s.Counters.Ready > 0 && s.OldestSentTimestamp == 0 {
				t.Errorf("%+v", s)
			}
			seen[s.Group] = true
			ready += s.Counters.Ready
		}
		if ready != 40 || len(seen) != 3 {
			t.Errorf("%d messages in %d groups", ready, len(seen))
		}
	})
}

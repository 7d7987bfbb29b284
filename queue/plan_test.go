package queue

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"flotilla"
)

// faults makes calls fail: those after the first few, as refused or as lost on the way
// back, until it is healed.
type faults struct {
	r       *rand.Rand
	left    int // calls that go well
	percent int // of the others, how many fail
	failed  int
}

func (f *faults) judge(*flotilla.Call) (isDone bool, err error) {
	if f.left > 0 {
		f.left--
		return true, nil
	}
	if f.r.IntN(100) >= f.percent {
		return true, nil
	}
	f.failed++
	if f.r.IntN(2) == 0 {
		return true, flotilla.Unknown(flotilla.Timeout, "test")
	}
	return false, flotilla.Refused(flotilla.NoQuorum, "test")
}

// managed is one thing that is done to a spread queue, and what it must have come to.
type managed struct {
	name   string
	do     func(ctx context.Context, c *Client) error
	isDone func(t *testing.T, ctx context.Context, h *fakeHost, c *Client) error
}

func allManaged() []managed {
	create := func(ctx context.Context, c *Client) error {
		return c.CreateQueue(ctx, CreateQueue{QueueName: "q", Attributes: []Pair{{"Partitions", "3"}}})
	}
	return []managed{
		{"create", create, func(t *testing.T, ctx context.Context, h *fakeHost, c *Client) error {
			if parts := h.parts("q"); len(parts) != 3 {
				return fmt.Errorf("there are %d partitions", len(parts))
			}
			return nil
		}},
		{"set", func(ctx context.Context, c *Client) error {
			return c.SetQueueAttributes(ctx, SetQueueAttributes{QueueName: "q", Attributes: []Pair{{"VisibilityTimeout", "77"}}})
		}, func(t *testing.T, ctx context.Context, h *fakeHost, c *Client) error {
			for _, part := range h.parts("q") {
				if part.settings.values[visibilityTimeout] != 77 {
					return fmt.Errorf("%s has not been told", part.queueRecord.name)
				}
			}
			return nil
		}},
		{"purge", func(ctx context.Context, c *Client) error {
			return c.Do(ctx, "q", &PurgeQueue{QueueName: "q"}, &Done{})
		}, func(t *testing.T, ctx context.Context, h *fakeHost, c *Client) error {
			if about, err := c.find(ctx, "q"); err != nil || about.Counters.Ready != 0 {
				return fmt.Errorf("after a purge: %v, %+v", err, about)
			}
			return nil
		}},
		{"move", func(ctx context.Context, c *Client) error {
			_, err := c.StartMessageMoveTask(ctx, StartMessageMoveTask{SourceQueue: "q", DestinationQueue: "to"})
			return err
		}, func(t *testing.T, ctx context.Context, h *fakeHost, c *Client) error {
			pause(10 * time.Second)
			from, err := c.find(ctx, "q")
			to, err2 := c.find(ctx, "to")
			if err = errors.Join(err, err2); err != nil || from.Counters.Ready != 0 || to.Counters.Ready != 30 {
				return fmt.Errorf("%v: %+v and %+v", err, from, to)
			}
			return nil
		}},
		{"delete", func(ctx context.Context, c *Client) error {
			return c.Do(ctx, "q", &DeleteQueue{QueueName: "q"}, &Done{})
		}, func(t *testing.T, ctx context.Context, h *fakeHost, c *Client) error {
			for _, part := range h.parts("q") {
				if !part.isDeleted {
					return fmt.Errorf("%s is still there", part.queueRecord.name)
				}
			}
			if about, err := c.find(ctx, "q"); about != nil || err != nil {
				return fmt.Errorf("the queue is still there: %v %+v", err, about)
			}
			return nil
		}},
	}
}

// TestPlansThatStopHalfWayAreFinished breaks off whatever is done to a spread queue after
// each number of calls, and then lets it be tried again, by another node that knows
// nothing of it, or only by the pumps.
func TestPlansThatStopHalfWayAreFinished(t *testing.T) {
	var failed, unknown atomic.Int64
	for _, m := range allManaged() {
		for seed := range 36 {
			withClient(t, func(t *testing.T, ctx context.Context, h *fakeHost, c *Client) {
				c.mustCreate(t, ctx, "to")
				if m.name != "create" {
					c.mustCreate(t, ctx, "q", "Partitions", "3")
					for range 30 {
						c.mustSend(t, ctx, "q", "x", 0)
					}
				}
				f := &faults{r: rand.New(rand.NewPCG(uint64(seed), 2)), left: seed % 12, percent: []int{30, 100}[seed/12%2]}
				h.set(func() { h.judge = f.judge })
				err := m.do(ctx, c)
				h.set(func() { h.judge = nil })
				failed.Add(int64(f.failed))
				if errors.Is(err, flotilla.ErrUnknown) {
					unknown.Add(1)
				}
				wasBegun := err == nil || m.isDone(t, ctx, h, c) == nil
				switch seed % 3 {
				case 0: // tried again
					if m.name != "move" || err != nil && !isBegun(ctx, c) {
						err = m.do(ctx, c)
					}
					if err != nil && !(m.name == "delete" && isCode(err, CodeQueueDoesNotExist)) && !(m.name == "purge" && isCode(err, CodePurgeInProgress)) && m.name != "move" {
						t.Fatalf("%s, seed %d, again: %v", m.name, seed, err)
					}
					wasBegun = true
				case 1: // others go on
					pause(3 * time.Second)
					wasBegun = wasBegun || isBegun(ctx, c) && m.name == "move"
				case 2: // another node only uses the queue
					other := NewClient(h)
					_, err := other.find(ctx, "q")
					other.Close()
					c.cancel = h.Subscribe(flotilla.SystemQueue, c.hear)
					if err != nil {
						t.Fatalf("%s, seed %d: on another node %v", m.name, seed, err)
					}
					pause(3 * time.Second)
				}
				if err := m.isDone(t, ctx, h, c); err != nil && wasBegun {
					t.Fatalf("%s, seed %d: %v", m.name, seed, err)
				}
				if m.name == "delete" && wasBegun {
					c.mustCreate(t, ctx, "q", "Partitions", "2")
					c.mustSend(t, ctx, "q", "new", 0)
					c.expect(t, ctx, "q", 1)
				}
				h.verify(t)
				for id := range flotilla.GroupID(3) {
					h.mu.Lock() // the client goes on
					left := newEntry(h.groups[id+1].state, nil, 0).unsettled()
					h.mu.Unlock()
					if len(left) > 0 {
						t.Fatalf("%s, seed %d: not settled: %v", m.name, seed, left)
					}
				}
			})
		}
	}
	if failed.Load() < 100 || unknown.Load() < 20 {
		t.Errorf("only %d calls failed, and %d changes were unknown", failed.Load(), unknown.Load())
	}
}

// isBegun reports whether the queue's plan names a move task.
func isBegun(ctx context.Context, c *Client) bool {
	var p Plan
	err := c.ask(ctx, &flotilla.Call{Group: c.GroupOf("q"), IsRead: true}, &ReadPlan{QueueName: "q"}, &p)
	return err == nil && p.plan.move.task != ""
}

// TestStepsThatComeLateDoNothing repeats all steps of a queue's life after its end, and after
// that of the queue which took its name.
func TestStepsThatComeLateDoNothing(t *testing.T) {
	withClient(t, func(t *testing.T, ctx context.Context, h *fakeHost, c *Client) {
		var steps []*flotilla.Call
		h.set(func() {
			h.judge = func(call *flotilla.Call) (bool, error) {
				if !call.IsRead && (call.Commands[0][1] == (&MatchPartition{}).op() || call.Commands[0][1] == (&SettlePlan{}).op()) {
					steps = append(steps, &flotilla.Call{Group: call.Group, Commands: call.Commands})
				}
				return true, nil
			}
		})
		c.mustCreate(t, ctx, "q", "Partitions", "3")
		old := h.parts("q")
		_ = c.SetQueueAttributes(ctx, SetQueueAttributes{QueueName: "q", Attributes: []Pair{{"DelaySeconds", "9"}}})
		for _, step := range slices.Clone(steps[:4]) { // of its creation
			h.Do(ctx, &flotilla.Call{Group: step.Group, Commands: step.Commands})
		}
		for _, part := range h.parts("q") {
			if part.settings.values[delaySeconds] != 9 {
				t.Errorf("%s went back to what it was", part.queueRecord.name)
			}
		}
		_ = c.Do(ctx, "q", &PurgeQueue{QueueName: "q"}, &Done{})
		_ = c.Do(ctx, "q", &DeleteQueue{QueueName: "q"}, &Done{})
		h.set(func() { h.judge = nil })
		if len(steps) < 12 {
			t.Fatalf("only %d steps", len(steps))
		}
		late := func() {
			for _, step := range append(slices.Clone(steps), backwards(steps)...) {
				h.Do(ctx, step)
			}
		}
		late()
		send := &SendMessageBatch{QueueName: old[0].queueRecord.name, Entries: []SendEntry{{MessageBody: []byte("x")}}}
		if err := c.askPartition(ctx, &spreadQueue{route: route{Base: "q"}, names: []string{send.QueueName}}, 0, send, &Sent{}); !isCode(err, CodeQueueDoesNotExist) {
			t.Errorf("who knew the old queue sends to a partition that came back: %v", err)
		}
		c.mustCreate(t, ctx, "q", "Partitions", "3")
		for range 30 {
			c.mustSend(t, ctx, "q", "x", 0)
		}
		late()
		c.expect(t, ctx, "q", 30)
		if parts := h.parts("q"); len(parts) != 6 {
			t.Errorf("there are %d partitions, with those that are remembered", len(parts))
		}
		pause(25 * time.Hour)
		if parts := h.parts("q"); len(parts) != 3 {
			t.Errorf("a day later there are %d", len(parts))
		}
		h.verify(t)
	})
}

// backwards returns the steps, the last one first.
func backwards(steps []*flotilla.Call) []*flotilla.Call {
	steps = slices.Clone(steps)
	slices.Reverse(steps)
	return steps
}

// TestClientsLearnOfNewQueues: a client that knows a queue which is gone finds the one that
// took its name, whatever its partitions are.
func TestClientsLearnOfNewQueues(t *testing.T) {
	withClient(t, func(t *testing.T, ctx context.Context, h *fakeHost, c *Client) {
		old := NewClient(h)
		defer old.Close()
		for _, partitions := range []string{"3", "1", "2", "2", "3", "1", "3"} {
			c.mustCreate(t, ctx, "q", "Partitions", partitions)
			for range 6 {
				old.mustSend(t, ctx, "q", "x", 0)
			}
			got, err := old.ReceiveMessage(ctx, one("q"), 0)
			if err != nil || len(got.Messages) != 1 {
				t.Fatalf("%s partitions: %v, %d messages", partitions, err, len(got.Messages))
			}
			c.expect(t, ctx, "q", 5)
			if err := c.Do(ctx, "q", &DeleteQueue{QueueName: "q"}, &Done{}); err != nil {
				t.Fatal(err)
			}
		}
		if err := old.Do(ctx, "q", &SendMessageBatch{QueueName: "q", Entries: []SendEntry{{MessageBody: []byte("x")}}}, &Sent{}); !isCode(err, CodeQueueDoesNotExist) {
			t.Errorf("a send to a queue that is gone: %v", err)
		}
	})
}

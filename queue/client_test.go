package queue

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"flotilla"
)

// fakeHost is one node with a few groups, whose log time is the clock's.
type fakeHost struct {
	mu       sync.Mutex
	groups   map[flotilla.GroupID]*lab
	topology atomic.Pointer[flotilla.Topology]
	deliver  func(flotilla.Event)
	fail     error
	judge    func(*flotilla.Call) (isDone bool, err error) // nil: all goes well
	writes   int
	isDeaf   bool
}

func newFakeHost(groups int) *fakeHost {
	h := &fakeHost{groups: map[flotilla.GroupID]*lab{}}
	topology := &flotilla.Topology{SlotMap: new([flotilla.Slots]flotilla.GroupID)}
	topology.Groups = []flotilla.GroupInfo{{ID: flotilla.Directory, Leader: 1}}
	for i := range groups {
		id := flotilla.GroupID(i + 1)
		h.groups[id] = newLab()
		h.groups[id].time = nowMillis()
		topology.Groups = append(topology.Groups, flotilla.GroupInfo{ID: id, Leader: 1, Nodes: []flotilla.NodeID{1}})
	}
	for slot := range topology.SlotMap {
		topology.SlotMap[slot] = flotilla.GroupID(1 + slot%groups)
	}
	h.topology.Store(topology)
	return h
}

// set changes something that Do and run look at.
func (h *fakeHost) set(change func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	change()
}

// pause lets the bubble's time pass.
func pause(d time.Duration) { <-time.After(d) }

func nowMillis() flotilla.Millis { return flotilla.Millis(time.Now().UnixMilli()) }

func (h *fakeHost) Do(_ context.Context, calls ...*flotilla.Call) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, call := range calls {
		if call.Err = h.fail; call.Err != nil {
			continue
		}
		isDone, err := true, error(nil)
		if h.judge != nil {
			isDone, err = h.judge(call)
		}
		if call.Err = err; !isDone {
			continue
		}
		l := h.groups[call.Group]
		l.pass(nowMillis() - l.time)
		if call.IsRead {
			view := &flotilla.View{Reader: l.state, Group: call.Group, Time: l.time, Now: l.time}
			call.Replies = [][]byte{Machine{}.Read(view, call.Commands[0])}
			continue
		}
		h.writes++
		call.Replies = l.entry(call.Commands...)
		h.tell(l)
	}
}

// tell passes on a group's events.
func (h *fakeHost) tell(l *lab) {
	for _, event := range l.told {
		if !h.isDeaf && h.deliver != nil {
			h.deliver(event)
		}
	}
	l.events, l.told = nil, nil
}

// run lets the groups' time pass until ctx ends.
func (h *fakeHost) run(ctx context.Context) {
	for ctx.Err() == nil {
		h.mu.Lock()
		for _, l := range h.groups {
			l.pass(nowMillis() - l.time)
			h.tell(l)
		}
		h.mu.Unlock()
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
		}
	}
}

func (h *fakeHost) Replicated(context.Context, flotilla.GroupID, uint64, int) int { return 0 }
func (h *fakeHost) Topology() *flotilla.Topology                                  { return h.topology.Load() }
func (h *fakeHost) Self() flotilla.NodeID                                         { return 1 }
func (h *fakeHost) Broadcast(flotilla.System, []byte)                             {}
func (h *fakeHost) Subscribe(_ flotilla.System, deliver func(flotilla.Event)) (cancel func()) {
	h.set(func() { h.deliver = deliver })
	return func() { h.set(func() { h.deliver = nil }) }
}
func (h *fakeHost) Listen(flotilla.System, func(flotilla.NodeID, []byte)) (cancel func()) {
	return func() {}
}

// withClient runs a test in a bubble of its own time, with a client of three groups.
func withClient(t *testing.T, test func(t *testing.T, ctx context.Context, h *fakeHost, c *Client)) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		h := newFakeHost(3)
		c := NewClient(h)
		var all sync.WaitGroup
		all.Go(func() { h.run(ctx) })
		all.Go(func() { c.Run(ctx) })
		test(t, ctx, h, c)
		cancel()
		all.Wait()
		c.Close()
		if len(c.waiting) > 0 {
			t.Errorf("somebody still waits: %v", c.waiting)
		}
	})
}

func (c *Client) mustSend(t *testing.T, ctx context.Context, name, text string, delay int64) {
	t.Helper()
	var sent Sent
	err := c.Do(ctx, name, &SendMessageBatch{QueueName: name, Entries: []SendEntry{{MessageBody: []byte(text), DelaySeconds: delay}}}, &sent)
	if err != nil || sent.Entries[0].Err.Code != "" {
		t.Fatalf("send: %v %v", err, sent)
	}
}

func one(name string) ReceiveMessage {
	return ReceiveMessage{QueueName: name, MaxNumberOfMessages: 1, VisibilityTimeout: 1000}
}

// TestLongPollsWakeAtOnce lines up workers, sends fewer messages than there are, and
// looks who got one, when, and how often the log was asked.
func TestLongPollsWakeAtOnce(t *testing.T) {
	withClient(t, func(t *testing.T, ctx context.Context, h *fakeHost, c *Client) {
		if err := c.CreateQueue(ctx, CreateQueue{QueueName: "q"}); err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		var mu sync.Mutex
		var waits []time.Duration
		empty := 0
		var workers sync.WaitGroup
		for range 20 {
			workers.Go(func() {
				reply, err := c.ReceiveMessage(ctx, one("q"), 4*time.Second)
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					t.Error(err)
				}
				if len(reply.Messages) == 0 {
					empty++
				} else {
					waits = append(waits, time.Since(begin))
				}
			})
		}
		synctest.Wait()
		before := 0
		h.set(func() { before = h.writes })
		pause(time.Second)
		batch := &SendMessageBatch{QueueName: "q", Entries: slices.Repeat([]SendEntry{{MessageBody: []byte("now")}}, 5)}
		if err := c.Do(ctx, "q", batch, &Sent{}); err != nil { // one event for all five
			t.Fatal(err)
		}
		c.mustSend(t, ctx, "q", "later", 2)
		workers.Wait()
		if len(waits) != 6 || empty != 14 {
			t.Fatalf("%d received a message and %d none", len(waits), empty)
		}
		slices.Sort(waits)
		if waits[4] != time.Second || waits[5] < 3*time.Second || waits[5] > 3*time.Second+20*time.Millisecond {
			t.Errorf("they waited %v", waits)
		}
		if asked := h.writes - before - 2; asked > 6+6+14 {
			t.Errorf("receives were asked for %d times", asked)
		}
	})
}

func TestReceivesWaitAsLongAsTheQueueSays(t *testing.T) {
	withClient(t, func(t *testing.T, ctx context.Context, h *fakeHost, c *Client) {
		_ = c.CreateQueue(ctx, CreateQueue{QueueName: "q", Attributes: []Pair{{"ReceiveMessageWaitTimeSeconds", "7"}}})
		for wait, want := range map[time.Duration]time.Duration{-1: 7 * time.Second, 0: 0, time.Second: time.Second} {
			begin := time.Now()
			if reply, err := c.ReceiveMessage(ctx, one("q"), wait); err != nil || len(reply.Messages) > 0 || time.Since(begin) != want {
				t.Errorf("wait %v: %v, %d messages after %v", wait, err, len(reply.Messages), time.Since(begin))
			}
		}
		gone, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		begin := time.Now()
		if _, err := c.ReceiveMessage(gone, one("q"), time.Minute); err != nil || time.Since(begin) != time.Second {
			t.Errorf("one who went: %v after %v", err, time.Since(begin))
		}
		h.set(func() { h.isDeaf = true }) // no event reaches the node
		var got Received
		var worker sync.WaitGroup
		worker.Go(func() { got, _ = c.ReceiveMessage(ctx, one("q"), 20*time.Second) })
		synctest.Wait()
		c.mustSend(t, ctx, "q", "x", 0)
		worker.Wait()
		if len(got.Messages) != 1 {
			t.Error("without events, nothing was received")
		}
		worker.Go(func() {
			pause(time.Second)
			h.set(func() { h.isDeaf = false })
			_ = c.Do(ctx, "q", &DeleteQueue{QueueName: "q"}, &Done{})
		})
		if _, err := c.ReceiveMessage(ctx, one("q"), 20*time.Second); !isCode(err, CodeQueueDoesNotExist) {
			t.Errorf("when the queue was deleted: %v", err)
		}
		worker.Wait()
	})
}

// TestDeadMessagesCrossGroups lets messages die into a queue of each other group, and
// moves them back.
func TestDeadMessagesCrossGroups(t *testing.T) {
	withClient(t, func(t *testing.T, ctx context.Context, _ *fakeHost, c *Client) {
		target := c.nameElsewhere("work", "dead")
		create := CreateQueue{QueueName: "work", Attributes: []Pair{{"RedrivePolicy", `{"deadLetterTargetArn":"` + target + `","maxReceiveCount":1}`}}}
		if err := c.CreateQueue(ctx, create); !isCode(err, CodeInvalidParameterValue) {
			t.Errorf("without a queue for dead messages: %v", err)
		}
		if err := c.CreateQueue(ctx, CreateQueue{QueueName: target, Attributes: []Pair{{"RedriveAllowPolicy", `{"redrivePermission":"denyAll"}`}}}); err != nil {
			t.Fatal(err)
		}
		if err := c.CreateQueue(ctx, create); !isCode(err, CodeInvalidParameterValue) {
			t.Errorf("with one that denies: %v", err)
		}
		_ = c.SetQueueAttributes(ctx, SetQueueAttributes{QueueName: target, Attributes: []Pair{{"RedriveAllowPolicy", ""}}})
		if err := c.CreateQueue(ctx, create); err != nil {
			t.Fatal(err)
		}
		for i := range 30 {
			c.mustSend(t, ctx, "work", fmt.Sprint(i), 0)
			receive := one("work")
			receive.VisibilityTimeout = 1
			if _, err := c.ReceiveMessage(ctx, receive, 0); err != nil {
				t.Fatal(err)
			}
		}
		c.expect(t, ctx, target, 30)
		sources, err := c.ListDeadLetterSourceQueues(ctx, ListDeadLetterSourceQueues{QueueName: target, MaxResults: 10})
		if err != nil || !slices.Equal(sources.Names, []string{"work"}) {
			t.Errorf("the sources are %v, %v", sources.Names, err)
		}
		if _, err := c.StartMessageMoveTask(ctx, StartMessageMoveTask{SourceQueue: target}); err != nil {
			t.Fatal(err)
		}
		c.expect(t, ctx, "work", 30)
		if _, err := c.StartMessageMoveTask(ctx, StartMessageMoveTask{SourceQueue: "work", DestinationQueue: target}); err != nil {
			t.Fatal(err)
		}
		c.expect(t, ctx, target, 30)
	})
}

// nameElsewhere returns a name that begins and ends as said, of a queue of another group.
func (c *Client) nameElsewhere(queueName, prefix string, suffix ...string) string {
	for i := 0; ; i++ {
		if name := fmt.Sprint(prefix, i) + strings.Join(suffix, ""); c.GroupOf(name) != c.GroupOf(queueName) {
			return name
		}
	}
}

// TestMoveTasksStayWithinAType, wherever the destination is.
func TestMoveTasksStayWithinAType(t *testing.T) {
	withClient(t, func(t *testing.T, ctx context.Context, _ *fakeHost, c *Client) {
		plain, fifo := c.nameElsewhere("work.fifo", "plain"), c.nameElsewhere("work", "other", ".fifo")
		fifoOnly := []string{"FifoQueue", "true"}
		c.mustCreate(t, ctx, "work")
		c.mustCreate(t, ctx, plain)
		c.mustCreate(t, ctx, "work.fifo", fifoOnly...)
		c.mustCreate(t, ctx, fifo, fifoOnly...)
		for from, to := range map[string]string{"work": fifo, "work.fifo": plain} {
			_, err := c.StartMessageMoveTask(ctx, StartMessageMoveTask{SourceQueue: from, DestinationQueue: to})
			if !isCode(err, CodeInvalidParameterValue) || !strings.Contains(err.Error(), "It must be a queue of the same type.") {
				t.Errorf("from %s to %s: %v", from, to, err)
			}
		}
	})
}

// TestQueuesForDeadMessagesThatDenyAreToldFromMissingOnes, in whichever group they are, and what
// the machine checks before stays first.
func TestQueuesForDeadMessagesThatDenyAreToldFromMissingOnes(t *testing.T) {
	withClient(t, func(t *testing.T, ctx context.Context, _ *fakeHost, c *Client) {
		far, near := c.nameElsewhere("work", "far"), ""
		for i := 0; near == ""; i++ {
			if name := fmt.Sprint("near", i); c.GroupOf(name) == c.GroupOf("work") {
				near = name
			}
		}
		policy := func(target string) []Pair {
			return []Pair{{"RedrivePolicy", `{"deadLetterTargetArn":"` + target + `","maxReceiveCount":1}`}}
		}
		expect := func(what, reason string, err error) {
			t.Helper()
			if !isCode(err, CodeInvalidParameterValue) || !strings.HasSuffix(err.Error(), " for parameter RedrivePolicy is invalid. Reason: "+reason) {
				t.Errorf("%s: %v", what, err)
			}
		}
		for _, target := range []string{near, far} {
			create := CreateQueue{QueueName: "work", Attributes: policy(target)}
			expect(target+" is missing", "Dead letter target does not exist.", c.CreateQueue(ctx, create))
			c.mustCreate(t, ctx, target, "RedriveAllowPolicy", `{"redrivePermission":"denyAll"}`)
			expect(target+" denies", "Dead letter target does not allow this queue.", c.CreateQueue(ctx, create))
			_ = c.SetQueueAttributes(ctx, SetQueueAttributes{QueueName: target, Attributes: []Pair{{"RedriveAllowPolicy", ""}}})
			if err := c.CreateQueue(ctx, create); err != nil {
				t.Error(err)
			}
			_ = c.SetQueueAttributes(ctx, SetQueueAttributes{QueueName: target, Attributes: []Pair{{"RedriveAllowPolicy", `{"redrivePermission":"denyAll"}`}}})
			if err := c.CreateQueue(ctx, create); err != nil {
				t.Errorf("a queue that is there, with %s: %v", target, err)
			}
			set := SetQueueAttributes{QueueName: "work", Attributes: policy(target)}
			expect(target+" denies", "Dead letter target does not allow this queue.", c.SetQueueAttributes(ctx, set))
			set.QueueName = "none"
			if err := c.SetQueueAttributes(ctx, set); !isCode(err, CodeQueueDoesNotExist) {
				t.Errorf("of a queue that is not there: %v", err)
			}
			if err := c.Do(ctx, "work", &DeleteQueue{QueueName: "work"}, &Done{}); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// expect waits until a queue has so many messages, all ready.
func (c *Client) expect(t *testing.T, ctx context.Context, name string, ready uint64) {
	t.Helper()
	pause(10 * time.Second)
	about, err := c.find(ctx, name)
	if err != nil || about == nil || about.Counters.Ready != ready {
		t.Fatalf("%s: %v, %+v", name, err, about)
	}
}

func TestQueuesOfAllGroupsAreListed(t *testing.T) {
	withClient(t, func(t *testing.T, ctx context.Context, h *fakeHost, c *Client) {
		for i := range 12 {
			_ = c.CreateQueue(ctx, CreateQueue{QueueName: fmt.Sprintf("q%02d", i)})
		}
		first, err := c.ListQueues(ctx, ListQueues{QueueNamePrefix: "q", MaxResults: 8})
		second, _ := c.ListQueues(ctx, ListQueues{QueueNamePrefix: "q", After: "q07", MaxResults: 8})
		all := append(first.Names, second.Names...)
		if err != nil || !first.HasMore || second.HasMore || len(all) != 12 || !slices.IsSorted(all) {
			t.Errorf("listed %v, then %v: %v", first, second, err)
		}
		h.set(func() { h.fail = flotilla.Refused(flotilla.NoQuorum, "test") })
		if _, err := c.ListQueues(ctx, ListQueues{MaxResults: 8}); !errors.Is(err, flotilla.ErrRefused) {
			t.Errorf("without a majority: %v", err)
		}
		if _, err := c.ReceiveMessage(ctx, one("q01"), time.Minute); !errors.Is(err, flotilla.ErrRefused) {
			t.Errorf("without a majority: %v", err)
		}
		h.topology.Store(&flotilla.Topology{})
		if err := c.CreateQueue(ctx, CreateQueue{QueueName: "q"}); !errors.Is(err, flotilla.ErrRefused) {
			t.Errorf("without groups: %v", err)
		}
	})
}

package queue

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"flotilla"
)

// tale is what a client knows of a job, its kinds in the order in which they were noted.
func (c *Client) tale(id string) (all []Happening, kinds string) {
	var spots []Spot
	for range 2 { // the first time by id, which tells where it was
		all, kinds = c.Life(id, spots), ""
		for _, h := range all {
			kinds += " " + h.Kind.String()
			if h.Code != "" {
				kinds += "!" + h.Code
			}
			if h.Gen != 0 {
				spots = append(spots, Spot{h.Queue, h.Gen, h.Place})
			}
		}
	}
	return all, strings.TrimSpace(kinds)
}

func (c *Client) sendOne(t *testing.T, ctx context.Context, name, text string) (id string) {
	t.Helper()
	sent, err := c.SendMessageBatch(ctx, SendMessageBatch{QueueName: name, Entries: []SendEntry{{MessageBody: []byte(text), DelaySeconds: -1}}})
	if err != nil || sent.Entries[0].Err.Code != "" {
		t.Fatalf("send: %v %v", err, sent)
	}
	return sent.Entries[0].MessageID
}

func (c *Client) takeOne(t *testing.T, ctx context.Context, name string, seconds int64) Message {
	t.Helper()
	got, err := c.ReceiveMessage(ctx, ReceiveMessage{QueueName: name, MaxNumberOfMessages: 1, VisibilityTimeout: seconds}, time.Second)
	if err != nil || len(got.Messages) != 1 {
		t.Fatalf("receive: %v %v", err, got)
	}
	return got.Messages[0]
}

// TestLifeTellsWhatHappened follows jobs of a queue, spread and not, until each way in which
// one can end.
func TestLifeTellsWhatHappened(t *testing.T) {
	for _, partitions := range []string{"1", "3"} {
		withClient(t, func(t *testing.T, ctx context.Context, _ *fakeHost, c *Client) {
			must := func(err error) {
				t.Helper()
				if err != nil {
					t.Fatal(err)
				}
			}
			must(c.CreateQueue(ctx, CreateQueue{QueueName: "graves", Attributes: []Pair{{"Partitions", partitions}}}))
			must(c.CreateQueue(ctx, CreateQueue{QueueName: "q", Attributes: []Pair{{"Partitions", partitions}, {"ResultRetentionPeriod", "60"}, {"MessageRetentionPeriod", "3600"},
				{"RedrivePolicy", `{"deadLetterTargetArn": "graves", "maxReceiveCount": 2}`}}}))
			ctx = WithCaller(ctx, Caller{Address: "10.0.0.7:4711", Key: "alice"})
			expect := func(id, want string) []Happening {
				t.Helper()
				all, kinds := c.tale(id)
				if kinds != want {
					t.Errorf("with %s partitions: %s, not %s: %+v", partitions, kinds, want, all)
				}
				return all
			}

			done := c.sendOne(t, ctx, "q", "secret body")
			m := c.takeOne(t, ctx, "q", 20)
			change := ChangeMessageVisibilityBatch{QueueName: "q", Entries: []VisibilityEntry{{ReceiptHandle: m.ReceiptHandle, VisibilityTimeout: 60}}}
			_, err := c.ChangeMessageVisibilityBatch(ctx, change)
			must(err)
			must(c.Do(ctx, "q", &ReportProgress{QueueName: "q", ReceiptHandle: m.ReceiptHandle, Progress: []byte("half")}, &Done{}))
			finish := DeleteMessageBatch{QueueName: "q", Entries: []DeleteEntry{{ReceiptHandle: m.ReceiptHandle, TellsLost: true}}}
			for range 2 {
				_, err = c.DeleteMessageBatch(ctx, finish)
				must(err)
			}
			steps := expect(done, "sent leased extended progressed finished finished!MessageGone")
			if lease := steps[1]; lease.Token != m.Token || lease.Until != m.VisibleAt || lease.By.Key != "alice" || lease.By.Address != "10.0.0.7:4711" || lease.Queue != "q" {
				t.Errorf("the lease is %+v", lease)
			}
			if strings.Contains(fmt.Sprintf("%+v", steps), "secret") {
				t.Error("a body is in it")
			}

			dies(t, ctx, c)
			waits(t, ctx, c)

			old := c.sendOne(t, ctx, "q", "slow")
			pause(3601 * time.Second)
			expect(old, "sent expired")
			purged := c.sendOne(t, ctx, "q", "unloved")
			must(c.PurgeQueue(ctx, "q"))
			expect(purged, "sent purged")
			expect("01020304-0506-8708-890a-0b0c0d0e0f10", "")
			expect("nonsense", "")
		})
	}
}

// dies has a job be leased twice, and be buried.
func dies(t *testing.T, ctx context.Context, c *Client) {
	t.Helper()
	dead := c.sendOne(t, ctx, "q", "hard")
	c.takeOne(t, ctx, "q", 1)
	pause(2 * time.Second)
	m := c.takeOne(t, ctx, "q", 20)
	release := ChangeMessageVisibilityBatch{QueueName: "q", Entries: []VisibilityEntry{{ReceiptHandle: m.ReceiptHandle}}}
	if _, err := c.ChangeMessageVisibilityBatch(ctx, release); err != nil {
		t.Fatal(err)
	}
	pause(time.Second)
	m = c.takeOne(t, ctx, "graves", 20)
	finish := DeleteMessageBatch{QueueName: "graves", Entries: []DeleteEntry{{ReceiptHandle: m.ReceiptHandle, IsFailure: true}}}
	if _, err := c.DeleteMessageBatch(ctx, finish); err != nil {
		t.Fatal(err)
	}
	all, _ := c.tale(dead)
	slices.SortStableFunc(all, func(a, b Happening) int { return strings.Compare(a.Queue, b.Queue) })
	kinds := ""
	for _, h := range all {
		kinds += " " + h.Queue + ":" + h.Kind.String() + h.To
	}
	want := " graves:arrivedq graves:leased graves:failed q:sent q:leased q:lapsed q:leased q:deadgraves q:released"
	if m.MessageID != dead || kinds != want { // the machine tells before its reply is there
		t.Errorf("%s, not %s", kinds, want)
	}
}

// waits has a job be given back for later.
func waits(t *testing.T, ctx context.Context, c *Client) {
	t.Helper()
	id := c.sendOne(t, ctx, "q", "later")
	m := c.takeOne(t, ctx, "q", 20)
	release := ChangeMessageVisibilityBatch{QueueName: "q", Entries: []VisibilityEntry{{ReceiptHandle: m.ReceiptHandle}}, RetryDelaySeconds: 30}
	if _, err := c.ChangeMessageVisibilityBatch(ctx, release); err != nil {
		t.Fatal(err)
	}
	all, kinds := c.tale(id)
	if kinds != "sent leased released" || int64(all[2].Until)-all[2].AtMicros/1000 != 30_000 {
		t.Errorf("%s: %+v", kinds, all)
	}
	if _, err := c.DeleteMessageBatch(ctx, DeleteMessageBatch{QueueName: "q", Entries: []DeleteEntry{{ReceiptHandle: m.ReceiptHandle}}}); err != nil {
		t.Fatal(err)
	}
}

// TestLifeTellsOfMoves has a task take a message away.
func TestLifeTellsOfMoves(t *testing.T) {
	withClient(t, func(t *testing.T, ctx context.Context, _ *fakeHost, c *Client) {
		for _, name := range []string{"a", "b"} {
			if err := c.CreateQueue(ctx, CreateQueue{QueueName: name}); err != nil {
				t.Fatal(err)
			}
		}
		id := c.sendOne(t, ctx, "a", "x")
		if _, err := c.StartMessageMoveTask(ctx, StartMessageMoveTask{SourceQueue: "a", DestinationQueue: "b"}); err != nil {
			t.Fatal(err)
		}
		pause(time.Second)
		if all, kinds := c.tale(id); kinds != "sent moved" || all[1].To != "b" {
			t.Errorf("%s: %+v", kinds, all)
		}
		if m := c.takeOne(t, ctx, "b", 20); m.MessageID == id {
			t.Error("it has the id that it had")
		} else if all, kinds := c.tale(m.MessageID); kinds != "arrived leased" || all[0].Queue != "b" || all[0].To != "" {
			t.Errorf("%s: %+v", kinds, all)
		}
	})
}

// TestLifeIsBounded notes more than is kept.
func TestLifeIsBounded(t *testing.T) {
	withClient(t, func(t *testing.T, ctx context.Context, _ *fakeHost, c *Client) {
		for i := range maxHappenings + 3 {
			c.life.add(noted{at: int64(i)})
		}
		if all := c.life.all(); len(all) != maxHappenings || all[0].at != 3 || all[len(all)-1].at != maxHappenings+2 {
			t.Errorf("%d are kept, from %d to %d", len(all), all[0].at, all[len(all)-1].at)
		}
		long := strings.Repeat("k", 1000)
		c.note(WithCaller(ctx, Caller{Address: long, Key: long}), "q", &PurgeQueue{}, &Done{}, nil)
		c.note(ctx, long, &PurgeQueue{}, &Done{}, nil)
		all := c.life.all()
		if last := all[len(all)-1].unpack(); last.Queue != "q" || len(last.By.Key) != maxCallerBytes || len(last.By.Address) != maxCallerBytes {
			t.Errorf("%+v", last)
		}
	})
}

// TestTellingOfLivesChangesNothing compares the states of two machines, of which one tells nobody.
func TestTellingOfLivesChangesNothing(t *testing.T) {
	play := func(isDeaf bool) (uint64, string) {
		l := newLab()
		l.isDeaf = isDeaf
		l.create(t, "graves")
		l.create(t, "q", "RedrivePolicy", `{"deadLetterTargetArn": "graves", "maxReceiveCount": 1}`, "MessageRetentionPeriod", "60")
		for range 3 {
			l.send("q", "x")
		}
		l.receive("q", 1)
		l.pass(61_000)
		return l.state.digest(), strings.Join(l.events, ", ")
	}
	loud, events := play(false)
	if deaf, none := play(true); deaf != loud || strings.Count(events, "life q") != 4 || strings.Count(events, "life graves") != 1 || none != "" {
		t.Errorf("the states differ: %v; told: %s, and with nobody listening: %s", deaf != loud, events, none)
	}
}

// TestIDsArePacked and unpacked as they were.
func TestIDsArePacked(t *testing.T) {
	q := &queue{queueRecord: queueRecord{secret: []byte(strings.Repeat("s", 32))}}
	id := q.messageID(77)
	if packed, ok := packID(id); !ok || unpackID(packed) != id {
		t.Errorf("%s became %s", id, unpackID(packed))
	}
	for _, bad := range []string{"", "x", strings.Repeat("0", 36), "0000000g-0000-8000-8000-000000000000"} {
		if _, ok := packID(bad); ok {
			t.Errorf("%q is taken for an id", bad)
		}
	}
}

// FuzzSpot reads receipts that may be anything.
func FuzzSpot(f *testing.F) {
	f.Add("")
	f.Add(strings.Repeat("A", 54))
	f.Add(strings.Repeat("_", 55))
	f.Add(strings.Repeat("0", 54)) // a number that no message has
	f.Fuzz(func(t *testing.T, text string) {
		if s, _, ok := parseSpot(text); ok && s.place>>numberBits != 0 && len(text) < 55 {
			t.Errorf("%q: %+v", text, s)
		}
	})
}

// TestDepthsAreOfAllGroups asks for the queues of groups that others lead, of which one
// does not answer.
func TestDepthsAreOfAllGroups(t *testing.T) {
	withClient(t, func(t *testing.T, ctx context.Context, h *fakeHost, c *Client) {
		if err := c.CreateQueue(ctx, CreateQueue{QueueName: "wide", Attributes: []Pair{{"Partitions", "3"}}}); err != nil {
			t.Fatal(err)
		}
		for i := range 9 {
			if err := c.CreateQueue(ctx, CreateQueue{QueueName: fmt.Sprintf("q%d", i)}); err != nil {
				t.Fatal(err)
			}
			c.mustSend(t, ctx, "wide", "x", 0)
		}
		topology := *h.topology.Load()
		topology.Groups = slices.Clone(topology.Groups)
		for i := range topology.Groups {
			topology.Groups[i].Leader = 2
		}
		h.topology.Store(&topology)
		all, failed := c.Depths(ctx, 100)
		if len(all.Queues) != 10 || len(failed) != 0 || all.Queues[9].QueueName != "wide" || all.Queues[9].Counters.Ready != 9 || all.Queues[9].Group != c.GroupOf("wide") {
			t.Errorf("%+v, %v", all, failed)
		}
		h.set(func() {
			h.judge = func(call *flotilla.Call) (bool, error) {
				if call.Group == 2 {
					return false, flotilla.Refused(flotilla.NoQuorum, "")
				}
				return true, nil
			}
		})
		if all, failed = c.Depths(ctx, 1); len(failed) != 1 || failed[2] == nil || !all.HasMore {
			t.Errorf("%+v, %v", all, failed)
		}
	})
}

// BenchmarkNote notes a batch of ten leases, and one alone, of which a request needs one to be noted.
func BenchmarkNote(b *testing.B) {
	q := &queue{queueRecord: queueRecord{secret: []byte(strings.Repeat("s", 32))}}
	for _, batch := range []int{1, 10} {
		var messages []Message
		for i := range uint64(batch) {
			messages = append(messages, Message{MessageID: q.messageID(i), ReceiptHandle: q.handle(i, 9), Token: 9})
		}
		c := &Client{life: &life{}}
		ctx := WithCaller(context.Background(), Caller{Address: "10.0.0.7:4711", Key: "alice"})
		b.Run(fmt.Sprintf("batch=%d", batch), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				c.noteReceived(ctx, "mail", messages)
			}
		})
	}
}

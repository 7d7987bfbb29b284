package queue

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"flotilla"
)

// pumps are several nodes that carry one group's outbox to another: what each read,
// was told and has to say may be old, lost, or said twice.
type pumps struct {
	r          *rand.Rand
	from, to   *lab
	read       []OutboxParcel
	delivered  []SettleOutbox
	deliveries int
}

// step does one thing that a pump may do at any time. What was done before may be
// done again, as long as its pump has not settled it.
func (p *pumps) step() {
	switch p.r.IntN(3) {
	case 0:
		reply, _ := ask[Outbox](p.from, &ReadOutbox{})
		p.read = append(p.read, reply.Parcels...)
	case 1:
		if len(p.read) == 0 {
			return
		}
		parcel := p.read[p.r.IntN(len(p.read))]
		reply, code := do[Delivered](p.to, &Deliver{From: 7, Parcel: parcel})
		if code != "" {
			return
		}
		p.deliveries++
		p.delivered = append(p.delivered, SettleOutbox{parcel.Target, reply.Through, reply.IsRefused})
	case 2:
		if len(p.delivered) == 0 {
			return
		}
		i := p.r.IntN(len(p.delivered))
		do[Done](p.from, &p.delivered[i])
		if p.r.IntN(2) == 0 {
			p.delivered = slices.Delete(p.delivered, i, i+1)
		}
	}
}

// TestMovesBetweenGroupsHappenOnce lets messages die into a queue of another group
// that is created late. Each ends up in exactly one place.
func TestMovesBetweenGroupsHappenOnce(t *testing.T) {
	deliveries := 0
	for seed := range uint64(30) {
		p := &pumps{r: rand.New(rand.NewPCG(seed, 1)), from: newLab(), to: newLab()}
		policy := []Pair{{"RedrivePolicy", `{"deadLetterTargetArn":"dead","maxReceiveCount":1}`}}
		do[Done](p.from, &CreateQueue{QueueName: "q", Attributes: policy, Secret: []byte(strings.Repeat("s", 32)), IsDeadTargetElsewhere: true})
		const all = 60
		sent := map[string]bool{}
		for i := range all {
			sent[p.from.send("q", fmt.Sprint(i)).MessageID] = true
		}
		for step := range 1500 {
			if step == 700 {
				p.to.create(t, "dead")
			}
			if p.r.IntN(5) == 0 {
				for _, m := range p.from.receive("q", 1+p.r.Int64N(5)) {
					p.from.change("q", m.ReceiptHandle, 0)
				}
			}
			if p.r.IntN(100) == 0 {
				do[Done](p.from, &SetQueueAttributes{QueueName: "q", Attributes: policy, IsDeadTargetElsewhere: true})
			}
			p.step()
		}
		carry(t, p.from, p.to) // a last pump, without faults
		found := map[string]int{}
		for name, l := range map[string]*lab{"q": p.from, "dead": p.to} {
			peeked, _ := ask[Peeked](l, &PeekMessages{QueueName: name, MaxNumberOfMessages: 1000})
			for _, m := range peeked.Messages {
				found[m.Message.MessageID]++
			}
			if err := l.verify(); err != nil {
				t.Fatal(err)
			}
		}
		for id := range sent {
			if found[id] != 1 {
				t.Fatalf("seed %d: message %s is there %d times", seed, id, found[id])
			}
		}
		deliveries += p.deliveries
	}
	if deliveries < 300 {
		t.Errorf("only %d deliveries", deliveries)
	}
}

// TestWhatHasNoTargetComesBack lets a message die into a queue that is gone.
func TestWhatHasNoTargetComesBack(t *testing.T) {
	from, to := newLab(), newLab()
	do[Done](from, &CreateQueue{QueueName: "q", Secret: make([]byte, 32), IsDeadTargetElsewhere: true,
		Attributes: []Pair{{"RedrivePolicy", `{"deadLetterTargetArn":"gone","maxReceiveCount":1}`}}})
	sent := from.send("q", "x")
	from.change("q", from.receive("q", 1)[0].ReceiptHandle, 0)
	box, _ := ask[Outbox](from, &ReadOutbox{})
	if from.counts("q") != "0 0 0" || len(box.Parcels) != 1 {
		t.Fatalf("%s, %d parcels", from.counts("q"), len(box.Parcels))
	}
	for range 2 {
		reply, _ := do[Delivered](to, &Deliver{From: 1, Parcel: box.Parcels[0]})
		do[Done](from, &SettleOutbox{"gone", reply.Through, reply.IsRefused})
	}
	m := from.receive("q", 1)
	if len(m) != 1 || m[0].MessageID != sent.MessageID || m[0].ApproximateReceiveCount != 2 {
		t.Errorf("received %+v", m)
	}
	to.create(t, "gone")
	from.pass(deadAgainSeconds * 1000)
	from.receive("q", 1) // which is given nothing: it is tried again
	box, _ = ask[Outbox](from, &ReadOutbox{})
	do[Delivered](to, &Deliver{From: 1, Parcel: box.Parcels[0]})
	dead := to.receive("gone", 1)
	if len(dead) != 1 || dead[0].ApproximateReceiveCount != 3 || dead[0].ApproximateFirstReceiveTimestamp != m[0].ApproximateFirstReceiveTimestamp {
		t.Errorf("received %+v, dead", dead)
	}
	late := box.Parcels[0]
	late.First = 5
	if _, code := do[Delivered](to, &Deliver{From: 1, Parcel: late}); code != CodeInternal {
		t.Errorf("a delivery with a gap: %q", code)
	}
}

// carry settles all that is in one machine's outbox with another machine.
func carry(t *testing.T, from, to *lab) {
	t.Helper()
	for range 100 {
		box, _ := ask[Outbox](from, &ReadOutbox{})
		if len(box.Parcels) == 0 {
			return
		}
		for _, parcel := range box.Parcels {
			reply, code := do[Delivered](to, &Deliver{From: 7, Parcel: parcel})
			if code != "" {
				t.Fatal(code)
			}
			do[Done](from, &SettleOutbox{parcel.Target, reply.Through, reply.IsRefused})
		}
	}
	t.Fatal("the outbox does not become empty")
}

// TestAMissingQueueForDeadMessagesIsTriedAgain, but not by every receive; the policy, if it
// is set anew, is tried at once.
func TestAMissingQueueForDeadMessagesIsTriedAgain(t *testing.T) {
	from, to := newLab(), newLab()
	policy := []Pair{{"RedrivePolicy", `{"deadLetterTargetArn":"late","maxReceiveCount":1}`}}
	do[Done](from, &CreateQueue{QueueName: "q", Secret: make([]byte, 32), IsDeadTargetElsewhere: true, Attributes: policy})
	from.send("q", "x")
	fail := func() (received int) {
		t.Helper()
		messages := from.receive("q", 1)
		for _, m := range messages {
			from.change("q", m.ReceiptHandle, 0)
		}
		carry(t, from, to)
		from.check(t)
		return len(messages)
	}
	if fail(); from.counts("q") != "1 0 0" {
		t.Fatalf("of a queue that is missing, it came back as %s", from.counts("q"))
	}
	to.create(t, "late")
	from.pass(deadAgainSeconds*1000 - 1)
	if n := fail(); n != 1 || from.counts("q") != "1 0 0" {
		t.Errorf("before it is tried again: %d received, %s", n, from.counts("q"))
	}
	from.pass(1)
	if n := fail(); n != 0 || from.counts("q") != "0 0 0" || to.counts("late") != "1 0 0" {
		t.Errorf("then: %d received, %s, %s", n, from.counts("q"), to.counts("late"))
	}

	do[Done](to, &DeleteQueue{QueueName: "late"})
	from.send("q", "y")
	fail()
	to.create(t, "late")
	do[Done](from, &SetQueueAttributes{QueueName: "q", Attributes: policy, IsDeadTargetElsewhere: true})
	if fail(); to.counts("late") != "1 0 0" {
		t.Errorf("after the policy was set anew: %s, %s", from.counts("q"), to.counts("late"))
	}
}

// TestMoveTasksFailIfNobodyTakesTheirMessages: what came back was not moved, whether the task
// goes on just then, has ended, or was cancelled, and wherever its messages should have gone.
func TestMoveTasksFailIfNobodyTakesTheirMessages(t *testing.T) {
	for _, test := range []struct {
		name, destination string
		rate              int64
		isCancelled       bool
		want              MoveTask
	}{
		{"ended", "gone", 0, false, MoveTask{Status: MoveFailed, FailureReason: reasonNoQueue}},
		{"running", "gone", 5, false, MoveTask{Status: MoveFailed, FailureReason: reasonNoQueue}},
		{"cancelled", "gone", 5, true, MoveTask{Status: MoveStopped}},
		{"back to the source", "", 0, false, MoveTask{Status: MoveFailed, FailureReason: reasonNoQueue}},
	} {
		here, there := newLab(), newLab()
		here.create(t, "dead")
		for i := range 12 {
			m := body{id: fmt.Sprint(i), sent: here.time, deadSource: "gone", entry: SendEntry{MessageBody: []byte("x")}}
			parcel := OutboxParcel{Target: "dead", First: uint64(i + 1), Messages: [][]byte{encode(nil, &m)}}
			do[Delivered](here, &Deliver{From: 7, Parcel: parcel})
		}
		started, code := do[MoveStarted](here, &StartMessageMoveTask{SourceQueue: "dead", DestinationQueue: test.destination,
			MaxNumberOfMessagesPerSecond: test.rate, IsDestinationElsewhere: test.destination != ""})
		if code != "" {
			t.Fatal(test.name, code)
		}
		here.pass(100)
		if test.isCancelled {
			do[MoveCancelled](here, &CancelMessageMoveTask{SourceQueue: "dead", TaskHandle: started.TaskHandle})
		}
		carry(t, here, there)
		here.pass(5000)
		list, _ := ask[MoveTasks](here, &ListMessageMoveTasks{"dead"})
		got := list.Results[0]
		if got.Status != test.want.Status || got.FailureReason != test.want.FailureReason || got.ApproximateNumberOfMessagesMoved != 0 {
			t.Errorf("%s: %s (%s), %d moved", test.name, got.Status, got.FailureReason, got.ApproximateNumberOfMessagesMoved)
		}
		if here.counts("dead") != "12 0 0" {
			t.Errorf("%s: there are %s", test.name, here.counts("dead"))
		}
		if m := here.receive("dead", 1); len(m) != 1 || m[0].DeadLetterQueueSource != "gone" {
			t.Errorf("%s: received %+v", test.name, m)
		}
		here.check(t)
	}
}

// TestOnlyTheTaskThatMovedThemFails, not a newer one, nor because of other messages.
func TestOnlyTheTaskThatMovedThemFails(t *testing.T) {
	here, there := newLab(), newLab()
	do[Done](here, &CreateQueue{QueueName: "dead", Secret: make([]byte, 32), IsDeadTargetElsewhere: true,
		Attributes: []Pair{{"RedrivePolicy", `{"deadLetterTargetArn":"gone","maxReceiveCount":1}`}}})
	start := &StartMessageMoveTask{SourceQueue: "dead", DestinationQueue: "gone", IsDestinationElsewhere: true}
	here.send("dead", "first")
	do[MoveStarted](here, start)
	here.pass(100)
	do[MoveStarted](here, start) // it finds nothing to move
	here.pass(100)
	here.send("dead", "second")
	here.change("dead", here.receive("dead", 1)[0].ReceiptHandle, 0)
	carry(t, here, there)
	list, _ := ask[MoveTasks](here, &ListMessageMoveTasks{"dead"})
	newer, older := list.Results[0], list.Results[1]
	if newer.Status != MoveCompleted || older.Status != MoveFailed || older.ApproximateNumberOfMessagesMoved != 0 || here.counts("dead") != "2 0 0" {
		t.Errorf("the tasks are %+v, there are %s", list.Results, here.counts("dead"))
	}
	old := posted{gen: 5, message: []byte("x")}
	var got posted
	if mustDecode(encode(nil, &old), &got); got.gen != 5 || got.task != 0 {
		t.Errorf("of no task: %+v", got)
	}
}

// TestHeadersOfAllAgesAreRead: what was added last may be missing.
func TestHeadersOfAllAgesAreRead(t *testing.T) {
	for _, groups := range []uint64{0, 3} {
		for _, again := range []flotilla.Millis{0, 1_700_000_000_000} {
			want := header{name: "q", nextNumber: 7, nextGroup: groups, groupsHeight: groups, deadAgainAt: again}
			var got header
			mustDecode(encode(nil, &want), &got)
			if got != want {
				t.Errorf("%+v became %+v", want, got)
			}
		}
	}
	old := header{name: "q"}
	short := len(encode(nil, &old))
	old.nextGroup = 3
	if long := len(encode(nil, &old)); long != short+2 {
		t.Errorf("without a time to try again, a header has %d and %d bytes", short, long)
	}
}

// newLabWithDead has a queue q whose messages go to dead after one receive.
func newLabWithDead(t *testing.T) *lab {
	l := newLab()
	l.create(t, "dead")
	l.create(t, "q", "RedrivePolicy", `{"deadLetterTargetArn":"dead","maxReceiveCount":1}`)
	return l
}

func TestMoveTasksMoveWhatIsReady(t *testing.T) {
	l := newLabWithDead(t)
	for range 25 {
		l.send("q", "x")
		l.change("q", l.receive("q", 1)[0].ReceiptHandle, 0)
	}
	if l.counts("dead") != "25 0 0" {
		t.Fatal(l.counts("dead"))
	}
	held := l.receive("dead", 1)
	start := &StartMessageMoveTask{SourceQueue: "dead", MaxNumberOfMessagesPerSecond: 5}
	task, code := do[MoveStarted](l, start)
	if _, second := do[MoveStarted](l, start); code != "" || second != CodeInvalidParameterValue {
		t.Errorf("start: %q, and again: %q", code, second)
	}
	l.pass(2500)
	if l.counts("q") != "15 0 0" {
		t.Errorf("after 2.5 s: %s", l.counts("q"))
	}
	cancelled, code := do[MoveCancelled](l, &CancelMessageMoveTask{SourceQueue: "dead", TaskHandle: task.TaskHandle})
	if code != "" || cancelled.ApproximateNumberOfMessagesMoved != 15 {
		t.Errorf("cancelled: %q, %+v", code, cancelled)
	}
	if _, code := do[MoveCancelled](l, &CancelMessageMoveTask{SourceQueue: "dead", TaskHandle: task.TaskHandle}); code != CodeResourceNotFound {
		t.Errorf("cancelled again: %q", code)
	}
	do[MoveStarted](l, &StartMessageMoveTask{SourceQueue: "dead"})
	l.pass(5000)
	if l.counts("q") != "24 0 0" || l.counts("dead") != "0 1 0" {
		t.Errorf("in the end: %s, %s", l.counts("q"), l.counts("dead"))
	}
	l.change("dead", held[0].ReceiptHandle, 0)
	list, _ := ask[MoveTasks](l, &ListMessageMoveTasks{"dead"})
	if len(list.Results) != 2 || list.Results[0].Status != MoveCompleted || list.Results[1].Status != MoveStopped ||
		list.Results[0].ApproximateNumberOfMessagesMoved != 9 {
		t.Errorf("the tasks are %+v", list.Results)
	}
	for c, want := range map[*StartMessageMoveTask]string{
		{SourceQueue: "no"}: CodeResourceNotFound, {SourceQueue: "dead", DestinationQueue: "no"}: CodeResourceNotFound,
		{SourceQueue: "dead", DestinationQueue: "dead"}:                              CodeInvalidParameterValue,
		{SourceQueue: "dead", MaxNumberOfMessagesPerSecond: MaxMovesPerSecond + 1}:   CodeInvalidParameterValue,
		{SourceQueue: "dead", DestinationQueue: "far", IsDestinationElsewhere: true}: "",
	} {
		if _, code := do[MoveStarted](l, c); code != want {
			t.Errorf("%+v: %q", *c, code)
		}
	}
	l.pass(1000)
	box, _ := ask[Outbox](l, &ReadOutbox{})
	if len(box.Parcels) != 1 || l.counts("dead") != "0 0 0" {
		t.Errorf("%d parcels, %s", len(box.Parcels), l.counts("dead"))
	}
	for range 2 * MaxMoveTasks {
		do[MoveStarted](l, &StartMessageMoveTask{SourceQueue: "dead"})
		l.pass(10)
	}
	if list, _ := ask[MoveTasks](l, &ListMessageMoveTasks{"dead"}); len(list.Results) != MaxMoveTasks {
		t.Errorf("%d tasks are remembered", len(list.Results))
	}
	if err := l.verify(); err != nil {
		t.Error(err)
	}
}

// TestMoveTasksKeepTheirRate starts a task right after another one was cancelled.
func TestMoveTasksKeepTheirRate(t *testing.T) {
	l := newLab()
	l.create(t, "from")
	l.create(t, "to")
	for range 30 {
		l.send("from", "x")
	}
	start := &StartMessageMoveTask{SourceQueue: "from", DestinationQueue: "to", MaxNumberOfMessagesPerSecond: 5}
	first, _ := do[MoveStarted](l, start)
	l.pass(500)
	do[MoveCancelled](l, &CancelMessageMoveTask{SourceQueue: "from", TaskHandle: first.TaskHandle})
	do[MoveStarted](l, start)
	l.pass(2500)
	if l.counts("to") != "20 0 0" {
		t.Errorf("5, and 15 in three steps, are not %s", l.counts("to"))
	}
}

// TestWhatComesBackWaitsBehindDelayed lets a message of a FIFO queue die into a queue that is
// gone, while a later one of its group is delayed. It waits behind that, and both can be received.
func TestWhatComesBackWaitsBehindDelayed(t *testing.T) {
	from, to := newLab(), newLab()
	do[Done](from, &CreateQueue{QueueName: "q.fifo", Secret: make([]byte, 32), IsDeadTargetElsewhere: true,
		Attributes: []Pair{{"FifoQueue", "true"}, {"DelaySeconds", "60"}, {"VisibilityTimeout", "10"},
			{"RedrivePolicy", `{"deadLetterTargetArn":"gone.fifo","maxReceiveCount":1}`}}})
	from.send("q.fifo", "first", inGroup("g", "1"))
	from.pass(60_000)
	first := from.receive("q.fifo", 1)
	from.send("q.fifo", "second", inGroup("g", "2"))
	from.pass(10_000)
	if len(first) != 1 {
		t.Fatalf("received %+v", first)
	}
	carry(t, from, to) // there is no such queue
	if err := from.verify(); err != nil || from.counts("q.fifo") != "0 0 2" {
		t.Fatalf("%v; %s", err, from.counts("q.fifo"))
	}
	from.pass(50_000)
	if got := bodies(from.receive("q.fifo", 10)); got != "second first" {
		t.Errorf("received %q", got)
	}
	if err := from.verify(); err != nil {
		t.Error(err)
	}
}

// TestOneTargetDoesNotHoldUpOthers: however much waits for a group that does not answer, what
// goes to others is read too.
func TestOneTargetDoesNotHoldUpOthers(t *testing.T) {
	from := newLab()
	for _, name := range []string{"a", "z"} {
		do[Done](from, &CreateQueue{QueueName: name, Secret: make([]byte, 32), IsDeadTargetElsewhere: true,
			Attributes: []Pair{{"RedrivePolicy", `{"deadLetterTargetArn":"` + name + `-dead","maxReceiveCount":1}`}}})
	}
	large := strings.Repeat("x", MaxMessageBytes)
	for range 6 {
		from.send("a", large)
		from.change("a", from.receive("a", 1)[0].ReceiptHandle, 0)
	}
	from.send("z", large)
	from.change("z", from.receive("z", 1)[0].ReceiptHandle, 0)
	box, _ := ask[Outbox](from, &ReadOutbox{})
	if len(box.Parcels) != 1 || len(box.Parcels[0].Messages) != 4 || !box.HasMore {
		t.Fatalf("%d parcels, more: %v", len(box.Parcels), box.HasMore)
	}
	box, _ = ask[Outbox](from, &ReadOutbox{After: box.Parcels[0].Target})
	if len(box.Parcels) != 1 || box.Parcels[0].Target != "z-dead" || len(box.Parcels[0].Messages) != 1 || box.HasMore {
		t.Errorf("behind it: %d parcels, more: %v", len(box.Parcels), box.HasMore)
	}
}

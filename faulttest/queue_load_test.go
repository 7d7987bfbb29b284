package faulttest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"flotilla/check"
	"flotilla/lab/labtest"
)

// queueLoad is producers and workers of some queues, and what they were told.
type queueLoad struct {
	t         *testing.T
	addresses []string
	recorder  *check.QueueRecorder
	names     atomic.Int64 // of clients: whoever takes a dead one's place has another one
	outcomes  [3]atomic.Int64
	producers sync.WaitGroup
	workers   sync.WaitGroup
	stop      context.CancelFunc

	mu    sync.Mutex // guards all below
	kills []context.CancelFunc
}

// clockSlack is granted to leases: all nodes are on this machine, and read the same clock.
const clockSlack = 100 // milliseconds

// jobRules are the queues of the load.
func jobRules() map[string]check.QueueRules {
	fifo := check.QueueRules{IsFIFO: true, Window: 300_000}
	return map[string]check.QueueRules{
		"plain": {}, "work": {DeadQueue: "dead", MaxReceives: 2}, "dead": {}, "strict": {IsStrict: true}, "orders.fifo": fifo, "spread": {},
	}
}

var jobQueues = []string{"dead", "orders.fifo", "plain", "spread", "strict", "work"}

// leaseSeconds is how long a worker has for what it received.
const leaseSeconds = 4

func newQueueLoad(t *testing.T, addresses []string) *queueLoad {
	t.Helper()
	began := time.Now()
	l := &queueLoad{t: t, addresses: addresses}
	l.recorder = check.NewQueueRecorder(func() int64 { return int64(time.Since(began)) }, func() (earliest, latest int64) {
		now := time.Now().UnixMilli()
		return now - clockSlack, now + clockSlack
	})
	attributes := map[string]map[string]string{
		"orders.fifo": {"FifoQueue": "true"},
		"strict":      {"Fencing": "strict"},
		"spread":      {"Partitions": "3"},
		"work":        {"RedrivePolicy": `{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:dead","maxReceiveCount":2}`},
	}
	c := newSQSClient(addresses, 0)
	for _, name := range jobQueues {
		labtest.Eventually(t, 30*time.Second, "to create "+name, func() bool {
			err := c.do(t.Context(), "CreateQueue", map[string]any{"QueueName": name, "Attributes": attributes[name]}, nil)
			if outcome, isNo := sqsOutcome(err); outcome == check.Known && isNo {
				t.Fatalf("create %s: %v", name, err)
			}
			return err == nil
		}, func() string { return "" })
	}
	return l
}

// start has so many produce, and as many work, until finish.
func (l *queueLoad) start(each int) {
	ctx, cancel := context.WithCancel(context.Background())
	l.stop = cancel
	l.kills = make([]context.CancelFunc, each)
	for i := range each {
		l.producers.Go(func() { l.produce(ctx, i) })
		l.workers.Go(func() {
			for ctx.Err() == nil { // whoever is killed is replaced
				life, kill := context.WithCancel(ctx)
				l.mu.Lock()
				l.kills[i] = kill
				l.mu.Unlock()
				l.work(life, i)
				kill()
			}
		})
	}
}

// killWorker ends a worker in the middle of whatever it does. It never comes back for its
// leases.
func (l *queueLoad) killWorker(i int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.kills[i]()
}

func (l *queueLoad) count(err error) {
	outcome, _ := sqsOutcome(err)
	l.outcomes[slices.Index([]check.Outcome{check.Known, check.Unknown, check.Refused}, outcome)].Add(1)
}

// idle waits, and reports whether there is still anything to do.
func idle(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

func millis(chance *rand.Rand, least, most int) time.Duration {
	return time.Duration(least+chance.IntN(most-least)) * time.Millisecond
}

// produce sends batches. What a FIFO queue may not have got is sent again.
func (l *queueLoad) produce(ctx context.Context, number int) {
	chance := rand.New(rand.NewPCG(uint64(number), 1))
	c, name := newSQSClient(l.addresses, number), int(l.names.Add(1))
	serial := 0
	var again []check.QueueOperation
	for idle(ctx, millis(chance, 50, 250)) {
		operations := again
		again = nil
		queue := jobQueues[chance.IntN(len(jobQueues))]
		if len(operations) == 0 {
			for range 1 + chance.IntN(5) {
				serial++
				o := check.QueueOperation{Kind: check.Send, Queue: queue, Body: fmt.Sprintf("p%d-%d", number, serial)}
				switch {
				case queue == "orders.fifo":
					o.Group, o.Duplicate = fmt.Sprintf("g%d-%d", number, chance.IntN(4)), o.Body
				case chance.IntN(10) == 0:
					o.Delay = int64(1+chance.IntN(3)) * 1000
				}
				operations = append(operations, o)
			}
		}
		var entries []sqsEntry
		for _, o := range operations {
			entries = append(entries, sqsEntry{MessageBody: o.Body, MessageGroupID: o.Group, Duplicate: o.Duplicate, DelaySeconds: int(o.Delay / 1000)})
		}
		asked := slices.Clone(operations)
		// A producer that is told to end waits for its last answer.
		for i, o := range l.batch(context.WithoutCancel(ctx), c, name, "SendMessageBatch", operations, entries) {
			if o.Outcome != check.Known && o.Duplicate != "" {
				again = append(again, asked[i])
			}
		}
	}
}

// late is a lease that its worker comes back for when it is over.
type late struct {
	queue, handle string
	at            time.Time
}

// work receives messages and deletes most of them. Some leases it extends, some it gives
// back, some it forgets, and to some it comes back too late.
func (l *queueLoad) work(ctx context.Context, number int) {
	name := int(l.names.Add(1))
	chance := rand.New(rand.NewPCG(uint64(name), 2))
	c := newSQSClient(l.addresses, number)
	var lates []late
	for idle(ctx, millis(chance, 1, 20)) {
		queue := jobQueues[chance.IntN(len(jobQueues))]
		o := l.receive(ctx, c, name, queue, leaseSeconds, chance.IntN(2))
		if o.Outcome != check.Known && !idle(ctx, 50*time.Millisecond) {
			return
		}
		var done, back, longer []string
		for _, d := range o.Deliveries {
			switch p := chance.IntN(100); {
			case p < 84:
				done = append(done, d.Handle)
			case p < 88:
				longer = append(longer, d.Handle)
			case p < 93:
				back = append(back, d.Handle)
			case p < 97:
				lates = append(lates, late{queue, d.Handle, time.Now().Add(leaseSeconds*time.Second + millis(chance, 0, 3000))})
			}
		}
		if !idle(ctx, millis(chance, 1, 30)) {
			return
		}
		l.change(ctx, c, name, queue, back, 0)
		l.change(ctx, c, name, queue, longer, 2*leaseSeconds)
		l.settle(ctx, c, name, queue, slices.Concat(done, longer))
		if len(lates) > 0 && time.Now().After(lates[0].at) {
			l.settle(ctx, c, name, lates[0].queue, []string{lates[0].handle})
			lates = lates[1:]
		}
	}
}

// settle deletes messages, and tries again until it has an answer, or dies.
func (l *queueLoad) settle(ctx context.Context, c *sqsClient, name int, queue string, handles []string) {
	for len(handles) > 0 {
		var operations []check.QueueOperation
		var entries []sqsEntry
		for _, h := range handles {
			operations = append(operations, check.QueueOperation{Kind: check.Settle, Queue: queue, Handle: h})
			entries = append(entries, sqsEntry{ReceiptHandle: h})
		}
		handles = nil
		for _, o := range l.batch(ctx, c, name, "DeleteMessageBatch", operations, entries) {
			if o.Outcome != check.Known {
				handles = append(handles, o.Handle)
			}
		}
		if len(handles) > 0 && !idle(ctx, 50*time.Millisecond) {
			return
		}
	}
}

func (l *queueLoad) change(ctx context.Context, c *sqsClient, name int, queue string, handles []string, seconds int) {
	if len(handles) == 0 {
		return
	}
	var operations []check.QueueOperation
	var entries []sqsEntry
	for _, h := range handles {
		operations = append(operations, check.QueueOperation{Kind: check.Change, Queue: queue, Handle: h, Visibility: int64(seconds) * 1000})
		entries = append(entries, sqsEntry{ReceiptHandle: h, VisibilityTimeout: &seconds})
	}
	l.batch(ctx, c, name, "ChangeMessageVisibilityBatch", operations, entries)
}

// drainWorkers is how many empty the queues at the end.
const drainWorkers = 8

// finish ends the load, empties all queues, and judges.
func (l *queueLoad) finish() {
	l.t.Helper()
	l.stop()
	l.producers.Wait()
	l.workers.Wait()
	ctx, cancel := context.WithTimeout(l.t.Context(), 5*time.Minute)
	defer cancel()
	var drains sync.WaitGroup
	var failed atomic.Pointer[error]
	for i := range drainWorkers {
		drains.Go(func() {
			if err := l.drain(ctx, i); err != nil {
				failed.Store(&err)
			}
		})
	}
	drains.Wait()
	if err := failed.Load(); err != nil {
		l.t.Errorf("the queues do not become empty: %v", *err)
	}
	history := l.recorder.History()
	began := time.Now()
	v := check.Queues(history, jobRules())
	l.t.Logf("%d operations, judged in %v; requests: %d answered, %d with unknown outcome, %d refused; %s", len(history), time.Since(began).Round(time.Millisecond),
		l.outcomes[0].Load(), l.outcomes[1].Load(), l.outcomes[2].Load(), tellJobs(history))
	if !v.OK() {
		l.t.Error(v.String())
	}
}

var errNotEmpty = errors.New("there is always something left")

// drain receives and deletes until all queues count nothing.
func (l *queueLoad) drain(ctx context.Context, number int) error {
	name, c := int(l.names.Add(1)), newSQSClient(l.addresses, number)
	for ctx.Err() == nil {
		isEmpty := true
		for _, queue := range jobQueues {
			for {
				o := l.receive(ctx, c, name, queue, 30, 0)
				if len(o.Deliveries) == 0 {
					break
				}
				var handles []string
				for _, d := range o.Deliveries {
					handles = append(handles, d.Handle)
				}
				l.settle(ctx, c, name, queue, handles)
			}
			total, err := l.left(ctx, c, name, queue)
			isEmpty = isEmpty && err == nil && total == 0
		}
		if isEmpty {
			return nil
		}
		idle(ctx, time.Second)
	}
	return errNotEmpty
}

// tellJobs counts what happened.
func tellJobs(history []check.QueueOperation) string {
	sent, given, again, dead, settled, no := 0, 0, 0, 0, 0, 0
	for _, o := range history {
		isDone := o.Outcome == check.Known && o.IsDone
		if isDone && o.Kind == check.Send {
			sent++
		}
		if isDone && o.Kind == check.Settle {
			settled++
		}
		if o.Outcome == check.Known && !o.IsDone {
			no++
		}
		for _, d := range o.Deliveries {
			given++
			if d.Count > 1 {
				again++
			}
			if d.DeadSource != "" {
				dead++
			}
		}
	}
	return fmt.Sprintf("%d messages accepted, %d given out, of these %d again and %d dead, %d deletes acknowledged, %d operations answered with no", sent, given, again, dead, settled, no)
}

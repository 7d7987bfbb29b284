package sim

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"flotilla"
	"flotilla/check"
	"flotilla/queue"
)

// queues are those of a run, and all that is written down of them. A plan whose load asks
// nothing of queues has none.
type queues struct {
	all      []simQueue
	rules    map[string]check.QueueRules
	recorder *check.QueueRecorder
	carriers []*client
	attempts int // of receives, numbered

	recurring recurring
}

// simQueue is one of a run's queues.
type simQueue struct {
	name  string
	rules check.QueueRules
	delay int64 // in seconds, of messages that do not say
	pairs []queue.Pair
	// isSlack says that workers hardly look at it, so that messages get old there.
	isSlack bool
	// hasGroups says that its messages are of message groups and of all priorities, though
	// it is no FIFO queue.
	hasGroups bool
}

// shortest is for how many seconds a queue keeps messages at least.
const shortest = 60

// deduplication is for how many milliseconds a deduplication id counts.
const deduplication = queue.DeduplicationSeconds * 1000

// newQueues decides on the queues: some of each kind, with dead letters that stay in the
// group, and such that have to go to another one if there is any.
func newQueues(w *world) *queues {
	q := &queues{rules: map[string]check.QueueRules{}}
	dead, deadFIFO := w.nameApart("work", "dead", "", true), w.nameApart("b.fifo", "dead", ".fifo", true)
	deadHere := w.nameApart("late", "late-dead", "", false)
	plain, fifo := check.QueueRules{HasPriority: true}, check.QueueRules{IsFIFO: true, Window: deduplication}
	isFIFO := []queue.Pair{{Name: "FifoQueue", Value: "true"}}
	q.add(simQueue{name: dead, rules: plain})
	q.add(simQueue{name: deadFIFO, rules: fifo, pairs: isFIFO})
	q.add(simQueue{name: deadHere, rules: plain})
	q.add(simQueue{name: "plain", rules: plain})
	q.add(simQueue{name: "strict", rules: check.QueueRules{IsStrict: true, HasPriority: true, MaxInFlight: 4}, pairs: []queue.Pair{{Name: "Fencing", Value: "strict"}, {Name: "MaxInFlight", Value: "4"}}})
	q.add(simQueue{name: "slow", rules: check.QueueRules{Rate: 3, HasPriority: true}, pairs: []queue.Pair{{Name: "RateLimit", Value: "3"}}})
	fair := check.QueueRules{GroupRate: 2, GroupMaxInFlight: 3}
	q.add(simQueue{name: "fair", rules: fair, hasGroups: true, pairs: []queue.Pair{{Name: "GroupRateLimit", Value: "2"}, {Name: "GroupMaxInFlight", Value: "3"}}})
	q.add(simQueue{name: "short", rules: check.QueueRules{Retention: shortest * 1000, HasPriority: true}, isSlack: true, pairs: []queue.Pair{{Name: "MessageRetentionPeriod", Value: strconv.Itoa(shortest)}}})
	q.add(simQueue{name: "work", rules: check.QueueRules{HasPriority: true, DeadQueue: dead, MaxReceives: 2}})
	q.add(simQueue{name: "late", rules: check.QueueRules{HasPriority: true, DeadQueue: deadHere, MaxReceives: 3}, delay: 2, pairs: []queue.Pair{{Name: "DelaySeconds", Value: "2"},
		{Name: "RetryBackoff", Value: "exponential"}, {Name: "RetryBackoffMaxSeconds", Value: "2"}, {Name: "RetryBackoffJitterPercent", Value: "50"}}})
	q.add(simQueue{name: "a.fifo", rules: fifo, pairs: append(slices.Clone(isFIFO), queue.Pair{Name: "ContentBasedDeduplication", Value: "true"})})
	partitions := queue.Pair{Name: "Partitions", Value: strconv.Itoa(w.plan.Groups)}
	q.add(simQueue{name: "spread", rules: check.QueueRules{}, pairs: []queue.Pair{partitions}})
	capped := fifo
	capped.GroupMaxInFlight = 3
	q.add(simQueue{name: "spread.fifo", rules: capped, pairs: append(slices.Clone(isFIFO), partitions,
		queue.Pair{Name: "DeduplicationScope", Value: "messageGroup"}, queue.Pair{Name: "GroupMaxInFlight", Value: "3"})})
	fifo.DeadQueue, fifo.MaxReceives = deadFIFO, 2
	q.add(simQueue{name: "b.fifo", rules: fifo, pairs: append(slices.Clone(isFIFO), queue.Pair{Name: "DeduplicationScope", Value: "messageGroup"})})
	q.recorder = check.NewQueueRecorder(func() int64 { return int64(w.now) }, func() (earliest, latest int64) {
		return int64(w.slowest()), int64(w.expiries.newest)
	})
	return q
}

func (q *queues) add(s simQueue) {
	if s.rules.DeadQueue != "" {
		s.pairs = append(s.pairs, queue.Pair{Name: "RedrivePolicy", Value: fmt.Sprintf(`{"deadLetterTargetArn":"%s","maxReceiveCount":%d}`, s.rules.DeadQueue, s.rules.MaxReceives)})
	}
	q.all = append(q.all, s)
	q.rules[s.name] = s.rules
}

// nameApart returns the first name that is not in the group of a queue, or that is.
func (w *world) nameApart(of, name, end string, isApart bool) string {
	for i := 0; ; i++ {
		candidate := name + strconv.Itoa(i) + end
		if w.plan.Groups == 1 || isApart == (w.silence.groupOf(candidate) != w.silence.groupOf(of)) {
			return candidate
		}
	}
}

// slowest is what the slowest wall clock shows.
func (w *world) slowest() flotilla.Millis {
	slowest := flotilla.Never
	for _, n := range w.nodes {
		slowest = min(slowest, n.wall())
	}
	return slowest
}

// createFor is how long it may take until all queues are there.
const createFor = 30 * time.Second

// createQueues has a client create the queues, and each node carry what its outboxes have.
func (w *world) createQueues() {
	if !w.plan.Workload.HasQueues() {
		return
	}
	w.queues = newQueues(w)
	creator := newClient(w, creators, func(c *client) {
		for _, s := range w.queues.all {
			c.insistOn("create "+s.name, func() error {
				return c.queue.CreateQueue(context.Background(), queue.CreateQueue{QueueName: s.name, Attributes: s.pairs})
			})
		}
		c.recur()
	})
	w.after(0, creator.resume)
	if !w.await(w.now+createFor, func() bool { return creator.isEnded }) {
		w.fault("after %v, not all queues are there", createFor)
	}
	creator.stop()
	for i, n := range w.nodes {
		c := newClient(w, carriers+i, (*client).carry)
		c.home = n
		w.queues.carriers = append(w.queues.carriers, c)
		w.after(0, c.resume)
	}
}

// The numbers of clients that are not the plan's.
const (
	creators  = 10_000
	carriers  = 11_000
	drainers  = 12_000
	recurrers = 13_000
)

// insistOn asks for something until there is an answer. One that says no is a fault.
func (c *client) insistOn(what string, ask func() error) {
	for {
		if c.connect() {
			err := ask()
			if isAnswer, isNo := answerOf(err); isAnswer {
				if isNo {
					c.w.fault("client %d was answered %v when it wanted to %s", c.name, err, what)
				}
				return
			}
		}
		c.hangUp()
		c.sleep(failurePause)
	}
}

// How often a node looks for something to carry, as queue.Client.Run does.
const (
	carryEach  = time.Second
	carryAgain = 20 * time.Millisecond
)

// carry does what queue.Client.Run does in a node.
func (c *client) carry() {
	for {
		wait := carryEach
		if c.connect() && c.queue.Carry(context.Background()) {
			c.w.count("message carried to another group")
			wait = carryAgain
		}
		c.sleep(wait)
	}
}

package sim

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"flotilla"
	"flotilla/check"
	"flotilla/queue"
	"flotilla/scenario"
)

// held is a lease that a client has, or had.
type held struct {
	queue, handle string
	count         uint64        // how often the message was received
	next          time.Duration // when the client goes on with it
	fate          fate
	asked         int // how often the client has done something with it
}

// fate is what a client does with a lease.
type fate int

const (
	settles  fate = iota // deletes the message in time
	extends              // first extends the lease, perhaps several times
	releases             // gives the message back
	lingers              // is too late, and does not know it
	forgets              // never comes back
)

// job does one of the things that a plan asks of queues.
func (c *client) job(operation scenario.Operation) {
	begin := c.w.now
	o := check.QueueOperation{}
	switch operation {
	case scenario.Send:
		o = c.sendJobs()
	case scenario.Purge:
		o = c.askOne(check.QueueOperation{Kind: check.Purge, Queue: c.anyQueue().name}, func(o *check.QueueOperation) error {
			return c.queue.Do(background, o.Queue, &queue.PurgeQueue{QueueName: o.Queue}, &queue.Done{})
		})
	case scenario.Redrive:
		o = c.redrive()
	case scenario.Work:
		o = c.workOn()
	}
	c.w.silence.heardOfQueue(c, o, begin)
	if o.Outcome != check.Known {
		c.sleep(failurePause)
	}
}

var background = context.Background()

func (c *client) anyQueue() simQueue {
	all := c.w.queues.all
	return all[c.chance.IntN(len(all))]
}

// askAll asks for operations that travel together, and writes down what came of each. ask
// fills in the answers, and sets IsDone of those that were answered with yes; and Outcome of those
// to which the answer says that it is another than Known.
func (c *client) askAll(all []check.QueueOperation, ask func(all []check.QueueOperation) error) []check.QueueOperation {
	for i := range all {
		all[i].Client = c.name
	}
	first := c.w.queues.recorder.Begin(all...)
	err := ask(all)
	isAnswer, isNo := answerOf(err)
	for i := range all {
		o := &all[i]
		switch {
		case isAnswer && o.Outcome != "": // the answer says what became of this one
		case isAnswer:
			o.Outcome, o.IsDone = check.Known, o.IsDone && !isNo
		case errors.Is(err, flotilla.ErrRefused):
			c.w.count("refused: " + string(flotilla.ReasonOf(err)))
			o.Outcome = check.Refused
		default:
			c.w.count("outcome unknown")
			o.Outcome = check.Unknown
		}
		if o.Outcome != check.Known {
			o.Deliveries = nil
		}
		c.w.note('q', uint64(c.name), uint64(len(o.Deliveries)), fmt.Appendf(nil, "%s %s %v %s %d", o.Kind, o.Outcome, o.IsDone, o.MessageID, o.Total))
	}
	if isNo {
		c.w.count("queue said no: " + err.Error()[:min(len(err.Error()), 24)])
	}
	c.w.queues.recorder.End(first, all...)
	return all
}

// answerOf says whether a client was answered, and whether with no.
func answerOf(err error) (isAnswer, isNo bool) {
	var no *queue.Error
	isNo = errors.As(err, &no)
	return err == nil || isNo, isNo
}

func (c *client) askOne(o check.QueueOperation, ask func(o *check.QueueOperation) error) check.QueueOperation {
	return c.askAll([]check.QueueOperation{o}, func(all []check.QueueOperation) error {
		all[0].IsDone = true
		return ask(&all[0])
	})[0]
}

// unsent is a send of which the client does not know whether it happened.
type unsent struct {
	operation check.QueueOperation
	entry     queue.SendEntry
}

// sendJobs sends one message or some, or once more what may not have arrived. That is for
// FIFO queues, which tell repetitions: a message of another queue is given up.
func (c *client) sendJobs() check.QueueOperation {
	if len(c.unsent) > 0 && c.chance.IntN(3) > 0 {
		again := c.unsent[0]
		c.unsent = c.unsent[1:]
		c.w.count("message sent again")
		return c.sendBatch([]check.QueueOperation{again.operation}, []queue.SendEntry{again.entry})
	}
	s := c.anyQueue()
	var all []check.QueueOperation
	var entries []queue.SendEntry
	for range 1 + c.chance.IntN(4)*c.chance.IntN(2) {
		o, entry := c.newMessage(s)
		all, entries = append(all, o), append(entries, entry)
	}
	return c.sendBatch(all, entries)
}

// jobGroups is how many message groups a queue has.
const jobGroups = 3

func (c *client) newMessage(s simQueue) (check.QueueOperation, queue.SendEntry) {
	o := check.QueueOperation{Kind: check.Send, Queue: s.name, Body: c.unique(), Delay: s.delay * 1000}
	entry := queue.SendEntry{MessageBody: []byte(c.long(o.Body)), DelaySeconds: -1}
	if s.hasGroups {
		o.Group = "g" + strconv.Itoa(c.chance.IntN(jobGroups))
		entry.MessageGroupID, entry.Priority = o.Group, int64(c.chance.IntN(10))
	}
	switch {
	case s.rules.IsFIFO:
		o.Group, o.Duplicate = "g"+strconv.Itoa(c.chance.IntN(jobGroups)), o.Body
		entry.MessageGroupID, entry.MessageDeduplicationID = o.Group, o.Body
		if s.name == "a.fifo" && c.chance.IntN(2) == 0 {
			entry.MessageDeduplicationID = "" // it is made of the body
		}
	case c.chance.IntN(8) == 0:
		entry.ScheduledAt = c.w.expiries.newest + flotilla.Millis(500+c.chance.IntN(4000))
		o.NotBefore, o.Delay = int64(entry.ScheduledAt), 0
	case c.chance.IntN(4) == 0:
		entry.DelaySeconds = int64(c.chance.IntN(5))
		o.Delay = entry.DelaySeconds * 1000
	case c.chance.IntN(4) == 0:
		entry.Priority = int64(c.chance.IntN(10))
	}
	o.Priority = entry.Priority
	return o, entry
}

func (c *client) sendBatch(all []check.QueueOperation, entries []queue.SendEntry) check.QueueOperation {
	asked := append([]check.QueueOperation(nil), all...)
	done := c.askAll(all, func(all []check.QueueOperation) error {
		command := &queue.SendMessageBatch{QueueName: all[0].Queue}
		command.Entries = append(command.Entries, entries...)
		var reply queue.Sent
		if err := c.queue.Do(background, command.QueueName, command, &reply); err != nil {
			return err
		}
		for i, sent := range reply.Entries {
			o := &all[i]
			o.IsDone, o.MessageID, o.Sequence = sent.Err.Code == "", sent.MessageID, sent.SequenceNumber
			if sent.IsDuplicate {
				c.w.count("repetition of a message recognized")
			}
			switch sent.Err.Code { // of a batch that went to several groups
			case queue.CodeInternal:
				o.Outcome = check.Unknown
			case queue.CodeServiceUnavailable:
				o.Outcome = check.Refused
			}
			if !o.IsDone {
				c.w.count("message not taken: " + sent.Err.Code)
			}
		}
		return nil
	})
	for i, o := range done {
		if o.Outcome == check.Unknown && o.Duplicate != "" {
			c.unsent = append(c.unsent, unsent{asked[i], entries[i]})
		}
	}
	return done[0]
}

// redrive begins to move dead messages back.
func (c *client) redrive() check.QueueOperation {
	var dead []string
	for _, s := range c.w.queues.all {
		if s.rules.DeadQueue != "" {
			dead = append(dead, s.rules.DeadQueue)
		}
	}
	source := dead[c.chance.IntN(len(dead))]
	return c.askOne(check.QueueOperation{Kind: check.Move, Queue: source}, func(*check.QueueOperation) error {
		_, err := c.queue.StartMessageMoveTask(background, queue.StartMessageMoveTask{SourceQueue: source})
		if err == nil {
			c.w.count("dead messages are moved")
		}
		return err
	})
}

// tally counts a queue.
func (c *client) tally(name string) (check.QueueOperation, queue.Counters) {
	var about queue.QueueAttributes
	o := c.askOne(check.QueueOperation{Kind: check.Tally, Queue: name}, func(o *check.QueueOperation) error {
		err := c.queue.Read(background, name, &queue.GetQueueAttributes{QueueName: name}, &about)
		n := about.Counters
		o.Total = int64(n.Ready + n.Leased + n.Delayed)
		return err
	})
	return o, about.Counters
}

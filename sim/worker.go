package sim

import (
	"slices"
	"strconv"
	"time"

	"flotilla/check"
	"flotilla/queue"
)

// tallyOneOf is how often a client counts a queue instead of working.
const tallyOneOf = 25

// workOn goes on with one of the leases that the client has, if it is time, or receives more.
func (c *client) workOn() check.QueueOperation {
	if c.chance.IntN(tallyOneOf) == 0 {
		o, _ := c.tally(c.anyQueue().name)
		return o
	}
	i := slices.IndexFunc(c.held, func(h *held) bool { return h.next <= c.w.now })
	if i < 0 {
		s := c.anyQueue()
		if s.isSlack && c.chance.IntN(4) > 0 {
			s = c.anyQueue()
		}
		return c.receive(s, 1+c.chance.Int64N(4), c.chance.IntN(3) > 0)
	}
	h := c.held[i]
	c.held = slices.Delete(c.held, i, i+1)
	return c.goOn(h)
}

// receive leases messages, and decides what becomes of them.
func (c *client) receive(s simQueue, seconds int64, isFew bool) check.QueueOperation {
	command := queue.ReceiveMessage{QueueName: s.name, MaxNumberOfMessages: queue.MaxBatchEntries, VisibilityTimeout: seconds}
	if isFew {
		command.MaxNumberOfMessages = 1 + c.chance.Int64N(3)
	}
	if s.rules.IsFIFO && c.chance.IntN(2) == 0 {
		c.w.queues.attempts++
		command.ReceiveRequestAttemptID = "a" + strconv.Itoa(c.w.queues.attempts)
	}
	o := c.receiveOnce(command)
	for range 2 {
		if o.Outcome != check.Unknown || command.ReceiveRequestAttemptID == "" {
			break
		}
		c.sleep(failurePause)
		if !c.connect() {
			return o
		}
		o = c.receiveOnce(command)
		if len(o.Deliveries) > 0 {
			c.w.count("receive attempt repeated")
		}
	}
	for _, d := range o.Deliveries {
		c.hold(s.name, d, time.Duration(seconds)*time.Second)
	}
	return o
}

func (c *client) receiveOnce(command queue.ReceiveMessage) check.QueueOperation {
	o := check.QueueOperation{Kind: check.Receive, Queue: command.QueueName, Visibility: command.VisibilityTimeout * 1000, Attempt: command.ReceiveRequestAttemptID}
	return c.askOne(o, func(o *check.QueueOperation) error {
		reply, err := c.queue.ReceiveMessage(background, command, 0)
		for _, m := range reply.Messages {
			o.Deliveries = append(o.Deliveries, check.Delivery{Body: shorten(string(m.Body)), MessageID: m.MessageID, Handle: m.ReceiptHandle, Group: m.MessageGroupID,
				Sequence: m.SequenceNumber, Count: m.ApproximateReceiveCount, VisibleAt: int64(m.VisibleAt), SentAt: int64(m.SentTimestamp), DeadSource: m.DeadLetterQueueSource})
			if m.DeadLetterQueueSource != "" {
				c.w.count("dead message received")
			}
			if m.ApproximateReceiveCount > 1 {
				c.w.count("message received again")
			}
		}
		return err
	})
}

// hold keeps a lease, or the client forgets it.
func (c *client) hold(name string, d check.Delivery, lease time.Duration) {
	h := &held{queue: name, handle: d.Handle, count: d.Count}
	switch p := c.chance.IntN(100); {
	case p < 50:
		h.next = c.w.now + between(c.chance, 0, lease/2)
	case p < 65:
		h.fate, h.next = extends, c.w.now+between(c.chance, 0, lease)
	case p < 75:
		h.fate, h.next = releases, c.w.now+between(c.chance, 0, lease)
	case p < 90:
		h.fate, h.next = lingers, c.w.now+lease+between(c.chance, 0, 3*lease)
	default:
		return
	}
	c.held = append(c.held, h)
}

// goOn does the next thing with a lease.
func (c *client) goOn(h *held) check.QueueOperation {
	h.asked++
	switch {
	case h.fate == extends && h.asked < 4 && c.chance.IntN(3) > 0:
		seconds := 1 + c.chance.Int64N(4)
		o := c.change(h, seconds)
		h.next = c.w.now + between(c.chance, 0, time.Duration(seconds)*time.Second)
		c.held = append(c.held, h)
		return o
	case h.fate == releases, h.fate == lingers && c.chance.IntN(3) == 0:
		return c.change(h, int64(c.chance.IntN(2)*c.chance.IntN(4)))
	}
	o := c.settle(h)
	if (o.Outcome != check.Known || c.chance.IntN(10) == 0) && h.asked < 4 { // once more, to be sure
		h.fate, h.next = settles, c.w.now+between(c.chance, 0, 2*time.Second)
		c.held = append(c.held, h)
	}
	return o
}

func (c *client) change(h *held, seconds int64) check.QueueOperation {
	o := check.QueueOperation{Kind: check.Change, Queue: h.queue, Handle: h.handle, Visibility: seconds * 1000}
	return c.askOne(o, func(o *check.QueueOperation) error {
		var reply queue.Settled
		command := &queue.ChangeMessageVisibilityBatch{QueueName: h.queue, Entries: []queue.VisibilityEntry{{ReceiptHandle: h.handle, VisibilityTimeout: seconds}}}
		return c.learnSettled(o, c.queue.Do(background, h.queue, command, &reply), &reply)
	})
}

func (c *client) settle(h *held) check.QueueOperation {
	o := check.QueueOperation{Kind: check.Settle, Queue: h.queue, Handle: h.handle}
	return c.askOne(o, func(o *check.QueueOperation) error {
		var reply queue.Settled
		command := &queue.DeleteMessageBatch{QueueName: h.queue, Entries: []queue.DeleteEntry{{ReceiptHandle: h.handle}}}
		return c.learnSettled(o, c.queue.Do(background, h.queue, command, &reply), &reply)
	})
}

// learnSettled notes whether the only entry of a batch succeeded.
func (c *client) learnSettled(o *check.QueueOperation, err error, reply *queue.Settled) error {
	if err == nil && reply.Errors[0].Code != "" {
		o.IsDone = false
		c.w.count("lease refused")
	}
	return err
}

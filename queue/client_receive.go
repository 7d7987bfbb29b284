package queue

import (
	"context"
	"slices"
	"time"

	"flotilla"
)

// This file is a shell: it waits for messages.

// How often one who waits looks without having been told: events come at most once, and
// only to nodes that hold a copy of the queue's group.
const (
	pollEvery     = 5 * time.Second
	pollElsewhere = 500 * time.Millisecond
)

// waiter is one who waits for a message of a queue. It is woken once.
type waiter struct {
	woken     chan struct{} // closed by wake
	partition int           // set before that: where there may be a message; -1: anywhere
}

// look says where to look for a message.
type look struct {
	first    int   // the partition to be asked first; -1: the one whose turn it is
	only     []int // nil: all of them
	isGentle bool  // none is asked for a message before it said that it has one
}

// ReceiveMessage leases messages. If there are none it waits until there are, for
// wait at most; below 0 means for as long as the queue says. When the time is over,
// there are none. A receive is given messages of one partition only.
func (c *Client) ReceiveMessage(ctx context.Context, command ReceiveMessage, wait time.Duration) (Received, error) {
	name := command.QueueName
	begin := time.Now()
	where, lastFull := look{first: -1}, begin
	for {
		w := c.wait(name) // before looking, so that nothing is missed
		reply, from, err := c.receive(ctx, command, where)
		if wait < 0 && err == nil {
			wait = time.Duration(reply.WaitTimeSeconds) * time.Second
		}
		left := time.Until(begin.Add(wait))
		isFull := isCode(err, CodeOverLimit) && wait > 0 // one who waits is not told
		if (err != nil && !isFull) || len(reply.Messages) > 0 || left <= 0 {
			if wasWoken := c.leave(name, w); wasWoken && len(reply.Messages) == 0 {
				c.wake(name, w.partition)
			} else if len(reply.Messages) > 0 {
				c.wake(name, from) // there may be more
			}
			if isFull {
				err = nil
			}
			c.noteReceived(ctx, name, reply.Messages)
			return reply, err
		}
		if waiting, ok := ctx.Value(waitingKey{}).(func()); ok {
			waiting()
		}
		elsewhere := c.elsewhere(name)
		pause := pollEvery
		if elsewhere != nil {
			pause = pollElsewhere
		}
		wasWoken, isOver := c.sleep(ctx, name, w, min(left, pause))
		switch now := time.Now(); {
		case isOver:
			return Received{}, nil
		case wasWoken:
			where = look{first: w.partition}
		case now.Sub(lastFull) < pollEvery && now.Before(begin.Add(wait)):
			where = look{first: -1, only: elsewhere, isGentle: true}
		default:
			where, lastFull = look{first: -1, isGentle: true}, now
		}
	}
}

type waitingKey struct{}

// WithWaiting returns a context whose receives call waiting before they wait for a message: what is
// found then goes to whoever is still there.
func WithWaiting(ctx context.Context, waiting func()) context.Context {
	return context.WithValue(ctx, waitingKey{}, waiting)
}

// receive looks once. It returns in which partition it found something, or -1.
func (c *Client) receive(ctx context.Context, command ReceiveMessage, where look) (reply Received, from int, err error) {
	if s := c.spread(command.QueueName); s != nil {
		reply, from, err = c.receiveSpread(ctx, s, command, where)
		if !isCode(err, CodeQueueDoesNotExist) {
			return reply, from, err
		}
	}
	err = c.Do(ctx, command.QueueName, &command, &reply)
	return reply, -1, err
}

// sleep returns when it is time to look again, because there is something or because
// pause is over, or when nobody wants to know any more.
func (c *Client) sleep(ctx context.Context, queueName string, w *waiter, pause time.Duration) (wasWoken, isOver bool) {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-w.woken:
		return true, false
	case <-timer.C:
	case <-ctx.Done():
	}
	wasWoken = c.leave(queueName, w)
	if wasWoken && ctx.Err() != nil {
		c.wake(queueName, w.partition)
	}
	return wasWoken, ctx.Err() != nil
}

// elsewhere returns the partitions of a queue whose events do not come to this node,
// because it holds no copy of their groups; nil if there are none. A queue that is not
// spread is its own partition 0.
func (c *Client) elsewhere(queueName string) (partitions []int) {
	names := []string{queueName}
	if s := c.spread(queueName); s != nil {
		names = s.names
	}
	groups, self := c.host.Topology().Groups, c.host.Self()
	for i, name := range names {
		group := c.GroupOf(name)
		isHere := slices.ContainsFunc(groups, func(g flotilla.GroupInfo) bool { return g.ID == group && slices.Contains(g.Nodes, self) })
		if !isHere {
			partitions = append(partitions, i)
		}
	}
	return partitions
}

// hear is told of events, in the node's loop.
func (c *Client) hear(e flotilla.Event) {
	switch e.Name {
	case EventPosted:
		select {
		case c.carry <- struct{}{}:
		default:
		}
	case EventDeleted:
		for base, _ := baseOf(string(e.Key)); c.wake(base, -1); {
		}
	case EventReady:
		c.wake(baseOf(string(e.Key)))
	case EventLife:
		c.noteTold(e)
	}
}

// wake wakes the first who waits for a queue, and reports whether there was one. Each
// who was woken and found something wakes the next.
func (c *Client) wake(queueName string, partition int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	waiting := c.waiting[queueName]
	if len(waiting) == 0 {
		return false
	}
	waiting[0].partition = partition
	close(waiting[0].woken)
	c.waiting[queueName] = waiting[1:]
	if len(waiting) == 1 {
		delete(c.waiting, queueName)
	}
	return true
}

// wait lines up for a queue.
func (c *Client) wait(queueName string) *waiter {
	c.mu.Lock()
	defer c.mu.Unlock()
	w := &waiter{woken: make(chan struct{}), partition: -1}
	c.waiting[queueName] = append(c.waiting[queueName], w)
	return w
}

// leave gives up a place in the line, and reports whether it was woken before.
func (c *Client) leave(queueName string, w *waiter) (wasWoken bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	at := slices.Index(c.waiting[queueName], w)
	if at < 0 {
		return true
	}
	c.waiting[queueName] = slices.Delete(c.waiting[queueName], at, at+1)
	if len(c.waiting[queueName]) == 0 {
		delete(c.waiting, queueName)
	}
	return false
}

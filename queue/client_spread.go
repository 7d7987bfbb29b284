package queue

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync/atomic"

	"flotilla"
)

// This file is a shell: it asks the partitions of spread queues (partition.go).

// maxSpreads is how many spread queues a client remembers; with more it begins anew.
const maxSpreads = 10000

// spreadQueue is what a client knows of a spread queue.
type spreadQueue struct {
	route route
	names []string // of the partitions
	turn  atomic.Uint64
}

func (c *Client) spread(queueName string) *spreadQueue {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.spreads[queueName]
}

// keepSpread remembers what an error says of a queue.
func (c *Client) keepSpread(err error) *spreadQueue {
	var answer *Error
	var r route
	if !errors.As(err, &answer) || !decode([]byte(answer.Message), &r) {
		return &spreadQueue{} // nothing is done with a queue that has no partitions
	}
	return c.keepRoute(r)
}

func (c *Client) keepRoute(r route) *spreadQueue {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s := c.spreads[r.Base]; s != nil && s.route.ID == r.ID {
		return s
	}
	s := &spreadQueue{route: r}
	for i := range r.Slots {
		s.names = append(s.names, r.partition(i))
	}
	if len(c.spreads) >= maxSpreads {
		clear(c.spreads)
	}
	c.spreads[r.Base] = s
	return s
}

func (c *Client) forgetSpread(s *spreadQueue) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.spreads[s.route.Base] == s {
		delete(c.spreads, s.route.Base)
	}
}

// isForPartitions reports whether a command is carried out by a spread queue's
// partitions; others are for its record.
func isForPartitions(command Command) bool {
	switch command.(type) {
	case *SendMessageBatch, *ReceiveMessage, *DeleteMessageBatch, *ChangeMessageVisibilityBatch, *ReportProgress, *PeekMessages,
		*DescribeJob, *PutRecurring, *DeleteRecurring, *ListRecurring, *ListMessageMoveTasks, *CancelMessageMoveTask:
		return true
	}
	return false
}

// askSpread lets the partitions of a queue carry out a command.
func (c *Client) askSpread(ctx context.Context, s *spreadQueue, command Command, reply Reply) (err error) {
	if len(s.names) == 0 {
		return malformed()
	}
	switch m := command.(type) {
	case *SendMessageBatch:
		return c.sendSpread(ctx, s, m, reply.(*Sent))
	case *ReceiveMessage:
		into := reply.(*Received)
		*into, _, err = c.receiveSpread(ctx, s, *m, look{first: -1})
		return err
	case *DeleteMessageBatch:
		return c.deleteSpread(ctx, s, m, reply.(*Settled))
	case *ChangeMessageVisibilityBatch:
		return c.changeSpread(ctx, s, m, reply.(*Settled))
	case *ReportProgress:
		i, ok := partitionOfHandle(m.ReceiptHandle)
		if !ok || i >= len(s.names) {
			return badHandle()
		}
		one := *m
		one.QueueName = s.names[i]
		return c.askPartition(ctx, s, i, &one, reply)
	case *PeekMessages:
		return c.peekSpread(ctx, s, m, reply.(*Peeked))
	case *DescribeJob:
		return c.describeSpread(ctx, s, m, reply)
	case *PutRecurring, *DeleteRecurring, *ListRecurring:
		return c.recurSpread(ctx, s, command, reply)
	case *ListMessageMoveTasks:
		return c.listMovesSpread(ctx, s, reply.(*MoveTasks))
	case *CancelMessageMoveTask:
		return c.cancelMoveSpread(ctx, s, m, reply.(*MoveCancelled))
	}
	return malformed()
}

// isRead reports whether a command for partitions changes nothing.
func isRead(command Command) bool {
	switch command.(type) {
	case *PeekMessages, *DescribeJob, *ListRecurring, *ListMessageMoveTasks, *GetQueueAttributes, *FindReady:
		return true
	}
	return false
}

// askPartition asks one partition. If it is not there, because the queue's creation
// stopped half way, that is finished first.
func (c *Client) askPartition(ctx context.Context, s *spreadQueue, index int, command Command, reply Reply) error {
	group := c.GroupOf(s.names[index])
	err := c.ask(ctx, &flotilla.Call{Group: group, IsRead: isRead(command)}, command, reply)
	if !isCode(err, CodeQueueDoesNotExist) {
		return err
	}
	p, settleErr := c.settle(ctx, s.route.Base)
	if settleErr != nil {
		return settleErr
	}
	if p == nil || p.Route.ID != s.route.ID {
		c.forgetSpread(s)
		return err
	}
	return c.ask(ctx, &flotilla.Call{Group: group, IsRead: isRead(command)}, command, reply)
}

// answer is what became of what one partition was asked.
type answer struct {
	reply Reply
	err   error
}

// askAll asks partitions side by side, each its own command.
func (c *Client) askAll(ctx context.Context, s *spreadQueue, indexes []int, command func(index int) Command, newReply func() Reply) []answer {
	calls := make([]*flotilla.Call, len(indexes))
	for i, index := range indexes {
		one := command(index)
		calls[i] = &flotilla.Call{Group: c.GroupOf(s.names[index]), IsRead: isRead(one), Commands: [][]byte{Encode(nil, one)}}
	}
	if c.GroupOf(s.route.Base) != flotilla.Directory {
		c.host.Do(ctx, calls...)
	}
	answers := make([]answer, len(indexes))
	for i, call := range calls {
		a := answer{reply: newReply(), err: call.Err}
		switch {
		case call.Err == nil && len(call.Replies) == 0:
			a.err = flotilla.Refused(flotilla.NoQuorum, "no group serves the queue's slot yet")
		case call.Err == nil:
			a.err = DecodeReply(call.Replies[0], a.reply)
		}
		if isCode(a.err, CodeQueueDoesNotExist) {
			a.err = c.askPartition(ctx, s, indexes[i], command(indexes[i]), a.reply)
		}
		answers[i] = a
	}
	return answers
}

// everyone returns the numbers of all partitions.
func (s *spreadQueue) everyone() []int {
	all := make([]int, len(s.names))
	for i := range all {
		all[i] = i
	}
	return all
}

// next returns the partition whose turn it is.
func (s *spreadQueue) next() int { return int(s.turn.Add(1) % uint64(len(s.names))) }

// sendSpread sends a batch of a standard queue to the partition whose turn it is, or, if
// that certainly did not get it, to another; of a FIFO queue, each message to that of its group.
func (c *Client) sendSpread(ctx context.Context, s *spreadQueue, m *SendMessageBatch, reply *Sent) (err error) {
	if !s.route.IsFIFO {
		one, first := *m, s.next()
		for i := range s.names {
			at := (first + i) % len(s.names)
			one.QueueName = s.names[at]
			if err = c.askPartition(ctx, s, at, &one, reply); flotilla.ReasonOf(err) != flotilla.NoQuorum || !errors.Is(err, flotilla.ErrRefused) {
				break
			}
		}
		return err
	}
	reply.Entries = make([]SentEntry, len(m.Entries))
	places := s.places(len(m.Entries), func(i int) int { return partitionOf(m.Entries[i].MessageGroupID, len(s.names)) })
	return c.inParts(ctx, s, places, func() Reply { return &Sent{} }, func(index int) Command {
		one := &SendMessageBatch{QueueName: s.names[index]}
		for _, i := range places[index] {
			one.Entries = append(one.Entries, m.Entries[i])
		}
		return one
	}, func(index int, r Reply, failed Error) {
		for k, i := range places[index] {
			reply.Entries[i].Err = failed
			if sent := r.(*Sent).Entries; failed.Code == "" && k < len(sent) {
				reply.Entries[i] = sent[k]
			}
		}
	})
}

func badHandle() *Error {
	return &Error{Code: CodeReceiptHandleIsInvalid, Message: messageReceiptHandleInvalid}
}

// places says which entries of a batch go to which partition; those of partition -1 to none.
func (s *spreadQueue) places(entries int, partition func(i int) int) [][]int {
	places := make([][]int, len(s.names))
	for i := range entries {
		if at := partition(i); at >= 0 && at < len(places) {
			places[at] = append(places[at], i)
		}
	}
	return places
}

// inParts sends each partition its part of a batch, and has take called with what became
// of it. If none of them took its part, the batch failed as a whole.
func (c *Client) inParts(ctx context.Context, s *spreadQueue, places [][]int, newReply func() Reply, command func(index int) Command,
	take func(index int, reply Reply, failed Error)) error {
	var asked []int
	for i := range places {
		if len(places[i]) > 0 {
			asked = append(asked, i)
		}
	}
	var failures []error
	for i, a := range c.askAll(ctx, s, asked, command, newReply) {
		if a.err != nil {
			failures = append(failures, a.err)
		}
		take(asked[i], a.reply, asAnswer(a.err))
	}
	if len(failures) > 0 && len(failures) == len(asked) {
		return flotilla.Joined(failures, len(asked))
	}
	return nil
}

// asAnswer makes an entry's answer of a failure.
func asAnswer(err error) (answer Error) {
	var known *Error
	switch {
	case err == nil:
	case errors.As(err, &known):
		answer = *known
	case errors.Is(err, flotilla.ErrRefused):
		answer = Error{Code: CodeServiceUnavailable, Message: err.Error()}
	default:
		answer = Error{Code: CodeInternal, Message: err.Error()}
	}
	return answer
}

func (c *Client) deleteSpread(ctx context.Context, s *spreadQueue, m *DeleteMessageBatch, reply *Settled) error {
	handle := func(i int) string { return m.Entries[i].ReceiptHandle }
	return c.settleParts(ctx, s, len(m.Entries), handle, reply, func(index int, places []int) Command {
		one := &DeleteMessageBatch{QueueName: s.names[index]}
		for _, i := range places {
			one.Entries = append(one.Entries, m.Entries[i])
		}
		return one
	})
}

func (c *Client) changeSpread(ctx context.Context, s *spreadQueue, m *ChangeMessageVisibilityBatch, reply *Settled) error {
	handle := func(i int) string { return m.Entries[i].ReceiptHandle }
	return c.settleParts(ctx, s, len(m.Entries), handle, reply, func(index int, places []int) Command {
		one := &ChangeMessageVisibilityBatch{QueueName: s.names[index], RetryDelaySeconds: m.RetryDelaySeconds}
		for _, i := range places {
			one.Entries = append(one.Entries, m.Entries[i])
		}
		return one
	})
}

// settleParts sends the entries of a batch to the partitions that their handles name.
func (c *Client) settleParts(ctx context.Context, s *spreadQueue, entries int, handle func(i int) string, reply *Settled, command func(index int, places []int) Command) error {
	if err := checkBatch(entries); err != nil {
		return err
	}
	reply.Errors = make([]Error, entries)
	places := s.places(entries, func(i int) int {
		index, ok := partitionOfHandle(handle(i))
		if !ok || index >= len(s.names) {
			reply.Errors[i] = *badHandle()
			return -1
		}
		return index
	})
	return c.inParts(ctx, s, places, func() Reply { return &Settled{} }, func(index int) Command { return command(index, places[index]) },
		func(index int, r Reply, failed Error) {
			for k, i := range places[index] {
				reply.Errors[i] = failed
				if settled := r.(*Settled).Errors; failed.Code == "" && k < len(settled) {
					reply.Errors[i] = settled[k]
				}
			}
		})
}

// receiveSpread asks partitions in turn until one gives something out. The first is asked
// for messages at once; if it has none, the others are asked whether they have any, all at
// the same time, since an empty receive is an entry of the log too. It returns which
// partition gave something, or -1.
func (c *Client) receiveSpread(ctx context.Context, s *spreadQueue, command ReceiveMessage, where look) (reply Received, from int, err error) {
	order := s.order(where)
	attempt := command.ReceiveRequestAttemptID
	if attempt == "" && !where.isGentle {
		if reply, err = c.receiveFrom(ctx, s, order[0], command); len(reply.Messages) > 0 || isFinal(err) {
			return reply, order[0], err
		}
		if order = order[1:]; len(order) == 0 {
			return reply, -1, err
		}
	}
	find := func(index int) Command {
		return &FindReady{QueueName: s.names[index], ReceiveRequestAttemptID: attempt}
	}
	var candidates []int
	for i, a := range c.askAll(ctx, s, order, find, func() Reply { return &Found{} }) {
		switch found := a.reply.(*Found); {
		case a.err != nil:
			err = cmp.Or(err, a.err)
		case found.IsAttempt:
			candidates = slices.Insert(candidates, 0, order[i])
		case found.IsReady:
			candidates = append(candidates, order[i])
		}
	}
	if len(candidates) == 0 && attempt != "" && !where.isGentle {
		candidates = order[:1] // so that it is said how long to wait
	}
	for _, index := range candidates {
		got, failed := c.receiveFrom(ctx, s, index, command)
		if len(got.Messages) > 0 || isFinal(failed) {
			return got, index, failed
		}
		reply.WaitTimeSeconds = max(reply.WaitTimeSeconds, got.WaitTimeSeconds)
		err = cmp.Or(err, failed)
	}
	return reply, -1, err
}

// isFinal reports whether a partition's error ends a receive. What it says may be true of
// that partition only if it leases too much, or certainly gave nothing out.
func isFinal(err error) bool {
	return err != nil && !isCode(err, CodeOverLimit) && !errors.Is(err, flotilla.ErrRefused)
}

func (c *Client) receiveFrom(ctx context.Context, s *spreadQueue, index int, command ReceiveMessage) (reply Received, err error) {
	command.QueueName = s.names[index]
	err = c.askPartition(ctx, s, index, &command, &reply)
	return reply, err
}

// order returns the partitions in the order in which they are to be asked.
func (s *spreadQueue) order(where look) (order []int) {
	first := where.first
	if first < 0 || first >= len(s.names) {
		first = s.next()
	}
	for i := range s.names {
		if at := (first + i) % len(s.names); where.only == nil || slices.Contains(where.only, at) {
			order = append(order, at)
		}
	}
	return order
}

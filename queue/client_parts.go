package queue

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"

	"flotilla"
)

// This file is a shell: it makes one answer of those of a spread queue's partitions.

// addUp adds up what the partitions count. Each is exact at its own moment.
func (c *Client) addUp(ctx context.Context, s *spreadQueue, all *QueueAttributes) error {
	about := func(index int) Command { return &GetQueueAttributes{QueueName: s.names[index]} }
	for _, a := range c.askAll(ctx, s, s.everyone(), about, func() Reply { return &QueueAttributes{} }) {
		if a.err != nil {
			return a.err
		}
		part := a.reply.(*QueueAttributes)
		all.Counters.add(&part.Counters)
		if at := part.OldestSentTimestamp; at != 0 && (all.OldestSentTimestamp == 0 || at < all.OldestSentTimestamp) {
			all.OldestSentTimestamp = at
		}
	}
	return nil
}

// peekSpread looks at one partition after another. A position says which.
func (c *Client) peekSpread(ctx context.Context, s *spreadQueue, m *PeekMessages, reply *Peeked) error {
	after := m.After & (1<<numberBits - 1)
	for index := int(m.After >> numberBits); index < len(s.names); index++ {
		one := &PeekMessages{QueueName: s.names[index], After: after, MaxNumberOfMessages: m.MaxNumberOfMessages - int64(len(reply.Messages))}
		var part Peeked
		if err := c.askPartition(ctx, s, index, one, &part); err != nil {
			return err
		}
		for _, p := range part.Messages {
			p.Position |= uint64(index) << numberBits
			reply.Messages = append(reply.Messages, p)
		}
		if len(reply.Messages) > 0 && int64(len(reply.Messages)) >= m.MaxNumberOfMessages {
			return nil
		}
		after = 0
	}
	return nil
}

// describeSpread asks the partition that an id names, and then the others: a message that
// was moved keeps the id that it had.
func (c *Client) describeSpread(ctx context.Context, s *spreadQueue, m *DescribeJob, reply Reply) error {
	first, _, _ := parseID(m.MessageID)
	if first >= len(s.names) {
		first = 0
	}
	notFound := error(nil)
	for _, index := range s.order(look{first: first}) {
		err := c.askPartition(ctx, s, index, &DescribeJob{QueueName: s.names[index], MessageID: m.MessageID}, reply)
		if !isCode(err, CodeResourceNotFound) {
			return err
		}
		notFound = err
	}
	return notFound
}

// recurSpread keeps a recurring message in one partition: on a FIFO queue that of its
// message group, else any, chosen by its name.
func (c *Client) recurSpread(ctx context.Context, s *spreadQueue, command Command, reply Reply) error {
	switch m := command.(type) {
	case *PutRecurring:
		at := partitionOf(m.Name, len(s.names))
		if s.route.IsFIFO {
			at = partitionOf(m.Entry.MessageGroupID, len(s.names))
		}
		one := *m
		one.QueueName = s.names[at]
		if err := c.askPartition(ctx, s, at, &one, reply); err != nil || !s.route.IsFIFO {
			return err
		}
		// One of that name may be elsewhere, with another message group.
		others := slices.Delete(s.everyone(), at, at+1)
		if err := c.deleteRecurring(ctx, s, others, m.Name, nil); err != nil {
			return flotilla.Joined([]error{err}, len(s.names))
		}
		return nil
	case *DeleteRecurring:
		return c.deleteRecurring(ctx, s, s.everyone(), m.Name, &Error{Code: CodeResourceNotFound, Message: messageNoRecurring})
	}
	list := func(index int) Command { return &ListRecurring{QueueName: s.names[index]} }
	all := reply.(*Recurrings)
	for _, a := range c.askAll(ctx, s, s.everyone(), list, func() Reply { return &Recurrings{} }) {
		if a.err != nil {
			return a.err
		}
		all.Results = append(all.Results, a.reply.(*Recurrings).Results...)
	}
	slices.SortStableFunc(all.Results, func(a, b Recurring) int { return strings.Compare(a.Name, b.Name) })
	return nil
}

// deleteRecurring deletes a recurring message wherever it is. If it is nowhere, missing
// is returned.
func (c *Client) deleteRecurring(ctx context.Context, s *spreadQueue, indexes []int, name string, missing *Error) error {
	one := func(index int) Command { return &DeleteRecurring{QueueName: s.names[index], Name: name} }
	var failures []error
	isFound := false
	for _, a := range c.askAll(ctx, s, indexes, one, func() Reply { return &Done{} }) {
		isFound = isFound || a.err == nil
		if a.err != nil && !isCode(a.err, CodeResourceNotFound) {
			failures = append(failures, a.err)
		}
	}
	switch {
	case len(failures) > 0 && isFound:
		return flotilla.Joined(failures, len(indexes))
	case len(failures) > 0: // those that answered had nothing to delete
		return flotilla.Joined(failures, len(failures))
	case !isFound && missing != nil:
		return missing
	}
	return nil
}

// listMovesSpread makes one task of the parts that the partitions have of it.
func (c *Client) listMovesSpread(ctx context.Context, s *spreadQueue, reply *MoveTasks) error {
	list := func(index int) Command { return &ListMessageMoveTasks{SourceQueue: s.names[index]} }
	answers := c.askAll(ctx, s, s.everyone(), list, func() Reply { return &MoveTasks{} })
	for _, a := range answers {
		if isCode(a.err, CodeResourceNotFound) {
			return NoSuchQueue()
		}
		if a.err != nil {
			return a.err
		}
		for _, part := range a.reply.(*MoveTasks).Results {
			i := slices.IndexFunc(reply.Results, func(t MoveTask) bool { return t.TaskHandle == part.TaskHandle })
			if i < 0 {
				reply.Results = append(reply.Results, part)
				continue
			}
			reply.Results[i].add(&part)
		}
	}
	slices.SortStableFunc(reply.Results, func(a, b MoveTask) int { return cmp.Compare(b.order(), a.order()) })
	return nil
}

// order returns a number that is greater for newer tasks.
func (m *MoveTask) order() uint64 {
	n, _ := strconv.ParseUint(m.TaskHandle[strings.LastIndexByte(m.TaskHandle, ':')+1:], 16, 64)
	return n
}

// add adds another partition's part of a task: it runs while any of them does, and failed
// if any of them did.
func (m *MoveTask) add(part *MoveTask) {
	m.ApproximateNumberOfMessagesMoved += part.ApproximateNumberOfMessagesMoved
	m.ApproximateNumberOfMessagesToMove += part.ApproximateNumberOfMessagesToMove
	m.StartedTimestamp = min(m.StartedTimestamp, part.StartedTimestamp)
	for _, status := range []string{MoveRunning, MoveFailed, MoveStopped} {
		if m.Status == status || part.Status == status {
			m.Status = status
			break
		}
	}
	if m.FailureReason == "" {
		m.FailureReason = part.FailureReason
	}
}

func (c *Client) cancelMoveSpread(ctx context.Context, s *spreadQueue, m *CancelMessageMoveTask, reply *MoveCancelled) error {
	find := func() (task MoveTask, err error) {
		var all MoveTasks
		err = c.listMovesSpread(ctx, s, &all)
		if i := slices.IndexFunc(all.Results, func(t MoveTask) bool { return t.TaskHandle == m.TaskHandle }); i >= 0 {
			task = all.Results[i]
		}
		return task, err
	}
	task, err := find()
	if err != nil {
		return err
	}
	if task.Status != MoveRunning {
		return &Error{Code: CodeResourceNotFound, Message: "Task does not exist."}
	}
	one := *m
	one.isForPlan = true
	if err := c.ask(ctx, &flotilla.Call{Group: c.GroupOf(s.route.Base)}, &one, reply); err != nil {
		return err
	}
	if err := c.followUp(ctx, s.route.Base, reply); err != nil {
		return err
	}
	if task, err = find(); err != nil {
		return flotilla.Unknown(cmp.Or(flotilla.ReasonOf(err), flotilla.Timeout), "it is cancelled; how much had been moved is not known: "+err.Error())
	}
	reply.ApproximateNumberOfMessagesMoved = task.ApproximateNumberOfMessagesMoved
	return nil
}

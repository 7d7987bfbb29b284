package rest

import (
	"context"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"flotilla"
	"flotilla/httpserve"
	"flotilla/queue"
)

// How each route is carried out by a queue.Client. All checks that need the queue are
// the machine's; here are those of the form.

const (
	standardListed = 1000 // names of a page, unless told otherwise
	standardPeeked = 100  // messages of a page
	giveBackTime   = 5 * time.Second
)

func (h *Handler) list(ctx context.Context, a args) (*Queues, error) {
	limit, err := a.number("limit", standardListed, 1, queue.MaxListed)
	if err != nil {
		return nil, err
	}
	page, err := h.Client.ListQueues(ctx, queue.ListQueues{QueueNamePrefix: a.query["prefix"], After: a.query["after"], MaxResults: limit})
	if err != nil {
		return nil, err
	}
	return &Queues{Names: append([]string{}, page.Names...), HasMore: page.HasMore}, nil
}

// create creates a queue, or finds that it is there as it shall be. Whether it is a FIFO
// queue may be told by its name alone.
func (h *Handler) create(ctx context.Context, a args, in *CreateQueue) (nothing, error) {
	attributes := pairs(in.Attributes)
	if _, isGiven := in.Attributes["FifoQueue"]; !isGiven && strings.HasSuffix(a.queue(), ".fifo") {
		attributes = append(attributes, queue.Pair{Name: "FifoQueue", Value: "true"})
	}
	return nothing{}, h.Client.CreateQueue(ctx, queue.CreateQueue{QueueName: a.queue(), Attributes: attributes, Tags: pairs(in.Tags)})
}

func (h *Handler) describe(ctx context.Context, a args) (*Queue, error) {
	var about queue.QueueAttributes
	if err := h.Client.Read(ctx, a.queue(), &queue.GetQueueAttributes{QueueName: a.queue()}, &about); err != nil {
		return nil, err
	}
	n := about.Counters
	return &Queue{Name: a.queue(), Attributes: unpaired(about.Attributes), Tags: unpaired(about.Tags),
		Counters: Counters{Ready: n.Ready, Leased: n.Leased, Delayed: n.Delayed, Scheduled: n.Scheduled,
			SentTotal: n.Sent, ReceivedTotal: n.Received, DeletedTotal: n.Deleted, ExpiredTotal: n.Expired,
			DeadTotal: n.Dead, StaleTotal: n.Stale, DuplicatesTotal: n.Duplicates, LeasesEnded: n.LeasesEnded},
		CreatedAt: timeOf(about.CreatedTimestamp), ModifiedAt: timeOf(about.LastModifiedTimestamp),
		OldestSentAt: timeOf(about.OldestSentTimestamp)}, nil
}

func (h *Handler) setAttributes(ctx context.Context, a args, in *SetAttributes) (nothing, error) {
	return nothing{}, h.Client.SetQueueAttributes(ctx, queue.SetQueueAttributes{QueueName: a.queue(), Attributes: pairs(in.Attributes)})
}

func (h *Handler) remove(ctx context.Context, a args) (nothing, error) {
	return nothing{}, h.Client.Do(ctx, a.queue(), &queue.DeleteQueue{QueueName: a.queue()}, &queue.Done{})
}

func (h *Handler) purge(ctx context.Context, a args) (nothing, error) {
	return nothing{}, h.Client.Do(ctx, a.queue(), &queue.PurgeQueue{QueueName: a.queue()}, &queue.Done{})
}

func (h *Handler) send(ctx context.Context, a args, in *Send) (*Sent, error) {
	command := &queue.SendMessageBatch{QueueName: a.queue()}
	out := &Sent{Results: make([]SendResult, len(in.Messages))}
	var places []int // of the command's entries among the messages
	for i := range in.Messages {
		entry, p := entryOf(&in.Messages[i], a.caller)
		if p != nil {
			out.Results[i].Problem = p
			continue
		}
		command.Entries, places = append(command.Entries, entry), append(places, i)
	}
	if len(in.Messages) > 0 && len(places) == 0 {
		return out, nil
	}
	var sent queue.Sent
	if err := h.Client.Do(ctx, a.queue(), command, &sent); err != nil {
		return nil, err
	}
	for i, s := range sent.Entries {
		out.Results[places[i]] = SendResult{ID: s.MessageID, SequenceNumber: s.SequenceNumber, IsDuplicate: s.IsDuplicate, Problem: entryProblem(s.Err)}
	}
	return out, nil
}

// entryOf returns a message as the machine takes it.
func entryOf(m *Message, sender string) (entry queue.SendEntry, p *Problem) {
	entry = queue.SendEntry{MessageBody: []byte(m.Body), DelaySeconds: -1, SenderID: sender,
		MessageGroupID: m.Group, MessageDeduplicationID: m.DeduplicationID, Priority: m.Priority}
	if m.DelaySeconds != nil {
		if entry.DelaySeconds = *m.DelaySeconds; entry.DelaySeconds < 0 {
			return entry, invalid("delay_seconds must not be below 0.")
		}
	}
	if !m.ScheduleAt.IsZero() {
		entry.ScheduledAt = max(1, flotilla.Millis(m.ScheduleAt.UnixMilli()))
	}
	for _, name := range slices.Sorted(maps.Keys(m.Attributes)) {
		attribute := m.Attributes[name]
		if attribute.Type == "" {
			attribute.Type = "String"
		}
		if p := checkAttribute(name, attribute); p != nil {
			return entry, p
		}
		entry.MessageAttributes = append(entry.MessageAttributes, queue.MessageAttribute{Name: name, DataType: attribute.Type, Value: attribute.Value})
	}
	return entry, nil
}

// peek shows messages without receiving them.
func (h *Handler) peek(ctx context.Context, a args) (*Peek, error) {
	limit, err := a.number("limit", standardPeeked, 1, queue.MaxListed)
	if err != nil {
		return nil, err
	}
	after, err := a.number("after", 0, 0, math.MaxInt64)
	if err != nil {
		return nil, err
	}
	var page queue.Peeked
	command := &queue.PeekMessages{QueueName: a.queue(), After: uint64(after), MaxNumberOfMessages: limit}
	if err := h.Client.Read(ctx, a.queue(), command, &page); err != nil {
		return nil, err
	}
	out := &Peek{Messages: []Peeked{}}
	for _, p := range page.Messages {
		m := p.Message
		out.Messages = append(out.Messages, Peeked{Position: p.Position, ID: m.MessageID, State: p.State, Body: string(m.Body),
			Attributes: attributesOf(m.MessageAttributes), Priority: m.Priority, Group: m.MessageGroupID, DeduplicationID: m.MessageDeduplicationID,
			MovedFrom: m.DeadLetterQueueSource, Receives: m.ApproximateReceiveCount, SentAt: timeOf(m.SentTimestamp), VisibleAt: timeOf(m.VisibleAt)})
	}
	return out, nil
}

func (h *Handler) receive(ctx context.Context, a args, in *Receive) (*Received, error) {
	wait, lease := int64(-1), int64(-1)
	if in.WaitSeconds != nil {
		if wait = *in.WaitSeconds; wait < 0 || wait > maxWaitSeconds {
			return nil, invalid("wait_seconds must be from 0 to 20.")
		}
	}
	if in.LeaseSeconds != nil {
		if lease = *in.LeaseSeconds; lease < 0 {
			return nil, invalid("lease_seconds must not be below 0.")
		}
	}
	count := in.Count
	if count == 0 {
		count = 1
	}
	waiting := queue.WithWaiting(ctx, func() { httpserve.Watch(ctx) })
	received, err := h.Client.ReceiveMessage(waiting, queue.ReceiveMessage{QueueName: a.queue(), MaxNumberOfMessages: count,
		VisibilityTimeout: lease, ReceiveRequestAttemptID: in.AttemptID}, time.Duration(wait)*time.Second)
	if err != nil {
		return nil, err
	}
	if ctx.Err() != nil && len(received.Messages) > 0 {
		h.giveBack(ctx, a.queue(), received.Messages)
	}
	out := &Received{Messages: []Delivery{}}
	for _, m := range received.Messages {
		out.Messages = append(out.Messages, Delivery{ID: m.MessageID, Receipt: m.ReceiptHandle, Token: m.Token, Body: string(m.Body),
			Attributes: attributesOf(m.MessageAttributes), Priority: m.Priority, Group: m.MessageGroupID, DeduplicationID: m.MessageDeduplicationID,
			SequenceNumber: m.SequenceNumber, MovedFrom: m.DeadLetterQueueSource, Receives: m.ApproximateReceiveCount,
			SentAt: timeOf(m.SentTimestamp), FirstReceivedAt: timeOf(m.ApproximateFirstReceiveTimestamp), LeaseEndsAt: timeOf(m.VisibleAt)})
	}
	return out, nil
}

// giveBack releases messages that were leased for somebody who has gone: else they
// would wait until the leases run out.
func (h *Handler) giveBack(ctx context.Context, name string, messages []queue.Message) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), giveBackTime)
	defer cancel()
	command := &queue.ChangeMessageVisibilityBatch{QueueName: name}
	for _, m := range messages {
		command.Entries = append(command.Entries, queue.VisibilityEntry{ReceiptHandle: m.ReceiptHandle})
	}
	_ = h.Client.Do(ctx, name, command, &queue.Settled{}) // if it fails, the leases run out
}

func (h *Handler) finish(ctx context.Context, a args, in *Finish) (*Settled, error) {
	command := &queue.DeleteMessageBatch{QueueName: a.queue()}
	for _, f := range in.Leases {
		command.Entries = append(command.Entries, queue.DeleteEntry{ReceiptHandle: f.Receipt, IsFailure: f.IsFailure, Result: f.Result, TellsLost: true})
	}
	return h.settle(ctx, a.queue(), command)
}

func (h *Handler) extend(ctx context.Context, a args, in *Extend) (*Settled, error) {
	command := &queue.ChangeMessageVisibilityBatch{QueueName: a.queue()}
	for _, e := range in.Leases {
		if e.LeaseSeconds < 1 {
			return nil, invalid("lease_seconds must be at least 1: to give a message back, release it.")
		}
		command.Entries = append(command.Entries, queue.VisibilityEntry{ReceiptHandle: e.Receipt, VisibilityTimeout: e.LeaseSeconds, TellsLost: true})
	}
	return h.settle(ctx, a.queue(), command)
}

func (h *Handler) release(ctx context.Context, a args, in *Release) (*Settled, error) {
	if in.DelaySeconds < 0 || in.DelaySeconds > queue.MaxRetryDelaySeconds {
		return nil, invalid("delay_seconds must be from 0 to 43200.")
	}
	command := &queue.ChangeMessageVisibilityBatch{QueueName: a.queue(), RetryDelaySeconds: in.DelaySeconds}
	for _, receipt := range in.Receipts {
		command.Entries = append(command.Entries, queue.VisibilityEntry{ReceiptHandle: receipt, TellsLost: true})
	}
	return h.settle(ctx, a.queue(), command)
}

func (h *Handler) settle(ctx context.Context, name string, command queue.Command) (*Settled, error) {
	var settled queue.Settled
	if err := h.Client.Do(ctx, name, command, &settled); err != nil {
		return nil, err
	}
	out := &Settled{Results: []SettleResult{}}
	for _, e := range settled.Errors {
		out.Results = append(out.Results, SettleResult{Problem: entryProblem(e)})
	}
	return out, nil
}

func (h *Handler) progress(ctx context.Context, a args, in *Progress) (nothing, error) {
	command := &queue.ReportProgress{QueueName: a.queue(), ReceiptHandle: in.Receipt, Progress: in.Progress}
	return nothing{}, h.Client.Do(ctx, a.queue(), command, &queue.Done{})
}

func (h *Handler) listMoves(ctx context.Context, a args) (*Moves, error) {
	var tasks queue.MoveTasks
	if err := h.Client.Read(ctx, a.queue(), &queue.ListMessageMoveTasks{SourceQueue: a.queue()}, &tasks); err != nil {
		return nil, err
	}
	out := &Moves{Tasks: []Move{}}
	for _, t := range tasks.Results {
		out.Tasks = append(out.Tasks, Move{Task: t.TaskHandle, Status: t.Status, Destination: t.DestinationQueue,
			PerSecond: t.MaxNumberOfMessagesPerSecond, Moved: t.ApproximateNumberOfMessagesMoved,
			ToMove: t.ApproximateNumberOfMessagesToMove, FailureReason: t.FailureReason, StartedAt: timeOf(t.StartedTimestamp)})
	}
	return out, nil
}

func (h *Handler) startMove(ctx context.Context, a args, in *StartMove) (*MoveStarted, error) {
	if strings.Contains(in.Destination, "/") {
		return nil, queue.NoSuchQueue()
	}
	started, err := h.Client.StartMessageMoveTask(ctx, queue.StartMessageMoveTask{SourceQueue: a.queue(),
		DestinationQueue: in.Destination, MaxNumberOfMessagesPerSecond: in.PerSecond})
	if err != nil {
		return nil, err
	}
	return &MoveStarted{Task: started.TaskHandle}, nil
}

func (h *Handler) cancelMove(ctx context.Context, a args) (*MoveCancelled, error) {
	var cancelled queue.MoveCancelled
	command := &queue.CancelMessageMoveTask{SourceQueue: a.queue(), TaskHandle: a.path["task"]}
	if err := h.Client.Do(ctx, a.queue(), command, &cancelled); err != nil {
		return nil, err
	}
	return &MoveCancelled{Moved: cancelled.ApproximateNumberOfMessagesMoved}, nil
}

func (h *Handler) listRecurring(ctx context.Context, a args) (*Recurrings, error) {
	var all queue.Recurrings
	if err := h.Client.Read(ctx, a.queue(), &queue.ListRecurring{QueueName: a.queue()}, &all); err != nil {
		return nil, err
	}
	out := &Recurrings{Recurring: []RecurringEntry{}}
	for _, r := range all.Results {
		entry := RecurringEntry{Name: r.Name, Recurring: Recurring{Cron: r.Cron, Zone: r.Zone}, NextAt: timeOf(r.NextRun)}
		entry.Message = Message{Body: string(r.Entry.MessageBody), Attributes: attributesOf(r.Entry.MessageAttributes),
			Priority: r.Entry.Priority, Group: r.Entry.MessageGroupID}
		if delay := r.Entry.DelaySeconds; delay >= 0 {
			entry.Message.DelaySeconds = &delay
		}
		out.Recurring = append(out.Recurring, entry)
	}
	return out, nil
}

func (h *Handler) putRecurring(ctx context.Context, a args, in *Recurring) (nothing, error) {
	if !in.Message.ScheduleAt.IsZero() || in.Message.DeduplicationID != "" {
		return nothing{}, invalid("A recurring message has neither schedule_at nor deduplication_id: cron says when, and each run gets an id of its own.")
	}
	entry, p := entryOf(&in.Message, a.caller)
	if p != nil {
		return nothing{}, p
	}
	return nothing{}, h.Client.PutRecurring(ctx, queue.PutRecurring{QueueName: a.queue(), Name: a.path["name"], Cron: in.Cron, Zone: in.Zone, Entry: entry})
}

func (h *Handler) deleteRecurring(ctx context.Context, a args) (nothing, error) {
	command := &queue.DeleteRecurring{QueueName: a.queue(), Name: a.path["name"]}
	return nothing{}, h.Client.Do(ctx, a.queue(), command, &queue.Done{})
}

// invalid is a Problem of a value, as the machine tells of others.
func invalid(message string) *Problem {
	return answered(&queue.Error{Code: queue.CodeInvalidParameterValue, Message: message})
}

func pairs(all map[string]string) (out []queue.Pair) {
	for _, name := range slices.Sorted(maps.Keys(all)) {
		out = append(out, queue.Pair{Name: name, Value: all[name]})
	}
	return out
}

func unpaired(all []queue.Pair) map[string]string {
	out := make(map[string]string, len(all))
	for _, p := range all {
		out[p.Name] = p.Value
	}
	return out
}

func attributesOf(all []queue.MessageAttribute) map[string]Attribute {
	out := make(map[string]Attribute, len(all))
	for _, a := range all {
		out[a.Name] = Attribute{Type: a.DataType, Value: a.Value}
	}
	return out
}

// timeOf returns the zero time for 0.
func timeOf(at flotilla.Millis) time.Time {
	if at == 0 {
		return time.Time{}
	}
	return time.UnixMilli(int64(at)).UTC()
}

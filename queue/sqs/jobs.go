package sqs

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"flotilla/httpserve"
	"flotilla/queue"
)

// The Service's part that has to do with messages: what is asked for again and again.

func (s *queues) SendMessage(ctx context.Context, c Caller, in *SendMessageRequest) (*SendMessageResult, error) {
	command := queue.SendMessageBatch{QueueName: in.Queue, Entries: []queue.SendEntry{sendEntry(c, &in.Body)}}
	sent, err := s.client.SendMessageBatch(ctx, command)
	if err != nil {
		return nil, err
	}
	if err := entryError(&sent.Entries[0].Err, ""); err != nil {
		return nil, err
	}
	out := sendResult(&sent.Entries[0])
	return &out, nil
}

func (s *queues) SendMessageBatch(ctx context.Context, c Caller, in *SendMessageBatchRequest) (*SendMessageBatchResult, error) {
	if len(in.Entries) == 0 {
		return nil, s.exists(ctx, in.Queue)
	}
	command := queue.SendMessageBatch{QueueName: in.Queue, Entries: make([]queue.SendEntry, len(in.Entries))}
	for i := range in.Entries {
		command.Entries[i] = sendEntry(c, &in.Entries[i].Body)
	}
	sent, err := s.client.SendMessageBatch(ctx, command)
	if err != nil {
		return nil, err
	}
	out := &SendMessageBatchResult{}
	for i := range sent.Entries {
		id := in.Entries[i].ID
		if err := entryError(&sent.Entries[i].Err, ""); err != nil {
			out.Failed = append(out.Failed, NewBatchError(id, err))
			continue
		}
		out.Successful = append(out.Successful, SendResultEntry{ID: id, SendMessageResult: sendResult(&sent.Entries[i])})
	}
	return out, nil
}

// exists says whether there is a queue, for a batch of which no entry was well formed.
func (s *queues) exists(ctx context.Context, name string) error {
	_, err := s.client.GetQueueAttributes(ctx, name)
	return err
}

// sendEntry makes the machine's form of a message. The door has checked what it has in
// its attributes.
func sendEntry(c Caller, m *Body) queue.SendEntry {
	entry := queue.SendEntry{MessageBody: []byte(m.MessageBody), DelaySeconds: or(m.DelaySeconds, -1), SenderID: c.AccessKey,
		MessageGroupID: m.MessageGroupID, MessageDeduplicationID: m.MessageDeduplicationID,
		AWSTraceHeader: m.MessageSystemAttributes["AWSTraceHeader"].StringValue}
	if len(m.MessageAttributes) == 0 {
		return entry
	}
	entry.Priority, entry.ScheduledAt, _ = m.extras()
	entry.MessageAttributes = make([]queue.MessageAttribute, 0, len(m.MessageAttributes))
	for _, name := range sortedKeys(m.MessageAttributes) {
		value := m.MessageAttributes[name]
		a := queue.MessageAttribute{Name: name, DataType: value.DataType, Value: value.BinaryValue}
		if !value.isBinary() {
			a.Value = []byte(value.StringValue)
		}
		entry.MessageAttributes = append(entry.MessageAttributes, a)
	}
	return entry
}

func sendResult(sent *queue.SentEntry) SendMessageResult {
	out := SendMessageResult{MessageID: sent.MessageID}
	if sent.SequenceNumber > 0 {
		out.SequenceNumber = sequence(sent.SequenceNumber)
	}
	return out
}

// sequence renders a sequence number so that texts sort as the numbers do, as on SQS.
func sequence(n uint64) string { return fmt.Sprintf("%020d", n) }

// entryError returns the machine's answer about one entry, or nil. The machine does not
// repeat a receipt handle in what it says of it; clients are used to seeing it.
func entryError(e *queue.Error, handle string) error {
	switch {
	case e.Code == "":
		return nil
	case e.Code == queue.CodeReceiptHandleIsInvalid:
		return invalidHandle(handle)
	case handle != "":
		return &queue.Error{Code: e.Code, Message: strings.Replace(e.Message, "Value for parameter ReceiptHandle", "Value "+handle+" for parameter ReceiptHandle", 1)}
	}
	return e
}

func (s *queues) ReceiveMessage(ctx context.Context, c Caller, in *ReceiveMessageRequest) (*ReceiveMessageResult, error) {
	command := queue.ReceiveMessage{QueueName: in.Queue, MaxNumberOfMessages: or(in.MaxNumberOfMessages, 1),
		VisibilityTimeout: or(in.VisibilityTimeout, -1), ReceiveRequestAttemptID: in.ReceiveRequestAttemptID}
	waiting := queue.WithWaiting(ctx, func() { httpserve.Watch(ctx) })
	received, err := s.client.ReceiveMessage(waiting, command, time.Duration(or(in.WaitTimeSeconds, -1))*time.Second)
	if err != nil {
		return nil, err
	}
	out := &ReceiveMessageResult{Messages: make([]Message, len(received.Messages))}
	for i := range received.Messages {
		out.Messages[i] = message(c, in, &received.Messages[i])
	}
	return out, nil
}

// message tells of a message what its receiver asked for.
func message(c Caller, in *ReceiveMessageRequest, m *queue.Message) Message {
	out := Message{MessageID: m.MessageID, ReceiptHandle: m.ReceiptHandle, Body: string(m.Body)}
	if len(in.AttributeNames)+len(in.MessageSystemAttributeNames) > 0 {
		out.Attributes = systemAttributes(c, m)
	}
	if len(in.MessageAttributeNames) == 0 {
		return out
	}
	for _, a := range m.MessageAttributes {
		value := AttributeValue{DataType: a.DataType}
		if value.isBinary() {
			value.BinaryValue = a.Value
		} else {
			value.StringValue = string(a.Value)
		}
		set(&out.MessageAttributes, a.Name, value)
	}
	return out
}

func systemAttributes(c Caller, m *queue.Message) map[string]string {
	all := map[string]string{
		"SenderId":                         m.SenderID,
		"SentTimestamp":                    strconv.FormatInt(int64(m.SentTimestamp), 10),
		"ApproximateReceiveCount":          strconv.FormatUint(m.ApproximateReceiveCount, 10),
		"ApproximateFirstReceiveTimestamp": strconv.FormatInt(int64(m.ApproximateFirstReceiveTimestamp), 10),
	}
	for name, value := range map[string]string{"AWSTraceHeader": m.AWSTraceHeader, "MessageGroupId": m.MessageGroupID,
		"MessageDeduplicationId": m.MessageDeduplicationID} {
		if value != "" {
			all[name] = value
		}
	}
	if m.SequenceNumber > 0 {
		all["SequenceNumber"] = sequence(m.SequenceNumber)
	}
	if m.DeadLetterQueueSource != "" {
		all["DeadLetterQueueSourceArn"] = c.ARN(m.DeadLetterQueueSource)
	}
	return all
}

func (s *queues) DeleteMessage(ctx context.Context, _ Caller, in *DeleteMessageRequest) error {
	command := queue.DeleteMessageBatch{QueueName: in.Queue, Entries: []queue.DeleteEntry{{ReceiptHandle: in.ReceiptHandle}}}
	settled, err := s.client.DeleteMessageBatch(ctx, command)
	if err != nil {
		return err
	}
	return entryError(&settled.Errors[0], in.ReceiptHandle)
}

func (s *queues) DeleteMessageBatch(ctx context.Context, _ Caller, in *DeleteMessageBatchRequest) (*DeleteMessageBatchResult, error) {
	if len(in.Entries) == 0 {
		return nil, s.exists(ctx, in.Queue)
	}
	command := queue.DeleteMessageBatch{QueueName: in.Queue, Entries: make([]queue.DeleteEntry, len(in.Entries))}
	for i := range in.Entries {
		command.Entries[i].ReceiptHandle = in.Entries[i].ReceiptHandle
	}
	settled, err := s.client.DeleteMessageBatch(ctx, command)
	if err != nil {
		return nil, err
	}
	out := &DeleteMessageBatchResult{}
	out.Successful, out.Failed = split(settled.Errors, func(i int) (id, handle string) { return in.Entries[i].ID, in.Entries[i].ReceiptHandle })
	return out, nil
}

// split tells what became of each entry of a batch.
func split(errs []queue.Error, entry func(i int) (id, handle string)) (successful []Done, failed []BatchError) {
	for i := range errs {
		id, handle := entry(i)
		if err := entryError(&errs[i], handle); err != nil {
			failed = append(failed, NewBatchError(id, err))
		} else {
			successful = append(successful, Done{id})
		}
	}
	return successful, failed
}

func (s *queues) ChangeMessageVisibility(ctx context.Context, _ Caller, in *ChangeMessageVisibilityRequest) error {
	command := queue.ChangeMessageVisibilityBatch{QueueName: in.Queue,
		Entries: []queue.VisibilityEntry{{ReceiptHandle: in.ReceiptHandle, VisibilityTimeout: *in.VisibilityTimeout}}}
	settled, err := s.client.ChangeMessageVisibilityBatch(ctx, command)
	if err != nil {
		return err
	}
	return entryError(&settled.Errors[0], in.ReceiptHandle)
}

func (s *queues) ChangeMessageVisibilityBatch(ctx context.Context, _ Caller, in *ChangeMessageVisibilityBatchRequest) (*ChangeMessageVisibilityBatchResult, error) {
	if len(in.Entries) == 0 {
		return nil, s.exists(ctx, in.Queue)
	}
	command := queue.ChangeMessageVisibilityBatch{QueueName: in.Queue, Entries: make([]queue.VisibilityEntry, len(in.Entries))}
	for i := range in.Entries {
		command.Entries[i] = queue.VisibilityEntry{ReceiptHandle: in.Entries[i].ReceiptHandle, VisibilityTimeout: *in.Entries[i].VisibilityTimeout}
	}
	settled, err := s.client.ChangeMessageVisibilityBatch(ctx, command)
	if err != nil {
		return nil, err
	}
	out := &ChangeMessageVisibilityBatchResult{}
	out.Successful, out.Failed = split(settled.Errors, func(i int) (id, handle string) { return in.Entries[i].ID, in.Entries[i].ReceiptHandle })
	return out, nil
}

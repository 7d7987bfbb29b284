package sqs

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"flotilla/queue"
)

// fake is a Service in memory: enough of queues to see whether requests and results
// mean the same on both sides of the wire. The same requests get the same answers.
type fake struct {
	mu     sync.Mutex
	queues map[string]*fakeQueue
	next   uint64
	calls  []string // what was asked, for tests
	err    error    // if set, the answer to everything
}

type fakeQueue struct {
	attributes, tags map[string]string
	messages         []*fakeMessage
}

type fakeMessage struct {
	id       uint64
	lease    uint64
	received int
	isLeased bool
	sent     Body
}

func newFake() *fake { return &fake{queues: map[string]*fakeQueue{}} }

// queue finds a queue and notes the call.
func (f *fake) queue(action, name string) (*fakeQueue, error) {
	f.calls = append(f.calls, action+" "+name)
	if f.err != nil {
		return nil, f.err
	}
	q := f.queues[name]
	if q == nil {
		return nil, NoSuchQueue()
	}
	return q, nil
}

func (f *fake) CreateQueue(_ context.Context, c Caller, in *CreateQueueRequest) (*QueueURLResult, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.queues[in.QueueName] == nil {
		q := &fakeQueue{attributes: map[string]string{"VisibilityTimeout": "30", "QueueArn": c.ARN(in.QueueName)}, tags: map[string]string{}}
		for name, value := range in.Attributes {
			q.attributes[name] = value
		}
		for name, value := range in.Tags {
			q.tags[name] = value
		}
		f.queues[in.QueueName] = q
	}
	return &QueueURLResult{QueueURL: c.URL(in.QueueName)}, nil
}

func (f *fake) GetQueueURL(_ context.Context, c Caller, in *GetQueueURLRequest) (*QueueURLResult, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, err := f.queue("GetQueueUrl", in.QueueName); err != nil {
		return nil, err
	}
	return &QueueURLResult{QueueURL: c.URL(in.QueueName)}, nil
}

func (f *fake) ListQueues(_ context.Context, c Caller, in *ListQueuesRequest) (*ListQueuesResult, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := &ListQueuesResult{}
	for _, name := range sortedKeys(f.queues) {
		if len(name) >= len(in.QueueNamePrefix) && name[:len(in.QueueNamePrefix)] == in.QueueNamePrefix {
			out.QueueURLs = append(out.QueueURLs, c.URL(name))
		}
	}
	return out, f.err
}

func (f *fake) DeleteQueue(_ context.Context, _ Caller, in *QueueRequest) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	_, err := f.queue("DeleteQueue", in.Queue)
	delete(f.queues, in.Queue)
	return err
}

func (f *fake) GetQueueAttributes(_ context.Context, _ Caller, in *GetQueueAttributesRequest) (*GetQueueAttributesResult, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	q, err := f.queue("GetQueueAttributes", in.Queue)
	if err != nil {
		return nil, err
	}
	q.attributes["ApproximateNumberOfMessages"] = strconv.Itoa(len(q.messages))
	return &GetQueueAttributesResult{Attributes: pick(q.attributes, in.AttributeNames)}, nil
}

func (f *fake) SetQueueAttributes(_ context.Context, _ Caller, in *SetQueueAttributesRequest) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	q, err := f.queue("SetQueueAttributes", in.Queue)
	for name, value := range in.Attributes {
		if !queue.IsAttribute(name) {
			return Errorf(InvalidAttributeName, "Unknown Attribute %s.", name)
		}
		if err == nil {
			q.attributes[name] = value
		}
	}
	return err
}

func (f *fake) PurgeQueue(_ context.Context, _ Caller, in *QueueRequest) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	q, err := f.queue("PurgeQueue", in.Queue)
	if err == nil {
		q.messages = nil
	}
	return err
}

func (f *fake) send(q *fakeQueue, body Body) SendMessageResult {
	f.next++
	q.messages = append(q.messages, &fakeMessage{id: f.next, sent: body})
	out := SendMessageResult{MessageID: messageID(f.next)}
	if body.MessageGroupID != "" {
		out.SequenceNumber = fmt.Sprintf("%020d", f.next)
	}
	return out
}

func messageID(n uint64) string { return fmt.Sprintf("00000000-0000-4000-8000-%012d", n) }

func (f *fake) SendMessage(_ context.Context, _ Caller, in *SendMessageRequest) (*SendMessageResult, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	q, err := f.queue("SendMessage", in.Queue)
	if err != nil {
		return nil, err
	}
	out := f.send(q, in.Body)
	return &out, nil
}

func (f *fake) SendMessageBatch(_ context.Context, _ Caller, in *SendMessageBatchRequest) (*SendMessageBatchResult, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	q, err := f.queue("SendMessageBatch", in.Queue)
	if err != nil {
		return nil, err
	}
	out := &SendMessageBatchResult{}
	for _, entry := range in.Entries {
		out.Successful = append(out.Successful, SendResultEntry{ID: entry.ID, SendMessageResult: f.send(q, entry.Body)})
	}
	return out, nil
}

func (f *fake) ReceiveMessage(_ context.Context, _ Caller, in *ReceiveMessageRequest) (*ReceiveMessageResult, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	q, err := f.queue("ReceiveMessage", in.Queue)
	if err != nil {
		return nil, err
	}
	most := 1
	if in.MaxNumberOfMessages != nil {
		most = int(*in.MaxNumberOfMessages)
	}
	out := &ReceiveMessageResult{}
	for _, m := range q.messages {
		if m.isLeased || len(out.Messages) == most {
			continue
		}
		f.next++
		m.isLeased, m.lease = true, f.next
		m.received++
		attributes := map[string]string{"SenderId": Account, "SentTimestamp": "1700000000000",
			"ApproximateFirstReceiveTimestamp": "1700000000001", "ApproximateReceiveCount": strconv.Itoa(m.received)}
		if m.sent.MessageGroupID != "" {
			attributes["MessageGroupId"] = m.sent.MessageGroupID
		}
		for name, value := range m.sent.MessageSystemAttributes {
			attributes[name] = value.StringValue
		}
		out.Messages = append(out.Messages, Message{MessageID: messageID(m.id), Body: m.sent.MessageBody, ReceiptHandle: fakeHandle(m.id, m.lease),
			Attributes: attributes, MessageAttributes: m.sent.MessageAttributes})
	}
	return out, nil
}

func fakeHandle(id, lease uint64) string { return fmt.Sprintf("%d-%d", id, lease) }

// change deletes a message, or has it leased or not.
func (q *fakeQueue) change(handle string, isLeased, isDelete bool) error {
	var id, lease uint64
	if n, err := fmt.Sscanf(handle, "%d-%d", &id, &lease); n < 2 || err != nil {
		return invalidHandle(handle)
	}
	for i, m := range q.messages {
		if m.id == id && m.lease == lease {
			m.isLeased = isLeased
			if isDelete {
				q.messages = append(q.messages[:i:i], q.messages[i+1:]...)
			}
			return nil
		}
	}
	return nil
}

func (f *fake) DeleteMessage(_ context.Context, _ Caller, in *DeleteMessageRequest) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	q, err := f.queue("DeleteMessage", in.Queue)
	if err == nil {
		err = q.change(in.ReceiptHandle, false, true)
	}
	return err
}

func (f *fake) DeleteMessageBatch(_ context.Context, _ Caller, in *DeleteMessageBatchRequest) (*DeleteMessageBatchResult, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	q, err := f.queue("DeleteMessageBatch", in.Queue)
	if err != nil {
		return nil, err
	}
	out := &DeleteMessageBatchResult{}
	for _, entry := range in.Entries {
		if err := q.change(entry.ReceiptHandle, false, true); err != nil {
			out.Failed = append(out.Failed, NewBatchError(entry.ID, err))
			continue
		}
		out.Successful = append(out.Successful, Done{entry.ID})
	}
	return out, nil
}

func (f *fake) ChangeMessageVisibility(_ context.Context, _ Caller, in *ChangeMessageVisibilityRequest) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	q, err := f.queue("ChangeMessageVisibility", in.Queue)
	if err == nil {
		err = q.change(in.ReceiptHandle, *in.VisibilityTimeout > 0, false)
	}
	return err
}

func (f *fake) ChangeMessageVisibilityBatch(_ context.Context, _ Caller, in *ChangeMessageVisibilityBatchRequest) (*ChangeMessageVisibilityBatchResult, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	q, err := f.queue("ChangeMessageVisibilityBatch", in.Queue)
	if err != nil {
		return nil, err
	}
	out := &ChangeMessageVisibilityBatchResult{}
	for _, entry := range in.Entries {
		if err := q.change(entry.ReceiptHandle, *entry.VisibilityTimeout > 0, false); err != nil {
			out.Failed = append(out.Failed, NewBatchError(entry.ID, err))
			continue
		}
		out.Successful = append(out.Successful, Done{entry.ID})
	}
	return out, nil
}

func (f *fake) ListDeadLetterSourceQueues(_ context.Context, c Caller, in *ListDeadLetterSourceQueuesRequest) (*ListDeadLetterSourceQueuesResult, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, err := f.queue("ListDeadLetterSourceQueues", in.Queue); err != nil {
		return nil, err
	}
	out := &ListDeadLetterSourceQueuesResult{}
	for _, name := range sortedKeys(f.queues) {
		if strings.Contains(f.queues[name].attributes["RedrivePolicy"], ":"+in.Queue+`"`) {
			out.QueueURLs = append(out.QueueURLs, c.URL(name))
		}
	}
	return out, nil
}

func (f *fake) StartMessageMoveTask(_ context.Context, _ Caller, in *StartMessageMoveTaskRequest) (*StartMessageMoveTaskResult, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, err := f.queue("StartMessageMoveTask", in.SourceQueue); err != nil {
		return nil, Errorf(ResourceNotFound, "The resource that you specified for the SourceArn parameter doesn't exist.")
	}
	return &StartMessageMoveTaskResult{TaskHandle: "task-1"}, nil
}

func (f *fake) CancelMessageMoveTask(_ context.Context, _ Caller, in *CancelMessageMoveTaskRequest) (*CancelMessageMoveTaskResult, error) {
	if in.TaskHandle != "task-1" {
		return nil, Errorf(ResourceNotFound, "Task does not exist.")
	}
	return nil, nil
}

func (f *fake) ListMessageMoveTasks(_ context.Context, _ Caller, in *ListMessageMoveTasksRequest) (*ListMessageMoveTasksResult, error) {
	left := int64(7)
	return &ListMessageMoveTasksResult{Results: []MoveTask{{TaskHandle: "task-1", Status: "RUNNING", SourceARN: in.SourceARN,
		ApproximateNumberOfMessagesMoved: 3, ApproximateNumberOfMessagesToMove: &left, StartedTimestamp: 1700000000000}}}, nil
}

func (f *fake) TagQueue(_ context.Context, _ Caller, in *TagQueueRequest) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	q, err := f.queue("TagQueue", in.Queue)
	for key, value := range in.Tags {
		if err == nil {
			q.tags[key] = value
		}
	}
	return err
}

func (f *fake) UntagQueue(_ context.Context, _ Caller, in *UntagQueueRequest) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	q, err := f.queue("UntagQueue", in.Queue)
	for _, key := range in.TagKeys {
		if err == nil {
			delete(q.tags, key)
		}
	}
	return err
}

func (f *fake) ListQueueTags(_ context.Context, _ Caller, in *QueueRequest) (*ListQueueTagsResult, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	q, err := f.queue("ListQueueTags", in.Queue)
	if err != nil {
		return nil, err
	}
	return &ListQueueTagsResult{Tags: q.tags}, nil
}

func (f *fake) AddPermission(_ context.Context, _ Caller, in *AddPermissionRequest) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	_, err := f.queue(fmt.Sprint("AddPermission ", in.Label, in.AWSAccountIDs, in.Actions), in.Queue)
	return err
}

func (f *fake) RemovePermission(_ context.Context, _ Caller, in *RemovePermissionRequest) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	_, err := f.queue("RemovePermission "+in.Label, in.Queue)
	return err
}

// signedDoor is a door that takes signed requests only, in front of a fake.
func signedDoor() (*Handler, *fake) {
	service := newFake()
	return &Handler{Service: service, Credentials: map[string]string{testKey: testSecret}}, service
}

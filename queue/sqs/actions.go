package sqs

import "context"

// Service knows the queues. Errors that a client shall be told are *Error; it may
// also return flotilla's failures. Requests are its own to keep. A batch may come
// without entries, when none was well formed: then there is still to say whether
// the queue exists. A receive waits no longer than its context lasts.
type Service interface {
	CreateQueue(context.Context, Caller, *CreateQueueRequest) (*QueueURLResult, error)
	GetQueueURL(context.Context, Caller, *GetQueueURLRequest) (*QueueURLResult, error)
	ListQueues(context.Context, Caller, *ListQueuesRequest) (*ListQueuesResult, error)
	DeleteQueue(context.Context, Caller, *QueueRequest) error
	GetQueueAttributes(context.Context, Caller, *GetQueueAttributesRequest) (*GetQueueAttributesResult, error)
	SetQueueAttributes(context.Context, Caller, *SetQueueAttributesRequest) error
	PurgeQueue(context.Context, Caller, *QueueRequest) error
	SendMessage(context.Context, Caller, *SendMessageRequest) (*SendMessageResult, error)
	SendMessageBatch(context.Context, Caller, *SendMessageBatchRequest) (*SendMessageBatchResult, error)
	ReceiveMessage(context.Context, Caller, *ReceiveMessageRequest) (*ReceiveMessageResult, error)
	DeleteMessage(context.Context, Caller, *DeleteMessageRequest) error
	DeleteMessageBatch(context.Context, Caller, *DeleteMessageBatchRequest) (*DeleteMessageBatchResult, error)
	ChangeMessageVisibility(context.Context, Caller, *ChangeMessageVisibilityRequest) error
	ChangeMessageVisibilityBatch(context.Context, Caller, *ChangeMessageVisibilityBatchRequest) (*ChangeMessageVisibilityBatchResult, error)
	ListDeadLetterSourceQueues(context.Context, Caller, *ListDeadLetterSourceQueuesRequest) (*ListDeadLetterSourceQueuesResult, error)
	StartMessageMoveTask(context.Context, Caller, *StartMessageMoveTaskRequest) (*StartMessageMoveTaskResult, error)
	CancelMessageMoveTask(context.Context, Caller, *CancelMessageMoveTaskRequest) (*CancelMessageMoveTaskResult, error)
	ListMessageMoveTasks(context.Context, Caller, *ListMessageMoveTasksRequest) (*ListMessageMoveTasksResult, error)
	TagQueue(context.Context, Caller, *TagQueueRequest) error
	UntagQueue(context.Context, Caller, *UntagQueueRequest) error
	ListQueueTags(context.Context, Caller, *QueueRequest) (*ListQueueTagsResult, error)
	AddPermission(context.Context, Caller, *AddPermissionRequest) error
	RemovePermission(context.Context, Caller, *RemovePermissionRequest) error
}

// action is one of the API: its name, its empty request, and how it is carried out.
// call returns no shape for an action that has no result.
type action struct {
	name string
	make func() shape
	call func(ctx context.Context, s Service, caller Caller, in shape) (shape, error)
}

// actions is the whole API. It is never written.
var actions = table(
	answering("CreateQueue", Service.CreateQueue),
	answering("GetQueueUrl", Service.GetQueueURL),
	answering("ListQueues", Service.ListQueues),
	silent("DeleteQueue", Service.DeleteQueue),
	answering("GetQueueAttributes", Service.GetQueueAttributes),
	silent("SetQueueAttributes", Service.SetQueueAttributes),
	silent("PurgeQueue", Service.PurgeQueue),
	answering("SendMessage", Service.SendMessage),
	answering("SendMessageBatch", Service.SendMessageBatch),
	answering("ReceiveMessage", Service.ReceiveMessage),
	silent("DeleteMessage", Service.DeleteMessage),
	answering("DeleteMessageBatch", Service.DeleteMessageBatch),
	silent("ChangeMessageVisibility", Service.ChangeMessageVisibility),
	answering("ChangeMessageVisibilityBatch", Service.ChangeMessageVisibilityBatch),
	answering("ListDeadLetterSourceQueues", Service.ListDeadLetterSourceQueues),
	answering("StartMessageMoveTask", Service.StartMessageMoveTask),
	answering("CancelMessageMoveTask", Service.CancelMessageMoveTask),
	answering("ListMessageMoveTasks", Service.ListMessageMoveTasks),
	silent("TagQueue", Service.TagQueue),
	silent("UntagQueue", Service.UntagQueue),
	answering("ListQueueTags", Service.ListQueueTags),
	silent("AddPermission", Service.AddPermission),
	silent("RemovePermission", Service.RemovePermission),
)

func table(all ...*action) map[string]*action {
	byName := make(map[string]*action, len(all))
	for _, a := range all {
		byName[a.name] = a
	}
	return byName
}

// answering is an action with a result. A Service may return nil for an empty one.
func answering[Q any, In pointerTo[Q], R any, Out pointerTo[R]](name string, method func(Service, context.Context, Caller, In) (Out, error)) *action {
	return &action{name: name, make: func() shape { return In(new(Q)) },
		call: func(ctx context.Context, s Service, caller Caller, in shape) (shape, error) {
			out, err := method(s, ctx, caller, in.(In))
			if err != nil {
				return nil, err
			}
			if out == nil {
				out = new(R)
			}
			return out, nil
		}}
}

// silent is an action without a result.
func silent[Q any, In pointerTo[Q]](name string, method func(Service, context.Context, Caller, In) error) *action {
	return &action{name: name, make: func() shape { return In(new(Q)) },
		call: func(ctx context.Context, s Service, caller Caller, in shape) (shape, error) {
			return nil, method(s, ctx, caller, in.(In))
		}}
}

package sqs

// The requests and results of the API, as AWS has them, apart from what is ours to
// know: requests carry, beside the address of a queue, its name (Queue), and,
// beside a receipt handle, what it says (Receipt); results take a Receipt and the
// door seals it. Numbers that may be absent are pointers.

// CreateQueueRequest asks for a queue.
type CreateQueueRequest struct {
	QueueName  string
	Attributes map[string]string
	Tags       map[string]string
}

func (r *CreateQueueRequest) fields(all []field) []field {
	return append(all, []field{{name: "QueueName", value: &r.QueueName, needed: true},
		{name: "Attributes", old: "Attribute", value: &r.Attributes},
		{name: "tags", old: "Tag", key: "Key", value: &r.Tags}}...)
}

// QueueURLResult is the result of CreateQueue and GetQueueUrl.
type QueueURLResult struct{ QueueURL string }

func (r *QueueURLResult) fields(all []field) []field {
	return append(all, []field{{name: "QueueUrl", value: &r.QueueURL}}...)
}

// GetQueueURLRequest asks where a queue is.
type GetQueueURLRequest struct{ QueueName, QueueOwnerAWSAccountID string }

func (r *GetQueueURLRequest) fields(all []field) []field {
	return append(all, []field{{name: "QueueName", value: &r.QueueName, needed: true},
		{name: "QueueOwnerAWSAccountId", value: &r.QueueOwnerAWSAccountID}}...)
}

// ListQueuesRequest asks which queues there are. Without MaxResults, at most 1000
// are told and there is no NextToken.
type ListQueuesRequest struct {
	QueueNamePrefix, NextToken string
	MaxResults                 *int64
}

func (r *ListQueuesRequest) fields(all []field) []field {
	return append(all, []field{{name: "QueueNamePrefix", value: &r.QueueNamePrefix},
		{name: "NextToken", value: &r.NextToken}, {name: "MaxResults", value: &r.MaxResults}}...)
}

// ListQueuesResult holds addresses.
type ListQueuesResult struct {
	QueueURLs []string
	NextToken string
}

func (r *ListQueuesResult) fields(all []field) []field {
	return append(all, []field{{name: "QueueUrls", old: "QueueUrl", value: &r.QueueURLs}, {name: "NextToken", value: &r.NextToken}}...)
}

// target is the queue that a request is for.
type target struct {
	QueueURL string // as it was sent
	Queue    string // its name, which the door reads from QueueURL
}

func (t *target) field() field   { return field{name: "QueueUrl", value: &t.QueueURL, needed: true} }
func (t *target) where() *target { return t }

// QueueRequest is a request that has nothing but its queue: DeleteQueue,
// PurgeQueue and ListQueueTags.
type QueueRequest struct{ target }

func (r *QueueRequest) fields(all []field) []field { return append(all, []field{r.field()}...) }

// GetQueueAttributesRequest asks for attributes by name, or for "All".
type GetQueueAttributesRequest struct {
	target
	AttributeNames []string
}

func (r *GetQueueAttributesRequest) fields(all []field) []field {
	return append(all, []field{r.field(), {name: "AttributeNames", old: "AttributeName", value: &r.AttributeNames}}...)
}

// GetQueueAttributesResult holds attributes.
type GetQueueAttributesResult struct{ Attributes map[string]string }

func (r *GetQueueAttributesResult) fields(all []field) []field {
	return append(all, []field{{name: "Attributes", old: "Attribute", value: &r.Attributes}}...)
}

// SetQueueAttributesRequest changes attributes.
type SetQueueAttributesRequest struct {
	target
	Attributes map[string]string
}

func (r *SetQueueAttributesRequest) fields(all []field) []field {
	return append(all, []field{r.field(), {name: "Attributes", old: "Attribute", value: &r.Attributes, needed: true}}...)
}

// ListDeadLetterSourceQueuesRequest asks whose dead letters come to a queue.
type ListDeadLetterSourceQueuesRequest struct {
	target
	NextToken  string
	MaxResults *int64
}

func (r *ListDeadLetterSourceQueuesRequest) fields(all []field) []field {
	return append(all, []field{r.field(), {name: "NextToken", value: &r.NextToken}, {name: "MaxResults", value: &r.MaxResults}}...)
}

// ListDeadLetterSourceQueuesResult holds addresses.
type ListDeadLetterSourceQueuesResult struct {
	QueueURLs []string
	NextToken string
}

func (r *ListDeadLetterSourceQueuesResult) fields(all []field) []field {
	return append(all, []field{{name: "queueUrls", old: "QueueUrl", value: &r.QueueURLs, always: true}, {name: "NextToken", value: &r.NextToken}}...)
}

// TagQueueRequest adds tags.
type TagQueueRequest struct {
	target
	Tags map[string]string
}

func (r *TagQueueRequest) fields(all []field) []field {
	return append(all, []field{r.field(), {name: "Tags", old: "Tag", key: "Key", value: &r.Tags, needed: true}}...)
}

// UntagQueueRequest takes tags away.
type UntagQueueRequest struct {
	target
	TagKeys []string
}

func (r *UntagQueueRequest) fields(all []field) []field {
	return append(all, []field{r.field(), {name: "TagKeys", old: "TagKey", value: &r.TagKeys, needed: true}}...)
}

// ListQueueTagsResult holds tags.
type ListQueueTagsResult struct{ Tags map[string]string }

func (r *ListQueueTagsResult) fields(all []field) []field {
	return append(all, []field{{name: "Tags", old: "Tag", key: "Key", value: &r.Tags}}...)
}

// AddPermissionRequest adds a statement to the queue's policy.
type AddPermissionRequest struct {
	target
	Label                  string
	AWSAccountIDs, Actions []string
}

func (r *AddPermissionRequest) fields(all []field) []field {
	return append(all, []field{r.field(), {name: "Label", value: &r.Label, needed: true},
		{name: "AWSAccountIds", old: "AWSAccountId", value: &r.AWSAccountIDs, needed: true},
		{name: "Actions", old: "ActionName", value: &r.Actions, needed: true}}...)
}

// RemovePermissionRequest takes a statement out of the queue's policy.
type RemovePermissionRequest struct {
	target
	Label string
}

func (r *RemovePermissionRequest) fields(all []field) []field {
	return append(all, []field{r.field(), {name: "Label", value: &r.Label, needed: true}}...)
}

// StartMessageMoveTaskRequest asks to move dead letters back, or to a destination.
// SourceQueue and DestinationQueue are the names in the ARNs; the latter may be empty.
type StartMessageMoveTaskRequest struct {
	SourceARN, DestinationARN     string
	MaxNumberOfMessagesPerSecond  *int64
	SourceQueue, DestinationQueue string
}

func (r *StartMessageMoveTaskRequest) fields(all []field) []field {
	return append(all, []field{{name: "SourceArn", value: &r.SourceARN, needed: true}, {name: "DestinationArn", value: &r.DestinationARN},
		{name: "MaxNumberOfMessagesPerSecond", value: &r.MaxNumberOfMessagesPerSecond}}...)
}

// StartMessageMoveTaskResult names the task.
type StartMessageMoveTaskResult struct{ TaskHandle string }

func (r *StartMessageMoveTaskResult) fields(all []field) []field {
	return append(all, []field{{name: "TaskHandle", value: &r.TaskHandle}}...)
}

// CancelMessageMoveTaskRequest names a task.
type CancelMessageMoveTaskRequest struct{ TaskHandle string }

func (r *CancelMessageMoveTaskRequest) fields(all []field) []field {
	return append(all, []field{{name: "TaskHandle", value: &r.TaskHandle, needed: true}}...)
}

// CancelMessageMoveTaskResult says how far the task came.
type CancelMessageMoveTaskResult struct{ ApproximateNumberOfMessagesMoved int64 }

func (r *CancelMessageMoveTaskResult) fields(all []field) []field {
	return append(all, []field{{name: "ApproximateNumberOfMessagesMoved", value: &r.ApproximateNumberOfMessagesMoved}}...)
}

// ListMessageMoveTasksRequest asks for the latest tasks of a source, 1 unless
// MaxResults (at most 10) says otherwise.
type ListMessageMoveTasksRequest struct {
	SourceARN   string
	MaxResults  *int64
	SourceQueue string // the name in SourceARN
}

func (r *ListMessageMoveTasksRequest) fields(all []field) []field {
	return append(all, []field{{name: "SourceArn", value: &r.SourceARN, needed: true}, {name: "MaxResults", value: &r.MaxResults}}...)
}

// ListMessageMoveTasksResult holds tasks, the latest first.
type ListMessageMoveTasksResult struct{ Results []MoveTask }

func (r *ListMessageMoveTasksResult) fields(all []field) []field {
	return append(all, []field{{name: "Results", old: "ListMessageMoveTasksResultEntry", value: listOf(&r.Results)}}...)
}

// MoveTask is what a task has done. Status is RUNNING, COMPLETED, CANCELLING,
// CANCELLED or FAILED; TaskHandle is told of running ones only; StartedTimestamp is
// in milliseconds since 1970.
type MoveTask struct {
	TaskHandle, Status, SourceARN, DestinationARN string
	MaxNumberOfMessagesPerSecond                  *int64
	ApproximateNumberOfMessagesMoved              int64
	ApproximateNumberOfMessagesToMove             *int64
	FailureReason                                 string
	StartedTimestamp                              int64
}

func (r *MoveTask) fields(all []field) []field {
	return append(all, []field{{name: "TaskHandle", value: &r.TaskHandle}, {name: "Status", value: &r.Status},
		{name: "SourceArn", value: &r.SourceARN}, {name: "DestinationArn", value: &r.DestinationARN},
		{name: "MaxNumberOfMessagesPerSecond", value: &r.MaxNumberOfMessagesPerSecond},
		{name: "ApproximateNumberOfMessagesMoved", value: &r.ApproximateNumberOfMessagesMoved},
		{name: "ApproximateNumberOfMessagesToMove", value: &r.ApproximateNumberOfMessagesToMove},
		{name: "FailureReason", value: &r.FailureReason}, {name: "StartedTimestamp", value: &r.StartedTimestamp}}...)
}

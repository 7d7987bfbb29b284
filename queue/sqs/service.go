package sqs

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strconv"
	"strings"

	"flotilla"
	"flotilla/queue"
)

// queues is the Service of a cluster's queues.
type queues struct{ client *queue.Client }

// NewService returns the Service of the queues that a client reaches.
func NewService(client *queue.Client) Service { return &queues{client} }

func (s *queues) CreateQueue(ctx context.Context, c Caller, in *CreateQueueRequest) (*QueueURLResult, error) {
	err := s.client.CreateQueue(ctx, queue.CreateQueue{QueueName: in.QueueName, Attributes: pairs(in.Attributes), Tags: pairs(in.Tags)})
	if err != nil {
		return nil, err
	}
	return &QueueURLResult{QueueURL: c.URL(in.QueueName)}, nil
}

// pairs makes the machine's form of a map, the same each time.
func pairs(m map[string]string) []queue.Pair {
	all := make([]queue.Pair, 0, len(m))
	for _, name := range sortedKeys(m) {
		all = append(all, queue.Pair{Name: name, Value: m[name]})
	}
	return all
}

func (s *queues) GetQueueURL(ctx context.Context, c Caller, in *GetQueueURLRequest) (*QueueURLResult, error) {
	if _, err := s.client.GetQueueAttributes(ctx, in.QueueName); err != nil {
		return nil, err
	}
	return &QueueURLResult{QueueURL: c.URL(in.QueueName)}, nil
}

func (s *queues) ListQueues(ctx context.Context, c Caller, in *ListQueuesRequest) (*ListQueuesResult, error) {
	after, err := readToken(in.NextToken)
	if err != nil {
		return nil, err
	}
	page, err := s.client.ListQueues(ctx, queue.ListQueues{QueueNamePrefix: in.QueueNamePrefix, After: after, MaxResults: or(in.MaxResults, maxListed)})
	if err != nil {
		return nil, err
	}
	out := &ListQueuesResult{}
	out.QueueURLs, out.NextToken = addresses(c, page, in.MaxResults != nil)
	return out, nil
}

// addresses returns those of a page's queues, and the token of the next page. Who did
// not say how many to list is told of no more, as on SQS.
func addresses(c Caller, page queue.QueueNames, isPaged bool) (urls []string, token string) {
	for _, name := range page.Names {
		urls = append(urls, c.URL(name))
	}
	if page.HasMore && isPaged && len(page.Names) > 0 {
		token = base64.RawURLEncoding.EncodeToString([]byte(page.Names[len(page.Names)-1]))
	}
	return urls, token
}

// readToken returns the name that a NextToken stands for: the last of the page before.
func readToken(token string) (after string, err error) {
	name, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || token != "" && nameError(string(name)) != nil {
		return "", Errorf(InvalidParameterValue, "Invalid or expired next token.")
	}
	return string(name), nil
}

// or returns a number that may be absent.
func or(n *int64, otherwise int64) int64 {
	if n == nil {
		return otherwise
	}
	return *n
}

func (s *queues) DeleteQueue(ctx context.Context, _ Caller, in *QueueRequest) error {
	return s.client.DeleteQueue(ctx, in.Queue)
}

func (s *queues) PurgeQueue(ctx context.Context, _ Caller, in *QueueRequest) error {
	return s.client.PurgeQueue(ctx, in.Queue)
}

func (s *queues) GetQueueAttributes(ctx context.Context, c Caller, in *GetQueueAttributesRequest) (*GetQueueAttributesResult, error) {
	about, err := s.client.GetQueueAttributes(ctx, in.Queue)
	if err != nil {
		return nil, err
	}
	all := map[string]string{
		"QueueArn":                              c.ARN(in.Queue),
		"CreatedTimestamp":                      seconds(about.CreatedTimestamp),
		"LastModifiedTimestamp":                 seconds(about.LastModifiedTimestamp),
		"ApproximateNumberOfMessages":           strconv.FormatUint(about.Counters.Ready, 10),
		"ApproximateNumberOfMessagesNotVisible": strconv.FormatUint(about.Counters.Leased, 10),
		"ApproximateNumberOfMessagesDelayed":    strconv.FormatUint(about.Counters.Delayed, 10),
	}
	for _, p := range about.Attributes {
		all[p.Name] = p.Value
	}
	return &GetQueueAttributesResult{Attributes: pick(all, in.AttributeNames)}, nil
}

func seconds(at flotilla.Millis) string { return strconv.FormatInt(int64(at)/1000, 10) }

func (s *queues) SetQueueAttributes(ctx context.Context, _ Caller, in *SetQueueAttributesRequest) error {
	return s.client.SetQueueAttributes(ctx, queue.SetQueueAttributes{QueueName: in.Queue, Attributes: pairs(in.Attributes)})
}

func (s *queues) ListDeadLetterSourceQueues(ctx context.Context, c Caller, in *ListDeadLetterSourceQueuesRequest) (*ListDeadLetterSourceQueuesResult, error) {
	after, err := readToken(in.NextToken)
	if err != nil {
		return nil, err
	}
	if _, err := s.client.GetQueueAttributes(ctx, in.Queue); err != nil {
		return nil, err
	}
	page, err := s.client.ListDeadLetterSourceQueues(ctx,
		queue.ListDeadLetterSourceQueues{QueueName: in.Queue, After: after, MaxResults: or(in.MaxResults, maxListed)})
	if err != nil {
		return nil, err
	}
	out := &ListDeadLetterSourceQueuesResult{}
	out.QueueURLs, out.NextToken = addresses(c, page, in.MaxResults != nil)
	return out, nil
}

func (s *queues) StartMessageMoveTask(ctx context.Context, _ Caller, in *StartMessageMoveTaskRequest) (*StartMessageMoveTaskResult, error) {
	if in.DestinationQueue == "" {
		if err := s.takesDeadLetters(ctx, in.SourceQueue); err != nil {
			return nil, err
		}
	}
	started, err := s.client.StartMessageMoveTask(ctx, queue.StartMessageMoveTask{SourceQueue: in.SourceQueue,
		DestinationQueue: in.DestinationQueue, MaxNumberOfMessagesPerSecond: or(in.MaxNumberOfMessagesPerSecond, 0)})
	if err != nil {
		return nil, err
	}
	return &StartMessageMoveTaskResult{TaskHandle: started.TaskHandle}, nil
}

// takesDeadLetters says whether there are queues that a queue's messages could go back to.
func (s *queues) takesDeadLetters(ctx context.Context, name string) error {
	sources, err := s.client.ListDeadLetterSourceQueues(ctx, queue.ListDeadLetterSourceQueues{QueueName: name, MaxResults: 1})
	if err != nil || len(sources.Names) > 0 {
		return err
	}
	var answer *queue.Error
	if err := s.exists(ctx, name); errors.As(err, &answer) {
		return noSuchResource("SourceArn")
	} else if err != nil {
		return err
	}
	return Errorf(InvalidParameterValue, "Source queue must be configured as a Dead Letter Queue.")
}

func (s *queues) CancelMessageMoveTask(ctx context.Context, _ Caller, in *CancelMessageMoveTaskRequest) (*CancelMessageMoveTaskResult, error) {
	if source, _, ok := strings.Cut(in.TaskHandle, ":"); !ok || nameError(source) != nil {
		return nil, Errorf(InvalidParameterValue, "Value for parameter TaskHandle is invalid.")
	}
	cancelled, err := s.client.CancelMessageMoveTask(ctx, in.TaskHandle)
	if err != nil {
		return nil, err
	}
	return &CancelMessageMoveTaskResult{ApproximateNumberOfMessagesMoved: int64(cancelled.ApproximateNumberOfMessagesMoved)}, nil
}

func (s *queues) ListMessageMoveTasks(ctx context.Context, c Caller, in *ListMessageMoveTasksRequest) (*ListMessageMoveTasksResult, error) {
	tasks, err := s.client.ListMessageMoveTasks(ctx, in.SourceQueue)
	if err != nil {
		return nil, err
	}
	out := &ListMessageMoveTasksResult{}
	for _, t := range tasks.Results[:min(or(in.MaxResults, 1), int64(len(tasks.Results)))] {
		out.Results = append(out.Results, moveTask(c, in.SourceARN, &t))
	}
	return out, nil
}

func moveTask(c Caller, sourceARN string, t *queue.MoveTask) MoveTask {
	toMove := int64(t.ApproximateNumberOfMessagesToMove)
	told := MoveTask{Status: t.Status, SourceARN: sourceARN, FailureReason: t.FailureReason,
		ApproximateNumberOfMessagesMoved: int64(t.ApproximateNumberOfMessagesMoved), ApproximateNumberOfMessagesToMove: &toMove,
		StartedTimestamp: int64(t.StartedTimestamp)}
	if t.Status == queue.MoveRunning {
		told.TaskHandle = t.TaskHandle
	}
	if t.DestinationQueue != "" {
		told.DestinationARN = c.ARN(t.DestinationQueue)
	}
	if t.MaxNumberOfMessagesPerSecond > 0 {
		told.MaxNumberOfMessagesPerSecond = &t.MaxNumberOfMessagesPerSecond
	}
	return told
}

func (s *queues) TagQueue(ctx context.Context, _ Caller, in *TagQueueRequest) error {
	return s.client.TagQueue(ctx, queue.TagQueue{QueueName: in.Queue, Tags: pairs(in.Tags)})
}

func (s *queues) UntagQueue(ctx context.Context, _ Caller, in *UntagQueueRequest) error {
	return s.client.UntagQueue(ctx, queue.UntagQueue{QueueName: in.Queue, TagKeys: in.TagKeys})
}

func (s *queues) ListQueueTags(ctx context.Context, _ Caller, in *QueueRequest) (*ListQueueTagsResult, error) {
	about, err := s.client.GetQueueAttributes(ctx, in.Queue)
	if err != nil {
		return nil, err
	}
	out := &ListQueueTagsResult{}
	for _, tag := range about.Tags {
		set(&out.Tags, tag.Name, tag.Value)
	}
	return out, nil
}

// AddPermission adds a statement to the queue's policy, as AWS writes it. No policy is
// asked when a request comes in: see the package's comment.
func (s *queues) AddPermission(ctx context.Context, c Caller, in *AddPermissionRequest) error {
	arn := c.ARN(in.Queue)
	statement, err := json.Marshal(map[string]any{"Sid": in.Label, "Effect": "Allow", "Resource": arn,
		"Principal": map[string]any{"AWS": oneOrMore(in.AWSAccountIDs, "arn:aws:iam::", ":root")},
		"Action":    oneOrMore(in.Actions, "SQS:", "")})
	flotilla.Assert(err == nil, "strings are JSON")
	policy := `{"Version":"2008-10-17","Id":"` + arn + `/SQSDefaultPolicy"}`
	return s.client.AddPermission(ctx, queue.AddPermission{QueueName: in.Queue, Label: in.Label, Statement: string(statement), Policy: policy})
}

// oneOrMore returns one text or several, as policies have them.
func oneOrMore(items []string, before, after string) any {
	all := make([]string, len(items))
	for i, item := range items {
		all[i] = before + item + after
	}
	if len(all) == 1 {
		return all[0]
	}
	return all
}

func (s *queues) RemovePermission(ctx context.Context, _ Caller, in *RemovePermissionRequest) error {
	return s.client.RemovePermission(ctx, queue.RemovePermission{QueueName: in.Queue, Label: in.Label})
}

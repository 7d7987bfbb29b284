package sqs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// goClient is aws-sdk-go-v2, asking another node each time.
type goClient struct {
	t     *testing.T
	ctx   context.Context
	nodes []*sdk.Client
	asked int
}

// node returns the client of the next node.
func (g *goClient) node() *sdk.Client {
	g.asked++
	return g.nodes[g.asked%len(g.nodes)]
}

// must fails the test on an error.
func must[T any](t *testing.T) func(T, error) T {
	return func(result T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return result
	}
}

func (g *goClient) create(name string, attributes map[string]string) *string {
	g.t.Helper()
	return must[*sdk.CreateQueueOutput](g.t)(g.node().CreateQueue(g.ctx, &sdk.CreateQueueInput{QueueName: &name, Attributes: attributes,
		Tags: map[string]string{"of": name}})).QueueUrl
}

func (g *goClient) send(queue *string, body string, change func(*sdk.SendMessageInput)) *sdk.SendMessageOutput {
	g.t.Helper()
	in := &sdk.SendMessageInput{QueueUrl: queue, MessageBody: &body}
	if change != nil {
		change(in)
	}
	return must[*sdk.SendMessageOutput](g.t)(g.node().SendMessage(g.ctx, in))
}

// receive waits for up to ten messages with all their attributes.
func (g *goClient) receive(queue *string, seconds int32) []types.Message {
	g.t.Helper()
	return must[*sdk.ReceiveMessageOutput](g.t)(g.node().ReceiveMessage(g.ctx, &sdk.ReceiveMessageInput{QueueUrl: queue, MaxNumberOfMessages: 10,
		WaitTimeSeconds: seconds, MessageAttributeNames: []string{"All"},
		MessageSystemAttributeNames: []types.MessageSystemAttributeName{types.MessageSystemAttributeNameAll}})).Messages
}

func (g *goClient) hide(queue *string, m types.Message, seconds int32) {
	g.t.Helper()
	must[*sdk.ChangeMessageVisibilityOutput](g.t)(g.node().ChangeMessageVisibility(g.ctx,
		&sdk.ChangeMessageVisibilityInput{QueueUrl: queue, ReceiptHandle: m.ReceiptHandle, VisibilityTimeout: seconds}))
}

func (g *goClient) delete(queue *string, m types.Message) {
	g.t.Helper()
	must[*sdk.DeleteMessageOutput](g.t)(g.node().DeleteMessage(g.ctx, &sdk.DeleteMessageInput{QueueUrl: queue, ReceiptHandle: m.ReceiptHandle}))
}

// counters are those of messages that are ready, leased and delayed.
func (g *goClient) counters(queue *string) string {
	g.t.Helper()
	a := must[*sdk.GetQueueAttributesOutput](g.t)(g.node().GetQueueAttributes(g.ctx, &sdk.GetQueueAttributesInput{QueueUrl: queue,
		AttributeNames: []types.QueueAttributeName{types.QueueAttributeNameAll}})).Attributes
	return a["ApproximateNumberOfMessages"] + " " + a["ApproximateNumberOfMessagesNotVisible"] + " " + a["ApproximateNumberOfMessagesDelayed"]
}

func (g *goClient) expect(queue *string, counters string) {
	g.t.Helper()
	if got := g.counters(queue); got != counters {
		g.t.Errorf("%s has %s messages, not %s", *queue, got, counters)
	}
}

func arn(name string) *string { return aws.String("arn:aws:sqs:eu-west-1:000000000000:" + name) }

func bodies(messages []types.Message) (all []string) {
	for _, m := range messages {
		all = append(all, *m.Body)
	}
	slices.Sort(all)
	return all
}

// A whole life of queues, each step by way of another node.
func TestGoSDKDoesJobs(t *testing.T) {
	c := signedCluster(t, 3)
	g := &goClient{t: t, ctx: t.Context()}
	for _, endpoint := range c.endpoints {
		g.nodes = append(g.nodes, newClient(endpoint, testSecret))
	}
	t.Run("messages", func(t *testing.T) { g.t = t; g.messages() })
	t.Run("batches", func(t *testing.T) { g.t = t; g.batches() })
	t.Run("long polls", func(t *testing.T) { g.t = t; g.longPolls() })
	t.Run("dead letters", func(t *testing.T) { g.t = t; g.deadLetters() })
	t.Run("move tasks", func(t *testing.T) { g.t = t; g.moveTasks() })
	t.Run("fifo", func(t *testing.T) { g.t = t; g.fifo() })
	t.Run("beyond SQS", func(t *testing.T) { g.t = t; g.beyond() })
	t.Run("spread", func(t *testing.T) { g.t = t; g.spread() })
	t.Run("queues", func(t *testing.T) { g.t = t; g.queues() })
}

func (g *goClient) messages() {
	jobs := g.create("jobs", map[string]string{"VisibilityTimeout": "45"})
	const text = "<b> \u2028 \"é\" 😀\r\n"
	sent := g.send(jobs, text, func(in *sdk.SendMessageInput) {
		in.MessageAttributes = map[string]types.MessageAttributeValue{
			"Blob": {DataType: aws.String("Binary"), BinaryValue: []byte{0, 255}}, "Size": {DataType: aws.String("Number"), StringValue: aws.String("12")}}
		in.MessageSystemAttributes = map[string]types.MessageSystemAttributeValue{"AWSTraceHeader": {DataType: aws.String("String"), StringValue: aws.String("Root=1")}}
	})
	g.expect(jobs, "1 0 0")
	got := g.receive(jobs, 0)
	if len(got) != 1 || *got[0].Body != text || *got[0].MessageId != *sent.MessageId || *got[0].MD5OfMessageAttributes != *sent.MD5OfMessageAttributes ||
		!bytes.Equal(got[0].MessageAttributes["Blob"].BinaryValue, []byte{0, 255}) || got[0].Attributes["AWSTraceHeader"] != "Root=1" ||
		got[0].Attributes["ApproximateReceiveCount"] != "1" || got[0].Attributes["SenderId"] != testKey {
		g.t.Fatal(got)
	}
	g.expect(jobs, "0 1 0")
	g.hide(jobs, got[0], 0)
	again := g.receive(jobs, 0)
	if len(again) != 1 || again[0].Attributes["ApproximateReceiveCount"] != "2" {
		g.t.Fatal(again)
	}
	g.delete(jobs, got[0]) // a handle that was superseded: answered as done, as on SQS, and nothing is deleted
	g.expect(jobs, "0 1 0")
	_, err := g.node().ChangeMessageVisibility(g.ctx, &sdk.ChangeMessageVisibilityInput{QueueUrl: jobs, ReceiptHandle: got[0].ReceiptHandle, VisibilityTimeout: 1})
	want := "Value " + *got[0].ReceiptHandle + " for parameter ReceiptHandle is invalid. Reason: Message does not exist or is not available for visibility timeout change."
	if err == nil || !strings.Contains(err.Error(), want) {
		g.t.Error(err)
	}
	g.delete(jobs, again[0])
	g.delete(jobs, again[0]) // a second time is no error
	g.expect(jobs, "0 0 0")
	must[*sdk.SetQueueAttributesOutput](g.t)(g.node().SetQueueAttributes(g.ctx, &sdk.SetQueueAttributesInput{QueueUrl: jobs, Attributes: map[string]string{"DelaySeconds": "900"}}))
	g.send(jobs, "later", nil)
	g.expect(jobs, "0 0 1")
	must[*sdk.PurgeQueueOutput](g.t)(g.node().PurgeQueue(g.ctx, &sdk.PurgeQueueInput{QueueUrl: jobs}))
	g.expect(jobs, "0 0 0")
	var busy *types.PurgeQueueInProgress
	if _, err := g.node().PurgeQueue(g.ctx, &sdk.PurgeQueueInput{QueueUrl: jobs}); !errors.As(err, &busy) {
		g.t.Error(err)
	}
}

func (g *goClient) batches() {
	jobs := g.create("batches", nil)
	var entries []types.SendMessageBatchRequestEntry
	for i := range 9 {
		entries = append(entries, types.SendMessageBatchRequestEntry{Id: aws.String(fmt.Sprint(i)), MessageBody: aws.String(fmt.Sprint(i))})
	}
	entries = append(entries, types.SendMessageBatchRequestEntry{Id: aws.String("late"), MessageBody: aws.String("x"), DelaySeconds: 901})
	sent := must[*sdk.SendMessageBatchOutput](g.t)(g.node().SendMessageBatch(g.ctx, &sdk.SendMessageBatchInput{QueueUrl: jobs, Entries: entries}))
	if len(sent.Successful) != 9 || len(sent.Failed) != 1 || !sent.Failed[0].SenderFault || *sent.Failed[0].Code != "InvalidParameterValue" {
		g.t.Fatal(sent)
	}
	got := g.receive(jobs, 0)
	if strings.Join(bodies(got), "") != "012345678" {
		g.t.Fatal(bodies(got))
	}
	var changes []types.ChangeMessageVisibilityBatchRequestEntry
	var deletes []types.DeleteMessageBatchRequestEntry
	for _, m := range got {
		changes = append(changes, types.ChangeMessageVisibilityBatchRequestEntry{Id: m.Body, ReceiptHandle: m.ReceiptHandle, VisibilityTimeout: 90})
		deletes = append(deletes, types.DeleteMessageBatchRequestEntry{Id: m.Body, ReceiptHandle: m.ReceiptHandle})
	}
	changes[3].VisibilityTimeout = 43201
	changed := must[*sdk.ChangeMessageVisibilityBatchOutput](g.t)(g.node().ChangeMessageVisibilityBatch(g.ctx, &sdk.ChangeMessageVisibilityBatchInput{QueueUrl: jobs, Entries: changes}))
	if len(changed.Successful) != 8 || len(changed.Failed) != 1 || *changed.Failed[0].Id != *changes[3].Id {
		g.t.Error(changed)
	}
	deletes[5].ReceiptHandle = aws.String("garbage")
	deleted := must[*sdk.DeleteMessageBatchOutput](g.t)(g.node().DeleteMessageBatch(g.ctx, &sdk.DeleteMessageBatchInput{QueueUrl: jobs, Entries: deletes}))
	if len(deleted.Successful) != 8 || len(deleted.Failed) != 1 || *deleted.Failed[0].Code != "ReceiptHandleIsInvalid" {
		g.t.Error(deleted)
	}
	g.expect(jobs, "0 1 0")
}

// longPolls has workers wait on all nodes, and sends by another: who waits is woken.
func (g *goClient) longPolls() {
	jobs := g.create("polls", nil)
	began := time.Now()
	if got := g.receive(jobs, 1); len(got) > 0 || time.Since(began) < time.Second {
		g.t.Error(got, time.Since(began))
	}
	received := make(chan error, len(g.nodes))
	for _, node := range g.nodes {
		go func() {
			got, err := node.ReceiveMessage(g.ctx, &sdk.ReceiveMessageInput{QueueUrl: jobs, WaitTimeSeconds: 20})
			if err == nil && len(got.Messages) != 1 {
				err = fmt.Errorf("received %d messages", len(got.Messages))
			}
			received <- err
		}()
	}
	began = time.Now()
	for range g.nodes {
		g.send(jobs, "now", nil)
	}
	for range g.nodes {
		if err := <-received; err != nil {
			g.t.Error(err)
		}
	}
	if took := time.Since(began); took > 15*time.Second {
		g.t.Error("nobody was woken:", took)
	}
}

func (g *goClient) deadLetters() {
	dead := g.create("dead", nil)
	work := g.create("work", map[string]string{"RedrivePolicy": `{"deadLetterTargetArn":"` + *arn("dead") + `","maxReceiveCount":1}`})
	sources := must[*sdk.ListDeadLetterSourceQueuesOutput](g.t)(g.nodes[0].ListDeadLetterSourceQueues(g.ctx, &sdk.ListDeadLetterSourceQueuesInput{QueueUrl: dead}))
	if len(sources.QueueUrls) != 1 || !strings.HasSuffix(sources.QueueUrls[0], "/000000000000/work") {
		g.t.Error(sources.QueueUrls)
	}
	sent := g.send(work, "fails", nil)
	g.hide(work, g.receive(work, 0)[0], 0)
	buried := g.receive(dead, 20)
	if len(buried) != 1 || *buried[0].MessageId != *sent.MessageId || buried[0].Attributes["DeadLetterQueueSourceArn"] != *arn("work") {
		g.t.Fatal(buried)
	}
	g.hide(dead, buried[0], 0)
	must[*sdk.StartMessageMoveTaskOutput](g.t)(g.node().StartMessageMoveTask(g.ctx, &sdk.StartMessageMoveTaskInput{SourceArn: arn("dead")}))
	if back := g.receive(work, 20); len(back) != 1 || *back[0].Body != "fails" {
		g.t.Fatal(back)
	}
	tasks := must[*sdk.ListMessageMoveTasksOutput](g.t)(g.node().ListMessageMoveTasks(g.ctx, &sdk.ListMessageMoveTasksInput{SourceArn: arn("dead")})).Results
	if len(tasks) != 1 || tasks[0].ApproximateNumberOfMessagesMoved != 1 || *tasks[0].ApproximateNumberOfMessagesToMove != 1 || *tasks[0].SourceArn != *arn("dead") {
		g.t.Error(tasks)
	}
}

// moveTasks begins a slow task, looks at it, cancels it and begins another.
func (g *goClient) moveTasks() {
	from, to := g.create("from", nil), g.create("to", nil)
	for i := range 20 {
		g.send(from, fmt.Sprint(i), nil)
	}
	start := &sdk.StartMessageMoveTaskInput{SourceArn: arn("from"), DestinationArn: arn("to"), MaxNumberOfMessagesPerSecond: aws.Int32(1)}
	task := must[*sdk.StartMessageMoveTaskOutput](g.t)(g.node().StartMessageMoveTask(g.ctx, start)).TaskHandle
	if _, err := g.node().StartMessageMoveTask(g.ctx, start); errorCode(err) != "InvalidParameterValue" {
		g.t.Error("two tasks at a time:", err)
	}
	if moved := g.receive(to, 20); len(moved) == 0 {
		g.t.Error("nothing is moved")
	}
	list := func() types.ListMessageMoveTasksResultEntry {
		return must[*sdk.ListMessageMoveTasksOutput](g.t)(g.node().ListMessageMoveTasks(g.ctx, &sdk.ListMessageMoveTasksInput{SourceArn: arn("from")})).Results[0]
	}
	running := list()
	if *running.Status != "RUNNING" || *running.TaskHandle != *task || *running.ApproximateNumberOfMessagesToMove != 20 || *running.MaxNumberOfMessagesPerSecond != 1 {
		g.t.Error(running)
	}
	cancelled := must[*sdk.CancelMessageMoveTaskOutput](g.t)(g.node().CancelMessageMoveTask(g.ctx, &sdk.CancelMessageMoveTaskInput{TaskHandle: task}))
	after := list()
	if *after.Status != "CANCELLED" || after.TaskHandle != nil || after.ApproximateNumberOfMessagesMoved != cancelled.ApproximateNumberOfMessagesMoved {
		g.t.Error(after, cancelled)
	}
	var gone *types.ResourceNotFoundException
	if _, err := g.node().CancelMessageMoveTask(g.ctx, &sdk.CancelMessageMoveTaskInput{TaskHandle: task}); !errors.As(err, &gone) {
		g.t.Error(err)
	}
}

func (g *goClient) fifo() {
	jobs := g.create("jobs.fifo", map[string]string{"FifoQueue": "true"})
	inGroup := func(group, id string) func(*sdk.SendMessageInput) {
		return func(in *sdk.SendMessageInput) { in.MessageGroupId, in.MessageDeduplicationId = &group, &id }
	}
	first := g.send(jobs, "a1", inGroup("a", "1"))
	if again := g.send(jobs, "other", inGroup("a", "1")); *again.MessageId != *first.MessageId || *again.SequenceNumber != *first.SequenceNumber {
		g.t.Error(again)
	}
	g.send(jobs, "b1", inGroup("b", "2"))
	last := g.send(jobs, "a2", inGroup("a", "3"))
	if len(*last.SequenceNumber) != 20 || *last.SequenceNumber <= *first.SequenceNumber {
		g.t.Error(*last.SequenceNumber)
	}
	receive := &sdk.ReceiveMessageInput{QueueUrl: jobs, ReceiveRequestAttemptId: aws.String("try"), VisibilityTimeout: 30}
	got := must[*sdk.ReceiveMessageOutput](g.t)(g.node().ReceiveMessage(g.ctx, receive)).Messages
	repeated := must[*sdk.ReceiveMessageOutput](g.t)(g.node().ReceiveMessage(g.ctx, receive)).Messages
	if len(got) != 1 || *got[0].Body != "a1" || len(repeated) != 1 || *repeated[0].Body != "a1" {
		g.t.Fatal(got, repeated)
	}
	if others := bodies(g.receive(jobs, 0)); !slices.Equal(others, []string{"b1"}) {
		g.t.Error("beside a leased message of the group:", others)
	}
	g.delete(jobs, repeated[0])
	if next := g.receive(jobs, 0); len(next) != 1 || *next[0].Body != "a2" || next[0].Attributes["SequenceNumber"] != *last.SequenceNumber || next[0].Attributes["MessageDeduplicationId"] != "3" {
		g.t.Error(next)
	}
	_, err := g.node().SendMessageBatch(g.ctx, &sdk.SendMessageBatchInput{QueueUrl: jobs, Entries: []types.SendMessageBatchRequestEntry{
		{Id: aws.String("a"), MessageBody: aws.String("x"), MessageGroupId: aws.String("g"), MessageDeduplicationId: aws.String("9")},
		{Id: aws.String("b"), MessageBody: aws.String("x"), MessageGroupId: aws.String("g")}}})
	if errorCode(err) != "InvalidParameterValue" || !strings.Contains(err.Error(), "ContentBasedDeduplication enabled") {
		g.t.Error(err)
	}
	g.expect(jobs, "0 2 0")
}

// beyond asks for what SQS does not have.
func (g *goClient) beyond() {
	jobs := g.create("beyond", map[string]string{"Fencing": "strict", "MaxInFlight": "2", "RetryBackoff": "fixed", "RetryBackoffSeconds": "900"})
	about := must[*sdk.GetQueueAttributesOutput](g.t)(g.node().GetQueueAttributes(g.ctx, &sdk.GetQueueAttributesInput{QueueUrl: jobs,
		AttributeNames: []types.QueueAttributeName{"Fencing", "MaxInFlight", "RateLimit"}})).Attributes
	if len(about) != 2 || about["Fencing"] != "strict" || about["MaxInFlight"] != "2" {
		g.t.Error(about)
	}
	with := func(name, kind, value string) func(*sdk.SendMessageInput) {
		return func(in *sdk.SendMessageInput) {
			in.MessageAttributes = map[string]types.MessageAttributeValue{name: {DataType: &kind, StringValue: &value}}
		}
	}
	g.send(jobs, "scheduled", with("Flotilla.ScheduledAt", "String", time.Now().Add(48*time.Hour).Format(time.RFC3339)))
	g.send(jobs, "plain", nil)
	g.send(jobs, "urgent", with("Flotilla.Priority", "Number", "9"))
	g.send(jobs, "plain too", nil)
	g.expect(jobs, "3 0 1")
	got := g.receive(jobs, 0)
	if len(got) != 2 || *got[0].Body != "urgent" || *got[0].MessageAttributes["Flotilla.Priority"].StringValue != "9" {
		g.t.Fatal(bodies(got))
	}
	g.hide(jobs, got[0], 0)
	g.expect(jobs, "1 1 2") // the retry waits
	for name, value := range map[string]string{"Flotilla.Priority": "10", "Flotilla.ScheduledAt": fmt.Sprint(time.Now().AddDate(2, 0, 0).UnixMilli())} {
		in := &sdk.SendMessageInput{QueueUrl: jobs, MessageBody: aws.String("x")}
		with(name, "Number", value)(in)
		if _, err := g.node().SendMessage(g.ctx, in); errorCode(err) != "InvalidParameterValue" {
			g.t.Error(name, err)
		}
	}
}

// spread sends through all partitions of a queue that has three, and gets all back.
func (g *goClient) spread() {
	jobs := g.create("spread", map[string]string{"Partitions": "3"})
	var sent, got []string
	for i := range 20 {
		sent = append(sent, *g.send(jobs, fmt.Sprint(i), nil).MessageId)
	}
	g.expect(jobs, "20 0 0")
	for len(got) < 20 {
		messages := g.receive(jobs, 5)
		if len(messages) == 0 {
			g.t.Fatal("only these came back:", got)
		}
		for _, m := range messages {
			got = append(got, *m.MessageId)
			g.delete(jobs, m)
		}
	}
	slices.Sort(sent)
	slices.Sort(got)
	if !slices.Equal(sent, got) {
		g.t.Error(sent, got)
	}
	g.expect(jobs, "0 0 0")
}

func (g *goClient) queues() {
	var missing *types.QueueDoesNotExist
	if _, err := g.node().GetQueueUrl(g.ctx, &sdk.GetQueueUrlInput{QueueName: aws.String("nothing")}); !errors.As(err, &missing) ||
		missing.ErrorCode() != "AWS.SimpleQueueService.NonExistentQueue" {
		g.t.Error(err)
	}
	var exists *types.QueueNameExists
	if _, err := g.node().CreateQueue(g.ctx, &sdk.CreateQueueInput{QueueName: aws.String("beyond"), Attributes: map[string]string{"Fencing": "sqs"}}); !errors.As(err, &exists) {
		g.t.Error(err)
	}
	var names []string
	pages := sdk.NewListQueuesPaginator(g.nodes[0], &sdk.ListQueuesInput{MaxResults: aws.Int32(3)})
	for pages.HasMorePages() {
		page := must[*sdk.ListQueuesOutput](g.t)(pages.NextPage(g.ctx))
		for _, url := range page.QueueUrls {
			names = append(names, url[strings.LastIndexByte(url, '/')+1:])
		}
	}
	want := []string{"batches", "beyond", "dead", "from", "jobs", "jobs.fifo", "polls", "spread", "to", "work"}
	if !slices.Equal(names, want) {
		g.t.Error(names)
	}
	url := must[*sdk.GetQueueUrlOutput](g.t)(g.nodes[1].GetQueueUrl(g.ctx, &sdk.GetQueueUrlInput{QueueName: aws.String("jobs")})).QueueUrl
	key, value := strings.Repeat("é", 128), strings.Repeat("日", 256) // as long as may be, in characters
	must[*sdk.TagQueueOutput](g.t)(g.node().TagQueue(g.ctx, &sdk.TagQueueInput{QueueUrl: url, Tags: map[string]string{key: value}}))
	must[*sdk.UntagQueueOutput](g.t)(g.node().UntagQueue(g.ctx, &sdk.UntagQueueInput{QueueUrl: url, TagKeys: []string{"of"}}))
	if tags := must[*sdk.ListQueueTagsOutput](g.t)(g.node().ListQueueTags(g.ctx, &sdk.ListQueueTagsInput{QueueUrl: url})).Tags; len(tags) != 1 || tags[key] != value {
		g.t.Error(tags)
	}
	must[*sdk.AddPermissionOutput](g.t)(g.node().AddPermission(g.ctx, &sdk.AddPermissionInput{QueueUrl: url, Label: aws.String("l"),
		AWSAccountIds: []string{"111122223333"}, Actions: []string{"*"}}))
	must[*sdk.RemovePermissionOutput](g.t)(g.node().RemovePermission(g.ctx, &sdk.RemovePermissionInput{QueueUrl: url, Label: aws.String("l")}))
	for _, name := range names {
		must[*sdk.DeleteQueueOutput](g.t)(g.node().DeleteQueue(g.ctx, &sdk.DeleteQueueInput{QueueUrl: aws.String(name)}))
	}
	if _, err := g.node().SendMessage(g.ctx, &sdk.SendMessageInput{QueueUrl: url, MessageBody: aws.String("x")}); !errors.As(err, &missing) {
		g.t.Error(err)
	}
}

package faulttest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"flotilla/check"
)

// sqsClient speaks SQS's JSON protocol to one node after another, and retries nothing by
// itself: what becomes of an attempt is what we are here to see.
type sqsClient struct {
	http      *http.Client
	addresses []string
	at        int
}

func newSQSClient(addresses []string, at int) *sqsClient {
	return &sqsClient{addresses: addresses, at: at, http: &http.Client{
		Timeout:   10 * time.Second,
		Transport: &http.Transport{DialContext: (&net.Dialer{Timeout: time.Second}).DialContext, MaxIdleConnsPerHost: 1},
	}}
}

// sqsError is an answer that says no.
type sqsError struct {
	status  int
	Type    string `json:"__type"`
	Message string `json:"message"`
}

func (e *sqsError) Error() string { return fmt.Sprintf("%d %s: %s", e.status, e.Type, e.Message) }

// do asks for an action. After a failure the next attempt goes to the next node.
func (c *sqsClient) do(ctx context.Context, action string, request, reply any) error {
	body, err := json.Marshal(request)
	if err != nil {
		return err
	}
	post, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+c.addresses[c.at%len(c.addresses)]+"/", bytes.NewReader(body))
	if err != nil {
		return err
	}
	post.Header.Set("Content-Type", "application/x-amz-json-1.0")
	post.Header.Set("X-Amz-Target", "AmazonSQS."+action)
	answer, err := c.http.Do(post)
	if err != nil {
		c.at++
		return err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		c.at++
		return err
	}
	if answer.StatusCode == http.StatusOK {
		if reply == nil {
			return nil
		}
		return json.Unmarshal(text, reply)
	}
	if answer.StatusCode >= 500 {
		c.at++
	}
	no := &sqsError{status: answer.StatusCode}
	if err := json.Unmarshal(text, no); err != nil {
		return fmt.Errorf("%d with %q: %w", answer.StatusCode, text, err)
	}
	return no
}

// sqsOutcome says what a client knows after an error.
func sqsOutcome(err error) (outcome check.Outcome, isNo bool) {
	var no *sqsError
	var network *net.OpError
	switch {
	case err == nil:
		return check.Known, false
	case errors.As(err, &no) && no.status < 500:
		return check.Known, true
	case errors.As(err, &no) && strings.HasPrefix(no.Message, "Not carried out"):
		return check.Refused, false
	case errors.As(err, &network) && network.Op == "dial":
		return check.Refused, false
	}
	return check.Unknown, false
}

// url is a queue's address; only its path counts.
func url(queue string) string { return "http://localhost/000000000000/" + queue }

// sqsEntry is one of a batch, asked or answered.
type sqsEntry struct {
	ID                string `json:"Id"`
	MessageBody       string `json:",omitempty"`
	MessageGroupID    string `json:"MessageGroupId,omitempty"`
	Duplicate         string `json:"MessageDeduplicationId,omitempty"`
	DelaySeconds      int    `json:",omitempty"`
	ReceiptHandle     string `json:",omitempty"`
	VisibilityTimeout *int   `json:",omitempty"`
	MessageID         string `json:"MessageId,omitempty"`
	SequenceNumber    string `json:",omitempty"`
	Code              string `json:",omitempty"`
}

// batch asks for the same thing for several, and writes down what came of each.
func (l *queueLoad) batch(ctx context.Context, c *sqsClient, client int, action string, operations []check.QueueOperation, entries []sqsEntry) []check.QueueOperation {
	for i := range entries {
		entries[i].ID, operations[i].Client = strconv.Itoa(i), client
	}
	first := l.recorder.Begin(operations...)
	var reply struct{ Successful, Failed []sqsEntry }
	err := c.do(ctx, action, map[string]any{"QueueUrl": url(operations[0].Queue), "Entries": entries}, &reply)
	outcome, _ := sqsOutcome(err)
	for i := range operations {
		operations[i].Outcome = outcome
	}
	for _, yes := range reply.Successful {
		i, _ := strconv.Atoi(yes.ID)
		operations[i].IsDone, operations[i].MessageID = true, yes.MessageID
		operations[i].Sequence = l.sequence(yes.SequenceNumber)
	}
	for _, no := range reply.Failed {
		i, _ := strconv.Atoi(no.ID)
		switch no.Code {
		case "InternalFailure", "InternalError":
			operations[i].Outcome = check.Unknown
		case "ServiceUnavailable":
			operations[i].Outcome = check.Refused
		}
	}
	l.recorder.End(first, operations...)
	l.count(err)
	return operations
}

// sequence reads the number of a message of a FIFO queue.
func (l *queueLoad) sequence(text string) uint64 {
	n, _ := strconv.ParseUint(text, 10, 64)
	return n
}

// receive leases messages.
func (l *queueLoad) receive(ctx context.Context, c *sqsClient, client int, queue string, visibility, wait int) check.QueueOperation {
	o := check.QueueOperation{Client: client, Kind: check.Receive, Queue: queue, Visibility: int64(visibility) * 1000}
	first := l.recorder.Begin(o)
	var reply struct {
		Messages []struct {
			MessageID     string `json:"MessageId"`
			ReceiptHandle string
			Body          string
			Attributes    map[string]string
		}
	}
	err := c.do(ctx, "ReceiveMessage", map[string]any{"QueueUrl": url(queue), "MaxNumberOfMessages": 10, "VisibilityTimeout": visibility,
		"WaitTimeSeconds": wait, "MessageSystemAttributeNames": []string{"All"}}, &reply)
	var isNo bool
	o.Outcome, isNo = sqsOutcome(err)
	o.IsDone = o.Outcome == check.Known && !isNo
	for _, m := range reply.Messages {
		number := func(name string) uint64 { n, _ := strconv.ParseUint(m.Attributes[name], 10, 64); return n }
		source := m.Attributes["DeadLetterQueueSourceArn"]
		o.Deliveries = append(o.Deliveries, check.Delivery{Body: m.Body, MessageID: m.MessageID, Handle: m.ReceiptHandle, Group: m.Attributes["MessageGroupId"],
			Sequence: number("SequenceNumber"), Count: number("ApproximateReceiveCount"), SentAt: int64(number("SentTimestamp")), DeadSource: source[strings.LastIndexByte(source, ':')+1:]})
	}
	l.recorder.End(first, o)
	l.count(err)
	return o
}

// left says how many messages a queue counts.
func (l *queueLoad) left(ctx context.Context, c *sqsClient, client int, queue string) (total int64, err error) {
	o := check.QueueOperation{Client: client, Kind: check.Tally, Queue: queue}
	first := l.recorder.Begin(o)
	var reply struct{ Attributes map[string]string }
	err = c.do(ctx, "GetQueueAttributes", map[string]any{"QueueUrl": url(queue), "AttributeNames": []string{"All"}}, &reply)
	for _, name := range []string{"ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed"} {
		n, _ := strconv.ParseInt(reply.Attributes[name], 10, 64)
		o.Total += n
	}
	var isNo bool
	o.Outcome, isNo = sqsOutcome(err)
	o.IsDone = o.Outcome == check.Known && !isNo
	l.recorder.End(first, o)
	return o.Total, err
}

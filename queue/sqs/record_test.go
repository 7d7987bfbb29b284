//go:build record

package sqs

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// Writes into testdata what real clients say to a door, and what they are told, as
// when a newer client is out: go test -tags record ./queue/sqs -run Record. Behind the
// door is a fake, whose answers are the same each time.

// recorder passes requests on and notes them and their answers.
type recorder struct {
	inner http.Handler
	host  string
	mu    sync.Mutex
	text  strings.Builder
}

func (c *recorder) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	answer := httptest.NewRecorder()
	c.inner.ServeHTTP(answer, r)
	c.mu.Lock()
	c.text.WriteString(c.plain(renderRequest(r, body) + renderAnswer(answer)))
	c.mu.Unlock()
	for name, values := range answer.Header() {
		w.Header()[name] = values
	}
	w.WriteHeader(answer.Code)
	_, _ = w.Write(answer.Body.Bytes())
}

// plain takes out what differs from run to run.
func (c *recorder) plain(text string) string {
	text = strings.ReplaceAll(text, c.host, recordedHost)
	return strings.ReplaceAll(text, url.QueryEscape(c.host), url.QueryEscape(recordedHost))
}

// all is what was said so far.
func (c *recorder) all() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.text.String()
}

func (c *recorder) save(t *testing.T, path string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(c.all()), 0o644); err != nil {
		t.Fatal(err)
	}
}

func renderRequest(r *http.Request, body []byte) string {
	text := fmt.Sprintf("> %s %s\n", r.Method, r.URL)
	for _, name := range keptHeaders {
		if value := r.Header.Get(name); value != "" {
			text += "> " + name + ": " + value + "\n"
		}
	}
	return text + string(body) + "\n"
}

// listen serves a handler and records what is said.
func listen(t *testing.T, h http.Handler) (endpoint string, said *recorder) {
	t.Helper()
	said = &recorder{inner: h}
	server := httptest.NewUnstartedServer(said)
	said.host = server.Listener.Addr().String()
	server.Start()
	t.Cleanup(server.Close)
	return server.URL, said
}

func TestRecordBoto(t *testing.T) {
	for _, python := range pythonsWithBoto() {
		h, _ := signedDoor()
		endpoint, said := listen(t, h)
		runClient(t, exec.CommandContext(t.Context(), python, "testdata/scenario.py", endpoint))
		name := "testdata/boto3-query.txt"
		if strings.Contains(said.all(), "X-Amz-Target") {
			name = "testdata/boto3-json.txt"
		}
		said.save(t, name)
	}
}

// Debian's aws speaks the Query protocol, newer ones JSON: whichever are here.
func TestRecordCommandLine(t *testing.T) {
	for _, program := range programs("/usr/bin/aws", "aws") {
		h, _ := signedDoor()
		endpoint, said := listen(t, h)
		runClient(t, exec.CommandContext(t.Context(), "/bin/sh", "testdata/scenario.sh", program, endpoint))
		file := "testdata/awscli-query.txt"
		if strings.Contains(said.all(), "X-Amz-Target") {
			file = "testdata/awscli-json.txt"
		}
		said.save(t, file)
	}
}

func TestRecordGoSDK(t *testing.T) {
	h, _ := signedDoor()
	endpoint, said := listen(t, h)
	client, ctx := newClient(endpoint, testSecret), t.Context()
	created, err := client.CreateQueue(ctx, &sdk.CreateQueueInput{QueueName: aws.String("jobs"), Attributes: map[string]string{"VisibilityTimeout": "45"}})
	if err != nil || *created.QueueUrl != endpoint+"/000000000000/jobs" {
		t.Fatal(created, err)
	}
	sent, err := client.SendMessage(ctx, &sdk.SendMessageInput{QueueUrl: created.QueueUrl, MessageBody: aws.String("<b> \u2028 \"é\" 😀\r\n"),
		MessageAttributes: map[string]types.MessageAttributeValue{
			"Blob": {DataType: aws.String("Binary"), BinaryValue: []byte{0, 255}},
			"Size": {DataType: aws.String("Number"), StringValue: aws.String("12")}}})
	if err != nil {
		t.Fatal(err)
	}
	got, err := client.ReceiveMessage(ctx, &sdk.ReceiveMessageInput{QueueUrl: created.QueueUrl, MaxNumberOfMessages: 10, WaitTimeSeconds: 1,
		MessageAttributeNames: []string{"All"}, MessageSystemAttributeNames: []types.MessageSystemAttributeName{types.MessageSystemAttributeNameAll}})
	if err != nil || len(got.Messages) != 1 || *got.Messages[0].Body != "<b> \u2028 \"é\" 😀\r\n" ||
		!bytes.Equal(got.Messages[0].MessageAttributes["Blob"].BinaryValue, []byte{0, 255}) ||
		*got.Messages[0].MD5OfMessageAttributes != *sent.MD5OfMessageAttributes || got.Messages[0].Attributes["ApproximateReceiveCount"] != "1" {
		t.Fatal(got, err)
	}
	if _, err := client.DeleteMessage(ctx, &sdk.DeleteMessageInput{QueueUrl: created.QueueUrl, ReceiptHandle: got.Messages[0].ReceiptHandle}); err != nil {
		t.Fatal(err)
	}
	batch, err := client.SendMessageBatch(ctx, &sdk.SendMessageBatchInput{QueueUrl: created.QueueUrl, Entries: []types.SendMessageBatchRequestEntry{
		{Id: aws.String("a"), MessageBody: aws.String("1")}, {Id: aws.String("b"), MessageBody: aws.String("2"), DelaySeconds: 901}}})
	if err != nil || len(batch.Successful) != 1 || len(batch.Failed) != 1 || !batch.Failed[0].SenderFault || *batch.Failed[0].Code != "InvalidParameterValue" {
		t.Fatal(batch, err)
	}
	arn := aws.String("arn:aws:sqs:eu-west-1:000000000000:jobs")
	tasks, err := client.ListMessageMoveTasks(ctx, &sdk.ListMessageMoveTasksInput{SourceArn: arn})
	if err != nil || tasks.Results[0].ApproximateNumberOfMessagesMoved != 3 || *tasks.Results[0].ApproximateNumberOfMessagesToMove != 7 {
		t.Fatal(tasks, err)
	}
	var missing *types.QueueDoesNotExist
	_, err = client.GetQueueUrl(ctx, &sdk.GetQueueUrlInput{QueueName: aws.String("nothing")})
	if !errors.As(err, &missing) || missing.ErrorCode() != "AWS.SimpleQueueService.NonExistentQueue" {
		t.Fatal(err)
	}
	var handle *types.ReceiptHandleIsInvalid
	_, err = client.DeleteMessage(ctx, &sdk.DeleteMessageInput{QueueUrl: created.QueueUrl, ReceiptHandle: aws.String("AQEB+/=")})
	if !errors.As(err, &handle) {
		t.Fatal(err)
	}
	if _, err := client.ReceiveMessage(ctx, &sdk.ReceiveMessageInput{QueueUrl: created.QueueUrl, WaitTimeSeconds: 21}); errorCode(err) != "InvalidParameterValue" {
		t.Fatal(err)
	}
	said.save(t, "testdata/gosdk.txt")
}

package sqs

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// discard is a client that does not listen.
type discard struct {
	header http.Header
	status int
}

func (d *discard) Header() http.Header         { clear(d.header); return d.header }
func (d *discard) Write(b []byte) (int, error) { return len(b), nil }
func (d *discard) WriteHeader(status int)      { d.status = status }

// instant is a Service that has its answers ready.
type instant struct{ *fake }

const benchHandle = "AAAAAAAAAAEAAAAAAAAAAgAAAAAAAAADAAAAAAAAAAAAAAAAAAAAAA"

func (instant) SendMessage(context.Context, Caller, *SendMessageRequest) (*SendMessageResult, error) {
	return &SendMessageResult{MessageID: "8d7a7a3e-0000-8000-8000-000000000001"}, nil
}

func (instant) SendMessageBatch(_ context.Context, _ Caller, in *SendMessageBatchRequest) (*SendMessageBatchResult, error) {
	out := &SendMessageBatchResult{}
	for _, entry := range in.Entries {
		out.Successful = append(out.Successful, SendResultEntry{ID: entry.ID, SendMessageResult: SendMessageResult{MessageID: "8d7a7a3e-0000-8000-8000-000000000001"}})
	}
	return out, nil
}

func (instant) ReceiveMessage(_ context.Context, _ Caller, in *ReceiveMessageRequest) (*ReceiveMessageResult, error) {
	out := &ReceiveMessageResult{}
	for range or(in.MaxNumberOfMessages, 1) {
		out.Messages = append(out.Messages, Message{MessageID: "8d7a7a3e-0000-8000-8000-000000000001", ReceiptHandle: benchHandle, Body: strings.Repeat("a", 256)})
	}
	return out, nil
}

func (instant) DeleteMessage(context.Context, Caller, *DeleteMessageRequest) error { return nil }

func (instant) DeleteMessageBatch(_ context.Context, _ Caller, in *DeleteMessageBatchRequest) (*DeleteMessageBatchResult, error) {
	out := &DeleteMessageBatchResult{}
	for _, entry := range in.Entries {
		out.Successful = append(out.Successful, Done{entry.ID})
	}
	return out, nil
}

// What the wire alone costs for jobs of 256 bytes: no network, no queue. Signed ones
// are what SDKs send, whether anybody looks at the signature or not.
func BenchmarkWire(b *testing.B) {
	const queue = `{"QueueUrl":"http://127.0.0.1:9324/000000000000/q"`
	ten := func(entry string) string {
		var all []string
		for i := range 10 {
			all = append(all, strings.ReplaceAll(entry, "#", fmt.Sprint(i)))
		}
		return queue + `,"Entries":[` + strings.Join(all, ",") + `]}`
	}
	body := `"MessageBody":"` + strings.Repeat("a", 256) + `"`
	for _, test := range []struct{ action, body string }{
		{"SendMessage", queue + "," + body + "}"}, {"ReceiveMessage", queue + `,"WaitTimeSeconds":20}`}, {"DeleteMessage", queue + `,"ReceiptHandle":"` + benchHandle + `"}`},
		{"SendMessageBatch", ten(`{"Id":"#",` + body + "}")}, {"ReceiveMessage", queue + `,"MaxNumberOfMessages":10}`},
		{"DeleteMessageBatch", ten(`{"Id":"#","ReceiptHandle":"` + benchHandle + `"}`)},
	} {
		for _, kind := range []string{"unsigned", "signed", "verified"} {
			name := test.action + "/" + kind
			if strings.Contains(test.body, ":10}") {
				name = "ReceiveMessage10/" + kind
			}
			b.Run(name, func(b *testing.B) { benchWire(b, kind, test.action, test.body) })
		}
	}
}

func benchWire(b *testing.B, kind, action, body string) {
	h := &Handler{Service: instant{newFake()}, AllowUnsigned: true}
	r := httptest.NewRequest("POST", "/", strings.NewReader(body))
	r.Header.Set("X-Amz-Target", "AmazonSQS."+action)
	r.Header.Set("Content-Type", "application/x-amz-json-1.0")
	if kind != "unsigned" {
		sign(b, r, body)
	}
	if kind == "verified" {
		h.Credentials = map[string]string{testKey: testSecret}
	}
	w := &discard{header: http.Header{}}
	reader := bytes.NewReader(nil)
	sent := []byte(body)
	b.ReportAllocs()
	for b.Loop() {
		reader.Reset(sent)
		r.Body = io.NopCloser(reader)
		h.ServeHTTP(w, r)
	}
	if w.status != http.StatusOK {
		b.Fatal(w.status)
	}
}

// sign signs a request as SDKs do.
func sign(b *testing.B, r *http.Request, body string) {
	b.Helper()
	r.Header.Set("X-Amz-Content-Sha256", "ignored")
	signRequest(r, body, testKey, testSecret, time.Now(), "content-type", "host", "x-amz-content-sha256", "x-amz-date", "x-amz-target")
}

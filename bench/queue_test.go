package bench

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// tinyQueue is as much of a queue as the load needs, in the words of Amazon SQS.
type tinyQueue struct {
	mu                     sync.Mutex
	ready                  int
	next                   int
	leased                 map[string]bool
	sent, deleted, refused int
	refuse                 func(action string) bool
	conns                  map[string]bool
	attributes             map[string]string
}

func (q *tinyQueue) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var in struct {
		QueueUrl, QueueName, MessageBody, ReceiptHandle string
		MaxNumberOfMessages                             int
		Attributes                                      map[string]string
		Entries                                         []struct{ ID, MessageBody, ReceiptHandle string }
	}
	body, _ := io.ReadAll(r.Body)
	action := strings.TrimPrefix(r.Header.Get("X-Amz-Target"), "AmazonSQS.")
	if err := json.Unmarshal(body, &in); err != nil {
		http.Error(w, err.Error(), 400)
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.conns[r.RemoteAddr] = true
	if q.refuse != nil && q.refuse(action) {
		q.refused++
		w.WriteHeader(400)
		fmt.Fprint(w, `{"__type":"com.amazonaws.sqs#OverLimit","message":"no"}`)
		return
	}
	reply := "{}"
	switch action {
	case "CreateQueue":
		q.attributes = in.Attributes
	case "SendMessage":
		q.ready++
		q.sent += len(in.MessageBody)
	case "SendMessageBatch":
		q.ready += len(in.Entries)
	case "ReceiveMessage":
		var messages []string
		for ; q.ready > 0 && len(messages) < in.MaxNumberOfMessages; q.ready-- {
			q.next++
			q.leased[fmt.Sprint(q.next)] = true
			messages = append(messages, fmt.Sprintf(`{"Body":"x","ReceiptHandle":"%d"}`, q.next))
		}
		reply = `{"Messages":[` + strings.Join(messages, ",") + `]}`
	case "DeleteMessage", "DeleteMessageBatch":
		handles := []string{in.ReceiptHandle}
		if len(in.Entries) > 0 {
			handles = nil
		}
		for _, e := range in.Entries {
			handles = append(handles, e.ReceiptHandle)
		}
		for _, handle := range handles {
			if q.leased[handle] {
				delete(q.leased, handle)
				q.deleted++
			}
		}
	}
	w.Header().Set("Content-Length", fmt.Sprint(len(reply)))
	fmt.Fprint(w, reply)
}

func newTinyQueue(t *testing.T) (*tinyQueue, string) {
	q := &tinyQueue{leased: map[string]bool{}, conns: map[string]bool{}}
	server := httptest.NewServer(q)
	t.Cleanup(server.Close)
	return q, strings.TrimPrefix(server.URL, "http://")
}

// TestQueueDoesWholeJobs lets a few connections work, one by one and in batches, and compares
// what they say with what the server saw.
func TestQueueDoesWholeJobs(t *testing.T) {
	for _, batch := range []int{1, 10} {
		q, address := newTinyQueue(t)
		report, err := Queue(t.Context(), QueueConfig{Addresses: []string{address}, Connections: 4, Batch: batch, Partitions: 3, Duration: 200 * time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		q.mu.Lock()
		if q.attributes["Partitions"] != "3" || len(q.conns) != 4+1 {
			t.Errorf("attributes %v, %d connections", q.attributes, len(q.conns))
		}
		// Rounds that were on their way at the end are not counted, nor those after it: timers may be late.
		if done := int(report.Operations); done == 0 || done > q.deleted || done < q.deleted/2 || len(report.Errors) > 0 {
			t.Errorf("batches of %d: %d jobs reported, %d messages deleted, errors %v", batch, done, q.deleted, report.Errors)
		}
		if batch == 1 && q.sent/256 < q.deleted {
			t.Errorf("sent %d bytes, deleted %d messages", q.sent, q.deleted)
		}
		q.mu.Unlock()
		var text strings.Builder
		if err := report.Print(&text); err != nil || !strings.Contains(text.String(), "jobs a second") {
			t.Errorf("%v: %s", err, text.String())
		}
	}
}

// TestQueueStepsAlone sends only, and receives only what was sent before.
func TestQueueStepsAlone(t *testing.T) {
	q, address := newTinyQueue(t)
	c := QueueConfig{Addresses: []string{address}, Connections: 2, Work: "send", Duration: 100 * time.Millisecond}
	if report, err := Queue(t.Context(), c); err != nil || int(report.Operations) > q.ready || report.Operations == 0 {
		t.Errorf("%v: sent %d, there are %d", err, report.Operations, q.ready)
	}
	q.ready = 0
	c.Work, c.Backlog, c.Batch = "receive", 6400, 10
	report, err := Queue(t.Context(), c)
	if err != nil || report.Operations == 0 || int(report.Operations) > q.next || q.deleted > 0 {
		t.Errorf("%v: received %d of %d, deleted %d", err, report.Operations, q.next, q.deleted)
	}
	if q.next+q.ready < 6400 {
		t.Errorf("the backlog was %d", q.next+q.ready)
	}
}

// TestQueueCountsWhatIsRefused: by the name that the server gives it.
func TestQueueCountsWhatIsRefused(t *testing.T) {
	q, address := newTinyQueue(t)
	q.refuse = func(action string) bool { return action == "ReceiveMessage" }
	report, err := Queue(t.Context(), QueueConfig{Addresses: []string{address}, Connections: 2, Duration: 100 * time.Millisecond})
	if err != nil || report.Operations != 0 || report.Errors["OverLimit"] == 0 {
		t.Errorf("%v: %d jobs, errors %v", err, report.Operations, report.Errors)
	}
	if _, err := Queue(t.Context(), QueueConfig{Addresses: []string{address}, Batch: 11}); err == nil {
		t.Error("a batch of 11 is taken")
	}
}

func TestReadHTTP(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"HTTP/1.1 200 OK\r\nA: b\r\ncontent-length: 2\r\n\r\n{}", "200 {}"},
		{"HTTP/1.1 400 Bad Request\r\nContent-Length:0\r\n\r\n", "400 "},
		{"HTTP/1.1 200 OK\r\n\r\n{}", "error"},
		{"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n{}", "error"},
		{"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n{}", "error"},
		{"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n{}", "error"},
		{"HTTP/2 200\r\n\r\n", "error"},
		{"", "error"},
	} {
		k := &sqsConnection{in: bufio.NewReaderSize(strings.NewReader(c.in), readBuffer)}
		status, reply, err := k.read()
		got := fmt.Sprintf("%d %s", status, reply)
		if err != nil {
			got = "error"
		}
		if got != c.want {
			t.Errorf("%q: %s, not %s", c.in, got, c.want)
		}
	}
}

package bench

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"
)

// sqsConnection is a client of our own for Amazon SQS's JSON protocol: one HTTP
// connection that is kept, requests that are bytes, and as much of the replies as it
// needs. It signs nothing, and costs less than what it measures.
type sqsConnection struct {
	conn  net.Conn
	in    *bufio.Reader
	host  string
	url   string // of the queue
	work  string
	batch int

	send, receive []byte // bodies of requests, always the same
	out, body     []byte
	handles       [][]byte
	failed        []string
}

const (
	waitForMessage = 1 // second: others may have taken what was sent
	maxReplyBytes  = 64 << 20
)

var errNoHTTP = errors.New("a reply that is not HTTP with a length")

func dialQueue(ctx context.Context, c *QueueConfig, address, work string) (*sqsConnection, error) {
	dialer := net.Dialer{Timeout: dialTimeout}
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	k := &sqsConnection{conn: conn, in: bufio.NewReaderSize(conn, readBuffer), host: address, work: work, batch: c.Batch,
		url: "http://" + address + "/000000000000/" + c.Name}
	text := strings.Repeat("0123456789abcdef", c.BodyBytes/16+1)[:c.BodyBytes]
	if c.Batch == 1 {
		k.send = fmt.Appendf(nil, `{"QueueUrl":%q,"MessageBody":%q}`, k.url, text)
	} else {
		k.send = fmt.Appendf(nil, `{"QueueUrl":%q,"Entries":[`, k.url)
		for i := range c.Batch {
			k.send = fmt.Appendf(k.send, `{"Id":"%d","MessageBody":%q},`, i, text)
		}
		k.send = append(k.send[:len(k.send)-1], "]}"...)
	}
	k.receive = fmt.Appendf(nil, `{"QueueUrl":%q,"MaxNumberOfMessages":%d,"WaitTimeSeconds":%d}`, k.url, c.Batch, waitForMessage)
	return k, nil
}

func (k *sqsConnection) close() { _ = k.conn.Close() }

// run does one round: a send, or a receive, or a whole job or batch of them. It
// returns how many messages went all the way.
func (k *sqsConnection) run(context.Context) (done int, failed []string, err error) {
	k.failed = k.failed[:0]
	if k.work != "receive" {
		if done, err = k.sendOne(); done == 0 || err != nil || k.work == "send" {
			return done, k.failed, err
		}
	}
	for left := done; ; { // what others took, they make up for
		received, err := k.receiveOne()
		if err != nil || k.work == "receive" || received == 0 {
			return received, k.failed, err
		}
		deleted, err := k.deleteAll()
		if left -= received; left <= 0 || err != nil || deleted < received {
			return max(done-max(left, 0), 0), k.failed, err
		}
	}
}

// check counts an answer that is not what was hoped for.
func (k *sqsConnection) check(status int, reply []byte) bool {
	if status == 200 && !bytes.Contains(reply, []byte(`"Failed":[{`)) {
		return true
	}
	k.failed = append(k.failed, errorName(status, reply))
	return false
}

// errorName returns what SQS calls an error.
func errorName(status int, reply []byte) string {
	_, rest, ok := bytes.Cut(reply, []byte(`"__type":"`))
	if name, _, isWhole := bytes.Cut(rest, []byte(`"`)); ok && isWhole {
		return string(name[bytes.LastIndexByte(name, '#')+1:])
	}
	return strconv.Itoa(status)
}

func (k *sqsConnection) sendOne() (done int, err error) {
	action := "SendMessage"
	if k.batch > 1 {
		action = "SendMessageBatch"
	}
	status, reply, err := k.ask(action, k.send)
	if err != nil || !k.check(status, reply) {
		return 0, err
	}
	return k.batch, nil
}

// receiveOne receives up to a batch, and keeps the handles.
func (k *sqsConnection) receiveOne() (done int, err error) {
	status, reply, err := k.ask("ReceiveMessage", k.receive)
	k.handles = k.handles[:0]
	if err != nil || !k.check(status, reply) {
		return 0, err
	}
	for {
		_, rest, ok := bytes.Cut(reply, []byte(`"ReceiptHandle":"`))
		end := bytes.IndexByte(rest, '"')
		if !ok || end < 0 {
			return len(k.handles), nil
		}
		k.handles = append(k.handles, rest[:end])
		reply = rest[end:]
	}
}

// deleteAll deletes what was received.
func (k *sqsConnection) deleteAll() (done int, err error) {
	action := "DeleteMessage"
	k.body = fmt.Appendf(k.body[:0], `{"QueueUrl":%q,`, k.url)
	if k.batch == 1 {
		k.body = fmt.Appendf(k.body, `"ReceiptHandle":%q}`, k.handles[0])
	} else {
		action = "DeleteMessageBatch"
		k.body = append(k.body, `"Entries":[`...)
		for i, handle := range k.handles {
			k.body = fmt.Appendf(k.body, `{"Id":"%d","ReceiptHandle":%q},`, i, handle)
		}
		k.body = append(k.body[:len(k.body)-1], "]}"...)
	}
	count := len(k.handles)
	status, reply, err := k.ask(action, k.body)
	if err != nil || !k.check(status, reply) {
		return 0, err
	}
	return count, nil
}

// ask sends one request and returns the answer, whose bytes are valid until the next.
func (k *sqsConnection) ask(action string, body []byte) (status int, reply []byte, err error) {
	k.out = fmt.Appendf(k.out[:0], "POST / HTTP/1.1\r\nHost: %s\r\nContent-Type: application/x-amz-json-1.0\r\nX-Amz-Target: AmazonSQS.%s\r\nContent-Length: %d\r\n\r\n",
		k.host, action, len(body))
	k.out = append(k.out, body...)
	if err := k.conn.SetDeadline(time.Now().Add(replyTimeout)); err != nil {
		return 0, nil, err
	}
	if _, err := k.conn.Write(k.out); err != nil {
		return 0, nil, err
	}
	return k.read()
}

func (k *sqsConnection) read() (status int, reply []byte, err error) {
	line, err := k.in.ReadSlice('\n')
	if err != nil {
		return 0, nil, err
	}
	if len(line) < 12 || !bytes.HasPrefix(line, []byte("HTTP/1.1 ")) {
		return 0, nil, errNoHTTP
	}
	if status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return 0, nil, errNoHTTP
	}
	length := -1
	for {
		if line, err = k.in.ReadSlice('\n'); err != nil {
			return 0, nil, err
		}
		if len(line) <= 2 {
			break
		}
		if name, value, _ := bytes.Cut(line, []byte(":")); bytes.EqualFold(name, []byte("Content-Length")) {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil {
				return 0, nil, errNoHTTP
			}
		}
	}
	if length < 0 || length > maxReplyBytes {
		return 0, nil, errNoHTTP
	}
	if cap(k.out) < length {
		k.out = make([]byte, length)
	}
	k.out = k.out[:length] // the request is sent
	_, err = io.ReadFull(k.in, k.out)
	return status, k.out, err
}

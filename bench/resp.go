package bench

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"
)

// batch does one round of the closed loop: it sends commands and waits for all
// replies. It returns how many were answered well and, for each that was not, the
// first word of the error. err means that the connection is of no more use.
type batch interface {
	run(ctx context.Context) (done int, failed []string, err error)
	close()
}

const (
	dialTimeout  = 5 * time.Second
	replyTimeout = 30 * time.Second
	maxDepth     = 8        // of arrays within arrays in a reply
	maxElements  = 1 << 20  // of an array in a reply
	maxBulk      = 1 << 30  // bytes of one string in a reply
	readBuffer   = 64 << 10 // also bounds a line
)

// connection is the client of our own: one write for a batch, and replies that are
// read past rather than decoded.
type connection struct {
	net      net.Conn
	reader   *bufio.Reader
	source   *source
	pipeline int
	out      []byte
	failed   []string
}

func dial(ctx context.Context, c *StoreConfig, address string, source *source) (*connection, error) {
	dialer := net.Dialer{Timeout: dialTimeout}
	n, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	k := &connection{net: n, reader: bufio.NewReaderSize(n, readBuffer), source: source, pipeline: c.Pipeline}
	for _, words := range preparation(c) {
		if err := k.do(words); err != nil {
			k.close()
			return nil, fmt.Errorf("%s on %s: %w", words[0], address, err)
		}
	}
	return k, nil
}

func (k *connection) close() { _ = k.net.Close() }

// do sends one command and returns the error that it was answered with, if any.
func (k *connection) do(words []string) error {
	parts := make([][]byte, len(words))
	for i, w := range words {
		parts[i] = []byte(w)
	}
	k.out = appendCommand(k.out[:0], parts...)
	if _, err := k.net.Write(k.out); err != nil {
		return err
	}
	refusal, err := readReply(k.reader, 0)
	if err == nil && refusal != "" {
		err = errors.New(refusal)
	}
	return err
}

func (k *connection) run(context.Context) (int, []string, error) {
	k.out = k.out[:0]
	for range k.pipeline {
		k.out = k.source.append(k.out)
	}
	answered, err := k.send(k.pipeline)
	return answered - len(k.failed), k.failed, err
}

// send sends what is in out, n commands, and reads the replies.
func (k *connection) send(n int) (answered int, err error) {
	k.failed = k.failed[:0]
	if err := k.net.SetDeadline(time.Now().Add(replyTimeout)); err != nil {
		return 0, err
	}
	if _, err := k.net.Write(k.out); err != nil {
		return 0, err
	}
	for i := range n {
		refusal, err := readReply(k.reader, 0)
		if err != nil {
			return i, err
		}
		if refusal != "" {
			k.failed = append(k.failed, firstWord(refusal))
		}
	}
	return n, nil
}

// exchange is send for commands that must all succeed.
func (k *connection) exchange(n int) error {
	_, err := k.send(n)
	if err == nil && len(k.failed) > 0 {
		err = fmt.Errorf("the server answers %s", k.failed[0])
	}
	return err
}

// firstWord is the code of an error: CLUSTERDOWN of "CLUSTERDOWN no majority".
func firstWord(text string) string {
	for i := range len(text) {
		if text[i] == ' ' || text[i] < ' ' {
			text = text[:i]
			break
		}
	}
	return text[:min(len(text), 32)]
}

var errReply = errors.New("the server's reply is not of the Redis protocol")

// readReply reads past one reply, RESP2 or RESP3, and returns its text if it is an
// error. It keeps no more than a line in memory.
func readReply(r *bufio.Reader, depth int) (refusal string, err error) {
	line, err := r.ReadSlice('\n')
	if err != nil {
		return "", err
	}
	if len(line) < 3 || line[len(line)-2] != '\r' || depth > maxDepth {
		return "", errReply
	}
	kind, rest := line[0], line[1:len(line)-2]
	switch kind {
	case '+', ':', '_', '#', ',', '(':
		return "", nil
	case '-':
		if len(rest) == 0 {
			return "", errReply
		}
		return string(rest), nil
	case '$', '=', '!':
		return readBulk(r, kind, rest)
	case '*', '~', '>':
		return "", skipElements(r, rest, 1, depth)
	case '%':
		return "", skipElements(r, rest, 2, depth)
	}
	return "", errReply
}

func readBulk(r *bufio.Reader, kind byte, length []byte) (refusal string, err error) {
	n, err := strconv.Atoi(string(length))
	if err != nil || n < -1 || n > maxBulk {
		return "", errReply
	}
	if n == -1 {
		return "", nil
	}
	if kind == '!' {
		head, err := r.Peek(min(n, 32))
		if err != nil {
			return "", err
		}
		refusal = string(head) + " "
	}
	_, err = r.Discard(n + 2)
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return refusal, err
}

func skipElements(r *bufio.Reader, length []byte, each, depth int) error {
	n, err := strconv.Atoi(string(length))
	if err != nil || n < -1 || n > maxElements {
		return errReply
	}
	for range n * each {
		if _, err := readReply(r, depth+1); err != nil {
			return err
		}
	}
	return nil
}

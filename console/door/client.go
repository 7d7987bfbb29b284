package door

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"
)

// Bounds of a reply. A page shows no more.
const (
	maxReplyBytes = 4 << 20
	maxDepth      = 8
)

// Client is one connection to the door. It is not safe for use by several goroutines.
type Client struct {
	conn net.Conn
	in   *bufio.Reader
	out  []byte
	left int // bytes that the reply at hand may still have
}

// Reply is what the door answered, in RESP3.
type Reply struct {
	Kind  byte   // the first byte on the wire
	Text  []byte // of what is no collection
	Items []Reply
}

// Open connects, and says who it is if there is a password. ctx bounds that and all that
// the client does.
func Open(ctx context.Context, pipe *Pipe, password string) (*Client, error) {
	conn, err := pipe.Dial(ctx)
	if err != nil {
		return nil, fmt.Errorf("reach the node's own door: %w", err)
	}
	if deadline, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(deadline); err != nil {
			return nil, errors.Join(err, conn.Close())
		}
	}
	c := &Client{conn: conn, in: bufio.NewReader(conn)}
	hello := []string{"HELLO", "3"}
	if password != "" {
		hello = append(hello, "AUTH", "default", password)
	}
	reply, err := c.Do(hello...)
	if err == nil {
		err = reply.Err()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("greet the node's own door: %w", err), conn.Close())
	}
	return c, nil
}

// Close ends the connection.
func (c *Client) Close() error { return c.conn.Close() }

// SetDeadline bounds what comes next.
func (c *Client) SetDeadline(at time.Time) error { return c.conn.SetDeadline(at) }

// Do sends a command, and returns its reply, which may be an error of the door's.
func (c *Client) Do(args ...string) (Reply, error) {
	replies, err := c.Pipeline([][]string{args})
	if err != nil {
		return Reply{}, err
	}
	return replies[0], nil
}

// Pipeline sends commands together. They must be few: nothing is read meanwhile.
func (c *Client) Pipeline(commands [][]string) ([]Reply, error) {
	c.out = c.out[:0]
	for _, args := range commands {
		c.out = fmt.Appendf(c.out, "*%d\r\n", len(args))
		for _, a := range args {
			c.out = fmt.Appendf(c.out, "$%d\r\n%s\r\n", len(a), a)
		}
	}
	if _, err := c.conn.Write(c.out); err != nil {
		return nil, err
	}
	c.left = maxReplyBytes
	replies := make([]Reply, 0, len(commands))
	for range commands {
		r, err := c.read(0)
		if err != nil {
			return nil, err
		}
		replies = append(replies, r)
	}
	return replies, nil
}

// Parse reads a reply from bytes, as the store's machine has it.
func Parse(b []byte) (Reply, error) {
	c := &Client{in: bufio.NewReader(bytes.NewReader(b)), left: maxReplyBytes}
	return c.read(0)
}

// Err returns the door's error, or nil if the reply is none.
func (r Reply) Err() error {
	if r.Kind == '-' || r.Kind == '!' {
		return errors.New(string(r.Text))
	}
	return nil
}

// IsNull reports whether the reply says that there is nothing.
func (r Reply) IsNull() bool { return r.Kind == '_' }

// ErrTooLarge says that a reply is larger than a page can show.
var ErrTooLarge = errors.New("the reply is too large to be shown here: use redis-cli")

var errReply = errors.New("the door's reply can not be read")

// read reads one reply.
func (c *Client) read(depth int) (Reply, error) {
	line, err := c.in.ReadSlice('\n')
	if err != nil {
		return Reply{}, err
	}
	if len(line) < 3 || depth > maxDepth {
		return Reply{}, errReply
	}
	if c.left -= len(line); c.left < 0 {
		return Reply{}, ErrTooLarge
	}
	r, rest := Reply{Kind: line[0]}, string(line[1:len(line)-2])
	switch r.Kind {
	case '+', '-', ':', '#', ',', '(', '_':
		r.Text = []byte(rest)
		return r, nil
	case '$', '=', '!':
		return c.bulk(r, rest)
	case '*', '~', '>', '%', '^':
		return c.items(r, rest, depth)
	}
	return r, errReply
}

func (c *Client) bulk(r Reply, length string) (Reply, error) {
	if length == "_" || length == "-1" {
		return Reply{Kind: '_'}, nil
	}
	n, err := strconv.Atoi(length)
	if err != nil || n < 0 {
		return r, errReply
	}
	if c.left -= n; c.left < 0 {
		return r, ErrTooLarge
	}
	r.Text = make([]byte, n+2)
	_, err = io.ReadFull(c.in, r.Text)
	r.Text = r.Text[:n]
	return r, err
}

func (c *Client) items(r Reply, count string, depth int) (Reply, error) {
	n, err := strconv.Atoi(count)
	if err != nil || n < -1 {
		return r, errReply
	}
	if n == -1 {
		return Reply{Kind: '_'}, nil
	}
	if r.Kind == '%' || r.Kind == '^' {
		n *= 2
	}
	if c.left -= n; c.left < 0 { // before memory is taken
		return r, ErrTooLarge
	}
	for range n {
		item, err := c.read(depth + 1)
		if err != nil {
			return r, err
		}
		r.Items = append(r.Items, item)
	}
	return r, nil
}

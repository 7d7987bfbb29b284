package rest

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"time"
	"unicode/utf8"

	"flotilla/queue"
)

// The methods of Client: one for each route.

// Queues returns a page of the names of queues that begin with a prefix, behind after;
// limit 0 means a thousand.
func (c *Client) Queues(ctx context.Context, prefix, after string, limit int64) (all Queues, err error) {
	query := url.Values{}
	setText(query, "prefix", prefix)
	setText(query, "after", after)
	setNumber(query, "limit", limit)
	_, err = c.ask(ctx, request{method: http.MethodGet, path: "/queues", query: query, repeats: true}, &all)
	return all, err
}

// Create creates a queue, if there is none of that name and kind.
func (c *Client) Create(ctx context.Context, name string, in CreateQueue) error {
	_, err := c.ask(ctx, request{method: http.MethodPut, path: of(name), in: in, repeats: true}, nil)
	return err
}

// Queue returns all about a queue.
func (c *Client) Queue(ctx context.Context, name string) (about Queue, err error) {
	_, err = c.ask(ctx, request{method: http.MethodGet, path: of(name), repeats: true}, &about)
	return about, err
}

// SetAttributes changes attributes of a queue.
func (c *Client) SetAttributes(ctx context.Context, name string, attributes map[string]string) error {
	_, err := c.ask(ctx, request{method: http.MethodPatch, path: of(name), in: SetAttributes{attributes}, repeats: true}, nil)
	return err
}

// Delete deletes a queue with its messages.
func (c *Client) Delete(ctx context.Context, name string) error {
	_, err := c.ask(ctx, request{method: http.MethodDelete, path: of(name)}, nil)
	return err
}

// Purge deletes a queue's messages.
func (c *Client) Purge(ctx context.Context, name string) error {
	_, err := c.ask(ctx, request{method: http.MethodDelete, path: of(name, "messages")}, nil)
	return err
}

// Send sends up to ten messages. If the outcome may be unknown, it is not tried again,
// unless each message has an id that tells a repeated one.
func (c *Client) Send(ctx context.Context, name string, messages ...Message) ([]SendResult, error) {
	repeats := true
	for _, m := range messages {
		if !utf8.ValidString(m.Body) {
			return nil, &Problem{Code: queue.CodeInvalidMessageContents, Message: "a body must be UTF-8: encode other bytes, in base64 for instance"}
		}
		repeats = repeats && m.DeduplicationID != ""
	}
	var sent Sent
	_, err := c.ask(ctx, request{method: http.MethodPost, path: of(name, "messages"), in: Send{messages}, repeats: repeats}, &sent)
	return sent.Results, err
}

// Peek looks at messages without receiving them, behind a position.
func (c *Client) Peek(ctx context.Context, name string, after uint64, limit int64) ([]Peeked, error) {
	query := url.Values{}
	setNumber(query, "after", int64(after))
	setNumber(query, "limit", limit)
	var page Peek
	_, err := c.ask(ctx, request{method: http.MethodGet, path: of(name, "messages"), query: query, repeats: true}, &page)
	return page.Messages, err
}

// Receive leases messages. One that was leased to an attempt whose answer was lost waits
// until that lease runs out.
func (c *Client) Receive(ctx context.Context, name string, in Receive) ([]Delivery, error) {
	wait := time.Duration(maxWaitSeconds) * time.Second
	if in.WaitSeconds != nil {
		wait = time.Duration(*in.WaitSeconds) * time.Second
	}
	var received Received
	_, err := c.ask(ctx, request{method: http.MethodPost, path: of(name, "leases"), in: in, wait: wait, repeats: true}, &received)
	return received.Messages, err
}

// Finish ends up to ten leases whose work is done, or failed for good.
func (c *Client) Finish(ctx context.Context, name string, leases ...Finished) ([]SettleResult, error) {
	return c.settle(ctx, of(name, "leases", "finish"), Finish{leases})
}

// Extend has up to ten leases end so many seconds from now.
func (c *Client) Extend(ctx context.Context, name string, leases ...Extended) ([]SettleResult, error) {
	return c.settle(ctx, of(name, "leases", "extend"), Extend{leases})
}

// Release gives up to ten messages back.
func (c *Client) Release(ctx context.Context, name string, in Release) ([]SettleResult, error) {
	return c.settle(ctx, of(name, "leases", "release"), in)
}

// settle ends or changes leases. That a message is gone, after an attempt whose outcome
// is unknown, is taken for that attempt's doing.
func (c *Client) settle(ctx context.Context, path string, in any) ([]SettleResult, error) {
	var settled Settled
	isRepeated, err := c.ask(ctx, request{method: http.MethodPost, path: path, in: in, repeats: true}, &settled)
	_, isFinish := in.(Finish)
	for i := range settled.Results {
		if p := settled.Results[i].Problem; isFinish && isRepeated && p != nil && p.Code == queue.CodeMessageGone {
			settled.Results[i].Problem = nil
		}
	}
	return settled.Results, err
}

// Progress tells how far a job is.
func (c *Client) Progress(ctx context.Context, name, receipt string, progress []byte) error {
	_, err := c.ask(ctx, request{method: http.MethodPost, path: of(name, "leases", "progress"), in: Progress{receipt, progress}, repeats: true}, nil)
	return err
}

// Job returns what became of a message, once it has ended or wait is over, whichever is
// first. It may wait for longer than one request does.
func (c *Client) Job(ctx context.Context, name, id string, wait time.Duration) (job Job, err error) {
	deadline := time.Now().Add(wait)
	for {
		seconds := min(maxWaitSeconds, int64((time.Until(deadline)+time.Second-1)/time.Second))
		query := url.Values{}
		setNumber(query, "wait_seconds", max(0, seconds))
		job = Job{}
		_, err = c.ask(ctx, request{method: http.MethodGet, path: of(name, "jobs", id), query: query, repeats: true,
			wait: time.Duration(seconds) * time.Second}, &job)
		if err != nil || job.HasEnded() || !time.Now().Before(deadline) {
			return job, err
		}
	}
}

// StartMove begins to move a queue's ready messages, and returns the task's name.
func (c *Client) StartMove(ctx context.Context, name string, in StartMove) (task string, err error) {
	var started MoveStarted
	_, err = c.ask(ctx, request{method: http.MethodPost, path: of(name, "moves"), in: in}, &started)
	return started.Task, err
}

// Moves returns a queue's move tasks, the newest first.
func (c *Client) Moves(ctx context.Context, name string) ([]Move, error) {
	var all Moves
	_, err := c.ask(ctx, request{method: http.MethodGet, path: of(name, "moves"), repeats: true}, &all)
	return all.Tasks, err
}

// CancelMove stops a task, and returns how many messages it had moved.
func (c *Client) CancelMove(ctx context.Context, name, task string) (moved uint64, err error) {
	var cancelled MoveCancelled
	_, err = c.ask(ctx, request{method: http.MethodDelete, path: of(name, "moves", task)}, &cancelled)
	return cancelled.Moved, err
}

// Recurring returns a queue's recurring messages.
func (c *Client) Recurring(ctx context.Context, name string) ([]RecurringEntry, error) {
	var all Recurrings
	_, err := c.ask(ctx, request{method: http.MethodGet, path: of(name, "recurring"), repeats: true}, &all)
	return all.Recurring, err
}

// PutRecurring adds a recurring message, or replaces the one of that name.
func (c *Client) PutRecurring(ctx context.Context, name, recurring string, in Recurring) error {
	_, err := c.ask(ctx, request{method: http.MethodPut, path: of(name, "recurring", recurring), in: in, repeats: true}, nil)
	return err
}

// DeleteRecurring removes a recurring message.
func (c *Client) DeleteRecurring(ctx context.Context, name, recurring string) error {
	_, err := c.ask(ctx, request{method: http.MethodDelete, path: of(name, "recurring", recurring)}, nil)
	return err
}

// CodeOf returns the code of a Problem, or "" if err is none.
func CodeOf(err error) string {
	var p *Problem
	if errors.As(err, &p) && p != nil {
		return p.Code
	}
	return ""
}

func setText(query url.Values, name, value string) {
	if value != "" {
		query.Set(name, value)
	}
}

func setNumber(query url.Values, name string, value int64) {
	if value != 0 {
		query.Set(name, strconv.FormatInt(value, 10))
	}
}

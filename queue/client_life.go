package queue

import (
	"context"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"
	"unique"

	"flotilla"
)

// This file is a shell: it notes what happened to jobs, and when.

// Bounds of what is noted. A happening takes about a hundred bytes: all of them, 1 MB.
const (
	maxHappenings  = 8192 // of a node: with one more, the oldest is forgotten
	maxCallerBytes = 128  // of an address, or of an access key's id
)

// What Happening.Code is if no machine refused.
const (
	CodeOutcomeUnknown = "OutcomeUnknown" // it may have been done, or may still be
	CodeNotCarriedOut  = "NotCarriedOut"  // it certainly was not
)

// Caller is who asks for something: the address that the request came from, and the id
// of the access key that it was signed with, if there is one. It has no secrets.
type Caller struct {
	Address string `json:"address,omitempty"`
	Key     string `json:"key,omitempty"`
}

type callerKey struct{}

// WithCaller returns a context that says who asks. It is noted with what is done to jobs.
func WithCaller(ctx context.Context, c Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, c)
}

// Happening is something that happened to a job, as one node noted it. It has no body.
type Happening struct {
	AtMicros int64  `json:"at_us"` // by the clock of who noted it; a machine's: the log's time
	Kind     Kind   `json:"kind"`
	Queue    string `json:"queue"`
	ID       string `json:"id,omitempty"` // of the message; a receipt does not tell it
	// Gen and Place are what a receipt says of the message; Gen 0: nobody said.
	Gen   uint64          `json:"gen,string,omitempty"`
	Place uint64          `json:"place,string,omitempty"`
	Token uint64          `json:"token,string,omitempty"` // of the lease; it grows from lease to lease
	Until flotilla.Millis `json:"until_ms,omitempty"`     // when the lease ends, or the delay
	By    Caller          `json:"by,omitzero"`
	Code  string          `json:"code,omitempty"` // why it was refused; empty: it was done
	To    string          `json:"to,omitempty"`   // the queue that it went to, or came from as a dead one
}

// noted is a Happening in little memory. Names that come again and again are kept once.
type noted struct {
	at            int64
	queue, detail unique.Handle[string] // detail is Code or To
	by            unique.Handle[Caller]
	id            [16]byte
	spot          spot
	token         uint64
	until         flotilla.Millis
	kind          Kind
	isRefused     bool // detail is Code
}

// life is what happened to jobs by way of one node, and what its machines told.
type life struct {
	mu   sync.Mutex
	ring []noted // guarded by mu, as is next
	next int     // where the next one goes, once the ring is full
}

func (l *life) add(some ...noted) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, n := range some {
		if len(l.ring) < maxHappenings {
			l.ring = append(l.ring, n)
			continue
		}
		l.ring[l.next] = n
		l.next = (l.next + 1) % maxHappenings
	}
}

// all returns a copy of what is kept, in order.
func (l *life) all() []noted {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append(slices.Clone(l.ring[l.next:]), l.ring[:l.next]...)
}

// Spot names a message of a queue as receipts do.
type Spot struct {
	Queue      string
	Gen, Place uint64
}

// Life returns what this node knows of what happened to a message: by its id, and by the
// spots where it is known to have been, which is all that a receipt tells.
func (c *Client) Life(id string, spots []Spot) (found []Happening) {
	want, ok := packID(id)
	if !ok {
		return nil
	}
	queues := map[string]bool{}
	var purges []Happening
	for _, n := range c.life.all() {
		switch {
		case n.kind == KindPurged:
			purges = append(purges, n.unpack())
		case n.id == want, n.id == [16]byte{} && slices.Contains(spots, Spot{n.queue.Value(), n.spot.gen, n.spot.place}):
			h := n.unpack()
			queues[h.Queue] = true
			found = append(found, h)
		}
	}
	for _, p := range purges {
		if queues[p.Queue] || slices.ContainsFunc(spots, func(s Spot) bool { return s.Queue == p.Queue }) {
			found = append(found, p)
		}
	}
	return found
}

func (n *noted) unpack() Happening {
	h := Happening{AtMicros: n.at, Kind: n.kind, Queue: n.queue.Value(), Gen: n.spot.gen, Place: n.spot.place, Token: n.token, Until: n.until}
	if n.id != [16]byte{} {
		h.ID = unpackID(n.id)
	}
	if n.by != (unique.Handle[Caller]{}) {
		h.By = n.by.Value()
	}
	if n.detail != (unique.Handle[string]{}) {
		if n.isRefused {
			h.Code = n.detail.Value()
		} else {
			h.To = n.detail.Value()
		}
	}
	return h
}

// packID returns the bytes of a message's id.
func packID(id string) (packed [16]byte, ok bool) {
	if len(id) != 36 || id[8] != '-' || id[13] != '-' || id[18] != '-' || id[23] != '-' {
		return packed, false
	}
	var digits [32]byte
	n := copy(digits[:], id[:8])
	for _, part := range [...]string{id[9:13], id[14:18], id[19:23], id[24:]} {
		n += copy(digits[n:], part)
	}
	_, err := hex.Decode(packed[:], digits[:])
	return packed, err == nil
}

func unpackID(id [16]byte) string {
	text := hex.EncodeToString(id[:])
	return strings.Join([]string{text[:8], text[8:12], text[12:16], text[16:20], text[20:]}, "-")
}

// begin returns what all that a request does to jobs has in common.
func (c *Client) begin(ctx context.Context, queueName string) noted {
	n := noted{at: time.Now().UnixMicro(), queue: unique.Make(queueName)}
	if by, ok := ctx.Value(callerKey{}).(Caller); ok {
		by.Address, by.Key = by.Address[:min(len(by.Address), maxCallerBytes)], by.Key[:min(len(by.Key), maxCallerBytes)]
		n.by = unique.Make(by)
	}
	return n
}

// note notes what a command did to jobs, or that it was refused.
func (c *Client) note(ctx context.Context, queueName string, command Command, reply Reply, err error) {
	if len(queueName) > MaxNameBytes {
		return // no queue has such a name
	}
	switch m := command.(type) {
	case *SendMessageBatch:
		if err == nil {
			c.noteSent(ctx, m, reply.(*Sent))
		}
	case *DeleteMessageBatch:
		c.noteSettled(ctx, queueName, len(m.Entries), reply, err, func(n *noted, i int) string {
			n.kind = KindFinished
			if m.Entries[i].IsFailure {
				n.kind = KindFailed
			}
			return m.Entries[i].ReceiptHandle
		})
	case *ChangeMessageVisibilityBatch:
		c.noteSettled(ctx, queueName, len(m.Entries), reply, err, func(n *noted, i int) string {
			n.kind = KindReleased
			if m.RetryDelaySeconds > 0 {
				n.until = flotilla.Millis(n.at/1000 + m.RetryDelaySeconds*1000)
			}
			if seconds := m.Entries[i].VisibilityTimeout; seconds > 0 {
				n.kind, n.until = KindExtended, flotilla.Millis(n.at/1000+seconds*1000)
			}
			return m.Entries[i].ReceiptHandle
		})
	case *ReportProgress:
		c.noteSettled(ctx, queueName, 1, reply, err, func(n *noted, _ int) string {
			n.kind = KindProgressed
			return m.ReceiptHandle
		})
	case *PurgeQueue:
		if err == nil {
			n := c.begin(ctx, queueName)
			n.kind = KindPurged
			c.life.add(n)
		}
	}
}

func (c *Client) noteSent(ctx context.Context, m *SendMessageBatch, sent *Sent) {
	var room [MaxBatchEntries]noted
	some, n := room[:0], c.begin(ctx, m.QueueName)
	for i := range min(len(sent.Entries), len(m.Entries), MaxBatchEntries) {
		s, entry := &sent.Entries[i], &m.Entries[i]
		if s.Err.Code != "" {
			continue
		}
		n.id, _ = packID(s.MessageID)
		n.kind, n.until = KindSent, entry.ScheduledAt
		if entry.DelaySeconds > 0 && n.until == 0 {
			n.until = flotilla.Millis(n.at/1000 + entry.DelaySeconds*1000)
		}
		if s.IsDuplicate {
			n.kind = KindRepeated
		}
		some = append(some, n)
	}
	c.life.add(some...)
}

// noteSettled notes what was asked for leases. fill says of each which it is, and returns its receipt.
func (c *Client) noteSettled(ctx context.Context, queueName string, entries int, reply Reply, err error, fill func(n *noted, i int) string) {
	var room [MaxBatchEntries]noted
	some, common := room[:0], c.begin(ctx, queueName)
	settled, _ := reply.(*Settled)
	for i := range min(entries, MaxBatchEntries) {
		n := common
		ok := false
		if n.spot, n.token, ok = parseSpot(fill(&n, i)); !ok {
			continue
		}
		code := codeOf(err)
		if err == nil && settled != nil && i < len(settled.Errors) {
			code = settled.Errors[i].Code
		}
		if code != "" {
			n.detail, n.isRefused = unique.Make(code), true
		}
		some = append(some, n)
	}
	c.life.add(some...)
}

// codeOf returns the word for what became of a command that failed.
func codeOf(err error) string {
	var answer *Error
	switch {
	case err == nil:
		return ""
	case errors.As(err, &answer):
		return answer.Code
	case errors.Is(err, flotilla.ErrUnknown):
		return CodeOutcomeUnknown
	}
	return CodeNotCarriedOut
}

func (c *Client) noteReceived(ctx context.Context, queueName string, messages []Message) {
	if len(messages) == 0 {
		return
	}
	var room [MaxBatchEntries]noted
	some, n := room[:0], c.begin(ctx, queueName)
	n.kind = KindLeased
	for i := range messages {
		m := &messages[i]
		n.id, _ = packID(m.MessageID)
		n.spot, _, _ = parseSpot(m.ReceiptHandle)
		n.token, n.until = m.Token, m.VisibleAt
		some = append(some, n)
	}
	c.life.add(some...)
}

// noteTold notes what a machine tells of a message, in the node's loop.
func (c *Client) noteTold(e flotilla.Event) {
	var h happening
	if !decode(e.Body, &h) || !h.kind.IsOfMachine() {
		return
	}
	n := noted{at: int64(h.at) * 1000, kind: h.kind, queue: unique.Make(string(e.Key)), spot: h.spot, token: h.token}
	n.id, _ = packID(h.id)
	if h.to != "" {
		n.detail = unique.Make(h.to)
	}
	c.life.add(n)
}

// FindMessage looks for a message by its id, where that says that it was, and at places
// where it is known to have been. It returns nil if it is at none of them.
func (c *Client) FindMessage(ctx context.Context, queueName, id string, places []uint64) (*PeekedMessage, error) {
	if partition, number, ok := parseID(id); ok {
		places = append([]uint64{number | uint64(partition)<<numberBits}, places...)
	}
	for i, place := range places {
		if slices.Contains(places[:i], place) {
			continue
		}
		var page Peeked
		err := c.Read(ctx, queueName, &PeekMessages{QueueName: queueName, After: place, MaxNumberOfMessages: 1}, &page)
		if err != nil {
			return nil, err
		}
		if len(page.Messages) == 1 && page.Messages[0].Message.MessageID == id {
			return &page.Messages[0], nil
		}
	}
	return nil, nil
}

package console

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"

	"flotilla"
	"flotilla/queue"
	"flotilla/store"
)

// Bounds of what a page may ask for.
const (
	maxAskBytes   = 64 << 10
	followTimeout = 8 * time.Second
)

// Followed is a write that was followed: its notes carry Call, and are in the stream.
type Followed struct {
	Call  uint64           `json:"call"`
	Slot  flotilla.Slot    `json:"slot"`
	Group flotilla.GroupID `json:"group"`
	Index uint64           `json:"index"`         // 0 if it failed
	Job   string           `json:"job,omitempty"` // the id of the job that was sent
	// BeganMicros and EndedMicros are when it was handed to the node and answered.
	BeganMicros int64  `json:"began_us"`
	EndedMicros int64  `json:"ended_us"`
	Error       string `json:"error,omitempty"`
	// MayHaveHappened says of one that failed whether it is certain that it did not.
	MayHaveHappened bool `json:"may_have_happened,omitempty"`
}

// follow writes a key, or sends a job if a queue is named, and has the nodes note each step
// of it.
func (c *Console) follow(w http.ResponseWriter, r *http.Request) {
	var ask struct{ Key, Value, Queue string }
	if !readAsk(w, r, &ask) {
		return
	}
	if ask.Key == "" && ask.Queue == "" {
		http.Error(w, "a write needs a key, and a job a queue", http.StatusBadRequest)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), followTimeout)
	defer cancel()
	c.options.Journal.Watch()
	trace := &tracer{Host: c.options.Host, call: rand.Uint64N(1<<52) + 1} // a number that JavaScript can hold
	if ask.Queue != "" {
		if c.options.QueueClient == nil {
			http.Error(w, "no job may be sent from here: see the queue's tab", http.StatusForbidden)
			return
		}
		ctx = queue.WithCaller(ctx, queue.Caller{Address: r.RemoteAddr, Key: queueCaller})
		writeJSON(w, c.followSend(ctx, trace, ask.Queue, ask.Value))
		return
	}
	writeJSON(w, c.followSet(ctx, trace, ask.Key, ask.Value))
}

// queueCaller is in whose name pages send jobs.
const queueCaller = "console"

// followSend sends a job to a queue.
func (c *Console) followSend(ctx context.Context, trace *tracer, name, body string) Followed {
	entry := queue.SendEntry{MessageBody: []byte(body), DelaySeconds: -1, SenderID: queueCaller}
	if strings.HasSuffix(name, ".fifo") {
		entry.MessageGroupID, entry.MessageDeduplicationID = queueCaller, strconv.FormatUint(trace.call, 16)
	}
	f := Followed{Call: trace.call, Slot: flotilla.SlotOf([]byte(name)), BeganMicros: c.options.Micros()}
	sent, err := c.options.QueueClient.Through(trace).SendMessageBatch(ctx, queue.SendMessageBatch{QueueName: name, Entries: []queue.SendEntry{entry}})
	f.EndedMicros, f.Group, f.Index = c.options.Micros(), trace.group, trace.index
	if err == nil && sent.Entries[0].Err.Code != "" {
		err = &sent.Entries[0].Err
	}
	if err != nil {
		f.Error, f.MayHaveHappened = err.Error(), errors.Is(err, flotilla.ErrUnknown)
		return f
	}
	f.Job = sent.Entries[0].MessageID
	return f
}

func (c *Console) followSet(ctx context.Context, trace *tracer, key, value string) Followed {
	args := [][]byte{[]byte("SET"), []byte(key), []byte(value)}
	session := store.NewSession(trace)
	f := Followed{Call: trace.call, Slot: flotilla.SlotOf(args[1]), BeganMicros: c.options.Micros()}
	err := session.Add(store.Find(args), args)
	if err == nil {
		session.Do(ctx)
		_, err = session.Reply(0)
	}
	f.EndedMicros, f.Group = c.options.Micros(), trace.group
	f.Index = session.Written()[f.Group]
	if err != nil {
		f.Error, f.MayHaveHappened = err.Error(), errors.Is(err, flotilla.ErrUnknown)
	}
	return f
}

// tracer is a host whose writes are followed, under one number.
type tracer struct {
	flotilla.Host
	call  uint64
	group flotilla.GroupID
	index uint64 // of the last write
}

// Do is part of flotilla.Host.
func (t *tracer) Do(ctx context.Context, calls ...*flotilla.Call) {
	for _, c := range calls {
		c.Trace, t.group = t.call, c.Group
	}
	t.Host.Do(ctx, calls...)
	for _, c := range calls {
		if c.Err == nil && !c.IsRead {
			t.index = c.Index
		}
	}
}

// readAsk reads what a page asks for, as JSON, and answers if it can not be read.
func readAsk(w http.ResponseWriter, r *http.Request, into any) bool {
	err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxAskBytes)).Decode(into)
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		http.Error(w, "what a page asks of a node fits into 64 KiB", http.StatusRequestEntityTooLarge)
		return false
	}
	if err != nil {
		http.Error(w, whyUnread(err), http.StatusBadRequest)
		return false
	}
	return true
}

// whyUnread says what is wrong with JSON that a page sent.
func whyUnread(err error) string {
	if wrong := (*json.UnmarshalTypeError)(nil); errors.As(err, &wrong) && wrong.Field != "" {
		return fmt.Sprintf("%s can not be a %s", wrong.Field[strings.LastIndexByte(wrong.Field, '.')+1:], wrong.Value)
	}
	if wrong := (*json.SyntaxError)(nil); errors.As(err, &wrong) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return "that is no JSON: " + err.Error()
	}
	return "that is not what is asked for here: " + err.Error()
}

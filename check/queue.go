package check

import "math"

// QueueKind says what an operation asked of a queue.
type QueueKind string

// The kinds. A batch is one operation for each of its entries.
const (
	// Send puts one message into a queue.
	Send QueueKind = "send"
	// Receive leases messages; Deliveries are those that it was given.
	Receive QueueKind = "receive"
	// Settle deletes the message whose lease Handle names.
	Settle QueueKind = "settle"
	// Change gives the lease that Handle names another end; with Visibility 0 it gives
	// the message back.
	Change QueueKind = "change"
	// Purge deletes all that a queue has.
	Purge QueueKind = "purge"
	// Move begins to move what a queue has to other queues, each message with a new id.
	Move QueueKind = "move"
	// Tally asks how many messages a queue has in whatever state; Total is the answer.
	Tally QueueKind = "tally"
)

// Always is a time of the cluster's clock that is later than any.
const Always = math.MaxInt64

// QueueOperation is what one client asked of a queue, and what came of it.
type QueueOperation struct {
	Client  int
	Queue   string
	Kind    QueueKind
	Outcome Outcome
	// IsDone says of an operation whose outcome is Known that the answer was yes. One
	// that was answered with no did nothing.
	IsDone bool

	// Body is what a message is known by, in whatever queue it is. Two sends have the
	// same only if the queue must recognize the second as a repetition (Duplicate). One with
	// another body may be one, too: its answer then is the first one's.
	Body      string
	Group     string // message group
	Duplicate string // Send: the deduplication id
	Delay     int64  // Send, in milliseconds
	NotBefore int64  // Send: on the cluster's clock; 0: at once
	Priority  int64  // Send
	MessageID string // Send: the answer; may be empty
	Sequence  uint64 // Send: the answer, FIFO queues

	Visibility int64  // Receive, Change: in milliseconds
	Handle     string // Settle, Change
	Attempt    string // Receive: who asks again with the same one is given the same leases
	Deliveries []Delivery
	Total      int64

	Begin int64 // nanoseconds on one clock for all clients
	End   int64 // of no meaning if the outcome is Unknown
	// Earliest and Latest bound what the cluster's clock, by which leases and delays
	// end, showed when the operation took effect: milliseconds. Latest is Always if the
	// outcome is Unknown.
	Earliest, Latest int64
}

// Delivery is one message that a receive was given.
type Delivery struct {
	Body, MessageID, Handle, Group string
	Sequence                       uint64 // FIFO queues
	Count                          uint64 // how often it was received, this time included
	// VisibleAt is when the lease ends, on the cluster's clock, if that was told; else 0.
	VisibleAt  int64
	SentAt     int64  // on the cluster's clock; 0: not told
	DeadSource string // the queue that it was moved from
}

// QueueRules is what a queue was made to do.
type QueueRules struct {
	IsFIFO   bool
	IsStrict bool // a delete with a handle that was superseded is refused
	// HasPriority says that what has a higher priority is given out first. Of a queue whose
	// receives look at a part of it that is not so.
	HasPriority bool
	// DeadQueue takes messages that were received MaxReceives times; empty: there is none.
	DeadQueue   string
	MaxReceives uint64
	Window      int64 // for how many milliseconds a deduplication id counts
	// Of these, zero is no limit. Receives of a queue with a rate must not have an Attempt:
	// when a lease was given out first is known only without.
	Rate        int64 // how many messages it gives out in a second
	MaxInFlight int64 // how many are leased at a time
	Retention   int64 // for how many milliseconds it keeps a message
	// The same of each message group. Messages of none have no such limit.
	GroupRate, GroupMaxInFlight int64
}

// mayHaveHappened reports whether the operation may have changed anything.
func (o *QueueOperation) mayHaveHappened() bool {
	return o.Outcome == Unknown || o.Outcome == Known && o.IsDone
}

// isSure reports whether the operation surely did what it asked for, if that could be done.
func (o *QueueOperation) isSure() bool { return o.Outcome == Known && o.IsDone }

// before reports whether the operation surely took effect before the other. One whose
// outcome is unknown is before nothing.
func (o *QueueOperation) before(other *QueueOperation) bool {
	return o.Outcome == Known && o.End < other.Begin
}

// Queues judges what clients were told by queues: one fault for each promise that was
// broken and each message that it was broken for. At the end all queues must have been
// emptied by clients whose operations are part of the history: what was accepted and
// not removed by anybody is lost.
//
// What it can not see: a message that somebody who was not answered may have deleted is
// never missed; a lease that an unanswered change may have ended is not held against
// anybody; and where clocks were set, times that they may have shown are granted.
func Queues(history []QueueOperation, rules map[string]QueueRules) Verdict {
	v := newQueueView(history, rules)
	for _, judge := range []func(){v.judgeOrigins, v.judgeAltered, v.judgeLost, v.judgeFound, v.judgeLeases, v.judgeGone, v.judgePurges, v.judgeStale,
		v.judgeOrder, v.judgePriority, v.judgeOnce, v.judgeEarly, v.judgeReceives, v.judgeDead, v.judgeTallies,
		v.judgeRates, v.judgeInFlight, v.judgeRetention} {
		judge()
	}
	return v.Verdict
}

package rest

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"time"
	"unicode/utf8"
)

// Blob is bytes in JSON: a string if they are UTF-8, else {"base64": "..."}. Either is
// taken for any bytes.
type Blob []byte

type base64Blob struct {
	Base64 *string `json:"base64"`
}

// MarshalJSON implements json.Marshaler.
func (b Blob) MarshalJSON() ([]byte, error) {
	if utf8.Valid(b) {
		return json.Marshal(string(b))
	}
	text := base64.StdEncoding.EncodeToString(b)
	return json.Marshal(base64Blob{&text})
}

// UnmarshalJSON implements json.Unmarshaler.
func (b *Blob) UnmarshalJSON(raw []byte) error {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		*b = Blob(text)
		return nil
	}
	var coded base64Blob
	if json.Unmarshal(raw, &coded) != nil || coded.Base64 == nil {
		return errors.New(`bytes are a string, or {"base64": "..."}`)
	}
	decoded, err := base64.StdEncoding.DecodeString(*coded.Base64)
	if err != nil {
		return errors.New(`what stands in "base64" is not base64 (RFC 4648, section 4)`)
	}
	*b = decoded
	return nil
}

// Attribute is a message's attribute. Type is String, Number or Binary, perhaps with
// more after a dot, as on SQS; empty is String.
type Attribute struct {
	Type  string `json:"type,omitempty"`
	Value Blob   `json:"value"`
}

// Message is a message to be sent.
type Message struct {
	Body            string               `json:"body"`
	Attributes      map[string]Attribute `json:"attributes,omitempty"`
	DelaySeconds    *int64               `json:"delay_seconds,omitempty"` // nil: the queue's
	ScheduleAt      time.Time            `json:"schedule_at,omitzero"`
	Priority        int64                `json:"priority,omitempty"`
	Group           string               `json:"group,omitempty"`
	DeduplicationID string               `json:"deduplication_id,omitempty"`
}

// Delivery is a message with its lease, as it was received. Receipt is what the lease is
// kept, given back and ended with; Token grows from lease to lease of a message, so that
// what a worker writes to can refuse one whose lease is over.
type Delivery struct {
	ID              string               `json:"id"`
	Receipt         string               `json:"receipt"`
	Token           uint64               `json:"token,string"`
	Body            string               `json:"body"`
	Attributes      map[string]Attribute `json:"attributes,omitempty"`
	Priority        int64                `json:"priority,omitempty"`
	Group           string               `json:"group,omitempty"`
	DeduplicationID string               `json:"deduplication_id,omitempty"`
	SequenceNumber  uint64               `json:"sequence_number,omitempty"` // FIFO queues
	MovedFrom       string               `json:"moved_from,omitempty"`      // the queue that it died in, or was moved from
	Receives        uint64               `json:"receives"`                  // with this one
	SentAt          time.Time            `json:"sent_at"`
	FirstReceivedAt time.Time            `json:"first_received_at"`
	LeaseEndsAt     time.Time            `json:"lease_ends_at"`
}

// Peeked is a message that was looked at, and not received.
type Peeked struct {
	Position        uint64               `json:"position"`
	ID              string               `json:"id"`
	State           string               `json:"state"` // ready, delayed, leased or retry
	Body            string               `json:"body"`
	Attributes      map[string]Attribute `json:"attributes,omitempty"`
	Priority        int64                `json:"priority,omitempty"`
	Group           string               `json:"group,omitempty"`
	DeduplicationID string               `json:"deduplication_id,omitempty"`
	MovedFrom       string               `json:"moved_from,omitempty"`
	Receives        uint64               `json:"receives"`
	SentAt          time.Time            `json:"sent_at"`
	VisibleAt       time.Time            `json:"visible_at,omitzero"`
}

// Counters are a queue's, exact at every moment. Those that end in Total count since the
// queue was created, or purged.
type Counters struct {
	Ready           uint64 `json:"ready"`
	Leased          uint64 `json:"leased"`
	Delayed         uint64 `json:"delayed"`   // scheduled ones too, and those that wait for a retry
	Scheduled       uint64 `json:"scheduled"` // of the delayed ones
	SentTotal       uint64 `json:"sent_total"`
	ReceivedTotal   uint64 `json:"received_total"`
	DeletedTotal    uint64 `json:"deleted_total"`
	ExpiredTotal    uint64 `json:"expired_total"`
	DeadTotal       uint64 `json:"dead_total"`         // moved to the queue for dead messages
	StaleTotal      uint64 `json:"stale_total"`        // receipts that came too late
	DuplicatesTotal uint64 `json:"duplicates_total"`   // sends that were recognized as repeated
	LeasesEnded     uint64 `json:"leases_ended_total"` // that nobody ended
}

// Queue is all about a queue.
type Queue struct {
	Name         string            `json:"name"`
	Attributes   map[string]string `json:"attributes"`
	Tags         map[string]string `json:"tags,omitempty"`
	Counters     Counters          `json:"counters"`
	CreatedAt    time.Time         `json:"created_at"`
	ModifiedAt   time.Time         `json:"modified_at"`
	OldestSentAt time.Time         `json:"oldest_sent_at,omitzero"` // absent: there is no message
}

// Queues is one page of names.
type Queues struct {
	Names   []string `json:"names"`
	HasMore bool     `json:"has_more"`
}

// CreateQueue says what a queue shall be like.
type CreateQueue struct {
	Attributes map[string]string `json:"attributes,omitempty"`
	Tags       map[string]string `json:"tags,omitempty"`
}

// SetAttributes changes the attributes that it names.
type SetAttributes struct {
	Attributes map[string]string `json:"attributes"`
}

// Send sends up to ten messages, each of which succeeds or fails by itself.
type Send struct {
	Messages []Message `json:"messages"`
}

// Sent is what became of each message, in their order.
type Sent struct {
	Results []SendResult `json:"results"`
}

// SendResult is what became of one message: it has an ID, or a Problem.
type SendResult struct {
	ID             string   `json:"id,omitempty"`
	SequenceNumber uint64   `json:"sequence_number,omitempty"`
	IsDuplicate    bool     `json:"is_duplicate,omitempty"` // it was sent before: ID is the first one's
	Problem        *Problem `json:"error,omitempty"`
}

// Receive asks for messages, with a lease on each.
type Receive struct {
	Count        int64  `json:"count,omitempty"`         // 0: one
	LeaseSeconds *int64 `json:"lease_seconds,omitempty"` // nil: the queue's
	WaitSeconds  *int64 `json:"wait_seconds,omitempty"`  // nil: the queue's
	AttemptID    string `json:"attempt_id,omitempty"`
}

// Received are messages, none if there were none in time.
type Received struct {
	Messages []Delivery `json:"messages"`
}

// Peek is one page of a queue's messages, in order of their arrival.
type Peek struct {
	Messages []Peeked `json:"messages"`
}

// Finish ends leases, up to ten, whose work is done, or failed for good; their
// messages are deleted.
type Finish struct {
	Leases []Finished `json:"leases"`
}

// Finished is one message that is done with. Result, or what the failure was, can be
// asked for if the queue keeps results.
type Finished struct {
	Receipt   string `json:"receipt"`
	IsFailure bool   `json:"is_failure,omitempty"`
	Result    Blob   `json:"result,omitempty"`
}

// Extend has up to ten leases end later, or sooner: so many seconds from now.
type Extend struct {
	Leases []Extended `json:"leases"`
}

// Extended is one lease that shall end at another time.
type Extended struct {
	Receipt      string `json:"receipt"`
	LeaseSeconds int64  `json:"lease_seconds"`
}

// Release gives up to ten messages back: others may have them after DelaySeconds, or if
// that is 0, at once or after the queue's backoff.
type Release struct {
	Receipts     []string `json:"receipts"`
	DelaySeconds int64    `json:"delay_seconds,omitempty"`
}

// Settled is what became of each lease, in their order.
type Settled struct {
	Results []SettleResult `json:"results"`
}

// SettleResult is what became of one lease; without a Problem, what was asked.
type SettleResult struct {
	Problem *Problem `json:"error,omitempty"`
}

// Progress is what a worker tells of how far it is.
type Progress struct {
	Receipt  string `json:"receipt"`
	Progress Blob   `json:"progress"`
}

// The states of a job, besides those of a message that is there (ready, delayed, leased, retry).
const (
	Succeeded = "succeeded"
	Failed    = "failed"
	Dead      = "dead"
	Expired   = "expired"
	Moved     = "moved"
)

// Job is what is known of what became of a message.
type Job struct {
	ID       string    `json:"id"`
	Status   string    `json:"status"`
	Progress Blob      `json:"progress,omitempty"`
	Result   Blob      `json:"result,omitempty"`
	EndedAt  time.Time `json:"ended_at,omitzero"`
}

// HasEnded reports whether nobody will do the job any more.
func (j *Job) HasEnded() bool { return !j.EndedAt.IsZero() }

// StartMove begins to move a queue's ready messages. An empty Destination is, for
// each, the queue that it came from.
type StartMove struct {
	Destination string `json:"destination,omitempty"`
	PerSecond   int64  `json:"per_second,omitempty"` // 0: as many as may be
}

// MoveStarted names the task.
type MoveStarted struct {
	Task string `json:"task"`
}

// MoveCancelled says how far a task had come.
type MoveCancelled struct {
	Moved uint64 `json:"moved"`
}

// Moves are a queue's move tasks, the newest first.
type Moves struct {
	Tasks []Move `json:"tasks"`
}

// Move is one task. Status is RUNNING, COMPLETED, CANCELLED or FAILED.
type Move struct {
	Task          string    `json:"task"`
	Status        string    `json:"status"`
	Destination   string    `json:"destination,omitempty"`
	PerSecond     int64     `json:"per_second,omitempty"`
	Moved         uint64    `json:"moved"`
	ToMove        uint64    `json:"to_move"` // when it began
	FailureReason string    `json:"failure_reason,omitempty"`
	StartedAt     time.Time `json:"started_at"`
}

// Recurring is a message that a queue sends itself whenever Cron, five fields, says so
// in a time zone; an empty Zone is UTC.
type Recurring struct {
	Cron    string  `json:"cron"`
	Zone    string  `json:"zone,omitempty"`
	Message Message `json:"message"`
}

// RecurringEntry is a Recurring with its name, and when it is sent next.
type RecurringEntry struct {
	Name string `json:"name"`
	Recurring
	NextAt time.Time `json:"next_at"`
}

// Recurrings are a queue's recurring messages, the oldest first.
type Recurrings struct {
	Recurring []RecurringEntry `json:"recurring"`
}

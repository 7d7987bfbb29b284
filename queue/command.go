package queue

import "flotilla"

// Command is one thing asked for. Its fields have SQS's names and units. The slices
// of a decoded command share memory with its bytes.
type Command interface {
	coded
	op() byte
}

// The letters of the operations that each job needs.
const (
	opSend    = 'S'
	opReceive = 'R'
	opDelete  = 'X'
)

// Reply is what a command is answered with, if not with an *Error.
type Reply interface{ coded }

// Pair is the name and value of a queue's attribute or tag.
type Pair struct{ Name, Value string }

func (p *Pair) fields(c *coder) { c.text(&p.Name); c.text(&p.Value) }

func pairs(c *coder, all *[]Pair) { list(c, all, func(p *Pair) { p.fields(c) }) }

func texts(c *coder, all *[]string) { list(c, all, func(s *string) { c.text(s) }) }

// Done is the reply to what has nothing to tell.
type Done struct {
	isBegun bool // the queue's plan is to be settled
}

func (m *Done) fields(c *coder) { c.tail(m.isBegun, func() { c.bool(&m.isBegun) }) }

// CreateQueue creates a queue; Done. If there is one of that name, the attributes
// named must be as it has them. Secret, 32 random bytes, is what its receipt handles
// are authenticated with.
type CreateQueue struct {
	QueueName  string
	Attributes []Pair
	Tags       []Pair
	Secret     []byte
	// IsDeadTargetElsewhere says that the queue for dead messages that the redrive
	// policy names was found in another group, of the same type, and allows this one.
	IsDeadTargetElsewhere bool
	// Slots says where the partitions of the queue are to be; one, or none: it is not spread.
	Slots []uint64
}

func (*CreateQueue) op() byte { return 'C' }
func (m *CreateQueue) fields(c *coder) {
	c.text(&m.QueueName)
	pairs(c, &m.Attributes)
	pairs(c, &m.Tags)
	c.bytes(&m.Secret)
	c.bool(&m.IsDeadTargetElsewhere)
	list(c, &m.Slots, func(n *uint64) { c.num(n) })
}

// DeleteQueue deletes a queue with its messages; Done.
type DeleteQueue struct{ QueueName string }

func (*DeleteQueue) op() byte          { return 'D' }
func (m *DeleteQueue) fields(c *coder) { c.text(&m.QueueName) }

// PurgeQueue deletes a queue's messages, leased ones too; Done.
type PurgeQueue struct{ QueueName string }

func (*PurgeQueue) op() byte          { return 'P' }
func (m *PurgeQueue) fields(c *coder) { c.text(&m.QueueName) }

// SetQueueAttributes changes the attributes named; Done.
type SetQueueAttributes struct {
	QueueName             string
	Attributes            []Pair
	IsDeadTargetElsewhere bool // see CreateQueue
}

func (*SetQueueAttributes) op() byte { return 'A' }
func (m *SetQueueAttributes) fields(c *coder) {
	c.text(&m.QueueName)
	pairs(c, &m.Attributes)
	c.bool(&m.IsDeadTargetElsewhere)
}

// TagQueue adds tags, or gives them other values; Done.
type TagQueue struct {
	QueueName string
	Tags      []Pair
}

func (*TagQueue) op() byte          { return 'T' }
func (m *TagQueue) fields(c *coder) { c.text(&m.QueueName); pairs(c, &m.Tags) }

// UntagQueue removes tags; Done.
type UntagQueue struct {
	QueueName string
	TagKeys   []string
}

func (*UntagQueue) op() byte          { return 'U' }
func (m *UntagQueue) fields(c *coder) { c.text(&m.QueueName); texts(c, &m.TagKeys) }

// MessageAttribute is a message's attribute as its sender gave it. Value is the text
// or the bytes, as DataType says.
type MessageAttribute struct {
	Name, DataType string
	Value          []byte
}

func (a *MessageAttribute) fields(c *coder) {
	c.text(&a.Name)
	c.text(&a.DataType)
	c.bytes(&a.Value)
}

// SendEntry is one message to be sent. DelaySeconds below 0 means the queue's.
type SendEntry struct {
	MessageBody            []byte
	DelaySeconds           int64
	MessageAttributes      []MessageAttribute
	AWSTraceHeader         string
	SenderID               string
	MessageGroupID         string
	MessageDeduplicationID string
	Priority               int64           // 0 to 9, the highest; standard queues
	ScheduledAt            flotilla.Millis // 0, or when it becomes visible, up to a year ahead; standard queues
}

func (m *SendEntry) fields(c *coder) {
	c.bytes(&m.MessageBody)
	c.int(&m.DelaySeconds)
	list(c, &m.MessageAttributes, func(a *MessageAttribute) { a.fields(c) })
	c.text(&m.AWSTraceHeader)
	c.text(&m.SenderID)
	c.text(&m.MessageGroupID)
	c.text(&m.MessageDeduplicationID)
	c.int(&m.Priority)
	c.millis(&m.ScheduledAt)
}

// SendMessageBatch sends up to ten messages, each of which succeeds or fails by
// itself; Sent.
type SendMessageBatch struct {
	QueueName string
	Entries   []SendEntry
}

func (*SendMessageBatch) op() byte { return opSend }
func (m *SendMessageBatch) fields(c *coder) {
	c.text(&m.QueueName)
	list(c, &m.Entries, func(s *SendEntry) { s.fields(c) })
}

// SentEntry is what became of one message. SequenceNumber is 0 but for FIFO queues.
type SentEntry struct {
	Err            Error // Code is empty: it was sent
	MessageID      string
	SequenceNumber uint64
	IsDuplicate    bool // a message of that deduplication id was sent before: this is its id
}

// Sent is the reply to SendMessageBatch, in the order of its entries.
type Sent struct{ Entries []SentEntry }

func (m *Sent) fields(c *coder) {
	list(c, &m.Entries, func(s *SentEntry) {
		s.Err.fields(c)
		c.text(&s.MessageID)
		c.num(&s.SequenceNumber)
		c.bool(&s.IsDuplicate)
	})
}

// ReceiveMessage leases messages; Received. VisibilityTimeout, in seconds, below 0
// means the queue's.
type ReceiveMessage struct {
	QueueName               string
	MaxNumberOfMessages     int64
	VisibilityTimeout       int64
	ReceiveRequestAttemptID string
}

func (*ReceiveMessage) op() byte { return opReceive }
func (m *ReceiveMessage) fields(c *coder) {
	c.text(&m.QueueName)
	c.int(&m.MaxNumberOfMessages)
	c.int(&m.VisibilityTimeout)
	c.text(&m.ReceiveRequestAttemptID)
}

// Message is a message with its lease. Times are in milliseconds since the epoch.
type Message struct {
	MessageID                        string
	ReceiptHandle                    string
	Token                            uint64 // the lease's fencing token: it grows from lease to lease of a message
	Body                             []byte
	MessageAttributes                []MessageAttribute
	AWSTraceHeader                   string
	SenderID                         string
	MessageGroupID                   string
	MessageDeduplicationID           string
	DeadLetterQueueSource            string // the name of the queue that it was moved from
	SequenceNumber                   uint64 // FIFO queues
	Priority                         int64
	SentTimestamp                    flotilla.Millis
	ApproximateReceiveCount          uint64
	ApproximateFirstReceiveTimestamp flotilla.Millis
	VisibleAt                        flotilla.Millis // when the lease ends

	number uint64 // the machine's own
}

func (m *Message) fields(c *coder) {
	c.text(&m.MessageID)
	c.text(&m.ReceiptHandle)
	c.num(&m.Token)
	c.bytes(&m.Body)
	list(c, &m.MessageAttributes, func(a *MessageAttribute) { a.fields(c) })
	c.text(&m.AWSTraceHeader)
	c.text(&m.SenderID)
	c.text(&m.MessageGroupID)
	c.text(&m.MessageDeduplicationID)
	c.text(&m.DeadLetterQueueSource)
	c.num(&m.SequenceNumber)
	c.int(&m.Priority)
	c.millis(&m.SentTimestamp)
	c.num(&m.ApproximateReceiveCount)
	c.millis(&m.ApproximateFirstReceiveTimestamp)
	c.millis(&m.VisibleAt)
}

// Received is the reply to ReceiveMessage. WaitTimeSeconds is the queue's, for who
// did not say how long to wait.
type Received struct {
	Messages        []Message
	WaitTimeSeconds int64
}

func (m *Received) fields(c *coder) {
	list(c, &m.Messages, func(one *Message) { one.fields(c) })
	c.int(&m.WaitTimeSeconds)
}

// DeleteEntry is one message to be deleted: its work is done, or failed for good.
// What came of it can be asked for if the queue keeps results.
type DeleteEntry struct {
	ReceiptHandle string
	IsFailure     bool
	Result        []byte // or the error
	// TellsLost has a lease that can not be used answered with one of the codes of our
	// own (see errors.go), and never as if the message had been deleted by it.
	TellsLost bool
}

// DeleteMessageBatch deletes up to ten messages by their receipt handles; Settled.
type DeleteMessageBatch struct {
	QueueName string
	Entries   []DeleteEntry
}

func (*DeleteMessageBatch) op() byte { return opDelete }
func (m *DeleteMessageBatch) fields(c *coder) {
	c.text(&m.QueueName)
	list(c, &m.Entries, func(d *DeleteEntry) {
		c.text(&d.ReceiptHandle)
		c.bool(&d.IsFailure)
		c.bytes(&d.Result)
		c.bool(&d.TellsLost)
	})
}

// VisibilityEntry is one lease to be extended, shortened or, with 0, given back.
type VisibilityEntry struct {
	ReceiptHandle     string
	VisibilityTimeout int64
	TellsLost         bool // see DeleteEntry
}

// ChangeMessageVisibilityBatch changes up to ten leases; Settled.
type ChangeMessageVisibilityBatch struct {
	QueueName string
	Entries   []VisibilityEntry
	// RetryDelaySeconds is how long those that are given back wait for their next try; 0 means
	// as long as the queue's RetryBackoff says. They are not leased meanwhile.
	RetryDelaySeconds int64
}

func (*ChangeMessageVisibilityBatch) op() byte { return 'V' }
func (m *ChangeMessageVisibilityBatch) fields(c *coder) {
	c.text(&m.QueueName)
	list(c, &m.Entries, func(v *VisibilityEntry) {
		c.text(&v.ReceiptHandle)
		c.int(&v.VisibilityTimeout)
		c.bool(&v.TellsLost)
	})
	c.tail(m.RetryDelaySeconds != 0, func() { c.int(&m.RetryDelaySeconds) })
}

// Settled is the reply to batches of receipt handles, in their order; an entry with
// an empty Code succeeded.
type Settled struct{ Errors []Error }

func (m *Settled) fields(c *coder) { list(c, &m.Errors, func(e *Error) { e.fields(c) }) }

package sqs

// Body is a message as it is sent, alone or in a batch.
type Body struct {
	MessageBody             string
	DelaySeconds            *int64
	MessageAttributes       map[string]AttributeValue
	MessageSystemAttributes map[string]AttributeValue // AWSTraceHeader is the only one
	MessageDeduplicationID  string
	MessageGroupID          string
}

func (m *Body) fields(all []field) []field {
	return append(all, []field{{name: "MessageBody", value: &m.MessageBody, needed: true}, {name: "DelaySeconds", value: &m.DelaySeconds},
		{name: "MessageAttributes", old: "MessageAttribute", value: &m.MessageAttributes},
		{name: "MessageSystemAttributes", old: "MessageSystemAttribute", value: &m.MessageSystemAttributes},
		{name: "MessageDeduplicationId", value: &m.MessageDeduplicationID}, {name: "MessageGroupId", value: &m.MessageGroupID}}...)
}

// AttributeValue is the value of a message attribute: a string for the types
// String and Number, bytes for Binary, each perhaps with a suffix as in Number.float.
type AttributeValue struct {
	StringValue string
	BinaryValue []byte
	DataType    string
}

func (v *AttributeValue) fields(all []field) []field {
	return append(all, []field{{name: "StringValue", value: &v.StringValue}, {name: "BinaryValue", value: &v.BinaryValue}, {name: "DataType", value: &v.DataType}}...)
}

// SendMessageRequest sends one message.
type SendMessageRequest struct {
	target
	Body
}

func (r *SendMessageRequest) fields(all []field) []field {
	return r.Body.fields(append(all, r.target.field()))
}

// Sums are the MD5s by which a client knows that the message arrived as it was
// sent. The door computes them.
type Sums struct{ MD5OfMessageBody, MD5OfMessageAttributes, MD5OfMessageSystemAttributes string }

func (s *Sums) fields(all []field) []field {
	return append(all, []field{{name: "MD5OfMessageBody", value: &s.MD5OfMessageBody}, {name: "MD5OfMessageAttributes", value: &s.MD5OfMessageAttributes},
		{name: "MD5OfMessageSystemAttributes", value: &s.MD5OfMessageSystemAttributes}}...)
}

// SendMessageResult says what became of a message; SequenceNumber of FIFO queues only.
type SendMessageResult struct {
	Sums
	MessageID, SequenceNumber string
}

func (r *SendMessageResult) fields(all []field) []field {
	return append(r.Sums.fields(all), field{name: "MessageId", value: &r.MessageID}, field{name: "SequenceNumber", value: &r.SequenceNumber})
}

// SendMessageBatchRequest sends up to ten messages. A Service sees only those that
// are well formed, perhaps none.
type SendMessageBatchRequest struct {
	target
	Entries []SendEntry
	failures
}

func (r *SendMessageBatchRequest) fields(all []field) []field {
	return append(all, []field{r.field(), {name: "Entries", old: "SendMessageBatchRequestEntry", value: listOf(&r.Entries)}}...)
}

// SendEntry is one message of a batch.
type SendEntry struct {
	ID string
	Body
}

func (e *SendEntry) fields(all []field) []field {
	return e.Body.fields(append(all, field{name: "Id", value: &e.ID}))
}

// SendMessageBatchResult says what became of each message, in any order.
type SendMessageBatchResult struct {
	Successful []SendResultEntry
	Failed     []BatchError
}

func (r *SendMessageBatchResult) fields(all []field) []field {
	return append(all, []field{{name: "Successful", old: "SendMessageBatchResultEntry", value: listOf(&r.Successful), always: true},
		{name: "Failed", old: "BatchResultErrorEntry", value: listOf(&r.Failed)}}...)
}

// SendResultEntry is what became of one message.
type SendResultEntry struct {
	ID string
	SendMessageResult
}

func (e *SendResultEntry) fields(all []field) []field {
	return e.SendMessageResult.fields(append(all, field{name: "Id", value: &e.ID}))
}

// BatchError says why one entry failed; make it with NewBatchError.
type BatchError struct {
	ID            string
	SenderFault   bool
	Code, Message string
}

func (e *BatchError) fields(all []field) []field {
	return append(all, []field{{name: "Id", value: &e.ID}, {name: "SenderFault", value: &e.SenderFault},
		{name: "Code", value: &e.Code}, {name: "Message", value: &e.Message}}...)
}

// ReceiveMessageRequest asks for messages. The door sees to the names: a Service
// gives all attributes that a message has.
type ReceiveMessageRequest struct {
	target
	AttributeNames, MessageSystemAttributeNames, MessageAttributeNames []string
	MaxNumberOfMessages, VisibilityTimeout, WaitTimeSeconds            *int64
	ReceiveRequestAttemptID                                            string
}

func (r *ReceiveMessageRequest) fields(all []field) []field {
	return append(all, []field{r.field(), {name: "AttributeNames", old: "AttributeName", value: &r.AttributeNames},
		{name: "MessageSystemAttributeNames", old: "MessageSystemAttributeName", value: &r.MessageSystemAttributeNames},
		{name: "MessageAttributeNames", old: "MessageAttributeName", value: &r.MessageAttributeNames},
		{name: "MaxNumberOfMessages", value: &r.MaxNumberOfMessages}, {name: "VisibilityTimeout", value: &r.VisibilityTimeout},
		{name: "WaitTimeSeconds", value: &r.WaitTimeSeconds}, {name: "ReceiveRequestAttemptId", value: &r.ReceiveRequestAttemptID}}...)
}

// ReceiveMessageResult holds messages, perhaps none.
type ReceiveMessageResult struct{ Messages []Message }

func (r *ReceiveMessageResult) fields(all []field) []field {
	return append(all, []field{{name: "Messages", old: "Message", value: listOf(&r.Messages)}}...)
}

// Message is a message as it is received. The Service sets all but the sums.
type Message struct {
	MessageID, ReceiptHandle, MD5OfBody, Body string
	Attributes                                map[string]string
	MD5OfMessageAttributes                    string
	MessageAttributes                         map[string]AttributeValue
}

func (m *Message) fields(all []field) []field {
	return append(all, []field{{name: "MessageId", value: &m.MessageID}, {name: "ReceiptHandle", value: &m.ReceiptHandle},
		{name: "MD5OfBody", value: &m.MD5OfBody}, {name: "Body", value: &m.Body, always: true},
		{name: "Attributes", old: "Attribute", value: &m.Attributes}, {name: "MD5OfMessageAttributes", value: &m.MD5OfMessageAttributes},
		{name: "MessageAttributes", old: "MessageAttribute", value: &m.MessageAttributes}}...)
}

// handle is the receipt handle of a request.
type handle struct{ ReceiptHandle string }

func (h *handle) field() field {
	return field{name: "ReceiptHandle", value: &h.ReceiptHandle, needed: true}
}

// maxHandleBytes is more than any queue's handles have. They are read by the machine.
const maxHandleBytes = 1024

func (h *handle) check() error {
	if len(h.ReceiptHandle) > maxHandleBytes {
		return invalidHandle(h.ReceiptHandle)
	}
	return nil
}

func invalidHandle(handle string) *Error {
	return Errorf(ReceiptHandleIsInvalid, "The input receipt handle \"%s\" is not a valid receipt handle.", shortened(handle))
}

// shortened keeps what a client sent from making an answer of any length.
func shortened(s string) string {
	if len(s) > maxHandleBytes {
		return s[:maxHandleBytes] + "..."
	}
	return s
}

// DeleteMessageRequest deletes a message that was received.
type DeleteMessageRequest struct {
	target
	handle
}

func (r *DeleteMessageRequest) fields(all []field) []field {
	return append(all, []field{r.target.field(), r.handle.field()}...)
}

// DeleteMessageBatchRequest deletes up to ten messages.
type DeleteMessageBatchRequest struct {
	target
	Entries []DeleteEntry
	failures
}

func (r *DeleteMessageBatchRequest) fields(all []field) []field {
	return append(all, []field{r.field(), {name: "Entries", old: "DeleteMessageBatchRequestEntry", value: listOf(&r.Entries)}}...)
}

// DeleteEntry is one message of a batch.
type DeleteEntry struct {
	ID string
	handle
}

func (e *DeleteEntry) fields(all []field) []field {
	return append(all, []field{{name: "Id", value: &e.ID}, e.field()}...)
}

// DeleteMessageBatchResult says what became of each entry, in any order.
type DeleteMessageBatchResult struct {
	Successful []Done
	Failed     []BatchError
}

func (r *DeleteMessageBatchResult) fields(all []field) []field {
	return append(all, []field{{name: "Successful", old: "DeleteMessageBatchResultEntry", value: listOf(&r.Successful), always: true},
		{name: "Failed", old: "BatchResultErrorEntry", value: listOf(&r.Failed)}}...)
}

// Done is an entry of a batch that succeeded.
type Done struct{ ID string }

func (d *Done) fields(all []field) []field {
	return append(all, []field{{name: "Id", value: &d.ID}}...)
}

// ChangeMessageVisibilityRequest says how long from now on a message stays hidden.
type ChangeMessageVisibilityRequest struct {
	target
	handle
	VisibilityTimeout *int64 // never nil when a Service sees it
}

func (r *ChangeMessageVisibilityRequest) fields(all []field) []field {
	return append(all, []field{r.target.field(), r.handle.field(), {name: "VisibilityTimeout", value: &r.VisibilityTimeout, needed: true}}...)
}

// ChangeMessageVisibilityBatchRequest does so for up to ten messages.
type ChangeMessageVisibilityBatchRequest struct {
	target
	Entries []ChangeEntry
	failures
}

func (r *ChangeMessageVisibilityBatchRequest) fields(all []field) []field {
	return append(all, []field{r.field(), {name: "Entries", old: "ChangeMessageVisibilityBatchRequestEntry", value: listOf(&r.Entries)}}...)
}

// ChangeEntry is one message of a batch.
type ChangeEntry struct {
	ID string
	handle
	VisibilityTimeout *int64 // never nil when a Service sees it
}

func (e *ChangeEntry) fields(all []field) []field {
	return append(all, []field{{name: "Id", value: &e.ID}, e.field(), {name: "VisibilityTimeout", value: &e.VisibilityTimeout, needed: true}}...)
}

// ChangeMessageVisibilityBatchResult says what became of each entry, in any order.
type ChangeMessageVisibilityBatchResult struct {
	Successful []Done
	Failed     []BatchError
}

func (r *ChangeMessageVisibilityBatchResult) fields(all []field) []field {
	return append(all, []field{{name: "Successful", old: "ChangeMessageVisibilityBatchResultEntry", value: listOf(&r.Successful), always: true},
		{name: "Failed", old: "BatchResultErrorEntry", value: listOf(&r.Failed)}}...)
}

package queue

// Error is an answer that says no. Code is Amazon SQS's, in the names of its JSON
// protocol; the door knows what the older protocol calls it.
type Error struct{ Code, Message string }

// The codes.
const (
	CodeQueueDoesNotExist       = "QueueDoesNotExist"
	CodeQueueNameExists         = "QueueNameExists"
	CodePurgeInProgress         = "PurgeQueueInProgress"
	CodeReceiptHandleIsInvalid  = "ReceiptHandleIsInvalid"
	CodeMessageNotInflight      = "MessageNotInflight"
	CodeOverLimit               = "OverLimit"
	CodeInvalidParameterValue   = "InvalidParameterValue"
	CodeMissingParameter        = "MissingParameter"
	CodeInvalidAttributeName    = "InvalidAttributeName"
	CodeInvalidAttributeValue   = "InvalidAttributeValue"
	CodeInvalidMessageContents  = "InvalidMessageContents"
	CodeEmptyBatchRequest       = "EmptyBatchRequest"
	CodeTooManyEntries          = "TooManyEntriesInBatchRequest"
	CodeUnsupportedOperation    = "UnsupportedOperation"
	CodeResourceNotFound        = "ResourceNotFoundException"
	CodeServiceUnavailable      = "ServiceUnavailable"
	CodeInternal                = "InternalError"
	messageQueueDoesNotExist    = "The specified queue does not exist."
	messageExpiredHandle        = "The receipt handle has expired."
	messageNotAvailable         = "Message does not exist or is not available for visibility timeout change."
	messageReceiptHandleInvalid = "The input receipt handle is invalid."
	messageNoRecurring          = "The queue has no recurring message of that name."
)

// The codes of our own, for who asks to be told (DeleteEntry.TellsLost): why a lease
// can not be used.
const (
	CodeLeaseSuperseded = "LeaseSuperseded" // somebody else has received the message since, or it went to another queue
	CodeLeaseOver       = "LeaseOver"       // it ran out, and the queue is a FIFO queue
	CodeMessageGone     = "MessageGone"     // it was deleted, purged, or too old
)

// Error returns code and message.
func (e *Error) Error() string { return e.Code + ": " + e.Message }

func (e *Error) fields(c *coder) { c.text(&e.Code); c.text(&e.Message) }

func invalid(message string) *Error {
	return &Error{Code: CodeInvalidParameterValue, Message: message}
}

func invalidAttribute(name string) *Error {
	return &Error{Code: CodeInvalidAttributeValue, Message: "Invalid value for the parameter " + name + "."}
}

// NoSuchQueue is the answer to what is asked of a queue that is not there.
func NoSuchQueue() *Error {
	return &Error{Code: CodeQueueDoesNotExist, Message: messageQueueDoesNotExist}
}

package sqs

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"flotilla"
	"flotilla/queue"
)

// Kind is which of AWS's errors one is.
type Kind uint8

// The errors of the API. The first ones are a Service's to give, too.
const (
	QueueDoesNotExist Kind = iota
	QueueNameExists
	QueueDeletedRecently
	PurgeQueueInProgress
	ReceiptHandleIsInvalid
	MessageNotInflight
	OverLimit
	RequestThrottled
	UnsupportedOperation
	ResourceNotFound
	InvalidAttributeName
	InvalidAttributeValue
	InvalidMessageContents
	InvalidParameterValue
	MissingParameter
	InvalidAddress
	EmptyBatchRequest
	TooManyEntriesInBatchRequest
	BatchEntryIdsNotDistinct
	InvalidBatchEntryID
	BatchRequestTooLong
	MissingAction
	InvalidAction
	NoSuchVersion
	MalformedQueryString
	Serialization
	RequestTooLarge
	MissingAuthenticationToken
	IncompleteSignature
	InvalidClientTokenID
	SignatureDoesNotMatch
	RequestExpired
	AccessDenied
	InternalFailure
	ServiceUnavailable
)

// kindSpec is what a Kind is called: in the Query protocol and in the header
// x-amzn-query-error, and in the member __type of JSON.
type kindSpec struct {
	code, shape string
	status      int
}

const (
	prefix  = "AWS.SimpleQueueService."
	model   = "com.amazonaws.sqs#"
	general = "com.amazon.coral.service#"
)

// kinds is never written.
var kinds = [...]kindSpec{
	QueueDoesNotExist:            {prefix + "NonExistentQueue", model + "QueueDoesNotExist", 400},
	QueueNameExists:              {"QueueAlreadyExists", model + "QueueNameExists", 400},
	QueueDeletedRecently:         {prefix + "QueueDeletedRecently", model + "QueueDeletedRecently", 400},
	PurgeQueueInProgress:         {prefix + "PurgeQueueInProgress", model + "PurgeQueueInProgress", 403},
	ReceiptHandleIsInvalid:       {"ReceiptHandleIsInvalid", model + "ReceiptHandleIsInvalid", 404},
	MessageNotInflight:           {prefix + "MessageNotInflight", model + "MessageNotInflight", 400},
	OverLimit:                    {"OverLimit", model + "OverLimit", 403},
	RequestThrottled:             {"RequestThrottled", model + "RequestThrottled", 403},
	UnsupportedOperation:         {prefix + "UnsupportedOperation", model + "UnsupportedOperation", 400},
	ResourceNotFound:             {"ResourceNotFoundException", model + "ResourceNotFoundException", 404},
	InvalidAttributeName:         {"InvalidAttributeName", model + "InvalidAttributeName", 400},
	InvalidAttributeValue:        {"InvalidAttributeValue", model + "InvalidAttributeValue", 400},
	InvalidMessageContents:       {"InvalidMessageContents", model + "InvalidMessageContents", 400},
	InvalidParameterValue:        {"InvalidParameterValue", general + "InvalidParameterValueException", 400},
	MissingParameter:             {"MissingParameter", general + "MissingRequiredParameterException", 400},
	InvalidAddress:               {"InvalidAddress", model + "InvalidAddress", 404},
	EmptyBatchRequest:            {prefix + "EmptyBatchRequest", model + "EmptyBatchRequest", 400},
	TooManyEntriesInBatchRequest: {prefix + "TooManyEntriesInBatchRequest", model + "TooManyEntriesInBatchRequest", 400},
	BatchEntryIdsNotDistinct:     {prefix + "BatchEntryIdsNotDistinct", model + "BatchEntryIdsNotDistinct", 400},
	InvalidBatchEntryID:          {prefix + "InvalidBatchEntryId", model + "InvalidBatchEntryId", 400},
	BatchRequestTooLong:          {prefix + "BatchRequestTooLong", model + "BatchRequestTooLong", 400},
	MissingAction:                {"MissingAction", general + "MissingActionException", 400},
	InvalidAction:                {"InvalidAction", general + "UnknownOperationException", 400},
	NoSuchVersion:                {"NoSuchVersion", general + "NoSuchVersionException", 400},
	MalformedQueryString:         {"MalformedQueryString", general + "MalformedQueryStringException", 404},
	Serialization:                {"MalformedInput", general + "SerializationException", 400},
	RequestTooLarge:              {"RequestEntityTooLarge", general + "RequestEntityTooLargeException", 413},
	MissingAuthenticationToken:   {"MissingAuthenticationToken", general + "MissingAuthenticationTokenException", 403},
	IncompleteSignature:          {"IncompleteSignature", general + "IncompleteSignatureException", 400},
	InvalidClientTokenID:         {"InvalidClientTokenId", general + "UnrecognizedClientException", 403},
	SignatureDoesNotMatch:        {"SignatureDoesNotMatch", general + "InvalidSignatureException", 403},
	RequestExpired:               {"RequestExpired", general + "RequestExpiredException", 400},
	AccessDenied:                 {"AccessDenied", general + "AccessDeniedException", 403},
	InternalFailure:              {"InternalFailure", general + "InternalFailure", 500},
	ServiceUnavailable:           {"ServiceUnavailable", general + "ServiceUnavailableException", 503},
}

// Error is a failure as AWS tells of it. A Service returns one for all that a client
// can be told; other errors are flotilla's failures, or a bug.
type Error struct {
	Kind    Kind
	Message string
}

// Errorf makes an Error.
func Errorf(kind Kind, format string, args ...any) *Error {
	return &Error{Kind: kind, Message: fmt.Sprintf(format, args...)}
}

// Error returns the code and the message.
func (e *Error) Error() string { return e.Code() + ": " + e.Message }

// Code is the one of the Query protocol, which SDKs show in JSON, too.
func (e *Error) Code() string { return kinds[e.Kind].code }

// Status is HTTP's.
func (e *Error) Status() int { return kinds[e.Kind].status }

// fault is whose it is: retrying what a Sender did wrong is of no use.
func (e *Error) fault() string {
	if e.Status() >= http.StatusInternalServerError {
		return "Receiver"
	}
	return "Sender"
}

// queryMessage is the message in the Query protocol, which has kept an older wording.
func (e *Error) queryMessage() string {
	if e.Kind == QueueDoesNotExist && e.Message == noSuchQueue {
		return "The specified queue does not exist for this wsdl version."
	}
	return e.Message
}

const noSuchQueue = "The specified queue does not exist."

// NoSuchQueue is what a request for a queue that does not exist gets.
func NoSuchQueue() *Error { return Errorf(QueueDoesNotExist, noSuchQueue) }

// TooLong is what a message gets that is longer than its queue allows.
func TooLong(maxBytes int) *Error {
	return Errorf(InvalidParameterValue, "One or more parameters are invalid. Reason: Message must be shorter than %d bytes.", maxBytes)
}

// invalid is the usual wording for a value that can not be.
func invalid(value, parameter, reason string) *Error {
	return Errorf(InvalidParameterValue, "Value %s for parameter %s is invalid. Reason: %s", value, parameter, reason)
}

// machineKinds are what the machine's codes mean. It is never written.
var machineKinds = map[string]Kind{
	queue.CodeQueueDoesNotExist:      QueueDoesNotExist,
	queue.CodeQueueNameExists:        QueueNameExists,
	queue.CodePurgeInProgress:        PurgeQueueInProgress,
	queue.CodeReceiptHandleIsInvalid: ReceiptHandleIsInvalid,
	queue.CodeMessageNotInflight:     MessageNotInflight,
	queue.CodeOverLimit:              OverLimit,
	queue.CodeInvalidParameterValue:  InvalidParameterValue,
	queue.CodeMissingParameter:       MissingParameter,
	queue.CodeInvalidAttributeName:   InvalidAttributeName,
	queue.CodeInvalidAttributeValue:  InvalidAttributeValue,
	queue.CodeInvalidMessageContents: InvalidMessageContents,
	queue.CodeEmptyBatchRequest:      EmptyBatchRequest,
	queue.CodeTooManyEntries:         TooManyEntriesInBatchRequest,
	queue.CodeUnsupportedOperation:   UnsupportedOperation,
	queue.CodeResourceNotFound:       ResourceNotFound,
	queue.CodeServiceUnavailable:     ServiceUnavailable,
	queue.CodeInternal:               InternalFailure,
}

// ofMachine makes an Error of the machine's answer.
func ofMachine(e *queue.Error) *Error {
	kind, ok := machineKinds[e.Code]
	if !ok {
		return Errorf(InternalFailure, "We encountered an internal error. Please try again.")
	}
	return &Error{Kind: kind, Message: e.Message}
}

// asError makes an Error of whatever a Service returned. A refused command may be
// sent again; of an unknown one the message says that it may have happened.
func asError(err error) *Error {
	var known *Error
	var answer *queue.Error
	switch {
	case errors.As(err, &known):
		return known
	case errors.As(err, &answer):
		return ofMachine(answer)
	case errors.Is(err, flotilla.ErrRefused):
		return Errorf(ServiceUnavailable, "Not carried out: %s. Try again.", flotilla.ReasonOf(err))
	case errors.Is(err, flotilla.ErrUnknown):
		return Errorf(InternalFailure, "The outcome is unknown: %s. It may have been carried out.", flotilla.ReasonOf(err))
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return Errorf(ServiceUnavailable, "The request was given up. Try again.")
	default:
		return Errorf(InternalFailure, "We encountered an internal error. Please try again.")
	}
}

// NewBatchError says that one entry failed with err.
func NewBatchError(id string, err error) BatchError {
	e := asError(err)
	return BatchError{ID: id, SenderFault: e.fault() == "Sender", Code: e.Code(), Message: e.Message}
}

package rest

import (
	"context"
	"errors"
	"net/http"

	"flotilla"
	"flotilla/queue"
)

// Problem is how a failure is told. Code is one of Amazon SQS's, of the queue's own, or
// one of those below.
type Problem struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	// MayHaveHappened says that the command may have been carried out, or may still be:
	// whoever repeats it may have it done twice.
	MayHaveHappened bool `json:"may_have_happened"`

	Status int `json:"-"` // of HTTP; 0 for one entry of a batch

	cause     error // on the client's side, what the network said
	isPassing bool  // another node, or the same one later, may do it
}

// Error returns code and message, and whether it may have happened.
func (p *Problem) Error() string {
	if p.MayHaveHappened {
		return p.Code + ": " + p.Message + " (it may have been carried out)"
	}
	return p.Code + ": " + p.Message
}

// Unwrap returns what the network said, if that is what failed.
func (p *Problem) Unwrap() error { return p.cause }

// The codes of the API itself.
const (
	CodeUnauthorized     = "Unauthorized"
	CodeForbidden        = "Forbidden"
	CodeNotFound         = "NotFound" // no such path
	CodeMethodNotAllowed = "MethodNotAllowed"
	CodeMalformed        = "Malformed" // the request is not what openapi.json describes
	CodeTooLarge         = "TooLarge"
	CodeNotJSON          = "NotJSON" // the Content-Type is not application/json
	CodeBusy             = "Busy"
	CodeNoQuorum         = "NoQuorum"
	CodeDiskFull         = "DiskFull"
	CodeUnavailable      = "Unavailable"
	CodeOutcomeUnknown   = "OutcomeUnknown"
	CodeInternal         = "Internal"
)

// problem is a Problem as it is answered, with nothing done.
func problem(status int, code, message string) *Problem {
	return &Problem{Code: code, Message: message, Status: status}
}

// statuses says what the machine's codes are in HTTP; the rest is 400.
var statuses = map[string]int{
	queue.CodeQueueDoesNotExist:    http.StatusNotFound,
	queue.CodeResourceNotFound:     http.StatusNotFound,
	queue.CodeQueueNameExists:      http.StatusConflict,
	queue.CodePurgeInProgress:      http.StatusConflict,
	queue.CodeUnsupportedOperation: http.StatusConflict,
	queue.CodeMessageNotInflight:   http.StatusConflict,
	queue.CodeLeaseSuperseded:      http.StatusConflict,
	queue.CodeLeaseOver:            http.StatusConflict,
	queue.CodeMessageGone:          http.StatusGone,
	queue.CodeOverLimit:            http.StatusTooManyRequests,
	queue.CodeServiceUnavailable:   http.StatusInsufficientStorage, // the machine says it of a full disk only
	queue.CodeInternal:             http.StatusInternalServerError,
}

// reasons says what failures of the node are called.
var reasons = map[flotilla.Reason]string{
	flotilla.NoQuorum: CodeNoQuorum,
	flotilla.Busy:     CodeBusy,
	flotilla.TooLarge: CodeTooLarge,
	flotilla.DiskFull: CodeDiskFull,
}

// problemOf makes a Problem of what a queue.Client returned.
func problemOf(err error) *Problem {
	var own *Problem
	if errors.As(err, &own) {
		return own
	}
	var answer *queue.Error
	if errors.As(err, &answer) {
		return answered(answer)
	}
	if errors.Is(err, flotilla.ErrUnknown) {
		return &Problem{Code: CodeOutcomeUnknown, Status: http.StatusGatewayTimeout, MayHaveHappened: true,
			Message: "It may have been carried out, or may still be: " + detail(err)}
	}
	if !errors.Is(err, flotilla.ErrRefused) && !errors.Is(err, context.Canceled) {
		return &Problem{Code: CodeInternal, Status: http.StatusInternalServerError, MayHaveHappened: true, Message: "This is a bug: " + err.Error()}
	}
	code, ok := reasons[flotilla.ReasonOf(err)]
	if !ok {
		code = CodeUnavailable
	}
	status := http.StatusServiceUnavailable
	switch code {
	case CodeTooLarge:
		status = http.StatusRequestEntityTooLarge
	case CodeDiskFull:
		status = http.StatusInsufficientStorage
	}
	return problem(status, code, "It was not carried out: "+detail(err)+".")
}

// detail is a failure without its kind.
func detail(err error) string {
	var f *flotilla.Failure
	if !errors.As(err, &f) {
		return err.Error()
	}
	if f.Detail == "" {
		return string(f.Reason)
	}
	return string(f.Reason) + ": " + f.Detail
}

// answered makes a Problem of the machine's answer.
func answered(e *queue.Error) *Problem {
	status, ok := statuses[e.Code]
	if !ok {
		status = http.StatusBadRequest
	}
	return problem(status, e.Code, e.Message)
}

// entryProblem is that of one entry of a batch; nil if the entry succeeded.
func entryProblem(e queue.Error) *Problem {
	if e.Code == "" {
		return nil
	}
	return &Problem{Code: e.Code, Message: e.Message}
}

package intake

import (
	"errors"
	"io"
	"net/http"
	"sync/atomic"
)

// Limits of one door. See docs/limits.md. A message of 1 MiB may take six times that
// in JSON, where each character may be escaped.
const (
	MaxBodyBytes  = 8 << 20
	maxBodiesSize = 256 << 20 // of all requests that are being read or answered
	MaxRequests   = 10000     // being answered, long polls among them
	firstRead     = 4 << 10
)

// Why a body was not read.
var (
	ErrTooLarge = errors.New("the body is too large")
	ErrBusy     = errors.New("too much is being sent at a time")
	ErrNotWhole = errors.New("the body did not arrive whole")
)

// Stats counts what a door has done since it started.
type Stats struct {
	Requests, Errors, Denied, Rejected, Panics uint64
	InFlight                                   int64 // long polls among them
}

// Intake bounds and counts the requests of one door. Its zero value is ready; its
// methods may be called from any goroutine.
type Intake struct {
	Errors, Denied, Panics atomic.Uint64 // the door counts these
	requests, rejected     atomic.Uint64
	inFlight, bodyBytes    atomic.Int64
}

// Begin counts a request, and reports whether there is room for it. End has to be
// called in either case.
func (i *Intake) Begin() bool {
	i.requests.Add(1)
	if i.inFlight.Add(1) <= MaxRequests {
		return true
	}
	i.rejected.Add(1)
	return false
}

// End counts a request as answered.
func (i *Intake) End() { i.inFlight.Add(-1) }

// Stats returns the counters as they are now.
func (i *Intake) Stats() Stats {
	return Stats{Requests: i.requests.Load(), Errors: i.Errors.Load(), Denied: i.Denied.Load(),
		Rejected: i.rejected.Load(), Panics: i.Panics.Load(), InFlight: i.inFlight.Load()}
}

// ReadBody appends a request's body to buffer, which may be nil. release gives back
// what the body counts as, and has to be called in any case.
func (i *Intake) ReadBody(r *http.Request, buffer []byte) (body []byte, release func(), err error) {
	counted := int64(0)
	release = func() { i.bodyBytes.Add(-counted) }
	body = buffer
	if r.ContentLength > MaxBodyBytes {
		return body, release, ErrTooLarge
	}
	for {
		if len(body) == cap(body) {
			body = append(make([]byte, 0, max(2*cap(body), firstRead)), body...)
		}
		n, err := r.Body.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		counted += int64(n)
		total := i.bodyBytes.Add(int64(n))
		switch {
		case len(body) > MaxBodyBytes:
			return body, release, ErrTooLarge
		case total > maxBodiesSize:
			i.rejected.Add(1)
			return body, release, ErrBusy
		case errors.Is(err, io.EOF):
			return body, release, nil
		case err != nil:
			return body, release, ErrNotWhole
		}
	}
}

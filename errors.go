package flotilla

import (
	"cmp"
	"errors"
	"fmt"
)

// Failures are of two kinds, and everyone who passes one on keeps the kind:
// errors.Is(err, ErrRefused) means that the command was certainly not carried
// out and never will be, so that anyone may retry; errors.Is(err, ErrUnknown)
// means that it may have been, or may still be.
var (
	ErrRefused = errors.New("refused")
	ErrUnknown = errors.New("outcome unknown")
)

// Reason says why a command failed, so that a door can pick its protocol's words.
type Reason string

// The reasons.
const (
	NoQuorum Reason = "no majority of the group's nodes can be reached"
	Busy     Reason = "too much is waiting already"
	TooLarge Reason = "the command is too large"
	DiskFull Reason = "the disk is nearly full"
	Timeout  Reason = "no answer in time"
	Stopping Reason = "the node is stopping"
	NotHere  Reason = "this node holds no copy of the group"
	TooStale Reason = "this node's copy is older than allowed"
	Broken   Reason = "this node's copy is damaged"
)

// Failure is an error with its kind and reason.
type Failure struct {
	Kind   error // ErrRefused or ErrUnknown
	Reason Reason
	Detail string // may be empty
}

// Error returns kind, reason and detail in one line.
func (f *Failure) Error() string {
	if f.Detail == "" {
		return fmt.Sprintf("%v: %s", f.Kind, f.Reason)
	}
	return fmt.Sprintf("%v: %s: %s", f.Kind, f.Reason, f.Detail)
}

// Unwrap makes errors.Is work with ErrRefused and ErrUnknown.
func (f *Failure) Unwrap() error { return f.Kind }

// Refused returns a failure that certainly had no effect.
func Refused(reason Reason, detail string) error {
	return &Failure{Kind: ErrRefused, Reason: reason, Detail: detail}
}

// Unknown returns a failure that may have had an effect.
func Unknown(reason Reason, detail string) error {
	return &Failure{Kind: ErrUnknown, Reason: reason, Detail: detail}
}

// ReasonOf returns the reason of a failure, or "" if err is none.
func ReasonOf(err error) Reason {
	var f *Failure
	if errors.As(err, &f) {
		return f.Reason
	}
	return ""
}

// Joined says what became of a command that was sent in so many parts, of which those of
// failures failed: it is refused only if every part of it was, since otherwise something
// may have changed.
func Joined(failures []error, parts int) error {
	for _, err := range failures {
		if errors.Is(err, ErrUnknown) {
			return err
		}
	}
	if len(failures) == parts {
		return failures[0]
	}
	return Unknown(cmp.Or(ReasonOf(failures[0]), Timeout), "some groups carried out their part")
}

// Assert stops the program when an invariant is broken: going on could only
// damage data. The message names the invariant and never holds users' data.
func Assert(ok bool, format string, args ...any) {
	if !ok {
		panic("flotilla: invariant broken: " + fmt.Sprintf(format, args...))
	}
}

package lab

import (
	"testing"
	"time"

	"flotilla/check"
)

// TestNoAnswerIsNoValue: of a key that nobody answers for, nobody knows that it is still there.
func TestNoAnswerIsNoValue(t *testing.T) {
	l := &Load{Recorder: check.NewRecorder(func() int64 { return time.Now().UnixNano() })}
	l.Recorder.Do(check.Operation{Key: passing + ":a", Kind: check.Write}, func(o *check.Operation) { o.Outcome = check.Known })
	faults, unread := l.Overdue("127.0.0.1:1", 0) // where nobody listens
	if len(faults) != 0 || len(unread) != 1 {
		t.Errorf("faults %q, unread %q", faults, unread)
	}
}

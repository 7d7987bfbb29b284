package moment

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync/atomic"

	"flotilla/scenario"
)

// Moments are those that a Trap knows.
func Moments() []scenario.Boundary {
	return []scenario.Boundary{scenario.BeforeAppend, scenario.AfterAppend, scenario.BeforeVote, scenario.AfterVote,
		scenario.BeforeReply, scenario.AfterReply, scenario.BeforeInstall, scenario.AfterInstall}
}

// Trap waits for one moment of a node's writes and ends the process there.
type Trap struct {
	// End ends the process and does not return. It is given what Set was.
	End   func(Last)
	armed atomic.Pointer[armed]
}

// Last is what is done right before the end, in this order. An empty field: nothing.
type Last struct {
	// Proof is a file to make: a process that left none ended for another reason.
	Proof string
	// Touch is a file to look for, which is how a disk of lab/powercut is told to forget.
	Touch string
}

type armed struct {
	moment scenario.Boundary
	last   Last
}

// Set has the trap wait for the next such moment, and no longer for another. An empty
// one disarms it, and is refused if the trap does not wait any more: the moment has
// come, and the process is about to end.
func (t *Trap) Set(moment scenario.Boundary, last Last) error {
	if moment == "" {
		if t.armed.Swap(nil) == nil {
			return errors.New("no moment is waited for: it has come, or was never asked for")
		}
		return nil
	}
	if !slices.Contains(Moments(), moment) {
		var all []string
		for _, m := range Moments() {
			all = append(all, string(m))
		}
		return fmt.Errorf("no process can be ended %s: it is one of %s", moment, strings.Join(all, ", "))
	}
	t.armed.Store(&armed{moment, last})
	return nil
}

// isSetFor reports whether the trap waits for one of some moments.
func (t *Trap) isSetFor(moments ...scenario.Boundary) bool {
	a := t.armed.Load()
	return a != nil && slices.Contains(moments, a.moment)
}

// pass ends the process if the trap waits for this moment.
func (t *Trap) pass(moment scenario.Boundary) {
	if a := t.armed.Load(); a != nil && a.moment == moment && t.armed.CompareAndSwap(a, nil) {
		t.End(a.last)
	}
}

// Kill is the End of a real process: as kill -9.
func Kill(last Last) {
	if last.Proof != "" {
		_ = os.WriteFile(last.Proof, nil, 0o600) // without it the end is taken for a fault, which shows
	}
	if last.Touch != "" {
		_, _ = os.Stat(last.Touch) // that it was asked for is all that counts
	}
	if self, err := os.FindProcess(os.Getpid()); err == nil {
		_ = self.Kill()
	}
	select {} // until the signal has come
}

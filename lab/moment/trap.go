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
	// End ends the process and does not return. touch is what Set was given.
	End   func(touch string)
	armed atomic.Pointer[armed]
}

type armed struct {
	moment scenario.Boundary
	touch  string
}

// Set has the trap wait for the next such moment, and no longer for another. An empty
// one disarms it, and is refused if the trap does not wait any more: the moment has
// come, and the process is about to end. touch is a file that End looks for first, which is how a disk of
// lab/powercut is told to forget; empty: none.
func (t *Trap) Set(moment scenario.Boundary, touch string) error {
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
	t.armed.Store(&armed{moment, touch})
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
		t.End(a.touch)
	}
}

// Kill is the End of a real process: as kill -9.
func Kill(touch string) {
	if touch != "" {
		_, _ = os.Stat(touch) // that it was asked for is all that counts
	}
	if self, err := os.FindProcess(os.Getpid()); err == nil {
		_ = self.Kill()
	}
	select {} // until the signal has come
}

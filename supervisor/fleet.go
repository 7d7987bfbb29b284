package supervisor

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
)

// Fleet runs the nodes of a plan and keeps them running. All fields are set
// before Run and not changed after.
type Fleet struct {
	Dir  string
	Plan Plan
	// Command returns the command that runs a node until its standard input ends.
	// It is called in the loop and must not block.
	Command func(Launch) *exec.Cmd
	// Play returns the command that plays a plan of that name, at a port offset that is free for
	// a small fleet. It is called in the loop and must not block. Nil: no plans are played.
	Play func(name string, portOffset int) (*exec.Cmd, error)
	// Notify takes a line for people, such as that a node died. It is called in
	// the loop and must not block. Nil means that nobody wants to know.
	Notify func(line string)
	Timing Timing

	states atomic.Pointer[[]MemberState] // written by the loop
}

// Launch is what a node's process needs to be told.
type Launch struct {
	Plan   Plan
	Node   NodePlan
	Dir    string // the node's own folder
	Token  string // that the node's lab endpoint asks for
	Faults []byte // that hold from the start, as the lab endpoint takes them
}

// States returns where each node is in its life, in order of the nodes.
func (f *Fleet) States() []MemberState {
	if states := f.states.Load(); states != nil {
		return *states
	}
	return nil
}

// Run starts all nodes and returns when all have ended: in good order after ctx
// ended, killed once hard ended. The caller holds the folder's lock.
func (f *Fleet) Run(ctx, hard context.Context) error {
	// The kernel kills a node when the thread that started it ends (Pdeathsig), so
	// that must be one that stays: this goroutine starts all and keeps its thread.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listen for `flotilla fault`: %w", err)
	}
	l := newLoop(f, rand.Text())
	if err := l.openLogs(); err != nil {
		return errors.Join(err, l.closeLogs(), listener.Close())
	}
	if err := writeControl(f.Dir, listener.Addr().String(), l.token); err != nil {
		return errors.Join(err, l.closeLogs(), listener.Close())
	}
	helpers, stopHelpers := context.WithCancel(context.WithoutCancel(ctx))
	var running sync.WaitGroup
	running.Go(func() { serveControl(helpers, listener, l) })
	if left := unstarted(f.Plan.Nodes); len(left) > 0 {
		running.Go(func() { l.noteFirstStarts(helpers, left) })
	}
	for _, lab := range l.labs {
		running.Go(func() { lab.run(helpers) })
	}
	err = l.run(ctx, hard)
	stopHelpers()
	running.Wait()
	return errors.Join(err, removeControl(f.Dir), l.closeLogs())
}

func (f *Fleet) notify(format string, args ...any) {
	if f.Notify != nil {
		f.Notify(fmt.Sprintf(format, args...))
	}
}

// nodeDir returns a node's folder.
func (f *Fleet) nodeDir(n NodePlan) string { return filepath.Join(f.Dir, n.Name()) }

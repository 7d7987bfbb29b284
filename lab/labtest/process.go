package labtest

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"flotilla/supervisor"
)

// Process is a running program.
type Process struct {
	Cmd   *exec.Cmd
	Out   *Output
	Ended chan struct{} // closed when the process is gone and has been waited for
	Err   error         // how it ended; to be read after that
}

// Output collects what processes print.
type Output struct {
	mu  sync.Mutex // guards all
	all bytes.Buffer
}

// Write adds to it.
func (o *Output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.all.Write(p)
}

// String returns all of it.
func (o *Output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.all.String()
}

// Start starts a program, which is killed when the test ends. Its standard input is
// open for as long as the test's process lives, and no longer.
func Start(t *testing.T, cmd *exec.Cmd) *Process {
	t.Helper()
	p := &Process{Cmd: cmd, Out: &Output{}, Ended: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = p.Out, p.Out
	if _, err := cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { // ends with the process, which Kill sees to
		p.Err = cmd.Wait()
		close(p.Ended)
	}()
	t.Cleanup(p.Kill)
	return p
}

// Kill ends the process as kill -9 does, if it has not ended by itself.
func (p *Process) Kill() {
	_ = p.Cmd.Process.Kill() // it may be gone
	<-p.Ended
}

// Interrupt ends the process as Ctrl-C does, and reports whether it ended in time; it is
// killed if not.
func (p *Process) Interrupt(patience time.Duration) bool {
	_ = p.Cmd.Process.Signal(os.Interrupt) // it may be gone
	select {
	case <-p.Ended:
		return true
	case <-time.After(patience):
		p.Kill()
		return false
	}
}

// IsGone reports whether the process has ended.
func (p *Process) IsGone() bool {
	select {
	case <-p.Ended:
		return true
	default:
		return false
	}
}

// Eventually waits for a condition, and fails the test after limit. details says why it
// does not hold; nil: nothing to say.
func Eventually(t *testing.T, limit time.Duration, what string, isSo func() bool, details func() string) {
	t.Helper()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	deadline := time.After(limit)
	for !isSo() {
		select {
		case <-ticker.C:
		case <-deadline:
			text := ""
			if details != nil {
				text = details()
			}
			t.Fatalf("waited %v for %s: %s", limit, what, text)
		}
	}
}

// offsets keeps tests of one process that run side by side apart.
var offsets atomic.Int64

// FreeOffset returns a --port-offset at which all ports of so many nodes are free now,
// below those that the kernel hands out by itself.
func FreeOffset(t *testing.T, nodes int) int {
	t.Helper()
	for range 500 {
		// Process ids differ between packages' tests that run side by side.
		if offset := 2000 + (os.Getpid()*131+int(offsets.Add(1))*37)%20000; ArePortsFree(offset, nodes) {
			return offset
		}
	}
	t.Fatal("no free ports")
	return 0
}

// ArePortsFree reports whether nobody listens where a fleet would.
func ArePortsFree(offset, nodes int) bool {
	for _, first := range []int{supervisor.FirstStorePort, supervisor.FirstHTTPPort, supervisor.FirstPeerPort, supervisor.FirstQueuePort} {
		for i := range nodes {
			listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", first+offset+i))
			if err != nil {
				return false
			}
			_ = listener.Close() // nothing was written to it
		}
	}
	return true
}

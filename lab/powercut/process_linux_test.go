package powercut

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"flotilla/supervisor"

	"github.com/redis/go-redis/v9"
)

// childEnv has the test's own program work as one of the children below, because what
// is to be killed must be another process.
const childEnv = "POWERCUT_CHILD"

// folderEnv names the folder that TestMain makes for the program and removes again.
const folderEnv = "POWERCUT_FOLDER"

func TestMain(m *testing.M) {
	if name := os.Getenv(childEnv); name != "" {
		os.Exit(runChild(name, os.Args[1:]))
	}
	redis.SetLogger(silent{})
	flag.Parse()
	dir, err := os.MkdirTemp("", "flotilla-powercut-")
	if err == nil {
		err = os.Setenv(folderEnv, dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	_ = os.RemoveAll(dir) // a temporary folder left behind harms nobody
	os.Exit(code)
}

// silent drops what go-redis says of failed connections: here they are meant to fail.
type silent struct{}

func (silent) Printf(context.Context, string, ...any) {}

// process is a running program.
type process struct {
	t   *testing.T
	cmd *exec.Cmd
	out *lockedBuffer
	// ended is closed when the process is gone and has been waited for.
	ended chan struct{}
}

// lockedBuffer collects what a process prints.
type lockedBuffer struct {
	mu  sync.Mutex // guards all
	all bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.all.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.all.String()
}

// start starts a program. It is killed when the test ends. Its standard input is open
// for as long as the test's process lives, and no longer.
func start(t *testing.T, cmd *exec.Cmd) *process {
	t.Helper()
	p := &process{t: t, cmd: cmd, out: &lockedBuffer{}, ended: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = p.out, p.out
	if _, err := cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = cmd.Wait() // how it ends is not the subject here
		close(p.ended)
	}()
	t.Cleanup(p.kill)
	return p
}

// kill ends the process as kill -9 does, if it has not ended by itself.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // it may be gone
	<-p.ended
}

func (p *process) isGone() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

// freePorts returns ports that nothing listens on, below those that the kernel hands out.
func freePorts(t *testing.T, count int) []string {
	t.Helper()
	const first, span = 31000, 1700
	var free []string
	for attempt := range span {
		port := first + (os.Getpid()*13+attempt)%span
		listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			continue
		}
		_ = listener.Close() // nothing was written to it
		if free = append(free, fmt.Sprint(port)); len(free) == count {
			return free
		}
	}
	t.Fatal("no free ports")
	return nil
}

// freeOffset returns an offset at which all ports of a fleet of three are free.
func freeOffset(t *testing.T) int {
	t.Helper()
	for attempt := range 100 {
		if offset := 31000 + (os.Getpid()+attempt)%100*10; arePortsFree(offset) {
			return offset
		}
	}
	t.Fatal("no free ports")
	return 0
}

func arePortsFree(offset int) bool {
	for _, first := range []int{supervisor.FirstStorePort, supervisor.FirstHTTPPort, supervisor.FirstPeerPort} {
		for i := range 3 {
			listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", first+offset+i))
			if err != nil {
				return false
			}
			_ = listener.Close() // nothing was written to it
		}
	}
	return true
}

// dial returns a client with one connection that retries nothing by itself.
func dial(port string) *redis.Client {
	return redis.NewClient(&redis.Options{
		Addr: "127.0.0.1:" + port, MaxRetries: -1, PoolSize: 1, DialTimeout: time.Second, DialerRetries: 1,
		ReadTimeout: 6 * time.Second, WriteTimeout: time.Second, DisableIdentity: true,
	})
}

// eventually waits for a condition, and returns false after limit.
func eventually(limit time.Duration, isSo func() bool) bool {
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	deadline := time.After(limit)
	for !isSo() {
		select {
		case <-ticker.C:
		case <-deadline:
			return false
		}
	}
	return true
}

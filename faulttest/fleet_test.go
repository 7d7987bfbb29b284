package faulttest

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"flotilla"
	"flotilla/supervisor"

	"github.com/redis/go-redis/v9"
)

var isLong = flag.Bool("long", false, "break each thing for longer, and more often")

// folderEnv names the folder that TestMain makes for the program and removes again.
const folderEnv = "FAULTTEST_FOLDER"

// program builds the flotilla program, once for all tests, and returns its path.
var program = sync.OnceValues(func() (string, error) {
	path := filepath.Join(os.Getenv(folderEnv), "flotilla")
	if runtime.GOOS == "windows" {
		path += ".exe"
	}
	out, err := exec.Command("go", "build", "-o", path, "flotilla/cmd/flotilla").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return path, nil
})

func TestMain(m *testing.M) {
	flag.Parse()
	redis.SetLogger(silent{})
	dir, err := os.MkdirTemp("", "flotilla-faulttest-")
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

// fleet is a running `flotilla up`.
type fleet struct {
	owner   *testing.T // whose fleet it is
	t       *testing.T // who uses it now: the owner, or one of its subtests
	nodes   int
	program string
	args    []string
	dir     string
	cmd     *exec.Cmd // nil while it does not run
	out     *lockedBuffer
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

// startFleet starts three nodes in a folder of the test and waits until they are
// ready. They are stopped when the test ends.
func startFleet(t *testing.T, flags ...string) *fleet {
	t.Helper()
	return startNodes(t, 3, flags...)
}

// startNodes is startFleet for so many nodes.
func startNodes(t *testing.T, nodes int, flags ...string) *fleet {
	t.Helper()
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	f := &fleet{owner: t, t: t, nodes: nodes, program: path, dir: filepath.Join(t.TempDir(), "fleet"), out: &lockedBuffer{}}
	f.args = append([]string{"up", "--dir", f.dir, "--nodes", fmt.Sprint(nodes), "--port-offset", fmt.Sprint(freeOffset(t, nodes))}, flags...)
	t.Cleanup(f.end)
	f.begin()
	f.waitReady("the new fleet")
	return f
}

// begin starts the program.
func (f *fleet) begin() {
	f.t.Helper()
	f.cmd = exec.Command(f.program, f.args...)
	f.cmd.Stdout, f.cmd.Stderr = f.out, f.out
	if err := f.cmd.Start(); err != nil {
		f.cmd = nil
		f.t.Fatal(err)
	}
}

// restart stops the fleet as Ctrl-C does, and starts it again in the same folder.
func (f *fleet) restart() {
	f.t.Helper()
	f.stop()
	f.begin()
	f.waitReady("the fleet, started again,")
}

// freeOffset returns an offset at which all ports of so many nodes are free now.
func freeOffset(t *testing.T, nodes int) int {
	t.Helper()
	for attempt := range 200 {
		// Process ids differ between packages' tests that run side by side.
		offset := 2000 + (os.Getpid()*7+attempt*13)%40000
		isFree := true
		for i := range 3 * nodes {
			first := []int{supervisor.FirstStorePort, supervisor.FirstPeerPort, supervisor.FirstHTTPPort}[i/nodes]
			listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", first+i%nodes+offset))
			if err != nil {
				isFree = false
				break
			}
			_ = listener.Close() // nothing was written to it
		}
		if isFree {
			return offset
		}
	}
	t.Fatal("no free ports")
	return 0
}

// stop ends the fleet as Ctrl-C does.
func (f *fleet) stop() {
	_ = f.cmd.Process.Signal(os.Interrupt) // it may be gone already
	ended := make(chan struct{})
	go func() {
		_ = f.cmd.Wait() // how it ends is not the subject here
		close(ended)
	}()
	select {
	case <-ended:
	case <-time.After(20 * time.Second):
		f.t.Error("the fleet did not stop within 20 s of Ctrl-C")
		_ = f.cmd.Process.Kill()
		<-ended
	}
	f.cmd = nil
}

// end stops the fleet when its test is over, and shows its output if that failed.
func (f *fleet) end() {
	f.t = f.owner
	if f.cmd != nil {
		f.stop()
	}
	if !f.t.Failed() {
		return
	}
	f.t.Logf("flotilla up said:\n%s", f.out)
	for i := range f.nodes {
		name := flotilla.NodeID(i + 1).String()
		log, _ := os.ReadFile(filepath.Join(f.dir, name, "node.log"))
		f.t.Logf("%s said at last:\n%s", name, log[max(0, len(log)-3000):])
	}
}

// status asks the program for its picture of the fleet.
func (f *fleet) status() (supervisor.Overview, error) {
	var o supervisor.Overview
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, f.program, "status", "--dir", f.dir, "--json").Output()
	if err != nil {
		return o, err
	}
	return o, json.Unmarshal(out, &o)
}

// waitReady waits until every group has a leader and every node is ready.
func (f *fleet) waitReady(why string) {
	f.t.Helper()
	var problems []string
	eventually(f.t, 60*time.Second, why+" to be ready", func() bool {
		o, err := f.status()
		ready := err == nil && o.IsReady && len(o.Nodes) == f.nodes
		for _, n := range o.Nodes {
			ready = ready && n.IsReady
		}
		problems = o.Problems
		return ready
	}, func() string { return fmt.Sprint(problems) })
}

// addresses returns where clients reach the nodes, n1 first.
func (f *fleet) addresses() []string {
	f.t.Helper()
	o, err := f.status()
	if err != nil {
		f.t.Fatal(err)
	}
	var all []string
	for _, n := range o.Nodes {
		all = append(all, n.StoreAddr)
	}
	return all
}

// leader returns who leads a group, as far as the nodes that answer know.
func (f *fleet) leader(group flotilla.GroupID) flotilla.NodeID {
	f.t.Helper()
	o, err := f.status()
	if err != nil {
		f.t.Fatal(err)
	}
	for _, g := range o.Groups {
		if g.Group == group {
			return g.Leader
		}
	}
	return 0
}

// groups returns all groups, the directory among them.
func (f *fleet) groups() []flotilla.GroupID {
	f.t.Helper()
	o, err := f.status()
	if err != nil {
		f.t.Fatal(err)
	}
	var all []flotilla.GroupID
	for _, g := range o.Groups {
		all = append(all, g.Group)
	}
	return all
}

// fault does to nodes what `flotilla fault VERB` does, by the same way.
func (f *fleet) fault(verb supervisor.Verb, nodes ...flotilla.NodeID) {
	f.t.Helper()
	f.request(supervisor.Request{Verb: verb, Nodes: nodes})
}

// cutOneWay has what one node sends to another be lost.
func (f *fleet) cutOneWay(from, to flotilla.NodeID) {
	f.t.Helper()
	f.request(supervisor.Request{Verb: supervisor.Cut, Nodes: []flotilla.NodeID{from, to}, IsOneWay: true})
}

func (f *fleet) request(r supervisor.Request) {
	f.t.Helper()
	client, err := supervisor.Dial(f.dir)
	if err != nil {
		f.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	lines, err := client.Do(ctx, r)
	f.t.Logf("fault %s %v: %s", r.Verb, r.Nodes, strings.Join(lines, "; "))
	if err != nil {
		f.t.Fatalf("fault %s %v: %v", r.Verb, r.Nodes, err)
	}
}

// killAll kills all nodes at once and behind the supervisor's back: it has to notice.
func (f *fleet) killAll() {
	f.t.Helper()
	o, err := f.status()
	if err != nil {
		f.t.Fatal(err)
	}
	for _, n := range o.Nodes {
		process, err := os.FindProcess(n.PID)
		if err == nil {
			err = process.Kill()
		}
		if err != nil {
			f.t.Fatalf("kill %s: %v", n.Name, err)
		}
	}
	f.t.Logf("killed all %d processes", len(o.Nodes))
}

// eventually waits for a condition, and fails the test after limit.
func eventually(t *testing.T, limit time.Duration, what string, isSo func() bool, details func() string) {
	t.Helper()
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	deadline := time.After(limit)
	for !isSo() {
		select {
		case <-ticker.C:
		case <-deadline:
			t.Fatalf("waited %v for %s: %s", limit, what, details())
		}
	}
}

// pass lets time go by in which the load runs and the fault lasts: there is no
// condition to wait for.
func pass(d time.Duration) { <-time.After(d) }

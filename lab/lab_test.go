package lab_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"flotilla"
	"flotilla/lab/powercut"
	"flotilla/scenario"
)

// folderEnv names the folder that TestMain makes for the program and removes again.
const folderEnv = "LAB_TEST_FOLDER"

func TestMain(m *testing.M) {
	flag.Parse()
	dir, err := os.MkdirTemp("", "flotilla-lab-")
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

// program builds the flotilla program as it is, once for all tests.
var program = sync.OnceValues(func() (string, error) {
	path := filepath.Join(os.Getenv(folderEnv), "flotilla")
	if out, err := exec.Command("go", "build", "-o", path, "flotilla/cmd/flotilla").CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return path, nil
})

// planted builds the program with one text of a source file replaced by a bug.
func planted(t *testing.T, file, right, wrong string) string {
	t.Helper()
	original, err := filepath.Abs(filepath.Join("..", file))
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(original)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Count(string(text), right) != 1 {
		t.Fatalf("%s has %q not once: the bug can not be planted any more", file, right)
	}
	dir := t.TempDir()
	copied, list, path := filepath.Join(dir, "copy.go"), filepath.Join(dir, "overlay.json"), filepath.Join(dir, "flotilla")
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {original: copied}})
	err = errors.Join(err, os.WriteFile(copied, []byte(strings.Replace(string(text), right, wrong, 1)), 0o600),
		os.WriteFile(list, overlay, 0o600))
	if err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("go", "build", "-overlay", list, "-o", path, "flotilla/cmd/flotilla").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return path
}

// output collects what a process prints.
type output struct {
	mu  sync.Mutex // guards all
	all bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.all.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.all.String()
}

// begin starts `flotilla lab run` with a plan, in a folder of the test.
func begin(t *testing.T, program string, plan *scenario.Plan, flags ...string) (cmd *exec.Cmd, out *output, dir string, offset int) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "plan.txt")
	if err := os.WriteFile(file, []byte(plan.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	dir, offset, out = filepath.Join(t.TempDir(), "runs"), freeOffset(t), &output{}
	cmd = exec.Command(program, "lab", "run", file, "--dir", dir, "--port-offset", fmt.Sprint(offset), "--seed", "7")
	cmd.Args = append(cmd.Args, flags...)
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, out, dir, offset
}

// short returns the beginning of a plan that comes with the program.
func short(t *testing.T, name string, duration flotilla.Millis) *scenario.Plan {
	t.Helper()
	p, err := scenario.Load(name)
	if err != nil {
		t.Fatal(err)
	}
	p.Duration = duration
	var steps []scenario.Step
	for _, s := range p.Steps {
		if s.At <= duration && s.Until <= duration {
			steps = append(steps, s)
		}
	}
	p.Steps = steps
	if err := p.Check(); err != nil {
		t.Fatal(err)
	}
	return p
}

// arePortsFree reports whether nobody listens where a fleet of three would.
func arePortsFree(offset int) bool {
	for _, port := range []int{6379, 6380, 6381, 7001, 7002, 7003, 8080, 8081, 8082} {
		listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port+offset))
		if err != nil {
			return false
		}
		_ = listener.Close() // nothing was written to it
	}
	return true
}

// offsets keeps tests that run side by side apart.
var offsets atomic.Int64

func freeOffset(t *testing.T) int {
	t.Helper()
	for range 200 {
		if offset := 2000 + (os.Getpid()*11+int(offsets.Add(1))*17)%20000; arePortsFree(offset) {
			return offset
		}
	}
	t.Fatal("no free ports")
	return 0
}

func TestPromisesAreKept(t *testing.T) {
	t.Parallel()
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	for name, duration := range map[string]flotilla.Millis{"message-chaos": 6000, "pause": 8500} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd, out, dir, _ := begin(t, path, short(t, name, duration))
			if err := cmd.Wait(); err != nil || !strings.Contains(out.String(), "KEPT: every promise") {
				t.Fatalf("%v\n%s", err, out)
			}
			t.Log(out)
			if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("%s is left behind: %v", dir, err)
			}
		})
	}
}

// TestABrokenPromiseIsFound plants a bug: linearizable reads are answered from whatever
// the node has applied.
func TestABrokenPromiseIsFound(t *testing.T) {
	t.Parallel()
	path := planted(t, "cluster/calls.go", "if call.Level == flotilla.Linearizable {\n\t\treturn false\n\t}",
		"if call.Level == flotilla.Linearizable {\n\t\tcall.Level = flotilla.Eventual\n\t}")
	cmd, out, dir, _ := begin(t, path, short(t, "message-chaos", 4000))
	err := cmd.Wait()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 1 {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, words := range []string{"BROKEN: ", "linearizability is BROKEN", "no order explains", "to play it again: "} {
		if !strings.Contains(out.String(), words) {
			t.Errorf("nothing says %q:\n%s", words, out)
		}
	}
	for _, name := range []string{"plan.txt", "verdict.txt", "history.jsonl", "picture.html", "fleet/n2/node.log"} {
		found, err := filepath.Glob(filepath.Join(dir, "message-chaos-*", name))
		if err != nil || len(found) != 1 {
			t.Errorf("%s is not kept: %v", name, err)
		}
	}
}

func TestPowerCuts(t *testing.T) {
	t.Parallel()
	probe, err := powercut.Mount(t.TempDir(), filepath.Join(t.TempDir(), "backing"), powercut.Options{})
	if errors.Is(err, powercut.ErrUnavailable) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := probe.Unmount(); err != nil {
		t.Fatal(err)
	}
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	plan, err := scenario.Parse("name power\nfor 5s\nload set 40% get 40% incr 20%\n" +
		"at 2s crash all losing unsynced for 20ms\nfinally crash n1 n2 losing some unsynced for 20ms")
	if err != nil {
		t.Fatal(err)
	}
	cmd, out, _, _ := begin(t, path, plan, "--power-cuts")
	err = cmd.Wait()
	if err != nil || !strings.Contains(out.String(), "KEPT: every promise") || !strings.Contains(out.String(), "5 power cuts took ") {
		t.Fatalf("%v\n%s", err, out)
	}
	if strings.Contains(out.String(), "took 0 bytes") {
		t.Errorf("nothing was lost: nothing was tested\n%s", out)
	}
}

func TestCtrlCHealsAndStops(t *testing.T) {
	t.Parallel()
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	plan, err := scenario.Parse("name interrupted\nfor 60s\nat 100ms pause n2\nat 100ms cut everywhere")
	if err != nil {
		t.Fatal(err)
	}
	cmd, out, _, offset := begin(t, path, plan)
	deadline := time.After(60 * time.Second)
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for !strings.Contains(out.String(), "cut everywhere") || !strings.Contains(out.String(), " s  pause n2") {
		select {
		case <-ticker.C:
		case <-deadline:
			t.Fatalf("it does not begin:\n%s", out)
		}
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	err = cmd.Wait()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 1 || !strings.Contains(out.String(), "nothing was judged") {
		t.Fatalf("%v\n%s", err, out)
	}
	if strings.Contains(out.String(), "killing it") {
		t.Errorf("it did not stop in good order:\n%s", out)
	}
	if !arePortsFree(offset) {
		t.Errorf("the nodes live on:\n%s", out)
	}
}

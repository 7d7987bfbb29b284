package supervisor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"flotilla"
	"flotilla/cluster"
	"flotilla/supervisor/fakenode"
	"flotilla/transport"

	"go.uber.org/goleak"
)

// supervisorEnv makes this test binary be a supervisor of fake nodes in the
// folder that it names, for tests that kill it.
const supervisorEnv = "FLOTILLA_TEST_SUPERVISOR"

func TestMain(m *testing.M) {
	fakenode.Main()
	if plan := os.Getenv(playEnv); plan != "" {
		os.Exit(fakePlay(plan))
	}
	if dir := os.Getenv(supervisorEnv); dir != "" {
		plan, err := ReadPlan(dir)
		if err != nil {
			panic(err)
		}
		moods := func(n flotilla.NodeID) string {
			if n == 2 && runtime.GOOS == "linux" {
				return "stubborn" // only the kernel can end it
			}
			return ""
		}
		f := &Fleet{Dir: dir, Plan: plan, Command: fakeCommand(moods), Notify: func(s string) { fmt.Println(s) }}
		if err := f.Run(context.Background(), context.Background()); err != nil {
			panic(err)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// fakeCommand runs this test binary as a fake node with the mood that moods
// returns for the node.
func fakeCommand(moods func(flotilla.NodeID) string) func(Launch) *exec.Cmd {
	return func(l Launch) *exec.Cmd {
		o := fakenode.Options{
			Cluster: l.Plan.Cluster, Node: l.Node.Node, Members: len(l.Plan.Nodes),
			HTTP: l.Node.HTTPAddr(), Token: l.Token, Faults: string(l.Faults),
		}
		if moods != nil {
			o.Mood = moods(l.Node.Node)
		}
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), fakenode.Environ(o), supervisorEnv+"=")
		return cmd
	}
}

// running is a fleet under test.
type running struct {
	t     *testing.T
	fleet *Fleet
	lines chan string
	ended chan error
	stop  context.CancelFunc
	hard  context.CancelFunc
}

// freePlan returns a plan of n nodes in a new folder whose ports are free.
func freePlan(t *testing.T, nodes int) (dir string, plan Plan) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "fleet")
	lock, err := LockDir(dir)
	check(t, err)
	t.Cleanup(func() { check(t, lock.Close()) })
	probe := newPlan(Want{Nodes: nodes, PortOffset: 20000 + os.Getpid()%200*100})
	plan, _, err = Prepare(dir, Want{Nodes: nodes, PortOffset: freeOffset(probe)})
	check(t, err)
	return dir, plan
}

func startFleet(t *testing.T, nodes int, timing Timing, moods func(flotilla.NodeID) string) *running {
	t.Helper()
	dir, plan := freePlan(t, nodes)
	return runFleet(t, &Fleet{Dir: dir, Plan: plan, Timing: timing, Command: fakeCommand(moods)})
}

func runFleet(t *testing.T, f *Fleet) *running {
	t.Helper()
	r := &running{t: t, fleet: f, lines: make(chan string, 1000), ended: make(chan error, 1)}
	f.Notify = func(line string) { r.lines <- line }
	ctx, stop := context.WithCancel(context.Background())
	hard, kill := context.WithCancel(context.Background())
	r.stop, r.hard = stop, kill
	var runs sync.WaitGroup
	runs.Go(func() { r.ended <- f.Run(ctx, hard) })
	t.Cleanup(func() {
		kill()
		stop()
		runs.Wait()
	})
	return r
}

// line waits for a notice that contains all the words.
func (r *running) line(words ...string) string {
	r.t.Helper()
	timeout := time.After(20 * time.Second)
	for {
		select {
		case line := <-r.lines:
			if !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(line, w) }) {
				return line
			}
		case <-timeout:
			r.t.Fatalf("no line with %q", words)
		}
	}
}

// allAnswer waits until the given nodes, and no others, answer.
func (r *running) allAnswer(nodes ...flotilla.NodeID) {
	r.t.Helper()
	eventually(r.t, fmt.Sprintf("%v answer", nodes), func() bool {
		var up []flotilla.NodeID
		for _, a := range Survey(r.t.Context(), r.fleet.Plan.Nodes) {
			if a.Err == nil {
				up = append(up, a.Node.Node)
			}
		}
		return slices.Equal(up, nodes)
	})
}

func (r *running) do(request Request) []string {
	r.t.Helper()
	client, err := Dial(r.fleet.Dir)
	check(r.t, err)
	lines, err := client.Do(r.t.Context(), request)
	check(r.t, err)
	return lines
}

func (r *running) end() {
	r.t.Helper()
	r.stop()
	select {
	case err := <-r.ended:
		check(r.t, err)
	case <-time.After(20 * time.Second):
		r.t.Fatal("the fleet does not stop")
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// eventually waits for a condition that another process makes true.
func eventually(t *testing.T, what string, isTrue func() bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !isTrue() {
		if time.Now().After(deadline) {
			t.Fatalf("never came: %s", what)
		}
		<-tick.C
	}
}

var tiny = Timing{FirstPause: time.Millisecond, MaxPause: 4 * time.Millisecond, LabRetry: 5 * time.Millisecond}

func TestFleetStartsAndStopsInGoodOrder(t *testing.T) {
	r := startFleet(t, 3, Timing{}, nil)
	r.allAnswer(1, 2, 3)
	o := Merge(Survey(t.Context(), r.fleet.Plan.Nodes), r.fleet.States())
	if !o.IsReady || len(o.Problems) != 0 || o.Nodes[2].Phase != Running || o.Nodes[2].PID == 0 {
		t.Fatalf("overview: %+v", o)
	}
	r.end()
	if _, err := Dial(r.fleet.Dir); !errors.Is(err, ErrNotRunning) {
		t.Fatalf("a fleet that ended can be dialled: %v", err)
	}
	raw, err := os.ReadFile(filepath.Join(r.fleet.Dir, "n2", "node.log"))
	if err != nil || !strings.Contains(string(raw), "n2 listens") {
		t.Fatalf("log of n2: %q, %v", raw, err)
	}
}

func TestNodeThatDiesIsStartedAgain(t *testing.T) {
	r := startFleet(t, 2, tiny, nil)
	r.allAnswer(1, 2)
	before := r.fleet.States()[1].PID
	process, err := os.FindProcess(before)
	check(t, err)
	check(t, process.Kill())
	r.line("n2 died", "starting it again in 1ms")
	r.line("n2 is back up (pid ")
	eventually(t, "n2 has a new process", func() bool {
		s := r.fleet.States()[1]
		return s.Phase == Running && s.PID != before && s.Starts == 2 && s.Deaths == 1
	})
	r.allAnswer(1, 2)
	r.end()
}

func TestPausesGrowAndLastWordsAreTold(t *testing.T) {
	moods := func(n flotilla.NodeID) string {
		if n == 2 {
			return "dies"
		}
		return ""
	}
	r := startFleet(t, 2, tiny, moods)
	r.line("n2 died", "in 1ms")
	r.line("its last words: the disk is on fire")
	r.line("n2 died", "in 2ms")
	r.line("n2 died", "in 4ms")
	r.line("n2 died", "in 4ms")
	r.end()
}

func TestKilledNodeStaysDown(t *testing.T) {
	r := startFleet(t, 3, tiny, nil)
	r.allAnswer(1, 2, 3)
	r.do(Request{Verb: Kill, Nodes: []flotilla.NodeID{2}})
	r.allAnswer(1, 3)
	if s := r.fleet.States()[1]; s.Phase != Down || s.Starts != 1 || s.PID != 0 {
		t.Fatalf("n2 after a kill: %+v", s)
	}
	r.do(Request{Verb: Restart, Nodes: []flotilla.NodeID{1, 2}})
	eventually(t, "n1 and n2 have second processes", func() bool {
		s := r.fleet.States()
		return s[0].Starts == 2 && s[1].Starts == 2
	})
	r.allAnswer(1, 2, 3)
	r.end()
}

func TestKillOfNodeThatWaits(t *testing.T) {
	timing := Timing{FirstPause: time.Hour}
	r := startFleet(t, 1, timing, func(flotilla.NodeID) string { return "dies" })
	r.line("n1 died", "in 1h")
	lines := r.do(Request{Verb: Kill, Nodes: []flotilla.NodeID{1}})
	if s := r.fleet.States()[0]; s.Phase != Down || !strings.Contains(lines[0], "stays down") {
		t.Fatalf("%+v %q", s, lines)
	}
	r.end()
}

func TestStubbornNodeIsKilled(t *testing.T) {
	timing := Timing{StopWait: 10 * time.Millisecond}
	r := startFleet(t, 2, timing, func(flotilla.NodeID) string { return "stubborn" })
	r.allAnswer(1, 2)
	r.stop()
	r.line("n1 did not stop within 10ms")
	check(t, <-r.ended)
}

func TestSecondCtrlCKillsAtOnce(t *testing.T) {
	timing := Timing{StopWait: time.Hour}
	r := startFleet(t, 1, timing, func(flotilla.NodeID) string { return "stubborn" })
	r.allAnswer(1)
	r.stop()
	r.hard()
	check(t, <-r.ended)
}

func TestPauseAndResume(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("windows can not pause a process")
	}
	timing := tiny
	timing.StopWait = time.Hour // so that only a node that goes on can stop
	r := startFleet(t, 2, timing, nil)
	r.allAnswer(1, 2)
	r.do(Request{Verb: Pause, Nodes: []flotilla.NodeID{2}})
	if s := r.fleet.States()[1]; s.Phase != Paused {
		t.Fatalf("n2: %+v", s)
	}
	r.allAnswer(1)
	r.do(Request{Verb: Resume, Nodes: []flotilla.NodeID{2}})
	r.allAnswer(1, 2)
	r.do(Request{Verb: Pause, Nodes: []flotilla.NodeID{1}})
	r.end() // a paused node stops too
}

// faultsOf returns what a fake node was told.
func (r *running) faultsOf(node flotilla.NodeID) string {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Get("http://" + r.fleet.Plan.Nodes[node-1].HTTPAddr() + LabPath)
	if err != nil {
		return err.Error()
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		return err.Error()
	}
	return string(raw)
}

func TestFaultsReachTheNodes(t *testing.T) {
	r := startFleet(t, 3, tiny, nil)
	r.allAnswer(1, 2, 3)
	wants := func(node flotilla.NodeID, want string) {
		t.Helper()
		eventually(t, fmt.Sprintf("%v has faults %s", node, want), func() bool {
			return r.faultsOf(node) == `{"outgoing":`+want+`,"incoming":null}`
		})
	}
	r.do(Request{Verb: Cut, Nodes: []flotilla.NodeID{2, 3}, IsOneWay: true})
	wants(2, `{"3":{"cut":true}}`)
	wants(3, `{}`)
	r.do(Request{Verb: Isolate, Nodes: []flotilla.NodeID{1}})
	wants(1, `{"2":{"cut":true},"3":{"cut":true}}`)
	wants(3, `{"1":{"cut":true}}`)
	// A node that starts again has its faults from the first moment.
	r.do(Request{Verb: Restart, Nodes: []flotilla.NodeID{1}})
	eventually(t, "n1 has a second process", func() bool { return r.fleet.States()[0].Starts == 2 })
	wants(1, `{"2":{"cut":true},"3":{"cut":true}}`)
	r.do(Request{Verb: Heal})
	wants(1, `{}`)
	wants(2, `{}`)
	r.do(Request{Verb: Links, Ways: []Way{{From: 2, To: 1, Fault: transport.Fault{Duplicate: 0.5, Reorder: 0.25}}}})
	wants(2, `{"1":{"duplicate":0.5,"reorder":0.25}}`)
	r.do(Request{Verb: Links})
	wants(2, `{}`)
	r.end()
}

// TestClocksReachTheNodes: also one that starts again, and a drift goes on from where it began.
func TestClocksReachTheNodes(t *testing.T) {
	r := startFleet(t, 2, tiny, nil)
	r.allAnswer(1, 2)
	clock := func(node flotilla.NodeID) (skew cluster.Skew) {
		var faults Faults
		if err := json.Unmarshal([]byte(r.faultsOf(node)), &faults); err != nil {
			return cluster.Skew{OffsetMillis: -1} // it does not answer yet
		}
		return faults.Clock
	}
	began := flotilla.Millis(time.Now().UnixMilli())
	r.do(Request{Verb: Clock, Nodes: []flotilla.NodeID{2}, Clock: cluster.Skew{DriftPPM: 200}})
	first := clock(2)
	if first.DriftPPM != 200 || first.SinceMillis < began || clock(1) != (cluster.Skew{}) {
		t.Errorf("the clocks of n2 are %+v, and of n1 %+v", first, clock(1))
	}
	r.do(Request{Verb: Clock, Nodes: []flotilla.NodeID{2}, Clock: cluster.Skew{OffsetMillis: -5, DriftPPM: 200}})
	want := cluster.Skew{OffsetMillis: -5, DriftPPM: 200, SinceMillis: first.SinceMillis}
	if got := clock(2); got != want {
		t.Errorf("the clocks of n2 are %+v, expected %+v", got, want)
	}
	r.do(Request{Verb: Restart, Nodes: []flotilla.NodeID{2}})
	eventually(t, "n2 has a second process with the same clocks", func() bool { return r.fleet.States()[1].Starts == 2 && clock(2) == want })
	r.do(Request{Verb: Clock, Nodes: []flotilla.NodeID{2}})
	if got := clock(2); got != (cluster.Skew{}) {
		t.Errorf("the clocks of n2 are %+v, and should be right", got)
	}
	r.end()
}

// TestSlowDisksReachTheNodes: also one that starts again, until they are healed, which is
// done with the links. What no node would take is refused.
func TestSlowDisksReachTheNodes(t *testing.T) {
	r := startFleet(t, 2, tiny, nil)
	r.allAnswer(1, 2)
	delay := func(node flotilla.NodeID) flotilla.Millis {
		var faults Faults
		if err := json.Unmarshal([]byte(r.faultsOf(node)), &faults); err != nil {
			return -1 // it does not answer yet
		}
		return faults.DiskDelayMillis
	}
	slow := Request{Verb: SlowDisk, Nodes: []flotilla.NodeID{2}, DelayMillis: 70}
	r.do(slow)
	if delay(1) != 0 || delay(2) != 70 {
		t.Errorf("the disks of n1 and n2 are %d and %d ms slow", delay(1), delay(2))
	}
	r.do(Request{Verb: Restart, Nodes: []flotilla.NodeID{2}})
	eventually(t, "n2 has a second process with the same disk", func() bool { return r.fleet.States()[1].Starts == 2 && delay(2) == 70 })
	for _, heal := range []Request{{Verb: Heal, Nodes: []flotilla.NodeID{2}}, {Verb: Heal}} {
		r.do(slow)
		r.do(Request{Verb: Heal, Nodes: []flotilla.NodeID{1}})
		if delay(2) != 70 {
			t.Errorf("n1 was healed, and the disk of n2 is %d ms slow", delay(2))
		}
		r.do(heal)
		if delay(2) != 0 {
			t.Errorf("after %+v the disk of n2 is %d ms slow", heal, delay(2))
		}
	}
	if err := (Request{Verb: SlowDisk, Nodes: []flotilla.NodeID{2}, DelayMillis: MaxDiskDelayMillis + 1}).Check(2); err == nil {
		t.Error("a disk that hangs is asked for")
	}
	r.end()
}

func TestOrdersReachTheNodes(t *testing.T) {
	r := startFleet(t, 3, tiny, nil)
	r.allAnswer(1, 2, 3)
	client, err := Dial(r.fleet.Dir)
	check(t, err)
	for _, c := range []struct {
		request Request
		said    string
	}{
		{Request{Verb: Transfer, Order: Order{Group: 1}}, "g1 is being handed over"},
		{Request{Verb: Transfer, Order: Order{Group: 2}}, "n3 refused: 400 Bad Request: n3 does not lead g2"},
		{Request{Verb: Transfer, Order: Order{Group: 1, To: 4}}, "there is no n4"},
		{Request{Verb: Crash, Nodes: []flotilla.NodeID{2, 3}, Order: Order{Moment: "after vote"}}, `waiting for the moment "after vote"`},
		{Request{Verb: Crash}, "crash needs the name of a node"},
	} {
		lines, err := client.Do(t.Context(), c.request)
		if said := fmt.Sprint(lines, err); !strings.Contains(said, c.said) {
			t.Errorf("%+v: %s", c.request, said)
		}
	}
	r.do(Request{Verb: Kill, Nodes: []flotilla.NodeID{2}})
	if _, err := client.Do(t.Context(), Request{Verb: Crash, Nodes: []flotilla.NodeID{2}}); err == nil || !strings.Contains(err.Error(), "is running") {
		t.Errorf("an order to a node that is down: %v", err)
	}
	r.end()
}

func TestPausedNodeLearnsOfFaultsLater(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("windows can not pause a process")
	}
	timing := tiny
	timing.LabTimeout = 10 * time.Millisecond
	r := startFleet(t, 2, timing, nil)
	r.allAnswer(1, 2)
	r.do(Request{Verb: Pause, Nodes: []flotilla.NodeID{2}})
	lines := r.do(Request{Verb: Cut, Nodes: []flotilla.NodeID{1, 2}})
	if !strings.Contains(strings.Join(lines, "\n"), "n2 is paused: it learns of this when it runs") {
		t.Fatalf("%q", lines)
	}
	r.do(Request{Verb: Resume, Nodes: []flotilla.NodeID{2}})
	eventually(t, "n2 knows", func() bool { return strings.Contains(r.faultsOf(2), `"1":{"cut":true}`) })
	r.end()
}

func TestNoOrphansAfterSupervisorWasKilled(t *testing.T) {
	dir, plan := freePlan(t, 2)
	supervisor := exec.Command(os.Args[0])
	supervisor.Env = append(os.Environ(), supervisorEnv+"="+dir)
	check(t, supervisor.Start())
	r := &running{t: t, fleet: &Fleet{Dir: dir, Plan: plan}}
	r.allAnswer(1, 2)
	check(t, supervisor.Process.Kill())
	if err := supervisor.Wait(); err == nil {
		t.Fatal("the supervisor was not killed")
	}
	eventually(t, "all ports are free again", func() bool { return takenPort(plan) == 0 })
	if _, err := (&Client{dir: dir, control: control{Address: "127.0.0.1:1"}}).States(t.Context()); !errors.Is(err, ErrNotRunning) {
		t.Fatalf("a left-over control.json: %v", err)
	}
}

func TestProgramThatCanNotBeStarted(t *testing.T) {
	dir, plan := freePlan(t, 2)
	r := runFleet(t, &Fleet{Dir: dir, Plan: plan, Command: func(Launch) *exec.Cmd {
		return exec.Command(filepath.Join(dir, "nothing"))
	}})
	if err := <-r.ended; err == nil || !strings.Contains(err.Error(), "start a node") {
		t.Fatalf("%v", err)
	}
}

func TestControlWantsToken(t *testing.T) {
	r := startFleet(t, 1, tiny, nil)
	r.allAnswer(1)
	client, err := Dial(r.fleet.Dir)
	check(t, err)
	if info, err := os.Stat(filepath.Join(r.fleet.Dir, controlFile)); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Fatalf("control.json: %v %v", info.Mode(), err)
	}
	good := *client
	client.control.Token = "guess"
	if _, err := client.Do(t.Context(), Request{Verb: Kill, Nodes: []flotilla.NodeID{1}}); err == nil ||
		!strings.Contains(err.Error(), "wrong token") {
		t.Fatalf("%v", err)
	}
	if _, err := good.Do(t.Context(), Request{Verb: "dance"}); err == nil || !strings.Contains(err.Error(), "unknown verb") {
		t.Fatalf("%v", err)
	}
	r.end()
}

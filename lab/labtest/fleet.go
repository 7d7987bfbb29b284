package labtest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"flotilla"
	"flotilla/supervisor"
)

// Fleet is a running `flotilla up`.
type Fleet struct {
	T       *testing.T // who uses it now: its owner, or one of the owner's subtests
	Nodes   int
	Program string
	Args    []string
	Dir     string
	Process *Process // nil while it does not run

	owner  *testing.T // whose fleet it is
	offset int        // of its ports, at first
	said   []*Output  // in all its lives
}

// StartFleet starts so many nodes in a folder of the test and waits until they are
// ready. They are stopped when the test ends.
func StartFleet(t *testing.T, nodes int, flags ...string) *Fleet {
	t.Helper()
	f := NewFleet(t, Program(t), filepath.Join(t.TempDir(), "fleet"), nodes, flags...)
	f.Begin()
	f.WaitReady("the new fleet")
	return f
}

// NewFleet is a fleet that Begin will start.
func NewFleet(t *testing.T, program, dir string, nodes int, flags ...string) *Fleet {
	t.Helper()
	f := &Fleet{owner: t, T: t, Nodes: nodes, Program: program, Dir: dir, offset: FreeOffset(t, nodes)}
	f.Args = append([]string{"up", "--dir", dir, "--nodes", fmt.Sprint(nodes), "--port-offset", fmt.Sprint(f.offset)}, flags...)
	t.Cleanup(f.end)
	return f
}

// Begin starts the program.
func (f *Fleet) Begin() {
	f.T.Helper()
	f.Process = Start(f.owner, exec.Command(f.Program, f.Args...))
	f.said = append(f.said, f.Process.Out)
}

// Stop ends the fleet as Ctrl-C does.
func (f *Fleet) Stop() {
	f.T.Helper()
	if !f.Process.Interrupt(20 * time.Second) {
		f.T.Error("the fleet did not stop within 20 s of Ctrl-C")
	}
	f.Process = nil
}

// Restart stops the fleet, and starts it again in the same folder.
func (f *Fleet) Restart() {
	f.T.Helper()
	f.Stop()
	f.Begin()
	f.WaitReady("the fleet, started again,")
}

// end stops the fleet when its test is over, and shows what it said if that failed.
func (f *Fleet) end() {
	f.T = f.owner
	if f.Process != nil {
		f.Stop()
	}
	if !f.T.Failed() {
		return
	}
	for life, said := range f.said {
		f.T.Logf("flotilla up said in its life %d:\n%s", life+1, said)
	}
	for i := range f.Nodes {
		name := flotilla.NodeID(i + 1).String()
		log, _ := os.ReadFile(filepath.Join(f.Dir, name, "node.log"))
		f.T.Logf("%s said at last:\n%s", name, log[max(0, len(log)-3000):])
	}
}

// IsOffMachine reports whether nothing listens on the fleet's first ports any more: after
// the supervisor was killed, the nodes end by themselves.
func (f *Fleet) IsOffMachine() bool { return ArePortsFree(f.offset, f.Nodes) }

// Try returns what can be known of the fleet.
func (f *Fleet) Try() (supervisor.Overview, error) {
	plan, err := supervisor.ReadPlan(f.Dir)
	if err != nil {
		return supervisor.Overview{}, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	client, err := supervisor.Dial(f.Dir)
	if err != nil {
		return supervisor.Overview{}, err
	}
	states, err := client.States(ctx)
	if err != nil {
		return supervisor.Overview{}, err
	}
	return supervisor.Merge(supervisor.Survey(ctx, plan.Nodes), states), nil
}

// Status is Try for a fleet that runs.
func (f *Fleet) Status() supervisor.Overview {
	f.T.Helper()
	o, err := f.Try()
	if err != nil {
		f.T.Fatal(err)
	}
	return o
}

// WaitReady waits until every group has a leader and every node is ready.
func (f *Fleet) WaitReady(why string) {
	f.T.Helper()
	var missing []string
	Eventually(f.T, 60*time.Second, why+" to be ready", func() bool {
		o, err := f.Try()
		if err != nil {
			missing = []string{err.Error()}
			return false
		}
		missing = o.Missing()
		return len(missing) == 0
	}, func() string { return strings.Join(missing, "; ") })
}

// Addresses returns where clients reach the nodes, n1 first.
func (f *Fleet) Addresses() (all []string) {
	f.T.Helper()
	plan, err := supervisor.ReadPlan(f.Dir)
	if err != nil {
		f.T.Fatal(err)
	}
	for _, n := range plan.Nodes {
		all = append(all, n.StoreAddr())
	}
	return all
}

// Group returns what is known of one group.
func (f *Fleet) Group(id flotilla.GroupID) supervisor.GroupOverview {
	f.T.Helper()
	for _, g := range f.Status().Groups {
		if g.Group == id {
			return g
		}
	}
	return supervisor.GroupOverview{}
}

// Leader returns who leads a group, as far as the nodes that answer know.
func (f *Fleet) Leader(group flotilla.GroupID) flotilla.NodeID {
	f.T.Helper()
	return f.Group(group).Leader
}

// Groups returns all groups, the directory among them.
func (f *Fleet) Groups() (all []flotilla.GroupID) {
	f.T.Helper()
	for _, g := range f.Status().Groups {
		all = append(all, g.Group)
	}
	return all
}

// Fault does to nodes what `flotilla fault VERB` does, by the same way.
func (f *Fleet) Fault(verb supervisor.Verb, nodes ...flotilla.NodeID) {
	f.T.Helper()
	f.Request(supervisor.Request{Verb: verb, Nodes: nodes})
}

// CutOneWay has what one node sends to another be lost.
func (f *Fleet) CutOneWay(from, to flotilla.NodeID) {
	f.T.Helper()
	f.Request(supervisor.Request{Verb: supervisor.Cut, Nodes: []flotilla.NodeID{from, to}, IsOneWay: true})
}

// Request asks the supervisor for something.
func (f *Fleet) Request(r supervisor.Request) {
	f.T.Helper()
	client, err := supervisor.Dial(f.Dir)
	if err != nil {
		f.T.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	lines, err := client.Do(ctx, r)
	f.T.Logf("fault %s %v: %s", r.Verb, r.Nodes, strings.Join(lines, "; "))
	if err != nil {
		f.T.Fatalf("fault %s %v: %v", r.Verb, r.Nodes, err)
	}
}

// KillAll kills all nodes at once and behind the supervisor's back: it has to notice.
func (f *Fleet) KillAll() {
	f.T.Helper()
	nodes := f.Status().Nodes
	for _, n := range nodes {
		process, err := os.FindProcess(n.PID)
		if err == nil {
			err = process.Kill()
		}
		if err != nil {
			f.T.Fatalf("kill %s: %v", n.Name, err)
		}
	}
	f.T.Logf("killed all %d processes", len(nodes))
}

package supervisor

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"flotilla/cluster"
)

// wantOnFreePorts returns what to ask Prepare for so that all ports are free.
func wantOnFreePorts(nodes int) Want {
	return Want{Nodes: nodes, PortOffset: freeOffset(newPlan(Want{Nodes: nodes, PortOffset: 20000 + os.Getpid()%200*100}))}
}

func TestPlanIsResumed(t *testing.T) {
	dir := t.TempDir()
	want := wantOnFreePorts(5)
	want.Groups = 4
	first, isNew, err := Prepare(dir, want)
	if err != nil || !isNew || len(first.Nodes) != 5 || first.Groups != 4 {
		t.Fatalf("%+v %v %v", first, isNew, err)
	}
	again, isNew, err := Prepare(dir, Want{}) // nothing said: as it was
	if err != nil || isNew || !reflect.DeepEqual(again, first) {
		t.Fatalf("%+v %v %v", again, isNew, err)
	}
}

func TestPlanMovesToOtherPortsAndRemembersStarts(t *testing.T) {
	dir := t.TempDir()
	plan, _, err := Prepare(dir, wantOnFreePorts(2))
	check(t, err)
	plan.Nodes[1].HasStarted = true
	check(t, writePlan(dir, plan))
	offset := freeOffset(plan)
	moved, isNew, err := Prepare(dir, Want{PortOffset: offset, HasPortOffset: true})
	if err != nil || isNew || moved.Cluster != plan.Cluster || moved.Nodes[1].StorePort != FirstStorePort+1+offset {
		t.Fatalf("%+v %v %v", moved, isNew, err)
	}
	if moved.Nodes[0].HasStarted || !moved.Nodes[1].HasStarted {
		t.Fatalf("%+v", moved.Nodes)
	}
}

func TestOtherShapeIsRefused(t *testing.T) {
	dir := t.TempDir()
	if _, _, err := Prepare(dir, wantOnFreePorts(3)); err != nil {
		t.Fatal(err)
	}
	for want, words := range map[Want]string{
		{Nodes: 5}:                             "has 3 nodes, not 5",
		{Groups: 2}:                            "has 1 group, not 2: leave --groups out",
		{Groups: cluster.MaxGroups + 1}:        "--groups=4097: a fleet has 1 to 4096 groups",
		{Groups: -1}:                           "--groups=-1",
		{Nodes: MaxNodes + 1}:                  "1 to 32 nodes",
		{PortOffset: 60000}:                    "--port-offset=60000",
		{PortOffset: -1, HasPortOffset: true}:  "--port-offset=-1",
		{Nodes: 2, PortOffset: 1, Groups: 100}: "--fresh",
	} {
		if _, _, err := Prepare(dir, want); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%+v: %v", want, err)
		}
	}
}

func TestTooManyGroupsAreNeverWrittenDown(t *testing.T) {
	dir := t.TempDir()
	want := wantOnFreePorts(1)
	want.Groups = 100_000
	if _, _, err := Prepare(dir, want); err == nil {
		t.Fatal("100,000 groups were taken")
	}
	if _, err := ReadPlan(dir); !os.IsNotExist(errors.Unwrap(err)) {
		t.Fatalf("a plan was written: %v", err)
	}
	check(t, writePlan(dir, newPlan(want))) // by another version, or by hand
	if _, err := ReadPlan(dir); err == nil || !strings.Contains(err.Error(), "it asks for 100000 groups") {
		t.Fatalf("%v", err)
	}
}

func TestFreshDeletesOnlyNodes(t *testing.T) {
	dir := t.TempDir()
	plan, _, err := Prepare(dir, wantOnFreePorts(2))
	check(t, err)
	check(t, os.MkdirAll(filepath.Join(dir, "n2", "data"), 0o755))
	check(t, os.WriteFile(filepath.Join(dir, "keep"), nil, 0o644))
	fresh, isNew, err := Prepare(dir, Want{IsFresh: true, Nodes: 1, PortOffset: plan.PortOffset})
	if err != nil || !isNew || fresh.Cluster == plan.Cluster || len(fresh.Nodes) != 1 {
		t.Fatalf("%+v %v %v", fresh, isNew, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "n2")); !os.IsNotExist(err) {
		t.Fatalf("n2 is still there: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "keep")); err != nil {
		t.Fatal(err)
	}
}

// A crash in the middle of --fresh must not leave a fleet of which some nodes
// lost their disks.
func TestInterruptedFreshIsFinished(t *testing.T) {
	dir := t.TempDir()
	plan, _, err := Prepare(dir, wantOnFreePorts(DefaultNodes)) // as many as the second Prepare makes
	check(t, err)
	check(t, os.Mkdir(filepath.Join(dir, "n2"), 0o755)) // n1 is deleted already
	plan.IsDiscarding = true
	check(t, writePlan(dir, plan))
	after, isNew, err := Prepare(dir, Want{PortOffset: plan.PortOffset})
	if err != nil || !isNew || after.Cluster == plan.Cluster || after.IsDiscarding {
		t.Fatalf("%+v %v %v", after, isNew, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "n2")); !os.IsNotExist(err) {
		t.Fatalf("n2 is still there: %v", err)
	}
}

func TestTakenPortChangesNothing(t *testing.T) {
	dir := t.TempDir()
	want := wantOnFreePorts(2)
	plan, _, err := Prepare(dir, want)
	check(t, err)
	check(t, os.Mkdir(filepath.Join(dir, "n1"), 0o755))
	listener, err := net.Listen("tcp", plan.Nodes[1].HTTPAddr())
	check(t, err)
	defer listener.Close()
	want.IsFresh = true
	_, _, err = Prepare(dir, want)
	if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("port %d is taken", plan.Nodes[1].HTTPPort)) ||
		!strings.Contains(err.Error(), "--port-offset=") {
		t.Fatalf("%v", err)
	}
	if runtime.GOOS == "linux" && !strings.Contains(err.Error(), fmt.Sprintf("by pid %d", os.Getpid())) {
		t.Errorf("the owner of the port is not named: %v", err)
	}
	after, readErr := ReadPlan(dir)
	if _, statErr := os.Stat(filepath.Join(dir, "n1")); readErr != nil || statErr != nil || !reflect.DeepEqual(after, plan) {
		t.Fatalf("%+v %v %v", after, readErr, statErr)
	}
}

func TestLockTellsWhoHasIt(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	lock, err := LockDir(dir)
	check(t, err)
	_, err = LockDir(dir)
	if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("already runs in %s (pid %d)", dir, os.Getpid())) {
		t.Fatalf("%v", err)
	}
	check(t, lock.Close())
	lock, err = LockDir(dir)
	check(t, err)
	check(t, lock.Close())
}

func TestForeignFolderIsRefused(t *testing.T) {
	dir := t.TempDir()
	check(t, os.WriteFile(filepath.Join(dir, "thesis.tex"), nil, 0o644))
	if _, err := LockDir(dir); err == nil || !strings.Contains(err.Error(), "thesis.tex") {
		t.Fatalf("%v", err)
	}
	dir = t.TempDir()
	check(t, os.Mkdir(filepath.Join(dir, "n1"), 0o755))
	if _, err := LockDir(dir); err == nil || !strings.Contains(err.Error(), "no fleet.json") {
		t.Fatalf("%v", err)
	}
}

func TestLogIsLimited(t *testing.T) {
	log, err := openLog(t.TempDir(), 100)
	check(t, err)
	for i := range 50 {
		fmt.Fprintf(log, "line %02d\n", i)
	}
	check(t, log.Close())
	newer, err := os.ReadFile(log.path)
	check(t, err)
	older, err := os.ReadFile(log.path + ".1")
	check(t, err)
	if len(newer) > 100 || len(older) > 100 || !strings.HasSuffix(string(older)+string(newer), "line 48\nline 49\n") {
		t.Fatalf("%q %q", older, newer)
	}
}

func TestLastLine(t *testing.T) {
	log, err := openLog(t.TempDir(), 1000)
	check(t, err)
	defer log.Close()
	for _, c := range []struct{ write, want string }{
		{"one\ntwo\n", "two"},
		{"thr", "thr"},
		{"ee", "three"},
		{"\n", "three"},
		{strings.Repeat("x", 1000), strings.Repeat("x", maxLastLine)},
	} {
		fmt.Fprint(log, c.write)
		if got := log.LastLine(); got != c.want {
			t.Errorf("after %.20q: %.20q", c.write, got)
		}
	}
}

func FuzzPlan(f *testing.F) {
	good, err := json.Marshal(newPlan(Want{Nodes: 3}))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte(`{"format":1,"cluster":"c","groups":1,"nodes":[{"node":2}]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		plan, err := decodePlan(raw)
		if err != nil {
			return
		}
		for i, n := range plan.Nodes {
			if n.Name() != fmt.Sprintf("n%d", i+1) || n.StorePort < 1 || n.StorePort > 65535 {
				t.Fatalf("%+v", n)
			}
		}
	})
}

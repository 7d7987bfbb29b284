package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"flotilla/lab/labtest"
	"flotilla/supervisor"
	"flotilla/supervisor/fakenode"

	"github.com/rogpeppe/go-internal/testscript"
)

// fakeNodes makes `flotilla node` run a node that only pretends, so that these
// scripts test the command line and nothing else.
const fakeNodes = "FAKE_NODES"

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"flotilla": func() {
			a := &app{out: os.Stdout, err: os.Stderr, runNode: runNode}
			if os.Getenv(fakeNodes) != "" {
				a.runNode = pretend
			}
			os.Exit(run(a, os.Args[1:]))
		},
	})
}

func pretend(ctx context.Context, c nodeConfig) error {
	return fakenode.Run(ctx, fakenode.Options{
		Cluster: c.Cluster, Node: c.ID, Members: len(c.Members), HTTP: c.ListenHTTP, Token: c.LabToken, Faults: c.LabFaults,
	})
}

// TestScripts runs testdata/script/*.txt: the program as people use it. $OFFSET is
// a --port-offset at which all ports are free.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			offset := labtest.FreeOffset(t, 5)
			env.Setenv(fakeNodes, "1")
			env.Setenv("OFFSET", strconv.Itoa(offset))
			env.Setenv("STORE_PORT", strconv.Itoa(supervisor.FirstStorePort+offset))
			env.Setenv("HTTP_PORT", strconv.Itoa(supervisor.FirstHTTPPort+offset))
			env.Setenv("QUEUE_PORT", strconv.Itoa(supervisor.FirstQueuePort+offset))
			env.Setenv("PEER_PORT", strconv.Itoa(supervisor.FirstPeerPort+offset))
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"take": take, "until": until},
	})
}

// take listens on a port until the script ends.
func take(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: take port")
	}
	listener, err := net.Listen("tcp", "127.0.0.1:"+args[0])
	ts.Check(err)
	ts.Defer(func() { ts.Check(listener.Close()) })
}

// until runs a program again and again until its output matches: what it tells of
// happens in other processes.
func until(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: until regexp program [arguments...]")
	}
	want := regexp.MustCompile("(?m)" + args[0])
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(20 * time.Second); ; <-tick.C {
		err := ts.Exec(args[1], args[2:]...)
		if err == nil && want.MatchString(ts.ReadFile("stdout")) {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("%v never printed %s (%v)", args[1:], args[0], err)
		}
	}
}

func TestStatusLine(t *testing.T) {
	before := supervisor.Overview{Nodes: []supervisor.NodeOverview{{Name: "n1", Commands: 5}, {Name: "n2", Commands: 100}}}
	now := supervisor.Overview{
		IsReady: true,
		Nodes: []supervisor.NodeOverview{
			{Name: "n1", IsUp: true, Phase: supervisor.Running, Commands: 25},
			{Name: "n2", Phase: supervisor.Paused, Commands: 3},
		},
		Groups: []supervisor.GroupOverview{{Group: 0, Leader: 1}, {Group: 1}},
	}
	const want = "ready │ n1 ●  n2 ○ paused │ g0→n1 g1→none │ 20 writes/s"
	if got := statusLine(now, before); got != want {
		t.Errorf("%s", got)
	}
	if got := cutTo(want, 10); got != "ready │ n1…"[:len("ready │ n…")-len("…")]+"…" {
		t.Errorf("%q", got)
	}
	for width := range 80 {
		if got := []rune(cutTo(want, width)); len(got) > max(width, 1) {
			t.Errorf("%d columns for %d", len(got), width)
		}
	}
}

// TestExitCodes: 2 for a wrong command line, 1 for what did not work.
func TestExitCodes(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "none")
	for line, want := range map[string]int{
		"version":                                                   0,
		"up --nodes 0 --dir " + dir:                                 2,
		"up --nodes 33 --dir " + dir:                                2,
		"up --nodes -1 --dir " + dir:                                2,
		"up --groups 5000 --dir " + dir:                             2,
		"up --port-offset -1 --dir " + dir:                          2,
		"up --memory 1 --dir " + dir:                                2,
		"status --dir " + dir:                                       1,
		"status --wait -1s --dir " + dir:                            2,
		"bench store --value-size 17000000 --addresses 127.0.0.1:1": 2,
		"bench store --consistency strong --addresses 127.0.0.1:1":  2,
	} {
		if got := run(&app{out: io.Discard, err: io.Discard}, strings.Fields(line)); got != want {
			t.Errorf("%s: exit code %d, want %d", line, got, want)
		}
	}
}

func FuzzSize(f *testing.F) {
	for _, text := range []string{"512MiB", "2g", "1.5 GB", "-1", "1e400", "NaN", "MiB", "9999999999GiB"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if size, err := parseSize(text); err == nil && size < 0 {
			t.Fatalf("%q is %d", text, size)
		}
	})
}

func TestSizes(t *testing.T) {
	for text, want := range map[string]int64{
		"512MiB": 512 << 20, "2g": 2 << 30, "1.5 kb": 1500, "70": 70, "0": 0,
		"": -1, "x": -1, "1.2.3m": -1, "NaN": -1, "Inf": -1, "-1m": -1, "1tb": -1, "1e300gib": -1,
	} {
		got, err := parseSize(text)
		if err != nil {
			got = -1
		}
		if got != want {
			t.Errorf("%q: %d, %v", text, got, err)
		}
	}
}

func FuzzMembers(f *testing.F) {
	f.Add("n1=a:7001,n2=b:7001/6380/8081")
	f.Add("n1=a:7001/6380/8081/9325")
	f.Add("n1=[::1]:7001, ,2=c:1")
	f.Add("n1=a:7001/example.org:6379/8080,n2=a:7002/[::1]:6380/8081")
	f.Fuzz(func(t *testing.T, text string) {
		members, err := parseMembers(text, memberPorts{6379, 8080, 9324})
		if err != nil {
			return
		}
		// What was understood can be written down and is understood the same way.
		again := ""
		for _, m := range members {
			again += formatMember(m) + ","
		}
		same, err := parseMembers(again, memberPorts{1, 1, 1})
		if err != nil || fmt.Sprint(same) != fmt.Sprint(members) {
			t.Fatalf("%q: %v, %q: %v, %v", text, members, again, same, err)
		}
	})
}

func FuzzSettings(f *testing.F) {
	f.Add([]byte("id: n1\nmembers:\n  n1: a:7001\n"))
	f.Add([]byte("members: [n1=a:1, n2=b:2]\nlab: true"))
	f.Add([]byte("a: &a [*a]"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		_, _ = parseSettings(raw) // must not panic or hang
	})
}

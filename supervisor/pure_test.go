package supervisor

import (
	"errors"
	"fmt"
	"os"
	"sort"
	"strconv"
	"strings"
	"testing"
	"time"

	"flotilla"
	"flotilla/cluster"
	"flotilla/transport"

	"github.com/cockroachdb/datadriven"
)

// TestMember reads testdata/member.txt: the life of a node on a clock that only
// "wait" moves.
func TestMember(t *testing.T) {
	datadriven.RunTest(t, "testdata/member.txt", func(t *testing.T, d *datadriven.TestData) string {
		m := &member{plan: NodePlan{Node: 2}, timing: Timing{}.orDefaults(), phase: Waiting}
		start := time.Unix(1000, 0)
		now := start
		var out strings.Builder
		for line := range strings.Lines(d.Input) {
			fields := strings.Fields(line)
			note := ""
			switch fields[0] {
			case "wait":
				d, err := time.ParseDuration(fields[1])
				check(t, err)
				now = now.Add(d)
			case "start":
				m.started(100+m.starts, now)
			case "die":
				note = fmt.Sprintf("by itself: %v", m.ended(now))
			case "kill":
				m.ending(false, now)
			case "restart":
				m.ending(true, now)
			case "hold":
				m.hold()
			case "due":
				m.due(now)
			case "overdue":
				note = fmt.Sprint(m.isOverdue(now))
			}
			fmt.Fprintf(&out, "%-9s %s", strings.Join(fields, " "), m.phase)
			if m.phase == Waiting {
				fmt.Fprintf(&out, " for %v", m.startAt.Sub(now))
			}
			fmt.Fprintln(&out, strings.TrimRight(" "+note, " "))
		}
		return out.String()
	})
}

// TestNoChangeIsLost: whoever asks later finds a wipe between two lives; and what is remembered is bounded.
func TestNoChangeIsLost(t *testing.T) {
	m := &member{plan: NodePlan{Node: 2}, timing: Timing{}.orDefaults(), phase: Waiting}
	at := time.Unix(1000, 0)
	m.started(100, at)
	m.ending(true, at)
	m.isWiped = true
	m.ended(at)
	m.note(Wiped, at) // as the loop does
	m.started(101, at)
	var said []string
	for _, c := range m.state().Changes {
		said = append(said, fmt.Sprintf("%d %s %d at %d", c.Number, c.What, c.PID, c.AtMicros-at.UnixMicro()))
	}
	want := "1 running 100 at 0, 2 down 0 at 1, 3 wiped 0 at 2, 4 running 101 at 3"
	if got := strings.Join(said, ", "); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	for range 3 * maxChanges {
		m.ended(at)
		m.started(102, at)
	}
	if changes := m.state().Changes; len(changes) != maxChanges || changes[maxChanges-1].Number != 4+6*maxChanges {
		t.Errorf("%d changes, up to %+v", len(changes), changes[len(changes)-1])
	}
}

// TestNetwork reads testdata/network.txt: what each of three nodes is told.
func TestNetwork(t *testing.T) {
	var network *Network
	datadriven.RunTest(t, "testdata/network.txt", func(t *testing.T, d *datadriven.TestData) string {
		if d.Cmd == "new" {
			network = newNetwork(newPlan(Want{Nodes: 3}).Nodes)
		}
		var nodes []flotilla.NodeID
		for _, arg := range d.CmdArgs {
			if id, err := strconv.Atoi(strings.TrimPrefix(arg.Key, "n")); err == nil {
				nodes = append(nodes, flotilla.NodeID(id))
			}
		}
		switch d.Cmd {
		case "cut":
			network.Cut(nodes[0], nodes[1], d.HasArg("one-way"))
		case "isolate":
			network.Isolate(nodes[0])
		case "heal":
			network.Heal(nodes[0])
		case "slow":
			var delay, percent int
			d.MaybeScanArgs(t, "delay", &delay)
			d.MaybeScanArgs(t, "drop", &percent)
			network.Slow(nodes[0], flotilla.Millis(delay), float64(percent)/100)
		case "set":
			var ways []Way
			for line := range strings.Lines(d.Input) {
				var w Way
				_, err := fmt.Sscanf(line, "n%d n%d %d %d %g", &w.From, &w.To, &w.Fault.DelayMillis, &w.Fault.JitterMillis, &w.Fault.Drop)
				check(t, err)
				ways = append(ways, w)
			}
			network.Set(ways)
		}
		var lines []string
		for _, from := range network.nodes {
			for to, f := range network.From(from) {
				line := fmt.Sprintf("%v to %v: cut=%v delay=%dms drop=%.4g", from, to, f.Cut, f.DelayMillis, f.Drop)
				if f.JitterMillis > 0 {
					line += fmt.Sprintf(" jitter=%dms", f.JitterMillis)
				}
				lines = append(lines, line)
			}
		}
		sort.Strings(lines)
		if len(lines) == 0 {
			return "all links are good\n"
		}
		return strings.Join(lines, "\n") + "\n"
	})
}

func group(id flotilla.GroupID, term uint64, role string, commit, applied uint64) cluster.GroupStatus {
	return cluster.GroupStatus{Group: id, Term: term, Role: role, IsHere: role != "", Commit: commit, Applied: applied}
}

func TestMerge(t *testing.T) {
	plan := newPlan(Want{Nodes: 3})
	answer := func(i int, groups ...cluster.GroupStatus) Answer {
		return Answer{Node: plan.Nodes[i], Status: &cluster.Status{
			Node: plan.Nodes[i].Node, PID: 70 + i, IsReady: true, Cluster: "c", Groups: groups,
		}}
	}
	silent := func(i int) Answer { return Answer{Node: plan.Nodes[i], Err: errors.New("refused")} }

	t.Run("a deposed leader does not count", func(t *testing.T) {
		o := Merge([]Answer{
			answer(0, group(0, 2, "leader", 5, 5)),
			answer(1, group(0, 3, "leader", 9, 8)),
			answer(2, group(0, 3, "follower", 7, 7)),
		}, nil)
		g := o.Groups[0]
		if !o.IsReady || g.Leader != 2 || g.Term != 3 || g.Commit != 9 || g.Replicas[0].Lag != 4 ||
			g.Replicas[0].Role != "leader of an older term" || o.Nodes[1].Leads != 1 {
			t.Fatalf("%+v", o)
		}
	})
	t.Run("a leader that is only heard of does not count", func(t *testing.T) {
		o := Merge([]Answer{silent(0), answer(1, cluster.GroupStatus{Group: 1, Term: 2, Leader: 1, IsHere: true, Role: "follower"})},
			[]MemberState{{Node: 1, Phase: Paused, PID: 42}})
		if o.IsReady || o.Nodes[0].PID != 42 || strings.Join(o.Problems, "|") != "n1 is paused: flotilla fault resume n1|g1 has no leader" {
			t.Fatalf("%+v", o)
		}
	})
	t.Run("groups held elsewhere", func(t *testing.T) {
		o := Merge([]Answer{answer(0, group(0, 2, "leader", 5, 5), group(1, 2, "", 0, 0)), answer(1, group(1, 2, "leader", 3, 3))}, nil)
		if !o.IsReady || len(o.Groups[1].Replicas) != 1 || o.Groups[1].Leader != 2 {
			t.Fatalf("%+v", o)
		}
	})
	t.Run("nobody answers", func(t *testing.T) {
		o := Merge([]Answer{silent(0), silent(1)}, []MemberState{{Node: 1, Phase: Down}, {Node: 2, Phase: Running}})
		if o.IsReady || len(o.Problems) != 3 {
			t.Fatalf("%+v", o)
		}
	})
}

func TestRequestsAreChecked(t *testing.T) {
	for _, c := range []struct {
		request Request
		words   string
	}{
		{Request{Verb: Kill}, "needs the name of a node"},
		{Request{Verb: Kill, Nodes: []flotilla.NodeID{4}}, "there is no n4: this fleet has n1 to n3"},
		{Request{Verb: Pause, Nodes: []flotilla.NodeID{1, 1}}, "n1 is named twice"},
		{Request{Verb: Cut, Nodes: []flotilla.NodeID{1}}, "two nodes"},
		{Request{Verb: Slow, Nodes: []flotilla.NodeID{1}, Drop: 1.5}, "0% to 100%"},
		{Request{Verb: Slow, Nodes: []flotilla.NodeID{1}, DelayMillis: 1e6}, "delay"},
		{Request{Verb: Links, Ways: []Way{{From: 1, To: 4}}}, "no link from n1 to n4"},
		{Request{Verb: Links, Ways: []Way{{From: 2, To: 2}}}, "no link from n2 to n2"},
		{Request{Verb: Links, Ways: []Way{{From: 1, To: 2, Fault: transport.Fault{Reorder: 2}}}}, "from n1 to n2: a chance of 2"},
		{Request{Verb: Links, Ways: []Way{{From: 1, To: 2, Fault: transport.Fault{Cut: true}}}}, ""},
		{Request{Verb: "dance"}, "unknown verb"},
		{Request{Verb: Heal}, ""},
		{Request{Verb: Cut, Nodes: []flotilla.NodeID{1, 3}}, ""},
	} {
		err := c.request.Check(3)
		if (err == nil) != (c.words == "") || err != nil && !strings.Contains(err.Error(), c.words) {
			t.Errorf("%+v: %v", c.request, err)
		}
	}
}

// TestAProcessThatHasJustEndedIsNone: the system may know it before the loop does.
func TestAProcessThatHasJustEndedIsNone(t *testing.T) {
	m := &member{plan: NodePlan{Node: 3}}
	for _, err := range []error{nil, os.ErrProcessDone} {
		if got := m.noProcess(err); !strings.Contains(got.Error(), "has no process: start it with `flotilla fault restart n3`") {
			t.Errorf("%v: %v", err, got)
		}
	}
	if other := errors.New("not permitted"); m.noProcess(other) != other {
		t.Errorf("%v: %v", other, m.noProcess(other))
	}
}

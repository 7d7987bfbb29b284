package scenario

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"flotilla"
	"flotilla/transport"

	"github.com/cockroachdb/datadriven"
)

// script is a cluster whose leaders are as a test says: at what time, which group,
// which node. Copies lie on the first three nodes after the group's number.
type script struct {
	now   flotilla.Millis
	turns []turn
	nodes int
}

type turn struct {
	at    flotilla.Millis
	group flotilla.GroupID
	node  flotilla.NodeID
}

func (s *script) Leader(group flotilla.GroupID) (leader flotilla.NodeID) {
	for _, t := range s.turns {
		if t.at <= s.now && t.group == group {
			leader = t.node
		}
	}
	return leader
}

func (s *script) Holders(group flotilla.GroupID) (nodes []flotilla.NodeID) {
	for i := range min(3, s.nodes) {
		nodes = append(nodes, flotilla.NodeID((int(group)+i)%s.nodes+1))
	}
	slices.Sort(nodes)
	return nodes
}

// TestOrders reads testdata/play.txt: what a plan has done when, and to whom. The
// lines of "play" say `T leader GROUP NODE` and `T crashed NODE`; the plan is the
// last one that was given. Broken links are printed where they change.
func TestOrders(t *testing.T) {
	var p *Plan
	datadriven.RunTest(t, "testdata/play.txt", func(t *testing.T, d *datadriven.TestData) string {
		if d.Cmd == "plan" {
			var err error
			if p, err = Parse("name test\n" + d.Input); err != nil {
				t.Fatalf("%s: %v", d.Pos, err)
			}
			return ""
		}
		cluster := &script{nodes: p.Nodes}
		crashes := map[flotilla.Millis]flotilla.NodeID{}
		for line := range strings.Lines(d.Input) {
			f := strings.Fields(line)
			at, ok := parseDuration(f[0])
			if !ok {
				t.Fatalf("%s: %q is no time", d.Pos, f[0])
			}
			switch f[1] {
			case "leader":
				group, err := strconv.Atoi(f[2])
				if err != nil {
					t.Fatal(err)
				}
				cluster.turns = append(cluster.turns, turn{at, flotilla.GroupID(group), parseNode(f[3])})
			case "crashed":
				crashes[at] = parseNode(f[2])
			}
		}
		return playAll(p, cluster, crashes)
	})
}

// playAll plays a plan to its end, millisecond by millisecond.
func playAll(p *Plan, cluster *script, crashes map[flotilla.Millis]flotilla.NodeID) string {
	var out strings.Builder
	player := NewPlayer(p)
	links, conditions := "good", "good"
	for ; ; cluster.now++ {
		if node := crashes[cluster.now]; node != 0 {
			fmt.Fprintf(&out, "%v: %v crashed\n", formatDuration(cluster.now), node)
			player.Crashed(node, cluster.now)
		}
		at, ok := player.Next()
		if !ok {
			return out.String()
		}
		if at > cluster.now {
			continue
		}
		for _, o := range player.Play(cluster.now, cluster) {
			fmt.Fprintf(&out, "%v: %v\n", formatDuration(cluster.now), o)
		}
		if now := printLinks(player.Network(), p.Nodes); now != links {
			links = now
			fmt.Fprintf(&out, "    links: %s\n", now)
		}
		if now := printConditions(player, p.Nodes); now != conditions {
			conditions = now
			fmt.Fprintf(&out, "    nodes: %s\n", now)
		}
	}
}

// printLinks names all links that are broken: 1>2 is cut, 1>2{...} has other faults.
func printLinks(n *Network, nodes int) string {
	var all []string
	for _, l := range n.pairs(func(_, _ flotilla.NodeID) bool { return true }) {
		switch f := n.Fault(l.from, l.to); {
		case f.Cut:
			all = append(all, fmt.Sprintf("%d>%d", l.from, l.to))
		case f != Fault{}:
			all = append(all, fmt.Sprintf("%d>%d%s", l.from, l.to, printFault(f)))
		}
	}
	if len(all) == nodes*(nodes-1) {
		if first := strings.TrimPrefix(all[0], "1>2"); !slices.ContainsFunc(all, func(s string) bool { return s[3:] != first }) {
			return "all" + first
		}
	}
	if len(all) == 0 {
		return "good"
	}
	return strings.Join(all, " ")
}

func printFault(f Fault) string {
	var parts []string
	for _, chance := range []struct {
		name  string
		value float64
	}{{"drop", f.Drop}, {"duplicate", f.Duplicate}, {"reorder", f.Reorder}} {
		if chance.value != 0 {
			parts = append(parts, fmt.Sprintf("%s %.4g", chance.name, chance.value))
		}
	}
	if f.DelayMillis+f.JitterMillis != 0 {
		parts = append(parts, fmt.Sprintf("delay %d+%d", f.DelayMillis, f.JitterMillis))
	}
	return "{" + strings.Join(parts, " ") + "}"
}

// printConditions names what is wrong with nodes.
func printConditions(player *Player, nodes int) string {
	var all []string
	for id := flotilla.NodeID(1); int(id) <= nodes; id++ {
		c := player.Condition(id)
		if c == (Condition{}) {
			continue
		}
		text := fmt.Sprintf("%v{offset %d drift %d delay %d to %d", id, c.Offset, c.DriftPPM, c.DiskDelay.Least, c.DiskDelay.Most)
		if c.IsFull {
			text += " full"
		}
		all = append(all, text+"}")
	}
	if len(all) == 0 {
		return "good"
	}
	return strings.Join(all, " ")
}

// TestAccount: steps that were done and that nobody was found for, and of each moment how often it came.
func TestAccount(t *testing.T) {
	p, err := Parse(`name account
for 60s
every 10s crash n1 before vote
at 15s crash n2 n3 after append for 1s
at 16s kill n3
at 20s kill leader of group 1`)
	if err != nil {
		t.Fatal(err)
	}
	player, cluster := NewPlayer(p), &script{nodes: 3}
	for at, ok := player.Next(); ok; at, ok = player.Next() {
		cluster.now = at
		player.Play(at, cluster)
		switch at {
		case 16_000:
			player.Crashed(3, at) // was killed, which is another end
			player.Crashed(2, at)
			player.Crashed(2, at) // no second time
		case 20_000:
			player.NotDone() // the crash of n1, let us say
		}
	}
	a := player.Account()
	a.Operations, a.Effects = 1, Effects{Elections: 2, Quarantines: 0, NewCopies: 3}
	const want = "1 operation judged, 2 elections, 3 new copies; 7 steps done, 2 skipped\nmoments that came: `crash n1 before vote` 0 of 6, `crash n2 n3 after append for 1s` 1 of 2"
	if a.String() != want {
		t.Errorf("%s\nwant %s", a, want)
	}
	if all := a.Untested(Demand{}); len(all) > 0 {
		t.Errorf("nobody demands it: %v", all)
	}
	const never = "nothing was tested: the moment of `every 10s crash n1 before vote` never came; nodes were 6 times told to wait for it"
	if all := a.Untested(Demand{Moments: true}); len(all) != 1 || all[0] != never {
		t.Errorf("%q", all)
	}
	a.Operations = 0
	if all := a.Untested(Demand{}); len(all) != 1 || !strings.Contains(all[0], "no operation was answered") {
		t.Errorf("%q", all)
	}
}

func TestFaultsOfOneLinkAddUp(t *testing.T) {
	_ = transport.Fault(Fault{}) // compiles only while both have the same fields
	n := newNetwork(3)
	n.set(1, n.pick(Everywhere, 0, 0), Fault{Drop: 0.5, DelayMillis: 10, JitterMillis: 5})
	n.set(2, n.pick(OneWay, 1, 2), Fault{Drop: 0.5, DelayMillis: MaxDelay})
	n.set(3, n.pick(Between, 2, 1), Fault{Cut: true})
	if got, want := n.Fault(1, 2), (Fault{Cut: true, Drop: 0.75, DelayMillis: MaxDelay, JitterMillis: 5}); got != want {
		t.Errorf("three faults are %+v together, expected %+v", got, want)
	}
	n.end(3)
	n.end(1)
	if got, want := n.Fault(1, 2), (Fault{Drop: 0.5, DelayMillis: MaxDelay}); got != want {
		t.Errorf("the one that is left is %+v, expected %+v", got, want)
	}
	if got := n.Fault(2, 1); got != (Fault{}) {
		t.Errorf("the other way is %+v", got)
	}
}

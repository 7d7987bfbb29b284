package sim

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"flotilla"
	"flotilla/check"
	"flotilla/scenario"
)

// A longer hunt: go test ./sim -run TestRunFindsNothing -first 1000 -seeds 5000
// And for chance that is not held: -run TestSameSeedSameLife
var (
	firstSeed = flag.Uint64("first", 0, "the first seed")
	seedCount = flag.Uint64("seeds", 6, "how many seeds are tried on each disk")
	tierFlag  = flag.String("disk", "", "only this disk")
	fullFlag  = flag.Bool("full", false, "play the named plans with all of their load")
)

func tiers() []Tier {
	if *tierFlag != "" {
		return []Tier{Tier(*tierFlag)}
	}
	return []Tier{Memory, Pebble}
}

// seedsOf returns the seeds to try: as many as were asked for, and the next one whose plan is dense.
func seedsOf() (all []uint64) {
	for seed := *firstSeed; seed < *firstSeed+*seedCount; seed++ {
		all = append(all, seed)
	}
	dense := *firstSeed + *seedCount
	for !isDense(dense) {
		dense++
	}
	return append(all, dense)
}

func TestRunFindsNothing(t *testing.T) {
	counts := Counts{}
	for _, tier := range tiers() {
		begin := time.Now()
		for _, seed := range seedsOf() {
			r := Run(Options{Seed: seed, Disk: tier, Length: time.Minute})
			counts.Add(r.Counts)
			if !r.OK() {
				t.Errorf("%s seed %d: %v\n%v", tier, seed, r.Faults, r.Plan)
			}
		}
		t.Logf("%s: %.0f seeds a minute", tier, float64(*seedCount)/time.Since(begin).Minutes())
	}
	t.Log(counts)
}

// TestWhatNeverHappenedIsNamed: else a path that is not taken any more is not missed.
func TestWhatNeverHappenedIsNamed(t *testing.T) {
	for i, tier := range []Tier{Memory, Pebble, Memory, Pebble} {
		counts, isOfQueues := Counts{}, i > 1
		all := counts.Missing(tier, isOfQueues)
		for _, what := range all {
			counts[what] = 1
		}
		if missing := counts.Missing(tier, isOfQueues); len(all) < 25 || len(missing) > 0 {
			t.Errorf("%s: %d things must happen sometimes, and of those that did, %v are missing", tier, len(all), missing)
		}
		delete(counts, "snapshot sent")
		if missing := counts.Missing(tier, isOfQueues); len(missing) != 1 || missing[0] != "snapshot sent" {
			t.Errorf("%s: what never happened is %v", tier, missing)
		}
	}
}

// TestSameSeedSameLife: nothing in a node depends on chance or time that we do not hold.
func TestSameSeedSameLife(t *testing.T) {
	for _, tier := range tiers() {
		seen := map[uint64]bool{}
		for _, seed := range seedsOf() {
			first, second := Run(Options{Seed: seed, Disk: tier, Length: 20 * time.Second}), Run(Options{Seed: seed, Disk: tier, Length: 20 * time.Second})
			if first.Trace != second.Trace {
				t.Errorf("%s: seed %d gave %x and %x", tier, seed, first.Trace, second.Trace)
			}
			if seen[first.Trace] {
				t.Errorf("%s: two seeds gave the same life", tier)
			}
			seen[first.Trace] = true
		}
	}
}

// TestTextIsThePlan: a random plan that was printed, and read again, gives the same life.
func TestTextIsThePlan(t *testing.T) {
	for _, tier := range tiers() {
		for seed := range uint64(2) {
			first := Run(Options{Seed: seed, Disk: tier, Length: 20 * time.Second})
			plan, err := scenario.Parse(first.Plan.String())
			if err != nil {
				t.Fatal(err)
			}
			if again := Run(Options{Seed: seed, Disk: tier, Plan: plan}); again.Trace != first.Trace {
				t.Errorf("%s: seed %d gave %x, and its text %x", tier, seed, first.Trace, again.Trace)
			}
		}
	}
}

// TestNamedPlans: all that come with the program hold, on each tier that can play them.
// Their clients think for longer here, but with -full.
func TestNamedPlans(t *testing.T) {
	for _, tier := range tiers() {
		for _, name := range scenario.Names() {
			plan, err := scenario.Load(name)
			if err != nil {
				t.Fatal(err)
			}
			if Executor(tier).CanPlay(plan) != nil {
				continue
			}
			if !*fullFlag {
				plan.Workload.Think = scenario.Span{Least: 50, Most: 150}
			}
			t.Run(string(tier)+"/"+name, func(t *testing.T) {
				if r := Run(Options{Seed: *firstSeed, Disk: tier, Plan: plan}); !r.OK() {
					t.Error(strings.Join(r.Faults, "\n"))
				}
			})
		}
	}
}

// TestRegressionsAreTold: docs/testing.md names each, as what was found or as a bug's own plan.
func TestRegressionsAreTold(t *testing.T) {
	names, err := filepath.Glob("testdata/regressions/*.txt")
	if err != nil || len(names) == 0 {
		t.Fatalf("%d regressions, %v", len(names), err)
	}
	text, err := os.ReadFile("../docs/testing.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		base := filepath.Base(name)
		forms := []string{"/" + base + "`", "`" + base + "`", "plan `" + strings.TrimSuffix(base, ".txt") + "`"}
		if !slices.ContainsFunc(forms, func(form string) bool { return strings.Contains(string(text), form) }) {
			t.Errorf("docs/testing.md does not name %s", name)
		}
	}
}

// TestRegressions plays again what once found something. The first line of each says
// what, the second on which disk and with which seed; then comes the plan.
func TestRegressions(t *testing.T) {
	names, err := filepath.Glob("testdata/regressions/*.txt")
	if err != nil || len(names) == 0 {
		t.Fatalf("%d regressions, %v", len(names), err)
	}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txt"), func(t *testing.T) {
			lines := strings.SplitN(string(text), "\n", 3)
			var tier Tier
			var seed uint64
			if _, err := fmt.Sscanf(lines[1], "# disk %s seed %d", &tier, &seed); err != nil {
				t.Fatalf("%q: want # disk memory seed 7", lines[1])
			}
			plan, err := scenario.Parse(string(text))
			if err != nil {
				t.Fatal(err)
			}
			if r := Run(Options{Seed: seed, Disk: tier, Plan: plan}); !r.OK() {
				t.Errorf("%s\n%v", lines[0], r.Faults)
			}
		})
	}
}

// lived returns a world in which a plan was played, and nothing was found wrong.
func lived(t *testing.T, text string) *world {
	t.Helper()
	plan, err := scenario.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	opts := Options{Plan: plan}.withDefaults()
	t.Cleanup(replaceRandom(opts.Seed))
	w := newWorld(opts)
	t.Cleanup(w.end)
	w.live()
	if len(w.faults) > 0 {
		t.Fatal(w.faults)
	}
	return w
}

// TestEveryOperationIsAsked: a plan's load is all asked for, answered, and in the history.
func TestEveryOperationIsAsked(t *testing.T) {
	w := lived(t, `name all
groups 2
for 10s
think 0s to 10ms
load set 5% get 5% del 5% cas 5% setex 5% incr 5% count 5% sadd 5% srem 5% smembers 5% lpush 5% rpush 5% lpop 5% rpop 5% lrange 5% llen 5% multi 15% once 5% over 6 keys
values 16B to 1KiB
reads linearizable 40% session 20% bounded 200ms 20% eventual 20%
`)
	kinds, levels, onces, guarded := map[check.Kind]int{}, map[check.Level]int{}, 0, 0
	for _, o := range w.recorder.History() {
		if o.Outcome == check.Known {
			kinds[o.Kind]++
			levels[o.Level]++
		}
		if strings.HasPrefix(o.Key, "once:") {
			onces++
		}
		if len(o.Guards) > 0 {
			guarded++
		}
	}
	for _, kind := range []check.Kind{check.Read, check.Write, check.Delete, check.Add, check.Count, check.Insert, check.Remove,
		check.Members, check.PushLeft, check.PushRight, check.PopLeft, check.PopRight, check.Range, check.Length, check.Transaction} {
		if kinds[kind] < 10 {
			t.Errorf("%s: %d", kind, kinds[kind])
		}
	}
	if len(levels) != 4 || onces < 10 || guarded < 10 || len(w.watched) < 10 || len(w.expiries.history()) < 10 {
		t.Errorf("levels %v, once %d, watched and asked for %d, and carried out %d, expired %d", levels, onces, guarded, len(w.watched), len(w.expiries.history()))
	}
}

// TestStarvingClientIsAFailure: without n3 the others serve; without n2 as well nobody
// does, and that is told in plain words.
func TestStarvingClientIsAFailure(t *testing.T) {
	plan, err := scenario.Parse(`name starving
mode liveness without n3
groups 1
for 40s
think 0s to 100ms
load set 50% get 50% over 5 keys
at 5s isolate n3
`)
	if err != nil {
		t.Fatal(err)
	}
	if r := Run(Options{Plan: plan}); !r.OK() {
		t.Fatal(r.Faults)
	}
	// The language refuses to touch a node that must go on, so that code has to.
	plan.Steps = append(plan.Steps, scenario.Step{At: 10_000, Verb: scenario.Isolate, Nodes: scenario.Target{Role: scenario.Named, Nodes: []flotilla.NodeID{2}}})
	r := Run(Options{Plan: plan})
	if r.OK() || !strings.Contains(r.Faults[0], "starves") {
		t.Fatal(r.Faults)
	}
	t.Log(r.Faults[0])
}

// TestChangesMayNotStarveBesideReads: for 40 s nothing is changed, and reads are answered all the
// while: those of a node's own copy where nobody has a majority, linearizable ones where disks
// are full.
func TestChangesMayNotStarveBesideReads(t *testing.T) {
	for _, c := range []struct {
		reads string
		nodes []flotilla.NodeID // which the language refuses to touch
		verb  scenario.Verb
	}{
		{"eventual", []flotilla.NodeID{2}, scenario.Isolate},
		{"linearizable", []flotilla.NodeID{1, 2, 3}, scenario.FillDisk},
	} {
		plan, err := scenario.Parse(`name refusing
mode liveness without n3
groups 1
for 60s
think 0s to 100ms
load set 50% get 50% over 5 keys
reads ` + c.reads + ` 100%
at 5s cut from n3 to n1
`)
		if err != nil {
			t.Fatal(err)
		}
		if r := Run(Options{Plan: plan}); !r.OK() {
			t.Fatal(r.Faults)
		}
		plan.Steps = append(plan.Steps, scenario.Step{At: 10_000, For: 40_000, Verb: c.verb, Nodes: scenario.Target{Role: scenario.Named, Nodes: c.nodes}})
		r := Run(Options{Plan: plan})
		if r.OK() || !strings.Contains(r.Faults[0], "starves") || !strings.Contains(r.Faults[0], "not answered a change") {
			t.Errorf("reads %s: %v", c.reads, r.Faults)
			continue
		}
		t.Log(strings.SplitN(r.Faults[0], "\n", 2)[0])
	}
}

// TestClientsOfANodeThatHangsStarve: each question takes a client five seconds, and there are twelve kinds
// of them, four groups' changes and two levels of reads: each is asked too rarely to be silent by itself.
func TestClientsOfANodeThatHangsStarve(t *testing.T) {
	for seed := range uint64(12) {
		plan, err := scenario.Parse(`name hanging
mode liveness without n3
groups 4
clients 2
for 60s
think 0s to 500ms
load set 50% get 50% over 20 keys
reads linearizable 50% session 50%
at 1s cut from n3 to n1
`)
		if err != nil {
			t.Fatal(err)
		}
		// The language refuses to touch a node that must go on, so that code has to.
		plan.Steps = append(plan.Steps, scenario.Step{At: 5_000, For: 20_000, Verb: scenario.Pause, Nodes: scenario.Target{Role: scenario.Named, Nodes: []flotilla.NodeID{2}}})
		if r := Run(Options{Seed: seed, Plan: plan}); r.OK() || !strings.Contains(r.Faults[0], "starves") {
			t.Errorf("seed %d: silent for %v at most: %v", seed, r.Silence, r.Faults)
		}
	}
}

// TestWhoAsksForNothingDoesNotStarve: an answer ends the silence of its own kind and group only, and
// two failures far apart are not one silence.
func TestWhoAsksForNothingDoesNotStarve(t *testing.T) {
	type heard struct {
		at      time.Duration
		o       check.Operation
		outcome check.Outcome
	}
	write, read, weak := check.Operation{Kind: check.Write, Key: "a"}, check.Operation{Kind: check.Read, Key: "a"}, check.Operation{Kind: check.Read, Key: "a", Level: check.LevelSession}
	for _, c := range []struct {
		name    string
		all     []heard
		starves bool
	}{
		{"refused all the while", []heard{{0, write, check.Refused}, {4, write, check.Unknown}, {8, write, check.Refused}, {11, write, check.Refused}}, true},
		{"weak reads are answered", []heard{{0, write, check.Refused}, {4, weak, check.Known}, {5, write, check.Refused}, {9, weak, check.Known}, {10, write, check.Refused}, {11, write, check.Refused}}, true},
		{"linearizable reads are answered", []heard{{0, write, check.Refused}, {5, write, check.Refused}, {9, read, check.Known}, {10, write, check.Refused}, {11, write, check.Refused}}, true},
		{"changes are answered, reads are not", []heard{{0, read, check.Refused}, {4, write, check.Known}, {5, read, check.Refused}, {10, read, check.Unknown}, {11, read, check.Refused}}, true},
		{"one was answered", []heard{{0, write, check.Refused}, {4, write, check.Refused}, {5, write, check.Known}, {9, write, check.Refused}, {11, write, check.Refused}}, false},
		{"nothing was asked in between", []heard{{0, write, check.Refused}, {11, write, check.Refused}}, false},
		{"another kind was asked in between", []heard{{0, write, check.Refused}, {3, weak, check.Known}, {6, weak, check.Known}, {9, read, check.Known}, {11, write, check.Refused}}, false},
	} {
		plan, err := scenario.Parse("name heard\nmode liveness without n3\ngroups 1\nfor 1s\nload set 100% over 1 keys\nat 0s isolate n3\n")
		if err != nil {
			t.Fatal(err)
		}
		w := newWorld(Options{Plan: plan}.withDefaults())
		client := &client{w: w, home: &node{id: 1}}
		for _, h := range c.all {
			w.now = h.at * time.Second
			h.o.Outcome = h.outcome
			w.silence.heard(client, h.o, w.now)
		}
		if starves := len(w.faults) > 0; starves != c.starves {
			t.Errorf("%s: starves %v", c.name, starves)
		}
	}
}

// TestFiveNodesBecomeWhole: each group is wanted on its own three nodes only.
func TestFiveNodesBecomeWhole(t *testing.T) {
	for _, tier := range tiers() {
		plan := scenario.Random(7, scenario.Options{Nodes: 5, Groups: 3, Think: scenario.Span{Most: unhurried}, Duration: 20_000, Executor: Executor(tier)})
		if r := Run(Options{Seed: 7, Disk: tier, Plan: plan}); !r.OK() {
			t.Errorf("%s: %v", tier, r.Faults)
		}
	}
}

const everyMoment = `name moments
groups 2
for 44s
think 0s to 40ms
load set 60% get 40% over 10 keys
at 2s crash n1 before append losing unsynced for 20ms
at 4s crash n2 after append losing unsynced for 20ms
at 6s crash n1 before reply losing unsynced for 20ms
at 8s crash n2 after reply losing unsynced for 20ms
every 2s from 10s to 14s crash followers of group 1 before vote losing unsynced for 10ms
every 2s from 16s to 20s crash followers of group 1 after vote losing unsynced for 10ms
every 2s from 10s to 20s isolate leader of group 1 for 1500ms
at 24s wipe n3 for 50ms
at 24010ms crash n3 before install for 20ms
at 30s wipe n3 for 50ms
at 30010ms crash n3 after install for 20ms
`

// TestEveryMomentComes: a power cut that waits for its moment gets it, and the node comes back.
func TestEveryMomentComes(t *testing.T) {
	for _, tier := range tiers() {
		text := everyMoment
		if tier == Memory {
			text += "at 22s crash n1 before flush for 20ms\nat 23s crash n2 after flush for 20ms\n" +
				"at 36s wipe n3 for 50ms\nat 36010ms crash n3 between install for 20ms\n"
		}
		plan, err := scenario.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		r := Run(Options{Disk: tier, Plan: plan})
		if !r.OK() {
			t.Errorf("%s: %v", tier, r.Faults)
		}
		for _, b := range scenario.Moments() {
			isPossible := Executor(tier).CanDo(scenario.Step{Verb: scenario.Crash, Boundary: b}) == nil
			if came := r.Counts["crash "+string(b)] > 0; came != isPossible {
				t.Errorf("%s: %s: came %v, is possible %v", tier, b, came, isPossible)
			}
		}
	}
}

func TestClock(t *testing.T) {
	w := &world{}
	n := &node{w: w}
	at := func(now time.Duration) (wall, mono int64) {
		w.now = now
		return int64(n.wall() - began), int64(n.mono())
	}
	check := func(now time.Duration, wall, mono int64) {
		t.Helper()
		if gotWall, gotMono := at(now); gotWall != wall || gotMono != mono {
			t.Errorf("at %v: wall %d, mono %d; want %d and %d", now, gotWall, gotMono, wall, mono)
		}
	}
	check(10*time.Second, 10_000, 10_000)
	n.clock.set(w.now, 500, 0.1)
	check(10*time.Second, 10_500, 10_000)
	check(20*time.Second, 21_500, 21_000)
	n.clock.set(w.now, 0, 0.1)
	check(20*time.Second, 21_000, 21_000)
	n.clock.set(w.now, 0, 0) // the wall is right again, and what was counted does not jump
	check(20*time.Second, 20_000, 21_000)
	check(30*time.Second, 30_000, 31_000)
}

// TestBoundedReadsMayBeAsOldAsClocksMakeThem: the slowest counts, and one that is too fast does not.
func TestBoundedReadsMayBeAsOldAsClocksMakeThem(t *testing.T) {
	for _, c := range []struct {
		drifts []int
		want   time.Duration
	}{
		{nil, 200 * time.Millisecond},
		{[]int{100_000}, 200 * time.Millisecond},
		{[]int{-5_000, -200_000, 100_000}, 250 * time.Millisecond},
	} {
		plan := &scenario.Plan{}
		for _, drift := range c.drifts {
			plan.Steps = append(plan.Steps, scenario.Step{Verb: scenario.RunClock, DriftPPM: drift})
		}
		w := &world{plan: plan}
		if got := time.Duration(w.ageOf(199)); got != c.want {
			t.Errorf("clocks %v: %v, not %v", c.drifts, got, c.want)
		}
	}
}

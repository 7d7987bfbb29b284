package sim

import (
	"slices"
	"strings"
	"testing"

	"flotilla"
	"flotilla/scenario"
)

// TestDemandsFail: what a plan demands besides its mode is missed where it does not come, and the
// same plan without the demand finds nothing.
func TestDemandsFail(t *testing.T) {
	const head = "name demanding\nfor 20s\nthink 20ms to 80ms\nload set 50% get 50% over 5 keys\n"
	for _, c := range []struct{ demand, steps, says string }{
		{"silence below 2s", "at 5s partition n1 n2 for 4s\nat 5s isolate n1 for 4s", "nobody was answered a"},
		{"elections at least 100", "at 5s kill n1 for 1s", "and at least 100 are demanded"},
		{"elections at most 1", "every 4s kill leader of group 1 for 1s", "and at most 1 are demanded"},
		{"moments", "at 5s crash n1 before vote\nat 5s kill n1 for 1s", "never came"},
	} {
		plan, err := scenario.Parse(head + "demand " + c.demand + "\n" + c.steps)
		if err != nil {
			t.Fatal(err)
		}
		r := Run(Options{Plan: plan})
		if len(r.Faults) != 1 || !strings.Contains(r.Faults[0], c.says) {
			t.Errorf("%s: %v", c.demand, r.Faults)
		}
		plan.Demand = scenario.Demand{}
		if r := Run(Options{Plan: plan}); !r.OK() {
			t.Errorf("without %s: %v", c.demand, r.Faults)
		}
	}
}

// TestDemandedSilenceIsOfEachClientThatMayNotStarve: in liveness mode a demand takes the place of
// what is allowed there.
func TestDemandedSilenceIsOfEachClientThatMayNotStarve(t *testing.T) {
	plan, err := scenario.Parse("name demanding\nmode liveness without n3\ndemand silence below 3s\nfor 20s\nthink 20ms to 80ms\nload set 50% get 50% over 5 keys\nat 1s cut from n3 to n1")
	if err != nil {
		t.Fatal(err)
	}
	if r := Run(Options{Plan: plan}); !r.OK() {
		t.Fatal(r.Faults)
	}
	// The language refuses to touch a node that must go on, so that code has to.
	plan.Steps = append(plan.Steps, scenario.Step{At: 5000, For: 6000, Verb: scenario.Isolate, Nodes: scenario.Target{Role: scenario.Named, Nodes: []flotilla.NodeID{1, 2}}})
	r := Run(Options{Plan: plan})
	if len(r.Faults) != 1 || !strings.Contains(r.Faults[0], "3s is allowed") {
		t.Fatal(r.Faults)
	}
}

// TestNothingJudgedIsNotKept: a life in which nobody was answered anything shows nothing, though what
// was asked for is read when all is over.
func TestNothingJudgedIsNotKept(t *testing.T) {
	for _, verb := range []string{"kill", "pause"} {
		plan, err := scenario.Parse("name silent\nfor 1s\nload set 100% over 1 key\nat 0s " + verb + " all")
		if err != nil {
			t.Fatal(err)
		}
		if r := Run(Options{Plan: plan}); len(r.Faults) != 1 || !strings.Contains(r.Faults[0], "no operation was answered") {
			t.Errorf("%s: %v, %v", verb, r.Faults, r.Account)
		}
	}
}

// central is what each plan that comes with the program is about: the verbs without which it would
// show nothing.
var central = map[string][]scenario.Verb{
	"all-killed":          {scenario.Kill, scenario.Crash},
	"around-a-cut":        {scenario.Cut},
	"bit-rot":             {scenario.Flip, scenario.Clear},
	"clock-skew":          {scenario.SetClock, scenario.RunClock},
	"flapping-link":       {scenario.Cut},
	"full-disk":           {scenario.FillDisk},
	"leader-cut-off":      {scenario.Isolate},
	"leader-killed":       {scenario.Kill},
	"message-chaos":       {scenario.Drop, scenario.Duplicate, scenario.Reorder, scenario.Delay},
	"minority-partition":  {scenario.Partition, scenario.Cut},
	"one-way-cut":         {scenario.Cut},
	"pause":               {scenario.Pause},
	"power-cut-at-write":  {scenario.Crash},
	"rolling-restarts":    {scenario.Restart},
	"slow-disk":           {scenario.SlowDisk},
	"snapshot-under-fire": {scenario.Wipe},
	"wiped-disk":          {scenario.Wipe},
}

// TestNamedPlansAreNotVacuous: without what it is about, each misses its demand, and nothing else.
// That they are kept as they are is TestNamedPlans.
func TestNamedPlansAreNotVacuous(t *testing.T) {
	for _, name := range scenario.Names() {
		plan, err := scenario.Load(name)
		if err != nil || len(central[name]) == 0 {
			t.Errorf("%s: what is it about? %v", name, err)
			continue
		}
		tier := Memory
		if Executor(tier).CanPlay(plan) != nil {
			tier = Pebble
		}
		plan.Workload.Think = scenario.Span{Least: 300, Most: 900}
		plan.Demand.Silence = 0 // so few clients do not show it
		before := len(plan.Steps)
		plan.Steps = slices.DeleteFunc(plan.Steps, func(s scenario.Step) bool { return slices.Contains(central[name], s.Verb) })
		if len(plan.Steps) == before {
			t.Errorf("%s has no step of those that it is said to be about", name)
		}
		r := Run(Options{Disk: tier, Plan: plan})
		if len(r.Faults) == 0 {
			t.Errorf("%s: kept without %v: %v", name, central[name], r.Account)
		}
		for _, fault := range r.Faults {
			if !strings.Contains(fault, "nothing was tested") {
				t.Errorf("%s: %s", name, fault)
			}
		}
	}
}

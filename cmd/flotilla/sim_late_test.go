package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"flotilla/sim"
)

// TestLifeThatDoesNotEnd: a worker whose second life hangs says which it is and what it does, and
// lives no more. A life that ends in time is what it was.
func TestLifeThatDoesNotEnd(t *testing.T) {
	var out bytes.Buffer
	o := simOptions{first: 5, seeds: 3, stride: 1, disk: string(sim.Memory), minutes: 0.05, lifeLimit: 100 * time.Millisecond, dir: t.TempDir()}
	o.live = func(opts sim.Options) sim.Result {
		if opts.Seed == 6 {
			opts.Log("    1.000 s  crash n1")
			hangForEver()
		}
		return sim.Result{Seed: opts.Seed, Disk: opts.Disk, Plan: opts.Plan, Trace: 7}
	}
	if err := (&app{out: &out}).simWorker(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	var all []simResult
	for decoder := json.NewDecoder(&out); decoder.More(); {
		var r simResult
		if err := decoder.Decode(&r); err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
	if len(all) != 2 || all[0].Seed != 5 || len(all[0].Faults) > 0 || all[0].Trace != 7 {
		t.Fatalf("%+v", all)
	}
	late := all[1]
	if late.Seed != 6 || late.Trace != 0 || late.Folder == "" || !strings.HasPrefix(strings.Join(late.Plan, " "), "name random-6 ") {
		t.Errorf("%+v", late)
	}
	for _, what := range []string{"the life does not end: it took more than 100ms", "did: 1.000 s  crash n1\n", "hangForEver"} {
		if len(late.Faults) != 1 || !strings.Contains(late.Faults[0], what) {
			t.Errorf("%q is missing in %v", what, late.Faults)
		}
	}
}

func hangForEver() { select {} }

// TestTracesAreOfAllLives: in the order of their seeds, whoever lived them.
func TestTracesAreOfAllLives(t *testing.T) {
	o := simOptions{disk: string(sim.Memory), minutes: 1}
	tracesOf := func(all ...simResult) string {
		r := newSimReport(o.disk)
		for _, one := range all {
			r.add(one, o)
		}
		if last := all[len(all)-1]; len(last.Faults) > 0 && r.Failures[len(r.Failures)-1].Trace != traceText(last.Trace) {
			t.Errorf("%+v", r.Failures)
		}
		return r.traces()
	}
	a, b, c := simResult{Seed: 1, Trace: 0xa}, simResult{Seed: 2, Trace: 0xb}, simResult{Seed: 3, Trace: 0xc, Faults: []string{"broken"}}
	want := tracesOf(a, b, c)
	if got := tracesOf(b, a, c); got != want {
		t.Errorf("another order of lives: %s, not %s", got, want)
	}
	for _, other := range [][]simResult{{a, b}, {b, c}, {{Seed: 1, Trace: 0xb}, {Seed: 2, Trace: 0xa}, c}, {a, b, {Seed: 4, Trace: 0xc}}} {
		if tracesOf(other...) == want {
			t.Errorf("%+v has the traces of others", other)
		}
	}
}

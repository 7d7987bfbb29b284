package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"flotilla/check"
	"flotilla/sim"
)

// runFakeWorker has a worker live seeds of which those above 2 fail, and returns what it told.
func runFakeWorker(t *testing.T, o simOptions) *simReport {
	t.Helper()
	var out bytes.Buffer
	o.live = func(opts sim.Options) sim.Result {
		r := sim.Result{Seed: opts.Seed, Disk: opts.Disk, Plan: o.planOf(opts.Seed)}
		if opts.Seed > 2 {
			r.Faults, r.History = []string{"it broke\nwith a window"}, []check.Operation{{Kind: check.Read}}
		}
		return r
	}
	if err := (&app{out: &out}).simWorker(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	report := newSimReport(o.disk)
	for decoder := json.NewDecoder(&out); decoder.More(); {
		var r simResult
		if err := decoder.Decode(&r); err != nil {
			t.Fatal(err)
		}
		report.add(r, o)
	}
	return report
}

// TestFirstFailuresAreKept: of each of two workers the first ones, and of the whole run no more
// than those; of a worker that died, what is known; and nothing that is not whole.
func TestFirstFailuresAreKept(t *testing.T) {
	folder, err := newSimFolder(filepath.Join(t.TempDir(), "made"))
	if err != nil {
		t.Fatal(err)
	}
	o := simOptions{seeds: 15, stride: 2, disk: string(sim.Memory), minutes: 0.05, lifeLimit: lifeLimit, dir: folder.dir}
	report := newSimReport(o.disk)
	for o.first = range uint64(2) {
		report.Failures = append(report.Failures, runFakeWorker(t, o).Failures...)
	}
	if kept, _ := os.ReadDir(folder.dir); len(kept) != 2*maxKeptSeeds {
		t.Errorf("workers kept %d", len(kept))
	}
	died := simResult{Seed: 2, Faults: []string{"the process died"}}
	report.add(died, o)
	if err := os.Mkdir(seedFolder(folder.dir, 4711), 0o755); err != nil { // a worker that was stopped
		t.Fatal(err)
	}
	if err := folder.tidy(report, o); err != nil {
		t.Fatal(err)
	}
	var want []string
	for i, f := range report.Failures {
		if i < maxKeptSeeds {
			want = append(want, filepath.Base(f.Folder))
		} else if f.Folder != "" {
			t.Errorf("seed %d is said to be in %s", f.Seed, f.Folder)
		}
		if f.Seed != uint64(i+2) || f.NotKept != "" || len(f.Plan) < 5 {
			t.Errorf("%+v", f)
		}
	}
	entries, err := os.ReadDir(folder.dir)
	var got []string
	for _, entry := range entries {
		got = append(got, entry.Name())
	}
	slices.Sort(want)
	if err != nil || !slices.Equal(got, want) || len(got) != maxKeptSeeds {
		t.Errorf("%v, %v; want %v", got, err, want)
	}
	for _, name := range []string{"seed-2", "seed-11"} {
		plan, err := os.ReadFile(filepath.Join(folder.dir, name, "plan.txt"))
		seed := strings.TrimPrefix(name, "seed-")
		if err != nil || !strings.Contains(string(plan), "\n# disk memory seed "+seed+"\nname random-"+seed+"\n") {
			t.Errorf("%v: %s", err, plan)
		}
	}
	var out bytes.Buffer
	report.print(&out)
	if text := out.String(); !strings.Contains(text, "\nplan, verdict and history of the first 10 are in "+folder.dir+"\n") || !strings.Contains(text, "seed 2 failed:\n  - the process died") {
		t.Error(text)
	}
}

// TestWhatCanNotBeKeptIsSaid: the run goes on, and its findings are told.
func TestWhatCanNotBeKeptIsSaid(t *testing.T) {
	t.Setenv("TMPDIR", filepath.Join(t.TempDir(), "missing"))
	folder, err := newSimFolder("")
	if err != nil || folder.err == nil {
		t.Fatal(folder, err)
	}
	o := simOptions{first: 3, seeds: 1, disk: string(sim.Memory), minutes: 0.05, lifeLimit: lifeLimit, dir: folder.dir}
	report := runFakeWorker(t, o)
	if err := folder.tidy(report, o); err != nil {
		t.Fatal(err)
	}
	folder.end()
	var out bytes.Buffer
	report.print(&out)
	if text := out.String(); !strings.Contains(text, "! of seed 3, not all is kept: ") || strings.Contains(text, "history of") {
		t.Error(text)
	}
	inTheWay := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(inTheWay, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	o.dir = inTheWay
	if report := runFakeWorker(t, o); len(report.Failures) != 1 || report.Failures[0].NotKept == "" || report.Failures[0].Folder != "" {
		t.Errorf("%+v", report.Failures)
	}
}

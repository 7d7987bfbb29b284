package sim

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"flotilla/scenario"
)

var (
	bugsFlag   = flag.Bool("bugs", false, "plant every bug, not only a few (takes minutes)")
	updateFlag = flag.Bool("update", false, "with -bugs, count anew after how many seeds each is found; write that down, and docs/testing.md")
)

// plantedBug is a mistake that the simulator must find, or it has gone blind. Its
// file tells what it is, on which disk it is looked for, within how many seeds it must
// be found, what clients ask for there if not for keys, after how many it was and by
// which checker, and then what to change, as a unified diff. One that was not found has
// found 0, and fails the tests. With a plan, one of those in testdata/regressions or that come with the program, only that is played, with its own seed and those after it.
type plantedBug struct {
	name, what, disk string
	load, plan       string // keys or queues; empty: plans are drawn
	limit, found     int
	by               string
	patch            string
}

// plantedAlways are the bugs that every run of the tests plants: of several kinds,
// and found by the first seeds.
var plantedAlways = []string{"ack-before-fsync", "commit-behind-applied"}

func readBugs(t *testing.T) (all []plantedBug) {
	t.Helper()
	names, err := filepath.Glob("testdata/bugs/*.patch")
	if err != nil || len(names) < 40 {
		t.Fatalf("%d planted bugs, %v", len(names), err)
	}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		b := plantedBug{load: "keys", name: strings.TrimSuffix(filepath.Base(name), ".patch")}
		head, patch, ok := strings.Cut(string(text), "\n---")
		lines := strings.Split(head, "\n")
		if !ok || len(lines) < 3 {
			t.Fatalf("%s: not of the form of the others", name)
		}
		b.what, b.patch = lines[0], "---"+patch
		for _, line := range lines[1:] {
			key, value, _ := strings.Cut(line, ": ")
			number, _ := strconv.Atoi(value)
			switch key {
			case "disk":
				b.disk = value
			case "load":
				b.load = value
			case "plan":
				b.plan = value
			case "seeds":
				b.limit = number
			case "found":
				b.found = number
			case "by":
				b.by = value
			}
		}
		all = append(all, b)
	}
	return all
}

// write puts a bug's file down again.
func (b plantedBug) write() error {
	load := ""
	if b.load != "keys" {
		load = "load: " + b.load + "\n"
	}
	if b.plan != "" {
		load += "plan: " + b.plan + "\n"
	}
	text := fmt.Sprintf("%s\ndisk: %s\n%sseeds: %d\nfound: %d\nby: %s\n%s", b.what, b.disk, load, b.limit, b.found, b.by, b.patch)
	return os.WriteFile(filepath.Join("testdata/bugs", b.name+".patch"), []byte(text), 0o644)
}

// apply returns the changed files, by path. Where a piece belongs is found by its
// text, which must be there once: line numbers do not matter.
func (b plantedBug) apply() (map[string]string, error) {
	changed := map[string]string{}
	path, before, after := "", "", ""
	flush := func() error {
		if before == "" {
			return nil
		}
		if n := strings.Count(changed[path], before); n != 1 {
			return fmt.Errorf("%s: what it changes is there %d times: write the patch anew", path, n)
		}
		changed[path] = strings.Replace(changed[path], before, after, 1)
		before, after = "", ""
		return nil
	}
	for line := range strings.Lines(b.patch) {
		switch {
		case strings.HasPrefix(line, "--- "), strings.HasPrefix(line, "@@"):
			if err := flush(); err != nil {
				return nil, err
			}
		case strings.HasPrefix(line, "+++ b/"):
			path = strings.TrimSpace(strings.TrimPrefix(line, "+++ b/"))
			text, err := os.ReadFile(filepath.Join("..", path))
			if err != nil {
				return nil, err
			}
			changed[path] = string(text)
		case line[0] == '-':
			before += line[1:]
		case line[0] == '+':
			after += line[1:]
		case line[0] == ' ':
			before, after = before+line[1:], after+line[1:]
		}
	}
	return changed, flush()
}

// TestPlantedBugsApply: a patch that does not fit the code any more tests nothing.
func TestPlantedBugsApply(t *testing.T) {
	for _, b := range readBugs(t) {
		if changed, err := b.apply(); err != nil || len(changed) == 0 {
			t.Errorf("%s: %v", b.name, err)
		}
		if (b.found == 0 || b.found > b.limit) && !*updateFlag {
			t.Errorf("%s: found after %d seeds (0: not found), the limit is %d: go test ./sim -run 'Bugs/%s$' -bugs -update", b.name, b.found, b.limit, b.name)
		}
	}
}

// TestPlantedBugsAreFound builds the program with each of the bugs, as many at a time
// as -parallel says. What finds one must find nothing without it: otherwise it found
// something else.
func TestPlantedBugsAreFound(t *testing.T) {
	control := filepath.Join(t.TempDir(), "control")
	plantedBug{}.build(t, control)
	for _, b := range readBugs(t) {
		if !*bugsFlag && !slices.Contains(plantedAlways, b.name) {
			continue
		}
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			program := filepath.Join(t.TempDir(), "flotilla")
			b.build(t, program)
			seed, fault := b.find(t, program)
			if fault == "" {
				t.Errorf("%s\nnot found in %d seeds", b.what, b.limit)
			} else if _, other := b.hunt(t, control, seed, 1); other != "" {
				t.Fatalf("seed %d finds something without the bug, too: flotilla sim --disk %s --first %d --seeds 1\n%s", seed, b.disk, seed, other)
			}
			t.Logf("found after %d seeds: %s", seed, strings.SplitN(fault, "\n", 2)[0])
			if seed != b.found && fault != "" && !*updateFlag {
				t.Errorf("found after %d seeds, not %d as the table says: count anew, with -update", seed, b.found)
			}
			if by := checkerOf(fault); by != b.by && fault != "" && !*updateFlag {
				t.Errorf("found by %s, not by %s, as the table says: is that as good? Then count anew, with -update\n%s", by, b.by, fault)
			}
			if b.found, b.by = seed, checkerOf(fault); *updateFlag {
				if err := b.write(); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// find says which seed finds the bug first, and what was found; no more than that it is
// found by the seed that found it before, unless it shall be counted anew.
func (b plantedBug) find(t *testing.T, program string) (seed int, fault string) {
	t.Helper()
	if b.found > 0 && !*updateFlag {
		if _, fault := b.hunt(t, program, b.found, 1); fault != "" {
			return b.found, fault
		}
		t.Logf("seed %d does not find it any more: counting from 1", b.found)
	}
	if tried, fault := b.hunt(t, program, 1, b.limit); fault != "" {
		return tried, fault
	}
	return 0, ""
}

// checkerOf names who found a fault, by what it says.
func checkerOf(fault string) string {
	if fault == "" {
		return "nobody"
	}
	first, _, _ := strings.Cut(fault, "\n") // what follows tells the surroundings
	for _, c := range []struct{ says, name string }{
		{"queues: ", "`check.Queues`"},
		{"linearizable: ", "`check.Linearizable`"},
		{"durable: ", "`check.Durable`"},
		{"older than its bound", "`check.Bounded`"},
		{"the session went back", "`check.Session`"},
		{"weak reads: ", "`check.Eventual`"},
		{"watched ", "WATCH: nothing changed between"},
		{"should have expired", "expired in the end"},
		{"two nodes lead", "one leader a term"},
		{" differ", "replicas are equal"},
		{"not all clients have", "all clients are answered"},
		{"starves", "who has a majority is served"},
		{"not equal", "all is well after the trouble"},
		{"serve", "all is well after the trouble"},
		{"damaged it", "no damage but ours"},
		{"panic", "assertions"},
		{"was answered", "replies make sense"},
		{"was to live for", "values live as long as they should"},
		{"can not start", "nodes start and go on"},
		{"does not end", "lives end"},
		{"floods", "nobody is flooded"},
		{"recurring:", "recurring messages come, once"},
		{"stops", "nodes start and go on"},
	} {
		if strings.Contains(first, c.says) || c.says == "panic" && strings.Contains(fault, c.says) {
			return c.name
		}
	}
	return "others"
}

// hunt says after how many seeds the bug was found, and what was found.
func (b plantedBug) hunt(t *testing.T, program string, first, seeds int) (tried int, fault string) {
	t.Helper()
	hunt := exec.CommandContext(t.Context(), program, b.disk, b.load, strconv.Itoa(first), strconv.Itoa(seeds))
	if b.plan != "" {
		hunt.Args = append(hunt.Args, b.planFile())
	}
	hunt.Env = append(os.Environ(), "GOMAXPROCS=1", "GOGC=1000", "GOMEMLIMIT=2GiB") // a search that ends in nothing takes much
	var trouble strings.Builder
	hunt.Stderr = &trouble
	out, err := hunt.Output()
	for line := range strings.Lines(string(out)) {
		var faults []string
		if err := json.Unmarshal([]byte(line), &faults); err != nil {
			t.Fatalf("%v: %q", err, line)
		}
		if tried++; len(faults) > 0 {
			return tried, faults[0]
		}
	}
	if err != nil { // a goroutine of Pebble's panicked, for instance
		return tried + 1, fmt.Sprintf("the process died: %v\n%s", err, trouble.String())
	}
	return tried, ""
}

// planFile is a file in testdata/regressions, or the name of a plan that comes with the program.
func (b plantedBug) planFile() string {
	if slices.Contains(scenario.Names(), b.plan) {
		return b.plan
	}
	return "testdata/regressions/" + b.plan + ".txt"
}

// build makes a program of the code with the changed files laid over the true ones.
func (b plantedBug) build(t *testing.T, program string) {
	t.Helper()
	changed, err := b.apply()
	if err != nil {
		t.Fatal(err)
	}
	root, err := filepath.Abs("..")
	dir := t.TempDir()
	replace := map[string]string{}
	for path, text := range changed {
		copied := filepath.Join(dir, strings.ReplaceAll(path, "/", "_"))
		err = errors.Join(err, os.WriteFile(copied, []byte(text), 0o644))
		replace[filepath.Join(root, path)] = copied
	}
	overlay, encodeErr := json.Marshal(map[string]any{"Replace": replace})
	file := filepath.Join(dir, "overlay.json")
	if err := errors.Join(err, encodeErr, os.WriteFile(file, overlay, 0o644)); err != nil {
		t.Fatal(err)
	}
	build := exec.CommandContext(t.Context(), "go", "build", "-ldflags=-s -w", "-overlay", file, "-o", program, "./testdata/hunt")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// tableOfBugs is the part of docs/testing.md between its two marks.
func tableOfBugs(all []plantedBug) string {
	var b strings.Builder
	b.WriteString("| bug | what it is | disk | found after | must be within | caught by |\n|---|---|---|---:|---:|---|\n")
	slices.SortFunc(all, func(a, b plantedBug) int { return strings.Compare(a.name, b.name) })
	for _, x := range all {
		found := strconv.Itoa(x.found)
		if x.plan != "" {
			found += " of plan `" + x.plan + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %d | %s |\n", x.name, x.what, x.disk, found, x.limit, x.by)
	}
	return b.String()
}

// TestTableOfBugsIsTrue: docs/testing.md lists the bugs that there are.
func TestTableOfBugsIsTrue(t *testing.T) {
	const file, begin, end = "../docs/testing.md", "<!-- bugs -->\n", "<!-- end of bugs -->"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(text), begin)
	table, after, isEnded := strings.Cut(rest, end)
	if !ok || !isEnded {
		t.Fatal("docs/testing.md has no place for the table of bugs")
	}
	want := tableOfBugs(readBugs(t))
	if table == want {
		return
	}
	if !*updateFlag {
		t.Fatal("the table of bugs in docs/testing.md is out of date: go test ./sim -run TableOfBugs -update")
	}
	if err := os.WriteFile(file, []byte(before+begin+want+end+after), 0o644); err != nil {
		t.Fatal(err)
	}
}

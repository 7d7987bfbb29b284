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
)

var (
	bugsFlag   = flag.Bool("bugs", false, "build a program with each planted bug, and require that it is found (takes minutes)")
	onlyFlag   = flag.String("only", "", "only the planted bugs whose name has this in it")
	updateFlag = flag.Bool("update", false, "write down after how many seeds each was found, and docs/testing.md")
)

// plantedBug is a mistake that the simulator must find, or it has gone blind. Its
// file tells what it is, on which disk it is looked for, within how many seeds it must
// be found and after how many it was, and then what to change, as a unified diff.
type plantedBug struct {
	name, what, disk string
	limit, found     int
	patch            string
}

func readBugs(t *testing.T) (all []plantedBug) {
	t.Helper()
	names, err := filepath.Glob("testdata/bugs/*.patch")
	if err != nil || len(names) < 5 {
		t.Fatalf("%d planted bugs, %v", len(names), err)
	}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		b := plantedBug{name: strings.TrimSuffix(filepath.Base(name), ".patch")}
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
			case "seeds":
				b.limit = number
			case "found":
				b.found = number
			}
		}
		all = append(all, b)
	}
	return all
}

// write puts a bug's file down again.
func (b plantedBug) write() error {
	text := fmt.Sprintf("%s\ndisk: %s\nseeds: %d\nfound: %d\n%s", b.what, b.disk, b.limit, b.found, b.patch)
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
		if b.found > b.limit {
			t.Errorf("%s: found after %d seeds, the limit is %d: go test ./sim -run TestPlantedBugsAreFound -bugs -update", b.name, b.found, b.limit)
		}
	}
}

// TestPlantedBugsAreFound builds the program with each of the bugs, one by one.
func TestPlantedBugsAreFound(t *testing.T) {
	for _, b := range readBugs(t) {
		if !*bugsFlag && b.name != "commit-behind-applied" { // the others take minutes
			continue
		}
		if !strings.Contains(b.name, *onlyFlag) {
			continue
		}
		t.Run(b.name, func(t *testing.T) {
			seeds, fault := b.hunt(t)
			if fault == "" {
				t.Fatalf("%s\nnot found in %d seeds", b.what, seeds)
			}
			t.Logf("found after %d seeds: %s", seeds, strings.SplitN(fault, "\n", 2)[0])
			if *updateFlag {
				b.found = seeds
				if err := b.write(); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// hunt says after how many seeds the bug was found, and what was found.
func (b plantedBug) hunt(t *testing.T) (seeds int, fault string) {
	t.Helper()
	program := filepath.Join(t.TempDir(), "flotilla")
	b.build(t, program)
	out, err := exec.CommandContext(t.Context(), program, "sim", "--disk", b.disk, "--first", "1", "--seeds", strconv.Itoa(b.limit),
		"--until-failure", "--workers", "1", "--json").Output()
	var report struct {
		Seeds    int
		Failures []struct{ Faults []string }
	}
	if decodeErr := json.Unmarshal(out, &report); decodeErr != nil {
		t.Fatalf("%v: %v\n%s", err, decodeErr, out)
	}
	if len(report.Failures) > 0 {
		fault = report.Failures[0].Faults[0]
	}
	return report.Seeds, fault
}

// build lays the changed files over the true ones.
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
	build := exec.CommandContext(t.Context(), "go", "build", "-overlay", file, "-o", program, "./cmd/flotilla")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// tableOfBugs is the part of docs/testing.md between its two marks.
func tableOfBugs(all []plantedBug) string {
	var b strings.Builder
	b.WriteString("| bug | what it is | disk | found after | must be found within |\n|---|---|---|---:|---:|\n")
	slices.SortFunc(all, func(a, b plantedBug) int { return strings.Compare(a.name, b.name) })
	for _, x := range all {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %d seeds | %d seeds |\n", x.name, x.what, x.disk, x.found, x.limit)
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
		t.Fatal("the table of bugs in docs/testing.md is out of date: go test ./sim -run TestTableOfBugsIsTrue -update")
	}
	if err := os.WriteFile(file, []byte(before+begin+want+end+after), 0o644); err != nil {
		t.Fatal(err)
	}
}

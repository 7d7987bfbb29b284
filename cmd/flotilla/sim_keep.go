package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"flotilla/sim"

	"github.com/spf13/cobra"
)

// maxKeptSeeds is of how many seeds that failed a run keeps what is needed to look into them:
// those with the lowest numbers.
const maxKeptSeeds = 10

// addKeepDir adds the flag that says where that is kept.
func addKeepDir(cmd *cobra.Command, dir *string) {
	cmd.Flags().StringVar(dir, "dir", "", "where a run that finds something gets a folder of its own (default a temporary one, named at the end)")
	_ = cmd.MarkFlagDirname("dir") // fails only for a flag that does not exist
}

// simFolder is where a run keeps what it found: a folder for each seed, with plan, verdict and
// history.
type simFolder struct {
	dir    string
	parent string // that --dir names, if it was not there: it goes, too, if nothing was found
	err    error  // why there is no temporary folder: that matters only if something is found
}

// newSimFolder makes the run's folder in the one that --dir names.
func newSimFolder(dir string) (*simFolder, error) {
	if dir == "" {
		temporary, err := os.MkdirTemp("", "flotilla-sim-")
		return &simFolder{dir: temporary, err: err}, nil
	}
	f := &simFolder{}
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		f.parent = dir
	}
	absolute, err := filepath.Abs(dir)
	if err == nil {
		err = os.MkdirAll(absolute, 0o755)
	}
	if err == nil {
		f.dir, err = os.MkdirTemp(absolute, "sim-"+time.Now().Format("20060102-150405")+"-")
	}
	if err != nil {
		return nil, usageError{fmt.Errorf("--dir=%s: no folder for what may be found: %w", dir, err)}
	}
	return f, nil
}

// end removes the run's folder if there is nothing in it.
func (f *simFolder) end() {
	if f.dir != "" && os.Remove(f.dir) == nil && f.parent != "" {
		_ = os.Remove(f.parent) // stays if it is not empty
	}
}

// seedFolder is where a seed's finding is kept.
func seedFolder(dir string, seed uint64) string {
	return filepath.Join(dir, "seed-"+strconv.FormatUint(seed, 10))
}

// keepSeed keeps what a life found, and says where, or why not.
func keepSeed(dir string, r sim.Result) (folder, trouble string) {
	folder = seedFolder(dir, r.Seed)
	if err := r.Keep(folder); err != nil {
		return "", err.Error()
	}
	return folder, ""
}

// tidy leaves the folders of the first seeds that failed only. Each worker has kept its own
// first ones, and what one was writing when it was stopped is not whole. A worker that died has
// kept nothing: its seed's plan is known all the same.
func (f *simFolder) tidy(report *simReport, o simOptions) error {
	slices.SortFunc(report.Failures, func(a, b simFailure) int { return cmp.Compare(a.Seed, b.Seed) })
	kept := map[string]bool{}
	for i := range report.Failures {
		failure := &report.Failures[i]
		if failure.Plan == nil {
			failure.Plan = planLines(o.planOf(failure.Seed).String())
		}
		switch {
		case i >= maxKeptSeeds:
			failure.Folder, failure.NotKept = "", ""
		case f.err != nil:
			failure.NotKept = f.err.Error()
		case failure.Folder == "" && failure.NotKept == "":
			r := sim.Result{Seed: failure.Seed, Disk: sim.Tier(o.disk), Plan: o.planOf(failure.Seed), Faults: failure.Faults}
			failure.Folder, failure.NotKept = keepSeed(f.dir, r)
		}
		kept[failure.Folder] = true
	}
	if f.err != nil {
		return nil
	}
	entries, err := os.ReadDir(f.dir)
	for _, entry := range entries {
		if name := filepath.Join(f.dir, entry.Name()); !kept[name] {
			err = errors.Join(err, os.RemoveAll(name))
		}
	}
	if err != nil {
		return fmt.Errorf("remove what is not kept: %w", err)
	}
	return nil
}

func planLines(text string) []string { return strings.Split(strings.TrimSpace(text), "\n") }

// printKept says where what was found is.
func (r *simReport) printKept(out io.Writer) {
	kept := 0
	for _, f := range r.Failures {
		if f.NotKept != "" {
			fmt.Fprintf(out, "! of seed %d, not all is kept: %s\n", f.Seed, f.NotKept)
		}
		if f.Folder != "" {
			kept++
		}
	}
	if kept == 0 {
		return
	}
	which := "each"
	if len(r.Failures) > maxKeptSeeds {
		which = fmt.Sprintf("the first %d", maxKeptSeeds)
	}
	i := slices.IndexFunc(r.Failures, func(f simFailure) bool { return f.Folder != "" })
	fmt.Fprintf(out, "plan, verdict and history of %s are in %s\n", which, filepath.Dir(r.Failures[i].Folder))
}

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"flotilla/sim"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"
)

// simOptions are the flags of `flotilla sim`.
type simOptions struct {
	seeds, first, stride uint64
	disk                 string
	minutes              float64
	workers              int
	untilFailure         bool
	isEndless            bool // until a failure, however long that takes
	isJSON, isWorker     bool
}

func newSim(a *app) *cobra.Command {
	var o simOptions
	cmd := &cobra.Command{
		Use:   "sim",
		Short: "Let whole clusters live through trouble in virtual time, one for each seed",
		Long: `Runs three nodes, clients, network and disks on one goroutine, in virtual time, from one seed:
crashes, cuts, pauses, lost and doubled messages, wrong clocks, lost disks. Then all must be calm,
all replicas equal, and all that clients were told must be true. The same seed gives the same life,
so that what is found can be looked at again and again. Uses all processors.`,
		Example: `  flotilla sim --seeds 1000
  flotilla sim --disk pebble --until-failure
  flotilla sim --first 4711 --seeds 1     # look at one life again`,
		Args: usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt)
			defer stop()
			o.isEndless = o.untilFailure && !cmd.Flags().Changed("seeds")
			return a.sim(ctx, o)
		},
	}
	flags := cmd.Flags()
	flags.Uint64Var(&o.seeds, "seeds", 100, "how many seeds")
	flags.Uint64Var(&o.first, "first", 1, "the first of them")
	flags.StringVar(&o.disk, "disk", "memory", "memory (fast) or pebble (the production disk, on files in memory)")
	flags.Float64Var(&o.minutes, "minutes", 1, "virtual minutes of trouble for each seed")
	flags.IntVar(&o.workers, "workers", runtime.NumCPU(), "how many seeds at a time")
	flags.BoolVar(&o.untilFailure, "until-failure", false, "stop at the first seed that fails; without --seeds, go on until there is one")
	flags.BoolVar(&o.isJSON, "json", false, "print JSON")
	flags.BoolVar(&o.isWorker, "worker", false, "")
	flags.Uint64Var(&o.stride, "stride", 1, "")
	_ = errors.Join(flags.MarkHidden("worker"), flags.MarkHidden("stride")) // fail only for flags that do not exist
	return cmd
}

// simReport is what `flotilla sim --json` prints.
type simReport struct {
	Seeds      uint64       `json:"seeds"`
	Seconds    float64      `json:"seconds"`
	CPUSeconds float64      `json:"cpu_seconds"`
	Counts     sim.Counts   `json:"counts"`
	Failures   []simFailure `json:"failures"`
	Missing    []string     `json:"missing,omitempty"` // what should have happened sometimes
}

type simFailure struct {
	Seed    uint64   `json:"seed"`
	Faults  []string `json:"faults"`
	Plan    []string `json:"plan"`
	Command string   `json:"command"` // that repeats it
}

func (a *app) sim(ctx context.Context, o simOptions) error {
	if !slices.Contains([]string{string(sim.Memory), string(sim.Pebble)}, o.disk) {
		return usageError{fmt.Errorf("--disk=%s: use memory or pebble", o.disk)}
	}
	if o.minutes <= 0 || o.minutes > 24*60 || o.seeds == 0 || o.workers < 1 {
		return usageError{errors.New("--minutes must be between 0 and 1440, --seeds and --workers at least 1")}
	}
	if o.isWorker {
		return a.simWorker(ctx, o)
	}
	report, err := a.simulate(ctx, o)
	if err != nil {
		return err
	}
	if o.isJSON {
		encoder := json.NewEncoder(a.out)
		encoder.SetIndent("", "  ")
		err = encoder.Encode(report)
	} else {
		report.print(a.out)
	}
	if err == nil && len(report.Failures)+len(report.Missing) > 0 {
		err = silentError{errors.New("seeds failed")}
	}
	return err
}

// simResult is a line that a worker prints.
type simResult struct {
	Seed   uint64     `json:"seed"`
	Faults []string   `json:"faults,omitempty"`
	Plan   []string   `json:"plan,omitempty"`
	Counts sim.Counts `json:"counts,omitempty"`
}

// simWorker lives one life after another. A run replaces the process's source of
// chance, so that each worker is a process of its own.
func (a *app) simWorker(ctx context.Context, o simOptions) error {
	out := json.NewEncoder(a.out)
	for i := uint64(0); (o.isEndless || i < o.seeds) && ctx.Err() == nil; i++ {
		r := sim.Run(sim.Options{Seed: o.first + i*o.stride, Disk: sim.Tier(o.disk), Length: time.Duration(o.minutes * float64(time.Minute))})
		line := simResult{Seed: r.Seed, Faults: r.Faults, Counts: r.Counts}
		if !r.OK() {
			line.Plan = strings.Split(strings.TrimSpace(r.Plan.String()), "\n")
		}
		if err := out.Encode(line); err != nil {
			return err
		}
		if o.untilFailure && !r.OK() {
			return nil
		}
	}
	return nil
}

// simulate runs the workers and gathers what they tell.
func (a *app) simulate(ctx context.Context, o simOptions) (*simReport, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	began := time.Now()
	report := &simReport{Counts: sim.Counts{}}
	results := make(chan simResult) // closed below, once all workers have ended
	cpu := make([]time.Duration, o.workers)
	workers, inner := errgroup.WithContext(ctx)
	for i := range min(uint64(o.workers), o.seeds) {
		workers.Go(func() (err error) {
			cpu[i], err = a.runSimWorker(inner, self, o, i, results)
			return err
		})
	}
	failed := make(chan error, 1)
	go func() { failed <- workers.Wait(); close(results) }()
	screen := newScreen(a.err)
	for r := range results {
		report.add(r, o)
		if o.untilFailure && len(r.Faults) > 0 {
			stop()
		}
		if screen.isLive && !o.isJSON {
			fmt.Fprintf(a.err, "\r%d seeds, %d failed, %.0f a minute  ", report.Seeds, len(report.Failures), float64(report.Seeds)/time.Since(began).Minutes())
		}
	}
	if screen.isLive && !o.isJSON {
		fmt.Fprint(a.err, "\r\x1b[K")
	}
	report.Seconds = time.Since(began).Seconds()
	for _, d := range cpu {
		report.CPUSeconds += d.Seconds()
	}
	if float64(report.Seeds)*o.minutes >= sim.SometimesMinutes {
		report.Missing = report.Counts.Missing(sim.Tier(o.disk))
	}
	return report, <-failed
}

// runSimWorker runs one worker to its end, and says what processor time it took.
func (a *app) runSimWorker(ctx context.Context, self string, o simOptions, i uint64, results chan<- simResult) (time.Duration, error) {
	seeds := (o.seeds - i + uint64(o.workers) - 1) / uint64(o.workers)
	args := []string{"sim", "--worker", "--disk", o.disk, "--first", strconv.FormatUint(o.first+i, 10), "--stride", strconv.Itoa(o.workers),
		"--minutes", strconv.FormatFloat(o.minutes, 'g', -1, 64)}
	if o.untilFailure {
		args = append(args, "--until-failure")
	}
	if !o.isEndless {
		args = append(args, "--seeds", strconv.FormatUint(seeds, 10))
	}
	cmd := exec.CommandContext(ctx, self, args...)
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1", "GOGC=400")
	var trouble strings.Builder
	cmd.Stderr = &trouble
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return 0, fmt.Errorf("start a worker: %w", err)
	}
	next := o.first + i
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		var r simResult
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			return 0, errors.Join(fmt.Errorf("a worker printed %q", lines.Text()), cmd.Wait())
		}
		next = r.Seed + uint64(o.workers)
		results <- r
	}
	err = cmd.Wait()
	if err != nil && ctx.Err() == nil { // it died of what it found: a goroutine of Pebble's panicked, for instance
		results <- simResult{Seed: next, Faults: []string{fmt.Sprintf("the process died (%v):\n%s", err, trouble.String())}}
	}
	return cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), nil
}

// add takes one seed's result.
func (r *simReport) add(one simResult, o simOptions) {
	r.Seeds++
	r.Counts.Add(one.Counts)
	if len(one.Faults) > 0 {
		command := fmt.Sprintf("flotilla sim --first %d --seeds 1 --disk %s --minutes %g", one.Seed, o.disk, o.minutes)
		r.Failures = append(r.Failures, simFailure{Seed: one.Seed, Faults: one.Faults, Plan: one.Plan, Command: command})
	}
}

// shownFailures is how many failures are told in full.
const shownFailures = 3

func (r *simReport) print(out io.Writer) {
	for _, f := range r.Failures[:min(len(r.Failures), shownFailures)] {
		fmt.Fprintf(out, "seed %d failed:\n", f.Seed)
		for _, fault := range f.Faults {
			fmt.Fprintf(out, "  - %s\n", fault)
		}
		fmt.Fprintf(out, "  the trouble it had:\n    %s\n  again: %s\n\n", strings.Join(f.Plan, "\n    "), f.Command)
	}
	for _, f := range r.Failures[min(len(r.Failures), shownFailures):] {
		fmt.Fprintf(out, "seed %d failed, too: %s\n", f.Seed, f.Command)
	}
	for _, what := range slices.Sorted(maps.Keys(r.Counts)) {
		fmt.Fprintf(out, "%10d  %s\n", r.Counts[what], what)
	}
	for _, what := range r.Missing {
		fmt.Fprintf(out, "! this never happened, so that nothing was learned about it: %s\n", what)
	}
	perCore := 0.0
	if r.CPUSeconds > 0 {
		perCore = 60 * float64(r.Seeds) / r.CPUSeconds
	}
	fmt.Fprintf(out, "%d seeds, %d failed, in %.1f s: %.0f seeds a minute of one processor\n", r.Seeds, len(r.Failures), r.Seconds, perCore)
}

package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
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

	"flotilla"
	"flotilla/scenario"
	"flotilla/sim"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"
)

// simOptions are the flags of `flotilla sim`.
type simOptions struct {
	seeds, first, stride uint64
	disk                 string
	minutes              float64
	isOfQueues           bool // clients ask something of queues, and not of keys
	workers              int
	untilFailure         bool
	printsPlan           bool
	isEndless            bool // until a failure, however long that takes
	isJSON, isWorker     bool
	lifeLimit            time.Duration
	dir                  string // where what is found is kept; a worker's is the run's own
	live                 func(sim.Options) sim.Result
}

func newSim(a *app) *cobra.Command {
	o := simOptions{live: sim.Run}
	cmd := &cobra.Command{
		Use:   "sim",
		Short: "Let whole clusters live through trouble in virtual time, one for each seed",
		Long: `Runs nodes, clients, network and disks on one goroutine, in virtual time, as a plan says that is drawn
from a seed: crashes, cuts, pauses, lost and doubled messages, wrong clocks, lost disks. Then all must be
calm, all replicas equal, and all that clients were told must be true; in one plan of four, those who have
a majority must be served all the while. The same seed gives the same life, so that what is found can be
looked at again and again. Uses all processors.

A life that does not end is a failure, too: see --life-limit. It tells what it was doing. What --json calls
"traces" is equal for two runs exactly if each of their lives was the same, message by message.

Of the first 10 seeds that fail, a folder keeps the plan, the verdict, all that clients asked and were
told and, if no order explains that, a picture. Its plan.txt tells disk and seed, and can be played again:
` + "`flotilla sim run DIR/plan.txt --disk DISK --seed SEED`" + `.

Plans are texts: docs/scenarios.md explains them. ` + "`flotilla sim run`" + ` plays one that you wrote.`,
		Example: `  flotilla sim --seeds 1000
  flotilla sim --disk pebble --until-failure
  flotilla sim --queues --seeds 1000
  flotilla sim --first 4711 --seeds 1     # look at one life again
  flotilla sim --first 4711 --print-plan  # and at its plan
  flotilla sim run leader-killed`,
		Args: usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt)
			defer stop()
			o.isEndless = o.untilFailure && !cmd.Flags().Changed("seeds")
			if o.printsPlan && !cmd.Flags().Changed("seeds") {
				o.seeds = 1
			}
			return a.sim(ctx, o)
		},
	}
	flags := cmd.Flags()
	flags.Uint64Var(&o.seeds, "seeds", 100, "how many seeds")
	flags.Uint64Var(&o.first, "first", 1, "the first of them")
	addDisk(cmd, &o.disk)
	addKeepDir(cmd, &o.dir)
	addLifeLimit(cmd, &o.lifeLimit)
	flags.Float64Var(&o.minutes, "minutes", 1, "virtual minutes of trouble for each seed")
	flags.BoolVar(&o.isOfQueues, "queues", false, "clients send and receive messages of queues, instead of reading and writing keys")
	flags.IntVar(&o.workers, "workers", runtime.NumCPU(), "how many seeds at a time")
	flags.BoolVar(&o.untilFailure, "until-failure", false, "stop at the first seed that fails; without --seeds, go on until there is one")
	flags.BoolVar(&o.printsPlan, "print-plan", false, "print the seeds' plans, and run nothing")
	flags.BoolVar(&o.isJSON, "json", false, "print JSON")
	flags.BoolVar(&o.isWorker, "worker", false, "")
	flags.Uint64Var(&o.stride, "stride", 1, "")
	_ = errors.Join(flags.MarkHidden("worker"), flags.MarkHidden("stride")) // fail only for flags that do not exist
	cmd.AddCommand(newSimRun(a), newSimList(a))
	return cmd
}

// simReport is what `flotilla sim --json` prints.
type simReport struct {
	Disk       string       `json:"disk"`
	Seeds      uint64       `json:"seeds"`
	IsStopped  bool         `json:"stopped,omitempty"` // by Ctrl-C, before all of them
	Wanted     uint64       `json:"wanted,omitempty"`  // of one that was stopped; 0: until a failure
	Seconds    float64      `json:"seconds"`
	CPUSeconds float64      `json:"cpu_seconds"`
	Traces     string       `json:"traces"`     // one hash over those of all lives, in the order of their seeds: equal runs have equal ones
	Minutes    float64      `json:"minutes"`    // of the plans' time, all together: dense lives are short
	Operations int          `json:"operations"` // that were answered, and judged
	Silence    simSilence   `json:"longest_silence"`
	Counts     sim.Counts   `json:"counts"`
	Failures   []simFailure `json:"failures"`
	Missing    []string     `json:"missing,omitempty"` // what should have happened sometimes

	traceOf map[uint64]uint64 // by seed
}

// simSilence is the longest time for which there was no answer, as docs/scenarios.md counts it.
type simSilence struct {
	Millis flotilla.Millis `json:"ms"`
	Seed   uint64          `json:"seed"`
}

type simFailure struct {
	Seed    uint64   `json:"seed"`
	Trace   string   `json:"trace,omitempty"` // its hash, which is the same when it is lived again; a life that did not end has none
	Faults  []string `json:"faults"`
	Plan    []string `json:"plan"`
	Command string   `json:"command"` // that repeats it
	// Folder is where it is kept; it is not, of later seeds, and if there was trouble.
	Folder  string `json:"folder,omitempty"`
	NotKept string `json:"not_kept,omitempty"` // the trouble
}

func newSimReport(disk string) *simReport {
	return &simReport{Disk: disk, Counts: sim.Counts{}, traceOf: map[uint64]uint64{}}
}

func (a *app) sim(ctx context.Context, o simOptions) error {
	if err := checkDisk(o.disk); err != nil {
		return usageError{err}
	}
	if o.minutes <= 0 || o.minutes > 24*60 || o.seeds == 0 || o.workers < 1 {
		return usageError{errors.New("--minutes must be between 0 and 1440, --seeds and --workers at least 1")}
	}
	if o.first > maxSeed || o.seeds-1 > maxSeed-o.first {
		return usageError{fmt.Errorf("--first=%d --seeds=%d: the last seed that there is is %d", o.first, o.seeds, uint64(maxSeed))}
	}
	if err := checkLifeLimit(o.lifeLimit); err != nil {
		return usageError{err}
	}
	if o.printsPlan {
		for i := range o.seeds {
			fmt.Fprint(a.out, o.planOf(o.first+i))
		}
		return nil
	}
	if o.isWorker {
		return a.simWorker(ctx, o)
	}
	folder, err := newSimFolder(o.dir)
	if err != nil {
		return err
	}
	defer folder.end()
	o.dir = folder.dir
	report, err := a.simulate(ctx, o)
	if err == nil {
		report.stopped(ctx, o)
		err = folder.tidy(report, o)
	}
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
	switch {
	case err != nil:
	case len(report.Failures)+len(report.Missing) > 0:
		err = silentError{errors.New("seeds failed")}
	case report.IsStopped:
		err = silentError{errors.New("stopped")}
	}
	return err
}

// maxSeed is the last seed: those after it, which workers count on to, are numbers still.
const maxSeed = 1<<63 - 1

// length is how long each random plan is.
func (o simOptions) length() time.Duration { return time.Duration(o.minutes * float64(time.Minute)) }

// planOf is a seed's plan.
func (o simOptions) planOf(seed uint64) *scenario.Plan {
	plan := sim.RandomPlan
	if o.isOfQueues {
		plan = sim.RandomQueuePlan
	}
	return plan(seed, o.length(), sim.Tier(o.disk))
}

// simResult is a line that a worker prints.
type simResult struct {
	Seed   uint64     `json:"seed"`
	Trace  uint64     `json:"trace,omitempty"`
	Faults []string   `json:"faults,omitempty"`
	Plan   []string   `json:"plan,omitempty"`
	Counts sim.Counts `json:"counts,omitempty"`
	// Of the plan's time, of what was answered, and for how long nothing was.
	Millis     flotilla.Millis `json:"ms,omitempty"`
	Operations int             `json:"operations,omitempty"`
	Silence    flotilla.Millis `json:"silence_ms,omitempty"`

	Folder  string `json:"folder,omitempty"`
	NotKept string `json:"not_kept,omitempty"`
}

// simWorker lives one life after another. A run replaces the process's source of
// chance, so that each worker is a process of its own.
func (a *app) simWorker(ctx context.Context, o simOptions) error {
	out, failed := json.NewEncoder(a.out), 0
	for i := uint64(0); (o.isEndless || i < o.seeds) && ctx.Err() == nil; i++ {
		seed := o.first + i*o.stride
		r, isLate := liveWithin(o.lifeLimit, o.live, sim.Options{Seed: seed, Disk: sim.Tier(o.disk), Plan: o.planOf(seed)})
		line := simResult{Seed: r.Seed, Trace: r.Trace, Faults: r.Faults, Counts: r.Counts,
			Millis: r.Plan.Duration, Operations: r.Account.Operations, Silence: flotilla.Millis(r.Silence.Milliseconds())}
		if !r.OK() {
			line.Plan = planLines(r.Plan.String())
			if failed++; o.dir != "" && failed <= maxKeptSeeds {
				line.Folder, line.NotKept = keepSeed(o.dir, r)
			}
		}
		if err := out.Encode(line); err != nil {
			return err
		}
		if isLate || o.untilFailure && !r.OK() {
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
	report := newSimReport(o.disk)
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
	report.Seconds, report.Traces = time.Since(began).Seconds(), report.traces()
	for _, d := range cpu {
		report.CPUSeconds += d.Seconds()
	}
	if report.Minutes >= sim.SometimesMinutes {
		report.Missing = report.Counts.Missing(sim.Tier(o.disk), o.isOfQueues)
	}
	return report, <-failed
}

// runSimWorker runs one worker after another until the seeds of one are lived, and says what processor
// time they took. One that died, or whose life took too long, is followed by another one.
func (a *app) runSimWorker(ctx context.Context, self string, o simOptions, i uint64, results chan<- simResult) (cpu time.Duration, err error) {
	next, end := o.first+i, o.first+o.seeds
	for err == nil && ctx.Err() == nil && (o.isEndless || next < end) {
		var took time.Duration
		var isLast bool
		next, isLast, took, err = a.runSimProcess(ctx, self, o, next, results)
		if cpu += took; isLast {
			break
		}
	}
	return cpu, err
}

// runSimProcess runs one worker to its end. It returns the first seed that it did not live, and
// whether nobody shall.
func (a *app) runSimProcess(ctx context.Context, self string, o simOptions, first uint64, results chan<- simResult) (next uint64, isLast bool, cpu time.Duration, err error) {
	stride := uint64(o.workers)
	args := []string{"sim", "--worker", "--disk", o.disk, "--first", strconv.FormatUint(first, 10), "--stride", strconv.FormatUint(stride, 10),
		"--minutes", strconv.FormatFloat(o.minutes, 'g', -1, 64), "--life-limit", o.lifeLimit.String()}
	if o.dir != "" {
		args = append(args, "--dir", o.dir)
	}
	if o.isOfQueues {
		args = append(args, "--queues")
	}
	if o.untilFailure {
		args = append(args, "--until-failure")
	}
	if !o.isEndless {
		args = append(args, "--seeds", strconv.FormatUint((o.first+o.seeds-first+stride-1)/stride, 10))
	}
	cmd := exec.CommandContext(ctx, self, args...)
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1", "GOGC=1000", "GOMEMLIMIT=1GiB")
	var trouble strings.Builder
	cmd.Stderr = &trouble
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return first, true, 0, fmt.Errorf("start a worker: %w", err)
	}
	next = first
	tell := func(r simResult) {
		next = r.Seed + stride
		isLast = isLast || o.untilFailure && len(r.Faults) > 0
		results <- r
	}
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		var r simResult
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			return next, true, 0, errors.Join(fmt.Errorf("a worker printed %q", lines.Text()), cmd.Wait())
		}
		tell(r)
	}
	if err := cmd.Wait(); err != nil && ctx.Err() == nil { // it died of what it found: a goroutine of Pebble's panicked, for instance
		tell(simResult{Seed: next, Faults: []string{fmt.Sprintf("the process died (%v):\n%s", err, trouble.String())}})
	}
	return next, isLast, cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), nil
}

// stopped notes whether the run was interrupted before it had lived all that was asked for.
func (r *simReport) stopped(ctx context.Context, o simOptions) {
	isDone := !o.isEndless && r.Seeds >= o.seeds || o.untilFailure && len(r.Failures) > 0
	if r.IsStopped = ctx.Err() != nil && !isDone; r.IsStopped && !o.isEndless {
		r.Wanted = o.seeds
	}
}

// add takes one seed's result.
func (r *simReport) add(one simResult, o simOptions) {
	r.Seeds++
	r.Counts.Add(one.Counts)
	r.Minutes += float64(one.Millis) / 60_000
	r.Operations += one.Operations
	if one.Silence > r.Silence.Millis || one.Silence == r.Silence.Millis && one.Seed < r.Silence.Seed {
		r.Silence = simSilence{one.Silence, one.Seed}
	}
	r.traceOf[one.Seed] = one.Trace
	if len(one.Faults) > 0 {
		command := fmt.Sprintf("flotilla sim --first %d --seeds 1 --disk %s --minutes %g", one.Seed, o.disk, o.minutes)
		if o.isOfQueues {
			command += " --queues"
		}
		r.Failures = append(r.Failures, simFailure{Seed: one.Seed, Trace: traceText(one.Trace), Faults: one.Faults, Plan: one.Plan, Command: command, Folder: one.Folder, NotKept: one.NotKept})
	}
}

// traces is one hash over those of all lives, however they were shared out among workers.
func (r *simReport) traces() string {
	hash := fnv.New64a()
	for _, seed := range slices.Sorted(maps.Keys(r.traceOf)) {
		hash.Write(binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(nil, seed), r.traceOf[seed]))
	}
	return traceText(hash.Sum64())
}

// traceText is how a life's hash is told; 0 means that there is none.
func traceText(trace uint64) string {
	if trace == 0 {
		return ""
	}
	return fmt.Sprintf("%016x", trace)
}

// shownFailures is how many failures are told in full.
const shownFailures = 3

func (r *simReport) print(out io.Writer) {
	for _, f := range r.Failures[:min(len(r.Failures), shownFailures)] {
		fmt.Fprintf(out, "seed %d failed:\n", f.Seed)
		for _, fault := range fewFaults(f.Faults) {
			fmt.Fprintf(out, "  - %s\n", fault)
		}
		fmt.Fprintf(out, "  its plan:\n    %s\n  again: %s\n\n", strings.Join(f.Plan, "\n    "), f.Command)
	}
	for _, f := range r.Failures[min(len(r.Failures), shownFailures):] {
		fmt.Fprintf(out, "seed %d failed, too: %s\n", f.Seed, f.Command)
	}
	r.printKept(out)
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
	lived := fmt.Sprintf("%d seeds", r.Seeds)
	if r.IsStopped && r.Wanted > 0 {
		lived = fmt.Sprintf("stopped after %d of %d seeds", r.Seeds, r.Wanted)
	} else if r.IsStopped {
		lived = "stopped after " + lived
	}
	fmt.Fprintf(out, "%.1f virtual minutes, %d operations judged; the longest time without an answer was %.1f s, of seed %d\n",
		r.Minutes, r.Operations, float64(r.Silence.Millis)/1000, r.Silence.Seed)
	fmt.Fprintf(out, "%s, %d failed, in %.1f s: %.0f seeds a minute of one processor\n", lived, len(r.Failures), r.Seconds, perCore)
}

package main

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"time"

	"flotilla/scenario"
	"flotilla/sim"

	"github.com/spf13/cobra"
)

func newSimRun(a *app) *cobra.Command {
	var seed uint64
	var disk, dir string
	var limit time.Duration
	cmd := &cobra.Command{
		Use:   "run FILE|NAME",
		Short: "Play a plan from a file, or one that comes with the program, in virtual time",
		Long: `Plays a plan once in the simulator. A file of that name is taken first, then a plan that comes with the
program. The same plan, seed and disk give the same life, message by message.
If a promise was broken, a folder keeps the plan, the verdict, all that clients asked and were told and, if
no order explains that, a picture. A life that does not end is broken, too, and tells what it was doing.
Exit code 0: every promise was kept. 1: one was broken. 2: the command line or the plan was wrong.`,
		Example: `  flotilla sim run leader-killed
  flotilla sim run bit-rot --disk pebble --seed 7
  flotilla sim --print-plan --first 4711 > plan.txt && flotilla sim run plan.txt --seed 4711`,
		Args:              usage(cobra.ExactArgs(1)),
		ValidArgsFunction: completeSimPlans,
		RunE: func(cmd *cobra.Command, args []string) error {
			plan, err := simPlan(args[0], disk)
			if err == nil {
				err = checkLifeLimit(limit)
			}
			if err != nil {
				return usageError{err}
			}
			if !cmd.Flags().Changed("seed") {
				seed = rand.Uint64N(1 << 32)
			}
			again := fmt.Sprintf("flotilla sim run %s --seed %d --disk %s", quoted(args[0]), seed, disk)
			return a.simPlay(sim.Options{Seed: seed, Disk: sim.Tier(disk), Plan: plan}, limit, dir, again)
		},
	}
	cmd.Flags().Uint64Var(&seed, "seed", 0, "of all that is left to chance (default drawn, and printed)")
	addDisk(cmd, &disk)
	addKeepDir(cmd, &dir)
	addLifeLimit(cmd, &limit)
	return cmd
}

// addDisk adds the flag that says which disks simulated nodes have.
func addDisk(cmd *cobra.Command, disk *string) {
	cmd.Flags().StringVar(disk, "disk", string(sim.Memory), "memory (fast) or pebble (the production disk, on files in memory)")
}

func checkDisk(disk string) error {
	if disk != string(sim.Memory) && disk != string(sim.Pebble) {
		return fmt.Errorf("--disk=%s: use memory or pebble", disk)
	}
	return nil
}

// simPlan returns a plan that simulated nodes with such disks can play.
func simPlan(name, disk string) (*scenario.Plan, error) {
	if err := checkDisk(disk); err != nil {
		return nil, err
	}
	text, err := planText(name)
	if err != nil {
		return nil, err
	}
	plan, err := scenario.Parse(text)
	if err == nil {
		err = sim.Executor(sim.Tier(disk)).CanPlayText(plan, text)
		if other := otherDisk(disk); err != nil && sim.Executor(other).CanPlay(plan) == nil {
			err = fmt.Errorf("play it with --disk %s: with --disk %s it can not be done\n%w", other, disk, err)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return plan, nil
}

func otherDisk(disk string) sim.Tier {
	if disk == string(sim.Pebble) {
		return sim.Memory
	}
	return sim.Pebble
}

// simPlay plays a plan, tells all that it does and the verdict, and keeps what it found.
func (a *app) simPlay(o sim.Options, limit time.Duration, dir, again string) error {
	folder, err := newSimFolder(dir)
	if err != nil {
		return err
	}
	defer folder.end()
	runtime.GOMAXPROCS(1) // as for all that is simulated: one thing after the other
	s := newScreen(a.out)
	s.line(strings.TrimRight(o.Plan.String(), "\n"))
	s.line(fmt.Sprintf("\nseed %d; to play it again: %s", o.Seed, again))
	o.Log = s.line
	began := time.Now()
	r, isLate := liveWithin(limit, sim.Run, o)
	trace := "no trace"
	if !isLate {
		trace = "trace " + traceText(r.Trace)
	}
	s.line(fmt.Sprintf("%s, in %v", trace, time.Since(began).Round(time.Millisecond)))
	tested := "  " + strings.ReplaceAll(r.Account.String(), "\n", "\n  ")
	if r.OK() {
		s.line("KEPT: every promise that was tested\n" + tested)
		return nil
	}
	s.line("BROKEN: " + counted(len(r.Faults), "promise"))
	for _, fault := range fewFaults(r.Faults) {
		s.line("- " + strings.ReplaceAll(fault, "\n", "\n  "))
	}
	s.line(tested)
	s.line("to play it again: " + again)
	if folder.err != nil {
		return fmt.Errorf("keep what was found: %w", folder.err)
	}
	kept := seedFolder(folder.dir, r.Seed)
	if err := r.Keep(kept); err != nil {
		return err
	}
	s.line("plan, verdict and history are in " + kept)
	return silentError{errBroken}
}

func newSimList(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "Show the plans that come with the program, and what each teaches",
		Example: "  flotilla sim list",
		Args:    usage(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			return a.listPlans(func(plan *scenario.Plan) (note string) {
				for _, tier := range []sim.Tier{sim.Memory, sim.Pebble} {
					if sim.Executor(tier).CanPlay(plan) != nil {
						note = fmt.Sprintf(" (not with --disk %s)", tier)
					}
				}
				return note
			})
		},
	}
}

func completeSimPlans(_ *cobra.Command, args []string, _ string) (names []cobra.Completion, _ cobra.ShellCompDirective) {
	if len(args) == 0 {
		names = slices.Clone(scenario.Names())
	}
	return names, cobra.ShellCompDirectiveDefault // files, too
}

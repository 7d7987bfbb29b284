package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"flotilla"
	"flotilla/lab"
	"flotilla/scenario"
	"flotilla/supervisor"

	"github.com/spf13/cobra"
)

const labLong = `Starts a fleet of its own, has clients use it, breaks it as a plan says, and then judges whether
what the clients were told was true: nothing acknowledged lost, no answer wrong, all copies the same.
Exit code 0: every promise was kept. 1: one was broken, or the run failed. 2: the command line or
the plan was wrong. 3: nothing that was told was wrong, but the machine was too busy to tell whether
the fleet was quick enough.

A plan is a text: what clients ask for, what is broken, and when. ` + "`flotilla lab list`" + ` shows those that
come with the program; docs/scenarios.md explains how to write one.`

// labOptions are the flags of the verbs that play plans.
type labOptions struct {
	dir        string
	portOffset int
	seed       uint64
	minutes    float64
	keeps      bool
	powerCuts  bool
}

func newLab(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "lab",
		Short: "Break a fleet by plan, and judge what its clients were told",
		Long:  labLong,
		Example: `  flotilla lab list
  flotilla lab run leader-killed
  flotilla lab run my-plan.txt --seed 7
  flotilla lab random --seed 42 --minutes 10`,
		Args: usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newLabRun(a), newLabRandom(a), newLabList(a))
	return cmd
}

func newLabRun(a *app) *cobra.Command {
	var o labOptions
	cmd := &cobra.Command{
		Use:   "run FILE|NAME",
		Short: "Play a plan from a file, or one that comes with the program",
		Long: `Plays a plan once. A file of that name is taken first, then a plan that comes with the program.
Ctrl-C heals the fleet and stops it; nothing is judged then, and nothing kept but with --keep. A second one kills it.`,
		Example: `  flotilla lab run leader-killed
  flotilla lab run wiped-disk --seed 7 --keep
  flotilla lab run all-killed --power-cuts
  flotilla lab run ./my-plan.txt --port-offset 1000`,
		Args:              usage(cobra.ExactArgs(1)),
		ValidArgsFunction: completePlans,
		RunE: func(cmd *cobra.Command, args []string) error {
			text, err := planText(args[0])
			if err != nil {
				return usageError{err}
			}
			plan, err := scenario.Parse(text)
			if err == nil {
				err = lab.CanPlay(lab.Executor(o.powerCuts), plan, text)
			}
			if err != nil {
				return usageError{fmt.Errorf("%s: %w", args[0], err)}
			}
			if !cmd.Flags().Changed("seed") {
				o.seed = rand.Uint64N(1 << 32)
			}
			return a.play(cmd.Context(), plan, o, fmt.Sprintf("flotilla lab run %s --seed %d", args[0], o.seed)+o.again())
		},
	}
	o.add(cmd)
	cmd.Flags().Uint64Var(&o.seed, "seed", 0, "of what clients ask for, and of which bits are flipped (default drawn, and printed)")
	return cmd
}

func newLabRandom(a *app) *cobra.Command {
	var o labOptions
	cmd := &cobra.Command{
		Use:   "random",
		Short: "Play a plan that is drawn from a seed",
		Long: `Draws a plan from a seed, prints it, and plays it. The same seed and minutes give the same plan; what
it meets differs from run to run, as processes do.`,
		Example: `  flotilla lab random
  flotilla lab random --seed 42 --minutes 10`,
		Args: usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			const most = float64(scenario.MaxDuration) / 60_000
			if !(o.minutes > 0 && o.minutes <= most) {
				return usageError{fmt.Errorf("--minutes=%v: give more than 0 and at most %v", o.minutes, most)}
			}
			if !cmd.Flags().Changed("seed") {
				o.seed = rand.Uint64N(1 << 32)
			}
			plan := scenario.Random(o.seed, scenario.Options{
				Duration: max(flotilla.Millis(o.minutes*60_000), 1), Executor: lab.Executor(o.powerCuts),
			})
			return a.play(cmd.Context(), plan, o, fmt.Sprintf("flotilla lab random --seed %d --minutes %v", o.seed, o.minutes)+o.again())
		},
	}
	o.add(cmd)
	cmd.Flags().Uint64Var(&o.seed, "seed", 0, "of the plan (default drawn, and printed)")
	cmd.Flags().Float64Var(&o.minutes, "minutes", 1, "how long things break")
	return cmd
}

func newLabList(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "Show the plans that come with the program, and what each teaches",
		Example: "  flotilla lab list",
		Args:    usage(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			return a.listPlans(func(plan *scenario.Plan) string {
				switch {
				case lab.Executor(false).CanPlay(plan) == nil:
					return ""
				case lab.Executor(true).CanPlay(plan) == nil:
					return " (with --power-cuts)"
				}
				return " (only for the simulator)"
			})
		},
	}
}

// listPlans shows the plans that come with the program, each with a note on who can play it.
func (a *app) listPlans(note func(plan *scenario.Plan) string) error {
	table := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	for _, name := range scenario.Names() {
		plan, err := scenario.Load(name)
		if err != nil {
			return err
		}
		fmt.Fprintf(table, "%s\t%s%s\n", name, plan.Teaches, note(plan))
	}
	return table.Flush()
}

// add adds the flags that both verbs have.
func (o *labOptions) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&o.dir, "dir", "./flotilla-lab", "where each run gets a folder of its own")
	flags.IntVar(&o.portOffset, "port-offset", 0, "added to all ports; above 24000, others may take the port of a node that is down")
	flags.BoolVar(&o.keeps, "keep", false, "keep the run's folder also if every promise was kept")
	flags.BoolVar(&o.powerCuts, "power-cuts", false, "lay the nodes' data on file systems that forget, when the power is cut, what was not synced, and that can be slow and full (Linux, with FUSE)")
	_ = cmd.MarkFlagDirname("dir") // fails only for a flag that does not exist
}

// again is what a command line must have, too, to play the same again.
func (o *labOptions) again() string {
	if o.powerCuts {
		return " --power-cuts"
	}
	return ""
}

// planText returns the text of a file, or of a plan that comes with the program.
func planText(name string) (string, error) {
	file, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		text, err := scenario.Text(name)
		if err != nil {
			return "", fmt.Errorf("there is no file %s, and %w", name, err)
		}
		return text, nil
	}
	if err != nil {
		return "", fmt.Errorf("read the plan: %w", err)
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, scenario.MaxFileBytes+1)) // Parse refuses what is too long
	if err != nil {
		return "", fmt.Errorf("read the plan: %w", err)
	}
	return string(text), nil
}

// completePlans offers the plans that can be played.
func completePlans(_ *cobra.Command, args []string, _ string) (names []cobra.Completion, _ cobra.ShellCompDirective) {
	for _, name := range scenario.Names() {
		if plan, err := scenario.Load(name); err == nil && len(args) == 0 && lab.Executor(true).CanPlay(plan) == nil {
			names = append(names, name)
		}
	}
	return names, cobra.ShellCompDirectiveDefault // files, too
}

// These end a run that found something. It was told already.
var (
	errBroken = errors.New("a promise was broken")
	errSlow   = errors.New("the machine was too busy to tell")
)

// play plays a plan, tells the verdict, and keeps what is needed to look into it.
func (a *app) play(ctx context.Context, plan *scenario.Plan, o labOptions, again string) error {
	exe, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program, to start the nodes with: %w", err)
	}
	dir, err := filepath.Abs(filepath.Join(o.dir, plan.Name+"-"+time.Now().Format("20060102-150405.000")))
	if err != nil {
		return fmt.Errorf("--dir=%s: %w", o.dir, err)
	}
	if _, err := os.Stat(o.dir); errors.Is(err, fs.ErrNotExist) {
		defer func() { _ = os.Remove(o.dir) }() // stays if it is not empty
	}
	s := newScreen(a.out)
	s.line(strings.TrimRight(plan.String(), "\n"))
	s.line("\nseed " + strconv.FormatUint(o.seed, 10) + "; to play it again: " + again)
	l := &lab.Lab{
		Plan: plan, Seed: o.seed, Dir: dir, PortOffset: o.portOffset, PowerCuts: o.powerCuts, KeepsDisks: o.keeps, Log: s.line,
		Command: func(launch supervisor.Launch) *exec.Cmd {
			cmd := nodeCommand(exe, upOptions{memory: defaultMemory}, launch)
			cmd.Args = append(cmd.Args, "--replicas", strconv.Itoa(plan.Copies))
			return cmd
		},
	}
	var result *lab.Result
	err = untilSignal(ctx, s, "healing and stopping; Ctrl-C again kills the nodes", func(soft, hard context.Context) (err error) {
		result, err = l.Run(soft, hard)
		return err
	})
	if errors.Is(err, lab.ErrInterrupted) && !o.keeps {
		return errors.Join(err, os.RemoveAll(dir))
	}
	if err != nil {
		if _, statErr := os.Stat(dir); statErr == nil {
			s.line("what was there is in " + dir)
		}
		return err
	}
	s.line(result.String())
	if !result.OK() {
		s.line(fmt.Sprintf("seed %d; to play it again: %s", o.seed, again))
		s.line("plan, verdict, history and the nodes' folders are in " + dir)
		found := errBroken
		if result.IsSlow() {
			found = errSlow
		}
		return errors.Join(l.Keep(result), silentError{found})
	}
	if o.keeps {
		s.line("all of it is in " + dir)
		return l.Keep(result)
	}
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("remove what was used: %w", err)
	}
	return nil
}

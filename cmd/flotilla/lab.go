package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"strings"
	"text/tabwriter"
	"unicode"

	"flotilla/lab"
	"flotilla/scenario"

	"github.com/spf13/cobra"
)

const labLong = `Starts a fleet of its own, has clients use it, breaks it as a plan says, and then judges whether
what the clients were told was true: nothing acknowledged lost, no answer wrong, all copies the same.
Exit code 0: every promise was kept. 1: one was broken, or the run failed or was stopped. 2: the command
line or the plan was wrong. 3: nothing that was told was wrong, but the machine was too busy to tell
whether the fleet was quick enough. Of several plans the worst counts.

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
	var isAll bool
	cmd := &cobra.Command{
		Use:   "run FILE|NAME",
		Short: "Play a plan from a file, or one that comes with the program",
		Long: `Plays a plan once. A file of that name is taken first, then a plan that comes with the program.
Ctrl-C heals the fleet and stops it; nothing is judged then, and nothing kept but with --keep. A second one kills it.
With --all it plays every plan that comes with the program and that can be played here, one after another,
and ends with a table of the verdicts, which also says what was not played, and why.`,
		Example: `  flotilla lab run leader-killed
  flotilla lab run wiped-disk --seed 7 --keep
  flotilla lab run all-killed --power-cuts
  flotilla lab run --all --power-cuts
  flotilla lab run ./my-plan.txt --port-offset 1000`,
		Args: usage(func(cmd *cobra.Command, args []string) error {
			if isAll && len(args) > 0 {
				return fmt.Errorf("--all plays the plans that come with the program: leave %s out", args[0])
			}
			if isAll {
				return nil
			}
			return cobra.ExactArgs(1)(cmd, args)
		}),
		ValidArgsFunction: completePlans,
		RunE: func(cmd *cobra.Command, args []string) error {
			if !cmd.Flags().Changed("seed") {
				o.seed = rand.Uint64N(1 << 32)
			}
			if isAll {
				return a.labAll(cmd.Context(), o)
			}
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
			return a.labOne(cmd.Context(), o.named(args[0], plan), o)
		},
	}
	o.add(cmd)
	cmd.Flags().BoolVar(&isAll, "all", false, "play all plans that come with the program, as far as that is possible here")
	cmd.Flags().Uint64Var(&o.seed, "seed", 0, "of what clients ask for, and of which bits are flipped (default drawn, and printed)")
	return cmd
}

func newLabRandom(a *app) *cobra.Command {
	var o labOptions
	cmd := &cobra.Command{
		Use:   "random",
		Short: "Play plans that are drawn from a seed",
		Long: `Draws a plan from a seed, prints it, and plays it. The same seed and minutes give the same plan; what
it meets differs from run to run, as processes do. One seed in four, each that four divides, gives a plan
in liveness mode.
More than two minutes are a series: plans of one to two minutes, of this seed, the next one, and so on,
until things broke for that long. It ends at the first broken promise, and goes on where the machine was
too busy to tell. Each plan says how to play it again alone; the last line sums all up.`,
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
			return a.labRandom(cmd.Context(), o)
		},
	}
	o.add(cmd)
	cmd.Flags().Uint64Var(&o.seed, "seed", 0, "of the first plan (default drawn, and printed)")
	cmd.Flags().Float64Var(&o.minutes, "minutes", 1, "how long things break, in all plans together: up to 1440")
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
func (o *labOptions) again() (flags string) {
	if o.portOffset != 0 {
		flags = fmt.Sprintf(" --port-offset %d", o.portOffset)
	}
	if o.powerCuts {
		flags += " --power-cuts"
	}
	return flags
}

// quoted returns a word as a shell wants it.
func quoted(word string) string {
	isPlain := func(r rune) bool {
		return strings.ContainsRune("-_./:,+@%", r) || unicode.IsLetter(r) || unicode.IsDigit(r)
	}
	if word != "" && strings.IndexFunc(word, func(r rune) bool { return !isPlain(r) }) < 0 {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
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

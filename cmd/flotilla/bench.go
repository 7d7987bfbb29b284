package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"time"

	"flotilla/bench"
	"flotilla/supervisor"

	"github.com/spf13/cobra"
)

// benchOptions are the flags of `flotilla bench store`.
type benchOptions struct {
	dir, passwordFile string
	isJSON            bool
	config            bench.StoreConfig
	versus            []string // addresses of the other server
	versusPIDs        []int
	rounds            int
	pages             int // of the console that are open, in turn with none
}

func newBench(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure how fast the systems are, and what they cost",
		Args:  usage(cobra.NoArgs),
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newBenchStore(a), newBenchQueue(a), newBenchIdle(a))
	return cmd
}

func newBenchStore(a *app) *cobra.Command {
	var o benchOptions
	cmd := &cobra.Command{
		Use:   "store",
		Short: "Measure the store, or any other server that speaks the Redis protocol",
		Long: `Each connection sends its next commands when those before were answered. Prints operations a
second, how long they took, and what they cost the processor. Without --addresses, the fleet in
--dir is measured: connections go to all its nodes in turn.

With --versus the same load goes to another server in turn, in short rounds, and the medians of the
rounds' ratios are printed: on a machine that does other things too, one figure means little.

With --pages the fleet is measured in the same way as if so many browsers had its console open, in
turn with none. What a browser itself costs is not counted.`,
		Example: `  flotilla bench store
  flotilla bench store --connections 16 --pipeline 16 --reads 50%
  flotilla bench store --addresses 127.0.0.1:6379 --command get --json
  flotilla bench store --duration 2s --versus 127.0.0.1:6400 --versus-pids 4711
  flotilla bench store --duration 2s --pages 3`,
		Args: usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt)
			defer stop()
			return a.benchStore(ctx, o)
		},
	}
	flags, c := cmd.Flags(), &o.config
	dirFlag(cmd, &o.dir)
	flags.StringSliceVar(&c.Addresses, "addresses", nil, "what to measure, instead of the fleet in --dir")
	flags.IntVar(&c.Connections, "connections", 64, "how many connections")
	flags.IntVar(&c.Pipeline, "pipeline", 1, "commands that each sends at once")
	flags.StringVar(&c.Command, "command", "", strings.Join(bench.CommandNames(), ", ")+` (default set, or mixed with --reads)`)
	flags.Var((*shareValue)(&c.ReadShare), "reads", "how many of the commands are GET, such as 50%")
	flags.IntVar(&c.ValueBytes, "value-size", 256, "bytes of each value")
	flags.IntVar(&c.Keys, "keys", 100_000, "how many keys")
	flags.DurationVar(&c.Duration, "duration", 10*time.Second, "how long to measure")
	flags.DurationVar(&c.Warmup, "warmup", time.Second, "how long to run before that")
	flags.Uint64Var(&c.Seed, "seed", 1, "the same seed makes the same commands")
	flags.StringVar(&c.Client, "client", "own", "own (costs little) or go-redis")
	flags.StringVar(&c.Consistency, "consistency", "", "of reads: linearizable, session, \"bounded 100\" or eventual")
	flags.BoolVar(&c.SkipFill, "skip-fill", false, "do not write each key before reading")
	flags.IntSliceVar(&c.PIDs, "pids", nil, "processes whose CPU time to count, with --addresses")
	flags.StringSliceVar(&o.versus, "versus", nil, "another server to measure in turn, without a password")
	flags.IntSliceVar(&o.versusPIDs, "versus-pids", nil, "its processes, to count their CPU time")
	flags.IntVar(&o.rounds, "rounds", 7, "how often both are measured, with --versus or --pages")
	flags.IntVar(&o.pages, "pages", 0, "with so many pages of the console open, and without, in turn")
	flags.StringVar(&o.passwordFile, "password-file", "", "a file with the password")
	flags.BoolVar(&o.isJSON, "json", false, "print JSON")
	return cmd
}

func (a *app) benchStore(ctx context.Context, o benchOptions) error {
	c := o.config
	if c.Command != "" && !slices.Contains(bench.CommandNames(), c.Command) {
		return usageError{fmt.Errorf("--command=%s: use one of %s", c.Command, strings.Join(bench.CommandNames(), ", "))}
	}
	if err := checkCounts(c); err != nil {
		return usageError{err}
	}
	if o.rounds < 1 || o.rounds > bench.MaxRounds {
		return usageError{fmt.Errorf("--rounds=%d: give 1 to %d", o.rounds, bench.MaxRounds)}
	}
	var err error
	if c.Password, err = readPassword(o.passwordFile); err != nil {
		return usageError{err}
	}
	if o.pages < 0 || o.pages > bench.MaxPages {
		return usageError{fmt.Errorf("--pages=%d: give 0 to %d", o.pages, bench.MaxPages)}
	}
	if o.pages > 0 && (len(c.Addresses) > 0 || len(o.versus) > 0) {
		return usageError{errors.New("--pages is of the fleet in --dir: leave --addresses and --versus out")}
	}
	if len(c.Addresses) == 0 {
		if c.Addresses, c.PIDs, err = fleetToMeasure(ctx, o.dir, func(n supervisor.NodeOverview) string { return n.StoreAddr }); err != nil {
			return err
		}
	}
	if err := c.Check(); err != nil {
		return usageError{err}
	}
	if len(o.versus) > 0 {
		return a.benchVersus(ctx, c, o)
	}
	if o.pages > 0 {
		return a.benchPages(ctx, c, o)
	}
	// Ten silent seconds look like a hang.
	fmt.Fprintf(a.err, "measuring %s for %v\n", strings.Join(c.Addresses, ", "), c.Warmup+c.Duration)
	report, err := bench.Store(ctx, c)
	if err != nil {
		return err
	}
	if err := printResult(a, report, o.isJSON); err != nil {
		return err
	}
	if report.Operations == 0 {
		return errors.New("not one operation was carried out")
	}
	return nil
}

// fleetToMeasure returns where the nodes of the fleet in dir that answer are reached, and
// their processes.
func fleetToMeasure(ctx context.Context, dir string, address func(supervisor.NodeOverview) string) (addresses []string, pids []int, err error) {
	overview, err := look(ctx, dir)
	if err != nil {
		return nil, nil, err
	}
	for _, n := range overview.Nodes {
		if n.IsUp {
			addresses = append(addresses, address(n))
			pids = append(pids, n.PID)
		}
	}
	if len(addresses) == 0 {
		return nil, nil, fmt.Errorf("no node of the fleet in %s answers: start it with `flotilla up`, or name servers with --addresses", dir)
	}
	return addresses, pids, nil
}

// benchVersus measures another server in turn with the one that c names.
func (a *app) benchVersus(ctx context.Context, c bench.StoreConfig, o benchOptions) error {
	other := c
	other.Addresses, other.PIDs, other.Password, other.Consistency = o.versus, o.versusPIDs, "", ""
	fmt.Fprintf(a.err, "measuring %s and %s in turn for %v\n", strings.Join(c.Addresses, ", "), strings.Join(o.versus, ", "),
		2*time.Duration(o.rounds)*(c.Warmup+c.Duration))
	comparison, err := bench.Compare(ctx, c, other, o.rounds)
	if err != nil {
		return err
	}
	return printResult(a, comparison, o.isJSON)
}

// benchPages measures the fleet with pages open, and without, in turn.
func (a *app) benchPages(ctx context.Context, c bench.StoreConfig, o benchOptions) error {
	consoles, _, err := fleetToMeasure(ctx, o.dir, func(n supervisor.NodeOverview) string { return n.HTTPAddr })
	if err != nil {
		return err
	}
	with := c
	with.Pages = bench.Pages{Addresses: consoles, Count: o.pages}
	fmt.Fprintf(a.err, "measuring with %d pages open, and with none, in turn for %v\n", o.pages, 2*time.Duration(o.rounds)*(c.Warmup+c.Duration))
	comparison, err := bench.Compare(ctx, with, c, o.rounds)
	if err != nil {
		return err
	}
	return printResult(a, comparison, o.isJSON)
}

// printResult writes what was measured, for people or as JSON.
func printResult(a *app, result interface{ Print(io.Writer) error }, isJSON bool) error {
	if !isJSON {
		return result.Print(a.out)
	}
	encoder := json.NewEncoder(a.out)
	encoder.SetIndent("", "  ")
	return encoder.Encode(result)
}

// checkCounts refuses what a person can not mean: to the package bench, zero is
// the default.
func checkCounts(c bench.StoreConfig) error {
	for _, count := range []struct {
		flag  string
		value int
	}{
		{"connections", c.Connections}, {"pipeline", c.Pipeline}, {"keys", c.Keys}, {"value-size", c.ValueBytes},
	} {
		if count.value < 1 {
			return fmt.Errorf("--%s=%d: there has to be at least one", count.flag, count.value)
		}
	}
	if c.Duration <= 0 || c.Warmup < 0 {
		return fmt.Errorf("--duration=%v, --warmup=%v: measure for longer than no time", c.Duration, c.Warmup)
	}
	return nil
}

// shareValue is a flag that takes 5% or 0.05.
type shareValue float64

// String is part of pflag.Value.
func (s *shareValue) String() string { return fmt.Sprintf("%g%%", 100*float64(*s)) }

// Type is part of pflag.Value.
func (s *shareValue) Type() string { return "share" }

// Set is part of pflag.Value.
func (s *shareValue) Set(text string) error {
	share, err := parseShare(text)
	*s = shareValue(share)
	return err
}

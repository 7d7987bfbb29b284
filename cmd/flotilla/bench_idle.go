package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"time"

	"flotilla/bench"

	"github.com/spf13/cobra"
)

// idleOptions are the flags of `flotilla bench idle`.
type idleOptions struct {
	dir, memory string
	isJSON      bool
	config      bench.IdleConfig
}

func newBenchIdle(a *app) *cobra.Command {
	var o idleOptions
	cmd := &cobra.Command{
		Use:   "idle",
		Short: "Measure what the fleet in --dir needs while nobody asks it for anything",
		Long: `Lets the nodes settle, then measures how much processor time they use, and how much memory they
have at the end. The exit code is 1 if one of them is over a limit. Linux only.`,
		Example: `  flotilla bench idle
  flotilla bench store --duration 30s && flotilla bench idle --settle 60s    # after a load
  flotilla bench idle --max-cpu 5% --json
  flotilla bench idle --pages 1 --max-cpu 3%    # with the console open on a page of n1`,
		Args: usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.config.Duration <= 0 || o.config.Settle < 0 {
				return usageError{fmt.Errorf("--duration=%v, --settle=%v: measure for longer than no time", o.config.Duration, o.config.Settle)}
			}
			if pages := o.config.Pages.Count; pages < 0 || pages > bench.MaxPages {
				return usageError{fmt.Errorf("--pages=%d: give 0 to %d", pages, bench.MaxPages)}
			}
			var err error
			if o.config.MaxBytes, err = parseSize(o.memory); err != nil {
				return usageError{fmt.Errorf("--max-memory: %w", err)}
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt)
			defer stop()
			return a.benchIdle(ctx, o)
		},
	}
	flags, c := cmd.Flags(), &o.config
	dirFlag(cmd, &o.dir)
	flags.DurationVar(&c.Settle, "settle", 10*time.Second, "how long to wait before")
	flags.DurationVar(&c.Duration, "duration", 20*time.Second, "how long to measure")
	c.MaxCPU = 0.02
	flags.Var((*shareValue)(&c.MaxCPU), "max-cpu", "of one processor, for each node")
	flags.StringVar(&o.memory, "max-memory", "80MB", "for each node")
	flags.IntVar(&c.Pages.Count, "pages", 0, "as if so many browsers had the console open, on all nodes in turn")
	flags.BoolVar(&o.isJSON, "json", false, "print JSON")
	return cmd
}

func (a *app) benchIdle(ctx context.Context, o idleOptions) error {
	overview, err := look(ctx, o.dir)
	if err != nil {
		return err
	}
	for _, n := range overview.Nodes {
		if !n.IsReady {
			return fmt.Errorf("%s is not ready, so the fleet in %s is not idle: see `flotilla status`", n.Name, o.dir)
		}
		o.config.Pages.Addresses = append(o.config.Pages.Addresses, n.HTTPAddr)
		o.config.Processes = append(o.config.Processes, bench.Process{Name: n.Name, PID: n.PID})
	}
	fmt.Fprintf(a.err, "measuring %d nodes for %v, after %v of rest\n", len(o.config.Processes), o.config.Duration, o.config.Settle)
	report, err := bench.Idle(ctx, o.config)
	if errors.Is(err, context.Canceled) {
		return silentError{err}
	}
	if err != nil {
		return err
	}
	if err := printResult(a, report, o.isJSON); err != nil {
		return err
	}
	return report.Check()
}

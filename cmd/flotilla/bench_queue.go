package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"time"

	"flotilla/bench"
	"flotilla/supervisor"

	"github.com/spf13/cobra"
)

// benchQueueOptions are the flags of `flotilla bench queue`.
type benchQueueOptions struct {
	dir    string
	isJSON bool
	config bench.QueueConfig
}

func newBenchQueue(a *app) *cobra.Command {
	var o benchQueueOptions
	cmd := &cobra.Command{
		Use:   "queue",
		Short: "Measure the queue, or any other server that speaks Amazon SQS's JSON protocol unsigned",
		Long: `Each connection does one job after another: it sends a message, receives one and deletes it, and goes
on when each was answered. Prints jobs a second, how long they took, and what they cost the processor.
Without --addresses, the fleet in --dir is measured: connections go to all its nodes in turn.

The queue is deleted, created, and left behind with what is still in it.`,
		Example: `  flotilla bench queue
  flotilla bench queue --batch 10 --connections 16
  flotilla bench queue --work send --partitions 4
  flotilla bench queue --addresses 127.0.0.1:9324 --json`,
		Args: usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt)
			defer stop()
			return a.benchQueue(ctx, o)
		},
	}
	flags, c := cmd.Flags(), &o.config
	dirFlag(cmd, &o.dir)
	flags.StringSliceVar(&c.Addresses, "addresses", nil, "what to measure, instead of the fleet in --dir")
	flags.IntVar(&c.Connections, "connections", 64, "how many connections")
	flags.StringVar(&c.Work, "work", "jobs", strings.Join(bench.QueueWork(), ", ")+" (receives delete nothing: give a --backlog)")
	flags.IntVar(&c.Batch, "batch", 1, "messages of one request")
	flags.IntVar(&c.BodyBytes, "body-size", 256, "bytes of each message")
	flags.StringVar(&c.Name, "queue", "bench", "the queue's name; one of that name is deleted first")
	flags.IntVar(&c.Partitions, "partitions", 1, "over how many groups it is spread")
	flags.IntVar(&c.Backlog, "backlog", 0, "how many messages are sent before")
	flags.DurationVar(&c.Duration, "duration", 10*time.Second, "how long to measure")
	flags.DurationVar(&c.Warmup, "warmup", time.Second, "how long to run before that")
	flags.IntSliceVar(&c.PIDs, "pids", nil, "processes whose CPU time to count, with --addresses")
	flags.BoolVar(&o.isJSON, "json", false, "print JSON")
	return cmd
}

func (a *app) benchQueue(ctx context.Context, o benchQueueOptions) error {
	c := o.config
	if c.Connections < 1 || c.Batch < 1 || c.BodyBytes < 1 || c.Partitions < 1 || c.Duration <= 0 { // to the package, zero is the default
		return usageError{errors.New("--connections, --batch, --body-size, --partitions and --duration have to be at least one")}
	}
	if len(c.Addresses) == 0 {
		var err error
		if c.Addresses, c.PIDs, err = fleetToMeasure(ctx, o.dir, func(n supervisor.NodeOverview) string { return n.QueueAddr }); err != nil {
			return err
		}
	}
	if err := c.Check(); err != nil {
		return usageError{err}
	}
	fmt.Fprintf(a.err, "measuring %s for %v\n", strings.Join(c.Addresses, ", "), c.Warmup+c.Duration)
	report, err := bench.Queue(ctx, c)
	if err != nil {
		return err
	}
	if err := printResult(a, report, o.isJSON); err != nil {
		return err
	}
	if report.Operations == 0 {
		return errors.New("not one message went all the way")
	}
	return nil
}

package main

import (
	"context"
	"errors"
	"fmt"
	"text/tabwriter"

	"flotilla/queue"
	"flotilla/queue/rest"

	"github.com/spf13/cobra"
)

// redriveOptions are the flags of `flotilla queue redrive`.
type redriveOptions struct {
	to, cancel string
	rate       int64
	isList     bool
}

func newQueueRedrive(a *app, o *queueOptions) *cobra.Command {
	var r redriveOptions
	cmd := o.verb(&cobra.Command{
		Use:   "redrive NAME",
		Short: "Move a queue's ready messages back to where they died, or elsewhere",
		Long: `Begins to move all messages that are ready in a queue, most often one for dead messages: each to the queue
that it came from, or all to --to. They get new ids. --list shows how far it is.`,
		Example: `  flotilla queue redrive mail-dead
  flotilla queue redrive mail-dead --to mail-v2 --rate 50
  flotilla queue redrive mail-dead --list
  flotilla queue redrive mail-dead --cancel mail-dead:17b001`,
		Args: usage(cobra.ExactArgs(1)),
	}, func(ctx context.Context, c *rest.Client, args []string) error {
		return a.queueRedrive(ctx, c, o, args[0], r)
	})
	flags := cmd.Flags()
	flags.StringVar(&r.to, "to", "", "a queue of the same kind (default: where each came from)")
	flags.Int64Var(&r.rate, "rate", 0, "messages a second, 1 to 500 (default 500)")
	flags.BoolVar(&r.isList, "list", false, "show tasks that run, or ended lately")
	flags.StringVar(&r.cancel, "cancel", "", "stop this task")
	return cmd
}

func (a *app) queueRedrive(ctx context.Context, c *rest.Client, o *queueOptions, name string, r redriveOptions) error {
	if r.isList && r.cancel != "" || (r.isList || r.cancel != "") && (r.to != "" || r.rate != 0) {
		return usageError{errors.New("--list and --cancel stand alone")}
	}
	if r.rate < 0 || r.rate > queue.MaxMovesPerSecond {
		return usageError{fmt.Errorf("--rate=%d: give 1 to %d", r.rate, queue.MaxMovesPerSecond)}
	}
	switch {
	case r.isList:
		tasks, err := c.Moves(ctx, name)
		if err != nil {
			return err
		}
		if o.isJSON {
			return printQueueJSON(a, append([]rest.Move{}, tasks...))
		}
		table := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(table, "TASK\tSTATUS\tMOVED\tOF\tTO\tSTARTED\tWHY")
		for _, t := range tasks {
			to := t.Destination
			if to == "" {
				to = "(back)"
			}
			fmt.Fprintf(table, "%s\t%s\t%d\t%d\t%s\t%s\t%s\n", t.Task, t.Status, t.Moved, t.ToMove, to, clock(t.StartedAt), t.FailureReason)
		}
		return table.Flush()
	case r.cancel != "":
		moved, err := c.CancelMove(ctx, name, r.cancel)
		if err == nil {
			fmt.Fprintf(a.out, "stopped; %d messages had been moved\n", moved)
		}
		return err
	}
	task, err := c.StartMove(ctx, name, rest.StartMove{Destination: r.to, PerSecond: r.rate})
	if err == nil {
		fmt.Fprintln(a.out, task)
	}
	return err
}

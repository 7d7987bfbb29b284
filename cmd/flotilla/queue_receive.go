package main

import (
	"context"
	"fmt"
	"strconv"
	"text/tabwriter"
	"time"

	"flotilla/queue"
	"flotilla/queue/rest"

	"github.com/spf13/cobra"
)

func newQueueReceive(a *app, o *queueOptions) *cobra.Command {
	var count int64
	var lease, wait time.Duration
	var finishes bool
	cmd := &cobra.Command{
		Use:   "receive NAME",
		Short: "Receive messages, each with a lease",
		Long: `Leases messages, and prints them with their receipts. Whoever has a receipt can finish or release the
message; if nobody does until the lease is over, somebody else gets it. --finish finishes them at once.`,
		Example: `  flotilla queue receive mail
  flotilla queue receive mail --count 10 --wait 20s --lease 5m --json
  flotilla queue receive mail --finish`,
		Args: usage(cobra.ExactArgs(1)),
	}
	o.verb(cmd, func(ctx context.Context, c *rest.Client, args []string) error {
		in := rest.Receive{Count: count}
		if count < 1 || count > queue.MaxBatchEntries {
			return usageError{fmt.Errorf("--count=%d: give 1 to %d", count, queue.MaxBatchEntries)}
		}
		seconds, err := wholeSeconds("wait", wait, 0, 20)
		if err != nil {
			return err
		}
		in.WaitSeconds = &seconds
		if cmd.Flags().Changed("lease") {
			seconds, err := wholeSeconds("lease", lease, 0, queue.MaxVisibilitySeconds)
			if err != nil {
				return err
			}
			in.LeaseSeconds = &seconds
		}
		return a.queueReceive(ctx, c, o, args[0], in, finishes)
	})
	flags := cmd.Flags()
	flags.Int64Var(&count, "count", 1, "how many at most, 1 to 10")
	flags.DurationVar(&lease, "lease", 0, "how long the leases last (default: the queue's VisibilityTimeout)")
	flags.DurationVar(&wait, "wait", 0, "wait so long until there is one, 20s at most")
	flags.BoolVar(&finishes, "finish", false, "finish them at once: they are deleted")
	return cmd
}

func (a *app) queueReceive(ctx context.Context, c *rest.Client, o *queueOptions, name string, in rest.Receive, finishes bool) error {
	messages, err := c.Receive(ctx, name, in)
	if err != nil {
		return err
	}
	if o.isJSON {
		err = printQueueJSON(a, append([]rest.Delivery{}, messages...))
	} else {
		for _, m := range messages {
			fmt.Fprintf(a.out, "id       %s\nreceipt  %s\nreceives %d, lease until %s\n%s\n\n", m.ID, m.Receipt, m.Receives, clock(m.LeaseEndsAt), m.Body)
		}
	}
	if err != nil || !finishes || len(messages) == 0 {
		return err
	}
	var done []rest.Finished
	for _, m := range messages { // printed, so that it can be deleted
		done = append(done, rest.Finished{Receipt: m.Receipt})
	}
	return settledError(c.Finish(ctx, name, done...))
}

func newQueueFinish(a *app, o *queueOptions) *cobra.Command {
	var result string
	var isFailure bool
	cmd := o.verb(&cobra.Command{
		Use:   "finish NAME RECEIPT",
		Short: "Finish a message that was received: its work is done, or failed for good",
		Example: `  flotilla queue finish mail $RECEIPT --result sent
  flotilla queue finish mail $RECEIPT --failed --result 'no such mailbox'`,
		Args: usage(cobra.ExactArgs(2)),
	}, func(ctx context.Context, c *rest.Client, args []string) error {
		return settledError(c.Finish(ctx, args[0], rest.Finished{Receipt: args[1], IsFailure: isFailure, Result: rest.Blob(result)}))
	})
	cmd.Flags().StringVar(&result, "result", "", "what came of it")
	cmd.Flags().BoolVar(&isFailure, "failed", false, "it failed for good: nobody shall try it again")
	return cmd
}

func newQueueRelease(a *app, o *queueOptions) *cobra.Command {
	var delay time.Duration
	cmd := o.verb(&cobra.Command{
		Use:   "release NAME RECEIPT",
		Short: "Give a message back: others may have it",
		Example: `  flotilla queue release mail $RECEIPT
  flotilla queue release mail $RECEIPT --delay 5m`,
		Args: usage(cobra.ExactArgs(2)),
	}, func(ctx context.Context, c *rest.Client, args []string) error {
		seconds, err := wholeSeconds("delay", delay, 0, queue.MaxRetryDelaySeconds)
		if err != nil {
			return err
		}
		return settledError(c.Release(ctx, args[0], rest.Release{Receipts: args[1:], DelaySeconds: seconds}))
	})
	cmd.Flags().DurationVar(&delay, "delay", 0, "nobody has it before (default: at once, or after the queue's RetryBackoff)")
	return cmd
}

func newQueueProgress(a *app, o *queueOptions) *cobra.Command {
	return o.verb(&cobra.Command{
		Use:   "progress NAME RECEIPT TEXT",
		Short: "Tell how far a job is",
		Long:  "Who asks for the job by its id sees TEXT. The queue has to keep results (ResultRetentionPeriod).",
		Example: `  flotilla queue progress mail $RECEIPT '40 %'
  flotilla queue progress "$FLOTILLA_JOB_QUEUE" "$FLOTILLA_JOB_RECEIPT" '40 %'    # in a command of ` + "`flotilla queue work`",
		Args: usage(cobra.ExactArgs(3)),
	}, func(ctx context.Context, c *rest.Client, args []string) error {
		return c.Progress(ctx, args[0], args[1], []byte(args[2]))
	})
}

func newQueuePeek(a *app, o *queueOptions) *cobra.Command {
	var after uint64
	var limit int64
	cmd := o.verb(&cobra.Command{
		Use:   "peek NAME",
		Short: "Look at messages without receiving them",
		Long: `Shows messages in order of their arrival: ready, delayed, leased, or waiting for a retry. Scheduled ones are
not shown before their time.`,
		Example: `  flotilla queue peek mail
  flotilla queue peek mail-dead --limit 1000 --json | jq -r '.[].body'
  flotilla queue peek mail --after 120      # behind position 120`,
		Args: usage(cobra.ExactArgs(1)),
	}, func(ctx context.Context, c *rest.Client, args []string) error {
		if limit < 1 || limit > queue.MaxListed {
			return usageError{fmt.Errorf("--limit=%d: give 1 to %d", limit, queue.MaxListed)}
		}
		messages, err := c.Peek(ctx, args[0], after, limit)
		if err != nil {
			return err
		}
		if o.isJSON {
			return printQueueJSON(a, append([]rest.Peeked{}, messages...))
		}
		table := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(table, "POSITION\tSTATE\tRECEIVES\tSENT\tPRIORITY\tGROUP\tBODY")
		for _, m := range messages {
			group := m.Group
			if group == "" {
				group = "-"
			}
			fmt.Fprintf(table, "%d\t%s\t%d\t%s\t%s\t%s\t%s\n", m.Position, m.State, m.Receives, clock(m.SentAt),
				strconv.FormatInt(m.Priority, 10), excerpt(group, 20), excerpt(m.Body, 60))
		}
		return table.Flush()
	})
	cmd.Flags().Uint64Var(&after, "after", 0, "begin behind this position")
	cmd.Flags().Int64Var(&limit, "limit", 20, "how many at most, 1 to 1000")
	return cmd
}

func newQueuePurge(a *app, o *queueOptions) *cobra.Command {
	var isSure bool
	cmd := o.verb(&cobra.Command{
		Use:     "purge NAME --yes",
		Short:   "DELETE all messages of a queue",
		Long:    "Deletes all messages, leased and delayed ones too, and what is known of jobs. The queue stays.",
		Example: `  flotilla queue purge mail --yes`,
		Args:    usage(both(cobra.ExactArgs(1), sure(&isSure))),
	}, func(ctx context.Context, c *rest.Client, args []string) error {
		err := c.Purge(ctx, args[0])
		if err == nil {
			fmt.Fprintf(a.out, "purged %s\n", args[0])
		}
		return err
	})
	cmd.Flags().BoolVar(&isSure, "yes", false, "yes, all of them")
	return cmd
}

package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"text/tabwriter"
	"time"

	"flotilla/queue/rest"

	"github.com/spf13/cobra"
)

func newQueueList(a *app, o *queueOptions) *cobra.Command {
	return o.verb(&cobra.Command{
		Use:   "ls [PREFIX]",
		Short: "List queues, with how many messages they have",
		Example: `  flotilla queue ls
  flotilla queue ls mail --json`,
		Args: usage(cobra.MaximumNArgs(1)),
	}, func(ctx context.Context, c *rest.Client, args []string) error {
		prefix := ""
		if len(args) > 0 {
			prefix = args[0]
		}
		all := []rest.Queue{}
		for after, hasMore := "", true; hasMore; {
			page, err := c.Queues(ctx, prefix, after, 0)
			if err != nil {
				return err
			}
			for _, name := range page.Names {
				about, err := c.Queue(ctx, name)
				if err != nil {
					return err
				}
				all, after = append(all, about), name
			}
			hasMore = page.HasMore && len(page.Names) > 0
		}
		if o.isJSON {
			return printQueueJSON(a, all)
		}
		table := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(table, "QUEUE\tREADY\tLEASED\tDELAYED\tOLDEST\tSENT\tDELETED")
		for _, q := range all {
			fmt.Fprintf(table, "%s\t%d\t%d\t%d\t%s\t%d\t%d\n", q.Name, q.Counters.Ready, q.Counters.Leased, q.Counters.Delayed,
				age(q.OldestSentAt), q.Counters.SentTotal, q.Counters.DeletedTotal)
		}
		return table.Flush()
	})
}

// age says how long ago something was.
func age(at time.Time) string {
	if at.IsZero() {
		return "-"
	}
	return max(0, time.Since(at)).Truncate(time.Second).String()
}

func newQueueStats(a *app, o *queueOptions) *cobra.Command {
	return o.verb(&cobra.Command{
		Use:   "stats NAME",
		Short: "Show all about a queue: counters, attributes, tags",
		Example: `  flotilla queue stats mail
  flotilla queue stats mail --json | jq .counters.ready`,
		Args: usage(cobra.ExactArgs(1)),
	}, func(ctx context.Context, c *rest.Client, args []string) error {
		q, err := c.Queue(ctx, args[0])
		if err != nil || o.isJSON {
			if err == nil {
				err = printQueueJSON(a, q)
			}
			return err
		}
		table := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
		n := q.Counters
		fmt.Fprintf(table, "%s, created %s, oldest message %s old\n\n", q.Name, clock(q.CreatedAt), age(q.OldestSentAt))
		for _, row := range []struct {
			name  string
			count uint64
		}{{"ready", n.Ready}, {"leased", n.Leased}, {"delayed", n.Delayed}, {"  scheduled", n.Scheduled}, {"sent", n.SentTotal}, {"received", n.ReceivedTotal},
			{"deleted", n.DeletedTotal}, {"expired", n.ExpiredTotal}, {"dead", n.DeadTotal}, {"stale receipts", n.StaleTotal},
			{"duplicates", n.DuplicatesTotal}, {"leases that ran out", n.LeasesEnded}} {
			fmt.Fprintf(table, "%s\t%d\n", row.name, row.count)
		}
		fmt.Fprintln(table)
		for _, name := range slices.Sorted(maps.Keys(q.Attributes)) {
			fmt.Fprintf(table, "%s\t%s\n", name, excerpt(q.Attributes[name], 100))
		}
		for _, name := range slices.Sorted(maps.Keys(q.Tags)) {
			fmt.Fprintf(table, "tag %s\t%s\n", excerpt(name, 40), excerpt(q.Tags[name], 100))
		}
		return table.Flush()
	})
}

func newQueueCreate(a *app, o *queueOptions) *cobra.Command {
	var attributes []string
	cmd := o.verb(&cobra.Command{
		Use:   "create NAME",
		Short: "Create a queue, or change one's attributes",
		Long: `Creates a queue with the attributes given. One whose name ends in .fifo is a FIFO queue. If there
is a queue of that name, its attributes are changed.

Attributes are Amazon SQS's, and Fencing (sqs, strict), RetryBackoff (none, fixed, exponential),
RetryBackoffSeconds, RetryBackoffMaxSeconds, RetryBackoffJitterPercent, MaxInFlight, RateLimit,
GroupRateLimit, GroupMaxInFlight, ResultRetentionPeriod.`,
		Example: `  flotilla queue create mail
  flotilla queue create mail --attribute RetryBackoff=exponential --attribute ResultRetentionPeriod=3600
  flotilla queue create mail --attribute 'RedrivePolicy={"deadLetterTargetArn":"mail-dead","maxReceiveCount":5}'
  flotilla queue create orders.fifo --attribute ContentBasedDeduplication=true`,
		Args: usage(cobra.ExactArgs(1)),
	}, func(ctx context.Context, c *rest.Client, args []string) error {
		given, err := splitPairs("attribute", attributes)
		if err != nil {
			return err
		}
		err = c.Create(ctx, args[0], rest.CreateQueue{Attributes: given})
		if rest.CodeOf(err) == "QueueNameExists" {
			if err = c.SetAttributes(ctx, args[0], given); err == nil {
				fmt.Fprintf(a.out, "changed %s\n", args[0])
			}
			return err
		}
		if err == nil {
			fmt.Fprintf(a.out, "%s is there\n", args[0])
		}
		return err
	})
	cmd.Flags().StringArrayVar(&attributes, "attribute", nil, "NAME=VALUE, as often as needed")
	return cmd
}

func newQueueRemove(a *app, o *queueOptions) *cobra.Command {
	var isSure bool
	cmd := o.verb(&cobra.Command{
		Use:     "rm NAME --yes",
		Short:   "DELETE a queue with all its messages",
		Example: `  flotilla queue rm mail --yes`,
		Args:    usage(both(cobra.ExactArgs(1), sure(&isSure))),
	}, func(ctx context.Context, c *rest.Client, args []string) error {
		err := c.Delete(ctx, args[0])
		if err == nil {
			fmt.Fprintf(a.out, "deleted %s\n", args[0])
		}
		return err
	})
	cmd.Flags().BoolVar(&isSure, "yes", false, "yes, all its messages")
	return cmd
}

// both makes one check of two.
func both(first, second cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := first(cmd, args); err != nil {
			return err
		}
		return second(cmd, args)
	}
}

// sure refuses to delete messages unless --yes was given.
func sure(isSure *bool) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if !*isSure {
			return fmt.Errorf("this deletes all messages of %s for good: add --yes", args[0])
		}
		return nil
	}
}

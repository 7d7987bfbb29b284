package main

import (
	"context"
	"fmt"
	"text/tabwriter"

	"flotilla/queue/rest"

	"github.com/spf13/cobra"
)

func newQueueRecur(a *app, o *queueOptions) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "recur",
		Short: "Have a queue send itself messages again and again",
		Args:  usage(cobra.NoArgs),
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	var zone, group string
	var priority int64
	put := o.verb(&cobra.Command{
		Use:   "put NAME WHAT CRON BODY",
		Short: "Add the recurring message WHAT, or replace it",
		Example: `  flotilla queue recur put mail report '0 6 * * mon-fri' 'daily report' --zone Europe/Berlin
  flotilla queue recur put mail tick '*/5 * * * *' tick`,
		Args: usage(cobra.ExactArgs(4)),
	}, func(ctx context.Context, c *rest.Client, args []string) error {
		return c.PutRecurring(ctx, args[0], args[1], rest.Recurring{Cron: args[2], Zone: zone,
			Message: rest.Message{Body: args[3], Priority: priority, Group: group}})
	})
	put.Flags().StringVar(&zone, "zone", "", "the time zone, such as Europe/Berlin (default UTC)")
	put.Flags().Int64Var(&priority, "priority", 0, "0 to 9 (standard queues)")
	put.Flags().StringVar(&group, "group", "", "the message group")
	cmd.AddCommand(put, o.verb(&cobra.Command{
		Use:     "ls NAME",
		Short:   "List a queue's recurring messages",
		Example: "  flotilla queue recur ls mail",
		Args:    usage(cobra.ExactArgs(1)),
	}, func(ctx context.Context, c *rest.Client, args []string) error {
		all, err := c.Recurring(ctx, args[0])
		if err != nil {
			return err
		}
		if o.isJSON {
			return printQueueJSON(a, append([]rest.RecurringEntry{}, all...))
		}
		table := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(table, "WHAT\tCRON\tZONE\tNEXT\tBODY")
		for _, r := range all {
			zone := r.Zone
			if zone == "" {
				zone = "UTC"
			}
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", excerpt(r.Name, 40), r.Cron, zone, clock(r.NextAt), excerpt(r.Message.Body, 60))
		}
		return table.Flush()
	}), o.verb(&cobra.Command{
		Use:     "rm NAME WHAT",
		Short:   "Remove a recurring message; what it sent stays",
		Example: "  flotilla queue recur rm mail report",
		Args:    usage(cobra.ExactArgs(2)),
	}, func(ctx context.Context, c *rest.Client, args []string) error {
		return c.DeleteRecurring(ctx, args[0], args[1])
	}))
	return cmd
}

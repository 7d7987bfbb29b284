package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"flotilla/queue"
	"flotilla/queue/rest"

	"github.com/spf13/cobra"
)

// sendOptions are the flags of `flotilla queue send`.
type sendOptions struct {
	delay, wait       time.Duration
	at, group, dedup  string
	priority          int64
	attributes        []string
	hasDelay, hasWait bool
}

func newQueueSend(a *app, o *queueOptions) *cobra.Command {
	var s sendOptions
	cmd := &cobra.Command{
		Use:   "send NAME [BODY]",
		Short: "Send a message, and perhaps wait for what comes of it",
		Long: `Sends BODY, or what comes on the standard input if there is none, and prints the message's id.

With --wait it then waits until the job has ended, and prints its result; the exit code is 0 if it
succeeded, and 1 if it failed, or the time was up. The queue has to keep results for that
(ResultRetentionPeriod).`,
		Example: `  flotilla queue send mail hello
  flotilla queue send mail --priority 9 --attr kind=urgent < letter.txt
  flotilla queue send mail later --at 2026-12-24T18:00:00Z
  flotilla queue send orders.fifo '{"order":42}' --group customer-7 --dedup-id order-42
  flotilla queue send mail hello --wait 30s`,
		Args: usage(cobra.RangeArgs(1, 2)),
	}
	o.verb(cmd, func(ctx context.Context, c *rest.Client, args []string) error {
		s.hasDelay, s.hasWait = cmd.Flags().Changed("delay"), cmd.Flags().Changed("wait")
		return a.queueSend(ctx, c, o, s, args)
	})
	flags := cmd.Flags()
	flags.DurationVar(&s.delay, "delay", 0, "nobody receives it for so long (default: the queue's)")
	flags.StringVar(&s.at, "at", "", "nobody receives it before this time, such as 2026-12-24T18:00:00Z")
	flags.Int64Var(&s.priority, "priority", 0, "0 to 9, the highest first (standard queues)")
	flags.StringVar(&s.group, "group", "", "the message group (FIFO queues need one)")
	flags.StringVar(&s.dedup, "dedup-id", "", "a second message of this id within five minutes is not sent (FIFO queues)")
	flags.StringArrayVar(&s.attributes, "attr", nil, "an attribute of the message, NAME=TEXT, as often as needed")
	flags.DurationVar(&s.wait, "wait", 0, "wait so long for what comes of it")
	return cmd
}

func (a *app) queueSend(ctx context.Context, c *rest.Client, o *queueOptions, s sendOptions, args []string) error {
	m := rest.Message{Priority: s.priority, Group: s.group, DeduplicationID: s.dedup, Attributes: map[string]rest.Attribute{}}
	given, err := splitPairs("attr", s.attributes)
	if err != nil {
		return err
	}
	for name, value := range given {
		m.Attributes[name] = rest.Attribute{Value: rest.Blob(value)}
	}
	if s.hasDelay {
		seconds, err := wholeSeconds("delay", s.delay, 0, queue.MaxDelaySeconds)
		if err != nil {
			return err
		}
		m.DelaySeconds = &seconds
	}
	if s.at != "" {
		if m.ScheduleAt, err = time.Parse(time.RFC3339, s.at); err != nil {
			return usageError{fmt.Errorf("--at=%s: write it as 2026-12-24T18:00:00Z or 2026-12-24T18:00:00+01:00", s.at)}
		}
	}
	if len(args) == 2 {
		m.Body = args[1]
	} else {
		raw, err := io.ReadAll(io.LimitReader(os.Stdin, queue.MaxMessageBytes+1))
		if err != nil {
			return fmt.Errorf("read the message from the standard input: %w", err)
		}
		m.Body = string(raw)
	}
	results, err := c.Send(ctx, args[0], m)
	if err == nil && results[0].Problem != nil {
		err = results[0].Problem
	}
	if err != nil {
		return err
	}
	if !s.hasWait {
		if o.isJSON {
			return printQueueJSON(a, results[0])
		}
		fmt.Fprintln(a.out, results[0].ID)
		return nil
	}
	return a.waitForJob(ctx, c, o, args[0], results[0].ID, s.wait)
}

// errJobFailed and errJobOpen make the exit code 1.
var (
	errJobFailed = errors.New("the job did not succeed")
	errJobOpen   = errors.New("the job has not ended")
)

// waitForJob waits for the end of a job, and prints what came of it.
func (a *app) waitForJob(ctx context.Context, c *rest.Client, o *queueOptions, name, id string, wait time.Duration) error {
	job, err := c.Job(ctx, name, id, wait)
	switch {
	case rest.CodeOf(err) == queue.CodeResourceNotFound:
		return fmt.Errorf("%w To have results kept: flotilla queue create %s --attribute ResultRetentionPeriod=3600", err, name)
	case err != nil:
		return err
	case o.isJSON:
		err = printQueueJSON(a, job)
	case job.HasEnded():
		_, err = a.out.Write(append(job.Result, '\n'))
	default:
		fmt.Fprintf(a.out, "%s is %s %s\n", job.ID, job.Status, excerpt(string(job.Progress), 200))
	}
	switch {
	case err != nil:
		return err
	case job.Status == rest.Succeeded || !job.HasEnded() && wait == 0:
		return nil
	case !job.HasEnded():
		return fmt.Errorf("%w after %v: it is %s; ask again with `flotilla queue job %s %s`", errJobOpen, wait, job.Status, name, id)
	}
	return fmt.Errorf("%w: it is %s", errJobFailed, job.Status)
}

func newQueueJob(a *app, o *queueOptions) *cobra.Command {
	var wait time.Duration
	cmd := o.verb(&cobra.Command{
		Use:   "job NAME ID",
		Short: "Ask, or wait, for what came of a message",
		Long: `Prints the result of a job that ended, or how it is. The exit code is 0 if it succeeded or, without
--wait, has not ended; 1 if it failed, or is not known (any more).`,
		Example: `  flotilla queue job mail 8c1d0c3e-95b5-8f6e-8000-000000000007
  flotilla queue job mail 8c1d0c3e-95b5-8f6e-8000-000000000007 --wait 1m --json`,
		Args: usage(cobra.ExactArgs(2)),
	}, func(ctx context.Context, c *rest.Client, args []string) error {
		return a.waitForJob(ctx, c, o, args[0], args[1], wait)
	})
	cmd.Flags().DurationVar(&wait, "wait", 0, "wait so long for its end")
	return cmd
}

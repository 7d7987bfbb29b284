package main

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"flotilla"
	"flotilla/lab/moment"
	"flotilla/scenario"
	"flotilla/supervisor"

	"github.com/spf13/cobra"
)

func newSlowDisk(a *app, dir *string) *cobra.Command {
	var delay time.Duration
	cmd := &cobra.Command{
		Use:   "slow-disk NODE...",
		Short: "Have each synced write of nodes take longer",
		Long: `Has each synced write (fsync) of the nodes' logs take so much longer, as on a slow disk. A node of
which each takes more than 50 ms, and 8 times as long as another's, gives what it leads to others.`,
		Example: `  flotilla fault slow-disk n2 --delay 50ms
  flotilla fault heal n2`,
		Args:              usage(cobra.MinimumNArgs(1)),
		ValidArgsFunction: completeNodes(dir),
		RunE: func(cmd *cobra.Command, args []string) error {
			if most := time.Duration(supervisor.MaxDiskDelayMillis) * time.Millisecond; delay < time.Millisecond || delay > most {
				return usageError{fmt.Errorf("slow-disk needs a --delay of 1ms to %v, such as 50ms", most)}
			}
			return a.fault(cmd.Context(), *dir, args, supervisor.Request{
				Verb: supervisor.SlowDisk, DelayMillis: flotilla.Millis(delay.Milliseconds()),
			})
		},
	}
	cmd.Flags().DurationVar(&delay, "delay", 0, "how much longer each synced write takes")
	return cmd
}

func newTransfer(a *app, dir *string) *cobra.Command {
	return &cobra.Command{
		Use:   "transfer GROUP [NODE]",
		Short: "Have the leader of a group hand over, to a node or to whom it likes",
		Example: `  flotilla fault transfer 1
  flotilla fault transfer 1 n2`,
		Args: usage(cobra.RangeArgs(1, 2)),
		RunE: func(cmd *cobra.Command, args []string) error {
			group, err := strconv.ParseUint(strings.TrimPrefix(args[0], "g"), 10, 32)
			if err != nil {
				return usageError{fmt.Errorf("%q is no group: they are called 0, 1, 2; see flotilla status", args[0])}
			}
			order := supervisor.Order{Group: flotilla.GroupID(group)}
			if len(args) == 2 {
				if order.To, err = parseNode(args[1]); err != nil {
					return usageError{err}
				}
			}
			return a.fault(cmd.Context(), *dir, nil, supervisor.Request{Verb: supervisor.Transfer, Order: order})
		},
	}
}

func newClock(a *app, dir *string) *cobra.Command {
	var ahead, behind time.Duration
	var drift int
	cmd := &cobra.Command{
		Use:   "clock NODE...",
		Short: "Set the clocks of nodes wrongly, or right again",
		Long: `Sets the wall clock of nodes ahead or behind, and has all their clocks run too fast or, with a
drift below 0, too slow, in millionths. What is not given is right. The machine's own clock is left alone.`,
		Example: `  flotilla fault clock n2 --ahead 3s
  flotilla fault clock n1 n3 --drift -200
  flotilla fault clock all             # right again`,
		Args:              usage(cobra.MinimumNArgs(1)),
		ValidArgsFunction: completeNodes(dir),
		RunE: func(cmd *cobra.Command, args []string) error {
			if ahead < 0 || behind < 0 || ahead != 0 && behind != 0 {
				return usageError{errors.New("a clock is --ahead or --behind, by a time above 0")}
			}
			request := supervisor.Request{Verb: supervisor.Clock}
			request.Clock.OffsetMillis = flotilla.Millis((ahead - behind).Milliseconds())
			request.Clock.DriftPPM = drift
			if err := request.Clock.Check(); err != nil {
				return usageError{err}
			}
			return a.fault(cmd.Context(), *dir, args, request)
		},
	}
	cmd.Flags().DurationVar(&ahead, "ahead", 0, "how far the wall clock is ahead")
	cmd.Flags().DurationVar(&behind, "behind", 0, "how far the wall clock is behind")
	cmd.Flags().IntVar(&drift, "drift", 0, "how much too fast all clocks run, in millionths")
	return cmd
}

func newCrash(a *app, dir *string) *cobra.Command {
	var all []string
	for _, m := range moment.Moments() {
		all = append(all, strconv.Quote(string(m)))
	}
	return &cobra.Command{
		Use:   "crash NODE MOMENT",
		Short: "Have a node end, as kill -9, at the next such moment of a write",
		Long: "Has a node end at the next such moment of a write. It is started again after a second, as any node that dies.\nMoments: " +
			strings.Join(all, ", ") + ".",
		Example: `  flotilla fault crash n2 "before append"
  flotilla fault crash n2 after vote`,
		Args:              usage(cobra.RangeArgs(2, 3)),
		ValidArgsFunction: completeNodes(dir),
		RunE: func(cmd *cobra.Command, args []string) error {
			at := strings.Join(args[1:], " ")
			if !slices.Contains(moment.Moments(), scenario.Boundary(at)) {
				return usageError{fmt.Errorf("%q is no moment of a write: use one of %s", at, strings.Join(all, ", "))}
			}
			return a.fault(cmd.Context(), *dir, args[:1], supervisor.Request{Verb: supervisor.Crash, Order: supervisor.Order{Moment: at}})
		},
	}
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"time"

	"flotilla"
	"flotilla/supervisor"

	"github.com/spf13/cobra"
)

// faultTimeout is how long a fault may take: the supervisor itself waits 5 s for
// nodes that do not answer.
const faultTimeout = 15 * time.Second

const faultLong = `Breaks something in the fleet that runs in --dir, and mends it again. Nodes are named
n1, n2, ...; "all" names every one. Clients still reach a node that is cut off from the others.`

// faultVerb is one of the verbs that take nothing but nodes.
type faultVerb struct {
	verb  supervisor.Verb
	short string
}

func newFault(a *app) *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "fault",
		Short: "Kill, pause, cut off or slow down nodes of the running fleet",
		Long:  faultLong,
		Example: `  flotilla fault kill n2               # as kill -9; stays down
  flotilla fault restart n2
  flotilla fault pause n3              # as a long garbage collection
  flotilla fault isolate n1            # cut off from n2 and n3, both ways
  flotilla fault cut n2 n3 --one-way   # what n2 sends to n3 is lost
  flotilla fault slow n2 --delay 50ms --drop 5%
  flotilla fault slow-disk n2 --delay 50ms
  flotilla fault heal                  # all links and disks are good again
  flotilla fault transfer 1 n2         # have the leader of group 1 hand over to n2
  flotilla fault clock n3 --behind 2s  # and without flags it is right again
  flotilla fault crash n2 "after vote" # at the next such moment of a write`,
		Args: usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.PersistentFlags().StringVar(&dir, "dir", "./flotilla-data", "the fleet's folder")
	for _, v := range []faultVerb{
		{supervisor.Kill, "Kill nodes at once, as a crash would; they stay down"},
		{supervisor.Restart, "Start nodes that are down, or stop and start those that run"},
		{supervisor.Wipe, "Kill nodes, delete their data, and start them again: DELETES DATA"},
		{supervisor.Pause, "Stop nodes from running without ending them"},
		{supervisor.Resume, "Let paused nodes go on"},
		{supervisor.Isolate, "Cut nodes off from all other nodes"},
	} {
		cmd.AddCommand(newNodesFault(a, &dir, v))
	}
	cmd.AddCommand(newHeal(a, &dir), newCut(a, &dir), newSlow(a, &dir), newSlowDisk(a, &dir), newTransfer(a, &dir), newClock(a, &dir), newCrash(a, &dir))
	return cmd
}

func newNodesFault(a *app, dir *string, v faultVerb) *cobra.Command {
	return &cobra.Command{
		Use:               string(v.verb) + " NODE...",
		Short:             v.short,
		Example:           fmt.Sprintf("  flotilla fault %s n2\n  flotilla fault %s n1 n3\n  flotilla fault %s all", v.verb, v.verb, v.verb),
		Args:              usage(cobra.MinimumNArgs(1)),
		ValidArgsFunction: completeNodes(dir),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.fault(cmd.Context(), *dir, args, supervisor.Request{Verb: v.verb})
		},
	}
}

func newHeal(a *app, dir *string) *cobra.Command {
	return &cobra.Command{
		Use:   "heal [NODE...]",
		Short: "Make all links and disks good again, or those of some nodes",
		Example: `  flotilla fault heal
  flotilla fault heal n2`,
		ValidArgsFunction: completeNodes(dir),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.fault(cmd.Context(), *dir, args, supervisor.Request{Verb: supervisor.Heal})
		},
	}
}

func newCut(a *app, dir *string) *cobra.Command {
	var isOneWay bool
	cmd := &cobra.Command{
		Use:   "cut NODE NODE",
		Short: "Cut the link between two nodes",
		Example: `  flotilla fault cut n2 n3
  flotilla fault cut n2 n3 --one-way   # n3's messages still reach n2`,
		Args:              usage(cobra.ExactArgs(2)),
		ValidArgsFunction: completeNodes(dir),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.fault(cmd.Context(), *dir, args, supervisor.Request{Verb: supervisor.Cut, IsOneWay: isOneWay})
		},
	}
	cmd.Flags().BoolVar(&isOneWay, "one-way", false, "only from the first to the second")
	return cmd
}

func newSlow(a *app, dir *string) *cobra.Command {
	var delay time.Duration
	var drop shareValue
	cmd := &cobra.Command{
		Use:   "slow NODE...",
		Short: "Delay and lose messages to and from nodes",
		Example: `  flotilla fault slow n2 --delay 50ms
  flotilla fault slow n2 --delay 20ms --drop 5%
  flotilla fault heal n2`,
		Args:              usage(cobra.MinimumNArgs(1)),
		ValidArgsFunction: completeNodes(dir),
		RunE: func(cmd *cobra.Command, args []string) error {
			if delay == 0 && drop == 0 {
				return usageError{errors.New("slow needs --delay 50ms, --drop 5% or both")}
			}
			return a.fault(cmd.Context(), *dir, args, supervisor.Request{
				Verb: supervisor.Slow, DelayMillis: flotilla.Millis(delay.Milliseconds()), Drop: float64(drop),
			})
		},
	}
	cmd.Flags().DurationVar(&delay, "delay", 0, "how much later each message arrives, each way")
	cmd.Flags().Var(&drop, "drop", "how many messages are lost, each way")
	return cmd
}

// fault sends a request about the named nodes to the fleet in dir.
func (a *app) fault(ctx context.Context, dir string, names []string, request supervisor.Request) error {
	plan, err := readPlan(dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		if name == "all" {
			for _, n := range plan.Nodes {
				request.Nodes = append(request.Nodes, n.Node)
			}
			continue
		}
		node, err := parseNode(name)
		if err != nil {
			return usageError{err}
		}
		request.Nodes = append(request.Nodes, node)
	}
	client, err := supervisor.Dial(dir)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, faultTimeout)
	defer cancel()
	lines, err := client.Do(ctx, request)
	for _, line := range lines {
		fmt.Fprintln(a.out, line)
	}
	return err
}

// readPlan reads the plan of the fleet in dir, or says how to start one.
func readPlan(dir string) (supervisor.Plan, error) {
	plan, err := supervisor.ReadPlan(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return plan, fmt.Errorf("%w in %s: start one with `flotilla up`, or name its folder with --dir", errNoFleet, dir)
	}
	return plan, err
}

// errNoFleet means that the folder holds no fleet, or not yet.
var errNoFleet = errors.New("there is no fleet")

// completeNodes offers the names of the fleet's nodes that were not given yet.
func completeNodes(dir *string) cobra.CompletionFunc {
	return func(_ *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		plan, err := supervisor.ReadPlan(*dir)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		var names []cobra.Completion
		for _, n := range plan.Nodes {
			if !slices.Contains(args, n.Name()) {
				names = append(names, n.Name())
			}
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
}

// parseNode reads n2, or 2.
func parseNode(name string) (flotilla.NodeID, error) {
	id, err := strconv.ParseUint(strings.TrimPrefix(name, "n"), 10, 32)
	if err != nil || id == 0 {
		return 0, fmt.Errorf("%q is no node: they are called n1, n2, n3", name)
	}
	return flotilla.NodeID(id), nil
}

// parseShare reads 5% or 0.05.
func parseShare(text string) (float64, error) {
	number, isPercent := strings.CutSuffix(text, "%")
	share, err := strconv.ParseFloat(number, 64)
	if isPercent {
		share /= 100
	}
	if err != nil || !(share >= 0 && share <= 1) {
		return 0, fmt.Errorf("%q is no share: write it as 5%%", text)
	}
	return share, nil
}

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"

	"flotilla"
	"flotilla/cluster"
	"flotilla/supervisor"

	"github.com/spf13/cobra"
)

const upLong = `Starts a cluster of real node processes on this machine, listening on loopback only, and keeps
it running until Ctrl-C (a second Ctrl-C does not wait for the nodes). The data stays in --dir,
and the next up there goes on with it. A node that dies is started again; one that was killed
with ` + "`flotilla fault kill`" + ` is not.

Ports of n1, and one more for each further node: Redis protocol 6379, HTTP 8080, node to node 7001.`

const upExample = `  flotilla up
  flotilla up --nodes 5 --dir ./five --port-offset 100
  flotilla up --fresh                  # DELETES the data in --dir first`

// upOptions are the flags of `flotilla up`.
type upOptions struct {
	dir, memory string
	showLeaders bool
	want        supervisor.Want
}

func newUp(a *app) *cobra.Command {
	var o upOptions
	cmd := &cobra.Command{
		Use:     "up",
		Short:   "Start a cluster on this machine",
		Long:    upLong,
		Example: upExample,
		Args:    usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.want.HasPortOffset = cmd.Flags().Changed("port-offset")
			for _, flag := range []string{"nodes", "groups"} {
				// Zero means "as the plan has it" to Prepare, but not to a person.
				if value, err := cmd.Flags().GetInt(flag); err != nil || cmd.Flags().Changed(flag) && value < 1 {
					return usageError{fmt.Errorf("--%s=%d: there has to be at least one", flag, value)}
				}
			}
			nodes := o.want.Nodes
			if nodes == 0 {
				nodes = supervisor.DefaultNodes
			}
			o.want.DefaultGroups = cluster.DefaultGroups(nodes)
			if err := o.want.Check(); err != nil {
				return usageError{err}
			}
			bytes, err := parseSize(o.memory)
			if err == nil && bytes < minMemory {
				err = fmt.Errorf("a node needs at least %d MiB", minMemory>>20)
			}
			if err != nil {
				return usageError{fmt.Errorf("--memory: %w", err)}
			}
			return a.up(cmd.Context(), o)
		},
	}
	dirFlag(cmd, &o.dir)
	flags := cmd.Flags()
	flags.IntVar(&o.want.Nodes, "nodes", 0, "how many nodes (default 3, or as many as the fleet in --dir has)")
	flags.IntVar(&o.want.Groups, "groups", 0, "how many groups share the slots (default 1, with more than 3 nodes one for each, or as the fleet in --dir has)")
	flags.BoolVar(&o.want.IsFresh, "fresh", false, "DELETE the fleet's data first")
	flags.IntVar(&o.want.PortOffset, "port-offset", 0, "added to all ports")
	flags.StringVar(&o.memory, "memory", defaultMemory, "how much memory each node tries to stay under")
	flags.BoolVar(&o.showLeaders, "show-leaders", false, showLeadersHelp)
	return cmd
}

// up runs a fleet until it is told to stop.
func (a *app) up(ctx context.Context, o upOptions) error {
	exe, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program, to start the nodes with: %w", err)
	}
	dir, err := filepath.Abs(o.dir)
	if err != nil {
		return fmt.Errorf("--dir=%s: %w", o.dir, err)
	}
	lock, err := supervisor.LockDir(dir)
	if err != nil {
		return err
	}
	plan, isNew, err := supervisor.Prepare(dir, o.want)
	if err != nil {
		return errors.Join(err, lock.Undo())
	}
	s := newScreen(a.out)
	s.welcome(o.dir, plan, isNew)
	fleet := &supervisor.Fleet{
		Dir: dir, Plan: plan, Notify: s.line,
		Command: func(l supervisor.Launch) *exec.Cmd { return nodeCommand(exe, o, l) },
		Play:    func(name string, portOffset int) (*exec.Cmd, error) { return playCommand(exe, name, portOffset) },
	}
	return errors.Join(runFleet(ctx, fleet, s), lock.Close())
}

// runFleet runs the fleet until the first signal, or ends it at the second.
func runFleet(ctx context.Context, fleet *supervisor.Fleet, s *screen) error {
	err := untilSignal(ctx, s, "stopping; Ctrl-C again kills the nodes", func(soft, hard context.Context) error {
		watched, stop := context.WithCancel(soft)
		var watching sync.WaitGroup
		watching.Go(func() { s.watch(watched, fleet) })
		err := fleet.Run(soft, hard)
		stop()
		watching.Wait()
		return err
	})
	if err == nil {
		s.line("stopped; the data stays in " + fleet.Dir)
	}
	return err
}

// nodeCommand returns the command line of one of the fleet's nodes.
func nodeCommand(exe string, o upOptions, l supervisor.Launch) *exec.Cmd {
	members := make([]string, 0, len(l.Plan.Nodes))
	for _, n := range l.Plan.Nodes {
		members = append(members, formatMember(flotilla.NodeInfo{ID: n.Node, Host: "127.0.0.1", PeerAddr: n.PeerAddr(),
			StorePort: n.StorePort, HTTPPort: n.HTTPPort, QueuePort: n.QueuePort}))
	}
	cmd := exec.Command(exe, "node",
		"--id", l.Node.Name(),
		"--cluster", l.Plan.Cluster,
		"--dir", l.Dir,
		"--members", strings.Join(members, ","),
		"--listen-store", l.Node.StoreAddr(),
		"--listen-http", l.Node.HTTPAddr(),
		"--listen-peer", l.Node.PeerAddr(),
		"--listen-queue", l.Node.QueueAddr(),
		"--groups", strconv.Itoa(l.Plan.Groups),
		"--memory", o.memory,
		"--lab", "--stop-with-stdin",
	)
	if o.showLeaders {
		cmd.Args = append(cmd.Args, "--show-leaders")
	}
	if l.Node.HasStarted {
		cmd.Args = append(cmd.Args, "--join")
	} else {
		cmd.Args = append(cmd.Args, "--first")
	}
	// The name that is shown: the program may lie in a temporary folder.
	cmd.Args[0] = "flotilla"
	// Settings meant for another node must not reach this one.
	for _, variable := range os.Environ() {
		if !strings.HasPrefix(variable, environPrefix) {
			cmd.Env = append(cmd.Env, variable)
		}
	}
	cmd.Env = append(cmd.Env, labTokenEnv+"="+l.Token, labFaultsEnv+"="+string(l.Faults), labFleetEnv+"="+filepath.Dir(l.Dir))
	if _, isSet := os.LookupEnv("GOMAXPROCS"); !isSet {
		cmd.Env = append(cmd.Env, "GOMAXPROCS="+strconv.Itoa(processorShare(len(l.Plan.Nodes))))
	}
	return cmd
}

// processorShare is how many processors a node of a fleet may use at most: the nodes
// share one machine. Two at least, where there are two: see adaptProcessors.
func processorShare(nodes int) int {
	processors := runtime.NumCPU()
	return max((processors+nodes-1)/nodes, min(2, processors))
}

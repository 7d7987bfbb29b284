package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"text/tabwriter"
	"time"

	"flotilla/supervisor"

	"github.com/spf13/cobra"
)

// statusOptions are the flags of `flotilla status`.
type statusOptions struct {
	dir             string
	isWatch, isJSON bool
	wait            time.Duration
}

// watchInterval is how often --watch looks again, and waitInterval --wait.
const (
	watchInterval = time.Second
	waitInterval  = 100 * time.Millisecond
)

func newStatus(a *app) *cobra.Command {
	var o statusOptions
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show the nodes, groups and leaders of the fleet in --dir",
		Long: `Asks every node of the fleet in --dir, and shows what those say that answer: nodes with their
process ids, groups with leader, term, and how far each copy has applied the log.

The exit code is 0 if every group has a leader, and 1 if one has none or nobody answers; with --watch
it is always 0.`,
		Example: `  flotilla status
  flotilla status --watch
  flotilla status --wait 10s     # exit code 0 once every group has a leader, else 1
  flotilla status --json | jq .groups`,
		Args: usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.wait < 0 || o.isWatch && o.wait > 0 {
				return usageError{errors.New("--wait takes a time such as 10s, and not together with --watch")}
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt)
			defer stop()
			if o.isWatch {
				return a.watchStatus(ctx, o)
			}
			return a.showStatus(ctx, o)
		},
	}
	dirFlag(cmd, &o.dir)
	cmd.Flags().BoolVar(&o.isWatch, "watch", false, "look again each second until Ctrl-C")
	cmd.Flags().BoolVar(&o.isJSON, "json", false, "print JSON")
	cmd.Flags().DurationVar(&o.wait, "wait", 0, "wait so long for every group to have a leader")
	return cmd
}

// errNotReady makes the exit code 1.
var errNotReady = errors.New("not ready")

// showStatus prints the status once: now, or when it is good, or when the time is up.
func (a *app) showStatus(ctx context.Context, o statusOptions) error {
	overview, err := look(ctx, o.dir)
	if o.wait > 0 {
		overview, err = waitReady(ctx, o, overview, err)
	}
	if err != nil {
		return err
	}
	if err := printOverview(a.out, overview, o.isJSON); err != nil {
		return err
	}
	switch {
	case overview.IsReady:
		return nil
	case o.wait > 0:
		return fmt.Errorf("not ready after %v", o.wait)
	default:
		return silentError{errNotReady} // it was printed
	}
}

// waitReady looks again until the fleet is ready or the time is up. A fleet that
// is not there yet may be about to start.
func waitReady(ctx context.Context, o statusOptions, overview supervisor.Overview, err error) (supervisor.Overview, error) {
	timeout := time.After(o.wait)
	ticker := time.NewTicker(waitInterval)
	defer ticker.Stop()
	for (err == nil || errors.Is(err, errNoFleet)) && !overview.IsReady {
		select {
		case <-ctx.Done():
			return overview, silentError{ctx.Err()}
		case <-timeout:
			return overview, err
		case <-ticker.C:
			overview, err = look(ctx, o.dir)
		}
	}
	return overview, err
}

// watchStatus prints the status each second until ctx ends.
func (a *app) watchStatus(ctx context.Context, o statusOptions) error {
	isLive := newScreen(a.out).isLive && !o.isJSON
	ticker := time.NewTicker(watchInterval)
	defer ticker.Stop()
	for {
		overview, err := look(ctx, o.dir)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		if isLive {
			// Home, and clear what is below: the whole picture is drawn again.
			fmt.Fprint(a.out, "\x1b[H\x1b[J")
		}
		if err := printOverview(a.out, overview, o.isJSON); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// look asks all nodes, and the supervisor if it runs.
func look(ctx context.Context, dir string) (supervisor.Overview, error) {
	plan, err := readPlan(dir)
	if err != nil {
		return supervisor.Overview{}, err
	}
	var states []supervisor.MemberState
	client, err := supervisor.Dial(dir)
	if err == nil {
		states, err = client.States(ctx)
	}
	if err != nil && !errors.Is(err, supervisor.ErrNotRunning) {
		return supervisor.Overview{}, err
	}
	overview := supervisor.Merge(supervisor.Survey(ctx, plan.Nodes), states)
	overview.Cluster = plan.Cluster
	if states == nil {
		overview.Problems = append(overview.Problems, "the fleet is not running: start it with `flotilla up --dir "+dir+"`")
	}
	return overview, nil
}

func printOverview(out io.Writer, o supervisor.Overview, isJSON bool) error {
	if isJSON {
		encoder := json.NewEncoder(out)
		encoder.SetIndent("", "  ")
		return encoder.Encode(o)
	}
	word := "ready"
	if !o.IsReady {
		word = "not ready"
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "%s: %s\n\nNODE\tPROCESS\tSTATE\tREDIS\tQUEUE\tWEB\tLEADS\tSTARTS\n", o.Cluster, word)
	for _, n := range o.Nodes {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\thttp://%s\t%d\t%d\n", n.Name, dash(n.PID), nodeState(n), n.StoreAddr, n.QueueAddr, n.HTTPAddr, n.Leads, n.Starts)
	}
	if len(o.Groups) > 0 {
		fmt.Fprint(table, "\nGROUP\tLEADER\tTERM\tSLOTS\tCOMMITTED\tAPPLIED (entries behind)\n")
	}
	for _, g := range o.Groups {
		leader := "none"
		if g.Leader != 0 {
			leader = g.Leader.String()
		}
		fmt.Fprintf(table, "%v\t%s\t%d\t%s\t%d\t%s\n", g.Group, leader, g.Term, dash(g.Slots), g.Commit, replicas(g.Replicas))
	}
	for i, problem := range o.Problems {
		if i == 0 {
			fmt.Fprintln(table)
		}
		fmt.Fprintf(table, "! %s\n", problem)
	}
	return table.Flush()
}

// nodeState says in a word or two how a node is.
func nodeState(n supervisor.NodeOverview) string {
	switch {
	case n.IsUp && n.IsReady:
		return "ready"
	case n.IsUp:
		return "not ready"
	case n.Phase == supervisor.Running:
		return "running, silent"
	case n.Phase == "":
		return "silent"
	default:
		return string(n.Phase)
	}
}

func replicas(all []supervisor.ReplicaOverview) string {
	parts := make([]string, 0, len(all))
	for _, r := range all {
		text := fmt.Sprintf("%v %d", r.Node, r.Applied)
		if r.Lag > 0 {
			text += fmt.Sprintf(" (%d)", r.Lag)
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, ", ")
}

// dash writes nothing as a dash.
func dash(n int) string {
	if n == 0 {
		return "-"
	}
	return fmt.Sprint(n)
}

package lab

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"flotilla"
	"flotilla/scenario"
	"flotilla/supervisor"
)

// fleet is the processes of a run. They are under a supervisor that runs here, as
// in `flotilla up`, and is asked as `flotilla fault` asks it.
type fleet struct {
	*supervisor.Fleet
	client *supervisor.Client
	disks  *disks             // nil: the machine's own
	stop   context.CancelFunc // in good order
	kill   context.CancelFunc
	ended  chan struct{} // closed once Run has returned
	err    error         // what it returned; to be read after that
}

// Patience with a fleet.
const (
	startWait   = 60 * time.Second // for a new one to serve
	requestWait = 20 * time.Second // for the supervisor to have done something
	linksWait   = time.Second      // for nodes to know of their links: one that just starts learns with its start
	lookAgain   = 100 * time.Millisecond
)

// startFleet starts the nodes in a new folder.
func (l *Lab) startFleet() (*fleet, error) {
	dir := filepath.Join(l.Dir, "fleet")
	lock, err := supervisor.LockDir(dir)
	if err != nil {
		return nil, err
	}
	prepared, _, err := supervisor.Prepare(dir, supervisor.Want{
		Nodes: l.Plan.Nodes, Groups: l.Plan.Groups, PortOffset: l.PortOffset, HasPortOffset: true,
	})
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	f := &fleet{ended: make(chan struct{})}
	f.Fleet = &supervisor.Fleet{Dir: dir, Plan: prepared, Command: l.Command, Notify: func(line string) { l.Log("           " + line) }}
	if l.PowerCuts {
		if f.disks, err = mountDisks(f.folder, filepath.Join(l.Dir, "backing"), prepared.Nodes); err != nil {
			return nil, errors.Join(err, lock.Close())
		}
	}
	soft, stop := context.WithCancel(context.Background())
	hard, kill := context.WithCancel(context.Background())
	f.stop, f.kill = stop, kill
	go func() {
		defer close(f.ended)
		f.err = errors.Join(f.Run(soft, hard), lock.Close())
	}()
	return f, nil
}

// end stops the fleet in good order, or kills it once hard ends, and returns when all
// its processes are gone.
func (f *fleet) end(hard context.Context) error {
	f.stop()
	defer f.kill()
	select {
	case <-f.ended:
	case <-hard.Done():
		f.kill()
		<-f.ended
	}
	return f.err
}

// waitUntil waits for a condition. Its reason says what is still missing; empty means
// that it holds.
func (f *fleet) waitUntil(ctx context.Context, limit time.Duration, reason func() string) error {
	ticker := time.NewTicker(lookAgain)
	defer ticker.Stop()
	deadline := time.After(limit)
	for {
		missing := reason()
		if missing == "" {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-f.ended:
			return fmt.Errorf("the fleet ended: %w", f.err)
		case <-deadline:
			return fmt.Errorf("waited %v: %s", limit, missing)
		case <-ticker.C:
		}
	}
}

// dial finds the supervisor's control endpoint, which opens a moment after the start.
func (f *fleet) dial(ctx context.Context) error {
	return f.waitUntil(ctx, startWait, func() string {
		client, err := supervisor.Dial(f.Dir)
		if err == nil {
			_, err = client.States(ctx)
		}
		if err != nil {
			return err.Error()
		}
		f.client = client
		return ""
	})
}

// do has the supervisor do something, and returns what it said.
func (f *fleet) do(r supervisor.Request, wait time.Duration) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), wait)
	defer cancel()
	lines, err := f.client.Do(ctx, r)
	return strings.Join(lines, "; "), err
}

// folder returns a node's folder.
func (f *fleet) folder(node flotilla.NodeID) string { return filepath.Join(f.Dir, node.String()) }

// nodes returns all nodes.
func (f *fleet) nodes() (all []flotilla.NodeID) {
	for _, n := range f.Plan.Nodes {
		all = append(all, n.Node)
	}
	return all
}

// state returns where a node is in its life.
func (f *fleet) state(node flotilla.NodeID) supervisor.MemberState {
	for _, s := range f.States() {
		if s.Node == node {
			return s
		}
	}
	return supervisor.MemberState{Node: node}
}

// stores returns where clients reach nodes, without some of them.
func (f *fleet) stores(isLeftOut func(flotilla.NodeID) bool) (addresses []string) {
	for _, n := range f.Plan.Nodes {
		if !isLeftOut(n.Node) {
			addresses = append(addresses, n.StoreAddr())
		}
	}
	return addresses
}

// isWhole says what is missing until every node is ready and every group has all its
// copies, which have applied all of its log.
func (f *fleet) isWhole(ctx context.Context, plan *scenario.Plan) string {
	o := supervisor.Merge(supervisor.Survey(ctx, f.Plan.Nodes), f.States())
	missing := o.Missing()
	if len(o.Groups) != plan.Groups+1 {
		missing = append(missing, fmt.Sprintf("%d groups are known, of %d", len(o.Groups), plan.Groups+1))
	}
	for _, g := range o.Groups {
		copies := 0
		for _, r := range g.Replicas {
			switch {
			case r.Role != "leader" && r.Role != "follower":
				missing = append(missing, fmt.Sprintf("%v on %v is a %s", g.Group, r.Node, r.Role))
			case r.Lag > 0:
				missing = append(missing, fmt.Sprintf("%v on %v lacks %d entries", g.Group, r.Node, r.Lag))
			default:
				copies++
			}
		}
		if copies < plan.Copies {
			missing = append(missing, fmt.Sprintf("%v has %d whole copies, of %d", g.Group, copies, plan.Copies))
		}
	}
	return strings.Join(missing, "; ")
}

// roles answers a Player's questions about the cluster. Only the goroutine of a run
// uses it.
type roles struct {
	fleet   *fleet
	at      time.Time // of what follows
	leaders map[flotilla.GroupID]flotilla.NodeID
	holders map[flotilla.GroupID]map[flotilla.NodeID]bool // as each node said last
}

var _ scenario.Cluster = (*roles)(nil)

// rolesAge is how old the picture may be. It is less than the time after which a
// Player looks again.
const rolesAge = 40 * time.Millisecond

// look asks those nodes that can answer.
func (r *roles) look() {
	if time.Since(r.at) < rolesAge {
		return
	}
	var running []supervisor.NodePlan
	for _, n := range r.fleet.Plan.Nodes {
		if r.fleet.state(n.Node).Phase == supervisor.Running {
			running = append(running, n)
		}
	}
	answers := supervisor.Survey(context.Background(), running) // which takes a second at most
	r.leaders = map[flotilla.GroupID]flotilla.NodeID{}
	for _, g := range supervisor.Merge(answers, nil).Groups {
		r.leaders[g.Group] = g.Leader
	}
	for _, a := range answers {
		if a.Status == nil {
			continue
		}
		for _, g := range a.Status.Groups {
			if r.holders[g.Group] == nil {
				r.holders[g.Group] = map[flotilla.NodeID]bool{}
			}
			r.holders[g.Group][a.Node.Node] = g.IsHere
		}
	}
	r.at = time.Now()
}

// Leader implements scenario.Cluster.
func (r *roles) Leader(group flotilla.GroupID) flotilla.NodeID {
	r.look()
	return r.leaders[group]
}

// Holders implements scenario.Cluster.
func (r *roles) Holders(group flotilla.GroupID) (nodes []flotilla.NodeID) {
	r.look()
	for _, n := range r.fleet.Plan.Nodes {
		if r.holders[group][n.Node] {
			nodes = append(nodes, n.Node)
		}
	}
	return nodes
}

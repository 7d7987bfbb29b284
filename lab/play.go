package lab

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"flotilla"
	"flotilla/scenario"
	"flotilla/supervisor"
	"flotilla/transport"
)

// run is a plan that is being played. Only the goroutine of Lab.Run uses it.
type run struct {
	lab     *Lab
	plan    *scenario.Plan
	fleet   *fleet
	roles   *roles
	player  *scenario.Player
	load    *Load
	chance  *rand.Rand // for bits
	ways    []supervisor.Way
	damaged map[flotilla.NodeID]bool // nodes whose files were changed behind their back
	excused map[flotilla.NodeID]int  // deaths of nodes that saw their disk fail before they were killed
	told    time.Time                // when the last line of progress was printed
}

// toldEvery is after how long a line of progress is printed.
const toldEvery = 10 * time.Second

// newRun begins a run: the clients start, and with them the time.
func newRun(l *Lab, f *fleet) *run {
	r := &run{
		lab: l, plan: l.Plan, fleet: f, player: scenario.NewPlayer(l.Plan),
		roles:   &roles{fleet: f, holders: map[flotilla.GroupID]map[flotilla.NodeID]bool{}},
		chance:  rand.New(rand.NewPCG(l.Seed, 0x62697473)),
		damaged: map[flotilla.NodeID]bool{}, excused: map[flotilla.NodeID]int{},
	}
	// In liveness mode each client demands of its node that it goes on.
	isLiveness := l.Plan.Mode == scenario.Liveness
	r.load = StartLoad(LoadOptions{
		Addresses: f.stores(func(id flotilla.NodeID) bool { return isLiveness && slices.Contains(l.Plan.Without, id) }),
		Groups:    l.Plan.Groups, Workload: l.Plan.Workload, Seed: l.Seed, Stays: isLiveness,
	})
	r.told = r.load.Began
	r.log("%s at work", counted(l.Plan.Workload.Clients, "client"))
	return r
}

// play does what the plan says, until its end. Clients ask until the plan's duration
// is over; final steps come after that.
func (r *run) play(ctx context.Context) error {
	isOver := false
	for {
		at, ok := r.player.Next()
		if !ok {
			return nil
		}
		if at >= r.plan.Duration && !isOver {
			if err := r.wait(ctx, r.plan.Duration); err != nil {
				return err
			}
			isOver = true
			r.load.Stop()
			r.log("the clients have ended: %s", r.load.Counts())
		}
		if err := r.wait(ctx, at); err != nil {
			return err
		}
		for _, order := range r.player.Play(r.now(), r.roles) {
			r.log("%v", order)
			if err := r.carryOut(order); err != nil {
				return fmt.Errorf("%v: %w", order, err)
			}
		}
		if err := r.setLinks(); err != nil {
			return err
		}
	}
}

// wait waits for a time of the plan.
func (r *run) wait(ctx context.Context, until flotilla.Millis) error {
	for {
		left := time.Duration(until-r.now()) * time.Millisecond
		if left <= 0 {
			return ctx.Err()
		}
		progress := toldEvery - time.Since(r.told)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-r.fleet.ended:
			return fmt.Errorf("the fleet ended: %w", r.fleet.err)
		case <-time.After(min(left, max(progress, 0))):
		}
		if time.Since(r.told) >= toldEvery {
			r.told = time.Now()
			r.log("... %s", r.load.Counts())
		}
	}
}

// carryOut does to processes and files what an order says. What it does to links is
// in the player's Network, and what happens to disks and clocks nobody can do here.
func (r *run) carryOut(o scenario.Order) error {
	if o.Skipped != "" {
		return nil
	}
	switch o.Step.Verb {
	case scenario.Kill:
		return r.ask(supervisor.Kill, o.Nodes)
	case scenario.Crash:
		return r.crash(o)
	case scenario.Wipe:
		return r.wipe(o.Nodes)
	case scenario.Start:
		return r.ask(supervisor.Restart, r.in(o.Nodes, supervisor.Down, supervisor.Waiting))
	case scenario.Restart:
		return r.ask(supervisor.Restart, o.Nodes)
	case scenario.Pause:
		return r.ask(supervisor.Pause, r.in(o.Nodes, supervisor.Running))
	case scenario.Resume:
		return r.ask(supervisor.Resume, r.in(o.Nodes, supervisor.Paused))
	case scenario.Flip:
		return r.flip(o)
	}
	return nil
}

// in returns those of some nodes that are at such a place in their life.
func (r *run) in(nodes []flotilla.NodeID, phases ...supervisor.Phase) (found []flotilla.NodeID) {
	for _, node := range nodes {
		if slices.Contains(phases, r.fleet.state(node).Phase) {
			found = append(found, node)
		}
	}
	return found
}

// ask has the supervisor do something to nodes.
func (r *run) ask(verb supervisor.Verb, nodes []flotilla.NodeID) error {
	if len(nodes) == 0 {
		return nil
	}
	said, err := r.fleet.do(supervisor.Request{Verb: verb, Nodes: nodes}, requestWait)
	if err != nil && strings.Contains(err.Error(), "has no process") {
		r.log("  %v", err) // it died in this moment: there is nothing to pause or to resume
		return nil
	}
	if err != nil {
		return fmt.Errorf("%w (%s)", err, said)
	}
	return nil
}

// crash takes the power away. What was written and not synced stays, as with Kill,
// unless the step says that it is lost.
func (r *run) crash(o scenario.Order) error {
	if o.Step.Loss == scenario.LoseNothing {
		return r.ask(supervisor.Kill, o.Nodes)
	}
	before := map[flotilla.NodeID]int{}
	for _, node := range o.Nodes {
		before[node] = r.fleet.state(node).Deaths
	}
	// All disks first: no node may hear of the others' end and write that down.
	err := r.fleet.disks.cut(o.Nodes, o.Step.Loss, r.chance)
	if err == nil {
		err = r.ask(supervisor.Kill, o.Nodes)
	}
	for _, node := range o.Nodes {
		r.excused[node] += r.fleet.state(node).Deaths - before[node]
	}
	r.fleet.disks.restore(o.Nodes)
	return err
}

func (r *run) wipe(nodes []flotilla.NodeID) error {
	err := r.ask(supervisor.Kill, nodes)
	for _, node := range nodes {
		if err == nil {
			err = wipe(r.fleet.folder(node))
		}
	}
	return err
}

func (r *run) flip(o scenario.Order) error {
	for _, node := range o.Nodes {
		what, err := flip(r.fleet.folder(node), o.Step.File, o.Step.Bits, r.chance)
		if err != nil {
			r.log("  %v: %v", node, err) // there is no such file now: nothing to damage
			continue
		}
		r.damaged[node] = true
		r.log("  %v: %s", node, what)
	}
	return nil
}

// setLinks makes the links as the player has them. Nodes that do not listen now are
// told until they do, and those that start have their links from the first moment.
func (r *run) setLinks() error {
	var ways []supervisor.Way
	for from := flotilla.NodeID(1); int(from) <= r.plan.Nodes; from++ {
		for to := flotilla.NodeID(1); int(to) <= r.plan.Nodes; to++ {
			if fault := r.player.Network().Fault(from, to); fault != (scenario.Fault{}) {
				ways = append(ways, supervisor.Way{From: from, To: to, Fault: transport.Fault(fault)})
			}
		}
	}
	if slices.Equal(ways, r.ways) {
		return nil
	}
	r.ways = ways
	return r.tellLinks()
}

func (r *run) tellLinks() error {
	_, err := r.fleet.do(supervisor.Request{Verb: supervisor.Links, Ways: r.ways}, linksWait)
	if err != nil && (errors.Is(err, context.DeadlineExceeded) || strings.Contains(err.Error(), "did not answer in time")) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("set the links: %w", err)
	}
	return nil
}

// heal ends all that can be ended at once. It is for a run that is given up.
func (r *run) heal() error {
	r.load.Stop()
	r.ways = nil
	err := r.tellLinks()
	var all []flotilla.NodeID
	for _, n := range r.fleet.Plan.Nodes {
		if r.fleet.state(n.Node).Phase == supervisor.Paused {
			all = append(all, n.Node)
		}
	}
	return errors.Join(err, r.ask(supervisor.Resume, all))
}

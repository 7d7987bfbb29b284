package lab

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
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
	lab        *Lab
	plan       *scenario.Plan
	fleet      *fleet
	roles      *roles
	player     *scenario.Player
	load       *Load
	busy       *busy
	chance     *rand.Rand // for bits
	ways       []supervisor.Way
	armed      map[flotilla.NodeID]armed              // nodes that wait for a moment to crash at
	arms       int                                    // how often a node was told of a moment
	effects    effects                                // of the trouble
	conditions map[flotilla.NodeID]scenario.Condition // of disks and clocks
	full       map[flotilla.NodeID]full               // nodes whose disks are full, or were just now
	fullDeaths int                                    // of nodes whose disks were full
	damaged    map[flotilla.NodeID]*damaged           // nodes that may suffer from changed files
	pardoned   map[flotilla.NodeID]toll               // what those did that got over it
	looked     time.Time                              // when damaged nodes were looked at last
	exposed    map[flotilla.NodeID]*exposed
	excused    map[flotilla.NodeID]int // deaths of nodes that were meant, or that no node could have helped
	told       time.Time               // when the last line of progress was printed
}

// toldEvery is after how long a line of progress is printed.
const toldEvery = 10 * time.Second

// newRun begins a run: the clients start, and with them the time.
func newRun(l *Lab, f *fleet) *run {
	r := &run{
		lab: l, plan: l.Plan, fleet: f, player: scenario.NewPlayer(l.Plan),
		roles:   &roles{fleet: f, holders: map[flotilla.GroupID]map[flotilla.NodeID]bool{}},
		chance:  rand.New(rand.NewPCG(l.Seed, 0x62697473)),
		damaged: map[flotilla.NodeID]*damaged{}, pardoned: map[flotilla.NodeID]toll{}, exposed: map[flotilla.NodeID]*exposed{}, excused: map[flotilla.NodeID]int{},
		armed: map[flotilla.NodeID]armed{}, conditions: map[flotilla.NodeID]scenario.Condition{}, full: map[flotilla.NodeID]full{},
	}
	// In liveness mode each client demands of its node that it goes on.
	isLiveness := l.Plan.Mode == scenario.Liveness
	r.load = StartLoad(LoadOptions{
		Addresses: f.stores(func(id flotilla.NodeID) bool { return isLiveness && slices.Contains(l.Plan.Without, id) }),
		Groups:    l.Plan.Groups, Workload: l.Plan.Workload, Seed: l.Seed, Stays: isLiveness, Silence: maxSilence(l.Plan),
		DriftPPM: drift(l.Plan),
	})
	r.told, r.busy = r.load.Began, startBusy()
	r.log("%s at work", counted(l.Plan.Workload.Clients, "client"))
	return r
}

// maxSilence is for how long a group may leave something without an answer in a plan; zero: for
// as long as it likes.
func maxSilence(p *scenario.Plan) time.Duration {
	switch {
	case p.Demand.Silence > 0:
		return time.Duration(p.Demand.Silence) * time.Millisecond
	case p.Mode == scenario.Liveness:
		return time.Duration(scenario.MaxSilence) * time.Millisecond
	}
	return 0
}

// drift returns how far two clocks may run apart in a plan, in millionths.
func drift(p *scenario.Plan) (most int) {
	for _, s := range p.Steps {
		most = max(most, 2*s.DriftPPM, -2*s.DriftPPM)
	}
	return most
}

// play does what the plan says, until its end. Clients ask until the plan's duration
// is over; final steps come after that.
func (r *run) play(ctx context.Context) error {
	isOver := false
	for {
		at, ok := r.player.Next()
		if !ok {
			r.disarm(r.fleet.nodes()...)
			return nil
		}
		if !isOver {
			at = min(at, r.plan.Duration)
		}
		if isDue, err := r.wait(ctx, at); err != nil {
			return err
		} else if !isDue {
			continue
		}
		if at >= r.plan.Duration && !isOver {
			isOver = true
			r.load.Stop()
			r.log("the clients have ended: %s", r.load.Counts())
			r.countEffects()
		}
		now := r.now()
		if !isOver {
			now = min(now, r.plan.Duration-1) // however late we are, the clients end before the final steps
		}
		r.watchEffects()
		for _, order := range r.player.Play(now, r.roles) {
			r.log("%v", order)
			if err := r.carryOut(order); err != nil {
				return fmt.Errorf("%v: %w", order, err)
			}
		}
		if err := errors.Join(r.setLinks(), r.setConditions()); err != nil {
			return err
		}
	}
}

// wait waits for a time of the plan. It returns before if a node had its moment: there may
// be something to do earlier then.
func (r *run) wait(ctx context.Context, until flotilla.Millis) (isDue bool, err error) {
	for {
		if found, err := r.crashed(); found || err != nil {
			return false, err
		}
		r.lookAtFull()
		r.lookAtDamaged()
		left := time.Duration(until-r.now()) * time.Millisecond
		if left <= 0 {
			return true, ctx.Err()
		}
		if len(r.armed) > 0 {
			left = min(left, armedLook)
		}
		if len(r.damaged)+len(r.full) > 0 {
			left = min(left, damagedLook)
		}
		progress := toldEvery - time.Since(r.told)
		select {
		case <-ctx.Done():
			return false, ctx.Err()
		case <-r.fleet.ended:
			return false, fmt.Errorf("the fleet ended: %w", r.fleet.err)
		case <-time.After(min(left, max(progress, 0))):
		}
		if time.Since(r.told) >= toldEvery {
			r.told = time.Now()
			r.log("... %s", r.load.Counts())
		}
	}
}

// carryOut does to processes and files what an order says. What it does to links, disks
// and clocks is in the player's Network and Conditions.
func (r *run) carryOut(o scenario.Order) error {
	if o.Skipped != "" {
		return nil
	}
	switch o.Step.Verb {
	case scenario.Kill, scenario.Crash, scenario.Wipe, scenario.Restart:
		r.disarm(o.Nodes...)
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
		return r.damage(o, flip(o.Step.Bits, r.chance))
	case scenario.Clear:
		return r.damage(o, clearLast(o.Step.Bytes))
	case scenario.Transfer:
		return r.transfer(o)
	}
	return nil // links, disks and clocks: see setLinks and setConditions
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

func (r *run) wipe(nodes []flotilla.NodeID) error {
	err := r.ask(supervisor.Kill, nodes)
	for _, node := range nodes {
		r.pardon(node, r.toll(node))
		if err == nil {
			err = wipe(r.fleet.folder(node))
		}
		delete(r.exposed, node)
		r.pardoned[node] = toll{deaths: r.pardoned[node].deaths} // what was set aside is gone, too
	}
	return err
}

func (r *run) damage(o scenario.Order, change func(*os.File, int64) (string, error)) error {
	isDone := false
	for _, node := range o.Nodes {
		if why := r.refusesDamage(node, o.Step.File); why != "" {
			r.log("  %v: not done: %s", node, why)
			continue
		}
		before, starts := r.toll(node), r.fleet.state(node).Starts
		what, err := damage(r.fleet.folder(node), o.Step.File, change)
		if err != nil {
			r.log("  %v: %v", node, err) // there is no such file now: nothing to damage
			continue
		}
		if r.damaged[node] == nil {
			r.damaged[node] = &damaged{before: before, asides: noTable}
		}
		r.damaged[node].changes(o.Step.File, starts, before.asides)
		e := r.exposure(node)
		e.rotten = append(e.rotten, o.Step.File)
		r.log("  %v: %s", node, what)
		isDone = true
	}
	if !isDone {
		r.player.NotDone()
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
	if _, err := r.tell(supervisor.Request{Verb: supervisor.Links, Ways: r.ways}); err != nil {
		return fmt.Errorf("set the links: %w", err)
	}
	return nil
}

// tell has nodes told of what is wrong with them, and does not wait for those that do
// not answer: they are told again. It reports whether all have heard.
func (r *run) tell(request supervisor.Request) (haveHeard bool, err error) {
	said, err := r.fleet.do(request, linksWait)
	if err != nil && (errors.Is(err, context.DeadlineExceeded) || strings.Contains(err.Error(), "did not answer in time")) {
		return false, nil
	}
	return err == nil && hasHeard(said), err
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

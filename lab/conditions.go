package lab

import (
	"fmt"
	"time"

	"flotilla"
	"flotilla/cluster"
	"flotilla/lab/powercut"
	"flotilla/scenario"
	"flotilla/supervisor"
)

// setConditions makes the nodes' disks and clocks as the player has them. A node that
// does not listen now is told of its clocks until it does.
func (r *run) setConditions() error {
	for node := flotilla.NodeID(1); int(node) <= r.plan.Nodes; node++ {
		before, now := r.conditions[node], r.player.Condition(node)
		if now == before {
			continue
		}
		r.conditions[node] = now
		if r.fleet.disks != nil {
			r.setDisk(node, before, now)
		}
		if now.Offset == before.Offset && now.DriftPPM == before.DriftPPM {
			continue
		}
		skew := cluster.Skew{OffsetMillis: now.Offset, DriftPPM: now.DriftPPM}
		r.load.clocks.ordered(node, skew, r.load.now())
		heard, err := r.tell(supervisor.Request{Verb: supervisor.Clock, Nodes: []flotilla.NodeID{node}, Clock: skew})
		if err != nil {
			return fmt.Errorf("set the clocks of %v: %w", node, err)
		}
		if heard {
			r.load.clocks.told(node, r.load.now())
		}
	}
	return nil
}

// setDisk makes a disk slow or full.
func (r *run) setDisk(node flotilla.NodeID, before, now scenario.Condition) {
	r.fleet.disks.mounted[node].SetFaults(powercut.Faults{
		LeastDelay: time.Duration(now.DiskDelay.Least) * time.Millisecond,
		MostDelay:  time.Duration(now.DiskDelay.Most) * time.Millisecond,
		IsFull:     now.IsFull,
	})
	f, wasFull := r.full[node]
	switch {
	case now.IsFull && !wasFull:
		r.full[node] = full{deaths: r.fleet.state(node).Deaths}
	case now.IsFull:
		r.full[node] = full{deaths: f.deaths}
	case before.IsFull && wasFull:
		r.full[node] = full{deaths: f.deaths, roomAt: time.Now()}
	}
}

// full is a disk that is full, or was a moment ago. Its node may end, which is not its fault: what
// it can not write down it must not go on without.
type full struct {
	deaths int       // of the node before
	roomAt time.Time // when there was room again; zero: there is none
}

// lastWords is for how long a node may still end of a write that its disk refused just before there
// was room again: it says so in its log first, and its process ends.
const lastWords = time.Second

// lookAtFull ends the excuse of those whose disks have had room for long enough.
func (r *run) lookAtFull() {
	for node, f := range r.full {
		if !f.roomAt.IsZero() && time.Since(f.roomAt) > lastWords {
			r.hasRoom(node)
		}
	}
}

// hasRoom excuses the deaths of a node of a full disk. Those that come from now on have another reason.
func (r *run) hasRoom(node flotilla.NodeID) {
	if f, wasFull := r.full[node]; wasFull {
		deaths := r.fleet.state(node).Deaths - f.deaths
		r.excused[node] += deaths
		r.fullDeaths += deaths
		delete(r.full, node)
		r.log("%v: over its full disk", node)
	}
}

// transfer asks for a new leader. Nobody has to obey: the leader may have changed just
// now, or nobody else may be near enough.
func (r *run) transfer(o scenario.Order) error {
	order := supervisor.Order{Group: o.Step.Group, To: o.To}
	said, err := r.fleet.do(supervisor.Request{Verb: supervisor.Transfer, Order: order}, requestWait)
	if err != nil {
		r.log("  not done: %s %v", said, err)
		r.player.NotDone()
	}
	return nil
}

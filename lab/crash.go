package lab

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"flotilla"
	"flotilla/lab/powercut"
	"flotilla/scenario"
	"flotilla/supervisor"
)

// crash takes the power away. What was written and not synced stays, as with Kill,
// unless the step says that it is lost.
func (r *run) crash(o scenario.Order) error {
	if o.Step.Boundary != "" {
		for _, node := range o.Nodes {
			r.arm(node, o.Step)
		}
		return nil
	}
	if o.Step.Loss == scenario.LoseNothing {
		return r.ask(supervisor.Kill, o.Nodes)
	}
	losing := r.losing(o.Nodes)
	before := map[flotilla.NodeID]int{}
	for _, node := range o.Nodes {
		before[node] = r.fleet.state(node).Deaths
	}
	// All disks first: no node may hear of the others' end and write that down.
	err := r.fleet.disks.cut(losing, o.Step.Loss, r.chance)
	if err == nil {
		err = r.ask(supervisor.Kill, o.Nodes)
	}
	for _, node := range o.Nodes {
		r.excuse(node, r.fleet.state(node).Deaths-before[node])
	}
	r.fleet.disks.restore(losing)
	for _, node := range losing {
		r.exposure(node).hasLost = true
	}
	return err
}

// armed is a crash that waits for its moment in a node.
type armed struct {
	order  supervisor.Order
	isTold bool // the node has it; until then it is down, or has only just been started
	deaths int  // of the node until then
	cuts   bool // the node's disk
}

const (
	// armedLook is how often nodes are looked at that wait for a moment.
	armedLook = 20 * time.Millisecond
	// deathWait is how long a node that does not listen any more may take to be gone.
	deathWait = 2 * time.Second
)

// arm has a node end itself at a moment of its writes: package lab/moment does that in
// the node, and asks the disk to forget first if the step says so.
func (r *run) arm(node flotilla.NodeID, s scenario.Step) {
	r.arms++ // no proof is taken for that of an earlier moment
	proof := filepath.Join(r.fleet.folder(node), fmt.Sprintf("moment-%d", r.arms))
	a := armed{order: supervisor.Order{Moment: string(s.Boundary), Proof: proof}, cuts: s.Loss != scenario.LoseNothing && len(r.losing([]flotilla.NodeID{node})) > 0}
	if a.cuts {
		var torn *uint64
		if s.Loss == scenario.LoseSome {
			torn = new(r.chance.Uint64())
		}
		r.fleet.disks.mounted[node].CutWhenAsked(torn)
		a.order.Touch = filepath.Join(r.fleet.folder(node), dataDir, powercut.Trigger)
	}
	r.armed[node] = r.tellMoment(node, a)
}

// tellMoment gives a node the order, if it listens.
func (r *run) tellMoment(node flotilla.NodeID, a armed) armed {
	state := r.fleet.state(node)
	a.deaths = state.Deaths
	if state.Phase == supervisor.Running {
		_, err := r.fleet.do(supervisor.Request{Verb: supervisor.Crash, Nodes: []flotilla.NodeID{node}, Order: a.order}, linksWait)
		a.isTold = err == nil || r.hadMoment(node, a) // before it could answer
	}
	return a
}

// hadMoment reports whether a node ended, and at its moment: it has left proof.
func (r *run) hadMoment(node flotilla.NodeID, a armed) bool {
	_, err := os.Stat(a.order.Proof)
	return err == nil && r.fleet.state(node).Deaths > a.deaths
}

// crashed looks which nodes had their moment. They are kept down until their time is
// over. One that ended in another way does not wait any more, as its next process does not.
func (r *run) crashed() (found bool, err error) {
	for _, node := range r.fleet.nodes() {
		a, isArmed := r.armed[node]
		if isArmed && !a.isTold {
			a = r.tellMoment(node, a)
			r.armed[node] = a
		}
		if !isArmed || !a.isTold || r.fleet.state(node).Deaths == a.deaths {
			continue
		}
		if !r.hadMoment(node, a) {
			r.log("%v ended, and not at its moment", node)
			r.forgive(node)
			continue
		}
		r.log("%v had its moment", node)
		if err := r.ask(supervisor.Kill, []flotilla.NodeID{node}); err != nil {
			return found, err
		}
		r.forgive(node)
		r.player.Crashed(node, r.now())
		found = true
	}
	return found, nil
}

// disarm has nodes not wait for a moment any more. One that had it just now is not to
// blame for its end, which may be a moment away.
func (r *run) disarm(nodes ...flotilla.NodeID) {
	for _, node := range nodes {
		a, isArmed := r.armed[node]
		if !isArmed {
			continue
		}
		_, err := r.fleet.do(supervisor.Request{Verb: supervisor.Crash, Nodes: []flotilla.NodeID{node}}, linksWait)
		for deadline := time.Now().Add(deathWait); err != nil && a.isTold && time.Now().Before(deadline); <-time.After(armedLook) {
			if s := r.fleet.state(node); s.Deaths > a.deaths || s.Phase != supervisor.Running {
				break
			}
		}
		r.forgive(node)
	}
}

// excuse says of some of a node's deaths that they were brought about. A disk that is full does
// not excuse them once more.
func (r *run) excuse(node flotilla.NodeID, deaths int) {
	r.excused[node] += deaths
	if f, isFull := r.full[node]; isFull {
		f.deaths += deaths
		r.full[node] = f
	}
}

// forgive ends the wait for a node's moment. Only the end that this brought is excused, and those
// of processes that were started on a disk without power before anybody looked.
func (r *run) forgive(node flotilla.NodeID) {
	a := r.armed[node]
	delete(r.armed, node)
	hadMoment := r.hadMoment(node, a)
	switch {
	case hadMoment && a.cuts:
		r.excuse(node, r.fleet.state(node).Deaths-a.deaths)
	case hadMoment:
		r.excuse(node, 1)
	}
	if a.cuts {
		if hadMoment {
			r.exposure(node).hasLost = true
		}
		r.fleet.disks.mounted[node].Forgive()
		r.fleet.disks.restore([]flotilla.NodeID{node})
	}
}

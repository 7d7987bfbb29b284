package sim

import (
	"fmt"
	"slices"

	"flotilla"
	"flotilla/scenario"
	"flotilla/transport"
)

// now is the time of the plan, which begins when the cluster serves.
func (w *world) planTime() flotilla.Millis { return millisOf(w.now - w.zero) }

// follow has the player asked again when it has something to do. It may be called too often.
func (w *world) follow() {
	if at, ok := w.player.Next(); ok {
		w.after(w.zero+durationOf(at)-w.now, w.play)
	}
}

// play carries out what is due. Final steps wait for the clients' end.
func (w *world) play() {
	at, ok := w.player.Next()
	if !ok || w.isCalm || at > w.planTime() || at >= w.plan.Duration && !w.isFinal {
		return
	}
	for _, o := range w.player.Play(w.planTime(), roles{w}) {
		w.tell("%v", o)
		w.note('o', 0, 0, []byte(o.String()))
		w.carryOut(o)
	}
	w.setConditions()
	w.follow()
}

// tell says something to whoever watches, with the time of the plan.
func (w *world) tell(format string, args ...any) {
	if w.opts.Log != nil {
		w.opts.Log(fmt.Sprintf("%9.3f s  %s", (w.now - w.zero).Seconds(), fmt.Sprintf(format, args...)))
	}
}

// carryOut does to nodes what an order says. Links, disks and clocks are made as the
// player has them, afterwards.
func (w *world) carryOut(o scenario.Order) {
	switch {
	case o.Skipped != "":
		w.count("step skipped")
		return
	case o.IsOver:
		return
	}
	s := o.Step
	w.count("step " + string(s.Verb))
	if s.Verb == scenario.Transfer {
		if !w.transfer(s.Group, o.To) {
			w.player.NotDone()
		}
		return
	}
	changed := 0 // nodes whose files were
	for _, id := range o.Nodes {
		n := w.node(id)
		switch s.Verb {
		case scenario.Kill:
			n.goDown(scenario.LoseNothing)
		case scenario.Crash:
			n.cutPower(s)
		case scenario.Wipe:
			n.wipe()
		case scenario.Start:
			n.startIfDown()
		case scenario.Restart:
			n.restart()
		case scenario.Pause:
			n.pause()
		case scenario.Resume:
			n.resume()
		case scenario.Flip, scenario.Clear:
			if w.damage(n, s) {
				changed++
			}
		}
	}
	if (s.Verb == scenario.Flip || s.Verb == scenario.Clear) && changed == 0 {
		w.player.NotDone()
	}
}

// transfer has a group's leader asked to hand over, and reports whether it was; to is 0 if it may choose.
func (w *world) transfer(group flotilla.GroupID, to flotilla.NodeID) bool {
	leader := roles{w}.Leader(group)
	if leader == 0 || w.node(leader).isPaused {
		return false
	}
	n := w.node(leader)
	if to == 0 {
		others := slices.DeleteFunc(roles{w}.Holders(group), func(id flotilla.NodeID) bool { return id == leader })
		if len(others) == 0 {
			return false
		}
		to = others[w.trouble.IntN(len(others))]
	}
	if n.core.Transfer(group, to) != nil {
		return false
	}
	w.count("leader asked to hand over")
	n.wake(w.now)
	return true
}

// setConditions makes links, disks and clocks as the player has them, or good.
func (w *world) setConditions() {
	for _, n := range w.nodes {
		c := scenario.Condition{}
		if !w.isCalm {
			c = w.player.Condition(n.id)
		}
		n.slow, n.isFull = c.DiskDelay, c.IsFull
		n.clock.set(w.now, c.Offset, float64(c.DriftPPM)/1e6)
	}
	for _, a := range w.nodes {
		for _, b := range w.nodes {
			if a != b {
				w.setLink(a.id, b.id)
			}
		}
	}
}

// linkMillis is how long a message is on its way at most when all is well.
const linkMillis = 1

func (w *world) setLink(from, to flotilla.NodeID) {
	f := scenario.Fault{}
	if !w.isCalm {
		f = w.player.Network().Fault(from, to)
	}
	f.JitterMillis = min(f.JitterMillis+linkMillis, scenario.MaxDelay)
	at := link{from, to}
	if w.links[at] == f {
		return
	}
	w.links[at] = f
	if err := w.network.SetFault(from, to, transport.Fault(f)); err != nil {
		w.fault("a fault of the plan is refused: %v", err)
	}
}

// link is a direction between two nodes.
type link struct{ from, to flotilla.NodeID }

// roles answers the player's questions: who leads, and who has copies.
type roles struct{ *world }

var _ scenario.Cluster = roles{}

// Leader is whom a node believes to lead in the newest term that any knows of, if that
// node is up.
func (r roles) Leader(group flotilla.GroupID) (leader flotilla.NodeID) {
	var term uint64
	for _, n := range r.nodes {
		if n.core == nil {
			continue
		}
		for _, g := range n.core.Topology().Groups {
			if g.ID == group && g.Leader != 0 && g.Term > term {
				term, leader = g.Term, g.Leader
			}
		}
	}
	if leader == 0 || r.node(leader).core == nil {
		return 0
	}
	return leader
}

// Holders is what the newest directory says that any node knows of.
func (r roles) Holders(group flotilla.GroupID) (holders []flotilla.NodeID) {
	var newest *flotilla.Topology
	for _, n := range r.nodes {
		if n.core != nil && (newest == nil || n.core.Topology().Version > newest.Version) {
			newest = n.core.Topology()
		}
	}
	if newest == nil {
		return nil
	}
	for _, g := range newest.Groups {
		if g.ID == group {
			return slices.Sorted(slices.Values(g.Nodes))
		}
	}
	return nil
}

package sim

import (
	"time"

	"flotilla"
	"flotilla/cluster"
	"flotilla/consensus"
	"flotilla/transport"
)

// healthy is a way with nothing wrong: a fraction of a millisecond long.
var healthy = transport.Fault{JitterMillis: 1}

// farAhead is a clock that is set so wrongly that all sessions end.
const farAhead = 2 * consensus.SessionMillis

// schedule has a plan's steps happen in their time.
func (w *world) schedule(plan Plan) {
	for _, s := range plan {
		w.after(s.At-w.now, func() {
			if !w.isCalm {
				w.carryOut(s)
			}
		})
	}
}

// carryOut makes one piece of trouble.
func (w *world) carryOut(s Step) {
	n := w.target(s.Node)
	w.count("step " + string(s.Verb))
	switch s.Verb {
	case Heal:
		w.heal()
	case Disturb:
		w.everyWay(func(from, to flotilla.NodeID) transport.Fault { return s.Fault })
	case Blackout:
		for _, n := range w.nodes {
			w.crash(n, s.For)
		}
	case Crash:
		if s.Boundary != "" {
			n.armed = s.Boundary
			return
		}
		w.crash(n, s.For)
	case Kill:
		if n.core != nil {
			n.crash(s.For)
		}
	case Pause:
		w.pause(n, s.For)
	case Isolate:
		w.isolate(n)
	case Cut:
		w.setFault(n.id, s.Peer, transport.Fault{Cut: true})
	case SetClock:
		n.clock.offset += s.Millis
	case Drift:
		n.clock.setDrift(w.now, s.Share)
	case SlowDisk:
		n.slow = s.For
	case FullDisk:
		n.isFull = true
		w.after(s.For, func() { n.isFull = false })
	case Wipe:
		w.lose(n, func() {
			n.drive.wipe()
			n.isWiped = true
			w.count("disk wiped")
		})
	case Rot:
		w.rot(n, s.File)
	}
}

// target returns a node; 0 is whoever leads a group, as far as anyone knows.
func (w *world) target(id flotilla.NodeID) *node {
	if id != 0 {
		return w.node(id)
	}
	var term uint64
	found := w.nodes[0]
	group := flotilla.GroupID(w.trouble.IntN(w.opts.Groups + 1))
	for _, n := range w.nodes {
		if n.core == nil {
			continue
		}
		for _, g := range n.core.Topology().Groups {
			if g.ID == group && g.Leader != 0 && g.Term > term {
				term, found = g.Term, w.node(g.Leader)
			}
		}
	}
	return found
}

func (w *world) crash(n *node, wait time.Duration) {
	if n.core != nil {
		n.losesUnsynced = true
		n.crash(wait)
	}
}

func (w *world) pause(n *node, d time.Duration) {
	if n.core == nil || n.isPaused {
		return
	}
	n.isPaused = true
	life := n.life
	w.after(d, func() {
		if n.life == life && n.core != nil {
			n.resume()
		}
	})
}

// resume lets a paused process go on.
func (n *node) resume() {
	n.isPaused = false
	n.wake(n.w.now)
}

func (w *world) setFault(from, to flotilla.NodeID, f transport.Fault) {
	if err := w.network.SetFault(from, to, f); err != nil {
		w.fault("a fault of the plan is refused: %v", err)
	}
}

func (w *world) everyWay(fault func(from, to flotilla.NodeID) transport.Fault) {
	for _, a := range w.nodes {
		for _, b := range w.nodes {
			if a != b {
				w.setFault(a.id, b.id, fault(a.id, b.id))
			}
		}
	}
}

func (w *world) isolate(n *node) {
	for _, other := range w.nodes {
		if other != n {
			w.setFault(n.id, other.id, transport.Fault{Cut: true})
			w.setFault(other.id, n.id, transport.Fault{Cut: true})
		}
	}
}

// heal makes all ways good, and clocks and disks as well.
func (w *world) heal() {
	w.everyWay(func(flotilla.NodeID, flotilla.NodeID) transport.Fault { return healthy })
	for _, n := range w.nodes {
		n.slow, n.isFull = fastSync, false
	}
}

// fastSync is how long a synced write takes at most when the disk is well.
const fastSync = time.Millisecond

// lose has a node lose data while it is down, if all nodes hold all copies, and
// these vote: then the others hold all that was promised.
func (w *world) lose(n *node, how func()) {
	if w.lossesLeft == 0 || !w.isWhole() {
		return
	}
	w.lossesLeft--
	n.losesUnsynced = false // see doc.go: rot and a power cut at once are more than is promised
	n.crash(between(w.trouble, 0, 2*time.Second))
	how()
}

// isWhole reports whether every node is up and has a voting copy of every group.
func (w *world) isWhole() bool {
	for _, n := range w.nodes {
		if n.core == nil || n.isDying || !isWhole(n.core.Status()) {
			return false
		}
	}
	return true
}

func isWhole(st cluster.Status) bool {
	for _, g := range st.Groups {
		if !g.IsHere || g.Role == "learner" || g.Applied == 0 {
			return false
		}
	}
	return !st.Quarantined
}

// noteLeaders holds who a node believes to lead against what others believed.
func (w *world) noteLeaders(n *node) {
	t := n.core.Topology()
	if t == n.topology {
		return
	}
	n.topology = t
	for _, g := range t.Groups {
		if g.Leader == 0 {
			continue
		}
		at := reign{group: g.ID, term: g.Term}
		if before, ok := w.leaders[at]; ok && before != g.Leader {
			w.fault("two nodes lead %v in term %d: %v and %v", g.ID, g.Term, before, g.Leader)
		}
		w.leaders[at] = g.Leader
	}
}

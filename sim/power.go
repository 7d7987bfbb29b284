package sim

import (
	"time"

	"flotilla/cluster"
	"flotilla/scenario"
	"flotilla/storage"
)

// How a node's process ends and begins: what a plan says of processes.

// armed is a power cut that waits for its moment.
type armed struct {
	boundary scenario.Boundary // empty: none waits
	loss     scenario.Loss
}

// meets reports whether a moment of the disk is the one that is waited for. A vote is
// an append, too.
func (a armed) meets(at storage.Boundary, isVoting bool) bool {
	switch a.boundary {
	case "":
		return false
	case scenario.BeforeVote:
		return isVoting && at == storage.BeforeAppend
	case scenario.AfterVote:
		return isVoting && at == storage.AfterAppend
	}
	return string(a.boundary) == string(at)
}

// cutsPower is asked at each boundary whether the power goes out here.
func (n *node) cutsPower(at storage.Boundary) bool {
	if !n.armed.meets(at, n.isVoting) {
		return false
	}
	n.fire()
	return true
}

// fire is the moment that a power cut waited for: the node goes down soon, and nothing
// reaches its disk any more.
func (n *node) fire() {
	n.w.count("crash " + string(n.armed.boundary))
	n.loss, n.armed, n.hasFired = n.armed.loss, armed{}, true
}

// cutPower takes the power away, now or when a moment comes.
func (n *node) cutPower(s scenario.Step) {
	if s.Boundary != "" {
		n.armed = armed{s.Boundary, s.Loss}
		return
	}
	n.goDown(s.Loss)
}

// goDown ends the node at once, if it is up.
func (n *node) goDown(loss scenario.Loss) {
	n.armed = armed{}
	if n.core == nil {
		n.leave() // if it was about to start, it does not
		return
	}
	if !n.hasFired {
		n.loss = loss
	}
	n.hasFired = false // this order counts now: the player knows
	n.crash()
}

// die is the end of a life whose last messages still leave.
func (n *node) die(wait time.Duration) {
	n.isDying = true
	life := n.life
	n.w.after(wait, func() {
		if n.life == life && n.core != nil {
			n.crash()
		}
	})
}

// crash ends a life. What the disk loses is in n.loss.
func (n *node) crash() {
	w := n.w
	w.note('c', uint64(n.id), n.life, nil)
	w.count("crash")
	n.harvest()
	for _, j := range n.jobs {
		j.Drop()
	}
	for _, f := range n.in.Frames {
		f.Drop()
	}
	waiters := n.waiters
	n.leave()
	n.drive.crash(n.loss)
	n.loss = scenario.LoseNothing
	for _, x := range waiters {
		x.ended(false)
	}
	if n.hasFired {
		n.hasFired = false
		w.tell("%v: the moment has come", n.id)
		w.player.Crashed(n.id, w.planTime())
		w.follow()
	}
}

// leave takes the process away.
func (n *node) leave() {
	n.w.network.Detach(n.id)
	if n.core != nil {
		n.diedAt = n.w.now
	}
	n.core, n.waiters, n.jobs, n.in = nil, nil, nil, cluster.Input{}
	n.armed, n.isPaused, n.isDying = armed{}, false, false
	n.w.lives++
	n.life = n.w.lives
}

// quickRestart is how soon a node that comes back was not missed by anyone.
const quickRestart = 30 * time.Millisecond

// startIfDown starts a node that is down, or that is just going down.
func (n *node) startIfDown() {
	if n.core != nil && n.isDying {
		n.crash()
	}
	if n.core != nil {
		return
	}
	if n.w.now-n.diedAt <= quickRestart {
		n.w.count("restart within 30 ms")
	}
	n.start()
}

// wipe replaces the disk by an empty one.
func (n *node) wipe() {
	n.goDown(scenario.LoseNothing)
	n.drive.wipe()
	n.isWiped = true
	n.w.count("disk wiped")
}

// A node that stops in good order tries for so long to give its leaders away, as the
// program does; then it takes a moment until it is there again.
const (
	drainFor  = 2 * time.Second
	leastBoot = 50 * time.Millisecond
	mostBoot  = 500 * time.Millisecond
)

// restart stops the node in good order, and starts it again.
func (n *node) restart() {
	n.armed = armed{}
	if n.core == nil || n.isDying {
		n.startIfDown()
		return
	}
	n.resume()
	n.drain(n.life, n.leads(), n.w.now+drainFor)
}

// drain gives leaders away, of which there were some, until none is left, or until a time; then the
// node stops.
func (n *node) drain(life uint64, led int, until time.Duration) {
	w := n.w
	if n.life != life || n.core == nil || n.isDying {
		return
	}
	if n.core.Drain() > 0 && w.now < until {
		n.wake(w.now)
		w.after(durationOf(tickMillis), func() { n.drain(life, led, until) })
		return
	}
	w.effects.handOvers += max(0, led-n.leads())
	n.stop()
	w.count("restart in good order")
	life = n.life
	w.after(between(w.trouble, leastBoot, mostBoot), func() {
		if n.life == life {
			n.start()
		}
	})
}

// stop ends a life in good order: all calls are answered, and the disk is closed.
func (n *node) stop() {
	w := n.w
	w.note('e', uint64(n.id), n.life, nil)
	n.harvest()
	for _, j := range n.jobs {
		j.Drop()
	}
	n.core.Stop(&n.in)
	for _, x := range n.waiters {
		if !x.isAnswered {
			<-x.pending.Done() // its session may go on elsewhere, and use it again
		}
		n.core.Finish(x.pending)
		x.ended(true)
	}
	n.leave()
	if err := n.drive.stop(); err != nil {
		w.fault("%v can not close its disk: %v", n.id, err)
	}
}

package supervisor

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"flotilla"
	"flotilla/cluster"
)

// loop is a running fleet. Its goroutine, that of Fleet.Run, owns all fields
// but the channels.
type loop struct {
	fleet   *Fleet
	timing  Timing
	token   string
	members []*member
	procs   []*process // by member; nil: no process
	logs    []*logFile
	labs    []*lab
	network *Network
	clocks  []cluster.Skew    // by member
	disks   []flotilla.Millis // by member: how much longer its synced writes take
	plan    Plan              // as it was last written

	playing atomic.Pointer[play] // the run of a plan, or the last one; nil: there was none

	isStopping bool
	startErr   error // the first start of a node failed: the fleet can not run at all

	exits    chan exit            // never closed; has room for every process there can be
	requests chan request         // never closed
	firsts   chan flotilla.NodeID // never closed
	backs    chan flotilla.NodeID // never closed: nodes that died, and answer again
	played   chan struct{}        // never closed; one slot: the run of a plan has ended
	done     chan struct{}
	waiters  sync.WaitGroup // one for each process, and for each that is expected back
}

// exit is the end of a member's process.
type exit struct {
	index int
	end   ending
}

// request is one of the control endpoint's, on its way to the loop.
type request struct {
	Request
	reply chan<- outcome // has room for the one reply
}

// outcome is what the loop answers: lines for people, and what is still going on
// and may be waited for.
type outcome struct {
	lines []string
	err   error
	told  []telling
	asked []asking
	gone  []<-chan struct{} // of processes that were killed
}

func newLoop(f *Fleet, token string) *loop {
	n := len(f.Plan.Nodes)
	l := &loop{
		fleet:    f,
		timing:   f.Timing.orDefaults(),
		token:    token,
		procs:    make([]*process, n),
		network:  newNetwork(f.Plan.Nodes),
		clocks:   make([]cluster.Skew, n),
		disks:    make([]flotilla.Millis, n),
		exits:    make(chan exit, n),
		requests: make(chan request),
		firsts:   make(chan flotilla.NodeID),
		backs:    make(chan flotilla.NodeID),
		plan:     f.Plan,
		played:   make(chan struct{}, 1),
		done:     make(chan struct{}),
	}
	l.plan.Nodes = slices.Clone(f.Plan.Nodes) // Fleet.Plan belongs to others
	for _, node := range f.Plan.Nodes {
		l.members = append(l.members, &member{plan: node, timing: l.timing, phase: Waiting})
		l.labs = append(l.labs, newLab(node, token, l.timing))
	}
	return l
}

func (l *loop) openLogs() error {
	for _, m := range l.members {
		log, err := openLog(filepath.Join(l.fleet.Dir, m.plan.Name()), maxLogBytes)
		if err != nil {
			return err
		}
		l.logs = append(l.logs, log)
	}
	return nil
}

func (l *loop) closeLogs() error {
	var err error
	for _, log := range l.logs {
		err = errors.Join(err, log.Close())
	}
	return err
}

// run starts what is due, and reacts to what happens, until the fleet was told
// to stop and no process is left.
func (l *loop) run(ctx, hard context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	stop, kill := ctx.Done(), hard.Done()
	for {
		now := time.Now()
		l.startDue(now)
		l.killOverdue(now)
		l.publish()
		if l.isStopping && l.alive() == 0 && !l.play().IsRunning {
			break
		}
		timer.Reset(l.untilNext(now))
		select {
		case e := <-l.exits:
			l.exited(e, time.Now())
		case r := <-l.requests:
			out := l.carryOut(r.Request, time.Now())
			l.publish() // whoever is told finds the new states
			r.reply <- out
		case node := <-l.firsts:
			l.hasStarted(node)
		case node := <-l.backs:
			m := l.members[l.index(node)]
			l.fleet.notify("%s is back up (pid %d)", m.plan.Name(), m.pid)
		case <-l.played:
		case <-timer.C:
		case <-stop:
			l.stopAll(time.Now())
			stop = nil
		case <-kill:
			l.killAll(time.Now())
			kill = nil
		}
	}
	close(l.done)
	l.waiters.Wait()
	return l.startErr
}

// startDue starts every node whose time has come.
func (l *loop) startDue(now time.Time) {
	for i, m := range l.members {
		if l.isStopping || m.phase != Waiting || now.Before(m.startAt) {
			continue
		}
		p, err := startProcess(l.fleet.Command(l.launch(i)), l.logs[i])
		if err != nil && m.starts == 0 {
			l.startErr = err
			l.stopAll(now)
			return
		}
		if err != nil {
			m.ended(now)
			l.fleet.notify("%s could not be started: %v; trying again in %v", m.plan.Name(), err, m.pause)
			continue
		}
		l.procs[i] = p
		if plan := m.plan; m.starts > 0 { // a copy: the loop goes on changing its own
			l.waiters.Go(func() { l.noteBack(plan, p) })
		}
		m.started(p.pid(), now)
		l.waiters.Go(func() { l.exits <- exit{index: i, end: p.wait()} })
	}
}

func (l *loop) launch(i int) Launch {
	node := l.members[i].plan
	return Launch{
		Plan:   l.plan,
		Node:   node,
		Dir:    l.fleet.nodeDir(node),
		Token:  l.token,
		Faults: l.document(i),
	}
}

// killOverdue kills what was asked to end and does not.
func (l *loop) killOverdue(now time.Time) {
	for i, m := range l.members {
		if !m.isOverdue(now) || l.procs[i] == nil {
			continue
		}
		l.fleet.notify("%s did not stop within %v: killing it", m.plan.Name(), l.timing.StopWait)
		l.kill(i)
	}
}

func (l *loop) kill(i int) {
	if err := l.procs[i].kill(); err != nil {
		l.fleet.notify("%s: %v", l.members[i].plan.Name(), err)
	}
}

// untilNext returns how long there is nothing to do, if nothing happens.
func (l *loop) untilNext(now time.Time) time.Duration {
	next := time.Hour
	for i, m := range l.members {
		if at := m.wakeAt(); !at.IsZero() && !(l.isStopping && l.procs[i] == nil) {
			next = min(next, at.Sub(now))
		}
	}
	return max(next, 0)
}

func (l *loop) exited(e exit, now time.Time) {
	m := l.members[e.index]
	p := l.procs[e.index]
	l.procs[e.index] = nil
	_ = p.stdin.Close() // a second time, mostly
	defer func() {      // whoever is told finds the new states
		l.publish()
		close(p.gone)
	}()
	lived := now.Sub(m.startedAt).Round(time.Millisecond)
	bySelf := m.ended(now)
	if m.isWiped {
		l.wipe(e.index, now)
	}
	if !bySelf || l.isStopping {
		return
	}
	l.fleet.notify("%s died after %v (%s): starting it again in %v", m.plan.Name(), lived, e.end.how, m.pause)
	// A node that was killed from outside did not know that these are its last words.
	if last := l.logs[e.index].LastLine(); last != "" && !e.end.isSignal {
		l.fleet.notify("  its last words: %s", last)
		l.fleet.notify("  all of them: %s", l.logs[e.index].path)
	}
}

func (l *loop) stopAll(now time.Time) {
	l.isStopping = true
	_ = l.stopPlay() // if there is one
	for i, p := range l.procs {
		if p != nil {
			l.members[i].ending(false, now)
			p.stop()
		}
	}
}

func (l *loop) killAll(now time.Time) {
	l.isStopping = true
	_, _ = l.stopPlay(), l.stopPlay() // the second time kills it
	for i, p := range l.procs {
		if p != nil {
			l.members[i].ending(false, now)
			l.kill(i)
		}
	}
}

func (l *loop) alive() int {
	alive := 0
	for _, p := range l.procs {
		if p != nil {
			alive++
		}
	}
	return alive
}

func (l *loop) publish() {
	states := make([]MemberState, 0, len(l.members))
	for _, m := range l.members {
		states = append(states, m.state())
	}
	l.fleet.states.Store(&states)
}

// index returns a node's place in the loop's slices.
func (l *loop) index(node flotilla.NodeID) int { return int(node) - 1 }

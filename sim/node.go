package sim

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"time"

	"flotilla"
	"flotilla/cluster"
	"flotilla/storage"
	"flotilla/store"
	"flotilla/transport"
)

// node is a process and the machine that it runs on. It does for a cluster.Core
// what cluster.Server does: what has arrived waits for the next turn.
type node struct {
	w     *world
	id    flotilla.NodeID
	drive drive
	clock nodeClock

	// What follows is of one life: it is made by start and forgotten by crash.
	life      uint64
	core      *cluster.Core // nil while it is down
	disk      *tapDisk
	port      *transport.Port
	in        cluster.Input
	waiters   []*waiter
	jobs      []*cluster.SnapshotJob // views that are open
	turnAt    time.Duration          // when the next turn is due; never if it is not
	lag       time.Duration          // how long the disk has taken in this turn
	busyUntil time.Duration
	hasTicked bool
	topology  *flotilla.Topology // the last that was looked at
	isPaused  bool
	isDying   bool // the power is out, and what it has sent still leaves

	isWiped       bool             // its disk was replaced: it must ask for new copies
	diedAt        time.Duration    // when it last went down
	restartAt     time.Duration    // when it comes back by itself; never if it does not
	armed         storage.Boundary // where the power goes out next
	isVoting      bool             // the append at hand has a vote in it
	losesUnsynced bool             // what the next crash does
	slow          time.Duration    // how long a synced write takes at most
	isFull        bool
}

// never is a time that does not come.
const never time.Duration = 1<<63 - 1

// waiter is a call that a node has not answered yet.
type waiter struct {
	pending    *cluster.Pending
	isAnswered bool            // and the answer is on its way
	ended      func(isOK bool) // false: the node has died
}

// nodeClock is a node's own time.
type nodeClock struct {
	offset flotilla.Millis // how far the wall clock is off
	drift  float64         // how much too fast it is
	local  time.Duration   // what it had counted
	since  time.Duration   // when the world's clock said so
	born   time.Duration   // local, when the process was started
}

func (c *nodeClock) elapsed(now time.Duration) time.Duration {
	return c.local + time.Duration(float64(now-c.since)*(1+c.drift))
}

// setDrift changes how fast the clock is, without a jump.
func (c *nodeClock) setDrift(now time.Duration, drift float64) {
	c.local, c.since, c.drift = c.elapsed(now), now, drift
}

func (n *node) wall() flotilla.Millis {
	return began + n.clock.offset + flotilla.Millis(n.clock.elapsed(n.w.now)/time.Millisecond)
}

func (n *node) mono() flotilla.Millis {
	return flotilla.Millis((n.clock.elapsed(n.w.now) - n.clock.born) / time.Millisecond)
}

// tickMillis is as in production.
const tickMillis flotilla.Millis = 50

// start begins a life.
func (n *node) start() {
	w := n.w
	w.lives++
	n.life, n.in, n.waiters, n.jobs = w.lives, cluster.Input{}, nil, nil
	n.turnAt, n.restartAt, n.busyUntil, n.hasTicked, n.isPaused, n.isDying = never, never, 0, false, false, false
	n.clock.born = n.clock.elapsed(w.now) - between(w.trouble, 0, time.Second)
	opened, err := n.drive.open(n)
	if err != nil {
		w.fault("%v can not open its disk: %v", n.id, err)
		return
	}
	n.disk = &tapDisk{Disk: opened.disk, node: n, asks: opened.asks}
	n.port = w.network.Attach(n.id, receiver{n})
	core, err := cluster.NewCore(cluster.Config{Cluster: "sim", Self: n.id, Members: w.members(), Groups: w.opts.Groups,
		Machines: map[flotilla.System]flotilla.Machine{flotilla.SystemStore: store.Machine{}}, Disk: n.disk, Transport: line{n, n.life},
		Log: slog.New(slog.DiscardHandler), IsBootstrap: !n.isWiped, Lost: opened.lost, ForgetLost: opened.forget,
		Incarnation: w.lives, TickMillis: tickMillis, KeptEntries: w.opts.KeptEntries},
		cluster.Clocks{Wall: n.wall, Mono: n.mono})
	if err != nil {
		if !errors.Is(err, storage.ErrCrashed) {
			w.fault("%v can not start: %v", n.id, err)
		}
		n.crash(between(w.trouble, 0, time.Second))
		return
	}
	n.core = core
	w.note('s', uint64(n.id), n.life, nil)
	n.tick(between(w.trouble, 0, time.Duration(tickMillis)*time.Millisecond))
	n.wake(w.now)
}

func (w *world) members() []flotilla.NodeInfo {
	var all []flotilla.NodeInfo
	for i := range w.opts.Nodes {
		all = append(all, flotilla.NodeInfo{ID: flotilla.NodeID(i + 1)})
	}
	return all
}

// tick has the node told of its ticks, the first after wait. A paused process
// finds one tick when it goes on, however many it missed.
func (n *node) tick(wait time.Duration) {
	life := n.life
	n.w.after(wait, func() {
		if n.life != life || n.core == nil {
			return
		}
		n.hasTicked = true
		n.wake(n.w.now)
		n.tick(time.Duration(float64(tickMillis) * float64(time.Millisecond) / (1 + n.clock.drift)))
	})
}

// wake has the node take a turn, at a time or as soon as it can after it.
func (n *node) wake(at time.Duration) {
	at = max(at, n.busyUntil, n.w.now)
	if n.core == nil || n.turnAt <= at {
		return
	}
	n.turnAt = at
	life := n.life
	n.w.after(at-n.w.now, func() {
		if n.life == life && n.turnAt == at && n.core != nil {
			n.turnAt = never
			n.turn()
		}
	})
}

// turn lets the node do what there is to do.
func (n *node) turn() {
	if n.isPaused || n.isDying {
		return
	}
	n.lag = 0
	in := n.in
	n.in = cluster.Input{}
	if n.hasTicked {
		n.hasTicked = false
		n.core.Tick()
	}
	work, err := n.core.Turn(&in)
	n.busyUntil = n.w.now + n.lag + 1
	if err != nil {
		if !errors.Is(err, storage.ErrCrashed) {
			n.w.fault("%v stops: %v", n.id, err)
		}
		n.die(n.lag + 1)
		return
	}
	for i := range work.Snapshots {
		n.send(work.Snapshots[i])
	}
	for i := range work.Reads {
		n.serve(work.Reads[i])
	}
	n.answer()
	n.w.noteLeaders(n)
	if at := n.core.NextWake(); at != flotilla.Never {
		n.wake(n.w.now + time.Duration(max(0, at-n.mono()))*time.Millisecond)
	}
	if n.armed == afterReply && n.lag > 0 {
		n.armed = ""
		n.w.count("crash " + string(afterReply))
		n.die(n.lag + 2)
	}
}

// send streams a snapshot, a little later.
func (n *node) send(job cluster.SnapshotJob) {
	life := n.life
	n.jobs = append(n.jobs, &job)
	n.w.after(n.lag+between(n.w.trouble, time.Millisecond, 50*time.Millisecond), func() {
		if n.life != life || n.core == nil {
			return // the crash has closed the view
		}
		for i := range n.jobs {
			if n.jobs[i] == &job {
				n.jobs = append(n.jobs[:i], n.jobs[i+1:]...)
				break
			}
		}
		err := job.Send(context.Background(), n.snapshotLine())
		if err == nil {
			n.w.count("snapshot sent")
		}
		n.core.SnapshotDone(&job, err == nil)
		n.wake(n.w.now)
	})
}

// serve carries out another node's read.
func (n *node) serve(r cluster.RemoteRead) {
	n.w.count("read for another node")
	call := n.core.RemoteCall(&r)
	answer := func(isOK bool) {
		if isOK {
			n.core.Answer(&r, call)
			n.wake(n.w.now)
		}
	}
	if call.Err != nil {
		answer(true)
		return
	}
	n.ask(call, answer)
}

// ask hands a call to the node, which is up. ended is called once, now or later.
func (n *node) ask(call *flotilla.Call, ended func(isOK bool)) *waiter {
	p := n.core.Begin(call)
	if p == nil {
		ended(true)
		return nil
	}
	n.in.Calls = append(n.in.Calls, p)
	x := &waiter{pending: p, ended: ended}
	n.waiters = append(n.waiters, x)
	n.wake(n.w.now + between(n.w.chance, 0, 100*time.Microsecond))
	return x
}

// cancel tells the node that a call's caller has gone.
func (n *node) cancel(x *waiter) {
	x.ended = func(bool) {}
	if !x.isAnswered {
		n.in.Cancels = append(n.in.Cancels, x.pending)
		n.wake(n.w.now)
	}
}

// answer sends those calls' answers on their way that the turn has finished.
func (n *node) answer() {
	for _, x := range n.waiters {
		if x.isAnswered {
			continue
		}
		select {
		case <-x.pending.Done():
		default:
			continue
		}
		x.isAnswered = true
		life := n.life
		n.w.after(n.lag+between(n.w.chance, 0, 200*time.Microsecond), func() {
			if n.life == life && n.core != nil {
				n.finish(x)
			}
		})
	}
}

func (n *node) finish(x *waiter) {
	for i := range n.waiters {
		if n.waiters[i] == x {
			n.waiters = append(n.waiters[:i], n.waiters[i+1:]...)
			break
		}
	}
	n.core.Finish(x.pending)
	x.ended(true)
}

// die is the end of a life whose last messages still leave.
func (n *node) die(wait time.Duration) {
	n.isDying = true
	life := n.life
	n.w.after(wait, func() {
		if n.life == life && n.core != nil {
			n.crash(n.w.downTime())
		}
	})
}

// crash takes the power away. The node comes back after wait, or not if wait is never.
func (n *node) crash(wait time.Duration) {
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
	w.network.Detach(n.id)
	n.core, n.waiters, n.jobs, n.in = nil, nil, nil, cluster.Input{}
	n.armed, n.diedAt = "", w.now
	n.drive.crash(n.losesUnsynced)
	n.losesUnsynced = false
	for _, x := range waiters {
		x.ended(false)
	}
	w.lives++
	n.life = w.lives
	if wait == never {
		return
	}
	if wait <= quickRestart {
		w.count("restart within 30 ms")
	}
	life := n.life
	n.restartAt = w.now + wait
	w.after(wait, func() {
		if n.life == life {
			n.start()
		}
	})
}

// harvest adds what the node has counted in this life.
func (n *node) harvest() {
	if n.core == nil {
		return
	}
	st := n.core.Status()
	n.w.counts["leader elected"] += st.Elections
	n.w.counts["request answered from memory"] += st.Deduped
	n.w.counts["entry applied"] += st.Entries
	for _, g := range st.Groups {
		if g.First > 2 {
			n.w.count("log cut")
		}
	}
}

// receiver is the node as the network sees it.
type receiver struct{ *node }

// Receive takes a frame.
func (r receiver) Receive(from flotilla.NodeID, bytes []byte) {
	if r.core == nil || r.isDying {
		return
	}
	r.w.note('f', uint64(from), uint64(r.id), bytes)
	f, err := r.core.Decode(from, bytes)
	if err != nil {
		r.w.fault("%v can not read a frame of %v: %v", r.id, from, err)
		return
	}
	r.in.Frames = append(r.in.Frames, f)
	r.wake(r.w.now + between(r.w.chance, 0, 50*time.Microsecond))
}

// ReceiveSnapshot stores a snapshot aside.
func (r receiver) ReceiveSnapshot(_ context.Context, from flotilla.NodeID, header []byte, body io.Reader) error {
	if r.core == nil || r.isDying || r.isPaused {
		return errors.New("it is not there")
	}
	f, err := r.core.Stage(from, header, body)
	if err != nil {
		r.w.count("damaged snapshot refused")
		return err
	}
	r.w.note('S', uint64(from), uint64(r.id), header)
	r.in.Frames = append(r.in.Frames, f)
	r.wake(r.w.now)
	return nil
}

// snapshotLine is the way that a snapshot takes; now and then a bit of it is flipped.
func (n *node) snapshotLine() cluster.Transport {
	if n.w.isCalm || !n.w.happens(20) {
		return n.port
	}
	return damagedLine{Port: n.port, chance: n.w.trouble.Uint64()}
}

// damagedLine flips one bit of a snapshot, somewhere.
type damagedLine struct {
	*transport.Port
	chance uint64
}

// SendSnapshot streams a snapshot, which must be refused.
func (l damagedLine) SendSnapshot(ctx context.Context, to flotilla.NodeID, header []byte, body func(io.Writer) error) error {
	return l.Port.SendSnapshot(ctx, to, header, func(w io.Writer) error {
		var content bytes.Buffer
		if err := body(&content); err != nil {
			return err
		}
		all := content.Bytes()
		all[l.chance/8%uint64(len(all))] ^= 1 << (l.chance % 8)
		_, err := w.Write(all)
		return err
	})
}

// line is the transport of one life of a node: a frame leaves when the disk has
// done what was asked of it before.
type line struct {
	*node
	life uint64
}

// SetPeers names the nodes that may be talked to.
func (l line) SetPeers(addresses map[flotilla.NodeID]string) { l.port.SetPeers(addresses) }

// SendSnapshot is not used: send has the port itself.
func (l line) SendSnapshot(ctx context.Context, to flotilla.NodeID, header []byte, body func(io.Writer) error) error {
	return l.port.SendSnapshot(ctx, to, header, body)
}

// Send has a frame leave.
func (l line) Send(to flotilla.NodeID, frame []byte) {
	if l.lag == 0 {
		l.port.Send(to, frame)
		return
	}
	copied := append([]byte(nil), frame...)
	l.w.after(l.lag, func() {
		if l.node.life == l.life && l.core != nil {
			l.port.Send(to, copied)
		}
	})
}

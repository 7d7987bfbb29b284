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
	"flotilla/consensus"
	"flotilla/queue"
	"flotilla/scenario"
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
	unread    map[flotilla.NodeID][][]byte // frames in the sockets of a paused process, by peer
	late      []*flotilla.Call             // changes in them, of clients that have gone
	isDying   bool                         // the power is out, and what it has sent still leaves

	isWiped  bool             // its disk was replaced: it must ask for new copies
	diedAt   time.Duration    // when it last went down
	armed    armed            // the power cut that waits for its moment
	journal  *cluster.Journal // nil unless they are kept
	hasFired bool             // its moment has come: the node goes down
	isVoting bool             // the append at hand makes a term or a vote durable
	loss     scenario.Loss    // what the next crash takes
	slow     scenario.Span    // how much longer a synced write takes
	isFull   bool
}

// never is a time that does not come.
const never time.Duration = 1<<63 - 1

// waiter is a call that a node has not answered yet.
type waiter struct {
	pending    *cluster.Pending
	isAnswered bool            // and the answer is on its way
	ended      func(isOK bool) // false: the node has died
}

// tickMillis is as in production.
const tickMillis flotilla.Millis = 50

// gatherFrom has every other node wait for more commands after small entries already: with so few
// clients as lives have, the others wait for nothing.
func gatherFrom(id flotilla.NodeID) int {
	if id%2 == 1 {
		return 3
	}
	return 0
}

// start begins a life.
func (n *node) start() {
	w := n.w
	w.lives++
	n.life, n.in, n.waiters, n.jobs = w.lives, cluster.Input{}, nil, nil
	n.unread, n.late = map[flotilla.NodeID][][]byte{}, nil
	n.turnAt, n.busyUntil, n.hasTicked, n.isPaused, n.isDying = never, 0, false, false, false
	n.clock.born = n.clock.elapsed(w.now) - between(w.trouble, 0, time.Second)
	opened, err := n.drive.open(n)
	if err != nil {
		w.fault("%v can not open its disk: %v", n.id, err)
		return
	}
	n.disk = &tapDisk{Disk: opened.disk, node: n, asks: opened.asks, ballots: consensus.NewBallots(opened.disk)}
	n.port = w.network.Attach(n.id, receiver{n})
	core, err := cluster.NewCore(cluster.Config{Cluster: "sim", Self: n.id, Members: w.members(), Groups: w.plan.Groups, Replicas: w.plan.Copies,
		Machines: map[flotilla.System]flotilla.Machine{flotilla.SystemStore: store.Machine{}, flotilla.SystemQueue: queue.Machine{}}, Disk: n.disk, Transport: line{n, n.life},
		Log: slog.New(slog.DiscardHandler), IsBootstrap: !n.isWiped && !opened.isSetAside, Lost: opened.lost, ForgetLost: opened.forget,
		Journal: n.newJournal(), Incarnation: w.lives, TickMillis: tickMillis, KeptEntries: w.opts.KeptEntries,
		GatherFrom: gatherFrom(n.id)},
		cluster.Clocks{Wall: n.told, Mono: n.mono})
	if err != nil {
		n.diedAt = w.now
		switch {
		case errors.Is(err, storage.ErrCrashed):
			n.crash()
		case n.drive.wasDamaged(): // in what the start reads
			n.fail(err)
		default:
			w.fault("%v can not start: %v", n.id, err)
			n.crash()
		}
		return
	}
	n.core = core
	w.note('s', uint64(n.id), n.life, nil)
	n.tick(between(w.trouble, 0, time.Duration(tickMillis)*time.Millisecond))
	n.wake(w.now)
}

func (w *world) members() []flotilla.NodeInfo {
	var all []flotilla.NodeInfo
	for i := range w.plan.Nodes {
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
		n.watch()
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
	if n.isPaused {
		n.w.count(turnHeldUp)
	}
	if n.isPaused || n.isDying {
		return
	}
	n.lag = 0
	n.w.effects.readClock(&n.clock)
	in := n.in
	n.in = cluster.Input{}
	if n.hasTicked {
		n.hasTicked = false
		n.core.Tick()
	}
	work, err := n.core.Turn(&in)
	n.busyUntil = n.w.now + n.lag + 1
	if err != nil {
		n.fail(err)
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
	if n.lag == 0 {
		return // nothing waited for the disk
	}
	switch n.armed.boundary {
	case scenario.BeforeReply:
		n.fire()
		n.die(n.lag - 1)
	case scenario.AfterReply:
		n.fire()
		n.die(n.lag + 2)
	}
}

// superviseAfter is how soon a process is started again that ended by itself.
const superviseAfter = time.Second

// fail is what becomes of a node that can not go on: its power is out, or it found its
// files damaged. Nothing else is a reason.
func (n *node) fail(err error) {
	w := n.w
	switch {
	case errors.Is(err, storage.ErrCrashed):
		n.die(n.lag + 1)
	case n.drive.wasDamaged():
		w.count("stopped by damage")
		w.tell("%v stops: %v", n.id, err)
		n.crash()
		life := n.life
		w.after(superviseAfter, func() {
			if n.life == life {
				n.start()
			}
		})
	default:
		w.fault("%v stops: %v", n.id, err)
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

// harvest adds what the node has counted in this life.
func (n *node) harvest() {
	if n.core == nil {
		return
	}
	st := n.core.Status()
	n.w.counts["leader elected"] += st.Elections
	n.w.counts["request answered from memory"] += st.Deduped
	n.w.counts["entry applied"] += st.Entries
	n.w.counts["frame passed on"] += st.Relayed
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
	switch {
	case r.core == nil || r.isDying:
	case r.isHeldUp(from):
		r.w.count(frameHeldUp)
		r.unread[from] = append(r.unread[from], bytes)
	default:
		r.take(from, bytes)
	}
}

// take reads a frame; the next turn sees it.
func (n *node) take(from flotilla.NodeID, bytes []byte) {
	n.w.note('f', uint64(from), uint64(n.id), bytes)
	f, err := n.core.Decode(from, bytes)
	if err != nil {
		n.w.fault("%v can not read a frame of %v: %v", n.id, from, err)
		return
	}
	n.in.Frames = append(n.in.Frames, f)
	n.wake(n.w.now + between(n.w.chance, 0, 50*time.Microsecond))
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

// Send has a frame leave. One that is larger than all that a link may hold would never
// arrive, and whoever makes such frames makes a life that hardly ends.
func (l line) Send(to flotilla.NodeID, frame []byte) {
	if len(frame) > transport.MaxQueueBytes {
		l.w.fault("%v floods %v: it sends a frame of %d bytes", l.node.id, to, len(frame))
		return
	}
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

package transport

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"flotilla"
)

// How long to wait before the next attempt to connect: twice as long each time,
// give or take a quarter, so that nodes do not knock in step.
const (
	minBackoff = 20 * time.Millisecond
	maxBackoff = time.Second
)

// peer is one other node: a queue of frames for it with a connection of our own,
// and at most one stream of frames from it, over a connection of its making.
type peer struct {
	t        *Transport
	id       flotilla.NodeID
	nudge    chan struct{} // holds one token; given when trying again at once makes sense
	outgoing *line         // faults; only in a lab
	incoming *line
	in       inCounts
	snapshotCounts

	stop context.CancelFunc // guarded by t.mu

	mu          sync.Mutex // guards what follows
	address     string
	redial      context.CancelFunc // ends the connection, or the attempt; nil between two
	link        *link              // nil while there is no connection
	queue       outbox
	inbound     *inbound // the stream that may deliver; nil if there is none
	incarnation uint64   // the newest of the peer that was seen
	out         outCounts
	problem     string // why there is no connection, as last logged
	refusal     string // why it was turned away, as last logged
	isGone      bool   // no peer any more
}

func newPeer(t *Transport, id flotilla.NodeID, address string) *peer {
	p := &peer{t: t, id: id, address: address, nudge: make(chan struct{}, 1), stop: func() {}}
	if t.options.Lab {
		seed := func(direction uint64) *rand.Rand {
			return rand.New(rand.NewPCG(t.options.Seed, uint64(t.options.Self)<<32|uint64(id)<<1|direction))
		}
		p.outgoing = newLine(seed(0), p.send)
		p.incoming = newLine(seed(1), p.receive)
	}
	return p
}

// send queues a frame. When nothing is on its way it leaves at once, in the
// caller's goroutine, which saves waking another one.
func (p *peer) send(frame []byte) {
	p.mu.Lock()
	l := p.link
	switch {
	case l == nil:
		p.out.droppedUnreachable++
		p.mu.Unlock()
		return
	case !p.queue.add(frame):
		p.out.droppedFull++
		p.mu.Unlock()
		return
	}
	p.out.frames++
	message := l.takeLocked()
	p.mu.Unlock()
	if message != nil {
		l.transmit(message)
	}
}

// A link sends one message at a time: while gRPC still holds one, frames gather
// in the queue and then travel together. gRPC tells that it has written a message
// by giving the buffer back, which is why link is the pool of its buffers.
type link struct {
	p      *peer
	stream *frameStream
	wake   chan struct{} // holds one token: the link became free and something waits
	// holders is who has not yet let go of the message on its way: SendMsg, and
	// gRPC's writer. Guarded by p.mu.
	holders int
}

// takeLocked returns the message to send now, or nil. The caller holds p.mu, and
// calls transmit after it let go of it.
func (l *link) takeLocked() *[]byte {
	if l.holders > 0 {
		return nil
	}
	message := l.p.queue.take()
	if message == nil {
		return nil
	}
	l.holders = 2
	l.p.out.messages++
	l.p.out.bytes += uint64(len(*message))
	return message
}

// transmit hands a message to gRPC. It does not block: gRPC takes a message of
// any size when it holds no other one. An error also ends the stream, so run sees it.
func (l *link) transmit(message *[]byte) {
	_ = l.stream.send(message, l)
	l.p.mu.Lock()
	l.letGoLocked()
	l.p.mu.Unlock()
}

// Get is of no use here; it completes mem.BufferPool.
func (l *link) Get(size int) *[]byte { b := make([]byte, size); return &b }

// Put is called by gRPC's writer when it has no more use for a message.
func (l *link) Put(message *[]byte) {
	l.p.mu.Lock()
	l.p.queue.recycle(message)
	l.letGoLocked()
	l.p.mu.Unlock()
}

func (l *link) letGoLocked() {
	l.holders--
	if l.holders == 0 && l.p.queue.bytes > 0 {
		select {
		case l.wake <- struct{}{}:
		default:
		}
	}
}

// pump sends what gathered while a message was on its way, until ended is closed.
func (l *link) pump(ended <-chan struct{}) {
	for {
		select {
		case <-ended:
			return
		case <-l.wake:
			l.p.mu.Lock()
			message := l.takeLocked()
			l.p.mu.Unlock()
			if message != nil {
				l.transmit(message)
			}
		}
	}
}

// run keeps a connection to the peer until ctx ends.
func (p *peer) run(ctx context.Context) {
	pause := minBackoff
	for ctx.Err() == nil {
		began := time.Now()
		err := p.connect(ctx)
		if ctx.Err() != nil {
			return
		}
		p.logProblem(err)
		if time.Since(began) > maxBackoff {
			pause = minBackoff // it had worked for a while
		}
		p.pause(ctx, pause*3/4+rand.N(pause/2))
		pause = min(2*pause, maxBackoff)
	}
}

// connect makes one connection and uses it until it ends. It always returns why.
func (p *peer) connect(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	p.mu.Lock()
	p.redial = cancel
	address := p.address
	p.mu.Unlock()

	stream, err := p.t.openFrames(ctx, p.id, address)
	if err != nil {
		return fmt.Errorf("connect to %v at %s: %w", p.id, address, err)
	}
	defer stream.close()
	l := &link{p: p, stream: stream, wake: make(chan struct{}, 1)}
	p.mu.Lock()
	p.link = l
	p.out.connections++
	p.problem = ""
	p.mu.Unlock()
	p.t.log.Info("connected", "peer", p.id.String(), "addr", address)

	ended := make(chan struct{})
	var pump sync.WaitGroup
	pump.Go(func() { l.pump(ended) })
	err = stream.wait() // until the connection breaks, or ctx ends
	p.mu.Lock()
	p.link = nil
	p.out.droppedUnreachable += p.queue.clear()
	p.mu.Unlock()
	close(ended)
	pump.Wait()
	return fmt.Errorf("connection to %v at %s ended: %w", p.id, address, err)
}

// pause waits for d, or until the peer showed that it is there.
func (p *peer) pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-p.nudge:
	case <-ctx.Done():
	}
}

// setAddress reconnects if the address is another one.
func (p *peer) setAddress(address string) {
	p.mu.Lock()
	isNew := p.address != address
	p.address = address
	redial := p.redial
	p.mu.Unlock()
	if isNew {
		if redial != nil {
			redial()
		}
		p.hurry()
	}
}

func (p *peer) hurry() {
	select {
	case p.nudge <- struct{}{}:
	default:
	}
}

// inbound is one incoming stream of frames.
type inbound struct {
	replaced chan struct{} // closed by peer when the stream may deliver no more
	done     chan struct{} // closed by the stream's reader when it will deliver no more
}

// checkIncarnation refuses a process of the peer that was replaced by a newer one.
func (p *peer) checkIncarnation(incarnation uint64) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.checkIncarnationLocked(incarnation)
}

func (p *peer) checkIncarnationLocked(incarnation uint64) error {
	if incarnation < p.incarnation {
		return fmt.Errorf("incarnation %d of %v is over, %d was seen since: stop the older process",
			incarnation, p.id, p.incarnation)
	}
	return nil
}

// accept makes a new stream the only one that delivers: it returns after the last
// frame of the one before was delivered. The caller closes in.done in the end,
// unless there was an error.
func (p *peer) accept(incarnation uint64, in *inbound) error {
	p.mu.Lock()
	err := p.checkIncarnationLocked(incarnation)
	if err == nil && p.isGone {
		err = fmt.Errorf("%v is no peer any more", p.id)
	}
	if err != nil {
		p.mu.Unlock()
		return err
	}
	p.incarnation = incarnation
	p.refusal = ""
	before := p.inbound
	p.inbound = in
	p.mu.Unlock()
	if before != nil {
		close(before.replaced)
		<-before.done
	}
	p.hurry()
	return nil
}

// leave is called when a stream has ended by itself.
func (p *peer) leave(in *inbound) {
	p.mu.Lock()
	if p.inbound == in {
		p.inbound = nil
	}
	p.mu.Unlock()
}

// closeInbound ends the incoming stream of a node that is no peer any more.
func (p *peer) closeInbound() {
	p.mu.Lock()
	in := p.inbound
	p.inbound = nil
	p.isGone = true
	p.mu.Unlock()
	if in != nil {
		close(in.replaced)
	}
}

// deliver splits a message and passes its frames on.
func (p *peer) deliver(message []byte) error {
	pass := p.receive
	if p.incoming != nil {
		pass = func(frame []byte) {
			if !p.incoming.take(frame) {
				p.receive(frame)
			}
		}
	}
	frames, err := splitFrames(message, pass)
	p.in.messages.Add(1)
	p.in.frames.Add(uint64(frames))
	p.in.bytes.Add(uint64(len(message)))
	return err
}

func (p *peer) receive(frame []byte) {
	p.in.heard.Store(time.Now().UnixNano())
	p.t.receiver.Receive(p.id, frame)
}

func (p *peer) logProblem(err error) {
	p.mu.Lock()
	isNew := p.problem != err.Error()
	p.problem = err.Error()
	p.mu.Unlock()
	if isNew {
		p.t.log.Warn("no connection", "peer", p.id.String(), "err", err)
	}
}

func (p *peer) logRefusal(err error) {
	p.mu.Lock()
	isNew := p.refusal != err.Error()
	p.refusal = err.Error()
	p.mu.Unlock()
	if isNew {
		p.t.log.Warn("refused a node", "peer", p.id.String(), "err", err)
	}
}

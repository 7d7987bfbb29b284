package transport

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"flotilla"
	"flotilla/cluster"

	"google.golang.org/grpc"
)

// Transport talks to the other nodes' processes. All methods may be called from
// any goroutine. It implements cluster.Transport.
type Transport struct {
	options  Options
	log      *slog.Logger
	listener net.Listener
	security security
	server   *grpc.Server
	receiver cluster.Receiver // set by Run before anything can arrive

	// peers is replaced as a whole by SetPeers, so that Send takes no lock.
	peers atomic.Pointer[map[flotilla.NodeID]*peer]
	// snapshotSlots holds one token for each snapshot that is coming in.
	snapshotSlots chan struct{}
	goroutines    sync.WaitGroup // of peers and incoming streams
	greetings     atomic.Uint64  // incoming ones, refused or not

	mu       sync.Mutex      // guards what follows, and replacing peers
	running  context.Context // nil before Run
	isClosed bool
	faults   Faults // of peers, and of nodes that may become peers
	stranger string // the last refusal of a node that is no peer, to log it once
}

var _ cluster.Transport = (*Transport)(nil)

// New checks the options and begins to listen; nothing is taken or sent before
// Run. A Transport that is not going to run must be closed.
func New(options Options) (*Transport, error) {
	if err := options.validate(); err != nil {
		return nil, err
	}
	security, err := loadSecurity(options.TLS, options.Cluster, options.Self)
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", options.Listen)
	if err != nil {
		return nil, fmt.Errorf("listen for nodes: %w: stop what uses the port, or choose another one", err)
	}
	t := &Transport{
		options:       options,
		log:           options.Log,
		listener:      listener,
		security:      security,
		snapshotSlots: make(chan struct{}, maxIncomingSnapshots),
	}
	if t.log == nil {
		t.log = slog.New(slog.DiscardHandler)
	}
	t.log = t.log.With("node", options.Self.String())
	t.peers.Store(&map[flotilla.NodeID]*peer{})
	t.server = t.newServer()
	return t, nil
}

// Addr is where the Transport listens.
func (t *Transport) Addr() string { return t.listener.Addr().String() }

// Close lets go of the port of a Transport that never ran. Run does it itself.
func (t *Transport) Close() error {
	t.server.Stop()
	err := t.listener.Close()
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// Run carries frames until ctx ends, and returns when every goroutine that it
// started has returned. For that the receiver must not block for ever.
// A Transport runs once.
func (t *Transport) Run(ctx context.Context, receiver cluster.Receiver) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	t.receiver = receiver
	t.mu.Lock()
	t.running = ctx
	for _, p := range *t.peers.Load() {
		t.start(p)
	}
	t.mu.Unlock()

	failed := make(chan error, 1)
	t.goroutines.Go(func() { failed <- t.server.Serve(t.listener) })
	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	t.mu.Lock()
	t.isClosed = true
	t.mu.Unlock()
	cancel()
	t.server.Stop() // waits for the handlers
	t.goroutines.Wait()
	if err != nil {
		return fmt.Errorf("serve nodes on %s: %w", t.Addr(), err)
	}
	return nil
}

// start begins to connect to a peer. The caller holds t.mu.
func (t *Transport) start(p *peer) {
	if t.running == nil || t.isClosed {
		return
	}
	ctx, cancel := context.WithCancel(t.running)
	p.stop = cancel
	t.goroutines.Go(func() { p.run(ctx) })
	if t.options.Lab {
		t.goroutines.Go(func() { p.outgoing.run(ctx) })
		t.goroutines.Go(func() { p.incoming.run(ctx) })
	}
}

// SetPeers names the nodes that may be talked to, with their addresses. This
// node itself may be among them. It waits for nothing: frames of a node that is no
// peer any more may still be delivered if they had come already.
func (t *Transport) SetPeers(addresses map[flotilla.NodeID]string) {
	t.mu.Lock()
	old := *t.peers.Load()
	now := maps.Clone(old)
	var leaving []*peer
	for id, p := range old {
		if _, stays := addresses[id]; !stays {
			delete(now, id)
			p.stop()
			leaving = append(leaving, p)
		}
	}
	var fresh, moved []*peer
	for id, address := range addresses {
		if id == t.options.Self {
			continue
		}
		if p := now[id]; p != nil {
			moved = append(moved, p)
			continue
		}
		now[id] = newPeer(t, id, address)
		now[id].outgoing.set(t.faults.Outgoing[id])
		now[id].incoming.set(t.faults.Incoming[id])
		fresh = append(fresh, now[id])
	}
	t.peers.Store(&now)
	for _, p := range fresh {
		t.start(p)
	}
	t.mu.Unlock()

	for _, p := range leaving {
		p.closeInbound()
	}
	for _, p := range moved {
		p.setAddress(addresses[p.id])
	}
}

func (t *Transport) peer(id flotilla.NodeID) *peer { return (*t.peers.Load())[id] }

// Send queues a copy of a frame for a peer, and never blocks. A frame for a node
// that is no peer, that can not be reached or whose queue is full is dropped,
// which Stats counts.
func (t *Transport) Send(to flotilla.NodeID, frame []byte) {
	p := t.peer(to)
	if p == nil {
		return
	}
	if t.options.Lab && p.outgoing.take(frame) {
		return
	}
	p.send(frame)
}

// greet checks what an incoming stream says of itself, and returns the peer. What
// it refuses is logged, once for as long as the reason stays the same.
func (t *Transport) greet(ctx context.Context) (*peer, hello, error) {
	t.greetings.Add(1)
	h, err := incomingHello(ctx)
	if err != nil {
		t.logStranger(err)
		return nil, hello{}, err
	}
	p := t.peer(h.from)
	if err = h.check(t.options.Cluster, t.options.Self); err == nil {
		err = t.security.checkName(ctx, h.from)
	}
	if err == nil && p == nil {
		err = fmt.Errorf("%v is not among the peers of %v (yet)", h.from, t.options.Self)
	}
	if err == nil {
		err = p.checkIncarnation(h.incarnation)
	}
	switch {
	case err == nil:
		return p, h, nil
	case p == nil:
		t.logStranger(err)
	default:
		p.logRefusal(err)
	}
	return nil, hello{}, err
}

func (t *Transport) logStranger(err error) {
	t.mu.Lock()
	isNew := t.stranger != err.Error()
	t.stranger = err.Error()
	t.mu.Unlock()
	if isNew {
		t.log.Warn("refused a node", "err", err)
	}
}

func (t *Transport) hello(to flotilla.NodeID) hello {
	return hello{
		version: protocolVersion, cluster: t.options.Cluster,
		from: t.options.Self, to: to, incarnation: t.options.Incarnation,
	}
}

// wait returns after d, or false as soon as ctx ended.
func wait(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

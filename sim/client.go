package sim

import (
	"context"
	"errors"
	"iter"
	"math/rand/v2"
	"time"

	"flotilla"
	"flotilla/queue"
	"flotilla/scenario"
	"flotilla/store"
)

// client is a user with one connection at a time. It is a coroutine: it runs until
// it waits for something, and the world lets it go on when that has come.
type client struct {
	w       *world
	number  int
	name    int   // in the history: a new one for each connection
	home    *node // the only one that it asks, in liveness mode
	chance  *rand.Rand
	session *store.Session // nil: not connected
	queue   *queue.Client  // as long as session
	host    *host          // of the session
	next    func() (struct{}, bool)
	stop    func()
	yield   func(struct{}) bool
	waits   uint64 // grows with each wait, so that who comes too late is not heard
	isEnded bool

	held   []*held  // leases that it goes on with
	unsent []unsent // messages that it will send again
}

// errStopped unwinds a client's coroutine.
var errStopped = errors.New("the simulation has ended")

// newClient returns a client that does what act says, over and over.
func newClient(w *world, number int, act func(c *client)) *client {
	c := &client{w: w, number: number, chance: rand.New(rand.NewPCG(w.opts.Seed, uint64(1000+number)))}
	if w.plan.Mode == scenario.Liveness {
		homes := w.homes()
		c.home = homes[number%len(homes)]
	}
	c.next, c.stop = iter.Pull(func(yield func(struct{}) bool) {
		defer func() {
			c.isEnded = true
			if r := recover(); r != nil && r != errStopped {
				panic(r)
			}
		}()
		c.yield = yield
		act(c)
	})
	return c
}

// resume lets the client go on.
func (c *client) resume() { c.next() }

// wait gives the world the word until resume; wake says when that is, and is
// given a function that counts only once and only for this wait.
func (c *client) wait(wake func(resume func())) {
	c.waits++
	this := c.waits
	wake(func() {
		if c.waits == this {
			c.waits++
			c.resume()
		}
	})
	if !c.yield(struct{}{}) {
		panic(errStopped)
	}
}

// sleep lets time pass.
func (c *client) sleep(d time.Duration) {
	c.wait(func(resume func()) { c.w.after(d, resume) })
}

// connect finds a node that takes connections, and reports whether it did. A session
// whose node has gone goes on with another one.
func (c *client) connect() bool {
	if c.session != nil && c.host.isUp() {
		return true
	}
	if c.session != nil {
		return c.move()
	}
	n := c.anyNode()
	if n == nil {
		return false
	}
	c.w.names++
	c.name, c.host = c.w.names, &host{client: c, node: n, life: n.life}
	c.session, c.queue = store.NewSession(c.host), queue.NewClient(c.host)
	return true
}

// anyNode returns a node that the client may ask, and that takes connections, or nil.
func (c *client) anyNode() *node {
	n := c.home
	if n == nil {
		n = c.w.nodes[c.chance.IntN(len(c.w.nodes))]
	}
	if n.core == nil || n.isDying {
		return nil
	}
	return n
}

// move goes on with the same session on another node, if that is up: what was seen
// here must be seen there.
func (c *client) move() bool {
	n := c.anyNode()
	if n == nil {
		return false
	}
	if n != c.host.node {
		c.w.count("session moved to another node")
	}
	c.host.node, c.host.life = n, n.life
	return true
}

// hangUp ends the connection. What was asked on it may still be in the node's hands,
// so its session is not used again.
func (c *client) hangUp() { c.session = nil }

// host is a node as a client's session sees it.
type host struct {
	client *client
	node   *node
	life   uint64
	open   int
}

// isUp reports whether the node is in the life in which it was connected to.
func (h *host) isUp() bool { return h.node.core != nil && h.node.life == h.life && !h.node.isDying }

// Do carries out calls; the client waits meanwhile, but not longer than its patience.
func (h *host) Do(_ context.Context, calls ...*flotilla.Call) {
	c, n := h.client, h.node
	lost := flotilla.Unknown(flotilla.Stopping, "the connection broke")
	for _, call := range calls {
		call.Err = lost
	}
	patience := c.w.now + between(c.chance, time.Second, 8*time.Second)
	for n.isPaused && n.life == h.life && c.w.now < patience {
		c.sleep(20 * time.Millisecond)
	}
	if !h.isUp() || n.isPaused {
		if h.isUp() {
			n.leaveBehind(calls)
		}
		c.hangUp() // that the node never saw it is not known to the client
		return
	}
	h.open = len(calls)
	var waiters []*waiter
	isLost, isWaiting := false, false
	resume := func() {}
	for _, call := range calls {
		if x := n.ask(call, func(isOK bool) {
			h.open--
			isLost = isLost || !isOK
			if isWaiting && (h.open == 0 || isLost) {
				c.w.after(0, resume)
			}
		}); x != nil {
			waiters = append(waiters, x)
		}
	}
	if h.open > 0 {
		c.wait(func(r func()) {
			isWaiting, resume = true, r
			c.w.after(patience-c.w.now, r)
		})
	}
	if h.open == 0 && !isLost {
		return
	}
	c.hangUp()
	for _, call := range calls {
		call.Err = lost
	}
	if !isLost {
		c.w.count("client gave up")
		for _, x := range waiters {
			n.cancel(x)
		}
	}
}

// Topology returns the node's picture of the cluster.
func (h *host) Topology() *flotilla.Topology {
	if h.node.core == nil || h.node.life != h.life {
		return &flotilla.Topology{}
	}
	return h.node.core.Topology()
}

// Self returns the node.
func (h *host) Self() flotilla.NodeID { return h.node.id }

// Subscribe tells nothing: these clients wait for no event.
func (h *host) Subscribe(flotilla.System, func(flotilla.Event)) func() { return func() {} }

// Replicated is not for these clients.
func (h *host) Replicated(context.Context, flotilla.GroupID, uint64, int) int {
	panic("no client waits for copies")
}

// Broadcast is not for these clients.
func (h *host) Broadcast(flotilla.System, []byte) { panic("no client broadcasts") }

// Listen is not for these clients.
func (h *host) Listen(flotilla.System, func(flotilla.NodeID, []byte)) func() {
	panic("no client listens")
}

var _ flotilla.Host = (*host)(nil)

package sim

import (
	"context"
	"errors"
	"iter"
	"math/rand/v2"
	"strings"
	"time"

	"flotilla"
	"flotilla/check"
	"flotilla/store"
)

// client is a user with one connection at a time. It is a coroutine: it runs until
// it waits for something, and the world lets it go on when that has come.
type client struct {
	w       *world
	name    int // in the history: a new one for each connection
	chance  *rand.Rand
	node    *node
	session *store.Session // nil: not connected
	next    func() (struct{}, bool)
	stop    func()
	yield   func(struct{}) bool
	waits   uint64 // grows with each wait, so that who comes too late is not heard
	isEnded bool
	saw     map[string]int // list: length of the longest that this connection made or saw
}

// errStopped unwinds a client's coroutine.
var errStopped = errors.New("the simulation has ended")

// newClient returns a client that does what act says, over and over.
func newClient(w *world, number int, act func(c *client)) *client {
	c := &client{w: w, chance: rand.New(rand.NewPCG(w.opts.Seed, uint64(1000+number)))}
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

// connect finds a node that takes connections, and reports whether it did.
func (c *client) connect() bool {
	if c.session != nil {
		return true
	}
	n := c.w.nodes[c.chance.IntN(len(c.w.nodes))]
	if n.core == nil || n.isDying {
		return false
	}
	c.w.names++
	c.name, c.node, c.session, c.saw = c.w.names, n, store.NewSession(&host{client: c, node: n, life: n.life}), map[string]int{}
	return true
}

// hangUp ends the connection. What was asked on it may still be in the node's hands,
// so its session is not used again.
func (c *client) hangUp() { c.session = nil }

// do sends one command and returns its reply, in the machine's notation.
func (c *client) do(words ...string) (reply string, outcome check.Outcome) {
	args := make([][]byte, len(words))
	for i, word := range words {
		args[i] = []byte(word)
	}
	return c.send(func(s *store.Session) error { return s.Add(store.Lookup(args[0]), args) })
}

// send sends the run that fill makes, and says what came of it.
func (c *client) send(fill func(s *store.Session) error) (reply string, outcome check.Outcome) {
	s := c.session
	if err := fill(s); err != nil {
		s.Reset()
		return "", check.Refused
	}
	s.Do(context.Background())
	raw, err := s.Reply(0)
	reply = string(raw)
	if c.session != nil {
		s.Reset()
	}
	c.w.note('r', uint64(c.name), uint64(len(reply)), []byte(reply))
	switch {
	case err == nil && strings.HasPrefix(reply, "-OOM"):
		c.w.count("refused for want of room")
		return reply, check.Refused
	case err == nil && strings.HasPrefix(reply, "-"):
		c.w.fault("client %d was answered %q", c.name, reply)
		return reply, check.Unknown
	case err == nil:
		return reply, check.Known
	case errors.Is(err, flotilla.ErrRefused):
		c.w.count("refused: " + string(flotilla.ReasonOf(err)))
		return "", check.Refused
	}
	c.w.count("outcome unknown")
	if strings.Contains(err.Error(), "forgotten this node's session") {
		c.w.count("session expired")
	}
	return "", check.Unknown
}

// host is a node as a client's session sees it.
type host struct {
	client *client
	node   *node
	life   uint64
	open   int
}

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
	if n.core == nil || n.life != h.life || n.isDying || n.isPaused {
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

// Subscribe is not for these clients.
func (h *host) Subscribe(flotilla.System, func(flotilla.Event)) func() { panic("no client subscribes") }

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

package redis

import (
	"context"
	"math"
	"strconv"
	"time"

	"flotilla"
)

// waitInMulti is how long WAIT within EXEC, which must not block, may take to ask.
const waitInMulti = time.Second

// cmdWait waits until numreplicas replicas besides the leader have the connection's
// last write on disk, or for timeout milliseconds (0: for ever), and answers with
// how many have. With writes to several groups it is the least of their numbers; of who
// wrote nothing, as in Redis, each replica that can be reached has everything.
func cmdWait(r *request) {
	c := r.c
	want, ok := r.int(1)
	if !ok {
		return
	}
	timeout, err := strconv.ParseInt(string(r.args[2]), 10, 64)
	switch {
	case err != nil:
		r.fail("ERR timeout is not an integer or out of range")
		return
	case timeout < 0:
		r.fail("ERR timeout is negative")
		return
	case timeout > math.MaxInt64-time.Now().UnixMilli():
		r.fail("ERR timeout is out of range")
		return
	case c.isInExec:
		ctx, cancel := context.WithTimeout(r.ctx, waitInMulti)
		defer cancel()
		c.out.int(c.replicated(ctx, 0))
		return
	}
	b := &blocked{cmd: r.cmd, poll: time.Hour}
	b.conn = c
	if timeout > 0 && timeout < math.MaxInt64/int64(time.Millisecond) { // what is longer is for ever
		b.deadline = time.Now().Add(time.Duration(timeout) * time.Millisecond)
	}
	c.waitForCopies(r.ctx, b, int(min(want, math.MaxInt32)))
}

// waitForCopies answers once there are enough copies, or the client has waited for
// long enough. Meanwhile the connection listens to its client as in other blocking
// commands; a goroutine does the waiting, and is waited for.
func (c *conn) waitForCopies(ctx context.Context, b *blocked, want int) {
	w := &c.server.waiting
	w.enter(&b.waiter)
	defer w.leave(&b.waiter)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	copies := make(chan int, 1)
	go func() {
		n := c.replicated(ctx, want)
		w.wake(&b.waiter) // before the connection can leave: it moves the read deadline
		copies <- n
	}()
	c.flush() // answers to commands before this one
	c.setFlag(flagBlocked, true)
	reason, _ := c.sleep(ctx, b)
	c.setFlag(flagBlocked, false)
	cancel()
	n := <-copies
	switch reason {
	case sleepGone:
		c.isLeaving = true
	case sleepUnblocked:
		c.fail(b.cmd, "UNBLOCKED client unblocked via CLIENT UNBLOCK")
	default:
		c.out.int(n)
	}
}

// replicated returns on how many replicas besides the leader's what this connection
// wrote is, once that is want in each group, or ctx ends.
func (c *conn) replicated(ctx context.Context, want int) int {
	if len(c.session.Written()) == 0 {
		return c.awaitReplicas(ctx, want)
	}
	least := math.MaxInt
	for group, index := range c.session.Written() {
		least = min(least, c.server.Host.Replicated(ctx, group, index, want))
	}
	return least
}

// lookAgain is how often who wrote nothing looks how many replicas can be reached.
const lookAgain = 50 * time.Millisecond

// awaitReplicas waits until at least want replicas can be reached, or ctx ends.
func (c *conn) awaitReplicas(ctx context.Context, want int) int {
	ticker := time.NewTicker(lookAgain)
	defer ticker.Stop()
	for {
		if n := c.replicasAlive(); n >= want || ctx.Err() != nil {
			return n
		}
		select {
		case <-ctx.Done():
		case <-ticker.C:
		}
	}
}

// replicasAlive is how many replicas, besides the leader's, of the group that has the
// fewest are on nodes that were heard of lately. A group without a leader has none.
func (c *conn) replicasAlive() int {
	t := c.server.Host.Topology()
	isAlive := map[flotilla.NodeID]bool{}
	for _, n := range t.Nodes {
		isAlive[n.ID] = n.Alive
	}
	least := math.MaxInt
	for _, g := range t.Groups {
		if g.ID == flotilla.Directory {
			continue
		}
		alive := 0
		for _, node := range g.Nodes {
			if node != g.Leader && isAlive[node] && isAlive[g.Leader] {
				alive++
			}
		}
		least = min(least, alive)
	}
	if least == math.MaxInt {
		return 0
	}
	return least
}

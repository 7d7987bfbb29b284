package redis

import (
	"context"
	"errors"
	"math"
	"strconv"
	"sync"
	"time"

	"flotilla"
	"flotilla/store"
)

// A blocking command is a try that is repeated: the machine either carries it out
// or changes nothing. While nothing is there, the connection's goroutine reads
// from its socket, so that it notices when the client goes away, and is woken by
// having its read deadline moved into the past.
//
// Events tell of keys that changed on this node's replicas. As a safety net, and
// for groups that have no replica here, the keys' types are asked for from time
// to time: that is a read, which costs no entry.
const (
	pollWithEvents    = time.Second
	pollWithoutEvents = 100 * time.Millisecond
	maxReadAhead      = 1 << 20 // of what a client sends while it is blocked
)

// waiters are a node's blocked connections, by key, in order of arrival. Only the
// first of a key is woken; when it was served it wakes the next.
type waiters struct {
	mu    sync.Mutex
	byKey map[string][]*waiter
	byID  map[uint64]*waiter
}

// waiter is one blocked connection; its fields that change are guarded by
// waiters.mu.
type waiter struct {
	conn  *conn
	keys  []string
	class byte // of the events that make a try worth while: 'l' or 'z'

	isWoken  bool    // try again
	isUnsure bool    // first ask for the type: the event said too little
	verdict  verdict // by CLIENT UNBLOCK
}

// verdict is how CLIENT UNBLOCK ends a wait.
type verdict uint8

const (
	noVerdict verdict = iota
	unblockAsTimeout
	unblockAsError
)

func (w *waiters) start() {
	w.byKey = map[string][]*waiter{}
	w.byID = map[uint64]*waiter{}
}

func (w *waiters) len() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.byID)
}

// onEvent wakes the first that waits for a key; it runs in the node's loop.
func (w *waiters) onEvent(event flotilla.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.byID) == 0 {
		return
	}
	for _, first := range w.byKey[string(event.Key)][:min(1, len(w.byKey[string(event.Key)]))] {
		switch event.Class {
		case first.class:
			first.wake(false)
		case 'g', 'l', 'z', 's', 'n': // rename, copy, restore, sort, sunionstore ...
			first.wake(true)
		}
	}
}

// wake makes the connection try again; waiters.mu is held. Moving a deadline
// does not block.
func (w *waiter) wake(isUnsure bool) {
	w.isUnsure = isUnsure && (w.isUnsure || !w.isWoken)
	w.isWoken = true
	_ = w.conn.socket.SetReadDeadline(time.Unix(1, 0))
}

// wake makes a connection look up.
func (w *waiters) wake(one *waiter) {
	w.mu.Lock()
	defer w.mu.Unlock()
	one.wake(false)
}

// enter adds a waiter, and says whether it is the first for any of its keys.
func (w *waiters) enter(one *waiter) (isFirst bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.byID[one.conn.id] = one
	for _, key := range one.keys {
		isFirst = isFirst || len(w.byKey[key]) == 0
		w.byKey[key] = append(w.byKey[key], one)
	}
	return isFirst
}

// leave removes a waiter and passes what it may have been told on to the next:
// one push may have brought enough for several.
func (w *waiters) leave(one *waiter) {
	w.mu.Lock()
	delete(w.byID, one.conn.id)
	for _, key := range one.keys {
		queue := w.byKey[key]
		for i := range queue {
			if queue[i] == one {
				queue = append(queue[:i:i], queue[i+1:]...)
				break
			}
		}
		if len(queue) == 0 {
			delete(w.byKey, key)
			continue
		}
		w.byKey[key] = queue
		queue[0].wake(true)
	}
	w.mu.Unlock()
	_ = one.conn.socket.SetReadDeadline(time.Time{})
}

// isFirst reports whether a waiter is the first for any of its keys.
func (w *waiters) isFirst(one *waiter) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, key := range one.keys {
		if w.byKey[key][0] == one {
			return true
		}
	}
	return false
}

// blocked is a blocking command's waiting side.
type blocked struct {
	waiter
	cmd      *store.Command
	args     [][]byte // copies
	deadline time.Time
	poll     time.Duration
}

// block carries out a blocking command.
func (c *conn) block(ctx context.Context, cmd *store.Command, args [][]byte) {
	timeout, keys, ok := waitOf(cmd, args)
	if !ok { // the machine says what is wrong with it
		c.add(ctx, cmd, args)
		c.run(ctx)
		return
	}
	b := &blocked{cmd: cmd, poll: c.server.poll}
	b.conn, b.class = c, 'l'
	if cmd.Name[:2] == "bz" {
		b.class = 'z'
	}
	for _, key := range keys {
		b.keys = append(b.keys, string(key))
	}
	for _, arg := range args { // the buffer will be read into
		b.args = append(b.args, append([]byte(nil), arg...))
	}
	b.deadline = time.Now().Add(timeout)
	if timeout == 0 {
		b.deadline = time.Time{}
	}
	if !c.hasReplica(keys[0]) {
		b.poll = pollWithoutEvents
	}
	c.lastCommand.Store(cmd)
	c.server.commands[cmd].calls.Add(1)
	c.server.counters.commands.Add(1)
	c.wait(ctx, b)
}

// wait enters the queue before the first try, so that nothing is missed between
// a try and the waiting.
func (c *conn) wait(ctx context.Context, b *blocked) {
	w := &c.server.waiting
	isFirst := w.enter(&b.waiter)
	defer w.leave(&b.waiter)
	if (isFirst || !isPlainPop(b.cmd)) && c.try(ctx, b, true) {
		return
	}
	c.flush() // answers to commands before this one
	c.setFlag(flagBlocked, true)
	defer c.setFlag(flagBlocked, false)
	for {
		reason, wantsCheck := c.sleep(ctx, b)
		switch reason {
		case sleepGone:
			c.isLeaving = true
			return
		case sleepTimeout:
			c.out.nullArray()
			return
		case sleepUnblocked:
			c.fail(b.cmd, "UNBLOCKED client unblocked via CLIENT UNBLOCK")
			return
		}
		if wantsCheck && !c.isWorthATry(ctx, b) {
			continue
		}
		if c.try(ctx, b, false) {
			return
		}
	}
}

// try sends the command once, and says whether that was the end of it. A try
// that was refused later on had no effect: the client goes on waiting.
func (c *conn) try(ctx context.Context, b *blocked, isFirst bool) (isDone bool) {
	if err := c.session.Add(b.cmd, b.args); err != nil {
		c.fail(b.cmd, failureText(err))
		return true
	}
	defer c.session.Reset()
	c.session.Do(ctx)
	reply, err := c.session.Reply(0)
	if err != nil && !isFirst && errors.Is(err, flotilla.ErrRefused) && ctx.Err() == nil {
		return false
	}
	if err == nil && isNothing(reply) {
		return false
	}
	c.answer(b.cmd, reply, err)
	return true
}

// isWorthATry asks for the keys' types, so that polling writes nothing.
func (c *conn) isWorthATry(ctx context.Context, b *blocked) bool {
	typeOf := store.Lookup([]byte("type"))
	defer c.session.Reset()
	level := c.session.Level
	c.session.Level = flotilla.Linearizable
	defer func() { c.session.Level = level }()
	for _, key := range b.keys {
		if c.session.Add(typeOf, [][]byte{[]byte("type"), []byte(key)}) != nil {
			return false
		}
	}
	c.session.Do(ctx)
	wanted := "+list\r\n"
	if b.class == 'z' {
		wanted = "+zset\r\n"
	}
	for i := range b.keys {
		if reply, err := c.session.Reply(i); err == nil && string(reply) == wanted {
			return true
		}
	}
	return false
}

// sleepEnd is why a connection stopped sleeping.
type sleepEnd uint8

const (
	sleepWoken sleepEnd = iota
	sleepTimeout
	sleepUnblocked
	sleepGone
)

// sleep reads from the socket until there is a reason to stop. What the client
// sends meanwhile is kept for later.
func (c *conn) sleep(ctx context.Context, b *blocked) (reason sleepEnd, wantsCheck bool) {
	for {
		now := time.Now()
		if !b.deadline.IsZero() && !now.Before(b.deadline) {
			return sleepTimeout, false
		}
		if c.server.isClosing.Load() || ctx.Err() != nil {
			return sleepGone, false
		}
		until := now.Add(b.poll)
		if !b.deadline.IsZero() && b.deadline.Before(until) {
			until = b.deadline
		}
		if reason, wantsCheck, ok := c.prepareSleep(b, until); ok {
			return reason, wantsCheck
		}
		if c.server.isClosing.Load() { // Shutdown may have moved the deadline before we did
			return sleepGone, false
		}
		if c.in.pending() > maxReadAhead {
			return sleepGone, false
		}
		n, err := c.socket.Read(c.in.free())
		c.in.filled(n)
		c.server.counters.bytesIn.Add(uint64(n))
		if err != nil && !isTimeout(err) {
			return sleepGone, false
		}
		if err != nil && !time.Now().Before(now.Add(b.poll)) && c.server.waiting.isFirst(&b.waiter) {
			return sleepWoken, true // time to poll
		}
	}
}

// prepareSleep sets the alarm, unless there is a reason to get up already.
func (c *conn) prepareSleep(b *blocked, until time.Time) (reason sleepEnd, wantsCheck, ok bool) {
	w := &c.server.waiting
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case b.verdict == unblockAsError:
		return sleepUnblocked, false, true
	case b.verdict == unblockAsTimeout:
		return sleepTimeout, false, true
	case b.isWoken:
		wantsCheck = b.isUnsure
		b.isWoken, b.isUnsure = false, false
		return sleepWoken, wantsCheck, true
	}
	_ = c.socket.SetReadDeadline(until)
	return 0, false, false
}

// unblock ends a connection's wait, and says whether it was waiting.
func (w *waiters) unblock(id uint64, how verdict) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	one := w.byID[id]
	if one == nil {
		return false
	}
	one.verdict = how
	_ = one.conn.socket.SetReadDeadline(time.Unix(1, 0))
	return true
}

// waitOf finds how long a blocking command waits (0: for ever) and for which keys.
func waitOf(cmd *store.Command, args [][]byte) (timeout time.Duration, keys [][]byte, ok bool) {
	at := len(args) - 1
	keys = args[1:at]
	switch cmd.Name {
	case "blmove":
		at, keys = 5, args[1:2]
	case "brpoplpush":
		at, keys = 3, args[1:2]
	case "blmpop", "bzmpop":
		at = 1
		var err error
		if keys, err = cmd.Keys(args); err != nil {
			return 0, nil, false
		}
	}
	seconds, err := strconv.ParseFloat(string(args[at]), 64)
	if err != nil || seconds < 0 || math.IsNaN(seconds) || seconds > 1e9 || len(keys) == 0 {
		return 0, nil, false
	}
	if seconds > 0 { // never rounded to "for ever"
		timeout = max(time.Millisecond, time.Duration(seconds*float64(time.Second)))
	}
	return timeout, keys, isOneSlot(keys)
}

// isPlainPop says of which commands the form was checked by waitOf alone, so that
// they may queue up behind others without a first try.
func isPlainPop(cmd *store.Command) bool {
	switch cmd.Name {
	case "blpop", "brpop", "bzpopmin", "bzpopmax", "brpoplpush":
		return true
	}
	return false
}

func isNothing(reply []byte) bool { return reply[0] == '!' || reply[0] == '_' }

// hasReplica says whether this node sees the events of a key's group.
func (c *conn) hasReplica(key []byte) bool {
	t := c.server.Host.Topology()
	if t.SlotMap == nil {
		return false
	}
	group := t.SlotMap[flotilla.SlotOf(key)]
	for _, g := range t.Groups {
		for _, node := range g.Nodes {
			if g.ID == group && node == c.server.Host.Self() {
				return true
			}
		}
	}
	return false
}

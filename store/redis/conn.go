package redis

import (
	"context"
	"crypto/subtle"
	"errors"
	"net"
	"os"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"flotilla"
	"flotilla/store"
)

// flushBytes is how much of a long pipeline's answers is held back at most.
const flushBytes = 256 << 10

// What is still read of a connection that ends because of what it sent, and for how
// long: some more than the largest argument. See docs/limits.md.
const (
	drainBytes     = 128 << 20
	drainBytesAnon = 1 << 20 // before AUTH
	drainTime      = 5 * time.Second
)

// writeTime is how long a client may take to read flushBytes of a large reply. Who takes
// longer is cut off: the reply takes memory that all clients share.
const writeTime = 30 * time.Second

// loginTime is how long a connection may stay that does not authenticate.
const loginTime = 30 * time.Second

// conn is one client's connection. All of it belongs to the goroutine that runs
// serve, but for what says otherwise.
type conn struct {
	server  *Server
	socket  net.Conn // others may close it, and set its read deadline
	id      uint64
	created time.Time

	in       parser
	out      encoder // answers that were not sent yet
	session  *store.Session
	commands []*store.Command // of the session's run
	outbox   *outbox          // nil until the first subscription; see pubsub.go

	isAuthed  bool
	isMisread bool // it ends because of what it sent: there may be more of that on its way
	hasAlarm  bool // the read deadline is set
	isLeaving bool // close after the answers that are there
	mute      replyMode
	isHeld    bool // what is answered now may have to be forgotten
	tx        transaction
	isInExec  bool // what is carried out is part of a transaction: it must not block
	subs      subscriptions

	lastActive  atomic.Int64 // Unix milliseconds, for others
	lastCommand atomic.Pointer[store.Command]
	flags       atomic.Uint32 // for CLIENT LIST: what others may see of the above
	multi       atomic.Int32

	mu         sync.Mutex // guards what others read
	name       string
	libName    string
	libVersion string
}

// replyMode is CLIENT REPLY.
type replyMode uint8

const (
	replyOn replyMode = iota
	replyOff
	replySkip // the next one
)

// The flags that CLIENT LIST shows.
const (
	flagBlocked uint32 = 1 << iota
	flagPubSub
	flagRESP3
	flagMulti
	flagReadOnly
	flagNoEvict
	flagNoTouch
)

func newConn(s *Server, socket net.Conn) *conn {
	c := &conn{server: s, socket: socket, id: s.lastID.Add(1), created: time.Now(),
		session: store.NewSession(s.Host)}
	c.session.Concerns = s.concerns
	memory := &account{budget: &s.replies}
	c.session.Charge, c.session.Released = memory.charge, memory.giveBack
	c.endTransaction()
	c.isAuthed = s.Password == ""
	c.in.isTrusted = c.isAuthed
	c.lastActive.Store(c.created.UnixMilli())
	return c
}

// setFlag shows or hides something in CLIENT LIST.
func (c *conn) setFlag(flag uint32, isOn bool) {
	if isOn {
		c.flags.Or(flag)
	} else {
		c.flags.And(^flag)
	}
}

// serve runs the connection to its end. A panic ends this connection only.
func (c *conn) serve(ctx context.Context) {
	defer func() {
		if bug := recover(); bug != nil {
			c.server.counters.panics.Add(1)
			c.server.Log.Error("connection failed", "client", c.id, "err", bug, "stack", string(debug.Stack()))
		}
		c.end()
	}()
	for !c.isLeaving {
		c.setAlarm()
		if c.server.isClosing.Load() { // asked after the alarm was set, as Shutdown moves it
			return
		}
		n, err := c.socket.Read(c.in.free())
		if n > 0 {
			c.in.filled(n)
			c.server.counters.bytesIn.Add(uint64(n))
			c.lastActive.Store(time.Now().UnixMilli())
			c.process(ctx)
		}
		if err != nil {
			return
		}
	}
}

// setAlarm bounds the next read, if anything bounds it. Mostly nothing does, and
// nothing is done.
func (c *conn) setAlarm() {
	var at time.Time
	switch timeout := c.server.config.timeout(); {
	case !c.isAuthed:
		at = c.created.Add(loginTime)
	case timeout > 0 && !c.subs.any():
		at = time.Now().Add(timeout)
	case !c.hasAlarm:
		return
	}
	c.hasAlarm = !at.IsZero()
	_ = c.socket.SetReadDeadline(at)
}

// end lets go of all that others know of the connection.
func (c *conn) end() {
	c.server.hub.leave(c)
	if c.outbox != nil {
		_ = c.socket.SetWriteDeadline(time.Now().Add(time.Second))
		c.outbox.close()
		c.server.counters.subscribers.Add(-1)
	}
	if c.isMisread {
		c.drain()
	}
	_ = c.socket.Close()
}

// drain takes what the client still sends, and forgets it. Were the socket closed with
// something unread in it, the client would see a reset instead of the error that it got.
func (c *conn) drain() {
	most := drainBytes
	if !c.isAuthed {
		most = drainBytesAnon
	}
	if half, ok := c.socket.(interface{ CloseWrite() error }); !ok || half.CloseWrite() != nil {
		return
	}
	_ = c.socket.SetReadDeadline(time.Now().Add(drainTime))
	if c.server.isClosing.Load() { // asked after the alarm was set, as Shutdown moves it
		return
	}
	room := make([]byte, keepBufferBytes)
	for most > 0 {
		n, err := c.socket.Read(room)
		c.server.counters.bytesIn.Add(uint64(n))
		if most -= n; err != nil {
			return
		}
	}
}

// process carries out all commands that have arrived and answers them at once.
func (c *conn) process(ctx context.Context) {
	for !c.isLeaving {
		args, err := c.in.command()
		if err != nil {
			c.run(ctx)
			c.misread(err)
			continue
		}
		if args == nil {
			break
		}
		c.handle(ctx, args)
		if len(c.out.buf) > flushBytes {
			c.flush()
		}
	}
	c.run(ctx)
	c.flush()
}

// misread answers what is no command. All but a too large one end the connection.
func (c *conn) misread(err error) {
	switch {
	case errors.Is(err, errTooLarge):
		c.fail(nil, err.Error())
		c.tx.spoil()
	case errors.Is(err, errCrossProtocol), errors.Is(err, errTLS):
		c.server.counters.crossProtocol.Add(1)
		c.server.logDrop(err, c.socket)
		c.isLeaving = true
	default:
		c.server.counters.protocolErrors.Add(1)
		c.fail(nil, err.Error())
		c.isLeaving, c.isMisread = true, true
	}
}

// handle takes one command. Without CLIENT REPLY OFF or SKIP that is all.
func (c *conn) handle(ctx context.Context, args [][]byte) {
	mode := c.mute
	if mode == replyOn {
		c.dispatch(ctx, args)
		return
	}
	c.run(ctx)
	before := len(c.out.buf)
	if mode == replySkip {
		c.mute = replyOn
	}
	c.isHeld = true
	c.dispatch(ctx, args)
	c.run(ctx)
	c.isHeld = false
	if mode == replyOff && c.mute == replyOn {
		return // CLIENT REPLY ON is answered
	}
	c.out.buf = c.out.buf[:min(before, len(c.out.buf))]
}

// dispatch puts a command into the run, or carries it out once the run is done.
func (c *conn) dispatch(ctx context.Context, args [][]byte) {
	cmd := store.Lookup(args[0])
	if cmd != nil && cmd.FirstKey == 0 && len(args) > 1 {
		cmd = store.Find(args)
	}
	if text := c.objection(cmd, args); text != "" {
		c.run(ctx)
		c.reject(cmd, text)
		return
	}
	switch {
	case c.tx.isOpen && !isOutsideMulti(cmd):
		c.run(ctx)
		c.queue(cmd, args)
	case cmd.Flags&store.Door != 0, cmd.FirstKey == 0 && c.server.handlers[cmd] != nil:
		c.run(ctx)
		c.door(ctx, cmd, args)
	case cmd.Flags&store.Blocking != 0:
		c.run(ctx)
		c.block(ctx, cmd, args)
	default:
		c.add(ctx, cmd, args)
	}
}

// objection returns why a command is not even looked at, or "".
func (c *conn) objection(cmd *store.Command, args [][]byte) string {
	switch {
	case cmd == nil || cmd.Flags&store.Internal != 0:
		return unknownCommand(args)
	case cmd.IsContainer() && len(args) > 1 && cmd.Name != "debug" && !isRefusedSub(cmd.Name, args[1]):
		return "ERR unknown subcommand '" + string(args[1][:min(len(args[1]), 128)]) + "'. Try " + strings.ToUpper(cmd.Name) + " HELP."
	case !cmd.HasArity(args):
		return "ERR wrong number of arguments for '" + cmd.Name + "' command"
	case !c.isAuthed && cmd.Flags&store.NoAuth == 0:
		return "NOAUTH Authentication required."
	case c.subs.any() && !c.out.isRESP3 && !isForSubscribers(cmd.Name):
		return "ERR Can't execute '" + cmd.Name + "': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context"
	}
	return ""
}

func unknownCommand(args [][]byte) string {
	name := strings.ToLower(string(args[0][:min(len(args[0]), 128)]))
	switch name {
	case "eval", "evalsha", "eval_ro", "evalsha_ro", "script", "fcall", "fcall_ro", "function":
		return "ERR " + strings.ToUpper(name) + " is not supported: there is no scripting here, and what needs it, such as locks of client libraries, " +
			"does not work; use WATCH, MULTI and EXEC"
	}
	var b strings.Builder
	b.WriteString("ERR unknown command '" + string(args[0][:min(len(args[0]), 128)]) + "', with args beginning with: ")
	start := b.Len()
	for _, arg := range args[1:] {
		room := 128 - (b.Len() - start)
		if room <= 0 {
			break
		}
		b.WriteString("'" + string(arg[:min(len(arg), room)]) + "' ")
	}
	return b.String()
}

// reject answers a command that was not carried out because of its form.
func (c *conn) reject(cmd *store.Command, text string) {
	if cmd != nil {
		c.server.commands[cmd].rejected.Add(1)
	}
	c.tx.spoil()
	c.fail(nil, text)
}

// fail answers with an error.
func (c *conn) fail(cmd *store.Command, text string) {
	c.server.counters.errors.Add(1)
	if cmd != nil {
		c.server.commands[cmd].failed.Add(1)
	}
	c.out.err(text)
}

// add puts a command into the run. The run goes out first if it is of another
// kind: reads wait for the writes before them, and the other way round.
func (c *conn) add(ctx context.Context, cmd *store.Command, args [][]byte) {
	as, args := store.AsRead(cmd, args)
	if !c.session.Joins(as) {
		c.run(ctx)
	}
	if err := c.session.Add(as, args); err != nil {
		c.run(ctx)
		c.reject(cmd, failureText(err))
		return
	}
	c.commands = append(c.commands, cmd)
}

// run sends the gathered commands in one hand-over and writes their answers.
func (c *conn) run(ctx context.Context) {
	if len(c.commands) == 0 {
		return
	}
	n := uint64(len(c.commands))
	took, failed := c.handOver(ctx), uint64(0)
	share := uint64(took) / n
	c.server.counters.runs.Add(1)
	c.server.counters.commands.Add(n)
	for i, cmd := range c.commands {
		stats := c.server.commands[cmd]
		stats.calls.Add(1)
		stats.nanos.Add(share)
		reply, err := c.session.Reply(i)
		if err != nil {
			failed++
		}
		c.answer(cmd, reply, err)
	}
	c.latency().observe(took, n-failed)
	c.lastCommand.Store(c.commands[n-1])
	c.commands = c.commands[:0]
	c.session.Reset()
}

// handOver sends the session's run, and returns how long that took.
func (c *conn) handOver(ctx context.Context) time.Duration {
	started := time.Now()
	c.session.Do(ctx)
	return time.Since(started)
}

// latency is of the run's class. What was refused, soon or late, is not counted: it was not carried out.
func (c *conn) latency() *latency {
	if c.session.IsRead() {
		return &c.server.counters.reads
	}
	return &c.server.counters.writes
}

// answer writes what a group replied, or why it did not.
func (c *conn) answer(cmd *store.Command, reply []byte, err error) {
	if err != nil {
		c.fail(cmd, failureText(err))
		return
	}
	if reply[0] == '-' {
		c.server.counters.errors.Add(1)
		c.server.commands[cmd].failed.Add(1)
	}
	c.out.machine(reply)
	if len(c.out.buf) > flushBytes && !c.isHeld {
		c.flush() // before the memory that the reply was given is given back
	}
}

// failureText says in Redis's words what became of a command. CLUSTERDOWN,
// TRYAGAIN and OOM mean that it was not carried out and never will be: clients
// retry the first two by themselves. None of them knows UNKNOWN, so none retries it.
func failureText(err error) string {
	var failure *flotilla.Failure
	if !errors.As(err, &failure) {
		return err.Error() // an answer
	}
	why := string(failure.Reason)
	if failure.Detail != "" {
		why += ": " + failure.Detail
	}
	if errors.Is(failure, flotilla.ErrUnknown) {
		return "UNKNOWN The command may or may not have been carried out: " + why
	}
	switch failure.Reason {
	case flotilla.Busy, flotilla.TooStale:
		return "TRYAGAIN " + why + "; the command was not carried out"
	case flotilla.DiskFull:
		return "OOM command not allowed: " + why + "; the command was not carried out"
	case flotilla.TooLarge:
		return "ERR " + why + "; the command was not carried out"
	}
	return "CLUSTERDOWN The cluster is down: " + why + "; the command was not carried out"
}

// flush sends the answers. A connection that takes them too slowly makes only
// its own goroutine wait; one that others write to has an outbox.
func (c *conn) flush() {
	if len(c.out.buf) == 0 {
		return
	}
	if c.outbox != nil {
		c.outbox.append(c.out.buf)
	} else {
		c.write(c.out.buf)
	}
	c.out.buf = c.out.buf[:0]
	if cap(c.out.buf) > keepBufferBytes {
		c.out.buf = nil
	}
}

// write sends bytes, as fast as the client reads them. Who reads a large reply very slowly
// is cut off.
func (c *conn) write(b []byte) {
	isLarge := len(b) > 2*flushBytes
	for len(b) > 0 {
		piece := b
		if isLarge {
			piece = b[:min(flushBytes, len(b))]
			_ = c.socket.SetWriteDeadline(time.Now().Add(c.server.writeTime))
		}
		n, err := c.socket.Write(piece)
		c.server.counters.bytesOut.Add(uint64(n))
		if isTimeout(err) {
			c.server.counters.slow.Add(1)
		}
		if err != nil {
			c.isLeaving = true
			return
		}
		b = b[n:]
	}
	if isLarge {
		_ = c.socket.SetWriteDeadline(time.Time{})
	}
}

func constantTimeEqual(a, b []byte) bool { return subtle.ConstantTimeCompare(a, b) == 1 }

func isTooManyFiles(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE)
}

func isTimeout(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }

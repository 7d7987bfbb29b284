package redis

import (
	"context"
	"strconv"
	"strings"
	"time"

	"flotilla"
	"flotilla/store"
)

// request is a command that the door answers itself.
type request struct {
	ctx  context.Context
	c    *conn
	cmd  *store.Command
	args [][]byte // valid until the handler returns
}

// handler answers a request: it writes exactly one reply, but for the
// subscriptions, which write one for each name.
type handler func(r *request)

// doorHandlers returns who answers what, by command; a container's handler also
// has its subcommands, but for those of the machine (MEMORY USAGE).
func doorHandlers() map[*store.Command]handler {
	byName := map[string]handler{
		"asking": (*request).ok, "auth": cmdAuth, "client": cmdClient, "cluster": cmdCluster,
		"command": cmdCommand, "config": cmdConfig, "consistency": cmdConsistency, "debug": cmdDebug,
		"discard": cmdDiscard, "echo": cmdEcho, "exec": cmdExec, "hello": cmdHello, "info": cmdInfo,
		"lastsave": cmdLastSave, "latency": cmdLatency, "memory": cmdMemory, "move": cmdOneDatabase,
		"multi": cmdMulti, "ping": cmdPing, "psubscribe": cmdSubscribe(byPattern),
		"publish": cmdPublish(byChannel), "pubsub": cmdPubSub, "punsubscribe": cmdUnsubscribe(byPattern),
		"quit": cmdQuit, "readonly": cmdReadOnly, "readwrite": cmdReadWrite, "reset": cmdReset,
		"role": cmdRole, "select": cmdSelect, "slowlog": cmdSlowLog, "spublish": cmdPublish(byShard),
		"ssubscribe": cmdSubscribe(byShard), "subscribe": cmdSubscribe(byChannel),
		"sunsubscribe": cmdUnsubscribe(byShard), "swapdb": cmdOneDatabase, "time": cmdTime,
		"unsubscribe": cmdUnsubscribe(byChannel), "unwatch": cmdUnwatch, "wait": cmdWait, "watch": cmdWatch,
	}
	handlers := map[*store.Command]handler{}
	for _, c := range store.Commands() {
		name, _, _ := strings.Cut(c.Name, "|")
		if h := byName[name]; h != nil && (c.Flags&store.Door != 0 || c.IsContainer()) {
			handlers[c] = h
		}
	}
	return handlers
}

// door carries out a command of the door's own.
func (c *conn) door(ctx context.Context, cmd *store.Command, args [][]byte) {
	started := time.Now()
	c.lastCommand.Store(cmd)
	r := &request{ctx: ctx, c: c, cmd: cmd, args: args}
	if h := c.server.handlers[cmd]; h != nil {
		h(r)
	} else {
		r.unknownSub()
	}
	stats := c.server.commands[cmd]
	stats.calls.Add(1)
	stats.nanos.Add(uint64(time.Since(started)))
	c.server.counters.commands.Add(1)
}

func (r *request) ok() { r.c.out.ok() }

func (r *request) fail(text string) { r.c.fail(r.cmd, text) }

// sub returns the subcommand in lower case.
func (r *request) sub() string {
	if len(r.args) < 2 {
		return ""
	}
	return strings.ToLower(string(r.args[1]))
}

// is reports whether argument i is a word, in any case.
func (r *request) is(i int, word string) bool {
	return i < len(r.args) && strings.EqualFold(string(r.args[i]), word)
}

// int reads argument i, or answers that it is no integer.
func (r *request) int(i int) (n int64, ok bool) {
	n, err := strconv.ParseInt(string(r.args[i]), 10, 64)
	if err != nil {
		r.fail("ERR value is not an integer or out of range")
	}
	return n, err == nil
}

func (r *request) syntaxError() { r.fail("ERR syntax error") }

// unknownSub answers a subcommand that is called in a way that its arity allows, but
// Redis does not. What does not exist at all was refused by objection.
func (r *request) unknownSub() {
	container, _, _ := strings.Cut(r.cmd.Name, "|")
	r.fail("ERR unknown subcommand or wrong number of arguments for '" + string(r.args[1][:min(len(r.args[1]), 128)]) +
		"'. Try " + strings.ToUpper(container) + " HELP.")
}

// cmdPing answers in the form of a message where nothing else is expected.
func cmdPing(r *request) {
	out := &r.c.out
	switch {
	case len(r.args) > 2:
		r.fail("ERR wrong number of arguments for 'ping' command")
	case r.c.subs.any() && !out.isRESP3:
		out.array(2)
		out.text("pong")
		if len(r.args) == 2 {
			out.bulk(r.args[1])
		} else {
			out.text("")
		}
	case len(r.args) == 2:
		out.bulk(r.args[1])
	default:
		out.status("PONG")
	}
}

func cmdEcho(r *request) { r.c.out.bulk(r.args[1]) }

func cmdQuit(r *request) {
	r.c.out.ok()
	r.c.isLeaving = true
}

// cmdReset makes the connection what it was when it was new.
func cmdReset(r *request) {
	c := r.c
	c.endTransaction()
	c.server.hub.leave(c)
	c.setFlag(flagPubSub|flagRESP3|flagReadOnly|flagNoEvict|flagNoTouch, false)
	c.out.isRESP3 = false
	c.isAuthed = c.server.Password == ""
	c.in.isTrusted = c.isAuthed
	c.session.Level, c.session.MaxAge = flotilla.Linearizable, 0
	c.mute = replyOn
	c.mu.Lock()
	c.name = ""
	c.mu.Unlock()
	c.out.status("RESET")
}

func cmdSelect(r *request) {
	n, ok := r.int(1)
	switch {
	case !ok:
	case n != 0:
		r.fail("ERR SELECT is not allowed in cluster mode")
	default:
		r.c.out.ok()
	}
}

func cmdOneDatabase(r *request) {
	r.fail("ERR " + strings.ToUpper(r.cmd.Name) + " is not allowed in cluster mode")
}

func cmdTime(r *request) {
	now := time.Now()
	r.c.out.texts([]string{strconv.FormatInt(now.Unix(), 10), strconv.Itoa(now.Nanosecond() / 1000)})
}

func cmdReadOnly(r *request)  { r.c.setLevel(flotilla.Eventual, 0); r.ok() }
func cmdReadWrite(r *request) { r.c.setLevel(flotilla.Linearizable, 0); r.ok() }

func (c *conn) setLevel(level flotilla.Level, maxAge flotilla.Millis) {
	c.session.Level, c.session.MaxAge = level, maxAge
	c.setFlag(flagReadOnly, level == flotilla.Eventual)
}

// cmdConsistency shows or sets how fresh this connection's reads must be.
func cmdConsistency(r *request) {
	c := r.c
	switch {
	case len(r.args) == 1:
		c.out.text(levelText(c.session))
	case r.is(1, "linearizable") && len(r.args) == 2:
		c.setLevel(flotilla.Linearizable, 0)
		r.ok()
	case r.is(1, "session") && len(r.args) == 2:
		c.setLevel(flotilla.Session, 0)
		r.ok()
	case r.is(1, "eventual") && len(r.args) == 2:
		c.setLevel(flotilla.Eventual, 0)
		r.ok()
	case r.is(1, "bounded") && len(r.args) == 3:
		age, ok := r.int(2)
		if !ok {
			return
		}
		if age < 0 {
			r.fail("ERR the bound is negative")
			return
		}
		c.setLevel(flotilla.Bounded, flotilla.Millis(age))
		r.ok()
	default:
		r.fail("ERR syntax error: CONSISTENCY [LINEARIZABLE|SESSION|BOUNDED milliseconds|EVENTUAL]")
	}
}

func levelText(s *store.Session) string {
	switch s.Level {
	case flotilla.Session:
		return "session"
	case flotilla.Bounded:
		return "bounded " + strconv.FormatInt(int64(s.MaxAge), 10)
	case flotilla.Eventual:
		return "eventual"
	}
	return "linearizable"
}

// cmdRole says master on every node: each of them takes writes.
func cmdRole(r *request) {
	r.c.out.array(3)
	r.c.out.text("master")
	r.c.out.int(0)
	r.c.out.array(0)
}

// cmdLastSave: every acknowledged write has been saved.
func cmdLastSave(r *request) { r.c.out.int(int(time.Now().Unix())) }

func cmdDebug(r *request) {
	switch sub := r.sub(); {
	case sub == "sleep" && len(r.args) == 3:
		seconds, err := strconv.ParseFloat(string(r.args[2]), 64)
		if err != nil || seconds < 0 || seconds > 3600 {
			r.fail("ERR value is not a valid float")
			return
		}
		r.c.flush()
		timer := time.NewTimer(time.Duration(seconds * float64(time.Second)))
		defer timer.Stop()
		select { // only this connection sleeps
		case <-timer.C:
		case <-r.ctx.Done():
		}
		r.ok()
	case sub == "help":
		r.help()
	default:
		r.fail("ERR DEBUG has only SLEEP here")
	}
}

// cmdLatency, cmdSlowLog: nothing is recorded, and that is what is said. Look at
// /metrics and INFO commandstats instead.
func cmdLatency(r *request) {
	switch r.sub() {
	case "latest", "history":
		r.c.out.array(0)
	case "graph":
		r.fail("ERR No samples available for event '" + string(r.args[2][:min(len(r.args[2]), 128)]) + "'")
	case "histogram":
		r.c.out.mapOf(0)
	case "reset":
		r.c.out.int(0)
	case "doctor":
		r.c.out.verbatim("Latency events are not recorded here: see INFO commandstats and the node's /metrics.\n")
	case "help":
		r.help()
	}
}

func cmdSlowLog(r *request) {
	switch sub := r.sub(); {
	case sub == "get" && len(r.args) == 2:
		r.c.out.array(0)
	case sub == "get" && len(r.args) == 3:
		if n, err := strconv.ParseInt(string(r.args[2]), 10, 64); err != nil || n < -1 {
			r.fail("ERR count should be greater than or equal to -1")
			return
		}
		r.c.out.array(0)
	case sub == "len":
		r.c.out.int(0)
	case sub == "reset":
		r.ok()
	case sub == "help":
		r.help()
	default:
		r.unknownSub()
	}
}

func cmdMemory(r *request) {
	switch r.sub() {
	case "doctor":
		r.c.out.verbatim("Data is on disk; memory is the Go runtime's: see INFO memory and the node's /metrics.\n")
	case "malloc-stats":
		r.c.out.verbatim("Memory is the Go runtime's: see INFO memory.\n")
	case "purge":
		r.ok()
	case "stats":
		used := memoryUsed()
		r.c.out.mapOf(2)
		r.c.out.text("total.allocated")
		r.c.out.int(used.heap)
		r.c.out.text("process.mapped")
		r.c.out.int(used.mapped)
	case "help":
		r.help()
	}
}

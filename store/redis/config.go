package redis

import (
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"flotilla/store"
)

// config is what CONFIG SET may change. It is this node's alone, and forgotten
// when the node stops.
type config struct {
	notify     atomic.Uint32 // which keyspace events are published
	maxConns   atomic.Int64
	timeoutSec atomic.Int64 // an idle connection is closed after this; 0 for never
}

func (c *config) start(maxClients int) {
	if maxClients == 0 {
		maxClients = DefaultMaxClients
	}
	c.maxConns.Store(int64(maxClients))
}

func (c *config) maxClients() int        { return int(c.maxConns.Load()) }
func (c *config) timeout() time.Duration { return time.Duration(c.timeoutSec.Load()) * time.Second }

// The flags of notify-keyspace-events: bit i stands for notifyLetters[i].
const (
	notifyLetters = "g$lshzxetdmnKE"
	notifyAll     = 1<<10 - 1 // A: all but m and n

	notifyKeyspace uint32 = 1 << 12
	notifyKeyevent uint32 = 1 << 13
)

// classFlag returns the flag of an event's class.
func classFlag(class byte) uint32 {
	if i := strings.IndexByte(notifyLetters, class); i >= 0 {
		return 1 << i
	}
	return 0
}

func parseNotify(text string) (flags uint32, ok bool) {
	for _, letter := range []byte(text) {
		flag := classFlag(letter)
		if letter == 'A' {
			flag = notifyAll
		}
		if flag == 0 {
			return 0, false
		}
		flags |= flag
	}
	return flags, true
}

func notifyText(flags uint32) string {
	var b strings.Builder
	rest := flags
	if flags&notifyAll == notifyAll {
		b.WriteByte('A')
		rest &^= notifyAll
	}
	for _, i := range []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 13, 10, 11} {
		if rest&(1<<i) != 0 {
			b.WriteByte(notifyLetters[i])
		}
	}
	return b.String()
}

// parameter is one line of CONFIG GET. Without set it can not be changed; set
// returns what is wrong with a value, or "".
type parameter struct {
	name  string
	value string
	set   func(value string) (problem string)
}

// parameters lists what clients ask for, with what is true here.
func (s *Server) parameters() []parameter {
	number := func(into *atomic.Int64, least int64) func(string) string {
		return func(value string) string {
			n, err := strconv.ParseInt(value, 10, 32)
			if err != nil {
				return "argument couldn't be parsed into an integer"
			}
			if n < least {
				return "argument is out of range"
			}
			into.Store(n)
			return ""
		}
	}
	return []parameter{
		{"appendfsync", "always", nil},
		{"appendonly", "yes", nil},
		{"client-output-buffer-limit", "normal 0 0 0 slave 0 0 0 pubsub " + strconv.Itoa(maxOutboxBytes) + " 0 0", nil},
		{"cluster-enabled", "yes", nil},
		{"databases", "1", nil},
		{"maxclients", strconv.Itoa(s.config.maxClients()), number(&s.config.maxConns, 1)},
		{"maxmemory", "0", nil},
		{"maxmemory-policy", "noeviction", nil},
		{"notify-keyspace-events", notifyText(s.config.notify.Load()), func(value string) string {
			flags, ok := parseNotify(value)
			if !ok {
				return "Invalid event class character. Use 'Ag$lshzxeKEtmdn'."
			}
			s.setNotify(flags)
			return ""
		}},
		{"port", strconv.Itoa(s.self().StorePort), nil},
		{"proto-max-bulk-len", strconv.Itoa(store.MaxArgumentBytes), nil},
		{"save", "", nil},
		{"slowlog-log-slower-than", "-1", nil},
		{"slowlog-max-len", "0", nil},
		{"timeout", strconv.FormatInt(s.config.timeoutSec.Load(), 10), number(&s.config.timeoutSec, 0)},
	}
}

func cmdConfig(r *request) {
	switch sub := r.sub(); {
	case sub == "get" && len(r.args) > 2:
		r.configGet()
	case sub == "set" && len(r.args) > 3:
		r.configSet()
	case sub == "resetstat" && len(r.args) == 2:
		r.c.server.resetStats()
		r.ok()
	case sub == "rewrite" && len(r.args) == 2:
		r.fail("ERR The server is running without a config file")
	case sub == "help":
		r.help("GET <pattern>", "SET <directive> <value>", "RESETSTAT", "REWRITE")
	default:
		r.unknownSub()
	}
}

func (r *request) configGet() {
	var found []parameter
	for _, p := range r.c.server.parameters() {
		for i := range r.args[2:] {
			if store.MatchGlob([]byte(strings.ToLower(string(r.args[2+i]))), []byte(p.name)) {
				found = append(found, p)
				break
			}
		}
	}
	r.c.out.mapOf(len(found))
	for _, p := range found {
		r.c.out.text(p.name)
		r.c.out.text(p.value)
	}
}

// configSet changes parameters in the order given. What can not be changed may
// still be "set" to what it is, as many set-up scripts do.
func (r *request) configSet() {
	if len(r.args)%2 != 0 {
		r.fail("ERR wrong number of arguments for 'config|set' command")
		return
	}
	known := map[string]parameter{}
	for _, p := range r.c.server.parameters() {
		known[p.name] = p
	}
	for i := 2; i < len(r.args); i += 2 {
		name := strings.ToLower(string(r.args[i]))
		p, ok := known[name]
		if !ok {
			r.fail("ERR Unknown option or number of arguments for CONFIG SET - '" + string(r.args[i][:min(len(r.args[i]), 128)]) + "'")
			return
		}
		if p.set == nil && p.value != string(r.args[i+1]) {
			r.fail("ERR CONFIG SET failed (possibly related to argument '" + name + "') - can't set immutable config")
			return
		}
	}
	for i := 2; i < len(r.args); i += 2 {
		p := known[strings.ToLower(string(r.args[i]))]
		if p.set == nil {
			continue
		}
		if problem := p.set(string(r.args[i+1])); problem != "" {
			r.fail("ERR CONFIG SET failed (possibly related to argument '" + p.name + "') - " + problem)
			return
		}
	}
	r.ok()
}

package redis

import (
	"bytes"
	"fmt"
	"math"
	"slices"
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

// parameter is one line of CONFIG GET.
type parameter struct {
	name  string
	value string
	// parse returns a value as CONFIG GET shows it, or what is wrong with it.
	parse func(value string) (normal, problem string)
	// set puts a value that was parsed into force; nil if it can not be changed.
	set func(normal string)
}

// parameters lists what clients ask for, with what is true here.
func (s *Server) parameters() []parameter {
	c := &s.config
	number := func(into *atomic.Int64) func(string) {
		return func(normal string) {
			n, _ := strconv.ParseInt(normal, 10, 64) // it was parsed
			into.Store(n)
		}
	}
	return []parameter{
		{"appendfsync", "always", oneOf("everysec", "always", "no"), nil},
		{"appendonly", "yes", yesNo, nil},
		{"client-output-buffer-limit", "normal 0 0 0 slave 0 0 0 pubsub " + strconv.Itoa(maxOutboxBytes) + " 0 0", anyText, nil},
		{"cluster-enabled", "yes", anyText, nil},
		{"databases", "1", anyText, nil},
		{"maxclients", strconv.Itoa(c.maxClients()), between(1, math.MaxUint32), number(&c.maxConns)},
		{"maxmemory", "0", memoryValue, nil},
		{"maxmemory-policy", "noeviction", oneOf("volatile-lru", "volatile-lfu", "volatile-random", "volatile-ttl",
			"allkeys-lru", "allkeys-lfu", "allkeys-random", "noeviction"), nil},
		{"notify-keyspace-events", notifyText(c.notify.Load()), notifyValue, func(normal string) {
			flags, _ := parseNotify(normal)
			s.setNotify(flags)
		}},
		{"port", strconv.Itoa(s.self().StorePort), between(0, 65535), nil},
		{"proto-max-bulk-len", strconv.Itoa(store.MaxArgumentBytes), memoryValue, nil},
		{"save", "", anyText, nil},
		{"slowlog-log-slower-than", "-1", between(-1, math.MaxInt64), nil},
		{"slowlog-max-len", "0", between(0, math.MaxInt64), nil},
		{"timeout", strconv.FormatInt(c.timeoutSec.Load(), 10), between(0, math.MaxInt32), number(&c.timeoutSec)},
	}
}

func anyText(value string) (normal, problem string) { return value, "" }

func yesNo(value string) (normal, problem string) {
	if normal = strings.ToLower(value); normal == "yes" || normal == "no" {
		return normal, ""
	}
	return "", "argument must be 'yes' or 'no'"
}

func oneOf(words ...string) func(string) (normal, problem string) {
	return func(value string) (normal, problem string) {
		if normal = strings.ToLower(value); slices.Contains(words, normal) {
			return normal, ""
		}
		return "", "argument(s) must be one of the following: " + strings.Join(words, ", ")
	}
}

func between(least, most int64) func(string) (normal, problem string) {
	return func(value string) (normal, problem string) {
		n, err := strconv.ParseInt(value, 10, 64)
		switch {
		case err != nil:
			return "", "argument couldn't be parsed into an integer"
		case n < least || n > most:
			return "", fmt.Sprintf("argument must be between %d and %d inclusive", least, most)
		}
		return strconv.FormatInt(n, 10), ""
	}
}

// memoryValue reads 64mb as 67108864.
func memoryValue(value string) (normal, problem string) {
	digits := strings.TrimRight(value, "bgkmBGKM")
	n, err := strconv.ParseUint(digits, 10, 64)
	factor, isUnit := map[string]uint64{"": 1, "b": 1, "k": 1e3, "kb": 1 << 10, "m": 1e6, "mb": 1 << 20, "g": 1e9, "gb": 1 << 30}[strings.ToLower(value[len(digits):])]
	if err != nil || !isUnit || n > math.MaxUint64/factor {
		return "", "argument must be a memory value"
	}
	return strconv.FormatUint(n*factor, 10), ""
}

func notifyValue(value string) (normal, problem string) {
	flags, ok := parseNotify(value)
	if !ok {
		return "", "Invalid event class character. Use 'Ag$lshzxeKEtmdn'."
	}
	return notifyText(flags), ""
}

func cmdConfig(r *request) {
	switch r.sub() {
	case "get":
		r.configGet()
	case "set":
		r.configSet()
	case "resetstat":
		r.c.server.resetStats()
		r.ok()
	case "rewrite":
		r.fail("ERR The server is running without a config file")
	case "help":
		r.help()
	}
}

// configGet answers what each name or pattern finds, once. A name that is no pattern is
// shown as it was written.
func (r *request) configGet() {
	var found []string
	all, isShown := r.c.server.parameters(), map[string]bool{}
	for _, arg := range r.args[2:] {
		for _, p := range all {
			shown := p.name
			if !bytes.ContainsAny(arg, "*?[") {
				shown = string(arg)
			}
			if !isShown[p.name] && store.MatchGlob(bytes.ToLower(arg), []byte(p.name)) {
				isShown[p.name] = true
				found = append(found, shown, p.value)
			}
		}
	}
	r.c.out.mapOf(len(found) / 2)
	for _, text := range found {
		r.c.out.text(text)
	}
}

// configSet changes all parameters or, if anything is wrong with one, none. What can
// not be changed may still be "set" to what it is, as many set-up scripts do.
func (r *request) configSet() {
	if len(r.args)%2 != 0 {
		r.syntaxError()
		return
	}
	all := r.c.server.parameters()
	changes := map[string]*parameter{}
	for i := 2; i < len(r.args); i += 2 {
		name := strings.ToLower(string(r.args[i]))
		at := slices.IndexFunc(all, func(p parameter) bool { return p.name == name })
		if at < 0 {
			r.fail("ERR Unknown option or number of arguments for CONFIG SET - '" + string(r.args[i][:min(len(r.args[i]), 128)]) + "'")
			return
		}
		if changes[name] != nil {
			r.configFailed(name, "duplicate parameter")
			return
		}
		changes[name] = &all[at]
	}
	for i := 2; i < len(r.args); i += 2 {
		p := changes[strings.ToLower(string(r.args[i]))]
		normal, problem := p.parse(string(r.args[i+1]))
		if problem == "" && p.set == nil && normal != p.value {
			problem = "can't set immutable config"
		}
		if problem != "" {
			r.configFailed(p.name, problem)
			return
		}
		p.value = normal
	}
	for _, p := range changes {
		if p.set != nil {
			p.set(p.value)
		}
	}
	r.ok()
}

func (r *request) configFailed(name, problem string) {
	r.fail("ERR CONFIG SET failed (possibly related to argument '" + name + "') - " + problem)
}

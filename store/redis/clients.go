package redis

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// cmdClient is CLIENT and its subcommands. All but a few are about this node's
// connections only.
func cmdClient(r *request) {
	c, n := r.c, len(r.args)
	switch sub := r.sub(); {
	case sub == "id" && n == 2:
		c.out.int(int(c.id))
	case sub == "getname" && n == 2:
		if c.name == "" {
			c.out.null()
			return
		}
		c.out.text(c.name)
	case sub == "setname" && n == 3:
		if !isPlainName(r.args[2]) {
			r.fail("ERR Client names cannot contain spaces, newlines or special characters.")
			return
		}
		c.setName(string(r.args[2]))
		r.ok()
	case sub == "setinfo" && n == 4:
		r.clientSetInfo()
	case sub == "info" && n == 2:
		c.out.verbatim(c.describe() + "\n")
	case sub == "list":
		r.clientList()
	case sub == "kill" && n >= 3:
		r.clientKill()
	case sub == "reply" && n == 3:
		r.clientReply()
	case sub == "unblock" && (n == 3 || n == 4):
		r.clientUnblock()
	default:
		r.clientMore(sub, n)
	}
}

// clientMore has the subcommands that change little or nothing here.
func (r *request) clientMore(sub string, n int) {
	c := r.c
	isOn, isOff := r.is(2, "on"), r.is(2, "off")
	switch {
	case sub == "no-evict" && n == 3 && (isOn || isOff): // nothing is ever evicted
		c.setFlag(flagNoEvict, isOn)
		r.ok()
	case sub == "no-touch" && n == 3 && (isOn || isOff): // reads never touch
		c.setFlag(flagNoTouch, isOn)
		r.ok()
	case sub == "pause":
		r.fail("ERR CLIENT PAUSE is not supported: every node takes writes, so that one node can not pause them")
	case sub == "unpause" && n == 2:
		r.ok()
	case sub == "tracking" && isOff:
		r.ok()
	case sub == "tracking" && isOn:
		r.fail("ERR client side caching is not supported")
	case sub == "caching": // as in Redis where there is no tracking
		r.fail("ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled")
	case sub == "trackinginfo" && n == 2:
		c.out.mapOf(3)
		c.out.text("flags")
		c.out.set(1)
		c.out.text("off")
		c.out.text("redirect")
		c.out.int(-1)
		c.out.text("prefixes")
		c.out.array(0)
	case sub == "getredir" && n == 2:
		c.out.int(-1)
	case sub == "help":
		r.help()
	case sub == "no-evict" || sub == "no-touch" || sub == "tracking":
		r.syntaxError()
	default:
		r.unknownSub()
	}
}

func (r *request) clientSetInfo() {
	c := r.c
	field := &c.libName
	switch {
	case r.is(2, "lib-name"):
	case r.is(2, "lib-ver"):
		field = &c.libVersion
	default:
		r.fail("ERR Unrecognized option '" + string(r.args[2][:min(len(r.args[2]), 64)]) + "'")
		return
	}
	if !isPlainName(r.args[3]) {
		r.fail("ERR " + string(r.args[2]) + " cannot contain spaces, newlines or special characters.")
		return
	}
	c.mu.Lock()
	*field = string(r.args[3])
	c.mu.Unlock()
	r.ok()
}

// kind is what CLIENT LIST TYPE and CLIENT KILL TYPE choose by.
func (c *conn) kind() string {
	if c.flags.Load()&flagPubSub != 0 {
		return "pubsub"
	}
	return "normal"
}

// isKind says whether a word names a kind of clients; nobody is a replica here.
func isKind(kind string) bool {
	return slices.Contains([]string{"normal", "pubsub", "master", "replica", "slave"}, kind)
}

// describe is a line of CLIENT LIST. It may be called by any goroutine.
func (c *conn) describe() string {
	flags := c.flags.Load()
	letters := ""
	for i, letter := range []string{"b", "P", "", "x", "r", "e", "T"} {
		if flags&(1<<i) != 0 {
			letters += letter
		}
	}
	if letters == "" {
		letters = "N"
	}
	resp := 2
	if flags&flagRESP3 != 0 {
		resp = 3
	}
	command := "NULL"
	if last := c.lastCommand.Load(); last != nil {
		command = last.Name
	}
	now := time.Now()
	idle := max(0, (now.UnixMilli()-c.lastActive.Load())/1000)
	c.mu.Lock()
	defer c.mu.Unlock()
	return fmt.Sprintf("id=%d addr=%s laddr=%s fd=-1 name=%s age=%d idle=%d flags=%s db=0 multi=%d events=r cmd=%s user=default redir=-1 resp=%d lib-name=%s lib-ver=%s",
		c.id, c.socket.RemoteAddr(), c.socket.LocalAddr(), c.name, int(now.Sub(c.created).Seconds()), idle,
		letters, c.multi.Load(), command, resp, c.libName, c.libVersion)
}

func (r *request) clientList() {
	kind, ids := "", map[uint64]bool{}
	switch {
	case len(r.args) == 2:
	case r.is(2, "type") && len(r.args) == 4:
		kind = strings.ToLower(string(r.args[3]))
		if !isKind(kind) {
			r.fail("ERR Unknown client type '" + kind[:min(len(kind), 64)] + "'")
			return
		}
	case r.is(2, "id") && len(r.args) > 3:
		for i := range r.args[3:] {
			id, err := strconv.ParseUint(string(r.args[3+i]), 10, 64)
			if err != nil {
				r.fail("ERR Invalid client ID")
				return
			}
			ids[id] = true
		}
	default:
		r.syntaxError()
		return
	}
	conns := r.c.server.all()
	slices.SortFunc(conns, func(a, b *conn) int { return int(int64(a.id) - int64(b.id)) })
	var lines strings.Builder
	for _, c := range conns {
		if (kind == "" || c.kind() == kind) && (len(ids) == 0 || ids[c.id]) {
			lines.WriteString(c.describe() + "\n")
		}
	}
	r.c.out.verbatim(lines.String())
}

// victims says which connections CLIENT KILL is to end.
type victims struct {
	id                uint64
	addr, laddr, kind string
	skipMe            bool
}

func (v *victims) has(c, me *conn) bool {
	return (v.id == 0 || c.id == v.id) &&
		(v.addr == "" || c.socket.RemoteAddr().String() == v.addr) &&
		(v.laddr == "" || c.socket.LocalAddr().String() == v.laddr) &&
		(v.kind == "" || c.kind() == v.kind) && !(v.skipMe && c == me)
}

func (r *request) clientKill() {
	if len(r.args) == 3 {
		if r.kill(victims{addr: string(r.args[2])}) == 0 {
			r.fail("ERR No such client")
			return
		}
		r.ok()
		return
	}
	v := victims{skipMe: true}
	if len(r.args)%2 != 0 {
		r.syntaxError()
		return
	}
	for i := 2; i < len(r.args); i += 2 {
		if text := v.choose(strings.ToLower(string(r.args[i])), string(r.args[i+1])); text != "" {
			r.fail(text)
			return
		}
	}
	r.c.out.int(r.kill(v))
}

// choose reads one filter, or returns what is wrong with it.
func (v *victims) choose(filter, value string) (text string) {
	switch filter {
	case "id":
		id, err := strconv.ParseUint(value, 10, 64)
		if err != nil || id == 0 {
			return "ERR client-id should be greater than 0"
		}
		v.id = id
	case "type":
		v.kind = strings.ToLower(value)
		if !isKind(v.kind) {
			return "ERR Unknown client type '" + value + "'"
		}
	case "addr":
		v.addr = value
	case "laddr":
		v.laddr = value
	case "user":
		if value != "default" {
			return "ERR No such user '" + value + "'"
		}
	case "skipme":
		if !strings.EqualFold(value, "yes") && !strings.EqualFold(value, "no") {
			return "ERR syntax error"
		}
		v.skipMe = strings.EqualFold(value, "yes")
	default:
		return "ERR syntax error"
	}
	return ""
}

// kill ends connections; the own one only after its answer was sent.
func (r *request) kill(v victims) (n int) {
	for _, c := range r.c.server.all() {
		if !v.has(c, r.c) {
			continue
		}
		n++
		if c == r.c {
			c.isLeaving = true
		} else {
			_ = c.socket.Close()
		}
	}
	return n
}

func (r *request) clientReply() {
	c := r.c
	switch {
	case r.is(2, "on"):
		c.mute = replyOn
		r.ok()
	case r.is(2, "off"):
		c.mute = replyOff
	case r.is(2, "skip"):
		if c.mute == replyOn {
			c.mute = replySkip
		}
	default:
		r.syntaxError()
	}
}

func (r *request) clientUnblock() {
	how := unblockAsTimeout
	switch {
	case len(r.args) == 3 || r.is(3, "timeout"):
	case r.is(3, "error"):
		how = unblockAsError
	default:
		r.fail("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR")
		return
	}
	id, ok := r.int(2)
	if !ok {
		return
	}
	if r.c.server.waiting.unblock(uint64(id), how) {
		r.c.out.int(1)
		return
	}
	r.c.out.int(0)
}

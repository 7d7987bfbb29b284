package redis

import "strconv"

// redisVersion is the Redis whose commands and replies these are. Clients look at
// it to find out what they may use.
const redisVersion = "7.2.6"

const errWrongPassword = "WRONGPASS invalid username-password pair or user is disabled."

func cmdAuth(r *request) {
	c := r.c
	user, password := []byte("default"), r.args[len(r.args)-1]
	switch len(r.args) {
	case 2:
		if c.server.Password == "" {
			r.fail("ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?")
			return
		}
	case 3:
		user = r.args[1]
	default:
		r.syntaxError()
		return
	}
	if !c.authenticate(user, password) {
		r.fail(errWrongPassword)
		return
	}
	r.ok()
}

// authenticate checks a password. There is one user; the same work is done for others.
func (c *conn) authenticate(user, password []byte) bool {
	isRight := c.server.isRightPassword(password) || c.server.Password == ""
	if string(user) != "default" || !isRight {
		return false
	}
	c.isAuthed = true
	c.in.isTrusted = true
	return true
}

func cmdHello(r *request) {
	c := r.c
	version := 2
	if c.out.isRESP3 {
		version = 3
	}
	rest := r.args[1:]
	if len(rest) > 0 {
		n, err := strconv.Atoi(string(rest[0]))
		if err != nil {
			r.fail("ERR Protocol version is not an integer or out of range")
			return
		}
		if n != 2 && n != 3 {
			r.fail("NOPROTO unsupported protocol version")
			return
		}
		version, rest = n, rest[1:]
	}
	name, ok := r.helloOptions(rest)
	if !ok {
		return
	}
	if !c.isAuthed {
		r.fail("NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol version at the same time")
		return
	}
	if name != nil {
		c.setName(string(name))
	}
	c.out.isRESP3 = version == 3
	c.setFlag(flagRESP3, version == 3)
	c.hello(version)
}

// helloOptions reads AUTH and SETNAME; it answered if ok is false.
func (r *request) helloOptions(rest [][]byte) (name []byte, ok bool) {
	for len(rest) > 0 {
		option := request{args: rest}
		switch {
		case option.is(0, "auth") && len(rest) >= 3:
			if !r.c.authenticate(rest[1], rest[2]) {
				r.fail(errWrongPassword)
				return nil, false
			}
			rest = rest[3:]
		case option.is(0, "setname") && len(rest) >= 2:
			if !isPlainName(rest[1]) {
				r.fail("ERR Client names cannot contain spaces, newlines or special characters.")
				return nil, false
			}
			name, rest = rest[1], rest[2:]
		default:
			r.fail("ERR Syntax error in HELLO option '" + string(rest[0][:min(len(rest[0]), 64)]) + "'")
			return nil, false
		}
	}
	return name, true
}

func (c *conn) hello(version int) {
	out := &c.out
	out.mapOf(7)
	out.text("server")
	out.text("redis")
	out.text("version")
	out.text(redisVersion)
	out.text("proto")
	out.int(version)
	out.text("id")
	out.int(int(c.id))
	out.text("mode")
	out.text("cluster")
	out.text("role")
	out.text("master")
	out.text("modules")
	out.array(0)
}

// isPlainName says whether a name can stand in a line of CLIENT LIST.
func isPlainName(name []byte) bool {
	for _, b := range name {
		if b < '!' || b > '~' {
			return false
		}
	}
	return true
}

func (c *conn) setName(name string) {
	c.mu.Lock()
	c.name = name
	c.mu.Unlock()
}

package store

import (
	"math"

	"flotilla"
)

// The errors that many commands share.
const (
	errWrongType   = "WRONGTYPE Operation against a key holding the wrong kind of value"
	errSyntax      = "ERR syntax error"
	errNotInt      = "ERR value is not an integer or out of range"
	errNotFloat    = "ERR value is not a valid float"
	errNoSuchKey   = "ERR no such key"
	errOutOfRange  = "ERR index out of range"
	errTooLong     = "ERR string exceeds maximum allowed size (proto-max-bulk-len)"
	errCursor      = "ERR invalid cursor"
	errMalformed   = "ERR malformed command"
	errNoRoom      = "OOM the disk of a node is nearly full: nothing was changed; delete data or make room"
	errNotPositive = "ERR value is out of range, must be positive"
)

// keptRoom is how large a buffer may be to be used again for the next command.
const keptRoom = 64 << 10

// call is one command while it runs: what was asked, what it may see, and the
// reply being built. One value serves all commands of an entry, one after
// another, so that a command allocates nothing but what its work needs.
type call struct {
	replies
	args [][]byte // args[0] is the name
	cmd  *Command
	r    flotilla.Reader // the state or the view
	tx   *flotilla.Tx    // nil in a read
	time flotilla.Millis // the log's: decides what is expired
	now  flotilla.Millis // only to say how long something still has; never before time

	seed uint64 // of a read's random choices; 0 for none

	spent, maxSpent int64 // of a write, see work.go

	counters  counters
	keyRoom   []byte // for building keys of the state
	valueRoom []byte // for building values
	keyFirst  [96]byte
	argsRoom  [8][]byte
	isInExec  bool
}

// newCall returns a call that sees r.
func newCall(r flotilla.Reader, tx *flotilla.Tx, time, now flotilla.Millis) *call {
	c := &call{r: r, tx: tx, time: time, now: now}
	c.keyRoom = c.keyFirst[:0]
	return c
}

// notify tells subscribers what happened to a key. class is the letter of
// Redis's notify-keyspace-events: g generic, $ string, l list, s set, h hash,
// z sorted set, x expired, n new key. Without a name nobody is told.
func (c *call) notify(class byte, name string, key []byte) {
	if c.tx == nil || c.tx.Emit == nil || name == "" {
		return
	}
	c.tx.Emit(flotilla.Event{System: flotilla.SystemStore, Group: c.tx.Group, Index: c.tx.Index,
		Name: name, Class: class, Key: key})
}

// The element access of the families. get's value belongs to the state.
func (c *call) get(key []byte) ([]byte, bool) { return c.r.Get(key) }
func (c *call) put(key, value []byte)         { c.tx.Set(key, value) }
func (c *call) del(key []byte)                { c.tx.Delete(key) }

// intArg reads argument i as an integer, or answers why it is none.
func (c *call) intArg(i int) (n int64, ok bool) {
	if n, ok = parseInt(c.args[i]); !ok {
		c.err(errNotInt)
	}
	return n, ok
}

// intArgs reads two arguments as integers, or answers which is none.
func (c *call) intArgs(i, j int) (a, b int64, ok bool) {
	if a, ok = c.intArg(i); ok {
		b, ok = c.intArg(j)
	}
	return a, b, ok
}

// sum adds integers, or answers that it can not.
func (c *call) sum(a, b int64) (sum int64, ok bool) {
	if b < 0 && a < math.MinInt64-b || b > 0 && a > math.MaxInt64-b {
		c.err("ERR increment or decrement would overflow")
		return 0, false
	}
	return a + b, true
}

// floatArg reads argument i as a float, or answers why it is none.
func (c *call) floatArg(i int) (f float64, ok bool) {
	if f, ok = parseFloat(c.args[i]); !ok {
		c.err(errNotFloat)
	}
	return f, ok
}

// argIs says whether argument i is the given upper-case word, in any case.
func (c *call) argIs(i int, word string) bool { return i < len(c.args) && isWord(c.args[i], word) }

// isWord compares with an upper-case word in any case.
func isWord(arg []byte, word string) bool {
	if len(arg) != len(word) {
		return false
	}
	for i, b := range arg {
		if 'a' <= b && b <= 'z' {
			b -= 'a' - 'A'
		}
		if b != word[i] {
			return false
		}
	}
	return true
}

// wrongArity answers as Redis does when a command has too few or many arguments.
func (c *call) wrongArity(name string) {
	c.err("ERR wrong number of arguments for '" + name + "' command")
}

// random returns the command's source of chance: in a write the same on every
// replica, in a read what the caller or else the clock says.
func (c *call) random() *random {
	if c.tx != nil {
		return &random{state: c.tx.Version()}
	}
	if c.seed != 0 {
		return &random{state: c.seed}
	}
	return &random{state: uint64(c.now)}
}

// random is splitmix64.
type random struct{ state uint64 }

func (r *random) next() uint64 {
	r.state += 0x9e3779b97f4a7c15
	z := r.state
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// below returns a number from 0 to n-1. The bias for n far below 2^64 is
// too small to see.
func (r *random) below(n int64) int64 { return int64(r.next() % uint64(n)) }

// scanOptions are what the SCAN family's commands share.
type scanOptions struct {
	cursor  uint64
	pattern []byte // nil matches all
	count   int
	kind    []byte // TYPE, only SCAN
}

// matches says whether a name is asked for.
func (o *scanOptions) matches(name []byte) bool {
	return o.pattern == nil || matchGlob(o.pattern, name)
}

// scanArgs reads "cursor [MATCH pattern] [COUNT count] ..." from argument at on,
// or answers what is wrong.
func (c *call) scanArgs(at int) (o scanOptions, ok bool) {
	o.count = 10
	if o.cursor, ok = parseUint(c.args[at]); !ok {
		c.err(errCursor)
		return o, false
	}
	for i := at + 1; i < len(c.args); i++ {
		isLast := i+1 == len(c.args)
		switch {
		case c.argIs(i, "COUNT") && !isLast:
			i++
			n, ok := c.intArg(i)
			if !ok {
				return o, false
			}
			if n < 1 {
				c.err(errSyntax)
				return o, false
			}
			o.count = int(min(n, 1<<20))
		case c.argIs(i, "MATCH") && !isLast:
			i++
			if o.pattern = c.args[i]; allKeys(o.pattern) {
				o.pattern = nil
			}
		case c.argIs(i, "TYPE") && !isLast && c.cmd.Name == "scan":
			i++
			o.kind = c.args[i]
		default:
			c.err(errSyntax)
			return o, false
		}
	}
	return o, true
}

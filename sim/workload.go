package sim

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"flotilla"
	"flotilla/check"
	"flotilla/store"
)

// listSpan is how long one list of a name is used: lists only grow.
const listSpan = 4 * time.Second

// live is what a client does: one thing after another, until the end.
func (c *client) live() {
	for !c.w.isOver {
		c.sleep(between(c.chance, 0, 2*c.w.opts.Think))
		if !c.connect() {
			continue
		}
		c.act()
		if c.session != nil && c.chance.IntN(50) == 0 {
			c.hangUp()
		}
	}
}

// act does one thing.
func (c *client) act() {
	key := strconv.Itoa(c.chance.IntN(c.w.opts.Keys))
	switch p := c.chance.IntN(100); {
	case p < 15:
		c.write("r" + key)
	case p < 30:
		c.read("r" + key)
	case p < 40:
		c.compareAndSet("r" + key)
	case p < 42:
		c.delete("r" + key)
	case p < 52:
		c.add("c" + key)
	case p < 57:
		c.total("c" + key)
	case p < 64:
		c.change("s" + key)
	case p < 68:
		c.members("s" + key)
	case p < 80:
		c.push(c.listName(key))
	case p < 95:
		c.rangeOf(c.listName(key))
	default:
		c.passing("x" + key)
	}
}

func (c *client) listName(key string) string {
	return fmt.Sprintf("l%s:%d", key, c.w.now/listSpan)
}

// unique returns a value that nobody else writes.
func (c *client) unique() string {
	c.w.values++
	return "v" + strconv.Itoa(c.w.values)
}

func (c *client) write(key string) {
	value := c.unique()
	c.record(check.Operation{Key: key, Kind: check.Write, Value: value}, func(*check.Operation, string) {}, "set", key, value)
}

func (c *client) delete(key string) {
	c.record(check.Operation{Key: key, Kind: check.Delete}, func(*check.Operation, string) {}, "del", key)
}

func (c *client) read(key string) check.Operation {
	return c.record(check.Operation{Key: key, Kind: check.Read}, func(o *check.Operation, reply string) {
		o.Value, o.Found = bulk(reply)
	}, "get", key)
}

func (c *client) add(key string) {
	number := int64(1 + c.chance.IntN(5))
	c.record(check.Operation{Key: key, Kind: check.Add, Number: number}, func(o *check.Operation, reply string) {
		o.Total = integer(reply)
	}, "incrby", key, strconv.FormatInt(number, 10))
}

func (c *client) total(key string) {
	c.record(check.Operation{Key: key, Kind: check.Count}, func(o *check.Operation, reply string) {
		text, _ := bulk(reply)
		o.Total, _ = strconv.ParseInt(text, 10, 64)
	}, "get", key)
}

// change inserts into a set or removes from it.
func (c *client) change(key string) {
	member := "m" + strconv.Itoa(c.chance.IntN(5))
	kind, name := check.Insert, "sadd"
	if c.chance.IntN(3) == 0 {
		kind, name = check.Remove, "srem"
	}
	c.record(check.Operation{Key: key, Kind: kind, Value: member}, func(o *check.Operation, reply string) {
		o.Changed = integer(reply) == 1
	}, name, key, member)
}

func (c *client) members(key string) {
	c.record(check.Operation{Key: key, Kind: check.Members}, func(o *check.Operation, reply string) {
		o.Values = bulks(reply)
	}, "smembers", key)
}

// record carries out one command and writes down what came of it.
func (c *client) record(o check.Operation, fill func(o *check.Operation, reply string), words ...string) check.Operation {
	o.Client = c.name
	return c.w.recorder.Do(o, func(o *check.Operation) {
		reply := ""
		if reply, o.Outcome = c.do(words...); o.Outcome == check.Known {
			fill(o, reply)
		}
	})
}

// compareAndSet is WATCH, GET, MULTI, SET, EXEC.
func (c *client) compareAndSet(key string) {
	reply, outcome := c.send(func(s *store.Session) error { return s.AddWatch([][]byte{[]byte(key)}) })
	if outcome != check.Known {
		return
	}
	version := integer(strings.TrimPrefix(reply, "*1\r\n"))
	before := c.read(key)
	if before.Outcome != check.Known || !before.Found {
		return
	}
	c.sleep(between(c.chance, 0, 20*time.Millisecond))
	if c.session == nil {
		return
	}
	value := c.unique()
	watches := []store.Watch{{Key: []byte(key), Version: uint64(version)}}
	commands := [][][]byte{{[]byte("set"), []byte(key), []byte(value)}}
	o := check.Operation{Client: c.name, Key: key, Kind: check.CompareAndSet, Expect: before.Value, Value: value}
	c.w.recorder.Do(o, func(o *check.Operation) {
		reply, outcome := c.send(func(s *store.Session) error {
			return s.AddExec(flotilla.SlotOf([]byte(key)), watches, commands)
		})
		o.Outcome, o.Changed = outcome, strings.HasPrefix(reply, "*1\r\n+OK")
		switch {
		case outcome == check.Known && strings.Contains(reply, "-OOM"):
			o.Outcome = check.Refused
		case outcome == check.Known && !o.Changed:
			c.w.count("WATCH noticed a change")
		}
	})
}

// passing uses keys that expire, and choices by chance: nothing is judged but that
// all replicas agree.
func (c *client) passing(key string) {
	switch c.chance.IntN(4) {
	case 0:
		c.do("set", key, c.unique(), "px", strconv.Itoa(50+c.chance.IntN(1000)))
	case 1:
		c.do("sadd", "p"+key, c.unique(), c.unique(), c.unique())
	case 2:
		c.do("spop", "p"+key)
	default:
		c.do("pexpire", "p"+key, strconv.Itoa(100+c.chance.IntN(1000)))
	}
}

// push appends a number that nobody else appends.
func (c *client) push(key string) {
	value, begin := c.unique(), c.w.now
	reply, outcome := c.do("rpush", key, value)
	c.w.lists.pushed(pushed{key: key, value: value, outcome: outcome, place: int(integer(reply)), begin: begin, end: c.w.now})
	if outcome == check.Known {
		c.saw[key] = max(c.saw[key], int(integer(reply)))
	}
}

// rangeOf reads a list at one of the four levels.
func (c *client) rangeOf(key string) {
	s := c.session
	s.Level, s.MaxAge = flotilla.Level(c.chance.IntN(4)), flotilla.Millis(c.chance.IntN(600))
	r := ranged{key: key, level: s.Level, age: time.Duration(s.MaxAge) * time.Millisecond, begin: c.w.now, own: c.saw[key], seen: c.w.lists.seen[key]}
	reply, outcome := c.do("lrange", key, "0", "-1")
	s.Level = flotilla.Linearizable
	if outcome != check.Known {
		return
	}
	r.values = bulks(reply)
	if r.level == flotilla.Session {
		c.saw[key] = max(c.saw[key], len(r.values))
	}
	c.w.count("read at level " + strconv.Itoa(int(r.level)))
	c.w.lists.judge(c.w, r)
}

// bulk reads a bulk string; false is a null.
func bulk(reply string) (string, bool) {
	head, rest, _ := strings.Cut(reply, "\r\n")
	if !strings.HasPrefix(head, "$") {
		return "", false
	}
	length, _ := strconv.Atoi(head[1:])
	return rest[:min(length, len(rest))], true
}

// bulks reads an array or a set of bulk strings.
func bulks(reply string) (all []string) {
	head, rest, _ := strings.Cut(reply, "\r\n")
	if head == "" || head[0] != '*' && head[0] != '~' {
		return nil
	}
	for rest != "" {
		text, ok := bulk(rest)
		if !ok {
			return all
		}
		all = append(all, text)
		_, rest, _ = strings.Cut(rest, "\r\n")
		rest = strings.TrimPrefix(rest[len(text):], "\r\n")
	}
	return all
}

// integer reads an integer reply.
func integer(reply string) int64 {
	n, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimPrefix(reply, ":"), "\r\n"), 10, 64)
	return n
}

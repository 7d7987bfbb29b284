package store

import "flotilla"

func stringCommands() []*Command {
	return []*Command{
		{Name: "set", Arity: -3, Flags: Write | DenyOOM, FirstKey: 1, LastKey: 1, Step: 1, run: runSet},
		{Name: "get", Arity: 2, Flags: ReadOnly | Fast, FirstKey: 1, LastKey: 1, Step: 1, run: runGet},
		{Name: "del", Arity: -2, Flags: Write | Scatter, FirstKey: 1, LastKey: -1, Step: 1, run: runDel},
		{Name: "pexpireat", Arity: 3, Flags: Write, FirstKey: 1, LastKey: 1, Step: 1, run: runPexpireat},
		{Name: "dbsize", Arity: 1, Flags: ReadOnly | Everywhere, run: runDbsize},
	}
}

func runSet(c *call) {
	it := c.load(c.args[1])
	c.clear(&it)
	it.kind, it.expiry = kindString, 0
	c.saveBody(&it, c.args[2], nil)
	c.notify('$', "set", it.key)
	c.ok()
}

func runGet(c *call) {
	it, ok := c.lookup(c.args[1], kindString)
	switch {
	case !ok:
	case it.exists():
		c.bulk(it.body)
	default:
		c.null()
	}
}

func runDel(c *call) {
	n := 0
	for _, key := range c.args[1:] {
		if it := c.load(key); it.exists() {
			c.remove(&it)
			c.notify('g', "del", key)
			n++
		}
	}
	c.int(int64(n))
}

func runPexpireat(c *call) {
	at, ok := c.intArg(2)
	if !ok {
		return
	}
	it := c.load(c.args[1])
	if !it.exists() {
		c.int(0)
		return
	}
	it.expiry = flotilla.Millis(at)
	c.save(&it)
	c.int(1)
}

func runDbsize(c *call) { c.int(c.counters.keys) }

func bitCommands() []*Command         { return nil }
func hyperLogLogCommands() []*Command { return nil }
func genericCommands() []*Command     { return nil }

package store

import "flotilla"

// expireAt gives a key an expiry and tells of it; one that has come already
// deletes the key at once.
func (c *call) expireAt(it *item, at flotilla.Millis) {
	if at <= c.time {
		c.remove(it)
		c.notify('g', "del", it.key)
		return
	}
	it.expiry = at
	c.save(it)
	c.notify('g', "expire", it.key)
}

func runExpire(c *call)    { c.expireBy(expiryUnit{isSeconds: true}) }
func runPexpire(c *call)   { c.expireBy(expiryUnit{}) }
func runExpireat(c *call)  { c.expireBy(expiryUnit{isSeconds: true, isAbsolute: true}) }
func runPexpireat(c *call) { c.expireBy(expiryUnit{isAbsolute: true}) }

// expireCondition says when an EXPIRE applies.
type expireCondition struct{ onlyNone, onlySome, onlyLater, onlySooner bool } // NX XX GT LT

// holds compares the expiry that a key has, 0 for none, with the one wanted. None
// counts as infinitely late.
func (e expireCondition) holds(has, wanted flotilla.Millis) bool {
	switch {
	case e.onlyNone && has != 0,
		e.onlySome && has == 0,
		e.onlyLater && (has == 0 || wanted <= has),
		e.onlySooner && has != 0 && wanted >= has:
		return false
	}
	return true
}

func (c *call) expireArgs() (e expireCondition, ok bool) {
	for i := 3; i < len(c.args); i++ {
		switch {
		case c.argIs(i, "NX"):
			e.onlyNone = true
		case c.argIs(i, "XX"):
			e.onlySome = true
		case c.argIs(i, "GT"):
			e.onlyLater = true
		case c.argIs(i, "LT"):
			e.onlySooner = true
		default:
			c.err("ERR Unsupported option " + string(c.args[i]))
			return e, false
		}
	}
	if e.onlyNone && (e.onlySome || e.onlyLater || e.onlySooner) {
		c.err("ERR NX and XX, GT or LT options at the same time are not compatible")
		return e, false
	}
	if e.onlyLater && e.onlySooner {
		c.err("ERR GT and LT options at the same time are not compatible")
		return e, false
	}
	return e, true
}

// expireBy is the body of the four EXPIRE commands.
func (c *call) expireBy(unit expiryUnit) {
	condition, ok := c.expireArgs()
	if !ok {
		return
	}
	n, ok := c.intArg(2)
	if !ok {
		return
	}
	at, ok := c.pointInTime(n, unit)
	if !ok {
		c.err("ERR invalid expire time in '" + c.cmd.Name + "' command")
		return
	}
	it := c.load(c.args[1])
	if !it.exists() || !condition.holds(it.expiry, at) {
		c.int(0)
		return
	}
	c.expireAt(&it, at)
	c.int(1)
}

func runPersist(c *call) {
	it := c.load(c.args[1])
	if !it.exists() || it.expiry == 0 {
		c.int(0)
		return
	}
	it.expiry = 0
	c.save(&it)
	c.notify('g', "persist", it.key)
	c.int(1)
}

// TTLs are told by the node's clock, but a key that the log still has is never
// said to be out of time.
func runTtl(c *call)  { c.answerExpiry(func(at int64) int64 { return seconds(c.left(at)) }) }
func runPttl(c *call) { c.answerExpiry(c.left) }

func (c *call) left(at int64) int64 { return max(at-int64(c.now), 1) }

func runExpiretime(c *call)  { c.answerExpiry(seconds) }
func runPexpiretime(c *call) { c.answerExpiry(func(at int64) int64 { return at }) }

// seconds rounds milliseconds.
func seconds(millis int64) int64 { return millis/1000 + millis%1000/500 }

// answerExpiry answers -2 for no key, -1 for no expiry, or what show makes of it.
func (c *call) answerExpiry(show func(at int64) int64) {
	it := c.load(c.args[1])
	switch {
	case !it.exists():
		c.int(-2)
	case it.expiry == 0:
		c.int(-1)
	default:
		c.int(show(int64(it.expiry)))
	}
}

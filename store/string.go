package store

import (
	"math"

	"flotilla"
)

// stringCommands returns the family's part of the table.
func stringCommands() []*Command { return stringTable }

// setOptions are the options of SET and GETEX.
type setOptions struct {
	onlyNew, onlyOld bool // NX, XX
	get              bool
	keepTTL, persist bool
	unit             expiryUnit
	expiryArg        int // index of the argument behind EX and the like; 0 for none
}

// expiryUnit is how a command counts the time of an expiry.
type expiryUnit struct {
	isSeconds  bool
	isAbsolute bool
}

// expiryWord returns the unit that a word such as EX asks for.
func expiryWord(arg []byte) (unit expiryUnit, ok bool) {
	switch {
	case isWord(arg, "EX"):
		return expiryUnit{isSeconds: true}, true
	case isWord(arg, "PX"):
		return expiryUnit{}, true
	case isWord(arg, "EXAT"):
		return expiryUnit{isSeconds: true, isAbsolute: true}, true
	case isWord(arg, "PXAT"):
		return expiryUnit{isAbsolute: true}, true
	}
	return unit, false
}

// setArgs reads the options from argument at on, or answers that they are wrong.
func (c *call) setArgs(at int, isGetex bool) (o setOptions, ok bool) {
	for i := at; i < len(c.args); i++ {
		hasExpiry := o.expiryArg > 0 || o.keepTTL || o.persist
		unit, isExpiry := expiryWord(c.args[i])
		switch {
		case isExpiry && !hasExpiry && i+1 < len(c.args):
			i++
			o.unit, o.expiryArg = unit, i
		case isGetex && !hasExpiry && c.argIs(i, "PERSIST"):
			o.persist = true
		case isGetex:
			c.err(errSyntax)
			return o, false
		case c.argIs(i, "NX") && !o.onlyOld:
			o.onlyNew = true
		case c.argIs(i, "XX") && !o.onlyNew:
			o.onlyOld = true
		case c.argIs(i, "GET"):
			o.get = true
		case c.argIs(i, "KEEPTTL") && o.expiryArg == 0:
			o.keepTTL = true
		default:
			c.err(errSyntax)
			return o, false
		}
	}
	return o, true
}

// expiryAt turns argument i into a point in time, or answers why it is none.
func (c *call) expiryAt(i int, unit expiryUnit) (at flotilla.Millis, ok bool) {
	n, ok := c.intArg(i)
	if !ok {
		return 0, false
	}
	if n > 0 {
		if at, ok = c.pointInTime(n, unit); ok {
			return at, true
		}
	}
	c.err("ERR invalid expire time in '" + c.cmd.Name + "' command")
	return 0, false
}

// pointInTime converts a number; ok is false if it does not fit.
func (c *call) pointInTime(n int64, unit expiryUnit) (at flotilla.Millis, ok bool) {
	if unit.isSeconds {
		if n > math.MaxInt64/1000 || n < math.MinInt64/1000 {
			return 0, false
		}
		n *= 1000
	}
	if unit.isAbsolute {
		return flotilla.Millis(n), true
	}
	if n > math.MaxInt64-int64(c.time) {
		return 0, false
	}
	return flotilla.Millis(n) + c.time, true
}

// overwrite makes a string of the item, whatever it was. expiry 0 means none.
func (c *call) overwrite(it *item, value []byte, expiry flotilla.Millis) {
	c.become(it, kindString)
	it.expiry = expiry
	c.saveBody(it, value, nil)
}

// runSet is SET key value [options]: the hot path is one Get and one Set.
func runSet(c *call) {
	if len(c.args) == 3 {
		it := c.load(c.args[1])
		c.overwrite(&it, c.args[2], 0)
		c.notify('$', "set", it.key)
		c.ok()
		return
	}
	o, ok := c.setArgs(3, false)
	if !ok {
		return
	}
	var expiry flotilla.Millis
	if o.expiryArg > 0 {
		if expiry, ok = c.expiryAt(o.expiryArg, o.unit); !ok {
			return
		}
	}
	it := c.load(c.args[1])
	if o.get && !c.answerOld(&it) {
		return
	}
	if o.onlyNew && it.exists() || o.onlyOld && !it.exists() {
		if !o.get {
			c.null()
		}
		return
	}
	if o.keepTTL {
		expiry = it.expiry
	}
	c.setNotified(&it, c.args[2], expiry, o.expiryArg > 0)
	if !o.get {
		c.ok()
	}
}

// setNotified overwrites and tells of it.
func (c *call) setNotified(it *item, value []byte, expiry flotilla.Millis, isNewExpiry bool) {
	c.overwrite(it, value, expiry)
	c.notify('$', "set", it.key)
	if isNewExpiry {
		c.notify('g', "expire", it.key)
	}
}

// answerOld answers with a string's value, null, or WRONGTYPE and false.
func (c *call) answerOld(it *item) bool {
	switch it.kind {
	case kindNone:
		c.null()
	case kindString:
		c.bulk(it.body)
	default:
		c.err(errWrongType)
		return false
	}
	return true
}

func runGet(c *call) {
	it := c.load(c.args[1])
	c.answerOld(&it)
}

func runGetset(c *call) {
	it := c.load(c.args[1])
	if c.answerOld(&it) {
		c.setNotified(&it, c.args[2], 0, false)
	}
}

func runGetdel(c *call) {
	it := c.load(c.args[1])
	if c.answerOld(&it) && it.exists() {
		c.remove(&it)
		c.notify('g', "del", it.key)
	}
}

func runGetex(c *call) {
	o, ok := c.setArgs(2, true)
	if !ok {
		return
	}
	it, ok := c.lookup(c.args[1], kindString)
	if !ok {
		return
	}
	if !it.exists() {
		c.null()
		return
	}
	var expiry flotilla.Millis
	if o.expiryArg > 0 {
		if expiry, ok = c.expiryAt(o.expiryArg, o.unit); !ok {
			return
		}
	}
	c.bulk(it.body)
	switch {
	case o.expiryArg > 0:
		c.expireAt(&it, expiry)
	case o.persist && it.expiry != 0:
		it.expiry = 0
		c.save(&it)
		c.notify('g', "persist", it.key)
	}
}

func runSetnx(c *call) {
	it := c.load(c.args[1])
	if it.exists() {
		c.int(0)
		return
	}
	c.setNotified(&it, c.args[2], 0, false)
	c.int(1)
}

func runSetex(c *call)  { c.setWithExpiry(expiryUnit{isSeconds: true}) }
func runPsetex(c *call) { c.setWithExpiry(expiryUnit{}) }

func (c *call) setWithExpiry(unit expiryUnit) {
	expiry, ok := c.expiryAt(2, unit)
	if !ok {
		return
	}
	it := c.load(c.args[1])
	c.setNotified(&it, c.args[3], expiry, true)
	c.ok()
}

func runMget(c *call) {
	c.array(len(c.args) - 1)
	for _, key := range c.args[1:] {
		if c.isTooLarge {
			return
		}
		if it := c.load(key); it.kind == kindString {
			c.bulk(it.body)
		} else {
			c.null()
		}
	}
}

func runMset(c *call) {
	if len(c.args)%2 == 0 {
		c.wrongArity("mset")
		return
	}
	c.setAll()
	c.ok()
}

func runMsetnx(c *call) {
	if len(c.args)%2 == 0 {
		c.wrongArity("msetnx")
		return
	}
	for i := 1; i < len(c.args); i += 2 {
		if it := c.load(c.args[i]); it.exists() {
			c.int(0)
			return
		}
	}
	c.setAll()
	c.int(1)
}

func (c *call) setAll() {
	for i := 1; i < len(c.args); i += 2 {
		it := c.load(c.args[i])
		c.setNotified(&it, c.args[i+1], 0, false)
	}
}

func runStrlen(c *call) {
	if it, ok := c.lookup(c.args[1], kindString); ok {
		c.int(int64(len(it.body)))
	}
}

func runAppend(c *call) {
	it, ok := c.lookup(c.args[1], kindString)
	if !ok {
		return
	}
	size := len(it.body) + len(c.args[2])
	if size > MaxStringBytes {
		c.err(errTooLong)
		return
	}
	c.clear(&it)
	it.kind = kindString
	c.saveBody(&it, it.body, c.args[2])
	c.notify('$', "append", it.key)
	c.int(int64(size))
}

func runSetrange(c *call) {
	offset, ok := c.intArg(2)
	if !ok {
		return
	}
	if offset < 0 {
		c.err("ERR offset is out of range")
		return
	}
	it, ok := c.lookup(c.args[1], kindString)
	if !ok {
		return
	}
	value := c.args[3]
	if len(value) == 0 {
		c.int(int64(len(it.body)))
		return
	}
	if offset > MaxStringBytes-int64(len(value)) {
		c.err(errTooLong)
		return
	}
	body := c.growBody(&it, int(offset)+len(value))
	copy(body[offset:], value)
	c.putString(&it, body, "setrange")
	c.int(int64(len(body)))
}

// growBody returns a copy of a string's value that has size bytes at least.
func (c *call) growBody(it *item, size int) []byte {
	body := make([]byte, max(size, len(it.body)))
	copy(body, it.body)
	return body
}

// putString stores a changed string, whose expiry stays, and tells of it.
func (c *call) putString(it *item, body []byte, event string) {
	c.clear(it)
	it.kind = kindString
	c.saveBody(it, body, nil)
	c.notify('$', event, it.key)
}

func runSubstr(c *call) { runGetrange(c) }

func runGetrange(c *call) {
	start, end, ok := c.intArgs(2, 3)
	if !ok {
		return
	}
	it, ok := c.lookup(c.args[1], kindString)
	if !ok {
		return
	}
	from, to := byteRange(start, end, int64(len(it.body)))
	c.bulk(it.body[from:to])
}

// byteRange turns Redis's inclusive range, negative numbers counting from the
// end, into a half-open one within size.
func byteRange(start, end, size int64) (from, to int64) {
	if start < 0 && end < 0 && start > end {
		return 0, 0
	}
	return clampRange(start, end, size)
}

// clampRange is byteRange as BITPOS understands it: a range that lies before the
// string is its first byte.
func clampRange(start, end, size int64) (from, to int64) {
	if start < 0 {
		start = max(start+size, 0)
	}
	if end < 0 {
		end = max(end+size, 0)
	}
	end = min(end, size-1)
	if start > end {
		return 0, 0
	}
	return start, end + 1
}

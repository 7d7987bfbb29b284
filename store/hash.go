package store

import (
	"math/big"
	"strconv"
)

// Hashes. Each field is an element of its own (elements.go), so that a field of
// a large hash is read and written without the others.

// hashCommands returns the family's part of the table.
func hashCommands() []*Command { return hashTable }

// setField writes a field and says whether it is new.
func (c *call) setField(it *item, field, value []byte) bool {
	key := c.memberKey(&it.place, tagField, field)
	_, had := c.get(key)
	c.put(key, value)
	return !had
}

// runHset is HSET and HMSET.
func runHset(c *call) {
	if len(c.args)%2 == 1 {
		c.wrongArity(c.cmd.Name)
		return
	}
	it, ok := c.lookup(c.args[1], kindHash)
	if !ok || !c.membersFit(2, 2) {
		return
	}
	n, created := it.count(), int64(0)
	c.prepare(&it, kindHash)
	for i := 2; i < len(c.args); i += 2 {
		if c.setField(&it, c.args[i], c.args[i+1]) {
			created++
		}
	}
	c.settle(&it, n+created, 'h', "hset")
	if c.cmd.Name == "hmset" {
		c.ok()
		return
	}
	c.int(created)
}

func runHsetnx(c *call) {
	it, ok := c.lookup(c.args[1], kindHash)
	if !ok || len(c.args[2]) > MaxKeyBytes && !c.membersFit(2, 2) {
		return
	}
	if it.exists() && c.hasMember(&it.place, tagField, c.args[2]) {
		c.int(0)
		return
	}
	n := it.count()
	c.prepare(&it, kindHash)
	c.put(c.memberKey(&it.place, tagField, c.args[2]), c.args[3])
	c.settle(&it, n+1, 'h', "hset")
	c.int(1)
}

// field returns a field's value and whether there is one.
func (c *call) field(it *item, field []byte) ([]byte, bool) {
	if !it.exists() {
		return nil, false
	}
	return c.get(c.memberKey(&it.place, tagField, field))
}

// fieldReply answers with a field's value or null.
func (c *call) fieldReply(it *item, field []byte) {
	if value, ok := c.field(it, field); ok {
		c.bulk(value)
		return
	}
	c.null()
}

func runHget(c *call) {
	if it, ok := c.lookup(c.args[1], kindHash); ok {
		c.fieldReply(&it, c.args[2])
	}
}

func runHmget(c *call) {
	it, ok := c.lookup(c.args[1], kindHash)
	if !ok {
		return
	}
	c.array(len(c.args) - 2)
	for _, field := range c.args[2:] {
		c.fieldReply(&it, field)
	}
}

func runHexists(c *call) {
	if it, ok := c.lookup(c.args[1], kindHash); ok {
		_, has := c.field(&it, c.args[2])
		c.bool01(has)
	}
}

func runHstrlen(c *call) {
	if it, ok := c.lookup(c.args[1], kindHash); ok {
		value, _ := c.field(&it, c.args[2])
		c.int(int64(len(value)))
	}
}

func runHlen(c *call) {
	if it, ok := c.lookup(c.args[1], kindHash); ok {
		c.int(it.count())
	}
}

func runHdel(c *call) { c.removeMembers(kindHash, tagField, 'h', "hdel") }

// removeMembers is HDEL and SREM.
func (c *call) removeMembers(k kind, tag, class byte, event string) {
	it, ok := c.lookup(c.args[1], k)
	if !ok {
		return
	}
	n, removed := it.count(), int64(0)
	for _, member := range c.args[2:] {
		if removed == n { // nothing is left
			break
		}
		key := c.memberKey(&it.place, tag, member)
		if _, has := c.get(key); has {
			c.del(key)
			removed++
		}
	}
	if removed > 0 {
		c.settle(&it, n-removed, class, event)
	}
	c.int(removed)
}

func runHgetall(c *call) {
	it, ok := c.lookup(c.args[1], kindHash)
	if !ok {
		return
	}
	c.mapHeader(int(it.count()))
	if it.exists() {
		c.eachMember(&it.place, tagField, func(field, value []byte) bool {
			c.bulk(field)
			c.bulk(value)
			return true
		})
	}
}

func runHkeys(c *call) { c.fieldsOrValues(func(field, _ []byte) []byte { return field }) }
func runHvals(c *call) { c.fieldsOrValues(func(_, value []byte) []byte { return value }) }

func (c *call) fieldsOrValues(which func(field, value []byte) []byte) {
	it, ok := c.lookup(c.args[1], kindHash)
	if !ok {
		return
	}
	c.array(int(it.count()))
	if it.exists() {
		c.eachMember(&it.place, tagField, func(field, value []byte) bool {
			c.bulk(which(field, value))
			return true
		})
	}
}

func runHincrby(c *call) {
	by, ok := c.intArg(3)
	if !ok {
		return
	}
	it, ok := c.lookup(c.args[1], kindHash)
	if !ok || len(c.args[2]) > MaxKeyBytes && !c.membersFit(2, 2) {
		return
	}
	old, has := c.field(&it, c.args[2])
	value := int64(0)
	if has {
		if value, ok = parseInt(old); !ok {
			c.err("ERR hash value is not an integer")
			return
		}
	}
	if value, ok = c.sum(value, by); !ok {
		return
	}
	var room [20]byte
	c.changeField(&it, has, strconv.AppendInt(room[:0], value, 10), "hincrby")
	c.int(value)
}

func runHincrbyfloat(c *call) {
	by, ok := parseLongDouble(c.args[3])
	if !ok {
		c.err(errNotFloat)
		return
	}
	if by.IsInf() {
		c.err("ERR value is NaN or Infinity")
		return
	}
	it, ok := c.lookup(c.args[1], kindHash)
	if !ok || len(c.args[2]) > MaxKeyBytes && !c.membersFit(2, 2) {
		return
	}
	old, has := c.field(&it, c.args[2])
	value := new(big.Float)
	if has {
		if value, ok = parseLongDouble(old); !ok {
			c.err("ERR hash value is not a float")
			return
		}
	}
	sum, ok := addLongDouble(value, by)
	if !ok {
		c.err("ERR increment would produce NaN or Infinity")
		return
	}
	text := appendLongDouble(nil, sum)
	c.changeField(&it, has, text, "hincrbyfloat")
	c.bulk(text)
}

// changeField gives the field in args[2] a new value.
func (c *call) changeField(it *item, has bool, value []byte, event string) {
	n := it.count()
	c.prepare(it, kindHash)
	if !has {
		n++
	}
	c.put(c.memberKey(&it.place, tagField, c.args[2]), value)
	c.settle(it, n, 'h', event)
}

func runHrandfield(c *call) {
	c.randomReply(kindHash, tagField, "WITHVALUES", (*item).count, c.bulk)
}

func runHscan(c *call) {
	c.scanElements(kindHash, tagField, (*item).count, func(field, value []byte) int {
		c.bulk(field)
		c.bulk(value)
		return 2
	})
}

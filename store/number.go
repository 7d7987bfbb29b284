package store

import (
	"math"
	"math/big"
	"strconv"
)

func runIncr(c *call) { c.add(1) }
func runDecr(c *call) { c.add(-1) }

func runIncrby(c *call) {
	if n, ok := c.intArg(2); ok {
		c.add(n)
	}
}

func runDecrby(c *call) {
	n, ok := c.intArg(2)
	switch {
	case !ok:
	case n == math.MinInt64:
		c.err("ERR decrement would overflow")
	default:
		c.add(-n)
	}
}

// add changes a string that holds an integer.
func (c *call) add(delta int64) {
	it, ok := c.lookup(c.args[1], kindString)
	if !ok {
		return
	}
	n := int64(0)
	if it.exists() {
		if n, ok = parseInt(it.body); !ok {
			c.err(errNotInt)
			return
		}
	}
	if n, ok = c.sum(n, delta); !ok {
		return
	}
	var room [20]byte
	c.putString(&it, strconv.AppendInt(room[:0], n, 10), "incrby")
	c.int(n)
}

func runIncrbyfloat(c *call) {
	it, ok := c.lookup(c.args[1], kindString)
	if !ok {
		return
	}
	value := new(big.Float)
	if it.exists() {
		if value, ok = parseLongDouble(it.body); !ok {
			c.err(errNotFloat)
			return
		}
	}
	delta, ok := parseLongDouble(c.args[2])
	if !ok {
		c.err(errNotFloat)
		return
	}
	sum, ok := addLongDouble(value, delta)
	if !ok {
		c.err("ERR increment would produce NaN or Infinity")
		return
	}
	text := appendLongDouble(nil, sum)
	c.putString(&it, text, "incrbyfloat")
	c.bulk(text)
}

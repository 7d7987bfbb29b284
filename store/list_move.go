package store

import "bytes"

// Lists: what takes elements from one key to another, and how they are taken from
// one of several (pop.go).

// endArg reads argument i as LEFT or RIGHT.
func (c *call) endArg(i int) (where end, ok bool) {
	switch {
	case c.argIs(i, "LEFT"):
		return left, true
	case c.argIs(i, "RIGHT"):
		return right, true
	}
	c.err(errSyntax)
	return right, false
}

func runLmove(c *call)     { c.moveArgs(0) }
func runBlmove(c *call)    { c.moveArgs(5) }
func runRpoplpush(c *call) { c.moveElement(right, left) }

func runBrpoplpush(c *call) {
	if c.timeoutArg(3) {
		c.moveElement(right, left)
	}
}

// moveArgs is LMOVE, and BLMOVE with its timeout in argument timeoutAt.
func (c *call) moveArgs(timeoutAt int) {
	from, ok := c.endArg(3)
	if !ok {
		return
	}
	to, ok := c.endArg(4)
	if !ok || timeoutAt > 0 && !c.timeoutArg(timeoutAt) {
		return
	}
	c.moveElement(from, to)
}

// moveElement moves an element from list args[1] to list args[2].
func (c *call) moveElement(from, to end) {
	source, ok := c.lookupList(c.args[1])
	if !ok {
		return
	}
	if !source.exists() {
		if c.cmd.Flags&Blocking != 0 && !c.isInExec {
			c.nullArray() // which is what Redis answers when the time is over
		} else {
			c.null()
		}
		return
	}
	if bytes.Equal(c.args[1], c.args[2]) {
		c.rotate(&source, from, to)
		return
	}
	destination, ok := c.lookupList(c.args[2])
	if !ok {
		return
	}
	value := c.at(&source, source.endAt(from))
	c.bulk(value)
	c.prepare(&destination.item, kindList)
	c.push(&destination, to, value)
	c.settleList(&destination, to.pushEvent())
	c.drop(&source, from, 1)
}

// rotate is moveElement within one list.
func (c *call) rotate(l *list, from, to end) {
	value := c.at(l, l.endAt(from))
	c.bulk(value)
	c.notify('l', to.pushEvent(), l.key)
	if from == to { // out and in again at the same end
		c.settleList(l, from.popEvent())
		return
	}
	c.push(l, to, value)
	c.drop(l, from, 1)
}

// popOneOfList answers BLPOP and BRPOP.
func (c *call) popOneOfList(it item, isLow bool) {
	l, where := listOf(it), end(isLow)
	c.array(2)
	c.bulk(l.key)
	c.bulk(c.at(&l, l.endAt(where)))
	c.drop(&l, where, 1)
}

// popManyOfList answers what LMPOP popped.
func (c *call) popManyOfList(it item, isLow bool, n int64) {
	l := listOf(it)
	c.popElements(&l, end(isLow), min(n, l.length()))
}

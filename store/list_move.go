package store

import "bytes"

// Lists: what takes elements from one of several keys or from one key to
// another, and the blocking forms. Those are carried out as one try here: if
// there is nothing, the reply is null and the state stays as it was; the door
// waits for an event on one of the keys and tries again.

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

func runBlpop(c *call) { c.blockingPop(left) }
func runBrpop(c *call) { c.blockingPop(right) }

// blockingPop is BLPOP and BRPOP: the first list that has something.
func (c *call) blockingPop(where end) {
	last := len(c.args) - 1
	if !c.timeoutArg(last) {
		return
	}
	for _, key := range c.args[1:last] {
		l, ok := c.lookupList(key)
		if !ok {
			return
		}
		if l.exists() {
			c.array(2)
			c.bulk(key)
			c.bulk(c.at(&l, l.endAt(where)))
			c.drop(&l, where, 1)
			return
		}
	}
	c.nullArray()
}

// manyPop are the arguments of LMPOP and ZMPOP from numkeys on.
type manyPop struct {
	keys  [][]byte
	isLow bool // LEFT or MIN
	count int64
}

// manyPopArgs reads "numkeys key [key ...] low|high [COUNT count]" from argument
// at on.
func (c *call) manyPopArgs(at int, low, high string) (p manyPop, ok bool) {
	n, ok := c.rangeArg(at, 1, errNumKeys)
	if !ok {
		return p, false
	}
	if n >= int64(len(c.args)-at-1) {
		c.err(errSyntax)
		return p, false
	}
	p.keys = c.args[at+1 : at+1+int(n)]
	which := at + 1 + int(n)
	if p.isLow = c.argIs(which, low); !p.isLow && !c.argIs(which, high) {
		c.err(errSyntax)
		return p, false
	}
	switch rest := c.args[which+1:]; {
	case len(rest) == 0:
		p.count = 1
		return p, true
	case len(rest) == 1 || !isWord(rest[0], "COUNT"):
		c.err(errSyntax)
		return p, false
	}
	if p.count, ok = c.rangeArg(which+2, 1, errCountNotAbove); ok && len(c.args) > which+3 {
		c.err(errSyntax)
		return p, false
	}
	return p, ok
}

func runLmpop(c *call) {
	if p, ok := c.manyPopArgs(1, "LEFT", "RIGHT"); ok {
		c.popFirst(p)
	}
}

func runBlmpop(c *call) {
	if p, ok := c.manyPopArgs(2, "LEFT", "RIGHT"); ok && c.timeoutArg(1) {
		c.popFirst(p)
	}
}

// popFirst pops from the first list that has something.
func (c *call) popFirst(p manyPop) {
	for _, key := range p.keys {
		l, ok := c.lookupList(key)
		if !ok {
			return
		}
		if !l.exists() {
			continue
		}
		c.array(2)
		c.bulk(key)
		c.popMany(&l, end(p.isLow), min(p.count, l.length()))
		return
	}
	c.nullArray()
}

package store

// Sorted sets: taking members from either end, and the blocking forms, which are
// one try as those of lists (list_move.go).

// popEnds takes the n > 0 lowest or highest members out and returns them.
func (c *call) popEnds(z *zset, isMax bool, n int64) []scored {
	popped := take(c.byScore(z, z.low, z.high, isMax), 0, min(n, z.n))
	size := 0
	for _, m := range popped {
		size += len(m.member) + 64
	}
	if size > MaxReplyBytes { // nobody could be told of so much
		c.isTooLarge = true
		return popped
	}
	for _, m := range popped {
		c.takeOut(z, m.member, m.score)
	}
	event, last := "zpopmin", orderOf(popped[len(popped)-1].score)
	if isMax {
		event, z.high = "zpopmax", last
	} else {
		z.low = last
	}
	c.settleZset(z, event)
	return popped
}

func runZpopmin(c *call) { c.zpop(false) }
func runZpopmax(c *call) { c.zpop(true) }

func (c *call) zpop(isMax bool) {
	if len(c.args) > 3 {
		c.err(errSyntax)
		return
	}
	hasCount, n, ok := len(c.args) == 3, int64(1), true
	if hasCount {
		if n, ok = c.rangeArg(2, 0, errNotPositive); !ok {
			return
		}
	}
	z, ok := c.lookupZset(c.args[1])
	switch {
	case !ok:
	case !z.exists() || n == 0:
		c.array(0)
	case hasCount:
		c.scoredReply(c.popEnds(&z, isMax, n), true)
	default:
		popped := c.popEnds(&z, isMax, 1)
		c.array(2)
		c.bulk(popped[0].member)
		c.double(popped[0].score)
	}
}

func runBzpopmin(c *call) { c.blockingZpop(false) }
func runBzpopmax(c *call) { c.blockingZpop(true) }

func (c *call) blockingZpop(isMax bool) {
	last := len(c.args) - 1
	if !c.timeoutArg(last) {
		return
	}
	for _, key := range c.args[1:last] {
		z, ok := c.lookupZset(key)
		if !ok {
			return
		}
		if z.exists() {
			popped := c.popEnds(&z, isMax, 1)
			c.array(3)
			c.bulk(key)
			c.bulk(popped[0].member)
			c.double(popped[0].score)
			return
		}
	}
	c.nullArray()
}

func runZmpop(c *call) {
	if p, ok := c.manyPopArgs(1, "MIN", "MAX"); ok {
		c.zpopFirst(p)
	}
}

func runBzmpop(c *call) {
	if p, ok := c.manyPopArgs(2, "MIN", "MAX"); ok && c.timeoutArg(1) {
		c.zpopFirst(p)
	}
}

// zpopFirst pops from the first sorted set that has something. Its pairs are
// arrays in RESP2 too.
func (c *call) zpopFirst(p manyPop) {
	for _, key := range p.keys {
		z, ok := c.lookupZset(key)
		if !ok {
			return
		}
		if !z.exists() {
			continue
		}
		popped := c.popEnds(&z, !p.isLow, p.count)
		c.array(2)
		c.bulk(key)
		c.array(len(popped))
		for _, m := range popped {
			c.array(2)
			c.bulk(m.member)
			c.double(m.score)
		}
		return
	}
	c.nullArray()
}

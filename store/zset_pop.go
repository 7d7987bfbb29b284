package store

// Sorted sets: taking members from either end, also of one of several (pop.go).

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
	c.spend(removalCost * int64(len(popped)))
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

// popOneOfZset answers BZPOPMIN and BZPOPMAX.
func (c *call) popOneOfZset(it item, isLow bool) {
	z := zsetOf(it)
	popped := c.popEnds(&z, !isLow, 1)
	c.array(3)
	c.bulk(z.key)
	c.bulk(popped[0].member)
	c.double(popped[0].score)
}

// popManyOfZset answers what ZMPOP popped. Its pairs are arrays in RESP2 too.
func (c *call) popManyOfZset(it item, isLow bool, n int64) {
	z := zsetOf(it)
	popped := c.popEnds(&z, !isLow, n)
	c.array(len(popped))
	for _, m := range popped {
		c.array(2)
		c.bulk(m.member)
		c.double(m.score)
	}
}

package store

// What takes elements from the first of several lists or sorted sets that has any:
// BLPOP and its like, and LMPOP, ZMPOP and their blocking forms. Those are carried
// out as one try here: if there is nothing, the reply is null and the state stays as
// it was; the door waits for an event on one of the keys and tries again.

// popped is a family whose elements are taken from two ends.
type popped struct {
	kind      kind
	low, high string // the ends' names
	// one answers with the key and the element at an end, and takes it out; many
	// with up to n > 0 elements. The item exists.
	one  func(c *call, it item, isLow bool)
	many func(c *call, it item, isLow bool, n int64)
}

func poppedLists() popped {
	return popped{kindList, "LEFT", "RIGHT", (*call).popOneOfList, (*call).popManyOfList}
}

func poppedZsets() popped {
	return popped{kindZset, "MIN", "MAX", (*call).popOneOfZset, (*call).popManyOfZset}
}

func runBlpop(c *call)    { c.popOne(poppedLists(), true) }
func runBrpop(c *call)    { c.popOne(poppedLists(), false) }
func runBzpopmin(c *call) { c.popOne(poppedZsets(), true) }
func runBzpopmax(c *call) { c.popOne(poppedZsets(), false) }

func runLmpop(c *call)  { c.popMany(poppedLists(), 1) }
func runZmpop(c *call)  { c.popMany(poppedZsets(), 1) }
func runBlmpop(c *call) { c.popMany(poppedLists(), 2) }
func runBzmpop(c *call) { c.popMany(poppedZsets(), 2) }

// popOne is "key [key ...] timeout".
func (c *call) popOne(from popped, isLow bool) {
	last := len(c.args) - 1
	if !c.timeoutArg(last) {
		return
	}
	if it, ok := c.firstWithAny(c.args[1:last], from.kind); ok {
		from.one(c, it, isLow)
	}
}

// popMany is "[timeout] numkeys key [key ...] low|high [COUNT count]".
func (c *call) popMany(from popped, numKeysAt int) {
	keys, isLow, count, ok := c.popManyArgs(numKeysAt, from.low, from.high)
	if !ok || numKeysAt > 1 && !c.timeoutArg(1) {
		return
	}
	if it, ok := c.firstWithAny(keys, from.kind); ok {
		c.array(2)
		c.bulk(it.key)
		from.many(c, it, isLow, count)
	}
}

// firstWithAny returns the first of the keys that exists, or answers that there is
// none, or that one before it is of another kind.
func (c *call) firstWithAny(keys [][]byte, k kind) (it item, ok bool) {
	for _, key := range keys {
		if it, ok = c.lookup(key, k); !ok || it.exists() {
			return it, ok
		}
	}
	c.nullArray()
	return it, false
}

// popManyArgs reads the arguments from numkeys on.
func (c *call) popManyArgs(at int, low, high string) (keys [][]byte, isLow bool, count int64, ok bool) {
	n, ok := c.rangeArg(at, 1, errNumKeys)
	if !ok {
		return nil, false, 0, false
	}
	which := at + 1 + int(min(n, int64(len(c.args))))
	if isLow = c.argIs(which, low); !isLow && !c.argIs(which, high) {
		c.err(errSyntax)
		return nil, false, 0, false
	}
	count = 1
	switch rest := c.args[which+1:]; {
	case len(rest) == 0:
	case len(rest) == 1 || !isWord(rest[0], "COUNT"):
		c.err(errSyntax)
		return nil, false, 0, false
	default:
		if count, ok = c.rangeArg(which+2, 1, errCountNotAbove); ok && len(rest) > 2 {
			c.err(errSyntax)
			ok = false
		}
	}
	return c.args[at+1 : which], isLow, count, ok
}

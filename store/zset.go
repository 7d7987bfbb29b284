package store

import (
	"encoding/binary"
	"math"

	"flotilla"
)

// Sorted sets. Each member is in the state twice, to be found by its name and by
// its score:
//
//	record body  count:8 low:8 high:8, and a 1 if there are blocks (zset_blocks.go)
//	by member    prefix, 'm' hash:4 member  -> score:8, as the bits of a float64
//	by score     prefix, 's' order:8 member -> empty
//
// order is the score's bits changed so that they sort as bytes the way the scores
// do: the sign bit flipped, for negative scores all bits. -0 is kept as 0, as in
// Redis's small sorted sets.
//
// No score's order is below low or above high. They may be further out than any
// member's: they only spare a scan from either end the walk over what was deleted
// there, which in a sorted set used as a priority queue is much.
const tagScore = 's'

// zsetCommands returns the family's part of the table.
func zsetCommands() []*Command { return zsetTable }

// zset is a sorted set as one command sees it.
type zset struct {
	item
	n         int64
	low, high uint64
	hasBlocks bool
}

// orderOf returns a score's order.
func orderOf(score float64) uint64 {
	if score == 0 {
		return 1 << 63 // -0 too, which equals 0
	}
	b := math.Float64bits(score)
	if b>>63 != 0 {
		return ^b
	}
	return b | 1<<63
}

// scoreOf is the reverse of orderOf.
func scoreOf(order uint64) float64 {
	if order>>63 != 0 {
		return math.Float64frombits(order &^ (1 << 63))
	}
	return math.Float64frombits(^order)
}

// lookupZset loads a sorted set, which may be missing, or answers WRONGTYPE.
func (c *call) lookupZset(key []byte) (z zset, ok bool) {
	it, ok := c.lookup(key, kindZset)
	if !ok {
		return zset{}, false
	}
	return zsetOf(it), true
}

// zsetOf reads the body of a sorted set's record, if there is one.
func zsetOf(it item) zset {
	z := zset{item: it, low: math.MaxUint64}
	if it.exists() {
		z.hasBlocks = len(it.body) == 25
		flotilla.Assert(z.hasBlocks || len(it.body) == 24, "the record of a sorted set has a count and two bounds")
		z.n = int64(binary.BigEndian.Uint64(it.body))
		z.low = binary.BigEndian.Uint64(it.body[8:])
		z.high = binary.BigEndian.Uint64(it.body[16:])
	}
	return z
}

// zcount is the number of members of a sorted set's item.
func zcount(it *item) int64 {
	if !it.exists() {
		return 0
	}
	return int64(binary.BigEndian.Uint64(it.body))
}

// settleZset ends a change of a sorted set.
func (c *call) settleZset(z *zset, event string) {
	c.settleBlocks(z)
	var room [25]byte
	c.keep(&z.item, z.n > 0, z.appendBody(room[:0]), 'z', event)
}

func (z *zset) appendBody(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint64(dst, uint64(z.n))
	dst = binary.BigEndian.AppendUint64(dst, z.low)
	dst = binary.BigEndian.AppendUint64(dst, z.high)
	if z.hasBlocks {
		dst = append(dst, 1)
	}
	return dst
}

// scoreKey returns the key of a member in the order of scores. It is valid until
// keyRoom is used for something else.
func (c *call) scoreKey(z *zset, score float64, member []byte) []byte {
	key := binary.BigEndian.AppendUint64(z.appendTag(c.keyRoom[:0], tagScore), orderOf(score))
	c.keyRoom = append(key, member...)
	return c.keyRoom
}

// score returns a member's score and whether it is one.
func (c *call) score(z *zset, member []byte) (score float64, ok bool) {
	if !z.exists() {
		return 0, false
	}
	value, ok := c.get(c.memberKey(&z.place, tagMember, member))
	if !ok {
		return 0, false
	}
	return decodeScore(value), true
}

func decodeScore(value []byte) float64 {
	return math.Float64frombits(binary.BigEndian.Uint64(value))
}

// putScore writes a member that is not there, or whose old score was taken out.
func (c *call) putScore(z *zset, member []byte, score float64) {
	if score == 0 {
		score = 0 // not -0
	}
	var room [8]byte
	value := binary.BigEndian.AppendUint64(room[:0], math.Float64bits(score))
	c.put(c.memberKey(&z.place, tagMember, member), value)
	c.put(c.scoreKey(z, score, member), nil)
	c.countIn(z, score, member, 1)
	z.low, z.high = min(z.low, orderOf(score)), max(z.high, orderOf(score))
}

// takeOut deletes a member with the given score.
func (c *call) takeOut(z *zset, member []byte, score float64) {
	c.del(c.memberKey(&z.place, tagMember, member))
	c.del(c.scoreKey(z, score, member))
	c.countIn(z, score, member, -1)
	z.n--
}

// zaddOptions are the options of ZADD; pairs is where the first score stands.
type zaddOptions struct {
	nx, xx, gt, lt, ch, incr bool
	pairs                    int
}

// allows says whether a member with a score may get another.
func (o *zaddOptions) allows(old, score float64) bool {
	return !o.nx && !(o.lt && score >= old) && !(o.gt && score <= old)
}

func runZadd(c *call)    { c.zadd(false) }
func runZincrby(c *call) { c.zadd(true) }

func (c *call) zadd(isIncr bool) {
	o, ok := c.zaddArgs(isIncr)
	if !ok {
		return
	}
	scores := make([]float64, (len(c.args)-o.pairs)/2)
	for i := range scores {
		if scores[i], ok = c.floatArg(o.pairs + 2*i); !ok {
			return
		}
	}
	z, ok := c.lookupZset(c.args[1])
	if !ok || !c.membersFit(o.pairs+1, 2) {
		return
	}
	if o.incr {
		c.increase(&z, o, scores[0])
		return
	}
	added, updated := int64(0), int64(0)
	if z.exists() || !o.xx {
		c.prepare(&z.item, kindZset)
		for i, score := range scores {
			member := c.args[o.pairs+2*i+1]
			old, has := c.score(&z, member)
			switch {
			case !has && !o.xx:
				c.putScore(&z, member, score)
				z.n++
				added++
			case has && o.allows(old, score) && score != old:
				c.changeScore(&z, member, old, score)
				updated++
			}
		}
	}
	if added+updated > 0 {
		c.settleZset(&z, "zadd")
	}
	if o.ch {
		added += updated
	}
	c.int(added)
}

// changeScore gives a member another score.
func (c *call) changeScore(z *zset, member []byte, old, score float64) {
	c.del(c.scoreKey(z, old, member))
	c.countIn(z, old, member, -1)
	c.putScore(z, member, score)
}

// increase is ZINCRBY and ZADD INCR.
func (c *call) increase(z *zset, o zaddOptions, by float64) {
	member := c.args[o.pairs+1]
	old, has := c.score(z, member)
	score := old + by
	switch {
	case !has && o.xx || has && o.nx:
		c.null()
		return
	case !has:
		score = by
		c.prepare(&z.item, kindZset)
		c.putScore(z, member, score)
		z.n++
	case math.IsNaN(score):
		c.err("ERR resulting score is not a number (NaN)")
		return
	case !o.allows(old, score):
		c.null()
		return
	case score != old:
		c.changeScore(z, member, old, score)
	default:
		c.double(score)
		return
	}
	c.settleZset(z, "zincr")
	c.double(score)
}

func (c *call) zaddArgs(isIncr bool) (o zaddOptions, ok bool) {
	o.incr, o.pairs = isIncr, 2
	for ; o.pairs < len(c.args); o.pairs++ {
		switch i := o.pairs; {
		case c.argIs(i, "NX"):
			o.nx = true
			continue
		case c.argIs(i, "XX"):
			o.xx = true
			continue
		case c.argIs(i, "GT"):
			o.gt = true
			continue
		case c.argIs(i, "LT"):
			o.lt = true
			continue
		case c.argIs(i, "CH"):
			o.ch = true
			continue
		case c.argIs(i, "INCR"):
			o.incr = true
			continue
		}
		break
	}
	switch rest := len(c.args) - o.pairs; {
	case rest == 0 || rest%2 != 0:
		c.err(errSyntax)
	case o.nx && o.xx:
		c.err("ERR XX and NX options at the same time are not compatible")
	case o.gt && o.nx || o.lt && o.nx || o.gt && o.lt:
		c.err("ERR GT, LT, and/or NX options at the same time are not compatible")
	case o.incr && rest > 2:
		c.err("ERR INCR option supports a single increment-element pair")
	default:
		return o, true
	}
	return o, false
}

func runZscore(c *call) {
	if z, ok := c.lookupZset(c.args[1]); ok {
		c.scoreReply(&z, c.args[2])
	}
}

func (c *call) scoreReply(z *zset, member []byte) {
	if score, ok := c.score(z, member); ok {
		c.double(score)
		return
	}
	c.null()
}

func runZmscore(c *call) {
	z, ok := c.lookupZset(c.args[1])
	if !ok {
		return
	}
	c.array(len(c.args) - 2)
	for _, member := range c.args[2:] {
		c.scoreReply(&z, member)
	}
}

func runZcard(c *call) {
	if z, ok := c.lookupZset(c.args[1]); ok {
		c.int(z.n)
	}
}

func runZrem(c *call) {
	z, ok := c.lookupZset(c.args[1])
	if !ok {
		return
	}
	removed := int64(0)
	for _, member := range c.args[2:] {
		if score, has := c.score(&z, member); has {
			c.takeOut(&z, member, score)
			removed++
		}
	}
	if removed > 0 {
		c.settleZset(&z, "zrem")
	}
	c.int(removed)
}

func runZrank(c *call)    { c.rank(false) }
func runZrevrank(c *call) { c.rank(true) }

// rank counts the members before the one in args[2].
func (c *call) rank(isReverse bool) {
	if len(c.args) > 4 {
		c.wrongArity(c.cmd.Name)
		return
	}
	withScore := len(c.args) == 4
	if withScore && !c.argIs(3, "WITHSCORE") {
		c.err(errSyntax)
		return
	}
	z, ok := c.lookupZset(c.args[1])
	if !ok {
		return
	}
	score, has := c.score(&z, c.args[2])
	if !has {
		if withScore {
			c.nullArray()
		} else {
			c.null()
		}
		return
	}
	from, behind := placeOfOrder(z.low), placeAt(nil, score, c.args[2])
	if isReverse {
		from, behind = append(behind, 0), placeOfOrder(z.high+1)
	}
	rank := c.countBetween(&z, from, behind)
	if withScore {
		c.array(2)
	}
	c.int(rank)
	if withScore {
		c.double(score)
	}
}

func runZrandmember(c *call) {
	c.randomReply(kindZset, tagMember, "WITHSCORES", zcount, func(value []byte) { c.double(decodeScore(value)) })
}

func runZscan(c *call) {
	c.scanElements(kindZset, tagMember, zcount, func(member, value []byte) int {
		c.bulk(member)
		var room [32]byte
		c.bulk(appendDouble(room[:0], decodeScore(value)))
		return 2
	})
}

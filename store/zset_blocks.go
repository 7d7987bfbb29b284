package store

import (
	"bytes"
	"encoding/binary"

	"flotilla"
)

// Sorted sets: counting members without visiting each. From blocksFrom members on,
// the order of scores is divided into blocks of neighbours, whose numbers are kept:
//
//	by block   prefix, 'b' order:8 member -> count:8
//
// The key is where the block begins, in the order of scores: it reaches to where the
// next one begins. The first one's is empty: whatever comes before all others belongs
// to it. A rank, or a number of members between two places, is then the sum of whole
// blocks and a walk through the two at the ends: O(N/512 + 512). A write to such a
// sorted set looks for its block, and writes its new number.
//
// Blocks are split when they are too large, and joined with a neighbour when both are
// small; a sorted set that shrank a lot has none again.
const (
	tagBlock = 'b'

	blockSize   = 512
	blocksFrom  = 4 * blockSize
	blocksUntil = blockSize
)

// block is a run of neighbours in the order of scores.
type block struct {
	key []byte // of the state
	n   int64
}

// placeAt appends a member's place in the order of scores.
func placeAt(dst []byte, score float64, member []byte) []byte {
	return append(binary.BigEndian.AppendUint64(dst, orderOf(score)), member...)
}

func placeOfOrder(order uint64) []byte { return binary.BigEndian.AppendUint64(nil, order) }

// countIn notes that a place in the order of scores was filled or given up.
func (c *call) countIn(z *zset, score float64, member []byte, change int64) {
	if !z.hasBlocks {
		return
	}
	prefix := z.appendTag(nil, tagBlock)
	b := c.lastBlock(prefix, append(placeAt(bytes.Clone(prefix), score, member), 0))
	flotilla.Assert(b.key != nil, "a sorted set with blocks has one for each place")
	b.n += change
	isFirst := len(b.key) == len(prefix)
	switch {
	case b.n == 0 && !isFirst:
		c.del(b.key)
		return
	case b.n > 2*blockSize:
		c.split(z, &b, b.key[len(prefix):])
	case b.n == blockSize/4 && change < 0:
		c.join(prefix, &b)
	}
	c.putBlock(b)
}

// lastBlock returns the last block that begins before a key of the state, if any.
func (c *call) lastBlock(prefix, behind []byte) (b block) {
	for key, value := range c.r.ScanBack(prefix, behind) {
		return block{bytes.Clone(key), blockCount(value)}
	}
	return b
}

func blockCount(value []byte) int64 {
	flotilla.Assert(len(value) == 8, "a block has a count")
	return int64(binary.BigEndian.Uint64(value))
}

func (c *call) putBlock(b block) {
	var room [8]byte
	c.put(b.key, binary.BigEndian.AppendUint64(room[:0], uint64(b.n)))
}

// split makes a new block of all but the first members of one, which begins at a place.
func (c *call) split(z *zset, b *block, from []byte) {
	prefix := z.appendTag(nil, tagScore)
	skip := blockSize
	for key := range c.r.Scan(append(bytes.Clone(prefix), from...), prefixEnd(prefix)) {
		if skip--; skip >= 0 {
			continue
		}
		upper := block{append(z.appendTag(nil, tagBlock), key[len(prefix):]...), b.n - blockSize}
		b.n = blockSize
		c.putBlock(upper)
		return
	}
}

// join puts a block that became small together with the next or the one before, if
// that is small enough. It is asked once on the way down: of two neighbours the
// second to become small finds the other.
func (c *call) join(prefix []byte, b *block) {
	var next block
	for key, value := range c.r.Scan(append(bytes.Clone(b.key), 0), prefixEnd(prefix)) {
		next = block{bytes.Clone(key), blockCount(value)}
		break
	}
	if next.key != nil && b.n+next.n <= blockSize {
		c.del(next.key)
		b.n += next.n
		return
	}
	if before := c.lastBlock(prefix, b.key); before.key != nil && before.n+b.n <= blockSize {
		c.del(b.key)
		before.n += b.n
		*b = before
	}
}

// settleBlocks makes blocks for a sorted set that became large, and forgets those of
// one that became small. n and what the state has agree.
func (c *call) settleBlocks(z *zset) {
	prefix := z.appendTag(nil, tagBlock)
	switch {
	case z.hasBlocks && z.n < blocksUntil:
		z.hasBlocks = false
		c.deleteElements(prefix)
	case !z.hasBlocks && z.n >= blocksFrom:
		z.hasBlocks = true
		i := int64(0)
		c.eachElement(z.appendTag(nil, tagScore), func(at, _ []byte) {
			if i == 0 {
				at = nil
			}
			if i%blockSize == 0 {
				c.putBlock(block{append(bytes.Clone(prefix), at...), min(blockSize, z.n-i)})
			}
			i++
		})
	}
}

// countBetween returns how many members are in the order of scores from one place on
// and before another.
func (c *call) countBetween(z *zset, from, behind []byte) (n int64) {
	if !z.exists() || bytes.Compare(from, behind) >= 0 {
		return 0
	}
	if z.hasBlocks {
		prefix := z.appendTag(nil, tagBlock)
		var first, last block
		for key, value := range c.r.Scan(append(bytes.Clone(prefix), from...), append(bytes.Clone(prefix), behind...)) {
			n += last.n
			last = block{append(last.key[:0], key[len(prefix):]...), blockCount(value)}
			if first.key == nil {
				first.key = bytes.Clone(last.key)
			}
		}
		if first.key != nil {
			return n + c.walkBetween(z, from, first.key) + c.walkBetween(z, last.key, behind)
		}
	}
	return c.walkBetween(z, from, behind)
}

// walkBetween is countBetween one by one.
func (c *call) walkBetween(z *zset, from, behind []byte) (n int64) {
	prefix := z.appendTag(nil, tagScore)
	for range c.r.Scan(append(bytes.Clone(prefix), from...), append(bytes.Clone(prefix), behind...)) {
		c.spend(1)
		n++
	}
	return n
}

// seek returns a place from which on the member of a rank comes after skip others.
func (c *call) seek(z *zset, rank int64) (from []byte, skip int64) {
	prefix := z.appendTag(nil, tagBlock)
	for key, value := range c.r.Scan(prefix, prefixEnd(prefix)) {
		n := blockCount(value)
		if rank < n {
			return bytes.Clone(key[len(prefix):]), rank
		}
		rank -= n
	}
	flotilla.Assert(false, "the blocks of a sorted set have all its members")
	return nil, 0
}

// fromPlace walks the members from a place in the order of scores on.
func (c *call) fromPlace(z *zset, from []byte) walk {
	return func(yield func(member []byte, score float64) bool) {
		prefix := z.appendTag(nil, tagScore)
		start := append(bytes.Clone(prefix), max(string(from), string(placeOfOrder(z.low)))...)
		c.walkKeys(len(prefix), start, prefixEnd(prefix), false, yield)
	}
}

package store

import (
	"bytes"
	"encoding/binary"
	"iter"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Sorted sets: ranges by rank, by score and by name.

// walk visits members with their scores, in an order of its own.
type walk = iter.Seq2[[]byte, float64]

// byScore walks the members whose score's order is at least from and at most to.
func (c *call) byScore(z *zset, from, to uint64, isReverse bool) walk {
	return func(yield func(member []byte, score float64) bool) {
		if from > to || !z.exists() {
			return
		}
		prefix := z.appendTag(nil, tagScore)
		start := binary.BigEndian.AppendUint64(slices.Clip(prefix), from)
		behind := binary.BigEndian.AppendUint64(slices.Clip(prefix), to+1) // the order of +inf is far below 2^64
		c.walkKeys(len(prefix), start, behind, isReverse, yield)
	}
}

// walkKeys walks the keys of the score index with a prefix of the given length.
func (c *call) walkKeys(prefix int, start, behind []byte, isReverse bool, yield func([]byte, float64) bool) {
	scan := c.r.Scan
	if isReverse {
		scan = c.r.ScanBack
	}
	for key := range scan(start, behind) {
		c.spend(1)
		if !yield(key[prefix+8:], scoreOf(binary.BigEndian.Uint64(key[prefix:]))) {
			return
		}
	}
}

// scoreRange is "min max" of ZRANGEBYSCORE, as orders: from > to is empty.
type scoreRange struct{ from, to uint64 }

// parseScoreRange reads two scores; one that begins with ( is not part of the range.
func parseScoreRange(min, max []byte) (r scoreRange, ok bool) {
	low, isLowOpen, ok := parseScoreBound(min)
	if !ok {
		return r, false
	}
	high, isHighOpen, ok := parseScoreBound(max)
	if !ok {
		return r, false
	}
	r = scoreRange{orderOf(low), orderOf(high)}
	if isLowOpen {
		r.from++
	}
	if isHighOpen {
		r.to--
	}
	return r, true
}

// parseScoreBound is Redis's strtod: unlike elsewhere, nothing is 0, spaces may
// lead, and what is too large is infinite.
func parseScoreBound(b []byte) (score float64, isOpen, ok bool) {
	if len(b) > 0 && b[0] == '(' {
		isOpen, b = true, b[1:]
	}
	if len(b) == 0 {
		return 0, isOpen, true
	}
	b = bytes.TrimLeft(b, " \t\n\v\f\r")
	if score, ok = parseFloat(b); ok {
		return score, isOpen, true
	}
	s := string(b)
	score, err := strconv.ParseFloat(s, 64)
	isRange := err != nil && err.(*strconv.NumError).Err == strconv.ErrRange
	return score, isOpen, (isRange || err == nil) && !math.IsNaN(score) && !strings.Contains(s, "_")
}

// lexBound is one end of a range by name.
type lexBound struct {
	isLeast, isMost bool // - and +
	isOpen          bool
	value           []byte
}

func parseLexBound(b []byte) (bound lexBound, ok bool) {
	switch {
	case len(b) == 0:
		return bound, false
	case b[0] == '(' || b[0] == '[':
		return lexBound{isOpen: b[0] == '(', value: b[1:]}, true
	case len(b) == 1 && (b[0] == '-' || b[0] == '+'):
		return lexBound{isLeast: b[0] == '-', isMost: b[0] == '+', isOpen: true}, true
	}
	return bound, false
}

// from returns the first place, among members of one score, that is behind the
// bound: as a lower one, or as an upper one, whose value is within if it is closed.
func (b *lexBound) from(order uint64, isUpper bool) []byte {
	switch {
	case b.isLeast:
		return placeOfOrder(order)
	case b.isMost:
		return placeOfOrder(order + 1)
	}
	at := append(placeOfOrder(order), b.value...)
	if b.isOpen != isUpper {
		at = append(at, 0)
	}
	return at
}

// lexRange is "min max" of ZRANGEBYLEX.
type lexRange struct{ min, max lexBound }

func parseLexRange(min, max []byte) (r lexRange, ok bool) {
	if r.min, ok = parseLexBound(min); ok {
		r.max, ok = parseLexBound(max)
	}
	return r, ok
}

// isAboveMin and isBelowMax say on which side of the bounds a member is; one
// that is on the right side of both is in the range.
func (r *lexRange) isAboveMin(member []byte) bool {
	if r.min.isLeast || r.min.isMost {
		return r.min.isLeast
	}
	order := bytes.Compare(member, r.min.value)
	return order > 0 || order == 0 && !r.min.isOpen
}

func (r *lexRange) isBelowMax(member []byte) bool {
	if r.max.isLeast || r.max.isMost {
		return r.max.isMost
	}
	order := bytes.Compare(member, r.max.value)
	return order < 0 || order == 0 && !r.max.isOpen
}

// isEmpty says whether no member can be in the range.
func (r *lexRange) isEmpty() bool {
	if r.min.isMost || r.max.isLeast {
		return true
	}
	if r.min.isLeast || r.max.isMost {
		return false
	}
	order := bytes.Compare(r.min.value, r.max.value)
	return order > 0 || order == 0 && (r.min.isOpen || r.max.isOpen)
}

// byLex walks a range by name. That has a meaning only where all scores are the
// same; then the range is sought. Otherwise the answer is what Redis gives for a
// small sorted set: from the first member inside one bound to the last before
// one outside the other; the first offset ones behind that first are passed over
// whatever they are.
func (c *call) byLex(z *zset, r lexRange, isReverse bool, offset int64) walk {
	return func(yield func(member []byte, score float64) bool) {
		if !z.exists() || r.isEmpty() || z.low != z.high && !c.lexTouches(z, r) {
			return
		}
		prefix := z.appendTag(nil, tagScore)
		start := binary.BigEndian.AppendUint64(slices.Clip(prefix), z.low)
		behind := binary.BigEndian.AppendUint64(slices.Clip(prefix), z.high+1)
		if z.low == z.high {
			if !r.max.isMost {
				behind = append(append(slices.Clip(start), r.max.value...), 0)
			}
			start = append(start, r.min.value...)
		}
		hasCome, isWithin := r.isAboveMin, r.isBelowMax
		if isReverse {
			hasCome, isWithin = r.isBelowMax, r.isAboveMin
		}
		hasBegun := false
		c.walkKeys(len(prefix), start, behind, isReverse, func(member []byte, score float64) bool {
			if !hasBegun {
				if !hasCome(member) {
					return true
				}
				hasBegun = true
				if !isWithin(member) {
					return false
				}
			}
			if offset > 0 {
				offset--
				return true
			}
			return isWithin(member) && yield(member, score)
		})
	}
}

// lexTouches says whether the last member is above the range's min and the first
// below its max.
func (c *call) lexTouches(z *zset, r lexRange) bool {
	for last := range c.byScore(z, z.low, z.high, true) {
		if !r.isAboveMin(last) {
			return false
		}
		break
	}
	for first := range c.byScore(z, z.low, z.high, false) {
		return r.isBelowMax(first)
	}
	return false
}

// scored is a member with its score.
type scored struct {
	member []byte
	score  float64
}

// take collects at most limit members behind the first offset ones; a negative
// limit means all, a negative offset none.
func take(members walk, offset, limit int64) (taken []scored) {
	if offset < 0 || limit == 0 {
		return nil
	}
	for member, score := range members {
		if offset > 0 {
			offset--
			continue
		}
		taken = append(taken, scored{member, score})
		if int64(len(taken)) == limit {
			break
		}
	}
	return taken
}

// byRank returns the members from index first up to and without behind, walking
// from the nearer end, or from the block that they begin in.
func (c *call) byRank(z *zset, first, behind int64, isReverse bool) []scored {
	if first >= behind {
		return nil
	}
	if z.hasBlocks && min(first, z.n-behind) > 2*blockSize {
		lowest := first
		if isReverse {
			lowest = z.n - behind
		}
		from, skip := c.seek(z, lowest)
		taken := take(c.fromPlace(z, from), skip, behind-first)
		if isReverse {
			slices.Reverse(taken)
		}
		return taken
	}
	if first <= z.n-behind {
		return take(c.byScore(z, z.low, z.high, isReverse), first, behind-first)
	}
	taken := take(c.byScore(z, z.low, z.high, !isReverse), z.n-behind, behind-first)
	slices.Reverse(taken)
	return taken
}

// rangeKind is how a range is given.
type rangeKind int

// The kinds; rangeAuto is decided by options.
const (
	rangeAuto rangeKind = iota
	rangeRank
	rangeScore
	rangeLex
)

// zrangeArgs are the arguments of the ZRANGE family.
type zrangeArgs struct {
	kind          rangeKind
	isReverse     bool
	withScores    bool
	offset, limit int64
	start, stop   int64
	scores        scoreRange
	lex           lexRange
}

func runZrange(c *call)           { c.zrange(rangeAuto, false) }
func runZrevrange(c *call)        { c.zrange(rangeRank, true) }
func runZrangebyscore(c *call)    { c.zrange(rangeScore, false) }
func runZrevrangebyscore(c *call) { c.zrange(rangeScore, true) }
func runZrangebylex(c *call)      { c.zrange(rangeLex, false) }
func runZrevrangebylex(c *call)   { c.zrange(rangeLex, true) }

func (c *call) zrange(kind rangeKind, isReverse bool) {
	a := zrangeArgs{kind: kind, isReverse: isReverse, limit: -1}
	if !c.readRange(&a, 1, false) {
		return
	}
	z, ok := c.lookupZset(c.args[1])
	if ok {
		c.scoredReply(c.inRange(&z, &a), a.withScores)
	}
}

// scoredReply answers with members in an array, or pairs of member and score.
func (c *call) scoredReply(members []scored, withScores bool) {
	if withScores && len(members) > 0 {
		c.pairs(len(members))
	} else {
		c.array(len(members))
	}
	for _, m := range members {
		c.bulk(m.member)
		if withScores {
			c.double(m.score)
		}
	}
}

// inRange returns the members of a range in its order.
func (c *call) inRange(z *zset, a *zrangeArgs) []scored {
	switch a.kind {
	case rangeScore:
		return take(c.byScore(z, max(a.scores.from, z.low), min(a.scores.to, z.high), a.isReverse), a.offset, a.limit)
	case rangeLex:
		return take(c.byLex(z, a.lex, a.isReverse, a.offset), min(a.offset, 0), a.limit)
	}
	first, behind := indexRange(a.start, a.stop, z.n)
	return c.byRank(z, first, behind, a.isReverse)
}

// readRange reads what follows the key in argument keyAt.
func (c *call) readRange(a *zrangeArgs, keyAt int, isStore bool) (ok bool) {
	isAnyOrder, isAnyKind := a.kind == rangeAuto, a.kind == rangeAuto
	for i := keyAt + 3; i < len(c.args); i++ {
		switch {
		case !isStore && c.argIs(i, "WITHSCORES"):
			a.withScores = true
		case c.argIs(i, "LIMIT") && i+2 < len(c.args):
			if a.offset, ok = c.intArg(i + 1); !ok {
				return false
			}
			if a.limit, ok = c.intArg(i + 2); !ok {
				return false
			}
			i += 2
		case isAnyOrder && c.argIs(i, "REV"):
			isAnyOrder, a.isReverse = false, true
		case isAnyKind && c.argIs(i, "BYLEX"):
			isAnyKind, a.kind = false, rangeLex
		case isAnyKind && c.argIs(i, "BYSCORE"):
			isAnyKind, a.kind = false, rangeScore
		default:
			c.err(errSyntax)
			return false
		}
	}
	if a.kind == rangeAuto {
		a.kind = rangeRank
	}
	if a.limit != -1 && a.kind == rangeRank {
		c.err("ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX")
		return false
	}
	if a.withScores && a.kind == rangeLex {
		c.err("ERR syntax error, WITHSCORES not supported in combination with BYLEX")
		return false
	}
	low, high := keyAt+1, keyAt+2
	if a.isReverse && a.kind != rangeRank {
		low, high = high, low
	}
	return c.readBounds(a, low, high)
}

// readBounds reads the ends of a range from two arguments.
func (c *call) readBounds(a *zrangeArgs, low, high int) (ok bool) {
	switch a.kind {
	case rangeScore:
		if a.scores, ok = parseScoreRange(c.args[low], c.args[high]); !ok {
			c.err("ERR min or max is not a float")
		}
	case rangeLex:
		if a.lex, ok = parseLexRange(c.args[low], c.args[high]); !ok {
			c.err("ERR min or max not valid string range item")
		}
	default:
		a.start, a.stop, ok = c.intArgs(low, high)
	}
	return ok
}

func runZcount(c *call)    { c.countRange(rangeScore) }
func runZlexcount(c *call) { c.countRange(rangeLex) }

// plainRange reads "key min max" and loads the sorted set.
func (c *call) plainRange(kind rangeKind) (z zset, a zrangeArgs, ok bool) {
	a = zrangeArgs{kind: kind, limit: -1}
	if c.readBounds(&a, 2, 3) {
		z, ok = c.lookupZset(c.args[1])
	}
	return z, a, ok
}

func (c *call) countRange(kind rangeKind) {
	z, a, ok := c.plainRange(kind)
	if !ok {
		return
	}
	if kind == rangeScore {
		from, to := max(a.scores.from, z.low), min(a.scores.to, z.high)
		c.int(c.countBetween(&z, placeOfOrder(from), placeOfOrder(to+1)))
		return
	}
	n := int64(0)
	if z.low == z.high && !a.lex.isEmpty() {
		n = c.countBetween(&z, a.lex.min.from(z.low, false), a.lex.max.from(z.low, true))
	} else {
		for range c.byLex(&z, a.lex, false, 0) {
			n++
		}
	}
	c.int(n)
}

func runZremrangebyrank(c *call)  { c.removeRange(rangeRank, "zremrangebyrank") }
func runZremrangebyscore(c *call) { c.removeRange(rangeScore, "zremrangebyscore") }
func runZremrangebylex(c *call)   { c.removeRange(rangeLex, "zremrangebylex") }

// removalCost is what taking a member out of a sorted set costs, measured in members visited.
const removalCost = 3

func (c *call) removeRange(kind rangeKind, event string) {
	z, a, ok := c.plainRange(kind)
	if !ok {
		return
	}
	first, behind := indexRange(a.start, a.stop, z.n)
	isFromStart := first == 0
	var doomed []scored
	isAll := kind == rangeRank && isFromStart && behind == z.n || kind == rangeScore && a.scores.from <= z.low && a.scores.to >= z.high
	if !isAll {
		doomed = c.inRange(&z, &a)
		isAll = int64(len(doomed)) == z.n
	}
	switch {
	case isAll && z.n > 0:
		c.int(z.n)
		c.remove(&z.item)
		c.notify('z', event, z.key)
		c.notify('g', "del", z.key)
		return
	case len(doomed) == 0:
		c.int(0)
		return
	}
	c.spend(removalCost * int64(len(doomed)))
	c.int(int64(len(doomed)))
	for _, m := range doomed {
		c.takeOut(&z, m.member, m.score)
	}
	switch {
	case kind == rangeScore && a.scores.from <= z.low:
		z.low = max(z.low, a.scores.to+1)
	case kind == rangeRank && isFromStart:
		z.low = orderOf(doomed[len(doomed)-1].score)
	}
	c.settleZset(&z, event)
}

package store

import (
	"bytes"
	"cmp"
	"math"
	"slices"
)

// Sorted sets: unions, intersections and differences, and storing what a command
// found in a new sorted set.

// storeScored makes the members the new value of a key and answers how many.
func (c *call) storeScored(key []byte, members []scored, event string) {
	for i := range members { // they may belong to the value that is replaced
		members[i].member = bytes.Clone(members[i].member)
	}
	to := c.load(key)
	c.int(int64(len(members)))
	if len(members) == 0 {
		c.removeOld(&to)
		return
	}
	c.spend(int64(len(members))) // each is written twice
	c.replace(&to, kindZset)
	z := zset{item: to, n: int64(len(members)), low: math.MaxUint64}
	for _, m := range members {
		c.putScore(&z, m.member, m.score)
	}
	c.settleZset(&z, event)
}

func runZrangestore(c *call) {
	a := zrangeArgs{limit: -1}
	if !c.readRange(&a, 2, true) {
		return
	}
	if z, ok := c.lookupZset(c.args[2]); ok {
		c.storeScored(c.args[1], c.inRange(&z, &a), "zrangestore")
	}
}

// source is a set or sorted set that a combination reads; a set's members have
// the score 1.
type source struct {
	zset
	weight float64
}

// scoreIn returns a member's score.
func (c *call) scoreIn(s *source, member []byte) (float64, bool) {
	if s.kind == kindSet {
		return 1, c.isMember(&s.item, member)
	}
	return c.score(&s.zset, member)
}

// eachScored visits the members of a source until visit returns false.
func (c *call) eachScored(s *source, visit func(member []byte, score float64) bool) {
	if !s.exists() {
		return
	}
	c.eachMember(&s.place, tagMember, func(member, value []byte) bool {
		if s.kind == kindSet {
			return visit(member, 1)
		}
		return visit(member, decodeScore(value))
	})
}

// aggregate joins two scores of the same member.
type aggregate func(a, b float64) float64

func aggregateSum(a, b float64) float64 { return zeroIfNaN(a + b) }

func aggregateMin(a, b float64) float64 {
	if b < a {
		return b
	}
	return a
}

func aggregateMax(a, b float64) float64 {
	if b > a {
		return b
	}
	return a
}

// zeroIfNaN makes inf - inf and 0 * inf zero, as Redis does.
func zeroIfNaN(f float64) float64 {
	if math.IsNaN(f) {
		return 0
	}
	return f
}

// combineArgs are the arguments of ZUNION and its like from numkeys on.
type combineArgs struct {
	sources    []source
	aggregate  aggregate
	withScores bool
	limit      int64
}

// combineOptions are what a command's options may be.
type combineOptions struct{ weights, withScores, limit bool }

func (c *call) combineArgs(at int, allowed combineOptions) (a combineArgs, ok bool) {
	n, ok := c.intArg(at)
	switch {
	case !ok:
		return a, false
	case n < 1:
		c.err("ERR at least 1 input key is needed for '" + c.cmd.Name + "' command")
		return a, false
	case n > int64(len(c.args)-at-1):
		c.err(errSyntax)
		return a, false
	}
	a.aggregate = aggregateSum
	a.sources = make([]source, n)
	for i := range a.sources {
		it := c.load(c.args[at+1+i])
		s := source{zset: zset{item: it}, weight: 1}
		switch it.kind {
		case kindNone:
		case kindZset:
			s.zset = zsetOf(it)
		case kindSet:
			s.n = it.count()
		default:
			c.err(errWrongType)
			return a, false
		}
		a.sources[i] = s
	}
	return a, c.combineRest(&a, at+1+int(n), allowed)
}

// combineRest reads the options, from argument i on.
func (c *call) combineRest(a *combineArgs, i int, allowed combineOptions) (ok bool) {
	for i < len(c.args) {
		left := len(c.args) - i
		switch {
		case allowed.weights && left > len(a.sources) && c.argIs(i, "WEIGHTS"):
			for k := range a.sources {
				if a.sources[k].weight, ok = parseFloat(c.args[i+1+k]); !ok {
					c.err("ERR weight value is not a float")
					return false
				}
			}
			i += 1 + len(a.sources)
		case allowed.weights && left >= 2 && c.argIs(i, "AGGREGATE"):
			switch {
			case c.argIs(i+1, "SUM"):
				a.aggregate = aggregateSum
			case c.argIs(i+1, "MIN"):
				a.aggregate = aggregateMin
			case c.argIs(i+1, "MAX"):
				a.aggregate = aggregateMax
			default:
				c.err(errSyntax)
				return false
			}
			i += 2
		case allowed.withScores && c.argIs(i, "WITHSCORES"):
			a.withScores = true
			i++
		case allowed.limit && left >= 2 && c.argIs(i, "LIMIT"):
			if a.limit, ok = c.rangeArg(i+1, 0, errLimitNegative); !ok {
				return false
			}
			i += 2
		default:
			c.err(errSyntax)
			return false
		}
	}
	return true
}

func runZunion(c *call) {
	c.combineReply((*call).zunion, combineOptions{weights: true, withScores: true})
}
func runZinter(c *call) {
	c.combineReply((*call).zinter, combineOptions{weights: true, withScores: true})
}
func runZdiff(c *call) { c.combineReply((*call).zdiff, combineOptions{withScores: true}) }

func (c *call) combineReply(combine func(c *call, a *combineArgs) []scored, allowed combineOptions) {
	a, ok := c.combineArgs(1, allowed)
	if !ok {
		return
	}
	members := combine(c, &a)
	slices.SortFunc(members, func(x, y scored) int {
		return cmp.Or(cmp.Compare(x.score, y.score), bytes.Compare(x.member, y.member))
	})
	c.scoredReply(members, a.withScores)
}

func runZunionstore(c *call) { c.combineStore((*call).zunion, true, "zunionstore") }
func runZinterstore(c *call) { c.combineStore((*call).zinter, true, "zinterstore") }
func runZdiffstore(c *call)  { c.combineStore((*call).zdiff, false, "zdiffstore") }

func (c *call) combineStore(combine func(c *call, a *combineArgs) []scored, hasWeights bool, event string) {
	if a, ok := c.combineArgs(2, combineOptions{weights: hasWeights}); ok {
		c.storeScored(c.args[1], combine(c, &a), event)
	}
}

// bySize orders sources from the smallest: float sums depend on the order, and
// this is Redis's.
func bySize(sources []source) {
	slices.SortStableFunc(sources, func(a, b source) int { return cmp.Compare(a.n, b.n) })
}

func (c *call) zunion(a *combineArgs) (members []scored) {
	bySize(a.sources)
	at := map[string]int{}
	for i := range a.sources {
		s := &a.sources[i]
		c.eachScored(s, func(member []byte, score float64) bool {
			score = zeroIfNaN(score * s.weight)
			if k, has := at[string(member)]; has {
				members[k].score = a.aggregate(members[k].score, score)
				return true
			}
			at[string(member)] = len(members)
			members = append(members, scored{member, score})
			return true
		})
	}
	return members
}

func (c *call) zinter(a *combineArgs) (members []scored) {
	c.eachInAll(a, func(member []byte, score float64) bool {
		members = append(members, scored{member, score})
		return true
	})
	return members
}

// eachInAll visits the members that every source has, with the joined scores.
func (c *call) eachInAll(a *combineArgs, visit func(member []byte, score float64) bool) {
	bySize(a.sources)
	first, others := &a.sources[0], a.sources[1:]
	c.eachScored(first, func(member []byte, score float64) bool {
		score = zeroIfNaN(score * first.weight)
		for i := range others {
			c.spend(1)
			other, has := c.scoreIn(&others[i], member)
			if !has {
				return true
			}
			score = a.aggregate(score, other*others[i].weight)
		}
		return visit(member, score)
	})
}

func (c *call) zdiff(a *combineArgs) (members []scored) {
	first, others := &a.sources[0], a.sources[1:]
	c.eachScored(first, func(member []byte, score float64) bool {
		for i := range others {
			c.spend(1)
			if _, has := c.scoreIn(&others[i], member); has {
				return true
			}
		}
		members = append(members, scored{member, score})
		return true
	})
	return members
}

func runZintercard(c *call) {
	a, ok := c.combineArgs(1, combineOptions{limit: true})
	if !ok {
		return
	}
	n := int64(0)
	c.eachInAll(&a, func([]byte, float64) bool {
		n++
		return n != a.limit
	})
	c.int(n)
}

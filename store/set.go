package store

import (
	"bytes"
	"slices"
)

// Sets. Each member is an element of its own without a value (elements.go).

// setCommands returns the family's part of the table.
func setCommands() []*Command { return setTable }

func runSadd(c *call) {
	it, ok := c.lookup(c.args[1], kindSet)
	if !ok || !c.membersFit(2, 1) {
		return
	}
	n, added := it.count(), int64(0)
	c.prepare(&it, kindSet)
	for _, member := range c.args[2:] {
		if c.addMember(&it, member) {
			added++
		}
	}
	if added > 0 {
		c.settle(&it, n+added, 's', "sadd")
	}
	c.int(added)
}

// addMember writes a member and says whether it is new.
func (c *call) addMember(it *item, member []byte) bool {
	key := c.memberKey(&it.place, tagMember, member)
	if _, had := c.get(key); had {
		return false
	}
	c.put(key, nil)
	return true
}

func runSrem(c *call) { c.removeMembers(kindSet, tagMember, 's', "srem") }

func runSmembers(c *call) {
	it, ok := c.lookup(c.args[1], kindSet)
	if !ok {
		return
	}
	c.set(int(it.count()))
	if it.exists() {
		c.eachMember(&it.place, tagMember, func(member, _ []byte) bool {
			c.bulk(member)
			return true
		})
	}
}

// isMember says whether a set, which may be missing, has a member.
func (c *call) isMember(it *item, member []byte) bool {
	return it.exists() && c.hasMember(&it.place, tagMember, member)
}

func runSismember(c *call) {
	if it, ok := c.lookup(c.args[1], kindSet); ok {
		c.bool01(c.isMember(&it, c.args[2]))
	}
}

func runSmismember(c *call) {
	it, ok := c.lookup(c.args[1], kindSet)
	if !ok {
		return
	}
	c.array(len(c.args) - 2)
	for _, member := range c.args[2:] {
		c.bool01(c.isMember(&it, member))
	}
}

func runScard(c *call) {
	if it, ok := c.lookup(c.args[1], kindSet); ok {
		c.int(it.count())
	}
}

func runSmove(c *call) {
	from, to, member := c.load(c.args[1]), c.load(c.args[2]), c.args[3]
	switch {
	case !from.exists():
		c.int(0)
		return
	case from.kind != kindSet || to.exists() && to.kind != kindSet:
		c.err(errWrongType)
		return
	case bytes.Equal(from.key, to.key) || !c.isMember(&from, member):
		c.bool01(c.isMember(&from, member))
		return
	}
	c.del(c.memberKey(&from.place, tagMember, member))
	c.settle(&from, from.count()-1, 's', "srem")
	n := to.count()
	c.prepare(&to, kindSet)
	if c.addMember(&to, member) {
		c.settle(&to, n+1, 's', "sadd")
	}
	c.int(1)
}

// runSpop chooses by the command's version, so that every replica pops the same.
func runSpop(c *call) {
	if len(c.args) > 3 {
		c.err(errSyntax)
		return
	}
	hasCount, count, ok := len(c.args) == 3, int64(1), true
	if hasCount {
		if count, ok = c.rangeArg(2, 0, errNotPositive); !ok {
			return
		}
	}
	it, ok := c.lookup(c.args[1], kindSet)
	if !ok {
		return
	}
	if !it.exists() || count == 0 {
		if hasCount {
			c.set(0)
		} else {
			c.null()
		}
		return
	}
	n := it.count()
	var chosen []picked
	if hasCount {
		chosen = c.pick(&it.place, tagMember, n, count, c.random())
		c.set(len(chosen))
	} else {
		chosen = []picked{c.pickOne(&it.place, tagMember, n, c.random())}
	}
	for _, one := range chosen {
		c.bulk(one.member)
	}
	if c.isTooLarge {
		return
	}
	for _, one := range chosen {
		c.del(c.memberKey(&it.place, tagMember, one.member))
	}
	c.settle(&it, n-int64(len(chosen)), 's', "spop")
}

func runSrandmember(c *call) {
	c.randomReply(kindSet, tagMember, "", (*item).count, nil)
}

func runSscan(c *call) {
	c.scanElements(kindSet, tagMember, (*item).count, func(member, _ []byte) int {
		c.bulk(member)
		return 1
	})
}

func runSunion(c *call) { c.membersReply(c.args[1:], (*call).union) }
func runSinter(c *call) { c.membersReply(c.args[1:], (*call).intersection) }
func runSdiff(c *call)  { c.membersReply(c.args[1:], (*call).difference) }

func runSunionstore(c *call) { c.membersStore((*call).union, "sunionstore") }
func runSinterstore(c *call) { c.membersStore((*call).intersection, "sinterstore") }
func runSdiffstore(c *call)  { c.membersStore((*call).difference, "sdiffstore") }

// combination visits each member of a combination of sets once, until visit
// returns false. visit must not write.
type combination func(c *call, sets []item, visit func(member []byte) bool)

// lookupSets loads sets, or answers WRONGTYPE if one is something else.
func (c *call) lookupSets(keys [][]byte) (sets []item, ok bool) {
	sets = make([]item, len(keys))
	for i, key := range keys {
		if sets[i], ok = c.lookup(key, kindSet); !ok {
			return nil, false
		}
	}
	return sets, true
}

func (c *call) membersReply(keys [][]byte, combine combination) {
	sets, ok := c.lookupSets(keys)
	if !ok {
		return
	}
	mark, n := c.mark(), 0
	combine(c, sets, func(member []byte) bool {
		c.bulk(member)
		n++
		return true
	})
	c.wrap(mark, '~', n)
}

func (c *call) membersStore(combine combination, event string) {
	sets, ok := c.lookupSets(c.args[2:])
	if !ok {
		return
	}
	var members [][]byte // all of it first: the destination may be a source
	combine(c, sets, func(member []byte) bool {
		members = append(members, bytes.Clone(member))
		return true
	})
	to := c.load(c.args[1])
	c.int(int64(len(members)))
	if len(members) == 0 {
		c.removeOld(&to)
		return
	}
	c.replace(&to, kindSet)
	for _, member := range members {
		c.put(c.memberKey(&to.place, tagMember, member), nil)
	}
	c.settle(&to, int64(len(members)), 's', event)
}

// union remembers what it visited: the sets' own orders agree, but a merge of many
// scans would hold as many iterators open.
func (c *call) union(sets []item, visit func(member []byte) bool) {
	var seen map[string]bool
	if len(sets) > 1 {
		seen = map[string]bool{}
	}
	goOn := true
	for i := range sets {
		if !goOn || !sets[i].exists() {
			continue
		}
		c.eachMember(&sets[i].place, tagMember, func(member, _ []byte) bool {
			if seen != nil {
				if seen[string(member)] {
					return true
				}
				seen[string(member)] = true
			}
			goOn = visit(member)
			return goOn
		})
	}
}

// intersection asks all others for each member of the smallest set.
func (c *call) intersection(sets []item, visit func(member []byte) bool) {
	sets = slices.Clone(sets)
	slices.SortStableFunc(sets, func(a, b item) int { return int(min(max(a.count()-b.count(), -1), 1)) })
	if !sets[0].exists() {
		return
	}
	c.eachMember(&sets[0].place, tagMember, func(member, _ []byte) bool {
		for i := range sets[1:] {
			c.spend(1)
			if !c.hasMember(&sets[1+i].place, tagMember, member) {
				return true
			}
		}
		return visit(member)
	})
}

// difference visits the first set's members that no other has. Others that are
// smaller in sum than the first are read once; else they are asked for each member.
func (c *call) difference(sets []item, visit func(member []byte) bool) {
	first, others := &sets[0], sets[1:]
	if !first.exists() {
		return
	}
	sum := int64(0)
	for i := range others {
		sum += others[i].count()
	}
	has := func(member []byte) bool {
		c.spend(int64(len(others)))
		return slices.ContainsFunc(others, func(it item) bool { return c.isMember(&it, member) })
	}
	if sum < first.count() {
		theirs := make(map[string]bool, sum)
		c.union(others, func(member []byte) bool {
			theirs[string(member)] = true
			return true
		})
		has = func(member []byte) bool { return theirs[string(member)] }
	}
	c.eachMember(&first.place, tagMember, func(member, _ []byte) bool {
		return has(member) || visit(member)
	})
}

func runSintercard(c *call) {
	keys, limit, ok := c.interCardArgs()
	if !ok {
		return
	}
	sets, ok := c.lookupSets(keys)
	if !ok {
		return
	}
	n := int64(0)
	c.intersection(sets, func([]byte) bool {
		n++
		return n != limit
	})
	c.int(n)
}

// interCardArgs reads "numkeys key [key ...] [LIMIT limit]".
func (c *call) interCardArgs() (keys [][]byte, limit int64, ok bool) {
	n, ok := c.rangeArg(1, 1, errNumKeys)
	if !ok {
		return nil, 0, false
	}
	if n > int64(len(c.args)-2) {
		c.err("ERR Number of keys can't be greater than number of args")
		return nil, 0, false
	}
	for i := 2 + int(n); i < len(c.args); i += 2 {
		if !c.argIs(i, "LIMIT") || i+1 == len(c.args) {
			c.err(errSyntax)
			return nil, 0, false
		}
		if limit, ok = c.rangeArg(i+1, 0, errLimitNegative); !ok {
			return nil, 0, false
		}
	}
	return c.args[2 : 2+n], limit, true
}

package store

import (
	"bytes"
	"encoding/binary"
	"math"

	"flotilla"
)

// What hashes, sets and sorted sets share. Each of their elements is a key of the
// state, in the order of the member's hash:
//
//	prefix of the key's elements, tag:1 hash:4 member -> value
//
//	hash        tag 'f'  member is the field    value is the field's value
//	set         tag 'm'                         empty
//	sorted set  tag 'm'                         score:8, see zset.go
//
// A hash's and a set's record body is the number of elements, as a uvarint.
const (
	tagField  = 'f'
	tagMember = 'm'
)

// few is how many elements a collection may have to be treated as a whole where
// that gives a better answer: it is scanned in one page, and random choices
// among its elements are exactly even. Redis draws its line at 128 too.
const few = 128

// pickSpread is how many neighbours a random place in a larger collection chooses
// among, so that a member behind a wide gap of hashes is not chosen much more often.
const pickSpread = 16

const (
	errMemberTooLong = "ERR field or member is longer than 65536 bytes"
	errReplyTooLarge = "ERR reply is larger than 134217728 bytes: ask for less at a time"
	errReplyNoMemory = "TRYAGAIN replies that clients have not read yet take the memory that the node has for them: " +
		"ask for less at a time, or later"
	errLongRange     = "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807"
	errNumKeys       = "ERR numkeys should be greater than 0"
	errCountNotAbove = "ERR count should be greater than 0"
	errLimitNegative = "ERR LIMIT can't be negative"
	errValueRange    = "ERR value is out of range"
)

// memberKey returns the key of a member's element. It is valid until keyRoom is
// used for something else.
func (c *call) memberKey(p *place, tag byte, member []byte) []byte {
	key := p.appendTag(c.keyRoom[:0], tag)
	key = binary.BigEndian.AppendUint32(key, hash32(member))
	c.keyRoom = append(key, member...)
	return c.keyRoom
}

// hasMember says whether there is an element for member.
func (c *call) hasMember(p *place, tag byte, member []byte) bool {
	_, ok := c.get(c.memberKey(p, tag, member))
	return ok
}

// membersFit says whether each argument from the first on, step by step, is
// short enough for a key of the state, or answers that one is not.
func (c *call) membersFit(first, step int) bool {
	for i := first; i < len(c.args); i += step {
		if len(c.args[i]) > MaxKeyBytes {
			c.err(errMemberTooLong)
			return false
		}
	}
	return true
}

// count returns how many elements a hash or set has; 0 if it is missing.
func (it *item) count() int64 {
	if !it.exists() {
		return 0
	}
	n, size := binary.Uvarint(it.body)
	flotilla.Assert(size > 0, "the record of a hash or set has a count")
	return int64(n)
}

// prepare makes an item ready to get elements: of a key that expired, but that the
// state still has, nothing may show through.
func (c *call) prepare(it *item, k kind) {
	if !it.exists() {
		c.become(it, k)
	}
}

// settle ends a change of a hash or set that has n elements now.
func (c *call) settle(it *item, n int64, class byte, event string) {
	var room [binary.MaxVarintLen64]byte
	c.keep(it, n > 0, binary.AppendUvarint(room[:0], uint64(n)), class, event)
}

// keep ends a change of a collection: it writes the record with its new body, or,
// with the last element gone, removes it; and it tells of what happened in the
// order that Redis does.
func (c *call) keep(it *item, hasElements bool, body []byte, class byte, event string) {
	if hasElements {
		it.body = body
		c.save(it)
		c.notify(class, event, it.key)
		return
	}
	c.removeRecord(it)
	c.notify(class, event, it.key)
	c.notify('g', "del", it.key)
}

// replace makes an item ready to become a new value of a kind, whatever it was.
func (c *call) replace(it *item, k kind) {
	c.become(it, k)
	it.expiry = 0
}

// removeOld deletes the destination of a command that found nothing to store.
func (c *call) removeOld(it *item) {
	if it.exists() {
		c.remove(it)
		c.notify('g', "del", it.key)
	}
}

// eachMember visits the elements with a tag in order until visit returns false,
// or until the reply is too large to go on. visit must not write.
func (c *call) eachMember(p *place, tag byte, visit func(member, value []byte) bool) {
	prefix := p.appendTag(nil, tag)
	for key, value := range c.r.Scan(prefix, prefixEnd(prefix)) {
		c.spend(1)
		if !visit(key[len(prefix)+4:], value) || c.isTooLarge {
			return
		}
	}
}

// scanElements answers HSCAN, SSCAN and ZSCAN: emit writes one element, and
// returns how many items of the reply it took.
func (c *call) scanElements(k kind, tag byte, count func(it *item) int64, emit func(member, value []byte) int) {
	if _, ok := parseUint(c.args[2]); !ok {
		c.err(errCursor)
		return
	}
	it, ok := c.lookup(c.args[1], k)
	if !ok {
		return
	}
	if !it.exists() {
		c.array(2)
		c.bulkString("0")
		c.array(0)
		return
	}
	options, ok := c.scanArgs(2)
	if !ok {
		return
	}
	if count(&it) <= few { // all at once, wherever the cursor is, as in Redis
		options.cursor, options.count = 0, few
	}
	mark, n := c.mark(), 0
	next := c.page(it.appendTag(nil, tag), options.cursor, options.count, func(member, value []byte) {
		if options.matches(member) {
			n += emit(member, value)
		}
	})
	c.wrap(mark, '*', n)
	c.prefixCursor(mark, next)
}

// prefixCursor puts the cursor before the page that was written since mark.
func (c *call) prefixCursor(mark int, cursor uint64) {
	page := bytes.Clone(c.out[mark:])
	c.out = c.out[:mark]
	c.array(2)
	c.bulkInt(int64(cursor))
	c.out = append(c.out, page...)
}

// picked is an element that was chosen.
type picked struct{ member, value []byte }

// pickOne chooses one of the n > 0 elements with a tag.
func (c *call) pickOne(p *place, tag byte, n int64, chance *random) picked {
	prefix := p.appendTag(nil, tag)
	start, end := prefix, prefixEnd(prefix)
	skip := chance.below(min(n, few))
	if n > few {
		start = binary.BigEndian.AppendUint32(bytes.Clone(prefix), uint32(chance.next()))
		skip %= pickSpread
	}
	for range 2 { // from the place on, and around from the beginning
		for key, value := range c.r.Scan(start, end) {
			c.spend(1)
			if skip == 0 {
				return picked{key[len(prefix)+4:], value}
			}
			skip--
		}
		start = prefix
	}
	flotilla.Assert(false, "a collection of %d has that many elements", n)
	return picked{}
}

// pick chooses count different ones of the n elements with a tag, or all.
func (c *call) pick(p *place, tag byte, n, count int64, chance *random) []picked {
	if count*3 < n && n > few {
		return c.pickRarely(p, tag, n, count, chance)
	}
	all := make([]picked, 0, n)
	c.eachMember(p, tag, func(member, value []byte) bool {
		all = append(all, picked{member, value})
		return true
	})
	if count >= n {
		return all
	}
	for i := range count {
		j := i + chance.below(n-i)
		all[i], all[j] = all[j], all[i]
	}
	return all[:count]
}

// pickRarely is pick where a second choice of the same element is unlikely.
func (c *call) pickRarely(p *place, tag byte, n, count int64, chance *random) []picked {
	chosen := make([]picked, 0, count)
	seen := make(map[string]bool, count)
	for int64(len(chosen)) < count {
		one := c.pickOne(p, tag, n, chance)
		if !seen[string(one.member)] {
			seen[string(one.member)] = true
			chosen = append(chosen, one)
		}
	}
	return chosen
}

// randomReply answers HRANDFIELD, SRANDMEMBER and ZRANDMEMBER "key [count [WITH]]".
// with is the option's name, or "" if there is none; value writes an element's.
func (c *call) randomReply(k kind, tag byte, with string, count func(it *item) int64, value func(value []byte)) {
	if len(c.args) == 2 {
		it, ok := c.lookup(c.args[1], k)
		switch {
		case !ok:
		case it.exists():
			c.bulk(c.pickOne(&it.place, tag, count(&it), c.random()).member)
		default:
			c.null()
		}
		return
	}
	wanted, isWith, ok := c.randomArgs(with)
	if !ok {
		return
	}
	it, ok := c.lookup(c.args[1], k)
	if !ok {
		return
	}
	if !it.exists() || wanted == 0 {
		c.array(0)
		return
	}
	n, chance := count(&it), c.random()
	var chosen []picked
	if wanted > 0 {
		chosen = c.pick(&it.place, tag, n, wanted, chance)
		wanted = int64(len(chosen))
	} else {
		wanted = -wanted
	}
	if wanted > MaxReplyBytes/8 {
		c.err(errReplyTooLarge)
		return
	}
	if isWith {
		c.pairs(int(wanted))
	} else {
		c.array(int(wanted))
	}
	for i := range wanted {
		var one picked
		if chosen != nil {
			one = chosen[i]
		} else {
			one = c.pickOne(&it.place, tag, n, chance)
		}
		c.bulk(one.member)
		if isWith {
			value(one.value)
		}
		if c.isTooLarge {
			return
		}
	}
}

// randomArgs reads "count [WITH...]".
func (c *call) randomArgs(with string) (count int64, isWith, ok bool) {
	if count, ok = c.intArg(2); !ok {
		return 0, false, false
	}
	if count == math.MinInt64 {
		c.err(errLongRange)
		return 0, false, false
	}
	if len(c.args) == 3 {
		return count, false, true
	}
	if with == "" || len(c.args) > 4 || !c.argIs(3, with) {
		c.err(errSyntax)
		return 0, false, false
	}
	if count < -math.MaxInt64/2 || count > math.MaxInt64/2 {
		c.err(errValueRange)
		return 0, false, false
	}
	return count, true, true
}

// rangeArg reads argument i as an integer of at least least, or answers text.
func (c *call) rangeArg(i int, least int64, text string) (int64, bool) {
	n, ok := parseInt(c.args[i])
	if !ok || n < least {
		c.err(text)
		return 0, false
	}
	return n, true
}

// timeoutArg checks argument i, a blocking command's timeout in seconds. The
// machine does not wait: the door does, but the answer to a bad one belongs to
// the command.
func (c *call) timeoutArg(i int) bool {
	seconds, ok := parseLongDouble(c.args[i])
	if !ok {
		c.err("ERR timeout is not a float or out of range")
		return false
	}
	f, _ := seconds.Float64()
	switch millis := math.Ceil(f * 1000); {
	case millis >= math.MaxInt64 || millis > 0 && int64(millis) > math.MaxInt64-int64(c.now):
		c.err("ERR timeout is out of range")
	case millis < 0:
		c.err("ERR timeout is negative")
	default:
		return true
	}
	return false
}

// indexRange makes start and stop, which count from the end if negative, a range
// from first up to and without behind, of a sequence with n elements.
func indexRange(start, stop, n int64) (first, behind int64) {
	if start < 0 {
		start = max(start+n, 0)
	}
	if stop < 0 {
		stop += n
	}
	if start > stop || start >= n {
		return 0, 0
	}
	return start, min(stop, n-1) + 1
}

// length returns the number of elements of a list, hash, set or sorted set.
func (c *call) length(it *item) int64 {
	switch it.kind {
	case kindList:
		l := listOf(*it)
		return l.length()
	case kindZset:
		return zcount(it)
	case kindHash, kindSet:
		return it.count()
	}
	return 0
}

// members returns copies of a collection's elements: of a list and a sorted set in
// order, of a set as they come; a hash and a string have none.
func (c *call) members(it *item) (members [][]byte) {
	collect := func(member []byte) { members = append(members, bytes.Clone(member)) }
	switch it.kind {
	case kindList:
		l := listOf(*it)
		c.visit(&l, l.head, l.tail, func(_ int64, value []byte) bool {
			collect(value)
			return true
		})
	case kindSet:
		c.eachMember(&it.place, tagMember, func(member, _ []byte) bool {
			collect(member)
			return true
		})
	case kindZset:
		z := zsetOf(*it)
		for member := range c.byScore(&z, z.low, z.high, false) {
			collect(member)
		}
	}
	return members
}

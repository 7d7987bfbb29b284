package store

import (
	"bytes"
	"encoding/binary"
	"math"
	"slices"

	"flotilla"
)

// Lists. The elements of a list lie at consecutive positions, so that both ends
// and every index are found without a walk; positions may be negative:
//
//	record body  head:8 tail:8                        elements are at head <= at < tail
//	element      prefix, 'p' position:8 -> the value  the sign bit flipped, to sort as bytes
//
//	         head                     tail
//	          v                        v
//	   ... | -2 "a" | -1 "b" | 0 "c" | 1 ...
//
// LINSERT and LREM in the middle move the elements of the shorter side. In
// exchange LINDEX and LSET take constant time, unlike Redis's.
const tagPosition = 'p'

// listCommands returns the family's part of the table.
func listCommands() []*Command { return listTable }

// list is a list as one command sees it.
type list struct {
	item
	head, tail int64
}

func (l *list) length() int64 { return l.tail - l.head }

// lookupList loads a list, which may be missing, or answers WRONGTYPE.
func (c *call) lookupList(key []byte) (l list, ok bool) {
	it, ok := c.lookup(key, kindList)
	return listOf(it), ok
}

// listOf reads the body of a list's record, if there is one.
func listOf(it item) list {
	l := list{item: it}
	if it.kind == kindList {
		flotilla.Assert(len(l.body) == 16, "the record of a list has two positions")
		l.head = int64(binary.BigEndian.Uint64(l.body))
		l.tail = int64(binary.BigEndian.Uint64(l.body[8:]))
	}
	return l
}

// positionKey returns the key of the element at a position. It is valid until
// keyRoom is used for something else.
func (c *call) positionKey(l *list, at int64) []byte {
	c.keyRoom = binary.BigEndian.AppendUint64(l.appendTag(c.keyRoom[:0], tagPosition), uint64(at)^1<<63)
	return c.keyRoom
}

// at returns the element at a position.
func (c *call) at(l *list, at int64) []byte {
	value, ok := c.get(c.positionKey(l, at))
	flotilla.Assert(ok, "a list has an element at each position")
	return value
}

// settleList ends a change of a list.
func (c *call) settleList(l *list, event string) {
	var room [16]byte
	c.keep(&l.item, l.length() > 0, l.appendBody(room[:0]), 'l', event)
}

func (l *list) appendBody(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint64(dst, uint64(l.head))
	return binary.BigEndian.AppendUint64(dst, uint64(l.tail))
}

// end is one end of a list.
type end bool

// The ends.
const (
	left  end = true
	right end = false
)

func (e end) pushEvent() string {
	if e == left {
		return "lpush"
	}
	return "rpush"
}

func (e end) popEvent() string {
	if e == left {
		return "lpop"
	}
	return "rpop"
}

// push adds an element.
func (c *call) push(l *list, where end, value []byte) {
	if where == left {
		l.head--
		c.put(c.positionKey(l, l.head), value)
		return
	}
	c.put(c.positionKey(l, l.tail), value)
	l.tail++
}

func runLpush(c *call)  { c.pushAll(left, false) }
func runRpush(c *call)  { c.pushAll(right, false) }
func runLpushx(c *call) { c.pushAll(left, true) }
func runRpushx(c *call) { c.pushAll(right, true) }

func (c *call) pushAll(where end, mustExist bool) {
	l, ok := c.lookupList(c.args[1])
	if !ok {
		return
	}
	if mustExist && !l.exists() {
		c.int(0)
		return
	}
	c.prepare(&l.item, kindList)
	for _, value := range c.args[2:] {
		c.push(&l, where, value)
	}
	c.int(l.length())
	c.settleList(&l, where.pushEvent())
}

// visit calls each for the elements at first <= at < behind until it returns
// false. each must not write.
func (c *call) visit(l *list, first, behind int64, each func(at int64, value []byte) bool) {
	start := bytes.Clone(c.positionKey(l, first))
	at := first
	for _, value := range c.r.Scan(start, c.positionKey(l, behind)) {
		c.spend(1)
		if !each(at, value) || c.isTooLarge {
			return
		}
		at++
	}
}

// visitBack is visit from the other side.
func (c *call) visitBack(l *list, first, behind int64, each func(at int64, value []byte) bool) {
	start := bytes.Clone(c.positionKey(l, first))
	at := behind - 1
	for _, value := range c.r.ScanBack(start, c.positionKey(l, behind)) {
		c.spend(1)
		if !each(at, value) || c.isTooLarge {
			return
		}
		at--
	}
}

// popElements answers with an array of the first or last n elements, from the end on,
// and deletes them, unless nobody could be told of so much.
func (c *call) popElements(l *list, where end, n int64) {
	c.array(int(n))
	emit := func(_ int64, value []byte) bool {
		c.bulk(value)
		return true
	}
	if where == left {
		c.visit(l, l.head, l.head+n, emit)
	} else {
		c.visitBack(l, l.tail-n, l.tail, emit)
	}
	if !c.isTooLarge {
		c.drop(l, where, n)
	}
}

// drop deletes the first or last n elements and tells of it.
func (c *call) drop(l *list, where end, n int64) {
	if where == left {
		c.deletePositions(l, l.head, l.head+n)
		l.head += n
	} else {
		c.deletePositions(l, l.tail-n, l.tail)
		l.tail -= n
	}
	c.settleList(l, where.popEvent())
}

func (c *call) deletePositions(l *list, first, behind int64) {
	if behind-first > deleteOneByOne {
		start := bytes.Clone(c.positionKey(l, first))
		c.tx.DeleteRange(start, c.positionKey(l, behind))
		return
	}
	for at := first; at < behind; at++ {
		c.del(c.positionKey(l, at))
	}
}

func runLpop(c *call) { c.pop(left) }
func runRpop(c *call) { c.pop(right) }

func (c *call) pop(where end) {
	if len(c.args) > 3 {
		c.wrongArity(c.cmd.Name)
		return
	}
	hasCount, n, ok := len(c.args) == 3, int64(1), true
	if hasCount {
		if n, ok = c.rangeArg(2, 0, errNotPositive); !ok {
			return
		}
	}
	l, ok := c.lookupList(c.args[1])
	switch {
	case !ok:
	case !l.exists() && hasCount:
		c.nullArray()
	case !l.exists():
		c.null()
	case n == 0:
		c.array(0)
	case hasCount:
		c.popElements(&l, where, min(n, l.length()))
	default:
		c.bulk(c.at(&l, l.endAt(where)))
		c.drop(&l, where, 1)
	}
}

// endAt returns the position of the first or last element.
func (l *list) endAt(where end) int64 {
	if where == left {
		return l.head
	}
	return l.tail - 1
}

func runLlen(c *call) {
	if l, ok := c.lookupList(c.args[1]); ok {
		c.int(l.length())
	}
}

func runLrange(c *call) {
	start, stop, ok := c.intArgs(2, 3)
	if !ok {
		return
	}
	l, ok := c.lookupList(c.args[1])
	if !ok {
		return
	}
	first, behind := indexRange(start, stop, l.length())
	c.array(int(behind - first))
	if first < behind {
		c.visit(&l, l.head+first, l.head+behind, func(_ int64, value []byte) bool {
			c.bulk(value)
			return true
		})
	}
}

// position returns where index i of a list is, counted from the end if negative.
func (l *list) position(i int64) (at int64, ok bool) {
	if i < 0 {
		i += l.length()
	}
	return l.head + i, i >= 0 && i < l.length()
}

func runLindex(c *call) {
	l, ok := c.lookupList(c.args[1])
	if !ok {
		return
	}
	if !l.exists() {
		c.null()
		return
	}
	i, ok := c.intArg(2)
	if !ok {
		return
	}
	if at, ok := l.position(i); ok {
		c.bulk(c.at(&l, at))
		return
	}
	c.null()
}

func runLset(c *call) {
	l, ok := c.lookupList(c.args[1])
	if !ok {
		return
	}
	if !l.exists() {
		c.err(errNoSuchKey)
		return
	}
	i, ok := c.intArg(2)
	if !ok {
		return
	}
	at, ok := l.position(i)
	if !ok {
		c.err(errOutOfRange)
		return
	}
	c.put(c.positionKey(&l, at), c.args[3])
	c.settleList(&l, "lset")
	c.ok()
}

func runLtrim(c *call) {
	start, stop, ok := c.intArgs(2, 3)
	if !ok {
		return
	}
	l, ok := c.lookupList(c.args[1])
	if !ok {
		return
	}
	if l.exists() {
		first, behind := indexRange(start, stop, l.length())
		c.deletePositions(&l, l.head, l.head+first)
		c.deletePositions(&l, l.head+behind, l.tail)
		l.head, l.tail = l.head+first, l.head+behind
		c.settleList(&l, "ltrim")
	}
	c.ok()
}

// lposArgs are the options of LPOS; count is -1 if it was not given.
type lposArgs struct{ rank, count, maxLen int64 }

func (c *call) lposArgs() (o lposArgs, ok bool) {
	o = lposArgs{rank: 1, count: -1}
	for i := 3; i < len(c.args); i += 2 {
		isLast := i+1 == len(c.args)
		switch {
		case c.argIs(i, "RANK") && !isLast:
			if o.rank, ok = c.intArg(i + 1); !ok {
				return o, false
			}
			if o.rank == math.MinInt64 {
				c.err(errLongRange)
				return o, false
			}
			if o.rank == 0 {
				c.err("ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... " +
					"or use negative to start from the end of the list")
				return o, false
			}
		case c.argIs(i, "COUNT") && !isLast:
			if o.count, ok = c.rangeArg(i+1, 0, "ERR COUNT can't be negative"); !ok {
				return o, false
			}
		case c.argIs(i, "MAXLEN") && !isLast:
			if o.maxLen, ok = c.rangeArg(i+1, 0, "ERR MAXLEN can't be negative"); !ok {
				return o, false
			}
		default:
			c.err(errSyntax)
			return o, false
		}
	}
	return o, true
}

func runLpos(c *call) {
	o, ok := c.lposArgs()
	if !ok {
		return
	}
	l, ok := c.lookupList(c.args[1])
	if !ok {
		return
	}
	var found []int64
	if l.exists() {
		found = c.findAll(&l, c.args[2], o)
	}
	switch {
	case o.count >= 0:
		c.array(len(found))
		for _, i := range found {
			c.int(i)
		}
	case len(found) > 0:
		c.int(found[0])
	default:
		c.null()
	}
}

// findAll returns the indexes of an element, as many as o asks for.
func (c *call) findAll(l *list, value []byte, o lposArgs) (found []int64) {
	wanted := o.count // 0 means all
	if wanted < 0 {
		wanted = 1
	}
	skip, walk := o.rank-1, c.visit
	if o.rank < 0 {
		skip, walk = -o.rank-1, c.visitBack
	}
	seen := int64(0)
	walk(l, l.head, l.tail, func(at int64, v []byte) bool {
		seen++
		if bytes.Equal(v, value) {
			if skip == 0 {
				found = append(found, at-l.head)
			} else {
				skip--
			}
		}
		return (wanted == 0 || int64(len(found)) < wanted) && seen != o.maxLen
	})
	return found
}

func runLinsert(c *call) {
	isBefore := c.argIs(2, "BEFORE")
	if !isBefore && !c.argIs(2, "AFTER") {
		c.err(errSyntax)
		return
	}
	l, ok := c.lookupList(c.args[1])
	if !ok {
		return
	}
	if !l.exists() {
		c.int(0)
		return
	}
	found := c.findAll(&l, c.args[3], lposArgs{rank: 1, count: 1})
	if found == nil {
		c.int(-1)
		return
	}
	at := l.head + found[0] // the new element goes before what is here now
	if !isBefore {
		at++
	}
	c.spend(min(at-l.head, l.tail-at))
	if at-l.head < l.tail-at {
		for i := l.head; i < at; i++ {
			c.move(&l, i, i-1)
		}
		l.head, at = l.head-1, at-1
	} else {
		for i := l.tail; i > at; i-- {
			c.move(&l, i-1, i)
		}
		l.tail++
	}
	c.put(c.positionKey(&l, at), c.args[4])
	c.settleList(&l, "linsert")
	c.int(l.length())
}

func runLrem(c *call) {
	n, ok := c.intArg(2)
	if !ok {
		return
	}
	l, ok := c.lookupList(c.args[1])
	if !ok {
		return
	}
	if !l.exists() {
		c.int(0)
		return
	}
	o := lposArgs{rank: 1, count: n}
	if n < 0 {
		o = lposArgs{rank: -1, count: max(-n, 0)} // the least integer stays negative: all
	}
	found := c.findAll(&l, c.args[3], o)
	if len(found) > 0 {
		slices.Sort(found)
		c.compact(&l, found)
		c.settleList(&l, "lrem")
	}
	c.int(int64(len(found)))
}

// compact takes the elements at the given indexes, in ascending order, out of
// the list, by moving what lies to one side of them: the side with less to move.
func (c *call) compact(l *list, gone []int64) {
	first, last := l.head+gone[0], l.head+gone[len(gone)-1]
	c.spend(min(last-l.head, l.tail-first))
	if last-l.head < l.tail-first {
		to, next := last, len(gone)-1
		for at := last; at >= l.head; at-- {
			if next >= 0 && at == l.head+gone[next] {
				next--
				continue
			}
			c.move(l, at, to)
			to--
		}
		c.deletePositions(l, l.head, to+1)
		l.head = to + 1
		return
	}
	to, next := first, 0
	for at := first; at < l.tail; at++ {
		if next < len(gone) && at == l.head+gone[next] {
			next++
			continue
		}
		c.move(l, at, to)
		to++
	}
	c.deletePositions(l, to, l.tail)
	l.tail = to
}

// move copies the element at one position to another.
func (c *call) move(l *list, from, to int64) {
	value := c.at(l, from)
	c.put(c.positionKey(l, to), value)
}

package store

import (
	"encoding/binary"

	"flotilla"
)

// genericCommands returns the family's part of the table.
func genericCommands() []*Command { return genericTable }

func runDel(c *call) {
	n := int64(0)
	for _, key := range c.args[1:] {
		if it := c.load(key); it.exists() {
			c.remove(&it)
			c.notify('g', "del", key)
			n++
		}
	}
	c.int(n)
}

func runUnlink(c *call) { runDel(c) }

func runExists(c *call) {
	n := int64(0)
	for _, key := range c.args[1:] {
		if it := c.load(key); it.exists() {
			n++
		}
	}
	c.int(n)
}

func runTouch(c *call) { runExists(c) }

func runType(c *call) {
	it := c.load(c.args[1])
	c.status(it.kind.String())
}

func runRename(c *call) { c.rename(false) }

func runRenamenx(c *call) { c.rename(true) }

// rename moves a key, with its expiry, over another one. Its elements stay where they are.
func (c *call) rename(onlyNew bool) {
	from, to := c.load(c.args[1]), c.load(c.args[2])
	if !from.exists() {
		c.err(errNoSuchKey)
		return
	}
	isRefused := onlyNew && to.exists()
	if !isRefused && string(from.key) != string(to.key) {
		c.clear(&to)
		to.kind, to.expiry, to.id = from.kind, from.expiry, from.id
		c.saveBody(&to, from.body, nil)
		c.removeRecord(&from)
		c.notify('g', "rename_from", from.key)
		c.notify('g', "rename_to", to.key)
	}
	if onlyNew {
		c.bool01(!isRefused)
	} else {
		c.ok()
	}
}

// copyTo gives to all that from has.
func (c *call) copyTo(from, to *item) {
	c.spend(c.length(from))
	if from.kind == kindZset {
		c.spend(c.length(from)) // each is written twice
	}
	c.become(to, from.kind)
	to.expiry = from.expiry
	if from.kind != kindString {
		c.copyElements(&from.place, &to.place)
	}
	c.saveBody(to, from.body, nil)
}

func runCopy(c *call) {
	isReplacing := false
	for i := 3; i < len(c.args); i++ {
		switch {
		case c.argIs(i, "REPLACE"):
			isReplacing = true
		case c.argIs(i, "DB") && i+1 < len(c.args):
			i++
			if n, ok := c.intArg(i); !ok {
				return
			} else if n != 0 {
				c.err("ERR DB index is out of range")
				return
			}
		default:
			c.err(errSyntax)
			return
		}
	}
	if string(c.args[1]) == string(c.args[2]) {
		c.err("ERR source and destination objects are the same")
		return
	}
	from, to := c.load(c.args[1]), c.load(c.args[2])
	if !from.exists() || to.exists() && !isReplacing {
		c.int(0)
		return
	}
	c.copyTo(&from, &to)
	c.notify('g', "copy_to", to.key)
	c.int(1)
}

func runDbsize(c *call) { c.int(c.keyCount()) }

// keyCount returns how many keys the group has, those included that expired and
// were not deleted yet, as in Redis.
func (c *call) keyCount() int64 {
	if c.tx == nil {
		return readCounters(c.r).keys
	}
	return c.counters.keys
}

func runFlushall(c *call) { c.flush() }
func runFlushdb(c *call)  { c.flush() }

// flush deletes every key. ASYNC and SYNC are the same here.
func (c *call) flush() {
	if len(c.args) > 2 || len(c.args) == 2 && !c.argIs(1, "ASYNC") && !c.argIs(1, "SYNC") {
		c.err(errSyntax)
		return
	}
	for _, space := range []byte{spaceRecord, spaceElement, spaceExpiry} {
		prefix := []byte{byte(flotilla.SystemStore), space}
		c.tx.DeleteRange(prefix, prefixEnd(prefix))
	}
	c.noteAllGone()
	c.counters = counters{lastID: c.counters.lastID, isChanged: true}
	c.ok()
}

// recordsFrom returns the range of the state that holds the records from a
// position on.
func recordsFrom(position uint64) (start, end []byte) {
	prefix := []byte{byte(flotilla.SystemStore), spaceRecord}
	start = binary.BigEndian.AppendUint16(append([]byte(nil), prefix...), uint16(position>>32))
	return binary.BigEndian.AppendUint32(start, uint32(position)), prefixEnd(prefix)
}

// eachKey visits the keys that exist, in order of position, until visit returns
// false. The item's key is only valid during the visit.
func (c *call) eachKey(start, end []byte, visit func(it *item) bool) {
	for key, value := range c.r.Scan(start, end) {
		c.spend(1)
		it := item{place: place{
			slot: binary.BigEndian.Uint16(key[2:]),
			hash: binary.BigEndian.Uint32(key[4:]),
			key:  key[recordKeyHead:],
		}}
		it.decodeRecord(value)
		if it.expiry != 0 && it.expiry <= c.time {
			it.kind = kindNone // still visited, so that a scan's page has an end
		}
		if !visit(&it) {
			return
		}
	}
}

func runKeys(c *call) {
	mark, n := c.mark(), 0
	start, end := recordsFrom(0)
	c.eachKey(start, end, func(it *item) bool {
		if it.exists() && (allKeys(c.args[1]) || matchGlob(c.args[1], it.key)) {
			c.bulk(it.key)
			n++
		}
		return !c.isTooLarge
	})
	c.wrap(mark, '*', n)
}

// runScan is SCAN within one group. The cursor is the position of the next key;
// keys of equal position are never split between pages.
func runScan(c *call) {
	o, ok := c.scanArgs(1)
	if !ok {
		return
	}
	if o.cursor >= flotilla.Slots<<32 { // no such position: the scan is over
		c.array(2)
		c.bulkInt(0)
		c.array(0)
		return
	}
	found := replies{charge: c.charge}
	n, visited := 0, 0
	next, last := uint64(0), uint64(0)
	start, end := recordsFrom(o.cursor)
	c.eachKey(start, end, func(it *item) bool {
		position := it.position()
		if visited >= o.count && position != last {
			next = position
			return false
		}
		visited, last = visited+1, position
		if it.exists() && (o.kind == nil || isWord(o.kind, upper(it.kind.String()))) && o.matches(it.key) {
			found.bulk(it.key)
			n++
		}
		return true
	})
	c.isTooLarge, c.isRefused = found.isTooLarge, found.isRefused
	c.array(2)
	c.bulkInt(int64(next))
	c.array(n)
	c.out = append(c.out, found.out...)
}

// randomNeighbours is how many keys next to a random position RANDOMKEY chooses
// among, and randomExactly how many keys may be for all to be equally likely.
const (
	randomNeighbours = 16
	randomExactly    = 128
)

func runRandomkey(c *call) {
	random, count := c.random(), c.keyCount()
	first, last, ok := c.positions()
	if !ok {
		c.null()
		return
	}
	limit, at := randomExactly, first
	if count > randomExactly {
		limit, at = randomNeighbours, first+random.next()%(last-first+1)
	}
	for _, from := range []uint64{at, first} {
		var found [][]byte
		start, end := recordsFrom(from)
		c.eachKey(start, end, func(it *item) bool {
			if it.exists() {
				found = append(found, append([]byte(nil), it.key...))
			}
			return len(found) < limit
		})
		if len(found) > 0 {
			c.bulk(found[random.below(int64(len(found)))])
			return
		}
	}
	c.null()
}

// positions returns those of the first and the last record.
func (c *call) positions() (first, last uint64, ok bool) {
	position := func(key []byte) uint64 {
		return uint64(binary.BigEndian.Uint16(key[2:]))<<32 | uint64(binary.BigEndian.Uint32(key[4:]))
	}
	start, end := recordsFrom(0)
	for key := range c.r.Scan(start, end) {
		first, ok = position(key), true
		break
	}
	for key := range c.r.ScanBack(start, end) {
		last = position(key)
		break
	}
	return first, last, ok
}

// slotRange returns the records of the slot in argument 1, or answers that it is
// none.
func (c *call) slotRange(problem string) (start, end []byte, ok bool) {
	slot, ok := parseInt(c.args[1])
	if !ok || slot < 0 || slot >= flotilla.Slots {
		c.err(problem)
		return nil, nil, false
	}
	start, _ = recordsFrom(uint64(slot) << 32)
	start = start[:4]
	return start, prefixEnd(start), true
}

func runCountKeysInSlot(c *call) {
	start, end, ok := c.slotRange("ERR Invalid slot")
	if !ok {
		return
	}
	n := int64(0)
	c.eachKey(start, end, func(it *item) bool {
		if it.exists() {
			n++
		}
		return true
	})
	c.int(n)
}

func runGetKeysInSlot(c *call) {
	const problem = "ERR Invalid slot or number of keys"
	start, end, ok := c.slotRange(problem)
	if !ok {
		return
	}
	limit, ok := parseInt(c.args[2])
	if !ok || limit < 0 {
		c.err(problem)
		return
	}
	mark, n := c.mark(), int64(0)
	c.eachKey(start, end, func(it *item) bool {
		if n == limit {
			return false
		}
		if it.exists() {
			c.bulk(it.key)
			n++
		}
		return true
	})
	c.wrap(mark, '*', int(n))
}

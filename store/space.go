package store

import (
	"encoding/binary"

	"flotilla"
)

// The store's part of a group's key space. The slot stands before all else of a
// record's key, so that a slot can be scanned and moved; numbers are big-endian.
//
//	record   's' 'k' slot:2 hash:4 key            -> kind:1 version:8 expiry:8 [id:8] body
//	element  's' 'e' id:8 tag:1 ...               -> as the family defines
//	expiry   's' 'x' expiry:8 slot:2 hash:4 key   -> empty
//	counters 's' 'n'                              -> keys:8 nextExpiry:8 lastID:8
//	gone     's' 'g' bucket:2                     -> version:8, see watch.go
//
// A collection's elements lie under its id, a number that the group gives to no other
// collection, ever: so RENAME writes two records, however many elements there are. A
// string has no id.
//
// expiry is in milliseconds, 0 for none. A
// string's body is its value, a collection's what its family needs to know
// without a scan, such as its length. nextExpiry is at most the first expiry in
// the index, so that an entry learns with one look whether anything fell due.
const (
	spaceRecord  = 'k'
	spaceElement = 'e'
	spaceExpiry  = 'x'
	spaceCounter = 'n'

	recordKeyHead  = 2 + 2 + 4
	recordHead     = 1 + 8 + 8
	expiryKeyHead  = 2 + 8 + 2 + 4
	deleteOneByOne = 64 // elements; a range deletion pays off beyond
	moveAtOnce     = 256
)

// kind is a key's type.
type kind byte

// The kinds; kindNone is a missing key.
const (
	kindNone   kind = 0
	kindString kind = 's'
	kindHash   kind = 'h'
	kindList   kind = 'l'
	kindSet    kind = 't'
	kindZset   kind = 'z'
)

// String returns the name that TYPE answers.
func (k kind) String() string {
	switch k {
	case kindString:
		return "string"
	case kindHash:
		return "hash"
	case kindList:
		return "list"
	case kindSet:
		return "set"
	case kindZset:
		return "zset"
	}
	return "none"
}

// place is a key with where it lies, and where its elements do.
type place struct {
	key  []byte
	slot uint16
	hash uint32
	id   uint64 // of the collection; 0 for what is none
}

func placeOf(key []byte) place {
	return place{key: key, slot: uint16(flotilla.SlotOf(key)), hash: hash32(key)}
}

// position orders keys as their records do, apart from equal hashes; it is also
// SCAN's cursor.
func (p *place) position() uint64 { return uint64(p.slot)<<32 | uint64(p.hash) }

// hash32 is FNV-1a with MurmurHash3's finalizer, whose low and high bits are
// equally good. It is part of the format on disk.
func hash32(b []byte) uint32 {
	h := uint32(2166136261)
	for _, c := range b {
		h = (h ^ uint32(c)) * 16777619
	}
	h ^= h >> 16
	h *= 0x85ebca6b
	h ^= h >> 13
	h *= 0xc2b2ae35
	return h ^ h>>16
}

// item is a key as one command sees it: its record, and what is needed to write
// it back. The body belongs to the state and must not be changed.
type item struct {
	place
	kind    kind // kindNone: there is no such key
	version uint64
	expiry  flotilla.Millis // 0 for none
	body    []byte

	storedKind   kind            // what the state has: differs from kind after a change,
	storedExpiry flotilla.Millis // or if the key is expired but not deleted yet
	storedID     uint64

	expiredVersion uint64 // of a record that is expired but not deleted yet; 0 for others
}

func (it *item) exists() bool { return it.kind != kindNone }

func (p *place) appendRecordKey(dst []byte) []byte {
	dst = append(dst, byte(flotilla.SystemStore), spaceRecord)
	return p.appendKey(dst)
}

func (p *place) appendKey(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint16(dst, p.slot)
	dst = binary.BigEndian.AppendUint32(dst, p.hash)
	return append(dst, p.key...)
}

func (p *place) appendExpiryKey(dst []byte, at flotilla.Millis) []byte {
	dst = append(dst, byte(flotilla.SystemStore), spaceExpiry)
	dst = binary.BigEndian.AppendUint64(dst, uint64(at))
	return p.appendKey(dst)
}

// appendElements appends the prefix that all elements of the collection have.
func (p *place) appendElements(dst []byte) []byte {
	dst = append(dst, byte(flotilla.SystemStore), spaceElement)
	return binary.BigEndian.AppendUint64(dst, p.id)
}

// appendTag appends the prefix of the key's elements with a tag: the family puts
// the rest behind it.
func (p *place) appendTag(dst []byte, tag byte) []byte {
	return append(p.appendElements(dst), tag)
}

// prefixEnd returns the first key behind all that begin with prefix, or nil.
func prefixEnd(prefix []byte) []byte {
	end := append([]byte(nil), prefix...)
	for len(end) > 0 {
		last := len(end) - 1
		end[last]++
		if end[last] != 0 {
			return end
		}
		end = end[:last]
	}
	return nil
}

// decodeRecord fills the item from a record's value.
func (it *item) decodeRecord(value []byte) {
	flotilla.Assert(len(value) >= recordHead, "a record has %d bytes at least", recordHead)
	it.kind = kind(value[0])
	it.version = binary.BigEndian.Uint64(value[1:])
	it.expiry = flotilla.Millis(binary.BigEndian.Uint64(value[9:]))
	it.body = value[recordHead:]
	if it.kind != kindString {
		flotilla.Assert(len(it.body) >= 8, "a collection has an id")
		it.id, it.body = binary.BigEndian.Uint64(it.body), it.body[8:]
	}
	it.storedKind, it.storedExpiry, it.storedID = it.kind, it.expiry, it.id
}

// load reads the record of a key. A key that expired by the log's time is
// returned as missing.
func (c *call) load(key []byte) item {
	it := item{place: placeOf(key)}
	c.keyRoom = it.appendRecordKey(c.keyRoom[:0])
	value, ok := c.r.Get(c.keyRoom)
	if !ok {
		return it
	}
	it.decodeRecord(value)
	if it.expiry != 0 && it.expiry <= c.time {
		it.expiredVersion = it.version
		it.kind, it.version, it.expiry, it.id, it.body = kindNone, 0, 0, 0, nil
	}
	return it
}

// lookup loads a key that has to be missing or of a kind. Otherwise it answers
// WRONGTYPE and returns false.
func (c *call) lookup(key []byte, k kind) (it item, ok bool) {
	it = c.load(key)
	if it.exists() && it.kind != k {
		c.err(errWrongType)
		return it, false
	}
	return it, true
}

// save writes the item's record under the command's version. Kind, expiry, id and
// body are what the key has from now on. Where it replaces a key of another
// kind, or an expired one, become has to be called first.
func (c *call) save(it *item) { c.saveBody(it, it.body, nil) }

// saveBody is save with a body in two parts, so that nobody has to join them.
func (c *call) saveBody(it *item, body, more []byte) {
	flotilla.Assert(it.kind != kindNone, "a saved key has a kind")
	it.version = c.tx.Version()
	value := append(c.valueRoom[:0], byte(it.kind))
	value = binary.BigEndian.AppendUint64(value, it.version)
	value = binary.BigEndian.AppendUint64(value, uint64(it.expiry))
	if it.kind != kindString {
		flotilla.Assert(it.id != 0, "a saved collection has an id")
		value = binary.BigEndian.AppendUint64(value, it.id)
	}
	value = append(append(value, body...), more...)
	c.keyRoom = it.appendRecordKey(c.keyRoom[:0])
	c.tx.Set(c.keyRoom, value)
	if cap(value) <= keptRoom {
		c.valueRoom = value
	}
	if it.storedKind == kindNone {
		c.counters.keys++
		c.counters.isChanged = true
		c.notify('n', "new", it.key)
	}
	if it.storedExpiry != it.expiry {
		c.index(it)
	}
	it.storedKind, it.storedExpiry, it.storedID, it.expiredVersion = it.kind, it.expiry, it.id, 0
}

// index moves the key in the expiry index from storedExpiry to expiry.
func (c *call) index(it *item) {
	if it.storedExpiry != 0 {
		c.keyRoom = it.appendExpiryKey(c.keyRoom[:0], it.storedExpiry)
		c.tx.Delete(c.keyRoom)
	}
	if it.expiry == 0 {
		return
	}
	c.keyRoom = it.appendExpiryKey(c.keyRoom[:0], it.expiry)
	c.tx.Set(c.keyRoom, nil)
	c.tx.WakeAt(it.expiry)
	if next := c.counters.nextExpiry; next == 0 || it.expiry < next {
		c.counters.nextExpiry = it.expiry
		c.counters.isChanged = true
	}
}

// clear deletes all elements that the state has of the key, so that a new value
// may take its place. The record stays until save or remove.
func (c *call) clear(it *item) {
	if it.storedID != 0 {
		old := place{id: it.storedID}
		c.deleteElements(old.appendElements(nil))
		it.storedID = 0
	}
}

// become clears the item and makes it an empty value of a kind. The expiry stays.
func (c *call) become(it *item, k kind) {
	c.clear(it)
	it.kind, it.id, it.body = k, 0, nil
	if k != kindString {
		c.counters.lastID++
		c.counters.isChanged = true
		it.id = c.counters.lastID
	}
}

// remove deletes the key: record, elements and expiry. It tells nobody.
func (c *call) remove(it *item) {
	c.clear(it)
	c.removeRecord(it)
}

// removeRecord deletes what a key has apart from elements. A collection whose last
// element was just deleted needs no more: looking for others would mean a walk
// over all that were deleted lately, which in a list used as a queue are many.
func (c *call) removeRecord(it *item) {
	if it.storedKind != kindNone {
		c.keyRoom = it.appendRecordKey(c.keyRoom[:0])
		c.tx.Delete(c.keyRoom)
		c.noteGone(it)
		c.counters.keys--
		c.counters.isChanged = true
	}
	it.kind, it.expiry, it.id, it.body = kindNone, 0, 0, nil
	if it.storedExpiry != 0 {
		c.index(it)
	}
	it.storedKind, it.storedExpiry, it.storedID, it.expiredVersion = kindNone, 0, 0, 0
}

// deleteElements deletes all keys that begin with prefix: one by one if they are
// few, else as a range.
func (c *call) deleteElements(prefix []byte) {
	end := prefixEnd(prefix)
	var found [][]byte
	for key := range c.tx.Scan(prefix, end) {
		if len(found) == deleteOneByOne {
			c.tx.DeleteRange(prefix, end)
			return
		}
		found = append(found, append([]byte(nil), key...))
	}
	for _, key := range found {
		c.tx.Delete(key)
	}
}

// copyElements gives every element of from to the place to, in portions, as a
// scan must not go on after a write.
func (c *call) copyElements(from, to *place) {
	prefix := from.appendElements(nil)
	c.eachElement(prefix, func(rest, value []byte) {
		c.tx.Set(append(to.appendElements(nil), rest...), value)
	})
}

// eachElement calls visit for each key that begins with prefix, with what
// follows the prefix. visit may write, but not to keys with this prefix.
func (c *call) eachElement(prefix []byte, visit func(rest, value []byte)) {
	type pair struct{ key, value []byte }
	start, end := prefix, prefixEnd(prefix)
	for {
		var found []pair
		for key, value := range c.r.Scan(start, end) {
			found = append(found, pair{append([]byte(nil), key...), append([]byte(nil), value...)})
			if len(found) == moveAtOnce {
				break
			}
		}
		for _, p := range found {
			visit(p.key[len(prefix):], p.value)
		}
		if len(found) < moveAtOnce {
			return
		}
		start = append(found[len(found)-1].key, 0)
	}
}

// page visits elements in the order of the four hash bytes that follow prefix,
// from the hash in cursor on: count of them at least, and all that share the
// last one's hash. It returns the cursor of the next page, 0 when there is none.
// This makes HSCAN, SSCAN and ZSCAN stateless: what is there all the while is
// visited, whatever else comes and goes.
func (c *call) page(prefix []byte, cursor uint64, count int, visit func(hashed, value []byte)) uint64 {
	if cursor > 1<<32-1 {
		return 0
	}
	start := binary.BigEndian.AppendUint32(append([]byte(nil), prefix...), uint32(cursor))
	visited, last := 0, uint32(0)
	for key, value := range c.r.Scan(start, prefixEnd(prefix)) {
		c.spend(1)
		rest := key[len(prefix):]
		hash := binary.BigEndian.Uint32(rest)
		if visited >= count && hash != last {
			return uint64(hash)
		}
		visited, last = visited+1, hash
		visit(rest[4:], value)
	}
	return 0
}

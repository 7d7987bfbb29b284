package store

import (
	"encoding/binary"

	"flotilla"
)

// What WATCH remembers of a key that is missing. Such a key has no record whose
// version could tell that it came and went again. So the state keeps for each of
// 65,536 buckets, by the keys' hashes, a version that grows whenever one of the
// bucket's keys goes:
//
//	gone 's' 'g' bucket:2 -> version:8
//	     's' 'g'          -> version:8 of the last FLUSHALL, for buckets without one
//
// Two keys of one bucket can not be told apart: EXEC may then find a change where
// there was none, as a collision of hashes, and after a FLUSHALL. It never misses one.
// The buckets are bounded: 64 Ki of them in each group, of 12 bytes.
const spaceGone = 'g'

// isMissing marks a watched version as that of a missing key, so that it is not
// taken for the version of one that exists.
const isMissing = 1 << 62

// watchedVersion is what WATCH remembers of a key and EXEC compares. A key that
// expired, but was not deleted yet, counts as gone already: deleting it changes
// nothing, as in Redis.
func (c *call) watchedVersion(key []byte) uint64 {
	it := c.load(key)
	if it.exists() {
		return it.version
	}
	return isMissing | max(c.goneVersion(&it.place), it.expiredVersion)
}

// goneVersion is the version of a key's bucket.
func (c *call) goneVersion(p *place) uint64 {
	c.keyRoom = p.appendGoneKey(c.keyRoom[:0])
	value, ok := c.r.Get(c.keyRoom)
	if !ok {
		value, ok = c.r.Get(c.keyRoom[:2])
	}
	if !ok {
		return 0
	}
	flotilla.Assert(len(value) == 8, "a bucket of keys that went has a version")
	return binary.BigEndian.Uint64(value)
}

// noteGone tells a key's bucket that the key goes. An expired one went before: at
// the latest when the record that is deleted now was written.
func (c *call) noteGone(it *item) {
	version := c.tx.Version()
	if it.expiredVersion != 0 {
		version = max(it.expiredVersion, c.goneVersion(&it.place))
	}
	c.keyRoom = it.appendGoneKey(c.keyRoom[:0])
	c.putVersion(c.keyRoom, version)
}

// noteAllGone is noteGone for every key that there ever was.
func (c *call) noteAllGone() {
	all := []byte{byte(flotilla.SystemStore), spaceGone}
	c.tx.DeleteRange(all, prefixEnd(all))
	c.putVersion(all, c.tx.Version())
}

func (c *call) putVersion(key []byte, version uint64) {
	var room [8]byte
	c.tx.Set(key, binary.BigEndian.AppendUint64(room[:0], version))
}

// appendGoneKey appends the key of the bucket that a key belongs to.
func (p *place) appendGoneKey(dst []byte) []byte {
	dst = append(dst, byte(flotilla.SystemStore), spaceGone)
	return binary.BigEndian.AppendUint16(dst, uint16(p.hash>>16))
}

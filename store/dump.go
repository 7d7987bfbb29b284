package store

import (
	"encoding/binary"
	"hash/crc32"

	"flotilla"
)

// What DUMP answers, and RESTORE takes; not what Redis's DUMP answers:
//
//	version:1 kind:1 count (length bytes)... crc:4
//
// count and length are uvarints. The pieces are a string's value, a list's
// items, a set's members, a hash's fields and values, or a sorted set's members
// and scores in turn. crc is CRC-32C of all before it, little-endian.
const dumpVersion = 1

func dumpCRC(b []byte) uint32 { return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) }

func runDump(c *call) {
	it := c.load(c.args[1])
	if !it.exists() {
		c.null()
		return
	}
	pieces := [][]byte{it.body}
	if it.kind != kindString {
		pieces = c.flatten(&it)
	}
	payload := appendArgs([]byte{dumpVersion, byte(it.kind)}, pieces)
	c.bulk(binary.LittleEndian.AppendUint32(payload, dumpCRC(payload)))
}

// restoreOptions are those of RESTORE. IDLETIME and FREQ are read and forgotten.
type restoreOptions struct{ isReplacing, isAbsolute bool }

func (c *call) restoreArgs() (o restoreOptions, ok bool) {
	for i := 4; i < len(c.args); i++ {
		hasNext := i+1 < len(c.args)
		switch {
		case c.argIs(i, "REPLACE"):
			o.isReplacing = true
		case c.argIs(i, "ABSTTL"):
			o.isAbsolute = true
		case c.argIs(i, "IDLETIME") && hasNext, c.argIs(i, "FREQ") && hasNext:
			n, ok := c.intArg(i + 1)
			if !ok {
				return o, false
			}
			if c.argIs(i, "IDLETIME") && n < 0 {
				c.err("ERR Invalid IDLETIME value, must be >= 0")
				return o, false
			}
			if c.argIs(i, "FREQ") && (n < 0 || n > 255) {
				c.err("ERR Invalid FREQ value, must be >= 0 and <= 255")
				return o, false
			}
			i++
		default:
			c.err(errSyntax)
			return o, false
		}
	}
	return o, true
}

func runRestore(c *call) {
	o, ok := c.restoreArgs()
	if !ok {
		return
	}
	it := c.load(c.args[1])
	if it.exists() && !o.isReplacing {
		c.err("BUSYKEY Target key name already exists.")
		return
	}
	ttl, ok := c.intArg(2)
	if !ok {
		return
	}
	if ttl < 0 {
		c.err("ERR Invalid TTL value, must be >= 0")
		return
	}
	expiry := flotilla.Millis(0)
	if ttl > 0 {
		if expiry, ok = c.pointInTime(ttl, expiryUnit{isAbsolute: o.isAbsolute}); !ok {
			c.err("ERR Invalid TTL value, must be >= 0")
			return
		}
	}
	k, pieces, problem := parseDump(c.args[3])
	if problem != "" {
		c.err(problem)
		return
	}
	c.spend(int64(len(pieces)))
	c.restore(&it, k, pieces, expiry)
}

// restore puts the pieces in the place of whatever the key was.
func (c *call) restore(it *item, k kind, pieces [][]byte, expiry flotilla.Millis) {
	if expiry != 0 && expiry <= c.time {
		if it.exists() {
			c.remove(it)
			c.notify('g', "del", it.key)
		}
		c.ok()
		return
	}
	c.become(it, k)
	it.expiry = expiry
	c.fill(it, pieces)
	c.notify('g', "restore", it.key)
	c.ok()
}

// parseDump checks a payload and takes it apart, or says what is wrong with it.
func parseDump(payload []byte) (k kind, pieces [][]byte, problem string) {
	size := len(payload) - 4
	if size < 3 || payload[0] != dumpVersion || dumpCRC(payload[:size]) != binary.LittleEndian.Uint32(payload[size:]) {
		return 0, nil, "ERR DUMP payload version or checksum are wrong"
	}
	d := decoder{rest: payload[1:size]}
	k = kind(d.byte())
	pieces = d.args(nil, d.count())
	isKind := k == kindString || k == kindList || k == kindSet || k == kindHash || k == kindZset
	if d.bad || len(d.rest) > 0 || !isKind || !fillable(k, pieces) {
		return 0, nil, "ERR Bad data format"
	}
	return k, pieces, ""
}

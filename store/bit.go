package store

import (
	"math/bits"
)

// bitCommands returns the family's part of the table.
func bitCommands() []*Command { return bitTable }

// Bits are numbered from the most significant one of the first byte.

// maxReadBits bounds the bits that can be asked for: as in Redis, where strings may be
// larger than here. What is not there is 0.
const maxReadBits = 1 << 32

// bitOffset reads argument i as the number of a bit below a limit; in BITFIELD "#n"
// counts in fields of the given width. It answers what is wrong.
func (c *call) bitOffset(i int, width, limit int64) (offset int64, ok bool) {
	arg, scale := c.args[i], int64(1)
	if width > 0 && len(arg) > 0 && arg[0] == '#' {
		arg, scale = arg[1:], width
	}
	offset, ok = parseInt(arg)
	if !ok || offset < 0 || offset >= limit/scale {
		c.err("ERR bit offset is not an integer or out of range")
		return 0, false
	}
	return offset * scale, true
}

func bitAt(b []byte, offset int64) byte {
	if offset>>3 >= int64(len(b)) {
		return 0
	}
	return b[offset>>3] >> (7 - offset&7) & 1
}

func runSetbit(c *call) {
	offset, ok := c.bitOffset(2, 0, MaxStringBytes*8)
	if !ok {
		return
	}
	bit, ok := parseInt(c.args[3])
	if !ok || bit&^1 != 0 {
		c.err("ERR bit is not an integer or out of range")
		return
	}
	it, ok := c.lookup(c.args[1], kindString)
	if !ok {
		return
	}
	old := bitAt(it.body, offset)
	if int64(old) != bit || offset>>3 >= int64(len(it.body)) {
		body := c.growBody(&it, int(offset>>3)+1)
		mask := byte(1) << (7 - offset&7)
		body[offset>>3] = body[offset>>3]&^mask | byte(bit)<<(7-offset&7)
		c.putString(&it, body, "setbit")
	}
	c.int(int64(old))
}

func runGetbit(c *call) {
	offset, ok := c.bitOffset(2, 0, maxReadBits)
	if !ok {
		return
	}
	if it, ok := c.lookup(c.args[1], kindString); ok {
		c.int(int64(bitAt(it.body, offset)))
	}
}

// bitRange is the "start end [BYTE | BIT]" of BITCOUNT and BITPOS.
type bitRange struct {
	start, end int64
	hasEnd     bool
	isBits     bool
}

// bitRangeAt reads a range from argument at on, or answers what is wrong.
func (c *call) bitRangeAt(at int) (r bitRange, ok bool) {
	r.end = -1
	if len(c.args) > at {
		if r.start, ok = c.intArg(at); !ok {
			return r, false
		}
	}
	if len(c.args) > at+1 {
		r.hasEnd = true
		if r.end, ok = c.intArg(at + 1); !ok {
			return r, false
		}
	}
	if len(c.args) > at+2 {
		if r.isBits = c.argIs(at+2, "BIT"); !r.isBits && !c.argIs(at+2, "BYTE") {
			c.err(errSyntax)
			return r, false
		}
	}
	return r, true
}

// within returns the range of bits, half open, in a string of size bytes. cut is
// byteRange or clampRange.
func (r bitRange) within(size int, cut func(start, end, size int64) (from, to int64)) (from, to int64) {
	if r.isBits {
		return cut(r.start, r.end, int64(size)*8)
	}
	from, to = cut(r.start, r.end, int64(size))
	return from * 8, to * 8
}

func runBitcount(c *call) {
	if len(c.args) == 3 || len(c.args) > 5 {
		c.err(errSyntax)
		return
	}
	r, ok := c.bitRangeAt(2)
	if !ok {
		return
	}
	it, ok := c.lookup(c.args[1], kindString)
	if !ok {
		return
	}
	from, to := r.within(len(it.body), byteRange)
	c.int(countBits(it.body, from, to))
}

func countBits(b []byte, from, to int64) (n int64) {
	for ; from < to && from&7 != 0; from++ {
		n += int64(bitAt(b, from))
	}
	for ; from+8 <= to; from += 8 {
		n += int64(bits.OnesCount8(b[from>>3]))
	}
	for ; from < to; from++ {
		n += int64(bitAt(b, from))
	}
	return n
}

func runBitpos(c *call) {
	bit, ok := c.intArg(2)
	if !ok {
		return
	}
	if bit != 0 && bit != 1 {
		c.err("ERR The bit argument must be 1 or 0.")
		return
	}
	if len(c.args) > 6 {
		c.err(errSyntax)
		return
	}
	r, ok := c.bitRangeAt(3)
	if !ok {
		return
	}
	it, ok := c.lookup(c.args[1], kindString)
	switch {
	case !ok:
		return
	case !it.exists():
		c.int(-bit)
		return
	}
	from, to := r.within(len(it.body), clampRange)
	pos := findBit(it.body, byte(bit), from, to)
	if pos < 0 && bit == 0 && !r.hasEnd && from < to {
		pos = to // behind a string without an end stand zeros
	}
	c.int(pos)
}

// findBit returns the first bit of a value in a range, or -1.
func findBit(b []byte, bit byte, from, to int64) int64 {
	skip := -bit ^ 0xff // a byte without such a bit
	for from < to {
		if from&7 == 0 && b[from>>3] == skip {
			from += 8
			continue
		}
		if bitAt(b, from) == bit {
			return from
		}
		from++
	}
	return -1
}

func runBitop(c *call) {
	var combine func(a, b byte) byte
	switch {
	case c.argIs(1, "AND"):
		combine = func(a, b byte) byte { return a & b }
	case c.argIs(1, "OR"):
		combine = func(a, b byte) byte { return a | b }
	case c.argIs(1, "XOR"):
		combine = func(a, b byte) byte { return a ^ b }
	case !c.argIs(1, "NOT"):
		c.err(errSyntax)
		return
	case len(c.args) != 4:
		c.err("ERR BITOP NOT must be called with a single source key.")
		return
	}
	var sources [][]byte
	size := 0
	for _, key := range c.args[3:] {
		it, ok := c.lookup(key, kindString)
		if !ok {
			return
		}
		sources = append(sources, it.body)
		size = max(size, len(it.body))
	}
	c.putBits(c.args[2], combineBits(combine, sources, size))
}

// combineBits works as if all sources were as long as the longest, with zeros.
// A nil combine inverts the only source.
func combineBits(combine func(a, b byte) byte, sources [][]byte, size int) []byte {
	out := make([]byte, size)
	copy(out, sources[0])
	if combine == nil {
		for i := range out {
			out[i] = ^out[i]
		}
		return out
	}
	for _, source := range sources[1:] {
		for i := range out {
			b := byte(0)
			if i < len(source) {
				b = source[i]
			}
			out[i] = combine(out[i], b)
		}
	}
	return out
}

// putBits stores BITOP's result; an empty one deletes the key.
func (c *call) putBits(key, value []byte) {
	it := c.load(key)
	switch {
	case len(value) > 0:
		c.setNotified(&it, value, 0, false)
	case it.exists():
		c.remove(&it)
		c.notify('g', "del", key)
	}
	c.int(int64(len(value)))
}

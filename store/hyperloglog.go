package store

import (
	"encoding/binary"
	"math"
	"math/bits"
)

// A HyperLogLog is a string in Redis's own format, so that one read from a Redis
// can be SET here and the other way round:
//
//	"HYLL" encoding:1 0 0 0 cardinality:8 registers
//
// 16384 registers hold, for the elements whose hash ends in the register's
// number, the longest run of zero bits seen, plus one: the longer, the more
// different elements there were. The error is 0.81 %. Encoding 0 is dense: six
// bits a register, the lowest bits first. Encoding 1 is sparse, a list of runs:
//
//	00nnnnnn            n+1 registers are 0
//	01nnnnnn nnnnnnnn   n+1 registers are 0
//	1vvvvvnn            n+1 registers are v+1
//
// The cached cardinality is never used here; its top bit says that it is stale.
// (P. Flajolet et al., "HyperLogLog", 2007; the estimator is O. Ertl's of 2017.)
const (
	hllBits       = 14
	hllRegisters  = 1 << hllBits
	hllHead       = 16
	hllDenseSize  = hllHead + hllRegisters*6/8
	hllMaxSparse  = 3000 // bytes, hll-sparse-max-bytes
	hllMaxRun     = 64 - hllBits + 1
	hllSparseTop  = 32 // the highest value that the sparse encoding can hold
	hllDense      = 0
	hllSparse     = 1
	hllWrongType  = "WRONGTYPE Key is not a valid HyperLogLog string value."
	hllCorrupted  = "INVALIDOBJ Corrupted HLL object detected"
	hllStaleCache = 0x80
)

// hyperLogLogCommands returns the family's part of the table.
func hyperLogLogCommands() []*Command { return hyperLogLogTable }

// registers are the unpacked registers of a HyperLogLog.
type registers [hllRegisters]byte

func runPfadd(c *call) {
	it, ok := c.lookup(c.args[1], kindString)
	if !ok {
		return
	}
	if isDenseHLL(it.body) {
		c.addDense(&it)
		return
	}
	var r registers
	if _, ok := c.unpack(&it, &r); !ok {
		return
	}
	isChanged := !it.exists()
	for _, element := range c.args[2:] {
		index, run := hllPosition(element)
		if run > r[index] {
			r[index], isChanged = run, true
		}
	}
	if isChanged {
		c.putString(&it, r.pack(false), "pfadd")
	}
	c.bool01(isChanged)
}

func isDenseHLL(b []byte) bool {
	return len(b) == hllDenseSize && string(b[:4]) == "HYLL" && b[4] == hllDense
}

// addDense is PFADD to a dense sketch, whose registers are changed in place.
func (c *call) addDense(it *item) {
	var body []byte // a copy, once something changes
	for _, element := range c.args[2:] {
		index, run := hllPosition(element)
		at, shift := hllHead+index*6/8, index*6%8
		now := it.body
		if body != nil {
			now = body
		}
		two := uint16(now[at])
		if at+1 < len(now) {
			two |= uint16(now[at+1]) << 8
		}
		if run <= byte(two>>shift&63) {
			continue
		}
		if body == nil {
			body = c.growBody(it, 0)
			body[hllHead-1] |= hllStaleCache
		}
		two = two&^(63<<shift) | uint16(run)<<shift
		body[at] = byte(two)
		if at+1 < len(body) {
			body[at+1] = byte(two >> 8)
		}
	}
	if body != nil {
		c.putString(it, body, "pfadd")
	}
	c.bool01(body != nil)
}

func runPfcount(c *call) {
	var union registers
	if c.mergeInto(&union, c.args[1:], nil) {
		c.int(union.estimate())
	}
}

func runPfmerge(c *call) {
	var union registers
	isDense := false
	if !c.mergeInto(&union, c.args[1:], &isDense) {
		return
	}
	it := c.load(c.args[1])
	c.putString(&it, union.pack(isDense), "pfadd")
	c.ok()
}

// mergeInto takes the maximum of each register over keys, or answers what is
// wrong with one. isDense, if wanted, becomes true if any of them is dense.
func (c *call) mergeInto(union *registers, keys [][]byte, isDense *bool) bool {
	for _, key := range keys {
		it, ok := c.lookup(key, kindString)
		if !ok {
			return false
		}
		var r registers
		dense, ok := c.unpack(&it, &r)
		if !ok {
			return false
		}
		if isDense != nil && dense {
			*isDense = true
		}
		for i, run := range r {
			union[i] = max(union[i], run)
		}
	}
	return true
}

// unpack reads a string's registers, or answers what is wrong with it. A missing
// key has none.
func (c *call) unpack(it *item, r *registers) (isDense, ok bool) {
	b := it.body
	if !it.exists() {
		return false, true
	}
	if len(b) < hllHead || string(b[:4]) != "HYLL" || b[4] > hllSparse ||
		b[4] == hllDense && len(b) != hllDenseSize {
		c.err(hllWrongType)
		return false, false
	}
	if b[4] == hllDense {
		r.unpackDense(b[hllHead:])
		return true, true
	}
	if !r.unpackSparse(b[hllHead:]) {
		c.err(hllCorrupted)
		return false, false
	}
	return false, true
}

func (r *registers) unpackDense(b []byte) {
	for i := 0; i < hllRegisters; i += 4 { // four registers in three bytes
		at := i / 4 * 3
		three := uint32(b[at]) | uint32(b[at+1])<<8 | uint32(b[at+2])<<16
		for j := range 4 {
			r[i+j] = byte(three >> (6 * j) & 63)
		}
	}
}

// unpackSparse returns false if b does not say exactly what all registers are.
func (r *registers) unpackSparse(b []byte) bool {
	at := 0
	for i := 0; i < len(b); i++ {
		value, n := byte(0), int(b[i]&0x3f)+1
		switch {
		case b[i]&0x80 != 0:
			value, n = b[i]>>2&31+1, int(b[i]&3)+1
		case b[i]&0x40 != 0:
			if i+1 == len(b) {
				return false
			}
			i++
			n = int(b[i-1]&0x3f)<<8 + int(b[i]) + 1
		}
		if at+n > hllRegisters {
			return false
		}
		for range n {
			r[at] = value
			at++
		}
	}
	return at == hllRegisters
}

// pack writes the sparse encoding as long as it can hold the registers, is short
// enough, and the sketch was not dense before.
func (r *registers) pack(wasDense bool) []byte {
	head := append(make([]byte, 0, hllHead+64), "HYLL"...)
	head = append(head, hllSparse, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, hllStaleCache)
	if !wasDense {
		if b, ok := r.appendSparse(head); ok {
			return b
		}
	}
	head[4] = hllDense
	b := append(head, make([]byte, hllDenseSize-hllHead)...)
	for i := 0; i < hllRegisters; i += 4 {
		three := uint32(r[i]) | uint32(r[i+1])<<6 | uint32(r[i+2])<<12 | uint32(r[i+3])<<18
		at := hllHead + i/4*3
		b[at], b[at+1], b[at+2] = byte(three), byte(three>>8), byte(three>>16)
	}
	return b
}

func (r *registers) appendSparse(b []byte) (out []byte, ok bool) {
	for i := 0; i < hllRegisters; {
		end := i + 1
		for end < hllRegisters && r[end] == r[i] {
			end++
		}
		n := end - i
		switch {
		case r[i] > hllSparseTop:
			return nil, false
		case r[i] > 0:
			n = min(n, 4)
			b = append(b, 0x80|(r[i]-1)<<2|byte(n-1))
		case n > 64:
			b = append(b, 0x40|byte((n-1)>>8), byte(n-1))
		default:
			b = append(b, byte(n-1))
		}
		if len(b) > hllHead+hllMaxSparse {
			return nil, false
		}
		i += n
	}
	return b, true
}

// hllPosition returns an element's register and run.
func hllPosition(element []byte) (index int, run byte) {
	h := murmur64A(element, 0xadc83b19)
	index = int(h & (hllRegisters - 1))
	h = h>>hllBits | 1<<(64-hllBits)
	return index, byte(bits.TrailingZeros64(h) + 1)
}

// estimate is Ertl's improved raw estimator: no bias to correct, no tables.
func (r *registers) estimate() int64 {
	var histogram [64]int
	for _, run := range r {
		histogram[run&63]++
	}
	const m = float64(hllRegisters)
	z := m * hllTau((m-float64(histogram[hllMaxRun]))/m)
	for run := hllMaxRun - 1; run >= 1; run-- {
		z = (z + float64(histogram[run])) * 0.5
	}
	z += m * hllSigma(float64(histogram[0])/m)
	const alpha = 0.721347520444481703680 // 1 / (2 ln 2)
	return int64(math.Round(alpha * m * m / z))
}

func hllSigma(x float64) float64 {
	if x == 1 {
		return math.Inf(1)
	}
	y, z := 1.0, x
	for {
		x = float64(x * x)
		before := z
		z += float64(x * y)
		y += y
		if z == before {
			return z
		}
	}
}

func hllTau(x float64) float64 {
	if x == 0 || x == 1 {
		return 0
	}
	y, z := 1.0, 1-x
	for {
		x = math.Sqrt(x)
		before := z
		y *= 0.5
		z -= float64((1 - x) * (1 - x) * y)
		if z == before {
			return z / 3
		}
	}
}

// murmur64A is MurmurHash64A by A. Appleby, little-endian on every machine.
func murmur64A(b []byte, seed uint64) uint64 {
	const m, shift = 0xc6a4a7935bd1e995, 47
	h := seed ^ uint64(len(b))*m
	for ; len(b) >= 8; b = b[8:] {
		k := binary.LittleEndian.Uint64(b) * m
		k = (k ^ k>>shift) * m
		h = (h ^ k) * m
	}
	if len(b) > 0 {
		var tail [8]byte
		copy(tail[:], b)
		h = (h ^ binary.LittleEndian.Uint64(tail[:])) * m
	}
	h = (h ^ h>>shift) * m
	return h ^ h>>shift
}

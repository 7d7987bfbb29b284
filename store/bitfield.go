package store

import "math"

// bitfieldOp is one GET, SET or INCRBY of a BITFIELD.
type bitfieldOp struct {
	verb     byte // 'g', 's' or 'i'
	isSigned bool
	width    int64 // in bits: 1 to 64, or to 63 if unsigned
	offset   int64 // of the first bit
	value    int64
	overflow byte // 'w' wrap, 's' saturate, 'f' fail
}

func runBitfield(c *call)   { c.bitfield(false) }
func runBitfieldRo(c *call) { c.bitfield(true) }

func (c *call) bitfield(onlyGet bool) {
	ops, size, ok := c.bitfieldArgs()
	if !ok {
		return
	}
	if onlyGet && size > 0 {
		c.err("ERR BITFIELD_RO only supports the GET subcommand")
		return
	}
	it, ok := c.lookup(c.args[1], kindString)
	if !ok {
		return
	}
	body, isChanged := it.body, int64(len(it.body)) < size
	if size > 0 {
		body = c.growBody(&it, int(size))
	}
	c.array(len(ops))
	for i := range ops {
		if ops[i].apply(c, body) {
			isChanged = true
		}
	}
	if isChanged {
		c.putString(&it, body, "setbit")
	}
}

// bitfieldArgs reads the operations, and how many bytes they need to write to.
func (c *call) bitfieldArgs() (ops []bitfieldOp, size int64, ok bool) {
	overflow := byte('w')
	for i := 2; i < len(c.args); i++ {
		left := len(c.args) - i - 1
		op := bitfieldOp{overflow: overflow}
		switch {
		case c.argIs(i, "GET") && left >= 2:
			op.verb = 'g'
		case c.argIs(i, "SET") && left >= 3:
			op.verb = 's'
		case c.argIs(i, "INCRBY") && left >= 3:
			op.verb = 'i'
		case c.argIs(i, "OVERFLOW") && left >= 1:
			i++
			if overflow, ok = c.overflowArg(i); !ok {
				return nil, 0, false
			}
			continue
		default:
			c.err(errSyntax)
			return nil, 0, false
		}
		if !c.bitfieldTypeArg(i+1, &op) {
			return nil, 0, false
		}
		limit := int64(MaxStringBytes * 8)
		if op.verb == 'g' {
			limit = maxReadBits
		}
		if op.offset, ok = c.bitOffset(i+2, op.width, limit); !ok {
			return nil, 0, false
		}
		i += 2
		if op.verb != 'g' {
			i++
			size = max(size, (op.offset+op.width+7)/8)
			if op.value, ok = c.intArg(i); !ok {
				return nil, 0, false
			}
		}
		ops = append(ops, op)
	}
	return ops, size, true
}

func (c *call) overflowArg(i int) (overflow byte, ok bool) {
	switch {
	case c.argIs(i, "WRAP"):
		return 'w', true
	case c.argIs(i, "SAT"):
		return 's', true
	case c.argIs(i, "FAIL"):
		return 'f', true
	}
	c.err("ERR Invalid OVERFLOW type specified")
	return 0, false
}

// bitfieldTypeArg reads a type such as i16 or u8.
func (c *call) bitfieldTypeArg(i int, op *bitfieldOp) bool {
	arg := c.args[i]
	if len(arg) > 1 && (arg[0] == 'i' || arg[0] == 'u') {
		op.isSigned = arg[0] == 'i'
		width, ok := parseInt(arg[1:])
		if ok && width >= 1 && (width <= 63 || width == 64 && op.isSigned) {
			op.width = width
			return true
		}
	}
	c.err("ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.")
	return false
}

// apply carries the operation out on body, answers, and says whether it wrote.
func (op *bitfieldOp) apply(c *call, body []byte) bool {
	old := readBits(body, op.offset, op.width)
	if op.isSigned {
		old = signed(old, op.width)
	}
	if op.verb == 'g' {
		c.int(old)
		return false
	}
	base, delta := op.value, int64(0)
	if op.verb == 'i' {
		base, delta = old, op.value
	}
	sum, isOver := op.fit(base, delta)
	if isOver && op.overflow == 'f' {
		c.null()
		return false
	}
	writeBits(body, op.offset, op.width, uint64(sum))
	if op.verb == 's' {
		c.int(old)
	} else {
		c.int(sum)
	}
	return true
}

// fit returns base + delta as the field can hold it, and whether it could not.
func (op *bitfieldOp) fit(base, delta int64) (sum int64, isOver bool) {
	low, high := int64(0), int64(math.MaxInt64)
	if op.isSigned {
		high = int64(1)<<(op.width-1) - 1
		low = -high - 1
	} else if op.width < 63 {
		high = int64(1)<<op.width - 1
	}
	isAbove := base > high || delta > 0 && base > high-delta
	isBelow := base < low || delta < 0 && base <= low-(delta+1) // base < low-delta, for the least delta too
	// A negative value is a huge unsigned one. To Redis, a value so low that its
	// distance to high overflows is above a signed field, too: so it is here.
	if base < 0 && (!op.isSigned || op.width < 64 && high-base < 0) {
		isAbove, isBelow = true, false
	}
	sum = base + delta
	switch {
	case !isAbove && !isBelow:
		return sum, false
	case op.overflow == 's' && isAbove:
		return high, true
	case op.overflow == 's':
		return low, true
	}
	sum &= int64(1)<<op.width - 1 // all ones for a width of 64
	if op.isSigned {
		sum = signed(sum, op.width)
	}
	return sum, true
}

// signed extends the sign of a number of width bits.
func signed(n, width int64) int64 {
	shift := 64 - width
	return n << shift >> shift
}

// readBits reads width bits; behind the string's end they are 0.
func readBits(b []byte, offset, width int64) (n int64) {
	for i := range width {
		n = n<<1 | int64(bitAt(b, offset+i))
	}
	return n
}

func writeBits(b []byte, offset, width int64, n uint64) {
	for i := range width {
		at := offset + i
		bit := byte(n >> (width - 1 - i) & 1)
		b[at>>3] = b[at>>3]&^(1<<(7-at&7)) | bit<<(7-at&7)
	}
}

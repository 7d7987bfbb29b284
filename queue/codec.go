package queue

import (
	"encoding/binary"

	"flotilla"
)

// coder writes a value's fields one after another, or reads them: each type says
// once, in its method fields, what it consists of. Numbers are uvarints, signed ones
// zigzag, texts and lists begin with their length. The first error sticks: bad
// becomes true and all that follows is empty.
type coder struct {
	out       []byte // written so far
	rest      []byte // not read yet
	isReading bool
	bad       bool
}

func (c *coder) fail() {
	c.bad, c.rest = true, nil
}

func (c *coder) num(n *uint64) {
	if !c.isReading {
		c.out = binary.AppendUvarint(c.out, *n)
		return
	}
	value, size := binary.Uvarint(c.rest)
	if size <= 0 {
		c.fail()
		*n = 0
		return
	}
	*n, c.rest = value, c.rest[size:]
}

func (c *coder) int(n *int64) {
	zigzag := uint64(*n<<1) ^ uint64(*n>>63)
	c.num(&zigzag)
	*n = int64(zigzag>>1) ^ -int64(zigzag&1)
}

func (c *coder) millis(at *flotilla.Millis) { c.int((*int64)(at)) }

func (c *coder) bool(b *bool) {
	var n uint64
	if *b {
		n = 1
	}
	c.num(&n)
	*b = n == 1
	if n > 1 {
		c.fail()
	}
}

// bytes reads without copying: what is read shares memory with the input.
func (c *coder) bytes(b *[]byte) {
	n := uint64(len(*b))
	c.num(&n)
	if !c.isReading {
		c.out = append(c.out, *b...)
		return
	}
	*b = c.take(n)
}

func (c *coder) text(s *string) {
	n := uint64(len(*s))
	c.num(&n)
	if !c.isReading {
		c.out = append(c.out, *s...)
		return
	}
	*s = string(c.take(n))
}

// tail codes what comes last and is mostly not there at all.
func (c *coder) tail(isThere bool, fields func()) {
	if !c.isReading && isThere || c.isReading && len(c.rest) > 0 {
		fields()
	}
}

func (c *coder) take(n uint64) []byte {
	if n > uint64(len(c.rest)) {
		c.fail()
		return nil
	}
	b := c.rest[:n:n]
	c.rest = c.rest[n:]
	return b
}

// list codes a slice. Every item takes a byte at least, so that a lie about the
// number can not make anyone allocate.
func list[T any](c *coder, items *[]T, each func(*T)) {
	n := uint64(len(*items))
	c.num(&n)
	if c.isReading {
		*items = nil
		if n > uint64(len(c.rest)) {
			c.fail()
			return
		}
		if n > 0 {
			*items = make([]T, 0, min(n, 64))
		}
		for range n {
			var none T
			*items = append(*items, none)
			each(&(*items)[len(*items)-1])
			if c.bad {
				*items = nil
				return
			}
		}
		return
	}
	for i := range *items {
		each(&(*items)[i])
	}
}

// coded is what has fields.
type coded interface{ fields(c *coder) }

func encode(dst []byte, value coded) []byte { return new(coder).encode(dst, value) }

// decode fills value from all of b, and reports whether b was well formed.
func decode(b []byte, value coded) bool { return new(coder).decode(b, value) }

// encode is encode with a coder that is there already: a message takes some twenty, and each
// would be an allocation.
func (c *coder) encode(dst []byte, value coded) []byte {
	*c = coder{out: dst}
	value.fields(c)
	return c.out
}

func (c *coder) decode(b []byte, value coded) bool {
	*c = coder{rest: b, isReading: true}
	value.fields(c)
	return !c.bad && len(c.rest) == 0
}

// mustDecode is decode for what the machine itself wrote.
func mustDecode(b []byte, value coded) { new(coder).mustDecode(b, value) }

func (c *coder) mustDecode(b []byte, value coded) {
	flotilla.Assert(c.decode(b, value), "a record of the state can be decoded")
}

// Encode appends a command in the form that the machine reads: 'q', the
// operation's letter, the fields.
func Encode(dst []byte, command Command) []byte {
	return encode(append(dst, byte(flotilla.SystemQueue), command.op()), command)
}

// appendReply appends a reply: 0 and its fields, or 1 and the error's.
func (c *coder) appendReply(dst []byte, reply coded, err *Error) []byte {
	if err != nil {
		return c.encode(append(dst, 1), err)
	}
	return c.encode(append(dst, 0), reply)
}

// DecodeReply fills reply, which must be of the type that the command names. An
// answer that the machine gave is a *Error. What is filled in shares memory with b.
func DecodeReply(b []byte, reply Reply) error {
	if len(b) > 0 && b[0] == 1 {
		failure := &Error{}
		if decode(b[1:], failure) {
			return failure
		}
	}
	if len(b) == 0 || b[0] != 0 || !decode(b[1:], reply) {
		return &Error{Code: CodeInternal, Message: "the reply can not be decoded"}
	}
	return nil
}

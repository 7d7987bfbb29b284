package store

import (
	"bytes"
	"math"
	"slices"
	"strconv"
)

// replies builds what a command answers: RESP3 with two private notations, so
// that a door can write RESP2 or RESP3 from the same bytes.
//
//	^N\r\n  N pairs (2N items follow): an array of two-element arrays in RESP3,
//	        one flat array of 2N in RESP2 (ZRANGE WITHSCORES)
//	!_\r\n  a null that is a null array in RESP2 (BLPOP's timeout)
//
// A command that fails must do so before it wrote anything else.
type replies struct {
	out []byte
	// isTooLarge is set once the reply would exceed MaxReplyBytes, or the memory for it
	// is refused: what is in out is then of no use, and do answers with an error.
	isTooLarge bool
	isRefused  bool
	charge     func(bytes int) bool // asked for memory; nil: there is as much as wanted
	room       int                  // what out may have before grow is asked
	charged    int
}

// freeRoom is what a reply may have without asking for memory.
const freeRoom = 16 << 10

// grow makes room for a reply of size bytes, or finds that there is none. Memory is taken
// in one piece for what is known, and doubled for what is not.
func (r *replies) grow(size int) bool {
	switch {
	case size > MaxReplyBytes:
		r.isTooLarge = true
		return false
	case r.charge == nil:
		r.room = MaxReplyBytes
		return true
	case size <= freeRoom:
		r.room = freeRoom
		return true
	}
	room := max(size, min(2*r.room, MaxReplyBytes))
	if !r.charge(room - r.charged) {
		r.isTooLarge, r.isRefused = true, true
		return false
	}
	r.room, r.charged = room, room
	r.out = slices.Grow(r.out, room-len(r.out))
	return true
}

func (r *replies) status(text string) {
	r.out = append(append(append(r.out, '+'), text...), '\r', '\n')
}

func (r *replies) ok() { r.out = append(r.out, "+OK\r\n"...) }

// err answers with an error; text begins with its code, such as "ERR ". Line
// breaks become spaces, as the text may quote an argument.
func (r *replies) err(text string) {
	start := len(r.out)
	r.out = append(append(r.out, '-'), text...)
	for i, b := range r.out[start:] {
		if b == '\r' || b == '\n' {
			r.out[start+i] = ' '
		}
	}
	r.out = append(r.out, '\r', '\n')
}

func (r *replies) int(n int64) { r.head(':', n) }

// bool01 answers 1 or 0, as most commands say yes or no.
func (r *replies) bool01(yes bool) {
	if yes {
		r.out = append(r.out, ":1\r\n"...)
		return
	}
	r.out = append(r.out, ":0\r\n"...)
}

func (r *replies) bulk(b []byte) {
	if size := len(r.out) + len(b) + 24; size > r.room && !r.grow(size) {
		return
	}
	r.out = slices.Grow(r.out, len(b)+24)
	r.head('$', int64(len(b)))
	r.out = append(append(r.out, b...), '\r', '\n')
}

func (r *replies) bulkString(s string) {
	r.head('$', int64(len(s)))
	r.out = append(append(r.out, s...), '\r', '\n')
}

func (r *replies) bulkInt(n int64) {
	var room [20]byte
	r.bulk(strconv.AppendInt(room[:0], n, 10))
}

func (r *replies) null()           { r.out = append(r.out, "_\r\n"...) }
func (r *replies) nullArray()      { r.out = append(r.out, "!_\r\n"...) }
func (r *replies) array(n int)     { r.head('*', int64(n)) }
func (r *replies) set(n int)       { r.head('~', int64(n)) }
func (r *replies) mapHeader(n int) { r.head('%', int64(n)) }
func (r *replies) pairs(n int)     { r.head('^', int64(n)) }

func (r *replies) double(f float64) {
	r.out = append(appendDouble(append(r.out, ','), f), '\r', '\n')
}

func (r *replies) head(kind byte, n int64) {
	r.out = append(r.out, kind)
	if 0 <= n && n < 10 {
		r.out = append(r.out, '0'+byte(n), '\r', '\n')
		return
	}
	r.out = append(strconv.AppendInt(r.out, n, 10), '\r', '\n')
}

// mark remembers where a header belongs whose number is not known yet.
func (r *replies) mark() int { return len(r.out) }

// wrap puts a header of the given kind ('*', '~', '%', '^') before all that was
// written since mark.
func (r *replies) wrap(mark int, kind byte, n int) {
	var room [24]byte
	head := append(strconv.AppendInt(append(room[:0], kind), int64(n), 10), '\r', '\n')
	r.out = slices.Insert(r.out, mark, head...)
}

// appendDouble formats as Redis 7.2's d2string: integers plainly, all else with
// the fewest digits that read back as the same number.
func appendDouble(dst []byte, f float64) []byte {
	switch {
	case math.IsNaN(f):
		return append(dst, "nan"...)
	case math.IsInf(f, 1):
		return append(dst, "inf"...)
	case math.IsInf(f, -1):
		return append(dst, "-inf"...)
	case f == 0:
		if math.Signbit(f) {
			return append(dst, "-0"...)
		}
		return append(dst, '0')
	case math.Abs(f) <= math.MaxInt64/2 && f == math.Trunc(f):
		return strconv.AppendInt(dst, int64(f), 10)
	}
	return appendShortest(dst, f)
}

// appendShortest lays out the shortest digits the way fpconv_dtoa does.
func appendShortest(dst []byte, f float64) []byte {
	if f < 0 {
		dst, f = append(dst, '-'), -f
	}
	var room [32]byte
	e := strconv.AppendFloat(room[:0], f, 'e', -1, 64) // d.ddde±xx
	at := bytes.IndexByte(e, 'e')
	exponent, _ := strconv.Atoi(string(e[at+1:]))
	digits := append(e[:1:1], e[min(2, at):at]...)
	n := len(digits)
	k := exponent - n + 1 // value = digits * 10^k
	distance := max(exponent, -exponent)
	switch {
	case k >= 0 && distance < n+7:
		dst = append(dst, digits...)
		return append(dst, bytes.Repeat([]byte{'0'}, k)...)
	case k < 0 && (k > -7 || distance < 4):
		point := n + k
		if point <= 0 {
			dst = append(dst, "0."...)
			dst = append(dst, bytes.Repeat([]byte{'0'}, -point)...)
			return append(dst, digits...)
		}
		dst = append(append(dst, digits[:point]...), '.')
		return append(dst, digits[point:]...)
	}
	dst = append(dst, digits[0])
	if n > 1 {
		dst = append(append(dst, '.'), digits[1:]...)
	}
	dst = append(dst, 'e')
	if exponent < 0 {
		dst = append(dst, '-')
	} else {
		dst = append(dst, '+')
	}
	return strconv.AppendInt(dst, int64(distance), 10)
}

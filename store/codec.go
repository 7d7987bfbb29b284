package store

import (
	"encoding/binary"

	"flotilla"
)

// A command in the log:
//
//	's' count (length bytes)...                            one command, count >= 1
//	's' 0 'x' watches (length key version)... commands     a MULTI body
//	          (count (length bytes)...)...
//	's' 0 'w' keys (length key)...                         WATCH, a read
//	's' 0 'r' seed count (length bytes)...                 one read with a seed for its
//	                                                       random choices
//
// count, length, watches, commands, keys, version and seed are uvarints.
const (
	opExec   = 'x'
	opWatch  = 'w'
	opSeeded = 'r'
)

// Watch is a key and the version that it had when it was watched, as the reply to
// EncodeWatch said: a missing key has one, too.
type Watch struct {
	Key     []byte
	Version uint64
}

// Encode appends a command in the form the machine reads. args[0] is its name.
func Encode(dst []byte, args [][]byte) []byte {
	return appendArgs(append(dst, byte(flotilla.SystemStore)), args)
}

// EncodeSeeded is Encode for a command with the flag Random that is sent as a
// read: without a seed, two of them within a millisecond would choose the same.
func EncodeSeeded(dst []byte, seed uint64, args [][]byte) []byte {
	dst = append(dst, byte(flotilla.SystemStore), 0, opSeeded)
	return appendArgs(binary.AppendUvarint(dst, seed), args)
}

// EncodeExec appends a MULTI body as one command. The reply is an array with the
// reply of each command, or a null array if a watched key has another version.
func EncodeExec(dst []byte, watches []Watch, commands [][][]byte) []byte {
	dst = append(dst, byte(flotilla.SystemStore), 0, opExec)
	dst = binary.AppendUvarint(dst, uint64(len(watches)))
	for _, w := range watches {
		dst = appendBytes(dst, w.Key)
		dst = binary.AppendUvarint(dst, w.Version)
	}
	dst = binary.AppendUvarint(dst, uint64(len(commands)))
	for _, args := range commands {
		dst = appendArgs(dst, args)
	}
	return dst
}

// EncodeWatch appends a read that replies with the versions of keys, an array of
// integers. That of a missing key tells whether it came and went since (watch.go).
func EncodeWatch(dst []byte, keys [][]byte) []byte {
	dst = append(dst, byte(flotilla.SystemStore), 0, opWatch)
	return appendArgs(dst, keys)
}

func appendArgs(dst []byte, args [][]byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(args)))
	for _, arg := range args {
		dst = appendBytes(dst, arg)
	}
	return dst
}

func appendBytes(dst, b []byte) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(b))), b...)
}

// decoder takes a command apart. The first error sticks: bad becomes true and
// all that follows is empty.
type decoder struct {
	rest []byte
	bad  bool
}

func (d *decoder) uvarint() uint64 {
	if len(d.rest) > 0 && d.rest[0] < 0x80 { // nearly always
		n := d.rest[0]
		d.rest = d.rest[1:]
		return uint64(n)
	}
	n, size := binary.Uvarint(d.rest)
	if size <= 0 {
		d.bad, d.rest = true, nil
		return 0
	}
	d.rest = d.rest[size:]
	return n
}

func (d *decoder) bytes() []byte {
	n := d.uvarint()
	if n > uint64(len(d.rest)) {
		d.bad, d.rest = true, nil
		return nil
	}
	b := d.rest[:n:n]
	d.rest = d.rest[n:]
	return b
}

// count reads a number of things that take at least one byte each, so that a
// lie about it can not make anyone allocate.
func (d *decoder) count() int {
	n := d.uvarint()
	if n > uint64(len(d.rest)) {
		d.bad, d.rest = true, nil
		return 0
	}
	return int(n)
}

func (d *decoder) byte() byte {
	if len(d.rest) == 0 {
		d.bad = true
		return 0
	}
	b := d.rest[0]
	d.rest = d.rest[1:]
	return b
}

// args appends the arguments of a command whose count was read already.
func (d *decoder) args(dst [][]byte, count int) [][]byte {
	for range count {
		dst = append(dst, d.bytes())
	}
	return dst
}

package queue

import (
	"cmp"
	"encoding/binary"
	"math/bits"
	"slices"

	"flotilla"
)

// A trie is a set of numbers in the state: which messages are ready, which are
// alive, which milliseconds have something due. Its nodes are bitmaps of 64 bits.
//
//	level 1, node 0:   bit i = level 0's node i is not empty
//	level 0, node i:   bit j = the number base + i*64 + j is in the set
//
// To add, remove, or find the next number takes as many nodes as the trie is high,
// eleven at most and mostly one, whatever the set holds or ever held: nothing is
// scanned, so keys that were deleted cost nothing. Neighbours share nodes, and an
// entry writes each node once.
type trie struct {
	gen    uint64 // whose data it is part of
	number uint64 // which one of its tries
	base   uint64 // the least number that it can hold
	height *uint64
}

// timerHeight lets the trie of due times reach into the year 2109.
const timerHeight = 7

// nodeID names a node in the state: 'q' 'd' gen 't' number level index.
type nodeID struct {
	gen, number, index uint64
	level              uint8
}

// node is a bitmap as the entry has it.
type node struct {
	bits     uint64
	isThere  bool // the state has it
	isDirty  bool
	identity nodeID
}

func (id nodeID) appendKey(key []byte) []byte {
	key = binary.BigEndian.AppendUint64(appendDataKey(key, id.gen, spaceNode), id.number)
	return binary.BigEndian.AppendUint64(append(key, id.level), id.index)
}

// node returns a node, from memory or from the state.
func (e *entry) node(t trie, level uint64, index uint64) *node {
	id := nodeID{gen: t.gen, number: t.number, level: uint8(level), index: index}
	if n := e.nodes[id]; n != nil {
		return n
	}
	n := &node{identity: id}
	e.keyBuf = id.appendKey(e.keyBuf[:0])
	if value, ok := e.r.Get(e.keyBuf); ok {
		flotilla.Assert(len(value) == 8, "a node has 8 bytes")
		n.bits, n.isThere = binary.BigEndian.Uint64(value), true
	}
	e.nodes[id] = n
	return n
}

// add puts a number into the set.
func (e *entry) add(t trie, number uint64) {
	flotilla.Assert(number >= t.base, "a set holds nothing below its base")
	at := number - t.base
	for *t.height == 0 || at>>(6**t.height) != 0 {
		if *t.height > 0 && e.node(t, *t.height-1, 0).bits != 0 {
			root := e.node(t, *t.height, 0)
			root.bits, root.isDirty = 1, true
		}
		*t.height++
	}
	for level := uint64(0); level < *t.height; level++ {
		n := e.node(t, level, at>>6)
		wasEmpty := n.bits == 0
		n.bits |= 1 << (at & 63)
		n.isDirty = true
		if !wasEmpty {
			return
		}
		at >>= 6
	}
}

// has reports whether a number is in the set.
func (e *entry) has(t trie, number uint64) bool {
	if number < t.base || *t.height == 0 {
		return false
	}
	at := number - t.base
	return e.node(t, 0, at>>6).bits&(1<<(at&63)) != 0
}

// remove takes a number out of the set.
func (e *entry) remove(t trie, number uint64) {
	at := number - t.base
	for level := uint64(0); level < *t.height; level++ {
		n := e.node(t, level, at>>6)
		n.bits &^= 1 << (at & 63)
		n.isDirty = true
		if n.bits != 0 {
			return
		}
		at >>= 6
	}
}

// next returns the least number of the set that is not below from.
func (e *entry) next(t trie, from uint64) (number uint64, ok bool) {
	from = max(from, t.base) - t.base
	for level := uint64(0); level < *t.height; level++ {
		index := from >> 6
		if level == *t.height-1 && index > 0 {
			return 0, false
		}
		if rest := e.node(t, level, index).bits >> (from & 63); rest != 0 {
			found := from + uint64(bits.TrailingZeros64(rest))
			for ; level > 0; level-- {
				below := e.node(t, level-1, found).bits
				flotilla.Assert(below != 0, "a node is marked in the one above it only if it is not empty")
				found = found<<6 + uint64(bits.TrailingZeros64(below))
			}
			return t.base + found, true
		}
		from = index + 1
	}
	return 0, false
}

// saveNodes writes the nodes that changed, in a fixed order.
func (e *entry) saveNodes() {
	var changed []*node
	for _, n := range e.nodes {
		if n.isDirty {
			changed = append(changed, n)
		}
	}
	slices.SortFunc(changed, func(a, b *node) int {
		x, y := a.identity, b.identity
		return cmp.Or(cmp.Compare(x.gen, y.gen), cmp.Compare(x.number, y.number), cmp.Compare(x.level, y.level), cmp.Compare(x.index, y.index))
	})
	for _, n := range changed {
		e.keyBuf = n.identity.appendKey(e.keyBuf[:0])
		n.isThere, n.isDirty = e.saveBits(e.keyBuf, n.bits, n.isThere), false
	}
}

// saveBits writes a bitmap, or deletes one that is empty, and reports whether the
// state has it now.
func (e *entry) saveBits(key []byte, bits uint64, isThere bool) bool {
	switch {
	case bits != 0:
		e.valueBuf = binary.BigEndian.AppendUint64(e.valueBuf[:0], bits)
		e.tx.Set(key, e.valueBuf)
	case isThere:
		e.tx.Delete(key)
	}
	return bits != 0
}

package store

import (
	"bytes"
	"math"
)

// A collection as a flat list of pieces: a list's items, a set's members, a
// hash's fields and values in turn, a sorted set's members and scores in turn.

// flatten returns copies of a collection's pieces.
func (c *call) flatten(it *item) (pieces [][]byte) {
	switch it.kind {
	case kindHash:
		c.eachMember(&it.place, tagField, func(field, value []byte) bool {
			pieces = append(pieces, bytes.Clone(field), append([]byte{}, value...))
			return true
		})
	case kindZset:
		z := zsetOf(*it)
		for member, score := range c.byScore(&z, z.low, z.high, false) {
			pieces = append(pieces, bytes.Clone(member), appendDouble(nil, score))
		}
	default:
		pieces = c.members(it)
	}
	return pieces
}

// fillable says whether pieces, which may come from anywhere, make a collection
// of the kind.
func fillable(k kind, pieces [][]byte) bool {
	step := 1
	if k == kindHash || k == kindZset {
		step = 2
	}
	if len(pieces) == 0 || len(pieces)%step != 0 {
		return false
	}
	if k == kindString || k == kindList {
		return k == kindList || len(pieces) == 1
	}
	seen := make(map[string]struct{}, len(pieces)/step)
	for i := 0; i < len(pieces); i += step {
		member := pieces[i]
		if _, isTwice := seen[string(member)]; isTwice || len(member) > MaxKeyBytes {
			return false
		}
		seen[string(member)] = struct{}{}
		if k == kindZset {
			if _, ok := parseFloat(pieces[i+1]); !ok {
				return false
			}
		}
	}
	return true
}

// fill stores fillable pieces as the value of an item that has its kind and
// expiry, and no elements. It tells nobody.
func (c *call) fill(it *item, pieces [][]byte) {
	switch it.kind {
	case kindString:
		c.saveBody(it, pieces[0], nil)
	case kindList:
		l := list{item: *it}
		for _, piece := range pieces {
			c.push(&l, right, piece)
		}
		l.body = l.appendBody(nil)
		c.save(&l.item)
	case kindSet:
		for _, piece := range pieces {
			c.addMember(it, piece)
		}
		c.settle(it, int64(len(pieces)), 's', "")
	case kindHash:
		for i := 0; i < len(pieces); i += 2 {
			c.setField(it, pieces[i], pieces[i+1])
		}
		c.settle(it, int64(len(pieces)/2), 'h', "")
	case kindZset:
		z := zset{item: *it, low: math.MaxUint64}
		for i := 0; i < len(pieces); i += 2 {
			score, _ := parseFloat(pieces[i+1])
			c.putScore(&z, pieces[i], score)
			z.n++
		}
		c.settleBlocks(&z)
		z.body = z.appendBody(nil)
		c.save(&z.item)
	}
}

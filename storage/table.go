package storage

import (
	"bytes"

	"github.com/tidwall/btree"
)

// table holds the changes to one group's state that are not in Pebble yet.
//
// An item is a key with its value, or the note that the key is gone. A span says
// that whatever lies below the table in [start, end) is gone: DeleteRange removes
// the table's own items in it and leaves the span for the layers below. So an
// item in a table is always newer than the spans of the same table.
//
//	active   b=2        [d ... g) gone      <- the writer
//	frozen   b=1  c gone                    <- being written to Pebble
//	Pebble   a=0  b=0  c=0  d=0  e=0
//	read     a=0  b=2
//
// A table has one writer. clone is cheap: the trees copy their nodes on write.
type table struct {
	items *btree.BTreeG[item]
	spans *btree.BTreeG[span]
	bytes int // about what it costs in memory
}

// item is immutable: a new value is a new item, so that readers may keep it.
type item struct {
	data   []byte // key and value together: one allocation
	keyLen int32
	isGone bool
}

// span is start <= key < end; a nil end is the end of the key space.
type span struct{ start, end []byte }

// itemOverhead is about what an item costs besides its bytes: its place in the
// tree, three quarters full, and the rounding of the allocation.
const itemOverhead = 64

func (i item) key() []byte   { return i.data[:i.keyLen:i.keyLen] }
func (i item) value() []byte { return i.data[i.keyLen:] }

func lookup(key []byte) item { return item{data: key, keyLen: int32(len(key))} }

func newTable() *table {
	options := btree.Options{NoLocks: true}
	return &table{
		items: btree.NewBTreeGOptions(func(a, b item) bool {
			return bytes.Compare(a.data[:a.keyLen], b.data[:b.keyLen]) < 0
		}, options),
		spans: btree.NewBTreeGOptions(func(a, b span) bool {
			return bytes.Compare(a.start, b.start) < 0
		}, options),
	}
}

// clone returns a copy that changes to t do not reach. The caller must keep the
// writer out for the moment.
func (t *table) clone() *table {
	return &table{items: t.items.Copy(), spans: t.spans.Copy(), bytes: t.bytes}
}

func (t *table) isEmpty() bool { return t.items.Len() == 0 && t.spans.Len() == 0 }

// find returns the item of a key, if this table has an opinion about it.
func (t *table) find(key []byte) (found item, ok bool) {
	if found, ok := t.items.Get(lookup(key)); ok {
		return found, true
	}
	if _, ok := t.covering(key); ok {
		return item{isGone: true}, true
	}
	return item{}, false
}

// covering returns the span that hides key in the layers below.
func (t *table) covering(key []byte) (span, bool) {
	if t.spans.Len() == 0 {
		return span{}, false
	}
	var hit span
	var ok bool
	t.spans.Descend(span{start: key}, func(s span) bool {
		hit, ok = s, s.contains(key)
		return false
	})
	return hit, ok
}

func (s span) contains(key []byte) bool {
	return bytes.Compare(s.start, key) <= 0 && (s.end == nil || bytes.Compare(key, s.end) < 0)
}

func (t *table) set(key, value []byte) {
	data := make([]byte, len(key)+len(value))
	copy(data, key)
	copy(data[len(key):], value)
	t.put(item{data: data, keyLen: int32(len(key))})
}

func (t *table) delete(key []byte) {
	t.put(item{data: bytes.Clone(key), keyLen: int32(len(key)), isGone: true})
}

func (t *table) put(i item) {
	t.bytes += len(i.data) + itemOverhead
	if old, replaced := t.items.Set(i); replaced {
		t.bytes -= len(old.data) + itemOverhead
	}
}

func (t *table) deleteRange(start, end []byte) {
	if isEmptyRange(start, end) {
		return
	}
	for _, i := range t.collect(start, end) {
		t.items.Delete(i)
		t.bytes -= len(i.data) + itemOverhead
	}
	t.addSpan(span{start: append([]byte{}, start...), end: bytes.Clone(end)})
}

// collect returns the items in a range; the tree must not change under a scan.
func (t *table) collect(start, end []byte) (in []item) {
	t.items.Ascend(lookup(start), func(i item) bool {
		if end != nil && bytes.Compare(i.data[:i.keyLen], end) >= 0 {
			return false
		}
		in = append(in, i)
		return true
	})
	return in
}

// addSpan merges s with the spans that it touches: they stay disjoint, so that
// covering needs to look at one only.
func (t *table) addSpan(s span) {
	if left, ok := t.covering(s.start); ok {
		s.start = left.start
		s.end = laterEnd(s.end, left.end)
	}
	var merged []span
	t.spans.Ascend(span{start: s.start}, func(next span) bool {
		if s.end != nil && bytes.Compare(next.start, s.end) > 0 {
			return false
		}
		s.end = laterEnd(s.end, next.end)
		merged = append(merged, next)
		return true
	})
	for _, old := range merged {
		t.spans.Delete(old)
		t.bytes -= len(old.start) + len(old.end) + itemOverhead
	}
	t.spans.Set(s)
	t.bytes += len(s.start) + len(s.end) + itemOverhead
}

func laterEnd(a, b []byte) []byte {
	if a == nil || b == nil {
		return nil
	}
	if bytes.Compare(a, b) >= 0 {
		return a
	}
	return b
}

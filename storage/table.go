package storage

import (
	"bytes"
	"slices"
	"sync"
	"unsafe"

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
//	sealed   d=3  e=3  f=3                  <- put aside when that range was deleted
//	frozen   b=1  c gone                    <- being written to Pebble
//	Pebble   a=0  b=0  c=0  d=0  e=0
//	read     a=0  b=2
//
// A range with many items is not deleted from a table one by one: the table is sealed as it
// is, and the span goes into a new one above it. So a range deletion costs the same
// whatever lies in the range.
//
// A table has one writer. clone is cheap: the trees copy their nodes on write.
//
// A hash index answers Get, and a new value for a known key goes into the item's
// cell. Cells that a clone can see, those of an earlier era, are replaced instead of
// written to. The tree keeps the order, and a walk down a large one costs a cache miss
// a step, so new items gather in unsorted and go into it many at once, sorted.
type table struct {
	index  map[string]*cell // nil in a clone: it looks into the tree
	era    int              // how often the table was cloned
	spans  *btree.BTreeG[span]
	bytes  int    // about what it costs in memory
	number uint64 // of a state's active tables, no two of which share one

	ordering sync.Mutex // readers, who keep the writer out, may ask for the order at the same time
	tree     *btree.BTreeG[item]
	unsorted []item // not in the tree yet; no key twice, since a clone sorts first

	blocks // of the writer
}

// blocks is where new items lie, many in one allocation each: a large table is some
// thousand objects to the garbage collector and not a million, and an item's key, value and cell cost
// no allocation. A block lives as long as something in it does: as long as its table, but for
// what a reader still holds of it. So only an item's first value lies there; the next ones,
// which may be many, are on their own. And what an item leaves behind in its block is counted
// until the table goes.
type blocks struct {
	cells     []cell // the rest of a block
	bytes     []byte
	cellCount int // of the last block: the next is twice as large
	byteCount int
}

const (
	maxBlockCells = 128
	maxBlockBytes = 16 << 10
)

// cell returns a new one.
func (b *blocks) cell() *cell {
	if len(b.cells) == 0 {
		b.cellCount = min(max(2*b.cellCount, 4), maxBlockCells)
		b.cells = make([]cell, b.cellCount)
	}
	c := &b.cells[0]
	b.cells = b.cells[1:]
	return c
}

// copy returns copies of a key and a value. Large ones are allocations of their own: else a
// block's end would be wasted too often.
func (b *blocks) copy(key, value []byte) (k, v []byte, inBlock bool) {
	size := len(key) + len(value)
	if size > maxBlockBytes/16 {
		return bytes.Clone(key), copied(value), false
	}
	if size > len(b.bytes) {
		b.byteCount = min(max(2*b.byteCount, maxBlockBytes/16), maxBlockBytes)
		b.bytes = make([]byte, b.byteCount)
	}
	k, v = b.bytes[:len(key):len(key)], b.bytes[len(key):size:size]
	b.bytes = b.bytes[size:]
	copy(k, key)
	copy(v, value)
	return k, v, true
}

// maxUnsorted bounds what whoever asks for the order has to wait for: some 10 ms.
const maxUnsorted = 8192

// item is a key and where its newest value is.
type item struct {
	key []byte
	*cell
}

// cell holds a value, or the note that the key is gone. The bytes are never written
// to: a new value is a new slice, so that readers may keep the old one.
type cell struct {
	value   []byte
	era     int
	isGone  bool
	inBlock bool // the value lies in a block
}

// span is start <= key < end; a nil end is the end of the key space.
type span struct{ start, end []byte }

// itemOverhead is about what an item costs besides its bytes: its places in the
// tree and the index, both some three quarters full, its cell, and what the
// allocations are rounded up by.
const itemOverhead = 160

func lookup(key []byte) item { return item{key: key} }

func newTable() *table {
	options := btree.Options{NoLocks: true}
	return &table{
		index: map[string]*cell{},
		tree: btree.NewBTreeGOptions(func(a, b item) bool {
			return bytes.Compare(a.key, b.key) < 0
		}, options),
		spans: btree.NewBTreeGOptions(func(a, b span) bool {
			return bytes.Compare(a.start, b.start) < 0
		}, options),
	}
}

// next returns an empty table that takes this one's place.
func (t *table) next() *table {
	n := newTable()
	n.number = t.number + 1
	return n
}

// clone returns a copy that changes to t do not reach, for reading only. The caller
// must keep the writer out for the moment.
func (t *table) clone() *table {
	t.era++
	return &table{tree: t.items().Copy(), spans: t.spans.Copy(), bytes: t.bytes}
}

// items returns the items in order. It may be called by the writer, and by any
// number of readers while the writer is kept out.
func (t *table) items() *btree.BTreeG[item] {
	t.ordering.Lock()
	defer t.ordering.Unlock()
	if len(t.unsorted) == 0 {
		return t.tree
	}
	slices.SortFunc(t.unsorted, func(a, b item) int { return bytes.Compare(a.key, b.key) })
	for _, i := range t.unsorted {
		t.tree.Load(i) // what comes in order is not searched for a place
	}
	clear(t.unsorted)
	t.unsorted = t.unsorted[:0]
	return t.tree
}

// writable returns a copy that can be written to.
func (t *table) writable() *table {
	w := newTable()
	t.items().Scan(func(i item) bool {
		w.put(i.key, i.value, i.isGone)
		return true
	})
	return w
}

func (t *table) isEmpty() bool {
	t.ordering.Lock()
	defer t.ordering.Unlock()
	return len(t.unsorted) == 0 && t.tree.Len() == 0 && t.spans.Len() == 0
}

// find returns the value of a key, if this table has an opinion about it.
func (t *table) find(key []byte) (value []byte, isGone, ok bool) {
	if c := t.cellOf(key); c != nil {
		return c.value, c.isGone, true
	}
	_, ok = t.covering(key)
	return nil, ok, ok
}

func (t *table) cellOf(key []byte) *cell {
	if t.index != nil {
		return t.index[string(key)]
	}
	found, _ := t.items().Get(lookup(key))
	return found.cell
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

func (t *table) set(key, value []byte) { t.put(key, value, false) }

func copied(value []byte) []byte { return append(make([]byte, 0, len(value)), value...) }

func (t *table) delete(key []byte) { t.put(key, nil, true) }

// put takes a value, of which it makes a copy, or the note that a key is gone.
func (t *table) put(key, value []byte, isGone bool) {
	c := t.index[string(key)]
	if t.replace(c, value, isGone) {
		return
	}
	if c != nil {
		t.bytes -= itemOverhead
	}
	c = t.blocks.cell()
	key, value, inBlock := t.blocks.copy(key, value)
	*c = cell{value: value, era: t.era, isGone: isGone, inBlock: inBlock}
	if len(t.unsorted) >= maxUnsorted {
		t.items()
	}
	t.unsorted = append(t.unsorted, item{key: key, cell: c})
	// The index shares the key's bytes with the item; nobody changes them.
	t.index[unsafe.String(unsafe.SliceData(key), len(key))] = c
	t.bytes += len(key) + len(value) + itemOverhead
}

// replace puts a new value into a cell of this table, unless a clone can see it.
func (t *table) replace(c *cell, value []byte, isGone bool) bool {
	if c == nil || c.era != t.era {
		return false
	}
	t.bytes += len(value)
	if !c.inBlock { // else it stays there
		t.bytes -= len(c.value)
	}
	if !isGone {
		value = copied(value)
	}
	c.value, c.isGone, c.inBlock = value, isGone, false
	return true
}

// drop removes an item without leaving a note.
func (t *table) drop(key []byte) {
	if old, ok := t.items().Delete(lookup(key)); ok {
		delete(t.index, string(key))
		t.bytes -= itemOverhead
		if !old.inBlock && old.era == t.era { // else a clone can see it
			t.bytes -= len(old.value)
			old.cell.value = nil // the cell stays in its block
		}
	}
}

// deleteRange deletes start <= key < end. It does nothing and returns false if the table has
// more than atMost items there: a table for which they are too many is to be put aside.
func (t *table) deleteRange(start, end []byte, atMost int) bool {
	if isEmptyRange(start, end) {
		return true
	}
	found := t.collect(start, end, atMost+1)
	if len(found) > atMost {
		return false
	}
	for _, i := range found {
		t.drop(i.key)
	}
	t.addSpan(span{start: append([]byte{}, start...), end: bytes.Clone(end)})
	return true
}

// collect returns the first items in a range; the tree must not change under a scan.
func (t *table) collect(start, end []byte, atMost int) (in []item) {
	t.items().Ascend(lookup(start), func(i item) bool {
		if len(in) == atMost || end != nil && bytes.Compare(i.key, end) >= 0 {
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

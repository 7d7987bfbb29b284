package storage

import (
	"bytes"
	"iter"

	"github.com/cockroachdb/pebble/v2"
	"github.com/tidwall/btree"
)

// layers is where a group's keys are looked for, newest first. A layers value is
// replaced, never changed; only the active table's content changes, by the writer.
type layers struct {
	active *table
	sealed []*table // newest first: full when a large range was deleted; see table
	frozen []*table // newest first: being written to Pebble, nil when nothing is
	// clean is what was written to Pebble last: the same bytes are there, but a Get
	// finds them sooner here. nil when the state has not changed for a while.
	clean  []*table
	epoch  uint32
	prefix []byte // of the group's keys in Pebble, for this epoch
}

// seal puts the active table aside, below a new one.
func (l layers) seal() *layers {
	l.sealed = append([]*table{l.active}, l.sealed...)
	l.active = l.active.next()
	return &l
}

// get looks key up in the tables, then below. key is prefixed in buf, which is
// returned for the next time.
func (l *layers) get(below pebble.Reader, key, buf []byte) (value []byte, ok bool, keep []byte, err error) {
	if value, isGone, known := l.active.find(key); known {
		return value, !isGone, buf, nil
	}
	for _, older := range [...][]*table{l.sealed, l.frozen, l.clean} {
		for _, t := range older {
			if value, isGone, known := t.find(key); known {
				return value, !isGone, buf, nil
			}
		}
	}
	buf = append(append(buf[:0], l.prefix...), key...)
	value, ok, err = getCopy(below, buf)
	return value, ok, buf, err
}

func getCopy(from pebble.Reader, key []byte) (value []byte, ok bool, err error) {
	pinned, closer, err := from.Get(key)
	if err == pebble.ErrNotFound {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	value = append(make([]byte, 0, len(pinned)), pinned...)
	return value, true, closer.Close()
}

// cursor visits one layer in the direction it was made for.
type cursor interface {
	// at returns the current key, or ok false at the end.
	at() (key []byte, ok bool)
	// value returns the current value; isGone means that the key is deleted here.
	value() (value []byte, isGone bool)
	next()
	// skip moves past a span that contains the current key.
	skip(s span)
	close() error
}

// scan merges the layers: of each key the newest layer's word counts, and a
// table's spans hide what lies in the layers below it.
func (l *layers) scan(below pebble.Reader, start, end []byte, isBack bool, fail func(error)) iter.Seq2[[]byte, []byte] {
	return func(yield func([]byte, []byte) bool) {
		if isEmptyRange(start, end) {
			return
		}
		tables, cursors, err := l.open(below, start, end, isBack)
		if err != nil {
			fail(err)
			return
		}
		merge(tables, cursors, isBack, yield)
		for _, c := range cursors {
			if err := c.close(); err != nil {
				fail(err)
			}
		}
	}
}

func isEmptyRange(start, end []byte) bool {
	return end != nil && bytes.Compare(start, end) >= 0
}

func (l *layers) open(below pebble.Reader, start, end []byte, isBack bool) (tables []*table, cursors []cursor, err error) {
	bottom, err := newPebbleCursor(below, l.prefix, start, end, isBack)
	if err != nil {
		return nil, nil, err
	}
	for _, newer := range [...][]*table{{l.active}, l.sealed, l.frozen} {
		for _, t := range newer {
			if !t.isEmpty() {
				tables = append(tables, t)
				cursors = append(cursors, newTableCursor(t, start, end, isBack))
			}
		}
	}
	return tables, append(cursors, bottom), nil
}

func merge(tables []*table, cursors []cursor, isBack bool, yield func([]byte, []byte) bool) {
	for {
		newest, key := firstOf(cursors, isBack)
		if newest < 0 {
			return
		}
		if s, ok := hidden(tables[:min(newest, len(tables))], key); ok {
			cursors[newest].skip(s)
			continue
		}
		for _, older := range cursors[newest+1:] {
			if other, ok := older.at(); ok && bytes.Equal(other, key) {
				older.next()
			}
		}
		value, isGone := cursors[newest].value()
		if !isGone && !yield(key, value) {
			return
		}
		cursors[newest].next()
	}
}

// firstOf returns the cursor that is next in the direction of the scan; of those
// at the same key, the newest layer's.
func firstOf(cursors []cursor, isBack bool) (newest int, first []byte) {
	newest = -1
	for i, c := range cursors {
		key, ok := c.at()
		if !ok {
			continue
		}
		if newest >= 0 {
			order := bytes.Compare(key, first)
			if order == 0 || (order > 0) != isBack {
				continue
			}
		}
		newest, first = i, key
	}
	return newest, first
}

func hidden(newer []*table, key []byte) (span, bool) {
	for _, t := range newer {
		if s, ok := t.covering(key); ok {
			return s, true
		}
	}
	return span{}, false
}

// tableCursor visits a table's items.
type tableCursor struct {
	items      btree.IterG[item]
	start, end []byte
	isBack     bool
	ok         bool
	current    item
}

func newTableCursor(t *table, start, end []byte, isBack bool) *tableCursor {
	c := &tableCursor{start: start, end: end, isBack: isBack}
	c.items.Init(t.items(), false)
	if isBack {
		c.seekBelow(end)
	} else {
		c.settle(c.items.Seek(lookup(start)))
	}
	return c
}

// seekBelow goes to the last item before end.
func (c *tableCursor) seekBelow(end []byte) {
	if end != nil && c.items.Seek(lookup(end)) {
		c.settle(c.items.Prev())
		return
	}
	c.settle(c.items.Last())
}

// settle notes where the iterator stands, if that is still in the range.
func (c *tableCursor) settle(ok bool) {
	if c.ok = ok; !ok {
		return
	}
	c.current = c.items.Item()
	if c.isBack {
		c.ok = bytes.Compare(c.current.key, c.start) >= 0
	} else {
		c.ok = c.end == nil || bytes.Compare(c.current.key, c.end) < 0
	}
}

func (c *tableCursor) at() ([]byte, bool)    { return c.current.key, c.ok }
func (c *tableCursor) value() ([]byte, bool) { return c.current.value, c.current.isGone }
func (c *tableCursor) close() error          { return nil }

func (c *tableCursor) next() {
	if c.isBack {
		c.settle(c.items.Prev())
	} else {
		c.settle(c.items.Next())
	}
}

func (c *tableCursor) skip(s span) {
	switch {
	case c.isBack:
		c.seekBelow(s.start)
	case s.end == nil:
		c.ok = false
	default:
		c.settle(c.items.Seek(lookup(s.end)))
	}
}

// pebbleCursor visits the keys of one group and epoch. It copies what it returns,
// since Pebble takes it back at the next step and a Reader's results stay valid.
type pebbleCursor struct {
	items   *pebble.Iterator
	prefix  []byte
	isBack  bool
	ok      bool
	key     []byte
	arena   []byte
	seekKey []byte
	err     error
}

func newPebbleCursor(below pebble.Reader, prefix, start, end []byte, isBack bool) (*pebbleCursor, error) {
	lower := append(append(make([]byte, 0, len(prefix)+len(start)), prefix...), start...)
	upper := prefixEnd(prefix)
	if end != nil {
		upper = append(append(make([]byte, 0, len(prefix)+len(end)), prefix...), end...)
	}
	items, err := below.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
	if err != nil {
		return nil, err
	}
	c := &pebbleCursor{items: items, prefix: prefix, isBack: isBack}
	if isBack {
		c.settle(items.Last())
	} else {
		c.settle(items.First())
	}
	return c, nil
}

func (c *pebbleCursor) settle(ok bool) {
	if c.ok = ok; ok {
		c.key = c.keep(c.items.Key()[len(c.prefix):])
	}
}

// keep copies into blocks that grow with the scan: short scans cost little, long
// ones few allocations.
func (c *pebbleCursor) keep(b []byte) []byte {
	if cap(c.arena)-len(c.arena) < len(b) {
		c.arena = make([]byte, 0, max(len(b), min(64<<10, max(512, 2*cap(c.arena)))))
	}
	from := len(c.arena)
	c.arena = append(c.arena, b...)
	return c.arena[from:len(c.arena):len(c.arena)]
}

func (c *pebbleCursor) at() ([]byte, bool) { return c.key, c.ok }

func (c *pebbleCursor) value() ([]byte, bool) {
	value, err := c.items.ValueAndErr()
	if err != nil {
		// The iterator's own Error does not always repeat this one.
		c.err, c.ok = err, false
		return nil, true
	}
	return c.keep(value), false
}

func (c *pebbleCursor) next() {
	if c.err != nil {
		return
	}
	if c.isBack {
		c.settle(c.items.Prev())
	} else {
		c.settle(c.items.Next())
	}
}

func (c *pebbleCursor) skip(s span) {
	switch {
	case c.isBack:
		c.seekKey = append(append(c.seekKey[:0], c.prefix...), s.start...)
		c.settle(c.items.SeekLT(c.seekKey))
	case s.end == nil:
		c.ok = false
	default:
		c.seekKey = append(append(c.seekKey[:0], c.prefix...), s.end...)
		c.settle(c.items.SeekGE(c.seekKey))
	}
}

func (c *pebbleCursor) close() error {
	err := c.items.Close()
	if c.err != nil {
		return c.err
	}
	return err
}

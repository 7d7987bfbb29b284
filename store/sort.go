package store

import (
	"bytes"
	"math"
	"sort"

	"flotilla"
)

// sortOptions are the options of SORT and SORT_RO.
type sortOptions struct {
	by            []byte // nil: by the elements themselves
	gets          [][]byte
	offset, count int64 // of LIMIT
	isDescending  bool
	isAlpha       bool
	store         []byte // nil: answer
	isUnsorted    bool   // BY a pattern without a star
}

// sortable is an element and what it is sorted by.
type sortable struct {
	element []byte
	number  float64
	text    []byte
	isNull  bool // BY a missing key
}

// sortKeys finds the keys of a SORT: the key, and STORE's.
func sortKeys(args [][]byte) ([][]byte, error) {
	if len(args) < 2 {
		return nil, ErrNoKeys
	}
	keys := args[1:2:2]
	for i := 2; i < len(args); i++ {
		switch {
		case isWord(args[i], "LIMIT"):
			i += 2
		case isWord(args[i], "GET"), isWord(args[i], "BY"):
			i++
		case isWord(args[i], "STORE") && i+1 < len(args):
			keys = append(args[1:2:2], args[i+1])
			i++
		}
	}
	return keys, nil
}

// sortRo is the name of the read that sorts.
var sortRo = []byte("SORT_RO")

// AsRead returns as what a command is carried out outside a transaction: a SORT that
// stores nothing is a SORT_RO. It takes its time beside the loop, not in it, and may
// visit any number of elements.
func AsRead(c *Command, args [][]byte) (*Command, [][]byte) {
	if c.Name != "sort" {
		return c, args
	}
	if keys, err := sortKeys(args); err != nil || len(keys) > 1 {
		return c, args
	}
	args = append([][]byte{sortRo}, args[1:]...)
	return Find(args), args
}

func runSort(c *call)   { c.sort(false) }
func runSortRo(c *call) { c.sort(true) }

func (c *call) sort(onlyRead bool) {
	o, ok := c.sortArgs(onlyRead)
	if !ok {
		return
	}
	it := c.load(c.args[1])
	if it.kind == kindString || it.kind == kindHash {
		c.err(errWrongType)
		return
	}
	if it.kind == kindSet && o.isUnsorted && o.store != nil {
		o.isUnsorted, o.isAlpha, o.by = false, true, nil // a stored list has an order
	}
	var elements []sortable
	for _, member := range c.members(&it) {
		elements = append(elements, sortable{element: member})
	}
	if !o.isUnsorted {
		if !c.weigh(elements, &o) {
			c.err("ERR One or more scores can't be converted into double")
			return
		}
		sortElements(elements, &o)
	} else if o.isDescending && it.kind != kindSet {
		for i, j := 0, len(elements)-1; i < j; i, j = i+1, j-1 {
			elements[i], elements[j] = elements[j], elements[i]
		}
	}
	found := c.sorted(o.limited(elements), &o)
	if o.store != nil {
		c.storeSorted(o.store, found)
		return
	}
	c.array(len(found))
	for _, value := range found {
		if value == nil {
			c.null()
		} else {
			c.bulk(value)
		}
	}
}

func (c *call) sortArgs(onlyRead bool) (o sortOptions, ok bool) {
	o.count = -1
	for i := 2; i < len(c.args); i++ {
		left := len(c.args) - i - 1
		switch {
		case c.argIs(i, "ASC"):
			o.isDescending = false
		case c.argIs(i, "DESC"):
			o.isDescending = true
		case c.argIs(i, "ALPHA"):
			o.isAlpha = true
		case c.argIs(i, "LIMIT") && left >= 2:
			if o.offset, ok = c.intArg(i + 1); !ok {
				return o, false
			}
			if o.count, ok = c.intArg(i + 2); !ok {
				return o, false
			}
			i += 2
		case c.argIs(i, "STORE") && left >= 1 && !onlyRead:
			i++
			o.store = c.args[i]
		case c.argIs(i, "BY") && left >= 1:
			i++
			o.by = c.args[i]
			o.isUnsorted = bytes.IndexByte(o.by, '*') < 0
			if !o.isUnsorted && !c.isNearby(o.by) {
				c.err(sortDenied("BY"))
				return o, false
			}
		case c.argIs(i, "GET") && left >= 1:
			i++
			if !isWord(c.args[i], "#") && bytes.IndexByte(c.args[i], '*') >= 0 && !c.isNearby(c.args[i]) {
				c.err(sortDenied("GET"))
				return o, false
			}
			o.gets = append(o.gets, c.args[i])
		default:
			c.err(errSyntax)
			return o, false
		}
	}
	return o, true
}

func sortDenied(option string) string {
	return "ERR " + option + " option of SORT denied in cluster mode when keys formed by the pattern may be in different slots."
}

// isNearby says whether every key that a pattern can form has the slot of the key
// being sorted: then it has a tag without a star before its first star.
func (c *call) isNearby(pattern []byte) bool {
	open := bytes.IndexByte(pattern, '{')
	if open < 0 {
		return false
	}
	length := bytes.IndexByte(pattern[open+1:], '}')
	star := bytes.IndexByte(pattern, '*')
	return length > 0 && open+1+length < star && flotilla.SlotOf(pattern) == flotilla.SlotOf(c.args[1])
}

// weigh finds what each element is sorted by; false if a number is none.
func (c *call) weigh(elements []sortable, o *sortOptions) bool {
	for i := range elements {
		e := &elements[i]
		e.text = e.element
		if o.by != nil {
			e.text = c.byPattern(o.by, e.element)
			e.isNull = e.text == nil
		}
		if !o.isAlpha && !e.isNull {
			var ok bool
			if e.number, ok = sortNumber(e.text); !ok {
				return false
			}
		}
	}
	return true
}

// sortNumber is strtod, which skips spaces and takes nothing for 0.
func sortNumber(text []byte) (float64, bool) {
	text = bytes.TrimLeft(text, " \t\n\v\f\r")
	if len(text) == 0 {
		return 0, true
	}
	return parseFloat(text)
}

func sortElements(elements []sortable, o *sortOptions) {
	sort.SliceStable(elements, func(i, j int) bool {
		order := o.compare(&elements[i], &elements[j])
		return order < 0 != o.isDescending && order != 0
	})
}

func (o *sortOptions) compare(a, b *sortable) int {
	order := 0
	switch {
	case !o.isAlpha && a.number < b.number:
		order = -1
	case !o.isAlpha && a.number > b.number:
		order = 1
	case o.isAlpha && a.isNull != b.isNull:
		order = 1
		if a.isNull {
			order = -1
		}
	case o.isAlpha:
		order = bytes.Compare(a.text, b.text)
	}
	if order == 0 {
		order = bytes.Compare(a.element, b.element)
	}
	return order
}

// limited applies LIMIT.
func (o *sortOptions) limited(elements []sortable) []sortable {
	start := min(max(o.offset, 0), int64(len(elements)))
	behind := int64(len(elements))
	if o.count >= 0 && o.count < math.MaxInt64-start {
		behind = min(start+o.count, behind)
	}
	return elements[start:behind]
}

// sorted returns what is asked for of each element; nil where there is nothing.
func (c *call) sorted(elements []sortable, o *sortOptions) (found [][]byte) {
	for _, e := range elements {
		if len(o.gets) == 0 {
			found = append(found, e.element)
		}
		for _, pattern := range o.gets {
			if string(pattern) == "#" {
				found = append(found, e.element)
			} else {
				found = append(found, c.byPattern(pattern, e.element))
			}
		}
	}
	return found
}

// byPattern returns a copy of the value of the key that a pattern forms with an
// element, or of a field of it ("key_*->field"); nil if there is none.
func (c *call) byPattern(pattern, element []byte) []byte {
	c.spend(1)
	star := bytes.IndexByte(pattern, '*')
	if star < 0 {
		return nil
	}
	behind, field := pattern[star+1:], []byte(nil)
	if arrow := bytes.Index(behind, []byte("->")); arrow >= 0 && arrow+2 < len(behind) {
		behind, field = behind[:arrow], behind[arrow+2:]
	}
	key := append(append(append([]byte(nil), pattern[:star]...), element...), behind...)
	it := c.load(key)
	switch {
	case field == nil && it.kind == kindString:
		return append([]byte{}, it.body...)
	case field != nil && it.kind == kindHash:
		if value, ok := c.field(&it, field); ok {
			return append([]byte{}, value...)
		}
	}
	return nil
}

// storeSorted stores the result as a list; an empty one deletes the key.
func (c *call) storeSorted(key []byte, found [][]byte) {
	it := c.load(key)
	switch {
	case len(found) > 0:
		c.replace(&it, kindList)
		c.fill(&it, found)
		c.notify('l', "sortstore", key)
	case it.exists():
		c.remove(&it)
		c.notify('g', "del", key)
	}
	c.int(int64(len(found)))
}

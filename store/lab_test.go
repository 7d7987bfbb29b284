package store

import (
	"bytes"
	"fmt"
	"hash/fnv"
	"iter"
	"math"
	"strconv"
	"strings"

	"github.com/tidwall/btree"

	"flotilla"
)

// fakeState is a flotilla.State in memory. It panics if a scan goes on after a
// write, as the contract forbids.
type fakeState struct {
	pairs   btree.Map[string, []byte]
	writes  int
	touched int // keys that were written, looked up or scanned
}

func (s *fakeState) Get(key []byte) ([]byte, bool) {
	s.touched++
	return s.pairs.Get(string(key))
}

func (s *fakeState) Set(key, value []byte) {
	s.writes++
	s.touched++
	s.pairs.Set(string(key), append([]byte{}, value...))
}

func (s *fakeState) Delete(key []byte) {
	s.writes++
	s.touched++
	s.pairs.Delete(string(key))
}

func (s *fakeState) DeleteRange(start, end []byte) {
	var doomed []string
	for key := range s.Scan(start, end) {
		doomed = append(doomed, string(key))
	}
	s.writes++
	s.touched -= len(doomed) // it costs the same however many there are
	for _, key := range doomed {
		s.pairs.Delete(key)
	}
}

func (s *fakeState) Scan(start, end []byte) iter.Seq2[[]byte, []byte] {
	return func(yield func(key, value []byte) bool) {
		writes := s.writes
		s.pairs.Ascend(string(start), func(key string, value []byte) bool {
			if s.writes != writes {
				panic("a scan went on after a write")
			}
			s.touched++
			if end != nil && key >= string(end) {
				return false
			}
			return yield([]byte(key), value)
		})
	}
}

func (s *fakeState) ScanBack(start, end []byte) iter.Seq2[[]byte, []byte] {
	return func(yield func(key, value []byte) bool) {
		writes := s.writes
		visit := func(key string, value []byte) bool {
			if s.writes != writes {
				panic("a scan went on after a write")
			}
			s.touched++
			if end != nil && key >= string(end) {
				return true
			}
			if key < string(start) {
				return false
			}
			return yield([]byte(key), value)
		}
		if end == nil {
			s.pairs.Reverse(visit)
			return
		}
		s.pairs.Descend(string(end), visit)
	}
}

// digest sums up all keys and values.
func (s *fakeState) digest() uint64 {
	h := fnv.New64a()
	s.pairs.Scan(func(key string, value []byte) bool {
		fmt.Fprintf(h, "%d %s %d %s", len(key), key, len(value), value)
		return true
	})
	return h.Sum64()
}

// lab is a group with nothing around it: commands go in, replies come out.
type lab struct {
	state  *fakeState
	index  uint64
	time   flotilla.Millis
	wake   flotilla.Millis
	events []string
	bound  int64 // of what a write may visit; 0 for the store's own
}

func newLab() *lab { return &lab{state: &fakeState{}, time: 1_000_000, wake: flotilla.Never} }

// entry applies encoded commands as one entry and returns their replies.
func (l *lab) entry(commands ...[]byte) (out [][]byte) {
	l.index++
	tx := &flotilla.Tx{State: l.state, Group: 1, Index: l.index, Time: l.time, Emit: func(e flotilla.Event) {
		l.events = append(l.events, fmt.Sprintf("%c %s %s", e.Class, e.Name, e.Key))
	}}
	Machine{}.Begin(tx)
	for i, command := range commands {
		tx.Ordinal = i + 1
		out = append(out, append([]byte{}, Machine{maxVisited: l.bound}.Apply(tx, command)...))
	}
	Machine{}.End(tx)
	l.wake = tx.TakeWake()
	return out
}

// read answers a read of what has been applied so far.
func (l *lab) read(command []byte) []byte {
	view := &flotilla.View{Reader: l.state, Group: 1, Index: l.index, Time: l.time, Now: l.time}
	writes := l.state.writes
	reply := Machine{}.Read(view, command)
	if l.state.writes != writes {
		panic("a read wrote")
	}
	return reply
}

// raw carries out one command, by a read as well if it is one, and returns the
// machine's reply. What breaks an invariant of the key space panics.
func (l *lab) raw(args ...string) []byte {
	words := toBytes(args)
	reply := l.entry(Encode(nil, words))[0]
	if c := Find(words); c != nil && c.Flags&ReadOnly != 0 && !strings.Contains(c.Name, "rand") {
		if also := l.read(Encode(nil, words)); !bytes.Equal(also, reply) {
			panic(fmt.Sprintf("%q: Read answers %q, Apply %q", args, also, reply))
		}
	}
	if err := l.check(); err != nil {
		panic(fmt.Sprintf("after %.200q: %v", args, err))
	}
	return reply
}

// do is raw, with the reply made readable.
func (l *lab) do(args ...string) string { return readable(l.raw(args...)) }

// line is do for a line of words, quoted where needed.
func (l *lab) line(line string) string { return l.do(splitWords(line)...) }

func toBytes(args []string) [][]byte {
	out := make([][]byte, len(args))
	for i, arg := range args {
		out[i] = []byte(arg)
	}
	return out
}

// check verifies the invariants of the key space: counters, expiry index, and
// no element without its collection.
func (l *lab) check() error {
	counted, n := readCounters(l.state), int64(0)
	index := map[string]bool{}
	collections := map[string]bool{}
	var firstExpiry flotilla.Millis
	owners, wrongID := map[uint64]int{}, uint64(math.MaxUint64)
	elements := map[string]int{}
	l.state.pairs.Scan(func(k string, v []byte) bool {
		switch k[1] {
		case spaceRecord:
			n++
			it := item{place: placeOf([]byte(k[recordKeyHead:]))}
			it.decodeRecord(v)
			if it.expiry != 0 {
				index[string(it.appendExpiryKey(nil, it.expiry))] = true
				if firstExpiry == 0 || it.expiry < firstExpiry {
					firstExpiry = it.expiry
				}
			}
			if it.kind != kindString {
				collections[string(it.appendElements(nil))] = true
				owners[it.id]++
				if owners[it.id] > 1 || it.id == 0 || it.id > counted.lastID {
					wrongID = it.id
				}
			}
		case spaceElement:
			elements[k[:10]]++
		}
		return true
	})
	if n != counted.keys {
		return fmt.Errorf("%d records, but %d counted", n, counted.keys)
	}
	if wrongID != math.MaxUint64 {
		return fmt.Errorf("the id %d of a collection, the last is %d, of %d collections", wrongID, counted.lastID, owners[wrongID])
	}
	if firstExpiry != 0 && (counted.nextExpiry == 0 || counted.nextExpiry > firstExpiry) {
		return fmt.Errorf("first expiry is %d, but %d noted", firstExpiry, counted.nextExpiry)
	}
	return l.checkKeys(index, collections, elements)
}

func (l *lab) checkKeys(index, collections map[string]bool, elements map[string]int) (err error) {
	for key := range elements {
		if !collections[key] {
			return fmt.Errorf("elements without a record: %q", key)
		}
	}
	for key := range collections {
		if elements[key] == 0 {
			return fmt.Errorf("an empty collection: %q", key)
		}
	}
	l.state.pairs.Ascend("sx", func(k string, _ []byte) bool {
		if k[1] != spaceExpiry {
			return false
		}
		if !index[k] {
			err = fmt.Errorf("expiry of nothing: %q", k)
		}
		delete(index, k)
		return true
	})
	if err == nil && len(index) > 0 {
		err = fmt.Errorf("%d expiries are not in the index", len(index))
	}
	return err
}

// readable renders a reply in one line: OK, 1, "bulk", nil, nil-array, 1.5, [..] an
// array, {k: v} a map, <..> a set, [[k v] ..] pairs.
func readable(reply []byte) string {
	s, rest := readableItem(reply)
	if len(rest) > 0 {
		return fmt.Sprintf("%s and then %q", s, rest)
	}
	return s
}

func readableItem(reply []byte) (string, []byte) {
	at := bytes.Index(reply, []byte("\r\n"))
	if at < 1 {
		return fmt.Sprintf("BROKEN %q", reply), nil
	}
	kind, line, rest := reply[0], string(reply[1:at]), reply[at+2:]
	n, _ := strconv.Atoi(line)
	switch kind {
	case '+', '-', ':', '(', '#', ',':
		if kind == ',' {
			return "," + line, rest
		}
		return line, rest
	case '_':
		return "nil", rest
	case '!':
		return "nil-array", rest
	case '$', '=':
		if n+2 > len(rest) || string(rest[n:n+2]) != "\r\n" {
			return fmt.Sprintf("BROKEN %q", reply), nil
		}
		return strconv.Quote(string(rest[:n])), rest[n+2:]
	case '*':
		return readableMany(n, "[", "]", rest)
	case '~':
		return readableMany(n, "<", ">", rest)
	}
	var parts []string
	for range n {
		var key, value string
		key, rest = readableItem(rest)
		value, rest = readableItem(rest)
		if kind == '%' {
			parts = append(parts, key+": "+value)
		} else {
			parts = append(parts, "["+key+" "+value+"]")
		}
	}
	if kind == '%' {
		return "{" + strings.Join(parts, ", ") + "}", rest
	}
	return "[" + strings.Join(parts, " ") + "]", rest
}

func readableMany(n int, open, end string, rest []byte) (string, []byte) {
	parts := make([]string, n)
	for i := range parts {
		parts[i], rest = readableItem(rest)
	}
	return open + strings.Join(parts, " ") + end, rest
}

// splitWords splits a line into words; "..." may hold spaces and Go escapes.
func splitWords(line string) (words []string) {
	for line = strings.TrimSpace(line); line != ""; line = strings.TrimSpace(line) {
		if line[0] == '"' {
			quoted, err := strconv.QuotedPrefix(line)
			if err != nil {
				panic("bad quotes: " + line)
			}
			word, _ := strconv.Unquote(quoted)
			words, line = append(words, word), line[len(quoted):]
			continue
		}
		word, rest, _ := strings.Cut(line, " ")
		words, line = append(words, word), rest
	}
	return words
}

package store

// maxLCSCells bounds the table of LCS, 4 bytes each: len(a) * len(b).
const maxLCSCells = 16 << 20

// lcsOptions are the options of LCS.
type lcsOptions struct {
	length, index, matchLengths bool
	minLength                   int64
}

func runLcs(c *call) {
	a, b := c.load(c.args[1]), c.load(c.args[2])
	for _, it := range []*item{&a, &b} {
		if it.exists() && it.kind != kindString {
			c.err("ERR The specified keys must contain string values")
			return
		}
	}
	o, ok := c.lcsArgs()
	if !ok {
		return
	}
	if (len(a.body)+1)*(len(b.body)+1) > maxLCSCells {
		c.err("ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len")
		return
	}
	t := newLCSTable(a.body, b.body)
	switch {
	case o.index:
		c.answerMatches(t, o)
	case o.length:
		c.int(int64(t.at(len(a.body), len(b.body))))
	default:
		text, _ := t.walk()
		c.bulk(text)
	}
}

func (c *call) lcsArgs() (o lcsOptions, ok bool) {
	for i := 3; i < len(c.args); i++ {
		switch {
		case c.argIs(i, "IDX"):
			o.index = true
		case c.argIs(i, "LEN"):
			o.length = true
		case c.argIs(i, "WITHMATCHLEN"):
			o.matchLengths = true
		case c.argIs(i, "MINMATCHLEN") && i+1 < len(c.args):
			i++
			if o.minLength, ok = c.intArg(i); !ok {
				return o, false
			}
		default:
			c.err(errSyntax)
			return o, false
		}
	}
	if o.index && o.length {
		c.err("ERR If you want both the length and indexes, please just use IDX.")
		return o, false
	}
	return o, true
}

func (c *call) answerMatches(t *lcsTable, o lcsOptions) {
	_, matches := t.walk()
	c.mapHeader(2)
	c.bulkString("matches")
	mark, n := c.mark(), 0
	for _, m := range matches {
		if m.length < o.minLength {
			continue
		}
		n++
		if o.matchLengths {
			c.array(3)
		} else {
			c.array(2)
		}
		for _, start := range []int64{m.a, m.b} {
			c.array(2)
			c.int(start)
			c.int(start + m.length - 1)
		}
		if o.matchLengths {
			c.int(m.length)
		}
	}
	c.wrap(mark, '*', n)
	c.bulkString("len")
	c.int(int64(t.at(len(t.a), len(t.b))))
}

// lcsTable is the dynamic programming table of the longest common subsequence:
// cell (i, j) is its length for the first i bytes of a and the first j of b.
type lcsTable struct {
	a, b  []byte
	cells []uint32
}

func newLCSTable(a, b []byte) *lcsTable {
	t := &lcsTable{a: a, b: b, cells: make([]uint32, (len(a)+1)*(len(b)+1))}
	width := len(b) + 1
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			if a[i-1] == b[j-1] {
				t.cells[i*width+j] = t.at(i-1, j-1) + 1
			} else {
				t.cells[i*width+j] = max(t.at(i-1, j), t.at(i, j-1))
			}
		}
	}
	return t
}

func (t *lcsTable) at(i, j int) uint32 { return t.cells[i*(len(t.b)+1)+j] }

// lcsMatch is a run of bytes that both have, at a in the one and b in the other.
type lcsMatch struct{ a, b, length int64 }

// walk goes back from the table's end and collects the subsequence and its runs,
// the last first. Ties go the way that Redis goes.
func (t *lcsTable) walk() (text []byte, matches []lcsMatch) {
	i, j := len(t.a), len(t.b)
	text = make([]byte, t.at(i, j))
	left := len(text)
	var run lcsMatch
	flush := func() {
		if run.length > 0 {
			matches = append(matches, run)
		}
		run = lcsMatch{}
	}
	for i > 0 && j > 0 {
		if t.a[i-1] != t.b[j-1] {
			if t.at(i-1, j) > t.at(i, j-1) {
				i--
			} else {
				j--
			}
			flush()
			continue
		}
		i, j, left = i-1, j-1, left-1
		text[left] = t.a[i]
		run = lcsMatch{a: int64(i), b: int64(j), length: run.length + 1}
	}
	flush()
	return text, matches
}

package store

// What Redis tells of a key's inside. Here all kinds lie in the state in one way
// each; the answers are what Redis's own would be for a value of this size.
const (
	packedEntries = 128 // hash-max-listpack-entries and its like
	packedBytes   = 64  // hash-max-listpack-value and its like
	intsetEntries = 512
	embeddedBytes = 44
)

// objectItem loads argument 2, or answers null if there is no such key.
func (c *call) objectItem() (it item, ok bool) {
	it = c.load(c.args[2])
	if !it.exists() {
		c.null()
	}
	return it, it.exists()
}

func runObjectEncoding(c *call) {
	if it, ok := c.objectItem(); ok {
		c.bulkString(c.encoding(&it))
	}
}

func (c *call) encoding(it *item) string {
	if it.kind == kindString {
		_, isInt := parseInt(it.body)
		switch {
		case isInt:
			return "int"
		case len(it.body) <= embeddedBytes:
			return "embstr"
		}
		return "raw"
	}
	small, ints := c.shape(it)
	switch {
	case it.kind == kindSet && ints:
		return "intset"
	case small:
		return "listpack"
	case it.kind == kindList:
		return "quicklist"
	case it.kind == kindZset:
		return "skiplist"
	}
	return "hashtable"
}

// shape says whether a collection would be one small block in Redis, and whether
// all its elements are integers and few enough for an intset.
func (c *call) shape(it *item) (small, ints bool) {
	n := c.length(it)
	if n > intsetEntries {
		return false, false
	}
	small, ints = n <= packedEntries, true
	for _, piece := range c.flatten(it) {
		_, isInt := parseInt(piece)
		ints = ints && isInt
		small = small && len(piece) <= packedBytes
	}
	return small, ints
}

func runObjectRefcount(c *call) {
	if _, ok := c.objectItem(); ok {
		c.int(1)
	}
}

// runObjectIdletime answers 0: when a key was last read is not kept.
func runObjectIdletime(c *call) {
	if _, ok := c.objectItem(); ok {
		c.int(0)
	}
}

func runObjectFreq(c *call) {
	if _, ok := c.objectItem(); ok {
		c.err("ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when " +
			"switching between policies at runtime LRU and LFU data will take some time to adjust.")
	}
}

func runObjectHelp(c *call) {
	c.help("OBJECT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
		"ENCODING <key>", "    Return the kind of internal representation used in order to store the value",
		"    associated with a <key>.",
		"FREQ <key>", "    Return the access frequency index of the <key>. The returned integer is",
		"    proportional to the logarithm of the recent access frequency of the key.",
		"IDLETIME <key>", "    Return the idle time of the <key>, that is the approximated number of",
		"    seconds elapsed since the last access to the key.",
		"REFCOUNT <key>", "    Return the number of references of the value associated with the specified",
		"    <key>.")
}

// help answers lines of text, ending as Redis's do.
func (c *call) help(lines ...string) {
	c.array(len(lines) + 2)
	for _, line := range lines {
		c.status(line)
	}
	c.status("HELP")
	c.status("    Print this help.")
}

// runMemoryUsage answers the size of the key's pairs in the state; of a large
// collection it looks at SAMPLES elements, 0 for all.
func runMemoryUsage(c *call) {
	samples := int64(5)
	for i := 3; i < len(c.args); i++ {
		if !c.argIs(i, "SAMPLES") || i+1 >= len(c.args) {
			c.err(errSyntax)
			return
		}
		i++
		n, ok := c.intArg(i)
		if !ok {
			return
		}
		if n < 0 {
			c.err(errSyntax)
			return
		}
		samples = n
	}
	it, ok := c.objectItem()
	if !ok {
		return
	}
	size := int64(recordKeyHead + len(it.key) + recordHead + len(it.body))
	if it.kind != kindString {
		size += c.elementBytes(&it, samples)
	}
	c.int(size)
}

// elementBytes adds up elements, or extrapolates from the first ones.
func (c *call) elementBytes(it *item, samples int64) int64 {
	prefix := it.appendElements(nil)
	seen, size := int64(0), int64(0)
	for key, value := range c.r.Scan(prefix, prefixEnd(prefix)) {
		c.spend(1)
		if samples > 0 && seen == samples {
			return size * max(c.length(it), seen) / seen
		}
		seen++
		size += int64(len(key) + len(value))
	}
	return size
}

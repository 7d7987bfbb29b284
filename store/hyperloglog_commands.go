package store

// hyperLogLogTable declares the HyperLogLog commands.
var hyperLogLogTable = []*Command{
	{Name: "pfadd", Arity: -2, Flags: Write | DenyOOM | Fast, FirstKey: 1, LastKey: 1, Step: 1,
		Summary: "Adds elements to a HyperLogLog key. Creates the key if it doesn't exist.",
		Group:   "hyperloglog", Since: "2.8.9", Complexity: "O(1) to add every element.",
		Args: "key [element [element ...]]",
		run:  runPfadd},
	{Name: "pfcount", Arity: -2, Flags: ReadOnly, FirstKey: 1, LastKey: -1, Step: 1,
		Summary: "Returns the approximated cardinality of the set(s) observed by the HyperLogLog key(s).",
		Group:   "hyperloglog", Since: "2.8.9", Complexity: "O(1) with a very small average constant time when called with a single key. O(N) with N being the number of keys, and much bigger constant times, when called with multiple keys.",
		Args: "key [key ...]",
		run:  runPfcount},
	{Name: "pfmerge", Arity: -2, Flags: Write | DenyOOM, FirstKey: 1, LastKey: -1, Step: 1,
		Summary: "Merges one or more HyperLogLog values into a single key.",
		Group:   "hyperloglog", Since: "2.8.9", Complexity: "O(N) to merge N HyperLogLogs, but with high constant times.",
		Args: "destkey sourcekey [sourcekey ...]",
		run:  runPfmerge},
}

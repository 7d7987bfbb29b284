package store

import (
	"errors"
	"sort"
	"strings"
)

// Command declares one command. One table holds them all, also those that the
// door serves itself (Door): the door, COMMAND DOCS and docs/store-commands.md
// are made from it.
type Command struct {
	Name  string // lower case: "set"; a subcommand as "client|list"
	Arity int    // with the name (and the container's); negative means at least
	Flags Flags
	// FirstKey, LastKey and Step say which arguments are keys, as in COMMAND
	// INFO: the name is argument 0, a negative LastKey counts from the end, a
	// FirstKey of 0 means none.
	FirstKey, LastKey, Step int
	// KeysOf finds the keys where their place depends on other arguments.
	KeysOf func(args [][]byte) ([][]byte, error)

	Summary, Group, Since, Complexity, Args string

	run         func(c *call) // nil for what the door serves
	isContainer bool
}

// Flags say how a command is to be treated.
type Flags uint32

// The flags. Those up to Movable have the names of COMMAND INFO; the others are
// between machine and door.
const (
	Write Flags = 1 << iota
	ReadOnly
	DenyOOM
	Admin
	PubSub
	NoScript
	Blocking
	Loading
	Stale
	Fast
	NoAuth
	NoMulti
	Movable
	// Door marks what the door serves itself: the machine never sees it.
	Door
	// Scatter marks a multi-key command that may be split by slot, as the replies
	// can be combined.
	Scatter
	// Everywhere marks what has to be run on every group.
	Everywhere
	// Long marks a read that may visit very much.
	Long
	// Internal marks what clients do not send by themselves.
	Internal
	// Random marks a read that chooses at random: see EncodeSeeded.
	Random
)

// flagNames are the names of the public flags, from bit 0.
var flagNames = [...]string{"write", "readonly", "denyoom", "admin", "pubsub", "noscript", "blocking",
	"loading", "stale", "fast", "no_auth", "no_multi", "movablekeys"}

// Names returns the flags as COMMAND INFO names them.
func (f Flags) Names() (names []string) {
	for i, name := range flagNames {
		if f&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return names
}

// ErrNoKeys is returned by Keys if a command has none, or if its arguments do not
// say where they are.
var ErrNoKeys = errors.New("invalid arguments specified for command")

// Keys returns the keys among args; args[0] is the name. Without an error there
// may still be none, if the command has none.
func (c *Command) Keys(args [][]byte) ([][]byte, error) {
	if c.KeysOf != nil {
		return c.KeysOf(args)
	}
	if c.FirstKey == 0 {
		return nil, nil
	}
	last := c.LastKey
	if last < 0 {
		last += len(args)
	}
	if last >= len(args) || c.FirstKey > last {
		return nil, ErrNoKeys
	}
	if c.FirstKey == last {
		return args[last : last+1 : last+1], nil
	}
	if c.Step == 1 {
		return args[c.FirstKey : last+1 : last+1], nil
	}
	var keys [][]byte
	for i := c.FirstKey; i <= last; i += c.Step {
		keys = append(keys, args[i])
	}
	return keys, nil
}

// hasArity says whether n arguments, with the name, are allowed.
func (c *Command) hasArity(n int) bool {
	if c.Arity < 0 {
		return n >= -c.Arity
	}
	return n == c.Arity
}

// HasArity says whether the command may be called with args, args[0] being its name.
func (c *Command) HasArity(args [][]byte) bool { return c.hasArity(len(args)) }

// IsContainer says whether the command is only a name for its subcommands.
func (c *Command) IsContainer() bool { return c.isContainer }

// table is every command, by name and in order. It is made once and never
// changed.
type table struct {
	byName  map[string]*Command
	ordered []*Command
}

// tableOfCommands is the one table.
var tableOfCommands = makeTable(families())

func makeTable(families [][]*Command) table {
	t := table{byName: map[string]*Command{}}
	for _, family := range families {
		for _, c := range family {
			t.byName[c.Name] = c
			t.ordered = append(t.ordered, c)
		}
	}
	for _, c := range t.ordered {
		if container, _, isSub := strings.Cut(c.Name, "|"); isSub {
			t.byName[container].isContainer = true
		}
	}
	sort.Slice(t.ordered, func(i, j int) bool { return t.ordered[i].Name < t.ordered[j].Name })
	return t
}

// longestName bounds the name of a command, subcommand included.
const longestName = 48

// Lookup returns the command of a name in any case, or nil. A subcommand's name
// is "container|subcommand". It does not allocate.
func Lookup(name []byte) *Command {
	var room [longestName]byte
	if len(name) > len(room) {
		return nil
	}
	return tableOfCommands.byName[string(appendLower(room[:0], name))]
}

// Find returns the command that args call: the subcommand if args[0] is a
// container and args[1] one of its subcommands, else as Lookup of args[0].
func Find(args [][]byte) *Command {
	if len(args) == 0 {
		return nil
	}
	c := Lookup(args[0])
	if c == nil || len(args) < 2 || !c.IsContainer() {
		return c
	}
	var room [longestName]byte
	if len(c.Name)+1+len(args[1]) > len(room) {
		return c
	}
	name := append(append(room[:0], c.Name...), '|')
	if sub := tableOfCommands.byName[string(appendLower(name, args[1]))]; sub != nil {
		return sub
	}
	return c
}

// Commands returns all commands in order of name. The slice must not be changed.
func Commands() []*Command { return tableOfCommands.ordered }

// appendLower appends name with A-Z made lower case.
func appendLower(dst, name []byte) []byte {
	for _, b := range name {
		if 'A' <= b && b <= 'Z' {
			b += 'a' - 'A'
		}
		dst = append(dst, b)
	}
	return dst
}

// numKeysAt returns a KeysOf for "... numkeys key [key ...]", with numkeys at
// argument at, and the keys of fixed arguments (such as a destination) before it.
func numKeysAt(at int, fixed ...int) func(args [][]byte) ([][]byte, error) {
	return func(args [][]byte) ([][]byte, error) {
		if len(args) <= at {
			return nil, ErrNoKeys
		}
		n, ok := parseInt(args[at])
		if !ok || n < 1 || n > int64(len(args)-at-1) {
			return nil, ErrNoKeys
		}
		keys := make([][]byte, 0, len(fixed)+int(n))
		for _, i := range fixed {
			keys = append(keys, args[i])
		}
		return append(keys, args[at+1:at+1+int(n)]...), nil
	}
}

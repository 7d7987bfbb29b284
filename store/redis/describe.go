package redis

import (
	"errors"
	"slices"
	"strings"

	"flotilla/store"
)

// cmdCommand is COMMAND and its subcommands, all made from the table of package store.
func cmdCommand(r *request) {
	out := &r.c.out
	switch sub := r.sub(); sub {
	case "":
		r.commandInfo(topCommands())
	case "count":
		out.int(len(topCommands()))
	case "info":
		if len(r.args) == 2 {
			r.commandInfo(topCommands())
			return
		}
		r.commandInfo(lookupAll(r.args[2:]))
	case "docs":
		r.commandDocs()
	case "list":
		r.commandList()
	case "getkeys", "getkeysandflags":
		r.commandKeys(sub == "getkeysandflags")
	case "help":
		r.help("(no subcommand)", "COUNT", "DOCS [<command-name> ...]", "GETKEYS <full-command>", "GETKEYSANDFLAGS <full-command>",
			"INFO [<command-name> ...]", "LIST [FILTERBY (MODULE <name>|ACLCAT <cat>|PATTERN <pattern>)]")
	default:
		r.unknownSub()
	}
}

// topCommands returns all but the subcommands, which their containers show, and
// the internal ones.
func topCommands() (top []*store.Command) {
	for _, c := range store.Commands() {
		if !strings.Contains(c.Name, "|") && c.Flags&store.Internal == 0 {
			top = append(top, c)
		}
	}
	return top
}

func subCommands(container string) (subs []*store.Command) {
	for _, c := range store.Commands() {
		if strings.HasPrefix(c.Name, container+"|") && c.Flags&store.Internal == 0 {
			subs = append(subs, c)
		}
	}
	return subs
}

// lookupAll finds commands by name; what does not exist is nil.
func lookupAll(names [][]byte) []*store.Command {
	found := make([]*store.Command, len(names))
	for i, name := range names {
		found[i] = store.Lookup(name)
	}
	return found
}

func (r *request) commandInfo(commands []*store.Command) {
	r.c.out.array(len(commands))
	for _, c := range commands {
		if c == nil {
			r.c.out.null()
			continue
		}
		r.c.out.commandInfo(c)
	}
}

func (e *encoder) commandInfo(c *store.Command) {
	e.array(10)
	e.text(c.Name)
	e.int(c.Arity)
	e.statuses(c.Flags.Names())
	e.int(c.FirstKey)
	e.int(c.LastKey)
	e.int(c.Step)
	e.statuses(aclCategories(c))
	e.array(0) // tips
	e.array(0) // key specifications: the three numbers and GETKEYS say it all
	subs := subCommands(c.Name)
	e.array(len(subs))
	for _, sub := range subs {
		e.commandInfo(sub)
	}
}

func (e *encoder) statuses(words []string) {
	e.set(len(words))
	for _, word := range words {
		e.status(word)
	}
}

func aclCategories(c *store.Command) (all []string) {
	for flag, name := range map[store.Flags]string{store.Write: "@write", store.ReadOnly: "@read",
		store.Admin: "@admin", store.Blocking: "@blocking", store.PubSub: "@pubsub"} {
		if c.Flags&flag != 0 {
			all = append(all, name)
		}
	}
	if c.Flags&store.Admin != 0 {
		all = append(all, "@dangerous")
	}
	if c.Flags&store.Fast != 0 {
		all = append(all, "@fast")
	} else {
		all = append(all, "@slow")
	}
	switch c.Group {
	case "string", "hash", "list", "set", "bitmap", "hyperloglog", "connection":
		all = append(all, "@"+c.Group)
	case "sorted-set":
		all = append(all, "@sortedset")
	case "generic":
		all = append(all, "@keyspace")
	case "transactions":
		all = append(all, "@transaction")
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func (r *request) commandDocs() {
	commands := topCommands()
	if len(r.args) > 2 {
		commands = slices.DeleteFunc(lookupAll(r.args[2:]), func(c *store.Command) bool { return c == nil })
	}
	r.c.out.mapOf(len(commands))
	for _, c := range commands {
		r.c.out.text(c.Name)
		r.c.out.docs(c)
	}
}

func (e *encoder) docs(c *store.Command) {
	subs := subCommands(c.Name)
	n := 4
	if c.Args != "" {
		n++
	}
	if len(subs) > 0 {
		n++
	}
	e.mapOf(n)
	for _, pair := range [][2]string{{"summary", c.Summary}, {"since", c.Since}, {"group", c.Group}, {"complexity", c.Complexity}} {
		e.text(pair[0])
		e.text(pair[1])
	}
	if c.Args != "" { // one argument that shows the syntax as a whole
		e.text("arguments")
		e.array(1)
		e.mapOf(3)
		for _, pair := range [][2]string{{"name", c.Args}, {"type", "string"}, {"display_text", c.Args}} {
			e.text(pair[0])
			e.text(pair[1])
		}
	}
	if len(subs) > 0 {
		e.text("subcommands")
		e.mapOf(len(subs))
		for _, sub := range subs {
			e.text(sub.Name)
			e.docs(sub)
		}
	}
}

func (r *request) commandList() {
	keep := func(*store.Command) bool { return true }
	switch {
	case len(r.args) == 2:
	case len(r.args) == 5 && r.is(2, "filterby") && r.is(3, "pattern"):
		keep = func(c *store.Command) bool { return store.MatchGlob(r.args[4], []byte(c.Name)) }
	case len(r.args) == 5 && r.is(2, "filterby") && r.is(3, "aclcat"):
		keep = func(c *store.Command) bool {
			return slices.Contains(aclCategories(c), "@"+strings.ToLower(string(r.args[4])))
		}
	case len(r.args) == 5 && r.is(2, "filterby") && r.is(3, "module"):
		keep = func(*store.Command) bool { return false }
	default:
		r.syntaxError()
		return
	}
	var names []string
	for _, c := range store.Commands() {
		if c.Flags&store.Internal == 0 && keep(c) {
			names = append(names, c.Name)
		}
	}
	r.c.out.set(len(names))
	for _, name := range names {
		r.c.out.text(name)
	}
}

// commandKeys answers where the keys of a command are, and what it does to them.
func (r *request) commandKeys(withFlags bool) {
	args := r.args[2:]
	cmd := store.Find(args)
	switch {
	case len(args) == 0 || cmd == nil:
		r.fail("ERR Invalid command specified")
		return
	case !cmd.HasArity(args):
		r.fail("ERR Invalid number of arguments specified for command")
		return
	}
	keys, err := cmd.Keys(args)
	switch {
	case errors.Is(err, store.ErrNoKeys):
		r.fail("ERR Invalid arguments specified for command")
		return
	case err != nil:
		r.fail("ERR " + err.Error())
		return
	case len(keys) == 0:
		r.fail("ERR The command has no key arguments")
		return
	}
	out := &r.c.out
	out.array(len(keys))
	for _, key := range keys {
		if !withFlags {
			out.bulk(key)
			continue
		}
		out.array(2)
		out.bulk(key)
		if cmd.Flags&store.Write != 0 {
			out.statuses([]string{"RW", "UPDATE"})
		} else {
			out.statuses([]string{"RO", "ACCESS"})
		}
	}
}

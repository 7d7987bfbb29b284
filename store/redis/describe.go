package redis

import (
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
		r.help()
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
	specs := r.c.server.specs()
	for _, c := range commands {
		if c == nil {
			r.c.out.null()
			continue
		}
		r.c.out.commandInfo(c, specs)
	}
}

func (e *encoder) commandInfo(c *store.Command, specs map[string]*commandSpec) {
	spec := specOf(c, specs)
	e.array(10)
	e.text(c.Name)
	e.int(c.Arity)
	e.statuses(spec.Flags)
	e.int(c.FirstKey)
	e.int(c.LastKey)
	e.int(c.Step)
	e.statuses(spec.ACL)
	e.set(len(spec.Tips))
	for _, tip := range spec.Tips {
		e.text(tip)
	}
	e.set(len(spec.Keys))
	for i := range spec.Keys {
		e.keySpec(&spec.Keys[i])
	}
	subs := subCommands(c.Name)
	if len(subs) == 0 { // as in Redis: no list, but an empty set
		e.set(0)
		return
	}
	e.array(len(subs))
	for _, sub := range subs {
		e.commandInfo(sub, specs)
	}
}

// specOf returns a command's specification: from the table alone if Redis has no
// such command.
func specOf(c *store.Command, specs map[string]*commandSpec) *commandSpec {
	if spec := specs[c.Name]; spec != nil {
		return spec
	}
	acl := []string{"@slow", "@connection"}
	if c.Flags&store.Admin != 0 {
		acl = []string{"@admin", "@slow", "@dangerous"}
	}
	return &commandSpec{Flags: c.Flags.Names(), ACL: acl}
}

func (e *encoder) statuses(words []string) {
	e.set(len(words))
	for _, word := range words {
		e.status(word)
	}
}

func (r *request) commandDocs() {
	commands := topCommands()
	if len(r.args) > 2 {
		commands = slices.DeleteFunc(lookupAll(r.args[2:]), func(c *store.Command) bool { return c == nil })
	}
	r.c.out.mapOf(len(commands))
	for _, c := range commands {
		r.c.out.text(c.Name)
		r.c.out.docs(c, r.c.server.specs())
	}
}

func (e *encoder) docs(c *store.Command, specs map[string]*commandSpec) {
	subs, more := subCommands(c.Name), specOf(c, specs).Docs
	n := 4 + len(more)
	if len(subs) > 0 {
		n++
	}
	e.mapOf(n)
	for _, pair := range [][2]string{{"summary", c.Summary}, {"since", c.Since}, {"group", c.Group}, {"complexity", c.Complexity}} {
		e.text(pair[0])
		e.text(pair[1])
	}
	e.pairs(more)
	if len(subs) > 0 {
		e.text("subcommands")
		e.mapOf(len(subs))
		for _, sub := range subs {
			e.text(sub.Name)
			e.docs(sub, specs)
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
			return slices.Contains(specOf(c, r.c.server.specs()).ACL, "@"+strings.ToLower(string(r.args[4])))
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
	r.c.out.array(len(names))
	for _, name := range names {
		r.c.out.text(name)
	}
}

// commandKeys answers where the keys of a command are, and what it does to them.
func (r *request) commandKeys(withFlags bool) {
	args := r.args[2:]
	cmd := store.Find(args)
	switch {
	case cmd == nil, cmd.IsContainer() && len(args) > 1: // the subcommand does not exist
		r.fail("ERR Invalid command specified")
		return
	case cmd.FirstKey == 0 && cmd.KeysOf == nil:
		r.fail("ERR The command has no key arguments")
		return
	case !cmd.HasArity(args):
		r.fail("ERR Invalid number of arguments specified for command")
		return
	}
	keys, err := cmd.Keys(args)
	if err != nil {
		r.fail("ERR Invalid arguments specified for command")
		return
	}
	out := &r.c.out
	out.array(len(keys))
	for _, k := range specOf(cmd, r.c.server.specs()).flagKeys(cmd, args, keys) {
		if withFlags {
			out.array(2)
		}
		out.bulk(k.key)
		if withFlags {
			out.statuses(k.flags)
		}
	}
}

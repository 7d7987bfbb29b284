package store

import (
	"fmt"
	"sort"
	"strings"
	"testing"

	"flotilla/golden"
)

// TestDocs makes docs/store-commands.md from the table and fails if the file is
// another one: go test ./store -run TestDocs -update writes it.
func TestDocs(t *testing.T) {
	golden.File(t, "../docs/store-commands.md", commandDocs(Commands()))
}

// commandDocs writes one table for each group of commands.
func commandDocs(commands []*Command) string {
	groups := map[string][]*Command{}
	var names []string
	for _, c := range commands {
		if len(groups[c.Group]) == 0 {
			names = append(names, c.Group)
		}
		groups[c.Group] = append(groups[c.Group], c)
	}
	sort.Strings(names)
	var b strings.Builder
	fmt.Fprintf(&b, `# The store's commands

Made from the table in store/*_commands.go: do not edit. To make it again:
%sgo test ./store -run TestDocs -update%s

Commands behave as in Redis 7.2. *Served by* says who answers: **group** the machine of the key's
group, through the log if it writes · **groups** the machines of all groups, one after another or side by
side · **split** the groups of the keys, each its part · **door** the node that the client is connected to.

COMMAND INFO, DOCS, GETKEYS and GETKEYSANDFLAGS answer as Redis 7.2.6 does for all of these, byte for byte, but for the order of
subcommands and three things: subcommands that are not here are not listed; COMMAND DOCS tells the complexity that a command has
here (below), which is another for some of those on lists, sorted sets and random elements; CONSISTENCY and DEBUG SLEEP are
Flotilla's own. "go test ./store/redis -run LikeRedis" compares with what one answered; its list ownComplexity names the commands.
`, "`", "`")
	for _, name := range names {
		fmt.Fprintf(&b, "\n## %s\n\n| command | arguments | what it does | since | complexity | flags | served by |\n|---|---|---|---|---|---|---|\n", name)
		for _, c := range groups[name] {
			fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s | %s |\n", strings.ToUpper(strings.ReplaceAll(c.Name, "|", " ")),
				cell(c.Args), cell(c.Summary), c.Since, cell(c.Complexity), strings.Join(c.Flags.Names(), " "), servedBy(c))
		}
	}
	return b.String()
}

func cell(s string) string {
	if s == "" {
		return ""
	}
	s = strings.ReplaceAll(s, "|", "\\|")
	return strings.ReplaceAll(strings.ReplaceAll(s, "<", "&lt;"), "\n", " ")
}

func servedBy(c *Command) string {
	switch {
	case c.Flags&Door != 0:
		return "door"
	case c.Flags&Everywhere != 0:
		return "groups"
	case c.Flags&Scatter != 0:
		return "split"
	case c.IsContainer():
		return ""
	}
	return "group"
}

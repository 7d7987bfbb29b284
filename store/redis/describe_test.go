package redis

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"flotilla/store"
)

var updateSpecs = flag.Bool("update", false, "write commands.json and what a Redis 7.2 answers")

// ownCommands are those that Redis does not have.
var ownCommands = []string{"consistency", "debug|sleep"}

// ownComplexity are the commands whose work is another than in Redis, so that COMMAND
// DOCS says so. It is the only difference, but for what is not served here at all.
var ownComplexity = []string{"hrandfield", "lindex", "linsert", "lrange", "lrem", "lset", "spop", "srandmember",
	"unlink", "zcount", "zlexcount", "zrandmember", "zrange", "zrangestore", "zrank", "zremrangebyrank", "zrevrange", "zrevrank"}

// answer is a reply that was taken apart.
type answer struct {
	kind  byte
	text  string // of a bulk, a status or a number
	items []answer
}

// parseAnswer reads what rawClient.do returned.
func parseAnswer(lines []string) (a answer, rest []string) {
	line := lines[0]
	a.kind, a.text, rest = line[0], line[1:], lines[1:]
	n, _ := strconv.Atoi(a.text)
	switch a.kind {
	case '$', '=':
		if n >= 0 {
			a.text, rest = rest[0], rest[1:]
		}
		return a, rest
	case '%':
		n *= 2
	case '*', '~':
	default:
		return a, rest
	}
	for range n {
		var item answer
		item, rest = parseAnswer(rest)
		a.items = append(a.items, item)
	}
	return a, rest
}

func takeApart(reply string) answer {
	a, _ := parseAnswer(strings.Split(reply, "\n"))
	return a
}

func (c *rawClient) ask(args ...string) answer { return takeApart(c.do(args...)) }

// json writes an answer as in commands.json.
func (a answer) json() string {
	var parts []string
	switch a.kind {
	case '%':
		for i := 0; i < len(a.items); i += 2 {
			parts = append(parts, a.items[i].json()+": "+a.items[i+1].json())
		}
		return "{" + strings.Join(parts, ", ") + "}"
	case '*', '~':
		for _, item := range a.items {
			parts = append(parts, item.json())
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case ':':
		return a.text
	}
	return strconv.Quote(a.text)
}

// without returns a map's pairs but for some.
func (a answer) without(names ...string) answer {
	kept := answer{kind: a.kind}
	for i := 0; i+1 < len(a.items); i += 2 {
		if !slices.Contains(names, a.items[i].text) {
			kept.items = append(kept.items, a.items[i], a.items[i+1])
		}
	}
	return kept
}

// shared returns the names of the commands that Redis has too.
func shared() (names []string) {
	for _, c := range store.Commands() {
		if c.Flags&store.Internal == 0 && !slices.Contains(ownCommands, c.Name) {
			names = append(names, c.Name)
		}
	}
	return names
}

// writeSpecs makes commands.json.
func writeSpecs(t *testing.T, c *rawClient) {
	c.do("hello", "3")
	var b strings.Builder
	for i, name := range shared() {
		info := c.ask("command", "info", name).items[0].items
		more := c.ask("command", "docs", name).items[1].without("summary", "since", "group", "complexity", "subcommands")
		fmt.Fprintf(&b, "%s%q: {\"flags\": %s, \"acl\": %s, \"tips\": %s, \"keys\": %s, \"docs\": %s}", map[bool]string{true: "{\n", false: ",\n"}[i == 0],
			name, info[2].json(), info[6].json(), info[7].json(), info[8].json(), more.json())
	}
	if err := os.WriteFile("commands.json", []byte(b.String()+"\n}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestSpecsFitTheTable needs no Redis: the table of package store and commands.json
// say the same of each command.
func TestSpecsFitTheTable(t *testing.T) {
	specs := readSpecs()
	if got := slices.Sorted(maps.Keys(specs)); !slices.Equal(got, shared()) {
		t.Fatalf("commands.json has %v, the table %v", got, shared())
	}
	for _, c := range store.Commands() {
		spec := specs[c.Name]
		if spec == nil {
			continue
		}
		var extra []string
		for _, flag := range spec.Flags {
			if !slices.Contains(c.Flags.Names(), flag) {
				extra = append(extra, flag)
			}
		}
		for _, flag := range c.Flags.Names() {
			if !slices.Contains(spec.Flags, flag) {
				t.Errorf("%s: Redis does not have the flag %s", c.Name, flag)
			}
		}
		extra = slices.DeleteFunc(extra, func(s string) bool { return s == "allow_busy" || s == "skip_slowlog" })
		if len(extra) > 0 { // those two mean nothing here
			t.Errorf("%s: the table lacks %v", c.Name, extra)
		}
		if hasKeys := c.FirstKey > 0 || c.KeysOf != nil; hasKeys != (len(spec.Keys) > 0) {
			t.Errorf("%s: the table and the key specifications differ", c.Name)
		}
	}
}

// plain writes an answer, with the subcommands of a container in order of name and
// those left out that are not here.
func (a answer) plain() string {
	size := 1
	if a.kind == '%' {
		size = 2
	}
	var parts []string
	for i := 0; i < len(a.items); i += size {
		name := a.items[i].text
		if a.items[i].kind == '*' && len(a.items[i].items) == 10 {
			name = a.items[i].items[0].text
		}
		if strings.Contains(name, "|") && store.Lookup([]byte(name)) == nil {
			continue
		}
		part := a.items[i].plain()
		if size == 2 {
			part += "=" + a.items[i+1].plain()
		}
		parts = append(parts, part)
	}
	if len(a.items) == 0 {
		return string(a.kind) + a.text
	}
	if first := a.items[0]; len(first.items) == 10 || a.kind == '%' && strings.Contains(first.text, "|") {
		slices.Sort(parts)
	}
	return string(a.kind) + "(" + strings.Join(parts, " ") + ")"
}

// TestCommandsLikeRedis compares COMMAND INFO and COMMAND DOCS of each command with
// a real Redis 7.2, in both protocols.
func TestCommandsLikeRedis(t *testing.T) {
	theirs := newRedis72(t, "testdata/redis-7.2.6-command.json")
	if *updateSpecs {
		writeSpecs(t, theirs.real)
	}
	l := newLab(t, 1, 1)
	ours := dialRaw(t, l.addrs[0])
	defer ours.Close()
	for _, protocol := range []string{"2", "3"} {
		ours.do("hello", protocol)
		theirs.hello(protocol)
		for _, name := range shared() {
			if name == "debug" { // its only subcommand is ours alone
				continue
			}
			if got, want := ours.ask("command", "info", name).plain(), theirs.ask("command", "info", name).plain(); got != want {
				t.Errorf("RESP%s command info %s:\ngot  %s\nwant %s", protocol, name, got, want)
			}
			if protocol == "2" { // a map's pairs are not told apart
				continue
			}
			got, want := ours.ask("command", "docs", name), theirs.ask("command", "docs", name)
			if slices.Contains(ownComplexity, name) {
				if got.plain() == want.plain() {
					t.Errorf("%s: its complexity is not its own", name)
				}
				got.items[1], want.items[1] = got.items[1].without("complexity"), want.items[1].without("complexity")
			}
			if got.plain() != want.plain() {
				t.Errorf("command docs %s:\ngot  %s\nwant %s", name, got.plain(), want.plain())
			}
		}
	}
}

// keyedCommands are asked of COMMAND GETKEYS and GETKEYSANDFLAGS.
const keyedCommands = `
get a
get
set a 1
set a 1 get
set a 1 ex 5 GET
mset a 1 b 2
mset a 1 b
mget a b c
mget
del a b
bitfield a get u8 0
bitfield a set u8 0 1
bitfield_ro a get u8 0
bitop and d a b
sort a
sort a store b
sort a by x get y limit 0 1 store b
sort_ro a by x
zunionstore d 2 a b
zunionstore d 2 a b weights 1 2
zunionstore d 0 a
zunionstore d x a
zunion 2 a b
zinterstore d 1 a
zdiffstore d 2 a b
zrangestore d s 0 1
sintercard 2 a b limit 1
lmpop 2 a b left
zmpop 1 a min
blmpop 0 2 a b left
bzmpop 0 1 a max
blpop a b 0
brpoplpush a b 0
blmove a b left right 0
rpoplpush a b
smove a b x
rename a b
copy a b
lcs a b
pfcount a b
pfmerge a b c
getdel a
getex a
getset a 1
setrange a 0 x
hset a f v
xyz a
nosuch a b
ping
subscribe a
client id
object encoding a
object help
memory usage a
watch a b
exec
restore a 0 x
expire a 1
lpush a 1
zadd a 1 x
spop a
touch a b
`

func TestKeysLikeRedis(t *testing.T) {
	theirs := newRedis72(t, "testdata/redis-7.2.6-keys.json")
	l := newLab(t, 1, 1)
	ours := dialRaw(t, l.addrs[0])
	defer ours.Close()
	for _, protocol := range []string{"2", "3"} {
		ours.do("hello", protocol)
		theirs.hello(protocol)
		for line := range strings.SplitSeq(strings.TrimSpace(keyedCommands), "\n") {
			for _, sub := range []string{"getkeys", "getkeysandflags"} {
				args := append([]string{"command", sub}, strings.Fields(line)...)
				if got, want := ours.do(args...), theirs.do(args...); got != want {
					t.Errorf("RESP%s %v:\ngot  %q\nwant %q", protocol, args, got, want)
				}
			}
		}
	}
}

package store

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"sort"
	"strconv"
	"strings"
	"testing"
	"time"

	"flotilla"
)

// TestCollectionsLikeRedis sends random commands of each family to the machine
// and to a real Redis: replies in both protocols and keyspace events must be the
// same, where Redis leaves an order open apart from that.
func TestCollectionsLikeRedis(t *testing.T) {
	steps := 6000
	if testing.Short() {
		steps = 1000
	}
	for i, family := range collectionGrammars {
		for _, protocol := range []int{2, 3} {
			t.Run(fmt.Sprintf("%s/RESP%d", family.name, protocol), func(t *testing.T) {
				o := startOracle(t, protocol)
				version := o.version(t)
				g := &grammar{r: rand.New(rand.NewPCG(uint64(i), uint64(protocol))), keys: strings.Fields(family.keys),
					templates: family.templates, scores: exactScores}
				if version >= 702 {
					g.scores = append(slices.Clone(exactScores), moreScores...)
					g.templates = append(slices.Clone(g.templates), "zrank $k $m withscore", "zrevrank $k $m withscore")
				}
				newComparison(t, o, protocol, version).run(g, steps)
			})
		}
	}
}

// version returns 702 for Redis 7.2.
func (o *oracle) version(t *testing.T) int {
	_, after, _ := strings.Cut(string(o.ask(t, "INFO", "server")), "redis_version:")
	parts := strings.SplitN(after, ".", 3)
	major, _ := strconv.Atoi(parts[0])
	minor, _ := strconv.Atoi(parts[1])
	return major*100 + minor
}

// comparison is a machine and a Redis that are asked the same.
type comparison struct {
	t        *testing.T
	o        *oracle
	l        *lab
	protocol int
	version  int
	events   *oracle // a connection that has subscribed to all events
	history  []string
	marks    int
	// checkEvery is after how many commands the whole state is checked.
	checkEvery int
}

func newComparison(t *testing.T, o *oracle, protocol, version int) *comparison {
	conn, err := net.Dial("unix", o.conn.RemoteAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	x := &comparison{t: t, o: o, l: newLab(), protocol: protocol, version: version, checkEvery: 1,
		events: &oracle{conn: conn, in: bufio.NewReader(conn)}}
	o.ask(t, "CONFIG", "SET", "notify-keyspace-events", "EAn")
	x.events.ask(t, "PSUBSCRIBE", "__keyevent@0__:*", "mark")
	x.events.reply(t, nil)
	conn.SetDeadline(time.Time{}) // ask set one
	return x
}

func (x *comparison) run(g *grammar, steps int) {
	for range steps {
		x.compare(g.command())
	}
}

// compare carries one command out on both and compares replies and events.
func (x *comparison) compare(args []string) {
	x.history = append(x.history, fmt.Sprintf("%.200q", args))
	x.step(args)
	ours, theirs := x.l.events, x.theirEvents()
	for i := range ours {
		ours[i] = ours[i][2:] // without the class
	}
	if !slices.Equal(ours, theirs) {
		x.fail(args, fmt.Sprint(ours), fmt.Sprint(theirs))
	}
	x.l.events = nil
	if x.marks%x.checkEvery == 0 {
		if err := errors.Join(x.l.check(), x.l.checkElements()); err != nil {
			x.fail(args, err.Error(), "")
		}
	}
}

// raw has the machine carry out a command.
func (x *comparison) raw(args ...string) []byte {
	if x.checkEvery == 1 {
		return x.l.raw(args...)
	}
	return x.l.entry(Encode(nil, toBytes(args)))[0]
}

func (x *comparison) fail(args []string, ours, theirs string) {
	x.t.Helper()
	x.t.Fatalf("%.300q:\n ours   %.1000q\n theirs %.1000q\nafter\n%s", args, ours, theirs,
		strings.Join(x.history[max(0, len(x.history)-40):], "\n"))
}

// theirEvents returns the events of Redis since the last time.
func (x *comparison) theirEvents() (events []string) {
	x.marks++
	mark := fmt.Sprint(x.marks)
	x.o.ask(x.t, "PUBLISH", "mark", mark)
	for {
		parts := bulks(x.events.reply(x.t, nil)) // pmessage pattern channel message
		if parts[2] == "mark" && parts[3] == mark {
			return events
		}
		if name, is := strings.CutPrefix(parts[2], "__keyevent@0__:"); is {
			events = append(events, name+" "+parts[3])
		}
	}
}

// bulks returns the bulk strings and doubles of a reply in order.
func bulks(reply []byte) (out []string) {
	for len(reply) > 0 {
		line, rest, _ := bytes.Cut(reply, []byte("\r\n"))
		reply = rest
		switch line[0] {
		case '$':
			if n, _ := strconv.Atoi(string(line[1:])); n >= 0 {
				out, reply = append(out, string(rest[:n])), rest[n+2:]
			}
		case ',':
			out = append(out, string(line[1:]))
		}
	}
	return out
}

func isError(reply []byte) bool { return len(reply) > 0 && reply[0] == '-' }

// step asks both and compares.
func (x *comparison) step(args []string) {
	name := strings.ToLower(args[0])
	x.l.time = max(x.l.time, flotilla.Millis(1))
	switch {
	case name == "lset" && len(args) > 2 && len(args[2]) > 10:
		return // Redis cuts such an index to 32 bits
	case strings.HasPrefix(name, "b"):
		x.inExec(args)
		return
	case x.version < 702 && strings.HasSuffix(name, "rank") && len(args) == 4:
		return // WITHSCORE is of 7.2
	case strings.HasSuffix(name, "scan"):
		x.scan(args)
		return
	}
	ours := x.render(x.raw(args...))
	theirs := x.o.ask(x.t, args...)
	switch {
	case isError(ours) || isError(theirs):
		x.same(args, string(ours), string(theirs))
	case name == "spop":
		x.spop(args, ours, theirs)
	case strings.Contains(name, "rand"):
		x.random(args, ours, theirs)
	default:
		x.same(args, canonical(name, ours), canonical(name, theirs))
	}
}

func (x *comparison) render(reply []byte) []byte {
	if x.protocol == 3 {
		return RenderRESP3(nil, reply)
	}
	return RenderRESP2(nil, reply)
}

func (x *comparison) same(args []string, ours, theirs string) {
	x.t.Helper()
	if ours != theirs && !sameNumbers(ours, theirs, x.version >= 702) {
		x.fail(args, ours, theirs)
	}
}

// sameNumbers says whether two replies differ in no more than how they write
// their numbers: before Redis 7.2 it was not with the fewest digits, and from then
// on nearly always (Grisu2 makes 1e+23 99999999999999990000000).
func sameNumbers(ours, theirs string, mustBeLong bool) bool {
	a, b := bulks([]byte(ours)), bulks([]byte(theirs))
	return len(a) > 0 && slices.EqualFunc(a, b, func(x, y string) bool {
		f, err := strconv.ParseFloat(x, 64)
		g, err2 := strconv.ParseFloat(y, 64)
		return x == y || err == nil && err2 == nil && f == g && (!mustBeLong || len(y) > 16 && len(y) >= len(x))
	})
}

// inExec carries a blocking command out where Redis does not block: in MULTI.
func (x *comparison) inExec(args []string) {
	x.o.ask(x.t, "MULTI")
	if queued := x.o.ask(x.t, args...); isError(queued) {
		x.o.ask(x.t, "DISCARD")
		x.same(args, string(x.render(x.raw(args...))), string(queued))
		return
	}
	theirs := x.o.ask(x.t, "EXEC")
	ours := x.l.entry(EncodeExec(nil, nil, [][][]byte{toBytes(args)}))[0]
	const timeout = "-ERR timeout is "
	if bytes.Contains(ours, []byte(timeout)) && bytes.Contains(theirs, []byte(timeout)) &&
		(x.version < 702 || slices.Contains(args, "1e400")) {
		return // Redis 7.0's arithmetic overflows; its numbers go up to 1e4932
	}
	x.same(args, string(x.render(ours)), string(theirs))
}

// spop checks that both popped as many, and makes Redis's set the same again.
func (x *comparison) spop(args []string, ours, theirs []byte) {
	popped, theirPopped := bulks(ours), bulks(theirs)
	if len(popped) != len(theirPopped) || ours[0] != theirs[0] || len(popped) > 0 && ours[0] != '$' && !bytes.Equal(head(ours), head(theirs)) {
		x.fail(args, string(ours), string(theirs))
	}
	if len(popped) > 0 {
		events := x.theirEvents() // of the command itself
		x.o.ask(x.t, append([]string{"SADD", args[1]}, theirPopped...)...)
		x.o.ask(x.t, append([]string{"SREM", args[1]}, popped...)...)
		x.theirEvents()
		for i, event := range x.l.events {
			x.l.events[i] = event[2:]
		}
		x.same(args, fmt.Sprint(x.l.events), fmt.Sprint(events))
		x.l.events = nil
	}
}

func head(reply []byte) []byte {
	line, _, _ := bytes.Cut(reply, []byte("\n"))
	return line
}

// random checks that both chose as many, in the same shape, and that ours are
// elements, different ones unless they may repeat.
func (x *comparison) random(args []string, ours, theirs []byte) {
	if len(bulks(ours)) != len(bulks(theirs)) || ours[0] != '$' && !bytes.Equal(head(ours), head(theirs)) || ours[0] != theirs[0] {
		x.fail(args, string(ours), string(theirs))
	}
	chosen := bulks(ours)
	if len(args) == 4 {
		x.chosenPairs(args, chosen)
		return
	}
	has := map[string]string{"hrandfield": "hexists", "srandmember": "sismember", "zrandmember": "zscore"}[args[0]]
	seen := map[string]bool{}
	for _, member := range chosen {
		if reply := readable(x.raw(has, args[1], member)); reply == "0" || reply == "nil" {
			x.fail(args, member, "not an element")
		}
		if seen[member] && !(len(args) == 3 && args[2][0] == '-') {
			x.fail(args, member, "chosen twice")
		}
		seen[member] = true
	}
}

func (x *comparison) chosenPairs(args []string, chosen []string) {
	value := map[string]string{"hrandfield": "hget", "zrandmember": "zscore"}[args[0]]
	for i := 0; i < len(chosen); i += 2 {
		if got := bulks(x.raw(value, args[1], chosen[i])); len(got) != 1 || got[0] != chosen[i+1] {
			x.fail(args, fmt.Sprint(chosen[i:i+2]), fmt.Sprint(got))
		}
	}
}

// scan goes on until either cursor is 0 and compares all that was returned.
func (x *comparison) scan(args []string) {
	if len(args) > 2 && args[2] != "0" {
		if _, err := strconv.ParseFloat(args[2], 64); err == nil || args[2] == "" {
			return // where a made-up cursor points is nobody's promise
		}
	}
	size := 2
	if args[0] == "sscan" {
		size = 1
	}
	all := func(ask func(args ...string) []byte) string {
		seen := map[string]bool{}
		next := slices.Clone(args)
		for {
			reply := ask(next...)
			if isError(reply) {
				return string(reply)
			}
			items := bulks(reply)
			for i := 1; i < len(items); i += size {
				last := &items[i+size-1]
				if f, err := strconv.ParseFloat(*last, 64); err == nil && args[0] == "zscan" {
					*last = fmt.Sprint(f)
				}
				seen[strings.Join(items[i:i+size], "=")] = true
			}
			if next[2] = items[0]; next[2] == "0" {
				break
			}
		}
		var names []string
		for name := range seen {
			names = append(names, name)
		}
		sort.Strings(names)
		return fmt.Sprintf("%q", names)
	}
	ours := all(func(args ...string) []byte { return x.render(x.raw(args...)) })
	theirs := all(func(args ...string) []byte { return x.o.ask(x.t, args...) })
	x.same(args, ours, theirs)
}

package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"flotilla"
	"flotilla/store"
	"flotilla/store/redis/redistest"
)

// do sends one command and returns the reply in RESP2, line ends as blanks.
func do(t testing.TB, s *store.Session, line string) string {
	t.Helper()
	var args [][]byte
	for _, word := range strings.Fields(line) {
		args = append(args, []byte(word))
	}
	defer s.Reset()
	if err := s.Add(store.Lookup(args[0]), args); err != nil {
		return err.Error()
	}
	s.Do(context.Background())
	reply, err := s.Reply(0)
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(strings.ReplaceAll(string(store.RenderRESP2(nil, reply)), "\r\n", " "))
}

func TestSessionCombinesWhatWasSplit(t *testing.T) {
	cluster := redistest.New(1, 4)
	defer cluster.Close()
	s := store.NewSession(cluster.Host(1))
	var keys, want []string
	for i := range 40 {
		do(t, s, fmt.Sprintf("set k%d v%d", i, i))
		keys = append(keys, fmt.Sprintf("k%d", i), fmt.Sprintf("no%d", i))
		want = append(want, fmt.Sprintf("$%d v%d", len(fmt.Sprintf("v%d", i)), i), "$-1")
	}
	all := strings.Join(keys, " ")
	if got := do(t, s, "mget "+all); got != "*80 "+strings.Join(want, " ") {
		t.Error(got)
	}
	for command, want := range map[string]string{"exists": ":40", "touch": ":40", "unlink": ":40", "del": ":0"} {
		if command == "exists" || command == "touch" {
			if got := do(t, s, command+" "+all); got != want {
				t.Errorf("%s: %s", command, got)
			}
		}
	}
	if got := do(t, s, "dbsize"); got != ":40" {
		t.Error(got)
	}
	if got := do(t, s, "unlink "+all); got != ":40" {
		t.Error(got)
	}
	if got := do(t, s, "del "+all); got != ":0" {
		t.Error(got)
	}
	if got := do(t, s, "mset a 1 b 2"); got != store.ErrCrossSlot.Error() {
		t.Error(got)
	}
}

// SCAN visits every key of every group that is there all the time, whatever
// comes and goes meanwhile, and ends.
func TestScanGoesThroughAllGroups(t *testing.T) {
	for _, groups := range []int{1, 5} {
		cluster := redistest.New(1, groups)
		s := store.NewSession(cluster.Host(1))
		for i := range 500 {
			do(t, s, fmt.Sprintf("set stays%d x", i))
		}
		seen := map[string]bool{}
		cursor, steps := "0", 0
		for ; steps == 0 || cursor != "0"; steps++ {
			do(t, s, fmt.Sprintf("set goes%d x", steps))
			do(t, s, fmt.Sprintf("del goes%d", steps-7))
			words := strings.Fields(do(t, s, "scan "+cursor+" count 13 match stays*"))
			cursor = words[2]
			for _, word := range words[4:] {
				seen[word] = seen[word] || strings.HasPrefix(word, "stays")
			}
			if steps > 2000 {
				t.Fatal("it does not end")
			}
		}
		found := 0
		for _, is := range seen {
			if is {
				found++
			}
		}
		if found != 500 {
			t.Errorf("%d groups: %d of 500 keys in %d steps", groups, found, steps)
		}
		cluster.Close()
	}
}

func TestScanSurvivesStrangeCursors(t *testing.T) {
	cluster := redistest.New(1, 2)
	defer cluster.Close()
	s := store.NewSession(cluster.Host(1))
	do(t, s, "set a 1")
	for _, cursor := range []string{"18446744073709551615", "9223372036854775807", "281474976710655", "281474976710656"} {
		if got := do(t, s, "scan "+cursor); !strings.HasPrefix(got, "*2 $") && !strings.HasPrefix(got, "-ERR invalid cursor") {
			t.Errorf("%s: %s", cursor, got)
		}
	}
	for _, cursor := range []string{"x", "1x"} {
		if got := do(t, s, "scan "+cursor); got != "-ERR invalid cursor" {
			t.Errorf("%s: %s", cursor, got)
		}
	}
}

// A write of which one part may have happened is never called refused.
func TestSplitWriteThatFailedInPart(t *testing.T) {
	cluster := redistest.New(1, 3)
	defer cluster.Close()
	var failing map[flotilla.GroupID]error
	cluster.Fail = func(call *flotilla.Call) error { return failing[call.Group] }
	refused, unknown := flotilla.Refused(flotilla.Busy, ""), flotilla.Unknown(flotilla.Timeout, "")
	for _, c := range []struct {
		failing map[flotilla.GroupID]error
		command string
		want    error
	}{
		{map[flotilla.GroupID]error{1: refused, 2: refused, 3: refused}, "del a b c", flotilla.ErrRefused},
		{map[flotilla.GroupID]error{1: refused}, "del a b c", flotilla.ErrUnknown},
		{map[flotilla.GroupID]error{1: refused, 2: unknown, 3: refused}, "del a b c", flotilla.ErrUnknown},
		{map[flotilla.GroupID]error{2: refused}, "flushall", flotilla.ErrUnknown},
		{map[flotilla.GroupID]error{2: refused}, "mget a b c", flotilla.ErrRefused},
	} {
		failing = c.failing
		s := store.NewSession(cluster.Host(1))
		args := [][]byte{}
		for _, word := range strings.Fields(c.command) {
			args = append(args, []byte(word))
		}
		if err := s.Add(store.Lookup(args[0]), args); err != nil {
			t.Fatal(err)
		}
		s.Do(context.Background())
		if _, err := s.Reply(0); !errors.Is(err, c.want) {
			t.Errorf("%s with %v: %v", c.command, c.failing, err)
		}
	}
}

// With the level session, a read asks for what the session has seen of its group.
func TestSessionRemembersWhatItHasSeen(t *testing.T) {
	cluster := redistest.New(1, 2)
	defer cluster.Close()
	var last flotilla.Call
	cluster.Fail = func(call *flotilla.Call) error {
		last = *call
		return nil
	}
	s := store.NewSession(cluster.Host(1))
	for range 3 {
		do(t, s, "incr a")
	}
	do(t, s, "get a")
	if last.Level != flotilla.Linearizable || last.After != 0 {
		t.Errorf("%+v", last)
	}
	s.Level = flotilla.Session
	do(t, s, "get a")
	if last.Level != flotilla.Session || last.After != 3 {
		t.Errorf("level %d after %d", last.Level, last.After)
	}
	do(t, s, "get b")
	if last.After != 0 {
		t.Errorf("another group's read waits for index %d", last.After)
	}
}

func TestRunsAreBounded(t *testing.T) {
	cluster := redistest.New(1, 1)
	defer cluster.Close()
	s := store.NewSession(cluster.Host(1))
	get, set := store.Lookup([]byte("get")), store.Lookup([]byte("set"))
	large := [][]byte{[]byte("set"), []byte("k"), make([]byte, 700<<10)}
	for i := range 3 {
		if s.Joins(set) != (i < 2) {
			t.Errorf("a run of %d bytes: %v", i*700<<10, s.Joins(set))
		}
		if err := s.Add(set, large); err != nil {
			t.Fatal(err)
		}
		if s.Joins(get) {
			t.Error("a read joins writes")
		}
	}
	s.Reset()
	if !s.Joins(get) {
		t.Error("nothing joins an empty run")
	}
}

func TestNoGroupYet(t *testing.T) {
	cluster := redistest.New(1, 1)
	defer cluster.Close()
	cluster.Change(func(t *flotilla.Topology) { t.SlotMap, t.Groups = nil, nil })
	s := store.NewSession(cluster.Host(1))
	for _, command := range []string{"get a", "mget a b", "dbsize", "scan 0", "object help"} {
		if got := do(t, s, command); !strings.HasPrefix(got, "refused: no majority") {
			t.Errorf("%s: %s", command, got)
		}
	}
}

// A transaction that only reads is a read of the session's level: of one view.
func TestReadingTransactions(t *testing.T) {
	cluster := redistest.New(1, 1)
	defer cluster.Close()
	var last flotilla.Call
	cluster.Fail = func(call *flotilla.Call) error {
		last = *call
		return nil
	}
	s := store.NewSession(cluster.Host(1))
	if err := s.AddWatch([][]byte{[]byte("b")}); err != nil {
		t.Fatal(err)
	}
	s.Do(context.Background())
	reply, _ := s.Reply(0)
	version, err := strconv.ParseUint(strings.TrimSpace(string(store.Items(reply)[0][1:])), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	s.Reset()
	s.Level = flotilla.Eventual
	for _, c := range []struct {
		commands     string
		watches      []store.Watch
		isRead, long bool
	}{
		{"get a;strlen a", nil, true, false},
		{"get a;keys *", nil, true, true},
		{"get a;set a 1", nil, false, false},
		{"get a;srandmember s 2", nil, false, false},
		{"get a", []store.Watch{{Key: []byte("b"), Version: version}}, false, false},
	} {
		var commands [][][]byte
		for line := range strings.SplitSeq(c.commands, ";") {
			commands = append(commands, bytes.Fields([]byte(line)))
		}
		if err := s.AddExec(flotilla.SlotOf([]byte("a")), c.watches, commands); err != nil {
			t.Fatal(err)
		}
		s.Do(context.Background())
		reply, err := s.Reply(0)
		if err != nil || len(store.Items(reply)) != len(commands) {
			t.Errorf("%s: %q, %v", c.commands, reply, err)
		}
		if last.IsRead != c.isRead || last.IsLong != c.long || len(last.Commands) != 1 || last.Level != flotilla.Eventual {
			t.Errorf("%s: %+v", c.commands, last)
		}
		s.Reset()
	}
}

func BenchmarkSessionGet(b *testing.B) {
	cluster := redistest.New(1, 1)
	defer cluster.Close()
	s := store.NewSession(cluster.Host(1))
	do(b, s, "set key value")
	get, args := store.Lookup([]byte("get")), [][]byte{[]byte("get"), []byte("key")}
	b.ReportAllocs()
	for b.Loop() {
		_ = s.Add(get, args)
		s.Do(context.Background())
		_, _ = s.Reply(0)
		s.Reset()
	}
}

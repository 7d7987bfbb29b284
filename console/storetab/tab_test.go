package storetab

import (
	"encoding/json"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"flotilla/console/door"
	"flotilla/store"
)

// TestLinesAreSplit as redis-cli splits them.
func TestLinesAreSplit(t *testing.T) {
	for line, want := range map[string][]string{
		"set a b":           {"set", "a", "b"},
		"  get\ta ":         {"get", "a"},
		`set a "b c"`:       {"set", "a", "b c"},
		`set a "b\n\x00"`:   {"set", "a", "b\n\x00"},
		`set 'a b' 'c\n'`:   {"set", "a b", `c\n`},
		`set a ""`:          {"set", "a", ""},
		`set a "b`:          nil,
		`set a 'b`:          nil,
		`set a "b"c`:        nil,
		"":                  {},
		`set grüße "süß 😀"`: {"set", "grüße", "süß 😀"},
	} {
		got, err := split(line)
		if want == nil != (err != nil) || !slices.Equal(got, want) && want != nil {
			t.Errorf("%q is split into %q, %v", line, got, err)
		}
	}
}

func FuzzSplit(f *testing.F) {
	f.Add(`set a "b\x00" 'c'`)
	f.Fuzz(func(t *testing.T, line string) { _, _ = split(line) })
}

// TestRepliesAreRendered as redis-cli shows them.
func TestRepliesAreRendered(t *testing.T) {
	for wire, want := range map[string]string{
		"_\r\n":                          "(nil)",
		":7\r\n":                         "(integer) 7",
		"$3\r\na\"b\r\n":                 `"a"b"`,
		"$2\r\n\x00\xff\r\n":             `"\x00\xff"`,
		"-ERR no\r\n":                    "(error) ERR no",
		"*0\r\n":                         "(empty)",
		"*2\r\n+a\r\n*2\r\n:1\r\n:2\r\n": "1) a\n2) 1) (integer) 1\n   2) (integer) 2",
		"%2\r\n+a\r\n:1\r\n+b\r\n:2\r\n": "1# a => (integer) 1\n2# b => (integer) 2",
		"$5\r\na\r\nbc\r\n":              "a\r\nbc",
		"=7\r\ntxt:abc\r\n":              "abc",
		"*1\r\n*1\r\n*1\r\n+deep\r\n":    "1) 1) 1) deep",
	} {
		r, err := door.Parse([]byte(wire))
		if got := render(r, ""); err != nil || got != want {
			t.Errorf("%q is shown as %q (%v), want %q", wire, got, err, want)
		}
	}
}

// TestWhatWaitsIsRefused: no command that blocks, or changes only its connection, gets
// to the door; all others do.
func TestWhatWaitsIsRefused(t *testing.T) {
	for _, line := range []string{"BLPOP a 0", "subscribe c", "MULTI", "client reply off", "HELLO 3", "consistency eventual"} {
		if check(strings.Fields(line)) == nil {
			t.Errorf("%s is let through", line)
		}
	}
	served := 0
	for _, c := range store.Commands() {
		if refusal(c) == "" {
			served++
		}
	}
	if served < 180 {
		t.Errorf("only %d commands are for here", served)
	}
	if err := check([]string{"SET", "a", "b"}); err != nil {
		t.Error(err)
	}
}

// TestHelpKnowsWhatIsRefused: it says why, and not that there is no such command.
func TestHelpKnowsWhatIsRefused(t *testing.T) {
	w := httptest.NewRecorder()
	new(tab).commands(w, nil)
	var all []Help
	if err := json.Unmarshal(w.Body.Bytes(), &all); err != nil {
		t.Fatal(err)
	}
	refused := map[string]string{}
	for _, h := range all {
		refused[h.Name] = h.Refused
	}
	for _, name := range []string{"subscribe", "multi", "auth", "hello", "quit", "blpop"} {
		if refused[name] == "" {
			t.Errorf("%s: no reason", name)
		}
	}
	if why, isThere := refused["set"]; !isThere || why != "" {
		t.Errorf("set is refused: %q", why)
	}
}

package redis

import (
	"os"
	"slices"
	"strings"
	"testing"

	"flotilla/store"
)

// TestAnswersLikeRedis compares the door's answers with those of Redis 7.2.6 as a
// cluster of one, byte for byte, in both protocols. testdata/answers.txt has the
// questions.
func TestAnswersLikeRedis(t *testing.T) {
	text, err := os.ReadFile("testdata/answers.txt")
	if err != nil {
		t.Fatal(err)
	}
	theirs := newRedis72(t, "testdata/redis-7.2.6-answers.json", "--cluster-enabled", "yes", "--slowlog-log-slower-than", "-1")
	if theirs.real != nil {
		theirs.real.do("cluster", "addslotsrange", "0", "16383")
		eventually(t, "Redis serves all slots", func() bool {
			return strings.Contains(theirs.real.do("cluster", "info"), "cluster_state:ok")
		})
	}
	for _, protocol := range []string{"2", "3"} {
		l := newLab(t, 1, 1)
		ours := dialRaw(t, l.addrs[0])
		defer ours.Close()
		ours.do("hello", protocol)
		theirs.hello(protocol)
		if theirs.real != nil {
			theirs.real.do("flushall")
		}
		for line := range strings.SplitSeq(strings.TrimSpace(string(text)), "\n") {
			if line == "" || strings.HasPrefix(line, "#") {
				continue
			}
			words, ok := splitWords(nil, []byte(line))
			if !ok {
				t.Fatalf("quotes: %s", line)
			}
			var args []string
			for _, word := range words {
				args = append(args, string(word))
			}
			if got, want := ours.do(args...), theirs.do(args...); got != want {
				t.Errorf("RESP%s %s:\ngot  %q\nwant %q", protocol, line, got, want)
			}
		}
	}
}

// TestHelpLikeRedis compares the lines that HELP has for each subcommand with Redis's:
// those of what is served here, all of them, and only those, but for what follows "Here:".
func TestHelpLikeRedis(t *testing.T) {
	theirs := newRedis72(t, "testdata/redis-7.2.6-help.json", "--cluster-enabled", "yes")
	theirs.hello("2")
	l := newLab(t, 1, 1)
	ours := dialRaw(t, l.addrs[0])
	defer ours.Close()
	for _, c := range store.Commands() {
		if !c.IsContainer() || c.Name == "debug" { // most of DEBUG is not here
			continue
		}
		var want []string
		isServed := true
		for _, line := range takeApart(theirs.do(c.Name, "help")).items {
			word, _, _ := strings.Cut(line.text, " ")
			if word != "" && word != strings.ToUpper(c.Name) && word != "(no" {
				name := c.Name + "|" + strings.ToLower(word)
				isServed = store.Lookup([]byte(name)) != nil && name != "client|pause"
			}
			if isServed {
				want = append(want, line.text)
			}
		}
		var got []string
		for _, line := range takeApart(ours.do(c.Name, "help")).items {
			if !strings.HasPrefix(line.text, "    Here: ") {
				got = append(got, line.text)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s help:\ngot  %s\nwant %s", c.Name, strings.Join(got, "\n     "), strings.Join(want, "\n     "))
		}
	}
}

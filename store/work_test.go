package store

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// applyBounded carries out one command that may visit so many elements.
func (l *lab) applyBounded(maxVisited int64, args ...string) string {
	l.bound = maxVisited
	defer func() { l.bound = 0 }()
	return readable(l.entry(Encode(nil, toBytes(args)))[0])
}

// Whatever a command was about to do when it had visited too much: it changed nothing.
func TestCommandThatVisitsTooMuchChangesNothing(t *testing.T) {
	refused := map[string]int{}
	for i, g := range collectionGrammars {
		random := rand.New(rand.NewPCG(uint64(i), 5))
		words := &grammar{r: random, keys: strings.Fields(g.keys), templates: g.templates, scores: []string{"1", "2", "3.5", "-1"}}
		l := newLab()
		for range 4000 {
			args := words.command()
			before := l.state.pairs.Copy()
			reply := l.applyBounded(int64(3+random.IntN(12)), args...)
			if strings.Contains(reply, "visit more than") {
				refused[strings.ToLower(args[0])]++
				if l.state.digest() != (&fakeState{pairs: *before}).digest() {
					t.Fatalf("%q was refused, and has changed something", args)
				}
			}
			if err := l.check(); err != nil {
				t.Fatalf("after %q: %v", args, err)
			}
		}
	}
	for _, name := range []string{"lrange", "linsert", "lrem", "sunionstore", "sinterstore", "zunionstore", "zrangestore",
		"zremrangebyrank", "zremrangebyscore", "spop", "zpopmin", "smembers", "hgetall"} {
		if refused[name] == 0 {
			t.Errorf("%s was never refused", name)
		}
	}
}

// With a large collection a write either costs next to nothing or is refused, with a
// limit that a collection of this size exceeds.
func TestWritesToLargeCollectionsAreShort(t *testing.T) {
	const size = 2000
	for _, test := range []struct {
		fill, args string
		isRefused  bool
	}{
		{"SADD", "RENAME {t}a {t}b", false},
		{"ZADD", "RENAME {t}a {t}b", false},
		{"ZADD", "UNLINK {t}a", false},
		{"RPUSH", "DEL {t}a", false},
		{"HSET", "SET {t}a v", false},
		{"HSET", "EXPIRE {t}a -1", false},
		{"HSET", "FLUSHALL", false},
		{"RPUSH", "LTRIM {t}a 1000 1001", false},
		{"ZADD", "ZREMRANGEBYRANK {t}a 0 -1", false},
		{"ZADD", "ZREMRANGEBYSCORE {t}a -inf +inf", false},
		{"ZADD", "ZREMRANGEBYRANK {t}a 0 -2", true},
		{"SADD", "COPY {t}a {t}b", true},
		{"SADD", "SUNIONSTORE {t}b {t}a {t}c", true},
		{"SADD", "SORT {t}a ALPHA STORE {t}b", true},
		{"RPUSH", "LREM {t}a 0 none", true},
		{"HSET", "HGETALL {t}a", true}, // as within MULTI
	} {
		l := newLab()
		args := []string{test.fill, "{t}a"}
		for i := range size {
			switch test.fill {
			case "HSET":
				args = append(args, fmt.Sprint("m", i), "v")
			case "ZADD":
				args = append(args, fmt.Sprint(i), fmt.Sprint("m", i))
			default:
				args = append(args, fmt.Sprint("m", i))
			}
		}
		l.do(args...)
		touched := l.state.touched
		reply := l.applyBounded(size/2, strings.Fields(test.args)...)
		if got := strings.Contains(reply, "visit more than"); got != test.isRefused {
			t.Errorf("%s: %.80s", test.args, reply)
		}
		limit := 200 // keys of the state
		if test.isRefused {
			limit += size
		}
		if touched = l.state.touched - touched; touched > limit {
			t.Errorf("%s touched %d keys", test.args, touched)
		}
		if err := l.check(); err != nil {
			t.Errorf("%s: %v", test.args, err)
		}
	}
}

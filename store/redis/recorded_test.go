package redis

import (
	"encoding/json"
	"os"
	"strconv"
	"strings"
	"testing"
)

// redis72 answers as Redis 7.2.6 does: from a recording, so that the comparison needs
// none, or, with -update and redis-server 7.2 in PATH, from a real one, whose answers
// are recorded: by protocol and command, and, where it is not the first time, how often
// that was asked.
type redis72 struct {
	t        *testing.T
	real     *rawClient
	protocol string
	recorded map[string]string
	asked    map[string]int
}

func newRedis72(t *testing.T, path string, arguments ...string) *redis72 {
	r := &redis72{t: t, recorded: map[string]string{}, asked: map[string]int{}}
	if !*updateSpecs {
		text, err := os.ReadFile(path)
		if err == nil {
			err = json.Unmarshal(text, &r.recorded)
		}
		if err != nil {
			t.Fatalf("%v: make it with -update and redis-server 7.2 in PATH", err)
		}
		return r
	}
	r.real = dialRaw(t, startReal(t, arguments...))
	if !strings.Contains(r.real.do("info", "server"), "redis_version:7.2.") {
		t.Fatal("redis-server in PATH is not 7.2, which the door follows")
	}
	t.Cleanup(func() {
		_ = r.real.Close()
		text, err := json.MarshalIndent(r.recorded, "", " ")
		if err == nil {
			err = os.WriteFile(path, append(text, '\n'), 0o644)
		}
		if err != nil {
			t.Error(err)
		}
	})
	return r
}

// hello chooses the protocol.
func (r *redis72) hello(protocol string) {
	r.protocol = protocol
	if r.real != nil {
		r.real.do("hello", protocol)
	}
}

func (r *redis72) do(args ...string) string {
	r.t.Helper()
	question := "RESP" + r.protocol + " " + strings.Join(args, " ")
	if r.asked[question]++; r.asked[question] > 1 {
		question += " #" + strconv.Itoa(r.asked[question])
	}
	if r.real != nil {
		r.recorded[question] = r.real.do(args...)
	}
	answer, ok := r.recorded[question]
	if !ok {
		r.t.Fatalf("it is not recorded what Redis answers to %s: run with -update and redis-server 7.2 in PATH", question)
	}
	return answer
}

func (r *redis72) ask(args ...string) answer { return takeApart(r.do(args...)) }

package redis

import (
	"strings"
	"testing"
	"time"

	"flotilla"
)

// TestCommandsAreTimedByClass: each command that goes to a group is counted once,
// as a read or a write; a transaction is one; what the door answers is none.
func TestCommandsAreTimedByClass(t *testing.T) {
	l := newLab(t, 1, 2)
	c := dialRaw(t, l.addrs[0])
	defer c.Close()
	for _, args := range [][]string{{"ping"}, {"set", "a", "1"}, {"get", "a"}, {"mget", "a", "b"}, {"echo", "x"}, {"incr", "a"},
		{"multi"}, {"get", "a"}, {"get", "a"}, {"exec"}, {"multi"}, {"set", "a", "2"}, {"get", "a"}, {"exec"}} {
		c.do(args...)
	}
	c.send([]byte(strings.Repeat("get a\r\n", 5))) // one run, or several
	c.replies(5)
	stats := l.servers[0].Stats()
	if r, w := stats.Reads.Count(), stats.Writes.Count(); r != 8 || w != 3 {
		t.Errorf("%d reads and %d writes were timed", r, w)
	}
	var many latency
	many.start()
	many.observe(3*time.Millisecond, 10)
	many.observe(time.Minute, 1)
	h := many.snapshot()
	if h.Count() != 11 || h.Sum < 60.029 || h.Sum > 60.031 || h.Counts[6] != 10 || h.Counts[len(h.Bounds)] != 1 {
		t.Errorf("%+v", h)
	}
	if n := testing.AllocsPerRun(100, func() { many.observe(time.Millisecond, 64) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// TestRefusalsAreNotTimed: what was refused, or may have happened, took no time that says how fast commands
// are; an error that the machine answered did.
func TestRefusalsAreNotTimed(t *testing.T) {
	l := newLab(t, 1, 1)
	var failures failureBox
	l.Fail = failures.next
	c := dialRaw(t, l.addrs[0])
	defer c.Close()
	c.do("set", "a", "text")
	c.do("incr", "a") // no number
	for _, err := range []error{flotilla.Refused(flotilla.NoQuorum, ""), flotilla.Unknown(flotilla.Timeout, "")} {
		failures.set(func(*flotilla.Call) error { return err })
		for _, args := range [][]string{{"set", "a", "1"}, {"get", "a"}, {"multi"}, {"set", "a", "2"}, {"exec"}} {
			c.do(args...)
		}
	}
	stats := l.servers[0].Stats()
	if r, w := stats.Reads.Count(), stats.Writes.Count(); r != 0 || w != 2 || stats.Errors != 7 {
		t.Errorf("%d reads and %d writes were timed, of %d that failed", r, w, stats.Errors)
	}
}

func BenchmarkLatency(b *testing.B) {
	var l latency
	l.start()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			l.observe(time.Millisecond, 1)
		}
	})
}

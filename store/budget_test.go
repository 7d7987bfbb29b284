package store

import (
	"bytes"
	"strings"
	"testing"

	"flotilla"
)

// A reply is refused as soon as the lengths show that it is too large: what comes behind
// is not even looked up.
func TestTooLargeReplyIsRefusedEarly(t *testing.T) {
	l := newLab()
	command := []string{"MGET"}
	value := bytes.Repeat([]byte{'v'}, 60<<20)
	for _, key := range strings.Fields("{t}1 {t}2 {t}3 {t}4 {t}5 {t}6 {t}7 {t}8 {t}9") {
		command = append(command, key)
		it := item{place: placeOf([]byte(key)), kind: kindString}
		record := append(append([]byte{byte(kindString)}, make([]byte, recordHead-1)...), value...)
		l.state.pairs.Set(string(it.appendRecordKey(nil)), record)
	}
	touched := l.state.touched
	reply := readable(l.read(Encode(nil, toBytes(command))))
	if !strings.Contains(reply, "ERR reply is larger than 134217728 bytes") {
		t.Fatalf("%.100s", reply)
	}
	if got := l.state.touched - touched; got != 3 {
		t.Errorf("%d values were looked up, and three are too large together", got)
	}
}

// A reply pays for its memory before it takes it, and is an error if it can not.
func TestReplyPaysForItsMemory(t *testing.T) {
	l := newLab()
	for range 100 {
		l.do("RPUSH", "list", strings.Repeat("v", 10_000))
	}
	for _, test := range []struct {
		allowed, paid int
		isRefused     bool
	}{{2 << 20, 1 << 20, false}, {500_000, 400_000, true}} {
		left := test.allowed
		view := &flotilla.View{Reader: l.state, Group: 1, Index: l.index, Time: l.time, Now: l.time, Charge: func(n int) bool {
			if n > left {
				return false
			}
			left -= n
			return true
		}}
		reply := Machine{}.Read(view, Encode(nil, toBytes([]string{"LRANGE", "list", "0", "-1"})))
		if got := strings.HasPrefix(string(reply), "-TRYAGAIN"); got != test.isRefused {
			t.Errorf("with %d bytes: %.80s", test.allowed, reply)
		}
		if paid := test.allowed - left; !test.isRefused && paid < len(reply) || paid > 2*test.paid || paid < test.paid/2 {
			t.Errorf("with %d bytes: paid %d for %d", test.allowed, paid, len(reply))
		}
		if cap(reply) > max(freeRoom, test.allowed) {
			t.Errorf("with %d bytes: the reply took %d", test.allowed, cap(reply))
		}
	}
}

package store

import (
	"strings"
	"testing"

	"flotilla"
)

// A full disk refuses what grows, and goes on with what shrinks and what reads.
func TestNoRoomRefusesGrowthOnly(t *testing.T) {
	state := &fakeState{}
	ask := func(noRoom bool, command []byte) string {
		tx := &flotilla.Tx{State: state, Group: 1, Index: 7, Ordinal: 1, Time: 1000, NoRoom: noRoom}
		reply := string(Machine{}.Apply(tx, command))
		Machine{}.End(tx)
		return reply
	}
	words := func(text string) (args [][]byte) {
		for _, word := range strings.Fields(text) {
			args = append(args, []byte(word))
		}
		return args
	}
	if got := ask(false, Encode(nil, words("set a 1"))); got != "+OK\r\n" {
		t.Fatalf("with room: %q", got)
	}
	for _, grows := range []string{"set a 2", "rpush l x", "hset h f v", "setbit b 9 1", "zadd z 1 m"} {
		if got := ask(true, Encode(nil, words(grows))); !strings.HasPrefix(got, "-OOM ") {
			t.Errorf("%s without room: %q", grows, got)
		}
	}
	exec := EncodeExec(nil, nil, [][][]byte{words("del a"), words("set c 1")})
	if got := ask(true, exec); !strings.HasPrefix(got, "-OOM ") {
		t.Errorf("a transaction that grows, without room: %q", got)
	}
	if got := ask(true, Encode(nil, words("get a"))); got != "$1\r\n1\r\n" {
		t.Errorf("get without room, after refused changes: %q", got)
	}
	if got := ask(true, Encode(nil, words("del a"))); got != ":1\r\n" {
		t.Errorf("del without room: %q", got)
	}
}

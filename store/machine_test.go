package store

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"flotilla"
)

// randomCommand is a command of any family on a handful of keys, mostly valid.
func randomCommand(r *rand.Rand) []string {
	key := func() string { return pick(r, "{t}a", "{t}b", "{t}c", "{t}d") }
	k, v := key(), pick(r, "1", "2.5", "x", "y", "z", number(r))
	switch r.IntN(20) {
	case 0, 1:
		return cat("SET", k, v, maybe(r, pick(r, "PX", "EX"), strconv.Itoa(1+r.IntN(50))))
	case 2:
		return cat("APPEND", k, v)
	case 3:
		return cat("HSET", k, v, v, "f", "v")
	case 4:
		return cat("SADD", k, v, number(r), number(r))
	case 5:
		return cat("ZADD", k, strconv.Itoa(r.IntN(9)), v, "1", "m")
	case 6:
		return cat(pick(r, "RPUSH", "LPUSH"), k, v, number(r))
	case 7:
		return cat(pick(r, "SPOP", "LPOP", "RPOP", "ZPOPMIN", "GETDEL", "DEL", "INCR", "PERSIST"), k)
	case 8:
		return cat(pick(r, "PEXPIRE", "EXPIRE"), k, strconv.Itoa(1+r.IntN(100)))
	case 9:
		return cat(pick(r, "RENAME", "COPY", "RENAMENX"), k, key())
	case 10:
		return cat("SETBIT", k, strconv.Itoa(r.IntN(100)), "1")
	case 11:
		return cat("PFADD", k, v)
	case 12:
		return cat("SORT", k, "ALPHA", "STORE", key())
	case 13:
		return cat("SPOP", k, "2")
	case 14:
		return cat(pick(r, "SUNIONSTORE", "SINTERSTORE"), key(), k, key())
	case 15:
		return cat("LMOVE", k, key(), "LEFT", "RIGHT")
	case 16:
		return cat(pick(r, "HDEL", "SREM", "ZREM"), k, v)
	case 17:
		return maybe(r, maybe(r, "FLUSHALL")...)
	}
	return cat(pick(r, "GET", "TYPE", "PTTL", "STRLEN", "HGETALL", "DBSIZE"), k)
}

// TestReplicasAgree applies the same entries on two replicas, of which one has
// subscribers and the other none: replies and states are the same bytes.
func TestReplicasAgree(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	a, b := &fakeState{}, &fakeState{}
	time := flotilla.Millis(1000)
	for index := uint64(1); index < 2000; index++ {
		time += flotilla.Millis(r.IntN(20))
		var commands [][]byte
		for range r.IntN(6) {
			if args := randomCommand(r); len(args) > 0 {
				commands = append(commands, Encode(nil, toBytes(args)))
			}
		}
		if r.IntN(5) == 0 {
			commands = append(commands, EncodeExec(nil, nil, [][][]byte{toBytes([]string{"INCR", "{t}n"}), toBytes([]string{"SPOP", "{t}a"})}))
		}
		first := applyEntry(a, index, time, commands, func(flotilla.Event) {})
		second := applyEntry(b, index, time, commands, nil)
		if !bytes.Equal(first, second) {
			t.Fatalf("entry %d: %q and %q", index, first, second)
		}
		l := lab{state: a, time: time}
		if err := l.check(); err != nil {
			t.Fatalf("entry %d, %q: %v", index, commands, err)
		}
	}
	if a.digest() != b.digest() {
		t.Error("the states differ")
	}
}

func applyEntry(s *fakeState, index uint64, time flotilla.Millis, commands [][]byte, emit func(flotilla.Event)) (replies []byte) {
	tx := &flotilla.Tx{State: s, Group: 1, Index: index, Time: time, Emit: emit}
	Machine{}.Begin(tx)
	for i, command := range commands {
		tx.Ordinal = i + 1
		replies = append(replies, Machine{}.Apply(tx, command)...)
	}
	Machine{}.End(tx)
	return replies
}

// TestWakeIsInTime follows every wake-up that the machine asks for, and nothing
// else: no key outlives its expiry.
func TestWakeIsInTime(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	l := newLab()
	for i := range 300 {
		l.do("SET", fmt.Sprint("k", r.IntN(50)), "v", "PX", strconv.Itoa(1+r.IntN(500)))
		if i%3 == 0 {
			l.do("DEL", fmt.Sprint("k", r.IntN(50)))
		}
	}
	for l.line("DBSIZE") != "0" {
		next := Machine{}.Deadline(l.state)
		if next == flotilla.Never || l.wake > next && next > l.time {
			t.Fatalf("keys are left, but the deadline is %d and the wake-up at %d", next, l.wake)
		}
		l.time = max(l.time, next)
		l.entry()
	}
	if next := (Machine{}).Deadline(l.state); next != flotilla.Never || l.wake != flotilla.Never {
		t.Errorf("nothing is left, but the deadline is %d and the wake-up at %d", next, l.wake)
	}
}

// TestManyExpireAtOnce needs several entries to delete all, but no command sees
// any of them from the first on.
func TestManyExpireAtOnce(t *testing.T) {
	l := newLab()
	for i := range 2*maxExpiredPerEntry + 10 {
		l.entry(Encode(nil, toBytes([]string{"SET", fmt.Sprint("k", i), "v", "PX", "50"})))
	}
	l.time += 50
	for range 3 {
		for i := range 20 {
			if got := l.do("GET", fmt.Sprint("k", i*100)); got != "nil" {
				t.Fatalf("k%d is %s", i*100, got)
			}
		}
		if got := l.line("KEYS *"); got != "[]" {
			t.Fatalf("KEYS answers %.100s", got)
		}
		l.entry()
	}
	if l.line("DBSIZE") != "0" || l.wake != flotilla.Never {
		t.Errorf("%s keys are left", l.line("DBSIZE"))
	}
}

// TestReadRefusesWrites keeps a write from the read path from touching a view.
func TestReadRefusesWrites(t *testing.T) {
	l := newLab()
	set, get := toBytes([]string{"SET", "k", "v"}), toBytes([]string{"GET", "k"})
	for _, c := range []struct {
		command []byte
		want    string
	}{
		{Encode(nil, set), "ERR a read may not change anything"},
		{EncodeExec(nil, nil, [][][]byte{get, set, get}), "[nil ERR a read may not change anything nil]"},
		{EncodeExec(nil, []Watch{{Key: []byte("k")}}, [][][]byte{get}), "ERR a read may not watch"},
	} {
		if got := readable(l.read(c.command)); got != c.want {
			t.Errorf("%q: %s", c.command, got)
		}
	}
}

func TestLimits(t *testing.T) {
	l := newLab()
	long := strings.Repeat("k", MaxKeyBytes+1)
	for line, want := range map[string]string{
		"SET " + long + " v":      "ERR key is longer than 65536 bytes",
		"MSET a 1 " + long + " 1": "ERR key is longer than 65536 bytes",
		"SETRANGE k 67108864 x":   errTooLong,
		"SETBIT k 536870912 1":    "ERR bit offset is not an integer or out of range",
	} {
		if got := l.line(line); got != want {
			t.Errorf("%.30s: %s", line, got)
		}
	}
	if got := l.line("DBSIZE"); got != "0" {
		t.Errorf("%s keys were made", got)
	}
}

// TestScanSeesEverything goes through SCAN while keys come and go: those that
// were there all the while are returned.
func TestScanSeesEverything(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	l := newLab()
	for i := range 500 {
		l.entry(Encode(nil, toBytes([]string{"SET", fmt.Sprint("stays", i), "v"})))
	}
	seen := map[string]bool{}
	for cursor := "0"; ; {
		reply := l.do("SCAN", cursor, "COUNT", "7")
		var rest string
		cursor, rest, _ = strings.Cut(strings.TrimPrefix(reply, "["), " ")
		cursor = strings.Trim(cursor, `"`)
		for _, key := range strings.Fields(strings.Trim(rest, "[]")) {
			seen[strings.Trim(key, `"`)] = true
		}
		if cursor == "0" {
			break
		}
		l.entry(Encode(nil, toBytes([]string{pick(r, "SET", "GETSET"), fmt.Sprint("comes", r.IntN(100)), "v"})),
			Encode(nil, toBytes([]string{"DEL", fmt.Sprint("comes", r.IntN(100))})))
	}
	for i := range 500 {
		if !seen[fmt.Sprint("stays", i)] {
			t.Fatalf("stays%d was not returned", i)
		}
	}
}

// FuzzMachine applies any bytes. The machine answers one reply, and leaves a
// sound key space.
func FuzzMachine(f *testing.F) {
	r := rand.New(rand.NewPCG(7, 8))
	for range 200 {
		f.Add(Encode(nil, toBytes(randomCommand(r))))
	}
	for _, c := range Commands() {
		args := [][]byte{[]byte(c.Name)}
		if container, sub, is := strings.Cut(c.Name, "|"); is {
			args = toBytes([]string{container, sub})
		}
		for len(args) < max(c.Arity, -c.Arity) {
			args = append(args, []byte("1"))
		}
		f.Add(Encode(nil, args))
		f.Add(Encode(nil, append(args, []byte("{t}l"), []byte("2"))))
	}
	f.Add(EncodeWatch(nil, toBytes([]string{"{t}a", ""})))
	f.Add(EncodeExec(nil, []Watch{{Key: []byte("k"), Version: 1 << 60}}, [][][]byte{toBytes([]string{"GET", "k"}), {}}))
	f.Fuzz(func(t *testing.T, command []byte) {
		l := newLab()
		for _, line := range []string{"SET 1 v", "RPUSH {t}l a b", "HSET {t}h f v", "SADD {t}s a 1", "ZADD {t}z 1 a 2 b"} {
			l.entry(Encode(nil, toBytes(strings.Fields(line))))
		}
		for _, reply := range [][]byte{l.entry(command)[0], l.read(command)} {
			if text := readable(reply); strings.Contains(text, "BROKEN") && !bytes.Contains(command, []byte("BROKEN")) {
				t.Fatalf("%q: %q", command, reply)
			}
			RenderRESP2(nil, reply)
			RenderRESP3(nil, reply)
		}
		if err := l.check(); err != nil {
			t.Fatalf("%q: %v", command, err)
		}
	})
}

// FuzzRestore takes payloads whose checksum is right and all else arbitrary.
func FuzzRestore(f *testing.F) {
	for _, pieces := range [][]string{{"a"}, {"a", "1"}, {"a", "b", "a", "c"}, {"a", "-0", "b", "inf"}} {
		for _, k := range []kind{kindString, kindList, kindSet, kindHash, kindZset} {
			f.Add(appendArgs([]byte{dumpVersion, byte(k)}, toBytes(pieces)))
		}
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		payload = binary.LittleEndian.AppendUint32(payload, dumpCRC(payload))
		l := newLab()
		if reply := l.do("RESTORE", "k", "0", string(payload)); reply != "OK" {
			return
		}
		for _, line := range []string{"DUMP k", "SORT k ALPHA", "COPY k k2", "OBJECT ENCODING k", "MEMORY USAGE k", "LPOP k",
			"SPOP k", "ZPOPMIN k", "HGETALL k", "APPEND k x"} {
			l.line(line)
		}
	})
}

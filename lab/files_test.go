package lab

import (
	"bytes"
	"fmt"
	"math/bits"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"flotilla/check"
	"flotilla/scenario"
)

// write makes a file below a folder, changed last at a time.
func write(t *testing.T, content string, second int64, parts ...string) string {
	t.Helper()
	path := filepath.Join(parts...)
	at := time.Unix(second, 0)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(path, at, at); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestFlipTurnsBitsOfTheNewestFile(t *testing.T) {
	dir := t.TempDir()
	zeros := strings.Repeat("\x00", 1000)
	write(t, zeros, 100, dir, "data", "log", "000001.log")
	newest := write(t, zeros, 300, dir, "data", "log", "000002.log")
	write(t, zeros, 500, dir, "data", "log", "000003.sst")
	write(t, zeros, 500, dir, "data", "state", "000004.log")
	seeded := func() *rand.Rand { return rand.New(rand.NewPCG(1, 2)) }
	said, err := damage(dir, scenario.WAL, flip(5, seeded()))
	if err != nil || !strings.HasPrefix(said, "log/000002.log of 1000 bytes: flipped ") {
		t.Fatalf("%q, %v", said, err)
	}
	content, err := os.ReadFile(newest)
	if err != nil {
		t.Fatal(err)
	}
	ones := 0
	for _, b := range content {
		ones += bits.OnesCount8(b)
	}
	if ones != 5 || len(content) != 1000 {
		t.Errorf("%d bits are turned over, in %d bytes", ones, len(content))
	}
	if _, err := damage(dir, scenario.WAL, flip(5, seeded())); err != nil { // the same again
		t.Fatal(err)
	}
	if content, err = os.ReadFile(newest); err != nil || !bytes.Equal(content, []byte(zeros)) {
		t.Errorf("the same seed flips other bits: %v", err)
	}
	if _, err := damage(dir, scenario.Tail, flip(1, seeded())); err == nil {
		t.Error("there is no tail to flip")
	}
}

func TestWipeLeavesWhatTheSupervisorWrites(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"node.log", "node.log.1", "node.json", "data/log/000001.log", "data/tail"} {
		write(t, "x", 1, dir, name)
	}
	if err := wipe(dir); err != nil {
		t.Fatal(err)
	}
	var left []string
	err := filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		left = append(left, strings.TrimPrefix(path, dir))
		return err
	})
	if want := "[ /data /node.log /node.log.1]"; err != nil || fmt.Sprint(left) != want {
		t.Errorf("left are %v, want %s; %v", left, want, err)
	}
}

func TestShortenUndoesLengthen(t *testing.T) {
	for size := range 40 {
		long := lengthen("12-345", size)
		if len(long) != max(size, len("12-345")) {
			t.Errorf("of %d bytes: %q", size, long)
		}
		if name := shorten(long); name != "12-345" {
			t.Errorf("%q is shortened to %q", long, name)
		}
		for at := range long {
			damaged := []byte(long)
			damaged[at] ^= 4
			if name := shorten(string(damaged)); name == "12-345" {
				t.Errorf("%q is taken for whole", damaged)
			}
		}
	}
	if shorten("") != "" {
		t.Error("nothing is made something")
	}
}

// reply is an error that a server answered.
type reply string

func (r reply) Error() string { return string(r) }

// RedisError marks it as go-redis does.
func (r reply) RedisError() {}

func TestOutcomes(t *testing.T) {
	for _, test := range []struct {
		err   error
		want  check.Outcome
		isOdd bool
	}{
		{nil, check.Known, false},
		{reply("CLUSTERDOWN The cluster is down"), check.Refused, false},
		{reply("TRYAGAIN later"), check.Refused, false},
		{reply("UNKNOWN it may have happened"), check.Unknown, false},
		{reply("ERR syntax error"), check.Unknown, true},
		{reply("CLUSTERDOWNTOWN"), check.Unknown, true},
		{fmt.Errorf("wrapped: %w", &net.OpError{Op: "dial"}), check.Refused, false},
		{&net.OpError{Op: "read"}, check.Unknown, false},
		{os.ErrDeadlineExceeded, check.Unknown, false},
	} {
		if got, isOdd := OutcomeOf(test.err); got != test.want || isOdd != test.isOdd {
			t.Errorf("%v: %s, odd %v", test.err, got, isOdd)
		}
	}
}

func TestQuietIsMeasuredByNodeAndGroup(t *testing.T) {
	at := func(second int64) time.Time { return time.Unix(second, 0) }
	q := newQuiet(LoadOptions{Addresses: make([]string, 2), Groups: 2, Stays: true}, at(0))
	keys := map[int]string{}
	for i := 0; len(keys) < 2; i++ {
		keys[q.groupOf(fmt.Sprint(i))] = fmt.Sprint(i)
	}
	told := func(node, group int, outcome check.Outcome, begin, end int64) {
		q.heard(node, node, check.Operation{Key: keys[group], Outcome: outcome}, at(begin), at(end))
	}
	told(0, 0, check.Known, 1, 3)
	told(0, 0, check.Unknown, 20, 25) // nobody asked from 3 to 20
	told(1, 0, check.Known, 21, 22)   // another node
	told(0, 1, check.Known, 26, 27)   // another group
	told(0, 0, check.Refused, 30, 31)
	told(0, 0, check.Known, 40, 41)
	told(0, 0, check.Unknown, 42, 44)
	told(1, 1, check.Refused, 43, 44)
	q.end(at(50))
	if got := fmt.Sprint(q.longest, q.mute, q.gap); got != "[11s 1s 1s 1s] [7s 1s] 19s" {
		t.Errorf("%s", got)
	}
}

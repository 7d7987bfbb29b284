package console

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"flotilla"
	"flotilla/cluster"
	"flotilla/console/door"
)

// TestALoadsKeysEnd: each key that a load makes, its counters too, is told when to end.
func TestALoadsKeysEnd(t *testing.T) {
	pipe, asked := door.NewPipe(), make(chan []string, 100)
	go answerAll(pipe, asked)
	l := newLoad(pipe, "", func() flotilla.NodeID { return 1 })
	l.set(1000, 1)
	c := &loader{load: l, counter: "load:n1:counter:0:1", acked: map[string]string{}, doubtful: map[string]bool{}}
	defer func() { c.close(); _ = pipe.Close() }()
	made, ends := map[string]bool{}, map[string]bool{}
	for range 200 {
		c.once(context.Background(), time.Now())
		for len(asked) > 0 {
			words := <-asked
			switch verb := words[0]; {
			case verb == "SET" && len(words) == 5 && words[3] == "EX", verb == "EXPIRE":
				made[words[1]], ends[words[1]] = true, true
			case verb == "SET" || verb == "INCR":
				made[words[1]] = true
			}
		}
	}
	if !made[c.counter] {
		t.Error("in 200 writes nothing was counted")
	}
	for key := range made {
		if !ends[key] {
			t.Errorf("%s stays for ever", key)
		}
	}
}

// TestNoWrongClockEndsALoadsKeys: a node's clock that a page sets as far ahead as it can, while the load
// runs, leaves each of the load's keys where it was: else it would be told of as missing.
func TestNoWrongClockEndsALoadsKeys(t *testing.T) {
	life, wrong := loadKeyLife*time.Second, time.Duration(cluster.MaxSkewMillis)*time.Millisecond
	if life <= wrong+maxLoadPeriod+counterRenew {
		t.Errorf("keys live for %v, and clocks can be %v ahead", life, wrong)
	}
}

// answerAll answers one connection's commands with a number that grows, and passes them on.
func answerAll(pipe *door.Pipe, asked chan<- []string) {
	conn, err := pipe.Accept()
	if err != nil {
		return
	}
	defer func(conn net.Conn) { _ = conn.Close() }(conn)
	in := bufio.NewReader(conn)
	for n := 1; ; n++ {
		var words, length int
		if _, err := fmt.Fscanf(in, "*%d\r\n", &words); err != nil {
			return
		}
		command := make([]string, words)
		for i := range command {
			if _, err := fmt.Fscanf(in, "$%d\r\n%s\r\n", &length, &command[i]); err != nil {
				return
			}
		}
		asked <- command
		if _, err := fmt.Fprintf(conn, ":%d\r\n", n); err != nil {
			return
		}
	}
}

// TestALoadMissesWhatWasAcknowledged: a read is compared with the last write that was
// acknowledged, unless one without an answer may have come over it.
func TestALoadMissesWhatWasAcknowledged(t *testing.T) {
	ok, unknown, refused := "+OK", "-UNKNOWN it may have happened", "-TRYAGAIN later"
	for _, c := range []struct {
		what           string
		steps          string // command, answer; "!" is a connection that broke
		checked, wrong int
	}{
		{"a key that nobody wrote", "GET k ; _", 0, 0},
		{"what was written", "SET k a ; " + ok + " | GET k ; $a", 1, 0},
		{"lost", "SET k a ; " + ok + " | GET k ; _", 1, 1},
		{"the one before", "SET k a ; " + ok + " | SET k b ; " + ok + " | GET k ; $a", 1, 1},
		{"refused, and not there", "SET k a ; " + ok + " | SET k b ; " + refused + " | GET k ; $a", 1, 0},
		{"refused, and there", "SET k a ; " + ok + " | SET k b ; " + refused + " | GET k ; $b", 1, 1},
		{"unknown, and anything may be", "SET k a ; " + ok + " | SET k b ; " + unknown + " | GET k ; $b | GET k ; $a", 0, 0},
		{"unknown comes late, over what was acknowledged since", "SET k a ; ! | SET k b ; " + ok + " | GET k ; $a", 0, 0},
		{"counted", "INCR c ; :1 | INCR c ; :2 | INCR c ; ! | INCR c ; :4", 3, 0},
		{"a count that was lost", "INCR c ; :1 | INCR c ; :2 | INCR c ; :2", 3, 1},
	} {
		l := newLoad(nil, "", nil)
		b := &loader{load: l, acked: map[string]string{}, doubtful: map[string]bool{}}
		for step := range strings.SplitSeq(c.steps, " | ") {
			command, answer, _ := strings.Cut(step, " ; ")
			reply, err := door.Reply{Kind: answer[0], Text: []byte(answer[1:])}, error(nil)
			if answer == "!" {
				reply, err = door.Reply{}, errors.New("broken")
			}
			isChecked, isRight := b.learn(strings.Fields(command), reply, err)
			l.note(time.Now(), reply, err, isChecked, isRight)
		}
		if s := l.state(); int(s.Checked) != c.checked || int(s.Wrong) != c.wrong {
			t.Errorf("%s: %d checked, %d wrong", c.what, s.Checked, s.Wrong)
		}
	}
}

// TestRefusalsAreNoFastCommands: how long commands take is of those that were answered.
func TestRefusalsAreNoFastCommands(t *testing.T) {
	l := newLoad(nil, "", nil)
	now := time.Now()
	for range 99 {
		l.note(now, door.Reply{Kind: '-', Text: []byte("CLUSTERDOWN later")}, nil, false, false)
		l.note(now, door.Reply{}, errors.New("broken"), false, false)
	}
	l.note(now.Add(-40*time.Millisecond), door.Reply{Kind: '+'}, nil, false, false)
	l.began = l.began.Add(-time.Second)
	if s := l.state(); s.MedianMicros < 25_000 || s.SlowMicros < 25_000 {
		t.Errorf("half within %d µs, 99 of 100 within %d µs", s.MedianMicros, s.SlowMicros)
	}
}

// TestALoadShowsWhoWaits: while nothing is answered for 2 s, commands go on to be due. They are sent once
// they can be, and each took as long as it waited, not the few alone that were on their way.
func TestALoadShowsWhoWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pipe := door.NewPipe()
		ctx, stop := context.WithCancel(t.Context())
		const stalled = 2 * time.Second
		until := time.Now().Add(stalled)
		for range loadConnections {
			go answerFrom(pipe, until)
		}
		l := newLoad(pipe, "", func() flotilla.NodeID { return 1 })
		l.set(10*loadConnections, 1)
		ended := make(chan struct{})
		go func() { defer close(ended); l.run(ctx) }()
		<-time.After(stalled + 950*time.Millisecond) // of the test's own time
		s := l.state()
		if want := uint64(29 * loadConnections); s.Done < want || s.Done > want+3*loadConnections {
			t.Errorf("%d commands were answered, %d were due", s.Done, want)
		}
		if s.LongestMicros < 1_900_000 || s.LongestMicros > 2_000_000 {
			t.Errorf("the longest waited for %d µs", s.LongestMicros)
		}
		<-time.After(100 * time.Millisecond)
		if s := l.state(); s.MedianMicros < 500_000 || s.SlowMicros < 1_000_000 {
			t.Errorf("half within %d µs, 99 of 100 within %d µs", s.MedianMicros, s.SlowMicros)
		}
		stop()
		_ = pipe.Close()
		<-ended
	})
}

// answerFrom answers one connection's commands from a time on.
func answerFrom(pipe *door.Pipe, from time.Time) {
	conn, err := pipe.Accept()
	if err != nil {
		return
	}
	defer func() { _ = conn.Close() }()
	in := bufio.NewReader(conn)
	for {
		var words, length int
		if _, err := fmt.Fscanf(in, "*%d\r\n", &words); err != nil {
			return
		}
		word := ""
		for range words {
			if _, err := fmt.Fscanf(in, "$%d\r\n%s\r\n", &length, &word); err != nil {
				return
			}
		}
		<-time.After(time.Until(from))
		if _, err := fmt.Fprint(conn, "+OK\r\n"); err != nil {
			return
		}
	}
}

// TestALoadsCountsSince: what came of a load since a fault, as long as it is remembered.
func TestALoadsCountsSince(t *testing.T) {
	l := newLoad(nil, "", nil)
	if _, ok := l.since(time.Now()); ok {
		t.Error("known, though there was no load")
	}
	l.set(100, .5)
	began := time.Now()
	for range 3 {
		l.note(began, door.Reply{Kind: '+'}, nil, true, true)
	}
	l.began = began.Add(-time.Second)
	l.turn(time.Now())
	fault := time.Now()
	l.note(fault, door.Reply{Kind: '-', Text: []byte("TRYAGAIN later")}, nil, false, false)
	l.note(fault.Add(-3*time.Second), door.Reply{Kind: '+'}, nil, true, false)
	n, ok := l.since(fault)
	if !ok || n.Done != 1 || n.Refused != 1 || n.Checked != 1 || n.Wrong != 1 {
		t.Errorf("%+v, %v", n, ok)
	}
	if says := n.say(1); !strings.Contains(says, "the slowest after 3.00 s, 1 refused") || !strings.Contains(says, "1 ACKNOWLEDGED WRITES MISSING") {
		t.Error(says)
	}
	if _, ok := l.since(began.Add(-time.Hour)); ok {
		t.Error("known of a time before it began")
	}
	for range 2 * maxLoadSeconds {
		l.began = l.began.Add(-time.Second)
		l.turn(time.Now())
	}
	if len(l.past) != maxLoadSeconds {
		t.Errorf("%d seconds are remembered", len(l.past))
	}
}

package console

import (
	"errors"
	"strings"
	"testing"
	"time"

	"flotilla/console/door"
)

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
	l.note(fault, door.Reply{Kind: '+'}, nil, true, false)
	n, ok := l.since(fault)
	if !ok || n.Done != 1 || n.Refused != 1 || n.Checked != 1 || n.Wrong != 1 {
		t.Errorf("%+v, %v", n, ok)
	}
	if says := n.say(1); !strings.Contains(says, "1 refused") || !strings.Contains(says, "1 ACKNOWLEDGED WRITES MISSING") {
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

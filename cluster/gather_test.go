package cluster

import (
	"fmt"
	"math"
	"testing"

	"flotilla"
)

// crowd has so many clients of a node ask for something.
func (l *lab) crowd(n *labNode, clients int) (calls []*flotilla.Call) {
	for range clients {
		calls = append(calls, l.ask1(n, fmt.Sprintf("La%04d", len(l.asked))))
	}
	return calls
}

// afterEntry has a first crowd's entry be applied while a second one waits, and returns at that moment.
func afterEntry(t *testing.T, first, second int) (*lab, *labNode, *hosted) {
	l, leader := ready(t)
	h := leader.node.hosted[1]
	for _, n := range l.nodes {
		l.answer(n, "Lb0000") // so that there is a session
	}
	l.run(1000, "nothing is on its way", func() bool { return h.group.IsIdle() })
	l.crowd(leader, first)
	l.drive(leader)
	if h.group.Carried() != first {
		t.Fatalf("%d commands are on their way, of %d", h.group.Carried(), first)
	}
	l.crowd(leader, second)
	l.run(1000, "the first entry is applied", func() bool { return len(l.list(leader, "La")) == 4*first })
	return l, leader, h
}

func TestLeaderWaitsForThoseWhoComeBack(t *testing.T) {
	l, leader, h := afterEntry(t, 20, 10)
	if h.group.Carried() != 0 || h.gathering.wanted != 18 {
		t.Fatalf("it carries %d, and waits for %d of 30", h.group.Carried(), h.gathering.wanted)
	}
	if at := leader.node.NextWake(); at != h.gathering.until || at > leader.node.mono+gatherMillis {
		t.Errorf("it goes on at %d, now is %d", at, leader.node.mono)
	}
	if enough := leader.node.enough(h.route); enough != 8 {
		t.Errorf("the loop wakes after %d more", enough)
	}
	l.crowd(leader, 7)
	l.drive(leader)
	if h.group.Carried() != 0 || h.gathering.wanted != 18 {
		t.Fatalf("with 17 it carries %d, and waits for %d", h.group.Carried(), h.gathering.wanted)
	}
	l.crowd(leader, 1)
	l.drive(leader)
	if h.group.Carried() != 18 || h.gathering.wanted != 0 {
		t.Fatalf("with 18 it carries %d, and waits for %d", h.group.Carried(), h.gathering.wanted)
	}
	if enough := leader.node.enough(h.route); enough != math.MaxInt {
		t.Errorf("with an entry on its way the loop wakes after %d more", enough)
	}
	l.run(1000, "all is answered", func() bool { return len(l.asked) == 0 })
}

func TestLeaderWaitsForAMomentOnly(t *testing.T) {
	l, leader, h := afterEntry(t, 20, 10)
	l.now += gatherMillis
	l.drive(leader)
	if h.group.Carried() != 10 || h.gathering.wanted != 0 {
		t.Fatalf("after %d ms it carries %d, and waits for %d", gatherMillis, h.group.Carried(), h.gathering.wanted)
	}
}

// TestParcelsOfOthersCount: what other nodes' clients ask for counts like what this one's do.
func TestParcelsOfOthersCount(t *testing.T) {
	l, leader, h := afterEntry(t, 20, 10)
	other := l.nodes[leader.id%3]
	l.crowd(other, 8)
	l.air = nil
	l.drive(other)
	for _, f := range l.air {
		if f.to == leader.id {
			l.arrive(f)
		}
	}
	l.drive(leader)
	if h.group.Carried() != 18 || h.gathering.wanted != 0 {
		t.Fatalf("it carries %d, and waits for %d", h.group.Carried(), h.gathering.wanted)
	}
}

func TestFewAreNotWaitedFor(t *testing.T) {
	_, _, h := afterEntry(t, 10, 5)
	if h.group.Carried() != 5 || h.gathering.wanted != 0 {
		t.Fatalf("it carries %d, and waits for %d", h.group.Carried(), h.gathering.wanted)
	}
}

// TestReadsDoNotWaitForWrites: a leader that waits for more writes has reads confirmed meanwhile.
func TestReadsDoNotWaitForWrites(t *testing.T) {
	l, leader, h := afterEntry(t, 20, 10)
	before := h.group.StartedRound()
	read := &flotilla.Call{Group: 1, IsRead: true, Commands: [][]byte{[]byte("La")}}
	l.ask(leader, read, func(*labCall) {})
	l.drive(leader)
	if h.group.StartedRound() == before || h.gathering.wanted == 0 {
		t.Fatalf("round %d after %d, and it waits for %d", h.group.StartedRound(), before, h.gathering.wanted)
	}
}

// TestPatienceIsOfCommands: a client that sends many commands at once wakes the loop as many clients do.
func TestPatienceIsOfCommands(t *testing.T) {
	_, leader := ready(t)
	s := &Server{core: leader.core, wake: make(chan struct{}, 1), patience: []patience{{}, {enough: 19}}}
	ask := func(commands int, isRead bool) (isAwake bool) {
		call := &flotilla.Call{Group: 1, IsRead: isRead}
		for range commands {
			call.Commands = append(call.Commands, []byte("La0000"))
		}
		if s.begin(call) == nil {
			t.Fatal("it was answered at once")
		}
		select {
		case <-s.wake:
			return true
		default:
			return false
		}
	}
	if ask(18, false) {
		t.Error("18 of 19 commands wake the loop")
	}
	if !ask(30, true) {
		t.Error("a read does not wake the loop")
	}
	if !ask(1, false) {
		t.Error("the last of 19 commands does not wake the loop")
	}
	s.take(inbox{})
	if ask(18, false) || !ask(32, false) {
		t.Error("what was taken counts, or what came in one call does not")
	}
}

package cluster

import (
	"testing"

	"flotilla"
)

// await has a node wait for copies of the first group's entry at an index.
func (l *lab) await(n *labNode, index uint64, want int) *copyWait {
	w := &copyWait{group: 1, index: index, want: want, done: make(chan struct{}, 1)}
	n.node.awaitCopies(w)
	return w
}

// isDone reports, once, whether a wait has ended.
func (w *copyWait) isDone() bool { return len(w.done) == 1 }

// steps lets time pass.
func (l *lab) steps(n int) {
	for range n {
		l.step()
	}
}

// isolate cuts a node off from all others, or ends that.
func (l *lab) isolate(n *labNode, isCut bool) {
	for _, other := range l.nodes {
		l.cut[[2]flotilla.NodeID{n.id, other.id}] = isCut
		l.cut[[2]flotilla.NodeID{other.id, n.id}] = isCut
	}
}

// TestReplicatedWaitsForCopies: on the leader and on another node, one copy besides
// the leader's is there with the acknowledgement, the second once its node is back,
// whatever is lost on the way.
func TestReplicatedWaitsForCopies(t *testing.T) {
	l, leader := ready(t)
	other, away := l.nodes[leader.id%3], l.nodes[(leader.id+1)%3]
	l.isolate(away, true)
	call := l.ask1(leader, "La0001")
	l.run(5000, "the write", func() bool { return len(l.asked) == 0 })
	if call.Err != nil {
		t.Fatal(call.Err)
	}
	for _, n := range []*labNode{leader, other} {
		one, two := l.await(n, call.Index, 1), l.await(n, call.Index, 2)
		ahead := l.await(n, call.Index+1000, 1)
		l.run(5000, "one copy", one.isDone)
		l.steps(100)
		if one.have != 1 || two.isDone() || two.have != 1 || ahead.isDone() || ahead.have != 0 {
			t.Fatalf("with one follower away %v knows of %d and %d copies", n.id, one.have, two.have)
		}
		n.node.forgetWait(two)
		n.node.forgetWait(ahead)
		n.node.forgetWait(ahead) // twice does nothing
		if !two.isDone() || len(n.node.copyWaits) != 0 {
			t.Fatal("a wait that was given up goes on")
		}
	}
	waits := []*copyWait{l.await(leader, call.Index, 2), l.await(other, call.Index, 2)}
	l.steps(100) // the first question was answered
	l.isolate(away, false)
	l.run(20_000, "two copies", func() bool { return waits[0].isDone() && waits[1].isDone() })
	l.dropped = 30
	again := l.await(other, call.Index, 2)
	l.run(20_000, "an answer in spite of losses", again.isDone)
	if waits[0].have != 2 || waits[1].have != 2 || again.have != 2 {
		t.Fatalf("%d, %d and %d copies instead of two", waits[0].have, waits[1].have, again.have)
	}
}

// TestOnlyTheLeaderKnowsCopies: it says of what is committed only, and others
// answer nothing.
func TestOnlyTheLeaderKnowsCopies(t *testing.T) {
	l, leader := ready(t)
	commit := leader.node.hosted[1].group.HardState().GetCommit()
	for _, match := range leader.node.matches(1) {
		if match > commit {
			t.Fatalf("a match of %d, but only %d is committed", match, commit)
		}
	}
	for _, n := range l.nodes {
		if n != leader && n.node.matches(1) != nil {
			t.Fatalf("%v does not lead and answers", n.id)
		}
	}
}

// TestReplicatedEndsWithTheNode: nobody waits for a node that stops, or for a group
// that does not exist.
func TestReplicatedEndsWithTheNode(t *testing.T) {
	l, leader := ready(t)
	w := l.await(leader, 1<<40, 1)
	nowhere := &copyWait{group: 99, want: 1, done: make(chan struct{}, 1)}
	leader.node.awaitCopies(nowhere)
	if !nowhere.isDone() || w.isDone() {
		t.Fatal("only the group that does not exist has an answer")
	}
	leader.node.stop()
	if !w.isDone() {
		t.Fatal("the wait goes on")
	}
}

package consensus_test

import (
	"bytes"
	"testing"

	"flotilla/consensus"

	"go.etcd.io/raft/v3/raftpb"
)

// TestCatchUpIsBounded has a replica come back that missed far more than may be on
// the way to it at a time. Its leader never sends more ahead of its answers than
// that and one message, and yet all of it in the end.
func TestCatchUpIsBounded(t *testing.T) {
	const (
		missed = 24      // entries of 1 MiB
		bound  = 4 << 20 // as docs/limits.md has it
	)
	l := newLab(3)
	leader, behind := l.replica(1), l.replica(3)
	leader.group.Campaign()
	l.quiet(t)
	behind.group = nil
	for i := range missed {
		command := append([]byte("tset k"), bytes.Repeat([]byte{byte('a' + i)}, 1<<20)...)
		parcel := consensus.Parcel{Origin: 1, First: uint64(100 + i)} // whether it is carried out does not matter here
		parcel.Commands = [][]byte{command}
		leader.group.Submit(consensus.AppendParcel(nil, &parcel))
		l.quiet(t)
	}
	last := leader.state.Mark().Index
	l.restart(behind, -1)

	most := 0
	for round := 0; behind.state.Mark().Index < last; round++ {
		if round > 100*missed {
			t.Fatalf("the replica is at %d, not at %d", behind.state.Mark().Index, last)
		}
		if len(l.wire) == 0 { // else probes that take longer than a heartbeat are sent again
			leader.group.Tick()
			l.turns(t, leader)
		}
		onWay, largest := 0, 0
		for _, p := range l.wire {
			if p.to == behind.id && p.kind == raftpb.MsgApp {
				onWay += len(p.bytes)
				largest = max(largest, len(p.bytes))
			}
		}
		most = max(most, onWay)
		if onWay > bound+largest {
			t.Fatalf("%d bytes are on their way to a replica that is behind; at most %d and one message of %d may be",
				onWay, bound, largest)
		}
		if packets := l.take(func(packet) bool { return true }); len(packets) > 0 {
			l.wire = packets[1:] // one message at a time: the others stay on their way
			l.deliver(packets[0])
		}
		l.turns(t, l.nodes...)
	}
	if most < bound/2 {
		t.Errorf("at most %d bytes were on their way: the bound was not tried", most)
	}
}

// turns lets replicas do what they can without a message.
func (l *lab) turns(t *testing.T, nodes ...*replica) {
	t.Helper()
	for _, n := range nodes {
		if n.group == nil {
			continue
		}
		if err := l.turn(n, func(consensus.Outcome) {}); err != nil {
			t.Fatal(err)
		}
	}
}

// quiet lets all replicas work until no message is left.
func (l *lab) quiet(t *testing.T) {
	t.Helper()
	for l.turns(t, l.nodes...); len(l.wire) > 0; l.turns(t, l.nodes...) {
		for _, p := range l.take(func(packet) bool { return true }) {
			l.deliver(p)
		}
	}
}

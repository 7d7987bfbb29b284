package consensus_test

import (
	"errors"
	"testing"

	"flotilla/consensus"
	"flotilla/storage"
)

// TestALogWithoutItsTailIsNoticed: a replica whose log ends before what it has told the
// leader, after a power cut that also took the mark which says so, learns it from the
// leader, and stops. One that has lost only what it never told of is as good as any.
func TestALogWithoutItsTailIsNoticed(t *testing.T) {
	l := newLab(3)
	leader, other := l.replica(1), l.replica(3)
	settle := func() {
		for isBusy := true; isBusy; {
			isBusy = len(l.wire) > 0
			wire := l.wire
			l.wire = nil
			for _, p := range wire {
				l.deliver(p)
			}
			for _, n := range l.nodes {
				if n.group == nil {
					continue
				}
				n.group.Advance(l.now)
				before := len(l.wire)
				if err := l.turn(n, func(consensus.Outcome) {}); err != nil {
					t.Fatal(err)
				}
				isBusy = isBusy || len(l.wire) > before
			}
		}
	}
	heartbeat := func() {
		for range 2 {
			leader.group.Tick()
		}
		settle()
	}
	elect := func() {
		leader.group.Campaign()
		settle()
		heartbeat()
	}
	clone := func() *storage.Memory { return other.disk.Restart(storage.MemoryOptions{FlushCommits: 1 << 30}, -1) }
	elect()
	short := clone()
	if !leader.group.Submit(consensus.AppendParcel(nil, &consensus.Parcel{Origin: 1, First: 1})) {
		t.Fatal("nobody leads")
	}
	settle()
	heartbeat()
	whole := clone()
	other.disk = whole
	l.open(other)
	heartbeat()
	if other.failure != nil {
		t.Fatalf("nothing is lost, and it stops: %v", other.failure)
	}
	other.disk = short
	l.open(other)
	heartbeat()
	if !errors.Is(other.failure, consensus.ErrLog) {
		t.Errorf("its tail is lost, and it goes on: %v", other.failure)
	}
}

// TestAContradictionStops: of an entry that two of three had stored, one loses its copy
// unnoticed, and is elected by the third. Whoever still has it must not go on.
func TestAContradictionStops(t *testing.T) {
	l := newLab(3)
	loser, third, keeper := l.replica(1), l.replica(2), l.replica(3)
	loser.group.Campaign()
	l.quiet(t)
	short := loser.disk.Restart(storage.MemoryOptions{FlushCommits: 1 << 30}, -1)
	away := third.group
	third.group = nil
	if !loser.group.Submit(consensus.AppendParcel(nil, &consensus.Parcel{Origin: 1, First: 1})) {
		t.Fatal("nobody leads")
	}
	l.quiet(t)
	third.group, loser.disk = away, short
	l.open(loser)
	for range 40 {
		third.group.Tick() // it has not heard of a leader for long, or it would not vote
	}
	third.group.Advance(l.now)
	l.wire = nil
	for range 3 {
		loser.group.Campaign()
		l.quiet(t)
	}
	if !loser.group.IsLeader() {
		t.Fatal("the loser is not elected")
	}
	if !errors.Is(keeper.failure, consensus.ErrContradicted) || third.failure != nil {
		t.Errorf("it goes on, %v, or the third stops, %v", keeper.failure, third.failure)
	}
}

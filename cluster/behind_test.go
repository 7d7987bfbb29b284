package cluster

import (
	"bytes"
	"testing"

	"flotilla"
	"flotilla/consensus"
)

// labLimits are small enough for a test.
var labLimits = logLimits{entries: 50, maxEntries: 400, bytes: 8 << 20, maxBytes: 20 << 20}

// behindLab is a lab in which one node is down, and which counts snapshots.
type behindLab struct {
	*lab
	leader, other, down *labNode
}

func newBehindLab(t *testing.T) *behindLab {
	l, leader := ready(t)
	for _, n := range l.nodes {
		n.node.logLimits = labLimits
	}
	b := &behindLab{lab: l, leader: leader, other: l.nodes[leader.id%3], down: l.nodes[(leader.id+1)%3]}
	l.allServe("Lw0000")
	l.stop(b.down, 1<<30)
	return b
}

// write makes so many entries of so many bytes, and lets the log be cut.
func (b *behindLab) write(entries, size int) {
	b.t.Helper()
	for i := range entries {
		command := append([]byte{byte(systemLab), byte(i)}, bytes.Repeat([]byte{byte(i)}, size)...)
		b.answer(b.leader, string(command))
	}
	for _, n := range b.nodes {
		n.disk.Flush() // what is not durable is not cut
	}
	b.pass(3 * cutTicks * labTick)
	b.answer(b.leader, "Lw0000") // the disk cuts when it next writes
	b.pass(cutTicks * labTick)
}

func (b *behindLab) snapshots() (sent uint64) {
	for _, n := range b.nodes {
		if n.node != nil {
			sent += n.node.counters.snapshots
		}
	}
	return sent
}

// comeBack starts the node that is down, waits until it has all, and demands that
// it is the same replica as before. It returns how many snapshots that took.
func (b *behindLab) comeBack() uint64 {
	b.t.Helper()
	before := b.snapshots()
	b.down.down = 0
	b.run(60_000, "the node has all that it missed", func() bool {
		return b.down.node != nil && b.down.node.hosted[1].state.Mark() == b.leader.node.hosted[1].state.Mark()
	})
	b.down.node.logLimits = labLimits
	h := b.down.node.hosted[1]
	if consensus.Hash(h.state) != consensus.Hash(b.leader.node.hosted[1].state) {
		b.t.Error("what it has differs from what the others have")
	}
	if h.group.Replica() != flotilla.ReplicaID(b.down.id) || len(b.down.node.lost) > 0 {
		b.t.Errorf("node %d came back as replica %d, with copies lost: %v", b.down.id, h.group.Replica(), b.down.node.lost)
	}
	if members := b.leader.node.hosted[1].group.Members(); len(members.Conf.GetVoters()) != 3 || consensus.IsFresh(members.Next-1) {
		b.t.Errorf("the members are %v on %v, next %d: somebody was replaced", members.Conf, members.Node, members.Next)
	}
	b.allServe("Lw0000")
	return b.snapshots() - before
}

func (b *behindLab) firstIndex(n *labNode) uint64 {
	first, err := n.disk.Log(1).FirstIndex()
	if err != nil {
		b.t.Fatal(err)
	}
	return first
}

// TestComingBack has a node come back that missed less or more than the log that is
// kept for it. In the second case it gets a snapshot, and goes on as the replica that
// it was; in none does it begin anew.
func TestComingBack(t *testing.T) {
	for name, c := range map[string]struct {
		entries, bytes int
		bySnapshot     bool
	}{
		"some entries":      {300, 4, false},
		"too many entries":  {600, 4, true},
		"large entries":     {14, 1 << 20, false},
		"too large entries": {30, 1 << 20, true},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBehindLab(t)
			b.write(c.entries, c.bytes)
			if sent := b.comeBack(); sent > 0 != c.bySnapshot {
				t.Errorf("%d snapshots were sent", sent)
			}
		})
	}
}

// TestNewLeaderHasTheLog: a follower keeps what a replica that is down will need, as
// its leader does. It can bring that replica up by log, should it lead by then.
func TestNewLeaderHasTheLog(t *testing.T) {
	b := newBehindLab(t)
	b.write(300, 4)
	b.leader.node.hosted[1].group.Transfer(flotilla.ReplicaID(b.other.id))
	b.run(10_000, "the other leads", func() bool {
		b.leader.node.markDirty(b.leader.node.hosted[1])
		return b.other.node.hosted[1].group.IsLeader()
	})
	if sent := b.comeBack(); sent > 0 {
		t.Errorf("%d snapshots were sent: the new leader had no log for the node that was down", sent)
	}
	b.write(100, 4)
	for _, n := range b.nodes {
		if first, last := b.firstIndex(n), n.node.hosted[1].state.Mark().Index; last-first > 2*labLimits.entries+100 {
			t.Errorf("node %d still has a log from %d to %d, and nobody is behind", n.id, first, last)
		}
	}
}

// TestNoLogForOthersWithoutRoom: a node whose disk is nearly full forgets the log
// that it kept for a replica that is down.
func TestNoLogForOthersWithoutRoom(t *testing.T) {
	b := newBehindLab(t)
	b.write(300, 4)
	for _, n := range []*labNode{b.leader, b.other} {
		if first := b.firstIndex(n); first > 100 {
			t.Fatalf("node %d has cut its log up to %d: a replica that is down needs it", n.id, first)
		}
		n.disk.SetRoom(false)
	}
	b.write(1, 4)
	for _, n := range []*labNode{b.leader, b.other} {
		if first := b.firstIndex(n); first < 100 {
			t.Errorf("node %d has no room, and still a log from %d on", n.id, first)
		}
	}
	if sent := b.comeBack(); sent == 0 {
		t.Error("no snapshot was sent")
	}
}

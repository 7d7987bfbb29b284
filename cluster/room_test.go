package cluster

import (
	"slices"
	"strings"
	"testing"

	"flotilla"
	"flotilla/consensus"
	"flotilla/store"
)

// redis carries out a command of the store through a node, as an entry of group 1,
// and returns the first word of its reply.
func (l *lab) redis(n *labNode, line string) string {
	l.t.Helper()
	var args [][]byte
	for word := range strings.FieldsSeq(line) {
		args = append(args, []byte(word))
	}
	a := l.timed(n, string(store.Encode(nil, args)))
	l.run(5000, line, func() bool { return len(l.asked) == 0 })
	if a.Err != nil {
		l.t.Fatalf("%s: %v", line, a.Err)
	}
	word, _, _ := strings.Cut(strings.TrimSpace(string(a.Replies[0])), " ")
	return word
}

// TestNoRoom takes the room on the disk of one node after the other: of the group's
// leader, and of a follower, which only its hellos tell of. Commands that make the
// data grow are refused by all nodes, those that do not are carried out; once there
// is room again, or the node without any is gone, writes are as before.
func TestNoRoom(t *testing.T) {
	l, leader := ready(t)
	told := 10 * labTick // by then all know of a disk without room, or with room again
	for _, full := range []*labNode{leader, l.nodes[leader.id%3]} {
		l.mustReply("set a 1", "+OK", "set b 1", "+OK")
		full.disk.SetRoom(false)
		l.pass(told)
		l.mustReply("set a 2", "-OOM", "rpush l x", "-OOM", "get a", "$1\r\n1", "exists a", ":1", "persist b", ":0")
		if got := l.redis(l.nodes[2], "del b"); got != ":1" {
			t.Errorf("del without room on node %d: %s", full.id, got)
		}
		full.disk.SetRoom(true)
		l.pass(told)
		l.mustReply("set a 3", "+OK", "get b", "_")
	}

	l.nodes[leader.id%3].disk.SetRoom(false)
	l.pass(told)
	l.mustReply("set a 4", "-OOM")
	l.stop(l.nodes[leader.id%3], 1000)
	l.pass(noticeMillis)
	if got := l.redis(leader, "set a 5"); got != "+OK" {
		t.Errorf("once the node without room is down, a write is answered with %s", got)
	}
	l.run(10_000, "it is back", func() bool { return l.nodes[leader.id%3].node != nil })
	l.allServe("Le0000")
	for _, n := range l.nodes {
		if consensus.Hash(n.node.hosted[1].state) != consensus.Hash(leader.node.hosted[1].state) {
			t.Errorf("nodes %d and %d differ", leader.id, n.id)
		}
	}
}

// mustReply asks each node for each command; behind each is the reply to be had.
func (l *lab) mustReply(script ...string) {
	l.t.Helper()
	for line := range slices.Chunk(script, 2) {
		for _, n := range l.nodes {
			if got := l.redis(n, line[0]); got != line[1] {
				l.t.Errorf("%s through node %d is answered with %q, want %q", line[0], n.id, got, line[1])
			}
		}
	}
}

func (l *lab) pass(time flotilla.Millis) {
	for end := l.now + time; l.now < end; {
		l.step()
	}
}

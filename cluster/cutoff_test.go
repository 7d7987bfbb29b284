package cluster

import (
	"bytes"
	"errors"
	"testing"

	"flotilla"
)

// noticeMillis is how long it takes until a node of the lab knows that it is alone,
// and has looked at what waits; soonMillis how long until all of that is answered.
const (
	noticeMillis = (12 + 1 + 2*checkTicks) * labTick
	soonMillis   = noticeMillis + cutOffMillis + 2*checkTicks*labTick
)

// separation says what is lost: what others send to a node, what it sends, or both.
type separation struct{ isDeaf, isMute bool }

func (l *lab) separate(n *labNode, s separation) {
	for _, other := range l.nodes {
		l.cut[[2]flotilla.NodeID{other.id, n.id}] = s.isDeaf
		l.cut[[2]flotilla.NodeID{n.id, other.id}] = s.isMute
	}
}

// asked is a call, and how long its answer took.
type asked struct {
	*flotilla.Call
	took flotilla.Millis
}

// timed has a node asked for something of group 1: a write, or a read of a list.
func (l *lab) timed(n *labNode, command string) *asked {
	began := l.now
	a := &asked{Call: &flotilla.Call{Group: 1, IsRead: len(command) == 2, Commands: [][]byte{[]byte(command)}, Err: errors.New("not yet")}}
	l.ask(n, a.Call, func(*labCall) { a.took = l.now - began })
	return a
}

func (a *asked) mustBeRefused(t *testing.T, what string, limit flotilla.Millis) {
	t.Helper()
	if !errors.Is(a.Err, flotilla.ErrRefused) || flotilla.ReasonOf(a.Err) != flotilla.NoQuorum || a.took > limit {
		t.Errorf("%s ended after %d ms with: %v; want no quorum within %d ms", what, a.took, a.Err, limit)
	}
}

// TestCutOffNode cuts a node off, and asks it for things before and after it has
// noticed. What may have happened is UNKNOWN soon after, and not only when its time
// is over; what can not have happened is refused, and never happens.
func TestCutOffNode(t *testing.T) {
	for name, c := range map[string]struct {
		isLeader bool
		separation
	}{
		"leader":                 {true, separation{isDeaf: true, isMute: true}},
		"leader hears nothing":   {true, separation{isDeaf: true}},
		"leader is not heard":    {true, separation{isMute: true}},
		"follower":               {false, separation{isDeaf: true, isMute: true}},
		"follower hears nothing": {false, separation{isDeaf: true}},
		"follower is not heard":  {false, separation{isMute: true}},
	} {
		t.Run(name, func(t *testing.T) {
			l, n := ready(t)
			if !c.isLeader {
				n = l.nodes[n.id%3]
			}
			l.answer(n, "Lw0000") // it has a session
			l.separate(n, c.separation)
			sent := l.askUntilRefused(n)
			clear(l.cut)
			l.allServe("Le0000")
			for _, other := range l.nodes {
				if list := l.list(other, "Lq") + l.list(other, "Lr"); list != "" {
					t.Errorf("node %d has %q: it was refused", other.id, list)
				}
				if got := l.list(other, "Ls"); got != l.list(n, "Ls") || len(got) > 4*sent {
					t.Errorf("of %d writes with unknown outcomes node %d has %q, node %d %q", sent, other.id, got, n.id, l.list(n, "Ls"))
				}
			}
			if got := l.list(n, "Ls"); c.isLeader && !c.isMute && got != "000a" { // its append did reach the others
				t.Errorf("there is %q: this write was carried out, once", got)
			}
		})
	}
}

// askUntilRefused asks a node that was just cut off for all kinds of things, and
// returns how many writes were on their way.
func (l *lab) askUntilRefused(n *labNode) int {
	var sent []*asked
	for i := range n.node.maxSent(n.node.route(1)) {
		sent = append(sent, l.timed(n, "Ls000"+string(rune('a'+i))))
		l.step() // each is a parcel of its own
	}
	waiting, read := l.timed(n, "Lq0000"), l.timed(n, "Lw")
	l.run(requestMillis-1000, "all that was asked before is answered", func() bool { return len(l.asked) == 0 })
	for _, a := range sent {
		if !errors.Is(a.Err, flotilla.ErrUnknown) || a.took > soonMillis {
			l.t.Errorf("what was on its way ended after %d ms with: %v; want unknown within %d ms", a.took, a.Err, soonMillis)
		}
	}
	waiting.mustBeRefused(l.t, "a write that had to wait", noticeMillis)
	read.mustBeRefused(l.t, "a read on its way", noticeMillis)
	late, lateRead := l.timed(n, "Lr0000"), l.timed(n, "Lw")
	l.step()
	late.mustBeRefused(l.t, "a write after that", labStep)
	lateRead.mustBeRefused(l.t, "a read after that", labStep)
	return len(sent)
}

// allServe waits until a write through each node is carried out, and has reached all.
func (l *lab) allServe(command string) {
	l.t.Helper()
	l.run(20_000, "all calls are answered", func() bool { return len(l.asked) == 0 })
	for _, n := range l.nodes {
		a := l.timed(n, command)
		l.run(20_000, "a write is carried out", func() bool {
			if len(l.asked) == 0 && a.Err != nil {
				a = l.timed(n, command)
			}
			return a.Err == nil
		})
	}
	l.run(5000, "all nodes are equally far", func() bool {
		first := l.nodes[0].node.hosted[1].state.Mark().Index
		for _, n := range l.nodes {
			if n.node.hosted[1].state.Mark().Index != first {
				return false
			}
		}
		return true
	})
}

// TestCutOffForAMoment: a cut that ends soon after the node has noticed costs no
// answer: what is on its way is waited for a little longer.
func TestCutOffForAMoment(t *testing.T) {
	l, leader := ready(t)
	n := l.nodes[leader.id%3]
	l.answer(n, "Lw0000")
	l.separate(n, separation{isDeaf: true, isMute: true})
	call := l.timed(n, "La0000")
	l.run(2*noticeMillis, "the node notices", func() bool { return n.node.isCutOff(1) })
	for range 20 {
		l.step()
	}
	clear(l.cut)
	l.run(requestMillis, "the call is answered", func() bool { return len(l.asked) == 0 })
	if call.Err != nil || !bytes.Equal(call.Replies[0], []byte{0, 0, 0, 1}) {
		t.Errorf("after %d ms: %v, %v", call.took, call.Err, call.Replies)
	}
}

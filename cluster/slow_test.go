package cluster

import (
	"math/rand/v2"
	"testing"

	"flotilla"
)

// A node whose links are slow to everyone is slow; one that is merely far from a
// slow node is not.
func TestSlowLinksMakeANodeSlow(t *testing.T) {
	n := &Node{cfg: Config{Self: 1, ElectionTicks: 12}, ticks: 1, peers: map[flotilla.NodeID]*peer{}}
	for _, id := range []flotilla.NodeID{2, 3} {
		p := &peer{id: id, heardTick: 1}
		n.peers[id] = p
		n.peerOrder = append(n.peerOrder, p)
	}
	tell := func(id flotilla.NodeID, rttHere, rttThere float64) {
		n.peers[id].rttMillis, n.peers[id].hello.rttMillis = rttHere, uint64(rttThere)
	}
	tell(2, 300, 1) // n1 is far from both, they are near each other
	tell(3, 310, 1)
	if !n.isSlow(1) || n.isSlow(2) || n.isSlow(3) {
		t.Errorf("n1 is the slow one: %v %v %v", n.isSlow(1), n.isSlow(2), n.isSlow(3))
	}
	tell(2, 300, 300) // n2 is far from both
	tell(3, 1, 1)
	if n.isSlow(1) || !n.isSlow(2) || n.isSlow(3) {
		t.Errorf("n2 is the slow one: %v %v %v", n.isSlow(1), n.isSlow(2), n.isSlow(3))
	}
	tell(2, 300, 300) // all are far from each other
	tell(3, 300, 300)
	if n.isSlow(1) || n.isSlow(2) || n.isSlow(3) {
		t.Error("all are alike: none is slow")
	}
}

// The round trip is measured from stamps that come back, less the time they were held.
func TestHelloMeasuresRoundTrip(t *testing.T) {
	n := &Node{cfg: Config{Self: 1}, directory: &Directory{}, peers: map[flotilla.NodeID]*peer{}, mono: 1500}
	p := &peer{id: 2}
	n.receiveHello(p, &hello{echo: 1000, held: 100})
	if p.rttMillis != 0.3*400 {
		t.Errorf("measured %v, want 0.3 of 400", p.rttMillis)
	}
}

// leads counts the groups of data that a node of the lab leads.
func (n *labNode) leads() (count int) {
	for _, h := range n.node.order {
		if h.id != flotilla.Directory && h.group.IsLeader() {
			count++
		}
	}
	return count
}

// TestLeadersLeaveSlowLinks slows all links of a node that leads down, and later
// makes them good again. Its leaders move away although it answers well within
// elections' time; they come back only once the links have been good for a while.
func TestLeadersLeaveSlowLinks(t *testing.T) {
	l, n := ready(t)
	l.run(20_000, "each node leads one of the three groups of data", func() bool {
		return l.nodes[0].leads() == 1 && l.nodes[1].leads() == 1 && l.nodes[2].leads() == 1
	})
	terms := func() (sum uint64) {
		for _, h := range l.nodes[n.id%3].node.order {
			if h.id != flotilla.Directory {
				sum += h.group.Term()
			}
		}
		return sum
	}
	before := terms()
	l.lag[n.id] = 80 // 160 ms there and back; the lab's elections begin after 240 of silence
	l.run(5000, "the slow node leads nothing", func() bool { return n.leads() == 0 })
	if moves := terms() - before; moves != 1 {
		t.Errorf("%d elections: one leader had to hand over", moves)
	}
	l.answer(l.nodes[n.id%3], "La0001")
	for end := l.now + 3*settleMillis; l.now < end; l.step() {
		if n.leads() > 0 {
			t.Fatalf("%d ms before the links are good a leader came back", end-l.now)
		}
	}
	l.lag[n.id] = 0
	for end := l.now + settleMillis; l.now < end; l.step() {
		if n.leads() > 0 {
			t.Fatalf("a leader came back %d ms too early", end-l.now)
		}
	}
	l.run(10_000, "the node leads a group again", func() bool { return n.leads() == 1 })
}

// TestFlappingLinks: links that are slow every other moment do not have leaders
// come and go each time.
func TestFlappingLinks(t *testing.T) {
	l, n := ready(t)
	moves, led := 0, n.leads()
	for i := range 10_000 {
		l.lag[n.id] = flotilla.Millis(80 * (i / 500 % 2)) // 1 s fast, 1 s slow
		l.step()
		if now := n.leads(); now != led {
			moves, led = moves+1, now
		}
	}
	if moves > 3 || led > 0 {
		t.Errorf("leaders came or went %d times, and it leads %d groups", moves, led)
	}
}

// TestLeadersLeaveLossyLinks: a node on whose links half of all is lost is a leader for ever
// to those who hear it now and then, and should not be. Pauses are no loss, though more than a quarter is missed for a moment.
func TestLeadersLeaveLossyLinks(t *testing.T) {
	for seed := range uint64(100) {
		l, n := ready(t)
		l.run(20_000, "the node leads something", func() bool { return n.leads() > 0 })
		chance := rand.New(rand.NewPCG(seed, 1))
		lose := func(percent int) {
			for _, other := range l.nodes {
				l.cut[[2]flotilla.NodeID{n.id, other.id}] = chance.IntN(100) < percent
				l.cut[[2]flotilla.NodeID{other.id, n.id}] = chance.IntN(100) < percent
			}
		}
		led := n.leads()
		for _, silence := range []struct{ percent, millis int }{{100, 120}, {0, 80}, {100, 120}, {0, 5000}} { // none long enough for an election
			for end := l.now + flotilla.Millis(silence.millis); l.now < end; l.step() {
				lose(silence.percent)
			}
		}
		if n.leads() != led {
			t.Errorf("seed %d: two short silences cost a leader", seed)
		}
		l.run(10_000, "the node leads nothing, and knows why", func() bool { lose(50); return n.leads() == 0 && n.node.isLossy(n.id) })
		for end := l.now + 5000; l.now < end; l.step() {
			if lose(50); n.leads() > 0 {
				t.Fatalf("seed %d: a leader came back", seed)
			}
		}
	}
}

// TestLossIsOfTheStraightWay: of two hellos, one comes straight. Both come by way of another node, or
// twice: the link is no better for that. Nor is one over which nothing comes any more.
func TestLossIsOfTheStraightWay(t *testing.T) {
	n := &Node{cfg: Config{Self: 1, ElectionTicks: 12, HeartbeatTicks: 2, TickMillis: 50}, directory: &Directory{}, peers: map[flotilla.NodeID]*peer{}}
	p := &peer{id: 2}
	n.peers[2], n.peerOrder = p, []*peer{p}
	hear := func(isRelayed bool) {
		n.receive(&Frame{from: 2, isRelayed: isRelayed, hello: &hello{incarnation: 1, stamp: n.ticks * 50}})
	}
	for range 1000 {
		n.ticks += 2
		if hear(true); n.ticks%4 == 0 {
			hear(false)
			hear(false)
		}
	}
	if p.loss < .4 || p.loss > .6 || !n.loses(p, .4) || n.loses(p, .6) {
		t.Errorf("every second hello does not come straight, and the share lost is %.2f", p.loss)
	}
	for range 10 {
		n.ticks += 2
		hear(true)
	}
	if !n.loses(p, 1) {
		t.Error("nothing comes straight, and nothing is lost")
	}
}

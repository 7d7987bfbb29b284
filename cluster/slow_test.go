package cluster

import (
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

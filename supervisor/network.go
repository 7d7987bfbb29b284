package supervisor

import (
	"time"

	"flotilla"
)

// Network is which links between a fleet's nodes are cut or slow. Each node is
// told only about what it sends: a one-way cut is then simply one node's matter.
type Network struct {
	nodes    []flotilla.NodeID
	cut      map[link]bool
	isolated map[flotilla.NodeID]bool
	slow     map[flotilla.NodeID]Slowness
}

// link is the direction from one node to another.
type link struct{ from, to flotilla.NodeID }

// Slowness is what happens to each message to or from a slow node.
type Slowness struct {
	Delay time.Duration
	Drop  float64 // the share of messages lost, 0 to 1
}

// LinkFault is what happens to messages on one link.
type LinkFault struct {
	IsCut bool
	Slowness
}

func newNetwork(nodes []NodePlan) *Network {
	n := &Network{
		cut:      make(map[link]bool),
		isolated: make(map[flotilla.NodeID]bool),
		slow:     make(map[flotilla.NodeID]Slowness),
	}
	for _, node := range nodes {
		n.nodes = append(n.nodes, node.Node)
	}
	return n
}

// Isolate cuts a node off from all others.
func (n *Network) Isolate(node flotilla.NodeID) { n.isolated[node] = true }

// Cut cuts the link from one node to another, or both ways.
func (n *Network) Cut(from, to flotilla.NodeID, isOneWay bool) {
	n.cut[link{from, to}] = true
	if !isOneWay {
		n.cut[link{to, from}] = true
	}
}

// Slow slows all links of a node. A zero Slowness makes it fast again.
func (n *Network) Slow(node flotilla.NodeID, how Slowness) { n.slow[node] = how }

// Heal ends all faults of the links of a node.
func (n *Network) Heal(node flotilla.NodeID) {
	delete(n.isolated, node)
	delete(n.slow, node)
	for l := range n.cut {
		if l.from == node || l.to == node {
			delete(n.cut, l)
		}
	}
}

// From returns what a node has to do to the messages that it sends, by receiver.
func (n *Network) From(from flotilla.NodeID) map[flotilla.NodeID]LinkFault {
	faults := make(map[flotilla.NodeID]LinkFault)
	for _, to := range n.nodes {
		a, b := n.slow[from], n.slow[to]
		fault := LinkFault{
			IsCut: n.cut[link{from, to}] || n.isolated[from] || n.isolated[to],
			Slowness: Slowness{
				Delay: a.Delay + b.Delay,
				Drop:  1 - (1-a.Drop)*(1-b.Drop),
			},
		}
		if to != from && fault != (LinkFault{}) {
			faults[to] = fault
		}
	}
	return faults
}

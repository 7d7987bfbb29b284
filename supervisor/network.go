package supervisor

import (
	"flotilla"
	"flotilla/transport"
)

// Network is which links between a fleet's nodes are cut or slow. Each node is
// told only about what it sends: a one-way cut is then simply one node's matter.
type Network struct {
	nodes    []flotilla.NodeID
	cut      map[link]bool
	isolated map[flotilla.NodeID]bool
	slow     map[flotilla.NodeID]transport.Fault // of each message to or from the node
	ways     map[link]transport.Fault            // set by Set
}

// link is the direction from one node to another.
type link struct{ from, to flotilla.NodeID }

func newNetwork(nodes []NodePlan) *Network {
	n := &Network{
		cut:      make(map[link]bool),
		isolated: make(map[flotilla.NodeID]bool),
		slow:     make(map[flotilla.NodeID]transport.Fault),
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

// Slow delays and loses messages on all links of a node. Zeros make it fast again.
func (n *Network) Slow(node flotilla.NodeID, delay flotilla.Millis, drop float64) {
	n.slow[node] = transport.Fault{DelayMillis: delay, Drop: drop}
}

// Set makes some ways faulty, and those good again that it made faulty before.
func (n *Network) Set(ways []Way) {
	n.ways = make(map[link]transport.Fault, len(ways))
	for _, w := range ways {
		n.ways[link{w.From, w.To}] = w.Fault
	}
}

// Heal ends all faults of the links of a node.
func (n *Network) Heal(node flotilla.NodeID) {
	delete(n.isolated, node)
	delete(n.slow, node)
	for l := range n.cut {
		if l.from == node || l.to == node {
			delete(n.cut, l)
		}
	}
	for l := range n.ways {
		if l.from == node || l.to == node {
			delete(n.ways, l)
		}
	}
}

// From returns the faults of all messages that a node sends, by receiver.
func (n *Network) From(from flotilla.NodeID) map[flotilla.NodeID]transport.Fault {
	faults := make(map[flotilla.NodeID]transport.Fault)
	for _, to := range n.nodes {
		a, b := n.slow[from], n.slow[to]
		fault := n.ways[link{from, to}]
		fault.Cut = fault.Cut || n.cut[link{from, to}] || n.isolated[from] || n.isolated[to]
		fault.DelayMillis = min(fault.DelayMillis+a.DelayMillis+b.DelayMillis, transport.MaxDelayMillis)
		fault.Drop = 1 - (1-fault.Drop)*(1-a.Drop)*(1-b.Drop)
		if to != from && fault != (transport.Fault{}) {
			faults[to] = fault
		}
	}
	return faults
}

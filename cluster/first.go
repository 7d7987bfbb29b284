package cluster

import (
	"fmt"

	"flotilla"
)

// A node with an empty disk is either new, as all others are, or has lost its data. Taking
// the second for the first breaks the cluster: the node would take part under the id of a
// copy that has voted and acknowledged, and has forgotten that. So one that does not know
// (Config.AsksFirst) asks, by saying hello without having anything, and waits:
//
//	somebody knows of the cluster            -> the data is lost: ask for new copies
//	a majority, this node among it, does not -> the cluster is new: make the first ones
//
// If this node ever acknowledged what was committed, a majority of a group's copies did, and
// all of these know of the cluster, if they have not lost their disks as well. Where every node
// holds a copy, any two majorities have a node in common: only one that was never
// there before can not know. What is left is in docs/decisions/0012.

// decide looks whether it is known by now why the disk is empty.
func (n *Node) decide() {
	strangers := 1 // nodes that know of no cluster, this one among them
	for _, p := range n.peerOrder {
		switch {
		case !n.isAlive(p.id) || p.hello.incarnation == 0:
		case p.hello.knowsCluster || p.hello.directory > 0:
			n.cfg.Log.Warn("the disk is empty, and the cluster exists: this node has lost its data, and asks for new copies", "peer", p.id)
			n.settle(false)
			return
		default:
			strangers++
		}
	}
	if 2*strangers > len(n.cfg.Members) {
		n.cfg.Log.Info("the cluster starts for the first time")
		n.settle(true)
	}
}

// settle goes on with what was decided, as newNode does.
func (n *Node) settle(isFirst bool) {
	n.isUndecided, n.isChanged = false, true
	err := n.makeCopies(isFirst, nil)
	for _, r := range n.disk.Groups() {
		if err == nil {
			err = n.open(r)
		}
	}
	if err != nil {
		n.failure = fmt.Errorf("make the first copies: %w", err)
	}
}

// knowsCluster reports whether this node has seen the cluster do anything. A term is enough:
// somebody stood for election, and got votes.
func (n *Node) knowsCluster() bool {
	if n.directory.Version > 0 || len(n.lost) > 0 {
		return true
	}
	for _, h := range n.order {
		if index, _ := h.group.Committed(); index > 1 || h.group.Term() > 1 || h.group.Replica() != flotilla.ReplicaID(n.cfg.Self) {
			return true
		}
	}
	return false
}

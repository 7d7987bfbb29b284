package cluster

import (
	"fmt"
	"slices"

	"flotilla"
)

// A node with an empty disk is either new, as all others are, or has lost its data. Taking
// the second for the first breaks the cluster: the node would take part under the id of a
// copy that has voted and acknowledged, and has forgotten that. So one that does not know
// (Config.AsksFirst) asks, by saying hello without having anything, and waits:
//
//	somebody knows of the cluster, and not of this node -> the data is lost: ask for new copies
//	enough nodes, this one among them, do not           -> the cluster is new: make the first ones
//
// Who begins remembers which lives of which nodes had nothing then, the founders, and tells
// those who ask. So nobody who hears of the cluster before it has heard everybody takes itself
// for one that lost its data.
//
// If this node ever acknowledged what was committed, a majority of a group's copies did, and
// all of these know of the cluster, if they have not lost their disks as well. Where every node
// holds a copy, a majority is enough: any two have a node in common, and only one that was never
// there before can not know. A node that comes late is then taken for one that lost its data, and
// its group goes on without it. Where a group is on some nodes only, two that come late could be the
// majority of its copies: there all nodes must be heard. What is left is in docs/decisions/0012.

// founder is a life of a node that had nothing when the cluster began.
type founder struct {
	node        flotilla.NodeID
	incarnation uint64
}

// decide looks whether it is known by now why the disk is empty.
func (n *Node) decide() {
	self := founder{n.cfg.Self, n.cfg.Incarnation}
	strangers := []founder{self}
	var knows *peer
	for _, p := range n.peerOrder {
		switch {
		case !n.isAlive(p.id) || p.hello.incarnation == 0:
		case slices.Contains(p.hello.founders, self):
			n.founders = p.hello.founders
			n.begin()
			return
		case p.hello.knowsCluster || p.hello.directory > 0:
			knows = p
		default:
			strangers = append(strangers, founder{p.id, p.hello.incarnation})
		}
	}
	switch {
	case knows != nil:
		n.cfg.Log.Warn("the disk is empty, and the cluster exists: this node has lost its data, and asks for new copies", "peer", knows.id)
		n.founders = knows.hello.founders // others may ask this node first
		n.settle(false)
	case len(strangers) >= n.enoughStrangers():
		n.founders = strangers
		n.begin()
	}
}

func (n *Node) begin() {
	n.cfg.Log.Info("the cluster starts for the first time")
	n.settle(true)
}

// enoughStrangers returns how many nodes must know of no cluster for it to be new.
func (n *Node) enoughStrangers() int {
	for _, g := range n.directory.Groups {
		if len(g.Replicas) < len(n.cfg.Members) {
			return len(n.cfg.Members)
		}
	}
	return len(n.cfg.Members)/2 + 1
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

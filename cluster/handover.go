package cluster

import (
	"fmt"

	"flotilla"
)

// Transfer has this node hand a group over that it leads: to a node, or, if to is 0,
// to one of those that are not far behind. It only begins that: Raft gives it up after an
// election's time. An error means that nothing was begun.
func (s *Server) Transfer(group flotilla.GroupID, to flotilla.NodeID) error {
	answer := make(chan error, 1)
	if !s.post(func() { answer <- s.core.Transfer(group, to) }) {
		return flotilla.Refused(flotilla.Stopping, "")
	}
	select {
	case err := <-answer:
		return err
	case <-s.stopped:
		return flotilla.Refused(flotilla.Stopping, "")
	}
}

// Transfer is Server.Transfer, for the driver's loop.
func (c *Core) Transfer(group flotilla.GroupID, to flotilla.NodeID) error {
	n := c.node
	h := n.hosted[group]
	if h == nil || !h.group.IsLeader() {
		return fmt.Errorf("%v does not lead %v", n.cfg.Self, group)
	}
	if to == n.cfg.Self {
		return nil // it leads already
	}
	for _, candidate := range n.candidates(h) {
		if candidate == n.cfg.Self || to != 0 && candidate != to {
			continue
		}
		h.group.Transfer(h.group.Members().ReplicaOf(candidate))
		n.markDirty(h)
		return nil
	}
	if to == 0 {
		return fmt.Errorf("nobody is near enough to take %v from %v", group, n.cfg.Self)
	}
	return fmt.Errorf("%v is not near enough to take %v: it has no copy, is away, or far behind", to, group)
}

// Drain has this node give all its leaders away, and returns how many it still
// leads that another live node could lead. Call it again, a turn later, until that
// is 0.
func (c *Core) Drain() int {
	n := c.node
	if !n.isDraining {
		n.journal.write(Note{Kind: NoteStopping})
	}
	n.isDraining, n.isChanged = true, true
	n.balance()
	return n.leads()
}

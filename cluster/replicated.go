package cluster

import (
	"context"

	"flotilla"
)

// Who waits for copies. An acknowledged write is on the disks of a majority; which
// others have it later only the leader learns, from Raft's acknowledgements: the
// match index of each follower. Here a node waits until enough of them have reached
// an index. If it leads the group, it looks after each turn; otherwise it asks the
// leader's node, at once and at each tick, what the match indexes are. The leader's
// node remembers nothing of who asked, and an answer that is lost is asked for again.

// copyWait is a client of this node that waits for copies.
type copyWait struct {
	group flotilla.GroupID
	index uint64
	want  int
	have  int // as last heard of
	done  chan struct{}
}

// Replicated waits for copies; see flotilla.Host.
func (s *Server) Replicated(ctx context.Context, group flotilla.GroupID, index uint64, want int) int {
	w := &copyWait{group: group, index: index, want: want, done: make(chan struct{}, 1)}
	if !s.post(func() { s.core.node.awaitCopies(w) }) {
		return 0
	}
	select {
	case <-w.done:
	case <-ctx.Done():
		s.post(func() { s.core.node.forgetWait(w) }) // if the server has ended, so has the wait
		<-w.done
	}
	return w.have
}

// awaitCopies takes a wait from a client of this node.
func (n *Node) awaitCopies(w *copyWait) {
	if n.routes[w.group] == nil {
		w.done <- struct{}{}
		return
	}
	n.copyWaits = append(n.copyWaits, w)
	n.asksCopies = true
}

// forgetWait ends a wait whose client wants no more of it.
func (n *Node) forgetWait(w *copyWait) {
	for i, other := range n.copyWaits {
		if other == w {
			n.copyWaits = append(n.copyWaits[:i], n.copyWaits[i+1:]...)
			w.done <- struct{}{}
			return
		}
	}
}

// checkCopies ends the waits for groups led here that have what they wait for,
// and asks other leaders about the rest, if it is time to.
func (n *Node) checkCopies() {
	if len(n.copyWaits) == 0 {
		return
	}
	for _, r := range n.routeOrder {
		if !n.isWaitedFor(r.group) {
			continue
		}
		if r.leader == n.cfg.Self {
			n.tellCopies(r.group, n.matches(r.group))
		} else if p := n.peers[r.leader]; p != nil && n.asksCopies {
			p.frame = appendUvarints(append(p.frame, itemAskCopies), uint64(r.group))
		}
	}
	n.asksCopies = false
}

func (n *Node) isWaitedFor(g flotilla.GroupID) bool {
	for _, w := range n.copyWaits {
		if w.group == g {
			return true
		}
	}
	return false
}

// matches returns, if this node leads a group, up to where each other replica has
// the log on disk; else nil. What is not committed does not count: a leader that
// was replaced, and does not know, may have sent out something else at that index.
func (n *Node) matches(g flotilla.GroupID) []uint64 {
	h := n.hosted[g]
	if h == nil || !h.group.IsLeader() {
		return nil
	}
	matches, commit := []uint64{}, h.group.HardState().GetCommit()
	for _, f := range h.group.Followers() {
		matches = append(matches, min(f.Match, commit))
	}
	return matches
}

// answerCopies tells another node what it asked of a group that is led here.
func (n *Node) answerCopies(p *peer, g flotilla.GroupID) {
	if matches := n.matches(g); matches != nil {
		p.frame = appendCopiesItem(p.frame, &copiesItem{group: g, matches: matches})
	}
}

// tellCopies has those who wait for copies of a group know what its leader said.
func (n *Node) tellCopies(g flotilla.GroupID, matches []uint64) {
	if matches == nil {
		return
	}
	kept := n.copyWaits[:0]
	for _, w := range n.copyWaits {
		if w.group == g {
			w.have = 0
			for _, match := range matches {
				if match >= w.index {
					w.have++
				}
			}
			if w.have >= w.want {
				w.done <- struct{}{}
				continue
			}
		}
		kept = append(kept, w)
	}
	clear(n.copyWaits[len(kept):])
	n.copyWaits = kept
}

// stopCopies ends all waits.
func (n *Node) stopCopies() {
	for _, w := range n.copyWaits {
		w.done <- struct{}{}
	}
	n.copyWaits = nil
}

package sim

import (
	"slices"
	"time"

	"flotilla"
)

// What a paused process is sent waits in its sockets. Once it goes on it reads them one
// after the other, each in order, but which one first is left to chance: what one peer
// sent may come after what clients or other peers have sent later. So a client may be
// served before the node learns that another one leads by now.

// readWithin is how long it takes at most until a process that goes on has read a socket.
const readWithin = 20 * time.Millisecond

// pause stops the process.
func (n *node) pause() { n.isPaused = n.core != nil }

// resume lets a paused process go on.
func (n *node) resume() {
	if !n.isPaused {
		return
	}
	n.isPaused = false
	n.wake(n.w.now)
	life := n.life
	for _, call := range n.late {
		n.w.after(between(n.w.trouble, 0, readWithin), func() {
			if n.life == life && n.core != nil && !n.isDying && !n.isPaused {
				n.w.count("carried out for a client that had gone")
				n.ask(call, func(bool) {})
			}
		})
	}
	n.late = nil
	for _, peer := range n.w.nodes {
		if len(n.unread[peer.id]) == 0 {
			continue
		}
		n.w.after(between(n.w.trouble, 0, readWithin), func() {
			if n.life == life {
				n.readSocket(peer.id)
			}
		})
	}
}

// leaveBehind leaves in the process's sockets what a client wants changed that waits no longer: it
// has closed its connection, but what it has sent is read all the same.
func (n *node) leaveBehind(calls []*flotilla.Call) {
	for _, call := range calls {
		if call.IsRead {
			continue
		}
		left := &flotilla.Call{Group: call.Group}
		for _, command := range call.Commands {
			left.Commands = append(left.Commands, slices.Clone(command))
		}
		n.late = append(n.late, left)
	}
}

// isHeldUp reports whether what a peer sends now has to wait in a socket.
func (n *node) isHeldUp(peer flotilla.NodeID) bool { return n.isPaused || len(n.unread[peer]) > 0 }

// readSocket takes all that a peer's socket holds.
func (n *node) readSocket(peer flotilla.NodeID) {
	if n.core == nil || n.isDying || n.isPaused {
		return // paused again: later
	}
	frames := n.unread[peer]
	delete(n.unread, peer)
	for _, bytes := range frames {
		n.take(peer, bytes)
	}
}

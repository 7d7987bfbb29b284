package transport

import (
	"bytes"
	"container/heap"
	"context"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"time"

	"flotilla"
	"flotilla/cluster"
)

// Network connects nodes of one process, for tests and the simulator. Nothing
// happens by itself: what is sent waits in a queue until the owner calls Step, and
// time passes when the owner says so. Same calls and same seed: same deliveries. A
// Network and its Ports belong to one goroutine.
type Network struct {
	seed     uint64
	now      time.Duration
	sequence uint64
	waiting  parcels
	ports    map[flotilla.NodeID]*Port
	ways     map[way]*wayState
	tally    Tally
}

// Tally counts the frames of a Network that faults did something to: what came of it, not what
// was asked for.
type Tally struct {
	Cut       uint64 // taken by a cut
	Lost      uint64 // taken by chance
	Late      uint64 // arrived so late that only a delay explains it
	Doubled   uint64 // arrived again
	Overtaken uint64 // arrived after one of the same way that was sent later
}

// lateAfter is more than anything but a delay holds a frame back.
const lateAfter = 2 * straggle

type way struct{ from, to flotilla.NodeID }

type wayState struct {
	fault  Fault
	chance *rand.Rand
	last   time.Duration
	newest uint64 // the sequence of the newest frame that has arrived
}

// NewNetwork returns a network without nodes, at time zero. The seed decides what
// happens by chance where a fault is set.
func NewNetwork(seed uint64) *Network {
	return &Network{seed: seed, ports: map[flotilla.NodeID]*Port{}, ways: map[way]*wayState{}}
}

// Port is one node's end of a Network. It implements cluster.Transport.
type Port struct {
	network  *Network
	id       flotilla.NodeID
	receiver cluster.Receiver
	peers    map[flotilla.NodeID]bool
	stats    map[flotilla.NodeID]*PeerStats
}

var _ cluster.Transport = (*Port)(nil)

// Attach connects a node. If it was attached before, that was an older process: its
// port is dead, and what it had sent and what was meant for it is lost.
func (n *Network) Attach(id flotilla.NodeID, receiver cluster.Receiver) *Port {
	p := &Port{network: n, id: id, receiver: receiver, stats: map[flotilla.NodeID]*PeerStats{}}
	n.ports[id] = p
	return p
}

// Detach disconnects a node, as when its process dies.
func (n *Network) Detach(id flotilla.NodeID) { delete(n.ports, id) }

// Tally says what faults have done so far.
func (n *Network) Tally() Tally { return n.tally }

// Now is how much time has passed.
func (n *Network) Now() time.Duration { return n.now }

// Advance lets time pass, up to now. It delivers nothing: call Step.
func (n *Network) Advance(now time.Duration) {
	flotilla.Assert(now >= n.now, "time runs forward")
	n.now = now
}

// Next returns when the next frame arrives; false if none is on its way.
func (n *Network) Next() (time.Duration, bool) {
	if len(n.waiting) == 0 {
		return 0, false
	}
	return n.waiting[0].due, true
}

// Step delivers the next frame that has arrived by now, and returns false if there is none.
func (n *Network) Step() bool {
	for len(n.waiting) > 0 && n.waiting[0].due <= n.now {
		p := heap.Pop(&n.waiting).(parcel)
		if n.deliver(p) {
			return true
		}
	}
	return false
}

func (n *Network) deliver(p parcel) bool {
	// A frame of a dead process may still arrive, but never after its next one is there.
	if n.ports[p.to.id] != p.to || (n.ports[p.from.id] != p.from && n.ports[p.from.id] != nil) || !p.to.peers[p.from.id] {
		p.from.peer(p.to.id).DroppedUnreachable++
		return false
	}
	in := p.to.peer(p.from.id)
	in.FramesIn++
	in.BytesIn += uint64(len(p.frame))
	n.count(p)
	p.to.receiver.Receive(p.from.id, p.frame)
	return true
}

// count notes what faults have done to a frame that arrives.
func (n *Network) count(p parcel) {
	w := n.way(p.from.id, p.to.id)
	switch {
	case p.isAgain:
		n.tally.Doubled++
	case p.sequence < w.newest:
		n.tally.Overtaken++
	}
	if n.now-p.sent > lateAfter {
		n.tally.Late++
	}
	w.newest = max(w.newest, p.sequence)
}

// SetFault replaces the fault on the way from one node to another; Fault{} heals it. Unlike in a Transport,
// frames that were delayed still arrive in their time: tests want those that are older than what they cross.
func (n *Network) SetFault(from, to flotilla.NodeID, fault Fault) error {
	if err := fault.Check(); err != nil {
		return err
	}
	n.way(from, to).fault = fault
	return nil
}

// ClearFaults heals everything. Frames that were delayed still arrive in their time.
func (n *Network) ClearFaults() {
	for _, w := range n.ways {
		w.fault = Fault{}
	}
}

func (n *Network) way(from, to flotilla.NodeID) *wayState {
	key := way{from, to}
	w := n.ways[key]
	if w == nil {
		w = &wayState{chance: rand.New(rand.NewPCG(n.seed, uint64(from)<<32|uint64(to)))}
		n.ways[key] = w
	}
	return w
}

// SetPeers names the nodes that may be talked to; the addresses are of no use here.
func (p *Port) SetPeers(addresses map[flotilla.NodeID]string) {
	p.peers = map[flotilla.NodeID]bool{}
	for id := range maps.Keys(addresses) {
		p.peers[id] = id != p.id
	}
}

// Send puts a copy of the frame on its way.
func (p *Port) Send(to flotilla.NodeID, frame []byte) {
	n := p.network
	target := n.ports[to]
	if !p.peers[to] || len(frame) > MaxQueueBytes {
		return
	}
	out := p.peer(to)
	if n.ports[p.id] != p || target == nil || !target.peers[p.id] {
		out.DroppedUnreachable++
		return
	}
	w := n.way(p.id, to)
	var arrivals []time.Duration
	arrivals, w.last = w.fault.fate(w.chance, n.now, w.last)
	if len(arrivals) == 0 {
		out.DroppedByFault++
		if w.fault.Cut {
			n.tally.Cut++
		} else {
			n.tally.Lost++
		}
		return
	}
	out.FramesOut++
	out.BytesOut += uint64(len(frame))
	for i, due := range arrivals {
		n.sequence++
		heap.Push(&n.waiting, parcel{due: due, sequence: n.sequence, frame: bytes.Clone(frame), from: p, to: target, sent: n.now, isAgain: i > 0})
	}
}

// SendSnapshot has the whole body written, and then received, before it returns. A
// cut fails it; a delay does not hold it back, since time stands still meanwhile.
func (p *Port) SendSnapshot(ctx context.Context, to flotilla.NodeID, header []byte, body func(io.Writer) error) error {
	n := p.network
	target := n.ports[to]
	var err error
	switch {
	case !p.peers[to]:
		err = fmt.Errorf("%v is no peer", to)
	case len(header) > MaxHeaderBytes:
		err = fmt.Errorf("the header has %d bytes, %d are allowed", len(header), MaxHeaderBytes)
	case n.ports[p.id] != p || target == nil || !target.peers[p.id]:
		err = fmt.Errorf("%v can not be reached", to)
	case n.way(p.id, to).fault.Cut:
		err = errCut
	}
	var content bytes.Buffer
	if err == nil {
		err = body(&content)
	}
	if err == nil {
		err = target.receiver.ReceiveSnapshot(ctx, p.id, bytes.Clone(header), &content)
	}
	if err != nil {
		return fmt.Errorf("send snapshot to %v: %w", to, err)
	}
	return nil
}

// Stats returns what the port counted about a peer: frames, bytes and drops.
func (p *Port) Stats(peer flotilla.NodeID) PeerStats { return *p.peer(peer) }

func (p *Port) peer(id flotilla.NodeID) *PeerStats {
	s := p.stats[id]
	if s == nil {
		s = &PeerStats{Node: id, HeardMs: -1}
		p.stats[id] = s
	}
	return s
}

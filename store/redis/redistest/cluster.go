package redistest

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"flotilla"
	"flotilla/store"
)

// Cluster is a number of groups that all nodes share.
type Cluster struct {
	// Fail, if set, is asked for each call before it is carried out; a failure
	// that it returns is the call's outcome, and nothing is done. It must be set
	// before the cluster is used, and may be called from several goroutines.
	Fail func(*flotilla.Call) error
	// Copies, if set, is asked instead of Replicated: how many replicas an entry is
	// on. It is asked again from time to time. Otherwise all nodes have all.
	Copies func(group flotilla.GroupID, index uint64) int
	// Writes counts the calls that were carried out as an entry.
	Writes atomic.Int64

	hosts []*Host
	stop  chan struct{} // closed by Close
	done  sync.WaitGroup

	topology atomic.Pointer[flotilla.Topology]

	mu     sync.RWMutex // guards groups and who hears events
	groups map[flotilla.GroupID]*group

	mailMu sync.Mutex // guards who hears mail; comes after mu, as events make mail
}

type group struct {
	state state
	index uint64
	time  flotilla.Millis
	wake  flotilla.Millis
}

// Host is one node; it implements flotilla.Host.
type Host struct {
	// IsDeaf keeps events from this node, as if it held no replica.
	IsDeaf atomic.Bool

	cluster *Cluster
	self    flotilla.NodeID
	next    atomic.Int64
	events  map[int]func(flotilla.Event)
	mail    map[int]func(flotilla.NodeID, []byte)
}

var _ flotilla.Host = (*Host)(nil)

// New returns a cluster of nodes that own the slots in equal parts, with groups
// that are led by the nodes in turn. Node i listens on ports[i-1] (if given).
func New(nodes, groups int, ports ...int) *Cluster {
	c := &Cluster{stop: make(chan struct{}), groups: map[flotilla.GroupID]*group{}}
	t := &flotilla.Topology{Version: 1, SlotMap: new([flotilla.Slots]flotilla.GroupID)}
	var all []flotilla.NodeID
	for i := range nodes {
		id := flotilla.NodeID(i + 1)
		all = append(all, id)
		info := flotilla.NodeInfo{ID: id, Host: "127.0.0.1", Alive: true, PeerAddr: "127.0.0.1:7001"}
		if i < len(ports) {
			info.StorePort = ports[i]
		}
		t.Nodes = append(t.Nodes, info)
		c.hosts = append(c.hosts, &Host{cluster: c, self: id,
			events: map[int]func(flotilla.Event){}, mail: map[int]func(flotilla.NodeID, []byte){}})
	}
	t.Groups = []flotilla.GroupInfo{{ID: flotilla.Directory, Leader: 1, Term: 1, Nodes: all}}
	for i := range groups {
		id := flotilla.GroupID(i + 1)
		t.Groups = append(t.Groups, flotilla.GroupInfo{ID: id, Leader: all[i%nodes], Term: 1, Nodes: all})
		c.groups[id] = &group{}
	}
	for slot := range t.SlotMap {
		t.SlotMap[slot] = flotilla.GroupID(slot*groups/flotilla.Slots + 1)
	}
	c.topology.Store(t)
	c.done.Add(1)
	go c.tick()
	return c
}

// Close ends the cluster's clock.
func (c *Cluster) Close() {
	close(c.stop)
	c.done.Wait()
}

// Host returns node n, from 1.
func (c *Cluster) Host(n int) *Host { return c.hosts[n-1] }

// Change replaces the topology by what edit makes of a copy.
func (c *Cluster) Change(edit func(*flotilla.Topology)) {
	t := *c.topology.Load()
	t.Version++
	t.Nodes = slices.Clone(t.Nodes)
	t.Groups = slices.Clone(t.Groups)
	edit(&t)
	c.topology.Store(&t)
}

// tick applies empty entries, as a leader does, when something falls due.
func (c *Cluster) tick() {
	defer c.done.Done()
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case <-c.stop:
			return
		case <-ticker.C:
		}
		c.mu.Lock()
		for id, g := range c.groups {
			if g.wake != 0 && g.wake <= now() {
				c.apply(id, g, nil, nil)
			}
		}
		c.mu.Unlock()
	}
}

func now() flotilla.Millis { return flotilla.Millis(time.Now().UnixMilli()) }

// apply carries out one entry; mu is held.
func (c *Cluster) apply(id flotilla.GroupID, g *group, commands, replies [][]byte) [][]byte {
	g.index++
	g.time = max(g.time, now())
	g.wake = 0
	tx := flotilla.Tx{State: &g.state, Group: id, Index: g.index, Time: g.time, Emit: c.emit}
	machine := store.Machine{}
	machine.Begin(&tx)
	for i, command := range commands {
		tx.Ordinal = i + 1
		replies = append(replies, slices.Clone(machine.Apply(&tx, command)))
	}
	machine.End(&tx)
	if wake := tx.TakeWake(); wake != flotilla.Never {
		g.wake = wake
	}
	return replies
}

func (c *Cluster) emit(event flotilla.Event) {
	for _, h := range c.hosts {
		for _, deliver := range h.events {
			if h.IsDeaf.Load() {
				continue
			}
			deliver(event)
		}
	}
}

// Do carries the calls out one after another.
func (h *Host) Do(_ context.Context, calls ...*flotilla.Call) {
	c := h.cluster
	for _, call := range calls {
		if c.Fail != nil {
			if call.Err = c.Fail(call); call.Err != nil {
				continue
			}
		}
		if call.IsRead {
			c.read(call)
			continue
		}
		c.Writes.Add(1)
		c.mu.Lock()
		g := c.groups[call.Group]
		call.Replies = c.apply(call.Group, g, call.Commands, call.Replies[:0])
		call.Index = g.index
		c.mu.Unlock()
	}
}

func (c *Cluster) read(call *flotilla.Call) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	g := c.groups[call.Group]
	view := flotilla.View{Reader: &g.state, Group: call.Group, Index: g.index, Time: g.time, Now: now(), Charge: call.Charge}
	call.Replies = call.Replies[:0]
	for _, command := range call.Commands {
		call.Replies = append(call.Replies, store.Machine{}.Read(&view, command))
	}
	call.Index = g.index
}

// Replicated implements flotilla.Host.
func (h *Host) Replicated(ctx context.Context, group flotilla.GroupID, index uint64, want int) int {
	if h.cluster.Copies == nil {
		return len(h.cluster.hosts) - 1
	}
	ticker := time.NewTicker(time.Millisecond)
	defer ticker.Stop()
	for {
		if have := h.cluster.Copies(group, index); have >= want || ctx.Err() != nil {
			return have
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
		}
	}
}

// Topology returns the cluster's.
func (h *Host) Topology() *flotilla.Topology { return h.cluster.topology.Load() }

// Self returns the node's number.
func (h *Host) Self() flotilla.NodeID { return h.self }

// Subscribe implements flotilla.Host.
func (h *Host) Subscribe(_ flotilla.System, deliver func(flotilla.Event)) (cancel func()) {
	return subscribe(&h.cluster.mu, &h.next, h.events, deliver)
}

// Listen implements flotilla.Host.
func (h *Host) Listen(_ flotilla.System, deliver func(flotilla.NodeID, []byte)) (cancel func()) {
	return subscribe(&h.cluster.mailMu, &h.next, h.mail, deliver)
}

func subscribe[F any](mu sync.Locker, next *atomic.Int64, to map[int]F, deliver F) (cancel func()) {
	mu.Lock()
	defer mu.Unlock()
	id := int(next.Add(1))
	to[id] = deliver
	return func() {
		mu.Lock()
		defer mu.Unlock()
		delete(to, id)
	}
}

// Broadcast delivers to the other nodes at once.
func (h *Host) Broadcast(_ flotilla.System, message []byte) {
	h.cluster.mailMu.Lock()
	defer h.cluster.mailMu.Unlock()
	for _, other := range h.cluster.hosts {
		if other == h {
			continue
		}
		for _, deliver := range other.mail {
			deliver(h.self, message)
		}
	}
}

package cluster

import (
	"fmt"
	"slices"

	"flotilla"
	"flotilla/consensus"

	"go.etcd.io/raft/v3/raftpb"
)

// Clock is the time as a Node is told it.
type Clock struct {
	Wall flotilla.Millis // since 1970: what leaders stamp entries with
	Mono flotilla.Millis // since some moment, never backwards: for waiting
}

// Node is the pure core of a node: all its groups, and what it knows of others.
// It is stepped: hand it frames, calls and ticks, then call Turn. It has one
// owner, and starts nothing; disk and transport are called from within Turn. Core is
// the way to drive one.
type Node struct {
	cfg       Config
	disk      consensus.Disk
	transport Transport
	mono      flotilla.Millis
	wall      flotilla.Millis
	ticks     uint64

	hosted map[flotilla.GroupID]*hosted
	order  []*hosted // in order of group
	routes map[flotilla.GroupID]*route
	// routeOrder is routes in order of group, peerOrder is peers in order of node:
	// so that turns are repeatable.
	routeOrder []*route
	peers      map[flotilla.NodeID]*peer
	peerOrder  []*peer

	directory   *Directory
	slotCounts  map[flotilla.GroupID]int                // of the directory, which is costly to count
	lost        map[flotilla.GroupID]flotilla.ReplicaID // all copies up to this id are gone; 0 until a leader tells
	floors      map[flotilla.GroupID]floor
	isDraining  bool
	isStarted   bool // the directory was seen to be there, or asked for
	hasRoom     bool
	syncMicros  float64 // of one synced write, smoothed
	disk0       consensus.DiskStats
	slowTicks   map[flotilla.NodeID]uint64 // when a node was last found to be slow
	lossyFrom   uint64                     // since when all links to this node lose things (loss.go); 0: they do not
	logLimits   logLimits
	isChanged   bool // what is published is out of date
	dirtyRoutes []*route
	isRelayOld  bool // somebody hears others than before: who passes on what must be found anew
	isRelaying  bool // somebody does not hear this node

	remoteReads map[uint64]*awayRead // reads that another node answers
	copyWaits   []*copyWait          // one for each client that waits: bounded by their number
	asksCopies  bool                 // it is time to ask other leaders
	nonce       uint64
	commands    [][]byte // scratch of fill
	writes      []consensus.Write
	readies     []readyGroup
	outcomes    []outcomeItem // of this node's own parcels, while a group is applied
	founders    []founder     // if this life saw the cluster begin (first.go)
	isUndecided bool          // the disk is empty, and it is not known yet why (first.go)
	failure     error         // found outside of a turn; the next turn returns it

	// What a turn leaves to the driver.
	snapshots []SnapshotJob
	requests  []RemoteRead

	emit    func(flotilla.Event)
	listens func(flotilla.System) bool
	hear    func(flotilla.System, flotilla.NodeID, []byte)
	seconds func() float64 // a clock for measuring, or nil: it decides nothing
	journal *Journal       // or nil: it decides nothing
	// sampledAt is when the journal's clock last had an entry be followed.
	sampledAt int64
	pulse     *pulse // nil where applying takes no time
	finished  int
	counters  counters
}

// counters count since the start.
type counters struct {
	turns, reads, readRounds, elections, snapshots, relayed uint64
	turnEntries, applySeconds                               flotilla.Histogram
}

// hosted is one group with a replica here.
type hosted struct {
	id        flotilla.GroupID
	group     *consensus.Group
	state     consensus.State
	route     *route
	reads     []*Pending // linearizable and session reads that wait
	isDirty   bool
	gathering gathering
	staged    consensus.Staged
	held      []heldMessage // commit-only appends that may yet be saved, one a replica
	// roundStart is when the newest read round began; fresh is published: the
	// state was current at that time once it has reached that index.
	roundStart map[uint64]flotilla.Millis
	fresh      *freshness
	dueAt      flotilla.Millis
	wasLeader  bool
	marks      logMarks
	// needed is up to where nobody needs the log any more, by the leader's last word;
	// 0 until it was heard: then as much is kept as may be.
	needed uint64
	// heardFrom has the node of each replica that has spoken and is not among the
	// members known here: this copy is empty, or has not yet applied that it joined.
	heardFrom map[flotilla.ReplicaID]flotilla.NodeID

	// For the journal only (trace.go):
	traces       []trace
	tracesWanted int // how many of the next entries are to be followed
	notedRole    string
	notedTerm    uint64
	notedLeader  flotilla.NodeID
	notedConf    *raftpb.ConfState
}

// heldMessage is a message that only carries the commit index. The next append
// would carry it too, so it waits for a moment.
type heldMessage struct {
	message *raftpb.Message
	until   flotilla.Millis
}

// holdMillis is how long a commit index waits for an append to travel with.
const holdMillis flotilla.Millis = 4

// peer is another node, as this one sees it.
type peer struct {
	id        flotilla.NodeID
	frame     []byte // what is to be sent at the next flush
	heardTick uint64 // 0: never
	wasAlive  bool
	hello     hello
	helloAt   flotilla.Millis                     // when hello came
	rttMillis float64                             // there and back, smoothed; 0 before it was measured
	echoTick  uint64                              // when a newer stamp of ours last came back; 0: never
	loss      float64                             // which share of its hellos does not come straight, smoothed (loss.go)
	counted   struct{ incarnation, stamp uint64 } // of the last hello in loss

	// What follows is explained in relay.go.
	straightTick uint64  // when something last came straight from it; 0: never
	straightLife uint64  // of which incarnation that was, as far as is known
	steadyFrom   uint64  // since when it comes without a gap; 0: always
	hears        hearing // its last word on whom it hears
	hearsTick    uint64  // when that came; 0: never
	isDeaf       bool    // it does not hear this node
	relay        *peer   // who passes on what is for it; nil: nobody
}

// readyGroup is a group with its work of a turn.
type readyGroup struct {
	hosted *hosted
	ready  consensus.Ready
}

// newNode opens all groups that are on the disk, or makes the first ones.
func newNode(cfg Config) (*Node, error) {
	n := &Node{cfg: cfg, journal: cfg.Journal, disk: cfg.Disk, transport: cfg.Transport, hosted: map[flotilla.GroupID]*hosted{},
		routes: map[flotilla.GroupID]*route{}, peers: map[flotilla.NodeID]*peer{}, lost: map[flotilla.GroupID]flotilla.ReplicaID{},
		floors:      map[flotilla.GroupID]floor{},
		slowTicks:   map[flotilla.NodeID]uint64{},
		logLimits:   logLimitsOf(cfg),
		remoteReads: map[uint64]*awayRead{}, nonce: cfg.Incarnation << 32, hasRoom: true, isChanged: true}
	n.counters.turnEntries = flotilla.NewHistogram(flotilla.SizeBounds())
	n.counters.applySeconds = flotilla.NewHistogram(flotilla.LatencyBounds())
	n.directory = firstDirectory(membersOf(cfg.Members), cfg.Groups, cfg.Replicas, nil)
	for _, r := range cfg.Lost {
		n.lost[r.Group] = r.ID
	}
	started := Note{Kind: NoteStarted, Value: int64(cfg.Incarnation)}
	if len(cfg.Disk.Groups()) == 0 {
		started.Word = StartedEmpty
	}
	if err := n.firstCopies(cfg.Disk.Groups()); err != nil {
		return nil, err
	}
	for _, r := range cfg.Disk.Groups() {
		if err := n.open(r); err != nil {
			return nil, err
		}
	}
	for _, h := range n.order { // a crash came between Install and ForgetLost
		if lost, ok := n.lost[h.id]; ok && h.group.Replica() > lost && h.state.Mark().Index > 0 {
			n.found(h.id)
		}
	}
	if h := n.hosted[flotilla.Directory]; h != nil {
		if d := readDirectory(h.state); d.Version > 0 {
			n.directory = d
		}
	}
	n.takeDirectory(n.directory)
	n.journal.write(started)
	return n, nil
}

// membersOf turns what the configuration says of the nodes into directory members.
func membersOf(nodes []flotilla.NodeInfo) []Member {
	members := make([]Member, 0, len(nodes))
	for _, i := range nodes {
		members = append(members, Member{ID: i.ID, Host: i.Host, StorePort: i.StorePort, HTTPPort: i.HTTPPort,
			QueuePort: i.QueuePort, PeerAddr: i.PeerAddr, Weight: DefaultWeight})
	}
	return members
}

// firstCopies makes this node's copies when the cluster starts for the first
// time. Otherwise a copy that is not found is lost; that goes for a disk with
// some copies, too: the node may have stopped before it got all of them back.
func (n *Node) firstCopies(found []consensus.Replica) error {
	isFirst := n.cfg.IsBootstrap && n.isUnused(found)
	if isFirst && n.cfg.AsksFirst && len(found) == 0 && len(n.cfg.Lost) == 0 && len(n.cfg.Members) > 1 {
		n.isUndecided = true
		return nil
	}
	return n.makeCopies(isFirst, found)
}

// makeCopies makes the first copies, or declares those lost that are not found.
func (n *Node) makeCopies(isFirst bool, found []consensus.Replica) error {
	for _, g := range n.directory.Groups {
		isFound := slices.ContainsFunc(found, func(r consensus.Replica) bool { return r.Group == g.ID })
		if isFound || !slices.Contains(g.Holders(), n.cfg.Self) {
			continue
		}
		_, isLost := n.lost[g.ID]
		if !isFirst || isLost {
			if !isLost {
				n.lost[g.ID] = 0
			}
			continue
		}
		replica := consensus.Replica{Group: g.ID, ID: flotilla.ReplicaID(n.cfg.Self)}
		if err := n.disk.Create(replica, consensus.InitialKeys(g.Holders())); err != nil {
			return fmt.Errorf("create %v: %w", g.ID, err)
		}
	}
	return nil
}

// found notes that a new copy has taken a lost one's place.
func (n *Node) found(g flotilla.GroupID) {
	delete(n.lost, g)
	if n.cfg.ForgetLost != nil {
		n.cfg.ForgetLost(g)
	}
}

// isUnused reports whether nothing has happened to the copies on the disk since
// they were made: the first start then did not get to its end.
func (n *Node) isUnused(found []consensus.Replica) bool {
	for _, r := range found {
		if last, err := n.disk.Log(r.Group).LastIndex(); err != nil || last > 1 || consensus.IsFresh(r.ID) {
			return false
		}
	}
	return true
}

// maxEntriesInFlight is how many entries of a group are on their way. With one, all
// that arrives meanwhile shares the next: fewer and larger writes, which measured
// faster at every load from 64 connections on, and equal at one (docs/performance.md).
const maxEntriesInFlight = 1

// open starts a replica that is on the disk.
func (n *Node) open(r consensus.Replica) error {
	machines := n.cfg.Machines
	if r.Group == flotilla.Directory {
		machines = map[flotilla.System]flotilla.Machine{flotilla.SystemDirectory: directoryMachine{}}
	}
	h := &hosted{id: r.Group, state: n.disk.State(r.Group),
		roundStart: map[uint64]flotilla.Millis{}, fresh: &freshness{}, dueAt: flotilla.Never,
		heardFrom: map[flotilla.ReplicaID]flotilla.NodeID{}}
	group, err := consensus.Open(consensus.Config{Group: r.Group, Replica: r.ID, Log: n.disk.Log(r.Group), State: h.state,
		Machines: machines, ElectionTicks: n.cfg.ElectionTicks, HeartbeatTicks: n.cfg.HeartbeatTicks,
		MaxInFlight: maxEntriesInFlight, Emit: n.emitEvent, Listens: n.listensTo}, n.cfg.Incarnation)
	if err != nil {
		return fmt.Errorf("open %v: %w", r.Group, err)
	}
	h.group = group
	h.notedConf = group.Members().Conf
	h.route = n.route(r.Group)
	n.hosted[r.Group] = h
	n.order = append(n.order, h)
	slices.SortFunc(n.order, func(a, b *hosted) int { return int(a.id) - int(b.id) })
	n.markDirty(h)
	n.isChanged = true
	return nil
}

func (n *Node) emitEvent(e flotilla.Event) {
	if n.emit != nil {
		n.emit(e)
	}
}

func (n *Node) listensTo(s flotilla.System) bool { return n.listens != nil && n.listens(s) }

// route returns the way to a group, which is made when first asked for.
func (n *Node) route(g flotilla.GroupID) *route {
	r := n.routes[g]
	if r == nil {
		r = &route{group: g}
		n.routes[g] = r
		n.routeOrder = append(n.routeOrder, r)
		slices.SortFunc(n.routeOrder, func(a, b *route) int { return int(a.group) - int(b.group) })
	}
	return r
}

func (n *Node) markDirty(h *hosted) { h.isDirty = true }

func (n *Node) markRoute(r *route) {
	for _, other := range n.dirtyRoutes {
		if other == r {
			return
		}
	}
	n.dirtyRoutes = append(n.dirtyRoutes, r)
}

// takeDirectory goes on with a newer picture of the cluster.
func (n *Node) takeDirectory(d *Directory) {
	n.directory = n.withAddresses(d)
	n.slotCounts = d.SlotCounts()
	n.isChanged = true
	addresses := map[flotilla.NodeID]string{}
	for _, m := range n.directory.Nodes {
		if m.ID == n.cfg.Self {
			continue
		}
		addresses[m.ID] = m.PeerAddr
		if n.peers[m.ID] == nil {
			p := &peer{id: m.ID, hello: hello{hasRoom: true}}
			n.peers[m.ID] = p
			n.peerOrder = append(n.peerOrder, p)
		}
	}
	slices.SortFunc(n.peerOrder, func(a, b *peer) int { return int(a.id) - int(b.id) })
	for _, g := range d.Groups {
		n.route(g.ID)
	}
	n.transport.SetPeers(addresses)
}

// withAddresses returns the picture with the addresses that this node was started
// with: a fleet may come back on other ports than those it once wrote down.
func (n *Node) withAddresses(d *Directory) *Directory {
	changed := *d
	changed.Nodes = slices.Clone(d.Nodes)
	for i := range changed.Nodes {
		for _, m := range membersOf(n.cfg.Members) {
			if m.ID == changed.Nodes[i].ID {
				m.Weight, m.IsDraining = changed.Nodes[i].Weight, changed.Nodes[i].IsDraining
				changed.Nodes[i] = m
			}
		}
	}
	return &changed
}

// isAlive reports whether a node was heard of lately.
func (n *Node) isAlive(id flotilla.NodeID) bool {
	if id == n.cfg.Self {
		return true
	}
	p := n.peers[id]
	return p != nil && p.heardTick > 0 && n.ticks-p.heardTick <= uint64(n.cfg.ElectionTicks)
}

// holders returns the nodes with a copy of a group, as far as is known here.
func (n *Node) holders(g flotilla.GroupID) []flotilla.NodeID {
	if h := n.hosted[g]; h != nil && len(h.group.Members().Node) > 0 {
		return h.group.Members().Nodes()
	}
	if d, ok := n.directory.Group(g); ok {
		return d.Holders()
	}
	return nil
}

// isInReach reports whether a node was heard of lately, and has heard of this one.
func (n *Node) isInReach(id flotilla.NodeID) bool {
	if id == n.cfg.Self {
		return true
	}
	return n.isAlive(id) && n.ticks-n.peers[id].echoTick <= uint64(n.cfg.ElectionTicks)
}

// isCutOff reports whether so few of a group's nodes are in reach that nothing
// can be agreed on.
func (n *Node) isCutOff(g flotilla.GroupID) bool {
	holders := n.holders(g)
	inReach := 0
	for _, id := range holders {
		if n.isInReach(id) {
			inReach++
		}
	}
	return n.ticks > uint64(n.cfg.ElectionTicks) && inReach <= len(holders)/2
}

// refuses is isCutOff for the calls of one turn, which all find the same.
func (n *Node) refuses(r *route) bool {
	if turn := n.counters.turns + 1; r.askedTurn != turn {
		r.askedTurn, r.isCutOff = turn, n.isCutOff(r.group)
	}
	return r.isCutOff
}

// nodeOf returns the node that a replica of a hosted group is on, or 0.
func (h *hosted) nodeOf(id flotilla.ReplicaID) flotilla.NodeID {
	if node, ok := h.group.Members().Node[id]; ok {
		return node
	}
	return h.heardFrom[id]
}

// submit takes a call from a client of this node.
func (n *Node) submit(c *Pending) {
	r := n.routes[c.call.Group]
	if r == nil {
		n.fail(c, flotilla.Refused(flotilla.NotHere, c.call.Group.String()+" does not exist"))
		return
	}
	if c.call.IsRead {
		n.submitRead(c)
		return
	}
	if n.refuses(r) {
		n.fail(c, flotilla.Refused(flotilla.NoQuorum, ""))
		return
	}
	if c.call.Trace != 0 {
		n.journal.write(Note{Kind: NoteTaken, Group: r.group, Call: c.call.Trace, Value: int64(len(c.call.Commands))})
	}
	r.queue = append(r.queue, c)
	n.markRoute(r)
}

// finish tells the caller that its call is answered.
func (n *Node) finish(c *Pending) {
	n.finished++
	c.done <- struct{}{}
}

func (n *Node) fail(c *Pending, err error) {
	c.call.Replies, c.call.Err = c.call.Replies[:0], err
	n.finish(c)
}

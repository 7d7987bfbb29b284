package redis

import (
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"flotilla"
	"flotilla/store"
)

// The picture that cluster clients get. Redis knows masters, which own slots, and
// replicas of one master; here a node leads any number of groups. Clients ask each
// master for DBSIZE, SCAN and the like, and add up, so masters that are shown must not
// speak of the same keys (docs/decisions/0008):
//
//   - Mostly one node is shown as the master of all slots, the others as its replicas,
//     and each node speaks of all keys. It is the live node that leads the most groups.
//   - With ShowLeaders each node that leads groups is a master with their slots, and one
//     that leads none a replica of one that it shares a group with; and each node speaks
//     of the keys of the master that it is, or is shown below.
//
// A group without a leader is shown with the node that was asked, as any node takes any
// command.
type picture struct {
	topology *flotilla.Topology
	self     flotilla.NodeID
	shown    map[flotilla.GroupID]flotilla.NodeID // the master of each group that is no directory
	isLed    map[flotilla.GroupID]bool            // by a live node
	masters  map[flotilla.NodeID][]slotRange
	master   map[flotilla.NodeID]flotilla.NodeID // of a replica
	unled    int                                 // slots of groups without a leader
	unserved int                                 // slots without a group
}

type slotRange struct{ first, last int }

func (s *Server) picture() *picture {
	p := s.outline(s.Host.Topology())
	p.masters, p.master = map[flotilla.NodeID][]slotRange{}, map[flotilla.NodeID]flotilla.NodeID{}
	for slot := range flotilla.Slots {
		p.addSlot(slot)
	}
	for _, n := range p.topology.Nodes {
		if len(p.masters[n.ID]) == 0 {
			p.master[n.ID] = p.masterFor(n.ID)
		}
	}
	return p
}

// outline is the picture without the slots: which node is shown as each group's master.
func (s *Server) outline(t *flotilla.Topology) *picture {
	p := &picture{topology: t, self: s.Host.Self(), shown: map[flotilla.GroupID]flotilla.NodeID{}, isLed: map[flotilla.GroupID]bool{}}
	leads := map[flotilla.NodeID]int{}
	for _, g := range t.Groups {
		if g.ID == flotilla.Directory {
			continue
		}
		p.shown[g.ID] = p.self
		if n := p.node(g.Leader); n != nil && n.Alive {
			p.shown[g.ID], p.isLed[g.ID] = n.ID, true
			leads[n.ID]++
		}
	}
	if s.ShowLeaders || len(leads) == 0 {
		return p
	}
	one := flotilla.NodeID(0)
	for _, n := range t.Nodes {
		if leads[n.ID] > leads[one] {
			one = n.ID
		}
	}
	for g := range p.shown {
		p.shown[g] = one
	}
	return p
}

func (p *picture) addSlot(slot int) {
	group := flotilla.Directory
	if p.topology.SlotMap != nil {
		group = p.topology.SlotMap[slot]
	}
	node := p.shown[group]
	if node == 0 {
		p.unserved++
		return
	}
	if !p.isLed[group] {
		p.unled++
	}
	ranges := p.masters[node]
	if n := len(ranges); n > 0 && ranges[n-1].last == slot-1 {
		ranges[n-1].last = slot
		return
	}
	p.masters[node] = append(ranges, slotRange{slot, slot})
}

// masterFor picks whose replica a node is said to be that is no master itself: that of
// the first group that it holds, else any.
func (p *picture) masterFor(node flotilla.NodeID) (first flotilla.NodeID) {
	for _, g := range p.topology.Groups {
		master := p.shown[g.ID]
		if master != 0 && slices.Contains(g.Nodes, node) {
			return master
		}
		if first == 0 {
			first = master
		}
	}
	return first
}

// concerns reports whether the commands that concern all keys of a node speak of a
// group: with ShowLeaders, if it is shown with the same master as this node.
func (s *Server) concerns(t *flotilla.Topology, group flotilla.GroupID) bool {
	if !s.ShowLeaders {
		return true
	}
	p := s.outline(t)
	for _, master := range p.shown {
		if master == p.self {
			return p.shown[group] == p.self
		}
	}
	return p.shown[group] == p.masterFor(p.self)
}

func (p *picture) node(id flotilla.NodeID) *flotilla.NodeInfo {
	for i := range p.topology.Nodes {
		if p.topology.Nodes[i].ID == id {
			return &p.topology.Nodes[i]
		}
	}
	return nil
}

// replicasOf returns the live nodes that are shown below a master.
func (p *picture) replicasOf(master flotilla.NodeID, withDead bool) (all []flotilla.NodeInfo) {
	for _, n := range p.topology.Nodes {
		if p.master[n.ID] == master && len(p.masters[n.ID]) == 0 && (n.Alive || withDead || n.ID == p.self) {
			all = append(all, n)
		}
	}
	return all
}

// hexID makes the 40 hex digits that Redis names a node by: eight digits of the
// number, five times, so that those who show only the first eight show enough.
func hexID(n uint64) string { return strings.Repeat(fmt.Sprintf("%08x", uint32(n)), 5) }

func nodeID(n flotilla.NodeID) string { return hexID(uint64(n)) }

// shardID names a master with its replicas.
func shardID(master flotilla.NodeID) string { return hexID(0xf0000000 | uint64(master)) }

// self returns what the cluster knows of this node.
func (s *Server) self() flotilla.NodeInfo {
	for _, n := range s.Host.Topology().Nodes {
		if n.ID == s.Host.Self() {
			return n
		}
	}
	return flotilla.NodeInfo{ID: s.Host.Self()}
}

// cmdCluster is CLUSTER and its subcommands.
func cmdCluster(r *request) {
	c, n := r.c, len(r.args)
	p := c.server.picture()
	switch sub := r.sub(); {
	case sub == "slots" && n == 2:
		r.clusterSlots(p)
	case sub == "shards" && n == 2:
		r.clusterShards(p)
	case sub == "nodes" && n == 2:
		c.out.verbatim(p.nodes())
	case (sub == "replicas" || sub == "slaves") && n == 3:
		r.clusterReplicas(p)
	case sub == "info" && n == 2:
		c.out.verbatim(p.info())
	case sub == "myid" && n == 2:
		c.out.text(nodeID(p.self))
	case sub == "myshardid" && n == 2:
		c.out.text(shardID(p.shardOf(p.self)))
	case sub == "keyslot" && n == 3:
		c.out.int(int(flotilla.SlotOf(r.args[2])))
	case sub == "countkeysinslot" && n == 3, sub == "getkeysinslot" && n == 4:
		r.clusterKeys()
	case sub == "links" && n == 2:
		c.out.array(0)
	case sub == "count-failure-reports" && n == 3:
		r.clusterFailureReports(p)
	case sub == "help":
		r.help()
	default:
		r.fail("ERR CLUSTER " + strings.ToUpper(sub) + " is refused: the cluster manages itself; see `flotilla --help`")
	}
}

// isRefusedSub reports whether a subcommand is none of the table, but answered in its
// own words: it would change a cluster that manages itself.
func isRefusedSub(container string, sub []byte) bool {
	return container == "cluster" && slices.Contains([]string{"reset", "meet", "forget", "failover", "addslots", "addslotsrange",
		"delslots", "delslotsrange", "flushslots", "replicate", "setslot", "bumpepoch", "saveconfig", "set-config-epoch"},
		strings.ToLower(string(sub)))
}

// clusterFailureReports answers 0 for each node: the nodes do not gossip.
func (r *request) clusterFailureReports(p *picture) {
	for _, n := range p.topology.Nodes {
		if nodeID(n.ID) == string(r.args[2]) {
			r.c.out.int(0)
			return
		}
	}
	r.unknownNode()
}

func (r *request) unknownNode() {
	r.fail("ERR Unknown node " + string(r.args[2][:min(len(r.args[2]), 64)]))
}

func (p *picture) shardOf(node flotilla.NodeID) flotilla.NodeID {
	if len(p.masters[node]) > 0 {
		return node
	}
	return p.master[node]
}

// clusterSlots answers [first, last, [host, port, id, []], replicas...]...
func (r *request) clusterSlots(p *picture) {
	out, n := &r.c.out, 0
	for _, ranges := range p.masters {
		n += len(ranges)
	}
	out.array(n)
	for _, node := range p.topology.Nodes {
		replicas := p.replicasOf(node.ID, false)
		for _, slots := range p.masters[node.ID] {
			out.array(3 + len(replicas))
			out.int(slots.first)
			out.int(slots.last)
			out.slotsNode(node)
			for _, replica := range replicas {
				out.slotsNode(replica)
			}
		}
	}
}

func (e *encoder) slotsNode(n flotilla.NodeInfo) {
	e.array(4)
	e.text(n.Host)
	e.int(n.StorePort)
	e.text(nodeID(n.ID))
	e.array(0)
}

func (r *request) clusterShards(p *picture) {
	out := &r.c.out
	out.array(len(p.masters))
	for _, node := range p.topology.Nodes {
		ranges := p.masters[node.ID]
		if len(ranges) == 0 {
			continue
		}
		out.mapOf(2)
		out.text("slots")
		out.array(2 * len(ranges))
		for _, slots := range ranges {
			out.int(slots.first)
			out.int(slots.last)
		}
		out.text("nodes")
		replicas := p.replicasOf(node.ID, true)
		out.array(1 + len(replicas))
		out.shardsNode(node, "master")
		for _, replica := range replicas {
			out.shardsNode(replica, "replica")
		}
	}
}

func (e *encoder) shardsNode(n flotilla.NodeInfo, role string) {
	health := "online"
	if !n.Alive {
		health = "fail"
	}
	e.mapOf(7)
	for _, pair := range [][2]string{{"id", nodeID(n.ID)}, {"ip", n.Host}, {"endpoint", n.Host}, {"role", role}, {"health", health}} {
		e.text(pair[0])
		e.text(pair[1])
	}
	e.text("port")
	e.int(n.StorePort)
	e.text("replication-offset")
	e.int(0)
}

// nodes writes a line for each node, as in the file nodes.conf of Redis.
func (p *picture) nodes() string {
	var b strings.Builder
	for _, n := range p.topology.Nodes {
		b.WriteString(p.nodeLine(n) + "\n")
	}
	return b.String()
}

func (p *picture) nodeLine(n flotilla.NodeInfo) string {
	_, peerPort, _ := net.SplitHostPort(n.PeerAddr)
	if peerPort == "" {
		peerPort = strconv.Itoa(n.StorePort + 10000)
	}
	flags, master, link := "master", "-", "connected"
	if len(p.masters[n.ID]) == 0 && p.master[n.ID] != 0 {
		flags, master = "slave", nodeID(p.master[n.ID])
	}
	if n.ID == p.self {
		flags = "myself," + flags
	} else if !n.Alive {
		flags, link = flags+",fail", "disconnected"
	}
	line := fmt.Sprintf("%s %s:%d@%s %s %s 0 0 %d %s", nodeID(n.ID), n.Host, n.StorePort, peerPort, flags, master, p.epoch(), link)
	for _, slots := range p.masters[n.ID] {
		line += " " + strconv.Itoa(slots.first)
		if slots.last > slots.first {
			line += "-" + strconv.Itoa(slots.last)
		}
	}
	return line
}

// epoch is the highest term: it grows whenever leadership moves.
func (p *picture) epoch() (epoch uint64) {
	for _, g := range p.topology.Groups {
		epoch = max(epoch, g.Term)
	}
	return epoch
}

func (p *picture) info() string {
	state, failing := "ok", 0
	if p.unled+p.unserved > 0 {
		state = "fail"
	}
	for _, n := range p.topology.Nodes {
		if !n.Alive && n.ID != p.self {
			failing++
		}
	}
	var b strings.Builder
	lines(&b, "cluster_state", state, "cluster_slots_assigned", flotilla.Slots-p.unserved, "cluster_slots_ok", flotilla.Slots-p.unserved-p.unled,
		"cluster_slots_pfail", 0, "cluster_slots_fail", p.unled, "cluster_known_nodes", len(p.topology.Nodes), "cluster_size", len(p.masters),
		"cluster_current_epoch", p.epoch(), "cluster_my_epoch", p.epoch(), "flotilla_nodes_fail", failing)
	return b.String()
}

func (r *request) clusterReplicas(p *picture) {
	for _, n := range p.topology.Nodes {
		if nodeID(n.ID) != string(r.args[2]) {
			continue
		}
		if len(p.masters[n.ID]) == 0 {
			r.fail("ERR The specified node is not a master")
			return
		}
		var lines []string
		for _, replica := range p.replicasOf(n.ID, true) {
			lines = append(lines, p.nodeLine(replica))
		}
		r.c.out.texts(lines)
		return
	}
	r.unknownNode()
}

// clusterKeys is COUNTKEYSINSLOT and GETKEYSINSLOT. Counting visits the keys.
func (r *request) clusterKeys() {
	slot, ok := r.int(2)
	if !ok {
		return
	}
	limit := int64(1 << 40)
	if len(r.args) == 4 {
		if limit, ok = r.int(3); !ok {
			return
		}
	}
	if slot < 0 || slot >= flotilla.Slots || limit < 0 {
		r.fail(map[int]string{3: "ERR Invalid slot", 4: "ERR Invalid slot or number of keys"}[len(r.args)])
		return
	}
	keys, err := r.c.session.KeysInSlot(r.ctx, flotilla.Slot(slot), int(min(limit, store.MaxReplyBytes)))
	switch {
	case err != nil:
		r.fail(failureText(err))
	case len(r.args) == 3:
		r.c.out.int(len(keys))
	default:
		r.c.out.array(len(keys))
		for _, key := range keys {
			r.c.out.bulk(key)
		}
	}
}

package cluster

import (
	"maps"
	"slices"

	"flotilla"
)

// Directory is a decoded picture of what the directory group says: which nodes
// and groups there are, which node holds a copy of which group, which group owns
// which slot, and the settings. Nobody changes a Directory after it was made;
// nodes that hold no copy of group 0 get it as bytes (Encode, decodeDirectory).
type Directory struct {
	// Version grows by one with each change; 0 is a directory that is still empty.
	Version uint64
	Nodes   []Member // in order of ID
	Groups  []Group  // in order of ID, the directory first
	// Slots says who owns each slot. Before the bootstrap it is all 0.
	Slots    [flotilla.Slots]flotilla.GroupID
	Settings map[string]string
}

// Member is a node as the directory has it.
type Member struct {
	ID         flotilla.NodeID
	Host       string // where clients reach it
	StorePort  int
	HTTPPort   int
	QueuePort  int    // 0 where the queue is not served
	PeerAddr   string // host:port, node to node
	Weight     uint32 // its share of copies, compared with other nodes; 100 is usual, 0 is none
	IsDraining bool   // it shall lead nothing and get no new copies
}

// DefaultWeight is the weight of a node that nobody gave another one.
const DefaultWeight = 100

// Group is a group as the directory has it.
type Group struct {
	ID       flotilla.GroupID
	Replicas []ReplicaAt // in order of Node
}

// ReplicaAt says which copy of a group a node holds. The number changes when a
// copy was lost and made anew, so that the old one can never speak again.
type ReplicaAt struct {
	Node flotilla.NodeID
	ID   flotilla.ReplicaID
}

// Holders returns the nodes that hold a copy of the group, in order.
func (g Group) Holders() []flotilla.NodeID {
	nodes := make([]flotilla.NodeID, len(g.Replicas))
	for i, r := range g.Replicas {
		nodes[i] = r.Node
	}
	return nodes
}

// Limits of what a directory holds. A command that would pass one is refused.
const (
	MaxNodes           = 1000
	MaxGroups          = 4096 // besides the directory
	MaxReplicas        = 9    // of one group
	MaxSettings        = 1000
	MaxSettingName     = 200       // bytes
	MaxSettingValue    = 64 << 10  // bytes
	maxAddressBytes    = 300       // a host name has at most 253, and a port follows
	maxDirectoryBytes  = 128 << 20 // more than all limits together
	maxDirectoryWeight = 1_000_000
)

// Member returns the node of that id.
func (d *Directory) Member(id flotilla.NodeID) (Member, bool) {
	i, ok := slices.BinarySearchFunc(d.Nodes, id, compareNode)
	if !ok {
		return Member{}, false
	}
	return d.Nodes[i], true
}

// Group returns the group of that id.
func (d *Directory) Group(id flotilla.GroupID) (Group, bool) {
	i, ok := slices.BinarySearchFunc(d.Groups, id, compareGroup)
	if !ok {
		return Group{}, false
	}
	return d.Groups[i], true
}

// SlotCounts returns how many slots each group owns; groups with none are missing.
func (d *Directory) SlotCounts() map[flotilla.GroupID]int {
	counts := map[flotilla.GroupID]int{}
	for _, g := range d.Slots {
		counts[g]++
	}
	return counts
}

// firstDirectory makes the picture that a new cluster starts with: copies placed
// by placeGroups, slots dealt out evenly, each copy numbered as its node. All
// nodes that are told the same make the same one.
func firstDirectory(nodes []Member, groups, replicas int, settings map[string]string) *Directory {
	d := &Directory{Nodes: slices.SortedFunc(slices.Values(nodes), func(a, b Member) int { return compareNode(a, b.ID) })}
	ids := make([]flotilla.GroupID, groups+1)
	for i := range ids {
		ids[i] = flotilla.GroupID(i)
	}
	placed := placeGroups(d.Nodes, ids, replicas)
	for _, id := range ids {
		g := Group{ID: id}
		for _, n := range slices.Sorted(slices.Values(placed[id])) {
			g.Replicas = append(g.Replicas, ReplicaAt{Node: n, ID: flotilla.ReplicaID(n)})
		}
		d.Groups = append(d.Groups, g)
	}
	d.Slots = dealSlots(ids[1:])
	d.Settings = maps.Clone(settings)
	return d
}

// The state keys. All begin with the system's byte:
//
//	'd' 'v'            -> version uvarint
//	'd' 'n' id:8BE     -> node
//	'd' 'g' id:4BE     -> group
//	'd' 's'            -> slot table, run-length encoded
//	'd' 'c' name       -> a setting's value
const (
	directoryVersionKey = "dv"
	directorySlotsKey   = "ds"
	directoryNodes      = "dn"
	directoryGroups     = "dg"
	directorySettings   = "dc"
)

// readDirectory decodes what a replica of the directory group holds. It never
// returns nil. A value that can not be read is a bug or a damaged disk: the
// machine wrote it, and every entry has a checksum.
func readDirectory(r flotilla.Reader) *Directory {
	d := &Directory{Settings: map[string]string{}}
	if value, ok := r.Get([]byte(directoryVersionKey)); ok {
		in := directoryBytes{left: value}
		d.Version = in.uvarint()
		flotilla.Assert(in.done(), "directory version is readable")
	}
	for _, value := range r.Scan(prefixRange(directoryNodes)) {
		in := directoryBytes{left: value}
		d.Nodes = append(d.Nodes, in.node())
		flotilla.Assert(in.done(), "directory node is readable")
	}
	for _, value := range r.Scan(prefixRange(directoryGroups)) {
		in := directoryBytes{left: value}
		d.Groups = append(d.Groups, in.group())
		flotilla.Assert(in.done(), "directory group is readable")
	}
	for key, value := range r.Scan(prefixRange(directorySettings)) {
		d.Settings[string(key[len(directorySettings):])] = string(value)
	}
	if value, ok := r.Get([]byte(directorySlotsKey)); ok {
		in := directoryBytes{left: value}
		in.slots(&d.Slots)
		flotilla.Assert(in.done(), "directory slot table is readable")
	}
	return d
}

// prefixRange returns the keys that begin with a prefix whose last byte is not 255.
func prefixRange(prefix string) (start, end []byte) {
	start = []byte(prefix)
	end = []byte(prefix)
	end[len(end)-1]++
	return start, end
}

func compareNode(n Member, id flotilla.NodeID) int {
	return compareNumbers(uint64(n.ID), uint64(id))
}

func compareGroup(g Group, id flotilla.GroupID) int {
	return compareNumbers(uint64(g.ID), uint64(id))
}

func compareNumbers(a, b uint64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

package cluster

import (
	"encoding/binary"
	"errors"
	"maps"
	"slices"

	"flotilla"
)

// directoryFormat is the first byte of an encoded directory and the second of a
// directory command. A node that meets another one refuses it.
const directoryFormat = 1

var errBadDirectory = errors.New("directory: bytes can not be read")

// Encode returns the directory as bytes, always the same for the same picture:
//
//	format:1 | version | count, node... | count, group... | slots | count, (name, value)...
//	node:  id | host | storePort | httpPort | peerAddr | weight | flags (1 = draining, 2 = a port follows) | [queuePort]
//	group: id | count, (node, replica id)...
//	slots: count of runs, (length, group)...  their lengths make 16384
//
// All numbers are uvarints, all texts a length and bytes, all lists in order.
func (d *Directory) Encode() []byte {
	out := []byte{directoryFormat}
	out = binary.AppendUvarint(out, d.Version)
	out = binary.AppendUvarint(out, uint64(len(d.Nodes)))
	for _, n := range d.Nodes {
		out = appendNode(out, n)
	}
	out = binary.AppendUvarint(out, uint64(len(d.Groups)))
	for _, g := range d.Groups {
		out = appendGroup(out, g)
	}
	out = appendSlots(out, &d.Slots)
	out = binary.AppendUvarint(out, uint64(len(d.Settings)))
	for _, name := range slices.Sorted(maps.Keys(d.Settings)) {
		out = appendText(out, name)
		out = appendText(out, d.Settings[name])
	}
	return out
}

// decodeDirectory reads what Encode wrote. It accepts only a picture that keeps
// all invariants (see check), or the empty one.
func decodeDirectory(b []byte) (*Directory, error) {
	if len(b) == 0 || len(b) > maxDirectoryBytes || b[0] != directoryFormat {
		return nil, errBadDirectory
	}
	in := directoryBytes{left: b[1:]}
	d := in.directory()
	if !in.done() {
		return nil, errBadDirectory
	}
	if err := d.check(); err != nil {
		return nil, err
	}
	return d, nil
}

func appendNode(out []byte, n Member) []byte {
	out = binary.AppendUvarint(out, uint64(n.ID))
	out = appendText(out, n.Host)
	out = binary.AppendUvarint(out, uint64(n.StorePort))
	out = binary.AppendUvarint(out, uint64(n.HTTPPort))
	out = appendText(out, n.PeerAddr)
	out = binary.AppendUvarint(out, uint64(n.Weight))
	flags := uint64(0)
	if n.IsDraining {
		flags |= nodeDrains
	}
	if n.QueuePort == 0 {
		return binary.AppendUvarint(out, flags)
	}
	return binary.AppendUvarint(binary.AppendUvarint(out, flags|nodeHasQueue), uint64(n.QueuePort))
}

// The flags of a node.
const (
	nodeDrains   = 1
	nodeHasQueue = 2
)

func appendGroup(out []byte, g Group) []byte {
	out = binary.AppendUvarint(out, uint64(g.ID))
	out = binary.AppendUvarint(out, uint64(len(g.Replicas)))
	for _, r := range g.Replicas {
		out = binary.AppendUvarint(out, uint64(r.Node))
		out = binary.AppendUvarint(out, uint64(r.ID))
	}
	return out
}

func appendSlots(out []byte, slots *[flotilla.Slots]flotilla.GroupID) []byte {
	var runs []byte
	count := uint64(0)
	for start := 0; start < len(slots); {
		end := start + 1
		for end < len(slots) && slots[end] == slots[start] {
			end++
		}
		runs = binary.AppendUvarint(runs, uint64(end-start))
		runs = binary.AppendUvarint(runs, uint64(slots[start]))
		count++
		start = end
	}
	return append(binary.AppendUvarint(out, count), runs...)
}

func appendText(out []byte, text string) []byte {
	return append(binary.AppendUvarint(out, uint64(len(text))), text...)
}

// directoryBytes reads numbers and texts from bytes that may be anything. After
// the first thing that can not be read it is bad, and all that follows is zero.
type directoryBytes struct {
	left []byte
	bad  bool
}

// done reports whether all was read, and well.
func (in *directoryBytes) done() bool { return !in.bad && len(in.left) == 0 }

func (in *directoryBytes) fail() {
	in.bad = true
	in.left = nil
}

func (in *directoryBytes) uvarint() uint64 {
	n, size := binary.Uvarint(in.left)
	if size <= 0 {
		in.fail()
		return 0
	}
	in.left = in.left[size:]
	return n
}

// upTo reads a number that must not be greater than limit.
func (in *directoryBytes) upTo(limit uint64) uint64 {
	n := in.uvarint()
	if n > limit {
		in.fail()
		return 0
	}
	return n
}

func (in *directoryBytes) text(limit uint64) string {
	n := in.upTo(limit)
	if n > uint64(len(in.left)) {
		in.fail()
		return ""
	}
	text := string(in.left[:n])
	in.left = in.left[n:]
	return text
}

func (in *directoryBytes) node() Member {
	m := Member{
		ID:        flotilla.NodeID(in.uvarint()),
		Host:      in.text(maxAddressBytes),
		StorePort: int(in.upTo(65535)),
		HTTPPort:  int(in.upTo(65535)),
		PeerAddr:  in.text(maxAddressBytes),
		Weight:    uint32(in.upTo(maxDirectoryWeight)),
	}
	flags := in.upTo(nodeDrains | nodeHasQueue)
	m.IsDraining = flags&nodeDrains != 0
	if flags&nodeHasQueue == 0 {
		return m
	}
	if m.QueuePort = int(in.upTo(65535)); m.QueuePort == 0 {
		in.fail() // it has one way to be written
	}
	return m
}

func (in *directoryBytes) groupID() flotilla.GroupID {
	return flotilla.GroupID(in.upTo(1<<32 - 1))
}

func (in *directoryBytes) group() Group {
	g := Group{ID: in.groupID()}
	for range in.upTo(MaxReplicas) {
		g.Replicas = append(g.Replicas, ReplicaAt{
			Node: flotilla.NodeID(in.uvarint()),
			ID:   flotilla.ReplicaID(in.uvarint()),
		})
	}
	return g
}

func (in *directoryBytes) slots(table *[flotilla.Slots]flotilla.GroupID) {
	at := uint64(0)
	for range in.upTo(flotilla.Slots) {
		length := in.upTo(flotilla.Slots - at)
		group := in.groupID()
		if length == 0 {
			in.fail()
		}
		if in.bad {
			return
		}
		for range length {
			table[at] = group
			at++
		}
	}
	if at != flotilla.Slots {
		in.fail()
	}
}

func (in *directoryBytes) directory() *Directory {
	d := &Directory{Version: in.uvarint(), Settings: map[string]string{}}
	for range in.upTo(MaxNodes) {
		if in.bad { // a declared count is not a reason to go on reading nothing
			return d
		}
		d.Nodes = append(d.Nodes, in.node())
	}
	for range in.upTo(MaxGroups + 1) {
		if in.bad {
			return d
		}
		d.Groups = append(d.Groups, in.group())
	}
	in.slots(&d.Slots)
	settings := in.upTo(MaxSettings)
	before := ""
	for i := range settings {
		name := in.text(MaxSettingName)
		value := in.text(MaxSettingValue)
		if in.bad || i > 0 && name <= before {
			in.fail()
			return d
		}
		d.Settings[name] = value
		before = name
	}
	return d
}

// check reports the first invariant that a picture breaks:
// nodes and groups are in order and named once, the directory group exists, each
// copy is on a known node and at most one on each, and each slot belongs to a
// group that is not the directory. The empty picture is fine.
func (d *Directory) check() error {
	if len(d.Nodes) == 0 && len(d.Groups) == 0 && len(d.Settings) == 0 && d.Slots == [flotilla.Slots]flotilla.GroupID{} {
		return nil
	}
	for i, n := range d.Nodes {
		if n.ID == 0 || i > 0 && d.Nodes[i-1].ID >= n.ID {
			return errors.New("directory: nodes are not in order")
		}
	}
	if len(d.Groups) == 0 || d.Groups[0].ID != flotilla.Directory {
		return errors.New("directory: group 0 is missing")
	}
	for i, g := range d.Groups {
		if i > 0 && d.Groups[i-1].ID >= g.ID {
			return errors.New("directory: groups are not in order")
		}
		if err := d.checkReplicas(g); err != nil {
			return err
		}
	}
	var last flotilla.GroupID
	for _, g := range d.Slots {
		if g != flotilla.Directory && g == last {
			continue
		}
		if _, ok := d.Group(g); !ok || g == flotilla.Directory {
			return errors.New("directory: a slot has no group")
		}
		last = g
	}
	return nil
}

func (d *Directory) checkReplicas(g Group) error {
	if len(g.Replicas) == 0 {
		return errors.New("directory: a group has no copies")
	}
	for i, r := range g.Replicas {
		if _, ok := d.Member(r.Node); !ok {
			return errors.New("directory: a copy is on an unknown node")
		}
		if r.ID == 0 || i > 0 && g.Replicas[i-1].Node >= r.Node {
			return errors.New("directory: a group's copies are not in order of node")
		}
	}
	return nil
}

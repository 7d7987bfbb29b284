package consensus

import (
	"encoding/binary"
	"slices"

	"flotilla"

	"go.etcd.io/raft/v3/raftpb"
)

// membersKey holds who belongs to the group, as of the state's index.
var membersKey = []byte{0, 'm'}

const membersVersion = 1

// Members says who belongs to a group: Raft's configuration, on which node each
// replica is, and the first id that was never used.
type Members struct {
	Conf *raftpb.ConfState
	Node map[flotilla.ReplicaID]flotilla.NodeID
	Next flotilla.ReplicaID
}

// InitialKeys returns the keys that a group's first copies begin with: one voter
// on each of the given nodes, with the node's own number as its replica id.
func InitialKeys(nodes []flotilla.NodeID) []KeyValue {
	m := Members{Conf: &raftpb.ConfState{}, Node: map[flotilla.ReplicaID]flotilla.NodeID{}}
	for _, n := range slices.Sorted(slices.Values(nodes)) {
		id := flotilla.ReplicaID(n)
		m.Conf.Voters = append(m.Conf.Voters, uint64(id))
		m.Node[id] = n
	}
	m.Next = firstFreshReplica
	return []KeyValue{{Key: membersKey, Value: m.append(nil)}}
}

// firstFreshReplica is the first id given to a copy that is not one of the first:
// above any node's number (docs/limits.md allows nodes up to 1000).
const firstFreshReplica flotilla.ReplicaID = 1001

// IsFresh reports whether a replica is one that was made after its group.
func IsFresh(id flotilla.ReplicaID) bool { return id >= firstFreshReplica }

// ReplicaOf returns the replica on a node, or 0. While one makes way for another
// it is the new one.
func (m *Members) ReplicaOf(node flotilla.NodeID) (newest flotilla.ReplicaID) {
	for id, n := range m.Node {
		if n == node {
			newest = max(newest, id)
		}
	}
	return newest
}

// Nodes returns the nodes that hold a replica, in order.
func (m *Members) Nodes() []flotilla.NodeID {
	var nodes []flotilla.NodeID
	for _, n := range m.Node {
		nodes = append(nodes, n)
	}
	slices.Sort(nodes)
	return slices.Compact(nodes)
}

// others returns all replicas but one, in order.
func (m *Members) others(self flotilla.ReplicaID) []flotilla.ReplicaID {
	var others []flotilla.ReplicaID
	for id := range m.Node {
		if id != self {
			others = append(others, id)
		}
	}
	slices.Sort(others)
	return others
}

// IsVoter reports whether a replica's vote counts.
func (m *Members) IsVoter(id flotilla.ReplicaID) bool {
	return slices.Contains(m.Conf.GetVoters(), uint64(id))
}

// append encodes members: version u8 | next uvarint | five lists of ids (count,
// ids uvarint): voters, learners, outgoing voters, next learners, then (replica,
// node) pairs in order of replica | auto leave u8.
func (m *Members) append(b []byte) []byte {
	b = append(b, membersVersion)
	b = binary.AppendUvarint(b, uint64(m.Next))
	for _, ids := range [][]uint64{m.Conf.GetVoters(), m.Conf.GetLearners(), m.Conf.GetVotersOutgoing(), m.Conf.GetLearnersNext()} {
		b = appendIDs(b, ids)
	}
	var pairs []uint64
	for id, n := range m.Node {
		pairs = append(pairs, uint64(id)<<16|uint64(n))
	}
	slices.Sort(pairs)
	b = appendIDs(b, pairs)
	if m.Conf.GetAutoLeave() {
		return append(b, 1)
	}
	return append(b, 0)
}

func appendIDs(b []byte, ids []uint64) []byte {
	b = binary.AppendUvarint(b, uint64(len(ids)))
	for _, id := range ids {
		b = binary.AppendUvarint(b, id)
	}
	return b
}

// DecodeMembers reads the members from a state or a staged snapshot. A state that
// waits for its first snapshot has none: the result is then empty.
func DecodeMembers(get func(key []byte) ([]byte, bool)) (Members, error) {
	m := Members{Conf: &raftpb.ConfState{}, Node: map[flotilla.ReplicaID]flotilla.NodeID{}, Next: firstFreshReplica}
	value, ok := get(membersKey)
	if !ok {
		return m, nil
	}
	r := reader{rest: value}
	if r.byte() != membersVersion {
		return m, errShort
	}
	m.Next = flotilla.ReplicaID(r.uvarint())
	m.Conf.Voters, m.Conf.Learners = r.ids(), r.ids()
	m.Conf.VotersOutgoing, m.Conf.LearnersNext = r.ids(), r.ids()
	for _, pair := range r.ids() {
		m.Node[flotilla.ReplicaID(pair>>16)] = flotilla.NodeID(pair & 0xffff)
	}
	autoLeave := r.byte() == 1
	m.Conf.AutoLeave = &autoLeave
	return m, r.err
}

func (r *reader) ids() []uint64 {
	count := r.uvarint()
	var ids []uint64
	for i := uint64(0); i < count && r.err == nil; i++ {
		ids = append(ids, r.uvarint())
	}
	return ids
}

// appendChange encodes what a conf change entry says beside Raft's own part: the
// node of each replica that it adds.
func appendChange(b []byte, nodes map[flotilla.ReplicaID]flotilla.NodeID) []byte {
	var pairs []uint64
	for id, n := range nodes {
		pairs = append(pairs, uint64(id)<<16|uint64(n))
	}
	slices.Sort(pairs)
	return appendIDs(b, pairs)
}

// apply takes over what a conf change did: added replicas get their nodes, and
// replicas that are in no list any more are forgotten.
func (m *Members) apply(conf *raftpb.ConfState, context []byte) error {
	r := reader{rest: context}
	if len(context) > 0 {
		for _, pair := range r.ids() {
			id := flotilla.ReplicaID(pair >> 16)
			m.Node[id] = flotilla.NodeID(pair & 0xffff)
			m.Next = max(m.Next, id+1)
		}
	}
	m.Conf = conf
	for id := range m.Node {
		if !m.isKnown(uint64(id)) {
			delete(m.Node, id)
		}
	}
	return r.err
}

func (m *Members) isKnown(id uint64) bool {
	for _, ids := range [][]uint64{m.Conf.GetVoters(), m.Conf.GetLearners(), m.Conf.GetVotersOutgoing(), m.Conf.GetLearnersNext()} {
		if slices.Contains(ids, id) {
			return true
		}
	}
	return false
}

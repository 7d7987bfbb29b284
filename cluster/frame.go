package cluster

import (
	"bytes"
	"encoding/binary"
	"errors"

	"flotilla"
	"flotilla/consensus"

	"go.etcd.io/raft/v3/raftpb"
)

// A frame is what one node tells another in one go: any number of items, each a
// kind byte and its fields.
//
//	'r' group uvarint | raft message (consensus.AppendMessage)
//	'p' group uvarint | parcel: length uvarint, bytes      to the leader's node
//	'o' group uvarint | outcome (consensus.AppendOutcome)  to the parcel's origin
//	'h' hello, see appendHello                             every heartbeat
//	'd' directory: length uvarint, bytes                   to who has an older one
//	'q' id, group, level, after, max age uvarint | commands uvarint, (length, bytes)...   a read
//	'a' id uvarint | reason: length, bytes | index uvarint | replies: length, bytes       its answer
//	'b' system u8 | message: length uvarint, bytes         a broadcast
//	'w' group uvarint                                      which followers have how much?
//	'm' group uvarint | count, match indexes uvarint...    the leader's answer
//	'v' relay, see appendRelayItem                         a frame by way of others (relay.go)
//	't' stamp uvarint                                      what the sender wrote down came before (journal.go)
//	'e' group, index, term uvarint                         an entry of this frame is followed (trace.go)
//	'c' group uvarint                                      a parcel of this frame has a write that is followed
const (
	itemRaft      = 'r'
	itemParcel    = 'p'
	itemOutcome   = 'o'
	itemHello     = 'h'
	itemDirectory = 'd'
	itemRead      = 'q'
	itemAnswer    = 'a'
	itemBroadcast = 'b'
	itemAskCopies = 'w'
	itemCopies    = 'm'
	itemRelay     = 'v'
	itemStamp     = 't'
	itemEntryMark = 'e'
	itemCallMark  = 'c'
)

// errFrame says that a frame can not be read; the rest of it is dropped.
var errFrame = errors.New("cluster: malformed frame")

// Frame is a decoded frame. It shares no memory with the bytes it came from.
type Frame struct {
	from       flotilla.NodeID
	raft       []raftItem
	parcels    []parcelItem
	outcomes   []outcomeItem
	hello      *hello
	directory  []byte
	reads      []readItem
	answers    []answerItem
	broadcasts []broadcastItem
	askCopies  []flotilla.GroupID
	copies     []copiesItem
	relays     []relayItem
	stamp      uint64 // 0: none
	entryMarks []entryMark
	callMarks  []flotilla.GroupID
	isRelayed  bool          // it came by way of others; never on the wire
	snapshot   *snapshotItem // a received snapshot; never on the wire
}

type raftItem struct {
	group   flotilla.GroupID
	message *raftpb.Message
}

type parcelItem struct {
	group flotilla.GroupID
	bytes []byte
}

type outcomeItem struct {
	group   flotilla.GroupID
	outcome consensus.Outcome
}

type readItem struct {
	id       uint64
	group    flotilla.GroupID
	level    flotilla.Level
	after    uint64
	maxAge   flotilla.Millis
	commands [][]byte
}

type answerItem struct {
	id      uint64
	reason  string // empty: here are the replies; else a flotilla.Reason
	index   uint64
	replies [][]byte
}

type broadcastItem struct {
	system  flotilla.System
	message []byte
}

// copiesItem has the match index of each of a group's followers.
type copiesItem struct {
	group   flotilla.GroupID
	matches []uint64
}

// relayItem is a frame for a node that does not hear the one that made it.
type relayItem struct {
	to, from         flotilla.NodeID
	toLife, fromLife uint64 // their incarnations
	left             uint64 // how many nodes may still pass it on
	frame            []byte
}

type snapshotItem struct {
	staged  consensus.Staged
	message *raftpb.Message
}

// hello is what each node tells each other several times a second.
type hello struct {
	directory  uint64 // version that the node has
	isDraining bool
	hasRoom    bool
	// knowsCluster says that the sender has seen the cluster do anything (first.go).
	knowsCluster bool
	isLossy      bool   // much is lost on all links to the sender (loss.go)
	syncMicros   uint64 // how long its disk takes for one synced write, smoothed
	rttMillis    uint64 // there and back to the nearest other node, smoothed
	stamp        uint64 // the sender's monotonic clock
	echo         uint64 // the newest stamp of the receiver that the sender has
	held         uint64 // milliseconds that it has had it; with echo 0 there is none
	// incarnation is the sender's, unheard are the nodes that it does not hear, and
	// hearings what some of those said that the receiver does not hear (relay.go).
	incarnation uint64
	unheard     []flotilla.NodeID
	hearings    []hearing
	leads       []leadership  // groups that it leads
	lost        []lostReplica // copies that it lost and wants replaced
	knows       []commitment  // of groups of which it knows no leader
	founders    []founder     // told to those who know of no cluster (first.go)
}

type leadership struct {
	group flotilla.GroupID
	term  uint64
	// next is the first replica id that was never used, or 0 as long as the leader
	// may not know of all that were.
	next flotilla.ReplicaID
	// needed is up to where no replica needs the log any more.
	needed uint64
}

// commitment is the newest entry of a group that the sender knows to be committed.
type commitment struct {
	group       flotilla.GroupID
	index, term uint64
}

// lostReplica says that all of the sender's copies of a group up to an id are gone.
type lostReplica struct {
	group   flotilla.GroupID
	replica flotilla.ReplicaID
}

func appendUvarints(b []byte, values ...uint64) []byte {
	for _, v := range values {
		b = binary.AppendUvarint(b, v)
	}
	return b
}

func appendLengthAnd(b, v []byte) []byte {
	return append(binary.AppendUvarint(b, uint64(len(v))), v...)
}

func appendRaftItem(b []byte, group flotilla.GroupID, m *raftpb.Message) []byte {
	return consensus.AppendMessage(binary.AppendUvarint(append(b, itemRaft), uint64(group)), m)
}

func appendParcelItem(b []byte, group flotilla.GroupID, parcel []byte) []byte {
	return appendLengthAnd(binary.AppendUvarint(append(b, itemParcel), uint64(group)), parcel)
}

func appendOutcomeItem(b []byte, group flotilla.GroupID, o *consensus.Outcome) []byte {
	return consensus.AppendOutcome(binary.AppendUvarint(append(b, itemOutcome), uint64(group)), o)
}

func appendReadItem(b []byte, r *readItem) []byte {
	b = appendUvarints(append(b, itemRead), r.id, uint64(r.group), uint64(r.level), r.after, uint64(r.maxAge), uint64(len(r.commands)))
	for _, c := range r.commands {
		b = appendLengthAnd(b, c)
	}
	return b
}

func appendAnswerItem(b []byte, a *answerItem) []byte {
	b = appendLengthAnd(binary.AppendUvarint(append(b, itemAnswer), a.id), []byte(a.reason))
	b = appendUvarints(b, a.index, uint64(len(a.replies)))
	for _, r := range a.replies {
		b = appendLengthAnd(b, r)
	}
	return b
}

func appendBroadcastItem(b []byte, system flotilla.System, message []byte) []byte {
	return appendLengthAnd(append(b, itemBroadcast, byte(system)), message)
}

func appendCopiesItem(b []byte, c *copiesItem) []byte {
	b = appendUvarints(append(b, itemCopies), uint64(c.group), uint64(len(c.matches)))
	return appendUvarints(b, c.matches...)
}

// appendRelayItem: to, its incarnation, from, its incarnation, how many nodes may still
// pass it on, all uvarint, then the frame: length uvarint, bytes.
func appendRelayItem(b []byte, r *relayItem) []byte {
	b = appendUvarints(append(b, itemRelay), uint64(r.to), r.toLife, uint64(r.from), r.fromLife, r.left)
	return appendLengthAnd(b, r.frame)
}

// appendHello: directory version, flags (1 draining, 2 room, 4 knows the cluster, 8 lossy), sync micros, round
// trip millis, stamp, echo, held, incarnation, then lists (count, then items): group, term,
// next replica id and needed log of what is led, group and replica lost, group, index
// and term of what is committed, nodes that are not heard, and the last words of
// other nodes: node, incarnation, stamp, and a list of nodes that it does not hear,
// and the founders: node, incarnation.
func appendHello(b []byte, h *hello) []byte {
	flags := uint64(0)
	if h.isDraining {
		flags |= 1
	}
	if h.hasRoom {
		flags |= 2
	}
	if h.knowsCluster {
		flags |= 4
	}
	if h.isLossy {
		flags |= 8
	}
	b = appendUvarints(append(b, itemHello), h.directory, flags, h.syncMicros, h.rttMillis, h.stamp, h.echo, h.held, h.incarnation, uint64(len(h.leads)))
	for _, l := range h.leads {
		b = appendUvarints(b, uint64(l.group), l.term, uint64(l.next), l.needed)
	}
	b = appendUvarints(b, uint64(len(h.lost)))
	for _, l := range h.lost {
		b = appendUvarints(b, uint64(l.group), uint64(l.replica))
	}
	b = appendUvarints(b, uint64(len(h.knows)))
	for _, k := range h.knows {
		b = appendUvarints(b, uint64(k.group), k.index, k.term)
	}
	b = appendUvarints(appendNodes(b, h.unheard), uint64(len(h.hearings)))
	for i := range h.hearings {
		w := &h.hearings[i]
		b = appendNodes(appendUvarints(b, uint64(w.node), w.incarnation, w.stamp), w.unheard)
	}
	b = appendUvarints(b, uint64(len(h.founders)))
	for _, f := range h.founders {
		b = appendUvarints(b, uint64(f.node), f.incarnation)
	}
	return b
}

func appendNodes(b []byte, nodes []flotilla.NodeID) []byte {
	b = appendUvarints(b, uint64(len(nodes)))
	for _, id := range nodes {
		b = appendUvarints(b, uint64(id))
	}
	return b
}

// decodeFrame reads all items of a frame. What came before a malformed item is
// returned along with the error.
func decodeFrame(from flotilla.NodeID, b []byte) (*Frame, error) {
	f := &Frame{from: from}
	in := frameBytes{rest: b}
	for len(in.rest) > 0 && in.err == nil {
		kind := in.byte()
		in.item(f, kind)
	}
	return f, in.err
}

// frameBytes reads the fields of items. After the first failure err stays set.
type frameBytes struct {
	rest []byte
	err  error
}

func (in *frameBytes) item(f *Frame, kind byte) {
	switch kind {
	case itemRaft:
		in.raft(f)
	case itemParcel:
		p := parcelItem{group: in.group(), bytes: in.copied()}
		f.parcels = append(f.parcels, p)
	case itemOutcome:
		in.outcome(f)
	case itemHello:
		f.hello = in.hello()
	case itemDirectory:
		f.directory = in.copied()
	case itemRead:
		r := readItem{id: in.uvarint(), group: in.group(), level: flotilla.Level(in.uvarint()),
			after: in.uvarint(), maxAge: flotilla.Millis(in.uvarint()), commands: in.list()}
		f.reads = append(f.reads, r)
	case itemAnswer:
		a := answerItem{id: in.uvarint(), reason: string(in.shared()), index: in.uvarint(), replies: in.list()}
		f.answers = append(f.answers, a)
	case itemBroadcast:
		m := broadcastItem{system: flotilla.System(in.byte()), message: in.copied()}
		f.broadcasts = append(f.broadcasts, m)
	case itemAskCopies:
		f.askCopies = append(f.askCopies, in.group())
	case itemCopies:
		c := copiesItem{group: in.group(), matches: in.uvarints()}
		f.copies = append(f.copies, c)
	case itemRelay:
		r := relayItem{to: in.node(), toLife: in.uvarint(), from: in.node(), fromLife: in.uvarint(), left: in.uvarint(), frame: in.copied()}
		f.relays = append(f.relays, r)
	case itemStamp, itemEntryMark, itemCallMark:
		in.mark(f, kind)
	default:
		in.fail()
	}
	if in.err != nil {
		f.dropLast(kind)
	}
}

// dropLast forgets the item that could not be read to its end.
func (f *Frame) dropLast(kind byte) {
	switch kind {
	case itemParcel:
		f.parcels = f.parcels[:len(f.parcels)-1]
	case itemHello:
		f.hello = nil
	case itemDirectory:
		f.directory = nil
	case itemRead:
		f.reads = f.reads[:len(f.reads)-1]
	case itemAnswer:
		f.answers = f.answers[:len(f.answers)-1]
	case itemBroadcast:
		f.broadcasts = f.broadcasts[:len(f.broadcasts)-1]
	case itemAskCopies:
		f.askCopies = f.askCopies[:len(f.askCopies)-1]
	case itemCopies:
		f.copies = f.copies[:len(f.copies)-1]
	case itemRelay:
		f.relays = f.relays[:len(f.relays)-1]
	}
}

// mark reads an item about what is noted; one that can not be read to its end is none.
func (in *frameBytes) mark(f *Frame, kind byte) {
	switch kind {
	case itemStamp:
		if stamp := in.uvarint(); in.err == nil {
			f.stamp = max(f.stamp, stamp)
		}
	case itemEntryMark:
		if m := (entryMark{group: in.group(), index: in.uvarint(), term: in.uvarint()}); in.err == nil {
			f.entryMarks = append(f.entryMarks, m)
		}
	case itemCallMark:
		if g := in.group(); in.err == nil {
			f.callMarks = append(f.callMarks, g)
		}
	}
}

func (in *frameBytes) raft(f *Frame) {
	group := in.group()
	m, rest, err := consensus.DecodeMessage(in.rest)
	if err != nil || in.err != nil {
		in.fail()
		return
	}
	in.rest = rest
	f.raft = append(f.raft, raftItem{group: group, message: m})
}

func (in *frameBytes) outcome(f *Frame) {
	group := in.group()
	o, rest, err := consensus.DecodeOutcome(in.rest)
	if err != nil || in.err != nil {
		in.fail()
		return
	}
	in.rest = rest
	f.outcomes = append(f.outcomes, outcomeItem{group: group, outcome: o})
}

func (in *frameBytes) hello() *hello {
	h := &hello{directory: in.uvarint()}
	flags := in.uvarint()
	h.isDraining, h.hasRoom, h.knowsCluster = flags&1 != 0, flags&2 != 0, flags&4 != 0
	h.isLossy = flags&8 != 0
	h.syncMicros, h.rttMillis = in.uvarint(), in.uvarint()
	h.stamp, h.echo, h.held, h.incarnation = in.uvarint(), in.uvarint(), in.uvarint(), in.uvarint()
	for n := in.uvarint(); n > 0 && in.err == nil; n-- {
		h.leads = append(h.leads, leadership{group: in.group(), term: in.uvarint(), next: flotilla.ReplicaID(in.uvarint()),
			needed: in.uvarint()})
	}
	for n := in.uvarint(); n > 0 && in.err == nil; n-- {
		h.lost = append(h.lost, lostReplica{group: in.group(), replica: flotilla.ReplicaID(in.uvarint())})
	}
	for n := in.uvarint(); n > 0 && in.err == nil; n-- {
		h.knows = append(h.knows, commitment{group: in.group(), index: in.uvarint(), term: in.uvarint()})
	}
	h.unheard = in.nodes()
	for n := in.uvarint(); n > 0 && in.err == nil; n-- {
		h.hearings = append(h.hearings, hearing{node: in.node(), incarnation: in.uvarint(), stamp: in.uvarint(), unheard: in.nodes()})
	}
	for n := in.uvarint(); n > 0 && in.err == nil; n-- {
		h.founders = append(h.founders, founder{node: in.node(), incarnation: in.uvarint()})
	}
	return h
}

func (in *frameBytes) fail() { in.err, in.rest = errFrame, nil }

func (in *frameBytes) byte() byte {
	if len(in.rest) == 0 {
		in.fail()
		return 0
	}
	v := in.rest[0]
	in.rest = in.rest[1:]
	return v
}

func (in *frameBytes) uvarint() uint64 {
	v, n := binary.Uvarint(in.rest)
	if n <= 0 {
		in.fail()
		return 0
	}
	in.rest = in.rest[n:]
	return v
}

func (in *frameBytes) group() flotilla.GroupID { return flotilla.GroupID(in.uvarint()) }

func (in *frameBytes) node() flotilla.NodeID { return flotilla.NodeID(in.uvarint()) }

func (in *frameBytes) nodes() []flotilla.NodeID {
	var all []flotilla.NodeID
	for n := in.uvarint(); n > 0 && in.err == nil; n-- {
		all = append(all, in.node())
	}
	return all
}

// shared returns a length-prefixed piece that shares memory with the frame.
func (in *frameBytes) shared() []byte {
	n := in.uvarint()
	if n > uint64(len(in.rest)) {
		in.fail()
		return nil
	}
	v := in.rest[:n:n]
	in.rest = in.rest[n:]
	return v
}

func (in *frameBytes) copied() []byte { return bytes.Clone(in.shared()) }

func (in *frameBytes) uvarints() []uint64 {
	var all []uint64
	for n := in.uvarint(); n > 0 && in.err == nil; n-- {
		all = append(all, in.uvarint())
	}
	return all
}

func (in *frameBytes) list() [][]byte {
	var all [][]byte
	for n := in.uvarint(); n > 0 && in.err == nil; n-- {
		all = append(all, in.copied())
	}
	return all
}

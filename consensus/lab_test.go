package consensus_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"flotilla"
	"flotilla/consensus"
	"flotilla/storage"

	"go.etcd.io/raft/v3/raftpb"
)

// lab is one group's replicas on disks in memory, with a network that delivers
// what it is told to. All is done in the caller's goroutine, step by step.
type lab struct {
	nodes       []*replica
	wire        []packet // sent and not yet delivered, in order
	now         flotilla.Millis
	lives       uint64
	maxInFlight int
}

// replica is one copy with its disk. A nil group is a node that is down.
type replica struct {
	id    flotilla.ReplicaID
	node  flotilla.NodeID
	disk  *storage.Memory
	group *consensus.Group
	state consensus.State
	crash func(storage.Boundary) bool

	failure error // why it stopped by itself

	ready  *consensus.Ready // taken, and not yet done
	staged consensus.Staged
}

// packet is a message on its way: in bytes, as between real nodes.
type packet struct {
	from, to flotilla.ReplicaID
	kind     raftpb.MessageType
	bytes    []byte
	snapshot *raftpb.Message // instead of bytes
	content  []byte          // of the snapshot
}

const (
	labGroup   flotilla.GroupID = 7
	startedAt  flotilla.Millis  = 1_000_000
	systemTest flotilla.System  = 't'
)

func newLab(replicas int) *lab {
	l := &lab{now: startedAt}
	nodes := make([]flotilla.NodeID, replicas)
	for i := range nodes {
		nodes[i] = flotilla.NodeID(i + 1)
	}
	for _, n := range nodes {
		l.add(flotilla.ReplicaID(n), n, consensus.InitialKeys(nodes))
	}
	return l
}

// add makes one more replica; without initial keys it waits for a snapshot.
func (l *lab) add(id flotilla.ReplicaID, node flotilla.NodeID, initial []consensus.KeyValue) *replica {
	n := &replica{id: id, node: node, disk: storage.NewMemory(storage.MemoryOptions{FlushCommits: 1 << 30})}
	if err := n.disk.Create(consensus.Replica{Group: labGroup, ID: id}, initial); err != nil {
		panic(err)
	}
	l.nodes = append(l.nodes, n)
	l.open(n)
	return n
}

func (l *lab) open(n *replica) {
	l.lives++
	n.state, n.ready, n.staged = n.disk.State(labGroup), nil, nil
	group, err := consensus.Open(consensus.Config{Group: labGroup, Replica: n.id, Log: n.disk.Log(labGroup), State: n.state,
		Machines:      map[flotilla.System]flotilla.Machine{systemTest: words{}},
		ElectionTicks: 10, HeartbeatTicks: 2, MaxInFlight: l.maxInFlight}, l.lives)
	if err != nil {
		panic(err)
	}
	n.group = group
}

// restart brings a node back with what a power cut left: all of its log, and of
// the states' commits that were not flushed only the first few.
func (l *lab) restart(n *replica, keep int) {
	n.disk = n.disk.Restart(storage.MemoryOptions{FlushCommits: 1 << 30,
		Crash: func(b storage.Boundary) bool { return n.crash != nil && n.crash(b) }}, keep)
	l.open(n)
}

func (l *lab) replica(id flotilla.ReplicaID) *replica {
	for _, n := range l.nodes {
		if n.id == id {
			return n
		}
	}
	return nil
}

// early takes what there is to do, and sends what need not wait for the disk.
func (l *lab) early(n *replica) bool {
	ready, ok := n.group.Ready()
	if !ok {
		return false
	}
	n.ready = &ready
	l.send(n, ready.Early)
	return true
}

// persist writes what was taken.
func (l *lab) persist(n *replica) error {
	if n.ready.Snapshot != nil {
		if err := n.disk.Install(n.staged, n.group.HardState()); err != nil {
			return err
		}
		if err := n.group.Installed(); err != nil {
			return err
		}
	}
	if n.ready.HasWrite {
		return n.disk.Append([]consensus.Write{n.ready.Write})
	}
	return nil
}

func (l *lab) late(n *replica) { l.send(n, n.ready.Late) }

// apply applies what was committed, and is done with what was taken.
func (l *lab) apply(n *replica, visit func(consensus.Outcome)) error {
	if len(n.ready.Committed) > 0 {
		if err := n.group.Apply(n.ready.Committed, visit); err != nil {
			return err
		}
	}
	n.group.Done(*n.ready)
	n.ready = nil
	return nil
}

// turn does all that one replica can do without a message from another.
func (l *lab) turn(n *replica, visit func(consensus.Outcome)) error {
	for {
		n.group.Advance(l.now)
		if !l.early(n) {
			return nil
		}
		if err := l.persist(n); err != nil {
			return err
		}
		l.late(n)
		if err := l.apply(n, visit); err != nil {
			return err
		}
	}
}

func (l *lab) send(n *replica, messages []*raftpb.Message) {
	for _, m := range messages {
		p := packet{from: n.id, to: flotilla.ReplicaID(m.GetTo()), kind: m.GetType()}
		if m.GetType() == raftpb.MsgSnap {
			view := n.state.View(true)
			var content bytes.Buffer
			message, err := consensus.SnapshotMessage(m, view)
			if err == nil {
				err = consensus.WriteSnapshot(&content, view)
			}
			view.Close()
			if err != nil {
				panic(err)
			}
			p.snapshot, p.content = message, content.Bytes()
		} else {
			p.bytes = consensus.AppendMessage(nil, m)
		}
		l.wire = append(l.wire, p)
	}
}

// deliver hands a packet to its receiver, if that is there.
func (l *lab) deliver(p packet) {
	n := l.replica(p.to)
	if n == nil || n.group == nil {
		return
	}
	if p.snapshot != nil {
		staged, err := n.disk.Stage(consensus.Replica{Group: labGroup, ID: n.id}, bytes.NewReader(p.content))
		if err != nil {
			panic(err)
		}
		n.staged = staged
		n.step(p.snapshot)
		if from := l.replica(p.from); from.group != nil {
			from.group.ReportSnapshot(p.to, true)
		}
		return
	}
	m, rest, err := consensus.DecodeMessage(p.bytes)
	if err != nil || len(rest) > 0 {
		panic(fmt.Sprintf("a message that was sent can not be read: %v", err))
	}
	n.step(m)
}

func (n *replica) step(m *raftpb.Message) {
	if err := n.group.Step(m); err != nil {
		n.failure, n.group = err, nil
	}
}

// words is a machine whose commands are words:
//
//	t set K V     answers V        t add K V    appends V to the list K, answers its length
//	t wake K MS   sets K to "woken" at the first entry at or after MS
//	t count       answers the version, which no two commands share
type words struct{}

var wakeStart, wakeEnd = []byte("t!"), []byte("t\"")

func (words) Begin(tx *flotilla.Tx) {
	var due [][]byte
	for k, v := range tx.Scan(wakeStart, wakeEnd) {
		at := flotilla.Millis(binary.BigEndian.Uint64(k[2:]))
		if at > tx.Time {
			tx.WakeAt(at)
			break
		}
		due = append(due, bytes.Clone(k), bytes.Clone(v))
	}
	for i := 0; i < len(due); i += 2 {
		tx.Delete(due[i])
		tx.Set(append([]byte("t"), due[i+1]...), fmt.Appendf(nil, "woken at %d", tx.Time))
	}
}

func (words) Apply(tx *flotilla.Tx, command []byte) []byte {
	args := strings.Fields(string(command[1:]))
	switch {
	case len(args) == 3 && args[0] == "set":
		tx.Set([]byte("t"+args[1]), []byte(args[2]))
		return []byte(args[2])
	case len(args) == 3 && args[0] == "add":
		old, _ := tx.Get([]byte("t" + args[1]))
		list := append(strings.Fields(string(old)), args[2])
		tx.Set([]byte("t"+args[1]), []byte(strings.Join(list, " ")))
		return strconv.AppendInt(nil, int64(len(list)), 10)
	case len(args) == 3 && args[0] == "wake":
		at, _ := strconv.ParseUint(args[2], 10, 63)
		tx.Set(binary.BigEndian.AppendUint64(bytes.Clone(wakeStart), at), []byte(args[1]))
		tx.WakeAt(flotilla.Millis(at))
		return []byte("ok")
	case len(args) == 1 && args[0] == "count":
		return strconv.AppendUint(nil, tx.Version(), 10)
	}
	return []byte("unknown")
}

func (words) End(*flotilla.Tx) {}

func (words) Read(view *flotilla.View, command []byte) []byte {
	value, _ := view.Get(command)
	return bytes.Clone(value)
}

func (words) Deadline(r flotilla.Reader) flotilla.Millis {
	for k := range r.Scan(wakeStart, wakeEnd) {
		return flotilla.Millis(binary.BigEndian.Uint64(k[2:]))
	}
	return flotilla.Never
}

// content renders the machine's part of a state.
func content(r flotilla.Reader) string {
	var out strings.Builder
	for k, v := range r.Scan([]byte{'t'}, []byte{'u'}) {
		if bytes.HasPrefix(k, wakeStart) {
			fmt.Fprintf(&out, "(wake %s at %d)\n", v, binary.BigEndian.Uint64(k[2:]))
			continue
		}
		fmt.Fprintf(&out, "%s = %s\n", k[1:], v)
	}
	return out.String()
}

// replies renders an outcome's replies.
func replies(o consensus.Outcome) string {
	var all []string
	if err := consensus.DecodeReplies(o.Replies, func(reply []byte) { all = append(all, string(reply)) }); err != nil {
		return err.Error()
	}
	return strings.Join(all, " ")
}

// take removes the packets that match from the wire and returns them.
func (l *lab) take(matches func(packet) bool) []packet {
	var taken []packet
	l.wire = slices.DeleteFunc(l.wire, func(p packet) bool {
		if matches(p) {
			taken = append(taken, p)
			return true
		}
		return false
	})
	return taken
}

package cluster

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"hash"
	"hash/fnv"
	"io"
	"log/slog"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/cryptotest"

	"flotilla"
	"flotilla/consensus"
	"flotilla/storage"
)

// lab is three nodes on one goroutine: their clocks, network and disks are values
// here, and the same seed gives the same life, message by message. What it does
// around a Node is what Server does, less the goroutines.
type lab struct {
	t     *testing.T
	rand  *rand.Rand
	trace hash.Hash64
	now   flotilla.Millis
	nodes []*labNode
	air   []labFrame // on their way
	sent  uint64     // frames, ever
	lives uint64
	cut   map[[2]flotilla.NodeID]bool // from, to
	// Of a hundred frames so many are lost or come twice; all are late by up to so much.
	dropped, doubled int
	delay            int
	asked            []*labCall // not answered yet, in order
}

type labNode struct {
	id     flotilla.NodeID
	disk   *storage.Memory
	node   *Node           // nil while it is down
	wall   flotilla.Millis // how far its clock is off
	born   flotilla.Millis // when its monotonic clock was 0
	down   int             // steps until it comes back
	isLost bool            // it comes back with an empty disk
	crash  func() bool     // asked at the disk's boundaries
}

type labFrame struct {
	from, to flotilla.NodeID
	at       flotilla.Millis
	number   uint64
	bytes    []byte
	snapshot *snapshotJob // instead of bytes
	content  []byte
}

// labCall is a call of a client, or of another node that reads here.
type labCall struct {
	*pending
	node  *labNode
	life  *Node
	begin flotilla.Millis
	ended func(*labCall)
}

const (
	labStep    flotilla.Millis = 2
	labTick    flotilla.Millis = 20
	systemLab  flotilla.System = 'L'
	labGroups                  = 2
	labStarted flotilla.Millis = 1_700_000_000_000
)

func newLab(t *testing.T, seed uint64) *lab {
	cryptotest.SetGlobalRandom(t, seed)
	l := &lab{t: t, rand: rand.New(rand.NewPCG(seed, 7)), trace: fnv.New64a(), cut: map[[2]flotilla.NodeID]bool{}, delay: 3}
	for i := range 3 {
		n := &labNode{id: flotilla.NodeID(i + 1), wall: flotilla.Millis(l.rand.IntN(400))}
		n.disk = storage.NewMemory(n.diskOptions())
		l.nodes = append(l.nodes, n)
		l.start(n, true)
	}
	return l
}

func (n *labNode) diskOptions() storage.MemoryOptions {
	return storage.MemoryOptions{FlushCommits: 100, Crash: func(storage.Boundary) bool { return n.crash != nil && n.crash() }}
}

func (l *lab) start(n *labNode, isBootstrap bool) {
	var members []flotilla.NodeInfo
	for i := range 3 {
		members = append(members, flotilla.NodeInfo{ID: flotilla.NodeID(i + 1)})
	}
	l.lives++
	n.born = l.now - flotilla.Millis(l.rand.IntN(1000))
	node, err := newNode(withDefaults(Config{Cluster: "lab", Self: n.id, Members: members, Groups: labGroups,
		Machines: map[flotilla.System]flotilla.Machine{systemLab: lists{}}, Disk: n.disk, Transport: labLine{l, n.id},
		Log: slog.New(slog.DiscardHandler), IsBootstrap: isBootstrap, Incarnation: l.lives, TickMillis: labTick}))
	if err != nil {
		if !errors.Is(err, storage.ErrCrashed) {
			l.t.Fatal(err)
		}
		n.node, n.down = nil, 10
		return
	}
	n.node = node
}

// labLine is a node's Transport.
type labLine struct {
	lab  *lab
	from flotilla.NodeID
}

func (labLine) SetPeers(map[flotilla.NodeID]string) {}

func (labLine) SendSnapshot(context.Context, flotilla.NodeID, []byte, func(io.Writer) error) error {
	panic("the lab takes snapshots from the node itself")
}

func (t labLine) Send(to flotilla.NodeID, frame []byte) {
	l := t.lab
	var head [24]byte
	binary.LittleEndian.PutUint64(head[:], uint64(l.now))
	binary.LittleEndian.PutUint64(head[8:], uint64(t.from))
	binary.LittleEndian.PutUint64(head[16:], uint64(to))
	l.trace.Write(head[:])
	l.trace.Write(frame)
	if l.cut[[2]flotilla.NodeID{t.from, to}] || l.chance(l.dropped) {
		return
	}
	l.launch(labFrame{from: t.from, to: to, bytes: bytes.Clone(frame)})
	if l.chance(l.doubled) {
		l.launch(labFrame{from: t.from, to: to, bytes: bytes.Clone(frame)})
	}
}

func (l *lab) launch(f labFrame) {
	l.sent++
	f.number, f.at = l.sent, l.now+1+flotilla.Millis(l.rand.IntN(l.delay))
	l.air = append(l.air, f)
}

func (l *lab) chance(percent int) bool { return l.rand.IntN(100) < percent }

// step lets a little time pass.
func (l *lab) step() {
	l.now += labStep
	slices.SortFunc(l.air, func(a, b labFrame) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.number, b.number)) })
	due := 0
	for due < len(l.air) && l.air[due].at <= l.now {
		due++
	}
	arrived := slices.Clone(l.air[:due])
	l.air = slices.Delete(l.air, 0, due)
	for _, f := range arrived {
		l.arrive(f)
	}
	for _, n := range l.nodes {
		l.drive(n)
	}
	l.collect()
}

func (l *lab) arrive(f labFrame) {
	n := l.nodes[f.to-1]
	if n.node == nil {
		return
	}
	if f.snapshot == nil {
		decoded, err := decodeFrame(f.from, f.bytes)
		if err != nil {
			l.t.Fatalf("a frame that was sent can not be read: %v", err)
		}
		n.node.receive(decoded)
		return
	}
	staged, err := n.disk.Stage(consensus.Replica{Group: f.snapshot.group, ID: f.snapshot.replica}, bytes.NewReader(f.content))
	if err != nil {
		l.t.Fatal(err)
	}
	n.node.receive(&frame{from: f.from, snapshot: &snapshotItem{staged: staged, message: f.snapshot.message}})
}

func (l *lab) clock(n *labNode) Clock {
	return Clock{Wall: labStarted + l.now + n.wall, Mono: l.now - n.born}
}

// drive gives a node its tick and its turn, and does for it what the shell does.
func (l *lab) drive(n *labNode) {
	if n.node == nil {
		if n.down--; n.down < 0 {
			if n.isLost {
				n.isLost, n.disk = false, storage.NewMemory(n.diskOptions())
			} else {
				n.disk = n.disk.Restart(n.diskOptions(), l.rand.IntN(n.disk.Pending()+1))
			}
			l.start(n, false)
		}
		return
	}
	if l.now%labTick == flotilla.Millis(n.id)*2 {
		n.node.Tick()
	}
	if err := n.node.Turn(l.clock(n)); err != nil {
		if !errors.Is(err, storage.ErrCrashed) {
			l.t.Fatal(err)
		}
		l.stop(n, 50+l.rand.IntN(500))
		return
	}
	for _, job := range n.node.snapshots {
		l.stream(n, job)
	}
	n.node.snapshots = nil
	for _, r := range n.node.requests {
		l.serve(n, r)
	}
	n.node.requests = nil
}

// stop takes a node's power away, for so many steps.
func (l *lab) stop(n *labNode, steps int) { n.node, n.down = nil, steps }

func (l *lab) stream(n *labNode, job snapshotJob) {
	var content bytes.Buffer
	err := consensus.WriteSnapshot(&content, job.view)
	job.view.Close()
	ok := err == nil && !l.cut[[2]flotilla.NodeID{n.id, job.to}] && l.nodes[job.to-1].node != nil
	if ok {
		job.view = nil
		l.launch(labFrame{from: n.id, to: job.to, snapshot: &job, content: content.Bytes()})
	}
	n.node.snapshotDone(job.group, job.replica, ok)
}

// serve carries out a read for another node.
func (l *lab) serve(n *labNode, r readRequest) {
	call := &flotilla.Call{Group: r.item.group, IsRead: true, Level: r.item.level, After: r.item.after, MaxAge: r.item.maxAge,
		Commands: r.item.commands}
	l.ask(n, call, func(c *labCall) {
		if n.node != c.life {
			return
		}
		if p := n.node.peers[r.from]; p != nil {
			p.frame = appendAnswerItem(p.frame, &answerItem{id: r.item.id, reason: string(flotilla.ReasonOf(call.Err)),
				index: call.Index, replies: call.Replies})
		}
	})
}

// ask hands a call to a node. ended is called once there is an answer, or the
// node is no more: Err is then nil or not, as for a client whose connection broke.
func (l *lab) ask(n *labNode, call *flotilla.Call, ended func(*labCall)) *labCall {
	size := 0
	for _, command := range call.Commands {
		size += len(command) + 4
	}
	c := &labCall{node: n, life: n.node, begin: l.now, ended: ended, pending: &pending{call: call, bytes: size,
		deadline: l.clock(n).Mono + requestMillis, done: make(chan struct{}, 1)}}
	if call.IsRead && l.readNow(n, call) {
		ended(c)
		return c
	}
	n.node.submit(c.pending)
	l.asked = append(l.asked, c)
	return c
}

// readNow is Server.readNow.
func (l *lab) readNow(n *labNode, call *flotilla.Call) bool {
	h := n.node.hosted[call.Group]
	if h == nil || h.state.Mark().Index == 0 {
		return false
	}
	applied := h.state.Mark().Index
	switch call.Level {
	case flotilla.Linearizable:
		return false
	case flotilla.Session:
		if applied < call.After {
			return false
		}
	case flotilla.Bounded:
		if !h.fresh.isWithin(call.MaxAge, l.clock(n).Mono, applied) {
			return false
		}
	}
	l.look(n, call)
	return true
}

func (l *lab) look(n *labNode, call *flotilla.Call) {
	view := n.node.hosted[call.Group].state.View(false)
	defer view.Close()
	call.Replies, call.Index = call.Replies[:0], view.Mark().Index
	for _, command := range call.Commands {
		call.Replies = append(call.Replies, lists{}.Read(&flotilla.View{Reader: view}, command))
	}
}

// collect ends the calls that were answered, and those whose node has died.
func (l *lab) collect() {
	asked := l.asked
	l.asked = nil
	var open []*labCall
	for _, c := range asked {
		select {
		case <-c.done:
			switch {
			case c.call.IsRead && c.node.node != c.life:
				c.call.Err = flotilla.Refused(flotilla.Stopping, "the connection broke")
			case c.call.IsRead && c.call.Err == nil && !c.isAnswered:
				l.look(c.node, c.call)
			}
			c.ended(c)
		default:
			if c.node.node == c.life {
				open = append(open, c)
				continue
			}
			c.call.Err = flotilla.Unknown(flotilla.Stopping, "the connection broke")
			c.ended(c)
		}
	}
	l.asked = append(open, l.asked...)
}

// lists is a machine with lists of numbers: 'L' key, number u32 appends, and
// answers the new length; reading returns the list.
type lists struct{}

func (lists) Begin(*flotilla.Tx)                       {}
func (lists) End(*flotilla.Tx)                         {}
func (lists) Deadline(flotilla.Reader) flotilla.Millis { return flotilla.Never }

func (lists) Apply(tx *flotilla.Tx, command []byte) []byte {
	old, _ := tx.Get(command[:2])
	tx.Set(command[:2], append(bytes.Clone(old), command[2:]...))
	return binary.BigEndian.AppendUint32(nil, uint32(len(old)/4+1))
}

func (lists) Read(view *flotilla.View, command []byte) []byte {
	value, _ := view.Get(command[:2])
	return bytes.Clone(value)
}

func numbers(list []byte) (all []uint32) {
	for ; len(list) >= 4; list = list[4:] {
		all = append(all, binary.BigEndian.Uint32(list))
	}
	return all
}

// run lets time pass until something is true.
func (l *lab) run(limit flotilla.Millis, what string, isTrue func() bool) {
	l.t.Helper()
	for end := l.now + limit; !isTrue(); l.step() {
		if l.now > end {
			l.t.Fatalf("after %d ms still not: %s", limit, what)
		}
	}
}

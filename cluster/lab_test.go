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
	"flotilla/storage"
	"flotilla/store"
)

// lab is some nodes on one goroutine: their clocks, network and disks are values
// here, and the same seed gives the same life, message by message. It drives Cores,
// and looks into their Nodes. Package sim does the hunting; this is for tests that
// need a certain moment.
type lab struct {
	t      *testing.T
	groups int
	rand   *rand.Rand
	trace  hash.Hash64
	now    flotilla.Millis
	nodes  []*labNode
	air    []labFrame // on their way
	sent   uint64     // frames, ever
	lives  uint64
	cut    map[[2]flotilla.NodeID]bool // from, to
	// Of a hundred frames so many are lost or come twice; all are late by up to so much.
	dropped, doubled int
	delay            int
	lag              map[flotilla.NodeID]flotilla.Millis // how much later each frame to or from a node comes
	asksFirst        bool                                // of nodes that are started from now on
	asked            []*labCall                          // not answered yet, in order
}

type labNode struct {
	id     flotilla.NodeID
	disk   *storage.Memory
	core   *Core
	node   *Node // core's, nil while it is down
	in     Input
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
	header   []byte // of a snapshot, whose content is bytes
}

// labCall is a call of a client, or of another node that reads here.
type labCall struct {
	*Pending
	call  *flotilla.Call
	node  *labNode
	life  *Node
	begin flotilla.Millis
	ended func(*labCall)
}

const (
	labStep    flotilla.Millis = 2
	labTick    flotilla.Millis = 20
	systemLab  flotilla.System = 'L'
	labGroups                  = 3
	labStarted flotilla.Millis = 1_700_000_000_000
)

func newLab(t *testing.T, seed uint64) *lab { return newLabOf(t, seed, 3, labGroups) }

func newLabOf(t *testing.T, seed uint64, nodes, groups int) *lab {
	cryptotest.SetGlobalRandom(t, seed)
	l := &lab{t: t, groups: groups, rand: rand.New(rand.NewPCG(seed, 7)), trace: fnv.New64a(), cut: map[[2]flotilla.NodeID]bool{}, delay: 3,
		lag: map[flotilla.NodeID]flotilla.Millis{}}
	for i := range nodes {
		n := &labNode{id: flotilla.NodeID(i + 1), wall: flotilla.Millis(l.rand.IntN(400))}
		n.disk = storage.NewMemory(n.diskOptions())
		l.nodes = append(l.nodes, n)
	}
	for _, n := range l.nodes {
		l.start(n, true)
	}
	return l
}

func (n *labNode) diskOptions() storage.MemoryOptions {
	return storage.MemoryOptions{FlushCommits: 100, Crash: func(storage.Boundary) bool { return n.crash != nil && n.crash() }}
}

func (l *lab) start(n *labNode, isBootstrap bool) {
	var members []flotilla.NodeInfo
	for _, other := range l.nodes {
		members = append(members, flotilla.NodeInfo{ID: other.id})
	}
	l.lives++
	n.born = l.now - flotilla.Millis(l.rand.IntN(1000))
	clocks := Clocks{Wall: func() flotilla.Millis { return labStarted + l.now + n.wall }, Mono: func() flotilla.Millis { return l.now - n.born }}
	core, err := NewCore(Config{Cluster: "lab", Self: n.id, Members: members, Groups: l.groups,
		Machines: map[flotilla.System]flotilla.Machine{systemLab: lists{}, flotilla.SystemStore: store.Machine{}}, Disk: n.disk, Transport: labLine{l, n.id},
		Log: slog.New(slog.DiscardHandler), IsBootstrap: isBootstrap, AsksFirst: l.asksFirst, Incarnation: l.lives, TickMillis: labTick}, clocks)
	if err != nil {
		if !errors.Is(err, storage.ErrCrashed) {
			l.t.Fatal(err)
		}
		n.node, n.down = nil, 10
		return
	}
	n.core, n.node, n.in = core, core.node, Input{}
}

// labLine is a node's Transport.
type labLine struct {
	lab  *lab
	from flotilla.NodeID
}

func (labLine) SetPeers(map[flotilla.NodeID]string) {}

func (t labLine) SendSnapshot(_ context.Context, to flotilla.NodeID, header []byte, body func(io.Writer) error) error {
	var content bytes.Buffer
	if err := body(&content); err != nil {
		return err
	}
	if t.lab.cut[[2]flotilla.NodeID{t.from, to}] || t.lab.nodes[to-1].node == nil {
		return errors.New("it can not be reached")
	}
	t.lab.launch(labFrame{from: t.from, to: to, header: header, bytes: content.Bytes()})
	return nil
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
	f.number, f.at = l.sent, l.now+1+flotilla.Millis(l.rand.IntN(l.delay))+l.lag[f.from]+l.lag[f.to]
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
	var decoded *Frame
	var err error
	if f.header == nil {
		decoded, err = n.core.Decode(f.from, f.bytes)
	} else {
		decoded, err = n.core.Stage(f.from, f.header, bytes.NewReader(f.bytes))
	}
	if err != nil {
		l.t.Fatalf("what was sent can not be read: %v", err)
	}
	n.in.Frames = append(n.in.Frames, decoded)
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
		n.core.Tick()
	}
	work, err := n.core.Turn(&n.in)
	n.in = Input{}
	if err != nil {
		if !errors.Is(err, storage.ErrCrashed) {
			l.t.Fatal(err)
		}
		l.stop(n, 50+l.rand.IntN(500))
		return
	}
	for _, job := range work.Snapshots {
		n.core.SnapshotDone(&job, job.Send(l.t.Context(), labLine{l, n.id}) == nil)
	}
	for _, r := range work.Reads {
		l.serve(n, r)
	}
}

// stop takes a node's power away, for so many steps.
func (l *lab) stop(n *labNode, steps int) { n.node, n.down = nil, steps }

// serve carries out a read for another node.
func (l *lab) serve(n *labNode, r RemoteRead) {
	call := n.core.RemoteCall(&r)
	if call.Err != nil {
		n.core.Answer(&r, call)
		return
	}
	l.ask(n, call, func(c *labCall) {
		if n.node == c.life {
			n.core.Answer(&r, call)
		}
	})
}

// ask hands a call to a node. ended is called once there is an answer, or the
// node is no more: Err is then nil or not, as for a client whose connection broke.
func (l *lab) ask(n *labNode, call *flotilla.Call, ended func(*labCall)) *labCall {
	c := &labCall{call: call, node: n, life: n.node, begin: l.now, ended: ended}
	if c.Pending = n.core.Begin(call); c.Pending == nil {
		ended(c)
		return c
	}
	n.in.Calls = append(n.in.Calls, c.Pending)
	l.asked = append(l.asked, c)
	return c
}

// collect ends the calls that were answered, and those whose node has died.
func (l *lab) collect() {
	asked := l.asked
	l.asked = nil
	var open []*labCall
	for _, c := range asked {
		if c.node.node != c.life {
			c.call.Err = flotilla.Unknown(flotilla.Stopping, "the connection broke")
			c.ended(c)
			continue
		}
		select {
		case <-c.Done():
			c.node.core.Finish(c.Pending)
			c.ended(c)
		default:
			open = append(open, c)
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

// run lets time pass until something is true.
func (l *lab) run(limit flotilla.Millis, what string, isTrue func() bool) {
	l.t.Helper()
	for end := l.now + limit; !isTrue(); l.step() {
		if l.now > end {
			l.t.Fatalf("after %d ms still not: %s", limit, what)
		}
	}
}

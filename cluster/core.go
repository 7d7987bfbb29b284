package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"

	"flotilla"
	"flotilla/consensus"

	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"
)

// Limits of what one node has in hand. What comes beyond them is refused as busy.
const (
	// MaxWaitingCommands and MaxWaitingBytes bound what waits for an answer on one node.
	MaxWaitingCommands = 65_536
	MaxWaitingBytes    = 256 << 20
	// requestMillis is how long a call may take before its outcome is given up.
	requestMillis flotilla.Millis = 5000
)

// Core is a Node with all that has to be done around it: calls are taken and
// answered, frames and snapshots decoded, reads looked up in a view, other nodes'
// reads carried out. It starts nothing and waits for nothing. Whoever drives it
// brings clocks, transport and goroutines: Server in real time, package sim in
// virtual time.
//
// Begin, Finish, Decode, Stage, RemoteCall and Topology may be called from any
// goroutine. All else belongs to the driver's one loop.
type Core struct {
	cfg       Config
	clocks    Clocks
	node      *Node
	published atomic.Pointer[published]
	topics    topics

	waitingCommands atomic.Int64
	waitingBytes    atomic.Int64
	busy            atomic.Uint64
	broken          atomic.Pointer[error] // a view could not be read: the next turn fails
}

// Clocks are where a Core looks up the time; see Clock for what each must be.
type Clocks struct {
	Wall func() flotilla.Millis
	Mono func() flotilla.Millis
}

// Input is what has arrived for a Core since its last turn.
type Input struct {
	Calls   []*Pending // from Begin
	Cancels []*Pending // whose callers have gone
	Frames  []*Frame   // from Decode and Stage
}

// Work is what a turn leaves to its driver. The slices are valid until the next turn.
type Work struct {
	Snapshots []SnapshotJob // to be sent, beside the loop
	Reads     []RemoteRead  // to be carried out, beside the loop
}

// NewCore opens all groups that are on the disk, or makes the first ones.
func NewCore(cfg Config, clocks Clocks) (*Core, error) {
	c := &Core{cfg: withDefaults(cfg), clocks: clocks}
	node, err := newNode(c.cfg)
	if err != nil {
		return nil, err
	}
	c.node = node
	node.emit, node.listens, node.hear = c.topics.emit, c.topics.listens, c.topics.hear
	c.published.Store(node.publish())
	return c, nil
}

func withDefaults(cfg Config) Config {
	if cfg.TickMillis == 0 {
		cfg.TickMillis = DefaultTickMillis
	}
	if cfg.ElectionTicks == 0 {
		cfg.ElectionTicks = DefaultElectionTicks
	}
	if cfg.HeartbeatTicks == 0 {
		cfg.HeartbeatTicks = 2
	}
	if cfg.GatherFrom == 0 {
		cfg.GatherFrom = gatherFrom
	}
	if cfg.Groups == 0 {
		cfg.Groups = DefaultGroups(len(cfg.Members))
	}
	if cfg.Replicas == 0 {
		cfg.Replicas = DefaultReplicas
	}
	if cfg.KeptEntries == 0 {
		cfg.KeptEntries = keptEntries
	}
	cfg.Replicas = min(cfg.Replicas, len(cfg.Members))
	return cfg
}

func (c *Core) clock() Clock { return Clock{Wall: c.clocks.Wall(), Mono: c.clocks.Mono()} }

// Tick tells that Config.TickMillis have passed.
func (c *Core) Tick() {
	c.node.setClock(c.clock())
	c.node.Tick()
}

// Turn hands the node what has arrived, and does all that can be done now. An
// error is final, as Node.Turn's is.
func (c *Core) Turn(in *Input) (Work, error) {
	n := c.node
	n.setClock(c.clock())
	clear(n.snapshots) // the turn before handed them over
	clear(n.requests)
	n.snapshots, n.requests = n.snapshots[:0], n.requests[:0]
	if err := c.broken.Load(); err != nil {
		return Work{}, *err
	}
	for _, f := range in.Frames {
		n.receive(f)
	}
	for _, p := range in.Calls {
		n.submit(p)
	}
	for _, p := range in.Cancels {
		n.cancel(p)
	}
	if err := n.Turn(c.clock()); err != nil {
		for i := range n.snapshots {
			n.snapshots[i].Drop()
		}
		return Work{}, err
	}
	if n.isChanged {
		c.published.Store(n.publish())
	}
	return Work{Snapshots: n.snapshots, Reads: n.requests}, nil
}

// NextWake returns when, on the monotonic clock, a turn is due without new input,
// or flotilla.Never.
func (c *Core) NextWake() flotilla.Millis { return c.node.NextWake() }

// Stop answers all calls, and drops what in still holds. The core is of no more use.
func (c *Core) Stop(in *Input) {
	for _, f := range in.Frames {
		f.Drop()
	}
	for _, p := range in.Calls {
		c.node.fail(p, flotilla.Refused(flotilla.Stopping, ""))
	}
	c.node.stop()
}

// Status tells how the node is; PID and StartedAt are left to the driver.
func (c *Core) Status() Status {
	st := c.node.status()
	st.Inbox, st.Busy = int(c.waitingCommands.Load()), c.busy.Load()
	return st
}

// Topology returns the newest known picture of the cluster.
func (c *Core) Topology() *flotilla.Topology { return c.published.Load().topology }

// Decode reads a frame. With an error, what came before the damage is still good.
func (c *Core) Decode(from flotilla.NodeID, bytes []byte) (*Frame, error) {
	return decodeFrame(from, bytes)
}

// Stage reads a snapshot that SnapshotJob.Send sent, and stores it aside.
func (c *Core) Stage(from flotilla.NodeID, header []byte, body io.Reader) (*Frame, error) {
	in := frameBytes{rest: header}
	group, stamp := in.group(), in.uvarint()
	message := &raftpb.Message{}
	if in.err != nil || proto.Unmarshal(in.rest, message) != nil {
		return nil, errors.New("the header of the snapshot can not be read")
	}
	staged, err := c.cfg.Disk.Stage(consensus.Replica{Group: group, ID: flotilla.ReplicaID(message.GetTo())}, body)
	if err != nil {
		return nil, fmt.Errorf("store the snapshot of %v: %w", group, err)
	}
	return &Frame{from: from, stamp: stamp, snapshot: &snapshotItem{staged: staged, message: message}}, nil
}

// Drop lets go of a frame that no turn will see.
func (f *Frame) Drop() {
	if f.snapshot != nil {
		f.snapshot.staged.Drop()
	}
}

// SnapshotJob is a snapshot that shall be streamed to another node. It holds a
// view, which Send or Drop closes.
type SnapshotJob struct {
	to      flotilla.NodeID
	group   flotilla.GroupID
	replica flotilla.ReplicaID
	message *raftpb.Message
	view    consensus.View
	stamp   uint64 // of the journal, when it was ordered
}

// Send streams the snapshot.
//
// Its header is the group and the Raft message that it belongs to: group and the
// journal's stamp uvarint, then the message as Protocol Buffers have it.
func (j *SnapshotJob) Send(ctx context.Context, over Transport) error {
	defer j.view.Close()
	message, err := proto.Marshal(j.message)
	if err != nil {
		return err
	}
	header := append(appendUvarints(nil, uint64(j.group), j.stamp), message...)
	return over.SendSnapshot(ctx, j.to, header, func(w io.Writer) error {
		return errors.Join(consensus.WriteSnapshot(w, j.view), j.view.Err())
	})
}

// Drop closes the job's view unsent.
func (j *SnapshotJob) Drop() { j.view.Close() }

// SnapshotDone takes the driver's word on how sending a snapshot went.
func (c *Core) SnapshotDone(j *SnapshotJob, ok bool) { c.node.snapshotDone(j.group, j.replica, ok) }

// RemoteRead is another node's read that shall be carried out here.
type RemoteRead struct {
	from flotilla.NodeID
	item readItem
}

// maxRemoteReplyBytes bounds each reply to a read that is carried out for another node: it
// travels in one frame.
const maxRemoteReplyBytes = 32 << 20

// RemoteCall returns the call that carries out another node's read. If its Err is
// set, that is the answer already.
func (c *Core) RemoteCall(r *RemoteRead) *flotilla.Call {
	call := &flotilla.Call{Group: r.item.group, IsRead: true, IsLong: true, Level: r.item.level, After: r.item.after,
		MaxAge: r.item.maxAge, Commands: r.item.commands}
	left := maxRemoteReplyBytes
	call.Charge = func(bytes int) bool {
		left -= bytes
		return left >= 0
	}
	if _, ok := c.published.Load().hosted[r.item.group]; !ok {
		call.Err = flotilla.Refused(flotilla.NotHere, "")
	}
	return call
}

// Answer tells another node what its read was answered, with the next turn.
func (c *Core) Answer(r *RemoteRead, call *flotilla.Call) {
	if p := c.node.peers[r.from]; p != nil {
		a := answerItem{id: r.item.id, reason: string(flotilla.ReasonOf(call.Err)), index: call.Index, replies: call.Replies}
		p.frame = appendAnswerItem(p.frame, &a)
	}
}

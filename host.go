package flotilla

import "context"

// Level says how fresh a read must be.
type Level uint8

// The levels, from the strongest. A write has no level: it is linearizable.
const (
	// Linearizable sees every write that was acknowledged before the read began.
	Linearizable Level = iota
	// Session sees the session's own writes, and never goes backwards (Call.After).
	Session
	// Bounded sees a state that was current at most Call.MaxAge ago.
	Bounded
	// Eventual sees what this node has, now; it needs no other node.
	Eventual
)

// Call is a run of commands for one group that travel together: all writes, or
// all reads. They are carried out in order. A Call may be used again after Do
// returned; its slices then keep their capacity.
type Call struct {
	Group    GroupID
	IsRead   bool
	IsLong   bool   // reads only: may visit very many keys, so that writes should not wait for it
	Level    Level  // reads only
	After    uint64 // with Session: the index that the view must have reached
	MaxAge   Millis // with Bounded
	Commands [][]byte
	// Charge, if set, is asked before a read's replies take so many bytes more. If it says
	// no, the reply is an error. It may be called from any goroutine, one at a time.
	Charge func(bytes int) bool

	// Trace, if not 0, has the nodes write down what becomes of a write, under this number.
	Trace uint64

	// Replies has one reply for each command if Err is nil. They belong to the
	// caller until the Call is used again.
	Replies [][]byte
	// Index is the log position of the write, or that the read saw.
	Index uint64
	// Err is nil, or a *Failure.
	Err error

	// Private is for the host.
	Private any
}

// Host is the node, as a system's client sees it. All methods may be called
// from any goroutine.
type Host interface {
	// Do carries out the calls side by side and returns when each has its
	// replies or its Err. When ctx ends, what is still open fails: a read or a
	// write that was not yet sent as refused, all else as unknown.
	Do(ctx context.Context, calls ...*Call)
	// Replicated waits until the entry at an index of a group is on the disks of want
	// replicas besides the leader's, or until ctx ends, and returns on how many it is
	// as far as is known. The entry must be one that was acknowledged. It asks the
	// group's leader at least once.
	Replicated(ctx context.Context, group GroupID, index uint64, want int) int
	// Topology returns the newest known picture of the cluster; never nil, and
	// never changed after it was returned.
	Topology() *Topology
	// Self returns this node.
	Self() NodeID
	// Subscribe has deliver called for each event of a system that this node's
	// replicas apply, until cancel is called. deliver runs in the node's loop:
	// it must be quick, not block, and copy what it keeps.
	Subscribe(system System, deliver func(Event)) (cancel func())
	// Broadcast sends a message to the same system's Listen on every other
	// node, at most once, in order, with no promise that it arrives.
	Broadcast(system System, message []byte)
	// Listen has deliver called for each message that another node broadcast,
	// with the rules of Subscribe.
	Listen(system System, deliver func(from NodeID, message []byte)) (cancel func())
}

// Topology is a picture of the cluster at one moment.
type Topology struct {
	Version uint64
	Nodes   []NodeInfo  // in order of ID
	Groups  []GroupInfo // in order of ID, the directory first
	SlotMap *[Slots]GroupID
}

// NodeInfo is what everyone may know of a node.
type NodeInfo struct {
	ID         NodeID
	Host       string // where clients reach it
	StorePort  int
	HTTPPort   int
	QueuePort  int    // 0 where the queue is not served
	PeerAddr   string // host:port, node to node
	Alive      bool   // heard of lately, as this node sees it
	IsDraining bool
}

// GroupInfo is what a node knows of a group.
type GroupInfo struct {
	ID     GroupID
	Leader NodeID // 0 when unknown
	Term   uint64
	Nodes  []NodeID // that hold a replica
}

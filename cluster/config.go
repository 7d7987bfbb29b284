package cluster

import (
	"log/slog"

	"flotilla"
	"flotilla/consensus"
)

// Config is what a Server or a Core needs to be told. Everything else is in the directory.
type Config struct {
	Cluster string          // the cluster's id: nodes with another one are not talked to
	Self    flotilla.NodeID // this node
	// Members are the nodes that the cluster is made of when it starts for the
	// first time, this one among them, the same on each. Later the directory rules.
	Members  []flotilla.NodeInfo
	Groups   int // groups that own slots, besides the directory; used at the first start
	Replicas int // copies of each group; used at the first start

	Machines  map[flotilla.System]flotilla.Machine
	Disk      consensus.Disk
	Transport Transport
	Log       *slog.Logger
	Version   string

	// IsBootstrap says that the cluster starts for the first time: a node whose
	// disk is empty then makes the first copies of its groups. Without it, a node
	// with an empty disk has lost its data, and asks for new copies.
	IsBootstrap bool
	// AsksFirst says that IsBootstrap may be wrong: a node whose disk is empty makes its first
	// copies only once a majority of Members, itself among them, has said that it knows of no cluster
	// (first.go). If one knows of it, the disk was lost.
	AsksFirst bool
	// Lost are the copies that were found damaged and set aside; ForgetLost is
	// called when a new copy took a lost one's place. Both may be empty.
	Lost       []consensus.Replica
	ForgetLost func(flotilla.GroupID)
	// Journal is where the node writes down what happens on it; it may be nil.
	Journal *Journal
	// Incarnation differs between any two starts of a node.
	Incarnation uint64

	// KeptEntries is how many entries of a log are kept though nobody here needs them,
	// so that a replica which was away finds them; zero means 10 000. For one that is
	// known to be behind, twenty times as many are.
	KeptEntries uint64

	// GatherFrom is from how many commands of an entry, and behind it, on a leader waits for a
	// moment for more before it makes the next (gather.go); zero means 16.
	GatherFrom int

	TickMillis     flotilla.Millis // zero means DefaultTickMillis
	ElectionTicks  int             // zero means DefaultElectionTicks: an election starts after 600 to 1200 ms of silence
	HeartbeatTicks int             // zero means 2
}

// DefaultTickMillis is how fast time passes for a node unless told otherwise.
const DefaultTickMillis flotilla.Millis = 50

// DefaultElectionTicks is after how many ticks of silence a node takes another one for dead unless
// told otherwise.
const DefaultElectionTicks = 12

// DefaultReplicas is how many copies a group has unless told otherwise.
const DefaultReplicas = 3

// DefaultGroups is how many groups share the slots unless told otherwise: one as
// long as every node holds a copy of it, since fewer groups make larger entries
// (docs/performance.md); with more nodes one for each, so that all have work.
func DefaultGroups(nodes int) int {
	if nodes <= DefaultReplicas {
		return 1
	}
	return nodes
}

package flotilla

import "strconv"

// NodeID names a process with a disk. Nodes are numbered from 1; 0 is no node.
type NodeID uint64

// String returns the name people use: n1, n2, n3.
func (n NodeID) String() string { return "n" + strconv.FormatUint(uint64(n), 10) }

// GroupID names one Raft group. Group 0 is the directory.
type GroupID uint32

// Directory is the group that holds nodes, groups, slots and settings.
const Directory GroupID = 0

// String returns g0, g1, g2.
func (g GroupID) String() string { return "g" + strconv.FormatUint(uint64(g), 10) }

// ReplicaID names one group's copy on a node. It is never used again after its
// data was lost; the first copies of a group carry their node's number.
type ReplicaID uint64

// Millis is a point in time, in milliseconds since the Unix epoch, or a
// distance between two.
type Millis int64

// Never is a deadline that does not come.
const Never Millis = 1<<63 - 1

// System names the machine that a command and a part of the state belong to.
// It is the first byte of each command and of each key.
type System byte

// The systems. SystemNone marks what belongs to consensus itself.
const (
	SystemNone      System = 0
	SystemDirectory System = 'd'
	SystemStore     System = 's'
	SystemQueue     System = 'q'
)

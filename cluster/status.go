package cluster

import "flotilla"

// Status is what a node knows of itself and, less surely, of the others. It is
// what /api/status answers, as JSON.
type Status struct {
	Cluster   string          `json:"cluster"`
	Node      flotilla.NodeID `json:"node"`
	Name      string          `json:"name"` // n1
	PID       int             `json:"pid"`
	Version   string          `json:"version"`
	StartedAt flotilla.Millis `json:"started_at_ms"`
	// IsReady is whether every group that this node holds has a leader that it
	// can reach and is applied up to a moment ago.
	IsReady     bool          `json:"ready"`
	IsDraining  bool          `json:"draining"`
	IsUndecided bool          `json:"undecided,omitempty"` // its disk is empty, and it waits to hear whether the cluster exists
	Quarantined bool          `json:"quarantined"`         // data was found damaged and set aside since the last clean start
	Nodes       []NodeStatus  `json:"nodes"`
	Groups      []GroupStatus `json:"groups"` // all that the directory names, held here or not
	Inbox       int           `json:"inbox_commands"`
	Disk        DiskStatus    `json:"disk"`
	Turns       uint64        `json:"turns_total"`
	Entries     uint64        `json:"entries_total"`  // proposed here
	Commands    uint64        `json:"commands_total"` // in those entries
	Reads       uint64        `json:"reads_total"`
	ReadRounds  uint64        `json:"read_rounds_total"`
	Busy        uint64        `json:"busy_total"`           // refused because too much was waiting
	Relayed     uint64        `json:"relayed_frames_total"` // between two others, passed on here
	Elections   uint64        `json:"elections_total"`
	Snapshots   uint64        `json:"snapshots_sent_total"`
	Deduped     uint64        `json:"deduplicated_total"`

	// For metrics only:
	TurnEntries  flotilla.Histogram `json:"-"` // entries of a write of a turn: they shared one fsync
	EntrySizes   flotilla.Histogram `json:"-"` // commands of an entry, as applied here
	ApplySeconds flotilla.Histogram `json:"-"` // of a group's entries of a turn
}

// NodeStatus is one node as seen from here.
type NodeStatus struct {
	Node      flotilla.NodeID `json:"node"`
	Name      string          `json:"name"`
	Addr      string          `json:"addr"` // node to node
	Host      string          `json:"host"` // where clients reach it
	StorePort int             `json:"store_port"`
	HTTPPort  int             `json:"http_port"`
	QueuePort int             `json:"queue_port"`
	IsAlive   bool            `json:"alive"`
	HeardMs   flotilla.Millis `json:"heard_ms_ago"` // -1: never
	// Relay is who passes on what this node has for that one, which does not hear it;
	// 0: everything goes straight.
	Relay flotilla.NodeID `json:"relay"`
}

// GroupStatus is one group as seen from here.
type GroupStatus struct {
	Group   flotilla.GroupID   `json:"group"`
	Leader  flotilla.NodeID    `json:"leader"` // 0: none known
	Term    uint64             `json:"term"`
	Slots   int                `json:"slots"`
	Nodes   []flotilla.NodeID  `json:"nodes"`
	IsHere  bool               `json:"here"`
	Role    string             `json:"role"` // leader, follower, candidate, learner; empty if not here
	Replica flotilla.ReplicaID `json:"replica"`
	Last    uint64             `json:"last_index"`
	Commit  uint64             `json:"commit_index"`
	Applied uint64             `json:"applied_index"`
	Durable uint64             `json:"durable_index"` // of the state
	First   uint64             `json:"first_index"`
	// Followers is known only to the leader.
	Followers []FollowerStatus `json:"followers,omitempty"`
	// Hash is of all keys and values as of Applied; only where it was asked for.
	Hash string `json:"hash,omitempty"`
}

// FollowerStatus is one follower as its leader sees it.
type FollowerStatus struct {
	Node    flotilla.NodeID    `json:"node"`
	Replica flotilla.ReplicaID `json:"replica"`
	Match   uint64             `json:"match_index"` // 0: it has confirmed nothing to this leader yet
	// Lag is how many entries it has yet to confirm; nil while that is not known, as Match is 0.
	Lag   *uint64 `json:"lag_entries,omitempty"`
	State string  `json:"state"` // probe, replicate, snapshot
}

// DiskStatus is the node's storage in numbers.
type DiskStatus struct {
	Appends       uint64             `json:"appends_total"`
	AppendedBytes uint64             `json:"appended_bytes_total"`
	SyncSeconds   float64            `json:"sync_seconds_total"`
	Syncs         flotilla.Histogram `json:"-"`
	LogBytes      uint64             `json:"log_bytes"`
	StateBytes    uint64             `json:"state_bytes"`
	FreeBytes     uint64             `json:"free_bytes"`
	HasRoom       bool               `json:"has_room"`
}

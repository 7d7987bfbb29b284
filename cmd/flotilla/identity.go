package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"flotilla"
	"flotilla/supervisor"
)

// identity is the content of a node's node.json: whose folder it is, and how
// often that node has started.
type identity struct {
	Cluster     string          `json:"cluster"`
	Node        flotilla.NodeID `json:"node"`
	Incarnation uint64          `json:"incarnation"`
}

// dataDir returns where the node's log and state are; node.json is beside it.
func (c nodeConfig) dataDir() string { return filepath.Join(c.Dir, "data") }

// openIdentity makes the node's folder if need be, refuses that of another node,
// and returns a number that grows with each start. It begins at the time, so that
// it grows also when the folder was lost.
func openIdentity(c nodeConfig) (incarnation uint64, err error) {
	if err := supervisor.MakeFolder(c.dataDir(), 0o700); err != nil {
		return 0, fmt.Errorf("make the node's folder: %w", err)
	}
	path := filepath.Join(c.Dir, "node.json")
	id := identity{Cluster: c.Cluster, Node: c.ID}
	raw, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(raw, &id)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, fmt.Errorf("read %s: %w", path, err)
	}
	if id.Cluster != c.Cluster || id.Node != c.ID {
		return 0, fmt.Errorf("%s belongs to %v of cluster %s, not to %v of cluster %s: use another --dir", c.Dir, id.Node, id.Cluster, c.ID, c.Cluster)
	}
	id.Incarnation = max(id.Incarnation+1, uint64(time.Now().UnixNano()))
	if raw, err = json.Marshal(id); err != nil {
		return 0, err
	}
	return id.Incarnation, supervisor.WriteFile(path, append(raw, '\n'), 0o644)
}

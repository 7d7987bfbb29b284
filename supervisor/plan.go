package supervisor

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"flotilla"
	"flotilla/cluster"
)

// The ports of n1 without an offset; each further node has the next ones.
const (
	FirstStorePort = 6379
	FirstHTTPPort  = 8080
	FirstPeerPort  = 7001
	FirstQueuePort = 9324
)

// MaxNodes is how many nodes a fleet may have.
const MaxNodes = 32

// planFormat is the version of fleet.json that this program writes and reads.
const planFormat = 1

// The files of a fleet's folder.
const (
	planFile    = "fleet.json"
	lockFile    = "fleet.lock"
	controlFile = "control.json"
)

// ours matches the names that a fleet's folder may hold.
var ours = regexp.MustCompile(`^(fleet\.(json|lock)|control\.json|n[1-9][0-9]*|.*\.tmp)$`)

// Plan says what a fleet consists of. It outlives the processes.
type Plan struct {
	Format     int        `json:"format"`
	Cluster    string     `json:"cluster"` // chosen once, at random
	Groups     int        `json:"groups"`
	PortOffset int        `json:"port_offset"`
	Nodes      []NodePlan `json:"nodes"`
	// IsDiscarding is set while --fresh deletes the nodes' folders. Deleting only
	// some of them and then starting all would look like nodes that lost their
	// disk, so whoever finds it set first finishes the deletion.
	IsDiscarding bool `json:"discarding,omitempty"`
}

// NodePlan is one node of a fleet. All its ports are on 127.0.0.1.
type NodePlan struct {
	Node      flotilla.NodeID `json:"node"`
	StorePort int             `json:"store_port"`
	HTTPPort  int             `json:"http_port"`
	PeerPort  int             `json:"peer_port"`
	QueuePort int             `json:"queue_port"`
	// HasStarted is set once the node has told of its groups. If its folder is
	// empty after that, it has lost its data, and must not begin anew: it would
	// have forgotten what it voted for.
	HasStarted bool `json:"has_started,omitempty"`
}

// Name returns n1, n2, n3, which is also the name of the node's folder.
func (n NodePlan) Name() string { return n.Node.String() }

// ports returns all ports that the node listens on.
func (n NodePlan) ports() []int { return []int{n.StorePort, n.HTTPPort, n.PeerPort, n.QueuePort} }

// StoreAddr returns where Redis clients connect.
func (n NodePlan) StoreAddr() string { return loopback(n.StorePort) }

// HTTPAddr returns where the node's web page and metrics are.
func (n NodePlan) HTTPAddr() string { return loopback(n.HTTPPort) }

// PeerAddr returns where other nodes connect.
func (n NodePlan) PeerAddr() string { return loopback(n.PeerPort) }

// QueueAddr returns where the queue's clients connect.
func (n NodePlan) QueueAddr() string { return loopback(n.QueuePort) }

func loopback(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }

// DefaultNodes is how many nodes a new fleet has unless told otherwise.
const DefaultNodes = 3

// Want is what was asked for. Zero means: as the existing plan has it, or the default.
type Want struct {
	Nodes         int // default 3
	Groups        int // default DefaultGroups
	DefaultGroups int
	PortOffset    int
	HasPortOffset bool // PortOffset was given; without it, an existing fleet keeps its ports
	IsFresh       bool // discard the data of an existing fleet
}

// Check says what is wrong with what is wanted, whatever there is.
func (want Want) Check() error {
	if want.Nodes < 0 || want.Nodes > MaxNodes {
		return fmt.Errorf("a fleet has 1 to %d nodes, not %d", MaxNodes, want.Nodes)
	}
	if want.Groups < 0 || want.Groups > cluster.MaxGroups {
		return fmt.Errorf("--groups=%d: a fleet has 1 to %d groups; a few for each node are plenty", want.Groups, cluster.MaxGroups)
	}
	if want.PortOffset < 0 || want.PortOffset > 65535-FirstHTTPPort-MaxNodes {
		return fmt.Errorf("--port-offset=%d: use a number from 0 to %d",
			want.PortOffset, 65535-FirstHTTPPort-MaxNodes)
	}
	return nil
}

// Prepare returns the plan of the fleet in dir: the one that is there, or a new
// one. It changes nothing if the fleet's ports are taken. The caller holds the
// folder's lock.
func Prepare(dir string, want Want) (plan Plan, isNew bool, err error) {
	if err := want.Check(); err != nil {
		return Plan{}, false, err
	}
	old, err := ReadPlan(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Plan{}, false, err
	}
	hasOld := err == nil
	if isNew = !hasOld || want.IsFresh || old.IsDiscarding; isNew {
		plan = newPlan(want)
	} else if plan, err = resume(dir, old, want); err != nil {
		return Plan{}, false, err
	}
	if err := CheckPorts(plan); err != nil {
		return Plan{}, false, err
	}
	if hasOld && isNew {
		if err := discard(dir, old); err != nil {
			return Plan{}, false, err
		}
	}
	return plan, isNew, writePlan(dir, plan)
}

// resume returns the plan of a fleet that goes on, perhaps on other ports.
func resume(dir string, old Plan, want Want) (Plan, error) {
	if err := sameShape(dir, old, want); err != nil {
		return Plan{}, err
	}
	if want.HasPortOffset && want.PortOffset != old.PortOffset {
		old.PortOffset = want.PortOffset
		old.setPorts()
	}
	return old, nil
}

// sameShape refuses what an existing fleet can not be turned into.
func sameShape(dir string, old Plan, want Want) error {
	differs := func(flag string, have, wanted int) error {
		what := flag
		if have == 1 {
			what = strings.TrimSuffix(flag, "s")
		}
		return fmt.Errorf("the fleet in %s has %d %s, not %d: leave --%s out to resume it, "+
			"use another --dir for a second fleet, or --fresh to DELETE its data and start anew",
			dir, have, what, wanted, flag)
	}
	if want.Nodes != 0 && want.Nodes != len(old.Nodes) {
		return differs("nodes", len(old.Nodes), want.Nodes)
	}
	if want.Groups != 0 && want.Groups != old.Groups {
		return differs("groups", old.Groups, want.Groups)
	}
	return nil
}

func newPlan(want Want) Plan {
	plan := Plan{
		Format:     planFormat,
		Cluster:    "fleet-" + strings.ToLower(rand.Text()[:12]),
		Groups:     want.Groups,
		PortOffset: want.PortOffset,
		Nodes:      make([]NodePlan, max(want.Nodes, 0)),
	}
	if want.Nodes == 0 {
		plan.Nodes = make([]NodePlan, DefaultNodes)
	}
	if want.Groups == 0 {
		plan.Groups = max(want.DefaultGroups, 1)
	}
	plan.setPorts()
	return plan
}

// setPorts numbers the nodes and gives them the ports that follow from the offset.
func (p *Plan) setPorts() {
	for i := range p.Nodes {
		n := &p.Nodes[i]
		n.Node = flotilla.NodeID(i + 1)
		n.StorePort = FirstStorePort + i + p.PortOffset
		n.HTTPPort = FirstHTTPPort + i + p.PortOffset
		n.PeerPort = FirstPeerPort + i + p.PortOffset
		n.QueuePort = FirstQueuePort + i + p.PortOffset
	}
}

// ReadPlan reads the plan of the fleet in dir. errors.Is(err, fs.ErrNotExist)
// means that there is none.
func ReadPlan(dir string) (Plan, error) {
	path := filepath.Join(dir, planFile)
	raw, err := os.ReadFile(path)
	if err != nil {
		return Plan{}, fmt.Errorf("read the fleet's plan: %w", err)
	}
	plan, err := decodePlan(raw)
	if err != nil {
		return Plan{}, fmt.Errorf("%s is damaged (%w): put it back from a copy, or use another --dir", path, err)
	}
	return plan, nil
}

// decodePlan reads fleet.json. It accepts nothing that could name a folder
// outside the fleet's or a port that does not exist.
func decodePlan(raw []byte) (Plan, error) {
	var plan Plan
	if err := json.Unmarshal(raw, &plan); err != nil {
		return Plan{}, err
	}
	if plan.Format != planFormat {
		return Plan{}, fmt.Errorf("its format is %d, this program knows %d", plan.Format, planFormat)
	}
	if plan.Cluster == "" || plan.Groups < 1 || len(plan.Nodes) < 1 || len(plan.Nodes) > MaxNodes {
		return Plan{}, errors.New("cluster, groups or nodes are missing")
	}
	if plan.Groups > cluster.MaxGroups {
		return Plan{}, fmt.Errorf("it asks for %d groups, and there can be %d", plan.Groups, cluster.MaxGroups)
	}
	for i := range plan.Nodes {
		n := &plan.Nodes[i]
		if n.QueuePort == 0 { // written before there was a queue
			n.QueuePort = FirstQueuePort + i + plan.PortOffset
		}
		if n.Node != flotilla.NodeID(i+1) {
			return Plan{}, fmt.Errorf("node %d is called %d", i+1, n.Node)
		}
		for _, port := range n.ports() {
			if port < 1 || port > 65535 {
				return Plan{}, fmt.Errorf("port %d of %s does not exist", port, n.Name())
			}
		}
	}
	return plan, nil
}

func writePlan(dir string, plan Plan) error {
	raw, err := json.MarshalIndent(plan, "", "  ")
	if err != nil {
		return fmt.Errorf("encode the fleet's plan: %w", err)
	}
	return WriteFile(filepath.Join(dir, planFile), append(raw, '\n'), 0o644)
}

// discard deletes the data of a fleet. A crash in between is repaired by the
// next Prepare, because the plan says so before the first folder goes.
func discard(dir string, plan Plan) error {
	plan.IsDiscarding = true
	if err := writePlan(dir, plan); err != nil {
		return err
	}
	for _, n := range plan.Nodes {
		if err := os.RemoveAll(filepath.Join(dir, n.Name())); err != nil {
			return fmt.Errorf("delete the data of %s: %w", n.Name(), err)
		}
	}
	return syncDir(dir)
}

// checkOurs refuses a folder that holds anything but a fleet.
func checkOurs(dir string) error {
	found, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look into %s: %w", dir, err)
	}
	hasPlan, hasNodes := false, false
	for _, entry := range found {
		name := entry.Name()
		if !ours.MatchString(name) {
			return fmt.Errorf("%s holds %q, which is not a fleet's: use an empty or new folder with --dir", dir, name)
		}
		hasPlan = hasPlan || name == planFile
		hasNodes = hasNodes || entry.IsDir()
	}
	if hasNodes && !hasPlan {
		return fmt.Errorf("%s holds nodes' folders but no %s: put that file back, or use another --dir", dir, planFile)
	}
	return nil
}

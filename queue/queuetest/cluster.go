package queuetest

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"flotilla"
	"flotilla/cluster"
	"flotilla/queue"
	"flotilla/storage"
	"flotilla/transport"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// readyTimeout is how long a cluster may take to have leaders.
const readyTimeout = time.Minute

// Node is one of a cluster that holds all groups.
type Node struct {
	Client *queue.Client
	Server *cluster.Server

	// EndDoor ends what serves the node's clients, and is called before the node ends. It
	// may be nil.
	EndDoor func()

	stop sync.Once
	end  func()
}

// Start starts so many nodes with so many groups, and waits until they serve. They are
// stopped when the test ends.
func Start(t testing.TB, nodes, groups int) (all []*Node) {
	t.Helper()
	members := make([]flotilla.NodeInfo, nodes)
	transports := make([]*transport.Transport, nodes)
	for i := range nodes {
		members[i] = flotilla.NodeInfo{ID: flotilla.NodeID(i + 1), Host: "127.0.0.1"}
		tr, err := transport.New(transport.Options{Cluster: "test", Self: members[i].ID, Incarnation: 1, Listen: "127.0.0.1:0"})
		if err != nil {
			t.Fatal(err)
		}
		transports[i], members[i].PeerAddr = tr, tr.Addr()
	}
	for i := range nodes {
		n := start(t, members, i, groups, transports[i])
		all = append(all, n)
		t.Cleanup(n.Stop)
	}
	waitReady(t, all)
	return all
}

func start(t testing.TB, members []flotilla.NodeInfo, i, groups int, tr *transport.Transport) *Node {
	t.Helper()
	disk, err := storage.Open("node", storage.Options{FS: vfs.NewMem(), BallastBytes: -1, FreeBytes: func() uint64 { return 1 << 40 }})
	if err != nil {
		t.Fatal(err)
	}
	server, err := cluster.New(cluster.Config{Cluster: "test", Self: members[i].ID, Members: members, Groups: groups, Replicas: 3,
		IsBootstrap: true, Disk: disk, Transport: tr, Log: slog.New(slog.DiscardHandler), Incarnation: 1, TickMillis: 20,
		Machines: map[flotilla.System]flotilla.Machine{flotilla.SystemQueue: queue.Machine{}}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	clientCtx, endClient := context.WithCancel(ctx)
	n := &Node{Server: server, Client: queue.NewClient(server)}
	var running, carrying sync.WaitGroup
	for _, run := range []func(context.Context) error{server.Run, func(ctx context.Context) error { return tr.Run(ctx, server) }} {
		running.Go(func() {
			if err := run(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	carrying.Go(func() { n.Client.Run(clientCtx) })
	n.end = func() {
		if n.EndDoor != nil {
			n.EndDoor()
		}
		endClient()
		carrying.Wait()
		n.Client.Close()
		cancel()
		running.Wait()
		if err := disk.Close(); err != nil {
			t.Error(err)
		}
	}
	return n
}

// Stop ends the node.
func (n *Node) Stop() { n.stop.Do(n.end) }

// waitReady waits until each node can read each group.
func waitReady(t testing.TB, nodes []*Node) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), readyTimeout)
	defer cancel()
	for i, n := range nodes {
		for {
			_, err := n.Client.ListQueues(ctx, queue.ListQueues{MaxResults: 1})
			if err == nil {
				break
			}
			if ctx.Err() != nil {
				t.Fatalf("node %d of the cluster does not serve: %v", i+1, err)
			}
		}
	}
}

package sqs

import (
	"context"
	"log/slog"
	"net"
	"testing"

	"flotilla/queue"
	"flotilla/queue/queuetest"
)

// testCluster is a real cluster in this process, with a door on each node.
type testCluster struct {
	endpoints []string // of the doors
	doors     []*Handler
	clients   []*queue.Client
}

// newCluster starts nodes. change, if there is one, sets fields of their doors.
func newCluster(t *testing.T, nodes, groups int, change func(*Handler)) *testCluster {
	t.Helper()
	c := &testCluster{}
	for _, node := range queuetest.Start(t, nodes, groups) {
		door := &Handler{Service: NewService(node.Client)}
		if change != nil {
			change(door)
		}
		c.endpoints = append(c.endpoints, "http://"+serve(t, node, door))
		c.doors = append(c.doors, door)
		c.clients = append(c.clients, node.Client)
	}
	return c
}

// serve has a door answer until its node ends, and returns where.
func serve(t *testing.T, node *queuetest.Node, door *Handler) (address string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- Serve(ctx, listener, door, slog.New(slog.DiscardHandler)) }()
	node.EndDoor = func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	return listener.Addr().String()
}

// openCluster is one node whose door takes requests from anybody.
func openCluster(t *testing.T) (*testCluster, *Handler) {
	t.Helper()
	c := newCluster(t, 1, 1, func(h *Handler) { h.AllowUnsigned = true })
	return c, c.doors[0]
}

// create creates a queue.
func (c *testCluster) create(t *testing.T, name string) {
	t.Helper()
	if err := c.clients[0].CreateQueue(t.Context(), queue.CreateQueue{QueueName: name}); err != nil {
		t.Fatal(err)
	}
}

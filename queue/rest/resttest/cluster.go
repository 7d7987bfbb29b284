package resttest

import (
	"net/http/httptest"
	"testing"

	"flotilla/queue/queuetest"
	"flotilla/queue/rest"
)

// Cluster is some nodes that hold all groups.
type Cluster struct {
	Nodes []*Node
}

// Node is one of them. Its Handler may be changed before it is asked for anything.
type Node struct {
	*queuetest.Node
	Handler *rest.Handler
	HTTP    *httptest.Server
}

// Start starts so many nodes with so many groups, and waits until they serve. They are
// stopped when the test ends, and by Stop, which cuts off who is connected.
func Start(t testing.TB, nodes, groups int) *Cluster {
	t.Helper()
	c := &Cluster{}
	for _, node := range queuetest.Start(t, nodes, groups) {
		n := &Node{Node: node, Handler: &rest.Handler{Client: node.Client, Host: node.Server}}
		n.HTTP = httptest.NewServer(n.Handler)
		n.EndDoor = func() {
			n.HTTP.CloseClientConnections()
			n.HTTP.Close()
			n.Handler.Close()
		}
		c.Nodes = append(c.Nodes, n)
	}
	return c
}

// Addresses are those of all nodes.
func (c *Cluster) Addresses() (all []string) {
	for _, n := range c.Nodes {
		all = append(all, n.HTTP.Listener.Addr().String())
	}
	return all
}

package clustertab

import (
	"context"
	"embed"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"flotilla"
	"flotilla/cluster"
	"flotilla/console"
)

//go:embed page.html cluster.js
var embedded embed.FS

// Options is what the tab needs.
type Options struct {
	Host   flotilla.Host
	Keeper *Keeper
	Status func() cluster.Status
	// Settings are what this node runs with; no secret is among them.
	Settings []Setting
	// Ask sends a GET to another node's console.
	Ask console.Asker
}

// askTimeout bounds a question to other nodes.
const askTimeout = time.Second

// Setting is one of a node's settings, as it counts: with its default where nobody set it.
type Setting struct {
	Name  string `json:"name"` // of its flag
	Value string `json:"value"`
	// IsOwn says that each node has its own, so that it means nothing if nodes differ.
	IsOwn bool `json:"own,omitempty"`
}

// NodeView is a node as the page shows it.
type NodeView struct {
	Node   flotilla.NodeID `json:"node"`
	Addr   string          `json:"addr"` // of its page
	Error  string          `json:"error,omitempty"`
	Status *cluster.Status `json:"status,omitempty"`
	Hour   []Sample        `json:"hour,omitempty"`
	// Settings are empty of a node that does not answer.
	Settings []Setting `json:"settings,omitempty"`
}

// New returns the tab.
func New(o Options) console.Tab {
	return console.Tab{Name: "cluster", Title: "Cluster", Files: embedded, Routes: func(mux *http.ServeMux) {
		mux.HandleFunc("GET /cluster/api/self", func(w http.ResponseWriter, _ *http.Request) { console.Answer(w, o.self()) })
		mux.HandleFunc("GET /cluster/api/nodes", o.nodes)
	}}
}

func (o Options) self() NodeView {
	status := o.Status()
	return NodeView{Node: o.Host.Self(), Status: &status, Hour: o.Keeper.Hour(), Settings: o.Settings}
}

// nodes asks all nodes, side by side.
func (o Options) nodes(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), askTimeout)
	defer cancel()
	infos := o.Host.Topology().Nodes
	views := make([]NodeView, len(infos))
	var asked sync.WaitGroup
	for i, n := range infos {
		asked.Go(func() { views[i] = o.view(ctx, n) })
	}
	asked.Wait()
	console.Answer(w, views)
}

func (o Options) view(ctx context.Context, n flotilla.NodeInfo) (v NodeView) {
	if n.ID == o.Host.Self() {
		v = o.self()
	} else if err := o.Ask.JSON(ctx, n, "/cluster/api/self", &v); err != nil {
		v = NodeView{Error: "does not answer"}
	}
	v.Node, v.Addr = n.ID, net.JoinHostPort(n.Host, strconv.Itoa(n.HTTPPort))
	return v
}

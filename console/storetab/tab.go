package storetab

import (
	"context"
	"embed"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strconv"
	"time"

	"flotilla"
	"flotilla/cluster"
	"flotilla/console"
	"flotilla/console/door"
	"flotilla/store"
)

//go:embed page.html store.js
var embedded embed.FS

// Options is what the tab needs.
type Options struct {
	Host     flotilla.Host
	Pipe     *door.Pipe // served by the node's Redis door
	Password string     // that the door asks for
	// Ask sends a GET to another node's console.
	Ask console.Asker
}

// askTimeout is how long a question of the page may take: as long as a call within a node, and some.
const askTimeout = 7 * time.Second

// tab answers what the page asks for.
type tab struct{ Options }

// New returns the tab.
func New(o Options) console.Tab {
	t := &tab{o}
	return console.Tab{Name: "store", Title: "Store", Files: embedded, Routes: t.routes}
}

func (t *tab) routes(mux *http.ServeMux) {
	mux.HandleFunc("GET /store/api/keys", t.keys)
	mux.HandleFunc("GET /store/api/key", t.key)
	mux.HandleFunc("GET /store/api/slots", t.slots)
	mux.HandleFunc("GET /store/api/whatif", t.whatIf)
	mux.HandleFunc("GET /store/api/commands", t.commands)
	mux.HandleFunc("GET /store/api/levels", t.levels)
	mux.HandleFunc("POST /store/api/command", t.command)
}

// withDoor has a question be asked at the door.
func (t *tab) withDoor(w http.ResponseWriter, r *http.Request, ask func(*door.Client) (any, error)) {
	ctx, cancel := context.WithTimeout(r.Context(), askTimeout)
	defer cancel()
	client, err := door.Open(ctx, t.Pipe, t.Password)
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	defer client.Close()
	answer, err := ask(client)
	if err != nil {
		http.Error(w, err.Error(), http.StatusConflict)
		return
	}
	console.Answer(w, answer)
}

// Place says where a key is.
type Place struct {
	Slot   flotilla.Slot     `json:"slot"`
	Tag    string            `json:"tag,omitempty"` // the part in braces, if only that counts
	Group  flotilla.GroupID  `json:"group"`
	Leader flotilla.NodeID   `json:"leader"`
	Nodes  []flotilla.NodeID `json:"nodes"`
}

func (t *tab) place(key string) Place {
	topology := t.Host.Topology()
	p := Place{Slot: flotilla.SlotOf([]byte(key))}
	if topology.SlotMap == nil {
		return p
	}
	p.Group = topology.SlotMap[p.Slot]
	for _, g := range topology.Groups {
		if g.ID == p.Group {
			p.Leader, p.Nodes = g.Leader, g.Nodes
		}
	}
	return p
}

// Range is a run of slots that a group owns.
type Range struct {
	From   int               `json:"from"`
	To     int               `json:"to"` // the last one
	Group  flotilla.GroupID  `json:"group"`
	Leader flotilla.NodeID   `json:"leader"`
	Nodes  []flotilla.NodeID `json:"nodes"`
}

// slots tells which group owns which slots.
func (t *tab) slots(w http.ResponseWriter, _ *http.Request) {
	topology := t.Host.Topology()
	groups := map[flotilla.GroupID]flotilla.GroupInfo{}
	for _, g := range topology.Groups {
		groups[g.ID] = g
	}
	ranges := []Range{}
	if topology.SlotMap != nil {
		for slot, group := range topology.SlotMap {
			if n := len(ranges); n > 0 && ranges[n-1].Group == group {
				ranges[n-1].To = slot
				continue
			}
			g := groups[group]
			ranges = append(ranges, Range{From: slot, To: slot, Group: group, Leader: g.Leader, Nodes: g.Nodes})
		}
	}
	console.Answer(w, ranges)
}

// whatIf tells which copies would be placed otherwise if one more node came, or one of the
// nodes there are went for good.
func (t *tab) whatIf(w http.ResponseWriter, r *http.Request) {
	topology, gone := t.Host.Topology(), flotilla.NodeID(0)
	if text := r.URL.Query().Get("gone"); text != "" {
		id, err := strconv.ParseUint(text, 10, 32)
		gone = flotilla.NodeID(id)
		if err != nil || !slices.ContainsFunc(topology.Nodes, func(n flotilla.NodeInfo) bool { return n.ID == gone }) {
			http.Error(w, "that is no node of this cluster", http.StatusBadRequest)
			return
		}
	}
	console.Answer(w, cluster.PlaceIf(topology, gone))
}

// Help is a command as the command line explains it.
type Help struct {
	Name    string `json:"name"`
	Args    string `json:"args"`
	Summary string `json:"summary"`
	Group   string `json:"group"`
	// Refused says why the line does not take it; empty: it does.
	Refused string `json:"refused,omitempty"`
}

// commands tells what the command line takes, and why not what it does not, of the store's one table.
func (t *tab) commands(w http.ResponseWriter, _ *http.Request) {
	all := []Help{}
	for _, c := range store.Commands() {
		if c.Flags&store.Internal == 0 && !c.IsContainer() {
			all = append(all, Help{Name: c.Name, Args: c.Args, Summary: c.Summary, Group: c.Group, Refused: refusal(c)})
		}
	}
	console.Answer(w, all)
}

// maxAskBytes bounds what the page sends.
const maxAskBytes = 1 << 20

// readJSON reads what the page sends, and answers if it can not be read.
func readJSON(w http.ResponseWriter, r *http.Request, into any) bool {
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxAskBytes))
	if err != nil {
		http.Error(w, "a command fits into 1 MiB", http.StatusRequestEntityTooLarge)
		return false
	}
	if err := json.Unmarshal(raw, into); err != nil {
		http.Error(w, "that is no JSON of the right form", http.StatusBadRequest)
		return false
	}
	return true
}

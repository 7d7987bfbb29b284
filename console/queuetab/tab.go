package queuetab

import (
	"context"
	"embed"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"time"

	"flotilla"
	"flotilla/console"
	"flotilla/queue"
	"flotilla/queue/rest"
)

//go:embed page.html queue.js
var embedded embed.FS

// Options is what the tab needs.
type Options struct {
	Host   flotilla.Host
	Client *queue.Client
	REST   *rest.Handler
	Keeper *Keeper
	// IsClosed has the page do nothing: the queue asks for access keys, and the console for
	// no password, so that whoever reaches the page could do without a key.
	IsClosed bool
	// Ask sends a GET to another node's console.
	Ask console.Asker
}

// Bounds of what the page asks for.
const (
	askTimeout = 2 * time.Second // of groups and nodes
	maxListed  = 1000            // queues of one group
	maxSpots   = 20              // where a message is known to have been
)

// restPrefix is where the queue's native API is, for the page.
const restPrefix = "/queue/api/v1"

// sender is in whose name the page sends, and works.
const sender = "console"

// tab answers what the page asks for.
type tab struct{ Options }

// New returns the tab.
func New(o Options) console.Tab {
	t := &tab{o}
	return console.Tab{Name: "queue", Title: "Queue", Files: embedded, Routes: t.routes}
}

// closed is told to pages of a tab that is closed.
const closed = "The queue asks for access keys, and this page asks for no password: so it may not touch the queue. Give the nodes a password (--password-file), and it will."

func (t *tab) routes(mux *http.ServeMux) {
	if t.IsClosed {
		mux.HandleFunc("/queue/api/", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, closed, http.StatusForbidden) })
		return
	}
	mux.HandleFunc("GET /queue/api/depths", t.depths)
	mux.HandleFunc("GET /queue/api/hour", t.hour)
	mux.HandleFunc("GET /queue/api/life", t.life)
	mux.HandleFunc("GET /queue/api/self/hour", func(w http.ResponseWriter, r *http.Request) { console.Answer(w, t.selfHour(r.URL.Query())) })
	mux.HandleFunc("GET /queue/api/self/life", func(w http.ResponseWriter, r *http.Request) { console.Answer(w, t.selfLife(r.URL.Query())) })
	mux.Handle(restPrefix+"/", t.REST.Inside(restPrefix, sender))
}

// Depth is a queue in the list.
type Depth struct {
	Name    string           `json:"name"`
	Group   flotilla.GroupID `json:"group"` // of its name
	Leader  flotilla.NodeID  `json:"leader"`
	Ready   uint64           `json:"ready"`
	Leased  uint64           `json:"leased"`
	Delayed uint64           `json:"delayed"`
	AgeMs   int64            `json:"age_ms"` // of the oldest message; 0: there is none
	Sent    uint64           `json:"sent_total"`
	Done    uint64           `json:"done_total"`
	Dead    uint64           `json:"dead_total"`
}

// Depths are all queues.
type Depths struct {
	AtMs    int64    `json:"at_ms"`
	Queues  []Depth  `json:"queues"`
	HasMore bool     `json:"has_more"`
	Failed  []string `json:"failed"` // groups that did not answer, and why
}

// depths asks all groups, wherever they are led.
func (t *tab) depths(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), askTimeout)
	defer cancel()
	all, failed := t.Client.Depths(ctx, maxListed)
	now, leaders := time.Now().UnixMilli(), map[flotilla.GroupID]flotilla.NodeID{}
	for _, g := range t.Host.Topology().Groups {
		leaders[g.ID] = g.Leader
	}
	answer := Depths{AtMs: now, Queues: []Depth{}, HasMore: all.HasMore, Failed: []string{}}
	for _, s := range all.Queues {
		n := s.Counters
		d := Depth{Name: s.QueueName, Group: s.Group, Leader: leaders[s.Group], Ready: n.Ready, Leased: n.Leased, Delayed: n.Delayed,
			Sent: n.Sent, Done: n.Deleted, Dead: n.Dead}
		if s.OldestSentTimestamp != 0 {
			d.AgeMs = max(1, now-int64(s.OldestSentTimestamp))
		}
		answer.Queues = append(answer.Queues, d)
	}
	for group, err := range failed {
		answer.Failed = append(answer.Failed, fmt.Sprintf("%v: %v", group, err))
	}
	slices.Sort(answer.Failed)
	console.Answer(w, answer)
}

// Hour is what is kept of a queue, by one node or by all.
type Hour struct {
	Samples []Sample          `json:"samples"`
	IsFull  bool              `json:"is_full,omitempty"` // a node keeps as many other queues as it may
	Silent  []flotilla.NodeID `json:"silent,omitempty"`  // nodes that did not answer: what they led is missing
}

func (t *tab) selfHour(q url.Values) (h Hour) {
	h.Samples, h.IsFull = t.Keeper.Hour(q.Get("queue"))
	return h
}

// hour adds up what all nodes kept of a queue: each of the time when it led, and of the
// parts that it led.
func (t *tab) hour(w http.ResponseWriter, r *http.Request) {
	parts, silent := askAll(r.Context(), t, "hour", r.URL.Query(), t.selfHour)
	all := Hour{Silent: silent}
	times := map[int64]Sample{}
	for _, part := range parts {
		all.IsFull = all.IsFull || part.IsFull
		for _, s := range part.Samples {
			if other, ok := times[s.AtMs]; ok {
				s.add(other)
			}
			times[s.AtMs] = s
		}
	}
	all.Samples = make([]Sample, 0, len(times))
	for _, s := range times {
		all.Samples = append(all.Samples, s)
	}
	slices.SortFunc(all.Samples, func(a, b Sample) int { return int(a.AtMs - b.AtMs) })
	all.IsFull = all.IsFull && len(all.Samples) == 0
	console.Answer(w, all)
}

// askAll asks all nodes the same, side by side, this one by self.
func askAll[A any](ctx context.Context, t *tab, what string, q url.Values, self func(url.Values) A) (answers map[flotilla.NodeID]A, silent []flotilla.NodeID) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	nodes := t.Host.Topology().Nodes
	all, errs := make([]A, len(nodes)), make([]error, len(nodes))
	var asked sync.WaitGroup
	for i, n := range nodes {
		if n.ID == t.Host.Self() {
			all[i] = self(q)
			continue
		}
		asked.Go(func() { errs[i] = t.Ask.JSON(ctx, n, "/queue/api/self/"+what+"?"+q.Encode(), &all[i]) })
	}
	asked.Wait()
	answers = map[flotilla.NodeID]A{}
	for i, n := range nodes {
		if errs[i] != nil {
			silent = append(silent, n.ID)
			continue
		}
		answers[n.ID] = all[i]
	}
	return answers, silent
}

func number(text string) uint64 {
	n, _ := strconv.ParseUint(text, 10, 64) // 0: none
	return n
}

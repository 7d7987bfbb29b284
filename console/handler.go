package console

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/pprof"
	"strings"
	"sync"
	"time"

	"flotilla"
	"flotilla/cluster"
	"flotilla/console/door"
	"flotilla/queue"
	"flotilla/queue/intake"
	"flotilla/store/redis"
	"flotilla/supervisor"
	"flotilla/transport"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Options is what a Handler needs to be told.
type Options struct {
	// Status returns what the node knows; it may be called from any goroutine.
	Status func() cluster.Status
	// Hashes returns the same with a hash of each copy; it reads all data.
	Hashes func() cluster.Status
	// Transport and Store are further sources of metrics; each may be nil.
	Transport func() transport.Stats
	Store     func() redis.Stats
	// Queues returns the queues of the groups that this node leads, so many of each group;
	// QueueREST and QueueSQS are the queue's doors. Each may be nil.
	Queues    func(ctx context.Context, limit int64) queue.Summaries
	QueueREST func() intake.Stats
	QueueSQS  func() intake.Stats
	// QueueClient sends the jobs that pages follow; nil: none may be sent.
	QueueClient *queue.Client
	// Hosts are names, besides those of loopback, under which the node may be
	// asked; without ports.
	Hosts []string
	// IsOfNetwork says that the node listens beyond its own machine: then it may also be
	// asked under names without a dot.
	IsOfNetwork bool
	// Password, if not empty, is asked for (by basic authentication, with any user
	// name) for everything but /healthz,
	// /readyz and the lab, which has a token of its own.
	Password string
	// Host carries out what pages ask for. Journal is the node's, Micros its clock, and Life
	// differs between any two starts.
	Host    flotilla.Host
	Journal *cluster.Journal
	Micros  func() int64
	Life    uint64
	// Wrong returns what a lab has set; it may be nil.
	Wrong func() supervisor.Faults
	// Peers asks the consoles of other nodes.
	Peers *Peers
	// Fleet is the supervisor's, if the node runs under one: then pages may break things. They
	// may as well, by a token, where a Lab has a Keeper.
	Fleet *supervisor.Client
	// Plans may be played on a fleet of their own, if there is a supervisor.
	Plans []Plan
	// Pipe leads to the node's Redis door, for the load that pages may start.
	Pipe *door.Pipe
	// Tabs are what the page shows besides the live picture.
	Tabs []Tab
	// Lab is nil unless the node was started for a lab.
	Lab *Lab
	// Log may be nil.
	Log *slog.Logger
}

// Console answers the node's HTTP port:
//
//	GET  /             the live picture; each tab has a page of its own
//	GET  /static/      what pages are made of
//	GET  /api/stream   pushes the picture and the history (stream.go)
//	GET  /api/journal  what is new in this node's journal, for other nodes' consoles
//	POST /api/follow   writes a key or sends a job, and follows it (follow.go)
//	GET  /api/load     how the load goes that pages asked for (load.go)
//	POST /api/load     starts or ends it
//	POST /api/fault    breaks or mends something (faults.go; in a lab only)
//	GET  /api/fault/expect  says beforehand what that would do (in a lab only)
//	GET  /api/fault/seen    says what came of it (in a lab only)
//	POST /api/play     plays a plan on a fleet of its own, or stops that (play.go; under a supervisor only)
//	GET  /api/play     how that goes
//	GET  /healthz      200 while the process answers at all
//	GET  /readyz       200 once it serves, or 503 and the reasons why not
//	GET  /metrics      for Prometheus
//	GET  /api/status   the cluster.Status as JSON; with ?hashes, a hash of each copy too
//	GET  /debug/pprof/ profiles, from this machine only
//	GET  /lab/faults   the faults of this node's links (lab only)
//	POST /lab/faults   replaces them (lab only)
//	POST /lab/orders   has the node do something once (lab only)
//	POST /lab/changes  breaks or mends something of this node (lab without a supervisor only; byhand.go)
type Console struct {
	options Options
	tabs    []Tab
	watcher *watcher
	load    *load
	handler http.Handler
	// patience is how long a page may take to read what was pushed: pushTimeout, but in tests.
	patience time.Duration
}

// New returns a console. It shows no more than this node, until Run is called.
func New(o Options) *Console {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	c := &Console{options: o, patience: pushTimeout}
	c.watcher, c.load = newWatcher(&c.options), newLoad(o.Pipe, o.Password, func() flotilla.NodeID { return o.Host.Self() })
	open := http.NewServeMux()
	open.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { writeText(w, http.StatusOK, "ok\n") })
	open.HandleFunc("GET /readyz", o.ready)
	open.HandleFunc("/healthz", onlyGet) // else the pattern / below would take other methods, and find nothing
	open.HandleFunc("/readyz", onlyGet)

	closed := http.NewServeMux()
	c.open(closed)
	closed.HandleFunc("GET /api/status", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Has("hashes") {
			writeJSON(w, o.Hashes())
			return
		}
		writeJSON(w, o.Status())
	})
	closed.Handle("GET /metrics", o.metrics())
	closed.Handle("/debug/pprof/", loopbackOnly(profiles()))
	if o.Lab != nil { // has a token of its own
		open.HandleFunc("GET /lab/faults", o.Lab.guard(func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, o.Lab.Faults()) }))
		open.HandleFunc("POST /lab/faults", o.Lab.guard(o.posted(o.Lab.Set, "the faults of this node were set")))
		open.HandleFunc("POST /lab/orders", o.Lab.guard(o.posted(o.Lab.Do, "the lab gave an order")))
		if o.Lab.Change != nil {
			open.HandleFunc("POST "+supervisor.ChangePath, o.Lab.guard(o.change))
		}
	}
	open.Handle("/", askPassword(o.Password, closed))

	sameOrigin := http.NewCrossOriginProtection()
	c.handler = withHeaders(knownHosts(o.Hosts, o.IsOfNetwork, sameOrigin.Handler(open)))
	return c
}

// ServeHTTP is part of http.Handler.
func (c *Console) ServeHTTP(w http.ResponseWriter, r *http.Request) { c.handler.ServeHTTP(w, r) }

// Run asks all nodes what they do, while pages are open or something is broken, and makes the load that they
// ask for, until ctx ends.
func (c *Console) Run(ctx context.Context) {
	var parts sync.WaitGroup
	parts.Go(func() { c.watcher.run(ctx) })
	parts.Go(func() { c.load.run(ctx) })
	parts.Wait()
}

// open adds pages, and what they ask for.
func (c *Console) open(mux *http.ServeMux) {
	c.tabs = append([]Tab{live()}, c.options.Tabs...)
	mux.HandleFunc("GET /{$}", c.page(c.tabs[0]))
	mux.Handle("GET /static/", files("/static/", static()))
	for _, t := range c.tabs[1:] {
		mux.HandleFunc("GET "+t.path(), c.page(t))
		mux.Handle("GET "+t.path()+"/static/", files(t.path()+"/static/", t.Files))
		t.Routes(mux)
	}
	if c.options.Host == nil {
		return
	}
	mux.HandleFunc("GET /api/stream", c.stream)
	mux.HandleFunc("GET /api/journal", c.options.journal)
	mux.HandleFunc("POST /api/follow", c.follow)
	if c.options.Pipe != nil {
		mux.HandleFunc("POST /api/load", c.setLoad)
		mux.HandleFunc("GET /api/load", c.showLoad)
	}
	if c.options.canBreak() {
		mux.HandleFunc("POST /api/fault", c.fault)
		mux.HandleFunc("GET /api/fault/expect", c.expect)
		mux.HandleFunc("GET /api/fault/seen", c.seen)
	}
	if c.options.Fleet != nil {
		mux.HandleFunc("POST /api/play", c.play)
		mux.HandleFunc("GET /api/play", c.showPlay)
	}
}

func onlyGet(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Allow", "GET, HEAD")
	http.Error(w, http.StatusText(http.StatusMethodNotAllowed), http.StatusMethodNotAllowed)
}

func (o Options) ready(w http.ResponseWriter, _ *http.Request) {
	reasons := notReady(o.Status())
	if len(reasons) == 0 {
		writeText(w, http.StatusOK, "ready\n")
		return
	}
	writeText(w, http.StatusServiceUnavailable, strings.Join(reasons, "\n")+"\n")
}

func (o Options) metrics() http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(
		newCollector(o.Status),
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	if o.Transport != nil {
		registry.MustRegister(newTransportCollector(o.Transport))
	}
	if o.Store != nil {
		registry.MustRegister(newDoorCollector(o.Store))
	}
	if o.Queues != nil {
		registry.MustRegister(newQueueCollector(o.Queues))
	}
	if o.QueueREST != nil {
		registry.MustRegister(newHTTPCollector("rest", o.QueueREST))
	}
	if o.QueueSQS != nil {
		registry.MustRegister(newHTTPCollector("sqs", o.QueueSQS))
	}
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4})
}

// profiles are the standard library's, without its registration on the default mux.
func profiles() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /debug/pprof/", pprof.Index) // the named profiles too
	mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	return mux
}

func writeJSON(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	_ = encoder.Encode(value) // the client is gone if this fails
}

func writeText(w http.ResponseWriter, code int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(code)
	_, _ = io.WriteString(w, text) // the client is gone if this fails
}

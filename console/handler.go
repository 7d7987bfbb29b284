package console

import (
	"crypto/subtle"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/pprof"
	"strings"

	"flotilla/cluster"
	"flotilla/store/redis"
	"flotilla/transport"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// maxFaultBytes bounds what may be posted to /lab/faults.
const maxFaultBytes = 64 << 10

// Options is what a Handler needs to be told.
type Options struct {
	// Status returns what the node knows; it may be called from any goroutine.
	Status func() cluster.Status
	// Transport and Store are further sources of metrics; each may be nil.
	Transport func() transport.Stats
	Store     func() redis.Stats
	// Hosts are names, besides those of loopback, under which the node may be
	// asked; without ports.
	Hosts []string
	// Password, if not empty, is asked for (by basic authentication, with any user
	// name) for everything but /healthz,
	// /readyz and the lab, which has a token of its own.
	Password string
	// Lab is nil unless the node was started for a lab.
	Lab *Lab
	// Log may be nil.
	Log *slog.Logger
}

// Lab lets whoever has the token read and set the faults of the node's links.
type Lab struct {
	Token  string             // an empty one lets nobody in
	Faults func() any         // what is set, to be shown as JSON
	Set    func([]byte) error // replaces all of it; an error means that nothing was changed
}

// Handler returns what answers the node's HTTP port:
//
//	GET  /             a page with links to the rest
//	GET  /healthz      200 while the process answers at all
//	GET  /readyz       200 once it serves, or 503 and the reasons why not
//	GET  /metrics      for Prometheus
//	GET  /api/status   the cluster.Status as JSON
//	GET  /debug/pprof/ profiles, from this machine only
//	GET  /lab/faults   the faults of this node's links (lab only)
//	POST /lab/faults   replaces them (lab only)
func Handler(o Options) http.Handler {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	open := http.NewServeMux()
	open.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { writeText(w, http.StatusOK, "ok\n") })
	open.HandleFunc("GET /readyz", o.ready)

	closed := http.NewServeMux()
	closed.HandleFunc("GET /{$}", o.index)
	closed.HandleFunc("GET /api/status", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, o.Status()) })
	closed.Handle("GET /metrics", o.metrics())
	closed.Handle("/debug/pprof/", loopbackOnly(profiles()))
	if o.Lab != nil { // has a token of its own
		open.HandleFunc("GET /lab/faults", o.Lab.guard(func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, o.Lab.Faults()) }))
		open.HandleFunc("POST /lab/faults", o.Lab.guard(o.setFaults))
	}
	open.Handle("/", askPassword(o.Password, closed))

	sameOrigin := http.NewCrossOriginProtection()
	return withHeaders(knownHosts(o.Hosts, sameOrigin.Handler(open)))
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

func (o Options) setFaults(w http.ResponseWriter, r *http.Request) {
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxFaultBytes))
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		http.Error(w, "the faults of a node's links fit into 64 KiB", http.StatusRequestEntityTooLarge)
		return
	}
	if err != nil {
		return // the client is gone
	}
	if err := o.Lab.Set(raw); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	o.Log.Info("the faults of this node's links were set", "faults", string(raw))
	w.WriteHeader(http.StatusNoContent)
}

// guard asks for the lab's token.
func (l *Lab) guard(next http.HandlerFunc) http.HandlerFunc {
	want := []byte("Bearer " + l.Token)
	return func(w http.ResponseWriter, r *http.Request) {
		got := []byte(r.Header.Get("Authorization"))
		if l.Token == "" || subtle.ConstantTimeCompare(got, want) != 1 {
			http.Error(w, "faults are set through the supervisor: flotilla fault --help", http.StatusUnauthorized)
			return
		}
		next(w, r)
	}
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

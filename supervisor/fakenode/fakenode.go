package fakenode

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"flotilla"
	"flotilla/cluster"
)

// Options is what a fake node needs to be told.
type Options struct {
	Cluster string
	Node    flotilla.NodeID
	Members int    // how many nodes to speak of
	HTTP    string // address to listen on
	Token   string // for /lab/faults
	Faults  string // that hold from the start
	// Mood says how to misbehave: "dies" at once, "stubborn" does not stop when asked.
	Mood string
}

// environment is how Options reach a process that is nothing but a fake node.
const environment = "FLOTILLA_FAKE_NODE"

// Environ returns the environment variable that makes Main run with the options.
func Environ(o Options) string {
	raw, err := json.Marshal(o)
	flotilla.Assert(err == nil, "options are always JSON: %v", err)
	return environment + "=" + string(raw)
}

// Main runs a fake node and ends the process if the environment says so. A
// TestMain calls it first.
func Main() {
	raw := os.Getenv(environment)
	if raw == "" {
		return
	}
	var o Options
	err := json.Unmarshal([]byte(raw), &o)
	if err == nil {
		ctx, stop := context.WithCancel(context.Background())
		go func() {
			_, _ = io.Copy(io.Discard, os.Stdin) // that it ends is all that counts
			stop()
		}()
		err = Run(ctx, o)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// Run is a fake node until ctx ends.
func Run(ctx context.Context, o Options) error {
	if o.Mood == "dies" {
		return errors.New("the disk is on fire")
	}
	if o.Mood == "stubborn" {
		ctx = deaf(ctx)
	}
	listener, err := net.Listen("tcp", o.HTTP)
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "%v listens on %s\n", o.Node, o.HTTP)
	server := &http.Server{Handler: handler(o), ReadHeaderTimeout: time.Second}
	var serving sync.WaitGroup
	serving.Go(func() { err = server.Serve(listener) })
	<-ctx.Done()
	closeErr := server.Close()
	serving.Wait()
	if errors.Is(err, http.ErrServerClosed) {
		err = nil
	}
	return errors.Join(err, closeErr)
}

func handler(o Options) http.Handler {
	var mu sync.Mutex
	faults := o.Faults // guarded by mu
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/status", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(status(o))
	})
	mux.HandleFunc("GET /lab/faults", func(w http.ResponseWriter, _ *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		_, _ = io.WriteString(w, faults)
	})
	mux.HandleFunc("POST /lab/faults", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+o.Token {
			http.Error(w, "wrong token", http.StatusUnauthorized)
			return
		}
		raw, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		faults = string(raw)
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("POST /lab/orders", func(w http.ResponseWriter, r *http.Request) { obey(w, r, o) })
	return mux
}

// obey answers an order: n1 leads group 1, and all others say that they lead nothing.
func obey(w http.ResponseWriter, r *http.Request, o Options) {
	var order struct {
		Verb  string
		Group flotilla.GroupID
	}
	err := json.NewDecoder(r.Body).Decode(&order)
	if r.Header.Get("Authorization") != "Bearer "+o.Token || err != nil {
		http.Error(w, "wrong token, or no order", http.StatusBadRequest)
		return
	}
	if order.Verb == "transfer" && (o.Node != 1 || order.Group != 1) {
		http.Error(w, fmt.Sprintf("%v does not lead %v", o.Node, order.Group), http.StatusBadRequest)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// status is that of a cluster with the directory and one more group, which n1 leads.
func status(o Options) cluster.Status {
	s := cluster.Status{Cluster: o.Cluster, Node: o.Node, Name: o.Node.String(), PID: os.Getpid(), IsReady: true}
	for group := range flotilla.GroupID(2) {
		g := cluster.GroupStatus{
			Group: group, Leader: 1, Term: 2, IsHere: true, Role: "follower",
			Commit: 100, Applied: 100 - uint64(o.Node-1), Slots: int(group) * flotilla.Slots,
		}
		if o.Node == 1 {
			g.Role = "leader"
		}
		for i := range o.Members {
			g.Nodes = append(g.Nodes, flotilla.NodeID(i+1))
		}
		s.Groups = append(s.Groups, g)
	}
	return s
}

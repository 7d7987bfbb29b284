package transport

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"flotilla"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// recorder is a Receiver that keeps what came.
type recorder struct {
	mu         sync.Mutex
	frames     map[flotilla.NodeID][]string
	onFrame    func(from flotilla.NodeID, frame []byte)
	onSnapshot func(ctx context.Context, from flotilla.NodeID, header []byte, body io.Reader) error
}

func newRecorder() *recorder { return &recorder{frames: map[flotilla.NodeID][]string{}} }

func (r *recorder) Receive(from flotilla.NodeID, frame []byte) {
	if r.onFrame != nil {
		r.onFrame(from, frame)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.frames[from] = append(r.frames[from], string(frame))
}

func (r *recorder) ReceiveSnapshot(ctx context.Context, from flotilla.NodeID, header []byte, body io.Reader) error {
	if r.onSnapshot == nil {
		_, err := io.Copy(io.Discard, body)
		return err
	}
	return r.onSnapshot(ctx, from, header, body)
}

func (r *recorder) from(id flotilla.NodeID) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.frames[id]...)
}

// logBuffer collects log lines.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) count(text string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.b.String(), text)
}

// node is a running Transport with its recorder.
type node struct {
	*Transport
	*recorder
	log  *logBuffer
	stop func()
}

func basicOptions(id flotilla.NodeID) Options {
	return Options{Cluster: "test", Self: id, Incarnation: 1, Listen: "127.0.0.1:0", Lab: true, Seed: 1}
}

// startNode runs a Transport until stop is called or the test ends.
func startNode(t testing.TB, o Options, r *recorder) *node {
	t.Helper()
	n := &node{recorder: r, log: &logBuffer{}}
	o.Log = slog.New(slog.NewTextHandler(n.log, nil))
	var err error
	if n.Transport, err = New(o); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- n.Run(ctx, r) }()
	n.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("run: %v", err)
		}
	})
	t.Cleanup(n.stop)
	return n
}

// meet makes all nodes peers of each other.
func meet(nodes ...*node) {
	addresses := map[flotilla.NodeID]string{}
	for _, n := range nodes {
		addresses[n.options.Self] = n.Addr()
	}
	for _, n := range nodes {
		n.SetPeers(addresses)
	}
}

// eventually waits for a condition of things outside the test's goroutine.
func eventually(t testing.TB, what string, isTrue func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); <-tick.C {
		if isTrue() {
			return
		}
	}
	t.Fatal("never happened: " + what)
}

func (n *node) statsOf(id flotilla.NodeID) PeerStats {
	for _, p := range n.Transport.Stats().Peers {
		if p.Node == id {
			return p
		}
	}
	return PeerStats{}
}

func awaitConnection(t testing.TB, from, to *node) {
	t.Helper()
	eventually(t, "connection", func() bool { return from.statsOf(to.options.Self).IsConnected })
}

// pair starts two nodes that are connected both ways.
func pair(t testing.TB, a, b Options) (*node, *node) {
	t.Helper()
	na, nb := startNode(t, a, newRecorder()), startNode(t, b, newRecorder())
	meet(na, nb)
	awaitConnection(t, na, nb)
	awaitConnection(t, nb, na)
	return na, nb
}

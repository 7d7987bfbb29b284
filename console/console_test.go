package console

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"flotilla"
	"flotilla/cluster"
	"flotilla/queue"
	"flotilla/queue/intake"
	"flotilla/store/redis"
	"flotilla/transport"

	"github.com/cockroachdb/datadriven"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func example() cluster.Status {
	syncs := flotilla.NewHistogram(flotilla.LatencyBounds())
	for _, seconds := range []float64{0.00005, 0.0002, 0.25, 60} {
		syncs.Observe(seconds)
	}
	sizes := flotilla.NewHistogram(flotilla.SizeBounds())
	sizes.Observe(3)
	return cluster.Status{
		Cluster: "test", Node: 2, Name: "n2", IsReady: true, Turns: 12, StartedAt: 1500,
		Nodes: []cluster.NodeStatus{
			{Node: 1, Name: "n1", Host: "127.0.0.1", StorePort: 6379, HTTPPort: 8080},
			{Node: 2, Name: "n2", Host: "127.0.0.1", StorePort: 6380, HTTPPort: 8081, IsAlive: true},
		},
		Groups: []cluster.GroupStatus{
			{Group: 0, Leader: 1, Term: 3, IsHere: true, Role: "follower", Commit: 9, Applied: 9},
			{Group: 1, Leader: 2, Term: 4, IsHere: true, Role: "leader", Commit: 70, Applied: 70,
				Followers: []cluster.FollowerStatus{{Node: 1, Lag: new(uint64(5))}, {Node: 3}}},
			{Group: 2, Leader: 1, Term: 4},
		},
		Disk:       cluster.DiskStatus{SyncSeconds: 1.5, HasRoom: true, Syncs: syncs},
		EntrySizes: sizes,
	}
}

// TestRequests runs testdata/requests.txt: who may ask for what, read aloud.
// Each case is a request line, then "name: value" headers; "remote" is where the
// request comes from, "state" picks a status, "password" sets one, "network" has the node listen beyond its machine.
func TestRequests(t *testing.T) {
	datadriven.RunTest(t, "testdata/requests.txt", func(t *testing.T, d *datadriven.TestData) string {
		status := example()
		var password, state string
		lab := &Lab{
			Token:  "sesame",
			Faults: func() any { return map[string]int{"outgoing": 0} },
			Set: func(raw []byte) error {
				if string(raw) == "nonsense" {
					return flotilla.Refused(flotilla.TooLarge, "example")
				}
				return nil
			},
			Do: func(raw []byte) error { return fmt.Errorf("told to %s", raw) },
		}
		d.MaybeScanArgs(t, "password", &password)
		d.MaybeScanArgs(t, "state", &state)
		switch state {
		case "starting":
			status.IsReady, status.Groups = false, nil
		case "leaderless":
			status.IsReady, status.Groups[0].Leader, status.Groups[1].Applied = false, 0, 60
		case "draining":
			status.IsDraining = true
		}
		if d.HasArg("nolab") {
			lab = nil
		}
		handler := New(Options{
			Status: func() cluster.Status { return status }, Hosts: []string{"n2.example"}, IsOfNetwork: d.HasArg("network"), Password: password, Lab: lab,
			Hashes: func() cluster.Status { return cluster.Status{Groups: []cluster.GroupStatus{{Hash: "00ff"}}} },
		})
		return answer(handler, d)
	})
}

func answer(handler http.Handler, d *datadriven.TestData) string {
	var path, body string
	request := httptest.NewRequest(http.MethodGet, "/", nil)
	request.Host, request.RemoteAddr = "127.0.0.1:8081", "127.0.0.1:50000"
	for line := range strings.Lines(d.Input) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		switch key {
		case "path":
			path = value
		case "host":
			request.Host = value
		case "remote":
			request.RemoteAddr = value
		case "body":
			body = value
		default:
			request.Header.Set(key, value)
		}
	}
	full := httptest.NewRequest(strings.ToUpper(d.Cmd), path, strings.NewReader(body))
	full.Host, full.RemoteAddr, full.Header = request.Host, request.RemoteAddr, request.Header
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, full)
	lines := strings.SplitAfterN(w.Body.String(), "\n", 5)
	if len(lines) == 5 {
		lines[4] = "...\n"
	}
	return strings.TrimRight(w.Result().Status+"\n"+strings.Join(lines, ""), "\n") + "\n"
}

// TestMetrics compares all metrics of the example's status with testdata/metrics.txt.
func TestMetrics(t *testing.T) {
	datadriven.RunTest(t, "testdata/metrics.txt", func(t *testing.T, _ *datadriven.TestData) string {
		w := httptest.NewRecorder()
		request := httptest.NewRequest(http.MethodGet, "/metrics", nil)
		request.Host = "localhost"
		New(Options{
			Status: example,
			Transport: func() transport.Stats {
				return transport.Stats{Peers: []transport.PeerStats{{Node: 1, IsConnected: true, BytesOut: 77}}}
			},
			Store:     func() redis.Stats { return redis.Stats{Connections: 3, Commands: 12, Writes: example().Disk.Syncs} },
			Queues:    exampleQueues,
			QueueREST: func() intake.Stats { return intake.Stats{Requests: 5, Denied: 1, InFlight: 2} },
			QueueSQS:  func() intake.Stats { return intake.Stats{Requests: 7, Rejected: 3} },
		}).ServeHTTP(w, request)
		var ours strings.Builder
		for line := range strings.Lines(w.Body.String()) {
			if strings.HasPrefix(line, "flotilla_queue_oldest_message_age_seconds{") {
				continue // see TestTheOldestMessagesAge
			}
			if strings.HasPrefix(line, "flotilla_") || strings.HasPrefix(line, "# TYPE flotilla_") {
				ours.WriteString(line)
			}
		}
		return ours.String()
	})
}

// exampleQueues are more queues than are shown, one of them with a message of an hour ago.
func exampleQueues(_ context.Context, limit int64) queue.Summaries {
	hourAgo := flotilla.Millis(time.Now().Add(-time.Hour).UnixMilli())
	return queue.Summaries{HasMore: limit < 1000, Queues: []queue.Summary{
		{QueueName: "mail", Group: 1, Counters: queue.Counters{Ready: 2, Leased: 1, Delayed: 4, Sent: 9, Received: 8, Deleted: 2, Dead: 1, Stale: 3, Duplicates: 5, LeasesEnded: 6, Expired: 7}},
		{QueueName: "old.fifo", Group: 2, OldestSentTimestamp: hourAgo}}}
}

// TestTheOldestMessagesAge is by itself, as it grows while the test runs.
func TestTheOldestMessagesAge(t *testing.T) {
	w := httptest.NewRecorder()
	request := httptest.NewRequest(http.MethodGet, "/metrics", nil)
	request.Host = "localhost"
	New(Options{Status: example, Queues: exampleQueues}).ServeHTTP(w, request)
	for text, isThere := range map[string]bool{
		`flotilla_queue_oldest_message_age_seconds{group="g1",queue="mail"} 0` + "\n":     true,
		`flotilla_queue_oldest_message_age_seconds{group="g2",queue="old.fifo"} 36`:       true,
		`flotilla_queue_oldest_message_age_seconds{group="g2",queue="old.fifo"} 0` + "\n": false,
		"flotilla_sqs": false,
	} {
		if strings.Contains(w.Body.String(), text) != isThere {
			t.Errorf("%s is there: %v", text, !isThere)
		}
	}
}

func TestServeEndsWithItsContext(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- Serve(ctx, listener, New(Options{Status: example}), slog.New(slog.DiscardHandler))
	}()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Get("http://" + listener.Addr().String() + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	raw, err := io.ReadAll(res.Body)
	if err != nil || string(raw) != "ok\n" {
		t.Fatalf("%q %v", raw, err)
	}
	if err := res.Body.Close(); err != nil {
		t.Fatal(err)
	}
	stop()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
}

func TestServeTellsWhenItsListenerFails(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	if err := Serve(t.Context(), listener, http.NotFoundHandler(), slog.New(slog.DiscardHandler)); err == nil {
		t.Fatal("no error")
	}
}

// TestOnlyFilesOfPagesAreServed: no list of them, and no template as it is; and a page's forms and links
// lead nowhere else.
func TestOnlyFilesOfPagesAreServed(t *testing.T) {
	handler := New(Options{Status: example})
	for path, code := range map[string]int{"/static/live.js": 200, "/static/style.css": 200, "/static/": 404, "/static/live.html": 404, "/static/none.js": 404} {
		request := httptest.NewRequest(http.MethodGet, path, nil)
		request.Host = "127.0.0.1:8081"
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, request)
		if w.Code != code {
			t.Errorf("%s: %d, want %d", path, w.Code, code)
		}
		if policy := w.Header().Get("Content-Security-Policy"); !strings.Contains(policy, "form-action 'self'") || !strings.Contains(policy, "base-uri 'none'") {
			t.Errorf("%s: %s", path, policy)
		}
	}
}

package console

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"flotilla"
	"flotilla/cluster"
	"flotilla/supervisor"
)

// TestFaultsAreJudgedByThePresent: with no page open nobody asks the nodes. Whether a fault loses the
// majority, and what it will do, is judged by what they answer then, not by what they last said.
func TestFaultsAreJudgedByThePresent(t *testing.T) {
	nodes := &[]flotilla.NodeInfo{}
	var asked atomic.Int32 // faults that were done
	servers := map[flotilla.NodeID]*httptest.Server{}
	consoles := map[flotilla.NodeID]*Console{}
	for id := flotilla.NodeID(1); id <= 3; id++ {
		client := &http.Client{Transport: &http.Transport{}}
		t.Cleanup(client.CloseIdleConnections)
		role := map[bool]string{true: "leader", false: "follower"}[id == 1]
		status := cluster.Status{Node: id, IsReady: true, Groups: []cluster.GroupStatus{{Group: 1, Leader: 1, Term: 3, IsHere: true, Role: role, Slots: 16384}}}
		host := knownHost{self: id, nodes: nodes, groups: []flotilla.GroupInfo{{ID: 1, Nodes: []flotilla.NodeID{1, 2, 3}}}}
		consoles[id] = New(Options{Status: func() cluster.Status { return status }, Host: host, Journal: cluster.NewJournal(id, func() int64 { return 1 }),
			Micros: func() int64 { return 1 }, Peers: &Peers{Client: client}, Log: slog.New(slog.DiscardHandler),
			Lab: &Lab{Token: "sesame", Change: func(supervisor.Request) (string, error) { asked.Add(1); return "done", nil }}})
		servers[id] = httptest.NewServer(consoles[id])
		t.Cleanup(servers[id].Close)
		address, _ := url.Parse(servers[id].URL)
		port, _ := strconv.Atoi(address.Port())
		*nodes = append(*nodes, flotilla.NodeInfo{ID: id, Host: "127.0.0.1", HTTPPort: port})
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	read := func(res *http.Response, err error) (int, string) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		text, _ := io.ReadAll(res.Body)
		return res.StatusCode, string(text)
	}
	isolate := func() (int, string) {
		return read(client.Post(servers[2].URL+"/api/fault", "application/json", strings.NewReader(`{"verb": "isolate", "node": 3, "token": "sesame"}`)))
	}
	if code, text := isolate(); code != http.StatusOK {
		t.Fatalf("with all there: %d %s", code, text)
	}
	servers[1].Close()
	if code, text := isolate(); code != http.StatusConflict || !strings.Contains(text, "g1 would have no majority") || asked.Load() != 1 {
		t.Errorf("after n1 was lost: %d %s", code, text)
	}
	w := consoles[2].watcher
	w.mu.Lock()
	for _, h := range w.nodes {
		h.askedAt = h.askedAt.Add(-lingerPeriod) // as if the last page had gone long ago, before n1 was lost
		h.answers = true
	}
	w.mu.Unlock()
	code, text := read(client.Get(servers[2].URL + "/api/fault/expect?verb=isolate&node=3"))
	if code != http.StatusOK || !strings.Contains(text, "g1 would have no majority") {
		t.Errorf("foreseen after n1 was lost: %d %s", code, text)
	}
}

package queuetab_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"flotilla"
	"flotilla/cluster"
	"flotilla/console"
	"flotilla/console/queuetab"
	"flotilla/queue"
	"flotilla/queue/rest"
	"flotilla/queue/rest/resttest"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// pages are the consoles of a real cluster, in the test's own process.
type pages struct {
	t       *testing.T
	cluster *resttest.Cluster
	nodes   []http.Handler
}

func start(t *testing.T, nodes, groups int) *pages {
	p := &pages{t: t, cluster: resttest.Start(t, nodes, groups)}
	for _, n := range p.cluster.Nodes {
		n.Handler.Credentials = map[string]string{"alice": "secret"} // the page needs none
		keeper := &queuetab.Keeper{Summaries: n.Client.Summaries}
		tab := queuetab.New(queuetab.Options{Host: n.Server, Client: n.Client, REST: n.Handler, Keeper: keeper, Ask: p.ask})
		p.nodes = append(p.nodes, console.New(console.Options{Status: func() cluster.Status { return cluster.Status{} }, Tabs: []console.Tab{tab}}))
	}
	return p
}

// ask carries a question from one node's console to another's.
func (p *pages) ask(ctx context.Context, to flotilla.NodeInfo, path string) (*http.Response, error) {
	if p.nodes[to.ID-1] == nil {
		return nil, fmt.Errorf("%v is down", to.ID)
	}
	r := httptest.NewRequest(http.MethodGet, path, nil).WithContext(ctx)
	r.Host = "127.0.0.1"
	w := httptest.NewRecorder()
	p.nodes[to.ID-1].ServeHTTP(w, r)
	return w.Result(), nil
}

// try has a page of a node ask for something.
func (p *pages) try(node int, method, path, body string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Host, r.RemoteAddr = "127.0.0.1:8080", "127.0.0.1:50000"
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Origin", "http://127.0.0.1:8080")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	p.nodes[node-1].ServeHTTP(w, r)
	return w
}

// must is try for what is answered well, read into into.
func (p *pages) must(node int, method, path, body string, into any) {
	p.t.Helper()
	w := p.try(node, method, path, body)
	if w.Code/100 != 2 {
		p.t.Fatalf("%s %s: %d %s", method, path, w.Code, w.Body)
	}
	if into != nil {
		if err := json.Unmarshal(w.Body.Bytes(), into); err != nil {
			p.t.Fatalf("%s %s: %v: %s", method, path, err, w.Body)
		}
	}
}

const api = "/queue/api/v1/queues"

// TestAJobsLifeIsToldByAllNodes works at different nodes, and asks a third one.
func TestAJobsLifeIsToldByAllNodes(t *testing.T) {
	p := start(t, 3, 2)
	p.must(1, "PUT", api+"/mail-dead", `{"attributes": {}}`, nil)
	p.must(1, "PUT", api+"/mail", `{"attributes": {"RedrivePolicy": "{\"deadLetterTargetArn\": \"mail-dead\", \"maxReceiveCount\": 2}"}}`, nil)
	var sent rest.Sent
	p.must(1, "POST", api+"/mail/messages", `{"messages": [{"body": "secret"}]}`, &sent)
	id := sent.Results[0].ID
	var got rest.Received
	p.must(2, "POST", api+"/mail/leases", `{"lease_seconds": 60, "wait_seconds": 5}`, &got)
	var life queuetab.Life
	p.must(3, "GET", "/queue/api/life?queue=mail&id="+id, "", &life)
	if kinds(life) != "sent@1 leased@2" || life.Message == nil || life.Message.State != "leased" || life.Message.Receives != 1 || life.Steps[1].By.Key != "console" || life.Steps[1].By.Address != "127.0.0.1:50000" {
		t.Errorf("%s: %+v", kinds(life), life)
	}
	// A worker of another door, by a receipt which says nothing of the id, at a third node.
	client := &rest.Client{Addresses: p.cluster.Addresses()[2:], AccessKey: "alice", Secret: "secret"}
	defer client.Close()
	if results, err := client.Release(t.Context(), "mail", rest.Release{Receipts: []string{got.Messages[0].Receipt}}); err != nil || results[0].Problem != nil {
		t.Fatal(results, err)
	}
	p.must(2, "POST", api+"/mail/leases", `{"lease_seconds": 1, "wait_seconds": 5}`, &got)
	deadline := time.Now().Add(20 * time.Second)
	for time.Now().Before(deadline) && !strings.Contains(kinds(life), "dead@0") {
		life = queuetab.Life{}
		p.must(1, "GET", "/queue/api/life?queue=mail&id="+id, "", &life)
	}
	if !strings.HasPrefix(kinds(life), "sent@1 leased@2 released@3 leased@2 lapsed@0 dead@0") || life.Queue != "mail-dead" || life.Steps[2].By.Key != "alice" {
		t.Errorf("%s: %+v", kinds(life), life)
	}
	// Who is late changes nothing, and does not say where it is.
	p.must(2, "POST", api+"/mail/leases/finish", fmt.Sprintf(`{"leases": [{"receipt": %q}]}`, got.Messages[0].Receipt), nil)
	life = queuetab.Life{}
	for time.Now().Before(deadline) && life.Message == nil { // it may have to go to another group
		p.must(1, "GET", "/queue/api/life?queue=mail&id="+id+"&position=1", "", &life)
	}
	if kinds(life) != "sent@1 leased@2 released@3 leased@2 lapsed@0 dead@0 finished@2 arrived@0" || !life.Steps[6].IsVoid || life.Queue != "mail-dead" || life.Message == nil || life.Message.MovedFrom != "mail" {
		t.Errorf("%s: %+v", kinds(life), life)
	}
	raw, _ := json.Marshal(life)
	if strings.Contains(string(raw), "secret") {
		t.Errorf("a body is told: %s", raw)
	}
	// A node that does not answer is named, and what it noted is missing.
	p.nodes[1] = nil
	life = queuetab.Life{}
	p.must(3, "GET", "/queue/api/life?queue=mail&id="+id, "", &life)
	if len(life.Silent) != 1 || life.Silent[0] != 2 || kinds(life) != "sent@1 released@3 lapsed@0 dead@0 arrived@0" {
		t.Errorf("%s: %+v", kinds(life), life)
	}
}

func kinds(l queuetab.Life) string {
	var all []string
	for _, s := range l.Steps {
		all = append(all, fmt.Sprintf("%v@%d", s.Kind, s.Node))
	}
	return strings.Join(all, " ")
}

// TestDepthsAreOfTheWholeCluster asks each node for the queues of both groups.
func TestDepthsAreOfTheWholeCluster(t *testing.T) {
	p := start(t, 3, 2)
	for i := range 6 {
		p.must(1, "PUT", fmt.Sprintf("%s/q%d", api, i), `{}`, nil)
	}
	p.must(2, "POST", api+"/q3/messages", `{"messages": [{"body": "x"}, {"body": "y", "delay_seconds": 60}]}`, nil)
	for node := 1; node <= 3; node++ {
		var all queuetab.Depths
		p.must(node, "GET", "/queue/api/depths", "", &all)
		if len(all.Queues) != 6 || len(all.Failed) != 0 || all.Queues[3].Ready != 1 || all.Queues[3].Delayed != 1 || all.Queues[3].AgeMs == 0 || all.Queues[3].Leader == 0 || all.Queues[0].AgeMs != 0 {
			t.Errorf("node %d: %+v", node, all)
		}
	}
	var hour queuetab.Hour
	p.must(1, "GET", "/queue/api/hour?queue=q3", "", &hour)
	if hour.Samples == nil || len(hour.Silent) != 0 {
		t.Errorf("%+v", hour)
	}
	p.cluster.Nodes[1].Stop()
	p.cluster.Nodes[2].Stop()
	p.nodes[1], p.nodes[2] = nil, nil
	var all queuetab.Depths
	p.must(1, "GET", "/queue/api/depths", "", &all)
	if len(all.Failed) != 2 || len(all.Queues) != 0 {
		t.Errorf("without a majority: %+v", all)
	}
	if w := p.try(1, "POST", api+"/q3/messages", `{"messages": [{"body": "x"}]}`); w.Code < 500 || !strings.Contains(w.Body.String(), "error") {
		t.Errorf("without a majority: %d %s", w.Code, w.Body)
	}
	var life queuetab.Life
	p.must(1, "GET", "/queue/api/life?queue=q3&id=01020304-0506-8708-890a-0b0c0d0e0f10", "", &life)
	if life.Unanswered == "" {
		t.Errorf("without a majority: %+v", life)
	}
}

// TestOthersPagesAreRefused whatever they would change, and with whatever method.
func TestOthersPagesAreRefused(t *testing.T) {
	p := start(t, 1, 1)
	p.must(1, "PUT", api+"/q", `{}`, nil)
	p.must(1, "POST", api+"/q/messages", `{"messages": [{"body": "x"}]}`, nil)
	for _, ask := range []struct{ method, path, body string }{
		{"PUT", api + "/other", `{}`}, {"PATCH", api + "/q", `{"attributes": {"VisibilityTimeout": "1"}}`}, {"DELETE", api + "/q", ""},
		{"DELETE", api + "/q/messages", ""}, {"POST", api + "/q/messages", `{"messages": [{"body": "y"}]}`}, {"POST", api + "/q/leases", `{}`},
		{"POST", api + "/q/moves", `{}`}, {"DELETE", api + "/q/moves/t", ""}, {"PUT", api + "/q/recurring/r", `{}`},
	} {
		for _, header := range [][]string{{"Origin", "http://evil.example"}, {"Origin", "null"}, {"Sec-Fetch-Site", "cross-site"}} {
			if w := p.try(1, ask.method, ask.path, ask.body, header...); w.Code != http.StatusForbidden {
				t.Errorf("%s %s with %v: %d %s", ask.method, ask.path, header, w.Code, w.Body)
			}
		}
	}
	r := httptest.NewRequest("GET", api+"/q/messages", nil)
	r.Host = "evil.example"
	w := httptest.NewRecorder()
	p.nodes[0].ServeHTTP(w, r)
	if w.Code != http.StatusForbidden {
		t.Errorf("by another name: %d", w.Code)
	}
	var about rest.Queue
	p.must(1, "GET", api+"/q", "", &about)
	if about.Counters.Ready != 1 || about.Attributes["VisibilityTimeout"] != "30" {
		t.Errorf("something was changed: %+v", about)
	}
}

// TestClosedTabDoesNothing where the queue asks for keys, and the console for no password.
func TestClosedTabDoesNothing(t *testing.T) {
	tab := queuetab.New(queuetab.Options{IsClosed: true})
	p := &pages{t: t, nodes: []http.Handler{console.New(console.Options{Status: func() cluster.Status { return cluster.Status{} }, Tabs: []console.Tab{tab}})}}
	for _, ask := range []string{"GET " + api, "PUT " + api + "/q", "GET /queue/api/depths", "GET /queue/api/hour", "GET /queue/api/life?queue=q&id=x", "GET /queue/api/self/life?id=x"} {
		method, path, _ := strings.Cut(ask, " ")
		if w := p.try(1, method, path, "{}"); w.Code != http.StatusForbidden || !strings.Contains(w.Body.String(), "--password-file") {
			t.Errorf("%s: %d %s", ask, w.Code, w.Body)
		}
	}
	p.must(1, "GET", "/queue/static/queue.js", "", nil)
}

// TestBadInput is answered in the machine's own words.
func TestBadInput(t *testing.T) {
	p := start(t, 1, 1)
	p.must(1, "PUT", api+"/q", `{}`, nil)
	for _, test := range []struct {
		method, path, body string
		status             int
		says               string
	}{
		{"GET", api + "/nothing", "", 404, "queue does not exist"},
		{"PUT", api + "/a%20b", `{}`, 400, "alphanumeric"},
		{"POST", api + "/q/messages", `{"messages": [{"body": "` + strings.Repeat("x", queue.MaxMessageBytes) + `xx"}]}`, 200, "must be shorter than"},
		{"POST", api + "/q/messages", strings.Repeat(" ", 9<<20), 413, "at most"},
		{"POST", api + "/q/messages", `{"messages": [{"body": "a", "delay_seconds": 901}]}`, 200, "DelaySeconds"},
		{"POST", api + "/q/leases/finish", `{"leases": [{"receipt": "nonsense"}]}`, 200, "receipt handle"},
		{"POST", api + "/q/moves", `{"destination": "nothing"}`, 404, "doesn't exist"},
		{"GET", "/queue/api/life?queue=q", "", 400, "by queue and id"},
		{"GET", "/queue/api/life?queue=q&id=nonsense", "", 404, "No node remembers"},
		{"GET", "/queue/api/life?queue=nothing&id=nonsense", "", 200, "queue does not exist"},
		{"GET", "/queue/api/life?queue=q&id=01020304-0506-8708-890a-0b0c0d0e0f10&position=x", "", 404, "No node remembers"},
		{"GET", "/queue/api/self/life?id=x&spot=1&spot=a/b/c", "", 200, "null"},
		{"GET", "/queue/api/nothing", "", 404, ""},
	} {
		if w := p.try(1, test.method, test.path, test.body); w.Code != test.status || !strings.Contains(w.Body.String(), test.says) {
			t.Errorf("%s %.60s: %d %.300s", test.method, test.path, w.Code, w.Body)
		}
	}
}

// TestLivesThatWereForgotten are told by the message itself.
func TestLivesThatWereForgotten(t *testing.T) {
	p := start(t, 2, 1)
	p.must(1, "PUT", api+"/q", `{"attributes": {"ResultRetentionPeriod": "60"}}`, nil)
	var sent rest.Sent
	p.must(1, "POST", api+"/q/messages", `{"messages": [{"body": "x"}]}`, &sent)
	var got rest.Received
	p.must(1, "POST", api+"/q/leases", `{"lease_seconds": 60, "wait_seconds": 5}`, &got)
	first := p.nodes[0]
	p.nodes[0] = nil
	var life queuetab.Life
	p.must(2, "GET", "/queue/api/life?queue=q&id="+sent.Results[0].ID, "", &life)
	if kinds(life) != "sent@0" || life.Forgotten != 1 || life.Message.FirstMs == 0 || !strings.Contains(life.Steps[0].Says, "no node remembers") {
		t.Errorf("%s: %+v", kinds(life), life)
	}
	p.nodes[0] = first
	p.must(2, "POST", api+"/q/leases/finish", fmt.Sprintf(`{"leases": [{"receipt": %q, "result": "<b>42</b>"}]}`, got.Messages[0].Receipt), nil)
	life = queuetab.Life{}
	p.must(2, "GET", "/queue/api/life?queue=q&id="+sent.Results[0].ID, "", &life)
	if kinds(life) != "sent@1 leased@1 finished@2" || life.Ended != queue.JobSucceeded || life.Result != "<b>42</b>" || life.Message != nil {
		t.Errorf("%s: %+v", kinds(life), life)
	}
}

package console

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"flotilla"
	"flotilla/cluster"
	"flotilla/supervisor"
)

// knownHost knows a topology, and can do nothing.
type knownHost struct {
	flotilla.Host
	self   flotilla.NodeID
	nodes  *[]flotilla.NodeInfo
	groups []flotilla.GroupInfo
}

func (h knownHost) Self() flotilla.NodeID { return h.self }

func (h knownHost) Topology() *flotilla.Topology {
	return &flotilla.Topology{Nodes: *h.nodes, Groups: h.groups}
}

// byHand starts the consoles of three nodes without a supervisor: n1 and n2 of one lab, n3 of
// none, and n4 is not there. What a node is asked to do goes into asked.
func byHand(t *testing.T) (pages map[flotilla.NodeID]string, asked map[flotilla.NodeID][]supervisor.Request) {
	pages, asked = map[flotilla.NodeID]string{}, map[flotilla.NodeID][]supervisor.Request{}
	nodes := &[]flotilla.NodeInfo{}
	for id := flotilla.NodeID(1); id <= 3; id++ {
		client := &http.Client{Transport: &http.Transport{}}
		t.Cleanup(client.CloseIdleConnections)
		o := Options{Status: func() cluster.Status { return cluster.Status{} }, Host: knownHost{self: id, nodes: nodes}, Journal: cluster.NewJournal(id, func() int64 { return 1 }),
			Micros: func() int64 { return 1 }, Peers: &Peers{Client: client, Password: "nodes"}, Password: "nodes", Log: slog.New(slog.DiscardHandler)}
		if id < 3 {
			o.Lab = &Lab{Token: "sesame", Keeper: Compose, Change: func(r supervisor.Request) (string, error) {
				asked[id] = append(asked[id], r)
				if r.Verb == supervisor.Slow {
					return "", errors.New("too slow")
				}
				return id.String() + " did it", nil
			}}
		}
		server := httptest.NewServer(New(o))
		t.Cleanup(server.Close)
		address, _ := url.Parse(server.URL)
		port, _ := strconv.Atoi(address.Port())
		pages[id] = server.URL
		*nodes = append(*nodes, flotilla.NodeInfo{ID: id, Host: "127.0.0.1", HTTPPort: port})
	}
	*nodes = append(*nodes, flotilla.NodeInfo{ID: 4, Host: "127.0.0.1", HTTPPort: 1})
	return pages, asked
}

// TestFaultsByHand: who has the token has nodes break themselves, also those that the page is
// not of; what can not be done says why, and faults of processes what to type.
func TestFaultsByHand(t *testing.T) {
	pages, asked := byHand(t)
	ask := func(node flotilla.NodeID, path, body string) (int, string) {
		t.Helper()
		req, _ := http.NewRequest(http.MethodPost, pages[node]+path, strings.NewReader(body))
		req.SetBasicAuth("any", "nodes")
		res, err := (&http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		text := &strings.Builder{}
		_ = res.Write(text)
		return res.StatusCode, text.String()
	}
	for _, c := range []struct {
		body string
		code int
		says string
	}{
		{`{"verb": "isolate", "node": 2, "sure": true}`, 403, "the lab's token is asked for"},
		{`{"verb": "isolate", "node": 2, "sure": true, "token": "sesam"}`, 403, "the lab's token is asked for"},
		{`{"verb": "isolate", "node": 1, "sure": true, "token": "sesame"}`, 200, "n1 did it"},
		{`{"verb": "isolate", "node": 2, "sure": true, "token": "sesame"}`, 200, "n2 did it"},
		{`{"verb": "slow", "node": 2, "token": "sesame"}`, 200, "n2: too slow"},
		{`{"verb": "isolate", "node": 3, "sure": true, "token": "sesame"}`, 200, "n3 was not started with --lab"},
		{`{"verb": "isolate", "node": 4, "sure": true, "token": "sesame"}`, 200, "n4 can not be asked from here: use its own page"},
		{`{"verb": "isolate", "node": 9, "token": "sesame"}`, 400, "there is no node n9: this cluster has [n1 n2 n3 n4]"},
		{`{"verb": "explode", "node": 2, "token": "sesame"}`, 400, "the faults are [kill restart"},
		{`{"verb": "slow", "node": 2, "delay_ms": -5, "token": "sesame"}`, 400, "a delay of -5 ms: use 0 to 30000"},
		{`{"verb": "slow-disk", "node": 2, "delay_ms": -5, "token": "sesame"}`, 400, "give 0 to 5000"},
		{`{"verb": "clock", "node": 2, "ahead_ms": 86400001, "token": "sesame"}`, 400, "give up to 86400000"},
		{`{"verb": "cut", "node": 2, "to": 2, "token": "sesame"}`, 400, "no link from n2 to n2"},
		{`{"verb": "kill", "node": 2, "sure": true, "token": "sesame"}`, 501, "docker compose kill n2"},
		{`{"verb": "heal", "node": 0, "token": "sesame"}`, 200, "n2 did it"},
	} {
		if code, text := ask(1, "/api/fault", c.body); code != c.code || !strings.Contains(text, c.says) {
			t.Errorf("%s: %d %s", c.body, code, text)
		}
	}
	verbs := func(node flotilla.NodeID) (all string) {
		for _, r := range asked[node] {
			all += string(r.Verb) + " "
		}
		return all
	}
	if verbs(1) != "isolate heal " || verbs(2) != "isolate slow heal " {
		t.Errorf("n1 was asked to %s, n2 to %s", verbs(1), verbs(2))
	}
	if code, text := ask(2, supervisor.ChangePath, `{"verb": "heal"}`); code != http.StatusUnauthorized {
		t.Errorf("without a token: %d %s", code, text)
	}
	if code, text := ask(3, "/api/fault", `{"verb": "isolate", "node": 3, "token": "sesame"}`); code != http.StatusNotFound && code != http.StatusMethodNotAllowed {
		t.Errorf("a node of no lab: %d %s", code, text)
	}
}

// TestExpectRefusesWhatCanNotBe with a sentence that says what is possible.
func TestExpectRefusesWhatCanNotBe(t *testing.T) {
	pages, _ := byHand(t)
	for query, want := range map[string]string{
		"verb=isolate&node=2":                   `"says":`,
		"verb=heal&node=0":                      `"says":`,
		"verb=kill&node=2":                      "docker compose kill n2",
		"verb=isolate&node=9":                   "400 there is no node n9",
		"verb=isolate&node=n2":                  "400 node=n2: give a whole number",
		"verb=isolate&node=4294967298":          "400 node=4294967298: give",
		"verb=isolate":                          "400 there is no node n0",
		"verb=explode&node=2":                   "400 \"explode\" is no fault",
		"verb=slow&node=2&delay_ms=-5":          "400 a delay of -5 ms: use 0 to 30000",
		"verb=cut&node=2&to=9":                  "400 there is no link from n2 to n9",
		"verb=cut&node=2&to=3&one_way&ahead_ms": "400 ahead_ms=: give",
	} {
		req, _ := http.NewRequest(http.MethodGet, pages[1]+"/api/fault/expect?"+query, nil)
		req.SetBasicAuth("any", "nodes")
		res, err := (&http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(res.Body)
		_ = res.Body.Close()
		got := string(text)
		if res.StatusCode != http.StatusOK {
			got = fmt.Sprint(res.StatusCode, " ", got)
		}
		if strings.HasPrefix(want, "400") != (res.StatusCode == http.StatusBadRequest) || !strings.Contains(got, want) {
			t.Errorf("%s: %s, want %s", query, got, want)
		}
	}
}

// TestLabChangesRefuseWhatCanNotBe: what one node asks of another is checked there as well.
func TestLabChangesRefuseWhatCanNotBe(t *testing.T) {
	o := Options{Lab: &Lab{Token: "sesame", Change: func(r supervisor.Request) (string, error) {
		_, line, err := (supervisor.Faults{}).After(r, 2, []flotilla.NodeID{1, 3})
		return line, err
	}}}
	for body, want := range map[string]string{
		`{"verb": "explode", "nodes": [2]}`:              "the faults are [kill restart",
		`{"verb": "slow", "nodes": [2], "delay_ms": -5}`: "use 0 to 30000",
		`{"verb": "isolate", "nodes": [9]}`:              "this fleet has n1 to n3",
	} {
		req := httptest.NewRequest(http.MethodPost, supervisor.ChangePath, strings.NewReader(body))
		req.Host = "localhost"
		req.Header.Set("Authorization", "Bearer sesame")
		w := httptest.NewRecorder()
		New(o).ServeHTTP(w, req)
		if w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s: %d %s", body, w.Code, w.Body)
		}
	}
}

// TestWhatToType: each keeper has words for each fault of a process.
func TestWhatToType(t *testing.T) {
	n := NodePicture{Node: 2, PID: 4711}
	for _, k := range []Keeper{Compose, Kubernetes, Systemd, Nobody} {
		for _, verb := range []supervisor.Verb{supervisor.Kill, supervisor.Restart, supervisor.Pause, supervisor.Resume, supervisor.Wipe} {
			says, command := k.handSays(verb, n)
			if says == "" || strings.HasSuffix(says, ":") != (command != "") || strings.Contains(command, "NODE") || strings.Contains(command, "ID") {
				t.Errorf("%s, %s: %q, %q", k, verb, says, command)
			}
		}
		if k.Command(supervisor.Cut, n) != "" || k.Command(supervisor.SlowDisk, n) != "" {
			t.Errorf("%s: a fault within the node has a command", k)
		}
	}
	for want, got := range map[string]string{
		"docker compose unpause n2":                              Compose.Command(supervisor.Resume, n),
		"kubectl delete pod flotilla-2 --grace-period=0 --force": Kubernetes.Command(supervisor.Kill, n),
		"docker compose rm --stop --force n2 && docker volume rm flotilla_n2 && LAB=true LAB_TOKEN=TOKEN JOIN=true docker compose up -d n2": Compose.Command(supervisor.Wipe, n),
		"kill -STOP 4711": Nobody.Command(supervisor.Pause, n),
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// TestNoProcessIsGuessed: of a node whose process id is not known, no command is said. 0 would be the
// shell that it is typed into, with all that runs in it.
func TestNoProcessIsGuessed(t *testing.T) {
	unheard := NodePicture{Node: 2}
	for verb, want := range map[supervisor.Verb]string{
		supervisor.Kill:    "Its process id is not known here",
		supervisor.Pause:   "Its process id is not known here",
		supervisor.Resume:  "Its process id is not known here",
		supervisor.Restart: "start it as you did before",
		supervisor.Wipe:    "end it, delete its --dir",
	} {
		if says, command := Nobody.handSays(verb, unheard); command != "" || !strings.Contains(says, want) {
			t.Errorf("%s: %q, %q", verb, says, command)
		}
	}
	for _, k := range []Keeper{Compose, Kubernetes, Systemd} { // these find the process themselves
		if k.Command(supervisor.Kill, unheard) == "" {
			t.Errorf("%s has no command", k)
		}
	}
}

// TestPeersAreAskedWhereTheyAnswer: between nodes first, and where clients reach them if
// that fails; where both are the same there is one way only.
func TestPeersAreAskedWhereTheyAnswer(t *testing.T) {
	p := &Peers{Port: 8080}
	n := flotilla.NodeInfo{ID: 2, Host: "example.org", HTTPPort: 8081, PeerAddr: "n2:7001"}
	for _, want := range []string{"n2:8080", "example.org:8081", "n2:8080"} {
		if got, hasTwo := p.address(n); got != want || !hasTwo {
			t.Errorf("asked at %s, want %s", got, want)
		}
		p.turn(2)
	}
	n.Host = "n2"
	if got, hasTwo := p.address(n); got != "n2:8081" || hasTwo {
		t.Errorf("asked at %s", got)
	}
}

// TestALinkBrokenAtItsEnd shows as one that is broken where it begins.
func TestALinkBrokenAtItsEnd(t *testing.T) {
	w := &watcher{nodes: map[flotilla.NodeID]*heard{}}
	var wrong supervisor.Faults
	if err := json.Unmarshal([]byte(`{"incoming": {"1": {"cut": true}}, "outgoing": {"1": {"delay_ms": 5}}}`), &wrong); err != nil {
		t.Fatal(err)
	}
	w.nodes[2] = &heard{wrong: wrong}
	nodes := []NodePicture{{Node: 1}, {Node: 2, Faults: wrong.Outgoing}}
	w.addIncoming(nodes)
	if !nodes[0].Faults[2].Cut || nodes[1].Faults[1].Cut || nodes[1].Faults[1].DelayMillis != 5 || len(wrong.Outgoing) != 1 {
		t.Errorf("%+v", nodes)
	}
}

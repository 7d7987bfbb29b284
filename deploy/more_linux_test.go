package deploy

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"flotilla/cluster"
	"flotilla/consensus"
	"flotilla/lab/labtest"
)

// labToken is what the tests' clusters ask for before they break themselves.
const labToken = "sesame"

// checkKeeping looks at where data is, and who reaches the ports: a volume that has no name is
// not found again by the next container, and beyond this machine anybody may write.
func (c *containers) checkKeeping() {
	for _, n := range c.nodes {
		const mounts = "{{range .Mounts}}{{.Type}} {{.Name}} {{.Destination}};{{end}}"
		if got, want := c.inspect(n.Name(), mounts), fmt.Sprintf("volume %s_%s /data;", c.project, n.Name()); got != want {
			c.t.Errorf("%s keeps its data in %q, want %q", n.Name(), got, want)
		}
		const ports = "{{range .HostConfig.PortBindings}}{{range .}}{{.HostIp}} {{end}}{{end}}"
		if got := c.inspect(n.Name(), ports); got != "127.0.0.1 127.0.0.1 127.0.0.1" { // the engine's last space is cut
			c.t.Errorf("%s is reached at %q", n.Name(), got)
		}
		if got := c.inspect(n.Name(), "{{.Config.StopTimeout}}"); got != "30" {
			c.t.Errorf("%s has %s s to stop in good order", n.Name(), got)
		}
	}
}

// loseMajority pauses all nodes but one: the engine must not go on finding that one healthy.
func (b *breaker) loseMajority(t *testing.T) {
	for _, n := range b.nodes[1:] {
		docker(t, "pause", b.container(n.Name()))
	}
	b.until(time.Minute, "a node without a majority to be unhealthy", b.nodes[0].Name(), "{{.State.Health.Status}}", "unhealthy")
	for _, n := range b.nodes[1:] {
		docker(t, "unpause", b.container(n.Name()))
	}
	b.until(time.Minute, "it to be healthy again", b.nodes[0].Name(), "{{.State.Health.Status}}", "healthy")
}

// loseVolume takes a node's container and volume away, and starts it as the first time. It must
// not take part as the copies that it lost: these voted and acknowledged.
func (b *breaker) loseVolume(t *testing.T) {
	node := b.nodes[len(b.nodes)-1]
	docker(t, "rm", "--force", b.container(node.Name()))
	docker(t, "volume", "rm", b.project+"_"+node.Name())
	b.writer.goesOn(t, recoveryTime, "without "+node.Name())
	b.compose("up", "--detach", "--no-deps", node.Name())
	var told string
	labtest.Eventually(t, time.Minute, node.Name()+" to have new copies of all groups", func() bool {
		told = b.ask(http.MethodGet, node.HTTPAddr(), "/api/status", "")
		var status cluster.Status
		if json.Unmarshal([]byte(told), &status) != nil || len(status.Groups) == 0 {
			return false
		}
		for _, g := range status.Groups {
			if g.IsHere && !consensus.IsFresh(g.Replica) {
				t.Fatalf("%s lost its data, and takes part in %v as copy %d", node.Name(), g.Group, g.Replica)
			}
			if !g.IsHere || g.Role != "follower" && g.Role != "leader" {
				return false
			}
		}
		return true
	}, func() string { return told })
	// A leader that remembers what the copies once had would have them stop, as damaged: too
	// late, if there is none.
	if restarts := b.inspect(node.Name(), "{{.RestartCount}}"); restarts != "0" {
		t.Errorf("%s died %s times before it asked for new copies", node.Name(), restarts)
	}
}

// ask sends a request to a node's console, and returns what it answered.
func (c *containers) ask(method, address, path, body string) string {
	req, err := http.NewRequest(method, "http://"+address+path, strings.NewReader(body))
	if err != nil {
		return err.Error()
	}
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Do(req)
	if err != nil {
		return err.Error()
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// breakFromPage does what a page does: one node's console has the leader cut itself off, and mend
// itself; what only the engine can do it says how to type.
func (b *breaker) breakFromPage(t *testing.T) {
	leader := b.leader()
	asked := b.nodes[0]
	if asked.Name() == leader {
		asked = b.nodes[1]
	}
	fault := func(verb, node string) string {
		return b.ask(http.MethodPost, asked.HTTPAddr(), "/api/fault", fmt.Sprintf(`{"verb": %q, "node": %s, "sure": true, "token": %q}`, verb, strings.TrimPrefix(node, "n"), labToken))
	}
	if said := fault("isolate", leader); !strings.Contains(said, leader+" is cut off from all other nodes") {
		t.Fatalf("asked by way of %s to cut %s off: %s", asked.Name(), leader, said)
	}
	b.writer.goesOn(t, recoveryTime, "with a leader that cut itself off")
	if now := b.leader(); now == leader {
		t.Errorf("%s is cut off, and still leads", leader)
	}
	if said, want := fault("kill", leader), "docker compose kill "+leader; !strings.Contains(said, want) {
		t.Errorf("asked for a kill it says %q, want %q", said, want)
	}
	if said := fault("heal", "0"); !strings.Contains(said, leader+" mended what was wrong") || strings.Contains(said, `"error"`) {
		t.Errorf("asked to mend: %s", said)
	}
}

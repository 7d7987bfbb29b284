package deploy

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"flotilla"
	"flotilla/lab/labtest"
	"flotilla/supervisor"
)

var composeTool = flag.String("compose", "", `which Compose to use, such as "docker compose"; empty: the first that is there`)

func TestMain(m *testing.M) { labtest.Main(m) }

// commandTime bounds one command to the engine.
const commandTime = 2 * time.Minute

// containers is a cluster that Compose started.
type containers struct {
	t       *testing.T // who uses it now
	project string
	files   []string
	environ []string
	image   string
	nodes   []supervisor.NodePlan // with the ports that are published
}

// findCompose returns the command line of Compose, or skips the test where there is no
// engine to be asked.
func findCompose(t *testing.T) []string {
	t.Helper()
	if out, err := exec.Command("docker", "info", "--format", "{{.ServerVersion}}").CombinedOutput(); err != nil {
		t.Skipf("needs a Docker engine: docker info: %v: %s", err, out)
	}
	tools := [][]string{{"docker", "compose"}, {"docker-compose"}}
	if *composeTool != "" {
		tools = [][]string{strings.Fields(*composeTool)}
	}
	for _, tool := range tools {
		if out, err := exec.Command(tool[0], append(tool[1:], "version")...).CombinedOutput(); err == nil {
			version, _, _ := strings.Cut(string(out), "\n")
			t.Logf("%s: %s", strings.Join(tool, " "), version)
			return tool
		}
	}
	t.Skip("needs Compose (Debian: apt install docker-compose)")
	return nil
}

// program is what goes into the images: static, and without what only debuggers read.
var program = sync.OnceValues(func() (string, error) {
	path := filepath.Join(os.TempDir(), fmt.Sprintf("flotilla-deploy-%d", os.Getpid()))
	cmd := exec.Command("go", "build", "-trimpath", "-tags=grpcnotrace,nethttpomithttp2", "-ldflags=-s -w", "-o", path, "flotilla/cmd/flotilla")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return path, nil
})

// buildImage builds the image as the Dockerfile says, without any registry. A label makes
// it another one than those with other labels.
func buildImage(t *testing.T, tag, label string) {
	t.Helper()
	binary, err := program()
	if err != nil {
		t.Fatal(err)
	}
	context := t.TempDir()
	if err := os.MkdirAll(filepath.Join(context, "deploy", "data"), 0o755); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(binary)
	if err == nil {
		err = os.WriteFile(filepath.Join(context, "flotilla"), raw, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	docker(t, "build", "--quiet", "--target", "local", "--label", "test="+label, "--tag", tag, "--file", "../Dockerfile", context)
	t.Cleanup(func() { _, _ = tryDocker("rmi", "--force", tag) }) // an image left behind harms nobody
}

// tryDocker runs a command of the engine's.
func tryDocker(args ...string) (string, error) { return runCommand(nil, "docker", args...) }

// docker is tryDocker for what must work.
func docker(t *testing.T, args ...string) string {
	t.Helper()
	out, err := tryDocker(args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func runCommand(environ []string, name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), commandTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), environ...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return string(out), fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out)), nil
}

// newContainers is a cluster of its own name and ports, which up starts. All that belongs
// to it is removed when the test ends.
func newContainers(t *testing.T, nodes int, files ...string) *containers {
	t.Helper()
	tool := findCompose(t)
	c := &containers{t: t, project: fmt.Sprintf("flotilla-test-%d-%d", os.Getpid(), nodes), files: files}
	c.image = c.project + ":first"
	offset := labtest.FreeOffset(t, nodes)
	c.environ = []string{"FLOTILLA_IMAGE=" + c.image, "COMPOSE=" + strings.Join(tool, " "), "NODE_MEMORY=256MiB", "NODE_MEMORY_LIMIT=512m",
		"LAB=true", "LAB_TOKEN=" + labToken}
	for i := range nodes {
		n := supervisor.NodePlan{Node: flotilla.NodeID(i + 1), StorePort: supervisor.FirstStorePort + offset + i, HTTPPort: supervisor.FirstHTTPPort + offset + i,
			QueuePort: supervisor.FirstQueuePort + offset + i}
		c.nodes = append(c.nodes, n)
		c.environ = append(c.environ, fmt.Sprintf("N%d_STORE=%d", n.Node, n.StorePort), fmt.Sprintf("N%d_HTTP=%d", n.Node, n.HTTPPort),
			fmt.Sprintf("N%d_QUEUE=%d", n.Node, n.QueuePort))
	}
	t.Cleanup(c.remove)
	return c
}

// remove takes away containers, networks and volumes, and shows what the nodes said if
// the test failed.
func (c *containers) remove() {
	if c.t.Failed() {
		out, _ := c.tryCompose("logs", "--no-color", "--tail=40")
		c.t.Logf("the nodes said at last:\n%s", out)
	}
	if _, err := c.tryCompose("down", "--volumes", "--remove-orphans", "--timeout", "1"); err != nil {
		c.t.Error(err)
	}
}

func (c *containers) tryCompose(args ...string) (string, error) {
	tool := []string{"docker-compose"}
	for _, variable := range c.environ {
		if text, ok := strings.CutPrefix(variable, "COMPOSE="); ok {
			tool = strings.Fields(text)
		}
	}
	all := append(tool[1:], "--project-name", c.project)
	for _, file := range c.files {
		all = append(all, "--file", file)
	}
	return runCommand(c.environ, tool[0], append(all, args...)...)
}

// compose runs a command of Compose that must work.
func (c *containers) compose(args ...string) string {
	c.t.Helper()
	out, err := c.tryCompose(args...)
	if err != nil {
		c.t.Fatal(err)
	}
	return out
}

// up starts all nodes and returns how long it took from the command until all of them
// said that they serve.
func (c *containers) up() time.Duration {
	c.t.Helper()
	began := time.Now()
	c.compose("up", "--detach")
	c.waitReady("the cluster")
	return time.Since(began)
}

// overview is what the nodes say of themselves; those of a cluster without TLS.
func (c *containers) overview() supervisor.Overview {
	return supervisor.Merge(supervisor.Survey(c.t.Context(), c.nodes), nil)
}

// waitReady waits until each node says that it serves.
func (c *containers) waitReady(why string) {
	c.t.Helper()
	client := &http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	var missing string
	labtest.Eventually(c.t, time.Minute, why+" to be ready", func() bool {
		for _, n := range c.nodes {
			res, err := client.Get("http://" + n.HTTPAddr() + "/readyz")
			if err != nil {
				missing = err.Error()
				return false
			}
			_ = res.Body.Close() // nothing was read from it
			if res.StatusCode != http.StatusOK {
				missing = n.Name() + " answers " + res.Status
				return false
			}
		}
		return true
	}, func() string { return missing })
}

// leader returns who leads the keys' group.
func (c *containers) leader() string {
	c.t.Helper()
	var leader flotilla.NodeID
	labtest.Eventually(c.t, 30*time.Second, "a leader", func() bool {
		for _, g := range c.overview().Groups {
			if g.Group != flotilla.Directory {
				leader = g.Leader
			}
		}
		return leader != 0
	}, nil)
	return leader.String()
}

// container returns the id of a node's container.
func (c *containers) container(node string) string {
	c.t.Helper()
	// Asking the engine takes a twentieth of the time that Compose does.
	id := docker(c.t, "ps", "--all", "--quiet", "--filter", "label=com.docker.compose.project="+c.project,
		"--filter", "label=com.docker.compose.service="+node)
	if id == "" || strings.Contains(id, "\n") {
		c.t.Fatalf("%s has the containers %q", node, id)
	}
	return id
}

// until waits for the engine to say something of a node's container.
func (c *containers) until(limit time.Duration, what, node, format, want string) {
	c.t.Helper()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	said := ""
	for deadline := time.Now().Add(limit); ; <-tick.C {
		if said = c.inspect(node, format); said == want {
			return
		}
		if time.Now().After(deadline) {
			c.t.Fatalf("waited %v for %s: %s is %s", limit, what, format, said)
		}
	}
}

// inspect returns what the engine says of a node's container.
func (c *containers) inspect(node, format string) string {
	c.t.Helper()
	return docker(c.t, "inspect", "--format", format, c.container(node))
}

// addresses returns where clients reach the nodes, n1 first.
func (c *containers) addresses() (all []string) {
	for _, n := range c.nodes {
		all = append(all, n.StoreAddr())
	}
	return all
}

// secrets returns the password that Compose's "keys" has made, and what a client needs to
// trust the nodes.
func (c *containers) secrets() (password string, secure *tls.Config) {
	c.t.Helper()
	dir := c.t.TempDir()
	read := func(name string) []byte {
		docker(c.t, "cp", c.container("n3")+":/keys/"+name, filepath.Join(dir, name))
		raw, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			c.t.Fatal(err)
		}
		return raw
	}
	authorities := x509.NewCertPool()
	if !authorities.AppendCertsFromPEM(read("ca.crt")) {
		c.t.Fatal("ca.crt has no certificate")
	}
	return strings.TrimSpace(string(read("password"))), &tls.Config{RootCAs: authorities, MinVersion: tls.VersionTLS12}
}

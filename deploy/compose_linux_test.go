package deploy

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"flotilla"
	"flotilla/lab"
	"flotilla/scenario"

	"github.com/redis/go-redis/v9"
)

// The limits are loose, for a busy machine.
const (
	mostImageBytes = 40_000_000
	upTime         = 45 * time.Second
	recoveryTime   = 20 * time.Second // until writes go on after a node was lost
)

// TestContainersKeepWhatTheyAcknowledge breaks a cluster of containers in every way that the
// engine knows, under load, and judges what clients were told.
func TestContainersKeepWhatTheyAcknowledge(t *testing.T) {
	c := newContainers(t, 3, "../compose.yaml")
	buildImage(t, c.image, "first")
	size, err := strconv.Atoi(docker(t, "image", "inspect", "--format", "{{.Size}}", c.image))
	if err != nil || size > mostImageBytes {
		t.Errorf("the image has %d bytes (%v); %d are allowed", size, err, mostImageBytes)
	}
	took := c.up()
	t.Logf("image of %.1f MB; ready %v after `up`", float64(size)/1e6, took.Round(10*time.Millisecond))
	if took > upTime {
		t.Errorf("ready after %v; even a busy machine should stay under %v", took, upTime)
	}
	t.Run("nodes have few rights", func(t *testing.T) { c.by(t).checkRights() })
	t.Run("data is kept, and ports are this machine's", func(t *testing.T) { c.by(t).checkKeeping() })
	t.Run("clients outside are told addresses of use", func(t *testing.T) { c.by(t).checkAddresses() })

	w := startWriter(t, dialCluster(c.addresses()[0], "", nil))
	w.goesOn(t, recoveryTime, "at first")
	queue := startSender(t, c)
	b := &breaker{containers: c, writer: w}
	isKept := b.run(t, "kill each", b.killEach) &&
		b.run(t, "a node that dies is started again", b.dieAlone) &&
		b.run(t, "pause the leader", b.pauseLeader) &&
		b.run(t, "disconnect the leader", b.disconnectLeader) &&
		b.run(t, "break the leader from a page", b.breakFromPage) &&
		b.run(t, "lose the majority", b.loseMajority) &&
		b.run(t, "lose a volume", b.loseVolume) &&
		b.run(t, "all down and up again", b.downAndUp) &&
		b.run(t, "roll out a new image", b.rollOut)
	if !isKept {
		return
	}
	other := lab.Dial(c.addresses()[2])
	defer other.Close()
	w.check(t, other)
	queue.check(t)
}

// by hands the cluster to a subtest.
func (c *containers) by(t *testing.T) *containers {
	mine := *c
	mine.t = t
	return &mine
}

// checkRights looks at what the engine lets a node do, and that it finds it healthy.
func (c *containers) checkRights() {
	const format = "{{.Config.User}} {{.HostConfig.ReadonlyRootfs}} {{.HostConfig.CapDrop}} {{.HostConfig.RestartPolicy.Name}}"
	if got := c.inspect("n1", format); got != "65532:65532 true [ALL] unless-stopped" {
		c.t.Errorf("n1 runs with %s", got)
	}
	c.until(30*time.Second, "the engine to find n1 healthy", "n1", "{{.State.Health.Status}}", "healthy")
}

// checkAddresses asks each node which addresses a cluster-aware client is to use: all must
// name the same, which are those that are published.
func (c *containers) checkAddresses() {
	for _, n := range c.nodes {
		client := lab.Dial(n.StoreAddr())
		//lint:ignore SA1019 it is what cluster-aware clients ask
		slots, err := client.ClusterSlots(c.t.Context()).Result()
		_ = client.Close() // nothing is under way
		if err != nil {
			c.t.Fatal(err)
		}
		told := map[string]bool{}
		for _, slot := range slots {
			for _, node := range slot.Nodes {
				told[node.Addr] = true
			}
		}
		for _, address := range c.addresses() {
			if !told[address] {
				c.t.Errorf("%s tells clients of %v, and not of %s", n.Name(), told, address)
			}
		}
	}
}

// breaker breaks a cluster while two kinds of clients use it.
type breaker struct {
	*containers
	writer *writer
}

// workload is a bit of everything. Keys are few, so that clients get into each other's way.
var workload = scenario.Workload{
	Clients: 9, Think: scenario.Span{Least: 5, Most: 15}, Keys: 4, ValueBytes: scenario.Sizes{Least: 8, Most: 8},
	Load: []scenario.Part{
		{Operation: scenario.Set, Share: 20_00}, {Operation: scenario.Get, Share: 25_00}, {Operation: scenario.CAS, Share: 10_00},
		{Operation: scenario.Incr, Share: 15_00}, {Operation: scenario.SAdd, Share: 15_00}, {Operation: scenario.SMembers, Share: 3_00},
		{Operation: scenario.Once, Share: 12_00},
	},
	Reads: []scenario.Reading{{Level: flotilla.Linearizable, Share: scenario.Whole}},
}

// run puts the cluster under load, has something broken, waits until all is well again,
// and judges.
func (b *breaker) run(t *testing.T, name string, broken func(*testing.T)) (isKept bool) {
	return t.Run(name, func(t *testing.T) {
		owner := b.t
		b.t = t // what fails now is part of this test
		defer func() { b.t = owner }()
		b.waitReady("the cluster before")
		b.writer.longestGap()
		load := lab.StartLoad(lab.LoadOptions{Addresses: b.addresses(), Workload: workload, Seed: 7})
		defer load.Stop()
		b.writer.goesOn(t, recoveryTime, "before anything is broken")
		broken(t)
		b.waitReady("the cluster after")
		b.writer.goesOn(t, recoveryTime, "after all is well again")
		load.Stop()
		final, faults := load.ReadFinal(t.Context(), b.addresses()...)
		if len(faults) > 0 {
			t.Fatal(strings.Join(faults, "\n"))
		}
		var result lab.Result
		load.Judge(&result, final)
		t.Logf("%s; a cluster-aware client waited for %v at most\n%v", load.Counts(), b.writer.longestGap().Round(time.Millisecond), result.String())
		if !result.OK() {
			t.Fail()
		}
	})
}

// killEach kills one node after the other, and starts it again when writes went on.
func (b *breaker) killEach(t *testing.T) {
	for _, n := range b.nodes {
		id, role := b.container(n.Name()), "a follower"
		if b.leader() == n.Name() {
			role = "the leader"
		}
		b.writer.longestGap()
		docker(t, "kill", id)
		b.writer.goesOn(t, recoveryTime, "without "+n.Name())
		t.Logf("%s, %s, was killed: a cluster-aware client waited for %v", n.Name(), role, b.writer.longestGap().Round(time.Millisecond))
		docker(t, "start", id)
		b.waitReady(n.Name() + ", started again,")
	}
}

// dieAlone kills the leader's process behind the engine's back, as a crash would end it.
func (b *breaker) dieAlone(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs to be root, to kill a process of another user")
	}
	node := b.leader()
	before, err := strconv.Atoi(b.inspect(node, "{{.RestartCount}}"))
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(b.inspect(node, "{{.State.Pid}}"))
	if err == nil {
		err = syscall.Kill(pid, syscall.SIGKILL)
	}
	if err != nil {
		t.Fatal(err)
	}
	b.writer.goesOn(t, recoveryTime, "after the leader's process was killed")
	b.until(30*time.Second, "the engine to start it again", node, "{{.State.Running}} {{.RestartCount}}", fmt.Sprintf("true %d", before+1))
}

func (b *breaker) pauseLeader(t *testing.T) {
	id := b.container(b.leader())
	docker(t, "pause", id)
	b.writer.goesOn(t, recoveryTime, "with a paused leader")
	docker(t, "unpause", id)
}

// disconnectLeader takes the leader off the network, and gives it back its name there.
func (b *breaker) disconnectLeader(t *testing.T) {
	node := b.leader()
	id, network := b.container(node), b.project+"_default"
	docker(t, "network", "disconnect", network, id)
	b.writer.goesOn(t, recoveryTime, "with a leader that is alone")
	docker(t, "network", "connect", "--alias", node, network, id)
}

// downAndUp removes all containers and the network, and makes them anew around the volumes.
func (b *breaker) downAndUp(t *testing.T) {
	b.compose("down")
	t.Logf("ready %v after `up`", b.up().Round(10*time.Millisecond))
}

// rollOut has the nodes run another image, one after the other, as docs/deploy.md says.
func (b *breaker) rollOut(t *testing.T) {
	before := b.inspect("n1", "{{.Image}}")
	next := b.project + ":next"
	buildImage(b.containers.t, next, "next")
	i := slices.Index(b.environ, "FLOTILLA_IMAGE="+b.image)
	b.environ[i] = "FLOTILLA_IMAGE=" + next
	for _, n := range b.nodes {
		b.compose("up", "--detach", "--no-deps", n.Name())
		b.compose("exec", "-T", n.Name(), "/flotilla", "health", "--wait", "60s")
		b.writer.goesOn(t, recoveryTime, "with a new "+n.Name())
		if after := b.inspect(n.Name(), "{{.Image}}"); after == before {
			t.Errorf("%s still runs the old image", n.Name())
		}
	}
}

// TestSecureContainers runs five nodes with TLS and a password, of which any one may be
// lost: each group has three copies, so that two nodes may be the majority of one.
func TestSecureContainers(t *testing.T) {
	c := newContainers(t, 5, "../compose.yaml", "secure.yaml")
	buildImage(t, c.image, "first")
	more := ""
	for _, n := range c.nodes[3:] {
		more += fmt.Sprintf(",%s=%s:7001/127.0.0.1:%d/%d/%d", n.Name(), n.Name(), n.StorePort, n.HTTPPort, n.QueuePort)
	}
	c.environ = append(c.environ, "COMPOSE_PROFILES=five", "MORE_MEMBERS="+more)
	c.compose("up", "--detach")
	for _, n := range c.nodes {
		c.compose("exec", "-T", n.Name(), "/flotilla", "health", "--wait", "60s")
	}
	password, secure := c.secrets()
	seed := c.addresses()[0]
	c.checkRefusals(seed, password)

	w := startWriter(t, dialCluster(seed, password, secure))
	w.goesOn(t, recoveryTime, "at first")
	docker(t, "kill", c.container("n1"))
	w.goesOn(t, recoveryTime, "without n1")
	other := redis.NewClient(&redis.Options{Addr: c.addresses()[4], Password: password, TLSConfig: secure, DisableIdentity: true})
	defer other.Close()
	w.check(t, other)
}

// checkRefusals demands that nobody gets in without TLS, or with another password.
func (c *containers) checkRefusals(address, password string) {
	c.t.Helper()
	_, secure := c.secrets()
	for _, wrong := range []redis.Options{
		{Addr: address, Password: password},
		{Addr: address, TLSConfig: secure},
		{Addr: address, TLSConfig: secure, Password: password + "?"},
	} {
		wrong.MaxRetries, wrong.DisableIdentity, wrong.DialTimeout = -1, true, 2*time.Second
		client := redis.NewClient(&wrong)
		ctx, cancel := context.WithTimeout(c.t.Context(), 5*time.Second)
		if err := client.Set(ctx, "a", 1, 0).Err(); err == nil {
			c.t.Errorf("with TLS %v and password %q a client is let in", wrong.TLSConfig != nil, wrong.Password)
		}
		cancel()
		_ = client.Close() // nothing is under way
	}
}

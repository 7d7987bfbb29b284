package redis

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"flotilla"
	"flotilla/store"
	"flotilla/store/redis/redistest"
)

// eventually waits until what says true.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for range 1000 {
		if is() {
			return
		}
		<-time.After(5 * time.Millisecond)
	}
	t.Fatalf("never: %s", what)
}

func TestPipelineOrder(t *testing.T) {
	l := newLab(t, 1, 3)
	c := dialRaw(t, l.addrs[0])
	defer c.Close()
	state := map[string]int{}
	var input []byte
	var want strings.Builder
	for range 20000 {
		key := fmt.Sprintf("k%d", rand.IntN(50))
		switch rand.IntN(4) {
		case 0:
			input = appendCommand(input, [][]byte{[]byte("GET"), []byte(key)})
			if n := state[key]; n > 0 {
				fmt.Fprintf(&want, "$%d\n%d\n", len(fmt.Sprint(n)), n)
			} else {
				want.WriteString("$-1\n")
			}
		case 1:
			input = append(input, "PING\r\n"...)
			want.WriteString("+PONG\n")
		default:
			input = appendCommand(input, [][]byte{[]byte("INCR"), []byte(key)})
			state[key]++
			fmt.Fprintf(&want, ":%d\n", state[key])
		}
	}
	go c.send(input)
	if got := c.replies(20000); got != want.String() {
		t.Fatalf("answers differ from what the order of the commands says")
	}
	if runs := l.servers[0].Stats().Runs; runs > 15000 {
		t.Errorf("%d runs: consecutive commands do not travel together", runs)
	}
}

func TestRunsTravelTogether(t *testing.T) {
	l := newLab(t, 1, 1)
	c := dialRaw(t, l.addrs[0])
	defer c.Close()
	c.send([]byte(strings.Repeat("SET k v\r\n", 100)))
	if got := c.replies(100); got != strings.Repeat("+OK\n", 100) {
		t.Fatal(got)
	}
	if n := l.Writes.Load(); n > 3 {
		t.Errorf("100 SETs of one pipeline made %d hand-overs", n)
	}
}

func TestTooManyClients(t *testing.T) {
	l := newLab(t, 1, 1, func(s *Server) { s.MaxClients = 2 })
	a, b := dialRaw(t, l.addrs[0]), dialRaw(t, l.addrs[0])
	defer b.Close()
	a.do("ping")
	b.do("ping")
	c := dialRaw(t, l.addrs[0])
	defer c.Close()
	if got := c.replies(1); got != "-ERR max number of clients reached\n" {
		t.Fatal(got)
	}
	_ = a.Close()
	eventually(t, "a place is free", func() bool { return l.servers[0].Stats().Connections == 1 })
	d := dialRaw(t, l.addrs[0])
	defer d.Close()
	if got := d.do("ping"); got != "+PONG\n" {
		t.Fatal(got)
	}
}

// A subscriber that does not read loses its connection; the publisher never waits.
func TestSlowReaderIsCutOff(t *testing.T) {
	l := newLab(t, 1, 1)
	slow, quick := dialRaw(t, l.addrs[0]), dialRaw(t, l.addrs[0])
	defer slow.Close()
	defer quick.Close()
	slow.do("subscribe", "c")
	message := strings.Repeat("x", 8<<20)
	for i := 0; l.servers[0].Stats().SlowReadersCutOff == 0; i++ {
		if i > 200 {
			t.Fatal("it was never cut off")
		}
		quick.do("publish", "c", message)
	}
	eventually(t, "the slow reader is gone", func() bool { return l.servers[0].Stats().Connections == 1 })
	if got := quick.do("pubsub", "numsub", "c"); got != "*2\n$1\nc\n:0\n" {
		t.Error(got)
	}
}

// panicHost has a bug.
type panicHost struct{ *redistest.Host }

func (h panicHost) Do(ctx context.Context, calls ...*flotilla.Call) {
	if strings.Contains(string(calls[0].Commands[0]), "boom") {
		panic("a bug")
	}
	h.Host.Do(ctx, calls...)
}

func TestPanicEndsOneConnection(t *testing.T) {
	l := newLab(t, 1, 1, func(s *Server) { s.Host = panicHost{s.Host.(*redistest.Host)} })
	a, b := dialRaw(t, l.addrs[0]), dialRaw(t, l.addrs[0])
	defer a.Close()
	defer b.Close()
	b.do("set", "k", "1")
	if got := a.do("get", "boom"); got != "(EOF)\n" {
		t.Error(got)
	}
	if got := b.do("get", "k"); got != "$1\n1\n" {
		t.Error(got)
	}
	if n := l.servers[0].Stats().Panics; n != 1 {
		t.Error(n)
	}
}

func TestTooLargeCommandLosesNothingElse(t *testing.T) {
	l := newLab(t, 1, 1)
	c := dialRaw(t, l.addrs[0])
	defer c.Close()
	value := strings.Repeat("v", store.MaxCommandBytes)
	go c.send(append(appendCommand([]byte("SET a 1\r\n"), [][]byte{[]byte("SET"), []byte("k"), []byte(value)}), "GET a\r\n"...))
	if got := c.replies(3); got != "+OK\n-"+errTooLarge.Error()+"\n$1\n1\n" {
		t.Fatalf("%.300s", got)
	}
	if got := c.do("set", "k", value[:10<<20]); got != "+OK\n" {
		t.Fatal(got)
	}
	if got := c.do("strlen", "k"); got != ":10485760\n" {
		t.Fatal(got)
	}
}

// TestErrorOfMisreadArrives: a client that sends everything before it reads gets the
// error, and the end of the connection, though much of what it sent is not read as commands.
func TestErrorOfMisreadArrives(t *testing.T) {
	l := newLab(t, 1, 1)
	c := dialRaw(t, l.addrs[0])
	defer c.Close()
	if _, err := c.Write([]byte("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$70000000\r\n")); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Write(make([]byte, 70_000_000)); err != nil {
		t.Fatal("the value can not be sent to its end:", err)
	}
	_ = c.SetReadDeadline(time.Now().Add(20 * time.Second))
	if rest, err := io.ReadAll(c); err != nil || string(rest) != "-ERR Protocol error: invalid bulk length\r\n" {
		t.Errorf("%q, %v", rest, err)
	}
}

// TestWaitCountsReplicasThatCanBeReached: also for who wrote nothing.
func TestWaitCountsReplicasThatCanBeReached(t *testing.T) {
	l := newLab(t, 3, 2)
	c := dialRaw(t, l.addrs[0])
	defer c.Close()
	set := func(isAlive bool) { l.Change(func(t *flotilla.Topology) { t.Nodes[2].Alive = isAlive }) }
	set(false)
	if got := c.do("wait", "2", "30"); got != ":1\n" {
		t.Errorf("a node is down: %q", got)
	}
	c.send(appendCommand(nil, [][]byte{[]byte("wait"), []byte("2"), []byte("0")}))
	eventually(t, "it waits for the node", func() bool { return l.servers[0].Stats().Blocked == 1 })
	set(true)
	if got := c.replies(1); got != ":2\n" {
		t.Errorf("it is back: %q", got)
	}
	l.Change(func(t *flotilla.Topology) { t.Groups[1].Leader = 0 })
	if got := c.do("wait", "0", "0"); got != ":0\n" {
		t.Errorf("a group without a leader: %q", got)
	}
}

// A waiter is served although no event of its group ever comes here.
func TestBlockingWithoutReplica(t *testing.T) {
	l := newLab(t, 2, 1)
	l.Change(func(t *flotilla.Topology) { t.Groups[1].Nodes = []flotilla.NodeID{1} })
	l.Host(2).IsDeaf.Store(true)
	a, b := dialRaw(t, l.addrs[1]), dialRaw(t, l.addrs[0])
	defer a.Close()
	defer b.Close()
	a.send([]byte("BLPOP l 0\r\n"))
	eventually(t, "blocked", func() bool { return l.servers[1].Stats().Blocked == 1 })
	b.do("rpush", "l", "x")
	if got := a.replies(1); got != "*2\n$1\nl\n$1\nx\n" {
		t.Error(got)
	}
}

// While nothing happens, a blocked client writes nothing to the log.
func TestWaitingWritesNothing(t *testing.T) {
	l := newLab(t, 1, 1)
	l.Change(func(t *flotilla.Topology) { t.Groups[1].Nodes = nil })
	a := dialRaw(t, l.addrs[0])
	defer a.Close()
	if got := a.do("blpop", "l", "0.5"); got != "*-1\n" {
		t.Error(got)
	}
	if n := l.Writes.Load(); n != 1 {
		t.Errorf("%d writes", n)
	}
}

// One push that brings something for everyone serves everyone at once: each
// waiter wakes the next, without any polling.
func TestOnePushServesAll(t *testing.T) {
	l := newLab(t, 1, 1, func(s *Server) { s.poll = time.Hour })
	var waiting []*rawClient
	for i := range 10 {
		c := dialRaw(t, l.addrs[0])
		defer c.Close()
		c.send([]byte("BLPOP l 0\r\n"))
		waiting = append(waiting, c)
		eventually(t, "blocked", func() bool { return l.servers[0].Stats().Blocked == i+1 })
	}
	c := dialRaw(t, l.addrs[0])
	defer c.Close()
	c.do("rpush", "l", "0", "1", "2", "3", "4", "5", "6", "7", "8", "9")
	for i, c := range waiting {
		if got := c.replies(1); got != fmt.Sprintf("*2\n$1\nl\n$1\n%d\n", i) {
			t.Errorf("the %dth got %q", i, got)
		}
	}
}

// Many waiters and many pushes from both nodes: everything is handed out once.
func TestBlockingHandsOutEverythingOnce(t *testing.T) {
	l := newLab(t, 2, 1)
	const waiting, each = 20, 25
	var mu sync.Mutex
	got := map[string]int{}
	var done sync.WaitGroup
	for i := range waiting {
		done.Add(1)
		go func() {
			defer done.Done()
			c := dialRaw(t, l.addrs[i%2])
			defer c.Close()
			for range each {
				reply := c.do("blpop", "l", "20")
				mu.Lock()
				got[reply]++
				mu.Unlock()
			}
		}()
	}
	for i := range 2 {
		done.Add(1)
		go func() {
			defer done.Done()
			c := dialRaw(t, l.addrs[i])
			defer c.Close()
			for n := range waiting * each / 2 {
				c.do("rpush", "l", fmt.Sprintf("%d-%d", i, n))
			}
		}()
	}
	done.Wait()
	if len(got) != waiting*each {
		t.Errorf("%d different elements instead of %d", len(got), waiting*each)
	}
	c := dialRaw(t, l.addrs[0])
	defer c.Close()
	if n := c.do("llen", "l"); n != ":0\n" {
		t.Error(n)
	}
}

func TestKillAndTimeout(t *testing.T) {
	l := newLab(t, 1, 1)
	a, b := dialRaw(t, l.addrs[0]), dialRaw(t, l.addrs[0])
	defer a.Close()
	defer b.Close()
	a.send([]byte("SUBSCRIBE c\r\n"))
	a.replies(1)
	if got := b.do("client", "kill", "type", "pubsub"); got != ":1\n" {
		t.Fatal(got)
	}
	if rest, err := io.ReadAll(a.in); len(rest) != 0 || err != nil {
		t.Error(rest, err)
	}
	if got := b.do("client", "kill", "addr", b.LocalAddr().String(), "skipme", "no"); got != ":1\n" {
		t.Error(got)
	}
	if rest, err := io.ReadAll(b.in); len(rest) != 0 || err != nil {
		t.Error(rest, err)
	}
	c := dialRaw(t, l.addrs[0])
	defer c.Close()
	c.do("config", "set", "timeout", "1")
	c.do("ping")
	if got := c.replies(1); got != "(EOF)\n" {
		t.Error("an idle connection was not closed:", got)
	}
}

// Shutdown answers what has arrived, ends waiters, and leaves nothing behind.
func TestShutdown(t *testing.T) {
	cluster := redistest.New(1, 1)
	defer cluster.Close()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	s := &Server{Host: cluster.Host(1)}
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, listener) }()
	idle, blocked, subscribed := dialRaw(t, listener.Addr().String()), dialRaw(t, listener.Addr().String()), dialRaw(t, listener.Addr().String())
	idle.do("ping")
	subscribed.do("subscribe", "c")
	blocked.send([]byte("BLPOP l 0\r\n"))
	eventually(t, "blocked", func() bool { return s.Stats().Blocked == 1 })
	cancel()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	for _, c := range []*rawClient{idle, blocked, subscribed} {
		if got := c.replies(1); got != "(EOF)\n" {
			t.Error(got)
		}
		_ = c.Close()
	}
	if _, err := net.Dial("tcp", listener.Addr().String()); err == nil {
		t.Error("still listening")
	}
}

func TestPicture(t *testing.T) {
	cluster := redistest.New(4, 2, 6379, 6380, 6381, 6382)
	defer cluster.Close()
	cluster.Change(func(t *flotilla.Topology) { t.Nodes[3].Alive = false })
	s := &Server{Host: cluster.Host(2), ShowLeaders: true}
	want := `0000000100000001000000010000000100000001 127.0.0.1:6379@7001 master - 0 0 1 connected 0-8191
0000000200000002000000020000000200000002 127.0.0.1:6380@7001 myself,master - 0 0 1 connected 8192-16383
0000000300000003000000030000000300000003 127.0.0.1:6381@7001 slave 0000000100000001000000010000000100000001 0 0 1 connected
0000000400000004000000040000000400000004 127.0.0.1:6382@7001 slave,fail 0000000100000001000000010000000100000001 0 0 1 disconnected
`
	if got := s.picture().nodes(); got != want {
		t.Errorf("got\n%s", got)
	}
	// Without a leader, the slots are shown where the question was asked.
	cluster.Change(func(t *flotilla.Topology) { t.Groups[1].Leader = 0 })
	p := s.picture()
	if got := fmt.Sprint(p.masters); got != "map[n2:[{0 16383}]]" || !strings.Contains(p.info(), "cluster_state:fail") {
		t.Error(got, p.info())
	}
}

// TestOneMaster: without ShowLeaders the live node that leads the most groups is shown as
// the master of all slots, on every node alike; a leader that is down does not count.
func TestOneMaster(t *testing.T) {
	cluster := redistest.New(3, 4)
	defer cluster.Close()
	pictures := func() (all []string) {
		for i := range 3 {
			p := (&Server{Host: cluster.Host(i + 1)}).picture()
			all = append(all, fmt.Sprint(p.masters, p.master, p.unled))
		}
		return all
	}
	for _, got := range pictures() { // n1 leads two groups
		if got != "map[n1:[{0 16383}]] map[n2:n1 n3:n1] 0" {
			t.Error(got)
		}
	}
	cluster.Change(func(t *flotilla.Topology) { t.Nodes[0].Alive = false })
	for _, got := range pictures() {
		if got != "map[n2:[{0 16383}]] map[n1:n2 n3:n2] 8192" {
			t.Error(got)
		}
	}
}

func requireProgram(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("%s is not installed", name)
	}
	return path
}

// A Shutdown that comes before Serve ends it all the same.
func TestShutdownBeforeServe(t *testing.T) {
	cluster := redistest.New(1, 1)
	defer cluster.Close()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{Host: cluster.Host(1)}
	if err := s.Shutdown(context.Background()); err != nil {
		t.Fatal(err)
	}
	if err := s.Serve(context.Background(), listener); err != nil {
		t.Fatal(err)
	}
}

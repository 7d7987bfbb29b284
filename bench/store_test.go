package bench

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// tinyServer speaks enough of the Redis protocol to be measured.
type tinyServer struct {
	listener net.Listener
	all      sync.WaitGroup
	mutes    bool // never answers
	breaks   int  // closes each connection after so many commands; 0: never
	refuses  func(command string) string
	enough   func(s *tinyServer) bool // calls stop, if set; with mu held
	stop     context.CancelFunc

	mu       sync.Mutex // guards what follows
	data     map[string]string
	lists    map[string][]string
	commands map[string]int
	sessions int
	refused  int
	conns    map[net.Conn]bool
}

func startTiny(t *testing.T, change func(*tinyServer)) *tinyServer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &tinyServer{listener: l, data: map[string]string{}, lists: map[string][]string{}, commands: map[string]int{}, conns: map[net.Conn]bool{}}
	if change != nil {
		change(s)
	}
	s.all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s.mu.Lock()
			s.sessions++
			s.conns[c] = true
			s.mu.Unlock()
			s.all.Go(func() { s.serve(c) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		s.mu.Lock()
		for c := range s.conns {
			c.Close()
		}
		s.mu.Unlock()
		s.all.Wait()
	})
	return s
}

func (s *tinyServer) addr() string { return s.listener.Addr().String() }

func (s *tinyServer) serve(c net.Conn) {
	defer c.Close()
	r, w := bufio.NewReader(c), bufio.NewWriter(c)
	for n := 1; ; n++ {
		words, err := readWords(r)
		if err != nil || n == s.breaks {
			return
		}
		if s.mutes {
			continue
		}
		io.WriteString(w, s.answer(words))
		if r.Buffered() == 0 && w.Flush() != nil {
			return
		}
	}
}

func readWords(r *bufio.Reader) ([]string, error) {
	number := func(kind byte) (int, error) {
		line, err := r.ReadString('\n')
		if err != nil || len(line) < 2 || line[0] != kind {
			return 0, fmt.Errorf("line %q: %w", line, err)
		}
		return strconv.Atoi(strings.TrimSpace(line[1:]))
	}
	n, err := number('*')
	if err != nil {
		return nil, err
	}
	words := make([]string, n)
	for i := range words {
		size, err := number('$')
		if err != nil {
			return nil, err
		}
		word := make([]byte, size+2)
		if _, err := io.ReadFull(r, word); err != nil {
			return nil, err
		}
		words[i] = string(word[:size])
	}
	return words, nil
}

func (s *tinyServer) answer(words []string) string {
	name := strings.ToUpper(words[0])
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refuses != nil {
		if text := s.refuses(name); text != "" {
			s.refused++
			if s.enough != nil && s.enough(s) {
				s.stop()
			}
			return "-" + text + "\r\n"
		}
	}
	s.commands[name]++
	if s.enough != nil && s.enough(s) {
		s.stop()
	}
	bulk := func(v string) string { return fmt.Sprintf("$%d\r\n%s\r\n", len(v), v) }
	switch name {
	case "PING":
		return "+PONG\r\n"
	case "AUTH", "CONSISTENCY":
		s.commands[strings.Join(words, " ")]++
		return "+OK\r\n"
	case "SET":
		s.data[words[1]] = words[2]
		return "+OK\r\n"
	case "GET":
		if v, ok := s.data[words[1]]; ok {
			return bulk(v)
		}
		return "$-1\r\n"
	case "INCR":
		n, _ := strconv.Atoi(s.data[words[1]])
		s.data[words[1]] = strconv.Itoa(n + 1)
		return fmt.Sprintf(":%d\r\n", n+1)
	case "LPUSH":
		s.lists[words[1]] = append(s.lists[words[1]], words[2])
		return fmt.Sprintf(":%d\r\n", len(s.lists[words[1]]))
	case "LPOP":
		l := s.lists[words[1]]
		if len(l) == 0 {
			return "$-1\r\n"
		}
		s.lists[words[1]] = l[:len(l)-1]
		return bulk(l[len(l)-1])
	}
	return "-ERR unknown command\r\n"
}

func (s *tinyServer) count(command string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.commands[command]
}

// runUntil measures until the server has seen enough, however long that takes.
func (s *tinyServer) runUntil(t *testing.T, c StoreConfig, enough func(*tinyServer) bool) Report {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	s.mu.Lock()
	s.stop, s.enough = cancel, enough
	s.mu.Unlock()
	c.Duration = time.Hour
	r, err := Store(ctx, c)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// total is how many commands with a key were answered. The caller holds mu.
func (s *tinyServer) total() (n int) {
	for _, name := range []string{"SET", "GET", "INCR", "LPUSH", "LPOP"} {
		n += s.commands[name]
	}
	return n
}

func short(addresses ...string) StoreConfig {
	return StoreConfig{Addresses: addresses, Connections: 4, Keys: 100, ValueBytes: 16, Duration: 100 * time.Millisecond, Seed: 1}
}

func TestEachCommandOnBothClients(t *testing.T) {
	sends := map[string][]string{
		"set": {"SET"}, "get": {"GET"}, "mixed": {"SET", "GET"}, "incr": {"INCR"},
		"lpush": {"LPUSH"}, "lpop": {"LPOP"}, "list": {"LPUSH", "LPOP"},
	}
	for _, client := range []string{"own", "go-redis"} {
		for _, command := range CommandNames() {
			for _, pipeline := range []int{1, 16} {
				t.Run(fmt.Sprintf("%s/%s/%d", client, command, pipeline), func(t *testing.T) {
					s := startTiny(t, nil)
					c := short(s.addr())
					c.Client, c.Command, c.Pipeline, c.ReadShare, c.SkipFill = client, command, pipeline, 0.5, true
					want := 20 * pipeline
					r := s.runUntil(t, c, func(s *tinyServer) bool { return s.total() >= want+c.Connections*pipeline })
					for _, name := range sends[command] {
						if s.count(name) == 0 {
							t.Errorf("no %s was sent", name)
						}
					}
					// At the end at most one batch of each connection was not answered.
					s.mu.Lock()
					sent := s.total()
					s.mu.Unlock()
					if n := int(r.Operations); n < want || n > sent || n != int(r.latencies.total)*pipeline {
						t.Errorf("%d sent, %d counted in %d batches", sent, n, r.latencies.total)
					}
					if len(r.Errors) > 0 || r.P50Micros <= 0 || r.P50Micros > r.P99Micros || r.P99Micros > r.MaxMicros {
						t.Errorf("%+v", r.Errors)
					}
				})
			}
		}
	}
}

func TestFillWritesEachKeyOnce(t *testing.T) {
	s := startTiny(t, nil)
	c := short(s.addr())
	c.Keys, c.Command = 1003, "get"
	if _, err := Store(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	if sets := s.count("SET"); sets != 1003 || len(s.data) != 1003 {
		t.Errorf("%d writes of %d keys", sets, len(s.data))
	}
}

func TestConnectionsAreSpreadAndPrepared(t *testing.T) {
	a, b := startTiny(t, nil), startTiny(t, nil)
	for _, client := range []string{"own", "go-redis"} {
		c := short(a.addr(), b.addr())
		c.Client, c.Password, c.Consistency = client, "secret", "bounded 50"
		if _, err := Store(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	for _, s := range []*tinyServer{a, b} {
		if s.sessions != 4 || s.count("AUTH secret") != 4 || s.count("CONSISTENCY bounded 50") != 4 {
			t.Errorf("%d connections, %v", s.sessions, s.commands)
		}
	}
}

func TestErrorsAreCountedByFirstWord(t *testing.T) {
	for _, client := range []string{"own", "go-redis"} {
		s := startTiny(t, func(s *tinyServer) {
			s.refuses = func(command string) string {
				if command == "SET" {
					return "CLUSTERDOWN no majority"
				}
				return ""
			}
		})
		c := short(s.addr())
		c.Client = client
		began := time.Now()
		r := s.runUntil(t, c, func(s *tinyServer) bool { return s.refused >= 20 })
		if r.Operations != 0 || r.Errors["CLUSTERDOWN"] < 16 || len(r.Errors) != 1 || r.ServerCPU != nil {
			t.Errorf("%s: %d operations, %v", client, r.Operations, r.Errors)
		}
		if passed := time.Since(began); passed < 4*pauseAfterError {
			t.Errorf("%s: spins: 5 errors for each connection in %v", client, passed)
		}
		var text strings.Builder
		if err := r.Print(&text); err != nil || !strings.Contains(text.String(), "errors CLUSTERDOWN") {
			t.Errorf("%v\n%s", err, text.String())
		}
	}
}

func TestBrokenConnectionsAreMadeAgain(t *testing.T) {
	for _, client := range []string{"own", "go-redis"} {
		s := startTiny(t, func(s *tinyServer) { s.breaks = 5 })
		c := short(s.addr())
		c.Client = client
		r := s.runUntil(t, c, func(s *tinyServer) bool { return s.sessions >= 20 })
		if r.Errors["connection"] < 12 || r.Operations < 16 {
			t.Errorf("%s: %d operations, %v, %d connections", client, r.Operations, r.Errors, s.sessions)
		}
	}
}

func TestMuteServerDoesNotHang(t *testing.T) {
	s := startTiny(t, func(s *tinyServer) { s.mutes = true })
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	c := short(s.addr())
	c.Duration = time.Hour // Ctrl-C ends it
	began := time.Now()
	r, err := Store(ctx, c)
	if err != nil || r.Operations != 0 || time.Since(began) > 10*time.Second {
		t.Errorf("%v, %d operations after %v", err, r.Operations, time.Since(began))
	}
}

func TestNobodyThere(t *testing.T) {
	if _, err := Store(t.Context(), short("127.0.0.1:1")); err == nil || !strings.Contains(err.Error(), "connect to 127.0.0.1:1") {
		t.Error(err)
	}
}

func TestConfigIsChecked(t *testing.T) {
	for _, bad := range []StoreConfig{
		{}, {Connections: -1}, {Connections: 1 << 20}, {Pipeline: -1}, {ReadShare: 1.5}, {ValueBytes: 1 << 30},
		{Keys: -1}, {Command: "eval"}, {Client: "jedis"}, {Duration: -1},
		{ValueBytes: 16 << 20}, {Consistency: "bounded"}, {Consistency: "bounded x"}, {Consistency: "bounded -1"},
		{Consistency: "bounded 1 2"}, {Consistency: "session 1"}, {Consistency: "strong"},
	} {
		if !reflect.DeepEqual(bad, StoreConfig{}) { // without anything, the address is what lacks
			bad.Addresses = []string{"127.0.0.1:1"}
		}
		if err := bad.complete(); err == nil {
			t.Errorf("%+v was taken", bad)
		}
	}
	for _, level := range []string{"", "linearizable", "SESSION", "eventual", "bounded 0", " Bounded  100 "} {
		if err := (StoreConfig{Addresses: []string{"a"}, Consistency: level}).Check(); err != nil {
			t.Errorf("%q: %v", level, err)
		}
	}
	c := StoreConfig{Addresses: []string{"a"}, ReadShare: 0.5}
	if err := c.complete(); err != nil || c.Command != "mixed" || c.Connections != 64 || c.Duration != 10*time.Second {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestReportSpeaksJSON(t *testing.T) {
	s := startTiny(t, nil)
	c := short(s.addr())
	c.PIDs, c.Password, c.Warmup = []int{os.Getpid()}, "secret", 20*time.Millisecond
	r, err := Store(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var fields map[string]any
	if err := json.Unmarshal(raw, &fields); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"operations_per_second", "p50_us", "p99_us", "p99_9_us", "errors", "server_cpu_seconds_per_100k"} {
		if _, ok := fields[name]; !ok {
			t.Errorf("no %s in %s", name, raw)
		}
	}
	if strings.Contains(string(raw), "secret") {
		t.Error("the password is in the report")
	}
}

// Same seed, same commands: runs can be compared.
func TestSourceIsRepeatable(t *testing.T) {
	c := short("a")
	c.Command, c.ReadShare = "mixed", 0.3
	stream := func(worker int) string {
		var all []byte
		s := newSource(&c, worker, makeValue(&c))
		for range 1000 {
			all = s.append(all)
		}
		return string(all)
	}
	first, again, other := stream(1), stream(1), stream(2)
	if first != again || first == other {
		t.Error("the seed does not decide")
	}
	if gets := strings.Count(first, "GET"); gets < 250 || gets > 350 {
		t.Errorf("%d of 1000 are GET, want about 300", gets)
	}
}

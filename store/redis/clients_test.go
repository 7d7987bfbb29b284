package redis

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"flotilla"
)

// scenario is what any client must be able to do. It is run through plain and
// cluster clients.
func scenario(t *testing.T, c goredis.UniversalClient) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(c.Ping(ctx).Err())
	for i := range 100 {
		must(c.Set(ctx, fmt.Sprintf("key%d", i), i, 0).Err())
	}
	for i := range 100 {
		if got, err := c.Get(ctx, fmt.Sprintf("key%d", i)).Int(); err != nil || got != i {
			t.Fatal(got, err)
		}
	}
	if _, err := c.Get(ctx, "nokey").Result(); !errors.Is(err, goredis.Nil) {
		t.Fatal(err)
	}
	commands, err := c.Pipelined(ctx, func(p goredis.Pipeliner) error {
		for i := range 100 {
			p.Incr(ctx, fmt.Sprintf("key%d", i))
			p.Get(ctx, fmt.Sprintf("key%d", i))
		}
		return nil
	})
	must(err)
	for i := range 100 {
		if got := commands[2*i+1].(*goredis.StringCmd).Val(); got != fmt.Sprint(i+1) {
			t.Fatalf("key%d is %s", i, got)
		}
	}
	must(c.HSet(ctx, "h", "a", 1, "b", 2).Err())
	if m := c.HGetAll(ctx, "h").Val(); len(m) != 2 || m["b"] != "2" {
		t.Fatal(m)
	}
	must(c.ZAdd(ctx, "z", goredis.Z{Score: 1.5, Member: "m"}, goredis.Z{Score: 2, Member: "n"}).Err())
	if z := c.ZRangeWithScores(ctx, "z", 0, -1).Val(); len(z) != 2 || z[0].Score != 1.5 {
		t.Fatal(z)
	}
	must(c.RPush(ctx, "l", "x", "y").Err())
	if got := c.BLPop(ctx, time.Second, "l").Val(); len(got) != 2 || got[1] != "x" {
		t.Fatal(got)
	}
	scenarioTransactions(ctx, t, c)
	scenarioPubSub(ctx, t, c)
}

// scenarioTransactions counts with WATCH from several goroutines: nothing is lost.
func scenarioTransactions(ctx context.Context, t *testing.T, c goredis.UniversalClient) {
	const workers, each = 4, 10
	done := make(chan error, workers)
	for range workers {
		go func() {
			for n := 0; n < each; {
				err := c.Watch(ctx, func(tx *goredis.Tx) error {
					count, err := tx.Get(ctx, "count").Int()
					if err != nil && !errors.Is(err, goredis.Nil) {
						return err
					}
					_, err = tx.TxPipelined(ctx, func(p goredis.Pipeliner) error {
						p.Set(ctx, "count", count+1, 0)
						return nil
					})
					return err
				}, "count")
				if err == nil {
					n++
				} else if !errors.Is(err, goredis.TxFailedErr) {
					done <- err
					return
				}
			}
			done <- nil
		}()
	}
	for range workers {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	if n, _ := c.Get(ctx, "count").Int(); n != workers*each {
		t.Fatalf("%d increments became %d", workers*each, n)
	}
}

func scenarioPubSub(ctx context.Context, t *testing.T, c goredis.UniversalClient) {
	sub := c.Subscribe(ctx, "news")
	defer sub.Close()
	if _, err := sub.Receive(ctx); err != nil {
		t.Fatal(err)
	}
	if err := c.Publish(ctx, "news", "hello").Err(); err != nil {
		t.Fatal(err)
	}
	if m, err := sub.ReceiveMessage(ctx); err != nil || m.Payload != "hello" {
		t.Fatal(m, err)
	}
}

func TestGoRedis(t *testing.T) {
	for _, protocol := range []int{2, 3} {
		t.Run(fmt.Sprint("RESP", protocol), func(t *testing.T) {
			l := newLab(t, 3, 3, func(s *Server) { s.Password = "secret" })
			c := goredis.NewClient(&goredis.Options{Addr: l.addrs[1], Password: "secret", Protocol: protocol, ClientName: "test"})
			defer c.Close()
			scenario(t, c)
		})
	}
}

// A cluster client goes to the leaders, also where one node leads everything.
func TestGoRedisCluster(t *testing.T) {
	for _, groups := range []int{1, 3} {
		t.Run(fmt.Sprint(groups, "groups"), func(t *testing.T) {
			l := newLab(t, 3, groups, func(s *Server) { s.ShowLeaders = true })
			c := goredis.NewClusterClient(&goredis.ClusterOptions{Addrs: l.addrs, ReadOnly: groups == 1})
			defer c.Close()
			scenario(t, c)
			var masters atomic.Int32
			err := c.ForEachMaster(context.Background(), func(context.Context, *goredis.Client) error {
				masters.Add(1)
				return nil
			})
			if groups == 1 && (err != nil || masters.Load() != 1) {
				t.Errorf("%d masters, %v", masters.Load(), err)
			}
			shards, err := c.ClusterShards(context.Background()).Result()
			if err != nil || len(shards) != groups {
				t.Error(shards, err)
			}
		})
	}
}

// TestClusterClientsCountOnce: clients that ask each master and add up, as for a Redis
// Cluster, find each key once, whatever the nodes show; clients of one node find all
// keys, unless the nodes show their leaders.
func TestClusterClientsCountOnce(t *testing.T) {
	const keys = 300
	for _, showLeaders := range []bool{false, true} {
		t.Run(fmt.Sprint("leaders=", showLeaders), func(t *testing.T) {
			l := newLab(t, 4, 7, func(s *Server) { s.ShowLeaders = showLeaders })
			l.Change(func(t *flotilla.Topology) { // n4 leads nothing: it is shown as a replica
				for i := range t.Groups {
					if t.Groups[i].Leader == 4 {
						t.Groups[i].Leader = 1
					}
				}
			})
			ctx := context.Background()
			c := goredis.NewClusterClient(&goredis.ClusterOptions{Addrs: l.addrs})
			defer c.Close()
			for i := range keys {
				if err := c.Set(ctx, fmt.Sprint("key", i), i, 0).Err(); err != nil {
					t.Fatal(err)
				}
			}
			var asked, scanned, listed atomic.Int64
			err := c.ForEachMaster(ctx, func(ctx context.Context, node *goredis.Client) error {
				asked.Add(1)
				for i := node.Scan(ctx, 0, "", 10).Iterator(); i.Next(ctx); {
					scanned.Add(1)
				}
				all, err := node.Keys(ctx, "*").Result()
				listed.Add(int64(len(all)))
				return err
			})
			size, sizeErr := c.DBSize(ctx).Result()
			want := int64(map[bool]int{false: 1, true: 3}[showLeaders])
			if err != nil || sizeErr != nil || asked.Load() != want || size != keys || scanned.Load() != keys || listed.Load() != keys {
				t.Errorf("%d masters: DBSIZE %d, SCAN %d, KEYS %d of %d keys; %v, %v", asked.Load(), size, scanned.Load(), listed.Load(), keys, err, sizeErr)
			}
			for i, addr := range l.addrs {
				one := dialRaw(t, addr)
				got := one.do("dbsize")
				_ = one.Close()
				if isWhole := got == fmt.Sprintf(":%d\n", keys); isWhole == showLeaders {
					t.Errorf("n%d alone has %q of %d keys", i+1, got, keys)
				}
			}
			err = c.ForEachMaster(ctx, func(ctx context.Context, node *goredis.Client) error { return node.FlushAll(ctx).Err() })
			if size, sizeErr := c.DBSize(ctx).Result(); err != nil || sizeErr != nil || size != 0 {
				t.Errorf("after FLUSHALL on each master there are %d keys, %v, %v", size, err, sizeErr)
			}
		})
	}
}

// TestScanOfAGroupThatMovesGoesOn: a scan that began in a group ends there, though the
// node is not shown as its master any more.
func TestScanOfAGroupThatMovesGoesOn(t *testing.T) {
	l := newLab(t, 2, 2, func(s *Server) { s.ShowLeaders = true })
	c := goredis.NewClient(&goredis.Options{Addr: l.addrs[0]})
	defer c.Close()
	ctx := context.Background()
	for i := range 100 {
		c.Set(ctx, fmt.Sprint("key", i), i, 0)
	}
	want := int(c.DBSize(ctx).Val())
	page, cursor, err := c.Scan(ctx, 0, "", 5).Result()
	found := len(page)
	l.Change(func(t *flotilla.Topology) { t.Groups[1].Leader, t.Groups[2].Leader = 2, 1 })
	for cursor>>48 == 1 && err == nil {
		page, cursor, err = c.Scan(ctx, cursor, "", 5).Result()
		found += len(page)
	}
	if err != nil || want == 0 || found < want {
		t.Errorf("%d of %d keys, %v", found, want, err)
	}
}

// go-redis retries what was refused, by itself, and not what is unknown.
func TestGoRedisRetriesRefused(t *testing.T) {
	l := newLab(t, 1, 1)
	var failures failureBox
	l.Fail = failures.next
	c := goredis.NewClient(&goredis.Options{Addr: l.addrs[0]})
	defer c.Close()
	ctx := context.Background()
	for _, reason := range []flotilla.Reason{flotilla.NoQuorum, flotilla.Busy, flotilla.Stopping} {
		var calls atomic.Int32
		failures.set(func(*flotilla.Call) error {
			if calls.Add(1) < 3 {
				return flotilla.Refused(reason, "")
			}
			return nil
		})
		if err := c.Incr(ctx, "n").Err(); err != nil || calls.Load() != 3 {
			t.Errorf("%s: %v after %d tries", reason, err, calls.Load())
		}
	}
	var calls atomic.Int32
	failures.set(func(*flotilla.Call) error {
		calls.Add(1)
		return flotilla.Unknown(flotilla.Timeout, "")
	})
	if err := c.Incr(ctx, "n").Err(); err == nil || !strings.HasPrefix(err.Error(), "UNKNOWN") || calls.Load() != 1 {
		t.Errorf("unknown: %v after %d tries", err, calls.Load())
	}
	failures.set(nil)
	if n, err := c.Get(ctx, "n").Int(); n != 3 || err != nil {
		t.Error(n, err)
	}
}

func TestRedisCLI(t *testing.T) {
	cli := requireProgram(t, "redis-cli")
	l := newLab(t, 3, 3)
	host, port, _ := net.SplitHostPort(l.addrs[2])
	run := func(input string, args ...string) string {
		t.Helper()
		cmd := exec.Command(cli, append([]string{"-h", host, "-p", port}, args...)...)
		cmd.Stdin = strings.NewReader(input)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %v\n%s", args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	for _, c := range []struct{ input, args, want string }{
		{"", "set a 1", "OK"},
		{"", "-c get a", "1"},
		{"", "-3 hset h f v", "1"},
		{"", "-3 --no-raw hgetall h", `1# "f" => "v"`},
		{"MULTI\nINCR a\nEXEC\n", "", "OK\nQUEUED\n2"},
		{"", "-n 0 get a", "2"},
		{"", "--no-raw blpop l 0.01", "(nil)"},
		{"", "--scan --pattern a", "a"},
		{"some value", "-x set x", "OK"},
		{"", "-c cluster keyslot x", "16287"},
	} {
		if got := run(c.input, strings.Fields(c.args)...); got != c.want {
			t.Errorf("redis-cli %s: %q, want %q", c.args, got, c.want)
		}
	}
	if got := run("", "--bigkeys"); !strings.Contains(got, "Sampled 3 keys") {
		t.Error(got)
	}
	if got := run("", "--cluster", "check", l.addrs[0]); !strings.Contains(got, "All 16384 slots covered") {
		t.Error(got)
	}
}

const pythonScenario = `
import sys, redis
from redis.cluster import RedisCluster
port = int(sys.argv[1])
for c in (redis.Redis(port=port), RedisCluster(host="127.0.0.1", port=port)):
    assert c.set("k", "v") and c.get("k") == b"v"
    assert c.get("nokey") is None
    c.delete("h", "l", "z")
    c.hset("h", mapping={"a": 1, "b": 2})
    assert c.hgetall("h") == {b"a": b"1", b"b": b"2"}
    c.rpush("l", 1, 2, 3)
    assert c.lrange("l", 0, -1) == [b"1", b"2", b"3"]
    assert c.blpop("l", 1) == (b"l", b"1")
    c.zadd("z", {"m": 1.5})
    assert c.zrange("z", 0, -1, withscores=True) == [(b"m", 1.5)]
    p = c.pipeline(transaction=False)
    for i in range(50):
        p.set("key%d" % i, i)
        p.get("key%d" % i)
    assert p.execute()[1::2] == [str(i).encode() for i in range(50)]
r = redis.Redis(port=port, client_name="py")
with r.pipeline() as p:
    p.watch("k"); p.multi(); p.set("k", "w"); assert p.execute() == [True]
assert r.client_getname() == "py"
assert r.config_get("maxmemory") == {"maxmemory": "0"}
assert r.info()["cluster_enabled"] == 1
assert len(list(r.scan_iter("key*"))) == 50
s = r.pubsub(); s.subscribe("c"); assert s.get_message(timeout=5)["type"] == "subscribe"
r.publish("c", "m"); assert s.get_message(timeout=5)["data"] == b"m"
s.close()
try:
    r.lpush("k", 1); assert False
except redis.ResponseError as e:
    assert str(e).startswith("WRONGTYPE")
print("good")
`

// pythonCluster counts with a client that asks each master and adds up.
const pythonCluster = `
import sys, redis.cluster
r = redis.cluster.RedisCluster(host="127.0.0.1", port=int(sys.argv[1]))
for i in range(100): r.set("key%d" % i, i)
assert r.dbsize(target_nodes=r.PRIMARIES) == 100
assert len(r.keys("*", target_nodes=r.PRIMARIES)) == 100
assert len(list(r.scan_iter("key*"))) == 100
r.flushall()
assert r.dbsize(target_nodes=r.PRIMARIES) == 0
print("good")
`

func TestPython(t *testing.T) {
	python := "/usr/bin/python3"
	if exec.Command(python, "-c", "import redis").Run() != nil {
		t.Skip("python3-redis is not installed")
	}
	run := func(what, program string, l *lab) {
		_, port, _ := net.SplitHostPort(l.addrs[0])
		out, err := exec.Command(python, "-c", program, port).CombinedOutput()
		if err != nil || strings.TrimSpace(string(out)) != "good" {
			t.Errorf("%s: %v\n%s", what, err, out)
		}
	}
	run("one group", pythonScenario, newLab(t, 3, 1))
	run("three groups", pythonScenario, newLab(t, 3, 3))
	run("a cluster client", pythonCluster, newLab(t, 3, 3))
	run("a cluster client and leaders", pythonCluster, newLab(t, 3, 3, func(s *Server) { s.ShowLeaders = true }))
}

func TestRedisBenchmark(t *testing.T) {
	program := requireProgram(t, "redis-benchmark")
	l := newLab(t, 1, 1)
	_, port, _ := net.SplitHostPort(l.addrs[0])
	out, err := exec.Command(program, "-p", port, "-q", "-n", "2000", "-P", "16", "-t", "ping,set,get,incr,lpush,rpop,sadd,hset").CombinedOutput()
	if err != nil || strings.Contains(string(out), "rror") || !strings.Contains(string(out), "HSET:") {
		t.Errorf("%v\n%s", err, out)
	}
}

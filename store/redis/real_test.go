package redis

import (
	"net"
	"os/exec"
	"strings"
	"testing"
)

// startReal starts a real Redis, with more arguments than it gets anyway.
func startReal(t *testing.T, more ...string) (addr string) {
	program := requireProgram(t, "redis-server")
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr = listener.Addr().String()
	_ = listener.Close()
	_, port, _ := net.SplitHostPort(addr)
	cmd := exec.Command(program, append([]string{"--port", port, "--save", "", "--appendonly", "no", "--dir", t.TempDir(), "--bind", "127.0.0.1"}, more...)...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	eventually(t, "redis-server listens", func() bool {
		socket, err := net.Dial("tcp", addr)
		if err == nil {
			_ = socket.Close()
		}
		return err == nil
	})
	return addr
}

// sameAsRedis are commands whose replies must not differ by a byte from those of
// Redis, in either protocol. A line that begins with > is sent by a second client.
const sameAsRedis = `
ping
ping hello
ping a b
echo x
get
nosuch a b
select 0
select x
client getname
client setname me
client getname
client setname "a b"
client kill 127.0.0.1:1
client kill id x
client kill type nosuch
client no-evict on
client no-evict x
client reply x
client trackinginfo
client getredir
client unblock 12345
client unblock 12345 nosuch
client unblock x
multi
multi
set {t}k
exec
exec
discard
multi
set {t}k 1
incr {t}k
get {t}k
lpush {t}k x
hgetall {t}nokey
zpopmin {t}nokey
blpop {t}nokey 0
bzpopmin {t}nokey 0
smembers {t}nokey
ping
echo x
exec
multi
watch {t}k
discard
watch {t}k
> set {t}k 2
multi
get {t}k
exec
watch {t}k
unwatch
multi
get {t}k
exec
blpop {t}l 0.01
bzpopmax {t}z 0.01
brpoplpush {t}l {t}m 0.01
blmove {t}l {t}m left right 0.01
blmpop 0.01 1 {t}l left
blpop {t}l x
blpop {t}l -1
blmove {t}l {t}m left up 0.01
rpush {t}l a b
brpop {t}l {t}x 0
blpop {t}k 0
zadd {t}z 1 a 2.5 b
bzpopmin {t}z 0
bzmpop 0 1 {t}z max
wait 0 0
wait x 0
wait 0 x
wait 0 -1
role
time x
publish c x
publish c
pubsub channels
pubsub numsub a b
pubsub numpat
pubsub shardchannels
ping
slowlog len
slowlog reset
latency latest
command info nosuch
config get nosuch
config set nosuch 1
config set notify-keyspace-events KEA
config get notify-keyspace-events
config set notify-keyspace-events Kz$
config get notify-keyspace-events
config set notify-keyspace-events ""
config get notify-keyspace-events
config set maxclients x
config set notify-keyspace-events KEAx?
config get maxmemory
object help x y
auth nosuch
auth default nosuch
auth other x
auth a b c
hello 1
hello x
lastsave x
move k
swapdb 1
info nosuch
reset
unwatch
`

func TestSameAsRedis(t *testing.T) {
	real := startReal(t)
	for _, protocol := range []string{"2", "3"} {
		l := newLab(t, 1, 1)
		a, b := dialRaw(t, l.addrs[0]), dialRaw(t, real)
		a2, b2 := dialRaw(t, l.addrs[0]), dialRaw(t, real)
		for _, c := range []*rawClient{a, b, a2, b2} {
			defer c.Close()
			c.do("flushall")
			c.do("hello", protocol)
		}
		for _, line := range strings.Split(strings.TrimSpace(sameAsRedis), "\n") {
			ours, theirs, command := a, b, line
			if rest, isSecond := strings.CutPrefix(line, "> "); isSecond {
				ours, theirs, command = a2, b2, rest
			}
			words, _ := splitWords(nil, []byte(command))
			var args []string
			for _, word := range words {
				args = append(args, string(word))
			}
			got, want := ours.do(args...), theirs.do(args...)
			if got != want {
				t.Errorf("RESP%s %s:\ngot  %q\nwant %q", protocol, line, got, want)
			}
		}
	}
}

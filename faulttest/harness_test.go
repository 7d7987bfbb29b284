package faulttest

import (
	"context"
	"fmt"
	"net"
	"os/exec"
	"testing"

	"flotilla/lab/labtest"
	"time"

	"flotilla/check"
)

// startRedis starts one plain redis-server, or skips where there is none.
func startRedis(t *testing.T) (address string) {
	t.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		t.Skip("needs redis-server (Debian: apt install redis-server)")
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := listener.Addr().(*net.TCPAddr).Port
	_ = listener.Close() // nothing was written to it
	cmd := exec.Command(path, "--port", fmt.Sprint(port), "--save", "", "--appendonly", "no", "--dir", t.TempDir())
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // it was killed: how it ended says nothing
	})
	address = fmt.Sprintf("127.0.0.1:%d", port)
	c := dial(address)
	defer c.Close()
	labtest.Eventually(t, 10*time.Second, "redis-server", func() bool {
		return c.Ping(context.Background()).Err() == nil
	}, func() string { return "no answer to PING" })
	return address
}

func TestHarnessFindsNoFaultInOneRedis(t *testing.T) {
	address := startRedis(t)
	l := startLoad(t, []string{address, address, address}, 12)
	pass(4 * time.Second)
	history := l.finish(address)
	kinds := map[check.Kind]int{}
	for _, o := range history {
		if o.Outcome != check.Known {
			t.Fatalf("in peace, %+v", o)
		}
		if o.Kind != check.CompareAndSet || o.Changed {
			kinds[o.Kind]++
		}
	}
	t.Logf("%d operations: %v", len(history), kinds)
	for _, kind := range []check.Kind{check.Read, check.Write, check.CompareAndSet, check.Add, check.Insert, check.Members} {
		if kinds[kind] < 10 {
			t.Errorf("%d operations of kind %s: the load does not try it", kinds[kind], kind)
		}
	}
}

// TestHarnessFindsLostData plants the worst fault there is: a server that forgets.
func TestHarnessFindsLostData(t *testing.T) {
	address := startRedis(t)
	l := startLoad(t, []string{address}, 6)
	pass(500 * time.Millisecond)
	c := dial(address)
	defer c.Close()
	if err := c.FlushAll(context.Background()).Err(); err != nil {
		t.Fatal(err)
	}
	pass(500 * time.Millisecond)
	l.Stop()
	history := l.Recorder.History()
	final := l.readFinal(address)
	if v := check.Durable(history, final); v.OK() {
		t.Errorf("all data was dropped, and durability is %v", v)
	}
	if v := check.Linearizable(l.Recorder.History(), check.EnoughSteps); v.OK() {
		t.Errorf("all data was dropped, and linearizability is %v", v)
	}
}

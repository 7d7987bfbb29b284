package faulttest

import (
	"testing"
	"time"

	"flotilla"
	"flotilla/lab/labtest"
	"flotilla/supervisor"

	"github.com/redis/go-redis/v9"
)

// TestALeaderWithASlowDiskGivesWay: to a node whose disk is fast, with nothing lost; the
// node itself goes on as a follower, and its disk is fast again once it is healed.
func TestALeaderWithASlowDiskGivesWay(t *testing.T) {
	f := labtest.StartFleet(t, 3)
	ctx := t.Context()
	client := redis.NewClient(&redis.Options{Addr: f.Addresses()[0], ReadTimeout: 20 * time.Second})
	defer client.Close()
	count := func() int64 {
		t.Helper()
		n, err := client.Incr(ctx, "counter").Result()
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	acked := count()
	first := f.Leader(1)
	f.Request(supervisor.Request{Verb: supervisor.SlowDisk, Nodes: []flotilla.NodeID{first}, DelayMillis: 150})
	began := time.Now()
	acked = count()
	if took := time.Since(began); took < 150*time.Millisecond && f.Leader(1) == first {
		t.Errorf("a write took %v, though the leader's disk needs longer", took)
	}
	labtest.Eventually(t, time.Minute, "another node leads", func() bool {
		acked = count()
		now := f.Leader(1)
		return now != 0 && now != first
	}, func() string { return "" })
	f.Request(supervisor.Request{Verb: supervisor.Heal})
	if now := count(); now != acked+1 {
		t.Errorf("counted %d after %d was acknowledged", now, acked)
	}
}

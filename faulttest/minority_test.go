package faulttest

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"flotilla"
	"flotilla/check"
	"flotilla/lab/labtest"
	"flotilla/supervisor"

	"github.com/redis/go-redis/v9"
)

// TestMinorityTellsTheTruth cuts a node off from the others, while clients still
// reach it, and asks it everything: once a leader, once a follower.
func TestMinorityTellsTheTruth(t *testing.T) {
	f := startFleet(t)
	t.Run("leader", func(t *testing.T) { askMinority(t, f, f.Leader(1)) })
	t.Run("follower", func(t *testing.T) { askMinority(t, f, f.Leader(1)%3+1) })
}

// askMinority isolates a node for a while.
func askMinority(t *testing.T, f *fleet, alone flotilla.NodeID) {
	f.T = t
	f.WaitReady("the fleet before")
	addresses := f.Addresses()
	ctx := context.Background()
	other := alone%3 + 1
	c := dial(addresses[alone-1])
	defer c.Close()
	if err := c.Set(ctx, "before", "the cut", 0).Err(); err != nil {
		t.Fatal(err)
	}

	l := startLoad(t, []string{addresses[other-1]}, 4)
	pass(500 * time.Millisecond)
	f.Fault(supervisor.Isolate, alone)
	waitDown(t, c)
	refused := askForWrites(ctx, t, l, c)
	askForReads(ctx, t, c, addresses[alone-1])

	// The others have not stopped, and know nothing of what was refused.
	majority := dial(addresses[other-1])
	defer majority.Close()
	labtest.Eventually(t, 10*time.Second, "the majority to take writes", func() bool {
		return majority.Set(ctx, "since", "the cut", 0).Err() == nil
	}, func() string { return "" })
	pass(500 * time.Millisecond)
	f.Fault(supervisor.Heal)
	f.WaitReady("the fleet after")
	pass(500 * time.Millisecond)
	history := l.finish(addresses[alone-1])

	for _, key := range refused {
		for node, address := range addresses {
			reader := dial(address)
			if got, err := reader.Get(ctx, key).Result(); err != redis.Nil {
				t.Errorf("n%d: %s was refused, but is there: %q, %v", node+1, key, got, err)
			}
			_ = reader.Close() // nothing is under way on it
		}
	}
	if n := countOutcome(history, check.Refused); n < len(refused) {
		t.Errorf("the history has %d refusals, want %d at least", n, len(refused))
	}
}

func countOutcome(history []check.Operation, outcome check.Outcome) (n int) {
	for _, o := range history {
		if o.Outcome == outcome {
			n++
		}
	}
	return n
}

// waitDown waits until the node has noticed that it is alone.
func waitDown(t *testing.T, c *redis.Client) {
	t.Helper()
	began := time.Now()
	var last error
	labtest.Eventually(t, 15*time.Second, "the node to say CLUSTERDOWN", func() bool {
		last = c.Get(context.Background(), "before").Err()
		return last != nil && strings.HasPrefix(last.Error(), "CLUSTERDOWN ")
	}, func() string { return fmt.Sprint(last) })
	t.Logf("noticed after %v", time.Since(began))
}

// atOnce is how long a refusal may take; the machine may be busy with other tests.
const atOnce = 500 * time.Millisecond

// askForWrites has the lonely node refuse writes, and returns their keys.
func askForWrites(ctx context.Context, t *testing.T, l *load, c *redis.Client) (keys []string) {
	t.Helper()
	for i := range 20 {
		key := fmt.Sprintf("once:%s:refused-%d", l.Run, i)
		began := time.Now()
		o := l.Do(check.Operation{Client: 1 << 20, Key: key, Kind: check.Write, Value: key}, func(o *check.Operation) error {
			err := c.Set(ctx, o.Key, o.Value, 0).Err()
			if err == nil || !strings.HasPrefix(err.Error(), "CLUSTERDOWN ") {
				t.Errorf("a write without a majority is answered with %v", err)
			}
			return err
		})
		if took := time.Since(began); took > atOnce {
			t.Errorf("a write was refused after %v, not at once", took)
		}
		if o.Outcome == check.Refused {
			keys = append(keys, key)
		}
	}
	return keys
}

// askForReads demands that linearizable reads are refused at once, and that reads
// which ask for no majority are answered, whichever way they are asked for.
func askForReads(ctx context.Context, t *testing.T, c *redis.Client, address string) {
	t.Helper()
	for range 10 {
		began := time.Now()
		err := c.Get(ctx, "before").Err()
		if err == nil || !strings.HasPrefix(err.Error(), "CLUSTERDOWN ") {
			t.Errorf("a linearizable read without a majority is answered with %v", err)
		}
		if took := time.Since(began); took > atOnce {
			t.Errorf("a read was refused after %v, not at once", took)
		}
	}
	for _, how := range [][]any{{"READONLY"}, {"CONSISTENCY", "EVENTUAL"}} {
		relaxed := dial(address)
		conn := relaxed.Conn()
		if err := conn.Do(ctx, how...).Err(); err != nil {
			t.Errorf("%v: %v", how, err)
		}
		if got, err := conn.Get(ctx, "before").Result(); got != "the cut" || err != nil {
			t.Errorf("after %v a read from the minority gives %q, %v", how, got, err)
		}
		_ = conn.Close() // nothing is under way on it
		_ = relaxed.Close()
	}
}

// TestClusterComesBackAfterRestart stops a fleet as Ctrl-C does and starts it again
// in the same folder.
func TestClusterComesBackAfterRestart(t *testing.T) {
	f := startFleet(t)
	l := startLoad(t, f.Addresses(), 6)
	pass(time.Second)
	l.Stop()
	f.Restart()
	final := l.readFinal(f.Addresses()[2])
	l.judge(final)
	f.waitEqual(20 * time.Second)
	for i, address := range f.Addresses() {
		if faults := l.Same(flotilla.NodeID(i+1), address, final); len(faults) > 0 {
			t.Errorf("copies differ: %v", faults)
		}
	}
	// And a copy that differs in one key would be found.
	for key := range final {
		final[key] = check.Final{Found: true, Value: "another"}
		if faults := l.Same(1, f.Addresses()[0], final); len(faults) != 1 || !strings.Contains(faults[0], key) {
			t.Errorf("%s differs: %v", key, faults)
		}
		break
	}
}

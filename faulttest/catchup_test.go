package faulttest

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"flotilla"
	"flotilla/bench"
	"flotilla/lab/labtest"
	"flotilla/supervisor"

	"github.com/redis/go-redis/v9"
)

var missedWrites = flag.Int("writes", 30_000, "how many writes a node misses in TestCatchUp")

// longestPause is what clients of the other nodes may see while a node catches up.
const longestPause = time.Second

// isAlone says that nothing else runs on this machine, so that no pause is excused.
var isAlone = flag.Bool("alone", false, "nothing else runs here: judge pauses however busy the machine is")

// muchByOthers is the share of the processors from which on what others do may be why
// a client waited.
const muchByOthers = 0.25

// TestCatchUp has a node miss many writes, and watches from a client's side while
// it catches up: once by the log, and once, its folder lost, by a snapshot.
func TestCatchUp(t *testing.T) {
	f := startFleet(t)
	addresses := f.Addresses()
	d := dataset{name: "missed", keys: 2 * *missedWrites, minBytes: 200, maxBytes: 300}
	node := f.Leader(1)%3 + 1

	t.Run("by log", func(t *testing.T) {
		f.T = t
		f.Fault(supervisor.Kill, node)
		d.load(t, others(addresses, node), 0, d.keys/2, 64)
		sent := f.snapshotsSent()
		f.catchUp(node, addresses)
		if now := f.snapshotsSent(); now != sent {
			t.Errorf("%d snapshots were sent: the log had all that was missing", now-sent)
		}
		d.verify(t, addresses[node-1:node], 0, d.keys/2, 1+d.keys/20_000, true)
	})
	t.Run("by snapshot", func(t *testing.T) {
		f.T = t
		f.WaitReady("the fleet before")
		node := f.Leader(1)%3 + 1
		f.Fault(supervisor.Kill, node)
		d.load(t, others(addresses, node), d.keys/2, d.keys, 64)
		if err := os.RemoveAll(filepath.Join(f.Dir, node.String(), "data")); err != nil {
			t.Fatal(err)
		}
		sent := f.snapshotsSent()
		f.catchUp(node, addresses)
		if now := f.snapshotsSent(); now == sent {
			t.Errorf("no snapshot was sent, but the node had lost everything")
		}
		d.verify(t, addresses[node-1:node], 0, d.keys, 1+d.keys/20_000, true)
		d.scan(t, addresses[node-1])
	})
}

// others returns the addresses of all nodes but one.
func others(addresses []string, but flotilla.NodeID) []string {
	return slices.Delete(slices.Clone(addresses), int(but)-1, int(but))
}

// catchUp restarts a node and waits until it has all that the others have, while
// clients of the others watch for pauses.
func (f *fleet) catchUp(node flotilla.NodeID, addresses []string) {
	f.T.Helper()
	p := startProbes(f.T, others(addresses, node))
	machine := bench.WatchOthers(f.pids())
	pass(300 * time.Millisecond) // the probes' rhythm before
	target := f.applied(node%3 + 1)
	f.logKept()
	began := time.Now()
	f.Fault(supervisor.Restart, node)
	at := f.node(node).HTTPAddr
	labtest.Eventually(f.T, 10*time.Minute, "the node to catch up", func() bool {
		s, err := ask(at)
		if err != nil {
			return false
		}
		done := 0
		for _, g := range s.Groups {
			if g.IsHere && g.Role != "learner" && g.Applied >= target[g.Group] {
				done++
			}
		}
		return done == len(target)
	}, func() string {
		s, err := ask(at)
		return fmt.Sprintf("%+v, %v; wanted %v", s.Groups, err, target)
	})
	f.T.Logf("caught up with %v %v after its restart", target, time.Since(began).Round(time.Millisecond))
	f.WaitReady("the fleet after")
	pass(300 * time.Millisecond)
	p.finish(machine.Share(f.pids()))
	f.waitEqual(20 * time.Second)
}

// logKept logs who leads what, and how much log each node that answers still has:
// a node whose next entry is not in the leader's needs a snapshot.
func (f *fleet) logKept() {
	f.T.Helper()
	o := f.Status()
	for _, n := range o.Nodes {
		s, err := ask(n.HTTPAddr)
		if err != nil {
			continue
		}
		for _, g := range s.Groups {
			f.T.Logf("%s, %s of %v in term %d: log from %d to %d, state durable at %d", n.Name, g.Role, g.Group, g.Term, g.First, g.Last, g.Durable)
		}
	}
}

// applied returns the index that a node has applied, by group.
func (f *fleet) applied(node flotilla.NodeID) map[flotilla.GroupID]uint64 {
	f.T.Helper()
	s, err := ask(f.node(node).HTTPAddr)
	if err != nil {
		f.T.Fatal(err)
	}
	at := map[flotilla.GroupID]uint64{}
	for _, g := range s.Groups {
		at[g.Group] = g.Applied
	}
	return at
}

// snapshotsSent counts the snapshots that all nodes that answer have sent.
func (f *fleet) snapshotsSent() (count uint64) {
	f.T.Helper()
	o := f.Status()
	for _, n := range o.Nodes {
		if s, err := ask(n.HTTPAddr); err == nil {
			count += s.Snapshots
		}
	}
	return count
}

// probes are clients that each write and read one key over and over.
type probes struct {
	t       *testing.T
	stop    context.CancelFunc
	running sync.WaitGroup
	pauses  []time.Duration // one a client: its longest time between two successes
	counts  []int
}

// startProbes starts one client for each address.
func startProbes(t *testing.T, addresses []string) *probes {
	ctx, cancel := context.WithCancel(context.Background())
	p := &probes{t: t, stop: cancel, pauses: make([]time.Duration, len(addresses)), counts: make([]int, len(addresses))}
	for i, address := range addresses {
		p.running.Go(func() { p.probe(ctx, i, address) })
	}
	return p
}

// probe writes a number and reads it back, linearizably, until ctx ends.
func (p *probes) probe(ctx context.Context, i int, address string) {
	c := dial(address)
	defer c.Close()
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	key := fmt.Sprintf("probe:%d", i)
	last := time.Now()
	for n := 0; ctx.Err() == nil; n++ {
		err := c.Set(context.Background(), key, n, 0).Err()
		if err == nil {
			var got int
			if got, err = c.Get(context.Background(), key).Int(); err == nil && got != n || errors.Is(err, redis.Nil) {
				p.t.Errorf("%s: wrote %d and read %d, %v", key, n, got, err)
			}
		}
		now := time.Now()
		p.pauses[i] = max(p.pauses[i], now.Sub(last))
		if err == nil {
			last = now
			p.counts[i]++
		}
		<-ticker.C
	}
}

// pids are the processes of the fleet's nodes that run.
func (f *fleet) pids() (all []int) {
	for _, n := range f.Status().Nodes {
		if n.PID != 0 {
			all = append(all, n.PID)
		}
	}
	return all
}

// finish stops the clients, and demands that none had to wait for long, unless others
// took so much of the machine that nobody can tell why.
func (p *probes) finish(byOthers float64) {
	p.t.Helper()
	p.stop()
	p.running.Wait()
	for i, pause := range p.pauses {
		p.t.Logf("client %d: %d writes and reads, longest pause %v", i, p.counts[i], pause.Round(time.Millisecond))
		if pause <= longestPause {
			continue
		}
		if byOthers > muchByOthers && !*isAlone {
			p.t.Logf("not judged: other programs took %.0f%% of the processors; try again with -alone", 100*byOthers)
		} else {
			p.t.Errorf("client %d saw a pause of %v; at most %v is promised", i, pause, longestPause)
		}
	}
}

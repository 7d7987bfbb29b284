package faulttest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"flotilla"
	"flotilla/check"
	"flotilla/lab"
	"flotilla/lab/labtest"
	"flotilla/supervisor"

	"github.com/redis/go-redis/v9"
)

// slotGroups is how many groups share the slots in the fleets of this file.
const slotGroups = 4

// TestSeveralGroupsSurviveOneWayCuts breaks links of five nodes that share four
// groups in one direction only, and judges what clients were told after each; then
// it plants faults, to show that they would have been found.
func TestSeveralGroupsSurviveOneWayCuts(t *testing.T) {
	f := startNodes(t, 5, "--groups", fmt.Sprint(slotGroups))
	b := &breaker{fleet: f, addresses: f.Addresses()}
	groups := []flotilla.GroupID{1}
	if *isLong {
		groups = f.Groups()
	}
	for _, group := range groups {
		run := func(name string, broken func(leader flotilla.NodeID, followers []flotilla.NodeID)) {
			b.run(t, fmt.Sprintf("%v %s", group, name), func(*load) {
				leader, followers := f.replicas(group)
				broken(leader, followers)
				pass(faultTime())
				f.Fault(supervisor.Heal)
			})
		}
		run("leader to follower", func(leader flotilla.NodeID, followers []flotilla.NodeID) { f.CutOneWay(leader, followers[0]) })
		run("follower to leader", func(leader flotilla.NodeID, followers []flotilla.NodeID) { f.CutOneWay(followers[0], leader) })
		run("leader is not heard", func(leader flotilla.NodeID, _ []flotilla.NodeID) { f.separate(leader, false) })
		run("leader hears nothing", func(leader flotilla.NodeID, _ []flotilla.NodeID) { f.separate(leader, true) })
		b.run(t, fmt.Sprintf("%v kill leader", group), func(*load) {
			leader := f.Leader(group)
			f.Fault(supervisor.Kill, leader)
			pass(faultTime())
			f.Fault(supervisor.Restart, leader)
		})
	}
	if *isLong { // fault_test.go does so in the short run
		b.run(t, "kill all at once", func(*load) { f.KillAll() })
	}
	t.Run("around cut links", func(t *testing.T) { serveAroundCuts(t, f) })
	t.Run("planted loss", func(t *testing.T) { findLossInEachGroup(t, f) })
	t.Run("planted stale read", func(t *testing.T) { findStaleRead(t, f) })
}

// serveAroundCuts cuts links, one way and both, that others can go around. While they
// are cut, each node must write and read keys of all groups, wherever their leaders are.
func serveAroundCuts(t *testing.T, f *fleet) {
	f.T = t
	f.WaitReady("the fleet before")
	ctx := context.Background()
	var clients []*redis.Client
	for _, address := range f.Addresses() {
		c := dial(address)
		defer c.Close()
		clients = append(clients, c)
	}
	keys := map[flotilla.GroupID]string{}
	for i := 0; len(keys) < slotGroups; i++ {
		key := fmt.Sprintf("around:%d", i)
		keys[groupOf(ctx, t, clients[0], key)] = key
	}
	const nodes = 5
	for distance := 1; distance < nodes; distance++ { // each node is cut off from one, and one from it
		for from := 1; from <= nodes; from++ {
			f.CutOneWay(flotilla.NodeID(from), flotilla.NodeID((from+distance-1)%nodes+1))
		}
		pass(time.Second)
		for i, c := range clients {
			for group, key := range keys {
				var err error
				labtest.Eventually(t, 10*time.Second, fmt.Sprintf("n%d to serve %v around cut links", i+1, group), func() bool {
					value := fmt.Sprint(distance, i)
					if err = c.Set(ctx, key, value, 0).Err(); err != nil {
						return false
					}
					var got string
					got, err = c.Get(ctx, key).Result()
					return err == nil && got == value
				}, func() string { return fmt.Sprint(err) })
			}
		}
		f.Fault(supervisor.Heal)
	}
}

// separate has all be lost that a node sends, or all that is sent to it.
func (f *fleet) separate(node flotilla.NodeID, isDeaf bool) {
	for i := range f.Nodes {
		switch other := flotilla.NodeID(i + 1); {
		case other == node:
		case isDeaf:
			f.CutOneWay(other, node)
		default:
			f.CutOneWay(node, other)
		}
	}
}

// replicas returns who leads a group, and the other nodes that hold a copy, once one leads.
func (f *fleet) replicas(group flotilla.GroupID) (leader flotilla.NodeID, followers []flotilla.NodeID) {
	f.T.Helper()
	labtest.Eventually(f.T, 60*time.Second, fmt.Sprintf("%v to have a leader and followers", group), func() bool {
		leader, followers = f.tellReplicas(group)
		return leader != 0 && len(followers) > 0
	}, nil)
	return leader, followers
}

// tellReplicas does so as it is now; there may be no leader.
func (f *fleet) tellReplicas(group flotilla.GroupID) (leader flotilla.NodeID, followers []flotilla.NodeID) {
	f.T.Helper()
	o := f.Status()
	for _, g := range o.Groups {
		for _, r := range g.Replicas {
			if g.Group == group && r.Node != g.Leader {
				followers = append(followers, r.Node)
			}
		}
		if g.Group == group {
			leader = g.Leader
		}
	}
	return leader, followers
}

// groupOf returns which group owns a key: slots are given out in equal ranges.
func groupOf(ctx context.Context, t *testing.T, c *redis.Client, key string) flotilla.GroupID {
	t.Helper()
	slot, err := c.ClusterKeySlot(ctx, key).Result()
	if err != nil {
		t.Fatal(err)
	}
	return flotilla.GroupID(slot*slotGroups/flotilla.Slots + 1)
}

// findLossInEachGroup deletes one acknowledged key of one group after the other:
// each time the judges, who were content before, must notice.
func findLossInEachGroup(t *testing.T, f *fleet) {
	f.T = t
	f.WaitReady("the fleet before")
	ctx := context.Background()
	addresses := f.Addresses()
	l := startLoad(t, addresses, clients)
	c := dial(addresses[0])
	defer c.Close()
	groups, written := map[string]flotilla.GroupID{}, map[flotilla.GroupID]bool{}
	labtest.Eventually(t, 60*time.Second, "the load to write to each group", func() bool {
		for _, o := range l.Recorder.History() {
			if o.Kind != check.Write || o.Outcome != check.Known || groups[o.Key] != 0 {
				continue
			}
			groups[o.Key] = groupOf(ctx, t, c, o.Key)
			written[groups[o.Key]] = true
		}
		return len(written) == slotGroups
	}, nil)
	l.Stop()
	final := l.readFinal(addresses[0])
	l.judge(final)
	history := l.Recorder.History()

	done := map[flotilla.GroupID]bool{}
	for _, o := range history {
		if o.Kind != check.Write || o.Outcome != check.Known {
			continue
		}
		group := groupOf(ctx, t, c, o.Key)
		if done[group] {
			continue
		}
		done[group] = true
		if err := c.Del(ctx, o.Key).Err(); err != nil {
			t.Fatal(err)
		}
		now := int64(time.Since(l.Began))
		read := check.Operation{Client: 1 << 30, Key: o.Key, Kind: check.Read, Outcome: check.Known, Begin: now, End: now + 1}
		value, err := c.Get(ctx, o.Key).Result()
		read.Value, read.Found = value, err == nil
		planted := maps.Clone(final)
		planted[o.Key] = check.Final{Found: read.Found, Value: read.Value}
		if v := check.Durable(history, planted); v.OK() {
			t.Errorf("%s of %v was deleted behind the judges' backs, and durability is %v", o.Key, group, v)
		}
		if v := check.Linearizable(append(slices.Clone(history), read), check.EnoughSteps); v.OK() {
			t.Errorf("%s of %v was deleted behind the judges' backs, and linearizability is %v", o.Key, group, v)
		}
	}
	if len(done) != slotGroups {
		t.Errorf("the load wrote to the groups %v only, of %d", done, slotGroups)
	}
}

// findStaleRead has a node that nothing reaches answer eventual reads, and takes
// them for linearizable: the judge must notice.
func findStaleRead(t *testing.T, f *fleet) {
	f.T = t
	f.WaitReady("the fleet before")
	ctx := context.Background()
	const key = "register:stale"
	addresses := f.Addresses()
	first := dial(addresses[0])
	defer first.Close()
	leader, followers := f.replicas(groupOf(ctx, t, first, key))
	stale, writer := dial(addresses[followers[0]-1]), dial(addresses[leader-1])
	defer stale.Close()
	defer writer.Close()
	conn := stale.Conn()
	defer conn.Close()
	if err := conn.Do(ctx, "CONSISTENCY", "EVENTUAL").Err(); err != nil {
		t.Fatal(err)
	}

	l := &load{lab.StartLoad(lab.LoadOptions{Addresses: addresses}), t} // without clients of its own
	defer l.Stop()
	write := func(value string) {
		l.Do(check.Operation{Client: 1, Key: key, Kind: check.Write, Value: value}, func(o *check.Operation) error {
			return writer.Set(ctx, key, value, 0).Err()
		})
	}
	read := func() string {
		return l.Do(check.Operation{Client: 2, Key: key, Kind: check.Read}, func(o *check.Operation) (err error) {
			o.Value, err = conn.Get(ctx, key).Result()
			o.Found = err == nil
			return err
		}).Value
	}
	write("old")
	labtest.Eventually(t, 10*time.Second, "the follower to have it", func() bool { return conn.Get(ctx, key).Val() == "old" }, func() string { return "" })
	f.separate(followers[0], true)
	write("new")
	if got := read(); got != "old" {
		t.Fatalf("a node that nothing reaches reads %q: there is nothing to find", got)
	}
	f.Fault(supervisor.Heal)
	if v := check.Linearizable(l.Recorder.History(), check.EnoughSteps); v.OK() {
		t.Errorf("a read of what was overwritten is linearizable: %v", v)
	}
	for _, text := range l.Odd() {
		t.Error(text)
	}
}

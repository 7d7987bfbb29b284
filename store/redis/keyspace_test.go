package redis

import (
	"testing"
	"time"

	"flotilla"
)

// labWithout is three nodes of which the third holds no copy of the only group,
// which the first leads.
func labWithout(t *testing.T, setUp ...func(*Server)) *lab {
	l := newLab(t, 3, 1, setUp...)
	l.Change(func(t *flotilla.Topology) {
		t.Groups[1].Nodes = []flotilla.NodeID{1, 2}
		t.Groups[1].Leader = 1
	})
	l.Host(3).IsDeaf.Store(true)
	for _, addr := range l.addrs { // a door hears nothing before it serves
		c := dialRaw(t, addr)
		c.do("ping")
		_ = c.Close()
	}
	return l
}

// A node that holds no copy of a key's group hears of its events all the same:
// once, not once from each copy, and those that hold one do not hear them twice.
func TestEventsReachANodeWithoutACopy(t *testing.T) {
	l := labWithout(t)
	writer := dialRaw(t, l.addrs[1])
	defer writer.Close()
	var listeners []*rawClient
	for _, node := range []int{2, 3} { // with a copy, and without
		c := dialRaw(t, l.addrs[node-1])
		defer c.Close()
		if got := c.do("config", "set", "notify-keyspace-events", "K$g"); got != "+OK\n" {
			t.Fatal(got)
		}
		c.do("psubscribe", "*")
		listeners = append(listeners, c)
	}
	writer.do("set", "k", "1")
	writer.do("rpush", "l", "not asked for")
	writer.do("del", "k")
	writer.do("publish", "end", "x")
	want := "*4\n$8\npmessage\n$1\n*\n$16\n__keyspace@0__:k\n$3\nset\n" +
		"*4\n$8\npmessage\n$1\n*\n$16\n__keyspace@0__:k\n$3\ndel\n" +
		"*4\n$8\npmessage\n$1\n*\n$3\nend\n$1\nx\n"
	for i, c := range listeners {
		if got := c.replies(3); got != want {
			t.Errorf("listener %d got\n%s", i, got)
		}
	}
}

// Who does not ask costs the others nothing, and who asks no more is forgotten.
func TestInterestEnds(t *testing.T) {
	l := labWithout(t)
	c := dialRaw(t, l.addrs[2])
	defer c.Close()
	leader := &l.servers[0].distant
	if leader.asking.Load() != 0 {
		t.Error("someone asks, from the beginning")
	}
	c.do("config", "set", "notify-keyspace-events", "KEA")
	until := leader.asking.Load()
	if left := until - time.Now().UnixMilli(); left <= 0 || left > interestMillis {
		t.Errorf("interest of %d ms", left)
	}
	event := flotilla.Event{Group: 1, Class: '$', Name: "set", Key: []byte("k")}
	if now := time.Now().UnixMilli(); !l.servers[0].isWantedElsewhere(event, now) {
		t.Error("the leader does not tell")
	}
	if l.servers[0].isWantedElsewhere(event, until+1) {
		t.Error("the leader tells who has been silent for long")
	}
	if l.servers[1].isWantedElsewhere(event, until) {
		t.Error("a follower tells, too")
	}
	c.do("config", "set", "notify-keyspace-events", "")
	if leader.asking.Load() != 0 {
		t.Error("it asks no more")
	}
}

// A leader that applies anew what the one before it has told of is not believed.
func TestEventsComeOnce(t *testing.T) {
	var d distant
	for i, c := range []struct {
		from  flotilla.NodeID
		index uint64
		want  bool
	}{{1, 5, true}, {1, 5, true}, {2, 5, false}, {2, 4, false}, {2, 6, true}, {1, 6, false}} {
		if got := d.isNews(1, origin{c.from, c.index}); got != c.want {
			t.Errorf("step %d: %v", i, got)
		}
	}
	if !d.isNews(2, origin{1, 1}) {
		t.Error("groups are mixed up")
	}
}

// Blocked clients of a node that asks are woken without polling.
func TestDistantEventsWake(t *testing.T) {
	l := labWithout(t, func(s *Server) { s.poll = time.Hour })
	a, b := dialRaw(t, l.addrs[2]), dialRaw(t, l.addrs[0])
	defer a.Close()
	defer b.Close()
	a.do("config", "set", "notify-keyspace-events", "El")
	// The door thinks that it holds a copy while the client starts to wait, and
	// so polls once an hour, as far as this test is concerned.
	without := l.Host(3).Topology().Groups[1].Nodes
	l.Change(func(t *flotilla.Topology) { t.Groups[1].Nodes = []flotilla.NodeID{1, 2, 3} })
	a.send([]byte("BLPOP l 0\r\n"))
	eventually(t, "blocked", func() bool { return l.servers[2].Stats().Blocked == 1 })
	l.Change(func(t *flotilla.Topology) { t.Groups[1].Nodes = without })
	b.do("rpush", "l", "x")
	if got := a.replies(1); got != "*2\n$1\nl\n$1\nx\n" {
		t.Error(got)
	}
}

func FuzzEvent(f *testing.F) {
	f.Add(encodeEvent(flotilla.Event{Group: 3, Index: 300, Class: 'l', Name: "lpush", Key: []byte("k")})[1:])
	f.Add([]byte{})
	f.Add([]byte{1, 1})
	f.Add([]byte{1, 1, 'l', 9})
	f.Fuzz(func(t *testing.T, mail []byte) {
		event, ok := decodeEvent(mail)
		if !ok {
			return
		}
		again, ok := decodeEvent(encodeEvent(event)[1:])
		if !ok || again.Group != event.Group || again.Index != event.Index || again.Class != event.Class ||
			again.Name != event.Name || string(again.Key) != string(event.Key) {
			t.Errorf("%v became %v", event, again)
		}
	})
}

package cluster

import (
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"flotilla"
	"flotilla/consensus"
)

// A longer hunt: go test ./cluster -run TestLife/ -first 1000 -seeds 5000
var (
	firstSeed = flag.Uint64("first", 0, "the first seed of TestLife")
	lossCount = flag.Int("losses", 3, "how many disks may be lost in each life of TestLife")
	seedCount = flag.Uint64("seeds", 40, "how many seeds TestLife tries")
)

// TestLife lets three nodes live through crashes, cuts, lost and doubled frames
// and wrong clocks, and holds every answer against what was promised. A failure
// is repeated with its seed; the same seed gives the same life.
func TestLife(t *testing.T) {
	for i := range *seedCount {
		seed := *firstSeed + i
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
			l := newLife(t, seed)
			l.play(4000)
			t.Logf("%d frames, %d writes answered, %d refused, %d unknown, %d reads; trace %x", l.sent, len(l.acked),
				len(l.refused), l.unknown, l.reads, l.trace.Sum64())
		})
	}
}

// TestLifeIsRepeatable: nothing in a node depends on chance that we do not hold.
func TestLifeIsRepeatable(t *testing.T) {
	var traces [2]uint64
	for i := range traces {
		l := newLife(t, 3)
		l.play(1500)
		traces[i] = l.trace.Sum64()
	}
	if traces[0] != traces[1] {
		t.Fatalf("the same seed gave %x and %x", traces[0], traces[1])
	}
}

// life is a lab with clients, and with a memory of all that was promised.
type life struct {
	*lab
	clients []*client
	next    uint32
	acked   map[uint32]write
	refused map[uint32]bool
	seen    map[string]int // key: length of the longest list that a finished linearizable read saw
	lists   map[string][]uint32
	unknown int
	reads   int
	calm    bool
	losses  int // disks that may still be lost
}

// write is one that was acknowledged.
type write struct {
	key        string
	place      int
	begin, end flotilla.Millis
}

// client does one thing after another, through whichever node it likes.
type client struct {
	isBusy bool
	after  map[flotilla.GroupID]uint64
	wrote  map[string]int // key: length of the list that its last acknowledged write made
	saw    map[string]int // key: length of the list that its last session read saw
}

func newLife(t *testing.T, seed uint64) *life {
	l := &life{lab: newLab(t, seed), acked: map[uint32]write{}, refused: map[uint32]bool{}, seen: map[string]int{},
		lists: map[string][]uint32{}, losses: *lossCount}
	for range 6 {
		l.clients = append(l.clients, &client{after: map[flotilla.GroupID]uint64{}, wrote: map[string]int{}, saw: map[string]int{}})
	}
	for _, n := range l.nodes {
		n.crash = func() bool { return !l.calm && l.rand.IntN(4000) == 0 }
	}
	return l
}

func (l *life) play(steps int) {
	for range steps {
		l.trouble()
		for _, c := range l.clients {
			if !c.isBusy && l.chance(30) {
				l.act(c)
			}
		}
		if len(l.asked) > 0 && l.rand.IntN(200) == 0 {
			l.cancel()
		}
		l.step()
		if l.t.Failed() {
			l.t.FailNow()
		}
	}
	l.settle()
	l.judge()
}

// trouble makes some.
func (l *life) trouble() {
	n := l.nodes[l.rand.IntN(3)]
	switch l.rand.IntN(400) {
	case 0:
		if n.node != nil {
			l.stop(n, l.rand.IntN(800))
		}
	case 1:
		l.cut[[2]flotilla.NodeID{n.id, l.nodes[l.rand.IntN(3)].id}] = true
	case 2, 3:
		clear(l.cut)
	case 4:
		l.dropped, l.doubled = l.rand.IntN(20), l.rand.IntN(10)
	case 5:
		l.dropped, l.doubled = 0, 0
	case 6:
		l.delay = 1 + l.rand.IntN(40)
	case 7:
		n.wall += flotilla.Millis(l.rand.IntN(5000) - 2500)
	case 8:
		n.wall += 2 * consensus.SessionMillis // a clock that is set wrongly ends all sessions
	case 9:
		l.loseDisk(n)
	}
}

// loseDisk takes a node's disk, if all copies are there and vote, so that the
// others hold all that was promised.
func (l *life) loseDisk(n *labNode) {
	if l.losses == 0 || l.now < 1000 {
		return
	}
	for _, other := range l.nodes {
		if other.node == nil || len(other.node.order) <= labGroups {
			return
		}
		for _, h := range other.node.order {
			if m := h.group.Members(); len(m.Conf.GetVoters()) < 3 || len(m.Conf.GetVotersOutgoing()) > 0 {
				return
			}
		}
	}
	l.losses--
	n.isLost = true
	l.stop(n, 100)
}

func (l *life) cancel() {
	c := l.asked[l.rand.IntN(len(l.asked))]
	if c.node.node == c.life {
		c.life.cancel(c.Pending)
	}
}

// act has a client do something.
func (l *life) act(c *client) {
	n := l.nodes[l.rand.IntN(3)]
	if n.node == nil {
		return
	}
	key := string([]byte{byte(systemLab), byte('a' + l.rand.IntN(4))})
	group := flotilla.GroupID(1 + key[1]%labGroups)
	c.isBusy = true
	if l.chance(50) {
		l.write(c, n, group, key)
		return
	}
	call := &flotilla.Call{Group: group, IsRead: true, Level: flotilla.Level(l.rand.IntN(4)), Commands: [][]byte{[]byte(key)},
		After: c.after[group], MaxAge: flotilla.Millis(l.rand.IntN(600))}
	seen, wrote, saw := l.seen[key], c.wrote[key], c.saw[key]
	l.ask(n, call, func(done *labCall) {
		c.isBusy = false
		if call.Err != nil {
			if !errors.Is(call.Err, flotilla.ErrRefused) && done.node.node == done.life {
				l.t.Errorf("a read has an unknown outcome: %v", call.Err)
			}
			return
		}
		l.reads++
		l.judgeRead(key, call, done.begin, seen, max(wrote, saw))
		if call.Level == flotilla.Session {
			c.after[group] = max(c.after[group], call.Index)
			c.saw[key] = max(c.saw[key], len(numbers(call.Replies[0])))
		}
	})
}

func (l *life) write(c *client, n *labNode, group flotilla.GroupID, key string) {
	var commands [][]byte
	var ids []uint32
	for range 1 + l.rand.IntN(3) {
		l.next++
		ids = append(ids, l.next)
		commands = append(commands, binary.BigEndian.AppendUint32([]byte(key), l.next))
	}
	call := &flotilla.Call{Group: group, Commands: commands}
	l.ask(n, call, func(done *labCall) {
		c.isBusy = false
		for i, id := range ids {
			switch {
			case call.Err == nil:
				l.acked[id] = write{key: key, place: int(binary.BigEndian.Uint32(call.Replies[i])), begin: done.begin, end: l.now}
				c.wrote[key] = max(c.wrote[key], l.acked[id].place)
			case errors.Is(call.Err, flotilla.ErrRefused):
				l.refused[id] = true
			default:
				l.unknown++
				if strings.Contains(call.Err.Error(), "given up before") {
					l.t.Errorf("a parcel whose origin still waits is stale: %v", call.Err)
				}
			}
		}
		if call.Err == nil {
			c.after[group] = max(c.after[group], call.Index)
		}
	})
}

// judgeRead holds a read against what its level promises.
func (l *life) judgeRead(key string, call *flotilla.Call, begin flotilla.Millis, seen, own int) {
	list := numbers(call.Replies[0])
	longest := l.lists[key]
	if common := min(len(list), len(longest)); !slices.Equal(list[:common], longest[:common]) {
		l.t.Errorf("list %s was seen as %v and as %v", key, longest, list)
	}
	if len(list) > len(longest) {
		l.lists[key] = list
	}
	var since flotilla.Millis
	switch call.Level {
	case flotilla.Linearizable:
		if len(list) < seen {
			l.t.Errorf("a linearizable read of %s sees %d numbers, one before it saw %d", key, len(list), seen)
		}
		l.seen[key] = max(l.seen[key], len(list))
		since = begin
	case flotilla.Session:
		if len(list) < own {
			l.t.Errorf("a session's read of %s sees %d numbers, and the session saw or made %d", key, len(list), own)
		}
		return
	case flotilla.Bounded:
		since = begin - call.MaxAge
	default:
		return
	}
	for id, w := range l.acked {
		if w.key == key && w.end <= since && w.place > len(list) {
			l.t.Errorf("a read of level %d (at most %d ms old) that began at %d sees %d numbers of %s; number %d, at place %d, was acknowledged at %d",
				call.Level, call.MaxAge, begin, len(list), key, id, w.place, w.end)
		}
	}
}

// settle ends all trouble, and waits until every node serves every group again.
func (l *life) settle() {
	l.calm, l.dropped, l.doubled, l.delay = true, 0, 0, 3
	clear(l.cut)
	for _, n := range l.nodes {
		n.down = min(n.down, 10)
	}
	l.run(20_000, "all calls answered", func() bool { return len(l.asked) == 0 })
	for _, n := range l.nodes {
		for g := range flotilla.GroupID(labGroups) {
			var call *flotilla.Call
			l.run(20_000, fmt.Sprintf("a write to group %d through node %d", g+1, n.id), func() bool {
				if n.node != nil && (call == nil || call.Err != nil) {
					call = &flotilla.Call{Group: g + 1, Commands: [][]byte{{byte(systemLab), 'z', 0, 0, 0, 0}}}
					l.ask(n, call, func(*labCall) {})
				}
				return call != nil && call.Err == nil && len(call.Replies) > 0
			})
		}
	}
	defer func() {
		if l.t.Failed() {
			for _, n := range l.nodes {
				for _, h := range n.node.order {
					l.t.Logf("%d %v replica %d %+v mark %+v lost %v members %v %v", n.id, h.id, h.group.Replica(), h.group.Stats(), h.state.Mark(), n.node.lost, h.group.Members().Conf, h.group.Members().Node)
				}
			}
		}
	}()
	l.run(30_000, "all replicas equal", func() bool { return l.areEqual() })
}

// areEqual reports whether all replicas are at the same index, with the same bytes.
func (l *life) areEqual() bool {
	for g := range flotilla.GroupID(labGroups + 1) {
		var mark consensus.Mark
		var hash uint64
		for i, n := range l.nodes {
			h := n.node.hosted[g]
			if h == nil || h.state.Mark().Index == 0 {
				return false
			}
			if i == 0 {
				mark, hash = h.state.Mark(), consensus.Hash(h.state)
			}
			if h.state.Mark() != mark {
				return false
			}
			if consensus.Hash(h.state) != hash {
				l.t.Fatalf("at index %d of group %d nodes 1 and %d differ", mark.Index, g, n.id)
			}
		}
	}
	return true
}

// judge holds the lists as they are in the end against what was answered.
func (l *life) judge() {
	place := map[uint32]int{}
	for key := range l.lists {
		h := l.nodes[0].node.hosted[flotilla.GroupID(1+key[1]%labGroups)]
		value, _ := h.state.Get([]byte(key))
		list := numbers(value)
		if !slices.Equal(list[:len(l.lists[key])], l.lists[key]) {
			l.t.Errorf("list %s was seen as %v and is %v", key, l.lists[key], list)
		}
		for i, id := range list {
			if place[id] != 0 {
				l.t.Errorf("number %d was appended twice", id)
			}
			if l.refused[id] {
				l.t.Errorf("number %d was refused, and appended", id)
			}
			place[id] = i + 1
		}
	}
	for id, w := range l.acked {
		if place[id] != w.place {
			l.t.Errorf("number %d was acknowledged at place %d, and is at %d", id, w.place, place[id])
		}
		for other, v := range l.acked {
			if v.key == w.key && v.end < w.begin && v.place > w.place {
				l.t.Errorf("number %d ended before %d began, and comes after it", other, id)
			}
		}
	}
	if len(l.acked) < 10 || l.reads < 10 {
		l.t.Errorf("%d writes and %d reads were answered: nothing was tested", len(l.acked), l.reads)
	}
}

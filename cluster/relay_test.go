package cluster

import (
	"fmt"
	"testing"

	"flotilla"
)

// Times of the lab: cutMillis is how long it takes at most from a cut until all is
// served again, lateMillis how late what was asked for at its worst moment may be
// answered, calmMillis how long an answer may take after that.
const (
	cutMillis                   = 2 * 12 * labTick
	lateMillis                  = (resendTicks+2*checkTicks)*labTick + cutMillis
	calmMillis                  = 12 * labTick
	thinkMillis flotilla.Millis = 20
)

// link is one direction between two nodes.
type link = [2]flotilla.NodeID

// both are the two directions between two nodes.
func both(a, b flotilla.NodeID) []link { return []link{{a, b}, {b, a}} }

// patient is a client of a node that asks a group for one thing at a time.
type patient struct {
	node   *labNode
	group  flotilla.GroupID
	isRead bool
	call   *flotilla.Call // nil while it thinks
	began  flotilla.Millis
	next   flotilla.Millis
	served int
	worst  flotilla.Millis // until an answer came
	failed error           // the last that was no answer
}

// ward is a lab full of patients: one for each node, group, and kind of call.
type ward struct {
	*lab
	all []*patient
}

func newWard(t *testing.T, nodes, groups int) *ward {
	w := &ward{lab: newLabOf(t, 1, nodes, groups)}
	for _, n := range w.nodes {
		for g := 1; g <= groups; g++ {
			w.all = append(w.all, &patient{node: n, group: flotilla.GroupID(g)}, &patient{node: n, group: flotilla.GroupID(g), isRead: true})
		}
	}
	w.run(10_000, "a leader of each group", func() bool {
		for g := 1; g <= groups; g++ {
			if w.leader(flotilla.GroupID(g)) == nil {
				return false
			}
		}
		return true
	})
	w.pass(500)
	w.mustServe(500, 500, "at the beginning")
	return w
}

// pass lets time pass while all ask.
func (w *ward) pass(time flotilla.Millis) {
	for end := w.now + time; w.now < end; w.step() {
		for _, p := range w.all {
			if p.call == nil && p.node.node != nil && w.now >= p.next {
				w.askFor(p)
			}
		}
	}
}

func (w *ward) askFor(p *patient) {
	command := "La"
	if !p.isRead {
		command = "La0000"
	}
	p.call, p.began = &flotilla.Call{Group: p.group, IsRead: p.isRead, Commands: [][]byte{[]byte(command)}}, w.now
	w.ask(p.node, p.call, func(c *labCall) {
		p.call, p.next = nil, w.now+thinkMillis
		p.worst = max(p.worst, w.now-p.began)
		if c.call.Err != nil {
			p.failed = c.call.Err
			return
		}
		p.served++
	})
}

// mustServe lets time pass, in which each client must be served, without a
// failure, and each within a limit.
func (w *ward) mustServe(time, limit flotilla.Millis, when string) {
	w.t.Helper()
	for _, p := range w.all {
		p.served, p.worst, p.failed = 0, 0, nil
	}
	w.pass(time)
	for _, p := range w.all {
		if p.node.node == nil {
			continue
		}
		if p.call != nil {
			p.worst = max(p.worst, w.now-p.began)
		}
		if p.served == 0 || p.failed != nil || p.worst > limit {
			w.t.Errorf("%s: node %d, group %d, read %v: served %d times, at worst after %d ms, last failure %v",
				when, p.node.id, p.group, p.isRead, p.served, p.worst, p.failed)
		}
	}
}

// leader returns the node that leads a group, or nil.
func (w *ward) leader(g flotilla.GroupID) *labNode {
	for _, n := range w.nodes {
		if n.node != nil && n.node.hosted[g] != nil && n.node.hosted[g].group.IsLeader() {
			return n
		}
	}
	return nil
}

// lead moves a group's leader to a node, and reports whether that has a copy.
func (w *ward) lead(g flotilla.GroupID, to *labNode) bool {
	if to.node.hosted[g] == nil {
		return false
	}
	w.run(10_000, "the leader moves", func() bool {
		n := w.leader(g)
		if n != nil && n != to && w.now%200 == 0 {
			h := n.node.hosted[g]
			h.group.Transfer(h.group.Members().ReplicaOf(to.id))
			n.node.markDirty(h)
		}
		return n == to
	})
	return true
}

func (w *ward) cutAll(links ...link) {
	clear(w.cut)
	for _, l := range links {
		w.cut[l] = true
	}
}

// term is the newest that anyone knows of a group: it grows with each election.
func (w *ward) term(g flotilla.GroupID) (newest uint64) {
	for _, n := range w.nodes {
		if n.node != nil && n.node.hosted[g] != nil {
			newest = max(newest, n.node.hosted[g].group.Term())
		}
	}
	return newest
}

// terms is the sum of those of all groups of a ward with one, and of the directory.
func (w *ward) terms() uint64 { return w.term(flotilla.Directory) + w.term(1) }

// TestCutLinksStarveNobody cuts links, while one node after the other leads, such that
// each can still reach each other one by way of others. All clients of all nodes must be
// served all the while, those that ask at the worst moment a little late, and no
// leader is changed. Only a node that has lost a majority of its straight links may
// call itself cut off for the moment until it knows the way around.
func TestCutLinksStarveNobody(t *testing.T) {
	for name, c := range map[string]struct {
		nodes, groups int
		links         []link
		isMany        bool
	}{
		"three nodes, one way":                {3, 1, []link{{1, 3}}, false},
		"three nodes, the other way":          {3, 1, []link{{3, 1}}, false},
		"three nodes, both ways":              {3, 1, both(1, 3), false},
		"three nodes, only a ring":            {3, 1, ringOnly(3), true},
		"three nodes, four groups, one way":   {3, 4, []link{{1, 3}}, false},
		"three nodes, four groups, both ways": {3, 4, both(1, 3), false},
		"five nodes, one way":                 {5, 1, []link{{1, 3}}, false},
		"five nodes, four groups, one way":    {5, 4, []link{{1, 3}}, false},
		"five nodes, four groups, both ways":  {5, 4, append(both(1, 3), both(2, 5)...), false},
		"five nodes, four groups, one each":   {5, 4, []link{{1, 3}, {2, 4}, {3, 5}, {4, 1}, {5, 2}}, false},
		"five nodes, half of the links":       {5, 4, []link{{1, 3}, {1, 4}, {2, 5}, {3, 2}, {4, 2}, {5, 1}, {5, 4}, {2, 1}, {4, 3}}, true},
		"five nodes, only a ring":             {5, 4, ringOnly(5), true},
		"five nodes, only a chain":            {5, 4, chainOnly(5), true},
		"five nodes, one has one link left":   {5, 4, append(append(both(1, 2), both(1, 3)...), both(1, 4)...), true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWard(t, c.nodes, c.groups)
			for _, n := range w.nodes[:3] {
				w.cutAll()
				w.pass(1500)
				if !w.lead(1, n) {
					continue
				}
				w.pass(200)
				before := w.term(1) // the others' leaders may move to even out the load
				w.cutAll(c.links...)
				when := fmt.Sprintf("node %d leads", n.id)
				if c.isMany {
					w.pass(lateMillis)
				} else {
					w.mustServe(lateMillis, lateMillis, when+", just cut")
				}
				w.mustServe(1000, calmMillis, when)
				if now := w.term(1); now != before && !c.isMany {
					t.Errorf("%s: %d elections", when, now-before)
				}
			}
		})
	}
}

// ringOnly returns all links but those from each node to the next.
func ringOnly(nodes int) (links []link) {
	for a := 1; a <= nodes; a++ {
		for b := 1; b <= nodes; b++ {
			if a != b && b != a%nodes+1 {
				links = append(links, link{flotilla.NodeID(a), flotilla.NodeID(b)})
			}
		}
	}
	return links
}

// chainOnly returns all links but those between neighbours in a row.
func chainOnly(nodes int) (links []link) {
	for a := 1; a <= nodes; a++ {
		for b := 1; b <= nodes; b++ {
			if a != b && b != a+1 && a != b+1 {
				links = append(links, link{flotilla.NodeID(a), flotilla.NodeID(b)})
			}
		}
	}
	return links
}

// TestRelayDies: who passed on what two nodes have for each other goes down. Another
// one does it.
func TestRelayDies(t *testing.T) {
	w := newWard(t, 5, 4)
	w.cutAll(both(1, 3)...)
	w.pass(cutMillis)
	for range 3 {
		relay := w.nodes[0].node.peers[3].relay
		if relay == nil {
			t.Fatal("nobody passes on what node 1 has for node 3")
		}
		w.stop(w.nodes[relay.id-1], 1<<30)
		w.pass((lateHellos*2 + 3) * labTick)
		if again := w.nodes[0].node.peers[3].relay; again == relay {
			t.Fatalf("node %d is down and should pass on", relay.id)
		}
		w.pass(3 * cutMillis) // for elections, too: it led a group
		w.mustServe(1000, calmMillis, fmt.Sprintf("without node %d", relay.id))
		w.nodes[relay.id-1].down = 0
		w.pass(3 * cutMillis)
		w.mustServe(1000, calmMillis, fmt.Sprintf("with node %d again", relay.id))
	}
}

// TestCutMoves: as soon as there is a way around a cut, another link is cut.
func TestCutMoves(t *testing.T) {
	w := newWard(t, 3, 1)
	w.pass(settleMillis + 2000) // leaders are where they should be
	before := w.terms()
	for i, l := range []link{{1, 3}, {3, 1}, {2, 3}, {1, 2}, {2, 1}, {3, 2}, {1, 3}} {
		w.cutAll(l)
		w.mustServe(cutMillis, lateMillis, fmt.Sprintf("cut %d", i))
	}
	w.mustServe(lateMillis, lateMillis, "after that")
	if now := w.terms(); now != before {
		t.Errorf("%d elections", now-before)
	}
}

// TestFlappingCut: a link that comes and goes starves nobody and changes no leader,
// whether it is away for long enough to be noticed each time or not.
func TestFlappingCut(t *testing.T) {
	for _, period := range []flotilla.Millis{4 * labTick, 8 * labTick, 16 * labTick, 40 * labTick} {
		w := newWard(t, 3, 1)
		w.pass(settleMillis + 2000)
		before := w.terms()
		for range 20 {
			w.cutAll(both(1, 3)...)
			w.pass(period)
			w.cutAll()
			w.pass(period)
		}
		for _, p := range w.all {
			if p.failed != nil || p.worst > lateMillis {
				t.Errorf("%d ms: node %d, read %v: at worst after %d ms, last failure %v", period, p.node.id, p.isRead, p.worst, p.failed)
			}
		}
		if now := w.terms(); now != before {
			t.Errorf("%d ms: %d elections", period, now-before)
		}
	}
}

// TestNothingIsPassedOnInPeace: as long as all hear all, a hello has nothing to tell
// of it, and every frame goes straight.
func TestNothingIsPassedOnInPeace(t *testing.T) {
	w := newWard(t, 5, 4)
	w.pass(2000)
	for _, n := range w.nodes {
		for _, p := range n.node.peerOrder {
			if len(n.node.unheard()) > 0 || len(n.node.hearingsFor(p)) > 0 || p.relay != nil || len(p.hears.unheard) > 0 {
				t.Errorf("node %d, of node %d: %v, %v", n.id, p.id, n.node.unheard(), p.hears)
			}
		}
		if n.node.counters.relayed > 0 || n.node.isRelaying {
			t.Errorf("node %d passed %d frames on", n.id, n.node.counters.relayed)
		}
	}
}

// TestWhoWasDownIsHeardAtOnce: a node that comes back was not heard because it was not there, and some
// connect to it later than others. From then on its links are as good as ever, and nothing goes the other
// way: those that come and go are told by one life of a node.
func TestWhoWasDownIsHeardAtOnce(t *testing.T) {
	w := newWard(t, 3, 1)
	back := w.nodes[1]
	w.stop(back, 2000)
	for back.node == nil {
		w.pass(labTick)
	}
	w.cutAll(link{3, 2})
	w.pass(10 * labTick)
	if unheard := back.node.unheard(); len(unheard) != 1 {
		t.Errorf("it does not hear %v", unheard)
	}
	w.cutAll()
	w.pass(4 * labTick)
	before := w.nodes[0].node.counters.relayed
	w.pass(10 * labTick)
	for _, n := range w.nodes {
		if unheard := n.node.unheard(); len(unheard) > 0 {
			t.Errorf("node %d does not hear %v", n.id, unheard)
		}
	}
	if passed := w.nodes[0].node.counters.relayed - before; passed > 0 {
		t.Errorf("%d frames went by way of node 1", passed)
	}
}

// TestDeadNodeIsForgotten: what a node once said of whom it hears goes around among
// the others for a moment only, however they tell each other of it.
func TestDeadNodeIsForgotten(t *testing.T) {
	w := newWard(t, 5, 1)
	w.stop(w.nodes[2], 1<<30)
	w.pass(3 * cutMillis)
	for _, n := range w.nodes {
		if n.node != nil && n.node.knowsHearing(n.node.peers[3]) {
			t.Errorf("node %d goes by what node 3 said %d ticks ago", n.id, n.node.ticks-n.node.peers[3].hearsTick)
		}
	}
}

// TestPassOn hands a node frames that go by way of others.
func TestPassOn(t *testing.T) {
	hello := appendHello(nil, &hello{stamp: 9, incarnation: 5})
	wrapped := appendRelayItem(nil, &relayItem{to: 1, toLife: 7, from: 3, fromLife: 5, left: 1, frame: hello})
	for name, c := range map[string]struct {
		item    relayItem
		isTaken bool            // it was for this node
		next    flotilla.NodeID // who gets it
	}{
		"for this node":            {relayItem{to: 1, toLife: 7, from: 3, fromLife: 5, left: 0, frame: hello}, true, 0},
		"for its earlier life":     {relayItem{to: 1, toLife: 6, from: 3, fromLife: 5, left: 1, frame: hello}, false, 0},
		"of a sender's later life": {relayItem{to: 1, toLife: 7, from: 3, fromLife: 6, left: 1, frame: hello}, true, 0},
		"of an earlier life":       {relayItem{to: 1, toLife: 7, from: 3, fromLife: 4, left: 1, frame: hello}, false, 0},
		"of a stranger":            {relayItem{to: 1, toLife: 7, from: 9, fromLife: 5, left: 1, frame: hello}, false, 0},
		"damaged":                  {relayItem{to: 1, toLife: 7, from: 3, fromLife: 5, left: 1, frame: []byte{itemHello, 255}}, false, 0},
		"wrapped twice":            {relayItem{to: 1, toLife: 7, from: 3, fromLife: 5, left: 1, frame: wrapped}, false, 0},
		"to go on":                 {relayItem{to: 4, toLife: 1, from: 3, fromLife: 5, left: 1, frame: hello}, false, 4},
		"to go on by another":      {relayItem{to: 5, toLife: 1, from: 3, fromLife: 5, left: 2, frame: hello}, false, 4},
		"passed on too often":      {relayItem{to: 4, toLife: 1, from: 3, fromLife: 5, left: 0, frame: hello}, false, 0},
		"back to who sent it":      {relayItem{to: 2, toLife: 1, from: 3, fromLife: 5, left: 2, frame: hello}, false, 0},
		"back to who made it":      {relayItem{to: 6, toLife: 1, from: 3, fromLife: 5, left: 2, frame: hello}, false, 0},
		"made by this node":        {relayItem{to: 4, toLife: 1, from: 1, fromLife: 7, left: 2, frame: hello}, false, 0},
		"for a node that is not":   {relayItem{to: 9, toLife: 1, from: 3, fromLife: 5, left: 2, frame: hello}, false, 0},
	} {
		n := &Node{cfg: Config{Self: 1, Incarnation: 7, ElectionTicks: 12, HeartbeatTicks: 2}, ticks: 100, directory: &Directory{}, peers: map[flotilla.NodeID]*peer{}}
		for id := flotilla.NodeID(2); id <= 6; id++ {
			n.peers[id] = &peer{id: id, hears: hearing{node: id, incarnation: 5, stamp: 1}}
			n.peerOrder = append(n.peerOrder, n.peers[id])
		}
		n.peers[5].relay, n.peers[6].relay = n.peers[4], n.peers[3]
		n.receive(&Frame{from: 2, relays: []relayItem{c.item}})
		if isTaken := n.peers[3].hello.stamp == 9; isTaken != c.isTaken {
			t.Errorf("%s: taken %v", name, isTaken)
		}
		for _, p := range n.peerOrder {
			isSent := len(p.frame) > 0
			if isSent != (p.id == c.next) {
				t.Errorf("%s: node %d gets it: %v", name, p.id, isSent)
			}
			if f, err := decodeFrame(1, p.frame); isSent && (err != nil || f.relays[0].left != c.item.left-1 || string(f.relays[0].frame) != string(hello)) {
				t.Errorf("%s: it goes on as %+v, %v", name, f, err)
			}
		}
		if n.peers[2].straightTick != 100 || n.peers[3].straightTick != 0 {
			t.Errorf("%s: heard straight at %d and %d", name, n.peers[2].straightTick, n.peers[3].straightTick)
		}
	}
}

// TestRelayEnds: once a link is good again, frames go straight over it.
func TestRelayEnds(t *testing.T) {
	w := newWard(t, 3, 1)
	w.cutAll(both(1, 3)...)
	w.pass(cutMillis)
	first, third := w.nodes[0].node, w.nodes[2].node
	if first.peers[3].relay == nil || third.peers[1].relay == nil || first.status().Nodes[2].Relay != 2 {
		t.Fatal("nobody passes on what nodes 1 and 3 have for each other")
	}
	w.cutAll()
	w.pass((steadyTicks + 5) * labTick)
	if first.peers[3].relay != nil || third.peers[1].relay != nil || first.status().Nodes[2].Relay != 0 {
		t.Error("the link is good, and frames do not go over it")
	}
	before := w.nodes[1].node.counters.relayed
	w.mustServe(1000, calmMillis, "over the link")
	if passed := w.nodes[1].node.counters.relayed - before; before == 0 || passed > 0 {
		t.Errorf("node 2 passed on %d frames, and then %d", before, passed)
	}
}

// TestOvertakenHello: a hello that comes after a newer one is of no more interest.
func TestOvertakenHello(t *testing.T) {
	n := &Node{cfg: Config{Self: 1, ElectionTicks: 12, HeartbeatTicks: 2}, ticks: 100, directory: &Directory{}, peers: map[flotilla.NodeID]*peer{}, mono: 1500}
	p := &peer{id: 2}
	n.peers[2] = p
	for _, h := range []*hello{{incarnation: 2, stamp: 50, unheard: []flotilla.NodeID{1}}, {incarnation: 2, stamp: 40}, {incarnation: 1, stamp: 60}} {
		n.receiveHello(p, h)
		if p.hello.stamp != 50 || !p.isDeafTo(1) {
			t.Errorf("after %+v it goes by %+v, %+v", h, p.hello, p.hears)
		}
	}
}

// TestHearingsAreBounded: of a large cluster that is cut in two, a hello passes on
// some words, and none that is long.
func TestHearingsAreBounded(t *testing.T) {
	n := &Node{cfg: Config{Self: 1, ElectionTicks: 12, HeartbeatTicks: 2}, ticks: 100}
	for id := flotilla.NodeID(2); id <= 1000; id++ {
		p := &peer{id: id, hears: hearing{node: id}, hearsTick: 100}
		for other := flotilla.NodeID(2); other <= 2+id%100; other++ {
			p.hears.unheard = append(p.hears.unheard, other)
		}
		n.peerOrder = append(n.peerOrder, p)
	}
	for _, p := range n.peerOrder {
		for _, hearsTick := range []uint64{0, 100} {
			p.hearsTick = hearsTick
			if size := len(appendHello(nil, &hello{hearings: n.hearingsFor(p)})); size > maxHearings*(maxUnheard*2+10) {
				t.Fatalf("a hello for node %d has %d bytes", p.id, size)
			}
		}
	}
}

// TestSentBeforeTheCutWasNoticed: what was lost on a link that was just cut is sent
// again as soon as there is a way around, and not only when its time has come.
func TestSentBeforeTheCutWasNoticed(t *testing.T) {
	w := newWard(t, 3, 1)
	n, leader := w.nodes[0], w.nodes[2]
	w.lead(1, leader)
	w.run(10_000, "node 1 knows the leader", func() bool { return n.node.route(1).leader == leader.id && len(w.asked) == 0 })
	w.cutAll(link{n.id, leader.id})
	call := w.timed(n, "Lz0000")
	w.run(requestMillis, "the call is answered", func() bool { return len(w.asked) == 0 })
	if call.Err != nil || call.took >= resendTicks*labTick {
		t.Errorf("after %d ms: %v", call.took, call.Err)
	}
}

// TestReadIsAskedForAgain: a link that loses a frame now and then is no reason to go around
// it. A read that was lost on it is asked of another node with a copy, soon.
func TestReadIsAskedForAgain(t *testing.T) {
	w := newWard(t, 5, 1)
	n := w.leader(1)
	for _, other := range w.nodes {
		if other.node.hosted[1] == nil {
			n = other
		}
	}
	leader := w.leader(1)
	w.run(10_000, "nothing is asked", func() bool { return len(w.asked) == 0 })
	w.cutAll(link{n.id, leader.id})
	call := w.timed(n, "La")
	w.run(100, "the question is lost", func() bool { return len(n.node.remoteReads) == 1 })
	w.cutAll()
	w.run(requestMillis, "the call is answered", func() bool { return len(w.asked) == 0 })
	if call.Err != nil || call.took > (resendTicks+2*checkTicks)*labTick {
		t.Errorf("after %d ms: %v", call.took, call.Err)
	}
}

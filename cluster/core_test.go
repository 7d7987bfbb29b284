package cluster

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"

	"flotilla"
	"flotilla/consensus"

	"go.etcd.io/raft/v3/raftpb"
)

// ready starts a lab and waits until its first group is served.
func ready(t *testing.T) (*lab, *labNode) {
	l := newLab(t, 1)
	var leader *labNode
	l.run(10_000, "a leader", func() bool {
		for _, n := range l.nodes {
			if h := n.node.hosted[1]; h.group.IsLeader() && h.state.Mark().Index > 1 {
				leader = n
			}
		}
		return leader != nil
	})
	l.answer(leader, "Lw0000")
	return l, leader
}

func (l *lab) ask1(n *labNode, command string) *flotilla.Call {
	call := &flotilla.Call{Group: 1, Commands: [][]byte{[]byte(command)}, Err: errors.New("not yet")}
	l.ask(n, call, func(*labCall) {})
	return call
}

// answer carries out a command, and fails the test if it is not.
func (l *lab) answer(n *labNode, command string) {
	l.t.Helper()
	call := l.ask1(n, command)
	l.run(5000, command, func() bool { return len(l.asked) == 0 })
	if call.Err != nil {
		l.t.Fatal(call.Err)
	}
}

func (l *lab) list(n *labNode, key string) string {
	value, _ := n.node.hosted[1].state.Get([]byte(key))
	return string(value)
}

// TestCancelBeforeSending: a call whose parcel is made but not sent may still be
// carried out. Whoever cancels it must not be told that it never will.
func TestCancelBeforeSending(t *testing.T) {
	l, leader := ready(t)
	r := leader.node.route(1)
	r.leader = 99 // a node that nobody knows: parcels are made, and go nowhere
	call := l.ask1(leader, "La0001")
	l.step()
	if len(r.sent) != 1 || r.sent[0].sends != 0 {
		t.Fatalf("the parcel was sent: %+v", r.sent)
	}
	leader.node.cancel(l.asked[0].Pending)
	r.leader = leader.id
	l.run(10_000, "the parcel is answered", func() bool { return len(r.sent) == 0 })
	if l.list(leader, "La") != "" && errors.Is(call.Err, flotilla.ErrRefused) {
		t.Fatalf("it was refused, and carried out: %v", call.Err)
	}
}

// TestSessionEndsWithLostOutcome: a parcel is carried out, its outcome is lost, and
// the group forgets the session. Sent again in a new one it would happen twice.
func TestSessionEndsWithLostOutcome(t *testing.T) {
	l, leader := ready(t)
	h := leader.node.hosted[1]
	r := leader.node.route(1)
	call := l.ask1(leader, "La0001")
	l.step()
	l.run(1000, "applied", func() bool { return l.list(leader, "La") != "" })
	if call.Err != nil { // the outcome has come already: make as if it had not
		t.Fatal(call.Err)
	}
	lost := &flotilla.Call{Group: 1, Commands: call.Commands, Err: errors.New("not yet")}
	p := &sentParcel{first: r.next - 1, session: r.session, sends: 1, counts: []int{1}, deadline: flotilla.Never,
		calls: []*Pending{{call: lost, bytes: 6, done: make(chan struct{}, 1), deadline: flotilla.Never}}}
	r.sent = append(r.sent, p)
	leader.node.resolve(1, &consensus.Outcome{Origin: leader.id, Session: r.session, First: p.first, Status: consensus.Expired})
	l.run(1000, "the call is answered", func() bool { l.step(); return len(p.calls) == 0 || p.calls[0] == nil || len(p.calls[0].done) > 0 })
	if got := l.list(leader, "La"); got != "0001" || !errors.Is(lost.Err, flotilla.ErrUnknown) {
		t.Fatalf("the list is %q, the call's error %v, at index %d", got, lost.Err, h.state.Mark().Index)
	}
}

// TestIdleSession: a node that was silent for long is served as if nothing had
// been, though the group has forgotten its session.
func TestIdleSession(t *testing.T) {
	l, leader := ready(t)
	other := l.nodes[leader.id%3]
	l.answer(other, "La0001")
	session := other.node.route(1).session
	for _, n := range l.nodes {
		n.wall += 2 * consensus.SessionMillis
	}
	l.answer(leader, "La0002") // ends the other's session
	l.answer(other, "La0003")
	l.run(1000, "applied there too", func() bool { return len(l.list(other, "La")) == 12 })
	if other.node.route(1).session == session || l.list(other, "La") != "000100020003" {
		t.Fatalf("session %d, then %d; list %q", session, other.node.route(1).session, l.list(other, "La"))
	}
}

// TestFreshnessOfRoundWithoutReads: a round that began when its read had gone is
// still dated by when it began.
func TestFreshnessOfRoundWithoutReads(t *testing.T) {
	l, leader := ready(t)
	n := l.nodes[leader.id%3]
	read := func() *labCall {
		return l.ask(n, &flotilla.Call{Group: 1, IsRead: true, Commands: [][]byte{[]byte("La")}}, func(*labCall) {})
	}
	gone := read()
	n.node.submit(gone.Pending)
	n.in.Calls = nil
	n.node.cancel(gone.Pending)
	l.cut[[2]flotilla.NodeID{leader.id, n.id}] = true // the answer is held up
	l.step()
	began := l.now
	for range 30 {
		l.step()
	}
	read()
	l.step()
	for round, at := range n.node.hosted[1].roundStart {
		if round == n.node.hosted[1].group.StartedRound() && at > began-n.born {
			t.Fatalf("round %d began at %d, and is dated %d", round, began-n.born, at)
		}
	}
}

// TestFreshnessCountsFromTheQuestion: how old a copy is counts from when it asked whether it
// is current, not from when it was told.
func TestFreshnessCountsFromTheQuestion(t *testing.T) {
	l, leader := ready(t)
	n := l.nodes[leader.id%3]
	l.lag[n.id] = 60 // 120 ms there and back
	for range 100 {
		l.step()
	}
	asked, isDone := l.now-n.born, false
	l.ask(n, &flotilla.Call{Group: 1, IsRead: true, Commands: [][]byte{[]byte("La")}}, func(*labCall) { isDone = true })
	l.run(1000, "the read is answered", func() bool { return isDone })
	if at := flotilla.Millis(n.node.hosted[1].fresh.at.Load()); at > asked+labTick || l.now-n.born < asked+100 {
		t.Errorf("asked at %d, answered at %d, and dated %d", asked, l.now-n.born, at)
	}
}

// TestFreshnessIsOfAnIndex: a copy that was told that index 10 is current is so once it
// has applied that, and for as long as whoever reads allows.
func TestFreshnessIsOfAnIndex(t *testing.T) {
	var f freshness
	if f.isWithin(1000, 0, 5) {
		t.Error("a copy that was told nothing is called current")
	}
	f.publish(10, 500)
	for _, c := range []struct {
		maxAge, now flotilla.Millis
		applied     uint64
		want        bool
	}{{100, 550, 10, true}, {100, 550, 11, true}, {100, 600, 10, true}, {100, 550, 9, false}, {100, 601, 10, false}, {0, 500, 10, true}} {
		if got := f.isWithin(c.maxAge, c.now, c.applied); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
}

// TestFreshnessIsPublishedInOrder: a time is never paired with an index of before it.
func TestFreshnessIsPublishedInOrder(t *testing.T) {
	l, _ := ready(t)
	n := l.nodes[0]
	h := n.node.hosted[1]
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() { // the owner of the node: time goes on with the index
		defer close(stopped)
		for i := uint64(1); ; i++ {
			select {
			case <-stop:
				return
			default:
				h.fresh.publish(i, flotilla.Millis(i))
			}
		}
	}()
	isBad := false
	for range 1_000_000 { // a door: is the state, which has come that far, newer than that?
		applied := h.fresh.index.Load()
		isBad = isBad || h.fresh.isWithin(0, flotilla.Millis(applied+1), applied)
	}
	close(stop)
	<-stopped
	if isBad {
		t.Fatal("a state was called current at a time at which it was not")
	}
}

// TestAnswerToUnknownReplica: a copy that has not applied the change by which its
// leader joined must answer it all the same, or it never will apply it.
func TestAnswerToUnknownReplica(t *testing.T) {
	l, leader := ready(t)
	n, other := l.nodes[leader.id%3], l.nodes[(leader.id+1)%3]
	h := n.node.hosted[1]
	term, to, from := h.group.Term()+1, uint64(h.group.Replica()), uint64(1001)
	l.air = nil
	n.node.receive(&Frame{from: other.id, raft: []raftItem{{group: 1,
		message: &raftpb.Message{Type: raftpb.MsgHeartbeat.Enum(), Term: &term, To: &to, From: &from}}}})
	l.step()
	for _, f := range l.air {
		decoded, _ := decodeFrame(f.from, f.bytes)
		for _, i := range decoded.raft {
			if f.from == n.id && f.to == other.id && i.message.GetTo() == from {
				return
			}
		}
	}
	t.Fatal("the new replica got no answer")
}

// TestLostReplicaStaysLost: a copy that was found damaged has voted and promised.
// Its leader goes on talking to it; it must not begin anew under the same name.
func TestLostReplicaStaysLost(t *testing.T) {
	l, leader := ready(t)
	n := l.nodes[leader.id%3]
	damaged := flotilla.ReplicaID(1001)
	n.node.lost[9] = damaged
	n.node.receive(&Frame{from: leader.id, raft: []raftItem{heartbeat(9, damaged)}})
	if n.node.hosted[9] != nil {
		t.Fatal("the damaged copy began anew")
	}
	fresh := &Frame{from: leader.id, raft: []raftItem{heartbeat(9, damaged+1)}}
	n.node.receive(fresh)
	if n.node.hosted[9] != nil {
		t.Fatal("a copy was made before its leader had told which ids are free")
	}
	n.node.receive(&Frame{from: leader.id, hello: &hello{hasRoom: true, stamp: 1 << 40, incarnation: l.lives,
		leads: []leadership{{group: 9, term: 1, next: damaged + 1}}}})
	n.node.receive(fresh)
	if n.node.hosted[9] == nil {
		t.Fatal("the copy that takes its place was not made")
	}
}

func heartbeat(g flotilla.GroupID, replica flotilla.ReplicaID) raftItem {
	term, to, from := uint64(1), uint64(replica), uint64(1)
	return raftItem{group: g, message: &raftpb.Message{Type: raftpb.MsgHeartbeat.Enum(), Term: &term, To: &to, From: &from}}
}

// TestDirectoryOfBeforeTheFirst: a snapshot of the directory's group may be older
// than the first directory; what the node was started with goes on to be true.
func TestDirectoryOfBeforeTheFirst(t *testing.T) {
	l := newLab(t, 1)
	var leader *labNode
	l.run(10_000, "a leader of the directory's group", func() bool {
		leader = nil
		for _, n := range l.nodes {
			if n.node.hosted[0].group.IsLeader() && n.node.hosted[0].state.Mark().Index > 1 {
				leader = n
			}
		}
		return leader != nil
	})
	if readDirectory(leader.node.hosted[0].state).Version > 0 {
		t.Fatal("the first directory is there already: the test is too late")
	}
	n := l.nodes[leader.id%3]
	l.stop(n, 20)
	n.isLost = true
	l.run(10_000, "a new copy", func() bool {
		h := (*hosted)(nil)
		if n.node != nil {
			h = n.node.hosted[0]
		}
		return h != nil && h.state.Mark().Index > 0
	})
	if len(n.node.directory.Groups) == 0 {
		t.Fatal("the node has forgotten all groups")
	}
}

// TestTwoSnapshots: a copy gets a snapshot from its leader, and within the same
// turn an older one that a former leader had sent.
func TestTwoSnapshots(t *testing.T) {
	l, leader := ready(t)
	n := l.nodes[leader.id%3]
	take := func(term uint64) *Frame {
		h := leader.node.hosted[1]
		view := h.state.View(true)
		defer view.Close()
		to, from := uint64(n.id), uint64(leader.id)
		message, err := consensus.SnapshotMessage(&raftpb.Message{Type: raftpb.MsgSnap.Enum(), Term: &term, To: &to, From: &from}, view)
		var content bytes.Buffer
		if err := errors.Join(err, consensus.WriteSnapshot(&content, view)); err != nil {
			t.Fatal(err)
		}
		staged, err := n.disk.Stage(consensus.Replica{Group: 1, ID: flotilla.ReplicaID(n.id)}, &content)
		if err != nil {
			t.Fatal(err)
		}
		return &Frame{from: leader.id, snapshot: &snapshotItem{staged: staged, message: message}}
	}
	term := leader.node.hosted[1].group.Term()
	l.cut[[2]flotilla.NodeID{leader.id, n.id}] = true
	l.answer(leader, "La0001")
	former := take(term - 1)
	l.answer(leader, "La0002")
	current := take(term)
	n.node.receive(current)
	n.node.receive(former)
	l.step()
	if got := l.list(n, "La"); got != "00010002" {
		t.Fatalf("the list is %q", got)
	}
}

func exampleFrame() []byte {
	b := appendRaftItem(nil, 3, &raftpb.Message{Type: raftpb.MsgHeartbeat.Enum()})
	b = appendParcelItem(b, 1, []byte("parcel"))
	b = appendOutcomeItem(b, 1, &consensus.Outcome{Origin: 1, Session: 2, First: 3, Status: consensus.Applied, Replies: []byte("x")})
	b = appendHello(b, &hello{directory: 5, isDraining: true, syncMicros: 9, leads: []leadership{{1, 2, 1001, 7}}, lost: []lostReplica{{3, 1001}}, knows: []commitment{{4, 17, 3}},
		incarnation: 1 << 60, unheard: []flotilla.NodeID{3, 300}, hearings: []hearing{{node: 3, incarnation: 6, stamp: 7, unheard: []flotilla.NodeID{1}}, {node: 4}}})
	b = appendLengthAnd(append(b, itemDirectory), []byte("directory"))
	b = appendReadItem(b, &readItem{id: 7, group: 1, level: flotilla.Session, after: 8, maxAge: 9, commands: [][]byte{[]byte("get"), {}}})
	b = appendAnswerItem(b, &answerItem{id: 7, reason: "busy", index: 3, replies: [][]byte{[]byte("a")}})
	b = appendBroadcastItem(b, 's', []byte("message"))
	b = appendUvarints(append(b, itemAskCopies), 300)
	b = appendCopiesItem(b, &copiesItem{group: 300, matches: []uint64{1, 1 << 40}})
	return appendRelayItem(b, &relayItem{to: 3, toLife: 1 << 60, from: 1, fromLife: 2, left: 3, frame: []byte("frame")})
}

// encode writes a decoded frame again, its items in the order of their fields.
func (f *Frame) encode() (b []byte) {
	for _, i := range f.raft {
		b = appendRaftItem(b, i.group, i.message)
	}
	for _, i := range f.parcels {
		b = appendParcelItem(b, i.group, i.bytes)
	}
	for _, i := range f.outcomes {
		b = appendOutcomeItem(b, i.group, &i.outcome)
	}
	if f.hello != nil {
		b = appendHello(b, f.hello)
	}
	if f.directory != nil {
		b = appendLengthAnd(append(b, itemDirectory), f.directory)
	}
	for _, i := range f.reads {
		b = appendReadItem(b, &i)
	}
	for _, i := range f.answers {
		b = appendAnswerItem(b, &i)
	}
	for _, i := range f.broadcasts {
		b = appendBroadcastItem(b, i.system, i.message)
	}
	for _, g := range f.askCopies {
		b = appendUvarints(append(b, itemAskCopies), uint64(g))
	}
	for _, i := range f.copies {
		b = appendCopiesItem(b, &i)
	}
	for _, i := range f.relays {
		b = appendRelayItem(b, &i)
	}
	return b
}

func TestFrameRoundTrip(t *testing.T) {
	b := exampleFrame()
	f, err := decodeFrame(2, b)
	if err != nil || !bytes.Equal(f.encode(), b) {
		t.Fatalf("%v: %+v", err, f)
	}
	for i := range b { // what comes before a cut is kept, and only that
		part, err := decodeFrame(2, b[:i])
		if again := part.encode(); !strings.HasPrefix(string(b[:i]), string(again)) || err == nil && len(again) != i {
			t.Fatalf("of the first %d bytes %d are read, %v", i, len(again), err)
		}
	}
}

func FuzzDecodeFrame(f *testing.F) {
	f.Add(exampleFrame())
	f.Add([]byte{itemRead, 1, 1, 1, 1, 1, 255, 255, 255, 255, 15})
	f.Fuzz(func(t *testing.T, input []byte) {
		b := bytes.Clone(input)
		first, _ := decodeFrame(1, b)
		encoded := first.encode()
		clear(b) // a frame shares no memory with its bytes
		if !bytes.Equal(encoded, first.encode()) {
			t.Fatal("a frame shares memory with its bytes")
		}
		again, err := decodeFrame(1, encoded)
		if err != nil || !reflect.DeepEqual(again.encode(), encoded) {
			t.Fatalf("%+v comes back as %+v, %v", first, again, err)
		}
	})
}

// TestCopyThatTookALostOnesPlaceIsFound: a crash comes after the snapshot of a new
// copy was installed, and before the lost one was taken off the list.
func TestCopyThatTookALostOnesPlaceIsFound(t *testing.T) {
	l, leader := ready(t)
	l.stop(leader, 0)
	var forgotten []flotilla.GroupID
	zero := func() flotilla.Millis { return 0 }
	core, err := NewCore(Config{Self: leader.id, Members: []flotilla.NodeInfo{{ID: 1}, {ID: 2}, {ID: 3}}, Groups: labGroups,
		Machines: map[flotilla.System]flotilla.Machine{systemLab: lists{}}, Disk: leader.disk.Restart(leader.diskOptions(), 0),
		Transport: labLine{l, leader.id}, Lost: []consensus.Replica{{Group: 1, ID: flotilla.ReplicaID(leader.id) - 1}, {Group: 2, ID: flotilla.ReplicaID(leader.id)}},
		ForgetLost: func(g flotilla.GroupID) { forgotten = append(forgotten, g) }}, Clocks{Wall: zero, Mono: zero})
	if err != nil {
		t.Fatal(err)
	}
	if _, isLost := core.node.lost[1]; isLost || len(forgotten) != 1 || forgotten[0] != 1 {
		t.Fatalf("lost is still %v, forgotten %v", core.node.lost, forgotten)
	}
}

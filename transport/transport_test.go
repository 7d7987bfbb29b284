package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"flotilla"
)

func TestHandshakeRefusals(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*Options)
		calls  flotilla.NodeID // whom the refused node believes to call
		want   string
	}{
		{"wrong cluster", func(o *Options) { o.Cluster = "other" }, 2, `n1 is of cluster "other", n2 of "test"`},
		{"wrong destination", nil, 3, "n1 looks for n3 at this address, but here is n2"},
		{"same number", func(o *Options) { o.Self = 2 }, 2, ""}, // it does not call itself
		{"stranger", func(o *Options) { o.Self = 9 }, 2, "n9 is not among the peers of n2 (yet)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			options := basicOptions(1)
			if c.change != nil {
				c.change(&options)
			}
			x, y := startNode(t, options, newRecorder()), startNode(t, basicOptions(2), newRecorder())
			y.SetPeers(map[flotilla.NodeID]string{1: x.Addr()})
			x.SetPeers(map[flotilla.NodeID]string{c.calls: y.Addr()})
			if c.want == "" {
				if len(x.Transport.Stats().Peers) != 0 {
					t.Error("a node is its own peer")
				}
				return
			}
			eventually(t, "the reason in Stats", func() bool { return strings.Contains(x.statsOf(c.calls).Problem, c.want) })
			eventually(t, "the reason in the log of the node that refused", func() bool { return y.log.count("refused a node") > 0 })
			// Several attempts later it has still been logged once on both sides.
			attempts := func() int { return int(y.greetings.Load()) }
			first := attempts()
			eventually(t, "more attempts", func() bool { return attempts() >= first+3 })
			if a, b := x.log.count("no connection"), y.log.count("refused a node"); a != 1 || b != 1 {
				t.Errorf("logged %d and %d times", a, b)
			}
		})
	}
}

func TestVersionIsChecked(t *testing.T) {
	h := hello{version: protocolVersion + 1, cluster: "test", from: 1, to: 2, incarnation: 1}
	if err := h.check("test", 2); err == nil || !strings.Contains(err.Error(), "same release") {
		t.Error(err)
	}
	if err := (hello{version: protocolVersion, cluster: "test", from: 2, to: 2}).check("test", 2); err == nil {
		t.Error("a second n2 was taken")
	}
}

func TestNewerIncarnationTakesOver(t *testing.T) {
	older := basicOptions(1)
	older.Incarnation = 5
	a, b := pair(t, older, basicOptions(2))
	newer := basicOptions(1)
	newer.Incarnation = 6
	a2 := startNode(t, newer, newRecorder())
	a2.SetPeers(map[flotilla.NodeID]string{2: b.Addr()})
	awaitConnection(t, a2, b)
	eventually(t, "the older process is turned away", func() bool {
		return strings.Contains(a.statsOf(2).Problem, "incarnation 5 of n1 is over, 6 was seen since")
	})
	a.Send(2, []byte("from the dead"))
	a2.Send(2, []byte("alive"))
	eventually(t, "a frame", func() bool { return len(b.from(1)) > 0 })
	if got := b.from(1); !slices.Equal(got, []string{"alive"}) {
		t.Errorf("got %q", got)
	}
	if s := b.statsOf(1); s.Incarnation != 6 || !s.IsAttached {
		t.Errorf("%+v", s)
	}
}

// A second stream of the same incarnation is a reconnect: the frames of the first
// may not follow those of the second.
func TestTakingOverWaitsForTheLastFrame(t *testing.T) {
	p := newPeer(&Transport{}, 1, "")
	first := &inbound{replaced: make(chan struct{}), done: make(chan struct{})}
	if err := p.accept(1, first); err != nil {
		t.Fatal(err)
	}
	second := &inbound{replaced: make(chan struct{}), done: make(chan struct{})}
	accepted := make(chan error)
	go func() { accepted <- p.accept(1, second) }()
	<-first.replaced
	select {
	case <-accepted:
		t.Fatal("the second stream began before the first had ended")
	default:
	}
	close(first.done)
	if err := <-accepted; err != nil {
		t.Error(err)
	}
	p.leave(first) // late: it must not detach the second
	if p.inbound != second {
		t.Error("the second stream was forgotten")
	}
}

func TestReconnectAfterRestart(t *testing.T) {
	a, b := pair(t, basicOptions(1), basicOptions(2))
	a.Send(2, []byte("before"))
	eventually(t, "the first frame", func() bool { return len(b.from(1)) == 1 })
	address := b.Addr()
	b.stop()
	eventually(t, "the loss", func() bool { return !a.statsOf(2).IsConnected })
	for range 10 {
		a.Send(2, []byte("to nobody"))
	}
	if got := a.statsOf(2).DroppedUnreachable; got < 10 {
		t.Errorf("%d dropped", got)
	}
	again := basicOptions(2)
	again.Incarnation, again.Listen = 2, address
	b2 := startNode(t, again, newRecorder())
	b2.SetPeers(map[flotilla.NodeID]string{1: a.Addr()})
	awaitConnection(t, a, b2)
	awaitConnection(t, b2, a)
	a.Send(2, []byte("after"))
	eventually(t, "a frame", func() bool { return len(b2.from(1)) > 0 })
	if got := b2.from(1); !slices.Equal(got, []string{"after"}) {
		t.Errorf("got %q", got)
	}
	if s := a.statsOf(2); s.Connections != 2 || s.Problem != "" {
		t.Errorf("%+v", s)
	}
}

// Connections break again and again under load: what arrives is in order and
// nothing arrives twice.
func TestOrderAcrossBrokenConnections(t *testing.T) {
	a, b := pair(t, basicOptions(1), basicOptions(2))
	sent := 0
	for round := range 5 {
		for range 2000 {
			a.Send(2, fmt.Appendf(nil, "%08d", sent))
			sent++
		}
		p := a.peer(2)
		p.mu.Lock()
		p.redial()
		p.mu.Unlock()
		eventually(t, "a new connection", func() bool {
			s := a.statsOf(2)
			return s.IsConnected && s.Connections >= uint64(round+2)
		})
	}
	a.Send(2, []byte("the end"))
	var got []string
	eventually(t, "the end", func() bool {
		got = b.from(1)
		return len(got) > 0 && got[len(got)-1] == "the end"
	})
	if !slices.IsSorted(got) || len(slices.Compact(got)) != len(b.from(1)) {
		t.Error("out of order, or twice")
	}
}

func TestOverflowDropsAndCounts(t *testing.T) {
	a, b := startNode(t, basicOptions(1), newRecorder()), startNode(t, basicOptions(2), newRecorder())
	release := make(chan struct{})
	var got []int
	done := make(chan struct{})
	b.onFrame = func(_ flotilla.NodeID, frame []byte) {
		<-release
		if string(frame) == "end" {
			close(done)
			return
		}
		got = append(got, int(frame[0])<<8|int(frame[1]))
	}
	t.Cleanup(func() {
		select {
		case <-release:
		default:
			close(release)
		}
	})
	meet(a, b)
	awaitConnection(t, a, b)
	frame := make([]byte, 256<<10)
	sent := 0
	for a.statsOf(2).DroppedFull == 0 { // never blocks, though nobody reads
		frame[0], frame[1] = byte(sent>>8), byte(sent)
		a.Send(2, frame)
		if sent++; sent > 1000 {
			t.Fatal("256 MB were taken and none dropped")
		}
	}
	if s := a.statsOf(2); s.QueueBytes > MaxQueueBytes {
		t.Errorf("%d bytes wait", s.QueueBytes)
	}
	close(release)
	eventually(t, "room", func() bool { return a.statsOf(2).QueueBytes == 0 })
	a.Send(2, []byte("end"))
	<-done
	if !slices.IsSorted(got) || len(got) != sent-1 {
		t.Errorf("%d of %d arrived, in order: %v", len(got), sent, slices.IsSorted(got))
	}
}

// What waited for a connection that broke is stale: it is dropped, and counted.
func TestQueueIsDroppedWithItsConnection(t *testing.T) {
	a, b := startNode(t, basicOptions(1), newRecorder()), startNode(t, basicOptions(2), newRecorder())
	meet(a, b)
	awaitConnection(t, a, b)
	p := a.peer(2)
	p.mu.Lock()
	p.link.holders++ // as if gRPC never let go of a message: what comes now waits
	p.mu.Unlock()
	for range 3 {
		a.Send(2, []byte("stale"))
	}
	if a.statsOf(2).QueueBytes == 0 {
		t.Fatal("nothing waits")
	}
	p.mu.Lock()
	p.redial()
	p.mu.Unlock()
	eventually(t, "an empty queue", func() bool {
		s := a.statsOf(2)
		return s.QueueBytes == 0 && s.DroppedUnreachable == 3
	})
	if len(b.from(1)) != 0 {
		t.Error("a frame arrived by the connection that came after")
	}
}

func TestSetPeersMovesAndRemoves(t *testing.T) {
	a, b := pair(t, basicOptions(1), basicOptions(2))
	other := basicOptions(2)
	other.Incarnation = 2
	b2 := startNode(t, other, newRecorder())
	b2.SetPeers(map[flotilla.NodeID]string{1: a.Addr()})
	a.SetPeers(map[flotilla.NodeID]string{2: b2.Addr()})
	eventually(t, "a second connection", func() bool { s := a.statsOf(2); return s.Connections >= 2 && s.IsConnected })
	a.Send(2, []byte("moved"))
	eventually(t, "the frame at the new address", func() bool { return len(b2.from(1)) == 1 })
	a.SetPeers(nil)
	eventually(t, "the removed node is cut off", func() bool {
		return strings.Contains(b2.statsOf(1).Problem, "not among the peers")
	})
	if len(b.from(1)) != 0 {
		t.Error("the old address got it too")
	}
}

func TestIncomingFaults(t *testing.T) {
	a, b := pair(t, basicOptions(1), basicOptions(2))
	if err := b.SetIncomingFault(1, Fault{Cut: true}); err != nil {
		t.Fatal(err)
	}
	if f := b.Faults(); f.Incoming[1] != (Fault{Cut: true}) || len(f.Outgoing) != 0 {
		t.Errorf("%+v", f)
	}
	sendFrames(a, 2, numbers(10))
	b.Send(1, []byte("the other way"))
	eventually(t, "the other way", func() bool { return len(a.from(2)) == 1 })
	eventually(t, "the cut", func() bool { return b.statsOf(1).DroppedByFault == 10 })
	if b.statsOf(1).HeardMs != -1 {
		t.Error("it heard through the cut")
	}
	if err := a.SendSnapshot(t.Context(), 2, nil, writeZeros(1<<20)); err == nil {
		t.Error("a snapshot went through")
	}
	b.ClearFaults()
	a.Send(2, []byte("healed"))
	eventually(t, "a frame", func() bool { return len(b.from(1)) > 0 })
	if got := b.from(1); !slices.Equal(got, []string{"healed"}) {
		t.Errorf("got %q", got)
	}
}

// TestHealingEndsADelay: what a long delay holds back arrives once it is taken off, on either end of the
// link, in order and before what is sent next; a shorter delay counts for it too.
func TestHealingEndsADelay(t *testing.T) {
	const long = MaxDelayMillis
	for name, set := range map[string]func(a, b *node, f Fault) error{
		"outgoing": func(a, _ *node, f Fault) error { return a.SetFault(2, f) },
		"incoming": func(_, b *node, f Fault) error { return b.SetIncomingFault(1, f) },
	} {
		for _, then := range []Fault{{}, {DelayMillis: 1}} {
			a, b := pair(t, basicOptions(1), basicOptions(2))
			change := func(f Fault) {
				if err := set(a, b, f); err != nil {
					t.Fatal(err)
				}
			}
			waits := func() bool { // at the end that holds it back
				l := a.peer(2).outgoing
				if name == "incoming" {
					l = b.peer(1).incoming
				}
				l.mu.Lock()
				defer l.mu.Unlock()
				return len(l.waiting) == 100
			}
			change(Fault{DelayMillis: long, JitterMillis: long})
			sent := numbers(101)
			sendFrames(a, 2, sent[:100])
			eventually(t, "frames wait", waits)
			change(then)
			sendFrames(a, 2, sent[100:])
			eventually(t, name+": what was delayed", func() bool { return len(b.from(1)) == len(sent) })
			if got := b.from(1); !slices.Equal(got, sent) {
				t.Errorf("%s, %+v: order or number differs", name, then)
			}
		}
	}
}

// TestHealingLetsASnapshotGo: one that waits for a delay goes when that is taken off, as far as it is.
func TestHealingLetsASnapshotGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLine(nil, nil)
		l.set(Fault{DelayMillis: MaxDelayMillis})
		began, passed := time.Now(), make(chan time.Duration)
		go func() {
			fault, ok := l.hold(t.Context())
			if fault.Cut || !ok {
				t.Errorf("%+v, %v", fault, ok)
			}
			passed <- time.Since(began)
		}()
		<-time.After(time.Second) // of the test's own time
		l.set(Fault{DelayMillis: 3000})
		if took := <-passed; took != 3*time.Second {
			t.Errorf("it waited for %v", took)
		}
	})
}

func sendFrames(n *node, to flotilla.NodeID, frames []string) {
	for _, f := range frames {
		n.Send(to, []byte(f))
	}
}

func TestFaultsHoldForNodesThatBecomePeers(t *testing.T) {
	a, b := startNode(t, basicOptions(1), newRecorder()), startNode(t, basicOptions(2), newRecorder())
	want := Faults{
		Outgoing: map[flotilla.NodeID]Fault{2: {Cut: true}},
		Incoming: map[flotilla.NodeID]Fault{2: {Drop: 1}},
	}
	if err := a.SetFaults(want); err != nil {
		t.Fatal(err)
	}
	meet(a, b)
	awaitConnection(t, a, b)
	awaitConnection(t, b, a)
	a.Send(2, []byte("cut"))
	b.Send(1, []byte("dropped"))
	eventually(t, "both are lost", func() bool { return a.statsOf(2).DroppedByFault == 2 })
	if got := a.Faults(); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v", got)
	}
	if err := a.SetFaults(Faults{Outgoing: map[flotilla.NodeID]Fault{2: {Drop: 2}}}); err == nil {
		t.Error("a chance of 2 was taken")
	}
	if err := a.SetFaults(Faults{}); err != nil {
		t.Fatal(err)
	}
	a.Send(2, []byte("healed"))
	eventually(t, "a frame", func() bool { return len(b.from(1)) == 1 })
}

func TestFaultsNeedALab(t *testing.T) {
	a, _ := pair(t, plainOptions(1), plainOptions(2))
	if err := a.SetFault(2, Fault{Cut: true}); !errors.Is(err, ErrNoLab) {
		t.Error(err)
	}
	if err := a.SetIncomingFault(2, Fault{Cut: true}); !errors.Is(err, ErrNoLab) {
		t.Error(err)
	}
	if err := a.SetFaults(Faults{}); !errors.Is(err, ErrNoLab) {
		t.Error(err)
	}
	a.ClearFaults()
	if f := a.Faults(); len(f.Outgoing)+len(f.Incoming) != 0 {
		t.Errorf("%+v", f)
	}
	for _, bad := range []Fault{{Drop: 1.1}, {Duplicate: -1}, {DelayMillis: -1}, {JitterMillis: 1 << 40}} {
		if bad.Check() == nil {
			t.Errorf("%+v was taken", bad)
		}
	}
}

func TestOptionsAreChecked(t *testing.T) {
	for _, c := range []struct {
		change func(*Options)
		want   string
	}{
		{func(o *Options) { o.Listen = "0.0.0.0:0" }, "--insecure"},
		{func(o *Options) { o.Listen = ":0" }, "--insecure"},
		{func(o *Options) { o.Listen = "7001" }, "127.0.0.1:7001"},
		{func(o *Options) { o.Self = 0 }, "from 1"},
		{func(o *Options) { o.Cluster = "" }, "Cluster"},
		{func(o *Options) { o.Incarnation = 0 }, "Incarnation"},
		{func(o *Options) { o.TLS = &TLS{CertFile: "none"} }, "certificate"},
	} {
		o := basicOptions(1)
		c.change(&o)
		if n, err := New(o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v, %v", c.want, n, err)
		}
	}
	o := basicOptions(1)
	o.Listen, o.Insecure = "0.0.0.0:0", true
	n, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	o.Listen = n.Addr()
	if _, err := New(o); err == nil || !strings.Contains(err.Error(), "port") {
		t.Error(err)
	}
	if err := n.Close(); err != nil {
		t.Error(err)
	}
}

// Bytes that are no gRPC end one connection, and nothing else.
func TestNoise(t *testing.T) {
	a, b := pair(t, basicOptions(1), basicOptions(2))
	var open []net.Conn
	for _, noise := range []string{
		"GET / HTTP/1.1\r\n\r\n", "*1\r\n$4\r\nPING\r\n", strings.Repeat("\xff", 1000),
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff\xff\xff\xff\xff",
	} {
		connection, err := net.Dial("tcp", b.Addr())
		if err != nil {
			t.Fatal(err)
		}
		defer connection.Close()
		if _, err := connection.Write([]byte(noise)); err != nil {
			t.Fatal(err)
		}
		open = append(open, connection)
	}
	for i, connection := range open {
		if err := connection.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
			t.Fatal(err)
		}
		_, err := io.Copy(io.Discard, connection)
		var timeout net.Error
		if errors.As(err, &timeout) && timeout.Timeout() {
			t.Errorf("connection %d stays open", i)
		}
	}
	a.Send(2, []byte("still here"))
	eventually(t, "a frame", func() bool { return len(b.from(1)) == 1 })
}

func TestSendBeforeRunAndAfter(t *testing.T) {
	n, err := New(basicOptions(1))
	if err != nil {
		t.Fatal(err)
	}
	n.SetPeers(map[flotilla.NodeID]string{2: "127.0.0.1:1"})
	n.Send(2, []byte("too early"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := n.Run(ctx, newRecorder()); err != nil {
		t.Error(err)
	}
	n.Send(2, []byte("too late"))
	n.SetPeers(map[flotilla.NodeID]string{3: "127.0.0.1:1"})
	if err := n.SendSnapshot(t.Context(), 3, nil, writeZeros(1)); err == nil {
		t.Error("a snapshot left a Transport that is closed")
	}
	if err := n.Close(); err != nil {
		t.Error(err)
	}
}

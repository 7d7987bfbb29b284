package transport

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"flotilla"
	"flotilla/cluster"
)

// world is three nodes that may talk to each other: over gRPC, or in a Network.
type world interface {
	transport(id flotilla.NodeID) cluster.Transport
	recorder(id flotilla.NodeID) *recorder
	// settle returns when isTrue, after what was sent had time to arrive.
	settle(t *testing.T, what string, isTrue func() bool)
	setFault(t *testing.T, from, to flotilla.NodeID, f Fault)
	peers() map[flotilla.NodeID]string
}

type realWorld []*node

func newRealWorld(t *testing.T) world {
	var w realWorld
	for id := flotilla.NodeID(1); id <= 3; id++ {
		w = append(w, startNode(t, basicOptions(id), newRecorder()))
	}
	meet(w...)
	for _, a := range w {
		for _, b := range w {
			if a != b {
				awaitConnection(t, a, b)
			}
		}
	}
	return w
}

func (w realWorld) transport(id flotilla.NodeID) cluster.Transport { return w[id-1] }
func (w realWorld) recorder(id flotilla.NodeID) *recorder          { return w[id-1].recorder }
func (w realWorld) settle(t *testing.T, what string, isTrue func() bool) {
	t.Helper()
	eventually(t, what, isTrue)
}
func (w realWorld) setFault(t *testing.T, from, to flotilla.NodeID, f Fault) {
	if err := w[from-1].SetFault(to, f); err != nil {
		t.Fatal(err)
	}
}
func (w realWorld) peers() map[flotilla.NodeID]string {
	return map[flotilla.NodeID]string{1: w[0].Addr(), 2: w[1].Addr(), 3: w[2].Addr()}
}

type steppedWorld struct {
	network   *Network
	ports     []*Port
	recorders []*recorder
}

func newSteppedWorld(*testing.T) world {
	w := &steppedWorld{network: NewNetwork(1)}
	for id := flotilla.NodeID(1); id <= 3; id++ {
		r := newRecorder()
		w.recorders = append(w.recorders, r)
		w.ports = append(w.ports, w.network.Attach(id, r))
	}
	for _, p := range w.ports {
		p.SetPeers(w.peers())
	}
	return w
}

func (w *steppedWorld) transport(id flotilla.NodeID) cluster.Transport { return w.ports[id-1] }
func (w *steppedWorld) recorder(id flotilla.NodeID) *recorder          { return w.recorders[id-1] }
func (w *steppedWorld) settle(t *testing.T, what string, isTrue func() bool) {
	t.Helper()
	for {
		for w.network.Step() {
		}
		if isTrue() {
			return
		}
		next, ok := w.network.Next()
		if !ok {
			t.Fatal("never happened: " + what)
		}
		w.network.Advance(next)
	}
}
func (w *steppedWorld) setFault(t *testing.T, from, to flotilla.NodeID, f Fault) {
	if err := w.network.SetFault(from, to, f); err != nil {
		t.Fatal(err)
	}
}
func (w *steppedWorld) peers() map[flotilla.NodeID]string {
	return map[flotilla.NodeID]string{1: "", 2: "", 3: ""}
}

// TestConformance is what every cluster.Transport must do.
func TestConformance(t *testing.T) {
	worlds := []struct {
		name string
		make func(*testing.T) world
	}{{"grpc", newRealWorld}, {"network", newSteppedWorld}}
	rules := []struct {
		name  string
		check func(*testing.T, world)
	}{
		{"frames arrive in order, once", checkOrder},
		{"frames are copied", checkCopies},
		{"empty and large frames arrive whole", checkSizes},
		{"a node that is no peer gets nothing", checkStranger},
		{"a snapshot arrives whole", checkSnapshot},
		{"the receiver's error comes back", checkSnapshotRefused},
		{"a body that fails is never taken for whole", checkSnapshotBroken},
		{"a header that is too large is refused", checkSnapshotHeader},
		{"a cut is one way", checkCut},
		{"drops lose some", checkDrop},
		{"duplicates arrive twice", checkDuplicate},
		{"reordering loses nothing", checkReorder},
		{"delays keep the order", checkDelay},
	}
	for _, w := range worlds {
		for _, rule := range rules {
			t.Run(w.name+"/"+rule.name, func(t *testing.T) { rule.check(t, w.make(t)) })
		}
	}
}

func numbers(n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf("frame %06d", i)
	}
	return all
}

func sendAll(w world, from, to flotilla.NodeID, frames []string) {
	for _, f := range frames {
		w.transport(from).Send(to, []byte(f))
	}
}

// settleOn waits until n frames have arrived at to, and returns them.
func settleOn(t *testing.T, w world, from, to flotilla.NodeID, n int) []string {
	t.Helper()
	w.settle(t, fmt.Sprintf("%d frames from %v at %v", n, from, to), func() bool { return len(w.recorder(to).from(from)) >= n })
	return w.recorder(to).from(from)
}

func checkOrder(t *testing.T, w world) {
	sent := numbers(5000)
	sendAll(w, 1, 2, sent)
	sendAll(w, 3, 2, sent)
	sendAll(w, 2, 1, sent)
	for _, direction := range [][2]flotilla.NodeID{{1, 2}, {3, 2}, {2, 1}} {
		if got := settleOn(t, w, direction[0], direction[1], len(sent)); !slices.Equal(got, sent) {
			t.Errorf("%v: order or number differs, %d arrived", direction, len(got))
		}
	}
}

func checkCopies(t *testing.T, w world) {
	frame := []byte("first")
	w.transport(1).Send(2, frame)
	copy(frame, "XXXXX")
	if got := settleOn(t, w, 1, 2, 1); got[0] != "first" {
		t.Errorf("got %q", got[0])
	}
}

func checkSizes(t *testing.T, w world) {
	var sent []string
	for _, size := range []int{0, 1, 1023, 16 << 10, 70 << 10, maxMessage - 4, maxMessage, 5 << 20, 3} {
		sent = append(sent, strings.Repeat(string(rune('a'+len(sent))), size))
	}
	sendAll(w, 1, 2, sent)
	if got := settleOn(t, w, 1, 2, len(sent)); !slices.Equal(got, sent) {
		t.Error("the frames differ")
	}
}

func checkStranger(t *testing.T, w world) {
	peers := w.peers()
	delete(peers, 3)
	w.transport(1).SetPeers(peers)
	w.transport(1).Send(3, []byte("to a stranger"))
	w.transport(1).Send(2, []byte("to a peer"))
	settleOn(t, w, 1, 2, 1)
	if got := w.recorder(3).from(1); len(got) > 0 {
		t.Errorf("the stranger got %q", got)
	}
	if err := w.transport(1).SendSnapshot(t.Context(), 3, nil, func(io.Writer) error { return nil }); err == nil {
		t.Error("a snapshot went to a stranger")
	}
	if err := w.transport(3).SendSnapshot(t.Context(), 1, nil, func(io.Writer) error { return nil }); err == nil {
		t.Error("a snapshot was taken from a stranger")
	}
}

func checkSnapshot(t *testing.T, w world) {
	sent := bytes.Repeat([]byte("0123456789"), 100_000)
	var header, got []byte
	w.recorder(2).onSnapshot = func(_ context.Context, from flotilla.NodeID, h []byte, body io.Reader) (err error) {
		header = append([]byte(from.String()+" "), h...)
		got, err = io.ReadAll(body)
		return err
	}
	err := w.transport(1).SendSnapshot(t.Context(), 2, []byte("header"), func(to io.Writer) error {
		for part := range slices.Chunk(sent, 7777) {
			if _, err := to.Write(part); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil || string(header) != "n1 header" || !bytes.Equal(got, sent) {
		t.Errorf("err %v, header %q, %d bytes", err, header, len(got))
	}
}

func checkSnapshotRefused(t *testing.T, w world) {
	w.recorder(2).onSnapshot = func(context.Context, flotilla.NodeID, []byte, io.Reader) error {
		return errors.New("the index is behind mine")
	}
	err := w.transport(1).SendSnapshot(t.Context(), 2, nil, func(to io.Writer) error {
		_, err := to.Write(make([]byte, 3<<20))
		return err
	})
	if err == nil || !strings.Contains(err.Error(), "the index is behind mine") {
		t.Errorf("err %v", err)
	}
}

func checkSnapshotBroken(t *testing.T, w world) {
	result := make(chan error, 1)
	w.recorder(2).onSnapshot = func(_ context.Context, _ flotilla.NodeID, _ []byte, body io.Reader) error {
		_, err := io.ReadAll(body)
		result <- err
		return err
	}
	// io.EOF is what a careless reader of a cut-off file returns.
	for _, cause := range []error{errors.New("disk gone"), io.EOF} {
		err := w.transport(1).SendSnapshot(t.Context(), 2, nil, func(to io.Writer) error {
			if _, err := to.Write(make([]byte, 1<<20)); err != nil {
				return err
			}
			return cause
		})
		if !errors.Is(err, cause) {
			t.Errorf("err %v, want %v", err, cause)
		}
		if _, isNetwork := w.(*steppedWorld); isNetwork {
			continue // there the receiver never heard of it
		}
		if err := <-result; err == nil {
			t.Error("the receiver took a part for the whole")
		}
	}
}

func checkSnapshotHeader(t *testing.T, w world) {
	body := func(io.Writer) error { return nil }
	if err := w.transport(1).SendSnapshot(t.Context(), 2, make([]byte, MaxHeaderBytes+1), body); err == nil {
		t.Error("it was sent")
	}
	w.recorder(2).onSnapshot = func(context.Context, flotilla.NodeID, []byte, io.Reader) error { return nil }
	if err := w.transport(1).SendSnapshot(t.Context(), 2, make([]byte, MaxHeaderBytes), body); err != nil {
		t.Error(err)
	}
}

func checkCut(t *testing.T, w world) {
	w.setFault(t, 1, 2, Fault{Cut: true})
	sendAll(w, 1, 2, numbers(10))
	sendAll(w, 2, 1, numbers(10))
	settleOn(t, w, 2, 1, 10)
	if err := w.transport(1).SendSnapshot(t.Context(), 2, nil, func(io.Writer) error { return nil }); err == nil {
		t.Error("a snapshot went through")
	}
	w.setFault(t, 1, 2, Fault{})
	w.transport(1).Send(2, []byte("healed"))
	if got := settleOn(t, w, 1, 2, 1); !slices.Equal(got, []string{"healed"}) {
		t.Errorf("through the cut came %q", got)
	}
}

func checkDrop(t *testing.T, w world) {
	w.setFault(t, 1, 2, Fault{Drop: 0.5})
	sent := numbers(1000)
	sendAll(w, 1, 2, sent)
	w.setFault(t, 1, 2, Fault{})
	w.transport(1).Send(2, []byte("last"))
	var got []string
	w.settle(t, "the last frame", func() bool { got = w.recorder(2).from(1); return slices.Contains(got, "last") })
	if n := len(got) - 1; n < 400 || n > 600 || !slices.IsSorted(got[:n]) {
		t.Errorf("%d of 1000 arrived, in order: %v", n, slices.IsSorted(got[:n]))
	}
}

func checkDuplicate(t *testing.T, w world) {
	w.setFault(t, 1, 2, Fault{Duplicate: 1})
	sent := numbers(100)
	sendAll(w, 1, 2, sent)
	got := settleOn(t, w, 1, 2, 200)
	slices.Sort(got)
	if !slices.Equal(slices.Compact(got), sent) {
		t.Error("not every frame came twice")
	}
}

func checkReorder(t *testing.T, w world) {
	w.setFault(t, 1, 2, Fault{Reorder: 0.3})
	sent := numbers(300)
	sendAll(w, 1, 2, sent)
	got := settleOn(t, w, 1, 2, len(sent))
	if slices.IsSorted(got) {
		t.Error("nothing was reordered")
	}
	slices.Sort(got)
	if !slices.Equal(got, sent) {
		t.Error("frames were lost or doubled")
	}
}

func checkDelay(t *testing.T, w world) {
	w.setFault(t, 1, 2, Fault{DelayMillis: 30, JitterMillis: 20})
	began := time.Now()
	sent := numbers(200)
	sendAll(w, 1, 2, sent)
	settleOn(t, w, 1, 2, len(sent))
	passed := time.Since(began)
	if s, ok := w.(*steppedWorld); ok {
		passed = s.network.Now()
	}
	if passed < 30*time.Millisecond {
		t.Errorf("arrived after %v", passed)
	}
	more := []string{"y sent next", "z sent after it was healed"}
	sendAll(w, 1, 2, more[:1])
	w.setFault(t, 1, 2, Fault{})
	sendAll(w, 1, 2, more[1:]) // must not overtake
	got := settleOn(t, w, 1, 2, len(sent)+len(more))
	if !slices.Equal(got, append(sent, more...)) {
		t.Error("order or number differs")
	}
}

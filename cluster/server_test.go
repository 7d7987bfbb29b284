package cluster_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"flotilla"
	"flotilla/cluster"
	"flotilla/consensus"
	"flotilla/storage"
	"flotilla/transport"

	"github.com/cockroachdb/pebble/v2/vfs"
	"go.uber.org/goleak"
)

const systemTest flotilla.System = 't'

// appendMachine keeps one list of bytes a key: "t" key byte, value byte appends
// and returns the new length; reading returns the list.
type appendMachine struct{}

func (appendMachine) Begin(*flotilla.Tx)                       {}
func (appendMachine) End(*flotilla.Tx)                         {}
func (appendMachine) Deadline(flotilla.Reader) flotilla.Millis { return flotilla.Never }

func (appendMachine) Apply(tx *flotilla.Tx, command []byte) []byte {
	key := command[:2]
	old, _ := tx.Get(key)
	tx.Set(key, append(append([]byte(nil), old...), command[2:]...))
	return binary.AppendUvarint(nil, uint64(len(old)+len(command)-2))
}

func (appendMachine) Read(view *flotilla.View, command []byte) []byte {
	value, _ := view.Get(command[:2])
	return append([]byte(nil), value...)
}

// fleet is some nodes in this process, over real gRPC, on disks in memory.
type fleet struct {
	t       *testing.T
	members []flotilla.NodeInfo
	disks   []*vfs.MemFS
	nodes   []*testNode
	groups  int
	machine func(i int) flotilla.Machine // nil: appendMachine
}

type testNode struct {
	server    *cluster.Server
	transport *transport.Transport
	stop      func()
}

func newFleet(t *testing.T, nodes, groups int) *fleet {
	t.Helper()
	return newFleetOf(t, nodes, groups, nil)
}

func newFleetOf(t *testing.T, nodes, groups int, machine func(i int) flotilla.Machine) *fleet {
	t.Helper()
	t.Cleanup(func() { goleak.VerifyNone(t) })
	f := &fleet{t: t, groups: groups, nodes: make([]*testNode, nodes), machine: machine}
	for i := range nodes {
		f.members = append(f.members, flotilla.NodeInfo{ID: flotilla.NodeID(i + 1), Host: "127.0.0.1"})
		f.disks = append(f.disks, vfs.NewCrashableMem())
	}
	t.Cleanup(func() {
		for i := range f.nodes {
			f.kill(i)
		}
	})
	transports := make([]*transport.Transport, nodes)
	for i := range nodes {
		transports[i] = f.listen(i, "127.0.0.1:0")
		f.members[i].PeerAddr = transports[i].Addr()
	}
	for i := range nodes {
		f.start(i, transports[i], true)
	}
	return f
}

func (f *fleet) listen(i int, address string) *transport.Transport {
	f.t.Helper()
	tr, err := transport.New(transport.Options{Cluster: "test", Self: flotilla.NodeID(i + 1),
		Incarnation: uint64(time.Now().UnixNano()), Listen: address, Lab: true})
	if err != nil {
		f.t.Fatal(err)
	}
	return tr
}

func (f *fleet) start(i int, tr *transport.Transport, isBootstrap bool) {
	f.t.Helper()
	disk, err := storage.Open("node", storage.Options{FS: f.disks[i], BallastBytes: -1,
		FreeBytes: func() uint64 { return 1 << 40 }})
	if err != nil {
		f.t.Fatal(err)
	}
	var machine flotilla.Machine = appendMachine{}
	if f.machine != nil {
		machine = f.machine(i)
	}
	server, err := cluster.New(cluster.Config{Cluster: "test", Self: flotilla.NodeID(i + 1), Members: f.members,
		Groups: f.groups, Replicas: 3, IsBootstrap: isBootstrap, Disk: disk, Transport: tr, Log: slog.New(slog.DiscardHandler),
		Machines:    map[flotilla.System]flotilla.Machine{systemTest: machine},
		Incarnation: uint64(time.Now().UnixNano()), TickMillis: 20})
	if err != nil {
		f.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := server.Run(ctx); err != nil {
			f.t.Error(err)
		}
	})
	running.Go(func() {
		if err := tr.Run(ctx, server); err != nil {
			f.t.Error(err)
		}
	})
	f.nodes[i] = &testNode{server: server, transport: tr, stop: func() {
		cancel()
		running.Wait()
		if err := disk.Close(); err != nil {
			f.t.Error(err)
		}
	}}
}

// kill stops a node and loses what its disk had not synced. The node is cut off first: it
// runs on for a while, and must not tell the others of what it synced after its crash.
func (f *fleet) kill(i int) {
	if f.nodes[i] == nil {
		return
	}
	for _, m := range f.members {
		if err := f.nodes[i].transport.SetFault(m.ID, transport.Fault{Cut: true}); err != nil {
			f.t.Error(err)
		}
	}
	crashed := f.disks[i].CrashClone(vfs.CrashCloneCfg{})
	f.nodes[i].stop()
	f.disks[i], f.nodes[i] = crashed, nil
}

func (f *fleet) restart(i int) {
	f.t.Helper()
	f.start(i, f.listen(i, f.members[i].PeerAddr), false)
}

// appendTo sends one append by way of a node, again as long as it was refused.
func (f *fleet) appendTo(i int, key, value byte) (uint64, error) {
	deadline := time.Now().Add(15 * time.Second)
	for {
		call := &flotilla.Call{Group: 1, Commands: [][]byte{{byte(systemTest), key, value}}}
		f.nodes[i].server.Do(context.Background(), call)
		if call.Err == nil {
			n, _ := binary.Uvarint(call.Replies[0])
			return n, nil
		}
		if !errors.Is(call.Err, flotilla.ErrRefused) || time.Now().After(deadline) {
			return 0, call.Err
		}
	}
}

func (f *fleet) read(i int, key byte) (string, error) {
	deadline := time.Now().Add(15 * time.Second)
	for {
		call := &flotilla.Call{Group: 1, IsRead: true, Commands: [][]byte{{byte(systemTest), key}}}
		f.nodes[i].server.Do(context.Background(), call)
		if call.Err == nil {
			return string(call.Replies[0]), nil
		}
		if time.Now().After(deadline) {
			return "", call.Err
		}
	}
}

func TestEveryNodeTakesWritesAndReads(t *testing.T) {
	f := newFleet(t, 3, 1)
	want := ""
	for round := range 30 {
		value := byte('a' + round%26)
		want += string(value)
		n, err := f.appendTo(round%3, 'k', value)
		if err != nil || int(n) != round+1 {
			t.Fatalf("append %d: length %d, %v", round, n, err)
		}
		if got, err := f.read((round+1)%3, 'k'); err != nil || got != want {
			t.Fatalf("read %q, want %q, %v", got, want, err)
		}
	}
}

func TestAcknowledgedSurvivesEachNodesCrash(t *testing.T) {
	f := newFleet(t, 3, 1)
	want := ""
	for round := range 6 {
		victim := round % 3
		for i := range 10 {
			value := byte('a' + (round*10+i)%26)
			if _, err := f.appendTo((victim+1)%3, 'k', value); err != nil {
				t.Fatalf("round %d: %v", round, err)
			}
			want += string(value)
		}
		f.kill(victim)
		if got, err := f.read((victim+2)%3, 'k'); err != nil || got != want {
			t.Fatalf("round %d: read %q, want %q, %v", round, got, want, err)
		}
		f.restart(victim)
	}
	for i := range 3 {
		f.kill(i)
	}
	for i := range 3 {
		f.restart(i)
	}
	for i := range 3 {
		if got, err := f.read(i, 'k'); err != nil || got != want {
			t.Fatalf("after a crash of all: read %q, want %q, %v", got, want, err)
		}
	}
}

func TestFiveNodesServeGroupsThatTheyDoNotHold(t *testing.T) {
	f := newFleet(t, 5, 2)
	for i := range 5 {
		if _, err := f.appendTo(i, 'k', byte('a'+i)); err != nil {
			t.Fatal(err)
		}
		if got, err := f.read(i, 'k'); err != nil || got != "abcde"[:i+1] {
			t.Fatalf("node %d read %q, %v", i+1, got, err)
		}
	}
}

func TestLostDiskComesBackAsNewReplica(t *testing.T) {
	f := newFleet(t, 3, 1)
	for i := range 5 {
		if _, err := f.appendTo(0, 'k', byte('a'+i)); err != nil {
			t.Fatal(err)
		}
	}
	f.kill(2)
	f.disks[2] = vfs.NewCrashableMem()
	f.restart(2)
	deadline := time.Now().Add(20 * time.Second)
	for {
		st := f.nodes[2].server.Status()
		voters := 0
		for _, g := range st.Groups {
			if g.IsHere && g.Role != "learner" && consensus.IsFresh(g.Replica) && g.Applied > 1 {
				voters++
			}
		}
		if voters == 2 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the lost copies were not replaced: %+v", st.Groups)
		}
		if _, err := f.appendTo(0, 'x', 'x'); err != nil { // time passes by work, not by sleep
			t.Fatal(err)
		}
	}
	f.kill(0)
	if got, err := f.read(2, 'k'); err != nil || got != "abcde" {
		t.Fatalf("read %q, %v", got, err)
	}
}

func TestMinorityRefuses(t *testing.T) {
	f := newFleet(t, 3, 1)
	if _, err := f.appendTo(0, 'k', 'a'); err != nil {
		t.Fatal(err)
	}
	if _, err := f.read(0, 'k'); err != nil {
		t.Fatal(err)
	}
	f.kill(1)
	f.kill(2)
	var call *flotilla.Call
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); {
		call = &flotilla.Call{Group: 1, Commands: [][]byte{{byte(systemTest), 'k', 'b'}}}
		f.nodes[0].server.Do(context.Background(), call)
		if errors.Is(call.Err, flotilla.ErrRefused) {
			break
		}
	}
	if flotilla.ReasonOf(call.Err) != flotilla.NoQuorum {
		t.Fatal(fmt.Sprint("a write on a minority: ", call.Err))
	}
	read := &flotilla.Call{Group: 1, IsRead: true, Level: flotilla.Eventual, Commands: [][]byte{{byte(systemTest), 'k'}}}
	f.nodes[0].server.Do(context.Background(), read)
	if read.Err != nil || len(read.Replies) != 1 {
		t.Fatalf("an eventual read on a minority: %v", read.Err)
	}
}

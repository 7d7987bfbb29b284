package cluster

import (
	"bytes"
	"encoding/binary"
	"iter"
	"maps"
	"reflect"
	"slices"
	"testing"

	"flotilla"

	"pgregory.net/rapid"
)

// mapState is a State in a map: slow and simple.
type mapState map[string]string

func (m mapState) Get(key []byte) ([]byte, bool) {
	value, ok := m[string(key)]
	return []byte(value), ok
}

func (m mapState) Scan(start, end []byte) iter.Seq2[[]byte, []byte] {
	return func(yield func(key, value []byte) bool) {
		for _, key := range slices.Sorted(maps.Keys(m)) {
			inRange := key >= string(start) && (end == nil || key < string(end))
			if inRange && !yield([]byte(key), []byte(m[key])) {
				return
			}
		}
	}
}

func (m mapState) ScanBack(start, end []byte) iter.Seq2[[]byte, []byte] {
	panic("the directory never scans backwards")
}

func (m mapState) Set(key, value []byte) { m[string(key)] = string(value) }
func (m mapState) Delete(key []byte)     { delete(m, string(key)) }

func (m mapState) DeleteRange(start, end []byte) {
	for key := range m {
		if key >= string(start) && (end == nil || key < string(end)) {
			delete(m, key)
		}
	}
}

// change applies a command and returns what directoryReply makes of the reply.
func change(state mapState, command []byte) (uint64, error) {
	return directoryReply(directoryMachine{}.Apply(&flotilla.Tx{State: state}, command))
}

func firstOfThree() *Directory {
	nodes := equalNodes(3)
	for i := range nodes {
		nodes[i].Host, nodes[i].PeerAddr, nodes[i].StorePort = "127.0.0.1", "127.0.0.1:7001", 6379+i
		nodes[i].QueuePort = i * 9324 // the first has none
	}
	return firstDirectory(nodes, 4, 3, map[string]string{"store.maxkeys": "7"})
}

func bootstrapped(t *testing.T) mapState {
	t.Helper()
	state := mapState{}
	if version, err := change(state, bootstrapCommand(firstOfThree())); version != 1 || err != nil {
		t.Fatalf("bootstrap: version %d, %v", version, err)
	}
	return state
}

func TestDirectoryBootstrapsOnce(t *testing.T) {
	state := bootstrapped(t)
	want := firstOfThree()
	want.Version = 1
	if got := readDirectory(state); !reflect.DeepEqual(got, want) {
		t.Fatalf("after bootstrap: %+v", got)
	}
	if _, err := change(state, bootstrapCommand(firstOfThree())); err == nil {
		t.Fatal("a second bootstrap was accepted")
	}
	for key := range state {
		if key[0] != byte(flotilla.SystemDirectory) {
			t.Fatalf("key %q does not begin with the system's byte", key)
		}
	}
}

func TestDirectoryChanges(t *testing.T) {
	state := bootstrapped(t)
	accepted := [][]byte{
		putNodeCommand(1, Member{ID: 4, Host: "h", PeerAddr: "h:7001", Weight: 50}),
		setDrainingCommand(0, 2, true),
		setSettingCommand(0, "a", "b"),
		setSettingCommand(0, "store.maxkeys", ""),
		setReplicasCommand(0, Group{ID: 2, Replicas: []ReplicaAt{{1, 1}, {2, 2}, {4, 104}}}),
		setReplicasCommand(0, Group{ID: 9, Replicas: []ReplicaAt{{1, 1}}}),
		moveSlotsCommand(7, 16383, 16383, 9),
	}
	for i, command := range accepted {
		if version, err := change(state, command); err != nil || version != uint64(i+2) {
			t.Fatalf("command %d: version %d, %v", i, version, err)
		}
	}
	d := readDirectory(state)
	node, _ := d.Member(2)
	group, _ := d.Group(2)
	if len(d.Nodes) != 4 || !node.IsDraining || !slices.Equal(group.Holders(), []flotilla.NodeID{1, 2, 4}) ||
		!maps.Equal(d.Settings, map[string]string{"a": "b"}) || d.Slots[16383] != 9 || d.Slots[16382] != 4 {
		t.Fatalf("after the changes: %+v", d)
	}
	view := &flotilla.View{Reader: state}
	if got, err := decodeDirectory(directoryMachine{}.Read(view, readCommand())); err != nil || !reflect.DeepEqual(got, d) {
		t.Fatalf("read: %v %+v", err, got)
	}
}

func TestDirectoryRefusesWhatBreaksIt(t *testing.T) {
	state := bootstrapped(t)
	before := maps.Clone(state)
	refused := map[string][]byte{
		"other version":        setSettingCommand(2, "a", "b"),
		"slots of no group":    moveSlotsCommand(0, 0, 1, 77),
		"slots to directory":   moveSlotsCommand(0, 0, 1, flotilla.Directory),
		"slots turned round":   moveSlotsCommand(0, 2, 1, 1),
		"group on no node":     setReplicasCommand(0, Group{ID: 1}),
		"group on unknown":     setReplicasCommand(0, Group{ID: 1, Replicas: []ReplicaAt{{9, 9}}}),
		"two copies on a node": setReplicasCommand(0, Group{ID: 1, Replicas: []ReplicaAt{{1, 1}, {1, 5}}}),
		"stolen replica id":    setReplicasCommand(0, Group{ID: 1, Replicas: []ReplicaAt{{1, 2}, {3, 3}}}),
		"one id twice":         setReplicasCommand(0, Group{ID: 7, Replicas: []ReplicaAt{{1, 1}, {2, 1}}}),
		"node 0":               putNodeCommand(0, Member{}),
		"draining nobody":      setDrainingCommand(0, 9, true),
		"nameless setting":     setSettingCommand(0, "", "x"),
		"long setting":         setSettingCommand(0, "x", string(make([]byte, MaxSettingValue+1))),
		"bytes left over":      append(setDrainingCommand(0, 1, true), 0),
		"nothing":              nil,
		"unknown kind":         directoryCommand('?', 0),
		"other format":         {'d', 99, 'r', 0},
		"bad bootstrap":        append(directoryCommand(directoryBootstrap, 0), 1, 2, 3),
	}
	for name, command := range refused {
		if version, err := change(state, command); err == nil {
			t.Errorf("%s: accepted as version %d", name, version)
		}
		if !maps.Equal(state, before) {
			t.Fatalf("%s: the state was changed", name)
		}
	}
	if _, err := change(mapState{}, setSettingCommand(0, "a", "b")); err == nil {
		t.Error("an empty directory accepted a setting")
	}
}

func TestDirectoryTellsOfChanges(t *testing.T) {
	state := bootstrapped(t)
	var events []flotilla.Event
	tx := &flotilla.Tx{State: state, Index: 8, Emit: func(e flotilla.Event) { events = append(events, e) }}
	directoryMachine{}.Apply(tx, setDrainingCommand(0, 3, true))
	directoryMachine{}.Apply(tx, setDrainingCommand(0, 9, true)) // refused: no event
	want := []flotilla.Event{{System: flotilla.SystemDirectory, Index: 8, Name: "draining", Key: []byte("n3")}}
	if !reflect.DeepEqual(events, want) {
		t.Fatalf("events = %+v, want %+v", events, want)
	}
}

func TestDirectoryRoundTrips(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		nodes := drawNodes(t)
		groups := rapid.IntRange(1, 30).Draw(t, "groups")
		d := firstDirectory(nodes, groups, rapid.IntRange(1, 5).Draw(t, "replicas"),
			rapid.MapOf(rapid.StringN(1, 20, 60), rapid.String()).Draw(t, "settings"))
		d.Version = rapid.Uint64().Draw(t, "version")
		got, err := decodeDirectory(d.Encode())
		if err != nil || !reflect.DeepEqual(got, d) {
			t.Fatalf("%v: got %+v want %+v", err, got, d)
		}
	})
}

func FuzzDirectoryBytes(f *testing.F) {
	f.Add(firstOfThree().Encode())
	f.Add((&Directory{}).Encode())
	f.Add([]byte{1, 0, 255, 255, 255, 255, 15})
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := decodeDirectory(b)
		if err != nil {
			return
		}
		again, err := decodeDirectory(d.Encode())
		if err != nil || !reflect.DeepEqual(again, d) {
			t.Fatalf("a picture that was read can not be written: %v", err)
		}
	})
}

func FuzzDirectoryCommand(f *testing.F) {
	f.Add(putNodeCommand(1, Member{ID: 4, Host: "h", PeerAddr: "h:7001"}))
	f.Add(setReplicasCommand(0, Group{ID: 2, Replicas: []ReplicaAt{{1, 1}, {2, 2}}}))
	f.Add(moveSlotsCommand(0, 1, 2, 1))
	f.Add(setSettingCommand(0, "a", "b"))
	f.Add(bootstrapCommand(firstOfThree()))
	first := mapState{}
	if _, err := change(first, bootstrapCommand(firstOfThree())); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, command []byte) {
		state := maps.Clone(first)
		version, err := change(state, command)
		if err != nil && !maps.Equal(state, first) {
			t.Fatal("a refused command changed the state")
		}
		if err == nil && version != 2 {
			t.Fatalf("version %d after one change", version)
		}
		if err := readDirectory(state).check(); err != nil {
			t.Fatalf("command %x broke the directory: %v", command, err)
		}
		directoryMachine{}.Read(&flotilla.View{Reader: state}, command)
	})
}

func TestSlotTableIsSmallInTheState(t *testing.T) {
	state := bootstrapped(t)
	want := binary.AppendUvarint(nil, 4)
	if table := state[directorySlotsKey]; len(table) > 24 || !bytes.HasPrefix([]byte(table), want) {
		t.Fatalf("four ranges take %d bytes: %x", len(table), table)
	}
}

package storage

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"testing"

	"flotilla"
	"flotilla/consensus"

	"github.com/cockroachdb/pebble/v2/vfs"
	"pgregory.net/rapid"
)

// model is a state as a map.
type model map[string]string

func (m model) deleteRange(start, end []byte) {
	maps.DeleteFunc(m, func(key, _ string) bool { return in(key, start, end) })
}

func in(key string, start, end []byte) bool {
	return key >= string(start) && (end == nil || key < string(end))
}

func (m model) scan(start, end []byte, isBack bool) (text string) {
	keys := slices.Sorted(maps.Keys(m))
	if isBack {
		slices.Reverse(keys)
	}
	for _, key := range keys {
		if in(key, start, end) {
			text += fmt.Sprintf("%q=%q ", key, m[key])
		}
	}
	return text
}

func scanned(r flotilla.Reader, start, end []byte, isBack bool) (text string) {
	pairs := r.Scan(start, end)
	if isBack {
		pairs = r.ScanBack(start, end)
	}
	// What a scan returned stays valid: look at it only afterwards.
	var kept [][2][]byte
	for key, value := range pairs {
		kept = append(kept, [2][]byte{key, value})
	}
	for _, pair := range kept {
		text += fmt.Sprintf("%q=%q ", pair[0], pair[1])
	}
	return text
}

// heldView is a long view with what it must go on showing.
type heldView struct {
	view consensus.View
	want model
}

// stateMachine compares a State, with its tables at every stage on their way to
// Pebble, with a map.
type stateMachine struct {
	disk    *Disk
	fs      *vfs.MemFS
	opts    Options
	dropped int     // how many items a range deletion takes out of a table at most
	now     model   // with what is not committed
	history []model // by index: committed
	views   []heldView
}

func (m *stateMachine) state() *groupState { return m.disk.lookup(1).state }

func key(t *rapid.T, label string) []byte {
	return []byte(rapid.StringMatching(`[a-d\x00\xff]{0,3}`).Draw(t, label))
}

func bounds(t *rapid.T) (start, end []byte) {
	start = key(t, "start")
	if rapid.IntRange(0, 4).Draw(t, "open end") > 0 {
		end = key(t, "end")
	}
	return start, end
}

func (m *stateMachine) Set(t *rapid.T) {
	k, v := key(t, "key"), key(t, "value")
	m.state().Set(k, v)
	m.now[string(k)] = string(v)
}

func (m *stateMachine) Delete(t *rapid.T) {
	k := key(t, "key")
	m.state().Delete(k)
	delete(m.now, string(k))
}

func (m *stateMachine) DeleteRange(t *rapid.T) {
	start, end := bounds(t)
	m.state().DeleteRange(start, end)
	m.now.deleteRange(start, end)
}

func (m *stateMachine) Commit(*rapid.T) {
	if m.state().layers.Load().frozen != nil {
		// Someone is flushing: Commit must not start a second flush.
		m.disk.dirty.bytes, m.disk.dirty.sealed = -1<<20, -1<<20
	}
	m.state().Commit(consensus.Mark{Index: uint64(len(m.history)), Term: 1})
	m.history = append(m.history, maps.Clone(m.now))
}

func (m *stateMachine) commitOpen(t *rapid.T) {
	if m.state().isWriting {
		m.Commit(t)
	}
}

// Freeze leaves the table where a flush has it while it runs.
func (m *stateMachine) Freeze(t *rapid.T) {
	m.commitOpen(t)
	if m.state().layers.Load().frozen == nil {
		m.state().freeze()
	}
}

func (m *stateMachine) Flush(t *rapid.T) {
	m.commitOpen(t)
	if s := m.state(); s.layers.Load().frozen != nil {
		if err := m.disk.writeFrozen([]*groupState{s}, 0); err != nil {
			t.Fatal(err)
		}
		s.thaw()
	}
	m.disk.Flush()
	if got := m.state().Durable(); got != uint64(len(m.history)-1) {
		t.Fatalf("durable %d after a flush at %d", got, len(m.history)-1)
	}
}

func (m *stateMachine) Hold(t *rapid.T) {
	m.commitOpen(t)
	m.views = append(m.views, heldView{m.state().View(true), m.history[len(m.history)-1]})
}

func (m *stateMachine) Release(t *rapid.T) {
	for _, held := range m.views {
		m.compare(t, "long view", held.view, held.want)
		held.view.Close()
	}
	m.views = nil
}

func (m *stateMachine) Crash(t *rapid.T) {
	m.Release(t)
	m.commitOpen(t)
	durable := m.state().Durable()
	m.fs = crash(m.disk, m.fs, 0)
	m.opts.FS = m.fs
	disk, err := Open("node", m.opts)
	if err != nil {
		t.Fatal(err)
	}
	m.disk, disk.maxDropped = disk, m.dropped
	index := m.state().Mark().Index
	if index < durable {
		t.Fatalf("was durable at %d, came back at %d", durable, index)
	}
	m.history = m.history[:index+1]
	m.now = maps.Clone(m.history[index])
}

func (m *stateMachine) compare(t *rapid.T, what string, r flotilla.Reader, want model) {
	start, end := bounds(t)
	for _, isBack := range []bool{false, true} {
		if got, want := scanned(r, start, end, isBack), want.scan(start, end, isBack); got != want {
			t.Fatalf("%s: scan %q to %q, back %v:\n got %s\nwant %s", what, start, end, isBack, got, want)
		}
	}
	k := key(t, "key")
	value, ok := r.Get(k)
	wanted, wantOK := want[string(k)]
	if ok != wantOK || string(value) != wanted {
		t.Fatalf("%s: get %q: %q %v, want %q %v", what, k, value, ok, wanted, wantOK)
	}
}

func (m *stateMachine) Check(t *rapid.T) {
	m.compare(t, "state", m.state(), m.now)
	if !m.state().isWriting {
		view := m.state().View(false)
		defer view.Close()
		m.compare(t, "short view", view, m.now)
	}
	if err := m.state().Err(); err != nil {
		t.Fatal(err)
	}
}

func TestStateIsAMap(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		m := &stateMachine{fs: vfs.NewCrashableMem(), now: model{}, history: []model{{}}}
		m.opts = testOptions(t, m.fs)
		m.opts.Synchronous = true
		m.opts.DirtyBytes = rapid.SampledFrom([]int{600, 1 << 20}).Draw(r, "dirty bytes")
		m.disk = mustOpen(t, "node", m.opts)
		m.dropped = rapid.SampledFrom([]int{0, 2, maxDropped}).Draw(r, "dropped one by one")
		m.disk.maxDropped = m.dropped
		must(t, m.disk.Create(consensus.Replica{Group: 1, ID: 1}, nil))
		defer func() {
			m.commitOpen(r)
			for _, held := range m.views {
				held.view.Close()
			}
			_ = m.disk.Close()
		}()
		r.Repeat(rapid.StateMachineActions(m))
	})
}

// Two groups that are neighbours in Pebble do not see each other.
func TestGroupsAreApart(t *testing.T) {
	d := mustOpen(t, "node", testOptions(t, vfs.NewCrashableMem()))
	for id := flotilla.GroupID(254); id < 258; id++ {
		must(t, d.Create(consensus.Replica{Group: id, ID: 1}, nil))
		s := d.State(id)
		s.Set(nil, []byte("empty key"))
		s.Set(bytes.Repeat([]byte{0xff}, 20), fmt.Append(nil, id))
		s.Commit(consensus.Mark{Index: 1, Term: 1})
	}
	d.Flush()
	s := d.State(255)
	s.DeleteRange(nil, nil)
	s.Commit(consensus.Mark{Index: 2, Term: 1})
	d.Flush()
	for id := flotilla.GroupID(254); id < 258; id++ {
		want := fmt.Sprintf("%q=%q %q=%q ", "", "empty key", bytes.Repeat([]byte{0xff}, 20), fmt.Append(nil, id))
		if id == 255 {
			want = ""
		}
		if got := scanned(d.State(id), nil, nil, false); got != want {
			t.Errorf("%v: %s", id, got)
		}
	}
	must(t, d.Close())
}

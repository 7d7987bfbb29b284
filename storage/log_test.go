package storage

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"flotilla"
	"flotilla/consensus"
	"flotilla/storage/conformance"

	"github.com/cockroachdb/pebble/v2/vfs"
	"go.etcd.io/raft/v3/raftpb"
)

// logModel is what a group's log must hold.
type logModel struct {
	id      flotilla.ReplicaID
	cut     uint64 // entries up to here may be gone
	entries []*raftpb.Entry
	hard    *raftpb.HardState
}

// logRun drives a disk of several groups, of which the last is a quiet one, and cuts
// its power now and then.
type logRun struct {
	t      *testing.T
	random *rand.Rand
	fs     *vfs.MemFS
	disk   *Disk
	groups map[flotilla.GroupID]*logModel
	term   uint64
}

const quietGroup = 4

// Entries, votes and replicas survive whatever happens to the files of the log, whose
// size stays bounded although a quiet group's entries are never cut.
func TestLogOfSeveralGroups(t *testing.T) {
	for seed := range uint64(60) {
		r := &logRun{t: t, random: newRand(seed), fs: vfs.NewCrashableMem(), groups: map[flotilla.GroupID]*logModel{}, term: 1}
		r.disk = mustOpen(t, "node", testOptions(t, r.fs))
		for id := flotilla.GroupID(1); id <= quietGroup; id++ {
			r.create(id)
		}
		for range 3 {
			r.write(quietGroup)
		}
		for range 150 {
			r.step()
		}
		r.powerCut()
		must(t, r.disk.Close())
	}
}

func (r *logRun) step() {
	id := flotilla.GroupID(1 + r.random.IntN(quietGroup-1))
	switch r.random.IntN(14) {
	case 0:
		r.powerCut()
	case 1:
		must(r.t, r.disk.Remove(id))
		delete(r.groups, id)
		r.create(id)
	case 2:
		r.apply(id)
		r.disk.Flush()
	case 3:
		g := r.groups[id]
		g.cut = max(g.cut, r.random.Uint64N(uint64(len(g.entries))+1))
		r.disk.Cut(id, g.cut)
	default:
		r.write(id)
	}
	r.checkSize()
}

// checkSize checks that the log knows what is kept of it, and takes not much more.
func (r *logRun) checkSize() {
	r.t.Helper()
	kept := 0
	for _, g := range r.disk.allGroups() {
		for _, p := range g.log.places {
			kept += int(p.Size) + 8
		}
	}
	if counted := int(r.disk.log.Kept()); counted != kept {
		r.t.Fatalf("%d bytes are kept, %d counted", kept, counted)
	}
	if size := int(r.disk.log.Bytes()); size > 2*kept+11*1600 {
		r.t.Fatalf("the log takes %d bytes for %d", size, kept)
	}
}

func (r *logRun) create(id flotilla.GroupID) {
	replica := consensus.Replica{Group: id, ID: flotilla.ReplicaID(r.random.Uint64N(1000) + 1)}
	must(r.t, r.disk.Create(replica, nil))
	r.groups[id] = &logModel{id: replica.ID}
}

// apply makes the state of a group durable up to its last entry.
func (r *logRun) apply(id flotilla.GroupID) {
	if n := len(r.groups[id].entries); n > 0 {
		last := r.groups[id].entries[n-1]
		r.disk.State(id).Commit(consensus.Mark{Index: last.GetIndex(), Term: last.GetTerm()})
	}
}

// write appends a few entries, some of which may replace others, or a vote.
func (r *logRun) write(id flotilla.GroupID) {
	g := r.groups[id]
	w := consensus.Write{Group: id}
	if r.random.IntN(3) == 0 {
		w.HardState = conformance.Hard(r.term, r.random.Uint64N(3), 0)
		g.hard = w.HardState
	}
	first := uint64(len(g.entries)) + 1
	if least := max(g.cut, r.disk.State(id).Mark().Index) + 1; first > least && r.random.IntN(4) == 0 {
		r.term++
		first = least + r.random.Uint64N(first-least)
	}
	w.Entries = conformance.Entries(r.term, first, first+r.random.Uint64N(4))
	for _, e := range w.Entries {
		e.Data = fmt.Appendf(nil, "%v %d %d %0*d", id, e.GetIndex(), e.GetTerm(), r.random.IntN(60), 0)
	}
	g.entries = append(g.entries[:first-1:first-1], w.Entries...)
	must(r.t, r.disk.Append([]consensus.Write{w}))
}

// powerCut opens what is left and compares it with the model.
func (r *logRun) powerCut() {
	r.t.Helper()
	r.fs = crash(r.disk, r.fs, []int{0, 50, 100}[r.random.IntN(3)])
	r.disk = mustOpen(r.t, "node", testOptions(r.t, r.fs))
	for id, g := range r.groups {
		log := r.disk.Log(id)
		hard, _, _ := log.InitialState()
		if hard.GetTerm() != g.hard.GetTerm() || hard.GetVote() != g.hard.GetVote() || r.disk.lookup(id).log.replica != g.id {
			r.t.Fatalf("%v: %v of replica %v, want %v of %v", id, hard, r.disk.lookup(id).log.replica, g.hard, g.id)
		}
		first, _ := log.FirstIndex()
		last, _ := log.LastIndex()
		if first > g.cut+1 || last != uint64(len(g.entries)) {
			r.t.Fatalf("%v: entries %d to %d, want %d to %d", id, first, last, g.cut+1, len(g.entries))
		}
		entries, err := log.Entries(first, last+1, 1<<40)
		if first <= last {
			must(r.t, err)
		}
		for i, e := range entries {
			want := g.entries[first-1+uint64(i)]
			if e.GetIndex() != want.GetIndex() || e.GetTerm() != want.GetTerm() || string(e.Data) != string(want.Data) {
				r.t.Fatalf("%v: entry %v, want %v", id, e, want)
			}
		}
	}
}

// An Install that was cut off after its first half is finished: the log begins behind
// the new state.
func TestInstallIsFinished(t *testing.T) {
	fs := vfs.NewCrashableMem()
	d := mustOpen(t, "node", testOptions(t, fs))
	must(t, d.Create(consensus.Replica{Group: 1, ID: 1}, nil))
	must(t, d.Append([]consensus.Write{{Group: 1, Entries: conformance.Entries(1, 1, 5)}}))
	must(t, d.switchEpoch(d.state.NewBatch(), 1, 7, consensus.Mark{Index: 9, Term: 2}))
	d = mustOpen(t, "node", testOptions(t, crash(d, fs, 0)))
	first, _ := d.Log(1).FirstIndex()
	last, _ := d.Log(1).LastIndex()
	if first != 10 || last != 9 {
		t.Fatalf("entries %d to %d", first, last)
	}
	must(t, d.Append([]consensus.Write{{Group: 1, Entries: conformance.Entries(2, 10, 10)}}))
	must(t, d.Close())
}

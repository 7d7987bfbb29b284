package lab

import (
	"path/filepath"
	"time"

	"flotilla"
	"flotilla/scenario"
	"flotilla/supervisor"
)

// toll is what a node did by itself, and must have a reason for.
type toll struct {
	deaths int // that no other excuse is known for
	asides int // how often it set its data aside
}

// damaged is a node whose files were changed behind its back. It may end by itself and set its data
// aside until it got over that.
type damaged struct {
	before toll // just before the first change
	starts int  // of the node until the last one
	asides int  // that it had when a table was changed; noTable: none was
}

// noTable is fewer asides than any node has.
const noTable = -1

// changes notes one more change of a file, of a node that had started and set its data aside so often.
func (d *damaged) changes(file scenario.File, starts, asides int) {
	d.starts = starts
	if file == scenario.StateTable {
		d.asides = asides
	}
}

// isOver reports whether the damage can not be the reason of what comes now. Opening a disk reads all
// of the log and of the small files, so that a process which did that has found what there was.
// Of tables it reads little: their damage may be met at any time, until they are set aside. asides was
// counted before answers is asked: a process that answers after its data was set aside is a new one.
func (d *damaged) isOver(starts, asides int, answers func() bool) bool {
	return starts > d.starts && asides > d.asides && answers()
}

// toll returns what a node did by itself until now.
func (r *run) toll(node flotilla.NodeID) toll {
	all := r.fleet.state(node).Deaths
	t := toll{deaths: all - r.excused[node]}
	// Those that will be excused for another reason, once that is over:
	if f, isFull := r.full[node]; isFull {
		t.deaths -= all - f.deaths
	} else if a, isArmed := r.armed[node]; isArmed && r.hadMoment(node, a) {
		t.deaths--
	}
	if aside, err := filepath.Glob(filepath.Join(r.fleet.folder(node), dataDir, "quarantine-*")); err == nil {
		t.asides = len(aside)
	}
	return t
}

// damagedLook is how often nodes are looked at whose files were changed.
const damagedLook = 100 * time.Millisecond

// lookAtDamaged ends the excuse of those that got over the damage.
func (r *run) lookAtDamaged() {
	if len(r.damaged) == 0 || time.Since(r.looked) < damagedLook {
		return
	}
	for node, d := range r.damaged {
		t, state := r.toll(node), r.fleet.state(node)
		if state.Phase == supervisor.Running && d.isOver(state.Starts, t.asides, func() bool { return r.answers(state) }) {
			r.pardon(node, t)
			r.log("%v: over its damage", node)
		}
	}
	r.looked = time.Now()
}

// pardon excuses what a node did since its files were changed. What comes from now on has another
// reason.
func (r *run) pardon(node flotilla.NodeID, now toll) {
	d := r.damaged[node]
	if d == nil {
		return
	}
	p := r.pardoned[node]
	r.pardoned[node] = toll{deaths: p.deaths + now.deaths - d.before.deaths, asides: p.asides + now.asides - d.before.asides}
	delete(r.damaged, node)
}

// judgeDamaged: a process that ended by itself had better been given a reason, which is damage to its
// files, and so had a node that set its data aside. What a power cut leaves is none for that,
// though the others would make up for it.
func (r *run) judgeDamaged(result *Result) {
	for _, node := range r.fleet.nodes() {
		r.hasRoom(node)
		t := r.toll(node)
		r.pardon(node, t)
		p, log := r.pardoned[node], filepath.Join(r.fleet.folder(node), "node.log")
		if p.deaths > 0 {
			result.note("%v died %s and was excused: its disk had been damaged", node, counted(p.deaths, "time"))
		}
		if deaths := t.deaths - p.deaths; deaths > 0 {
			result.fault("%v ended %s by itself: see %s", node, counted(deaths, "time"), log)
		}
		if t.asides > p.asides {
			result.fault("%v took its data for damaged, and nobody had damaged it: see %s", node, log)
		}
	}
}

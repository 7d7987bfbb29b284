package sim

import (
	"fmt"
	"runtime/debug"
	"strings"
	"time"

	"flotilla"
)

// Tier says which disk the nodes have.
type Tier string

// The tiers.
const (
	// Memory is storage.Memory: the fast one.
	Memory Tier = "memory"
	// Pebble is storage.Disk, as in production, on a file system in memory that
	// forgets in a crash what was not synced.
	Pebble Tier = "pebble"
)

// Options says what a run is. Zero values are replaced by those in parentheses.
type Options struct {
	Seed    uint64
	Disk    Tier          // (Memory)
	Nodes   int           // (3)
	Groups  int           // (2)
	Length  time.Duration // of the trouble, in virtual time (1 minute)
	Clients int           // (4)
	Keys    int           // of each kind (3)
	Think   time.Duration // between two of a client's operations, on average (100 ms)
	// KeptEntries is cluster.Config's (100, so that logs are cut).
	KeptEntries uint64
	// CrashOneOf: at each of the disk's boundaries the power goes out one time of so
	// many, and twenty times as often where a vote is written (3000).
	CrashOneOf int
	Losses     int // how many disks may be lost (2)
	// Plan is the trouble; nil means RandomPlan.
	Plan Plan
}

func (o Options) withDefaults() Options {
	setDefault(&o.Disk, Memory)
	setDefault(&o.Nodes, 3)
	setDefault(&o.Groups, 2)
	setDefault(&o.Length, time.Minute)
	setDefault(&o.Clients, 4)
	setDefault(&o.Keys, 3)
	setDefault(&o.Think, 100*time.Millisecond)
	setDefault(&o.KeptEntries, 100)
	setDefault(&o.CrashOneOf, 3000)
	setDefault(&o.Losses, 2)
	if o.Plan == nil {
		o.Plan = RandomPlan(o.Seed, o.Nodes, o.Length, o.Disk == Pebble)
	}
	return o
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Result is what came of a run.
type Result struct {
	Seed   uint64
	Trace  uint64   // over every frame and every answer
	Faults []string // what was found wrong; empty if all is well
	Plan   Plan
	Counts Counts
}

// OK reports whether nothing was found.
func (r Result) OK() bool { return len(r.Faults) == 0 }

// Run lives one life. It replaces crypto/rand.Reader meanwhile: one at a time.
func Run(opts Options) (r Result) {
	opts = opts.withDefaults()
	defer replaceRandom(opts.Seed)()
	w := newWorld(opts)
	r = Result{Seed: opts.Seed, Plan: opts.Plan, Counts: w.counts}
	defer func() {
		if p := recover(); p != nil {
			w.fault("panic: %v\n%s", p, debug.Stack())
		}
		w.end()
		r.Faults, r.Trace = w.faults, w.trace.Sum64()
	}()
	w.live()
	return r
}

// live is all that happens.
func (w *world) live() {
	w.populate()
	w.schedule(w.opts.Plan)
	w.runUntil(w.opts.Length, func() bool { return false })
	if len(w.faults) > 0 {
		return
	}
	w.settle()
	if len(w.faults) > 0 {
		return
	}
	final := w.readAll()
	for _, n := range w.nodes {
		n.harvest()
	}
	if len(w.faults) == 0 {
		w.judge(final)
	}
}

// populate starts nodes and clients.
func (w *world) populate() {
	for _, m := range w.members() {
		n := &node{w: w, id: m.ID, slow: fastSync}
		n.clock.offset = flotilla.Millis(w.trouble.IntN(400))
		n.drive = &memoryDrive{w: w}
		if w.opts.Disk == Pebble {
			n.drive = newPebbleDrive(w)
		}
		w.nodes = append(w.nodes, n)
	}
	w.heal()
	for _, n := range w.nodes {
		n.start()
	}
	for i := range w.opts.Clients {
		c := newClient(w, i, (*client).live)
		w.clients = append(w.clients, c)
		w.after(0, c.resume)
	}
}

// end lets go of everything.
func (w *world) end() {
	for _, c := range w.clients {
		c.stop()
	}
	for _, n := range w.nodes {
		for _, j := range n.jobs {
			j.Drop()
		}
		if d, ok := n.drive.(*pebbleDrive); ok {
			d.close()
		}
	}
}

// describe tells how the nodes stand.
func (w *world) describe() string {
	var b strings.Builder
	for _, n := range w.nodes {
		if n.core == nil {
			fmt.Fprintf(&b, "%v is down\n", n.id)
			continue
		}
		st := n.core.Status()
		for _, g := range st.Groups {
			fmt.Fprintf(&b, "%v %v: %s, replica %d, term %d, leader %v, log %d to %d, committed %d, applied %d, lost: %v\n", n.id, g.Group,
				g.Role, g.Replica, g.Term, g.Leader, g.First, g.Last, g.Commit, g.Applied, st.Quarantined)
		}
	}
	return b.String()
}

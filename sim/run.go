package sim

import (
	"runtime/debug"
	"time"

	"flotilla"
	"flotilla/check"
	"flotilla/cluster"
	"flotilla/scenario"
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
	Seed uint64
	Disk Tier           // (Memory)
	Plan *scenario.Plan // (RandomPlan of the seed, of Length)
	// IsOfQueues asks for RandomQueuePlan instead.
	IsOfQueues bool
	// Length is how long a random plan is (1 minute).
	Length time.Duration
	// KeptEntries is cluster.Config's (100, so that logs are cut).
	KeptEntries uint64
	// HasJournals has each node keep one, as in production, on a clock that is as wrong as
	// the node's own, and somebody look into it all the time.
	HasJournals bool
	// Log takes a line for people for each thing that the plan does; nil means nobody.
	Log func(line string)
}

func (o Options) withDefaults() Options {
	setDefault(&o.Disk, Memory)
	setDefault(&o.Length, time.Minute)
	setDefault(&o.KeptEntries, 100)
	if o.Plan == nil {
		plan := RandomPlan
		if o.IsOfQueues {
			plan = RandomQueuePlan
		}
		o.Plan = plan(o.Seed, o.Length, o.Disk)
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
	Plan   *scenario.Plan
	Counts Counts
	Notes  []cluster.Note // of all journals, in order
	Disk   Tier
	// Account is what was tested, and Silence the longest time without an answer, as the plan's
	// mode counts it.
	Account scenario.Account
	Silence time.Duration

	// These are of a life in which something was found only: they are large.
	Verdicts []check.Verdict // of the checkers that found something
	History  []check.Operation
	Queues   []check.QueueOperation
}

// OK reports whether nothing was found.
func (r Result) OK() bool { return len(r.Faults) == 0 }

// Run lives one life. The plan must be one that Executor can play. It replaces
// crypto/rand.Reader meanwhile: one at a time.
func Run(opts Options) (r Result) {
	opts = opts.withDefaults()
	if err := Executor(opts.Disk).CanPlay(opts.Plan); err != nil {
		return Result{Seed: opts.Seed, Disk: opts.Disk, Plan: opts.Plan, Faults: []string{err.Error()}}
	}
	defer replaceRandom(opts.Seed)()
	w := newWorld(opts)
	defer func() {
		if p := recover(); p != nil {
			w.fault("panic: %v\n%s", p, debug.Stack())
		}
		w.end()
		r = w.result()
	}()
	w.live()
	return r
}

// result is what came of all that happened.
func (w *world) result() Result {
	w.countTrouble()
	r := Result{Seed: w.opts.Seed, Disk: w.opts.Disk, Plan: w.plan, Counts: w.counts,
		Faults: w.faults, Trace: w.trace.Sum64(), Notes: w.notes(), Verdicts: w.verdicts, Account: w.account(), Silence: w.silence.longest}
	if !r.OK() {
		r.History = w.history()
		if w.queues != nil {
			r.Queues = w.queues.recorder.History()
		}
	}
	return r
}

// live is all that happens. Each part begins when the one before it found nothing.
func (w *world) live() {
	final := map[string]check.Final{}
	for _, part := range []func(){
		w.begin,
		w.createQueues,
		w.work,
		w.countEffects,
		w.endLoad,
		w.settle,
		w.letExpire,
		w.timeLives,
		w.drain,
		w.judgeRecurring,
		func() { final = w.readAll() },
		func() { w.judge(final) },
		w.judgeQueues,
		w.judgeTested,
	} {
		if part(); len(w.faults) > 0 {
			return
		}
	}
}

// startFor is how long a new cluster may take until it serves.
const startFor = 30 * time.Second

// begin starts the nodes, and waits until they serve: the plan's time begins then.
func (w *world) begin() {
	for _, m := range w.members() {
		n := &node{w: w, id: m.ID}
		n.clock.skew = flotilla.Millis(w.trouble.IntN(400))
		n.drive = &memoryDrive{w: w}
		if w.opts.Disk == Pebble {
			n.drive = newPebbleDrive(w)
		}
		w.nodes = append(w.nodes, n)
	}
	w.setConditions()
	for _, n := range w.nodes {
		n.start()
	}
	if !w.await(startFor, w.isWhole) {
		w.fault("the new cluster does not serve after %v:\n%s", startFor, w.describe())
	}
}

// work is what the plan says, until its end.
func (w *world) work() {
	w.zero = w.now
	w.watchEffects()
	clients, all := w.plan.Workload.Clients, w.plan.Workload.Clients+lookers
	if w.plan.Workload.HasOnlyQueues() {
		all = clients // there is nothing to look at
	}
	for i := range all {
		act := (*client).work
		if i >= clients {
			act = (*client).look
		}
		c := newClient(w, i, act)
		w.clients = append(w.clients, c)
		w.after(0, c.resume)
	}
	w.follow()
	w.runUntil(w.zero + durationOf(w.plan.Duration))
}

// endLoad waits for the clients, and has the final steps done.
func (w *world) endLoad() {
	w.isOver = true
	if !w.await(w.now+endFor, w.haveClientsEnded) {
		w.fault("%v after the plan's end, not all clients have their answers", endFor)
		return
	}
	w.isFinal = true
	w.play()
	for at, ok := w.player.Next(); ok; at, ok = w.player.Next() {
		w.runUntil(max(w.now, w.zero+durationOf(at)) + 1)
		if len(w.faults) > 0 {
			return
		}
	}
}

// end lets go of everything.
func (w *world) end() {
	for _, c := range w.clients {
		c.stop()
	}
	if w.queues != nil {
		for _, c := range w.queues.carriers {
			c.stop()
		}
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

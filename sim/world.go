package sim

import (
	"container/heap"
	"encoding/binary"
	"fmt"
	"hash"
	"hash/fnv"
	"math/rand/v2"
	"time"

	"flotilla"
	"flotilla/check"
	"flotilla/cluster"
	"flotilla/scenario"
	"flotilla/transport"
)

// world is everything: nodes, network, clients, and the only clock.
type world struct {
	opts     Options
	plan     *scenario.Plan
	player   *scenario.Player
	now      time.Duration // since the world began
	zero     time.Duration // when the plan's time began
	sequence uint64
	events   events
	network  *transport.Network
	// Two sources of chance, so that another workload leaves the trouble as it is.
	chance, trouble *rand.Rand
	trace           hash.Hash64
	nodes           []*node
	clients         []*client
	recorder        *check.Recorder
	silence         *silence
	expiries        *expiries
	watched, gaveUp []check.Watched // transactions that were carried out, and that were not
	queues          *queues         // nil: the plan has none
	counts          Counts
	links           map[link]scenario.Fault // as they are now
	isFinal         bool                    // the clients have ended: final steps may be done
	isCalm          bool                    // nothing is wrong any more
	lives           uint64
	journals        []*cluster.Journal // one a life, if they are kept
	hashes          map[position]standing
	leaders         map[reign]flotilla.NodeID
	effects         effects
	counted         scenario.Effects // what there was of them while clients were at work
	answered        int              // operations, the same
	faults          []string         // what was found wrong
	verdicts        []check.Verdict  // that are not good
	isOver          bool             // clients do nothing new
	stuck           int              // things that happened at this very time
	names, values   int              // that were given to connections, and to values
}

// position is a place in a group's log.
type position struct {
	group flotilla.GroupID
	index uint64
}

// standing is what a replica's state was at a position.
type standing struct {
	hash uint64
	time flotilla.Millis
	node flotilla.NodeID
}

// reign is a group's term.
type reign struct {
	group flotilla.GroupID
	term  uint64
}

func newWorld(opts Options) *world {
	w := &world{opts: opts, plan: opts.Plan, player: scenario.NewPlayer(opts.Plan), links: map[link]scenario.Fault{}, network: transport.NewNetwork(opts.Seed), chance: rand.New(rand.NewPCG(opts.Seed, 1)),
		trouble: rand.New(rand.NewPCG(opts.Seed, 2)), trace: fnv.New64a(), counts: Counts{},
		hashes: map[position]standing{}, leaders: map[reign]flotilla.NodeID{}}
	w.silence, w.expiries = newSilence(w), newExpiries()
	w.recorder = check.NewRecorder(func() int64 { return int64(w.now) })
	return w
}

// event is something that happens at a time.
type event struct {
	at       time.Duration
	sequence uint64
	do       func()
}

// events is a heap, the next first; those of equal time in the order of asking.
type events []event

// Len is part of heap.Interface, as are the other methods.
func (e events) Len() int { return len(e) }

// Less orders by time, then by order of asking.
func (e events) Less(i, j int) bool {
	return e[i].at < e[j].at || e[i].at == e[j].at && e[i].sequence < e[j].sequence
}

// Swap exchanges two.
func (e events) Swap(i, j int) { e[i], e[j] = e[j], e[i] }

// Push appends one.
func (e *events) Push(x any) { *e = append(*e, x.(event)) }

// Pop removes the last one.
func (e *events) Pop() any {
	last := len(*e) - 1
	x := (*e)[last]
	(*e)[last] = event{}
	*e = (*e)[:last]
	return x
}

// after has something happen once so much time has passed.
func (w *world) after(wait time.Duration, do func()) {
	w.sequence++
	heap.Push(&w.events, event{at: w.now + max(0, wait), sequence: w.sequence, do: do})
}

// await lets time pass until something is true, or until a time; it reports whether
// it became true. It looks now and then.
func (w *world) await(end time.Duration, isTrue func() bool) bool {
	for !isTrue() {
		if w.now >= end || len(w.faults) > 0 {
			return false
		}
		w.runUntil(min(end, w.now+awaitEach))
	}
	return true
}

const awaitEach = 20 * time.Millisecond

// runUntil lets time pass until a time, or until something was found wrong.
func (w *world) runUntil(end time.Duration) {
	for len(w.faults) == 0 {
		at, isFrame := w.next()
		if at > end {
			w.now = end
			w.network.Advance(w.now)
			return
		}
		if w.stuck++; at > w.now {
			w.stuck = 0
		}
		if w.stuck > maxAtOnce {
			w.fault("time stands still: %d things happen at once", w.stuck)
			return
		}
		w.now = at
		w.network.Advance(w.now)
		if isFrame {
			w.network.Step()
			continue
		}
		heap.Pop(&w.events).(event).do()
	}
}

// maxAtOnce is how many things may happen at one time before it is a loop.
const maxAtOnce = 1_000_000

// next says when the next thing happens, and whether it is a frame that arrives.
func (w *world) next() (at time.Duration, isFrame bool) {
	at, isFrame = w.network.Next()
	if len(w.events) > 0 && (!isFrame || w.events[0].at < at) {
		return w.events[0].at, false
	}
	if !isFrame {
		return 1<<63 - 1, false
	}
	return max(at, w.now), true
}

// note mixes something that happened into the trace.
func (w *world) note(what byte, a, b uint64, bytes []byte) {
	var head [25]byte
	head[0] = what
	binary.LittleEndian.PutUint64(head[1:], uint64(w.now))
	binary.LittleEndian.PutUint64(head[9:], a)
	binary.LittleEndian.PutUint64(head[17:], b)
	w.trace.Write(head[:])
	w.trace.Write(bytes)
}

// fault writes down that something is wrong, with the time of the plan; the run ends.
func (w *world) fault(format string, args ...any) {
	w.faults = append(w.faults, fmt.Sprintf("at %.3f s: ", (w.now-w.zero).Seconds())+fmt.Sprintf(format, args...))
}

// count notes that something happened that must happen sometimes.
func (w *world) count(what string) { w.counts[what]++ }

// happens says yes one time of so many.
func (w *world) happens(oneOf int) bool { return w.trouble.IntN(oneOf) == 0 }

// between returns a time within bounds.
func between(r *rand.Rand, least, most time.Duration) time.Duration {
	if most <= least {
		return least
	}
	return least + time.Duration(r.Int64N(int64(most-least)))
}

func (w *world) node(id flotilla.NodeID) *node { return w.nodes[id-1] }

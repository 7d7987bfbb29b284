package transport

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"time"

	"flotilla"
)

// Fault is what goes wrong on the way from one node to another. The zero Fault is
// a healthy way. Chances are from 0 to 1 and are taken for each frame.
type Fault struct {
	// Cut lets nothing through. The other direction is not touched: one-way cuts
	// are what elections and leases fail on.
	Cut bool `json:"cut,omitempty"`
	// Drop is the chance that a frame is lost.
	Drop float64 `json:"drop,omitempty"`
	// DelayMillis and up to JitterMillis more pass before a frame arrives. They
	// keep the order.
	DelayMillis  flotilla.Millis `json:"delay_ms,omitempty"`
	JitterMillis flotilla.Millis `json:"jitter_ms,omitempty"`
	// Duplicate is the chance that a frame arrives once more, a little later.
	Duplicate float64 `json:"duplicate,omitempty"`
	// Reorder is the chance that a frame is held back while others overtake it.
	Reorder float64 `json:"reorder,omitempty"`
}

// straggle bounds how much later a duplicate or a frame that was held back arrives.
const straggle = 10 * time.Millisecond

// ErrNoLab is returned when a fault is set on a Transport that was not started for a lab.
var ErrNoLab = errors.New("faults can be set only on a node that was started with --lab")

// MaxDelayMillis bounds a Fault's delay, and its jitter.
const MaxDelayMillis flotilla.Millis = 60_000

// Check says what is wrong with a Fault that no node would take; nil if nothing is.
func (f Fault) Check() error {
	for _, chance := range []float64{f.Drop, f.Duplicate, f.Reorder} {
		if !(chance >= 0 && chance <= 1) {
			return fmt.Errorf("a chance of %v: give a number from 0 to 1", chance)
		}
	}
	if f.DelayMillis < 0 || f.DelayMillis > MaxDelayMillis || f.JitterMillis < 0 || f.JitterMillis > MaxDelayMillis {
		return fmt.Errorf("a delay of %d ms and up to %d more: give 0 to %d", f.DelayMillis, f.JitterMillis, MaxDelayMillis)
	}
	return nil
}

func (f Fault) delay() time.Duration { return time.Duration(f.DelayMillis) * time.Millisecond }

// fate says when the copies of a frame arrive that is sent now: none, one or two
// times. last is when the frame before it arrives; the new value is returned too.
func (f Fault) fate(chance *rand.Rand, now, last time.Duration) (arrivals []time.Duration, newLast time.Duration) {
	if f.Cut || happens(chance, f.Drop) {
		return nil, last
	}
	due := now + f.delay() + upTo(chance, time.Duration(f.JitterMillis)*time.Millisecond)
	due = max(due, last)
	if happens(chance, f.Reorder) {
		arrivals = append(arrivals, due+1+upTo(chance, max(straggle, f.delay())))
	} else {
		last = due
		arrivals = append(arrivals, due)
	}
	if happens(chance, f.Duplicate) {
		arrivals = append(arrivals, due+1+upTo(chance, straggle))
	}
	return arrivals, last
}

func happens(chance *rand.Rand, probability float64) bool {
	return probability > 0 && chance.Float64() < probability
}

func upTo(chance *rand.Rand, most time.Duration) time.Duration {
	if most <= 0 {
		return 0
	}
	return time.Duration(chance.Int64N(int64(most) + 1))
}

// parcel is a frame that waits for its time to arrive. Those of equal time arrive
// in the order in which they were sent.
type parcel struct {
	due      time.Duration
	sequence uint64
	frame    []byte

	// What follows is of a Network.
	from, to *Port
	sent     time.Duration
	isAgain  bool // it is a second copy
}

// parcels is a heap, the next to arrive first.
type parcels []parcel

// Len is part of heap.Interface, as are the other methods.
func (h parcels) Len() int { return len(h) }

// Less orders by time, then by order of sending.
func (h parcels) Less(i, j int) bool {
	if h[i].due != h[j].due {
		return h[i].due < h[j].due
	}
	return h[i].sequence < h[j].sequence
}

// Swap exchanges two.
func (h parcels) Swap(i, j int) { h[i], h[j] = h[j], h[i] }

// Push appends one.
func (h *parcels) Push(x any) { *h = append(*h, x.(parcel)) }

// Pop removes the last one.
func (h *parcels) Pop() any {
	last := len(*h) - 1
	p := (*h)[last]
	(*h)[last] = parcel{}
	*h = (*h)[:last]
	return p
}

// Faults is what is set on a node, by peer: on the way there, and on the way here.
type Faults struct {
	Outgoing map[flotilla.NodeID]Fault `json:"outgoing"`
	Incoming map[flotilla.NodeID]Fault `json:"incoming"`
}

func (f Faults) validate() error {
	for _, way := range []map[flotilla.NodeID]Fault{f.Outgoing, f.Incoming} {
		for id, fault := range way {
			if err := fault.Check(); err != nil {
				return fmt.Errorf("fault between this node and %v: %w", id, err)
			}
		}
	}
	return nil
}

// clone copies both maps and leaves out what is healthy.
func (f Faults) clone() Faults {
	healthy := func(_ flotilla.NodeID, fault Fault) bool { return fault == Fault{} }
	c := Faults{Outgoing: map[flotilla.NodeID]Fault{}, Incoming: map[flotilla.NodeID]Fault{}}
	maps.Copy(c.Outgoing, f.Outgoing)
	maps.Copy(c.Incoming, f.Incoming)
	maps.DeleteFunc(c.Outgoing, healthy)
	maps.DeleteFunc(c.Incoming, healthy)
	return c
}

// SetFaults replaces all faults: ways that are not named are healed. A fault with a
// node that is no peer yet holds from when it becomes one. Frames that were
// delayed before arrive at once, or after the new delay if there is one.
func (t *Transport) SetFaults(faults Faults) error {
	if !t.options.Lab {
		return ErrNoLab
	}
	if err := faults.validate(); err != nil {
		return err
	}
	t.changeFaults(func(f *Faults) { *f = faults.clone() })
	return nil
}

// SetFault replaces the fault on the way to one node; Fault{} heals it.
func (t *Transport) SetFault(to flotilla.NodeID, fault Fault) error {
	if !t.options.Lab {
		return ErrNoLab
	}
	if err := fault.Check(); err != nil {
		return err
	}
	t.changeFaults(func(f *Faults) { f.Outgoing[to] = fault })
	return nil
}

// SetIncomingFault replaces the fault on the way from one node to here. A node that
// isolates itself cuts both ways.
func (t *Transport) SetIncomingFault(from flotilla.NodeID, fault Fault) error {
	if !t.options.Lab {
		return ErrNoLab
	}
	if err := fault.Check(); err != nil {
		return err
	}
	t.changeFaults(func(f *Faults) { f.Incoming[from] = fault })
	return nil
}

// changeFaults changes what is set, and tells the peers.
func (t *Transport) changeFaults(change func(*Faults)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f := t.faults.clone()
	change(&f)
	t.faults = f.clone()
	for id, p := range *t.peers.Load() {
		p.outgoing.set(f.Outgoing[id])
		p.incoming.set(f.Incoming[id])
	}
}

// Faults returns the faults that are set.
func (t *Transport) Faults() Faults {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.faults.clone()
}

// ClearFaults heals everything. Frames that were delayed arrive at once.
func (t *Transport) ClearFaults() {
	t.changeFaults(func(f *Faults) { *f = Faults{} })
}

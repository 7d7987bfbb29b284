package scenario

import (
	"slices"

	"flotilla"
)

// Condition is what is wrong with a node's disk and clocks. The zero Condition is a
// healthy node.
type Condition struct {
	DiskDelay Span            // more that each write takes which is synced
	IsFull    bool            // the disk
	Offset    flotilla.Millis // of the wall clock from the true time, ahead if positive
	DriftPPM  int             // how much too fast all clocks run, in millionths
}

// nodeFault is an order about disks or clocks that has not ended.
type nodeFault struct {
	number int // of the order
	order  Order
}

// Condition returns what is wrong with a node. Of several that slow one disk down,
// or set one clock, the latest counts that has not ended.
func (p *Player) Condition(node flotilla.NodeID) (c Condition) {
	for _, f := range p.faults {
		if !slices.Contains(f.order.Nodes, node) {
			continue
		}
		switch s := f.order.Step; s.Verb {
		case SlowDisk:
			c.DiskDelay = s.Delay
		case FillDisk:
			c.IsFull = true
		case SetClock:
			c.Offset = s.Offset
		case RunClock:
			c.DriftPPM = s.DriftPPM
		}
	}
	return c
}

func (p *Player) setCondition(number int, o Order) {
	p.faults = append(p.faults, nodeFault{number, o})
}

// endCondition takes back what an order did, if it is still there.
func (p *Player) endCondition(number int) {
	p.faults = slices.DeleteFunc(p.faults, func(f nodeFault) bool { return f.number == number })
}

// mend takes some kinds of faults away from nodes; others that had them too keep them.
func (p *Player) mend(nodes []flotilla.NodeID, kinds ...Verb) {
	for i := range p.faults {
		o := &p.faults[i].order
		if slices.Contains(kinds, o.Step.Verb) {
			o.Nodes = slices.DeleteFunc(slices.Clone(o.Nodes), func(id flotilla.NodeID) bool { return slices.Contains(nodes, id) })
		}
	}
	p.faults = slices.DeleteFunc(p.faults, func(f nodeFault) bool { return len(f.order.Nodes) == 0 })
}

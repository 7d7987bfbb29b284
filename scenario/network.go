package scenario

import (
	"slices"

	"flotilla"
)

// Fault is what is wrong with one direction of a link. Its fields are those of
// transport.Fault, so that one converts to the other.
type Fault struct {
	Cut          bool
	Drop         float64
	DelayMillis  flotilla.Millis
	JitterMillis flotilla.Millis
	Duplicate    float64
	Reorder      float64
}

// Network is which links are broken, and how. Faults of several steps add up: each
// ends by itself, and what others did to the same link stays.
type Network struct {
	nodes  int
	faults []linkFault // in order of setting
}

type direction struct{ from, to flotilla.NodeID }

type linkFault struct {
	number int // of the order that set it
	direction
	fault Fault
}

func newNetwork(nodes int) *Network { return &Network{nodes: nodes} }

// Fault returns what is wrong on the way from one node to another, all in all.
func (n *Network) Fault(from, to flotilla.NodeID) Fault {
	var sum Fault
	for _, f := range n.faults {
		if f.from != from || f.to != to {
			continue
		}
		sum.Cut = sum.Cut || f.fault.Cut
		sum.Drop = either(sum.Drop, f.fault.Drop)
		sum.Duplicate = either(sum.Duplicate, f.fault.Duplicate)
		sum.Reorder = either(sum.Reorder, f.fault.Reorder)
		sum.DelayMillis = min(sum.DelayMillis+f.fault.DelayMillis, MaxDelay)
		sum.JitterMillis = min(sum.JitterMillis+f.fault.JitterMillis, MaxDelay)
	}
	return sum
}

// either is the chance that at least one of two things happens.
func either(a, b float64) float64 { return 1 - (1-a)*(1-b) }

// set breaks links, on behalf of an order.
func (n *Network) set(number int, links []direction, fault Fault) {
	for _, l := range links {
		n.faults = append(n.faults, linkFault{number, l, fault})
	}
}

// end takes back what an order did, as far as it is still there.
func (n *Network) end(number int) {
	n.faults = slices.DeleteFunc(n.faults, func(f linkFault) bool { return f.number == number })
}

// heal makes all links from and to some nodes good again.
func (n *Network) heal(nodes []flotilla.NodeID) {
	n.faults = slices.DeleteFunc(n.faults, func(f linkFault) bool {
		return slices.Contains(nodes, f.from) || slices.Contains(nodes, f.to)
	})
}

// pairs returns all directions for which wanted holds, in order.
func (n *Network) pairs(wanted func(from, to flotilla.NodeID) bool) (all []direction) {
	for from := flotilla.NodeID(1); int(from) <= n.nodes; from++ {
		for to := flotilla.NodeID(1); int(to) <= n.nodes; to++ {
			if from != to && wanted(from, to) {
				all = append(all, direction{from, to})
			}
		}
	}
	return all
}

// boundary returns the directions between nodes and all others; with isApart also
// those among the nodes.
func (n *Network) boundary(nodes []flotilla.NodeID, isApart bool) []direction {
	return n.pairs(func(from, to flotilla.NodeID) bool {
		a, b := slices.Contains(nodes, from), slices.Contains(nodes, to)
		return a != b || a && isApart
	})
}

// pick returns the directions that Links name, given who A and B are.
func (n *Network) pick(form LinkForm, a, b flotilla.NodeID) []direction {
	return n.pairs(func(from, to flotilla.NodeID) bool {
		switch form {
		case Between:
			return from == a && to == b || from == b && to == a
		case OneWay:
			return from == a && to == b
		case FromOne:
			return from == a
		case ToOne:
			return to == a
		case Around:
			return from == a || to == a
		}
		return true
	})
}

// faultOf is what a step does to each of its links.
func (s Step) faultOf() Fault {
	switch s.Verb {
	case Drop:
		return Fault{Drop: s.Share.Fraction()}
	case Duplicate:
		return Fault{Duplicate: s.Share.Fraction()}
	case Reorder:
		return Fault{Reorder: s.Share.Fraction()}
	case Delay:
		return Fault{DelayMillis: s.Delay.Least, JitterMillis: s.Delay.Most - s.Delay.Least}
	}
	return Fault{Cut: true} // Cut, Isolate, Partition
}

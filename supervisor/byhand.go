package supervisor

import (
	"errors"
	"fmt"
	"maps"

	"flotilla"
	"flotilla/cluster"
	"flotilla/transport"
)

// ChangePath is where a node that runs for a lab without a supervisor takes a Request, as
// JSON, by POST, with the token as bearer, and answers with lines for people.
const ChangePath = "/lab/changes"

// ErrNeedsSupervisor is returned for what only whoever keeps the processes can do.
var ErrNeedsSupervisor = errors.New("no supervisor keeps this node: its process is for whoever started it")

// After returns what is wrong with one node after a request, where no supervisor has the
// whole picture. All that breaks a node is set on that node itself, both ways of its links too: it need
// not ask others. Mending is for all nodes, since ways to it may have been cut at their other end.
// others are the ids of all other nodes. Lines say what was done, as a supervisor does.
func (f Faults) After(r Request, self flotilla.NodeID, others []flotilla.NodeID) (after Faults, line string, err error) {
	last := self
	for _, other := range others {
		last = max(last, other)
	}
	if err := r.Check(int(last)); err != nil {
		return f, "", err
	}
	if r.Verb != Heal && (len(r.Nodes) == 0 || r.Nodes[0] != self) {
		return f, "", fmt.Errorf("%v was asked for what is another node's", self)
	}
	f.Outgoing, f.Incoming = cloned(f.Outgoing), cloned(f.Incoming)
	switch r.Verb {
	case Isolate:
		f.eachWay(others, func(w *transport.Fault) { w.Cut = true })
		return f, fmt.Sprintf("%v is cut off from all other nodes; clients still reach it", self), nil
	case Slow:
		f.eachWay(others, func(w *transport.Fault) { w.DelayMillis, w.Drop = r.DelayMillis, r.Drop })
		return f, slowSays(self, r.DelayMillis, r.Drop), nil
	case Cut:
		return f.cut(self, r.Nodes[1], r.IsOneWay)
	case Clock:
		f.Clock = cluster.Skew{OffsetMillis: r.Clock.OffsetMillis}
		if r.Clock.DriftPPM != 0 {
			return f, "", errors.New("a clock that drifts needs a supervisor")
		}
		return f, fmt.Sprintf("the clocks of %v are %s", self, f.Clock.Words()), nil
	case SlowDisk:
		f.DiskDelayMillis = r.DelayMillis
		return f, fmt.Sprintf("each synced write of %v takes %d ms longer", self, r.DelayMillis), nil
	case Heal:
		return f.healed(r.Nodes, self), fmt.Sprintf("%v mended what was wrong at its end", self), nil
	}
	return f, "", fmt.Errorf("%s: %w", r.Verb, ErrNeedsSupervisor)
}

// slowSays tells of slow links.
func slowSays(node flotilla.NodeID, delay flotilla.Millis, drop float64) string {
	text := fmt.Sprintf("each message to or from %v is delayed by %d ms", node, delay)
	if drop == 0 {
		return text
	}
	return text + fmt.Sprintf(" and lost with %.3g %%", 100*drop)
}

func cloned(ways map[flotilla.NodeID]transport.Fault) map[flotilla.NodeID]transport.Fault {
	if ways == nil {
		return map[flotilla.NodeID]transport.Fault{}
	}
	return maps.Clone(ways)
}

// eachWay changes the ways to and from other nodes.
func (f Faults) eachWay(others []flotilla.NodeID, change func(*transport.Fault)) {
	for _, ways := range []map[flotilla.NodeID]transport.Fault{f.Outgoing, f.Incoming} {
		for _, other := range others {
			way := ways[other]
			change(&way)
			ways[other] = way
		}
	}
}

// cut cuts the way to one node, or both ways.
func (f Faults) cut(self, to flotilla.NodeID, isOneWay bool) (Faults, string, error) {
	way := f.Outgoing[to]
	way.Cut = true
	f.Outgoing[to] = way
	if isOneWay {
		return f, fmt.Sprintf("nothing that %v sends reaches %v", self, to), nil
	}
	way = f.Incoming[to]
	way.Cut = true
	f.Incoming[to] = way
	return f, fmt.Sprintf("%v and %v are cut off from each other", self, to), nil
}

// healed ends the faults of links and disk of some nodes, or all, as far as they are set here.
func (f Faults) healed(nodes []flotilla.NodeID, self flotilla.NodeID) Faults {
	for _, node := range nodes {
		if node != self {
			delete(f.Outgoing, node)
			delete(f.Incoming, node)
			continue
		}
		nodes = nil // all that is set here
		break
	}
	if len(nodes) == 0 {
		f.Faults, f.DiskDelayMillis = transport.Faults{}, 0
	}
	return f
}

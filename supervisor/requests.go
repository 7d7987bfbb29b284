package supervisor

import (
	"errors"
	"fmt"
	"time"

	"flotilla"
	"flotilla/transport"
)

// Verb is what a control request asks for.
type Verb string

// The verbs, as in `flotilla fault ...`.
const (
	Kill    Verb = "kill"
	Restart Verb = "restart"
	Pause   Verb = "pause"
	Resume  Verb = "resume"
	Isolate Verb = "isolate"
	Heal    Verb = "heal"
	Cut     Verb = "cut"
	Slow    Verb = "slow"
	// Links makes each link exactly as Request.Ways say, beside what the other verbs
	// did: those that an earlier Links named and this one does not are good again.
	Links Verb = "links"
)

// Request asks a running fleet to do something to nodes.
type Request struct {
	Verb Verb `json:"verb"`
	// Nodes are those concerned; for Cut exactly two; for Heal none means all.
	Nodes       []flotilla.NodeID `json:"nodes"`
	IsOneWay    bool              `json:"one_way,omitempty"`  // Cut: only from the first to the second
	DelayMillis flotilla.Millis   `json:"delay_ms,omitempty"` // Slow
	Drop        float64           `json:"drop,omitempty"`     // Slow: share of messages lost
	Ways        []Way             `json:"ways,omitempty"`     // Links
}

// Way is what is wrong on the way from one node to another.
type Way struct {
	From  flotilla.NodeID `json:"from"`
	To    flotilla.NodeID `json:"to"`
	Fault transport.Fault `json:"fault"`
}

// check refuses what a node would refuse, or never be told.
func (w Way) check(nodes int) error {
	if w.From < 1 || int(w.From) > nodes || w.To < 1 || int(w.To) > nodes || w.From == w.To {
		return fmt.Errorf("there is no link from %v to %v: this fleet has n1 to n%d", w.From, w.To, nodes)
	}
	if err := w.Fault.Check(); err != nil {
		return fmt.Errorf("from %v to %v: %w", w.From, w.To, err)
	}
	return nil
}

// maxDelay bounds Slow, so that a slip of the finger does not fill queues for hours.
// Both ends of a link may be slow, and a node takes 60 s for one link.
const maxDelay = flotilla.Millis(30_000)

// check refuses what no fleet of this size could do.
func (r Request) check(nodes int) error {
	for i, node := range r.Nodes {
		if node < 1 || int(node) > nodes {
			return fmt.Errorf("there is no %v: this fleet has n1 to n%d", node, nodes)
		}
		for _, other := range r.Nodes[:i] {
			if node == other {
				return fmt.Errorf("%v is named twice", node)
			}
		}
	}
	switch r.Verb {
	case Kill, Restart, Pause, Resume, Isolate, Slow:
		if len(r.Nodes) == 0 {
			return fmt.Errorf("%s needs the name of a node, such as n2", r.Verb)
		}
	case Cut:
		if len(r.Nodes) != 2 {
			return errors.New("cut needs two nodes, such as: cut n2 n3")
		}
	case Links:
		for _, way := range r.Ways {
			if err := way.check(nodes); err != nil {
				return err
			}
		}
	case Heal:
	default:
		return fmt.Errorf("unknown verb %q", r.Verb)
	}
	if r.DelayMillis < 0 || r.DelayMillis > maxDelay {
		return fmt.Errorf("a delay of %d ms: use 0 to %d", r.DelayMillis, maxDelay)
	}
	if !(r.Drop >= 0 && r.Drop <= 1) { // so that NaN is refused as well
		return errors.New("the share of lost messages is 0% to 100%")
	}
	return nil
}

// carryOut does what a control request asks for, in the loop.
func (l *loop) carryOut(r Request, now time.Time) outcome {
	if l.isStopping {
		return outcome{err: errors.New("the fleet is stopping")}
	}
	if err := r.check(len(l.members)); err != nil {
		return outcome{err: err}
	}
	switch r.Verb {
	case Kill, Restart, Pause, Resume:
		var out outcome
		for _, node := range r.Nodes {
			line, err := l.signal(r.Verb, l.index(node), now)
			if err != nil {
				out.err = errors.Join(out.err, fmt.Errorf("%v: %w", node, err))
				continue
			}
			out.lines = append(out.lines, fmt.Sprintf("%v %s", node, line))
			if p := l.procs[l.index(node)]; r.Verb == Kill && p != nil {
				out.gone = append(out.gone, p.gone)
			}
		}
		return out
	default:
		return l.changeNetwork(r)
	}
}

// signal acts on one node's process and says what it did.
func (l *loop) signal(verb Verb, i int, now time.Time) (string, error) {
	m, p := l.members[i], l.procs[i]
	switch {
	case verb == Kill && m.phase == Down:
		return "is down already", nil
	case verb == Kill && p == nil:
		m.hold()
		return "was waiting to be started: it stays down until `flotilla fault restart`", nil
	case verb == Kill:
		m.ending(false, now)
		return fmt.Sprintf("killed (pid %d): it stays down until `flotilla fault restart`", p.pid()), p.kill()
	case verb == Restart && p == nil:
		m.due(now)
		return "started", nil
	case verb == Restart:
		m.ending(true, now)
		p.stop()
		return fmt.Sprintf("told to stop (pid %d), to be started again", p.pid()), nil
	case p == nil:
		return "", fmt.Errorf("has no process: start it with `flotilla fault restart %s`", m.plan.Name())
	case verb == Pause:
		if err := pauseProcess(p.cmd.Process); err != nil {
			return "", err
		}
		m.phase = Paused
		return fmt.Sprintf("paused (pid %d) until `flotilla fault resume`", p.pid()), nil
	case m.phase != Paused:
		return "was not paused", nil
	default:
		if err := resumeProcess(p.cmd.Process); err != nil {
			return "", err
		}
		m.phase = Running
		return "resumed", nil
	}
}

// changeNetwork changes the links and has every node told that sends differently now.
func (l *loop) changeNetwork(r Request) outcome {
	before := l.faults()
	var out outcome
	say := func(format string, args ...any) { out.lines = append(out.lines, fmt.Sprintf(format, args...)) }
	if r.Verb == Cut {
		l.network.Cut(r.Nodes[0], r.Nodes[1], r.IsOneWay)
		if r.IsOneWay {
			say("nothing that %v sends reaches %v", r.Nodes[0], r.Nodes[1])
		} else {
			say("%v and %v are cut off from each other", r.Nodes[0], r.Nodes[1])
		}
	}
	if r.Verb == Links {
		l.network.Set(r.Ways)
		say("%d ways between nodes are faulty", len(r.Ways))
	}
	if r.Verb == Heal && len(r.Nodes) == 0 {
		for _, node := range l.network.nodes {
			l.network.Heal(node)
		}
		say("all links are good again")
	}
	for _, node := range r.Nodes {
		switch r.Verb {
		case Isolate:
			l.network.Isolate(node)
			say("%v is cut off from all other nodes; clients still reach it", node)
		case Heal:
			l.network.Heal(node)
			say("%v has good links again", node)
		case Slow:
			l.network.Slow(node, r.DelayMillis, r.Drop)
			say("each message to or from %v is delayed by %d ms and lost with %.3g %%", node, r.DelayMillis, 100*r.Drop)
		}
	}
	for i, document := range l.faults() {
		if document == before[i] {
			continue
		}
		t := l.labs[i].tell([]byte(document))
		switch m := l.members[i]; m.phase {
		case Running:
			out.told = append(out.told, t)
		default:
			say("%s is %s: it learns of this when it runs", m.plan.Name(), m.phase)
		}
	}
	return out
}

// faults returns what each node has to be told, by member.
func (l *loop) faults() []string {
	documents := make([]string, 0, len(l.members))
	for _, m := range l.members {
		documents = append(documents, string(encodeFaults(l.network.From(m.plan.Node))))
	}
	return documents
}

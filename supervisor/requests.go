package supervisor

import (
	"errors"
	"fmt"
	"os"
	"time"

	"flotilla"
	"flotilla/cluster"
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
	// Wipe kills nodes, and has them start with an empty disk.
	Wipe Verb = "wipe"
	Cut  Verb = "cut"
	Slow Verb = "slow"
	// SlowDisk has each synced write of nodes take longer.
	SlowDisk Verb = "slow-disk"
	// Clock sets the clocks of nodes wrongly, or right again.
	Clock Verb = "clock"
	// Transfer has the leader of a group hand over.
	Transfer Verb = "transfer"
	// Crash has nodes end at the next such moment of a write.
	Crash Verb = "crash"
	// Links makes each link exactly as Request.Ways say, beside what the other verbs
	// did: those that an earlier Links named and this one does not are good again.
	Links Verb = "links"
	// Play plays Request.Plan on a fleet of its own, beside this one; EndPlay stops that.
	Play    Verb = "play"
	EndPlay Verb = "end-play"
)

// FaultVerbs returns the verbs that break a node, or mend it, and need nothing but its name and a number.
func FaultVerbs() []Verb {
	return []Verb{Kill, Restart, Pause, Resume, Isolate, Cut, Slow, SlowDisk, Clock, Wipe, Heal}
}

// Request asks a running fleet to do something to nodes.
type Request struct {
	Verb Verb `json:"verb"`
	// Nodes are those concerned; for Cut exactly two; for Heal none means all.
	Nodes       []flotilla.NodeID `json:"nodes"`
	IsOneWay    bool              `json:"one_way,omitempty"`  // Cut: only from the first to the second
	DelayMillis flotilla.Millis   `json:"delay_ms,omitempty"` // Slow, SlowDisk
	Drop        float64           `json:"drop,omitempty"`     // Slow: share of messages lost
	Ways        []Way             `json:"ways,omitempty"`     // Links
	Clock       cluster.Skew      `json:"clock,omitzero"`     // Clock: its SinceMillis is set here
	Order       Order             `json:"order,omitzero"`     // Transfer, Crash: its Verb is set here
	Plan        string            `json:"plan,omitempty"`     // Play: its name
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

// Check refuses what no fleet of this size could do.
func (r Request) Check(nodes int) error {
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
	case Kill, Restart, Pause, Resume, Isolate, Slow, SlowDisk, Clock, Crash, Wipe:
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
	case Transfer:
		if int(r.Order.To) > nodes {
			return fmt.Errorf("there is no %v: this fleet has n1 to n%d", r.Order.To, nodes)
		}
	case Heal, Play, EndPlay:
	default:
		return fmt.Errorf("unknown verb %q: the faults are %v", r.Verb, FaultVerbs())
	}
	if err := (Faults{DiskDelayMillis: r.DelayMillis}).Check(); err != nil && r.Verb == SlowDisk {
		return err
	}
	if r.DelayMillis < 0 || r.DelayMillis > maxDelay {
		return fmt.Errorf("a delay of %d ms: use 0 to %d", r.DelayMillis, maxDelay)
	}
	if !(r.Drop >= 0 && r.Drop <= 1) { // so that NaN is refused as well
		return errors.New("the share of lost messages is 0% to 100%")
	}
	return r.Clock.Check()
}

// carryOut does what a control request asks for, in the loop.
func (l *loop) carryOut(r Request, now time.Time) outcome {
	if l.isStopping {
		return outcome{err: errors.New("the fleet is stopping")}
	}
	if err := r.Check(len(l.members)); err != nil {
		return outcome{err: err}
	}
	switch r.Verb {
	case Kill, Restart, Pause, Resume, Wipe:
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
	case Transfer, Crash:
		return l.order(r)
	case Play:
		return l.startPlay(r, now)
	case EndPlay:
		return l.stopPlay()
	case Clock:
		return l.tellChanges(func(say sayer) { l.setClocks(r, now, say) })
	case SlowDisk:
		return l.tellChanges(func(say sayer) { l.slowDisks(r, say) })
	case Heal:
		return l.tellChanges(func(say sayer) {
			l.changeNetwork(r, say)
			l.healDisks(r)
		})
	default:
		return l.tellChanges(func(say sayer) { l.changeNetwork(r, say) })
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
		m.note(Down, now)
		return "was waiting to be started: it stays down until `flotilla fault restart`", nil
	case verb == Kill:
		m.ending(false, now)
		return fmt.Sprintf("killed (pid %d): it stays down until `flotilla fault restart`", p.pid()), p.kill()
	case verb == Wipe && !m.plan.HasStarted:
		return "", errors.New("is not part of the cluster yet: wipe it once it has told of its groups")
	case verb == Wipe && p == nil:
		m.due(now)
		l.wipe(i, now)
		return "has an empty disk, and starts", nil
	case verb == Wipe:
		m.ending(true, now)
		m.isWiped = true
		return fmt.Sprintf("killed (pid %d), to lose its disk and start again", p.pid()), p.kill()
	case verb == Restart && p == nil:
		m.due(now)
		return "started", nil
	case verb == Restart:
		m.ending(true, now)
		p.stop()
		return fmt.Sprintf("told to stop (pid %d), to be started again", p.pid()), nil
	case p == nil:
		return "", m.noProcess(nil)
	case verb == Pause:
		if err := pauseProcess(p.cmd.Process); err != nil {
			return "", m.noProcess(err)
		}
		m.phase, m.changedAt = Paused, now
		m.note(Paused, now)
		return fmt.Sprintf("paused (pid %d) until `flotilla fault resume`", p.pid()), nil
	case m.phase != Paused:
		return "was not paused", nil
	default:
		if err := resumeProcess(p.cmd.Process); err != nil {
			return "", m.noProcess(err)
		}
		m.phase, m.changedAt = Running, now
		m.note(Running, now)
		return "resumed", nil
	}
}

// noProcess is why a node can not be paused or resumed: err, if it is another reason
// than that the process has ended, which the loop may not have heard of yet.
func (m *member) noProcess(err error) error {
	if err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	return fmt.Errorf("has no process: start it with `flotilla fault restart %s`", m.plan.Name())
}

// sayer takes a line for people.
type sayer func(format string, args ...any)

// tellChanges has every node told for which a change made a difference.
func (l *loop) tellChanges(change func(sayer)) outcome {
	before := l.faults()
	var out outcome
	say := func(format string, args ...any) { out.lines = append(out.lines, fmt.Sprintf(format, args...)) }
	change(say)
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

// setClocks sets the clocks of nodes. A drift that goes on began when it began.
func (l *loop) setClocks(r Request, now time.Time, say sayer) {
	for _, node := range r.Nodes {
		before, skew := l.clocks[l.index(node)], r.Clock
		switch {
		case skew.DriftPPM == 0:
			skew.SinceMillis = 0
		case skew.DriftPPM == before.DriftPPM:
			skew.SinceMillis = before.SinceMillis
		default:
			skew.SinceMillis = flotilla.Millis(now.UnixMilli())
		}
		l.clocks[l.index(node)] = skew
		say("the clocks of %v are %s", node, skew.Words())
	}
}

// slowDisks has the disks of nodes be slow, or as fast as they are.
func (l *loop) slowDisks(r Request, say sayer) {
	for _, node := range r.Nodes {
		l.disks[l.index(node)] = r.DelayMillis
		if r.DelayMillis == 0 {
			say("the disk of %v is as fast as it is", node)
			continue
		}
		say("each synced write of %v takes %d ms longer", node, r.DelayMillis)
	}
}

// healDisks makes the disks of nodes, or of all, as fast as they are.
func (l *loop) healDisks(r Request) {
	if len(r.Nodes) == 0 {
		clear(l.disks)
	}
	for _, node := range r.Nodes {
		l.disks[l.index(node)] = 0
	}
}

// changeNetwork changes the links.
func (l *loop) changeNetwork(r Request, say sayer) {
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
		say("all links and disks are good again")
	}
	for _, node := range r.Nodes {
		switch r.Verb {
		case Isolate:
			l.network.Isolate(node)
			say("%v is cut off from all other nodes; clients still reach it", node)
		case Heal:
			l.network.Heal(node)
			say("%v has good links and a good disk again", node)
		case Slow:
			l.network.Slow(node, r.DelayMillis, r.Drop)
			say("%s", slowSays(node, r.DelayMillis, r.Drop))
		}
	}
}

// document returns what a node has to be told.
func (l *loop) document(i int) []byte {
	return encodeFaults(l.network.From(l.members[i].plan.Node), l.clocks[i], l.disks[i])
}

// faults returns what each node has to be told, by member.
func (l *loop) faults() []string {
	documents := make([]string, 0, len(l.members))
	for i := range l.members {
		documents = append(documents, string(l.document(i)))
	}
	return documents
}

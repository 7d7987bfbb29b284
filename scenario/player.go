package scenario

import (
	"container/heap"
	"fmt"
	"slices"

	"flotilla"
)

// Cluster is what a Player must know of the cluster to find out whom a step means.
type Cluster interface {
	// Leader returns the node that leads the group, as far as is known; 0 if none does.
	Leader(group flotilla.GroupID) flotilla.NodeID
	// Holders returns the nodes that have a copy of the group, in ascending order.
	Holders(group flotilla.GroupID) []flotilla.NodeID
}

// Order is what an executor does now: the verb of Step, to Nodes.
//
// For links, disks and clocks nothing else is to be done than to make each link as
// Player.Network says, and each node as Player.Condition says.
//
// A Crash with a Boundary waits for that moment: when it has come, the executor calls
// Player.Crashed. The wait ends unfulfilled with any other order that takes the node
// down or restarts it, and with the plan.
type Order struct {
	Step  Step              // what to do; once the For of a step is over, its opposite
	Nodes []flotilla.NodeID // to whom, in ascending order
	To    flotilla.NodeID   // Transfer: to whom; 0 means to anyone
	// IsOver means that Step did something to links, disks or clocks that ends now.
	IsOver bool
	// Skipped says why nothing is done: a role that nobody had for RoleWait.
	Skipped string
}

// String says what is done to whom, for a log.
func (o Order) String() string {
	text := o.Step.Action()
	for _, t := range []Target{o.Step.Nodes, o.Step.Links.A, o.Step.Links.B, o.Step.To} {
		if !t.hasGroup() || o.Skipped != "" {
			continue
		}
		nodes := o.Nodes
		if o.Step.Verb == Transfer {
			nodes = []flotilla.NodeID{o.To}
		}
		text += " (" + Target{Role: Named, Nodes: nodes}.String() + ")"
		break
	}
	switch {
	case o.IsOver:
		text += ": over"
	case o.Skipped != "":
		text += ": skipped, " + o.Skipped
	}
	return text
}

// RoleWait is how long a step waits for somebody to have its role, such as a leader
// while an election is under way. Then it is skipped.
const RoleWait flotilla.Millis = 5000

// roleRetry is after how long it looks again.
const roleRetry flotilla.Millis = 50

// Player plays a plan: it says what is to be done, when, and to whom. It is a value
// that is stepped; both executors drive the same one, so that a plan means the same
// to both.
type Player struct {
	plan    *Plan
	network *Network
	faults  []nodeFault // of disks and clocks, in order of setting
	queue   events
	pushed  int                     // events, ever
	orders  int                     // orders that changed something, ever
	armed   map[flotilla.NodeID]int // steps whose crash waits for its moment there
	done    int                     // steps, those that were skipped left out
	skipped int
	awaited map[int]*Awaited // by step: those that wait for a moment
	isDone  bool
}

// NewPlayer returns a player at the beginning of a plan that is sound (see Check).
func NewPlayer(p *Plan) *Player {
	player := &Player{plan: p, network: newNetwork(p.Nodes), armed: map[flotilla.NodeID]int{}, awaited: map[int]*Awaited{}}
	for i, s := range p.Steps {
		if s.Boundary != "" {
			player.awaited[i] = &Awaited{Step: s}
		}
		if !s.IsFinal {
			player.push(event{kind: doStep, at: s.At, due: s.At, step: i})
		}
	}
	player.push(event{kind: doFinal, at: p.Duration, due: p.Duration, step: player.nextFinal(0)})
	return player
}

// Network is how the links are now. It belongs to the player, which changes it.
func (p *Player) Network() *Network { return p.network }

// Next returns when Play has something to do next; false once the plan is over: all
// final steps are done and, in safety mode, all faults have ended.
func (p *Player) Next() (at flotilla.Millis, ok bool) {
	if p.isDone {
		return 0, false
	}
	return p.queue[0].at, true
}

// Play returns what is to be done up to now, in order.
func (p *Player) Play(now flotilla.Millis, cluster Cluster) (orders []Order) {
	for !p.isDone && p.queue[0].at <= now {
		e := heap.Pop(&p.queue).(event)
		switch e.kind {
		case doStep:
			orders = p.play(e, now, cluster, orders)
		case undo:
			p.network.end(e.ends)
			p.endCondition(e.ends)
			orders = append(orders, e.order)
		case doFinal:
			orders = p.playFinal(e, now, cluster, orders)
		}
	}
	return orders
}

// Crashed tells that the moment of a Crash has come for a node: from now on the time
// counts after which it is started.
func (p *Player) Crashed(node flotilla.NodeID, now flotilla.Millis) {
	step, isArmed := p.armed[node]
	if !isArmed {
		return
	}
	delete(p.armed, node)
	p.awaited[step].Came++
	if pause := p.plan.Steps[step].For; pause > 0 {
		p.push(event{kind: undo, at: now + pause, order: opposite(Order{Step: Step{Verb: Crash}, Nodes: []flotilla.NodeID{node}})})
	}
}

// play does a step, puts it off if nobody has its role, and sees to the next time.
func (p *Player) play(e event, now flotilla.Millis, cluster Cluster, orders []Order) []Order {
	s := p.plan.Steps[e.step]
	order, links, isFound := p.resolve(s, cluster)
	if !isFound && now-e.due < RoleWait {
		e.at = now + roleRetry
		p.push(e)
		return orders
	}
	if !isFound {
		order.Skipped = fmt.Sprintf("nobody was found for it in %s", formatDuration(RoleWait))
		p.skipped++
	} else {
		p.done++
		p.carryOut(order, links, now)
		p.arm(e.step, order)
	}
	// The next time counts from when it was due, not from when it was done.
	if next := e.due + s.Every; s.Every > 0 && next <= s.last(p.plan.Duration) {
		p.push(event{kind: doStep, at: max(next, now), due: next, step: e.step})
	}
	return append(orders, order)
}

// carryOut notes what an order changes, and when it ends.
func (p *Player) carryOut(o Order, links []direction, now flotilla.Millis) {
	p.orders++
	s := o.Step
	switch s.Verb {
	case Kill, Crash, Wipe, Restart:
		for _, node := range o.Nodes {
			delete(p.armed, node)
		}
	case Heal:
		p.network.heal(o.Nodes)
	case SlowDisk, FillDisk, SetClock, RunClock:
		p.setCondition(p.orders, o)
	case MendDisk:
		p.mend(o.Nodes, SlowDisk, FillDisk)
	case MendClock:
		p.mend(o.Nodes, SetClock, RunClock)
	default:
		p.network.set(p.orders, links, s.faultOf())
	}
	if s.For > 0 && s.Boundary == "" {
		p.push(event{kind: undo, at: now + s.For, ends: p.orders, order: opposite(o)})
	}
}

// arm has nodes wait for the moment of a step, if it has one.
func (p *Player) arm(step int, o Order) {
	if o.Step.Boundary == "" {
		return
	}
	for _, node := range o.Nodes {
		p.armed[node] = step
		p.awaited[step].Armed++
	}
}

// NotDone tells that a step that Play returned could not be done after all: it counts as skipped.
func (p *Player) NotDone() { p.done, p.skipped = p.done-1, p.skipped+1 }

// Account returns what has become of the plan's steps so far.
func (p *Player) Account() (a Account) {
	a.Done, a.Skipped = p.done, p.skipped
	for i := range p.plan.Steps {
		if m := p.awaited[i]; m != nil {
			a.Moments = append(a.Moments, *m)
		}
	}
	return a
}

// opposite is the order that undoes one.
func opposite(o Order) Order {
	named := Target{Role: Named, Nodes: o.Nodes}
	switch o.Step.Verb {
	case Kill, Crash, Wipe:
		return Order{Step: Step{Verb: Start, Nodes: named}, Nodes: o.Nodes}
	case Pause:
		return Order{Step: Step{Verb: Resume, Nodes: named}, Nodes: o.Nodes}
	}
	o.IsOver = true
	return o
}

// nextFinal returns the number of the first final step from there on; -1 if there is none.
func (p *Player) nextFinal(from int) int {
	for i := from; i < len(p.plan.Steps); i++ {
		if p.plan.Steps[i].IsFinal {
			return i
		}
	}
	return -1
}

// playFinal does one final step, and the next after it; after the last one comes calm.
func (p *Player) playFinal(e event, now flotilla.Millis, cluster Cluster, orders []Order) []Order {
	if e.step < 0 {
		p.isDone = true
		if p.plan.Mode == Liveness {
			return orders
		}
		return append(orders, p.calm()...)
	}
	before := len(orders)
	orders = p.play(e, now, cluster, orders)
	if len(orders) > before { // otherwise it waits for a role
		after := now + p.plan.Steps[e.step].For
		p.push(event{kind: doFinal, at: after, due: after, step: p.nextFinal(e.step + 1)})
	}
	return orders
}

// calm ends all faults.
func (p *Player) calm() (orders []Order) {
	all, _ := p.find(Target{Role: All}, nil)
	p.network.heal(all)
	p.faults = nil
	clear(p.armed)
	for _, v := range []Verb{Heal, MendDisk, MendClock, Resume, Start} {
		s := Step{IsFinal: true, Verb: v, Nodes: Target{Role: All}}
		if v == Heal {
			s.Nodes = Target{}
		}
		orders = append(orders, Order{Step: s, Nodes: all})
	}
	return orders
}

// resolve finds out which nodes and links a step means now.
func (p *Player) resolve(s Step, cluster Cluster) (o Order, links []direction, ok bool) {
	o = Order{Step: s}
	switch {
	case s.Verb == Heal && s.Nodes.Role == "":
		o.Nodes, ok = p.find(Target{Role: All}, cluster)
	case s.Verb == Transfer:
		var to []flotilla.NodeID
		if to, ok = p.find(s.To, cluster); ok && len(to) > 0 {
			o.To = to[0]
		}
	case s.Links.Form != "":
		links, ok = p.findLinks(s.Links, cluster)
		o.Nodes = ends(links)
	default:
		o.Nodes, ok = p.find(s.Nodes, cluster)
		if s.Verb == Isolate || s.Verb == Partition {
			links = p.network.boundary(o.Nodes, s.Verb == Isolate)
		}
	}
	return o, links, ok
}

// find returns the nodes of a target; false if nobody has the role now. No target is nobody.
func (p *Player) find(t Target, cluster Cluster) (nodes []flotilla.NodeID, ok bool) {
	switch t.Role {
	case Named:
		nodes = slices.Sorted(slices.Values(t.Nodes))
	case All:
		for id := range p.plan.Nodes {
			nodes = append(nodes, flotilla.NodeID(id+1))
		}
	case Leader, Follower, Followers:
		leader := cluster.Leader(t.Group)
		if leader == 0 {
			return nil, false
		}
		if t.Role == Leader {
			return []flotilla.NodeID{leader}, true
		}
		nodes = slices.DeleteFunc(slices.Clone(cluster.Holders(t.Group)), func(id flotilla.NodeID) bool { return id == leader })
		if t.Role == Follower && len(nodes) > 0 {
			after := max(slices.IndexFunc(nodes, func(id flotilla.NodeID) bool { return id > leader }), 0)
			nodes = nodes[after : after+1]
		}
		return nodes, len(nodes) > 0
	}
	return nodes, true
}

func (p *Player) findLinks(l Links, cluster Cluster) (links []direction, ok bool) {
	a, okA := p.find(l.A, cluster)
	b, okB := p.find(l.B, cluster)
	if !okA || !okB {
		return nil, false
	}
	one := func(nodes []flotilla.NodeID) flotilla.NodeID {
		if len(nodes) == 0 {
			return 0
		}
		return nodes[0]
	}
	links = p.network.pick(l.Form, one(a), one(b))
	return links, len(links) > 0 // none if A and B are one node now: that may change
}

// ends returns the nodes at the ends of links.
func ends(links []direction) (nodes []flotilla.NodeID) {
	for _, l := range links {
		nodes = append(nodes, l.from, l.to)
	}
	slices.Sort(nodes)
	return slices.Compact(nodes)
}

package scenario

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"

	"flotilla"
)

// Options says what a random plan must be like. The zero value is one minute in
// safety mode that Virtual can carry out; all else is drawn.
type Options struct {
	Mode     Mode // empty means Safety
	Nodes    int  // zero means drawn; Liveness needs three at least, and gets them
	Groups   int  // zero means drawn
	Clients  int  // zero means drawn
	Duration flotilla.Millis
	Think    Span     // of clients; zero means drawn
	Executor Executor // only what it can do is asked for; no name means Virtual
}

// RandomMode is the mode of a seed's plan where plans of both are drawn: one in four
// demands liveness.
func RandomMode(seed uint64) Mode {
	if seed%4 == 0 {
		return Liveness
	}
	return Safety
}

// Random returns a plausible plan: the same seed and options give the same plan.
//
// What is drawn follows from where bugs were found: a third of what happens is a
// power cut, nearly always at a moment of a write, and nearly half of these around a
// vote that was called for; half of the nodes that went down are back within 30 ms;
// troubles come in clusters. Data is lost or damaged on the same few nodes only,
// fewer than half of the copies of any group.
func Random(seed uint64, options Options) *Plan {
	g := newGenerator(seed, options)
	g.workload()
	if options.Think.Most > 0 {
		g.plan.Workload.Think = options.Think
	}
	if g.plan.Mode == Liveness {
		g.livenessSteps()
	} else {
		g.safetySteps()
	}
	slices.SortStableFunc(g.plan.Steps, byTime)
	err := g.plan.Check()
	flotilla.Assert(err == nil, "the random plan of seed %d is unsound: %v", seed, err)
	return g.plan
}

// byTime orders steps for readers: final ones last.
func byTime(a, b Step) int {
	if a.IsFinal != b.IsFinal {
		if a.IsFinal {
			return 1
		}
		return -1
	}
	return cmp.Compare(a.At, b.At)
}

// longPlan is from which length on troubles come less often, so that they reach to the end.
const longPlan flotilla.Millis = 8 * 60 * 1000

// quick is within how long half of all nodes that go down are started again: the
// others have not noticed by then.
const quick flotilla.Millis = 30

type generator struct {
	chance   *rand.Rand
	plan     *Plan
	executor Executor
	fragile  []flotilla.NodeID // whose data may be lost or damaged
}

func newGenerator(seed uint64, options Options) *generator {
	const stream = 0x7363656e6172696f // this use of the seed, apart from all others
	g := &generator{chance: rand.New(rand.NewPCG(seed, stream)), plan: defaults(), executor: options.Executor}
	if g.executor.Name == "" {
		g.executor = Virtual()
	}
	p := g.plan
	p.Name = fmt.Sprintf("random-%d", seed)
	if options.Mode == Liveness {
		p.Mode = Liveness
	}
	// Each is drawn, wanted or not, so that one option does not change all the rest.
	p.Nodes, p.Groups = pick(g, 3, 3, 3, 5), 1+g.upTo(2)
	p.Workload.Clients = 3 + g.upTo(9)
	override(&p.Nodes, min(options.Nodes, MaxNodes))
	override(&p.Groups, min(options.Groups, MaxGroups))
	override(&p.Workload.Clients, min(options.Clients, MaxClients))
	p.Duration = 60_000
	override(&p.Duration, min(options.Duration, MaxDuration))
	if p.Mode == Liveness {
		p.Nodes = max(p.Nodes, 3)
	}
	p.Copies = min(defaultCopies, p.Nodes)
	g.fragile = g.someNodes(p.MinorityNodes())
	return g
}

func override[T int | flotilla.Millis](field *T, value T) {
	if value > 0 {
		*field = value
	}
}

// workload draws what clients ask for: steps of 5 % are dealt out among operations.
func (g *generator) workload() {
	w := &g.plan.Workload
	dealt := map[Operation]Share{}
	mix := pick(g,
		[]Operation{Set, Set, Get, Get, Get, CAS, Del, SetEx},
		[]Operation{Set, Get, Get, Incr, Incr, Count, CAS, SetEx, Once},
		[]Operation{Set, Get, Get, Incr, CAS, SAdd, SRem, SMembers, LPush, RPush, LPop, RPop, LRange, LLen, Multi, SetEx, Once},
		[]Operation{Set, Get, Get, Multi, Multi, CAS, LPush, RPop, LRange, Incr})
	for range 20 {
		dealt[pick(g, mix...)] += Whole / 20
	}
	w.Load = nil
	for _, o := range operations() {
		if share := dealt[o.operation]; share > 0 {
			w.Load = append(w.Load, Part{o.operation, share})
		}
	}
	w.Keys = 1 + g.upTo(19)
	w.Think = pick(g, Span{1, 10}, Span{0, 50}, Span{20, 100})
	w.ValueBytes = pick(g, Sizes{16, 16}, Sizes{16, 256}, Sizes{16, 4 << 10})
	w.Reads = pick(g,
		[]Reading{{Level: flotilla.Linearizable, Share: Whole}},
		[]Reading{{Level: flotilla.Linearizable, Share: 70_00}, {Level: flotilla.Session, Share: 10_00},
			{Level: flotilla.Bounded, MaxAge: 200, Share: 10_00}, {Level: flotilla.Eventual, Share: 10_00}},
		[]Reading{{Level: flotilla.Linearizable, Share: 50_00}, {Level: flotilla.Session, Share: 50_00}})
}

// safetySteps breaks one thing after the other.
func (g *generator) safetySteps() {
	p := g.plan
	stretch := g.stretch()
	troubles := g.troubles()
	for now := g.between(500, 2500); now < p.Duration && len(p.Steps) < MaxSteps-10; {
		g.add(now, troubles)
		if g.percent(40) { // a cluster of them
			now += g.between(1, 400)
		} else {
			now += g.between(500, 3500) * stretch
		}
	}
	last := Step{IsFinal: true, Verb: Crash, Nodes: Target{Role: All}, Loss: LoseAll, For: g.between(1, 500)}
	if g.percent(40) && g.canDo(last) {
		p.Steps = append(p.Steps, last)
	}
}

// stretch is by how much less often things happen in a long plan.
func (g *generator) stretch() flotilla.Millis { return max(1, g.plan.Duration/longPlan) }

// add draws one trouble that the executor knows, and has it happen at that time. It
// may be steps that belong together.
func (g *generator) add(now flotilla.Millis, troubles []trouble) {
	for range 100 { // an executor that can do next to nothing gets a calm plan
		steps := draw(g, troubles)
		if !g.canDo(steps...) {
			continue
		}
		for _, s := range steps {
			s.At += now
			if s.At <= g.plan.Duration {
				g.plan.Steps = append(g.plan.Steps, s)
			}
		}
		return
	}
}

func (g *generator) canDo(steps ...Step) bool {
	return !slices.ContainsFunc(steps, func(s Step) bool { return g.executor.CanDo(s) != nil })
}

// livenessSteps breaks what the others must do without, for good: first a link one
// way, which is what elections fail on, then perhaps more.
func (g *generator) livenessSteps() {
	p := g.plan
	p.Without = g.someNodes(1 + g.upTo(p.MinorityNodes()-1))
	slices.Sort(p.Without)
	for _, node := range p.Without {
		this := named(node)
		other := named(g.nodeBut(node))
		cuts := []trouble{
			{4, func() []Step { return []Step{{Verb: Cut, Links: Links{OneWay, this, other}}} }},
			{4, func() []Step { return []Step{{Verb: Cut, Links: Links{OneWay, other, this}}} }},
			{3, func() []Step { return []Step{{Verb: Cut, Links: Links{Form: FromOne, A: this}}} }},
			{3, func() []Step { return []Step{{Verb: Cut, Links: Links{Form: ToOne, A: this}}} }},
		}
		more := append(cuts, []trouble{
			{2, func() []Step { return []Step{{Verb: Cut, Links: Links{Between, this, other}}} }},
			{1, func() []Step { return []Step{{Verb: Isolate, Nodes: this}} }},
			{2, func() []Step { return []Step{{Verb: Pause, Nodes: this, For: g.between(500, 5000)}} }},
			{2, func() []Step { return []Step{{Verb: Drop, Share: g.share(90), Links: Links{Form: Around, A: this}}} }},
			{3, func() []Step {
				every := g.between(500, 5000) * g.stretch()
				return []Step{{Every: every, Verb: Crash, Nodes: this, For: g.down()}}
			}},
		}...)
		g.add(g.between(0, p.Duration/3), cuts)
		for range g.upTo(3) {
			g.add(g.between(0, p.Duration/2), more)
		}
	}
}

// pick returns one of several values.
func pick[T any](g *generator, values ...T) T { return values[g.chance.IntN(len(values))] }

// upTo returns 0 to most; 0 if most is less.
func (g *generator) upTo(most int) int { return g.chance.IntN(max(most, 0) + 1) }

func (g *generator) percent(chance int) bool { return g.chance.IntN(100) < chance }

func (g *generator) between(least, most flotilla.Millis) flotilla.Millis {
	return least + flotilla.Millis(g.chance.Int64N(int64(most-least)+1))
}

// share returns 1 % to most %.
func (g *generator) share(most int) Share { return Share(1+g.upTo(most-1)) * 100 }

// down is how long a node stays down.
func (g *generator) down() flotilla.Millis {
	if g.percent(50) {
		return g.between(1, quick)
	}
	return g.between(200, 5000)
}

func (g *generator) node() flotilla.NodeID { return flotilla.NodeID(1 + g.upTo(g.plan.Nodes-1)) }

// nodeBut returns another node, or the same if there is no other.
func (g *generator) nodeBut(node flotilla.NodeID) flotilla.NodeID {
	if g.plan.Nodes == 1 {
		return node
	}
	other := flotilla.NodeID(1 + g.upTo(g.plan.Nodes-2))
	if other >= node {
		other++
	}
	return other
}

// someNodes returns so many different ones.
func (g *generator) someNodes(count int) (nodes []flotilla.NodeID) {
	for _, i := range g.chance.Perm(g.plan.Nodes)[:count] {
		nodes = append(nodes, flotilla.NodeID(i+1))
	}
	return nodes
}

// group returns a group that owns keys, and now and then the directory.
func (g *generator) group() flotilla.GroupID {
	if g.percent(10) {
		return flotilla.Directory
	}
	return flotilla.GroupID(1 + g.upTo(g.plan.Groups-1))
}

func named(nodes ...flotilla.NodeID) Target { return Target{Role: Named, Nodes: nodes} }

package scenario

import (
	"slices"

	"flotilla"
)

// trouble is something that a random plan may break, and how often relative to others.
// At of its steps counts from when it begins.
type trouble struct {
	weight int
	steps  func() []Step
}

// draw draws one trouble by weight.
func draw(g *generator, troubles []trouble) []Step {
	sum := 0
	for _, t := range troubles {
		sum += t.weight
	}
	left := g.chance.IntN(sum)
	for _, t := range troubles {
		if left -= t.weight; left < 0 {
			return t.steps()
		}
	}
	flotilla.Assert(false, "a number below the sum of the weights belongs to one of them")
	return nil
}

// troubles are those of safety mode: each ends by itself.
func (g *generator) troubles() []trouble {
	one := func(weight int, step func() Step) trouble {
		return trouble{weight, func() []Step { return []Step{step()} }}
	}
	all := []trouble{
		{22, g.crashAtVote},
		one(25, g.crashAtWrite),
		one(3, func() Step { return Step{Verb: Crash, Nodes: g.nodes(), Loss: g.loss(), For: g.down()} }),
		one(3, func() Step { return Step{Verb: Crash, Nodes: Target{Role: All}, Loss: g.loss(), For: g.down()} }),
		one(8, func() Step { return Step{Verb: Kill, Nodes: g.nodes(), For: g.down()} }),
		one(2, func() Step { return Step{Verb: Kill, Nodes: Target{Role: All}, For: g.down()} }),
		one(3, func() Step { return Step{Verb: Restart, Nodes: g.nodes()} }),
		one(6, func() Step { return Step{Verb: Pause, Nodes: g.nodes(), For: g.between(50, 5000)} }),
		one(6, func() Step { return Step{Verb: Transfer, Group: g.group()} }),
		one(4, func() Step {
			return Step{Verb: SetClock, Nodes: g.nodes(), Offset: g.offset(), For: g.between(500, 20_000)}
		}),
		one(2, func() Step {
			return Step{Verb: RunClock, Nodes: g.nodes(), DriftPPM: g.drift(), For: g.between(500, 20_000)}
		}),
		one(4, func() Step {
			return Step{Verb: SlowDisk, Nodes: g.nodes(), Delay: g.span(200), For: g.between(500, 8000)}
		}),
		one(2, func() Step { return Step{Verb: FillDisk, Nodes: g.nodes(), For: g.between(500, 5000)} }),
	}
	if len(g.fragile) > 0 {
		all = append(all,
			one(2, func() Step { return Step{Verb: Wipe, Nodes: named(pick(g, g.fragile...)), For: g.down()} }),
			trouble{2, g.crashAtInstall}, trouble{2, g.crashAfterChange}, trouble{2, g.rot}, trouble{3, g.lostTail})
	}
	if g.plan.Nodes > 1 {
		all = append(all, trouble{3, g.lateAgain}, trouble{4, g.restartOnSlowLinks})
		all = append(all, g.linkTroubles()...)
	}
	return all
}

func (g *generator) linkTroubles() []trouble {
	one := func(weight int, step func() Step) trouble {
		return trouble{weight, func() []Step {
			s := step()
			s.For = g.between(100, 8000)
			return []Step{s}
		}}
	}
	return []trouble{
		one(6, func() Step { return Step{Verb: Isolate, Nodes: g.nodes()} }),
		one(7, func() Step { return Step{Verb: Cut, Links: g.links()} }),
		one(3, func() Step {
			side := g.someNodes(1 + g.upTo(g.plan.Nodes-2))
			slices.Sort(side)
			return Step{Verb: Partition, Nodes: named(side...)}
		}),
		one(4, func() Step { return Step{Verb: Drop, Share: g.share(20), Links: g.links()} }),
		one(4, func() Step {
			return Step{Verb: Delay, Delay: g.span(pick[flotilla.Millis](g, 300, 300, 3000)), Links: g.links()}
		}),
		one(3, func() Step { return Step{Verb: Duplicate, Share: g.share(20), Links: g.links()} }),
		one(3, func() Step { return Step{Verb: Reorder, Share: g.share(20), Links: g.links()} }),
	}
}

// crashAtVote has an election called for, and takes the power away from nodes that
// vote in it.
func (g *generator) crashAtVote() []Step {
	group := g.group()
	cause := g.election(group)
	crash := Step{Verb: Crash, Boundary: pick(g, BeforeVote, AfterVote), Loss: g.loss(), For: g.down()}
	crash.Nodes = pick(g, Target{Role: Follower, Group: group}, Target{Role: Followers, Group: group}, named(g.node()))
	return []Step{crash, cause} // the crash first: who follows is not known without a leader
}

// election has a group look for another leader.
func (g *generator) election(group flotilla.GroupID) Step {
	leader := Target{Role: Leader, Group: group}
	return pick(g,
		Step{Verb: Transfer, Group: group},
		Step{Verb: Kill, Nodes: leader, For: g.between(500, 3000)},
		Step{Verb: Pause, Nodes: leader, For: g.between(1000, 3000)},
		Step{Verb: Isolate, Nodes: leader, For: g.between(1000, 3000)})
}

// crashAtWrite takes the power away at any moment of a write.
func (g *generator) crashAtWrite() Step {
	boundary := pick(g, BeforeAppend, BeforeAppend, AfterAppend, AfterAppend, BeforeReply, AfterReply, AfterReply, BeforeVote, AfterVote)
	if g.percent(25) {
		boundary = pick(g, BeforeFlush, AfterFlush, BeforeInstall, BetweenInstall, AfterInstall)
	}
	return Step{Verb: Crash, Nodes: g.nodes(), Boundary: boundary, Loss: g.loss(), For: g.down()}
}

// crashAtInstall takes the power away from a node that takes its new copies.
func (g *generator) crashAtInstall() []Step {
	node := named(pick(g, g.fragile...))
	crash := Step{At: 1, Verb: Crash, Nodes: node, Boundary: pick(g, BeforeInstall, BetweenInstall, AfterInstall), Loss: g.loss(), For: g.down()}
	return []Step{{Verb: Wipe, Nodes: node, For: g.down()}, crash}
}

// crashAfterChange takes the power away while a node's new copies become members: who
// knew of it may have forgotten.
func (g *generator) crashAfterChange() []Step {
	at := g.between(200, 3000)
	crash := Step{At: at, Verb: Crash, Nodes: Target{Role: All}, Loss: g.loss(), For: g.down()}
	if g.percent(50) {
		crash.Nodes, crash.Boundary = g.nodes(), pick(g, BeforeAppend, AfterAppend, BeforeReply, AfterReply)
	}
	return []Step{{Verb: Wipe, Nodes: named(pick(g, g.fragile...)), For: g.down()}, crash}
}

// rot flips bits, or clears the end of the newest WAL, while the node is down: it
// must notice when it starts.
func (g *generator) rot() []Step {
	node := named(pick(g, g.fragile...))
	damage := Step{At: 100, Verb: Flip, Bits: 1 + g.upTo(7), File: pick(g, fileForms()...).file, Nodes: node}
	if g.percent(30) {
		damage = Step{At: 100, Verb: Clear, Bytes: 1 << g.upTo(15), File: WAL, Nodes: node}
	}
	return []Step{{Verb: Kill, Nodes: node, For: g.between(200, 2000)}, damage}
}

// lostTail has one node away while others write, then the end of another one's log rot,
// and a leader go: who has less than was acknowledged may not choose the next one.
func (g *generator) lostTail() []Step {
	node := pick(g, g.fragile...)
	away, missed, down := g.nodeBut(node), g.between(200, 2000), g.between(50, 500)
	leaves := Step{Verb: pick(g, Isolate, Pause, Kill), Nodes: named(away), For: missed + g.between(0, down)}
	elects := g.election(g.group())
	elects.At = missed + g.between(0, down)
	return []Step{leaves,
		{At: missed, Verb: Kill, Nodes: named(node), For: down},
		{At: missed + 1, Verb: Clear, Bytes: 1 << g.upTo(12), File: WAL, Nodes: named(node)},
		elects}
}

// lateAgain has clocks jump and leaders go while answers are lost: what is sent again may
// come so late, by the log's time, that nobody remembers the first time.
func (g *generator) lateAgain() []Step {
	group := g.group()
	lossy := Step{Verb: Drop, Share: g.share(60), Links: Links{Form: Everywhere}, For: g.between(1000, 4000)}
	jump := Step{At: g.between(0, lossy.For), Verb: SetClock, Offset: g.offset(), For: g.between(500, 20_000)}
	jump.Nodes = pick(g, Target{Role: Leader, Group: group}, Target{Role: Follower, Group: group}, named(g.node()))
	if g.percent(70) {
		jump.Offset = g.between(1, 12) * 3_600_000
	}
	elects := g.election(group)
	elects.At = jump.At + g.between(0, 500)
	return []Step{lossy, jump, elects}
}

// restartOnSlowLinks has nodes go down and come back while messages are long on their way:
// what a node asked for before is answered after it.
func (g *generator) restartOnSlowLinks() []Step {
	node := g.node()
	links := pick(g, Links{Form: Everywhere}, Links{Form: Around, A: g.nodes()}, Links{Form: ToOne, A: g.nodes()}, Links{Form: ToOne, A: named(node)})
	slow := Step{Verb: Delay, Delay: g.span(1500), Links: links, For: g.between(1000, 5000)}
	steps := []Step{slow}
	for at := g.between(0, 1500); at < slow.For; at += g.between(200, 1500) {
		down := Step{At: at, Verb: Kill, Nodes: named(node), For: min(g.down(), 1000)}
		if g.percent(50) {
			down.Verb, down.Boundary, down.Loss = Crash, pick(g, AfterAppend, BeforeReply, AfterReply), g.loss()
		}
		steps = append(steps, down)
	}
	return steps
}

// nodes returns one node, by name or by role.
func (g *generator) nodes() Target {
	switch {
	case g.percent(50):
		return named(g.node())
	case g.percent(60):
		return Target{Role: Leader, Group: g.group()}
	}
	if g.plan.Copies < 2 {
		return named(g.node())
	}
	return Target{Role: Follower, Group: g.group()}
}

// links returns links of all forms, half of them one way between two nodes.
func (g *generator) links() Links {
	a := g.node()
	b := g.nodeBut(a)
	switch {
	case g.percent(50):
		return Links{OneWay, named(a), named(b)}
	case g.percent(30):
		return Links{Between, named(a), named(b)}
	case g.percent(30):
		return Links{Form: Around, A: g.nodes()}
	case g.percent(50):
		return Links{Form: pick(g, FromOne, ToOne), A: g.nodes()}
	}
	return Links{Form: Everywhere}
}

func (g *generator) loss() Loss { return pick(g, LoseAll, LoseAll, LoseSome, LoseNothing) }

func (g *generator) span(most flotilla.Millis) Span {
	least := g.between(1, most/2)
	return pick(g, Span{least, least}, Span{least, g.between(least, most)})
}

// offset is mostly less than what a lease could bear, now and then hours.
func (g *generator) offset() flotilla.Millis {
	sign := pick(g, flotilla.Millis(1), -1)
	if g.percent(80) {
		return sign * g.between(1, 5000)
	}
	return sign * g.between(60_000, 3*3_600_000)
}

func (g *generator) drift() int { return pick(g, 1, -1) * (1 + g.upTo(9999)) }

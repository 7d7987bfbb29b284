package sim

import (
	"math/rand/v2"
	"time"

	"flotilla"
	"flotilla/scenario"
)

// Executor says what of a plan simulated nodes with such disks can do.
func Executor(tier Tier) scenario.Executor {
	if tier == Pebble {
		return scenario.VirtualPebble()
	}
	return scenario.Virtual()
}

// RandomPlan draws the plan of a seed. It is a text like any other: played with the same
// seed on the same tier it gives the same life. One in four demands liveness.
func RandomPlan(seed uint64, length time.Duration, tier Tier) *scenario.Plan {
	if isDense(seed) {
		return random(seed, length/denseShorter, tier, hurried)
	}
	return random(seed, length, tier, unhurried)
}

func random(seed uint64, length time.Duration, tier Tier, think flotilla.Millis) *scenario.Plan {
	return scenario.Random(seed, scenario.Options{
		Mode: scenario.RandomMode(seed), Duration: max(millisOf(length), 1), Think: scenario.Span{Most: think}, Executor: Executor(tier),
	})
}

// RandomQueuePlan is RandomPlan with clients of queues; a third of the plans also purge
// queues and move dead messages. None is dense: to judge one takes seconds.
func RandomQueuePlan(seed uint64, length time.Duration, tier Tier) *scenario.Plan {
	p := random(seed, length, tier, unhurried)
	p.Workload.Load = []scenario.Part{{Operation: scenario.Send, Share: 25_00}, {Operation: scenario.Work, Share: 75_00}}
	if seed%3 == 0 {
		p.Workload.Load = []scenario.Part{{Operation: scenario.Send, Share: 25_00}, {Operation: scenario.Work, Share: 72_00},
			{Operation: scenario.Redrive, Share: 2_00}, {Operation: scenario.Purge, Share: 1_00}}
	}
	return p
}

// How long clients of random plans wait at most between two operations. What is found is mostly
// found by many lives, and not by many operations in one. Dense lives are for what needs many at a
// time: they cost as many times more in the same time as they are shorter.
const (
	unhurried    flotilla.Millis = 500
	hurried      flotilla.Millis = 10
	denseShorter                 = 10
	denseOneOf                   = 8
)

// isDense draws one seed of eight of those whose plans do not demand liveness (who starves does so
// for longer than a dense life takes), which is one in ten of all.
func isDense(seed uint64) bool {
	const stream = 0x64656e7365 // this use of the seed, apart from all others
	return scenario.RandomMode(seed) != scenario.Liveness && rand.New(rand.NewPCG(seed, stream)).IntN(denseOneOf) == 0
}

func millisOf(d time.Duration) flotilla.Millis { return flotilla.Millis(d / time.Millisecond) }

func durationOf(m flotilla.Millis) time.Duration { return time.Duration(m) * time.Millisecond }

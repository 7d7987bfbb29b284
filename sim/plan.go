package sim

import (
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
	return scenario.Random(seed, scenario.Options{
		Mode: scenario.RandomMode(seed), Duration: max(millisOf(length), 1), Think: pace(), Executor: Executor(tier),
	})
}

// RandomQueuePlan is RandomPlan with clients of queues; a third of the plans also purge
// queues and move dead messages.
func RandomQueuePlan(seed uint64, length time.Duration, tier Tier) *scenario.Plan {
	p := RandomPlan(seed, length, tier)
	p.Workload.Load = []scenario.Part{{Operation: scenario.Send, Share: 25_00}, {Operation: scenario.Work, Share: 75_00}}
	if seed%3 == 0 {
		p.Workload.Load = []scenario.Part{{Operation: scenario.Send, Share: 25_00}, {Operation: scenario.Work, Share: 72_00},
			{Operation: scenario.Redrive, Share: 2_00}, {Operation: scenario.Purge, Share: 1_00}}
	}
	return p
}

// pace is how long clients of random plans wait between two operations: what is found is
// found by many lives, and not by many operations in one.
func pace() scenario.Span { return scenario.Span{Least: 0, Most: 500} }

func millisOf(d time.Duration) flotilla.Millis { return flotilla.Millis(d / time.Millisecond) }

func durationOf(m flotilla.Millis) time.Duration { return time.Duration(m) * time.Millisecond }

package sim

import (
	"testing"
	"time"
)

// TestQueuesKeepTheirPromises: longer with -first and -seeds, as TestRunFindsNothing.
func TestQueuesKeepTheirPromises(t *testing.T) {
	counts := Counts{}
	for _, tier := range tiers() {
		begin := time.Now()
		for seed := *firstSeed; seed < *firstSeed+*seedCount; seed++ {
			r := Run(Options{Seed: seed, Disk: tier, IsOfQueues: true})
			counts.Add(r.Counts)
			if !r.OK() {
				t.Errorf("%s seed %d: %v\n%v", tier, seed, r.Faults, r.Plan)
			}
		}
		t.Logf("%s: %.0f seeds a minute", tier, float64(*seedCount)/time.Since(begin).Minutes())
	}
	t.Log(counts)
}

// TestSameSeedSameQueues: nothing in the queues depends on chance or time that we do not hold.
func TestSameSeedSameQueues(t *testing.T) {
	for _, tier := range tiers() {
		for seed := *firstSeed; seed < *firstSeed+*seedCount; seed++ {
			o := Options{Seed: seed, Disk: tier, Length: 20 * time.Second, IsOfQueues: true}
			if first, second := Run(o), Run(o); first.Trace != second.Trace {
				t.Errorf("%s: seed %d gave %x and %x", tier, seed, first.Trace, second.Trace)
			}
		}
	}
}

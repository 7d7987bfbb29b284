package lab

import (
	"testing"

	"flotilla"
	"flotilla/scenario"
)

// TestSeries: plans of one to two minutes, of seeds in a row, that make up the time; and
// what is that short is one plan.
func TestSeries(t *testing.T) {
	lengths := map[flotilla.Millis]bool{}
	for _, whole := range []flotilla.Millis{1, 30_000, 120_000, 120_001, 150_000, 179_999, 600_000, scenario.MaxDuration} {
		for seed := range uint64(20) {
			draws, sum := Series(seed, whole), flotilla.Millis(0)
			for i, d := range draws {
				if d.Seed != seed+uint64(i) {
					t.Errorf("%d ms from seed %d: plan %d is of seed %d", whole, seed, i, d.Seed)
				}
				if sum += d.Length; len(draws) > 1 && (d.Length < 60_000 || d.Length > 120_000) {
					t.Errorf("%d ms from seed %d: plan %d lasts %d ms", whole, seed, i, d.Length)
				}
				lengths[d.Length] = true
			}
			if sum != whole || (len(draws) == 1) != (whole <= 120_000) {
				t.Errorf("%d ms from seed %d: %d plans of %d ms together", whole, seed, len(draws), sum)
			}
		}
	}
	if len(lengths) < 5 {
		t.Errorf("only these lengths were drawn: %v", lengths)
	}
}

// TestRandomPlansOfBothModes: one in four demands liveness, and real processes can play each.
func TestRandomPlansOfBothModes(t *testing.T) {
	modes := map[scenario.Mode]int{}
	for seed := range uint64(40) {
		for _, powerCuts := range []bool{false, true} {
			plan := RandomPlan(seed, 60_000, powerCuts)
			modes[plan.Mode]++
			if err := Executor(powerCuts).CanPlay(plan); err != nil {
				t.Errorf("seed %d: %v", seed, err)
			}
		}
	}
	if modes[scenario.Liveness] != 20 || modes[scenario.Safety] != 60 {
		t.Errorf("of 80 plans: %v", modes)
	}
}

package sim

import (
	"testing"

	"flotilla/scenario"
)

// TestEffectsAreOfTheirTrouble: what an order comes to is counted where it happens, and not where
// there was no such order. An order that does nothing any more would be missed.
func TestEffectsAreOfTheirTrouble(t *testing.T) {
	for _, c := range []struct {
		steps  string
		brings []string
	}{
		{"at 1s transfer group 1", nil},
		{"at 1s isolate n1 for 2s", []string{frameCut}},
		{"at 1s partition n1 n2 for 2s", []string{frameCut}},
		{"at 1s cut from n1 to n2 for 2s", []string{frameCut}},
		{"at 1s drop 20% everywhere for 2s", []string{frameLost}},
		{"at 1s delay 100ms to 200ms everywhere for 2s", []string{frameLate}},
		{"at 1s duplicate 20% everywhere for 2s", []string{frameDoubled}},
		{"at 1s reorder 20% everywhere for 2s", []string{frameOvertaken}},
		{"at 1s pause n1 for 2s", []string{frameHeldUp, turnHeldUp}},
		{"at 1s slow disk of n1 by 20ms to 30ms for 2s", []string{writeSlowed}},
		{"every 1s crash n1 after append losing unsynced for 50ms", []string{writesLost}},
		{"at 1s set clock of n1 3s ahead for 2s", []string{clockAhead}},
		{"at 1s set clock of n1 3s behind for 2s", []string{clockBehind}},
		{"at 1s run clock of n1 5000ppm fast for 2s", []string{clockDrifting}},
	} {
		plan, err := scenario.Parse("name one\nfor 5s\nthink 0s to 50ms\nload set 50% get 50% over 5 keys\n" + c.steps)
		if err != nil {
			t.Fatal(err)
		}
		for _, tier := range tiers() {
			r := Run(Options{Plan: plan, Disk: tier})
			if !r.OK() {
				t.Errorf("%s: %s: %v", tier, c.steps, r.Faults)
			}
			brings := map[string]bool{}
			for _, what := range c.brings {
				brings[what] = true
			}
			for _, what := range effectsOfTrouble() {
				if came := r.Counts[what]; came > 0 != brings[what] {
					t.Errorf("%s: %s: %s: %d", tier, c.steps, what, came)
				}
			}
		}
	}
}

package sim

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// A longer hunt: go test ./sim -run TestRunFindsNothing -first 1000 -seeds 5000
var (
	firstSeed = flag.Uint64("first", 0, "the first seed of TestRunFindsNothing")
	seedCount = flag.Uint64("seeds", 6, "how many seeds TestRunFindsNothing tries on each disk")
	tierFlag  = flag.String("disk", "", "only this disk")
)

func TestRunFindsNothing(t *testing.T) {
	counts := Counts{}
	for _, tier := range []Tier{Memory, Pebble} {
		if *tierFlag != "" && *tierFlag != string(tier) {
			continue
		}
		begin := time.Now()
		for seed := *firstSeed; seed < *firstSeed+*seedCount; seed++ {
			r := Run(Options{Seed: seed, Disk: tier, Length: time.Minute})
			counts.Add(r.Counts)
			if !r.OK() {
				t.Errorf("%s seed %d: %v\n%v", tier, seed, r.Faults, r.Plan)
			}
		}
		t.Logf("%s: %.0f seeds a minute", tier, float64(*seedCount)/time.Since(begin).Minutes())
	}
	t.Log(counts)
}

// TestSameSeedSameLife: nothing in a node depends on chance or time that we do not hold.
func TestSameSeedSameLife(t *testing.T) {
	for _, tier := range []Tier{Memory, Pebble} {
		seen := map[uint64]bool{}
		for seed := range uint64(2) {
			first, second := Run(Options{Seed: seed, Disk: tier, Length: 20 * time.Second}), Run(Options{Seed: seed, Disk: tier, Length: 20 * time.Second})
			if first.Trace != second.Trace {
				t.Errorf("%s: seed %d gave %x and %x", tier, seed, first.Trace, second.Trace)
			}
			if seen[first.Trace] {
				t.Errorf("%s: two seeds gave the same life", tier)
			}
			seen[first.Trace] = true
		}
	}
}

// TestRegressions runs seeds again that once found something.
func TestRegressions(t *testing.T) {
	text, err := os.ReadFile("testdata/regressions.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		var tier string
		var seed uint64
		if _, err := fmt.Sscan(line, &tier, &seed); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if r := Run(Options{Seed: seed, Disk: Tier(tier)}); !r.OK() {
			t.Errorf("%s: %v", line, r.Faults)
		}
	}
}

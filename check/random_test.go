package check

import (
	"testing"
)

// judgeAll asks every checker about what a toy cluster did.
func judgeAll(c *toyCluster, steps int) map[string]Verdict {
	history := c.run(steps)
	return map[string]Verdict{
		"linearizable": linearizable(history, EnoughSteps, shortestStretch),
		"cut":          linearizable(history, EnoughSteps, 1),
		"durable":      Durable(history, c.final()),
		"eventual":     Eventual(history),
		"bounded":      Bounded(history),
		"session":      Session(history),
	}
}

func TestNobodyIsAccusedWrongly(t *testing.T) {
	seeds := uint64(300)
	if testing.Short() {
		seeds = 50
	}
	for seed := range seeds {
		for name, v := range judgeAll(newToyCluster(seed, "", 2+int(seed%4)), 60+int(seed%5)*40) {
			if !v.OK() {
				t.Fatalf("seed %d: all was right, and %s says %v", seed, name, v)
			}
		}
	}
}

// TestEachBrokenRuleIsFound breaks one rule in each history, a few times. Not every
// break can be seen; most must be.
func TestEachBrokenRuleIsFound(t *testing.T) {
	const seeds = 100
	tests := []struct {
		rule  string
		by    []string // the checkers that look for it: one of them is enough
		least int      // of the seeds in which it was broken, in percent
	}{
		{"forget", []string{"linearizable", "durable"}, 70},
		{"twice", []string{"linearizable"}, 40},
		{"refused", []string{"linearizable", "durable"}, 60},
		{"half", []string{"linearizable", "durable"}, 60},
		{"session", []string{"session"}, 60},
		{"bounded", []string{"bounded"}, 80},
		{"mixture", []string{"eventual"}, 60},
		{"disorder", []string{"eventual"}, 60},
		{"invented", []string{"eventual"}, 100},
	}
	for _, test := range tests {
		t.Run(test.rule, func(t *testing.T) {
			broken, found := 0, 0
			for seed := range uint64(seeds) {
				c := newToyCluster(seed, test.rule, 3)
				verdicts := judgeAll(c, 120)
				if !c.isBroken {
					continue
				}
				broken++
				for _, by := range test.by {
					if !verdicts[by].OK() {
						found++
						break
					}
				}
			}
			t.Logf("found in %d of %d histories", found, broken)
			if broken < 10 || found*100 < test.least*broken {
				t.Errorf("found in %d of %d histories, want %d %%", found, broken, test.least)
			}
		})
	}
}

package scenario

import (
	"strings"
	"testing"
)

// TestEffectsThatAreDemanded: too few are told, and what was not counted is said to be not judged.
func TestEffectsThatAreDemanded(t *testing.T) {
	const text = "name x\nfor 9s\ndemand lost frames at least 3 new copies at least 1 slow writes at least 2"
	p, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	requireSame(t, p)
	e := Effects{Elections: 4, LostFrames: 2, NewCopies: 1}
	if few := p.Demand.TooFew(e); len(few) != 1 || few[0] != "nothing was tested: there were 2 lost frames, and at least 3 are demanded" {
		t.Errorf("%q", few)
	}
	if not := p.Demand.Uncounted(e); len(not) != 1 || !strings.Contains(not[0], "at least 2 slow writes; only the simulator") {
		t.Errorf("%q", not)
	}
	if got := e.String(); got != "4 elections, 2 lost frames, 1 new copy" {
		t.Error(got)
	}
}

// TestDemandsThatNobodyCouldMiss are refused, with what would be right.
func TestDemandsThatNobodyCouldMiss(t *testing.T) {
	for _, c := range []struct{ lines, says string }{
		{"clients 1\nthink 19s\ndemand silence below 1s", "nobody would notice"},
		{"think 1s\ndemand silence below 2s", "may take 1050ms"},
		{"mode liveness without n3\nthink 5s", "no silence of 10s is allowed"},
		{"demand refusals at most 1", "bound"},
		{"demand lost at least 1", "frames"},
		{"demand quarantines at least 1 quarantines at least 2", "named twice"},
		{"demand elections at least 3 elections at most 2", "the smaller number"},
	} {
		if _, err := Parse("name x\nfor 60s\n" + c.lines); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", c.lines, err)
		}
	}
}

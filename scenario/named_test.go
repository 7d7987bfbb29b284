package scenario

import (
	"strings"
	"testing"
)

// TestNamedPlans: each says what it teaches, is sound, and can be played by one of
// the simulator's two kinds at least.
func TestNamedPlans(t *testing.T) {
	if len(Names()) < 14 {
		t.Fatalf("there are %d plans only", len(Names()))
	}
	hasVerb := map[Verb]bool{}
	for _, name := range Names() {
		p, err := Load(name)
		if err != nil {
			t.Error(err)
			continue
		}
		requireSame(t, p)
		if p.Name != name || p.Teaches == "" || len(p.Steps) == 0 {
			t.Errorf("%s.txt: its name is %q, it teaches %q, it has %d steps", name, p.Name, p.Teaches, len(p.Steps))
		}
		if Virtual().CanPlay(p) != nil && VirtualPebble().CanPlay(p) != nil {
			t.Errorf("%s: no simulator can play it: %v, %v", name, Virtual().CanPlay(p), VirtualPebble().CanPlay(p))
		}
		if text, err := Text(name); err != nil || !strings.HasPrefix(text, "# ") {
			t.Errorf("%s: its text does not begin with what happens: %v", name, err)
		}
		if p.hasMoments() != p.Demand.Moments {
			t.Errorf("%s: it waits for moments, and does not demand them", name)
		}
		for _, s := range p.Steps {
			hasVerb[s.Verb] = true
		}
	}
	for _, v := range []Verb{Kill, Crash, Wipe, Start, Restart, Pause, Isolate, Partition, Cut, Drop, Delay, Duplicate, Reorder, Heal,
		SlowDisk, FillDisk, Flip, Clear, SetClock, RunClock, Transfer} {
		if !hasVerb[v] {
			t.Errorf("no plan shows %s", v)
		}
	}
}

func TestWrongNameIsAnswered(t *testing.T) {
	_, err := Load("leader-kiled")
	if err == nil || !strings.Contains(err.Error(), "did you mean leader-killed?") {
		t.Errorf("the answer is %v", err)
	}
}

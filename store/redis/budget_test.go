package redis

import "testing"

// Connections share a budget; one alone may exceed it; all is given back.
func TestBudgetIsSharedAndGivenBack(t *testing.T) {
	b := &budget{bytes: 1000}
	one, other := &account{budget: b}, &account{budget: b}
	for i, step := range []struct {
		account *account
		bytes   int
		want    bool
	}{{one, 5000, true}, {other, 1, false}, {one, 5000, true}, {other, 100, false}} {
		if got := step.account.charge(step.bytes); got != step.want {
			t.Errorf("step %d: %v", i, got)
		}
	}
	one.giveBack()
	if !other.charge(100) || !one.charge(100) || other.charge(400) {
		t.Errorf("%d are in use after the large reply went out", b.used.Load())
	}
	one.giveBack()
	other.giveBack()
	if used := b.used.Load(); used != 0 {
		t.Errorf("%d were not given back", used)
	}
}

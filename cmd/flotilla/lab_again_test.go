package main

import "testing"

// TestToPlayItAgain: the command that is told is one that a shell takes, and plays the same.
func TestToPlayItAgain(t *testing.T) {
	o := &labOptions{seed: 7, portOffset: 1500, powerCuts: true}
	for name, want := range map[string]string{
		"leader-killed":  "flotilla lab run leader-killed --seed 7 --port-offset 1500 --power-cuts",
		"./my plan.txt":  "flotilla lab run './my plan.txt' --seed 7 --port-offset 1500 --power-cuts",
		"it's a plan":    `flotilla lab run 'it'\''s a plan' --seed 7 --port-offset 1500 --power-cuts`,
		"$(a)/plan-1.tx": "flotilla lab run '$(a)/plan-1.tx' --seed 7 --port-offset 1500 --power-cuts",
	} {
		if got := o.named(name, nil).again; got != want {
			t.Errorf("%s: %s", name, got)
		}
	}
}

package main

import (
	"testing"
	"time"
)

// TestThreadsFollowTheLoad: busy at once, calm only after a while.
func TestThreadsFollowTheLoad(t *testing.T) {
	l := load{at: time.Unix(0, 0)}
	now, used := l.at, 0.0
	step := func(share float64) int {
		now, used = now.Add(loadInterval), used+share*loadInterval.Seconds()
		return l.threads(now, used, 4)
	}
	if got := step(0.1); got != 1 {
		t.Errorf("a calm node has %d threads", got)
	}
	if got := step(0.5); got != 4 {
		t.Errorf("a busy node has %d threads", got)
	}
	for i := range calmCount - 1 {
		if got := step(0.1); got != 4 {
			t.Fatalf("%d calm moments after a busy one there are %d threads", i+1, got)
		}
	}
	if got := step(0.3); got != 4 {
		t.Errorf("something between calm and busy changed the threads to %d", got)
	}
	for range calmCount - 1 {
		step(0)
	}
	if got := step(0); got != 1 {
		t.Errorf("a node that has become calm has %d threads", got)
	}
	if got := step(0.34); got != 4 {
		t.Errorf("a node that is busy again has %d threads", got)
	}
}

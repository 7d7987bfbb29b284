package bench

import (
	"context"
	"strings"
	"testing"
	"time"
)

// TestCompareTakesTurns: both get the same load, and the order changes.
func TestCompareTakesTurns(t *testing.T) {
	a, b := startTiny(t, nil), startTiny(t, nil)
	first, second := short(a.addr()), short(b.addr())
	first.Duration, second.Duration = 30*time.Millisecond, 30*time.Millisecond
	c, err := Compare(context.Background(), first, second, 3)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.First) != 3 || len(c.Second) != 3 || c.Speed <= 0 {
		t.Fatalf("3 rounds gave %d and %d reports, ratio %v", len(c.First), len(c.Second), c.Speed)
	}
	if a.count("SET") == 0 || b.count("SET") == 0 {
		t.Error("one of the two had nothing to do")
	}
	var text strings.Builder
	if err := c.Print(&text); err != nil || strings.Count(text.String(), "operations a second") != 2 {
		t.Errorf("%v, it prints:\n%s", err, text.String())
	}
}

func TestCompareSaysWhatItCanNotDo(t *testing.T) {
	a := startTiny(t, nil)
	for _, rounds := range []int{0, MaxRounds + 1} {
		if _, err := Compare(context.Background(), short(a.addr()), short(a.addr()), rounds); err == nil || !strings.Contains(err.Error(), "rounds") {
			t.Errorf("%d rounds: %v", rounds, err)
		}
	}
	refusing := startTiny(t, func(s *tinyServer) { s.refuses = func(string) string { return "NO" } })
	quick := short(refusing.addr())
	quick.Duration = 20 * time.Millisecond
	if _, err := Compare(context.Background(), short(a.addr()), quick, 1); err == nil {
		t.Error("a server that refuses everything was compared")
	}
}

func TestRatiosAreMediansOfPairs(t *testing.T) {
	cpu := func(v float64) *float64 { return &v }
	run := func(speed, cost float64) Report {
		return Report{Figures: Figures{Operations: 1, PerSecond: speed, ServerCPU: cpu(cost)}}
	}
	c := Comparison{First: []Report{run(10, 1), run(100, 2), run(30, 9)}, Second: []Report{run(5, 1), run(20, 1), run(10, 3)}}
	if err := c.finish(); err != nil || c.Speed != 3 || *c.ServerCPU != 2 {
		t.Errorf("ratios %v and %v, %v", c.Speed, *c.ServerCPU, err)
	}
	if got := median([]float64{4, 1, 3, 2}); got != 2.5 {
		t.Errorf("the median of 1 to 4 is %v", got)
	}
}

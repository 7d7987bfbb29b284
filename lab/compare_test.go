package lab

import (
	"errors"
	"strings"
	"testing"
	"time"

	"flotilla"
	"flotilla/cluster"
	"flotilla/scenario"
	"flotilla/supervisor"
)

func TestDifferences(t *testing.T) {
	answer := func(node flotilla.NodeID, applied uint64, hash string) supervisor.Answer {
		return supervisor.Answer{Status: &cluster.Status{Node: node, Groups: []cluster.GroupStatus{
			{Group: 1, IsHere: true, Applied: applied, Hash: hash}, {Group: 2}}}}
	}
	for _, c := range []struct {
		name               string
		answers            []supervisor.Answer
		compared           int
		different, missing string
	}{
		{"the same", []supervisor.Answer{answer(1, 7, "a"), answer(2, 7, "a"), answer(3, 7, "a")}, 3, "", ""},
		{"not the same", []supervisor.Answer{answer(1, 7, "a"), answer(2, 7, "a"), answer(3, 7, "b")}, 3, "g1 on n1 and n3 differ, though both are at index 7", ""},
		{"not as far", []supervisor.Answer{answer(1, 7, "a"), answer(2, 8, "b")}, 0, "", "n2 has applied 8 entries of g1, and n1 7"},
		{"no hash", []supervisor.Answer{answer(1, 7, "")}, 0, "", "n1 tells no hash of g1"},
		{"no answer", []supervisor.Answer{answer(1, 7, "a"), {Err: errors.New("away")}}, 0, "", "away"},
	} {
		compared, different, missing := differences(c.answers)
		if compared != c.compared || (c.different == "") != (len(different) == 0) || missing != c.missing {
			t.Errorf("%s: compared %d, different %q, missing %q", c.name, compared, different, missing)
		}
		if c.different != "" && !strings.Contains(strings.Join(different, ""), c.different) {
			t.Errorf("%s: %q", c.name, different)
		}
	}
}

// TestVerdictsTellSlowFromWrong: what took too long is a broken promise unless the
// machine was too busy, and what was wrong always is.
func TestVerdictsTellSlowFromWrong(t *testing.T) {
	busyFor := func(worst, sum time.Duration) string {
		return (&busy{began: time.Now().Add(-100 * time.Second), worst: worst, sum: sum}).wasTooBusy()
	}
	for _, c := range []struct {
		name   string
		result Result
		want   string
	}{
		{"all well", Result{Busy: busyFor(time.Second, 0)}, "KEPT: every promise"},
		{"late on a calm machine", Result{Late: []string{"late"}, Busy: busyFor(400*time.Millisecond, 20*time.Second)}, "BROKEN: 1 promises\n- late"},
		{"late where something waited for long", Result{Late: []string{"late"}, Busy: busyFor(600*time.Millisecond, 0)}, "SLOW: nothing that was told was wrong"},
		{"late where something waited often", Result{Late: []string{"late"}, Busy: busyFor(0, 30*time.Second)}, "SLOW: nothing that was told was wrong"},
		{"wrong, and late", Result{Faults: []string{"wrong"}, Late: []string{"late"}, Busy: busyFor(time.Second, 0)}, "BROKEN: 2 promises\n- wrong\n- late"},
	} {
		if got := c.result.String(); !strings.HasPrefix(got, c.want) {
			t.Errorf("%s: %s", c.name, got)
		}
		if c.result.OK() != strings.HasPrefix(c.want, "KEPT") || c.result.IsSlow() != strings.HasPrefix(c.want, "SLOW") {
			t.Errorf("%s: OK %v, slow %v", c.name, c.result.OK(), c.result.IsSlow())
		}
	}
}

func TestHowFarClocksRunApart(t *testing.T) {
	p, err := scenario.Parse("name x\nfor 100s\nat 1s set clock of n1 3s ahead\nat 2s run clock of n1 50000ppm fast")
	if err != nil {
		t.Fatal(err)
	}
	if apart := drift(p); apart != 100_000 {
		t.Errorf("clocks run %d ppm apart", apart)
	}
}

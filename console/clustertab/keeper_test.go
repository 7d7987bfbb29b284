package clustertab

import (
	"testing"
	"time"

	"flotilla"
	"flotilla/cluster"
)

// TestKeeperKeepsAnHour and no more, the newest.
func TestKeeperKeepsAnHour(t *testing.T) {
	k := &Keeper{}
	for i := range int64(keptSamples + 5) {
		k.keep(Sample{AtMs: i})
	}
	if hour := k.Hour(); len(hour) != keptSamples || hour[0].AtMs != 5 || hour[keptSamples-1].AtMs != keptSamples+4 {
		t.Fatalf("%d samples, from %d", len(hour), hour[0].AtMs)
	}
}

// TestSampleIsOfItsTime: what was before it does not count.
func TestSampleIsOfItsTime(t *testing.T) {
	observed := func(seconds ...float64) flotilla.Histogram {
		h := flotilla.NewHistogram(flotilla.LatencyBounds())
		for _, s := range seconds {
			h.Observe(s)
		}
		return h
	}
	a := totals{at: time.Unix(10, 0), commands: 100, writes: observed(1, 1, 1)}
	b := totals{at: time.Unix(20, 0), commands: 150, errors: 10, writes: observed(1, 1, 1, .00009, .00009, .00009, 1000), lag: 3}
	s := between(a, b)
	last := flotilla.LatencyBounds()
	if s.Commands != 5 || s.Errors != 1 || s.WriteHalf != 100 || s.WriteSlow != int64(last[len(last)-1]*1e6) || s.ReadHalf != 0 || s.Lag != 3 {
		t.Fatalf("%+v", s)
	}
}

// TestLagOfTheSlowest: a follower that its leader has not heard of yet says nothing.
func TestLagOfTheSlowest(t *testing.T) {
	unheard, near, far := cluster.FollowerStatus{}, cluster.FollowerStatus{Lag: new(uint64(0))}, cluster.FollowerStatus{Lag: new(uint64(7))}
	for _, c := range []struct {
		groups [][]cluster.FollowerStatus
		want   int64
	}{
		{nil, 0},
		{[][]cluster.FollowerStatus{{}}, 0},
		{[][]cluster.FollowerStatus{{unheard}}, -1},
		{[][]cluster.FollowerStatus{{near, unheard}, {unheard}}, 0},
		{[][]cluster.FollowerStatus{{near, far}, {near, unheard}}, 7},
	} {
		var groups []cluster.GroupStatus
		for _, f := range c.groups {
			groups = append(groups, cluster.GroupStatus{Followers: f})
		}
		if got := slowest(groups); got != c.want {
			t.Errorf("of %+v: %d, want %d", c.groups, got, c.want)
		}
	}
}

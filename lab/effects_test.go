package lab

import (
	"fmt"
	"strings"
	"testing"

	"flotilla"
)

func TestMetricsOf(t *testing.T) {
	page := "# HELP flotilla_transport_dropped_by_fault_total Frames.\n" + faultMetric + "peer=\"2\"} 40\n" +
		faultMetric + "peer=\"3\"} 2\nflotilla_transport_dropped_full_total{peer=\"2\"} 7\n"
	if got := metricsOf(strings.NewReader(page), faultMetric); got != 42 {
		t.Error(got)
	}
}

func TestWhatARefusalIs(t *testing.T) {
	for _, c := range []struct {
		err  error
		want bool
	}{
		{nil, false},
		{reply("OOM command not allowed: no room"), true},
		{reply("CLUSTERDOWN The cluster is down: " + string(flotilla.NoQuorum) + "; the command was not carried out"), true},
		{reply("CLUSTERDOWN The cluster is down: the node is stopping; the command was not carried out"), false},
		{reply("TRYAGAIN too old; the command was not carried out"), false},
		{fmt.Errorf("dial: %s", flotilla.NoQuorum), false},
	} {
		if got := isRefusal(c.err); got != c.want {
			t.Errorf("%v: %v", c.err, got)
		}
	}
}

package supervisor

import (
	"fmt"
	"sort"
	"strconv"
	"strings"
	"testing"

	"flotilla"
	"flotilla/cluster"
	"flotilla/transport"

	"github.com/cockroachdb/datadriven"
)

// TestByHand reads testdata/byhand.txt: what is wrong with n1 of three nodes, which no
// supervisor keeps, after one request and the next.
func TestByHand(t *testing.T) {
	var now Faults
	datadriven.RunTest(t, "testdata/byhand.txt", func(t *testing.T, d *datadriven.TestData) string {
		r := Request{Verb: Verb(d.Cmd), IsOneWay: d.HasArg("one-way")}
		for _, arg := range d.CmdArgs {
			if id, err := strconv.Atoi(strings.TrimPrefix(arg.Key, "n")); err == nil {
				r.Nodes = append(r.Nodes, flotilla.NodeID(id))
			}
		}
		var delay, ahead, drift int
		d.MaybeScanArgs(t, "delay", &delay)
		d.MaybeScanArgs(t, "ahead", &ahead)
		d.MaybeScanArgs(t, "drift", &drift)
		r.DelayMillis, r.Clock = flotilla.Millis(delay), cluster.Skew{OffsetMillis: flotilla.Millis(ahead), DriftPPM: drift}
		before := fmt.Sprint(now)
		after, line, err := now.After(r, 1, []flotilla.NodeID{2, 3})
		if fmt.Sprint(now) != before {
			t.Errorf("%s: what was before was changed", d.Cmd)
		}
		if err != nil {
			return err.Error() + "\n"
		}
		now = after
		lines := []string{line}
		for way, all := range map[string]map[flotilla.NodeID]transport.Fault{"to": now.Outgoing, "from": now.Incoming} {
			for other, fault := range all {
				lines = append(lines, fmt.Sprintf("  %s %v: cut=%v delay=%dms", way, other, fault.Cut, fault.DelayMillis))
			}
		}
		sort.Strings(lines[1:])
		if now.Clock != (cluster.Skew{}) || now.DiskDelayMillis != 0 {
			lines = append(lines, fmt.Sprintf("  clock %d ms ahead, disk %d ms slow", now.Clock.OffsetMillis, now.DiskDelayMillis))
		}
		return strings.Join(lines, "\n") + "\n"
	})
}

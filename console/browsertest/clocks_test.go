package browsertest

import (
	"testing"

	"flotilla/lab/labtest"
)

// behindWrite is a write to n1, as n1 and n2 noted it: the clock of n2 is 5 ms behind. It took 0.2 ms
// each way, and 1 ms to the disk of n2. The answer of /api/follow is by the clock of n1.
const behindWrite = `
const t = 1700000000000000, note = (node, kind, at, stamp, peer) => ({node, kind, at_us: t + at, stamp: t + stamp, peer, what: 'n' + node + ' ' + kind});
window.notes = [note(1, 'taken', 100, 100), note(1, 'proposed', 200, 200), note(1, 'sent', 300, 300, 2), note(2, 'received', -4500, 301), note(2, 'synced', -3500, 302),
  note(2, 'acknowledged', -3450, 303, 1), note(1, 'counted', 1750, 1750, 2), note(1, 'committed', 1760, 1760), note(1, 'applied', 1800, 1800), note(1, 'answered', 1850, 1850)];
window.call = {call: 7, began_us: t, ended_us: t + 1900};
import('/static/write.js').then((m) => { window.write = m.assemble(notes, call); });
`

// TestAWriteAmongClocksThatDiffer: an effect stands after its cause though its node's clock is behind,
// and the page says so.
func TestAWriteAmongClocksThatDiffer(t *testing.T) {
	chromium(t)
	f := labtest.StartFleet(t, 1)
	b := open(t)
	b.visit(address(t, f, 1), 1280)
	b.js(behindWrite)
	b.until("the write is put together", "Boolean(window.write)")
	for expression, want := range map[string]string{
		`write.steps.map((s) => s.kind).join(' ')`:            "asked taken proposed sent received synced acknowledged counted committed applied answered done",
		`write.steps.find((s) => s.kind === 'received').text`: "n2 received; clocks differ: that of n2 is at least 4.80 ms behind that of n1",
		`write.steps.find((s) => s.kind === 'counted').text`:  "n1 counted",
		`write.messages.map((m) => m.behind ?? 0).join(' ')`:  "4800 0 0 0",
		`write.ends`: "1900",
	} {
		if got := b.text(expression); got != want {
			t.Errorf("%s is %q, want %q", expression, got, want)
		}
	}
}

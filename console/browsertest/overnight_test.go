package browsertest

import (
	"context"
	"strconv"
	"testing"

	"flotilla/lab/labtest"

	"github.com/chromedp/cdproto/heapprofiler"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// fakeStream stands in for the node's event stream: hours pass in seconds. Each call of
// hour() pushes what a node under some load pushes in an hour, and its clock goes on.
const fakeStream = `
window.EventSource = class extends EventTarget {
  constructor() { super(); this.readyState = 1; window.stream = this; setTimeout(() => this.onopen?.(), 0); }
};
let at = Date.now() * 1000, n = 0;
window.hour = () => {
  const push = (type, data) => stream.dispatchEvent(new MessageEvent(type, {data}));
  const node = (id) => ({node: id, host: '127.0.0.1', answers: true, state: 'running', faults: {}});
  for (let second = 0; second < 3600; second += 3) {
    at += 3e6;
    const notes = [];
    for (const kind of ['proposed', 'synced', 'counted', 'committed', 'heard', 'role']) {
      notes.push({stamp: at + notes.length, at_us: at, node: 1 + n % 3, seq: n, n: n++, kind, word: 'leader', group: 1, index: n, what: 'n' + n + ' did ' + kind});
    }
    push('picture', JSON.stringify({self: 1, has_lab: true, nodes: [node(1), node(2), node(3)], groups: [{group: 1, leader: 1, term: second, copies: []}]}));
    push('notes', JSON.stringify(notes));
    push('clock', String(at / 1000));
  }
  return n;
};
`

// TestAPageLeftOpenOvernight: however long a page is open, it keeps as much as before.
func TestAPageLeftOpenOvernight(t *testing.T) {
	chromium(t)
	f := labtest.StartFleet(t, 1)
	b := open(t)
	b.do("replace the stream", chromedp.ActionFunc(func(ctx context.Context) error {
		_, err := page.AddScriptToEvaluateOnNewDocument(fakeStream).Do(ctx)
		return err
	}))
	b.visit(address(t, f, 1), 1280)
	b.until("the page listens", "Boolean(window.stream)")
	hour := func() (bytes, elements int) { // the first collection leaves what finalizers still hold
		b.t.Helper()
		b.js(`hour()`)
		b.do("measure", heapprofiler.CollectGarbage(), heapprofiler.CollectGarbage(), chromedp.ActionFunc(func(ctx context.Context) error {
			used, _, _, _, err := runtime.GetHeapUsage().Do(ctx)
			bytes = int(used)
			return err
		}))
		elements, err := strconv.Atoi(b.text(`document.querySelectorAll('*').length`))
		if err != nil {
			t.Fatal(err)
		}
		return bytes, elements
	}
	for range 2 {
		hour()
	}
	firstBytes, firstElements := hour()
	lastBytes, lastElements := 0, 0
	for range 9 {
		lastBytes, lastElements = hour()
	}
	t.Logf("after 3 hours %d kB and %d elements, after 12 %d kB and %d", firstBytes/1000, firstElements, lastBytes/1000, lastElements)
	if lastBytes > firstBytes*5/4 || lastElements > firstElements*5/4 {
		t.Errorf("a page that was open for 12 hours has %d kB and %d elements; after 3 it had %d kB and %d", lastBytes/1000, lastElements, firstBytes/1000, firstElements)
	}
}

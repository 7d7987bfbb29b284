package browsertest

import (
	"testing"

	"flotilla/lab/labtest"
	"flotilla/supervisor"
)

// TestClusterTabAndLoad: the load runs through the door and loses nothing acknowledged over
// a leader's death; the tab shows every node's numbers, and which node does not answer.
func TestClusterTabAndLoad(t *testing.T) {
	chromium(t)
	f := labtest.StartFleet(t, 3)
	b := open(t)
	b.visit(address(t, f, 1), 1280)
	leader := b.agree(f)
	if leader == 1 { // the page must stay
		f.Request(supervisor.Request{Verb: supervisor.Transfer, Order: supervisor.Order{Group: 1, To: 2}})
		labtest.Eventually(t, patience, "another leads", func() bool { leader = f.Leader(1); return leader > 1 }, func() string { return "" })
	}
	b.js(`document.getElementById('load').requestSubmit()`)
	b.until("the load runs", `/^[1-9]\d* a second/.test(document.getElementById('load-say').textContent)`)
	// Who listens to the page hears that it runs, and not each second its numbers.
	b.js(`window.heard = {}; for (const e of document.querySelectorAll('[role=status]')) new MutationObserver(() => { heard[e.id] = (heard[e.id] ?? 0) + 1; }).observe(e, {childList: true, characterData: true, subtree: true});
		window.looks = 0; new MutationObserver(() => looks++).observe(document.getElementById('load-chart'), {childList: true})`)
	b.until("it goes on for some looks", "looks >= 5")
	if most := b.text(`Math.max(0, ...Object.values(heard)) > 2 ? JSON.stringify(heard) : ''`); most != "" {
		t.Errorf("within five looks it was said: %s", most)
	}
	f.Fault(supervisor.Kill, leader)
	b.until("another leads", `[...document.querySelectorAll('#picture .node.leads')].length === 1 && `+word(leader)+` === 'down'`)
	b.until("the load goes on", `/^[1-9]\d* a second/.test(document.getElementById('load-say').textContent)`)
	b.shoot("load")
	b.js(`document.getElementById('load-stop').click()`)
	b.until("its end is said aloud", `document.getElementById('load-heard').textContent === 'The load has ended.'`)
	b.until("nothing is missing", `/^Not running.*nothing acknowledged is missing/.test(document.getElementById('load-say').textContent)`)

	b.visit(address(t, f, 1)+"cluster", 1280)
	b.until("each node is there, one does not answer", `document.querySelectorAll('#nodes tbody tr').length === 3 && document.querySelectorAll('#nodes td.bad').length === 1`)
	b.until("the other two's copies are", `document.querySelectorAll('#copies tbody tr').length === 4`)
	value := func(name string) string {
		return `document.querySelector('#settings tr[data-setting="` + name + `"] td')?.innerText`
	}
	b.until("the settings of both are, apart where they differ", value("replicas")+` === '3' && /^n\d: \S+\nn\d: \S+$/.test(`+value("listen-store")+`)`)
	b.until("nothing differs that should not", `document.querySelectorAll('#settings .warn').length === 0`)
	b.until("there are samples", `Boolean(document.querySelector('#charts polyline')?.getAttribute('points'))`)
	b.shoot("cluster")
}

// TestStatesOfNodes: who is killed, who is cut off, and who is merely left alone by these two are told apart, and
// called alike by the picture's page and the tab.
func TestStatesOfNodes(t *testing.T) {
	chromium(t)
	f := labtest.StartFleet(t, 3)
	b := open(t)
	f.Fault(supervisor.Isolate, 1)
	f.Fault(supervisor.Kill, 2)
	b.visit(address(t, f, 3), 1280)
	b.until("the headline tells them apart", `document.getElementById('say').textContent.startsWith('n1 is cut off, n2 is down, n3 is alone;')`)
	b.until("the picture does", `document.getElementById('picture').getAttribute('aria-label') === 'Group 1: n1 runs, but is cut off; n2 killed; n3 runs, but is alone'`)
	b.visit(address(t, f, 3)+"cluster", 1280)
	b.until("the tab calls them the same", `[...document.querySelectorAll('#nodes tbody tr')].map((r) => r.cells[1].textContent).join('; ') === 'runs, but is cut off; ✕ killed; runs, but is alone'`)
}

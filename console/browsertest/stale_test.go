package browsertest

import (
	"fmt"
	"strings"
	"testing"

	"flotilla/lab/labtest"
	"flotilla/supervisor"
)

// TestThePagesOwnNodeIsKilled: the page says beforehand that it will go silent, shows what it drew
// as old, and where else to look. When the node is back, all is as before.
func TestThePagesOwnNodeIsKilled(t *testing.T) {
	chromium(t)
	f := labtest.StartFleet(t, 3)
	b := open(t)
	const own, other = 1, 2
	b.visit(address(t, f, own), 1280)
	b.agree(f)
	b.until("another node is chosen to be broken", `document.getElementById('fault').elements.node.value !== '1'`)
	b.js(fmt.Sprintf(`const f = document.getElementById('fault'); f.elements.node.value = '%d'; f.dispatchEvent(new Event('input', {bubbles: true}));`, own))
	b.until("it is said that the page goes silent", `document.getElementById('expect').textContent.includes('it goes silent until n1 is back')`)

	b.ask(supervisor.Kill, own)
	b.until("the picture is shown as old", `document.documentElement.classList.contains('stale')`)
	b.until("the headline says why", `/^n1, which this page came from, does not answer: what is drawn is as of \d\d:\d\d:\d\d\./.test(document.getElementById('say').textContent)`)
	b.until("another node's page is offered", fmt.Sprintf(`document.querySelector('#say a[href="%s"]') !== null`, address(t, f, other)))
	b.until("the timeline does not speak of peace", `document.getElementById('events').textContent.includes('is not known here')`)
	b.js(`document.getElementById('follow').requestSubmit()`)
	b.until("a write says that the node does not answer", `document.getElementById('verdict').textContent.includes('does not answer: whether it did')`)
	if seen := b.text(`document.body.innerText`); strings.Contains(seen, "Failed to fetch") {
		t.Errorf("the page says: %s", seen)
	}
	b.shoot("stale")

	f.Fault(supervisor.Restart, own)
	b.until("the page is live again", `!document.documentElement.classList.contains('stale') && document.getElementById('link').textContent === 'live'`)
	b.until("the headline, too", `document.getElementById('say').textContent.startsWith('All ')`)

	f.Fault(supervisor.Pause, own)
	b.until("a node that keeps its connections, but is silent, is old, too", `document.documentElement.classList.contains('stale')`)
	f.Fault(supervisor.Resume, own)
	b.until("the page is live once more", `!document.documentElement.classList.contains('stale')`)
	b.forgive("net::ERR_")
}

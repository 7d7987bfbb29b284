package browsertest

import (
	"fmt"
	"strings"
	"testing"

	"flotilla/lab/labtest"
	"flotilla/supervisor"

	"github.com/chromedp/chromedp"
)

// TestThePageGoesOnElsewhere: the leader is killed from its own page, which said before that it goes on at another
// node's; there it is told what was done and what comes of it, and that the load has ended with the node.
func TestThePageGoesOnElsewhere(t *testing.T) {
	chromium(t)
	f := labtest.StartFleet(t, 3)
	b := open(t)
	b.visit(address(t, f, 1), 1280)
	leader := b.agree(f)
	b.visit(address(t, f, leader), 1280)
	b.agree(f)
	b.js(`document.getElementById('load').elements.rate.value = '50'; document.getElementById('load').requestSubmit()`)
	b.until("the load runs", `/^[1-9]\d* a second/.test(document.getElementById('load-say').textContent)`)
	b.js(fmt.Sprintf(`const f = document.getElementById('fault'); f.elements.node.value = '%d'; f.dispatchEvent(new Event('input', {bubbles: true}));`, leader))
	b.until("it is said where the page goes on", `/ So it goes on at n\d's page by itself\.$/.test(document.getElementById('expect').textContent)`)

	own := b.text("location.href")
	b.js(`document.getElementById('fault').requestSubmit()`)
	labtest.Eventually(t, patience, "another node's page", func() bool {
		var at string
		err := chromedp.Run(b.ctx, chromedp.Evaluate("location.href", &at)) // fails while the page goes
		return err == nil && at != own && strings.HasPrefix(at, "http:")
	}, func() string { return b.text("document.body.innerText") })
	b.until("it is live", `document.getElementById('link').textContent === 'live' && location.hash === ''`)
	b.until("what was done is told", fmt.Sprintf(`document.getElementById('seen').innerText.startsWith('Done: %v was killed')`, leader))
	b.until("and that the load ended with it", fmt.Sprintf(`document.getElementById('seen').innerText.includes('the load of 50 commands a second ran within %v, and ended with it')`, leader))
	b.until("and what came of it", `/Seen:[^]*n\d leads term \d+, [\d.]+ s after that/.test(document.getElementById('seen').innerText)`)
	next := f.Leader(1)
	b.until("and by the timeline", fmt.Sprintf(`document.getElementById('events').innerText.includes('%v now leads g1')`, next))
	b.shoot("goes-on")
	b.forgive("net::ERR_")
}

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

	f.Fault(supervisor.Kill, own)
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

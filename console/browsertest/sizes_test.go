package browsertest

import (
	"fmt"
	"testing"

	"flotilla/lab/labtest"
	"flotilla/supervisor"
)

// scale is how much larger the diagram of a write is drawn than the page's own text.
const scale = `document.querySelector('#diagram svg').getScreenCTM().a`

// TestSizes: what is drawn of a write covers nothing of the nodes, and has text of the page's size, however few
// they are; the timeline shows all that is remembered, and is no higher than what is in it; and on a narrow page
// the answers of the levels are to be seen.
func TestSizes(t *testing.T) {
	chromium(t)
	f := labtest.StartFleet(t, 1)
	b := open(t)
	b.visit(address(t, f, 1), 1280)
	b.agree(f)
	b.follow("greeting")
	b.until("a badge is shown", `document.querySelector('#overlay .badge') !== null`)
	b.js(`document.getElementById('play').click()`)
	if got := b.text(`[...document.querySelectorAll('#overlay .badge')].every((e) => { const a = e.getBoundingClientRect(), b = document.querySelector('#picture .box').getBoundingClientRect(); return a.top >= b.bottom || a.bottom <= b.top; })`); got != "true" {
		t.Error("what a node did of a write covers what is said of the node")
	}
	if got := b.text(scale + ` > .8 && ` + scale + ` < 1.1`); got != "true" {
		t.Errorf("the diagram is drawn %s times as large as the page", b.text(scale))
	}
	if got := b.text(`document.getElementById('t-span').value`); got != "600" {
		t.Errorf("the timeline of ten minutes begins with %s s", got)
	}
	b.js(`document.getElementById('t-span').value = '2'; document.getElementById('t-span').dispatchEvent(new Event('change'))`)
	b.until("nothing happens", `document.querySelectorAll('#events li').length === 1`)
	if got := b.text(`document.getElementById('events').closest('section').offsetHeight`); len(got) != 3 || got > "250" {
		t.Errorf("the timeline is %s px high with nothing in it", got)
	}
	b.shoot("sizes")

	b.visit(address(t, f, 1)+"store", 390)
	b.js(`document.getElementById('levels').requestSubmit()`)
	b.until("there are answers", `document.querySelectorAll('#answers [data-level]').length === 4`)
	if right := b.text(`Math.max(...[...document.querySelectorAll('#answers td')].map((e) => e.getBoundingClientRect().right)) - document.getElementById('answers').parentElement.getBoundingClientRect().right`); right[0] != '-' && right != "0" {
		t.Errorf("on a narrow page the answers end %s px beside it", right)
	}
	b.shoot("sizes-store")
}

// TestAWriteEndsWithItsNode: a write that is played is not drawn over a node that has gone since.
func TestAWriteEndsWithItsNode(t *testing.T) {
	chromium(t)
	f := labtest.StartFleet(t, 3)
	b, _, _, third := fromFollower(t, f)
	b.follow("greeting")
	b.until("it is played", `document.getElementById('play').textContent === 'stop'`)
	b.js(`window.wrong = 0; new MutationObserver(() => {
		if (document.querySelector('#picture .node.down') && document.getElementById('overlay').childElementCount) wrong++;
	}).observe(document.getElementById('picture'), {childList: true, subtree: true})`)
	f.Fault(supervisor.Kill, third)
	b.until("it is down", word(third)+" === 'down'")
	b.until("the write has ended", `document.getElementById('play').textContent === 'play'`)
	if wrong := b.text("wrong"); wrong != "0" && wrong != "1" { // the picture, and then the write: within a frame
		t.Errorf("%s times the write was drawn over a node that was down", wrong)
	}
	b.until("it is not drawn any more", fmt.Sprintf("%s === 'down' && document.getElementById('overlay').childElementCount === 0", word(third)))
}

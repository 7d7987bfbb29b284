package browsertest

import (
	"fmt"
	"testing"

	"flotilla/lab/labtest"
	"flotilla/supervisor"
)

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

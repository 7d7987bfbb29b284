package browsertest

import (
	"context"
	"fmt"
	"net/http"
	"testing"

	"flotilla/lab/labtest"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// tab opens one more page in the same browser: it is the one that is looked at.
func (b *browser) tab(url string) *browser {
	b.t.Helper()
	ctx, stop := chromedp.NewContext(b.ctx)
	b.t.Cleanup(stop)
	ctx, stop = context.WithTimeout(ctx, 2*patience) // also where the first thing that is done never ends
	b.t.Cleanup(stop)
	other := &browser{t: b.t, ctx: ctx}
	other.do("open one more page", chromedp.Navigate(url))
	return other
}

// TestSevenTabsOfOneNode: Chromium has six connections to a node, for all of its tabs. Those that nobody looks
// at hold none of them: the one that is looked at goes on, and one that is looked at again has what it missed.
func TestSevenTabsOfOneNode(t *testing.T) {
	chromium(t)
	f := labtest.StartFleet(t, 1)
	b := open(t)
	url := address(t, f, 1)
	b.visit(url, 1280)
	b.agree(f)
	last := b
	for range 6 {
		last = b.tab(url)
		last.until("it is live", `document.getElementById('link').textContent === 'live'`)
	}
	last.follow("greeting")
	b.do("look at the first again", page.BringToFront())
	b.js(`import('/static/stream.js').then((s) => { window.world = s.world; })`)
	b.until("it knows of the write that the other page made", `window.world?.notes.some((n) => n.kind === 'answered')`)
	b.follow("greeting")

	b.js(`AbortSignal.timeout = () => AbortSignal.abort(new DOMException('', 'TimeoutError'))`)
	b.js(`document.getElementById('follow').requestSubmit()`)
	b.until("of an answer that does not come it is said what to do", `/^n1 did not answer within 10 s: .* is not known\. .*too many pages of it are open in this browser/.test(document.getElementById('verdict').textContent)`)
}

// TestAPageThatIsRefusedSaysWhy: a node tells so many pages what happens, and one more why not it; that one offers
// other nodes' pages, and is live once there is room.
func TestAPageThatIsRefusedSaysWhy(t *testing.T) {
	chromium(t)
	f := labtest.StartFleet(t, 3)
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	url := address(t, f, 3)
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"api/stream", nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		if response.StatusCode == http.StatusServiceUnavailable {
			break
		}
	}
	b := open(t)
	b.visit(url, 1280)
	b.until("it is said why the page is empty", `/^n3 answers, but shows this page nothing, and nothing is known here: too many pages are open on this node/.test(document.getElementById('say').textContent)`)
	for _, where := range []string{"say", "link"} {
		b.until("another node's page is offered", fmt.Sprintf(`document.querySelector('#%s a[href="%s"]') !== null`, where, address(t, f, 1)))
	}
	b.shoot("refused")
	leave()
	b.until("there is room", `document.getElementById('link').textContent === 'live' && document.getElementById('say').textContent.startsWith('All ')`)
	b.forgive("503")
}

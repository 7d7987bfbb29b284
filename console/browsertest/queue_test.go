package browsertest

import (
	"fmt"
	"strings"
	"testing"

	"flotilla/lab/labtest"
	"flotilla/supervisor"
)

// life is what the page tells of the job that it follows, a word a step.
const life = `[...document.querySelectorAll('#steps li')].map((l) => l.dataset.kind).join(' ')`

// fill fills in a form and sends it.
func (b *browser) fill(form string, values ...string) {
	b.t.Helper()
	code := fmt.Sprintf("const f = document.getElementById('%s');", form)
	for i := 0; i < len(values); i += 2 {
		code += fmt.Sprintf("f.elements['%s'].value = %q;", values[i], values[i+1])
	}
	b.js(code + "f.requestSubmit();")
}

// press presses the button of a lease that the page has.
func (b *browser) press(text string) {
	b.t.Helper()
	b.js(fmt.Sprintf(`[...document.querySelectorAll('#mine button')].find((k) => k.textContent === %q).click()`, text))
}

// receive leases a job from the page.
func (b *browser) receive(seconds string) {
	b.t.Helper()
	b.fill("work", "lease", seconds)
	b.until("it was received", `document.getElementById('work-say').textContent.startsWith('Received')`)
	b.js(`document.getElementById('work-say').textContent = ''`)
}

// TestQueueTab follows a job from the page: sent, peeked at, leased, given back, leased until
// the lease ran out, dead, redriven, and done after the leader was killed.
func TestQueueTab(t *testing.T) {
	chromium(t)
	f := labtest.StartFleet(t, 3)
	b := open(t)
	b.visit(address(t, f, 1)+"queue", 1280)
	b.until("there is none", `document.getElementById('list-say').textContent.startsWith('There is none yet')`)
	b.shoot("queue-none")
	b.fill("create", "name", "a b")
	b.until("a bad name is refused in the machine's words", `document.getElementById('create-say').textContent.includes('alphanumeric')`)
	b.forgive("400")
	b.fill("create", "name", "mail", "tries", "2")
	b.until("it is asked for, and made", `document.getElementById('one-h').textContent === 'mail' && document.getElementById('create-say').textContent.includes('mail is there')`)
	b.fill("create", "name", strings.Repeat("x", 78), "tries", "2")
	b.until("a name that is too long with what is added is told", `document.getElementById('create-say').textContent.includes('-dead has 83 characters')`)
	b.until("both queues are there", `document.querySelectorAll('#queues tbody tr').length === 2 && document.getElementById('one-h').textContent === 'mail'`)

	body := `<img src=x onerror="document.title='wrong'"> mail to Ada`
	b.sendFrom("mail", body)
	if got := b.text(`document.querySelector('#messages tbody tr').lastChild.textContent`); got != body {
		t.Errorf("the body is shown as %s", got)
	}
	b.until("its life is shown", life+` === 'sent'`)
	b.receive("60")
	b.until("it is leased", `document.querySelector('#messages tbody tr')?.dataset.state === 'leased'`)
	b.until("its life shows the lease", life+` === 'sent leased' && document.querySelectorAll('#line .lease').length === 1`)
	if text := b.text(`document.getElementById('steps').innerText`); !containsAll(text, "A page of the console", "127.0.0.1", "by way of n1", "a lease of 60 s") {
		t.Errorf("its life is told as %s", text)
	}
	b.until("there are samples", `Boolean(document.querySelector('#charts polyline')?.getAttribute('points'))`)
	b.shoot("queue-leased")
	b.press("Give back")
	b.until("it is ready again", life+` === 'sent leased released' && document.querySelector('#messages tbody tr')?.dataset.state === 'ready'`)
	b.receive("1")
	b.until("the page says that its lease ran out", `document.querySelector('#mine .left.bad') !== null`)
	b.until("it died", life+` === 'sent leased released leased lapsed dead arrived' && document.getElementById('messages').tBodies[0].rows.length === 0`)
	b.until("who is late can not say any more that it is done", `[...document.querySelectorAll('#mine button')].every((k) => k.disabled)`)
	b.shoot("queue-dead")

	b.js(`location.hash = 'mail-dead'`)
	b.until("it is with the dead", `document.querySelector('#messages tbody tr')?.innerText.includes('from mail')`)
	b.js(`document.querySelector('#messages a').click()`)
	b.until("its life is told there too", life+`.startsWith('sent leased released leased lapsed dead') && document.getElementById('life-say').textContent.includes('It is ready, in mail-dead')`)
	b.fill("move")
	b.until("it was redriven", `document.querySelector('#moves li')?.dataset.status === 'COMPLETED' && document.querySelector('#moves li').textContent.includes('1 of 1 moved')`)
	b.shoot("queue-redriven")
	b.js(`location.hash = 'mail'`)
	b.until("it is back", `document.querySelector('#messages tbody tr')?.dataset.state === 'ready'`)

	b.finishWithout(f)
	if title := b.text("document.title"); title == "wrong" {
		t.Error("a body was taken for markup")
	}

	f.Fault(supervisor.Isolate, 1)
	b.until("what is known no more is shown as it was", `document.getElementById('list-say').textContent.startsWith('Some groups did not answer') && document.querySelectorAll('#queues tr.faded-some').length === 2`)
	b.fill("send", "body", "in vain")
	b.until("what is not carried out is told", `/not carried out|may have been carried out/.test(document.getElementById('send-say').textContent)`)
	b.forgive("status of 50")
	b.shoot("queue-cut")
	f.Fault(supervisor.Heal)
	b.until("all is well again", `document.querySelectorAll('#queues tr.faded-some').length === 0 && document.getElementById('list-say').textContent.startsWith('2 queues')`)
	b.forgive("status of 50")

	b.visit(address(t, f, 1), 1280)
	b.fill("follow", "what", "job", "key", "mail", "value", "hello")
	b.until("the job was followed", `document.querySelectorAll('#hops li').length > 5 && document.querySelector('#verdict a')?.href.includes('/queue#mail/')`)
	b.visit(b.text(`document.querySelector('#verdict a').href`), 1280)
	b.until("its life is a click away", life+` === 'sent'`)
}

// sendFrom sends a job while the keyboard is at its queue in the list, and looks that it stays there.
func (b *browser) sendFrom(queue, body string) {
	b.t.Helper()
	b.js(fmt.Sprintf(`window.held = document.querySelector('#queues a[href="#%s"]'); held.focus()`, queue))
	b.fill("send", "body", body)
	b.until("it can be peeked at", `document.querySelector('#messages tbody tr')?.dataset.state === 'ready'`)
	b.until("its row was made anew, and the keyboard is where it was", fmt.Sprintf(`!held.isConnected && document.activeElement.getAttribute('href') === '#%s'`, queue))
}

// finishWithout kills the leader, and has the job be done all the same.
func (b *browser) finishWithout(f *labtest.Fleet) {
	b.t.Helper()
	if f.Leader(1) == 1 { // the page must stay
		f.Request(supervisor.Request{Verb: supervisor.Transfer, Order: supervisor.Order{Group: 1, To: 2}})
		labtest.Eventually(b.t, patience, "another leads", func() bool { return f.Leader(1) > 1 }, func() string { return "" })
	}
	leader := f.Leader(1)
	f.Fault(supervisor.Kill, leader)
	b.until("another leads", fmt.Sprintf(`document.getElementById('list-say').textContent.startsWith('2 queues') && document.querySelector('#queues tbody tr').lastChild.textContent !== '%v'`, leader))
	b.receive("60")
	b.press("Done")
	b.until("it is done", `document.getElementById('work-say').textContent.startsWith('Done')`)
	b.until("its life has ended", life+`.endsWith('leased finished') && document.getElementById('life-say').textContent.startsWith('It has ended: done')`)
	b.until("the page says who does not answer", `document.getElementById('life-say').textContent.includes('is missing: no answer')`)
	b.js(`document.getElementById('purge').click()`)
	b.until("the page asks before it purges", `document.getElementById('sure').open`)
	b.js(`document.querySelector('#sure button[value="no"]').click()`)
	b.shoot("queue-done")
}

func containsAll(text string, parts ...string) bool {
	for _, p := range parts {
		if !strings.Contains(text, p) {
			return false
		}
	}
	return true
}

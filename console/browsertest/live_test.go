package browsertest

import (
	"fmt"
	"strings"
	"testing"

	"flotilla"
	"flotilla/lab/labtest"
	"flotilla/supervisor"

	"github.com/chromedp/cdproto/emulation"
)

// address returns where a node's page is.
func address(t *testing.T, f *labtest.Fleet, node flotilla.NodeID) string {
	t.Helper()
	plan, err := supervisor.ReadPlan(f.Dir)
	if err != nil {
		t.Fatal(err)
	}
	return "http://" + plan.Nodes[node-1].HTTPAddr() + "/"
}

// word is the word for a node's state in the picture.
func word(node flotilla.NodeID) string {
	return fmt.Sprintf(`document.querySelector('#picture [data-node="%d"]')?.dataset.word`, node)
}

// ask fills in the form of faults, and sends it.
func (b *browser) ask(verb supervisor.Verb, node flotilla.NodeID) {
	b.t.Helper()
	b.js(fmt.Sprintf(`const f = document.getElementById('fault'); f.elements.verb.value = '%s'; f.elements.node.value = '%d';
		f.dispatchEvent(new Event('input', {bubbles: true})); f.requestSubmit();`, verb, node))
}

// agree waits until the page shows the leader that the nodes themselves name.
func (b *browser) agree(f *labtest.Fleet) (leader flotilla.NodeID) {
	b.t.Helper()
	labtest.Eventually(b.t, patience, "the page shows the true leader", func() bool {
		leader = f.Leader(1)
		return leader != 0 && b.text(word(leader)) == "leader"
	}, func() string { return b.text("document.body.innerText") })
	return leader
}

// follow writes a key from the page, and waits until its hops are shown.
func (b *browser) follow(key string) {
	b.t.Helper()
	b.js(fmt.Sprintf(`document.getElementById('hops').replaceChildren(); const f = document.getElementById('follow'); f.elements.key.value = '%s'; f.requestSubmit();`, key))
	b.until("the write was followed", `document.querySelectorAll('#hops li').length > 5`)
}

// has says how many hops of a kind are shown.
func (b *browser) has(kind string) string {
	b.t.Helper()
	return b.text(fmt.Sprintf(`document.querySelectorAll('#hops [data-kind="%s"]').length`, kind))
}

// fromFollower opens the page of a node of three that does not lead, and says who leads.
func fromFollower(t *testing.T, f *labtest.Fleet) (b *browser, leader, other, third flotilla.NodeID) {
	t.Helper()
	b = open(t)
	b.visit(address(t, f, 1), 1280)
	leader = b.agree(f)
	other = leader%3 + 1
	third = other%3 + 1
	b.visit(address(t, f, other), 1280)
	return b, leader, other, third
}

// TestLivePage is a stranger's first five minutes: the page shows who leads, a write
// hop by hop, who leads after the leader was killed from the page, and a node that is cut
// off otherwise than one that is dead.
func TestLivePage(t *testing.T) {
	chromium(t)
	f := labtest.StartFleet(t, 3)
	b, leader, other, third := fromFollower(t, f)
	b.until("both followers are shown", word(other)+" === 'follower' && "+word(third)+" === 'follower'")

	b.follow("greeting")
	for kind, count := range map[string]string{"asked": "1", "taken": "1", "forwarded": "1", "proposed": "1", "sent": "2", "received": "2", "synced": "3",
		"acknowledged": "2", "counted": "2", "committed": "3", "applied": "3", "answered": "1", "done": "1"} {
		if got := b.has(kind); got != count {
			t.Errorf("%s hops of kind %q, want %s:\n%s", got, kind, count, b.text(`document.getElementById('hops').innerText`))
		}
	}
	b.until("it was played", `document.getElementById('play').textContent === 'play'`)
	b.shoot("write")

	b.ask(supervisor.Kill, leader)
	b.until("the leader is shown as dead", word(leader)+" === 'down'")
	b.until("another leads", fmt.Sprintf("%s === 'leader' || %s === 'leader'", word(other), word(third)))
	next := b.agree(f)
	b.until("the timeline tells of it", fmt.Sprintf(`document.getElementById('events').innerText.includes('%v now leads g1')`, next))
	b.until("it was seen what came of it", fmt.Sprintf(`document.getElementById('seen').innerText.includes('%v leads term')`, next))
	b.shoot("killed")
	if got := b.text(`document.getElementById('timeline').clientHeight`); got != "102" {
		t.Errorf("the timeline of three nodes is %s px high beside all that happened", got)
	}

	last := other
	if next == other {
		last = third
	}
	b.ask(supervisor.Isolate, last)
	b.until("the page asks before the majority is lost", `document.getElementById('sure').open`)
	b.shoot("asks")
	b.js(`document.querySelector('#sure button[value="yes"]').click()`)
	b.until("who is cut off is not shown as dead", word(last)+" === 'cut'")
	b.until("nobody leads", `document.getElementById('say').textContent.includes('no group has a leader')`)
	b.js(`document.getElementById('hops').replaceChildren(); document.getElementById('follow').requestSubmit()`)
	b.until("a write is refused, or its outcome unknown", `/Not acknowledged/.test(document.getElementById('verdict').textContent)`)
	b.shoot("cut")

	b.js(`document.getElementById('heal-all').click()`)
	b.until("all is well again", fmt.Sprintf(`['leader', 'follower'].includes(%s) && ['leader', 'follower'].includes(%s) && ['leader', 'follower'].includes(%s)`,
		word(leader), word(other), word(third)))
	b.follow("after")
	if verdict := b.text(`document.getElementById('verdict').textContent`); !strings.Contains(verdict, "Acknowledged") {
		t.Errorf("after all was mended: %s", verdict)
	}
	b.forgive("409") // the page asked for a fault, and was told to ask people first
}

// TestSampledWritesCanBeLookedAt: another client's write that was stopped stays while others are made, is
// not drawn over the past, and with no motion asked for stays for as long as it would have been played.
func TestSampledWritesCanBeLookedAt(t *testing.T) {
	chromium(t)
	f := labtest.StartFleet(t, 1)
	b := open(t)
	b.visit(address(t, f, 1), 1280)
	b.agree(f)
	// The writes of about three seconds go by.
	goBy := func() {
		t.Helper()
		b.js(`window.answered = () => Number(/(\d+) answered/.exec(document.getElementById('load-say').textContent)?.[1] ?? 0); window.then = answered()`)
		b.until("there are more writes", "answered() > then + 60")
	}
	load := `const f = document.getElementById('load'); f.elements.rate.value = '20'; f.elements.share.value = '100'; f.requestSubmit();`
	b.js(load)
	b.until("one is played", `!document.getElementById('sample').hidden && document.getElementById('play').textContent === 'stop'`)
	b.js(`document.getElementById('play').click(); window.entry = document.getElementById('sample').textContent`)
	goBy()
	if is, was := b.text(`document.getElementById('sample').textContent`), b.text("entry"); is != was {
		t.Errorf("%q was stopped, and became %q", was, is)
	}
	b.until("it is drawn over the picture of now", `document.getElementById('overlay').childElementCount > 0`)
	b.js(`document.getElementById('t-live').click()`)
	b.until("the picture is of then", `document.querySelector('#picture.past') !== null`)
	b.js(`document.getElementById('forth').click()`)
	if drawn := b.text(`document.getElementById('overlay').childElementCount`); drawn != "0" {
		t.Error("a write of now is drawn over the past")
	}

	b.do("ask for no motion", emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-reduced-motion", Value: "reduce"}}))
	b.visit(address(t, f, 1), 1280)
	b.js(load)
	b.until("one is shown", `!document.getElementById('sample').hidden`)
	b.js(`window.changes = 0; new MutationObserver(() => changes++).observe(document.getElementById('diagram'), {childList: true})`)
	goBy()
	if changes := b.text("changes"); changes != "0" && changes != "1" {
		t.Errorf("within three seconds the diagram changed %s times", changes)
	}
}

// foresee asks what to expect, once so that the answer comes late: what is said is of the later question.
func (b *browser) foresee() {
	b.t.Helper()
	b.js(`const real = fetch, f = document.getElementById('fault'); let asked = 0; window.isLate = false;
		window.fetch = (path, o) => String(path).includes('verb=kill&node=3') && !asked++ ? real(path, o).then((r) => new Promise((done) => setTimeout(() => { done(r); setTimeout(() => { isLate = true; }, 100); }, 500))) : real(path, o);
		for (const verb of ['kill', 'pause']) { f.elements.verb.value = verb; f.elements.node.value = '3'; f.dispatchEvent(new Event('input', {bubbles: true})); }`)
	b.until("both answers have come", "isLate")
	b.until("the later question is answered", `document.getElementById('expect').textContent.startsWith('n3 stops running')`)
}

// TestWhoIsCutOffIsInTheHeadline: also while all groups have a leader; and it counts for what is foreseen.
func TestWhoIsCutOffIsInTheHeadline(t *testing.T) {
	chromium(t)
	f := labtest.StartFleet(t, 3)
	b := open(t)
	b.visit(address(t, f, 1), 1280)
	b.agree(f)
	b.foresee()
	f.Fault(supervisor.Isolate, 2)
	b.until("what is foreseen counts with it", `document.getElementById('expect').textContent.includes('would have no majority') && document.getElementById('expect').className === 'bad'`)
	b.until("the headline tells of it", `/^n2 is cut off; all \d+ groups have a leader\.$/.test(document.getElementById('say').textContent)`)
	f.Request(supervisor.Request{Verb: supervisor.Heal})
	b.until("and of its end", `document.getElementById('say').textContent.startsWith('All ')`)
}

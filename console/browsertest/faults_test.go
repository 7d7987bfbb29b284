package browsertest

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"flotilla"
	"flotilla/lab/labtest"
	"flotilla/supervisor"
)

// TestSlowDisk: a leader whose disk is made slow from the page is shown so, and gives way while
// there is load; healed, it is shown as any other.
func TestSlowDisk(t *testing.T) {
	chromium(t)
	f := labtest.StartFleet(t, 3)
	b := open(t)
	b.visit(address(t, f, 1), 1280)
	leader := b.agree(f)
	b.js(`const f = document.getElementById('load'); f.elements.rate.value = '100'; f.requestSubmit();`)
	b.until("there is load", `!document.getElementById('load-stop').disabled`)
	b.js(fmt.Sprintf(`const f = document.getElementById('fault'); f.elements.verb.value = 'slow-disk'; f.elements.node.value = '%d'; f.elements.disk.value = '150';
		f.dispatchEvent(new Event('input', {bubbles: true}));`, leader))
	b.until("the page says what to expect", `document.getElementById('expect').textContent.includes('gives way to one of them')`)
	b.js(`document.getElementById('fault').requestSubmit()`)
	b.until("the disk is shown as slow", fmt.Sprintf(`document.querySelector('#picture [data-node="%d"]').textContent.includes('disk +150 ms')`, leader))
	b.until("it follows", word(leader)+" === 'follower'")
	next := b.agree(f)
	b.until("it was seen what came of it", fmt.Sprintf(`document.getElementById('seen').innerText.includes('%v leads term')`, next))
	b.until("the timeline tells of it", fmt.Sprintf(`document.getElementById('events').innerText.includes('the disk of %v was made slow')`, leader))
	b.shoot("slow-disk")
	b.js(`document.getElementById('load-stop').click(); document.getElementById('heal-all').click()`)
	b.until("its disk is as it was", fmt.Sprintf(`!document.querySelector('#picture [data-node="%d"]').textContent.includes('disk +')`, leader))
}

// TestEachVerbFromThePage does each fault of the form that no other test does, and looks at what the
// picture and the timeline make of it.
func TestEachVerbFromThePage(t *testing.T) {
	chromium(t)
	f := labtest.StartFleet(t, 3)
	b := open(t)
	const own, a, z = 1, 2, 3
	b.visit(address(t, f, own), 1280)
	b.agree(f)
	b.js(`document.getElementById('t-span').value = '600'; document.getElementById('t-kind').value = 'votes'`)
	told := func(what string) {
		t.Helper()
		b.until("the timeline tells: "+what, fmt.Sprintf(`document.getElementById('events').innerText.includes(%q)`, what))
	}
	fill := func(field, value string) {
		b.js(fmt.Sprintf(`const e = document.getElementById('fault').elements.%s; if (e.type === 'checkbox') e.checked = %q !== ''; else e.value = %[2]q;`, field, value))
	}
	runs := func(node flotilla.NodeID) string { return "['leader', 'follower'].includes(" + word(node) + ")" }
	wire := func(says string) string {
		return fmt.Sprintf(`[...document.querySelectorAll('#picture > g > text')].some((e) => e.textContent === %q)`, says)
	}

	b.ask(supervisor.Pause, a)
	b.until("it is shown as paused", word(a)+" === 'paused'")
	told("n2 was paused")
	b.ask(supervisor.Resume, a)
	b.until("it goes on", runs(a))

	fill("to", "3")
	fill("oneway", "yes")
	b.ask(supervisor.Cut, a)
	b.until("the way is shown as cut", wire("✕ n2 → n3"))
	told("the way from n2 to n3 was cut")
	fill("oneway", "")
	b.ask(supervisor.Cut, a)
	b.until("both ways are", wire("✕"))
	b.ask(supervisor.Heal, a)
	b.until("the ways are good again", "!"+wire("✕")+" && !"+wire("✕ n2 → n3")+" && !"+wire("✕ n3 → n2"))
	told("the way from n2 to n3 is good again")

	fill("delay", "70")
	b.ask(supervisor.Slow, z)
	b.until("its links are shown as slow", wire("+70 ms"))
	b.ask(supervisor.Heal, z)
	b.until("its links are as they were", "!"+wire("+70 ms"))

	fill("ahead", "")
	b.ask(supervisor.Clock, z)
	b.until("an empty number is not taken for one", `document.getElementById('expect').textContent.startsWith('Give a whole number')`)
	fill("ahead", "-90000")
	b.ask(supervisor.Clock, z)
	told("the clocks of n3 were set 90 s behind")
	b.until("it is in the picture", `document.querySelector('#picture [data-node="3"]').textContent.includes('clock -90 s') && document.getElementById('broken').textContent.endsWith(': n3: clock -90 s.')`)
	b.shoot("wrong-clock")
	fill("ahead", "0")
	b.ask(supervisor.Clock, z)

	b.ask(supervisor.Kill, a)
	b.until("it is down", word(a)+" === 'down'")
	b.ask(supervisor.Restart, a)
	b.until("it is back", runs(a))

	b.follow("before")
	b.ask(supervisor.Wipe, z)
	told("the disk of n3 was wiped")
	told("n3 started with an empty disk")
	told("n3 makes a new, empty copy of g1")
	b.until("it has caught up", runs(z)+" && ["+fmt.Sprintf(`...document.querySelectorAll('#groups tbody tr')].every((r) => r.cells[%d].textContent === 'level')`, 4+z))
	b.shoot("each-verb")
}

// TestWhatWasExpectedStays: beside what is seen of a fault stands what was foretold of it, and not what it would do if
// it was done again; who nobody chose to break is one that runs.
func TestWhatWasExpectedStays(t *testing.T) {
	chromium(t)
	f := labtest.StartFleet(t, 3)
	b, leader, _, third := fromFollower(t, f)
	b.until("the leader is chosen, and what is foretold is of it", fmt.Sprintf(`document.getElementById('fault').elements.node.value === '%d' && document.getElementById('expect').textContent.startsWith('%v ends') && document.getElementById('expect').textContent.includes(' leads ')`, leader, leader))
	b.js(`window.foretold = document.getElementById('expect').textContent; document.getElementById('fault').requestSubmit()`)
	b.until("it is down", word(leader)+" === 'down'")
	b.until("another one that runs is chosen", fmt.Sprintf(`document.getElementById('fault').elements.node.value === '%d' && document.getElementById('expect').textContent.includes('%v ends')`, third, third))
	b.until("it was seen what came of it", `/Seen:/.test(document.getElementById('seen').innerText)`)
	b.until("what was foretold stands there", `document.getElementById('seen').innerText.includes('Expected: ' + foretold)`)
	b.js(fmt.Sprintf(`document.getElementById('fault').elements.node.value = '%d'; document.getElementById('fault').dispatchEvent(new Event('input', {bubbles: true}))`, leader))
	b.until("who asks again is told anew", `!document.getElementById('expect').parentElement.hidden`)

	b.ask(supervisor.Restart, leader)
	b.until("it is back", "['leader', 'follower'].includes("+word(leader)+")")
	b.ask(supervisor.Pause, leader)
	b.until("it is paused", word(leader)+" === 'paused'")
	b.until("what it would do if it was done again is not said", `document.getElementById('expect').parentElement.hidden && document.getElementById('seen').innerText.includes('Expected: ')`)
}

// TestPlansFromThePage: a plan is played on a fleet of its own, and stopped; another is played to its end
// and judged; each verdict is shown in words, and what broke a promise with the operations that show it.
func TestPlansFromThePage(t *testing.T) {
	chromium(t)
	f := labtest.StartFleet(t, 3)
	b := open(t)
	b.visit(address(t, f, 2), 1280)
	b.agree(f)
	b.until("it is said what the plan teaches", `document.getElementById('plan-teaches').textContent.includes('the next leader has it')`)
	play := func(plan string) {
		t.Helper()
		b.js(fmt.Sprintf(`const f = document.getElementById('plans'); f.elements.plan.value = '%s'; f.dispatchEvent(new Event('input')); f.requestSubmit();`, plan))
		b.until("it is played", `!document.getElementById('plan-stop').disabled && document.getElementById('plan-lines').textContent.includes('starting 3 nodes')`)
	}
	play("pause")
	b.js(`document.getElementById('plan-more').open = true`)
	b.shoot("plan-plays")
	b.js(`document.getElementById('plan-stop').click()`)
	b.until("it is stopped", `document.getElementById('plan-say').textContent.includes('stopped before its end')`)
	play("leader-killed")
	labtest.Eventually(t, 5*patience, "a plan that is played to its end has a verdict", func() bool {
		say := b.text(`document.getElementById('plan-say').textContent`)
		return strings.Contains(say, "Every promise that was tested was kept") || strings.Contains(say, "too busy to tell")
	}, func() string { return b.text(`document.querySelector('section:has(#plans)').innerText`) })
	for outcome, want := range map[string]string{"broken": "These operations show it", "slow": "too busy to tell", "failed": "nothing was judged"} {
		b.showVerdict(outcome)
		b.until("the verdict "+outcome+" is shown", fmt.Sprintf(`document.getElementById('plan-say').textContent.includes(%q)`, want))
		if outcome == "broken" {
			b.until("with the operations that show it", `document.querySelectorAll('#plan-found .bad').length === 1 && document.querySelector('#plan-found .bad').textContent.includes('c7 set k3')`)
			b.shoot("plan-broken")
		}
		b.visit(address(t, f, 2), 1280)
	}
	if leader := f.Leader(1); leader == 0 {
		t.Error("the plan was played on this fleet")
	}
}

// showVerdict has the page believe that a plan ended so, as none does while all is well.
func (b *browser) showVerdict(outcome string) {
	b.t.Helper()
	lines := []string{"name leader-killed", "starting 3 nodes in /tmp/x"}
	switch outcome {
	case "broken":
		lines = append(lines, "BROKEN: 1 promises", "- durability is BROKEN in 1 places: 700 operations with an answer", "    - <b>lost</b>: c7 set k3 to 17, acknowledged after 3 ms", "  figures that are no promise", "seed 7; to play it again: flotilla lab run leader-killed --seed 7")
	case "slow":
		lines = append(lines, "SLOW: nothing that was told was wrong", "- too late")
	case "failed":
		lines = append(lines, "port 7001 is taken")
	}
	state, err := json.Marshal(map[string]any{"plan": "leader-killed", "running": false, "began_ms": 1000, "ended_ms": 73000, "lines": lines, "outcome": outcome})
	if err != nil {
		b.t.Fatal(err)
	}
	b.js(fmt.Sprintf(`const real = fetch; window.fetch = (path, o) => String(path).startsWith('/api/play') ? Promise.resolve(new Response(%q)) : real(path, o);
		document.getElementById('plans').requestSubmit();`, state))
}

// byHand starts three nodes of a lab without a supervisor, and returns their pages.
func byHand(t *testing.T) (pages []string, nodes []*labtest.Process) {
	t.Helper()
	offset := labtest.FreeOffset(t, 3)
	port := func(first, i int) string { return fmt.Sprintf("127.0.0.1:%d", first+offset+i) }
	var members []string
	for i := range 3 {
		members = append(members, fmt.Sprintf("n%d=%s/%s/%d", i+1, port(supervisor.FirstPeerPort, i), port(supervisor.FirstStorePort, i), supervisor.FirstHTTPPort+offset+i))
	}
	for i := range 3 {
		cmd := exec.Command(labtest.Program(t), "node", "--id", fmt.Sprintf("n%d", i+1), "--cluster", "by-hand", "--lab", "--members", strings.Join(members, ","),
			"--dir", filepath.Join(t.TempDir(), "node"), "--listen-store", port(supervisor.FirstStorePort, i), "--listen-http", port(supervisor.FirstHTTPPort, i),
			"--listen-peer", port(supervisor.FirstPeerPort, i), "--listen-queue", port(supervisor.FirstQueuePort, i), "--stop-with-stdin")
		cmd.Env = []string{"FLOTILLA_LAB_TOKEN=sesame"} // what tests have in theirs is no setting of a node
		nodes = append(nodes, labtest.Start(t, cmd))
		pages = append(pages, "http://"+port(supervisor.FirstHTTPPort, i)+"/")
	}
	return pages, nodes
}

// TestFaultsByHand: without a supervisor, who has the lab's token breaks links, clocks and disks
// of all nodes from the page of one, and is told what to type for a process.
func TestFaultsByHand(t *testing.T) {
	chromium(t)
	pages, nodes := byHand(t)
	b := open(t)
	leads := func(node flotilla.NodeID) string { return word(node) + " === 'leader'" }
	labtest.Eventually(t, patience, "n1 to listen", func() bool { return strings.Contains(nodes[0].Out.String(), "the node starts") }, nodes[0].Out.String)
	b.visit(pages[0], 1280)
	b.until("somebody leads", leads(1)+" || "+leads(2)+" || "+leads(3))
	leader := flotilla.NodeID(1)
	for b.text(leads(leader)) != "true" {
		leader = leader%3 + 1
	}
	b.js(`document.getElementById('fault').elements.token.value = 'wrong'`)
	b.ask(supervisor.Isolate, leader)
	b.until("a wrong token is refused", `document.getElementById('seen').textContent.includes("the lab's token is asked for")`)
	b.forgive("403")
	b.js(`document.getElementById('fault').elements.token.value = 'sesame'`)
	b.ask(supervisor.Isolate, leader)
	b.until("who is cut off is shown so", word(leader)+" === 'cut'")
	b.until("another leads", leads(leader%3+1)+" || "+leads((leader+1)%3+1))
	b.until("the timeline tells of both ways", fmt.Sprintf(`document.getElementById('events').innerText.includes('the way from %v to %v was cut')`, leader%3+1, leader))
	b.js(`const f = document.getElementById('fault'); f.elements.verb.value = 'kill'; f.dispatchEvent(new Event('input', {bubbles: true}));`)
	b.until("the page says what to type", fmt.Sprintf(`document.querySelector('#how pre')?.textContent === 'kill -9 %d' && document.getElementById('do').disabled`, nodes[leader-1].Cmd.Process.Pid))
	b.shoot("by-hand")
	b.js(`document.getElementById('heal-all').click()`)
	b.until("it follows", word(leader)+" === 'follower'")
	b.js(`document.getElementById('fault').elements.disk.value = '120'`)
	b.ask(supervisor.SlowDisk, leader%3+1)
	b.until("the disk is shown as slow", fmt.Sprintf(`document.querySelector('#picture [data-node="%d"]').textContent.includes('disk +120 ms')`, leader%3+1))
	b.js(`document.getElementById('heal-all').click()`)
	b.until("all is well", `!document.getElementById('picture').textContent.includes('disk +')`)
	const victim = 2 // the page is n1's
	if err := nodes[victim-1].Cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	b.until("who was killed does not answer", word(victim)+" === 'dead'")
}

package browsertest

import (
	"fmt"
	"strings"
	"testing"

	"flotilla/lab/labtest"
	"flotilla/supervisor"
)

// pick waits for a sentence among the newest of the timeline, and picks the newest that matches.
func (b *browser) pick(sentence string) {
	b.t.Helper()
	b.js(`const live = document.getElementById('t-live'); if (live.getAttribute('aria-pressed') === 'false') live.click()`)
	find := fmt.Sprintf(`[...document.querySelectorAll('#events li')].find((e) => /%s/.test(e.textContent))`, sentence)
	b.until("the timeline tells: "+sentence, find+" !== undefined")
	b.js(find + ".click()")
	b.until("it is the moment that is shown", `document.getElementById('say').textContent.startsWith(document.querySelector('#events [aria-current] span').firstChild.textContent)`)
}

// TestTheTimelineMovesThePicture: at an event the picture is as it was then, with the votes of
// the election that was under way, and it is possible to go back to now.
func TestTheTimelineMovesThePicture(t *testing.T) {
	chromium(t)
	f := labtest.StartFleet(t, 3)
	b, leader, own, third := fromFollower(t, f)
	b.agree(f)
	b.js(`document.getElementById('t-span').value = '600'; document.getElementById('t-kind').value = 'votes'`)
	b.ask(supervisor.Kill, leader)
	b.until("the leader is down", word(leader)+" === 'down'")
	next := b.agree(f)
	voter := own
	if next == own {
		voter = third
	}

	b.until("the timeline tells of it", fmt.Sprintf(`document.getElementById('events').innerText.includes('%v now leads g1')`, next))

	b.pick(fmt.Sprintf("^[^a-z]*%v now leads g1,", leader))
	b.until("the picture is of then", `document.querySelector('#picture.past') !== null && document.getElementById('picture-h').textContent.startsWith('The cluster at ')`)
	if got := b.text(word(leader)); got != "leader" {
		t.Errorf("when it led, who is down now was %s", got)
	}

	b.pick(fmt.Sprintf("^[^a-z]*%v votes for %v in g1 ", voter, next))
	vote := fmt.Sprintf(`document.querySelector('#talk .yes.on[data-from="%d"][data-to="%d"]')`, voter, next)
	b.until("the vote is drawn", vote+" !== null")
	if was, is := b.text(word(leader)), b.text(word(next)); was != "down" || is != "candidate" {
		t.Errorf("when votes were given, the old leader was %s, and the next %s", was, is)
	}
	b.shoot("vote")

	b.js(`document.getElementById('t-forth').click()`)
	b.until("a step on is another event", `document.querySelector('#talk .yes.on') === null`)
	b.pick(fmt.Sprintf("^[^a-z]*%v now leads g1,", next))
	if got := b.text(word(next)); got != "leader" {
		t.Errorf("when it was elected, the next leader was %s", got)
	}
	b.pick(fmt.Sprintf("^[^a-z]*%v was killed", leader))
	b.js(`document.getElementById('t-back').click()`)
	b.until("before it was killed, it ran", word(leader)+" !== 'down'")

	b.js(`document.getElementById('to-now').click()`)
	b.until("it is now again", `document.querySelector('#picture.past') === null && document.getElementById('picture-h').textContent === 'The cluster now' && document.getElementById('to-now').hidden`)
	if got := b.text(word(leader)); got != "down" {
		t.Errorf("back in the present, who was killed is %s", got)
	}
}

// TestWhatIsForgottenIsNotLookedAt: nobody gets further back than what is remembered; where that has moved on
// the timeline says so, and a picked event that is forgotten is left.
func TestWhatIsForgottenIsNotLookedAt(t *testing.T) {
	chromium(t)
	f := labtest.StartFleet(t, 1)
	b := open(t)
	b.visit(address(t, f, 1), 1280)
	b.agree(f)
	b.js(`import('/static/stream.js').then((s) => { window.world = s.world; })`)
	b.until("the page's notes can be seen", `window.world?.notes.length > 3`)
	b.js(`document.getElementById('timeline').dispatchEvent(new WheelEvent('wheel', {deltaX: -1e6, cancelable: true, bubbles: true}))`)
	b.until("the oldest is what is looked at", `document.querySelector('#picture.past') !== null`)
	b.until("the right edge is there too", `[...document.querySelectorAll('#timeline text')].some((e) => e.getAttribute('text-anchor') === 'end' && e.textContent.startsWith(new Date(world.notes[0].stamp / 1000).toTimeString().slice(0, 8)))`)
	b.js(`window.kept = world.notes; world.notes = [{...kept.at(-1), stamp: kept.at(-1).stamp + 1e6}]`)
	b.until("what was then is not remembered", `document.getElementById('events').textContent.includes('is not remembered any more: ten minutes are')`)
	b.js(`world.notes = kept; document.getElementById('t-live').click()`)
	b.pick("n1 now leads g1")
	b.js(`world.notes = kept.filter((n) => !n.what.startsWith('n1 now leads g1'))`)
	b.until("it is now again", `document.querySelector('#picture.past') === null && document.getElementById('t-live').getAttribute('aria-pressed') === 'true'`)
}

// TestVotesAreDrawnLive: while an election goes on, the picture shows who votes for whom.
func TestVotesAreDrawnLive(t *testing.T) {
	chromium(t)
	f := labtest.StartFleet(t, 3)
	b := open(t)
	b.visit(address(t, f, 1), 1280)
	leader := b.agree(f)
	b.visit(address(t, f, leader%3+1), 1280)
	b.agree(f)
	b.js(`window.votes = 0; new MutationObserver(() => { votes += document.querySelectorAll('#talk .yes').length; }).observe(document.getElementById('picture'), {childList: true, subtree: true})`)
	b.ask(supervisor.Kill, leader)
	b.until("votes were drawn", "votes > 0")
	b.until("they do not stay", `document.querySelectorAll('#talk .yes').length === 0`)
}

// TestMoments gives the module that rewinds the picture a history of three nodes, and looks at what it
// says of them at some moments: without a supervisor only the nodes themselves tell.
func TestMoments(t *testing.T) {
	chromium(t)
	f := labtest.StartFleet(t, 1)
	b := open(t)
	b.visit(address(t, f, 1), 1280)
	b.js(`import('/static/moment.js').then(({rewind}) => {
		const s = 1e6, notes = [];
		const note = (at, node, kind, more = {}) => notes.push({stamp: at * s, node, seq: notes.length, kind, group: 0, ...more});
		const picture = (state, leader) => ({nodes: [1, 2, 3].map((n) => ({node: n, state: state[n] ?? 'up'})),
			groups: [{group: 1, leader, term: 9, copies: [1, 2, 3].map((n) => ({node: n, role: state[n] === 'silent' ? 'unknown' : n === leader ? 'leader' : 'follower', term: 9}))}]});
		const at = (p, when) => { const r = rewind(p, 1, notes, when * s); return r.nodes.map((n) => ({unknown: '?'}[n.state] ?? n.state[0]) + (n.unheard.length ? n.unheard.join('') : '')).join(' ') + ' leader ' + r.groups[0].leader; };
		const died = () => { // n3 led before all that is kept, and was killed at 100 s
			note(100.7, 1, 'silent', {peer: 3}); note(100.7, 2, 'silent', {peer: 3});
			note(100.8, 1, 'role', {group: 1, word: 'candidate', peer: 3, term: 5}); note(100.9, 1, 'role', {group: 1, word: 'leader', term: 5}); note(100.91, 2, 'role', {group: 1, word: 'follower', peer: 1, term: 5});
		};
		window.moments = [];
		died();
		moments.push(at(picture({3: 'silent'}, 1), 90), at(picture({3: 'silent'}, 1), 115));
		note(130, 3, 'started'); note(130.1, 3, 'heard', {peer: 1}); note(130.1, 3, 'heard', {peer: 2}); note(130.2, 1, 'heard', {peer: 3}); note(130.2, 2, 'heard', {peer: 3}); note(130.3, 3, 'role', {group: 1, word: 'follower', peer: 1, term: 5});
		moments.push(at(picture({}, 1), 90), at(picture({}, 1), 115), at(picture({}, 1), 140));
		notes.length = 0;
		note(50, 2, 'silent', {peer: 3}); note(50, 1, 'silent', {peer: 3}); note(51, 3, 'silent', {peer: 1}); note(51, 3, 'silent', {peer: 2});
		moments.push(at(picture({}, 1), 52)); // cut off, not dead
		notes.length = 0;
		note(100, 3, 'process', {word: 'running'});
		moments.push(at(picture({}, 1), 90)); // it did not run, and since when is not known
		notes.length = 0;
		note(30, 1, 'started'); note(31, 1, 'heard', {peer: 2}); // it has no copy of the group
		moments.push(at(picture({}, 2), 40));
		notes.length = 0; // n3 learns, and its vote is told of by others before it tells of its new role itself
		const role = (when) => { const c = rewind(picture({}, 1), 1, notes, when * s).groups[0].copies[2]; return c.role + ' in term ' + c.term; };
		note(60, 2, 'role', {group: 1, word: 'follower', peer: 1, term: 5}); note(61, 3, 'role', {group: 1, word: 'learner', peer: 1, term: 5});
		note(62, 1, 'members', {group: 1, word: 'voters n1 n2 n3, learners n3'}); note(63, 1, 'members', {group: 2, word: 'voters n1 n2 n3'}); note(65, 1, 'members', {group: 1, word: 'voters n1 n2 n3'});
		moments.push(role(64), role(66));
	}).catch((e) => { window.moments = [String(e)]; })`)
	b.until("it was said", `window.moments?.length > 0`)
	want := []string{"u u u leader 3", "u3 u3 s leader 1", "u u u leader 3", "u3 u3 s leader 1", "u u u leader 1", "u3 u3 u12 leader 1", "u u ? leader 1", "u u u leader 2", "learner in term 5", "follower in term 5"}
	got := strings.Split(b.text(`moments.join('|')`), "|")
	for i := range want {
		if i >= len(got) || got[i] != want[i] {
			t.Errorf("moment %d is %q, want %q", i, got[i:], want[i])
		}
	}
}

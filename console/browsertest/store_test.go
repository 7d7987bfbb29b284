package browsertest

import (
	"fmt"
	"testing"

	"flotilla"
	"flotilla/lab/labtest"
	"flotilla/supervisor"
)

// answers is what the table of levels says, a word a level.
const answers = `[...document.querySelectorAll('#answers [data-level]')].map((r) => r.dataset.level + ' ' + (r.cells[2].classList.contains('bad') ? 'refused' : r.cells[2].textContent)).join('; ')`

// TestStoreTab: a key is made, found, changed and deleted; the command line helps and
// answers; and a node that is cut off refuses what it can not promise, and tells what it has.
func TestStoreTab(t *testing.T) {
	chromium(t)
	f := labtest.StartFleet(t, 3)
	b := open(t)
	b.visit(address(t, f, 1)+"store", 1280)
	b.until("the command table has come", `document.querySelectorAll('#names option').length > 200`)
	for _, line := range []string{`SET town "Sankt Pölten"`, "RPUSH trees oak elm", "HSET person name Ada born 1815", "SET gone soon EX 900", `SET "odd\xff" x`} {
		b.js(fmt.Sprintf(`const f = document.getElementById('line'); f.elements.line.value = %q; f.requestSubmit();`, line))
		b.until("it was answered", fmt.Sprintf(`document.getElementById('said').textContent.includes(%q) && document.getElementById('said').textContent.endsWith('\n\n')`, line))
	}
	b.js(`const i = document.getElementById('line').elements.line; i.value = 'zadd'; i.dispatchEvent(new Event('input', {bubbles: true}));`)
	b.until("there is help", `document.getElementById('help').textContent.includes('ZADD key')`)
	b.js(`const f = document.getElementById('line'); f.elements.line.value = 'BLPOP trees 0'; f.requestSubmit();`)
	b.until("what would wait is refused", `document.getElementById('said').textContent.includes('use redis-cli')`)
	b.forgive("400")

	// Of two answers, the one that comes late is to the earlier question.
	b.js(`const real = fetch; let asked = 0; window.isLate = false;
		window.fetch = (path, o) => String(path).includes('/keys') && !asked++ ? real(path, o).then((r) => new Promise((done) => setTimeout(() => { done(r); setTimeout(() => { isLate = true; }, 100); }, 500))) : real(path, o);
		document.getElementById('find').requestSubmit(); document.getElementById('find').requestSubmit()`)
	b.until("both answers have come", "isLate")
	b.until("the keys are listed once", `document.querySelectorAll('#keys tbody tr').length === 5 && document.getElementById('keys-say').textContent.startsWith('5 shown')`)
	b.until("a key that is no text can not be chosen", `[...document.querySelectorAll('#keys tr')].some((r) => r.textContent.includes('odd\\xff not text: use redis-cli') && !r.querySelector('button'))`)
	b.js(`[...document.querySelectorAll('#keys button')].find((k) => k.textContent === 'town').click()`)
	b.until("the value is shown", `document.getElementById('edit').elements.value.value === 'Sankt Pölten'`)
	b.js(`const f = document.getElementById('edit'); f.elements.value.value = 'Krems'; f.requestSubmit();`)
	b.js(`const f = document.getElementById('levels'); f.elements.key.value = 'town'; f.requestSubmit();`)
	b.until("all levels see the new value", answers+` === 'linearizable "Krems"; session "Krems"; bounded "Krems"; eventual "Krems"' || void document.getElementById('levels').requestSubmit()`)
	b.shoot("store")

	b.editElements()
	b.js(`const s = document.getElementById('where').elements.whatif; s.value = 'come'; s.dispatchEvent(new Event('change', {bubbles: true}));`)
	b.until("it is told what would move", `document.getElementById('whatif-say').textContent.includes('If n4 came, ')`)
	b.shoot("whatif")
	b.js(`const s = document.getElementById('where').elements.whatif; s.value = '2'; s.dispatchEvent(new Event('change', {bubbles: true}));`)
	b.until("of three, nobody can take the third copy", `document.getElementById('owners').textContent.includes('the copy on n2 would have nowhere to go: 2 left')`)
	b.js(`const s = document.getElementById('where').elements.whatif; s.value = ''; s.dispatchEvent(new Event('change', {bubbles: true}));`)
	b.until("it is as before", `document.getElementById('whatif-say').hidden && document.getElementById('owners').textContent.includes('g1: 16384 slots')`)

	leader := f.Leader(1)
	last := leader%3 + 1
	f.Fault(supervisor.Isolate, last)
	b.visit(address(t, f, leader)+"store", 1280)
	b.until("the tab is there", `document.querySelectorAll('#names option').length > 200`)
	b.js(`const f = document.getElementById('line'); f.elements.line.value = 'SET town Melk'; f.requestSubmit();`)
	b.until("it was written", `document.getElementById('said').textContent.includes('OK')`)
	b.read(leader)
	b.until("the leader sees it", answers+`.startsWith('linearizable "Melk"')`)
	b.read(last)
	b.until("who is cut off refuses, and has the old value", answers+` === 'linearizable refused; session refused; bounded refused; eventual "Krems"'`)
	b.shoot("levels")
	f.Fault(supervisor.Heal)
	b.js(`const f = document.getElementById('look'); f.elements.key.value = 'town'; f.requestSubmit();`)
	b.until("it is shown", `document.getElementById('edit').elements.value.value === 'Melk'`)
	b.js(`document.getElementById('delete').click()`)
	b.sure("Delete town?")
	b.until("it is gone, and has a place", `document.getElementById('key-say').textContent.startsWith('Does not exist. It would go to: Slot')`)
}

// editElements changes, adds and removes elements of a hash, and one of a list.
func (b *browser) editElements() {
	b.t.Helper()
	const pairs = `[...document.querySelectorAll('#pairs tr')].map((r) => r.cells[0].textContent + '=' + r.cells[1].textContent).sort().join(' ')`
	set := func(name, value string) {
		b.js(fmt.Sprintf(`const f = document.getElementById('element'); f.elements.name.value = %q; f.elements.value.value = %q; f.requestSubmit();`, name, value))
	}
	look := func(key string) {
		b.js(fmt.Sprintf(`const f = document.getElementById('look'); f.elements.key.value = %q; f.requestSubmit();`, key))
	}
	look("person")
	b.until("the fields are shown", pairs+` === 'born=1815 name=Ada'`)
	b.js(`document.querySelector('[aria-label="edit name"]').click()`)
	b.until("the form has it", `document.getElementById('element').elements.value.value === 'Ada'`)
	set("name", "Grace")
	b.until("it is changed", pairs+` === 'born=1815 name=Grace'`)
	set("rank", "admiral")
	b.until("one more is there", pairs+` === 'born=1815 name=Grace rank=admiral'`)
	b.shoot("hash")
	b.js(`document.querySelector('[aria-label="remove born"]').click()`)
	b.sure("Remove born?")
	b.until("it is gone", pairs+` === 'name=Grace rank=admiral'`)
	look("trees")
	b.until("the list is shown", pairs+` === '0=oak 1=elm'`)
	set("1", "ash")
	set("", "fir")
	b.until("it has what was set and added", pairs+` === '0=oak 1=ash 2=fir'`)
}

// sure waits for the page to ask, and says yes.
func (b *browser) sure(title string) {
	b.t.Helper()
	b.until("the page asks", fmt.Sprintf(`document.getElementById('sure').open && document.getElementById('sure-h').textContent === %q`, title))
	b.js(`document.getElementById('sure-yes').click()`)
}

// read asks a node for a key at all levels.
func (b *browser) read(node flotilla.NodeID) {
	b.t.Helper()
	b.js(fmt.Sprintf(`document.querySelector('#answers tbody').replaceChildren(); const f = document.getElementById('levels'); f.elements.key.value = 'town'; f.elements.node.value = '%d'; f.requestSubmit();`, node))
	b.until("there are answers", `document.querySelectorAll('#answers [data-level]').length === 4`)
}

// TestThePageAsksBeforeItDestroys: before a command line deletes all keys, and before a followed write takes the place
// of what is no string.
func TestThePageAsksBeforeItDestroys(t *testing.T) {
	chromium(t)
	f := labtest.StartFleet(t, 1)
	b := open(t)
	b.visit(address(t, f, 1)+"store", 1280)
	send := func(line string) {
		b.js(fmt.Sprintf(`const f = document.getElementById('line'); f.elements.line.value = %q; f.requestSubmit();`, line))
	}
	no := func() { b.js(`document.querySelector('#sure button[value="no"]').click()`) }
	send("RPUSH trees oak elm")
	b.until("it was answered", `document.getElementById('said').textContent.endsWith('(integer) 2\n\n')`)
	send("flushall")
	b.until("the page asks", `document.getElementById('sure').open && document.getElementById('sure-h').textContent === 'Delete all keys?'`)
	no()

	b.visit(address(t, f, 1), 1280)
	b.agree(f)
	write := `const f = document.getElementById('follow'); f.elements.key.value = 'trees'; f.requestSubmit();`
	b.js(write)
	b.until("the page asks", `document.getElementById('sure').open && document.getElementById('sure-p').textContent.startsWith('It is a list of 2 elements.')`)
	no()
	b.until("nothing is written", `document.getElementById('verdict').textContent === 'Not written: trees stays as it is.'`)
	b.js(write)
	b.sure("Overwrite trees?")
	b.until("it is", `document.getElementById('verdict').textContent.startsWith('Acknowledged')`)

	b.visit(address(t, f, 1)+"store", 1280)
	b.until("the key is there", `document.getElementById('keys-say').textContent.startsWith('1 shown')`)
	send("FLUSHDB")
	b.sure("Delete all keys?")
	b.until("it was done", `document.getElementById('said').textContent.endsWith('OK\n\n')`)
}

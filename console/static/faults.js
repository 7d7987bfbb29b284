// Breaking things, and seeing what comes of it.
import {$, el, every, get, latest, post, refill, sure, tell} from './dom.js';
import {running} from './load.js';
import {isGone} from './states.js';
import {addressOf, name, now, onChange, others, own, world} from './stream.js';

/** How long what was seen is asked for, in milliseconds, and how often; how long a fault may take: nodes are stopped and started. */
const WATCH_MS = 20000, EVERY_MS = 700, DONE_MS = 35000;

/** Faults after which a node says nothing any more, and what is said to have been done. */
const STOPS = {kill: 'was killed, and stays down until it is started', pause: 'was paused, until it is resumed', wipe: 'was stopped, and starts with an empty disk'};

let watching = 0, touched = false;
let foretold = {of: '', says: ''}; // what was said beforehand, and of what
let last = ''; // what was done last, as foretold.of; empty once something else is asked for

/** What is asked for, in a word. */
const wordOf = (a) => JSON.stringify([a.verb, a.node, a.to, a.one_way, a.delay_ms, a.ahead_ms]);

/** Whether what is asked for was just done: what to expect if it was done again is no news then, and contradicts what was foretold. */
function isDone(a) {
  const n = world.picture?.nodes.find((n) => n.node === a.node);
  return wordOf(a) === last && (watching !== 0 || Boolean(n && isGone(n)));
}

/** Whether the page is about to lose the node that it came from. */
const isOwnEnd = (a) => a.verb in STOPS && name(a.node) === own();

/** The node at whose page this one would go on, if any runs. */
const next = () => others().find((n) => !isGone(n));

/** The fault that the form asks for. */
function ask() {
  const f = new FormData($('fault')), typed = (name) => Number($('fault').elements[name].value); // also of fields that are not shown
  const verb = f.get('verb');
  return {verb, node: Number(f.get('node')), to: verb === 'cut' ? typed('to') : 0, one_way: verb === 'cut' && $('fault').elements.oneway.checked,
    delay_ms: {slow: typed('delay'), 'slow-disk': typed('disk')}[verb] ?? 0, ahead_ms: verb === 'clock' ? typed('ahead') : 0, token: f.get('token') ?? ''};
}

const foreseen = latest();

/** Says what is wrong with what is asked for. Nothing of an earlier question stays beside that. */
function sayWrong(text) {
  tell($('expect'), text);
  $('expect').className = 'bad';
  $('do').disabled = false;
  $('how').hidden = true;
}

/** Asks what a fault would do. */
function foretell(a) {
  const q = new URLSearchParams({verb: a.verb, node: a.node, to: a.to, delay_ms: a.delay_ms, ahead_ms: a.ahead_ms});
  if (a.one_way) q.set('one_way', '');
  return get('/api/fault/expect?' + q);
}

/** Does what the form asks for. What was foretold of it stays beside what comes of it. */
async function carryOutAsked() {
  const a = ask();
  const says = foretold.of === wordOf(a) ? foretold.says : (await foretell(a).catch(() => null))?.says;
  await carryOut(a, {lines: [], expected: says});
}

/** Says beforehand what to expect, and shows only the fields that matter. */
async function expect() {
  const a = ask();
  $('expect').parentElement.hidden = isDone(a);
  for (const label of $('fault').querySelectorAll('[data-for]')) {
    label.hidden = label.dataset.for !== a.verb;
    label.querySelector('input, select').disabled = label.hidden; // what is not shown is not asked for
  }
  const wrong = [...$('fault').querySelectorAll('input[type=number]:enabled')].find((e) => !e.checkValidity());
  if (wrong) {
    foreseen(null); // what was asked before is not asked any more
    return sayWrong(`Give a whole number of milliseconds, from ${wrong.min} to ${wrong.max}.`);
  }
  try {
    const e = await foreseen(foretell(a));
    if (!e) return;
    foretold = {of: wordOf(a), says: e.says};
    tell($('expect'), e.says + (isOwnEnd(a) && !e.how ? next() ? ` So it goes on at ${name(next().node)}'s page by itself.` : ' No other node runs at whose page it could go on.' : ''));
    $('expect').className = e.loses ? 'bad' : '';
    $('do').disabled = Boolean(e.how); // what no page can do is typed
    $('how').hidden = !e.how;
    refill($('how'), el('p', {}, e.how ?? ''), ...(e.command ? [el('pre', {}, e.command)] : []));
  } catch (error) {
    sayWrong(error.message);
  }
}

/**
 * Breaks or mends something, and returns what was done and since when it is watched; nothing if it was refused.
 * @param {any} a what is asked for
 * @param {{lines: string[], since?: number, expected?: string}} before what was done as part of the same, and what was foretold
 */
async function carryOut(a, before = {lines: []}) {
  clearInterval(watching); // what is seen of an earlier fault is not said over what becomes of this one
  watching = 0;
  const since = Math.round(now());
  try {
    const done = await Promise.race([post('/api/fault', a, DONE_MS), ...(isOwnEnd(a) ? [silence()] : [])]);
    if (isOwnEnd(a) && !done.error && goOn(a, since)) return;
    const all = {since: before.since ?? done.since, lines: [...before.lines, ...(done.lines ?? []), done.error].filter(Boolean), expected: before.expected};
    last = done.error ? '' : wordOf(a);
    say(all, []);
    watch(all);
    expect();
    return all;
  } catch (error) {
    if (error.status === 409 && await sure('This loses the majority', error.message, 'Do it all the same')) return carryOut({...a, sure: true}, before);
    if (!error.status && isOwnEnd(a) && goOn(a, since)) return;
    if (error.status !== 409) fail(error, a);
  }
}

/** Fails once the node that the page came from is silent: one that is paused answers nothing, and refuses nothing. */
const silence = () => new Promise((_, fail) => { onChange(() => { if (world.isStale) fail(new Error('it is silent')); }); });

/** Goes to another node's page, with what that needs to tell what comes of a fault; false if there is none. */
function goOn(a, since) {
  const n = next(), load = running();
  if (n) location.assign(`${addressOf(n)}#${new URLSearchParams({since, fault: `${a.verb} ${name(a.node)}`, group: $('group').value, ...(load && {load})})}`);
  return Boolean(n);
}

/** Goes on for the page of a node that was stopped from there. */
function arrive() {
  const q = new URLSearchParams(location.hash.slice(1)), since = Number(q.get('since')), load = Number(q.get('load'));
  const [, verb, node] = /^(\w+) (n\d+)$/.exec(q.get('fault') ?? '') ?? [];
  if (!(verb in STOPS) || !(since > 0)) return;
  history.replaceState(null, '', location.pathname); // it is told once
  if ([...$('group').options].some((o) => o.value === q.get('group'))) $('group').value = q.get('group');
  const lines = [`${node} ${STOPS[verb]}`, `its page can tell nothing: this is ${own()}'s`];
  if (load > 0) {
    lines.push(`the load of ${load} commands a second ran within ${node}, and ${verb === 'pause' ? 'stands still' : 'ended'} with it: Start, in the panel Load, has one go by way of ${own()}`);
    $('load').elements.rate.value = load;
  }
  say({lines}, []);
  watch({since, lines});
}

/** Says why a fault was not carried out, or that its node can no longer say so. */
function fail(error, a) {
  const isExpected = !error.status && (isOwnEnd(a) || a.verb === 'restart' && name(a.node) === own()), text = isExpected ? `${own()}, which this page came from, no longer answers, as was to be expected. Another node's page shows what follows.` : error.message;
  refill($('seen'), el('span', {class: isExpected ? null : 'bad'}, text));
  tell($('seen-heard'), text);
}

/** Says what was done and seen. What was done is said aloud at once; what is seen has numbers that grow, and is when that ends. */
function say({lines, expected}, seen, isEnd = false) {
  const done = lines.join('; ');
  tell($('seen-heard'), isEnd ? `Seen: ${seen.join('; ')}` : `Done: ${done}`);
  refill($('seen'), el('p', {}, el('b', {}, 'Done: '), done), ...(expected ? [el('p', {}, el('b', {}, 'Expected: '), expected)] : []), ...(seen.length ? [el('p', {}, el('b', {}, 'Seen: ')), el('ul', {}, ...seen.map((s) => el('li', {}, s)))] : []));
}

/** Tells for a while what was seen since. */
function watch(done) {
  clearInterval(watching);
  const until = performance.now() + WATCH_MS;
  const id = watching = every(EVERY_MS, async () => {
    try {
      const s = await get('/api/fault/seen?since=' + done.since);
      const isEnd = performance.now() > until;
      if (watching === id) say(done, s.lines, isEnd);
      if (isEnd && watching === id) { watching = 0; expect(); }
      if (isEnd) clearInterval(id);
    } catch {
      clearInterval(id); // this node is gone: the line on top says so
    }
  });
}

export function start() {
  if (!$('fault')) return;
  $('fault').addEventListener('input', () => { touched = true; last = ''; expect(); });
  $('fault').addEventListener('submit', (e) => { e.preventDefault(); carryOutAsked(); });
  $('heal-all').addEventListener('click', mend);
  let before = '';
  onChange(() => {
    if (world.isStale || !world.picture) return;
    const choice = $('fault').elements.node;
    tellRoles(choice, world.picture);
    if (!touched) choice.value = worthBreaking(world.picture);
    if (!choice.value) choice.selectedIndex = 0; // a node that came after the page
    const counts = JSON.stringify([choice.value, world.picture.groups.map((g) => [g.leader, g.slots, g.copies.map((c) => c.role)]), world.picture.nodes.map((n) => [n.state, n.faults, n.disk_delay_ms, n.pid])]); // what is foreseen depends on it
    if (counts !== before) { before = counts; expect(); }
  });
  arrive();
  expect();
}

/** Says of each node that can be chosen what it leads. */
function tellRoles(choice, picture) {
  for (const option of choice.options) {
    const led = picture.groups.filter((g) => g.leader === Number(option.value)).map((g) => 'g' + g.group);
    const some = led.length > 3 ? `${led.length} groups` : led.join(', ');
    const text = name(option.value) + (led.length ? ` – leads ${some}` : '');
    if (option.textContent !== text) option.textContent = text;
  }
}

/** The node whose loss shows most, of those that run: who leads the group that is drawn, or else one that has keys. Not the one that the page came from: it would show nothing. */
function worthBreaking(picture) {
  const far = picture.nodes.filter((n) => n.node !== picture.self), run = far.filter((n) => !isGone(n));
  const drawn = picture.groups.filter((g) => g.group === Number($('group').value)), others = (run.length ? run : far).map((n) => n.node);
  return [...drawn, ...picture.groups.filter((g) => g.slots)].map((g) => g.leader).find((n) => others.includes(n)) ?? others[0] ?? picture.self;
}

/** Heals links, disks and clocks, lets paused nodes go on, starts those that are down. */
async function mend() {
  const {token} = ask();
  let all = await carryOut({verb: 'heal', node: 0, token});
  const also = async (a) => { if (all) all = await carryOut({...a, token}, all); };
  for (const n of world.picture?.nodes ?? []) {
    await also({verb: 'clock', node: n.node, ahead_ms: 0, sure: true});
    if (n.state === 'paused') await also({verb: 'resume', node: n.node});
    if (n.state === 'down') await also({verb: 'restart', node: n.node});
  }
}

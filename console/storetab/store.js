// The store's tab: keys, one key, four levels, a command line, the ring of slots.
import {$, el, get, latest, post, sure, tell} from '/static/dom.js';
import {connect, onChange, world, name} from '/static/stream.js';

const api = '/store/api/';
const tones = ['var(--accent)', 'var(--warn)', 'var(--good)', 'var(--soft)', 'var(--bad)'];

/** Runs something, and says what went wrong where it is looked for. */
async function attempt(where, f) {
  try { await f(); } catch (error) {
    where.textContent = error.message;
    where.classList.add('bad');
  }
}

const expiry = (ms) => ms < 0 ? 'never' : ms < 1000 ? ms + ' ms' : ms < 120e3 ? (ms / 1000).toFixed(0) + ' s' : ms < 7200e3 ? (ms / 60e3).toFixed(0) + ' min' : (ms / 3600e3).toFixed(1) + ' h';

/** Who leads a group: what the stream says, as everywhere on this page, or before it came, what was answered. */
const leaderOf = (group, answered) => (world.picture?.groups.find((g) => g.group === group) ?? {leader: answered}).leader;

/** Where a group is, in words. */
const whereIs = ({group, leader, nodes}) => `group g${group}, ${ledOn(group, leader, nodes)}`;

function ledOn(group, leader, nodes) {
  const now = leaderOf(group, leader);
  return `led by ${now ? name(now) : 'nobody'}, on ${(nodes ?? []).map(name).join(', ')}`;
}

// Keys

let cursor = '0', prefix = '';
const listed = latest();

/** What shows a key of the list: a button, unless the page can not name it. */
function opener(k) {
  if (!k.text_key) return [k.shown, el('small', {}, ' not text: use redis-cli')];
  const open = el('button', {type: 'button', class: 'plain'}, k.shown || '(empty)');
  open.addEventListener('click', () => show(k.key));
  return [open];
}

async function list(isMore) {
  if (!isMore) { cursor = '0'; $('keys').tBodies[0].replaceChildren(); }
  // A while of looking may find nothing that matches: go on for some more of them.
  for (let i = 0; i < 10; i++) {
    const found = await listed(get(`${api}keys?prefix=${encodeURIComponent(prefix)}&cursor=${cursor}`));
    if (!found) return;
    cursor = found.cursor;
    $('keys').tBodies[0].append(...found.keys.map((k) => el('tr', {}, el('td', {class: 'mono'}, ...opener(k)), el('td', {}, k.type), el('td', {}, expiry(k.ttl_ms)))));
    if (cursor === '0' || found.keys.length) break;
  }
  const count = $('keys').tBodies[0].rows.length;
  $('more').hidden = cursor === '0';
  $('keys-say').className = 'say';
  $('keys-say').textContent = count ? `${count} shown${cursor === '0' ? ', and no more' : '; there are more'}.` : cursor === '0' ? prefix ? 'No key begins like that.' : 'There is no key yet.' : 'None yet: there are more keys to look through.';
}

// One key

let current = null;
const looked = latest();
let sayKey = () => {}; // says again what is said of the key: another node may have come to lead its group

async function show(key) {
  const say = $('key-say');
  say.classList.remove('bad');
  await attempt(say, async () => {
    const k = await looked(get(`${api}key?key=${encodeURIComponent(key)}`));
    if (!k) return;
    current = k;
    placed(null); // where it is counts more than what was asked of another key before
    $('look').elements.key.value = key;
    if ($('levels').elements.key.value !== key) $('answers').tBodies[0].replaceChildren(); // they are another key's
    $('levels').elements.key.value = key;
    $('where').elements.key.value = key;
    place = k;
    const isNew = k.type === 'none';
    const what = isNew ? 'Does not exist. It would go to: ' : `A ${k.type === 'zset' ? 'sorted set' : k.type} of ${k.size} ${k.type === 'string' ? 'byte' : 'element'}${k.size === 1 ? '' : 's'}, expires ${k.ttl_ms < 0 ? 'never' : 'in ' + expiry(k.ttl_ms)}. `;
    sayKey = () => { if (!say.classList.contains('bad')) say.textContent = what + `Slot ${k.slot}, ${whereIs(k)}.`; };
    sayKey();
    $('key-body').hidden = false;
    const value = $('edit').elements.value;
    value.parentElement.hidden = !isNew && k.type !== 'string';
    value.value = isNew ? '' : k.value;
    value.readOnly = !isNew && !k.text;
    $('edit').querySelector('.main').hidden = value.parentElement.hidden || value.readOnly;
    $('edit').elements.ttl.value = k.ttl_ms > 0 ? Math.ceil(k.ttl_ms / 1000) : '';
    $('expire').hidden = $('delete').hidden = isNew;
    const pairs = (k.pairs ?? []).map((pair, i) => el('tr', {}, el('th', {scope: 'row', class: 'mono wrap'}, pair[0]), el('td', {class: 'mono wrap'}, pair[1]),
      el('td', {class: 'n'}, k.texts[i] ? edits(k.type, pair) : 'not text, or cut short')));
    if (k.part && pairs.length) pairs.push(el('tr', {}, el('td', {colspan: 3}, `the first ${pairs.length} of ${k.size}`)));
    const form = $('element'), [first, second] = parts[k.type] ?? [];
    form.hidden = !first;
    form.elements.name.previousElementSibling.textContent = first;
    form.elements.value.previousElementSibling.textContent = second;
    form.elements.value.parentElement.hidden = !second;
    form.reset();
    $('pairs').tBodies[0].replaceChildren(...pairs);
    drawRing();
  });
}

// What an element of each type has, and the commands that set and remove one.
const parts = {hash: ['field', 'value'], list: ['position (empty: at the end)', 'value'], set: ['member', ''], zset: ['member', 'score']};
const sets = {hash: (a, b) => ['HSET', current.key, a, b], list: (a, b) => a === '' ? ['RPUSH', current.key, b] : ['LSET', current.key, a, b],
  set: (a) => ['SADD', current.key, a], zset: (a, b) => ['ZADD', current.key, b, a]};
const removals = {hash: 'HDEL', set: 'SREM', zset: 'ZREM'}; // a list's positions move

function edits(type, [a, b]) {
  const button = (text, what) => {
    const it = el('button', {type: 'button', class: 'plain', 'aria-label': `${text} ${a}`}, text);
    it.addEventListener('click', what);
    return it;
  };
  const all = [];
  if (type !== 'set') all.push(button('edit', () => {
    const f = $('element').elements;
    f.name.value = a;
    f.value.value = b;
    f.value.focus();
  }));
  if (removals[type]) all.push(' ', button('remove', async () => {
    const {key, shown} = current;
    if (await sure(`Remove ${a}?`, `It is taken out of ${shown}, and nothing brings it back.`, 'Remove it')) change([removals[type], key, a], key);
  }));
  return el('span', {}, ...all);
}

async function change(args, key = current.key) {
  await attempt($('key-say'), async () => {
    const done = await post(api + 'command', {args});
    if (done.error) throw new Error(done.text);
    await show(key);
    await list(false);
  });
}

// Levels

const seen = {}; // by group, the newest entry that was read here before

async function levels() {
  const f = $('levels').elements, body = $('answers').tBodies[0];
  try {
    const place = await get(`${api}key?key=${encodeURIComponent(f.key.value)}`).catch(() => null);
    const group = place?.group ?? 0;
    const answers = await get(`${api}levels?key=${encodeURIComponent(f.key.value)}&node=${f.node.value}&after=${seen[group] ?? 0}`);
    seen[group] = Math.max(seen[group] ?? 0, ...answers.map((a) => a.error ? 0 : a.index));
    body.replaceChildren(...answers.map((a) => el('tr', {'data-level': a.level}, el('th', {scope: 'row'}, a.level), el('td', {}, a.promise),
      el('td', {class: a.error ? 'bad wrap' : 'mono wrap'}, a.error ? '✕ ' + a.error : a.text), el('td', {}, a.error ? '' : a.index), el('td', {class: 'n'}, (a.micros / 1000).toFixed(2) + ' ms'))));
  } catch (error) {
    body.replaceChildren(el('tr', {}, el('td', {colspan: 5, class: 'bad'}, error.message)));
  }
}

// Command line

let commands = [], past = [], at = 0;

function help(line) {
  const words = line.trim().toLowerCase().split(/\s+/), hint = $('help');
  hint.classList.remove('bad');
  const c = commands.find((c) => c.name === words.slice(0, 2).join('|')) ?? commands.find((c) => c.name === words[0]);
  if (c?.refused) hint.textContent = refusals([c]);
  else if (c) hint.replaceChildren(el('b', {}, c.name.replace('|', ' ').toUpperCase() + ' ' + c.args), ' ' + c.summary);
  else if (words[0]) {
    const like = commands.filter((c) => c.name.startsWith(words[0])), taken = like.filter((c) => !c.refused);
    hint.textContent = taken.length ? taken.slice(0, 8).map(shown).join(' · ') : like.length ? refusals(like.slice(0, 2)) : 'No command begins so.';
  }
}

const shown = (c) => c.name.replace('|', ' ').toUpperCase();

/** Why commands that there are can not be given here. */
const refusals = (some) => 'Not for this line: ' + some.map((c) => c.refused).join('; ') + '.';

/** Commands that delete all keys of the cluster. */
const EMPTIES = /^\s*["']?flush(all|db)\b/i;

async function send(line) {
  if (EMPTIES.test(line) && !await sure('Delete all keys?', 'Every key of the cluster is deleted, with all that it holds. Nothing brings them back.', 'Delete them all')) return;
  past.push(line);
  at = past.length;
  const said = $('said');
  let text;
  try { text = (await post(api + 'command', {line})).text; } catch (error) { text = '(refused) ' + error.message; }
  said.textContent = (said.textContent + `${name(document.body.dataset.self.replace('n', ''))}> ${line}\n${text}\n\n`).slice(-20000);
  said.scrollTop = said.scrollHeight;
}

// Ring

let ranges = [];

function arc(from, to, r) {
  const p = (slot) => { const a = 2 * Math.PI * slot / 16384 - Math.PI / 2; return `${(r * Math.cos(a)).toFixed(2)} ${(r * Math.sin(a)).toFixed(2)}`; };
  const end = to - from >= 16384 ? to - 1 : to;
  return `M${p(from)}A${r} ${r} 0 ${end - from > 8192 ? 1 : 0} 1 ${p(end)}`;
}

function drawRing() {
  const groups = [...new Set(ranges.map((r) => r.group))];
  const parts = ranges.map((r) => {
    const e = el('svg:path', {d: arc(r.from, r.to + 1, 118), class: 'slots'}, el('svg:title', {}, `g${r.group}: slots ${r.from} to ${r.to}`));
    e.style.stroke = tones[groups.indexOf(r.group) % tones.length];
    return e;
  });
  if (groups.length <= 12) for (const r of ranges) {
    const a = 2 * Math.PI * (r.from + r.to + 1) / 2 / 16384 - Math.PI / 2;
    if (r.to - r.from > 500) parts.push(el('svg:text', {x: 92 * Math.cos(a), y: 92 * Math.sin(a) + 4, 'text-anchor': 'middle', class: 'soft'}, 'g' + r.group));
  }
  if (place) {
    const a = 2 * Math.PI * place.slot / 16384 - Math.PI / 2;
    parts.push(el('svg:line', {class: 'now', x1: 0, y1: 0, x2: 134 * Math.cos(a), y2: 134 * Math.sin(a)}), el('svg:circle', {class: 'dot', cx: 134 * Math.cos(a), cy: 134 * Math.sin(a), r: 6}));
    tell($('ring-say'), `Slot ${place.slot} of 16384, ${whereIs(place)}.`);
  }
  const moved = new Map((whatIf?.moves ?? []).map((m) => [m.group, m]));
  if (whatIf) for (const [i, r] of ranges.entries()) {
    if (!moved.has(r.group)) { parts[i].classList.add('faded'); continue; }
    const e = el('svg:path', {d: arc(r.from, r.to + 1, 134), class: 'moving'}, el('svg:title', {}, `g${r.group} would be placed otherwise`));
    e.style.stroke = tones[groups.indexOf(r.group) % tones.length];
    parts.push(e);
  }
  $('ring').replaceChildren(...parts);
  tellWhatIf(moved);
  $('owners').replaceChildren(...groups.slice(0, 24).map((g) => {
    const own = ranges.filter((r) => r.group === g), count = own.reduce((n, r) => n + r.to - r.from + 1, 0), dot = el('i');
    dot.style.background = tones[groups.indexOf(g) % tones.length];
    if (whatIf) return el('li', {class: moved.has(g) ? 'warn' : 'soft'}, dot, `g${g}: ${moved.has(g) ? whichMove(moved.get(g)) : 'all copies would stay on ' + (own[0].nodes ?? []).map(name).join(', ')}`);
    return el('li', {}, dot, `g${g}: ${count} slots, ${ledOn(g, own[0].leader, own[0].nodes)}`);
  }));
}

let whatIf = null;

/** Which copies of a group come and go, in words. */
function whichMove(m) {
  const gone = m.before.filter((n) => !m.after.includes(n)), come = m.after.filter((n) => !m.before.includes(n)), list = (all) => all.map(name).join(', ');
  if (!come.length) return `the copy on ${list(gone)} would have nowhere to go: ${m.after.length} left`;
  if (!gone.length) return `one more copy, on ${list(come)}`;
  return `the copy on ${list(gone)} would go to ${list(come)}`;
}

/** What would move, in all, and that nothing does. */
function tellWhatIf(moved) {
  const say = $('whatif-say');
  say.hidden = !whatIf;
  if (!whatIf) return;
  const copies = [...moved.values()].reduce((n, m) => n + m.before.filter((x) => !m.after.includes(x)).length, 0);
  const directory = moved.get(0);
  const parts = [`If ${name(whatIf.node)} ${whatIf.gone ? 'went for good' : 'came'}, ${copies} of ${whatIf.copies} copies would be placed elsewhere, and no slot would change its group: each pair of a group and a node has a score (rendezvous hashing), and a group's copies are on the nodes with its best ones.`];
  if (directory) parts.push(`Of the directory, g0: ${whichMove(directory)}.`);
  parts.push(whatIf.gone ? 'None of it happens by itself yet: its groups go on with the copies that are left, as when it is down.' : 'None of it happens by itself yet: a node that is added gets no copies.');
  say.textContent = parts.join(' ');
}

/** Asks the node, which places with the same function that placed the groups at first. */
async function ask(choice) {
  whatIf = choice ? await get(api + 'whatif' + (choice === 'come' ? '' : '?gone=' + choice)).catch(() => null) : null;
  drawRing();
}

let place = null;
const placed = latest();

async function findPlace(key) {
  const found = await placed(get(`${api}key?key=${encodeURIComponent(key)}`).catch(() => place));
  if (found) place = found;
  drawRing();
}

// Wiring

const on = (id, type, f) => $(id).addEventListener(type, (e) => { e.preventDefault(); f(e); });
on('find', 'submit', (e) => { prefix = e.target.elements.prefix.value; attempt($('keys-say'), () => list(false)); });
on('element', 'submit', (e) => { const f = e.target.elements; change(sets[current.type](f.name.value, f.value.value)); });
on('more', 'click', () => attempt($('keys-say'), () => list(true)));
on('look', 'submit', (e) => show(e.target.elements.key.value));
on('edit', 'submit', (e) => {
  const ttl = Number(e.target.elements.ttl.value);
  change(['SET', current.key, e.target.elements.value.value, ...(ttl > 0 ? ['EX', String(ttl)] : [])]);
});
on('expire', 'click', () => { const ttl = Number($('edit').elements.ttl.value); change(ttl > 0 ? ['EXPIRE', current.key, String(ttl)] : ['PERSIST', current.key]); });
on('delete', 'click', async () => {
  const {key, shown} = current;
  if (await sure(`Delete ${shown}?`, 'The key is deleted with all that it holds. Nothing brings it back.', 'Delete it')) change(['DEL', key], key);
});
on('levels', 'submit', levels);
on('line', 'submit', (e) => { const input = e.target.elements.line; if (input.value.trim()) { send(input.value); input.value = ''; } });
$('line').elements.line.addEventListener('input', (e) => help(e.target.value));
$('line').elements.line.addEventListener('keydown', (e) => {
  if (e.key !== 'ArrowUp' && e.key !== 'ArrowDown' || !past.length || e.target.value && !past.includes(e.target.value)) return;
  e.preventDefault();
  at = Math.max(0, Math.min(past.length, at + (e.key === 'ArrowUp' ? -1 : 1)));
  e.target.value = past[at] ?? '';
});
on('where', 'submit', () => {});
$('where').elements.key.addEventListener('input', (e) => findPlace(e.target.value));
$('where').elements.whatif.addEventListener('change', (e) => ask(e.target.value));

let leaders = '';
onChange(() => {
  const now = (world.picture?.groups ?? []).map((g) => g.leader).join();
  if (now !== leaders) { leaders = now; drawRing(); sayKey(); }
});
connect();
attempt($('keys-say'), () => list(false));
get(api + 'commands').then((all) => {
  commands = all;
  $('names').replaceChildren(...all.filter((c) => !c.refused).map((c) => el('option', {value: shown(c) + ' '})));
}).catch(() => null);
get(api + 'slots').then((all) => { ranges = all; findPlace('greeting'); }).catch(() => null);

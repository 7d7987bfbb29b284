// A write, hop by hop: put together from the notes of all nodes, drawn as a space-time
// diagram (a line for each node, time downwards), and played in slow motion.
import {$, el, get, isStill, perFrame, post, span, sure} from './dom.js';
import {isGone} from './states.js';
import {name, now, onChange, world} from './stream.js';
import {showWrite} from './picture.js';

const CLIENT = 0;
/** How long a write takes to be played, in milliseconds, and how long it is waited for. */
const PLAY_MS = 7000, WAIT_MS = 3000;

/** What a node is shown to have reached, by kind of note. */
const BADGES = {taken: 'took it', proposed: 'in its log', received: 'received', synced: 'on disk ✓', committed: 'committed ✓', applied: 'applied ✓✓'};

let followed = null, shown = null, timer = 0, at = 0;
let shownAt = 0; // since when, as performance.now()
let isOver = false; // a node that took part is gone: the write is not drawn over the cluster as it is now

/**
 * Makes a write of notes: its steps, and the messages between them.
 *
 * Clocks of nodes differ, so what is drawn are stamps: an effect has a greater one than its causes, and
 * a stamp is the time unless a clock is behind another. A message that came before it was sent, by the
 * clocks of both, tells so: how long it took is not known.
 * @param {import('./stream.js').Note[]} notes in order
 * @param {any} [call] what /api/follow answered, of a write from here
 */
export function assemble(notes, call) {
  if (!notes.length) return null;
  const {begin, ended} = bounds(notes, call);
  const steps = notes.map((n) => ({node: n.node, kind: n.kind, peer: n.peer, at: n.stamp - begin, wall: n.at_us, text: n.what, why: n.why, badge: BADGES[n.kind]}));
  const messages = [];
  const find = (kind, node, peer) => steps.find((s) => s.kind === kind && (node == null || s.node === node) && (peer == null || s.peer === peer));
  for (const s of steps) {
    let came = null, kind = '';
    if (s.kind === 'forwarded' && s.peer !== s.node) came = find('proposed', s.peer);
    if (s.kind === 'sent') came = find('received', s.peer);
    if (s.kind === 'acknowledged') { came = find('counted', s.peer, s.node); kind = 'reply'; }
    if (s.kind === 'applied' && call) {
      const origin = find('answered');
      const leads = steps.some((p) => p.kind === 'proposed' && p.node === s.node);
      if (origin && leads && origin.node !== s.node) { came = origin; kind = 'reply'; }
    }
    if (!came) continue;
    const behind = came.at >= s.at ? Math.max(0, s.wall - came.wall) : 0;
    if (behind) came.text += `; clocks differ: that of ${name(came.node)} is at least ${span(behind)} behind that of ${name(s.node)}`;
    messages.push({from: s.node, to: came.node, sent: s.at, came: Math.max(came.at, s.at), kind, behind});
  }
  if (call) {
    const origin = find('taken')?.node;
    steps.unshift({node: CLIENT, kind: 'asked', at: 0, text: 'the client asks ' + name(origin ?? '?')});
    if (origin) messages.push({from: CLIENT, to: origin, sent: 0, came: find('taken').at, kind: ''});
    const answered = find('answered');
    steps.push({node: CLIENT, kind: 'done', at: ended - begin, text: call.error ? 'the client is told: ' + call.error : 'the client has its answer: OK'});
    if (answered) messages.push({from: origin, to: CLIENT, sent: answered.at, came: ended - begin, kind: 'reply'});
  }
  steps.sort((a, b) => a.at - b.at);
  const committed = steps.find((s) => s.kind === 'committed');
  return {steps, messages, begin, ends: Math.max(...steps.map((s) => s.at), 1), committed, call};
}

/** When a write began and ended, as stamps. What the client did is by the clock of the node that it asked. */
function bounds(notes, call) {
  const first = notes[0].stamp, last = notes.at(-1).stamp;
  if (!call) return {begin: first, ended: last};
  const taken = notes.find((n) => n.kind === 'taken'), answered = notes.find((n) => n.kind === 'answered');
  const begin = Math.min(first, taken ? taken.stamp - Math.max(0, taken.at_us - call.began_us) : call.began_us);
  const ended = answered ? answered.stamp + Math.max(0, call.ended_us - answered.at_us) : Math.max(first, begin + call.ended_us - call.began_us);
  return {begin, ended};
}

/** The notes of one entry, and those of the call that it carries. */
function notesOf(group, index, term, call) {
  return world.notes.filter((n) => (call && n.call === call) || (index > 0 && n.group === group && n.index === index && (!term || n.term === term) && n.term && isStep(n.kind)));
}

const STEPS = new Set(['proposed', 'sent', 'received', 'synced', 'acknowledged', 'counted', 'committed', 'applied']);
const isStep = (kind) => STEPS.has(kind);

/** Draws the space-time diagram of a write. */
function diagram(write) {
  const nodes = [...new Set(write.steps.map((s) => s.node))].sort((a, b) => a - b);
  const least = 72 * (nodes.length - 1) + 110, width = Math.max(300, least, $('follow').clientWidth), left = 70, top = 34, height = Math.max(220, Math.min(380, 16 * write.steps.length)), column = (width - left - 30) / Math.max(1, nodes.length - 1);
  const x = (node) => nodes.length === 1 ? width / 2 : left + column * nodes.indexOf(node);
  const y = (t) => top + 14 + (height - top - 30) * t / write.ends;
  const svg = el('svg:svg', {viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': 'The write in time: a line for each node, time downwards', width: '100%', height});
  svg.style.minWidth = `${Math.round(.85 * least)}px`; // text stays near the page's own size: where there is no room, one scrolls
  for (let i = 0; i <= 4; i++) {
    const t = write.ends * i / 4;
    svg.append(el('svg:line', {class: 'tick', x1: left - 8, x2: width - 8, y1: y(t), y2: y(t)}), el('svg:text', {class: 'soft', x: left - 14, y: y(t) + 4, 'text-anchor': 'end'}, span(t)));
  }
  for (const n of nodes) {
    const leads = write.steps.some((s) => s.node === n && s.kind === 'proposed');
    svg.append(el('svg:line', {class: 'lane', x1: x(n), x2: x(n), y1: top, y2: height - 12}),
      el('svg:text', {x: x(n), y: 18, 'text-anchor': 'middle'}, n === CLIENT ? 'client' : name(n) + (leads ? ' ★' : '')));
  }
  for (const m of write.messages) {
    const x1 = x(m.from), y1 = y(m.sent), x2 = x(m.to), y2 = y(m.came), d = Math.sign(x2 - x1);
    svg.append(el('svg:line', {class: `msg ${m.kind}${m.behind ? ' unsure' : ''}`, x1, y1, x2: x2 - 8 * d, y2, 'data-at': m.sent},
      m.behind ? el('svg:title', {}, 'clocks differ: how long this took is not known') : null),
      el('svg:path', {class: 'arrow ' + m.kind, d: `M${x2 - 6 * d} ${y2}l${-8 * d} -4v8z`, 'data-at': m.came}));
  }
  for (const s of write.steps) {
    const disk = s.kind === 'synced', done = ['committed', 'applied', 'done', 'answered'].includes(s.kind);
    const mark = disk ? el('svg:rect', {x: x(s.node) - 5, y: y(s.at) - 5, width: 10, height: 10}) : el('svg:circle', {cx: x(s.node), cy: y(s.at), r: s.node === CLIENT ? 5 : 4});
    mark.setAttribute('class', 'step' + (disk ? ' disk' : '') + (done ? ' done' : ''));
    mark.setAttribute('data-at', s.at);
    mark.append(el('svg:title', {}, `${span(s.at)}: ${s.text}`));
    svg.append(mark);
  }
  svg.append(el('svg:line', {class: 'now', id: 'd-now', x1: left - 8, x2: width - 8, y1: y(0), y2: y(0)}));
  svg.dataset.top = y(0);
  svg.dataset.per = (y(write.ends) - y(0)) / write.ends;
  return svg;
}

/** Shows the write as it was at a moment. */
function seek(t) {
  at = Math.max(0, Math.min(t, shown.ends));
  $('moment').value = Math.round(1000 * at / shown.ends);
  const svg = $('diagram').firstElementChild, line = $('d-now');
  const y = Number(svg.dataset.top) + Number(svg.dataset.per) * at;
  line.setAttribute('y1', y); line.setAttribute('y2', y);
  for (const e of svg.querySelectorAll('[data-at]')) e.classList.toggle('faded', Number(e.dataset.at) > at);
  let current = null;
  for (const li of $('hops').children) {
    li.classList.toggle('faded', Number(li.dataset.at) > at);
    li.removeAttribute('aria-current');
    if (Number(li.dataset.at) <= at) current = li;
  }
  current?.setAttribute('aria-current', 'step');
  if (current) $('hops').scrollTop = Math.max(0, current.offsetTop - $('hops').offsetTop - 120);
  if (!isOver) showWrite(shown, at);
}

/** Whether a node that took part in the write that is shown is gone. */
const hasLost = () => Boolean(world.picture?.nodes.some((n) => isGone(n) && shown.steps.some((s) => s.node === n.node)));

/** Ends what is played of a write once a node that took part is gone. */
function lookLost() {
  if (!shown || isOver || !hasLost()) return;
  isOver = true;
  if (timer) { stop(); seek(shown.ends); }
  showWrite(null, 0);
}

function stop() {
  cancelAnimationFrame(timer);
  timer = 0;
  $('play').textContent = 'play';
}

/** Plays from a moment on, so much slower than it was that one can follow it. */
function play(from) {
  stop();
  const began = performance.now() - from / shown.ends * PLAY_MS;
  $('play').textContent = 'stop';
  const frame = (t) => {
    const k = (t - began) / PLAY_MS;
    seek(k * shown.ends);
    if (k >= 1) stop(); else timer = requestAnimationFrame(frame);
  };
  timer = requestAnimationFrame(frame);
}

function step(d) {
  stop();
  const times = shown.steps.map((s) => s.at);
  seek(d > 0 ? times.find((t) => t > at + .5) ?? shown.ends : times.findLast((t) => t < at - .5) ?? 0);
}

/** Shows a write, and plays it unless people asked for no motion. */
function show(write) {
  stop();
  shown = write;
  shownAt = performance.now();
  isOver = hasLost();
  $('sample').hidden = true;
  $('diagram').replaceChildren(diagram(write));
  $('hops').replaceChildren(...write.steps.map((s) => el('li', {'data-at': s.at, 'data-kind': s.kind, 'data-node': s.node, title: s.why}, el('time', {}, span(s.at)), s.text)));
  for (const id of ['diagram', 'player', 'hops']) $(id).hidden = false;
  $('slow').textContent = `${Math.max(1, Math.round(PLAY_MS * 1000 / write.ends)).toLocaleString('en')}× slower than it was`;
  if (isStill()) seek(write.ends); else play(0);
}

/** Forgets the write that is shown, so that nothing of it stands beside what is said of another one. */
function clear() {
  stop();
  shown = null;
  for (const id of ['diagram', 'player', 'hops', 'sample']) $(id).hidden = true;
  $('diagram').replaceChildren();
  $('hops').replaceChildren();
}

/** Whether all that can be known of the followed write has come. */
function isWhole(write, call) {
  if (call.error) return true;
  const count = (kind) => write.steps.filter((s) => s.kind === kind).length;
  return count('applied') > 0 && count('applied') >= count('sent') + 1 && count('counted') >= count('sent');
}

function lookFollowed() {
  if (!followed || document.hidden) return; // while it is hidden, the page is told nothing
  const {call, since} = followed;
  const write = assemble(notesOf(call.group, call.index, 0, call.call), call) ?? (call.error ? {steps: []} : null);
  const waited = performance.now() - Math.max(since, world.since) > WAIT_MS;
  if (!write || !isWhole(write, call) && !waited) return;
  followed = null;
  tellVerdict(call, write);
  if (write.steps.length > 2) show(write);
}

function tellVerdict(call, write) {
  const took = span(call.ended_us - call.began_us), verdict = $('verdict');
  verdict.className = 'say ' + (call.error ? 'bad' : '');
  if (call.error) {
    verdict.textContent = `Not acknowledged, after ${took}: ${call.error.replace(/\.+$/, '')}. ` + (call.may_have_happened ? 'It may have been carried out, or may still be.' : 'It certainly was not carried out, and never will be.');
    return;
  }
  const disks = write.steps.filter((s) => s.kind === 'synced' && s.at <= (write.committed?.at ?? 0)).length;
  verdict.textContent = `Acknowledged after ${took}: slot ${call.slot}, entry ${call.index} of g${call.group}; on ${disks === 1 ? "1 disk" : `${disks} disks`} when it was committed.`;
  if (call.job) verdict.append(' ', el('a', {href: `/queue#${encodeURIComponent($('follow').elements.key.value)}/${call.job}`}, 'What becomes of the job'), '.');
}

/** Whether people look at a write: it is played, or was stopped on its way, or has not been there for long. */
const isLookedAt = () => timer !== 0 || shown !== null && (at < shown.ends || performance.now() - shownAt < PLAY_MS);

/** Picks the newest whole entry of other clients, and shows it when nobody looks at another. What was said of a write from here stays. */
function lookSampled() {
  if (!$('sampled').checked || followed || isLookedAt()) return;
  const applied = world.notes.findLast((n) => n.kind === 'applied' && n.stamp < now() - 1.5e6);
  if (!applied || applied.index === shown?.index && applied.group === shown?.group) return;
  const write = assemble(notesOf(applied.group, applied.index, applied.term));
  if (!write || write.steps[0].kind !== 'proposed') return;
  if (world.picture?.nodes.some((n) => isGone(n) && write.steps.some((s) => s.node === n.node))) return; // it was before that
  Object.assign(write, {index: applied.index, group: applied.group});
  $('sample').textContent = `Another client's write, entry ${applied.index} of g${applied.group}: one of many, chosen by its leader.`;
  show(write);
  $('sample').hidden = false;
}

/** How long the type of a key is waited for before it is written, in milliseconds: a write that may fail is to be seen to. */
const LOOK_MS = 1000;

/** Asks before a key is overwritten that has more than a string. */
async function mayOverwrite(key) {
  const k = await get('/store/api/key?key=' + encodeURIComponent(key), LOOK_MS).catch(() => null);
  if (!k || ['none', 'string'].includes(k.type)) return true;
  const type = k.type === 'zset' ? 'sorted set' : k.type;
  return sure(`Overwrite ${k.shown}?`, `It is a ${type} of ${k.size} element${k.size === 1 ? '' : 's'}. A string takes its place, and nothing brings it back.`, 'Overwrite it');
}

export function start() {
  $('follow').elements.what.addEventListener('change', (e) => {
    const isJob = e.target.value === 'job';
    $('f-key').textContent = isJob ? 'queue' : 'key';
    $('f-value').textContent = isJob ? 'body' : 'value';
    if (isJob && $('follow').elements.key.value === 'greeting') $('follow').elements.key.value = '';
  });
  $('follow').addEventListener('submit', async (e) => {
    e.preventDefault();
    const form = new FormData(e.target), button = e.target.querySelector('button');
    button.disabled = true;
    followed = null;
    clear();
    $('sampled').checked = false; // who follows a write looks at that one, until others are asked for
    $('verdict').className = 'say';
    $('verdict').textContent = 'On its way …';
    try {
      if (form.get('what') === 'key' && !await mayOverwrite(form.get('key'))) throw new Error(`Not written: ${form.get('key')} stays as it is.`);
      const call = await post('/api/follow', form.get('what') === 'job' ? {Queue: form.get('key'), Value: form.get('value')} : {Key: form.get('key'), Value: form.get('value')});
      followed = {call, since: performance.now()};
      lookFollowed();
    } catch (error) {
      $('verdict').className = 'say bad';
      $('verdict').textContent = error.message;
    }
    button.disabled = false;
  });
  $('play').addEventListener('click', () => timer ? stop() : play(at >= shown.ends ? 0 : at));
  $('back').addEventListener('click', () => step(-1));
  $('forth').addEventListener('click', () => step(1));
  $('moment').addEventListener('input', (e) => { stop(); seek(e.target.value / 1000 * shown.ends); });
  $('sampled').addEventListener('change', () => { // who asks for others has seen enough of this one
    if (timer || !shown) return;
    seek(shown.ends);
    shownAt = -PLAY_MS;
  });
  addEventListener('resize', perFrame(() => {
    if (!shown) return;
    $('diagram').replaceChildren(diagram(shown));
    seek(at);
  }));
  onChange(() => { lookLost(); lookFollowed(); lookSampled(); });
  setInterval(() => { lookFollowed(); lookSampled(); }, 500);
}

/** Has the overlay drawn again, after the picture was. */
export function again() { if (shown && !isOver && (timer || at < shown.ends)) showWrite(shown, at); }

// What happened, in time: a lane for each node, and a list in plain words.
import {$, clock, el, glyph, perFrame, shape} from './dom.js';
import {asOf, name, now, onChange, order, own, world, WRITES} from './stream.js';

/** Kinds that change little, each. */
const VOTES = new Set(['vote-asked', 'vote-given', 'vote-refused', 'trial-asked', 'trial-given', 'trial-refused', 'heard']);
/** How many sentences are shown at a time. */
const LISTED = 60;

let end = 0; // the right edge, in microseconds; 0: live
let picked = null;
let spots = []; // where events are drawn

const isPicked = (n) => picked !== null && order(n, picked) === 0;

const isLive = () => end === 0;
const edge = () => end || (world.isStale ? world.heard : now() - 600e3); // a little late, so that causes have come
/** Since when anything is remembered; what is earlier is not looked at. */
const oldest = () => world.notes[0]?.stamp ?? now();
const bounded = (t) => Math.min(now(), Math.max(t, oldest()));
const listeners = new Set();

/** Has f called when another moment is looked at, with the note if one was picked. */
export function onMove(f) { listeners.add(f); }

/** The moment that is looked at, and the note that was picked; null while it is now. */
export const moment = () => isLive() ? null : {stamp: picked?.stamp ?? Math.max(end, world.notes[0]?.stamp ?? 0), note: picked};

/** Goes back to what happens now. */
export function live() {
  end = 0;
  picked = null;
  move();
}

function move(note = null) {
  press();
  draw();
  for (const f of listeners) f(note);
}

const width = () => Number($('t-span').value) * 1e6;

function chosen() {
  const how = $('t-kind').value;
  return world.notes.filter((n) => how === 'all' || !WRITES.has(n.kind) && (how === 'votes' || !VOTES.has(n.kind)));
}

/** The shape of a note: of roles that of the role. */
function shapeOf(n) {
  if (n.kind === 'role') return n.word === 'trial' ? 'candidate' : n.word;
  if (n.kind === 'process') return {down: 'dead', paused: 'paused', wiped: 'fault'}[n.word] ?? 'event';
  if (n.kind === 'fault') return isMended(n) ? 'event' : n.word.startsWith('cut') ? 'cut' : 'fault';
  if (n.kind === 'silent') return 'silent';
  if (n.kind === 'snapshot-failed' || n.kind === 'no-room') return 'fault';
  if (n.kind.startsWith('vote') || n.kind.startsWith('trial')) return 'candidate';
  return 'event';
}

/** Whether a lab's note is of the end of what it broke. */
const isMended = (n) => n.word.startsWith('healed') || ['disk', 'clock', 'drift'].includes(n.word) && !n.value;

function draw() {
  const svg = $('timeline'), w = svg.clientWidth || 900, lanes = (world.picture?.nodes ?? []).map((n) => n.node);
  const left = 38, row = 26, bottom = 24, h = lanes.length * row + bottom;
  svg.setAttribute('viewBox', `0 0 ${w} ${h}`);
  svg.style.height = h + 'px';
  const right = edge(), from = right - width(), x = (t) => left + (w - left - 12) * (t - from) / width();
  const parts = [];
  for (let i = 0; i <= 5; i++) {
    const t = from + width() * i / 5;
    parts.push(el('svg:line', {class: 'tick', x1: x(t), x2: x(t), y1: 0, y2: h - bottom}));
    if (w > 560 || i % 2 === 0) parts.push(el('svg:text', {class: 'soft', x: x(t), y: h - 7, 'text-anchor': i === 0 ? 'start' : i === 5 ? 'end' : 'middle'}, clock(t, width() < 60e6 ? 3 : 0)));
  }
  lanes.forEach((node, i) => parts.push(el('svg:text', {x: 4, y: i * row + 18}, name(node)), el('svg:line', {class: 'lane', x1: left, x2: w - 8, y1: i * row + 13, y2: i * row + 13})));
  let lastX = new Map();
  spots = [];
  for (const n of chosen()) {
    const at = n.stamp;
    if (at < from || at > right) continue;
    const lane = lanes.indexOf(n.node), px = x(at);
    if (lane < 0) continue;
    if (WRITES.has(n.kind)) {
      if (px - (lastX.get(lane) ?? -9) > 1.5) { parts.push(el('svg:rect', {class: 'writes', x: px, y: lane * row + 18, width: 1.5, height: 5})); lastX.set(lane, px); }
      continue;
    }
    spots.push({x: px, y: lane * row + 13, n});
    parts.push(el('svg:g', {class: 'ev' + (isPicked(n) ? ' on' : ''), 'data-n': n.n}, shape(shapeOf(n), px, lane * row + 13, isPicked(n) ? 17 : 12), el('svg:title', {}, n.what)));
  }
  if (picked && picked.stamp >= from && picked.stamp <= right) parts.push(el('svg:line', {class: 'pick', x1: x(picked.stamp), x2: x(picked.stamp), y1: 0, y2: h - bottom}));
  svg.replaceChildren(...parts);
  list(from, right);
}

/** The newest sentences of what is shown, the newest first. */
function list(from, right) {
  const inside = chosen().filter((n) => n.stamp >= from && n.stamp <= right);
  const at = inside.findIndex(isPicked);
  const last = at < 0 ? inside.length : Math.min(inside.length, Math.max(at + LISTED / 2, LISTED));
  const earlier = Math.max(0, last - LISTED), later = inside.length - last;
  const some = inside.slice(earlier, last).reverse();
  const isUntold = world.isStale && isLive(), isForgotten = !isLive() && from < oldest();
  const ids = [isUntold, isForgotten, earlier, later, ...some.map((n) => n.n + (isPicked(n) ? '!' : ''))].join();
  const events = $('events');
  if (events.dataset.ids === ids) return;
  events.dataset.ids = ids;
  const hadFocus = events.contains(document.activeElement), old = events.querySelector('[tabindex="0"]')?.dataset.n;
  if (!some.length && !isUntold) {
    if (hadFocus) $('timeline').focus({preventScroll: true}); // there is no event to be at
    events.replaceChildren(remark(isForgotten ? 'What was then is not remembered any more: ten minutes are.' : 'Nothing of this kind happened in this time: in peace there is nothing to say.'));
    return;
  }
  const items = some.map((n) => {
    const li = el('li', {'aria-current': isPicked(n) ? 'true' : null, 'data-kind': n.kind, 'data-node': n.node, 'data-n': n.n, tabindex: -1}, el('time', {}, clock(n.at_us)), glyph(shapeOf(n)),
      el('span', {}, n.what + '.', n.why || n.next ? el('small', {}, [n.why && 'Why: ' + n.why + '.', n.next && 'What follows: ' + n.next + '.'].filter(Boolean).join(' ')) : null));
    li.addEventListener('click', () => pick(n));
    li.addEventListener('keydown', (e) => { if (e.key === 'Enter' || e.key === ' ') { e.preventDefault(); pick(n); } });
    li.addEventListener('focus', () => stopAt(li));
    return li;
  });
  if (isUntold) items.unshift(remark(`${own()}, which told all this, does not answer: what happened after ${asOf()} is not known here.`));
  if (later) items.unshift(remark(`and ${later} later: step on to see them.`));
  if (earlier) items.push(remark(`and ${earlier} earlier: step back to see them, or choose a shorter span.`));
  events.replaceChildren(...items);
  const current = events.querySelector('[aria-current]'), first = events.querySelector('[data-n]');
  const tabbed = current ?? events.querySelector(`[data-n="${old}"]`) ?? first;
  if (tabbed) stopAt(tabbed);
  if (hadFocus) (tabbed ?? $('timeline')).focus({preventScroll: true});
  if (!current) return;
  // The list is scrolled, never the page: the picture is what is looked at.
  events.scrollTop = Math.min(Math.max(events.scrollTop, current.offsetTop + current.offsetHeight - events.clientHeight), current.offsetTop);
}

/** Has one event be where the tabulator stops; arrows go on from there. */
function stopAt(li) {
  for (const e of $('events').querySelectorAll('[tabindex="0"]')) e.tabIndex = -1;
  li.tabIndex = 0;
}

/** Goes from event to event of the list by keys. */
function walk(e) {
  const all = [...$('events').querySelectorAll('[data-n]')], i = all.indexOf(document.activeElement);
  const to = {ArrowDown: i + 1, ArrowUp: i - 1, Home: 0, End: all.length - 1}[e.key];
  if (to == null || i < 0) return;
  e.preventDefault();
  all[Math.min(Math.max(to, 0), all.length - 1)].focus();
}

/** A line that is no note. */
const remark = (text) => el('li', {}, el('time'), el('span'), el('span', {}, text));

/** Stops at a note. */
function pick(n) {
  picked = n;
  if (isLive()) end = edge();
  show();
  move(n);
}

/** Picks the event nearest to where the pointer is: events are drawn anew while one presses. */
function touch(e) {
  const box = $('timeline').getBoundingClientRect(), far = (s) => Math.hypot(s.x - (e.clientX - box.left), s.y - (e.clientY - box.top));
  const nearest = spots.reduce((best, s) => !best || far(s) < far(best) ? s : best, null);
  if (nearest && far(nearest) < 14) pick(nearest.n);
}

/** Moves what is shown so that the note that was picked is in it. */
function show() {
  if (picked && (picked.stamp > end || picked.stamp < end - width())) end = Math.min(picked.stamp + width() / 2, now());
}

/** Picks the event before or after the one that was picked, or the edge. */
function step(d) {
  const all = chosen(), from = picked ?? {stamp: edge(), node: Infinity, seq: 0};
  const next = d < 0 ? all.findLast((n) => order(n, from) < 0) : all.find((n) => order(n, from) > 0 && n.stamp <= now() - 600e3);
  if (next) pick(next);
}

function press() { $('t-live').setAttribute('aria-pressed', String(isLive())); }

export function start() {
  const redraw = perFrame(draw), drag = perFrame(() => { picked = null; move(); });
  onChange(() => {
    if (picked && world.notes.length && !world.notes.some(isPicked)) live(); // it was forgotten, and with it how things were then
    else if (isLive() || end < oldest()) redraw();
  });
  setInterval(() => { if (isLive() && !document.hidden) redraw(); }, 500);
  $('t-live').addEventListener('click', () => { if (!isLive()) { live(); return; } end = edge(); move(); });
  $('t-back').addEventListener('click', () => step(-1));
  $('t-forth').addEventListener('click', () => step(1));
  for (const id of ['t-span', 't-kind']) $(id).addEventListener('change', () => { if (!isLive()) show(); redraw(); });
  $('timeline').addEventListener('keydown', (e) => {
    if (e.key === 'ArrowLeft' || e.key === 'ArrowRight') { e.preventDefault(); step(e.key === 'ArrowLeft' ? -1 : 1); }
    if (e.key === 'Escape') live();
  });
  $('events').addEventListener('keydown', walk);
  let grabbed = null;
  $('timeline').addEventListener('pointerdown', (e) => { grabbed = {x: e.clientX, end: edge(), isMoved: false}; });
  addEventListener('pointerup', (e) => {
    if (grabbed && !grabbed.isMoved) touch(e);
    grabbed = null;
  });
  $('timeline').addEventListener('pointermove', (e) => {
    if (!grabbed || !grabbed.isMoved && Math.abs(e.clientX - grabbed.x) < 4) return;
    grabbed.isMoved = true;
    end = bounded(grabbed.end - (e.clientX - grabbed.x) / $('timeline').clientWidth * width());
    drag();
  });
  $('timeline').addEventListener('wheel', (e) => {
    const by = e.shiftKey ? e.deltaY || e.deltaX : Math.abs(e.deltaX) > Math.abs(e.deltaY) ? e.deltaX : 0;
    if (!by) return;
    e.preventDefault();
    end = bounded(edge() + by / $('timeline').clientWidth * width());
    drag();
  }, {passive: false});
  addEventListener('resize', redraw);
}

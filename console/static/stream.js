// What the node pushes: the picture of the cluster, and notes, merged of all nodes.
import {$, clock, el, tell as say} from './dom.js';
import {isGone} from './states.js';

/** How long notes are kept. */
const KEPT_MICROS = 10 * 60e6;
/** How many: steps of writes are many, and must not push out what is rare. As in console/merge.go. */
const KEPT_EVENTS = 10000, KEPT_STEPS = 20000;
/** The kinds of notes that are steps of writes. */
export const WRITES = new Set(['taken', 'forwarded', 'answered', 'proposed', 'sent', 'received', 'synced', 'acknowledged', 'counted', 'committed', 'applied']);

/**
 * @typedef {Object} Note what happened on a node; see cluster/journal.go
 * @property {number} stamp orders all notes: an effect has a greater one than its causes
 * @property {number} at_us @property {number} node @property {string} kind @property {string} [word]
 * @property {number} group @property {number} [peer] @property {number} [term] @property {number} [index]
 * @property {number} [call] @property {number} [value] @property {string} what @property {string} [why] @property {string} [next]
 */

export const world = {
  /** @type {any} the newest picture; null before the first */
  picture: null,
  /** @type {Note[]} in the order of their stamps */
  notes: [],
  /** How far this machine's clock is behind the node's, in microseconds. */
  skew: 0,
  /** When the node was last heard, on its clock, in microseconds; 0 before the first time. */
  heard: 0,
  /** The node was not heard for a while: what is drawn may no longer be so. */
  isStale: false,
  /** Why the node refuses to tell this page anything; empty if it does not. */
  refusal: '',
  /** Since when it is listened to, as performance.now(): before, the page was not there, or hidden. */
  since: 0,
};

/** How long nothing may be heard, in milliseconds: a node says each second that it is there. */
const SILENT_MS = 2500, LOOK_MS = 250;

const listeners = new Set();

/** Has f called after each push; also when the picture becomes stale. */
export function onChange(f) { listeners.add(f); }

/** Now, on the node's clock, in microseconds. */
export const now = () => Date.now() * 1000 + world.skew;

/** Which of two notes comes first; 0 if they are the same. */
export const order = (a, b) => a.stamp - b.stamp || a.node - b.node || a.seq - b.seq;

/** Puts notes where they belong: one that comes late, too. */
function take(fresh) {
  fresh.sort(order);
  const all = world.notes, later = all.splice(all.findLastIndex((n) => order(n, fresh[0]) <= 0) + 1);
  for (const n of later.concat(fresh).sort(order)) all.push(n);
  world.notes = keep(all, now() - KEPT_MICROS);
}

/**
 * What is kept of notes: none that is too old, and of each sort the newest.
 * @param {Note[]} notes in order
 * @param {number} oldest a stamp
 */
export function keep(notes, oldest) {
  let events = KEPT_EVENTS, steps = KEPT_STEPS;
  return notes.reverse().filter((n) => n.stamp >= oldest && (WRITES.has(n.kind) ? steps-- : events--) > 0).reverse();
}

let source, isAnew = true, again = 0;
let heardAt = 0; // as performance.now()

function tell() {
  for (const f of listeners) f();
}

/**
 * Listens, and goes on listening, but while nobody looks: a browser has six connections to a node, for all of its
 * pages, and one that is hidden needs none. Seen again, it is told all that it missed.
 */
export function connect() {
  turn();
  document.addEventListener('visibilitychange', turn);
  setInterval(() => { if (!document.hidden && !world.isStale && performance.now() - heardAt > SILENT_MS) lose(); }, LOOK_MS);
}

/** Listens if somebody looks. */
function turn() {
  source?.close();
  clearTimeout(again);
  if (document.hidden) return;
  heardAt = world.since = performance.now();
  isAnew = true;
  listen();
}

/** The node was heard: all is as ever. */
function hear(millis) {
  heardAt = performance.now();
  world.heard = millis * 1000;
  world.skew = world.heard - Date.now() * 1000;
  world.isStale = false;
  world.refusal = '';
  document.documentElement.classList.remove('stale');
  say($('link'), 'live');
  $('link').classList.remove('off');
  tell();
}

/** The node was not heard for too long: the page shows that, and where else to look. */
function lose() {
  world.isStale = true;
  document.documentElement.classList.add('stale');
  $('link').replaceChildren(world.refusal ? `${own()} shows this page nothing: ${world.refusal}. ` : `${own()} does not answer: trying again. `, ...elsewhere());
  $('link').classList.add('off');
  tell();
}

/** The name of the node that the page came from. */
export const own = () => document.body.dataset.self;

/** Since when nothing is known, in words. */
export const asOf = () => world.heard ? clock(world.heard, 0) : 'the start';

/** The nodes as the page was made with them, before there is a picture. */
const atFirst = () => document.body.dataset.nodes.split(';').map((text) => {
  const [node, http_port, host] = text.split(' ');
  return {node: Number(node), http_port, host};
});

/** The other nodes: those that ran when they were last heard of, if any did. */
export function others() {
  const all = (world.picture?.nodes ?? atFirst()).filter((n) => name(n.node) !== own());
  const running = all.filter((n) => !isGone(n));
  return running.length ? running : all;
}

/** Links to this page of other nodes. */
export const elsewhere = () => others().flatMap((n, i) => [i ? ', ' : 'Look at ', el('a', {href: addressOf(n)}, `${name(n.node)}'s page`)]);

/** Where a node has this page. */
export function addressOf(n) {
  const host = n.host.includes(':') ? `[${n.host}]` : n.host;
  return `${location.protocol}//${host}:${n.http_port}${location.pathname}`;
}

/** Asks once why there is no stream, which an EventSource does not say. */
async function askWhy() {
  const asked = new AbortController(), late = setTimeout(() => asked.abort(), SILENT_MS);
  try {
    const response = await fetch('/api/stream', {signal: asked.signal});
    world.refusal = response.ok ? '' : (await response.text()).trim() || response.statusText;
    if (world.refusal) lose();
  } catch { /* it does not answer, which is said already */ }
  clearTimeout(late);
  asked.abort(); // it may be there again: the next connection is to have it
}

/** The browser connects again by itself, but where it was refused. */
function listen() {
  source = new EventSource('/api/stream');
  source.onerror = () => {
    isAnew = true;
    if (source.readyState !== EventSource.CLOSED) return;
    again = setTimeout(listen, 3000);
    if (!world.refusal) askWhy();
  };
  source.addEventListener('picture', (e) => { world.picture = JSON.parse(e.data); });
  source.addEventListener('notes', (e) => {
    const notes = JSON.parse(e.data);
    if (isAnew) world.notes = []; // a new connection begins with all there is
    isAnew = false;
    take(notes);
  });
  source.addEventListener('clock', (e) => hear(Number(e.data)));
}

/** The name of a node. */
export const name = (id) => 'n' + id;

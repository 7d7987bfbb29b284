// The picture as it was at a moment of the timeline, made of what the nodes wrote down up to then. Nothing here draws.
import {order, WRITES} from './stream.js';

/** The phases of a process, as states of a node. */
const STATES = {down: 'down', paused: 'paused', waiting: 'starting'};
/** How long before a moment votes still belong to it, in microseconds. */
const ELECTION = 2e6;

/** What is said of a vote, and how it looks. */
const VOTES = {
  'vote-asked': ['your vote?', 'asks'], 'vote-given': ['yes', 'yes'], 'vote-refused': ['no', 'no'],
  'trial-asked': ['would you?', 'asks'], 'trial-given': ['I would', 'yes'], 'trial-refused': ['I would not', 'no'],
};
/** What is said of other messages. */
const MESSAGES = {'hand-over': 'take over', forwarded: 'the write', sent: 'the entry', acknowledged: 'it is on disk', 'snapshot-sent': 'a snapshot'};

/** Whether a note is about one group. */
export const isOfGroup = (n) => n.kind === 'role' || n.kind in VOTES || n.kind in MESSAGES || n.index > 0 || n.kind === 'members' || n.kind === 'new-copy';

/**
 * The picture at a moment. What the notes that are kept do not tell is as it is now where nothing has
 * changed since, and otherwise unknown.
 * @param {any} picture the newest
 * @param {number} group the only one that is in it
 * @param {import('./stream.js').Note[]} notes in order
 * @param {number} stamp
 */
export function rewind(picture, group, notes, stamp) {
  const rare = notes.filter((n) => !WRITES.has(n.kind)), past = rare.filter((n) => n.stamp <= stamp), future = rare.filter((n) => n.stamp > stamp);
  const nodes = rewindNodes(picture, past, future);
  return {...picture, isPast: true, nodes, groups: picture.groups.filter((g) => g.group === group).map((g) => rewindGroup(g, nodes, past, future))};
}

/** When the life of a node began that it is in; -1 if that is not known. */
const birth = (node, past) => past.findLast((n) => n.node === node && n.kind === 'started')?.stamp ?? -1;

/** From where to where the link goes that a fault was done to. */
const link = (n) => n.word.endsWith('-here') ? [n.peer, n.node] : [n.node, n.peer];

function rewindNodes(picture, past, future) {
  const hasSupervisor = [...past, ...future].some((n) => n.kind === 'process');
  const nodes = picture.nodes.map((n) => {
    const others = picture.nodes.filter((o) => o.node !== n.node).map((o) => o.node);
    const last = (word, now = 0) => {
      const is = (x) => x.node === n.node && x.kind === 'fault' && x.word === word, found = past.findLast((x) => is(x) && (hasSupervisor || x.stamp > birth(n.node, past)));
      return found ? found.value ?? 0 : future.some(is) ? 0 : now;
    };
    return {...n, why: '', unheard: others.filter((o) => isUnheard(n, o, past, future)), faults: faultsOf(n, past, future, hasSupervisor),
      disk_delay_ms: last('disk', n.disk_delay_ms), clock_ms: last('clock', n.clock_ms), drift_ppm: last('drift', n.drift_ppm)};
  });
  for (const n of nodes) n.state = stateOf(n, nodes, past, future);
  return nodes;
}

/** Whether a node did not hear another. That it hears it tells nothing of before, but where it had said that it did not. */
function isUnheard(n, other, past, future) {
  const is = (x) => x.node === n.node && x.peer === other && (x.kind === 'silent' || x.kind === 'heard');
  const began = birth(n.node, past), before = past.findLast((x) => is(x) && x.stamp > began);
  if (before) return before.kind === 'silent';
  return future.some((x) => x.node === n.node && (is(x) || x.kind === 'started')) ? false : Boolean(n.unheard?.includes(other));
}

/** What was wrong on the ways from a node. Without a supervisor, faults are forgotten when the node that has them starts again. */
function faultsOf(n, past, future, hasSupervisor) {
  const is = (x) => x.kind === 'fault' && x.peer && link(x)[0] === n.node;
  const all = {}, last = new Map(), told = new Set([...past, ...future].filter(is).map((x) => String(link(x)[1])));
  for (const [to, fault] of Object.entries(n.faults ?? {})) if (!told.has(to)) all[to] = fault;
  for (const x of past) if (is(x)) last.set(link(x)[1] + x.word.endsWith('-here'), x);
  for (const x of last.values()) {
    if (x.word.startsWith('healed') || !hasSupervisor && x.stamp < birth(x.node, past)) continue;
    const to = link(x)[1], own = all[to] ?? {};
    all[to] = {cut: own.cut || x.word.startsWith('cut'), delay_ms: Math.max(own.delay_ms ?? 0, x.word.startsWith('slow') ? x.value ?? 0 : 0)};
  }
  return all;
}

/** The word for a node's state: from its supervisor, or else from what others heard of it, and it wrote. */
function stateOf(n, nodes, past, future) {
  const is = (x) => x.node === n.node && x.kind === 'process' && x.word !== 'wiped';
  const told = past.findLast(is), next = future.find(is);
  if (told && told.word in STATES) return STATES[told.word];
  if (!told && next) return next.word in STATES ? 'up' : 'unknown'; // it was started, or let go on: since when it was not running is not known
  const own = (x) => x.node === n.node && x.kind !== 'process';
  const last = past.findLast(own), began = birth(n.node, past);
  if (last?.kind === 'started') return 'starting';
  if (told) return 'up';
  const others = nodes.filter((o) => o.node !== n.node), isLoss = (x) => x.kind === 'silent' && x.peer === n.node;
  const lost = past.find((x) => isLoss(x) && x.stamp > began);
  if (others.length && lost && others.every((o) => o.unheard.includes(n.node) || o.state === 'silent')) return last && last.stamp > lost.stamp ? 'up' : 'silent';
  const reborn = future.find((x) => own(x) && x.kind === 'started');
  if (future.some((x) => isLoss(x) && !(reborn && x.stamp > reborn.stamp))) return 'up'; // it was lost later
  if (reborn && !last) return 'unknown';
  if (n.state === 'silent' || n.state === 'starting') return last || future.some(own) ? 'up' : n.state;
  return n.state;
}

/** Whether a note says that a node has a vote in a group from then on, and does not only learn there. */
function givesVote(n, group, node) {
  if (n.kind !== 'members' || n.group !== group) return false;
  const [voters, learners = ''] = n.word.split(', learners'), has = (names) => names.split(' ').includes('n' + node);
  return has(voters) && !has(learners);
}

function rewindGroup(g, nodes, past, future) {
  const isOfLead = (n) => n.group === g.group && (n.kind === 'role' || n.kind === 'hand-over');
  const roles = past.filter((n) => isOfLead(n) && n.kind === 'role'), later = future.filter(isOfLead);
  let led = {node: 0, term: 0};
  for (const n of roles) {
    const leader = n.word === 'leader' ? n.node : n.word === 'follower' || n.word === 'learner' ? n.peer ?? 0 : 0;
    if (leader && n.term >= led.term) led = {node: leader, term: n.term};
  }
  if (!led.node) { // before all that is kept: whom a candidate lost, or who gave the lead away
    const first = later.find((n) => n.kind === 'hand-over' || ['trial', 'candidate'].includes(n.word) && n.peer);
    if (first) led.node = first.kind === 'hand-over' ? first.node : first.peer;
    else if (!later.length) led = {node: g.leader, term: g.term};
  }
  const copies = g.copies.map((c) => {
    const began = birth(c.node, past), told = roles.findLast((n) => n.node === c.node && n.stamp > began), node = nodes.find((n) => n.node === c.node);
    const own = told?.word === 'learner' && past.some((n) => n.stamp > told.stamp && givesVote(n, g.group, c.node)) ? {word: c.node === led.node ? 'leader' : 'follower', term: led.term || undefined} : told;
    if (!node || ['down', 'silent', 'unknown', 'starting'].includes(node.state)) return {node: c.node, role: 'unknown'};
    if (own) return {node: c.node, role: own.word === 'trial' ? 'candidate' : own.word, term: own.term};
    if (!led.node || c.role === 'learner') return {node: c.node, role: c.role === 'learner' ? c.role : 'unknown'};
    return {node: c.node, role: c.node === led.node ? 'leader' : 'follower', term: led.term || undefined};
  });
  const term = Math.max(0, ...copies.map((c) => c.term ?? 0));
  for (const c of copies) c.old = c.role === 'leader' && c.term != null && c.term < term;
  return {...g, term, copies, leader: copies.find((c) => c.role === 'leader' && !c.old)?.node ?? 0};
}

/**
 * The votes of a group's election that were under way at a moment, and the message that a note is about.
 * @param {import('./stream.js').Note|null} picked
 * @returns {{from: number, to: number, label: string, look: string, isPicked: boolean}[]}
 */
export function messages(notes, group, stamp, picked = null) {
  const isPicked = (n) => picked !== null && order(n, picked) === 0; // another object, after the stream began anew
  const all = notes.filter((n) => n.group === group && n.kind in VOTES && n.stamp <= stamp && n.stamp > stamp - ELECTION);
  const term = Math.max(0, ...all.map((n) => n.term));
  const isInEarnest = all.some((n) => n.term === term && n.kind.startsWith('vote'));
  const shown = all.filter((n) => isPicked(n) || (n.term === term || n.kind.endsWith('refused')) && n.kind.startsWith('vote') >= isInEarnest);
  if (picked && picked.kind in MESSAGES && picked.peer && picked.peer !== picked.node) shown.push(picked);
  return shown.map((n) => {
    const [label, look] = VOTES[n.kind] ?? [MESSAGES[n.kind], 'sends'];
    return {from: n.node, to: n.peer, label, look, isPicked: isPicked(n)};
  });
}

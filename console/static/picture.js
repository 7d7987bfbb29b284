// The drawing of the cluster: nodes, their roles in one group, and the links between them.
// Over it, a write that is followed can be shown at any moment of its way.
import {$, el, shape} from './dom.js';
import {apart, condition, isGone} from './states.js';
import {name} from './stream.js';

let W = 720, H = 340;
let boxes = new Map(), overlay = null, talk = null, last = null;

/** Where nodes are: on an ellipse, the first on top. */
function layout(nodes) {
  const many = nodes.length, narrow = W < 500;
  H = many === 3 ? narrow ? 274 : 324 : narrow ? 374 : 434;
  $('picture').setAttribute('viewBox', `0 0 ${W} ${H}`);
  const below = 18; // under each box there is room for a line: what a node did of a write
  const w = narrow ? many <= 3 ? 124 : 92 : many <= 5 ? 172 : many <= 9 ? 132 : 96, h = 90;
  boxes = new Map(nodes.map((n, i) => {
    const angle = -Math.PI / 2 + 2 * Math.PI * i / many;
    const x = many === 1 ? W / 2 : W / 2 + Math.cos(angle) * (W / 2 - w / 2 - 8) * (many === 3 && narrow ? 1.15 : 1);
    const y = many === 1 ? H / 2 : many === 3 ? i === 0 ? h / 2 + 4 : H - h / 2 - 4 - below : (H - below) / 2 + Math.sin(angle) * ((H - below) / 2 - h / 2 - 4);
    return [n.node, {x, y, w, h}];
  }));
}

/** What is wrong with a node's disk and clocks, a mark each. */
function wrongs(node) {
  const ms = node.clock_ms, size = Math.abs(ms), ppm = node.drift_ppm;
  return [node.disk_delay_ms ? `disk +${node.disk_delay_ms} ms` : '', ms ? `clock ${ms < 0 ? '-' : '+'}${size % 1000 ? size + ' ms' : size / 1000 + ' s'}` : '', ppm ? `clock ${ppm < 0 ? '' : '+'}${ppm} ppm` : ''].filter(Boolean);
}

/** What is broken of links, disks and clocks, a sentence; empty if nothing is. */
function broken(picture) {
  const parts = [], nodes = picture.nodes;
  const all = (n, is) => nodes.length > 2 && nodes.every((o) => o === n || is(n.faults?.[o.node]) && is(o.faults?.[n.node]));
  const isCut = (f) => Boolean(f?.cut), isSlow = (f) => Boolean(f) && !f.cut, delay = (f) => f.delay_ms ? `+${f.delay_ms} ms` : 'lossy';
  const alone = nodes.filter((n) => all(n, isCut)), slow = nodes.filter((n) => all(n, isSlow));
  for (const n of alone) parts.push(`${name(n.node)} is cut off from all`);
  for (const n of slow) parts.push(`the links of ${name(n.node)} are slow (${delay(n.faults[nodes.find((o) => o !== n).node])})`);
  for (const a of nodes) for (const b of nodes) {
    const f = a.faults?.[b.node], back = b.faults?.[a.node];
    if (isCut(f) && !alone.includes(a) && !alone.includes(b)) {
      if (!isCut(back)) parts.push(`nothing that ${name(a.node)} sends reaches ${name(b.node)}`);
      else if (a.node < b.node) parts.push(`${name(a.node)} and ${name(b.node)} are cut off from each other`);
    } else if (isSlow(f) && !slow.includes(a) && !slow.includes(b)) parts.push(`the way from ${name(a.node)} to ${name(b.node)} is slow (${delay(f)})`);
  }
  for (const n of nodes) parts.push(...wrongs(n).map((mark) => `${name(n.node)}: ${mark}`));
  return parts.length ? `What is broken ${picture.isPast ? 'then' : 'now'}, of links, disks and clocks: ${parts.join('; ')}.` : '';
}

/** The words for the state of a node. */
function words(node, picture, copy) {
  const state = condition(node, picture);
  if (state) return [state[0] || (copy?.role ?? 'unknown'), state[1], state[2]];
  if (!copy) return ['unknown', picture.isPast ? 'its role is not known' : 'no copy of the group', 'soft'];
  const marks = wrongs(node);
  if (marks.length) return [copy.role, marks.join(', '), 'warn'];
  if (copy.old) return [copy.role, 'led term ' + copy.term, 'warn'];
  return [copy.role, copy.term ? `${copy.role}, term ${copy.term}` : copy.role, copy.role === 'candidate' ? 'warn' : ''];
}

const role = (word) => ({down: 'dead', dead: 'silent'}[word] ?? word);

/** What a link is like: what the nodes' labs say, and whether both ends run. */
function wireState(a, b) {
  const ab = a.faults?.[b.node], ba = b.faults?.[a.node];
  if (isGone(a) || isGone(b)) return ['dead', ''];
  if (ab?.cut && ba?.cut) return ['cut', '✕'];
  if (ab?.cut || ba?.cut) return ['cut', `✕ ${name(ab?.cut ? a.node : b.node)} → ${name(ab?.cut ? b.node : a.node)}`];
  const ms = Math.max(ab?.delay_ms ?? 0, ba?.delay_ms ?? 0);
  if (ab || ba) return ['slow', ms ? `+${ms} ms` : 'lossy'];
  return ['', ''];
}

/** Draws a picture, with the roles in a group. */
export function draw(picture, group) {
  const svg = $('picture');
  const width = Math.max(300, Math.min(720, svg.clientWidth || 720));
  if (!last || last.nodes.length !== picture.nodes.length || width !== W) { W = width; layout(picture.nodes); }
  last = picture;
  const g = picture.groups.find((g) => g.group === group);
  const root = el('svg:g');
  picture.nodes.forEach((a, i) => picture.nodes.slice(i + 1).forEach((b) => {
    const p = boxes.get(a.node), q = boxes.get(b.node), [state, label] = wireState(a, b);
    root.append(el('svg:line', {class: 'wire ' + state, x1: p.x, y1: p.y, x2: q.x, y2: q.y}));
    if (label) root.append(el('svg:text', {class: state === 'cut' ? 'bad' : 'warn', x: (p.x + q.x) / 2, y: (p.y + q.y) / 2 - 6, 'text-anchor': 'middle'}, label));
  }));
  for (const n of picture.nodes) root.append(card(n, picture, g));
  talk = el('svg:g', {id: 'talk'});
  overlay = el('svg:g', {id: 'overlay'});
  svg.replaceChildren(root, talk, overlay);
  svg.classList.toggle('past', Boolean(picture.isPast));
  svg.setAttribute('aria-label', describe(picture, g));
  const wrong = broken(picture);
  if ($('broken').textContent !== wrong) $('broken').textContent = wrong;
  $('broken').hidden = !wrong;
}

/** One node. */
function card(n, picture, g) {
  const {x, y, w, h} = boxes.get(n.node);
  const copy = g?.copies.find((c) => c.node === n.node && c.role !== 'unknown');
  const [word, text, tone] = words(n, picture, copy);
  const left = x - w / 2, top = y - h / 2;
  const runs = !isGone(n);
  const e = el('svg:g', {class: `node ${n.state} ${g?.leader === n.node && runs ? 'leads' : ''} ${picture.self === n.node ? 'here' : ''}`, 'data-node': n.node, 'data-word': word},
    el('svg:rect', {class: 'box', x: left, y: top, width: w, height: h, rx: 8}),
    shape(role(word), left + 22, top + 24, 22),
    el('svg:text', {class: 'big', x: left + 40, y: top + 29}, name(n.node)),
    el('svg:text', {class: 'soft', x: left + w - 10, y: top + 28, 'text-anchor': 'end'}, w <= 120 ? '' : picture.self === n.node ? w < 140 ? 'here' : 'this page' : ':' + n.store_port),
    el('svg:text', {class: tone, x: left + 12, y: top + 51}, w < 140 ? text.replace(', term ', ' · ') : text));
  if (copy?.applied != null && runs) {
    const behind = copy.lag > 0;
    e.append(el('svg:rect', {class: 'bar-back', x: left + 12, y: top + 61, width: w - 24, height: 4, rx: 2}),
      el('svg:rect', {class: 'bar' + (behind ? ' behind' : ''), x: left + 12, y: top + 61, width: Math.max(4, (w - 24) * share(copy, g)), height: 4, rx: 2}),
      el('svg:text', {class: 'soft', x: left + 12, y: top + 78}, behind ? `${copy.lag} behind` : w > 120 ? `applied ${copy.applied}` : copy.applied));
  }
  e.append(el('svg:title', {}, `${name(n.node)}: ${text}. ${n.why ?? ''}`));
  return e;
}

/** How much of what is committed a copy has, of the last thousand entries. */
const share = (copy, g) => Math.max(0, 1 - copy.lag / Math.max(1, Math.min(1000, g.commit)));

/** The picture in a sentence, for those who can not see it. */
function describe(picture, g) {
  const parts = picture.nodes.map((n) => `${name(n.node)} ${words(n, picture, g?.copies.find((c) => c.node === n.node && c.role !== 'unknown'))[1]}`);
  return `Group ${g?.group ?? ''}: ` + parts.join('; ');
}

/** What is to be read above the picture. */
export function summary(picture) {
  const bad = picture.groups.filter((g) => !g.leader);
  const out = picture.nodes.filter((n) => isGone(n) || apart(n, picture));
  const parts = [];
  if (out.length) parts.push(out.map((n) => `${name(n.node)} is ${!isGone(n) ? apart(n, picture).replace('cut', 'cut off') : n.state === 'silent' ? 'not answering' : n.state}`).join(', '));
  if (bad.length) parts.push(bad.length === picture.groups.length ? 'no group has a leader: writes are refused' : `${bad.length} of ${picture.groups.length} groups have no leader`);
  else parts.push(picture.groups.length === 1 ? 'the group has a leader' : `all ${picture.groups.length} groups have a leader`);
  return [parts.join('; ') + '.', bad.length ? 'bad' : out.length ? 'warn' : 'good'];
}

/** A point at the edge of the box of a node, towards another point. */
function edge(node, to) {
  const b = boxes.get(node), dx = to.x - b.x, dy = to.y - b.y;
  const k = Math.min(b.w / 2 / Math.max(Math.abs(dx), .01), b.h / 2 / Math.max(Math.abs(dy), .01), 1);
  return {x: b.x + dx * k, y: b.y + dy * k};
}

/** Where a message begins or ends; the client, 0, stands by the node that it asks. */
function end(node, other) {
  const b = boxes.get(other);
  return node ? edge(node, boxes.get(other) ?? client(boxes.get(node))) : client(b);
}

/** Where the client is: above the box of a node, or beside it where there is no room. */
function client(b) {
  const y = b.y - b.h / 2 - 36;
  return y < 12 ? {x: b.x + b.w / 2 + 36, y: b.y} : {x: b.x, y};
}

/**
 * Shows what nodes say to each other: votes, above all. Each direction has its own side of the link.
 * @param {ReturnType<typeof import('./moment.js').messages>} messages
 * @param {number} where the node where something happened, or 0
 */
export function showTalk(messages, where = 0) {
  if (!talk) return;
  const parts = [];
  const shown = messages.filter((m) => boxes.has(m.from) && boxes.has(m.to));
  for (const m of shown) {
    const p = edge(m.from, boxes.get(m.to)), q = edge(m.to, boxes.get(m.from));
    const long = Math.hypot(q.x - p.x, q.y - p.y) || 1, dx = (q.x - p.x) / long, dy = (q.y - p.y) / long;
    const at = (k, side) => [p.x + (q.x - p.x) * k - dy * side, p.y + (q.y - p.y) * k + dx * side];
    // One of several that go the same way is further out, and has its words further on.
    const isLevel = Math.abs(dy) < .3, same = shown.filter((o) => o.from === m.from && o.to === m.to), i = same.indexOf(m), side = 9 + (isLevel ? 14 : 6) * i;
    const [x1, y1] = at(0, side), [x2, y2] = at(1, side), [tx, ty] = at(isLevel ? .5 : (i + 1) / (same.length + 1), side);
    parts.push(el('svg:g', {class: `talk ${m.look}${m.isPicked ? ' on' : ''}`, 'data-from': m.from, 'data-to': m.to},
      el('svg:line', {x1, y1, x2: x2 - dx * 8, y2: y2 - dy * 8}), el('svg:path', {d: `M${x2} ${y2}l${-dx * 10 - dy * 5} ${-dy * 10 + dx * 5}l${dy * 10} ${-dx * 10}z`}),
      el('svg:text', {x: tx, y: ty + 4, 'text-anchor': isLevel ? 'middle' : -dy * 9 < 0 ? 'end' : 'start'}, m.label)));
  }
  const b = boxes.get(where);
  if (b) parts.push(el('svg:rect', {class: 'spot', x: b.x - b.w / 2 - 4, y: b.y - b.h / 2 - 4, width: b.w + 8, height: b.h + 8, rx: 11}));
  talk.replaceChildren(...parts);
}

/**
 * Shows a write at a moment: messages on their way as dots, and what each node has done. Over a picture of
 * the past there is nothing to show: the write is of now.
 * @param {{messages: any[], steps: any[]}|null} write see write.js
 * @param {number} at microseconds since it began
 */
export function showWrite(write, at) {
  if (!overlay || last?.isPast) return;
  const parts = [];
  for (const m of write?.messages ?? []) {
    if (at < m.sent || at > m.came || !boxes.has(m.from || m.to) || !boxes.has(m.to || m.from)) continue;
    const p = end(m.from, m.to), q = end(m.to, m.from), k = (at - m.sent) / Math.max(1, m.came - m.sent);
    parts.push(el('svg:circle', {class: 'dot ' + m.kind, cx: p.x + (q.x - p.x) * k, cy: p.y + (q.y - p.y) * k, r: 7}));
  }
  const asked = (write?.messages ?? []).find((m) => !m.from && boxes.has(m.to));
  if (asked) {
    const c = client(boxes.get(asked.to));
    parts.push(el('svg:text', {class: 'soft', x: c.x + 12, y: c.y + 4}, 'client'));
  }
  const done = new Map();
  for (const s of write?.steps ?? []) if (s.at <= at && s.badge) done.set(s.node, s.badge);
  for (const [node, badge] of done) {
    const b = boxes.get(node);
    if (b) parts.push(el('svg:text', {class: 'badge', x: b.x, y: b.y + b.h / 2 + 14, 'text-anchor': 'middle'}, badge));
  }
  overlay.replaceChildren(...parts);
}

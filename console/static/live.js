// The live page: wires the panels to the stream.
import {$, clock, el, glyph, perFrame} from './dom.js';
import {asOf, connect, elsewhere, name, now, onChange, own, world} from './stream.js';
import {draw, showTalk, summary} from './picture.js';
import {isOfGroup, messages, rewind} from './moment.js';
import * as write from './write.js';
import * as timeline from './timeline.js';
import * as faults from './faults.js';
import * as load from './load.js';
import * as plans from './plans.js';

const group = () => Number($('group').value);

function drawAll() {
  const picture = world.picture;
  if (world.isStale) sayStale();
  if (!picture) return;
  fillGroups(picture);
  const past = timeline.moment();
  if (past) drawPast(picture, past); else drawNow(picture);
  $('to-now').hidden = !past;
  $('groups-h').textContent = past ? 'All groups, as they are now' : 'All groups';
  $('picture-h').textContent = past ? `The cluster at ${clock(past.note?.at_us ?? past.stamp)}` : 'The cluster now';
  table(picture);
}

function drawNow(picture) {
  draw(picture, group());
  showTalk(messages(world.notes, group(), now()));
  write.again();
  if (!world.isStale) say(...summary(picture));
}

/** The picture while the timeline is stopped: as it was then, and what is told of the note that was picked. */
function drawPast(picture, {stamp, note}) {
  draw(rewind(picture, group(), world.notes, stamp), group());
  showTalk(messages(world.notes, group(), stamp, note), note?.node);
  if (!world.isStale) say(note ? `${note.what}. ${note.why ? `Why: ${note.why}.` : ''}` : 'As it was then. Step to an event to see it.', '');
}

function say(text, tone) {
  const sentence = /^n\d/.test(text) ? text : text[0].toUpperCase() + text.slice(1);
  if ($('say').textContent !== sentence) $('say').textContent = sentence; // who listens to the page hears it once
  $('say').className = 'say ' + (tone === 'good' ? '' : tone);
}

/** The headline while the node that the page came from does not answer, or not this page. */
function sayStale() {
  const what = world.picture ? `what is drawn is as of ${asOf()}` : 'nothing is known here';
  $('say').replaceChildren(world.refusal ? `${own()} answers, but shows this page nothing, and ${what}: ${world.refusal}. ` : `${own()}, which this page came from, does not answer: ${what}. `, ...elsewhere());
  $('say').className = 'say bad';
}

/** Offers groups that the page did not know when it was made. */
function fillGroups(picture) {
  const select = $('group');
  if (select.options.length === picture.groups.length) return;
  const chosen = select.value;
  select.replaceChildren(...picture.groups.map((g) => el('option', {value: g.group}, 'g' + g.group)));
  select.value = picture.groups.some((g) => String(g.group) === chosen) ? chosen : picture.groups.at(-1)?.group;
}

/** The rows of groups, and what each was made of: with a hundred groups, most stay as they are. */
const rows = new Map();

/** All groups, a row each: who has which role, and how far each copy is. */
function table(picture) {
  const body = $('groups').tBodies[0], nodes = picture.nodes.map((n) => n.node);
  picture.groups.forEach((g, i) => {
    const of = JSON.stringify([g, g.group === group(), nodes, picture.nodes.map((n) => n.state)]);
    if (rows.get(g.group)?.of !== of) rows.set(g.group, {of, row: makeRow(picture, g)});
    const {row} = rows.get(g.group), now = body.rows[i];
    if (!now) body.append(row); else if (now !== row) now.replaceWith(row);
  });
  while (body.rows.length > picture.groups.length) body.deleteRow(-1);
}

function makeRow(picture, g) {
  return el('tr', {'aria-selected': String(g.group === group()), 'data-group': g.group},
    el('th', {scope: 'row'}, 'g' + g.group + (g.group === 0 ? ' (directory)' : '')), el('td', {class: g.leader ? '' : 'bad'}, g.leader ? name(g.leader) : 'none'),
    el('td', {}, g.term), el('td', {}, g.commit), el('td', {}, g.group === 0 ? '' : g.slots),
    ...picture.nodes.map((n) => {
      const c = g.copies.find((c) => c.node === n.node);
      if (!c) return el('td', {}, '');
      return el('td', {title: c.role === 'unknown' ? n.state : c.role}, glyph(c.role === 'unknown' ? lookOf(n) : c.role), c.role === 'unknown' ? '?' : c.lag ? `${c.lag} behind` : 'level');
    }));
}

/** The shape of a node of whose copies nothing is known. */
const lookOf = (n) => ({down: 'dead', paused: 'paused', silent: 'silent'}[n.state] ?? 'unknown');

const redraw = perFrame(drawAll);
onChange(redraw);
addEventListener('resize', redraw);
timeline.onMove((note) => {
  if (note && isOfGroup(note)) $('group').value = note.group;
  redraw();
});
$('to-now').addEventListener('click', () => { timeline.live(); $('t-live').focus({preventScroll: true}); });
$('load').addEventListener('submit', () => { $('sampled').checked = true; }); // so that the picture lives
for (const id of ['follow', 'fault']) $(id)?.addEventListener('submit', timeline.live); // what comes of it is now
$('group').addEventListener('change', redraw);
$('groups').addEventListener('click', (e) => {
  const row = e.target.closest('tr[data-group]');
  if (row) { $('group').value = row.dataset.group; redraw(); }
});
write.start();
timeline.start();
faults.start();
load.start();
plans.start();
connect();

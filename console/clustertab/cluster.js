// The cluster's tab: nodes, charts of the last hour, copies, and settings.
import {chart} from '/static/chart.js';
import {$, clock, el, get, refill, span} from '/static/dom.js';
import {condition} from '/static/states.js';
import {connect, name, onChange, world} from '/static/stream.js';

/** How often nodes are asked, in milliseconds. */
const EVERY_MS = 5000;

const bytes = (n) => n < 1e3 ? `${n} B` : n < 1e6 ? `${(n / 1e3).toFixed(1)} kB` : n < 1e9 ? `${(n / 1e6).toFixed(1)} MB` : `${(n / 1e9).toFixed(1)} GB`;
const time = (us) => us ? span(us) : '–';

/** What is drawn: a title, lines of a sample's numbers, and how a number is written. */
const CHARTS = [
  ['Commands a second', [['commands', 'all'], ['errors', 'errors']], (n) => n.toFixed(n < 10 ? 1 : 0)],
  ['Writes take', [['write_half_us', 'half'], ['write_slow_us', '99 of 100']], time],
  ['Reads take', [['read_half_us', 'half'], ['read_slow_us', '99 of 100']], time],
  ['fsync takes', [['sync_half_us', 'half'], ['sync_slow_us', '99 of 100']], time],
  ['Lag of the slowest follower, entries', [['lag', 'lag']], (n) => String(n)],
  ['On disk', [['log_bytes', 'log'], ['state_bytes', 'state']], bytes],
];

let all = [];

/** What the live picture says of a node that is not simply there. */
function toldOf(node) {
  const n = world.picture?.nodes.find((n) => n.node === node);
  return n && condition(n, world.picture)?.[1];
}

let toldLast = '';

function draw() {
  refill($('nodes').tBodies[0], ...all.map((n) => {
    const s = n.status, told = toldOf(n.node);
    if (!s) return el('tr', {}, el('th', {scope: 'row'}, name(n.node)), el('td', {class: 'bad', colspan: 10}, '✕ ' + (told ?? n.error)));
    const here = s.groups.filter((g) => g.here), state = s.draining ? 'draining' : told ?? (s.ready ? 'ready' : 'not ready');
    return el('tr', {}, el('th', {scope: 'row'}, el('a', {href: `//${n.addr}/cluster`}, name(n.node))), el('td', {class: s.ready && !told ? '' : 'warn'}, state + (s.quarantined ? ', had damage' : '') + (s.disk.has_room ? '' : ', disk nearly full')),
      el('td', {}, clock(s.started_at_ms * 1000, 0)), el('td', {}, s.version), el('td', {}, (s.nodes.find((x) => x.node === n.node) ?? {}).store_port),
      ...[here.filter((g) => g.role === 'leader').length, here.length, bytes(s.disk.log_bytes), bytes(s.disk.state_bytes), bytes(s.disk.free_bytes),
        time(s.disk.appends_total ? Math.round(s.disk.sync_seconds_total * 1e6 / s.disk.appends_total) : 0)].map((v) => el('td', {class: 'n'}, v)));
  }));
  refill($('copies').tBodies[0], ...all.flatMap((n) => (n.status?.groups ?? []).filter((g) => g.here).map((g) => [g.group, n.node, g])).sort((a, b) => a[0] - b[0] || a[1] - b[1])
    .map(([group, node, g]) => el('tr', {}, el('th', {scope: 'row'}, 'g' + group), el('td', {}, name(node)), el('td', {}, g.role),
      ...[g.replica, g.term, g.first_index, g.last_index, g.commit_index, g.applied_index, g.durable_index].map((v) => el('td', {class: 'n'}, v)))));
  drawSettings();
  const select = $('of');
  if (select.options.length !== all.length) {
    select.replaceChildren(...all.map((n) => el('option', {value: n.node}, name(n.node))));
    select.value = document.body.dataset.self.replace('n', '');
  }
  const hour = all.find((n) => String(n.node) === select.value)?.hour ?? [];
  $('charts').replaceChildren(...CHARTS.map((c) => chart(...c, hour)));
}

/** One row a setting: one value where all nodes that answer have the same, else each with its nodes. */
function drawSettings() {
  const rows = new Map(); // the nodes by value, by setting
  for (const n of all) {
    for (const s of n.settings ?? []) {
      if (!rows.has(s.name)) rows.set(s.name, {isOwn: s.own, nodes: new Map()});
      const {nodes} = rows.get(s.name);
      nodes.set(s.value, [...(nodes.get(s.value) ?? []), name(n.node)]);
    }
  }
  const shown = (value) => el('code', {}, value || '–');
  refill($('settings').tBodies[0], ...[...rows].map(([setting, {isOwn, nodes}]) => {
    const differ = nodes.size > 1, values = [...nodes].map(([value, who]) => el('div', {}, differ ? who.join(', ') + ': ' : null, shown(value)));
    return el('tr', {'data-setting': setting}, el('th', {scope: 'row', class: differ && !isOwn ? 'warn' : null}, (differ && !isOwn ? '≠ ' : '') + setting), el('td', {}, ...values));
  }));
}

async function look() {
  if (document.hidden) return;
  try { all = await get('/cluster/api/nodes'); draw(); } catch { /* the line on top says so */ }
}

$('of').addEventListener('change', draw);
onChange(() => {
  const told = all.map((n) => toldOf(n.node)).join();
  if (told !== toldLast) { toldLast = told; draw(); }
});
connect();
look();
setInterval(look, EVERY_MS);

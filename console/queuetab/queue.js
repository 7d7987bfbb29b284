// The queue's tab: queues, one queue, working and redriving, a job's life.
import {chart} from '/static/chart.js';
import {$, clock, el, get, glyph, reach, refill, shape, sure, tell} from '/static/dom.js';
import {connect, name as nodeName} from '/static/stream.js';

/** How often the page looks, and how often at the last hour, in milliseconds; messages of a page; characters of a body that are shown at first. */
const EVERY_MS = 2000, HOUR_EVERY_MS = 10000, PAGE = 20, SHOWN = 300;

const on = (id, type, f) => $(id).addEventListener(type, (e) => { e.preventDefault(); f(e); });
const rows = (id) => $(id).tBodies[0];

/** Asks the queue's native API. An error has the machine's own words. */
async function api(method, path, body) {
  const {ok, text} = await reach('/queue/api/v1/queues' + path, {method, headers: body ? {'Content-Type': 'application/json'} : {}, body: body && JSON.stringify(body)});
  if (ok) return text && JSON.parse(text);
  let problem = {message: text.trim()};
  try { problem = JSON.parse(text).error; } catch { /* it is plain text */ }
  throw failure(problem);
}

const failure = (p) => Object.assign(new Error(p.message + (p.may_have_happened ? ' It may have been carried out all the same: look before you do it again.' : '')), {isRefusal: Boolean(p.code) && !p.may_have_happened});
const of = (name, ...rest) => ['', name, ...rest].map(encodeURIComponent).join('/');

/** Does something, and says in a line what came of it, or what went wrong. */
async function attempt(line, f) {
  const say = $(line);
  try {
    const done = await f();
    hear(line, '');
    if (done == null) return;
    say.className = 'say';
    say.replaceChildren(...[done].flat());
  } catch (error) {
    const text = error instanceof TypeError ? 'This node does not answer.' : error.message;
    say.className = 'say bad';
    tell(say, text);
    if (say.getAttribute('role') !== 'status') hear(line, text);
  }
}

const heard = new Map();

/** Says aloud, once, what went wrong, or ended, of a line whose numbers change all the time; with no text that it is over. */
function hear(line, text) {
  heard.set(line, text);
  tell($('heard'), [...new Set(heard.values())].filter(Boolean).join(' '));
}

/** 3 s, 5 min, 2 h of milliseconds. */
const age = (ms) => ms <= 0 ? '–' : ms < 9950 ? (ms / 1000).toFixed(1) + ' s' : ms < 120e3 ? Math.round(ms / 1000) + ' s' : ms < 7200e3 ? Math.round(ms / 60e3) + ' min' : ms < 48 * 3600e3 ? Math.round(ms / 3600e3) + ' h' : Math.round(ms / 86400e3) + ' days';
const rate = (n) => n == null || n < 0 ? '–' : n < 10 ? n.toFixed(1) : n.toFixed(0);
const count = (n, what) => `${n} ${what}${n === 1 ? '' : 's'}`;
const button = (text, f, kind) => { const b = el('button', {type: 'button', class: kind}, text); b.addEventListener('click', f); return b; };
const link = (to, text = to) => el('a', {href: '#' + to}, text);

// All queues

let all = null, looks = [], current = '', about = null; // looks are of the last seconds, for rates

async function list() {
  const now = await get('/queue/api/depths');
  const lost = now.failed.map((f) => f.split(':')[0]), names = new Set(now.queues.map((q) => q.name));
  for (const q of all?.queues ?? []) if (lost.includes('g' + q.group) && !names.has(q.name)) now.queues.push({...q, leader: 0, stale: true});
  looks = [...looks.filter((l) => now.at_ms - l.at_ms < 8000), now];
  all = now;
  drawList();
}

function drawList() {
  const before = looks.findLast((l) => all.at_ms - l.at_ms >= 1500), known = new Map((before?.queues ?? []).map((q) => [q.name, q])), seconds = (all.at_ms - (before?.at_ms ?? 0)) / 1000;
  const shown = all.queues.filter((q) => q.name.startsWith($('prefix').value));
  refill(rows('queues'), ...shown.map((q) => {
    const b = known.get(q.name), per = (k) => b && q[k] >= b[k] ? rate((q[k] - b[k]) / seconds) : '–';
    return el('tr', {class: q.stale ? 'faded-some' : '', 'aria-selected': String(q.name === current)}, el('th', {scope: 'row'}, el('a', {href: '#' + q.name, class: 'mono'}, q.name)),
      ...[q.ready, q.leased, q.delayed, age(q.age_ms), per('sent_total'), per('done_total'), q.dead_total].map((v) => el('td', {class: 'n'}, v)),
      el('td', {}, 'g' + q.group), el('td', {class: q.leader ? '' : 'bad'}, q.leader ? nodeName(q.leader) : 'nobody'));
  }));
  refill($('names'), ...all.queues.slice(0, 200).map((q) => el('option', {value: q.name})));
  const say = $('list-say');
  say.className = 'say' + (all.failed.length ? ' bad' : '');
  tell(say, all.failed.length ? `Some groups did not answer, and their queues are missing, or shown as they were last: ${all.failed.join('; ')}. Without a majority, nothing can be sent to these or received; nothing is lost either.`
    : !all.queues.length ? 'There is none yet. Create one below, send it a job, and receive that as a worker would.' : shown.length ? count(shown.length, 'queue') + (all.has_more ? ', and there are more.' : '. Choose one.') : 'None begins like that.');
}

/** How long a queue's name may be, and how many characters of one the page adds. */
const MAX_NAME = 80, added = (f) => (f.fifo.checked ? '.fifo'.length : 0) + (Number(f.tries.value) > 0 ? '-dead'.length : 0);

async function create(f) {
  const end = f.fifo.checked ? '.fifo' : '', base = f.name.value.trim().replace(/\.fifo$/, ''), name = base + end, dead = base + '-dead' + end;
  const more = {ResultRetentionPeriod: '3600', ...(f.fifo.checked ? {ContentBasedDeduplication: 'true'} : {})}, tries = Number(f.tries.value);
  if (base.length + added(f) > MAX_NAME) throw new Error(`${tries > 0 ? dead : name} has ${base.length + added(f)} characters, and a queue's name at most ${MAX_NAME}: choose a shorter one${tries > 0 ? ', or 0 tries' : ''}.`);
  const make = (queue, attributes) => api('PUT', of(queue), {attributes: {...more, ...attributes}}).catch((error) => { error.message = `${queue}: ${error.message}`; throw error; });
  const before = await get('/queue/api/depths'), isNew = !before.failed.length && !before.has_more && !before.queues.some((q) => q.name === dead);
  if (tries > 0) await make(dead);
  try {
    await make(name, {...(f.lease.value ? {VisibilityTimeout: f.lease.value} : {}), ...(tries > 0 ? {RedrivePolicy: JSON.stringify({deadLetterTargetArn: dead, maxReceiveCount: tries})} : {})});
  } catch (error) {
    if (tries > 0 && isNew && error.isRefusal) await api('DELETE', of(dead)).catch(() => null); // nobody would know what it is for
    throw error;
  }
  location.hash = name;
  await list();
  return [el('b', {}, name), ' is there.', tries > 0 ? ` What is received ${count(tries, 'time')} and not done goes to ${dead}.` : ''];
}

// One queue

async function look() {
  const name = current, q = await api('GET', of(name));
  if (name !== current) return;
  about = q;
  const n = q.counters, policy = q.attributes.RedrivePolicy && JSON.parse(q.attributes.RedrivePolicy), dead = policy?.deadLetterTargetArn.split(':').pop();
  const words = [`${n.ready} ready, ${n.leased} leased, ${n.delayed} delayed${n.scheduled ? ` (${n.scheduled} of them for a time)` : ''}. In all, ${n.sent_total} sent, ${n.deleted_total} done, ${count(n.leases_ended_total, 'lease')} ran out, ${n.dead_total} died. A lease is ${q.attributes.VisibilityTimeout} s unless told otherwise.`];
  if (dead) words.push(` What is received ${count(Number(policy.maxReceiveCount), 'time')} and not done goes to `, link(dead), '.');
  $('one-say').className = 'say';
  refill($('one-say'), el('span', {}, ...words));
  $('work').elements.lease.placeholder = q.attributes.VisibilityTimeout;
  const isFIFO = name.endsWith('.fifo');
  $('send').elements.group.required = isFIFO;
  $('send').querySelector('[data-standard]').hidden = isFIFO;
  if (isFIFO && !$('send').elements.group.value) $('send').elements.group.value = 'a';
  refill(rows('attributes'), ...Object.entries(q.attributes).map(([k, v]) => el('tr', {}, el('th', {scope: 'row'}, k), el('td', {class: 'mono wrap'}, v))));
  await moves();
}

async function hour() {
  const name = current, h = await get('/queue/api/hour?queue=' + encodeURIComponent(name));
  if (name !== current) return;
  const whole = (n) => String(Math.round(n));
  $('charts').replaceChildren(chart('Messages', [['ready', 'ready'], ['leased', 'leased']], whole, h.samples), chart('A second', [['sent', 'sent'], ['done', 'done']], rate, h.samples), chart('Age of the oldest', [['age_ms', 'age']], age, h.samples));
  $('hour-say').className = 'say';
  $('hour-say').textContent = h.is_full ? 'The nodes keep the last hour of some hundred queues, and have no room for this one.'
    : 'The last hour, a sample in ten seconds, as the nodes that led kept it; a restart begins anew.' + (h.silent ? ` What ${h.silent.map(nodeName).join(', ')} kept is missing: no answer.` : '');
}

// Sending and working

async function send(f) {
  const queue = current, m = {body: f.body.value, ...(f.delay.value ? {delay_seconds: Number(f.delay.value)} : {}), ...(f.group.value ? {group: f.group.value} : {})};
  if (queue.endsWith('.fifo')) m.deduplication_id = Date.now().toString(36) + Math.random().toString(36).slice(2);
  else if (f.priority.value) m.priority = Number(f.priority.value);
  const [r] = (await api('POST', of(queue, 'messages'), {messages: [m]})).results;
  if (r.error) throw failure(r.error);
  if (queue === current) follow(r.id); // else people went on to another one meanwhile
  refresh();
  return ['Sent, and on the disks of a majority: ', link(`${queue}/${r.id}`, 'its life'), ' is shown below.'];
}

let mine = []; // what this page has leased

async function receive(f) {
  const queue = current, began = Date.now();
  const got = await api('POST', of(queue, 'leases'), {count: 1, wait_seconds: 0, ...(f.lease.value ? {lease_seconds: Number(f.lease.value)} : {})});
  refresh();
  if (!got.messages.length) return 'There is nothing to receive now: what is leased or delayed is given to nobody.';
  const lasts = Number(f.lease.value || about?.attributes.VisibilityTimeout); // by this page's own clock: it may differ from theirs
  const fresh = got.messages.map((m) => ({...m, queue, ends: lasts >= 0 ? began + 1000 * lasts : Date.parse(m.lease_ends_at)}));
  mine = [...fresh, ...mine.filter((m) => m.ends > Date.now() && !fresh.some((n) => n.queue === m.queue && n.id === m.id))].slice(0, 50);
  if (queue === current) follow(got.messages[0].id);
  drawMine();
  return `Received, for the ${['first', 'second', 'third'][got.messages[0].receives - 1] ?? got.messages[0].receives + 'th'} time. Now do the work, and say so.`;
}

/** Says something of a lease: done, failed, given back, kept. */
async function settle(m, what, body, says) {
  const [r] = (await api('POST', of(m.queue, 'leases', what), body)).results;
  if (r.error && r.error.code !== 'MessageGone') throw failure(r.error);
  if (what !== 'extend') mine = mine.filter((other) => other !== m);
  else m.ends = Date.now() + 30e3;
  drawMine();
  refresh();
  return r.error ? r.error.message : says;
}

function drawMine() {
  $('mine').replaceChildren(...mine.filter((m) => m.queue === current).map((m) => {
    const act = (text, what, body, says, kind) => button(text, () => attempt('work-say', () => settle(m, what, body, says)), kind);
    return el('li', {}, el('p', {}, el('b', {}, shorten(m.body, 120)), el('span', {class: 'left', 'data-ends': m.ends}), ' ', link(`${m.queue}/${m.id}`, 'its life')),
      el('div', {class: 'row tight'}, act('Done', 'finish', {leases: [{receipt: m.receipt}]}, 'Done: the message is deleted.', 'main'), act('Failed for good', 'finish', {leases: [{receipt: m.receipt, is_failure: true}]}, 'Deleted, as one that failed.'),
        act('Give back', 'release', {receipts: [m.receipt]}, 'Given back: others may receive it.'), act('30 s more', 'extend', {leases: [{receipt: m.receipt, lease_seconds: 30}]}, 'The lease ends in 30 s.')));
  }));
  tick();
}

/** How long each lease of this page lasts. */
function tick() {
  for (const e of document.querySelectorAll('[data-ends]')) {
    const left = Number(e.dataset.ends) - Date.now();
    e.textContent = left > 0 ? `leased for ${Math.ceil(left / 1000)} s more` : 'the lease ran out: others may have it';
    e.classList.toggle('bad', left <= 0);
    for (const b of e.closest('li').querySelectorAll('button')) b.disabled = left <= 0;
  }
}

// Peek

let after = 0, next = 0;

const shorten = (text, most) => text.length > most ? text.slice(0, most) + ' …' : text;

/** A body, its beginning at first. */
function body(text) {
  if (text.length <= SHOWN) return el('td', {class: 'mono wrap'}, text);
  const td = el('td', {class: 'mono wrap'}, text.slice(0, SHOWN) + ' … ');
  td.append(button(`all ${text.length} characters`, () => td.replaceChildren(el('div', {class: 'whole', tabindex: 0}, text)), 'plain'));
  return td;
}

async function peek() {
  const name = current;
  if (document.querySelector('#messages .whole')) return;
  const page = (await api('GET', of(name, 'messages') + `?limit=${PAGE}&after=${after}`)).messages;
  if (name !== current) return;
  next = page.length === PAGE ? page.at(-1).position : 0;
  $('peek-more').disabled = !next;
  $('peek-say').className = 'say';
  tell($('peek-say'), (page.length ? `${after ? 'Further on, ' : ''}${count(page.length, 'message')}${next ? '; there are more' : ''}, the oldest first.` : after ? 'There are no more.' : 'The queue is empty.') + ' To look at messages takes none: no lease begins.');
  refill(rows('messages'), ...page.map((m) => {
    const until = m.visible_at && Date.parse(m.visible_at) - Date.now(), state = {leased: 'leased', delayed: 'delayed', retry: 'waits for its next try'}[m.state] ?? m.state;
    return el('tr', {'data-id': m.id, 'data-state': m.state}, el('td', {}, link(`${name}/${m.id}/${m.position}`, el('span', {class: 'mono'}, m.id.slice(0, 4) + '…' + m.id.slice(-6)))), el('td', {class: m.state === 'leased' ? 'warn' : ''}, state + (until > 0 ? `, ${age(until)} more` : '')),
      el('td', {class: 'n'}, m.receives), el('td', {class: 'n'}, age(Date.now() - Date.parse(m.sent_at))), el('td', {}, [m.group, m.priority ? 'priority ' + m.priority : '', m.moved_from ? 'from ' + m.moved_from : ''].filter(Boolean).join(', ')), body(m.body));
  }));
}

// Moving

const STATES = {RUNNING: 'running', COMPLETED: 'done', CANCELLED: 'cancelled', FAILED: 'failed'};

async function moves() {
  const name = current, tasks = (await api('GET', of(name, 'moves'))).tasks;
  if (name !== current) return;
  refill($('moves'), ...tasks.map((t) => {
    const li = el('li', {'data-status': t.status, 'data-task': t.task}, `${clock(Date.parse(t.started_at) * 1000, 0)} to ${t.destination || 'where each came from'}: ${STATES[t.status] ?? t.status}, ${t.moved} of ${t.to_move} moved`, t.failure_reason ? `: ${t.failure_reason} ` : ' ');
    li.append(el('progress', {max: Math.max(1, t.to_move), value: t.moved, 'aria-label': 'moved'}));
    if (t.status === 'RUNNING') li.append(button('Cancel', () => attempt('move-say', async () => { const c = await api('DELETE', of(name, 'moves', t.task)); refresh(); return `Cancelled: ${c.moved} had been moved, and stay where they are now.`; })));
    return li;
  }));
}

const moveHelp = () => `Moves what is ready in ${current} now, oldest first. In a queue for dead messages, leave “to” empty: each goes back to where it died, with no tries counted. Mend the cause before.`;

// A job's life

let followed = null;

const SHAPES = {sent: 'sent', repeated: 'sent', leased: 'leased', extended: 'kept', progressed: 'kept', released: 'back', moved: 'back', finished: 'done', failed: 'dead', purged: 'dead', lapsed: 'late', dead: 'dead', expired: 'late', arrived: 'sent'};
/** What changed nothing has a shape of its own, whatever it was. */
const shapeOf = (s) => s.void ? 'void' : SHAPES[s.kind] ?? 'sent';

const ENDS = {succeeded: 'done', failed: 'failed for good', dead: 'moved to the dead ones', expired: 'too old', moved: 'moved by a task'};

function follow(id, position) {
  followed = {queue: current, id, position};
  history.replaceState(null, '', `#${current}/${id}${position ? '/' + position : ''}`);
  $('follow').elements.id.value = id;
  attempt('life-say', life);
}

async function life() {
  const f = followed;
  if (!f) return;
  const l = await get('/queue/api/life?' + new URLSearchParams({queue: f.queue, id: f.id, ...(f.position ? {position: f.position} : {})}));
  if (f !== followed) return;
  drawLine(l);
  const several = new Set(l.steps.map((s) => s.queue)).size > 1;
  refill($('steps'), ...l.steps.map((s, i) => el('li', {'data-kind': s.kind, class: s.void ? 'void' : ''}, el('time', {}, clock(s.at_us)), glyph(shapeOf(s)),
    el('span', {}, several && i > 0 && l.steps[i - 1].queue !== s.queue ? el('small', {}, `In ${s.queue}:`) : null, s.says, s.until_ms && s.kind !== 'sent' && s.kind !== 'released' ? el('small', {}, `Until ${clock(s.until_ms * 1000)}.`) : null))));
  hear('end', l.message ? '' : now(l));
  return [el('b', {}, now(l)), ...notes(l)];
}

/** How the job is now, in a sentence. */
function now(l) {
  const m = l.message, last = l.steps.findLast((s) => !s.void), left = m && age(m.visible_ms - l.at_ms);
  if (m) return {leased: `It is leased, for ${left} more.`, delayed: `It waits: it can be received in ${left}.`, retry: `It waits for its next try, for ${left} more.`}[m.state] ?? `It is ready, in ${l.queue}: the next worker that asks may get it.`;
  if (l.ended) return `It has ended: ${ENDS[l.ended] ?? l.ended}, at ${clock(l.ended_ms * 1000)}.`;
  if (last?.kind === 'dead') return `It is dead: look in ${l.queue}.`;
  if (last && ['finished', 'failed', 'purged', 'expired', 'moved'].includes(last.kind)) return 'It has ended: its message is not in the queue any more.';
  return l.unanswered ? 'How it is now is not known.' : 'Its message is not in the queue any more.';
}

function notes(l) {
  const said = [];
  if (l.result) said.push(` What came of it: ${l.result}.`);
  if (l.message) said.push(` Received ${count(l.message.receives, 'time')} in ${l.queue}.`);
  if (l.forgotten) said.push(` ${count(l.forgotten, 'lease')} of these no node remembers.`);
  if (l.unanswered) said.push(` Its group does not tell: ${l.unanswered.replace(/\.?$/, '.')}`);
  if (l.silent) said.push(` What ${l.silent.map(nodeName).join(', ')} noted is missing: no answer.`);
  return said;
}

/** Draws the leases in time: a bar for each, up to where it ended or was to end, and a mark for each step. */
function drawLine(l) {
  const svg = $('line'), w = Math.max(300, svg.parentElement.clientWidth - 36), y = 26, steps = l.steps;
  svg.toggleAttribute('hidden', !steps.length); // drawings have no property of that name
  if (!steps.length) return;
  const at = (s) => s.at_us / 1000, open = l.message?.state === 'leased' ? l.message.visible_ms : 0;
  const from = Math.min(...steps.map(at)), to = Math.max(from + 1, ...steps.map(at), l.message ? l.at_ms : 0, open), x = (t) => 12 + (w - 24) * (t - from) / (to - from);
  const parts = [el('svg:line', {class: 'lane', x1: x(from), x2: x(l.message ? to : Math.max(...steps.map(at))), y1: y, y2: y})];
  steps.forEach((s, i) => {
    if (s.kind !== 'leased') return;
    const ended = steps.slice(i + 1).find((o) => o.queue === s.queue && !o.void && (o.token === s.token && ['released', 'finished', 'failed', 'lapsed', 'dead'].includes(o.kind) || ['leased', 'purged', 'moved', 'expired'].includes(o.kind)));
    const end = ended ? at(ended) : open || Math.min(s.until_ms, to);
    parts.push(el('svg:rect', {class: 'bar lease', x: x(at(s)), y: y - 6, width: Math.max(2, x(end) - x(at(s))), height: 12}, el('svg:title', {}, s.says)));
    if (!ended && open > l.at_ms) parts.push(el('svg:rect', {class: 'bar-back', x: x(l.at_ms), y: y - 6, width: Math.max(0, x(open) - x(l.at_ms)), height: 12}, el('svg:title', {}, 'still leased')));
  });
  for (const s of steps) parts.push(el('svg:g', {class: 'ev'}, shape(shapeOf(s), x(at(s)), y, 14), el('svg:title', {}, s.says)));
  if (l.message) parts.push(el('svg:line', {class: 'now', x1: x(l.at_ms), x2: x(l.at_ms), y1: 8, y2: 44}), el('svg:text', {class: 'soft', x: Math.min(w - 14, Math.max(14, x(l.at_ms))), y: 56, 'text-anchor': 'middle'}, 'now'));
  parts.push(el('svg:text', {class: 'soft', x: 0, y: 56}, clock(from * 1000, 0)));
  if (!l.message || x(l.at_ms) < w - 90) parts.push(el('svg:text', {class: 'soft', x: w, y: 56, 'text-anchor': 'end'}, clock(to * 1000, 0)));
  svg.setAttribute('viewBox', `0 0 ${w} 60`);
  svg.replaceChildren(...parts);
}

// Wiring

let looking = 0; // how many looks are on their way

/** Looks at all that is shown. */
async function refresh() {
  looking++;
  const tasks = [attempt('list-say', list)];
  if (current) tasks.push(attempt('one-say', look), attempt('peek-say', peek), attempt('life-say', life));
  await Promise.all(tasks);
  looking--;
}

/** Shows what the address names: #queue, #queue/job, #queue/job/position. */
function open() {
  const [name, id, position] = location.hash.slice(1).split('/');
  if (name !== current) {
    after = next = 0;
    about = followed = null;
    hear('end', '');
    for (const part of ['charts', 'moves', 'steps']) $(part).replaceChildren();
    for (const table of ['messages', 'attributes']) rows(table).replaceChildren();
    $('line').setAttribute('hidden', '');
    $('follow').elements.id.value = '';
    mine = mine.filter((m) => m.ends > Date.now());
    $('life-say').className = $('move-say').className = 'say';
    $('life-say').textContent = 'Who sent it, who leased it until when, and how it ended: as the nodes wrote it down.';
  }
  current = name;
  drawMine();
  $('one').hidden = !name;
  if (!name) { if (all) drawList(); return; }
  $('one-h').textContent = name;
  $('move-say').textContent = moveHelp();
  if (id) follow(id, position);
  refresh();
  attempt('hour-say', hour);
}

on('create', 'submit', (e) => attempt('create-say', () => create(e.target.elements)));
on('create', 'input', () => { const f = $('create').elements; f.name.maxLength = MAX_NAME - added(f); });
on('send', 'submit', (e) => attempt('send-say', () => send(e.target.elements)));
on('work', 'submit', (e) => attempt('work-say', () => receive(e.target.elements)));
on('follow', 'submit', (e) => follow(e.target.elements.id.value.trim()));
on('prefix', 'input', () => { if (all) drawList(); });
const turn = (to) => { after = to; rows('messages').replaceChildren(); attempt('peek-say', peek); };
on('peek-first', 'click', () => turn(0));
on('peek-more', 'click', () => turn(next));
on('move', 'submit', (e) => attempt('move-say', async () => {
  const f = e.target.elements;
  await api('POST', of(current, 'moves'), {...(f.to.value ? {destination: f.to.value} : {}), ...(f.rate.value ? {per_second: Number(f.rate.value)} : {})});
  refresh();
  return 'It has begun: how far it is stands below.';
}));
on('purge', 'click', async () => {
  const n = about?.counters ?? {ready: '?', leased: 0, delayed: 0};
  if (await sure(`Purge ${current}?`, `All its messages are deleted, leased ones too: ${n.ready} ready, ${n.leased} leased, ${n.delayed} delayed. Nobody will do these jobs, and nothing brings them back.`, 'Purge it'))
    attempt('one-say', async () => { await api('DELETE', of(current, 'messages')); await refresh(); });
});
on('remove', 'click', async () => {
  if (await sure(`Delete ${current}?`, 'The queue is deleted with all its messages. Who sends to it afterwards is told that it does not exist.', 'Delete it'))
    attempt('one-say', async () => { await api('DELETE', of(current)); location.hash = ''; await list(); });
});
addEventListener('hashchange', open);
connect();
open();
attempt('list-say', list);
setInterval(() => { if (!document.hidden && !looking) refresh(); }, EVERY_MS);
setInterval(() => { if (!document.hidden && current) attempt('hour-say', hour); }, HOUR_EVERY_MS);
setInterval(tick, 1000);

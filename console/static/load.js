// A load that one can start from the page, and what becomes of it.
import {$, el, every, get, post, span, tell} from './dom.js';

/** How many looks are drawn, one a second. */
const LOOKS = 120;

let timer = 0, before = null, rate = 0;
const looks = [];

async function look() {
  let s;
  try { s = await get('/api/load'); } catch (error) { return fail(error); }
  const failed = s.refused + s.unknown, at = performance.now();
  const seconds = before && Math.max(1, Math.round((at - before.at) / 1000)), each = (n) => Math.ceil(Math.max(0, n) / seconds); // more than one where the page was hidden
  if (before) looks.push({done: each(s.done - before.done), failed: each(failed - before.failed), slow: s.slow_us});
  if (looks.length > LOOKS) looks.shift();
  before = {done: s.done, failed, at};
  show(s);
  draw();
  if (!s.rate && looks.length && looks.slice(-3).every((l) => !l.done && !l.failed)) { clearInterval(timer); timer = 0; }
}

function fail(error) {
  tell($('load-say'), error.message);
  tell($('load-heard'), error.message);
  $('load-say').className = 'say bad';
}

/** Says aloud that the load begins and ends, and that something is missing; its numbers change each second. */
function announce(s) {
  const heard = $('load-heard');
  if (s.wrong) tell(heard, 'Acknowledged writes are missing.');
  else if (s.rate) tell(heard, 'The load runs.');
  else if (heard.textContent) tell(heard, 'The load has ended.');
}

/** How many commands a second were asked for when that was last heard; 0: there is no load. */
export const running = () => rate;

function show(s) {
  rate = s.rate;
  $('load-stop').disabled = !s.rate;
  const parts = [s.rate ? `${looks.at(-1)?.done ?? 0} a second now` : 'Not running', `${s.done} answered`, `${s.refused} refused`, `${s.unknown} unknown`,
    s.wrong ? `${s.wrong} ACKNOWLEDGED WRITES MISSING` : s.checked ? `nothing acknowledged is missing, as ${s.checked} of them show` : 'nothing to compare yet'];
  if (s.rate) parts.push(`half within ${span(s.median_us)}, 99 of 100 within ${span(s.slow_us)}`);
  if (s.longest_us) parts.push(`the slowest so far took ${span(s.longest_us)}`); // of those that were answered, from when they were due
  tell($('load-say'), parts.join(' · ') + (s.last_error && s.rate ? `. Last error: ${s.last_error}` : ''));
  $('load-say').className = 'say ' + (s.wrong ? 'bad' : '');
  announce(s);
}

/** Bars: a second each; failed ones stand on top, hatched. */
function draw() {
  const svg = $('load-chart'), w = svg.clientWidth || 600, h = 64, most = Math.max(10, ...looks.map((l) => l.done + l.failed)), bar = w / LOOKS;
  svg.setAttribute('viewBox', `0 0 ${w} ${h}`);
  svg.replaceChildren(...looks.flatMap((l, i) => {
    const x = w - (looks.length - i) * bar, done = (h - 2) * l.done / most, failed = (h - 2) * l.failed / most;
    return [el('svg:rect', {class: 'bar', x, y: h - done, width: Math.max(1, bar - 1), height: done}), l.failed ? el('svg:rect', {class: 'failed', fill: 'url(#hatched)', x, y: h - done - failed, width: Math.max(1, bar - 1), height: failed}) : null].filter(Boolean);
  }), el('svg:text', {class: 'soft', x: 0, y: 12}, `${most} a second`));
}

function begin() {
  if (!timer) timer = every(1000, look);
}

export function start() {
  const set = (rate) => post('/api/load', {rate, share: Number($('load').elements.share.value) / 100}).then(show).catch(fail);
  $('load').addEventListener('submit', (e) => { e.preventDefault(); set(Number(e.target.elements.rate.value)); begin(); });
  $('load-stop').addEventListener('click', () => set(0));
  get('/api/load').then((s) => { rate = s.rate; if (rate) begin(); }).catch(() => null);
}

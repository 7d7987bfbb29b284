// Plans that are played on a fleet of their own, and what was found.
import {$, el, get, post, refill, tell} from './dom.js';

/** How often the supervisor is asked while a plan is played, in milliseconds. */
const EVERY_MS = 1000;

/** What an outcome means, and how it is shown. */
const OUTCOMES = {
  kept: ['Every promise that was tested was kept.', 'good'],
  broken: ['Promises were broken. These operations show it:', 'bad'],
  slow: ['Nothing that clients were told was wrong, but this machine was too busy to tell whether the fleet was quick enough.', 'warn'],
  stopped: ['It was stopped before its end: nothing was judged.', 'warn'],
  failed: ['The run itself failed: nothing was judged.', 'bad'],
};

let asking = 0, turn = 0; // an answer counts only if nothing was asked since

/** The part of the lines that is the verdict. */
function verdict(lines) {
  const from = lines.findIndex((l) => /^(KEPT|SLOW|BROKEN)\b/.test(l));
  const end = lines.findIndex((l, i) => i > from && /^seed \d+; /.test(l));
  return from < 0 ? [] : lines.slice(from + 1, end < 0 ? undefined : end);
}

/** Findings, which begin with "- ", and figures: what belongs to one is indented below it. */
function items(lines) {
  const all = [];
  for (const line of lines) {
    if (/^(- |  \S)/.test(line)) all.push({bad: line.startsWith('- '), text: line.slice(2)});
    else if (all.length && line.trim()) all.at(-1).text += '\n' + line.replace(/^    /, '');
  }
  return all;
}

function show(s) {
  $('plans').elements.plan.disabled = $('plans').querySelector('.main').disabled = s.running;
  $('plan-stop').disabled = !s.running;
  if (!s.plan) return;
  const seconds = Math.round(((s.running ? Date.now() : s.ended_ms) - s.began_ms) / 1000);
  const last = s.lines.findLast((l) => l.trim()) ?? '';
  const [text, tone] = s.running ? [last, ''] : OUTCOMES[s.outcome] ?? [s.outcome, ''];
  $('plan-say').className = 'say ' + tone;
  refill($('plan-say'), el('b', {}, `${s.plan}, ${seconds} s: `), el('span', {}, text + (s.outcome === 'failed' ? ' ' + last : '')));
  if (s.running) tell($('plan-heard'), s.plan + ' is played.');
  else if ($('plan-heard').textContent) tell($('plan-heard'), `${s.plan} has ended: ${text}`); // one that had ended before is no news
  const found = s.running ? [] : items(verdict(s.lines));
  $('plan-found').hidden = !found.length;
  $('plan-found').replaceChildren(...found.map((f) => el('li', {class: f.bad ? 'bad' : null}, f.text)));
  $('plan-more').hidden = false;
  const said = s.left_out ? [...s.lines.slice(0, 100), `... ${s.left_out} lines are left out here ...`, ...s.lines.slice(100)] : s.lines;
  $('plan-lines').textContent = said.join('\n');
}

async function ask() {
  clearTimeout(asking);
  const mine = ++turn;
  try {
    const s = await get('/api/play');
    if (mine !== turn) return;
    show(s);
    if (s.running) asking = setTimeout(ask, EVERY_MS);
  } catch {
    asking = setTimeout(ask, 5 * EVERY_MS); // this node is gone: the line on top says so
  }
}

async function order(plan) {
  turn++;
  try {
    show(await post('/api/play', {plan}));
  } catch (error) {
    $('plan-say').className = 'say bad';
    tell($('plan-say'), error.message);
    tell($('plan-heard'), error.message);
  }
  clearTimeout(asking);
  asking = setTimeout(ask, EVERY_MS);
}

/** Says what a plan is there to teach, before it is played. */
function teach() {
  const o = $('plans').elements.plan.selectedOptions[0];
  $('plan-teaches').textContent = `${o.dataset.teaches} (${o.dataset.nodes} nodes, ${o.dataset.seconds} s and what starting and judging take)`;
}

export function start() {
  if (!$('plans')) return;
  $('plans').addEventListener('input', teach);
  $('plans').addEventListener('submit', (e) => { e.preventDefault(); order($('plans').elements.plan.value); });
  $('plan-stop').addEventListener('click', () => order(''));
  teach();
  ask();
}

// Small helpers for HTML and SVG. Nothing here knows of clusters.

const SVG = 'http://www.w3.org/2000/svg';

/** @returns {HTMLElement} the element with an id. */
export const $ = (id) => document.getElementById(id);

/**
 * Makes an element. Text is never taken for markup.
 * @param {string} name "li", or "svg:circle"
 * @param {Object<string, any>} attributes null ones are left out
 * @param {...(Node|string|null)} children
 */
export function el(name, attributes = {}, ...children) {
  const e = name.startsWith('svg:') ? document.createElementNS(SVG, name.slice(4)) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) if (value != null && value !== false) e.setAttribute(key, value === true ? '' : value);
  for (const child of children) if (child != null) e.append(child);
  return e;
}

/** The picture of a shape that was defined in the page. */
export const shape = (name, x, y, size = 16) => el('svg:use', {href: '#g-' + name, x: x - size / 2, y: y - size / 2, width: size, height: size});

/** The same, to stand in text. */
export const glyph = (name) => el('svg:svg', {viewBox: '0 0 16 16', 'aria-hidden': 'true'}, el('svg:use', {href: '#g-' + name}));

/** What one knows a link or a button by, when what stands around it was made anew. */
const mark = (e) => e.getAttribute('href') ?? e.getAttribute('aria-label') ?? e.textContent;

/**
 * Fills a list that is looked at again and again. Where nothing differs nothing is touched, and else the
 * keyboard is afterwards where it was.
 * @param {HTMLElement} body
 * @param {...HTMLElement} rows what a row does must follow from what it shows: one that looks alike stays
 */
export function refill(body, ...rows) {
  const old = [...body.children], had = document.activeElement;
  if (old.length === rows.length && rows.every((row, i) => row.outerHTML === old[i].outerHTML)) return;
  const alike = () => [...body.querySelectorAll(had.tagName)].filter((e) => mark(e) === mark(had));
  const at = had && had !== body && body.contains(had) ? alike().indexOf(had) : -1;
  body.replaceChildren(...rows);
  if (at >= 0) (alike()[at] ?? alike()[0])?.focus({preventScroll: true});
}

/** Says something anew only if it differs: who listens to the page hears it once. */
export function tell(e, text) {
  if (e.textContent !== text) e.textContent = text;
}

/** Asks before something that can not be undone, in the dialog of the page. */
export function sure(title, text, yes) {
  $('sure-h').textContent = title;
  $('sure-p').textContent = text;
  $('sure-yes').textContent = yes;
  const dialog = $('sure');
  dialog.returnValue = 'no';
  dialog.showModal();
  return new Promise((resolve) => dialog.addEventListener('close', () => resolve(dialog.returnValue === 'yes'), {once: true}));
}

/** Calls back once per frame, however often it is asked. */
export function perFrame(draw) {
  let asked = false;
  return () => {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => { asked = false; draw(); });
  };
}

/** Sends JSON, and returns what was answered; an error has what the node said. */
export async function post(path, body, patience = PATIENCE_MS) {
  return answer(await reach(path, {method: 'POST', headers: {'Content-Type': 'application/json'}, body: JSON.stringify(body)}, patience));
}

export async function get(path, patience = PATIENCE_MS) { return answer(await reach(path, {}, patience)); }

/** How long an answer may take, in milliseconds: a node gives up sooner what most of its pages ask for. */
const PATIENCE_MS = 10000;

/**
 * As fetch, but in time, and says in words that there was no answer. Such an error has no status.
 * @returns {Promise<{ok: boolean, status: number, text: string}>}
 */
export async function reach(path, options = {}, patience = PATIENCE_MS) {
  try {
    const response = await fetch(path, {...options, signal: AbortSignal.timeout(patience)});
    return {ok: response.ok, status: response.status, text: await response.text() || (response.ok ? '' : response.statusText)};
  } catch (error) {
    const isRead = (options.method ?? 'GET') === 'GET', isLate = error.name === 'TimeoutError', unknown = 'whether it did what was asked is not known';
    if (isLate) throw new Error(`${document.body.dataset.self} did not answer within ${patience / 1000} s: ${isRead ? '' : unknown + '. '}It may be busy or paused; or too many pages of it are open in this browser: close some, and try again`);
    throw new Error('the node that this page came from does not answer' + (isRead ? '' : ': ' + unknown));
  }
}

function answer({ok, status, text}) {
  if (ok) return JSON.parse(text);
  throw Object.assign(new Error(text.trim()), {status});
}

/**
 * Returns what is called with each question of a kind: it comes to the answer, or to null if another one was
 * asked since. An answer that came late, or an error, says nothing of what is looked at now.
 */
export function latest() {
  let turn = 0;
  return async (question) => {
    const mine = ++turn;
    try {
      const answered = await question;
      return mine === turn ? answered : null;
    } catch (error) {
      if (mine === turn) throw error;
      return null;
    }
  };
}

/** Has f called every so often, but not while people do not look, or before it has ended. Returns what clearInterval takes. */
export function every(millis, f) {
  let isBusy = false;
  return setInterval(async () => {
    if (isBusy || document.hidden) return;
    isBusy = true;
    try { await f(); } finally { isBusy = false; }
  }, millis);
}

/** Whether people asked for no motion. */
export const isStill = () => matchMedia('(prefers-reduced-motion: reduce)').matches;

/** 13:05:02.123 of microseconds since 1970. */
export function clock(micros, digits = 3) {
  const d = new Date(micros / 1000);
  const two = (n) => String(n).padStart(2, '0');
  const text = `${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())}`;
  return digits ? text + '.' + String(Math.floor(micros / 1000) % 1000).padStart(3, '0') : text;
}

/** 1.23 ms of microseconds. */
export function span(micros) {
  if (micros < 1000) return `${Math.round(micros)} µs`;
  if (micros < 1e6) return `${(micros / 1000).toFixed(micros < 1e5 ? 2 : 0)} ms`;
  return `${(micros / 1e6).toFixed(2)} s`;
}

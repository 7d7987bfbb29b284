// A chart of the last hour.
import {clock, el} from './dom.js';

const HOUR_MS = 3600e3;

/**
 * @param {string} title
 * @param {[string, string][]} lines a member of the samples, and what it is called
 * @param {(n: number) => string} write how a number is written
 * @param {{at_ms: number}[]} hour samples in order; a number below 0 is not known
 */
export function chart(title, lines, write, hour) {
  const w = 380, h = 120, top = 8, bottom = 18, end = hour.at(-1)?.at_ms ?? Date.now(), greatest = Math.max(0, ...hour.flatMap((s) => lines.map(([k]) => s[k]))), most = greatest || 1;
  const x = (t) => w - 4 - (end - t) / HOUR_MS * (w - 8), y = (v) => h - bottom - (h - top - bottom) * v / most;
  const said = (k) => hour.at(-1)?.[k] < 0 ? '?' : write(hour.at(-1)?.[k] ?? 0);
  const svg = el('svg:svg', {viewBox: `0 0 ${w} ${h}`, role: 'img', 'aria-label': `${title}: ${lines.map(([k, n]) => `${n} ${said(k)}`).join(', ')} now`});
  svg.append(el('svg:line', {class: 'lane', x1: 0, x2: w, y1: y(0), y2: y(0)}), el('svg:line', {class: 'tick', x1: 0, x2: w, y1: y(most), y2: y(most)}),
    el('svg:text', {class: 'soft', x: 0, y: h - 4}, clock((end - HOUR_MS) * 1000, 0).slice(0, 5)), el('svg:text', {class: 'soft', x: w, y: h - 4, 'text-anchor': 'end'}, clock(end * 1000, 0).slice(0, 5)),
    el('svg:text', {class: 'soft', x: 0, y: top + 12}, !hour.length ? 'no sample yet' : greatest ? write(greatest) : ''));
  lines.forEach(([k], i) => svg.append(el('svg:polyline', {class: 'curve c' + i, points: hour.filter((s) => s[k] >= 0).map((s) => `${x(s.at_ms).toFixed(1)},${y(s[k]).toFixed(1)}`).join(' ')})));
  return el('figure', {}, el('figcaption', {}, el('b', {}, title), ...lines.map(([k, n], i) => el('span', {class: 'key c' + i}, `${n} ${said(k)}`))), svg);
}

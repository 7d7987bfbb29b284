// What state a node is in, as the picture and the tables of all pages call it. Nothing here draws.

/** Whether a node is not there for the others. */
export const isGone = (n) => ['down', 'paused', 'silent', 'unknown'].includes(n.state);

/** Whether a lab cut all ways between a node and the others, one way at least. */
const isCutFromAll = (n, nodes) => nodes.every((o) => o === n || n.faults?.[o.node]?.cut || o.faults?.[n.node]?.cut);

/**
 * Whether a node runs, but hears of none of the others that do: then "cut", or "alone" if all those are cut off
 * themselves, and nothing is wrong with its own links to the rest. Else empty.
 */
export function apart(node, {nodes}) {
  const others = nodes.filter((n) => n.node !== node.node && !isGone(n));
  if (!others.length || !['up', 'unready', 'draining'].includes(node.state) || !others.every((n) => node.unheard?.includes(n.node))) return '';
  return !isCutFromAll(node, nodes) && others.every((n) => isCutFromAll(n, nodes)) ? 'alone' : 'cut';
}

/** What is said of a node that is not simply there: a shape or none, words, and how they look; null of one that is. */
export function condition(node, picture) {
  const states = {down: ['down', 'killed', 'bad'], paused: ['paused', 'paused', 'warn'], silent: ['dead', 'does not answer', 'bad'],
    unknown: ['unknown', 'not known any more', 'soft'], starting: ['unknown', 'starting', 'soft']};
  const far = {cut: ['cut', 'runs, but is cut off', 'bad'], alone: ['', 'runs, but is alone', 'warn']};
  return states[node.state] ?? far[apart(node, picture)] ?? null;
}

/* Numbers of a time series from Prometheus' text. */

const LINE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/;
const LABEL = /(\w+)="((?:[^"\\]|\\.)*)"/g;

/* Map: name → [{labels, value}] */
export function parse(text) {
  const all = new Map();
  for (const line of text.split('\n')) {
    const found = LINE.exec(line);
    if (!found) continue;
    const labels = {};
    for (const [, key, value] of (found[2] ?? '').matchAll(LABEL)) labels[key] = value.replace(/\\(.)/g, (_, c) => (c === 'n' ? '\n' : c));
    const series = all.get(found[1]);
    const entry = { labels, value: Number(found[3].replace('Inf', 'Infinity')) };
    if (series) series.push(entry);
    else all.set(found[1], [entry]);
  }
  return all;
}

export function sum(metrics, name, filter = () => true) {
  return (metrics.get(name) ?? []).filter(({ labels }) => filter(labels)).reduce((total, { value }) => total + value, 0);
}

/* A histogram as [[bound, count]…], over all its labels. */
export function buckets(metrics, name) {
  const all = new Map();
  for (const { labels, value } of metrics.get(`${name}_bucket`) ?? []) {
    const bound = Number(labels.le.replace('Inf', 'Infinity'));
    all.set(bound, (all.get(bound) ?? 0) + value);
  }
  return [...all].sort(([a], [b]) => a - b);
}

/* Between two states of a histogram; null if nothing was counted. */
export function quantile(q, now, before) {
  const old = new Map(before);
  const counts = now.map(([bound, value]) => [bound, value - (old.get(bound) ?? 0)]);
  const total = counts.at(-1)?.[1] ?? 0;
  if (!(total > 0)) return null;
  let [low, below] = [0, 0];
  for (const [bound, value] of counts) {
    if (value >= q * total) return bound === Infinity ? low : low + (bound - low) * ((q * total - below) / (value - below || 1));
    [low, below] = [bound, value];
  }
  return low;
}

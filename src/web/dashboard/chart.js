/* A small chart: the last five minutes of one number. */
import { el } from './dom.js';

export const SPAN_MS = 300_000;
const [WIDTH, HEIGHT] = [300, 48];

/* points: [{at, value}], value null where there is none; every: the usual distance of points, in ms. */
export function chart() {
  const area = el('path', { class: 'area' });
  const line = el('path', { class: 'line' });
  const base = el('line', { class: 'base', x1: 0, x2: WIDTH, y1: HEIGHT - 0.5, y2: HEIGHT - 0.5 });
  const svg = el('svg', { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: 'none', role: 'img', class: 'chart' }, base, area, line);
  return {
    element: svg,
    draw(points, now, every, label) {
      const top = Math.max(...points.map((p) => p.value ?? 0), 1e-9) * 1.05;
      const x = (p) => (WIDTH * (1 - (now - p.at) / SPAN_MS)).toFixed(1);
      const y = (p) => (HEIGHT - 1 - (HEIGHT - 4) * (p.value / top)).toFixed(1);
      let [lines, areas] = ['', ''];
      for (const run of runs(points, every * 2.5)) {
        const path = run.map((p) => `${x(p)} ${y(p)}`).join('L');
        lines += `M${path}${run.length === 1 ? 'h1.5' : ''}`;
        areas += `M${x(run[0])} ${HEIGHT}L${path}L${x(run.at(-1))} ${HEIGHT}Z`;
      }
      line.setAttribute('d', lines);
      area.setAttribute('d', areas);
      svg.setAttribute('aria-label', label);
    },
  };
}

/* What belongs together: no value is missing between its points. */
function runs(points, gap) {
  const all = [];
  let last = null;
  for (const p of points) {
    if (p.value === null) {
      last = null;
      continue;
    }
    if (last === null || p.at - last.at > gap) all.push([]);
    all.at(-1).push(p);
    last = p;
  }
  return all;
}

// Charts of what `tests/bench/run.sh --json FILE peers peers-fanout` measured:
//
//   node tests/bench/chart.mjs FILE FOLDER      writes peers.svg and peers-fanout.svg there
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';

const [file, folder] = process.argv.slice(2);
const { machine, figures } = JSON.parse(readFileSync(file));

const WIDTH = 760, LEFT = 190, RIGHT = 60, BAR = 18, GAP = 14, TOP = 76;
const COLOURS = ['#2f6fab', '#d98c2b'];
const escape = (text) => text.replace(/[&<>]/g, (c) => `&#${c.charCodeAt(0)};`);

const of = (scenario, what) =>
  new Map(figures.filter((f) => f.scenario === scenario && f.what === what).map((f) => [f.who, f.value]));

/** A round step that divides the axis into four to eight parts. */
function step(most) {
  const unit = 10 ** Math.floor(Math.log10(most / 4));
  return [1, 2, 5, 10].map((n) => n * unit).find((s) => most / s <= 8);
}

/** Horizontal bars, a group for each name; series: [label, Map of name → value], stacked on each other or not. */
function chart({ title, axis, series, stacked }) {
  const names = [...series[0][1].keys()];
  const values = (name) => series.map(([, of]) => of.get(name) ?? 0);
  const total = (name) => (stacked ? values(name).reduce((a, b) => a + b) : Math.max(...values(name)));
  const tick = step(Math.max(...names.map(total)));
  const ticks = Math.ceil(Math.max(...names.map(total)) / tick);
  const group = (stacked ? BAR : BAR * series.length) + GAP;
  const bottom = TOP + names.length * group, height = bottom + 62;
  const x = (value) => LEFT + value / (tick * ticks) * (WIDTH - LEFT - RIGHT);
  const text = (at, y, content, more = '') => `<text x="${at.toFixed(1)}" y="${y}" ${more}>${escape(content)}</text>`;
  const out = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" ` +
      `font-family="sans-serif" font-size="13" fill="#222" role="img" aria-label="${escape(title)}">`,
    `<rect width="${WIDTH}" height="${height}" fill="#fff"/>`,
    text(16, 26, title, 'font-size="16" font-weight="bold"'),
  ];
  series.forEach(([label], i) => out.push(
    `<rect x="${LEFT + i * 190}" y="44" width="12" height="12" fill="${COLOURS[i]}"/>`,
    text(LEFT + i * 190 + 18, 55, label)));
  for (let i = 0; i <= ticks; i++) {
    const at = x(i * tick).toFixed(1);
    out.push(`<line x1="${at}" x2="${at}" y1="${TOP - 8}" y2="${bottom}" stroke="${i ? '#ddd' : '#666'}"/>`,
      text(x(i * tick), bottom + 16, String(+(i * tick).toFixed(6)), 'text-anchor="middle"'));
  }
  out.push(text((LEFT + WIDTH - RIGHT) / 2, bottom + 34, axis, 'text-anchor="middle"'),
    text(16, height - 8, machine, 'font-size="10" fill="#666"'));
  const bar = (from, value, y, i) =>
    `<rect x="${x(from).toFixed(1)}" y="${y}" width="${(x(value) - LEFT).toFixed(1)}" height="${BAR}" fill="${COLOURS[i]}"/>`;
  names.forEach((name, row) => {
    const y = TOP + row * group;
    out.push(text(LEFT - 8, y + (group - GAP) / 2 + 5, name,
      `text-anchor="end"${name === 'wslockd' ? ' font-weight="bold"' : ''}`));
    let from = 0;
    values(name).forEach((value, i) => {
      const top = stacked ? y : y + i * BAR;
      out.push(bar(from, value, top, i));
      if (!stacked)
        out.push(text(x(value) + 5, top + 14, value.toFixed(1)));
      from += stacked ? value : 0;
    });
    if (stacked)
      out.push(text(x(from) + 5, y + 14, from.toFixed(0)));
  });
  return `${out.join('\n')}\n</svg>\n`;
}

const write = (name, svg) => writeFileSync(path.join(folder, name), svg);
write('peers.svg', chart({
  title: 'Acquire and release: CPU an operation',
  axis: 'µs of CPU an operation',
  series: [['server', of('peers', 'server_us')], ['its Redis', of('peers', 'redis_us')]],
  stacked: true,
}));
const rooms = ['few', 'many'].map((size) => `peers-fanout-${size}`);
write('peers-fanout.svg', chart({
  title: 'Fan-out of one event: CPU a delivery',
  axis: 'µs of CPU of the server a delivery',
  series: rooms.map((room) =>
    [`${of(room, 'receivers').get('room').toLocaleString('en')} receivers`, of(room, 'server_us')]),
}));

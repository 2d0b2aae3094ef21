/* The numbers of this instance, from /metrics, which needs no token. */
import * as api from './api.js';
import { SPAN_MS, chart } from './chart.js';
import { $, el, say, show } from './dom.js';
import { buckets, parse, quantile, sum } from './numbers.js';
import { clock, count, latency, number, printable, relative } from './text.js';

const EVERY_MS = 2000;
const RATE_MS = 10_000; // rates and quantiles are of the last ten seconds
const STALE_MS = 3 * EVERY_MS;
const HISTOGRAMS = { requests: 'wslock_request_duration_seconds', store: 'wslock_store_duration_seconds' };
const ACCEPTED = new Set(['ok', 'queued', 'pending', 'gone']);

const state = (s) => (metrics) => sum(metrics, 'wslock_locks', (labels) => labels.state === s);
const GAUGES = {
  connections: (m) => sum(m, 'wslock_connections'),
  locks: (m) => sum(m, 'wslock_locks'),
  grace: state('grace'),
  reserved: state('reserved'),
  waiters: (m) => sum(m, 'wslock_waiters'),
  storeUp: (m) => sum(m, 'wslock_store_up'),
  ready: (m) => sum(m, 'wslock_ready'),
  started: (m) => sum(m, 'process_start_time_seconds'),
};
const COUNTERS = {
  requests: (m) => sum(m, 'wslock_requests_total'),
  refused: (m) => sum(m, 'wslock_requests_total', (labels) => !ACCEPTED.has(labels.outcome)),
  failures: (m) => sum(m, 'wslock_store_failures_total'),
};

/* One reading of /metrics. */
function sample(metrics, at) {
  const s = { at, types: [...new Set((metrics.get('wslock_locks') ?? []).map(({ labels }) => labels.type))] };
  for (const [key, read] of [...Object.entries(GAUGES), ...Object.entries(COUNTERS)]) s[key] = read(metrics);
  for (const [key, name] of Object.entries(HISTOGRAMS)) s[`${key}Buckets`] = buckets(metrics, name);
  return s;
}

/* What has happened since an earlier sample, at most RATE_MS ago. */
function derive(s, samples) {
  const before = samples.find((b) => b.at >= s.at - RATE_MS) ?? null;
  const seconds = before ? (s.at - before.at) / 1000 : 0;
  for (const key of Object.keys(COUNTERS)) s[`${key}Rate`] = before ? Math.max(0, s[key] - before[key]) / seconds : null;
  for (const key of Object.keys(HISTOGRAMS)) {
    for (const q of [50, 99]) s[`${key}P${q}`] = before ? quantile(q / 100, s[`${key}Buckets`], before[`${key}Buckets`]) : null;
  }
}

/* value(s) → text; facts(s) → texts; of(s): the charted number; unit(v) → text. */
const TILES = [
  { name: 'Connections', value: (s) => number(s.connections), facts: () => [], of: (s) => s.connections, unit: number },
  {
    name: 'Locks', value: (s) => number(s.locks), of: (s) => s.locks, unit: number,
    facts: (s) => [
      s.grace > 0 && `${number(s.grace)} in grace`, s.reserved > 0 && `${number(s.reserved)} reserved`, `${count(s.waiters, 'user')} waiting`,
    ],
  },
  {
    name: 'Requests a second', value: (s) => (s.requestsRate === null ? '–' : number(s.requestsRate)), of: (s) => s.requestsRate, unit: number,
    facts: (s) => [s.refusedRate > 0 ? `${number(s.refusedRate)} refused` : s.refusedRate === 0 && 'none refused'],
  },
  {
    name: 'Latency', charted: '99% of latencies', value: (s) => (s.requestsP50 === null ? '–' : latency(s.requestsP50)), of: (s) => s.requestsP99, unit: latency,
    facts: (s) => (s.requestsP99 === null ? ['no requests'] : ['median', `99%: ${latency(s.requestsP99)}`]),
  },
  {
    name: 'Store', charted: '99% of the store\'s latencies', value: (s) => (s.storeUp ? 'Served' : 'Away'), of: (s) => s.storeP99, unit: latency, bad: (s) => !s.storeUp,
    facts: (s) => [s.storeP99 === null ? s.storeUp && 'no calls' : `99%: ${latency(s.storeP99)}`, s.failuresRate > 0 && `${number(s.failuresRate)} failures a second`],
  },
];

function tile(spec) {
  const value = el('dd', { class: 'value' });
  const facts = el('dd', { class: 'facts' });
  const peak = el('span', { class: 'peak' });
  const drawn = chart();
  const element = el('div', { class: 'tile' }, el('dt', {}, spec.name), value, facts, el('dd', { class: 'plot' }, peak, drawn.element));
  return {
    element,
    update(samples, now) {
      const s = samples.at(-1);
      const points = samples.map((p) => ({ at: p.at, value: spec.of(p) }));
      const values = points.filter((p) => p.value !== null).map((p) => p.value);
      const most = values.length ? spec.unit(Math.max(...values)) : null;
      say(value, spec.value(s));
      say(facts, spec.facts(s).filter(Boolean).join(' · '));
      element.classList.toggle('bad', spec.bad?.(s) ?? false);
      say(peak, most === null ? '' : `5 min, at most ${most}`);
      drawn.draw(points, now, EVERY_MS, `${spec.charted ?? spec.name} in the last five minutes: ${
        most === null ? 'no values' : `from ${spec.unit(Math.min(...values))} to ${most}`}`);
    },
  };
}

const tiles = TILES.map(tile);
let samples = [];
let answered = null; // when /metrics last did
let listeners = [];

/* fn(sample) is called with each new one. */
export function onSample(fn) {
  listeners.push(fn);
}

function badge(className, text) {
  const element = $('ready');
  element.className = `badge ${className}`;
  say(element, text);
}

async function showReady(s) {
  if (s.ready && $('instance').textContent) {
    badge('good', 'Grants locks');
    show($('reasons'), false);
    return;
  }
  const { instance, ready, reasons } = await api.ready();
  say($('instance'), printable(instance));
  document.title = `${printable(instance)} – wslockd`;
  badge(ready ? 'good' : 'bad', ready ? 'Grants locks' : 'Grants no locks');
  say($('reasons'), ready ? '' : `No lock is granted: ${reasons.map(printable).join('; ')}.`);
  show($('reasons'), !ready);
}

function showFreshness() {
  const now = Date.now();
  const late = answered === null || now - answered > STALE_MS;
  $('numbers').classList.toggle('stale', late && answered !== null);
  say($('fresh'), answered === null ? 'Waiting for the first numbers'
    : late ? `Stale: as of ${clock(answered)}, ${relative(answered, now)}` : `As of ${clock(answered)}, every ${EVERY_MS / 1000} s`);
}

async function poll() {
  const metrics = parse(await api.text('/metrics'));
  const at = Date.now();
  const s = sample(metrics, at);
  if (samples.at(-1)?.started !== s.started) samples = []; // another process counts anew
  derive(s, samples);
  samples = [...samples.filter((old) => old.at > at - SPAN_MS), s];
  answered = at;
  show($('silent'), false);
  await showReady(s);
  for (const t of tiles) t.update(samples, at);
  for (const fn of listeners) fn(s);
}

let running = false;
let timer;
async function turn() {
  clearTimeout(timer);
  if (running || document.hidden) return;
  running = true;
  const begun = Date.now();
  try {
    await poll();
  } catch (error) {
    if (!(error instanceof api.ApiError)) throw error;
    badge('bad', 'No answer');
    say($('silent'), `The daemon does not answer${answered === null ? '' : ` since ${clock(answered)}`}. What is shown is what it said before.`);
    show($('silent'), true);
  } finally {
    running = false;
    showFreshness();
    timer = setTimeout(turn, Math.max(200, begun + EVERY_MS - Date.now()));
  }
}

export function begin() {
  $('tiles').replaceChildren(...tiles.map((t) => t.element));
  document.addEventListener('visibilitychange', turn);
  setInterval(showFreshness, 1000);
  turn();
}

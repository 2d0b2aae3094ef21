'use strict';
/* Rounds of faults on three instances; see run.sh. */
const fs = require('node:fs');
const { fork } = require('node:child_process');
const { parseArgs } = require('node:util');
const h = require('../e2e/harness');
const { outages } = require('./probe');
const { healAll, play, strike } = require('./strike');
const { judge } = require('./judge');
const scenarios = require('./scenarios');
const { ClusterStore } = require('./store_cluster');
const { SentinelStore } = require('./store_sentinel');
const { SingleStore } = require('./store_single');
const { GRACE_MS, LEASE_MS, World } = require('./world');

const STORES = { single: SingleStore, sentinel: SentinelStore, cluster: ClusterStore };
const TABS = 48;
/* Grants before the first fault. */
const BEFORE = 15;
const SETTLE_MS = 60_000;
const AUDIT_MS = 10_000;
/* In time: a tab that was silent for so long must find its lock. The rest is what an instance takes to notice. */
const IN_TIME_MS = GRACE_MS - 1000;
/* Together with another fault they may cost a lock: nobody is left who knows of it. */
const FORGETS = /^(store (killed|emptied|stopped|clock)|right withdrawn|store out of memory|master|split master|lossy|forced|slot without keys, cancelled)/;
/* What the store had may be gone. */
const LOSES = /^(store (killed|emptied)|master|split master|lossy|forced|slot without keys, cancelled)/;
/* With the store's changes also what an instance had not written to its audit. */
const KILLS = /instances? killed/;
/* Two masters at once: docs/guarantees.md, fault 10, says what holds again after it. */
const SPLITS = /^split master/;
/* Instances go on without a gap. */
const HARMLESS = /^(client|events late)/;
const DELAYS = /^(instance|all instances|store link|clients frozen|client link)/;

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '30' }, seed: { type: 'string' }, store: { type: 'string', default: 'single' },
    scenario: { type: 'string' }, 'wait-replicas': { type: 'string', default: '0' }, jobs: { type: 'string', default: '1' }, until: { type: 'string' }, keep: { type: 'boolean', default: false }, worker: { type: 'boolean', default: false },
  },
});

const WAIT_REPLICAS = Number(values['wait-replicas']);

/* What the judge must know of the faults. */
function circumstances(history) {
  const faults = history.of('fault');
  const near = (from, to) => faults.filter((f) => f.from < to && f.to > from - LEASE_MS - 5000).map((f) => f.name);
  /* A replica does not know that its master's keys are being moved: promoted, it begins without them. */
  const storeLost = (from, to) => {
    const names = near(from, to);
    return names.some((n) => LOSES.test(n)) || (names.some((n) => /^slot/.test(n)) && names.some((n) => /promotion$/.test(n)));
  };
  return {
    graceMs: IN_TIME_MS,
    doubtful: (from, to) => {
      const names = near(from, to);
      return names.some((n) => FORGETS.test(n)) || names.filter((n) => DELAYS.test(n)).length > 1;
    },
    storeLost,
    auditLost: (from, to) => storeLost(from, to) && near(from, to).some((n) => KILLS.test(n)),
    split: (at) => near(at, at).some((n) => SPLITS.test(n)),
    waits: WAIT_REPLICAS > 0,
    calm: (from, to) => near(from, to).every((n) => HARMLESS.test(n)),
    clockBack: faults.some(({ name }) => name === 'store clock stepped'),
  };
}

const sleep = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

/* Everything that goes wrong in a round, and what is left after it. Resolves to how long it took to settle, ms. */
async function run(world) {
  await world.start(TABS);
  await h.eventually(() => world.isBusy(BEFORE), 'the clients work', SETTLE_MS);
  await world.readAudit(SETTLE_MS);
  if (values.scenario) await play(world, scenarios[values.scenario]);
  else await strike(world, world.rnd.between(1, 4));
  await healAll(world);
  await Promise.all(world.daemons.map(({ daemon }) => h.granting(daemon, SETTLE_MS)));
  const settledMs = await world.settle(SETTLE_MS);
  await world.empty(SETTLE_MS);
  await h.deadline(world.observer.caughtUp(), 'nothing changes any more', SETTLE_MS);
  await world.readAudit(AUDIT_MS);
  for (const { daemon } of world.daemons) if (daemon.running) await daemon.stop();
  await world.observer.end();
  await world.readAudit(0);
  return settledMs;
}

/* {seed, line, found, file, outages}. One world a round: a seed repeats it. */
async function round(seed) {
  const t = h.scope();
  const world = new World(t, seed, new STORES[values.store](t, { waitReplicas: WAIT_REPLICAS }));
  const { history } = world;
  const found = [];
  const attempt = (step) => step().catch((error) => found.push({ rule: 'round', text: error.stack }));
  let settledMs = NaN;
  await attempt(async () => {
    settledMs = await run(world);
    found.push(...judge(history, circumstances(history)));
  });
  for (const tab of [...world.tabs, ...world.probes]) tab.end();
  await attempt(() => t.end());
  const lost = outages(history);
  const faults = lost.map(({ name, ms }) => `${name} → ${ms} ms`).join(', ');
  const line = `--seed ${seed}: ${faults || 'calm'}; ${history.of('granted').length} grants, ${history.of('saved').length} saves, `
    + `${Number.isNaN(settledMs) ? 'not settled' : `settled in ${Math.round(settledMs)} ms`}${found.length ? '' : ', clean'}`;
  return { line, found, outages: lost, file: (found.length > 0 || values.keep) && keep(history, seed) };
}

function keep(history, seed) {
  const file = `${process.env.TMPDIR ?? '/tmp'}/wslock-chaos-${seed}.jsonl`;
  fs.writeFileSync(file, history.entries.map((entry) => `${JSON.stringify(entry)}\n`).join(''));
  return file;
}

/* The round of a seed, in a process of its own. It is killed once it has said all: Node may never end after connections were reset. */
function apart(seed) {
  return new Promise((resolve) => {
    const child = fork(__filename, [...process.argv.slice(2), '--worker', '--seed', String(seed)]);
    child.on('message', (result) => {
      resolve(result);
      child.kill('SIGKILL');
    });
    child.on('exit', (code) => resolve({ line: `--seed ${seed}: no result`, outages: [], found: [{ rule: 'round', text: `it ended with ${code}` }] }));
  });
}

function report(n, { line, found, file }, indent = '') {
  console.log(`${indent}round ${n}, ${line}`);
  for (const { rule, text } of found) console.log(`${indent}  ${rule}: ${text}`);
  if (file) console.log(`${indent}  its history: ${file}`);
}

/* For each fault, how long nobody could acquire: of the rounds in which it was alone, and of the others. */
function summarize(all) {
  const names = [...new Set(all.map(({ name }) => name))].sort();
  const show = (list) => {
    const sorted = list.map(({ ms }) => ms).sort((a, b) => a - b);
    return sorted.length ? `median ${sorted[Math.floor(sorted.length / 2)]}, most ${sorted.at(-1)} (${sorted.length})` : '-';
  };
  if (names.length > 0) console.log('nobody could acquire, ms (times): alone; with other faults');
  for (const name of names) {
    const of = all.filter((o) => o.name === name);
    console.log(`  ${name}: ${show(of.filter(({ alone }) => alone))}; ${show(of.filter(({ alone }) => !alone))}`);
  }
}

async function main() {
  if (!STORES[values.store]) throw new Error(`--store ${values.store}: ${Object.keys(STORES).join(', ')}`);
  if (values.scenario && !scenarios[values.scenario]) throw new Error(`--scenario: ${Object.keys(scenarios).join(', ')}`);
  const first = Number(values.seed ?? Math.floor(Math.random() * 1e9));
  const rounds = Number(values.rounds);
  const wanted = values.until?.split(',');
  let [next, hit] = [0, false];
  const [all, bad] = [[], []];
  const work = async () => {
    while (next < rounds && !hit) {
      const n = next++;
      const result = await apart(first + n);
      report(n, result);
      if (result.found.length > 0) bad.push([n, result]);
      hit ||= result.found.some(({ rule }) => wanted?.includes(rule));
      all.push(...result.outages);
    }
  };
  await Promise.all(Array.from({ length: Number(values.jobs) }, work));
  summarize(all);
  if (bad.length > 0) console.log('with findings:'); // once more, where they are found: at the end of a long log
  for (const [n, result] of bad) report(n, result, '  ');
  console.log(`${next} rounds, ${bad.length} with findings`);
  process.exitCode = bad.length ? 1 : 0;
}

async function worker() {
  process.send(await round(Number(values.seed)));
}

(values.worker ? worker : main)();

'use strict';
/* Random faults on three instances; see run.sh. */
const fs = require('node:fs');
const { parseArgs } = require('node:util');
const h = require('../e2e/harness');
const { healAll, strike } = require('./faults');
const { judge } = require('./judge');
const { GRACE_MS, LEASE_MS, World } = require('./world');

const TABS = 48;
const SETTLE_MS = 60_000;
/* In time: a tab that was silent for so long must find its lock. The rest is what an instance takes to notice. */
const IN_TIME_MS = GRACE_MS - 1000;
/* Together with another fault they may cost a lock: nobody is left who knows of it. */
const FORGETS = /^(store (killed|emptied|stopped|clock)|right withdrawn|store out of memory)/;
const DELAYS = /^(instance|store link|clients frozen|client link)/;

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '30' }, seed: { type: 'string' }, store: { type: 'string', default: 'single' },
    calm: { type: 'boolean', default: false }, verbose: { type: 'boolean', default: false },
  },
});

function doubtful(history) {
  const faults = history.of('fault');
  return (from, to) => {
    const near = faults.filter((f) => f.from < to && f.to > from - LEASE_MS - 5000).map((f) => f.name);
    return near.some((n) => FORGETS.test(n)) || near.filter((n) => DELAYS.test(n)).length > 1;
  };
}

/* {found: what the judge found, history}. One world a round: a seed repeats it. */
async function round(seed) {
  const t = h.scope();
  const world = new World(t, seed);
  try {
    await world.start(TABS);
    await new Promise((resolve) => { setTimeout(resolve, 2000); });
    if (!values.calm) await strike(world, world.rnd, world.rnd.between(1, 4));
    else await new Promise((resolve) => { setTimeout(resolve, 4000); });
    await healAll(world);
    await new Promise((resolve) => { setTimeout(resolve, 500); });
    const settledMs = await world.settle(SETTLE_MS);
    await world.empty(SETTLE_MS);
    for (const { daemon } of world.daemons) if (daemon.running) await daemon.stop();
    world.readAudit();
    return { world, settledMs, found: judge(world.history, { graceMs: IN_TIME_MS, doubtful: doubtful(world.history) }) };
  } finally {
    for (const tab of world.tabs) tab.end();
    await t.end();
  }
}

async function main() {
  if (values.store !== 'single') throw new Error(`--store ${values.store}: only single`);
  const seed = Number(values.seed ?? Math.floor(Math.random() * 1e9));
  const rounds = Number(values.rounds);
  let bad = 0;
  for (let n = 0; n < rounds; n++) {
    const { world, found, settledMs } = await round(seed + n);
    const { history } = world;
    const faults = history.of('fault').map(({ name, failed }) => name + (failed ? ' (not possible)' : '')).join(', ');
    console.log(`round ${n}, --seed ${seed + n} --rounds 1: ${faults || 'calm'}; ${history.of('granted').length} grants, `
      + `${history.of('saved').length} saves, settled in ${Math.round(settledMs)} ms${found.length ? '' : ', clean'}`);
    if (found.length === 0) continue;
    bad++;
    for (const { rule, text } of found) console.log(`  ${rule}: ${text}`);
    const file = `${process.env.TMPDIR ?? '/tmp'}/wslock-chaos-${seed + n}.jsonl`;
    fs.writeFileSync(file, history.entries.map((entry) => `${JSON.stringify(entry)}\n`).join(''));
    console.log(`  its history: ${file}`);
  }
  console.log(`${rounds} rounds, ${bad} with findings`);
  process.exitCode = bad ? 1 : 0;
}

main();

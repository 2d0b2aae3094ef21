'use strict';
/* Random faults, or those of a scenario, and healing them. */
const { DEEDS, FAULTS, nothing, sleep } = require('./faults');

function faultsOf(world) {
  return { ...FAULTS, ...world.store.faults };
}

/* One fault for `lasts` ms. Where another one stands in its way, that is no failure. */
async function inflict(world, name, lasts, on) {
  const run = faultsOf(world)[name] ?? DEEDS[name];
  if (!run) throw new Error(`no fault "${name}"`);
  const entry = world.history.add(DEEDS[name] ? 'deed' : 'fault', { name, on, from: performance.now(), to: Infinity });
  const heal = await run(world, world.rnd, on).catch((error) => {
    entry.failed = error.message;
    return nothing;
  });
  await sleep(lasts);
  await heal();
  entry.to = performance.now();
}

/* `count` random faults that overlap. */
async function strike(world, count) {
  const { rnd } = world;
  const names = Object.keys(faultsOf(world));
  const plan = Array.from({ length: count }, () => [rnd.between(0, 1500), rnd.pick(names), rnd.between(100, 5000)]);
  await Promise.all(plan.map(async ([at, name, lasts]) => {
    await sleep(at);
    await inflict(world, name, lasts);
  }));
}

/* steps: [at ms, fault, lasts ms, on]. */
async function play(world, steps) {
  await Promise.all(steps.map(async ([at, name, lasts = 0, on]) => {
    await sleep(at);
    await inflict(world, name, lasts, on);
  }));
}

/* What a fault has undone that another one was to heal. */
async function healAll(world) {
  await world.store.heal();
  for (const { daemon, store, wire } of world.daemons) {
    daemon.signal('SIGCONT');
    if (!daemon.running) await daemon.start();
    for (const link of [store, wire]) {
      link.delay(0);
      link.release();
      link.swallow('none');
      link.refuse(false);
      link.rewrite({});
    }
  }
  for (const tab of world.tabs) {
    tab.freeze(false);
    tab.stayAway(false);
  }
}

module.exports = { faultsOf, healAll, play, strike };

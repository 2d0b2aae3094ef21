'use strict';
/* Random faults, or those of a scenario, and healing them. */
const { DEEDS, GROUPS, nothing, sleep, up } = require('./faults');

/* A group is as often struck as another, and the store twice as often. */
const groupsOf = (world) => [...GROUPS, world.store.faults, world.store.faults];

/* One fault for `lasts` ms. Where another one stands in its way, or in that of its end, that is no failure. */
async function inflict(world, name, lasts, on) {
  const run = Object.assign({}, DEEDS, ...groupsOf(world))[name];
  if (!run) throw new Error(`no fault "${name}"`);
  const entry = world.history.add(DEEDS[name] ? 'deed' : 'fault', { name, on, from: performance.now(), to: Infinity });
  const failed = (error) => {
    entry.failed = error.message;
    return nothing;
  };
  const heal = await run(world, world.rnd, on).catch(failed);
  await sleep(lasts);
  await (async () => heal())().catch(failed);
  entry.to = performance.now();
}

/* `count` random faults that overlap. */
async function strike(world, count) {
  const { rnd } = world;
  const pick = () => rnd.pick(Object.keys(rnd.pick(groupsOf(world))));
  const plan = Array.from({ length: count }, () => [rnd.between(0, 1500), pick(), rnd.between(100, 5000)]);
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
    for (const link of [store, wire]) {
      link.delay(0);
      link.release();
      link.swallow('none');
      link.refuse(false);
      link.rewrite({});
    }
  }
  // One that was being started may have given up before its links were healed.
  for (const instance of world.daemons) await up(instance).catch(() => up(instance));
  for (const tab of world.tabs) {
    tab.freeze(false);
    tab.stayAway(false);
  }
}

module.exports = { healAll, play, strike };

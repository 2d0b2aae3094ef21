'use strict';
/*
 * What goes wrong with instances, links and clients: {name: async (world, rnd, on) => heal}. `heal` undoes it. `on`: the number of
 * the instance; undefined: any. What goes wrong with the store stands with the store (store_*.js).
 */
const h = require('../e2e/harness');

const sleep = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });
const nothing = () => {};

/* Bytes come one by one. */
function split(wire) {
  const pieces = (bytes) => [...bytes].map((byte) => Buffer.from([byte]));
  wire.rewrite({ request: pieces, reply: pieces });
  return () => wire.rewrite({});
}

/* Each next reply is lost, and its connection with it; what was asked has been done. */
function loseReplies(wire) {
  wire.rewrite({
    reply: (bytes, { near, far }) => {
      h.reset(near);
      far.destroy();
      return Buffer.alloc(0);
    },
  });
  return () => wire.rewrite({});
}

function swallowed(way) {
  return (wire) => {
    wire.swallow(way);
    return () => {
      wire.swallow('none');
      wire.cut();
    };
  };
}

const LINKS = {
  cut: (wire) => {
    wire.cut();
    return nothing;
  },
  delayed: (wire, rnd) => {
    wire.delay(rnd.between(50, 300));
    return () => wire.delay(0);
  },
  blackholed: (wire) => {
    wire.hold();
    return () => wire.release();
  },
  'half-open up': swallowed('up'),
  'half-open down': swallowed('down'),
  refused: (wire) => {
    wire.refuse();
    return () => wire.refuse(false);
  },
  'byte-split': split,
  'replies lost': loseReplies,
};

/* kind: `wire` (before an instance) or `store` (between an instance and the store). */
function links(prefix, kind) {
  return Object.fromEntries(Object.entries(LINKS).map(([name, run]) => [
    `${prefix} ${name}`, async (world, rnd, on) => run(world.instance(rnd, on)[kind], rnd),
  ]));
}

/* Faults overlap: another one may have started it. */
async function up(instance) {
  if (!instance.daemon.running) instance.starting = instance.daemon.start();
  await instance.starting;
}

const INSTANCES = {
  'instance killed': async (world, rnd, on) => {
    const instance = world.instance(rnd, on);
    if (!instance.daemon.running) return nothing;
    await instance.daemon.kill();
    return () => up(instance);
  },
  'instance stopped': async (world, rnd, on) => {
    const { daemon } = world.instance(rnd, on);
    if (daemon.running) daemon.signal('SIGSTOP');
    return () => daemon.running && daemon.signal('SIGCONT');
  },
  'instance restarted': async (world, rnd, on) => {
    const instance = world.instance(rnd, on);
    if (!instance.daemon.running) return nothing;
    await instance.daemon.stop();
    await up(instance);
    return nothing;
  },
  'all instances killed': async (world) => {
    const dead = world.daemons.filter(({ daemon }) => daemon.running);
    await Promise.all(dead.map(({ daemon }) => daemon.kill()));
    return () => Promise.all(dead.map(up));
  },
};

/* Tabs of an instance; all if none is named. */
const tabsOf = (world, on) => world.tabs.filter((tab) => on === undefined || tab.instance === on);

const CLIENTS = {
  'clients frozen': async (world, rnd) => {
    const frozen = world.tabs.filter(() => rnd.chance(0.3));
    for (const tab of frozen) tab.freeze(true);
    return () => frozen.forEach((tab) => tab.freeze(false));
  },
  /* One in ten, holders first, is never seen again. */
  'clients die': async (world) => {
    const dead = [...world.tabs].sort((a, b) => Boolean(b.token) - Boolean(a.token)).slice(0, world.tabs.length / 10);
    world.tabs = world.tabs.filter((tab) => !dead.includes(tab));
    for (const tab of dead) tab.die();
    return nothing;
  },
  'clients come at once': async (world) => {
    for (const tab of world.tabs) tab.leave();
    return nothing;
  },
};

/* Only in scenarios: what users do, not what fails. */
const DEEDS = {
  'clients away': async (world, rnd, on) => {
    const away = tabsOf(world, on);
    for (const tab of away) tab.stayAway(true);
    return () => away.forEach((tab) => tab.stayAway(false));
  },
  'clients move': async (world, rnd, on) => {
    for (const tab of tabsOf(world, on)) {
      tab.leave();
      tab.instance = (on + 1 + world.rnd.below(world.instances - 1)) % world.instances;
    }
    return nothing;
  },
  'holders give up': async (world) => {
    for (const tab of world.tabs) tab.giveUp();
    return nothing;
  },
  'clients only hold': async (world) => {
    for (const tab of world.tabs) tab.quiet = true;
    return () => world.tabs.forEach((tab) => { tab.quiet = false; });
  },
};

/* Replies come, events do not; for less than the time after which the store counts as away. */
const EVENTS_LATE = {
  'events late': async (world, rnd, on) => {
    const { store } = world.instance(rnd, on);
    store.hold(':feed');
    const timer = setTimeout(() => store.release(), 500);
    return () => {
      clearTimeout(timer);
      store.release();
    };
  },
};

const GROUPS = [links('client link', 'wire'), { ...links('store link', 'store'), ...EVENTS_LATE }, INSTANCES, CLIENTS];

module.exports = { DEEDS, GROUPS, nothing, sleep, up };

'use strict';
/*
 * What goes wrong: {name: async (world, rnd) => heal}. `heal` undoes it. `loses`: locks may rightly be lost by it alone or together with
 * another one of its kind.
 */

const sleep = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });
const any = (world, rnd) => rnd.pick(world.daemons);

/* A connection on which bytes come one by one. */
function split(proxy) {
  const pieces = (bytes, { near, far }, to) => {
    for (const byte of bytes) to(near, far).write(Buffer.from([byte]));
    return Buffer.alloc(0);
  };
  proxy.rewrite = { request: (bytes, pair) => pieces(bytes, pair, (near, far) => far), reply: (bytes, pair) => pieces(bytes, pair, (near) => near) };
  return () => { proxy.rewrite = {}; };
}

function wires(kind) {
  const of = (world, rnd) => any(world, rnd)[kind];
  return {
    cut: async (world, rnd) => {
      of(world, rnd).cut();
      return () => {};
    },
    delay: async (world, rnd) => {
      const wire = of(world, rnd);
      wire.delay(rnd.between(50, 300));
      return () => wire.delay(0);
    },
    hold: async (world, rnd) => {
      const wire = of(world, rnd);
      wire.hold();
      return () => wire.release();
    },
    'swallow up': async (world, rnd) => {
      const wire = of(world, rnd);
      wire.swallow('up');
      return () => {
        wire.swallow('none');
        wire.cut();
      };
    },
    'swallow down': async (world, rnd) => {
      const wire = of(world, rnd);
      wire.swallow('down');
      return () => {
        wire.swallow('none');
        wire.cut();
      };
    },
    refuse: async (world, rnd) => {
      const wire = of(world, rnd);
      wire.refuse();
      return () => wire.refuse(false);
    },
    split: async (world, rnd) => split(of(world, rnd)),
  };
}

const named = (prefix, faults) => Object.fromEntries(Object.entries(faults).map(([name, run]) => [`${prefix} ${name}`, run]));

const FAULTS = {
  ...named('client link', wires('wire')),
  ...named('store link', wires('store')),
  'instance killed': async (world, rnd) => {
    const { daemon } = any(world, rnd);
    if (!daemon.running) return () => {};
    await daemon.kill();
    return () => daemon.start();
  },
  'instance stopped': async (world, rnd) => {
    const { daemon } = any(world, rnd);
    if (daemon.running) daemon.signal('SIGSTOP');
    return () => daemon.running && daemon.signal('SIGCONT');
  },
  'instance restarted': async (world, rnd) => {
    const { daemon } = any(world, rnd);
    if (daemon.running) await daemon.restart();
    return () => {};
  },
  'store stopped': async (world) => {
    world.redis.pause();
    return () => world.redis.resume();
  },
  'store killed': async (world) => {
    if (world.redis.child) await world.redis.stop('SIGKILL');
    return () => world.redis.child ?? world.redis.start();
  },
  'store emptied': async (world) => {
    await world.redis.command('FLUSHALL');
    return () => {};
  },
  'scripts forgotten': async (world) => {
    await world.redis.command('FUNCTION', 'FLUSH');
    return () => {};
  },
  'store out of memory': async (world) => {
    await world.redis.command('CONFIG', 'SET', 'maxmemory', '1');
    return () => world.redis.command('CONFIG', 'SET', 'maxmemory', '0');
  },
  'right withdrawn': async (world, rnd) => {
    await world.redis.command('ACL', 'SETUSER', 'default', `-${rnd.pick(['xadd', 'hset', 'zadd', 'xread', 'fcall'])}`);
    return () => world.redis.command('ACL', 'SETUSER', 'default', '+@all');
  },
  'store clock': async (world, rnd) => {
    world.redis.setClock(rnd.pick([-30_000, -2000, 3000, 60_000]));
    return () => {};
  },
  'clients frozen': async (world, rnd) => {
    const frozen = world.tabs.filter(() => rnd.chance(0.3));
    for (const tab of frozen) tab.freeze(true);
    return () => frozen.forEach((tab) => tab.freeze(false));
  },
  'clients come at once': async (world) => {
    for (const tab of world.tabs) tab.leave();
    return () => {};
  },
};

/* Some faults at a time. Resolves when all are healed. */
async function strike(world, rnd, count) {
  const names = Object.keys(FAULTS);
  await Promise.all(Array.from({ length: count }, async () => {
    await sleep(rnd.between(0, 1500));
    const name = rnd.pick(names);
    const entry = world.history.add('fault', { name, from: performance.now(), to: Infinity });
    // Where another fault stands in the way of this one, that is no failure.
    const heal = await FAULTS[name](world, rnd).catch((error) => {
      entry.failed = error.message;
      return () => {};
    });
    await sleep(rnd.between(100, 5000));
    await heal();
    entry.to = performance.now();
  }));
}

/* After strike(): what a fault has undone that another one was to heal. */
async function healAll(world) {
  if (!world.redis.child) await world.redis.start();
  world.redis.resume();
  await world.redis.command('CONFIG', 'SET', 'maxmemory', '0');
  await world.redis.command('ACL', 'SETUSER', 'default', '+@all');
  for (const { daemon, store, wire } of world.daemons) {
    if (!daemon.running) await daemon.start();
    daemon.signal('SIGCONT');
    for (const proxy of [store, wire]) {
      proxy.delay(0);
      proxy.release();
      proxy.swallow('none');
      proxy.refuse(false);
      proxy.rewrite = {};
    }
  }
  for (const tab of world.tabs) tab.freeze(false);
}

module.exports = { FAULTS, healAll, strike };

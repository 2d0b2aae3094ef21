'use strict';
/*
 * A Redis Cluster as the store: three masters with a replica each. Each instance has proxies of its own before all nodes; what names a
 * node, a CLUSTER SLOTS, a MOVED or an ASK, names its proxy instead, whose port has as many digits.
 */
const h = require('../e2e/harness');
const { nothing, sleep } = require('./faults');
const { Link } = require('./link');
const { SHARDS } = require('./observer');

const LOOK_MS = 100;
/* How long a master has had no replica when that is promoted. */
const BEHIND_MS = 400;
const SETTLE_MS = 60_000;
const KEYS_MAX = 10_000; // in a slot
/* The port of a node in a CLUSTER SLOTS, and in a MOVED or ASK. */
const NODE = /(\$\d+\r\n[\d.]*\r\n:|-(?:MOVED|ASK) \d+ [\d.]*:)(\d+)(?=\r\n)/g;

/* The links of an instance. What is rewritten there, by a fault too, names proxies. */
class NodesLink extends Link {
  constructor(servers, proxies) {
    super(proxies);
    this.ports = new Map(servers.map(({ port }, i) => [port, proxies[i].port]));
    this.rewrite({});
  }
  translate(bytes) {
    const text = bytes.toString('latin1').replace(NODE, (all, before, port) => `${before}${this.ports.get(Number(port)) ?? port}`);
    return Buffer.from(text, 'latin1');
  }
  rewrite({ request, reply = (bytes) => bytes }) {
    super.rewrite({ request, reply: (bytes, pair) => reply(this.translate(bytes), pair) });
  }
  /* That to one node. */
  to({ port }) {
    return this.proxies.find((proxy) => proxy.port === this.ports.get(port));
  }
}

const restart = (server) => () => server.child ?? server.start();
const resume = (servers) => () => servers.forEach((server) => server.child && server.resume());

/* The replica is promoted without what its master has done for a while. It is asked while it stands still, so that it cannot catch up first. */
async function promoteBehind({ master, replica }, lastly) {
  const client = new h.RedisClient({ port: replica.port, host: '127.0.0.1' });
  try {
    await client.command('PING');
    replica.pause();
    await master.command('CLIENT', 'KILL', 'TYPE', 'replica');
    await sleep(BEHIND_MS);
    await lastly?.();
    const promoted = client.command('CLUSTER', 'FAILOVER', 'TAKEOVER');
    replica.resume();
    await promoted;
  } finally {
    resume([replica])();
    client.close();
  }
}

const on = (run) => ({ store }, rnd) => run(store, rnd);
const atMaster = (...command) => on(async (store, rnd) => {
  await store.master(rnd).command(...command);
  return nothing;
});
const promotion = (...how) => on(async (store, rnd) => {
  const { replica } = await store.pair(rnd);
  await replica.command('CLUSTER', 'FAILOVER', ...how);
  return nothing;
});
/* That of a shard with locks, which is not being moved. */
function moveSlot({ store, resources }, rnd, more) {
  const shard = h.shardOf(rnd.pick(resources.filter((resourceId) => !store.open.has(store.slots[h.shardOf(resourceId)]))));
  return store.move(shard, rnd.pick(store.serving.filter((server) => server !== store.masters[shard])), more);
}
/* By then no instance follows ASK any more (docs/operations-reference.md). */
const gone = () => sleep(3000);
/* All keys of a slot are at another master, and the clients of Redis follow ASK, until the move is ended. */
function withoutKeys(end) {
  return async (world, rnd) => {
    const { store } = world;
    const { slot, from, to } = await moveSlot(world, rnd, { stays: true });
    return async () => {
      if (!await store.isLeaving(slot, from)) return; // a replica has taken its place: heal() drops the old keys
      await end(store.group, slot, from, to);
      store.open.delete(slot);
    };
  };
}
/* Of one instance to one master. */
const oneLink = (run) => async (world, rnd, instance) => run(world.instance(rnd, instance).store.to(world.store.master(rnd)));

const FAULTS = {
  'master killed': on(async (store, rnd) => {
    const master = store.master(rnd);
    await master.kill();
    return restart(master);
  }),
  'master stopped': on(async (store, rnd) => {
    const master = store.master(rnd);
    master.pause();
    return resume([master]);
  }),
  'master emptied': atMaster('FLUSHALL'),
  'clean promotion': promotion(),
  'forced promotion': promotion('FORCE'),
  'lossy promotion': on(async (store, rnd) => {
    const pair = await store.pair(rnd);
    await promoteBehind(pair, () => pair.master.kill());
    return restart(pair.master);
  }),
  'lossy takeover': on(async (store, rnd) => {
    await promoteBehind(await store.pair(rnd));
    return nothing;
  }),
  'replicas stopped': on(async (store) => {
    const replicas = store.group.alive.filter((server) => !store.masters.includes(server));
    for (const replica of replicas) replica.pause();
    return resume(replicas);
  }),
  'slot moved': async (world, rnd) => {
    await moveSlot(world, rnd);
    return nothing;
  },
  /* Until then its keys are at two masters. */
  'slot between masters': async (world, rnd) => {
    let finish;
    const midway = new Promise((resolve) => { finish = resolve; });
    const moved = moveSlot(world, rnd, { midway })
      .catch((error) => world.history.add('detail', { text: `slot between masters: ${error.message}` }));
    return () => {
      finish();
      return moved;
    };
  },
  'slot without keys': withoutKeys((group, ...move) => group.endMove(...move)),
  'slot without keys, cancelled': withoutKeys((group, ...move) => group.cancelMove(...move, gone)),
  'store emptied': on(async (store) => {
    await Promise.all(store.serving.map((master) => master.command('FLUSHALL')));
    return nothing;
  }),
  'functions forgotten': atMaster('FUNCTION', 'FLUSH'),
  'store link to one master cut': oneLink((proxy) => {
    proxy.cut();
    return nothing;
  }),
  'store link to one master blackholed': oneLink((proxy) => {
    proxy.hold();
    return () => proxy.release();
  }),
};

class ClusterStore {
  /* waitReplicas: redis.waitReplicas of the instances, 0: it is not set. */
  constructor(t, { waitReplicas }) {
    Object.assign(this, { t, faults: FAULTS, masters: [], open: new Set(), asked: new Map(), more: waitReplicas > 0 ? { waitReplicas } : {} });
  }
  async start(keyPrefix) {
    this.slots = Array.from({ length: SHARDS }, (_, shard) => h.slotOf(shard, keyPrefix));
    this.group = await h.cluster(this.t);
    await this.group.layOut({ keyPrefix });
    await this.look();
    const timer = setInterval(() => this.look().catch(() => {}), LOOK_MS);
    h.cleanup(this.t, () => clearInterval(timer));
  }
  /* masters: of each shard. */
  async look() {
    const ranges = await this.group.alive[0].command('CLUSTER', 'SLOTS');
    this.masters = this.slots.map((slot) => {
      const range = ranges.find(([first, last]) => first <= slot && slot <= last);
      return range && this.group.byPort(range[2][1]);
    });
    for (const [slot, { from }] of this.asked) {
      if (!await this.isLeaving(slot, from)) this.asked.delete(slot);
    }
  }
  get serving() {
    return this.group.alive.filter((server) => this.masters.includes(server));
  }
  master(rnd) {
    return rnd.pick(this.serving);
  }
  async pair(rnd) {
    const master = this.master(rnd);
    for (const replica of this.group.alive) {
      if (Number(await replica.info('master_port')) === master.port) return { master, replica };
    }
    throw new Error('no replica');
  }
  /* more: of the cluster's moveSlot. */
  async move(shard, to, more = {}) {
    const slot = this.slots[shard];
    this.open.add(slot);
    const from = await this.group.moveSlot(slot, to, { isFirst: (key, i) => i % 2 === 0, ...more });
    if (more.stays) this.asked.set(slot, { from, to });
    else this.open.delete(slot);
    return { slot, from, to };
  }
  /* Whether this node sends the slot's keys to another one. */
  async isLeaving(slot, from) {
    return Boolean(from.child) && !from.paused && this.group.isLeaving(slot, from);
  }
  /* For one instance: {config: of `redis`, link}. */
  async connect() {
    const { servers } = this.group;
    const link = new NodesLink(servers, await Promise.all(servers.map(({ port }) => h.proxy(this.t, port))));
    return { config: { ...this.more, cluster: { nodes: link.proxies.map(({ port }) => `127.0.0.1:${port}`) } }, link };
  }
  where(shard) {
    const asked = this.asked.get(this.slots[shard]);
    const server = asked ? asked.to : this.masters[shard];
    return server?.child ? { port: server.port, host: '127.0.0.1', asking: Boolean(asked) } : null;
  }
  async heal() {
    const { group } = this;
    for (const server of group.servers) {
      resume([server])();
      await restart(server)();
    }
    for (const slot of this.open) {
      await this.group.repairSlot(slot, gone);
      this.open.delete(slot);
    }
    await h.eventually(() => group.settled(), 'the cluster is settled', SETTLE_MS);
    await this.look();
  }
  async keys() {
    const lists = this.slots.map((slot, shard) => this.masters[shard].command('CLUSTER', 'GETKEYSINSLOT', slot, KEYS_MAX));
    return (await Promise.all(lists)).flat().sort();
  }
}

module.exports = { ClusterStore };

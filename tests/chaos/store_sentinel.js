'use strict';
/*
 * A master, two replicas and three Sentinels as the store. Each instance has proxies of its own before all of them; those before
 * Sentinels put the ports of its proxies in the place of the servers' ports, which have as many digits.
 */
const h = require('../e2e/harness');
const { nothing, sleep } = require('./faults');
const { Link } = require('./link');

const LOOK_MS = 100;
/* Until the Sentinels have told everybody of the new master. */
const PAUSE_MS = 4000;
/* A second failover does not wait for so long as in a group of production. */
const SENTINEL = ['sentinel failover-timeout wslock 3000', 'sentinel parallel-syncs wslock 2'];
const SECRET = 'of-another-network';

const signal = (servers, name) => servers.forEach(({ child }) => child?.kill(name));
const others = ({ group }, master) => group.servers.filter((server) => server.child && server !== master);

async function killMaster(store) {
  const master = await store.group.master();
  await master.kill();
  master.password = undefined; // that of a split is in no file
  return () => master.child ?? master.start();
}

/* Its Sentinels cannot reach the master any more, and replace it. Who is connected to it stays so, until it hears of the other one. */
async function split(store, rnd) {
  const master = await store.group.master();
  const [deaf] = [rnd.pick(store.parts)];
  deaf.sentinels.hold();
  await master.command('CONFIG', 'SET', 'requirepass', SECRET);
  master.password = SECRET;
  const clients = await master.command('CLIENT', 'LIST');
  for (const [, id] of clients.matchAll(/(?:^|\n)id=(\d+) [^\n]*name=sentinel-/g)) await master.command('CLIENT', 'KILL', 'ID', id);
  return async () => {
    deaf.sentinels.release();
    await open(master);
  };
}

async function open(server) {
  if (!server.password || !server.child) return;
  await server.command('CONFIG', 'SET', 'requirepass', '');
  server.password = undefined;
}

const on = (run) => ({ store }, rnd) => run(store, rnd);
const atMaster = (...command) => on(async (store) => {
  await (await store.group.master()).command(...command);
  return nothing;
});

async function promote({ group }) {
  await group.sentinels.find((s) => s.child).command('SENTINEL', 'FAILOVER', 'wslock');
  return nothing;
}

const offset = async (server) => /\n(?:master|slave)_repl_offset:(\d+)/.exec(await server.command('INFO', 'replication'))[1];

const FAULTS = {
  'clean promotion': on(async (store) => {
    const master = await store.group.master();
    await master.command('CLIENT', 'PAUSE', PAUSE_MS, 'WRITE');
    await h.eventually(async () => { // else the writes go on before the replica is promoted
      const offsets = await Promise.all([master, ...others(store, master)].map(offset));
      return new Set(offsets).size === 1;
    }, 'the replicas have all writes', PAUSE_MS / 4);
    return promote(store);
  }),
  /* The old master takes writes until its clients hear of the new one. Those are lost. */
  'forced promotion': on(promote),
  'master killed': on(killMaster),
  'lossy promotion': on(async (store) => {
    const replicas = others(store, await store.group.master());
    signal(replicas, 'SIGSTOP');
    await sleep(400);
    const heal = await killMaster(store);
    signal(replicas, 'SIGCONT');
    return heal;
  }),
  'master stopped': on(async ({ group }) => {
    const master = await group.master();
    signal([master], 'SIGSTOP');
    return () => signal([master], 'SIGCONT');
  }),
  'split master': on(split),
  'replicas stopped': on(async (store) => {
    const replicas = others(store, await store.group.master());
    signal(replicas, 'SIGSTOP');
    return () => signal(replicas, 'SIGCONT');
  }),
  'Sentinel stopped': on(async ({ group }, rnd) => {
    const sentinel = rnd.pick(group.sentinels);
    signal([sentinel], 'SIGSTOP');
    return () => signal([sentinel], 'SIGCONT');
  }),
  'store emptied': atMaster('FLUSHALL'),
  'functions forgotten': atMaster('FUNCTION', 'FLUSH'),
};

class SentinelStore {
  /* waitReplicas: redis.waitReplicas of the instances, 0: it is not set. */
  constructor(t, { waitReplicas }) {
    Object.assign(this, { t, faults: FAULTS, parts: [], master: null, more: waitReplicas > 0 ? { waitReplicas } : {} });
  }
  async start(keyPrefix) {
    this.group = await h.sentinelGroup(this.t, { sentinelLines: SENTINEL });
    this.master = await this.group.master();
    await h.layOut(this.master, { keyPrefix });
    const timer = setInterval(async () => {
      this.master = await this.group.master().catch(() => this.master);
    }, LOOK_MS);
    h.cleanup(this.t, () => clearInterval(timer));
  }
  /* For one instance: {config: of `redis`, link}. */
  async connect() {
    const { servers, sentinels, config } = this.group;
    const proxies = async (list) => Promise.all(list.map(({ port }) => h.proxy(this.t, port)));
    const [ofServers, ofSentinels] = [await proxies(servers), await proxies(sentinels)];
    const rewrite = { reply: (bytes) => this.translate(bytes, ofServers) };
    for (const proxy of ofSentinels) proxy.rewrite = rewrite;
    const part = { servers: new Link(ofServers), sentinels: new Link(ofSentinels) };
    this.parts.push(part);
    const nodes = ofSentinels.map(({ port }) => `127.0.0.1:${port}`);
    return { config: { ...this.more, sentinel: { master: config.master, nodes } }, link: part.servers };
  }
  translate(bytes, proxies) {
    let text = bytes.toString('latin1');
    this.group.servers.forEach(({ port }, i) => { text = text.replaceAll(String(port), String(proxies[i].port)); });
    return Buffer.from(text, 'latin1');
  }
  where() {
    return this.master?.child ? { port: this.master.port, host: '127.0.0.1' } : null;
  }
  async heal() {
    const { servers, sentinels } = this.group;
    signal([...servers, ...sentinels], 'SIGCONT');
    for (const part of this.parts) part.sentinels.release();
    for (const server of servers) {
      await open(server);
      if (!server.child) await server.start();
    }
    await this.group.settled();
  }
  async keys() {
    return (await (await this.group.master()).command('KEYS', '*')).sort();
  }
}

module.exports = { SentinelStore };

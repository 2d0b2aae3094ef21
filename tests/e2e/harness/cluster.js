'use strict';
/* A Redis Cluster on loopback: masters that share the slots, and a replica for each. */
const { SLOW, eventually, freePort } = require('./basics');
const { RedisClient } = require('./redis');
const { Server } = require('./sentinel');

const NODE_TIMEOUT = 2000 * SLOW;
const SLOTS = 16384;

/* A server's bus is at its port + 10000. */
const BUS = 10_000;

/* CRC-16/XMODEM. */
function crc16(text) {
  let crc = 0;
  for (const byte of Buffer.from(text)) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit++) crc = (crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1) & 0xffff;
  }
  return crc;
}

/* Where the keys of a shard are, and the shard of a resource's document. */
const slotOf = (shard, keyPrefix = 'wslock') => crc16(`${keyPrefix}:${shard}`) % SLOTS;
const shardOf = (resourceId, shards = 16) => crc16(resourceId.split(':').slice(0, 2).join(':')) % shards;

class Cluster {
  constructor(masters, replicas) {
    this.masters = masters; // at the start
    this.replicas = replicas; // the replica of masters[i] is replicas[i]
    this.servers = [...masters, ...replicas];
  }
  get nodes() {
    return this.servers.map((s) => s.address);
  }
  get alive() {
    return this.servers.filter((s) => s.child && !s.paused);
  }
  byPort(port) {
    return this.servers.find((s) => s.port === Number(port));
  }
  /* The master of a slot, as this node sees it. */
  async owner(slot, asked = this.alive[0]) {
    for (const [first, last, [, port]] of await asked.command('CLUSTER', 'SLOTS')) {
      if (first <= slot && slot <= last) return this.byPort(port);
    }
    return null;
  }
  /* When every node that is alive sees the slot at another master than this one, and its state is ok. */
  switched(slot, from) {
    return eventually(async () => {
      let found;
      for (const server of this.alive) {
        found = await this.owner(slot, server);
        if (!found || found === from || !/cluster_state:ok/.test(await server.command('CLUSTER', 'INFO'))) return false;
      }
      return found;
    }, 'another master');
  }
  /* Every node sees all others in the same roles, every replica has its master's data, no slot is missing. */
  settled() {
    return eventually(async () => {
      const views = new Set();
      for (const server of this.alive) {
        const info = await server.command('CLUSTER', 'INFO');
        if (!/cluster_state:ok/.test(info) || !/cluster_slots_ok:16384/.test(info)) return false;
        if (await server.info('role') === 'slave' && await server.info('master_link_status') !== 'up') return false;
        const lines = (await server.command('CLUSTER', 'NODES')).trim().split('\n').map((line) => line.split(' '));
        // id, flags, master, slots
        views.add(lines.map((l) => [l[0], l[2].replace('myself,', ''), l[3], ...l.slice(8)].join(' ')).sort().join('\n'));
      }
      return views.size === 1 && [...views][0].split('\n').length === this.servers.length && !/fail|handshake|noaddr/.test([...views][0]);
    }, 'the cluster is settled');
  }
  /* Saves time: see layOut of redis.js. */
  async layOut({ shards = 16, keyPrefix = 'wslock' } = {}) {
    for (let n = 0; n < shards; n++) {
      const master = await this.owner(slotOf(n, keyPrefix));
      await master.command('HSET', `{${keyPrefix}:${n}}:meta`, 'replid', await master.info('master_replid'), 'valid', Date.now() + 20_000,
        'window', 1, 'from', 1, 'to', 1);
    }
  }
  /* Moves a slot with its keys, as `redis-cli --cluster reshard` does. midway: waited for when the keys are there for which isFirst(key, i) is
   true. stays: the keys are moved, but the slot is not given to the other master. */
  async moveSlot(slot, to, { from, isFirst, midway, stays = false } = {}) {
    from ??= await this.owner(slot);
    const [fromId, toId] = [await from.command('CLUSTER', 'MYID'), await to.command('CLUSTER', 'MYID')];
    const move = async (isMeant = () => true) => {
      const keys = (await from.command('CLUSTER', 'GETKEYSINSLOT', slot, 100)).filter(isMeant);
      if (keys.length > 0) await from.command('MIGRATE', '127.0.0.1', to.port, '', 0, 5000, 'KEYS', ...keys);
      return keys.length;
    };
    await to.command('CLUSTER', 'SETSLOT', slot, 'IMPORTING', fromId);
    await from.command('CLUSTER', 'SETSLOT', slot, 'MIGRATING', toId);
    if (midway) {
      await move(isFirst);
      await midway;
    }
    while (await move() > 0);
    if (!stays) await this.endMove(slot, from, to);
    return from;
  }
  /* Gives a slot to another master that has its keys. */
  async endMove(slot, from, to) {
    const id = await to.command('CLUSTER', 'MYID');
    for (const server of [to, from]) await server.command('CLUSTER', 'SETSLOT', slot, 'NODE', id);
  }
  /* Leaves a slot to its master, which has no keys. goBack: waits until the clients that have followed ASK are there. */
  async cancelMove(slot, from, to, goBack) {
    await from.command('CLUSTER', 'SETSLOT', slot, 'STABLE');
    await goBack();
    await this.#drop(slot, to);
  }
  async mastersNow() {
    const roles = await Promise.all(this.alive.map((server) => server.info('role')));
    return this.alive.filter((server, i) => roles[i] === 'master');
  }
  async isLeaving(slot, from) {
    return (await from.command('CLUSTER', 'NODES')).includes(`[${slot}->-`);
  }
  /* Ends a move that was broken off. A master that still sends keys away sends the rest; it has not served the slot since. If another
   * master has taken its place, what other nodes have of the slot is old. goBack: as above. */
  async repairSlot(slot, goBack) {
    const masters = await this.mastersNow();
    for (const from of masters) {
      if (!await this.isLeaving(slot, from)) continue;
      const others = masters.filter((server) => server !== from);
      const counts = await Promise.all(others.map((server) => server.command('CLUSTER', 'COUNTKEYSINSLOT', slot)));
      await this.moveSlot(slot, others[counts.indexOf(Math.max(...counts))], { from });
      for (const server of masters) await server.command('CLUSTER', 'SETSLOT', slot, 'STABLE');
      return;
    }
    await this.#dropOld(slot, goBack);
  }
  async #dropOld(slot, goBack) {
    /* Else a node that has imported the slot does not learn of its new owner. */
    for (const server of await this.mastersNow()) await server.command('CLUSTER', 'SETSLOT', slot, 'STABLE');
    await goBack();
    const owner = await eventually(async () => {
      const views = new Set(await Promise.all(this.alive.map((server) => this.owner(slot, server))));
      return views.size === 1 && [...views][0];
    }, 'the slot has an owner');
    for (const server of (await this.mastersNow()).filter((other) => other !== owner)) {
      await server.command('CLUSTER', 'SETSLOT', slot, 'IMPORTING', await owner.command('CLUSTER', 'MYID'));
      await this.#drop(slot, server);
    }
  }
  /* Of a node that imports the slot. */
  async #drop(slot, server) {
    const client = new RedisClient({ port: server.port, host: '127.0.0.1' });
    try {
      for (let keys; (keys = await client.command('CLUSTER', 'GETKEYSINSLOT', slot, 100)).length > 0;) {
        for (const key of keys) await Promise.all([client.command('ASKING'), client.command('DEL', key)]);
      }
    } finally {
      client.close();
    }
    await server.command('CLUSTER', 'SETSLOT', slot, 'STABLE');
  }
}

/* options: {masters (number), replicas (0 or 1 for each), password, lines (of each server's file), tls (of serverTls)}. Settled
 * when it is returned. */
async function cluster(t, { masters = 3, replicas = 1, password, lines = [], tls } = {}) {
  const servers = [];
  for (let i = 0; i < masters * (1 + replicas); i++) {
    const server = new Server(t, 'redis', ['cluster-enabled yes', `cluster-node-timeout ${NODE_TIMEOUT}`, 'cluster-require-full-coverage no',
      'repl-diskless-sync-delay 0', 'repl-ping-replica-period 1', 'repl-backlog-ttl 0',
      ...(password ? [`requirepass ${password}`, `masterauth ${password}`] : []), ...(tls ? ['tls-cluster yes'] : []), ...lines],
    { port: await freePort(BUS), tls });
    server.password = password;
    servers.push(await server.start());
  }
  const group = new Cluster(servers.slice(0, masters), servers.slice(masters));
  for (const [i, server] of servers.entries()) {
    await server.command('CLUSTER', 'SET-CONFIG-EPOCH', i + 1);
    if (i < masters) {
      await server.command('CLUSTER', 'ADDSLOTSRANGE', Math.floor((i * SLOTS) / masters), Math.floor(((i + 1) * SLOTS) / masters) - 1);
    }
    if (i > 0) await server.command('CLUSTER', 'MEET', '127.0.0.1', servers[0].port);
  }
  await eventually(async () => (await Promise.all(servers.map((s) => s.command('CLUSTER', 'NODES'))))
    .every((text) => text.trim().split('\n').length === servers.length && !/handshake/.test(text)), 'all have met');
  for (const [i, replica] of group.replicas.entries()) {
    await replica.command('CLUSTER', 'REPLICATE', await servers[i].command('CLUSTER', 'MYID'));
  }
  await group.settled();
  await group.layOut();
  return group;
}

module.exports = { NODE_TIMEOUT, cluster, shardOf, slotOf };

'use strict';
/* The store is a Redis Cluster: found through one node, failed over, slots moved. */
const assert = require('node:assert');
const { test } = require('node:test');
const h = require('./harness');

const LEASE = 3000 * h.SLOW;

function config(redis, more = {}) {
  return {
    default: { lockTtl: '120s', heartbeatInterval: '40s', gracePeriod: h.ms(8000) },
    ...more,
    ops: { readyGrace: '100ms' },
    redis: { lease: `${LEASE}ms`, commandTimeout: h.ms(1000), ...redis },
  };
}
const start = (t, redis, more) => h.lockDaemon(t, { redis: null, config: config(redis, more) });
const seeds = (...servers) => ({ cluster: { nodes: servers.map((s) => s.address) } });

/* A resource of this shard, under a name of its own. */
function resourceIn(shard, name = 'in') {
  for (let i = 0; ; i++) {
    const resourceId = `document:${name}-${i}:main`;
    if (h.shardOf(resourceId) === shard) return resourceId;
  }
}

async function shardsOf(group, server) {
  const shards = [];
  for (let n = 0; n < 16; n++) {
    if (await group.owner(h.slotOf(n)) === server) shards.push(n);
  }
  return shards;
}

/* Locks in every shard, each known to the other instance too. */
async function everyShard(a, b) {
  const [ann, bob] = [await h.person(a, 'ann'), await h.person(b, 'bob')];
  for (let shard = 0; shard < 16; shard++) {
    const resourceId = resourceIn(shard);
    await h.view(bob, resourceId);
    const { token } = await h.take(ann, resourceId);
    await bob.waitFor('lock:state', (data) => data.resourceId === resourceId && data.lock.state === 'held');
    await h.settled(ann, 'lock:release', { resourceId, token });
    await bob.waitFor('lock:released', (data) => data.resourceId === resourceId);
  }
}

test('found', { concurrency: 2 }, async (t) => {
  await h.together(t, {
    'through one seed, which is a replica, and another that is away: locks and events in every shard': async (st) => {
      const group = await h.cluster(st);
      const away = { address: `127.0.0.1:${await h.freePort()}` };
      const daemons = [await start(st, seeds(away, group.replicas[2]), { instance: 'one' }), await start(st, seeds(group.masters[1]), { instance: 'two' })];
      await daemons[0].waitForLog(new RegExp(`cluster_node_failed node=${away.address} problem="Connection refused"`));
      await everyShard(...daemons);
      for (const master of group.masters) assert.ok((await shardsOf(group, master)).length > 1, 'shards are spread');
      assert.strictEqual(await daemons[0].metric('wslock_shard_moves_total'), 0);
      await h.checkAll(...daemons);
    },

    'by a redis.url that leads to one of its nodes; with a password': async (st) => {
      const group = await h.cluster(st, { password: 'of-redis' });
      const url = (server) => ({ url: `redis://:of-redis@127.0.0.1:${server.port}/0` });
      const daemons = [await start(st, url(group.masters[2]), { instance: 'one' }), await start(st, url(group.replicas[0]), { instance: 'two' })];
      await everyShard(...daemons);
      await h.checkAll(...daemons);
    },
  });
});

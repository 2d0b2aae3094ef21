'use strict';
/* The store is a Redis Cluster: found through one node, failed over, slots moved. */
const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
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

/* The daemon does not become ready, ends with exit 3, and says why. */
async function unreachable(t, redis, pattern) {
  const d = await h.newDaemon(t, { redis: null, config: config({ ...redis, startTimeout: '2s' }) });
  const began = Date.now();
  d.spawn();
  assert.deepStrictEqual(await d.end(), { code: 3, signal: null }, d.tail());
  assert.ok(Date.now() - began >= 2000, 'not before redis.startTimeout');
  assert.match(d.log.find((line) => line.startsWith('store_unreachable ')) || d.tail(), pattern);
}

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

/* The user wslock has the rights that docs/operations.md names. Returns a function: `redis` of a configuration, through one server. */
async function withRights(group) {
  const text = fs.readFileSync(path.join(h.ROOT, 'docs/operations.md'), 'utf8');
  const rights = /^ACL SETUSER wslock on >PASSWORD (.*)$/m.exec(text)[1].split(' ');
  const more = /^ {2}node, and (`.*`)\.$/m.exec(text)[1].match(/\+[a-z|]+/g);
  for (const server of group.servers) await server.command('ACL', 'SETUSER', 'wslock', 'on', '>of-wslock', ...rights, ...more);
  return (server, redis) => ({ url: `redis://wslock:of-wslock@127.0.0.1:${server.port}/0`, ...redis });
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

    'by a redis.url that leads to one of its nodes, as a user with the rights that docs/operations.md names': async (st) => {
      const group = await h.cluster(st, { password: 'of-redis' });
      const url = await withRights(group);
      const daemons = [await start(st, url(group.masters[2]), { instance: 'one' }), await start(st, url(group.replicas[0]), { instance: 'two' })];
      await everyShard(...daemons);
      await h.checkAll(...daemons);
      await unreachable(st, { url: `redis://wslock:of-wslock@127.0.0.1:${group.masters[0].port}/3` }, /SELECT: (NOPERM|ERR SELECT is not allowed in cluster mode)/);
      await unreachable(st, { url: `redis://:of-redis@127.0.0.1:${group.masters[0].port}/3` }, /SELECT: ERR SELECT is not allowed in cluster mode/);
    },
  });
});

/* ---- failures under traffic ---- */

/* Traffic on a shard of this master and on one of another; holders on both. */
async function trafficOn(t, group, daemons, master) {
  const [here] = await shardsOf(group, master);
  const [elsewhere] = await shardsOf(group, group.masters.find((m) => m !== master));
  const run = await h.traffic(t, daemons, {
    shared: [resourceIn(here, 'shared'), resourceIn(elsewhere, 'shared')],
    own: (i, n) => resourceIn(n === 1 ? here : elsewhere, `own-${i}-${n}`),
  });
  return { run, slot: h.slotOf(here), here, elsewhere };
}

const recovered = (run, times = 1) => Promise.all(run.everyone.map((client) => h.eventually(
  () => client.received('system:recovered').length >= times, 'the store is back')));

test('a failover', { concurrency: 2 }, async (t) => {
  await h.together(t, {
    'kill -9 of a master under traffic: no lock is lost, the other shards are served all the time; it comes back as a replica': async (st) => {
      const group = await h.cluster(st);
      const daemons = [await start(st, seeds(group.masters[0]), { instance: 'one' }), await start(st, seeds(...group.servers), { instance: 'two' })];
      const [old] = group.masters; // the first seed
      const { run, slot } = await trafficOn(st, group, daemons, old);
      await old.kill();
      const next = await group.switched(slot, old);
      await recovered(run);
      await run.granted(5);
      const [longest, elsewhere] = await h.judgeTraffic(run, daemons);
      for (const [i, { client }] of run.holders.entries()) { // the second of each instance is in a shard of another master
        assert.strictEqual(client.received('system:degraded')[0].data.confirmedUntil === null, i % 2 === 1);
      }
      st.diagnostic(`kill -9: ${longest} ms without grants in its shards, ${elsewhere} ms in others, node timeout ${h.NODE_TIMEOUT} ms`);
      assert.ok(elsewhere < 1000 * h.SLOW, `${elsewhere} ms without grants in other shards`);
      for (const d of daemons) await d.waitForLog(new RegExp(`shard_moved shard=\\d+ host=127.0.0.1 port=${next.port}`));
      await old.start();
      await group.settled();
      await everyShard(...daemons);
      assert.ok(!/ name=wslockd:\w+(:feed)? /.test(await old.command('CLIENT', 'LIST')), 'the replica is not used');
      await h.checkAll(...daemons);
    },

    'a master that hangs and comes back after its replica was promoted': async (st) => {
      const group = await h.cluster(st);
      const daemons = [await start(st, seeds(group.masters[2]), { instance: 'one' }), await start(st, seeds(...group.servers), { instance: 'two' })];
      const [, , old] = group.masters;
      const { run, slot } = await trafficOn(st, group, daemons, old);
      old.pause();
      await group.switched(slot, old);
      await recovered(run);
      old.resume();
      await group.settled();
      await run.granted(5);
      const [longest, elsewhere] = await h.judgeTraffic(run, daemons);
      st.diagnostic(`SIGSTOP: ${longest} ms without grants in its shards, ${elsewhere} ms in others`);
      assert.ok(elsewhere < 1000 * h.SLOW, `${elsewhere} ms without grants in other shards`);
    },

    'CLUSTER FAILOVER, which an operator asks for': async (st) => {
      const group = await h.cluster(st);
      const daemons = [await start(st, seeds(group.masters[0]), { instance: 'one' }), await start(st, seeds(group.masters[1]), { instance: 'two' })];
      const [, old] = group.masters;
      const { run, slot } = await trafficOn(st, group, daemons, old);
      await group.replicas[1].command('CLUSTER', 'FAILOVER');
      assert.strictEqual(await group.switched(slot, old), group.replicas[1]);
      await recovered(run);
      await run.granted(5);
      const [longest, elsewhere] = await h.judgeTraffic(run, daemons);
      st.diagnostic(`CLUSTER FAILOVER: ${longest} ms without grants in its shards, ${elsewhere} ms in others`);
      assert.ok(elsewhere < 1000 * h.SLOW, `${elsewhere} ms without grants in other shards`);
    },
  });
});

test('a slot that moves, and nodes that are away', { concurrency: 2 }, async (t) => {
  await h.together(t, {
    'a slot moved under traffic: nobody is denied wrongly, no lock is lost, tokens rise': async (st) => {
      const group = await h.cluster(st);
      const daemons = [await start(st, seeds(group.masters[0]), { instance: 'one' }), await start(st, seeds(group.masters[1]), { instance: 'two' })];
      const { run, slot, here } = await trafficOn(st, group, daemons, group.masters[0]);
      await group.moveSlot(slot, group.masters[2]);
      await recovered(run);
      await run.granted(5);
      await group.moveSlot(slot, group.masters[0]);
      await recovered(run, 2);
      await run.granted(5);
      const [longest, elsewhere] = await h.judgeTraffic(run, daemons);
      st.diagnostic(`SETSLOT: ${longest} ms without grants in its shard, ${elsewhere} ms in others`);
      assert.ok(elsewhere < 1000 * h.SLOW, `${elsewhere} ms without grants in other shards`);
      for (const d of daemons) {
        assert.strictEqual(await d.metric('wslock_shard_moves_total'), 2);
        const moved = d.log.filter((line) => line.startsWith('shard_moved '));
        assert.deepStrictEqual(moved.map((line) => Number(/shard=(\d+)/.exec(line)[1])), [here, here]);
      }
    },

    'a slot between two masters: no call does a half of what it should, and nothing is lost': async (st) => {
      const group = await h.cluster(st);
      const daemons = [await start(st, seeds(group.masters[0]), { instance: 'one' }), await start(st, seeds(group.masters[1]), { instance: 'two' })];
      const [ann, bob] = [await h.person(daemons[0], 'ann'), await h.person(daemons[1], 'bob')];
      const resourceId = resourceIn(3);
      const lock = `{wslock:3}:lock:${resourceId}`;
      await h.view(bob, resourceId);
      const first = await h.take(ann, resourceId);
      await h.settled(ann, 'lock:release', { resourceId, token: first.token });
      const { token } = await h.take(ann, resourceId);
      // All keys that a release names are still there, and what it writes last is not.
      const from = await group.owner(h.slotOf(3));
      let finish;
      const moved = group.moveSlot(h.slotOf(3), group.masters.find((m) => m !== from), {
        isFirst: (key) => /:(events|audit)$/.test(key), midway: new Promise((resolve) => { finish = resolve; }),
      });
      await h.eventually(async () => (await from.command('CLUSTER', 'GETKEYSINSLOT', h.slotOf(3), 100)).every((key) => !key.endsWith(':audit')));
      await h.refused(ann, 'lock:release', { resourceId, token }, 'BACKEND_UNAVAILABLE');
      assert.strictEqual(await from.command('EXISTS', lock), 1);
      finish();
      await moved;
      assert.strictEqual((await h.settled(ann, 'lock:heartbeat', { resourceId, token })).data.token, token);
      assert.strictEqual((await h.settled(ann, 'lock:release', { resourceId, token })).event, 'lock:released');
      await bob.waitFor('lock:released', (data) => data.rev > token);
      await h.checkAll(...daemons);
    },

    'a slot whose move was broken off when all keys had gone: it is served where they are (ASK), also by a daemon that starts then; it is finished, or cancelled': async (st) => {
      const group = await h.cluster(st);
      const url = await withRights(group);
      const daemons = [await start(st, url(group.masters[0]), { instance: 'one' }), await start(st, url(group.masters[1], { waitReplicas: 1 }), { instance: 'two' })];
      const [ann, bob] = [await h.person(daemons[0], 'ann'), await h.person(daemons[1], 'bob')];
      const slot = h.slotOf(3);
      const resourceId = resourceIn(3);
      await h.view(bob, resourceId);
      const { token } = await h.take(ann, resourceId);
      const from = await group.owner(slot);
      const to = group.masters.find((m) => m !== from);
      /* Grants on both instances, their events on the other one, and the lock from the beginning. */
      const works = async (...clients) => {
        for (const [i, client] of clients.entries()) {
          const another = resourceIn(3, `works-${Math.random().toString(36).slice(2, 8)}`);
          const watcher = clients[(i + 1) % clients.length];
          for (const viewer of [watcher, client]) assert.strictEqual((await h.settled(viewer, 'resource:join', { resourceId: another })).event, 'resource:joined');
          await h.settled(client, 'lock:acquire', { resourceId: another });
          await watcher.waitFor('lock:state', (data) => data.resourceId === another && data.lock.state === 'held');
          await h.settled(client, 'lock:release', { resourceId: another });
          await watcher.waitFor('lock:released', (data) => data.resourceId === another);
        }
        assert.strictEqual((await h.settled(ann, 'lock:heartbeat', { resourceId, token })).data.token, token);
      };
      const keys = (server) => server.command('CLUSTER', 'COUNTKEYSINSLOT', slot);
      await group.moveSlot(slot, to, { stays: true });
      await works(ann, bob);
      daemons.push(await start(st, url(from), { instance: 'three' }));
      await works(ann, bob, await h.person(daemons[2], 'carl'));
      assert.strictEqual(await group.owner(slot), from, 'the slot was not given to the other master');
      assert.deepStrictEqual([await keys(from), await keys(to) > 0], [0, true]);
      for (const d of daemons.slice(0, 2)) await d.waitForLog(new RegExp(`shard_moved shard=3 host=127.0.0.1 port=${to.port}`));
      const degraded = () => bob.received('system:degraded').length;
      const before = degraded();
      await group.endMove(slot, from, to);
      const asked = async () => /cmdstat_asking:calls=(\d+)/.exec(await to.command('INFO', 'commandstats'))[1];
      await h.eventually(async () => {
        const first = await asked();
        await works(ann, bob);
        return await asked() === first;
      }, 'ASKING is sent no more');
      assert.strictEqual(degraded(), before, 'the end of the move disturbs nobody');
      await group.moveSlot(slot, from, { stays: true });
      await works(ann, bob);
      const moves = daemons.map((d) => () => d.log.filter((line) => line.startsWith(`shard_moved shard=3 host=127.0.0.1 port=${to.port}`)).length);
      const movesBefore = moves.map((count) => count());
      await group.cancelMove(slot, to, from, () => h.eventually(() => moves.every((count, i) => count() > movesBefore[i]), 'all have gone back'));
      await works(ann, bob);
      assert.deepStrictEqual([await group.owner(slot), await keys(from), await keys(to) > 0], [to, 0, true]);
      await h.checkAll(...daemons);
    },

    'all nodes are down at the start: exit 3 after redis.startTimeout, and why; a plain Redis is no cluster': async (st) => {
      const ports = [await h.freePort(), await h.freePort()];
      await unreachable(st, seeds(...ports.map((port) => ({ address: `127.0.0.1:${port}` }))),
        new RegExp(`no node tells where the slots are: 127\\.0\\.0\\.1:${ports[0]}: Connection refused; 127\\.0\\.0\\.1:${ports[1]}: Connection refused`));
      const redis = await h.redis(st, { tcp: true });
      await unreachable(st, seeds({ address: `127.0.0.1:${redis.port}` }), /no node tells where the slots are: .*: ERR This instance has cluster support disabled/);
    },

    'a slot without a master: its shard is away, also at a start; the others are served': async (st) => {
      const group = await h.cluster(st, { replicas: 0 });
      const d = await start(st, seeds(group.masters[0]));
      const [ann, bob] = [await h.person(d, 'ann'), await h.person(d, 'bob')];
      const [shard, next] = await shardsOf(group, group.masters[1]);
      const slot = h.slotOf(shard);
      const { token } = await h.take(ann, resourceIn(shard));
      for (const server of group.servers) await server.command('CLUSTER', 'DELSLOTS', slot);
      await ann.waitFor('system:degraded');
      for (const each of [next, (await shardsOf(group, group.masters[2]))[0]]) await h.take(bob, resourceIn(each));
      await unreachable(st, seeds(group.masters[0]), new RegExp(`the slot of shard ${shard} has no master`));
      await group.masters[1].command('CLUSTER', 'ADDSLOTS', slot);
      await ann.waitFor('system:recovered');
      const beat = await h.settled(ann, 'lock:heartbeat', { resourceId: resourceIn(shard), token });
      assert.deepStrictEqual([beat.event, beat.data.token], ['lock:renewed', token]);
      await h.checkAll(d);
    },

    'all nodes go and come back: the store is away, and found again': async (st) => {
      const group = await h.cluster(st, { replicas: 0, lines: ['appendonly yes'] });
      const d = await start(st, seeds(...group.masters));
      const ann = await h.person(d, 'ann');
      const resourceId = resourceIn(3);
      const { token } = await h.take(ann, resourceId);
      await Promise.all(group.servers.map((s) => s.kill()));
      await ann.waitFor('system:degraded');
      for (const server of group.servers) await server.start();
      await ann.waitFor('system:recovered');
      assert.strictEqual((await h.settled(ann, 'lock:heartbeat', { resourceId, token })).event, 'lock:renewed');
      await h.checkAll(d);
    },
  });
});

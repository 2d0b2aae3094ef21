'use strict';
/* redis.waitReplicas: a grant is told when so many replicas have it, and a failover to one of them loses none. */
const assert = require('node:assert');
const { test } = require('node:test');
const h = require('./harness');

const TIMEOUT = 1000 * h.SLOW;
const DOC = 'document:1:main';

function config(redis, more = {}) {
  return {
    auth: { adminRoles: ['lock-admin'] }, ...more,
    default: { lockTtl: '120s', heartbeatInterval: '40s', gracePeriod: h.ms(8000), upgrade: 'queue', takeover: 'immediate', ...more.default },
    ops: { readyGrace: '100ms' },
    redis: { lease: h.ms(3000), commandTimeout: `${TIMEOUT}ms`, ...redis, ...more.redis },
  };
}

const start = (t, redis, more) => h.lockDaemon(t, { redis: null, config: config(redis, more) });
const at = (server) => ({ url: `redis://127.0.0.1:${server.port}/0` });
/* What the clients have been told about who has the lock. */
const told = (client, resourceId = DOC) => client.frames.filter((f) => f.dir === 'in' && f.message.data?.resourceId === resourceId)
  .map((f) => f.message).filter((m) => m.event === 'lock:acquired' || m.data.lock?.state === 'held' || m.data.holder);

async function unknown(client, event, data) {
  const began = performance.now();
  const answer = await client.request(event, data);
  assert.deepStrictEqual([answer.event, answer.data.code], ['error', 'BACKEND_UNAVAILABLE'], JSON.stringify(answer));
  assert.ok(performance.now() - began < 2.5 * TIMEOUT, 'within the limit');
}

test('a replica that stands still', { concurrency: 2 }, async (t) => {
  await h.together(t, {
    'an acquire has no known outcome, nobody is told a holder; it goes on when the replica does': async (st) => {
      const [master, , second] = await h.replicated(st, { replicas: 2 });
      const daemons = [await start(st, at(master), { instance: 'one', redis: { waitReplicas: 2 } }), await start(st, at(master), { instance: 'two', redis: { waitReplicas: 2 } })];
      const ann = await h.person(daemons[0], 'ann');
      const bob = await h.person(daemons[0], 'bob');
      const cy = await h.person(daemons[1], 'cy');
      for (const client of [ann, bob, cy]) await h.view(client, DOC);
      second.pause();
      await unknown(ann, 'lock:acquire', { resourceId: DOC });
      for (const client of [ann, bob, cy]) assert.deepStrictEqual(told(client), [], client.options.user);
      assert.ok(await master.command('EXISTS', `{wslock:${await shardOf(master, DOC)}}:lock:${DOC}`), 'it was granted');
      assert.ok(!ann.received('lock:denied').length);
      const dan = await h.person(daemons[1], 'dan');
      await dan.request('resource:join', { resourceId: DOC }); // refused or unknown; a snapshot would name the holder
      assert.deepStrictEqual(told(dan), []);
      second.resume();
      const { event, data } = await h.settled(ann, 'lock:acquire', { resourceId: DOC });
      assert.strictEqual(event, 'lock:acquired');
      for (const client of [bob, cy]) await h.eventually(async () => (await h.status(client, DOC)).token === data.token || (await h.status(client, DOC)).state === 'held', 'the others see it');
      await h.checkAll(...daemons);
    },

    'locks that are held are renewed meanwhile, and viewers come and go': async (st) => {
      const [master, replica] = await h.replicated(st);
      const d = await start(st, at(master), { redis: { waitReplicas: 1 } });
      const ann = await h.person(d, 'ann');
      const { token } = await h.take(ann, DOC);
      replica.pause();
      const bob = await h.person(d, 'bob');
      for (let i = 0; i < 8; i++) {
        await ann.expect('lock:heartbeat', { resourceId: DOC, token, dirty: i % 2 === 0 }, 'lock:renewed');
        await h.view(bob, 'document:2');
        await bob.expect('resource:leave', { resourceId: 'document:2' }, 'resource:left');
      }
      assert.strictEqual(ann.received('system:degraded').length, 0);
      replica.resume();
      await h.checkAll(d);
    },

    'too few are connected: a warning, also when they go; none is needed to say so': async (st) => {
      const [master, replica] = await h.replicated(st);
      const d = await start(st, at(master), { redis: { waitReplicas: 2 } });
      await d.waitForLog(/store_replicas_too_few connected=1 wanted=2/);
      const e = await start(st, at(master), { redis: { waitReplicas: 1 } });
      const ann = await h.person(e, 'ann');
      await h.take(ann, DOC);
      await replica.kill();
      await e.waitForLog(/store_replicas_too_few connected=0 wanted=1/);
      await h.view(ann, 'document:2');
      await unknown(ann, 'lock:acquire', { resourceId: 'document:2' });
      await replica.start();
      await e.waitForLog(/store_replicas_enough connected=1 wanted=1/);
      assert.strictEqual((await h.settled(ann, 'lock:acquire', { resourceId: 'document:2' })).event, 'lock:acquired');
      await h.checkAll(e);
    },
  });
});

async function shardOf(server, resourceId) {
  const [key] = (await server.command('KEYS', `*:lock:${resourceId}`));
  return /:(\d+)}/.exec(key)[1];
}

test('the master dies under grants, moves and takeovers: none that was told is lost', async (t) => {
  const group = await h.sentinelGroup(t, { replicas: 1, sentinels: 1 });
  const more = { redis: { waitReplicas: 1 }, default: { gracePeriod: '60s' }, limits: { messagesPerSecond: 1000, messageBurst: 2000, maxRoomsPerConnection: 1000 } };
  const daemons = [await start(t, { sentinel: group.config }, { instance: 'one', ...more }), await start(t, { sentinel: group.config }, { instance: 'two', ...more })];
  const [ann, bob] = [await h.person(daemons[0], 'ann'), await h.person(daemons[1], 'bob')];
  const root = await h.person(daemons[1], 'root', { roles: ['lock-admin'] });
  // A lock that moved to a waiter, and one that an administrator took.
  const first = await h.take(ann, 'document:moved');
  await h.view(bob, 'document:moved');
  await bob.expect('lock:acquire', { resourceId: 'document:moved' }, 'lock:queued');
  await ann.expect('lock:release', { resourceId: 'document:moved' }, 'lock:released');
  await bob.waitFor('lock:your_turn');
  const moved = await bob.expect('lock:claim', { resourceId: 'document:moved' }, 'lock:acquired');
  assert.ok(moved.token > first.token);
  await h.take(ann, 'document:taken');
  await h.view(root, 'document:taken');
  const taken = await root.expect('lock:takeover', { resourceId: 'document:taken', reason: 'urgent' }, 'lock:acquired');
  await ann.waitFor('lock:lost');
  // Grants follow each other until the master is gone.
  const own = [];
  let going = true;
  const granting = (async () => {
    for (let i = 0; going && i < 500; i++) {
      const resourceId = `document:own-${i}`;
      await ann.request('resource:join', { resourceId });
      const { event, data } = await ann.request('lock:acquire', { resourceId });
      if (event === 'lock:acquired') own.push({ resourceId, token: data.token });
    }
  })();
  await h.eventually(() => own.length > 5, 'some grants');
  const old = await group.master();
  await old.kill();
  const next = await group.switched(old);
  going = false;
  await granting;
  const kept = await next.command('KEYS', '*:lock:document:own-*');
  for (const { resourceId } of own) assert.ok(kept.some((key) => key.includes(`:lock:${resourceId}:`)), `${resourceId} is on the replica`);
  // It has none of its own now: waitReplicas cannot be met until the other is back.
  await group.comesBack(old);
  for (const client of [bob, root]) await client.waitFor('system:recovered');
  assert.deepStrictEqual(await h.settled(bob, 'lock:heartbeat', { resourceId: 'document:moved', token: moved.token }).then((r) => r.event), 'lock:renewed');
  assert.deepStrictEqual(await h.settled(root, 'lock:heartbeat', { resourceId: 'document:taken', token: taken.token }).then((r) => r.event), 'lock:renewed');
  for (const client of [bob, root]) assert.strictEqual(client.received('lock:lost').length, 0);
  await h.checkAll(...daemons);
});

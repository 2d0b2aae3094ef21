'use strict';
/* A store that comes back without its last writes, while some of those who know better are silent. */
const assert = require('node:assert');
const { test } = require('node:test');
const h = require('./harness');

const LEASE = 3000 * h.SLOW;
const GRACE = 6000 * h.SLOW;

function config(instance, more = {}) {
  return {
    instance,
    default: { lockTtl: '120s', heartbeatInterval: '40s', gracePeriod: `${GRACE}ms` },
    resourceTypes: { waited: { upgrade: 'queue' } },
    ...more,
    redis: { lease: `${LEASE}ms`, commandTimeout: h.ms(500), ...more.redis },
  };
}

async function settled(client, event, data, done = () => true) {
  for (const end = Date.now() + h.TIMEOUT; ;) {
    const reply = await client.request(event, data);
    const wait = reply.data.reason === 'RECOVERING' || reply.data.code === 'BACKEND_UNAVAILABLE';
    if (!wait && done(reply)) return reply;
    assert.ok(Date.now() < end, `still ${JSON.stringify(reply)}`);
    await new Promise((resolve) => { setTimeout(resolve, 100); });
  }
}

async function pairScene(t, name) {
  const stores = await h.laggingPair(t);
  const one = await h.lockDaemon(t, { redis: stores, config: config('one', { redis: stores.redis }) });
  const two = await h.lockDaemon(t, { redis: stores, config: config('two', { redis: stores.redis }) });
  const ann = await h.person(one, `${name}-ann`);
  const bob = await h.person(two, `${name}-bob`);
  return { ...stores, one, two, ann, bob };
}

/* Ann has the lock after Bob, who has released it, which the replica does not know. Her daemon stands still while his
   reports; `broken`: and her connection broke while the store was away. */
async function laterHolder(t, name, broken) {
  const s = await pairScene(t, name);
  const resourceId = `document:${name}:main`;
  await h.take(s.bob, resourceId);
  await h.view(s.ann, resourceId);
  await s.fallBehind(1);
  await s.bob.expect('lock:release', { resourceId }, 'lock:released');
  const { token } = await s.ann.expect('lock:acquire', { resourceId }, 'lock:acquired');
  await s.bob.waitFor('lock:state', (x) => x.cause === 'ACQUIRED' && x.lock.holder.userId === `${name}-ann`);
  if (broken) {
    await s.away();
    await s.ann.waitFor('system:degraded');
    await s.ann.terminate();
    await s.one.waitForAudit((a) => a.action === 'SESSION_CLOSED');
  }
  s.one.signal('SIGSTOP');
  try {
    await s.failOver();
    await s.bob.waitFor('system:recovered'); // his daemon has reported
  } finally {
    s.one.signal('SIGCONT');
  }
  return { ...s, resourceId, token };
}

/* Bob has the lock after Ann, saves under a higher token, and gives it back. */
async function bobSaves(bob, resourceId) {
  const { data } = await settled(bob, 'lock:acquire', { resourceId }, (reply) => reply.event === 'lock:acquired');
  await bob.expect('lock:release', { resourceId, revision: 'bob-1' }, 'lock:released');
  return data.token;
}

/* Long before its TTL, which is 120 s, and the grace are over. */
async function bobGets(bob, resourceId, above) {
  const { data } = await settled(bob, 'lock:acquire', { resourceId }, (reply) => reply.event === 'lock:acquired');
  assert.ok(data.token > above, 'a token above all that were seen');
  return data;
}

test('a store without its last writes', { concurrency: 8 }, async (t) => {
  await h.together(t, {
    'the replica still has a lock that was released: it is not valid, its owner is told nothing and gets no old token': async (st) => {
      const s = await pairScene(st, 'released');
      const r = 'document:released:main';
      const { token } = await h.take(s.ann, r);
      await h.view(s.bob, r);
      await s.fallBehind(1);
      await s.ann.expect('lock:release', { resourceId: r, revision: 'ann-1' }, 'lock:released');
      const higher = await bobSaves(s.bob, r);
      await s.failOver();
      const next = await bobGets(s.bob, r, higher);
      assert.strictEqual(next.previous.revision, 'bob-1', JSON.stringify([next.previous, higher, token, s.bob.received('lock:state')]));
      assert.strictEqual(s.ann.received('lock:lost').length, 0, 'she had released it');
      const late = await settled(s.ann, 'lock:heartbeat', { resourceId: r, token });
      assert.strictEqual(late.event, 'lock:lost');
      await s.bob.expect('lock:release', { resourceId: r }, 'lock:released');
      const mine = await s.ann.expect('lock:acquire', { resourceId: r }, 'lock:acquired');
      assert.ok(mine.token > next.token);
      await h.checkAll(s.one, s.two);
    },

    'the replica still has a lock whose owner released it and left': async (st) => {
      const s = await pairScene(st, 'left');
      const r = 'document:left:main';
      const { token } = await h.take(s.ann, r);
      await s.fallBehind(1);
      await s.ann.expect('lock:release', { resourceId: r }, 'lock:released');
      await s.ann.close(1000);
      await s.failOver();
      await h.view(s.bob, r).catch(() => settled(s.bob, 'resource:join', { resourceId: r }));
      await bobGets(s.bob, r, token);
      await h.checkAll(s.one, s.two);
    },

    'the replica still has a lock whose owner’s daemon is gone for good: who was in the room knows that it has ended': async (st) => {
      const s = await pairScene(st, 'witness');
      const r = 'document:witness:main';
      await h.take(s.ann, r);
      await h.view(s.bob, r);
      await s.fallBehind(1);
      await s.ann.expect('lock:release', { resourceId: r }, 'lock:released');
      const higher = await bobSaves(s.bob, r);
      await s.one.kill();
      await s.failOver();
      await bobGets(s.bob, r, higher);
      await h.checkAll(s.two);
    },

    'the replica has an earlier lock, and an instance reports first that knows no more of it: the later holder keeps hers': async (st) => {
      const s = await laterHolder(st, 'later', false);
      const beat = await settled(s.ann, 'lock:heartbeat', { resourceId: s.resourceId, token: s.token });
      assert.deepStrictEqual([beat.event, beat.data.token], ['lock:renewed', s.token]);
      assert.strictEqual(s.ann.received('lock:lost').length, 0);
      assert.strictEqual((await settled(s.bob, 'lock:acquire', { resourceId: s.resourceId })).data.reason, 'HELD');
      await h.checkAll(s.one, s.two);
    },

    'the same where her connection broke while the store was away, and she comes back': async (st) => {
      const s = await laterHolder(st, 'back', true);
      const back = await s.one.client(s.ann.options);
      await settled(back, 'resource:join', { resourceId: s.resourceId });
      const { answer } = await h.edit(back, s.resourceId, { token: s.token });
      assert.deepStrictEqual([answer.event, answer.data.token, answer.data.resumed], ['lock:acquired', s.token, true]);
      assert.strictEqual((await settled(s.bob, 'lock:acquire', { resourceId: s.resourceId })).data.reason, 'HELD');
      await h.checkAll(s.one, s.two);
    },

    'the replica has a lock in grace that somebody has had since: its owner comes back and does not get the old token': async (st) => {
      const s = await pairScene(st, 'grace');
      const r = 'document:grace:main';
      const { token } = await h.take(s.ann, r);
      await h.view(s.bob, r);
      await s.ann.terminate();
      await s.bob.waitFor('lock:state', (x) => x.cause === 'GRACE_STARTED');
      await s.fallBehind(1);
      await s.bob.waitFor('lock:released', (x) => x.reason === 'GRACE_PERIOD_EXPIRED');
      const higher = await bobSaves(s.bob, r);
      await s.failOver();
      const back = await s.one.client(s.ann.options);
      await settled(back, 'resource:join', { resourceId: r, mode: 'editor', token });
      const { data } = await settled(back, 'lock:acquire', { resourceId: r }, (reply) => reply.event === 'lock:acquired');
      assert.ok(data.token > higher, JSON.stringify(data));
      for (const event of ['lock:acquired', 'lock:renewed']) {
        assert.ok(back.received(event).every((m) => m.data.token > higher), `${event} under an old token`);
      }
      await h.checkAll(s.one, s.two);
    },

    'emptied while the holder’s daemon is silent, which then comes back: the lock is still there': async (st) => {
      const redis = await h.redis(st, {});
      await h.layOut(redis);
      const one = await h.lockDaemon(st, { redis, config: config('one') });
      const two = await h.lockDaemon(st, { redis, config: config('two') });
      const r = 'document:silent:main';
      const ann = await h.person(one, 'silent-ann');
      const bob = await h.person(two, 'silent-bob');
      const { token } = await h.take(ann, r);
      await h.view(bob, r);
      await new Promise((resolve) => { setTimeout(resolve, LEASE / 2); }); // a renewal by which two knows of one
      one.signal('SIGSTOP');
      try {
        await redis.command('FLUSHALL');
        const began = performance.now();
        while (performance.now() - began < 4000 * h.SLOW) { // a window used to be closed after 3 s
          const reply = await bob.request('lock:acquire', { resourceId: r });
          assert.ok(reply.event === 'error' || reply.data.reason === 'RECOVERING', JSON.stringify(reply));
          await new Promise((resolve) => { setTimeout(resolve, 200); });
        }
      } finally {
        one.signal('SIGCONT');
      }
      assert.strictEqual((await settled(bob, 'lock:acquire', { resourceId: r })).data.reason, 'HELD');
      const beat = await settled(ann, 'lock:heartbeat', { resourceId: r, token });
      assert.deepStrictEqual([beat.event, beat.data.token], ['lock:renewed', token]);
      assert.strictEqual(ann.received('lock:lost').length, 0);
      await h.checkAll(one, two);
    },

    'emptied, and the holder’s daemon does not come back: nobody has the lock before its editor stops believing': async (st) => {
      const redis = await h.redis(st, {});
      await h.layOut(redis);
      const one = await h.lockDaemon(st, { redis, config: config('one') });
      const two = await h.lockDaemon(st, { redis, config: config('two') });
      const r = 'document:killed:main';
      const ann = await h.person(one, 'killed-ann');
      const bob = await h.person(two, 'killed-bob');
      await h.take(ann, r);
      await h.view(bob, r);
      await new Promise((resolve) => { setTimeout(resolve, LEASE / 2); }); // a renewal by which two knows of one
      const answered = await ann.expect('lock:heartbeat', { resourceId: r }, 'lock:renewed').then(() => performance.now());
      await one.kill();
      await redis.command('FLUSHALL');
      await settled(bob, 'lock:acquire', { resourceId: r }, (reply) => reply.event === 'lock:acquired');
      const since = performance.now() - answered;
      assert.ok(since > GRACE, `given away after ${since} ms, when she may still believe in it`);
      await h.checkAll(two);
    },

    'a connection that broke while the store was away, and is back within the grace to an emptied one': async (st) => {
      const redis = await h.redis(st, {});
      await h.layOut(redis);
      const d = await h.lockDaemon(st, { redis, config: config('one', { default: { lockTtl: '120s', heartbeatInterval: '40s', gracePeriod: h.ms(20_000) } }) });
      const r = 'document:broke:main';
      const ann = await h.person(d, 'broke-ann');
      const bob = await h.person(d, 'broke-bob');
      const { token } = await h.take(ann, r);
      const alone = await h.take(ann, 'document:alone:main'); // nobody else is in that room
      await h.view(bob, r);
      await redis.stop('SIGKILL');
      await bob.waitFor('system:degraded');
      await ann.terminate();
      await d.waitForAudit((a) => a.action === 'SESSION_CLOSED');
      await redis.start();
      const back = await d.client(ann.options);
      for (const [resourceId, mine] of [[r, token], ['document:alone:main', alone.token]]) {
        await settled(back, 'resource:join', { resourceId });
        const { answer } = await h.edit(back, resourceId, { token: mine });
        assert.strictEqual(answer.event, 'lock:acquired', JSON.stringify(answer));
        assert.deepStrictEqual([answer.data.token, answer.data.resumed], [mine, true]);
      }
      assert.strictEqual((await settled(bob, 'lock:acquire', { resourceId: r })).data.reason, 'HELD');
      await h.checkAll(d);
    },

    'the same under prompt: the room is asked, and who claims the lock has it': async (st) => {
      const redis = await h.redis(st, {});
      await h.layOut(redis);
      const d = await h.lockDaemon(st, { redis, config: config('one', { default: { disconnect: 'prompt', lockTtl: '120s', heartbeatInterval: '40s', gracePeriod: '60s' } }) });
      const r = 'document:asked:main';
      const ann = await h.person(d, 'asked-ann');
      const bob = await h.person(d, 'asked-bob');
      const { token } = await h.take(ann, r);
      await h.view(bob, r);
      await redis.stop('SIGKILL');
      await bob.waitFor('system:degraded');
      await ann.terminate();
      await d.waitForAudit((a) => a.action === 'SESSION_CLOSED');
      await redis.start();
      await bob.waitFor('lock:holder_disconnected', (x) => x.holder === 'asked-ann');
      const claimed = await settled(bob, 'lock:claim', { resourceId: r });
      assert.strictEqual(claimed.event, 'lock:acquired', JSON.stringify(claimed));
      assert.ok(claimed.data.token > token);
      assert.deepStrictEqual([claimed.data.previous.userId, claimed.data.previous.reason], ['asked-ann', 'CLAIMED']);
      await h.checkAll(d);
    },

    'the same where it does not come back: the grace counts from when it broke': async (st) => {
      const redis = await h.redis(st, {});
      await h.layOut(redis);
      const d = await h.lockDaemon(st, { redis, config: config('one') });
      const r = 'document:stays:main';
      const ann = await h.person(d, 'stays-ann');
      const bob = await h.person(d, 'stays-bob');
      await h.take(ann, r);
      await h.view(bob, r);
      await redis.stop('SIGKILL');
      await bob.waitFor('system:degraded');
      await ann.terminate();
      await d.waitForAudit((a) => a.action === 'SESSION_CLOSED');
      const broke = Date.now();
      await redis.start();
      const told = await bob.waitFor('lock:state', (x) => x.lock.state === 'grace');
      assert.ok(told.data.lock.graceUntil <= broke + GRACE + 50, `in grace until ${told.data.lock.graceUntil - broke} ms after it broke`);
      await bob.waitFor('lock:released', (x) => x.reason === 'GRACE_PERIOD_EXPIRED');
      await h.checkAll(d);
    },

    'out of memory when a dead daemon’s lease ends: nothing is done by halves, and all of it when there is memory again': async (st) => {
      const redis = await h.redis(st, {});
      await h.layOut(redis);
      const one = await h.lockDaemon(st, { redis, config: config('one') });
      const two = await h.lockDaemon(st, { redis, config: config('two') });
      const r = 'waited:memory:main';
      const ann = await h.person(one, 'memory-ann');
      const waiter = await h.person(one, 'memory-waiter');
      const bob = await h.person(two, 'memory-bob');
      await h.take(ann, r);
      assert.strictEqual((await h.edit(waiter, r)).answer.event, 'lock:queued');
      await h.view(bob, r);
      await one.kill();
      await redis.command('CONFIG', 'SET', 'maxmemory', '1');
      await bob.waitFor('system:degraded');
      await new Promise((resolve) => { setTimeout(resolve, LEASE); }); // one's lease ends meanwhile
      await redis.command('CONFIG', 'SET', 'maxmemory', '0');
      await bob.waitFor('system:recovered');
      await bob.waitFor('lock:state', (x) => x.cause === 'GRACE_STARTED');
      await bob.waitFor('lock:released', (x) => x.reason === 'GRACE_PERIOD_EXPIRED');
      await h.eventually(async () => (await redis.keys('*memory*')).every((key) => /:(ended|member|room|lock):/.test(key)), 'no place is left');
      const users = [...await redis.command('HKEYS', (await redis.keys('*member:waited:memory:main'))[0])];
      assert.ok(users.every((id) => id.endsWith(':memory-bob')), users.join());
      assert.strictEqual((await settled(bob, 'lock:acquire', { resourceId: r })).event, 'lock:acquired');
      await h.checkAll(two);
    },
  });
});

'use strict';
/* Somebody sets the clock of the store's machine. */
const assert = require('node:assert');
const { test } = require('node:test');
const h = require('./harness');

const HOUR = 3_600_000;
const TTL = 6000 * h.SLOW;
const GRACE = 5000 * h.SLOW;

function config(more = {}) {
  return {
    default: { lockTtl: `${TTL}ms`, heartbeatInterval: `${TTL / 3}ms`, gracePeriod: `${GRACE}ms` },
    resourceTypes: {
      waited: { upgrade: 'queue', claimWindow: `${GRACE}ms`, lockTtl: '60s', heartbeatInterval: '20s' },
      idle: { idleRelease: h.ms(20_000), lockTtl: '60s', heartbeatInterval: h.ms(10_000) },
    },
    ...more,
    redis: { lease: h.ms(1500), commandTimeout: h.ms(1000) },
  };
}

async function scene(t) {
  const redis = await h.redis(t, { steppable: true });
  await h.layOut(redis);
  const one = await h.lockDaemon(t, { redis, config: config({ instance: 'one' }) });
  const two = await h.lockDaemon(t, { redis, config: config({ instance: 'two' }) });
  return { redis, one, two };
}

/* Keeps its lock by heartbeats in time, and asks again at once where the store did not answer, until stop(). */
function keepAlive(client, resourceId, token) {
  let stopped = false;
  const done = (async () => {
    while (!stopped) {
      const reply = await client.request('lock:heartbeat', { resourceId, token });
      if (reply.data.code !== 'BACKEND_UNAVAILABLE') {
        assert.strictEqual(reply.event, 'lock:renewed', JSON.stringify(reply));
        assert.strictEqual(reply.data.token, token);
        await new Promise((resolve) => { setTimeout(resolve, TTL / 6); });
      }
      await new Promise((resolve) => { setTimeout(resolve, 50); });
    }
  })();
  return { stop: () => { stopped = true; return done; }, done };
}

/* Both have noticed it: log, metric, audit. */
async function noticed(one, two, sign) {
  await one.waitForLog(new RegExp(`store_clock_stepped step_ms=${sign}\\d+`));
  await two.waitForLog(/store_clock_stepped/);
  for (const d of [one, two]) {
    const record = await d.waitForAudit((r) => r.action === 'STORE_RECOVERED' && r.reason === 'CLOCK_STEPPED');
    assert.match(record.detail, sign ? /set back by \d+ ms/ : /set forward by \d+ ms/);
    assert.strictEqual(await d.metric('wslock_store_clock_steps_total'), 1);
    await h.granting(d);
  }
}

test('the clock of the store is set', { concurrency: 4 }, async (t) => {
  await h.together(t, {
    'an hour forward: an editor who keeps the lock alive keeps it, and whose connection is gone keeps the grace': async (st) => {
      const { redis, one, two } = await scene(st);
      const r = 'document:forward';
      const ann = await h.person(one, 'ann');
      const bob = await h.person(two, 'bob');
      const { token } = await h.take(ann, r);
      await h.view(bob, r);
      const beat = keepAlive(ann, r, token);
      const cut = await h.person(one, 'cut');
      const kept = await h.take(cut, 'document:kept');
      const idle = await h.person(one, 'idle');
      await h.take(idle, 'idle:1');
      await cut.terminate();
      await h.eventually(async () => (await h.status(bob, 'document:kept')).state === 'grace', 'in grace');
      redis.setClock(HOUR);
      await noticed(one, two, '');
      const back = await one.client(cut.options);
      const { answer } = await h.edit(back, 'document:kept', { token: kept.token });
      assert.deepStrictEqual([answer.event, answer.data.token, answer.data.resumed], ['lock:acquired', kept.token, true]);
      assert.strictEqual((await h.settled(idle, 'lock:heartbeat', { resourceId: 'idle:1' })).event, 'lock:renewed');
      assert.strictEqual((await h.settled(bob, 'lock:acquire', { resourceId: r })).data.reason, 'HELD');
      await beat.stop();
      for (const c of [ann, idle]) assert.strictEqual(c.received('lock:lost').length, 0);
      // What ended before still ends: nobody keeps this one alive.
      await bob.waitFor('lock:released', (x) => x.reason === 'EXPIRED');
      await h.checkAll(one, two);
    },

    'a few seconds forward, less than a lease: noticed between two renewals': async (st) => {
      const { redis, one, two } = await scene(st);
      const r = 'document:little';
      const ann = await h.person(one, 'ann');
      const { token } = await h.take(ann, r);
      const beat = keepAlive(ann, r, token);
      redis.setClock(2800 * h.SLOW);
      await noticed(one, two, '');
      await beat.stop();
      assert.strictEqual(ann.received('lock:lost').length, 0);
      await h.checkAll(one, two);
    },

    'three steps of less than 2 s between two renewals: noticed together': async (st) => {
      const redis = await h.redis(st, { steppable: true });
      await h.layOut(redis);
      const own = config();
      const d = await h.lockDaemon(st, { redis, config: { ...own, redis: { ...own.redis, lease: h.ms(15_000) } } });
      const ann = await h.person(d, 'ann');
      await h.take(ann, 'document:drift');
      for (const by of [1900, 3800, 5700]) { // an answer comes between them
        redis.setClock(by);
        await ann.request('lock:status', { resourceId: 'document:drift' });
      }
      await d.waitForLog(/store_clock_stepped step_ms=\d+/);
      await h.checkAll(d);
    },

    'an hour forward while the store is away: nobody is told a loss, and the locks go on': async (st) => {
      const redis = await h.redis(st, { steppable: true });
      await h.layOut(redis);
      const long = { default: { lockTtl: '60s', heartbeatInterval: '20s', gracePeriod: '60s' } };
      const one = await h.lockDaemon(st, { redis, config: config(long) });
      const ann = await h.person(one, 'ann');
      const held = [];
      for (let i = 0; i < 24; i++) held.push([`document:away-${i}`, (await h.take(ann, `document:away-${i}`)).token]);
      redis.pause();
      await ann.waitFor('system:degraded');
      redis.setClock(HOUR);
      redis.resume();
      await ann.waitFor('system:recovered');
      await h.granting(one);
      for (const [resourceId, token] of held) {
        const reply = await h.settled(ann, 'lock:heartbeat', { resourceId, token });
        assert.deepStrictEqual([reply.event, reply.data.token], ['lock:renewed', token]);
      }
      assert.deepStrictEqual(ann.received('lock:lost'), []);
      await h.checkAll(one);
    },

    'an hour back and emptied: what happens then is told, also where nobody was': async (st) => {
      const { redis, one, two } = await scene(st);
      const r = 'document:quiet';
      const bob = await h.person(two, 'bob');
      const ann = await h.person(one, 'ann');
      await h.view(ann, r);
      await h.view(bob, r);
      for (const c of [ann, bob]) await c.expect('resource:leave', { resourceId: r }, 'resource:left');
      redis.setClock(-HOUR);
      await redis.command('FLUSHALL');
      await noticed(one, two, '-');
      assert.strictEqual((await h.settled(bob, 'resource:join', { resourceId: r })).event, 'resource:joined');
      await h.settled(ann, 'resource:join', { resourceId: r });
      assert.strictEqual((await h.settled(ann, 'lock:acquire', { resourceId: r })).event, 'lock:acquired');
      await bob.waitFor('lock:state', (x) => x.cause === 'ACQUIRED');
      await h.checkAll(one, two);
    },

    'an hour back: no grace, no turn and no lock lasts longer than it should': async (st) => {
      const { redis, one, two } = await scene(st);
      const bob = await h.person(two, 'bob');
      const ann = await h.person(one, 'ann');
      const token = (await h.take(ann, 'document:back')).token;
      const beat = keepAlive(ann, 'document:back', token);
      for (const r of ['document:grace', 'document:ttl', 'waited:turn']) await h.view(bob, r);
      const cut = await h.person(one, 'cut');
      await h.take(cut, 'document:grace');
      const still = await h.person(one, 'still'); // sends no heartbeat any more
      await h.take(still, 'document:ttl');
      const holder = await h.person(one, 'holder');
      await h.take(holder, 'waited:turn');
      const waiter = await h.person(one, 'waiter');
      assert.strictEqual((await h.edit(waiter, 'waited:turn')).answer.event, 'lock:queued');
      await holder.expect('lock:release', { resourceId: 'waited:turn' }, 'lock:released');
      await waiter.waitFor('lock:your_turn');
      await cut.terminate();
      await bob.waitFor('lock:state', (s) => s.cause === 'GRACE_STARTED');
      const { lock: before } = (await bob.expect('lock:status', { resourceId: 'document:grace' }, 'lock:state'));
      redis.setClock(-HOUR);
      await noticed(one, two, '-');
      const ends = [['document:grace:main', 'GRACE_PERIOD_EXPIRED'], ['document:ttl:main', 'EXPIRED']];
      for (const [resourceId, reason] of ends) {
        await bob.waitFor('lock:released', (x) => x.resourceId === resourceId && x.reason === reason);
      }
      await waiter.waitFor('lock:queue_left', (x) => x.reason === 'CLAIM_EXPIRED');
      assert.ok(bob.received('lock:state').some(({ data }) => data.cause === 'RECOVERED' && data.lock.state === 'grace'
        && data.lock.graceUntil < before.graceUntil - HOUR / 2), 'told by the clock as it is now');
      await beat.stop();
      assert.strictEqual(ann.received('lock:lost').length, 0);
      await h.checkAll(one, two);
    },
  });
});

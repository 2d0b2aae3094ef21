'use strict';
/* Two daemons on one store. */
const assert = require('node:assert');
const { test } = require('node:test');
const h = require('./harness');

test('two daemons on one Redis', { concurrency: 8 }, async (t) => {
  const config = (instance) => ({ instance, default: { gracePeriod: h.ms(1500) }, resourceTypes: { long: { gracePeriod: '60s' } } });
  const one = await h.lockDaemon(t, { config: config('one') });
  const two = await h.lockDaemon(t, { redis: one.redis, config: config('two') });

  await h.together(t, {
    'see each other\'s changes': async () => {
      const r = 'document:two';
      const ann = await one.client({ user: 'ann', name: 'Ann', clientId: h.tab() });
      const bob = await two.client({ user: 'bob', name: 'Bob', clientId: h.tab() });
      assert.strictEqual(ann.welcome.instance, 'one');
      assert.strictEqual(bob.welcome.instance, 'two');
      await h.view(bob, r);
      const { token } = await h.take(ann, r);
      const { data: state } = await bob.waitFor('lock:state', (s) => s.cause === 'ACQUIRED');
      assert.strictEqual(state.lock.holder.username, 'Ann');
      await bob.waitFor('presence:diff', (p) => [...p.joined, ...p.changed].some((u) => u.userId === 'ann' && u.hasLock));
      assert.strictEqual((await bob.expect('lock:acquire', { resourceId: r }, 'lock:denied')).currentHolder, 'Ann');
      await ann.expect('lock:heartbeat', { resourceId: r, dirty: true }, 'lock:renewed');
      await bob.waitFor('lock:state', (s) => s.lock.dirty === true);
      await ann.expect('lock:release', { resourceId: r, revision: 'r1' }, 'lock:released');
      await bob.waitFor('lock:released', (x) => x.previousHolder === 'ann');
      const got = await bob.expect('lock:acquire', { resourceId: r }, 'lock:acquired');
      assert.ok(got.token > token);
      assert.strictEqual(got.previous.revision, 'r1');
      await ann.waitFor('lock:state', (s) => s.lock.holder?.userId === 'bob');
    },
    'a tab that comes back to the other one resumes there, and the first connection is closed': async () => {
      const r = 'long:two-move';
      const clientId = h.tab();
      const ann = await one.client({ user: 'mov', clientId });
      const bob = await one.client({ user: 'mov-watch' });
      await h.view(bob, r);
      const { token } = await h.take(ann, r);
      const back = await two.client({ user: 'mov', clientId });
      const got = await h.take(back, r, { token });
      assert.strictEqual(got.token, token);
      assert.strictEqual(got.resumed, true);
      assert.strictEqual((await ann.waitFor('session:closed')).data.code, 4409);
      assert.strictEqual((await ann.end()).code, 4409);
      await bob.waitFor('lock:state', (s) => s.cause === 'RESUMED');
      await back.terminate();
      await bob.waitFor('lock:state', (s) => s.cause === 'GRACE_STARTED');
      const third = await one.client({ user: 'mov', clientId });
      assert.strictEqual((await h.take(third, r, { token })).token, token);
    },
    'takeOwn from the other daemon': async () => {
      const r = 'document:two-own';
      const ann = await one.client({ user: 'own', clientId: h.tab() });
      const twin = await two.client({ user: 'own', clientId: h.tab() });
      const { token } = await h.take(ann, r);
      assert.strictEqual((await h.edit(twin, r)).answer.data.reason, 'HELD_BY_YOU');
      await twin.expect('lock:acquire', { resourceId: r, takeOwn: true }, 'lock:acquired');
      const { data } = await ann.waitFor('lock:lost');
      assert.deepStrictEqual([data.token, data.reason], [token, 'MOVED']);
    },
    'an expiry is settled, told and recorded once': async () => {
      const r = 'document:two-grace';
      const ann = await one.client({ user: 'exp', clientId: h.tab() });
      const [near, far] = [await one.client({ user: 'exp-1' }), await two.client({ user: 'exp-2' })];
      await h.view(near, r);
      await h.view(far, r);
      await h.take(ann, r);
      await ann.terminate();
      for (const c of [near, far]) {
        await c.waitFor('lock:released', (x) => x.reason === 'GRACE_PERIOD_EXPIRED');
      }
      const records = () => [...one.audit(), ...two.audit()].filter((a) => a.action === 'LOCK_GRACE_EXPIRED' && a.resourceId === `${r}:main`);
      await h.eventually(() => records().length > 0);
      await near.sync();
      assert.strictEqual(records().length, 1, 'by the instance that settled it');
    },
  });
  await h.checkAll(one, two);
});

test('another number of shards on the same store: exit 3, and the first is not disturbed', async (t) => {
  const one = await h.lockDaemon(t, { config: { redis: { shards: 4 } } });
  const ann = await one.client({ user: 'ann' });
  const { token } = await h.take(ann, 'document:shards');
  const other = await h.newDaemon(t, { redis: one.redis, config: { redis: { shards: 5, startTimeout: '30s' } } });
  other.spawn();
  const end = await other.end();
  assert.strictEqual(end.code, 3);
  other.exit.code = 0; // as it should be
  assert.match(other.log.join('\n'), /4 shards/);
  await ann.expect('lock:heartbeat', { resourceId: 'document:shards', token }, 'lock:renewed');
  await h.layOut(one.redis, { shards: 5, keyPrefix: 'other' });
  const prefixed = await h.lockDaemon(t, { redis: one.redis, config: { redis: { shards: 5, keyPrefix: 'other' } } });
  await h.take(await prefixed.client({ user: 'bob' }), 'document:shards');
  await h.checkAll(one);
});

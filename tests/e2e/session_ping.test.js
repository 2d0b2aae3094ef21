'use strict';
/* session:ping, and how often who has a lock has to send something. */
const assert = require('node:assert');
const { test } = require('node:test');
const h = require('./harness');

const ping = (c) => c.expect('session:ping', {}, 'session:pong');

test('session:ping', { concurrency: 8 }, async (t) => {
  const d = await h.lockDaemon(t, {
    config: {
      limits: { messagesPerSecond: 1, messageBurst: 12 },
      resourceTypes: {
        long: { gracePeriod: '2m', heartbeatInterval: '20s', lockTtl: '60s' },
        half: { gracePeriod: '9s', heartbeatInterval: '20s', lockTtl: '60s' },
        short: { gracePeriod: '500ms', heartbeatInterval: '20s', lockTtl: '60s' },
      },
    },
  });
  await h.together(t, {
    'is answered with the time of the store': async () => {
      const c = await d.client({ user: 'time' });
      const before = (await c.expect('lock:status', { resourceId: 'long:time' }, 'lock:state')).serverTime;
      const pong = await ping(c);
      const after = (await c.expect('lock:status', { resourceId: 'long:time' }, 'lock:state')).serverTime;
      assert.deepStrictEqual(Object.keys(pong), ['serverTime']);
      assert.ok(pong.serverTime >= before && pong.serverTime <= after, `${before} ${pong.serverTime} ${after}`);
      c.sendText(JSON.stringify({ event: 'session:ping', id: 'bare' }));
      assert.strictEqual((await c.inbox.take((m) => m.id === 'bare', 'pong')).event, 'session:pong');
      c.sendText(JSON.stringify({ event: 'session:ping' }));
      await c.waitFor('session:pong');
    },
    'not before a token has been accepted': async () => {
      const c = await (await d.newClient({ silent: true })).start();
      assert.strictEqual((await h.refused(c, 'session:ping', {}, 'UNAUTHENTICATED')).retryAfterMs, undefined);
      await c.expect('auth', { token: await d.token({ user: 'late' }) }, 'welcome');
      await ping(c);
    },
    'takes nothing from what else may be sent, nor is it refused for that': async () => {
      const c = await d.client({ user: 'rate' });
      for (let i = 0; i < 9; i++) await ping(c);
      const left = [];
      for (let i = 0; i < 40; i++) left.push((await c.request('lock:status', { resourceId: 'long:rate' })).event);
      assert.ok(left.slice(0, 11).every((event) => event === 'lock:state'), left.join());
      assert.ok(left.includes('error'), left.join());
      await ping(c);
    },
    'beyond its own rate it counts as any other message': async () => {
      const c = await d.client({ user: 'many' });
      const ids = Array.from({ length: 40 }, () => c.send('session:ping', {}));
      const replies = await Promise.all(ids.map((id) => c.inbox.take((m) => m.id === id, 'a reply')));
      const pongs = replies.filter((m) => m.event === 'session:pong').length;
      assert.ok(pongs >= 20 && pongs < 40, `${pongs} of 40`);
      for (const m of replies) if (m.event === 'error') assert.strictEqual(m.data.code, 'RATE_LIMITED');
    },
    'livenessMs: half the grace period, at most the heartbeat interval, at least 1 s': async () => {
      const c = await d.client({ user: 'policy' });
      for (const [type, ms] of [['long', 20_000], ['half', 4500], ['short', 1000]]) {
        assert.strictEqual((await h.view(c, `${type}:policy`)).policy.livenessMs, ms);
      }
    },
  });
  await h.checkAll(d);
});

test('session:ping is answered while the store is away, by its clock as it was known', async (t) => {
  const d = await h.lockDaemon(t, { config: { redis: { lease: h.ms(1500), commandTimeout: h.ms(500) } } });
  const c = await d.client({ user: 'ann' });
  const { serverTime } = await ping(c);
  const away = async (how) => {
    const told = c.waitFor('system:degraded');
    how();
    await told;
    const pong = await ping(c);
    assert.ok(pong.serverTime > serverTime && pong.serverTime < serverTime + 600_000, `${pong.serverTime - serverTime}`);
  };
  await away(() => d.redis.pause());
  const back = c.waitFor('system:recovered');
  d.redis.resume();
  await back;
  await away(() => d.redis.child.kill('SIGKILL'));
  await d.redis.restart();
});

test('who stood still past the lease says so before any answer: it is no proof that locks were kept', async (t) => {
  const d = await h.lockDaemon(t, { config: { redis: { lease: h.ms(1500), commandTimeout: h.ms(500) } } });
  const c = await d.client({ user: 'ann', clientId: h.tab() });
  await h.take(c, 'document:still');
  d.signal('SIGSTOP');
  const id = c.send('session:ping', {});
  const since = performance.now();
  await h.eventually(() => performance.now() - since > 1600 * h.SLOW);
  d.signal('SIGCONT');
  await c.inbox.take((m) => m.id === id, 'the pong');
  const events = c.frames.filter((f) => f.dir === 'in').map((f) => f.message.event);
  assert.ok(events.includes('system:degraded') && events.indexOf('system:degraded') < events.indexOf('session:pong'), events.join());
  await c.waitFor('system:recovered');
  await h.checkAll(d);
});

'use strict';
/* The daemon itself dies, stalls or is stopped. */
const assert = require('node:assert');
const { test } = require('node:test');
const h = require('./harness');

const EDITORS = 8;

/* Joins as editor until the daemon has put its locks together again. */
async function takeWhenReady(client, resourceId, more) {
  for (;;) {
    const { joined, answer } = await h.edit(client, resourceId, more);
    if (answer.event === 'lock:acquired') return { ...answer.data, joined };
    assert.strictEqual(answer.data.reason, 'RECOVERING', JSON.stringify(answer));
    assert.ok(answer.data.retryAfterMs > 0);
    await new Promise((resolve) => setTimeout(resolve, answer.data.retryAfterMs / 4));
  }
}

async function editors(d, count = EDITORS) {
  const list = [];
  for (let i = 0; i < count; i++) {
    const e = { user: `ed-${i}`, clientId: h.tab(), resourceId: `document:crash-${i}:main` };
    e.client = await d.client(e);
    e.fence = (await h.take(e.client, e.resourceId)).token;
    list.push(e);
  }
  return list;
}

test('killed with -9 and started again: everyone who returns has the same lock and token', async (t) => {
  const d = await h.lockDaemon(t, { config: { default: { lockTtl: '60s', heartbeatInterval: '20s', gracePeriod: '30s' } } });
  const list = await editors(d);
  await list[0].client.expect('lock:heartbeat', { resourceId: list[0].resourceId, dirty: true }, 'lock:renewed');
  await d.kill();
  for (const e of list) assert.strictEqual((await e.client.end()).code, 1006);
  await d.restart();
  // Someone else is faster than those who return, and gets nothing.
  const thief = await d.client({ user: 'thief' });
  for (const e of list) {
    const { answer } = await h.edit(thief, e.resourceId);
    assert.strictEqual(answer.event, 'lock:denied');
    assert.ok(['HELD', 'GRACE', 'RECOVERING'].includes(answer.data.reason), answer.data.reason);
  }
  for (const e of list) {
    e.client = await d.client(e);
    const got = await takeWhenReady(e.client, e.resourceId, { token: e.fence });
    assert.strictEqual(got.token, e.fence);
    assert.strictEqual(got.resumed, true);
    assert.strictEqual(got.joined.lost, undefined);
  }
  assert.strictEqual((await h.status(thief, list[0].resourceId)).dirty, true);
  for (const e of list) await e.client.expect('lock:heartbeat', { resourceId: e.resourceId, token: e.fence }, 'lock:renewed');
  await h.checkAll(d);
});

test('killed with -9, and its editors do not return', async (t) => {
  const config = {
    default: { lockTtl: '60s', heartbeatInterval: '20s', gracePeriod: h.ms(800), disconnect: 'release' },
    redis: { lease: h.ms(3000), commandTimeout: h.ms(1000) },
  };
  const one = await h.lockDaemon(t, { config: { ...config, instance: 'one' } });
  const two = await h.lockDaemon(t, { redis: one.redis, config: { ...config, instance: 'two' } });
  const watch = await two.client({ user: 'watch' });
  const list = await editors(one, 3);
  for (const e of list) await h.view(watch, e.resourceId);
  await one.kill();
  for (const e of list) {
    const { data } = await watch.waitFor('lock:state', (s) => s.resourceId === e.resourceId && s.cause === 'GRACE_STARTED');
    assert.strictEqual(data.lock.state, 'grace', 'an end that the server caused has plain grace, whatever the type says');
    await watch.waitFor('lock:released', (x) => x.resourceId === e.resourceId && x.reason === 'GRACE_PERIOD_EXPIRED');
    const joined = await h.view(watch, e.resourceId);
    assert.deepStrictEqual(joined.users.map((u) => u.userId), ['watch'], 'nobody stays in the room');
    await watch.expect('lock:acquire', { resourceId: e.resourceId }, 'lock:acquired');
  }
  await h.checkAll(two);
});

test('a store without anyone for long: the grace of those who return begins anew', async (t) => {
  const d = await h.lockDaemon(t, {
    config: {
      default: { lockTtl: '60s', heartbeatInterval: '20s', gracePeriod: h.ms(1500) },
      redis: { lease: h.ms(1500), commandTimeout: h.ms(500) },
    },
  });
  const list = await editors(d, 2);
  await d.kill();
  const killed = Date.now();
  await h.eventually(() => Date.now() - killed > 4500 * h.SLOW); // lease and grace are over, nobody has settled it
  await d.restart();
  for (const e of list) {
    e.client = await d.client(e);
    const got = await takeWhenReady(e.client, e.resourceId, { token: e.fence });
    assert.strictEqual(got.token, e.fence);
    assert.strictEqual(got.resumed, true);
  }
  await h.checkAll(d);
});

test('stalled past its lease, then going on', async (t) => {
  const config = {
    default: { lockTtl: '60s', heartbeatInterval: '20s', gracePeriod: h.ms(1000) },
    resourceTypes: { patient: { gracePeriod: '60s' } },
    redis: { lease: h.ms(3000), commandTimeout: h.ms(1000) },
  };
  const one = await h.lockDaemon(t, { config: { ...config, instance: 'one' } });
  const two = await h.lockDaemon(t, { redis: one.redis, config: { ...config, instance: 'two' } });
  const watch = await two.client({ user: 'watch' });
  const kept = await one.client({ user: 'kept', clientId: h.tab() });
  const gone = await one.client({ user: 'gone', clientId: h.tab() });
  const keptToken = (await h.take(kept, 'patient:stall')).token;
  const goneToken = (await h.take(gone, 'document:stall')).token;
  await h.view(watch, 'patient:stall');
  await h.view(watch, 'document:stall');
  one.signal('SIGSTOP');
  // Its members are taken for gone: plain grace, and where that ends, somebody else.
  await watch.waitFor('lock:state', (s) => s.resourceId === 'patient:stall:main' && s.cause === 'GRACE_STARTED');
  await watch.waitFor('lock:released', (x) => x.resourceId === 'document:stall:main');
  const taken = await watch.expect('lock:acquire', { resourceId: 'document:stall' }, 'lock:acquired');
  assert.ok(taken.token > goneToken);
  kept.send('lock:heartbeat', { resourceId: 'patient:stall', token: keptToken }, 'beat'); // waits in the stopped daemon
  gone.send('lock:heartbeat', { resourceId: 'document:stall', token: goneToken }, 'beat');
  one.signal('SIGCONT');
  // Whose lock is gone is told so, in the order in which it learns of it.
  const answer = await gone.inbox.take((m) => m.id === 'beat', 'the reply to the heartbeat');
  if (answer.event === 'error') {
    assert.ok(['BACKEND_UNAVAILABLE', 'NOT_JOINED'].includes(answer.data.code), JSON.stringify(answer));
    const { data: lost } = await gone.waitFor('lock:lost');
    assert.strictEqual(lost.token, goneToken);
  } else {
    assert.strictEqual(answer.event, 'lock:lost', 'a heartbeat never confirms what is gone');
  }
  // Who had grace enough goes on, on the connection that it has.
  await h.eventually(async () => {
    const reply = await kept.request('lock:heartbeat', { resourceId: 'patient:stall', token: keptToken });
    assert.ok(reply.event !== 'lock:lost', JSON.stringify(reply));
    return reply.event === 'lock:renewed' && reply.data.token === keptToken;
  }, 'the lock goes on');
  await watch.waitFor('lock:state', (s) => s.resourceId === 'patient:stall:main' && s.lock.state === 'held' && s.cause === 'RESUMED');
  await watch.expect('lock:heartbeat', { resourceId: 'document:stall', token: taken.token }, 'lock:renewed');
  const users = (await h.view(watch, 'document:stall')).users.map((u) => u.userId).sort();
  assert.deepStrictEqual(users, ['gone', 'watch'], 'the connection that was there all the time is in the room again');
  await h.checkAll(one, two);
});

test('SIGTERM: told, closed 1001, locks in grace, audit whole, exit 0', async (t) => {
  const config = { default: { lockTtl: '60s', heartbeatInterval: '20s', gracePeriod: '20s', disconnect: 'release' }, resourceTypes: { early: { gracePeriod: '4s' } } };
  const one = await h.lockDaemon(t, { config: { ...config, instance: 'one' } });
  const two = await h.lockDaemon(t, { redis: one.redis, config: { ...config, instance: 'two' } });
  const watch = await two.client({ user: 'watch' });
  const list = await editors(one, 5);
  for (const e of list) await h.view(watch, e.resourceId);
  const silent = await (await one.newClient({ silent: true })).start(); // has not authenticated
  one.signal('SIGTERM');
  for (const e of [...list, { client: silent }]) {
    const { data } = await e.client.waitFor('server:draining');
    assert.ok(Number.isInteger(data.reconnectInMs) && data.reconnectInMs >= 0 && data.reconnectInMs < 2000, JSON.stringify(data));
    const { data: closed } = await e.client.waitFor('session:closed');
    assert.deepStrictEqual(closed, { code: 1001, reason: 'SERVER_GOING_AWAY', reconnect: true });
    assert.strictEqual((await e.client.end()).code, 1001);
  }
  assert.deepStrictEqual(await one.end(), { code: 0, signal: null });
  for (const e of list) {
    const lock = await h.status(watch, e.resourceId);
    assert.strictEqual(lock.state, 'grace', 'by the time it has ended');
    assert.strictEqual(one.audit().filter((a) => a.action === 'LOCK_GRACE_STARTED' && a.resourceId === e.resourceId).length, 1);
    const back = await two.client(e);
    const got = await h.take(back, e.resourceId, { token: e.fence });
    assert.strictEqual(got.token, e.fence);
    assert.strictEqual(got.resumed, true);
  }
  const records = one.audit();
  assert.strictEqual(records.at(-1).action, 'AUDIT_STOPPED');
  assert.ok(records.some((a) => a.action === 'DRAIN_STARTED'));
  for (const e of list) {
    assert.ok(records.some((a) => a.action === 'SESSION_CLOSED' && a.sessionId === e.client.welcome.sessionId && a.reason === 'SERVER_GOING_AWAY'));
  }
  await h.checkAll(one, two);
});

test('SIGTERM: the lease is over when the process is, also if the store answers late', async (t) => {
  const redis = await h.redis(t, { tcp: true });
  await h.layOut(redis);
  const wire = await h.proxy(t, redis.port);
  const d = await h.lockDaemon(t, { redis, config: { redis: { url: `redis://127.0.0.1:${wire.port}/0`, lease: '10m' } } });
  const leases = async () => {
    const due = await Promise.all((await redis.keys('*:due')).map((key) => redis.command('ZRANGE', key, 0, -1)));
    return due.flat().filter((name) => name.startsWith('i:'));
  };
  assert.strictEqual((await leases()).length, 16);
  wire.delay(300 * h.SLOW); // what it sends last is under way for longer than an exit takes
  d.signal('SIGTERM');
  assert.deepStrictEqual(await d.end(), { code: 0, signal: null });
  assert.deepStrictEqual(await leases(), []);
});

'use strict';
/* An instance that an operator drains: its clients go to another one, the process stays, and takes clients again. */
const assert = require('node:assert');
const { test } = require('node:test');
const h = require('./harness');

const BY = { actor: 'j.doe', reason: 'kernel update' };
const post = (d, path, body = BY) => h.opsCall(d, 'POST', path, body);
const ready = (d) => h.httpGet(d.opsUrl('/readyz'));
async function refused(promise, status, code, pattern = /./) {
  const answer = await promise;
  assert.deepStrictEqual([answer.status, answer.json.error.code], [status, code], answer.body);
  assert.match(answer.json.error.message, pattern);
}
async function handshake(t, d) {
  const raw = await h.rawConnect(t, d.port);
  raw.write(h.upgradeText());
  return raw.response();
}
/* Opens its lock again with its token, on this daemon. */
async function comeBack(d, client, r, token) {
  const back = await d.client({ user: client.options.user, name: client.options.name, clientId: client.options.clientId });
  return h.edit(back, r, { token });
}

test('drain and undrain', async (t) => {
  const config = (instance) => ({ instance, default: { gracePeriod: '30s' } });
  const one = await h.lockDaemon(t, { config: config('one') });
  const two = await h.lockDaemon(t, { redis: one.redis, config: config('two') });
  const [r, s] = ['document:drain:main', 'document:drain:other'];
  const ann = await h.person(one, 'ann');
  const bob = await h.person(one, 'bob');
  const cy = await h.person(two, 'cy');
  const { token } = await h.take(ann, r);
  await h.take(bob, s);
  await h.view(cy, r);

  await t.test('clients are told, with times that are spread, and closed; their locks wait', async () => {
    const answer = await post(one, '/v1/drain');
    assert.deepStrictEqual([answer.status, answer.json], [200, { draining: true, sessions: 2 }]);
    const [record] = one.audit().filter((a) => a.action === 'DRAIN_STARTED');
    assert.deepStrictEqual([record.admin, record.reason, record.detail], [{ id: 'j.doe' }, 'kernel update', `uid ${process.getuid()}`], 'on disk by now');
    for (const client of [ann, bob]) {
      const { reconnectInMs } = (await client.waitFor('server:draining')).data;
      assert.ok(reconnectInMs >= 1 && reconnectInMs < 15_000, `${reconnectInMs}`);
      assert.strictEqual((await client.end()).code, 1001);
    }
    await cy.waitFor('lock:state', (x) => x.cause === 'GRACE_STARTED');
    await cy.sync();
    assert.deepStrictEqual(cy.received('server:draining'), [], 'another instance has nothing to do with it');
  });

  await t.test('while it drains it takes no clients, and says so', async (st) => {
    const answer = await handshake(st, one);
    assert.strictEqual(answer.status, 503);
    assert.strictEqual(answer.headers['retry-after'], '1');
    const { status, json } = await ready(one);
    assert.deepStrictEqual([status, json.ready, json.reasons], [503, false, ['draining']]);
    assert.strictEqual((await h.httpGet(one.opsUrl('/healthz'))).status, 200);
    assert.strictEqual((await ready(two)).status, 200);
    const listed = await h.opsCall(one, 'GET', '/v1/locks');
    assert.deepStrictEqual(listed.json.locks.map((l) => [l.resourceId, l.state]), [[r, 'grace'], [s, 'grace']], 'operators are served');
    const again = await post(one, '/v1/drain');
    assert.deepStrictEqual(again.json, { draining: true, sessions: 0 });
    assert.strictEqual(one.audit().filter((a) => a.action === 'DRAIN_STARTED').length, 1);
  });

  await t.test('a client goes on with its lock at another instance', async () => {
    const { answer } = await comeBack(two, ann, r, token);
    assert.strictEqual(answer.event, 'lock:acquired');
    assert.strictEqual(answer.data.resumed, true);
  });

  await t.test('undrain takes it all back', async () => {
    const answer = await post(one, '/v1/undrain', { actor: 'j.doe' });
    assert.deepStrictEqual([answer.status, answer.json], [200, { draining: false }]);
    const [record] = one.audit().filter((a) => a.action === 'DRAIN_ENDED');
    assert.deepStrictEqual([record.admin, record.reason], [{ id: 'j.doe' }, undefined]);
    assert.strictEqual((await ready(one)).status, 200);
    const back = await h.person(one, 'dee');
    await h.take(back, 'document:drain:third');
    assert.deepStrictEqual((await post(one, '/v1/undrain')).json, { draining: false });
    assert.strictEqual(one.audit().filter((a) => a.action === 'DRAIN_ENDED').length, 1);
    await back.sync();
  });

  await t.test('bad requests change nothing', async () => {
    for (const path of ['/v1/drain', '/v1/undrain']) {
      for (const body of ['null', '[]', '{', {}, { actor: '' }, { actor: 7 }, { actor: 'x', reason: '' }, { actor: 'x', reason: 'ä'.repeat(501) }]) {
        await refused(post(one, path, body), 400, 'INVALID_ARGUMENT');
      }
      const get = await h.opsCall(one, 'GET', path);
      assert.deepStrictEqual([get.status, get.headers.allow], [405, 'POST']);
    }
    for (const timeout of [-1, 1.5, '5s', null, 86_400_001]) await refused(post(one, '/v1/drain', { ...BY, timeout }), 400, 'INVALID_ARGUMENT', /timeout/);
    assert.strictEqual((await ready(one)).status, 200);
    assert.strictEqual(one.audit().filter((a) => a.action === 'DRAIN_STARTED').length, 1);
  });
  await h.checkAll(one, two);
});

test('who reads nothing is closed after the timeout', async (t) => {
  const d = await h.lockDaemon(t);
  const raw = await h.rawConnect(t, d.port);
  raw.write(h.upgradeText({ headers: { Authorization: `Bearer ${await h.token({ user: 'ann' })}` } }));
  await raw.until((data) => data.includes('welcome'), 'welcome');
  const count = async () => (await h.opsCall(d, 'GET', '/v1/sessions')).json.sessions.length;
  assert.strictEqual(await count(), 1);
  raw.socket.pause();
  assert.deepStrictEqual((await post(d, '/v1/drain', { ...BY, timeout: 100 })).json, { draining: true, sessions: 1 });
  await h.eventually(async () => (await d.metric('wslock_connections', 'framing="native"')) === 0, 'it is gone');
});

test('a drained instance stops, one that stops does not drain, and one may be drained before it has its store', async (t) => {
  const d = await h.lockDaemon(t, { config: { drainTimeout: '4s' } });
  await post(d, '/v1/drain');
  assert.deepStrictEqual(await d.stop(), { code: 0, signal: null });
  await d.restart();
  await h.granting(d);
  const deaf = await h.rawConnect(t, d.port);
  deaf.write(h.upgradeText({ headers: { Authorization: `Bearer ${await h.token({ user: 'ann' })}` } }));
  await deaf.until((data) => data.includes('welcome'), 'welcome');
  deaf.socket.pause();
  d.signal('SIGTERM');
  await d.waitForLog(/^draining /);
  for (const path of ['/v1/drain', '/v1/undrain']) await refused(post(d, path), 503, 'STOPPING');
  assert.deepStrictEqual(await d.end(), { code: 0, signal: null });
  d.redis.pause();
  d.spawn();
  await d.waitForLog(/^ops_listening .*socket=/);
  assert.strictEqual((await post(d, '/v1/drain')).json.draining, true);
  d.redis.resume();
  await d.ready();
  assert.strictEqual((await handshake(t, d)).status, 503);
  await post(d, '/v1/undrain');
  await h.granting(d);
  await h.take(await d.client({ user: 'ann' }), 'document:late');
});

/* Connections of one user that have their welcome. */
async function crowd(t, d, count) {
  const headers = { Authorization: `Bearer ${await h.token({ user: 'ann' })}`, Origin: null };
  return Promise.all(Array.from({ length: count }, async () => {
    const raw = await h.rawConnect(t, d.port);
    raw.write(h.upgradeText({ headers }));
    await raw.until((data) => data.includes('welcome'), 'welcome');
    return raw;
  }));
}
const MANY = { config: { limits: { handshakesPerSecond: 10_000, maxConnectionsPerUser: 10_000 } } };
test('many clients are told in parts', async (t) => {
  const count = 300;
  const d = await h.lockDaemon(t, MANY);
  const raws = await crowd(t, d, count);
  assert.strictEqual((await post(d, '/v1/drain')).json.sessions, count);
  const times = await Promise.all(raws.map((raw) => raw.until((data) => /"reconnectInMs":(\d+)/.exec(data.toString('latin1')), 'server:draining')));
  assert.ok(new Set(times.map((m) => m[1])).size > count / 4, 'spread');
});

test('those that are left at the timeout are told too', async (t) => {
  const d = await h.lockDaemon(t, MANY);
  const raws = await crowd(t, d, 1500);
  await post(d, '/v1/drain', { actor: 'ops', timeout: 0 });
  await h.eventually(() => raws.every((raw) => raw.data.includes('session:closed')), 'all are closed');
  assert.strictEqual(raws.filter((raw) => raw.data.includes('server:draining')).length, raws.length);
});

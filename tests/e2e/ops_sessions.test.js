'use strict';
/* What operators read and do about sessions over the operations endpoint. */
const assert = require('node:assert');
const { test } = require('node:test');
const h = require('./harness');

const WHY = { reason: 'stolen laptop', actor: 'security' };
const get = (d, path) => h.opsCall(d, 'GET', path);
const endUser = (d, query, body = WHY) => h.opsCall(d, 'DELETE', `/v1/sessions${query}`, body);

async function read(d, path) {
  const answer = await get(d, path);
  assert.strictEqual(answer.status, 200, answer.body);
  assert.strictEqual(answer.headers['cache-control'], 'no-store');
  const { now, ...rest } = answer.json;
  assert.ok(Math.abs(now - Date.now()) < 60_000, `now ${now}`);
  return rest;
}
async function refused(promise, status, code, pattern = /./) {
  const answer = await promise;
  assert.deepStrictEqual([answer.status, answer.json.error.code], [status, code], answer.body);
  assert.match(answer.json.error.message, pattern);
  return answer;
}
async function pages(d, query, limit) {
  const all = [];
  for (let after = ''; after !== null;) {
    const page = await read(d, `/v1/sessions?limit=${limit}${query}${after && `&after=${after}`}`);
    assert.ok(page.sessions.length <= limit);
    all.push(...page.sessions);
    after = page.next;
  }
  return all;
}
const ids = (sessions) => sessions.map((s) => s.sessionId);
const sorted = (clients) => clients.map((c) => c.welcome.sessionId).sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));

test('the sessions of an instance', async (t) => {
  const one = await h.lockDaemon(t, { config: { instance: 'one', auth: { adminRoles: ['lock-admin'] } } });
  const two = await h.lockDaemon(t, { redis: one.redis, config: { instance: 'two' } });
  const open = (d, user, more) => h.person(d, user, more);

  await t.test('what is known of each', async () => {
    const from = Date.now();
    const ann = await open(one, 'ann', { roles: ['lock-admin'], headers: { 'User-Agent': 'a browser' } });
    await h.take(ann, 'document:s-1');
    await h.view(ann, 'document:s-2');
    const { instance, sessions, next } = await read(one, '/v1/sessions?user=ann');
    assert.deepStrictEqual([instance, next, sessions.length], ['one', null, 1]);
    const [s] = sessions;
    assert.ok(s.connectedAt >= from - 1000 && s.connectedAt <= Date.now());
    assert.deepStrictEqual(s, {
      sessionId: ann.welcome.sessionId, userId: 'ann', username: 'Ann', clientId: ann.options.clientId, address: '127.0.0.1',
      userAgent: 'a browser', framing: 'native', transport: 'websocket', connectedAt: s.connectedAt, tokenExpiresAt: ann.welcome.tokenExpiresAt ?? s.tokenExpiresAt,
      roles: ['lock-admin'], rooms: 2, locks: 1,
    });
    assert.deepStrictEqual(await read(two, '/v1/sessions'), { instance: 'two', sessions: [], next: null });
    const silent = await one.newClient({ silent: true });
    await silent.open();
    assert.strictEqual((await read(one, '/v1/sessions')).sessions.length, 1, 'not one without a token');
  });

  await t.test('page by page, in order, of a user', async () => {
    const before = (await read(one, '/v1/sessions?limit=1000')).sessions;
    const clients = [];
    for (let i = 0; i < 60; i++) clients.push(await open(one, `page-${i % 3}`));
    await open(two, 'page-0');
    const all = [...ids(before), ...sorted(clients)].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    for (const limit of [1, 7, all.length, 1000]) assert.deepStrictEqual(ids(await pages(one, '', limit)), all);
    for (const limit of [1, 19, 20, 21]) {
      assert.deepStrictEqual(ids(await pages(one, '&user=page-1', limit)), sorted(clients.filter((_, i) => i % 3 === 1)));
    }
    assert.deepStrictEqual(await read(one, '/v1/sessions?user=nobody'), { instance: 'one', sessions: [], next: null });
  });

  await t.test('bad questions', async () => {
    for (const [query, pattern] of [['?limit=0', /limit/], ['?after=x', /after.*next/], ['?after=document:1:main', /after/], [`?after=${'+'.repeat(16)}`, /after/],
      ['?type=document', /unknown parameter; this path has user after limit actor/], ['?user=', /user/], ['?user=a&user=b', /twice/]]) {
      await refused(get(one, `/v1/sessions${query}`), 400, 'INVALID_ARGUMENT', pattern);
    }
    const wrong = await refused(h.opsCall(one, 'POST', '/v1/sessions', '{}'), 405, 'METHOD_NOT_ALLOWED');
    assert.strictEqual(wrong.headers.allow, 'GET, DELETE');
  });

  await t.test('each question is in the audit', async () => {
    await read(one, '/v1/sessions?user=ann&limit=3&actor=j.doe');
    const record = await one.waitForAudit((a) => a.action === 'ADMIN_QUERY' && a.admin?.id === 'j.doe');
    assert.strictEqual(record.detail, `uid ${process.getuid()}; sessions user=ann limit=3`);
  });

  await t.test('all sessions of a user end, here alone; others go on', async () => {
    const tabs = [await open(one, 'eve'), await open(one, 'eve'), await open(one, 'eve')];
    const there = await open(two, 'eve');
    const ann = await open(one, 'ann');
    await h.take(tabs[0], 'document:e-1');
    await h.take(tabs[1], 'document:e-2');
    await h.view(ann, 'document:e-1');
    const answer = await endUser(one, '?user=eve');
    assert.deepStrictEqual([answer.status, answer.json], [200, { userId: 'eve', sessions: 3, complete: true }]);
    const records = one.audit().filter((a) => a.action === 'SESSION_TERMINATED' && a.user.id === 'eve');
    assert.deepStrictEqual(records.map((a) => a.sessionId).sort(), tabs.map((c) => c.welcome.sessionId).sort(), 'on disk when it is answered');
    for (const a of records) assert.deepStrictEqual([a.admin.id, a.reason, a.detail], ['security', 'stolen laptop', `uid ${process.getuid()}`]);
    for (const c of tabs) assert.deepStrictEqual(await c.end(), { code: 4403, reason: 'SESSION_TERMINATED' });
    await ann.waitFor('lock:released', (x) => x.reason === 'SESSION_TERMINATED');
    assert.deepStrictEqual((await read(one, '/v1/sessions?user=eve')).sessions, []);
    assert.deepStrictEqual(ids((await read(two, '/v1/sessions?user=eve')).sessions), [there.welcome.sessionId]);
    await h.view(there, 'document:e-1');
    await refused(endUser(one, '?user=eve'), 404, 'NOT_FOUND', /this user/);
    await open(one, 'eve');
    assert.strictEqual((await endUser(one, '?user=eve')).json.sessions, 1, 'who may come back');
  });

  await t.test('bad requests to end them', async () => {
    const ann = await open(one, 'fay');
    for (const [query, pattern] of [['', /must have user/], ['?user=', /user/], ['?user=fay&user=fay', /twice/], ['?user=fay&all=1', /unknown parameter/],
      ['?user=fay&limit=1', /unknown parameter/], ['?user=fay&actor=x', /unknown parameter/]]) {
      await refused(endUser(one, query), 400, 'INVALID_ARGUMENT', pattern);
    }
    for (const body of ['null', '{', {}, { reason: 'x' }, { actor: 'x' }, '']) {
      await refused(endUser(one, '?user=fay', body), 400, 'INVALID_ARGUMENT');
    }
    await ann.sync();
    assert.strictEqual((await read(one, '/v1/sessions?user=fay')).sessions.length, 1);
  });
  await h.checkAll(one, two);
});

test('while the store is away sessions are listed and end all the same', async (t) => {
  const d = await h.lockDaemon(t, { config: { redis: { commandTimeout: h.ms(500) } } });
  const clients = [await h.person(d, 'ann'), await h.person(d, 'ann')];
  await h.take(clients[0], 'document:1');
  d.redis.pause();
  assert.deepStrictEqual(ids((await read(d, '/v1/sessions')).sessions), sorted(clients));
  const answer = await endUser(d, '?user=ann');
  assert.deepStrictEqual([answer.status, answer.json], [200, { userId: 'ann', sessions: 2, complete: false }]);
  d.redis.resume();
  await h.granting(d);
});

test('many sessions: a list is made in parts, and finds each once', async (t) => {
  const count = 2200; // with the buckets of their table more than is looked at in one turn of the loop
  const d = await h.lockDaemon(t, { config: { limits: { handshakesPerSecond: 100_000, maxConnectionsPerUser: 10_000 } } });
  const headers = { Authorization: `Bearer ${await h.token({ user: 'ann' })}`, Origin: null };
  for (let made = 0; made < count; made += 100) {
    await Promise.all(Array.from({ length: 100 }, async () => {
      const raw = await h.rawConnect(t, d.port);
      raw.write(h.upgradeText({ headers }));
      assert.match((await raw.until((data) => data.includes('\r\n\r\n') && data.toString('latin1'), 'an upgrade')), /^HTTP\/1.1 101/);
    }));
  }
  await h.eventually(async () => (await d.metric('wslock_connections', 'framing="native"')) === count);
  const all = await pages(d, '', 1000);
  assert.strictEqual(new Set(ids(all)).size, count);
  assert.deepStrictEqual(ids(all), ids(await pages(d, '&user=ann', 1000)));
});

'use strict';
/* What operators read over the operations endpoint: lists of locks, and one lock with all that belongs to it. */
const assert = require('node:assert');
const { test } = require('node:test');
const h = require('./harness');

const config = (instance) => ({
  instance,
  default: { gracePeriod: '30s', lockTtl: '2m' },
  auth: { adminRoles: ['lock-admin'] },
  resourceTypes: {
    document: { maxConcurrentTabLocksPerUser: 500 },
    line: { upgrade: 'queue', maxWaiters: 2, lockTtl: '5m', editorRoles: null },
    ask: { requests: true, disconnect: 'prompt', heartbeatInterval: '20s' },
  },
  unknownResourceTypes: 'reject',
});

const get = (d, path, options) => h.opsCall(d, 'GET', path, undefined, options);
async function read(d, path) {
  const answer = await get(d, path);
  assert.strictEqual(answer.status, 200, answer.body);
  assert.strictEqual(answer.headers['content-type'], 'application/json');
  assert.strictEqual(answer.headers['cache-control'], 'no-store');
  return answer.json;
}
async function refused(promise, status, code, pattern) {
  const answer = await promise;
  assert.deepStrictEqual([answer.status, answer.json.error.code], [status, code], answer.body);
  assert.match(answer.json.error.message, pattern ?? /^[a-z].*[^.]$/i);
  return answer;
}
/* All pages. */
async function pages(d, query, limit) {
  const all = [];
  for (let after = ''; after !== null;) {
    const page = await read(d, `/v1/locks?limit=${limit}${query}${after && `&after=${encodeURIComponent(after)}`}`);
    assert.ok(page.locks.length <= limit);
    assert.ok(page.next === null || page.next === page.locks.at(-1).resourceId);
    all.push(...page.locks);
    after = page.next;
  }
  return all;
}
const NOTHING = { locks: [], next: null };
/* The answer without the time, which is that of the store. */
function untimed({ now, ...rest }) {
  assert.ok(Math.abs(now - Date.now()) < 60_000, `now ${now}`);
  return rest;
}
const ids = (locks) => locks.map((l) => l.resourceId);
const bytes = (a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b));

test('locks', { concurrency: 12 }, async (t) => {
  const one = await h.lockDaemon(t, { config: config('one') });
  const two = await h.lockDaemon(t, { redis: one.redis, config: config('two') });
  const queue = async (d, user, r) => {
    const client = await h.person(d, user);
    await h.view(client, r);
    await client.expect('lock:acquire', { resourceId: r }, 'lock:queued');
    return client;
  };

  await t.test('page by page, in the order of bytes, the same from every instance', async () => {
    const names = ['B', 'a', 'Z', '_', '~', 'a.b', 'a-b', 'ab', '0', '10', '9', 'ä'].filter((n) => /^[\w.~-]+$/.test(n));
    for (let i = 0; i < 40; i++) names.push(`n${i}`);
    const expected = [];
    const ann = await h.person(one, 'ann');
    const bob = await h.person(two, 'bob');
    for (const [i, name] of names.entries()) {
      const client = i % 2 ? ann : bob;
      expected.push((await h.take(client, `document:${name}`)).resourceId);
    }
    await h.take(bob, 'line:first');
    await h.take(bob, 'ask:first');
    const all = ['ask:first:main', ...expected, 'line:first:main'].sort(bytes);
    for (const limit of [1, 7, all.length, 1000]) {
      assert.deepStrictEqual(ids(await pages(one, '', limit)), all, `limit ${limit}`);
    }
    assert.deepStrictEqual(ids(await pages(two, '', 13)), all);
    assert.strictEqual((await read(one, '/v1/locks')).locks.length, all.length, '100 by default');
    assert.deepStrictEqual(ids(await pages(two, '&type=document', 10)), expected.sort(bytes));
    assert.deepStrictEqual(ids(await pages(two, '&type=doc', 10)), [], 'not a prefix');
    assert.deepStrictEqual(ids(await pages(one, '&user=bob', 3)), all.filter((r) => /^(line|ask):/.test(r)
      || names.indexOf(r.split(':')[1]) % 2 === 0));
    assert.deepStrictEqual(ids(await pages(one, '&user=bob&type=line', 3)), ['line:first:main']);
    assert.deepStrictEqual(ids(await pages(one, '&search=BOB', 3)), ids(await pages(one, '&user=bob', 3)));
    assert.deepStrictEqual(ids(await pages(one, '&search=:FIRST', 3)), ['ask:first:main', 'line:first:main']);
    assert.deepStrictEqual(ids(await pages(one, '&search=%25d&type=line', 3)), [], 'no pattern');
    await refused(get(one, `/v1/locks?search=${'x'.repeat(257)}`), 400, 'INVALID_ARGUMENT', /search must be/);
    assert.deepStrictEqual(untimed(await read(one, '/v1/locks?user=nobody')), NOTHING);
    assert.deepStrictEqual(untimed(await read(one, `/v1/locks?after=${all.at(-1)}`)), NOTHING);
    assert.deepStrictEqual(ids((await read(one, '/v1/locks?after=document:~:zero&limit=1')).locks), ['line:first:main']);
    await bob.expect('lock:release', { resourceId: 'line:first' }, 'lock:released');
    await bob.expect('lock:release', { resourceId: 'ask:first' }, 'lock:released');
    assert.deepStrictEqual(ids(await pages(one, '&type=line', 3)), []);
  });

  await h.together(t, {
    'a lock that is held, with all that belongs to it': async () => {
      const r = 'line:o-held:main';
      const ann = await h.person(one, 'ann');
      const earlier = await h.take(ann, r);
      await ann.expect('lock:release', { resourceId: r }, 'lock:released');
      const { token, expiresAt } = await h.take(ann, r).catch(async () => ann.expect('lock:acquire', { resourceId: r }, 'lock:acquired'));
      const bob = await queue(two, 'bob', r);
      await queue(one, 'cy', r);
      const lock = await read(two, `/v1/locks/${r}`);
      assert.deepStrictEqual([lock.resourceId, lock.state, lock.holder, lock.expiresAt, lock.dirty, lock.queueLength],
        [r, 'held', { userId: 'ann', username: 'Ann', clientId: ann.options.clientId, token }, expiresAt, false, 2]);
      assert.strictEqual(lock.lastHeartbeatAt, expiresAt - 300_000);
      assert.ok(lock.since <= lock.lastHeartbeatAt);
      assert.deepStrictEqual(lock.waiters.map(({ position, userId, username, kind }) => [position, userId, username, kind]),
        [[1, 'bob', 'Bob', 'queue'], [2, 'cy', 'Cy', 'queue']]);
      assert.ok(lock.waiters.every((v) => v.since >= lock.since));
      assert.strictEqual(lock.takeover, null);
      assert.ok(lock.now >= lock.since && lock.now < expiresAt);
      assert.deepStrictEqual(lock.members.map((m) => [m.userId, m.mode, m.connected]).sort(),
        [['ann', 'editor', true], ['bob', 'viewer', true], ['cy', 'viewer', true]]);
      assert.ok(lock.members.some((m) => m.sessionId === bob.welcome.sessionId));
      assert.strictEqual(lock.memberCount, 3);
      assert.deepStrictEqual(lock.endings.map(({ userId, username, token: of, reason }) => [userId, username, of, reason]),
        [['ann', 'Ann', earlier.token, 'RELEASED']]);
      assert.strictEqual(lock.acquire, undefined);
      const listed = (await read(one, '/v1/locks?type=line&user=ann')).locks.find((l) => l.resourceId === r);
      for (const key of Object.keys(listed)) assert.deepStrictEqual(listed[key], lock[key], key);
    },
    'each setting of its policy, and where it comes from': async () => {
      const { policy, configFile: file } = await read(one, '/v1/locks/line:o-policy');
      assert.strictEqual(file, one.configFile);
      const lines = one.configText.split('\n');
      const type = lines.findIndex((l) => l.includes('"line": {'));
      const at = (from, name) => lines.findIndex((l, i) => i >= from && l.includes(`"${name}"`)) + 1;
      assert.deepStrictEqual(policy.lockTtl, { value: '5m', from: 'resourceTypes.line.lockTtl', file, line: at(type, 'lockTtl') });
      assert.deepStrictEqual(policy.maxWaiters, { value: 2, from: 'resourceTypes.line.maxWaiters', file, line: at(type, 'maxWaiters') });
      assert.deepStrictEqual(policy.editorRoles, { value: null, from: 'resourceTypes.line.editorRoles', file, line: at(type, 'editorRoles') });
      assert.deepStrictEqual(policy.upgrade.value, 'queue');
      assert.deepStrictEqual(policy.gracePeriod, { value: '30s', from: 'default.gracePeriod', file, line: at(0, 'gracePeriod') });
      assert.deepStrictEqual(policy.urgentTakeover, { value: false, from: 'built-in' });
      assert.deepStrictEqual(policy.takeoverRoles, { value: null, from: 'built-in' });
      assert.strictEqual(Object.keys(policy).length, 19);
    },
    'a free one, in grace, reserved': async () => {
      const r = 'line:o-states:main';
      const free = await read(one, '/v1/locks/line:o-states');
      assert.deepStrictEqual([free.resourceId, free.state, free.holder, free.waiters, free.members, free.memberCount, free.endings],
        [r, 'free', undefined, [], [], 0, []]);
      const ann = await h.person(one, 'ann');
      await h.take(ann, r);
      const bob = await queue(two, 'bob', r);
      await ann.terminate();
      await bob.waitFor('lock:state', (s) => s.cause === 'GRACE_STARTED');
      const grace = await read(one, `/v1/locks/${r}`);
      assert.deepStrictEqual([grace.state, grace.holder.userId, grace.claimable, grace.lastHeartbeatAt], ['grace', 'ann', false, undefined]);
      assert.ok(grace.graceUntil > grace.since);
      assert.deepStrictEqual(grace.members.map((m) => m.userId), ['bob']);
      await h.opsCall(one, 'DELETE', `/v1/locks/${r}`, { reason: 'x', actor: 'y' });
      const reserved = await read(one, `/v1/locks/${r}`);
      assert.deepStrictEqual([reserved.state, reserved.reservedFor, reserved.queueLength], ['reserved', { userId: 'bob', username: 'Bob' }, 0]);
      assert.deepStrictEqual(reserved.waiters.map((v) => [v.position, v.userId, v.until]), [[0, 'bob', reserved.reservedUntil]]);
      assert.strictEqual(reserved.endings[0].by, 'y');
      const listed = (await read(two, '/v1/locks?type=line&user=bob')).locks.find((l) => l.resourceId === r);
      assert.deepStrictEqual([listed.state, listed.reservedUntil], ['reserved', reserved.reservedUntil]);
    },
    'a request, and a takeover that is pending': async () => {
      const r = 'ask:o-asked:main';
      const ann = await h.person(one, 'ann');
      await h.take(ann, r);
      const bob = await h.person(two, 'bob');
      await h.view(bob, r);
      await bob.expect('lock:request', { resourceId: r, message: 'please' }, 'lock:requested');
      const root = await h.person(two, 'root', { roles: ['lock-admin'] });
      await h.view(root, r);
      const { forceAt } = await root.expect('lock:takeover', { resourceId: r, reason: 'ward round' }, 'lock:takeover_pending');
      const lock = await read(one, `/v1/locks/${r}`);
      assert.deepStrictEqual(lock.waiters.map((v) => [v.userId, v.kind]), [['bob', 'request']]);
      assert.ok(lock.waiters[0].until > lock.waiters[0].since);
      assert.deepStrictEqual(lock.takeover, { adminId: 'root', adminName: 'Root', reason: 'ward round', until: lock.takeover.until });
      assert.ok(forceAt === undefined || forceAt === lock.takeover.until);
    },
    'what an acquire of a user would get, and nothing changes by the question': async () => {
      const r = 'line:o-judged:main';
      const judged = async (user) => (await read(two, `/v1/locks/${r}?user=${user}`)).acquire;
      assert.strictEqual((await judged('ann')).outcome, 'GRANTED');
      const ann = await h.person(one, 'ann');
      const { token } = await h.take(ann, r);
      assert.strictEqual((await judged('ann')).outcome, 'HELD_BY_YOU');
      assert.strictEqual((await judged('bob')).outcome, 'QUEUED');
      await queue(one, 'cy', r);
      await queue(one, 'dee', r);
      const full = await judged('bob');
      assert.strictEqual(full.outcome, 'QUEUE_FULL');
      assert.match(full.message, /maxWaiters/);
      const bob = await h.person(one, 'bob');
      await h.view(bob, r);
      await h.refused(bob, 'lock:acquire', { resourceId: r }, 'QUEUE_FULL');
      assert.strictEqual((await ann.expect('lock:heartbeat', { resourceId: r, token }, 'lock:renewed')).token, token);
    },
    'bad questions': async () => {
      const r = 'line:o-bad';
      for (const [path, pattern] of [
        ['?limit=0', /limit.*1 to 1000/], ['?limit=1001', /limit/], ['?limit=-1', /limit/], ['?limit=1e3', /limit/], ['?limit=99999999999999999999', /limit/],
        ['?limit=', /limit must be/], ['?limit', /limit must be/], ['?limit=1&limit=2', /limit is given twice/], ['?user=', /user must be/],
        [`?user=${'x'.repeat(257)}`, /user must be/], ['?user=%ff', /UTF-8/], ['?user=%0', /user must be/], ['?user=%00', /user must be/],
        ['?usr=ann', /unknown parameter.*type user search after limit actor/], ['?follow=1', /unknown parameter/], ['?type=Document', /resource type/],
        ['?type=document:1', /resource type/], ['?type=d*', /resource type/], [`?type=${'x'.repeat(65)}`, /resource type/],
        ['?after=x', /after.*next/], ['?after=document:1', /after.*next/], [`?after=${'x'.repeat(300)}`, /after/],
      ]) {
        await refused(get(one, `/v1/locks${path}`), 400, 'INVALID_ARGUMENT', pattern);
      }
      await refused(get(one, `/v1/locks/${r}?limit=1`), 400, 'INVALID_ARGUMENT', /unknown parameter; this path has user actor/);
      await refused(get(one, `/v1/locks/${r}?user=a&user=b`), 400, 'INVALID_ARGUMENT', /twice/);
      await refused(get(one, '/v1/locks/unheard-of:1'), 404, 'UNKNOWN_RESOURCE_TYPE');
      for (const bad of ['document', 'a:b:c:d', '%20']) await refused(get(one, `/v1/locks/${bad}`), 400, 'INVALID_RESOURCE_ID');
      assert.strictEqual((await refused(h.opsCall(one, 'POST', '/v1/locks', '{}'), 405, 'METHOD_NOT_ALLOWED')).headers.allow, 'GET');
      assert.strictEqual((await refused(h.opsCall(one, 'PUT', `/v1/locks/${r}`, '{}'), 405, 'METHOD_NOT_ALLOWED')).headers.allow, 'GET, DELETE');
      assert.strictEqual((await get(one, `/v1/locks/${'x'.repeat(200)}:${'y'.repeat(200)}`)).status, 400);
    },
    'each question is in the audit, refused ones are not': async () => {
      const queries = (what) => one.audit().filter((a) => a.action === 'ADMIN_QUERY' && a.detail.includes(what));
      const uid = `uid ${process.getuid()}`;
      await read(one, '/v1/locks?user=aud%20it&limit=5&actor=j.doe');
      await read(one, '/v1/locks/line:o-audit?user=ann&actor=j.doe%40clinic');
      await get(one, '/v1/locks?user=aud%20it&limit=0');
      const [list] = await h.eventually(() => queries('locks user=aud it').length > 0 && queries('locks user=aud it'));
      assert.deepStrictEqual([list.outcome, list.admin, list.detail, list.address, list.resourceId],
        ['success', { id: 'j.doe' }, `${uid}; locks user=aud it limit=5`, undefined, undefined]);
      const [lock] = await h.eventually(() => queries('lock user=ann').length > 0 && queries('lock user=ann').filter((a) => a.resourceId === 'line:o-audit:main'));
      assert.deepStrictEqual([lock.admin, lock.detail], [{ id: 'j.doe@clinic' }, `${uid}; lock user=ann`]);
      assert.strictEqual(queries('aud it').length, 1);
    },
    'HEAD has no body, and further requests on the connection are answered': async (st) => {
      const raw = await h.rawConnect(st, one.ops.socket);
      const ask = (line) => `${line} HTTP/1.1\r\nHost: x\r\n\r\n`;
      raw.write(ask('HEAD /v1/locks?user=none') + ask('GET /v1/locks?user=none') + ask('GET /v1/locks/line:x') + ask('GET /healthz'));
      assert.strictEqual((await raw.response({ bodiless: true })).status, 200);
      assert.match((await raw.response()).body, /^\{"now":\d+,"locks":\[\],"next":null\}$/);
      assert.match((await raw.response()).body, /"state":"free"/);
      assert.strictEqual((await raw.response()).body, '{"ok":true}');
    },
  });
  await h.checkAll(one, two);
});

test('more lists at once than are made', async (t) => {
  const d = await h.lockDaemon(t, { config: { redis: { commandTimeout: h.ms(10_000) } } });
  d.redis.pause();
  const answers = Array.from({ length: 20 }, () => get(d, '/v1/locks'));
  const early = [];
  for (const answer of answers) answer.then((a) => early.push(a));
  await h.eventually(() => early.length === 4, 'four are refused');
  for (const a of early) assert.deepStrictEqual([a.status, a.json.error.code, a.headers['retry-after']], [503, 'TOO_MANY_REQUESTS', '1']);
  d.redis.resume();
  const all = await Promise.all(answers);
  assert.strictEqual(all.filter((a) => a.status === 200).length, 16);
});

test('a client that goes away while its list is made', async (t) => {
  const d = await h.lockDaemon(t);
  d.redis.pause();
  for (let i = 0; i < 5; i++) {
    const raw = await h.rawConnect(t, d.ops.socket);
    raw.write('GET /v1/locks HTTP/1.1\r\nHost: x\r\n\r\n');
    await h.httpGet({ socketPath: d.ops.socket, path: '/healthz' });
    raw.socket.destroy();
  }
  d.redis.resume();
  await h.granting(d);
  await h.eventually(async () => (await get(d, '/v1/locks')).status === 200);
});

test('a daemon that stops while lists are made', async (t) => {
  const d = await h.lockDaemon(t, { config: { drainTimeout: '2s', redis: { commandTimeout: h.ms(20_000) } } });
  d.redis.pause();
  const asked = ['/v1/locks', '/v1/locks?user=a', '/v1/locks/document:1'].map((path) => get(d, path).then((a) => a.status, (error) => error.code));
  await h.eventually(() => h.httpGet({ socketPath: d.ops.socket, path: '/healthz' }));
  await d.waitForAudit((a) => a.action === 'ADMIN_QUERY' && a.detail.endsWith('lock'));
  d.signal('SIGTERM');
  assert.deepStrictEqual(await d.end(), { code: 0, signal: null });
  for (const end of await Promise.all(asked)) assert.ok(end === 503 || end === 'ECONNRESET', `${end}`);
  d.redis.resume();
});

test('while the store is away', async (t) => {
  const d = await h.lockDaemon(t, { config: { redis: { commandTimeout: h.ms(500) } } });
  d.redis.pause();
  for (const path of ['/v1/locks', '/v1/locks/document:1']) {
    const answer = await refused(get(d, path), 503, 'BACKEND_UNAVAILABLE');
    assert.strictEqual(answer.headers['retry-after'], '1');
  }
  d.redis.resume();
  const answer = await h.eventually(async () => (await get(d, '/v1/locks')).json.locks && get(d, '/v1/locks'));
  assert.deepStrictEqual(untimed(answer.json), NOTHING);
});

test('without the audit nothing is read', async (t) => {
  const d = await h.lockDaemon(t, { env: h.slowDisk(0), fsize: 200_000, config: { audit: {} } });
  const ann = await d.client({ user: 'ann' });
  await h.view(ann, 'document:1');
  await h.eventually(async () => {
    await get(d, `/v1/locks?user=${'x'.repeat(200)}`);
    return (await d.metric('wslock_audit_errors_total')) > 0;
  }, 'the file is full');
  await refused(get(d, '/v1/locks'), 503, 'AUDIT_UNAVAILABLE');
  await refused(get(d, '/v1/locks/document:1'), 503, 'AUDIT_UNAVAILABLE');
  assert.strictEqual((await h.httpGet(d.opsUrl('/metrics'))).status, 200);
});

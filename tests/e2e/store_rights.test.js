'use strict';
/* The rights in Redis that docs/operations.md lists: enough for every flow, and none of them too much. */
const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const h = require('./harness');

const PASSWORD = 'rights-secret';
const LINE = /^ACL SETUSER wslock .*$/m.exec(fs.readFileSync(path.join(h.ROOT, 'docs/operations.md'), 'utf8'))[0].split(' ');
const NEEDED = LINE.filter((word) => word.startsWith('+')).map((word) => word.slice(1));
const WAIT = 'wait'; // only with redis.waitReplicas
const OPTIONAL = ['client|setname', WAIT];

/* A server with exactly that user beside the test's own, and where a daemon finds it. */
async function server(t, options) {
  const redis = await h.redis(t, { tcp: true, ...options });
  await h.layOut(redis);
  await redis.command(...LINE.map((word) => word.replace('PASSWORD', PASSWORD)));
  return redis;
}

function config(redis, more = {}) {
  return { ...more, redis: { url: `redis://wslock:${PASSWORD}@127.0.0.1:${redis.port}/0`, ...more.redis } };
}

/* Who gets a lock, waits, asks, takes over, leaves, vanishes, lets it expire; and operators. */
async function flows(one, two) {
  const r = (name) => `document:${name}:main`;
  const ann = await h.person(one, 'ann');
  const bob = await h.person(two, 'bob');
  const root = await h.person(two, 'root', { roles: ['lock-admin'] });
  for (const name of ['a', 'b', 'c', 'd']) await h.take(ann, r(name));
  for (const client of [bob, root]) await h.view(client, r('a'));
  const beat = await ann.expect('lock:heartbeat', { resourceId: r('a'), dirty: true }, 'lock:renewed');
  await bob.expect('lock:acquire', { resourceId: r('a') }, 'lock:queued');
  const asked = await bob.expect('lock:request', { resourceId: r('a'), message: 'please' }, 'lock:requested');
  await ann.waitFor('lock:request_received');
  await ann.expect('lock:request_reply', { requestId: asked.requestId, action: 'APPROVE' }, 'lock:request_replied');
  await bob.expect('lock:claim', { resourceId: r('a') }, 'lock:acquired');
  await root.expect('lock:takeover', { resourceId: r('a'), reason: 'now' }, 'lock:takeover_pending');
  const { data: takeover } = await bob.waitFor('lock:takeover_requested');
  await bob.expect('lock:takeover_reply', { requestId: takeover.requestId, action: 'APPROVE' }, 'lock:takeover_replied');
  await root.waitFor('lock:acquired');
  assert.strictEqual((await h.opsCall(two, 'POST', `/v1/locks/${r('b')}/verify`, { token: beat.token })).json.valid, false);
  await h.view(bob, r('b'));
  const why = { reason: 'left', actor: 'ops' };
  assert.strictEqual((await h.opsCall(two, 'POST', `/v1/locks/${r('b')}/takeover`, { ...why, userId: 'bob' })).status, 200);
  assert.strictEqual((await h.opsCall(two, 'DELETE', `/v1/locks/${r('b')}`, why)).status, 200);
  await ann.expect('lock:release', { resourceId: r('c') }, 'lock:released');
  await ann.expect('resource:leave', { resourceId: r('c') }, 'resource:left');
  const brief = await h.person(one, 'brief');
  await h.take(brief, 'brief:1');
  await h.view(bob, 'brief:1');
  await brief.terminate();
  await bob.waitFor('lock:released', (x) => x.reason === 'GRACE_PERIOD_EXPIRED');
  return { ann, bob };
}

test('the listed rights are enough for every flow, and what scripts and daemon run is listed', async (t) => {
  const redis = await server(t, { steppable: true });
  const own = { redis: { lease: h.ms(1500) }, auth: { adminRoles: ['lock-admin'] }, default: { requests: true, upgrade: 'queue', takeover: 'request', takeoverTimeout: '30s', gracePeriod: '8s', maxConcurrentTabLocksPerUser: 20 }, resourceTypes: { brief: { gracePeriod: h.ms(500) } } };
  await redis.command('CONFIG', 'RESETSTAT');
  const one = await h.lockDaemon(t, { redis, config: config(redis, { ...own, instance: 'one' }) });
  const two = await h.lockDaemon(t, { redis, config: config(redis, { ...own, instance: 'two' }) });
  const { ann, bob } = await flows(one, two);
  // One dies: it is swept, and what its audit may lack is read.
  await h.view(bob, 'document:d');
  await one.kill();
  await bob.waitFor('lock:state', (x) => x.resourceId === 'document:d:main' && x.lock.state === 'grace');
  await two.waitForLog(/^audit_read_back /);
  // Emptied: what is left is told again, then members are compared.
  const held = await h.take(bob, 'document:e');
  await redis.command('FLUSHALL');
  assert.strictEqual((await h.settled(bob, 'lock:heartbeat', { resourceId: 'document:e', token: held.token })).data.token, held.token);
  await redis.command('CLIENT', 'KILL', 'USER', 'wslock');
  await bob.waitFor('system:recovered');
  await redis.command('FUNCTION', 'FLUSH');
  assert.strictEqual((await h.settled(bob, 'lock:heartbeat', { resourceId: 'document:e', token: held.token })).event, 'lock:renewed');
  await ann.end();
  await h.granting(two); // the window is closed
  redis.setClock(-3_600_000);
  await two.waitForLog(/^store_clock_stepped /);
  const ran = () => redis.command('INFO', 'commandstats').then((text) => [...text.matchAll(/^cmdstat_([^:]+):/gm)].map((m) => m[1]));
  for (const [name, what] of [['sscan', 'the members are compared'], ['zscan', 'deadlines are pulled in']]) {
    await h.eventually(async () => (await ran()).includes(name), what);
  }
  const denied = await redis.command('ACL', 'LOG');
  assert.deepStrictEqual(denied, [], 'nothing was refused');
  // Each that is listed was run, and no other; the test's own are no command of a lock.
  const own2 = new Set(['config|resetstat', 'flushall', 'client|kill', 'function|flush', 'acl|log', 'auth']);
  const seen = (await ran()).filter((name) => !own2.has(name)).sort();
  assert.deepStrictEqual(seen, NEEDED.filter((name) => name !== WAIT).sort());
  await h.checkAll(two);
});

test('what the scripts and the daemon name in their text is listed, and asked for', () => {
  const folder = path.join(h.ROOT, 'src/lock/lua');
  const text = fs.readdirSync(folder).filter((f) => f.endsWith('.lua')).map((f) => fs.readFileSync(path.join(folder, f), 'utf8')).join('\n');
  const called = new Set([...text.matchAll(/\b(?:p?call|try)\('([A-Za-z]+)'/g)].map((m) => m[1].toLowerCase()));
  assert.ok(called.size > 25);
  for (const name of called) assert.ok(NEEDED.includes(name), `${name} is in no list`);
  const rights = ['rights.lua', 'need.lua'].map((file) => fs.readFileSync(path.join(folder, file), 'utf8')).join('\n');
  const asked = [...rights.matchAll(/\{'([a-z]+)'(?:, '(load)')?/g)].map((m) => (m[2] ? `${m[1]}|${m[2]}` : m[1]))
    .concat([...rights.matchAll(/\[\[([^\]]+)\]\]/g)].flatMap((m) => m[1].trim().split(/\s+/)));
  assert.deepStrictEqual(asked.sort(), NEEDED.filter((name) => name === WAIT || !OPTIONAL.includes(name)).sort());
});

test('each right withdrawn while it runs: told away with the cause, and recovered by itself', async (t) => {
  const redis = await server(t);
  const d = await h.lockDaemon(t, { redis, config: config(redis, { redis: { lease: h.ms(600), commandTimeout: h.ms(600) }, ops: { readyGrace: '100ms' }, default: { gracePeriod: '2m', lockTtl: '10m' } }) });
  const ann = await h.person(d, 'ann');
  const { token } = await h.take(ann, 'document:rights');
  const ready = async () => (await h.httpGet(d.opsUrl('/readyz'))).json;
  for (const name of NEEDED.filter((n) => !OPTIONAL.includes(n))) {
    await redis.command('ACL', 'SETUSER', 'wslock', `-${name}`);
    const cause = new RegExp(`the store is away: 127\\.0\\.0\\.1:\\d+: .*${name.replace('|', '\\|')}\\b`);
    await h.eventually(async () => (await ready()).reasons.some((text) => cause.test(text)), `a store without ${name}`);
    assert.strictEqual(await d.metric('wslock_store_up'), 0, name);
    await redis.command('ACL', 'SETUSER', 'wslock', `+${name}`);
    await h.eventually(async () => (await d.metric('wslock_store_up')) === 1, `served again with ${name}`);
    assert.ok((await ready()).reasons.every((text) => !text.includes('no right')));
  }
  for (const event of ['system:degraded', 'system:recovered']) {
    assert.ok(ann.received(event).length >= NEEDED.length - OPTIONAL.length, event);
  }
  await h.granting(d);
  assert.strictEqual((await h.settled(ann, 'lock:heartbeat', { resourceId: 'document:rights', token })).event, 'lock:renewed');
  assert.strictEqual(ann.received('lock:lost').length, 0);
  for (const name of OPTIONAL) {
    await redis.command('ACL', 'SETUSER', 'wslock', `-${name}`);
    const before = d.log.filter((line) => /^store_recovered/.test(line)).length;
    await redis.command('CLIENT', 'KILL', 'USER', 'wslock');
    await h.eventually(() => d.log.filter((line) => /^store_recovered/.test(line)).length > before, `connects without ${name}`);
    assert.strictEqual((await h.settled(ann, 'lock:heartbeat', { resourceId: 'document:rights', token })).event, 'lock:renewed');
  }
  await h.checkAll(d);
});

/* One command is forbidden while people work, and allowed again before the next look at the rights. */
test('no change without event and audit record, whichever right is withdrawn in between', async (t) => {
  const redis = await server(t);
  const own = { redis: { lease: '30s' }, auth: { adminRoles: ['lock-admin'] }, default: { upgrade: 'queue', gracePeriod: '2m', lockTtl: '10m', heartbeatInterval: '1m', maxConcurrentTabLocksPerUser: 200 } };
  const d = await h.lockDaemon(t, { redis, config: config(redis, own) });
  await h.granting(d);
  const ann = await h.person(d, 'ann');
  const bob = await h.person(d, 'bob');
  for (const name of NEEDED.filter((n) => !OPTIONAL.includes(n))) {
    const r = `document:${name.replace('|', '-')}:main`;
    // Its shard may be resynchronised after an earlier call without a known outcome.
    for (const who of [ann, bob]) assert.strictEqual((await h.settled(who, 'resource:join', { resourceId: r })).event, 'resource:joined');
    const { event: first, data: { token } } = await h.settled(ann, 'lock:acquire', { resourceId: r });
    assert.strictEqual(first, 'lock:acquired');
    const steps = [[ann, 'lock:heartbeat', { token, dirty: true }], [bob, 'lock:acquire', {}], [bob, 'lock:queue_leave', {}], [ann, 'lock:release', {}], [bob, 'lock:acquire', {}], [bob, 'resource:leave', {}]];
    for (const [who, event, data] of steps) {
      await redis.command('ACL', 'SETUSER', 'wslock', `-${name}`);
      const { event: answer } = await who.request(event, { resourceId: r, ...data });
      await redis.command('ACL', 'SETUSER', 'wslock', `+${name}`);
      if (answer === 'error') await h.settled(who, event, { resourceId: r, ...data });
    }
  }
  await h.checkAll(d);
  const tokens = new Set([ann, bob].flatMap((who) => who.received('lock:acquired')).map((m) => m.data.token));
  const lacking = () => {
    const granted = new Set(d.audit().filter((record) => record.action === 'LOCK_ACQUIRED').map((record) => record.fence));
    return [...tokens].filter((token) => !granted.has(token));
  };
  await h.eventually(() => lacking().length === 0, 'each grant is in the audit').catch(() => assert.deepStrictEqual(lacking(), []));
});

test('WAIT is needed with redis.waitReplicas, and only then', async (t) => {
  const redis = await server(t);
  await redis.command('ACL', 'SETUSER', 'wslock', `-${WAIT}`);
  const d = await h.newDaemon(t, { redis: null, config: config(redis, { redis: { waitReplicas: 1, startTimeout: h.ms(3000) } }) });
  d.spawn();
  assert.deepStrictEqual(await d.end(), { code: 3, signal: null }, d.tail());
  assert.match(d.tail(), /store_unreachable problem=".*no right to wait"/);
});

test('all rights that are missing are told at once', async (t) => {
  const redis = await server(t);
  const d = await h.lockDaemon(t, { redis, config: config(redis, { redis: { lease: h.ms(1500) }, ops: { readyGrace: '100ms' } }) });
  await h.granting(d);
  const kept = ['fcall', 'function|load', 'ping', 'info'];
  await redis.command('ACL', 'SETUSER', 'wslock', '-@all', ...kept.map((name) => `+${name}`));
  const reason = await h.eventually(async () => (await h.httpGet(d.opsUrl('/readyz'))).json.reasons?.find((text) => text.includes('no right to')), 'the cause');
  const told = /no right to (.*)$/.exec(reason)[1].split(', ');
  assert.deepStrictEqual(told.sort(), NEEDED.filter((name) => ![...kept, ...OPTIONAL].includes(name)).sort());
});

test('a right that is missing at start: exit 3, and which', { concurrency: 6 }, async (t) => {
  await h.together(t, Object.fromEntries(['info', 'fcall', 'function|load', 'xread', 'zrank', 'sscan', 'ping'].map((name) => [name, async (st) => {
    const redis = await server(st);
    await redis.command('ACL', 'SETUSER', 'wslock', `-${name}`);
    const d = await h.newDaemon(st, { redis: null, config: config(redis, { redis: { startTimeout: h.ms(5000) } }) });
    d.spawn();
    assert.deepStrictEqual(await d.end(), { code: 3, signal: null }, d.tail());
    const [line] = d.log.filter((text) => /^store_unreachable /.test(text));
    assert.match(line, new RegExp(`problem="127\\.0\\.0\\.1:${redis.port}: .*\\b${name.replace('|', '\\|')}\\b`));
    assert.ok(!/user_function/.test(line), 'not where in which script');
  }])));
});

test('the keys of another prefix: every right on them is missing', async (t) => {
  const redis = await server(t);
  const d = await h.newDaemon(t, { redis: null, config: config(redis, { redis: { keyPrefix: 'other', startTimeout: h.ms(5000) } }) });
  d.spawn();
  assert.deepStrictEqual(await d.end(), { code: 3, signal: null }, d.tail());
  assert.match(d.tail(), /store_unreachable problem=".*(NOPERM|No permissions|ACL failure).*key/i);
});

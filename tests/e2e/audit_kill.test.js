'use strict';
/*
 * kill -9 while the audit is written, again and again: no takeover that was answered is missing, none is there twice,
 * and the chain goes on. WSLOCK_TEST_KILLS sets the rounds, WSLOCK_TEST_SEED repeats a run.
 */
const assert = require('node:assert');
const { test } = require('node:test');
const h = require('./harness');

const ROUNDS = Number(process.env.WSLOCK_TEST_KILLS ?? 25);
const ROOMS = 4;

/* Administrators who take a lock from each other until the connection ends; notes each takeover that was answered. */
async function takeInTurn(d, resourceId, answered) {
  const people = await Promise.all(['root', 'boss'].map((user) => h.person(d, `${user}-${resourceId}`, { roles: ['lock-admin'] })));
  for (const one of people) {
    await one.request('resource:join', { resourceId });
  }
  for (let i = 0; ; i++) {
    const { event, data } = await people[i % 2].request('lock:takeover', { resourceId, reason: `turn ${i}` });
    if (event === 'lock:acquired') {
      // A lock that was free, or one's own, is no takeover.
      if (data.previous?.reason === 'TAKEN_BY_ADMIN') answered.push({ resourceId, token: data.token });
    } else {
      assert.ok(data.code === 'BACKEND_UNAVAILABLE' || data.reason === 'RECOVERING', JSON.stringify(data));
    }
  }
}

test(`${ROUNDS} times killed (WSLOCK_TEST_SEED=${h.SEED})`, { timeout: 60_000 + ROUNDS * 5000 * h.SLOW }, async (t) => {
  const rnd = h.random(h.SEED);
  const d = await h.newDaemon(t, { config: {
    auth: { adminRoles: ['lock-admin'] },
    resourceTypes: { instant: { takeover: 'immediate', gracePeriod: '5m' } },
    redis: { lease: h.ms(1500), commandTimeout: h.ms(500) },
    limits: { messagesPerSecond: 10_000, messageBurst: 10_000, maxConnectionsPerUser: 100_000 },
  } });
  const answered = [];
  let busy = 0; // rounds in which a takeover was answered
  await d.start();
  for (let round = 0; round < ROUNDS; round++) {
    const before = answered.length;
    const turns = Array.from({ length: ROOMS }, (_, i) => takeInTurn(d, `instant:${i}:main`, answered).catch((error) => {
      assert.ok(d.exit || !d.running || /gone|closed|ECONN|ended/i.test(error.message), error.stack);
    }));
    await h.eventually(() => answered.length > before, 'a takeover');
    busy++;
    await new Promise((resolve) => { setTimeout(resolve, rnd.between(0, 60)); }); // when it is killed
    await d.kill();
    await Promise.all(turns);
    await d.restart();
  }
  const { redis } = d;
  await h.eventually(async () => {
    for (const key of await redis.keys('*:written')) if (Object.keys(await redis.hash(key)).length !== 1) return false;
    return true;
  }, 'what the killed ones had not written is recorded', h.TIMEOUT * 5 + ROUNDS * 500);
  await d.stop();
  const records = h.readChain([d.auditFile]);
  const taken = new Map();
  for (const a of records.filter((r) => r.action === 'LOCK_TAKEOVER')) {
    const key = `${a.resourceId} ${a.fence}`;
    assert.ok(!taken.has(key), `twice: ${key}`);
    taken.set(key, a);
  }
  for (const { resourceId, token } of answered) {
    const record = taken.get(`${resourceId} ${token}`);
    assert.ok(record, `an answered takeover is missing: ${resourceId} ${token}`);
    assert.match(record.reason, /^turn \d+$/);
  }
  assert.strictEqual(busy, ROUNDS);
  assert.strictEqual(records.filter((a) => a.action === 'AUDIT_STARTED').length, ROUNDS + 1);
  const count = (action) => records.filter((a) => a.action === action).length;
  t.diagnostic(`${answered.length} takeovers answered, ${records.length} records, ${count('AUDIT_REPAIRED')} repairs, `
    + `${records.filter((a) => a.recovered).length} recovered`);
});

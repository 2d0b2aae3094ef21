'use strict';
/*
 * A failover to a replica that lags: what the old master had granted, moved and ended, and the new one does not know.
 * All of it at once, on two instances, and then what must hold: the highest token of each resource has it, what has
 * ended stays so, every loss is told, and the audit has each change once.
 */
const assert = require('node:assert');
const { test } = require('node:test');
const h = require('./harness');

const config = (instance, redis) => ({
  instance,
  auth: { adminRoles: ['lock-admin'] },
  default: { lockTtl: '120s', heartbeatInterval: '40s', gracePeriod: h.ms(8000), upgrade: 'queue', requests: true, takeover: 'immediate', maxConcurrentTabLocksPerUser: 50, claimWindow: '2m' },
  limits: { messagesPerSecond: 1000, messageBurst: 2000 },
  redis: { ...redis, lease: h.ms(3000), commandTimeout: h.ms(1000) },
});

const r = (name) => `document:${name}:main`;

/* Everybody who matters for one resource. */
async function scene(t) {
  const stores = await h.laggingPair(t);
  const one = await h.lockDaemon(t, { redis: stores, config: config('one', stores.redis) });
  const two = await h.lockDaemon(t, { redis: stores, config: config('two', stores.redis) });
  const ann = await h.person(one, 'ann');
  const again = await h.person(two, 'ann'); // another tab of hers
  const bob = await h.person(two, 'bob');
  const root = await h.person(two, 'root', { roles: ['lock-admin'] });
  return { ...stores, one, two, ann, again, bob, root };
}

const BEFORE = ['released', 'regranted', 'taken', 'queued', 'moved', 'left', 'approved', 'kept', 'reacquired'];
const AFTER = ['fresh', 'brief'];

async function change({ ann, again, bob, root }, tokens) {
  const final = {}; // resource -> the user who has it, and the token
  const acquire = async (who, name) => (await who.expect('lock:acquire', { resourceId: r(name) }, 'lock:acquired')).token;
  const release = (who, name) => who.expect('lock:release', { resourceId: r(name) }, 'lock:released');
  await release(ann, 'released');
  final.released = null;
  await release(ann, 'regranted');
  final.regranted = [bob, await acquire(bob, 'regranted')];
  final.taken = [root, (await root.expect('lock:takeover', { resourceId: r('taken'), reason: 'must' }, 'lock:acquired')).token];
  await release(ann, 'queued');
  await bob.waitFor('lock:your_turn', (x) => x.resourceId === r('queued'));
  final.queued = [bob, (await bob.expect('lock:claim', { resourceId: r('queued') }, 'lock:acquired')).token];
  final.moved = [again, (await again.expect('lock:acquire', { resourceId: r('moved'), takeOwn: true }, 'lock:acquired')).token];
  await ann.expect('resource:leave', { resourceId: r('left') }, 'resource:left');
  final.left = null;
  const { requestId } = await bob.expect('lock:request', { resourceId: r('approved'), message: 'please' }, 'lock:requested');
  await ann.waitFor('lock:request_received', (x) => x.requestId === requestId);
  await ann.expect('lock:request_reply', { requestId, action: 'APPROVE' }, 'lock:request_replied');
  final.approved = [bob, (await bob.expect('lock:claim', { resourceId: r('approved') }, 'lock:acquired')).token];
  final.kept = [ann, tokens.kept];
  await release(ann, 'reacquired');
  final.reacquired = [ann, await acquire(ann, 'reacquired')];
  final.fresh = [ann, await acquire(ann, 'fresh')];
  await acquire(ann, 'brief');
  await release(ann, 'brief');
  await acquire(bob, 'brief');
  await release(bob, 'brief');
  final.brief = null;
  return final;
}

/* The highest token that anybody was told for each resource. */
function highest(clients) {
  const top = {};
  for (const client of clients) {
    for (const m of ['lock:acquired', 'lock:renewed'].flatMap((event) => client.received(event))) {
      top[m.data.resourceId] = Math.max(top[m.data.resourceId] || 0, m.data.token);
    }
  }
  return top;
}

/* Actions under a token that can happen once to it. */
const ONCE = ['LOCK_ACQUIRED', 'LOCK_CLAIMED', 'LOCK_MOVED', 'LOCK_TAKEOVER', 'LOCK_RELEASED', 'LOCK_EXPIRED', 'LOCK_GRACE_EXPIRED'];

function auditOnce(daemons) {
  const seen = new Map();
  for (const record of daemons.flatMap((d) => d.audit())) {
    if (!record.eventId || record.outcome !== 'success') continue;
    const event = `${record.eventId} ${record.resourceId} ${record.action}`;
    assert.ok(!seen.has(event), `twice: ${event}`);
    seen.set(event, record);
    if (!ONCE.includes(record.action) || !record.fence) continue;
    const change = `${record.resourceId} ${record.action} ${record.fence}`;
    assert.ok(!seen.has(change), `twice: ${change}: ${JSON.stringify([seen.get(change), record])}`);
    seen.set(change, record);
  }
  return [...seen.values()];
}

async function check(s, final, tokens) {
  const { one, two, ann, again, bob, root } = s;
  const everyone = [ann, again, bob, root];
  for (const client of everyone) await client.waitFor('system:recovered');
  for (const [name, has] of Object.entries(final)) {
    if (has) {
      const beat = await h.settled(has[0], 'lock:heartbeat', { resourceId: r(name), token: has[1] });
      assert.deepStrictEqual([beat.event, beat.data.token], ['lock:renewed', has[1]], name);
    } else {
      await h.eventually(async () => (await h.status(bob, r(name))).state === 'free', `${name} is free`);
    }
  }
  await h.granting(one); // inside the recovery window nobody can say how a token ended
  await h.granting(two);
  // Who had it before does not get it back, by a heartbeat or by a join with the token.
  const lost = { released: 'RELEASED', regranted: 'RELEASED', taken: 'TAKEN_BY_ADMIN', queued: 'RELEASED', moved: 'MOVED', approved: 'TRANSFERRED' };
  const back = await one.client(ann.options.clientId ? { ...ann.options, clientId: h.tab() } : ann.options);
  for (const [name, reason] of Object.entries(lost)) {
    const beat = await h.settled(ann, 'lock:heartbeat', { resourceId: r(name), token: tokens[name] });
    assert.strictEqual(beat.event, 'lock:lost', name);
    assert.ok(['STALE_TOKEN', 'NOT_HELD'].includes(beat.data.reason), `${name} ${beat.data.reason}`);
    const joined = await h.settled(back, 'resource:join', { resourceId: r(name), token: tokens[name] });
    assert.strictEqual(joined.data.lost?.reason, reason, `${name} ${JSON.stringify(joined.data.lost)}`);
  }
  // Nothing is granted again under a token that was told.
  const top = highest(everyone);
  for (const [name, has] of Object.entries(final)) {
    if (has) await has[0].expect('lock:release', { resourceId: r(name) }, 'lock:released');
    const { data } = await h.settled(bob, 'lock:acquire', { resourceId: r(name) });
    assert.ok(data.token > top[r(name)], `${name}: ${data.token} after ${top[r(name)]}`);
  }
  // Only those lost a lock to whom that was told before the failover.
  const told = everyone.map((client) => client.received('lock:lost').filter((m) => m.id === undefined).map((m) => [m.data.resourceId, m.data.token, m.data.reason]));
  assert.deepStrictEqual(told[0].sort(), [[r('approved'), tokens.approved, 'TRANSFERRED'], [r('moved'), tokens.moved, 'MOVED'], [r('taken'), tokens.taken, 'TAKEN_BY_ADMIN']].sort());
  assert.deepStrictEqual(told.slice(1), [[], [], []]);
  await h.checkAll(one, two);
  const records = auditOnce([one, two]);
  for (const [resourceId, token] of Object.entries(top)) {
    assert.ok(records.some((record) => record.resourceId === resourceId && record.fence === token), `${resourceId} ${token} is in an audit`);
  }
}

async function play(t, down) {
  const s = await scene(t);
  const tokens = {};
  for (const name of BEFORE) tokens[name] = (await h.take(s.ann, r(name))).token;
  for (const name of AFTER) await h.view(s.ann, r(name));
  for (const name of [...BEFORE, ...AFTER]) {
    for (const client of [s.again, s.bob, s.root]) await h.view(client, r(name));
  }
  await s.bob.expect('lock:acquire', { resourceId: r('queued') }, 'lock:queued');
  await s.fallBehind(BEFORE.length);
  const final = await change(s, tokens);
  await down(s);
  await check(s, final, tokens);
}

test('a failover to a replica that lags', { concurrency: 3 }, async (t) => {
  await h.together(t, {
    'at once': (st) => play(st, (s) => s.failOver()),
    'after the store was away for longer than the leases': (st) => play(st, async (s) => {
      await s.away();
      for (const client of [s.ann, s.bob]) await client.waitFor('system:degraded');
      await new Promise((resolve) => { setTimeout(resolve, 4000 * h.SLOW); });
      await s.failOver();
    }),
    'while one instance stands still, which then comes back': (st) => play(st, async (s) => {
      s.one.signal('SIGSTOP');
      try {
        await s.failOver();
        await s.bob.waitFor('system:degraded');
        await new Promise((resolve) => { setTimeout(resolve, 1000 * h.SLOW); });
      } finally {
        s.one.signal('SIGCONT');
      }
    }),
  });
});

'use strict';
/* One edits: getting the lock, keeping it, losing it, giving it back. */
const assert = require('node:assert');
const { test } = require('node:test');
const h = require('./harness');

const TTL = 5000 * h.SLOW;
const IDLE = 1800 * h.SLOW;

test('the lock', { concurrency: 16 }, async (t) => {
  const d = await h.lockDaemon(t, {
    config: {
      default: { lockTtl: '60s', heartbeatInterval: '20s', maxConcurrentTabLocksPerUser: 2 },
      resourceTypes: {
        kept: { lockTtl: `${TTL * 2}ms`, heartbeatInterval: `${TTL * 0.8}ms` },
        short: { lockTtl: `${TTL}ms`, heartbeatInterval: `${TTL * 0.4}ms` },
        idle: { lockTtl: '60s', heartbeatInterval: `${IDLE / 2}ms`, idleRelease: `${IDLE}ms` },
      },
    },
  });
  const pair = async (name, resourceId) => {
    const ann = await d.client({ user: `${name}-ann`, name: 'Ann', clientId: h.tab() });
    const bob = await d.client({ user: `${name}-bob`, name: 'Bob', clientId: h.tab() });
    await h.view(ann, resourceId);
    await h.view(bob, resourceId);
    return [ann, bob];
  };
  const acquire = (c, resourceId, more) => c.expect('lock:acquire', { resourceId, ...more }, 'lock:acquired');
  const denied = (c, resourceId, more) => c.expect('lock:acquire', { resourceId, ...more }, 'lock:denied');
  const beat = (c, resourceId, more) => c.expect('lock:heartbeat', { resourceId, ...more }, 'lock:renewed');

  await h.together(t, {
    'acquire: granted to one, told to all, denied to the other': async () => {
      const r = 'document:acquire';
      const [ann, bob] = await pair('acq', r);
      const got = await acquire(ann, r);
      assert.deepStrictEqual(got, {
        resourceId: 'document:acquire:main', rev: got.rev, token: got.token, expiresAt: got.expiresAt, serverTime: got.serverTime,
        ttlMs: 60000, heartbeatIntervalMs: 20000,
      });
      assert.ok(got.token > 0 && got.token < 2 ** 53);
      assert.ok(Math.abs(got.expiresAt - got.serverTime - 60000) <= 1);
      for (const c of [ann, bob]) {
        const { data } = await c.waitFor('lock:state');
        assert.deepStrictEqual(data, {
          resourceId: 'document:acquire:main', rev: data.rev, cause: 'ACQUIRED', serverTime: data.serverTime,
          lock: {
            state: 'held', holder: { userId: 'acq-ann', username: 'Ann' }, since: data.lock.since, expiresAt: got.expiresAt,
            dirty: false, queueLength: 0,
          },
        });
        assert.strictEqual(data.rev, got.rev);
      }
      const no = await denied(bob, r);
      assert.strictEqual(no.reason, 'HELD');
      assert.strictEqual(no.currentHolder, 'Ann');
      assert.deepStrictEqual(no.holder, { userId: 'acq-ann', username: 'Ann' });
      assert.strictEqual(no.expiresAt, got.expiresAt);
      assert.ok(no.rev >= got.rev, "a reply that changed nothing carries the shard's last rev");
      const record = await d.waitForAudit((a) => a.action === 'LOCK_ACQUIRED' && a.resourceId === 'document:acquire:main');
      assert.strictEqual(record.fence, got.token);
      assert.strictEqual(record.rev, got.rev);
      assert.strictEqual(record.user.id, 'acq-ann');
      assert.strictEqual(record.sessionId, ann.welcome.sessionId);
      assert.strictEqual(record.eventId, `${got.rev}-0`);
      assert.strictEqual(d.audit().filter((a) => a.action === 'LOCK_ACQUIRED' && a.resourceId === 'document:acquire:main').length, 1);
    },
    'acquiring what one holds is harmless': async () => {
      const r = 'document:twice';
      const [ann] = await pair('twice', r);
      const first = await acquire(ann, r);
      await h.eventually(() => Date.now() > first.serverTime + 20);
      const second = await acquire(ann, r);
      assert.strictEqual(second.token, first.token);
      assert.ok(second.expiresAt > first.expiresAt);
      assert.strictEqual(second.previous, undefined);
    },
    'tokens only grow; previous says how the lock before ended, with its revision': async () => {
      const r = 'document:tokens';
      const [ann, bob] = await pair('tok', r);
      let last = 0;
      for (let round = 0; round < 4; round++) {
        const [who, other] = round % 2 ? [bob, ann] : [ann, bob];
        const got = await acquire(who, r);
        assert.ok(got.token > last, `${got.token} after ${last}`);
        if (round > 0) {
          const { endedAt } = got.previous;
          assert.deepStrictEqual(got.previous, {
            userId: other.options.user, username: other.options.name, reason: 'RELEASED', dirty: round === 2,
            ...(round === 3 ? {} : { revision: `r${round}` }), endedAt,
          });
          assert.ok(Math.abs(endedAt - got.serverTime) < 10_000 * h.SLOW);
        }
        last = got.token;
        if (round === 1) await beat(who, r, { dirty: true });
        const released = await who.expect('lock:release', { resourceId: r, ...(round !== 2 && { revision: `r${round + 1}` }) }, 'lock:released');
        assert.deepStrictEqual(released, { resourceId: 'document:tokens:main', rev: released.rev, reason: 'RELEASED' });
        const { data } = await other.waitFor('lock:released', (x) => x.rev === released.rev);
        assert.deepStrictEqual(data, { resourceId: 'document:tokens:main', rev: released.rev, reason: 'RELEASED', previousHolder: who.options.user });
        const { data: state } = await other.waitFor('lock:state', (x) => x.rev === released.rev);
        assert.deepStrictEqual([state.cause, state.lock], ['RELEASED', { state: 'free' }]);
      }
      await ann.sync();
      assert.strictEqual(ann.received('lock:lost').length, 0, 'what is given back is not lost');
    },
    'release by who does not hold it': async () => {
      const r = 'document:notmine';
      const [ann, bob] = await pair('notmine', r);
      await h.refused(ann, 'lock:release', { resourceId: r }, 'NOT_HOLDER');
      await acquire(ann, r);
      const error = await h.refused(bob, 'lock:release', { resourceId: r }, 'NOT_HOLDER');
      assert.strictEqual(error.resourceId, 'document:notmine:main');
      assert.strictEqual((await h.status(bob, r)).state, 'held');
      assert.strictEqual((await h.refused(ann, 'lock:release', { resourceId: r, revision: 'x'.repeat(129) }, 'INVALID_ARGUMENT')).field, 'revision');
      await ann.expect('lock:release', { resourceId: r, revision: 'ü'.repeat(128) }, 'lock:released');
      assert.strictEqual((await acquire(bob, r)).previous.revision, 'ü'.repeat(128));
    },
    'status: for anyone, without a join, without a cause': async () => {
      const r = 'document:status';
      const [ann] = await pair('status', r);
      const other = await d.client({ user: 'status-other' });
      const free = await other.expect('lock:status', { resourceId: r }, 'lock:state');
      assert.deepStrictEqual(free, { resourceId: 'document:status:main', rev: free.rev, lock: { state: 'free', mine: false }, serverTime: free.serverTime });
      await acquire(ann, r);
      assert.strictEqual((await h.status(ann, r)).mine, true);
      const held = await h.status(other, r);
      assert.strictEqual(held.mine, false);
      assert.deepStrictEqual(held.holder, { userId: 'status-ann', username: 'Ann' });
    },
    'heartbeat: a later end; dirty is told to all; a wrong token is told': async () => {
      const r = 'document:beat';
      const [ann, bob] = await pair('beat', r);
      const { token, expiresAt } = await acquire(ann, r);
      await h.eventually(() => Date.now() > expiresAt - 60000 + 30);
      const renewed = await beat(ann, r, { token });
      assert.deepStrictEqual(renewed, { resourceId: 'document:beat:main', rev: renewed.rev, token, expiresAt: renewed.expiresAt, serverTime: renewed.serverTime });
      assert.ok(renewed.expiresAt > expiresAt);
      await beat(ann, r, { dirty: true });
      const { data: dirty } = await bob.waitFor('lock:state', (s) => s.cause === 'RENEWED' && s.lock.dirty);
      assert.ok(dirty.lock.expiresAt >= renewed.expiresAt);
      await beat(ann, r); // says nothing about dirty
      assert.strictEqual((await h.status(bob, r)).dirty, true);
      await beat(ann, r, { dirty: false });
      await bob.waitFor('lock:state', (s) => s.lock.dirty === false && s.cause === 'RENEWED');
      const lost = await ann.expect('lock:heartbeat', { resourceId: r, token: token - 1 }, 'lock:lost');
      assert.deepStrictEqual([lost.token, lost.reason], [token - 1, 'STALE_TOKEN']);
      assert.strictEqual((await h.status(ann, r)).mine, true, 'the lock is not touched');
      const stale = await d.waitForAudit((a) => a.action === 'STALE_TOKEN_REJECTED' && a.resourceId === 'document:beat:main');
      assert.strictEqual(stale.fence, token - 1);
      assert.strictEqual(stale.outcome, 'failure');
      assert.ok((await d.metric('wslock_stale_tokens_total')) >= 1);
      const notHeld = await bob.expect('lock:heartbeat', { resourceId: r, token }, 'lock:lost');
      assert.deepStrictEqual([notHeld.token, notHeld.reason], [token, 'NOT_HELD']);
      const free = 'document:beat-free';
      await h.view(bob, free);
      assert.strictEqual((await bob.expect('lock:heartbeat', { resourceId: free }, 'lock:lost')).reason, 'NOT_HELD');
    },
    'renewals are told at most once in half a heartbeat interval': async () => {
      const r = 'short:often';
      const [ann, bob] = await pair('often', r);
      await acquire(ann, r);
      for (let i = 0; i < 12; i++) await beat(ann, r);
      await ann.expect('lock:release', { resourceId: r }, 'lock:released');
      await bob.waitFor('lock:released');
      const told = bob.received('lock:state').filter((m) => m.data.cause === 'RENEWED');
      // By when the store renewed it, however late it is told.
      const first = bob.received('lock:state').find((m) => m.data.cause === 'ACQUIRED').data.lock.expiresAt;
      let last = first;
      for (const { data } of told) {
        assert.ok(data.lock.expiresAt - last >= TTL * 0.2, `${data.lock.expiresAt - last} ms after the last`);
        last = data.lock.expiresAt;
      }
      assert.ok(told.length <= 11);
    },
    'expiry: lock:expiring before, lock:lost and lock:released after': async () => {
      const r = 'short:expire';
      const [ann, bob] = await pair('exp', r);
      const got = await acquire(ann, r);
      const { data: warned } = await ann.waitFor('lock:expiring');
      assert.deepStrictEqual(warned, { resourceId: 'short:expire:main', rev: warned.rev, expiresAt: got.expiresAt, serverTime: warned.serverTime });
      const left = warned.expiresAt - warned.serverTime;
      assert.ok(left <= TTL / 5 && left > 0, `${left} ms left when it was told`);
      const { data: lost } = await ann.waitFor('lock:lost');
      assert.deepStrictEqual(lost, { resourceId: 'short:expire:main', rev: lost.rev, token: got.token, reason: 'EXPIRED' });
      const { data: released } = await bob.waitFor('lock:released');
      assert.deepStrictEqual(released, { resourceId: 'short:expire:main', rev: lost.rev, reason: 'EXPIRED', previousHolder: 'exp-ann' });
      const { data: state } = await bob.waitFor('lock:state', (s) => s.cause === 'EXPIRED');
      assert.ok(state.serverTime >= got.expiresAt, 'not before its time');
      assert.ok(state.serverTime < got.expiresAt + 1000 * h.SLOW, 'the sweeper makes it prompt');
      assert.strictEqual(ann.received('lock:expiring').length, 1, 'once');
      assert.strictEqual(bob.received('lock:expiring').length, 0, 'to the holder alone');
      assert.deepStrictEqual(ann.frames.filter((f) => f.dir === 'in' && /"lock:(lost|released|state)"/.test(f.text) && f.message.data.rev === lost.rev)
        .map((f) => f.message.event).at(-1), 'lock:lost', 'every loss ends with it');
      const { previous } = await acquire(bob, r);
      assert.strictEqual(previous.reason, 'EXPIRED');
      const record = await d.waitForAudit((a) => a.action === 'LOCK_EXPIRED' && a.resourceId === 'short:expire:main');
      assert.strictEqual(record.fence, got.token);
      assert.strictEqual(record.user.id, 'exp-ann');
      assert.ok(record.heldMs >= TTL && record.heldMs < TTL + 2000 * h.SLOW);
      assert.strictEqual(record.previousDirty, false);
    },
    'heartbeats keep it beyond its ttl': async () => {
      const r = 'kept:1';
      const [ann, bob] = await pair('keep', r);
      const { token, expiresAt } = await acquire(ann, r);
      for (let renewed = expiresAt; renewed < expiresAt + TTL * 2;) {
        await ann.waitFor('lock:expiring'); // answers at the last moment
        renewed = (await beat(ann, r, { token })).expiresAt;
      }
      assert.strictEqual((await h.status(bob, r)).state, 'held');
      assert.strictEqual(ann.received('lock:lost').length, 0);
    },
    'idleRelease: only active heartbeats count': async () => {
      const r = 'idle:1';
      const [ann, bob] = await pair('idle', r);
      const { token, serverTime } = await acquire(ann, r);
      const { data: warned } = await ann.waitFor('lock:expiring');
      assert.ok(warned.expiresAt - warned.serverTime <= IDLE / 2 + 1);
      assert.ok(warned.serverTime >= serverTime + IDLE / 2 - 1);
      await beat(ann, r, { token, active: true });
      const { data: again } = await ann.waitFor('lock:expiring');
      assert.ok(again.expiresAt > warned.expiresAt, 'active: it begins anew');
      await beat(ann, r, { token, active: false });
      const { data: lost } = await ann.waitFor('lock:lost');
      assert.deepStrictEqual([lost.token, lost.reason], [token, 'EXPIRED']);
      await bob.waitFor('lock:released', (x) => x.reason === 'EXPIRED');
    },
    'two tabs of one user: HELD_BY_YOU, and takeOwn moves it': async () => {
      const r = 'document:own';
      const [ann, bob] = await pair('own', r);
      const twin = await d.client({ user: 'own-ann', name: 'Ann', clientId: h.tab() });
      await h.view(twin, r);
      const first = await acquire(ann, r);
      await beat(ann, r, { dirty: true });
      const no = await denied(twin, r);
      assert.strictEqual(no.reason, 'HELD_BY_YOU');
      assert.strictEqual((await denied(bob, r, { takeOwn: true })).reason, 'HELD', "takeOwn takes one's own alone");
      const moved = await acquire(twin, r, { takeOwn: true });
      assert.ok(moved.token > first.token);
      const { data: lost } = await ann.waitFor('lock:lost');
      assert.deepStrictEqual([lost.token, lost.reason], [first.token, 'MOVED']);
      const { data: state } = await bob.waitFor('lock:state', (s) => s.cause === 'MOVED');
      assert.strictEqual(state.lock.holder.userId, 'own-ann');
      assert.strictEqual(bob.received('lock:released').length, 0, 'it was not free in between');
      assert.strictEqual((await ann.expect('lock:heartbeat', { resourceId: r, token: first.token }, 'lock:lost')).reason, 'NOT_HELD');
      await beat(twin, r, { token: moved.token });
      assert.strictEqual((await h.status(twin, r)).mine, true);
      assert.strictEqual((await h.status(ann, r)).mine, false);
      const record = await d.waitForAudit((a) => a.action === 'LOCK_MOVED' && a.resourceId === 'document:own:main');
      assert.strictEqual(record.fence, moved.token);
      assert.strictEqual(record.previousDirty, true);
      const free = await acquire(bob, r).catch(() => null);
      assert.strictEqual(free, null);
    },
    'takeOwn of a free lock is an acquire': async () => {
      const r = 'document:own-free';
      const [ann] = await pair('ownfree', r);
      assert.strictEqual((await acquire(ann, r, { takeOwn: true })).resumed, undefined);
    },
    'the tab limit counts the children of one document': async () => {
      const ann = await d.client({ user: 'limit-ann', clientId: h.tab() });
      const children = ['document:limit:a', 'document:limit:b', 'document:limit:c', 'document:limit-other:a'];
      for (const r of children) await h.view(ann, r);
      await acquire(ann, children[0]);
      await acquire(ann, children[1]);
      const error = await h.refused(ann, 'lock:acquire', { resourceId: children[2] }, 'MAX_TAB_LOCKS_EXCEEDED');
      assert.strictEqual(error.limit, 2);
      assert.deepStrictEqual(error.held.sort(), children.slice(0, 2));
      assert.strictEqual(error.resourceId, children[2]);
      await acquire(ann, children[3]); // another document
      await acquire(ann, children[0]); // has it already
      const { answer, joined } = await h.edit(ann, children[2]);
      assert.strictEqual(joined.mode, 'viewer');
      assert.strictEqual(answer.event, 'error');
      assert.strictEqual(answer.data.code, 'MAX_TAB_LOCKS_EXCEEDED');
      const bob = await d.client({ user: 'limit-bob' });
      await h.take(bob, children[2]);
      await bob.expect('lock:release', { resourceId: children[2] }, 'lock:released');
      await ann.expect('lock:release', { resourceId: children[0] }, 'lock:released');
      await acquire(ann, children[2]);
      const twin = await d.client({ user: 'limit-ann', clientId: h.tab() });
      await h.view(twin, children[0]);
      await h.refused(twin, 'lock:acquire', { resourceId: children[0] }, 'MAX_TAB_LOCKS_EXCEEDED');
      await h.view(twin, children[1]);
      await acquire(twin, children[1], { takeOwn: true }); // is exempt
      await ann.terminate(); // its lock goes on counting while in grace
      await h.eventually(async () => (await h.status(twin, children[2])).state === 'grace');
      await h.refused(twin, 'lock:acquire', { resourceId: children[0] }, 'MAX_TAB_LOCKS_EXCEEDED');
    },
    'an expired child does not count against the limit': async () => {
      const ann = await d.client({ user: 'limit2-ann' });
      for (const child of ['a', 'b', 'c']) await h.view(ann, `short:limit2:${child}`);
      await acquire(ann, 'short:limit2:a');
      const { expiresAt } = await acquire(ann, 'short:limit2:b');
      await h.refused(ann, 'lock:acquire', { resourceId: 'short:limit2:c' }, 'MAX_TAB_LOCKS_EXCEEDED');
      await h.eventually(() => Date.now() > expiresAt + 5);
      await acquire(ann, 'short:limit2:c');
    },
    'a race of many for one lock: one wins': async () => {
      const r = 'document:race';
      const clients = await Promise.all(Array.from({ length: 12 }, (_, i) => d.client({ user: `race-${i}` })));
      for (const c of clients) await h.view(c, r);
      const replies = await Promise.all(clients.map((c) => c.request('lock:acquire', { resourceId: r })));
      const won = replies.filter((m) => m.event === 'lock:acquired');
      assert.strictEqual(won.length, 1);
      assert.ok(replies.filter((m) => m.event === 'lock:denied').every((m) => m.data.reason === 'HELD'));
    },
  });
  await h.checkAll(d);
});

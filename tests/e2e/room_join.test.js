'use strict';
/* Coming into a room, as what, and going again. */
const assert = require('node:assert');
const { test } = require('node:test');
const h = require('./harness');

test('joining', { concurrency: 12 }, async (t) => {
  const d = await h.lockDaemon(t, {
    config: {
      default: { lockTtl: '50s', heartbeatInterval: '20s', gracePeriod: '15s' },
      resourceTypes: {
        report: {
          lockTtl: '10m', heartbeatInterval: '90s', upgrade: 'request', requests: true, requestTimeout: '1m', claimWindow: '20s',
          disconnect: 'release', gracePeriod: '11s', takeover: 'never', takeoverTimeout: '12s', maxConcurrentTabLocksPerUser: null, maxViewersPerChild: 7,
        },
        small: { maxViewersPerChild: 2 },
        chart: { editorRoles: ['doctor'] },
      },
      limits: { maxRoomsPerConnection: 3 },
    },
  });

  await h.together(t, {
    'resource:joined has the whole state': async () => {
      const ann = await d.client({ user: 'u-17', name: 'Anna Berg', clientId: h.tab() });
      const joined = await h.view(ann, 'document:42');
      assert.ok(Number.isSafeInteger(joined.rev));
      assert.ok(Math.abs(joined.serverTime - Date.now()) < 5000);
      const [user] = joined.users;
      assert.deepStrictEqual(joined, {
        resourceId: 'document:42:main', rev: joined.rev, mode: 'viewer', clientId: ann.options.clientId,
        lock: { state: 'free', mine: false },
        users: [{ userId: 'u-17', username: 'Anna Berg', mode: 'viewer', hasLock: false, connections: 1, since: user.since }],
        viewers: 1,
        policy: {
          ttlMs: 50000, heartbeatIntervalMs: 20000, upgrade: 'deny', requests: false, requestTimeoutMs: 120000,
          claimWindowMs: 30000, disconnect: 'grace', gracePeriodMs: 15000, livenessMs: 7500, takeover: 'request', takeoverTimeoutMs: 30000,
          maxConcurrentTabLocksPerUser: 5, maxViewersPerChild: null,
        },
        serverTime: joined.serverTime,
      });
    },
    'policy is that of the type': async () => {
      const ann = await d.client({ user: 'pol' });
      assert.deepStrictEqual((await h.view(ann, 'report:1:a')).policy, {
        ttlMs: 600000, heartbeatIntervalMs: 90000, upgrade: 'request', requests: true, requestTimeoutMs: 60000,
        claimWindowMs: 20000, disconnect: 'release', gracePeriodMs: 11000, livenessMs: 5500, takeover: 'never', takeoverTimeoutMs: 12000,
        maxConcurrentTabLocksPerUser: null, maxViewersPerChild: 7,
      });
    },
    'as editor: the state with the lock, then lock:acquired without an id': async () => {
      const ann = await d.client({ user: 'ed', name: 'Ed', clientId: h.tab() });
      const { joined, answer } = await h.edit(ann, 'document:editor:part-1');
      assert.strictEqual(joined.resourceId, 'document:editor:part-1');
      assert.strictEqual(joined.mode, 'editor');
      assert.deepStrictEqual(joined.lock, {
        state: 'held', holder: { userId: 'ed', username: 'Ed' }, since: joined.lock.since, expiresAt: joined.lock.since + 50000,
        dirty: false, queueLength: 0, mine: true,
      });
      assert.deepStrictEqual(joined.users, [{
        userId: 'ed', username: 'Ed', mode: 'editor', hasLock: true, lockExpiresAt: joined.lock.expiresAt, connections: 1,
        since: joined.users[0].since,
      }]);
      assert.strictEqual(joined.viewers, 0);
      assert.strictEqual(joined.lost, undefined);
      const { data } = answer;
      assert.deepStrictEqual(answer, {
        event: 'lock:acquired',
        data: {
          resourceId: 'document:editor:part-1', rev: joined.rev, token: data.token, expiresAt: joined.lock.expiresAt,
          serverTime: data.serverTime, ttlMs: 50000, heartbeatIntervalMs: 20000,
        },
      });
      const at = ann.frames.findIndex((f) => f.message?.event === 'resource:joined');
      assert.strictEqual(ann.frames[at + 1].message.event, 'lock:acquired', 'at once');
    },
    'auto-downgrade: in as viewer, lock:denied follows at once': async () => {
      const ann = await d.client({ user: 'down-1', name: 'Down One' });
      const bob = await d.client({ user: 'down-2', name: 'Down Two' });
      await h.take(ann, 'document:down');
      const { joined, answer } = await h.edit(bob, 'document:down');
      assert.strictEqual(joined.mode, 'viewer');
      assert.strictEqual(joined.lock.state, 'held');
      assert.strictEqual(joined.lock.mine, false);
      assert.strictEqual(joined.viewers, 1);
      assert.deepStrictEqual(answer, {
        event: 'lock:denied',
        data: {
          resourceId: 'document:down:main', rev: joined.rev, reason: 'HELD', currentHolder: 'Down One',
          holder: { userId: 'down-1', username: 'Down One' }, expiresAt: joined.lock.expiresAt,
          serverTime: answer.data.serverTime, ref: answer.data.ref,
        },
      });
      const record = await d.waitForAudit((r) => r.action === 'LOCK_DENIED' && r.ref === answer.data.ref);
      assert.strictEqual(record.reason, 'HELD');
      assert.strictEqual(record.outcome, 'failure');
      assert.strictEqual(record.user.id, 'down-2');
      assert.strictEqual(record.resourceId, 'document:down:main');
    },
    'editorRoles': async () => {
      const nurse = await d.client({ user: 'nurse', roles: ['nurse'] });
      const { joined, answer } = await h.edit(nurse, 'chart:roles');
      assert.strictEqual(joined.mode, 'viewer');
      assert.strictEqual(answer.event, 'lock:denied');
      assert.strictEqual(answer.data.reason, 'NOT_AN_EDITOR');
      assert.strictEqual((await nurse.expect('lock:acquire', { resourceId: 'chart:roles' }, 'lock:denied')).reason, 'NOT_AN_EDITOR');
      const doctor = await d.client({ user: 'doctor', roles: ['nurse', 'doctor'] });
      await h.take(doctor, 'chart:roles');
      const held = await nurse.expect('lock:acquire', { resourceId: 'chart:roles' }, 'lock:denied');
      assert.strictEqual(held.reason, 'NOT_AN_EDITOR');
    },
    'joining again gives the state anew and changes nothing': async () => {
      const ann = await d.client({ user: 'again', clientId: h.tab() });
      const bob = await d.client({ user: 'again-watch' });
      await h.view(bob, 'document:again');
      const { token } = await h.take(ann, 'document:again');
      const asViewer = await h.view(ann, 'document:again');
      assert.strictEqual(asViewer.mode, 'editor', 'joining as viewer what one edits keeps lock and mode');
      assert.strictEqual(asViewer.lock.mine, true);
      const anew = await h.take(ann, 'document:again');
      assert.strictEqual(anew.token, token);
      assert.strictEqual(anew.resumed, undefined, 'it is the same connection');
      const seen = await h.view(bob, 'document:again');
      assert.deepStrictEqual(seen.users.map((u) => [u.userId, u.connections]).sort(), [['again', 1], ['again-watch', 1]]);
    },
    'leaving: the lock is released, nothing more is told, and it is free for others': async () => {
      const ann = await d.client({ user: 'leave-1', name: 'L1' });
      const bob = await d.client({ user: 'leave-2' });
      await h.view(bob, 'document:leave');
      await h.take(ann, 'document:leave');
      const left = await ann.expect('resource:leave', { resourceId: 'document:leave' }, 'resource:left');
      assert.deepStrictEqual(Object.keys(left).sort(), ['resourceId', 'rev']);
      const { data: released } = await bob.waitFor('lock:released');
      assert.deepStrictEqual(released, { resourceId: 'document:leave:main', rev: released.rev, reason: 'RELEASED', previousHolder: 'leave-1' });
      await h.refused(ann, 'lock:acquire', { resourceId: 'document:leave' }, 'NOT_JOINED');
      await h.refused(ann, 'lock:heartbeat', { resourceId: 'document:leave' }, 'NOT_JOINED');
      await h.refused(ann, 'lock:release', { resourceId: 'document:leave' }, 'NOT_JOINED');
      await h.refused(ann, 'resource:leave', { resourceId: 'document:leave' }, 'NOT_JOINED');
      assert.strictEqual((await h.status(ann, 'document:leave')).state, 'free', 'status needs no join');
      const got = await bob.expect('lock:acquire', { resourceId: 'document:leave' }, 'lock:acquired');
      assert.strictEqual(got.previous.reason, 'RELEASED');
      assert.deepStrictEqual((await h.view(bob, 'document:leave')).users.map((u) => u.userId), ['leave-2']);
      await ann.sync();
      const after = ann.frames.findIndex((f) => f.message?.event === 'resource:left');
      assert.ok(!ann.frames.slice(after + 1).some((f) => f.dir === 'in' && f.message.id === undefined));
    },
    'a full room': async () => {
      const one = await d.client({ user: 'full-1' });
      const two = await d.client({ user: 'full-2' });
      const three = await d.client({ user: 'full-3' });
      await h.view(one, 'small:full');
      await h.view(two, 'small:full');
      const error = await h.refused(three, 'resource:join', { resourceId: 'small:full' }, 'MAX_VIEWERS_EXCEEDED');
      assert.strictEqual(error.limit, 2);
      assert.strictEqual(error.resourceId, 'small:full:main');
      await h.refused(three, 'lock:acquire', { resourceId: 'small:full' }, 'NOT_JOINED');
      await h.take(three, 'small:full'); // who gets the lock is no viewer
      const four = await d.client({ user: 'full-4' });
      await h.refused(four, 'resource:join', { resourceId: 'small:full', mode: 'editor' }, 'MAX_VIEWERS_EXCEEDED');
      assert.strictEqual((await h.view(one, 'small:full')).viewers, 2, 'joining again is no further viewer');
      await one.expect('resource:leave', { resourceId: 'small:full' }, 'resource:left');
      await h.view(four, 'small:full');
      await three.expect('lock:release', { resourceId: 'small:full' }, 'lock:released');
      assert.strictEqual((await h.view(three, 'small:full')).viewers, 3, 'who loses a lock stays');
    },
    'rooms of one connection': async () => {
      const c = await d.client({ user: 'rooms' });
      for (const n of [1, 2, 3]) await h.view(c, `document:rooms-${n}`);
      const error = await h.refused(c, 'resource:join', { resourceId: 'document:rooms-4' }, 'TOO_MANY_ROOMS');
      assert.strictEqual(error.limit, 3);
      await h.view(c, 'document:rooms-1');
      await c.expect('resource:leave', { resourceId: 'document:rooms-1' }, 'resource:left');
      await h.view(c, 'document:rooms-4');
    },
    'a token that is not the right one is answered with lost': async () => {
      const ann = await d.client({ user: 'lost-1', name: 'Lost', clientId: h.tab() });
      const { token } = await h.take(ann, 'document:lost');
      await ann.expect('lock:release', { resourceId: 'document:lost' }, 'lock:released');
      const { joined } = await h.edit(ann, 'document:lost', { token });
      assert.strictEqual(joined.lost.token, token);
      assert.strictEqual(joined.lost.reason, 'RELEASED');
      assert.ok(Math.abs(joined.lost.at - Date.now()) < 10_000 * h.SLOW);
      const unknown = await h.edit(ann, 'document:lost', { token: 12345 });
      assert.deepStrictEqual(unknown.joined.lost, { token: 12345, reason: 'NOT_HELD' });
    },
    'bad arguments': async () => {
      const c = await d.client({ user: 'bad' });
      const resourceId = 'document:bad';
      const field = async (data) => (await h.refused(c, 'resource:join', { resourceId, ...data }, 'INVALID_ARGUMENT')).field;
      assert.strictEqual(await field({ mode: 'owner' }), 'mode');
      assert.strictEqual(await field({ clientId: 'short' }), 'clientId');
      assert.strictEqual(await field({ token: 0 }), 'token');
      assert.strictEqual(await field({ token: '17' }), 'token');
      assert.strictEqual(await field({ token: 2 ** 53 }), 'token');
      assert.strictEqual(await field({ presence: 'some' }), 'presence');
      for (const bad of ['document', 'Document:1', 'document:1:2:3', 'document:', ':1', 'document:ü', 17, undefined]) {
        await h.refused(c, 'resource:join', { resourceId: bad }, 'INVALID_RESOURCE_ID');
      }
      await h.refused(c, 'lock:acquire', { resourceId }, 'NOT_JOINED');
    },
  });
  await h.checkAll(d);
});

test('unknown types and short ids, where they are refused', async (t) => {
  const d = await h.lockDaemon(t, { config: { unknownResourceTypes: 'reject', twoPartIds: 'reject', resourceTypes: { known: {} } } });
  const c = await d.client({ user: 'ann' });
  await h.refused(c, 'resource:join', { resourceId: 'known:1' }, 'INVALID_RESOURCE_ID');
  const error = await h.refused(c, 'resource:join', { resourceId: 'other:1:main' }, 'UNKNOWN_RESOURCE_TYPE');
  assert.strictEqual(error.resourceId, 'other:1:main');
  await h.refused(c, 'lock:status', { resourceId: 'other:1:main' }, 'UNKNOWN_RESOURCE_TYPE');
  await h.take(c, 'known:1:main');
});

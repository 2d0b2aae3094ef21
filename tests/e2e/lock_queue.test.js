'use strict';
/* `upgrade: queue`: first come, first served, over two daemons on one store. */
const assert = require('node:assert');
const { test } = require('node:test');
const h = require('./harness');

const CLAIM = 900 * h.SLOW;
const GRACE = 900 * h.SLOW;

const config = (instance) => ({
  instance,
  default: { upgrade: 'queue', claimWindow: `${CLAIM}ms`, gracePeriod: `${GRACE}ms`, lockTtl: '10m', heartbeatInterval: '1m' },
  resourceTypes: {
    small: { maxWaiters: 1 }, long: { gracePeriod: '30s', claimWindow: '30s' }, one: { maxConcurrentTabLocksPerUser: 1 },
    short: { lockTtl: h.ms(900), heartbeatInterval: h.ms(400), claimWindow: '30s' },
  },
});

test('queue', { concurrency: 12 }, async (t) => {
  const one = await h.lockDaemon(t, { config: config('one') });
  const two = await h.lockDaemon(t, { redis: one.redis, config: config('two') });
  const open = h.person;
  const inRoom = async (d, user, r) => {
    const client = await open(d, user);
    await h.view(client, r);
    return client;
  };
  const holder = async (r) => {
    const ann = await open(one, 'ann');
    await h.take(ann, r);
    return ann;
  };
  const wait = (client, resourceId) => client.expect('lock:acquire', { resourceId }, 'lock:queued');
  const waits = async (r, ...clients) => {
    for (const client of clients) await wait(client, r);
  };
  const turn = (client) => client.waitFor('lock:your_turn');
  const queued = (client, position) => client.waitFor('lock:queued', (x) => x.position === position);

  await h.together(t, {
    'in order, positions told as they change, over both daemons': async () => {
      const r = 'document:q-order:main';
      const ann = await holder(r);
      const bob = await open(two, 'bob');
      const { joined, answer } = await h.edit(bob, r); // a join as editor queues, as a viewer until its turn
      assert.strictEqual(joined.mode, 'viewer');
      assert.strictEqual(answer.event, 'lock:queued');
      assert.strictEqual(answer.data.position, 1);
      const cy = await inRoom(one, 'cy', r);
      const dan = await inRoom(two, 'dan', r);
      const place = await wait(cy, r);
      assert.strictEqual(place.position, 2);
      assert.ok(place.estimatedWaitMs > 0, 'from the TTL that is left');
      assert.match(place.estimatedWait, /min|h/);
      assert.strictEqual((await wait(dan, r)).position, 3);
      assert.strictEqual((await wait(cy, r)).position, 2, 'one place a tab');
      assert.strictEqual((await h.status(ann, r)).queueLength, 3);
      await ann.expect('lock:release', { resourceId: r, revision: 'v1' }, 'lock:released');
      const { data } = await turn(bob);
      assert.ok(data.claimBy > Date.now() - 60000);
      await queued(cy, 1);
      await queued(dan, 2);
      const reserved = await h.status(dan, r);
      assert.deepStrictEqual([reserved.state, reserved.reservedFor, reserved.queueLength], ['reserved', { userId: 'bob', username: 'Bob' }, 2]);
      assert.strictEqual((await ann.expect('lock:acquire', { resourceId: r }, 'lock:queued')).position, 3);
      assert.strictEqual((await cy.expect('lock:claim', { resourceId: r }, 'lock:denied')).reason, 'RESERVED');
      const got = await bob.expect('lock:claim', { resourceId: r }, 'lock:acquired');
      assert.strictEqual(got.previous.revision, 'v1');
      await cy.waitFor('lock:state', (s) => s.cause === 'CLAIMED' && s.lock.holder.userId === 'bob');
      await bob.expect('lock:release', { resourceId: r }, 'lock:released');
      await turn(cy);
      await cy.expect('lock:acquire', { resourceId: r }, 'lock:acquired'); // acquire claims as well
      await queued(dan, 1);
      await queued(ann, 2);
    },
    'who does not claim in time is passed over': async () => {
      const r = 'document:q-noshow:main';
      const ann = await holder(r);
      const bob = await inRoom(one, 'bob', r);
      const cy = await inRoom(two, 'cy', r);
      await waits(r, bob, cy);
      await ann.expect('lock:release', { resourceId: r }, 'lock:released');
      await turn(bob);
      assert.strictEqual((await bob.waitFor('lock:queue_left')).data.reason, 'CLAIM_EXPIRED');
      await cy.waitFor('lock:state', (s) => s.cause === 'RESERVATION_EXPIRED' && s.lock.state === 'reserved');
      await turn(cy);
      assert.strictEqual((await bob.expect('lock:acquire', { resourceId: r }, 'lock:queued')).position, 1);
      await cy.expect('lock:claim', { resourceId: r }, 'lock:acquired');
    },
    'leaving the queue, and leaving the room': async () => {
      const r = 'document:q-leave:main';
      const ann = await holder(r);
      const [bob, cy, dan] = [await inRoom(one, 'bob', r), await inRoom(one, 'cy', r), await inRoom(two, 'dan', r)];
      await h.refused(bob, 'lock:queue_leave', { resourceId: r }, 'NOT_QUEUED');
      await waits(r, bob, cy);
      await wait(dan, r);
      assert.strictEqual((await bob.expect('lock:queue_leave', { resourceId: r }, 'lock:queue_left')).reason, 'LEFT');
      await h.refused(bob, 'lock:queue_leave', { resourceId: r }, 'NOT_QUEUED');
      await queued(cy, 1);
      await queued(dan, 2);
      await cy.expect('resource:leave', { resourceId: r }, 'resource:left');
      await queued(dan, 1);
      await ann.expect('lock:release', { resourceId: r }, 'lock:released');
      await turn(dan);
      await dan.expect('lock:queue_leave', { resourceId: r }, 'lock:queue_left'); // declines
      await bob.waitFor('lock:state', (s) => s.cause === 'RESERVATION_EXPIRED' && s.lock.state === 'free');
      await bob.expect('lock:acquire', { resourceId: r }, 'lock:acquired');
      await h.refused(await open(one, 'eve'), 'lock:queue_leave', { resourceId: r }, 'NOT_JOINED');
    },
    'a waiter who comes back within the grace has its place': async () => {
      const r = 'long:q-back:main';
      const ann = await holder(r);
      const bob = await inRoom(one, 'bob', r);
      const cy = await inRoom(two, 'cy', r);
      await waits(r, bob, cy);
      await bob.terminate();
      await cy.waitFor('presence:diff', (p) => p.left.some((u) => u.userId === 'bob'));
      await ann.expect('lock:release', { resourceId: r }, 'lock:released');
      await turn(cy); // turns pass over who is away
      await cy.expect('lock:claim', { resourceId: r }, 'lock:acquired');
      const back = await open(two, 'bob', { clientId: bob.options.clientId });
      const joined = await h.view(back, r);
      assert.strictEqual(joined.pending.position, 1);
      await queued(back, 1);
      await cy.expect('lock:release', { resourceId: r }, 'lock:released');
      await turn(back);
      await back.terminate(); // a turn is kept as well
      const again = await open(one, 'bob', { clientId: bob.options.clientId });
      assert.ok((await h.view(again, r)).pending.claimBy > 0);
      await turn(again);
      await again.expect('lock:claim', { resourceId: r }, 'lock:acquired');
    },
    'a waiter who stays away loses its place': async () => {
      const r = 'document:q-gone:main';
      const ann = await holder(r);
      const bob = await inRoom(one, 'bob', r);
      const cy = await inRoom(two, 'cy', r);
      await waits(r, bob, cy);
      await bob.terminate();
      await queued(cy, 1);
      const back = await open(two, 'bob', { clientId: bob.options.clientId });
      assert.strictEqual((await h.view(back, r)).pending, undefined);
      await h.refused(back, 'lock:queue_leave', { resourceId: r }, 'NOT_QUEUED');
    },
    'a lock that became free while its only waiter was away is reserved when that comes back': async () => {
      const r = 'long:q-free:main';
      const ann = await holder(r);
      const bob = await inRoom(one, 'bob', r);
      await wait(bob, r);
      await bob.terminate();
      await ann.waitFor('presence:diff', (p) => p.left.some((u) => u.userId === 'bob'));
      await ann.expect('lock:release', { resourceId: r }, 'lock:released');
      assert.strictEqual((await h.status(ann, r)).state, 'free');
      const back = await open(two, 'bob', { clientId: bob.options.clientId });
      await h.view(back, r);
      await turn(back);
      assert.strictEqual((await ann.expect('lock:acquire', { resourceId: r }, 'lock:queued')).position, 1);
    },
    'an expired lock goes to the head; a full queue; the limit of tabs': async () => {
      const r = 'short:q-expire:main';
      const ann = await holder(r);
      const bob = await inRoom(two, 'bob', r);
      await wait(bob, r);
      await turn(bob);
      assert.strictEqual((await ann.waitFor('lock:lost')).data.reason, 'EXPIRED');
      await ann.waitFor('lock:released', (x) => x.reason === 'EXPIRED');

      const full = 'small:q-full:main';
      await h.take(await open(one, 'fred'), full);
      const gus = await inRoom(one, 'gus', full);
      await wait(gus, full);
      const hal = await inRoom(two, 'hal', full);
      await h.refused(hal, 'lock:acquire', { resourceId: full }, 'QUEUE_FULL');

      const limited = await open(one, 'ida');
      await h.take(limited, 'one:q-limit:a');
      await h.take(ann, 'one:q-limit:b');
      await h.view(limited, 'one:q-limit:b');
      const error = await h.refused(limited, 'lock:acquire', { resourceId: 'one:q-limit:b' }, 'MAX_TAB_LOCKS_EXCEEDED');
      assert.deepStrictEqual(error.held, ['one:q-limit:a']);
      assert.strictEqual((await h.status(ann, 'one:q-limit:b')).queueLength, 0, 'it does not wait either');
    },
    'the estimate is what holders took, in the middle': async () => {
      const r = 'document:q-median:main';
      const ann = await holder(r);
      for (let i = 0; i < 3; i++) {
        await ann.expect('lock:release', { resourceId: r }, 'lock:released');
        await ann.expect('lock:acquire', { resourceId: r }, 'lock:acquired');
      }
      const bob = await inRoom(two, 'bob', r);
      const place = await wait(bob, r);
      assert.ok(place.estimatedWaitMs < 60000 * h.SLOW, `${place.estimatedWaitMs}`);
      assert.strictEqual(typeof place.estimatedWait, 'string');
    },
    'the audit has it': async () => {
      const r = 'document:q-audit:main';
      const ann = await holder(r);
      const bob = await inRoom(one, 'bob', r);
      await wait(bob, r);
      await ann.expect('lock:release', { resourceId: r }, 'lock:released');
      await turn(bob);
      await bob.expect('lock:claim', { resourceId: r }, 'lock:acquired');
      const of = (action) => one.waitForAudit((a) => a.action === action && a.resourceId === r);
      assert.strictEqual((await of('LOCK_QUEUED')).user.id, 'bob');
      assert.strictEqual((await of('LOCK_RELEASED')).user.id, 'ann');
      assert.strictEqual((await of('LOCK_RESERVED')).user.id, 'bob');
      assert.strictEqual((await of('LOCK_CLAIMED')).user.id, 'bob');
    },
  });
  await h.checkAll(one, two);
});

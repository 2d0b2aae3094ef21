'use strict';
/* `upgrade: request`, and `requests: true` beside a queue: asking the holder. Two daemons on one store. */
const assert = require('node:assert');
const { test } = require('node:test');
const h = require('./harness');

const config = (instance) => ({
  instance,
  default: { upgrade: 'request', requestTimeout: '2m', claimWindow: '30s', gracePeriod: '30s', takeoverRoles: null },
  resourceTypes: {
    hasty: { requestTimeout: h.ms(700) }, brief: { gracePeriod: h.ms(700) }, both: { upgrade: 'queue', requests: true },
    plain: { upgrade: 'deny' }, shy: { upgrade: 'deny', requests: true }, chart: { editorRoles: ['doctor'] },
  },
});

test('request', { concurrency: 12 }, async (t) => {
  const one = await h.lockDaemon(t, { config: config('one') });
  const two = await h.lockDaemon(t, { redis: one.redis, config: config('two') });
  const open = h.person;
  /* The holder on one daemon, the asker on the other. */
  const scene = async (r) => {
    const ann = await open(one, 'ann');
    const { token } = await h.take(ann, r);
    const bob = await open(two, 'bob');
    await h.view(bob, r);
    return { ann, bob, token };
  };
  const ask = (client, resourceId, message = 'Need to add diagnosis') => (
    client.expect('lock:request', { resourceId, message }, 'lock:requested'));
  const asked = (client, requestId) => client.waitFor('lock:request_received', (x) => x.requestId === requestId);
  const answer = (client, requestId, action, more) => (
    client.expect('lock:request_reply', { requestId, action, ...more }, 'lock:request_replied'));

  await h.together(t, {
    'approved: reserved for the asker, claimed': async () => {
      const r = 'document:r-approve:main';
      const { ann, bob, token } = await scene(r);
      assert.strictEqual((await bob.expect('lock:acquire', { resourceId: r }, 'lock:denied')).reason, 'HELD');
      const requested = await ask(bob, r);
      assert.strictEqual(requested.holderState, 'held');
      assert.ok(requested.expiresAt > requested.serverTime);
      const { data } = await asked(ann, requested.requestId);
      assert.deepStrictEqual([data.resourceId, data.from, data.fromUserId, data.message], [r, 'Bob', 'bob', 'Need to add diagnosis']);
      assert.deepStrictEqual(data.actions, ['APPROVE', 'DENY', 'IGNORE']);
      assert.strictEqual(data.expiresAt, requested.expiresAt);
      assert.strictEqual((await ask(bob, r, 'again')).requestId, requested.requestId, 'one request a user');
      const replied = await answer(ann, requested.requestId, 'APPROVE', { revision: 'v9' });
      assert.deepStrictEqual(replied, { requestId: requested.requestId, action: 'APPROVE' });
      const lost = await ann.waitFor('lock:lost');
      assert.deepStrictEqual([lost.data.reason, lost.data.token], ['TRANSFERRED', token]);
      assert.ok((await bob.waitFor('lock:available')).data.claimBy > 0);
      await ann.waitFor('lock:state', (s) => s.cause === 'TRANSFERRED' && s.lock.reservedFor.userId === 'bob');
      assert.deepStrictEqual(await answer(ann, requested.requestId, 'APPROVE'), replied, 'a repeat');
      assert.strictEqual((await ann.expect('lock:acquire', { resourceId: r }, 'lock:denied')).reason, 'RESERVED');
      const got = await bob.expect('lock:claim', { resourceId: r }, 'lock:acquired');
      assert.strictEqual(got.previous.revision, 'v9');
      assert.ok(got.token > token);
      const approved = await one.waitForAudit((a) => a.action === 'LOCK_REQUEST_APPROVED' && a.lockRequestId === requested.requestId);
      assert.strictEqual(approved.user.id, 'ann');
    },
    'denied, ignored, not answered in time': async () => {
      const r = 'hasty:r-deny:main';
      const { ann, bob } = await scene(r);
      const first = await ask(bob, r);
      await asked(ann, first.requestId);
      await answer(ann, first.requestId, 'DENY');
      const { data } = await bob.waitFor('lock:request_timeout');
      assert.deepStrictEqual([data.requestId, data.reason, data.message], [first.requestId, 'DENIED', 'Ann is still editing']);
      await h.refused(ann, 'lock:request_reply', { requestId: first.requestId, action: 'DENY' }, 'UNKNOWN_REQUEST');
      const second = await ask(bob, r);
      await asked(ann, second.requestId);
      await answer(ann, second.requestId, 'IGNORE');
      const late = await bob.waitFor('lock:request_timeout');
      assert.deepStrictEqual([late.data.requestId, late.data.reason], [second.requestId, 'TIMEOUT']);
      const closed = await ann.waitFor('lock:request_closed');
      assert.deepStrictEqual(closed.data, { requestId: second.requestId, outcome: 'TIMEOUT' });
      await ann.expect('lock:heartbeat', { resourceId: r }, 'lock:renewed');
      const denied = await one.waitForAudit((a) => a.action === 'LOCK_REQUEST_DENIED' && a.lockRequestId === first.requestId);
      assert.deepStrictEqual([denied.user, denied.sessionId, denied.address], [{ id: 'bob', name: 'Bob' }, undefined, undefined],
        'nothing of the holder, who said no, stands under the asker’s name');
      await two.waitForAudit((a) => a.action === 'LOCK_REQUESTED' && a.lockRequestId === second.requestId && a.detail === 'Need to add diagnosis');
    },
    'cancelled, and an asker who leaves': async () => {
      const r = 'document:r-cancel:main';
      const { ann, bob } = await scene(r);
      const first = await ask(bob, r);
      await asked(ann, first.requestId);
      await h.refused(ann, 'lock:request_cancel', { requestId: first.requestId }, 'UNKNOWN_REQUEST'); // not hers
      assert.deepStrictEqual(await bob.expect('lock:request_cancel', { requestId: first.requestId }, 'lock:request_cancelled'), { requestId: first.requestId });
      assert.deepStrictEqual((await ann.waitFor('lock:request_closed')).data, { requestId: first.requestId, outcome: 'CANCELLED' });
      const second = await ask(bob, r);
      await asked(ann, second.requestId);
      await bob.expect('resource:leave', { resourceId: r }, 'resource:left');
      assert.deepStrictEqual((await ann.waitFor('lock:request_closed')).data, { requestId: second.requestId, outcome: 'LEFT' });
      await h.refused(ann, 'lock:request_reply', { requestId: second.requestId, action: 'APPROVE' }, 'UNKNOWN_REQUEST');
      await ann.expect('lock:heartbeat', { resourceId: r }, 'lock:renewed');
    },
    'a lock that becomes free goes to the oldest request': async () => {
      const r = 'document:r-free:main';
      const { ann, bob } = await scene(r);
      const cy = await open(one, 'cy');
      await h.view(cy, r);
      const first = await ask(bob, r);
      const second = await ask(cy, r);
      await asked(ann, second.requestId);
      await ann.expect('lock:release', { resourceId: r }, 'lock:released');
      await bob.waitFor('lock:available');
      await bob.expect('lock:claim', { resourceId: r }, 'lock:acquired');
      await asked(bob, second.requestId); // whoever has the lock now is asked
      assert.strictEqual(cy.received('lock:available').length, 0);
      await answer(bob, second.requestId, 'APPROVE');
      await cy.waitFor('lock:available');
      await h.refused(bob, 'lock:request_reply', { requestId: first.requestId, action: 'DENY' }, 'UNKNOWN_REQUEST');
      // A free lock is reserved for who asks.
      await cy.expect('lock:release', { resourceId: r }, 'lock:released'); // declines
      await bob.waitFor('lock:state', (s) => s.lock.state === 'free');
      const third = await ask(bob, r);
      assert.strictEqual(third.holderState, 'reserved');
      await bob.waitFor('lock:available');
      await bob.expect('lock:claim', { resourceId: r }, 'lock:acquired');
    },
    'a holder who is not there: said at once, approved when the grace runs out': async () => {
      const r = 'brief:r-grace:main';
      const { ann, bob } = await scene(r);
      await ann.terminate();
      await bob.waitFor('lock:state', (s) => s.cause === 'GRACE_STARTED');
      const requested = await ask(bob, r);
      assert.strictEqual(requested.holderState, 'grace');
      await bob.waitFor('lock:available');
      await bob.expect('lock:claim', { resourceId: r }, 'lock:acquired');
    },
    'a holder who comes back is asked again, and an asker is told again': async () => {
      const r = 'document:r-again:main';
      const { ann, bob, token } = await scene(r);
      const requested = await ask(bob, r);
      await asked(ann, requested.requestId);
      await ann.terminate();
      await bob.waitFor('lock:state', (s) => s.cause === 'GRACE_STARTED');
      const back = await open(two, 'ann', { clientId: ann.options.clientId });
      const got = await h.edit(back, r, { token });
      assert.strictEqual(got.answer.data.resumed, true);
      await asked(back, requested.requestId);
      await bob.terminate();
      const bobBack = await open(one, 'bob', { clientId: bob.options.clientId });
      const joined = await h.view(bobBack, r);
      assert.strictEqual(joined.pending.request.requestId, requested.requestId);
      assert.strictEqual((await bobBack.waitFor('lock:requested')).data.requestId, requested.requestId);
      const status = await back.expect('lock:status', { resourceId: r }, 'lock:state');
      assert.deepStrictEqual(status.pending.requests.map((x) => [x.requestId, x.fromUserId]), [[requested.requestId, 'bob']]);
      await answer(back, requested.requestId, 'APPROVE');
      await bobBack.waitFor('lock:available');
    },
    'beside a queue, and where nobody may ask': async () => {
      const r = 'both:r-both:main';
      const { ann, bob } = await scene(r);
      const cy = await open(one, 'cy');
      await h.view(cy, r);
      assert.strictEqual((await bob.expect('lock:acquire', { resourceId: r }, 'lock:queued')).position, 1);
      assert.strictEqual((await cy.expect('lock:acquire', { resourceId: r }, 'lock:queued')).position, 2);
      const asks = await ask(cy, r);
      await asked(ann, asks.requestId);
      await answer(ann, asks.requestId, 'DENY');
      await cy.waitFor('lock:request_timeout');
      assert.strictEqual((await h.status(ann, r)).queueLength, 2, 'it still waits');
      const again = await ask(cy, r);
      await asked(ann, again.requestId);
      await answer(ann, again.requestId, 'APPROVE'); // before others
      await cy.waitFor('lock:available');
      await cy.expect('lock:claim', { resourceId: r }, 'lock:acquired');

      const plain = await scene('plain:r-off:main');
      await h.refused(plain.bob, 'lock:request', { resourceId: 'plain:r-off:main', message: 'please' }, 'REQUESTS_DISABLED');
      const shy = await scene('shy:r-on:main');
      await asked(shy.ann, (await ask(shy.bob, 'shy:r-on:main')).requestId);
    },
    'what is wrong changes nothing': async () => {
      const r = 'document:r-bad:main';
      const { ann, bob, token } = await scene(r);
      const cy = await open(two, 'cy');
      await h.view(cy, r);
      const requested = await ask(bob, r, '');
      assert.strictEqual((await asked(ann, requested.requestId)).data.message, '');
      await h.refused(cy, 'lock:request_reply', { requestId: requested.requestId, action: 'APPROVE' }, 'NOT_HOLDER');
      await h.refused(bob, 'lock:request_reply', { requestId: requested.requestId, action: 'APPROVE' }, 'NOT_HOLDER');
      await h.refused(ann, 'lock:request_reply', { requestId: 'no-such-request', action: 'APPROVE' }, 'UNKNOWN_REQUEST');
      await h.refused(ann, 'lock:request', { resourceId: r, message: 'mine' }, 'INVALID_ARGUMENT');
      for (const data of [{ requestId: requested.requestId, action: 'MAYBE' }, { requestId: requested.requestId }, { action: 'DENY' },
        { requestId: '', action: 'DENY' }, { requestId: 'x'.repeat(65), action: 'DENY' }, { requestId: 7, action: 'DENY' },
        { requestId: requested.requestId, action: 'APPROVE', revision: 'x'.repeat(129) }]) {
        await h.refused(ann, 'lock:request_reply', data, 'INVALID_ARGUMENT');
      }
      await h.refused(cy, 'lock:request', { resourceId: r, message: 'x'.repeat(501) }, 'INVALID_ARGUMENT');
      await h.refused(cy, 'lock:request', { resourceId: 'document:r-else', message: 'x' }, 'NOT_JOINED');
      const viewer = await open(one, 'vic', { roles: ['visitor'] });
      await h.view(viewer, 'chart:r-role:main');
      await h.refused(viewer, 'lock:request', { resourceId: 'chart:r-role:main' }, 'FORBIDDEN');
      assert.strictEqual((await ann.expect('lock:heartbeat', { resourceId: r }, 'lock:renewed')).token, token);
      assert.strictEqual((await h.status(bob, r)).queueLength, 1);
    },
  });
  await h.checkAll(one, two);
});

'use strict';
/* Takeovers by administrators, and `disconnect: prompt`. Two daemons on one store. */
const assert = require('node:assert');
const { test } = require('node:test');
const h = require('./harness');

const config = (instance) => ({
  instance,
  default: { takeoverTimeout: '30s', gracePeriod: '30s', claimWindow: '30s' },
  auth: { adminRoles: ['lock-admin'] },
  resourceTypes: {
    hasty: { takeoverTimeout: h.ms(800) }, instant: { takeover: 'immediate' }, never: { takeover: 'never' },
    urgent: { urgentTakeover: true }, ward: { takeover: 'immediate', takeoverRoles: ['head-nurse'] }, line: { upgrade: 'queue' },
    asks: { upgrade: 'request' }, prompt: { disconnect: 'prompt' }, 'prompt-line': { disconnect: 'prompt', upgrade: 'queue' },
    'prompt-brief': { disconnect: 'prompt', gracePeriod: h.ms(700) }, chart: { editorRoles: ['nurse'] },
  },
});

test('takeover and prompt', { concurrency: 12 }, async (t) => {
  const one = await h.lockDaemon(t, { config: config('one') });
  const two = await h.lockDaemon(t, { redis: one.redis, config: config('two') });
  const open = h.person;
  const admin = (d, user = 'root') => open(d, user, { roles: ['lock-admin'] });
  /* Ann holds on one daemon, an administrator is in the room on the other. */
  const scene = async (r) => {
    const ann = await open(one, 'ann', { roles: ['nurse'] });
    const { token } = await h.take(ann, r);
    const root = await admin(two);
    await h.view(root, r);
    return { ann, root, token };
  };
  const take = (client, resourceId, more) => client.request('lock:takeover', { resourceId, reason: 'Cardiac arrest', ...more });
  const pending = async (client, resourceId, more) => {
    const reply = await take(client, resourceId, more);
    assert.strictEqual(reply.event, 'lock:takeover_pending', JSON.stringify(reply));
    return reply.data;
  };
  const record = (d, r, where) => d.waitForAudit((a) => a.action === 'LOCK_TAKEOVER' && a.resourceId === r
    && Object.entries(where).every(([k, v]) => a[k] === v));

  await h.together(t, {
    'immediate: on disk before it is answered': async () => {
      const r = 'instant:t-now:main';
      const { ann, root, token } = await scene(r);
      const reply = await take(root, r);
      const written = two.audit().find((a) => a.action === 'LOCK_TAKEOVER' && a.resourceId === r);
      assert.strictEqual(reply.event, 'lock:acquired');
      assert.ok(reply.data.token > token);
      assert.strictEqual(reply.data.previous.reason, 'TAKEN_BY_ADMIN');
      assert.ok(written, 'the record is there when the answer is');
      assert.deepStrictEqual([written.user, written.sessionId],
        [{ id: 'root', name: 'Root', roles: ['lock-admin'] }, root.welcome.sessionId]);
      assert.deepStrictEqual([written.admin, written.previousHolder, written.reason, written.decision, written.fence],
        [{ id: 'root', name: 'Root' }, { id: 'ann', name: 'Ann' }, 'Cardiac arrest', 'IMMEDIATE', reply.data.token]);
      const told = (await ann.waitFor('lock:taken_by_admin')).data;
      assert.deepStrictEqual([told.resourceId, told.admin, told.adminUsername, told.reason], [r, 'root', 'Root', 'Cardiac arrest']);
      const lost = (await ann.waitFor('lock:lost')).data;
      assert.deepStrictEqual([lost.reason, lost.by, lost.token], ['TAKEN_BY_ADMIN', 'Root', token]);
      await ann.waitFor('lock:state', (s) => s.cause === 'TAKEN_BY_ADMIN' && s.lock.holder.userId === 'root');
      assert.strictEqual((await ann.expect('lock:heartbeat', { resourceId: r, token }, 'lock:lost')).reason, 'NOT_HELD');
    },
    'asked for, approved': async () => {
      const r = 'document:t-approve:main';
      const { ann, root, token } = await scene(r);
      const { requestId, forceAt } = await pending(root, r);
      const asked = (await ann.waitFor('lock:takeover_requested')).data;
      assert.deepStrictEqual([asked.requestId, asked.from, asked.reason, asked.forceAt, asked.actions],
        [requestId, 'Root', 'Cardiac arrest', forceAt, ['APPROVE', 'DENY', 'AUTO_FORCE_IN_30S']]);
      assert.deepStrictEqual(await ann.expect('lock:takeover_reply', { requestId, action: 'APPROVE', revision: 'saved' }, 'lock:takeover_replied'),
        { requestId, action: 'APPROVE' });
      const got = (await root.waitFor('lock:acquired')).data;
      assert.ok(got.token > token);
      assert.strictEqual(got.previous.revision, 'saved');
      assert.strictEqual((await ann.waitFor('lock:lost')).data.reason, 'TRANSFERRED');
      assert.strictEqual(ann.received('lock:taken_by_admin').length, 0);
      await root.expect('lock:heartbeat', { resourceId: r, token: got.token }, 'lock:renewed');
      const moved = await record(one, r, { decision: 'APPROVED', lockRequestId: requestId });
      assert.deepStrictEqual([moved.user, moved.sessionId, moved.address, moved.userAgent],
        [{ id: 'root', name: 'Root', roles: ['lock-admin'] }, root.welcome.sessionId, '127.0.0.1', undefined],
        'nothing of the holder, who did it, stands under the administrator’s name');
    },
    'denied: told, forced all the same': async () => {
      const r = 'hasty:t-deny:main';
      const { ann, root } = await scene(r);
      const { requestId, forceAt } = await pending(root, r);
      await ann.waitFor('lock:takeover_requested');
      await ann.expect('lock:takeover_reply', { requestId, action: 'DENY' }, 'lock:takeover_replied');
      assert.deepStrictEqual((await root.waitFor('lock:takeover_denied')).data, { requestId, by: 'Ann', forceAt });
      await root.waitFor('lock:acquired');
      await ann.waitFor('lock:taken_by_admin');
      assert.strictEqual((await ann.waitFor('lock:lost')).data.reason, 'TAKEN_BY_ADMIN');
      const no = await record(one, r, { decision: 'DENIED', outcome: 'failure' });
      assert.deepStrictEqual([no.user, no.sessionId, no.previousHolder, no.admin.id],
        [{ id: 'ann', name: 'Ann', roles: ['nurse'] }, ann.welcome.sessionId, { id: 'ann', name: 'Ann' }, 'root']);
      assert.ok((await one.metric('wslock_takeovers_total', 'outcome="DENIED",type="hasty"')) >= 1);
      const find = () => [one, two].flatMap((d) => d.audit()).find((a) => a.action === 'LOCK_TAKEOVER' && a.resourceId === r && a.outcome === 'success');
      await h.eventually(() => find() !== undefined, 'that it was forced');
      const forced = find();
      assert.deepStrictEqual([forced.decision, forced.answer, forced.user, forced.sessionId, forced.address],
        ['FORCED', 'DENIED', { id: 'root', name: 'Root', roles: ['lock-admin'] }, root.welcome.sessionId, '127.0.0.1']);
    },
    'not answered, cancelled, and an administrator who goes': async () => {
      const r = 'hasty:t-time:main';
      const { root } = await scene(r);
      await pending(root, r);
      await root.waitFor('lock:acquired');
      await h.eventually(() => [one, two].some((d) => d.audit().some((a) => a.resourceId === r && a.decision === 'TIMED_OUT')), 'TIMED_OUT');

      const c = 'document:t-cancel:main';
      const s = await scene(c);
      const first = await pending(s.root, c);
      await s.ann.waitFor('lock:takeover_requested');
      const other = await admin(one, 'boss');
      await h.view(other, c);
      await h.refused(other, 'lock:takeover', { resourceId: c, reason: 'me too' }, 'TAKEOVER_IN_PROGRESS');
      await h.refused(other, 'lock:takeover_cancel', { requestId: first.requestId }, 'UNKNOWN_REQUEST');
      await h.refused(other, 'lock:takeover_reply', { requestId: first.requestId, action: 'DENY' }, 'NOT_HOLDER');
      await s.root.expect('lock:takeover_cancel', { requestId: first.requestId }, 'lock:takeover_cancelled');
      assert.deepStrictEqual((await s.ann.waitFor('lock:takeover_closed')).data, { requestId: first.requestId, outcome: 'CANCELLED' });
      await h.refused(s.root, 'lock:takeover_cancel', { requestId: first.requestId }, 'UNKNOWN_REQUEST');
      const second = await pending(s.root, c);
      await s.ann.waitFor('lock:takeover_requested');
      await s.root.terminate();
      assert.deepStrictEqual((await s.ann.waitFor('lock:takeover_closed')).data, { requestId: second.requestId, outcome: 'ADMIN_GONE' });
      await s.ann.expect('lock:heartbeat', { resourceId: c }, 'lock:renewed');
      await h.refused(s.ann, 'lock:takeover_reply', { requestId: second.requestId, action: 'APPROVE' }, 'UNKNOWN_REQUEST');
      await h.eventually(() => [one, two].some((d) => d.audit().filter((a) => a.action === 'TAKEOVER_CANCELLED' && a.resourceId === c).length > 0), 'cancelled');
    },
    'the holder releases, or goes': async () => {
      for (const [name, end, reason, decision] of [['release', (ann, r) => ann.expect('lock:release', { resourceId: r }, 'lock:released'), null, 'HOLDER_RELEASED'],
        ['leave', (ann, r) => ann.expect('resource:leave', { resourceId: r }, 'resource:left'), null, 'HOLDER_RELEASED'],
        ['cut', (ann) => ann.terminate(), null, 'HOLDER_GONE']]) {
        const r = `document:t-${name}:main`;
        const { ann, root, token } = await scene(r);
        const { requestId } = await pending(root, r);
        await ann.waitFor('lock:takeover_requested');
        await end(ann, r);
        assert.ok((await root.waitFor('lock:acquired')).data.token > token, name);
        assert.strictEqual(reason, null);
        const written = await record(one, r, { decision });
        assert.strictEqual(written.lockRequestId, requestId);
      }
    },
    'the holder comes back, and is asked again; the administrator too': async () => {
      const r = 'document:t-again:main';
      const { ann, root, token } = await scene(r);
      const { requestId } = await pending(root, r);
      await ann.waitFor('lock:takeover_requested');
      const back = await open(two, 'ann', { clientId: ann.options.clientId }); // takes over from the first connection
      const { answer } = await h.edit(back, r, { token });
      assert.deepStrictEqual([answer.data.resumed, answer.data.token], [true, token]);
      assert.strictEqual((await back.waitFor('lock:takeover_requested')).data.requestId, requestId);
      const again = await admin(one);
      await h.view(again, r);
      assert.strictEqual((await root.expect('lock:status', { resourceId: r }, 'lock:state')).pending.takeover.requestId, requestId);
      await back.expect('lock:takeover_reply', { requestId, action: 'APPROVE' }, 'lock:takeover_replied');
      await root.waitFor('lock:acquired');
    },
    'urgent, roles, never, and what is wrong': async () => {
      const r = 'urgent:t-urgent:main';
      const { ann, root } = await scene(r);
      const first = await pending(root, r);
      const boss = await admin(one, 'boss');
      await h.view(boss, r);
      const reply = await take(boss, r, { urgent: true });
      assert.strictEqual(reply.event, 'lock:acquired');
      assert.deepStrictEqual((await root.waitFor('lock:takeover_closed')).data, { requestId: first.requestId, outcome: 'OVERTAKEN' });
      await ann.waitFor('lock:taken_by_admin', (x) => x.admin === 'boss');
      await record(one, r, { decision: 'URGENT' });
      const calm = await scene('document:t-calm:main');
      await pending(calm.root, 'document:t-calm:main', { urgent: true }); // the type does not allow to skip the wait

      await h.refused((await scene('never:t-never:main')).root, 'lock:takeover', { resourceId: 'never:t-never:main', reason: 'x' }, 'TAKEOVER_DISABLED');
      const nurse = await open(two, 'nina', { roles: ['head-nurse'] });
      await h.view(nurse, r);
      await h.refused(nurse, 'lock:takeover', { resourceId: r, reason: 'x' }, 'FORBIDDEN');
      const ward = 'ward:t-role:main';
      await h.take(ann, ward);
      await h.view(nurse, ward);
      assert.strictEqual((await take(nurse, ward)).event, 'lock:acquired');
      for (const data of [{ resourceId: r }, { resourceId: r, reason: '' }, { resourceId: r, reason: 'x'.repeat(501) }, { resourceId: r, reason: 7 },
        { resourceId: r, reason: 'x', urgent: 'yes' }]) await h.refused(root, 'lock:takeover', data, 'INVALID_ARGUMENT');
      await h.refused(root, 'lock:takeover', { resourceId: 'document:t-elsewhere', reason: 'x' }, 'NOT_JOINED');
      await h.refused(ann, 'lock:takeover_reply', { requestId: 'none', action: 'APPROVE' }, 'UNKNOWN_REQUEST');
    },
    'free, one’s own, in grace, reserved': async () => {
      const root = await admin(one);
      const r = 'document:t-states:main';
      await h.view(root, r);
      assert.strictEqual((await take(root, r)).event, 'lock:acquired'); // free
      assert.strictEqual((await take(root, r)).event, 'lock:acquired'); // one's own
      await root.expect('lock:release', { resourceId: r }, 'lock:released');
      const g = await scene('document:t-grace:main');
      await g.ann.terminate();
      await g.root.waitFor('lock:state', (s) => s.cause === 'GRACE_STARTED');
      assert.strictEqual((await take(g.root, 'document:t-grace:main')).event, 'lock:acquired');

      const q = 'line:t-line:main';
      const s = await scene(q);
      const bob = await open(one, 'bob');
      await h.view(bob, q);
      await bob.expect('lock:acquire', { resourceId: q }, 'lock:queued');
      await s.ann.expect('lock:release', { resourceId: q }, 'lock:released');
      await bob.waitFor('lock:your_turn');
      assert.strictEqual((await take(s.root, q)).event, 'lock:acquired');
      assert.strictEqual((await bob.waitFor('lock:queued')).data.position, 1); // at the head again
      await s.root.expect('lock:release', { resourceId: q }, 'lock:released');
      await bob.waitFor('lock:your_turn');
      await bob.expect('lock:claim', { resourceId: q }, 'lock:acquired');
    },
    'a request approved while a takeover is pending: the asker is next': async () => {
      const r = 'asks:t-both:main';
      const { ann, root } = await scene(r);
      const bob = await open(one, 'bob');
      await h.view(bob, r);
      const asks = await bob.expect('lock:request', { resourceId: r, message: 'please' }, 'lock:requested');
      await ann.waitFor('lock:request_received');
      await pending(root, r);
      await ann.waitFor('lock:takeover_requested');
      await ann.expect('lock:request_reply', { requestId: asks.requestId, action: 'APPROVE' }, 'lock:request_replied');
      await root.waitFor('lock:acquired');
      await root.expect('lock:release', { resourceId: r }, 'lock:released');
      await bob.waitFor('lock:available');
      const approved = await one.waitForAudit((a) => a.action === 'LOCK_REQUEST_APPROVED' && a.resourceId === r);
      assert.deepStrictEqual([approved.user.id, approved.lockRequestId], ['ann', asks.requestId]);
    },
    'approved behind one who was approved earlier: recorded once': async () => {
      const r = 'asks:t-second:main';
      const { ann, root } = await scene(r);
      const [bob, cy] = [await open(one, 'bob'), await open(two, 'cy')];
      const ask = async (client) => {
        await h.view(client, r);
        return (await client.expect('lock:request', { resourceId: r }, 'lock:requested')).requestId;
      };
      const approve = async (client, requestId) => {
        await client.waitFor('lock:request_received', (x) => x.requestId === requestId);
        await client.expect('lock:request_reply', { requestId, action: 'APPROVE' }, 'lock:request_replied');
      };
      const first = await ask(bob);
      await approve(ann, first);
      await bob.waitFor('lock:available');
      assert.strictEqual((await take(root, r)).event, 'lock:acquired'); // Bob is the next after that
      const second = await ask(cy);
      await approve(root, second);
      await bob.waitFor('lock:available');
      await bob.expect('lock:claim', { resourceId: r }, 'lock:acquired');
      await bob.expect('lock:release', { resourceId: r }, 'lock:released');
      await cy.waitFor('lock:available');
      await two.waitForAudit((a) => a.action === 'LOCK_REQUEST_APPROVED' && a.lockRequestId === second);
      const approved = [one, two].flatMap((d) => d.audit()).filter((a) => a.action === 'LOCK_REQUEST_APPROVED' && a.resourceId === r);
      assert.deepStrictEqual(approved.map((a) => a.lockRequestId), [first, second]);
    },
    'prompt: the room is asked, exactly one claim wins': async () => {
      const r = 'prompt:p-claim:main';
      const ann = await open(one, 'ann');
      const { token } = await h.take(ann, r);
      const others = await Promise.all([one, two, one, two].map((d, i) => open(d, `c${i}`)));
      for (const c of others) await h.view(c, r);
      assert.strictEqual((await others[0].expect('lock:claim', { resourceId: r }, 'lock:denied')).reason, 'HELD');
      await ann.terminate();
      for (const c of others) {
        const { data } = await c.waitFor('lock:holder_disconnected');
        assert.deepStrictEqual([data.holder, data.holderUsername, data.actions], ['ann', 'Ann', ['CLAIM_NOW', 'WAIT_30S']]);
        assert.ok(data.graceUntil > 0);
      }
      assert.strictEqual((await others[0].expect('lock:acquire', { resourceId: r }, 'lock:denied')).reason, 'GRACE');
      const replies = await Promise.all(others.map((c) => c.request('lock:claim', { resourceId: r })));
      const won = replies.filter((x) => x.event === 'lock:acquired');
      assert.strictEqual(won.length, 1);
      assert.ok(won[0].data.token > token);
      assert.strictEqual(won[0].data.previous.reason, 'CLAIMED');
      assert.ok(replies.filter((x) => x.event === 'lock:denied').every((x) => x.data.reason === 'HELD'));
      const back = await open(two, 'ann', { clientId: ann.options.clientId });
      const { joined } = await h.edit(back, r, { token });
      assert.strictEqual(joined.lost.reason, 'CLAIMED');
    },
    'prompt: back before a claim, grace over, the queue first, plain grace when the server ends it': async () => {
      const r = 'prompt:p-back:main';
      const ann = await open(one, 'ann');
      const { token } = await h.take(ann, r);
      const bob = await open(two, 'bob');
      await h.view(bob, r);
      await ann.terminate();
      await bob.waitFor('lock:holder_disconnected');
      const back = await open(two, 'ann', { clientId: ann.options.clientId });
      assert.strictEqual((await h.take(back, r, { token })).token, token);
      assert.strictEqual((await bob.expect('lock:claim', { resourceId: r }, 'lock:denied')).reason, 'HELD');

      const g = 'prompt-brief:p-grace:main';
      const gus = await open(one, 'gus');
      await h.take(gus, g);
      await h.view(bob, g);
      await gus.terminate();
      await bob.waitFor('lock:holder_disconnected', (x) => x.resourceId === g);
      await bob.waitFor('lock:released', (x) => x.resourceId === g && x.reason === 'GRACE_PERIOD_EXPIRED');

      const q = 'prompt-line:p-queue:main';
      const hal = await open(one, 'hal');
      await h.take(hal, q);
      const [first, second] = [await open(two, 'ida'), await open(one, 'joe')];
      for (const c of [first, second]) {
        await h.view(c, q);
        await c.expect('lock:acquire', { resourceId: q }, 'lock:queued');
      }
      await hal.terminate();
      await second.waitFor('lock:holder_disconnected');
      assert.strictEqual((await second.expect('lock:claim', { resourceId: q }, 'lock:denied')).reason, 'GRACE');
      await first.expect('lock:claim', { resourceId: q }, 'lock:acquired');
      assert.strictEqual((await second.waitFor('lock:queued', (x) => x.position === 1)).data.position, 1);
    },
  });
  await h.checkAll(one, two);
});

test('what happens while the answer waits for the disk comes after it', async (t) => {
  const d = await h.lockDaemon(t, {
    env: h.slowDisk(300 * h.SLOW),
    config: { auth: { adminRoles: ['lock-admin'] } },
  });
  const ann = await d.client({ user: 'ann', name: 'Ann', clientId: h.tab() });
  const root = await d.client({ user: 'root', name: 'Root', clientId: h.tab(), roles: ['lock-admin'] });
  /* What the administrator was told, from the request to the last of `until`. */
  const scene = async (r, action, until) => {
    await h.take(ann, r);
    await h.view(root, r);
    const start = root.frames.length;
    const reply = root.request('lock:takeover', { resourceId: r, reason: 'Cardiac arrest' });
    const { requestId } = (await ann.waitFor('lock:takeover_requested', (x) => x.resourceId === r)).data;
    await ann.expect('lock:takeover_reply', { requestId, action }, 'lock:takeover_replied');
    await reply;
    await root.waitFor(until, (x) => x.requestId === requestId || x.resourceId === r);
    return root.frames.slice(start).filter((f) => f.dir === 'in').map((f) => f.message.event).filter((event) => /^lock:(takeover|acquired)/.test(event));
  };
  assert.deepStrictEqual(await scene('document:d-approve:main', 'APPROVE', 'lock:acquired'), ['lock:takeover_pending', 'lock:acquired']);
  assert.deepStrictEqual(await scene('document:d-deny:main', 'DENY', 'lock:takeover_denied'), ['lock:takeover_pending', 'lock:takeover_denied']);
});

'use strict';
/* When the holder's connection ends, and when it comes back. */
const assert = require('node:assert');
const { test } = require('node:test');
const h = require('./harness');

const GRACE = 900 * h.SLOW;

test('a connection ends', { concurrency: 16 }, async (t) => {
  const d = await h.lockDaemon(t, {
    config: {
      default: { lockTtl: '60s', heartbeatInterval: '20s', gracePeriod: '25s' },
      resourceTypes: {
        brief: { gracePeriod: `${GRACE}ms` },
        abrupt: { disconnect: 'release' },
        asking: { disconnect: 'prompt', gracePeriod: '25s' },
        full: { maxViewersPerChild: 1 },
        ticking: { lockTtl: `${GRACE}ms`, heartbeatInterval: `${GRACE * 0.4}ms`, gracePeriod: `${GRACE * 3}ms` },
      },
    },
  });
  const open = (name, clientId) => d.client({ user: name, name: `N ${name}`, ...(clientId && { clientId }) });
  /* A holder and one who watches. */
  const scene = async (name, resourceId) => {
    const clientId = h.tab();
    const ann = await open(`${name}-ann`, clientId);
    const bob = await open(`${name}-bob`, h.tab());
    await h.view(bob, resourceId);
    const { token, expiresAt } = await h.take(ann, resourceId);
    await bob.waitFor('lock:state', (s) => s.cause === 'ACQUIRED');
    return { ann, bob, clientId, token, expiresAt, user: `${name}-ann`, again: () => open(`${name}-ann`, clientId) };
  };
  const graceOf = (client) => client.waitFor('lock:state', (s) => s.cause === 'GRACE_STARTED').then((m) => m.data);

  await h.together(t, {
    'without a code: grace, with its end; the same tab and token resume it': async () => {
      const r = 'document:res-plain';
      const { ann, bob, token, again, expiresAt } = await scene('plain', r);
      ann.ws.close();
      const state = await graceOf(bob);
      assert.deepStrictEqual(state.lock, {
        state: 'grace', holder: { userId: 'plain-ann', username: 'N plain-ann' }, since: state.lock.since, expiresAt,
        dirty: false, queueLength: 0, graceUntil: state.lock.graceUntil,
      });
      assert.ok(Math.abs(state.lock.graceUntil - state.serverTime - 25000) < 1000);
      const no = await bob.expect('lock:acquire', { resourceId: r }, 'lock:denied');
      assert.strictEqual(no.reason, 'GRACE');
      assert.strictEqual(no.currentHolder, 'N plain-ann');
      assert.ok(no.retryAfterMs > 20000 && no.retryAfterMs <= 25000);
      const back = await again();
      const { joined, answer } = await h.edit(back, r, { token });
      assert.strictEqual(joined.mode, 'editor');
      assert.strictEqual(joined.lock.mine, true);
      assert.strictEqual(joined.lost, undefined);
      assert.strictEqual(answer.event, 'lock:acquired');
      assert.strictEqual(answer.data.token, token);
      assert.strictEqual(answer.data.resumed, true);
      assert.strictEqual(answer.data.previous, undefined);
      const { data } = await bob.waitFor('lock:state', (s) => s.cause === 'RESUMED');
      assert.strictEqual(data.lock.state, 'held');
      assert.strictEqual(data.lock.graceUntil, undefined);
      assert.strictEqual(bob.received('lock:released').length, 0);
      await d.waitForAudit((a) => a.action === 'LOCK_GRACE_STARTED' && a.resourceId === `${r}:main` && a.fence === token && a.user.id === 'plain-ann');
      const resumed = await d.waitForAudit((a) => a.action === 'LOCK_RESUMED' && a.resourceId === `${r}:main`);
      assert.strictEqual(resumed.sessionId, back.welcome.sessionId);
    },
    'every end but 1000 has grace': async () => {
      for (const [name, end] of [
        ['terminate', (c) => c.terminate()],
        ['1001', (c) => c.close(1001)],
        ['3000', (c) => c.close(3000, 'bye')],
        ['4000', (c) => c.close(4000)],
      ]) {
        const { ann, bob } = await scene(`end-${name}`, `document:res-end-${name}`);
        await end(ann);
        await graceOf(bob);
      }
    },
    'closed with 1000: on purpose, no grace': async () => {
      const r = 'document:res-1000';
      const { ann, bob, token, again } = await scene('purpose', r);
      await ann.close(1000);
      const { data } = await bob.waitFor('lock:released');
      assert.deepStrictEqual(data, { resourceId: `${r}:main`, rev: data.rev, reason: 'DISCONNECT', previousHolder: 'purpose-ann' });
      await bob.expect('lock:acquire', { resourceId: r }, 'lock:acquired');
      const { joined, answer } = await h.edit(await again(), r, { token });
      assert.strictEqual(joined.lost.reason, 'DISCONNECT');
      assert.strictEqual(answer.data.reason, 'HELD');
      const record = await d.waitForAudit((a) => a.action === 'LOCK_RELEASED' && a.resourceId === `${r}:main`);
      assert.strictEqual(record.reason, 'DISCONNECT');
    },
    'the type says release: at once': async () => {
      const r = 'abrupt:1';
      const { ann, bob, token, again } = await scene('abrupt', r);
      await ann.terminate();
      assert.strictEqual((await bob.waitFor('lock:released')).data.reason, 'DISCONNECT');
      assert.strictEqual(bob.received('lock:state').filter((m) => m.data.lock.state === 'grace').length, 0);
      const { joined, answer } = await h.edit(await again(), r, { token });
      assert.deepStrictEqual([joined.lost.token, joined.lost.reason], [token, 'DISCONNECT']);
      assert.ok(answer.data.token > token, 'it is free, so this is a new grant');
      assert.strictEqual(answer.data.resumed, undefined);
    },
    'prompt behaves as grace': async () => {
      const { ann, bob, token, again } = await scene('prompt', 'asking:1');
      await ann.terminate();
      await graceOf(bob);
      assert.strictEqual((await h.take(await again(), 'asking:1', { token })).token, token);
    },
    'the grace runs out': async () => {
      const r = 'brief:1';
      const { ann, bob, token, again } = await scene('runout', r);
      await ann.terminate();
      const { lock } = await graceOf(bob);
      const { data } = await bob.waitFor('lock:released');
      assert.strictEqual(data.reason, 'GRACE_PERIOD_EXPIRED');
      assert.strictEqual(data.previousHolder, 'runout-ann');
      const { data: state } = await bob.waitFor('lock:state', (s) => s.cause === 'GRACE_PERIOD_EXPIRED');
      assert.deepStrictEqual(state.lock, { state: 'free' });
      assert.ok(state.serverTime >= lock.graceUntil, 'not before its time');
      assert.ok(state.serverTime <= lock.graceUntil + 1000 * h.SLOW, 'and promptly');
      const { joined, answer } = await h.edit(await again(), r, { token });
      assert.deepStrictEqual([joined.lost.token, joined.lost.reason], [token, 'GRACE_PERIOD_EXPIRED']);
      assert.strictEqual(joined.lost.at, state.serverTime > 0 ? joined.lost.at : 0);
      assert.ok(answer.data.token > token);
      const record = await d.waitForAudit((a) => a.action === 'LOCK_GRACE_EXPIRED' && a.resourceId === `${r}:main`);
      assert.strictEqual(record.fence, token);
    },
    'in grace only the grace counts, not the ttl': async () => {
      const { ann, bob, token, expiresAt, again } = await scene('ttl', 'ticking:1');
      await ann.terminate();
      await graceOf(bob);
      await h.eventually(() => Date.now() > expiresAt + 50);
      assert.strictEqual((await h.status(bob, 'ticking:1')).state, 'grace');
      assert.strictEqual((await h.take(await again(), 'ticking:1', { token })).token, token);
    },
    'with the clientId alone: a new token, and the old one is stale': async () => {
      const r = 'document:res-alone';
      const { ann, bob, token, again } = await scene('alone', r);
      await ann.terminate();
      await graceOf(bob);
      const back = await again();
      const got = await h.take(back, r);
      assert.ok(got.token > token);
      assert.strictEqual(got.resumed, true);
      const { data } = await bob.waitFor('lock:state', (s) => s.cause === 'RESUMED');
      assert.strictEqual(data.lock.holder.userId, 'alone-ann');
      const lost = await back.expect('lock:heartbeat', { resourceId: r, token }, 'lock:lost');
      assert.strictEqual(lost.reason, 'STALE_TOKEN');
      await back.sync();
      assert.strictEqual(back.received('lock:lost').length, 1, 'the tab itself is told nothing else');
    },
    'a wrong token: lost, and it goes on under a new one': async () => {
      const r = 'document:res-wrong';
      const { ann, bob, token, again } = await scene('wrong', r);
      await ann.terminate();
      await graceOf(bob);
      const { joined, answer } = await h.edit(await again(), r, { token: token - 1 });
      assert.deepStrictEqual(joined.lost, { token: token - 1, reason: 'NOT_HELD' });
      const record = await d.waitForAudit((a) => a.action === 'STALE_TOKEN_REJECTED' && a.resourceId === `${r}:main`);
      assert.deepStrictEqual([record.fence, record.reason, record.outcome], [token - 1, 'NOT_HELD', 'failure']);
      assert.ok(answer.data.token > token);
      assert.strictEqual(answer.data.resumed, true);
    },
    'by heartbeat, once joined: resumed, with the same token or without one a new one': async () => {
      for (const named of [true, false]) {
        const r = `document:res-beat-${named}`;
        const { ann, bob, token, again } = await scene(`beat-${named}`, r);
        await ann.terminate();
        await graceOf(bob);
        const back = await again();
        const joined = await h.view(back, r);
        assert.strictEqual(joined.mode, 'viewer', 'viewing never resumes');
        assert.strictEqual(joined.lock.state, 'grace');
        assert.strictEqual(joined.lock.mine, true);
        const renewed = await back.expect('lock:heartbeat', { resourceId: r, ...(named && { token }) }, 'lock:renewed');
        assert.strictEqual(renewed.resumed, true);
        if (named) assert.strictEqual(renewed.token, token);
        else assert.ok(renewed.token > token);
        await bob.waitFor('lock:state', (s) => s.cause === 'RESUMED' && s.lock.state === 'held');
      }
    },
    'reading along takes nothing up, and is told nothing of the token': async () => {
      const r = 'document:res-view';
      const { ann, bob, token, again } = await scene('viewing', r);
      await ann.terminate();
      await graceOf(bob);
      const back = await again();
      const joined = await h.view(back, r, { token });
      assert.strictEqual(joined.mode, 'viewer');
      assert.strictEqual(joined.lost, undefined);
      assert.strictEqual((await h.status(bob, r)).state, 'grace');
      const released = await back.expect('lock:release', { resourceId: r, revision: 'r9' }, 'lock:released'); // its own, in grace
      assert.strictEqual(released.reason, 'RELEASED');
      assert.strictEqual((await bob.expect('lock:acquire', { resourceId: r }, 'lock:acquired')).previous.revision, 'r9');
    },
    'another named tab of the user: HELD_BY_YOU, takeOwn moves it': async () => {
      const r = 'document:res-other';
      const { ann, bob, token } = await scene('other', r);
      await ann.terminate();
      await graceOf(bob);
      const twin = await open('other-ann', h.tab());
      const { joined, answer } = await h.edit(twin, r);
      assert.strictEqual(joined.mode, 'viewer');
      assert.strictEqual(answer.data.reason, 'HELD_BY_YOU');
      const got = await twin.expect('lock:acquire', { resourceId: r, takeOwn: true }, 'lock:acquired');
      assert.ok(got.token > token);
      await bob.waitFor('lock:state', (s) => s.lock.state === 'held' && s.lock.holder.userId === 'other-ann');
    },
    'a client that never names its tab resumes its user\'s grace lock, under a new token': async () => {
      const r = 'document:res-unnamed';
      const bob = await open('unnamed-bob', h.tab());
      await h.view(bob, r);
      const ann = await open('unnamed-ann');
      const { token } = await h.take(ann, r);
      const second = await open('unnamed-ann');
      assert.strictEqual((await h.edit(second, r)).answer.data.reason, 'HELD_BY_YOU', 'not from held');
      await second.close(1000);
      await ann.terminate();
      await graceOf(bob);
      const named = await open('unnamed-ann', h.tab());
      assert.strictEqual((await h.edit(named, r)).answer.data.reason, 'HELD_BY_YOU');
      const back = await open('unnamed-ann');
      const got = await h.take(back, r);
      assert.ok(got.token > token);
      assert.strictEqual(got.resumed, true);
    },
    'an unnamed client does not resume the lock of a named tab': async () => {
      const r = 'document:res-named';
      const { ann, bob } = await scene('named', r);
      await ann.terminate();
      await graceOf(bob);
      const unnamed = await open('named-ann');
      assert.strictEqual((await h.edit(unnamed, r)).answer.data.reason, 'HELD_BY_YOU');
    },
    'a second connection of the tab takes over: the first is closed with 4409, the lock goes on': async () => {
      const r = 'document:res-super';
      const { ann, bob, token, again } = await scene('super', r);
      const back = await again();
      const got = await h.take(back, r, { token });
      assert.strictEqual(got.token, token);
      assert.strictEqual(got.resumed, true, 'also from held');
      const { data } = await ann.waitFor('session:closed');
      assert.deepStrictEqual(data, { code: 4409, reason: 'SUPERSEDED', reconnect: false });
      assert.strictEqual((await ann.end()).code, 4409);
      await bob.waitFor('lock:state', (s) => s.cause === 'RESUMED');
      await back.expect('lock:heartbeat', { resourceId: r, token }, 'lock:renewed');
      assert.strictEqual(bob.received('lock:released').length, 0);
      assert.ok(!bob.received('lock:state').some((m) => m.data.lock.state === 'grace'), 'the end of the first has no effect');
      assert.strictEqual(ann.received('lock:lost').length, 0, 'its tab has the lock still');
      await d.waitForAudit((a) => a.action === 'SESSION_CLOSED' && a.sessionId === ann.welcome.sessionId && a.reason === 'SUPERSEDED');
    },
    'the same without the token: a new token': async () => {
      const r = 'document:res-super2';
      const { ann, token, again } = await scene('super2', r);
      const got = await h.take(await again(), r);
      assert.ok(got.token > token);
      assert.strictEqual(got.resumed, true);
      assert.strictEqual((await ann.end()).code, 4409);
    },
    "the tab's second connection only views: the first is closed, plain grace": async () => {
      const r = 'abrupt:super';
      const { ann, bob, token, again } = await scene('superview', r);
      const back = await again();
      const joined = await h.view(back, r);
      assert.strictEqual((await ann.end()).code, 4409);
      await graceOf(bob); // whatever the type says
      assert.strictEqual(joined.mode, 'viewer');
      const got = await back.expect('lock:heartbeat', { resourceId: r, token }, 'lock:renewed');
      assert.strictEqual(got.resumed, true);
    },
    'another room of the superseded connection gets its grace': async () => {
      const { ann, bob, clientId } = await scene('rooms', 'document:res-rooms:a');
      await h.take(ann, 'document:res-rooms:b');
      await h.view(bob, 'document:res-rooms:b');
      const back = await open('rooms-ann', clientId);
      await h.take(back, 'document:res-rooms:a');
      assert.strictEqual((await ann.end()).code, 4409);
      const { lock } = await graceOf(bob);
      assert.strictEqual(lock.state, 'grace');
      assert.strictEqual((await h.status(bob, 'document:res-rooms:a')).state, 'held');
    },
    'the owner of a grace lock always gets in': async () => {
      const { ann, bob, token, again } = await scene('fullroom', 'full:1');
      await ann.terminate();
      await graceOf(bob);
      const third = await open('fullroom-x');
      await h.refused(third, 'resource:join', { resourceId: 'full:1' }, 'MAX_VIEWERS_EXCEEDED');
      const back = await again();
      await h.view(back, 'full:1');
      await back.terminate();
      assert.strictEqual((await h.take(await again(), 'full:1', { token })).token, token);
    },
    'in grace the owner may leave: the lock ends': async () => {
      const r = 'document:res-leave';
      const { ann, bob, again } = await scene('leaving', r);
      await ann.terminate();
      await graceOf(bob);
      const back = await again();
      await h.view(back, r);
      await back.expect('resource:leave', { resourceId: r }, 'resource:left');
      assert.strictEqual((await bob.waitFor('lock:released')).data.reason, 'RELEASED');
    },
    'back and forth, many times': async () => {
      const r = 'document:res-many';
      const { bob, token, again, ann } = await scene('forth', r);
      let now = ann;
      for (let i = 0; i < 8; i++) {
        if (i % 2) await now.terminate(); // else it is still there, as after a laptop's sleep
        const next = await again();
        const got = await h.take(next, r, { token });
        assert.strictEqual(got.token, token);
        now = next;
      }
      await now.expect('lock:release', { resourceId: r }, 'lock:released');
      await bob.waitFor('lock:released', (x) => x.reason === 'RELEASED');
      assert.strictEqual(bob.received('lock:released').length, 1);
    },
  });
  await h.checkAll(d);
});

test('a token that is no longer valid is counted, one that is not', async (t) => {
  const d = await h.lockDaemon(t);
  const counted = () => d.metric('wslock_stale_tokens_total');
  const who = { user: 'ann', clientId: 'stale-tab-1' };
  const ann = await d.client(who);
  const { token } = await h.take(ann, 'document:stale');
  await h.take(ann, 'document:stale', { token });
  assert.strictEqual(await counted(), 0);
  await h.edit(ann, 'document:stale', { token: token - 1 });
  assert.strictEqual(await counted(), 1);
  await ann.expect('lock:release', { resourceId: 'document:stale' }, 'lock:released');
  const { joined } = await h.edit(ann, 'document:stale', { token });
  assert.strictEqual(joined.lost.reason, 'RELEASED');
  assert.strictEqual(await counted(), 2);
});

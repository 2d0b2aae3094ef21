'use strict';
/* The store goes away and comes back: silent, cut off, restarted, rolled back, emptied. */
const assert = require('node:assert');
const { test } = require('node:test');
const h = require('./harness');

const COMMAND_TIMEOUT = 1000 * h.SLOW;
const LEASE = 3000 * h.SLOW;
const GRACE = 60_000 * h.SLOW; // nobody waits for its end

function config(more = {}) {
  return {
    default: { lockTtl: '300s', heartbeatInterval: '100s', gracePeriod: `${GRACE}ms`, maxConcurrentTabLocksPerUser: 2 },
    resourceTypes: { brief: { gracePeriod: h.ms(1500) }, abrupt: { disconnect: 'release' } },
    ...more,
    redis: { lease: `${LEASE}ms`, commandTimeout: `${COMMAND_TIMEOUT}ms`, ...more.redis },
  };
}

/* Ann edits, Bob reads along. */
async function scene(d, name, resourceId) {
  const ann = await d.client({ user: `${name}-ann`, name: 'Ann', clientId: h.tab() });
  const bob = await d.client({ user: `${name}-bob`, name: 'Bob', clientId: h.tab() });
  await h.view(bob, resourceId);
  const { token } = await h.take(ann, resourceId);
  await bob.waitFor('lock:state', (s) => s.cause === 'ACQUIRED');
  return { ann, bob, token };
}

/* Asks until the answer is another than RECOVERING or BACKEND_UNAVAILABLE. */
async function settled(client, event, data) {
  for (const end = Date.now() + h.TIMEOUT; ;) {
    const reply = await client.request(event, data);
    if (reply.data.reason !== 'RECOVERING' && reply.data.code !== 'BACKEND_UNAVAILABLE') return reply;
    assert.ok(reply.data.retryAfterMs > 0, JSON.stringify(reply));
    assert.ok(Date.now() < end, `still ${JSON.stringify(reply)}`);
    await pause();
  }
}

/* Until the lock stands so, for one who is not in the room; not so often that it is too much. */
async function stands(client, resourceId, state) {
  for (const end = Date.now() + h.TIMEOUT; (await h.status(client, resourceId)).state !== state; await pause()) {
    assert.ok(Date.now() < end, `not ${state}`);
  }
}

function pause() {
  return new Promise((resolve) => setTimeout(resolve, 60));
}

function server(t, options) {
  return h.redis(t, options).then(async (redis) => {
    await h.layOut(redis);
    return redis;
  });
}

test('the store', { concurrency: 12 }, async (t) => {
  await h.together(t, {
    'silent: told, refused in time, nothing granted, confirmed afterwards': async (st) => {
      const redis = await server(st);
      const d = await h.lockDaemon(st, { redis, config: config() });
      const r = 'document:silent';
      const { ann, bob, token } = await scene(d, 'silent', r);
      redis.pause();
      const start = performance.now();
      const beat = ann.request('lock:heartbeat', { resourceId: r, token });
      const acquire = bob.request('lock:acquire', { resourceId: r });
      const { data: degraded } = await ann.waitFor('system:degraded');
      assert.ok(degraded.confirmedUntil > Date.now(), 'a holder is told until when');
      assert.ok(degraded.confirmedUntil <= Date.now() + LEASE + GRACE - 1000);
      assert.deepStrictEqual((await bob.waitFor('system:degraded')).data, { confirmedUntil: null });
      for (const reply of [await beat, await acquire]) {
        assert.strictEqual(reply.event, 'error');
        assert.strictEqual(reply.data.code, 'BACKEND_UNAVAILABLE');
        assert.ok(reply.data.retryAfterMs > 0);
        assert.strictEqual(reply.data.resourceId, 'document:silent:main');
      }
      const took = performance.now() - start;
      assert.ok(took < COMMAND_TIMEOUT + 4000 * h.SLOW, `${took} ms`);
      // From now on at once, for everything that needs the store.
      const late = await d.client({ user: 'silent-late' });
      assert.deepStrictEqual((await late.waitFor('system:degraded')).data, { confirmedUntil: null });
      await h.refused(late, 'resource:join', { resourceId: r, mode: 'editor' }, 'BACKEND_UNAVAILABLE');
      await h.refused(late, 'lock:acquire', { resourceId: r }, 'NOT_JOINED');
      await h.refused(bob, 'lock:status', { resourceId: r }, 'BACKEND_UNAVAILABLE');
      await h.refused(ann, 'lock:release', { resourceId: r }, 'BACKEND_UNAVAILABLE');
      await h.refused(bob, 'resource:leave', { resourceId: r }, 'BACKEND_UNAVAILABLE');
      assert.strictEqual(await d.metric('wslock_store_up'), 0);
      redis.resume();
      for (const c of [ann, bob]) {
        await c.waitFor('system:recovered');
        const { data } = await c.waitFor('lock:state', (s) => s.cause === 'RECOVERED');
        assert.strictEqual(data.lock.state, 'held');
        assert.strictEqual(data.lock.holder.userId, 'silent-ann');
      }
      const again = await settled(ann, 'lock:heartbeat', { resourceId: r, token });
      assert.strictEqual(again.event, 'lock:renewed');
      assert.strictEqual((await settled(bob, 'lock:acquire', { resourceId: r })).data.reason, 'HELD');
      assert.strictEqual(ann.received('lock:lost').length, 0);
      assert.strictEqual(ann.received('system:degraded').length, 1, 'told once');
      const lost = await d.waitForAudit((a) => a.action === 'STORE_LOST');
      assert.strictEqual(lost.outcome, 'failure');
      assert.ok(lost.reason.length > 0);
      await d.waitForAudit((a) => a.action === 'STORE_RECOVERED' && a.outcome === 'success');
      await h.checkAll(d);
    },

    'noticed without anyone asking': async (st) => {
      const redis = await server(st);
      const d = await h.lockDaemon(st, { redis, config: config() });
      const { ann } = await scene(d, 'idle', 'document:noticed');
      redis.pause();
      const took = await h.elapsed(ann.waitFor('system:degraded'));
      assert.ok(took < LEASE / 3 + COMMAND_TIMEOUT + 4000 * h.SLOW, `${took} ms`);
      redis.resume();
      await ann.waitFor('system:recovered');
      await h.checkAll(d);
    },

    'away too long: lock:lost STORE_LOST when the confirmation ends, then the lock is given up': async (st) => {
      const redis = await server(st);
      const d = await h.lockDaemon(st, { redis, config: config() });
      const brief = await scene(d, 'toolong', 'brief:1');
      const abrupt = await scene(d, 'abrupt', 'abrupt:1');
      const patient = await scene(d, 'patient', 'document:patient');
      redis.pause();
      for (const { ann, token } of [abrupt, brief]) {
        const { data: degraded } = await ann.waitFor('system:degraded');
        const told = Date.now();
        const { data: lost } = await ann.waitFor('lock:lost');
        const late = Date.now() - Math.max(degraded.confirmedUntil, told);
        assert.deepStrictEqual([lost.token, lost.reason], [token, 'STORE_LOST']);
        assert.ok(late > -60 && late < 2000 * h.SLOW, `told ${late} ms after confirmedUntil`);
      }
      assert.strictEqual(brief.bob.received('lock:lost').length, 0);
      redis.resume();
      for (const { ann, bob } of [brief, abrupt]) {
        await ann.waitFor('system:recovered');
        const resourceId = bob === brief.bob ? 'brief:1' : 'abrupt:1';
        const released = await bob.waitFor('lock:released', (x) => x.resourceId === `${resourceId}:main`);
        assert.strictEqual(released.data.reason, 'STORE_LOST');
        for (const who of [ann, bob]) {
          assert.ok(who.received('lock:state').every((x) => x.data.cause !== 'RECOVERED'), 'declared lost, it is not confirmed');
        }
        assert.strictEqual((await settled(bob, 'lock:acquire', { resourceId })).event, 'lock:acquired', 'nobody waits for who has stopped editing');
      }
      assert.strictEqual((await settled(patient.ann, 'lock:heartbeat', { resourceId: 'document:patient', token: patient.token })).event, 'lock:renewed');
      assert.strictEqual(patient.ann.received('lock:lost').length, 0);
      await h.checkAll(d);
    },

    'killed and started again with its append-only file: everything is as it was': async (st) => {
      const redis = await server(st, { args: ['--appendonly', 'yes', '--appendfsync', 'always'] });
      const d = await h.lockDaemon(st, { redis, config: config() });
      const r = 'document:aof';
      const { ann, bob, token } = await scene(d, 'aof', r);
      await ann.expect('lock:heartbeat', { resourceId: r, dirty: true }, 'lock:renewed');
      await redis.restart('SIGKILL');
      for (const c of [ann, bob]) await c.waitFor('system:recovered');
      const { data } = await bob.waitFor('lock:state', (s) => s.cause === 'RECOVERED');
      assert.strictEqual(data.lock.state, 'held');
      assert.strictEqual(data.lock.dirty, true);
      const beat = await settled(ann, 'lock:heartbeat', { resourceId: r, token });
      assert.deepStrictEqual([beat.event, beat.data.token], ['lock:renewed', token]);
      assert.strictEqual((await settled(bob, 'lock:acquire', { resourceId: r })).data.reason, 'HELD');
      await ann.expect('lock:release', { resourceId: r, revision: 'r1' }, 'lock:released');
      const got = await bob.expect('lock:acquire', { resourceId: r }, 'lock:acquired');
      assert.ok(got.token > token);
      assert.strictEqual(got.previous.revision, 'r1');
      assert.strictEqual(ann.received('lock:lost').length, 0);
      await h.checkAll(d);
    },

    'started again empty: the locks come back from what the daemons know': async (st) => {
      const redis = await server(st);
      const one = await h.lockDaemon(st, { redis, config: config({ instance: 'one' }) });
      const two = await h.lockDaemon(st, { redis, config: config({ instance: 'two' }) });
      const here = await scene(one, 'empty-1', 'document:empty:a');
      const there = await scene(two, 'empty-2', 'document:empty:b');
      const far = await two.client({ user: 'far' });
      await h.view(far, 'document:empty:a');
      const third = await h.take(here.ann, 'document:empty:c'); // at the limit now
      await redis.restart('SIGKILL');
      for (const c of [here.ann, there.ann, far]) await c.waitFor('system:recovered');
      // Inside the window nothing is granted, not even what is free.
      const free = await one.client({ user: 'free' });
      const first = await settled(free, 'resource:join', { resourceId: 'document:free', mode: 'editor' });
      const inside = await free.inbox.take((m) => m.id === undefined && /^lock:(acquired|denied)$/.test(m.event), 'what the join brought');
      assert.strictEqual(first.data.mode, 'viewer');
      assert.deepStrictEqual([inside.event, inside.data.reason], ['lock:denied', 'RECOVERING']);
      assert.strictEqual((await settled(free, 'lock:acquire', { resourceId: 'document:free' })).event, 'lock:acquired');
      for (const [s, r] of [[here, 'document:empty:a'], [there, 'document:empty:b']]) {
        const beat = await settled(s.ann, 'lock:heartbeat', { resourceId: r, token: s.token });
        assert.deepStrictEqual([beat.event, beat.data.token], ['lock:renewed', s.token]);
        assert.strictEqual((await settled(s.bob, 'lock:acquire', { resourceId: r })).data.reason, 'HELD');
        assert.strictEqual(s.ann.received('lock:lost').length, 0);
      }
      await here.ann.expect('resource:join', { resourceId: 'document:empty:d' }, 'resource:joined');
      const error = await h.refused(here.ann, 'lock:acquire', { resourceId: 'document:empty:d' }, 'MAX_TAB_LOCKS_EXCEEDED');
      assert.deepStrictEqual(error.held.sort(), ['document:empty:a', 'document:empty:c'], 'the tab limit is known again');
      const users = (await h.view(far, 'document:empty:a')).users.map((u) => u.userId).sort();
      assert.deepStrictEqual(users, ['empty-1-ann', 'empty-1-bob', 'far']);
      await here.ann.expect('lock:release', { resourceId: 'document:empty:c' }, 'lock:released');
      const newer = await here.ann.expect('lock:acquire', { resourceId: 'document:empty:c' }, 'lock:acquired');
      assert.ok(newer.token > third.token, 'tokens grow over the loss');
      await d2audit(one);
      await h.checkAll(one, two);
    },

    'a lock that was given, but not told yet, is restored': async (st) => {
      const redis = await h.redis(st, { tcp: true });
      await h.layOut(redis);
      const wire = await h.proxy(st, redis.port);
      const d = await h.lockDaemon(st, { redis, config: config({ redis: { url: `redis://127.0.0.1:${wire.port}/0`, lease: h.ms(9000), commandTimeout: h.ms(4000) } }) });
      const r = 'document:early:main';
      const ann = await d.client({ user: 'early-ann', name: 'Ann', clientId: h.tab() });
      const bob = await d.client({ user: 'early-bob', name: 'Bob', clientId: h.tab() });
      await h.view(ann, r);
      await h.view(bob, r);
      await ann.waitFor('presence:diff', (x) => x.joined.some((u) => u.userId === 'early-bob'));
      wire.hold(':feed');
      const { token } = await ann.expect('lock:acquire', { resourceId: r }, 'lock:acquired');
      await redis.restart('SIGKILL');
      const { data: degraded } = await ann.waitFor('system:degraded');
      assert.ok(degraded.confirmedUntil > Date.now(), 'she holds one');
      await ann.waitFor('lock:state', (x) => x.cause === 'RECOVERED' && x.lock.holder.userId === 'early-ann');
      assert.strictEqual((await settled(bob, 'lock:acquire', { resourceId: r })).data.reason, 'HELD');
      assert.strictEqual((await settled(ann, 'lock:heartbeat', { resourceId: r, token })).data.token, token);
      assert.strictEqual(ann.received('lock:lost').length, 0);
      await h.checkAll(d);
    },

    'emptied, with an editor in grace who was alone in the room': async (st) => {
      const redis = await server(st);
      const d = await h.lockDaemon(st, { redis, config: config({ resourceTypes: { alone: { gracePeriod: h.ms(15_000) } } }) });
      const r = 'alone:1';
      const other = await d.client({ user: 'alone-other' });
      const gone = await d.client({ user: 'alone-gone', clientId: h.tab() });
      const { token } = await h.take(gone, r);
      await gone.terminate();
      await stands(other, r, 'grace');
      await redis.restart('SIGKILL');
      await other.waitFor('system:recovered');
      assert.strictEqual((await settled(other, 'resource:join', { resourceId: r })).data.lock.state, 'grace');
      assert.strictEqual((await settled(other, 'lock:acquire', { resourceId: r })).data.reason, 'GRACE');
      const back = await d.client(gone.options);
      const { answer } = await h.edit(back, r, { token });
      assert.deepStrictEqual([answer.event, answer.data.token], ['lock:acquired', token]);
      // Under a new token, which it has got while its connection still stood, no less.
      const again = await d.client(gone.options);
      const renewed = (await h.edit(again, r)).answer;
      assert.ok(renewed.data.token > token, JSON.stringify(renewed));
      await again.terminate();
      await stands(other, r, 'grace');
      await other.expect('resource:leave', { resourceId: r }, 'resource:left');
      await redis.command('FLUSHALL');
      assert.strictEqual((await settled(other, 'resource:join', { resourceId: r })).data.lock.state, 'grace');
      // Whose grace ends: nothing is kept, and nothing restored.
      await other.waitFor('lock:released', (x) => x.reason === 'GRACE_PERIOD_EXPIRED', { timeout: h.TIMEOUT * 2 });
      await h.checkAll(d);
    },

    'emptied, and the holder’s daemon is the last to report: nobody is told that the lock is free': async (st) => {
      const redis = await server(st);
      const own = { default: { lockTtl: '120s', heartbeatInterval: '40s', gracePeriod: h.ms(6000), takeover: 'request', takeoverTimeout: '60s' } };
      const long = { auth: { adminRoles: ['lock-admin'] }, ...config(own), redis: { lease: h.ms(5000), commandTimeout: h.ms(1000) } };
      const one = await h.lockDaemon(st, { redis, config: { ...long, instance: 'one' } });
      const two = await h.lockDaemon(st, { redis, config: { ...long, instance: 'two' } });
      const r = 'document:last:main';
      const gone = 'document:last-gone:main';
      const ann = await one.client({ user: 'last-ann', clientId: h.tab() });
      const { token } = await h.take(ann, r);
      await h.take(ann, gone);
      const root = await two.client({ user: 'last-root', clientId: h.tab(), roles: ['lock-admin'] });
      await h.view(root, r);
      await h.view(root, gone);
      await root.expect('lock:takeover', { resourceId: r, reason: 'why' }, 'lock:takeover_pending');
      await ann.waitFor('lock:takeover_requested');
      one.signal('SIGSTOP');
      try {
        await redis.restart('SIGKILL');
        await root.waitFor('system:recovered');
        assert.strictEqual((await settled(root, 'lock:status', { resourceId: r })).data.lock.state, 'free', 'so far the store knows nothing');
      } finally {
        one.signal('SIGCONT');
      }
      const restored = (x) => x.cause === 'RECOVERED' && x.resourceId === r && x.lock.state === 'held';
      await root.waitFor('lock:state', restored);
      await root.waitFor('lock:state', (x) => x.cause === 'RECOVERED' && x.resourceId === gone && x.lock.state === 'held');
      assert.ok(root.received('lock:state').every((x) => x.id !== undefined || x.data.lock.state !== 'free'));
      assert.strictEqual(root.received('lock:takeover_closed').length, 0);
      assert.strictEqual((await settled(ann, 'lock:heartbeat', { resourceId: r, token })).data.token, token);
      // And where it does not come back: told when the window closes.
      assert.strictEqual((await settled(root, 'lock:acquire', { resourceId: gone })).data.reason, 'HELD', 'the window is closed');
      await one.kill();
      await redis.restart('SIGKILL');
      await root.waitFor('lock:state', (x) => x.resourceId === gone && x.lock.state === 'free' && x.cause === 'RECOVERED');
      await root.waitFor('lock:takeover_closed', (x) => x.outcome === 'CANCELLED');
      await h.checkAll(two);
    },

    'emptied by a restart, when a daemon without a past is there first: one that was away long is waited for': async (st) => {
      const redis = await server(st);
      const one = await h.lockDaemon(st, { redis, config: config({ instance: 'one', default: { gracePeriod: h.ms(30_000) } }) });
      const { ann, token } = await scene(one, 'back', 'document:back');
      await redis.stop('SIGKILL');
      await ann.waitFor('system:degraded');
      // By then the pauses have grown to their longest; the last has just begun.
      for (let i = 0; i < 7; i++) await one.waitForLog(/store_connect_failed/);
      await redis.start();
      const two = await h.lockDaemon(st, { redis, config: config({ instance: 'two', default: { gracePeriod: h.ms(30_000) } }) });
      const bob = await two.client({ user: 'back-late', name: 'Bob', clientId: h.tab() });
      const joined = await settled(bob, 'resource:join', { resourceId: 'document:back', mode: 'editor' });
      assert.strictEqual(joined.data.lock.state, 'held');
      assert.strictEqual((await settled(bob, 'lock:acquire', { resourceId: 'document:back' })).data.reason, 'HELD');
      assert.strictEqual((await settled(ann, 'lock:heartbeat', { resourceId: 'document:back', token })).event, 'lock:renewed');
      assert.strictEqual(ann.received('lock:lost').length, 0);
      await h.checkAll(one, two);
    },

    'emptied while running (FLUSHALL), with an editor in grace': async (st) => {
      const redis = await server(st);
      // All of it is asked inside the window.
      const d = await h.lockDaemon(st, { redis, config: config({ redis: { lease: '60s' } }) });
      const { ann, bob, token } = await scene(d, 'flush', 'document:flush');
      const held = await scene(d, 'flush2', 'document:flush2');
      await ann.terminate();
      await bob.waitFor('lock:state', (s) => s.cause === 'GRACE_STARTED');
      await redis.command('FLUSHALL');
      assert.strictEqual((await settled(held.ann, 'lock:heartbeat', { resourceId: 'document:flush2', token: held.token })).event, 'lock:renewed');
      const denied = await bob.request('lock:acquire', { resourceId: 'document:flush' });
      assert.notStrictEqual(denied.event, 'lock:acquired');
      const back = await d.client(ann.options);
      const joined = await settled(back, 'resource:join', { resourceId: 'document:flush' });
      assert.strictEqual(joined.data.lock.state, 'grace');
      // Without the token it would be a new grant, and there are none inside the window.
      await h.refused(back, 'lock:heartbeat', { resourceId: 'document:flush' }, 'BACKEND_UNAVAILABLE');
      await h.refused(back, 'lock:release', { resourceId: 'document:flush' }, 'BACKEND_UNAVAILABLE');
      const { answer } = await h.edit(back, 'document:flush', { token });
      assert.strictEqual(answer.event, 'lock:acquired', JSON.stringify(answer));
      assert.strictEqual(answer.data.token, token);
      assert.strictEqual(answer.data.resumed, true);
      await h.checkAll(d);
    },

    'emptied, when its clock had been two days ahead': async (st) => {
      const redis = await server(st);
      const d = await h.lockDaemon(st, { redis, config: config() });
      const ahead = (Date.now() + 2 * 86_400_000) * 1000;
      for (let n = 0; n < 16; n++) await redis.command('HSET', `{wslock:${n}}:meta`, 'tick', ahead);
      const r = 'document:ahead';
      const ann = await d.client({ user: 'ahead-ann', name: 'Ann', clientId: h.tab() });
      const bob = await d.client({ user: 'ahead-bob', name: 'Bob', clientId: h.tab() });
      for (const client of [ann, bob]) { // the clock's step is noticed as a missed event
        assert.strictEqual((await settled(client, 'resource:join', { resourceId: r })).event, 'resource:joined');
      }
      const { token } = (await settled(ann, 'lock:acquire', { resourceId: r })).data;
      assert.ok(token > ahead);
      await bob.waitFor('lock:state', (s) => s.cause === 'ACQUIRED');
      await redis.command('FLUSHALL');
      // What is told from now on has a lower rev than what they know: they begin anew.
      for (const client of [ann, bob]) assert.strictEqual((await client.end()).code, 1001);
      const [back, other] = [await d.client(bob.options), await d.client(ann.options)];
      const joined = await settled(back, 'resource:join', { resourceId: r });
      assert.strictEqual(joined.event, 'resource:joined');
      assert.ok(joined.data.rev < token);
      assert.strictEqual((await settled(other, 'resource:join', { resourceId: r })).event, 'resource:joined');
      assert.strictEqual((await settled(other, 'lock:acquire', { resourceId: r })).event, 'lock:acquired');
      await back.waitFor('lock:state', (s) => s.cause === 'ACQUIRED');
      await h.checkAll(d);
    },

    'demoted behind its address, while the old connections live on: the new master is found': async (st) => {
      const [old, replica] = [await server(st, { tcp: true }), await h.redis(st, { tcp: true })];
      await replica.command('REPLICAOF', '127.0.0.1', old.port);
      await h.eventually(async () => /master_link_status:up/.test(await replica.command('INFO', 'replication')), 'a copy');
      const wire = await h.proxy(st, old.port);
      const d = await h.lockDaemon(st, { redis: old, config: config({ redis: { url: `redis://127.0.0.1:${wire.port}/0` } }) });
      const r = 'document:promoted';
      const { ann, bob, token } = await scene(d, 'promoted', r);
      await h.eventually(async () => (await replica.keys('*:lock:*')).length === 1, 'the lock is copied');
      await replica.command('REPLICAOF', 'NO', 'ONE');
      wire.target = { port: replica.port, host: '127.0.0.1' };
      await old.command('REPLICAOF', '127.0.0.1', replica.port);
      await ann.waitFor('system:recovered');
      assert.strictEqual((await settled(ann, 'lock:heartbeat', { resourceId: r, token })).event, 'lock:renewed');
      assert.strictEqual((await settled(bob, 'lock:acquire', { resourceId: r })).data.reason, 'HELD');
      await h.eventually(async () => /name=wslockd:test:feed /.test(await replica.command('CLIENT', 'LIST')), 'the feed came too');
      assert.strictEqual((await settled(ann, 'lock:release', { resourceId: r })).event, 'lock:released');
      await bob.waitFor('lock:released');
      await h.checkAll(d);
    },

    'the connection for its events alone is gone: as if it were away, and made good afterwards': async (st) => {
      const redis = await server(st, { tcp: true });
      const d = await h.lockDaemon(st, { redis, config: config({ ops: { readyGrace: h.ms(300) } }) });
      const r = 'document:unheard';
      const { ann, bob, token } = await scene(d, 'unheard', r);
      const list = (await redis.command('CLIENT', 'LIST')).split('\n').filter(Boolean);
      await redis.command('CONFIG', 'SET', 'maxclients', list.length - 1);
      await redis.command('CLIENT', 'KILL', 'ID', /id=(\d+)/.exec(list.find((line) => line.includes(':feed ')))[1]);
      for (const c of [ann, bob]) await c.waitFor('system:degraded');
      await h.refused(bob, 'lock:acquire', { resourceId: r }, 'BACKEND_UNAVAILABLE');
      await h.eventually(async () => (await h.httpGet(d.opsUrl('/readyz'))).status === 503, '/readyz knows');
      await h.eventually(async () => (await d.metric('wslock_feed_lag_seconds')) > 1, 'the lag grows');
      await redis.command('CONFIG', 'SET', 'maxclients', 100);
      for (const c of [ann, bob]) await c.waitFor('system:recovered');
      assert.strictEqual((await settled(ann, 'lock:heartbeat', { resourceId: r, token })).event, 'lock:renewed');
      assert.strictEqual((await settled(ann, 'lock:release', { resourceId: r })).event, 'lock:released');
      await bob.waitFor('lock:released');
      await h.granting(d);
      await h.checkAll(d);
    },

    'the connection to it is cut, again and again': async (st) => {
      const redis = await server(st, { tcp: true });
      const wire = await h.proxy(st, redis.port);
      const d = await h.lockDaemon(st, { redis, config: config({ redis: { url: `redis://127.0.0.1:${wire.port}/0` } }) });
      const r = 'document:cut';
      const { ann, bob, token } = await scene(d, 'cut', r);
      await h.view(ann, 'document:cut2');
      for (let i = 0; i < 5; i++) {
        const beat = ann.request('lock:heartbeat', { resourceId: r, token });
        const acquire = ann.request('lock:acquire', { resourceId: 'document:cut2' });
        wire.cut();
        const replies = [await beat, await acquire];
        for (const reply of replies) {
          assert.ok(['lock:renewed', 'lock:acquired', 'error'].includes(reply.event), JSON.stringify(reply));
          if (reply.event === 'error') assert.strictEqual(reply.data.code, 'BACKEND_UNAVAILABLE', 'what is unknown is never told as denied');
        }
        assert.strictEqual((await settled(ann, 'lock:heartbeat', { resourceId: r, token })).event, 'lock:renewed');
        assert.strictEqual((await settled(ann, 'lock:acquire', { resourceId: 'document:cut2' })).event, 'lock:acquired');
        assert.strictEqual((await settled(ann, 'lock:release', { resourceId: 'document:cut2' })).event, 'lock:released');
      }
      assert.strictEqual((await settled(bob, 'lock:acquire', { resourceId: r })).data.reason, 'HELD');
      wire.hold(); // a dead cable
      const [beat, join, leave] = await Promise.all([
        ann.request('lock:heartbeat', { resourceId: r, token }),
        ann.request('resource:join', { resourceId: 'document:cut3' }),
        ann.request('resource:leave', { resourceId: 'document:cut2' }),
      ]);
      for (const reply of [beat, join, leave]) assert.strictEqual(reply.data.code, 'BACKEND_UNAVAILABLE', JSON.stringify(reply));
      wire.release();
      // What may have happened is undone or done again: in, and staying in.
      assert.strictEqual((await settled(ann, 'resource:join', { resourceId: 'document:cut3' })).event, 'resource:joined');
      assert.strictEqual((await settled(ann, 'lock:acquire', { resourceId: 'document:cut3' })).event, 'lock:acquired');
      await new Promise((resolve) => setTimeout(resolve, COMMAND_TIMEOUT + 700)); // beyond the last repeat
      await ann.expect('lock:heartbeat', { resourceId: 'document:cut3' }, 'lock:renewed');
      assert.strictEqual((await h.view(bob, 'document:cut3')).users.length, 2);
      assert.strictEqual((await ann.request('resource:leave', { resourceId: 'document:cut2' })).event, 'resource:left');
      await h.eventually(async () => (await h.view(bob, 'document:cut2')).users.length === 1);
      assert.strictEqual((await settled(ann, 'lock:heartbeat', { resourceId: r, token })).event, 'lock:renewed');
      assert.strictEqual(ann.received('lock:lost').length, 0);
      await ann.expect('lock:release', { resourceId: r }, 'lock:released');
      await bob.waitFor('lock:released', (x) => x.resourceId === 'document:cut:main');
      await h.checkAll(d);
    },

    'what ends a join without an answer undoes no later one, however late it comes': async (st) => {
      const redis = await server(st, { tcp: true });
      const wire = await h.proxy(st, redis.port);
      const d = await h.lockDaemon(st, { redis, config: config({ redis: { url: `redis://127.0.0.1:${wire.port}/0` } }) });
      for (const cut of [false, true]) { // its connection times out, or ends while it can still be carried out
        const r = `document:late-${cut}`;
        const ann = await d.client({ user: `late-ann-${cut}`, name: 'Ann', clientId: h.tab() });
        await settled(ann, 'lock:status', { resourceId: r });
        const join = wire.keep(new RegExp(`FCALL[^]*late-ann-${cut}`));
        const first = ann.request('resource:join', { resourceId: r, mode: 'editor' });
        await join;
        const farewell = wire.keep(/\xa6SERVER/);
        assert.strictEqual((await first).data.code, 'BACKEND_UNAVAILABLE');
        await farewell;
        if (cut) wire.cut();
        assert.strictEqual((await settled(ann, 'resource:join', { resourceId: r, mode: 'editor' })).event, 'resource:joined');
        const { token } = (await settled(ann, 'lock:acquire', { resourceId: r })).data;
        await wire.deliver();
        const beat = await settled(ann, 'lock:heartbeat', { resourceId: r, token });
        assert.deepStrictEqual([beat.event, beat.data.token], ['lock:renewed', token], JSON.stringify(beat));
        assert.strictEqual(ann.received('lock:lost').length, 0);
      }
      await h.checkAll(d);
    },

    'a connection that ends meanwhile is ended in the store afterwards': async (st) => {
      const redis = await server(st);
      const d = await h.lockDaemon(st, { redis, config: config() });
      const { ann, bob, token } = await scene(d, 'meanwhile', 'brief:meanwhile');
      redis.pause();
      await bob.waitFor('system:degraded');
      await ann.terminate();
      redis.resume();
      await bob.waitFor('system:recovered');
      await bob.waitFor('lock:state', (s) => s.lock.state === 'grace');
      await bob.waitFor('lock:released', (x) => x.reason === 'GRACE_PERIOD_EXPIRED');
      assert.ok((await settled(bob, 'lock:acquire', { resourceId: 'brief:meanwhile' })).data.token > token);
      await h.checkAll(d);
    },
  });
});

async function d2audit(d) {
  await d.waitForAudit((a) => a.action === 'LOCK_RECOVERED' && a.user?.id === 'empty-1-ann' && a.fence > 0);
}

/* Beneath all that repeats and reports: after a recovery the members in the store are held against the sessions. */
test('a stray member is taken out, a forgotten one is put back', async (t) => {
  const redis = await h.redis(t);
  await h.layOut(redis, { shards: 256 });
  const d = await h.lockDaemon(t, { redis, config: config({ redis: { shards: 256, lease: h.ms(6000), commandTimeout: h.ms(2000) } }) });
  const bob = await d.client({ user: 'bob', name: 'Bob', clientId: h.tab() });
  // In one of the last shards, so that there is time before they are looked at.
  let r;
  let tag;
  for (let i = 0; !r; i++) {
    const name = `document:stray-${i}:main`;
    await h.view(bob, name);
    const [key] = await redis.keys(`{wslock:*}:member:${name}`);
    if (Number(/:(\d+)\}/.exec(key)[1]) >= 200) {
      r = name;
      tag = key.slice(0, key.indexOf('}') + 2);
    } else {
      await bob.expect('resource:leave', { resourceId: name }, 'resource:left');
    }
  }
  const [field, value] = await redis.command('HGETALL', `${tag}member:${r}`);
  const incarnation = value.split(' ')[1];
  await redis.command('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
  await d.waitForLog(/^store_recovered/);
  await redis.command('HSET', `${tag}member:${r}`, 'tab-gone:gus', `gone-session ${incarnation} ${Date.now()} Gus`);
  await redis.command('ZADD', `${tag}room:${r}`, Date.now(), 'tab-gone:gus');
  await redis.command('SADD', `${tag}instance:${incarnation}`, `${r} tab-gone:gus`);
  await redis.command('HDEL', `${tag}member:${r}`, field);
  await redis.command('ZREM', `${tag}room:${r}`, field);
  await redis.command('SREM', `${tag}instance:${incarnation}`, `${r} ${field}`);
  await d.waitForLog(/^stray_member\s.*gone-session/, h.TIMEOUT * 2);
  const gone = await d.waitForAudit((a) => a.action === 'RESOURCE_LEFT' && a.sessionId === 'gone-session');
  assert.strictEqual(gone.user.name, 'Gus');
  await d.waitForLog(/^shard_resync\s.*a member is missing/, h.TIMEOUT * 2);
  await h.eventually(async () => (await redis.hash(`${tag}member:${r}`))[field] === value, 'bob is there again');
  assert.deepStrictEqual(await redis.command('SMEMBERS', `${tag}instance:${incarnation}`), [`${r} ${field}`]);
  // The store has bob before the shard is served again.
  assert.strictEqual((await settled(bob, 'lock:acquire', { resourceId: r })).event, 'lock:acquired');
  await h.checkAll(d);
});

test('while requests wait for a silent store, new connections wait, but not for it', async (t) => {
  const redis = await h.redis(t);
  const d = await h.lockDaemon(t, { redis, config: { redis: { commandTimeout: '6s' }, limits: { messageBurst: 1000 } } });
  const client = await d.client();
  await h.view(client, 'document:1');
  redis.pause();
  try {
    // More than are in flight; the oldest that waits has waited long after a quarter of commandTimeout.
    for (let i = 0; i < 300; i++) client.send('lock:status', { resourceId: 'document:1' });
    const come = async (n) => (await d.client({ user: `late-${n}` })).close(1000);
    for (let n = 0; !(await d.metric('wslock_accepts_deferred_total')); n++) await come(n);
    assert.match(d.log.join('\n'), /accepting_deferred/);
    await come('last');
    assert.strictEqual(client.received('lock:state').length, 0, 'the store has not answered yet');
  } finally {
    redis.resume();
  }
  await h.eventually(() => client.received('lock:state').length === 300, 'all are answered');
});

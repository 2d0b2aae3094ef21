'use strict';
/* A newer token on the same connection, and the warning before a token ends. */
const assert = require('node:assert');
const { test } = require('node:test');
const h = require('./harness');

function closing(client) {
  return client.waitFor('session:closed').then((data) => data.data);
}

test('a newer token', { concurrency: 12 }, async (t) => {
  const d = await h.lockDaemon(t, {
    config: {
      auth: { clockSkew: '100ms', issuer: 'https://id.example.org' },
      resourceTypes: { document: {}, guarded: { editorRoles: ['writer'] } },
    },
  });
  const iss = 'https://id.example.org';
  const now = () => Math.floor(Date.now() / 1000);
  const open = (options = {}) => d.client({ ...options, claims: { iss, ...options.claims } });
  const token = (options = {}) => d.token({ ...options, claims: { iss, ...options.claims } });
  /* Of a longer life than the first one, unless it says otherwise. */
  const refresh = async (client, options) => client.expect('auth:refresh', { token: await token({ ttl: 7200, ...options }) }, 'auth:refreshed');
  const refused = async (client, options, code) => h.refused(client, 'auth:refresh', { token: await token(options) }, code);

  await h.together(t, {
    'before a token is accepted': async () => {
      const c = await (await d.newClient({ silent: true })).start();
      await refused(c, { user: 'early' }, 'UNAUTHENTICATED');
      await h.refused(c, 'auth:refresh', {}, 'UNAUTHENTICATED');
      assert.strictEqual((await c.request('auth', { token: await token({ user: 'early' }) })).event, 'welcome');
    },
    'the connection lives as long as the newer one, and the lock with it': async () => {
      const c = await open({ user: 'long', ttl: 2 });
      const { token: fence } = await h.take(c, 'document:refresh-long');
      const expires = now() + 600;
      const reply = await refresh(c, { user: 'long', claims: { exp: expires } });
      assert.strictEqual(reply.tokenExpiresAt, expires * 1000);
      assert.ok(Number.isSafeInteger(reply.serverTime));
      await h.eventually(() => Date.now() > c.welcome.tokenExpiresAt + 400, 'the first token has ended');
      const renewed = await c.expect('lock:heartbeat', { resourceId: 'document:refresh-long', token: fence }, 'lock:renewed');
      assert.strictEqual(renewed.token, fence);
      assert.deepStrictEqual(c.received('session:closed'), []);
    },
    'it ends with the newer one': async () => {
      const c = await open({ user: 'short', ttl: 2 });
      const expires = now() + 4;
      await refresh(c, { user: 'short', claims: { exp: expires } });
      assert.deepStrictEqual(await closing(c), { code: 4401, reason: 'TOKEN_EXPIRED', reconnect: true });
      assert.ok(Date.now() >= expires * 1000, 'not before its time');
      assert.strictEqual((await c.end()).code, 4401);
    },
    'one that ends no later changes nothing, and is told so': async () => {
      const exp = now() + 600;
      const c = await open({ user: 'older', roles: ['writer'], claims: { iat: now() - 300, exp } });
      for (const claims of [{ exp }, { exp: exp - 1 }, { exp: exp - 1, iat: now() }, { exp, iat: now() + 5 }, { exp, iat: undefined }]) {
        const reply = await refresh(c, { user: 'older', claims });
        assert.strictEqual(reply.tokenExpiresAt, exp * 1000, JSON.stringify(claims));
      }
      await h.take(c, 'guarded:refresh-older', {}); // with the role that the others lack
    },
    'one that ends later counts, whenever it was issued': async () => {
      const exp = now() + 600;
      const c = await open({ user: 'later', roles: ['writer'], claims: { exp } });
      await h.view(c, 'guarded:refresh-later');
      for (const claims of [{ exp: exp + 1, iat: now() - 300 }, { exp: exp + 2, iat: undefined }, { exp: exp + 2.5 }]) {
        const reply = await refresh(c, { user: 'later', claims });
        assert.strictEqual(reply.tokenExpiresAt, claims.exp * 1000, JSON.stringify(claims));
      }
      const { data } = await c.request('lock:acquire', { resourceId: 'guarded:refresh-later' });
      assert.strictEqual(data.reason, 'NOT_AN_EDITOR', 'without the role of the first one');
    },
    'roles, token id and issuer of the newer one count from then on': async () => {
      const c = await open({ user: 'roles', roles: ['reader'], claims: { jti: 'first' } });
      await h.view(c, 'guarded:refresh-roles');
      const { data } = await c.request('lock:acquire', { resourceId: 'guarded:refresh-roles' });
      assert.strictEqual(data.reason, 'NOT_AN_EDITOR');
      await refresh(c, { user: 'roles', name: 'Newly Named', roles: ['writer'], claims: { jti: 'second' } });
      await c.expect('lock:acquire', { resourceId: 'guarded:refresh-roles' }, 'lock:acquired');
      const record = await d.waitForAudit((r) => r.action === 'LOCK_ACQUIRED' && r.resourceId === 'guarded:refresh-roles:main');
      assert.strictEqual(record.tokenId, 'second');
      await c.close(1000);
      const closed = await d.waitForAudit((r) => r.action === 'SESSION_CLOSED' && r.sessionId === c.welcome.sessionId);
      assert.deepStrictEqual(closed.user, { id: 'roles', name: 'Newly Named', roles: ['writer'] });
      assert.strictEqual(closed.tokenId, 'second');
      assert.strictEqual(closed.issuer, iss);
    },
    'who may no longer edit keeps the lock, but takes none up again': async () => {
      const r = 'guarded:refresh-demoted';
      const clientId = h.tab();
      const c = await open({ user: 'demoted', roles: ['writer'], clientId });
      const { token: fence } = await h.take(c, r);
      await refresh(c, { user: 'demoted', roles: ['reader'] });
      await c.expect('lock:heartbeat', { resourceId: r, token: fence }, 'lock:renewed');
      const { joined, answer } = await h.edit(c, r);
      assert.deepStrictEqual([joined.mode, joined.lock.mine], ['editor', true]);
      assert.deepStrictEqual([answer.event, answer.data.token], ['lock:acquired', fence], 'in as before');
      const watcher = await open({ user: 'demoted-watcher' });
      await h.view(watcher, r);
      await c.terminate();
      await watcher.waitFor('lock:state', (s) => s.cause === 'GRACE_STARTED');
      const back = await open({ user: 'demoted', roles: ['reader'], clientId });
      assert.strictEqual((await h.edit(back, r, { token: fence })).answer.data.reason, 'NOT_AN_EDITOR');
      for (const token of [undefined, fence]) {
        const lost = await back.expect('lock:heartbeat', { resourceId: r, token }, 'lock:lost');
        assert.strictEqual(lost.reason, 'NOT_HELD');
      }
      assert.strictEqual((await watcher.expect('lock:status', { resourceId: r }, 'lock:state')).lock.state, 'grace');
    },
    'rooms go on with the connection as it was': async () => {
      const c = await open({ user: 'rooms' });
      const watcher = await open({ user: 'rooms-watcher' });
      await h.view(watcher, 'document:refresh-rooms');
      const { token: fence } = await h.take(c, 'document:refresh-rooms');
      for (let i = 0; i < 3; i++) await refresh(c, { user: 'rooms', name: `Name ${i}`, ttl: 7200 + i });
      await c.expect('lock:release', { resourceId: 'document:refresh-rooms' }, 'lock:released');
      const { data } = await watcher.waitFor('lock:released');
      assert.strictEqual(data.previousHolder, 'rooms');
      const again = await c.expect('lock:acquire', { resourceId: 'document:refresh-rooms' }, 'lock:acquired');
      assert.ok(again.token > fence);
      const { data: left } = await (async () => { await c.close(1000); return watcher.waitFor('presence:diff', (p) => p.left.length); })();
      assert.deepStrictEqual(left.left, [{ userId: 'rooms' }]);
    },
    'refused ones leave the connection as it was': async () => {
      const c = await open({ user: 'kept', ttl: 600 });
      await refused(c, { user: 'somebody-else' }, 'FORBIDDEN');
      await refused(c, { user: 'kept', ttl: -60 }, 'TOKEN_EXPIRED');
      await refused(c, { user: 'kept', key: Buffer.alloc(48, 1) }, 'TOKEN_INVALID');
      await refused(c, { user: 'kept', claims: { iss: 'https://evil.example.org' } }, 'TOKEN_INVALID');
      await h.refused(c, 'auth:refresh', { token: 'x' }, 'TOKEN_INVALID');
      for (const data of [{}, { token: 7 }, { token: null }]) {
        assert.strictEqual((await h.refused(c, 'auth:refresh', data, 'INVALID_ARGUMENT')).field, 'token');
      }
      await h.take(c, 'document:refresh-kept');
      const { tokenExpiresAt } = await refresh(c, { user: 'kept', ttl: 900 });
      assert.ok(tokenExpiresAt > c.welcome.tokenExpiresAt);
      const failed = () => d.audit().filter((r) => r.action === 'AUTH_FAILED' && r.sessionId === c.welcome.sessionId);
      await h.eventually(() => failed().length === 4, 'four failures in the audit');
      const denied = await d.waitForAudit((r) => r.action === 'ACCESS_DENIED' && r.sessionId === c.welcome.sessionId);
      assert.deepStrictEqual([denied.user.id, denied.outcome], ['somebody-else', 'failure'], 'whose token it was');
      for (const record of failed()) {
        assert.strictEqual(record.outcome, 'failure');
        assert.strictEqual(record.user.id, 'kept');
        assert.ok(record.reason && record.address);
      }
      assert.ok(!JSON.stringify(d.audit()).includes('eyJ'), 'no token is ever written');
    },
    'a cut name stands in the audit, also one that came later': async () => {
      const c = await open({ user: 'renamed', name: 'Short' });
      await refresh(c, { user: 'renamed', name: 'ä'.repeat(300) });
      await c.close(1000);
      const closed = await d.waitForAudit((r) => r.action === 'SESSION_CLOSED' && r.sessionId === c.welcome.sessionId);
      assert.deepStrictEqual([closed.user.name, closed.detail], ['ä'.repeat(128), 'the display name was cut']);
      const opened = d.audit().find((r) => r.action === 'SESSION_OPENED' && r.sessionId === c.welcome.sessionId);
      assert.deepStrictEqual([opened.user.name, opened.detail], ['Short', undefined]);
    },
    'auth:expiring at half of a short life, once for each token': async () => {
      const started = Date.now();
      const c = await open({ user: 'warned', ttl: 4 });
      const first = await c.waitFor('auth:expiring');
      const { tokenExpiresAt } = c.welcome;
      assert.strictEqual(first.data.expiresAt, tokenExpiresAt);
      assert.ok(Number.isSafeInteger(first.data.serverTime));
      const half = (tokenExpiresAt - started) / 2;
      assert.ok(Date.now() - started >= half - 100, `${Date.now() - started} of ${half} ms`);
      assert.ok(Date.now() < tokenExpiresAt, 'before the end');
      const second = await refresh(c, { user: 'warned', claims: { exp: now() + 4 } });
      const told = await c.waitFor('auth:expiring');
      assert.strictEqual(told.data.expiresAt, second.tokenExpiresAt);
      await closing(c);
      assert.strictEqual(c.received('auth:expiring').length, 2);
    },
    'the same token again is harmless, and no second warning': async () => {
      const same = await token({ user: 'same', ttl: 3 });
      const c = await d.client({ token: same });
      await c.waitFor('auth:expiring');
      const reply = await c.expect('auth:refresh', { token: same }, 'auth:refreshed');
      assert.strictEqual(reply.tokenExpiresAt, c.welcome.tokenExpiresAt);
      await closing(c);
      assert.strictEqual(c.received('auth:expiring').length, 1);
    },
    'no warning long before the end': async () => {
      const c = await open({ user: 'calm', ttl: 600 });
      await c.sync();
      assert.deepStrictEqual(c.received('auth:expiring'), []);
    },
  });
  await h.checkAll(d);
});

test('a token that lives on the clock skew alone is warned about too', async (t) => {
  const d = await h.lockDaemon(t, { config: { auth: { clockSkew: h.ms(4000) } } });
  const c = await d.client({ user: 'late', ttl: -1 });
  const { data } = await c.waitFor('auth:expiring');
  assert.strictEqual(data.expiresAt, c.welcome.tokenExpiresAt);
  assert.deepStrictEqual(await closing(c), { code: 4401, reason: 'TOKEN_EXPIRED', reconnect: true });
});

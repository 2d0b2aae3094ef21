'use strict';
/* A connection's token and tab: how it proves who it is, and for how long. */
const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const h = require('./harness');

function closing(client) {
  return client.waitFor('session:closed').then((data) => data.data);
}

test('proving who one is', { concurrency: 12 }, async (t) => {
  const d = await h.lockDaemon(t, {
    config: {
      instance: 'gw-auth',
      auth: { cookie: 'wslock', clockSkew: '100ms', authTimeout: h.ms(700), issuer: 'https://id.example.org', audience: ['editor', 'other'] },
      resourceTypes: { document: {}, chart: { editorRoles: ['doctor', 'r1'] }, ward: { takeoverRoles: ['head-nurse'] } },
      limits: { maxConnectionsPerUser: 2, maxMessageBytes: '8KiB' },
    },
  });
  const claims = { iss: 'https://id.example.org', aud: 'editor' };
  const open = (options) => d.client({ claims, ...options });
  const silent = async (options) => (await d.newClient({ silent: true, ...options })).start();

  await h.together(t, {
    'by message: welcome is its reply, with every field': async () => {
      const before = Date.now();
      const c = await open({ user: 'u-17', name: 'Anna Berg', roles: ['doctor'], ttl: 600 });
      const { welcome } = c;
      assert.strictEqual(c.frames[1].message.id, 1);
      assert.ok(Math.abs(welcome.serverTime - before) < 5000);
      assert.ok(welcome.tokenExpiresAt > before + 590_000 && welcome.tokenExpiresAt < before + 610_000);
      assert.ok(welcome.sessionId.length >= 16);
      assert.deepStrictEqual(welcome, {
        protocol: 'wslock.v1', sessionId: welcome.sessionId, userId: 'u-17', username: 'Anna Berg', roles: ['doctor'],
        admin: false, serverTime: welcome.serverTime, tokenExpiresAt: welcome.tokenExpiresAt, maxMessageBytes: 8192,
        instance: 'gw-auth',
      });
    },
    'by header and by cookie: welcome comes by itself, without an id': async () => {
      const header = await open({ user: 'hal', admin: true, inHeader: true });
      assert.strictEqual(header.frames[0].message.id, undefined);
      assert.strictEqual(header.welcome.userId, 'hal');
      assert.strictEqual(header.welcome.username, 'hal', 'no name: the user id');
      assert.strictEqual(header.welcome.admin, true);
      const jwt = await d.token({ user: 'cora', claims });
      const cookie = await silent({ headers: { Cookie: `a=b; wslock=${jwt}; c=d` } });
      assert.strictEqual((await cookie.waitFor('welcome')).data.userId, 'cora');
      await h.refused(cookie, 'auth', { token: jwt }, 'INVALID_ARGUMENT');
    },
    'names as people have them: shown clean and whole to everybody, and the audit says what was done': async () => {
      const r = 'document:auth-names';
      const watcher = await open({ user: 'names-watcher' });
      await h.view(watcher, r);
      const names = [
        ['Zoë 山田 👩🏽', 'Zoë 山田 👩🏽', undefined],
        [`${'語'.repeat(85)}ab`, `${'語'.repeat(85)}a`, 'the display name was cut'],
        ['🚀'.repeat(1000), '🚀'.repeat(64), 'the display name was cut'],
        ['Ann\u202enimdA\u0007\u200b', 'AnnnimdA', 'characters that must not be shown were taken out of the display name'],
        [`\u2066${'x'.repeat(300)}\u2069`, 'x'.repeat(256),
          'the display name was cut, and characters that must not be shown were taken out of it'],
        ['\u200b \u3000\ufeff', 'names-6', 'the display name is blank: the user id stands for it'],
        [null, 'names-7', undefined],
      ];
      for (const [i, [given, shown, detail]] of names.entries()) {
        const user = `names-${i + 1}`;
        const c = await open({ user, claims: { ...claims, name: given } });
        assert.deepStrictEqual([c.welcome.userId, c.welcome.username], [user, shown]);
        await h.view(c, r);
        const { data } = await watcher.waitFor('presence:diff', (p) => p.joined.some((u) => u.userId === user));
        assert.strictEqual(data.joined.find((u) => u.userId === user).username, shown);
        const opened = await d.waitForAudit((a) => a.action === 'SESSION_OPENED' && a.sessionId === c.welcome.sessionId);
        assert.deepStrictEqual([opened.user.name, opened.detail], [shown, detail]);
      }
    },
    'any number of roles, of which those that count are kept': async () => {
      const roles = [...Array.from({ length: 300 }, (_, i) => `group-${i}`), 'head-nurse', 'r1', 'lock-admin', 'r1'];
      const c = await open({ user: 'roles', roles });
      assert.deepStrictEqual([c.welcome.roles, c.welcome.admin], [['head-nurse', 'r1', 'lock-admin'], true]);
      await h.take(c, 'chart:auth-roles');
      const opened = await d.waitForAudit((a) => a.action === 'SESSION_OPENED' && a.sessionId === c.welcome.sessionId);
      assert.deepStrictEqual(opened.user.roles, ['head-nurse', 'r1', 'lock-admin']);
      const none = await open({ user: 'roles-none', roles: ['group-1'] });
      assert.deepStrictEqual(none.welcome.roles, []);
      assert.strictEqual((await h.edit(none, 'chart:auth-roles')).answer.data.reason, 'NOT_AN_EDITOR');
    },
    'an integer is a user id, null is nothing, and so is a jti that is no string': async () => {
      const more = { ...claims, nbf: null, iat: null, name: null, roles: null, jti: 7 };
      const c = await open({ claims: { ...more, sub: 9007199254740991 } });
      assert.deepStrictEqual([c.welcome.userId, c.welcome.username, c.welcome.roles], ['9007199254740991', '9007199254740991', []]);
      const opened = await d.waitForAudit((a) => a.action === 'SESSION_OPENED' && a.sessionId === c.welcome.sessionId);
      assert.strictEqual(opened.tokenId, undefined);
      await h.take(c, 'document:auth-digits');
      const same = await open({ user: '9007199254740991' });
      assert.strictEqual((await h.edit(same, 'document:auth-digits')).answer.data.reason, 'HELD_BY_YOU', 'the same user');
    },
    'a second auth is refused and changes nothing': async () => {
      const c = await open({ user: 'twice' });
      await h.refused(c, 'auth', { token: await d.token({ user: 'other', claims }) }, 'INVALID_ARGUMENT');
      await h.view(c, 'document:auth-twice');
    },
    'before a token nothing but auth': async () => {
      const c = await silent();
      for (const event of ['resource:join', 'lock:acquire', 'lock:status', 'resource:leave']) {
        await h.refused(c, event, { resourceId: 'document:1' }, 'UNAUTHENTICATED');
      }
      await h.refused(c, 'auth', {}, 'UNAUTHENTICATED');
      assert.strictEqual((await h.refused(c, 'auth', { token: 17 }, 'INVALID_ARGUMENT')).field, 'token');
      const token = await d.token({ user: 'late', claims });
      assert.strictEqual((await h.refused(c, 'auth', { token, clientId: 'short' }, 'INVALID_ARGUMENT')).field, 'clientId');
      assert.strictEqual((await c.request('auth', { token })).event, 'welcome');
    },
    'a token that is refused: error, session:closed, 4401': async () => {
      const cases = [
        [{ ttl: -60 }, 'TOKEN_EXPIRED'],
        [{ key: Buffer.alloc(48, 1) }, 'TOKEN_INVALID'],
        [{ claims: { ...claims, iss: 'https://evil.example.org' } }, 'TOKEN_INVALID'],
        [{ claims: { ...claims, aud: 'somebody' } }, 'TOKEN_INVALID'],
        [{ claims: { ...claims, exp: undefined } }, 'TOKEN_INVALID'],
        [{ claims: { ...claims, nbf: Math.floor(Date.now() / 1000) + 600 } }, 'TOKEN_INVALID'],
        [{ claims: { ...claims, sub: 17.5 } }, 'TOKEN_INVALID'],
        [{ claims: { ...claims, sub: null } }, 'TOKEN_INVALID'],
        [{ claims: { ...claims, exp: null } }, 'TOKEN_INVALID'],
        [{ claims: { ...claims, iss: null } }, 'TOKEN_INVALID'],
        [{ claims: { ...claims, aud: null } }, 'TOKEN_INVALID'],
        [{ user: ' \u3000' }, 'TOKEN_INVALID'],
        [{ user: 'a\nb' }, 'TOKEN_INVALID'],
        [{ user: 'x'.repeat(257) }, 'TOKEN_INVALID'],
      ];
      for (const [who, code] of cases) {
        const c = await silent();
        const token = await d.token({ claims, ...who });
        await h.refused(c, 'auth', { token }, code);
        assert.deepStrictEqual(await closing(c), { code: 4401, reason: code, reconnect: true });
        assert.strictEqual((await c.end()).code, 4401);
      }
      await d.waitForAudit((r) => r.action === 'AUTH_FAILED' && r.outcome === 'failure' && r.sessionId && r.address);
    },
    'no token in time: 4401': async () => {
      const c = await silent();
      const took = await h.elapsed(c.waitFor('session:closed').then(({ data }) => {
        assert.deepStrictEqual(data, { code: 4401, reason: 'UNAUTHENTICATED', reconnect: true });
      }));
      assert.ok(took > 300 * h.SLOW && took < 5000 * h.SLOW, `${took} ms`);
      assert.strictEqual((await c.end()).code, 4401);
    },
    "the token's end: 4401, and the lock gets its grace": async () => {
      const c = await open({ user: 'brief', ttl: 2, clientId: 'brief-tab-1' });
      const watcher = await open({ user: 'brief-watcher' });
      await h.view(watcher, 'document:auth-brief');
      const { token } = await h.take(c, 'document:auth-brief');
      assert.deepStrictEqual(await closing(c), { code: 4401, reason: 'TOKEN_EXPIRED', reconnect: true });
      assert.ok(Date.now() >= c.welcome.tokenExpiresAt, 'not before its time');
      assert.strictEqual((await c.end()).code, 4401);
      const { data } = await watcher.waitFor('lock:state', (s) => s.cause === 'GRACE_STARTED');
      assert.strictEqual(data.lock.state, 'grace');
      const again = await open({ user: 'brief', clientId: 'brief-tab-1' });
      const back = await h.take(again, 'document:auth-brief', { token });
      assert.strictEqual(back.token, token);
      assert.strictEqual(back.resumed, true);
    },
    'more connections of one user than allowed: 4429': async () => {
      await open({ user: 'many' });
      const second = await open({ user: 'many' });
      const third = await silent();
      third.send('auth', { token: await d.token({ user: 'many', claims }) });
      assert.deepStrictEqual(await closing(third), { code: 4429, reason: 'TOO_MANY_CONNECTIONS', reconnect: true });
      assert.strictEqual((await third.end()).code, 4429);
      await open({ user: 'another' });
      await second.close(1000);
      await h.eventually(async () => {
        const c = await silent();
        c.send('auth', { token: await d.token({ user: 'many', claims }) });
        const first = await c.inbox.take(() => true, 'an answer');
        return first.event === 'welcome';
      }, 'a place is free again');
    },
  });

  await t.test('the tab has one name', async () => {
    const c = await open({ user: 'tabby', clientId: 'tabby-tab-1' });
    const again = await h.view(c, 'document:auth-tab', { clientId: 'tabby-tab-1' });
    assert.strictEqual(again.clientId, 'tabby-tab-1');
    const error = await h.refused(c, 'resource:join', { resourceId: 'document:auth-tab-2', clientId: 'tabby-tab-2' }, 'INVALID_ARGUMENT');
    assert.strictEqual(error.field, 'clientId');
    await h.refused(c, 'lock:acquire', { resourceId: 'document:auth-tab-2' }, 'NOT_JOINED');
    const unnamed = await open({ user: 'nameless' });
    const { clientId } = await h.view(unnamed, 'document:auth-tab');
    assert.match(clientId, /^[A-Za-z0-9_-]{8,64}$/);
    assert.strictEqual((await h.view(unnamed, 'document:auth-tab-2')).clientId, clientId);
    await h.refused(unnamed, 'resource:join', { resourceId: 'document:auth-tab', clientId: 'tabby-tab-9' }, 'INVALID_ARGUMENT');
    for (const clientId2 of ['seven77', 'x'.repeat(65), 'with space', 'umläut-tab', 17]) {
      const fresh = await silent();
      const token = await d.token({ user: 'fresh', claims });
      await h.refused(fresh, 'auth', { token, clientId: clientId2 }, 'INVALID_ARGUMENT');
      await fresh.terminate();
    }
  });

  await t.test('sessions stand in the audit', async () => {
    const c = await open({ user: 'audited', name: 'Audited', roles: ['r1'], claims: { ...claims, jti: 'jti-7' }, headers: { 'User-Agent': 'probe/1' } });
    const { sessionId } = c.welcome;
    await c.close(1000);
    const closed = await d.waitForAudit((r) => r.action === 'SESSION_CLOSED' && r.sessionId === sessionId);
    const opened = d.audit().find((r) => r.action === 'SESSION_OPENED' && r.sessionId === sessionId);
    for (const record of [opened, closed]) {
      assert.deepStrictEqual(record.user, { id: 'audited', name: 'Audited', roles: ['r1'] });
      assert.strictEqual(record.tokenId, 'jti-7');
      assert.strictEqual(record.issuer, 'https://id.example.org');
      assert.strictEqual(record.address, '127.0.0.1');
      assert.strictEqual(record.userAgent, 'probe/1');
      assert.strictEqual(record.instance, 'gw-auth');
      assert.strictEqual(record.outcome, 'success');
    }
    const text = JSON.stringify(d.audit());
    assert.ok(!text.includes('eyJ'), 'no token is ever written');
  });
  await h.checkAll(d);
});

test('a key without a kid serves tokens that name one, unless another key has that', async (t) => {
  const d = await h.newDaemon(t);
  const other = Buffer.from('another secret of more than 32 bytes for HS256');
  const secretFile = path.join(d.dir, 'other.secret');
  fs.writeFileSync(secretFile, other, { mode: 0o600 });
  delete d.config.auth.keys[0].kid;
  d.config.auth.keys.push({ kid: 'other', alg: 'HS256', secretFile });
  d.writeConfig();
  await d.start();
  for (const [user, kid, key, event] of [
    ['any', 'whatever', h.SECRET, 'welcome'], ['its', 'other', other, 'welcome'],
    ['cross', 'other', h.SECRET, 'error'], ['crossed', 'whatever', other, 'error'],
  ]) {
    const c = await (await d.newClient({ silent: true })).start();
    const answer = await c.request('auth', { token: await h.token({ user, kid, key }) });
    assert.strictEqual(answer.event, event, user);
    if (event === 'error') assert.strictEqual(answer.data.code, 'TOKEN_INVALID');
  }
});

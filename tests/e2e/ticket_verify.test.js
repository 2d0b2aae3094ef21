'use strict';
/* POST /v1/locks/{resourceId}/verify: an application asks whether what is saved comes from the lock's holder. */
const assert = require('node:assert');
const crypto = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const jose = require('jose');
const h = require('./harness');

const MEANING = 'asked by the application';

const ask = (d, resourceId, body, { method = 'POST', ...options } = {}) =>
  h.opsCall(d, method, `/v1/locks/${resourceId}/verify`, body, options);

async function verdict(d, resourceId, body) {
  const answer = await ask(d, resourceId, body);
  assert.strictEqual(answer.status, 200, answer.body);
  assert.strictEqual(answer.headers['content-type'], 'application/json');
  assert.strictEqual(answer.headers['cache-control'], 'no-store');
  return answer.json;
}

test('verifying', { concurrency: 8 }, async (t) => {
  const dir = h.tempDir(t);
  const { privateKey, publicKey } = crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const signingKeyFile = path.join(dir, 'key.pem');
  fs.writeFileSync(signingKeyFile, privateKey.export({ type: 'pkcs8', format: 'pem' }));
  const kid = await jose.calculateJwkThumbprint(await jose.exportJWK(publicKey));
  const d = await h.lockDaemon(t, {
    config: {
      tickets: { signingKeyFile },
      resourceTypes: { document: {}, brief: { lockTtl: h.ms(1500), heartbeatInterval: h.ms(700) } },
      unknownResourceTypes: 'reject',
    },
  });
  const stale = (resourceId) => d.audit().filter((r) => r.action === 'STALE_TOKEN_REJECTED' && r.resourceId === resourceId);
  const forge = (claims, key = privateKey, header = {}) =>
    new jose.SignJWT(claims).setProtectedHeader({ alg: 'ES256', kid, ...header }).sign(key);

  await h.together(t, {
    'the holder, by token and by ticket': async () => {
      const ann = await d.client({ user: 'ann', name: 'Ann Ahlers' });
      const lock = await h.take(ann, 'document:v-valid');
      for (const body of [{ token: lock.token }, { ticket: lock.ticket }, { token: lock.token, more: [1] }]) {
        assert.deepStrictEqual(await verdict(d, 'document:v-valid', body), {
          valid: true, holder: { userId: 'ann', username: 'Ann Ahlers' }, token: lock.token, expiresAt: lock.expiresAt,
        });
      }
      for (const name of ['document:v-valid:main', 'document%3Av-valid%3Amain']) {
        assert.strictEqual((await verdict(d, name, { token: lock.token })).valid, true, name);
      }
      assert.deepStrictEqual(stale('document:v-valid:main'), []);
    },
    'in grace it is still theirs, also when the lock would have ended': async () => {
      const ann = await d.client({ user: 'v-grace' });
      const bob = await d.client({ user: 'v-grace-bob' });
      const lock = await h.take(ann, 'brief:v-grace');
      await h.view(bob, 'brief:v-grace');
      await ann.terminate();
      const { lock: grace } = (await bob.waitFor('lock:state', (s) => s.cause === 'GRACE_STARTED')).data;
      await h.eventually(() => Date.now() > lock.expiresAt + 1500, 'the lock would have ended');
      const answer = await verdict(d, 'brief:v-grace', { token: lock.token });
      assert.deepStrictEqual([answer.valid, answer.expiresAt], [true, grace.graceUntil]);
      assert.strictEqual((await verdict(d, 'brief:v-grace', { ticket: lock.ticket })).valid, true);
      assert.deepStrictEqual(stale('brief:v-grace:main'), []);
    },
    'stale: who came after, how and when it ended': async () => {
      const ann = await d.client({ user: 'v-ann' });
      const ben = await d.client({ user: 'v-ben', name: 'Ben' });
      const first = await h.take(ann, 'document:v-stale');
      await h.view(ben, 'document:v-stale');
      await ann.expect('lock:release', { resourceId: 'document:v-stale' }, 'lock:released');
      const second = await ben.expect('lock:acquire', { resourceId: 'document:v-stale' }, 'lock:acquired');
      for (const body of [{ token: first.token }, { ticket: first.ticket }]) {
        const answer = await verdict(d, 'document:v-stale', body);
        assert.ok(Math.abs(answer.endedAt - second.serverTime) < 5000 * h.SLOW);
        assert.deepStrictEqual(answer, {
          valid: false, reason: 'RELEASED', endedAt: answer.endedAt, supersededBy: { userId: 'v-ben', username: 'Ben', token: second.token },
        });
      }
      await h.eventually(() => stale('document:v-stale:main').length === 2, 'both in the audit');
      const [record] = stale('document:v-stale:main');
      assert.deepStrictEqual([record.outcome, record.fence, record.reason, record.user.id, record.detail],
        ['failure', first.token, 'RELEASED', 'v-ann', MEANING]);
      await ben.expect('lock:release', { resourceId: 'document:v-stale' }, 'lock:released');
      const over = await verdict(d, 'document:v-stale', { token: first.token });
      assert.strictEqual(over.supersededBy.token, second.token, 'also when that one is over');
    },
    'released, and nobody came after': async () => {
      const ann = await d.client({ user: 'v-released' });
      const lock = await h.take(ann, 'document:v-released');
      await ann.expect('lock:release', { resourceId: 'document:v-released' }, 'lock:released');
      const answer = await verdict(d, 'document:v-released', { token: lock.token });
      assert.deepStrictEqual(answer, { valid: false, reason: 'RELEASED', endedAt: answer.endedAt, supersededBy: null });
    },
    'unknown': async () => {
      const none = { valid: false, reason: 'NOT_HELD', endedAt: null, supersededBy: null };
      assert.deepStrictEqual(await verdict(d, 'document:v-unknown', { token: 1 }), none);
      assert.deepStrictEqual(await verdict(d, 'document:v-unknown', { token: 9007199254740991 }), none);
      const ann = await d.client({ user: 'v-unknown' });
      const lock = await h.take(ann, 'document:v-unknown');
      const early = await verdict(d, 'document:v-unknown', { token: lock.token - 1 });
      assert.deepStrictEqual([early.reason, early.supersededBy.token], ['STALE_TOKEN', lock.token]);
    },
    'expired: what the store knows, not what a ticket says': async () => {
      const ann = await d.client({ user: 'v-brief' });
      const lock = await h.take(ann, 'brief:v-expired');
      await ann.waitFor('lock:lost');
      const answer = await verdict(d, 'brief:v-expired', { ticket: lock.ticket });
      assert.deepStrictEqual([answer.valid, answer.reason], [false, 'EXPIRED']);
      assert.ok(answer.endedAt >= lock.expiresAt);
    },
    'an expired ticket of a lock that goes on': async () => {
      const ann = await d.client({ user: 'v-goes-on' });
      const lock = await h.take(ann, 'document:v-goes-on');
      const now = Math.floor(lock.serverTime / 1000);
      const claims = { sub: 'v-goes-on', res: 'document:v-goes-on:main', fence: lock.token, iat: now - 600, exp: now - 300 };
      assert.deepStrictEqual(await verdict(d, 'document:v-goes-on', { ticket: await forge(claims) }),
        { valid: false, reason: 'TICKET_EXPIRED', endedAt: null, supersededBy: null });
      assert.strictEqual((await verdict(d, 'document:v-goes-on', { ticket: await forge({ ...claims, exp: now + 300 }) })).valid, true);
      assert.deepStrictEqual(stale('document:v-goes-on:main'), []);
    },
    'a ticket that is none of ours, or of another resource': async () => {
      const ann = await d.client({ user: 'v-forged' });
      const lock = await h.take(ann, 'document:v-forged');
      const claims = jose.decodeJwt(lock.ticket);
      const other = crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
      const [head, body, signature] = lock.ticket.split('.');
      const bad = {
        'another key': await forge(claims, other),
        'another key id': await forge(claims, privateKey, { kid: 'other' }),
        'no key id': await forge(claims, privateKey, { kid: undefined }),
        'changed claims': `${head}.${Buffer.from(JSON.stringify({ ...claims, fence: claims.fence + 1 })).toString('base64url')}.${signature}`,
        'no signature': `${head}.${body}.`,
        'not signed': `${Buffer.from('{"alg":"none"}').toString('base64url')}.${body}.`,
        'the public key as a secret': await new jose.SignJWT(claims).setProtectedHeader({ alg: 'HS256', kid }).sign(publicKey.export({ type: 'spki', format: 'der' })),
        'another user': await forge({ ...claims, sub: 'v-other' }),
        'no ticket': await forge({ sub: 'v-forged', exp: claims.exp }),
        'a fence that is no number': await forge({ ...claims, fence: String(claims.fence) }),
        'an access token': await d.token({ user: 'v-forged' }),
        'too long': 'x'.repeat(9000),
        'no token': 'x',
        'nothing': '',
      };
      for (const [what, ticket] of Object.entries(bad)) {
        assert.deepStrictEqual(await verdict(d, 'document:v-forged', { ticket }),
          { valid: false, reason: 'TICKET_INVALID', endedAt: null, supersededBy: null }, what);
      }
      for (const resource of ['document:v-forged-2', 'document:v-forged:other']) {
        assert.deepStrictEqual(await verdict(d, resource, { ticket: lock.ticket }),
          { valid: false, reason: 'OTHER_RESOURCE', endedAt: null, supersededBy: null });
      }
      const record = await d.waitForAudit((r) => r.action === 'ACCESS_DENIED' && r.reason === 'OTHER_RESOURCE');
      assert.deepStrictEqual([record.outcome, record.resourceId, record.detail], ['failure', 'document:v-forged-2:main', MEANING]);
      assert.strictEqual((await verdict(d, 'document:v-forged', { ticket: lock.ticket })).valid, true);
    },
    'questions that are none': async () => {
      const wrong = [
        '', 'null', '[]', '7', '{', '{"token":1}x', '{"token":1,"token":2}', {}, { token: null }, { ticket: null }, { token: 1, ticket: 'x' },
        { token: '1' }, { token: 0 }, { token: -1 }, { token: 1.5 }, { token: 2 ** 53 }, { token: true }, { ticket: 7 },
        '{"token":99999999999999999999999}', '{"token":1\0}', '{"token":1,"more":null\0}', '{"token":1}\0',
        '[['.repeat(2000),
      ];
      for (const body of wrong) {
        const answer = await ask(d, 'document:v-wrong', body);
        assert.strictEqual(answer.status, 400, `${JSON.stringify(body)}: ${answer.body}`);
        assert.strictEqual(answer.json.error.code, 'INVALID_ARGUMENT');
        assert.ok(answer.json.error.message);
      }
      for (const resource of ['document', 'Document:1', 'document:1:2:3', 'document:', 'document:%20', 'document:%C3%A4']) {
        const answer = await ask(d, resource, { token: 1 });
        assert.deepStrictEqual([answer.status, answer.json.error.code], [400, 'INVALID_RESOURCE_ID'], resource);
      }
      const unknown = await ask(d, 'unheard-of:1', { token: 1 });
      assert.deepStrictEqual([unknown.status, unknown.json.error.code], [404, 'UNKNOWN_RESOURCE_TYPE']);
      const long = await ask(d, 'document:v-wrong', JSON.stringify({ token: 1, more: 'x'.repeat(16384) }));
      assert.deepStrictEqual([long.status, long.json.error.code], [413, 'BODY_TOO_LONG']);
      const full = JSON.stringify({ token: 1, more: '' });
      const most = await ask(d, 'document:v-wrong', JSON.stringify({ token: 1, more: 'x'.repeat(16384 - full.length) }));
      assert.strictEqual(most.status, 200, 'as long as may be');
      const get = await h.httpGet({ socketPath: d.ops.socket, path: '/v1/locks/document:1/verify' });
      assert.deepStrictEqual([get.status, get.headers.allow], [405, 'POST']);
      assert.strictEqual((await ask(d, 'document/1', { token: 1 })).status, 404, 'no such path');
    },
    'in pieces, without a length, without an end': async (st) => {
      const lines = (extra) => `POST /v1/locks/document:v-raw/verify HTTP/1.1\r\nHost: x\r\n${extra}\r\n`;
      const raw = await h.rawConnect(st, d.ops.socket);
      raw.write(lines('Content-Length: 11\r\n'));
      for (const part of ['{"to', 'ken"', ':1}']) raw.write(part);
      assert.strictEqual((await raw.response()).status, 200);
      const lengthless = await h.rawConnect(st, d.ops.socket);
      lengthless.write(lines(''));
      assert.strictEqual((await lengthless.response()).status, 411);
      const gone = await h.rawConnect(st, d.ops.socket);
      gone.write(lines('Content-Length: 11\r\n'));
      gone.write('{"tok');
      gone.socket.destroy();
      await h.eventually(async () => (await h.httpGet(d.opsUrl('/healthz'))).status === 200, 'the daemon goes on');
    },
  });

  await t.test('what was stale is counted', async () => {
    const before = await d.metric('wslock_stale_tokens_total');
    await verdict(d, 'document:v-counted', { token: 5 });
    assert.strictEqual(await d.metric('wslock_stale_tokens_total'), before + 1);
  });
  await h.checkAll(d);
});

test('who may ask', async (t) => {
  const dir = h.tempDir(t);
  const tokenFile = path.join(dir, 'token');
  fs.writeFileSync(tokenFile, 'an-operations-token\n');
  const d = await h.lockDaemon(t, { config: { ops: { tokenFile } } });
  const bearer = (token) => ({ tcp: true, headers: { Authorization: `Bearer ${token}` } });
  for (const options of [{ tcp: true }, bearer('an-operations-toke'), bearer('an-operations-token2')]) {
    const answer = await ask(d, 'document:1', { token: 1 }, options);
    assert.deepStrictEqual([answer.status, answer.json.error.code], [401, 'UNAUTHENTICATED']);
    assert.strictEqual(answer.headers['www-authenticate'], 'Bearer');
  }
  assert.strictEqual((await ask(d, 'document:1', { token: 1 }, bearer('an-operations-token'))).json.valid, false);
  assert.strictEqual((await ask(d, 'document:1', { token: 1 })).json.valid, false, 'on the socket the file\'s mode decides');
  assert.strictEqual((await ask(d, 'document:1', { ticket: 'x' })).status, 400, 'no tickets are signed here');
  const open = await h.lockDaemon(t);
  const refused = await ask(open, 'document:1', { token: 1 }, bearer('an-operations-token'));
  assert.deepStrictEqual([refused.status, refused.json.error.code], [403, 'FORBIDDEN'], 'no token file: only the open paths');
  const publicly = await h.httpGet(open.url('/v1/locks/document:1/verify').replace(/^ws/, 'http'), { method: 'POST', body: '{"token":1}' });
  assert.strictEqual(publicly.status, 404, 'never on the public listener');
});

test('while the store is away nobody can say', async (t) => {
  const d = await h.lockDaemon(t, { config: { redis: { commandTimeout: h.ms(500) } } });
  const ann = await d.client({ user: 'ann' });
  const { token } = await h.take(ann, 'document:1');
  d.redis.pause();
  const away = await ask(d, 'document:1', { token });
  assert.deepStrictEqual([away.status, away.json.error.code], [503, 'BACKEND_UNAVAILABLE']);
  assert.ok(away.headers['retry-after']);
  // Who hangs up while the store is asked is not waited for.
  const raw = await h.rawConnect(t, d.ops.socket);
  raw.write('POST /v1/locks/document:1/verify HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\n\r\n{"token":1}');
  raw.socket.destroy();
  d.redis.resume();
  await h.eventually(async () => (await ask(d, 'document:1', { token })).json.valid === true, 'it is back');
});

test('a stop while the store is asked', async (t) => {
  const d = await h.lockDaemon(t, { config: { drainTimeout: h.ms(500) } });
  d.redis.pause();
  const answer = ask(d, 'document:1', { token: 1 }).catch(() => null);
  await h.eventually(async () => (await h.httpGet(d.opsUrl('/healthz'))).status === 200, 'it is under way');
  d.signal('SIGTERM');
  assert.deepStrictEqual(await d.end(), { code: 0, signal: null });
  d.redis.resume();
  await answer;
});

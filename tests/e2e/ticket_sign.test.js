'use strict';
/* Lock tickets: signed with the lock, checked offline against the published keys. */
const assert = require('node:assert');
const crypto = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const jose = require('jose');
const h = require('./harness');

const JWKS = '/.well-known/wslock-jwks.json';

function pem(key) {
  return key.export({ type: 'pkcs8', format: 'pem' });
}

function keyFile(dir, name, ...texts) {
  const file = path.join(dir, name);
  fs.writeFileSync(file, texts.join(''), { mode: 0o600 });
  return file;
}

function jwksUrl(d) {
  return d.url(JWKS).replace(/^ws/, 'http');
}

function p256() {
  return crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' });
}

test('a ticket with every lock that is told', async (t) => {
  const { privateKey, publicKey } = p256();
  const signingKeyFile = keyFile(h.tempDir(t), 'key.pem', pem(privateKey));
  const d = await h.lockDaemon(t, { config: { tickets: { signingKeyFile }, default: { lockTtl: '90s', heartbeatInterval: '30s' },
    resourceTypes: { document: {}, instant: { takeover: 'immediate' }, line: { upgrade: 'queue' } } } });
  const keys = jose.createRemoteJWKSet(new URL(jwksUrl(d)));
  const thumbprint = await jose.calculateJwkThumbprint(await jose.exportJWK(publicKey));

  /* What an application does, and what the ticket must say. */
  async function check(message, user, resourceId) {
    const { payload, protectedHeader } = await jose.jwtVerify(message.ticket, keys, { algorithms: ['ES256'] });
    assert.deepStrictEqual(protectedHeader, { alg: 'ES256', typ: 'JWT', kid: thumbprint });
    assert.deepStrictEqual(Object.keys(payload).sort(), ['exp', 'fence', 'iat', 'res', 'sub']);
    assert.strictEqual(payload.sub, user);
    assert.strictEqual(payload.res, resourceId);
    assert.strictEqual(payload.fence, message.token);
    assert.strictEqual(payload.exp, Math.floor(message.expiresAt / 1000));
    assert.strictEqual(payload.iat, Math.floor(message.serverTime / 1000));
  }

  await t.test('acquired by a join, by lock:acquire, renewed, resumed', async () => {
    const ann = await d.client({ user: 'änn/☃', name: 'Ann', clientId: 'ticket-tab-1' });
    const id = 'document:ticket:main';
    const first = await h.take(ann, 'document:ticket');
    await check(first, 'änn/☃', id);
    const again = await ann.expect('lock:acquire', { resourceId: id }, 'lock:acquired');
    await check(again, 'änn/☃', id);
    const renewed = await ann.expect('lock:heartbeat', { resourceId: id, token: first.token }, 'lock:renewed');
    await check(renewed, 'änn/☃', id);
    assert.strictEqual(renewed.token, first.token);
    await ann.terminate();
    const back = await d.client({ user: 'änn/☃', clientId: 'ticket-tab-1' });
    const resumed = await h.take(back, id, { token: first.token });
    assert.strictEqual(resumed.resumed, true);
    await check(resumed, 'änn/☃', id);
  });

  await t.test('claimed, taken over, and taken over later', async () => {
    const ann = await d.client({ user: 'ann' });
    const root = await d.client({ user: 'root', admin: true });
    for (const type of ['instant', 'document']) {
      const id = `${type}:ticket-taken:main`;
      await h.take(ann, id);
      await h.view(root, id);
      const { event, data } = await root.request('lock:takeover', { resourceId: id, reason: 'urgent' });
      let acquired = data;
      if (type === 'document') {
        await ann.expect('lock:takeover_reply', { requestId: data.requestId, action: 'APPROVE' }, 'lock:takeover_replied');
        acquired = (await root.waitFor('lock:acquired', (m) => m.resourceId === id)).data;
      } else {
        assert.strictEqual(event, 'lock:acquired');
      }
      await check(acquired, 'root', id);
    }
    const line = 'line:ticket:main';
    await h.take(ann, line);
    await h.view(root, line);
    await root.expect('lock:acquire', { resourceId: line }, 'lock:queued');
    await ann.expect('lock:release', { resourceId: line }, 'lock:released');
    await root.waitFor('lock:your_turn');
    await check(await root.expect('lock:claim', { resourceId: line }, 'lock:acquired'), 'root', line);
  });

  await t.test('nobody else is told one', async () => {
    const ben = await d.client({ user: 'ben' });
    const carl = await d.client({ user: 'carl' });
    await h.view(carl, 'document:ticket-private');
    await h.take(ben, 'document:ticket-private');
    await carl.waitFor('lock:state');
    await carl.expect('lock:acquire', { resourceId: 'document:ticket-private' }, 'lock:denied');
    assert.ok(!carl.frames.some((frame) => frame.text.includes('ticket"')));
    assert.ok(!d.log.some((line) => line.includes('eyJ')), 'none in the log');
    assert.ok(!JSON.stringify(d.audit()).includes('eyJ'), 'none in the audit');
  });

  await t.test('the keys: for any page, to be kept for a while, public halves only', async () => {
    const answer = await h.httpGet(jwksUrl(d), { headers: { Origin: 'https://anywhere.example' } });
    assert.strictEqual(answer.status, 200);
    assert.strictEqual(answer.headers['access-control-allow-origin'], '*');
    assert.match(answer.headers['content-type'], /^application\/(jwk-set\+)?json/);
    assert.match(answer.headers['cache-control'], /^public, max-age=[1-9]\d*$/);
    const { x, y } = await jose.exportJWK(publicKey);
    assert.deepStrictEqual(answer.json, { keys: [{ kty: 'EC', crv: 'P-256', x, y, kid: thumbprint, use: 'sig', alg: 'ES256' }] });
    const head = await h.httpGet(jwksUrl(d), { method: 'HEAD' });
    assert.deepStrictEqual([head.status, head.body], [200, '']);
    const posted = await h.httpGet(jwksUrl(d), { method: 'POST' });
    assert.deepStrictEqual([posted.status, posted.headers.allow], [405, 'GET']);
    assert.strictEqual((await h.httpGet(d.opsUrl(JWKS))).status, 403, 'not there on the operations endpoint');
  });

  await t.test('as an access token it is nothing', async () => {
    const ann = await d.client({ user: 'ann' });
    const { ticket } = await h.take(ann, 'document:ticket-access');
    const other = await (await d.newClient({ silent: true })).start();
    await h.refused(other, 'auth', { token: ticket }, 'TOKEN_INVALID');
  });
  await h.checkAll(d);
});

test('a key is changed without a gap: the first signs, all are published', async (t) => {
  const [one, two] = [p256(), p256()];
  const dir = h.tempDir(t);
  const signingKeyFile = keyFile(dir, 'keys.pem', pem(two.privateKey), '\n# the one before\n', pem(one.privateKey));
  const d = await h.lockDaemon(t, { config: { tickets: { signingKeyFile } } });
  const kids = await Promise.all([two, one].map(async ({ publicKey }) => jose.calculateJwkThumbprint(await jose.exportJWK(publicKey))));
  assert.deepStrictEqual((await h.httpGet(jwksUrl(d))).json.keys.map((key) => key.kid), kids);
  const ann = await d.client({ user: 'ann' });
  const { ticket, token } = await h.take(ann, 'document:1');
  assert.strictEqual(jose.decodeProtectedHeader(ticket).kid, kids[0]);
  const claims = jose.decodeJwt(ticket);
  const old = await new jose.SignJWT(claims).setProtectedHeader({ alg: 'ES256', kid: kids[1] }).sign(one.privateKey);
  const answer = await h.httpGet({ socketPath: d.ops.socket, path: '/v1/locks/document:1/verify' }, { method: 'POST', body: JSON.stringify({ ticket: old }) });
  assert.strictEqual(answer.json.valid, true, answer.body);
  assert.strictEqual(answer.json.token, token);
});

test('without a key there are no tickets', async (t) => {
  const d = await h.lockDaemon(t);
  const missing = await h.httpGet(jwksUrl(d));
  assert.strictEqual(missing.status, 404);
  assert.strictEqual(missing.json.error.code, 'NOT_FOUND');
  assert.strictEqual(missing.headers['access-control-allow-origin'], '*');
  const ann = await d.client({ user: 'ann' });
  const lock = await h.take(ann, 'document:1');
  assert.strictEqual(lock.ticket, undefined);
  const renewed = await ann.expect('lock:heartbeat', { resourceId: 'document:1' }, 'lock:renewed');
  assert.strictEqual(renewed.ticket, undefined);
});

test('a key file that cannot be used: exit 3, and why', { concurrency: 2 }, async (t) => {
  const dir = h.tempDir(t);
  const cases = {
    'is missing': ['/nonexistent/ticket.pem', /No such file/],
    'is no key': [keyFile(dir, 'text.pem', 'nothing\n'), /no private key/],
    'is empty': [keyFile(dir, 'empty.pem', ''), /no private key/],
    'is a public key': [keyFile(dir, 'public.pem', p256().publicKey.export({ type: 'spki', format: 'pem' })), /no private key/],
    'is on another curve': [keyFile(dir, 'p384.pem', pem(crypto.generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey)), /P-256/],
    'is on a curve of the same size': [keyFile(dir, 'k256.pem', pem(crypto.generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).privateKey)), /P-256|curve/],
    'is an RSA key': [keyFile(dir, 'rsa.pem', pem(crypto.generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey)), /elliptic curve/],
    'wants a passphrase': [keyFile(dir, 'locked.pem', p256().privateKey.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-128-cbc', passphrase: 'x' })), /passphrase/],
    'has a good and a bad one': [keyFile(dir, 'mixed.pem', pem(p256().privateKey), pem(crypto.generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey)), /P-256/],
  };
  await h.together(t, Object.fromEntries(Object.entries(cases).map(([what, [file, why]]) => [what, async () => {
    const d = await h.newDaemon(t, { redis: null, config: { tickets: { signingKeyFile: file } } });
    d.spawn();
    assert.strictEqual((await d.end()).code, 3, d.tail());
    assert.match(d.tail(), /tickets\.signingKeyFile/);
    assert.match(d.tail(), why);
  }])));
});

test('an older form of key file does as well', async (t) => {
  const dir = h.tempDir(t);
  const sec1 = p256().privateKey.export({ type: 'sec1', format: 'pem' });
  const parameters = '-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n';
  const d = await h.lockDaemon(t, { config: { tickets: { signingKeyFile: keyFile(dir, 'sec1.pem', parameters, sec1) } } });
  assert.strictEqual((await h.httpGet(jwksUrl(d))).json.keys.length, 1);
});

'use strict';
/* `wslock/server`: lock tickets are checked by an application with Express or node:http. */
const assert = require('node:assert');
const crypto = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');
const { before, test } = require('node:test');
const express = require('express');
const jose = require('jose');
const h = require('./harness');

const KEYS_PATH = '/.well-known/wslock-jwks.json';
const RESOURCE = 'document:report:main';

let lib;
before(async () => {
  const scope = h.scope();
  lib = await h.importFrom(h.applicationFolder(scope), 'wslock/server');
  await scope.end();
});

const now = () => Math.floor(Date.now() / 1000);
const claimsOf = (more) => ({ sub: 'ann', res: RESOURCE, fence: 7, iat: now(), exp: now() + 60, ...more });
const sign = (key, claims, header) =>
  new jose.SignJWT(claimsOf(claims)).setProtectedHeader({ alg: 'ES256', typ: 'JWT', kid: key.kid, ...header }).sign(key.key);

/* A verifier whose failed requests are in `failures`. */
function verifier(keysUrl, options) {
  const failures = [];
  const tickets = new lib.TicketVerifier({ keysUrl, onError: (error) => failures.push(error.message), ...options });
  return { tickets, failures, check: (ticket) => tickets.verify(ticket, { resourceId: RESOURCE, userId: 'ann' }) };
}

/* What the application of these tests does: it remembers the highest fence of each resource. */
function fences() {
  const highest = new Map();
  return ({ resourceId, fence }) => {
    if (fence < (highest.get(resourceId) ?? 0)) return { outcome: 'stale' };
    highest.set(resourceId, fence);
    return { outcome: 'saved', fence };
  };
}

/* An Express application; x-user is signed in. */
function application(t, tickets, action = fences(), options) {
  const app = express();
  app.put('/:type/:id', express.json(), lib.lockHandler({
    tickets, resourceId: (req) => `${req.params.type}:${req.params.id}`, userId: (req) => req.headers['x-user'], ...options,
  }, action));
  app.use((error, req, res, next) => {
    assert.ok(next);
    res.status(error.status || 500).json({ own: error.message });
  });
  return h.serve(t, app);
}

async function put(base, ticket, { user = 'ann', url = '/document/report', body = '{}' } = {}) {
  const headers = { 'content-type': 'application/json', ...(user && { 'x-user': user }), ...(ticket && { 'wslock-ticket': ticket }) };
  return h.httpGet(base + url, { method: 'PUT', headers, body });
}

/* [status, code] */
const told = (answer) => [answer.status, answer.json.error?.code];

function unknown(answer) {
  assert.deepStrictEqual(told(answer), [503, 'UNAVAILABLE'], answer.body);
  assert.match(answer.headers['retry-after'], /^[1-9]\d*$/);
  assert.strictEqual(answer.headers['cache-control'], 'no-store');
}

function keyFile(dir, name, ...pairs) {
  const file = path.join(dir, name);
  fs.writeFileSync(file, pairs.map(({ privateKey }) => privateKey.export({ type: 'pkcs8', format: 'pem' })).join(''));
  return file;
}

async function signingDaemon(t, options) {
  const pair = h.keyPair('ES256');
  const d = await h.lockDaemon(t, { config: { tickets: { signingKeyFile: keyFile(h.tempDir(t), 'a.pem', pair) } }, ...options });
  return { d, pair, keysUrl: d.url(KEYS_PATH).replace(/^ws/, 'http') };
}

test('tickets of the daemon, with Express', async (t) => {
  const { d, keysUrl } = await signingDaemon(t);
  const { tickets } = verifier(keysUrl);
  const base = await application(t, tickets);
  const ann = await d.client({ user: 'ann' });
  const lock = await h.take(ann, RESOURCE);
  const other = await h.take(ann, 'document:report:other');

  const saved = await put(base, lock.ticket);
  assert.deepStrictEqual([saved.status, saved.json], [200, { outcome: 'saved', fence: lock.token }]);
  assert.strictEqual(saved.headers['content-type'], 'application/json');
  const { ticket, expiresAt, serverTime } = await ann.expect('lock:heartbeat', { resourceId: RESOURCE }, 'lock:renewed');
  assert.strictEqual((await put(base, ticket)).status, 200, 'the same fence again');
  const seconds = (time) => Math.floor(time / 1000) * 1000;
  assert.deepStrictEqual(await tickets.verify(ticket, { resourceId: RESOURCE }), {
    userId: 'ann', resourceId: RESOURCE, fence: lock.token, issuedAt: seconds(serverTime), expiresAt: seconds(expiresAt),
  });

  assert.deepStrictEqual(told(await put(base, ticket, { user: 'ben' })), [401, 'OTHER_USER']);
  assert.deepStrictEqual(told(await put(base, ticket, { user: null })), [401, 'OTHER_USER'], 'nobody is signed in');
  assert.deepStrictEqual(told(await put(base, other.ticket)), [401, 'OTHER_RESOURCE']);
  assert.deepStrictEqual(told(await put(base, ticket, { url: '/document/report2' })), [401, 'OTHER_RESOURCE']);
  assert.deepStrictEqual(told(await put(base, await d.token({ user: 'ann' }))), [401, 'TICKET_INVALID'], 'an access token');
  const refused = await put(base, undefined);
  assert.deepStrictEqual(told(refused), [401, 'TICKET_INVALID']);
  assert.strictEqual(refused.headers['www-authenticate'], 'Wslock-Ticket');

  await ann.expect('lock:release', { resourceId: RESOURCE }, 'lock:released');
  const ben = await d.client({ user: 'ben' });
  const next = await h.take(ben, RESOURCE);
  assert.strictEqual((await put(base, next.ticket, { user: 'ben' })).status, 200);
  const stale = await put(base, ticket);
  assert.deepStrictEqual(told(stale), [409, 'STALE_FENCE']);
  assert.strictEqual(stale.headers['retry-after'], undefined);
  await h.checkAll(d);
});

test('node:http, a user id that is a number, a header of another name', async (t) => {
  const { d, keysUrl } = await signingDaemon(t);
  const { tickets } = verifier(keysUrl);
  const seen = [];
  const base = await h.serve(t, lib.lockHandler({
    tickets, resourceId: () => RESOURCE, userId: () => 17, ticket: (req) => req.headers.authorization?.slice('Lock '.length),
  }, async (lock, req) => {
    let body = '';
    for await (const part of req) body += part;
    seen.push([lock.userId, lock.fence, body]);
    return { outcome: 'opened', text: 'ä' };
  }));
  const lock = await h.take(await d.client({ user: '17' }), RESOURCE);
  const ask = (ticket) => h.httpGet(base, { method: 'POST', headers: { authorization: `Lock ${ticket}` }, body: 'text' });
  const answer = await ask(lock.ticket);
  assert.deepStrictEqual([answer.status, answer.json], [200, { outcome: 'opened', text: 'ä' }]);
  assert.deepStrictEqual(seen, [['17', lock.token, 'text']]);
  assert.deepStrictEqual(told(await ask('x')), [401, 'TICKET_INVALID']);
});

test('what is no valid ticket', async (t) => {
  const [key, foreign] = [h.signingKey(), h.signingKey()];
  const server = await h.keyServer(t, { keys: [key] });
  const { tickets } = verifier(server.url(), { cooldownMs: 600_000 });
  const base = await application(t, tickets);
  const good = await sign(key);
  const [head, payload, signature] = good.split('.');
  const text = (value) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');
  const hmac = (secret) => new jose.SignJWT(claimsOf()).setProtectedHeader({ alg: 'HS256', typ: 'JWT', kid: key.kid }).sign(secret);
  const publicKey = crypto.createPublicKey(key.key);
  const raw = (header, claims) => {
    const signed = `${text({ alg: 'ES256', kid: key.kid, ...header })}.${typeof claims === 'string' ? claims : text(claims)}`;
    return `${signed}.${crypto.sign('sha256', Buffer.from(signed), { key: key.key, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`;
  };
  const der = crypto.sign('sha256', Buffer.from(`${head}.${payload}`), key.key).toString('base64url');
  const es384 = h.keyPair('ES384').privateKey;

  const invalid = {
    'is text': 'x',
    'has two parts': `${head}.${payload}`,
    'has four parts': `${good}.x`,
    'has an empty signature': `${head}.${payload}.`,
    'has another signature': `${head}.${payload}.${signature.slice(0, 40)}${'A'.repeat(signature.length - 40)}`,
    'has a signature of zeros': `${head}.${payload}.${'A'.repeat(86)}`,
    'has a signature in DER': `${head}.${payload}.${der}`,
    'has other claims': `${head}.${text(claimsOf({ fence: 8 }))}.${signature}`,
    'is not canonical base64url': `${good.slice(0, -1)}${String.fromCharCode(good.charCodeAt(good.length - 1) + 1)}`,
    'has padding': `${good}==`,
    'has alg none': `${text({ alg: 'none', kid: key.kid })}.${payload}.`,
    'has alg none and a signature': `${text({ alg: 'none', kid: key.kid })}.${payload}.${signature}`,
    'is HS256 with the public key in PEM': await hmac(Buffer.from(publicKey.export({ type: 'spki', format: 'pem' }))),
    'is HS256 with the public key in DER': await hmac(publicKey.export({ type: 'spki', format: 'der' })),
    'is HS256 with the JWK': await hmac(Buffer.from(JSON.stringify(key.jwk))),
    'is ES384': await new jose.SignJWT(claimsOf()).setProtectedHeader({ alg: 'ES384', kid: key.kid }).sign(es384),
    'is signed with a foreign key': await sign({ ...foreign, kid: key.kid }),
    'brings its own key': await sign({ ...foreign, kid: key.kid }, {}, { jwk: foreign.jwk }),
    'says none': raw({ alg: 'none' }, claimsOf()),
    'says HS256': raw({ alg: 'HS256' }, claimsOf()),
    'says es256': raw({ alg: 'es256' }, claimsOf()),
    'has no kid': raw({ kid: undefined }, claimsOf()),
    'has a critical header': raw({ crit: ['b64'], b64: true }, claimsOf()),
    'is an access token': raw({ typ: 'at+jwt' }, claimsOf()),
    'has claims that are an array': raw({}, [claimsOf()]),
    'has claims that are null': raw({}, 'bnVsbA'),
    'has claims in another encoding': raw({}, Buffer.from(JSON.stringify(claimsOf({ more: '\xff' })), 'latin1').toString('base64url')),
    'has no fence': raw({}, claimsOf({ fence: undefined })),
    'has a fence in a string': raw({}, claimsOf({ fence: '7' })),
    'has a fence with a fraction': raw({}, claimsOf({ fence: 7.5 })),
    'has a fence below 0': raw({}, claimsOf({ fence: -1 })),
    'has a fence of 2^53': raw({}, text(JSON.stringify(claimsOf()).replace('"fence":7', '"fence":9007199254740992'))),
    'has no exp': raw({}, claimsOf({ exp: undefined })),
    'has no sub': raw({}, claimsOf({ sub: undefined })),
    'is too long': raw({}, claimsOf({ more: 'x'.repeat(8192) })),
  };
  const expired = await sign(key, { exp: now() - 61 });
  const cases = [
    ...Object.entries(invalid).map(([what, ticket]) => [what, ticket, 'TICKET_INVALID']),
    ['has expired', expired, 'TICKET_EXPIRED'],
    ['is for another resource', await sign(key, { res: 'document:report:other' }), 'OTHER_RESOURCE'],
    ['is for the two-part name', await sign(key, { res: 'document:report' }), 'OTHER_RESOURCE'],
    ['is for another user', await sign(key, { sub: 'Ann' }), 'OTHER_USER'],
  ];
  assert.strictEqual((await put(base, good)).status, 200);
  for (const [what, ticket, code] of cases) assert.deepStrictEqual(told(await put(base, ticket)), [401, code], `a ticket that ${what}`);
  assert.strictEqual((await put(base, await sign(key, { exp: now() - 50 }))).status, 200, 'within the tolerance');
  assert.strictEqual((await put(base, good)).status, 200);
  unknown(await put(base, await sign(foreign)));
  assert.strictEqual(server.requests, 1, 'an unknown kid waits for the cool-down, and is not refused before');

  const error = await tickets.verify(expired, { resourceId: RESOURCE }).catch((e) => e);
  assert.ok(error instanceof lib.TicketError && error instanceof Error);
  assert.deepStrictEqual([error.name, error.code, error.status], ['TicketError', 'TICKET_EXPIRED', 401]);
  for (const ticket of [undefined, null, 7, {}, '']) {
    await assert.rejects(tickets.verify(ticket, { resourceId: RESOURCE }), { code: 'TICKET_INVALID' });
  }
});

test('the key is changed, and each ticket is accepted', async (t) => {
  const dir = h.tempDir(t);
  const { d, pair, keysUrl } = await signingDaemon(t);
  const second = h.keyPair('ES256');
  const { tickets, failures } = verifier(keysUrl, { cooldownMs: 0 });
  const base = await application(t, tickets);
  const ann = await d.client({ user: 'ann' });
  const { ticket: first } = await h.take(ann, RESOURCE);
  assert.strictEqual((await put(base, first)).status, 200);

  const change = async (file) => {
    d.config.tickets.signingKeyFile = file;
    d.writeConfig();
    d.signal('SIGHUP');
    await d.waitForLog(/^reloaded/);
    return (await ann.expect('lock:heartbeat', { resourceId: RESOURCE }, 'lock:renewed')).ticket;
  };
  const kid = (ticket) => jose.decodeProtectedHeader(ticket).kid;
  assert.strictEqual(kid(await change(keyFile(dir, 'both.pem', pair, second))), kid(first), 'published, and does not sign yet');
  const swapped = await change(keyFile(dir, 'swapped.pem', second, pair));
  assert.notStrictEqual(kid(swapped), kid(first));
  for (const ticket of [swapped, first, swapped]) assert.strictEqual((await put(base, ticket)).status, 200);

  const alone = await change(keyFile(dir, 'alone.pem', second));
  assert.strictEqual((await put(base, alone)).status, 200);
  assert.strictEqual((await put(base, first)).status, 200, 'the present keys are not old');
  const fresh = verifier(keysUrl, { cooldownMs: 0 });
  assert.strictEqual((await fresh.check(alone)).userId, 'ann');
  await assert.rejects(fresh.check(first), { code: 'TICKET_INVALID' }, 'the old key is gone');
  assert.deepStrictEqual(failures, []);
});

test('the daemon is down: known keys serve, without them nobody knows', async (t) => {
  const { d, keysUrl } = await signingDaemon(t);
  const warm = verifier(keysUrl, { refreshMs: 0 });
  const cold = verifier(keysUrl, { cooldownMs: 0 });
  const forgetful = verifier(keysUrl, { refreshMs: 0, maxAgeMs: 0, cooldownMs: 0 });
  const { ticket } = await h.take(await d.client({ user: 'ann' }), RESOURCE);
  const [withKeys, without, old] = await Promise.all([warm, cold, forgetful].map(({ tickets }) => application(t, tickets)));
  await warm.tickets.prefetch();
  assert.strictEqual((await put(old, ticket)).status, 200);

  await d.kill();
  assert.strictEqual((await put(withKeys, ticket)).status, 200);
  unknown(await put(without, ticket));
  unknown(await put(old, ticket));
  assert.strictEqual(cold.failures.length, 1);
  assert.match(cold.failures[0], /wslock-jwks\.json: connect ECONNREFUSED/);
  const error = await cold.check(ticket).catch((e) => e);
  assert.ok(error instanceof lib.UnavailableError);
  assert.deepStrictEqual([error.name, error.code, error.status], ['UnavailableError', 'UNAVAILABLE', 503]);
  assert.deepStrictEqual(told(await put(without, 'x')), [401, 'TICKET_INVALID'], 'no keys are needed to refuse this');

  await d.restart();
  assert.strictEqual((await put(without, ticket)).status, 200);
  assert.strictEqual((await put(old, ticket)).status, 200);
});

test('replies that are slow, long or broken', { concurrency: true }, async (t) => {
  const key = h.signingKey();
  const ticket = await sign(key);
  const set = JSON.stringify({ keys: [key.jwk] });
  const json = (value) => (_, response) => response.end(typeof value === 'string' ? value : JSON.stringify(value));
  const forever = (chunk) => (_, response) => {
    const timer = setInterval(() => response.write(chunk), 10);
    response.on('close', () => clearInterval(timer));
  };
  const limits = { timeoutMs: 3000 * h.SLOW, maxBytes: 10_000, cooldownMs: 0 };
  const cases = {
    'nothing comes': [() => {}, /no complete reply within/],
    'only a head comes': [(_, response) => response.flushHeaders(), /no complete reply within/],
    'it drips': [forever(' '), /no complete reply within/],
    'it does not end': [forever(' '.repeat(4000)), /longer than 10000 bytes/],
    'it is long': [json(' '.repeat(10_000) + set), /longer than/],
    'it is cut off': [(_, response) => {
      response.writeHead(200, { 'Content-Length': set.length + 1 });
      response.write(set, () => response.destroy());
    }, /aborted|cut off|hang up/],
    'the connection ends': [(request) => request.destroy(), /hang up|ECONNRESET/],
    'it is an error': [(_, response) => response.writeHead(500).end(set), /status 500/],
    'it is another place': [(_, response) => response.writeHead(302, { Location: '/certs' }).end(), /status 302/],
    'it is not JSON': [json('<html>'), /not a key set/],
    'it is half of it': [json(set.slice(0, -5)), /not a key set/],
    'it is null': [json('null'), /not a key set/],
    'its keys are an object': [json({ keys: { 0: key.jwk } }), /not a key set/],
    'it is empty': [json({ keys: [] }), /no key/],
    'it has nothing for ES256': [json({ keys: [null, 'x', { ...key.jwk, alg: 'ES384' }, { ...key.jwk, use: 'enc' }, { ...key.jwk, kid: undefined },
      h.signingKey('RS256').jwk, { ...key.jwk, x: key.jwk.y }] }), /no key/],
  };
  await h.together(t, Object.fromEntries(Object.entries(cases).map(([what, [answer, why]]) => [what, async (tt) => {
    const server = await h.keyServer(tt, { keys: [key] });
    const cold = verifier(server.url(), limits);
    const warm = verifier(server.url(), { ...limits, refreshMs: 0 });
    await warm.check(ticket);
    server.answer = answer;
    unknown(await put(await application(tt, cold.tickets), ticket));
    assert.match(cold.failures[0], why);
    assert.strictEqual((await warm.check(ticket)).fence, 7, 'the keys that were there before serve');
    server.heal();
    assert.strictEqual((await cold.check(ticket)).fence, 7);
  }])));
  await t.test('one bad key beside a good one', async (tt) => {
    const server = await h.keyServer(tt, { keys: [{ jwk: { ...h.signingKey().jwk, x: 'AAAA' } }, { jwk: null }, key] });
    assert.strictEqual((await verifier(server.url()).check(ticket)).fence, 7);
  });
});

test('how often the keys are fetched', { concurrency: true }, async (t) => {
  const [key, foreign] = [h.signingKey(), h.signingKey()];
  const [ticket, unknownKid] = [await sign(key), await sign(foreign)];
  const many = (check, what) => Promise.all(Array.from({ length: 50 }, () => check(what).then((lock) => lock.fence, (e) => e.code)));
  const all = (value) => Array(50).fill(value);
  const FAR = { cooldownMs: 600_000 };

  await h.together(t, {
    'many at once: one request': async (tt) => {
      const server = await h.keyServer(tt, { keys: [key] });
      const { check } = verifier(server.url());
      server.hold();
      const answers = many(check, ticket);
      await server.asked(1);
      server.release();
      assert.deepStrictEqual(await answers, all(7));
      assert.deepStrictEqual(await many(check, ticket), all(7));
      assert.strictEqual(server.requests, 1);
    },
    'many at once while they cannot be had: one request, then the cool-down': async (tt) => {
      const server = await h.keyServer(tt, { keys: [key] });
      const { tickets, check, failures } = verifier(server.url(), FAR);
      server.fail(500);
      assert.deepStrictEqual(await many(check, ticket), all('UNAVAILABLE'));
      server.heal();
      assert.deepStrictEqual(await many(check, ticket), all('UNAVAILABLE'));
      assert.deepStrictEqual([server.requests, failures.length], [1, 1]);
      const { headers } = await put(await application(tt, tickets), ticket);
      assert.ok(headers['retry-after'] > 500 && headers['retry-after'] <= 600, headers['retry-after']);
    },
    'unknown kids: no request before the cool-down has ended': async (tt) => {
      const server = await h.keyServer(tt, { keys: [key] });
      const [patient, quick] = [verifier(server.url(), FAR), verifier(server.url(), { cooldownMs: 0 })];
      await Promise.all([patient.check(ticket), quick.check(ticket)]);
      server.publish(key, foreign);
      assert.deepStrictEqual(await many(patient.check, unknownKid), all('UNAVAILABLE'), 'the keys are older than the tickets');
      const { retryAfterMs } = await patient.check(unknownKid).catch((e) => e);
      assert.ok(retryAfterMs > 500_000 && retryAfterMs <= 600_000, String(retryAfterMs));
      assert.strictEqual(server.requests, 2);
      server.hold();
      const answers = many(quick.check, unknownKid);
      await server.asked(3);
      server.release();
      assert.deepStrictEqual(await answers, all(7), 'the new key is found');
      assert.strictEqual(server.requests, 3);
    },
    'unknown kids that the newest keys have not: refused, with two requests for many': async (tt) => {
      const server = await h.keyServer(tt, { keys: [key] });
      const { check } = verifier(server.url(), { cooldownMs: 0 });
      await check(ticket);
      server.hold();
      const answers = many(check, unknownKid);
      await server.asked(2);
      const later = check(unknownKid).catch((e) => e.code); // this request has begun before it came
      server.release();
      assert.deepStrictEqual([...await answers, await later], [...all('TICKET_INVALID'), 'TICKET_INVALID']);
      assert.strictEqual(server.requests, 3);
    },
    'an unknown kid while the keys cannot be had: nobody knows': async (tt) => {
      const server = await h.keyServer(tt, { keys: [key] });
      const { check } = verifier(server.url(), { cooldownMs: 0 });
      await check(ticket);
      server.fail(503);
      await assert.rejects(check(unknownKid), { code: 'UNAVAILABLE' });
      assert.strictEqual((await check(ticket)).fence, 7);

      server.heal();
      const patient = verifier(server.url(), FAR);
      await patient.check(ticket);
      server.fail(503);
      await assert.rejects(patient.tickets.prefetch(), { code: 'UNAVAILABLE' });
      await assert.rejects(patient.check(unknownKid), { code: 'UNAVAILABLE' }, 'in the cool-down');
      assert.strictEqual(server.requests, 4);
    },
    'keys that grow old: fetched anew, and nobody waits': async (tt) => {
      const server = await h.keyServer(tt, { keys: [key] });
      const { check } = verifier(server.url(), { refreshMs: 1, cooldownMs: 0 });
      await check(ticket);
      server.hold();
      assert.strictEqual((await check(ticket)).fence, 7);
      await server.asked(2);
      assert.deepStrictEqual(await many(check, ticket), all(7));
      assert.strictEqual(server.requests, 2);
      server.publish(foreign);
      server.release();
      await h.eventually(() => check(unknownKid), 'the new keys');
      await assert.rejects(check(ticket), { code: 'TICKET_INVALID' }, 'the removed key');
    },
    'keys that are too old: not used': async (tt) => {
      const server = await h.keyServer(tt, { keys: [key] });
      const { check } = verifier(server.url(), { refreshMs: 100, maxAgeMs: 300 * h.SLOW, cooldownMs: 0 });
      await check(ticket);
      server.fail(500);
      await h.eventually(() => check(ticket).then(() => false, (e) => e.code === 'UNAVAILABLE'), 'they are too old');
    },
  });
});

test("the application's outcomes", async (t) => {
  const key = h.signingKey();
  const server = await h.keyServer(t, { keys: [key] });
  const { tickets } = verifier(server.url());
  const ticket = await sign(key);
  const refuse = Object.assign(new Error('too long'), { status: 413, expose: true });
  const database = (more) => Object.assign(new Error('a secret index is missing'), more); // over HTTP
  const outage = Object.assign(new Error('password=secret'), { code: 'ECONNREFUSED' });
  const ask = async (action, plain) => {
    const errors = [];
    const options = { onError: (error, req) => errors.push([error.message, req.method]) };
    const base = plain
      ? await h.serve(t, lib.lockHandler({ tickets, resourceId: () => RESOURCE, userId: null, ...options }, action))
      : await application(t, tickets, action, options);
    return { answer: await put(base, ticket), errors };
  };
  for (const plain of [false, true]) {
    const conflict = await ask(() => ({ outcome: 'conflict', revision: 3 }), plain);
    assert.deepStrictEqual([conflict.answer.status, conflict.answer.json.error.code, conflict.answer.json.revision], [409, 'CONFLICT', 3]);
    assert.strictEqual(conflict.answer.json.outcome, undefined);
    for (const action of [() => { throw outage; }, () => Promise.reject(outage), () => undefined, () => ({}), () => ({ outcome: null }),
      () => ({ outcome: 'toString' }), () => ({ outcome: 'saved', revision: 1n }), () => Promise.reject(Object.assign(outage, { status: 500 })),
      () => { throw database({ status: 404 }); }, () => { throw database({ statusCode: 409 }); },
      () => { throw database({ status: 429, expose: false, response: { status: 429 } }); },
      () => { throw database({ status: 503, expose: true }); }]) {
      const { answer, errors } = await ask(action, plain);
      unknown(answer);
      assert.ok(!answer.body.includes('secret'));
      assert.deepStrictEqual(errors.map(([, method]) => method), ['PUT'], String(action));
    }
    const own = await ask(() => { throw refuse; }, plain);
    assert.deepStrictEqual([own.answer.status, own.errors], [413, []]);
    assert.deepStrictEqual(own.answer.json, plain ? { error: { code: 'REFUSED', message: 'too long' } } : { own: 'too long' });
  }
});

test('an action that has answered by itself', async (t) => {
  const key = h.signingKey();
  const server = await h.keyServer(t, { keys: [key] });
  const errors = [];
  const app = express();
  app.use(lib.lockHandler({ tickets: verifier(server.url()).tickets, resourceId: () => RESOURCE, userId: null }, (lock, req) => {
    req.res.status(202).json({});
    return { outcome: 'saved' };
  }), (error, req, res, next) => next(errors.push(error)));
  assert.strictEqual((await put(await h.serve(t, app), await sign(key))).status, 202);
  assert.deepStrictEqual(errors, []);
});

test('wrong use is told at once', async (t) => {
  const keysUrl = 'https://locks.example.org/keys';
  for (const [options, why] of [
    [{}, /Invalid URL/], [{ keysUrl: 'nowhere' }, /Invalid URL/], [{ keysUrl: 'file:///etc/passwd' }, /https:/],
    [{ keysUrl, timeoutMs: '5s' }, /timeoutMs/], [{ keysUrl, maxBytes: -1 }, /maxBytes/], [{ keysUrl, timeout: 5 }, /no option timeout/],
    [{ keysUrl, timeoutMs: 2 ** 31 }, /timeoutMs/], [{ keysUrl, maxAgeMs: 1000 }, /maxAgeMs/], [{ keysUrl, onError: 'log' }, /onError/],
  ]) assert.throws(() => new lib.TicketVerifier(options), (e) => e instanceof TypeError && why.test(e.message), JSON.stringify(options));
  const { tickets } = verifier(keysUrl);
  for (const expected of [undefined, {}, { resourceId: '' }, { resourceId: RESOURCE, userId: '' }, { resourceId: RESOURCE, userId: null }]) {
    await assert.rejects(tickets.verify('x', expected), TypeError, JSON.stringify(expected));
  }
  const good = { tickets, resourceId: () => RESOURCE, userId: null };
  lib.lockHandler(good, () => {});
  for (const [options, action] of [[undefined, () => {}], [good, undefined], [{ ...good, tickets: {} }, () => {}], [{ ...good, resourceId: RESOURCE }, () => {}],
    [{ ...good, userId: undefined }, () => {}], [{ ...good, ticket: 'x' }, () => {}]]) {
    assert.throws(() => lib.lockHandler(options, action), TypeError);
  }
});

test('the declarations name what there is', () => {
  const types = fs.readFileSync(path.join(h.ROOT, 'src/web/client/server/index.d.ts'), 'utf8');
  const declared = [...types.matchAll(/^export (?:class|function) (\w+)/gm)].map(([, name]) => name);
  assert.deepStrictEqual(declared.sort(), Object.keys(lib).sort());
});

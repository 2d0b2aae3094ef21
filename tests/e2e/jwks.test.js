'use strict';
/* Keys from an identity provider: when they are fetched, how long they are used, what a provider may do wrong. */
const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const h = require('./harness');

const FAST = { refresh: '10m', cooldown: '100ms' };

/* A daemon whose keys come from a URL; beside them the HS256 key `test`. */
function keyed(t, url, jwks = FAST, more = {}) {
  const { auth, ...config } = more.config || {};
  return h.newDaemon(t, {
    ...more,
    config: { auth: { algorithms: ['HS256', 'RS256', 'PS256', 'ES256', 'EdDSA'], jwks: { url, ...jwks }, ...auth }, ...config },
  });
}

const loaded = (d) => d.waitForLog(/jwks_loaded/);
const failed = async (d) => (await d.waitForLog(/jwks_fetch_failed/)).match(/reason=("[^"]*"|\S+)/)[1];
const fetches = (d, outcome) => d.metric('wslock_jwks_fetches_total', `outcome="${outcome}"`);
async function readiness(d) {
  const { status, body } = await h.httpGet(d.opsUrl('/readyz'));
  return { status, body };
}
const reconfigure = async (d, jwks) => {
  d.config.auth.jwks = jwks;
  d.writeConfig();
  d.signal('SIGHUP');
  await d.waitForLog(/^(\S* )?reloaded/);
};
/* The auth message of a new connection: {client, reply (a promise)}. */
async function authenticating(d, who) {
  const client = await (await d.newClient({ ...who, silent: true })).start();
  return { client, reply: client.request('auth', { token: await d.token(who) }) };
}
async function refusedByMessage(d, who) {
  const { client, reply } = await authenticating(d, who);
  const { event, data } = await reply;
  assert.deepStrictEqual([event, data.code], ['error', 'TOKEN_INVALID'], JSON.stringify(data));
  assert.strictEqual((await client.end()).code, 4401);
}
async function refusedByHeader(d, who) {
  const client = await d.newClient({ ...who, inHeader: true });
  return client.opened.then(() => assert.fail('accepted'), (error) => error);
}

test('a token waits while its key is fetched', async (t) => {
  const key = h.signingKey();
  const provider = await h.keyServer(t, { keys: [key] });
  provider.hold();
  const d = await (await keyed(t, provider.url(), FAST, { config: { auth: { cookie: 'wslock', authTimeout: h.ms(2000) } } })).start();
  await provider.asked(1);

  const early = await authenticating(d, { ...key, user: 'early' });
  await h.refused(early.client, 'lock:status', { resourceId: 'document:1' }, 'UNAUTHENTICATED');
  await h.refused(early.client, 'auth', { token: 'x' }, 'INVALID_ARGUMENT');
  const gone = await authenticating(d, { ...key, user: 'gone' });
  gone.reply.catch(() => {});
  await gone.client.terminate();
  const cookie = await (await d.newClient({
    silent: true, headers: { Cookie: `wslock=${await d.token({ ...key, user: 'cookie' })}` },
  })).start();
  const error = await refusedByHeader(d, { ...key, user: 'header' });
  assert.deepStrictEqual([error.status, error.headers['retry-after']], [401, '1']);
  assert.strictEqual(JSON.parse(error.body).error.code, 'TOKEN_INVALID');
  const { status, body } = await readiness(d);
  assert.deepStrictEqual([status, /auth\.jwks\.url/.test(body)], [503, true]);
  const fixed = await d.client({ user: 'fixed' });
  assert.strictEqual(fixed.welcome.userId, 'fixed', 'another key is not concerned');
  const newer = fixed.request('auth:refresh', { token: await d.token({ ...key, user: 'fixed', ttl: 7200 }) });
  await h.refused(fixed, 'auth:refresh', { token: await d.token({ user: 'fixed' }) }, 'RATE_LIMITED');

  provider.release();
  assert.strictEqual((await early.reply).data.userId, 'early');
  assert.strictEqual((await cookie.waitFor('welcome')).data.userId, 'cookie');
  assert.strictEqual((await newer).event, 'auth:refreshed');
  await d.client({ ...key, user: 'header', inHeader: true });
  assert.strictEqual((await readiness(d)).status, 200);
  assert.strictEqual(provider.requests, 1, 'they all wait for the same fetch');
  assert.ok(await d.metric('wslock_jwks_keys') === 1);
  assert.ok(await d.metric('wslock_jwks_last_fetch_timestamp_seconds') > Date.now() / 1000 - 60);
});

test('it waits for authTimeout at most', async (t) => {
  const key = h.signingKey();
  const provider = await h.keyServer(t, { keys: [key] });
  provider.hold();
  const d = await (await keyed(t, provider.url(), FAST, { config: { auth: { cookie: 'wslock', authTimeout: '500ms' } } })).start();
  await provider.asked(1);
  const cookie = await (await d.newClient({ silent: true, headers: { Cookie: `wslock=${await d.token(key)}` } })).start();
  const fixed = await d.client({ user: 'fixed' });
  await refusedByMessage(d, key);
  const { data } = await cookie.waitFor('error');
  assert.strictEqual(data.code, 'TOKEN_INVALID');
  assert.strictEqual((await cookie.waitFor('session:closed')).data.reason, 'UNAUTHENTICATED');
  await d.waitForAudit((r) => r.action === 'AUTH_FAILED');
  fixed.request('auth:refresh', { token: await d.token({ ...key, user: 'fixed' }) }).catch(() => {});
  await fixed.sync();
  assert.deepStrictEqual(await d.stop(), { code: 0, signal: null }); // with a fetch and a token under way
  provider.release();
});

test('a limited number of tokens waits', async (t) => {
  const LIMIT = 1024;
  const key = h.signingKey();
  const provider = await h.keyServer(t, { keys: [key] });
  provider.hold();
  const d = await (await keyed(t, provider.url(), FAST, { config: { auth: { authTimeout: '1m' }, limits: { handshakesPerSecond: 100000 } } })).start();
  await provider.asked(1);
  const begin = Date.now();
  const waiting = [];
  for (let i = 0; i < LIMIT; i++) waiting.push(await authenticating(d, { ...key, user: `user-${i}` }));
  await Promise.all(waiting.map(({ client }) => client.sync()));
  await refusedByMessage(d, { ...key, user: 'one-more' });
  const { client: gone, reply: never } = waiting.pop();
  never.catch(() => {});
  await gone.terminate();
  await h.eventually(() => d.log.some((line) => /session_closed .*reason=CONNECTION_LOST/.test(line)), 'it has gone');
  waiting.push(await authenticating(d, { ...key, user: 'in-its-place' }));
  provider.release();
  for (const { reply } of waiting) assert.strictEqual((await reply).event, 'welcome');
  const FETCH_MS = 10_000; // then it is given up, and the next one begins
  assert.ok(provider.requests <= 1 + (Date.now() - begin) / FETCH_MS, 'they all wait for the same fetch');
});

test('keys are rotated while users connect, and nobody is refused', async (t) => {
  const first = h.signingKey();
  const provider = await h.keyServer(t, { keys: [first] });
  const d = await (await keyed(t, provider.url(), FAST, { config: { auth: { cookie: 'wslock' }, limits: { handshakesPerSecond: 10000 } } })).start();
  await loaded(d);
  let current = first;
  let done = false;
  const count = { message: 0, cookie: 0, header: 0, retried: 0 };
  const ways = {
    message: async (user) => (await d.client({ ...current, user })).close(1000),
    cookie: async (user) => {
      const client = await d.newClient({ silent: true, headers: { Cookie: `wslock=${await d.token({ ...current, user })}` } });
      await client.start();
      await client.waitFor('welcome');
      assert.deepStrictEqual(client.received('error'), []);
      await client.close(1000);
    },
    header: async (user) => {
      const who = { ...current, user, inHeader: true };
      while (!done) {
        try {
          return void await (await d.client(who)).close(1000);
        } catch (error) {
          assert.ok(error.status === 401 && error.headers['retry-after'] === '1', error.message);
          count.retried++;
          const again = Date.now() + 200; // the fetch is under way
          await h.eventually(() => Date.now() > again, 'the time to retry');
        }
      }
    },
  };
  const users = Object.entries(ways).map(async ([way, connect]) => {
    while (!done) {
      await connect(`${way}-user`);
      count[way]++;
    }
  });
  const rotate = async () => {
    for (let i = 0; i < 12; i++) {
      const before = { ...count };
      const next = h.signingKey(['ES256', 'RS256', 'EdDSA', 'PS256'][i % 4]);
      provider.publish(next, ...provider.keys);
      current = next;
      await h.eventually(() => Object.keys(ways).every((way) => count[way] > before[way] + 1), 'each way with the new key');
    }
  };
  await Promise.all([rotate().finally(() => (done = true)), ...users]);
  t.diagnostic(JSON.stringify({ ...count, fetches: provider.requests }));
  assert.ok(Math.min(count.message, count.cookie, count.header) > 0);
  assert.deepStrictEqual(d.audit().filter((r) => r.action === 'AUTH_FAILED').length, count.retried);
  assert.ok(provider.requests > 12);
  provider.publish(current);
  await refusedByMessage(d, { ...current, kid: 'unknown' }); // has the set fetched
  await refusedByMessage(d, { ...first, user: 'old' });
});

test('unknown keys: no more fetches than the cool-down allows', async (t) => {
  const key = h.signingKey();
  const provider = await h.keyServer(t, { keys: [key] });
  const d = await (await keyed(t, provider.url(), { refresh: '1h', cooldown: '1s' }, {
    config: { auth: { authTimeout: '2s' }, limits: { handshakesPerSecond: 100000 } },
  })).start();
  await loaded(d);
  const start = Date.now();
  let refused = 0;
  const flood = async (i) => {
    while (Date.now() - start < 3500) {
      const error = await refusedByHeader(d, { ...h.signingKey('ES256'), user: 'x' });
      assert.strictEqual(error.status, 401);
      assert.ok(error.headers['retry-after'] >= 1 && error.headers['retry-after'] <= 2, error.headers['retry-after']);
      if (i === 0) await refusedByMessage(d, { ...key, kid: `x-${refused}` });
      refused++;
    }
  };
  await Promise.all([0, 1, 2, 3].map(flood));
  const allowed = 2 + Math.floor((Date.now() - start) / 1000);
  t.diagnostic(`${refused} refused, ${provider.requests} fetches`);
  assert.ok(refused > 40 && provider.requests >= 3 && provider.requests <= allowed, `${provider.requests} of ${allowed}`);
  await d.client({ ...key, user: 'good' });
  const before = provider.requests;
  for (const who of [{ alg: 'HS256', kid: 'y' }, { ...h.signingKey('ES384'), kid: 'z' }]) {
    assert.strictEqual((await refusedByHeader(d, who)).headers['retry-after'], undefined, 'the provider cannot have such a key');
  }
  assert.ok(provider.requests <= before + 1);
});

test('the last good set is kept while the provider is down, until maxAge', async (t) => {
  const [old, next] = [h.signingKey(), h.signingKey()];
  const provider = await h.keyServer(t, { keys: [old] });
  const maxAge = 6000 * h.SLOW;
  const d = await (await keyed(t, provider.url(), { refresh: '200ms', cooldown: '100ms', maxAge: `${maxAge}ms` }, {
    config: { auth: { authTimeout: '1s' } },
  })).start();
  await loaded(d);
  provider.fail(500);
  const down = Date.now();
  await failed(d);
  await d.client({ ...old, user: 'ann' });
  provider.answer = (_, response) => response.end('{"keys":[]}');
  await provider.asked(provider.requests + 2);
  await d.client({ ...old, user: 'ann' });
  await provider.close();
  await refusedByMessage(d, { ...next, user: 'ann' });
  await d.client({ ...old, user: 'ann' });
  assert.strictEqual((await readiness(d)).status, 200);
  await d.waitForLog(/jwks_too_old .*keys_dropped=1/);
  assert.ok(Date.now() - down > maxAge - 400 * h.SLOW, 'not before its time');
  assert.strictEqual((await readiness(d)).status, 503);
  assert.strictEqual(await d.metric('wslock_jwks_keys'), 0);
  await refusedByMessage(d, { ...old, user: 'ann' });
  const lines = d.log.filter((line) => /jwks_fetch_failed/.test(line)).length;
  assert.ok(lines <= 20 && await fetches(d, 'failed') > lines, 'not every failure is a line');

  provider.heal();
  provider.publish(old, next);
  await provider.listen();
  await d.waitForLog(/jwks_fetched_again/);
  await d.client({ ...next, user: 'ann' });
  assert.strictEqual((await readiness(d)).status, 200);
  assert.ok(await fetches(d, 'ok') >= 2);
});

test('what a provider does wrong is said, and changes nothing', async (t) => {
  const key = h.signingKey();
  const provider = await h.keyServer(t, { keys: [key] });
  const elsewhere = await h.keyServer(t, { keys: [key] });
  const set = JSON.stringify({ keys: [key.jwk] });
  const endless = (response, part) => {
    const more = () => response.destroyed || response.write(part, () => setImmediate(more));
    more();
  };
  const faults = {
    'status-500': [(r) => r.writeHead(500).end(set), /HTTP status 500"/],
    'status-404': [(r) => r.writeHead(404).end(set), /HTTP status 404"/],
    'redirect': [(r) => r.writeHead(302, { Location: elsewhere.url() }).end(set), /302, and redirects are not followed/],
    'broken': [(r) => r.end(set.slice(0, -1)), /not a JSON Web Key Set/],
    'empty': [(r) => r.end(), /not a JSON Web Key Set/],
    'page': [(r) => r.end('<html>'), /not a JSON Web Key Set/],
    'huge': [(r) => endless(r, ' '.repeat(65536)), /the answer is too long/],
    'headers': [(r) => r.writeHead(200, Array.from({ length: 20 }, (_, i) => [`X-${i}`, 'x'.repeat(8000)])).end(set), /headers of the answer/],
    'cut': [(r) => r.writeHead(200, { 'Content-Length': 5000 }).write(set, () => r.destroy()), /./],
  };
  provider.answer = (request, response) => {
    const fault = faults[request.url.slice(1)];
    if (fault) fault[0](response);
    else response.end(set);
  };
  const slow = { refresh: '1h', cooldown: '1h' };
  const d = await (await keyed(t, provider.url('/status-500'), slow)).start();
  for (const [name, [, reason]] of Object.entries(faults)) {
    if (name !== 'status-500') await reconfigure(d, { url: provider.url(`/${name}`), ...slow });
    assert.match(await failed(d), reason, name);
    assert.strictEqual((await readiness(d)).status, 503, name);
  }
  assert.strictEqual(elsewhere.requests, 0, 'no redirect was followed');
  await d.client({ user: 'fixed' });
  await reconfigure(d, { url: provider.url('/good'), ...slow });
  await loaded(d);
  await d.client({ ...key, user: 'ann' });
});

test('no provider, and one that says nothing', async (t) => {
  const key = h.signingKey();
  const provider = await h.keyServer(t, { keys: [key] });
  const port = await h.freePort();
  const slow = { refresh: '1h', cooldown: '1h' };
  const d = await (await keyed(t, `http://127.0.0.1:${port}/certs`, slow)).start();
  assert.match(await failed(d), /connect/i);
  await reconfigure(d, { url: `http://localhost:${provider.port}/certs`, ...slow });
  await loaded(d);
  await d.client({ ...key, user: 'ann' });
  const v6 = await h.keyServer(t, { host: '::1', keys: [key] });
  await reconfigure(d, { url: v6.url(), ...slow });
  await loaded(d);
  await d.client({ ...key, user: 'ann' });
  provider.answer = (_, response) => {
    const trickle = setInterval(() => response.write(' '), 200);
    response.on('close', () => clearInterval(trickle));
  };
  await reconfigure(d, { url: provider.url('/slow'), ...slow });
  await provider.asked(2);
  const client = await d.client({ user: 'fixed' });
  assert.ok(await h.elapsed(client.sync()) < 1000 * h.SLOW, 'meanwhile the daemon answers');
  assert.match(await failed(d), /in time/);
});

test('certificates', async (t) => {
  const key = h.signingKey();
  const dir = fs.mkdtempSync(path.join(require('node:os').tmpdir(), 'wslock-e2e-'));
  t.after(() => fs.rmSync(dir, { recursive: true }));
  const serve = async (name, days, host) => {
    const files = h.certificate(dir, { name, days });
    const tls = { cert: fs.readFileSync(files.certificate), key: fs.readFileSync(files.key) };
    return { server: await h.keyServer(t, { host, tls, keys: [key] }), pem: tls.cert };
  };
  const good = await serve('good', 2);
  const unknown = await serve('unknown', 2);
  const expired = await serve('expired', -1);
  const elsewhere = await serve('elsewhere', 2, '127.0.0.2');
  const trusted = path.join(dir, 'ca.pem');
  fs.writeFileSync(trusted, Buffer.concat([good.pem, expired.pem, elsewhere.pem]));
  const slow = { refresh: '1h', cooldown: '1h' };
  const d = await (await keyed(t, unknown.server.url(), slow, { env: { SSL_CERT_FILE: trusted, SSL_CERT_DIR: dir } })).start();
  assert.match(await failed(d), /certificate/i);
  await reconfigure(d, { url: expired.server.url(), ...slow });
  assert.match(await failed(d), /certificate has expired/i);
  await reconfigure(d, { url: elsewhere.server.url(), ...slow });
  assert.match(await failed(d), /does not match|no alternative certificate subject name/i);
  for (const { server } of [unknown, expired, elsewhere]) assert.strictEqual(server.requests, 0);
  await refusedByMessage(d, key);
  for (const host of ['127.0.0.1', 'localhost']) {
    await reconfigure(d, { url: good.server.url(`/${host}`, host), ...slow });
    await loaded(d);
    await d.client({ ...key, user: 'ann' });
  }
});

test('a reload', async (t) => {
  const [one, two] = [h.signingKey(), h.signingKey()];
  const first = await h.keyServer(t, { keys: [one] });
  const second = await h.keyServer(t, { keys: [two] });
  const jwks = { refresh: '1h', cooldown: '1h' };
  const d = await (await keyed(t, first.url(), jwks)).start();
  await loaded(d);
  const ann = await d.client({ ...one, user: 'ann' });

  first.publish(one, two); // not asked before the cool-down is over
  await reconfigure(d, { url: first.url(), ...jwks });
  await d.client({ ...one, user: 'ann' });
  assert.strictEqual(first.requests, 1);
  d.config.auth.algorithms = ['HS256'];
  await reconfigure(d, { url: first.url(), ...jwks });
  await refusedByMessage(d, one);
  d.config.auth.algorithms = ['HS256', 'ES256'];
  await reconfigure(d, { url: first.url(), refresh: '1h', cooldown: '100ms' });
  await first.asked(2);
  await d.client({ ...two, user: 'bob' });

  second.hold();
  await reconfigure(d, { url: second.url(), ...jwks });
  const { reply } = await authenticating(d, { ...two, user: 'bob' });
  await second.asked(1);
  second.release();
  assert.strictEqual((await reply).event, 'welcome');
  await refusedByMessage(d, one);
  const file = path.join(d.dir, 'jwks.json');
  fs.writeFileSync(file, JSON.stringify({ keys: [one.jwk] }));
  await reconfigure(d, { file });
  await refusedByMessage(d, two);
  await d.client({ ...one, user: 'ann' });
  second.hold();
  await reconfigure(d, { url: second.url(), ...jwks });
  await second.asked(2);
  await reconfigure(d, null); // while it is fetched
  await refusedByMessage(d, two);
  await ann.sync(); // connected all the time
  second.release();
});

test('what a set may hold', async (t) => {
  const keys = ['RS256', 'PS256', 'ES256', 'EdDSA'].map((alg) => h.signingKey(alg));
  const secret = Buffer.from('a secret that anybody can read, who reads the set');
  const oct = { jwk: { kty: 'oct', k: secret.toString('base64url'), alg: 'HS256', kid: 'oct' } };
  const encryption = h.signingKey('RS256');
  encryption.jwk.use = 'enc';
  const other = h.signingKey('ES384');
  const provider = await h.keyServer(t, { keys: [oct, encryption, other, ...keys] });
  const d = await (await keyed(t, provider.url(), { refresh: '100ms', cooldown: '100ms' })).start();
  await loaded(d);
  for (const key of keys) await d.client({ ...key, user: key.alg });
  for (const who of [{ kid: 'oct', key: secret }, other]) await refusedByMessage(d, who);
  await refusedByMessage(d, encryption);
  await provider.asked(provider.requests + 3);
  const skipped = d.log.filter((line) => /jwks_key_skipped/.test(line));
  assert.strictEqual(skipped.length, 3, 'said once, as the set does not change');
  assert.ok(skipped.every((line) => line.includes(`source=${provider.url()}`) || line.includes(provider.url())));
});

test('--check-config and --print-config ask nobody', async (t) => {
  const provider = await h.keyServer(t);
  const d = await keyed(t, provider.url(), FAST, { redis: null, config: { redis: { url: 'redis://127.0.0.1:1/0' } } });
  const checked = await h.run(['--check-config', '--config', d.configFile]);
  assert.deepStrictEqual([checked.code, checked.stderr], [0, '']);
  const printed = await h.run(['--print-config', '--config', d.configFile]);
  assert.ok(printed.stdout.includes(`url: "${provider.url()}"`), printed.stdout);
  assert.strictEqual(provider.requests, 0);
  d.config.auth.jwks.url = 'http://id.example.org/certs';
  d.writeConfig();
  const refused = await h.run(['--check-config', '--config', d.configFile]);
  assert.strictEqual(refused.code, 1);
  assert.match(refused.stderr, /auth\.jwks\.url: http is only for loopback addresses/);
});

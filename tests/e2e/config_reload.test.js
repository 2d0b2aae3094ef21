'use strict';
/* SIGHUP reads the configuration again: what takes effect, what is refused, and that nobody notices else. */
const assert = require('node:assert');
const crypto = require('node:crypto');
const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const tls = require('node:tls');
const { test } = require('node:test');
const h = require('./harness');

const SUCCESS = 'wslock_config_last_reload_successful';

/* Writes the changed configuration and reloads it; the line of the log that says how it went. */
async function reload(d, change) {
  if (change) change(d.config);
  d.writeConfig();
  d.signal('SIGHUP');
  return d.waitForLog(/^reload(ed|_failed)(\s|$)/);
}

async function reloads(d, change) {
  assert.match(await reload(d, change), /^reloaded/);
}

async function refuses(d, change, ...problems) {
  const kept = structuredClone(d.config);
  assert.match(await reload(d, change), /^reload_failed/);
  for (const problem of problems) await d.waitForLog(problem);
  assert.strictEqual(await d.metric(SUCCESS), 0);
  await d.waitForAudit((r) => r.action === 'CONFIG_RELOADED' && r.outcome === 'failure');
  d.config = kept;
}

function secretFile(d, name, text) {
  const file = path.join(d.dir, name);
  fs.writeFileSync(file, text, { mode: 0o600 });
  return file;
}

/* A heartbeat makes the lock last for so many minutes. */
async function renews(client, resourceId, minutes) {
  const { expiresAt, serverTime } = await client.expect('lock:heartbeat', { resourceId, active: true }, 'lock:renewed');
  assert.ok(Math.abs(expiresAt - serverTime - minutes * 60000) < 10000, `${expiresAt - serverTime} ms`);
}

test('policies: rooms and sessions that are there have the new one', async (t) => {
  const d = await h.lockDaemon(t, { config: { resourceTypes: { doc: { lockTtl: '4m' } } } });
  const [ann, bob] = await Promise.all(['ann', 'bob'].map((user) => d.client({ user })));
  await h.edit(ann, 'doc:1:a');
  await h.view(bob, 'doc:1:a');
  await h.edit(ann, 'memo:1:a'); // of a type that the configuration does not name
  await reloads(d, (c) => {
    c.resourceTypes = { doc: { lockTtl: '8m' }, memo: { lockTtl: '20m', takeover: 'never' } };
  });
  await renews(ann, 'doc:1:a', 8);
  await renews(ann, 'memo:1:a', 20);
  assert.strictEqual((await h.view(bob, 'memo:1:a')).policy.takeover, 'never');

  await reloads(d, (c) => {
    c.resourceTypes = { doc: {} };
    c.unknownResourceTypes = 'reject';
  });
  await h.refused(bob, 'resource:join', { resourceId: 'memo:2:a', mode: 'viewer' }, 'UNKNOWN_RESOURCE_TYPE');
  await renews(ann, 'memo:1:a', 5); // a room that is there stays, under the default
  const { token } = await ann.expect('lock:acquire', { resourceId: 'memo:1:a' }, 'lock:acquired');
  const verified = await h.opsCall(d, 'POST', '/v1/locks/memo:1:a/verify', { token });
  assert.strictEqual(verified.json.valid, true, verified.body);
  const released = await h.opsCall(d, 'DELETE', '/v1/locks/memo:1:a', { reason: 'left', actor: 'ops' });
  assert.strictEqual(released.status, 200, released.body);
  await d.waitForAudit((r) => r.action === 'CONFIG_RELOADED' && r.outcome === 'success');
  assert.strictEqual(await d.metric(SUCCESS), 1);
  await h.checkAll(d);
});

test('clients are told a policy that differs, before it applies to their locks', async (t) => {
  const d = await h.lockDaemon(t, { config: { default: { gracePeriod: '30s' } } });
  const [ann, bob] = await Promise.all(['ann', 'bob'].map((user) => d.client({ user })));
  await h.edit(ann, 'doc:1:a');
  await h.view(bob, 'doc:1:a');
  await h.view(bob, 'memo:1:a');
  await reloads(d, (c) => (c.resourceTypes = { doc: { gracePeriod: h.ms(500), editorRoles: null }, memo: { presence: 'minimal' } }));
  for (const client of [ann, bob]) {
    const { resourceId, policy } = (await client.waitFor('resource:policy')).data;
    assert.deepStrictEqual([resourceId, policy.gracePeriodMs, policy.disconnect], ['doc:1:a', parseInt(h.ms(500), 10), 'grace']);
  }
  await ann.expect('lock:heartbeat', { resourceId: 'doc:1:a' }, 'lock:renewed');
  await reloads(d);
  await Promise.all([ann.sync(), bob.sync()]);
  for (const client of [ann, bob]) assert.strictEqual(client.received('resource:policy').length, 1, 'only what differs is told');
  ann.ws.terminate();
  await bob.waitFor('lock:state', (x) => x.lock.state === 'grace');
  await bob.waitFor('lock:state', (x) => x.lock.state === 'free');
  await h.checkAll(d);
});

test('origins, limits, roles and keys', async (t) => {
  const d = await h.lockDaemon(t);
  const here = await d.client({ user: 'ann' });
  const headers = { Origin: 'https://new.example.org' };
  await assert.rejects(d.client({ user: 'bob', headers }));
  const other = crypto.randomBytes(48).toString('base64');
  const key = Buffer.from(other);
  const withOther = async (who) => d.client({ token: await h.token({ ...who, key, kid: 'other' }) });
  await assert.rejects(withOther({ user: 'bob' }));

  await reloads(d, (c) => {
    c.allowedOrigins = ['https://new.example.org'];
    c.limits = { maxConnectionsPerUser: 1 };
    c.auth.adminRoles = ['chief'];
    c.auth.keys.push({ kid: 'other', alg: 'HS256', secretFile: secretFile(d, 'other.secret', other) });
  });
  const bob = await d.client({ user: 'bob', headers });
  await assert.rejects(d.client({ user: 'bob', headers }), 'one connection a user');
  const chief = await withOther({ user: 'cy', roles: ['chief'] });
  assert.strictEqual(chief.welcome.admin, true);
  await here.sync(); // an old session stays

  // The same file with another content: its key is the new one.
  fs.writeFileSync(d.config.auth.keys[1].secretFile, crypto.randomBytes(48).toString('base64'));
  await reloads(d);
  await assert.rejects(withOther({ user: 'dee' }));
  await Promise.all([here, bob, chief].map((client) => client.sync()));
});

test('a file that will not do changes nothing, and the log says why', async (t) => {
  const d = await h.lockDaemon(t, { config: { resourceTypes: { doc: { lockTtl: '4m' } } } });
  const ann = await d.client({ user: 'ann' });
  const doc = (c) => (c.resourceTypes.doc.lockTtl = '8m');
  await refuses(d, (c) => { doc(c); c.limits = { maxMessageBytes: 'many' }; }, /reload_problem.*line=\d+.*limits\.maxMessageBytes/);
  await refuses(d, (c) => { doc(c); c.instance = 'other'; c.redis.shards = 8; },
    /reload_problem.*instance.*changes only with a restart/, /reload_problem.*redis\.shards.*changes only with a restart/);
  await refuses(d, (c) => { doc(c); c.listen.push(c.listen[0]); }, /reload_problem/);
  await refuses(d, (c) => {
    doc(c);
    c.auth.keys = ['a', 'b'].map((kid) => ({ ...c.auth.keys[0], kid, secretFile: '/nonexistent' }));
  }, /reload_problem.*auth\.keys\[0\]/, /reload_problem.*auth\.keys\[1\]/);
  await refuses(d, (c) => { doc(c); c.tickets = { signingKeyFile: '/nonexistent' }; }, /reload_problem.*tickets\.signingKeyFile/);
  const good = `${d.configFile}.good`;
  d.writeConfig();
  fs.renameSync(d.configFile, good);
  execFileSync('mkfifo', [d.configFile]); // nobody writes to it
  d.signal('SIGHUP');
  await d.waitForLog(/^reload_failed/);
  fs.rmSync(d.configFile);
  d.signal('SIGHUP');
  await d.waitForLog(/^reload_failed/);
  fs.renameSync(good, d.configFile);
  assert.strictEqual((await h.view(ann, 'doc:1:a')).policy.ttlMs, 4 * 60000);
  await ann.sync();
  await reloads(d);
  assert.strictEqual(await d.metric(SUCCESS), 1);
});

test('a reload that fails while the store is awaited is not forgotten when it comes', async (t) => {
  const d = await h.newDaemon(t);
  d.redis.pause();
  d.spawn();
  await d.waitForLog(/ops_listening address/);
  await h.httpGet(d.opsUrl('/healthz')); // the loop runs
  assert.strictEqual(await d.metric(SUCCESS), 1);
  await refuses(d, (c) => (c.instance = 'other'), /reload_problem.*instance/);
  d.redis.resume();
  await d.ready();
  assert.strictEqual(await d.metric(SUCCESS), 0);
});

test('a key that no algorithm allows is logged when it is in force, not when the reload is refused', async (t) => {
  const d = await h.lockDaemon(t);
  const unused = { kid: 'unused', alg: 'HS512', secretFile: d.config.auth.keys[0].secretFile };
  await refuses(d, (c) => { c.auth.keys.push(unused); c.instance = 'other'; }, /reload_problem.*instance/);
  const logged = () => d.log.filter((line) => /^key_unused .*kid=unused/.test(line)).length;
  assert.strictEqual(logged(), 0);
  await reloads(d, (c) => c.auth.keys.push(unused));
  assert.strictEqual(logged(), 1);
});

/* Opens a TLS connection: {cn (of the certificate), protocol, reused, session (a ticket)}. */
async function handshake(t, d, options = {}) {
  const socket = tls.connect({ host: '127.0.0.1', port: d.port, rejectUnauthorized: false, ...options });
  t.after(() => socket.destroy());
  const ticket = new Promise((resolve) => socket.once('session', resolve));
  await h.deadline(new Promise((resolve, reject) => { socket.once('secureConnect', resolve); socket.once('error', reject); }), 'TLS');
  const [cn, protocol, reused] = [socket.getPeerCertificate()?.subject?.CN, socket.getProtocol(), socket.isSessionReused()];
  const session = reused ? null : await h.deadline(ticket, 'a session ticket');
  socket.end();
  return { cn, protocol, reused, session };
}

test('certificates: new handshakes have the new one, connections and sessions stay', async (t) => {
  const dir = h.tempDir(t);
  const d = await h.lockDaemon(t, {
    config: { listen: [{ address: '127.0.0.1', port: 0, tls: h.certificate(dir, { name: 'rsa', cn: 'rsa.example', type: 'rsa' }) }] },
  });
  const ann = await d.client({ user: 'ann' });
  await h.edit(ann, 'doc:1:a');
  const old = {};
  for (const version of ['TLSv1.2', 'TLSv1.3']) {
    old[version] = await handshake(t, d, { minVersion: version, maxVersion: version });
    assert.deepStrictEqual([old[version].cn, old[version].reused], ['rsa.example', false]);
  }
  const expiry = async () => Math.round((await d.metric('wslock_tls_certificate_expiry_timestamp_seconds') - Date.now() / 1000) / 86400);

  // Another name and another type of key; who prefers the old type does not get the old certificate.
  await reloads(d, (c) => (c.listen[0].tls = h.certificate(dir, { name: 'ec', cn: 'ec.example', days: 5 })));
  assert.strictEqual((await handshake(t, d)).cn, 'ec.example');
  await assert.rejects(handshake(t, d, { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-RSA-AES128-GCM-SHA256' }));
  assert.strictEqual(await expiry(), 5);
  for (const [version, { session }] of Object.entries(old)) {
    assert.strictEqual((await handshake(t, d, { minVersion: version, maxVersion: version, session })).reused, true, version);
  }
  // The same names, another content.
  h.certificate(dir, { name: 'ec', cn: 'newer.example', days: 9 });
  await reloads(d);
  assert.strictEqual((await handshake(t, d)).cn, 'newer.example');
  assert.strictEqual(await expiry(), 9);

  // What stands behind the certificate is sent with it.
  const chain = path.join(dir, 'chain.crt');
  fs.writeFileSync(chain, ['newer', 'issuer'].map((cn) => fs.readFileSync(h.certificate(dir, { name: cn, cn }).certificate)).join(''));
  await reloads(d, (c) => (c.listen[0].tls = { certificate: chain, key: path.join(dir, 'newer.key') }));
  const shown = execFileSync('openssl', ['s_client', '-connect', `127.0.0.1:${d.port}`, '-showcerts'], { input: '', stdio: 'pipe' });
  assert.strictEqual(String(shown).match(/BEGIN CERTIFICATE/g).length, 2);
  fs.appendFileSync(chain, '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n');
  await refuses(d, null, /^reload_problem.*listen\[0\]\.tls\.certificate.*chain\.crt: /);
  await reloads(d, (c) => (c.listen[0].tls = { certificate: path.join(dir, 'ec.crt'), key: path.join(dir, 'ec.key') }));

  // What is refused, with its line; the certificate in force stays.
  const line = 1 + fs.readFileSync(d.configFile, 'utf8').split('\n').findIndex((text) => text.includes('"certificate"'));
  const { certificate, key } = d.config.listen[0].tls;
  const pair = h.certificate(dir, { name: 'other' });
  await refuses(d, (c) => (c.listen[0].tls.key = pair.key),
    new RegExp(`^reload_problem.*line=${line + 1} key=listen\\[0\\]\\.tls\\.key .*does not belong to certificate ${certificate}`));
  await refuses(d, (c) => (c.listen[0].tls.certificate = '/nonexistent'),
    new RegExp(`^reload_problem.*line=${line} key=listen\\[0\\]\\.tls\\.certificate .*/nonexistent: No such file`));
  await refuses(d, (c) => { c.listen[0].tls.certificate = key; c.auth.keys[0].secretFile = '/nonexistent'; },
    /reload_problem.*has no PEM certificate/, /reload_problem.*auth\.keys\[0\]/);
  await refuses(d, (c) => { delete c.listen[0].tls; c.listen[0].plaintext = true; },
    /reload_problem.*listen\[0\]\.tls.*changes only with a restart/, /reload_problem.*listen\[0\]\.plaintext.*restart/);
  assert.strictEqual((await handshake(t, d)).cn, 'newer.example');

  // An expired one is taken: it may be all there is.
  await reloads(d, (c) => (c.listen[0].tls = h.certificate(dir, { name: 'past', cn: 'past.example', days: -1 })));
  await d.waitForLog(/^reload_warning.*listen\[0\]\.tls\.certificate.*expired at/);
  assert.strictEqual((await handshake(t, d)).cn, 'past.example');

  await reloads(d, (c) => (c.listen[0].tls.minVersion = '1.3'));
  await assert.rejects(handshake(t, d, { maxVersion: 'TLSv1.2' }));
  assert.strictEqual((await handshake(t, d)).protocol, 'TLSv1.3');
  await reloads(d, (c) => delete c.listen[0].tls.minVersion);
  assert.strictEqual((await handshake(t, d, { maxVersion: 'TLSv1.2' })).protocol, 'TLSv1.2');
  await ann.expect('lock:heartbeat', { resourceId: 'doc:1:a' }, 'lock:renewed');
  await h.checkAll(d);
});

test('maxConnections: lower, higher, and above what the open files allow', async (t) => {
  const d = await h.daemon(t, { nofile: '1024:1024' });
  const both = [await d.client({ user: 'ann' }), await d.client({ user: 'bob' })];
  await reloads(d, (c) => (c.limits = { maxConnections: 1 }));
  await assert.rejects(d.client({ user: 'cy' }), (error) => error.status === 503);
  await Promise.all(both.map((client) => client.sync())); // who is here stays
  await reloads(d, (c) => (c.limits.maxConnections = 3));
  const cy = await d.client({ user: 'cy' });
  await assert.rejects(d.client({ user: 'dee' }), (error) => error.status === 503);
  await reloads(d, (c) => (c.limits.maxConnections = 5000));
  await d.waitForLog(/^reload_warning.*limits\.maxConnections.*allows \d+ connections/);
  await (await d.client({ user: 'dee' })).sync();
  await Promise.all([...both, cy].map((client) => client.sync()));
});

'use strict';
/* --check-config against what a start does, and the configuration that is shipped. */
const assert = require('node:assert');
const crypto = require('node:crypto');
const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const h = require('./harness');

const check = (file, args = []) => h.run(['--check-config', '--config', file, ...args]);

/* The line of the file on which the last name of the key stands: the harness writes a line a value. */
function lineOf(file, value) {
  const at = fs.readFileSync(file, 'utf8').split('\n').findIndex((line) => line.includes(JSON.stringify(value)));
  assert.ok(at >= 0, `${value} stands in ${file}`);
  return at + 1;
}

/* Private keys and certificates in all their states. */
function makeFiles(dir) {
  const at = (name) => path.join(dir, name);
  const write = (name, content) => {
    fs.writeFileSync(at(name), content, { mode: 0o600 });
    return at(name);
  };
  const pem = (key, type) => key.export({ type, format: 'pem' });
  const ec = (namedCurve) => crypto.generateKeyPairSync('ec', { namedCurve });
  const good = h.certificate(dir, { name: 'good' });
  const p256 = ec('P-256');
  execFileSync('mkfifo', [at('fifo')]);
  execFileSync('openssl', ['pkey', '-in', good.key, '-aes128', '-passout', 'pass:secret', '-out', at('locked.key')]);
  return {
    good,
    other: h.certificate(dir, { name: 'other' }),
    lockedKey: at('locked.key'),
    directory: dir,
    fifo: at('fifo'),
    none: at('none'),
    below: at('none/below'),
    empty: write('empty', ''),
    short: write('short', 'short\n'),
    garbage: write('garbage', 'neither PEM nor JSON, but long enough for any secret that is asked for here\n'),
    es256: write('es256.pem', pem(p256.publicKey, 'spki')),
    es384: write('es384.pem', pem(ec('P-384').publicKey, 'spki')),
    ticket: write('ticket.key', pem(p256.privateKey, 'pkcs8')),
    jwks: write('jwks.json', JSON.stringify({ keys: [{ ...p256.publicKey.export({ format: 'jwk' }), kid: 'k', alg: 'ES256', use: 'sig' }] })),
    unusableJwks: write('unusable.json', JSON.stringify({ keys: [{ kty: 'oct', k: 'AA', alg: 'HS256' }] })),
    audit: write('records.jsonl', 'no record\nnor this\n'),
  };
}

const listener = (certificate, key) => ({ listen: [{ address: '127.0.0.1', port: 0, tls: { certificate, key } }] });
const publicKey = (publicKeyFile) => ({ auth: { algorithms: ['ES256'], keys: [{ kid: 'k', alg: 'ES256', publicKeyFile }] } });
const secret = (secretFile) => ({ auth: { keys: [{ kid: 'k', alg: 'HS256', secretFile }] } });

/* [configuration, key, the value whose line is named]: the daemon does not start with any of them. */
function refusedFiles(f) {
  return [
    [listener(f.none, f.good.key), 'listen[0].tls.certificate', f.none],
    [listener(f.garbage, f.good.key), 'listen[0].tls.certificate', f.garbage],
    [listener(f.good.certificate, f.none), 'listen[0].tls.key', f.none],
    [listener(f.good.certificate, f.garbage), 'listen[0].tls.key', f.garbage],
    [listener(f.good.certificate, f.lockedKey), 'listen[0].tls.key', f.lockedKey],
    [listener(f.good.certificate, f.other.key), 'listen[0].tls.key', f.other.key],
    [{ ops: { tokenFile: f.none } }, 'ops.tokenFile', f.none],
    [{ ops: { tokenFile: f.directory } }, 'ops.tokenFile', f.directory],
    [{ ops: { tokenFile: f.empty } }, 'ops.tokenFile', f.empty],
    [{ ops: { socket: f.below } }, 'ops.socket', f.below],
    [{ ops: { socket: f.garbage } }, 'ops.socket', f.garbage],
    [secret(f.none), 'auth.keys[0].secretFile', f.none],
    [secret(f.directory), 'auth.keys[0].secretFile', f.directory],
    [secret(f.short), 'auth.keys[0].secretFile', f.short],
    [publicKey(f.none), 'auth.keys[0].publicKeyFile', f.none],
    [publicKey(f.garbage), 'auth.keys[0].publicKeyFile', f.garbage],
    [publicKey(f.es384), 'auth.keys[0].publicKeyFile', f.es384],
    [publicKey(f.ticket), 'auth.keys[0].publicKeyFile', f.ticket],
    [{ auth: { jwks: { file: f.none } } }, 'auth.jwks.file', f.none],
    [{ auth: { jwks: { file: f.garbage } } }, 'auth.jwks.file', f.garbage],
    [{ auth: { jwks: { file: f.unusableJwks } } }, 'auth.jwks.file', f.unusableJwks],
    [{ redis: { passwordFile: f.none } }, 'redis.passwordFile', f.none],
    [{ redis: { passwordFile: f.empty } }, 'redis.passwordFile', f.empty],
    [{ audit: { hmacKeyFile: f.none } }, 'audit.hmacKeyFile', f.none],
    [{ audit: { hmacKeyFile: f.short } }, 'audit.hmacKeyFile', f.short],
    [{ audit: { file: f.below } }, 'audit.file', f.below],
    [{ audit: { file: f.directory } }, 'audit.file', f.directory],
    [{ audit: { file: f.audit } }, 'audit.file', f.audit],
    [{ tickets: { signingKeyFile: f.none } }, 'tickets.signingKeyFile', f.none],
    [{ tickets: { signingKeyFile: f.es256 } }, 'tickets.signingKeyFile', f.es256],
    [{ tickets: { signingKeyFile: f.garbage } }, 'tickets.signingKeyFile', f.garbage],
    // nobody writes to it: whoever opened it would wait for ever
    [listener(f.fifo, f.good.key), 'listen[0].tls.certificate', f.fifo],
    [listener(f.good.certificate, f.fifo), 'listen[0].tls.key', f.fifo],
    [{ ops: { tokenFile: f.fifo } }, 'ops.tokenFile', f.fifo],
    [secret(f.fifo), 'auth.keys[0].secretFile', f.fifo],
    [publicKey(f.fifo), 'auth.keys[0].publicKeyFile', f.fifo],
    [{ auth: { jwks: { file: f.fifo } } }, 'auth.jwks.file', f.fifo],
    [{ redis: { passwordFile: f.fifo } }, 'redis.passwordFile', f.fifo],
    [{ audit: { hmacKeyFile: f.fifo } }, 'audit.hmacKeyFile', f.fifo],
    [{ tickets: { signingKeyFile: f.fifo } }, 'tickets.signingKeyFile', f.fifo],
  ];
}

test('a file that the daemon does not start with: exit 1, with file, line and key', { concurrency: 2 }, async (t) => {
  const cases = refusedFiles(makeFiles(h.tempDir(t)));
  const redis = { url: 'redis://127.0.0.1:1/0' };
  const plain = await h.newDaemon(t, { redis: null, config: { redis } });
  assert.deepStrictEqual(await check(plain.configFile), { code: 0, signal: null, stdout: 'configuration ok\n', stderr: '' });
  await Promise.all(cases.map(([config, key, value]) => t.test(`${key}: ${path.basename(value)}`, async (st) => {
    const d = await h.newDaemon(st, { redis: null, config: { ...config, redis: { ...redis, ...config.redis } } });
    const checked = await check(d.configFile);
    const place = `${d.configFile}:${lineOf(d.configFile, value)}: ${key}: `;
    const told = checked.stderr.split('\n').filter((line) => line.startsWith(place));
    assert.strictEqual(told.length, 1, `${place} in ${checked.stderr}`);
    assert.ok(told[0].includes(value), told[0]);
    assert.deepStrictEqual([checked.code, checked.stdout], [1, '']);
    d.spawn();
    const { code } = await d.end();
    assert.ok(code === 3 || (code === 1 && key === 'redis.passwordFile'), `exit ${code}: ${d.tail()}`);
    assert.ok(d.tail().includes(`${key}: `), `${key} in ${d.tail()}`);
    assert.ok(d.tail().includes(told[0].slice(place.length)), `"${told[0].slice(place.length)}" in ${d.tail()}`);
  })));
});

test('all of them at once', async (t) => {
  const f = makeFiles(h.tempDir(t));
  const d = await h.newDaemon(t, {
    redis: null,
    config: {
      ...listener(f.none, f.good.key), ops: { tokenFile: f.empty, socket: f.below },
      auth: { keys: [{ kid: 'a', alg: 'HS256', secretFile: f.short }, { kid: 'b', alg: 'HS256', secretFile: f.none }], jwks: { file: f.garbage } },
      audit: { file: f.below }, tickets: { signingKeyFile: f.es256 }, redis: { url: 'redis://127.0.0.1:1/0' },
    },
  });
  const { code, stderr } = await check(d.configFile);
  assert.strictEqual(code, 1);
  for (const key of ['listen[0].tls.certificate', 'ops.tokenFile', 'ops.socket', 'auth.keys[0].secretFile', 'auth.keys[1].secretFile',
    'auth.jwks.file', 'audit.file', 'tickets.signingKeyFile']) assert.ok(stderr.includes(`: ${key}: `), `${key} in ${stderr}`);
});

test('what depends on the moment is no problem, and nothing is made or changed', async (t) => {
  const f = makeFiles(h.tempDir(t));
  const d = await h.daemon(t, {
    config: {
      ...listener(f.good.certificate, f.good.key), ops: { tokenFile: f.garbage }, audit: { hmacKeyFile: f.garbage },
      auth: { algorithms: ['HS256', 'ES256'], jwks: { file: f.jwks } }, tickets: { signingKeyFile: f.ticket },
    },
  });
  d.config.listen[0].port = d.port; // taken, as are ops.socket and audit.file
  d.config.ops.port = d.ops.port;
  d.writeConfig();
  const state = () => fs.readdirSync(d.dir).sort().map((name) => [name, fs.statSync(path.join(d.dir, name)).size]);
  const before = state();
  const good = { code: 0, signal: null, stdout: 'configuration ok\n', stderr: '' };
  assert.deepStrictEqual(await check(d.configFile), good);
  assert.deepStrictEqual(state(), before);
  await d.kill();
  await d.redis.stop();
  fs.appendFileSync(d.auditFile, '{"torn'); // a start cuts it off
  const torn = state();
  assert.deepStrictEqual(await check(d.configFile), good, 'neither an unreachable store');
  assert.deepStrictEqual(state(), torn);
  fs.rmSync(d.auditFile);
  fs.rmSync(d.ops.socket);
  assert.deepStrictEqual(await check(d.configFile), good);
  assert.ok(!fs.existsSync(d.auditFile) && !fs.existsSync(d.ops.socket));
});

test('--dev: the state directory is looked at as a start would, and not made', async (t) => {
  const dir = h.tempDir(t);
  const state = path.join(dir, 'state');
  const dev = (where) => h.run(['--dev', '--check-config', '--state-dir', where]);
  assert.deepStrictEqual([(await dev(path.join(dir, 'new/below'))).code, fs.readdirSync(dir)], [0, []]);
  fs.writeFileSync(path.join(dir, 'file'), '');
  for (const where of ['file', 'file/below']) {
    const end = await dev(path.join(dir, where));
    assert.deepStrictEqual([end.code, end.stderr], [1, `--state-dir: ${path.join(dir, where)}: Not a directory\n`]);
  }
  fs.mkdirSync(state);
  assert.strictEqual((await dev(state)).code, 0);
  fs.writeFileSync(path.join(state, 'dev-key'), 'short', { mode: 0o600 });
  const end = await dev(state);
  assert.deepStrictEqual([end.code, /^--state-dir: \S+dev-key: not a signing key/.test(end.stderr)], [1, true], end.stderr);
});

test('redis.embedded: its directory is looked at too', async (t) => {
  const d = await h.newDaemon(t, { redis: null, config: { redis: { embedded: true } } });
  const place = `${d.configFile}:${lineOf(d.configFile, 'embedded')}: redis.embedded: `;
  assert.strictEqual((await check(d.configFile, ['--state-dir', path.join(d.dir, 'state')])).stderr, '');
  const long = await check(d.configFile, ['--state-dir', path.join(d.dir, 'x'.repeat(100))]);
  assert.deepStrictEqual([long.code, long.stderr.startsWith(`${place}the path `)], [1, true], long.stderr);
  const wrong = await check(d.configFile, ['--state-dir', d.configFile]);
  assert.deepStrictEqual([wrong.code, wrong.stderr], [1, `--state-dir: ${d.configFile}: Not a directory\n`]);
  assert.ok(!fs.existsSync(path.join(d.dir, 'state')));
});

/* [configuration, key, text]; nothing else is told, and the exit status stays 0. */
const WARNINGS = [
  [{ limits: { messageBurst: 64 } }, 'limits.messageBurst', /messageBurst \(64\).*maxRoomsPerConnection \(64\)/],
  [{ limits: { messageBurst: 65 } }],
  [{ limits: { maxRoomsPerConnection: 200 } }, 'limits.maxRoomsPerConnection', /messageBurst \(200\)/],
  [{ limits: { maxRoomsPerConnection: 199 } }],
  [{ default: { lockTtl: '60s', heartbeatInterval: '20s' } }, 'default.lockTtl', /hidden tab.*once a minute/],
  [{ default: { lockTtl: '61s', heartbeatInterval: '20s' } }],
  [{ default: { lockTtl: '2m' } }, 'default.lockTtl', /2m apart/],
  [{ default: { lockTtl: '121s' } }],
  [{ default: { heartbeatInterval: '149s' } }],
  [{ resourceTypes: { note: { lockTtl: '30s', heartbeatInterval: '10s' } } }, 'resourceTypes.note.lockTtl', /hidden tab/],
  [{ default: { lockTtl: '2m' }, resourceTypes: { note: { upgrade: 'queue' } } }, 'default.lockTtl', /hidden tab/],
  [{ default: { lockTtl: '2m', heartbeatInterval: '59s' }, resourceTypes: { note: { heartbeatInterval: '60s' } } }, 'resourceTypes.note.heartbeatInterval', /hidden tab/],
  [{ default: { heartbeatInterval: '3s' } }, 'default.heartbeatInterval', /messagesPerSecond \(20\)/],
  [{ default: { heartbeatInterval: '4s' } }],
  [{ default: { presenceMaxListed: 5000 } }, 'default.presenceMaxListed', /sendQueueBytes/],
  [{ default: { disconnect: 'release' }, limits: { pingInterval: '10s', pongTimeout: '10s' } }, 'default.disconnect', /20000 ms together.*20000 ms/],
  [{ default: { disconnect: 'release' }, limits: { pingInterval: '10s', pongTimeout: '10001ms' } }],
  [{ default: { disconnect: 'prompt', gracePeriod: '45s' } }],
  [{ resourceTypes: { note: { disconnect: 'prompt', gracePeriod: '2m', heartbeatInterval: '60s' } } }, 'resourceTypes.note.disconnect', /45000 ms together.*65000 ms/],
  [{ limits: { pingInterval: '1s', pongTimeout: '1s' } }],
  [{ redis: { commandTimeout: '5s' } }, 'redis.commandTimeout', /no answer for 5000 ms/],
  [{ redis: { commandTimeout: '4999ms' } }],
  [{ paths: { socketio: '/socket.io/', polling: true } }],
  [{ paths: { polling: false } }],
];

test('what cannot work well is a warning: exit 0', { concurrency: 2 }, async (t) => {
  await Promise.all(WARNINGS.map(([config, key, pattern]) => t.test(JSON.stringify(config), async (st) => {
    const d = await h.newDaemon(st, { redis: null, config: { ...config, redis: { url: 'redis://127.0.0.1:1/0', ...config.redis } } });
    const { code, stdout, stderr } = await check(d.configFile);
    assert.deepStrictEqual([code, stdout], [0, 'configuration ok\n'], stderr);
    if (!key) {
      assert.strictEqual(stderr, '');
      return;
    }
    const [, line, named, text] = /^\S+?:(\d+): (\S+): warning: (.*)\n$/.exec(stderr) || assert.fail(stderr);
    assert.strictEqual(named, key);
    assert.match(text, pattern);
    assert.ok(fs.readFileSync(d.configFile, 'utf8').split('\n')[line - 1].includes(`"${key.split('.').at(-1)}"`), `line ${line}`);
  })));
  const d = await h.newDaemon(t, { redis: null, config: { redis: { url: 'redis://127.0.0.1:1/0' } } });
  d.config.auth.keys.push({ kid: 'b', alg: 'RS256', publicKeyFile: '/nonexistent' });
  d.config.auth.jwks = null;
  d.writeConfig();
  const { code, stderr } = await check(d.configFile);
  assert.deepStrictEqual([code, stderr], [0, `${d.configFile}:${lineOf(d.configFile, 'RS256')}: auth.keys[1].alg: warning: `
    + 'RS256 is not in auth.algorithms: the key is not used\n']);
  const past = h.certificate(h.tempDir(t), { days: -1 });
  d.config.listen = listener(past.certificate, past.key).listen;
  d.config.auth.keys.pop();
  d.writeConfig();
  const expired = await check(d.configFile);
  assert.strictEqual(expired.code, 0);
  assert.match(expired.stderr, new RegExp(`:${lineOf(d.configFile, past.certificate)}: listen\\[0\\]\\.tls\\.certificate: warning: ${past.certificate}: expired at`));
});

/*
 * What differs from the shipped bytes: the three directories, the two ports (0: any free one) and the
 * port of Redis. Everything else is as an operator gets it.
 */
async function shipped(t) {
  const dir = h.tempDir(t);
  const redis = await h.redis(t, { tcp: true });
  const replaced = [
    ['/etc/wslockd/', `${dir}/etc/`], ['/run/wslockd/', `${dir}/run/`], ['/var/log/wslockd/', `${dir}/log/`],
    ['port: 8443 ', 'port: 0 '], ['port: 9464\n', 'port: 0\n'], ['redis://127.0.0.1:6379/0', redis.url],
  ];
  let text = fs.readFileSync(path.join(h.ROOT, 'config/wslockd.yaml'), 'utf8');
  for (const [from, to] of replaced) {
    assert.ok(text.includes(from), from);
    text = text.replaceAll(from, to);
  }
  for (const name of ['etc/tls', 'run', 'log']) fs.mkdirSync(path.join(dir, name), { recursive: true });
  const { certificate, key } = h.certificate(path.join(dir, 'etc/tls'));
  fs.renameSync(certificate, path.join(dir, 'etc/tls/fullchain.pem'));
  fs.renameSync(key, path.join(dir, 'etc/tls/privkey.pem'));
  const { privateKey, publicPem } = h.keyPair('ES256');
  fs.writeFileSync(path.join(dir, 'etc/es256.pem'), publicPem);
  const file = path.join(dir, 'wslockd.yaml');
  fs.writeFileSync(file, text);
  return { dir, file, redis, privateKey };
}

test('the shipped config/wslockd.yaml starts, and somebody edits', async (t) => {
  const { dir, file, redis, privateKey } = await shipped(t);
  assert.deepStrictEqual(await check(file), { code: 0, signal: null, stdout: 'configuration ok\n', stderr: '' });
  const d = await h.newDaemon(t, { args: ['--config', file], redis });
  await d.start();
  assert.ok(d.listeners[0].tls);
  const token = await h.token({
    user: 'ann', name: 'Ann', alg: 'ES256', kid: 'k2', key: privateKey, claims: { iss: 'https://id.example.org/realms/clinic', aud: 'editor' },
  });
  const ann = await d.client({ token, clientId: h.tab(), headers: { Origin: 'https://editor.example.org' } });
  assert.ok((await h.take(ann, 'document:1')).token > 0);
  assert.strictEqual((await h.httpGet({ socketPath: path.join(dir, 'run/ops.sock'), path: '/readyz' })).status, 200);
  assert.deepStrictEqual(await d.stop(), { code: 0, signal: null });
  assert.match(fs.readFileSync(path.join(dir, 'log/audit.jsonl'), 'utf8'), /"LOCK_ACQUIRED"/);
});

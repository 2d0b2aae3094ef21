'use strict';
/* Starting, failing to start, and stopping. */
const assert = require('node:assert');
const { execFileSync, spawnSync } = require('node:child_process');
const fs = require('node:fs');
const net = require('node:net');
const os = require('node:os');
const path = require('node:path');
const { test } = require('node:test');
const h = require('./harness');

async function endsWith(t, options, code, pattern) {
  const d = await h.newDaemon(t, { redis: null, ...options });
  d.spawn();
  assert.deepStrictEqual(await d.end(), { code, signal: null }, d.tail());
  if (pattern) assert.match(d.tail(), pattern);
  return d;
}

function listen(t, where) {
  const server = net.createServer();
  return new Promise((resolve) => server.listen(where, () => {
    t.after(() => server.close());
    resolve(server);
  }));
}

test('usage: exit 2', async () => {
  for (const args of [['--nonsense'], ['--config'], ['--log-level', 'loud'], ['surplus']]) {
    const end = await h.run(args);
    assert.strictEqual(end.code, 2, args.join(' '));
    assert.match(end.stderr, /--help/);
  }
});

test('--version and --help', async () => {
  const version = await h.run(['--version']);
  assert.strictEqual(version.code, 0);
  assert.match(version.stdout, /^wslockd \d+\.\d+\.\d+\n$/);
  const help = await h.run(['--help']);
  assert.strictEqual(help.code, 0);
  for (const option of ['--config', '--check-config', '--print-config', '--dev', '--state-dir', '--log-level', '--version', '--help']) {
    assert.ok(help.stdout.includes(option), option);
  }
});

test('--dev: a state directory that cannot be used: exit 3; looking at the configuration makes none', async (t) => {
  const dir = h.tempDir(t);
  const file = path.join(dir, 'file');
  fs.writeFileSync(file, '');
  for (const state of [file, path.join(file, 'below')]) {
    const end = await h.run(['--dev', '--state-dir', state]);
    assert.deepStrictEqual([end.code, end.stderr], [3, `--state-dir: ${state}: Not a directory\n`]);
  }
  for (const option of ['--check-config', '--print-config']) {
    assert.strictEqual((await h.run(['--dev', option, '--state-dir', path.join(dir, 'new')])).code, 0);
    assert.deepStrictEqual(fs.readdirSync(dir), ['file']);
  }
});

test('what it prints has arrived, or it fails', (t) => {
  const full = fs.openSync('/dev/full', 'w');
  t.after(() => fs.closeSync(full));
  const dir = h.tempDir(t);
  for (const args of [['--help'], ['--version'], ['--dev', '--state-dir', dir, '--check-config'], ['--dev', '--state-dir', dir, '--print-config']]) {
    const end = spawnSync(h.PROGRAM, args, { stdio: ['ignore', full, 'pipe'], encoding: 'utf8' });
    assert.deepStrictEqual([end.status, end.stderr], [3, 'wslockd: cannot write to standard output: No space left on device\n'], args.join(' '));
  }
  const ctl = spawnSync(path.join(path.dirname(h.PROGRAM), 'wslockctl'), ['--version'], { stdio: ['ignore', full, 'pipe'], encoding: 'utf8' });
  assert.deepStrictEqual([ctl.status, ctl.stderr], [1, 'wslockctl: cannot write to standard output: No space left on device\n']);
});

test('a bad configuration: exit 1, with file, line and key', async (t) => {
  const dir = h.tempDir(t);
  const file = path.join(dir, 'bad.yaml');
  fs.writeFileSync(file, 'listen:\n  - {address: 127.0.0.1, port: 8080, plaintext: true}\nlimits:\n  maxConnections: many\n');
  for (const args of [['--config', file], ['--check-config', '--config', file]]) {
    const end = await h.run(args);
    assert.strictEqual(end.code, 1);
    assert.match(end.stderr, /bad\.yaml:4: limits\.maxConnections: /);
  }
  fs.writeFileSync(file, `\ufeff${fs.readFileSync(file)}`);
  assert.match((await h.run(['--check-config', '--config', file])).stderr, /bad\.yaml:4: limits\.maxConnections: /, 'a byte order mark is no text');
  const missing = await h.run(['--config', path.join(dir, 'none.yaml')]);
  assert.strictEqual(missing.code, 1);
  assert.match(missing.stderr, /none\.yaml/);
});

test('--check-config and --print-config on a good one', async (t) => {
  const d = await h.newDaemon(t, { redis: null, config: { redis: { url: 'redis://user:hidden-word@127.0.0.1:6379/0' } } });
  const checked = await h.run(['--check-config', '--config', d.configFile]);
  assert.strictEqual(checked.code, 0, checked.stderr);
  const printed = await h.run(['--print-config', '--config', d.configFile]);
  assert.strictEqual(printed.code, 0);
  assert.match(printed.stdout, /handshakesPerSecond: 500/);
  assert.ok(!printed.stdout.includes('hidden-word'), 'secrets are masked');
});

test('a taken port: exit 3, and which', async (t) => {
  const server = await listen(t, { port: 0, host: '127.0.0.1' });
  const { port } = server.address();
  const address = new RegExp(`127\\.0\\.0\\.1:${port}`);
  await endsWith(t, { config: { listen: [{ address: '127.0.0.1', port, plaintext: true }] } }, 3, address);
  await endsWith(t, { config: { ops: { port } } }, 3, address);
});

test('an address that is not ours: exit 3', async (t) => {
  await endsWith(t, { config: { listen: [{ address: '192.0.2.1', port: 8443, plaintext: true }] } }, 3, /192\.0\.2\.1:8443/);
});

test('the ops socket: a stale one is removed, a live one is exit 3, another file too', async (t) => {
  const dir = h.tempDir(t);
  const socket = path.join(dir, 'ops.sock');
  const config = { ops: { socket } };
  const first = await h.daemon(t, { config });
  assert.strictEqual(fs.statSync(socket).mode & 0o777, 0o660);
  await endsWith(t, { config }, 3, /ops\.sock is in use/);
  assert.strictEqual((await h.httpGet({ socketPath: socket, path: '/healthz' })).status, 200, 'the live one was left alone');
  await first.kill();
  assert.ok(fs.existsSync(socket), 'SIGKILL leaves it');
  const second = await h.daemon(t, { config });
  assert.strictEqual((await h.httpGet({ socketPath: socket, path: '/healthz' })).status, 200);
  await second.stop();
  assert.ok(!fs.existsSync(socket), 'a clean stop removes it');
  fs.writeFileSync(socket, 'precious');
  await endsWith(t, { config }, 3, /is not a socket/);
  assert.strictEqual(fs.readFileSync(socket, 'utf8'), 'precious');
});

test('an ops socket that is busy, or that nobody may ask, is left alone: exit 3', async (t) => {
  const dir = h.tempDir(t);
  const socket = path.join(dir, 'ops.sock');
  // A queue of one, full: its owner lives, and connections wait.
  const owner = h.start('python3', ['-c', `
import socket,sys,time
s=socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen(0)
waiting=[]
while True:
    c=socket.socket(socket.AF_UNIX); c.setblocking(False)
    try: c.connect(sys.argv[1])
    except BlockingIOError: break
    waiting.append(c)
print('full', flush=True)
time.sleep(600)
`, socket]);
  h.cleanup(t, () => owner.kill('SIGKILL'));
  await h.deadline(new Promise((resolve) => owner.stdout.once('data', resolve)), 'the queue is full');
  await endsWith(t, { config: { ops: { socket } } }, 3, /ops\.sock is in use/);
  assert.ok(fs.existsSync(socket));
  const datagrams = path.join(dir, 'datagrams.sock');
  const other = h.start('python3', ['-c', `
import socket,sys,time
s=socket.socket(socket.AF_UNIX,socket.SOCK_DGRAM); s.bind(sys.argv[1])
print('bound', flush=True)
time.sleep(600)
`, datagrams]);
  h.cleanup(t, () => other.kill('SIGKILL'));
  await h.deadline(new Promise((resolve) => other.stdout.once('data', resolve)), 'it is bound');
  await endsWith(t, { config: { ops: { socket: datagrams } } }, 3, /datagrams\.sock/);
  assert.ok(fs.existsSync(datagrams), 'what is no stream socket was not removed');
});

test('without a name the instance is called by its host and the port that it got', async (t) => {
  const d = await h.daemon(t, { config: { instance: undefined } });
  const name = `${os.hostname()}:${d.port}`;
  assert.strictEqual((await d.client({ user: 'ann' })).welcome.instance, name);
  assert.strictEqual(d.audit()[0].instance, name);
});

test('an unreachable Redis: exit 3 past redis.startTimeout, and what was tried', async (t) => {
  const port = await h.freePort();
  const started = Date.now();
  const d = await endsWith(t, { config: { redis: { url: `redis://127.0.0.1:${port}/0`, startTimeout: '1500ms' } } }, 3, new RegExp(`127\\.0\\.0\\.1:${port}`));
  assert.ok(Date.now() - started >= 1500);
  assert.strictEqual(d.listeners.length, 0, 'nobody was served');
});

test('healthy but not ready before the store is there', async (t) => {
  const port = await h.freePort();
  const d = await h.newDaemon(t, { redis: null, config: { redis: { url: `redis://127.0.0.1:${port}/0`, startTimeout: '1m' } } });
  d.spawn();
  await d.waitForLog(/ops_listening address/);
  assert.strictEqual((await h.httpGet(d.opsUrl('/healthz'))).status, 200);
  const ready = await h.httpGet(d.opsUrl('/readyz'));
  assert.strictEqual(ready.status, 503);
  assert.ok(ready.json.reasons.length > 0);
  assert.deepStrictEqual(await d.stop(), { code: 0, signal: null }, 'SIGTERM ends the waiting');
});

test('started without standard input and output: nothing else gets their numbers', async (t) => {
  const d = await h.daemon(t, { redirect: '0<&- 1>&-' });
  for (const fd of [0, 1]) assert.strictEqual(fs.readlinkSync(`/proc/${d.child.pid}/fd/${fd}`), '/dev/null');
  assert.deepStrictEqual(await d.stop(), { code: 0, signal: null });
});

test('SIGTERM: draining is told, closes 1001, exit 0', async (t) => {
  for (const signal of ['SIGTERM', 'SIGINT']) {
    const d = await h.daemon(t);
    const clients = await Promise.all(['ann', 'bob'].map((user) => d.client({ user })));
    d.signal(signal);
    for (const c of clients) {
      const { data: told } = await c.waitFor('server:draining');
      assert.ok(Number.isInteger(told.reconnectInMs));
      const { data: closed } = await c.waitFor('session:closed');
      assert.deepStrictEqual(closed, { code: 1001, reason: 'SERVER_GOING_AWAY', reconnect: true });
      assert.strictEqual((await c.closed).code, 1001);
    }
    assert.deepStrictEqual(await d.end(), { code: 0, signal: null });
    await assert.rejects(h.rawConnect(t, d.port));
    const records = d.audit().map((r) => r.action);
    assert.strictEqual(records[0], 'AUDIT_STARTED');
    assert.strictEqual(records.at(-1), 'AUDIT_STOPPED');
  }
});

test('SIGTERM with clients that do not answer: exit 0 within drainTimeout', async (t) => {
  const d = await h.daemon(t, { config: { drainTimeout: '2s' } });
  const deaf = await d.client({ user: 'ann' });
  deaf.pause();
  const half = await h.rawConnect(t, d.port);
  const started = Date.now();
  assert.deepStrictEqual(await d.stop(), { code: 0, signal: null });
  assert.ok(Date.now() - started < 6000 * h.SLOW);
  await half.closed;
});

test('SIGHUP and SIGPIPE do not end it', async (t) => {
  const d = await h.daemon(t);
  const c = await d.client({ user: 'ann' });
  d.signal('SIGHUP');
  await d.waitForLog(/reload/);
  d.signal('SIGPIPE');
  await c.sync();
});

test('SIGHUP while it starts does not end it', async (t) => {
  const d = await h.newDaemon(t);
  const text = fs.readFileSync(d.configFile);
  fs.rmSync(d.configFile);
  execFileSync('mkfifo', [d.configFile]); // reading the configuration takes as long as we want
  d.spawn();
  const writer = await h.deadline(fs.promises.open(d.configFile, 'w'), 'it reads its configuration');
  d.signal('SIGHUP');
  await writer.writeFile(text);
  await writer.close();
  await d.ready();
  d.signal('SIGHUP');
  await d.waitForLog(/reload/);
});

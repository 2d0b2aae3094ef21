'use strict';
/* What the daemon tells systemd, and the sockets that it takes over. */
const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { spawn } = require('node:child_process');
const { test } = require('node:test');
const h = require('./harness');

// Node has no datagram sockets of the unix kind.
const RECEIVER = `
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
print("bound", flush=True)
while True: print(s.recv(4096).decode().replace("\\n", " "), flush=True)
`;

/* {env, seen(), saw(pattern)}: each notification is one line. */
async function notifySocket(t) {
  const socket = path.join(h.tempDir(t), 'notify.sock');
  const receiver = spawn('python3', ['-c', RECEIVER, socket], { stdio: ['ignore', 'pipe', 'inherit'] });
  h.cleanup(t, () => receiver.kill('SIGKILL'));
  let text = '';
  receiver.stdout.on('data', (data) => (text += data));
  const seen = () => text.split('\n');
  const saw = (pattern) => h.eventually(() => seen().some((line) => pattern.test(line)), `the notification ${pattern}`);
  await saw(/^bound$/);
  return { env: { NOTIFY_SOCKET: socket }, seen, saw };
}

const LISTEN = { listen: [{ systemdSocket: 'public', plaintext: true }] };

test('systemd is told of start, reload and stop, and the watchdog is fed', async (t) => {
  const notify = await notifySocket(t);
  const d = await h.daemon(t, { env: { ...notify.env, WATCHDOG_USEC: '400000' } });
  await notify.saw(/^READY=1$/);
  await h.eventually(() => notify.seen().filter((l) => l === 'WATCHDOG=1').length >= 3, 'the watchdog is fed');
  await notify.saw(/^EXTEND_TIMEOUT_USEC=[1-9]\d{7}$/);
  d.signal('SIGHUP');
  await notify.saw(/^RELOADING=1 MONOTONIC_USEC=\d+$/);
  await h.eventually(() => notify.seen().filter((l) => l === 'READY=1').length === 2, 'the end of the reload');
  await d.stop();
  await notify.saw(/^STOPPING=1 STATUS=Draining EXTEND_TIMEOUT_USEC=\d+$/);
});

test('a reload that fails is over too', async (t) => {
  const notify = await notifySocket(t);
  const d = await h.daemon(t, { env: notify.env });
  fs.writeFileSync(d.configFile, 'listen: 1\n');
  d.signal('SIGHUP');
  await d.waitForLog(/^reload_failed/);
  await h.eventually(() => notify.seen().filter((l) => l === 'READY=1').length === 2, 'the end of the reload');
});

test('the status line has connections and locks', async (t) => {
  const notify = await notifySocket(t);
  const d = await h.daemon(t, { env: notify.env });
  await notify.saw(/^STATUS=Ready; connections: 0, locks: 0$/);
  const client = await d.client({ user: 'ann' });
  await client.expect('resource:join', { resourceId: 'document:1:a', mode: 'editor' }, 'resource:joined');
  await client.expect('lock:acquire', { resourceId: 'document:1:a' }, 'lock:acquired');
  await notify.saw(/^STATUS=Ready; connections: 1, locks: 1$/);
  assert.ok(notify.seen().filter((l) => l.startsWith('STATUS=Ready')).length <= 3, 'it is not sent at each change');
});

test('the status line of a start says what is missing', async (t) => {
  const notify = await notifySocket(t);
  const port = await h.freePort();
  const d = await h.newDaemon(t, { redis: null, env: notify.env, config: { redis: { url: `redis://127.0.0.1:${port}`, startTimeout: '3s' } } });
  d.spawn();
  await notify.saw(/^STATUS=Waiting for the store: .*refused/);
  assert.deepStrictEqual(await d.end(), { code: 3, signal: null });
  assert.ok(!notify.seen().includes('READY=1'));
});

test('a listener takes the socket that systemd passes', async (t) => {
  const d = await h.daemon(t, { ...h.passing('other:public'), config: LISTEN });
  assert.strictEqual(d.listeners[0].address, '127.0.0.1');
  const client = await d.client({ user: 'ann' });
  await client.expect('resource:join', { resourceId: 'document:1:a', mode: 'editor' }, 'resource:joined');
  assert.match(d.tail(100), /systemd_socket_unused name=other/);
  const record = await d.waitForAudit((r) => r.action === 'SESSION_OPENED');
  assert.strictEqual(record.address, '127.0.0.1');
});

test('two daemons on one port, a core each: clients are spread, and those of one that is killed come to the other', async (t) => {
  const port = await h.freePort();
  const shared = (instance, redis) => h.daemon(t, { ...h.passing('public', 'listening', port), redis, config: { ...LISTEN, instance } });
  const one = await shared('one');
  const two = await shared('two', one.redis);
  const people = Array.from({ length: 24 }, (_, i) => ({ user: `user-${i}`, clientId: h.tab() }));
  const clients = new Map(await Promise.all(people.map(async (person) => [person.user, await one.client(person)])));
  const opened = (d) => new Set(d.audit().filter((r) => r.action === 'SESSION_OPENED').map((r) => r.user.id));
  await h.eventually(() => opened(one).size + opened(two).size === people.length, 'all are recorded');
  assert.ok(opened(one).size > 0 && opened(two).size > 0, `${opened(one).size} and ${opened(two).size}`);

  const [ann, bob] = [one, two].map((d) => [...opened(d)][0]);
  const { token } = await h.take(clients.get(ann), 'document:1:a');
  await h.view(clients.get(bob), 'document:1:a');
  assert.strictEqual((await h.status(clients.get(bob), 'document:1:a')).holder.userId, ann, 'they share the locks');
  await one.kill();
  const back = await two.client(people.find(({ user }) => user === ann)); // the port is the same
  assert.strictEqual((await h.take(back, 'document:1:a', { token })).token, token);
  await h.eventually(() => opened(two).has(ann));
});

test('a socket that cannot serve: exit 3, and why', async (t) => {
  for (const [names, kind, problem] of [
    ['other', 'listening', 'systemd has passed no socket of this name'],
    ['public:public', 'listening', 'systemd has passed several sockets of this name'],
    ['public', 'unbound', 'not a listening TCP socket'],
  ]) {
    const d = await h.newDaemon(t, { redis: null, ...h.passing(names, kind), config: LISTEN });
    d.spawn();
    assert.deepStrictEqual(await d.end(), { code: 3, signal: null });
    assert.ok(d.tail().includes(`start_failed problem="systemdSocket public: ${problem}"`), d.tail());
  }
  const d = await h.newDaemon(t, { redis: null, config: LISTEN });
  d.spawn();
  assert.deepStrictEqual(await d.end(), { code: 3, signal: null }, 'started by hand');
});

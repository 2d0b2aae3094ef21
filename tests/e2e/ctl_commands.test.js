'use strict';
/* wslockctl: release, takeover, disconnect; wrong usage; a daemon that does not answer, or not as it should. */
const assert = require('node:assert');
const fs = require('node:fs');
const net = require('node:net');
const os = require('node:os');
const path = require('node:path');
const { test } = require('node:test');
const h = require('./harness');

const CTL = process.env.WSLOCKCTL || path.join(path.dirname(h.PROGRAM), 'wslockctl');
const ENV = { ASAN_OPTIONS: 'detect_leaks=1:abort_on_error=0', UBSAN_OPTIONS: 'halt_on_error=1' };
const WHY = ['--reason', 'left for the day'];
const OPERATOR = os.userInfo().username;

const ctl = (args, env = {}) => h.run(args, { program: CTL, env: { SUDO_USER: '', ...ENV, ...env } });
const at = (d, ...args) => ctl(['--socket', d.ops.socket, ...args]);
const records = (d, action) => d.audit().filter((a) => a.action === action);
const clock = (ms) => new Date(ms).toTimeString().slice(0, 8);

async function done(promise) {
  const told = await promise;
  assert.deepStrictEqual([told.code, told.stderr], [0, ''], told.stdout);
  return told.stdout;
}

/* One sentence on standard error, nothing on standard output. */
async function refused(promise, code, message) {
  const told = await promise;
  assert.deepStrictEqual([told.code, told.stdout], [code, ''], told.stderr);
  assert.match(told.stderr, /^wslockctl: [^\n]+\n$/);
  assert.match(told.stderr, message);
}

/* A server on a unix socket that answers every request with these bytes. */
async function fake(t, answer) {
  const socket = path.join(h.tempDir(t), 'fake.sock');
  const server = net.createServer((c) => {
    c.on('error', () => {});
    c.once('data', () => c.end(answer));
  });
  await new Promise((resolve) => server.listen(socket, resolve));
  t.after(() => server.close());
  return socket;
}

const http = (status, body, more = '') =>
  `HTTP/1.1 ${status} x\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n${more}\r\n${body}`;

test('release, takeover, disconnect', async (t) => {
  const d = await h.lockDaemon(t, { config: { resourceTypes: { line: { upgrade: 'queue', claimWindow: '30s' } } } });

  await t.test('release: the holder is told, the audit knows who and why', async () => {
    const r = 'doc:c-free:main';
    const ann = await h.person(d, 'ann');
    await h.take(ann, r);
    assert.strictEqual(await done(at(d, 'release', 'doc:c-free', ...WHY)),
      `${r}: released. The holder was Ann (ann). It is free now.\n`);
    const lost = (await ann.waitFor('lock:lost')).data;
    assert.deepStrictEqual([lost.reason, lost.by], ['ADMIN_RELEASED', OPERATOR]);
    const [written] = records(d, 'LOCK_ADMIN_RELEASED');
    assert.deepStrictEqual([written.admin, written.reason, written.detail], [{ id: OPERATOR }, WHY[1], `uid ${process.getuid()}`]);
    await refused(at(d, 'release', r, ...WHY), 5, /^wslockctl: doc:c-free:main: nobody has this lock$/m);
  });

  await t.test('the actor is who called sudo', async () => {
    const r = 'doc:c-sudo:main';
    await h.take(await h.person(d, 'ann'), r);
    await done(ctl(['--socket', d.ops.socket, 'release', r, ...WHY], { SUDO_USER: 'j.doe' }));
    assert.deepStrictEqual(records(d, 'LOCK_ADMIN_RELEASED').at(-1).admin, { id: 'j.doe' });
  });

  await t.test('release: the next one has it', async () => {
    const r = 'line:c-next:main';
    const ann = await h.person(d, 'ann');
    await h.take(ann, r);
    for (const user of ['bob', 'cy']) {
      const waiter = await h.person(d, user);
      await h.view(waiter, r);
      await waiter.expect('lock:acquire', { resourceId: r }, 'lock:queued');
    }
    const text = await done(at(d, 'release', r, ...WHY));
    const answer = await h.opsCall(d, 'POST', `/v1/locks/${r}/takeover`, { reason: 'x', actor: 'x', userId: 'bob' });
    const until = answer.json.lock.reservedUntil;
    assert.match(text, /^line:c-next:main: released\. The holder was Ann \(ann\)\. It is reserved for Bob \(bob\) until \d\d:\d\d:\d\d \(in (29|30) s\); 1 waiter\.\n$/);
    assert.ok(Math.abs(Date.parse(`${new Date(until).toDateString()} ${/until (\S+)/.exec(text)[1]}`) - until) < 10000, `${text} ${clock(until)}`);
  });

  await t.test('takeover: reserved for the user', async () => {
    const r = 'line:c-take:main';
    const ann = await h.person(d, 'ann');
    await h.take(ann, r);
    const text = await done(at(d, 'takeover', r, '--user', 'dee', '--reason', 'ward round'));
    assert.match(text, /^line:c-take:main: taken\. The holder was Ann \(ann\)\. It is reserved for dee until .* The user is not in the room yet\.\n$/);
    assert.strictEqual((await ann.waitFor('lock:taken_by_admin')).data.reason, 'ward round');
    const dee = await h.person(d, 'dee');
    await h.take(dee, r);
    const json = await done(at(d, '--json', 'takeover', r, '--user', 'ann', '--reason', 'back'));
    assert.deepStrictEqual(JSON.parse(json).previousHolder.userId, 'dee');
    assert.strictEqual(json.trimEnd(), JSON.stringify(JSON.parse(json)), 'as the daemon wrote it');
  });

  await t.test('disconnect --session', async () => {
    const ann = await h.person(d, 'ann');
    await h.take(ann, 'doc:c-end:main');
    const { sessionId } = ann.welcome;
    assert.strictEqual(await done(at(d, 'disconnect', '--session', sessionId, '--reason', 'stolen laptop')),
      'Ann (ann): ended the session, which was in 1 room.\n');
    assert.deepStrictEqual(await ann.end(), { code: 4403, reason: 'SESSION_TERMINATED' });
    assert.strictEqual(records(d, 'SESSION_TERMINATED').at(-1).reason, 'stolen laptop');
    await refused(at(d, 'disconnect', '--session', sessionId, ...WHY), 5, /this instance has no such session/);
    await refused(at(d, 'disconnect', '--session', '../locks/doc:1:a', ...WHY), 5, /./);
  });

  await t.test('names are printed without control characters', async () => {
    const socket = await fake(t, http(200, JSON.stringify({
      resourceId: 'doc:1:a', previousHolder: { userId: 'e\u0007ve', username: '\u001b[31mEve\u202e\n', token: 1 }, lock: { state: 'free' },
    })));
    assert.strictEqual(await done(ctl(['--socket', socket, 'release', 'doc:1:a', ...WHY])),
      'doc:1:a: released. The holder was \\x1b[31mEve\\u202e\\x0a (e\\x07ve). It is free now.\n');
    const bad = await fake(t, http(409, JSON.stringify({ error: { code: 'X', message: 'no\u001b[2J\nway' } })));
    const told = await ctl(['--socket', bad, 'release', 'doc:1:a', ...WHY]);
    assert.deepStrictEqual([told.code, told.stderr], [1, 'wslockctl: doc:1:a: no\\x1b[2J\\x0away\n']);
  });

  await t.test('no right: exit 4', async () => {
    const dir = h.tempDir(t);
    const program = path.join(dir, 'wslockctl');
    fs.copyFileSync(CTL, program);
    fs.chmodSync(dir, 0o755);
    const asRoot = process.getuid() === 0;
    if (!asRoot) fs.chmodSync(d.ops.socket, 0);
    const args = ['--socket', d.ops.socket, 'release', 'doc:1:a', ...WHY];
    const nobody = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', program, ...args];
    const told = asRoot ? h.run(nobody.slice(1), { program: nobody[0], env: ENV }) : ctl(args);
    await refused(told, 4, /no right to use the socket of wslockd at .*: Permission denied/);
  });
  await h.checkAll(d);
});

test('over TCP: with the token of the configuration', async (t) => {
  const tokenFile = path.join(h.tempDir(t), 'ops.token');
  fs.writeFileSync(tokenFile, 'sesame\n');
  const d = await h.lockDaemon(t, { config: { ops: { port: await h.freePort(), socket: null, tokenFile } } });
  await h.take(await h.person(d, 'ann'), 'doc:1:a');
  fs.writeFileSync(tokenFile, 'other\n');
  await refused(ctl(['--config', d.configFile, 'release', 'doc:1:a', ...WHY]), 4, /tokenFile/);
  fs.rmSync(tokenFile);
  await refused(ctl(['--config', d.configFile, 'release', 'doc:1:a', ...WHY]), 3, /ops\.tokenFile: .*: No such file/);
  fs.writeFileSync(tokenFile, 'sesame\n');
  // A proxy of the environment would get the token.
  const text = await done(ctl(['--config', d.configFile, 'release', 'doc:1:a', ...WHY], { http_proxy: 'http://127.0.0.1:1', ALL_PROXY: 'http://127.0.0.1:1' }));
  assert.match(text, /released/);
  await d.stop();
  await refused(ctl(['--config', d.configFile, 'release', 'doc:1:a', ...WHY]), 3, /no answer from wslockd at 127\.0\.0\.1 port \d+: Connection refused/);
});

test('wrong usage: one sentence, exit 2, nothing is sent', async (t) => {
  let requests = 0;
  const socket = path.join(h.tempDir(t), 'count.sock');
  const server = net.createServer((c) => { requests++; c.destroy(); });
  await new Promise((resolve) => server.listen(socket, resolve));
  t.after(() => server.close());
  const long = 'x'.repeat(501);
  for (const [args, message] of [
    [[], /a command is needed: /],
    [['relaese', 'doc:1'], /unknown command: relaese; there are: .*release/],
    [['release', ...WHY], /release needs a resource/],
    [['release', 'doc:1'], /release needs --reason/],
    [['release', 'doc:1', '--reason', ''], /--reason/],
    [['release', 'doc:1', '--reason', ' \t'], /--reason/],
    [['release', 'doc:1', '--reason', long], /--reason: at most 500 characters/],
    [['release', 'doc', ...WHY], /doc: a resource is type:id or type:id:child/],
    [['release', 'doc:1/../2', ...WHY], /a resource is/],
    [['release', 'doc:1', 'doc:2', ...WHY], /unexpected argument: doc:2/],
    [['release', 'doc:1', '--user', 'u', ...WHY], /release has no option --user/],
    [['takeover', 'doc:1', ...WHY], /takeover needs --user/],
    [['takeover', 'doc:1', '--user', '', ...WHY], /--user: an id of 1 to 256 bytes/],
    [['takeover', 'doc:1', '--user', 'u'.repeat(257), ...WHY], /--user: an id of 1 to 256 bytes/],
    [['disconnect', ...WHY], /disconnect needs --user or --session/],
    [['disconnect', '--user', 'u', '--session', 's', ...WHY], /not both/],
    [['disconnect', '--user', 'u'], /disconnect needs --reason/],
    [['release', 'doc:1', '--bogus'], /unrecognized option '--bogus'/],
    [['status', 'now'], /status: unexpected argument: now/],
    [['status', '--config', '/x'], /--config or --socket, not both/],
    [['help', 'nothing'], /unknown command: nothing/],
    [['audit'], /audit needs verify, tail or merge/],
  ]) {
    await refused(ctl(['--socket', socket, ...args]), 2, message);
  }
  assert.strictEqual(requests, 0);
});

test('a daemon that does not answer, or not as it should', async (t) => {
  const dir = h.tempDir(t);
  const release = (socket) => ctl(['--socket', socket, 'release', 'doc:1:a', ...WHY]);
  await refused(release(path.join(dir, 'none')), 3, /no answer from wslockd at .*: No such file or directory/);
  await refused(release(`/${'x'.repeat(200)}`), 3, /no answer from wslockd at .*: Unix socket path too long/i);
  fs.writeFileSync(path.join(dir, 'file'), '');
  await refused(release(path.join(dir, 'file')), 3, /Connection refused/);

  const unknown = async (answer, why) => {
    const told = await release(await fake(t, answer));
    assert.deepStrictEqual([told.code, told.stdout], [3, '']);
    assert.match(told.stderr, why);
    assert.match(told.stderr, /the daemon may have done it all the same: look before you try again\n$/, 'a change');
  };
  await unknown('', /Empty reply/);
  await unknown('SSH-2.0-OpenSSH\r\n', /not HTTP\/1\.1/);
  await unknown('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{}', /the answer is incomplete/);
  await unknown(http(200, ' '.repeat(9 * 1024 * 1024)), /longer than 8 MiB/);
  await refused(release(await fake(t, http(200, 'hello'))), 1, /is this the operations endpoint of wslockd\?/);
  await refused(release(await fake(t, http(404, '<html>'))), 5, /an answer with status 404/);
  await refused(release(await fake(t, http(302, '', `Location: http://127.0.0.1:1/\r\n`))), 1, /status 302/);
});

test('help: each command with an example', async () => {
  const all = await done(ctl(['--help']));
  const commands = /^Commands:\n([^]*?)\n\n/m.exec(all)[1].split('\n').map((line) => line.trim().split(' ')[0]);
  for (const command of commands) {
    const text = await done(ctl(['help', command]));
    assert.match(text, new RegExp(`^    wslockctl .*${command}`, 'm'), command);
    assert.strictEqual(await done(ctl([command, '--help'])), text);
  }
});

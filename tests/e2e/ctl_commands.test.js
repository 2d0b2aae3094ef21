'use strict';
/* wslockctl: release, takeover, disconnect; wrong usage; a daemon that does not answer, or not as it should. */
const assert = require('node:assert');
const fs = require('node:fs');
const net = require('node:net');
const os = require('node:os');
const path = require('node:path');
const { test } = require('node:test');
const h = require('./harness');
const { done, refused } = require('./harness/ctl');

const CTL = process.env.WSLOCKCTL || path.join(path.dirname(h.PROGRAM), 'wslockctl');
const ENV = { ASAN_OPTIONS: 'detect_leaks=1:abort_on_error=0', UBSAN_OPTIONS: 'halt_on_error=1' };
const WHY = ['--reason', 'left for the day'];
const OPERATOR = os.userInfo().username;

const ctl = (args, env = {}) => h.run(args, { program: CTL, env: { SUDO_USER: '', ...ENV, ...env } });
const at = (d, ...args) => ctl(['--socket', d.ops.socket, ...args]);
const records = (d, action) => d.audit().filter((a) => a.action === action);
const day = (ms) => new Date(ms).toLocaleDateString('sv'); // 2025-11-24
/* Local time, with the date if that is another one than today's. */
const clock = (ms, now = Date.now()) => `${day(ms) === day(now) ? '' : `${day(ms)} `}${new Date(ms).toTimeString().slice(0, 8)}`;

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
    const bob = await h.person(d, 'bob');
    for (const waiter of [bob, await h.person(d, 'cy')]) {
      await h.view(waiter, r);
      await waiter.expect('lock:acquire', { resourceId: r }, 'lock:queued');
    }
    const text = await done(at(d, 'release', r, ...WHY));
    const [, until] = /^line:c-next:main: released\. The holder was Ann \(ann\)\. It is reserved for Bob \(bob\) until (.*) \(in (?:2\d|30) s\); 1 waiter\.\n$/.exec(text);
    const { reservedUntil } = (await bob.waitFor('lock:state', (s) => s.lock.state === 'reserved')).data.lock;
    assert.strictEqual(until, clock(reservedUntil));
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
    [['takeover', 'doc:1', '--user', '', ...WHY], /--user: an id of 1 to 256 bytes of UTF-8/],
    [['takeover', 'doc:1', '--user', 'u'.repeat(257), ...WHY], /--user: an id of 1 to 256 bytes of UTF-8/],
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
  // Arguments that are not UTF-8 would reach the daemon as something else.
  for (const [option, rest] of [['--user', '--reason x'], ['--reason', '--user x']]) {
    const told = await h.run(['-c', `'${CTL}' --socket '${socket}' takeover doc:1 ${rest} ${option} "$(printf 'a\\377')"`], { program: 'sh', env: ENV });
    assert.strictEqual(told.code, 2, told.stderr);
    assert.match(told.stderr, new RegExp(`^wslockctl: ${option}: .* UTF-8\n$`));
  }
  assert.strictEqual(requests, 0);
});

test('a daemon that does not answer, or not as it should', async (t) => {
  const dir = h.tempDir(t);
  const release = (socket) => ctl(['--socket', socket, 'release', 'doc:1:a', ...WHY]);
  // Bytes that drip do not extend the limit.
  const drip = path.join(dir, 'drip');
  const slow = net.createServer((c) => {
    c.on('error', () => {});
    c.once('data', () => c.write('HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n'));
    const timer = setInterval(() => c.write(' '), 100);
    c.on('close', () => clearInterval(timer));
  });
  await new Promise((resolve) => slow.listen(drip, resolve));
  t.after(() => slow.close());
  const late = ctl(['--socket', drip, 'status']);
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
  await refused(late, 3, /no answer in time/);
  await refused(release(await fake(t, http(302, '', `Location: http://127.0.0.1:1/\r\n`))), 1, /status 302/);
});

test('status prints no control characters of the daemon', async (t) => {
  const told = await ctl(['--socket', await fake(t, http(503, '{"instance": "gw\\u001b[2J", "ready": false, "reasons": ["away: \\u009b31m", "\\n"]}')), 'status']);
  assert.deepStrictEqual([told.code, told.stderr], [1, '']);
  assert.match(told.stdout, /^instance {5}gw\\x1b\[2J\nready {8}no: away: \\u009b31m; \\x0a\nstore {8}down\n/);
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

/* ---- lists, and what is said of a lock: a daemon whose answers are given ---- */

/* answers: path without its query to a function of the query that gives the object, or [status, object]. */
async function given(t, answers) {
  const asked = [];
  const socket = path.join(h.tempDir(t), 'given.sock');
  const server = require('node:http').createServer((request, response) => {
    const url = new URL(request.url, 'http://localhost');
    asked.push(url);
    const answer = answers[url.pathname](url.searchParams);
    const [status, object] = Array.isArray(answer) ? answer : [200, answer];
    const body = JSON.stringify(object);
    response.writeHead(status, { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) });
    response.end(body);
  });
  await new Promise((resolve) => server.listen(socket, resolve));
  t.after(() => server.close());
  return { asked, ctl: (...args) => ctl(['--socket', socket, ...args]), socket };
}

const NOW = Date.now();
const lockOf = (i, more) => ({
  resourceId: `doc:${String(i).padStart(5, '0')}:main`, state: 'held', holder: { userId: 'ann', username: 'Ann', clientId: 'tab', token: i + 1 },
  since: NOW - 300000, expiresAt: NOW + 180000, dirty: false, queueLength: 0, ...more,
});

/* As the daemon pages. */
const pages = (all) => (query) => {
  const limit = Number(query.get('limit'));
  const after = query.get('after') || '';
  const rest = all.filter((x) => x.resourceId > after);
  return { now: NOW, locks: rest.slice(0, limit), next: rest.length > limit ? rest[limit - 1].resourceId : null };
};

test('locks: page by page, up to a limit', async (t) => {
  const all = Array.from({ length: 2500 }, (_, i) => lockOf(i));
  const d = await given(t, { '/v1/locks': pages(all) });
  const rows = (text) => text.trimEnd().split('\n').slice(1).map((line) => line.split(/ {2,}/)[0]);
  assert.deepStrictEqual(rows(await done(d.ctl('locks'))), all.map((x) => x.resourceId));
  assert.deepStrictEqual(d.asked.map((url) => [url.searchParams.get('limit'), url.searchParams.get('after')]),
    [['1000', null], ['1000', 'doc:00999:main'], ['1000', 'doc:01999:main']]);
  assert.strictEqual(d.asked[0].searchParams.get('actor'), OPERATOR);
  d.asked.length = 0;
  const some = await done(d.ctl('locks', '--limit', '1001'));
  assert.deepStrictEqual(rows(some), [...all.slice(0, 1001).map((x) => x.resourceId), 'the first 1001; --limit leaves out the rest']);
  assert.deepStrictEqual(d.asked.map((url) => url.searchParams.get('limit')), ['1000', '1']);
  assert.deepStrictEqual(rows(await done(d.ctl('locks', '--limit', '2500'))).length, 2500, 'none is left out');
  d.asked.length = 0;
  await done(d.ctl('locks', '--type', 'doc', '--user', 'a&b=c d'));
  assert.deepStrictEqual([d.asked[0].searchParams.get('type'), d.asked[0].searchParams.get('user')], ['doc', 'a&b=c d']);

  const json = (await done(d.ctl('--json', 'locks'))).trimEnd().split('\n');
  assert.deepStrictEqual(json.map((line) => JSON.parse(line).locks.length), [1000, 1000, 500]);
  assert.strictEqual(json[2], JSON.stringify(pages(all)(new URLSearchParams('limit=1000&after=doc:01999:main'))), 'unchanged');

  for (const limit of ['0', '-1', 'x', '1.5', '10000001', '']) await refused(d.ctl('locks', '--limit', limit), 2, /--limit .*: a number from 1 to 10000000/);
  const none = await given(t, { '/v1/locks': pages([]) });
  assert.strictEqual(await done(none.ctl('locks')), 'no locks\n');
  const circle = await given(t, { '/v1/locks': () => ({ locks: [lockOf(1)], next: 'doc:00001:main' }) });
  await refused(circle.ctl('locks'), 1, /an unexpected answer/);
  const broken = await given(t, { '/v1/locks': () => [503, { error: { code: 'BACKEND_UNAVAILABLE', message: 'the store is away' } }] });
  await refused(broken.ctl('locks'), 1, /^wslockctl: locks: the store is away$/m);
});

test('locks: a table that fits, with times, without control characters', async (t) => {
  const d = await given(t, { '/v1/locks': pages([
    lockOf(1, { holder: { userId: 'ann', username: 'Änn Ünlü 山田', token: 1 }, dirty: true, queueLength: 2 }),
    lockOf(2, { state: 'grace', graceUntil: NOW + 20000, claimable: true, holder: { userId: 'e\u001b[2J', username: 'E\nve', token: 1 } }),
    lockOf(3, { state: 'reserved', holder: undefined, since: undefined, reservedFor: { userId: 'bob', username: 'Bob' }, reservedUntil: NOW + 45000 }),
    lockOf(4, { idleReleaseAt: NOW + 60000 }),
    lockOf(5, { since: NOW - 3 * 86400000, expiresAt: NOW + 2 * 86400000 }),
    lockOf(6, { since: NOW - 7200000, expiresAt: NOW }),
  ]) });
  const told = await done(d.ctl('locks'));
  const due = (ms) => clock(NOW + ms, NOW);
  assert.deepStrictEqual(told.split('\n').map((line) => line.split(/ {2,}/)), [
    ['RESOURCE', 'STATE', 'USER', 'SINCE', 'DUE', 'WAITERS', 'NOTE'],
    ['doc:00001:main', 'held', 'Änn Ünlü 山田 (ann)', '5 min ago', `${due(180000)} (in 3 min)`, '2', 'unsaved changes'],
    ['doc:00002:main', 'grace', 'E\\x0ave (e\\x1b[2J)', '5 min ago', `${due(20000)} (in 20 s)`, '0', 'claimable'],
    ['doc:00003:main', 'reserved', 'Bob (bob)', `${due(45000)} (in 45 s)`, '0'],
    ['doc:00004:main', 'held', 'Ann (ann)', '5 min ago', `${due(60000)} (in 60 s)`, '0'],
    ['doc:00005:main', 'held', 'Ann (ann)', '3 d ago', `${due(2 * 86400000)} (in 2 d)`, '0'],
    ['doc:00006:main', 'held', 'Ann (ann)', '2 h ago', `${due(0)} (now)`, '0'],
    [''],
  ]);
  const columns = (line) => [...line].reduce((sum, c) => sum + (/[\u4e00-\u9fff]/.test(c) ? 2 : 1), 0);
  for (const width of [40, 60, 80, 100, 200]) {
    const cut = await h.run(['--socket', d.socket, 'locks'], { program: CTL, env: { ...ENV, COLUMNS: String(width) } });
    for (const line of cut.stdout.split('\n')) assert.ok(columns(line) <= width, `${width}: ${line}`);
    assert.strictEqual(/…/.test(cut.stdout), width < 200, cut.stdout);
  }
});

test('colours only on a terminal, and not with NO_COLOR', async (t) => {
  const d = await given(t, { '/v1/locks': pages([lockOf(1)]) });
  const onTerminal = (env) => h.run(['-qec', `'${CTL}' --socket '${d.socket}' locks`, '/dev/null'],
    { program: 'script', env: { ...ENV, TERM: 'xterm', NO_COLOR: '', ...env } });
  assert.match((await onTerminal({})).stdout, /\u001b\[32mheld\u001b\[0m/);
  assert.doesNotMatch((await onTerminal({ NO_COLOR: '1' })).stdout, /\u001b/);
  assert.doesNotMatch((await onTerminal({ TERM: 'dumb' })).stdout, /\u001b/);
  assert.doesNotMatch(await done(d.ctl('locks')), /\u001b/);
});

test('explain: sentences with rule and line', async (t) => {
  const setting = (name, value, line) => ({ [name]: { value, from: line ? `default.${name}` : 'built-in', line, file: line && '/etc/w.yaml' } });
  const policy = {
    ...setting('lockTtl', '5m', 12), ...setting('heartbeatInterval', '60s'), ...setting('upgrade', 'deny', 14), ...setting('disconnect', 'prompt', 15),
    ...setting('gracePeriod', '30s'), ...setting('claimWindow', '30s'), ...setting('takeoverTimeout', '30s'), ...setting('editorRoles', ['nurse', 'doctor'], 18),
    ...setting('idleRelease', null),
  };
  const shown = {
    'doc:held:main': lockOf(1, {
      lastHeartbeatAt: NOW - 12000, dirty: true, takeover: { adminId: 'adm', adminName: 'Root', reason: 'ward\u001b round', until: NOW + 20000 },
      waiters: [{ position: 1, userId: 'bob', username: 'Bob', kind: 'queue', since: NOW - 60000 }, { position: 2, userId: 'cy', username: 'Cy', kind: 'request', since: NOW - 30000, until: NOW + 90000 }],
      endings: [{ userId: 'dee', username: 'Dee', token: 1, reason: 'ADMIN_RELEASED', endedAt: NOW - 600000, by: 'j.doe' }],
      acquire: { outcome: 'HELD', message: 'another user has the lock' },
    }),
    'doc:grace:main': lockOf(1, { state: 'grace', graceUntil: NOW + 20000, claimable: true, waiters: [], endings: [] }),
    'doc:reserved:main': lockOf(1, { state: 'reserved', holder: undefined, reservedFor: { userId: 'bob', username: 'Bob' }, reservedUntil: NOW + 20000, waiters: [], endings: [] }),
    'doc:free:main': { resourceId: 'doc:free:main', state: 'free', queueLength: 0, waiters: [], endings: [] },
  };
  const d = await given(t, Object.fromEntries(Object.entries(shown).map(([name, lock]) =>
    [`/v1/locks/${name}`, () => ({ now: NOW, ...lock, policy, resourceId: name })])));
  const lines = async (...args) => (await done(d.ctl('explain', ...args))).split('\n');
  const at = (ms, relative) => `${clock(NOW + ms, NOW)} (${relative})`;
  const held = await lines('doc:held:main', '--user', 'eve');
  assert.strictEqual(d.asked.at(-1).searchParams.get('user'), 'eve');
  assert.deepStrictEqual(held.slice(0, 14), [
    'doc:held:main is held.',
    `Ann (ann) has had it since ${at(-300000, '5 min ago')}, with token 2 and unsaved changes.`,
    `The holder's connection is alive; the last heartbeat came at ${at(-12000, '12 s ago')} (heartbeatInterval 60s: built-in).`,
    `Without another heartbeat it expires at ${at(180000, 'in 3 min')} (lockTtl 5m: default.lockTtl, /etc/w.yaml:12).`,
    `The administrator Root (adm) takes it over at ${at(20000, 'in 20 s')}, or earlier if the holder agrees (takeoverTimeout 30s: built-in): ward\\x1b round.`,
    'Another user who wants it is refused (upgrade deny: default.upgrade, /etc/w.yaml:14).',
    'An administrator can take it over after the holder was asked.',
    '2 users wait for it:',
    `  1. Bob (bob), since ${at(-60000, '60 s ago')}`,
    `  2. Cy (cy), has asked the holder, since ${at(-30000, '30 s ago')}, until ${at(90000, 'in 2 min')}`,
    'An acquire by eve from a new tab would get HELD now: another user has the lock (upgrade deny: default.upgrade, /etc/w.yaml:14).',
    'How it ended before:',
    `  ${at(-600000, '10 min ago')}: Dee (dee), ADMIN_RELEASED: an operator released it; by j.doe`,
    'The rules of its type:',
  ]);
  assert.ok(held.some((line) => /^ {2}editorRoles +\[nurse, doctor\] +default\.editorRoles, \/etc\/w\.yaml:18$/.test(line)), held.join('\n'));
  assert.ok(held.some((line) => /^ {2}idleRelease +null +built-in$/.test(line)), held.join('\n'));
  assert.deepStrictEqual((await lines('doc:grace:main')).slice(0, 7), [
    'doc:grace:main is in grace.',
    `Ann (ann) has had it since ${at(-300000, '5 min ago')}, with token 2.`,
    `The holder's connection has ended; the same tab may come back for it until ${at(20000, 'in 20 s')} (gracePeriod 30s: built-in).`,
    'Meanwhile another user in the room may claim it (disconnect prompt: default.disconnect, /etc/w.yaml:15).',
    'Another user who wants it is refused (upgrade deny: default.upgrade, /etc/w.yaml:14).',
    'An administrator can take it over after the holder was asked.',
    'Nobody waits for it.',
  ]);
  assert.deepStrictEqual((await lines('doc:reserved:main')).slice(0, 2), ['doc:reserved:main is reserved.',
    `Only Bob (bob) can claim it, until ${at(20000, 'in 20 s')} (claimWindow 30s: built-in); then it goes to the next.`]);
  assert.deepStrictEqual((await lines('doc:free:main')).slice(0, 3), ['doc:free:main is free.',
    'Nobody has it, and any editor may acquire it (editorRoles [nurse, doctor]: default.editorRoles, /etc/w.yaml:18).', 'Nobody waits for it.']);
  const narrow = await done(ctl(['--socket', d.socket, 'explain', 'doc:held:main'], { COLUMNS: '60' }));
  for (const line of narrow.split('\n')) assert.ok(line.length <= 60, line);
  assert.match(narrow, /^Ann \(ann\) has had it since [^]*\(5 min ago\), with[^]*\n {4}[^]*unsaved changes\.$/m);
  const show = await done(d.ctl('show', 'doc:held:main'));
  for (const line of [/^doc:held:main {2}held$/m, /^ {2}holder +Ann \(ann\)$/m, /^ {2}takeover by +Root \(adm\), at .*: ward\\x1b round$/m, /^ {2}1 +Bob \(bob\) +queue /m]) {
    assert.match(show, line);
  }
  await refused(d.ctl('explain', 'doc'), 2, /a resource is/);
});

/* ---- ref ---- */

test('ref: finds the record and the line of a denial', async (t) => {
  const d = await h.lockDaemon(t, { config: { resourceTypes: { doc: {} } } });
  const r = 'doc:denied:main';
  await h.take(await h.person(d, 'ann'), r);
  const bob = await h.person(d, 'bob');
  await h.view(bob, r);
  const { ref } = await bob.expect('lock:acquire', { resourceId: r }, 'lock:denied');
  const unknown = await bob.expect('lock:release', { resourceId: r }, 'error');
  await d.waitForAudit((a) => a.ref === ref);
  const line = d.audit().findIndex((a) => a.ref === ref) + 1;
  const logFile = path.join(d.dir, 'log');
  await h.eventually(() => d.log.some((text) => text.includes(`ref=${unknown.ref}`)), 'in the log');
  fs.writeFileSync(logFile, d.log.map((text) => `Nov 24 05:36:00 gw-1 wslockd[7]: ${text}\n`).join(''));

  const told = await done(ctl(['--config', d.configFile, 'ref', '--', ref]));
  assert.match(told, new RegExp(`^${d.auditFile}:${line}:\n  \\S+ LOCK_DENIED \\(failure\\) ${r} Bob \\(bob\\) from Ann \\(ann\\): HELD\n`
    + `  how it is now: wslockctl explain ${r} --user bob\nin the log: journalctl -u wslockd -o cat \\| grep -F ref=${ref}\n$`));
  const log = d.log.find((text) => text.includes(`ref=${unknown.ref}`));
  assert.match(log, new RegExp(`^request_refused request=lock:release code=NOT_HOLDER ref=${unknown.ref} session=\\S+ user=bob resource=${r}$`));
  const denial = d.log.find((text) => text.includes(`ref=${ref}`));
  assert.match(denial, new RegExp(`^lock_denied request=lock:acquire reason=HELD ref=${ref} session=\\S+ user=bob resource=${r}$`));
  assert.deepStrictEqual((await done(ctl(['--config', d.configFile, 'ref', '--log', logFile, '--', ref]))).split('\n').filter((text) => /^ {2}(\S+ LOCK_DENIED|Nov 24)/.test(text)),
    [told.split('\n')[1], `  Nov 24 05:36:00 gw-1 wslockd[7]: ${denial}`], 'in the audit and in the log');
  assert.strictEqual((await done(ctl(['--config', d.configFile, 'ref', '--log', logFile, '--', unknown.ref]))).split('\n')[1],
    `  Nov 24 05:36:00 gw-1 wslockd[7]: ${log}`);
  assert.deepStrictEqual(JSON.parse(await done(ctl(['--json', '--config', d.configFile, 'ref', '--', ref]))), d.audit()[line - 1]);

  // Rotated, also compressed: as logrotate names them.
  fs.writeFileSync(`${d.auditFile}-20251124.gz`, require('node:zlib').gzipSync(fs.readFileSync(d.auditFile)));
  const records = fs.readFileSync(d.auditFile, 'utf8').split('\n').filter((text) => !text.includes(ref)).join('\n');
  await d.stop();
  fs.writeFileSync(d.auditFile, records);
  assert.ok((await done(ctl(['--config', d.configFile, 'ref', '--', ref]))).startsWith(`${d.auditFile}-20251124.gz:${line}:\n`));
  const archived = path.join(d.dir, 'elsewhere');
  fs.renameSync(`${d.auditFile}-20251124.gz`, archived);
  assert.ok((await done(ctl(['ref', '--', ref, archived]))).startsWith(`${archived}:${line}:\n`));

  const lost = await ctl(['--config', d.configFile, 'ref', '--', ref]);
  assert.deepStrictEqual([lost.code, lost.stderr], [5, `wslockctl: ${ref}: nothing found; are these the files of the instance that the client used?\n`]);
  const shorter = unknown.ref.slice(0, -1);
  assert.strictEqual((await ctl(['ref', '--log', logFile, '--', shorter])).code, 5, 'not a part of another');
  const gone = await ctl(['ref', '--', ref, path.join(d.dir, 'none')]);
  assert.strictEqual(gone.code, 3);
  assert.match(gone.stderr, /none: No such file/);
  await refused(ctl(['ref', 'a b']), 2, /a ref is letters/);
  await refused(ctl(['ref']), 2, /ref needs a ref/);
});

test('the log names the request that was refused or denied', async (t) => {
  const d = await h.lockDaemon(t, { config: { default: { editorRoles: ['editor'] }, limits: { messagesPerSecond: 10000, messageBurst: 10000 } } });
  const ann = await h.person(d, 'ann', { roles: ['editor'] });
  const bob = await h.person(d, 'bob', { roles: ['editor'] });
  const cy = await h.person(d, 'cy');
  const line = (ref) => h.eventually(() => d.log.find((text) => text.includes(`ref=${ref} `)), `a line with ${ref}`);
  const error = async (text) => {
    bob.sendText(text);
    return (await bob.waitFor('error')).data.ref;
  };
  await h.take(ann, 'document:1:a');
  assert.match(await line((await h.edit(bob, 'document:1:a')).answer.data.ref), /^lock_denied request=resource:join reason=HELD .* user=bob resource=document:1:a$/);
  const [, viewer] = [await h.view(cy, 'document:1:a'), await cy.expect('lock:acquire', { resourceId: 'document:1:a' }, 'lock:denied')];
  assert.match(await line(viewer.ref), /^lock_denied request=lock:acquire reason=NOT_AN_EDITOR .* user=cy resource=document:1:a$/);
  assert.match(await line((await h.edit(cy, 'document:2:a')).answer.data.ref), /^lock_denied request=resource:join reason=NOT_AN_EDITOR .* user=cy resource=document:2:a$/);
  assert.match(await line(await error('{"event":"lock:heartbeat","data":{"resourceId":"document:9:a","token":1}}')),
    /^request_refused request=lock:heartbeat code=NOT_JOINED .* resource=document:9:a$/);
  assert.match(await line(await error('{"event":"lock:heartbeat","data":{"resourceId":7}}')), /^request_refused request=lock:heartbeat code=INVALID/);
  for (const text of ['{"event":"other request=lock:acquire","data":{}}', '{"event":"auth\\n","data":{}}', '{', '[]', '{"event":7}']) {
    assert.match(await line(await error(text)), /^request_refused request=- code=[A-Z_]+ ref=\S+ session=\S+ user=bob resource=""$/, text);
  }
  const denials = () => d.log.filter((text) => text.startsWith('lock_denied')).length;
  for (let sent = denials(); sent < 620; sent += 10) { // few at a time, so that the log is read as it is written
    await Promise.all(Array.from({ length: 10 }, () => bob.request('lock:acquire', { resourceId: 'document:1:a' })));
    if (sent + 10 <= 600) await h.eventually(() => denials() >= sent + 10, 'each is in the log');
  }
  await line(await error('['));
  assert.strictEqual(denials(), 600, 'in a minute');
});

test('ref: the command that it names is one for a shell', async (t) => {
  const file = path.join(h.tempDir(t), 'audit');
  const hint = async (id) => {
    fs.writeFileSync(file, `${JSON.stringify({ action: 'LOCK_DENIED', resourceId: 'doc:1:a', user: { id }, ref: 'abc-1f' })}\n`);
    return (await done(ctl(['ref', 'abc-1f', file]))).split('\n')[2];
  };
  const before = '  how it is now: wslockctl explain doc:1:a --user ';
  assert.strictEqual(await hint('u-1@x.org'), `${before}u-1@x.org`);
  assert.strictEqual(await hint('$(id) `id`'), `${before}'$(id) \`id\`'`);
  assert.strictEqual(await hint("o'neil;id"), `${before}'o'\\''neil;id'`);
  assert.doesNotMatch(await hint('x\u001b[2J'), /explain/);
});

test('ref: JSON logs and standard input', async (t) => {
  const dir = h.tempDir(t);
  const log = path.join(dir, 'log');
  fs.writeFileSync(log, ['{"time":"x","level":"info","event":"request_refused","code":"NOT_HOLDER","ref":"abc-1f"}', 'request_refused code=X ref=abc-1f0', 'x ref=abc-1', '']
    .join('\n'));
  const told = await h.run(['-c', `'${CTL}' ref abc-1f --log - <'${log}'`], { program: 'sh', env: ENV });
  assert.deepStrictEqual([told.code, told.stdout, told.stderr], [0, `log:1:\n  ${fs.readFileSync(log, 'utf8').split('\n')[0]}\n`, '']);
});

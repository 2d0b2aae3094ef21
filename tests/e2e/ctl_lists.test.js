'use strict';
/* wslockctl: what it reads from a daemon: locks, show, explain, sessions; draining. */
const assert = require('node:assert');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { test } = require('node:test');
const h = require('./harness');
const { done, refused } = require('./harness/ctl');

const CTL = process.env.WSLOCKCTL || path.join(path.dirname(h.PROGRAM), 'wslockctl');
const ENV = { ASAN_OPTIONS: 'detect_leaks=1:abort_on_error=0', UBSAN_OPTIONS: 'halt_on_error=1', SUDO_USER: '', NO_COLOR: '1' };
const ctl = (args, env = {}) => h.run(args, { program: CTL, env: { ...ENV, ...env } });

const rows = (text) => text.trimEnd().split('\n').map((line) => line.split(/ {2,}/));
const queue = async (d, user, r) => {
  const client = await h.person(d, user);
  await h.view(client, r);
  await client.expect('lock:acquire', { resourceId: r }, 'lock:queued');
  return client;
};

test('locks, show and explain', async (t) => {
  const config = {
    auth: { adminRoles: ['lock-admin'] },
    default: { heartbeatInterval: '2m', takeover: 'request', takeoverTimeout: '45s' },
    resourceTypes: { document: { lockTtl: '10m', idleRelease: '3m', maxConcurrentTabLocksPerUser: 2 }, line: { upgrade: 'queue' }, open: { disconnect: 'prompt' } },
    unknownResourceTypes: 'reject',
  };
  const one = await h.lockDaemon(t, { config: { ...config, instance: 'one' } });
  const two = await h.lockDaemon(t, { redis: one.redis, config: { ...config, instance: 'two' } });
  const at = (d, ...args) => ctl(['--config', d.configFile, ...args]);
  const line = (key) => fs.readFileSync(one.configFile, 'utf8').split('\n').findIndex((text) => text.includes(`"${key}"`)) + 1;
  const ann = await h.person(one, 'ann');
  const { token } = await h.take(ann, 'document:1:a');
  await h.take(ann, 'document:1:b');
  const bob = await h.person(two, 'bob');
  await h.take(bob, 'line:1:x');
  const cy = await queue(one, 'cy', 'line:1:x');
  const dee = await h.person(one, 'dee');
  await h.take(dee, 'open:1:x');
  await dee.terminate();
  await h.eventually(async () => (await h.status(bob, 'open:1:x').catch(() => h.view(bob, 'open:1:x'))).state === 'grace', 'grace');

  await t.test('locks of all instances; by type and user', async () => {
    const list = rows(await done(at(one, 'locks')));
    assert.deepStrictEqual(list.map((row) => row.slice(0, 3)), [['RESOURCE', 'STATE', 'USER'],
      ['document:1:a', 'held', 'Ann (ann)'], ['document:1:b', 'held', 'Ann (ann)'], ['line:1:x', 'held', 'Bob (bob)'], ['open:1:x', 'grace', 'Dee (dee)']]);
    assert.strictEqual(list[4].at(-1), 'claimable');
    assert.strictEqual(list[3][5], '1', 'a waiter');
    assert.deepStrictEqual(rows(await done(at(two, 'locks', '--type', 'document', '--user', 'ann'))).slice(1).map(([r]) => r), ['document:1:a', 'document:1:b']);
    assert.deepStrictEqual(rows(await done(at(two, 'locks', '--search', 'DEE'))).slice(1).map(([r]) => r), ['open:1:x']);
    assert.match(await done(at(two, 'locks', '--limit', '3')), /\nline:1:x .*\nthe first 3; --limit leaves out the rest\n$/);
    assert.strictEqual(await done(at(one, 'locks', '--user', 'nobody')), 'no locks\n');
    const { locks, next } = JSON.parse(await done(at(one, '--json', 'locks', '--type', 'line')));
    assert.deepStrictEqual([locks.length, locks[0].holder.userId, next], [1, 'bob', null]);
    await refused(at(one, 'locks', '--type', 'No such'), 2, /type must be a resource type/);
  });

  await t.test('what is read is in the audit, with who read it', async () => {
    await done(at(one, 'show', 'document:1:a'));
    const read = await one.waitForAudit((a) => a.action === 'ADMIN_QUERY' && a.resourceId === 'document:1:a');
    assert.strictEqual(read.admin.id, os.userInfo().username);
  });

  await t.test('show', async () => {
    const shown = await done(at(one, 'show', 'line:1:x'));
    for (const entry of [/^line:1:x {2}held$/m, /^ {2}holder +Bob \(bob\)$/m, /^ {2}expires +.*\d \(in 5 min\)$/m, /^waiters\n.*\n {2}1 +Cy \(cy\) +queue/m,
      /^members\n[^]*Bob \(bob\) +editor\n/m]) assert.match(shown, entry);
    assert.match(await done(at(one, 'show', 'line:9:x')), /^line:9:x {2}free\n/);
    await refused(at(one, 'show', 'none:1:x'), 5, /there is no such resource type/);
    const json = JSON.parse(await done(at(one, '--json', 'show', 'line:1')));
    assert.deepStrictEqual([json.resourceId, json.state], ['line:1:main', 'free']);
  });

  await t.test('explain: held', async () => {
    const text = await done(at(one, 'explain', 'document:1:a', '--user', 'bob'));
    const rule = (name, value, from = `resourceTypes.document.${name}`) => `(${name} ${value}: ${from}, ${one.configFile}:${line(name)})`;
    for (const sentence of [
      'document:1:a is held.\n', `with token ${token}.\n`, "The holder's connection is alive; ",
      rule('lockTtl', '10m'), rule('idleRelease', '3m'), rule('heartbeatInterval', '2m', 'default.heartbeatInterval'),
      'Another user who wants it is refused (upgrade deny: built-in).\n', 'Nobody waits for it.\n',
      'An acquire by bob from a new tab would get HELD now: ',
    ]) assert.ok(text.includes(sentence), `${sentence}\n${text}`);
    assert.match(await done(at(one, 'explain', 'document:1:a', '--user', 'ann')), /An acquire by ann .* HELD_BY_YOU now/);
    assert.match(await done(at(one, 'explain', 'document:1:c', '--user', 'ann')), new RegExp(
      `An acquire by ann .* TAB_LIMIT now: .*\\(maxConcurrentTabLocksPerUser 2: resourceTypes.document.maxConcurrentTabLocksPerUser, .*:${line('maxConcurrentTabLocksPerUser')}\\)`));
    assert.match(await done(at(one, 'explain', 'document:2:a', '--user', 'ann')), /^document:2:a:?.* is free\.\n[^]*GRANTED now/);
  });

  await t.test('explain: grace, a queue, a turn, endings', async () => {
    const grace = await done(at(one, 'explain', 'open:1:x'));
    assert.match(grace, /^open:1:x is in grace\.\n[^]*the same tab may come back for it until .* \(gracePeriod 30s: built-in\)/);
    assert.match(grace, /Meanwhile another user in the room may claim it \(disconnect prompt: resourceTypes\.open\.disconnect, /);
    assert.match(await done(at(one, 'explain', 'line:1:x', '--user', 'dee')),
      /1 user waits for it:\n {2}1\. Cy \(cy\), since [^]*An acquire by dee .* QUEUED now: .*\(upgrade queue: resourceTypes\.line\.upgrade, /);
    await done(at(one, 'release', 'line:1:x', '--reason', 'ward round'));
    await cy.waitFor('lock:your_turn');
    const turn = await done(at(two, 'explain', 'line:1:x', '--user', 'cy'));
    assert.match(turn, /^line:1:x is reserved\.\nOnly Cy \(cy\) can claim it, until .* \(claimWindow 30s: built-in\); then it goes to the next\.\n/);
    assert.match(turn, /Nobody waits for it\.\nAn acquire by cy .* GRANTED now/);
    assert.match(turn, new RegExp(`How it ended before:\n {2}.*: Bob \\(bob\\), ADMIN_RELEASED: an operator released it; by ${os.userInfo().username}\n`));
  });

  await t.test('explain: a takeover', async () => {
    const root = await h.person(one, 'root', { roles: ['lock-admin'] });
    await h.view(root, 'document:1:a');
    await root.expect('lock:takeover', { resourceId: 'document:1:a', reason: 'visit' }, 'lock:takeover_pending');
    assert.match(await done(at(two, 'explain', 'document:1:a')),
      /The administrator Root \(root\) takes it over at .* \(in 4\d s\), or earlier if the holder agrees \(takeoverTimeout 45s: default\.takeoverTimeout, .*\): visit\.\n/);
  });
  await h.checkAll(one, two);
});

test('sessions, and the end of all of a user', async (t) => {
  const one = await h.lockDaemon(t, { config: { instance: 'one' } });
  const two = await h.lockDaemon(t, { redis: one.redis, config: { instance: 'two' } });
  const at = (d, ...args) => ctl(['--socket', d.ops.socket, ...args]);
  const anns = [await h.person(one, 'ann', { headers: { 'User-Agent': 'Chart/1.0' } }), await h.person(one, 'ann')];
  const elsewhere = await h.person(two, 'ann');
  const bob = await h.person(one, 'bob');
  await h.take(anns[0], 'doc:1:a');
  await h.view(anns[0], 'doc:1:b');

  const list = rows(await done(at(one, 'sessions'))).slice(1);
  assert.deepStrictEqual(list.map(([id, user]) => [id, user]).sort(),
    [...anns.map((c) => [c.welcome.sessionId, 'Ann (ann)']), [bob.welcome.sessionId, 'Bob (bob)']].sort());
  const first = list.find(([id]) => id === anns[0].welcome.sessionId);
  assert.deepStrictEqual([first[2], ...first.slice(5)], ['127.0.0.1', '2', '1', 'Chart/1.0']);
  assert.match(first[4], /^\S+( \S+)? \(in (59|60) min\)$/, 'when the token ends');
  assert.deepStrictEqual(rows(await done(at(one, 'sessions', '--user', 'bob'))).slice(1).map(([id]) => id), [bob.welcome.sessionId]);
  assert.strictEqual(await done(at(two, 'sessions', '--user', 'bob')), 'no sessions\n');
  assert.match(await done(at(one, 'sessions', '--limit', '2')), /\nthe first 2; --limit leaves out the rest\n$/);

  assert.strictEqual(await done(at(one, 'disconnect', '--user', 'ann', '--reason', 'stolen laptop')), 'ann: ended 2 sessions.\n');
  for (const client of anns) assert.deepStrictEqual(await client.end(), { code: 4403, reason: 'SESSION_TERMINATED' });
  await h.view(elsewhere, 'doc:1:a');
  assert.deepStrictEqual((await h.status(elsewhere, 'doc:1:a')).state, 'free');
  assert.strictEqual(one.audit().filter((a) => a.action === 'SESSION_TERMINATED' && a.reason === 'stolen laptop').length, 2);
  await refused(at(one, 'disconnect', '--user', 'ann', '--reason', 'x'), 5, /^wslockctl: ann: this instance has no session of this user$/m);
});

test('drain and undrain', async (t) => {
  const d = await h.lockDaemon(t);
  const at = (...args) => ctl(['--socket', d.ops.socket, ...args]);
  const ann = await h.person(d, 'ann');
  assert.strictEqual(await done(at('drain', '--reason', 'kernel update')), 'draining: no new clients; 1 session asked to connect elsewhere\n');
  await ann.waitFor('server:draining');
  const started = await d.waitForAudit((a) => a.action === 'DRAIN_STARTED');
  assert.deepStrictEqual([started.admin.id, started.reason], [os.userInfo().username, 'kernel update']);
  const status = await at('status');
  assert.strictEqual(status.code, 1);
  assert.match(status.stdout, /^ready +no: .*drain/m);
  await assert.rejects(h.person(d, 'bob'));
  assert.strictEqual(await done(at('undrain')), 'no longer draining\n');
  await h.person(d, 'bob');
  assert.strictEqual((await at('status')).code, 0);
});

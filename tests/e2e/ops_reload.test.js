'use strict';
/* POST /v1/reload and `wslockctl reload`: answered when it is done, with what is wrong; rotation of the audit. */
const assert = require('node:assert');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { test } = require('node:test');
const h = require('./harness');

const CTL = process.env.WSLOCKCTL || path.join(path.dirname(h.PROGRAM), 'wslockctl');
const SUCCESS = 'wslock_config_last_reload_successful';
const BY = { actor: 'ops@clinic' };

const post = (d, body = BY, options = {}) => h.opsCall(d, 'POST', '/v1/reload', body, options);
const ctl = (d, ...args) => h.run([...args, 'reload'], { program: CTL });
const socket = (d) => ['--socket', d.ops.socket];
const records = (d, action = 'CONFIG_RELOADED') => d.audit().filter((a) => a.action === action);

/* The line of the configuration file that has this text, from 1. */
const lineOf = (d, text) => 1 + fs.readFileSync(d.configFile, 'utf8').split('\n').findIndex((line) => line.includes(text));

test('the answer: done, or what is wrong; in the audit with who asked', async (t) => {
  const tokenFile = path.join(h.tempDir(t), 'ops.token');
  fs.writeFileSync(tokenFile, 'sesame\n');
  const d = await h.lockDaemon(t, { config: { ops: { tokenFile } } });
  const ann = await d.client({ user: 'ann' });

  d.config.resourceTypes = { doc: { lockTtl: '8m' } };
  d.writeConfig();
  const done = await post(d, { ...BY, reason: 'longer locks' });
  assert.deepStrictEqual([done.status, done.json], [200, { reloaded: true, warnings: [] }]);
  assert.strictEqual(done.headers['cache-control'], 'no-store');
  assert.strictEqual((await h.view(ann, 'doc:1')).policy.ttlMs, 8 * 60000, 'it is done when it is answered');
  const [written] = records(d);
  assert.deepStrictEqual([written.outcome, written.admin, written.reason, written.detail, written.address],
    ['success', { id: 'ops@clinic' }, 'longer locks', `uid ${process.getuid()}`, undefined]);

  d.config.limits = { maxMessageBytes: 'many' };
  d.config.redis.shards = 8;
  d.writeConfig();
  const unread = await post(d);
  assert.deepStrictEqual([unread.status, unread.json.error.code], [422, 'RELOAD_REFUSED']);
  const [{ message, ...where }] = unread.json.error.problems;
  assert.deepStrictEqual(where, { file: d.configFile, line: lineOf(d, 'maxMessageBytes'), key: 'limits.maxMessageBytes' });
  assert.ok(message);
  assert.strictEqual(await d.metric(SUCCESS), 0);
  assert.strictEqual(records(d)[1].outcome, 'failure');

  delete d.config.limits;
  d.config.auth.keys[0].secretFile = '/nonexistent';
  d.config.audit.file = '/tmp/elsewhere/audit.jsonl';
  d.writeConfig();
  const several = await post(d, BY, { tcp: true, headers: { Authorization: 'Bearer sesame' } });
  assert.deepStrictEqual(several.json.error.problems, [
    { file: d.configFile, line: lineOf(d, '"shards"'), key: 'redis.shards', message: 'changes only with a restart' },
    { file: d.configFile, line: lineOf(d, 'elsewhere'), key: 'audit.file', message: 'its directory changes only with a restart' },
    { file: d.configFile, line: lineOf(d, 'nonexistent'), key: 'auth.keys[0].secretFile', message: '/nonexistent: No such file or directory' },
  ]);
  assert.deepStrictEqual([records(d)[2].address, records(d)[2].detail], ['127.0.0.1', undefined]);
  assert.strictEqual((await h.view(ann, 'doc:2')).policy.ttlMs, 8 * 60000);

  fs.rmSync(d.configFile);
  const [missing] = (await post(d)).json.error.problems;
  assert.deepStrictEqual(missing, { file: d.configFile, message: 'No such file or directory' });

  for (const [body, options, status] of [[{}, {}, 400], [{ actor: '' }, {}, 400], [{ ...BY, reason: '' }, {}, 400], ['[]', {}, 400],
    [BY, { tcp: true }, 401]]) {
    assert.strictEqual((await post(d, body, options)).status, status, JSON.stringify(body));
  }
  assert.strictEqual((await h.opsCall(d, 'POST', '/v1/reload')).status, 400);
  assert.strictEqual((await h.opsCall(d, 'GET', '/v1/reload')).status, 405);
  assert.strictEqual(records(d).length, 4, 'what is not valid reloads nothing');
  await h.checkAll(d);
});

test('wslockctl reload: waits, exits with 0, or with 1 and the reasons', async (t) => {
  const dir = h.tempDir(t);
  const d = await h.lockDaemon(t);
  const done = await ctl(d, ...socket(d));
  assert.deepStrictEqual([done.code, done.stdout, done.stderr], [0, 'reloaded\n', '']);
  const [written] = records(d);
  assert.deepStrictEqual([written.admin, written.detail], [{ id: os.userInfo().username }, `uid ${process.getuid()}`]);
  const json = await ctl(d, '--json', ...socket(d));
  assert.deepStrictEqual([json.code, JSON.parse(json.stdout)], [0, { reloaded: true, warnings: [] }]);

  d.config.instance = 'other';
  d.config.auth.keys[0].secretFile = '/nonexistent';
  d.writeConfig();
  const refused = await ctl(d, ...socket(d));
  assert.deepStrictEqual([refused.code, refused.stdout, refused.stderr], [1, '',
    `${d.configFile}:${lineOf(d, '"instance"')}: instance: changes only with a restart\n`
    + `${d.configFile}:${lineOf(d, 'nonexistent')}: auth.keys[0].secretFile: /nonexistent: No such file or directory\n`
    + 'wslockctl: The new configuration is not valid. The previous one stays in force.\n']);
  const machine = await ctl(d, '--json', ...socket(d));
  assert.deepStrictEqual([machine.code, JSON.parse(machine.stdout).error.problems.length], [1, 2]);
  const byFile = await ctl(d, '--config', d.configFile); // finds the socket there
  assert.deepStrictEqual([byFile.code, byFile.stderr], [1, refused.stderr]);

  const gone = await ctl(d, '--socket', `${dir}/none`);
  assert.deepStrictEqual([gone.code, gone.stderr], [3, `wslockctl: no answer from wslockd at ${dir}/none: No such file or directory\n`]);
});

test('wslockctl reload over TCP: with the token of the configuration', async (t) => {
  const tokenFile = path.join(h.tempDir(t), 'ops.token');
  fs.writeFileSync(tokenFile, 'sesame\n');
  const d = await h.daemon(t, { config: { ops: { port: await h.freePort(), socket: null, tokenFile } } });
  const done = await ctl(d, '--config', d.configFile);
  assert.deepStrictEqual([done.code, done.stdout], [0, 'reloaded\n'], done.stderr);
  fs.writeFileSync(tokenFile, 'other\n');
  const refused = await ctl(d, '--config', d.configFile);
  assert.strictEqual(refused.code, 4);
  assert.match(refused.stderr, /tokenFile/);
});

test('warnings are told; many at once are done one after the other; none while it stops', async (t) => {
  const dir = h.tempDir(t);
  const tls = h.certificate(dir, { days: -1 });
  const d = await h.lockDaemon(t, { config: { listen: [{ address: '127.0.0.1', port: 0, tls }], drainTimeout: '1h' } });
  assert.match(d.log.join('\n'), /^certificate_expired/m);
  const expired = { file: d.configFile, line: lineOf(d, '"certificate"'), key: 'listen[0].tls.certificate' };
  const [{ message, ...where }] = (await post(d)).json.warnings;
  assert.deepStrictEqual(where, expired);
  assert.match(message, /expired at/);
  const told = await ctl(d, ...socket(d));
  assert.deepStrictEqual([told.code, told.stdout], [0, 'reloaded\n']);
  assert.match(told.stderr, /: listen\[0\]\.tls\.certificate: warning: .* expired at/);

  const before = records(d).length;
  const answers = await Promise.all(Array.from({ length: 12 }, (_, i) => {
    if (i % 3 === 0) d.signal('SIGHUP');
    return post(d);
  }));
  assert.deepStrictEqual(answers.map(({ status }) => status), Array(12).fill(200));
  await h.eventually(() => records(d).filter((a) => a.admin).length === before + 12, 'a record of each');

  // A disconnect that the store has not taken keeps the daemon from ending.
  const ann = await d.client({ user: 'ann' });
  await h.edit(ann, 'doc:1:a');
  d.redis.pause();
  d.signal('SIGTERM');
  await d.waitForLog(/^draining/);
  const late = await post(d);
  assert.deepStrictEqual([late.status, late.json.error.code], [503, 'STOPPING']);
  d.redis.resume();
  assert.strictEqual((await d.end()).code, 0);
});

test('warnings are those of --check-config, at their lines', async (t) => {
  const d = await h.lockDaemon(t);
  d.config.default = { presenceMaxListed: 10000 };
  d.config.limits = { messagesPerSecond: 5, messageBurst: 5 };
  d.writeConfig();
  const { status, json } = await post(d);
  assert.deepStrictEqual([status, json.warnings.map(({ key, line }) => ({ key, line }))], [200, [
    { key: 'default.presenceMaxListed', line: lineOf(d, 'presenceMaxListed') },
    { key: 'limits.messageBurst', line: lineOf(d, 'messageBurst') },
  ]]);
  const check = await h.run(['--check-config', '--config', d.configFile]);
  for (const { key, message } of json.warnings) {
    assert.ok(check.stderr.includes(`${key}: warning: ${message}`), check.stderr);
    assert.ok(d.log.some((line) => line.startsWith('reload_warning') && line.includes(`key=${key} `)), key);
  }
});

test('rotation: the file was renamed, or has another name', async (t) => {
  const d = await h.lockDaemon(t);
  const ann = await d.client({ user: 'ann' });
  const files = [`${d.auditFile}.1`, `${d.auditFile}.2`, path.join(d.dir, 'other.jsonl')];
  await h.take(ann, 'doc:1:a');
  for (const file of files.slice(0, 2)) {
    fs.renameSync(d.auditFile, file);
    await h.take(ann, `doc:${file.at(-1)}:b`); // still goes to the renamed file
    assert.strictEqual((await ctl(d, ...socket(d))).code, 0);
    assert.deepStrictEqual(d.audit().slice(0, 2).map((a) => a.action), ['AUDIT_ROTATED', 'CONFIG_RELOADED'], 'done when it is answered');
  }
  assert.strictEqual(d.log.filter((line) => /^audit_file_moved/.test(line)).length, 0);
  assert.strictEqual(await d.metric('wslock_audit_errors_total'), 0);

  const before = d.auditFile;
  d.config.audit.file = files[2];
  fs.writeFileSync(files[2], 'not empty\n');
  d.writeConfig();
  const refused = await post(d);
  assert.deepStrictEqual([refused.status, refused.json.error.problems.map(({ key }) => key)], [422, ['audit.file']], refused.body);
  assert.match(refused.json.error.problems[0].message, /is not empty/);
  await d.waitForAudit((a) => a.action === 'CONFIG_RELOADED' && a.outcome === 'failure'); // in the file before
  fs.rmSync(files[2]);
  assert.strictEqual((await post(d)).status, 200);
  d.auditFile = files[2];
  await h.take(ann, 'doc:9:a');
  await d.stop();
  const all = h.readChain([files[0], files[1], before, files[2]]);
  assert.strictEqual(all.filter((a) => a.action === 'LOCK_ACQUIRED').length, 4);
  assert.strictEqual(all.at(-1).action, 'AUDIT_STOPPED');
});

test('standard output: another key is refused', async (t) => {
  const d = await h.newDaemon(t, { config: { audit: { file: '-' } } });
  const hmacKeyFile = path.join(d.dir, 'hmac.key');
  fs.writeFileSync(hmacKeyFile, 'k'.repeat(64));
  await d.start();
  assert.strictEqual((await post(d)).status, 200);
  d.config.audit.hmacKeyFile = hmacKeyFile;
  d.writeConfig();
  assert.deepStrictEqual((await post(d)).json.error.problems, [{
    file: d.configFile, line: lineOf(d, 'hmacKeyFile'), key: 'audit.hmacKeyFile',
    message: 'the key of standard output changes only with a restart',
  }]);
});

test('rotation waits for a slow disk, and no record is lost', async (t) => {
  const d = await h.lockDaemon(t, { env: h.slowDisk(300) });
  const ann = await d.client({ user: 'ann' });
  await h.take(ann, 'doc:1:a');
  fs.renameSync(d.auditFile, `${d.auditFile}.1`);
  assert.strictEqual((await post(d)).status, 200);
  assert.strictEqual(d.audit()[0].action, 'AUDIT_ROTATED');
  await d.stop();
  h.readChain([`${d.auditFile}.1`, d.auditFile]);
});

test('with a full disk: the configuration is in force, and the answer says that its record is not written', async (t) => {
  const limits = { messagesPerSecond: 100000, messageBurst: 100000 };
  const d = await h.lockDaemon(t, { config: { limits }, fsize: 16384 });
  const ann = await d.client({ user: 'ann' });
  for (let i = 0; (await d.metric('wslock_audit_errors_total')) === 0; i += 1) {
    await ann.request('resource:join', { resourceId: `doc:n${i}` });
    await ann.request('resource:leave', { resourceId: `doc:n${i}` });
  }
  fs.renameSync(d.auditFile, `${d.auditFile}.1`);
  d.config.resourceTypes = { doc: { lockTtl: '8m' } };
  d.writeConfig();
  const answer = await post(d);
  assert.deepStrictEqual([answer.status, answer.json.error.code], [503, 'AUDIT_UNAVAILABLE']);
  assert.strictEqual((await h.view(ann, 'doc:1')).policy.ttlMs, 8 * 60000);
  assert.strictEqual(await d.metric(SUCCESS), 1);
  const told = await ctl(d, ...socket(d));
  assert.deepStrictEqual([told.code, told.stdout], [1, '']);
  assert.match(told.stderr, /the configuration was reloaded, but the audit cannot be written/);
});

test('fsync, freeText and checkpoint follow', async (t) => {
  const slow = 400;
  const d = await h.lockDaemon(t, {
    env: h.slowDisk(slow), config: { audit: { fsync: 'none' }, resourceTypes: { asks: { upgrade: 'request' } } },
  });
  const [ann, bob] = await Promise.all(['ann', 'bob'].map((user) => d.client({ user })));
  Object.assign(d.config.audit, { fsync: 'batch', freeText: 'omit', checkpoint: h.ms(200) });
  d.writeConfig();
  const answer = post(d);
  assert.ok((await h.elapsed(answer)) >= slow, 'its own record waits for the disk');
  assert.strictEqual((await answer).status, 200);
  await d.waitForAudit((a) => a.action === 'AUDIT_CHECKPOINT');
  await h.take(ann, 'asks:1:a');
  await h.view(bob, 'asks:1:a');
  await bob.expect('lock:request', { resourceId: 'asks:1:a', message: 'please' }, 'lock:requested');
  assert.strictEqual((await d.waitForAudit((a) => a.action === 'LOCK_REQUESTED')).detail, undefined);
});

'use strict';
/* The audit trail: what is recorded of what people do, and that nothing can be changed or cut out unseen. */
const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const h = require('./harness');

/* For those who fill a disk: the usual limits refuse them first where the machine is fast. */
const limits = { messagesPerSecond: 100000, messageBurst: 100000 };

test('every action, with its fields', async (t) => {
  const redis = await h.redis(t);
  await h.layOut(redis);
  const d = await h.lockDaemon(t, {
    redis,
    config: {
      instance: 'gw-7',
      auth: { issuer: 'https://id.example.org' },
      redis: { commandTimeout: h.ms(1000), lease: h.ms(3000) },
      audit: { checkpoint: h.ms(1000) },
      resourceTypes: {
        brief: { gracePeriod: h.ms(300) },
        short: { lockTtl: h.ms(400), heartbeatInterval: h.ms(150) },
        abrupt: { disconnect: 'release' },
        chart: { editorRoles: ['doctor'], takeoverRoles: ['nurse'] },
      },
    },
  });
  const r = 'document:audit:main';
  const claims = { iss: 'https://id.example.org', jti: 'jti-1' };
  const open = (who) => d.client({ claims, clientId: h.tab(), ...who });
  const record = (action, where = {}) => d.waitForAudit((a) => a.action === action && Object.entries(where).every(([k, v]) => (
    k === 'user' ? a.user?.id === v : a[k] === v)));

  const ann = await open({ user: 'ann', name: 'Ann', roles: ['nurse'], headers: { 'User-Agent': 'editor/3' } });
  const bob = await open({ user: 'bob', name: 'Bob' });
  const self = { id: 'ann', name: 'Ann', roles: ['nurse'] };
  const byAnn = {
    outcome: 'success', user: self, sessionId: ann.welcome.sessionId, clientId: ann.options.clientId, tokenId: 'jti-1',
    issuer: 'https://id.example.org', address: '127.0.0.1', userAgent: 'editor/3', instance: 'gw-7', v: 1,
  };
  const shows = (rec, fields) => {
    for (const [key, value] of Object.entries(fields)) assert.deepStrictEqual(rec[key], value, `${key} of ${JSON.stringify(rec)}`);
  };

  await t.test('sessions, rooms, grants', async () => {
    shows(await record('SESSION_OPENED', { user: 'ann' }), byAnn);
    await h.view(bob, r);
    const { token, rev } = await h.take(ann, r);
    const joined = await record('RESOURCE_JOINED', { user: 'ann', resourceId: r });
    shows(joined, { ...byAnn, resourceId: r, eventId: `${joined.rev}-0` });
    shows(await record('LOCK_ACQUIRED', { resourceId: r }), { ...byAnn, resourceId: r, fence: token, rev, eventId: `${rev}-0` });
    const denied = await bob.expect('lock:acquire', { resourceId: r }, 'lock:denied');
    shows(await record('LOCK_DENIED', { ref: denied.ref }), {
      outcome: 'failure', resourceId: r, reason: 'HELD', user: { id: 'bob', name: 'Bob' }, previousHolder: { id: 'ann', name: 'Ann' },
    });
    await ann.expect('lock:heartbeat', { resourceId: r, dirty: true }, 'lock:renewed');
    await ann.expect('lock:heartbeat', { resourceId: r, token: 7 }, 'lock:lost');
    shows(await record('STALE_TOKEN_REJECTED'), { ...byAnn, outcome: 'failure', resourceId: r, fence: 7, reason: 'STALE_TOKEN' });
    const released = await ann.expect('lock:release', { resourceId: r, revision: 'rev-9' }, 'lock:released');
    const rec = await record('LOCK_RELEASED', { resourceId: r });
    shows(rec, { ...byAnn, reason: 'RELEASED', fence: token, rev: released.rev, previousDirty: true, revision: 'rev-9' });
    assert.ok(rec.heldMs >= 0 && rec.heldMs < 60_000);
    await ann.expect('resource:leave', { resourceId: r }, 'resource:left');
    shows(await record('RESOURCE_LEFT', { user: 'ann' }), { ...byAnn, resourceId: r });
  });

  await t.test('moves, ends, returns', async () => {
    const twin = await open({ user: 'ann', name: 'Ann', roles: ['nurse'] });
    const first = await h.take(ann, 'document:moved');
    await h.view(twin, 'document:moved');
    const moved = await twin.expect('lock:acquire', { resourceId: 'document:moved', takeOwn: true }, 'lock:acquired');
    shows(await record('LOCK_MOVED'), {
      resourceId: 'document:moved:main', fence: moved.token, sessionId: twin.welcome.sessionId, previousHolder: { id: 'ann', name: 'Ann' }, previousDirty: false,
    });
    assert.ok(moved.token > first.token);
    const short = await h.take(bob, 'short:1');
    const expired = await record('LOCK_EXPIRED');
    shows(expired, { outcome: 'success', resourceId: 'short:1:main', user: { id: 'bob', name: 'Bob' }, fence: short.token, reason: 'EXPIRED' });
    assert.strictEqual(expired.sessionId, undefined, "nobody's doing");
    const gone = await open({ user: 'gone', name: 'Gone' });
    const { token } = await h.take(gone, 'brief:1');
    await gone.terminate();
    shows(await record('LOCK_GRACE_STARTED', { resourceId: 'brief:1:main' }), { user: { id: 'gone', name: 'Gone' }, fence: token });
    shows(await record('LOCK_GRACE_EXPIRED', { resourceId: 'brief:1:main' }), { fence: token, reason: 'GRACE_PERIOD_EXPIRED' });
    shows(await record('RESOURCE_LEFT', { user: 'gone' }), { resourceId: 'brief:1:main' });
    const closed = await record('SESSION_CLOSED', { user: 'gone' });
    assert.strictEqual(closed.sessionId, gone.welcome.sessionId);
    const back = await open({ user: 'back' });
    const kept = await h.take(back, 'document:back');
    await back.terminate();
    const again = await open({ user: 'back', clientId: back.options.clientId });
    await h.take(again, 'document:back', { token: kept.token });
    shows(await record('LOCK_RESUMED', { resourceId: 'document:back:main' }), { fence: kept.token, sessionId: again.welcome.sessionId });
    const left = await open({ user: 'left' });
    await h.take(left, 'abrupt:1');
    await left.terminate();
    shows(await record('LOCK_RELEASED', { resourceId: 'abrupt:1:main' }), { reason: 'DISCONNECT' });
  });

  await t.test('refusals', async () => {
    const nurse = await h.edit(ann, 'chart:1');
    shows(await record('LOCK_DENIED', { ref: nurse.answer.data.ref }), { outcome: 'failure', reason: 'NOT_AN_EDITOR', resourceId: 'chart:1:main' });
    const evil = await d.newClient({ silent: true, headers: { Origin: 'https://evil.example.org' } });
    await assert.rejects(evil.opened);
    shows(await record('ACCESS_DENIED'), { outcome: 'failure', address: '127.0.0.1' });
    const bad = await d.newClient({ user: 'eve', key: Buffer.alloc(48, 7), inHeader: true });
    await assert.rejects(bad.opened);
    await record('AUTH_FAILED');
    const late = await (await d.newClient({ silent: true })).start();
    await h.refused(late, 'auth', { token: await d.token({ user: 'late', ttl: -90, claims }) }, 'TOKEN_EXPIRED');
    const failed = await d.waitForAudit((a) => a.action === 'AUTH_FAILED' && a.sessionId);
    shows(failed, { outcome: 'failure' });
  });

  await t.test('the store', async () => {
    await h.take(bob, 'document:store');
    const { token } = await bob.expect('lock:acquire', { resourceId: 'document:store' }, 'lock:acquired');
    await redis.restart('SIGKILL'); // empty: the lock comes back from the daemon's report
    await bob.waitFor('system:degraded');
    await bob.waitFor('system:recovered');
    shows(await record('STORE_LOST'), { outcome: 'failure', instance: 'gw-7' });
    shows(await record('STORE_RECOVERED'), { outcome: 'success' });
    shows(await record('LOCK_RECOVERED', { resourceId: 'document:store:main' }), { user: { id: 'bob', name: 'Bob' }, fence: token });
  });

  await t.test('checkpoints, also in the log', async () => {
    const checkpoint = await record('AUDIT_CHECKPOINT');
    await h.eventually(() => d.log.some((line) => /audit_checkpoint/.test(line) && line.includes(`seq=${checkpoint.seq}`) && line.includes(checkpoint.hash)));
  });

  await d.stop();
  const records = h.readChain([d.auditFile]);
  assert.strictEqual(records[0].action, 'AUDIT_STARTED');
  assert.ok(records.some((a) => a.action === 'DRAIN_STARTED'));
  assert.strictEqual(records.at(-1).action, 'AUDIT_STOPPED');
  assert.deepStrictEqual([...new Set(records.map((a) => a.instance))], ['gw-7']);
  const ids = records.filter((a) => a.eventId).map((a) => a.eventId);
  assert.strictEqual(new Set(ids).size, ids.length, 'a change is recorded once');
  for (const a of records) assert.ok(!JSON.stringify(a).includes('eyJ'), 'no token is ever written');
  assert.strictEqual(fs.statSync(d.auditFile).mode & 0o777, 0o640);
  await h.checkAll(d);
});

test('the chain goes on over restarts, kills and a torn line', async (t) => {
  const keyFile = path.join(h.tempDir(t), 'hmac');
  const key = Buffer.from('k'.repeat(40));
  fs.writeFileSync(keyFile, key, { mode: 0o600 });
  const d = await h.lockDaemon(t, { config: { audit: { hmacKeyFile: keyFile } } });
  await h.take(await d.client({ user: 'one' }), 'document:chain');
  await d.restart();
  await d.client({ user: 'two' });
  await d.waitForAudit((a) => a.action === 'SESSION_OPENED' && a.user.id === 'two');
  await d.kill();
  const before = h.readChain([d.auditFile], key);
  assert.ok(before.some((a) => a.user?.id === 'one'));
  // What a crash in the middle of a write leaves behind.
  const whole = fs.readFileSync(d.auditFile);
  const torn = '{"time":"2026-01-01T00:00:00.000000Z","action":"LOCK_ACQ';
  fs.appendFileSync(d.auditFile, torn);
  await d.restart();
  await d.client({ user: 'three' });
  await d.waitForAudit((a) => a.action === 'SESSION_OPENED' && a.user.id === 'three');
  await d.stop();
  const records = h.readChain([d.auditFile], key);
  assert.ok(fs.readFileSync(d.auditFile).subarray(0, whole.length).equals(whole), 'nothing before it has changed');
  const after = records.slice(before.length).map((a) => a.action);
  const repaired = records.find((a) => a.action === 'AUDIT_REPAIRED');
  assert.ok(after.indexOf('AUDIT_REPAIRED') >= 0 && after.indexOf('AUDIT_REPAIRED') <= 1, after.join());
  assert.ok(after.includes('AUDIT_STARTED'));
  assert.match(repaired.detail, new RegExp(`${torn.length}`), 'it says what was cut');
  assert.strictEqual(records.filter((a) => a.action === 'AUDIT_REPAIRED').length, 1);
});

test('a trail that was tampered with is not continued: exit 3', async (t) => {
  const d = await h.lockDaemon(t, {});
  await h.take(await d.client({ user: 'ann' }), 'document:tampered');
  await d.stop();
  const text = fs.readFileSync(d.auditFile, 'utf8');
  h.readChain([d.auditFile]);
  const lines = text.slice(0, -1).split('\n');
  for (const n of [1, 2]) lines[lines.length - n] = lines[lines.length - n].replace('"outcome":"success"', '"outcome":"failure"');
  fs.writeFileSync(d.auditFile, `${lines.join('\n')}\n`);
  d.spawn();
  const end = await d.end();
  assert.strictEqual(end.code, 3);
  end.code = 0; // as it should be
  assert.match(d.tail(), /audit/);
  assert.strictEqual(fs.readFileSync(d.auditFile, 'utf8'), `${lines.join('\n')}\n`, 'and it is left as it is');
});

test('onFailure: stop-all: nothing begins while the trail cannot be written', async (t) => {
  for (const [onFailure, stops] of [['stop-all', true], ['continue', false]]) {
    const d = await h.lockDaemon(t, { config: { audit: { onFailure }, limits }, fsize: 16384 });
    const clientId = h.tab();
    const ann = await d.client({ user: 'ann', clientId });
    const { token } = await h.take(ann, 'document:before');
    const broken = await h.take(ann, 'document:broken');
    const bob = await d.client({ user: 'bob' });
    await h.view(bob, 'document:broken');
    let answer;
    for (let i = 0; i < 400; i++) {
      answer = await ann.request('lock:acquire', { resourceId: 'document:before' });
      if (answer.event === 'error' || (await d.metric('wslock_audit_errors_total')) > 0) break;
      await ann.request('resource:join', { resourceId: `document:n${i}` });
      await ann.request('resource:leave', { resourceId: `document:n${i}` });
    }
    const after = await ann.request('resource:join', { resourceId: 'document:after', mode: 'editor' });
    const ready = await h.httpGet(d.opsUrl('/readyz'));
    assert.deepStrictEqual(ready.json.reasons, stops ? ['the audit cannot be written'] : []);
    if (stops) {
      assert.strictEqual(after.data.code, 'AUDIT_UNAVAILABLE');
      assert.strictEqual((await ann.request('lock:acquire', { resourceId: 'document:before' })).data.code, 'AUDIT_UNAVAILABLE');
    } else {
      assert.strictEqual(after.event, 'resource:joined');
    }
    assert.strictEqual((await ann.request('resource:join', { resourceId: 'document:viewed' })).event, 'resource:joined');
    // What is held goes on, also on a new connection, and may be given up.
    ann.ws.terminate();
    await bob.waitFor('lock:state', (state) => state.cause === 'GRACE_STARTED');
    const back = await d.client({ user: 'ann', clientId });
    if (stops) await h.refused(back, 'resource:join', { resourceId: 'document:broken', mode: 'editor' }, 'AUDIT_UNAVAILABLE');
    await h.view(back, 'document:broken');
    const renewed = await back.expect('lock:heartbeat', { resourceId: 'document:broken', token: broken.token }, 'lock:renewed');
    assert.deepStrictEqual([renewed.resumed, renewed.token], [true, broken.token]);
    await h.view(back, 'document:before');
    await back.expect('lock:heartbeat', { resourceId: 'document:before', token }, 'lock:renewed');
    await back.expect('lock:release', { resourceId: 'document:before' }, 'lock:released');
    await d.kill();
  }
});

test('an urgent takeover with a full disk: its record is in the log, once', async (t) => {
  for (const freeText of ['keep', 'omit']) {
    const d = await h.lockDaemon(t, {
      config: { audit: { freeText }, auth: { adminRoles: ['lock-admin'] }, resourceTypes: { urgent: { urgentTakeover: true } }, limits },
      fsize: 16384,
    });
    const r = 'urgent:full:main';
    const ann = await d.client({ user: 'ann' });
    const root = await d.client({ user: 'root', roles: ['lock-admin'], clientId: h.tab() });
    await h.take(ann, r);
    await h.view(root, r);
    for (let i = 0; (await d.metric('wslock_audit_errors_total')) === 0; i++) {
      await ann.request('resource:join', { resourceId: `document:n${i}` });
      await ann.request('resource:leave', { resourceId: `document:n${i}` });
    }
    const take = { resourceId: r, reason: 'Cardiac "arrest"\nnow' };
    await h.refused(root, 'lock:takeover', take, 'AUDIT_UNAVAILABLE');
    const { data: lock } = await root.request('lock:takeover', { ...take, urgent: true });
    const told = d.log.filter((line) => line.startsWith('admin_action_not_on_disk '));
    assert.strictEqual(told.length, 1, told.join('\n'));
    const record = JSON.parse(JSON.parse(/ record=("(?:[^"\\]|\\.)*")/.exec(told[0])[1]));
    assert.deepStrictEqual(Object.keys(record), h.AUDIT_KEYS.filter((k) => k in record));
    assert.deepStrictEqual([record.action, record.resourceId, record.fence, record.decision, record.eventId],
      ['LOCK_TAKEOVER', r, lock.token, 'URGENT', `${lock.rev}-0`]);
    assert.deepStrictEqual([record.user.id, record.admin.id, record.previousHolder.id, record.address, record.sessionId],
      ['root', 'root', 'ann', '127.0.0.1', root.welcome.sessionId]);
    assert.strictEqual(record.reason, freeText === 'keep' ? take.reason : undefined);
    await d.kill();
  }
});

test('freeText: omit leaves out the words of a request and the revision, not the reason codes', async (t) => {
  const told = {};
  for (const freeText of ['keep', 'omit']) {
    const d = await h.lockDaemon(t, { config: { audit: { freeText }, resourceTypes: { asked: { upgrade: 'request' } } } });
    const r = 'asked:words:main';
    const ann = await d.client({ user: 'ann' });
    const bob = await d.client({ user: 'bob' });
    await h.take(ann, r);
    await h.view(bob, r);
    await bob.expect('lock:request', { resourceId: r, message: 'for Mrs Miller' }, 'lock:requested');
    await ann.expect('lock:release', { resourceId: r, revision: 'Miller-2' }, 'lock:released');
    await d.stop();
    const records = h.readChain([d.auditFile]);
    assert.deepStrictEqual(records.flatMap((a) => [a.detail, a.revision]).filter((word) => /Miller/.test(word)),
      freeText === 'keep' ? ['for Mrs Miller', 'Miller-2'] : []);
    told[freeText] = records.map((a) => `${a.action} ${a.reason}`).sort();
  }
  assert.ok(told.keep.includes('LOCK_RELEASED RELEASED'), told.keep.join(', '));
  assert.deepStrictEqual(told.omit, told.keep);
});

test('a stop waits for a slow disk, but not for ever', async (t) => {
  await t.test('slow: everything is written', async (st) => {
    const d = await h.lockDaemon(st, { env: h.slowDisk(700), config: { drainTimeout: '1h' } });
    await h.take(await d.client({ user: 'ann' }), 'document:slow');
    assert.deepStrictEqual(await d.stop(), { code: 0, signal: null });
    assert.strictEqual(h.readChain([d.auditFile]).at(-1).action, 'AUDIT_STOPPED');
  });
  await t.test('stuck: exit 0 after drainTimeout, and it says what it does not know', async (st) => {
    const d = await h.lockDaemon(st, { env: h.slowDisk(600_000), config: { drainTimeout: '1s' } });
    await h.take(await d.client({ user: 'ann' }), 'document:stuck');
    // The disk is given up after 5 s by itself: what ended the waiting must have come before.
    assert.ok((await h.elapsed(d.stop())) < 6000);
    assert.deepStrictEqual(d.exit, { code: 0, signal: null });
    assert.match(d.tail(1000), /audit_records_lost/);
  });
  await t.test('stuck: a second signal ends the waiting', async (st) => {
    const d = await h.lockDaemon(st, { env: h.slowDisk(600_000), config: { drainTimeout: '1h' } });
    d.signal('SIGTERM');
    await d.waitForLog(/^draining/);
    d.signal('SIGTERM');
    assert.ok((await h.elapsed(d.end())) < 6000);
    assert.deepStrictEqual(d.exit, { code: 0, signal: null });
  });
});

test('a file that is moved away while it is written is told', async (t) => {
  const d = await h.lockDaemon(t);
  const ann = await d.client({ user: 'ann' });
  const aside = `${d.auditFile}.1`;
  fs.renameSync(d.auditFile, aside);
  await h.take(ann, 'document:moved');
  await d.waitForLog(/^audit_file_moved/);
  assert.strictEqual(await d.metric('wslock_audit_errors_total'), 1);
  fs.renameSync(aside, d.auditFile);
  await ann.expect('lock:release', { resourceId: 'document:moved' }, 'lock:released');
  await d.waitForLog(/^audit_file_back/);
  await d.stop();
  assert.ok(h.readChain([d.auditFile]).some((a) => a.action === 'LOCK_ACQUIRED'), 'nothing is lost');
});

test('killed with -9: what it had written is not written again', async (t) => {
  const d = await h.lockDaemon(t, { config: { redis: { lease: h.ms(1500), commandTimeout: h.ms(400) } } });
  const { token } = await h.take(await d.client({ user: 'ann' }), 'document:written');
  await d.waitForAudit((a) => a.action === 'LOCK_ACQUIRED' && a.fence === token);
  await d.kill();
  await d.restart();
  await d.waitForLog(/^audit_read_back\s.*records=[2-9]/, h.TIMEOUT * 2);
  await d.stop();
  const records = h.readChain([d.auditFile]);
  assert.deepStrictEqual(records.filter((a) => a.recovered), []);
  assert.strictEqual(records.filter((a) => a.action === 'LOCK_ACQUIRED' && a.fence === token).length, 1);
});

/* end: how the first instance goes. */
async function fullDisk(t, end) {
  const redis = await h.redis(t);
  await h.layOut(redis);
  const config = { redis: { lease: h.ms(3000), commandTimeout: h.ms(1000) }, audit: { onFailure: 'continue' }, limits };
  const one = await h.lockDaemon(t, { redis, config: { ...config, instance: 'gw-1' }, fsize: 16384 });
  const two = await h.lockDaemon(t, { redis, config: { ...config, instance: 'gw-2' } });
  const ann = await one.client({ user: 'ann', name: 'Ann', clientId: h.tab() });
  for (let i = 0; (await one.metric('wslock_audit_errors_total')) === 0; i++) {
    await ann.request('resource:join', { resourceId: `document:full-${i}` });
    await ann.request('resource:leave', { resourceId: `document:full-${i}` });
  }
  const r = 'document:missing:main';
  const { token, rev } = await h.take(ann, r);
  const { rev: released } = await ann.expect('lock:release', { resourceId: r, revision: 'v7' }, 'lock:released');
  await end(one);
  const found = (action) => two.waitForAudit((a) => a.action === action && a.resourceId === r, h.TIMEOUT * 2);
  const acquired = await found('LOCK_ACQUIRED');
  assert.strictEqual(acquired.recovered, true);
  assert.deepStrictEqual([acquired.fence, acquired.rev, acquired.eventId], [token, rev, `${rev}-0`]);
  assert.deepStrictEqual([acquired.user.id, acquired.clientId, acquired.instance], ['ann', ann.options.clientId, 'gw-2']);
  assert.strictEqual(acquired.sessionId, ann.welcome.sessionId);
  const release = await found('LOCK_RELEASED');
  assert.deepStrictEqual([release.recovered, release.fence, release.rev, release.revision], [true, token, released, 'v7']);
  assert.strictEqual((await found('RESOURCE_JOINED')).recovered, true);
  // Killed, it left when it was reaped: nobody had to find that out afterwards.
  assert.strictEqual((await found('RESOURCE_LEFT')).recovered, one.exit.signal ? undefined : true);
  const missing = (await fs.promises.readFile(one.auditFile, 'utf8')).includes(`"eventId":"${rev}-0"`);
  assert.strictEqual(missing, false, 'the first one could not write it');
  // Nobody keeps anything for the one that is gone.
  await h.eventually(async () => {
    for (const key of await redis.keys('*:written')) if (Object.keys(await redis.hash(key)).length !== 1) return false;
    return true;
  }, 'the dead instance is forgotten');
  await two.stop();
  const ids = h.readChain([two.auditFile]).filter((a) => a.eventId).map((a) => `${a.resourceId} ${a.eventId}`);
  assert.strictEqual(new Set(ids).size, ids.length, 'each change once');
}

test('killed with -9 with a full disk: another instance writes what is missing', (t) => fullDisk(t, (d) => d.kill()));

test('stopped in good order with a full disk: the same', (t) => fullDisk(t, (d) => d.stop()));

test('a call that is carried out without an answer is recorded all the same', async (t) => {
  const redis = await h.redis(t);
  await h.layOut(redis);
  const d = await h.lockDaemon(t, { redis, config: { redis: { lease: h.ms(6000), commandTimeout: h.ms(400) } } });
  const r = 'document:unanswered:main';
  const ann = await d.client({ user: 'ann', clientId: h.tab() });
  const { token } = await h.take(ann, r);
  redis.pause();
  ann.ws.terminate(); // its end waits in the socket, and is repeated on another connection
  await d.waitForLog(/^store_lost\s/);
  redis.resume();
  const started = await d.waitForAudit((a) => a.action === 'LOCK_GRACE_STARTED' && a.fence === token, h.TIMEOUT * 2);
  const left = await d.waitForAudit((a) => a.action === 'RESOURCE_LEFT' && a.resourceId === r);
  assert.deepStrictEqual([started.recovered, left.recovered], [true, true]);
  await d.stop();
  assert.strictEqual(h.readChain([d.auditFile]).filter((a) => a.eventId === started.eventId).length, 1);
});

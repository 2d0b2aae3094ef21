'use strict';
/* What an operator does over the operations endpoint: releases a lock, has it reserved for a user, ends a session. */
const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const h = require('./harness');

const WHY = { reason: 'left for the day', actor: 'ops@clinic' };
const config = (instance) => ({
  instance,
  default: { takeoverTimeout: '30s', gracePeriod: '30s', claimWindow: '30s' },
  auth: { adminRoles: ['lock-admin'] },
  resourceTypes: { document: {}, line: { upgrade: 'queue' }, asks: { upgrade: 'request' }, brief: { upgrade: 'queue', claimWindow: h.ms(800) } },
  unknownResourceTypes: 'reject',
});

const call = (d, method, pathname, body = WHY, options = {}) => h.opsCall(d, method, pathname, body, options);
const release = (d, r, body, options) => call(d, 'DELETE', `/v1/locks/${r}`, body, options);
const takeover = (d, r, userId, body, options) => call(d, 'POST', `/v1/locks/${r}/takeover`, { ...WHY, userId, ...body }, options);
const end = (d, session, body, options) => call(d, 'DELETE', `/v1/sessions/${session}`, body, options);

async function done(promise) {
  const answer = await promise;
  assert.strictEqual(answer.status, 200, answer.body);
  assert.strictEqual(answer.headers['content-type'], 'application/json');
  assert.strictEqual(answer.headers['cache-control'], 'no-store');
  return answer.json;
}

async function refused(promise, status, code) {
  const answer = await promise;
  assert.deepStrictEqual([answer.status, answer.json.error.code], [status, code], answer.body);
  assert.ok(answer.json.error.message);
  return answer;
}

test('an operator', { concurrency: 12 }, async (t) => {
  const one = await h.lockDaemon(t, { config: config('one') });
  const two = await h.lockDaemon(t, { redis: one.redis, config: config('two') });
  const open = h.person;
  const records = (d, r, action) => d.audit().filter((a) => a.action === action && a.resourceId === r);
  const queue = async (d, user, r) => {
    const client = await open(d, user);
    await h.view(client, r);
    await client.expect('lock:acquire', { resourceId: r }, 'lock:queued');
    return client;
  };

  await h.together(t, {
    'releases what is held, on the other daemon; on disk before it is answered': async () => {
      const r = 'document:o-held:main';
      const ann = await open(one, 'ann');
      const { token } = await h.take(ann, r);
      const bob = await open(two, 'bob');
      await h.view(bob, r);
      const answer = await done(release(two, r));
      const [written] = records(two, r, 'LOCK_ADMIN_RELEASED');
      assert.ok(written, 'the record is there when the answer is');
      assert.deepStrictEqual(answer, {
        resourceId: r, previousHolder: { userId: 'ann', username: 'Ann', token }, lock: { state: 'free' },
      });
      assert.deepStrictEqual([written.outcome, written.admin, written.previousHolder, written.reason, written.fence, written.detail],
        ['success', { id: 'ops@clinic' }, { id: 'ann', name: 'Ann' }, 'left for the day', token, `uid ${process.getuid()}`]);
      assert.ok(written.heldMs >= 0 && written.eventId);
      const lost = (await ann.waitFor('lock:lost')).data;
      assert.deepStrictEqual([lost.reason, lost.token, lost.by], ['ADMIN_RELEASED', token, 'ops@clinic']);
      const released = (await bob.waitFor('lock:released')).data;
      assert.deepStrictEqual([released.reason, released.previousHolder], ['ADMIN_RELEASED', 'ann']);
      await bob.waitFor('lock:state', (s) => s.cause === 'ADMIN_RELEASED' && s.lock.state === 'free');
      assert.strictEqual((await ann.expect('lock:heartbeat', { resourceId: r, token }, 'lock:lost')).reason, 'NOT_HELD');
      const got = await ann.expect('lock:acquire', { resourceId: r }, 'lock:acquired');
      assert.strictEqual(got.previous.reason, 'ADMIN_RELEASED');
      assert.deepStrictEqual(ann.received('lock:taken_by_admin'), []);
      assert.strictEqual(records(one, r, 'LOCK_ADMIN_RELEASED').length, 0, 'written once');
    },
    'releases what is in grace; the queue moves up; then the turn is released too': async () => {
      const r = 'line:o-grace:main';
      const ann = await open(one, 'ann');
      await h.take(ann, r);
      const bob = await queue(one, 'bob', r);
      const cy = await queue(two, 'cy', r);
      await ann.terminate();
      await bob.waitFor('lock:state', (s) => s.cause === 'GRACE_STARTED');
      const first = await done(release(two, 'line:o-grace'));
      assert.deepStrictEqual([first.previousHolder.userId, first.lock.state, first.lock.reservedFor, first.lock.queueLength],
        ['ann', 'reserved', { userId: 'bob', username: 'Bob' }, 1]);
      assert.strictEqual((await bob.waitFor('lock:your_turn')).data.claimBy, first.lock.reservedUntil);
      const second = await done(release(one, r));
      assert.deepStrictEqual([second.previousHolder, second.lock.reservedFor.userId], [null, 'cy']);
      assert.strictEqual((await bob.waitFor('lock:queue_left')).data.reason, 'ADMIN_RELEASED');
      await cy.waitFor('lock:your_turn');
      assert.deepStrictEqual(records(one, r, 'LOCK_ADMIN_RELEASED').map((a) => a.user), [{ id: 'bob', name: 'Bob' }]);
      await one.waitForAudit((a) => a.action === 'RESERVATION_EXPIRED' && a.resourceId === r && a.reason === 'ADMIN_RELEASED');
      await one.waitForAudit((a) => a.action === 'LOCK_RESERVED' && a.resourceId === r && a.user.id === 'cy');
      assert.strictEqual((await bob.expect('lock:claim', { resourceId: r }, 'lock:denied')).reason, 'RESERVED');
      await cy.expect('lock:claim', { resourceId: r }, 'lock:acquired');
    },
    'a pending takeover has what is released': async () => {
      const r = 'document:o-pending:main';
      const ann = await open(one, 'ann');
      await h.take(ann, r);
      const root = await open(two, 'root', { roles: ['lock-admin'] });
      await h.view(root, r);
      await root.expect('lock:takeover', { resourceId: r, reason: 'now' }, 'lock:takeover_pending');
      const answer = await done(release(one, r));
      assert.deepStrictEqual([answer.lock.state, answer.lock.holder.userId, answer.previousHolder.userId], ['held', 'root', 'ann']);
      assert.strictEqual((await root.waitFor('lock:acquired')).data.token, answer.lock.holder.token);
      assert.strictEqual((await ann.waitFor('lock:lost')).data.reason, 'ADMIN_RELEASED');
    },
    'takes a lock for who is in the room: any tab may claim it': async () => {
      const r = 'line:o-take:main';
      const ann = await open(one, 'ann');
      const { token } = await h.take(ann, r);
      const bob = await queue(one, 'bob', r);
      const dee = [await open(one, 'dee'), await open(two, 'dee')];
      for (const tab of dee) await h.view(tab, r);
      const answer = await done(takeover(two, r, 'dee', { reason: 'ward round' }));
      const [written] = records(two, r, 'LOCK_TAKEOVER');
      assert.deepStrictEqual(answer, {
        resourceId: r, previousHolder: { userId: 'ann', username: 'Ann', token }, inRoom: true,
        lock: { state: 'reserved', reservedFor: { userId: 'dee', username: 'Dee' }, reservedUntil: answer.lock.reservedUntil, queueLength: 1 },
      });
      assert.deepStrictEqual(
        [written.admin, written.user, written.previousHolder, written.reason, written.decision, written.fence],
        [{ id: 'ops@clinic' }, { id: 'dee', name: 'Dee' }, { id: 'ann', name: 'Ann' }, 'ward round', 'IMMEDIATE', token]);
      const told = (await ann.waitFor('lock:taken_by_admin')).data;
      assert.deepStrictEqual([told.admin, told.adminUsername, told.reason], ['ops@clinic', 'ops@clinic', 'ward round']);
      const lost = (await ann.waitFor('lock:lost')).data;
      assert.deepStrictEqual([lost.reason, lost.by], ['TAKEN_BY_ADMIN', 'ops@clinic']);
      await bob.waitFor('lock:released', (x) => x.reason === 'TAKEN_BY_ADMIN');
      for (const tab of dee) assert.strictEqual((await tab.waitFor('lock:your_turn')).data.claimBy, answer.lock.reservedUntil);
      const state = await h.status(bob, r);
      assert.deepStrictEqual([state.state, state.reservedFor.userId, state.queueLength], ['reserved', 'dee', 1]);
      await dee[1].expect('lock:claim', { resourceId: r }, 'lock:acquired');
      assert.deepStrictEqual(bob.received('lock:your_turn'), []);
      await dee[1].expect('lock:release', { resourceId: r }, 'lock:released');
      await bob.waitFor('lock:your_turn');
    },
    'takes a lock that is reserved: its beneficiary waits at the head': async () => {
      const r = 'line:o-replace:main';
      const ann = await open(one, 'ann');
      await h.take(ann, r);
      const bob = await queue(two, 'bob', r);
      await ann.expect('lock:release', { resourceId: r }, 'lock:released');
      await bob.waitFor('lock:your_turn');
      const answer = await done(takeover(one, r, 'ann'));
      assert.deepStrictEqual([answer.previousHolder, answer.lock.reservedFor.userId, answer.lock.queueLength], [null, 'ann', 1]);
      assert.strictEqual((await bob.waitFor('lock:queued')).data.position, 1);
      await ann.waitFor('lock:your_turn');
      await ann.expect('lock:queue_leave', { resourceId: r }, 'lock:queue_left');
      await bob.waitFor('lock:your_turn');
    },
    'takes a free lock for who comes later': async () => {
      const r = 'document:o-later:main';
      const bob = await open(one, 'bob');
      await h.view(bob, r);
      const answer = await done(takeover(one, r, 'zoe'));
      assert.deepStrictEqual([answer.inRoom, answer.previousHolder, answer.lock.reservedFor], [false, null, { userId: 'zoe', username: 'zoe' }]);
      await bob.waitFor('lock:state', (s) => s.cause === 'RESERVED' && s.lock.reservedFor.userId === 'zoe');
      assert.strictEqual((await bob.expect('lock:acquire', { resourceId: r }, 'lock:denied')).reason, 'RESERVED');
      const zoe = await open(two, 'zoe');
      await h.view(zoe, r);
      assert.strictEqual((await zoe.waitFor('lock:your_turn')).data.claimBy, answer.lock.reservedUntil);
      await zoe.expect('lock:acquire', { resourceId: r }, 'lock:acquired');
      await zoe.expect('lock:release', { resourceId: r }, 'lock:released');
      await done(takeover(two, r, 'yan'));
      const yan = await open(one, 'yan');
      await h.take(yan, r);
    },
    'who does not come loses the turn': async () => {
      const r = 'brief:o-expires:main';
      const ann = await open(one, 'ann');
      await h.take(ann, r);
      const bob = await queue(one, 'bob', r);
      const dee = await open(two, 'dee');
      await h.view(dee, r);
      await done(takeover(two, r, 'dee'));
      await dee.waitFor('lock:your_turn');
      assert.strictEqual((await dee.waitFor('lock:queue_left')).data.reason, 'CLAIM_EXPIRED');
      await bob.waitFor('lock:your_turn');
      await h.eventually(() => [one, two].some((d) => records(d, r, 'RESERVATION_EXPIRED').some((a) => a.user.id === 'dee')), 'in the audit');
    },
    'a takeover that is pending ends': async () => {
      const r = 'document:o-over:main';
      const ann = await open(one, 'ann');
      await h.take(ann, r);
      const root = await open(two, 'root', { roles: ['lock-admin'] });
      await h.view(root, r);
      const { requestId } = await root.expect('lock:takeover', { resourceId: r, reason: 'now' }, 'lock:takeover_pending');
      const answer = await done(takeover(one, r, 'root'));
      assert.strictEqual(answer.lock.reservedFor.userId, 'root');
      for (const client of [ann, root]) {
        assert.deepStrictEqual((await client.waitFor('lock:takeover_closed')).data, { requestId, outcome: 'OVERTAKEN' });
      }
      await ann.waitFor('lock:taken_by_admin');
      await root.waitFor('lock:your_turn');
      await root.expect('lock:claim', { resourceId: r }, 'lock:acquired');
    },
    'ends a session: its locks, places, requests and turns go': async () => {
      const [held, turn, place, asked] = ['document:o-end:main', 'line:o-end-turn:main', 'line:o-end-place:main', 'asks:o-end:main'];
      const ann = await open(one, 'ann');
      const bob = await open(two, 'bob');
      const { token } = await h.take(ann, held);
      await h.view(bob, held);
      for (const r of [turn, place, asked]) {
        await h.take(bob, r);
        await h.view(ann, r);
      }
      for (const r of [turn, place]) await ann.expect('lock:acquire', { resourceId: r }, 'lock:queued');
      await ann.expect('lock:request', { resourceId: asked, message: 'please' }, 'lock:requested');
      await bob.waitFor('lock:request_received');
      await bob.expect('lock:release', { resourceId: turn }, 'lock:released');
      await ann.waitFor('lock:your_turn');

      const { sessionId } = ann.welcome;
      const answer = await done(end(one, sessionId, { reason: 'stolen laptop', actor: 'security' }));
      assert.deepStrictEqual(answer, { sessionId, userId: 'ann', username: 'Ann', rooms: 4, complete: true });
      const written = one.audit().find((a) => a.action === 'SESSION_TERMINATED' && a.sessionId === sessionId);
      assert.deepStrictEqual([written.admin, written.user.id, written.reason, written.detail],
        [{ id: 'security' }, 'ann', 'stolen laptop', `uid ${process.getuid()}`]);
      const lost = (await ann.waitFor('lock:lost')).data;
      assert.deepStrictEqual([lost.resourceId, lost.reason, lost.token], [held, 'SESSION_TERMINATED', token]);
      assert.deepStrictEqual((await ann.waitFor('session:closed')).data, { code: 4403, reason: 'SESSION_TERMINATED', reconnect: false });
      assert.deepStrictEqual(await ann.end(), { code: 4403, reason: 'SESSION_TERMINATED' });
      assert.strictEqual((await bob.waitFor('lock:released', (x) => x.resourceId === held)).data.reason, 'SESSION_TERMINATED');
      await bob.waitFor('lock:state', (s) => s.resourceId === held && s.cause === 'SESSION_TERMINATED' && s.lock.state === 'free');
      await bob.waitFor('lock:state', (s) => s.resourceId === turn && s.cause === 'SESSION_TERMINATED' && s.lock.state === 'free');
      assert.strictEqual((await bob.waitFor('lock:request_closed')).data.outcome, 'LEFT');
      assert.strictEqual((await h.status(bob, place)).queueLength, 0);
      await one.waitForAudit((a) => a.action === 'LOCK_RELEASED' && a.resourceId === held && a.reason === 'SESSION_TERMINATED');
      await one.waitForAudit((a) => a.action === 'SESSION_CLOSED' && a.sessionId === sessionId && a.reason === 'SESSION_TERMINATED');
      await refused(end(one, sessionId), 404, 'NOT_FOUND');
      const back = await open(one, 'ann', { clientId: ann.options.clientId });
      const joined = await h.edit(back, held, { token });
      assert.strictEqual(joined.joined.lost.reason, 'SESSION_TERMINATED');
      assert.strictEqual(joined.answer.event, 'lock:acquired', 'it may come back');
    },
    'ends a session that reads nothing: its locks do not wait for it': async () => {
      const r = 'document:o-deaf:main';
      const ann = await open(one, 'ann');
      await h.take(ann, r);
      ann.pause();
      const answer = await done(end(one, ann.welcome.sessionId));
      assert.deepStrictEqual([answer.rooms, answer.complete], [1, true]);
      const bob = await open(two, 'bob');
      await h.take(bob, r);
      ann.resume();
      assert.strictEqual((await ann.end()).code, 4403);
    },
    'ends a session that is in no room; knows those of its own instance only': async () => {
      const ann = await open(one, 'ann');
      await refused(end(two, ann.welcome.sessionId), 404, 'NOT_FOUND');
      const answer = await done(end(one, ann.welcome.sessionId));
      assert.deepStrictEqual([answer.rooms, answer.complete], [0, true]);
      assert.strictEqual((await ann.end()).code, 4403);
    },
    'two at once': async () => {
      const r = 'document:o-twice:main';
      const ann = await open(one, 'ann');
      await h.take(ann, r);
      const answers = await Promise.all([release(one, r), release(two, r)]);
      assert.deepStrictEqual(answers.map((a) => a.status).sort(), [200, 404]);
      const other = await open(two, 'ann');
      const ends = await Promise.all([end(two, other.welcome.sessionId), end(two, other.welcome.sessionId)]);
      assert.deepStrictEqual(ends.map((a) => a.status).sort(), [200, 404]);
    },
    'what is not there': async () => {
      await refused(release(one, 'document:o-none'), 404, 'NOT_FOUND');
      for (const act of [release, (d, r) => takeover(d, r, 'dee')]) {
        await refused(act(one, 'unheard-of:1'), 404, 'UNKNOWN_RESOURCE_TYPE');
        for (const r of ['document', 'document:1:2:3', 'document:%20']) await refused(act(one, r), 400, 'INVALID_RESOURCE_ID');
      }
      await refused(end(one, 'x'), 404, 'NOT_FOUND');
      for (const p of ['/v1/locks/', '/v1/locks/a/b', '/v1/sessions/', '/v1/sessions/a/b', '/v1/sessions/a/takeover']) {
        assert.strictEqual((await call(one, 'DELETE', p)).status, 404, p);
      }
    },
    'bad input': async (st) => {
      const r = 'document:o-bad:main';
      const ann = await open(one, 'ann');
      const { token } = await h.take(ann, r);
      const wrong = [
        'null', '[]', '{', '{"reason":"a","reason":"b","actor":"c"}', '{"reason":"a\\u0000","actor":"c"}', {}, { reason: 'x' }, { actor: 'x' },
        '{"reason":"a","actor":"c\\u0000"}', '{"reason":"a","actor":"c","more":1\0}', '{"reason":"a","actor":"c","more":true\0}',
        '{"reason":"a","actor":"c"}\0', `{"reason":"a","actor":"c","more":${'['.repeat(16)}${']'.repeat(16)}}`,
        { reason: '', actor: 'x' }, { reason: 'x', actor: '' }, { reason: 7, actor: 'x' }, { reason: 'x', actor: null },
        { reason: 'ä'.repeat(501), actor: 'x' }, { reason: 'x', actor: 'ä'.repeat(129) },
      ];
      for (const body of wrong) {
        await refused(release(one, r, body), 400, 'INVALID_ARGUMENT');
        await refused(end(one, ann.welcome.sessionId, body), 400, 'INVALID_ARGUMENT');
        await refused(call(one, 'POST', `/v1/locks/${r}/takeover`, typeof body === 'string' ? body : { userId: 'dee', ...body }), 400, 'INVALID_ARGUMENT');
      }
      for (const userId of [undefined, '', 7, 'ä'.repeat(129)]) await refused(takeover(one, r, userId), 400, 'INVALID_ARGUMENT');
      await refused(release(one, r, ''), 400, 'INVALID_ARGUMENT');
      await refused(release(one, r, { ...WHY, more: 'x'.repeat(16384) }), 413, 'BODY_TOO_LONG');
      const raw = await h.rawConnect(st, one.ops.socket);
      raw.write(`DELETE /v1/locks/${r} HTTP/1.1\r\nHost: x\r\n\r\n`);
      assert.strictEqual((await raw.response()).status, 411);
      for (const [method, p, allow] of [['POST', `/v1/locks/${r}`, 'GET, DELETE'], ['DELETE', '/v1/locks', 'GET'],
        ['DELETE', `/v1/locks/${r}/takeover`, 'POST'], ['POST', '/v1/sessions/x', 'DELETE']]) {
        assert.strictEqual((await refused(call(one, method, p), 405, 'METHOD_NOT_ALLOWED')).headers.allow, allow);
      }
      assert.strictEqual((await ann.expect('lock:heartbeat', { resourceId: r, token }, 'lock:renewed')).token, token, 'nothing happened');
      assert.deepStrictEqual(ann.received('lock:lost'), []);
      const most = { reason: 'ä'.repeat(500), actor: 'ä'.repeat(128) };
      await done(release(one, r, most));
      const [written] = records(one, r, 'LOCK_ADMIN_RELEASED');
      assert.deepStrictEqual([written.reason, written.admin.id], [most.reason, most.actor]);
    },
    'U+0000 in what nobody reads is harmless, and 16 levels are': async () => {
      const ann = await open(one, 'ann');
      await h.take(ann, 'document:o-nul');
      await done(release(one, 'document:o-nul', `{"reason":"a","actor":"c","more":["\\u0000"],"deep":${'['.repeat(15)}${']'.repeat(15)}}`));
    },
    'a client that waits for 100 Continue is told to go on': async (st) => {
      const r = 'document:o-continue:main';
      await h.take(await open(one, 'ann'), r);
      const body = JSON.stringify(WHY);
      const head = (expect, { version = '1.1', length = body.length } = {}) => `DELETE /v1/locks/${r} HTTP/${version}\r\nHost: x\r\n`
        + `Content-Length: ${length}\r\nExpect: ${expect}\r\n\r\n`;
      const send = async (first, rest) => {
        const raw = await h.rawConnect(st, one.ops.socket);
        raw.write(first);
        if (rest) setTimeout(() => raw.write(rest), 200);
        const { status } = await raw.response();
        return status === 100 ? [100, (await raw.response()).status] : [status];
      };
      assert.deepStrictEqual(await send(head('x, 100-Continue'), body), [100, 200]);
      assert.deepStrictEqual(await send(head('100-continue') + body), [404], 'the body is there already');
      assert.deepStrictEqual(await send(head('100-continue') + body[0], body.slice(1)), [404], 'some of it is');
      assert.deepStrictEqual(await send(head('100-continue', { version: '1.0' }), body), [404]);
      assert.deepStrictEqual(await send(head('100'), body), [404]);
      assert.deepStrictEqual(await send(head('100-continue', { length: 99999 })), [413], 'refused without it');
    },
    'several on a connection, sent at once, are done one after another': async (st) => {
      const r = 'document:o-series:main';
      const ann = await open(one, 'ann');
      await h.take(ann, r);
      const raw = await h.rawConnect(st, one.ops.socket);
      const send = (line, body) => {
        const text = JSON.stringify(body);
        return `${line} HTTP/1.1\r\nHost: x\r\nContent-Length: ${text.length}\r\n\r\n${text}`;
      };
      raw.write(send(`DELETE /v1/locks/${r}`, WHY) + send(`DELETE /v1/locks/${r}`, WHY) + send(`DELETE /v1/locks/${r}`, {})
        + send(`POST /v1/locks/${r}/takeover`, { ...WHY, userId: 'dee' }) + send(`DELETE /v1/sessions/${ann.welcome.sessionId}`, WHY));
      const answers = [];
      for (let i = 0; i < 5; i++) answers.push(await raw.response());
      assert.deepStrictEqual(answers.map((a) => [a.status, a.headers.connection]), [200, 404, 400, 200, 200].map((status) => [status, undefined]));
      assert.strictEqual(JSON.parse(answers[0].body).previousHolder.userId, 'ann');
      assert.strictEqual(JSON.parse(answers[3].body).lock.reservedFor.userId, 'dee');
      assert.strictEqual((await ann.end()).code, 4403);
    },
    'a body in pieces': async (st) => {
      const r = 'document:o-pieces:main';
      await h.take(await open(one, 'ann'), r);
      const body = JSON.stringify(WHY);
      const raw = await h.rawConnect(st, one.ops.socket);
      raw.write(`DELETE /v1/locks/${r} HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n`);
      for (const part of body.match(/.{1,7}/g)) raw.write(part);
      assert.strictEqual((await raw.response()).status, 200);
    },
  });
  await h.checkAll(one, two);
});

test('who may', async (t) => {
  const dir = h.tempDir(t);
  const tokenFile = path.join(dir, 'token');
  fs.writeFileSync(tokenFile, 'an-operations-token\n');
  const d = await h.lockDaemon(t, { config: { ops: { tokenFile }, audit: { freeText: 'omit' } } });
  const bearer = (token) => ({ tcp: true, headers: { Authorization: `Bearer ${token}` } });
  const ann = await d.client({ user: 'ann' });
  const r = 'document:who:main';
  await h.take(ann, r);
  for (const act of [(o) => release(d, r, WHY, o), (o) => takeover(d, r, 'dee', {}, o), (o) => end(d, ann.welcome.sessionId, WHY, o)]) {
    for (const options of [{ tcp: true }, bearer('an-operations-toke')]) {
      const answer = await refused(act(options), 401, 'UNAUTHENTICATED');
      assert.strictEqual(answer.headers['www-authenticate'], 'Bearer');
    }
  }
  assert.strictEqual((await h.status(ann, r)).holder.userId, 'ann');
  await done(release(d, r, WHY, bearer('an-operations-token')));
  const written = d.audit().find((a) => a.action === 'LOCK_ADMIN_RELEASED');
  assert.deepStrictEqual([written.admin, written.address, written.detail, written.reason], [{ id: 'ops@clinic' }, '127.0.0.1', undefined, undefined],
    'where it came from; and freeText: omit leaves the reason out');
  await done(takeover(d, r, 'dee', {}, bearer('an-operations-token')));
  await done(end(d, ann.welcome.sessionId));
  assert.deepStrictEqual(d.audit().filter((a) => a.admin && a.reason !== undefined), []);
  const closed = await h.lockDaemon(t);
  await refused(release(closed, r, WHY, bearer('an-operations-token')), 403, 'FORBIDDEN');
  for (const [method, p] of [['DELETE', `/v1/locks/${r}`], ['POST', `/v1/locks/${r}/takeover`], ['DELETE', '/v1/sessions/x']]) {
    const answer = await h.httpGet(closed.url(p).replace(/^ws/, 'http'), { method, headers: { 'Content-Length': 2 }, body: '{}' });
    assert.strictEqual(answer.status, 404, 'never on the public listener');
  }
});

test('while the store is away', async (t) => {
  const d = await h.lockDaemon(t, { config: { redis: { commandTimeout: h.ms(500) }, default: { gracePeriod: '30s' } } });
  const ann = await d.client({ user: 'ann' });
  const bob = await d.client({ user: 'bob' });
  const r = 'document:away:main';
  await h.take(ann, r);
  d.redis.pause();
  assert.ok((await refused(release(d, r), 503, 'BACKEND_UNAVAILABLE')).headers['retry-after']);
  await refused(takeover(d, r, 'bob'), 503, 'BACKEND_UNAVAILABLE');
  const answer = await done(end(d, ann.welcome.sessionId));
  assert.deepStrictEqual([answer.rooms, answer.complete], [1, false], 'the session ends, the store hears of it later');
  assert.strictEqual((await ann.end()).code, 4403);
  d.redis.resume();
  await h.eventually(async () => {
    const reply = await bob.request('lock:status', { resourceId: r });
    return reply.event === 'lock:state' && reply.data.lock.state === 'free';
  }, 'the lock is free');
  // Who got there first: the release that had no answer, or the end of the session.
  await h.eventually(() => d.audit().some((a) => a.resourceId === r
    && (a.action === 'LOCK_ADMIN_RELEASED' || (a.action === 'LOCK_RELEASED' && a.reason === 'SESSION_TERMINATED'))), 'in the audit');
});

test('nothing is done that the audit cannot take', async (t) => {
  for (const onFailure of ['stop-admin', 'continue']) {
    const d = await h.lockDaemon(t, { config: { audit: { onFailure }, limits: { messagesPerSecond: 100000, messageBurst: 100000 } }, fsize: 16384 });
    const ann = await d.client({ user: 'ann' });
    const r = 'document:full:main';
    await h.take(ann, r);
    for (let i = 0; i < 400 && (await d.metric('wslock_audit_errors_total')) === 0; i++) {
      await ann.request('resource:join', { resourceId: `document:n${i}` });
      await ann.request('resource:leave', { resourceId: `document:n${i}` });
    }
    if (onFailure === 'stop-admin') {
      await refused(release(d, r), 503, 'AUDIT_UNAVAILABLE');
      await refused(takeover(d, r, 'bob'), 503, 'AUDIT_UNAVAILABLE');
      await refused(end(d, ann.welcome.sessionId), 503, 'AUDIT_UNAVAILABLE');
      assert.strictEqual((await ann.request('lock:heartbeat', { resourceId: r })).event, 'lock:renewed');
    } else {
      await done(release(d, r));
      await done(end(d, ann.welcome.sessionId));
    }
    await d.kill();
  }
});

test('a daemon that dies with a full disk: another writes what was done there', async (t) => {
  const server = await h.redis(t);
  await h.layOut(server);
  const short = { redis: { lease: h.ms(1500), commandTimeout: h.ms(400) } };
  const one = await h.lockDaemon(t, { redis: server, config: { ...short, instance: 'one' } });
  const two = await h.lockDaemon(t, {
    redis: server, fsize: 8192,
    config: { ...short, instance: 'two', audit: { onFailure: 'continue' }, limits: { messagesPerSecond: 100000, messageBurst: 100000 } },
  });
  const bob = await two.client({ user: 'bob' });
  const r = 'document:dies:main';
  const { token } = await h.take(bob, r);
  for (let i = 0; i < 400 && (await two.metric('wslock_audit_errors_total')) === 0; i++) {
    await bob.request('resource:join', { resourceId: `document:n${i}` });
    await bob.request('resource:leave', { resourceId: `document:n${i}` });
  }
  await done(release(two, r));
  await done(takeover(two, r, 'dee'));
  await two.kill();
  const released = await one.waitForAudit((a) => a.action === 'LOCK_ADMIN_RELEASED', h.TIMEOUT * 2);
  assert.deepStrictEqual([released.recovered, released.fence, released.admin, released.previousHolder.id, released.reason, released.detail],
    [true, token, { id: 'ops@clinic' }, 'bob', 'left for the day', `uid ${process.getuid()}`]);
  const taken = await one.waitForAudit((a) => a.action === 'LOCK_TAKEOVER');
  assert.deepStrictEqual([taken.recovered, taken.user.id, taken.previousHolder, taken.decision], [true, 'dee', undefined, 'IMMEDIATE']);
});

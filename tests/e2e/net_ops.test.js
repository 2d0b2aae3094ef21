'use strict';
/* The operations endpoint: on its own listener alone. */
const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const h = require('./harness');

test('health, readiness, metrics', async (t) => {
  const d = await h.daemon(t);
  // A store that is new to everyone opens a recovery window first.
  await h.eventually(async () => (await h.httpGet(d.opsUrl('/readyz'))).status === 200, 'ready');
  for (const where of [(p) => d.opsUrl(p), (p) => ({ socketPath: d.ops.socket, path: p })]) {
    const health = await h.httpGet(where('/healthz'));
    assert.strictEqual(health.status, 200);
    const ready = await h.httpGet(where('/readyz'));
    assert.strictEqual(ready.status, 200, ready.body);
    assert.deepStrictEqual(ready.json, { instance: 'test', ready: true, reasons: [] });
    const metrics = await h.httpGet(where('/metrics'));
    assert.strictEqual(metrics.status, 200);
    assert.match(metrics.headers['content-type'], /^text\/plain; version=0\.0\.4/);
    assert.match(metrics.body, /^wslock_build_info\{version="[^"]+"\} 1$/m);
    assert.match(metrics.body, /^wslock_loop_lag_seconds /m);
  }
});

test('connections are counted by framing', async (t) => {
  const d = await h.daemon(t);
  const clients = await Promise.all(['ann', 'bob', 'cid'].map((user) => d.client({ user })));
  assert.strictEqual(await d.metric('wslock_connections', 'framing="native"'), 3);
  await clients[0].close(1000);
  await h.eventually(async () => (await d.metric('wslock_connections', 'framing="native"')) === 2, 'one less');
});

test('what is not open', async (t) => {
  const dir = h.tempDir(t);
  await t.test('without a token file: 403 on TCP, 404 on the socket', async () => {
    const d = await h.daemon(t);
    for (const p of ['/', '/v1/locks', '/v1/drain']) {
      const tcp = await h.httpGet(d.opsUrl(p), { headers: { Authorization: 'Bearer x' } });
      assert.strictEqual(tcp.status, 403, p);
      assert.ok(tcp.json.error.code);
      assert.strictEqual((await h.httpGet({ socketPath: d.ops.socket, path: p })).status, 404, p);
    }
    const posted = await h.httpGet(d.opsUrl('/healthz'), { method: 'POST' });
    assert.strictEqual(posted.status, 405);
    assert.strictEqual(posted.headers.allow, 'GET');
    assert.strictEqual((await h.httpGet(d.opsUrl('/healthz'), { method: 'HEAD' })).body, '');
  });
  await t.test('with one: 401, or what is there', async () => {
    const tokenFile = path.join(dir, 'token');
    fs.writeFileSync(tokenFile, 'a-long-operations-token\n');
    const d = await h.daemon(t, { config: { ops: { tokenFile } } });
    const get = (token) => h.httpGet(d.opsUrl('/v1/none'), { headers: token ? { Authorization: `Bearer ${token}` } : {} });
    assert.strictEqual((await get()).status, 401);
    assert.strictEqual((await get('a-long-operations-toke')).status, 401);
    assert.strictEqual((await get('a-long-operations-tokeN')).status, 401);
    assert.strictEqual((await get('a-long-operations-token')).status, 404);
    assert.strictEqual((await h.httpGet(d.opsUrl('/metrics'))).status, 200);
  });
  await t.test('no WebSocket there', async (st) => {
    const d = await h.daemon(t);
    const raw = await h.rawConnect(st, d.ops.port);
    raw.write(h.upgradeText());
    assert.strictEqual((await raw.response()).status, 404);
  });
});

test('a token file that cannot be used: exit 3', async (t) => {
  const d = await h.newDaemon(t, { redis: null, config: { ops: { tokenFile: '/nonexistent/token' } } });
  d.spawn();
  assert.strictEqual((await d.end()).code, 3);
  assert.match(d.tail(), /nonexistent/);
});

test('connections to the TCP port do not keep operators from the socket', async (t) => {
  const d = await h.daemon(t);
  for (let i = 0; i < 40; i++) await h.rawConnect(t, d.ops.port);
  assert.strictEqual((await h.httpGet({ socketPath: d.ops.socket, path: '/healthz' })).status, 200);
});

test('a client that ends its side behind the request is answered', async (t) => {
  const d = await h.daemon(t);
  const body = '{"token":1}';
  const head = `POST /v1/locks/doc:a/verify HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${body.length}\r\n\r\n`;
  for (let i = 0; i < 20; i++) {
    const raw = await h.rawConnect(t, d.ops.socket);
    raw.socket.end(head + body);
    const answer = await raw.response();
    assert.strictEqual(answer && answer.status, 200);
  }
});

test('not ready while draining', async (t) => {
  const d = await h.daemon(t, { config: { drainTimeout: '4s' } });
  const deaf = await d.client({ user: 'ann' });
  deaf.pause();
  d.signal('SIGTERM');
  await d.waitForLog(/^draining /);
  const ready = await h.httpGet(d.opsUrl('/readyz'));
  assert.strictEqual(ready.status, 503);
  assert.ok(ready.json.reasons.some((r) => /drain/.test(r)), ready.body);
  assert.deepStrictEqual(await d.end(), { code: 0, signal: null });
});

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
    for (const p of ['/none', '/v1/none', '/v2/locks']) {
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

const SOON = 4000 * h.SLOW; // before an idle connection ends by itself
const request = (line, { version = '1.1', headers = '', body = '' } = {}) => `${line} HTTP/${version}\r\nHost: localhost\r\n${headers}`
  + `${body && `Content-Length: ${body.length}\r\n`}\r\n${body}`;
const closes = async (raw) => {
  const answer = await raw.response();
  assert.strictEqual(answer.headers.connection, 'close');
  return answer;
};

test('several requests on a connection', async (t) => {
  const d = await h.daemon(t);
  const verify = request('POST /v1/locks/document:a/verify', { body: '{"token":1}' });
  for (const where of [d.ops.port, d.ops.socket]) {
    const unix = where === d.ops.socket;
    const raw = await h.rawConnect(t, where);
    const next = async (text, status, options) => {
      if (text) raw.write(text);
      const answer = await raw.response(options);
      assert.strictEqual(answer.status, status, text);
      assert.strictEqual(answer.headers.connection, undefined);
      return answer;
    };
    await t.test(`one after another, ${unix ? 'socket' : 'TCP'}`, async () => {
      for (let i = 0; i < 3; i++) assert.strictEqual((await next(request('GET /healthz'), 200)).body, '{"ok":true}');
      assert.strictEqual((await next(request('PUT /healthz'), 405)).headers.allow, 'GET');
      await next(request('GET /none'), unix ? 404 : 403);
      if (unix) assert.strictEqual((await next(request('GET /v1/locks/document:a/verify'), 405)).headers.allow, 'POST');
      await next(request('HEAD /healthz'), 200, { bodiless: true });
      await next(request('GET /healthz', { headers: 'Content-Length: 0\r\n' }), 200);
    });
    await t.test(`at once, ${unix ? 'socket' : 'TCP'}`, async () => {
      raw.write(`${request('GET /healthz')}\r\n${verify}${request('GET /readyz')}${verify}${request('GET /metrics')}GET /heal`);
      await next(null, 200);
      if (unix) assert.strictEqual((await next(null, 200)).headers['cache-control'], 'no-store');
      else await closes(raw);
      if (!unix) return; // the body of a request that is refused has not been read
      assert.match((await next(null, 200)).body, /"ready"/);
      assert.strictEqual((await next(null, 200)).headers['cache-control'], 'no-store');
      assert.match((await next(null, 200)).body, /^wslock_/m);
      await next('thz HTTP/1.1\r\nHost: x\r\n\r\n', 200);
    });
  }
  await t.test('a body in pieces, and the next request in the last of them', async (st) => {
    const raw = await h.rawConnect(st, d.ops.socket);
    for (const part of `${verify}${request('GET /healthz')}`.match(/[^]{1,13}/g)) raw.write(part);
    assert.match((await raw.response()).body, /"valid":false/);
    assert.strictEqual((await raw.response()).body, '{"ok":true}');
  });
  await t.test('whoever says so gets no second answer', async (st) => {
    for (const first of [
      request('GET /healthz', { headers: 'Connection: close\r\n' }),
      request('GET /healthz', { headers: 'Connection: x\r\nConnection: Keep-Alive, Close\r\n' }),
      request('GET /healthz', { version: '1.0' }),
      request('GET /healthz', { version: '1.0', headers: 'Connection: keep-alive\r\n' }),
      request('GET /healthz', { body: 'x' }),
      request('GET /healthz', { body: request('GET /healthz') }),
      request('GET /healthz', { headers: 'Transfer-Encoding: chunked\r\n' }),
      request('POST /v1/locks/document:a/verify', { headers: 'Transfer-Encoding: chunked\r\n' }),
      request('POST /v1/locks/document:a/verify', { body: 'x'.repeat(16385) }),
      request('POST /v1/locks/document:a/verify', { headers: 'Content-Length: 1\r\nContent-Length: 1\r\n' }),
      request('POST /v1/locks/document:a/verify', { headers: 'Connection: close\r\n', body: '{"token":1}' }),
      'GET /healthz HTTP/1.1\r\n\r\n', 'what\r\n\r\n',
    ]) {
      const raw = await h.rawConnect(st, d.ops.socket);
      raw.write(request('GET /healthz') + first + request('GET /readyz'));
      assert.strictEqual((await raw.response()).status, 200);
      assert.doesNotMatch((await closes(raw)).body, /HTTP\/1\.1 \d|ready/, first);
    }
  });
});

test('who asks much and reads nothing is not read either', async (t) => {
  const d = await h.daemon(t);
  const count = 300; // with what fills a socket's buffers beside them
  const memory = () => Number(/VmRSS:\s+(\d+)/.exec(fs.readFileSync(`/proc/${d.child.pid}/status`, 'latin1'))[1]);
  const before = memory();
  const raw = await h.rawConnect(t, d.ops.socket);
  raw.socket.pause();
  raw.write(request('GET /metrics', { headers: `X: ${'x'.repeat(4000)}\r\n` }).repeat(count));
  for (let i = 0; i < 50; i++) assert.strictEqual((await h.httpGet(d.opsUrl('/healthz'))).status, 200);
  assert.ok(memory() - before < 8192, `${memory() - before} KiB more`);
  assert.ok(raw.socket.writableLength > 0, 'its requests wait');
  raw.socket.resume();
  for (let i = 0; i < count; i++) assert.match((await raw.response()).body, /^wslock_build_info/m);
});

test('a connection without a request, and one with half of one, end after their time', async (t) => {
  const d = await h.daemon(t);
  const timeouts = async () => (await d.metric('wslock_handshakes_refused_total', 'reason="timeout"')) ?? 0;
  const kept = async (where, path, rest = '') => {
    const raw = await h.rawConnect(t, where);
    raw.write(request(`GET ${path}`) + rest);
    assert.strictEqual((await raw.response()).headers.connection, undefined);
    const from = Date.now();
    return h.deadline(raw.closed, 'the end', 30_000 * h.SLOW).then(() => [Date.now() - from, raw.data.length]);
  };
  const half = request('GET /healthz').slice(0, 20);
  const body = request('POST /v1/locks/document:a/verify', { body: '{"token":1}' }).slice(0, -1);
  const waits = [kept(d.ops.port, '/healthz'), kept(d.ops.socket, '/healthz'), kept(d.port, '/none'),
    kept(d.ops.port, '/healthz', half), kept(d.port, '/none', half), kept(d.ops.socket, '/healthz', body)];
  const slow = await h.rawConnect(t, d.ops.socket);
  slow.write(request('GET /healthz'));
  await slow.response();
  const drip = setInterval(() => slow.write('G'), 500);
  t.after(() => clearInterval(drip));
  await h.deadline(slow.closed, 'the end of a slow one', 30_000 * h.SLOW);
  const ends = await Promise.all(waits);
  assert.deepStrictEqual(ends.map(([, bytes]) => bytes), [0, 0, 0, 0, 0, 0]);
  for (const [i, [ms]] of ends.entries()) assert.ok(ms >= (i < 3 ? 14_000 : 9_000), `${i}: ${ms} ms`);
  assert.strictEqual(await timeouts(), 4, 'only a request that has begun is late');
});

test('connections that wait for a request give way, and end when the daemon drains', async (t) => {
  const d = await h.daemon(t, { config: { drainTimeout: '4s' } });
  const get = async (where, path) => {
    const raw = await h.rawConnect(t, where);
    raw.write(request(`GET ${path}`));
    return { raw, kept: (await raw.response()).headers.connection === undefined };
  };
  for (const where of [d.ops.port, d.ops.socket]) {
    const first = await get(where, '/healthz');
    assert.ok(first.kept);
    const more = [];
    for (let i = 0; i < 13; i++) more.push(await h.rawConnect(t, where));
    await h.deadline(first.raw.closed, 'half of the places are taken', SOON);
    assert.strictEqual((await get(where, '/healthz')).kept, false);
    for (const raw of more) raw.socket.destroy();
    await h.eventually(async () => (await get(where, '/healthz')).kept, 'there is room again');
  }
  const kept = [await get(d.port, '/none'), await get(d.ops.port, '/healthz'), await get(d.ops.socket, '/healthz')];
  assert.deepStrictEqual(kept.map((k) => k.kept), [true, true, true]);
  const deaf = await d.client({ user: 'ann' });
  deaf.pause();
  d.signal('SIGTERM');
  await h.deadline(Promise.all(kept.map((k) => k.raw.closed)), 'they end', SOON);
  assert.strictEqual((await get(d.ops.socket, '/readyz')).kept, false, 'while it drains none is kept');
  assert.deepStrictEqual(await d.end(), { code: 0, signal: null });
});

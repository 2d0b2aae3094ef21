'use strict';
/* Which requests the operations endpoint takes at all: none that a web page may have sent. */
const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const h = require('./harness');

const TOKEN = 'an-operations-token';
const WHY = JSON.stringify({ reason: 'left', actor: 'ops' });

async function start(t) {
  const tokenFile = path.join(h.tempDir(t), 'token');
  fs.writeFileSync(tokenFile, `${TOKEN}\n`);
  return h.lockDaemon(t, { config: { ops: { tokenFile } } });
}

async function send(t, where, line, headers, body = '') {
  const raw = await h.rawConnect(t, where);
  raw.write(`${line} HTTP/1.1\r\n${[`Authorization: Bearer ${TOKEN}`, 'Connection: close', ...headers].join('\r\n')}\r\n`
    + `${body && `Content-Length: ${body.length}\r\n`}\r\n${body}`);
  const answer = await raw.response();
  return [answer.status, answer.status < 400 ? undefined : JSON.parse(answer.body).error.code];
}

test('a page that lets its name point to this machine gets nothing', async (t) => {
  const d = await start(t);
  const r = 'document:access:main';
  const ann = await d.client({ user: 'ann' });
  await h.take(ann, r);
  const { port } = d.ops;
  for (const host of ['evil.example', `evil.example:${port}`, 'localhost.evil.example', '127.0.0.1.evil.example', '1', '[evil]', '[::1', '::1']) {
    for (const line of ['GET /v1/none', `GET /v1/locks/${r}`]) {
      assert.deepStrictEqual(await send(t, port, line, [`Host: ${host}`]), [403, 'FORBIDDEN'], `${line} ${host}`);
    }
    assert.deepStrictEqual(await send(t, port, `DELETE /v1/locks/${r}`, [`Host: ${host}`], WHY), [403, 'FORBIDDEN'], host);
    assert.deepStrictEqual(await send(t, port, 'POST /v1/reload', [`Host: ${host}`], WHY), [403, 'FORBIDDEN'], host);
    assert.deepStrictEqual(await send(t, port, 'GET /metrics', [`Host: ${host}`]), [200, undefined], 'a scraper may use a name');
  }
  assert.strictEqual((await h.status(ann, r)).state, 'held');
  for (const host of ['localhost', 'LOCALHOST', `localhost:${port}`, '127.0.0.1', `10.1.2.3:${port}`, '[::1]', `[fe80::1]:${port}`]) {
    assert.deepStrictEqual(await send(t, port, 'GET /v1/none', [`Host: ${host}`]), [404, 'NOT_FOUND'], host);
  }
  assert.deepStrictEqual(await send(t, d.ops.socket, 'GET /v1/none', ['Host: anything']), [404, 'NOT_FOUND'], 'no page can reach a socket');
});

test('a request with the Origin of another page', async (t) => {
  const d = await start(t);
  const r = 'document:access:main';
  const ann = await d.client({ user: 'ann' });
  await h.take(ann, r);
  for (const where of [d.ops.port, d.ops.socket]) {
    for (const origin of ['https://evil.example', 'null', `http://127.0.0.1:${d.ops.port}`]) {
      const headers = ['Host: 127.0.0.1', `Origin: ${origin}`];
      for (const line of ['GET /healthz', 'GET /metrics', 'GET /v1/none']) {
        assert.deepStrictEqual(await send(t, where, line, headers), [403, 'FORBIDDEN'], `${line} ${origin}`);
      }
      assert.deepStrictEqual(await send(t, where, `DELETE /v1/locks/${r}`, headers, WHY), [403, 'FORBIDDEN']);
      assert.deepStrictEqual(await send(t, where, `POST /v1/locks/${r}/takeover`, headers, '{}'), [403, 'FORBIDDEN']);
    }
  }
  assert.strictEqual((await h.status(ann, r)).state, 'held');
});

test('the dashboard may use it, with the token and over TCP only', async (t) => {
  const d = await start(t);
  const r = 'document:access:main';
  const ann = await d.client({ user: 'ann' });
  await h.take(ann, r);
  const { port, socket } = d.ops;
  const own = [`127.0.0.1:${port}`, `localhost:${port}`, `[::1]:${port}`, '10.1.2.3', 'LocalHost'];
  for (const host of own) {
    for (const scheme of ['http', 'https']) {
      const headers = [`Host: ${host}`, `Origin: ${scheme}://${host}`];
      assert.deepStrictEqual(await send(t, port, 'GET /v1/none', headers), [404, 'NOT_FOUND'], `${scheme} ${host}`);
      assert.deepStrictEqual(await send(t, port, 'GET /v1/none', [...headers, 'Authorization: Bearer x']), [401, 'UNAUTHENTICATED'], 'two tokens are none');
      assert.deepStrictEqual(await send(t, socket, 'GET /v1/none', headers), [403, 'FORBIDDEN'], 'there is no token on the socket');
    }
    for (const origin of [`http://${host}1`, `http://${host}/`, `http://x${host}`, `ftp://${host}`, `http:${host}`, `//${host}`, host, 'http://', 'http', '', `http://${host}, http://${host}`]) {
      assert.deepStrictEqual(await send(t, port, 'GET /v1/none', [`Host: ${host}`, `Origin: ${origin}`]), [403, 'FORBIDDEN'], `${host} ${origin}`);
    }
    assert.deepStrictEqual(await send(t, port, 'GET /v1/none', [`Host: ${host}`, `Origin: http://${host}`, `Origin: http://${host}`]), [403, 'FORBIDDEN'], 'twice');
  }
  for (const name of ['evil.example', `evil.example:${port}`, `evil.localhost:${port}`]) {
    const headers = [`Host: ${name}`, `Origin: http://${name}`];
    for (const line of ['GET /v1/none', 'GET /', 'GET /dashboard/main.js', 'GET /metrics']) {
      assert.deepStrictEqual(await send(t, port, line, headers), [403, 'FORBIDDEN'], `${line} ${name}`);
    }
    for (const line of ['GET /', 'GET /dashboard/main.js']) assert.deepStrictEqual(await send(t, port, line, [`Host: ${name}`]), [403, 'FORBIDDEN'], `${line} ${name}`);
  }
  assert.strictEqual((await h.status(ann, r)).state, 'held');
  assert.deepStrictEqual(await send(t, port, `DELETE /v1/locks/${r}`, [`Host: ${own[0]}`, `Origin: http://${own[0]}`], WHY), [200, undefined]);
});

test('the files of the dashboard', async (t) => {
  const d = await start(t);
  const get = (pathname, options) => h.httpGet(d.opsUrl(pathname), options);
  const page = await get('/');
  assert.deepStrictEqual([page.status, page.headers['content-type']], [200, 'text/html; charset=utf-8'], 'without a token');
  for (const [, file] of page.body.matchAll(/(?:href|src)="(dashboard\/[^"]+)"/g)) {
    const answer = await get(`/${file}`);
    assert.strictEqual(answer.status, 200, file);
    assert.strictEqual(answer.headers['content-security-policy'], page.headers['content-security-policy']);
    const again = await get(`/${file}`, { headers: { 'If-None-Match': answer.headers.etag } });
    assert.deepStrictEqual([again.status, again.body], [304, '']);
  }
  const head = await get('/', { method: 'HEAD' });
  assert.deepStrictEqual([head.status, head.body, head.headers['content-length']], [200, '', String(Buffer.byteLength(page.body))]);
  const posted = await get('/', { method: 'POST' });
  assert.deepStrictEqual([posted.status, posted.headers.allow], [405, 'GET']);
  for (const pathname of ['/dashboard/', '/dashboard/index.html', '/dashboard/none.js', '/dashboard/../main.js', '/dashboard/a/main.js', '/index.html', '/demo.js']) {
    assert.ok([401, 404].includes((await get(pathname)).status), pathname);
  }
  for (const pathname of ['/', '/dashboard/main.js']) {
    const answer = await h.httpGet({ socketPath: d.ops.socket, path: pathname });
    assert.strictEqual(answer.status, 404, pathname);
    assert.match(answer.json.error.message, /ops\.address only/);
  }
  assert.strictEqual((await h.httpGet(`http://127.0.0.1:${d.port}/dashboard/main.js`)).status, 404, 'never on the public listener');
  assert.strictEqual((await h.httpGet(`http://127.0.0.1:${d.port}/`)).status, 404);
});

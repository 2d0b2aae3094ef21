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

test('a request with an Origin is from a page', async (t) => {
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

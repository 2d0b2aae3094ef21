'use strict';
/* The JavaScript client as the daemon serves it, on every public listener. */
const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const h = require('./harness');

test('the client at /wslock.js, with its parts', async (t) => {
  const d = await h.daemon(t, { config: { listen: [{ address: '127.0.0.1', port: 0, plaintext: true }] } });
  const get = (p, options) => h.httpGet(`http://127.0.0.1:${d.port}${p}`, options);
  /* Follows the imports, as a browser does. */
  const seen = new Map();
  const follow = async (p) => {
    if (seen.has(p)) return;
    const answer = await get(p);
    seen.set(p, answer);
    assert.strictEqual(answer.status, 200, p);
    assert.strictEqual(answer.body, fs.readFileSync(path.join(h.CLIENT_DIR, p), 'utf8'), `${p}, byte for byte`);
    assert.strictEqual(answer.headers['content-type'], 'text/javascript; charset=utf-8');
    assert.strictEqual(answer.headers['x-content-type-options'], 'nosniff');
    assert.strictEqual(answer.headers['access-control-allow-origin'], '*', 'a page of another origin may import it');
    for (const [, to] of answer.body.matchAll(/from "(\.[^"]+)"/g)) await follow(new URL(to, `http://x${p}`).pathname);
  };
  await follow('/wslock.js');
  assert.ok(seen.size > 10);
  for (const [p, { headers }] of seen) {
    const again = await get(p, { headers: { 'If-None-Match': headers.etag } });
    assert.deepStrictEqual([again.status, again.body], [304, ''], p);
  }
  for (const p of ['/wslock/nothing.js', '/wslock/', '/wslock', '/demo.js', '/', '/react.js']) {
    assert.strictEqual((await get(p)).status, 404, p);
  }
  const raw = await h.rawConnect(t, d.port);
  raw.write('GET /wslock.js HTTP/1.1\r\nHost: localhost\r\n\r\n');
  assert.strictEqual((await raw.response()).headers.connection, undefined, 'its parts come on the same connection');
  const refused = await get('/wslock.js', { method: 'POST' });
  assert.deepStrictEqual([refused.status, refused.headers.allow], [405, 'GET']);
});

'use strict';
/* What may come in: RFC 6455 §4.2, the Origin list, tokens in headers, addresses behind proxies. */
const assert = require('node:assert');
const { test } = require('node:test');
const h = require('./harness');

async function upgrade(t, d, options) {
  const raw = await h.rawConnect(t, d.port);
  raw.write(h.upgradeText(options));
  return { ...(await raw.response()), raw };
}

function assertRefused(answer, status, code) {
  assert.strictEqual(answer.status, status, answer.body);
  assert.strictEqual(answer.headers['content-type'], 'application/json');
  const { error } = JSON.parse(answer.body);
  assert.strictEqual(error.code, code);
  assert.ok(error.message);
}

test('a handshake as it should be', async (t) => {
  const d = await h.daemon(t);
  const answer = await upgrade(t, d);
  assert.strictEqual(answer.status, 101);
  assert.strictEqual(answer.headers['sec-websocket-protocol'], 'wslock.v1');
  assert.strictEqual(answer.headers['sec-websocket-extensions'], undefined);
});

test('handshakes that are refused', async (t) => {
  const d = await h.daemon(t);
  const cases = [
    ['another path', { path: '/other' }, 404, 'NOT_FOUND'],
    ['a path below', { path: '/ws/more' }, 404, 'NOT_FOUND'],
    ['POST', { method: 'POST', headers: { 'Content-Length': '0' } }, 400, 'BAD_HANDSHAKE'],
    ['HTTP/1.0', { version: 'HTTP/1.0' }, 400, 'BAD_HANDSHAKE'],
    ['no Host', { headers: { Host: null } }, 400, 'BAD_HANDSHAKE'],
    ['no Connection', { headers: { Connection: null } }, 400, 'BAD_HANDSHAKE'],
    ['Connection without upgrade', { headers: { Connection: 'keep-alive' } }, 400, 'BAD_HANDSHAKE'],
    ['version 8', { headers: { 'Sec-WebSocket-Version': '8' } }, 426, 'UPGRADE_REQUIRED'],
    ['version 130', { headers: { 'Sec-WebSocket-Version': '130' } }, 426, 'UPGRADE_REQUIRED'],
    ['no version', { headers: { 'Sec-WebSocket-Version': null } }, 426, 'UPGRADE_REQUIRED'],
    ['no key', { headers: { 'Sec-WebSocket-Key': null } }, 400, 'BAD_HANDSHAKE'],
    ['a short key', { headers: { 'Sec-WebSocket-Key': 'AAAA' } }, 400, 'BAD_HANDSHAKE'],
    ['17 bytes of key', { headers: { 'Sec-WebSocket-Key': Buffer.alloc(17).toString('base64') } }, 400, 'BAD_HANDSHAKE'],
    ['two keys', { headers: { 'Sec-WebSocket-Key': [Buffer.alloc(16).toString('base64'), Buffer.alloc(16).toString('base64')] } }, 400, 'BAD_HANDSHAKE'],
    ['no subprotocol', { headers: { 'Sec-WebSocket-Protocol': null } }, 400, 'BAD_HANDSHAKE'],
    ['another subprotocol', { headers: { 'Sec-WebSocket-Protocol': 'wslock.v2, chat' } }, 400, 'BAD_HANDSHAKE'],
    ['a long list', { headers: { 'Sec-WebSocket-Protocol': `wslock.v1, ${'x'.repeat(200)}` } }, 400, 'BAD_HANDSHAKE'],
    ['a foreign Origin', { headers: { Origin: 'https://evil.example.org' } }, 403, 'ORIGIN_NOT_ALLOWED'],
    ['Origin null', { headers: { Origin: 'null' } }, 403, 'ORIGIN_NOT_ALLOWED'],
    ['an empty Origin', { headers: { Origin: '' } }, 403, 'ORIGIN_NOT_ALLOWED'],
    ['an empty Origin and a good one', { headers: { Origin: ['', 'https://editor.example.org'] } }, 403, 'ORIGIN_NOT_ALLOWED'],
    ['a good Origin and an empty one', { headers: { Origin: ['https://editor.example.org', ''] } }, 403, 'ORIGIN_NOT_ALLOWED'],
    ['a longer Origin', { headers: { Origin: 'https://editor.example.org.evil.example' } }, 403, 'ORIGIN_NOT_ALLOWED'],
  ];
  for (const [name, options, status, code] of cases) {
    await t.test(name, async (st) => {
      const answer = await upgrade(st, d, options);
      assertRefused(answer, status, code);
      if (name.startsWith('version')) assert.strictEqual(answer.headers['sec-websocket-version'], '13');
    });
  }
  await t.test('an upgrade to h2c is not made', async (st) => {
    const answer = await upgrade(st, d, {
      headers: { Upgrade: 'h2c', Connection: 'Upgrade, HTTP2-Settings', 'HTTP2-Settings': 'AAMAAABkAAQCAAAAAAIAAAAA' },
    });
    assert.strictEqual(answer.status, 400);
  });
  await t.test('nor one to something unknown', async (st) => {
    const answer = await upgrade(st, d, { headers: { Upgrade: 'foo' } });
    assert.strictEqual(answer.status, 403);
  });
  await t.test('HTTP/2 with prior knowledge is not spoken', async (st) => {
    const raw = await h.rawConnect(st, d.port);
    raw.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
    await h.deadline(raw.closed, 'the end');
    assert.ok(!raw.data.includes(Buffer.from([0, 0, 0, 4])), 'no SETTINGS frame');
  });
  await t.test('what libwebsockets drops by itself is counted', async (st) => {
    const counted = async () => (await d.metric('wslock_handshakes_refused_total', 'reason="unread"')) || 0;
    const before = await counted();
    for (const text of [
      '\0\x01nothing like HTTP\r\n\r\n',
      `GET /ws HTTP/1.1\r\nX: ${'x'.repeat(40000)}\r\n\r\n`,
      h.upgradeText({ headers: { Upgrade: 'foo' } }),
    ]) {
      const raw = await h.rawConnect(st, d.port);
      raw.write(text);
      await h.deadline(raw.closed, 'the end');
    }
    assert.strictEqual(await counted(), before + 3);
  });
  await t.test('the path without an upgrade', async () => {
    const answer = await h.httpGet(`http://127.0.0.1:${d.port}/ws`);
    assert.strictEqual(answer.status, 426);
    assert.strictEqual(answer.headers.upgrade, 'websocket');
    assert.strictEqual(answer.json.error.code, 'UPGRADE_REQUIRED');
  });
  await t.test('anything else', async () => {
    for (const path of ['/', '/metrics', '/healthz', '/readyz', '/dev/token?user=ann', '/wslock.js/..%2f..']) {
      const answer = await h.httpGet(`http://127.0.0.1:${d.port}${path}`);
      assert.ok(answer.status === 404 || answer.status === 403, `${path}: ${answer.status}`);
    }
  });
  await t.test('they are counted', async () => {
    assert.ok((await d.metric('wslock_handshakes_refused_total', 'reason="handshake"')) >= 10);
    assert.ok((await d.metric('wslock_handshakes_refused_total', 'reason="origin"')) >= 3);
  });
  await t.test('and the daemon lives on', async (st) => {
    assert.strictEqual((await upgrade(st, d)).status, 101);
  });
});

test('spellings that are allowed', async (t) => {
  const d = await h.daemon(t);
  for (const headers of [
    { Upgrade: 'WebSocket', Connection: 'keep-alive, Upgrade' },
    { 'Sec-WebSocket-Protocol': 'other, wslock.v1' },
    { 'Sec-WebSocket-Protocol': ['other', 'wslock.v1'] },
    { Origin: 'https://editor.example.org' },
    { 'Sec-WebSocket-Extensions': 'permessage-deflate; client_max_window_bits' },
  ]) {
    const answer = await upgrade(t, d, { headers });
    assert.strictEqual(answer.status, 101, JSON.stringify(headers));
    assert.strictEqual(answer.headers['sec-websocket-protocol'], 'wslock.v1');
    assert.strictEqual(answer.headers['sec-websocket-extensions'], undefined);
  }
});

test('a list of origins with *', async (t) => {
  const d = await h.daemon(t, { config: { allowedOrigins: ['*'] } });
  assert.strictEqual((await upgrade(t, d, { headers: { Origin: 'https://anyone.example' } })).status, 101);
});

test('a request that never ends, piece by piece', async (t) => {
  const d = await h.daemon(t);
  const raw = await h.rawConnect(t, d.port);
  for (const char of h.upgradeText()) raw.write(char);
  assert.strictEqual((await raw.response()).status, 101);
});

test('tokens in headers', async (t) => {
  const d = await h.daemon(t, { config: { auth: { cookie: 'wslock' } } });
  await t.test('Authorization', async (st) => {
    const c = await d.client({ user: 'ann', inHeader: true });
    assert.strictEqual(c.welcome.userId, 'ann');
    st.after(() => c.terminate());
  });
  await t.test('the configured cookie', async () => {
    const token = await h.token({ user: 'bob' });
    const c = await d.newClient({ headers: { Cookie: `a=b; wslock=${token}; wslock2=x` } });
    c.welcome = (await c.waitFor('welcome')).data;
    assert.strictEqual(c.welcome.userId, 'bob');
  });
  await t.test('the Authorization header goes first', async () => {
    const c = await d.client({ user: 'ann', inHeader: true, headers: { Cookie: `wslock=${await h.token({ user: 'bob' })}` } });
    assert.strictEqual(c.welcome.userId, 'ann');
  });
  const refusals = [
    ['of another key', { key: Buffer.alloc(48, 7) }, 'TOKEN_INVALID'],
    ['that has expired', { ttl: -3600 }, 'TOKEN_EXPIRED'],
    ['of an unknown key id', { kid: 'nobody' }, 'TOKEN_INVALID'],
  ];
  for (const [name, who, code] of refusals) {
    await t.test(`one ${name} is refused before the upgrade`, async (st) => {
      const answer = await upgrade(st, d, { headers: { Authorization: `Bearer ${await h.token(who)}` } });
      assertRefused(answer, 401, code);
      assert.strictEqual(answer.headers['www-authenticate'], 'Bearer');
    });
  }
  await t.test('garbage, and one that is too long', async (st) => {
    for (const token of ['x', 'a.b.c', 'x'.repeat(8193), 'x'.repeat(12000)]) {
      assertRefused(await upgrade(st, d, { headers: { Authorization: `Bearer ${token}` } }), 401, 'TOKEN_INVALID');
    }
  });
  await t.test('none where one is announced', async (st) => {
    for (const value of ['Bearer', 'Bearer ', 'bearer   ']) {
      assertRefused(await upgrade(st, d, { headers: { Authorization: value } }), 401, 'TOKEN_INVALID');
    }
    const cookie = `wslock=${await h.token({ user: 'bob' })}`;
    assertRefused(await upgrade(st, d, { headers: { Authorization: 'Bearer', Cookie: cookie } }), 401, 'TOKEN_INVALID');
    assertRefused(await upgrade(st, d, { headers: { Cookie: 'wslock=' } }), 401, 'TOKEN_INVALID');
  });
  await t.test('headers beyond all measure end the connection', async (st) => {
    const raw = await h.rawConnect(st, d.port);
    raw.write(h.upgradeText({ headers: { Authorization: `Bearer ${'x'.repeat(40000)}` } }));
    await h.deadline(raw.closed, 'the end');
    assert.ok(!raw.data.toString().includes(' 101 '));
  });
  await t.test('a query parameter is not read', async () => {
    const c = await d.newClient({ path: `/ws?token=${await h.token({ user: 'ann' })}` });
    await c.open();
    const reply = await c.request('resource:join', { resourceId: 'document:1' });
    assert.strictEqual(reply.event, 'error');
    assert.strictEqual(reply.data.code, 'UNAUTHENTICATED');
  });
  await t.test('refusals stand in the audit', async () => {
    const record = await d.waitForAudit((r) => r.action === 'AUTH_FAILED');
    assert.strictEqual(record.outcome, 'failure');
    assert.strictEqual(record.address, '127.0.0.1');
  });
});

test('a refusal is one line of the log', async (t) => {
  const d = await h.daemon(t);
  const token = await h.token({ ttl: -3600 });
  for (const headers of [{ Origin: 'https://evil.example.org' }, { Authorization: `Bearer ${token}` }, { Host: null }]) {
    const before = d.log.length;
    await upgrade(t, d, { headers });
    await (await d.client({ user: 'ann' })).close(1000);
    await d.waitForLog(/^session_closed /); // whatever was logged before has come
    assert.strictEqual(d.log.slice(before).filter((line) => line.startsWith('handshake_refused ')).length, 1, d.tail());
  }
});

test('an Origin that is refused stands in the audit', async (t) => {
  const d = await h.daemon(t);
  await upgrade(t, d, { headers: { Origin: 'https://evil.example.org', 'User-Agent': `agent ${'x'.repeat(400)}` } });
  const record = await d.waitForAudit((r) => r.action === 'ACCESS_DENIED');
  assert.strictEqual(record.userAgent.length, 256);
});

test('addresses behind trusted proxies', async (t) => {
  const refused = { Origin: 'https://evil.example.org' };
  async function seen(d, forwarded) {
    const before = d.audit().length;
    await upgrade(t, d, { headers: { ...refused, 'X-Forwarded-For': forwarded } });
    const record = await h.eventually(() => d.audit().slice(before).find((r) => r.action === 'ACCESS_DENIED'), 'the record');
    return record.address;
  }
  await t.test('count when the peer is one', async () => {
    const d = await h.daemon(t, {
      config: { listen: [{ address: '127.0.0.1', port: 0, plaintext: true, trustedProxies: ['127.0.0.0/8', '10.0.0.0/8'] }] },
    });
    assert.strictEqual(await seen(d, '203.0.113.9'), '203.0.113.9');
    assert.strictEqual(await seen(d, '198.51.100.1, 203.0.113.9, 10.1.2.3'), '203.0.113.9');
    assert.strictEqual(await seen(d, ['198.51.100.1', '2001:db8::1']), '2001:db8::1');
    assert.strictEqual(await seen(d, 'nonsense'), '127.0.0.1');
  });
  await t.test('and not when it is none', async () => {
    const d = await h.daemon(t, {
      config: { listen: [{ address: '127.0.0.1', port: 0, plaintext: true, trustedProxies: ['10.0.0.0/8'] }] },
    });
    assert.strictEqual(await seen(d, '203.0.113.9'), '127.0.0.1');
  });
});

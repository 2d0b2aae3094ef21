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
    ['a subprotocol that is no name', { headers: { 'Sec-WebSocket-Protocol': 'wslock.v1, "chat"' } }, 400, 'BAD_HANDSHAKE'],
    ['two Hosts', { headers: { Host: ['localhost', 'other'] } }, 400, 'BAD_HANDSHAKE'],
    ['a body of a byte', { headers: { 'Content-Length': '1' } }, 400, 'BAD_HANDSHAKE'],
    ['two lengths', { headers: { 'Content-Length': ['0', '7'] } }, 400, 'BAD_HANDSHAKE'],
    ['a length that is no number', { headers: { 'Content-Length': '0x0' } }, 400, 'BAD_HANDSHAKE'],
    ['a body in chunks', { headers: { 'Transfer-Encoding': 'chunked' } }, 400, 'BAD_HANDSHAKE'],
    ['a transfer coding and no length', { headers: { 'Transfer-Encoding': 'identity', 'Content-Length': '0' } }, 400, 'BAD_HANDSHAKE'],
    ['a folded header', { headers: { 'X-Long': 'one\r\n two' } }, 400, 'BAD_REQUEST'],
    ['a header without a colon', { headers: { 'X-Long': 'one\r\ntwo' } }, 400, 'BAD_REQUEST'],
    ['an upgrade to something unknown', { headers: { Upgrade: 'foo' } }, 400, 'BAD_HANDSHAKE'],
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
  await t.test('HTTP/2 with prior knowledge is not spoken', async (st) => {
    const raw = await h.rawConnect(st, d.port);
    raw.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
    await h.deadline(raw.closed, 'the end');
    assert.ok(!raw.data.includes(Buffer.from([0, 0, 0, 4])), 'no SETTINGS frame');
  });
  await t.test('what is no HTTP is refused at once', async (st) => {
    for (const text of ['\0', '\x16\x03\x01', 'hello\r\n\r\n', 'GET /ws\r\n\r\n', 'GET /ws HTTP/1.1\r\nA: \x01']) {
      const raw = await h.rawConnect(st, d.port);
      raw.write(text);
      assertRefused(await raw.response(), 400, 'BAD_REQUEST');
    }
  });
  await t.test('a client that goes away before its request is counted', async (st) => {
    const unread = async () => (await d.metric('wslock_handshakes_refused_total', 'reason="unread"')) || 0;
    const before = await unread();
    const raw = await h.rawConnect(st, d.port);
    raw.write(h.upgradeText().slice(0, 30));
    raw.socket.end();
    await h.eventually(async () => (await unread()) === before + 1, 'it is counted');
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

/* A list as long as it is, with what is wanted at its end. */
const listOf = (length, last) => `${'x'.repeat(length - last.length - 2)}, ${last}`;

test('spellings that are allowed', async (t) => {
  const dir = h.tempDir(t);
  const d = await h.daemon(t, {
    config: { listen: [{ address: '127.0.0.1', port: 0, plaintext: true }, { address: '127.0.0.1', port: 0, tls: h.certificate(dir) }] },
  });
  const spellings = [
    { Upgrade: 'WebSocket', Connection: 'keep-alive, Upgrade' },
    { Upgrade: ['h2c', 'websocket'], Connection: ['keep-alive', 'Upgrade'] },
    { Connection: listOf(2000, 'Upgrade') },
    { 'Sec-WebSocket-Protocol': 'other, wslock.v1' },
    { 'Sec-WebSocket-Protocol': ['other', 'wslock.v1'] },
    { 'Sec-WebSocket-Protocol': "!#$%&'*+-.^_`|~, wslock.v1" },
    { 'Sec-WebSocket-Protocol': 'wslock.v1,, ,' },
    ...[126, 127, 128, 255, 1000, 15000].map((length) => ({ 'Sec-WebSocket-Protocol': listOf(length, 'wslock.v1') })),
    { 'Sec-WebSocket-Protocol': [...Array.from({ length: 300 }, (_, i) => `other${i}`), 'wslock.v1'] },
    { Origin: 'https://editor.example.org' },
    { 'Sec-WebSocket-Extensions': 'permessage-deflate; client_max_window_bits' },
    ...[254, 255, 256, 5000, 15000].map((length) => ({ 'Sec-WebSocket-Extensions': listOf(length, 'permessage-deflate') })),
    { 'Sec-WebSocket-Extensions': Array.from({ length: 200 }, () => 'permessage-deflate; server_no_context_takeover') },
    { 'Content-Length': '0' },
    { 'X-Forwarded': 'a name that is the beginning of another', Sec: '1', Content: '2' },
  ];
  for (const [listener, options] of [[0, {}], [1, { tls: {} }]]) {
    for (const headers of spellings) {
      const raw = await h.rawConnect(t, d.listeners[listener].port, options);
      raw.write(h.upgradeText({ headers }));
      const answer = await raw.response();
      assert.strictEqual(answer && answer.status, 101, JSON.stringify(headers).slice(0, 200));
      assert.strictEqual(answer.headers['sec-websocket-protocol'], 'wslock.v1');
      assert.strictEqual(answer.headers['sec-websocket-extensions'], undefined);
      raw.socket.destroy();
    }
  }
  const query = Array.from({ length: 300 }, (_, i) => `a${i}=b`).join('&');
  assert.strictEqual((await upgrade(t, d, { path: `/ws?${query}` })).status, 101, 'with a long query');
  assert.strictEqual((await upgrade(t, d, { path: 'http://localhost/ws' })).status, 101, 'as a proxy gets it');
});

test('a request has the Host that its version asks for, on both listeners', async (t) => {
  const d = await h.daemon(t);
  const hosts = (n) => 'Host: localhost\r\n'.repeat(n);
  for (const [version, n, refused] of [['1.1', 0, true], ['1.1', 1, false], ['1.1', 2, true], ['1.0', 0, false], ['1.0', 1, false],
    ['1.0', 2, true], ['1.2', 1, true], ['0.9', 0, true], ['2.0', 1, true], ['2.0', 0, true]]) {
    for (const [where, target, status] of [[d.port, '/other', 404], [d.port, '/ws', 426], [d.ops.port, '/healthz', 200],
      [d.ops.socket, '/v1/locks/document:1/verify', 405]]) {
      const raw = await h.rawConnect(t, where);
      raw.write(`GET ${target} HTTP/${version}\r\n${hosts(n)}\r\n`);
      const answer = await raw.response();
      if (refused) assertRefused(answer, 400, 'BAD_REQUEST');
      else assert.strictEqual(answer.status, status, `${target} ${version} ${n}`);
    }
  }
});

test('the answer to HEAD has no body', async (t) => {
  const d = await h.daemon(t);
  for (const target of ['/ws', '/nothing']) {
    const raw = await h.rawConnect(t, d.port);
    raw.write(`HEAD ${target} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
    const answer = await raw.response({ bodiless: true });
    assert.ok(answer.status >= 400 && Number(answer.headers['content-length']) > 0);
    raw.socket.end();
    await h.deadline(raw.closed, 'the end');
    assert.strictEqual(raw.data.length, 0, target);
  }
});

test('the limit of headers', async (t) => {
  const dir = h.tempDir(t);
  const of = (size) => {
    const empty = h.upgradeText({ headers: { 'X-Pad': '' } }).length;
    return h.upgradeText({ headers: { 'X-Pad': 'x'.repeat(size - empty) } });
  };
  for (const [config, limit] of [[{}, 16384], [{ limits: { maxHeaderBytes: '2KiB' } }, 2048], [{ limits: { maxHeaderBytes: '64KiB' } }, 65536]]) {
    const d = await h.daemon(t, {
      config: { ...config, listen: [{ address: '127.0.0.1', port: 0, plaintext: true }, { address: '127.0.0.1', port: 0, tls: h.certificate(dir) }] },
    });
    for (const [listener, options] of [[0, {}], [1, { tls: {} }]]) {
      const ask = async (text) => {
        const raw = await h.rawConnect(t, d.listeners[listener].port, options);
        raw.write(text);
        return raw.response();
      };
      assert.strictEqual((await ask(of(limit))).status, 101, `${limit} bytes pass`);
      for (const text of [of(limit + 1), of(4 * limit), of(1_000_000), `GET /ws?${'x'.repeat(limit)}`, 'x'.repeat(limit)]) {
        const answer = await ask(text);
        assertRefused(answer, 431, 'HEADERS_TOO_LARGE');
        assert.match(JSON.parse(answer.body).error.message, /maxHeaderBytes/);
      }
    }
    assert.ok((await d.metric('wslock_handshakes_refused_total', 'reason="handshake"')) >= 10);
    assert.match(d.log.join('\n'), /handshake_refused .*status=431/);
    if (limit === 2048) assert.strictEqual((await h.httpGet(d.opsUrl('/healthz'), { headers: { X: 'x'.repeat(3000) } })).status, 431);
  }
});

test('frames that come with the handshake', async (t) => {
  const d = await h.daemon(t);
  const raw = await h.rawConnect(t, d.port);
  const auth = JSON.stringify({ event: 'auth', id: 1, data: { token: await h.token({ user: 'ann' }) } });
  raw.write(Buffer.concat([Buffer.from(h.upgradeText()), h.wsFrame(1, auth)]));
  assert.strictEqual((await raw.response()).status, 101);
  assert.strictEqual(JSON.parse((await raw.frame()).payload).event, 'welcome');
});

test('behind other requests on the same connection', async (t) => {
  const dir = h.tempDir(t);
  const d = await h.daemon(t, {
    config: { listen: [{ address: '127.0.0.1', port: 0, plaintext: true }, { address: '127.0.0.1', port: 0, tls: h.certificate(dir) }] },
  });
  const get = 'GET /none HTTP/1.1\r\nHost: localhost\r\n\r\n';
  const auth = JSON.stringify({ event: 'auth', id: 1, data: { token: await h.token({ user: 'ann' }) } });
  for (const [listener, options] of [[0, {}], [1, { tls: {} }]]) {
    const connect = () => h.rawConnect(t, d.listeners[listener].port, options);
    await t.test(`a handshake, listener ${listener}`, async () => {
      const raw = await connect();
      for (let i = 0; i < 2; i++) {
        raw.write(get);
        const answer = await raw.response();
        assert.deepStrictEqual([answer.status, answer.headers.connection], [404, undefined]);
      }
      raw.write(h.upgradeText());
      assert.strictEqual((await raw.response()).status, 101);
      raw.write(h.wsFrame(1, auth));
      assert.strictEqual(JSON.parse((await raw.frame()).payload).event, 'welcome');
    });
    await t.test(`a handshake and frames, all at once, listener ${listener}`, async () => {
      const raw = await connect();
      raw.write(Buffer.concat([Buffer.from(get + get + h.upgradeText()), h.wsFrame(1, auth)]));
      for (const status of [404, 404, 101]) assert.strictEqual((await raw.response()).status, status);
      assert.strictEqual(JSON.parse((await raw.frame()).payload).event, 'welcome');
    });
    await t.test(`what is refused ends it, listener ${listener}`, async () => {
      for (const [text, status] of [[h.upgradeText({ headers: { Origin: 'https://evil.example.org' } }), 403], ['x\r\n\r\n', 400],
        [`GET / HTTP/1.1\r\nX: ${'x'.repeat(20000)}`, 431], ['GET /ws HTTP/1.1\r\nHost: localhost\r\n\r\n', 426]]) {
        const raw = await connect();
        raw.write(get + text + get);
        assert.strictEqual((await raw.response()).status, 404);
        const answer = await raw.response();
        assert.deepStrictEqual([answer.status, answer.headers.connection], [status, 'close']);
        assert.doesNotMatch(answer.body, /HTTP\/1.1 404/);
      }
    });
    await t.test(`a method that is not there, listener ${listener}`, async () => {
      const raw = await connect();
      for (let i = 0; i < 2; i++) {
        raw.write('DELETE /.well-known/wslock-jwks.json HTTP/1.1\r\nHost: localhost\r\n\r\n');
        const answer = await raw.response();
        assert.deepStrictEqual([answer.status, answer.headers.allow, JSON.parse(answer.body).error.code], [405, 'GET', 'METHOD_NOT_ALLOWED']);
      }
    });
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
  await t.test('two of them are none', async (st) => {
    const token = `Bearer ${await h.token({ user: 'ann' })}`;
    assertRefused(await upgrade(st, d, { headers: { Authorization: [token, token] } }), 401, 'TOKEN_INVALID');
  });
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

test('a token in a cookie', async (t) => {
  const d = await h.daemon(t, { config: { auth: { cookie: 'wslock', authTimeout: '3s' } } });
  const good = await h.token({ user: 'bob' });
  const expired = await h.token({ user: 'bob', ttl: -3600 });
  const forged = await h.token({ key: Buffer.alloc(48, 7) });
  const withCookies = (cookies) => d.newClient({ headers: { Cookie: cookies } });
  for (const [name, cookies, code] of [
    ['that has expired', `wslock=${expired}`, 'TOKEN_EXPIRED'],
    ['of another key', `a=b; wslock=${forged}`, 'TOKEN_INVALID'],
    ['that is empty', 'wslock=', 'TOKEN_INVALID'],
    ['that is garbage', 'wslock=x', 'TOKEN_INVALID'],
    ['too long for one', `wslock=${'x'.repeat(9000)}`, 'TOKEN_INVALID'],
    ['none of several', `wslock=x; wslock=${expired}; wslock=y`, 'TOKEN_EXPIRED'],
  ]) {
    await t.test(`one ${name} does not refuse the upgrade, is told, and may be followed by a good one`, async () => {
      const before = d.audit().length;
      const c = await withCookies(cookies);
      const error = (await c.waitFor('error')).data;
      assert.strictEqual(error.code, code);
      assert.ok(error.message);
      const denied = await c.request('resource:join', { resourceId: 'document:1' });
      assert.strictEqual(denied.data.code, 'UNAUTHENTICATED');
      const welcome = await c.request('auth', { token: await h.token({ user: 'ann' }) });
      assert.strictEqual(welcome.event, 'welcome');
      assert.strictEqual(welcome.data.userId, 'ann');
      const record = await h.eventually(() => d.audit().slice(before).find((r) => r.action === 'AUTH_FAILED'), 'the record');
      assert.strictEqual(record.outcome, 'failure');
      assert.ok(record.reason && record.sessionId);
      await c.close(1000);
    });
  }
  await t.test('without a good one in time the connection ends with 4401', async () => {
    const c = await withCookies(`wslock=${expired}`);
    assert.strictEqual((await c.waitFor('error')).data.code, 'TOKEN_EXPIRED');
    assert.strictEqual((await c.waitFor('session:closed')).data.reason, 'UNAUTHENTICATED');
  });
  await t.test('the cookies of the name are tried, in whatever header they stand', async (st) => {
    const bad = Array.from({ length: 7 }, (_, i) => (i % 2 ? expired : forged));
    for (const cookies of [`wslock=x; wslock=${good}`, `wslock=${good}; wslock=x`, [...bad, good].map((v) => `wslock=${v}`).join('; '),
      ['a=b', `wslock=${expired}`, `c=d; wslock="${good}"`]]) {
      const raw = await h.rawConnect(st, d.port);
      raw.write(h.upgradeText({ headers: { Cookie: cookies } }));
      assert.strictEqual((await raw.response()).status, 101);
      const welcome = JSON.parse((await raw.frame()).payload);
      assert.strictEqual(welcome.event, 'welcome');
      assert.strictEqual(welcome.data.userId, 'bob');
    }
  });
  await t.test('a bad Authorization is refused whatever the cookies are', async (st) => {
    const answer = await upgrade(st, d, { headers: { Authorization: `Bearer ${forged}`, Cookie: `wslock=${good}` } });
    assertRefused(answer, 401, 'TOKEN_INVALID');
  });
  await t.test('only the first 8 are tried; however many come, the connection opens and is told', async (st) => {
    const slow = await h.daemon(st, { config: { auth: { cookie: 'wslock' }, limits: { handshakesPerSecond: 1 } } });
    const c = await slow.newClient({ headers: { Cookie: [...Array.from({ length: 8 }, () => forged), good].map((v) => `wslock=${v}`).join('; ') } });
    const error = await c.waitFor('error');
    assert.deepStrictEqual([error.id, error.data.code], [undefined, 'TOKEN_INVALID']);
    assert.strictEqual((await slow.waitForAudit((r) => r.action === 'AUTH_FAILED')).outcome, 'failure');
    assert.strictEqual((await c.request('auth', { token: good })).event, 'welcome');
  });
});

test('an Origin that is refused stands in the answer, the log and the audit', async (t) => {
  const d = await h.daemon(t);
  for (const [origin, shown] of [
    ['https://evil.example.org', 'https://evil.example.org'],
    ['null', 'null'],
    ['file://', 'file://'],
    ['http://a"b\\c\td é', 'http://a"b\\c\\x09d\\x20\\xc3\\xa9'],
    [`https://${'x'.repeat(5000)}`, `https://${'x'.repeat(248)}...`],
    [['https://a.example', 'https://b.example'], 'https://a.example, https://b.example'],
  ]) {
    const before = d.audit().length;
    const logged = d.log.length;
    const answer = await upgrade(t, d, { headers: { Origin: origin, 'User-Agent': `agent ${'x'.repeat(249)}ä${'x'.repeat(200)}` } });
    assertRefused(answer, 403, 'ORIGIN_NOT_ALLOWED');
    assert.ok(JSON.parse(answer.body).error.message.endsWith(`: ${shown}`), answer.body);
    const record = await h.eventually(() => d.audit().slice(before).find((r) => r.action === 'ACCESS_DENIED'), 'the record');
    assert.strictEqual(record.reason, 'ORIGIN_NOT_ALLOWED');
    assert.strictEqual(record.detail, shown);
    assert.strictEqual(record.userAgent, `agent ${'x'.repeat(249)}`, 'cut at a whole character');
    const line = await h.eventually(() => d.log.slice(logged).find((l) => l.startsWith('handshake_refused ')), 'the line');
    assert.ok(line.includes(JSON.stringify(shown).slice(1, -1)), line);
  }
});

test('origins that are not those of a web site can be listed', async (t) => {
  const d = await h.daemon(t, { config: { allowedOrigins: ['null', 'file://', 'http://my_host.local:8080', 'capacitor://localhost'] } });
  for (const Origin of ['null', 'file://', 'http://my_host.local:8080', 'capacitor://localhost'])
    assert.strictEqual((await upgrade(t, d, { headers: { Origin } })).status, 101, Origin);
  for (const Origin of ['Null', 'file:///', 'http://my-host.local:8080', ''])
    assert.strictEqual((await upgrade(t, d, { headers: { Origin } })).status, 403, Origin);
});

test('addresses behind trusted proxies', async (t) => {
  const refused = { Origin: 'https://evil.example.org' };
  async function seen(d, forwarded) {
    const before = d.audit().length;
    await upgrade(t, d, { headers: { ...refused, 'X-Forwarded-For': forwarded } });
    const record = await h.eventually(() => d.audit().slice(before).find((r) => r.action === 'ACCESS_DENIED'), 'the record');
    return record.address;
  }
  await t.test('are those of each request on a connection', async (st) => {
    const d = await h.daemon(st, { config: { listen: [{ address: '127.0.0.1', port: 0, plaintext: true, trustedProxies: ['127.0.0.1'] }] } });
    for (const [forwarded, address] of [['203.0.113.7', '203.0.113.7'], [null, '127.0.0.1']]) {
      const before = d.audit().length;
      const raw = await h.rawConnect(st, d.port);
      raw.write('GET /none HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: 203.0.113.1\r\n\r\n');
      assert.strictEqual((await raw.response()).headers.connection, undefined);
      raw.write(h.upgradeText({ headers: { ...refused, 'X-Forwarded-For': forwarded } }));
      assert.strictEqual((await raw.response()).status, 403);
      const record = await h.eventually(() => d.audit().slice(before).find((r) => r.action === 'ACCESS_DENIED'), 'the record');
      assert.strictEqual(record.address, address);
    }
  });
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

'use strict';
/* Socket.IO: unmodified clients over both transports, beside native ones. */
const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const vm = require('node:vm');
const { io } = require('socket.io-client');
const h = require('./harness');

const TRANSPORTS = { 'WebSocket alone': { transports: ['websocket'] }, 'polling and the upgrade': {}, 'polling alone': { transports: ['polling'] } };
const GRACE = { resourceTypes: { document: { gracePeriod: '2m' } } };

const end = (d, sessionId) => {
  const body = JSON.stringify({ reason: 'test', actor: 'op' });
  return h.httpGet({ socketPath: d.ops.socket, path: `/v1/sessions/${sessionId}` }, { method: 'DELETE', headers: { 'Content-Length': body.length }, body });
};
const connections = async (d) => [await d.metric('wslock_connections', 'framing="native"'), await d.metric('wslock_connections', 'framing="socketio"')];

for (const [name, options] of Object.entries(TRANSPORTS)) {
  test(`socket.io-client: ${name}`, { concurrency: 8 }, async (t) => {
    const d = await h.lockDaemon(t, { config: { ...GRACE, auth: { adminRoles: ['lock-admin'] } } });
    const open = (st, user, more, extra) => h.socketClient(st, d, { user, name: `Name of ${user}`, clientId: h.tab(), ...more }, { ...options, ...extra });

    await h.together(t, {
      'an event is answered by its acknowledgement, and the reply is emitted as well': async (st) => {
        const c = await open(st, 'ack');
        assert.deepStrictEqual([c.welcome.protocol, c.welcome.userId, c.welcome.username], ['wslock.v1', 'ack', 'Name of ack']);
        assert.strictEqual(c.welcome.sessionId, c.socket.id);
        const reply = await c.ask('resource:join', { resourceId: 'document:ack', mode: 'editor' });
        assert.deepStrictEqual([reply.event, reply.data.resourceId, reply.data.mode, reply.data.lock.mine], ['resource:joined', 'document:ack:main', 'editor', true]);
        assert.deepStrictEqual(await c.waitFor('resource:joined'), reply.data);
        const { token } = await c.waitFor('lock:acquired');
        c.socket.emit('lock:heartbeat', { resourceId: 'document:ack', token });
        assert.strictEqual((await c.waitFor('lock:renewed')).token, token, 'without an acknowledgement it is emitted');
        assert.strictEqual((await c.ask('session:ping')).event, 'session:pong');
        assert.strictEqual((await c.ask('no:such', {})).data.code, 'UNKNOWN_EVENT');
        assert.strictEqual((await c.ask('lock:status', 'text')).data.code, 'INVALID_MESSAGE');
        assert.strictEqual((await c.ask('lock:acquire', { resourceId: 'document:other' })).data.code, 'NOT_JOINED');
      },
      'both framings in one room': async (st) => {
        const [native, c] = [await h.person(d, 'native'), await open(st, 'mixed')];
        await h.view(native, 'document:mixed');
        await c.ask('resource:join', { resourceId: 'document:mixed' });
        await c.ask('lock:acquire', { resourceId: 'document:mixed' });
        const seen = await native.waitFor('lock:state', (s) => s.lock.state === 'held');
        assert.strictEqual(seen.data.lock.holder.username, 'Name of mixed');
        assert.deepStrictEqual(await c.waitFor('lock:state', (s) => s.lock.state === 'held'), seen.data, 'the same event');
        assert.strictEqual((await native.request('lock:acquire', { resourceId: 'document:mixed' })).data.reason, 'HELD');
        await c.ask('lock:release', { resourceId: 'document:mixed' });
        await h.take(native, 'document:mixed');
        assert.strictEqual((await c.waitFor('lock:state', (s) => s.cause === 'ACQUIRED' && s.lock.holder.userId === 'native')).lock.state, 'held');
      },
      'disconnect() is on purpose: no grace': async (st) => {
        const [watch, c] = [await h.person(d, 'watch-purpose'), await open(st, 'purpose')];
        await h.view(watch, 'document:purpose');
        await c.ask('resource:join', { resourceId: 'document:purpose', mode: 'editor' });
        c.socket.disconnect();
        assert.strictEqual((await watch.waitFor('lock:released')).data.reason, 'DISCONNECT');
        assert.ok(await d.waitForAudit((r) => r.action === 'SESSION_CLOSED' && r.sessionId === c.welcome.sessionId));
      },
      'a broken connection has grace, and the client resumes': async (st) => {
        const proxy = await h.proxy(st, d.port);
        // A WebSocket, or a poll that the daemon has: the end of any other request is noticed by the next ping.
        proxy.rewrite.request = (bytes, pair) => {
          if (/^GET .*transport=polling&.*sid=/.test(bytes) || bytes[0] > 0x7f) setImmediate(() => (pair.waits = true));
          return bytes;
        };
        proxy.rewrite.reply = (bytes, pair) => {
          if (bytes.includes('HTTP/1.1 200')) pair.waits = false;
          return bytes;
        };
        const [watch, c] = [await h.person(d, 'watch-broken'), await open(st, 'broken', { pageId: 'page-of-broken' }, { port: proxy.port })];
        await h.view(watch, 'document:broken');
        const first = await c.ask('resource:join', { resourceId: 'document:broken', mode: 'editor' });
        assert.strictEqual(first.data.lock.mine, true);
        const { token } = await c.waitFor('lock:acquired');
        await h.eventually(() => [...proxy.pairs].some((pair) => pair.waits), 'a request waits');
        proxy.cut();
        await watch.waitFor('lock:state', (s) => s.cause === 'GRACE_STARTED');
        c.welcome = await c.waitFor('welcome');
        const back = await c.ask('resource:join', { resourceId: 'document:broken', mode: 'editor', token });
        assert.deepStrictEqual([back.data.lock.mine, back.data.lost], [true, undefined]);
        const again = await c.waitFor('lock:acquired');
        assert.deepStrictEqual([again.token, again.resumed], [token, true]);
        await watch.waitFor('lock:state', (s) => s.cause === 'RESUMED');
      },
      'a refused token is a CONNECT_ERROR with its code, and nothing comes by itself after it': async (st) => {
        for (const [who, code] of [
          [{ token: 'no.token.this' }, 'TOKEN_INVALID'], [{ ttl: -3600 }, 'TOKEN_EXPIRED'], [{ token: ' ' }, 'TOKEN_INVALID'],
          [{ token: Promise.resolve('') }, 'UNAUTHENTICATED'], [{ clientId: '?' }, 'INVALID_ARGUMENT'],
        ]) {
          const c = new h.SocketClient(st, d, { user: 'refused', ...who }, options);
          const error = await c.waitFor('(connect_error)');
          assert.deepStrictEqual([error.data?.code, error.message], [code, error.data?.message], `${error.message} ${JSON.stringify(error.data)}`);
          assert.strictEqual(c.socket.active, false);
          assert.deepStrictEqual(c.events, []);
        }
      },
      'another namespace does not exist': async (st) => {
        const c = new h.SocketClient(st, d, { user: 'space' }, { url: `http://127.0.0.1:${d.port}/admin`, ...options });
        assert.strictEqual((await c.waitFor('(connect_error)')).message, 'Invalid namespace');
      },
      'who is ended by an operator, or superseded, does not come back': async (st) => {
        const clientId = h.tab();
        const ended = await open(st, 'ended');
        const before = await open(st, 'tab', { clientId, pageId: 'page-before' });
        await before.ask('resource:join', { resourceId: 'document:tab', mode: 'editor' });
        assert.strictEqual((await end(d, ended.welcome.sessionId)).status, 200);
        assert.deepStrictEqual(await ended.waitFor('session:closed'), { code: 4403, reason: 'SESSION_TERMINATED', reconnect: false });
        assert.strictEqual((await ended.waitFor('(disconnect)')).reason, 'io server disconnect');
        const after = await open(st, 'tab', { clientId, pageId: 'page-after' });
        await after.ask('resource:join', { resourceId: 'document:tab', mode: 'editor' });
        assert.deepStrictEqual(await before.waitFor('session:closed'), { code: 4409, reason: 'SUPERSEDED', reconnect: false });
        assert.strictEqual((await before.waitFor('(disconnect)')).reason, 'io server disconnect');
        for (const c of [ended, before]) assert.deepStrictEqual([c.socket.active, c.disconnects.length], [false, 1]);
      },
      'the list of sessions says the framing and the transport': async (st) => {
        const c = await open(st, 'listed');
        if (name.includes('upgrade')) await c.upgraded();
        const { json } = await h.httpGet({ socketPath: d.ops.socket, path: '/v1/sessions?user=listed' });
        const transport = name === 'polling alone' ? 'polling' : 'websocket';
        assert.deepStrictEqual(json.sessions.map((s) => [s.sessionId, s.framing, s.transport]), [[c.welcome.sessionId, 'socketio', transport]]);
      },
    });
    await h.checkAll(d);
  });
}

test('Socket.IO: a client is pinged, and one that stands still is ended', { concurrency: 4 }, async (t) => {
  const limits = (pongTimeout) => ({ limits: { pingInterval: h.ms(300), pongTimeout } });
  const d = await h.lockDaemon(t, { config: { instance: 'patient', ...limits(h.ms(15_000)) } });
  const strict = await h.lockDaemon(t, { redis: d.redis, config: { instance: 'strict', ...limits(h.ms(300)) } });
  await h.together(t, Object.fromEntries(Object.entries(TRANSPORTS).map(([name, options]) => [name, async (st) => {
    const c = await h.socketClient(st, d, { user: name }, options);
    let pings = 0;
    c.socket.io.on('ping', () => pings++);
    await h.eventually(() => pings >= 3, 'pings');
    assert.deepStrictEqual(c.disconnects, []);
  }])));
  // It was told its interval once: another one is for those who come later.
  const old = await h.enginePackets(t, d.url('/socket.io/?EIO=4&transport=websocket'), { answers: false });
  assert.match(await old.next(), new RegExp(`"pingInterval":${300 * h.SLOW},`));
  old.send(`40${JSON.stringify({ token: await d.token({ user: 'old' }) })}`);
  d.config.limits.pingInterval = '10m';
  d.writeConfig();
  d.signal('SIGHUP');
  await d.waitForLog(/^reloaded/);
  for (let i = 0; i < 3; i++) {
    await old.take(/^2$/);
    old.send('3');
  }
  const deaf = await h.enginePackets(t, strict.url('/socket.io/?EIO=4&transport=websocket'));
  assert.match(await deaf.next(), /^0\{/);
  deaf.send(`40${JSON.stringify({ token: await d.token({ user: 'deaf' }) })}`);
  assert.match(await deaf.take(/session:closed/), /"code":4408,"reason":"PING_TIMEOUT","reconnect":true/);
  assert.deepStrictEqual(await deaf.closed(), { code: 4408, reason: 'PING_TIMEOUT' });
});

test('Socket.IO: a drained instance sends its clients away, and they come back', async (t) => {
  const d = await h.lockDaemon(t);
  const clients = [];
  for (const [name, options] of Object.entries(TRANSPORTS)) clients.push(await h.socketClient(t, d, { user: name }, options));
  await clients[1].upgraded();
  assert.deepStrictEqual(await connections(d), [0, 3]);
  assert.strictEqual(await d.metric('wslock_polling_sessions'), 1);
  await d.restart();
  for (const c of clients) {
    assert.ok((await c.waitFor('server:draining')).reconnectInMs > 0);
    assert.strictEqual((await c.waitFor('session:closed')).code, 1001);
    const first = c.welcome.sessionId;
    assert.notStrictEqual((await c.waitFor('welcome')).sessionId, first);
    assert.strictEqual(c.socket.active, true);
  }
});

test('Socket.IO: what breaks the framing is refused, and the lock has plain grace', { concurrency: 8 }, async (t) => {
  const d = await h.lockDaemon(t, { config: { resourceTypes: { document: { disconnect: 'release', gracePeriod: '2m' } } } });
  const url = d.url('/socket.io/?EIO=4&transport=websocket');
  const watch = await h.person(d, 'watch');
  const BROKEN = {
    binary: Buffer.from([4, 1, 2]), 'a type of Engine.IO': '9', 'an empty packet': '', 'a ping': '2', 'a late upgrade': '5',
    'a type of Socket.IO': '49', 'an attachment': '451-["lock:status",{"_placeholder":true,"num":0}]', 'an acknowledgement': '430[]',
    'no JSON': '42["lock:status",', 'no name': '42[{}]', 'a foreign namespace': '42/admin,["lock:status",{}]', 'CONNECT with an array': '40[]',
  };
  const cases = Object.entries(BROKEN).map(([name, packet], i) => [name, async (st) => {
    const c = await h.enginePackets(st, url);
    const resourceId = `document:broken-${i}`;
    await h.view(watch, resourceId);
    assert.match(await c.next(), /^0\{"sid":"[\w-]{22}","upgrades":\[\],"pingInterval":25000,"pingTimeout":20000,"maxPayload":16384\}$/);
    c.send(`40${JSON.stringify({ token: await d.token({ user: `broken-${i}` }) })}`);
    assert.match(await c.next(), /^40\{"sid":"/);
    assert.match(await c.next(), /^42\["welcome",/);
    c.send(`420["resource:join",${JSON.stringify({ resourceId, mode: 'editor' })}]`);
    await c.take(/^42\["lock:acquired"/);
    c.send(packet);
    assert.match(await c.take(/session:closed/), /"code":4400,"reason":"BAD_FRAMING","reconnect":false/);
    await c.take(/^41$/);
    assert.deepStrictEqual(await c.closed(), { code: 4400, reason: 'BAD_FRAMING' });
    await watch.waitFor('lock:state', (s) => s.resourceId === `${resourceId}:main` && s.cause === 'GRACE_STARTED');
  }]);
  await h.together(t, {
    ...Object.fromEntries(cases),
    'before CONNECT nothing else may come': async (st) => {
      for (const packet of ['42["session:ping"]', '4abc', '430[]', Buffer.from([1])]) {
        const c = await h.enginePackets(st, url);
        await c.next();
        c.send(packet);
        assert.deepStrictEqual(await c.closed(), { code: 4400, reason: 'BAD_FRAMING' });
      }
    },
    'a message that is too long': async (st) => {
      const c = await h.enginePackets(st, url);
      await c.next();
      c.send(`42["session:ping",{"x":"${'x'.repeat(16384)}"}]`);
      assert.deepStrictEqual(await c.closed(), { code: 1009, reason: 'MESSAGE_TOO_BIG' });
    },
    'no CONNECT in time': async (st) => {
      const strict = await h.lockDaemon(st, { redis: d.redis, config: { instance: 'strict', auth: { authTimeout: h.ms(300) } } });
      const c = await h.enginePackets(st, strict.url('/socket.io/?EIO=4&transport=websocket'));
      assert.match(await c.next(), /^0\{/);
      assert.deepStrictEqual(await c.closed(), { code: 4401, reason: 'UNAUTHENTICATED' });
    },
    'Engine.IO\'s own close is not on purpose': async (st) => {
      const c = await h.enginePackets(st, url);
      await c.next();
      c.send(`40${JSON.stringify({ token: await d.token({ user: 'closes' }) })}`);
      const { sid } = JSON.parse((await c.take(/^40/)).slice(2));
      c.send('1');
      await c.closed();
      await d.waitForAudit((r) => r.action === 'SESSION_CLOSED' && r.sessionId === sid);
    },
  });
  await h.checkAll(d);
});

test('Socket.IO: the token of the handshake counts before that of CONNECT', async (t) => {
  const d = await h.lockDaemon(t, { config: { auth: { cookie: 'lock' } } });
  const url = d.url('/socket.io/?EIO=4&transport=websocket');
  const first = async (headers, auth) => {
    const c = await h.enginePackets(t, url, { headers });
    await c.next();
    c.send(`40${auth ? JSON.stringify(auth) : ''}`);
    await c.take(/^4[04]/).then((text) => assert.ok(text));
    return c;
  };
  const user = async (c) => JSON.parse((await c.take(/^42\["welcome"/)).slice(2))[1].userId;
  const good = await d.token({ user: 'good' });
  const other = await d.token({ user: 'other' });
  assert.strictEqual(await user(await first({ Authorization: `Bearer ${good}` })), 'good');
  assert.strictEqual(await user(await first({ Authorization: `Bearer ${good}` }, { token: other })), 'good');
  assert.strictEqual(await user(await first({ Cookie: `lock=${good}` })), 'good');
  assert.strictEqual(await user(await first({ Cookie: 'lock=bad' }, { token: other })), 'other');
  await assert.rejects(h.enginePackets(t, url, { headers: { Authorization: 'Bearer bad' } }), /401/);
  const refused = await h.enginePackets(t, url, { headers: { Cookie: `lock=${await d.token({ user: 'late', ttl: -3600 })}` } });
  await refused.next();
  refused.send('40');
  assert.match(await refused.next(), /^44\{.*"data":\{"code":"TOKEN_EXPIRED"/);
  assert.deepStrictEqual(await refused.closed(), { code: 4401, reason: 'TOKEN_EXPIRED' });
});

test('Socket.IO: the limits of native connections', async (t) => {
  const d = await h.lockDaemon(t, { config: { limits: { maxConnectionsPerUser: 1, messagesPerSecond: 1, messageBurst: 5 } } });
  const c = await h.socketClient(t, d, { user: 'one' });
  const second = new h.SocketClient(t, d, { user: 'one' }, {});
  assert.strictEqual((await second.waitFor('(connect_error)')).data.code, 'RATE_LIMITED');
  const replies = await Promise.all(Array.from({ length: 12 }, () => c.ask('lock:status', { resourceId: 'document:1' })));
  assert.ok(replies.some((r) => r.data.code === 'RATE_LIMITED') && replies[0].event === 'lock:state', JSON.stringify(replies.map((r) => r.event)));
});

test('the page\'s example of socket.io-client', async (t) => {
  const page = fs.readFileSync(path.join(h.ROOT, 'docs/protocol.md'), 'utf8');
  const [, script] = /^### Using `socket.io-client`\n\n```js\n(.*?)^```$/ms.exec(page);
  assert.ok(script.split('\n').length <= 12);
  const d = await h.lockDaemon(t, { config: GRACE });
  const proxy = await h.proxy(t, d.port);
  const editor = { readOnly: true };
  const timers = [];
  const loads = [];
  let socket;
  vm.runInNewContext(script, {
    editor,
    resourceId: 'document:example',
    clientId: h.tab(),
    pageId: 'page-of-example',
    getAccessToken: () => d.token({ user: 'ann' }),
    loadText: async (fence) => loads.push(fence),
    io: (url, options) => {
      assert.strictEqual(url, 'https://locks.example.org:8443');
      socket = io(`http://127.0.0.1:${proxy.port}`, { ...options, forceNew: true, reconnectionDelay: 20, reconnectionDelayMax: 100 });
      return socket;
    },
    setInterval: (beat) => timers.push(beat),
  });
  h.cleanup(t, () => socket.disconnect());
  await h.eventually(() => !editor.readOnly, 'she edits');
  const watch = await h.person(d, 'watch');
  assert.strictEqual((await h.view(watch, 'document:example')).lock.holder.userId, 'ann');
  const { token } = await new Promise((resolve) => {
    socket.once('lock:renewed', resolve);
    timers[0]();
  });
  await new Promise((resolve) => {
    socket.once('disconnect', resolve);
    proxy.cut();
  });
  assert.strictEqual(editor.readOnly, true);
  const again = await new Promise((resolve) => socket.once('lock:acquired', resolve));
  assert.deepStrictEqual([again.token, again.resumed, editor.readOnly], [token, true, false]);
  assert.deepStrictEqual(loads, [token], 'the text is loaded once for a lock');
  socket.disconnect();
  assert.strictEqual((await watch.waitFor('lock:released')).data.reason, 'DISCONNECT');
  assert.strictEqual(editor.readOnly, true);
});

test('Socket.IO over TLS', async (t) => {
  const d = await h.lockDaemon(t, { config: { listen: [{ address: '127.0.0.1', port: 0, tls: h.certificate(h.tempDir(t)) }] } });
  for (const options of Object.values(TRANSPORTS)) {
    const c = await h.socketClient(t, d, { user: 'ann' }, { url: `https://127.0.0.1:${d.port}`, rejectUnauthorized: false, ...options });
    assert.strictEqual((await c.ask('session:ping')).event, 'session:pong');
  }
});

test('Socket.IO: CONNECT waits while the key of its token is fetched', async (t) => {
  const key = h.signingKey();
  const provider = await h.keyServer(t, { keys: [key] });
  provider.hold();
  const d = await h.newDaemon(t, {
    config: { auth: { algorithms: ['HS256', 'RS256', 'PS256', 'ES256', 'EdDSA'], cookie: 'lock', authTimeout: h.ms(10_000), jwks: { url: provider.url(), cooldown: '100ms' } } },
  });
  await d.start();
  await provider.asked(1);
  const token = await d.token({ ...key, user: 'early' });
  const clients = await Promise.all([[{}, { token }], [{ Cookie: `lock=${token}` }, {}]].map(async ([headers, auth]) => {
    const c = await h.enginePackets(t, d.url('/socket.io/?EIO=4&transport=websocket'), { headers });
    await c.next();
    c.send(`40${JSON.stringify(auth)}`);
    return c;
  }));
  provider.release();
  for (const c of clients) {
    assert.match(await c.next(), /^40\{"sid"/);
    assert.match(await c.next(), /^42\["welcome",.*"userId":"early"/);
  }
});

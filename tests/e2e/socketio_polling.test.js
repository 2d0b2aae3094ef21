'use strict';
/* Polling: its requests, pages of other origins, the change to a WebSocket, and behind proxies. */
const assert = require('node:assert');
const fs = require('node:fs');
const http = require('node:http');
const net = require('node:net');
const path = require('node:path');
const { test } = require('node:test');
const h = require('./harness');

const ORIGIN = 'https://editor.example.org';
const FIRST = '/socket.io/?EIO=4&transport=polling';

const connections = async (d) => [await d.metric('wslock_connections', 'framing="native"'), await d.metric('wslock_connections', 'framing="socketio"')];

/* A client that polls by hand. */
class Poller {
  constructor(port, options) {
    this.base = `http://127.0.0.1:${port}`;
    this.options = options;
  }
  static async open(port, options) {
    const p = new Poller(port, options);
    const first = await h.engineRequest(p.base + FIRST, options);
    assert.strictEqual(first.status, 200, first.body);
    assert.strictEqual(first.headers['cache-control'], 'no-store');
    p.sid = JSON.parse(first.body.slice(1)).sid;
    return p;
  }
  request(more) {
    return h.engineRequest(`${this.base}${FIRST}&sid=${this.sid}`, { ...this.options, ...more });
  }
  poll() {
    return this.request();
  }
  post(body) {
    return this.request({ method: 'POST', body });
  }
  /* Polls until a packet matches; gives it and all before it. */
  async until(pattern) {
    const packets = [];
    for (;;) {
      const { status, body } = await this.poll();
      assert.strictEqual(status, 200, body);
      packets.push(...body.split('\x1e'));
      if (packets.some((p) => pattern.test(p))) return packets;
    }
  }
}
async function connected(d, user, options) {
  const p = await Poller.open(d.port, options);
  assert.deepStrictEqual((({ status, body }) => [status, body])(await p.post(`40${JSON.stringify({ token: await d.token({ user }) })}`)), [200, 'ok']);
  const [connect, welcome] = await p.until(/^42\["welcome"/);
  assert.match(connect, /^40\{"sid":"/);
  p.welcome = JSON.parse(welcome.slice(2))[1];
  return p;
}

test('polling: the requests', { concurrency: 8 }, async (t) => {
  const d = await h.lockDaemon(t, { config: { resourceTypes: { document: { gracePeriod: '2m' } }, limits: { pingInterval: '60s' } } });
  const get = (query, options) => h.engineRequest(`http://127.0.0.1:${d.port}${query}`, options);
  const refusal = (code, message) => ({ code, message });

  await h.together(t, {
    'what Engine.IO refuses has its code': async () => {
      for (const [query, options, code, message] of [
        ['/socket.io/', {}, 0, 'Transport unknown'],
        ['/socket.io', {}, 0, 'Transport unknown'],
        ['/socket.io/?EIO=4&transport=flash', {}, 0, 'Transport unknown'],
        [`${FIRST}&sid=AAAAAAAAAAAAAAAAAAAAAA`, {}, 1, 'Session ID unknown'],
        [`${FIRST}&sid=AAAAAAAAAAAAAAAAAAAAAA`, { method: 'POST', body: '3' }, 1, 'Session ID unknown'],
        [`${FIRST}&sid=`, {}, 1, 'Session ID unknown'],
        [`${FIRST}&sid=${'x'.repeat(500)}`, {}, 1, 'Session ID unknown'],
        [FIRST, { method: 'POST', body: '4' }, 2, 'Bad handshake method'],
        [FIRST, { method: 'PUT' }, 2, 'Bad handshake method'],
        ['/socket.io/?EIO=4&transport=websocket', {}, 3, 'Bad request'],
        ['/socket.io/?EIO=3&transport=polling', {}, 5, 'Unsupported protocol version'],
        ['/socket.io/?transport=polling', {}, 5, 'Unsupported protocol version'],
      ]) {
        const { status, json } = await get(query, options);
        assert.deepStrictEqual([status, json], [400, refusal(code, message)], query);
      }
      await assert.rejects(h.enginePackets(t, d.url('/socket.io/?EIO=3&transport=websocket')), /400/);
      await assert.rejects(h.enginePackets(t, d.url('/socket.io/?EIO=4&transport=websocket&sid=AAAAAAAAAAAAAAAAAAAAAA')), /400/);
      const open = await Poller.open(d.port);
      for (const method of ['PUT', 'DELETE']) assert.deepStrictEqual((await open.request({ method })).json, refusal(3, 'Bad request'));
    },
    'packets in and out, several in a request': async () => {
      const p = await connected(d, 'several');
      await p.post('420["resource:join",{"resourceId":"document:several","mode":"editor"}]\x1e421["session:ping"]');
      const packets = await p.until(/^42\["session:pong"/).then(async (some) => (some.some((x) => /lock:acquired/.test(x)) ? some : [...some, ...await p.until(/lock:acquired/)]));
      for (const head of ['430[{"event":"resource:joined"', '42["resource:joined"', '431[{"event":"session:pong"', '42["session:pong"']) {
        assert.ok(packets.some((packet) => packet.startsWith(head)), `${head} in ${packets}`);
      }
      assert.ok(packets.findIndex((x) => x.startsWith('430')) < packets.findIndex((x) => x.startsWith('42["resource:joined"')), 'the acknowledgement comes first');
    },
    'a broken packet: refused, and the session is closed for good': async () => {
      // A good packet of Engine.IO that is none of Socket.IO is answered first.
      for (const [body, status] of [
        ['abc', 400], ['42["session:ping"]\x1ex', 400], ['', 400], [Buffer.from([0x34, 0x32, 0xff]), 400],
        ['452-["x",{"_placeholder":true,"num":0}]', 200], ['bAQID', 200],
      ]) {
        const p = await connected(d, 'breaks');
        assert.strictEqual((await p.post(body)).status, status, body.toString());
        const packets = await p.until(/^41$/);
        assert.ok(packets.some((x) => x === '42["session:closed",{"code":4400,"reason":"BAD_FRAMING","reconnect":false}]'), String(packets));
        assert.strictEqual((await p.poll()).body, '1');
        assert.deepStrictEqual((await p.poll()).json, refusal(1, 'Session ID unknown'));
      }
    },
    'a body that is too long': async () => {
      const p = await connected(d, 'long');
      assert.strictEqual((await p.post(`4${'x'.repeat(16384)}`)).status, 413);
      assert.ok((await p.until(/^41$/)).some((x) => /"code":1009,"reason":"MESSAGE_TOO_BIG"/.test(x)));
    },
    'one poll at a time': async () => {
      const p = await connected(d, 'twice');
      const both = await Promise.all([p.poll(), p.poll()]);
      assert.deepStrictEqual(both.map((r) => r.status).sort(), [200, 400]);
      assert.match(both.find((r) => r.status === 200).body, /"code":4400/);
    },
    'DISCONNECT is on purpose, Engine.IO\'s close is not': async () => {
      const watch = await h.person(d, 'watch-closes');
      for (const [last, cause] of [['41', 'DISCONNECT'], ['1', 'GRACE_STARTED']]) {
        const p = await connected(d, `closes-${last}`);
        const resourceId = `document:closes-${last}`;
        await h.view(watch, resourceId);
        await p.post(`42["resource:join",{"resourceId":"${resourceId}","mode":"editor"}]`);
        await p.until(/lock:acquired/);
        const waiting = p.poll();
        await p.post(last);
        assert.strictEqual((await waiting).status, 200);
        await watch.waitFor('lock:state', (s) => s.resourceId === `${resourceId}:main` && s.cause === cause);
        assert.strictEqual((await p.poll()).status, 400);
      }
    },
    'the session id is no one\'s business': async () => {
      const p = await connected(d, 'secret');
      assert.match(p.sid, /^[\w-]{22}$/);
      assert.notStrictEqual(p.sid, p.welcome.sessionId);
      assert.ok(!d.log.some((line) => line.includes(p.sid)), 'not in the log');
    },
    'a bad token in a header is refused before the session': async () => {
      const refused = await get(FIRST, { headers: { Authorization: 'Bearer bad', Origin: ORIGIN } });
      assert.deepStrictEqual([refused.status, refused.json.error.code, refused.headers['access-control-allow-origin']], [401, 'TOKEN_INVALID', ORIGIN]);
      const p = await Poller.open(d.port, { headers: { Authorization: `Bearer ${await d.token({ user: 'header' })}` } });
      await p.post('40');
      assert.match((await p.until(/welcome/)).join(), /"userId":"header"/);
    },
    'requests have a rate': async (st) => {
      const slow = await h.lockDaemon(st, { redis: d.redis, config: { instance: 'slow', limits: { messagesPerSecond: 1, messageBurst: 5 } } });
      const p = await Poller.open(slow.port);
      let last;
      for (let i = 0; i < 40 && last?.status !== 429; i++) last = await p.post('6');
      assert.strictEqual(last.status, 429);
    },
    'they count against the limit of connections, not each against that of handshakes': async (st) => {
      const few = await h.lockDaemon(st, { redis: d.redis, config: { instance: 'few', limits: { maxConnections: 3, handshakesPerSecond: 5 } } });
      const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
      h.cleanup(st, () => agent.destroy());
      const first = await Poller.open(few.port, { agent });
      for (let i = 0; i < 20; i++) assert.strictEqual((await first.post('6')).status, 200);
      const second = await Poller.open(few.port, { agent });
      const third = await h.engineRequest(`http://127.0.0.1:${few.port}${FIRST}`, { agent });
      assert.strictEqual(third.status, 503, 'two sessions and a socket');
      await first.post('1');
      await h.eventually(async () => (await h.engineRequest(`http://127.0.0.1:${few.port}${FIRST}`, { agent })).status === 200, 'room again');
      assert.strictEqual((await second.post('6')).status, 200);
    },
  });
  await h.checkAll(d);
});

test('polling: pages of other origins', async (t) => {
  const d = await h.lockDaemon(t);
  const at = (query, options) => h.engineRequest(`http://127.0.0.1:${d.port}${query}`, options);
  const cors = ({ headers }) => [headers['access-control-allow-origin'], headers['access-control-allow-credentials'], headers.vary];
  const good = await at(FIRST, { headers: { Origin: ORIGIN } });
  assert.deepStrictEqual([good.status, ...cors(good)], [200, ORIGIN, 'true', 'Origin']);
  const { sid } = JSON.parse(good.body.slice(1));
  const post = await at(`${FIRST}&sid=${sid}`, { method: 'POST', body: '6', headers: { Origin: ORIGIN } });
  assert.deepStrictEqual([post.status, ...cors(post)], [200, ORIGIN, 'true', 'Origin']);
  const waiting = at(`${FIRST}&sid=${sid}`, { headers: { Origin: ORIGIN } });
  await at(`${FIRST}&sid=${sid}`, { method: 'POST', body: '40/admin' });
  assert.deepStrictEqual(cors(await waiting), [ORIGIN, 'true', 'Origin']);
  const unknown = await at(`${FIRST}&sid=x`, { headers: { Origin: ORIGIN } });
  assert.deepStrictEqual([unknown.status, ...cors(unknown)], [400, ORIGIN, 'true', 'Origin']);
  for (const options of [{}, { method: 'POST', body: '6' }, { method: 'OPTIONS' }]) {
    const foreign = await at(`${FIRST}&sid=${sid}`, { ...options, headers: { Origin: 'https://evil.example' } });
    assert.deepStrictEqual([foreign.status, foreign.json.error.code, cors(foreign)[0]], [403, 'ORIGIN_NOT_ALLOWED', undefined]);
  }
  const preflight = await at(FIRST, { method: 'OPTIONS', headers: { Origin: ORIGIN, 'Access-Control-Request-Method': 'POST', 'Access-Control-Request-Headers': 'authorization' } });
  assert.deepStrictEqual([preflight.status, preflight.headers['access-control-allow-methods'], ...cors(preflight)], [200, 'GET, POST', ORIGIN, 'true', 'Origin']);
  assert.match(preflight.headers['access-control-allow-headers'], /Authorization/);
  assert.strictEqual(cors(await at(FIRST))[0], undefined, 'without an Origin');
  const all = await h.lockDaemon(t, { redis: d.redis, config: { instance: 'all', allowedOrigins: ['*'] } });
  assert.deepStrictEqual(cors(await h.engineRequest(`http://127.0.0.1:${all.port}${FIRST}`, { headers: { Origin: ORIGIN } })), ['*', undefined, undefined]);
});

test('paths.polling: false, and another path', async (t) => {
  const d = await h.lockDaemon(t, { config: { paths: { polling: false, socketio: '/io' } } });
  const refused = await h.engineRequest(`http://127.0.0.1:${d.port}/io/?EIO=4&transport=polling`, { headers: { Origin: ORIGIN } });
  assert.deepStrictEqual([refused.status, refused.json, refused.headers['access-control-allow-origin']], [400, { code: 0, message: 'Transport unknown' }, ORIGIN]);
  const c = await h.socketClient(t, d, { user: 'ann' }, { path: '/io/', transports: ['websocket'] });
  assert.strictEqual((await c.ask('session:ping')).event, 'session:pong');
  assert.strictEqual((await h.engineRequest(`http://127.0.0.1:${d.port}${FIRST}`)).status, 404);
});

test('the change to a WebSocket loses and doubles nothing', async (t) => {
  const d = await h.lockDaemon(t, { config: { limits: { messagesPerSecond: 1000, messageBurst: 1000 } } });
  const [other, watch] = [await h.person(d, 'other'), await h.person(d, 'watch')];
  await h.view(watch, 'document:change');
  for (let round = 0; round < 5; round++) {
    const c = await h.socketClient(t, d, { user: `change-${round}`, clientId: h.tab() });
    await c.ask('resource:join', { resourceId: 'document:change' });
    const asked = [];
    const upgraded = c.upgraded();
    let done = false;
    upgraded.then(() => { done = true; }, () => { done = true; });
    while (!done) {
      asked.push(await c.ask('session:ping'));
      await h.take(other, 'document:change');
      await other.expect('lock:release', { resourceId: 'document:change' }, 'lock:released');
    }
    await upgraded;
    const { rev } = await h.take(other, 'document:change');
    for (const events of [c, watch]) await events.waitFor('lock:state', (e) => (e.data ?? e).rev === rev);
    await other.expect('lock:release', { resourceId: 'document:change' }, 'lock:released');
    for (const events of [c, watch]) await events.waitFor('lock:state', (e) => (e.data ?? e).rev > rev);
    assert.strictEqual(c.transport, 'websocket');
    await c.ask('session:ping');
    const mine = c.events.filter((e) => e.event === 'lock:state').map((e) => e.data.rev);
    const seen = watch.received('lock:state').map((m) => m.data.rev).filter((rev) => rev >= mine[0]);
    assert.deepStrictEqual(mine, seen);
    assert.strictEqual(c.events.filter((e) => e.event === 'session:pong').length, asked.length + 1);
    assert.deepStrictEqual(c.disconnects, []);
    c.socket.disconnect();
  }
});

/* ---- proxies of Debian ---- */

const PROXIES = {
  nginx: (dir, port, target) => {
    const file = path.join(dir, 'nginx.conf');
    fs.writeFileSync(file, `
      daemon off; pid ${dir}/nginx.pid; error_log stderr warn;
      events { worker_connections 256; }
      http {
        access_log off;
        ${['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((x) => `${x}_temp_path ${dir}/${x};`).join(' ')}
        map $http_upgrade $connection_upgrade { default upgrade; '' ''; }
        upstream locks { server 127.0.0.1:${target}; keepalive 16; }
        server {
          listen 127.0.0.1:${port};
          location / {
            proxy_pass http://locks;
            proxy_http_version 1.1;
            proxy_set_header Host $host;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $connection_upgrade;
            proxy_read_timeout 75s;
          }
        }
      }`);
    return ['nginx', ['-p', dir, '-e', 'stderr', '-c', file]];
  },
  haproxy: (dir, port, target) => {
    const file = path.join(dir, 'haproxy.cfg');
    fs.writeFileSync(file, `
defaults
  mode http
  timeout connect 5s
  timeout client 75s
  timeout server 75s
  timeout tunnel 1h
  option forwardfor
frontend public
  bind 127.0.0.1:${port}
  default_backend locks
backend locks
  server one 127.0.0.1:${target}
`);
    return ['haproxy', ['-db', '-f', file]];
  },
};
const reachable = (port) => new Promise((resolve) => {
  const socket = net.connect(port, '127.0.0.1');
  socket.on('connect', () => { socket.destroy(); resolve(true); });
  socket.on('error', () => resolve(false));
});

for (const [name, configure] of Object.entries(PROXIES)) {
  test(`behind ${name}`, async (t) => {
    const ping = h.ms(500);
    const d = await h.lockDaemon(t, {
      config: {
        listen: [{ address: '127.0.0.1', port: 0, plaintext: true, trustedProxies: ['127.0.0.0/8'] }],
        limits: { pingInterval: ping, pongTimeout: h.ms(5000) },
        resourceTypes: { document: { gracePeriod: '2m' } },
      },
    });
    const port = await h.freePort();
    const [program, args] = configure(h.tempDir(t), port, d.port);
    const proxy = h.start(program, args);
    let said = '';
    proxy.stderr.on('data', (data) => (said += data));
    proxy.stdout.resume();
    h.cleanup(t, async () => {
      proxy.kill('SIGTERM');
      await proxy.ended;
    });
    await h.eventually(() => reachable(port), `${name} listens: ${said}`);
    for (const [transport, options] of Object.entries({ websocket: { transports: ['websocket'] }, polling: { transports: ['polling'] }, both: {} })) {
      const watch = await h.person(d, `watch-${transport}`);
      const c = await h.socketClient(t, d, { user: `u-${transport}`, clientId: h.tab() }, { port, ...options });
      if (transport === 'both') await c.upgraded();
      const resourceId = `document:${transport}`;
      await h.view(watch, resourceId);
      assert.strictEqual((await c.ask('resource:join', { resourceId, mode: 'editor' })).data.lock.mine, true);
      let pings = 0;
      c.socket.io.engine.on('ping', () => pings++);
      await h.eventually(() => pings >= 3, 'pings come through');
      assert.deepStrictEqual(c.disconnects, []);
      assert.strictEqual(c.transport, transport === 'both' ? 'websocket' : transport);
      c.socket.disconnect();
      assert.strictEqual((await watch.waitFor('lock:released')).data.reason, 'DISCONNECT');
    }
    await h.checkAll(d);
  });
}

/* Bytes of the daemon's memory for each further joined session. */
async function memoryOf(t, redis, open) {
  const d = await h.lockDaemon(t, {
    redis,
    env: { ASAN_OPTIONS: 'detect_leaks=1:quarantine_size_mb=1' },
    config: { instance: `memory-${open.name}`, resourceTypes: { document: { presence: 'minimal' } }, limits: { maxConnectionsPerUser: 10_000, handshakesPerSecond: 100_000, pingInterval: '60s' } },
  });
  const resident = () => Number(/VmRSS:\s+(\d+)/.exec(fs.readFileSync(`/proc/${d.child.pid}/status`, 'utf8'))[1]) * 1024;
  const token = await d.token({ user: 'many' });
  const more = async (count) => {
    for (let left = count; left > 0; left -= 20) await Promise.all(Array.from({ length: Math.min(20, left) }, () => open(d, token)));
  };
  await more(100);
  const before = resident();
  await more(600);
  assert.deepStrictEqual(await connections(d), [0, 700]);
  return (resident() - before) / 600;
}

test('a session that polls takes at most twice the memory of one with a WebSocket', async (t) => {
  const redis = await h.redis(t);
  await h.layOut(redis);
  const join = '420["resource:join",{"resourceId":"document:many","presence":"none"}]';
  const agents = [];
  h.cleanup(t, () => agents.forEach((agent) => agent.destroy()));
  const websocket = async (d, token) => {
    const c = await h.enginePackets(t, d.url('/socket.io/?EIO=4&transport=websocket'), { answers: true });
    c.send(`40${JSON.stringify({ token })}`);
    await c.take(/^42\["welcome"/);
    c.send(join);
    await c.take(/^430/);
  };
  const polling = async (d, token) => {
    const agent = new http.Agent({ keepAlive: true, maxSockets: 2 });
    agents.push(agent);
    const p = await Poller.open(d.port, { agent });
    await p.post(`40${JSON.stringify({ token })}`);
    await p.until(/^42\["welcome"/);
    await p.post(join);
    await p.until(/^430/);
    http.get(`${p.base}${FIRST}&sid=${p.sid}`, { agent }, (response) => response.resume()).on('error', () => {});
    await p.post('6'); // behind the poll, which waits
  };
  const [one, other] = [await memoryOf(t, redis, websocket), await memoryOf(t, redis, polling)];
  t.diagnostic(`bytes a session: ${Math.round(one)} with a WebSocket, ${Math.round(other)} polling, ratio ${(other / one).toFixed(2)}`);
  assert.ok(other <= 2 * one, `${other} and ${one}`);
});

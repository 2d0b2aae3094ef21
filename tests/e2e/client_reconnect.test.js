'use strict';
/* The JavaScript client comes back: pauses by close code, never in step, with a fresh token; a countdown with wrong clocks. */
const assert = require('node:assert');
const { once } = require('node:events');
const { test } = require('node:test');
const { WebSocketServer } = require('ws');
const h = require('./harness');

/* A server that says what a test wants: answer(message, send, socket) for each message. */
async function fakeServer(t, answer) {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  await once(server, 'listening');
  h.cleanup(t, () => {
    for (const socket of server.clients) socket.terminate();
    return new Promise((resolve) => { server.close(resolve); });
  });
  server.opened = [];
  server.on('connection', (socket) => {
    server.opened.push(performance.now());
    const send = (event, data, id) => socket.send(JSON.stringify({ event, id, data }));
    socket.on('message', (text) => {
      const message = JSON.parse(text);
      answer(message, (event, data, id = message.id) => send(event, data, id), socket);
    });
  });
  return { server, url: `ws://127.0.0.1:${server.address().port}/ws` };
}

const RESOURCE = 'document:fake:main';
const POLICY = {
  ttlMs: 60_000, heartbeatIntervalMs: 20_000, upgrade: 'deny', requests: false, requestTimeoutMs: 1, claimWindowMs: 1, disconnect: 'grace',
  gracePeriodMs: 20_000, livenessMs: 1000, takeover: 'never', takeoverTimeoutMs: 1, maxConcurrentTabLocksPerUser: null, maxViewersPerChild: null,
};
const about = { resourceId: RESOURCE, rev: 5 };
const welcome = (now = Date.now()) => ({
  protocol: 'wslock.v1', sessionId: 's', userId: 'ann', username: 'Ann', roles: [], admin: false, serverTime: now, tokenExpiresAt: now + 60_000,
  maxMessageBytes: 16384, instance: 'fake',
});
const joined = (mode, now = Date.now()) => ({
  ...about, mode, clientId: 'x', lock: { state: 'held', holder: { userId: 'ann' }, since: now, expiresAt: now + 60_000, mine: true }, users: [],
  viewers: 0, policy: POLICY, serverTime: now,
});

test('50 clients that are cut off together come back one by one', async (t) => {
  const { server, url } = await fakeServer(t, ({ event }, send) => event === 'auth' && send('welcome', welcome()));
  const clients = await Promise.all(Array.from({ length: 50 }, () => h.wslockClient(t, { url, makeToken: () => 'x' })));
  await Promise.all(clients.map((client) => client.connect()));
  server.opened = [];
  const at = performance.now();
  for (const socket of server.clients) socket.terminate();
  await h.eventually(() => server.opened.length >= 50, 'all are back');
  const times = server.opened.map((time) => time - at).sort((a, b) => a - b);
  const spread = times[45] - times[4];
  assert.ok(spread > 400, `nine tenths of them within ${spread} ms`);
  for (let from = 0; from < 900; from += 100) {
    const together = times.filter((time) => time >= from && time < from + 100).length;
    assert.ok(together < 20, `${together} within 100 ms: ${times.map(Math.round)}`);
  }
});

test('connect() in a listener of the loss connects once', async (t) => {
  const d = await h.lockDaemon(t, { config: { default: { gracePeriod: '20s' } } });
  const wire = await h.proxy(t, d.port);
  const client = await h.wslockClient(t, { url: `ws://127.0.0.1:${wire.port}/ws`, makeToken: () => h.token() });
  const section = client.section('document:loss');
  await section.edit();
  client.states.length = 0;
  section.on('state', ({ state }) => state === 'unconfirmed' && client.connect());
  wire.cut();
  await h.next(section, 'state', ({ state }) => state === 'editing');
  assert.deepStrictEqual(client.states.map(({ state }) => state), ['connecting', 'connected']);
});

test('the pause of a server that was going away is not that of the next connection', async (t) => {
  const { server, url } = await fakeServer(t, ({ event }, send) => {
    if (event !== 'auth') return;
    send('welcome', welcome());
    if (server.opened.length === 1) send('server:draining', { reconnectInMs: 60_000 }, undefined);
  });
  const client = await h.wslockClient(t, { url, makeToken: () => 'x' });
  const draining = h.next(client, 'server:draining');
  await client.connect();
  await draining;
  client.disconnect();
  await client.connect();
  const waiting = h.next(client, 'connection', ({ state }) => state === 'waiting');
  for (const socket of server.clients) socket.terminate();
  assert.ok((await waiting).retryInMs <= 1000);
});

test('pauses grow to 30 s, each with full jitter', async () => {
  const { backoff } = await h.wslockModule('wslock/backoff.js');
  const of = (attempt, random) => backoff({ random: () => random }, attempt);
  assert.deepStrictEqual([0, 1, 2, 5, 50].map((attempt) => of(attempt, 1)), [1000, 2000, 4000, 30_000, 30_000]);
  assert.deepStrictEqual([of(3, 0), of(3, 0.5)], [0, 4000]);
});

test('a page that goes on without the server pauses for a quarter of the grace at most', async (t) => {
  const d = await h.lockDaemon(t, {
    config: { default: { gracePeriod: '20s' }, resourceTypes: { short: { disconnect: 'release' } } },
  });
  const wire = await h.proxy(t, d.port);
  const pauses = async (resource) => {
    const time = new h.TestTime();
    const client = await h.wslockClient(t, {
      url: `ws://127.0.0.1:${wire.port}/ws`, makeToken: () => h.token({ user: resource }), platform: { ...time.platform, random: () => 1 },
    });
    wire.refuse(false);
    await client.section(resource).edit();
    const waits = () => h.next(client, 'connection', ({ state }) => state === 'waiting');
    const told = [];
    let waiting = waits();
    wire.refuse();
    const take = async (count) => {
      for (let i = 0; i < count; i++) {
        told.push((await waiting).retryInMs);
        waiting = waits();
        time.wake();
      }
    };
    await take(6);
    time.sleep(20_000);
    await take(2);
    return told;
  };
  assert.deepStrictEqual(await pauses('document:kept'), [1000, 2000, 4000, 5000, 5000, 5000, 10_000, 20_000]);
  assert.deepStrictEqual(await pauses('short:gone'), [1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]);
});

test('a pause that the server asks for is as long as it says, also where a lock is kept', async (t) => {
  const { server, url } = await fakeServer(t, ({ event }, send) => {
    const now = Date.now();
    if (event === 'auth') send('welcome', welcome(now));
    if (event !== 'resource:join') return;
    send('resource:joined', joined('editor', now));
    send('lock:acquired', { ...about, token: 7, expiresAt: now + 60_000, serverTime: now, ttlMs: 60_000, heartbeatIntervalMs: 20_000 }, null);
  });
  const draining = JSON.stringify({ event: 'server:draining', data: { reconnectInMs: 15_000 } });
  const ends = [
    [16_000, (socket) => socket.close(4429)],
    [15_000, (socket) => { socket.send(draining); socket.close(1001); }],
    [1000, (socket) => socket.close(4408)],
  ];
  for (const [ms, end] of ends) {
    const client = await h.wslockClient(t, { url, makeToken: () => 'x', platform: { random: () => 1 } });
    await client.section(RESOURCE).edit();
    const waiting = h.next(client, 'connection', ({ state }) => state === 'waiting');
    for (const socket of server.clients) end(socket);
    assert.strictEqual((await waiting).retryInMs, ms);
    assert.strictEqual(client.section(RESOURCE).state, 'unconfirmed');
    client.close();
  }
});

test('a page whose join is refused tries again within the grace', async (t) => {
  let refuse = false;
  const { url, server } = await fakeServer(t, ({ event }, send) => {
    const now = Date.now();
    if (event === 'auth') send('welcome', welcome(now));
    if (event !== 'resource:join') return;
    if (refuse) {
      send('error', { code: 'BACKEND_UNAVAILABLE', message: 'no', ref: 'r', retryAfterMs: 1, ...about });
      return;
    }
    send('resource:joined', { ...joined('editor', now), policy: { ...POLICY, gracePeriodMs: 4000 * h.SLOW } });
    send('lock:acquired', { ...about, token: 7, expiresAt: now + 60_000, serverTime: now, ttlMs: 60_000, heartbeatIntervalMs: 20_000 }, null);
  });
  const client = await h.wslockClient(t, { url, makeToken: () => 'x', platform: { random: () => 1 } });
  const section = client.section(RESOURCE);
  await section.edit();
  const joins = [];
  client.on('frame', ({ direction, text }) => direction === 'out' && text.includes('resource:join') && joins.push(performance.now()));
  refuse = true;
  const lost = performance.now();
  for (const socket of server.clients) socket.terminate();
  await h.eventually(() => section.state === 'reading', 'the grace is over');
  const pauses = joins.slice(1).map((at, i) => Math.round(at - joins[i]));
  assert.ok(pauses.length >= 2 && pauses.every((ms) => ms < 1900 * h.SLOW), `joined ${joins.map((at) => at - lost)} ms after the loss`);
});

test('what each close code brings', { concurrency: 12 }, async (t) => {
  const cases = {
    1001: { state: 'waiting', ms: [700, 700], drain: 700 }, 1002: {}, 1003: {}, 1007: {}, 1009: {}, 4400: {}, 4403: {}, 4409: {},
    4401: { state: 'waiting', ms: [500, 1000], reason: 'rejected' }, 4408: { state: 'waiting', ms: [500, 1000] },
    4429: { state: 'waiting', ms: [8000, 16_000] }, 1006: { state: 'waiting', ms: [500, 1000] },
  };
  await h.together(t, Object.fromEntries(Object.entries(cases).map(([code, { state = 'closed', ms = [0, 0], drain, reason }]) => [code, async (t) => {
    const { url } = await fakeServer(t, ({ event }, send, socket) => {
      if (event !== 'auth') return;
      send('welcome', welcome());
      if (drain) send('server:draining', { reconnectInMs: drain }, undefined);
      if (code === '1006') socket.terminate();
      else socket.close(Number(code));
    });
    const reasons = [];
    const client = await h.wslockClient(t, {
      url, makeToken: ({ reason: why }) => reasons.push(why) && 'x', platform: { random: () => 0.5 },
    });
    const told = h.next(client, 'connection', (data) => data.code === Number(code));
    client.connect().catch(() => {});
    const data = await told;
    assert.strictEqual(data.state, state);
    assert.ok((data.retryInMs ?? 0) >= ms[0] && (data.retryInMs ?? 0) <= ms[1], String(data.retryInMs));
    if (state === 'closed') {
      assert.strictEqual((await h.rejection(client.section(RESOURCE).view())).code, 'CLOSED');
    } else if (reason) {
      await h.eventually(() => reasons.length > 1, 'it asks for another token');
      assert.strictEqual(reasons[1], reason);
    }
  }])));
});

test('the server answers everything with errors: editing ends where the lock ends', async (t) => {
  const life = 2500;
  const refused = (event, send) => send('error', { code: 'INTERNAL', message: 'no', ref: 'r', ...about });
  const { url } = await fakeServer(t, ({ event }, send) => {
    const now = Date.now();
    if (event === 'auth') send('welcome', welcome(now));
    else if (event === 'resource:join') {
      send('resource:joined', joined('editor', now));
      send('lock:acquired', { ...about, token: 7, expiresAt: now + life, serverTime: now, ttlMs: life, heartbeatIntervalMs: 20_000 }, null);
    } else refused(event, send);
  });
  const client = await h.wslockClient(t, { url, makeToken: () => 'x' });
  const section = client.section(RESOURCE);
  let at;
  client.on('frame', ({ text }) => {
    if (text.includes('"event":"resource:join"')) at = performance.now();
  });
  section.edit().catch(() => {});
  await h.editing(section);
  let last = 0;
  const states = [];
  section.on('state', ({ state }) => states.push(state));
  await h.eventually(() => {
    if (section.mayEdit) last = performance.now();
    return !section.mayEdit;
  });
  assert.ok(last - at < life + 50 && last - at > life - 600, `${last - at} ms`);
  await h.eventually(() => states.length, 'it is told');
  assert.deepStrictEqual(states, ['reading']);
});

test('a server that talks nonsense grants nothing', async (t) => {
  const acquired = { ...about, token: 7, ttlMs: 1, heartbeatIntervalMs: 20_000 };
  const { url } = await fakeServer(t, ({ event }, send, socket) => {
    if (event === 'auth') send('welcome', welcome());
    if (event !== 'resource:join') return;
    socket.send('no JSON');
    socket.send('[]');
    socket.send('{"event":5,"data":{}}');
    socket.send('{"event":"lock:acquired","data":null}');
    send('from:tomorrow', { ...about }, null);
    send('presence:diff', { ...about }, null);
    send('resource:joined', joined('editor'));
    send('lock:acquired', acquired, null); // without expiresAt
  });
  const client = await h.wslockClient(t, { url, makeToken: () => 'x' });
  const section = client.section(RESOURCE);
  await section.edit();
  assert.strictEqual(section.state, 'reading');
  assert.strictEqual(client.state, 'connected');
  assert.ok(client.problems.length >= 4, 'it is told');
});

test('tokens: fetched again when it failed, refreshed before the end, with retries', async (t) => {
  const d = await h.lockDaemon(t, {});
  const asked = [];
  const ttl = Math.ceil(6 * h.SLOW);
  const client = await h.wslockClient(t, {
    url: d.url(), platform: { random: () => 0.05 },
    makeToken: ({ reason }) => {
      asked.push(reason);
      if (asked.length === 1 || asked.length === 3) throw new Error('the token service is down');
      if (asked.length === 4) return h.token({ ttl: -7200 });
      return h.token({ ttl: asked.length === 2 ? ttl : 3600 });
    },
  });
  await client.connect();
  assert.deepStrictEqual(asked, ['connect', 'connect']);
  const section = client.section('document:token');
  const { fence } = await section.edit();
  await h.next(client, 'auth:refreshed');
  assert.deepStrictEqual(asked, ['connect', 'connect', 'expiring', 'expiring', 'rejected']);
  assert.deepStrictEqual([section.state, section.fence], ['editing', fence]);
  assert.ok(!client.states.some(({ state }) => state === 'waiting' && asked.length > 2 && state.code), 'on the same connection');
  assert.match(client.problems[0].message, /getToken failed: the token service is down/);
  assert.strictEqual(client.problems[0].code, 'TOKEN_UNAVAILABLE');
});

test('a token that ends without another: the client comes back, and has its lock', async (t) => {
  const d = await h.lockDaemon(t, { config: { auth: { clockSkew: '100ms' }, default: { gracePeriod: '20s' } } });
  let good = true;
  const client = await h.wslockClient(t, {
    url: d.url(), platform: { random: () => 0.05 }, makeToken: ({ reason }) => {
      if (reason === 'expiring' || !good) throw new Error('not now');
      return h.token({ ttl: Math.ceil(3 * h.SLOW) });
    },
  });
  const section = client.section('document:token');
  const { fence } = await section.edit();
  await h.next(client, 'connection', ({ code }) => code === 4401);
  assert.strictEqual(section.state, 'unconfirmed');
  good = true;
  await h.editing(section);
  assert.strictEqual(section.fence, fence);
});

test('another user signs in: nothing of the first one stays', async (t) => {
  const d = await h.lockDaemon(t, { config: { default: { gracePeriod: '20s' } } });
  const wire = await h.proxy(t, d.port);
  let user = 'ann';
  const client = await h.wslockClient(t, { url: `ws://127.0.0.1:${wire.port}/ws`, makeToken: () => h.token({ user }) });
  const section = client.section('document:user');
  await section.edit();
  section.keepDraft('secret of ann', 'r1');
  user = 'bob';
  const lost = h.next(section, 'lost');
  wire.cut();
  assert.strictEqual((await lost).reason, 'NOT_HELD');
  await h.eventually(() => client.user.userId === 'bob' && section.joined, 'he is there');
  assert.deepStrictEqual([section.state, section.fence, section.drafts()], ['reading', null, []]);
});

test('a countdown is right with a wrong local clock', { concurrency: 3 }, async (t) => {
  await h.together(t, Object.fromEntries([-86_400_000, 0, 7_200_000].map((wrong) => [`${wrong / 3_600_000} h`, async (t) => {
    const time = new h.TestTime();
    time.wrong = wrong;
    const d = await h.lockDaemon(t, { config: { default: { lockTtl: '100s', heartbeatInterval: '30s' } } });
    const platform = { Date: time.platform.Date };
    const client = await h.wslockClient(t, { url: d.url(), makeToken: () => h.token(), platform });
    const section = client.section('document:clock');
    await section.edit();
    const left = section.countdown();
    assert.ok(left > 95_000 && left <= 100_000, String(left));
    assert.ok(Math.abs(client.serverTime() - Date.now()) < 2000);
    assert.strictEqual(section.state, 'editing');
    /* For who looks on, too. */
    const other = await h.wslockClient(t, { url: d.url(), makeToken: () => h.token({ user: 'bob' }), platform });
    await other.section('document:clock').view();
    const seen = other.section('document:clock').countdown();
    assert.ok(seen > 90_000 && seen <= 100_000, String(seen));
    /* The clock is set right, or wrong, while the page lives: the countdown stands, or ends early. */
    time.wrong -= 3_600_000;
    assert.ok(section.countdown() > 90_000);
    time.wrong += 3_600_000 + 40_000;
    assert.ok(section.countdown() < 61_000, 'it may have been asleep');
  }])));
});

test('a slow answer does not shorten what later ones have confirmed', async (t) => {
  let slow;
  const { url } = await fakeServer(t, ({ event, id }, send) => {
    const now = Date.now();
    if (event === 'auth') send('welcome', welcome(now));
    if (event === 'lock:takeover') slow = () => send('error', { code: 'TAKEOVER_DISABLED', message: 'no', ref: 'r', ...about }, id);
    if (event === 'session:ping') send('session:pong', { serverTime: now });
    if (event !== 'resource:join') return;
    const policy = { ...POLICY, gracePeriodMs: 1500 * h.SLOW, livenessMs: 300 };
    send('resource:joined', { ...joined('editor', now), policy });
    send('lock:acquired', { ...about, token: 7, expiresAt: now + 60_000, serverTime: now, ttlMs: 60_000, heartbeatIntervalMs: 20_000 }, null);
  });
  const client = await h.wslockClient(t, { url, makeToken: () => 'x' });
  const section = client.section(RESOURCE);
  await section.edit();
  const states = [];
  section.on('state', ({ state }) => states.push(state));
  const refused = h.rejection(section.takeOver('again', { timeoutMs: 60_000 }));
  const at = performance.now();
  await h.eventually(() => slow && performance.now() - at > 2000 * h.SLOW, 'longer than the grace');
  slow();
  assert.strictEqual((await refused).code, 'TAKEOVER_DISABLED');
  assert.deepStrictEqual([section.state, states], ['editing', []]);
});

/* joined(), and what answers a message of the section: answer(message, send). */
async function sectionOf(t, answer) {
  let say;
  const { url } = await fakeServer(t, (message, send) => {
    say = (event, data) => send(event, { ...about, ...data }, null);
    if (message.event === 'auth') send('welcome', welcome());
    if (message.event === 'session:ping') send('session:pong', { serverTime: Date.now() });
    if (message.event === 'resource:join') send('resource:joined', { ...joined('viewer'), lock: { state: 'free' } });
    answer(message, send);
  });
  const client = await h.wslockClient(t, { url, makeToken: () => 'x' });
  const section = client.section(RESOURCE);
  await section.view();
  return { section, say: (...message) => say(...message) };
}

test('an event that is older than a reply does not undo it', async (t) => {
  const { section, say } = await sectionOf(t, ({ event }, send) => {
    const now = Date.now();
    if (event === 'lock:acquire') {
      send('lock:acquired', { ...about, rev: 10, token: 7, expiresAt: now + 60_000, serverTime: now, ttlMs: 60_000, heartbeatIntervalMs: 20_000 });
    }
    if (event === 'lock:status') send('lock:state', { ...about, rev: 20, lock: { state: 'held', holder: { userId: 'bob' }, expiresAt: now + 60_000 } });
  });
  const told = async (data) => {
    const next = h.next(section, 'lock:state', ({ rev }) => rev === data.rev);
    say('lock:state', data);
    await next;
    return [section.lock.state, section.lock.mine, section.lock.queueLength];
  };
  await section.edit();
  assert.deepStrictEqual(await told({ rev: 8, lock: { state: 'free' } }), ['held', true, 0]);
  const old = { state: 'held', holder: { userId: 'ann' }, expiresAt: Date.now() + 1000, queueLength: 2 };
  assert.deepStrictEqual(await told({ rev: 9, lock: old, serverTime: Date.now() }), ['held', true, 2]);
  assert.ok(section.countdown() > 50_000);
  assert.deepStrictEqual(await told({ rev: 10, lock: { ...old, queueLength: 3 } }), ['held', true, 3], 'the same rev is no older');
  assert.strictEqual((await section.status()).rev, 20);
  assert.deepStrictEqual(await told({ rev: 19, lock: { state: 'free' } }), ['held', false, undefined]);
  assert.deepStrictEqual(await told({ rev: 21, lock: { state: 'free' } }), ['free', false, undefined]);
});

test('a lock that turns out to be gone when it is renewed', async (t) => {
  const { section } = await sectionOf(t, ({ event }, send) => {
    const now = Date.now();
    if (event === 'lock:acquire') {
      send('lock:acquired', { ...about, token: 7, expiresAt: now + 60_000, serverTime: now, ttlMs: 60_000, heartbeatIntervalMs: 20_000 });
    }
    if (event === 'lock:heartbeat') send('lock:lost', { ...about, token: 7, reason: 'STALE_TOKEN' });
  });
  await section.edit();
  const error = await h.rejection(section.renew());
  assert.deepStrictEqual([error.name, error.code, section.fence, section.lastLoss.reason], ['WslockError', 'STALE_TOKEN', null, 'STALE_TOKEN']);
});

test('a pause that the server has asked for is not cut short by the page', { concurrency: 2 }, async (t) => {
  await h.together(t, Object.fromEntries([4429, 1001].map((code) => [code, async (t) => {
    const { server, url } = await fakeServer(t, ({ event }, send, socket) => {
      if (event !== 'auth') return;
      send('welcome', welcome());
      if (server.opened.length > 1) return;
      if (code === 1001) send('server:draining', { reconnectInMs: 3_000_000_000 }, undefined); // longer than a timer can be
      socket.close(code);
    });
    const [window, document] = [new EventTarget(), Object.assign(new EventTarget(), { visibilityState: 'visible' })];
    const client = await h.wslockClient(t, { url, makeToken: () => 'x', platform: { window, document, random: () => 0.5 } });
    await client.connect();
    await h.eventually(() => client.state === 'waiting', 'it waits');
    const told = client.states.length;
    document.dispatchEvent(new Event('visibilitychange'));
    for (const event of ['focus', 'online']) window.dispatchEvent(new Event(event));
    client.check();
    assert.deepStrictEqual([client.state, client.states.length, server.opened.length], ['waiting', told, 1]);
    await client.connect();
    assert.strictEqual(client.state, 'connected', 'the application may');
  }])));
});

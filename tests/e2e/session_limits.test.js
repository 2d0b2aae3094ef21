'use strict';
/* Connections that send too much, read too slowly, or do not answer. */
const assert = require('node:assert');
const { test } = require('node:test');
const h = require('./harness');

const PING = 400 * h.SLOW;

/* A connection that only does what it is told: it answers no ping. */
async function deaf(t, d, user, clientId) {
  const raw = await h.rawConnect(t, d.port);
  raw.write(h.upgradeText());
  await raw.until((data) => data.includes('\r\n\r\n'), 'the upgrade');
  raw.data = raw.data.subarray(raw.data.indexOf('\r\n\r\n') + 4);
  const say = (event, data) => raw.write(h.wsFrame(1, JSON.stringify({ event, id: 1, data })));
  const hear = async (event) => {
    for (;;) {
      const frame = await raw.frame();
      assert.ok(frame && frame.opcode !== 8, `closed before ${event}`);
      if (frame.opcode !== 1) continue;
      const message = JSON.parse(frame.payload.toString());
      if (message.event === event) return message.data;
    }
  };
  say('auth', { token: await d.token({ user }), clientId });
  await hear('welcome');
  return { raw, say, hear };
}

test('limits of a connection', { concurrency: 8 }, async (t) => {
  const d = await h.lockDaemon(t, {
    config: {
      default: { disconnect: 'release', gracePeriod: '30s' },
      resourceTypes: { document: { disconnect: 'grace' } },
      limits: { messagesPerSecond: 5, messageBurst: 12, pingInterval: `${PING}ms`, pongTimeout: `${PING}ms` },
    },
  });

  await h.together(t, {
    'too many messages: RATE_LIMITED, not looked at; then 4429': async () => {
      const c = await d.client({ user: 'rate', clientId: h.tab() });
      const watch = await d.client({ user: 'rate-watch' });
      await h.view(watch, 'report:rate');
      await h.take(c, 'report:rate');
      const replies = await Promise.all(Array.from({ length: 30 }, () => c.request('lock:heartbeat', { resourceId: 'report:rate', dirty: true })));
      const limited = replies.filter((m) => m.event === 'error');
      assert.ok(limited.length >= 15 && limited.length < 30, `${limited.length} of 30`);
      for (const { data } of limited) {
        assert.strictEqual(data.code, 'RATE_LIMITED');
        assert.ok(data.retryAfterMs > 0 && data.retryAfterMs <= 1000, `${data.retryAfterMs}`);
        assert.strictEqual(data.resourceId, 'report:rate:main');
      }
      await h.eventually(async () => (await c.request('lock:heartbeat', { resourceId: 'report:rate' })).event === 'lock:renewed', 'it may go on after a while');
      for (let i = 0; i < 130 && c.ws.readyState === 1; i++) c.send('lock:heartbeat', { resourceId: 'report:rate' });
      const { data } = await c.waitFor('session:closed');
      assert.deepStrictEqual(data, { code: 4429, reason: 'RATE_LIMITED', reconnect: true });
      assert.strictEqual((await c.end()).code, 4429);
      await watch.waitFor('lock:state', (x) => x.cause === 'GRACE_STARTED'); // whatever its type says
    },
    'bad messages count as well': async () => {
      const c = await d.client({ user: 'rate-bad' });
      for (let i = 0; i < 140 && c.ws.readyState === 1; i++) c.ws.send('no message');
      assert.strictEqual((await c.end()).code, 4429);
      assert.ok(c.received('error').some((m) => m.data.code === 'INVALID_MESSAGE'));
      assert.ok(c.received('error').some((m) => m.data.code === 'RATE_LIMITED'));
    },
    'no answer to a ping: 4408, and what the type says': async (st) => {
      const watch = await d.client({ user: 'ping-watch' });
      await h.view(watch, 'report:ping');
      const { raw, say, hear } = await deaf(st, d, 'ping', 'ping-tab-1');
      say('resource:join', { resourceId: 'report:ping', mode: 'editor' });
      const { token } = await hear('lock:acquired');
      const took = await h.elapsed(hear('session:closed').then((data) => {
        assert.deepStrictEqual(data, { code: 4408, reason: 'PING_TIMEOUT', reconnect: true });
      }));
      assert.ok(took > PING * 1.2 && took < PING * 2 + 4000 * h.SLOW, `${took} ms`);
      assert.strictEqual((await raw.closeFrame()).code, 4408);
      await watch.waitFor('lock:released', (x) => x.reason === 'DISCONNECT');
      raw.socket.destroy();
      const back = await d.client({ user: 'ping', clientId: 'ping-tab-1' });
      const { joined } = await h.edit(back, 'report:ping', { token });
      assert.deepStrictEqual([joined.lost.token, joined.lost.reason], [token, 'DISCONNECT']);
      await d.waitForAudit((a) => a.action === 'SESSION_CLOSED' && a.reason === 'PING_TIMEOUT' && a.user.id === 'ping');
    },
    'messages are signs of life too': async (st) => {
      const { say, hear } = await deaf(st, d, 'alive', 'alive-tab-1');
      const start = Date.now();
      while (Date.now() - start < PING * 4) {
        say('lock:status', { resourceId: 'report:alive' });
        await hear('lock:state');
        await new Promise((resolve) => setTimeout(resolve, Math.max(220, PING / 2)));
      }
    },
    'who answers pings stays': async () => {
      const c = await d.client({ user: 'pong' });
      await h.eventually(() => c.pings >= 3);
      await h.view(c, 'report:pong');
    },
  });
  await h.checkAll(d);
});

test('a slow reader is closed with 4408, and costs others nothing', async (t) => {
  const d = await h.lockDaemon(t, {
    config: { default: { disconnect: 'release' }, limits: { messagesPerSecond: 1_000_000, messageBurst: 1_000_000, sendQueueBytes: '16KiB' } },
  });
  const slow = await d.client({ user: 'slow', clientId: 'slow-tab-1' });
  const other = await d.client({ user: 'other' });
  await h.view(other, 'document:slow');
  const { token } = await h.take(slow, 'document:slow');
  slow.receive = () => {}; // what it will get is not looked at
  slow.pause();
  const big = JSON.stringify({ event: 'no:such', id: '😀'.repeat(64), data: {} });
  let answered = -1;
  await h.eventually(async () => {
    const before = answered;
    for (let i = 0; i < 2000; i++) slow.ws.send(big);
    answered = await d.metric('wslock_deliveries_total');
    return answered === before;
  }, 'nothing is answered any more');
  slow.resume();
  assert.strictEqual((await slow.end()).code, 4408);
  assert.strictEqual(await d.metric('wslock_closed_total', 'reason="TOO_SLOW"'), 1);
  const { data } = await other.waitFor('lock:state', (s) => s.cause === 'GRACE_STARTED');
  assert.strictEqual(data.lock.state, 'grace', 'an end that the server caused');
  const back = await d.client({ user: 'slow', clientId: 'slow-tab-1' });
  assert.strictEqual((await h.take(back, 'document:slow', { token })).token, token);
  assert.ok((await d.metric('wslock_send_queue_bytes')) < 16384, 'nothing is left of its queue');
  await other.sync();
});

test('with the defaults a client that comes back may use every limit to the full at once', async (t) => {
  const d = await h.lockDaemon(t);
  const printed = (await h.run(['--print-config', '--config', d.configFile])).stdout;
  const limit = (name) => Number(new RegExp(`^ *${name}: (\\d+)$`, 'm').exec(printed)[1]);
  const rooms = Array.from({ length: limit('maxRoomsPerConnection') }, (_, i) => `document:full-${i}:main`);
  const tabs = Array.from({ length: limit('maxConnectionsPerUser') }, () => h.tab());
  const open = () => Promise.all(tabs.map((clientId) => d.client({ user: 'full', clientId })));

  const before = await open();
  const tokens = new Map();
  for (const room of rooms) tokens.set(room, (await h.take(before[0], room)).token);
  await Promise.all(before.map((c) => c.terminate()));

  // The tab with the rooms says all that it may have to say before it hears anything.
  const [first, ...others] = await Promise.all(tabs.map((clientId) => d.newClient({ user: 'full', clientId })));
  const token = await d.token({ user: 'full' });
  await Promise.all(others.map((c) => c.start()));
  await first.open();
  const replies = [first.request('auth', { token, clientId: tabs[0] })];
  const each = (event, more) => rooms.map((resourceId) => first.request(event, { resourceId, token: tokens.get(resourceId), ...more }));
  replies.push(...each('resource:join', { mode: 'editor' }), ...each('lock:heartbeat', { dirty: true }), ...each('lock:status'));
  const events = {};
  for (const { event, data } of await Promise.all(replies)) {
    assert.notStrictEqual(event, 'error', JSON.stringify(data));
    events[event] = (events[event] || 0) + 1;
  }
  assert.deepStrictEqual(events, { welcome: 1, 'resource:joined': rooms.length, 'lock:renewed': rooms.length, 'lock:state': rooms.length });
  for (const room of rooms) {
    const { data } = await first.waitFor('lock:acquired', (x) => x.resourceId === room);
    assert.strictEqual(data.token, tokens.get(room));
  }
  await h.checkAll(d);
});

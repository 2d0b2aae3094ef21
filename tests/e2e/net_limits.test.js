'use strict';
/* How many may come, how fast, and what happens when descriptors run out. */
const assert = require('node:assert');
const fs = require('node:fs');
const { test } = require('node:test');
const h = require('./harness');

async function upgrade(t, d, headers) {
  const raw = await h.rawConnect(t, d.port);
  raw.write(h.upgradeText({ headers }));
  return { ...(await raw.response()), raw };
}

const SOON = 4000 * h.SLOW; // before an idle connection ends by itself

function plain(extra) {
  return [{ address: '127.0.0.1', port: 0, plaintext: true, ...extra }];
}

test('connections in all', async (t) => {
  const d = await h.daemon(t, { config: { limits: { maxConnections: 3 } } });
  const open = [];
  for (let i = 0; i < 3; i++) open.push(await upgrade(t, d));
  assert.deepStrictEqual(open.map((o) => o.status), [101, 101, 101]);
  const refused = await upgrade(t, d);
  assert.strictEqual(refused.status, 503);
  assert.strictEqual(refused.headers['retry-after'], '1');
  assert.strictEqual(JSON.parse(refused.body).error.code, 'TOO_MANY_CONNECTIONS');
  open[0].raw.socket.destroy();
  await h.eventually(async () => (await upgrade(t, d)).status === 101, 'a place is free again');
  assert.ok((await d.metric('wslock_handshakes_refused_total', 'reason="connections"')) >= 1);
});

test('connections of an address', async (t) => {
  const d = await h.daemon(t, {
    config: { listen: plain({ trustedProxies: ['127.0.0.1'] }), limits: { maxConnectionsPerAddress: 2 } },
  });
  const from = (address) => upgrade(t, d, { 'X-Forwarded-For': address });
  assert.strictEqual((await from('203.0.113.1')).status, 101);
  const second = await from('203.0.113.1');
  assert.strictEqual(second.status, 101);
  const refused = await from('203.0.113.1');
  assert.strictEqual(refused.status, 429);
  assert.strictEqual(JSON.parse(refused.body).error.code, 'TOO_MANY_CONNECTIONS');
  assert.strictEqual((await from('203.0.113.2')).status, 101);
  assert.strictEqual((await from('2001:db8::1')).status, 101);
  assert.strictEqual((await from('2001:db8::2')).status, 101);
  assert.strictEqual((await from('2001:db8::3')).status, 429, 'a /64 is one address');
  second.raw.socket.destroy();
  await h.eventually(async () => (await from('203.0.113.1')).status === 101, 'a place is free again');
});

test('a socket counts for its address before it has sent anything, and gives its place back once', async (t) => {
  const dir = h.tempDir(t);
  const d = await h.daemon(t, {
    config: {
      listen: [{ address: '127.0.0.1', port: 0, plaintext: true }, { address: '127.0.0.1', port: 0, tls: h.certificate(dir) }],
      limits: { maxConnectionsPerAddress: 3 },
    },
  });
  const refused = (reason) => d.metric('wslock_handshakes_refused_total', `reason="${reason}"`);
  const idle = [];
  for (let i = 0; i < 3; i++) idle.push(await h.rawConnect(t, d.port));
  const over = await upgrade(t, d);
  assert.strictEqual(over.status, 429);
  assert.strictEqual(JSON.parse(over.body).error.code, 'TOO_MANY_CONNECTIONS');
  assert.strictEqual(await refused('address'), 1);
  // Of those that say nothing only few are kept to be told.
  const more = [];
  for (let i = 0; i < 30; i++) more.push(await h.rawConnect(t, d.listeners[i % 2].port));
  await h.eventually(async () => (await refused('address')) === 23, 'the rest is dropped');
  await h.eventually(() => more.filter((s) => s.ended).length === 22, 'at once');
  for (const raw of [...idle, ...more]) raw.socket.destroy();
  const statuses = [];
  await h.eventually(async () => {
    const answer = await upgrade(t, d);
    if (answer.status === 101) statuses.push(answer);
    return statuses.length === 3;
  }, 'three places are free again');
  assert.strictEqual((await upgrade(t, d)).status, 429, 'and no more than three');
});

async function get(t, d, raw) {
  const on = raw || (await h.rawConnect(t, d.port));
  on.write('GET /none HTTP/1.1\r\nHost: localhost\r\n\r\n');
  const { status, headers } = await on.response();
  return { raw: on, status, kept: headers.connection === undefined };
}

test('a connection that waits for a request gives its place to one that comes', async (t) => {
  for (const limits of [{ maxConnections: 3 }, { maxConnectionsPerAddress: 3 }]) {
    for (const trustedProxies of [[], ['127.0.0.2']]) {
      const d = await h.daemon(t, { config: { listen: plain({ trustedProxies }), limits } });
      const kept = [];
      for (let i = 0; i < 3; i++) kept.push(await get(t, d));
      assert.deepStrictEqual(kept.map((k) => k.kept), [true, true, true]);
      assert.strictEqual((await upgrade(t, d)).status, 101);
      await h.deadline(kept[0].raw.closed, 'the longest makes room', SOON);
      const again = await get(t, d, kept[1].raw);
      assert.deepStrictEqual([again.status, again.kept], [404, true], 'the others stay');
      assert.strictEqual((await upgrade(t, d)).status, 101);
      await h.deadline(kept[2].raw.closed, 'now this has waited longer', SOON);
      assert.strictEqual((await upgrade(t, d)).status, 101);
      await h.deadline(kept[1].raw.closed, 'the last one', SOON);
      assert.ok([429, 503].includes((await upgrade(t, d)).status), 'WebSockets give no place');
      assert.strictEqual((await get(t, d)).kept, false, 'what is not counted is not kept');
    }
  }
});

test('each request of a connection counts as a handshake', async (t) => {
  const d = await h.daemon(t, { config: { limits: { handshakesPerSecond: 5 } } });
  const raw = await h.rawConnect(t, d.port);
  raw.write('GET /none HTTP/1.1\r\nHost: localhost\r\n\r\n'.repeat(12));
  const statuses = [];
  for (let answer; (answer = await raw.response()) && answer.headers.connection !== 'close';) statuses.push(answer.status);
  assert.ok(statuses.length >= 5 && statuses.length < 12, statuses.join());
  assert.strictEqual(await d.metric('wslock_handshakes_refused_total', 'reason="rate"'), 1);
});

test('handshakes of an address', async (t) => {
  const d = await h.daemon(t, {
    config: { listen: plain({ trustedProxies: ['127.0.0.1'] }), limits: { handshakesPerSecond: 5 } },
  });
  const from = (address) => upgrade(t, d, { 'X-Forwarded-For': address });
  const statuses = [];
  for (let i = 0; i < 12; i++) statuses.push((await from('203.0.113.1')).status);
  assert.strictEqual(statuses.slice(0, 5).every((s) => s === 101), true, statuses.join());
  assert.ok(statuses.includes(429), statuses.join());
  assert.strictEqual((await from('203.0.113.2')).status, 101, 'another address is not concerned');
  await h.eventually(async () => (await from('203.0.113.1')).status === 101, 'it may again');
});

test('TLS handshakes beyond the rate are not begun', async (t) => {
  const dir = h.tempDir(t);
  const d = await h.daemon(t, {
    config: {
      listen: [{ address: '127.0.0.1', port: 0, tls: h.certificate(dir) }],
      limits: { handshakesPerSecond: 3 },
    },
  });
  let refused = 0;
  for (let i = 0; i < 12; i++) {
    const raw = await h.rawConnect(t, d.port, { tls: {} }).catch(() => null);
    if (!raw) refused++;
  }
  assert.ok(refused >= 3, `${refused} refused`);
  assert.ok((await d.metric('wslock_handshakes_refused_total', 'reason="rate"')) >= 3);
});

test('a handshake that is not finished in time', async (t) => {
  const dir = h.tempDir(t);
  const d = await h.daemon(t, {
    config: {
      listen: [
        { address: '127.0.0.1', port: 0, plaintext: true },
        { address: '127.0.0.1', port: 0, tls: h.certificate(dir) },
      ],
    },
  });
  const started = Date.now();
  const silent = await h.rawConnect(t, d.listeners[0].port);
  const slow = await h.rawConnect(t, d.listeners[0].port);
  const silentTls = await h.rawConnect(t, d.listeners[1].port);
  const afterTls = await h.rawConnect(t, d.listeners[1].port, { tls: {} });
  let at = 0;
  const text = h.upgradeText();
  const drip = setInterval(() => slow.write(text[at++ % 20]), 500);
  t.after(() => clearInterval(drip));
  await h.deadline(Promise.all([silent, slow, silentTls, afterTls].map((r) => r.closed)), 'all are dropped', 20_000 * h.SLOW);
  assert.ok(Date.now() - started >= 8000, 'not before the time');
  assert.strictEqual(await d.metric('wslock_handshakes_refused_total', 'reason="timeout"'), 4);
  assert.strictEqual(await d.metric('wslock_handshakes_refused_total', 'reason="unread"'), undefined);
});

function cpuMs(pid) {
  const stat = fs.readFileSync(`/proc/${pid}/stat`, 'latin1');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

test('what clients leave is enough for all that operators may open', async (t) => {
  const d = await h.daemon(t, { nofile: '256:256', config: { listen: Array.from({ length: 10 }, () => plain()[0]) } });
  const sockets = [];
  for (let i = 0; i < 256; i++) sockets.push(await h.rawConnect(t, d.port));
  const inUse = () => sockets.filter((s) => !s.ended).length;
  await h.eventually(() => inUse() <= 192, 'the last are refused');
  const idle = 23; // of the 24 that a listener takes
  for (const place of [d.ops.port, d.ops.socket]) {
    for (let i = 0; i < idle; i++) await h.rawConnect(t, place);
    const target = typeof place === 'number' ? d.opsUrl('/healthz') : { socketPath: place, path: '/healthz' };
    assert.strictEqual((await h.httpGet(target)).status, 200);
  }
  assert.ok(inUse() >= 128, `${inUse()} are kept`);
});

test('connections that wait for a request leave descriptors to those that come', async (t) => {
  const d = await h.daemon(t, { nofile: '160:160' });
  const kept = [];
  for (let i = 0; i < 30; i++) kept.push(await get(t, d));
  assert.ok(kept.every((k) => k.kept));
  const more = [];
  for (let i = 0; i < 75; i++) more.push(await upgrade(t, d));
  assert.ok(more.every((m) => m.status === 101), more.map((m) => m.status).join());
  await h.deadline(Promise.all(kept.map((k) => k.raw.closed)), 'all have given way', SOON);
  assert.strictEqual((await get(t, d)).kept, false);
  assert.strictEqual(await d.metric('wslock_handshakes_refused_total', 'reason="descriptors"'), undefined);
});

test('out of descriptors: refuses, says it once, does not spin, recovers', async (t) => {
  const d = await h.daemon(t, { nofile: '160:160' });
  assert.match(d.log.join('\n'), /few_descriptors/);
  const sockets = [];
  for (let i = 0; i < 200; i++) sockets.push(await h.rawConnect(t, d.port));
  await h.eventually(() => sockets.filter((s) => s.ended).length >= 90, 'many are refused');
  const kept = sockets.filter((s) => !s.ended);
  assert.ok(kept.length >= 60, `${kept.length} are kept`);
  const before = cpuMs(d.child.pid);
  for (let i = 0; i < 20; i++) assert.strictEqual((await h.httpGet(d.opsUrl('/healthz'))).status, 200);
  assert.ok(cpuMs(d.child.pid) - before < 300 * h.SLOW, 'no spinning');
  assert.strictEqual(d.log.filter((line) => line.startsWith('descriptors_exhausted')).length, 1);
  assert.ok((await d.metric('wslock_handshakes_refused_total', 'reason="descriptors"')) >= 90);
  for (const socket of sockets) socket.socket.destroy();
  await h.eventually(async () => (await upgrade(t, d)).status === 101, 'it takes connections again');
});

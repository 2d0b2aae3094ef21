'use strict';
/*
 * What the end of a connection does to its locks: every row of the protocol's table of ends, for each `disconnect`.
 * The locks follow when the end is known: no holder here takes part in a close handshake, or ends its TCP connection.
 */
const assert = require('node:assert');
const fs = require('node:fs');
const net = require('node:net');
const path = require('node:path');
const { test } = require('node:test');
const h = require('./harness');

const TYPES = ['release', 'grace', 'prompt'];
const PING = 2000 * h.SLOW;

/* Of each end what becomes of the locks, as the daemon's own table has it. */
const TABLE = new Map();
for (const line of fs.readFileSync(path.join(h.ROOT, 'include/wslock/wire/tables.def'), 'utf8').split('\n')) {
  const [, kind, id, rest] = /^WIRE_(CLOSE|END)\((\w+), (.*?)\)/.exec(line) ?? [];
  if (!id) continue;
  const fields = rest.split(', ');
  const announced = kind === 'CLOSE' && { code: Number(fields[0]), reason: JSON.parse(fields[1]) };
  TABLE.set(`${kind} ${id}`, { ...announced, lock: fields.at(-1) });
}

/* A connection that reads and answers pings, and does nothing else by itself: it neither answers a close nor ends. */
class Holder {
  constructor(raw) {
    this.raw = raw;
    this.inbox = new h.Inbox();
    this.nextId = 1;
  }
  static async open(t, d, who, options = {}) {
    const raw = await h.rawConnect(t, options.port ?? d.listeners[options.listener ?? 0].port, options);
    raw.write(h.upgradeText());
    await raw.until((data) => data.includes('\r\n\r\n'), 'the upgrade');
    raw.data = raw.data.subarray(raw.data.indexOf('\r\n\r\n') + 4);
    const holder = new Holder(raw);
    holder.read();
    holder.welcome = await holder.ask('auth', { token: await d.token(who), clientId: who.clientId }, 'welcome');
    return holder;
  }
  async read() {
    for (;;) {
      const frame = await this.raw.frame(3_600_000);
      if (!frame) return this.inbox.end(new Error('the connection is gone'));
      if (frame.opcode === 1) this.inbox.push(JSON.parse(frame.payload.toString()));
      if (frame.opcode === 8) this.inbox.push({ event: 'close frame', code: frame.code });
      if (frame.opcode === 9 && !this.deaf) this.raw.write(h.wsFrame(10, frame.payload));
    }
  }
  say(event, data, id = this.nextId++) {
    this.raw.write(h.wsFrame(1, JSON.stringify({ event, id, data })));
    return id;
  }
  request(event, data) {
    const id = this.say(event, data);
    return this.inbox.take((m) => m.id === id, event);
  }
  async ask(event, data, expected) {
    const reply = await this.request(event, data);
    assert.strictEqual(reply.event, expected, JSON.stringify(reply));
    return reply.data;
  }
  hear(event) {
    return this.inbox.take((m) => m.event === event, event);
  }
  async closedWith(code, reason) {
    assert.strictEqual((await this.hear('close frame')).code, code);
    const { data } = await this.hear('session:closed');
    assert.deepStrictEqual([data.code, data.reason], [code, reason]);
  }
}

/* Reads nothing, until the daemon cannot write any more and done() is true. */
async function fill(holder, done) {
  const frame = h.wsFrame(1, JSON.stringify({ event: 'no:such', id: '😀'.repeat(64), data: {} }));
  const batch = Buffer.concat(Array.from({ length: 1000 }, () => frame));
  holder.raw.socket.pause();
  let written = true;
  await h.eventually(async () => {
    if (written) {
      written = false;
      holder.raw.socket.write(batch, () => { written = true; });
    }
    return done();
  }, 'nothing more can be written', h.TIMEOUT * 3);
}

const closed = (d, reason) => d.metric('wslock_closed_total', `reason="${reason}"`);
const frame = (code) => h.wsFrame(8, code ? Buffer.from([code >> 8, code & 255]) : '');

/*
 * What causes each end of the table. `on`: the daemon, else `main`. `outlives`: the connection does so, for the
 * daemon has closed it and waits for an answer; what becomes of the locks must not.
 */
const ENDS = {
  'CLOSE GOING_AWAY': { on: 'drained', outlives: true, cause: ({ d }) => d.signal('SIGTERM') },
  'CLOSE BINARY': { outlives: true, cause: ({ holder }) => holder.raw.write(h.wsFrame(2, 'x')) },
  'CLOSE TOO_BIG': { outlives: true, cause: ({ holder }) => holder.raw.write(h.wsFrame(1, 'x'.repeat(20_000)).subarray(0, 5000)) },
  'CLOSE TOKEN_EXPIRED': { outlives: true, who: { ttl: 6 * h.SLOW }, cause: () => {} },
  'CLOSE TERMINATED': {
    outlives: true,
    cause: async ({ d, holder }) => {
      const answer = await h.opsCall(d, 'DELETE', `/v1/sessions/${holder.welcome.sessionId}`, { reason: 'test', actor: 'op' });
      assert.strictEqual(answer.status, 200, answer.body);
    },
  },
  'CLOSE TOO_SLOW': { on: 'slow', outlives: true, cause: ({ d, holder, gone }) => fill(holder, async () => gone() || (await closed(d, 'TOO_SLOW')) > 0) },
  'CLOSE PING_TIMEOUT': { on: 'strict', outlives: true, cause: ({ holder }) => { holder.deaf = true; } },
  'CLOSE SUPERSEDED': {
    outlives: true,
    cause: async ({ d, who, holder }) => { // it comes back for another room
      await holder.ask('resource:join', { resourceId: 'grace:elsewhere' }, 'resource:joined');
      await h.view(await d.client(who), 'grace:elsewhere');
    },
  },
  'CLOSE RATE_LIMITED': {
    on: 'strict', outlives: true,
    cause: ({ holder }) => { for (let i = 0; i < 140; i++) holder.say('lock:status', { resourceId: 'grace:rate' }); },
  },
  'END DONE': { cause: ({ holder }) => holder.raw.write(frame(1000)) },
  'END CLIENT': { cause: ({ holder }) => holder.raw.write(frame(1001)) },
  'END CLIENT, no code': { cause: ({ holder }) => holder.raw.write(frame(0)) },
  'END CLIENT, 3000': { cause: ({ holder }) => holder.raw.write(frame(3000)) },
  'END CLIENT, who reads nothing': {
    on: 'patient',
    cause: async ({ d, holder }) => {
      await fill(holder, async () => (await d.metric('wslock_send_queue_bytes')) > 0);
      holder.raw.write(frame(1001));
    },
  },
  'END LOST': { cause: ({ holder }) => holder.raw.socket.end() },
  'END LOST, RST': { cause: ({ holder }) => h.reset(holder.raw.socket) },
  'END LOST, TLS without close_notify': { tls: true, cause: ({ holder }) => holder.tcp.end() },
  'END LOST, TLS, RST': { tls: true, cause: ({ holder }) => h.reset(holder.tcp) },
  'END PROTOCOL_ERROR': { cause: ({ holder }) => holder.raw.write(h.wsFrame(8, 'x')) },
  'END PROTOCOL_ERROR, a reserved opcode': { cause: ({ holder }) => holder.raw.write(h.wsFrame(3, 'x')) },
  'END BAD_UTF8': { cause: ({ holder }) => holder.raw.write(h.wsFrame(1, Buffer.from([0xff]))) },
  // What swallows bytes is noticed by the ping alone.
  'CLOSE PING_TIMEOUT, nothing comes from the client': { on: 'strict', wire: true, outlives: true, cause: ({ wire }) => wire.swallow('up') },
  'CLOSE PING_TIMEOUT, nothing comes to the client': { on: 'strict', wire: true, outlives: true, cause: ({ wire }) => wire.swallow('down') },
  'CLOSE PING_TIMEOUT, nothing comes through': { on: 'strict', wire: true, outlives: true, cause: ({ wire }) => wire.swallow() },
};
/* Before a token has been accepted there is no lock. */
const WITHOUT_LOCK = ['CLOSE UNAUTHENTICATED', 'CLOSE TOKEN_INVALID', 'CLOSE TOO_MANY_CONNECTIONS'];

/* Of the other framing: tests/e2e/socketio.test.js. */
const ELSEWHERE = ['CLOSE BAD_FRAMING'];

/* How those who watch see it, for each `disconnect`. */
const SEEN = {
  LEFT: { release: 'DISCONNECT', grace: 'DISCONNECT', prompt: 'DISCONNECT' },
  LOST: { release: 'DISCONNECT', grace: 'plain grace', prompt: 'grace that may be claimed' },
  SERVER: { release: 'plain grace', grace: 'plain grace', prompt: 'plain grace' },
  TERMINATED: { release: 'SESSION_TERMINATED', grace: 'SESSION_TERMINATED', prompt: 'SESSION_TERMINATED' },
};

/* Asks until the store has an answer, which may be busy, or just coming back. */
async function settled(ask) {
  for (;;) {
    const reply = await ask();
    if (reply.data.code !== 'BACKEND_UNAVAILABLE' && reply.data.reason !== 'RECOVERING') return reply;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

/* What becomes of a lock, once that is known. */
async function outcome(watch, resourceId) {
  const { event, data } = await watch.inbox.take(
    (m) => m.id === undefined && m.data.resourceId === `${resourceId}:main`
      && (m.event === 'lock:released' || (m.event === 'lock:state' && m.data.cause === 'GRACE_STARTED')),
    `what becomes of ${resourceId}`, h.TIMEOUT * 2,
  );
  if (event === 'lock:released') return data.reason;
  const reply = await settled(() => watch.request('lock:claim', { resourceId }));
  const told = watch.received('lock:holder_disconnected').some((m) => m.data.resourceId === `${resourceId}:main`);
  assert.strictEqual(told, reply.event === 'lock:acquired', 'who may claim it is asked, and nobody else');
  if (reply.event === 'lock:acquired') return 'grace that may be claimed';
  assert.strictEqual(reply.data.reason, 'GRACE', JSON.stringify(reply));
  return 'plain grace';
}

test('every row of the table is tried', () => {
  const tried = new Set([...Object.keys(ENDS).map((name) => name.replace(/,.*/, '')), ...WITHOUT_LOCK, ...ELSEWHERE]);
  assert.deepStrictEqual([...tried].sort(), [...TABLE.keys()].sort());
});

test('what an end does to a lock, row by row', { concurrency: 6 }, async (t) => {
  const redis = await h.redis(t);
  await h.layOut(redis);
  const start = (instance, config) => h.lockDaemon(t, {
    redis,
    config: {
      instance,
      default: { lockTtl: '5m', heartbeatInterval: '60s', gracePeriod: '2m' },
      resourceTypes: Object.fromEntries(TYPES.map((type) => [type, { disconnect: type }])),
      auth: { clockSkew: '100ms' },
      redis: { lease: '20s', commandTimeout: '5s' },
      ...config,
    },
  });
  const dir = h.tempDir(t);
  const daemons = {
    main: await start('main', {
      listen: [{ address: '127.0.0.1', port: 0, plaintext: true }, { address: '127.0.0.1', port: 0, tls: h.certificate(dir) }],
    }),
    slow: await start('slow', { limits: { messagesPerSecond: 1_000_000, messageBurst: 1_000_000, sendQueueBytes: '64KiB' } }),
    patient: await start('patient', { limits: { messagesPerSecond: 1_000_000, messageBurst: 1_000_000, sendQueueBytes: '16MiB' } }),
    strict: await start('strict', {
      limits: { messagesPerSecond: 5, messageBurst: 20, pingInterval: `${PING}ms`, pongTimeout: `${PING}ms` },
    }),
    drained: await start('drained', {}),
    killed: await start('killed', {}),
  };

  const scene = async (st, name, { on = 'main', tls, wire: through, who: more } = {}) => {
    const d = daemons[on];
    const id = name.toLowerCase().replace(/[^a-z0-9]+/g, '-');
    const who = { user: `holder-${id}`, name: 'Holder', clientId: h.tab(), ...more };
    const wire = through && await h.proxy(st, d.port);
    const options = { port: wire?.port };
    let tcp;
    if (tls) {
      tcp = net.connect(d.listeners[1].port, '127.0.0.1');
      Object.assign(options, { tls: { socket: tcp } });
    }
    const holder = await Holder.open(st, d, who, options);
    holder.tcp = tcp;
    const watch = await daemons.main.client({ user: `watch-${id}`, clientId: h.tab() });
    for (const type of TYPES) {
      const resourceId = `${type}:${id}`;
      assert.strictEqual((await settled(() => watch.request('resource:join', { resourceId }))).event, 'resource:joined');
      assert.strictEqual((await settled(() => holder.request('resource:join', { resourceId }))).event, 'resource:joined');
      assert.strictEqual((await settled(() => holder.request('lock:acquire', { resourceId }))).event, 'lock:acquired');
    }
    const all = Promise.all(TYPES.map(async (type) => [type, await outcome(watch, `${type}:${id}`)]));
    let known = false;
    all.then(() => { known = true; }, () => {});
    return { d, holder, wire, who, watch, gone: () => known, seen: all.then(Object.fromEntries) };
  };

  const cases = {};
  for (const [name, end] of Object.entries(ENDS)) {
    const row = TABLE.get(name.replace(/,.*/, ''));
    cases[`${name}: ${row.lock}`] = async (st) => {
      const it = await scene(st, name, end);
      await end.cause(it);
      assert.deepStrictEqual(await it.seen, SEEN[row.lock]);
      if (end.outlives) {
        const gone = it.d.audit().some((a) => a.action === 'SESSION_CLOSED' && a.sessionId === it.holder.welcome.sessionId);
        assert.ok(!gone && !it.holder.raw.ended, 'the locks did not wait for the connection');
      }
      if (row.code && !it.wire && !name.includes('TOO_SLOW')) await it.holder.closedWith(row.code, row.reason);
    };
  }
  await h.together(t, {
    ...cases,
    'END of the daemon itself: plain grace': async (st) => {
      const it = await scene(st, 'killed', { on: 'killed' });
      await it.d.kill();
      assert.deepStrictEqual(await it.seen, SEEN.SERVER);
    },
    'a connection whose token was never accepted has no lock': async () => {
      const d = daemons.main;
      const silent = await (await d.newClient({ silent: true })).start();
      const bad = await (await d.newClient({ silent: true })).start();
      bad.send('auth', { token: 'no.token.this' });
      assert.strictEqual((await bad.waitFor('session:closed')).data.reason, 'TOKEN_INVALID');
      assert.strictEqual((await silent.waitFor('session:closed')).data.reason, 'UNAUTHENTICATED');
    },
    'a daemon that stood still itself takes nobody for gone who is there': async (st) => {
      const d = await start('still', { limits: { pingInterval: `${PING}ms`, pongTimeout: `${PING}ms` } });
      const ann = await d.client({ user: 'still', clientId: h.tab() });
      const { token } = await h.take(ann, 'release:still');
      await h.eventually(() => ann.pings > 0, 'a ping');
      for (let i = 0; i < 3; i++) {
        const pings = ann.pings;
        d.signal('SIGSTOP');
        await new Promise((resolve) => setTimeout(resolve, PING * 2 + 1500));
        d.signal('SIGCONT');
        await h.eventually(() => ann.pings > pings + 1, 'pings go on');
      }
      assert.strictEqual((await ann.expect('lock:heartbeat', { resourceId: 'release:still', token }, 'lock:renewed')).token, token);
      st.diagnostic(`${ann.pings} pings`);
    },
  });
  await h.checkAll(daemons.main);
});

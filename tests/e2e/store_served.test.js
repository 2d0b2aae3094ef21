'use strict';
/* A store that answers but refuses: its state is what succeeds there, whatever the cause and its wording. */
const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const h = require('./harness');

const LEASE = 3000 * h.SLOW;
const COMMAND_TIMEOUT = 1500 * h.SLOW;

const config = (more = {}) => ({
  default: { lockTtl: '120s', heartbeatInterval: '40s', gracePeriod: h.ms(1500) },
  resourceTypes: { long: { gracePeriod: '2m' } },
  ...more,
  ops: { readyGrace: '100ms', ...more.ops },
  redis: { lease: `${LEASE}ms`, commandTimeout: `${COMMAND_TIMEOUT}ms`, ...more.redis },
});

const readyz = (d) => h.httpGet(d.opsUrl('/readyz'));

/* Ann holds two locks, of which one outlives the outage, Bob reads along. */
async function scene(d) {
  const [ann, bob] = [await h.person(d, 'ann'), await h.person(d, 'bob')];
  await h.view(bob, 'document:1');
  const { token } = await h.take(ann, 'document:1');
  const long = await h.take(ann, 'long:1');
  await bob.waitFor('lock:state', (s) => s.cause === 'ACQUIRED');
  return { ann, bob, token, long };
}

/* What everybody must be told and see from when `broken` until it is `mended`. cause: RegExp. */
async function outage(d, broken, mended, cause) {
  const { ann, bob, token, long } = await scene(d);
  await broken();
  for (const client of [ann, bob]) await client.waitFor('system:degraded');
  const { at: told, message: { data: degraded } } = ann.frames.find(({ message }) => message?.event === 'system:degraded');
  assert.ok(degraded.confirmedUntil > told - 1000 * h.SLOW, 'a holder is told until when');
  const start = performance.now();
  await h.refused(ann, 'lock:heartbeat', { resourceId: 'long:1', token: long.token }, 'BACKEND_UNAVAILABLE');
  await h.refused(bob, 'lock:status', { resourceId: 'document:1' }, 'BACKEND_UNAVAILABLE');
  assert.ok(performance.now() - start < COMMAND_TIMEOUT * 2 + 4000 * h.SLOW);
  const reason = (json) => json.reasons.find((text) => text.startsWith('the store is away: ') && cause.test(text));
  const unready = await h.eventually(async () => {
    const answer = await readyz(d);
    return reason(answer.json) && answer;
  }, `/readyz says ${cause}`);
  assert.strictEqual(unready.status, 503);
  assert.strictEqual(await d.metric('wslock_store_up'), 0);
  const { data: lost } = await ann.waitFor('lock:lost');
  assert.deepStrictEqual([lost.resourceId, lost.token, lost.reason], ['document:1:main', token, 'STORE_LOST']);
  assert.ok(Date.now() >= degraded.confirmedUntil - 100);
  await mended();
  for (const client of [ann, bob]) await client.waitFor('system:recovered');
  assert.strictEqual((await bob.waitFor('lock:released')).data.reason, 'STORE_LOST');
  assert.strictEqual((await h.settled(bob, 'lock:acquire', { resourceId: 'document:1' })).event, 'lock:acquired');
  assert.strictEqual((await h.settled(ann, 'lock:heartbeat', { resourceId: 'long:1', token: long.token })).data.token, long.token);
  assert.strictEqual(ann.received('lock:lost').length, 1);
  await h.eventually(async () => (await d.metric('wslock_store_up')) === 1, 'wslock_store_up');
  await h.granting(d);
  await h.checkAll(d);
}

/* Has every FCALL that a proxy passes on answered by the server with this error: real replies, in their order. */
function answerWith(wire, error) {
  const eval_ = ['EVAL', 'return redis.error_reply(ARGV[1])', '0', error];
  const instead = Buffer.from(`*${eval_.length}\r\n${eval_.map((part) => `$${Buffer.byteLength(part)}\r\n${part}\r\n`).join('')}`);
  const length = (bytes, at) => { // of the command there; 0: not all of it is there
    const line = (from) => bytes.indexOf('\r\n', from);
    let end = line(at);
    for (let parts = Number(bytes.toString('latin1', at + 1, end)); end >= 0 && parts > 0; parts--) {
      const head = line(end + 2);
      if (head < 0) return 0;
      end = head + 2 + Number(bytes.toString('latin1', end + 3, head));
    }
    return end >= 0 && end + 2 <= bytes.length ? end + 2 - at : 0;
  };
  wire.rewrite.request = (data, pair) => {
    let bytes = pair.partial ? Buffer.concat([pair.partial, data]) : data;
    const out = [];
    for (let n = bytes.length ? length(bytes, 0) : 0; n > 0; n = bytes.length ? length(bytes, 0) : 0) {
      const command = bytes.subarray(0, n);
      out.push(/^\*\d+\r\n\$5\r\nFCALL\r\n/.test(command.toString('latin1', 0, 40)) ? instead : command);
      bytes = bytes.subarray(n);
    }
    pair.partial = bytes;
    return Buffer.concat(out);
  };
}

const damaged = (redis, key) => [
  async () => {
    await redis.command('RENAME', key, `${key}-kept`).catch(() => {});
    await redis.command('SET', key, 'damaged');
  },
  async () => {
    await redis.command('DEL', key);
    await redis.command('RENAME', `${key}-kept`, key).catch(() => {});
  },
];

/* name: [breaks, mends, cause] of a server. */
const CAUSES = {
  'the right to INFO is withdrawn': (r) => [() => r.command('ACL', 'SETUSER', 'default', '-info'),
    () => r.command('ACL', 'SETUSER', 'default', '+info'), /"default" has no right to info$/],
  'rights withdrawn by category': (r) => [() => r.command('ACL', 'SETUSER', 'default', '-@stream', '-@sortedset'),
    () => r.command('ACL', 'SETUSER', 'default', '+@all'), /no right to xadd, xrange, xread, xtrim, zadd, .*, zscore$/],
  'out of memory': (r) => [() => r.command('CONFIG', 'SET', 'maxmemory', 1), () => r.command('CONFIG', 'SET', 'maxmemory', 0), /OOM/],
  'without enough replicas': (r) => [() => r.command('CONFIG', 'SET', 'min-replicas-to-write', 1),
    () => r.command('CONFIG', 'SET', 'min-replicas-to-write', 0), /NOREPLICAS/],
  'its disk fails': (r) => [async () => {
    fs.mkdirSync(path.join(r.dir, 'dump.rdb', 'in-the-way'), { recursive: true });
    await r.command('CONFIG', 'SET', 'save', '3600 1');
    await r.command('BGSAVE');
  }, () => r.command('CONFIG', 'SET', 'stop-writes-on-bgsave-error', 'no'), /MISCONF/],
  'busy with a script of somebody else': (r) => [async () => {
    await r.command('CONFIG', 'SET', 'busy-reply-threshold', 1);
    r.blocked = new h.RedisClient(r.port ? { port: r.port } : { path: r.socket });
    r.blocked.command('EVAL', 'while true do end', 0).catch(() => {});
  }, () => r.command('SCRIPT', 'KILL').then(() => r.blocked.close()), /BUSY|timed out/],
  'stopped': (r) => [() => r.pause(), () => r.resume(), /no reply in time|no answer|timed out|reset|lost/i],
  'every write waits': (r) => [() => r.command('CLIENT', 'PAUSE', 3_600_000, 'WRITE'), () => r.command('CLIENT', 'UNPAUSE'),
    /no reply in time|no answer/],
  'demoted, and nothing else behind its address': (r) => [() => r.command('REPLICAOF', '127.0.0.1', 1),
    () => r.command('REPLICAOF', 'NO', 'ONE'), /READONLY|MASTERDOWN/],
  'scripts are gone and cannot be loaded': (r) => [async () => {
    await r.command('ACL', 'SETUSER', 'default', '-function|load');
    await r.command('FUNCTION', 'FLUSH');
  }, () => r.command('ACL', 'SETUSER', 'default', '+function|load'), /'function\|load'|right to function\|load/],
  'a shard’s meta is of the wrong type': (r) => [...damaged(r, '{wslock:15}:meta'), /shard 15 is not served: WRONGTYPE [^:]*value$/],
  'a shard’s list of what is due is of the wrong type': (r) => [...damaged(r, '{wslock:15}:due'), /shard 15 is not served: WRONGTYPE/],
  'a shard’s events are of the wrong type': (r) => [...damaged(r, '{wslock:15}:events'), /its events cannot be read: WRONGTYPE/],
};
/* These leave the other shards as they are. */
const ONE_SHARD = /meta|what is due/;

test('the store refuses', { concurrency: 8 }, async (t) => {
  await h.together(t, Object.fromEntries(Object.entries(CAUSES).filter(([name]) => !ONE_SHARD.test(name)).map(([name, of]) => [name, async (st) => {
    const redis = await h.redis(st);
    await h.layOut(redis);
    const d = await h.lockDaemon(st, { redis, config: config() });
    if (/events/.test(name)) await h.view(await h.person(d, 'reader'), 'document:18:main'); // in shard 15, whose events are read then
    await outage(d, ...of(redis));
  }])));
});

test('its errors, of any wording', { concurrency: 4 }, async (t) => {
  const texts = [
    "ERR Error running script (call to f_7e4c0f1d2f): @user_script:38: @user_script: 38: -READONLY You can't write against a read only replica.",
    'ERR Error running script (call to f_7e4c0f1d2f): @user_script:19: -NOPERM this user has no permissions to run the command',
    'ERR something that nobody has heard of', 'UNHEARD of', 'BUSY Redis is busy running a script.', "READONLY You can't write against a read only replica.",
    'NOAUTH Authentication required.', 'CLUSTERDOWN The cluster is down',
  ];
  await h.together(t, Object.fromEntries(texts.map((text) => [text, async (st) => {
    const redis = await h.redis(st, { tcp: true });
    await h.layOut(redis);
    const wire = await h.proxy(st, redis.port);
    const d = await h.lockDaemon(st, { redis, config: config({ redis: { url: `redis://127.0.0.1:${wire.port}/0` } }) });
    const words = text.slice(0, 60).replace(/[^\w ]/g, '.');
    await outage(d, () => answerWith(wire, text), () => { wire.rewrite.request = null; }, new RegExp(words));
  }])));
});

test('one shard that cannot be served: everybody is told, its locks are lost in time, the others go on', { concurrency: 4 }, async (t) => {
  await h.together(t, Object.fromEntries(Object.entries(CAUSES).filter(([name]) => ONE_SHARD.test(name)).map(([name, of]) => [name, async (st) => {
    const redis = await h.redis(st);
    await h.layOut(redis);
    const d = await h.lockDaemon(st, { redis, config: config() });
    const [ann, bob] = [await h.person(d, 'ann'), await h.person(d, 'bob')];
    let here; // a lock in the shard, and one elsewhere
    for (let i = 0; !here; i++) {
      const { token } = await h.take(ann, `document:${i}`);
      const [key] = await redis.keys(`{wslock:*}:lock:document:${i}:main`);
      if (key.startsWith('{wslock:15}:')) here = { resourceId: `document:${i}:main`, token };
      else await ann.expect('resource:leave', { resourceId: `document:${i}` }, 'resource:left');
    }
    const there = await h.take(ann, 'long:1');
    await h.view(bob, 'long:1');
    const [breaks, mends, cause] = of(redis);
    await breaks();
    for (const client of [ann, bob]) await client.waitFor('system:degraded');
    await bob.waitFor('lock:state', (s) => s.cause === 'RECOVERED' && s.lock.holder.userId === 'ann');
    assert.strictEqual((await h.settled(ann, 'lock:heartbeat', { resourceId: 'long:1', token: there.token })).event, 'lock:renewed');
    const { data: lost } = await ann.waitFor('lock:lost');
    assert.deepStrictEqual([lost.resourceId, lost.token, lost.reason], [here.resourceId, here.token, 'STORE_LOST']);
    await h.refused(ann, 'lock:heartbeat', here, 'BACKEND_UNAVAILABLE');
    const answer = await readyz(d);
    assert.strictEqual(answer.status, 503);
    assert.ok(answer.json.reasons.some((text) => cause.test(text)), answer.body);
    assert.strictEqual(bob.received('system:recovered').length, 0);
    await mends();
    for (const client of [ann, bob]) await client.waitFor('system:recovered');
    assert.strictEqual((await h.settled(ann, 'lock:heartbeat', { resourceId: 'long:1', token: there.token })).event, 'lock:renewed');
    await h.granting(d);
    assert.strictEqual((await h.settled(ann, 'lock:acquire', { resourceId: here.resourceId })).event, 'lock:acquired');
    await h.checkAll(d);
  }])));
});

test('a room that cannot be reported is told too: its shard refuses every request', async (t) => {
  const redis = await h.redis(t);
  await h.layOut(redis);
  const d = await h.lockDaemon(t, { redis, config: config() });
  const { ann } = await scene(d);
  const [key] = await redis.keys('{wslock:*}:lock:document:1:main');
  const [breaks, mends] = damaged(redis, key);
  await breaks();
  await h.refused(ann, 'lock:status', { resourceId: 'document:1' }, 'BACKEND_UNAVAILABLE');
  await ann.waitFor('system:degraded');
  await h.eventually(async () => (await readyz(d)).json.reasons.some((text) => /shard \d+ is not served: ERR /.test(text)), 'the cause');
  await mends();
  await ann.waitFor('system:recovered');
  await h.checkAll(d);
});

test('refused for less than two intervals: each call is told, the store is not away', async (t) => {
  const redis = await h.redis(t);
  await h.layOut(redis);
  const d = await h.lockDaemon(t, { redis, config: config({ redis: { lease: h.ms(30_000) } }) });
  const { ann, token } = await scene(d);
  await redis.command('CONFIG', 'SET', 'maxmemory', 1);
  await h.refused(ann, 'lock:acquire', { resourceId: 'document:1' }, 'BACKEND_UNAVAILABLE');
  await redis.command('CONFIG', 'SET', 'maxmemory', 0);
  assert.strictEqual((await h.settled(ann, 'lock:heartbeat', { resourceId: 'document:1', token })).event, 'lock:renewed');
  assert.strictEqual((await readyz(d)).status, 200);
  assert.strictEqual(ann.received('system:degraded').length, 0);
  await h.checkAll(d);
});

test('ops.readyGrace: ready for that long after everybody was told', async (t) => {
  const redis = await h.redis(t);
  await h.layOut(redis);
  const d = await h.lockDaemon(t, { redis, config: config({ ops: { readyGrace: '1h' } }) });
  const { ann } = await scene(d);
  await redis.command('ACL', 'SETUSER', 'default', '-info');
  await ann.waitFor('system:degraded');
  assert.strictEqual((await readyz(d)).status, 200);
  assert.strictEqual(await d.metric('wslock_store_up'), 0);
  await redis.command('ACL', 'SETUSER', 'default', '+info');
  await ann.waitFor('system:recovered');
});

/* Equally long, so that nothing else in the reply changes. */
function older(bytes) {
  return Buffer.from(bytes.toString('latin1').replace(/((?:redis|valkey)_version:)\d/g, '$15'), 'latin1');
}

test('an older server: exit 3 at start; while running a store that is away', async (t) => {
  const redis = await h.redis(t, { tcp: true });
  await h.layOut(redis);
  const wire = await h.proxy(t, redis.port);
  const own = config({ redis: { url: `redis://127.0.0.1:${wire.port}/0` } });
  const d = await h.lockDaemon(t, { redis, config: own });
  const { ann, long } = await scene(d);
  const problem = /the server is (Redis|Valkey) 5\.[\d.]+, this program needs (Redis 7\.0|Valkey 7\.2) or later/;
  wire.rewrite.reply = older;
  const late = await h.newDaemon(t, { redis, config: { ...own, instance: 'late' } });
  late.spawn();
  assert.deepStrictEqual(await late.end(), { code: 3, signal: null });
  assert.match(late.log.find((line) => line.startsWith('store_unusable ')), problem);
  wire.cut();
  await ann.waitFor('system:degraded');
  await h.eventually(async () => (await readyz(d)).json.reasons.some((text) => problem.test(text)), 'the cause');
  wire.rewrite.reply = null;
  await ann.waitFor('system:recovered');
  assert.strictEqual((await h.settled(ann, 'lock:heartbeat', { resourceId: 'long:1', token: long.token })).event, 'lock:renewed');
  await h.checkAll(d);
});

'use strict';
/*
 * Two clients that keep to what a client may believe never believe at once that they may edit, whatever stands still or
 * swallows what is sent; and the second one gets the lock in the end.
 */
const assert = require('node:assert');
const { test } = require('node:test');
const h = require('./harness');

const TYPES = ['grace', 'release', 'prompt'];
/* How long a client has to be silent before anybody else may have the lock is longer than its belief: see
   docs/configuration.md, limits.pingInterval. */
const CONFIG = {
  default: { lockTtl: h.ms(20_000), heartbeatInterval: h.ms(4000), gracePeriod: h.ms(3000) },
  resourceTypes: Object.fromEntries(TYPES.map((type) => [type, { disconnect: type }])),
  redis: { lease: h.ms(3000), commandTimeout: h.ms(1000) },
  limits: { pingInterval: h.ms(2500), pongTimeout: h.ms(2500) },
};

/* Two instances on one store; ann is on the first (through a proxy), bob on the second, once for each type. */
async function scene(t, make, options = {}) {
  const redis = await h.redis(t, { tcp: true });
  await h.layOut(redis);
  const storeWire = await h.proxy(t, redis.port);
  const one = await h.lockDaemon(t, {
    redis, config: { ...CONFIG, redis: { ...CONFIG.redis, url: `redis://127.0.0.1:${storeWire.port}/0` }, instance: 'one' },
  });
  const two = await h.lockDaemon(t, { redis, config: { ...CONFIG, instance: 'two' } });
  const wire = await h.proxy(t, one.port);
  const pairs = [];
  for (const type of options.types ?? TYPES) {
    const of = (user, url, again) => make(t, {
      url, again, resourceId: `${type}:belief:main`, clientId: h.tab(), makeToken: () => h.token({ user: `${user}-${type}`, name: user }),
    });
    const ann = await of('ann', `ws://127.0.0.1:${wire.port}/ws`, true);
    await h.eventually(() => ann.believes, `${type}: she has the lock`);
    ann.again = false;
    const bob = await of('bob', two.url(), true);
    await h.eventually(() => bob.told.includes('HELD'), `${type}: he is told that she has it`);
    pairs.push({ type, ann, bob });
  }
  return { redis, storeWire, one, two, wire, pairs };
}

/* Over several times of what a lock is kept for without a sign of life. */
async function quiet(pairs) {
  const since = performance.now();
  await h.eventually(() => performance.now() - since > 8000 * h.SLOW);
  for (const { type, ann, bob } of pairs) {
    assert.ok(ann.believes && !bob.believes && ann.record.intervals.length === 1, `${type}: she has gone on`);
  }
}

const BEHIND = h.TIMEOUT * 3;

/* Something happens, and bob has the lock in the end; then all is well again, and ann knows. */
async function handOver({ pairs }, fault, heal) {
  const at = performance.now();
  await fault();
  await Promise.all(pairs.map(({ type, bob }) => h.eventually(() => bob.believes, `${type}: he has the lock`, BEHIND)));
  for (const { type, ann } of pairs) assert.ok(!ann.believes, `${type}: she has stopped`);
  await heal();
  await Promise.all(pairs.map(({ type, ann }) => h.eventually(() => ann.token === undefined && ann.told.length, `${type}: she is told`, BEHIND)));
  for (const { type, ann, bob } of pairs) {
    assert.deepStrictEqual(h.overlaps(ann.record.intervals, bob.record.intervals), [], type);
    assert.strictEqual(ann.record.intervals.length, 1, `${type}: she has not believed twice`);
    assert.ok(ann.record.intervals[0].to > at - 1500 * h.SLOW, `${type}: she has believed until it happened`);
    assert.ok(bob.believes, `${type}: he goes on`);
  }
}

function scenarios(make, options) {
  return {
    'nothing happens': async (t) => {
      const it = await scene(t, make, options);
      await quiet(it.pairs);
    },
    'the daemon stands still': async (t) => {
      const it = await scene(t, make, options);
      await handOver(it, () => it.one.signal('SIGSTOP'), () => it.one.signal('SIGCONT'));
    },
    ...Object.fromEntries([['up', 'nothing comes from the client'], ['down', 'nothing comes to the client'], ['both', 'nothing comes through']].map(
      ([way, name]) => [name, async (t) => {
        const it = await scene(t, make, options);
        await handOver(it, () => it.wire.swallow(way), () => it.wire.swallow('none'));
      }],
    )),
    'the connection is reset, and she cannot come back': async (t) => {
      const it = await scene(t, make, { ...options, types: ['grace'] });
      await handOver(it, () => it.wire.refuse(), () => it.wire.refuse(false));
    },
    'her daemon is cut off from the store': async (t) => {
      const it = await scene(t, make, options);
      await handOver(it, () => it.storeWire.hold(), () => it.storeWire.release());
    },
    'the store stands still': async (t) => {
      const it = await scene(t, make, options);
      await handOver(it, async () => {
        it.redis.pause();
        await Promise.all(it.pairs.map(({ ann }) => h.eventually(() => !ann.believes, 'she stops', BEHIND)));
        it.redis.resume();
      }, () => {});
    },
    'the store dies, and comes back with nothing': async (t) => {
      const it = await scene(t, make, options);
      await handOver(it, async () => {
        await it.redis.stop('SIGKILL');
        await Promise.all(it.pairs.map(({ ann }) => h.eventually(() => !ann.believes, 'she stops', BEHIND)));
        await it.redis.start();
      }, () => {});
    },
  };
}

test('two clients that keep to the letter', { concurrency: 3 }, (t) => h.together(t, scenarios(h.strictClient)));

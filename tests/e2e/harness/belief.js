'use strict';
/*
 * Two clients want one lock, and something stands still or swallows what is sent: they never believe at once that they
 * may edit, and the second one gets the lock in the end. For whatever client keeps a record of its belief.
 */
const assert = require('node:assert');
const { SLOW, TIMEOUT, eventually } = require('./basics');
const { lockDaemon, ms, tab } = require('./flows');
const { proxy } = require('./proxy');
const { layOut, redis: redisServer } = require('./redis');
const { token } = require('./tokens');

const TYPES = ['grace', 'release', 'prompt'];
/* How long a client has to be silent before anybody else may have the lock is longer than its belief: see
   docs/configuration.md, limits.pingInterval. */
const CONFIG = {
  default: { lockTtl: ms(20_000), heartbeatInterval: ms(4000), gracePeriod: ms(3000) },
  resourceTypes: Object.fromEntries(TYPES.map((type) => [type, { disconnect: type }])),
  redis: { lease: ms(3000), commandTimeout: ms(1000) },
  limits: { pingInterval: ms(2500), pongTimeout: ms(2500) },
};

/* Two instances on one store; ann is on the first (through a proxy), bob on the second, once for each type. */
async function scene(t, make, { types = TYPES, over } = {}) {
  const redis = await redisServer(t, { tcp: true });
  await layOut(redis);
  const storeWire = await proxy(t, redis.port);
  const one = await lockDaemon(t, {
    redis, config: { ...CONFIG, redis: { ...CONFIG.redis, url: `redis://127.0.0.1:${storeWire.port}/0` }, instance: 'one', ...over },
  });
  const two = await lockDaemon(t, { redis, config: { ...CONFIG, instance: 'two', ...over } });
  const wire = await proxy(t, one.port);
  const pairs = [];
  for (const type of types) {
    const of = (user, url, again) => make(t, {
      url, again, resourceId: `${type}:belief:main`, clientId: tab(), makeToken: () => token({ user: `${user}-${type}`, name: user }),
    });
    const ann = await of('ann', `ws://127.0.0.1:${wire.port}/ws`, true);
    // Her belief begins with resource:joined; without the token, which comes behind it, she would not come back for it.
    await eventually(() => ann.believes && ann.token, `${type}: she has the lock`);
    ann.again = false;
    const bob = await of('bob', two.url(), true);
    await eventually(() => bob.told.includes('HELD'), `${type}: he is told that she has it`);
    pairs.push({ type, ann, bob });
  }
  return { redis, storeWire, one, two, wire, pairs };
}

const LOSSES = new Set(['EXPIRED', 'DISCONNECT', 'GRACE_PERIOD_EXPIRED', 'CLAIMED', 'STORE_LOST', 'NOT_HELD', 'STALE_TOKEN']);

/* For longer than a lock is believed in without a sign of life. */
async function quiet(pairs) {
  const since = performance.now();
  await eventually(() => performance.now() - since > 9000);
  for (const { type, ann, bob } of pairs) {
    await eventually(() => ann.believes, `${type}: she goes on`);
    assert.ok(!ann.told.some((reason) => LOSSES.has(reason)), `${type}: ${ann.told}`);
    assert.deepStrictEqual(bob.record.intervals, [], type);
  }
}

const BEHIND = TIMEOUT * 3;

/* Something happens, and bob has the lock in the end; then all is well again, and ann knows. */
async function handOver({ pairs }, fault, heal) {
  await eventually(() => pairs.every(({ ann }) => ann.believes), 'all of her locks are hers');
  const at = performance.now();
  await fault();
  await Promise.all(pairs.map(({ type, bob }) => eventually(() => bob.believes, `${type}: he has the lock`, BEHIND)));
  for (const { type, ann } of pairs) assert.ok(!ann.believes, `${type}: she has stopped`);
  await heal();
  await Promise.all(pairs.map(({ type, ann }) => eventually(() => ann.token === undefined && ann.told.length, `${type}: she is told`, BEHIND)
    .catch((error) => {
      throw new Error(`${error.message}: ${JSON.stringify(ann.state)}`);
    })));
  for (const { type, ann, bob } of pairs) {
    assert.deepStrictEqual(overlaps(ann.record.intervals, bob.record.intervals), [], type);
    const last = ann.record.intervals.at(-1);
    assert.ok(last.from < at && last.to >= at, `${type}: she has believed until it happened, and not again`);
    assert.ok(bob.believes, `${type}: he goes on`);
  }
}

/* {name: sub-test}; make(t, {url, resourceId, clientId, makeToken, again}) makes a client like that of strict.js. */
function beliefScenarios(make) {
  return {
    'nothing happens': async (t) => {
      const it = await scene(t, make, { over: { default: { ...CONFIG.default, gracePeriod: '8s' }, limits: {} } });
      await quiet(it.pairs);
    },
    'the daemon stands still': async (t) => {
      const it = await scene(t, make);
      await handOver(it, () => it.one.signal('SIGSTOP'), () => it.one.signal('SIGCONT'));
    },
    ...Object.fromEntries([['up', 'nothing comes from the client'], ['down', 'nothing comes to the client'], ['both', 'nothing comes through']].map(
      ([way, name]) => [name, async (t) => {
        const it = await scene(t, make);
        await handOver(it, () => it.wire.swallow(way), () => it.wire.swallow('none'));
      }],
    )),
    'the connection is reset, and she cannot come back': async (t) => {
      const it = await scene(t, make, { types: ['grace'] });
      await handOver(it, () => it.wire.refuse(), () => it.wire.refuse(false));
    },
    'her daemon is cut off from the store': async (t) => {
      const it = await scene(t, make);
      await handOver(it, () => it.storeWire.hold(), () => it.storeWire.release());
    },
    'the store stands still': async (t) => {
      const it = await scene(t, make);
      await handOver(it, async () => {
        it.redis.pause();
        await Promise.all(it.pairs.map(({ ann }) => eventually(() => ann.told.includes('STORE_LOST'), 'her lock is given up', BEHIND)));
        it.redis.resume();
      }, () => {});
    },
    'the store dies, and comes back with nothing': async (t) => {
      const it = await scene(t, make);
      await handOver(it, async () => {
        await it.redis.stop('SIGKILL');
        await Promise.all(it.pairs.map(({ ann }) => eventually(() => ann.told.includes('STORE_LOST'), 'her lock is given up', BEHIND)));
        await it.redis.start();
      }, () => {});
    },
  };
}


/* What two believed at once: [] if they never did. */
function overlaps(a, b) {
  const both = [];
  for (const x of a) {
    for (const y of b) {
      const length = Math.min(x.to, y.to) - Math.max(x.from, y.from);
      if (length > 0) both.push({ length, x, y });
    }
  }
  return both;
}

module.exports = { beliefScenarios };

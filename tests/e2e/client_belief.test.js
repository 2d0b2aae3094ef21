'use strict';
/* What the JavaScript client lets a page believe (docs/protocol.md), with real daemons, links that swallow, and clocks that leap. */
const assert = require('node:assert');
const { test } = require('node:test');
const h = require('./harness');

test('two pages with the library', { concurrency: 4 }, (t) => h.together(t, h.beliefScenarios(h.wslockEditor)));

test('time goes on while the computer sleeps, and never goes back', async () => {
  const { Clock } = await h.wslockModule('wslock/clock.js');
  const at = { ticks: 1000, wall: 5_000_000 };
  const clock = new Clock({ performance: { now: () => at.ticks }, Date: { now: () => at.wall } });
  const after = (ticks, wall) => {
    const before = clock.now();
    at.ticks += ticks;
    at.wall += wall;
    return clock.now() - before;
  };
  assert.strictEqual(after(40, 40), 40);
  assert.strictEqual(after(40, 41), 40, 'they differ a little');
  assert.strictEqual(after(0, 600_000), 600_001, 'asleep');
  assert.strictEqual(after(20, 20), 20);
  assert.strictEqual(after(50, -3_600_000), 50, 'the wall clock is set back');
  assert.strictEqual(after(0, 60_000), 60_000, 'asleep after that');
  for (let i = 0; i < 4; i++) after(0, 400);
  assert.ok(after(0, 0) === 0 && clock.now() > 1000 + 1200, 'many short sleeps add up');
});

test('a policy that changes: the stricter terms count until the lock is confirmed under the new ones', async () => {
  const { Belief } = await h.wslockModule('wslock/belief.js');
  const clock = { now: () => 5000 };
  const belief = new Belief(clock);
  const terms = (gracePeriodMs, disconnect = 'grace') => ({ gracePeriodMs, disconnect });
  belief.adopt(terms(1)); // it holds nothing
  belief.confirm(5000, terms(20_000), 300_000);
  belief.adopt(terms(10_000));
  assert.strictEqual(belief.until, 15_000);
  belief.adopt(terms(30_000));
  assert.strictEqual(belief.until, 15_000);
  belief.confirm(5000, terms(30_000), 300_000);
  assert.strictEqual(belief.until, 35_000);
  belief.adopt(terms(30_000, 'release'));
  belief.adopt(terms(30_000));
  belief.doubt();
  assert.strictEqual(belief.held, false);
});

test('what is given away: no answer to an older message brings it back', async () => {
  const { Belief } = await h.wslockModule('wslock/belief.js');
  let now = 5000;
  const belief = new Belief({ now: () => now });
  const terms = { gracePeriodMs: 20_000, disconnect: 'grace' };
  belief.giveAway(); // while what asks for the lock is on its way
  belief.confirm(4900, terms, 300_000);
  assert.strictEqual(belief.alive, false);
  now = 5100;
  belief.confirm(5050, terms, 300_000);
  assert.strictEqual(belief.alive, true, 'the server has said so since');
  belief.giveAway();
  assert.strictEqual(belief.alive, false);
});

/* A page whose clocks and timers are the test's. */
async function stage(t, config, options) {
  const time = new h.TestTime();
  const d = await h.lockDaemon(t, { config: { default: { lockTtl: '5m', heartbeatInterval: '60s', ...config } } });
  const ann = await h.wslockClient(t, { url: d.url(), makeToken: () => h.token({ user: 'ann' }), platform: time.platform, ...options });
  const section = ann.section('document:page');
  const states = [];
  section.on('state', ({ state }) => states.push(state));
  const { fence } = await section.edit();
  assert.strictEqual(section.state, 'editing');
  return { d, ann, section, states, fence, time };
}

const GRACE = 2500 * h.SLOW;

test('a hidden tab, whose timers are late', async (t) => {
  const { d, section, states, fence, time } = await stage(t, { gracePeriod: `${GRACE}ms` });
  await h.eventually(() => section.state === 'reading', 'it has stopped by the clock, though no timer has run');
  assert.deepStrictEqual(states, ['editing'], 'nobody was told');
  time.wake();
  assert.deepStrictEqual(states, ['editing', 'reading'], 'the first thing that it knows');
  await h.editing(section, 'the server says that the lock is still there');
  assert.strictEqual(section.fence, fence);
  // What comes from the server wakes it as well.
  await h.eventually(() => section.state === 'reading', 'it has stopped again');
  const bob = await d.client({ user: 'bob' });
  await h.view(bob, 'document:page:main');
  await h.eventually(() => states.length >= 4, 'something comes');
  assert.strictEqual(states[3], 'reading');
});

test('a hidden and idle tab does not hold the lock for ever', async (t) => {
  const document = Object.assign(new EventTarget(), { visibilityState: 'hidden' });
  const time = new h.TestTime();
  const { section } = await stage(t, { gracePeriod: `${GRACE}ms`, lockTtl: h.ms(6000), heartbeatInterval: h.ms(2000) }, {
    activity: 'manual', idleAfterMs: 500, platform: { ...time.platform, document },
  });
  const lost = h.next(section, 'lost');
  const timer = setInterval(() => time.wake(), 200);
  t.after(() => clearInterval(timer));
  assert.strictEqual((await lost).reason, 'EXPIRED');
});

test('a laptop that sleeps', async (t) => {
  const { section, states, fence, time } = await stage(t, { gracePeriod: '2m' });
  time.sleep(60_000);
  assert.strictEqual(section.state, 'editing', 'not long enough');
  time.sleep(61_000);
  assert.strictEqual(section.state, 'reading', 'before any timer has run');
  time.wake();
  assert.strictEqual(states.at(-1), 'reading');
  await h.editing(section, 'the server, for which no time has passed, says that the lock is still there');
  assert.strictEqual(section.fence, fence);
});

test('a laptop that sleeps beyond the lock does not take it again by itself', async (t) => {
  const { d, ann, section, time } = await stage(t, { gracePeriod: '2m' });
  await d.kill();
  await h.eventually(() => section.state === 'unconfirmed', 'the connection is gone');
  time.sleep(3_600_000);
  assert.strictEqual(section.state, 'reading');
  const lost = h.next(section, 'lost');
  await d.redis.command('FLUSHALL');
  await d.restart();
  await h.granting(d);
  ann.connect().catch(() => {});
  const timer = setInterval(() => time.wake(), 50);
  t.after(() => clearInterval(timer));
  await lost;
  assert.deepStrictEqual([section.state, section.fence], ['reading', null]);
  const bob = await d.client({ user: 'bob' });
  await h.take(bob, 'document:page:main');
});

test('where the type has no grace for it, the page stops with its connection', async (t) => {
  for (const disconnect of ['release', 'prompt', 'grace']) {
    const { d, section } = await stage(t, { gracePeriod: '2m', disconnect });
    await d.kill();
    await h.eventually(() => section.state !== 'editing', 'it is cut off');
    assert.strictEqual(section.state, disconnect === 'grace' ? 'unconfirmed' : 'reading', disconnect);
  }
});

test('a lock that comes unasked, long after the last answer, begins with a question and no alarm', async (t) => {
  const d = await h.lockDaemon(t, {
    config: { default: { gracePeriod: h.ms(2000), takeover: 'request', takeoverTimeout: h.ms(4000), heartbeatInterval: '30s' } },
  });
  const makeToken = (user, admin) => () => h.token({ user, admin });
  const ann = await h.wslockClient(t, { url: d.url(), makeToken: makeToken('ann') });
  await ann.section('document:page').edit();
  const boss = await h.wslockClient(t, { url: d.url(), makeToken: makeToken('boss', true) });
  const section = boss.section('document:page');
  const states = [];
  section.on('state', ({ state }) => states.push(state));
  const granted = h.next(section, 'granted');
  assert.strictEqual((await section.takeOver('the ward round')).outcome, 'pending');
  await granted;
  await h.editing(section, 'the lock is the administrator’s');
  assert.deepStrictEqual(states, ['editing']);
});

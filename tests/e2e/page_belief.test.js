'use strict';
/* What a client may believe (docs/protocol.md): the demo's client, outside a browser. */
const assert = require('node:assert');
const { test } = require('node:test');
const h = require('./harness');

test("two of the demo's clients", { concurrency: 4 }, (t) => h.together(t, h.beliefScenarios(h.pageClient)));

test('time goes on while the computer sleeps, and never goes back', () => {
  const clock = { ticks: 1000, wall: 5_000_000 };
  const { now } = h.pageModules({ performance: { now: () => clock.ticks }, Date: { now: () => clock.wall } });
  const after = (ticks, wall) => {
    const before = now();
    clock.ticks += ticks;
    clock.wall += wall;
    return now() - before;
  };
  assert.strictEqual(after(40, 40), 40);
  assert.strictEqual(after(40, 41), 40, 'they differ a little');
  assert.strictEqual(after(0, 600_000), 600_000, 'asleep');
  assert.strictEqual(after(20, 20), 20);
  assert.strictEqual(after(50, -3_600_000), 50, 'the wall clock is set back');
  assert.strictEqual(after(50, 50), 50);
});

test('a policy that changes: the stricter terms count until the lock is confirmed under the new ones', () => {
  const { Belief, now } = h.pageModules();
  const belief = new Belief();
  const at = now();
  const terms = (gracePeriodMs, disconnect = 'grace') => ({ gracePeriodMs, disconnect });
  belief.adopt(terms(1)); // it holds nothing
  belief.confirm(at, terms(20000), 300000);
  belief.adopt(terms(10000));
  assert.strictEqual(belief.until, at + 10000);
  belief.adopt(terms(30000));
  assert.strictEqual(belief.until, at + 10000);
  belief.confirm(at, terms(30000), 300000);
  assert.strictEqual(belief.until, at + 30000);
  belief.adopt(terms(30000, 'release'));
  belief.adopt(terms(30000));
  belief.doubt();
  assert.strictEqual(belief.held, false);
});

/* A page whose clocks and timers are the test's: timers run when it says so. */
async function stage(t, config) {
  const d = await h.lockDaemon(t, { config: { default: { lockTtl: '5m', heartbeatInterval: '60s', ...config } } });
  const timers = new Map();
  let slept = 0;
  const ann = await h.pageClient(t, {
    url: d.url(), resourceId: 'document:page:main', clientId: h.tab(), again: true, makeToken: () => h.token({ user: 'ann' }),
    globals: {
      Date: { now: () => Date.now() + slept },
      setTimeout: (fn) => {
        const id = {};
        timers.set(id, fn);
        return id;
      },
      clearTimeout: (id) => timers.delete(id),
    },
  });
  const events = [];
  ann.client.addEventListener('change', ({ detail }) => events.push(detail.event));
  await h.eventually(() => ann.client.editing, 'she has the lock');
  const wake = () => {
    for (const [id, fn] of [...timers]) {
      timers.delete(id);
      fn();
    }
  };
  return { d, ann, events, wake, sleep: (ms) => { slept += ms; } };
}

const GRACE = 2500 * h.SLOW;

test('a hidden tab, whose timers are late', async (t) => {
  const { d, ann, events, wake } = await stage(t, { gracePeriod: `${GRACE}ms` });
  const token = ann.token;
  await h.eventually(() => !ann.client.editing, 'it has stopped by the clock, though no timer has run');
  assert.ok(!events.includes('stopped'));
  wake();
  assert.ok(events.includes('stopped'), 'the first thing that it knows');
  await h.eventually(() => ann.client.editing, 'the server says that the lock is still there');
  assert.ok(events.indexOf('stopped') < events.indexOf('lock:renewed'));
  assert.strictEqual(ann.token, token);
  // What comes from the server wakes it as well.
  await h.eventually(() => !ann.client.editing, 'it has stopped again');
  const told = events.length;
  await h.view(await d.client({ user: 'bob' }), 'document:page:main');
  await h.eventually(() => events.length > told, 'something comes');
  assert.strictEqual(events[told], 'stopped');
});

test('a laptop that sleeps', async (t) => {
  const { ann, events, wake, sleep } = await stage(t, { gracePeriod: '2m' });
  const token = ann.token;
  sleep(60_000);
  assert.ok(ann.client.editing, 'not long enough');
  sleep(61_000);
  assert.ok(!ann.client.editing, 'before any timer has run');
  wake();
  assert.strictEqual(events.at(-1), 'stopped');
  await h.eventually(() => ann.client.editing, 'the server, for which no time has passed, says that the lock is still there');
  assert.strictEqual(ann.token, token);
});

test('where the type has no grace for it, the page stops with its connection', async (t) => {
  for (const disconnect of ['release', 'prompt', 'grace']) {
    const { d, ann, events } = await stage(t, { gracePeriod: '2m', disconnect });
    await d.kill();
    await h.eventually(() => events.includes('closed'), 'it is cut off');
    assert.strictEqual(ann.client.editing, disconnect === 'grace', disconnect);
  }
});

test('a lock that comes unasked, long after the last answer, begins with a question and no alarm', async (t) => {
  const { d, ann } = await stage(t, { gracePeriod: h.ms(2000), takeover: 'request', takeoverTimeout: h.ms(4000) });
  const boss = await h.pageClient(t, {
    url: d.url(), resourceId: 'document:page:main', clientId: h.tab(),
    makeToken: () => h.token({ user: 'boss', admin: true }),
  });
  const events = [];
  boss.client.addEventListener('change', ({ detail }) => events.push(detail.event));
  await h.eventually(() => events.includes('resource:joined'), 'the administrator is there');
  ann.again = false;
  boss.client.takeOver('the ward round');
  await h.eventually(() => boss.client.editing, 'the lock is the administrator’s');
  assert.ok(events.indexOf('lock:acquired') > events.indexOf('lock:takeover_pending'));
  assert.ok(events.includes('lock:renewed'), 'asked for');
  assert.ok(!events.includes('stopped'), `${events}`);
});

'use strict';
/* The JavaScript client and the life of a page: reload, a duplicated tab, bfcache, freeze, visibility, the network. */
const assert = require('node:assert');
const { test } = require('node:test');
const h = require('./harness');

const CONFIG = { default: { lockTtl: '60s', heartbeatInterval: '20s', gracePeriod: '20s' }, resourceTypes: { queue: { upgrade: 'queue' } } };
const ROOM = 'document:tab:main';

/* Web Locks, as all pages of a browser share them. */
class Locks {
  held = new Set(); // names
  async request(name, { ifAvailable }, callback) {
    assert.ok(ifAvailable, 'nobody waits for a name');
    if (this.held.has(name)) return callback(null);
    this.held.add(name);
    try {
      return await callback({ name });
    } finally {
      this.held.delete(name);
    }
  }
}

/* A window that a test sends events to. */
function makePage() {
  const window = new EventTarget();
  const document = Object.assign(new EventTarget(), { visibilityState: 'visible' });
  return {
    window, document,
    fire: (target, type, more) => target.dispatchEvent(Object.assign(new Event(type), more)),
  };
}

/* A browser: pages of tabs, which share Web Locks or channels. tab: a Storage. */
async function browserOf(t, config = CONFIG) {
  const d = await h.lockDaemon(t, { config });
  const locks = new Locks();
  const local = new h.MemoryStorage();
  const open = async (user, tab, { kind = 'locks', page, ...options } = {}) => {
    const platform = { ...(kind === 'locks' ? { navigator: { locks } } : { navigator: {}, BroadcastChannel }), ...page };
    const client = await h.wslockClient(t, {
      url: d.url(), makeToken: () => h.token({ user }), storage: { session: tab, local }, platform, ...options,
    });
    return { client, section: client.section(ROOM) };
  };
  return { d, open };
}

/* The page is gone without a word, as when a process is killed: its sessionStorage stays. */
function unload({ client }, page) {
  page.fire(page.window, 'pagehide', { persisted: false });
  return client;
}

test('a page that is reloaded goes on with its lock, under a new token', async (t) => {
  for (const kind of ['locks', 'channel']) {
    const { open, d } = await browserOf(t);
    const tab = new h.MemoryStorage();
    const page = makePage();
    const first = await open('ann', tab, { page, kind });
    const { fence } = await first.section.edit();
    unload(first, page);
    const second = await open('ann', tab, { kind });
    const granted = h.next(second.section, 'granted');
    await second.section.view();
    const now = await granted;
    assert.strictEqual(second.client.clientId, first.client.clientId);
    assert.notStrictEqual(second.client.pageId, first.client.pageId);
    assert.ok(now.fence >= fence && now.resumed === false, 'it loads the text');
    await h.editing(second.section);
    const bob = await d.client({ user: 'bob' });
    assert.strictEqual((await h.edit(bob, ROOM)).answer.data.reason, 'HELD');
    assert.strictEqual((await second.section.edit()).fence, second.section.fence);
  }
});

test('a reloaded page whose lock is gone is told, and does not take it again', async (t) => {
  const { open, d } = await browserOf(t, { default: { gracePeriod: h.ms(500) } });
  const tab = new h.MemoryStorage();
  const page = makePage();
  const first = await open('ann', tab, { page });
  const { fence } = await first.section.edit();
  const bob = await d.client({ user: 'bob' });
  await h.view(bob, ROOM);
  unload(first, page);
  await bob.waitFor('lock:state', ({ lock }) => lock.state === 'free');
  const second = await open('ann', tab);
  const lost = h.next(second.section, 'lost');
  await second.section.view();
  assert.deepStrictEqual(await lost, { fence, reason: 'GRACE_PERIOD_EXPIRED', by: null });
  await bob.waitFor('lock:state', ({ cause }) => cause === 'RELEASED');
  assert.deepStrictEqual([second.section.state, second.section.fence], ['reading', null]);
});

test('a duplicated tab gets a name of its own, and leaves the first one in peace', { concurrency: 2 }, async (t) => {
  await h.together(t, Object.fromEntries(['locks', 'channel'].map((kind) => [kind, async (t) => {
    const { open } = await browserOf(t);
    const tab = new h.MemoryStorage();
    const first = await open('ann', tab, { kind });
    const { fence } = await first.section.edit();
    const copy = await open('ann', new h.MemoryStorage(tab), { kind });
    await copy.section.view();
    assert.notStrictEqual(copy.client.clientId, first.client.clientId);
    assert.deepStrictEqual([copy.section.state, copy.section.fence], ['reading', null]);
    assert.strictEqual((await h.rejection(copy.section.edit())).code, 'HELD_BY_YOU');
    assert.deepStrictEqual([first.section.state, first.section.fence], ['editing', fence]);
    assert.ok(!first.client.states.some(({ state }) => state === 'closed' || state === 'waiting'));
    /* Two copies at once. */
    const both = await Promise.all([1, 2].map(() => open('ann', new h.MemoryStorage(tab), { kind })));
    await Promise.all(both.map(({ section }) => section.view()));
    assert.strictEqual(new Set([first, copy, ...both].map(({ client }) => client.clientId)).size, 4);
  }])));
});

test('without Web Locks and channels a copy takes the first one’s place, which stays away', async (t) => {
  const { open } = await browserOf(t);
  const tab = new h.MemoryStorage();
  const page = { navigator: {}, BroadcastChannel: undefined };
  const first = await open('ann', tab, { page });
  await first.section.edit();
  const lost = h.next(first.section, 'lost');
  const copy = await open('ann', new h.MemoryStorage(tab), { page });
  await copy.section.view();
  assert.strictEqual((await lost).reason, 'MOVED');
  await h.editing(copy.section);
  assert.deepStrictEqual([first.section.state, first.client.state, first.section.fence], ['reading', 'closed', null]);
});

test('a page that is put aside (bfcache) and shown again has its lock, with the same token', async (t) => {
  const { open, d } = await browserOf(t);
  const page = makePage();
  const { client, section } = await open('ann', new h.MemoryStorage(), { page });
  const { fence } = await section.edit();
  const saves = [];
  section.onSave(({ cause }) => saves.push(cause));
  const bob = await d.client({ user: 'bob' });
  await h.view(bob, ROOM);
  page.fire(page.window, 'beforeunload');
  page.fire(page.window, 'pagehide', { persisted: true });
  assert.deepStrictEqual(saves, ['unload'], 'once');
  assert.notStrictEqual(section.state, 'editing');
  await bob.waitFor('lock:state', ({ lock }) => lock.state === 'grace');
  page.fire(page.window, 'pageshow', { persisted: true });
  await h.editing(section);
  assert.strictEqual(section.fence, fence);
  page.fire(page.document, 'freeze');
  assert.deepStrictEqual(saves, ['unload', 'unload'], 'a page that is frozen may never wake up');
  page.fire(page.document, 'resume');
  assert.strictEqual(client.state, 'connected');
});

test('what a page that wakes up does first', async (t) => {
  const page = makePage();
  const time = new h.TestTime();
  const d = await h.lockDaemon(t, { config: { default: { gracePeriod: '20s' } } });
  const wire = await h.proxy(t, d.port);
  const client = await h.wslockClient(t, {
    url: `ws://127.0.0.1:${wire.port}/ws`, makeToken: () => h.token(), platform: { ...page, ...time.platform, random: () => 0.999 },
  });
  const section = client.section(ROOM);
  await section.edit();
  time.sleep(25_000);
  const states = [];
  section.on('state', ({ state }) => states.push(state));
  page.fire(page.document, 'visibilitychange');
  assert.deepStrictEqual(states, ['reading'], 'it looks at the clock');
  await h.editing(section, 'and asks');
  /* No timer runs, and the pause before the next try is long: the user is there and waits. */
  for (const [target, event] of [['document', 'visibilitychange'], ['window', 'focus']]) {
    wire.cut();
    await h.eventually(() => client.state === 'waiting', 'it is cut off');
    page.fire(page[target], event);
    await h.editing(section, event);
  }
  /* Back in the network: many are, at once. */
  wire.cut();
  await h.eventually(() => client.state === 'waiting', 'it is cut off');
  page.fire(page.window, 'online');
  assert.strictEqual(client.state, 'waiting');
  assert.ok(client.states.at(-1).retryInMs < 1000);
  time.wake();
  await h.editing(section, 'online');
});

test('activity: input counts, and nothing else', async (t) => {
  const page = makePage();
  const d = await h.lockDaemon(t, { config: { default: { lockTtl: h.ms(6000), heartbeatInterval: h.ms(1000), gracePeriod: '20s' } } });
  const client = await h.wslockClient(t, {
    url: d.url(), makeToken: () => h.token(), platform: page, activity: 'input', idleAfterMs: 700 * h.SLOW,
  });
  const section = client.section(ROOM);
  const saves = [];
  section.onSave(({ cause, remainingMs }) => saves.push([cause, remainingMs() > 0]));
  await section.edit();
  let renewed = 0;
  section.on('lock:renewed', () => renewed++);
  const typing = setInterval(() => page.fire(page.document, 'keydown'), 50);
  t.after(() => clearInterval(typing));
  await h.eventually(() => renewed >= 7, 'longer than the lock lives');
  assert.deepStrictEqual([section.state, saves], ['editing', []]);
  clearInterval(typing);
  await h.next(section, 'lock:expiring');
  await h.eventually(() => saves.length, 'the editor must save');
  assert.deepStrictEqual(saves, [['expiry', true]]);
  page.fire(page.document, 'pointerdown');
  await h.next(section, 'lock:renewed');
  assert.strictEqual(section.state, 'editing', 'somebody is there after all');
  assert.strictEqual((await h.next(section, 'lost')).reason, 'EXPIRED');
  assert.strictEqual(saves.length, 2);
});

test('activity: what is typed counts, what is saved by itself does not', async (t) => {
  const d = await h.lockDaemon(t, { config: { default: { lockTtl: '60s', heartbeatInterval: h.ms(1000), gracePeriod: '20s' } } });
  const client = await h.wslockClient(t, { url: d.url(), makeToken: () => h.token(), activity: 'manual', idleAfterMs: 1 });
  const section = client.section(ROOM);
  await section.edit();
  const beat = async (change) => {
    const sent = h.next(client, 'frame', ({ direction, text }) => direction === 'out' && text.includes('lock:heartbeat'));
    change();
    const { active, dirty } = JSON.parse((await sent).text).data;
    return [active, dirty];
  };
  assert.deepStrictEqual(await beat(() => section.keepDraft('text', 'r1')), [true, true]);
  assert.deepStrictEqual(await beat(() => section.saved({ revision: 'r2', text: 'text' })), [false, false]);
  assert.deepStrictEqual(await beat(() => { section.dirty = true; }), [false, true]);
});

test('activity: one key since the last heartbeat is enough for the next', async (t) => {
  const page = makePage();
  const d = await h.lockDaemon(t, { config: { default: { lockTtl: '60s', heartbeatInterval: h.ms(1000), gracePeriod: '20s' } } });
  const client = await h.wslockClient(t, { url: d.url(), makeToken: () => h.token(), platform: page, activity: 'input', idleAfterMs: 1 });
  const section = client.section(ROOM);
  await section.edit();
  const beats = [];
  client.on('frame', ({ direction, text }) => direction === 'out' && text.includes('lock:heartbeat') && beats.push(JSON.parse(text).data.active));
  page.fire(page.document, 'keydown');
  await h.next(section, 'lock:renewed');
  const at = performance.now();
  await h.eventually(() => performance.now() - at > 2500 * h.SLOW);
  assert.deepStrictEqual(beats, [true], 'and no more without another');
});

'use strict';
/* The client library in Chromium: networks that fail, pages that sleep, are copied, put aside, loaded again or closed, clocks that are wrong. */
const assert = require('node:assert');
const { test } = require('node:test');
const h = require('./harness');

/* The server's waits are longer than what its clients believe: docs/configuration.md, limits.pingInterval. */
const CONFIG = {
  auth: { clockSkew: '100ms' },
  default: { lockTtl: '5m', heartbeatInterval: h.ms(1000), gracePeriod: h.ms(5000) },
  resourceTypes: {
    patient: { gracePeriod: h.ms(30_000) },
    brief: { lockTtl: h.ms(6000) },
    ask: { upgrade: 'request', gracePeriod: h.ms(12_000) },
    give: { gracePeriod: h.ms(12_000) },
  },
  limits: { pingInterval: h.ms(2500), pongTimeout: h.ms(2500) },
};

test('the library in Chromium: the life of pages', { timeout: 300_000 * h.SLOW, concurrency: 3 }, async (top) => {
  const scene = await h.editors(top, { config: CONFIG });
  await h.inWindows(top, scene, LIFE);
});

const ANN = 'Anna writes. ';
const BOB = 'Bruno adds. ';

/* Ann has the lock, through a wire of her own, and has typed something; Bob looks on. user: another than Ann, for what needs a
   window of the browser to itself: where a tab is closed another comes to the front. */
async function scenery(open, resource, options = {}, user = 'ann') {
  const [ann, bob] = await Promise.all([open(user, resource, { wired: true, ...options }), open('bob', resource)]);
  await Promise.all([ann.joined(), bob.joined()]);
  await ann.edit();
  await ann.type(ANN);
  return [ann, bob];
}

/* From here on no save of her page arrives, however late it was sent; the function that is returned ends that. */
async function saveNothing(ann, app) {
  const page = await ann.get(() => globalThis.app.page);
  app.away.add(page);
  return () => app.away.delete(page);
}

/* He gets the lock when it is free, and writes. */
async function takesOver(bob) {
  await bob.until(() => app.section.lock.state === 'free', 'the lock is free');
  await bob.edit();
  await bob.type(BOB);
  await bob.save();
}

/* Nothing that was typed is put over the newer text, and nobody believed while another did. */
async function keptApart(ann, bob) {
  await ann.reads();
  const journal = [...await ann.journal(), ...await bob.journal()];
  assert.deepStrictEqual([...h.believedTogether({ journal })], []);
  await bob.call('release');
  await ann.until(() => app.section.lock.state === 'free', 'the lock is free');
  await ann.edit();
  assert.strictEqual(await ann.text(), BOB);
  assert.deepStrictEqual(await ann.get(() => app.offers.map(({ text, outcome }) => [text, outcome])), [[ANN, 'conflict']]);
  await ann.get(() => app.putBack());
  await ann.save();
  assert.strictEqual(await ann.text(), BOB + ANN);
}

/* The same lock, and nothing was loaded again. */
async function wentOn(ann, fence, text = ANN) {
  await ann.edits();
  assert.strictEqual(await ann.fence(), fence);
  assert.strictEqual(await ann.text(), text);
  if (await ann.get(() => app.isDirty())) await ann.save(); // else the library has asked for it
}

const grants = (window) => window.get(() => app.events.filter(({ name }) => name === 'granted').length);

const LIFE = {
  'the network is cut, for a while': async ({ open }) => {
    const [ann] = await scenery(open, 'patient:cut');
    const fence = await ann.fence();
    ann.wire.refuse();
    await ann.unconfirmed();
    await ann.type('Offline. '); // that is what the grace is for
    ann.wire.refuse(false);
    await wentOn(ann, fence, `${ANN}Offline. `);
    assert.strictEqual(await grants(ann), 1);
  },

  'the network is cut, for too long': async ({ open, app }) => {
    const [ann, bob] = await scenery(open, 'document:cut');
    const savesAgain = await saveNothing(ann, app);
    ann.wire.refuse();
    await bob.until(() => app.section.lock.state === 'free', 'the grace is over');
    await takesOver(bob);
    await ann.reads(); // by herself
    ann.wire.refuse(false);
    await ann.event('lost');
    savesAgain();
    await keptApart(ann, bob);
  },

  'a black hole, for a while': async ({ open }) => {
    const [ann] = await scenery(open, 'patient:hole');
    const fence = await ann.fence();
    ann.wire.swallow();
    await ann.unconfirmed();
    await ann.type('Unheard. ');
    ann.wire.swallow('none'); // a new connection works; the old one is dead
    await wentOn(ann, fence, `${ANN}Unheard. `);
  },

  'a black hole, for too long': async ({ open, app }) => {
    const [ann, bob] = await scenery(open, 'document:hole');
    const savesAgain = await saveNothing(ann, app); // else the library has saved in time
    ann.wire.swallow();
    await bob.until(() => app.section.lock.state === 'free', 'the lock is free');
    await takesOver(bob);
    await ann.reads();
    ann.wire.swallow('none');
    await ann.event('lost');
    savesAgain();
    await keptApart(ann, bob);
  },

  'a page is frozen, and woken in time': async ({ open }) => {
    const [ann] = await scenery(open, 'patient:frozen', {}, 'fay');
    const fence = await ann.fence();
    await ann.freeze();
    await ann.wake();
    await ann.until(() => ['freeze', 'resume'].every((event) => app.events.some(({ name }) => name === event)), 'it was frozen');
    await ann.edits();
    assert.strictEqual(await ann.fence(), fence);
    assert.strictEqual(await grants(ann), 1);
  },

  'a page is frozen, and woken too late': async ({ open, app }) => {
    const [ann, bob] = await scenery(open, 'brief:frozen', {}, 'flo');
    const savesAgain = await saveNothing(ann, app); // what it saves while it is being frozen does not arrive
    await ann.freeze();
    await bob.until(() => app.section.lock.state === 'free', 'the lock has run out');
    await takesOver(bob);
    await ann.wake();
    await ann.event('lost', { reason: 'EXPIRED' });
    savesAgain();
    await keptApart(ann, bob);
  },

  'a page saves when it is frozen': async ({ open, app }) => {
    const [ann] = await scenery(open, 'patient:saved', {}, 'fred');
    await ann.freeze();
    await h.eventually(() => app.document('patient:saved:main').text === ANN, 'it is saved');
    await ann.wake();
    await ann.edits();
  },

  'a duplicated tab': async ({ open }) => {
    const [ann] = await scenery(open, 'patient:copy');
    const fence = await ann.fence();
    const copy = await ann.duplicate();
    await copy.joined();
    const name = (window) => window.get(() => app.client.clientId);
    assert.notStrictEqual(await name(copy), await name(ann), 'the copy has a name of its own');
    assert.strictEqual(await copy.fence(), null);
    await copy.reads();
    assert.deepStrictEqual(await copy.call('edit'), { error: 'HELD_BY_YOU' });
    await wentOn(ann, fence);
    assert.deepStrictEqual(await ann.get(() => app.events.filter(({ name: event, data }) => event === 'connection' && data.state === 'closed')), [],
      'the first one is not put out');
    await copy.reload();
    await copy.joined();
    assert.notStrictEqual(await name(copy), await name(ann), 'after a reload too');
  },

  'a duplicated tab where there are no Web Locks': async ({ open, contextOf }) => {
    await (await contextOf('dora')).addInitScript('Object.defineProperty(Navigator.prototype, "locks", { get: () => undefined });');
    const [ann] = await scenery(open, 'patient:channel', {}, 'dora');
    assert.strictEqual(await ann.get(() => navigator.locks), undefined);
    const fence = await ann.fence();
    const copy = await ann.duplicate();
    await copy.joined();
    const name = (window) => window.get(() => app.client.clientId);
    assert.notStrictEqual(await name(copy), await name(ann));
    await wentOn(ann, fence);
  },

  'a reload where the browser is slow to answer: no copy': async ({ open }) => {
    const [ann] = await scenery(open, 'patient:slow', { scripts: [SLOW_LOCKS] });
    const name = await ann.get(() => app.client.clientId);
    await ann.reload();
    await ann.edits();
    assert.strictEqual(await ann.get(() => app.client.clientId), name);
  },

  'back and forth, from the browser’s cache': async ({ open }) => {
    const [ann, bob] = await scenery(open, 'patient:cache');
    const fence = await ann.fence();
    const names = () => ann.get(() => [app.client.pageId, app.client.clientId]);
    const before = await names();
    await ann.save();
    await ann.type('More. ');
    await ann.away(() => bob.until(() => app.section.lock.state === 'grace', 'she is away'));
    await ann.event('pageshow', { persisted: true });
    await ann.event('connection', { state: 'closed', code: 1005 }); // by the library, before the page was put aside
    await wentOn(ann, fence, `${ANN}More. `);
    assert.deepStrictEqual(await names(), before, 'the same page under the same name');
    assert.strictEqual(await grants(ann), 1);
  },

  'back from the cache, too late': async ({ open, app }) => {
    const [ann, bob] = await scenery(open, 'document:cache');
    const savesAgain = await saveNothing(ann, app);
    await ann.away(() => takesOver(bob));
    await ann.event('pageshow', { persisted: true });
    await ann.event('lost', { reason: 'GRACE_PERIOD_EXPIRED' });
    savesAgain();
    await keptApart(ann, bob);
  },

  'a reload: the lock goes on under a new fence, what was typed is there': async ({ open, app }) => {
    const [ann, bob] = await scenery(open, 'patient:reload');
    const fence = await ann.fence();
    await ann.reload();
    await ann.edits();
    assert.ok((await ann.fence()) > fence);
    await bob.until(() => app.section.lock.holder?.userId === 'ann', 'she has it still');
  },

  'a reload without an answer of the application: a draft': async ({ open, app }) => {
    const [ann] = await scenery(open, 'patient:draft');
    await saveNothing(ann, app);
    await ann.reload(); // to a page with another name
    await ann.edits();
    assert.deepStrictEqual(await ann.get(() => app.offers.map(({ text, outcome, draft }) => [text, outcome, draft.own])), [[ANN, 'same-base', true]]);
    await ann.get(() => app.putBack());
    await ann.save();
    assert.strictEqual(app.document('patient:draft:main').text, ANN);
    assert.deepStrictEqual(await ann.get(() => app.section.drafts()), []);
  },

  'a tab is closed': async ({ open, app }) => {
    const [ann, bob] = await scenery(open, 'document:closed');
    await ann.page.close({ runBeforeUnload: true });
    await h.eventually(() => app.document('document:closed:main').text === ANN, 'what was typed is saved on the way out');
    await bob.until(() => app.section.lock.state === 'free', 'the lock is free after the grace');
    await bob.edit();
    await bob.holds(ANN);
  },

  'the client is closed': async ({ open }) => {
    const [ann, bob] = await scenery(open, 'patient:left');
    await ann.save();
    await ann.get(() => app.client.close());
    await bob.until(() => app.section.lock.state === 'free', 'the lock is free at once');
    assert.deepStrictEqual(await ann.get(() => [app.client.state, app.section.state, app.section.fence]), ['closed', 'reading', null]);
  },

  'a hidden tab, whose timers run once a second, goes on': async ({ open }) => {
    const [ann] = await scenery(open, 'document:hidden', {}, 'hal');
    const fence = await ann.fence();
    await ann.hide();
    await ann.throttled();
    await ann.forget();
    await ann.event('lock:renewed');
    await ann.event('lock:renewed');
    assert.strictEqual(await ann.get(() => app.section.state), 'editing');
    await ann.show();
    await wentOn(ann, fence);
  },

  'a hidden tab whose timers all run once a minute': async ({ open }) => {
    const [ann, bob] = await scenery(open, 'document:minute', { scripts: [MINUTES] }, 'hank');
    const fence = await ann.fence();
    await ann.hide();
    await ann.until(() => app.section.state === 'reading', 'by the clock it may not edit, though no timer has run');
    assert.strictEqual(await bob.get(() => app.section.lock.state), 'held', 'the server keeps its lock');
    await ann.show();
    await wentOn(ann, fence);
    assert.strictEqual(await grants(ann), 1);
  },

  'tokens are renewed, and a connection that has none comes back': async ({ open, app }) => {
    app.tokenSeconds.set('cleo', 6 * h.SLOW);
    const [ann] = await scenery(open, 'patient:token', {}, 'cleo');
    const fence = await ann.fence();
    const before = app.tokens.get('cleo');
    await h.eventually(() => app.tokens.get('cleo') >= before + 2, 'there were newer tokens');
    assert.deepStrictEqual(await ann.get(() => app.events.filter(({ name, data }) => name === 'connection' && data.code).length), 0, 'on the same connection');
    app.tokensAway.add('cleo');
    await ann.event('connection', { code: 4401 });
    await ann.unconfirmed();
    app.tokensAway.delete('cleo');
    await wentOn(ann, fence);
  },

  'a clock that is wrong': async ({ open }) => {
    for (const off of [5 * 3_600_000, -3 * 86_400_000]) {
      const [ann, bob] = await scenery(open, `patient:clock${off > 0 ? 'ahead' : 'behind'}`, { scripts: [WRONG_CLOCK, `clockOff = ${off};`] });
      const left = (window) => window.get(() => app.section.countdown());
      assert.ok(Math.abs((await left(ann)) - (await left(bob))) < 3000 * h.SLOW, 'the countdowns agree');
      assert.ok(Math.abs((await ann.get(() => app.client.serverTime())) - Date.now()) < 3000 * h.SLOW, 'the server’s clock is known');
      const fence = await ann.fence();
      await wentOn(ann, fence);
    }
  },

  'a clock that is set': async ({ open }) => {
    const [ann] = await scenery(open, 'patient:set', { scripts: [WRONG_CLOCK] });
    const fence = await ann.fence();
    await ann.get(() => { globalThis.clockOff = -3_600_000; });
    assert.strictEqual(await ann.get(() => app.section.state), 'editing', 'set back: nothing happens');
    assert.strictEqual(await ann.get(() => {
      globalThis.clockOff += 120_000;
      return app.section.state;
    }), 'reading', 'set forward: it cannot be told from sleep');
    await wentOn(ann, fence);
  },

  'a lock that is let go, and an answer that never comes': async ({ open }) => {
    const [ann, bob] = await scenery(open, 'give:release');
    await ann.save();
    ann.wire.swallow('down');
    ann.call('release').catch(() => {});
    await takesOverAtOnce(ann, bob);
  },

  'a lock that is given away, and an answer that never comes': async ({ open }) => {
    const [ann, bob] = await scenery(open, 'ask:approve');
    const { requestId } = await bob.call('request');
    await ann.event('lock:request_received', { requestId });
    await ann.until(() => !app.isDirty(), 'it is saved');
    ann.wire.swallow('down');
    ann.call('answerRequest', requestId, 'APPROVE').catch(() => {});
    await bob.until(() => app.section.turn, 'it is his turn');
    await takesOverAtOnce(ann, bob);
  },
};

async function takesOverAtOnce(ann, bob) {
  await bob.until(() => ['free', 'reserved'].includes(app.section.lock.state), 'he may have it');
  await bob.edit();
  const journal = [...await ann.journal(), ...await bob.journal()];
  assert.deepStrictEqual([...h.believedTogether({ journal })], []);
  assert.strictEqual(await ann.get(() => app.section.mayEdit), false);
}

/* Whoever asks for a Web Lock waits, also where it is free. */
const SLOW_LOCKS = `
const request = LockManager.prototype.request;
LockManager.prototype.request = async function (...given) {
  await new Promise((resolve) => setTimeout(resolve, 500));
  return request.apply(this, given);
};`;

/* What a browser may do, and Chromium does not where messages come. */
const MINUTES = `
const begin = globalThis.setTimeout;
globalThis.setTimeout = (fn, ms, ...given) => begin(fn, document.visibilityState === 'hidden' ? Math.max(ms, 60_000) : ms, ...given);`;

const WRONG_CLOCK = `
globalThis.clockOff = 0;
globalThis.TrueDate = Date;
globalThis.Date = class extends TrueDate {
  constructor(...given) { super(...(given.length ? given : [TrueDate.now() + clockOff])); }
  static now() { return TrueDate.now() + clockOff; }
};`;

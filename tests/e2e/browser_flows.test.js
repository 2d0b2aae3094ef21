'use strict';
/* The client library in Chromium: every way in which a lock comes and goes, in two and three windows. */
const assert = require('node:assert');
const { test } = require('node:test');
const h = require('./harness');

const CONFIG = {
  auth: { adminRoles: ['lock-admin'] },
  // What a test must act within is long: beside other tests a browser takes seconds for a key. What it waits out is short.
  default: { lockTtl: '5m', heartbeatInterval: h.ms(800), gracePeriod: '1m', claimWindow: '1m' },
  resourceTypes: {
    queue: { upgrade: 'queue' },
    late: { upgrade: 'queue', claimWindow: h.ms(3000) },
    ask: { upgrade: 'request' },
    hasty: { upgrade: 'request', requestTimeout: h.ms(1500) },
    prompt: { disconnect: 'prompt' },
    instant: { takeover: 'immediate' },
    polite: { takeover: 'request', takeoverTimeout: '1m' },
    firm: { takeover: 'request', takeoverTimeout: h.ms(15_000) },
    brief: { lockTtl: h.ms(5000), heartbeatInterval: h.ms(500), gracePeriod: h.ms(4000) },
    there: { idleRelease: h.ms(24_000), heartbeatInterval: h.ms(500) },
    away: { idleRelease: h.ms(16_000), heartbeatInterval: h.ms(500) },
  },
};

test('the library in Chromium: flows', { timeout: 300_000 * h.SLOW, concurrency: 3 }, async (top) => {
  const scene = await h.editors(top, { config: CONFIG });
  scene.app.users.set('eva', { name: 'Eva', admin: true });
  await h.inWindows(top, scene, FLOWS);
});

/* Ann has the lock and has typed something; Bob and others look on. */
async function scenery(open, resource, others = ['bob'], options = {}) {
  const windows = await Promise.all(['ann', ...others].map((user) => open(user, resource, options[user])));
  await Promise.all(windows.map((window) => window.joined()));
  await windows[0].edit();
  await windows[0].type('Seen. ');
  return windows;
}

const holderIs = (window, user) => window.until((id) => app.section.lock.holder?.userId === id, `${user} has the lock`, user);
const isFree = (window) => window.until(() => app.section.lock.state === 'free', 'the lock is free');
const stored = (app, resource) => app.document(`${resource}:main`).text;

const FLOWS = {
  'one edits, the other is denied, and has it afterwards': async ({ open, app }) => {
    const [ann, bob] = await scenery(open, 'document:deny');
    await bob.until(() => app.section.lock.dirty === true, 'he sees that there are unsaved changes');
    assert.deepStrictEqual(await bob.call('edit'), { error: 'HELD' });
    await bob.area.focus();
    await bob.page.keyboard.type('not his');
    assert.strictEqual(await bob.text(), '', 'a text that nobody may edit takes no key');
    await ann.save();
    assert.strictEqual(stored(app, 'document:deny'), 'Seen. ');
    const revision = await ann.get(() => app.copy.base.revision);
    assert.deepStrictEqual(await ann.call('release', { revision }), {});
    await isFree(bob);
    const granted = await bob.edit();
    assert.deepStrictEqual([granted.previous.userId, granted.previous.reason, granted.previous.revision], ['ann', 'RELEASED', revision]);
    await bob.holds('Seen. ');
    await ann.reads();
    await bob.type('Agreed.');
    await bob.save();
    assert.strictEqual(stored(app, 'document:deny'), 'Seen. Agreed.');
    await holderIs(ann, 'bob');
  },

  'who has lost the lock cannot save': async ({ open }) => {
    const [ann, eva] = await scenery(open, 'instant:stale', ['eva']);
    assert.strictEqual((await eva.call('takeOver', 'the ward round')).outcome, 'granted');
    await eva.edits();
    await ann.event('lost', { reason: 'TAKEN_BY_ADMIN' });
    const late = await ann.get(async (resource) => {
      const taken = app.events.findLast(({ name }) => name === 'granted').data;
      const body = { user: 'ann', page: 'late', resource, seq: 9, text: 'late', ticket: taken.ticket };
      const response = await fetch('/save', { method: 'POST', body: JSON.stringify(body) });
      return [response.status, (await response.json()).error];
    }, 'instant:stale:main');
    assert.deepStrictEqual(late, [409, 'STALE']);
  },

  'a queue: places, the turn, and a turn that is not taken': async ({ open }) => {
    const [ann, bob, cleo] = await scenery(open, 'queue:turn', ['bob', 'cleo']);
    assert.strictEqual((await bob.call('edit')).position, 1);
    assert.strictEqual((await cleo.call('edit')).position, 2);
    await ann.until(() => app.section.lock.queueLength === 2, 'she sees who waits');
    await ann.save();
    await ann.call('release');
    await bob.until(() => app.section.turn && app.section.countdown() > 0, 'it is his turn');
    assert.strictEqual(await bob.page.title(), 'It is your turn');
    await cleo.until(() => app.section.position === 1, 'she moves up');
    assert.strictEqual((await bob.call('claim')).outcome, 'granted');
    await bob.edits();
    await bob.holds('Seen. ');
    await bob.call('release');
    await cleo.until(() => app.section.turn, 'it is her turn');
    await cleo.call('leaveQueue');
    await isFree(bob);
    assert.strictEqual(await cleo.get(() => app.section.turn), false);
  },

  'a turn that runs out': async ({ open }) => {
    const [ann, bob] = await scenery(open, 'late:turn');
    await bob.call('edit');
    await ann.call('release');
    await bob.until(() => app.section.turn, 'it is his turn');
    await bob.event('lock:queue_left', { reason: 'CLAIM_EXPIRED' });
    assert.deepStrictEqual(await bob.get(() => [app.section.turn, app.section.position]), [false, null]);
    await isFree(ann);
  },

  'a request: saved and approved': async ({ open, app }) => {
    const [ann, bob] = await scenery(open, 'ask:yes');
    const asked = await bob.call('request', 'May I add <img src=x onerror=alert(1)>?');
    assert.strictEqual(asked.holderState, 'held');
    const { requestId, message } = await ann.event('lock:request_received');
    assert.deepStrictEqual([requestId, message], [asked.requestId, 'May I add <img src=x onerror=alert(1)>?']);
    await h.eventually(() => stored(app, 'ask:yes') === 'Seen. ', 'the library has asked for a save');
    await ann.until(() => !app.isDirty(), 'and knows of it');
    assert.deepStrictEqual(await ann.call('answerRequest', requestId, 'APPROVE', { revision: '1' }), {});
    await ann.event('lost', { reason: 'TRANSFERRED' });
    await ann.reads();
    await bob.until(() => app.section.turn, 'it is his turn');
    assert.strictEqual((await bob.call('claim')).previous.revision, '1');
    await bob.edits();
    await bob.holds('Seen. ');
  },

  'a request: denied, and withdrawn': async ({ open }) => {
    const [ann, bob] = await scenery(open, 'ask:no');
    const { requestId } = await bob.call('request');
    await ann.event('lock:request_received', { requestId });
    await ann.call('answerRequest', requestId, 'DENY');
    await bob.event('lock:request_timeout', { reason: 'DENIED' });
    assert.strictEqual(await bob.get(() => app.section.asked), null);
    await bob.call('request');
    await ann.until(() => app.section.requests.length === 1, 'he asks again');
    await bob.call('cancelRequest');
    await ann.event('lock:request_closed', { outcome: 'CANCELLED' });
    await ann.edits();
  },

  'a request that nobody answers': async ({ open }) => {
    const [ann, bob] = await scenery(open, 'hasty:late');
    await bob.call('request');
    await bob.event('lock:request_timeout', { reason: 'TIMEOUT' });
    await ann.event('lock:request_closed', { outcome: 'TIMEOUT' });
    assert.deepStrictEqual(await ann.get(() => app.section.requests), []);
    await ann.edits();
  },

  'a holder who was cut off: claimed by another': async ({ open }) => {
    const [ann, bob] = await scenery(open, 'prompt:claim', ['bob'], { ann: { wired: true } });
    ann.wire.refuse();
    try {
      await ann.reads(); // at once: the type gives no grace that may be relied on
      await bob.event('lock:holder_disconnected');
      assert.ok(await bob.get(() => app.section.claimable && app.section.countdown() > 0));
      assert.strictEqual((await bob.call('claim')).outcome, 'granted');
      await bob.edits();
    } finally {
      ann.wire.refuse(false);
    }
    await ann.event('lost', { reason: 'CLAIMED' });
    assert.strictEqual(await ann.text(), 'Seen. ', 'her text is there');
    await bob.call('release');
    await ann.edit();
    assert.deepStrictEqual(await ann.get(() => app.offers.map(({ text, outcome }) => [text, outcome])), [['Seen. ', 'same-base']]);
  },

  'grace: cut off and back under the same fence': async ({ open }) => {
    const [ann, bob] = await scenery(open, 'document:grace', ['bob'], { ann: { wired: true } });
    const fence = await ann.fence();
    ann.wire.cut();
    await bob.until(() => app.section.lock.state === 'grace', 'she was cut off');
    await ann.edits();
    assert.strictEqual(await ann.fence(), fence);
    assert.strictEqual(await ann.text(), 'Seen. ');
    assert.strictEqual(await ann.get(() => app.events.filter(({ name }) => name === 'granted').length), 1, 'nothing is loaded again');
    await ann.type('Still here.');
    await ann.save();
    await holderIs(bob, 'ann');
  },

  'an administrator takes the lock at once': async ({ open }) => {
    const [ann, eva] = await scenery(open, 'instant:now', ['eva']);
    assert.deepStrictEqual(await ann.call('takeOver', 'why not'), { error: 'FORBIDDEN' });
    assert.strictEqual((await eva.call('takeOver', 'the ward round')).outcome, 'granted');
    await eva.edits();
    await ann.event('lock:taken_by_admin', { adminUsername: 'Eva', reason: 'the ward round' });
    await ann.event('lost', { reason: 'TAKEN_BY_ADMIN', by: 'Eva' });
    await ann.reads();
    assert.strictEqual(await ann.text(), 'Seen. ');
    await eva.call('release');
    await ann.edit();
    assert.strictEqual(await ann.get(() => app.putBack()), true);
    await ann.save();
  },

  'an administrator asks, and the holder agrees': async ({ open, app }) => {
    const [ann, eva] = await scenery(open, 'polite:yes', ['eva']);
    assert.strictEqual((await eva.call('takeOver', 'the ward round')).outcome, 'pending');
    const { requestId } = await ann.event('lock:takeover_requested', { from: 'Eva' });
    await h.eventually(() => stored(app, 'polite:yes') === 'Seen. ', 'the library has asked for a save');
    await ann.call('answerTakeover', requestId, 'APPROVE');
    await ann.event('lost', { reason: 'TRANSFERRED' });
    await eva.edits();
    await eva.holds('Seen. ');
  },

  'an administrator asks, is denied, and has it in the end; the text is a draft': async ({ open }) => {
    const [ann, eva] = await scenery(open, 'firm:no', ['eva']);
    await eva.call('takeOver', 'the ward round');
    const { requestId } = await ann.event('lock:takeover_requested');
    await ann.call('answerTakeover', requestId, 'DENY');
    await eva.event('lock:takeover_denied', { by: 'ann' });
    await ann.until(() => app.section.takeover?.denied, 'she has denied it');
    await ann.until(() => !app.isDirty(), 'what she had typed is saved');
    await ann.type('More. ');
    await ann.event('lost', { reason: 'TAKEN_BY_ADMIN' });
    await eva.edits();
    await eva.holds('Seen. ');
    await eva.type('By Eva. ');
    await eva.save();
    await eva.call('release');
    await ann.edit();
    assert.deepStrictEqual(await ann.get(() => app.offers.map(({ text, outcome }) => [text, outcome])), [['Seen. More. ', 'conflict']]);
    assert.strictEqual(await ann.text(), 'Seen. By Eva. ', 'nothing is put over the newer text by itself');
  },

  'an administrator thinks better of it': async ({ open }) => {
    const [ann, eva] = await scenery(open, 'polite:never', ['eva']);
    await eva.call('takeOver', 'the ward round');
    await ann.event('lock:takeover_requested');
    await eva.call('cancelTakeover');
    await ann.event('lock:takeover_closed', { outcome: 'CANCELLED' });
    assert.strictEqual(await ann.get(() => app.section.takeover), null);
    await ann.edits();
  },

  'the same user in two tabs': async ({ open, app }) => {
    const [ann] = await scenery(open, 'document:tabs', []);
    const fence = await ann.fence();
    const twin = await open('ann', 'document:tabs');
    await twin.joined();
    assert.notStrictEqual(await twin.get(() => app.client.clientId), await ann.get(() => app.client.clientId));
    assert.deepStrictEqual(await twin.call('edit'), { error: 'HELD_BY_YOU' });
    await twin.edit({ takeOwn: true });
    await ann.event('lost', { reason: 'MOVED' });
    await ann.reads();
    assert.ok((await twin.fence()) > fence);
    assert.deepStrictEqual(await twin.get(() => app.offers.map(({ text, outcome, draft }) => [text, outcome, draft.own])),
      [['Seen. ', 'same-base', false]], 'what the first tab has not saved is offered in the second');
    await twin.get(() => app.putBack());
    await twin.save();
    assert.strictEqual(stored(app, 'document:tabs'), 'Seen. ');
  },

  'a user who is away for a while: a warning': async ({ open }) => {
    const [ann] = await scenery(open, 'there:again', [], { ann: { query: { idle: 1500 * h.SLOW } } });
    const fence = await ann.fence();
    await ann.event('lock:expiring');
    await ann.forget();
    await ann.page.keyboard.press('ArrowLeft'); // she is there
    await ann.event('lock:renewed');
    assert.strictEqual(await ann.fence(), fence);
    await ann.edits();
  },

  'a user who is away: a warning, a save, the end': async ({ open, app }) => {
    const [ann, bob] = await scenery(open, 'away:long', ['bob'], { ann: { query: { idle: 1500 * h.SLOW } } });
    await ann.event('lock:expiring');
    await h.eventually(() => stored(app, 'away:long') === 'Seen. ', 'the library has asked for a save');
    await ann.event('lost', { reason: 'EXPIRED' });
    await ann.reads();
    await isFree(bob);
  },

  'a lock is renewed while its user is there': async ({ open }) => {
    const [ann] = await scenery(open, 'brief:busy', []);
    const fence = await ann.fence();
    for (let beats = 0; beats < 8; beats++) {
      await ann.forget();
      await ann.type('x');
      await ann.event('lock:renewed');
    }
    assert.strictEqual(await ann.fence(), fence);
    await ann.edits();
  },
};

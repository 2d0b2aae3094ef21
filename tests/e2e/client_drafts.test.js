'use strict';
/* The JavaScript client keeps unsaved text: drafts, and the save handler with its deadlines. */
const assert = require('node:assert');
const { test } = require('node:test');
const h = require('./harness');

const ROOM = 'document:draft:main';

/* Clients of one browser: open(user, {session}) → {client, section}. */
async function browserOf(t, config = {}) {
  const d = await h.lockDaemon(t, { config: { default: { gracePeriod: '20s', ...config }, resourceTypes: { ask: { upgrade: 'request' } } } });
  const local = new h.MemoryStorage();
  const open = async (user, { session = new h.MemoryStorage(), room = ROOM, ...options } = {}) => {
    const client = await h.wslockClient(t, { url: d.url(), makeToken: () => h.token({ user }), storage: { session, local }, ...options });
    const section = client.section(room);
    await section.view();
    return { client, section };
  };
  return { d, local, open };
}

test('a draft is offered back after a reload, and compared', async (t) => {
  const { open } = await browserOf(t);
  const session = new h.MemoryStorage();
  const first = await open('ann', { session });
  assert.strictEqual((await h.wslockClient(t, { url: 'ws://127.0.0.1:1/', makeToken: () => 'x' })).section(ROOM).drafts().length, 0);
  await first.section.edit();
  assert.strictEqual(first.section.keepDraft('old and new', 'r1'), true);
  assert.strictEqual(first.section.dirty, true);
  assert.deepStrictEqual(first.section.drafts(), [], 'what this page writes itself is in its editor');
  first.client.disconnect();

  const { section } = await open('ann', { session });
  const [draft] = section.drafts();
  assert.deepStrictEqual([draft.text, draft.baseRevision, draft.own], ['old and new', 'r1', true]);
  assert.ok(Math.abs(draft.writtenAt - Date.now()) < 60_000);
  assert.deepStrictEqual(draft.compare({ revision: 'r1', text: 'old' }), { outcome: 'same-base', text: 'old and new', revision: 'r1' });
  assert.deepStrictEqual(draft.compare({ revision: 'r2', text: 'old and new' }), { outcome: 'identical', text: 'old and new' });
  const conflict = draft.compare({ revision: 'r2', text: 'another text' });
  assert.strictEqual(conflict.outcome, 'conflict');
  assert.deepStrictEqual([conflict.draft.text, conflict.draft.baseRevision], ['old and new', 'r1']);
  assert.deepStrictEqual(conflict.current, { revision: 'r2', text: 'another text' });
  for (const bad of [undefined, null, {}, { revision: 'r1' }, { text: 'x' }, { revision: '', text: 'x' }]) {
    assert.throws(() => draft.compare(bad), TypeError, 'it has to be told what is stored now');
  }
  assert.strictEqual(section.drafts().length, 1, 'comparing changes nothing');
  draft.discard();
  assert.deepStrictEqual(section.drafts(), []);
});

test('drafts belong to a user, a section and a tab', async (t) => {
  const { open } = await browserOf(t);
  const ann = await open('ann');
  ann.section.keepDraft('of ann', 'r1');
  ann.client.section('document:other').keepDraft('elsewhere', 'r1');
  assert.deepStrictEqual((await open('bob')).section.drafts(), []);
  assert.deepStrictEqual((await open('an')).section.drafts(), []);
  const [draft, ...more] = (await open('ann')).section.drafts();
  assert.deepStrictEqual([draft.text, draft.own, more], ['of ann', false, []]);
});

test('what was saved is no draft any more; what was typed meanwhile stays one', async (t) => {
  const { open } = await browserOf(t);
  const session = new h.MemoryStorage();
  const { client, section } = await open('ann', { session });
  section.keepDraft('one', 'r1');
  section.keepDraft('one two', 'r1');
  section.saved({ revision: 'r2', text: 'one' });
  assert.strictEqual(section.dirty, true);
  client.disconnect();
  const again = await open('ann', { session });
  assert.deepStrictEqual(again.section.drafts().map(({ text, baseRevision }) => [text, baseRevision]), [['one two', 'r2']]);
  again.section.keepDraft('one two', 'r2');
  again.section.saved({ revision: 'r3', text: 'one two' });
  assert.strictEqual(again.section.dirty, false);
  again.section.drafts()[0].discard();
  assert.deepStrictEqual((await open('ann', { session })).section.drafts(), []);
});

test('a lock that is lost and had again: no unsaved changes are claimed, and the draft is kept', async (t) => {
  const { open } = await browserOf(t);
  const ann = await open('ann');
  const ben = await open('ben');
  await ann.section.edit();
  ann.section.keepDraft('unsaved', 'r1');
  await h.eventually(() => ben.section.lock.dirty, 'others see it');
  const other = await open('ann');
  await other.section.edit({ takeOwn: true });
  await h.eventually(() => ann.section.lastLoss, 'it is lost');
  assert.strictEqual(ann.section.dirty, null);
  ann.section.keepDraft('unsaved, and shown', 'r1'); // as an application may do when it is told
  const beats = [];
  ann.client.on('frame', ({ direction, text }) => direction === 'out' && text.includes('heartbeat') && beats.push(JSON.parse(text).data.dirty));
  await ann.section.edit({ takeOwn: true });
  assert.strictEqual(ann.section.dirty, null);
  await ann.section.renew();
  assert.deepStrictEqual(beats, [undefined]);
  assert.strictEqual((await ben.section.status()).lock.dirty, false);
  assert.deepStrictEqual(ann.section.drafts().map(({ text }) => text).sort(), ['unsaved', 'unsaved, and shown']);
});

test('a storage that is full, forbidden or spoiled', async (t) => {
  const d = await h.lockDaemon(t, {});
  const forbidden = () => { throw new Error('SecurityError'); };
  for (const local of [
    null, { length: 0, key: () => null, getItem: () => null, setItem: forbidden, removeItem: () => {} },
    { get length() { return forbidden(); }, key: forbidden, getItem: forbidden, setItem: forbidden, removeItem: forbidden },
  ]) {
    const client = await h.wslockClient(t, { url: d.url(), makeToken: () => h.token(), storage: { session: local, local } });
    const section = client.section(ROOM);
    await section.edit({ takeOwn: true });
    assert.strictEqual(section.keepDraft('only here', 'r1'), false, 'the application may say so');
    assert.deepStrictEqual(section.drafts(), []);
  }
  const spoiled = new h.MemoryStorage([['wslock:draft:ann:document:draft:main:x', '{"half'], ['wslock:draft:ann:document:draft:main:y', '7']]);
  const client = await h.wslockClient(t, { url: d.url(), makeToken: () => h.token(), storage: { local: spoiled } });
  await client.connect();
  assert.deepStrictEqual(client.section(ROOM).drafts(), []);
});

test('the save handler: why, until when, and only with something to save', async (t) => {
  const { d, open } = await browserOf(t);
  const wire = await h.proxy(t, d.port);
  const ann = await open('ann', { room: 'ask:1', url: `ws://127.0.0.1:${wire.port}/ws` });
  const ben = await open('ben', { room: 'ask:1' });
  const { section } = ann;
  await section.edit();
  const saves = [];
  const off = section.onSave((request) => {
    saves.push(request);
    if (request.cause === 'request') throw new Error('the application failed');
    return Promise.reject(new Error('later, too'));
  });
  section.dirty = false;
  await ben.section.request('please');
  await h.eventually(() => section.requests.length, 'she is asked');
  assert.deepStrictEqual(saves, [], 'nothing is unsaved');
  await ben.section.cancelRequest();
  await h.eventually(() => !section.requests.length, 'it is over');
  section.dirty = true;
  const asked = await ben.section.request('please');
  await h.eventually(() => saves.length, 'the editor must save');
  assert.deepStrictEqual([saves[0].cause, saves[0].requestId, saves[0].fence], ['request', asked.requestId, section.fence]);
  assert.ok(Math.abs(saves[0].remainingMs() - section.requests[0].remainingMs()) < 1000);
  assert.strictEqual(saves[0].signal.aborted, false);

  wire.refuse();
  await h.eventually(() => saves.length === 2, 'cut off');
  assert.deepStrictEqual([saves[1].cause, section.state], ['connection', 'unconfirmed']);
  assert.ok(saves[1].remainingMs() > 10_000 && saves[1].remainingMs() <= 20_000);
  wire.refuse(false);
  await h.editing(section);
  assert.strictEqual(saves[1].signal.aborted, false, 'a save that runs is left alone');
  await h.eventually(() => ann.client.problems.length >= 2, 'what the handler throws is told');
  assert.deepStrictEqual(ann.client.problems.map((error) => error.message), ['the application failed', 'later, too']);

  off();
  wire.cut();
  await h.eventually(() => section.state === 'unconfirmed', 'cut off again');
  await h.editing(section);
  assert.strictEqual(saves.filter(({ cause }) => cause === 'connection').length, 1);
});

test('the save handler: its signal ends with the deadline', async (t) => {
  const { open } = await browserOf(t, { lockTtl: h.ms(6000), heartbeatInterval: h.ms(2000) });
  const { section } = await open('ann', { activity: 'manual', idleAfterMs: 100 });
  await section.edit();
  let request;
  section.onSave((given) => { request = given; });
  await h.eventually(() => request, 'it expires soon');
  assert.strictEqual(request.cause, 'expiry');
  const left = request.remainingMs();
  assert.ok(left > 0 && left <= 1200 * h.SLOW, String(left));
  await h.eventually(() => request.signal.aborted, 'it is over');
  assert.ok(request.remainingMs() < 500 * h.SLOW);
});

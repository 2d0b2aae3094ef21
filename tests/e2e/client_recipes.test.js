'use strict';
/* The recipes of the client's README for a page with an editor (1 to 3), as they are printed. */
const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const vm = require('node:vm');
const { test } = require('node:test');
const h = require('./harness');

const README = fs.readFileSync(path.join(h.CLIENT_DIR, 'README.md'), 'utf8');
const RECIPES = [1, 2, 3].map((number) => new RegExp(`^### Recipe ${number}:.*?^\`\`\`js\\n(.*?)^\`\`\`$`, 'ms').exec(README)[1]).join('\n');

/* What an application stores, behind the addresses that the recipes name. Saves as docs/saving-safely.md says. */
class Store {
  constructor(text = '') {
    Object.assign(this, { text, revision: 1, fence: 0, away: false, saves: [], late: null });
  }
  /* fetch() for a page. Decides at once, as a request that has left the page does; its answer may be late. */
  async fetch(...asked) {
    const [answer, { late }] = [this.answer(...asked), this];
    await late;
    return answer;
  }
  answer(address, { method, headers, body, keepalive = false }) {
    const fence = Number(headers['X-Fence']);
    if (this.away) return new Response('', { status: 503 });
    if (fence < this.fence) return new Response('', { status: 409 });
    this.fence = fence;
    const revision = () => `v${this.revision}`;
    if (address === '/text/open' && method === 'POST') return new Response(JSON.stringify({ revision: revision(), text: this.text }));
    assert.deepStrictEqual([address, method], ['/text', 'PUT']);
    if (headers['If-Match'] !== revision()) return new Response('', { status: 409 });
    this.text = body;
    this.revision++;
    this.saves.push({ text: body, fence, keepalive });
    return new Response(revision());
  }
}

class Field extends EventTarget {
  value = '';
  readOnly = true;
  /* As a key does. False: the page has refused it. */
  type(text) {
    if (this.readOnly || !this.dispatchEvent(new Event('beforeinput', { cancelable: true }))) return false;
    this.value += text;
    this.dispatchEvent(new Event('input'));
    return true;
  }
}

/* A page that has nothing but the recipes, and what they leave to their page. */
async function page(t, d, store, user, options = {}) {
  const window = new EventTarget();
  const document = Object.assign(new EventTarget(), { visibilityState: 'visible' });
  const client = await h.wslockClient(t, {
    url: d.url(), makeToken: () => h.token({ user, name: user, admin: user === 'boss' }), platform: { window, document }, ...options,
  });
  const it = {
    client, section: client.section('document:4711:findings'), field: new Field(), shown: [], offered: [], window,
    editButton: {}, askButton: {}, claimButton: {},
  };
  const context = vm.createContext({
    section: it.section, field: it.field, editButton: it.editButton, askButton: it.askButton, claimButton: it.claimButton,
    fetch: (...given) => store.fetch(...given),
    show: (text, cause = null) => it.shown.push([text, cause]),
    offer: (text, putBack) => it.offered.push({ text, putBack }),
    showBoth: (draft, current) => it.offered.push({ draft, current }),
  });
  Object.assign(it, vm.runInContext(`${RECIPES}\n({ save, handOver, giveWay })`, context));
  it.told = (cause) => h.eventually(() => it.shown.find((one) => one[1] === cause), `it is asked to save: ${cause}`);
  it.edits = () => h.eventually(() => !it.field.readOnly, 'it edits');
  await it.section.view();
  return it;
}

const CONFIG = {
  default: {
    upgrade: 'request', requests: true, requestTimeout: '1m', claimWindow: '1m', takeover: 'request', takeoverTimeout: '1m',
    lockTtl: '5m', gracePeriod: '1m',
  },
};

test('recipe 3: somebody asks for the lock', async (t) => {
  const d = await h.lockDaemon(t, { config: CONFIG });
  const store = new Store('Heart: ');
  const [ann, ben] = [await page(t, d, store, 'ann'), await page(t, d, store, 'ben')];
  await ann.editButton.onclick();
  await ann.edits();
  assert.strictEqual(ann.field.value, 'Heart: ');
  const { fence } = ann.section;
  assert.ok(ann.field.type('normal.'));
  assert.strictEqual(ben.field.type('mine'), false);

  await ben.askButton.onclick();
  assert.ok(ben.section.asked);
  const [text] = await ann.told('request');
  assert.match(text, /^Save within (5\d|60) s\.$/);
  const [request] = ann.section.requests;
  assert.deepStrictEqual([request.from, request.message], ['ben', 'May I add the diagnosis?']);
  assert.deepStrictEqual(store.saves, [], 'to be asked saves nothing by itself');

  /* What cannot be stored is not handed over. */
  store.away = true;
  await ann.handOver(request);
  assert.match(ann.shown.at(-1)[0], /^Not saved: the server cannot be reached\./);
  assert.deepStrictEqual([ann.section.fence, ann.section.requests.length, ben.section.turn], [fence, 1, false]);
  store.away = false;
  const lost = h.next(ann.section, 'lost');
  await ann.handOver(request);
  assert.deepStrictEqual(store.saves, [{ text: 'Heart: normal.', fence, keepalive: false }]);
  assert.strictEqual((await lost).reason, 'TRANSFERRED');
  assert.deepStrictEqual([ann.field.readOnly, ann.section.drafts()], [true, []]);

  await h.eventually(() => ben.section.turn, 'his turn');
  await ben.claimButton.onclick();
  await ben.edits();
  assert.strictEqual(ben.field.value, 'Heart: normal.');
  assert.strictEqual(ben.section.previous.revision, 'v2');
  assert.ok(ben.field.type(' Lungs clear.'));
  assert.strictEqual(await ben.save(), true);
  assert.strictEqual(store.text, 'Heart: normal. Lungs clear.');
  assert.strictEqual(await ann.save(), false, 'her lock is another’s now');
  assert.strictEqual(store.text, 'Heart: normal. Lungs clear.');
  assert.deepStrictEqual([ben.shown, ann.client.problems, ben.client.problems], [[], [], []]);
});

test('recipe 3: what is refused is shown', async (t) => {
  const d = await h.lockDaemon(t, { config: { default: { upgrade: 'deny', requests: false } } });
  const store = new Store();
  const [ann, ben] = [await page(t, d, store, 'ann'), await page(t, d, store, 'ben')];
  await ben.editButton.onclick();
  await ann.editButton.onclick();
  await ann.askButton.onclick();
  await ann.claimButton.onclick();
  const [held, ...refused] = ann.shown.map(([text]) => text);
  assert.strictEqual(held, 'ben is editing.');
  assert.match(refused.join('\n'), /cannot be requested.*\n.*HELD/);
  assert.strictEqual(ann.field.readOnly, true);
});

test('recipe 3: an administrator takes over', async (t) => {
  const d = await h.lockDaemon(t, { config: CONFIG });
  const store = new Store();
  const [ann, boss] = [await page(t, d, store, 'ann'), await page(t, d, store, 'boss')];
  await ann.editButton.onclick();
  await ann.edits();
  const { fence } = ann.section;
  ann.field.type('Discharge at noon.');
  assert.strictEqual((await boss.section.takeOver('the ward round')).outcome, 'pending');
  await ann.told('takeover');
  const lost = h.next(ann.section, 'lost');
  await ann.giveWay(ann.section.takeover);
  await lost;
  assert.deepStrictEqual(store.saves, [{ text: 'Discharge at noon.', fence, keepalive: false }]);
  await boss.edits();
  assert.deepStrictEqual([boss.field.value, boss.section.previous.revision], ['Discharge at noon.', 'v2']);
  assert.deepStrictEqual([ann.client.problems, boss.client.problems], [[], []]);
});

test('recipe 3: the lock expires, and the text is put back later', async (t) => {
  const d = await h.lockDaemon(t, { config: { default: { lockTtl: h.ms(4000), heartbeatInterval: h.ms(1000) } } });
  const store = new Store('Begun. ');
  const ann = await page(t, d, store, 'ann', { activity: 'manual', idleAfterMs: 100 });
  await ann.editButton.onclick();
  await ann.edits();
  ann.field.type('Not saved.');
  const lost = h.next(ann.section, 'lost');
  await ann.told('expiry');
  assert.strictEqual((await lost).reason, 'EXPIRED');
  assert.strictEqual(ann.field.type(' Too late.'), false);
  await ann.editButton.onclick();
  const [offered] = await h.eventually(() => ann.offered.length && ann.offered, 'her text is offered');
  assert.deepStrictEqual([offered.text, ann.field.value], ['Begun. Not saved.', 'Begun. ']);
  offered.putBack();
  assert.strictEqual(await ann.save(), true);
  assert.deepStrictEqual([store.text, ann.section.drafts()], ['Begun. Not saved.', []]);
});

/* Ann edits again, and is offered what she did not save under the lock before. */
async function offeredAgain(t) {
  const d = await h.lockDaemon(t, { config: CONFIG });
  const store = new Store('Begun. ');
  const ann = await page(t, d, store, 'ann');
  await ann.editButton.onclick();
  await ann.edits();
  ann.field.type('Not saved.');
  await ann.section.release();
  await ann.editButton.onclick();
  const [offered] = await h.eventually(() => ann.offered.length && ann.offered.splice(0), 'her text is offered');
  await ann.edits();
  return { store, ann, offered };
}

test('recipe 2: what was typed or saved after the offer is not replaced by the draft', async (t) => {
  const { store, ann, offered } = await offeredAgain(t);
  assert.ok(ann.field.type('Newer.'));
  for (const decide of [() => {}, () => ann.save()]) {
    await decide();
    offered.putBack();
    assert.strictEqual(ann.field.value, 'Begun. Newer.');
    const { draft, current } = ann.offered.pop();
    assert.deepStrictEqual([draft.text, current.text], ['Begun. Not saved.', 'Begun. Newer.']);
  }
  assert.deepStrictEqual([store.text, ann.section.drafts().map(({ text }) => text)], ['Begun. Newer.', ['Begun. Not saved.']]);
});

test('recipe 2: a draft is not put back while the text of a new lock is loaded', async (t) => {
  const { store, ann, offered } = await offeredAgain(t);
  await ann.section.release();
  let answer;
  store.late = new Promise((resolve) => { answer = resolve; });
  await ann.editButton.onclick();
  offered.putBack();
  answer();
  await ann.edits();
  assert.deepStrictEqual([ann.field.value, ann.offered.map(({ text }) => text)], ['Begun. ', ['Begun. Not saved.']]);
  ann.offered[0].putBack();
  assert.strictEqual(ann.field.value, 'Begun. Not saved.');
});

test('recipe 1: the answer to a save that comes under a newer lock is not about its text', async (t) => {
  const d = await h.lockDaemon(t, { config: CONFIG });
  const store = new Store('Begun. ');
  const [ann, ben] = [await page(t, d, store, 'ann'), await page(t, d, store, 'ben')];
  await ann.editButton.onclick();
  await ann.edits();
  ann.field.type('Hers. ');
  let answer;
  store.late = new Promise((resolve) => { answer = resolve; });
  const saved = ann.save();
  await h.eventually(() => store.saves.length, 'it has left the page');
  store.late = null;
  await ann.section.release();
  await ben.editButton.onclick();
  await ben.edits();
  ben.field.type('His. ');
  assert.strictEqual(await ben.save(), true);
  await ben.section.release();
  await ann.editButton.onclick();
  await ann.edits();
  answer();
  assert.strictEqual(await saved, true);
  assert.ok(ann.field.type('Hers again.'));
  assert.deepStrictEqual([await ann.save(), store.text, ann.shown], [true, 'Begun. Hers. His. Hers again.', []]);
});

test('recipe 3: the page goes, and what was typed is on its way', async (t) => {
  const d = await h.lockDaemon(t, { config: CONFIG });
  const store = new Store();
  const ann = await page(t, d, store, 'ann');
  ann.window.dispatchEvent(new Event('beforeunload'));
  assert.deepStrictEqual(store.saves, [], 'nothing was loaded');
  await ann.editButton.onclick();
  await ann.edits();
  ann.field.type('Typed last.');
  const { fence } = ann.section;
  ann.window.dispatchEvent(new Event('beforeunload'));
  ann.window.dispatchEvent(Object.assign(new Event('pagehide'), { persisted: false }));
  assert.deepStrictEqual(store.saves, [{ text: 'Typed last.', fence, keepalive: true }], 'once, and before the page is gone');
  assert.deepStrictEqual(ann.client.problems, []);
});

'use strict';
/* The application, the stores and the page of docs/saving-safely.md as they are printed, and what must hold for each store. */
const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const express = require('express');
const { applicationFolder, codeOf, importFrom, serve } = require('./node_application');
const { Inbox, SLOW, cleanup, eventually, start } = require('./basics');
const { lockDaemon, ms, view } = require('./flows');
const { proxy } = require('./proxy');
const { keyPair } = require('./tokens');
const { MemoryStorage, wslockClient } = require('./wslock_client');

const RESOURCE = 'document:report:findings';

/* A page in a process of its own: it opens the section with the lock, and saves each line of its input. */
const PAGE = `
import { webcrypto } from 'node:crypto';
import { createInterface } from 'node:readline';
import WebSocket from 'ws';
import { WslockClient } from 'wslock';
import { editor } from './editor.mjs';
const { SOCKET, TOKEN, SECTION, RESOURCE } = process.env;
const say = (what) => console.log(JSON.stringify(what));
const kept = new Map(); // of drafts
const local = {
  get length() { return kept.size; }, key: (index) => [...kept.keys()][index] ?? null,
  getItem: (key) => kept.get(key) ?? null, setItem: (key, value) => kept.set(key, value), removeItem: (key) => kept.delete(key),
};
const client = new WslockClient({
  url: SOCKET, getToken: () => TOKEN, storage: { session: null, local }, activity: 'always',
  platform: { WebSocket, BroadcastChannel: undefined, crypto: webcrypto },
});
const section = client.section(RESOURCE);
const field = Object.assign(new EventTarget(), { value: '', readOnly: true });
const { saver } = editor({
  section, url: SECTION, field, show: (state, code) => say({ [state]: code ?? true }), pauseMs: 50,
  offer: (drafts) => say({ opened: { revision: saver.base, body: field.value, drafts }, token: section.fence }),
});
createInterface({ input: process.stdin }).on('line', async (body) => {
  say({ done: await saver.save(body), drafts: [...kept.values()].map((draft) => JSON.parse(draft)) });
});
section.edit();
`;

/* Opens ROUNDS times, each time with a fence of its own, and then saves twice; what fails is repeated. */
const RACER = `
import * as documents from './store.mjs';
const [id, rounds] = process.argv.slice(2).map(Number);
const until = async (action) => { for (;;) { try { return await action(); } catch (error) { failures.push(error.message); } } };
const failures = [];
const grants = [];
for (let round = 0; round < rounds; round++) {
  const fence = Date.now() * 4 + id; // higher than the others', or nearly so
  const lock = { resourceId: process.env.RESOURCE, userId: 'user-' + id, fence };
  let { outcome, revision } = await until(() => documents.open(lock));
  const grant = { fence, opened: outcome === 'opened' ? revision : null, saved: [] };
  for (let i = 0; outcome !== 'stale' && outcome !== 'conflict' && i < 2; i++) {
    const text = { base: revision, body: [id, round, i].join('/') };
    ({ outcome, revision } = await until(() => documents.save(lock, text)));
    if (outcome === 'saved') grant.saved.push([revision, text.body]);
  }
  grants.push({ ...grant, outcome });
}
console.log(JSON.stringify({ grants, failures }));
await documents.close();
`;

/* store: 'postgres' or 'sqlite'; env: what its module reads. */
async function savingApplication(t, store, env, policy) {
  const code = codeOf('saving-safely.md');
  const dir = applicationFolder(t, { ...code, 'store.mjs': code[`${store}.mjs`], 'page.mjs': PAGE, 'racer.mjs': RACER },
    ['express', 'pg', 'better-sqlite3', 'ws']);
  const signingKeyFile = path.join(dir, 'tickets.pem');
  fs.writeFileSync(signingKeyFile, keyPair('ES256').privateKey.export({ type: 'pkcs8', format: 'pem' }));
  const d = await lockDaemon(t, { config: { tickets: { signingKeyFile }, default: policy } });
  Object.assign(process.env, env);
  const documents = await importFrom(dir, 'store.mjs');
  cleanup(t, () => documents.close());
  const { application } = await importFrom(dir, 'application.mjs');
  const { Saver } = await importFrom(dir, 'saver.mjs');
  const { editor } = await importFrom(dir, 'editor.mjs');
  /* Signed in is whom the path names. Tickets may be said to have expired. The next opening waits for gate.before, and its answer for
     gate.after. */
  const app = express();
  const expired = new Set();
  const gate = {};
  app.use(async (req, res, next) => {
    const { before, after } = req.path.endsWith('/open') ? gate : {};
    const { end } = res;
    if (after) res.end = (...last) => after.then(() => end.apply(res, last));
    if (before || after) gate.before = gate.after = null;
    await before;
    next();
  });
  app.use((req, res, next) => {
    if (expired.has(req.headers['wslock-ticket'])) res.status(401).json({ error: { code: 'TICKET_EXPIRED', message: 'it has expired' } });
    else next();
  });
  app.use('/as/:user', (req, res, next) => {
    req.user = { id: req.params.user };
    next();
  }, application({
    documents, keysUrl: d.url('/.well-known/wslock-jwks.json').replace(/^ws/, 'http'), signIn: (req, res, next) => next(),
  }));
  app.use((error, req, res, next) => res.status(error.status ?? 500).json({ error: { code: 'OWN', message: error.message } }, next));
  return { t, d, dir, env: { ...env, RESOURCE }, documents, Saver, editor, expired, gate, base: await serve(t, app) };
}

const section = (base, user) => `${base}/as/${user}/documents/report/findings`;

/* A client of this process, as in a browser of its own; its drafts are in client.drafts. wire: a proxy that it connects through. */
async function pageClient(s, user, wire) {
  const drafts = new MemoryStorage();
  const client = await wslockClient(s.t, {
    url: wire ? `ws://127.0.0.1:${wire.port}/ws` : s.d.url(), makeToken: () => s.d.token({ user }), storage: { session: null, local: drafts },
  });
  return Object.assign(client, { drafts });
}

/* A page of this process that has the lock: {saver, shown, client, section, until(state)}. onShow(state): is told too. */
async function openPage(s, user, { base = s.base, client, resource = RESOURCE, onShow = () => {}, ...limits } = {}) {
  const page = { shown: [], client: client ?? await pageClient(s, user) };
  page.section = page.client.section(resource);
  page.saver = new s.Saver({
    section: page.section, url: section(base, user), pauseMs: 20, ...limits,
    show: (state, code) => {
      page.shown.push(code ?? state);
      onShow(state, page);
    },
  });
  page.until = (state) => eventually(() => page.shown.includes(state), `${user}'s page shows ${state}`);
  page.opened = await page.saver.open(await page.section.edit());
  return page;
}

/* What a page has not saved: [text, revision that it was written on]. */
const draftsOf = ({ client }) => [...client.drafts.values()].map((draft) => JSON.parse(draft)).map(({ text, baseRevision }) => [text, baseRevision]);

/* One request, as it is: {status, code, outcome, revision, headers}. */
async function request(s, user, ticket, data) {
  const [method, where] = data === undefined ? ['POST', '/open'] : ['PUT', ''];
  const response = await fetch(section(s.base, user) + where, {
    method, headers: { 'Content-Type': 'application/json', 'Wslock-Ticket': ticket }, body: data && JSON.stringify(data),
  });
  const { error, ...more } = await response.json();
  return { status: response.status, code: error?.code, retryAfter: response.headers.get('retry-after'), ...more };
}

/* The lines that a child prints, as objects. */
function lines(child, who) {
  const said = new Inbox();
  let rest = '';
  let errors = '';
  child.stderr.on('data', (data) => (errors += data));
  child.stdout.on('data', (data) => {
    const parts = (rest + data).split('\n');
    rest = parts.pop();
    for (const line of parts) said.push(JSON.parse(line));
  });
  child.ended.then(() => said.end(new Error(`${who} ended: ${errors}`)));
  return said;
}

async function startPage(t, s, user) {
  const child = start('node', [path.join(s.dir, 'page.mjs')], {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...process.env, ...s.env, SOCKET: s.d.url(), TOKEN: await s.d.token({ user }), SECTION: section(s.base, user) },
  });
  const said = lines(child, user);
  cleanup(t, async () => {
    child.kill('SIGKILL');
    await child.ended;
  });
  return {
    child,
    next: (key) => said.take((line) => key in line, `${user} says ${key}`),
    save: (body) => child.stdin.write(`${body}\n`),
  };
}

/* A page that was stopped while its lock went to another. s: with SLEEP as policy. */
const SLEEP = { lockTtl: ms(2000), heartbeatInterval: ms(1000), gracePeriod: ms(1000) };
async function stoppedPageIsRefused(t, s) {
  const ben = await s.d.client({ user: 'onlooker' });
  await view(ben, RESOURCE);
  const ann = await startPage(t, s, 'ann');
  const first = await ann.next('opened');
  assert.deepStrictEqual(first.opened, { revision: 0, body: '', drafts: [] });
  const text = "Ann's first ' \"; DROP TABLE section; -- \u2603";
  ann.save(text);
  assert.deepStrictEqual(await ann.next('done'), { done: { outcome: 'saved', revision: 1 }, drafts: [] });
  ann.child.kill('SIGSTOP');

  await ben.waitFor('lock:released', (data) => data.reason === 'EXPIRED' && data.previousHolder === 'ann');
  const page = await openPage(s, 'ben');
  assert.ok(page.section.fence > first.token);
  assert.deepStrictEqual([page.opened.revision, page.opened.body], [1, text]);

  // Before Ben has saved anything: his fence is known since he opened the section.
  ann.save('what Ann had in her editor');
  ann.child.kill('SIGCONT');
  const { done, drafts } = await ann.next('done');
  assert.deepStrictEqual(done, { outcome: 'refused', code: 'STALE_FENCE' });
  assert.deepStrictEqual(drafts.map(({ text, baseRevision }) => [text, baseRevision]), [['what Ann had in her editor', '1']], 'her text is kept');

  assert.deepStrictEqual(await page.saver.save("Ben's"), { outcome: 'saved', revision: 2 });
  ann.save('and again');
  assert.strictEqual((await ann.next('done')).done.code, 'STALE_FENCE');
  assert.deepStrictEqual(await page.saver.save("Ben's, more"), { outcome: 'saved', revision: 3 }, 'the same fence saves again');
  assert.strictEqual((await page.saver.open(page.section)).body, "Ben's, more");
}

/* Four processes open and save at the same time: nobody saves what an older holder has once a newer one has opened. */
async function newestOfManyWritersRemains(s) {
  const racers = [0, 1, 2, 3].map((id) =>
    start('node', [path.join(s.dir, 'racer.mjs'), String(id), '20'], { env: { ...process.env, ...s.env } }));
  const ends = await Promise.all(racers.map((child, id) => lines(child, `racer ${id}`).take(() => true, `the end of racer ${id}`)));
  await Promise.all(racers.map((child) => child.ended));
  const grants = ends.flatMap((end) => end.grants).sort((a, b) => a.fence - b.fence);
  const saved = grants.flatMap((grant) => grant.saved).sort(([a], [b]) => a - b);
  assert.deepStrictEqual(saved.map(([revision]) => revision), saved.map((_, i) => i + 1), 'each revision once');
  for (const [i, grant] of grants.entries()) {
    const told = () => JSON.stringify([grant, ends.map((end) => end.failures)]);
    assert.ok(['saved', 'stale'].includes(grant.outcome), told());
    for (const newer of grants.slice(i + 1)) {
      if (newer.opened === null || newer.fence === grant.fence) continue;
      assert.ok(grant.saved.every(([revision]) => revision <= newer.opened), `${newer.fence} had opened: ${told()}`);
    }
  }
  assert.deepStrictEqual(await s.documents.open({ resourceId: RESOURCE, fence: grants.at(-1).fence + 1 }), {
    outcome: 'opened', revision: saved.length, body: saved.at(-1)[1],
  });
}

/* Saved, stale and conflict are told apart, over HTTP. */
async function outcomesAreDistinct(s) {
  const ann = await openPage(s, 'ann');
  const { ticket } = ann.section;
  const put = (base, body, more) => request(s, more?.user ?? 'ann', more?.ticket ?? ticket, { base, body });
  const short = ({ status, code, outcome, revision }) => [status, code ?? outcome, revision];
  assert.deepStrictEqual(short(await put(0, 'one')), [200, 'saved', 1]);
  assert.deepStrictEqual(short(await put(0, 'one')), [200, 'saved', 1], 'repeated: nothing is written');
  assert.deepStrictEqual(short(await put(1, 'two')), [200, 'saved', 2]);
  assert.deepStrictEqual(short(await put(0, 'one')), [409, 'CONFLICT', 2], 'a late repetition');
  assert.deepStrictEqual(short(await put(1, 'other')), [409, 'CONFLICT', 2]);
  assert.deepStrictEqual(short(await put(7, 'other')), [409, 'CONFLICT', 2]);
  for (const [base, body] of [[undefined, 'x'], ['2', 'x'], [2, undefined], [2, 7], [2.5, 'x']]) {
    assert.deepStrictEqual((await put(base, body)).status, 400, JSON.stringify([base, body]));
  }
  assert.deepStrictEqual(short(await put(2, 'x', { user: 'ben' })), [401, 'OTHER_USER', undefined]);
  assert.deepStrictEqual(short(await put(2, 'x', { ticket: `${ticket}x` })), [401, 'TICKET_INVALID', undefined]);

  const lost = 'unsaved, on revision 2';
  ann.section.keepDraft(lost, '2');
  await ann.section.release();
  const ben = await openPage(s, 'ben');
  assert.deepStrictEqual(short(await put(2, lost)), [409, 'STALE_FENCE', 2], 'Ben has opened it');
  assert.deepStrictEqual(short(await request(s, 'ann', ticket)), [409, 'STALE_FENCE', 2], 'opening is refused as well');
  assert.deepStrictEqual(await ben.saver.save('of Ben'), { outcome: 'saved', revision: 3 });
  await ben.section.release();

  // Her fence is the newest again, her text is old: it is offered for comparison, and not written by itself.
  const again = await openPage(s, 'ann', { client: ann.client });
  const { drafts: [found, ...more], ...opened } = again.opened;
  assert.deepStrictEqual([opened, more], [{ outcome: 'opened', revision: 3, body: 'of Ben' }, []]);
  assert.deepStrictEqual([found.outcome, found.draft.text, found.draft.baseRevision], ['conflict', lost, '2']);
  assert.deepStrictEqual(short(await put(2, lost, { ticket: again.section.ticket })), [409, 'CONFLICT', 3]);
  assert.deepStrictEqual(await again.saver.save(`of Ben, ${lost}`), { outcome: 'saved', revision: 4 });
  assert.deepStrictEqual(draftsOf(again), [[lost, '2']], 'until its user has decided');
}

/* down() and up(): the database is away, and there again. The page tells an outage, keeps the text, and saves it once.
   Returns the page. */
async function outageIsNoRefusal(s, down, up) {
  const ann = await openPage(s, 'ann');
  assert.deepStrictEqual(await ann.saver.save('before'), { outcome: 'saved', revision: 1 });
  await down();
  const answer = await request(s, 'ann', ann.section.ticket, { base: 1, body: 'during' });
  assert.deepStrictEqual([answer.status, answer.code], [503, 'UNAVAILABLE']);
  assert.ok(Number(answer.retryAfter) >= 1);
  const saving = ann.saver.save('during');
  await ann.until('waiting');
  assert.strictEqual(ann.saver.save('and more'), saving, 'newer text waits for the outcome');
  assert.deepStrictEqual(draftsOf(ann), [['and more', '1']]);
  await up();
  assert.deepStrictEqual(await saving, { outcome: 'saved', revision: 3 });
  assert.deepStrictEqual(ann.shown.filter((state) => !['saving', 'waiting', 'saved'].includes(state)), [], 'no refusal');
  assert.deepStrictEqual([draftsOf(ann), ann.section.dirty], [[], false]);
  assert.strictEqual((await ann.saver.open(ann.section)).body, 'and more');
  return ann;
}

/* What the application has written is answered to nobody: the page repeats the save, and it is written once. */
async function lostAnswerIsRepeated(t, s) {
  const wire = await proxy(t, Number(new URL(s.base).port));
  const ann = await openPage(s, 'ann', { base: `http://127.0.0.1:${wire.port}`, limitMs: 500 * SLOW });
  wire.swallow('down');
  const saving = ann.saver.save('once');
  await ann.until('waiting');
  wire.swallow('none');
  assert.deepStrictEqual(await saving, { outcome: 'saved', revision: 1 });
  wire.refuse();
  const next = ann.saver.save('twice');
  await eventually(() => ann.shown.filter((state) => state === 'waiting').length > 1, 'no network');
  wire.refuse(false);
  assert.deepStrictEqual(await next, { outcome: 'saved', revision: 2 });
  assert.deepStrictEqual(new Set(ann.shown), new Set(['saving', 'waiting', 'saved']));
}

/* A ticket that has expired: the page renews it, waits for a connection if need be, and stops where the lock is gone. */
async function expiredTicketIsRenewed(t, s) {
  const wire = await proxy(t, s.d.port);
  const ann = await openPage(s, 'ann', { client: await pageClient(s, 'ann', wire) });
  const expire = () => {
    s.expired.add(ann.section.ticket);
    return ann.section.ticket;
  };
  const first = expire();
  assert.deepStrictEqual(await ann.saver.save('one'), { outcome: 'saved', revision: 1 });
  assert.notStrictEqual(ann.section.ticket, first);
  expire();
  wire.refuse();
  await eventually(() => ann.client.state === 'waiting', 'no connection');
  const saving = ann.saver.save('two');
  await ann.until('waiting');
  wire.refuse(false);
  await eventually(() => ann.client.state !== 'connecting');
  ann.client.connect().catch(() => {}); // as when the page is focused: no pause
  assert.deepStrictEqual(await saving, { outcome: 'saved', revision: 2 });
  expire();
  await ann.section.release();
  assert.deepStrictEqual(await ann.saver.save('three'), { outcome: 'refused', code: 'TICKET_EXPIRED' });
  assert.deepStrictEqual(draftsOf(ann), [['three', '2']]);
}

/* What is typed while the page shows something, or has just been told, is saved as well. */
async function savesAgainWhileShowing(s) {
  const rest = { saving: ['two'], saved: ['three', 'four'] };
  const inner = [];
  const onShow = (state, page) => {
    const text = page.saver.stopped === null && rest[state]?.shift();
    if (text) inner.push(page.saver.save(text));
  };
  const ann = await openPage(s, 'ann', { onShow });
  const last = ann.saver.save('one').then(() => ann.saver.save('five'));
  assert.deepStrictEqual(await last, { outcome: 'saved', revision: 5 });
  assert.deepStrictEqual((await Promise.all(inner)).map(({ outcome }) => outcome), ['saved', 'saved', 'saved']);
  assert.deepStrictEqual([(await ann.saver.open(ann.section)).body, draftsOf(ann)], ['five', []]);
}

/* The page as it is printed: typed, saved, given up with its revision, taken by the next; unsaved text is offered. */
async function editorWorks(s) {
  const open = async (user) => {
    const page = { client: await pageClient(s, user), offers: [], shown: [] };
    page.section = page.client.section(RESOURCE);
    page.field = Object.assign(new EventTarget(), { value: '', readOnly: false });
    Object.assign(page, s.editor({
      section: page.section, url: section(s.base, user), field: page.field, pauseMs: 20,
      offer: (drafts) => page.offers.push(drafts.map(({ outcome, draft }) => [outcome, draft.text])), show: (state, code) => page.shown.push(code ?? state),
    }));
    page.type = (text) => {
      if (!page.field.dispatchEvent(new Event('beforeinput', { cancelable: true }))) return false;
      page.field.value = text;
      return page.field.dispatchEvent(new Event('input'));
    };
    const opening = page.saver.open.bind(page.saver);
    page.opened = [];
    page.saver.open = (lock) => {
      page.opened.push(opening(lock));
      return page.opened.at(-1);
    };
    page.edit = async () => {
      const { previous } = await page.section.edit();
      await eventually(() => !page.field.readOnly, `${user} may type`);
      return previous;
    };
    return page;
  };
  const [ann, ben] = [await open('ann'), await open('ben')];
  assert.deepStrictEqual([ann.field.readOnly, ann.type('x'), ann.field.value], [true, false, '']);
  await ann.edit();
  assert.strictEqual(ann.type('Ann'), true);
  assert.strictEqual(ann.section.dirty, true);
  await ann.release();
  assert.deepStrictEqual([ann.field.readOnly, ann.section.fence, ann.shown], [true, null, ['saving', 'saved']]);
  assert.strictEqual((await ben.edit()).revision, '1');
  assert.strictEqual(ben.field.value, 'Ann');
  ben.type('Ann and Ben');
  await ben.release();
  ann.section.keepDraft('Ann, unsaved', '1'); // without the lock
  await ann.edit();
  assert.deepStrictEqual([ann.field.value, ann.offers], ['Ann and Ben', [[], [['conflict', 'Ann, unsaved']]]]);
  await ann.release();

  // Done while it opens: no revision is named, and nothing is waited for.
  let go;
  s.gate.before = new Promise((resolve) => { go = resolve; });
  ben.opened = [];
  await ben.section.edit();
  await eventually(() => !s.gate.before, 'it is opened');
  await ben.release();
  go();
  assert.strictEqual((await ben.opened[0]).outcome, 'superseded');
  assert.deepStrictEqual([ben.section.fence, ben.field.readOnly], [null, true]);
  assert.strictEqual((await ben.edit()).revision, undefined);

  // A refusal ends the typing at once. The next lock offers what was typed.
  const conflict = await request(s, 'ben', ben.section.ticket, { base: ben.saver.base, body: 'from elsewhere' });
  assert.strictEqual(conflict.status, 200);
  ben.type('not saved');
  assert.strictEqual((await ben.saver.running).code, 'CONFLICT');
  assert.deepStrictEqual([ben.field.readOnly, ben.shown.at(-1)], [true, 'CONFLICT']);
  await ben.release();
  await ben.edit();
  assert.deepStrictEqual([ben.field.value, ben.offers.at(-1)], ['from elsewhere', [['conflict', 'not saved']]]);
  await ben.release();

  // The opening for a lock that has gone is refused or answered late: the newer lock's text and saves stay as they are.
  for (const late of ['before', 'after']) {
    s.gate[late] = new Promise((resolve) => { go = resolve; });
    ben.opened = [];
    await ben.section.edit();
    await eventually(() => !s.gate[late], 'the first opening is on its way');
    await ben.section.release();
    await ben.edit();
    ben.type(`Ben, ${late}`);
    const saved = await ben.saver.running;
    go();
    assert.strictEqual((await ben.opened[0]).outcome, 'superseded');
    assert.deepStrictEqual([ben.field.value, ben.field.readOnly, ben.saver.base], [`Ben, ${late}`, false, saved.revision]);
    ben.type(`Ben, ${late}, and more`);
    assert.deepStrictEqual(await ben.saver.running, { outcome: 'saved', revision: saved.revision + 1 });
    await ben.release();
  }
}

module.exports = {
  RESOURCE, SLEEP, editorWorks, expiredTicketIsRenewed, savesAgainWhileShowing, lostAnswerIsRepeated, newestOfManyWritersRemains, openPage, outageIsNoRefusal, outcomesAreDistinct, request, savingApplication,
  section, stoppedPageIsRefused,
};

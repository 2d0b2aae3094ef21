'use strict';
/* The save handler of docs/saving-safely.md, as it stands there, against an editor that slept too long. */
const assert = require('node:assert');
const crypto = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const { pathToFileURL } = require('node:url');
const h = require('./harness');

const PAGE = path.join(h.ROOT, 'docs/saving-safely.md');
const RESOURCE = 'document:report:main';

/* Opens the document with the lock, and on each line of its input saves under the ticket that it has then. */
const EDITOR = `
import { createInterface } from 'node:readline';
import WebSocket from 'ws';
import { openForEditing, save } from './save-handler.mjs';
const { URL_OF_DAEMON, TOKEN, USER_ID } = process.env;
const resource = '${RESOURCE}';
const say = (what) => console.log(JSON.stringify(what));
const socket = new WebSocket(URL_OF_DAEMON, 'wslock.v1');
let ticket;
socket.on('open', () => socket.send(JSON.stringify({ event: 'auth', data: { token: TOKEN } })));
socket.on('message', async (text) => {
  const { event, data } = JSON.parse(text);
  if (event === 'welcome') socket.send(JSON.stringify({ event: 'resource:join', data: { resourceId: resource, mode: 'editor' } }));
  if (event === 'lock:acquired') {
    ticket = data.ticket;
    say({ opened: await openForEditing({ user: USER_ID, resource, ticket }), token: data.token });
  }
});
createInterface({ input: process.stdin }).on('line', (body) => {
  save({ user: USER_ID, resource, ticket, body }).then((saved) => say({ saved }), (error) => say({ refused: error.message }));
});
`;

/* The code between the marks of the page. */
function extract() {
  const page = fs.readFileSync(PAGE, 'utf8');
  const found = [...page.matchAll(/<!-- save-handler\.mjs: begin -->\n```js\n([\s\S]*?)```\n<!-- save-handler\.mjs: end -->/g)];
  assert.strictEqual(found.length, 1, 'the handler stands once in the page');
  return found[0][1];
}

/* A folder with the handler and what it imports; a database; a daemon that signs tickets. */
async function stage(t, policy) {
  const dir = h.tempDir(t);
  const { privateKey } = crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const signingKeyFile = path.join(dir, 'tickets.pem');
  fs.writeFileSync(signingKeyFile, privateKey.export({ type: 'pkcs8', format: 'pem' }));
  fs.symlinkSync(path.join(__dirname, 'node_modules'), path.join(dir, 'node_modules'));
  fs.writeFileSync(path.join(dir, 'save-handler.mjs'), extract());
  fs.writeFileSync(path.join(dir, 'editor.mjs'), EDITOR);
  const d = await h.lockDaemon(t, { config: { tickets: { signingKeyFile }, default: policy } });
  const env = {
    DOCUMENTS_DB: path.join(dir, 'documents.db'),
    WSLOCK_KEYS: d.url('/.well-known/wslock-jwks.json').replace(/^ws/, 'http'),
  };
  Object.assign(process.env, env);
  const handler = await import(pathToFileURL(path.join(dir, 'save-handler.mjs')));
  await handler.createTables();
  return { d, dir, env, handler };
}

async function startEditor(t, { d, dir, env }, user) {
  const child = h.start('node', [path.join(dir, 'editor.mjs')], {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...process.env, ...env, URL_OF_DAEMON: d.url(), TOKEN: await d.token({ user }), USER_ID: user },
  });
  const said = new h.Inbox();
  let rest = '';
  let errors = '';
  child.stderr.on('data', (data) => (errors += data));
  child.stdout.on('data', (data) => {
    const lines = (rest + data).split('\n');
    rest = lines.pop();
    for (const line of lines) said.push(JSON.parse(line));
  });
  child.ended.then(() => said.end(new Error(`the editor ended: ${errors}`)));
  h.cleanup(t, async () => {
    child.kill('SIGKILL');
    await child.ended;
  });
  return {
    child,
    next: (key) => said.take((line) => key in line, `${user} says ${key}`),
    save: (body) => child.stdin.write(`${body}\n`),
  };
}

test('an editor that was stopped while its lock went to another is refused', async (t) => {
  const s = await stage(t, { lockTtl: h.ms(2000), heartbeatInterval: h.ms(1000), gracePeriod: h.ms(1000) });
  const ann = await startEditor(t, s, 'ann');
  const first = await ann.next('opened');
  ann.save("Ann's first ' \"; DROP TABLE document; -- \u2603");
  assert.deepStrictEqual((await ann.next('saved')).saved, { version: 1 });
  ann.child.kill('SIGSTOP');

  const ben = await s.d.client({ user: 'ben' });
  await h.view(ben, RESOURCE);
  await ben.waitFor('lock:released', (data) => data.reason === 'EXPIRED' && data.previousHolder === 'ann');
  const lock = await ben.expect('lock:acquire', { resourceId: RESOURCE }, 'lock:acquired');
  assert.ok(lock.token > first.token);
  assert.deepStrictEqual(await s.handler.openForEditing({ user: 'ben', resource: RESOURCE, ticket: lock.ticket }),
    { version: 1, body: "Ann's first ' \"; DROP TABLE document; -- \u2603" });

  // Before Ben has saved anything: his fence is known since he opened the document.
  ann.save('what Ann had in her editor');
  ann.child.kill('SIGCONT');
  assert.match((await ann.next('refused')).refused, /somebody else/);

  const save = (body) => s.handler.save({ user: 'ben', resource: RESOURCE, ticket: lock.ticket, body });
  assert.deepStrictEqual(await save("Ben's"), { version: 2 });
  ann.save('and again');
  assert.match((await ann.next('refused')).refused, /somebody else/);
  assert.deepStrictEqual(await save("Ben's, more"), { version: 3 }, 'the same fence saves again');
  const { body } = await s.handler.openForEditing({ user: 'ben', resource: RESOURCE, ticket: lock.ticket });
  assert.strictEqual(body, "Ben's, more");
});

test('whose ticket it is, and of what', async (t) => {
  const { d, handler } = await stage(t, {});
  const ann = await d.client({ user: 'ann' });
  const { ticket } = await h.take(ann, RESOURCE);
  const other = await h.take(ann, 'document:report:other');
  const save = (more) => handler.save({ user: 'ann', resource: RESOURCE, ticket, body: 'x', ...more });
  assert.deepStrictEqual(await save(), { version: 1 });
  for (const wrong of [{ user: 'ben' }, { resource: 'document:report:other' }, { ticket: other.ticket }, { ticket: 'x' },
    { ticket: ticket.slice(0, -8) + 'AAAAAAAA' }, { ticket: await d.token({ user: 'ann' }) }]) {
    await assert.rejects(save(wrong), handler.Refused, JSON.stringify(wrong));
  }
  assert.deepStrictEqual(await save(), { version: 2 });
});

test('of many saves at once those of the newest fence remain', async (t) => {
  const { d, handler } = await stage(t, {});
  const ann = await d.client({ user: 'ann' });
  const tickets = [];
  for (let i = 0; i < 4; i++) {
    tickets.push((await h.take(ann, RESOURCE)).ticket);
    await ann.expect('lock:release', { resourceId: RESOURCE }, 'lock:released');
  }
  const outcomes = await Promise.allSettled([2, 0, 3, 1, 3, 0, 2, 1].map((i) =>
    handler.save({ user: 'ann', resource: RESOURCE, ticket: tickets[i], body: `from ${i}` })));
  for (const { status, reason } of outcomes) assert.ok(status === 'fulfilled' || reason instanceof handler.Refused, reason);
  const { body } = await handler.openForEditing({ user: 'ann', resource: RESOURCE, ticket: tickets[3] });
  assert.strictEqual(body, 'from 3');
  await assert.rejects(handler.openForEditing({ user: 'ann', resource: RESOURCE, ticket: tickets[2] }), handler.Refused);
});

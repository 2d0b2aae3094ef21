'use strict';
/* The README's JavaScript, as it is printed. */
const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const vm = require('node:vm');
const { WebSocket } = require('ws');
const h = require('./harness');

const [, SCRIPT] = /^## The protocol in one client\n\n```js\n(.*?)^```$/ms.exec(fs.readFileSync(path.join(h.ROOT, 'README.md'), 'utf8'));

/* A page that has nothing but the script, and what the script leaves to its page. */
function page(t, d, user) {
  const url = 'wss://locks.example.org:8443/ws';
  assert.ok(SCRIPT.includes(url));
  const it = { editor: { readOnly: true }, kept: [], shown: [], locks: [], sessionStorage: {}, sent: [], slept: 0 };
  const timers = [];
  vm.runInNewContext(SCRIPT.replace(url, d.url()), {
    ...it, WebSocket: class extends WebSocket {
      constructor(...args) {
        super(...args);
        it.socket = this;
      }
      send(text) {
        it.sent.push(JSON.parse(text).event);
        super.send(text);
      }
    },
    crypto: globalThis.crypto || require('node:crypto').webcrypto,
    getAccessToken: () => h.token({ user, name: user }),
    setInterval: (...args) => {
      timers.push(setInterval(...args));
      return timers.at(-1);
    },
    clearInterval, performance, document: {},
    Date: { now: () => Date.now() + it.slept },
    show: (text) => it.shown.push(text),
    showHolder: (lock) => it.locks.push(lock),
    keepUnsavedText: (why) => it.kept.push(why),
  });
  t.after(() => {
    timers.forEach(clearInterval);
    it.socket.terminate();
  });
  return it;
}

test("the README's client edits, sees who edits, and stops when it is cut off", async (t) => {
  const d = await h.lockDaemon(t, {
    config: {
      resourceTypes: { document: { lockTtl: h.ms(2000), heartbeatInterval: h.ms(400) } },
      redis: { lease: h.ms(10_000) }, // longer than she waits: no gap saves her lock
    },
  });
  const ann = page(t, d, 'ann');
  await h.eventually(() => !ann.editor.readOnly, 'she edits');
  assert.ok(ann.sessionStorage.fence > 0);
  const bob = page(t, d, 'bob');
  await h.eventually(() => bob.shown.length, 'he is told');
  assert.match(bob.shown[0], /^ann is editing$/);
  assert.ok(bob.editor.readOnly);
  const seen = await d.client({ user: 'eva' });
  await h.view(seen, 'document:4711:findings');
  await seen.waitFor('lock:state', (x) => x.cause === 'RENEWED');
  assert.deepStrictEqual([ann.kept, ann.editor.readOnly], [[], false]);
  const status = await h.status(seen, 'document:4711:findings');
  d.signal('SIGSTOP'); // nothing is closed, nothing is answered
  await h.eventually(() => ann.editor.readOnly, 'she stops by herself');
  assert.deepStrictEqual(ann.kept, ['Nobody confirms the lock']);
  assert.strictEqual(status.state, 'held');
  d.signal('SIGCONT');
  await h.granting(d); // it stood still past its lease, and asks the store again first
  const eva = page(t, d, 'eva-too');
  await h.eventually(() => eva.shown.length || !eva.editor.readOnly, 'she is told, or edits');
  await h.eventually(async () => {
    await new Promise((resolve) => { setTimeout(resolve, 200); }); // within the rate limit
    if (eva.editor.readOnly) eva.socket.send(JSON.stringify({ event: 'lock:acquire', id: 1, data: { resourceId: 'document:4711:findings' } }));
    return !eva.editor.readOnly;
  }, 'another has it');
  await d.kill();
  await h.eventually(() => eva.editor.readOnly, 'she stops');
  assert.strictEqual(eva.kept.at(-1), 'The connection is gone');
});

test("the README's client stops when the computer has slept, also where performance.now() has not gone on", async (t) => {
  const d = await h.lockDaemon(t);
  const ann = page(t, d, 'ann');
  await h.eventually(() => !ann.editor.readOnly, 'she edits');
  ann.slept = 600_000;
  await h.eventually(() => ann.editor.readOnly, 'she stops');
  assert.deepStrictEqual(ann.kept, ['Nobody confirms the lock']);
});

test("the README's client keeps its lock through a short outage of the store", async (t) => {
  const redis = await h.redis(t);
  const d = await h.lockDaemon(t, { redis, config: { redis: { lease: h.ms(3000), commandTimeout: h.ms(1000) } } });
  const ann = page(t, d, 'ann');
  await h.eventually(() => !ann.editor.readOnly, 'she edits');
  const seen = await d.client({ user: 'eva' });
  redis.pause();
  await seen.waitFor('system:degraded');
  redis.resume();
  await seen.waitFor('system:recovered');
  await h.eventually(() => ann.sent.includes('lock:heartbeat'), 'she asks, long before the next one is due');
  assert.deepStrictEqual([ann.kept, ann.editor.readOnly], [[], false]);
});

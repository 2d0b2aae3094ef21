'use strict';
/* What the tests of whole flows share: what must hold for every frame, joining, sub-tests side by side. */
const assert = require('node:assert');
const path = require('node:path');
const { ROOT, SLOW, TIMEOUT, eventually } = require('./basics');
const { newDaemon } = require('./daemon');
const { httpGet } = require('./raw');

/*
 * What the protocol promises of every connection, whatever the test was about. Takes the client's frames
 * in order. A connection that is still open must have answered everything.
 */
function checkFrames(client) {
  const open = new Map(); // id → event
  const rooms = new Map(); // resourceId → the highest rev
  client.frames.forEach((frame, at) => {
    const context = () => `frame ${at} of ${client.options.user}: ${frame.text}\n${client.frames
      .slice(Math.max(0, at - 12), at).map((f) => `  ${f.dir} ${f.text}`).join('\n')}`;
    if (frame.dir === 'out') {
      let sent;
      try {
        sent = JSON.parse(frame.text);
      } catch {
        return; // a test of bad messages
      }
      if (sent.id !== undefined) open.set(sent.id, sent.event);
      return;
    }
    const { event, id, data } = frame.message;
    assert.strictEqual(typeof event, 'string', context());
    assert.ok(data && typeof data === 'object', context());
    if (id !== undefined) {
      assert.ok(open.has(id), `nobody asked (or it was answered before): ${context()}`);
      open.delete(id);
    }
    if (data.expiresAt !== undefined || data.lock?.expiresAt !== undefined) {
      assert.ok(Number.isSafeInteger(data.serverTime), `serverTime: ${context()}`);
    }
    if (data.token !== undefined) assert.ok(Number.isSafeInteger(data.token), context());
    const { resourceId, rev } = data;
    if (resourceId === undefined) return;
    assert.match(resourceId, /^[a-z][a-z0-9-]*:[^:]+:[^:]+$/, context());
    if (rev === undefined) {
      assert.strictEqual(event, 'error', `rev is missing: ${context()}`);
      return;
    }
    assert.ok(Number.isSafeInteger(rev) && rev >= 0, context());
    const last = rooms.get(resourceId);
    if (event === 'resource:joined') {
      assert.ok(last === undefined || rev >= last, `a client ignores it, rev ${rev} after ${last}: ${context()}`);
      rooms.set(resourceId, rev);
    } else if (event === 'resource:left') {
      rooms.delete(resourceId);
    } else if (id === undefined) {
      assert.ok(last !== undefined, `before resource:joined: ${context()}`);
      if (event === 'error') return; // may belong to a join's reply
      assert.ok(rev >= last, `out of order, ${rev} after ${last}: ${context()}`);
      rooms.set(resourceId, rev);
    }
  });
  if (client.ws.readyState === 1) {
    assert.deepStrictEqual([...open], [], `without an answer: ${client.options.user}`);
  }
}

/* Keeps every client that is made from now on in d.clients. */
function watch(d) {
  d.clients = [];
  const make = d.newClient.bind(d);
  d.newClient = async (options) => {
    const client = await make(options);
    d.clients.push(client);
    return client;
  };
  return d;
}

/* /readyz says that it can grant locks. */
function granting(d, timeoutMs) {
  return eventually(async () => (await httpGet(d.opsUrl('/readyz'))).status === 200, 'the daemon grants locks', timeoutMs);
}

/* A watched daemon (options of newDaemon) that can grant locks. */
async function lockDaemon(t, options = {}) {
  const d = watch(await newDaemon(t, options));
  await d.start();
  await granting(d);
  return d;
}

/* When everything that was sent has arrived, the frames of all watched clients are checked. */
async function checkAll(...daemons) {
  for (const d of daemons) {
    for (const client of d.clients) {
      if (client.ws.readyState === 1 && client.welcome) {
        await client.sync().catch((error) => {
          if (client.ws.readyState === 1) throw error; // else it has been closed meanwhile
        });
      }
      checkFrames(client);
    }
  }
}

/* Sub-tests side by side: {name: fn}. The parent should have {concurrency: …}. */
function together(t, cases) {
  return Promise.all(Object.entries(cases).map(([name, fn]) => t.test(name, fn)));
}

let tabs = 0;
/* A clientId of its own. */
function tab() {
  return `tab-${process.pid}-${String(++tabs).padStart(6, '0')}`;
}

/* A user with a tab and a display name of its own. */
function person(d, user, more) {
  return d.client({ user, name: user[0].toUpperCase() + user.slice(1), clientId: tab(), ...more });
}

/* An environment for the daemon: each sync of the disk takes that long. */
function slowDisk(milliseconds) {
  const build = process.env.WSLOCK_BUILD_DIR || path.join(ROOT, 'build');
  return { LD_PRELOAD: path.join(build, 'tests/slow-disk.so'), WSLOCK_TEST_DISK_MS: String(milliseconds) };
}

/* A request with a body to the operations endpoint; over its socket, or with {tcp: true}. */
function opsCall(d, method, pathname, body, options = {}) {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  const target = options.tcp ? d.opsUrl(pathname) : { socketPath: d.ops.socket, path: pathname };
  // Node sends no length with a DELETE by itself.
  const length = text === undefined ? {} : { 'Content-Length': Buffer.byteLength(text) };
  return httpGet(target, { method, headers: { ...length, ...options.headers }, body: text });
}

/* Joins as viewer; gives resource:joined's data. */
function view(client, resourceId, more) {
  return client.expect('resource:join', { resourceId, ...more }, 'resource:joined');
}

/* Joins as editor: {joined, answer}, answer being the message that follows ({event, data}). */
async function edit(client, resourceId, more) {
  const joined = await client.expect('resource:join', { resourceId, mode: 'editor', ...more }, 'resource:joined');
  const answer = await client.inbox.take(
    (m) => m.id === undefined && m.data.resourceId === joined.resourceId
      && ['lock:acquired', 'lock:denied', 'lock:queued', 'error'].includes(m.event),
    'what the join brought',
  );
  return { joined, answer };
}

/* Joins as editor and gets the lock: lock:acquired's data. */
async function take(client, resourceId, more) {
  const { joined, answer } = await edit(client, resourceId, more);
  assert.strictEqual(answer.event, 'lock:acquired', JSON.stringify(answer));
  assert.strictEqual(joined.mode, 'editor');
  assert.strictEqual(joined.lock.mine, true);
  return answer.data;
}

/* The lock as anyone may see it. */
async function status(client, resourceId) {
  return (await client.expect('lock:status', { resourceId }, 'lock:state')).lock;
}

/* An `error` reply with this code; gives its data. */
async function refused(client, event, data, code) {
  const error = await client.expect(event, data, 'error');
  assert.strictEqual(error.code, code, JSON.stringify(error));
  assert.strictEqual(typeof error.message, 'string');
  assert.strictEqual(typeof error.ref, 'string');
  return error;
}

/* Asks, within the rate limit, until the answer is another than RECOVERING or BACKEND_UNAVAILABLE; gives the reply. */
async function settled(client, event, data) {
  for (const end = Date.now() + TIMEOUT; ;) {
    const reply = await client.request(event, data);
    if (reply.data.reason !== 'RECOVERING' && reply.data.code !== 'BACKEND_UNAVAILABLE') return reply;
    assert.ok(Date.now() < end, `still ${JSON.stringify(reply)}`);
    await new Promise((resolve) => { setTimeout(resolve, 100); });
  }
}

/* A duration for the configuration, and the same in ms: longer where everything is slower. */
function ms(n) {
  return `${n * SLOW}ms`;
}

/* How long something takes, in ms. */
async function elapsed(promise) {
  const start = performance.now();
  await promise;
  return performance.now() - start;
}

module.exports = {
  checkAll, checkFrames, edit, elapsed, granting, lockDaemon, ms, opsCall, person, refused, settled, slowDisk, status, tab, take, together, view, watch,
};

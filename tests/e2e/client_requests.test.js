'use strict';
/* The JavaScript client's calls against the daemon: promises, typed errors, time limits, bad input, what changes hands. */
const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { before, test } = require('node:test');
const { setFlagsFromString } = require('node:v8');
const { runInNewContext } = require('node:vm');
const WebSocket = require('ws');
const h = require('./harness');

let WslockClient, WslockError;
before(async () => {
  ({ WslockClient, WslockError } = await h.wslockModule('wslock.js'));
});

const CONFIG = {
  resourceTypes: {
    deny: { upgrade: 'deny' }, queue: { upgrade: 'queue', claimWindow: '20s' }, ask: { upgrade: 'request', requests: true },
    forced: { takeover: 'request', takeoverTimeout: '20s' }, prompt: { disconnect: 'prompt', gracePeriod: '20s' },
    full: { maxViewersPerChild: 1 },
  },
};

/* People on one daemon: open(user, options). */
async function hall(t, config = CONFIG) {
  const d = await h.lockDaemon(t, { config });
  const open = (user, options = {}) => h.wslockClient(t, {
    url: d.url(), makeToken: () => h.token({ user, name: user[0].toUpperCase() + user.slice(1), admin: user === 'boss' }), ...options,
  });
  return { d, open };
}

async function code(promise, expected) {
  const error = await h.rejection(promise);
  assert.ok(error instanceof WslockError, String(error.stack));
  assert.strictEqual(error.code, expected, error.message);
  return error;
}

test('what changes hands', { concurrency: 6 }, async (t) => {
  const { d, open } = await hall(t);
  await h.together(t, {
    'one edits, the other is told who': async (t) => {
      const [ann, ben] = [await open('ann'), await open('ben')];
      const mine = ann.section('deny:1');
      assert.strictEqual(mine.id, 'deny:1:main');
      assert.strictEqual(ann.section('deny:1:main'), mine);
      const granted = await mine.edit();
      assert.deepStrictEqual([granted.outcome, granted.resumed, granted.fence], ['granted', false, mine.fence]);
      assert.deepStrictEqual([mine.state, mine.mayEdit, mine.lock.state, mine.lock.mine], ['editing', true, 'held', true]);
      const theirs = ben.section('deny:1');
      await theirs.view();
      assert.deepStrictEqual([theirs.state, theirs.lock.holder.username, theirs.policy.upgrade], ['reading', 'Ann', 'deny']);
      await h.eventually(() => mine.users.length === 2 && mine.viewers === 1, 'both are listed');
      const error = await code(theirs.edit(), 'HELD');
      assert.strictEqual(error.data.currentHolder, 'Ann');
      await code(theirs.release(), 'NOT_HOLDER');
      await code(theirs.request(), 'REQUESTS_DISABLED');
      mine.dirty = true;
      await h.eventually(() => theirs.lock.dirty === true, 'unsaved changes are told', h.TIMEOUT);
      await mine.release({ revision: 'v7' });
      assert.deepStrictEqual([mine.state, mine.fence, mine.ticket], ['reading', null, null]);
      const next = await theirs.edit();
      assert.deepStrictEqual([next.previous.revision, next.previous.username], ['v7', 'Ann']);
      assert.ok(next.fence > granted.fence);
      assert.strictEqual((await theirs.edit()).resumed, true, 'again is harmless');
      const told = await mine.status();
      assert.deepStrictEqual([told.lock.state, told.lock.mine], ['held', false]);
      await theirs.leave();
      assert.deepStrictEqual([theirs.joined, theirs.lock.state], [false, 'unknown']);
    },
    'a queue': async () => {
      const [ann, ben, cleo] = [await open('qa'), await open('qb'), await open('qc')];
      const section = (client) => client.section('queue:1');
      await section(ann).edit();
      const place = await section(ben).edit();
      assert.deepStrictEqual([place.outcome, place.position, section(ben).position], ['queued', 1, 1]);
      assert.strictEqual((await section(cleo).edit()).position, 2);
      await section(cleo).leaveQueue();
      assert.strictEqual(section(cleo).position, null);
      await code(section(cleo).leaveQueue(), 'NOT_QUEUED');
      await section(ann).release();
      await h.eventually(() => section(ben).turn, 'his turn');
      const left = section(ben).countdown();
      assert.ok(left > 10_000 && left <= 20_000, String(left));
      assert.strictEqual((await section(ben).claim()).outcome, 'granted');
      assert.deepStrictEqual([section(ben).turn, section(ben).position, section(ben).state], [false, null, 'editing']);
    },
    'a request, and its answers': async () => {
      const [ann, ben] = [await open('ra'), await open('rb')];
      const [mine, theirs] = [ann, ben].map((client) => client.section('ask:1'));
      await mine.edit();
      const asked = await theirs.request('May I?');
      assert.deepStrictEqual([asked.requestId, asked.holderState], [theirs.asked.requestId, 'held']);
      assert.ok(theirs.asked.remainingMs() > 60_000);
      await h.eventually(() => mine.requests.length === 1, 'she is asked');
      assert.deepStrictEqual([mine.requests[0].from, mine.requests[0].message], ['Rb', 'May I?']);
      const refused = h.next(theirs, 'lock:request_timeout');
      await mine.answerRequest(asked.requestId, 'DENY');
      assert.strictEqual((await refused).reason, 'DENIED');
      assert.deepStrictEqual([mine.requests, theirs.asked], [[], null]);
      await theirs.request();
      await theirs.cancelRequest();
      assert.strictEqual(theirs.asked, null);
      await code(theirs.cancelRequest(), 'NO_REQUEST');
      await h.eventually(() => mine.requests.length === 0, 'it is withdrawn');
      const again = await theirs.request();
      await h.eventually(() => mine.requests.length === 1, 'she is asked again');
      const lost = h.next(mine, 'lost');
      await mine.answerRequest(again.requestId, 'APPROVE', { revision: 'v2' });
      assert.strictEqual((await lost).reason, 'TRANSFERRED');
      await h.eventually(() => theirs.turn, 'his turn');
      assert.strictEqual((await theirs.claim()).previous.revision, 'v2');
      await code(mine.answerRequest(again.requestId, 'DENY'), 'UNKNOWN_REQUEST');
    },
    'a takeover': async () => {
      const [ann, boss] = [await open('ta'), await open('boss')];
      const [mine, theirs] = [ann, boss].map((client) => client.section('forced:1'));
      await mine.edit();
      const saves = [];
      mine.onSave((request) => saves.push(request));
      const pending = await theirs.takeOver('the ward round');
      assert.deepStrictEqual([pending.outcome, pending.requestId], ['pending', theirs.takingOver.requestId]);
      await h.eventually(() => mine.takeover, 'she is told');
      assert.deepStrictEqual([mine.takeover.reason, mine.takeover.from], ['the ward round', 'Boss']);
      assert.deepStrictEqual(saves.map((s) => [s.cause, s.requestId, s.fence]), [['takeover', pending.requestId, mine.fence]]);
      assert.ok(saves[0].remainingMs() > 10_000 && saves[0].deadline > Date.now());
      await mine.answerTakeover(pending.requestId, 'DENY');
      assert.strictEqual(mine.takeover.denied, true);
      await h.eventually(() => theirs.takingOver.deniedBy, 'he is told');
      await theirs.cancelTakeover();
      await h.eventually(() => mine.takeover === null, 'it is over');
      await theirs.takeOver('now');
      await h.eventually(() => mine.takeover, 'she is told again');
      const granted = h.next(theirs, 'granted');
      await mine.answerTakeover(mine.takeover.requestId, 'APPROVE', { revision: 'v3' });
      assert.strictEqual((await granted).previous.revision, 'v3');
      await h.editing(theirs);
      await code(mine.takeOver('I want it'), 'FORBIDDEN');
      assert.deepStrictEqual([saves.length, saves[1].signal.aborted], [2, true], 'nothing is to be saved under a lock that is gone');
    },
    'a holder who is cut off, and may be replaced': async (t) => {
      const wire = await h.proxy(t, d.port);
      const ann = await open('pa', { url: `ws://127.0.0.1:${wire.port}/ws` });
      const ben = await open('pb');
      await ann.section('prompt:1').edit();
      await ben.section('prompt:1').view();
      wire.refuse();
      await h.eventually(() => ben.section('prompt:1').claimable, 'anybody may claim');
      await ben.section('prompt:1').claim();
      assert.strictEqual(ben.section('prompt:1').claimable, false);
      const lost = h.next(ann.section('prompt:1'), 'lost');
      wire.refuse(false);
      assert.strictEqual((await lost).reason, 'CLAIMED');
    },
    'another tab of the same user': async () => {
      const [here, there] = [await open('mia'), await open('mia')];
      await here.section('deny:2').edit();
      await code(there.section('deny:2').edit(), 'HELD_BY_YOU');
      const lost = h.next(here.section('deny:2'), 'lost');
      assert.strictEqual((await there.section('deny:2').edit({ takeOwn: true })).outcome, 'granted');
      assert.strictEqual((await lost).reason, 'MOVED');
    },
    'a full room lets an editor in': async () => {
      const [ann, ben, cleo] = [await open('fa'), await open('fb'), await open('fc')];
      await ann.section('full:1').view();
      await ben.section('full:1').edit();
      const error = await code(cleo.section('full:1').view(), 'MAX_VIEWERS_EXCEEDED');
      assert.strictEqual(error.data.limit, 1);
      await code(cleo.section('full:1').edit(), 'MAX_VIEWERS_EXCEEDED');
    },
    'what the server refuses has its code': async () => {
      const ann = await open('ea');
      await code(ann.section('deny:3').claim().then(() => ann.section('deny:3').answerTakeover('nonsense', 'APPROVE')), 'UNKNOWN_REQUEST');
      assert.strictEqual((await code(ann.section('deny:3').answerRequest('x', 'DENY'), 'UNKNOWN_REQUEST')).retryAfterMs, null);
    },
  });
});

test('time limits and AbortSignal', async (t) => {
  const { d, open } = await hall(t);
  const wire = await h.proxy(t, d.port);
  const ann = await open('ann', { url: `ws://127.0.0.1:${wire.port}/ws` });
  const section = ann.section('deny:1');
  await section.view();
  const stop = new AbortController();
  stop.abort(new Error('changed my mind'));
  assert.strictEqual((await h.rejection(section.edit({ signal: stop.signal }))).message, 'changed my mind');
  assert.strictEqual(section.lock.state, 'free', 'nothing was sent');
  assert.strictEqual((await section.status({ timeoutMs: undefined, signal: undefined })).lock.state, 'free', 'the default limit');

  wire.hold();
  const late = new AbortController();
  const sent = h.next(ann, 'frame', ({ text }) => text.includes('lock:acquire'));
  const given = section.edit({ signal: late.signal });
  await sent;
  late.abort();
  assert.strictEqual((await h.rejection(given)).name, 'AbortError');
  const short = await code(section.status({ timeoutMs: 50 }), 'TIMEOUT');
  assert.match(short.message, /50 ms/);
  const bob = await d.client({ user: 'bob', clientId: h.tab() });
  const joined = await h.view(bob, 'deny:1');
  assert.strictEqual(joined.lock.state, 'free');
  wire.release();
  await bob.waitFor('lock:state', ({ lock, cause }) => lock.state === 'free' && cause === 'RELEASED');
  assert.deepStrictEqual([section.state, section.fence], ['reading', null], 'a lock that came too late is given back');

  wire.refuse();
  await h.eventually(() => ann.state === 'waiting', 'it is cut off');
  await code(section.status({ timeoutMs: 50 }), 'TIMEOUT');
  wire.refuse(false);
  assert.strictEqual((await section.status({ timeoutMs: 60_000 })).lock.state, 'free', 'it waits for the connection');
  wire.swallow('down');
  await code(section.status({ timeoutMs: 60_000 }), 'CONNECTION_LOST');
  wire.swallow('none');
  await ann.close();
  await code(section.edit(), 'CLOSED');
  await code(ann.section('deny:9').view(), 'CLOSED');
  await ann.connect();
  assert.strictEqual((await section.edit()).outcome, 'granted', 'connect() opens it again');
  assert.strictEqual(ann.section('deny:9').joined, false, 'what was refused is not joined later');
});

/* Everything takes a while, also the answers. */
test('what comes for an earlier request is kept where the same is asked again', { concurrency: 3 }, async (t) => {
  const { d, open } = await hall(t);
  const slow = async (t, user) => {
    const wire = await h.proxy(t, d.port);
    const client = await open(user, { url: `ws://127.0.0.1:${wire.port}/ws` });
    await client.connect();
    wire.delay(150);
    return client;
  };
  /* Asked, given up, asked again before the first answer. */
  const twice = async (client, event, ask) => {
    const end = new AbortController();
    const sent = h.next(client, 'frame', ({ text }) => text.includes(event));
    const first = h.rejection(ask({ signal: end.signal }));
    await sent;
    end.abort();
    assert.strictEqual((await first).name, 'AbortError');
    return ask({});
  };
  await h.together(t, {
    'edit() as a lock': async (t) => {
      const ann = await slow(t, 'la');
      const section = ann.section('deny:again');
      await section.view();
      const lost = [];
      section.on('lost', (loss) => lost.push(loss));
      const { fence } = await twice(ann, 'lock:acquire', (options) => section.edit(options));
      assert.strictEqual((await section.status()).lock.state, 'held');
      assert.deepStrictEqual([section.state, section.fence, lost], ['editing', fence, []]);
    },
    'edit() as a place in the queue': async (t) => {
      await (await open('qx')).section('queue:again').edit();
      const ben = await slow(t, 'qy');
      const section = ben.section('queue:again');
      await section.view();
      assert.strictEqual((await twice(ben, 'lock:acquire', (options) => section.edit(options))).position, 1);
      assert.strictEqual((await section.status()).lock.queueLength, 1);
      assert.strictEqual(section.position, 1);
    },
    'request()': async (t) => {
      const holder = (await open('rx')).section('ask:again');
      await holder.edit();
      const ben = await slow(t, 'ry');
      const section = ben.section('ask:again');
      await section.view();
      await twice(ben, 'lock:request', (options) => section.request('please', options)).catch(() => {});
      await section.status();
      assert.deepStrictEqual([holder.requests.length, section.asked?.requestId], [1, holder.requests[0]?.requestId]);
    },
  });
});

test('leave() without an answer: the next connection does not join again', async (t) => {
  const { d, open } = await hall(t, { default: { gracePeriod: '20s' } });
  const wire = await h.proxy(t, d.port);
  const ann = await open('ann', { url: `ws://127.0.0.1:${wire.port}/ws` });
  for (const how of ['lost', 'given up']) {
    const section = ann.section(`document:${how.replace(' ', '-')}`);
    await section.edit();
    wire.swallow('up');
    const sent = h.next(ann, 'frame', ({ text }) => text.includes('resource:leave'));
    const left = h.rejection(section.leave({ timeoutMs: how === 'lost' ? 60_000 : 50 }));
    await sent;
    if (how === 'given up') assert.strictEqual((await left).code, 'TIMEOUT');
    wire.swallow('none');
    wire.cut();
    if (how === 'lost') assert.strictEqual((await left).code, 'CONNECTION_LOST');
    const again = h.next(ann, 'connection', ({ state }) => state === 'connected');
    await again;
    assert.strictEqual((await section.status()).lock.state, 'grace');
    assert.deepStrictEqual([section.joined, section.fence, section.resuming, section.state], [false, null, false, 'reading']);
  }
});

test('bad input is refused before anything is sent', async (t) => {
  const getToken = () => 'x';
  const make = (options) => () => new WslockClient(options);
  const url = 'ws://localhost:1/ws';
  for (const options of [
    undefined, null, 3, {}, { url, getToken: 'token' }, { url: 'ftp://x/', getToken }, { url: 'not an address', getToken },
    { url: '/ws', getToken }, { url: 'wss://x/ws?token=1', getToken }, { url, getToken, clientid: 'x' }, { url, getToken, activity: 'no' },
    { url, getToken, timeoutMs: 0 }, { url, getToken, timeoutMs: '5' }, { url, getToken, idleAfterMs: NaN }, { url, getToken, storageKey: '' },
    { url, getToken, timeoutMs: 2 ** 31 }, { url, getToken, idleAfterMs: 2 ** 31 },
    { url, getToken, storage: { cookies: 1 } }, { url, getToken, presence: 'all' }, { url, getToken, platform: 5 },
  ]) assert.throws(make(options), TypeError, JSON.stringify(options));

  const { open } = await hall(t);
  const ann = await open('ann');
  const sent = [];
  ann.on('frame', ({ direction, text }) => direction === 'out' && sent.push(text));
  for (const id of ['', 'x', 'a:b:c:d', 'A:b', 'a:ä', 7, null, undefined, 'a:b\n', `a:${'b'.repeat(129)}`]) {
    assert.throws(() => ann.section(id), TypeError, String(id));
  }
  const s = ann.section('deny:1');
  const bad = {
    'edit(5)': () => s.edit(5), 'takeOwn': () => s.edit({ takeOwn: 'yes' }), 'unknown option': () => s.edit({ takeown: true }),
    'timeoutMs': () => s.edit({ timeoutMs: -1 }), 'too long for a timer': () => s.edit({ timeoutMs: 2 ** 31 }),
    'signal': () => s.view({ signal: {} }), 'revision': () => s.release({ revision: 5 }),
    'long revision': () => s.release({ revision: 'x'.repeat(129) }), 'message': () => s.request(5),
    'long message': () => s.request('x'.repeat(501)), 'surrogate': () => s.request('\ud800'), 'NUL': () => s.takeOver('a\0'),
    'no reason': () => s.takeOver(), 'empty reason': () => s.takeOver(''), 'urgent': () => s.takeOver('x', { urgent: 1 }),
    'requestId': () => s.answerRequest(undefined, 'DENY'), 'action': () => s.answerRequest('x', 'deny'),
    'takeover action': () => s.answerTakeover('x', 'IGNORE'),
  };
  for (const [name, call] of Object.entries(bad)) assert.ok(await h.rejection(call()) instanceof TypeError, name);
  assert.strictEqual((await h.rejection(s.request('😀'.repeat(500), { timeoutMs: 5000 }))).code, 'REQUESTS_DISABLED', 'characters are counted');
  sent.length = 0;
  assert.throws(() => { s.dirty = 1; }, TypeError);
  assert.throws(() => s.on('lock:aquired', () => {}), TypeError);
  assert.throws(() => s.on('state', null), TypeError);
  assert.throws(() => ann.on('nothing', () => {}), TypeError);
  assert.throws(() => s.onSave('save'), TypeError);
  assert.throws(() => s.keepDraft(5, 'r1'), TypeError);
  assert.throws(() => s.keepDraft('text', ''), TypeError);
  assert.throws(() => s.saved(), TypeError);
  assert.throws(() => s.saved({ revision: 'r2' }), TypeError);
  for (const [name, call] of Object.entries(bad)) assert.ok(await h.rejection(call()) instanceof TypeError, name);
  assert.deepStrictEqual(sent, []);
});

test('a listener that throws stops nothing', async (t) => {
  const { open } = await hall(t);
  const ann = await open('ann');
  const section = ann.section('deny:1');
  const seen = [];
  section.on('state', () => { throw new Error('the application'); });
  const off = section.on('state', ({ state }) => seen.push(state));
  ann.on('frame', () => { throw new Error('the console'); });
  await section.edit();
  off();
  await section.release();
  assert.deepStrictEqual(seen, ['editing']);
  assert.ok(ann.problems.some(({ message }) => message === 'the application'));
});

test('what nobody listens for is on the console', async (t) => {
  const { d, open } = await hall(t);
  const errors = t.mock.method(console, 'error', () => {});
  const shown = () => errors.mock.calls.map(({ arguments: [error] }) => error.message);
  const listened = await open('ann');
  listened.on('connection', () => { throw new Error('to the listener'); });
  await listened.connect();
  assert.deepStrictEqual(shown(), []);

  const storage = { session: new h.MemoryStorage(), local: new h.MemoryStorage() };
  const client = new WslockClient({ url: d.url(), getToken: () => h.token(), storage, platform: { WebSocket } });
  h.cleanup(t, () => client.close());
  client.on('connection', () => { throw new Error('the application'); });
  await client.connect();
  assert.deepStrictEqual(new Set(shown()), new Set(['the application']));
  client.on('problem', () => { throw new Error('the listener of problems'); });
  await client.close();
  assert.ok(shown().includes('the listener of problems'));
});

test('a ticket is renewed with the lock', async (t) => {
  const signingKeyFile = path.join(h.tempDir(t), 'tickets.pem');
  fs.writeFileSync(signingKeyFile, h.keyPair('ES256').privateKey.export({ type: 'pkcs8', format: 'pem' }));
  const { d, open } = await hall(t, { ...CONFIG, tickets: { signingKeyFile } });
  const wire = await h.proxy(t, d.port);
  const ann = await open('ann', { url: `ws://127.0.0.1:${wire.port}/ws`, activity: 'manual', idleAfterMs: 1 });
  const section = ann.section('deny:1');
  await code(section.renew(), 'NOT_HOLDER');
  const { fence, ticket } = await section.edit();
  const beats = [];
  ann.on('frame', ({ direction, text }) => direction === 'out' && text.includes('heartbeat') && beats.push(JSON.parse(text).data.active));
  const renewed = await section.renew();
  assert.deepStrictEqual([renewed.outcome, renewed.fence, renewed.resumed], ['granted', fence, true]);
  assert.ok(renewed.ticket && renewed.ticket !== ticket && renewed.ticket === section.ticket);
  wire.refuse();
  await h.eventually(() => ann.state === 'waiting', 'it is cut off');
  await code(section.renew({ timeoutMs: 50 }), 'TIMEOUT');
  const later = section.renew({ timeoutMs: 60_000 });
  wire.refuse(false);
  assert.strictEqual((await later).fence, fence, 'it waits for the connection');
  await section.release();
  await code(section.renew(), 'NOT_HOLDER');
});

test('renew() after its caller gave up tells nothing', async (t) => {
  const { d, open } = await hall(t, { default: { gracePeriod: '20s', heartbeatInterval: '60s', lockTtl: '5m' } });
  const wire = await h.proxy(t, d.port);
  const [ann, ben] = [await open('ann', { url: `ws://127.0.0.1:${wire.port}/ws` }), await open('ben')];
  const [mine, theirs] = [ann, ben].map((client) => client.section('document:renewed'));
  await mine.edit();
  await theirs.view();
  wire.refuse();
  await h.eventually(() => ann.state === 'waiting', 'it is cut off');
  mine.dirty = true;
  await code(mine.renew({ timeoutMs: 50 }), 'TIMEOUT');
  wire.refuse(false);
  await h.editing(mine);
  await h.eventually(() => theirs.lock.dirty === true, 'the unsaved changes are told');
});

/* There is no word to the server: what it does by itself. */
test('leave() and close() without a connection', async (t) => {
  const { d, open } = await hall(t, { default: { gracePeriod: h.ms(1500) } });
  const ben = await d.client({ user: 'ben' });
  for (const how of ['leave', 'close']) {
    const resource = `document:${how}:main`;
    const wire = await h.proxy(t, d.port);
    const ann = await open(`ann-${how}`, { url: `ws://127.0.0.1:${wire.port}/ws` });
    const section = ann.section(resource);
    await section.edit();
    section.keepDraft('unsaved', 'r1');
    await h.view(ben, resource);
    wire.refuse();
    await h.eventually(() => ann.state === 'waiting', 'it is cut off');
    if (how === 'leave') await section.leave();
    else await ann.close();
    assert.deepStrictEqual([section.state, section.fence, section.joined, section.lock.state], ['reading', null, false, 'unknown']);
    assert.strictEqual(section.drafts().length, 1);
    wire.refuse(false);
    await ben.waitFor('lock:state', ({ resourceId, lock }) => resourceId === resource && lock.state === 'grace');
    if (how === 'leave') await h.eventually(() => ann.state === 'connected', 'the client is there again');
    else assert.strictEqual(ann.state, 'closed');
    await ben.waitFor('lock:state', ({ resourceId, cause }) => resourceId === resource && cause === 'GRACE_PERIOD_EXPIRED');
    assert.strictEqual(section.joined, false);
  }
});

test('sections that nobody uses are forgotten', async (t) => {
  const { open } = await hall(t);
  const ann = await open('ann');
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc');
  const use = async (id) => {
    const section = ann.section(id);
    await section.view();
    return new WeakRef(section);
  };
  const [left, watched] = [await use('deny:left'), await use('deny:watched')];
  const seen = [];
  const off = ann.section('deny:listened').on('state', ({ state }) => seen.push(state)); // kept by its listener alone
  const reused = ann.section('deny:reused');
  await reused.view();
  await reused.leave();
  assert.strictEqual(ann.section('deny:reused'), reused);
  await reused.edit();
  assert.deepStrictEqual([reused.state, ann.section('deny:reused') === reused], ['editing', true]);
  await ann.section('deny:left').leave();
  await h.eventually(() => {
    collect();
    return left.deref() === undefined;
  }, 'it is forgotten');
  const again = watched.deref();
  assert.strictEqual(ann.section('deny:watched'), again);
  assert.ok(again?.joined, 'one that is joined stays');
  assert.strictEqual(ann.section('deny:left').joined, false);
  await ann.section('deny:listened').edit();
  await ann.section('deny:listened').leave();
  assert.deepStrictEqual(seen, ['editing', 'reading']);
  off();
  const listened = await use('deny:listened');
  await ann.section('deny:listened').leave();
  await h.eventually(() => {
    collect();
    return listened.deref() === undefined;
  }, 'nobody listens any more');
});

test('frames for developers have no secrets', async (t) => {
  const { open } = await hall(t);
  let token;
  const ann = await open('ann', { makeToken: async () => (token = await h.token({ user: 'ann' })) });
  const frames = [];
  ann.on('frame', (frame) => frames.push(frame));
  const { fence } = await ann.section('deny:1').edit();
  const text = frames.map((frame) => frame.text).join('\n');
  assert.match(text, /"event":"auth"/);
  assert.ok(!text.includes(token) && text.includes('"token":"…"'));
  assert.ok(text.includes(`"token":${fence}`), 'a fencing token is none');
});

test('the tables are those of the daemon', async () => {
  const protocol = await h.wslockModule('wslock/protocol.js');
  const tables = fs.readFileSync(path.join(h.ROOT, 'include/wslock/wire/tables.def'), 'utf8');
  const rows = (macro) => [...tables.matchAll(new RegExp(`^${macro}\\((.*?)\\)`, 'gm'))].map((row) => row[1].split(', '));
  const requests = rows('WIRE_REQUEST').map((row) => row[1].replaceAll('"', ''));
  assert.deepStrictEqual(Object.keys(protocol.REQUESTS).sort(), requests.sort());
  assert.deepStrictEqual([...protocol.ERRORS].sort(), rows('WIRE_ERROR').map(([name]) => name).sort());
  for (const [, close, , again] of rows('WIRE_CLOSE')) assert.strictEqual(protocol.CLOSES[close], again === 'true', close);
  assert.deepStrictEqual([1002, 1007, 4400].map((close) => protocol.CLOSES[close]), [false, false, false]);
  /* What the daemon's sources send. */
  const sent = new Set();
  for (const dir of ['src/wire', 'src/session']) {
    for (const file of fs.readdirSync(path.join(h.ROOT, dir)).filter((name) => name.endsWith('.c'))) {
      const source = fs.readFileSync(path.join(h.ROOT, dir, file), 'utf8');
      for (const [, full, short] of source.matchAll(/"((?:auth|session|resource|lock|presence|system|server):[a-z_]+)"|writer_open\(to, "([a-z]+)"/g)) {
        sent.add(full || short);
      }
    }
  }
  const events = [...sent].filter((event) => !requests.includes(event)).sort();
  assert.deepStrictEqual(Object.keys(protocol.EVENTS).sort(), events);
  for (const reply of Object.values(protocol.REQUESTS).flat()) assert.ok(protocol.EVENTS[reply], reply);
  /* And the types have each of them. */
  const types = fs.readFileSync(path.join(h.CLIENT_DIR, 'wslock.d.ts'), 'utf8');
  const declared = types.slice(types.indexOf('interface ServerEvents'), types.indexOf('interface Pending'));
  assert.deepStrictEqual([...declared.matchAll(/^ {2}"([a-z:_]+)":/gm)].map((row) => row[1]).sort(), events);
  for (const name of protocol.ERRORS) assert.ok(types.includes(`"${name}"`), name);
});
